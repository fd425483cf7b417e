"""UDP_CHECK: a server is fit when a datagram to it causes no ICMP error, or with `require_reply` when it answers as configured.

The time for either is `connect_timeout`: that is how long a port that answers nothing takes to be found good.

Only as much of a reply is compared as both it and `reply` have.  Its length counts where there is a `reply` to compare, as with
keepalived, and where a limit is not the default.
"""

from typing import Final

from keepalived_py.config.checkers import Timing, UdpCheck
from keepalived_py.healthcheck.kind import Failure, Kind, Where, Wording
from keepalived_py.healthcheck.outcome import Reason
from keepalived_py.healthcheck.probe import Associate, Await, Datagrams, Probe, Send, Steps
from keepalived_py.units import Micro

DEFAULT_PAYLOAD: Final = (b"keepalived check - " * 2)[:32]
"""What is sent where nothing is configured; keepalived's."""

_DEFAULT_MAX_LENGTH: Final = 255


def mismatch(check: UdpCheck, data: bytes) -> str | None:
    """Return what about a reply is not as configured, or None."""
    if (check.reply or check.min_reply_length) and len(data) < check.min_reply_length:
        return f"{len(data)} bytes, fewer than {check.min_reply_length}"
    if (check.reply or check.max_reply_length != _DEFAULT_MAX_LENGTH) and len(data) > check.max_reply_length:
        return f"{len(data)} bytes, more than {check.max_reply_length}"
    for index, (got, wanted, mask) in enumerate(zip(data, check.reply, check.reply_mask, strict=False)):
        if (got ^ wanted) & mask:
            return f"byte {index} is {got:02x}"
    return None


class UdpProbe(Probe):
    """Sends a datagram and listens."""

    __slots__ = ("_check",)

    def __init__(self, check: UdpCheck) -> None:
        self._check = check

    def begin(self, now: Micro) -> Steps:
        """Send."""
        self.began = now
        endpoint = self._check.endpoint
        deadline = Micro(now + endpoint.connect_timeout)
        return (Associate(endpoint, Datagrams.UDP), Send(self._check.payload or DEFAULT_PAYLOAD), Await(deadline))

    def received(self, data: bytes, now: Micro) -> Steps:
        """Compare the reply, where one is required."""
        fault = mismatch(self._check, data) if self._check.require_reply else None
        return self.passed(now) if fault is None else self.failed(Reason.REPLY_MISMATCH, fault, now)

    def timed_out(self, now: Micro) -> Steps:
        """Pass: nobody has complained; or fail where a reply is required."""
        return self.failed(Reason.REPLY_TIMEOUT, "", now) if self._check.require_reply else self.passed(now)


class UdpKind(Kind[UdpCheck]):
    """UDP_CHECK's row."""

    wording = Wording(
        success="UDP connection to {server} success.",
        failure="UDP_CHECK on service {server} failed",
        mail_up="=> UDP CHECK succeed on service <=",
        mail_down="=> UDP CHECK failed on service <=",
    )

    def name(self, check: UdpCheck) -> str:
        """UDP_CHECK."""
        return "UDP_CHECK"

    def probe(self, check: UdpCheck, step: int, token: int = 0) -> Probe:
        """Make the probe of one run."""
        return UdpProbe(check)

    def attempt_text(self, check: UdpCheck, failure: Failure, where: Where) -> str:
        """One failed try."""
        if failure.outcome.reason is Reason.REPLY_MISMATCH:
            return f"UDP check to {where.server} reply data mismatch."
        return f"UDP connection to {where.server} failed."

    def timing(self, check: UdpCheck) -> Timing:
        """As configured."""
        return check.timing

    def shareable(self, check: UdpCheck) -> bool:
        """It asks a server."""
        return True
