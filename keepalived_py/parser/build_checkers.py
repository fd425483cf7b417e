"""Checkers from their drafts: each with its endpoint and timing complete."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
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
    TlsOptions,
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
    """What a real server, or the virtual server around it, says for all checks; None leaves it to the type of the check."""

    connect_timeout: Micro
    delay_loop: Micro
    retry: int | None
    delay_before_retry: Micro | None
    warmup: Micro | None
    alpha: bool
    log_all_failures: bool
    virtualhost: str | None
    rise: int = 1
    fall: int = 1


@dataclass(frozen=True, slots=True)
class Around:
    """What a checker is built from besides its own draft."""

    address: Address
    port: int
    defaults: Defaults
    checks: ScriptChecks
    reading: Reading


def build_checkers(drafts: list[Draft], around: Around) -> tuple[Checker, ...]:
    """Return the checkers of one real server, in order; those that cannot run have been reported."""
    if len(drafts) == 1:
        return tuple(_BUILDERS[drafts[0].block.name](drafts[0], around))
    return tuple(checker for draft in drafts for checker in _BUILDERS[draft.block.name](draft, around))


_share_timing = lru_cache(maxsize=1024)(Timing)
"""Timings are few and checks are many: equal ones are one object."""


def _timing(values: dict[str, Any], defaults: Defaults, retry: int = 1, pause: Micro | None = _ONE_SECOND) -> Timing:
    """Return the timing: own words, else the real server's, else the type's (`pause` None: delay_loop)."""
    get = values.get
    loop = get("timing.delay_loop", defaults.delay_loop)
    own_pause = get("timing.delay_before_retry", defaults.delay_before_retry)
    own_retry = get("timing.retry", defaults.retry)
    warmup = get("timing.warmup", defaults.warmup)
    return _share_timing(
        loop,
        retry if own_retry is None else own_retry,
        own_pause if own_pause is not None else loop if pause is None else pause,
        loop if warmup is None else warmup,
        get("timing.alpha", defaults.alpha),
        get("timing.log_all_failures", defaults.log_all_failures),
        get("timing.rise", defaults.rise),
        get("timing.fall", defaults.fall),
    )


def _endpoint(values: dict[str, Any], around: Around) -> Endpoint:
    get = values.get
    return Endpoint(
        get("endpoint.address", around.address),
        get("endpoint.port", around.port),
        get("endpoint.bindto"),
        get("endpoint.bind_port", 0),
        get("endpoint.bind_if"),
        get("endpoint.fwmark", 0),
        get("endpoint.connect_timeout", around.defaults.connect_timeout),
    )


def _tcp(draft: Draft, around: Around) -> list[Checker]:
    return [TcpCheck(_endpoint(draft.values, around), _timing(draft.values, around.defaults))]


def _ping(draft: Draft, around: Around) -> list[Checker]:
    return [PingCheck(_endpoint(draft.values, around), _timing(draft.values, around.defaults))]


def _dns(draft: Draft, around: Around) -> list[Checker]:
    values = draft.values
    timing = _timing(values, around.defaults, retry=3, pause=None)
    return [DnsCheck(_endpoint(values, around), timing, values.get("type", "SOA"), values.get("name", ""))]


def _udp(draft: Draft, around: Around) -> list[Checker]:
    get = draft.values.get
    check = UdpCheck(
        _endpoint(draft.values, around),
        _timing(draft.values, around.defaults),
        get("payload", b""),
        get("require_reply", False),
        get("reply", b""),
        get("reply_mask", b""),
        get("min_reply_length", 0),
        get("max_reply_length", 255),
    )
    return [check]


def _file(draft: Draft, around: Around) -> list[Checker]:
    """Return the check with the path of its file, and with the file's own weight where it has none."""
    values = draft.values
    name = values["track_file"]
    root = draft
    while root.parent is not None:
        root = root.parent
    file = next((file for file in root.values.get("tracking.files", ()) if file.name == name), None)
    if file is None:  # dropped since it was named, and reported then
        return []
    weight, reverse = (values["weight"], values["reverse"]) if "weight" in values else (file.weight, file.reverse)
    return [FileCheck(name, _timing(values, around.defaults), weight, reverse, file.path)]


