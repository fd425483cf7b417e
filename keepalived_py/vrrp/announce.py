"""When neighbours are told where the virtual addresses are: gratuitous ARPs (IPv4) and unsolicited neighbour advertisements (IPv6).

    becoming master    at once, master_repeat times; the same again after master_delay
    while master       master_refresh_repeat times every master_refresh, from master_delay on;
                       once per other interface every extra_if
    lower priority     lower_prio_repeat times at once and after lower_prio_delay

Blocks go out as one action, unless an interface has a rate limit (``vrrp_garp_interval``, ``garp_group``): then one address at a
time, the rest in a queue in which an address waits once with a count.  No frames here: the host side builds them.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, Protocol

from keepalived_py.addresses import Address, Family
from keepalived_py.config.vrrp import GarpGroup, VrrpInstance
from keepalived_py.deadlines import Deadlines
from keepalived_py.units import MICRO_PER_SECOND, Micro
from keepalived_py.vrrp.actions import Neighbour, SendGratuitous
from keepalived_py.vrrp.facts import Facts
from keepalived_py.vrrp.outbox import Outbox
from keepalived_py.vrrp.placing import Placement
from keepalived_py.vrrp.timers import Timer, TimerKey

_BLOCKS: Final = (Timer.GARP_SECOND, Timer.GARP_REFRESH, Timer.GARP_EXTRA, Timer.GARP_LOWER)


class Announced(Protocol):
    """What must be known of an instance."""

    id: int
    config: VrrpInstance
    placement: Placement

    @property
    def has_addresses(self) -> bool:
        """Whether the virtual addresses are on this host."""


class Pacer:
    """A rate limit over one or several interfaces: no two frames less than `interval` apart."""

    __slots__ = ("_at", "_interval", "_pending")

    def __init__(self, interval: Micro) -> None:
        self._interval = interval
        self._at = Micro(0)
        self._pending: OrderedDict[Neighbour, tuple[int, str, int]] = OrderedDict()

    @property
    def due(self) -> Micro | None:
        """When the next frame may go out, None if none waits."""
        return self._at if self._pending else None

    def offer(self, target: Neighbour, id: int, name: str, repeat: int, now: Micro) -> bool:
        """Return whether a frame may go out now; if not it waits, up to `repeat` times."""
        waiting = self._pending.get(target)
        if waiting is not None:
            if waiting[2] < repeat:
                self._pending[target] = (id, name, waiting[2] + 1)
            return False
        if now < self._at:
            self._pending[target] = (id, name, 1)
            return False
        self._at = Micro(now + self._interval)
        return True

    def pop(self, now: Micro) -> tuple[str, Neighbour] | None:
        """Take the frame that has waited longest, if it may go out now; what waits for it to be repeated goes to the end."""
        if not self._pending or now < self._at:
            return None
        target, (id, name, count) = self._pending.popitem(last=False)
        if count > 1:
            self._pending[target] = (id, name, count - 1)
        self._at = Micro(now + self._interval)
        return name, target

    def forget(self, id: int) -> None:
        """Drop what waits for an instance."""
        for target in [target for target, waiting in self._pending.items() if waiting[0] == id]:
            del self._pending[target]


class Announcer:
    """The schedules of all instances, and the rate limits that they share."""

    def __init__(self, outbox: Outbox, deadlines: Deadlines[TimerKey], facts: Facts) -> None:
        self._outbox = outbox
        self._deadlines = deadlines
        self._facts = facts
        self._last = 0
        self._pacers: dict[int, Pacer] = {}
        self._of_place: dict[tuple[str, Family], int] = {}
        self._default: dict[Family, Micro] = {}

    def configure(self, groups: Iterable[GarpGroup], garp_interval: Micro, gna_interval: Micro) -> None:
        """Take new rate limits; what waits because of the old ones is dropped."""
        for number in self._pacers:
            self._deadlines.drop((Timer.PACE, number))
        self._pacers.clear()
        self._of_place.clear()
        self._default = {Family.INET: garp_interval, Family.INET6: gna_interval}
        for group in groups:
            for family, interval in ((Family.INET, group.garp_interval), (Family.INET6, group.gna_interval)):
                number = self._new_pacer(interval or Micro(0))
                self._of_place.update({(name, family): number for name in group.interfaces})

    # ---- what happens to an instance ----

    def became_master(self, instance: Announced, now: Micro) -> None:
        """Send the first block and plan the others."""
        garp = instance.config.garp
        delay = garp.master_delay * MICRO_PER_SECOND
        self._send(instance, garp.master_repeat, now)
        self._plan(Timer.GARP_SECOND, instance, delay, now)
        self._plan(Timer.GARP_REFRESH, instance, garp.master_refresh * MICRO_PER_SECOND, now, after=delay)
        self._plan(Timer.GARP_EXTRA, instance, garp.extra_if * MICRO_PER_SECOND, now, after=delay)

    def lower_priority(self, instance: Announced, now: Micro) -> None:
        """Win back those whom a router of lower priority has drawn away."""
        garp = instance.config.garp
        if garp.lower_prio_repeat:
            self._send(instance, garp.lower_prio_repeat, now)
            self._plan(Timer.GARP_LOWER, instance, garp.lower_prio_delay * MICRO_PER_SECOND, now)

    def left_master(self, instance: Announced) -> None:
        """Send nothing more."""
        for timer in _BLOCKS:
            self._deadlines.drop((timer, instance.id))
        for pacer in self._pacers.values():
            pacer.forget(instance.id)

    def fired(self, timer: Timer, instance: Announced, now: Micro) -> None:
        """Send the block that is due, and plan the next one of its kind."""
        garp = instance.config.garp
        match timer:
            case Timer.GARP_SECOND:
                self._send(instance, garp.master_repeat, now)
            case Timer.GARP_LOWER:
                self._send(instance, garp.lower_prio_repeat, now)
            case Timer.GARP_REFRESH:
                self._send(instance, garp.master_refresh_repeat, now)
                self._plan(timer, instance, garp.master_refresh * MICRO_PER_SECOND, now)
            case Timer.GARP_EXTRA:
                self._send_to(instance, self._one_per_other_interface(instance), 1, now)
                self._plan(timer, instance, garp.extra_if * MICRO_PER_SECOND, now)

    def own_address(self, instance: Announced, address: Address) -> None:
        """Remind neighbours of a router's own address, so that unicast adverts reach it without a detour over ARP."""
        interface = instance.config.interface
        if interface is not None and self._facts.speaks_arp(interface):
            self._outbox.add(SendGratuitous(instance.config.name, (Neighbour(interface, address),)))

    def paced(self, number: int, now: Micro) -> None:
        """Send what a rate limit lets through now."""
        pacer = self._pacers.get(number)
        if pacer is None:
            return
        found = pacer.pop(now)
        if found is not None:
            name, target = found
            self._outbox.add(SendGratuitous(name, (target,)))
        self._arm(number, pacer)

    # ---- sending ----

    def _plan(self, timer: Timer, instance: Announced, span: int, now: Micro, after: int = 0) -> None:
        if span:
            self._deadlines.set((timer, instance.id), Micro(now + after + span))

    def _send(self, instance: Announced, repeat: int, now: Micro) -> None:
        placed = instance.placement.all
        self._send_to(instance, (Neighbour(item.interface, item.address.address) for item in placed), repeat, now)

    def _send_to(self, instance: Announced, targets: Iterable[Neighbour], repeat: int, now: Micro) -> None:
        if not instance.has_addresses or not repeat:
            return
        free: list[Neighbour] = []
        limited: list[tuple[int, Pacer, Neighbour]] = []
        for target in targets:
            if self._facts.speaks_arp(target.interface):
                self._detail(instance.config.name, target)
                number = self._pacer_for(target)
                if number is None:
                    free.append(target)
                else:
                    limited.append((number, self._pacers[number], target))
        if free:
            self._outbox.add(SendGratuitous(instance.config.name, tuple(free), repeat))
        for _ in range(repeat):
            for _number, pacer, target in limited:
                if pacer.offer(target, instance.id, instance.config.name, repeat, now):
                    self._outbox.add(SendGratuitous(instance.config.name, (target,)))
        for number, pacer in {number: pacer for number, pacer, _ in limited}.items():
            self._arm(number, pacer)

    def _detail(self, name: str, target: Neighbour) -> None:
        if self._outbox.log_detail:
            what = "gratuitous ARPs" if target.address.family is Family.INET else "Unsolicited Neighbour Adverts"
            self._outbox.detail(f"({name}) Sending/queueing {what} on {target.interface} for {target.address}")

    def _one_per_other_interface(self, instance: Announced) -> Iterable[Neighbour]:
        config, placement = instance.config, instance.placement
        ours = {made.name for made in placement.made}
        seen: set[str] = set()
        for item in placement.all:
            wanted = item.interface in ours or config.garp.extra_if_all
            at_home = item.interface == placement.device and not config.vmac_xmit_base
            if wanted and not at_home and item.interface not in seen:
                seen.add(item.interface)
                yield Neighbour(item.interface, item.address.address)

    # ---- rate limits ----

    def _pacer_for(self, target: Neighbour) -> int | None:
        """Return the number of the rate limit for a frame, making the default one of its interface where there is none."""
        place = (self._facts.base_of(target.interface), target.address.family)
        number = self._of_place.get(place)
        if number is None:
            interval = self._default.get(target.address.family, Micro(0))
            if not interval:
                return None
            number = self._of_place[place] = self._new_pacer(interval)
        return number if number in self._pacers else None

    def _new_pacer(self, interval: Micro) -> int:
        """Return the number of a new rate limit; a group may also say that there is none."""
        self._last += 1
        if interval:
            self._pacers[self._last] = Pacer(interval)
        return self._last

    def _arm(self, number: int, pacer: Pacer) -> None:
        due = pacer.due
        if due is None:
            self._deadlines.drop((Timer.PACE, number))
        else:
            self._deadlines.set((Timer.PACE, number), due)
