"""PING_CHECK: a server is fit when it answers an ICMP echo request within `connect_timeout`.

The kernel's unprivileged ICMP sockets are used: it fills in identifier and checksum and hands over only replies to them.  Sequence
number and the start of the payload are drawn anew for each run, so that a late reply to an earlier one is not taken for an answer;
other replies are passed over (keepalived fails).  RFC 792, RFC 4443 section 4.
"""

import struct
from typing import Final

from keepalived_py.addresses import Family
from keepalived_py.config.checkers import PingCheck, Timing
from keepalived_py.healthcheck.kind import Failure, Kind, Where, Wording
from keepalived_py.healthcheck.outcome import Reason
from keepalived_py.healthcheck.probe import Associate, Await, Datagrams, Probe, Send, Steps
from keepalived_py.units import Micro

PAYLOAD_SIZE: Final = 128
"""Bytes behind the header, as with keepalived."""

STRANGERS_LIMIT: Final = 64
"""Replies that are passed over before the check gives up."""

_HEADER: Final = struct.Struct("!BBHHH")
_TOKEN: Final = struct.Struct("!I")
_REQUEST: Final = {Family.INET: 8, Family.INET6: 128}
_REPLY: Final = {Family.INET: 0, Family.INET6: 129}


def echo_request(family: Family, token: int) -> bytes:
    """Return an echo request: sequence number and payload are made of `token` (32 bits)."""
    filler = b"keepalived check - " * (PAYLOAD_SIZE // 19 + 1)
    return _HEADER.pack(_REQUEST[family], 0, 0, 0, token & 0xFFFF) + (_TOKEN.pack(token) + filler)[:PAYLOAD_SIZE]


def answers(family: Family, token: int, data: bytes) -> bool:
    """Return whether any bytes are the reply to `echo_request(family, token)`."""
    if len(data) < _HEADER.size + _TOKEN.size:
        return False
    type_, code, _, _, sequence = _HEADER.unpack_from(data)
    (echoed,) = _TOKEN.unpack_from(data, _HEADER.size)
    return (type_, code, sequence, echoed) == (_REPLY[family], 0, token & 0xFFFF, token)


class PingProbe(Probe):
    """Sends an echo request and listens."""

    __slots__ = ("_check", "_strangers", "_token")

    def __init__(self, check: PingCheck, token: int) -> None:
        self._check = check
        self._token = token
        self._strangers = 0

    def begin(self, now: Micro) -> Steps:
        """Send."""
        self.began = now
        endpoint = self._check.endpoint
        request = echo_request(endpoint.address.family, self._token)
        return (Associate(endpoint, Datagrams.ECHO), Send(request), Await(Micro(now + endpoint.connect_timeout)))

    def received(self, data: bytes, now: Micro) -> Steps:
        """Pass on the reply, wait on after anything else."""
        if answers(self._check.endpoint.address.family, self._token, data):
            return self.passed(now)
        self._strangers += 1
        return self.failed(Reason.BAD_REPLY, "", now) if self._strangers > STRANGERS_LIMIT else ()


class PingKind(Kind[PingCheck]):
    """PING_CHECK's row."""

    wording = Wording(
        success="ICMP connection to {server} success.",
        failure="ICMP CHECK on service {server} failed.",
        mail_up="=> ICMP CHECK succeed on service <=",
        mail_down="=> ICMP CHECK failed on service <=",
    )

    def name(self, check: PingCheck) -> str:
        """PING_CHECK."""
        return "PING_CHECK"

    def probe(self, check: PingCheck, step: int, token: int = 0) -> Probe:
        """Make the probe of one run."""
        return PingProbe(check, token)

    def failure_text(self, check: PingCheck, failure: Failure, where: Where) -> str:
        """After retries, name the virtual server as well."""
        if not failure.after:
            return self.wording.failure.format(server=where.server)
        return f"ICMP CHECK on service {where.server} of {where.service} failed{failure.after}."

    def attempt_text(self, check: PingCheck, failure: Failure, where: Where) -> str:
        """One failed try."""
        if failure.outcome.reason is Reason.REPLY_TIMEOUT:
            return f"ICMP connection to address {where.server} timeout."
        return f"ICMP connection to {where.server} of {where.service} failed."

    def timing(self, check: PingCheck) -> Timing:
        """As configured."""
        return check.timing

    def shareable(self, check: PingCheck) -> bool:
        """It asks a server."""
        return True
