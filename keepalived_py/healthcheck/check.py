"""One checker at work: its schedule, its last outcome, and what the log says of it.

Equal checks of several virtual servers are one `Check` with several uses: the server is asked once, and all are told.  The
sentences are keepalived's, from the `kind` of the checker; one line with the reason of a failure is added to them.  Nothing here
decides about a server: that is `pool`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from keepalived_py.addresses import Address
from keepalived_py.config.checkers import Checker
from keepalived_py.config.lvs import (
    AddressEntry,
    AddressTarget,
    GroupTarget,
    RealServer,
    ServerKey,
    VirtualServer,
    VirtualServerGroup,
)
from keepalived_py.healthcheck.kind import Failure, Kind, Where
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
    """A virtual server's pool with the checks of its real servers.

    `ranges` are its addresses, first and last of each range, where it has `ha_suspend`; `suspended`: the host has none of them.
    """

    __slots__ = ("checks", "pool", "ranges", "suspended")

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.checks: dict[ServerKey, tuple[Check, ...]] = {}
        self.ranges: tuple[tuple[Address, Address], ...] = ()
        self.suspended = False

    def has_address(self, address: Address) -> bool:
        """Return whether an address is one of those that suspend it."""
        return any(first.family is address.family and first <= address <= last for first, last in self.ranges)


class Use:
    """A check in its role for one real server of one virtual server.

    `joined`: the check was at work already when this use began, and has not had a result since.
    """

    __slots__ = ("joined", "key", "service")

    def __init__(self, service: Service, key: ServerKey, *, joined: bool = False) -> None:
        self.service = service
        self.key = key
        self.joined = joined

    @property
    def where(self) -> Where:
        """Names of real and virtual server."""
        pool = self.service.pool
        return Where(key_name(pool.config.target, self.key), pool.name)


class Check:
    """State of one checker.

    `running`: a probe is under way; else a timer for `schedule.due` is set.  `last`: what the last run found; `settled`: what the
    last run found that counts.  `joined`: one of the uses has not had a result.
    """

    __slots__ = ("id", "joined", "last", "running", "schedule", "settled", "spec", "uses")

    def __init__(self, id: int, spec: Checker, schedule: Schedule) -> None:
        self.id = id
        self.spec = spec
        self.schedule = schedule
        self.running = False
        self.last: Outcome | None = None
        self.settled: Outcome | None = None
        self.joined = False
        self.uses: list[Use] = []

    @property
    def kind(self) -> Kind[Any]:
        """The row of this type of checker."""
        return kind_of(self.spec)

    @property
    def follows(self) -> bool:
        """Whether the checker follows a fact, so that nothing is ever run."""
        return self.kind.fact(self.spec) is not None

    @property
    def suspended(self) -> bool:
        """Whether nobody wants it to run now."""
        return self.uses[0].service.suspended  # Those that can be suspended share with nobody else: they all are, or none.

    def rebind(self, spec: Checker) -> None:
        """Use an equal `spec` in place of the present one, so that the configuration it came from can be freed."""
        self.spec = spec
        self.schedule.rebind(self.kind.timing(spec))

    def bonus(self, configured: int) -> int:
        """Return what the last outcome that counts adds to the `configured` weight of a server."""
        return 0 if self.settled is None else self.settled.added_to(configured)

    def state(self) -> CheckState:
        """Return plain values."""
        schedule = self.schedule
        due = None if self.running or self.follows else schedule.due
        return CheckState(self.kind.name(self.spec), schedule.up, schedule.has_run, schedule.tries, due, self.last)

    # ---- sentences ----

    def activated(self, use: Use) -> list[str]:
        """Return what is said when the checker starts to work for a server."""
        if self.follows:
            return []
        where = use.where
        verb = "Deactivating" if use.service.suspended else "Activating"
        return [f"{verb} healthchecker for service {where.server} for VS {where.service}"]

    def suspended_or_resumed(self, use: Use) -> str:
        """Return what is said when `ha_suspend` stops the checker, or lets it go on."""
        where = use.where
        verb = "Suspending" if use.service.suspended else "Activating"
        return f"{verb} healthchecker for service {where.server} for VS {where.service}"

    def succeeded(self, use: Use, outcome: Outcome) -> tuple[str, ...]:
        """Return what is said when the checker comes up, or runs for the first time."""
        return self.kind.success_text(self.spec, outcome, use.where)

    def passed_step(self, use: Use, step: int) -> list[str]:
        """Return what is said of a step that passed while the checker is down."""
        text = self.kind.step_text(self.spec, step, use.where.server)
        return [] if text is None else [text]

    def went_down(self, use: Use, outcome: Outcome, *, first: bool) -> list[str]:
        """Return what is said when the checker goes down, and why it did; `first`: it has never passed."""
        retry = self.kind.timing(self.spec).retry
        where = use.where
        return [
            self.kind.failure_text(self.spec, Failure(outcome, retry + 1, retry, final=True, first=first), where),
            f"{self.kind.name(self.spec)} on service {where.server}: {outcome}",
        ]

    def failed_try(self, use: Use, outcome: Outcome, *, final: bool, log_all: bool) -> list[str]:
        """Return what is said of each single failure where the configuration asks for that."""
        timing = self.kind.timing(self.spec)
        if not (log_all or timing.log_all_failures):
            return []
        text = self.kind.attempt_text(self.spec, Failure(outcome, self.schedule.tries, timing.retry, final=final), use.where)
        return [] if text is None else [text]

    def mail(self, outcome: Outcome) -> str | None:
        """Return the body of a mail about the checker."""
        return self.kind.mail_text(self.spec, outcome)

    def skipped(self, use: Use, before: Outcome | None) -> list[str]:
        """Return what is said when a check cannot be run for a reason of our own: once, not each time."""
        last = self.last
        if last is None or (before is not None and (before.reason, before.detail) == (last.reason, last.detail)):
            return []
        return [f"{self.kind.name(self.spec)} on service {use.where.server} {last}. Rescheduling."]


def schedule_for(spec: Checker, birth: Birth, now: Micro, rng: Callable[[], float]) -> Schedule:
    """Return the schedule that a new checker starts with."""
    kind = kind_of(spec)
    timing = kind.timing(spec)
    start = Micro(now + BOOTSTRAP) if birth.at_once else first_slot(timing, now, rng)
    return Schedule(timing, start, up=_starts_up(spec, birth), steps=kind.steps(spec), eager=kind.eager(spec))


def _starts_up(spec: Checker, birth: Birth) -> bool:
    return (not kind_of(spec).timing(spec).alpha) if birth.up is None else birth.up


def may_join(known: Check, spec: Checker, birth: Birth) -> bool:
    """Return whether an equal check that is at work can serve one more server.

    Once it has run, what it says of the server is better than any assumption; before that, both must assume the same.
    """
    return known.schedule.has_run or known.schedule.up == _starts_up(spec, birth)


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


def suspending_ranges(config: VirtualServer, groups: Mapping[str, VirtualServerGroup]) -> tuple[tuple[Address, Address], ...]:
    """Return the addresses, first and last of each range, without which the checks of a virtual server do not run.

    None without `ha_suspend` and for firewall marks.  (keepalived never resumes the checks of a group.)
    """
    target = config.target
    if not config.ha_suspend:
        return ()
    if isinstance(target, AddressTarget):
        return ((target.address, target.address),)
    group = groups.get(target.name) if isinstance(target, GroupTarget) else None
    entries = () if group is None else group.entries
    return tuple((entry.first, entry.last) for entry in entries if isinstance(entry, AddressEntry))
