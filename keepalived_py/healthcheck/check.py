"""One checker of one real server at work: its schedule, its last outcome, and what the log says of it.

The sentences are keepalived's, from the `kind` of the checker; one line with the reason of a failure is added to them.  Nothing
here decides about the server: that is `pool`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from keepalived_py.config.checkers import Checker
from keepalived_py.config.lvs import RealServer, ServerKey, VirtualServer
from keepalived_py.healthcheck.kind import Kind
from keepalived_py.healthcheck.kinds import kind_of
from keepalived_py.healthcheck.names import key_name
from keepalived_py.healthcheck.outcome import Outcome
from keepalived_py.healthcheck.pool import Pool
from keepalived_py.healthcheck.schedule import BOOTSTRAP, Schedule, first_slot
from keepalived_py.healthcheck.snapshot import CheckState
from keepalived_py.units import Micro


@dataclass(frozen=True, slots=True)
class Birth:
    """What the new checks of a server start from.  `up` None: what `alpha` says.  `at_once`: without warm-up."""

    up: bool | None = None
    at_once: bool = False


class Service:
    """A virtual server's pool with the checks of its real servers."""

    __slots__ = ("checks", "pool")

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.checks: dict[ServerKey, tuple[Check, ...]] = {}


class Check:
    """State of one checker.  `running`: a probe is under way; else a timer for `schedule.due` is set."""

    __slots__ = ("id", "key", "last", "running", "schedule", "service", "spec")

    def __init__(self, id: int, spec: Checker, service: Service, key: ServerKey, schedule: Schedule) -> None:
        self.id = id
        self.spec = spec
        self.service = service
        self.key = key
        self.schedule = schedule
        self.running = False
        self.last: Outcome | None = None

    @property
    def kind(self) -> Kind[Any]:
        """The row of this type of checker."""
        return kind_of(self.spec)

    @property
    def server(self) -> str:
        """Name of the real server."""
        return key_name(self.service.pool.config.target, self.key)

    def rebind(self, spec: Checker) -> None:
        """Use an equal `spec` in place of the present one, so that the configuration it came from can be freed."""
        self.spec = spec
        self.schedule.rebind(spec.timing)

    def bonus(self, configured: int) -> int:
        """Return what the last outcome adds to the `configured` weight of the server."""
        last = self.last
        return 0 if last is None or last.weight is None or not last.ok else last.weight - configured

    def state(self) -> CheckState:
        """Return plain values."""
        schedule = self.schedule
        due = None if self.running else schedule.due
        return CheckState(self.kind.name(self.spec), schedule.up, schedule.has_run, schedule.tries, due, self.last)

    # ---- sentences ----

    def activated(self) -> str:
        """Return what is said when the checker starts to work."""
        return f"Activating healthchecker for service {self.server} for VS {self.service.pool.name}"

    def succeeded(self) -> str:
        """Return what is said when the checker comes up, or runs for the first time."""
        return self.kind.wording(self.spec).success.format(server=self.server)

    def passed_step(self, step: int) -> list[str]:
        """Return what is said of a step that passed while the checker is down."""
        text = self.kind.step_text(self.spec, step, self.server)
        return [] if text is None else [text]

    def went_down(self, *, had_run: bool) -> list[str]:
        """Return what is said when the checker goes down, and why it did."""
        name, retries = self.server, self.spec.timing.retry
        failure = self.kind.wording(self.spec).failure.format(server=name)
        return [
            f"{failure} after {retries} retries." if had_run and retries else f"{failure}.",
            f"{self.kind.name(self.spec)} on service {name}: {self.last}",
        ]

    def failed_try(self, *, log_all: bool) -> list[str]:
        """Return what is said of each single failure where the configuration asks for that."""
        if self.last is None or not (log_all or self.spec.timing.log_all_failures):
            return []
        return [self.kind.attempt_text(self.spec, self.last, self.server)]

    def skipped(self, before: Outcome | None) -> list[str]:
        """Return what is said when a check cannot be run for a reason of our own: once, not each time."""
        last = self.last
        if last is None or (before is not None and (before.reason, before.detail) == (last.reason, last.detail)):
            return []
        return [f"{self.kind.name(self.spec)} on service {self.server} {last}. Rescheduling."]


def schedule_for(spec: Checker, birth: Birth, now: Micro, rng: Callable[[], float]) -> Schedule:
    """Return the schedule that a new checker starts with."""
    kind = kind_of(spec)
    up = (not spec.timing.alpha) if birth.up is None else birth.up
    start = Micro(now + BOOTSTRAP) if birth.at_once else first_slot(spec.timing, now, rng)
    return Schedule(spec.timing, start, up=up, steps=kind.steps(spec), eager=kind.eager(spec))


def failed_of(checks: Iterable[Check]) -> int:
    """Return how many checks hold their server down."""
    return sum(not check.schedule.up for check in checks)


def bonus_of(checks: Iterable[Check], configured: int) -> int:
    """Return what checks together add to the `configured` weight of their server."""
    return sum(check.bonus(configured) for check in checks)


def birth_from_kernel(server: RealServer, kernel: Mapping[ServerKey, int] | None) -> tuple[Birth, bool]:
    """Return how the checks of a server start after a restart, and whether it is held in the table with weight 0.

    A server that the kernel does not serve is down until its first success, and is asked without delay.
    """
    if kernel is None:
        return Birth(), False
    weight = kernel.get(server.key)
    if weight is None:
        return Birth(up=False, at_once=True), False
    alive = weight > 0 or server.weight == 0
    return Birth(up=alive, at_once=not alive), not alive


def kernel_had_quorum(config: VirtualServer, kernel: Mapping[ServerKey, int] | None) -> bool:
    """Return whether the kernel shows a service whose quorum was up: it is there, and no sorry server serves."""
    if kernel is None:
        return False
    sorry = config.sorry_server
    return sorry is None or not kernel.get(sorry.key) or any(server.key == sorry.key for server in config.real_servers)
