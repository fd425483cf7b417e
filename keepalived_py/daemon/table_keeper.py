"""Keeps the kernel's IPVS table as the pools want it.

    pools publish weights  ->  desired entries  ->  plan against what the kernel has  ->  netlink  ->  what the kernel has

What the kernel has is read once, at the start, and then followed: a change of one server plans one virtual server.  Only an
error makes it read again.  Services are ours when we made them (the record under the run directory says so, and is written before
they are made) or when the configuration names them; all others are left alone.

Without ip_vs this keeper says why and what to do, tries again from time to time, and everything else goes on.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from keepalived_py.config.globals import GlobalDefs, LvsTimeouts
from keepalived_py.config.lvs import Lvs, ServerKey, Target, VirtualServer
from keepalived_py.errors import KernelError
from keepalived_py.healthcheck.actions import Publish
from keepalived_py.ipvs.client import Sink
from keepalived_py.ipvs.desired import PoolState, candidates, entries, observed, service_keys, strangers
from keepalived_py.ipvs.features import admit
from keepalived_py.ipvs.operations import (
    DelDaemon,
    DelService,
    Flush,
    NewDaemon,
    NewDestination,
    NewService,
    Operation,
    SetDestination,
    SetService,
    SetTimeouts,
    instead,
    is_moot,
)
from keepalived_py.ipvs.ownership import SIZE_MAX, Ownership, RecordError, decode, encode
from keepalived_py.ipvs.plan import plan_service, teardown
from keepalived_py.ipvs.table import ServiceEntry, ServiceKey, SyncDaemon
from keepalived_py.system.files import read_bounded, remove, write_atomically
from keepalived_py.system.log import Log

RETRY_AFTER: Final = 30.0
"""Seconds between attempts to reach a kernel without ip_vs, and to repair what it refused."""

SinkOpener = Callable[[GlobalDefs], Sink]
"""Opens the way to the kernel; raises `KernelError` when there is none."""

KernelWeights = Mapping[Target, Mapping[ServerKey, int]]


class TableKeeper:
    """Owner of the IPVS table in one process; see the module."""

    def __init__(self, globals_: GlobalDefs, lvs: Lvs, open_sink: SinkOpener, record: Path, log: Log) -> None:
        self._globals = globals_
        self._open_sink = open_sink
        self._record = record
        self._log = log
        self._sink: Sink | None = None
        self._complained = False
        self._pools: dict[Target, PoolState] = {}
        self._actual: dict[ServiceKey, ServiceEntry] = {}
        self._owned = Ownership()
        self._kernel_timeouts: LvsTimeouts | None = None
        self._refused: dict[Target, str] = {}
        self._stale: set[ServiceKey] = set()
        self._turn = asyncio.Lock()
        self.operations = 0
        self._take(lvs)

    # Configuration -------------------------------------------------------------------------------------------

    def _take(self, lvs: Lvs) -> None:
        """Index a configuration: each service key belongs to the first virtual server that names it."""
        self._lvs = lvs
        self._groups = {group.name: group for group in lvs.groups}
        self._servers = {server.target: server for server in lvs.virtual_servers}
        self._keys: dict[Target, tuple[ServiceKey, ...]] = {}
        self._owner: dict[ServiceKey, Target] = {}
        for target, server in self._servers.items():
            keys = tuple(key for key in service_keys(server, self._groups) if self._owner.setdefault(key, target) == target)
            self._keys[target] = keys

    def _admit(self) -> None:
        """Sort out what this kernel cannot do, and say so of each virtual server when that is new."""
        assert self._sink is not None
        admission = admit(self._servers.values(), self._sink.features)
        refused = {refusal.server.target: str(refusal) for refusal in admission.refused}
        for target, text in refused.items():
            if self._refused.get(target) != text:
                self._log.error(text)
        self._refused = refused

    # Start ---------------------------------------------------------------------------------------------------

    async def start(self, *, takes_over: bool) -> KernelWeights | None:
        """Reach the kernel and read its table.

        `takes_over`: return the weights that the kernel has for our virtual servers, to go on from; nothing is flushed then.
        """
        self._owned = self._read_record()
        async with self._turn:
            if not await self._reach() or self._sink is None:
                return {} if takes_over else None
            if self._globals.lvs_flush and not takes_over:
                await self._apply([Flush()])
                self._actual = {}
            if not takes_over:
                return None
            return {
                target: state.weights if state.sorry_weight is None else self._with_sorry(server, state)
                for target, server in self._servers.items()
                if any(key in self._actual for key in self._keys[target])
                for state in (observed(server, self._groups, self._actual),)
            }

    @staticmethod
    def _with_sorry(server: VirtualServer, state: PoolState) -> Mapping[ServerKey, int]:
        assert server.sorry_server is not None and state.sorry_weight is not None
        return {**state.weights, server.sorry_server.key: state.sorry_weight}

    async def _reach(self) -> bool:
        """Open the kernel's interface, set timeouts and sync threads, and read the table; say once why that fails."""
        if self._sink is not None:
            return True
        try:
            sink = self._open_sink(self._globals)
        except KernelError as error:
            if not self._complained:
                self._complained = True
                self._log.error(f"IPVS: {error}")
                self._log.error(f"IPVS: virtual servers are checked but not programmed; trying again every {RETRY_AFTER:.0f} s")
            return False
        if self._complained:
            self._log.info("IPVS: the kernel's interface is there now")
            self._complained = False
        self._sink = sink
        self._admit()
        await self._configure(restart_daemons=True)
        self._actual = dict(await sink.dump())
        return True

    async def _configure(self, *, restart_daemons: bool) -> None:
        """Apply `lvs_timeouts` (omitted ones keep the kernel's) and `lvs_sync_daemon`."""
        assert self._sink is not None
        operations: list[Operation] = []
        if self._globals.lvs_timeouts != LvsTimeouts():
            if self._kernel_timeouts is None:
                self._kernel_timeouts = await self._sink.timeouts()
            operations.append(SetTimeouts(self._globals.lvs_timeouts))
        elif self._kernel_timeouts is not None:
            operations.append(SetTimeouts(self._kernel_timeouts))
            self._kernel_timeouts = None
        daemon = self._globals.lvs_sync_daemon
        if restart_daemons and daemon is not None:
            if daemon.instance is not None:
                self._log.warning("lvs_sync_daemon: following a VRRP instance needs VRRP, which this version does not run")
            else:
                operations += [DelDaemon(master=True), DelDaemon(master=False)]
                operations += [NewDaemon(_sync_daemon(self._globals, master=master)) for master in (True, False)]
        await self._apply(operations)

    # Pools ---------------------------------------------------------------------------------------------------

    async def publish(self, pools: Iterable[Publish]) -> None:
        """Program what these pools want now."""
        targets = []
        for pool in pools:
            self._pools[pool.target] = PoolState(dict(pool.weights), pool.sorry_weight)
            targets.append(pool.target)
        async with self._turn:
            if self._sink is not None:
                await self._settle(targets)

    async def begin(self, pools: Iterable[Publish]) -> None:
        """Program the first state of all pools: strangers and left-overs go, what is right already stays untouched."""
        for pool in pools:
            self._pools[pool.target] = PoolState(dict(pool.weights), pool.sorry_weight)
        async with self._turn:
            if self._sink is not None:
                self._announce_strangers()
                await self._settle(self._servers, leftovers=True)

    async def reload(self, globals_: GlobalDefs, lvs: Lvs, changed: Iterable[Target], pools: Iterable[Publish]) -> None:
        """Work by a new configuration; `changed` are the targets that are new or differ, `pools` what the engine published."""
        async with self._turn:
            daemons = globals_.lvs_sync_daemon != self._globals.lvs_sync_daemon
            timeouts = globals_.lvs_timeouts != self._globals.lvs_timeouts
            old = self._globals
            self._globals = globals_
            self._take(lvs)
            self._pools = {target: pool for target, pool in self._pools.items() if target in self._servers}
            targets = dict.fromkeys(changed)
            for pool in pools:
                self._pools[pool.target] = PoolState(dict(pool.weights), pool.sorry_weight)
                targets[pool.target] = None
            if self._sink is None:
                return
            if daemons and old.lvs_sync_daemon is not None and globals_.lvs_sync_daemon is None:
                await self._apply([DelDaemon(master=True), DelDaemon(master=False)])
            if daemons or timeouts:
                await self._configure(restart_daemons=daemons)
            self._admit()
            await self._settle(targets, leftovers=True)

    async def retry_forever(self) -> None:
        """Try from time to time to reach a kernel without ip_vs, and to repair what the kernel refused."""
        while True:
            await asyncio.sleep(RETRY_AFTER)
            async with self._turn:
                if self._sink is None:
                    if await self._reach():
                        self._announce_strangers()
                        await self._settle(self._servers, leftovers=True)
                elif self._stale:
                    await self._reread()
                    await self._settle({self._owner[key]: None for key in self._stale if key in self._owner})

    def _announce_strangers(self) -> None:
        """Say which destinations inside our services the configuration does not know: they are removed with the next plan."""
        known: dict[ServiceKey, frozenset[ServerKey]] = {}
        for target, server in self._servers.items():
            if target in self._refused:
                continue
            known.update(
                (key, servers) for key, servers in candidates(server, self._groups).items() if self._owner.get(key) == target
            )
        for key, destination in strangers(self._actual, known):
            self._log.warning(f"Removing unknown server {destination} from virtual server {key}")

    # Planning ------------------------------------------------------------------------------------------------

    async def _settle(self, targets: Iterable[Target], *, leftovers: bool = False) -> None:
        """Plan and perform what these virtual servers need.

        `leftovers`: remove services of ours, too, that no virtual server has any longer.
        """
        wanted = self._wanted(targets)
        gone = [key for key in self._actual if key in self._owned and not self._is_claimed(key)] if leftovers else []
        operations: list[Operation] = [DelService(key) for key in gone]
        for key, entry in wanted.items():
            operations += plan_service(self._actual.get(key), entry)
        self._claim(key for key in wanted if key not in self._owned)
        failed = await self._perform(operations, wanted)
        if failed:
            await self._reread()
            again: list[Operation] = []
            for key in failed:
                if key in wanted:
                    again += plan_service(self._actual.get(key), wanted[key])
            self._stale |= set(await self._perform(again, wanted, quiet=True))
        self._release(key for key in gone if key not in self._actual)

    def _wanted(self, targets: Iterable[Target]) -> dict[ServiceKey, ServiceEntry]:
        """Return the entries that these virtual servers are to have in the kernel."""
        wanted: dict[ServiceKey, ServiceEntry] = {}
        for target in targets:
            server = self._servers.get(target)
            if server is None or target in self._refused:
                continue
            for entry in entries(server, self._groups, self._pools.get(target, PoolState())):
                if self._owner.get(entry.key) == target:
                    wanted[entry.key] = entry
        return wanted

    def _is_claimed(self, key: ServiceKey) -> bool:
        """Whether a virtual server of the configuration has this service."""
        owner = self._owner.get(key)
        return owner is not None and owner not in self._refused

    async def _perform(
        self, operations: Sequence[Operation], wanted: Mapping[ServiceKey, ServiceEntry], *, quiet: bool = False
    ) -> list[ServiceKey]:
        """Perform operations and follow the kernel's table; return the services about which it is no longer certain."""
        errors = await self._apply(operations, quiet=quiet)
        failed: dict[ServiceKey, None] = {}
        touched: dict[ServiceKey, None] = {}
        for operation, error in zip(operations, errors, strict=True):
            key = _service_of(operation)
            if key is None:
                continue
            touched[key] = None
            if error is not None and not is_moot(operation, error.errno):
                failed[key] = None
        for key in touched:
            if key in failed:
                continue
            self._stale.discard(key)
            if key in wanted:
                self._actual[key] = wanted[key]
            else:
                self._actual.pop(key, None)
        return list(failed)

    async def _apply(self, operations: Sequence[Operation], *, quiet: bool = False) -> list[KernelError | None]:
        """Send operations; report refusals unless they say that things are as wanted already, and try the natural substitute."""
        assert self._sink is not None
        if not operations:
            return []
        self.operations += len(operations)
        errors = await self._sink.apply(operations)
        for index, (operation, error) in enumerate(zip(operations, errors, strict=True)):
            if error is None or is_moot(operation, error.errno):
                continue
            substitute = instead(operation, error.errno)
            if substitute is not None and isinstance(operation, NewDestination | SetDestination):
                errors[index] = (await self._sink.apply([substitute]))[0]
                self.operations += 1
            if errors[index] is not None and not (quiet and isinstance(operation, NewService | SetService)):
                self._log.error(f"IPVS: {errors[index]}")
        return errors

    async def _reread(self) -> None:
        assert self._sink is not None
        try:
            self._actual = dict(await self._sink.dump())
        except KernelError as error:
            self._log.error(f"IPVS: {error}")

    # Ownership -----------------------------------------------------------------------------------------------

    def _read_record(self) -> Ownership:
        try:
            content = read_bounded(self._record, SIZE_MAX)
            return decode(content) if content is not None else Ownership()
        except (OSError, RecordError) as error:
            self._log.warning(f"{self._record}: {error}; services that an earlier run left behind are not known")
            return Ownership()

    def _claim(self, keys: Iterable[ServiceKey]) -> None:
        """Record services before they are made, so that a crash in between loses nothing."""
        claimed = self._owned.claimed(keys)
        if claimed != self._owned:
            self._owned = claimed
            self._write_record()

    def _release(self, keys: Iterable[ServiceKey]) -> None:
        released = self._owned.released(keys)
        if released != self._owned:
            self._owned = released
            self._write_record()

    def _write_record(self) -> None:
        try:
            write_atomically(self._record, encode(self._owned))
        except OSError as error:
            self._log.warning(f"{self._record} cannot be written: {error.strerror}")

    # Stop ----------------------------------------------------------------------------------------------------

    async def stop(self, *, release: bool) -> None:
        """Remove what is ours and restore what was set, unless the table is to be left as it is."""
        async with self._turn:
            if self._sink is None:
                return
            if release:
                await self._tear_down()
            self._sink.close()
            self._sink = None

    async def _tear_down(self) -> None:
        how = self._globals.lvs_flush_on_stop
        mine = [self._actual[key] for key in self._actual if key in self._owned or key in self._owner]
        operations: list[Operation] = []
        if how == "all":
            operations.append(Flush())
        else:
            for entry in mine:
                operations += teardown(entry, one_by_one=how is None)
        if self._kernel_timeouts is not None:
            operations.append(SetTimeouts(self._kernel_timeouts))
        daemon = self._globals.lvs_sync_daemon
        if daemon is not None and daemon.instance is None:
            operations += [DelDaemon(master=True), DelDaemon(master=False)]
        await self._apply(operations)
        remove(self._record)


def _service_of(operation: Operation) -> ServiceKey | None:
    """Return the service that an operation changes."""
    service = getattr(operation, "service", None)
    if service is None:
        return None
    return getattr(service, "key", service)  # type: ignore[no-any-return]


def _sync_daemon(globals_: GlobalDefs, *, master: bool) -> SyncDaemon:
    configured = globals_.lvs_sync_daemon
    assert configured is not None
    return SyncDaemon(
        master=master,
        interface=configured.interface,
        sync_id=configured.id or 0,
        maxlen=configured.maxlen,
        group=configured.group,
        port=configured.port,
        ttl=configured.ttl,
    )
