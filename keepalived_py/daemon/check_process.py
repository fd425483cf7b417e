"""The checker process: joins the health-check engine, the kernel's table, scripts and FIFOs in one asyncio loop.

    parent --Reload-->  [ engine + sockets ]  --actions-->  [ worker: IPVS table, scripts, FIFOs ]

    born -> kernel reached, table read -> engine started -> first programming -> ... reloads ... -> told to stop -> table released

Forked by the parent, it has its configuration by inheritance and never parses.  A restarted process goes on from the kernel's
weights: nothing is flushed, and no server is added back before its first success.
"""

import asyncio
import gc
import random
import resource
import socket
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Final

from keepalived_py.config.globals import GlobalDefs, LvsTimeouts
from keepalived_py.config.model import Config
from keepalived_py.daemon.channel import Channel
from keepalived_py.daemon.child import Lifeline, Role, run_child
from keepalived_py.daemon.kernel_settings import KernelSettings
from keepalived_py.daemon.messages import Ending, FoundTimeouts, Reload, Running
from keepalived_py.daemon.record import ServiceRecord
from keepalived_py.daemon.settings import RunFiles, Settings
from keepalived_py.daemon.surroundings import Surroundings
from keepalived_py.daemon.table_keeper import RETRY_AFTER, KernelWeights, SinkOpener, TableKeeper
from keepalived_py.daemon.worker import Step, Worker
from keepalived_py.healthcheck.driver import ProbeDriver
from keepalived_py.healthcheck.engine import CheckEngine
from keepalived_py.healthcheck.events import Batch, Options, Reloaded, Started, Stopping
from keepalived_py.healthcheck.io import CheckShell
from keepalived_py.healthcheck.tls import TlsContexts
from keepalived_py.report.fifo import NotifyFifos
from keepalived_py.report.mail import Mailer
from keepalived_py.system.clock import now
from keepalived_py.system.log import CHECKER_IDENT, INFO, Log
from keepalived_py.system.scripts import AT_ONCE, ScriptRunner

