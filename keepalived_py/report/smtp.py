"""One mail to one server, as a dialogue without a socket (RFC 5321): bytes come in, bytes and verdicts go out.

Replies are bounded and judged by their code alone.  A recipient that is refused does not stop the others.
"""

import enum
from dataclasses import dataclass
from typing import Final

_LINE_MAX: Final = 2048
_REPLY_LINES_MAX: Final = 128


@dataclass(frozen=True, slots=True)
class Envelope:
    """A mail ready to be handed in.  Addresses are as configured (``Name <a@b>`` or ``<a@b>``); `content` is headers and body."""

    helo: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes


class Stage(enum.Enum):
    """What the dialogue waits for an answer to."""

    BANNER = "banner"
    HELO = "HELO"
    MAIL = "MAIL FROM"
    RCPT = "RCPT TO"
    DATA = "DATA"
    CONTENT = "the message"
    QUIT = "QUIT"
    DONE = "nothing"


_WANTED: Final = {
    Stage.BANNER: "220",
    Stage.HELO: "250",
    Stage.MAIL: "250",
    Stage.DATA: "354",
    Stage.CONTENT: "250",
}


class Dialogue:
    """The client's side.  `sent` tells whether the server has taken the message; `failure` why not, in words."""

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._stage = Stage.BANNER
        self._buffer = b""
        self._lines = 0
        self._next = 0
        self._accepted = 0
        self.sent = False
        self.failure = ""

    @property
    def done(self) -> bool:
        """Whether the connection can be closed."""
        return self._stage is Stage.DONE

    def received(self, data: bytes) -> bytes:
        """Take what the server said; return what is to be sent next, which may be nothing."""
        self._buffer += data
        answers = b""
        while not self.done and b"\n" in self._buffer:
            line, _, self._buffer = self._buffer.partition(b"\n")
            answers += self._line(line.rstrip(b"\r"))
        if len(self._buffer) > _LINE_MAX and not self.done:
            return self._fail("the server's reply has no end")
        return answers

    def closed(self) -> None:
        """Take note that the connection has ended."""
        if not self.done:
            if not self.sent and not self.failure:
                self.failure = f"the server closed the connection instead of answering {self._stage.value}"
            self._stage = Stage.DONE

    def _line(self, line: bytes) -> bytes:
        code, follows = line[:3].decode("ascii", "replace"), line[3:4]
        self._lines += 1
        if follows == b"-":
            return b"" if self._lines <= _REPLY_LINES_MAX else self._fail("the server's reply has no end")
        self._lines = 0
        if not code.isdecimal() or follows not in (b"", b" "):
            return self._fail(f"the server does not speak SMTP: {line[:80].decode('ascii', 'backslashreplace')}")
        return self._answer(code, line[:200].decode("ascii", "backslashreplace"))

    def _answer(self, code: str, text: str) -> bytes:
        stage = self._stage
        if stage is Stage.QUIT:
            self._stage = Stage.DONE
            return b""
        if stage is Stage.RCPT:
            return self._recipient(code, text)
        if code != _WANTED[stage]:
            return self._fail(f"{stage.value} was answered with: {text}")
        if stage is Stage.BANNER:
            return self._say(Stage.HELO, f"HELO {self._envelope.helo}")
        if stage is Stage.HELO:
            return self._say(Stage.MAIL, f"MAIL FROM:{bare(self._envelope.sender)}")
        if stage is Stage.MAIL:
            return self._name_recipient()
        if stage is Stage.DATA:
            self._stage = Stage.CONTENT
            return stuffed(self._envelope.content)
        self.sent = True
        return self._say(Stage.QUIT, "QUIT")

    def _name_recipient(self) -> bytes:
        recipients = self._envelope.recipients
        if self._next < len(recipients):
            self._next += 1
            return self._say(Stage.RCPT, f"RCPT TO:{bare(recipients[self._next - 1])}")
        if not self._accepted:
            return self._fail(self.failure or "no recipient was accepted")
        return self._say(Stage.DATA, "DATA")

    def _recipient(self, code: str, text: str) -> bytes:
        if code in ("250", "251"):
            self._accepted += 1
        else:
            self.failure = f"{self._envelope.recipients[self._next - 1]} was refused: {text}"
        return self._name_recipient()

    def _say(self, stage: Stage, line: str) -> bytes:
        self._stage = stage
        return line.encode("utf-8", "replace").replace(b"\r", b"").replace(b"\n", b"") + b"\r\n"

    def _fail(self, why: str) -> bytes:
        self.failure = why
        return self._say(Stage.QUIT, "QUIT") if self._stage is not Stage.QUIT else b""


def bare(address: str) -> str:
    """Return the bracketed part of an address."""
    start, end = address.find("<"), address.rfind(">")
    return address[start : end + 1] if 0 <= start < end else f"<{address}>"


def stuffed(content: bytes) -> bytes:
    """Return a message as DATA wants it: CRLF line ends, dots at line starts doubled, a lone dot at the end (RFC 5321 4.5.2)."""
    lines = content.replace(b"\r\n", b"\n").split(b"\n")
    if lines and lines[-1] == b"":
        lines.pop()
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"
