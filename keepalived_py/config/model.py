"""The whole configuration as one value."""

from dataclasses import dataclass

from keepalived_py.config.bfd import Bfd
from keepalived_py.config.globals import GlobalDefs
from keepalived_py.config.lvs import Lvs
from keepalived_py.config.tracking import Tracking
from keepalived_py.config.vrrp import Vrrp


@dataclass(frozen=True, slots=True)
class SslContext:
    """The root `SSL` block: files for every SSL_GET that names none of its own."""

    password: str | None = None
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration: compared by value at reload, shipped to each process slice by slice."""

    globals: GlobalDefs = GlobalDefs()
    lvs: Lvs = Lvs()
    ssl: SslContext | None = None
    vrrp: Vrrp = Vrrp()
    tracking: Tracking = Tracking()
    bfd: Bfd = Bfd()
