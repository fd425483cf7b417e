"""The one timer of an instance: Adver_Timer of a master, Active_Down_Timer of a backup.

It remembers what span it waits for, so that it can be moved when that changes (a priority, a learnt interval) without losing the
time that has passed.
"""

from collections.abc import Callable

from keepalived_py.deadlines import Deadlines
from keepalived_py.units import Micro
from keepalived_py.vrrp.timers import Timer, TimerKey

Span = Callable[[], Micro]
"""How long to wait, worked out anew when something that it depends on has changed."""


class Wait:
    """`since`: when the present wait began."""

    __slots__ = ("_armed_for", "_deadlines", "_key", "_span", "since")

    def __init__(self, deadlines: Deadlines[TimerKey], id: int) -> None:
        self._deadlines = deadlines
        self._key: TimerKey = (Timer.ADVERT, id)
        self._span: Span | None = None
        self._armed_for = Micro(0)
        self.since = Micro(0)

    @property
    def due(self) -> Micro | None:
        """When it fires, None if it does not."""
        return self._deadlines.due(self._key)

    def start(self, span: Span, since: Micro, hold_until: Micro) -> None:
        """Fire after `span`, counted from `since`, or from `hold_until` if that is later."""
        self._span = span
        self._armed_for = span()
        self.since = since
        self._deadlines.set(self._key, Micro(max(since, hold_until) + self._armed_for))

    def adjust(self, now: Micro) -> None:
        """Fire when it would if the present span had been known at the start."""
        due = self.due
        if due is None or self._span is None:
            return
        moved = self._span() - self._armed_for
        if moved:
            self._armed_for = Micro(self._armed_for + moved)
            self._deadlines.set(self._key, Micro(max(now, due + moved)))

    def stop(self) -> None:
        """Do not fire."""
        self._deadlines.drop(self._key)
