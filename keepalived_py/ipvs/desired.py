"""Configuration + pool state -> the entries that are to be in the kernel, and back again.

One virtual server becomes one entry for each of its addresses or marks, and every entry has the same destinations.  Which servers
are in the table, and with what weight, is decided elsewhere and comes in as plain numbers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.lvs import (
    AddressEntry,
    AddressTarget,
    Forwarding,
    ForwardingMethod,
    FwmarkEntry,
    FwmarkTarget,
    GroupTarget,
    LocalAddressGroup,
    Lvs,
    RealServer,
    ServerKey,
    ServiceFlags,
    SorryServer,
    Target,
    VirtualServer,
    VirtualServerGroup,
)
from keepalived_py.ipvs.attributes import THRESHOLD_MAX, WEIGHT_MAX
from keepalived_py.ipvs.fullnat_attributes import LADDR_MAX, TIMEOUT_MAX
from keepalived_py.ipvs.table import (
    Destination,
    DestinationKey,
    FullnatSettings,
    Service,
    ServiceEntry,
    ServiceKey,
    Table,
)
from keepalived_py.units import Seconds

Groups = Mapping[str, VirtualServerGroup]
"""Virtual server groups by name."""

LocalGroups = Mapping[str, LocalAddressGroup]
"""Groups of local addresses by name."""

_NO_GROUPS: Final[LocalGroups] = {}

_KEEPS_PORT = (ForwardingMethod.MASQ, ForwardingMethod.FULLNAT)
"""Only these rewrite the destination port; for the others the kernel wants the service's own (0 with a mark)."""


@dataclass(frozen=True, slots=True)
class PoolState:
    """Which servers of one virtual server are to be in the table, with what weight; absent (None): not in the table.

    `leaving`: servers that are no longer configured, and stay with weight 0 until their connections have ended.
    """

    weights: Mapping[ServerKey, int] = field(default_factory=dict)
    sorry_weight: int | None = None
    leaving: tuple[RealServer, ...] = ()


@dataclass(frozen=True, slots=True)
class Clash:
    """A service that two virtual servers claim: `winner`, the earlier one, has it."""

    key: ServiceKey
    winner: VirtualServer
    loser: VirtualServer


def service_keys(server: VirtualServer, groups: Groups) -> Iterator[ServiceKey]:
    """Yield what a virtual server is found by in the kernel: addresses in configuration order, ranges ascending, marks last.

    A group that is not configured has no members.
    """
    target = server.target
    if not isinstance(target, GroupTarget):
        yield target
        return
    group = groups.get(target.name)
    entries = group.entries if group else ()
    for entry in entries:
        if isinstance(entry, AddressEntry):
            for address in entry.addresses():
                yield AddressTarget(address, entry.port, target.protocol)
    for entry in entries:
        if isinstance(entry, FwmarkEntry):
            yield FwmarkTarget(entry.mark, entry.family or server.family)


def service_of(server: VirtualServer, key: ServiceKey) -> Service:
    """Make the service of a virtual server under one of its keys.

    The persistence mask counts where it fits: in a group with both families it is the mask of the virtual server's own.
    """
    netmask = key.family.bits
    if not server.persistence_timeout:
        return Service(key, server.lb_algo, netmask, server.flags)
    if server.persistence_granularity is not None and key.family is server.family:
        netmask = min(server.persistence_granularity, netmask)
    flags = server.flags | ServiceFlags.PERSISTENT
    return Service(key, server.lb_algo, netmask, flags, Seconds(server.persistence_timeout), server.persistence_engine)


def fullnat_of(server: VirtualServer, family: Family, local_groups: LocalGroups) -> FullnatSettings:
    """Make what FULLNAT needs for a virtual server: its own local addresses and its group's, each once, of the service's family.

    A group that is not configured has no addresses.
    """
    if not server.uses_fullnat:
        return FullnatSettings()
    group = local_groups.get(server.laddr_group_name or "")
    lines = (*server.local_addresses, *(group.entries if group else ()))
    addresses = dict.fromkeys(address for line in lines if line.first.family is family for address in line.addresses())
    return FullnatSettings(tuple(islice(addresses, LADDR_MAX)), Seconds(min(server.est_timeout, TIMEOUT_MAX)))


def entries(server: VirtualServer, groups: Groups, pool: PoolState, local_groups: LocalGroups = _NO_GROUPS) -> list[ServiceEntry]:
    """Make every entry of a virtual server.  Entries whose destinations are equal share them, which makes large groups cheap."""
    by_port: dict[int, Mapping[DestinationKey, Destination]] = {}
    fullnat = {family: fullnat_of(server, family, local_groups) for family in Family}
    result: list[ServiceEntry] = []
    for key in service_keys(server, groups):
        port = _port(key)
        if port not in by_port:
            by_port[port] = _destinations(server, pool, port)
        result.append(ServiceEntry(service_of(server, key), by_port[port], fullnat[key.family]))
    return result


