"""DNS_CHECK: a server is fit when it answers a query with NOERROR, with or without records.

    query over UDP -> answer
                   -> truncated answer -> query over TCP -> answer

Wire format: RFC 1035 section 4; TCP after truncation: RFC 7766 section 5.  keepalived asks over UDP only and takes a truncated
answer for a good one.  So does this check where TCP cannot be had at all; where it can, the answer that it brings counts.

Time: `connect_timeout` for the answer over UDP, the same to connect over TCP, and the same for the answer there.
"""

import enum
import struct
from dataclasses import dataclass
from typing import Final

from keepalived_py.config.checkers import DnsCheck, Timing
from keepalived_py.healthcheck.kind import Failure, Kind, Where, Wording
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.healthcheck.probe import Associate, Await, Connect, Datagrams, Probe, Send, Steps
from keepalived_py.units import Micro

STRANGERS_LIMIT: Final = 64
"""Messages that are no answer to us and are passed over before the check gives up."""

TYPES: Final = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "RRSIG": 46, "DNSKEY": 48}

_RCODES: Final = (
    "NOERROR",
    "FORMERR",
    "SERVFAIL",
    "NXDOMAIN",
    "NOTIMP",
    "REFUSED",
    "YXDOMAIN",
    "YXRRSET",
    "NXRRSET",
    "NOTAUTH",
    "NOTZONE",
)
_HEADER: Final = struct.Struct("!HHHHHH")
_QUESTION: Final = struct.Struct("!HH")
_LENGTH: Final = struct.Struct("!H")
_RESPONSE, _TRUNCATED, _RECURSION_DESIRED = 0x8000, 0x0200, 0x0100
_CLASS_IN: Final = 1
_LABEL_MAX, _NAME_MAX = 63, 255


def encode_name(name: str) -> bytes | None:
    """Return a domain name as labels (RFC 1035 section 3.1), or None for one that does not fit; empty or a dot: the root."""
    wire = bytearray()
    for label in name.removesuffix(".").encode("utf-8", "surrogateescape").split(b".") if name.strip(".") else ():
        if not 0 < len(label) <= _LABEL_MAX:
            return None
        wire.append(len(label))
        wire += label
    wire.append(0)
    return bytes(wire) if len(wire) <= _NAME_MAX else None


def query(check: DnsCheck, id: int) -> bytes:
    """Return the query; its name must fit (see `encode_name`)."""
    name = encode_name(check.name) or b"\0"
    return _HEADER.pack(id, _RECURSION_DESIRED, 1, 0, 0, 0) + name + _QUESTION.pack(TYPES[check.type], _CLASS_IN)


@dataclass(frozen=True, slots=True)
class Answer:
    """What counts of a response."""

    rcode: int
    truncated: bool

    def __str__(self) -> str:
        return _RCODES[self.rcode] if self.rcode < len(_RCODES) else f"rcode {self.rcode}"


def read_answer(id: int, data: bytes) -> Answer | None:
    """Return the answer to the query `id`, or None when any bytes are not that."""
    if len(data) < _HEADER.size:
        return None
    answered, flags, *_ = _HEADER.unpack_from(data)
    if answered != id or not flags & _RESPONSE:
        return None
    return Answer(flags & 0xF, bool(flags & _TRUNCATED))


class _Stage(enum.Enum):
    """What is awaited."""

    UDP = enum.auto()
    CONNECTION = enum.auto()
    TCP = enum.auto()


