"""Routers on one link in memory: each an engine with a clock of its own; the link loses, repeats, delays and parts.

Nothing here decides anything about VRRP.  Time jumps from event to event, so that hours pass in milliseconds.
"""

import heapq
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

from keepalived_py.addresses import Address, Family
from keepalived_py.config.globals import GlobalDefs
from keepalived_py.config.tracking import Tracking
from keepalived_py.config.vrrp import Vrrp, VrrpInstance
from keepalived_py.units import Micro, micro
from keepalived_py.vrrp.actions import (
    Action,
    AddAddresses,
    AddVmac,
    FifoLine,
    Log,
    RemoveAddresses,
    RunScript,
    SendAdvert,
    StartScript,
)
from keepalived_py.vrrp.engine import VrrpEngine
from keepalived_py.vrrp.events import (
    AddressAdded,
    AdvertReceived,
    Batch,
    CommandLine,
    Event,
    Interface,
    InterfaceChanged,
    Reloaded,
    ScriptDone,
    Single,
    Started,
    Stopping,
    TimerFired,
    WallClock,
)
from keepalived_py.vrrp.fsm import State
from keepalived_py.vrrp.snapshot import InstanceState
from tests.helpers.clock import LocalClock

Kind = TypeVar("Kind", bound=Action)

WALL = micro(1_800_000_000)


@dataclass
class Faults:
    """What the link does to packets, each decided by `Lan.random`."""

    loss: float = 0.0
    repeat: float = 0.0
    least_delay: Micro = Micro(100)
    most_delay: Micro = Micro(300)


class Router:
    """A host on the link: 192.0.2.N and fe80::N on eth0, also up: eth1.

    `actions`, `when`: what its engine wanted, and at what true time.  `held`: virtual addresses that are on it.
    """

    def __init__(self, lan: "Lan", number: int, clock: LocalClock) -> None:
        self.lan = lan
        self.number = number
        self.clock = clock
        self.engine = VrrpEngine()
        self.address = Address.parse(f"192.0.2.{number}")
        self.link_local = Address.parse(f"fe80::{number:x}")
        self.actions: list[Action] = []
        self.when: list[Micro] = []
        self.sent: list[tuple[Micro, SendAdvert]] = []
        self.held: set[Address] = set()
        self.scripts: dict[str, int] = {}
        self.paused = False
        self.alive = True
        self._inbox: list[Single] = []

    @property
    def now(self) -> Micro:
        return self.clock.local(self.lan.now)

    # ---- life ----

    def start(
        self,
        *instances: VrrpInstance,
        vrrp: Vrrp | None = None,
        tracking: Tracking = Tracking(),
        globals_: GlobalDefs = GlobalDefs(),
        facts: Iterable[Single] = (),
        detail: bool = False,
        command_line: CommandLine | None = None,
    ) -> None:
        started = Started(
            vrrp or Vrrp(instances), tracking, globals_, command_line or CommandLine(log_detail=detail), uptime=micro(100)
        )
        self.feed(Batch((*self.host(), *facts, started)))

    def host(self) -> list[Single]:
        found: list[Single] = [WallClock(Micro(WALL - self.now + self.lan.now))]
        for index, name in enumerate(("eth0", "eth1"), 2):
            found.append(InterfaceChanged(Interface(name, index, up=True, mac=bytes((2, 0, 0, 0, index, self.number)))))
        found.append(AddressAdded("eth0", self.address, 24))
        found.append(AddressAdded("eth0", self.link_local, 64))
        return found

    def reload(
        self,
        *instances: VrrpInstance,
        vrrp: Vrrp | None = None,
        tracking: Tracking = Tracking(),
        globals_: GlobalDefs = GlobalDefs(),
    ) -> list[Action]:
        return self.feed(Reloaded(vrrp or Vrrp(instances), tracking, globals_))

    def stop(self) -> list[Action]:
        actions = self.feed(Stopping())
        self.alive = False
        return actions

    def kill(self) -> None:
        """As kill -9 does: what it has put up stays."""
        self.alive = False

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        """What has piled up comes first, then the timer."""
        self.paused = False
        piled, self._inbox = self._inbox, []
        if piled or self._is_due():
            self.feed(Batch((*piled, *([TimerFired()] if self._is_due() else []))))

    def _is_due(self) -> bool:
        due = self.engine.deadline()
        return due is not None and due <= self.now

    # ---- events and actions ----

    def feed(self, event: Event) -> list[Action]:
        actions = self.engine.handle(event, self.now)
        self.actions += actions
        self.when += [self.lan.now] * len(actions)
        for action in actions:
            self._perform(action)
        return actions

    def hear(self, event: AdvertReceived) -> None:
        if not self.alive:
            return
        if self.paused:
            self._inbox.append(event)
        else:
            self.feed(event)

    def next_due(self) -> Micro | None:
        """When the timer of this host fires, in true time."""
        due = self.engine.deadline()
        if due is None or self.paused or not self.alive:
            return None
        return max(self.lan.now, self.clock.true(due))

    def fire(self) -> None:
        self.feed(TimerFired())

    def _perform(self, action: Action) -> None:
        match action:
            case SendAdvert():
                self.sent.append((self.lan.now, action))
                self.lan.transmit(self, action)
            case AddAddresses():
                self.held.update(placed.address.address for placed in action.addresses)
            case RemoveAddresses():
                self.held.difference_update(placed.address.address for placed in action.addresses)
            case StartScript():
                status = self.scripts.get(action.name)
                if status is not None:
                    name = action.name
                    self.lan.at(micro(0.01), lambda: self._script_ended(name))
            case AddVmac():
                made = Interface(action.name, 100 + len(self.actions), up=True, mac=action.mac, base=action.base)
                events: list[Single] = [InterfaceChanged(made)]
                if action.family is Family.INET6:
                    events.append(AddressAdded(action.name, action.link_local or self.link_local, 64))
                self.lan.at(micro(0.001), lambda: self.feed(Batch(tuple(events))))

    def _script_ended(self, name: str) -> None:
        if self.alive and not self.paused:
            self.feed(ScriptDone(name, self.scripts[name], output=f"said {self.scripts[name]}"))

    # ---- what a test looks at ----

    def instance(self, name: str = "V") -> InstanceState:
        return next(found for found in self.engine.snapshot().instances if found.config.name == name)

    def state(self, name: str = "V") -> State:
        return self.instance(name).state

    def log(self) -> list[str]:
        return [action.text for action in self.actions if isinstance(action, Log)]

    def fifo(self) -> list[str]:
        return [action.text.decode().rstrip("\n") for action in self.actions if isinstance(action, FifoLine)]

    def ran(self) -> list[str]:
        return [" ".join((*action.script.argv, *action.extra_args)) for action in self.actions if isinstance(action, RunScript)]

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [action for action in self.actions if isinstance(action, kind)]

    def any_of(self, *kinds: type[Action]) -> list[Action]:
        return [action for action in self.actions if isinstance(action, kinds)]

    def adverts(self) -> list[tuple[float, int]]:
        """When adverts were sent, in seconds of true time, and with what priority."""
        return [(at / 1_000_000, advert.priority) for at, advert in self.sent]

    def forget(self) -> None:
        self.actions.clear()
        self.when.clear()
        self.sent.clear()


