"""A director in the laboratory: the real daemon in a node, its configuration, and what it did so far.

    director = Director(node, tmp_path)
    director.configure(text)
    daemon = director.start()
    director.until(lambda: ..., "what is waited for")

The kernel is simulated unless the node's own is asked for (`observed_daemon` says how).
"""

import os
import signal
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from examples.lab import Daemon, Node, eventually
from keepalived_py.ipvs.operations import Operation
from tests.helpers.observed_daemon import MODULE, Observation

ROOT = Path(__file__).resolve().parents[2]


class Director:
    """One daemon after the other, with the same files."""

    def __init__(self, node: Node, folder: Path, *, simulated: bool = True, retry: float = 0.5, patience: float = 15.0) -> None:
        self.node = node
        self.folder = folder
        self.patience = patience
        self.config = folder / "keepalived.conf"
        self.pid_file = folder / "parent.pid"
        self.checkers_pid_file = folder / "checkers.pid"
        self.record = folder / "checkers.ipvs.json"
        self.observation = Observation(folder / "observed")
        self._simulated = simulated
        self._retry = retry
        self._daemon: Daemon | None = None

    @property
    def daemon(self) -> Daemon:
        """The daemon of the last `start`."""
        assert self._daemon is not None
        return self._daemon

    def configure(self, text: str) -> None:
        """Write the configuration, whole."""
        fresh = self.config.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self.config)

    @property
    def environment(self) -> dict[str, str]:
        """Variables that the daemon needs."""
        observed = self.observation.environment(simulated=self._simulated, retry=self._retry)
        return {**observed, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}

    def argv(self, *options: str, files: bool = True) -> list[str]:
        """Return the command line; with `files` the pid files are this director's."""
        placed = ["-p", str(self.pid_file), "-c", str(self.checkers_pid_file)] if files else []
        return [sys.executable, "-m", MODULE, "-f", str(self.config), *placed, *options]

    def start(self, *options: str, complete: bool = True, wrapper: Sequence[str] = (), files: bool = True) -> Daemon:
        """Start the daemon in the foreground and wait until it says that it is complete."""
        argv = [*wrapper, *self.argv("-n", "-l", "-D", "-G", *options, files=files)]
        self._daemon = self.node.start(*argv, name="keepalived-py", env=self.environment)
        if complete:
            self._daemon.expect("Startup complete$", self.patience)
        return self._daemon

    def until(self, check: Callable[[], object], what: str, within: float | None = None) -> None:
        """Poll until something is true; what the daemon said is in the message otherwise."""
        try:
            eventually(check, what, within or self.patience)
        except Exception as late:
            raise AssertionError(f"{late}\n--- requests:\n{chr(10).join(self.sent())}\n--- log:\n{self.log()}") from None

    def log(self) -> str:
        return self._daemon.text() if self._daemon else ""

    def expect(self, pattern: str, since: int = 0) -> None:
        self.daemon.expect(pattern, self.patience, since)

    def reload(self, *, carried_out: bool = True) -> str:
        """Send SIGHUP and wait until it has been decided, and `carried_out` if accepted; return what was said meanwhile."""
        mark = self.daemon.mark()
        self.daemon.signal(signal.SIGHUP)
        found = self.daemon.expect("Reload (finished|refused)", self.patience, mark)
        if found[1] == "finished" and carried_out:
            self.daemon.expect("Healthcheck child process is up to date", self.patience, mark)
        return self.daemon.text(mark)

    @property
    def checker(self) -> int:
        """Process id of the checker, 0 when there is none."""
        try:
            return int(self.checkers_pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def kill_checker(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Kill the checker and wait until it is gone; return its process id."""
        victim = self.checker
        assert victim
        os.kill(victim, number)
        self.until(lambda: not alive(victim), "the checker is gone")
        return victim

    def respawned(self, victim: int) -> int:
        """Wait for the successor of a checker and return its process id."""
        self.until(lambda: self.checker not in (0, victim), "the checker is back")
        return self.checker

    def operations(self, since: int = 0) -> list[Operation]:
        return self.observation.operations(since)

    def sent(self, since: int = 0) -> list[str]:
        """Return the requests to the kernel, in words."""
        return self.observation.words(since)

    @property
    def count(self) -> int:
        return self.observation.count()


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and not been waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def descriptors(pid: int) -> list[str]:
    """Return what a process has open, by kind: numbers of sockets and the like differ between two looks."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(os.readlink(entry).partition(":")[0])
        except FileNotFoundError:
            continue
    return sorted(found)


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
