"""On which interface everything of an instance goes: adverts, addresses, and the VMACs that have to be made for them.

    address without an interface, or on the instance's    ``use_vmac`` and its family: on the VMAC; else on the instance's interface
    address on another interface, or of the other family  ``use_vmac_addr``, or ``use_vmac`` of its own: on a VMAC on top of that

Pure: names of VMACs are chosen here, making them is the host side's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.globals import GlobalDefs
from keepalived_py.config.routing import VirtualAddress
from keepalived_py.config.vrrp import AuthType, Vrrp, VrrpInstance
from keepalived_py.vrrp.actions import AddIpvlan, AddVmac, Placed
from keepalived_py.vrrp.channel import PROTOCOL_AH, PROTOCOL_VRRP, Channel
from keepalived_py.vrrp.events import Interface

MAX_NAME: Final = 15
"""Longest name of an interface in bytes (IFNAMSIZ less the NUL)."""

DEFAULT_PREFIX: Final = "vrrp"

_MAC: Final = {Family.INET: bytes.fromhex("00005e0001"), Family.INET6: bytes.fromhex("00005e0002")}


def virtual_mac(family: Family, virtual_router_id: int) -> bytes:
    """Return the MAC address of a virtual router (RFC 9568 section 7.3)."""
    return _MAC[family] + bytes((virtual_router_id,))


Made = AddVmac | AddIpvlan


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an instance lives.

    `device`: the interface that it belongs to (its VMAC, if it has one), None for unicast without one.  `advert_device`: where
    adverts come and go.  `source_device`: whose address they have.  `made`: interfaces to be made first.  `needed`: interfaces that
    the instance cannot do without.
    """

    device: str | None = None
    advert_device: str | None = None
    source_device: str | None = None
    made: tuple[Made, ...] = ()
    addresses: tuple[Placed, ...] = ()
    excluded: tuple[Placed, ...] = ()
    needed: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[Placed, ...]:
        """Addresses in adverts, then the excluded ones."""
        return self.addresses + self.excluded


class Names:
    """Names of the interfaces that are made; one that has been given is kept over reloads."""

    __slots__ = ("_existing", "_given", "_used")

    def __init__(self) -> None:
        self._given: dict[tuple[str, bytes], str] = {}
        self._existing: dict[tuple[str, bytes], str] = {}
        self._used: set[str] = set()

    def look_at(self, interfaces: Mapping[str, Interface]) -> None:
        """Take note of the interfaces that exist: their names are taken, and left-overs of ours are used again."""
        self._existing = {(known.base, known.mac): known.name for known in interfaces.values() if known.base is not None}
        self._used = {*self._given.values(), *interfaces}

    def choose(self, base: str, mac: bytes, prefix: str, family: Family, virtual_router_id: int, wanted: str | None) -> str:
        """Return the name of the VMAC with address `mac` on `base`: the wanted one, the one it has, or the first that is free."""
        key = (base, mac)
        name = wanted or self._given.get(key) or self._existing.get(key)
        if name is None:
            name = next(name for name in candidates(prefix, family, virtual_router_id) if name not in self._used)
        self._given[key] = name
        self._used.add(name)
        return name


def candidates(prefix: str, family: Family, virtual_router_id: int) -> Iterator[str]:
    """Yield names in keepalived's order: PREFIX.ID, for IPv6 PREFIX6.ID, PREFIX1.ID, PREFIX2.ID, and so on."""
    numbers = ["", "6"] if family is Family.INET6 else [""]
    tails = [*numbers, *(str(number) for number in range(1, 1 << 16) if family is Family.INET or number != 6)]
    for tail in tails:
        end = f"{tail}.{virtual_router_id}"
        yield prefix[: MAX_NAME - len(end)] + end


def place(config: VrrpInstance, globals_: GlobalDefs, names: Names, tracked: tuple[str, ...] = ()) -> Placement:
    """Work out where an instance lives; `tracked`: interfaces of static entries that it watches."""
    own = _own_interface(config, globals_, names)
    device = own.name if own is not None else config.interface
    made: dict[str, Made] = {} if own is None else {own.name: own}
    addresses, excluded = (
        tuple(_place_address(config, entry, own, globals_, names, made) for entry in entries)
        for entries in (config.virtual_addresses, config.excluded_addresses)
    )
    from_base = config.vmac_xmit_base or (config.family is Family.INET and config.ipvlan is None)
    needed = dict.fromkeys((*_needed(config, device, (*addresses, *excluded)), *tracked))
    return Placement(
        device,
        config.interface if config.vmac_xmit_base else device,
        config.interface if from_base else device,
        tuple(made.values()),
        addresses,
        excluded,
        tuple(needed),
    )


