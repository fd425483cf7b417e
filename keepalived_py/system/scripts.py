"""Running the user's programs: as their user, in a process group of their own, without a shell, never waited for in line.

Standard output and error are the daemon's, as with keepalived; the environment is the daemon's without the variables that would let
it change what is run.
"""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from keepalived_py.config.scripts import Script

AT_ONCE: Final = 256
"""Programs that run at the same time; more wait for their turn, in order."""

_STARTS_PER_TURN: Final = 16  # each start stops the event loop for about a millisecond
_DROPPED: Final = ("IFS", "LD_PRELOAD", "LD_LIBRARY_PATH")
_KILL_AFTER: Final = 2.0
_POLL_SECONDS: Final = 0.05
_FAILURES: Final = (OSError, subprocess.SubprocessError, ValueError)


def environment() -> dict[str, str]:
    """Return the environment of scripts."""
    return {name: value for name, value in os.environ.items() if name not in _DROPPED}


def start(script: Script, extra: Sequence[str] = (), descriptors: int | None = None) -> subprocess.Popen[bytes]:
    """Start a program, with a soft limit of `descriptors` if given.

    Raises `OSError`, `subprocess.SubprocessError` or `ValueError` when that is impossible.
    """
    user = script.user
    rights: dict[str, object] = {}
    if user is not None and (user.uid, user.gid) != (os.getuid(), os.getgid()):
        rights = {"user": user.uid, "group": user.gid, "extra_groups": list(user.groups)}
    process: subprocess.Popen[bytes] = subprocess.Popen(  # type: ignore[call-overload]
        [*script.argv, *extra],
        env=environment(),
        stdin=subprocess.DEVNULL,
        close_fds=True,
        restore_signals=True,
        process_group=0,
        **rights,
    )
    if descriptors is not None:
        with contextlib.suppress(OSError, ValueError):  # it may have ended, or be somebody else's without CAP_SYS_RESOURCE
            _, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (min(descriptors, hard), hard))
    return process


