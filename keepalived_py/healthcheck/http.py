"""HTTP_GET and SSL_GET: a server is fit when every url answers as configured, one url a run.

The request is keepalived's, byte for byte: ``GET path HTTP/1.0``, ``User-Agent: KeepAliveClient``, with 1.0C and 1.1 ``Connection:
close``, and ``Host`` with the virtual host or address and port.  Methods, headers and bodies of a url are an extension.

Time: `connect_timeout` bounds the connection with its TLS handshake, and each wait after it; the whole run is bounded by
`PATIENCE` times as much, so that a server that trickles bytes does not pass for ever.
"""

import re
from typing import Final

from keepalived_py.addresses import Family
from keepalived_py.config.checkers import Endpoint, HttpCheck, StatusRange, Timing, Url
from keepalived_py.healthcheck import patterns
from keepalived_py.healthcheck.kind import Failure, Kind, Where, Wording
from keepalived_py.healthcheck.outcome import Reason
from keepalived_py.healthcheck.probe import Await, Connect, Probe, Send, Steps, Tls
from keepalived_py.healthcheck.reply import HttpReply
from keepalived_py.units import Micro

PATIENCE: Final = 3
"""Bound of a whole run in connect timeouts: one to connect, one for the first byte, one for the rest."""

_UNVERIFIED: Final = "SSL_GET takes any certificate, as keepalived does; with ssl_verify it takes valid ones only"
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_LINE: Final = re.compile(r"[^\r\n\0]*")

_DEFAULT_STATUS: Final = (StatusRange(200, 299),)


def request(check: HttpCheck, url: Url) -> bytes:
    """Return the bytes that ask for `url`: our headers first, then its own; one of a name that is ours replaces ours."""
    minor = "1" if check.http_protocol == "1.1" else "0"
    close = "" if check.http_protocol == "1.0" else "Connection: close\r\n"
    host = url.virtualhost or check.virtualhost or _literal(check.endpoint)
    head = f"{url.method} {url.path} HTTP/1.{minor}\r\n"
    ours = f"User-Agent: KeepAliveClient\r\n{close}Host: {host}\r\n"
    if url.headers or url.body is not None:
        return _request_in_full(head, ours, url)
    return f"{head}{ours}\r\n".encode("utf-8", "surrogateescape")


def _request_in_full(head: str, ours: str, url: Url) -> bytes:
    body = (url.body or "").encode("utf-8", "surrogateescape")
    lines = ours.splitlines(keepends=True)
    if url.body is not None:
        lines.append(f"Content-Length: {len(body)}\r\n")
    named = {name.lower() for name, _ in url.headers}
    kept = [line for line in lines if line.partition(":")[0].lower() not in named]
    own = [f"{name}: {value}\r\n" for name, value in url.headers]
    return "".join([head, *kept, *own, "\r\n"]).encode("utf-8", "surrogateescape") + body


def _malformed(url: Url) -> str | None:
    """Return what in a url would make another request than the one that is meant, or None."""
    if _TOKEN.fullmatch(url.method) is None:
        return f"{url.method!r} is no method"
    for name, value in url.headers:
        if _TOKEN.fullmatch(name) is None or _LINE.fullmatch(value) is None:
            return f"{name!r}: {value!r} is no header"
    return None


def _literal(endpoint: Endpoint) -> str:
    address = endpoint.address
    return f"[{address}]:{endpoint.port}" if address.family is Family.INET6 else f"{address}:{endpoint.port}"


def _tls(check: HttpCheck, url: Url) -> Tls | None:
    """Return how to speak TLS.  A certificate that is verified is one for the name in SNI, the virtual host or the address."""
    if not check.tls:
        return None
    host = url.virtualhost or check.virtualhost
    name = (check.sni_name or host) if check.enable_sni or check.sni_name else None
    if check.ssl.verify and name is None:
        name = _without_port(host) if host else str(check.endpoint.address)
    return Tls(name, check.tls_compliant or url.tls_compliant, check.ssl)


def _without_port(host: str) -> str:
    name = host.rsplit(":", 1)[0] if host.count(":") == 1 or "]:" in host else host
    return name.strip("[]")


