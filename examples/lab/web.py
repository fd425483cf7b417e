"""HTTP in the lab: `WebServer` (a real server in a node), `fetch` (one request) and `Download` (a long one, in the background).

Requests are made by this process itself on sockets created inside the node: starting curl costs more than the request when
the CPU is emulated.  May not live here: what the server answers (`server`).
"""

import http.client
import signal
import socket
import ssl
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from .daemons import Daemon, LabError, eventually
from .lab import Node

_PROGRAM = Path(__file__).with_name("server.py")
_BACKLOG = 512
_CHUNK = 65536


class WebServer:
    """An HTTP or HTTPS server in a node that can crash, come back, and turn ill; see `server` for its paths."""

    def __init__(self, node: Node, port: int = 80, name: str | None = None, tls: bool = False) -> None:
        """Start it; it can be connected to at once.

        Args:
            node: Where it runs.
            port: TCP port, on every address of the node, both families.
            name: What it answers; the node's name if not given.
            tls: Speak HTTPS with a self-signed certificate.
        """
        self.node = node
        self.port = port
        self.name = name or node.name
        self._tls = tls
        self._access = node.lab.free_path(f"{self.name}-{port}", ".access")
        self._health = self._access.with_suffix(".health")
        self._access.touch()
        self.daemon = self._start()

    def _start(self) -> Daemon:
        files = [str(self._access), str(self._health), *(map(str, certificate(self.node)) if self._tls else ())]
        with self.node.entered():
            listener = _listen(self.port)
        with listener:
            argv = [sys.executable, "-I", "-S", str(_PROGRAM), str(listener.fileno()), self.name, *files]
            return self.node.start(*argv, name=f"{self.name}-{self.port}", pass_fds=[listener.fileno()])

    def requests(self, path: str | None = None) -> int:
        """Count the requests it got since the beginning, over crashes too; with ``path`` only those for exactly that one."""
        lines = self._access.read_text().splitlines()
        return sum(path is None or line.split(" ", 2)[2] == path for line in lines)

    def kill(self) -> None:
        """Crash: connections are reset, new ones refused."""
        self.daemon.kill()

    def revive(self) -> None:
        """Start again after `kill`."""
        self.daemon = self._start()

    def freeze(self) -> None:
        """Stop answering while the kernel still accepts connections: a layer 4 check sees nothing."""
        self.daemon.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        self.daemon.signal(signal.SIGCONT)

    def health(self, status: int) -> None:
        """Let ``/health`` answer with another status: a layer 7 check sees it, a layer 4 check does not."""
        fresh = self._health.with_suffix(".new")
        fresh.write_text(str(status))
        fresh.rename(self._health)  # never half written for a request in between


def _listen(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=_BACKLOG)
    return socket.create_server(("", port), backlog=_BACKLOG)


def certificate(node: Node) -> tuple[Path, Path]:
    """Return the lab's self-signed certificate and its key, made at the first call."""
    pem, key = (node.lab.directory / f"tls.{kind}" for kind in ("pem", "key"))
    if not pem.exists():
        argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650"]
        node.run(
            *argv, "-subj", "/CN=shop.example", "-addext", "subjectAltName=DNS:shop.example", "-keyout", str(key), "-out", str(pem)
        )
    return pem, key


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response; ``server`` and ``peer`` are what the lab's server says of itself and of its client, else empty."""

    status: int
    body: bytes
    server: str
    peer: str


def _request(node: Node, url: str, within: float) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    connection = http.client.HTTPConnection(host, port, timeout=within)
    with node.entered():
        connection.sock = socket.create_connection((host, port), timeout=within)
    if secure:
        connection.sock = _client_context().wrap_socket(connection.sock, server_hostname=host)
    connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    return connection, connection.getresponse()


def _client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the certificate is the lab's own
    return context


def fetch(node: Node, url: str, within: float = 15.0) -> Reply:
    """GET a URL from inside a node, on a connection of its own.

    Args:
        node: The client.
        url: ``http://`` or ``https://`` with an address as host; certificates are not checked.
        within: Seconds for each step (connecting, sending, each read).

    Raises:
        OSError: The connection failed (refused, reset, timed out).
        http.client.HTTPException: The other side does not speak HTTP.
    """
    connection, response = _request(node, url, within)
    try:
        return Reply(response.status, response.read(), response.getheader("X-Server", ""), response.getheader("X-Peer", ""))
    finally:
        connection.close()


class Download(threading.Thread):
    """A GET in the background whose progress can be watched, for "the long transfer went on"."""

    def __init__(self, node: Node, url: str, within: float = 60.0) -> None:
        """Start it and return once the response's head has come.

        Args:
            node: The client.
            url: As for `fetch`.
            within: Seconds of silence after which it fails.
        """
        super().__init__(daemon=True, name=f"download {url}")
        self.url = url
        self.received = 0
        self.error: str | None = None
        self._connection, self._response = _request(node, url, within)
        self.expected = self._response.length or 0
        self.server = self._response.getheader("X-Server", "")
        self.start()

    def run(self) -> None:
        """Read to the end; not for callers."""
        try:
            while data := self._response.read1(_CHUNK):
                self.received += len(data)
            if self.received != self.expected:
                self.error = f"closed after {self.received} of {self.expected} bytes"
        except (OSError, http.client.HTTPException) as error:
            self.error = f"{type(error).__name__} after {self.received} of {self.expected} bytes: {error}"
        finally:
            self._connection.close()

    def moves(self, within: float = 15.0) -> None:
        """Wait until more bytes arrive than there are now, or raise `LabError`: it stands still, broke or had ended."""
        before = self.received
        eventually(lambda: self.received > before or not self.is_alive(), f"{self.url} moves on from byte {before}", within)
        if self.received == before:
            raise LabError(f"{self.url} ended at byte {before}: {self.error or 'complete'}")

    def finish(self, within: float = 60.0) -> int:
        """Wait for the end and return the number of bytes; raise `LabError` if it broke off."""
        self.join(within)
        if self.is_alive():
            raise LabError(f"{self.url}: {self.received} of {self.expected} bytes after {within:g} s")
        if self.error:
            raise LabError(f"{self.url}: {self.error}")
        return self.received
