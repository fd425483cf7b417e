"""Who erred is in the type: the user, a peer, the kernel, or we.

A failed health check and a rejected advert are data (an `Outcome`, a counter), never exceptions that leave an engine.
"""

import errno as _errno
import os


class KeepalivedError(Exception):
    """Base of everything that this package raises on purpose."""


class ConfigError(KeepalivedError):
    """The user's configuration cannot be used; the diagnostics that say why have been collected already."""


class PeerError(KeepalivedError):
    """Bytes from the network that break the protocol.  Counted by the engine that decodes them, never raised out of it."""


class KernelError(KeepalivedError):
    """The kernel refused a request.

    `operation` names it in the kernel's own words (``NEW_DEST``), `errno` is positive, `subject` says on what.
    """

    def __init__(self, operation: str, errno: int, subject: str = "") -> None:
        self.operation = operation
        self.errno = errno
        self.subject = subject
        about = f" {subject}" if subject else ""
        name = _errno.errorcode.get(errno, str(errno))
        super().__init__(f"{operation}{about}: {os.strerror(errno)} ({name})")


class BugError(KeepalivedError):
    """A state that our own code must never reach."""
