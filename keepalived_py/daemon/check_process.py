"""The checker process: joins the health-check engine, the kernel's table, scripts and FIFOs in one asyncio loop.

    parent --Reload-->  [ engine + sockets ]  --actions-->  log at once;  then, in order:  IPVS table, scripts, FIFOs
                                                            (`_work`: one task, so that nothing overtakes)

Forked by the parent, it has its configuration by inheritance and never parses.  A restarted process goes on from the kernel's
weights: nothing is flushed, and no server is added back before its first success.
"""

import asyncio
import gc
import os
import random
import resource
import signal
import socket
from dataclasses import dataclass, field
from typing import Final

from keepalived_py.config.globals import GlobalDefs
from keepalived_py.config.lvs import Lvs
from keepalived_py.config.model import Config
from keepalived_py.config.scripts import Fifo
from keepalived_py.daemon.channel import Channel
from keepalived_py.daemon.messages import Reload, Running
from keepalived_py.daemon.settings import RunFiles, Settings
from keepalived_py.daemon.table_keeper import SinkOpener, TableKeeper
from keepalived_py.errors import KernelError
from keepalived_py.healthcheck.actions import Action, Alert, FifoLine, Log, Publish, RunScript
from keepalived_py.healthcheck.dial import tls_context
from keepalived_py.healthcheck.engine import CheckEngine
from keepalived_py.healthcheck.events import Options, Reloaded, Started, Stopping
from keepalived_py.healthcheck.io import CheckShell, ProbeDriver
from keepalived_py.report.fifo import FifoWriter
from keepalived_py.system import process
from keepalived_py.system.clock import now
from keepalived_py.system.files import remove, write_pid
from keepalived_py.system.log import CHECKER_IDENT, INFO
from keepalived_py.system.log import Log as LogWriter
from keepalived_py.system.scripts import ScriptRunner
from keepalived_py.units import MICRO_PER_SECOND

