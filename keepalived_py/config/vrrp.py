"""VRRP instances and sync groups (RFC 9568 version 3, RFC 3768 version 2), complete: an engine never asks "and if unset?".

What `global_defs` or a sync group would have set is resolved, what strict mode demands is applied, and what cannot work has become
an entry of `VrrpInstance.faults`.  Only facts that change while the daemon runs (addresses and state of interfaces) are missing.
"""

import enum
from dataclasses import dataclass, field

from keepalived_py.addresses import Address, Family
from keepalived_py.config.routing import Route, Rule, VirtualAddress
from keepalived_py.config.scripts import Script
from keepalived_py.config.tracking import Tracked
from keepalived_py.units import Micro, Seconds, micro

OWNER_PRIORITY = 255
"""Priority of the address owner (RFC 9568 section 5.2.4)."""

DEFAULT_PRIORITY = 100

MAX_ADDRESSES = 255
"""Most addresses in one advert (the count is one byte, RFC 9568 section 5.2.5)."""


class InitialState(enum.Enum):
    """The state that an instance wants to start in."""

    MASTER = "MASTER"
    BACKUP = "BACKUP"


@dataclass(frozen=True, slots=True)
class Vmac:
    """A macvlan interface that carries the virtual router's MAC address (``use_vmac``).

    `name` None: made up when the interface is created, from `GlobalDefs.vmac_prefix` and the virtual router id.  `mac` None: the
    address of RFC 9568 section 7.3.  `group`: interface group.
    """

    name: str | None = None
    mac: bytes | None = None
    group: int | None = None
    netlink_notify: bool = False


class IpvlanMode(enum.IntEnum):
    """Flags of an L2 ipvlan (``IPVLAN_F_*`` of linux/if_link.h)."""

    BRIDGE = 0
    PRIVATE = 1
    VEPA = 2


@dataclass(frozen=True, slots=True)
class Ipvlan:
    """An ipvlan interface for the instance (``use_ipvlan``); IPv4 needs `address`, which is also the source of adverts."""

    name: str | None = None
    address: Address | None = None
    prefix_length: int = 32
    mode: IpvlanMode = IpvlanMode.BRIDGE
    group: int | None = None


@dataclass(frozen=True, slots=True)
class UnicastPeer:
    """A router that adverts are sent to and taken from; adverts with a TTL outside `min_ttl`..`max_ttl` are dropped."""

    address: Address
    min_ttl: int = 0
    max_ttl: int = 255


