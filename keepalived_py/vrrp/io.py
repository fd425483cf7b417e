"""The only loop of VRRP: sockets and one absolute timer around the engine.

    a wake-up:  drain every socket -> what was heard, then `TimerFired` if it is due -> engine -> actions -> re-arm the timer

What has arrived counts before the silence that it ends, so sockets are always drained first.  Actions that are not about sockets
go to `perform`, in order, mixed with those that are.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol

from keepalived_py.units import Micro
from keepalived_py.vrrp.actions import Action, CloseChannel, Level, Log, OpenChannel, SendAdvert
from keepalived_py.vrrp.channel import Channel
from keepalived_py.vrrp.events import Batch, Event, Single, TimerFired, WallClock
from keepalived_py.vrrp.sockets import ChannelSockets

PACKETS_PER_TURN: Final = 128
"""Packets that one socket may bring before the others, and the timer, have their turn."""

_CLOCK_STEP: Final = 1000


class Engine(Protocol):
    """What the loop needs of an engine."""

    def handle(self, event: Event, now: Micro) -> list[Action]:
        """Take an event; return what is to be done, in order."""

    def deadline(self) -> Micro | None:
        """Return when `TimerFired` is wanted, or None."""


class Timer(Protocol):
    """What the loop needs of a timer (`system.timer.AbsoluteTimer`)."""

    def fileno(self) -> int:
        """Return the descriptor that becomes readable."""

    def arm(self, at: Micro | None) -> None:
        """Set the instant."""

    def clear(self) -> None:
        """Take note that it fired."""


class VrrpShell:
    """Joins an engine, its sockets, a timer and an event loop."""

    def __init__(
        self,
        engine: Engine,
        timer: Timer,
        perform: Callable[[Action], None],
        clock: Callable[[], Micro],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._engine = engine
        self._timer = timer
        self._perform = perform
        self._clock = clock
        self._loop = loop
        self._sockets: dict[Channel, ChannelSockets] = {}
        self._offset: int | None = None
        self._busy = False
        self._waiting: list[Single] = []
        loop.add_reader(timer.fileno(), self._turn)

    def feed(self, *events: Single) -> None:
        """Give the engine events that are not ours; while it is at work they wait for the end of the step."""
        self._waiting += events
        if not self._busy:
            self._step([])

    def _turn(self) -> None:
        """Serve whatever is due."""
        heard: list[Single] = []
        for sockets in self._sockets.values():
            heard += sockets.receive(PACKETS_PER_TURN)
        due = self._engine.deadline()
        if due is not None and due <= self._clock():
            self._timer.clear()
            heard.append(TimerFired())
        self._step(heard)

    def _step(self, events: list[Single]) -> None:
        """Feed, perform, re-arm; what came up meanwhile is fed in turn."""
        self._busy = True
        try:
            pending = events
            while True:
                waiting, self._waiting = self._waiting, []
                pending = [*self._wall_clock(), *waiting, *pending]
                if not pending:
                    break
                event: Event = pending[0] if len(pending) == 1 else Batch(tuple(pending))
                for action in self._engine.handle(event, self._clock()):
                    self._carry_out(action)
                pending = []
        finally:
            self._busy = False
        self._timer.arm(self._engine.deadline())

    def _wall_clock(self) -> list[Single]:
        """Tell when the wall clock has moved against the monotonic one by a millisecond or more."""
        offset = time.time_ns() // 1000 - self._clock()
        if self._offset is not None and abs(offset - self._offset) < _CLOCK_STEP:
            return []
        self._offset = offset
        return [WallClock(Micro(offset))]

    def _carry_out(self, action: Action) -> None:
        match action:
            case SendAdvert():
                self._send(action)
            case OpenChannel():
                self._open(action)
            case CloseChannel():
                self._close(action.channel)
            case _:
                self._perform(action)

    def _send(self, advert: SendAdvert) -> None:
        sockets = self._sockets.get(advert.channel)
        if sockets is None:
            return
        try:
            sockets.send(advert)
        except OSError as error:
            if advert.priority:
                self._perform(
                    Log(Level.INFO, f"({advert.instance}) cannot send an advert to {advert.destination}: {error.strerror}")
                )

    def _open(self, wanted: OpenChannel) -> None:
        sockets = self._sockets.get(wanted.channel)
        if sockets is not None and sockets.is_current():
            sockets.change(wanted.filter, wanted.receive_buffer)
            return
        self._close(wanted.channel)
        try:
            sockets = ChannelSockets(wanted.channel, wanted.filter, wanted.receive_buffer)
        except OSError as error:
            where = wanted.channel.interface or wanted.channel.source
            self._perform(Log(Level.ERROR, f"cannot open VRRP sockets on {where}: {error.strerror or error}"))
            return
        self._sockets[wanted.channel] = sockets
        self._loop.add_reader(sockets.fileno(), self._turn)

    def _close(self, channel: Channel) -> None:
        sockets = self._sockets.pop(channel, None)
        if sockets is not None:
            self._loop.remove_reader(sockets.fileno())
            sockets.close()

    def close(self) -> None:
        """Let go of the loop and of every socket."""
        self._loop.remove_reader(self._timer.fileno())
        for channel in list(self._sockets):
            self._close(channel)
