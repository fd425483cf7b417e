"""The rtnetlink sockets: one that asks and changes, one that listens.

The kernel serves a request inside the very ``send``, so a batch is answered when the last send returns, and nothing here waits:
this runs inside the loop that sends adverts.
"""

import errno
import socket
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from keepalived_py.errors import KernelError
from keepalived_py.netlink.exchange import Acknowledgements, Answer
from keepalived_py.netlink.framing import DecodeError, Message, messages
from keepalived_py.system.link_messages import (
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTMGRP_IPV4_IFADDR,
    RTMGRP_IPV6_IFADDR,
    RTMGRP_LINK,
    LinkAddress,
    LinkState,
    addresses_dump,
    decode_address,
    decode_link,
    links_dump,
)

BATCH: Final = 64
"""Requests per send: their acknowledgements fit into the receive buffer many times over."""

RECEIVE_BUFFER: Final = 4 * 1024 * 1024
_SOL_NETLINK: Final = 270
_NETLINK_CAP_ACK: Final = 10
_NETLINK_GET_STRICT_CHK: Final = 12
_SO_RCVBUFFORCE: Final = 33
_DATAGRAM_MAX: Final = 65_536
_SEQUENCE_MAX: Final = 0x7FFF_FFFF
_ANSWER_SECONDS: Final = 2.0

Request = tuple[str, bytes]
"""What it is about, for messages, and the packed request; its sequence number is set when it is sent."""


class RouteSocket:
    """Changes and reads addresses, links, routes and rules of this network namespace."""

    def __init__(self, receive_buffer: int = RECEIVE_BUFFER) -> None:
        """Open the socket; raise `OSError` when the kernel refuses one."""
        self._socket = _open(0, receive_buffer)
        self._socket.settimeout(_ANSWER_SECONDS)
        self._sequence = 0

    @property
    def port(self) -> int:
        """The port id by which notifications tell whose request they are about."""
        return int(self._socket.getsockname()[0])

    def perform(self, requests: Sequence[Request]) -> list[KernelError | None]:
        """Send requests in batches and return what became of each, in order; one that fails does not stop the others."""
        results: list[KernelError | None] = []
        for start in range(0, len(requests), BATCH):
            results += self._perform_batch(requests[start : start + BATCH])
        return results

    def _perform_batch(self, requests: Sequence[Request]) -> list[KernelError | None]:
        first = self._take(len(requests))
        acknowledgements = Acknowledgements(first, len(requests))
        packed = b"".join(_numbered(request, first + offset) for offset, (_, request) in enumerate(requests))
        unanswered = errno.ETIMEDOUT
        try:
            self._socket.send(packed)
            while not acknowledgements.done:
                acknowledgements.feed(self._socket.recv(_DATAGRAM_MAX))
        except DecodeError:
            unanswered = errno.EBADMSG
        except OSError as error:
            unanswered = error.errno or errno.ETIMEDOUT
        errors = acknowledgements.errors(unanswered)
        return [KernelError(about, error) if error else None for (about, _), error in zip(requests, errors, strict=True)]

    def links(self) -> list[LinkState]:
        """Return all interfaces."""
        return [decode_link(found) for found in self._dump(links_dump(0), "GETLINK") if found.type == RTM_NEWLINK]

    def addresses(self) -> list[LinkAddress]:
        """Return all addresses of both families."""
        found = (decode_address(one) for one in self._dump(addresses_dump(0), "GETADDR") if one.type == RTM_NEWADDR)
        return [address for address in found if address is not None]

    def _dump(self, request: bytes, about: str) -> list[Message]:
        """Read a dump to its end, anew when the table changed under way; raise `KernelError` when that fails."""
        for _ in range(5):
            answer = Answer(self._take(1))
            try:
                self._socket.send(_numbered(request, self._sequence))
                while not answer.done:
                    answer.feed(self._socket.recv(_DATAGRAM_MAX))
            except DecodeError:
                raise KernelError(about, errno.EBADMSG) from None
            except OSError as error:
                raise KernelError(about, error.errno or errno.ETIMEDOUT) from None
            if answer.error:
                raise KernelError(about, answer.error)
            if not answer.interrupted:
                return answer.messages
        raise KernelError(about, errno.EAGAIN)

    def _take(self, count: int) -> int:
        """Reserve sequence numbers; the last one taken is `_sequence`."""
        if self._sequence + count > _SEQUENCE_MAX:
            self._sequence = 0
        first = self._sequence + 1
        self._sequence += count
        return first

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class RouteMonitor:
    """Hears of changes of links and addresses.  After `KernelError` ENOBUFS news was lost: read everything anew."""

    def __init__(
        self, receive_buffer: int = RECEIVE_BUFFER, groups: int = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR
    ) -> None:
        """Subscribe; raise `OSError` when the kernel refuses."""
        self._socket = _open(groups, receive_buffer)
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor, to be waited for."""
        return self._socket.fileno()

    def receive(self, most: int = 256) -> Iterator[Message]:
        """Yield the messages that have come, of at most `most` datagrams; damaged ones are skipped."""
        for _ in range(most):
            try:
                datagram, _, flags, sender = self._socket.recvmsg(_DATAGRAM_MAX)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                raise KernelError("MONITOR", error.errno or errno.EIO) from None
            if sender[0] != 0 or flags & socket.MSG_TRUNC:
                continue  # only the kernel's own word counts
            try:
                yield from messages(datagram)
            except DecodeError:
                continue

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _numbered(request: bytes, sequence: int) -> bytes:
    """Set the sequence number of a packed request (``nlmsg_seq``, the third word and a half of its header)."""
    return request[:8] + sequence.to_bytes(4, _ENDIAN) + request[12:]


_ENDIAN: Final = sys.byteorder


def _open(groups: int, receive_buffer: int) -> socket.socket:
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    try:
        try:
            opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, receive_buffer)
        except PermissionError:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        opened.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        opened.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, 1)
        opened.bind((0, groups))
    except BaseException:
        opened.close()
        raise
    return opened
