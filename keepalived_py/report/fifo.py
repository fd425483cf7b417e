"""Notify FIFOs: lines for a reader that may be slow or absent.

A pipe is made when it does not exist, opened for reading and writing so that opening never waits, and removed at the end only if it
was made here.  A line that does not fit is dropped and said so.
"""

import contextlib
import os
import stat
from collections.abc import Callable

from keepalived_py.config.scripts import Fifo


class FifoWriter:
    """One pipe."""

    def __init__(self, fifo: Fifo, complain: Callable[[str], None]) -> None:
        self._fifo = fifo
        self._complain = complain
        self._made = False
        self._descriptor = self._open()

    @property
    def fifo(self) -> Fifo:
        """The configured pipe."""
        return self._fifo

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
        except OSError as error:
            self._complain(f"Unable to open notify fifo {path}: {error.strerror}")
            return -1
        return descriptor

    def write(self, line: bytes) -> None:
        """Write one line whole, or drop it."""
        if self._descriptor < 0:
            return
        try:
            os.write(self._descriptor, line)
        except OSError as error:
            self._complain(f"Unable to write to notify fifo {self._fifo.path}: {error.strerror}")

    def close(self) -> None:
        """Close the pipe, and remove it if it was made here."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._made:
            with contextlib.suppress(OSError):
                os.unlink(self._fifo.path)  # noqa: PTH108
