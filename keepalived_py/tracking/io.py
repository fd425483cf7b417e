"""Finding out what is tracked: programs that are run, files that are watched, processes that are counted.

Facts go out as plain values through callbacks; what they mean is decided by the engines.  Nothing here waits for a program or a
file in line.
"""

import asyncio
import contextlib
import os
import signal
import stat
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from keepalived_py.config.scripts import Script
from keepalived_py.config.tracking import TrackFile
from keepalived_py.system.inotify import FileWatch
from keepalived_py.system.scripts import environment, signal_group
from keepalived_py.units import MICRO_PER_SECOND, Micro

_OUTPUT_MAX: Final = 4096
_OUTPUT_SHOWN: Final = 256
_NUMBER_MAX: Final = 64
_KILL_AFTER: Final = 2.0


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """How a run of a tracked script ended: see `vrrp.events.ScriptDone`, whose fields these are."""

    name: str
    status: int | None
    signal: int | None = None
    timed_out: bool = False
    output: str = ""


@dataclass(eq=False, slots=True)
class _Run:
    name: str
    process: subprocess.Popen[bytes]
    pidfd: int
    pipe: int
    output: bytearray = field(default_factory=bytearray)
    timer: asyncio.TimerHandle | None = None
    timed_out: bool = False
    wanted: bool = True


class ScriptRuns:
    """Runs tracked scripts, one run of each at a time; `done` gets the results."""

    def __init__(self, done: Callable[[ScriptResult], None]) -> None:
        self._done = done
        self._running: dict[str, _Run] = {}

    def start(self, name: str, script: Script, timeout: Micro) -> None:
        """Start a run; past `timeout` its process group gets SIGTERM, 2 s later SIGKILL.  ``</file`` reads a number instead."""
        if name in self._running:
            return
        if script.argv[0].startswith("<"):
            path = Path(script.argv[0][1:].lstrip(" \t"))
            asyncio.get_running_loop().call_soon(self._done, ScriptResult(name, read_number(path)))
            return
        try:
            run = self._spawn(name, script)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            asyncio.get_running_loop().call_soon(self._done, ScriptResult(name, None, output=str(error)[:_OUTPUT_SHOWN]))
            return
        loop = asyncio.get_running_loop()
        self._running[name] = run
        loop.add_reader(run.pidfd, self._ended, run)
        loop.add_reader(run.pipe, self._said, run)
        run.timer = loop.call_later(timeout / MICRO_PER_SECOND, self._expire, run)

    @staticmethod
    def _spawn(name: str, script: Script) -> _Run:
        reading, writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(reading, False)  # our end only: the program's end has to wait, as programs expect
        try:
            user = script.user
            rights: dict[str, object] = {}
            if user is not None and (user.uid, user.gid) != (os.getuid(), os.getgid()):
                rights = {"user": user.uid, "group": user.gid, "extra_groups": list(user.groups)}
            process: subprocess.Popen[bytes] = subprocess.Popen(  # type: ignore[call-overload]
                list(script.argv),
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                close_fds=True,
                restore_signals=True,
                process_group=0,
                **rights,
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        return _Run(name, process, os.pidfd_open(process.pid), reading)

    def cancel(self, name: str) -> None:
        """End a run that is no longer wanted; its result is thrown away."""
        run = self._running.get(name)
        if run is not None:
            run.wanted = False
            self._expire(run)

    def close(self) -> None:
        """Kill everything; no further results."""
        for run in list(self._running.values()):
            run.wanted = False
            signal_group(run.process.pid, signal.SIGKILL)
            run.process.wait()
            self._ended(run)

    def _said(self, run: _Run) -> None:
        """Keep the last bytes of what a program writes; it never has to wait for us."""
        with contextlib.suppress(BlockingIOError):
            data = os.read(run.pipe, 65_536)
            if not data:
                asyncio.get_running_loop().remove_reader(run.pipe)
            run.output += data
            del run.output[:-_OUTPUT_MAX]

    def _expire(self, run: _Run) -> None:
        if run.timed_out:
            signal_group(run.process.pid, signal.SIGKILL)
            return
        run.timed_out = True
        signal_group(run.process.pid, signal.SIGTERM)
        if run.timer is not None:
            run.timer.cancel()
        run.timer = asyncio.get_running_loop().call_later(_KILL_AFTER, self._expire, run)

    def _ended(self, run: _Run) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(run.pidfd)
        self._said(run)
        loop.remove_reader(run.pipe)
        os.close(run.pidfd)
        os.close(run.pipe)
        if run.timer is not None:
            run.timer.cancel()
        signal_group(run.process.pid, signal.SIGKILL)  # what it left behind in its group
        status = run.process.wait()
        self._running.pop(run.name, None)
        if run.wanted:
            lines = run.output.decode("utf-8", "backslashreplace").strip().splitlines()
            killed = -status if status < 0 else None
            said = lines[-1][:_OUTPUT_SHOWN] if lines else ""
            self._done(ScriptResult(run.name, None if killed else status, killed, run.timed_out, said))


def read_number(path: Path) -> int:
    """Return the number that a file starts with; 0 when it is missing, empty, no regular file, or holds none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return 0
    try:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        text = os.read(descriptor, _NUMBER_MAX).decode("ascii", "replace").strip() if regular else ""
    except OSError:
        return 0
    finally:
        os.close(descriptor)
    word = text.split(None, 1)[0] if text else ""
    try:
        return int(word)
    except ValueError:
        return 0


class TrackedFiles:
    """Watches tracked files; `changed` gets the name and the number of each that changed."""

    def __init__(self, changed: Callable[[str, int], None], complain: Callable[[str], None]) -> None:
        self._changed = changed
        self._complain = complain
        self._watch: FileWatch | None = None
        self._names: dict[Path, list[str]] = {}

    def follow(self, files: Iterable[TrackFile]) -> dict[str, int]:
        """Watch exactly these files from now on; return the number of each, by name."""
        wanted: dict[Path, list[str]] = {}
        for file in files:
            wanted.setdefault(Path(file.path), []).append(file.name)
        if wanted and self._watch is None:
            self._watch = FileWatch()
            asyncio.get_running_loop().add_reader(self._watch.fileno(), self._something_happened)
        if self._watch is not None:
            for path in self._names.keys() - wanted.keys():
                self._watch.discard(path)
            for path in wanted.keys() - self._names.keys():
                try:
                    self._watch.add(path)
                except OSError as error:
                    self._complain(f"track_file {path} cannot be watched: {error.strerror}")
        self._names = wanted
        return {name: read_number(path) for path, names in wanted.items() for name in names}

    def _something_happened(self) -> None:
        assert self._watch is not None
        for path in dict.fromkeys(self._watch.changed()):
            number = read_number(path)
            for name in self._names.get(path, ()):
                self._changed(name, number)

    def close(self) -> None:
        """Watch nothing any longer."""
        if self._watch is not None:
            asyncio.get_running_loop().remove_reader(self._watch.fileno())
            self._watch.close()
            self._watch = None


def initialise(file: TrackFile, mode: int = 0o644) -> None:
    """Create a tracked file with its first number, or overwrite it where that is configured; raise `OSError` when it cannot."""
    if file.init is None:
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_TRUNC if file.init.overwrite else os.O_EXCL)
    try:
        descriptor = os.open(file.path, flags, mode)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(f"{file.init.value}\n")
