"""What one probe found.  A failed check is data: log, SNMP, scripts and mail all read it from the same value.

No decision is made here: whether a server goes down because of an outcome is the business of `schedule` and `pool`.
"""

import enum
from dataclasses import dataclass

from keepalived_py.units import Micro


class Reason(enum.Enum):
    """Why a probe ended as it did; the value is the text that people read."""

    PASSED = "passed"
    REFUSED = "connection refused"
    CONNECT_TIMEOUT = "timeout connecting"
    UNREACHABLE = "unreachable"
    RESET = "connection reset"
    TLS_FAILED = "TLS failed"
    BAD_CERTIFICATE = "certificate not accepted"
    REPLY_TIMEOUT = "timeout waiting for the reply"
    NO_DATA = "no data received"
    BAD_REPLY = "malformed reply"
    BAD_STATUS = "status not as configured"
    DIGEST_MISMATCH = "digest mismatch"
    REGEX_MISMATCH = "regex mismatch"
    TOO_MUCH_DATA = "too much data"
    BAD_GREETING = "bad greeting"
    BAD_HELO = "HELO not accepted"
    REPLY_MISMATCH = "reply not as configured"
    DNS_ERROR = "DNS error"
    EXIT_STATUS = "exit status"
    KILLED = "killed by signal"
    RAN_TOO_LONG = "timed out"
    FILE_SAYS_DOWN = "content of the tracked file"
    SESSION_DOWN = "session down"
    LOCAL = "not run"
    """Our own side could not ask (no descriptor, bind address not ours): says nothing about the server."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one probe.

    `detail` adds to the reason what differs from case to case (a status code, an errno name) and may be empty.  `took` is the
    time from the first packet to the verdict.  `weight`: the weight that the real server is to have by the word of this check,
    None when the check does not speak of weights.  `bonus` is added to the weight that is configured.
    """

    ok: bool
    reason: Reason = Reason.PASSED
    detail: str = ""
    took: Micro = Micro(0)
    weight: int | None = None
    bonus: int = 0

    def added_to(self, configured: int) -> int:
        """Return what this adds to the `configured` weight of the server; a failed check adds nothing."""
        if not self.ok:
            return 0
        return self.bonus if self.weight is None else self.weight - configured + self.bonus

    def __str__(self) -> str:
        return f"{self.reason.value} ({self.detail})" if self.detail else self.reason.value
