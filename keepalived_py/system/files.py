"""Files that the daemon writes: never through a link, never half.

Pid files and records lie in directories that only root should be able to write; these functions do not rely on it.
"""

import contextlib
import errno
import os
import stat
from pathlib import Path


def write_atomically(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace a file as a whole; whoever reads it sees the old or the new content.

    `mode` is what the file gets, whatever the umask.  A link at `path` is replaced, not followed.  Raises `OSError`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as stream:
            os.fchmod(descriptor, mode)
            stream.write(content)
        os.replace(temporary, path)  # noqa: PTH105
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def append(path: str, text: str) -> None:
    """Append to a regular file that is no link, making it if there is none.  Raises `OSError`."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    with open(descriptor, "wb") as stream:
        _insist_on_regular(os.fstat(descriptor), path)
        stream.write(text.encode("utf-8", "backslashreplace"))


def read_bounded(path: Path, limit: int) -> bytes | None:
    """Return the content of a regular file of at most `limit` bytes (one more is read to tell); None when there is no file.

    Raises `OSError`.
    """
    return _read(path, limit, trusted_only=False)


def read_trusted(path: Path, limit: int) -> bytes | None:
    """Return the content like `read_bounded`, but only of a file that nobody else could have written."""
    return _read(path, limit, trusted_only=True)


def _read(path: Path, limit: int, *, trusted_only: bool) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        _insist_on_regular(status, path)
        if trusted_only and (status.st_uid not in (0, os.geteuid()) or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
            raise OSError(errno.EPERM, "others could have written it", str(path))
        return stream.read(limit + 1)


def _insist_on_regular(status: os.stat_result, path: Path | str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))


def remove(path: Path) -> None:
    """Remove a file; it may be gone already."""
    with contextlib.suppress(OSError):
        path.unlink()


def make_folder(path: Path) -> None:
    """Make a folder that everybody may enter, whatever the umask, with those it lies in.  Raises `OSError`."""
    if path.is_dir():
        return
    make_folder(path.parent)
    with contextlib.suppress(FileExistsError):
        path.mkdir()
        path.chmod(0o755)


def remove_empty(path: Path) -> None:
    """Remove a folder if nothing is left in it."""
    with contextlib.suppress(OSError):
        path.rmdir()


def write_pid(path: Path, pid: int) -> None:
    """Write a pid file: decimal pid and a newline, readable by all, as init scripts expect it.  Raises `OSError`."""
    write_atomically(path, f"{pid}\n".encode(), 0o644)


def running_pid(path: Path) -> int | None:
    """Return the pid that a pid file names if such a process lives and is a keepalived, of whatever make; else None.

    A pid that has gone to some other program since the file was written does not keep the daemon from starting.
    """
    try:
        content = read_bounded(path, 32)
        pid = int(content) if content else 0
        if pid <= 0:
            return None
        os.kill(pid, 0)
    except PermissionError as error:
        return None if error.filename else pid  # the file is not ours to read; the process is there
    except (OSError, ValueError, OverflowError):
        return None
    return pid if _is_keepalived(pid) else None


def _is_keepalived(pid: int) -> bool:
    """Whether the command line of a process says so; one that ended and has not been waited for has none."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            return b"keepalived" in stream.read(65536)
    except OSError:
        return True
