"""Files that the daemon writes: never through a link, never half.

Pid files and records lie in directories that only root should be able to write; these functions do not rely on it.
"""

import contextlib
import os
import stat
from pathlib import Path


def write_atomically(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace a file as a whole; whoever reads it sees the old or the new content.  Raises `OSError`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with open(descriptor, "wb") as stream:
            stream.write(content)
        os.replace(temporary, path)  # noqa: PTH105
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def read_bounded(path: Path, limit: int) -> bytes | None:
    """Return the content of a regular file of at most `limit` bytes (one more is read to tell); None when there is no file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, f"{path} is not a regular file")
        return stream.read(limit + 1)


def remove(path: Path) -> None:
    """Remove a file; it may be gone already."""
    with contextlib.suppress(OSError):
        path.unlink()


def write_pid(path: Path, pid: int) -> None:
    """Write a pid file: decimal pid and a newline, readable by all, as init scripts expect it.  Raises `OSError`."""
    write_atomically(path, f"{pid}\n".encode(), 0o644)


def running_pid(path: Path) -> int | None:
    """Return the pid that a pid file names if such a process lives, else None."""
    try:
        content = read_bounded(path, 32)
        pid = int(content) if content else 0
        if pid <= 0:
            return None
        os.kill(pid, 0)
    except (OSError, ValueError, OverflowError) as error:
        return pid if isinstance(error, PermissionError) else None
    return pid
