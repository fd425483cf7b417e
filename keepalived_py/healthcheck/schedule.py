"""One checker's schedule: when it runs next, and what its results amount to.

A round is `steps` successes in a row (an HTTP check has one step per url, everything else has one).

    known state        result        becomes        next run
    -----------------  ------------  -------------  ----------------------------------------------------------------
    not run yet        success       up after a     next slot (at once if `eager`, until the round is complete)
                                     whole round
    not run yet        failure       down           next slot: before the first success the first failure is final
    up                 success       up             next slot, next step
    up                 failure       up, `retry`    `delay_before_retry` after the failure, same step
                                     times; then
                                     down           next slot
    down               failure       down           next slot, same step
    down               success       up after a     next slot (at once if `eager`), next step
                                     whole round
    any                not run       unchanged      next slot

Slots lie on an absolute grid, `delay_loop` apart, whose phase was drawn once at random: slow probes and late wake-ups shift
nothing, and checks that were spread out stay spread out.  (keepalived counts from the end of each check, and drifts.)

With several steps keepalived asks for every url again once the failed one is good; here the failed one counts as the first.

No clock, no random source, no knowledge of servers: `now` and the first slot are handed in.
"""

import enum
from collections.abc import Callable
from typing import Final

from keepalived_py.config.checkers import Timing
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.units import Micro, micro

BOOTSTRAP: Final = micro(1)
"""Fixed part of the time before a checker's first run."""


class Verdict(enum.Enum):
    """What one result amounts to."""

    NONE = "no news"
    RETRY = "failed, to be retried"
    UP = "up"
    DOWN = "down"
    SKIPPED = "not run"


def first_slot(timing: Timing, now: Micro, rng: Callable[[], float]) -> Micro:
    """Return when a new checker runs first: after the bootstrap time and a random part of `warmup`; `rng` yields 0..1."""
    return Micro(now + BOOTSTRAP + int(rng() * timing.warmup))


class Schedule:
    """State of one checker.

    `up`: what the checker says of its server.  `has_run`: it has come to a verdict at least once.  `due`: instant of the next
    run.  `step`: which step that is.  `tries`: failures in a row that were not final.
    """

    __slots__ = ("_passed", "_slot", "_steps", "_timing", "due", "eager", "has_run", "step", "tries", "up")

    def __init__(self, timing: Timing, start: Micro, *, up: bool, steps: int = 1, eager: bool = False) -> None:
        self._timing = timing
        self._slot = start
        self._steps = steps
        self._passed = 0
        self.due = start
        self.eager = eager
        self.up = up
        self.has_run = False
        self.step = 0
        self.tries = 0

    def result(self, outcome: Outcome, now: Micro) -> Verdict:
        """Take the result of the run that was due, set `due` and `step` for the next one, and return what has changed."""
        if outcome.reason is Reason.LOCAL:
            self.due = self._next_slot(now)
            return Verdict.SKIPPED
        return self._success(now) if outcome.ok else self._failure(now)

    def _success(self, now: Micro) -> Verdict:
        self.tries = 0
        self.step = (self.step + 1) % self._steps
        self._passed = min(self._passed + 1, self._steps)
        settled = self.up and self.has_run
        verdict = Verdict.NONE
        if not settled and self._passed == self._steps:
            self.up = self.has_run = settled = True
            verdict = Verdict.UP
        self.due = now if self.eager and not settled else self._next_slot(now)
        return verdict

    def _failure(self, now: Micro) -> Verdict:
        self._passed = 0
        if self.up and self.has_run and self.tries < self._timing.retry:
            self.tries += 1
            self.due = Micro(now + self._timing.delay_before_retry)
            return Verdict.RETRY
        news = self.up or not self.has_run
        self.up = False
        self.has_run = True
        self.tries = 0
        self.due = self._next_slot(now)
        return Verdict.DOWN if news else Verdict.NONE

    def _next_slot(self, now: Micro) -> Micro:
        period = max(1, self._timing.delay_loop)
        late = now - self._slot
        if late >= 0:
            self._slot = Micro(self._slot + (late // period + 1) * period)
        return self._slot

    def rebind(self, timing: Timing) -> None:
        """Use an equal `timing` in place of the present one, so that the configuration that it came from can be freed."""
        self._timing = timing
