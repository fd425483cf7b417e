"""The shell of the check engine: feed the event, perform the actions, re-arm one timer.  Sockets and programs are `driver`'s."""

import asyncio
from collections.abc import Callable

from keepalived_py.healthcheck.actions import Action, CancelProbe, StartProbe
from keepalived_py.healthcheck.driver import ProbeDriver as ProbeDriver
from keepalived_py.healthcheck.engine import CheckEngine
from keepalived_py.healthcheck.events import Batch, Event, Single, TimerFired
from keepalived_py.units import MICRO_PER_SECOND, Micro


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
        loop.add_reader(driver.fileno(), self._turn)

    def feed(self, event: Event) -> None:
        """Give the engine an event that is not ours: start, reload, stop."""
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
        self._rearm()

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
        deadlines = [due for due in (self._engine.deadline(), self._driver.deadline()) if due is not None]
        if not deadlines:
            return self._disarm()
        due = min(deadlines)
        if self._timer is not None and self._armed <= due:
            return None  # It comes early, finds nothing to do and is armed anew: cheaper than to cancel it each time.
        self._disarm()
        self._armed = due
        self._timer = self._loop.call_at(due / MICRO_PER_SECOND, self._on_timer)
        return None

    def _on_timer(self) -> None:
        self._timer = None
        self._turn()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
