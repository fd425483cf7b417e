"""What the engine waits for, and how long a silence must last before a backup takes over.

The protocol's own formulas (RFC 9568 section 6.1, RFC 3768 section 6.1) and nothing else; who is waiting is `instance`'s business.
"""

import enum
from typing import Final

from keepalived_py.config.vrrp import OWNER_PRIORITY
from keepalived_py.units import MICRO_PER_SECOND, Micro
from keepalived_py.vrrp.packet import VERSION_2

IMMEDIATELY: Final = Micro(1)
"""How long the address owner waits: not at all, but for the one that may come before it in the same instant."""


class Timer(enum.Enum):
    """What a deadline is for; its key is this and the number or name of who waits."""

    ADVERT = "Adver_Timer of a master, Active_Down_Timer of a backup"
    RIVAL = "another address owner should have given up"
    GARP_SECOND = "second block of gratuitous ARPs"
    GARP_REFRESH = "periodic gratuitous ARPs"
    GARP_EXTRA = "periodic gratuitous ARPs on other interfaces"
    GARP_LOWER = "second block after an advert of lower priority"
    PACE = "next gratuitous ARP that a rate limit lets through"
    SCRIPT = "next run of a script"
    PROCESS = "a number of processes has lasted"
    INTERFACE = "a change of an interface has lasted"
    FLOOD = "a channel that was flooded may be open again"
    STARTUP = "the delay at start is over"


TimerKey = tuple[Timer, int | str]


def skew_time(version: int, priority: int, interval: Micro) -> Micro:
    """Return the skew time of a router with `priority` (at least 1) when the master sends every `interval`.

    Version 3: (256 - priority) x interval / 256 (RFC 9568); version 2: (256 - priority) / 256 seconds (RFC 3768).
    """
    unit = MICRO_PER_SECOND if version == VERSION_2 else interval
    return Micro((256 - priority) * unit // 256)


def shortest_skew(version: int, interval: Micro) -> Micro:
    """Return the skew time of the address owner."""
    return skew_time(version, OWNER_PRIORITY, interval)


def master_down_interval(version: int, priority: int, interval: Micro, adverts: int) -> Micro:
    """Return the silence after which a router with `priority` takes over: `adverts` intervals (the RFC's 3) and its skew time."""
    return Micro(adverts * interval + skew_time(version, priority, interval))