class DnsProbe(Probe):
    """Asks one question."""

    __slots__ = ("_buffer", "_check", "_id", "_stage", "_strangers")

    def __init__(self, check: DnsCheck, token: int) -> None:
        self._check = check
        self._id = token & 0xFFFF
        self._stage = _Stage.UDP
        self._buffer = b""
        self._strangers = 0

    def begin(self, now: Micro) -> Steps:
        """Ask over UDP."""
        self.began = now
        return (Associate(self._check.endpoint, Datagrams.UDP), Send(query(self._check, self._id)), self._wait(now))

    def connected(self, now: Micro) -> Steps:
        """Ask again over TCP, with the length in front (RFC 1035 section 4.2.2)."""
        self._stage = _Stage.TCP
        message = query(self._check, self._id)
        return (Send(_LENGTH.pack(len(message)) + message), self._wait(now))

    def received(self, data: bytes, now: Micro) -> Steps:
        """Take a message, or over TCP a piece of one."""
        if self._stage is _Stage.UDP:
            return self._message(data, now)
        self._buffer += data
        if len(self._buffer) < _LENGTH.size:
            return ()
        (length,) = _LENGTH.unpack_from(self._buffer)
        message = self._buffer[_LENGTH.size : _LENGTH.size + length]
        return self._message(message, now) if len(message) == length else ()

    def closed(self, now: Micro) -> Steps:
        """End without an answer over TCP."""
        return self.failed(Reason.NO_DATA, "", now)

    def failed(self, reason: Reason, detail: str, now: Micro) -> Steps:
        """Fail, or go by what was said over UDP where TCP cannot be had."""
        if self._stage is _Stage.UDP or reason in (Reason.DNS_ERROR, Reason.BAD_REPLY):
            return super().failed(reason, detail, now)
        return self.passed(now, detail=f"truncated, and over TCP: {Outcome(False, reason, detail)}")

    def timed_out(self, now: Micro) -> Steps:
        """Fail."""
        return self.failed(Reason.CONNECT_TIMEOUT if self._stage is _Stage.CONNECTION else Reason.REPLY_TIMEOUT, "", now)

    def _message(self, message: bytes, now: Micro) -> Steps:
        answer = read_answer(self._id, message)
        if answer is None:
            return self._stranger(now)
        if answer.rcode:
            return self.failed(Reason.DNS_ERROR, str(answer), now)
        if answer.truncated and self._stage is _Stage.UDP:
            self._stage = _Stage.CONNECTION
            return (Connect(self._check.endpoint), self._wait(now))
        return self.passed(now)

    def _stranger(self, now: Micro) -> Steps:
        """Pass over what anybody can send over UDP; over TCP it is the server that talks nonsense."""
        self._strangers += 1
        if self._stage is _Stage.UDP and self._strangers <= STRANGERS_LIMIT:
            return ()
        return self.failed(Reason.BAD_REPLY, "", now)

    def _wait(self, now: Micro) -> Await:
        return Await(Micro(now + self._check.endpoint.connect_timeout))


class DnsKind(Kind[DnsCheck]):
    """DNS_CHECK's row."""

    wording = Wording(
        success="",
        failure="DNS_CHECK ({server}) {what}",
        mail_up="=> DNS_CHECK: succeed on service <=",
        mail_down="=> DNS_CHECK: failed on service <=",
    )

    def name(self, check: DnsCheck) -> str:
        """DNS_CHECK."""
        return "DNS_CHECK"

    def probe(self, check: DnsCheck, step: int, token: int = 0) -> Probe:
        """Make the probe of one run."""
        return DnsProbe(check, token)

    def success_text(self, check: DnsCheck, outcome: Outcome, where: Where) -> tuple[str, ...]:
        """Nothing, as with keepalived."""
        return ()

    def failure_text(self, check: DnsCheck, failure: Failure, where: Where) -> str:
        """Say what has happened, and how often."""
        return f"{self.wording.failure.format(server=where.server, what=_what(failure.outcome))}{failure.after}"

    def attempt_text(self, check: DnsCheck, failure: Failure, where: Where) -> str | None:
        """Say the same of a try that is to be repeated."""
        return None if failure.final else self.wording.failure.format(server=where.server, what=_what(failure.outcome))

    def unusable(self, check: DnsCheck) -> str | None:
        """A name that no query can hold, a type that has no number."""
        if encode_name(check.name) is None:
            return f"{check.name} is no domain name"
        return None if check.type in TYPES else f"type {check.type} is not known"

    def timing(self, check: DnsCheck) -> Timing:
        """As configured."""
        return check.timing

    def shareable(self, check: DnsCheck) -> bool:
        """It asks a server."""
        return True


def _what(outcome: Outcome) -> str:
    match outcome.reason:
        case Reason.REPLY_TIMEOUT:
            return "read timeout from socket"
        case Reason.UNREACHABLE:
            return "network unreachable"
        case Reason.DNS_ERROR:
            code = _RCODES.index(outcome.detail) if outcome.detail in _RCODES else outcome.detail.removeprefix("rcode ")
            return f"read error occurred. (rcode = {code})"
        case _:
            return f"failed to read socket; {outcome}"
