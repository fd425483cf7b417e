"""Keeps the kernel's IPVS table as the pools want it.

    pools publish weights  ->  desired entries  ->  plan against what the kernel has  ->  netlink  ->  what the kernel has

What the kernel has is read once, at the start, and then followed: a change of one server plans one virtual server.  Only an
error makes it read again.  Services are ours when we made them (`record` says so, and is written before they are made) or when
the configuration names them; all others are left alone.

Without ip_vs this keeper says why and what to do, and everything else goes on; `retry` tries again.  Its methods are called one
after the other, never at the same time, and raise no `KernelError`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from keepalived_py.config.globals import GlobalDefs
from keepalived_py.config.lvs import LocalAddressGroup, Lvs, ServerKey, Target, VirtualServer
from keepalived_py.daemon.kernel_settings import KernelSettings, follows_vrrp
from keepalived_py.daemon.record import ServiceRecord
from keepalived_py.errors import KernelError
from keepalived_py.healthcheck.actions import Publish
from keepalived_py.ipvs.client import Sink
from keepalived_py.ipvs.desired import PoolState, candidates, entries, observed, service_keys, strangers
from keepalived_py.ipvs.features import admit
from keepalived_py.ipvs.operations import (
    DelDestination,
    DelLocalAddress,
    DelService,
    Flush,
    NewDestination,
    NewLocalAddress,
    NewService,
    Operation,
    SetDestination,
    SetEstTimeout,
    SetService,
    instead,
    is_moot,
)
from keepalived_py.ipvs.plan import plan_service, teardown
from keepalived_py.ipvs.table import ServiceEntry, ServiceKey
from keepalived_py.system.background import in_thread
from keepalived_py.system.log import Log

RETRY_AFTER: Final = 30.0
"""Seconds between attempts to reach a kernel without ip_vs, and to repair what it refused."""

_SLICE: Final = 256  # requests between two signs of getting on

SinkOpener = Callable[[GlobalDefs], Sink]
"""Opens the way to the kernel, and may take long; raises `KernelError` when there is none."""

KernelWeights = Mapping[Target, Mapping[ServerKey, int]]


class TableKeeper:
    """Owner of the IPVS table in one process; see the module."""

    def __init__(
        self, globals_: GlobalDefs, lvs: Lvs, open_sink: SinkOpener, record: ServiceRecord, settings: KernelSettings, log: Log
    ) -> None:
        self.operations = 0
        """How many requests have been sent."""
        self._globals = globals_
        self._open_sink = open_sink
        self._record = record
        self._settings = settings
        self._log = log
        self._sink: Sink | None = None
        self._takes_over = False
        self._complained = False
        self._pools: dict[Target, PoolState] = {}
        self._actual: dict[ServiceKey, ServiceEntry] = {}
        self._refused: dict[Target, str] = {}
        self._stale: set[ServiceKey] = set()
        self._interrupted = False
        self._complaints: dict[ServiceKey, set[str]] = {}
        self._keys: dict[Target, tuple[ServiceKey, ...]] = {}
        self._locals: dict[Target, LocalAddressGroup | None] = {}
        self._take(lvs)

    @property
    def needs_retry(self) -> bool:
        """Whether there is no way to the kernel, or it refused something."""
        return self._sink is None or bool(self._stale)

    def _take(self, lvs: Lvs) -> list[Target]:
        """Index a configuration: each service key belongs to the first virtual server that names it.

        Returns the virtual servers whose keys or local addresses are not those that they had, as when a group changes.
        """
        before, locals_before = self._keys, self._locals
        self._groups = {group.name: group for group in lvs.groups}
        self._servers: dict[Target, VirtualServer] = {}
        for server in lvs.virtual_servers:
            self._servers.setdefault(server.target, server)
        self._keys = {}
        self._owner: dict[ServiceKey, Target] = {}
        for target, server in self._servers.items():
            keys = service_keys(server, self._groups)
            self._keys[target] = tuple(key for key in keys if self._owner.setdefault(key, target) == target)
        self._local_groups = {group.name: group for group in lvs.local_address_groups}
        self._locals = {target: self._local_groups.get(it.laddr_group_name or "") for target, it in self._servers.items()}
        return [
            target
            for target, keys in self._keys.items()
            if before.get(target) != keys or locals_before.get(target) != self._locals[target]
        ]

    # Start ---------------------------------------------------------------------------------------------------

    async def start(self, *, takes_over: bool) -> KernelWeights | None:
        """Reach the kernel and read its table.

        `takes_over`: return the weights that the kernel has for our virtual servers, to go on from; nothing is flushed then.
        """
        self._takes_over = takes_over
        self._record.read()
        if follows_vrrp(self._globals):
            self._log.warning("lvs_sync_daemon: following a VRRP instance needs VRRP, which this version does not run")
        reached = await self._reach()
        if not takes_over:
            return None
        if not reached:
            return {}
        return {
            target: self._observed(target)
            for target, keys in self._keys.items()
            if any(key in self._actual for key in keys) and target not in self._refused
        }

    def _observed(self, target: Target) -> Mapping[ServerKey, int]:
        server = self._servers[target]
        state = observed(server, self._groups, self._actual)
        if server.sorry_server is None or state.sorry_weight is None:
            return state.weights
        return {**state.weights, server.sorry_server.key: state.sorry_weight}

    async def _reach(self) -> bool:
        """Open the way to the kernel, set what concerns IPVS as a whole, and read the table; say once why that fails."""
        sink = None
        try:
            sink = await in_thread(lambda: self._open_sink(self._globals))
            await self._prepare(sink)
        except KernelError as error:
            if sink is not None:
                sink.close()
            if not self._complained:
                self._complained = True
                self._log.error(f"IPVS: {error}")
                self._log.error(f"IPVS: virtual servers are checked but not programmed; trying again every {RETRY_AFTER:.0f} s")
            return False
        if self._complained:
            self._log.info("IPVS: the kernel's interface is there now")
            self._complained = False
        self._sink = sink
        self._admit(sink)
        return True

    async def _prepare(self, sink: Sink) -> None:
        operations = await self._settings.start(sink, self._globals, takes_over=self._takes_over)
        if self._globals.lvs_flush and not self._takes_over:
            operations.append(Flush())
        await self._apply(sink, operations)
        self._actual = dict(await sink.dump())

    def _admit(self, sink: Sink) -> None:
        """Sort out what this kernel cannot do, and say so of each virtual server when that is new."""
        refused = {refusal.server.target: str(refusal) for refusal in admit(self._servers.values(), sink.features).refused}
        for target, text in refused.items():
            if self._refused.get(target) != text:
                self._log.error(text)
        self._refused = refused

    # What is asked of us -------------------------------------------------------------------------------------

    async def begin(self, pools: Iterable[Publish]) -> None:
        """Program the first state of all pools: strangers and left-overs go, what is right already stays untouched."""
        self._note(pools)
        if self._sink is not None:
            await self._settle_all(self._sink)

    async def publish(self, pools: Iterable[Publish]) -> None:
        """Program what these pools want now."""
        targets = self._note(pools)
        if self._sink is not None:
            await self._settle(self._sink, targets)

    async def reload(self, globals_: GlobalDefs, lvs: Lvs, changed: Iterable[Target], pools: Iterable[Publish]) -> None:
        """Work by a new configuration; `changed` are the targets that are new or differ, `pools` what the engine published."""
        self._globals = globals_
        moved = self._take(lvs)
        self._pools = {target: pool for target, pool in self._pools.items() if target in self._servers}
        targets = dict.fromkeys((*changed, *moved, *self._note(pools)))
        sink = self._sink
        if sink is None:
            return
        try:
            await self._apply(sink, await self._settings.change(sink, globals_))
        except KernelError as error:
            self._log.error(f"IPVS: {error}")
        self._admit(sink)
        if self._stale:  # what we are to remove may be there without our knowing
            await self._reread(sink, self._stale)
        await self._settle(sink, targets, leftovers=True)

    async def retry(self) -> None:
        """Try once more to reach a kernel without ip_vs, or to repair what it refused."""
        if self._sink is None:
            if await self._reach():
                await self._settle_all(self._sink)
        elif self._stale:
            if not await self._reread(self._sink, self._stale):
                return
            self._stale = {key for key in self._stale if key in self._actual or self._is_claimed(key)}
            targets = {self._owner[key]: None for key in self._stale if key in self._owner}
            await self._settle(self._sink, targets, leftovers=True)

    async def stop(self, *, release: bool, getting_on: Callable[[], None] = lambda: None) -> None:
        """Remove what is ours and restore what was set, unless the table is to be left as it is.

        `getting_on` is called now and then: a large table takes its time.
        """
        if self._sink is None:
            return
        if release:
            if self._stale or self._interrupted:
                await self._reread(self._sink, ())
            await self._tear_down(self._sink, getting_on)
        self._sink.close()
        self._sink = None

    def _note(self, pools: Iterable[Publish]) -> list[Target]:
        targets = []
        for pool in pools:
            if pool.target in self._servers:
                self._pools[pool.target] = PoolState(dict(pool.weights), pool.sorry_weight, pool.leaving)
                targets.append(pool.target)
        return targets

    async def _tear_down(self, sink: Sink, getting_on: Callable[[], None]) -> None:
        how = self._globals.lvs_flush_on_stop
        mine = [entry for key, entry in self._actual.items() if key in self._record]
        operations: list[Operation] = []
        if how == "all":
            operations.append(Flush())
        else:
            for entry in mine:
                operations += teardown(entry, one_by_one=how is None)
        removed = len(operations)
        operations += self._settings.stop()
        errors: list[KernelError | None] = []
        while len(errors) < len(operations):
            getting_on()
            errors += await self._apply(sink, operations[len(errors) : len(errors) + _SLICE])
        gone = [
            operation
            for operation, error in zip(operations[:removed], errors, strict=False)
            if error is None or is_moot(operation, error.errno)
        ]
        if how == "all":
            self._record.release(self._record if gone else ())
        else:
            self._record.release(operation.service for operation in gone if isinstance(operation, DelService))

    # Planning ------------------------------------------------------------------------------------------------

    async def _settle_all(self, sink: Sink | None) -> None:
        """Plan and perform everything, and say what that takes away from the kernel."""
        assert sink is not None
        for key in self._leftovers():
            self._log.warning(f"Removing virtual server {key} that an earlier run has left behind")
        self._announce_strangers(self._owner)
        await self._settle(sink, self._servers, leftovers=True)

    async def _settle(self, sink: Sink, targets: Iterable[Target], *, leftovers: bool = False) -> None:
        """Plan and perform what these virtual servers need.

        `leftovers`: remove services of ours, too, that no virtual server has any longer.
        """
        wanted = self._wanted(targets)
        operations: list[Operation] = [DelService(key) for key in self._leftovers()] if leftovers else []
        for key, entry in wanted.items():
            operations += plan_service(self._actual.get(key), entry)
        self._record.claim(wanted)
        failed = await self._perform(sink, operations, wanted, first=True)
        if failed:
            await self._reread(sink, failed)
            again: list[Operation] = []
            for key in failed:
                again += plan_service(self._actual.get(key), wanted.get(key))
            self._stale |= set(await self._perform(sink, again, wanted, first=False))
        if leftovers:
            known = self._actual.keys() | self._stale
            self._record.release([key for key in self._record if key not in known and not self._is_claimed(key)])

    def _leftovers(self) -> list[ServiceKey]:
        """List services of ours that no virtual server has."""
        return [key for key in self._actual if key in self._record and not self._is_claimed(key)]

    def _wanted(self, targets: Iterable[Target]) -> dict[ServiceKey, ServiceEntry]:
        """Return the entries that these virtual servers are to have in the kernel."""
        wanted: dict[ServiceKey, ServiceEntry] = {}
        for target in targets:
            server = self._servers.get(target)
            if server is None or target in self._refused:
                continue
            for entry in entries(server, self._groups, self._pools.get(target, PoolState()), self._local_groups):
                if self._owner.get(entry.key) == target:
                    wanted[entry.key] = entry
        return wanted

    def _is_claimed(self, key: ServiceKey) -> bool:
        """Whether a virtual server of the configuration has this service."""
        owner = self._owner.get(key)
        return owner is not None and owner not in self._refused

    def _announce_strangers(self, keys: Iterable[ServiceKey]) -> None:
        """Say which destinations in these services the configuration does not know: they are removed with the next plan."""
        interesting = frozenset(key for key in keys if self._is_claimed(key))
        known: dict[ServiceKey, frozenset[ServerKey]] = {}
        for target in dict.fromkeys(self._owner[key] for key in interesting):
            mine = candidates(self._servers[target], self._groups)
            known.update((key, servers) for key, servers in mine.items() if key in interesting and self._owner[key] == target)
        for key, destination in strangers(self._actual, known):
            self._log.warning(f"Removing unknown server {destination} from virtual server {key}")

    # Performing ----------------------------------------------------------------------------------------------

    async def _perform(
        self, sink: Sink, operations: Sequence[Operation], wanted: Mapping[ServiceKey, ServiceEntry], *, first: bool
    ) -> list[ServiceKey]:
        """Perform operations and follow the kernel's table; return the services about which it is no longer certain.

        `first`: what fails will be planned again, so that failures which that mends are not worth a line.
        """
        self._interrupted = True  # for whoever cancels this: what has been done meanwhile is not known
        errors = await self._apply(sink, operations, mended=first)
        self._interrupted = False
        failed: dict[ServiceKey, None] = {}
        touched: dict[ServiceKey, None] = dict.fromkeys(key for key in self._stale if key in wanted)
        for operation, error in zip(operations, errors, strict=True):
            key = _service_of(operation)
            if key is not None:
                touched[key] = None
                if error is not None and not is_moot(operation, error.errno):
                    failed[key] = None
        for key in touched:
            if key not in failed:
                self._settled(key, wanted.get(key))
        return list(failed)

    def _settled(self, key: ServiceKey, entry: ServiceEntry | None) -> None:
        """Note that the kernel has a service as it is to be."""
        self._stale.discard(key)
        self._complaints.pop(key, None)
        if entry is None:
            self._actual.pop(key, None)
        else:
            self._actual[key] = entry

    async def _apply(self, sink: Sink, operations: Sequence[Operation], *, mended: bool = False) -> list[KernelError | None]:
        """Send operations; try the natural substitute of a refused one, and report the refusals that remain."""
        if not operations:
            return []
        self.operations += len(operations)
        errors = await sink.apply(operations)
        broken: set[ServiceKey] = set()
        for index, (operation, error) in enumerate(zip(operations, errors, strict=True)):
            if error is None or is_moot(operation, error.errno):
                continue
            substitute = instead(operation, error.errno)
            if substitute is not None and isinstance(operation, NewDestination | SetDestination):
                self.operations += 1
                errors[index] = (await sink.apply([substitute]))[0]
            self._report(operation, errors[index], broken, mended=mended and substitute is not None)
        return errors

    def _report(self, operation: Operation, error: KernelError | None, broken: set[ServiceKey], *, mended: bool) -> None:
        """Write a refusal to the log: once for each service until it is well again, and only the first cause."""
        key = _service_of(operation)
        if error is None or mended or key in broken:
            return
        if key is not None:
            if isinstance(operation, NewService | SetService):
                broken.add(key)
            said = self._complaints.setdefault(key, set())
            if str(error) in said:
                return
            said.add(str(error))
        self._log.error(f"IPVS: {error}")

    async def _reread(self, sink: Sink, doubtful: Iterable[ServiceKey]) -> bool:
        """Read the kernel's table again, because of these services; return whether that could be done."""
        try:
            self._actual = dict(await sink.dump())
        except KernelError as error:
            self._log.error(f"IPVS: {error}")
            return False
        self._announce_strangers(doubtful)
        return True


def _service_of(operation: Operation) -> ServiceKey | None:
    """Return the service that an operation changes."""
    match operation:
        case NewService(service) | SetService(service):
            return service.key
        case DelService(key) | NewDestination(key) | SetDestination(key) | DelDestination(key):
            return key
        case NewLocalAddress(key) | DelLocalAddress(key) | SetEstTimeout(key):
            return key
        case _:
            return None
