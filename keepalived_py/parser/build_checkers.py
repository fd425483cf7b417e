"""Checkers from their drafts: each with its endpoint and timing complete."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from keepalived_py.addresses import Address
from keepalived_py.config.checkers import (
    BfdCheck,
    Checker,
    DnsCheck,
    Endpoint,
    FileCheck,
    HttpCheck,
    MiscCheck,
    PingCheck,
    Regex,
    SmtpCheck,
    TcpCheck,
    Timing,
    UdpCheck,
    Url,
)
from keepalived_py.config.scripts import Script
from keepalived_py.parser import codes
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import Draft
from keepalived_py.parser.scripts import ScriptChecks, default_user
from keepalived_py.units import Micro, micro

_ONE_SECOND: Final = micro(1)
_THREE_SECONDS: Final = micro(3)


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a real server says for all of its checks; None leaves it to the type of the check."""

    address: Address
    port: int
    connect_timeout: Micro
    delay_loop: Micro
    retry: int | None
    delay_before_retry: Micro | None
    warmup: Micro | None
    alpha: bool
    log_all_failures: bool
    virtualhost: str | None


def build_checkers(drafts: list[Draft], defaults: Defaults, checks: ScriptChecks, reading: Reading) -> tuple[Checker, ...]:
    """Return the checkers of one real server, in order; those that cannot run have been reported."""
    built: list[Checker] = []
    for draft in drafts:
        name = draft.block.name
        if name in ("HTTP_GET", "SSL_GET"):
            built.append(_http(draft, defaults, reading, tls=name == "SSL_GET"))
        elif name == "SMTP_CHECK":
            built.extend(_smtp(draft, defaults))
        elif name == "MISC_CHECK":
            checker = _misc(draft, defaults, checks, reading)
            if checker is not None:
                built.append(checker)
        else:
            built.append(_SIMPLE[name](draft.values, defaults))
    return tuple(built)


def _timing(values: dict[str, Any], defaults: Defaults, retry: int = 1, pause: Micro | None = _ONE_SECOND) -> Timing:
    """Return the timing: own words, else the real server's, else the type's (`pause` None: delay_loop)."""
    get = values.get
    loop = get("timing.delay_loop", defaults.delay_loop)
    own_pause = get("timing.delay_before_retry", defaults.delay_before_retry)
    own_retry = get("timing.retry", defaults.retry)
    warmup = get("timing.warmup", defaults.warmup)
    return Timing(
        loop,
        retry if own_retry is None else own_retry,
        own_pause if own_pause is not None else loop if pause is None else pause,
        loop if warmup is None else warmup,
        get("timing.alpha", defaults.alpha),
        get("timing.log_all_failures", defaults.log_all_failures),
    )


def _endpoint(values: dict[str, Any], defaults: Defaults) -> Endpoint:
    get = values.get
    return Endpoint(
        get("endpoint.address", defaults.address),
        get("endpoint.port", defaults.port),
        get("endpoint.bindto"),
        get("endpoint.bind_port", 0),
        get("endpoint.bind_if"),
        get("endpoint.fwmark", 0),
        get("endpoint.connect_timeout", defaults.connect_timeout),
    )


def _tcp(values: dict[str, Any], defaults: Defaults) -> TcpCheck:
    return TcpCheck(_endpoint(values, defaults), _timing(values, defaults))


def _ping(values: dict[str, Any], defaults: Defaults) -> PingCheck:
    return PingCheck(_endpoint(values, defaults), _timing(values, defaults))


def _dns(values: dict[str, Any], defaults: Defaults) -> DnsCheck:
    timing = _timing(values, defaults, retry=3, pause=None)
    return DnsCheck(_endpoint(values, defaults), timing, values.get("type", "SOA"), values.get("name", ""))


def _udp(values: dict[str, Any], defaults: Defaults) -> UdpCheck:
    get = values.get
    return UdpCheck(
        _endpoint(values, defaults),
        _timing(values, defaults),
        get("payload", b""),
        get("require_reply", False),
        get("reply", b""),
        get("reply_mask", b""),
        get("min_reply_length", 0),
        get("max_reply_length", 255),
    )


