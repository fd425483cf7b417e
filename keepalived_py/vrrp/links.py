"""How instances are joined to the host: sockets to be open, interfaces to be made, source addresses, and who owns which address.

Everything here follows from the placements of the instances and from the facts; when either changes, only what is different is
asked for.  Openings come before the adverts that need them, closings after the last one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.globals import GlobalDefs
from keepalived_py.deadlines import Deadlines
from keepalived_py.units import Micro, micro
from keepalived_py.vrrp.actions import (
    AddVmac,
    CloseChannel,
    OpenChannel,
    Placed,
    PromoteSecondaries,
    RemoveInterface,
)
from keepalived_py.vrrp.channel import Channel, Filter
from keepalived_py.vrrp.facts import Facts, Place
from keepalived_py.vrrp.instance import Instance
from keepalived_py.vrrp.outbox import Outbox
from keepalived_py.vrrp.packet import HOP_LIMIT
from keepalived_py.vrrp.placing import Made, channel_of
from keepalived_py.vrrp.priority import Contribution, Kind
from keepalived_py.vrrp.timers import Timer, TimerKey

FLOOD: Final = 100
"""Rejected packets in one second after which a channel lets in only what may be good."""

FLOOD_OVER: Final = micro(10)
"""How long it stays like that."""

_WINDOW: Final = micro(1)


@dataclass(slots=True)
class Joint:
    """One channel: who uses it, and how it was opened (None: it is not open)."""

    id: int
    members: dict[int, Instance] = field(default_factory=dict)
    by_router: dict[int, list[Instance]] = field(default_factory=dict)
    opened: OpenChannel | None = None
    window: Micro = Micro(0)
    rejected: int = 0
    strict: bool = False


class Links:
    """Sockets and interfaces of an engine."""

    def __init__(self, outbox: Outbox, deadlines: Deadlines[TimerKey], facts: Facts) -> None:
        self._out = outbox
        self._deadlines = deadlines
        self._facts = facts
        self._globals = GlobalDefs()
        self._joints: dict[Channel, Joint] = {}
        self._by_id: dict[int, Channel] = {}
        self._dirty: set[Channel] = set()
        self._made: dict[str, Made] = {}
        self._asked: dict[str, Made] = {}
        self._promoted: dict[str, None] = {}
        self._wanted_promoted: dict[str, None] = {}
        self._virtual: dict[Place, list[tuple[Instance, Placed]]] = {}
        self._by_source: dict[str, list[Instance]] = {}
        self._first: dict[tuple[str, Family], Address | None] = {}
        self._configured: set[Address] = set()
        self._last_id = 0

    @property
    def channels(self) -> Mapping[Channel, Joint]:
        """Every channel that an instance uses."""
        return self._joints

    def made(self) -> dict[str, str]:
        """Return the interfaces that are to be made, and what each sits on."""
        return {name: made.base for name, made in self._made.items()}

    # ---- configuration ----

    def arrange(self, instances: Iterable[Instance], globals_: GlobalDefs) -> None:
        """Take new placements; ask for the interfaces that they need, and join every instance to its channel."""
        self._globals = globals_
        self._made, self._virtual, self._by_source, self._wanted_promoted = {}, {}, {}, {}
        everybody = list(instances)
        self._first.clear()
        self._configured = {one.config.source_address for one in everybody if one.config.source_address is not None}
        for instance in everybody:
            placement, config = instance.placement, instance.config
            self._made.update({made.name: made for made in placement.made})
            for placed in placement.all:
                self._virtual.setdefault((placed.interface, placed.address.address), []).append((instance, placed))
                base = self._made.get(placed.interface)
                if base is not None:
                    self._virtual.setdefault((base.base, placed.address.address), [])
            if placement.source_device is not None:
                self._by_source.setdefault(placement.source_device, []).append(instance)
        for device in self._by_source:
            self._first.update({(device, family): self._facts.source(device, family, self._virtual) for family in Family})
            if config.promote_secondaries and placement.device is not None:
                self._wanted_promoted[placement.device] = None
        for joint in self._joints.values():
            joint.members.clear()
            joint.by_router.clear()
        self._dirty.update(self._joints)
        self._make()
        for instance in everybody:
            self.connect(instance, rejoin=True)

    def _make(self) -> None:
        for name, made in self._made.items():
            if made.base in self._facts.interfaces and self._asked.get(name) != made:
                self._asked[name] = made
                self._out.add(self._with_link_local(made))
        for name in self._wanted_promoted:
            if name not in self._promoted and name in self._facts.interfaces:
                self._promoted[name] = None
                self._out.add(PromoteSecondaries(name, on=True))

    def _with_link_local(self, made: Made) -> Made:
        """Give an IPv6 VMAC the link-local address of its base, if that has one and no other was configured."""
        if not isinstance(made, AddVmac) or made.family is not Family.INET6 or made.link_local is not None:
            return made
        return replace(made, link_local=self._facts.source(made.base, Family.INET6, self._virtual))

    # ---- joining instances to channels ----

    def connect(self, instance: Instance, *, rejoin: bool = False) -> None:
        """Give an instance the source address and the channel that it can have now; without either it stands as faulty."""
        source = self._source(instance)
        channel = channel_of(instance.config, instance.placement, source)
        if channel != instance.channel or rejoin:
            self._leave(instance)
            if channel is not None:
                self._join(instance, channel)
        instance.source, instance.channel = source, channel

    def _join(self, instance: Instance, channel: Channel) -> None:
        joint = self._joints.get(channel)
        if joint is None:
            self._last_id += 1
            joint = self._joints[channel] = Joint(self._last_id)
            self._by_id[joint.id] = channel
        joint.members[instance.id] = instance
        joint.by_router.setdefault(instance.config.virtual_router_id, []).append(instance)
        self._dirty.add(channel)

    def _leave(self, instance: Instance) -> None:
        channel = instance.channel
        joint = None if channel is None else self._joints.get(channel)
        if channel is None or joint is None or joint.members.pop(instance.id, None) is None:
            return
        router = instance.config.virtual_router_id
        others = [member for member in joint.by_router.pop(router, []) if member is not instance]
        if others:
            joint.by_router[router] = others
        self._dirty.add(channel)

    def _source(self, instance: Instance) -> Address | None:
        config, device = instance.config, instance.placement.source_device
        address = config.source_address
        if address is None and config.ipvlan is not None:
            address = config.ipvlan.address
        if address is not None:
            return address
        return None if device is None else self._facts.source(device, config.family, self._virtual)

    def check_source(self, instance: Instance) -> None:
        """Say what is wrong with the source address, if anything is."""
        config, device = instance.config, instance.placement.source_device
        fault = ""
        if config.source_address is not None:
            there = device is not None and self._facts.has(device, config.source_address)
            if config.track_source_address and not there:
                fault = f"source address {config.source_address} is not on {device or 'any interface'}"
        elif self._source(instance) is None:
            if device in self._made and device not in self._facts.interfaces:
                instance.standing.set((Kind.SOURCE, ""), Contribution(pending=True))
                return
            fault = f"no IPv{4 if config.family is Family.INET else 6} address for interface {device}"
        instance.standing.set((Kind.SOURCE, ""), Contribution(fault=fault))

    def sourced_by(self, interface: str) -> tuple[Instance, ...]:
        """Return the instances whose adverts leave with an address of an interface."""
        return tuple(self._by_source.get(interface, ()))

    def concerns_sources(self, interface: str, address: Address) -> bool:
        """Whether the coming or going of an address changes where adverts are sent from: few of many do."""
        place = (interface, address.family)
        before = self._first.get(place)
        self._first[place] = self._facts.source(interface, address.family, self._virtual)
        return before != self._first[place] or address in self._configured

    def owners(self, interface: str, address: Address) -> tuple[tuple[Instance, Placed], ...]:
        """Return the instances whose virtual address that is."""
        return tuple(self._virtual.get((interface, address), ()))

    # ---- opening and closing ----

    def open(self) -> None:
        """Open what is wanted and can be opened, and change the filters that have become wrong."""
        for channel in sorted(self._dirty, key=lambda dirty: self._joints[dirty].id if dirty in self._joints else 0):
            joint = self._joints.get(channel)
            if joint is None or not joint.members:
                continue
            there = channel.interface is None or channel.interface in self._facts.interfaces
            wanted = OpenChannel(channel, self._filter(channel, joint), self._buffer(channel, joint))
            if there and joint.opened != wanted:
                joint.opened = wanted
                self._out.add(wanted)

    def close(self) -> None:
        """Close what nobody uses any more, and remove interfaces that are not wanted."""
        for channel in self._dirty:
            joint = self._joints.get(channel)
            if joint is not None and not joint.members:
                self._close(channel, joint)
                del self._joints[channel], self._by_id[joint.id]
        self._dirty.clear()
        for name in [name for name in self._asked if name not in self._made]:
            del self._asked[name]
            self._out.add(RemoveInterface(name))
        for name in [name for name in self._promoted if name not in self._wanted_promoted]:
            del self._promoted[name]
            self._out.add(PromoteSecondaries(name, on=False))

    def _close(self, channel: Channel, joint: Joint) -> None:
        if joint.opened is not None:
            joint.opened = None
            self._out.add(CloseChannel(channel))
        self._deadlines.drop((Timer.FLOOD, joint.id))

    def _filter(self, channel: Channel, joint: Joint) -> Filter:
        known = None if self._globals.vrrp.log_unknown_vrids else frozenset(joint.by_router)
        if not joint.strict:
            return Filter(known)
        hop_limit = HOP_LIMIT if channel.is_multicast else None
        members = joint.members.values()
        if channel.is_multicast or not all(member.config.check_unicast_src for member in members):
            return Filter(known, hop_limit)
        return Filter(known, hop_limit, frozenset(peer.address for member in members for peer in member.config.unicast_peers))

    def _buffer(self, channel: Channel, joint: Joint) -> int | None:
        """Return the receive buffer that ``vrrp_rx_bufs_policy`` and ``kernel_rx_buf_size`` ask for."""
        total = sum(self._buffer_of(channel, member) for member in joint.members.values())
        return total or None

    def _buffer_of(self, channel: Channel, member: Instance) -> int:
        if member.config.kernel_rx_buf_size:
            return member.config.kernel_rx_buf_size
        policy = [word.upper() for word in self._globals.vrrp.rx_bufs_policy]
        size = next((int(word) for word in policy if word.isdigit()), 0)
        if size:
            return size
        if "ADVERT" in policy:
            return self._globals.vrrp.rx_bufs_multiplier * member.wire.length
        device = self._facts.interfaces.get(channel.interface or "")
        return self._globals.vrrp.rx_bufs_multiplier * device.mtu if "MTU" in policy and device is not None else 0

    # ---- interfaces that come and go ----

    def appeared(self, name: str) -> None:
        """An interface is there: open what waits for it, make what sits on it."""
        self._dirty.update(channel for channel in self._joints if channel.interface == name)
        self._make()
        self.open()

    def vanished(self, name: str) -> None:
        """An interface is gone, with what sat on it and the sockets on it."""
        self._asked = {made: action for made, action in self._asked.items() if name not in (made, action.base)}
        self._promoted.pop(name, None)
        for family in Family:
            self._first.pop((name, family), None)
        for channel, joint in self._joints.items():
            if channel.interface == name:
                self._close(channel, joint)
        self._make()

    # ---- floods ----

    def rejected(self, channel: Channel, now: Micro) -> None:
        """Count a packet that was not worth waking up for; when there are too many, let in only what may be good."""
        joint = self._joints.get(channel)
        if joint is None or joint.strict:
            return
        if now - joint.window >= _WINDOW:
            joint.window, joint.rejected = now, 0
        joint.rejected += 1
        if joint.rejected > FLOOD:
            self._tighten(channel, joint, now)

    def _tighten(self, channel: Channel, joint: Joint, now: Micro) -> None:
        """Use the strict filter, if it keeps out more than the other one does."""
        joint.strict, joint.rejected = True, 0
        if joint.opened is not None and self._filter(channel, joint) == joint.opened.filter:
            joint.strict = False
            return
        self._dirty.add(channel)
        self._deadlines.set((Timer.FLOOD, joint.id), Micro(now + FLOOD_OVER))
        where = channel.interface or channel.source
        self._out.log(f"More than {FLOOD} invalid adverts a second on {where} - leaving them to the kernel's filter, uncounted")
        self.open()

    def flood_over(self, id: int) -> None:
        """Let a channel that was flooded bring everything again."""
        channel = self._by_id.get(id)
        joint = None if channel is None else self._joints.get(channel)
        if channel is not None and joint is not None:
            joint.strict, joint.rejected = False, 0
            self._dirty.add(channel)
            self.open()

    def stop(self) -> None:
        """Close everything."""
        for channel, joint in self._joints.items():
            self._close(channel, joint)

    def remove_interfaces(self) -> None:
        """Remove everything that was made, and restore what was set."""
        for name in self._asked:
            self._out.add(RemoveInterface(name))
        for name in self._promoted:
            self._out.add(PromoteSecondaries(name, on=False))
