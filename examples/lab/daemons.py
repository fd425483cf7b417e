"""Processes that stay: one `Daemon` per program started in a node, its output in a file that can be waited for.

May not live here: how a process gets into its namespace (`lab`), what it serves (`web`).
"""

import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path


class LabError(Exception):
    """Something in the laboratory did not do what it was told; the text says what, with the output that was seen."""


def eventually(check: Callable[[], object], what: str, within: float = 15.0, every: float = 0.05) -> None:
    """Poll until ``check()`` is true.

    Args:
        check: A question without side effects.
        what: The awaited state in words, for the message.
        within: Seconds; under an emulated CPU everything takes about ten times longer, so be generous.
        every: Seconds between two questions.

    Raises:
        LabError: It did not become true in time.
    """
    end = time.monotonic() + within
    while not check():
        if time.monotonic() > end:
            raise LabError(f"not within {within:g} s: {what}")
        time.sleep(every)


class Daemon:
    """A running program, its output (both streams) and its end."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        """Process id, the same one that the program itself sees and writes into its pid file."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """``None`` while it runs, then its exit status, negative when a signal ended it (as `subprocess` has it)."""
        return self._process.poll()

    def text(self, since: int = 0) -> str:
        """Return what it has written so far, from byte ``since`` on."""
        with self.log.open("rb") as stream:
            stream.seek(since)
            return stream.read().decode(errors="replace")

    def mark(self) -> int:
        """Return the present length of the output, to be handed to `text` or `expect` later."""
        return self.log.stat().st_size

    def expect(self, pattern: str, within: float = 15.0, since: int = 0) -> re.Match[str]:
        """Wait until its output matches a regular expression (``^`` and ``$`` match at lines)."""
        expression = re.compile(pattern, re.MULTILINE)
        try:
            eventually(lambda: expression.search(self.text(since)) or self.status is not None, repr(pattern), within)
        except LabError as late:
            raise LabError(f"{self.name}: {late}; it said:\n{self.text(since)}") from None
        if found := expression.search(self.text(since)):
            return found
        raise LabError(f"{self.name} ended with status {self.status} before it said {pattern!r}; it said:\n{self.text(since)}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; a program that has ended gets none."""
        self._process.send_signal(number)

    def wait(self, within: float = 15.0) -> int:
        """Wait for its end and return the exit status."""
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.name} (pid {self.pid}) still runs after {within:g} s; it said:\n{self.text()}") from None

    def stop(self, within: float = 15.0) -> int:
        """End it with SIGTERM and return the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(within)

    def kill(self) -> int:
        """End it with SIGKILL, as a crash would, and return the exit status."""
        self.signal(signal.SIGKILL)
        return self.wait()