class HttpProbe(Probe):
    """Asks for one url."""

    __slots__ = ("_asked", "_check", "_limit", "_reply", "_url")

    def __init__(self, check: HttpCheck, url: Url) -> None:
        self._check = check
        self._url = url
        self._reply = HttpReply(digest=url.digest is not None, keep=url.regex is not None, bodiless=url.method == "HEAD")
        self._limit = Micro(0)
        self._asked = False

    def begin(self, now: Micro) -> Steps:
        """Connect."""
        endpoint = self._check.endpoint
        self.began = now
        self._limit = Micro(now + PATIENCE * endpoint.connect_timeout)
        return (Connect(endpoint, _tls(self._check, self._url)), self._wait(now))

    def connected(self, now: Micro) -> Steps:
        """Ask."""
        self._asked = True
        return (Send(request(self._check, self._url)), self._wait(now))

    def received(self, data: bytes, now: Micro) -> Steps:
        """Take a piece of the reply."""
        self._reply.feed(data)
        return self._judge(now) if self._reply.complete else (self._wait(now),)

    def closed(self, now: Micro) -> Steps:
        """Judge what has come."""
        self._reply.end()
        return self._judge(now)

    def timed_out(self, now: Micro) -> Steps:
        """Fail."""
        return self.failed(Reason.REPLY_TIMEOUT if self._asked else Reason.CONNECT_TIMEOUT, "", now)

    def failed(self, reason: Reason, detail: str, now: Micro) -> Steps:
        """Fail for `reason`."""
        self._reply.release()
        return super().failed(reason, detail, now)

    def _wait(self, now: Micro) -> Await:
        return Await(Micro(min(now + self._check.endpoint.connect_timeout, self._limit)))

    def _judge(self, now: Micro) -> Steps:
        fault = self._fault()
        if fault is not None:
            return self.failed(*fault, now)
        self._reply.release()
        return self.passed(now)

    def _fault(self) -> tuple[Reason, str] | None:
        """Return what is wrong with a complete reply, in keepalived's order: data, status, digest, pattern."""
        reply, url = self._reply, self._url
        if reply.problem is not None and not self._seen_enough():
            return reply.problem, ""
        if not _allowed(reply.status, url.status_codes or _DEFAULT_STATUS):
            return Reason.BAD_STATUS, str(reply.status)
        if url.digest is not None and not reply.digest_is(url.digest):
            return Reason.DIGEST_MISMATCH, ""
        if url.regex is None:
            return None
        try:
            mismatch = patterns.matches(url.regex, reply.body or b"") is url.regex.no_match
        except patterns.TooSlowError:
            return Reason.REGEX_MISMATCH, "the search took too long"
        return (Reason.REGEX_MISMATCH, "") if mismatch else None

    def _seen_enough(self) -> bool:
        """Return whether the kept part of a body that is too long can still decide: a match in it is a match."""
        regex = self._url.regex
        cut_short = self._reply.problem is Reason.TOO_MUCH_DATA and self._reply.status != 0
        return cut_short and regex is not None and not regex.no_match and self._url.digest is None


def _allowed(status: int, ranges: tuple[StatusRange, ...]) -> bool:
    for allowed in ranges:  # noqa: SIM110  (a generator would cost more than all the comparisons)
        if allowed.first <= status <= allowed.last:
            return True
    return False


class HttpKind(Kind[HttpCheck]):
    """The row of HTTP_GET and SSL_GET."""

    wording = Wording(
        success="Remote Web server {server} succeed on service.",
        failure="{kind}_CHECK on service {server} failed",
        mail_up="=> CHECK succeed on service <=",
        mail_down="=> CHECK failed on service : HTTP/SSL request failed <=",
    )

    def name(self, check: HttpCheck) -> str:
        """HTTP_GET or SSL_GET."""
        return "SSL_GET" if check.tls else "HTTP_GET"

    def probe(self, check: HttpCheck, step: int, token: int = 0) -> Probe:
        """Make the probe that asks for url number `step`."""
        return HttpProbe(check, check.urls[step])

    def failure_text(self, check: HttpCheck, failure: Failure, where: Where) -> str:
        """Name the protocol."""
        kind = "SSL" if check.tls else "HTTP"
        return f"{self.wording.failure.format(kind=kind, server=where.server)}{failure.after}."

    def attempt_text(self, check: HttpCheck, failure: Failure, where: Where) -> str:
        """One failed try."""
        return f"{_attempt(check, failure.outcome.reason)} server {where.server}."

    def step_text(self, check: HttpCheck, step: int, server: str) -> str | None:
        """Name the last thing that was compared."""
        url = check.urls[step]
        what = "Regex match" if url.regex else "MD5 digest" if url.digest else "HTTP status code"
        return f"{what} success to {server} url({url.path})."

    def timing(self, check: HttpCheck) -> Timing:
        """As configured."""
        return check.timing

    def shareable(self, check: HttpCheck) -> bool:
        """It asks a server."""
        return True

    def steps(self, check: HttpCheck) -> int:
        """One run for each url."""
        return max(1, len(check.urls))

    def eager(self, check: HttpCheck) -> bool:
        """`fast_recovery`."""
        return check.fast_recovery

    def unusable(self, check: HttpCheck) -> str | None:
        """Without a url there is nothing to ask for; and what is sent must be what is configured."""
        if not check.urls:
            return "it has no url"
        return next((fault for url in check.urls if (fault := _malformed(url)) is not None), None)

    def advice(self, check: HttpCheck) -> str | None:
        """Say what a secure connection does not mean here."""
        return _UNVERIFIED if check.tls and not check.ssl.verify else None

    def caveats(self, check: HttpCheck) -> tuple[str, ...]:
        """Patterns that Python reads differently."""
        told = (patterns.explain(url.regex) for url in check.urls if url.regex is not None)
        return tuple(sentence for sentence in told if sentence)


_ATTEMPTS: Final = {
    Reason.CONNECT_TIMEOUT: "Timeout connecting",
    Reason.UNREACHABLE: "HTTP/SSL_CHECK - network unreachable",
    Reason.REFUSED: "Connection failed",
    Reason.TLS_FAILED: "SSL handshake/communication error connecting to",
    Reason.NO_DATA: "Read, no data received from ",
    Reason.BAD_STATUS: "HTTP status code error to",
    Reason.DIGEST_MISMATCH: "MD5 digest error to",
    Reason.REGEX_MISMATCH: "Regex match failed",
}


def _attempt(check: HttpCheck, reason: Reason) -> str:
    if reason is Reason.REPLY_TIMEOUT:
        return "Timeout SSL read" if check.tls else "Timeout HTTP read"
    return _ATTEMPTS.get(reason, "Read error with")