_RESERVED_DESCRIPTORS: Final = 64 + AT_ONCE
_DRAIN_SECONDS: Final = 1.5
_START_SECONDS: Final = 2.0
_FINISH_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What a checker process is born with.  `takes_over`: it follows one that died, which had found `timeouts` in the kernel."""

    settings: Settings
    config: Config
    files: RunFiles
    channel: socket.socket
    parent: int
    takes_over: bool
    timeouts: LvsTimeouts | None
    open_sink: SinkOpener


def run(born: Inheritance) -> int:
    """Be the checker process; return its exit status."""
    globals_ = born.config.globals
    role = Role(
        "Healthcheck",
        CHECKER_IDENT + born.files.ident_suffix,
        "_healthcheckers",
        "keepalived_lvs",
        globals_.checker_process,
        born.files.checkers_pid,
    )
    return run_child(role, born.settings, globals_, born.parent, lambda log, limit: _CheckProcess(born, log, limit).main())


class _CheckProcess:
    """The objects of the process, and how they are joined."""

    def __init__(self, born: Inheritance, log: Log, descriptors: int) -> None:
        self._born = born
        self._log = log
        self._descriptors = descriptors
        self._globals = born.config.globals
        self._lvs = born.config.lvs
        self._lifeline = Lifeline()
        self._channel = Channel(born.channel)
        self._engine = CheckEngine(random.random)
        record = ServiceRecord(born.files.ownership, log)
        settings = KernelSettings(born.timeouts, lambda found: self._channel.send(FoundTimeouts(found)))
        self._keeper = TableKeeper(self._globals, self._lvs, born.open_sink, record, settings, log)
        self._scripts = ScriptRunner(log.error, descriptors=descriptors)
        self._fifos = NotifyFifos(self._scripts, log.error)
        self._mailer = Mailer(self._globals, log.error)
        self._worker = Worker(self._keeper.publish, self._scripts, self._fifos, self._mailer, log)

    async def main(self) -> int:
        """Run until told to stop."""
        starting = asyncio.create_task(self._keeper.start(takes_over=self._born.takes_over))
        await self._lifeline.outlasts(starting)
        if self._lifeline.stopped:
            return await self._give_up(starting)
        shell = self._start(starting.result(), asyncio.get_running_loop())
        worker, retry = asyncio.create_task(self._worker.run()), asyncio.create_task(self._retry_forever())
        await self._lifeline.outlasts(worker, retry)
        await self._finish(shell, worker, retry)
        return 0

    async def _give_up(self, starting: "asyncio.Task[KernelWeights | None]") -> int:
        """End before the start is complete."""
        await asyncio.wait({starting}, timeout=_START_SECONDS)
        if starting.done():
            await self._keeper.stop(release=self._born.settings.release_ipvs)
        self._log.write(INFO, "Stopped")
        return 0

    def _start(self, weights: KernelWeights | None, loop: asyncio.AbstractEventLoop) -> CheckShell:
        """Start the checks, and only then listen to the parent: a reload is a change of what has been started."""
        self._fifos.open((self._globals.notify_fifo, self._globals.lvs_notify_fifo))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._driver = ProbeDriver(
            limit=max(1, soft - _RESERVED_DESCRIPTORS), contexts=TlsContexts(self._born.config.ssl), descriptors=self._descriptors
        )
        shell = CheckShell(self._engine, self._driver, self._worker.perform, now, loop)
        self._surroundings = Surroundings(shell.feed, self._log.warning)
        step = Step(self._keeper.begin, afterwards=self._say_running)
        start = Batch((*self._surroundings.follow(self._lvs), Started(self._lvs, weights, _options(self._globals))))
        self._worker.collect(step, lambda: shell.feed(start))
        gc.collect()
        gc.freeze()
        loop.add_reader(self._channel.fileno(), self._on_message, shell)
        return shell

    def _say_running(self) -> None:
        self._channel.send(Running(self._keeper.operations))

    async def _retry_forever(self) -> None:
        while True:
            await asyncio.sleep(RETRY_AFTER)
            if self._keeper.needs_retry:
                self._worker.add(Step(self._retry))

    def _retry(self, _pools: object) -> Coroutine[None, None, None]:
        return self._keeper.retry()

    # Reload and stop -----------------------------------------------------------------------------------------

    def _on_message(self, shell: CheckShell) -> None:
        try:
            for message in self._channel.receive():
                if isinstance(message, Reload):
                    self._reload(message, shell)
        except EOFError:
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            self._lifeline.stop()

    def _reload(self, message: Reload, shell: CheckShell) -> None:
        self._log.info("Reloading")
        self._lvs = message.lvs.apply(self._lvs)
        self._globals = message.globals
        self._mailer.configure(self._globals)
        changed = [server.target for server in message.lvs.changed]
        program = partial(self._keeper.reload, self._globals, self._lvs, changed)
        step = Step(program, afterwards=self._say_running)
        self._driver.renew_tls(message.ssl)
        change = Batch((*self._surroundings.follow(self._lvs), Reloaded(self._lvs, _options(self._globals))))
        self._worker.collect(step, lambda: shell.feed(change))
        self._fifos.open((self._globals.notify_fifo, self._globals.lvs_notify_fifo))

    async def _finish(self, shell: CheckShell, worker: "asyncio.Task[None]", retry: "asyncio.Task[None]") -> None:
        """End in order: nothing new is checked, what is waiting is carried out, the table is released."""
        asyncio.get_running_loop().remove_reader(self._channel.fileno())
        retry.cancel()
        self._surroundings.close()
        release = self._born.settings.release_ipvs
        if release:
            shell.feed(Stopping())
        shell.close()
        self._worker.finish()
        await asyncio.wait({worker}, timeout=_FINISH_SECONDS)
        if not worker.done():  # the kernel does not answer
            worker.cancel()
        else:
            worker.result()
        await self._keeper.stop(release=release, getting_on=lambda: self._channel.send(Ending()))
        self._fifos.close()
        await asyncio.gather(self._scripts.drain(_DRAIN_SECONDS), self._mailer.drain(_DRAIN_SECONDS))
        self._log.write(INFO, "Stopped")


def _options(globals_: GlobalDefs) -> Options:
    return Options(
        rs_init_notifies=globals_.rs_init_notifies,
        checker_log_all_failures=globals_.checker_log_all_failures,
        no_checker_emails=globals_.no_checker_emails,
    )
