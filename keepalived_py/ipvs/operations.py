"""Requests to the kernel as values, and what its refusals mean.

A list of these is what a plan is, what a trace records and what a test compares.  No bytes and no decisions about order.
"""

import errno
from dataclasses import dataclass
from typing import ClassVar

from keepalived_py.addresses import Address
from keepalived_py.config.globals import LvsTimeouts
from keepalived_py.ipvs.attributes import Command
from keepalived_py.ipvs.fullnat_attributes import FullnatCommand
from keepalived_py.ipvs.table import Destination, DestinationKey, Service, ServiceKey, SyncDaemon
from keepalived_py.units import Seconds


@dataclass(frozen=True, slots=True)
class NewService:
    """Add a service; EEXIST if its key is taken."""

    command: ClassVar[Command] = Command.NEW_SERVICE
    service: Service

    @property
    def subject(self) -> str:
        """The service's key."""
        return str(self.service.key)


@dataclass(frozen=True, slots=True)
class SetService:
    """Give a service these attributes; ESRCH if there is none with its key.  Destinations and connections stay."""

    command: ClassVar[Command] = Command.SET_SERVICE
    service: Service

    @property
    def subject(self) -> str:
        """The service's key."""
        return str(self.service.key)


@dataclass(frozen=True, slots=True)
class DelService:
    """Remove a service and every destination in it; ESRCH if there is none."""

    command: ClassVar[Command] = Command.DEL_SERVICE
    service: ServiceKey

    @property
    def subject(self) -> str:
        """The service's key."""
        return str(self.service)


@dataclass(frozen=True, slots=True)
class NewDestination:
    """Add a destination to a service; EEXIST if its key is taken, ESRCH if there is no such service."""

    command: ClassVar[Command] = Command.NEW_DEST
    service: ServiceKey
    destination: Destination

    @property
    def subject(self) -> str:
        """Service and destination."""
        return f"{self.service} -> {self.destination.key}"


@dataclass(frozen=True, slots=True)
class SetDestination:
    """Give a destination these attributes; ENOENT if there is none with its key.  Connections and counters stay."""

    command: ClassVar[Command] = Command.SET_DEST
    service: ServiceKey
    destination: Destination

    @property
    def subject(self) -> str:
        """Service and destination."""
        return f"{self.service} -> {self.destination.key}"


@dataclass(frozen=True, slots=True)
class DelDestination:
    """Remove a destination from a service; ENOENT if there is none."""

    command: ClassVar[Command] = Command.DEL_DEST
    service: ServiceKey
    destination: DestinationKey

    @property
    def subject(self) -> str:
        """Service and destination."""
        return f"{self.service} -> {self.destination}"


@dataclass(frozen=True, slots=True)
class Flush:
    """Remove every service of the network namespace, whoever made it."""

    command: ClassVar[Command] = Command.FLUSH
    subject: ClassVar[str] = ""


@dataclass(frozen=True, slots=True)
class Zero:
    """Set counters to zero: of one service with its destinations, or (None) of all and of the totals."""

    command: ClassVar[Command] = Command.ZERO
    service: ServiceKey | None = None

    @property
    def subject(self) -> str:
        """The service's key, empty for all."""
        return "" if self.service is None else str(self.service)


@dataclass(frozen=True, slots=True)
class SetTimeouts:
    """Set the connection timeouts; 0 keeps what the kernel has (ip_vs_set_timeout)."""

    command: ClassVar[Command] = Command.SET_CONFIG
    timeouts: LvsTimeouts

    @property
    def subject(self) -> str:
        """The three timeouts in seconds, in ``ipvsadm --set`` order."""
        return f"tcp {self.timeouts.tcp} tcpfin {self.timeouts.tcpfin} udp {self.timeouts.udp}"


@dataclass(frozen=True, slots=True)
class NewDaemon:
    """Start a sync thread; EEXIST if it runs already, EINVAL while a tunnelled destination has a family of its own."""

    command: ClassVar[Command] = Command.NEW_DAEMON
    daemon: SyncDaemon

    @property
    def subject(self) -> str:
        """Which thread, and where."""
        return f"{'master' if self.daemon.master else 'backup'} {self.daemon.interface}"


@dataclass(frozen=True, slots=True)
class DelDaemon:
    """Stop the master or the backup sync thread; ESRCH if it does not run."""

    command: ClassVar[Command] = Command.DEL_DAEMON
    master: bool

    @property
    def subject(self) -> str:
        """Which thread."""
        return "master" if self.master else "backup"


