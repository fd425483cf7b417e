"""The parent's loop: signals, children, reloads.

It forks, so it has no asyncio loop that a child would inherit: a selector, a wake-up descriptor for signals, and the supervisor's
deadline are all it needs.
"""

import contextlib
import gc
import os
import selectors
import signal
import socket
import time
from dataclasses import replace
from typing import Final

from keepalived_py import __version__
from keepalived_py.config.globals import GlobalDefs
from keepalived_py.config.model import Config
from keepalived_py.daemon import check_process
from keepalived_py.daemon.channel import Channel, channel_pair
from keepalived_py.daemon.check_process import Inheritance
from keepalived_py.daemon.messages import Reload, Running
from keepalived_py.daemon.reload import Refused, decide
from keepalived_py.daemon.settings import RunFiles, Settings
from keepalived_py.daemon.supervisor import (
    Action,
    Child,
    Event,
    Exited,
    Finish,
    Kill,
    Report,
    Spawn,
    Started,
    StopRequested,
    Supervisor,
    TimerFired,
    Wanted,
)
from keepalived_py.daemon.table_keeper import SinkOpener
from keepalived_py.parser.load import Loaded, load
from keepalived_py.system.clock import now
from keepalived_py.system.files import remove, write_atomically, write_pid
from keepalived_py.system.host import Host
from keepalived_py.system.log import Log
from keepalived_py.system.scripts import run_and_wait
from keepalived_py.units import MICRO_PER_SECOND, Micro

VERSION_LINE: Final = f"Keepalived v2.4.3 compatible keepalived-py v{__version__}"
_HANDLED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2)
_MAX_LOGGED: Final = 200


def read_configuration(settings: Settings, *, testing: bool = False) -> Loaded:
    """Read the configuration file anew."""
    return load(settings.config_file, Host(), config_id=settings.config_id, testing=testing, strict=settings.strict_includes)


def log_diagnostics(log: Log, loaded: Loaded) -> None:
    """Write what there is to say about a configuration to the log."""
    for diagnostic in loaded.diagnostics[:_MAX_LOGGED]:
        log.info(diagnostic.headline())
    if len(loaded.diagnostics) > _MAX_LOGGED:
        log.info(f"{len(loaded.diagnostics) - _MAX_LOGGED} further diagnostics; keepalived-py -t shows them all")