def _own_interface(config: VrrpInstance, globals_: GlobalDefs, names: Names) -> Made | None:
    if config.interface is None:
        return None
    prefix = globals_.vmac_prefix or DEFAULT_PREFIX
    if config.ipvlan is not None:
        wanted = config.ipvlan.name
        no_mac = b"ipvlan" + bytes((config.family, config.virtual_router_id))
        name = names.choose(config.interface, no_mac, prefix, config.family, config.virtual_router_id, wanted)
        return AddIpvlan(name, config.interface, config.family, config.ipvlan)
    if config.vmac is None:
        return None
    mac = config.vmac.mac or virtual_mac(config.family, config.virtual_router_id)
    name = names.choose(config.interface, mac, prefix, config.family, config.virtual_router_id, config.vmac.name)
    source = config.source_address
    link_local = source if source is not None and config.family is Family.INET6 and source.is_link_local else None
    return AddVmac(
        name,
        config.interface,
        config.family,
        mac,
        config.vmac.group,
        link_local,
        config.vmac_xmit_base,
        config.vmac.netlink_notify,
    )


def _place_address(
    config: VrrpInstance,
    address: VirtualAddress,
    own: Made | None,
    globals_: GlobalDefs,
    names: Names,
    made: dict[str, Made],
) -> Placed:
    base = address.interface or config.interface or globals_.default_interface or ""
    has_vmac = isinstance(own, AddVmac)
    at_home = address.interface is None or address.interface == config.interface
    if at_home and has_vmac and own is not None and address.family is config.family:
        return Placed(own.name, address)
    if not (address.use_vmac or (config.vmac_addresses and not (at_home and address.family is config.family))):
        return Placed(base, address)
    mac = (config.vmac.mac if config.vmac is not None else None) or virtual_mac(address.family, config.virtual_router_id)
    prefix = globals_.vmac_addr_prefix or globals_.vmac_prefix or DEFAULT_PREFIX
    name = names.choose(base, mac, prefix, address.family, config.virtual_router_id, None)
    made.setdefault(name, AddVmac(name, base, address.family, mac))
    return Placed(name, address)


def _needed(config: VrrpInstance, device: str | None, addresses: tuple[Placed, ...]) -> Iterator[str]:
    """Yield the interfaces whose loss is a fault."""
    primary = {name for name in (config.interface, device) if name is not None}
    if not config.dont_track_primary:
        yield from (name for name in (config.interface, device) if name is not None)
    for placed in addresses:
        ignored = config.dont_track_primary and placed.interface in primary
        if not placed.address.no_track and not ignored and placed.interface:
            yield placed.interface
    for route in config.routes:
        if not route.no_track and route.interface is not None:
            yield route.interface
    for rule in config.rules:
        if not rule.no_track:
            yield from (name for name in (rule.incoming, rule.outgoing) if name is not None)


def channel_of(config: VrrpInstance, placement: Placement, source: Address | None) -> Channel | None:
    """Return the channel that an instance uses; None while a unicast one has no source address."""
    uses_ah = config.authentication is not None and config.authentication.type is AuthType.AH
    protocol = PROTOCOL_AH if uses_ah else PROTOCOL_VRRP
    if config.multicast_group is not None:
        return Channel(config.family, protocol, placement.advert_device, config.vrf, group=config.multicast_group)
    if source is None:
        return None
    return Channel(config.family, protocol, placement.advert_device, config.vrf, source=source)


def tracked_by_group(vrrp: Vrrp) -> dict[str, tuple[str, ...]]:
    """Return, for each instance in a ``track_group``, the interfaces of the static entries that name the group."""
    of_group: dict[str, dict[str, None]] = {}
    for address in vrrp.static_addresses:
        if address.track_group is not None and not address.no_track and address.interface is not None:
            of_group.setdefault(address.track_group, {})[address.interface] = None
    for route in vrrp.static_routes:
        if route.track_group is not None and not route.no_track and route.interface is not None:
            of_group.setdefault(route.track_group, {})[route.interface] = None
    for rule in vrrp.static_rules:
        if rule.track_group is not None and not rule.no_track and rule.incoming is not None:
            of_group.setdefault(rule.track_group, {})[rule.incoming] = None
    found: dict[str, dict[str, None]] = {}
    for group in vrrp.track_groups:
        for member in group.members:
            found.setdefault(member, {}).update(of_group.get(group.name, {}))
    return {name: tuple(interfaces) for name, interfaces in found.items()}
