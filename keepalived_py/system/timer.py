"""A timer on the monotonic clock that wakes an event loop to the microsecond: timerfd with absolute times.

(``os.timerfd_create`` is there from Python 3.13 on; before, the C library is asked.)
"""

import contextlib
import ctypes
import os
from typing import Final

from keepalived_py.units import MICRO_PER_SECOND, Micro

_CLOCK_MONOTONIC: Final = 1
_TFD_NONBLOCK: Final = os.O_NONBLOCK
_TFD_CLOEXEC: Final = os.O_CLOEXEC
_TFD_TIMER_ABSTIME: Final = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class AbsoluteTimer:
    """One timer; its descriptor becomes readable at the instant that was set."""

    def __init__(self) -> None:
        """Create it; raise `OSError` when the kernel refuses."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: int = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._armed: Micro | None = None

    def fileno(self) -> int:
        """Return the descriptor, to be waited for."""
        return self._descriptor

    def arm(self, at: Micro | None) -> None:
        """Set the instant (None: never); the same one again costs nothing.  An instant that has passed fires at once."""
        if at == self._armed:
            return
        self._armed = at
        spec = _Itimerspec()
        if at is not None:
            whole, part = divmod(max(int(at), 1), MICRO_PER_SECOND)
            spec.value.seconds, spec.value.nanoseconds = whole, part * 1000
        if self._libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, ctypes.byref(spec), None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def clear(self) -> None:
        """Take note that it fired, so that the descriptor becomes quiet."""
        self._armed = None
        with contextlib.suppress(BlockingIOError):
            os.read(self._descriptor, 8)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)
