"""What the parent tells its children, and what they answer."""

from dataclasses import dataclass

from keepalived_py.config.diff import LvsDelta
from keepalived_py.config.globals import GlobalDefs, LvsTimeouts
from keepalived_py.config.model import SslContext
from keepalived_py.config.tracking import Tracking
from keepalived_py.config.vrrp import Vrrp


@dataclass(frozen=True, slots=True)
class Reload:
    """Work by a new configuration from now on: the old one changed by `lvs`, and these globals."""

    globals: GlobalDefs
    lvs: LvsDelta
    ssl: SslContext | None = None


@dataclass(frozen=True, slots=True)
class VrrpReload:
    """The VRRP process is to work by this configuration from now on."""

    globals: GlobalDefs
    vrrp: Vrrp
    tracking: Tracking


@dataclass(frozen=True, slots=True)
class Running:
    """A child has done what it was started or reloaded with; `operations` counts netlink requests to IPVS."""

    operations: int


@dataclass(frozen=True, slots=True)
class FoundTimeouts:
    """The connection timeouts that the kernel had before ours, for whoever takes over from this process and stops in the end."""

    timeouts: LvsTimeouts


@dataclass(frozen=True, slots=True)
class Ending:
    """A child that was told to end gets on with it, and needs more time: a large table is not taken away in a moment."""


Message = Reload | VrrpReload | Running | FoundTimeouts | Ending
