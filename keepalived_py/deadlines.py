"""Many deadlines behind one: a heap that forgets cancelled entries lazily.  Knows neither clock nor loop."""

import heapq
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

from keepalived_py.units import Micro

Key = TypeVar("Key", bound=Hashable)

_SLACK: Final = 64


class Deadlines(Generic[Key]):
    """At most one deadline per key; of those at one instant, the one that was set first comes first."""

    __slots__ = ("_due", "_heap", "_serial")

    def __init__(self) -> None:
        self._heap: list[tuple[Micro, int, Key]] = []
        self._due: dict[Key, tuple[Micro, int]] = {}
        self._serial = 0

    def __len__(self) -> int:
        return len(self._due)

    def set(self, key: Key, due: Micro) -> None:
        """Give `key` the deadline `due`, in place of any that it has."""
        self._serial += 1
        self._due[key] = (due, self._serial)
        heapq.heappush(self._heap, (due, self._serial, key))
        if len(self._heap) > 2 * len(self._due) + _SLACK:
            self._heap = [(due, serial, key) for key, (due, serial) in self._due.items()]
            heapq.heapify(self._heap)

    def drop(self, key: Key) -> None:
        """Forget the deadline of `key`, if it has one."""
        self._due.pop(key, None)

    def due(self, key: Key) -> Micro | None:
        """Return the deadline of `key`, or None."""
        found = self._due.get(key)
        return None if found is None else found[0]

    def deadline(self) -> Micro | None:
        """Return the earliest deadline, or None."""
        heap = self._heap
        while heap:
            due, serial, key = heap[0]
            if self._due.get(key) == (due, serial):
                return due
            heapq.heappop(heap)
        return None

    def pop_expired(self, now: Micro) -> Key | None:
        """Remove and return the key whose deadline came first, if that is `now` or earlier."""
        due = self.deadline()
        if due is None or due > now:
            return None
        _, _, key = heapq.heappop(self._heap)
        del self._due[key]
        return key
