"""Signals of the parent, as a list that is read when there is time.

A handler only notes its number; the wake-up descriptor makes a waiting selector return.  No signal is lost however many come, and
none ends the daemon because it came before the loop ran.  A child that is forked must not share any of this: signals are blocked
around the fork, and it lets go of everything before it unblocks them with handlers of its own.

What a signal means is decided elsewhere.
"""

import contextlib
import signal
import socket
from collections.abc import Iterator
from types import FrameType
from typing import Final

RELOAD: Final = signal.SIGHUP
STOP: Final = (signal.SIGTERM, signal.SIGINT)
DUMPS: Final = {
    int(signal.SIGUSR1): "DATA",
    int(signal.SIGUSR2): "STATS",
    int(signal.SIGRTMAX) - 1: "STATS_CLEAR",
    int(signal.SIGRTMIN) + 2: "JSON",
}
"""Requests for state dumps, by their number, with the name that ``--signum`` knows them by."""

HANDLED: Final = frozenset({int(RELOAD), *map(int, STOP), *DUMPS, int(signal.SIGCHLD)})


class SignalInbox:
    """Takes the signals of this process from now on.  `ignore_sigint`: all but SIGINT."""

    def __init__(self, *, ignore_sigint: bool = False) -> None:
        self._receiving, self._sending = socket.socketpair()
        self._receiving.setblocking(False)
        self._sending.setblocking(False)
        self._noted: dict[int, None] = {}
        for number in HANDLED:
            signal.signal(number, self._note)
        if ignore_sigint:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.set_wakeup_fd(self._sending.fileno(), warn_on_full_buffer=False)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._noted[number] = None

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when there is something to take."""
        return self._receiving.fileno()

    def take(self) -> list[int]:
        """Return the signals since the last call, each number once, in the order of their first arrival."""
        with contextlib.suppress(BlockingIOError):
            while self._receiving.recv(4096):
                pass
        noted, self._noted = self._noted, {}
        return list(noted)

    def abandon(self) -> None:
        """Let go of the signals, in a forked child: default actions again, and nothing of the parent's is held any longer."""
        signal.set_wakeup_fd(-1)
        for number in HANDLED:
            signal.signal(number, signal.SIG_DFL)
        self._receiving.close()
        self._sending.close()


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Let signals wait inside: for a fork, whose child calls `unblock` when it has handlers."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def unblock() -> None:
    """Let signals come that were blocked around the fork."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
