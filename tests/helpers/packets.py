"""IPv4, IPv6, TCP, UDP and ICMP packets as values, made and read byte by byte, and endpoints that are nobody's kernel.

`Raw` sends and receives on an interface of a node under an address that the node does not have, so that only the test answers.
"""

import fcntl
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from examples.lab.lab import Node

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
NOP, MSS, WSCALE, SACK_OK, SACK, TIMESTAMPS, TOA = 1, 2, 3, 4, 5, 8, 254
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
_ETH_P_ALL, _ETH_P_IP, _ETH_P_IPV6 = 3, 0x0800, 0x86DD
_PACKET_OUTGOING = 4

Option = tuple[int, bytes]
"""A TCP option: kind and what follows its length; NOP has nothing."""


class NotSeen(AssertionError):
    """The awaited packet did not come; the text lists what did."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet with a TCP or UDP header, or an ICMP one (`kind`, `code`, `rest`, `inner`: the packet that an error quotes)."""

    source: str = ""
    target: str = ""
    protocol: int = TCP
    sport: int = 0
    dport: int = 0
    seq: int = 0
    ack: int = 0
    flags: int = 0
    window: int = 65535
    options: tuple[Option, ...] = ()
    payload: bytes = b""
    ttl: int = 64
    df: bool = True
    kind: int = 0
    code: int = 0
    rest: int = 0
    inner: "Packet | None" = None
    length: int = field(default=0, compare=False)
    checksum: bool = field(default=True, compare=False)
    fragment: bool = field(default=False, compare=False)

    @property
    def end(self) -> int:
        """Sequence number behind the packet."""
        return self.seq + len(self.payload) + bool(self.flags & SYN) + bool(self.flags & FIN) & 0xFFFFFFFF

    def option(self, kind: int) -> bytes | None:
        """Return the first option of a kind."""
        return next((value for number, value in self.options if number == kind), None)

    @property
    def kinds(self) -> list[int]:
        """Kinds of all options in their order, padding included."""
        return [kind for kind, _ in self.options]

    def with_(self, **changes: object) -> "Packet":
        return replace(self, **changes)  # type: ignore[arg-type]


