"""The conversation of one check with one server, sans-I/O: facts in, steps out.

    begin -> Connect ...      connected -> Send ...      received / closed / timed_out / failed -> ... Done
    begin -> Associate, Send  received -> ... Done       (datagrams: nothing to wait for before the first Send)
    begin -> Execute          timed_out -> Kill          ended -> ... Done

The driver carries the steps out in order and reports what happens.  After `Done` it calls nothing more.  A probe is made for one
run and thrown away; whatever outlives a run belongs to `schedule`.  No socket, no clock, no log.
"""

import enum
import signal
from dataclasses import dataclass
from typing import Final

from keepalived_py.config.checkers import Endpoint, TlsOptions
from keepalived_py.config.scripts import Script
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.units import Micro

_UNVERIFIED: Final = TlsOptions()


@dataclass(frozen=True, slots=True)
class Tls:
    """How to speak TLS: `server_name` goes into SNI (None: no SNI); `compliant` ends with a close_notify.

    With `options.verify` it is the name, or the address, that the certificate must be for.
    """

    server_name: str | None = None
    compliant: bool = False
    options: TlsOptions = _UNVERIFIED


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a TCP connection, and TLS on it; `connected` is called when both are up.  It replaces what was open before."""

    endpoint: Endpoint
    tls: Tls | None = None


class Datagrams(enum.Enum):
    """What kind of datagrams a socket carries."""

    UDP = "UDP"
    ECHO = "ICMP echo"
    """Echo requests out, echo replies in, each from the ICMP header on; the kernel fills in identifier and checksum."""


@dataclass(frozen=True, slots=True)
class Associate:
    """Open a socket for datagrams to and from one peer: each `Send` is one, and so is the argument of each `received`.

    ICMP errors about what was sent come as `failed`.
    """

    endpoint: Endpoint
    kind: Datagrams


@dataclass(frozen=True, slots=True)
class Send:
    """Send bytes to the server."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Execute:
    """Run a program in a process group of its own; `ended` is called with what became of it."""

    script: Script


@dataclass(frozen=True, slots=True)
class Kill:
    """Send a signal to every process of the program's group."""

    signal: signal.Signals


@dataclass(frozen=True, slots=True)
class Await:
    """Wait for the server; `timed_out` is called at `deadline` (absolute), which replaces any earlier one."""

    deadline: Micro


@dataclass(frozen=True, slots=True)
class Done:
    """The probe is over: sockets are closed, and what is left of a program's group is killed."""

    outcome: Outcome


Step = Connect | Associate | Send | Execute | Kill | Await | Done
Steps = tuple[Step, ...]


class Probe:
    """One run of one check.  Every method returns what is to be done next, and an empty tuple for: go on waiting.

    What a probe does not ask for does not happen to it: it need not answer `connected` unless it connects.
    """

    __slots__ = ("began",)

    began: Micro

    def begin(self, now: Micro) -> Steps:
        """Start: set `began` and return the first steps."""
        raise NotImplementedError

    def connected(self, now: Micro) -> Steps:
        """Learn that the connection (and TLS on it) is up."""
        return ()

    def received(self, data: bytes, now: Micro) -> Steps:
        """Take bytes from the server: any bytes, cut anywhere, of a stream never empty."""
        return ()

    def closed(self, now: Micro) -> Steps:
        """Learn that the server will send nothing more (an orderly end)."""
        return ()

    def ended(self, status: int, now: Micro) -> Steps:
        """Learn that the program has ended: its exit status, or the negative number of the signal that killed it."""
        return ()

    def timed_out(self, now: Micro) -> Steps:
        """Learn that the deadline of the last `Await` has passed."""
        return self.failed(Reason.REPLY_TIMEOUT, "", now)

    def failed(self, reason: Reason, detail: str, now: Micro) -> Steps:
        """Learn that the server cannot be reached, or fail for a reason of our own."""
        return (Done(Outcome(False, reason, detail, Micro(now - self.began))),)

    def passed(self, now: Micro, *, detail: str = "", weight: int | None = None) -> Steps:
        """Return the steps of success."""
        return (Done(Outcome(True, Reason.PASSED, detail, Micro(now - self.began), weight)),)
