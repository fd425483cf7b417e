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

With `fall` the failures of a run and of its retries must repeat in that many slots in a row until up becomes down, and with `rise`
that many rounds in a row must pass until down becomes up.  (Extensions; 1 is keepalived's behaviour.  The first verdict waits for
neither, unless the checker starts as down.)

Slots lie on an absolute grid, `delay_loop` apart, whose phase was drawn once at random: slow probes and late wake-ups shift
nothing, and checks that were spread out stay spread out.  (keepalived counts from the end of each check, and drifts.)

With several steps keepalived asks for every url again once the failed one is good; here the failed one counts as the first.
keepalived's SMTP_CHECK retries before the first success and while it is down, too; here all checkers follow the table.

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
    RETRY = "failed, to be repeated"
    UP = "up"
    DOWN = "down"
    SKIPPED = "not run"

    @property
    def settles(self) -> bool:
        """Whether the result counts, rather than the one before it."""
        return self is not Verdict.RETRY and self is not Verdict.SKIPPED


def first_slot(timing: Timing, now: Micro, rng: Callable[[], float]) -> Micro:
    """Return when a new checker runs first: after the bootstrap time and a random part of `warmup`; `rng` yields 0..1."""
    return Micro(now + BOOTSTRAP + int(rng() * timing.warmup))


class Schedule:
    """State of one checker.

    `up`: what the checker says of its server.  `has_run`: it has come to a verdict at least once.  `due`: instant of the next
    run.  `step`: which step that is.  `tries`: failures in a row that were not final.
    """

    __slots__ = ("_falls", "_passed", "_rises", "_slot", "_steps", "_timing", "due", "eager", "has_run", "step", "tries", "up")

    def __init__(self, timing: Timing, start: Micro, *, up: bool, steps: int = 1, eager: bool = False) -> None:
        self._timing = timing
        self._slot = start
        self._steps = steps
        self._passed = 0
        self._falls = 0
        self._rises = 0
        self.due = start
        self.eager = eager
        self.up = up
        self.has_run = False
        self.step = 0
        self.tries = 0

    def result(self, outcome: Outcome, now: Micro) -> Verdict:
        """Take the result of the run that was due, set `due` and `step` for the next one, and return what has changed."""
        if outcome.reason is Reason.LOCAL:
            self.skip(now)
            return Verdict.SKIPPED
        return self._success(now) if outcome.ok else self._failure(now)

    def skip(self, now: Micro) -> None:
        """Leave the run that is due out."""
        self.due = self._next_slot(now)

    def _success(self, now: Micro) -> Verdict:
        self.tries = self._falls = 0
        self.step = (self.step + 1) % self._steps
        self._passed = min(self._passed + 1, self._steps)
        settled = self.up and self.has_run
        verdict = Verdict.NONE
        if not settled and self._passed == self._steps:
            settled = self._rise()
            verdict = Verdict.UP if settled else Verdict.NONE
        self.due = now if self.eager and not settled and self._passed else self._next_slot(now)
        return verdict

    def _rise(self) -> bool:
        """Count a round that has passed; return whether it brings the checker up."""
        self._rises += 1
        if not self.up and self._rises < self._timing.rise:
            self._passed = 0
            return False
        self.up = self.has_run = True
        self._rises = 0
        return True

    def _failure(self, now: Micro) -> Verdict:
        self._passed = self._rises = 0
        settled = self.up and self.has_run
        if settled and self.tries < self._timing.retry:
            self.tries += 1
            self.due = Micro(now + self._timing.delay_before_retry)
            return Verdict.RETRY
        self.tries = 0
        self.due = self._next_slot(now)
        if settled and self._falls + 1 < self._timing.fall:
            self._falls += 1
            return Verdict.RETRY
        news = self.up or not self.has_run
        self.up = False
        self.has_run = True
        self._falls = 0
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
