"""A program that is run as a check: in a process group of its own, which is gone as a whole when the check is over."""

import os
import signal
import subprocess

from keepalived_py.config.scripts import Script
from keepalived_py.errors import KeepalivedError
from keepalived_py.system.scripts import signal_group, start


class NotStarted(KeepalivedError):
    """A program could not be started."""


class Program:
    """A program at work.  It is left to itself by nobody: `reap` or `abandon` must be called."""

    def __init__(self, script: Script, descriptors: int | None = None) -> None:
        """Start it, with a soft limit of `descriptors` if given; raise `NotStarted`."""
        try:
            self._process = start(script, (), descriptors)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            raise NotStarted(f"{script.argv[0]}: {getattr(error, 'strerror', None) or error}") from None
        try:
            self._descriptor = os.pidfd_open(self._process.pid)
        except OSError as error:  # Without a descriptor nobody would notice its end.
            self.signal(signal.SIGKILL)
            self._process.wait()
            raise NotStarted(f"{script.argv[0]}: {error.strerror}") from None

    def fileno(self) -> int:
        """Return a descriptor that is readable once the program has ended."""
        return self._descriptor

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all processes of the group."""
        signal_group(self._process.pid, number)

    def reap(self) -> int:
        """Kill what the program, which has ended, left behind; return its exit status, or minus the signal that killed it."""
        # Until it is waited for, its process id, and so the group's, cannot become somebody else's.
        self.signal(signal.SIGKILL)
        os.close(self._descriptor)
        return self._process.wait()

    def abandon(self) -> None:
        """Give up on a program that does not die."""
        os.close(self._descriptor)
