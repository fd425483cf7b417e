"""All checkers and virtual servers of one process:  handle(event, now) -> list[Action],  deadline() -> Micro | None.

    Started, Reloaded   configuration -> pools, schedules
    TimerFired          schedules that are due -> StartProbe;  weights that grow, servers that are drained -> pool
    ProbeDone           outcome -> schedule -> verdict -> pool -> Publish and who is told
    FactLearned         the same for checkers that follow a fact
    HostAddress         ha_suspend: which checkers run
    Stopping            pools say goodbye

What a reload keeps: a virtual server by its target, a real server in it by address and port, a checker by equality.  A kept
checker keeps its phase, its count of failures and a probe that is under way; a changed one starts anew from the state that its
server is in, so that nothing that was down comes up before a success and nothing that was up goes down before a failure.

No socket, no clock (`now` is handed in), no randomness (`rng` is handed in), no netlink.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from keepalived_py.config.checkers import Checker
from keepalived_py.config.lvs import Lvs, RealServer, ServerKey, Target, VirtualServer, VirtualServerGroup
from keepalived_py.healthcheck.actions import Action, CancelProbe, Level, Log, StartProbe
from keepalived_py.healthcheck.check import (
    Birth,
    Check,
    Service,
    Use,
    birth_from_kernel,
    bonus_of,
    failed_of,
    kernel_had_quorum,
    suspending_ranges,
)
from keepalived_py.healthcheck.events import (
    Batch,
    Event,
    FactLearned,
    HostAddress,
    Options,
    ProbeDone,
    Reloaded,
    Single,
    Started,
    Stopping,
    TimerFired,
)
from keepalived_py.healthcheck.kinds import absence, kind_of, supported
from keepalived_py.healthcheck.names import key_name, service_names
from keepalived_py.healthcheck.outcome import Outcome
from keepalived_py.healthcheck.pool import Pool, Standing
from keepalived_py.healthcheck.presence import Presence
from keepalived_py.healthcheck.registry import Registry
from keepalived_py.healthcheck.schedule import Verdict
from keepalived_py.healthcheck.snapshot import PoolState, ServerState, Snapshot
from keepalived_py.healthcheck.transitions import Transitions
from keepalived_py.units import Micro

Groups = Mapping[str, VirtualServerGroup]


@dataclass(frozen=True, slots=True)
class _Result:
    """What one run of a check has changed: its verdict, and how the check stood before."""

    verdict: Verdict
    outcome: Outcome
    step: int
    was_up: bool
    had_run: bool
    before: Outcome | None
    reweighs: bool


class CheckEngine:
    """The health checks of a process.  `rng` returns a float in 0..1."""

    def __init__(self, rng: Callable[[], float]) -> None:
        self._options = Options()
        self._services: dict[Target, Service] = {}
        self._registry = Registry(rng)
        self._timers = self._registry.timers
        self._transitions = Transitions(self._registry)
        self._presence = Presence()
        self._advised: set[str] = set()
        self._stopped = False
        self._actions: list[Action] = []
        self._touched: dict[Target, Pool] = {}

    def handle(self, event: Event, now: Micro) -> list[Action]:
        """Take an event at the instant `now`; return what is to be done, in order."""
        for single in event.events if isinstance(event, Batch) else (event,):
            if not self._stopped:
                self._take(single, now)
        actions, self._actions = self._actions, []
        touched, self._touched = self._touched, {}
        for pool in touched.values():
            actions += pool.drain()
        return actions

    def deadline(self) -> Micro | None:
        """Return when `TimerFired` is wanted, or None."""
        return None if self._stopped else self._timers.deadline()

    def snapshot(self) -> Snapshot:
        """Return plain values of everything, in the order of the configuration."""
        return Snapshot(tuple(_pool_state(service) for service in self._services.values()))

    def _take(self, event: Single, now: Micro) -> None:
        match event:
            case ProbeDone():
                self._probe_done(event, now)
            case TimerFired():
                self._timer_fired(now)
            case FactLearned():
                for check in self._registry.learn(event.fact, event.value):
                    outcome = check.kind.judge(check.spec, event.value)
                    if outcome is not None:
                        self._settle(check, outcome, now)
            case HostAddress():
                self._host_address(event)
            case Started():
                self._start(event, now)
            case Reloaded():
                self._reload(event, now)
            case Stopping():
                self._stop()

    # ---- checks ----

    def _timer_fired(self, now: Micro) -> None:
        for id in self._timers.expired(now):
            check = self._registry.get(id)
            if check is None:
                self._touch(self._transitions.go_on(id, now))
            elif check.suspended:
                check.schedule.skip(now)
                self._timers.set(id, check.schedule.due)
            else:
                check.running = True
                self._actions.append(StartProbe(id, check.spec, check.schedule.step))

    def _probe_done(self, event: ProbeDone, now: Micro) -> None:
        check = self._registry.get(event.id)
        if check is None or not check.running:
            return
        check.running = False
        self._settle(check, event.outcome, now)
        self._timers.set(check.id, check.schedule.due)

    def _settle(self, check: Check, outcome: Outcome, now: Micro) -> None:
        """Have a check, its servers and the log follow from what a run has found."""
        schedule, weighed = check.schedule, check.settled
        was_up, had_run, step, before = schedule.up, schedule.has_run, schedule.step, check.last
        verdict = schedule.result(outcome, now)
        check.last = outcome
        if verdict.settles:
            check.settled = outcome
        reweighs = verdict.settles and (_weighs(outcome) or _weighs(weighed))
        if verdict is Verdict.NONE and was_up and not reweighs and not check.joined:
            return  # All is well, as it was: the common case.
        check.joined = check.joined and not verdict.settles
        result = _Result(verdict, outcome, step, was_up, had_run, before, reweighs)
        for use in tuple(check.uses):
            self._tell(check, use, result, now)

    def _tell(self, check: Check, use: Use, result: _Result, now: Micro) -> None:
        """Have one server follow from the result of a check."""
        verdict, outcome, was_up, had_run = result.verdict, result.outcome, result.was_up, result.had_run
        if use.joined and verdict.settles:
            use.joined = False
            if verdict is Verdict.NONE:  # Nothing new to the others, and the first that this server hears.
                verdict, had_run = (Verdict.UP if check.schedule.up else Verdict.DOWN), False
        log_all = self._options.checker_log_all_failures
        match verdict:
            case Verdict.UP:
                self._note(use, [] if was_up else check.passed_step(use, result.step))
                self._note(use, check.succeeded(use, outcome))
                self._came_up(check, use, outcome, was_up=was_up, recovered=had_run, now=now)
            case Verdict.DOWN:
                self._note(use, check.failed_try(use, outcome, final=True, log_all=log_all) if was_up else [])
                self._note(use, check.went_down(use, outcome, first=not had_run))
                self._went_down(check, use, outcome, was_up=was_up)
            case Verdict.RETRY:
                self._note(use, check.failed_try(use, outcome, final=False, log_all=log_all))
            case Verdict.SKIPPED:
                self._note(use, check.skipped(use, result.before), Level.WARNING)
            case Verdict.NONE:
                self._note(use, check.passed_step(use, result.step) if outcome.ok and not was_up else [])
                if result.reweighs:
                    self._reweigh(check, use)

    def _came_up(self, check: Check, use: Use, outcome: Outcome, *, was_up: bool, recovered: bool, now: Micro) -> None:
        pool = self._touch(use.service)
        self._reweigh(check, use)
        if was_up:
            pool.confirm(use.key, tell=check.kind.timing(check.spec).alpha)
            return
        turned = pool.check_recovered(use.key)
        if turned and recovered:
            self._transitions.recovered(use.service, use.key, now)
        self._mail(check, use, outcome, turned=turned)

    def _went_down(self, check: Check, use: Use, outcome: Outcome, *, was_up: bool) -> None:
        pool = self._touch(use.service)
        if was_up:
            turned = pool.check_failed(use.key)
            self._mail(check, use, outcome, turned=turned)
        else:
            pool.confirm(use.key, tell=True)
        self._reweigh(check, use)

    def _mail(self, check: Check, use: Use, outcome: Outcome, *, turned: bool) -> None:
        body = check.mail(outcome) if turned or not self._options.no_checker_emails else None
        if body is not None:
            use.service.pool.mail(use.key, up=outcome.ok, body=body)

    def _reweigh(self, check: Check, use: Use) -> None:
        """Tell the pool what the checks of a server add to its weight."""
        pool = self._touch(use.service)
        pool.reweigh(use.key, bonus_of(use.service.checks[use.key], pool.configured_weight(use.key)))

    # ---- start, reload, stop ----

    def _start(self, event: Started, now: Micro) -> None:
        self._options = event.options
        names = service_names(event.lvs)
        groups = _groups(event.lvs)
        for target, config in _by_target(event.lvs).items():
            kernel = None if event.kernel_weights is None else event.kernel_weights.get(target)
            self._open(config, names[target], groups, kernel, now)

    def _open(self, config: VirtualServer, name: str, groups: Groups, kernel: Mapping[ServerKey, int] | None, now: Micro) -> None:
        service = Service(Pool(config, name))
        self._services[config.target] = service
        pool = self._touch(service)
        service.ranges = suspending_ranges(config, groups)
        service.suspended = self._presence.suspends(service)
        standings: dict[ServerKey, Standing] = {}
        for key, server in _by_key(config).items():
            birth, held = birth_from_kernel(server, kernel)
            checks = tuple(self._employ(spec, service, key, birth, now) for spec in filter(supported, server.checkers))
            service.checks[key] = checks
            standings[key] = Standing(failed_of(checks), bonus_of(checks, server.weight), held and bool(checks))
            self._say_absent(service, server, ())
        keeps = kernel_had_quorum(config, kernel)
        pool.open(standings, init_notifies=self._options.rs_init_notifies, keeps_quorum=keeps)
        self._transitions.follow(service, None, now)

    def _employ(self, spec: Checker, service: Service, key: ServerKey, birth: Birth, now: Micro) -> Check:
        check = self._registry.employ(spec, service, key, birth, now)
        use = check.uses[-1]
        self._note(use, check.activated(use))
        return check

    def _say_absent(self, service: Service, server: RealServer, known: tuple[Checker, ...]) -> None:
        """Say of each check that is new in the configuration what of it will not be done."""
        pool = service.pool
        for spec in server.checkers:
            if spec in known:
                continue
            why = absence(spec)
            for sentence in (why,) if why is not None else kind_of(spec).caveats(spec):
                where = f"service {key_name(pool.config.target, server.key)} for VS {pool.name}"
                pool.note(Log(Level.WARNING, f"{where}: {sentence}"))
            advice = kind_of(spec).advice(spec) if why is None else None
            if advice is not None and advice not in self._advised:
                self._advised.add(advice)
                pool.note(Log(Level.WARNING, advice))

    def _reload(self, event: Reloaded, now: Micro) -> None:
        self._options = event.options
        names = service_names(event.lvs)
        groups = _groups(event.lvs)
        old, self._services = self._services, {}
        for target, service in old.items():
            if target not in names:
                self._close(target, service)
        for target, config in _by_target(event.lvs).items():
            known = old.get(target)
            if known is None:
                self._open(config, names[target], groups, None, now)
            else:
                self._services[target] = known
                self._absorb(known, config, names[target], groups, now)

    def _close(self, target: Target, service: Service) -> None:
        for key, checks in service.checks.items():
            self._dismiss(service, key, checks)
        self._transitions.close(service)
        service.checks.clear()
        service.pool.close()
        self._actions += service.pool.farewell()
        self._touched.pop(target, None)

    def _absorb(self, service: Service, config: VirtualServer, name: str, groups: Groups, now: Micro) -> None:
        pool = service.pool
        ranges = suspending_ranges(config, groups)
        if pool.config == config and pool.name == name and ranges == service.ranges:
            _rebind(service, config)
            return
        self._touch(service)
        was, before = pool.config, _by_key(pool.config)
        old, service.checks = service.checks, {}
        if ranges != service.ranges:  # Checks that stop and go on differently are different checks.
            for key, checks in old.items():
                self._dismiss(service, key, checks)
            old = {}
        service.ranges = ranges
        service.suspended = self._presence.suspends(service)
        standings: dict[ServerKey, Standing] = {}
        for key, server in _by_key(config).items():
            checks = self._match_checks(service, server, old.pop(key, None), now)
            service.checks[key] = checks
            standings[key] = Standing(failed_of(checks), bonus_of(checks, server.weight))
            self._say_absent(service, server, before[key].checkers if key in before else ())
        for key, gone in old.items():
            self._dismiss(service, key, gone)
        pool.absorb(config, name, standings, init_notifies=self._options.rs_init_notifies)
        self._transitions.follow(service, was, now)

    def _match_checks(self, service: Service, server: RealServer, old: tuple[Check, ...] | None, now: Micro) -> tuple[Check, ...]:
        """Keep the checks of a server that stay equal, make the new ones, dismiss the others."""
        known = old is not None or service.pool.knows(server.key)
        birth = Birth(up=service.pool.is_alive(server.key)) if known else Birth()
        left = list(old or ())
        checks: list[Check] = []
        for spec in filter(supported, server.checkers):
            check = next((check for check in left if check.spec == spec), None)
            if check is None:
                check = self._employ(spec, service, server.key, birth, now)
            else:
                left.remove(check)
                check.rebind(spec)
            checks.append(check)
        self._dismiss(service, server.key, left)
        return tuple(checks)

    def _dismiss(self, service: Service, key: ServerKey, checks: Iterable[Check]) -> None:
        for check in checks:
            if self._registry.dismiss(check, service, key):
                self._actions.append(CancelProbe(check.id))

    def _stop(self) -> None:
        self._stopped = True
        self._touched.clear()
        self._actions += [CancelProbe(check.id) for check in self._registry if check.running]
        for service in self._services.values():
            service.pool.stop()
            self._actions += service.pool.farewell()

    # ---- ha_suspend ----

    def _host_address(self, event: HostAddress) -> None:
        self._presence.learn(event.address, event.interface, present=event.present)
        for service in self._presence.turned(self._services.values(), event.address):
            for check in (check for checks in service.checks.values() for check in checks):
                for use in () if check.follows else check.uses:
                    self._note(use, [check.suspended_or_resumed(use)])

    # ---- bookkeeping ----

    def _touch(self, service: Service) -> Pool:
        """Have the pool drained at the end of this event."""
        pool = service.pool
        self._touched[pool.config.target] = pool
        return pool

    def _note(self, use: Use, lines: Iterable[str], level: Level = Level.INFO) -> None:
        for line in lines:
            self._touch(use.service).note(Log(level, line))


def _groups(lvs: Lvs) -> Groups:
    return {group.name: group for group in lvs.groups}


def _weighs(outcome: Outcome | None) -> bool:
    return outcome is not None and (outcome.weight is not None or outcome.bonus != 0)


def _by_target(lvs: Lvs) -> dict[Target, VirtualServer]:
    """Return each virtual server once: of two with one target, the first."""
    services: dict[Target, VirtualServer] = {}
    for service in lvs.virtual_servers:
        services.setdefault(service.target, service)
    return services


def _by_key(config: VirtualServer) -> dict[ServerKey, RealServer]:
    """Return each real server once: of two with one key, the first."""
    servers: dict[ServerKey, RealServer] = {}
    for server in config.real_servers:
        servers.setdefault(server.key, server)
    return servers


def _rebind(service: Service, config: VirtualServer) -> None:
    """Let go of the old one of two equal configurations."""
    service.pool.rebind(config)
    for key, server in _by_key(config).items():
        for check, spec in zip(service.checks[key], filter(supported, server.checkers), strict=True):
            check.rebind(spec)


def _pool_state(service: Service) -> PoolState:
    pool = service.pool
    table = pool.wanted().weights
    servers = tuple(
        ServerState(
            key,
            key_name(pool.config.target, key),
            pool.is_alive(key),
            pool.configured_weight(key),
            pool.effective_weight(key),
            pool.failed_checks(key),
            table.get(key),
            tuple(check.state() for check in checks),
        )
        for key, checks in service.checks.items()
    )
    return PoolState(pool.config.target, pool.name, pool.quorum_up, pool.live_weight, pool.sorry_active, servers)