_RESERVED_DESCRIPTORS: Final = 64
_DRAIN_SECONDS: Final = 1.5


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What a checker process is born with."""

    settings: Settings
    config: Config
    files: RunFiles
    channel: socket.socket
    parent: int
    takes_over: bool
    open_sink: SinkOpener


@dataclass(slots=True)
class _Step:
    """One piece of work: the first programming, a reload, or the actions of one event."""

    pools: list[Publish] = field(default_factory=list)
    rest: list[Action] = field(default_factory=list)
    first: bool = False
    reload: tuple[GlobalDefs, Lvs, tuple[object, ...]] | None = None


def run(born: Inheritance) -> int:
    """Be the checker process; return its exit status."""
    process.reset_signals()
    process.die_with_parent(born.parent)
    process.raise_descriptor_limit()
    tuning = born.config.globals.checker_process
    if born.config.globals.process_names or tuning.process_name:
        process.set_name(tuning.process_name or "keepalived_lvs")
    log = LogWriter(born.settings.log, CHECKER_IDENT, "_healthcheckers")
    for problem in process.apply_tuning(tuning):
        log.warning(problem)
    try:
        write_pid(born.files.checkers_pid, os.getpid())
    except OSError as error:
        log.error(f"Healthcheck child process: cannot write pidfile {born.files.checkers_pid}: {error.strerror}")
    try:
        return asyncio.run(_CheckProcess(born, log).main())
    finally:
        remove(born.files.checkers_pid)


class _CheckProcess:
    """The objects of the process, and how they are joined."""

    def __init__(self, born: Inheritance, log: LogWriter) -> None:
        self._born = born
        self._log = log
        self._globals = born.config.globals
        self._lvs = born.config.lvs
        self._channel = Channel(born.channel)
        self._engine = CheckEngine(random.random)
        self._keeper = TableKeeper(self._globals, self._lvs, born.open_sink, born.files.ownership, log)
        self._scripts = ScriptRunner(log.error)
        self._fifos: list[FifoWriter] = []
        self._steps: asyncio.Queue[_Step] = asyncio.Queue()
        self._step: _Step | None = None
        self._stop = asyncio.Event()
        self._shell: CheckShell | None = None
        self._mail_noted = False

    async def main(self) -> int:
        """Run until told to stop."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            loop.add_signal_handler(number, lambda: None)  # the parent's: it tells us what they mean
        loop.add_reader(self._channel.fileno(), self._on_message)
        self._open_fifos()
        weights = await self._keeper.start(takes_over=self._born.takes_over)
        self._shell = CheckShell(self._engine, self._make_driver(), self._perform, now, loop)
        gc.freeze()
        self._begin(_Step(first=True))
        self._shell.feed(Started(self._lvs, weights, _options(self._globals)))
        self._end()
        worker = asyncio.create_task(self._work())
        retry = asyncio.create_task(self._keeper.retry_forever())
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({stopping, worker, retry}, return_when=asyncio.FIRST_COMPLETED)
        for task in (worker, retry):
            if task.done():
                task.result()  # a bug must be loud: let it end the process, the parent restarts it
        await self._finish(worker, retry)
        return 0

    def _make_driver(self) -> ProbeDriver:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return ProbeDriver(limit=max(1, soft - _RESERVED_DESCRIPTORS), context=tls_context(self._born.config.ssl))

    # Actions -------------------------------------------------------------------------------------------------

    def _begin(self, step: _Step) -> None:
        """Collect the actions of what follows into one step."""
        self._step = step

    def _end(self) -> None:
        """Hand the collected step to the worker."""
        assert self._step is not None
        self._steps.put_nowait(self._step)
        self._step = None

    def _perform(self, actions: list[Action]) -> None:
        """Take the actions of one event: log lines go out now, everything else in order behind what is already waiting."""
        step = self._step or _Step()
        for action in actions:
            if isinstance(action, Log):
                self._log.write(int(action.level), action.text)
            elif isinstance(action, Publish):
                step.pools.append(action)
            else:
                step.rest.append(action)
        if self._step is None and (step.pools or step.rest):
            self._steps.put_nowait(step)

    async def _work(self) -> None:
        """Carry out steps one after the other; what has piled up is programmed together."""
        while True:
            await self._carry_out(await self._steps.get())

    async def _carry_out(self, step: _Step) -> None:
        before = self._keeper.operations
        try:
            if step.first:
                await self._keeper.begin(step.pools)
            elif step.reload is not None:
                globals_, lvs, changed = step.reload
                await self._keeper.reload(globals_, lvs, changed, step.pools)  # type: ignore[arg-type]
            elif step.pools:
                await self._keeper.publish(step.pools)
        except KernelError as error:
            self._log.error(f"IPVS: {error}")
        if step.first or step.reload is not None:
            self._channel.send(Running(self._keeper.operations - before))
        for action in step.rest:
            self._carry_out_one(action)

    def _carry_out_one(self, action: Action) -> None:
        match action:
            case RunScript():
                limit = None if action.time_limit is None else action.time_limit / MICRO_PER_SECOND
                self._scripts.run(action.script, action.extra_args, limit)
            case FifoLine():
                for fifo in self._fifos:
                    fifo.write(action.text)
            case Alert():
                self._note_mail()
            case _:
                pass

    def _note_mail(self) -> None:
        """Say once that mail is configured and not sent."""
        if not self._mail_noted and self._globals.smtp_server and self._globals.notification_email:
            self._mail_noted = True
            self._log.warning("Alerts by mail are configured, and this version does not send them yet")

    # FIFOs ---------------------------------------------------------------------------------------------------

    def _open_fifos(self) -> None:
        wanted = [fifo for fifo in (self._globals.notify_fifo, self._globals.lvs_notify_fifo) if fifo is not None]
        self._close_fifos()
        for fifo in wanted:
            self._fifos.append(FifoWriter(fifo, self._log.error))
            self._start_reader(fifo)

    def _start_reader(self, fifo: Fifo) -> None:
        if fifo.script is not None:
            self._scripts.run(fifo.script, (fifo.path,))

    def _close_fifos(self) -> None:
        for writer in self._fifos:
            writer.close()
        self._fifos.clear()

    # Reload and stop -----------------------------------------------------------------------------------------

    def _on_message(self) -> None:
        try:
            for message in self._channel.receive():
                if isinstance(message, Reload):
                    self._reload(message)
        except EOFError:
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            self._stop.set()

    def _reload(self, message: Reload) -> None:
        assert self._shell is not None
        self._log.info("Reloading")
        old = self._globals
        self._lvs = message.lvs.apply(self._lvs)
        self._globals = message.globals
        changed = tuple(server.target for server in message.lvs.changed)
        self._begin(_Step(reload=(self._globals, self._lvs, changed)))
        self._shell.feed(Reloaded(self._lvs, _options(self._globals)))
        self._end()
        if (old.notify_fifo, old.lvs_notify_fifo) != (self._globals.notify_fifo, self._globals.lvs_notify_fifo):
            self._open_fifos()

    async def _finish(self, *tasks: asyncio.Task[None]) -> None:
        """End in order: nothing new is checked, what is waiting is carried out, the table is released."""
        assert self._shell is not None
        release = self._born.settings.release_ipvs
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if release:
            self._shell.feed(Stopping())
        self._shell.close()
        while not self._steps.empty():
            await self._carry_out(self._steps.get_nowait())
        await self._keeper.stop(release=release)
        await self._scripts.drain(_DRAIN_SECONDS)
        self._close_fifos()
        self._log.write(INFO, "Stopped")


def _options(globals_: GlobalDefs) -> Options:
    return Options(
        rs_init_notifies=globals_.rs_init_notifies,
        checker_log_all_failures=globals_.checker_log_all_failures,
        no_checker_emails=globals_.no_checker_emails,
    )
