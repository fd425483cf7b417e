"""All checkers and virtual servers of one process:  handle(event, now) -> list[Action],  deadline() -> Micro | None.

    Started, Reloaded   configuration -> pools, schedules
    TimerFired          schedules that are due -> StartProbe
    ProbeDone           outcome -> schedule -> verdict -> pool -> Publish and who is told
    Stopping            pools say goodbye

What a reload keeps: a virtual server by its target, a real server in it by address and port, a checker by equality.  A kept
checker keeps its phase, its count of failures and a probe that is under way; a changed one starts anew from the state that its
server is in, so that nothing that was down comes up before a success and nothing that was up goes down before a failure.

No socket, no clock (`now` is handed in), no randomness (`rng` is handed in), no netlink.
"""

from collections.abc import Callable, Iterable, Mapping

from keepalived_py.config.checkers import Checker
from keepalived_py.config.lvs import Lvs, RealServer, ServerKey, Target, VirtualServer
from keepalived_py.healthcheck.actions import Action, CancelProbe, Level, Log, StartProbe
from keepalived_py.healthcheck.check import (
    Birth,
    Check,
    Service,
    birth_from_kernel,
    bonus_of,
    failed_of,
    kernel_had_quorum,
    schedule_for,
)
from keepalived_py.healthcheck.events import Batch, Event, Options, ProbeDone, Reloaded, Single, Started, Stopping, TimerFired
from keepalived_py.healthcheck.kinds import absence, kind_of, supported
from keepalived_py.healthcheck.names import key_name, service_names
from keepalived_py.healthcheck.pool import Pool, Standing
from keepalived_py.healthcheck.schedule import Verdict
from keepalived_py.healthcheck.snapshot import PoolState, ServerState, Snapshot
from keepalived_py.healthcheck.timers import Timers
from keepalived_py.units import Micro


