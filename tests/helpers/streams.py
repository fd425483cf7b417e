"""TCP connections between two nodes whose every byte is compared: the test is both ends."""

import hashlib
import socket
import threading
from typing import Self

from examples.lab.lab import Node

_TIMEOUT = 60.0


def pattern(size: int, seed: int = 1) -> bytes:
    """Return bytes that do not repeat with any packet size."""
    block = b"".join(hashlib.sha256(f"{seed}:{number}".encode()).digest() for number in range(min(size, 1 << 16) // 32 + 1))
    return (block * (size // len(block) + 1))[:size]


class Listener:
    """A server in a node that the test accepts from by itself."""

    def __init__(self, node: Node, address: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with node.entered():
            self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, port))
        self.socket.listen(1024)
        self.socket.settimeout(_TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def accept(self) -> tuple[socket.socket, str]:
        """Return a connection and the peer's address as accept(2) tells it."""
        connection, peer = self.socket.accept()
        connection.settimeout(_TIMEOUT)
        return connection, peer[0]


def connect(node: Node, address: str, port: int, within: float = _TIMEOUT, source_port: int = 0) -> socket.socket:
    """Connect from inside a node."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with node.entered():
        made = socket.socket(family, socket.SOCK_STREAM)
    made.settimeout(within)
    try:
        if source_port:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(("", source_port))
        made.connect((address, port))
    except BaseException:
        made.close()
        raise
    return made


def _receive(source: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = source.recv(1 << 16)
        if not part:
            break
        data += part
    return bytes(data)


def transfer(sender: socket.socket, receiver: socket.socket, size: int, seed: int = 1) -> None:
    """Send bytes from one end to the other, and compare."""
    data = pattern(size, seed)
    thread = threading.Thread(target=sender.sendall, args=(data,), daemon=True)
    thread.start()
    got = _receive(receiver, size)
    thread.join(_TIMEOUT)
    assert len(got) == size, f"{len(got)} of {size} bytes"
    assert got == data, f"byte {next(at for at, (left, right) in enumerate(zip(got, data, strict=True)) if left != right)} differs"