@dataclass
class Lan:
    """The link.  `parts`: groups of router numbers that hear each other, everybody when empty."""

    seed: int = 0
    now: Micro = Micro(0)
    faults: Faults = field(default_factory=Faults)
    parts: tuple[frozenset[int], ...] = ()
    routers: dict[int, Router] = field(default_factory=dict)
    _queue: list[tuple[Micro, int, Callable[[], object]]] = field(default_factory=list)
    _serial: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def router(self, number: int, *, clock: LocalClock | None = None) -> Router:
        made = Router(self, number, clock or LocalClock(micro(1000 * number), Fraction(1)))
        self.routers[number] = made
        return made

    def at(self, after: Micro, do: Callable[[], object]) -> None:
        self._serial += 1
        heapq.heappush(self._queue, (Micro(self.now + after), self._serial, do))

    def transmit(self, sender: Router, advert: SendAdvert) -> None:
        for router in self.routers.values():
            if router is not sender and self._hears(sender.number, router.number) and self._reaches(advert, router):
                for _ in range(self._copies()):
                    self.at(self._delay(), lambda to=router: to.hear(as_received(advert, to)))  # type: ignore[misc]

    def _hears(self, first: int, second: int) -> bool:
        return not self.parts or any(first in part and second in part for part in self.parts)

    def _reaches(self, advert: SendAdvert, router: Router) -> bool:
        return advert.destination.is_multicast or advert.destination in (router.address, router.link_local)

    def _copies(self) -> int:
        if self.random.random() < self.faults.loss:
            return 0
        return 2 if self.random.random() < self.faults.repeat else 1

    def _delay(self) -> Micro:
        return Micro(self.random.randint(self.faults.least_delay, self.faults.most_delay))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = Micro(self.now + micro(seconds))
        while True:
            timers = [(due, router.number) for router in self.routers.values() if (due := router.next_due()) is not None]
            first = min(timers, default=None)
            queued = self._queue[0][0] if self._queue else None
            if queued is not None and (first is None or queued <= first[0]):
                if queued > end:
                    break
                self.now = max(self.now, queued)
                heapq.heappop(self._queue)[2]()
            elif first is not None and first[0] <= end:
                self.now = max(self.now, first[0])
                self.routers[first[1]].fire()
            else:
                break
        self.now = end

    def masters(self, name: str = "V") -> list[int]:
        return [number for number, router in self.routers.items() if router.alive and router.state(name) is State.MASTER]


def as_received(advert: SendAdvert, by: Router) -> AdvertReceived:
    """What the raw socket of `by` says of a packet."""
    channel = advert.channel
    if channel.source is not None:
        own = by.address if channel.family is Family.INET else by.link_local
        channel = type(channel)(channel.family, channel.protocol, channel.interface, channel.vrf, source=own)
    if channel.family is Family.INET:
        return AdvertReceived(channel, advert.source, advert.packet)
    return AdvertReceived(channel, advert.source, advert.packet, advert.destination, advert.hop_limit or 255)
