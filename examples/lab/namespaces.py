"""Network namespaces that nothing but this process holds: no name under /run/netns, so nothing to forget there.

A namespace lives as long as a file descriptor or a process is in it.  The descriptors are close-on-exec and die with the
process that made them; `guard` looks after the processes.  May not live here: links, addresses, commands.
"""

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h

_THREAD_NAMESPACE = "/proc/thread-self/ns/net"
_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, call: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{call}: {os.strerror(code)}")


def _unshare_network() -> None:
    _checked(_libc.unshare(CLONE_NEWNET), "unshare")


def _join(fd: int) -> None:
    # os.setns exists from Python 3.12 on.
    _checked(_libc.setns(fd, CLONE_NEWNET), "setns")


def _open_current() -> int:
    return os.open(_THREAD_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)


@contextmanager
def _returning() -> Iterator[None]:
    """Bring the calling thread back to the namespace it was in, whatever happens inside."""
    home = _open_current()
    try:
        yield
    finally:
        _join(home)
        os.close(home)


class Namespace:
    """One network namespace, held open by a descriptor of this process."""

    def __init__(self) -> None:
        with _returning():
            _unshare_network()
            self.fd = _open_current()
        self._owner = os.getpid()

    @property
    def path(self) -> str:
        """A path that ``ip link ... netns PATH`` and ``nsenter --net=PATH`` take while the owning process lives."""
        return f"/proc/{self._owner}/fd/{self.fd}"

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Put the calling thread (only it) into the namespace: sockets and processes made inside stay there for good."""
        with _returning():
            _join(self.fd)
            yield

    def close(self) -> None:
        """Let go of the namespace; the kernel ends it and its interfaces once no process is in it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def available() -> str | None:
    """Say why namespaces cannot be made here, or ``None`` when they can."""
    reason: list[str] = []

    def attempt() -> None:
        try:
            Namespace().close()
        except OSError as error:
            reason.append(f"no network namespaces: {error.strerror}")

    # In a thread of its own, so that not even a half-failed attempt can leave the caller elsewhere.
    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return reason[0] if reason else None
