"""What the engine wants done: frozen values, carried out in order by the host side.

The order within one `handle` call is keepalived's.  To MASTER: advert, firewall, addresses, routes, rules, gratuitous ARPs and
neighbour advertisements, scripts, FIFO, trap, mail, IPVS sync daemon.  Leaving MASTER: IPVS sync daemon, advert of priority 0 (to
FAULT, at a stop and when an address was taken away), rules, routes, addresses, firewall, scripts, FIFO, trap, mail.

Failures are the host side's to log; whatever follows from one comes back as an event (an interface that does not appear, an address
that is lost), never as an answer to an action.
"""

import enum
from dataclasses import dataclass

from keepalived_py.addresses import Address, Family
from keepalived_py.config.routing import Route, Rule, VirtualAddress
from keepalived_py.config.scripts import Script
from keepalived_py.config.vrrp import Ipvlan
from keepalived_py.units import Micro
from keepalived_py.vrrp.channel import Channel, Filter

# Packets --------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenChannel:
    """Open the sockets of a channel, or change filter and buffer of those that are open.

    `receive_buffer`: SO_RCVBUF in bytes, None for the kernel's default.  Sent when the channel's interface is there, again when it
    came back.
    """

    channel: Channel
    filter: Filter
    receive_buffer: int | None = None


