"""Which of the requests of one send have been answered, and how.  Sequence numbers in, errnos and payloads out; no socket.

The kernel handles the messages of one send in order and answers each: a request that changes something with one acknowledgement, a
query with its answer and an acknowledgement, a dump with many messages and a DONE.  Anything with another sequence number is a late
answer to something that was given up, and is ignored.
"""

from typing import Final

from keepalived_py.netlink.framing import DecodeError, Message, MessageFlag, MessageType, error_of, messages

DUMP_MAX: Final = 4_000_000
"""Messages that one dump may bring before it is given up: far more than a kernel could hold."""


class Acknowledgements:
    """The acknowledgements of `count` requests whose sequence numbers start at `first`."""

    __slots__ = ("_errors", "_first", "missing")

    def __init__(self, first: int, count: int) -> None:
        self._first = first
        self._errors: list[int | None] = [None] * count
        self.missing = count
        """How many requests have not been answered yet."""

    @property
    def done(self) -> bool:
        """Whether every request has been answered."""
        return not self.missing

    def feed(self, datagram: bytes) -> None:
        """Take what one receive returned.  `DecodeError` where it is damaged; what came before the damage counts."""
        for message in messages(datagram):
            if message.type == MessageType.ERROR:
                self._acknowledge(message.sequence, error_of(message))

    def errors(self, unanswered: int) -> list[int]:
        """Return the errno of each request in order, 0 for success; `unanswered` stands for those without an answer."""
        return [unanswered if error is None else error for error in self._errors]

    def _acknowledge(self, sequence: int, error: int) -> None:
        index = sequence - self._first
        if 0 <= index < len(self._errors) and self._errors[index] is None:
            self._errors[index] = error
            self.missing -= 1


class Answer:
    """The answer to one query or dump with the sequence number `sequence`."""

    __slots__ = ("_sequence", "done", "error", "interrupted", "messages")

    def __init__(self, sequence: int) -> None:
        self._sequence = sequence
        self.messages: list[Message] = []
        """The messages of the family, in the order of their arrival."""
        self.done = False
        self.error = 0
        """errno of the request, once `done`."""
        self.interrupted = False
        """Whether the kernel says that the table changed while it was dumped."""

    def feed(self, datagram: bytes) -> None:
        """Take what one receive returned.  `DecodeError` where it is damaged; what came before the damage counts."""
        for message in messages(datagram):
            if message.sequence != self._sequence or self.done:
                continue
            self.interrupted |= bool(message.flags & MessageFlag.DUMP_INTR)
            if message.type in (MessageType.ERROR, MessageType.DONE):
                self.done, self.error = True, error_of(message)
            elif message.type > MessageType.OVERRUN:
                self._append(message)

    def _append(self, message: Message) -> None:
        if len(self.messages) >= DUMP_MAX:
            raise DecodeError(f"more than {DUMP_MAX} messages in one dump")
        self.messages.append(message)
