"""Health checks as configured: one class per checker, all sharing `Endpoint` (where) and `Timing` (when).

Defaults that depend on the surrounding real or virtual server have been filled in; see `config.lvs`.
"""

from dataclasses import dataclass

from keepalived_py.addresses import Address
from keepalived_py.config.scripts import Script
from keepalived_py.units import Micro, micro


@dataclass(frozen=True, slots=True)
class Timing:
    """When a check runs.

    A server is declared down after `retry` + 1 failures in a row, `delay_before_retry` apart; the first check follows a random
    part of `warmup`.  `alpha`: the server counts as failed until its first success.  `fall`: so many failed runs in a row,
    `delay_loop` apart and each with its retries, are needed; `rise`: so many good ones to come up again.
    """

    delay_loop: Micro = micro(60)
    retry: int = 1
    delay_before_retry: Micro = micro(1)
    warmup: Micro = micro(60)
    alpha: bool = False
    log_all_failures: bool = False
    rise: int = 1
    fall: int = 1


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a check connects to and from.  `connect_timeout` bounds the connect, and each wait for the peer after it."""

    address: Address
    port: int
    bindto: Address | None = None
    bind_port: int = 0
    bind_if: str | None = None
    fwmark: int = 0
    connect_timeout: Micro = micro(5)


@dataclass(frozen=True, slots=True)
class TcpCheck:
    """TCP_CHECK: the connection is accepted."""

    endpoint: Endpoint
    timing: Timing = Timing()


@dataclass(frozen=True, slots=True)
class StatusRange:
    """HTTP status codes from `first` to `last`, both included."""

    first: int
    last: int

    def __contains__(self, status: int) -> bool:
        return self.first <= status <= self.last

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Regex:
    """A pattern that the body must (or with `no_match` must not) match.

    Offsets are bytes into the body at which a match may start; `options` are PCRE2 names as keepalived spells them.
    """

    pattern: str
    options: tuple[str, ...] = ()
    no_match: bool = False
    min_offset: int = 0
    max_offset: int | None = None
    stack: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Url:
    """One request of an HTTP check.  `digest`: MD5 of the body in hex.  Empty `status_codes`: 200..299.

    `headers` go out behind our own; one of a name that we send replaces ours.  `body` is what is sent, None for nothing.
    """

    path: str
    digest: str | None = None
    status_codes: tuple[StatusRange, ...] = ()
    virtualhost: str | None = None
    regex: Regex | None = None
    tls_compliant: bool = False
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """TLS of one check.  `verify`: the certificate and the name in it.  Files that are None: those of the root `SSL` block."""

    verify: bool = False
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """HTTP_GET, or with `tls` SSL_GET: every url answers as told.

    `http_protocol` is ``1.0``, ``1.0C`` or ``1.1``.  `sni_name` None with `enable_sni`: the virtual host, else no SNI.
    """

    endpoint: Endpoint
    timing: Timing = Timing(delay_before_retry=micro(3))
    tls: bool = False
    urls: tuple[Url, ...] = ()
    virtualhost: str | None = None
    http_protocol: str = "1.0"
    enable_sni: bool = False
    sni_name: str | None = None
    fast_recovery: bool = False
    tls_compliant: bool = False
    ssl: TlsOptions = TlsOptions()


@dataclass(frozen=True, slots=True)
class SmtpCheck:
    """SMTP_CHECK: banner, HELO and QUIT are answered with the expected codes."""

    endpoint: Endpoint
    timing: Timing = Timing()
    helo_name: str = "smtpchecker.keepalived.org"


@dataclass(frozen=True, slots=True)
class DnsCheck:
    """DNS_CHECK: a query of `type` for `name` (empty: the root) is answered NOERROR."""

    endpoint: Endpoint
    timing: Timing = Timing(retry=3)
    type: str = "SOA"
    name: str = ""


@dataclass(frozen=True, slots=True)
class UdpCheck:
    """UDP_CHECK: no ICMP error, and with `require_reply` an answer of `min_reply_length`..`max_reply_length` bytes.

    `reply` is compared under `reply_mask`, byte by byte; both have one length.
    """

    endpoint: Endpoint
    timing: Timing = Timing()
    payload: bytes = b""
    require_reply: bool = False
    reply: bytes = b""
    reply_mask: bytes = b""
    min_reply_length: int = 0
    max_reply_length: int = 255


@dataclass(frozen=True, slots=True)
class PingCheck:
    """PING_CHECK: an ICMP echo is answered."""

    endpoint: Endpoint
    timing: Timing = Timing()


@dataclass(frozen=True, slots=True)
class MiscCheck:
    """MISC_CHECK: a program exits 0; with `dynamic` 2..255 is up with weight status - 2.  `timeout` 0: `Timing.delay_loop`."""

    script: Script
    timing: Timing = Timing(retry=0)
    timeout: Micro = Micro(0)
    dynamic: bool = False


@dataclass(frozen=True, slots=True)
class FileCheck:
    """FILE_CHECK: the number in a tracked file, times `weight`, is added to the weight of the real server.

    `reverse` changes the sign.  With `weight` 0 any number but 0 means down (`reverse`: 0 does), and so does a product of
    -2147483648 or less.  `track_file` is the name, `path` the file.
    """

    track_file: str
    timing: Timing = Timing()
    weight: int | None = None
    reverse: bool = False
    path: str = ""


@dataclass(frozen=True, slots=True)
class BfdCheck:
    """BFD_CHECK: the named session is up."""

    name: str
    timing: Timing = Timing()


Checker = TcpCheck | HttpCheck | SmtpCheck | DnsCheck | UdpCheck | PingCheck | MiscCheck | FileCheck | BfdCheck
