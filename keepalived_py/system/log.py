"""Log lines to syslog, the console and files, in the shape that keepalived's users grep for.

Every process opens its own `Log` with its own ident (``Keepalived``, ``Keepalived_healthcheckers``, ...).  A line that cannot be
delivered is dropped: logging never stops the program.
"""

import errno
import os
import stat
import sys
import syslog
import time
from dataclasses import dataclass
from typing import Final, TextIO

ERROR: Final = syslog.LOG_ERR
WARNING: Final = syslog.LOG_WARNING
NOTICE: Final = syslog.LOG_NOTICE
INFO: Final = syslog.LOG_INFO

PARENT_IDENT: Final = "Keepalived"
CHECKER_IDENT: Final = "Keepalived_healthcheckers"
VRRP_IDENT: Final = "Keepalived_vrrp"

_FACILITIES: Final = {"daemon": syslog.LOG_DAEMON, "user": syslog.LOG_USER} | {
    name: facility
    for number, facility in enumerate(
        (
            syslog.LOG_LOCAL0,
            syslog.LOG_LOCAL1,
            syslog.LOG_LOCAL2,
            syslog.LOG_LOCAL3,
            syslog.LOG_LOCAL4,
            syslog.LOG_LOCAL5,
            syslog.LOG_LOCAL6,
            syslog.LOG_LOCAL7,
        )
    )
    for name in (f"local{number}", str(number))
}
_MAX_LINE: Final = 2048


def facility_number(name: str) -> int | None:
    """Return the syslog facility of keepalived's ``-S``: 0-7, local0-7, user, daemon; None for any other word."""
    return _FACILITIES.get(name)


@dataclass(frozen=True, slots=True)
class LogTargets:
    """Where lines go.  `file`: base name of log files (a process puts its suffix before the extension), empty for none."""

    to_syslog: bool = True
    console: bool = False
    facility: int = syslog.LOG_DAEMON
    file: str = ""
    flush: bool = False
    detail: int = 0


class Log:
    """Writes the lines of one process."""

    def __init__(self, targets: LogTargets, ident: str, suffix: str = "") -> None:
        self.targets = targets
        self._file: TextIO | None = None
        if targets.to_syslog:
            syslog.openlog(ident, syslog.LOG_PID, targets.facility)
        if targets.file:
            path = _with_suffix(targets.file, suffix)
            try:
                self._file = _open_file(path)
            except OSError as error:
                self.warning(f"Unable to open log file {path}: {error.strerror}")

    def rename(self, ident: str) -> None:
        """Give the lines in syslog another ident."""
        if self.targets.to_syslog:
            syslog.openlog(ident, syslog.LOG_PID, self.targets.facility)

    def write(self, level: int, text: str) -> None:
        """Write one line at a syslog level; what is not printable in it, a newline too, is escaped."""
        clean = _printable(text[:_MAX_LINE])
        if self.targets.to_syslog:
            syslog.syslog(level, clean)
        if self.targets.console or self._file is not None:
            stamped = f"{time.strftime('%a %b %e %H:%M:%S %Y')}: {clean}\n"
            if self.targets.console:
                _deliver(sys.stderr, stamped, flush=True)
            if self._file is not None:
                _deliver(self._file, stamped, flush=self.targets.flush)

    def write_lines(self, level: int, text: str) -> None:
        """Write a text of our own, a traceback for instance, line by line."""
        for line in text.splitlines():
            self.write(level, line)

    def error(self, text: str) -> None:
        """Write at LOG_ERR."""
        self.write(ERROR, text)

    def warning(self, text: str) -> None:
        """Write at LOG_WARNING."""
        self.write(WARNING, text)

    def info(self, text: str) -> None:
        """Write at LOG_INFO."""
        self.write(INFO, text)

    def detail(self, text: str) -> None:
        """Write at LOG_INFO, with ``--log-detail`` only."""
        if self.targets.detail:
            self.write(INFO, text)


def _printable(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in line)


def _deliver(stream: TextIO | None, text: str, *, flush: bool) -> None:
    if stream is None:  # sys.stderr of a program that was started without one
        return
    try:
        stream.write(text)
        if flush:
            stream.flush()
    except (OSError, ValueError):
        return


def _with_suffix(path: str, suffix: str) -> str:
    stem, extension = os.path.splitext(path)  # noqa: PTH122
    return f"{stem}{suffix}{extension}"


def _open_file(path: str) -> TextIO:
    """Open a log file: a regular file that is no link, and without waiting for whatever else lies there; raise `OSError`."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return open(descriptor, "w", encoding="utf-8", errors="backslashreplace", buffering=1)
