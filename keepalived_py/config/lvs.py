"""Virtual and real servers as they are to be: addresses, weights, forwarding, quorum rules and checkers.

All inheritance (real server from virtual server, checker from real server, both from global_defs) is resolved before these values
exist, so that an engine never asks "and if that is unset?".  `None` means that there is no such thing, never "look elsewhere".
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from keepalived_py.addresses import Address, Family, bracketed
from keepalived_py.config.checkers import Checker
from keepalived_py.config.scripts import Script
from keepalived_py.units import Micro, Seconds, micro


class Protocol(enum.IntEnum):
    """Transport protocol of a service, with its IP protocol number."""

    TCP = 6
    UDP = 17
    SCTP = 132


class ForwardingMethod(enum.IntEnum):
    """How packets reach a real server: ``IP_VS_CONN_F_FWD_MASK`` of linux/ip_vs.h, and 5 of our own kernel module."""

    MASQ = 0
    LOCAL = 1
    TUNNEL = 2
    DROUTE = 3
    BYPASS = 4
    FULLNAT = 5


class TunnelType(enum.IntEnum):
    """Encapsulation of a tunnelled destination (``IP_VS_CONN_F_TUNNEL_TYPE_*``)."""

    IPIP = 0
    GUE = 1
    GRE = 2


class TunnelChecksum(enum.IntFlag):
    """Checksum flags of a tunnelled destination (``IP_VS_TUNNEL_ENCAP_FLAG_*``)."""

    NONE = 0
    CSUM = 1
    REMCSUM = 2


class ServiceFlags(enum.IntFlag):
    """Service flags of linux/ip_vs.h (``IP_VS_SVC_F_*``); SYN_PROXY is the bit of our own kernel module."""

    NONE = 0
    PERSISTENT = 0x1
    HASHED = 0x2
    ONE_PACKET = 0x4
    SCHED1 = 0x8
    SCHED2 = 0x10
    SCHED3 = 0x20
    SYN_PROXY = 0x8000


@dataclass(frozen=True, slots=True)
class Forwarding:
    """A forwarding method with what a tunnel needs besides."""

    method: ForwardingMethod = ForwardingMethod.MASQ
    tunnel: TunnelType = TunnelType.IPIP
    tunnel_port: int = 0
    tunnel_checksum: TunnelChecksum = TunnelChecksum.NONE


@dataclass(frozen=True, slots=True)
class AddressTarget:
    """A virtual server at one address and port."""

    address: Address
    port: int
    protocol: Protocol

    @property
    def family(self) -> Family:
        """Family of the virtual address."""
        return self.address.family

    def __str__(self) -> str:
        return f"[{self.address}]:{self.protocol.name.lower()}:{self.port}"


@dataclass(frozen=True, slots=True)
class FwmarkTarget:
    """A virtual server for all packets that carry a firewall mark."""

    mark: int
    family: Family

    def __str__(self) -> str:
        return f"FWM {self.mark}"


@dataclass(frozen=True, slots=True)
class GroupTarget:
    """A virtual server for every entry of a `VirtualServerGroup`; `port` is what the log shows."""

    name: str
    protocol: Protocol

    def __str__(self) -> str:
        return f"[{self.name}]:{self.protocol.name.lower()}"


Target = AddressTarget | FwmarkTarget | GroupTarget
"""Natural key of a virtual server: what a reload compares by."""


@dataclass(frozen=True, slots=True)
class AddressEntry:
    """Members of a virtual server group: every address from `first` to `last` (both included) at `port` (0: any)."""

    first: Address
    last: Address
    port: int = 0

    def addresses(self) -> Iterator[Address]:
        """Yield the addresses in ascending order."""
        for number in range(int(self.last) - int(self.first) + 1):
            yield self.first + number


@dataclass(frozen=True, slots=True)
class FwmarkEntry:
    """A member of a virtual server group by firewall mark; `family` None: the family of the real servers."""

    mark: int
    family: Family | None = None


@dataclass(frozen=True, slots=True)
class VirtualServerGroup:
    """A named set of virtual addresses and marks that share real servers and checks."""

    name: str
    entries: tuple[AddressEntry | FwmarkEntry, ...]


@dataclass(frozen=True, slots=True)
class LocalAddressEntry:
    """FULLNAT local addresses from `first` to `last` (both included), bound on `interface` where one is named."""

    first: Address
    last: Address
    interface: str | None = None

    def addresses(self) -> Iterator[Address]:
        """Yield the addresses in ascending order."""
        for number in range(int(self.last) - int(self.first) + 1):
            yield self.first + number


@dataclass(frozen=True, slots=True)
class LocalAddressGroup:
    """A named pool of local addresses; used only while `track_instance` (a VRRP instance) is MASTER, where one is named."""

    name: str
    entries: tuple[LocalAddressEntry, ...]
    track_instance: str | None = None


@dataclass(frozen=True, slots=True)
class AddressList:
    """A named deny or allow list of client addresses; `ipsets` names kernel sets that DPVS users write."""

    name: str
    entries: tuple[tuple[Address, Address], ...]
    ipsets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerKey:
    """Natural key of a real server inside its virtual server: what a reload compares by."""

    address: Address
    port: int

    def __str__(self) -> str:
        return bracketed(self.address, self.port)


@dataclass(frozen=True, slots=True)
class RealServer:
    """A real server.  `weight` 0..2147483647; thresholds 0: none.

    `slow_start`: time in which its weight grows after a recovery.  `drain_timeout`: how long it stays in the table with weight 0
    when it is taken out of the configuration or its weight is set to 0 there; 0: it leaves at once, or stays.
    """

    address: Address
    port: int
    weight: int = 1
    forwarding: Forwarding = Forwarding()
    uthreshold: int = 0
    lthreshold: int = 0
    inhibit_on_failure: bool = False
    notify_up: Script | None = None
    notify_down: Script | None = None
    alpha: bool = False
    retry: int | None = None
    delay_before_retry: Micro | None = None
    warmup: Micro | None = None
    connect_timeout: Micro = micro(5)
    delay_loop: Micro = micro(60)
    smtp_alert: bool = True
    virtualhost: str | None = None
    snmp_name: str | None = None
    checkers: tuple[Checker, ...] = ()
    slow_start: Micro = Micro(0)
    drain_timeout: Micro = Micro(0)
    rise: int = 1
    fall: int = 1

    @property
    def key(self) -> ServerKey:
        """Address and port."""
        return ServerKey(self.address, self.port)


@dataclass(frozen=True, slots=True)
class SorryServer:
    """The server of last resort while the quorum is lost; its weight is always 1."""

    address: Address
    port: int
    forwarding: Forwarding = Forwarding()
    inhibit: bool = False

    @property
    def key(self) -> ServerKey:
        """Address and port."""
        return ServerKey(self.address, self.port)


@dataclass(frozen=True, slots=True)
class VirtualServer:
    """A virtual server with its real servers.

    `persistence_timeout` 0: no persistence.  `persistence_granularity`: netmask length (IPv4 0..32, IPv6 1..128), None: host.
    `quorum` and `hysteresis` are already lowered to what the weights allow.
    """

    target: Target
    family: Family
    delay_loop: Micro = micro(60)
    lb_algo: str = "wlc"
    flags: ServiceFlags = ServiceFlags.NONE
    forwarding: Forwarding = Forwarding()
    persistence_engine: str | None = None
    persistence_timeout: Seconds = Seconds(0)
    persistence_granularity: int | None = None
    ha_suspend: bool = False
    smtp_alert: bool = False
    virtualhost: str | None = None
    snmp_name: str | None = None
    alpha: bool = False
    omega: bool = False
    inhibit_on_failure: bool = False
    quorum: int = 1
    hysteresis: int = 0
    quorum_up: Script | None = None
    quorum_down: Script | None = None
    weight: int = 1
    retry: int | None = None
    delay_before_retry: Micro | None = None
    warmup: Micro | None = None
    connect_timeout: Micro = micro(5)
    sorry_server: SorryServer | None = None
    real_servers: tuple[RealServer, ...] = ()
    local_addresses: tuple[LocalAddressEntry, ...] = ()
    laddr_group_name: str | None = None
    daddr_group_name: str | None = None
    waddr_group_name: str | None = None
    est_timeout: Seconds = Seconds(0)
    vip_bind_dev: str | None = None
    nat_mask: Address | None = None
    slow_start: Micro = Micro(0)
    drain_timeout: Micro = Micro(0)
    rise: int = 1
    fall: int = 1
    needs: tuple[str, ...] = ()
    """Words of a dialect that no kernel of ours offers; a service that has any is not programmed, and says so by name."""

    @property
    def syn_proxy(self) -> bool:
        """Whether the director answers SYNs itself (our kernel module)."""
        return ServiceFlags.SYN_PROXY in self.flags

    @property
    def uses_fullnat(self) -> bool:
        """Whether any destination is forwarded by FULLNAT."""
        full = ForwardingMethod.FULLNAT
        sorry = self.sorry_server
        return (
            self.forwarding.method is full
            or any(server.forwarding.method is full for server in self.real_servers)
            or (sorry is not None and sorry.forwarding.method is full)
        )

    def __str__(self) -> str:
        return str(self.target)


@dataclass(frozen=True, slots=True)
class Lvs:
    """Everything that the checker process works from."""

    virtual_servers: tuple[VirtualServer, ...] = ()
    groups: tuple[VirtualServerGroup, ...] = ()
    local_address_groups: tuple[LocalAddressGroup, ...] = ()
    deny_address_groups: tuple[AddressList, ...] = ()
    allow_address_groups: tuple[AddressList, ...] = ()