def _file(values: dict[str, Any], defaults: Defaults) -> FileCheck:
    return FileCheck(values["track_file"], _timing(values, defaults), values.get("weight"), values.get("reverse", False))


def _bfd(values: dict[str, Any], defaults: Defaults) -> BfdCheck:
    return BfdCheck(values["name"], _timing(values, defaults))


_SIMPLE: Final[dict[str, Callable[[dict[str, Any], Defaults], Checker]]] = {
    "TCP_CHECK": _tcp,
    "PING_CHECK": _ping,
    "DNS_CHECK": _dns,
    "UDP_CHECK": _udp,
    "FILE_CHECK": _file,
    "BFD_CHECK": _bfd,
}


def _smtp(draft: Draft, defaults: Defaults) -> list[SmtpCheck]:
    """Return one checker, and one more for each old ``host`` block; without words of its own the first takes over a host's."""
    values = draft.values
    helo = {"helo_name": values["helo_name"]} if "helo_name" in values else {}
    endpoints = [_endpoint(host.values, defaults) for host in draft.children]
    if not endpoints or any(name.startswith("endpoint.") for name in values):
        endpoints.insert(0, _endpoint(values, defaults))
    timing = _timing(values, defaults)
    return [SmtpCheck(endpoint, timing, **helo) for endpoint in endpoints]


def _misc(draft: Draft, defaults: Defaults, checks: ScriptChecks, reading: Reading) -> MiscCheck | None:
    values = draft.values
    script: Script = values["script"]
    user = values.get("user") or script.user or default_user(reading)
    if user is None:
        reading.report(codes.CHECK_SCRIPT, f"{script.argv[0]}: no user to run it as; the check is dropped", draft.line)
        return None
    allowed = checks.allowed(Script(script.argv, user), draft.place("script"), also_read=True)
    if allowed is None:
        return None
    timing = _timing(values, defaults, retry=0)
    return MiscCheck(allowed, timing, values.get("timeout", Micro(0)), values.get("dynamic", False))


def _http(draft: Draft, defaults: Defaults, reading: Reading, *, tls: bool) -> HttpCheck:
    values = draft.values
    get = values.get
    compliant = get("tls_compliant", False)
    return HttpCheck(
        _endpoint(values, defaults),
        _timing(values, defaults, pause=_THREE_SECONDS),
        tls,
        tuple(_url(url, reading, compliant=compliant) for url in draft.children),
        get("virtualhost", defaults.virtualhost),
        get("http_protocol", "1.0"),
        get("enable_sni", False),
        get("sni_name"),
        get("fast_recovery", False),
        compliant,
    )


def _url(draft: Draft, reading: Reading, *, compliant: bool) -> Url:
    get = draft.values.get
    return Url(
        draft.values["path"],
        get("digest"),
        tuple(get("status_codes", ())),
        get("virtualhost"),
        _regex(draft, reading),
        get("tls_compliant", compliant),
    )


def _regex(draft: Draft, reading: Reading) -> Regex | None:
    """Return the pattern with its options; options without a pattern, and offsets the wrong way round, are noted and dropped."""
    values = draft.values
    names = [name for name in values if name.startswith("regex.")]
    if not names:
        return None
    if "regex.pattern" not in values:
        reading.report(codes.IGNORED_VALUE, "options of a regex without a regex are ignored", draft.place(names[0]))
        return None
    low, high = values.get("regex.min_offset", 0), values.get("regex.max_offset")
    if high is not None and low > high:
        reading.report(
            codes.IGNORED_VALUE, "regex_min_offset is above regex_max_offset; both are ignored", draft.place("regex.min_offset")
        )
        low, high = 0, None
    return Regex(
        values["regex.pattern"],
        tuple(values.get("regex.options", ())),
        values.get("regex.no_match", False),
        low,
        high,
        values.get("regex.stack"),
    )
