"""The shell of the check engine: feed the event, perform the actions, re-arm one timer.  Sockets and programs are `driver`'s.

A turn that serves one socket costs several times as much as the socket itself.  As long as turns are few, each comes when there is
something to do; when they become many, the shell rests for `REST` between them, and each finds many sockets ready.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from keepalived_py.healthcheck.actions import Action, CancelProbe, StartProbe
from keepalived_py.healthcheck.driver import ProbeDriver
from keepalived_py.healthcheck.engine import CheckEngine
from keepalived_py.healthcheck.events import Batch, Event, Single, TimerFired
from keepalived_py.units import MICRO_PER_SECOND, Micro, micro

REST: Final = micro(0.004)
"""Time between turns when they are many: what a busy process adds to the time that a check takes, once for each wait in it."""

_CREDIT: Final = 16 * REST
"""Turns that may follow each other without rest, in the time that they take to be earned."""


class CheckShell:
    """Joins an engine, a driver and an event loop.

    `clock` is the loop's monotonic clock in microseconds; `perform` takes all actions of one event that are not probes, in order.
    """

    def __init__(
        self,
        engine: CheckEngine,
        driver: ProbeDriver,
        perform: Callable[[list[Action]], None],
        clock: Callable[[], Micro],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._engine = engine
        self._driver = driver
        self._perform = perform
        self._clock = clock
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._armed = Micro(0)
        self._earned = 0  # The instant up to which turns have been paid for: behind the clock by what may be spent.
        self._resting = False
        loop.add_reader(driver.fileno(), self._turn)

    def feed(self, event: Event) -> None:
        """Give the engine an event that is not ours: start, reload, a fact, stop."""
        self._step(event, self._clock())
        self._rearm()

    def close(self) -> None:
        """Let go of the loop and of every socket."""
        self._loop.remove_reader(self._driver.fileno())
        self._disarm()
        self._driver.close()

    def _turn(self) -> None:
        """Serve whatever is due: sockets, deadlines of probes, schedules."""
        now = self._clock()
        events: list[Single] = [*self._driver.poll(now)]
        due = self._engine.deadline()
        if due is not None and due <= now:
            events.append(TimerFired())
        if events:
            self._step(Batch(tuple(events)), now)
            self._earned = max(self._earned, now - _CREDIT) + REST
        self._rest_or_go_on(now)
        self._rearm()

    def _rest_or_go_on(self, now: Micro) -> None:
        """Turn away from the sockets while there is no credit; a turn that finds nothing to do has cost none."""
        resting = self._earned > now
        if resting != self._resting:
            self._resting = resting
            if resting:
                self._loop.remove_reader(self._driver.fileno())
            else:
                self._loop.add_reader(self._driver.fileno(), self._turn)

    def _step(self, event: Event, now: Micro) -> None:
        rest: list[Action] = []
        for action in self._engine.handle(event, now):
            match action:
                case StartProbe():
                    self._driver.start(action.id, action.spec, action.step, now)
                case CancelProbe():
                    self._driver.cancel(action.id)
                case _:
                    rest.append(action)
        if rest:
            self._perform(rest)

    def _rearm(self) -> None:
        due = self._due()
        if due is None:
            return self._disarm()
        if self._timer is not None and self._armed <= due:
            return None  # It comes early, finds nothing to do and is armed anew: cheaper than to cancel it each time.
        self._disarm()
        self._armed = due
        self._timer = self._loop.call_at(due / MICRO_PER_SECOND, self._on_timer)
        return None

    def _due(self) -> Micro | None:
        """Return when the next turn is due if no socket asks for one before, or when the rest is over."""
        if self._resting:
            return Micro(self._earned)
        deadlines = [due for due in (self._engine.deadline(), self._driver.deadline()) if due is not None]
        return min(deadlines) if deadlines else None

    def _on_timer(self) -> None:
        self._timer = None
        if self._resting and self._clock() < self._earned:
            self._rearm()  # It was set before the rest began.
        else:
            self._turn()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
