"""TCP_CHECK: a server is fit when it accepts a connection."""

from keepalived_py.config.checkers import TcpCheck
from keepalived_py.healthcheck.kind import Kind, Wording
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.healthcheck.probe import Await, Connect, Done, Probe, Steps
from keepalived_py.units import Micro


class TcpProbe:
    """Connects, and is done."""

    __slots__ = ("_began", "_check")

    def __init__(self, check: TcpCheck) -> None:
        self._check = check
        self._began = Micro(0)

    def begin(self, now: Micro) -> Steps:
        """Connect within `connect_timeout`."""
        self._began = now
        endpoint = self._check.endpoint
        return (Connect(endpoint), Await(Micro(now + endpoint.connect_timeout)))

    def connected(self, now: Micro) -> Steps:
        """Pass."""
        return (Done(Outcome(True, Reason.PASSED, "", Micro(now - self._began))),)

    def received(self, data: bytes, now: Micro) -> Steps:
        """Ignore a banner: nothing was asked."""
        return ()

    def closed(self, now: Micro) -> Steps:
        """Ignore the end of a connection that has been accepted."""
        return ()

    def timed_out(self, now: Micro) -> Steps:
        """Fail."""
        return self.failed(Reason.CONNECT_TIMEOUT, "", now)

    def failed(self, reason: Reason, detail: str, now: Micro) -> Steps:
        """Fail for `reason`."""
        return (Done(Outcome(False, reason, detail, Micro(now - self._began))),)


class TcpKind(Kind[TcpCheck]):
    """TCP_CHECK's row."""

    _WORDING = Wording(
        success="TCP connection to {server} success.",
        failure="TCP_CHECK on service {server} failed",
        mail_up="=> TCP CHECK succeed on service <=",
        mail_down="=> TCP CHECK failed on service <=",
    )

    def name(self, check: TcpCheck) -> str:
        """TCP_CHECK."""
        return "TCP_CHECK"

    def probe(self, check: TcpCheck, step: int) -> Probe:
        """Make the probe of one run."""
        return TcpProbe(check)

    def wording(self, check: TcpCheck) -> Wording:
        """What keepalived's users grep for."""
        return self._WORDING

    def attempt_text(self, check: TcpCheck, outcome: Outcome, server: str) -> str:
        """One failed try."""
        what = "timeout" if outcome.reason is Reason.CONNECT_TIMEOUT else "failed"
        return f"TCP connection to {server} {what}."