@dataclass(frozen=True, slots=True)
class NewLocalAddress:
    """Give a service a local address for FULLNAT; EEXIST if it has it, ESRCH if there is no such service."""

    command: ClassVar[FullnatCommand] = FullnatCommand.NEW_LADDR
    service: ServiceKey
    address: Address

    @property
    def subject(self) -> str:
        """Service and local address."""
        return f"{self.service} via {self.address}"


@dataclass(frozen=True, slots=True)
class DelLocalAddress:
    """Take a local address from a service; ENOENT if it does not have it.  Sessions that use it go on."""

    command: ClassVar[FullnatCommand] = FullnatCommand.DEL_LADDR
    service: ServiceKey
    address: Address

    @property
    def subject(self) -> str:
        """Service and local address."""
        return f"{self.service} via {self.address}"


@dataclass(frozen=True, slots=True)
class SetEstTimeout:
    """Let established FULLNAT sessions of a service that begin from now on idle for so long; 0: as long as everywhere."""

    command: ClassVar[FullnatCommand] = FullnatCommand.SET_SERVICE
    service: ServiceKey
    seconds: Seconds

    @property
    def subject(self) -> str:
        """The service's key."""
        return str(self.service)


FullnatOperation = NewLocalAddress | DelLocalAddress | SetEstTimeout
"""Requests of the family IPVS_FNAT; all others are the kernel's own family's."""

StockOperation = (
    NewService
    | SetService
    | DelService
    | NewDestination
    | SetDestination
    | DelDestination
    | Flush
    | Zero
    | SetTimeouts
    | NewDaemon
    | DelDaemon
)
"""Requests of the kernel's own family IPVS."""

Operation = StockOperation | FullnatOperation


def is_moot(operation: Operation, error: int) -> bool:
    """Whether a refusal says that what was asked for is so already, as when something to be removed was not there."""
    match operation:
        case DelService() | DelDestination() | DelDaemon() | DelLocalAddress():
            return error in (errno.ENOENT, errno.ESRCH)
        case NewLocalAddress():
            return error == errno.EEXIST
        case _:
            return False


def instead(operation: Operation, error: int) -> Operation | None:
    """Return the request that gets what a refused one was after, where somebody else changed the table under us.

    A service that turned out to exist may hold destinations that nobody has seen: dump and plan again after that.
    """
    match operation:
        case NewService(service) if error == errno.EEXIST:
            return SetService(service)
        case SetService(service) if error == errno.ESRCH:
            return NewService(service)
        case NewDestination(service, destination) if error == errno.EEXIST:
            return SetDestination(service, destination)
        case SetDestination(service, destination) if error == errno.ENOENT:
            return NewDestination(service, destination)
        case _:
            return None


_MEANING: dict[tuple[type[Operation], int], str] = {
    (NewService, errno.ENOENT): "the kernel has no such scheduler or persistence engine (is its ip_vs_* module installed?)",
    (SetService, errno.ENOENT): "the kernel has no such scheduler or persistence engine (is its ip_vs_* module installed?)",
    (NewService, errno.EEXIST): "somebody else added it meanwhile",
    (NewDestination, errno.EEXIST): "somebody else added it meanwhile",
    (NewDestination, errno.ESRCH): "its virtual service is gone",
    (SetDestination, errno.ESRCH): "its virtual service is gone",
    (DelDestination, errno.ESRCH): "its virtual service is gone",
    (NewDestination, errno.ERANGE): "weight or thresholds out of range (lthreshold above uthreshold?)",
    (SetDestination, errno.ERANGE): "weight or thresholds out of range (lthreshold above uthreshold?)",
    (NewDestination, errno.EINVAL): "not a usable unicast address, or of another family than the service without being tunnelled",
    (NewDestination, errno.EPROTONOSUPPORT): "FULLNAT serves TCP and UDP only",
    (SetDestination, errno.EPROTONOSUPPORT): "FULLNAT serves TCP and UDP only",
    (NewDestination, errno.EADDRNOTAVAIL): "FULLNAT cannot forward to an address of this host",
    (SetDestination, errno.EADDRNOTAVAIL): "FULLNAT cannot forward to an address of this host",
    (NewLocalAddress, errno.ESRCH): "its virtual service is gone",
    (NewLocalAddress, errno.EADDRNOTAVAIL): "not a usable unicast address",
    (SetEstTimeout, errno.ESRCH): "its virtual service is gone",
    (NewDaemon, errno.EINVAL): "bad multicast group, or a destination of another family than its service (cannot be synchronised)",
    (NewDaemon, errno.ENODEV): "no such interface",
}


def meaning(operation: Operation, error: int) -> str | None:
    """Say in words what `error` means for this operation where the errno alone misleads; None where it does not."""
    if error == errno.EAFNOSUPPORT:
        return "this kernel has no IPv6 for IPVS, or it is switched off"
    return _MEANING.get((type(operation), error))
