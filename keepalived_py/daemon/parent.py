"""The parent's loop: signals, children, reloads.

It forks, so it has no asyncio loop that a child would inherit: a selector, the signals' inbox, and the supervisor's deadline are
all it needs.  Who is started, restarted and killed is decided by `supervisor`, whether a file is used by `reload`.
"""

import contextlib
import gc
import os
import selectors
import signal
import socket
import time
import traceback
from dataclasses import replace
from typing import Final, NoReturn

from keepalived_py import __version__
from keepalived_py.config.globals import GlobalDefs, LvsTimeouts
from keepalived_py.config.model import Config
from keepalived_py.daemon import check_process, vrrp_process
from keepalived_py.daemon.channel import Channel, channel_pair
from keepalived_py.daemon.child import INTERNAL_ERROR
from keepalived_py.daemon.messages import Ending, FoundTimeouts, Message, Reload, Running, VrrpReload
from keepalived_py.daemon.reload import Accepted, Refused, decide
from keepalived_py.daemon.settings import RunFiles, Settings
from keepalived_py.daemon.signals import DUMPS, RELOAD, STOP, SignalInbox, held_back
from keepalived_py.daemon.supervisor import (
    Action,
    Child,
    Event,
    Exited,
    Finish,
    GettingOn,
    Kill,
    NotStarted,
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
from keepalived_py.system.files import append, remove, write_atomically, write_pid
from keepalived_py.system.host import Host
from keepalived_py.system.log import ERROR, Log
from keepalived_py.system.scripts import run_and_wait
from keepalived_py.units import MICRO_PER_SECOND, Micro

VERSION_LINE: Final = f"Keepalived v2.4.3 compatible keepalived-py v{__version__}"
FATAL: Final = 1
_MAX_LOGGED: Final = 200


def read_configuration(settings: Settings, *, testing: bool = False) -> Loaded:
    """Read the configuration file anew."""
    # Next to nothing of what is made meanwhile is garbage in cycles, and looking for it takes a third of the time.
    gc.disable()
    try:
        return load(settings.config_file, Host(), config_id=settings.config_id, testing=testing, strict=settings.strict_includes)
    finally:
        gc.enable()


def log_diagnostics(log: Log, loaded: Loaded) -> None:
    """Write what there is to say about a configuration to the log."""
    for diagnostic in loaded.diagnostics[:_MAX_LOGGED]:
        log.info(diagnostic.headline())
    if len(loaded.diagnostics) > _MAX_LOGGED:
        log.info(f"{len(loaded.diagnostics) - _MAX_LOGGED} further diagnostics; keepalived-py -t shows them all")


class Parent:
    """The parent process, from its first configuration to its end."""

    def __init__(
        self, settings: Settings, config: Config, files: RunFiles, log: Log, open_sink: SinkOpener, inbox: SignalInbox
    ) -> None:
        self._settings = settings
        self._config = config
        self._files = files
        self._log = log
        self._open_sink = open_sink
        self._inbox = inbox
        self._supervisor = Supervisor(respawn=settings.respawn, patience=_patience(config.globals))
        self._selector = selectors.DefaultSelector()
        self._channels: dict[Child, Channel] = {}
        self._timeouts: LvsTimeouts | None = None
        self._finished: int | None = None
        self._reload_wanted = False
        self._silent: set[Child] = set()
        self._awaited = "Startup complete"

    def run(self) -> int:
        """Run the daemon; return its exit status."""
        pid_file = self._files.parent_pid
        try:
            write_pid(pid_file, os.getpid())
        except OSError as error:
            # Without it, a second daemon would not notice this one.  keepalived ends here, too, but with status 0.
            self._log.error(f"pidfile_write : Cannot open {pid_file} pidfile: {error.strerror}")
            self._log.info(f"Stopped {VERSION_LINE}")
            return FATAL
        try:
            self._selector.register(self._inbox, selectors.EVENT_READ, None)
            self._begin()
            while self._finished is None:
                self._wait()
            self._run_script("shutdown")
        finally:
            remove(pid_file)
        self._log.info(f"Stopped {VERSION_LINE}")
        return self._finished

    def _begin(self) -> None:
        """Run the start-up script and start the children, unless a signal has told us to stop meanwhile."""
        self._run_script("startup")
        self._serve_signals()
        if self._supervisor.stopping:
            return
        wanted = self._wanted()
        self._feed(Wanted(wanted))
        self._await_all(wanted)

    def _wanted(self) -> frozenset[Child]:
        """Return which children the configuration and the command line call for."""
        settings, config = self._settings, self._config
        both = settings.check_only == settings.vrrp_only
        wanted: set[Child] = set()
        if (both or settings.check_only) and (config.lvs.virtual_servers or settings.start_all):
            wanted.add(Child.CHECKER)
        if (both or settings.vrrp_only) and (config.vrrp.has_work or settings.start_all):
            wanted.add(Child.VRRP)
        if not wanted:
            self._log.warning("Warning - keepalived has no configuration to run")
        return frozenset(wanted)

    def _await_all(self, wanted: frozenset[Child]) -> None:
        """Wait for each child that there is to say that it is up to date."""
        self._silent = set(Child)
        for child in set(Child) - wanted:
            self._is_up(child)

    def _is_up(self, child: Child) -> None:
        """Note that a child works, or is not needed; a start or a reload is complete when that is so of all of them."""
        if child in self._silent:
            self._silent.discard(child)
            if not self._silent:
                self._log.info(self._awaited)
                self._awaited = "Reload complete"

    # The loop ------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Wait for the next signal, message or deadline, and serve it."""
        deadline = self._supervisor.deadline()
        timeout = None if deadline is None else max(0.0, (deadline - now()) / MICRO_PER_SECOND)
        for key, mask in self._selector.select(timeout):
            if key.data is None:
                self._serve_signals()
            else:
                self._serve_channel(key.data, mask)
        deadline = self._supervisor.deadline()
        if deadline is not None and deadline <= now():
            self._feed(TimerFired())
        if self._reload_wanted and not self._supervisor.stopping:
            self._reload_wanted = False
            self._reload()

    def _serve_signals(self) -> None:
        for number in self._inbox.take():
            if number in STOP:
                if not self._supervisor.stopping:
                    self._log.info("Stopping")
                self._feed(StopRequested())
            elif number == RELOAD:
                self._reload_wanted = True
            elif number in DUMPS:
                self._log.info(f"{DUMPS[number]} requested by signal {number}: this version writes no state dumps")
            elif number == signal.SIGCHLD:
                self._reap()

    def _reap(self) -> None:
        """Collect every process that has ended: our children, and as first process of a container whatever was left to us."""
        while self._channels:  # without children, what ends is the start-up script, which is waited for elsewhere
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for child in Child:
                if self._supervisor.pid(child) == pid:
                    self._forget(child)
                    self._feed(Exited(child, pid, os.waitstatus_to_exitcode(status)))
                    break

    def _forget(self, child: Child) -> None:
        """Let go of what belonged to a child that has ended, its pid file too if it had no time for that."""
        channel = self._channels.pop(child, None)
        if channel is not None:
            with contextlib.suppress(KeyError):
                self._selector.unregister(channel)
            with contextlib.suppress(EOFError):
                for message in channel.receive():
                    self._take(child, message)
            channel.close()
        remove(self._files.checkers_pid if child is Child.CHECKER else self._files.vrrp_pid)

    def _serve_channel(self, child: Child, mask: int) -> None:
        channel = self._channels.get(child)
        if channel is None:
            return
        if mask & selectors.EVENT_WRITE:
            channel.flush()
        if mask & selectors.EVENT_READ:
            try:
                for message in channel.receive():
                    self._take(child, message)
            except EOFError:
                self._selector.unregister(channel)  # its end is told by SIGCHLD
                return
        self._watch(child, channel)

    def _take(self, child: Child, message: Message) -> None:
        match message:
            case FoundTimeouts():
                self._timeouts = message.timeouts
            case Running():
                counted = f" ({message.operations} netlink requests so far)" if child is Child.CHECKER else ""
                self._log.detail(f"{child.value} child process is up to date{counted}")
                self._is_up(child)
            case Ending():
                self._feed(GettingOn(child))
            case _:
                pass

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
        gc.collect()
        gc.freeze()  # the heap of the configuration stays shared between the processes
        try:
            pid = self._fork(action)
        except OSError as error:
            self._feed(NotStarted(action.child, error.strerror or str(error)))
        else:
            self._feed(Started(action.child, pid))
        finally:
            gc.unfreeze()

    def _fork(self, action: Spawn) -> int:
        """Fork a child with a channel to it; return its pid.  Raises `OSError`."""
        ours, theirs = channel_pair()
        parent = os.getpid()
        with theirs, held_back():
            try:
                pid = os.fork()
            except OSError:
                ours.close()
                raise
            if not pid:
                self._be_child(action, ours, theirs, parent)
        channel = Channel(ours)
        self._channels[action.child] = channel
        self._selector.register(channel, selectors.EVENT_READ, action.child)
        return pid

    def _be_child(self, action: Spawn, ours: socket.socket, theirs: socket.socket, parent: int) -> NoReturn:
        """Become a child; never return."""
        status = INTERNAL_ERROR
        try:
            self._inbox.abandon()
            self._selector.close()
            ours.close()
            for channel in self._channels.values():
                channel.close()
            status = self._live_as(action, theirs, parent)
        except BaseException:  # nothing may escape into the parent's code; the log has the traceback
            self._log.write_lines(ERROR, f"{action.child.value} child process failed:\n{traceback.format_exc()}")
        finally:
            os._exit(status)

    def _live_as(self, action: Spawn, theirs: socket.socket, parent: int) -> int:
        """Run the child that this process has become; return its exit status."""
        inherited = (self._settings, self._config, self._files, theirs, parent)
        if action.child is Child.VRRP:
            return vrrp_process.run(vrrp_process.Inheritance(*inherited))
        return check_process.run(check_process.Inheritance(*inherited, action.takes_over, self._timeouts, self._open_sink))

    # Reload and scripts --------------------------------------------------------------------------------------

    def _reload(self) -> None:
        """Read the file, decide, and ship the difference."""
        self._log.info("Reloading ...")
        started = time.monotonic()
        loaded = self._read_again()
        log_diagnostics(self._log, loaded)
        decision = decide(self._config, loaded)
        if isinstance(decision, Refused):
            self._log.error(f"Reload refused: {decision.reason}; the running configuration stays in force")
            self._note_refusal(loaded)
            return
        for note in decision.notes:
            self._log.warning(note)
        self._apply(decision)
        elapsed = time.monotonic() - started
        self._log.info(f"Reload finished in {elapsed:.3f} s; virtual servers: {decision.summary}")

    def _apply(self, decision: Accepted) -> None:
        self._config = decision.config
        self._supervisor.patience = _patience(self._config.globals)
        wanted = self._wanted()
        for child in wanted:
            # One that is not running, or is ending, will be born with the new configuration.
            if self._supervisor.serves(child):
                channel = self._channels[child]
                channel.send(self._reload_of(child, decision))
                self._watch(child, channel)
        self._feed(Wanted(wanted))
        self._await_all(wanted)

    def _reload_of(self, child: Child, decision: Accepted) -> Message:
        """Return what a child is to be told of a new configuration."""
        config = decision.config
        globals_ = _for_child(config.globals)
        if child is Child.VRRP:
            return VrrpReload(globals_, config.vrrp, config.tracking)
        return Reload(globals_, decision.lvs, config.ssl)

    def _read_again(self) -> Loaded:
        """Read the file; `reload_file` exists as long as that takes."""
        globals_ = self._config.globals
        marker = None if globals_.reload_file is None else self._files.reload_marker(globals_.reload_file)
        if marker is not None:
            try:
                write_atomically(marker, b"")
            except OSError as error:
                self._log.warning(f"Failed to create reload file ({marker}): {error.strerror}")
        try:
            return read_configuration(self._settings, testing=globals_.reload_check_config is not None)
        finally:
            if marker is not None:
                remove(marker)

    def _note_refusal(self, loaded: Loaded) -> None:
        """Append what there is to say about a refused file to the log file of `reload_check_config`."""
        path = self._config.globals.reload_check_config
        if path:
            try:
                append(path, "".join(f"{diagnostic.render()}\n" for diagnostic in loaded.diagnostics))
            except (OSError, ValueError) as error:
                self._log.warning(f"{path} cannot be written: {error}")

    def _run_script(self, which: str) -> None:
        globals_ = self._config.globals
        script = globals_.startup_script if which == "startup" else globals_.shutdown_script
        seconds = globals_.startup_script_timeout if which == "startup" else globals_.shutdown_script_timeout
        if script is None:
            return
        self._log.info(f"Running {which} script {script}")
        problem = run_and_wait(script, seconds, self._told_to_stop if which == "startup" else lambda: False)
        if problem:
            self._log.error(f"Call of {which} script {script.argv[0]} failed: it {problem}")

    def _told_to_stop(self) -> bool:
        self._serve_signals()
        return self._supervisor.stopping


def _patience(globals_: GlobalDefs) -> Micro:
    return Micro(globals_.child_wait_time * MICRO_PER_SECOND)


def _for_child(globals_: GlobalDefs) -> GlobalDefs:
    """Leave out what a child has no use for."""
    return replace(globals_, startup_script=None, shutdown_script=None)
