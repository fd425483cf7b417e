"""The table of checkers: configuration type -> `kind.Kind`.

A check that cannot be run is a declared state, not a silent success: `absence` gives the sentence, the engine logs it once per
server, and the server is treated as if the check were not configured.
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
from keepalived_py.healthcheck.bfd import BfdKind
from keepalived_py.healthcheck.dns import DnsKind
from keepalived_py.healthcheck.file import FileKind
from keepalived_py.healthcheck.http import HttpKind
from keepalived_py.healthcheck.kind import Kind
from keepalived_py.healthcheck.misc import MiscKind
from keepalived_py.healthcheck.ping import PingKind
from keepalived_py.healthcheck.smtp import SmtpKind
from keepalived_py.healthcheck.tcp import TcpKind
from keepalived_py.healthcheck.udp import UdpKind

_KINDS: Final[Mapping[type[object], Kind[Any]]] = {
    TcpCheck: TcpKind(),
    HttpCheck: HttpKind(),
    SmtpCheck: SmtpKind(),
    DnsCheck: DnsKind(),
    UdpCheck: UdpKind(),
    PingCheck: PingKind(),
    MiscCheck: MiscKind(),
    FileCheck: FileKind(),
    BfdCheck: BfdKind(),
}


def kind_of(checker: Checker) -> Kind[Any]:
    """Return the row of a checker."""
    return _KINDS[type(checker)]


def supported(checker: Checker) -> bool:
    """Return whether the check can be run."""
    return absence(checker) is None


def absence(checker: Checker) -> str | None:
    """Return why the check is not run (``DNS_CHECK not run: ...``), or None when it is."""
    kind = kind_of(checker)
    unusable = kind.unusable(checker)
    return None if unusable is None else f"{kind.name(checker)} not run: {unusable}"
