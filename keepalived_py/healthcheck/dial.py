"""Sockets of probes: how a server is reached, and what an errno of the kernel means for a check.

Connections are closed in the ordinary way (FIN), as keepalived does; only one with a fixed `bind_port` is reset, because its
TIME_WAIT would refuse the next check the port.

Datagram sockets are connected, so that they hear their peer and nobody else, and ask for ICMP errors (``IP_RECVERR``): without,
the kernel reports only some of them.
"""

import errno
import os
import pathlib
import resource
import socket
import struct
from typing import Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.checkers import Endpoint
from keepalived_py.errors import KeepalivedError
from keepalived_py.healthcheck.outcome import Reason
from keepalived_py.healthcheck.probe import Datagrams

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)

_FWMARK: Final = struct.Struct("=I")
_IP_RECVERR: Final = 11
_IPV6_RECVERR: Final = 25

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


def reason_of_pending(number: int) -> tuple[Reason, str]:
    """Return the same for an error that came from the network later: there EACCES is how ICMPv6 says "prohibited"."""
    reason, name = reason_of(number)
    return (Reason.UNREACHABLE if number == errno.EACCES else reason), name


def open_socket(endpoint: Endpoint) -> socket.socket:
    """Return a non-blocking TCP socket, bound as `endpoint` says; raise `NotDialled`."""
    return _open(endpoint, socket.SOCK_STREAM, 0)


def open_datagrams(endpoint: Endpoint, kind: Datagrams) -> socket.socket:
    """Return a non-blocking socket for datagrams, bound as `endpoint` says; raise `NotDialled`."""
    inet = endpoint.address.family is Family.INET
    if kind is Datagrams.UDP:
        sock = _open(endpoint, socket.SOCK_DGRAM, 0)
    else:
        sock = _open(endpoint, socket.SOCK_DGRAM, socket.IPPROTO_ICMP if inet else socket.IPPROTO_ICMPV6)
    if inet:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
    return sock


def _open(endpoint: Endpoint, type: int, protocol: int) -> socket.socket:
    try:
        sock = socket.socket(endpoint.address.family, type | socket.SOCK_NONBLOCK, protocol)
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
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, _FWMARK.pack(endpoint.fwmark))
        if endpoint.bind_if is not None:
            step = f"bind to device {endpoint.bind_if}"
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, os.fsencode(endpoint.bind_if) + b"\0")
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
