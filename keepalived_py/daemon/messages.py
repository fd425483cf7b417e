"""What the parent tells the checker process, and what it answers."""

from dataclasses import dataclass

from keepalived_py.config.diff import LvsDelta
from keepalived_py.config.globals import GlobalDefs, LvsTimeouts
from keepalived_py.config.model import SslContext


@dataclass(frozen=True, slots=True)
class Reload:
    """Work by a new configuration from now on: the old one changed by `lvs`, and these globals."""

    globals: GlobalDefs
    lvs: LvsDelta
    ssl: SslContext | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """The checker process has programmed what it was started or reloaded with; `operations` counts netlink requests."""

    operations: int


@dataclass(frozen=True, slots=True)
class FoundTimeouts:
    """The connection timeouts that the kernel had before ours, for whoever takes over from this process and stops in the end."""

    timeouts: LvsTimeouts


Message = Reload | Running | FoundTimeouts
