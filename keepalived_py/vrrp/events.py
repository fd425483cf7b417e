"""What the engine is told.

Facts about the host (interfaces, addresses, files, processes, BFD) may come at any time; those that hold at start come in one
`Batch` *before* `Started`, so that no instance starts on a guess.  A shell that wakes up hands over everything that its sockets
hold before it sends `TimerFired`: an advert that has arrived must count before the silence that it ends.
"""

from dataclasses import dataclass, field

from keepalived_py.addresses import Address
from keepalived_py.config.globals import GlobalDefs
from keepalived_py.config.routing import Route, Rule
from keepalived_py.config.tracking import Tracking
from keepalived_py.config.vrrp import Vrrp
from keepalived_py.units import Micro
from keepalived_py.vrrp.channel import Channel

# Life of the process --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Options of keepalived(8) that change what the engine does.

    `log_detail`: ``-D`` was given.  `dont_release_vrrp`: ``-V``, addresses, routes and rules outlive the process.  `release_vips`:
    ``-X``; an instance that leaves MASTER always removes its addresses here, whether or not it was given.
    """

    log_detail: bool = False
    dont_release_vrrp: bool = False
    release_vips: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """The process starts.  `uptime`: how long the host has been up (for ``vrrp_delay_after_boot``)."""

    vrrp: Vrrp
    tracking: Tracking = field(default=Tracking())
    globals: GlobalDefs = GlobalDefs()
    command_line: CommandLine = CommandLine()
    uptime: Micro = Micro(0)


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The configuration has been replaced.  Facts about files and processes that are new in it come before this, in the batch."""

    vrrp: Vrrp
    tracking: Tracking = field(default=Tracking())
    globals: GlobalDefs = GlobalDefs()
    uptime: Micro = Micro(0)


@dataclass(frozen=True, slots=True)
class Stopping:
    """The process stops in an orderly way.  What follows is ignored; `deadline()` is None from here on."""


@dataclass(frozen=True, slots=True)
class StatisticsCleared:
    """An operator wants all counters to start from zero (SIGRTMAX-1)."""


# Time -----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The engine's deadline has come."""


@dataclass(frozen=True, slots=True)
class OwnLag:
    """The process itself did not run for `paused` (stopped, swapped out, a virtual machine suspended) and runs again now.

    Comes first, before the packets that have piled up.  The engine notices by itself when its own deadline is overdue, so this is
    for a shell that can tell a pause that no deadline fell into.
    """

    paused: Micro


@dataclass(frozen=True, slots=True)
class WallClock:
    """Wall clock time minus the monotonic clock: wanted before `Started`, and whenever it has changed by a millisecond or more.

    HMAC trailers carry wall clock time; without this event they are stamped as if the monotonic clock counted from 1970.
    """

    offset: Micro


# Packets --------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AdvertReceived:
    """A packet from a channel, as the kernel handed it over: with its IP header for IPv4, without for IPv6.

    `destination` and `hop_limit` come from ancillary data; None where there was none (for IPv4 the header is looked at instead).
    """

    channel: Channel
    source: Address
    packet: bytes
    destination: Address | None = None
    hop_limit: int | None = None


# The host -------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface as it is now.

    `up`: administratively up, running, and alive by link polling where that is configured.  `arp` False: it speaks neither ARP nor
    neighbour discovery (IFF_NOARP).  `base`: the interface that a macvlan or ipvlan sits on, if it is in this network namespace.
    """

    name: str
    index: int
    up: bool
    mtu: int = 1500
    mac: bytes = b""
    arp: bool = True
    base: str | None = None


@dataclass(frozen=True, slots=True)
class InterfaceChanged:
    """An interface appeared, or something about it changed."""

    interface: Interface


@dataclass(frozen=True, slots=True)
class InterfaceGone:
    """An interface was deleted.  One that was renamed goes under its old name and comes (`InterfaceChanged`) under the new one."""

    name: str


@dataclass(frozen=True, slots=True)
class AddressAdded:
    """An address was added to an interface and is usable (not tentative)."""

    interface: str
    address: Address
    prefix_length: int


@dataclass(frozen=True, slots=True)
class AddressRemoved:
    """Somebody else removed an address from an interface.

    Never sent for what the daemon asked for itself: a notification that carries the port id of our own request is dropped, else an
    address that was removed and put back at once would look lost.
    """

    interface: str
    address: Address
    prefix_length: int


@dataclass(frozen=True, slots=True)
class RouteLost:
    """Somebody else deleted a route that `AddRoutes` put there for `instance` (None: a static one)."""

    instance: str | None
    route: Route


@dataclass(frozen=True, slots=True)
class RuleLost:
    """Somebody else deleted a rule that `AddRules` put there for `instance` (None: a static one)."""

    instance: str | None
    rule: Rule


# What is tracked ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ScriptDone:
    """The program that `StartScript` started has ended.

    `status`: exit status, or None when it was killed by `signal`; both None when it could not be started.  `timed_out`: it was told
    to end because it ran too long.  `output`: what it wrote last, for the explanation (a few hundred bytes at most).
    """

    name: str
    status: int | None
    signal: int | None = None
    timed_out: bool = False
    output: str = ""


@dataclass(frozen=True, slots=True)
class ProcessCount:
    """How many processes match the ``vrrp_track_process`` of this name now."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class FileContent:
    """The number in the ``track_file`` of this name; 0 when the file is missing, empty or holds no number."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class BfdState:
    """Whether the BFD session of this name is up."""

    name: str
    up: bool


Single = (
    Started
    | Reloaded
    | Stopping
    | StatisticsCleared
    | TimerFired
    | OwnLag
    | WallClock
    | AdvertReceived
    | InterfaceChanged
    | InterfaceGone
    | AddressAdded
    | AddressRemoved
    | RouteLost
    | RuleLost
    | ScriptDone
    | ProcessCount
    | FileContent
    | BfdState
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Several events at one instant, taken in order."""

    events: tuple[Single, ...]


Event = Single | Batch
