"""The raw sockets of a channel: one that receives (filtered in the kernel), one that sends.

Never blocks: what cannot be sent now is lost, as a packet on the wire may be.  Decisions are the engine's.
"""

import ctypes
import socket
import struct
from collections.abc import Iterator
from typing import Final

from keepalived_py.addresses import Address, Family
from keepalived_py.vrrp.actions import SendAdvert
from keepalived_py.vrrp.channel import Channel, Filter
from keepalived_py.vrrp.events import AdvertReceived
from keepalived_py.vrrp.filter import Instruction, pack, program

_SO_BINDTODEVICE: Final = 25
_SO_ATTACH_FILTER: Final = 26
_IP_MULTICAST_ALL: Final = 49
_IPV6_MULTICAST_ALL: Final = 29
_IPV6_CHECKSUM: Final = 7
_IPV6_HOPLIMIT: Final = 52
_CHECKSUM_OFFSET: Final = 6
_MREQN: Final = struct.Struct("=4s4si")
_MREQ6: Final = struct.Struct("=16sI")
_PKTINFO6: Final = struct.Struct("=16sI")
_TRAFFIC_CLASS: Final = 0xC0
_PACKET_MAX: Final = 4096
_PRIORITY: Final = 6
"""TC_PRIO_INTERACTIVE: adverts go ahead of bulk traffic on the way out."""


class ChannelSockets:
    """Both sockets of a channel.  Raises `OSError` when they cannot be had (the interface is gone, the address is not there)."""

    def __init__(self, channel: Channel, wanted: Filter, receive_buffer: int | None) -> None:
        self.channel = channel
        self._index = socket.if_nametoindex(channel.interface) if channel.interface else 0
        self._receiving = self._raw()
        try:
            self._sending = self._raw()
            try:
                self._set_up_receiving(wanted, receive_buffer)
                self._set_up_sending()
            except BaseException:
                self._sending.close()
                raise
        except BaseException:
            self._receiving.close()
            raise

    def fileno(self) -> int:
        """Return the receiving descriptor, to be waited for."""
        return self._receiving.fileno()

    def is_current(self) -> bool:
        """Whether the interface is still the one that the sockets were bound to, and not a new one of the same name."""
        try:
            return not self.channel.interface or socket.if_nametoindex(self.channel.interface) == self._index
        except OSError:
            return False

    def change(self, wanted: Filter, receive_buffer: int | None) -> None:
        """Change filter and buffer of the receiving socket; nothing in between is lost."""
        attach(self._receiving, program(self.channel, wanted))
        if receive_buffer is not None:
            self._receiving.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)

    def close(self) -> None:
        """Close both; the kernel leaves the group."""
        self._receiving.close()
        self._sending.close()

    # Setting up -------------------------------------------------------------------------------------------------------------

    def _raw(self) -> socket.socket:
        channel = self.channel
        raw = socket.socket(channel.family, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, channel.protocol)
        device = channel.interface or channel.vrf
        if device:
            raw.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, device.encode() + b"\0")
        return raw

    def _set_up_receiving(self, wanted: Filter, receive_buffer: int | None) -> None:
        receiving, channel = self._receiving, self.channel
        attach(receiving, program(channel, wanted))
        if receive_buffer is not None:
            receiving.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if channel.family is Family.INET6:
            receiving.setsockopt(socket.IPPROTO_IPV6, _IPV6_CHECKSUM, _CHECKSUM_OFFSET)
            receiving.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
            receiving.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        if channel.group is not None:
            self._join(channel.group)
        elif channel.source is not None:
            receiving.bind(self._bound(channel.source))

    def _join(self, group: Address) -> None:
        if group.family is Family.INET:
            self._receiving.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
            membership = _MREQN.pack(group.packed, bytes(4), self._index)
            self._receiving.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        else:
            self._receiving.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
            membership = _MREQ6.pack(group.packed, self._index)
            self._receiving.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)

    def _bound(self, source: Address) -> tuple[str, int] | tuple[str, int, int, int]:
        if source.family is Family.INET:
            return str(source), 0
        return str(source), 0, 0, self._index if source.is_link_local else 0

    def _set_up_sending(self) -> None:
        sending, channel = self._sending, self.channel
        attach(sending, [(0x06, 0, 0, 0)])  # it never receives
        sending.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY)
        if channel.family is Family.INET:
            sending.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
            if channel.group is not None:
                sending.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
                sending.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, _MREQN.pack(bytes(4), bytes(4), self._index))
            return
        sending.setsockopt(socket.IPPROTO_IPV6, _IPV6_CHECKSUM, _CHECKSUM_OFFSET)
        sending.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _TRAFFIC_CLASS)
        if channel.group is not None:
            sending.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
            sending.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
            sending.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, self._index)

    # Packets ----------------------------------------------------------------------------------------------------------------

    def send(self, advert: SendAdvert) -> None:
        """Send one packet; raise `OSError` when it did not leave."""
        destination = advert.destination
        if destination.family is Family.INET:
            self._sending.sendto(advert.packet, (str(destination), 0))
            return
        ancillary = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _PKTINFO6.pack(advert.source.packed, self._index))]
        if advert.hop_limit is not None:
            ancillary.append((socket.IPPROTO_IPV6, _IPV6_HOPLIMIT, struct.pack("=i", advert.hop_limit)))
        scope = self._index if destination.is_link_local or destination.is_multicast else 0
        self._sending.sendmsg([advert.packet], ancillary, 0, (str(destination), 0, 0, scope))

    def receive(self, most: int) -> Iterator[AdvertReceived]:
        """Yield at most `most` packets that have arrived."""
        for _ in range(most):
            try:
                packet, ancillary, _, sender = self._receiving.recvmsg(_PACKET_MAX, 128)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue  # an error that the socket had queued; the next call reads on
            source = Address.parse(str(sender[0]).partition("%")[0])
            yield AdvertReceived(self.channel, source, packet, *_particulars(ancillary))


def _particulars(ancillary: list[tuple[int, int, bytes]]) -> tuple[Address | None, int | None]:
    """Return destination and hop limit where the kernel reported them."""
    destination: Address | None = None
    hop_limit: int | None = None
    for level, kind, data in ancillary:
        if level != socket.IPPROTO_IPV6:
            continue
        if kind == socket.IPV6_PKTINFO and len(data) >= 16:
            destination = Address(data[:16])
        elif kind == _IPV6_HOPLIMIT and len(data) >= 4:
            hop_limit = struct.unpack_from("=i", data)[0]
    return destination, hop_limit


class _FilterProgram(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def attach(opened: socket.socket, code: list[Instruction]) -> None:
    """Attach a program to a socket, in place of the one that it has."""
    packed = ctypes.create_string_buffer(pack(code))
    whole = _FilterProgram(len(code), ctypes.addressof(packed))
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, bytes(whole))
