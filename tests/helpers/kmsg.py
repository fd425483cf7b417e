"""The kernel's own log from one moment on, and the lines in it by which a kernel says that something is wrong with it."""

import os
import re
from collections.abc import Iterable

_PATH = "/dev/kmsg"
_RECORD_BYTES = 8192
# lib/bug.c, kernel/panic.c, mm/kasan, lib/refcount.c, kernel/locking/lockdep.c
_COMPLAINT = re.compile(
    r"\b(?:WARNING: |BUG: |Oops\b|general protection fault|refcount_t: |possible (?:circular|recursive) locking"
    r"|unregister_netdevice: waiting)"
)


class KernelLog:
    """Reads what the kernel logs after this object was made; needs root."""

    def __init__(self) -> None:
        self._fd = os.open(_PATH, os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self._fd, 0, os.SEEK_END)

    def lines(self) -> list[str]:
        """Return the lines that came since the last call."""
        lines = []
        while True:
            try:
                # "priority,sequence,microseconds,flags;text" (Documentation/ABI/testing/dev-kmsg)
                lines.append(os.read(self._fd, _RECORD_BYTES).decode(errors="replace").partition(";")[2].rstrip())
            except BlockingIOError:
                return lines
            except BrokenPipeError:
                continue  # records were overwritten before we read them; the next read goes on behind the gap

    def close(self) -> None:
        os.close(self._fd)


def complaints(lines: Iterable[str]) -> list[str]:
    """Return those lines in which the kernel reports a fault of its own."""
    return [line for line in lines if _COMPLAINT.search(line)]
