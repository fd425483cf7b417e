"""The VRRP process: joins the engine, its sockets and timer, the host, tracking, scripts and FIFOs in one loop that nothing delays.

Forked by the parent, it has its configuration by inheritance, never parses, and never waits: programs run beside it, the kernel
answers at once.  Real-time scheduling and memory locking are as configured, and off by default.
"""

import asyncio
import gc
import socket
import time
from dataclasses import dataclass
from typing import Final

from keepalived_py.addresses import Family
from keepalived_py.config.model import Config
from keepalived_py.config.vrrp import Vrrp
from keepalived_py.daemon.channel import Channel as ParentChannel
from keepalived_py.daemon.child import Lifeline, Role, run_child
from keepalived_py.daemon.kernel_news import KernelNews
from keepalived_py.daemon.messages import Running, VrrpReload
from keepalived_py.daemon.settings import RunFiles, Settings
from keepalived_py.daemon.vrrp_host import VrrpHost
from keepalived_py.errors import KernelError
from keepalived_py.report.fifo import NotifyFifos
from keepalived_py.report.mail import Mailer
from keepalived_py.system.clock import now
from keepalived_py.system.log import VRRP_IDENT
from keepalived_py.system.log import Log as LogWriter
from keepalived_py.system.rtnetlink import RouteMonitor, RouteSocket
from keepalived_py.system.scripts import ScriptRunner
from keepalived_py.system.timer import AbsoluteTimer
from keepalived_py.tracking.io import ScriptResult, ScriptRuns, TrackedFiles, initialise
from keepalived_py.tracking.processes import ProcessCounts
from keepalived_py.units import MICRO_PER_SECOND, Micro
from keepalived_py.vrrp.actions import Action, Alert, CancelScript, FifoLine, Log, LvsSyncState, RunScript, StartScript, Trap
from keepalived_py.vrrp.engine import VrrpEngine
from keepalived_py.vrrp.events import (
    CommandLine,
    FileContent,
    InterfaceChanged,
    InterfaceGone,
    ProcessCount,
    Reloaded,
    ScriptDone,
    Single,
    Started,
    Stopping,
)
from keepalived_py.vrrp.io import VrrpShell

