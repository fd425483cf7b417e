"""The table of checkers: configuration type -> `kind.Kind`.

A type that is configured but has no row is a declared state, not a silent success: `absence` gives the sentence, the engine logs
it once per server, and the server is treated as if the check were not configured.
"""

from collections.abc import Mapping
from typing import Any, Final

from keepalived_py.config.checkers import (
    BfdCheck,
    Checker,
    DnsCheck,
    FileCheck,
    HttpCheck,
    MiscCheck,
    PingCheck,
    SmtpCheck,
    TcpCheck,
    UdpCheck,
)
from keepalived_py.healthcheck.http import HttpKind
from keepalived_py.healthcheck.kind import Kind
from keepalived_py.healthcheck.tcp import TcpKind

_KINDS: Final[Mapping[type[object], Kind[Any]]] = {
    TcpCheck: TcpKind(),
    HttpCheck: HttpKind(),
}

_NOT_YET: Final[Mapping[type[object], str]] = {
    SmtpCheck: "SMTP_CHECK",
    DnsCheck: "DNS_CHECK",
    UdpCheck: "UDP_CHECK",
    PingCheck: "PING_CHECK",
    MiscCheck: "MISC_CHECK",
    FileCheck: "FILE_CHECK",
    BfdCheck: "BFD_CHECK",
}


def kind_of(checker: Checker) -> Kind[Any]:
    """Return the row of a supported checker; `KeyError` for any other."""
    return _KINDS[type(checker)]


def supported(checker: Checker) -> bool:
    """Return whether this version can run the check."""
    return absence(checker) is None


def absence(checker: Checker) -> str | None:
    """Return why the check is not run (``TCP_CHECK not run: ...``), or None when it is."""
    kind = _KINDS.get(type(checker))
    if kind is None:
        name = _NOT_YET[type(checker)]
        return f"{name} not run: this version has no {name} yet"
    unusable = kind.unusable(checker)
    return None if unusable is None else f"{kind.name(checker)} not run: {unusable}"