class Parent:
    """The parent process, from its first configuration to its end."""

    def __init__(self, settings: Settings, config: Config, files: RunFiles, log: Log, open_sink: SinkOpener) -> None:
        self._settings = settings
        self._config = config
        self._files = files
        self._log = log
        self._open_sink = open_sink
        patience = Micro(config.globals.child_wait_time * MICRO_PER_SECOND)
        self._supervisor = Supervisor(respawn=settings.respawn, patience=patience)
        self._selector = selectors.DefaultSelector()
        self._channels: dict[Child, Channel] = {}
        self._finished: int | None = None
        self._reload_wanted = False

    def run(self) -> int:
        """Run the daemon; return its exit status."""
        self._log.info(f"Starting {VERSION_LINE}")
        self._log.info(f"Configuration file {self._settings.config_file}")
        self._run_script("startup")
        wake = self._watch_signals()
        try:
            write_pid(self._files.parent_pid, os.getpid())
            self._feed(Wanted(self._wanted()))
            self._log.info("Startup complete")
            while self._finished is None:
                self._wait(wake)
        finally:
            signal.set_wakeup_fd(-1)
            remove(self._files.parent_pid)
        self._run_script("shutdown")
        self._log.info(f"Stopped {VERSION_LINE}")
        return self._finished

    def _wanted(self) -> frozenset[Child]:
        """Return which children the configuration and the command line call for."""
        lvs = bool(self._config.lvs.virtual_servers) or self._settings.start_all
        children = (
            frozenset({Child.CHECKER}) if lvs and (not self._settings.vrrp_only or self._settings.check_only) else frozenset()
        )
        if not children:
            self._log.warning("Warning - keepalived has no configuration to run")
        return children

    # The loop ------------------------------------------------------------------------------------------------

    def _watch_signals(self) -> socket.socket:
        receiving, sending = socket.socketpair()
        receiving.setblocking(False)
        sending.setblocking(False)
        for number in _HANDLED:
            signal.signal(number, lambda *_: None)
        if self._settings.ignore_sigint:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.set_wakeup_fd(sending.fileno(), warn_on_full_buffer=False)
        self._selector.register(receiving, selectors.EVENT_READ, None)
        self._sending = sending  # kept open as long as signals are written to it
        return receiving

    def _wait(self, wake: socket.socket) -> None:
        """Wait for the next signal, message or deadline, and serve it."""
        deadline = self._supervisor.deadline()
        timeout = None if deadline is None else max(0.0, (deadline - now()) / MICRO_PER_SECOND)
        for key, mask in self._selector.select(timeout):
            if key.data is None:
                self._serve_signals(wake)
            else:
                self._serve_channel(key.data, mask)
        deadline = self._supervisor.deadline()
        if deadline is not None and deadline <= now():
            self._feed(TimerFired())
        if self._reload_wanted and not self._supervisor.stopping:
            self._reload_wanted = False
            self._reload()

    def _serve_signals(self, wake: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            for number in wake.recv(4096):
                self._serve_signal(number)
        self._reap()

    def _serve_signal(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._log.info("Stopping")
            self._feed(StopRequested())
        elif number == signal.SIGHUP:
            self._reload_wanted = True
        elif number in (signal.SIGUSR1, signal.SIGUSR2):
            self._log.info(f"Signal {signal.Signals(number).name}: this version writes no state dumps")

    def _reap(self) -> None:
        """Collect children that have ended."""
        for child, channel in list(self._channels.items()):
            pid = self._supervisor.pid(child)
            if not pid:
                continue
            with contextlib.suppress(ChildProcessError):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    self._forget(child, channel)
                    self._feed(Exited(child, pid, os.waitstatus_to_exitcode(status)))

    def _forget(self, child: Child, channel: Channel) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(channel)
        channel.close()
        del self._channels[child]

    def _serve_channel(self, child: Child, mask: int) -> None:
        channel = self._channels.get(child)
        if channel is None:
            return
        if mask & selectors.EVENT_WRITE:
            channel.flush()
        if mask & selectors.EVENT_READ:
            try:
                for message in channel.receive():
                    if isinstance(message, Running):
                        self._log.detail(f"{child.value} child process is up to date ({message.operations} netlink requests)")
            except EOFError:
                self._selector.unregister(channel)
                return
        self._watch(child, channel)

    def _watch(self, child: Child, channel: Channel) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if channel.wants_write else 0)
        with contextlib.suppress(KeyError):
            self._selector.modify(channel, events, child)

    # Supervising ---------------------------------------------------------------------------------------------

    def _feed(self, event: Event) -> None:
        for action in self._supervisor.handle(event, now()):
            self._perform(action)

    def _perform(self, action: Action) -> None:
        match action:
            case Spawn():
                self._spawn(action)
            case Kill():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(action.pid, action.signal)
            case Report():
                (self._log.error if action.severe else self._log.info)(action.text)
            case Finish():
                self._finished = action.status

    def _spawn(self, action: Spawn) -> None:
        ours, theirs = channel_pair()
        gc.collect()
        gc.freeze()  # the heap of the configuration stays shared between the processes
        parent = os.getpid()
        pid = os.fork()
        if not pid:
            self._be_child(ours, theirs, parent, takes_over=action.takes_over)
        gc.unfreeze()
        theirs.close()
        channel = Channel(ours)
        self._channels[action.child] = channel
        self._selector.register(channel, selectors.EVENT_READ, action.child)
        self._feed(Started(action.child, pid))

    def _be_child(self, ours: socket.socket, theirs: socket.socket, parent: int, *, takes_over: bool) -> None:
        """Become the checker process; never return."""
        status = 70
        try:
            ours.close()
            self._selector.close()
            self._sending.close()
            for channel in self._channels.values():
                channel.close()
            born = Inheritance(self._settings, self._config, self._files, theirs, parent, takes_over, self._open_sink)
            status = check_process.run(born)
        except BaseException:  # nothing may escape into the parent's code; the log has the traceback
            import traceback

            self._log.error(f"Healthcheck child process failed:\n{traceback.format_exc()}")
        finally:
            os._exit(status)

    # Reload and scripts --------------------------------------------------------------------------------------

    def _reload(self) -> None:
        """Read the file, decide, and ship the difference."""
        self._log.info("Reloading ...")
        started = time.monotonic()
        marker = self._config.globals.reload_file
        if marker is not None:
            with contextlib.suppress(OSError):
                write_atomically(self._files.reload_marker(marker), b"")
        loaded = read_configuration(self._settings, testing=self._config.globals.reload_check_config is not None)
        if marker is not None:
            remove(self._files.reload_marker(marker))
        log_diagnostics(self._log, loaded)
        decision = decide(self._config, loaded)
        if isinstance(decision, Refused):
            self._log.error(f"Reload refused: {decision.reason}; the running configuration stays in force")
            return
        for note in decision.notes:
            self._log.warning(note)
        self._config = decision.config
        self._supervisor.patience = Micro(self._config.globals.child_wait_time * MICRO_PER_SECOND)
        channel = self._channels.get(Child.CHECKER)
        wanted = self._wanted()
        if channel is not None and Child.CHECKER in wanted:
            channel.send(Reload(_for_child(self._config.globals), decision.lvs, self._config.ssl))
            self._watch(Child.CHECKER, channel)
        self._feed(Wanted(wanted))
        elapsed = time.monotonic() - started
        self._log.info(f"Reload finished in {elapsed:.3f} s; virtual servers: {decision.summary}")

    def _run_script(self, which: str) -> None:
        globals_ = self._config.globals
        script = globals_.startup_script if which == "startup" else globals_.shutdown_script
        seconds = globals_.startup_script_timeout if which == "startup" else globals_.shutdown_script_timeout
        if script is None:
            return
        self._log.info(f"Running {which} script {script}")
        problem = run_and_wait(script, seconds)
        if problem:
            self._log.error(f"{which.capitalize()} script {script.argv[0]} {problem}")


def _for_child(globals_: GlobalDefs) -> GlobalDefs:
    """Leave out what a child has no use for."""
    return replace(globals_, startup_script=None, shutdown_script=None)
