"""Notify FIFOs: lines for a reader that may be slow or absent, and the program that reads them where one is configured.

A pipe is made when it does not exist, opened for reading and writing so that opening never waits, and removed at the end only if it
was made here.  A line that does not fit is dropped and said so.
"""

import contextlib
import os
import stat
from collections.abc import Callable, Sequence

from keepalived_py.config.scripts import Fifo
from keepalived_py.system.scripts import ScriptRunner


class FifoWriter:
    """One pipe."""

    def __init__(self, fifo: Fifo, complain: Callable[[str], None]) -> None:
        self._fifo = fifo
        self._complain = complain
        self._made = False
        self._dropping = False
        self._descriptor = self._open()

    @property
    def is_open(self) -> bool:
        """Whether there is a pipe to write to."""
        return self._descriptor >= 0

    def _open(self) -> int:
        path = self._fifo.path
        try:
            with contextlib.suppress(FileExistsError):
                os.mkfifo(path, 0o644)
                self._made = True
                if self._fifo.user is not None:
                    os.chown(path, self._fifo.user.uid, self._fifo.user.gid, follow_symlinks=False)
            descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise OSError(0, "not a FIFO")
        except (OSError, ValueError) as error:
            self._complain(f"Unable to open notify fifo {path}: {getattr(error, 'strerror', error)}")
            return -1
        return descriptor

    def write(self, line: bytes) -> None:
        """Write one line whole, or drop it; the first of a row of dropped lines is complained about."""
        if self._descriptor < 0:
            return
        try:
            os.write(self._descriptor, line)
            self._dropping = False
        except OSError as error:
            if not self._dropping:
                self._complain(f"Unable to write to notify fifo {self._fifo.path}, dropping lines: {error.strerror}")
            self._dropping = True

    def close(self) -> None:
        """Close the pipe, and remove it if it was made here."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._made:
            self._made = False
            with contextlib.suppress(OSError):
                os.unlink(self._fifo.path)  # noqa: PTH108


class NotifyFifos:
    """The pipes of a process with their readers; needs a running event loop."""

    def __init__(self, scripts: ScriptRunner, complain: Callable[[str], None]) -> None:
        self._scripts = scripts
        self._complain = complain
        self._wanted: tuple[Fifo, ...] = ()
        self._writers: list[FifoWriter] = []
        self._readers: list[int] = []

    def open(self, fifos: Sequence[Fifo | None]) -> None:
        """Work with these pipes from now on; nothing happens when they are those in use.  Of two at one path the first counts."""
        by_path: dict[str, Fifo] = {}
        for fifo in fifos:
            if fifo is not None:
                by_path.setdefault(fifo.path, fifo)
        wanted = tuple(by_path.values())
        if wanted == self._wanted:
            return
        self.close()
        self._wanted = wanted
        for fifo in wanted:
            writer = FifoWriter(fifo, self._complain)
            self._writers.append(writer)
            if fifo.script is not None and writer.is_open:
                self._readers.append(self._scripts.keep(fifo.script, (fifo.path,)))

    def write(self, line: bytes) -> None:
        """Write a line to every pipe."""
        for writer in self._writers:
            writer.write(line)

    def close(self) -> None:
        """Close all pipes and tell their readers to end."""
        for writer in self._writers:
            writer.close()
        for reader in self._readers:
            self._scripts.end(reader)
        self._writers.clear()
        self._readers.clear()
        self._wanted = ()
