"""The IPVS table as values: what the kernel holds and what it is to hold, in one type.

Counters live in values of their own, so that ``==`` on everything else compares configuration only.  No bytes, no requests.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from keepalived_py.addresses import Address, Family
from keepalived_py.config.lvs import AddressTarget, Forwarding, FwmarkTarget, ServerKey, ServiceFlags
from keepalived_py.units import Seconds

ServiceKey = AddressTarget | FwmarkTarget
"""What the kernel finds a service by: (family, protocol, address, port), or (family, mark)."""

DestinationKey = ServerKey
"""What the kernel finds a destination by inside its service: (family, address, port).

Forwarding method and tunnel are *not* part of it (``ip_vs_lookup_dest`` of ip_vs_ctl.c): they are edited in place.
"""


@dataclass(frozen=True, slots=True)
class Service:
    """A virtual service without its destinations and counters.

    `flags` never holds HASHED, which is the kernel's own mark.  `timeout` is the persistence timeout, 0 without persistence.
    `netmask` is the prefix length that persistence groups clients by (the family's whole length: every client for itself);
    None is a mask that is no prefix, which only other programs ever set.
    """

    key: ServiceKey
    scheduler: str
    netmask: int | None
    flags: ServiceFlags = ServiceFlags.NONE
    timeout: Seconds = Seconds(0)
    pe_name: str | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """A real server inside one service.  Its family may differ from the service's when it is tunnelled.

    `forwarding` None is a method or tunnel that this program has no name for, and never asks for.
    """

    key: DestinationKey
    forwarding: Forwarding | None = field(default=Forwarding())
    weight: int = 1
    uthreshold: int = 0
    lthreshold: int = 0

    @property
    def family(self) -> Family:
        """Family of the destination's address."""
        return self.key.address.family


@dataclass(frozen=True, slots=True)
class FullnatSettings:
    """What our own kernel module keeps of a service besides.

    Local addresses in their order, and how long an established session may idle (0: as long as everywhere).
    """

    local_addresses: tuple[Address, ...] = ()
    est_timeout: Seconds = Seconds(0)


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """A service with its destinations, in the order in which they are to be added, and with what FULLNAT needs."""

    service: Service
    destinations: Mapping[DestinationKey, Destination]
    fullnat: FullnatSettings = FullnatSettings()

    @property
    def key(self) -> ServiceKey:
        """Key of the service."""
        return self.service.key


Table = Mapping[ServiceKey, ServiceEntry]
"""Services by key, in the order in which they are to be added; ``==`` ignores the order."""


def entry(service: Service, destinations: Iterable[Destination] = ()) -> ServiceEntry:
    """Put a service and its destinations together; of two destinations with one key the first stays."""
    by_key: dict[DestinationKey, Destination] = {}
    for destination in destinations:
        by_key.setdefault(destination.key, destination)
    return ServiceEntry(service, by_key)


def table(entries: Iterable[ServiceEntry]) -> dict[ServiceKey, ServiceEntry]:
    """Index entries by their key; of two services with one key the first stays."""
    by_key: dict[ServiceKey, ServiceEntry] = {}
    for item in entries:
        by_key.setdefault(item.key, item)
    return by_key


@dataclass(frozen=True, slots=True)
class Statistics:
    """Totals since the last zeroing, and rates per second over the kernel's two-second estimator."""

    connections: int = 0
    packets_in: int = 0
    packets_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    connections_rate: int = 0
    packets_in_rate: int = 0
    packets_out_rate: int = 0
    bytes_in_rate: int = 0
    bytes_out_rate: int = 0


@dataclass(frozen=True, slots=True)
class DestinationStats:
    """Counters of one destination; the three connection counts are of this moment."""

    statistics: Statistics
    active: int
    inactive: int
    persistent: int


@dataclass(frozen=True, slots=True)
class ServiceStats:
    """Counters of one service, and of its destinations where they were asked for."""

    statistics: Statistics
    destinations: Mapping[DestinationKey, DestinationStats]


@dataclass(frozen=True, slots=True)
class Info:
    """What GET_INFO tells: `version` as (major, minor, patch) of ip_vs, `connection_table_size` in buckets."""

    version: tuple[int, int, int]
    connection_table_size: int


@dataclass(frozen=True, slots=True)
class SyncDaemon:
    """One thread of the connection synchronisation: `master` sends, otherwise it receives.

    None leaves a value to the kernel (group 224.0.0.81, port 8848, ttl 1, a payload that fits the interface's MTU).
    """

    master: bool
    interface: str
    sync_id: int = 0
    maxlen: int | None = None
    group: Address | None = None
    port: int | None = None
    ttl: int | None = None
