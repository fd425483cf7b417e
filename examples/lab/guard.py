"""The lab's undertaker: a separate program that ends whatever is still in the lab's namespaces once their owner is gone.

Run as ``python -I -S guard.py OWNER_PID [DIRECTORY]`` with a Unix socket as standard input.  The owner sends each
namespace's descriptor over it.  When the owner shuts the socket down, or dies by any signal, every process in one of those
namespaces gets SIGKILL, until none is left; then DIRECTORY is removed and the guard ends.

Why not a PID namespace, which the kernel would end as a whole: processes in it see other process ids than the rest, and
the daemons that a lab is for write theirs into files for others to signal.  Why not the parent-death signal: it is not
inherited by children.

Only modules that start fast may be imported (it runs under emulation too); nothing of the package.
"""

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable

PATIENCE_SECONDS = 20.0
_PAUSE_SECONDS = 0.01
_MAX_FDS = 16

Key = tuple[int, int]


def key_of(fd_or_path: int | str) -> Key:
    """Identify a namespace by device and inode, which no other one shares while a descriptor is open on it."""
    status = os.stat(fd_or_path)
    return status.st_dev, status.st_ino


def inhabitants(namespaces: frozenset[Key]) -> list[int]:
    """Process ids whose network namespace is one of ``namespaces``, this process excepted; zombies have none."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            if key_of(f"/proc/{entry}/ns/net") in namespaces:
                found.append(int(entry))
        except OSError:
            continue  # it ended meanwhile, or it is a zombie
    return found


def depopulate(namespaces: frozenset[Key], patience: float = PATIENCE_SECONDS) -> bool:
    """Kill the inhabitants until there are none: a process may have been forked while we were looking."""
    end = time.monotonic() + patience
    while victims := inhabitants(namespaces):
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True


def remove_tree(directory: str) -> None:
    """Remove a directory with all that is in it; what cannot be removed stays."""
    for folder, folders, files in os.walk(directory, topdown=False):
        for name in files:
            _ignoring_os_errors(os.unlink, os.path.join(folder, name))
        for name in folders:
            path = os.path.join(folder, name)
            _ignoring_os_errors(os.unlink if os.path.islink(path) else os.rmdir, path)
    _ignoring_os_errors(os.rmdir, directory)


def _ignoring_os_errors(remove: Callable[[str], None], path: str) -> None:
    try:
        remove(path)
    except OSError:
        return


def _alive(owner: int) -> int:
    """Return a descriptor that turns readable when the owner ends; raise ``ProcessLookupError`` when it has ended."""
    watch = os.pidfd_open(owner)
    if os.getppid() != owner:  # it ended before, and the number may be somebody else's now
        raise ProcessLookupError(owner)
    return watch


def _collect(control: socket.socket, owner: int) -> frozenset[Key]:
    """Receive descriptors until the owner is gone.  They stay open, so that no key is given to another namespace.

    The owner itself is watched beside the socket, because a child that it forked may hold the socket's other end.
    """
    keys: set[Key] = set()
    control.setblocking(False)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    try:
        watch = _alive(owner)
        poll.register(watch, select.POLLIN)
    except ProcessLookupError:
        watch = -1
    while True:
        owner_ended = watch < 0 or any(fd == watch for fd, _ in poll.poll())
        try:
            data, fds, _flags, _peer = socket.recv_fds(control, 1, _MAX_FDS)
        except BlockingIOError:
            data, fds = b"?", []
        keys.update(map(key_of, fds))
        if not data or (owner_ended and not fds):
            return frozenset(keys)


def main(arguments: list[str]) -> int:
    """Wait for the owner's end, then clean up after it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    owner, *directories = arguments
    empty = depopulate(_collect(socket.socket(fileno=0), int(owner)))
    for directory in directories:
        remove_tree(directory)
    return 0 if empty else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
