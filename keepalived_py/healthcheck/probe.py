"""The conversation of one check with one server, sans-I/O: facts in, steps out.

    begin -> Connect ...      connected -> Send ...      received / closed / timed_out / failed -> ... Done

The shell in `io` carries the steps out in order and reports what happens.  After `Done` it calls nothing more.  A probe is made
for one run and thrown away; whatever outlives a run belongs to `schedule`.  No socket, no clock, no log.
"""

from dataclasses import dataclass
from typing import Protocol

from keepalived_py.config.checkers import Endpoint
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.units import Micro


@dataclass(frozen=True, slots=True)
class Tls:
    """How to speak TLS: `server_name` goes into SNI (None: no SNI); `compliant` ends with a close_notify."""

    server_name: str | None = None
    compliant: bool = False


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a TCP connection, and TLS on it; `connected` is called when both are up."""

    endpoint: Endpoint
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """Send bytes to the server."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Await:
    """Wait for the server; `timed_out` is called at `deadline` (absolute), which replaces any earlier one."""

    deadline: Micro


@dataclass(frozen=True, slots=True)
class Done:
    """The probe is over."""

    outcome: Outcome


Step = Connect | Send | Await | Done
Steps = tuple[Step, ...]


class Probe(Protocol):
    """One run of one check.  Every method returns what is to be done next, and an empty tuple for: go on waiting."""

    def begin(self, now: Micro) -> Steps:
        """Start."""

    def connected(self, now: Micro) -> Steps:
        """Learn that the connection (and TLS on it) is up."""

    def received(self, data: bytes, now: Micro) -> Steps:
        """Take bytes from the server: any bytes, cut anywhere, never empty."""

    def closed(self, now: Micro) -> Steps:
        """Learn that the server will send nothing more (an orderly end)."""

    def timed_out(self, now: Micro) -> Steps:
        """Learn that the deadline of the last `Await` has passed."""

    def failed(self, reason: Reason, detail: str, now: Micro) -> Steps:
        """Learn that the connection could not be made, or broke."""