def _bfd(draft: Draft, around: Around) -> list[Checker]:
    return [BfdCheck(draft.values["name"], _timing(draft.values, around.defaults))]


def _smtp(draft: Draft, around: Around) -> list[Checker]:
    """Return one checker, and one more for each old ``host`` block; without words of its own the first takes over a host's."""
    values = draft.values
    helo = {"helo_name": values["helo_name"]} if "helo_name" in values else {}
    endpoints = [_smtp_endpoint(host, around) for host in draft.children]
    if not endpoints or any(name.startswith("endpoint.") for name in values):
        endpoints.insert(0, _smtp_endpoint(draft, around))
    timing = _timing(values, around.defaults)
    return [SmtpCheck(endpoint, timing, **helo) for endpoint in endpoints]


def _smtp_endpoint(draft: Draft, around: Around) -> Endpoint:
    """Return the connection of a mail server, whose `bindto` is looked at only here, as the reference does not do at its line."""
    made = _endpoint(draft.values, around)
    if made.bindto is None or made.bindto.family is made.address.family:
        return made
    text = f"bindto {made.bindto} is not of the family of {made.address}; it is ignored"
    around.reading.report(codes.IGNORED_VALUE, text, draft.place("endpoint.bindto"), "bindto")
    return replace(made, bindto=None)


def _misc(draft: Draft, around: Around) -> list[Checker]:
    values = draft.values
    script: Script = values["script"]
    user = values.get("script.user") or script.user or default_user(around.reading)
    if user is None:
        around.reading.report(codes.CHECK_SCRIPT, f"{script.argv[0]}: no user to run it as; the check is dropped", draft.line)
        return []
    allowed = around.checks.allowed(Script(script.argv, user), draft.place("script"), also_read=True)
    if allowed is None:
        return []
    timing = _timing(values, around.defaults, retry=0)
    return [MiscCheck(allowed, timing, values.get("timeout", Micro(0)), values.get("dynamic", False))]


def _http(draft: Draft, around: Around) -> list[Checker]:
    values = draft.values
    get = values.get
    compliant = get("tls_compliant", False)
    check = HttpCheck(
        _endpoint(values, around),
        _timing(values, around.defaults, pause=_THREE_SECONDS),
        draft.block.name == "SSL_GET",
        tuple([_url(url, around.reading, compliant=compliant) for url in draft.children]),
        get("virtualhost", around.defaults.virtualhost),
        get("http_protocol", "1.0"),
        get("enable_sni", False),
        get("sni_name"),
        get("fast_recovery", False),
        compliant,
        _tls_options(values),
    )
    return [check]


_NO_TLS_OPTIONS: Final = TlsOptions()


def _tls_options(values: dict[str, Any]) -> TlsOptions:
    """Return the words about certificates; most checks have none."""
    get = values.get
    options = (get("ssl.verify", False), get("ssl.ca"), get("ssl.certificate"), get("ssl.key"))
    return TlsOptions(*options) if any(options) else _NO_TLS_OPTIONS


def _url(draft: Draft, reading: Reading, *, compliant: bool) -> Url:
    get = draft.values.get
    return Url(
        draft.values["path"],
        get("digest"),
        tuple(get("status_codes", ())),
        get("virtualhost"),
        _regex(draft, reading),
        get("tls_compliant", compliant),
        get("method", "GET"),
        tuple(get("headers", ())),
        get("body"),
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


_BUILDERS: Final[dict[str, Callable[[Draft, Around], list[Checker]]]] = {
    "TCP_CHECK": _tcp,
    "HTTP_GET": _http,
    "SSL_GET": _http,
    "SMTP_CHECK": _smtp,
    "DNS_CHECK": _dns,
    "UDP_CHECK": _udp,
    "PING_CHECK": _ping,
    "MISC_CHECK": _misc,
    "FILE_CHECK": _file,
    "BFD_CHECK": _bfd,
}