def internet_sum(data: bytes) -> int:
    """Return the 16-bit ones' complement sum of RFC 1071, not complemented."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _pseudo(source: bytes, target: bytes, length: int, protocol: int) -> bytes:
    if len(source) == 4:
        return source + target + struct.pack("!BBH", 0, protocol, length)
    return source + target + struct.pack("!I3xB", length, protocol)


def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


# --- making --------------------------------------------------------------------------------------------------------------------


def options_bytes(options: Sequence[Option]) -> bytes:
    data = b"".join(bytes([kind]) if kind <= NOP else bytes([kind, 2 + len(value)]) + value for kind, value in options)
    return data + bytes([NOP]) * (-len(data) % 4)


def _transport(packet: Packet, source: bytes, target: bytes) -> bytes:
    if packet.protocol == UDP:
        length = 8 + len(packet.payload)
        head = struct.pack("!HHHH", packet.sport, packet.dport, length, 0)
        value = 0xFFFF - internet_sum(_pseudo(source, target, length, UDP) + head + packet.payload)
        return head[:6] + struct.pack("!H", value or 0xFFFF) + packet.payload
    if packet.protocol in (ICMP, ICMPV6):
        body = packet.payload or (_ip(packet.inner)[:128] if packet.inner else b"")
        head = struct.pack("!BBHI", packet.kind, packet.code, 0, packet.rest)
        pseudo = _pseudo(source, target, len(head) + len(body), ICMPV6) if packet.protocol == ICMPV6 else b""
        return head[:2] + struct.pack("!H", 0xFFFF - internet_sum(pseudo + head + body)) + head[4:] + body
    options = options_bytes(packet.options)
    offset = (20 + len(options)) // 4 << 4
    head = struct.pack(
        *("!HHIIBBHHH", packet.sport, packet.dport, packet.seq & 0xFFFFFFFF, packet.ack & 0xFFFFFFFF),
        *(offset, packet.flags, packet.window, 0, 0),
    )
    whole = head + options + packet.payload
    value = 0xFFFF - internet_sum(_pseudo(source, target, len(whole), TCP) + whole)
    return whole[:16] + struct.pack("!H", value) + whole[18:]


def _ip(packet: Packet) -> bytes:
    source, target = packed(packet.source), packed(packet.target)
    body = _transport(packet, source, target)
    if len(source) == 16:
        return struct.pack("!IHBB", 6 << 28, len(body), packet.protocol, packet.ttl) + source + target + body
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0x4000 * packet.df, packet.ttl, packet.protocol, 0, source, target
    )
    return head[:10] + struct.pack("!H", 0xFFFF - internet_sum(head)) + head[12:] + body


def to_bytes(packet: Packet) -> bytes:
    """Make the bytes from the IP header on, with right checksums."""
    return _ip(packet)


# --- reading -------------------------------------------------------------------------------------------------------------------


def _read_options(data: bytes) -> tuple[Option, ...]:
    options: list[Option] = []
    while data:
        kind = data[0]
        size = 1 if kind <= NOP else data[1] if len(data) > 1 else 0
        if kind > NOP and not 2 <= size <= len(data):
            break
        options.append((kind, data[2:size]))
        data = data[size:]
    return tuple(options)


def parse(data: bytes) -> Packet | None:
    """Read a packet from its IP header on; None if it is of no kind that is known here."""
    if data[:1] and data[0] >> 4 == 4 and len(data) >= 20:
        return _read4(data)
    if data[:1] and data[0] >> 4 == 6 and len(data) >= 40:
        return _read6(data)
    return None


def _read4(data: bytes) -> Packet | None:
    head = (data[0] & 15) * 4
    length, _, fragment, ttl, protocol = struct.unpack_from("!HHHBB", data, 2)
    base = Packet(
        socket.inet_ntop(socket.AF_INET, data[12:16]),
        socket.inet_ntop(socket.AF_INET, data[16:20]),
        protocol,
        ttl=ttl,
        df=bool(fragment & 0x4000),
        length=length,
        fragment=bool(fragment & 0x3FFF),
    )
    good = internet_sum(data[:head]) == 0xFFFF
    return _read_transport(base, data[head:length], data[12:16], data[16:20], good)


def _read6(data: bytes) -> Packet | None:
    length, protocol, ttl = struct.unpack_from("!HBB", data, 4)
    source, target = data[8:24], data[24:40]
    base = Packet(
        socket.inet_ntop(socket.AF_INET6, source), socket.inet_ntop(socket.AF_INET6, target), protocol, ttl=ttl, length=40 + length
    )
    body = data[40 : 40 + length]
    if protocol == 44 and len(body) >= 8:
        return base.with_(protocol=body[0], fragment=True, payload=body[8:])
    return _read_transport(base, body, source, target, True)


def _read_transport(base: Packet, body: bytes, source: bytes, target: bytes, good: bool) -> Packet | None:
    if base.fragment:
        return base.with_(payload=body)
    pseudo = _pseudo(source, target, len(body), base.protocol)
    if base.protocol == ICMP:
        pseudo = b""
    good = good and internet_sum(pseudo + body) == 0xFFFF
    if base.protocol == UDP and len(body) >= 8:
        sport, dport, _, check = struct.unpack_from("!HHHH", body)
        return base.with_(sport=sport, dport=dport, payload=body[8:], checksum=good or check == 0)
    if base.protocol in (ICMP, ICMPV6) and len(body) >= 8:
        kind, code, _, rest = struct.unpack_from("!BBHI", body)
        error = kind in (3, 4, 11, 12) if base.protocol == ICMP else kind < 128
        return base.with_(
            kind=kind, code=code, rest=rest, payload=body[8:], inner=parse(body[8:]) if error else None, checksum=good
        )
    if base.protocol == TCP and len(body) >= 8:
        return _read_tcp(base, body, good)
    return None


def _read_tcp(base: Packet, body: bytes, good: bool) -> Packet:
    if len(body) < 20:  # quoted by an ICMP error: ports and sequence number
        sport, dport, seq = struct.unpack_from("!HHI", body)
        return base.with_(sport=sport, dport=dport, seq=seq)
    sport, dport, seq, ack, offset, flags, window = struct.unpack_from("!HHIIBBH", body)
    head = (offset >> 4) * 4
    return base.with_(
        sport=sport,
        dport=dport,
        seq=seq,
        ack=ack,
        flags=flags,
        window=window,
        options=_read_options(body[20:head]),
        payload=body[head:],
        checksum=good,
    )


# --- endpoints -----------------------------------------------------------------------------------------------------------------


def mac(node: Node, interface: str) -> bytes:
    """Return the hardware address of an interface."""
    with node.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        answer = fcntl.ioctl(any_socket, 0x8927, struct.pack("256s", interface.encode()))  # SIOCGIFHWADDR
    return bytes(answer[18:24])


class Capture:
    """What passes an interface, from now on."""

    def __init__(self, node: Node, interface: str, *, incoming: bool = True, outgoing: bool = True) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        with node.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
        self._socket.bind((interface, _ETH_P_ALL))
        self._socket.setblocking(False)
        self.seen: list[Packet] = []
        self._raw: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def read(self) -> list[Packet]:
        """Return what came since the last call."""
        fresh: list[Packet] = []
        while True:
            try:
                data, origin = self._socket.recvfrom(1 << 17)
            except BlockingIOError:
                self.seen += fresh
                return fresh
            if not (self._outgoing if origin[2] == _PACKET_OUTGOING else self._incoming):
                continue
            packet = parse(data[14:]) if data[12:14] in (b"\x08\x00", b"\x86\xdd") else None
            if packet is not None:
                fresh.append(packet)
                self._raw.append(data[14:])

    def raw(self) -> list[bytes]:
        """Return the bytes of everything since the beginning."""
        self.read()
        return self._raw

    def all(self) -> list[Packet]:
        """Return everything since the beginning."""
        self.read()
        return self.seen


class Raw:
    """An endpoint at an address that its node does not have; `neighbour` is the node at the other end of the interface."""

    def __init__(self, node: Node, interface: str, neighbour: Node, address: str) -> None:
        self.address = address
        self._mine, theirs = mac(node, interface), mac(neighbour, node.name)
        kind = b"\x86\xdd" if ":" in address else b"\x08\x00"
        self._frame = theirs + self._mine + kind
        self._capture = Capture(node, interface, outgoing=False)
        self._node, self._interface = node, interface
        text = ":".join(f"{byte:02x}" for byte in self._mine)
        neighbour.ip(f"neighbour replace {address} lladdr {text} dev {node.name}")
        with node.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.bind((interface, 0))
        self._waiting: list[Packet] = []

    def close(self) -> None:
        self._socket.close()
        self._capture.__exit__()

    def send(self, packet: Packet) -> None:
        """Send, from this endpoint unless the packet says otherwise."""
        self.send_bytes(to_bytes(packet if packet.source else packet.with_(source=self.address)))

    def send_bytes(self, data: bytes) -> None:
        self._socket.send(self._frame + data)

    def expect(self, wanted: Callable[[Packet], bool] = lambda packet: True, within: float = 10.0) -> Packet:
        """Return the next packet to this endpoint that is wanted; others stay for later calls."""
        end = time.monotonic() + within
        while True:
            self._waiting += [packet for packet in self._capture.read() if packet.target == self.address]
            for packet in self._waiting:
                if wanted(packet):
                    self._waiting.remove(packet)
                    return packet
            if time.monotonic() > end:
                raise NotSeen(f"{self.address}: nothing of the kind within {within:g} s, only {self._waiting}")
            time.sleep(0.005)

    def pending(self) -> list[Packet]:
        """Return and forget what has come to this endpoint by now."""
        self._waiting += [packet for packet in self._capture.read() if packet.target == self.address]
        waiting, self._waiting = self._waiting, []
        return waiting

    def settle(self, target: str, within: float = 10.0) -> list[Packet]:
        """Return what has come before a ping of `target` that is sent now comes back: that is everything, if ways are the same."""
        number = time.monotonic_ns() & 0x7FFFFFFF
        v6 = ":" in self.address
        echo = Packet("", target, ICMPV6 if v6 else ICMP, kind=128 if v6 else 8, rest=number, payload=b"settle")
        self.send(echo)
        self.expect(lambda packet: packet.kind == (129 if v6 else 0) and packet.rest == number, within)
        return self.pending()
