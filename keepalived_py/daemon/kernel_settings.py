"""Settings of IPVS as a whole: connection timeouts and sync threads.

    timeouts      what is configured, else what the kernel had before us; at the end what it had before us
    sync threads  started anew at a start and when their configuration changes, stopped at the end

Decides which operations that takes; the caller performs them.
"""

from collections.abc import Callable
from dataclasses import replace

from keepalived_py.config.globals import GlobalDefs, LvsSyncDaemon, LvsTimeouts
from keepalived_py.ipvs.client import Sink
from keepalived_py.ipvs.operations import DelDaemon, NewDaemon, Operation, SetTimeouts
from keepalived_py.ipvs.table import SyncDaemon

_STOP_THREADS: tuple[Operation, ...] = (DelDaemon(master=True), DelDaemon(master=False))


class KernelSettings:
    """Follows what we have set.

    `found`: the timeouts that the kernel had before a process that we take over from set its own; `tell` is called with those that
    we find ourselves, before we set any.
    """

    def __init__(self, found: LvsTimeouts | None, tell: Callable[[LvsTimeouts], None]) -> None:
        self._found = found
        self._tell = tell
        self._set = LvsTimeouts() if found is None else None
        self._threads: LvsSyncDaemon | None = None

    async def start(self, sink: Sink, globals_: GlobalDefs, *, takes_over: bool) -> list[Operation]:
        """Return what a start takes; after a process that died, sync threads that are right go on.  Raises `KernelError`."""
        operations = await self._timeouts(sink, globals_.lvs_timeouts)
        self._threads = _threads_of(globals_)
        if self._threads is None or (takes_over and _are_these(await sink.daemons(), _both(self._threads))):
            return operations
        return [*operations, *_STOP_THREADS, *map(NewDaemon, _both(self._threads))]

    async def change(self, sink: Sink, globals_: GlobalDefs) -> list[Operation]:
        """Return what a reload takes: nothing for what stays as it was.  Raises `KernelError`."""
        operations = await self._timeouts(sink, globals_.lvs_timeouts)
        old, self._threads = self._threads, _threads_of(globals_)
        if old == self._threads:
            return operations
        stop = _STOP_THREADS if old is not None else ()
        if self._threads is None:
            return [*operations, *stop]
        return [*operations, *_STOP_THREADS, *map(NewDaemon, _both(self._threads))]

    def stop(self) -> list[Operation]:
        """Return what brings everything back to what it was before us."""
        operations: list[Operation] = []
        if self._found is not None and self._set != LvsTimeouts():
            operations.append(SetTimeouts(self._found))
        return operations + (list(_STOP_THREADS) if self._threads is not None else [])

    async def _timeouts(self, sink: Sink, wanted: LvsTimeouts) -> list[Operation]:
        if wanted == self._set:
            return []
        present = await sink.timeouts()
        if self._found is None:
            self._found = present
            self._tell(present)
        self._set = wanted
        found = self._found
        whole = LvsTimeouts(wanted.tcp or found.tcp, wanted.tcpfin or found.tcpfin, wanted.udp or found.udp)
        return [] if whole == present else [SetTimeouts(whole)]


def follows_vrrp(globals_: GlobalDefs) -> bool:
    """Whether the sync threads are to follow a VRRP instance, which they cannot yet."""
    daemon = globals_.lvs_sync_daemon
    return daemon is not None and daemon.instance is not None


def _threads_of(globals_: GlobalDefs) -> LvsSyncDaemon | None:
    return None if follows_vrrp(globals_) else globals_.lvs_sync_daemon


def _both(configured: LvsSyncDaemon) -> list[SyncDaemon]:
    """Return the sending and the receiving thread."""
    master = SyncDaemon(
        master=True,
        interface=configured.interface,
        sync_id=configured.id or 0,
        maxlen=configured.maxlen,
        group=configured.group,
        port=configured.port,
        ttl=configured.ttl,
    )
    return [master, replace(master, master=False)]


def _are_these(running: list[SyncDaemon], wanted: list[SyncDaemon]) -> bool:
    """Whether the threads that run are those wanted; what is left to the kernel does not count."""
    if len(running) != len(wanted):
        return False
    return all(
        SyncDaemon(
            found.master,
            found.interface,
            found.sync_id,
            found.maxlen if want.maxlen is not None else None,
            found.group if want.group is not None else None,
            found.port if want.port is not None else None,
            found.ttl if want.ttl is not None else None,
        )
        == want
        for found, want in zip(sorted(running, key=lambda it: not it.master), wanted, strict=True)
    )
