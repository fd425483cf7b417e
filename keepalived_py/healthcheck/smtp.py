"""SMTP_CHECK: a mail server is fit when it greets with 220, takes our HELO with 250 and answers QUIT, with whatever.

    connected -> greeting -> HELO name -> reply -> QUIT -> reply -> passed

Each of these has `connect_timeout`, from its start to the end of the last line, so that a server that trickles gains nothing.

Replies of several lines (RFC 5321 section 4.2.1: ``250-first``, ``250 last``) are read to their end; keepalived takes a greeting of
several lines for a bad one.  Bounds: a line `LINE_LIMIT` bytes (RFC 5321 section 4.5.3.1.5 says 512), a reply `LINES_LIMIT` lines.
"""

import enum
from typing import Final

from keepalived_py.addresses import bracketed
from keepalived_py.config.checkers import Endpoint, SmtpCheck, Timing
from keepalived_py.healthcheck.kind import Failure, Kind, Where, Wording
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.healthcheck.probe import Await, Connect, Probe, Send, Steps
from keepalived_py.units import Micro

LINE_LIMIT: Final = 2048
LINES_LIMIT: Final = 100


class SmtpReply:
    """One reply as it arrives: any bytes, cut anywhere, become a code.

    `code` is None until the reply is complete; `problem`: why it will never be.
    """

    __slots__ = ("_buffer", "_lines", "code", "problem")

    def __init__(self) -> None:
        self._buffer = b""
        self._lines = 0
        self.code: int | None = None
        self.problem: Reason | None = None

    def feed(self, data: bytes) -> None:
        """Take bytes; what follows a complete reply is nobody's business."""
        self._buffer += data
        while self.code is None and self.problem is None:
            line, newline, rest = self._buffer.partition(b"\n")
            if len(line) > LINE_LIMIT:
                self.problem = Reason.TOO_MUCH_DATA
            elif not newline:
                return
            else:
                self._buffer = rest
                self._take(line.rstrip(b"\r"))

    def _take(self, line: bytes) -> None:
        self._lines += 1
        digits, mark = line[:3], line[3:4]
        if len(digits) < 3 or not digits.isdigit() or mark not in (b"", b" ", b"-"):
            self.problem = Reason.BAD_REPLY
        elif mark != b"-":
            self.code = int(digits)
        elif self._lines == LINES_LIMIT:
            self.problem = Reason.TOO_MUCH_DATA


class _Stage(enum.Enum):
    """What is awaited."""

    CONNECTION = enum.auto()
    GREETING = enum.auto()
    HELO = enum.auto()
    QUIT = enum.auto()


_BAD: Final = {_Stage.GREETING: Reason.BAD_GREETING, _Stage.HELO: Reason.BAD_HELO}


class SmtpProbe(Probe):
    """Greets and says good-bye."""

    __slots__ = ("_check", "_reply", "_stage")

    def __init__(self, check: SmtpCheck) -> None:
        self._check = check
        self._stage = _Stage.CONNECTION
        self._reply = SmtpReply()

    def begin(self, now: Micro) -> Steps:
        """Connect."""
        self.began = now
        return (Connect(self._check.endpoint), self._wait(now))

    def connected(self, now: Micro) -> Steps:
        """Wait for the greeting: in SMTP the server speaks first."""
        self._stage = _Stage.GREETING
        return (self._wait(now),)

    def received(self, data: bytes, now: Micro) -> Steps:
        """Take a piece of a reply."""
        reply = self._reply
        reply.feed(data)
        if reply.problem is not None and self._stage is not _Stage.QUIT:
            bad = _BAD[self._stage] if reply.problem is Reason.BAD_REPLY else reply.problem
            return self.failed(bad, "", now)
        if reply.code is None and reply.problem is None:
            return ()
        return self._answered(reply.code or 0, now)

    def closed(self, now: Micro) -> Steps:
        """Fail: an orderly server answers QUIT before it closes."""
        return self.failed(Reason.NO_DATA, "", now)

    def timed_out(self, now: Micro) -> Steps:
        """Fail."""
        connecting = self._stage is _Stage.CONNECTION
        return self.failed(Reason.CONNECT_TIMEOUT if connecting else Reason.REPLY_TIMEOUT, "", now)

    def _answered(self, code: int, now: Micro) -> Steps:
        """Go on from a complete reply."""
        self._reply = SmtpReply()
        match self._stage, code:
            case _Stage.GREETING, 220:
                self._stage = _Stage.HELO
                name = self._check.helo_name.encode("utf-8", "surrogateescape")
                return (Send(b"HELO %s\r\n" % name), self._wait(now))
            case _Stage.HELO, 250:
                self._stage = _Stage.QUIT
                return (Send(b"QUIT\r\n"), self._wait(now))
            case _Stage.QUIT, _:
                return self.passed(now)
        return self.failed(_BAD[self._stage], str(code), now)

    def _wait(self, now: Micro) -> Await:
        return Await(Micro(now + self._check.endpoint.connect_timeout))


class SmtpKind(Kind[SmtpCheck]):
    """SMTP_CHECK's row."""

    wording = Wording(
        success="Remote SMTP server {server} succeed on service.",
        failure="SMTP_CHECK {what}",
        mail_up="=> CHECK succeed on service <=",
        mail_down="=> CHECK failed on service : {what} <=",
    )

    def name(self, check: SmtpCheck) -> str:
        """SMTP_CHECK."""
        return "SMTP_CHECK"

    def probe(self, check: SmtpCheck, step: int, token: int = 0) -> Probe:
        """Make the probe of one run."""
        return SmtpProbe(check)

    def failure_text(self, check: SmtpCheck, failure: Failure, where: Where) -> str:
        """Say what has happened rather than how often."""
        return self.wording.failure.format(what=_what(check.endpoint, failure.outcome.reason))

    def attempt_text(self, check: SmtpCheck, failure: Failure, where: Where) -> str | None:
        """Say the same of a try that is to be repeated."""
        return None if failure.final else self.failure_text(check, failure, where)

    def mail_text(self, check: SmtpCheck, outcome: Outcome) -> str:
        """Say in the mail, too, what has happened."""
        return self.wording.mail_up if outcome.ok else self.wording.mail_down.format(what=_what(check.endpoint, outcome.reason))

    def timing(self, check: SmtpCheck) -> Timing:
        """As configured."""
        return check.timing

    def shareable(self, check: SmtpCheck) -> bool:
        """It asks a server."""
        return True


_WHAT: Final = {
    Reason.CONNECT_TIMEOUT: "Connection timeout to server",
    Reason.REFUSED: "Could not connect to server",
    Reason.UNREACHABLE: "Network unreachable for server",
    Reason.REPLY_TIMEOUT: "Read timeout from server",
    Reason.BAD_GREETING: "Bad greeting banner from server",
    Reason.BAD_HELO: "Bad HELO response from server",
}


def _what(endpoint: Endpoint, reason: Reason) -> str:
    return f"{_WHAT.get(reason, 'Read failure from server')} {bracketed(endpoint.address, endpoint.port)}"
