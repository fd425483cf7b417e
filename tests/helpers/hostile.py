"""TCP servers that misbehave in one exact way each: a listening socket and a thread, ended with the `with` block."""

import contextlib
import functools
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

Handler = Callable[[socket.socket], None]


class HostileServer:
    """Serves each connection with `handler` in a thread of its own; the sockets belong to the namespace of its maker.

    `peers` are the addresses that have connected.  Inside `handler`, `stopped` ends what would last for ever.
    """

    def __init__(
        self, handler: Handler, host: str = "127.0.0.1", backlog: int = 128, context: ssl.SSLContext | None = None
    ) -> None:
        self._handler = handler
        self._context = context
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(socket.getaddrinfo(host, 0, family, socket.SOCK_STREAM)[0][4])
        self._socket.listen(backlog)
        self.port: int = self._socket.getsockname()[1]
        self.peers: list[tuple[str, int]] = []
        self.errors: list[str] = []
        self.stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stopped.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), "a handler does not end"
        self._socket.close()

    def _spawn(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, peer = self._socket.accept()
                self.peers.append(peer[:2])
                connection.settimeout(5)
                self._spawn(functools.partial(self._serve, connection))

    def _serve(self, connection: socket.socket) -> None:
        try:
            with contextlib.closing(self._wrapped(connection)) as wrapped:
                self._handler(wrapped)
        except OSError as error:
            self.errors.append(f"{type(error).__name__}: {error}")
        finally:
            connection.close()

    def _wrapped(self, connection: socket.socket) -> socket.socket:
        return connection if self._context is None else self._context.wrap_socket(connection, server_side=True)


def answer(*pieces: bytes, close: bool = True) -> Handler:
    """Read a request, send pieces, and close (or wait for the client to do so)."""

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        for piece in pieces:
            connection.sendall(piece)
        if not close:
            connection.recv(1)

    return handle


def read_request(connection: socket.socket) -> bytes:
    """Read up to the blank line."""
    data = b""
    while b"\r\n\r\n" not in data and (piece := connection.recv(65536)):
        data += piece
    return data


def reset(connection: socket.socket) -> None:
    """Close with a RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@contextlib.contextmanager
def full_backlog(host: str = "127.0.0.1") -> Iterator[int]:
    """Yield a port whose SYNs the kernel drops: nobody accepts, and the queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((host, 0))
        listener.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