def signal_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to the process group of a program that has not been waited for (its id is still its own)."""
    with contextlib.suppress(OSError):
        os.killpg(pid, number)


@dataclass(eq=False, slots=True)
class _Run:
    """A program at work.  `limited`: it was given a time limit; `timer`: the next thing that happens to it if it goes on."""

    script: Script
    process: subprocess.Popen[bytes]
    descriptor: int
    limited: bool = False
    expired: bool = False
    timer: asyncio.TimerHandle | None = None


class ScriptRunner:
    """Starts programs from an asyncio loop and collects what became of them.

    `complain` takes log lines; `descriptors` is the soft limit of open files that programs get, None for our own.
    """

    def __init__(self, complain: Callable[[str], None], *, descriptors: int | None = None, at_once: int = AT_ONCE) -> None:
        self._complain = complain
        self._descriptors = descriptors
        self._at_once = at_once
        self._queue: deque[tuple[Script, Sequence[str], float | None]] = deque()
        self._running: dict[int, _Run] = {}
        self._kept: dict[int, _Run] = {}
        self._filling = False
        self._full = False

    @property
    def running(self) -> int:
        """Return how many programs run, those that are kept not counted."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Return how many programs wait for their turn."""
        return len(self._queue)

    def run(self, script: Script, extra: Sequence[str] = (), time_limit: float | None = None) -> None:
        """Start a program as soon as it is its turn; past `time_limit` seconds its group is terminated, then killed."""
        self._queue.append((script, extra, time_limit))
        self._fill_soon()

    def keep(self, script: Script, extra: Sequence[str] = ()) -> int:
        """Start a program that stays until `end`; return its handle, 0 when it cannot be started."""
        run = self._start(script, extra)
        if run is None:
            return 0
        self._kept[run.process.pid] = run
        return run.process.pid

    def end(self, handle: int) -> None:
        """Terminate a program that was kept, if it is still there."""
        run = self._kept.get(handle)
        if run is not None:
            self._expire(run)

    async def drain(self, seconds: float) -> None:
        """Wait until all programs that have a time limit have run, and those that were told to end have ended.

        After `seconds` what is left of them is killed.  The others go on, as with keepalived.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while (self._queue or self._awaited()) and loop.time() < deadline:
            await asyncio.sleep(_POLL_SECONDS / 5)
        if self._queue:
            self._complain(f"{len(self._queue)} scripts have not been run")
        for run in self._awaited():
            signal_group(run.process.pid, signal.SIGKILL)

    def _awaited(self) -> list[_Run]:
        return [run for run in (*self._running.values(), *self._kept.values()) if run.limited or run.expired]

    def _fill_soon(self) -> None:
        if not self._filling:
            self._filling = True
            asyncio.get_running_loop().call_soon(self._fill)

    def _fill(self) -> None:
        """Start what waits while there is room, a few at a time so that checks go on meanwhile."""
        self._filling = False
        for _ in range(_STARTS_PER_TURN):
            if not self._queue or len(self._running) >= self._at_once:
                break
            script, extra, limit = self._queue.popleft()
            run = self._start(script, extra)
            if run is not None:
                self._running[run.process.pid] = run
                self._limit(run, limit)
        full = len(self._running) >= self._at_once and bool(self._queue)
        if full and not self._full:
            self._complain(f"{self._at_once} scripts are running: further ones wait until some of them have ended")
        self._full = full or (self._full and bool(self._queue))
        if self._queue and not full:
            self._fill_soon()

    def _start(self, script: Script, extra: Sequence[str]) -> _Run | None:
        try:
            process = start(script, extra, self._descriptors)
        except _FAILURES as error:
            self._complain(f"Cannot run script {script}: {error}")
            return None
        try:
            descriptor = os.pidfd_open(process.pid)
        except OSError as error:
            # Without a descriptor nobody would notice its end.
            signal_group(process.pid, signal.SIGKILL)
            process.wait()
            self._complain(f"Cannot run script {script}: {error}")
            return None
        run = _Run(script, process, descriptor)
        asyncio.get_running_loop().add_reader(descriptor, self._ended, run)
        return run

    def _limit(self, run: _Run, seconds: float | None) -> None:
        if seconds is not None:
            run.limited = True
            run.timer = asyncio.get_running_loop().call_later(seconds, self._expire, run)

    def _expire(self, run: _Run) -> None:
        if run.expired:
            return
        run.expired = True
        signal_group(run.process.pid, signal.SIGTERM)
        if run.timer is not None:
            run.timer.cancel()
        run.timer = asyncio.get_running_loop().call_later(_KILL_AFTER, signal_group, run.process.pid, signal.SIGKILL)

    def _ended(self, run: _Run) -> None:
        asyncio.get_running_loop().remove_reader(run.descriptor)
        os.close(run.descriptor)
        if run.timer is not None:
            run.timer.cancel()
        if run.expired:  # not waited for yet, so the group's id is still its own: what it left behind goes, too
            signal_group(run.process.pid, signal.SIGKILL)
        status = run.process.wait()
        self._running.pop(run.process.pid, None)
        self._kept.pop(run.process.pid, None)
        if status < 0 and not run.expired:
            self._complain(f"Script {run.script.argv[0]} was killed by signal {-status}")
        elif run.expired and run.limited:
            self._complain(f"Script {run.script.argv[0]} did not end in time and was terminated")
        if self._queue:
            self._fill_soon()


def run_and_wait(script: Script, seconds: float, interrupted: Callable[[], bool] = lambda: False) -> str:
    """Run a program to its end (start-up and shutdown scripts); return an empty string, or what went wrong.

    `interrupted` is asked now and then whether to terminate it early.
    """
    try:
        process = start(script)
    except _FAILURES as error:
        return f"cannot be run: {error}"
    end = time.monotonic() + seconds
    while time.monotonic() < end and not interrupted():
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = process.wait(_POLL_SECONDS)
            return f"ended with status {status}" if status else ""
    in_time = time.monotonic() < end
    signal_group(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_KILL_AFTER)
    if process.returncode is None:
        signal_group(process.pid, signal.SIGKILL)
        process.wait()
    return "was terminated because the daemon stops" if in_time else f"did not end within {seconds:g} s"