class ChecksumCompat(enum.Enum):
    """Whether VRRPv3 unicast checksums are made over the multicast group, as keepalived before 1.3.6 did."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class AuthType(enum.Enum):
    """Authentication of VRRPv2 (RFC 2338 section 5.3.6)."""

    PASS = 1
    AH = 2


@dataclass(frozen=True, slots=True)
class Authentication:
    """VRRPv2 authentication; `password` has at most 8 bytes."""

    type: AuthType
    password: bytes = field(repr=False)


class AntiReplay(enum.Enum):
    """What the counter in an HMAC trailer is."""

    TIME = "time"
    MONOTONIC = "monotonic"


class HmacMode(enum.Enum):
    """What happens to adverts without a valid HMAC trailer, and whether one is sent."""

    ENFORCE = "enforce"
    PERMISSIVE = "permissive"
    RECEIVE_ONLY = "receive-only"


@dataclass(frozen=True, slots=True)
class HmacKey:
    """A key of 32 to 64 bytes."""

    id: int
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HmacAuthentication:
    """An HMAC trailer behind each advert (``auth_hmac``); `time_window` counts for `AntiReplay.TIME`."""

    keys: tuple[HmacKey, ...]
    active_key: int
    time_window: Seconds = Seconds(5)
    anti_replay: AntiReplay = AntiReplay.TIME
    mode: HmacMode = HmacMode.ENFORCE


@dataclass(frozen=True, slots=True)
class Garp:
    """Gratuitous ARP and unsolicited neighbour advertisements of an instance.

    A second block of `master_repeat` follows `master_delay` after the first (0: none), further ones of `master_refresh_repeat`
    every `master_refresh` (0: none).  The lower_prio pair answers an advert of lower priority.  `extra_if`: period on VMACs of
    addresses on other interfaces, with `extra_if_all` on those interfaces too (0: none).
    """

    master_delay: Seconds = Seconds(5)
    master_repeat: int = 5
    master_refresh: Seconds = Seconds(0)
    master_refresh_repeat: int = 1
    lower_prio_delay: Seconds = Seconds(5)
    lower_prio_repeat: int = 5
    extra_if: Seconds = Seconds(0)
    extra_if_all: bool = False


@dataclass(frozen=True, slots=True)
class DeletedNotice:
    """A reload that removes the instance reports DELETED rather than FAULT; `script` runs then, where there is one."""

    script: Script | None = None


@dataclass(frozen=True, slots=True)
class Notify:
    """Programs that run when the state changes; `any` runs for each change, with four words appended."""

    backup: Script | None = None
    master: Script | None = None
    fault: Script | None = None
    stop: Script | None = None
    any: Script | None = None
    deleted: DeletedNotice | None = None
    master_rx_lower_pri: Script | None = None


@dataclass(frozen=True, slots=True)
class TrackLists:
    """What an instance or a sync group watches."""

    interfaces: tuple[Tracked, ...] = ()
    scripts: tuple[Tracked, ...] = ()
    files: tuple[Tracked, ...] = ()
    processes: tuple[Tracked, ...] = ()
    bfd: tuple[Tracked, ...] = ()


@dataclass(frozen=True, slots=True)
class VrrpInstance:
    """A virtual router.

    `interface` None: unicast from `source_address`, where the routing table says.  `source_address` None: the interface's first
    address of the family.  `multicast_group` None: adverts go to `unicast_peers`.  `unicast_ttl` None: the kernel's default.
    `timer_expired_backup`: highest priority of the other routers, which arms the rule of that name; 0: off.  `faults`: reasons why
    the instance may never leave FAULT with this configuration.
    """

    name: str
    virtual_router_id: int
    family: Family = Family.INET
    version: int = 2
    interface: str | None = None
    vrf: str | None = None
    vmac: Vmac | None = None
    vmac_addresses: bool = False
    vmac_xmit_base: bool = False
    ipvlan: Ipvlan | None = None
    state: InitialState = InitialState.BACKUP
    priority: int = DEFAULT_PRIORITY
    advert_int: Micro = micro(1)
    down_timer_adverts: int = 3
    preempt: bool = True
    preempt_delay: Micro = Micro(0)
    timer_expired_backup: int = 0
    strict: bool = False
    accept: bool = True
    source_address: Address | None = None
    track_source_address: bool = False
    multicast_group: Address | None = None
    unicast_peers: tuple[UnicastPeer, ...] = ()
    unicast_ttl: int | None = None
    unicast_fault_no_peer: bool = False
    check_unicast_src: bool = False
    unicast_checksum: ChecksumCompat = ChecksumCompat.AUTO
    v3_checksum_as_v2: bool = False
    authentication: Authentication | None = None
    hmac: HmacAuthentication | None = None
    lower_prio_no_advert: bool = False
    higher_prio_send_advert: bool = False
    owner_ignore_adverts: bool = False
    skip_check_adv_addr: bool = False
    garp: Garp = Garp()
    virtual_addresses: tuple[VirtualAddress, ...] = ()
    excluded_addresses: tuple[VirtualAddress, ...] = ()
    no_virtual_addresses: bool = False
    promote_secondaries: bool = False
    routes: tuple[Route, ...] = ()
    rules: tuple[Rule, ...] = ()
    dont_track_primary: bool = False
    linkbeat_use_polling: bool = False
    track: TrackLists = TrackLists()
    notify: Notify = Notify()
    notify_priority_changes: bool = False
    smtp_alert: bool = False
    kernel_rx_buf_size: int | None = None
    debug: int = 0
    faults: tuple[str, ...] = ()

    @property
    def is_unicast(self) -> bool:
        """Whether adverts go to configured peers."""
        return bool(self.unicast_peers)

    @property
    def is_owner(self) -> bool:
        """Whether the router owns the virtual addresses."""
        return self.priority == OWNER_PRIORITY

    def interface_of(self, address: VirtualAddress) -> str | None:
        """Return the interface that an address is put on, or its VMAC on top of: its own, else the instance's."""
        return address.interface or self.interface


@dataclass(frozen=True, slots=True)
class SyncGroup:
    """Instances that change state together.

    `tracking_weight`: trackers with a weight count for members, which they do not otherwise.  `notify_priority_changes` None: each
    member decides (already resolved there).
    """

    name: str
    members: tuple[str, ...]
    track: TrackLists = TrackLists()
    notify: Notify = Notify()
    smtp_alert: bool = False
    tracking_weight: bool = False
    notify_priority_changes: bool | None = None


@dataclass(frozen=True, slots=True)
class TrackGroup:
    """Instances that watch the interfaces of static entries naming this group."""

    name: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GarpGroup:
    """Gaps between gratuitous ARPs and neighbour advertisements, counted over several interfaces; None: no gap of that kind."""

    interfaces: tuple[str, ...]
    garp_interval: Micro | None = None
    gna_interval: Micro | None = None


class LinkbeatMethod(enum.Enum):
    """How the link state of an interface is polled."""

    ANY = ""
    MII = "MII"
    ETHTOOL = "ETHTOOL"
    IOCTL = "IOCTL"


@dataclass(frozen=True, slots=True)
class LinkbeatInterface:
    """An interface whose driver tells nothing by itself."""

    name: str
    method: LinkbeatMethod = LinkbeatMethod.ANY


@dataclass(frozen=True, slots=True)
class InterfaceDelay:
    """How long a change of an interface's state must last before it counts."""

    interface: str
    down: Micro = Micro(0)
    up: Micro = Micro(0)


@dataclass(frozen=True, slots=True)
class Vrrp:
    """Everything that the VRRP process works from, but for `tracking.Tracking`."""

    instances: tuple[VrrpInstance, ...] = ()
    sync_groups: tuple[SyncGroup, ...] = ()
    track_groups: tuple[TrackGroup, ...] = ()
    static_addresses: tuple[VirtualAddress, ...] = ()
    static_routes: tuple[Route, ...] = ()
    static_rules: tuple[Rule, ...] = ()
    garp_groups: tuple[GarpGroup, ...] = ()
    linkbeat_interfaces: tuple[LinkbeatInterface, ...] = ()
    interface_delays: tuple[InterfaceDelay, ...] = ()

    @property
    def has_work(self) -> bool:
        """Whether there is anything for a VRRP process to do."""
        return bool(self.instances or self.static_addresses or self.static_routes or self.static_rules)