_DRAIN_SECONDS: Final = 1.5


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What a VRRP process is born with."""

    settings: Settings
    config: Config
    files: RunFiles
    channel: socket.socket
    parent: int


def run(born: Inheritance) -> int:
    """Be the VRRP process; return its exit status."""
    globals_ = born.config.globals
    ident = VRRP_IDENT + born.files.ident_suffix
    role = Role("VRRP", ident, "_vrrp", "keepalived_vrrp", globals_.vrrp_process, born.files.vrrp_pid)
    return run_child(role, born.settings, globals_, born.parent, lambda log, limit: _VrrpProcess(born, log, limit).main())


class _VrrpProcess:
    """The objects of the process, and how they are joined."""

    def __init__(self, born: Inheritance, log: LogWriter, descriptors: int) -> None:
        self._born = born
        self._log = log
        self._config = born.config
        self._lifeline = Lifeline()
        self._channel = ParentChannel(born.channel)
        self._engine = VrrpEngine()
        self._link = RouteSocket()
        self._news = KernelNews(self._link, RouteMonitor())
        self._host = VrrpHost(self._link, born.files.vrrp_record, born.config.globals, log)
        self._scripts = ScriptRunner(log.error, descriptors=descriptors)
        self._tracked_scripts = ScriptRuns(self._script_done)
        self._files = TrackedFiles(lambda name, value: self._feed(FileContent(name, value)), log.error)
        self._processes = ProcessCounts(lambda name, count: self._feed(ProcessCount(name, count)))
        self._fifos = NotifyFifos(self._scripts, log.error)
        self._mailer = Mailer(born.config.globals, log.error)
        self._timer = AbsoluteTimer()
        self._shell = VrrpShell(self._engine, self._timer, self._perform, now, asyncio.get_running_loop())

    async def main(self) -> int:
        """Run until told to stop."""
        loop = asyncio.get_running_loop()
        self._open_fifos()
        self._begin()
        gc.collect()
        gc.freeze()
        loop.add_reader(self._news.fileno(), self._heard)
        loop.add_reader(self._channel.fileno(), self._on_message)
        self._channel.send(Running(0))
        await self._lifeline.outlasts()
        await self._finish()
        return 0

    def _begin(self) -> None:
        """Clean up after a run that was killed, tell the engine how the host is, and start it."""
        config = self._config
        facts = self._take(self._news.everything())
        left = self._host.state.clean_up_after_the_last_run()
        if left:
            self._log.info(f"Removed {left} addresses, routes, rules, interfaces or settings that an earlier run left behind")
            facts += self._take(self._news.everything())
        self._host.prepare_firewall(_filtered_families(config.vrrp))
        facts += self._tracked()
        options = self._born.settings
        command_line = CommandLine(bool(options.log.detail), not options.release_vrrp, options.release_vips)
        self._shell.feed(*facts, Started(config.vrrp, config.tracking, config.globals, command_line, _uptime()))

    def _tracked(self) -> list[Single]:
        """Follow what the configuration tracks, and return how it is now."""
        tracking = self._config.tracking
        for file in tracking.files:
            try:
                initialise(file)
            except OSError as error:
                self._log.error(f"track_file {file.path}: {error.strerror}")
        facts: list[Single] = [FileContent(name, value) for name, value in self._files.follow(tracking.files).items()]
        facts += [ProcessCount(name, count) for name, count in self._processes.follow(tracking.processes).items()]
        return facts

    # News of the host -------------------------------------------------------------------------------------------------------

    def _heard(self) -> None:
        try:
            self._feed(*self._take(self._news.heard()))
        except KernelError as error:
            self._log.error(f"Netlink: {error}")

    def _take(self, news: list[Single]) -> list[Single]:
        """Keep what the host needs to know of interfaces, too."""
        for event in news:
            if isinstance(event, InterfaceChanged):
                self._host.state.learn_one(event.interface.name, event.interface.index)
                self._host.learn_mac(event.interface.name, event.interface.mac)
            elif isinstance(event, InterfaceGone):
                self._host.state.forget(event.name)
        return news

    def _feed(self, *events: Single) -> None:
        if events:
            self._shell.feed(*events)

    def _script_done(self, result: ScriptResult) -> None:
        self._feed(ScriptDone(result.name, result.status, result.signal, result.timed_out, result.output))

    # Actions ----------------------------------------------------------------------------------------------------------------

    def _perform(self, action: Action) -> None:
        match action:
            case Log():
                self._log.write(int(action.level), action.text)
            case StartScript():
                self._tracked_scripts.start(action.name, action.script, action.timeout)
            case CancelScript():
                self._tracked_scripts.cancel(action.name)
            case RunScript():
                limit = None if action.time_limit is None else action.time_limit / MICRO_PER_SECOND
                self._scripts.run(action.script, action.extra_args, limit)
            case FifoLine():
                self._fifos.write(action.text)
            case Alert():
                self._mailer.send(action.subject, action.body)
            case Trap() | LvsSyncState():
                pass  # SNMP and the IPVS sync daemon are not served by this version
            case _:
                self._host.perform(action)

    def _open_fifos(self) -> None:
        globals_ = self._config.globals
        self._fifos.open((globals_.notify_fifo, globals_.vrrp_notify_fifo))

    # Reload and stop --------------------------------------------------------------------------------------------------------

    def _on_message(self) -> None:
        try:
            for message in self._channel.receive():
                if isinstance(message, VrrpReload):
                    self._reload(message)
        except EOFError:
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            self._lifeline.stop()

    def _reload(self, message: VrrpReload) -> None:
        self._log.info("Reloading")
        self._config = Config(globals=message.globals, vrrp=message.vrrp, tracking=message.tracking)
        self._mailer.configure(message.globals)
        self._host.prepare_firewall(_filtered_families(message.vrrp))
        facts = self._tracked()
        self._feed(*facts, Reloaded(message.vrrp, message.tracking, message.globals, _uptime()))
        self._open_fifos()
        self._channel.send(Running(0))

    async def _finish(self) -> None:
        self._feed(Stopping())
        self._tracked_scripts.close()
        self._files.close()
        self._processes.close()
        self._fifos.close()
        await asyncio.gather(self._scripts.drain(_DRAIN_SECONDS), self._mailer.drain(_DRAIN_SECONDS))
        self._shell.close()
        self._timer.close()
        self._host.close(keep=not self._born.settings.release_vrrp)
        self._link.close()
        self._log.info("Stopped")


def _filtered_families(vrrp: Vrrp) -> list[Family]:
    """Return the families for which packets must be filtered: addresses that are not accepted, and VMACs."""
    wanted: set[Family] = set()
    for instance in vrrp.instances:
        addresses = (*instance.virtual_addresses, *instance.excluded_addresses)
        if not instance.accept and not instance.is_owner:
            wanted |= {address.family for address in addresses}
        if instance.vmac is not None:
            wanted.add(instance.family)
    return sorted(wanted)


def _uptime() -> Micro:
    """Return how long the host has been up (CLOCK_BOOTTIME)."""
    return Micro(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000)
