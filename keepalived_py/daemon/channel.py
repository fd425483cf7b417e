"""Messages between parent and child over a socket pair: a length, then a pickle.

Both ends are our own processes, of one program, across a socket pair that nobody else holds; nothing from outside is unpickled.
The sender never blocks: what the socket does not take is kept and sent when it is writable.
"""

import pickle
import socket
import struct
from collections.abc import Iterator
from typing import Final

from keepalived_py.daemon.messages import Message

_LENGTH: Final = struct.Struct("!Q")
_CHUNK: Final = 1 << 18


class Channel:
    """One end of the socket pair."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end
        self._outgoing = bytearray()
        self._incoming = bytearray()

    def fileno(self) -> int:
        """Return the descriptor, for a selector or an event loop."""
        return self._socket.fileno()

    @property
    def wants_write(self) -> bool:
        """Whether something is waiting to be sent."""
        return bool(self._outgoing)

    def send(self, message: Message) -> None:
        """Queue a message and send what goes without waiting."""
        body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        self._outgoing += _LENGTH.pack(len(body)) + body
        self.flush()

    def flush(self) -> None:
        """Send more of what is waiting."""
        while self._outgoing:
            try:
                sent = self._socket.send(memoryview(self._outgoing)[:_CHUNK])
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._outgoing.clear()  # the other end is gone; its death is noticed elsewhere
                return
            del self._outgoing[:sent]

    def receive(self) -> Iterator[Message]:
        """Read what has come and yield the messages that are complete; after them `EOFError` when the other end is closed."""
        open_still = self._fill()
        while len(self._incoming) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._incoming)
            if len(self._incoming) < _LENGTH.size + length:
                break
            body = bytes(memoryview(self._incoming)[_LENGTH.size : _LENGTH.size + length])
            del self._incoming[: _LENGTH.size + length]
            yield pickle.loads(body)  # noqa: S301  (see the module: the other end is ourselves)
        if not open_still:
            raise EOFError("the other end of the channel is closed")

    def _fill(self) -> bool:
        """Read everything that has come; return whether the other end is open."""
        while True:
            try:
                data = self._socket.recv(_CHUNK)
            except (BlockingIOError, InterruptedError):
                return True
            except OSError:
                return False
            if not data:
                return False
            self._incoming += data

    def close(self) -> None:
        """Close this end."""
        self._socket.close()


def channel_pair() -> tuple[socket.socket, socket.socket]:
    """Return both ends; wrap each in a `Channel` in its own process.  Raises `OSError`."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
