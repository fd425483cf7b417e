"""All checks of a process: equal ones are one, each has its timer, and those that follow facts are found by them.

A check is shared when it asks a server and nothing else, so that one answer is every equal check's answer.  Virtual servers with
`ha_suspend` share with nobody: theirs stop and go on by themselves.
"""

from collections.abc import Callable, Iterator
from typing import Any

from keepalived_py.config.checkers import Checker
from keepalived_py.config.lvs import ServerKey, Target
from keepalived_py.healthcheck.check import Birth, Check, Service, Use, may_join, schedule_for
from keepalived_py.healthcheck.facts import Fact
from keepalived_py.healthcheck.kind import Kind
from keepalived_py.healthcheck.kinds import kind_of
from keepalived_py.healthcheck.timers import Timers
from keepalived_py.units import Micro


class Registry:
    """The checks by id, with the ids and timers that everything in the engine shares.  `rng` returns a float in 0..1."""

    def __init__(self, rng: Callable[[], float]) -> None:
        self._rng = rng
        self._last_id = 0
        self._checks: dict[int, Check] = {}
        self._shared: dict[tuple[Checker, Target | None], Check] = {}
        self._followers: dict[Fact, list[Check]] = {}
        self._facts: dict[Fact, int] = {}
        self.timers = Timers()

    def __iter__(self) -> Iterator[Check]:
        return iter(self._checks.values())

    def get(self, id: int) -> Check | None:
        """Return a check, or None for an id that is none (any longer)."""
        return self._checks.get(id)

    def new_id(self) -> int:
        """Return an id that nothing else has."""
        self._last_id += 1
        return self._last_id

    def employ(self, spec: Checker, service: Service, key: ServerKey, birth: Birth, now: Micro) -> Check:
        """Return the check that does this job for a server, new or one that is at work already, with one more use."""
        kind = kind_of(spec)
        sharing = (spec, service.pool.config.target if service.ranges else None) if kind.shareable(spec) else None
        known = None if sharing is None else self._shared.get(sharing)
        if known is not None and may_join(known, spec, birth):
            known.joined = known.joined or known.schedule.has_run
            known.uses.append(Use(service, key, joined=known.schedule.has_run))
            return known
        check = self._make(spec, kind, birth, now)
        check.uses.append(Use(service, key))
        if sharing is not None:
            self._shared.setdefault(sharing, check)
        return check

    def _make(self, spec: Checker, kind: Kind[Any], birth: Birth, now: Micro) -> Check:
        check = Check(self.new_id(), spec, schedule_for(spec, birth, now, self._rng))
        self._checks[check.id] = check
        fact = kind.fact(spec)
        if fact is None:
            self.timers.set(check.id, check.schedule.due)
            return check
        self._followers.setdefault(fact, []).append(check)
        outcome = kind.judge(spec, self._facts.get(fact))
        if outcome is not None:
            check.schedule.up = outcome.ok
            check.schedule.has_run = True
            check.last = check.settled = outcome
        return check

    def dismiss(self, check: Check, service: Service, key: ServerKey) -> bool:
        """End one use of a check; return whether a probe is left running for nobody."""
        for use in check.uses:
            if use.service is service and use.key == key:
                check.uses.remove(use)
                break
        if check.uses:
            return False
        del self._checks[check.id]
        self.timers.drop(check.id)
        fact = check.kind.fact(check.spec)
        if fact is not None:
            self._unfollow(fact, check)
        elif check.kind.shareable(check.spec):
            sharing = (check.spec, service.pool.config.target if service.ranges else None)
            if self._shared.get(sharing) is check:
                del self._shared[sharing]
        return check.running

    def _unfollow(self, fact: Fact, check: Check) -> None:
        followers = self._followers[fact]
        followers.remove(check)
        if not followers:
            del self._followers[fact]

    def learn(self, fact: Fact, value: int) -> tuple[Check, ...]:
        """Remember a fact; return the checks that follow it, none when it is no news."""
        if self._facts.get(fact) == value:
            return ()
        self._facts[fact] = value
        return tuple(self._followers.get(fact, ()))