def desired(lvs: Lvs, pools: Mapping[Target, PoolState]) -> tuple[dict[ServiceKey, ServiceEntry], list[Clash]]:
    """Make the whole table.  `pools` is keyed by `VirtualServer.target`; a virtual server without a pool has no destinations yet.

    Each key belongs to the first virtual server that names it; the others are returned as clashes.
    """
    groups = {group.name: group for group in lvs.groups}
    local_groups = {group.name: group for group in lvs.local_address_groups}
    whole: dict[ServiceKey, ServiceEntry] = {}
    owner: dict[ServiceKey, VirtualServer] = {}
    clashes: list[Clash] = []
    for server in lvs.virtual_servers:
        for entry in entries(server, groups, pools.get(server.target, PoolState()), local_groups):
            if entry.key in whole:
                clashes.append(Clash(entry.key, owner[entry.key], server))
            else:
                whole[entry.key] = entry
                owner[entry.key] = server
    return whole, clashes


def candidates(server: VirtualServer, groups: Groups) -> dict[ServiceKey, frozenset[DestinationKey]]:
    """Say which destinations the configuration knows in each service, whether they are up or not: all others are strangers."""
    everyone = PoolState({real.key: 1 for real in server.real_servers}, 1)
    return {entry.key: frozenset(entry.destinations) for entry in entries(server, groups, everyone)}


def observed(server: VirtualServer, groups: Groups, actual: Table) -> PoolState:
    """Read a pool state back out of the kernel's table: what a checker process that was restarted goes on from.

    A server counts as present if any service of the virtual server has it, with the weight it has in the first one.  Where the
    sorry server is also a real server, only the real server is seen.
    """
    weights: dict[ServerKey, int] = {}
    sorry_weight: int | None = None
    for key in service_keys(server, groups):
        if key not in actual:
            continue
        present, port = actual[key].destinations, _port(key)
        for real in server.real_servers:
            found = present.get(_key_at(real.address, real.port, real.forwarding, port))
            if found is not None:
                weights.setdefault(real.key, found.weight)
        sorry = server.sorry_server
        if sorry is not None and sorry_weight is None:
            sorry_key = _key_at(sorry.address, sorry.port, sorry.forwarding, port)
            if sorry_key in present and sorry.key not in weights:
                sorry_weight = present[sorry_key].weight
    return PoolState(weights, sorry_weight)


def _port(key: ServiceKey) -> int:
    """Port of a service; a mark has none."""
    return key.port if isinstance(key, AddressTarget) else 0


def _key_at(address: Address, port: int, forwarding: Forwarding, service_port: int) -> DestinationKey:
    return ServerKey(address, port if forwarding.method in _KEEPS_PORT else service_port)


def _destinations(server: VirtualServer, pool: PoolState, service_port: int) -> dict[DestinationKey, Destination]:
    """Make the destinations of a service at `service_port`: real servers in configuration order, then the sorry server."""
    result: dict[DestinationKey, Destination] = {}
    for real in server.real_servers:
        weight = pool.weights.get(real.key)
        if weight is not None:
            destination = _real(real, weight, service_port)
            result.setdefault(destination.key, destination)
    for real in pool.leaving:
        destination = _real(real, 0, service_port)
        result.setdefault(destination.key, destination)
    if server.sorry_server is not None and pool.sorry_weight is not None:
        sorry = _sorry(server.sorry_server, pool.sorry_weight, service_port)
        # The sorry server may be one of the real servers: the one role that has traffic to take decides.
        rival = result.get(sorry.key)
        if rival is None or rival.weight < sorry.weight:
            result[sorry.key] = sorry
    return result


def _real(real: RealServer, weight: int, service_port: int) -> Destination:
    """Make the destination of a real server.  Numbers outside the kernel's range are brought to its edge, not refused."""
    upper = _bounded(real.uthreshold, THRESHOLD_MAX)
    return Destination(
        _key_at(real.address, real.port, real.forwarding, service_port),
        _normal(real.forwarding),
        _bounded(weight, WEIGHT_MAX),
        upper,
        _bounded(real.lthreshold, upper),
    )


def _sorry(sorry: SorryServer, weight: int, service_port: int) -> Destination:
    key = _key_at(sorry.address, sorry.port, sorry.forwarding, service_port)
    return Destination(key, _normal(sorry.forwarding), _bounded(weight, WEIGHT_MAX))


def _bounded(number: int, top: int) -> int:
    return max(0, min(number, top))


def _normal(forwarding: Forwarding) -> Forwarding:
    """Leave out what the kernel would not keep: tunnel settings of a method that does not tunnel."""
    return forwarding if forwarding.method is ForwardingMethod.TUNNEL else Forwarding(forwarding.method)


def strangers(actual: Table, known: Mapping[ServiceKey, frozenset[DestinationKey]]) -> list[tuple[ServiceKey, DestinationKey]]:
    """List destinations inside our services that the configuration knows nothing about; the daemon logs that it removes them.

    `known` is what `candidates` says of each virtual server, put together.
    """
    return [
        (key, destination)
        for key, destinations in known.items()
        if key in actual
        for destination in actual[key].destinations
        if destination not in destinations
    ]
