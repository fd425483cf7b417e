r"""The laboratory's real server: a small HTTP/1.1 program that answers with its name and writes down each request.

Run by `web.WebServer` as ``python -I -S server.py FD NAME ACCESS_LOG HEALTH_FILE [CERTIFICATE KEY]``; FD is the listening
socket, so that connections are accepted by the kernel from the first moment.

    /                       200, body "NAME\n"; each other path not below, too
    /health                 the status in HEALTH_FILE, 200 while there is no such file
    /status/CODE            that status
    /delay/SECONDS          200 after a while
    /stream/BYTES/SECONDS   BYTES of body in even portions over SECONDS

Each reply carries ``X-Server`` (the name) and ``X-Peer`` (the client's address and port as seen here).  ACCESS_LOG gets one
line a request before its reply: "PEER METHOD PATH".  It is a program for tests and demonstrations, not a web server.
"""

import socket
import sys
import threading
import time
from collections.abc import Callable

_HEAD_LIMIT = 16384
_PORTION_SECONDS = 0.05
_IDLE_SECONDS = 60.0

Wrap = Callable[[socket.socket], socket.socket]


class Server:
    """One listening socket, a thread for each connection."""

    def __init__(self, name: str, access_log: str, health_file: str) -> None:
        self.name = name
        self.health_file = health_file
        self._log = open(access_log, "ab", buffering=0)  # noqa: SIM115  open while the process lives

    def serve(self, listener: socket.socket, certificate: list[str]) -> None:
        """Accept for ever."""
        wrap = _tls(certificate) if certificate else lambda plain: plain
        while True:
            connection, peer = listener.accept()
            threading.Thread(target=self._connection, args=(connection, wrap, _text(peer)), daemon=True).start()

    def _connection(self, plain: socket.socket, wrap: Wrap, peer: str) -> None:
        try:
            plain.settimeout(_IDLE_SECONDS)
            with wrap(plain) as connection:
                while self._exchange(connection, peer):
                    pass
        except OSError:
            return  # the client went away, or never spoke TLS

    def _exchange(self, connection: socket.socket, peer: str) -> bool:
        """Serve one request; say whether another may follow."""
        head = _read_head(connection)
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3:
            return False
        method, path, version = words
        self._log.write(f"{peer} {method} {path}\n".encode())
        keep = version == "HTTP/1.1" and b"connection: close" not in head.lower()
        self._reply(connection, method, path.split("?")[0], peer, keep)
        return keep

    def _reply(self, connection: socket.socket, method: str, path: str, peer: str, keep: bool) -> None:
        kind, *arguments = path.strip("/").split("/")
        status, body, length, seconds = 200, f"{self.name}\n".encode(), 0, 0.0
        if kind == "health":
            status = self._health()
        elif kind == "status":
            status = int(arguments[0])
        elif kind == "delay":
            time.sleep(float(arguments[0]))
        elif kind == "stream":
            body, length, seconds = b"", int(arguments[0]), float(arguments[1])
        connection.sendall(self._head(status, len(body) + length, peer, keep))
        if method != "HEAD":
            connection.sendall(body)
            _stream(connection, length, seconds)

    def _head(self, status: int, length: int, peer: str, keep: bool) -> bytes:
        lines = [f"HTTP/1.1 {status} -", f"Content-Length: {length}", f"X-Server: {self.name}", f"X-Peer: {peer}"]
        lines += ["Content-Type: text/plain", f"Connection: {'keep-alive' if keep else 'close'}", "", ""]
        return "\r\n".join(lines).encode()

    def _health(self) -> int:
        try:
            with open(self.health_file, encoding="ascii") as stream:
                return int(stream.read() or "200")
        except FileNotFoundError:
            return 200


def _read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _HEAD_LIMIT:
        data = connection.recv(4096)
        if not data:
            return b""
        head += data
    return head


def _stream(connection: socket.socket, length: int, seconds: float) -> None:
    portions = 1 + int(seconds / _PORTION_SECONDS)
    start = time.monotonic()
    sent = 0
    for number in range(portions):
        time.sleep(max(0.0, start + seconds * number / max(1, portions - 1) - time.monotonic()))
        until = length * (number + 1) // portions
        connection.sendall(bytes(until - sent))
        sent = until


def _text(peer: tuple[str, int]) -> str:
    host = peer[0].removeprefix("::ffff:")
    return f"[{host}]:{peer[1]}" if ":" in host else f"{host}:{peer[1]}"


def _tls(certificate: list[str]) -> Wrap:
    import ssl  # slow under emulation, so only where it is wanted

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return lambda plain: context.wrap_socket(plain, server_side=True)


def main(arguments: list[str]) -> None:
    """Serve on the inherited socket until killed."""
    fd, name, access_log, health_file, *certificate = arguments
    Server(name, access_log, health_file).serve(socket.socket(fileno=int(fd)), certificate)


if __name__ == "__main__":
    main(sys.argv[1:])