@dataclass(frozen=True, slots=True)
class CloseChannel:
    """Leave the group and close the sockets of a channel."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class SendAdvert:
    """Send one packet, unchanged, through the channel's sending socket.

    `packet` starts with the IP header for IPv4 (the kernel fills in its checksum and nothing else).  For IPv6 it is the VRRP part:
    `source` and the interface go into IPV6_PKTINFO, `hop_limit` (None: the socket's 255) into IPV6_HOPLIMIT, the traffic class is
    0xc0.  A failure is not worth a line when `priority` is 0 and the interface is down.
    """

    instance: str
    channel: Channel
    source: Address
    destination: Address
    packet: bytes
    priority: int
    hop_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An address and the interface whose hardware address is to be announced for it, on that interface."""

    interface: str
    address: Address


@dataclass(frozen=True, slots=True)
class SendGratuitous:
    """Broadcast a gratuitous ARP request (IPv4) or an unsolicited neighbour advertisement (IPv6) for each target.

    All targets once, then all of them again, `repeat` times in all and without a pause: the engine paces by sending less at a time.
    """

    instance: str
    targets: tuple[Neighbour, ...]
    repeat: int = 1


# Addresses, routes, rules, firewall -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Placed:
    """An address and the interface that it goes on (a VMAC's own name, where it goes on a VMAC)."""

    interface: str
    address: VirtualAddress


@dataclass(frozen=True, slots=True)
class AddAddresses:
    """Add addresses, in order and in one batch.  One that is there already is used as it is.  `instance` None: static ones."""

    instance: str | None
    addresses: tuple[Placed, ...]


@dataclass(frozen=True, slots=True)
class RemoveAddresses:
    """Remove addresses that the daemon added, in order and in one batch.

    `leftovers`: at start, those that a run which was killed may have left; the host side removes the ones that its record says were
    ours, and keeps any that somebody else configured.  The same word is in `RemoveRoutes` and `RemoveRules`.
    """

    instance: str | None
    addresses: tuple[Placed, ...]
    leftovers: bool = False


@dataclass(frozen=True, slots=True)
class AddRoutes:
    """Add routes, in order.  A route without an interface of its own is left to the kernel to place."""

    instance: str | None
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class RemoveRoutes:
    """Remove routes that the daemon added, in order."""

    instance: str | None
    routes: tuple[Route, ...]
    leftovers: bool = False


@dataclass(frozen=True, slots=True)
class AddRules:
    """Add rules, in order."""

    instance: str | None
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class RemoveRules:
    """Remove rules that the daemon added, in order."""

    instance: str | None
    rules: tuple[Rule, ...]
    leftovers: bool = False


@dataclass(frozen=True, slots=True)
class BlockAddresses:
    """Drop packets to these addresses (``no_accept``), but for neighbour discovery, until `UnblockAddresses` names them."""

    instance: str
    addresses: tuple[Placed, ...]


@dataclass(frozen=True, slots=True)
class UnblockAddresses:
    """Undo `BlockAddresses`."""

    instance: str
    addresses: tuple[Placed, ...]


# Interfaces -----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AddVmac:
    """Make a private macvlan `name` on `base`, up, with the sysctls that it and its base need (kept until the last one goes).

    `link_local`: the IPv6 address to give it, None: none for an IPv4 instance, else one made from the base's hardware address.
    `xmit_base`: adverts do not leave from it.  When it exists, `InterfaceChanged` says so, as for any other interface.
    """

    name: str
    base: str
    family: Family
    mac: bytes
    group: int | None = None
    link_local: Address | None = None
    xmit_base: bool = False
    netlink_notify: bool = False


@dataclass(frozen=True, slots=True)
class AddIpvlan:
    """Make an L2 ipvlan `name` on `base`, up, with the address of `config` on it."""

    name: str
    base: str
    family: Family
    config: Ipvlan


@dataclass(frozen=True, slots=True)
class RemoveInterface:
    """Delete a VMAC or ipvlan that the daemon made, and restore the sysctls of its base if it was the last one there."""

    name: str


@dataclass(frozen=True, slots=True)
class PromoteSecondaries:
    """Set (or, `on` False, restore) the sysctl promote_secondaries of an interface."""

    interface: str
    on: bool


# Scripts, FIFO, log, mail, SNMP, IPVS ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartScript:
    """Run the ``vrrp_script`` called `name` and answer with `ScriptDone`.

    After `timeout` it gets SIGTERM, 2 s later SIGKILL.  A command ``</path`` is no program: the file's number is the exit status.
    """

    name: str
    script: Script
    timeout: Micro


@dataclass(frozen=True, slots=True)
class CancelScript:
    """End the run of a ``vrrp_script`` that is no longer wanted; no answer is expected."""

    name: str


@dataclass(frozen=True, slots=True)
class RunScript:
    """Run a notification program and do not wait; `extra_args` follow the configured words.  `time_limit` is set at a stop."""

    script: Script
    extra_args: tuple[str, ...]
    why: str
    time_limit: Micro | None = None


@dataclass(frozen=True, slots=True)
class FifoLine:
    """Bytes for the global and the VRRP notify FIFO: a line with its newline."""

    text: bytes


class Level(enum.IntEnum):
    """Severity of a log line, with syslog's number."""

    ERROR = 3
    WARNING = 4
    INFO = 6


@dataclass(frozen=True, slots=True)
class Log:
    """A line for the log."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Alert:
    """A mail: `subject` lacks the ``[router_id] `` that the sender puts before it."""

    subject: str
    body: str


class TrapKind(enum.Enum):
    """What a trap is about."""

    INSTANCE = "vrrp instance state (KEEPALIVED-MIB), and the D-Bus signal before it"
    GROUP = "sync group state (KEEPALIVED-MIB)"
    NEW_MASTER = "new master (VRRP-MIB, VRRPv3-MIB)"
    AUTHENTICATION = "authentication failure (VRRP-MIB)"
    PROTOCOL = "protocol error (VRRPv3-MIB)"


@dataclass(frozen=True, slots=True)
class Trap:
    """Something that SNMP managers and D-Bus listeners are told; which of them is up to the host side's settings.

    `name`: of the instance or the group.  `state`: the state that it is in now, as notify scripts spell it.  `detail`: for
    AUTHENTICATION and PROTOCOL the reason as the MIB names it, for NEW_MASTER why (``priority``, ``preempted``,
    ``masterNoResponse``).  `source`: the sender of the packet that is complained of.
    """

    kind: TrapKind
    name: str
    state: str
    priority: int = 0
    detail: str = ""
    source: Address | None = None


class SyncRole(enum.Enum):
    """Which thread of the IPVS connection synchronisation daemon runs."""

    MASTER = "master"
    BACKUP = "backup"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class LvsSyncState:
    """The instance that the IPVS sync daemon follows has changed its role (``lvs_sync_daemon`` of `GlobalDefs`)."""

    instance: str
    role: SyncRole


Action = (
    OpenChannel
    | CloseChannel
    | SendAdvert
    | SendGratuitous
    | AddAddresses
    | RemoveAddresses
    | AddRoutes
    | RemoveRoutes
    | AddRules
    | RemoveRules
    | BlockAddresses
    | UnblockAddresses
    | AddVmac
    | AddIpvlan
    | RemoveInterface
    | PromoteSecondaries
    | StartScript
    | CancelScript
    | RunScript
    | FifoLine
    | Log
    | Alert
    | Trap
    | LvsSyncState
)
