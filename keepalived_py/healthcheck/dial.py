"""Sockets of probes: how a server is reached, and what an errno of the kernel or of OpenSSL means for a check.

Connections are closed in the ordinary way (FIN), as keepalived does; only one with a fixed `bind_port` is reset, because its
TIME_WAIT would refuse the next check the port.

TLS runs over memory, so that the socket stays ours: certificates are not verified (keepalived does not), and everything that
OpenSSL can still speak is spoken, because a check asks whether a server serves, not whether it is modern.
"""

import errno
import os
import pathlib
import resource
import socket
import ssl
import struct
from typing import Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.checkers import Endpoint
from keepalived_py.config.model import SslContext
from keepalived_py.errors import ConfigError, KeepalivedError
from keepalived_py.healthcheck.outcome import Reason

_TLS_CHUNK: Final = 64 * 1024
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)

_REASONS: Final = {
    errno.ECONNREFUSED: Reason.REFUSED,
    errno.ETIMEDOUT: Reason.CONNECT_TIMEOUT,
    errno.ENETUNREACH: Reason.UNREACHABLE,
    errno.EHOSTUNREACH: Reason.UNREACHABLE,
    errno.EHOSTDOWN: Reason.UNREACHABLE,
    errno.ENETDOWN: Reason.UNREACHABLE,
    errno.ENOPROTOOPT: Reason.UNREACHABLE,
    errno.EPROTO: Reason.UNREACHABLE,
    errno.ECONNRESET: Reason.RESET,
    errno.ECONNABORTED: Reason.RESET,
    errno.EPIPE: Reason.RESET,
}


class NotDialled(KeepalivedError):
    """A connection could not even be tried: the fault is on our side.  `errno` may be 0."""

    def __init__(self, what: str, number: int) -> None:
        self.errno = number
        self.what = what
        super().__init__(f"{what}: {os.strerror(number)}" if number else what)


def reason_of(number: int) -> tuple[Reason, str]:
    """Return what an errno of a connection says about the server, with its name; `Reason.LOCAL` when it says nothing."""
    return _REASONS.get(number, Reason.LOCAL), errno.errorcode.get(number, str(number))


def open_socket(endpoint: Endpoint) -> socket.socket:
    """Return a non-blocking TCP socket, bound as `endpoint` says; raise `NotDialled`."""
    try:
        sock = socket.socket(endpoint.address.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    except OSError as error:
        raise NotDialled("socket", error.errno or 0) from None
    if endpoint.fwmark or endpoint.bind_if is not None or endpoint.bindto is not None or endpoint.bind_port:
        try:
            _bind(sock, endpoint)
        except NotDialled:
            sock.close()
            raise
    return sock


def _bind(sock: socket.socket, endpoint: Endpoint) -> None:
    step = "fwmark"
    try:
        if endpoint.fwmark:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, endpoint.fwmark)
        if endpoint.bind_if is not None:
            step = f"bind to device {endpoint.bind_if}"
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, endpoint.bind_if.encode() + b"\0")
        if endpoint.bindto is not None or endpoint.bind_port:
            source = endpoint.bindto or Address(bytes(len(endpoint.address.packed)))
            step = f"bind to [{source}]:{endpoint.bind_port}"
            if endpoint.bind_port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            sock.bind(_sockaddr(source, endpoint.bind_port, endpoint.bind_if))
    except OSError as error:
        raise NotDialled(step, error.errno or 0) from None


def connect(sock: socket.socket, endpoint: Endpoint) -> int:
    """Start to connect; return 0 (connected), ``EINPROGRESS``, or the errno of a failure."""
    try:
        return sock.connect_ex(_sockaddr(endpoint.address, endpoint.port, endpoint.bind_if))
    except OSError as error:  # An interface that does not exist; connect itself never raises.
        return error.errno or errno.EINVAL


def _sockaddr(address: Address, port: int, interface: str | None) -> tuple[str, int] | tuple[str, int, int, int]:
    """Return what `socket` takes; an IPv6 link-local address is meant on `interface`."""
    if address.family is Family.INET:
        return str(address), port
    scope = socket.if_nametoindex(interface) if interface is not None and address.is_link_local else 0
    return str(address), port, 0, scope


def pending_error(sock: socket.socket) -> int:
    """Return and clear the error of a socket (``SO_ERROR``)."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def descriptors_for_probes(wanted: int, reserve: int = 64) -> int:
    """Return how many sockets may be open at once, having raised the soft limit as far as `wanted` needs and the hard allows.

    `reserve` descriptors beyond those open now are left to the rest of the process.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = sum(1 for _ in pathlib.Path("/proc/self/fd").iterdir()) + reserve
    if soft < wanted + used:
        soft = wanted + used if hard == resource.RLIM_INFINITY else min(hard, wanted + used)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(wanted, soft - used))


def tls_context(files: SslContext | None) -> ssl.SSLContext:
    """Return the context for every SSL_GET, with the files of the root `SSL` block; raise `ConfigError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT")
    if files is None:
        return context
    try:
        if files.ca is not None:
            context.load_verify_locations(files.ca)
        if files.certificate is not None:
            context.load_cert_chain(files.certificate, files.key, files.password or "")
    except (OSError, ValueError) as error:
        raise ConfigError(f"SSL block: {error}") from None
    return context


class TlsSession:
    """TLS of one connection, over memory: ciphertext goes in by `put` and out by `take`.

    Everything but `put` and `take` raises `ssl.SSLError` (also for what a hostile peer sends).
    """

    __slots__ = ("_in", "_object", "_out", "established")

    def __init__(self, context: ssl.SSLContext, server_name: str | None) -> None:
        """Prepare a session; raise `ValueError` (`UnicodeError` is one) for a name that cannot go into SNI."""
        if server_name is not None and "\0" in server_name:
            raise ValueError("it contains a NUL byte")
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_hostname=server_name)
        self.established = False

    def put(self, ciphertext: bytes) -> None:
        """Take what the peer sent; empty means that it sends no more."""
        if ciphertext:
            self._in.write(ciphertext)
        else:
            self._in.write_eof()

    def take(self) -> bytes:
        """Return what is to be sent to the peer."""
        return self._out.read()

    def handshake(self) -> bool:
        """Go on with the handshake; return whether it is complete."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.established = True
        return True

    def read(self) -> bytes | None:
        """Return plaintext, empty at the peer's end, None when more ciphertext is needed."""
        try:
            return self._object.read(_TLS_CHUNK)
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def write(self, plaintext: bytes) -> None:
        """Encrypt."""
        self._object.write(plaintext)

    def end(self) -> None:
        """Say goodbye (close_notify) without waiting for an answer."""
        try:
            self._object.unwrap()
        except ssl.SSLError:
            return
