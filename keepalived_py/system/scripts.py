"""Running the user's programs: as their user, in a process group of their own, without a shell, never waited for in line.

Standard output and error are the daemon's, as with keepalived; the environment is the daemon's without the variables that would let
it change what is run.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from typing import Final

from keepalived_py.config.scripts import Script

_DROPPED: Final = ("IFS", "LD_PRELOAD", "LD_LIBRARY_PATH")
_KILL_AFTER: Final = 2.0


def environment() -> dict[str, str]:
    """Return the environment of scripts."""
    return {name: value for name, value in os.environ.items() if name not in _DROPPED}


def start(script: Script, extra: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """Start a program; raise `OSError` or `subprocess.SubprocessError` when that is impossible."""
    user = script.user
    rights: dict[str, object] = {}
    if user is not None and (user.uid, user.gid) != (os.getuid(), os.getgid()):
        rights = {"user": user.uid, "group": user.gid, "extra_groups": list(user.groups)}
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        [*script.argv, *extra],
        env=environment(),
        stdin=subprocess.DEVNULL,
        close_fds=True,
        restore_signals=True,
        process_group=0,
        **rights,
    )


class ScriptRunner:
    """Starts programs from an asyncio loop and collects what became of them."""

    def __init__(self, complain: Callable[[str], None]) -> None:
        self._complain = complain
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def running(self) -> int:
        """Return how many programs run."""
        return len(self._running)

    def run(self, script: Script, extra: Sequence[str] = (), time_limit: float | None = None) -> None:
        """Start a program and return; past `time_limit` seconds its process group is terminated, then killed."""
        try:
            process = start(script, extra)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            self._complain(f"Cannot run script {script}: {error}")
            return
        loop = asyncio.get_running_loop()
        descriptor = os.pidfd_open(process.pid)
        self._running[process.pid] = process
        timer = loop.call_later(time_limit, self._terminate, process) if time_limit is not None else None
        loop.add_reader(descriptor, self._ended, process, descriptor, timer)

    def _ended(self, process: subprocess.Popen[bytes], descriptor: int, timer: asyncio.TimerHandle | None) -> None:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
        if timer is not None:
            timer.cancel()
        status = process.wait()
        self._running.pop(process.pid, None)
        if status < 0:
            self._complain(f"Script {process.args[0]!s} was killed by signal {-status}")  # type: ignore[index]

    def _terminate(self, process: subprocess.Popen[bytes]) -> None:
        signal_group(process.pid, signal.SIGTERM)
        asyncio.get_running_loop().call_later(_KILL_AFTER, signal_group, process.pid, signal.SIGKILL)

    async def drain(self, seconds: float) -> None:
        """Wait until every program has ended, at most `seconds`; what still runs is killed."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self._running and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        for pid in list(self._running):
            signal_group(pid, signal.SIGKILL)


def signal_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to the process group of a program; it may be gone."""
    with contextlib.suppress(OSError):
        os.killpg(pid, number)


def run_and_wait(script: Script, seconds: float, extra: Sequence[str] = ()) -> str:
    """Run a program to its end (start-up and shutdown scripts); return an empty string, or what went wrong."""
    try:
        process = start(script, extra)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return f"cannot be run: {error}"
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        signal_group(process.pid, signal.SIGTERM)
        try:
            process.wait(_KILL_AFTER)
        except subprocess.TimeoutExpired:
            signal_group(process.pid, signal.SIGKILL)
            process.wait()
        return f"did not end within {seconds:g} s"
    return f"ended with status {status}" if status else ""
