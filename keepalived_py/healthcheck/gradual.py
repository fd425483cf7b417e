"""What happens to a real server little by little: its weight grows after a recovery, it is drained before it leaves.

    slow_start      0 s  1/10 of the weight ... after `slow_start` all of it; at least 1, where it is not 0
    drain_timeout   weight 0, so that connections end by themselves ... then it is taken out of the table

Both concern the table only: whether there is a quorum is decided with full weights, so that a recovered server relieves the sorry
server at once.  No clock, no table: `pool` knows what a share of a weight is.
"""

from dataclasses import dataclass
from typing import Final

from keepalived_py.units import Micro

STEPS: Final = 10
"""Steps in which a weight grows."""

WHOLE: Final = 1000
"""Share of a weight that is all of it."""


@dataclass(frozen=True, slots=True)
class SlowStart:
    """A weight that grows from `start` on for `span`, more than 0."""

    start: Micro
    span: Micro

    def share(self, now: Micro) -> int:
        """Return the share of the weight at `now`, 100..1000 thousandths."""
        passed = max(0, now - self.start)
        return min(WHOLE, (passed * STEPS // self.span + 1) * (WHOLE // STEPS))

    def next(self, now: Micro) -> Micro:
        """Return when the share changes next."""
        passed = max(0, now - self.start)
        step = passed * STEPS // self.span + 1
        return Micro(self.start + -(-step * self.span // STEPS))


@dataclass(frozen=True, slots=True)
class Draining:
    """A server that takes no new connections until it leaves the table at `end`."""

    end: Micro


Gradual = SlowStart | Draining


def part(weight: int, share: int) -> int:
    """Return a share of a weight, at least 1 of what is more than 0."""
    return max(1, weight * share // WHOLE) if weight else 0
