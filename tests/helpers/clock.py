"""A clock that a test moves: true time for everybody, and local clocks that start elsewhere and run fast or slow."""

from dataclasses import dataclass
from fractions import Fraction

from keepalived_py.units import Micro


@dataclass(slots=True)
class LocalClock:
    """A host's monotonic clock: `start` when true time is 0, then `rate` microseconds for each true one."""

    start: Micro = Micro(0)
    rate: Fraction = Fraction(1)

    def local(self, true: Micro) -> Micro:
        return Micro(self.start + int(true * self.rate))

    def true(self, local: Micro) -> Micro:
        """The first true instant at which the clock shows `local` or more."""
        return Micro(max(0, -((self.start - local) * self.rate.denominator // self.rate.numerator)))
