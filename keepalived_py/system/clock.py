"""The monotonic clock, in the program's unit."""

import time

from keepalived_py.units import Micro


def now() -> Micro:
    """Return the current instant of CLOCK_MONOTONIC."""
    return Micro(time.monotonic_ns() // 1000)
