"""Inside the guest: ``ip_vs`` is there, and no test may make the kernel complain (on the host none of this runs)."""

import os
import re
import subprocess
from collections.abc import Iterator

import pytest

_KMSG = "/dev/kmsg"
_RECORD_BYTES = 8192
# What the kernel prints when it finds a fault in itself (lib/bug.c, kernel/panic.c, mm/kasan, kernel/locking/lockdep.c).
_COMPLAINT = re.compile(r"WARNING: |BUG: |Oops|general protection fault|KASAN|refcount_t: |possible (?:circular|recursive) locking")


@pytest.fixture(scope="session", autouse=True)
def ip_vs() -> None:
    """The module under test is loaded, with its per-namespace sysctls."""
    subprocess.run(["modprobe", "ip_vs"], check=True)


@pytest.fixture(autouse=True)
def silent_kernel() -> Iterator[None]:
    """The test fails when the kernel complained meanwhile."""
    fd = os.open(_KMSG, os.O_RDONLY | os.O_NONBLOCK)
    os.lseek(fd, 0, os.SEEK_END)
    yield
    lines = _records(fd)
    os.close(fd)
    if any(_COMPLAINT.search(line) for line in lines):
        pytest.fail("the kernel complained:\n" + "\n".join(lines))


def _records(fd: int) -> list[str]:
    lines = []
    while True:
        try:
            # "priority,sequence,microseconds,flags;text" (Documentation/ABI/testing/dev-kmsg)
            lines.append(os.read(fd, _RECORD_BYTES).decode(errors="replace").partition(";")[2].rstrip())
        except BlockingIOError:
            return lines
        except BrokenPipeError:
            continue  # records were overwritten before we read them
