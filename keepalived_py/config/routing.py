"""Addresses, routes and rules that the daemon puts into the kernel, for a VRRP instance or for as long as it runs.

Numbers are the kernel's (linux/rtnetlink.h, linux/fib_rules.h): names of tables, scopes, protocols and types were looked up while
the text was read.  No netlink here: `system` turns these values into messages.
"""

import enum
from dataclasses import dataclass

from keepalived_py.addresses import Address, Family

FOREVER = 0xFFFFFFFF
"""A lifetime without end (``INFINITY_LIFE_TIME`` of linux/if_addr.h)."""

KEEPALIVED_PROTOCOL = 18
"""``RTPROT_KEEPALIVED``: whom routes and rules belong to that the daemon watches."""

MAIN_TABLE = 254
"""``RT_TABLE_MAIN``."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """An address and how many of its leading bits count; the default route is the unspecified address with length 0."""

    address: Address
    length: int

    @property
    def family(self) -> Family:
        """Family of the address."""
        return self.address.family

    def __str__(self) -> str:
        return f"{self.address}/{self.length}"


class AddressFlags(enum.IntFlag):
    """Flags of an address, as linux/if_addr.h numbers them (``IFA_F_*``)."""

    NONE = 0
    NODAD = 0x02
    HOMEADDRESS = 0x10
    MANAGETEMPADDR = 0x100
    NOPREFIXROUTE = 0x200
    MCAUTOJOIN = 0x400


@dataclass(frozen=True, slots=True)
class VirtualAddress:
    """One address of ``virtual_ipaddress``, ``virtual_ipaddress_excluded`` or ``static_ipaddress``.

    `interface` None: that of the instance, its VMAC where the family is the instance's (`VrrpInstance.interface_of`); static
    addresses always name one.  `flags` holds NODAD unless ``-nodad`` was written.  `preferred_lifetime` in seconds, None for IPv4.
    `use_vmac`: on a VMAC of its own on top of `interface`.  `no_track`: its loss is no fault of the instance.
    """

    address: Address
    prefix_length: int
    interface: str | None = None
    scope: int = 0
    broadcast: Address | None = None
    label: str | None = None
    peer: Address | None = None
    flags: AddressFlags = AddressFlags.NODAD
    preferred_lifetime: int | None = None
    no_track: bool = False
    use_vmac: bool = False
    track_group: str | None = None

    @property
    def family(self) -> Family:
        """Family of the address."""
        return self.address.family

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix_length}"


# Encapsulation --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IpEncap:
    """``encap ip`` or ``encap ip6`` (told apart by `family`): the outer header; None and 0 leave a field to the kernel."""

    family: Family
    id: int | None = None
    destination: Address | None = None
    source: Address | None = None
    tos: int | None = None
    ttl: int | None = None
    flags: int | None = None


@dataclass(frozen=True, slots=True)
class MplsEncap:
    """``encap mpls``: the label stack, outermost first; each label has 20 bits."""

    labels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class IlaEncap:
    """``encap ila``: the 64 bits of the locator."""

    locator: int


Encap = IpEncap | MplsEncap | IlaEncap


# Routes ---------------------------------------------------------------------------------------------------------------------------


class Insertion(enum.Enum):
    """Where a route goes among those to the same destination."""

    PREPEND = "prepend"
    ADD = "add"
    APPEND = "append"


@dataclass(frozen=True, slots=True)
class Metrics:
    """Metrics of a route (``RTAX_*``); None leaves one to the kernel.

    `rtt` counts eighths and `rttvar` quarters of a millisecond, `rto_min` milliseconds, as the kernel does.  `locked` holds the
    names of those that the kernel must not adapt.
    """

    mtu: int | None = None
    window: int | None = None
    rtt: int | None = None
    rttvar: int | None = None
    ssthresh: int | None = None
    cwnd: int | None = None
    advmss: int | None = None
    reordering: int | None = None
    hoplimit: int | None = None
    initcwnd: int | None = None
    initrwnd: int | None = None
    rto_min: int | None = None
    quickack: int | None = None
    congctl: str | None = None
    fastopen_no_cookie: int | None = None
    ecn: bool = False
    locked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Nexthop:
    """One way of a multipath route; `weight` counts from 1."""

    via: Address | None = None
    interface: str | None = None
    weight: int | None = None
    onlink: bool = False
    encap: Encap | None = None
    realms: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """A route.  None leaves an attribute out of the message; `realms` packs both realms as the kernel does (source << 16 | own).

    `source` is the prefix of a source-specific IPv6 route (``from``), `preferred_source` the address used by local sockets
    (``src``).  `protocol` is `KEEPALIVED_PROTOCOL` for every route that is watched.
    """

    destination: Prefix
    family: Family
    kind: int | None = None
    table: int = MAIN_TABLE
    scope: int | None = None
    protocol: int | None = KEEPALIVED_PROTOCOL
    tos: int | None = None
    metric: int | None = None
    via: Address | None = None
    source: Prefix | None = None
    preferred_source: Address | None = None
    interface: str | None = None
    onlink: bool = False
    encap: Encap | None = None
    expires: int | None = None
    realms: int | None = None
    preference: int | None = None
    ttl_propagate: bool | None = None
    metrics: Metrics = Metrics()
    insertion: Insertion = Insertion.PREPEND
    nexthops: tuple[Nexthop, ...] = ()
    no_track: bool = False
    track_group: str | None = None


# Rules ----------------------------------------------------------------------------------------------------------------------------


class RuleAction(enum.IntEnum):
    """What a rule does with what it matches (``FR_ACT_*``)."""

    TO_TABLE = 1
    GOTO = 2
    NOP = 3
    BLACKHOLE = 6
    UNREACHABLE = 7
    PROHIBIT = 8


@dataclass(frozen=True, slots=True)
class Rule:
    """A routing policy rule.  None: the rule does not look at that.  `table` counts for `RuleAction.TO_TABLE` without `l3mdev`."""

    family: Family
    priority: int
    action: RuleAction
    table: int | None = None
    goto: int | None = None
    invert: bool = False
    source: Prefix | None = None
    destination: Prefix | None = None
    tos: int | None = None
    fwmark: int | None = None
    fwmask: int | None = None
    realms: int | None = None
    suppress_prefix_length: int | None = None
    suppress_group: int | None = None
    incoming: str | None = None
    outgoing: str | None = None
    tunnel_id: int | None = None
    uid_range: tuple[int, int] | None = None
    l3mdev: bool = False
    protocol: int | None = KEEPALIVED_PROTOCOL
    ip_protocol: int | None = None
    source_ports: tuple[int, int] | None = None
    destination_ports: tuple[int, int] | None = None
    no_track: bool = False
    track_group: str | None = None
