"""TCP_CHECK: a server is fit when it accepts a connection."""

from keepalived_py.config.checkers import TcpCheck, Timing
from keepalived_py.healthcheck.kind import Failure, Kind, Where, Wording
from keepalived_py.healthcheck.outcome import Reason
from keepalived_py.healthcheck.probe import Await, Connect, Probe, Steps
from keepalived_py.units import Micro


class TcpProbe(Probe):
    """Connects, and is done: a banner or the end of an accepted connection is ignored."""

    __slots__ = ("_check",)

    def __init__(self, check: TcpCheck) -> None:
        self._check = check

    def begin(self, now: Micro) -> Steps:
        """Connect within `connect_timeout`."""
        self.began = now
        endpoint = self._check.endpoint
        return (Connect(endpoint), Await(Micro(now + endpoint.connect_timeout)))

    def connected(self, now: Micro) -> Steps:
        """Pass."""
        return self.passed(now)

    def timed_out(self, now: Micro) -> Steps:
        """Fail."""
        return self.failed(Reason.CONNECT_TIMEOUT, "", now)


class TcpKind(Kind[TcpCheck]):
    """TCP_CHECK's row."""

    wording = Wording(
        success="TCP connection to {server} success.",
        failure="TCP_CHECK on service {server} failed",
        mail_up="=> TCP CHECK succeed on service <=",
        mail_down="=> TCP CHECK failed on service <=",
    )

    def name(self, check: TcpCheck) -> str:
        """TCP_CHECK."""
        return "TCP_CHECK"

    def probe(self, check: TcpCheck, step: int, token: int = 0) -> Probe:
        """Make the probe of one run."""
        return TcpProbe(check)

    def attempt_text(self, check: TcpCheck, failure: Failure, where: Where) -> str:
        """One failed try."""
        what = "timeout" if failure.outcome.reason is Reason.CONNECT_TIMEOUT else "failed"
        return f"TCP connection to {where.server} {what}."

    def timing(self, check: TcpCheck) -> Timing:
        """As configured."""
        return check.timing

    def shareable(self, check: TcpCheck) -> bool:
        """It asks a server."""
        return True