class CheckEngine:
    """The health checks of a process.  `rng` returns a float in 0..1."""

    def __init__(self, rng: Callable[[], float]) -> None:
        self._rng = rng
        self._options = Options()
        self._services: dict[Target, Service] = {}
        self._checks: dict[int, Check] = {}
        self._timers = Timers()
        self._last_id = 0
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
            case Started():
                self._start(event, now)
            case Reloaded():
                self._reload(event, now)
            case Stopping():
                self._stop()

    # ---- checks ----

    def _timer_fired(self, now: Micro) -> None:
        for id in self._timers.expired(now):
            check = self._checks[id]
            check.running = True
            self._actions.append(StartProbe(id, check.spec, check.schedule.step))

    def _probe_done(self, event: ProbeDone, now: Micro) -> None:
        check = self._checks.get(event.id)
        if check is None or not check.running:
            return
        schedule, outcome = check.schedule, event.outcome
        was_up, had_run, step, before = schedule.up, schedule.has_run, schedule.step, check.last
        verdict = schedule.result(outcome, now)
        check.running = False
        check.last = outcome
        self._timers.set(check.id, schedule.due)
        log_all = self._options.checker_log_all_failures
        match verdict:
            case Verdict.UP:
                self._note(check, [] if was_up else check.passed_step(step))
                self._note(check, [check.succeeded()])
                self._came_up(check, was_up=was_up)
            case Verdict.DOWN:
                self._note(check, check.failed_try(log_all=log_all))
                self._note(check, check.went_down(had_run=had_run))
                self._went_down(check, was_up=was_up)
            case Verdict.RETRY:
                self._note(check, check.failed_try(log_all=log_all))
            case Verdict.SKIPPED:
                self._note(check, check.skipped(before), Level.WARNING)
            case Verdict.NONE if outcome.ok and not was_up:
                self._note(check, check.passed_step(step))
            case Verdict.NONE if outcome.weight is not None or (before is not None and before.weight is not None):
                self._reweigh(check)

    def _came_up(self, check: Check, *, was_up: bool) -> None:
        pool = self._touch(check.service)
        self._reweigh(check)
        if was_up:
            pool.confirm(check.key, tell=check.spec.timing.alpha)
            return
        turned = pool.check_recovered(check.key)
        if turned or not self._options.no_checker_emails:
            pool.mail(check.key, up=True, body=check.kind.wording(check.spec).mail_up)

    def _went_down(self, check: Check, *, was_up: bool) -> None:
        pool = self._touch(check.service)
        if was_up:
            turned = pool.check_failed(check.key)
            if turned or not self._options.no_checker_emails:
                pool.mail(check.key, up=False, body=check.kind.wording(check.spec).mail_down)
        else:
            pool.confirm(check.key, tell=True)
        self._reweigh(check)

    def _reweigh(self, check: Check) -> None:
        """Tell the pool what the checks of a server add to its weight."""
        pool = self._touch(check.service)
        pool.reweigh(check.key, bonus_of(check.service.checks[check.key], pool.configured_weight(check.key)))

    # ---- start, reload, stop ----

    def _start(self, event: Started, now: Micro) -> None:
        self._options = event.options
        names = service_names(event.lvs)
        for target, config in _by_target(event.lvs).items():
            kernel = None if event.kernel_weights is None else event.kernel_weights.get(target)
            self._open(config, names[target], kernel, now)

    def _open(self, config: VirtualServer, name: str, kernel: Mapping[ServerKey, int] | None, now: Micro) -> None:
        service = Service(Pool(config, name))
        self._services[config.target] = service
        pool = self._touch(service)
        standings: dict[ServerKey, Standing] = {}
        for key, server in _by_key(config).items():
            birth, held = birth_from_kernel(server, kernel)
            checks = tuple(self._new_check(spec, service, key, birth, now) for spec in filter(supported, server.checkers))
            service.checks[key] = checks
            standings[key] = Standing(failed_of(checks), held=held and bool(checks))
            self._say_absent(service, server, ())
        keeps = kernel_had_quorum(config, kernel)
        pool.open(standings, init_notifies=self._options.rs_init_notifies, keeps_quorum=keeps)

    def _new_check(self, spec: Checker, service: Service, key: ServerKey, birth: Birth, now: Micro) -> Check:
        self._last_id += 1
        check = Check(self._last_id, spec, service, key, schedule_for(spec, birth, now, self._rng))
        self._checks[check.id] = check
        self._timers.set(check.id, check.schedule.due)
        self._note(check, [check.activated()])
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

    def _reload(self, event: Reloaded, now: Micro) -> None:
        self._options = event.options
        names = service_names(event.lvs)
        old, self._services = self._services, {}
        for target, service in old.items():
            if target not in names:
                self._close(target, service)
        for target, config in _by_target(event.lvs).items():
            known = old.get(target)
            if known is None:
                self._open(config, names[target], None, now)
            else:
                self._services[target] = known
                self._absorb(known, config, names[target], now)

    def _close(self, target: Target, service: Service) -> None:
        for checks in service.checks.values():
            self._cancel(checks)
        service.checks.clear()
        service.pool.close()
        self._actions += service.pool.farewell()
        self._touched.pop(target, None)

    def _absorb(self, service: Service, config: VirtualServer, name: str, now: Micro) -> None:
        pool = service.pool
        if pool.config == config and pool.name == name:
            _rebind(service, config)
            return
        self._touch(service)
        before = _by_key(pool.config)
        old, service.checks = service.checks, {}
        standings: dict[ServerKey, Standing] = {}
        for key, server in _by_key(config).items():
            checks = self._match_checks(service, server, old.pop(key, None), now)
            service.checks[key] = checks
            standings[key] = Standing(failed_of(checks), bonus_of(checks, server.weight))
            self._say_absent(service, server, before[key].checkers if key in before else ())
        for gone in old.values():
            self._cancel(gone)
        pool.absorb(config, name, standings, init_notifies=self._options.rs_init_notifies)

    def _match_checks(self, service: Service, server: RealServer, old: tuple[Check, ...] | None, now: Micro) -> tuple[Check, ...]:
        """Keep the checks of a server that stay equal, make the new ones, cancel the others."""
        birth = Birth() if old is None else Birth(up=service.pool.is_alive(server.key))
        left = list(old or ())
        checks: list[Check] = []
        for spec in filter(supported, server.checkers):
            check = next((check for check in left if check.spec == spec), None)
            if check is None:
                check = self._new_check(spec, service, server.key, birth, now)
            else:
                left.remove(check)
                check.rebind(spec)
            checks.append(check)
        self._cancel(left)
        return tuple(checks)

    def _cancel(self, checks: Iterable[Check]) -> None:
        for check in checks:
            self._timers.drop(check.id)
            del self._checks[check.id]
            if check.running:
                self._actions.append(CancelProbe(check.id))

    def _stop(self) -> None:
        self._stopped = True
        self._touched.clear()
        self._actions += [CancelProbe(check.id) for check in self._checks.values() if check.running]
        for service in self._services.values():
            service.pool.stop()
            self._actions += service.pool.farewell()

    # ---- bookkeeping ----

    def _touch(self, service: Service) -> Pool:
        """Have the pool drained at the end of this event."""
        pool = service.pool
        self._touched[pool.config.target] = pool
        return pool

    def _note(self, check: Check, lines: Iterable[str], level: Level = Level.INFO) -> None:
        for line in lines:
            self._touch(check.service).note(Log(level, line))


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
