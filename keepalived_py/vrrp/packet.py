"""Adverts as bytes: taking a received packet apart, and putting one together for a raw socket.

    IPv4     IP header (20)  [authentication header (24)]  VRRP part  [HMAC trailer (28)]      as the raw socket has it
    IPv6                                                   VRRP part  [HMAC trailer (28)]      the kernel adds header and checksum

    VRRP part, version 2 (RFC 2338 section 5.1)         version 3 (RFC 9568 section 5.1)
     0  version 2, type 1                                version 3, type 1
     1  virtual router id   2 priority   3 count         the same
     4  authentication type   5 interval in seconds      4 reserved bits, interval in centiseconds (12 bits)
     6  checksum                                         checksum, over a pseudo header too
     8  addresses, then 8 bytes of authentication data   addresses

Taking apart checks nothing but that every part is there; what is right or wrong is for `receiving` to say.
"""

import struct
from dataclasses import dataclass
from typing import Final

from keepalived_py.addresses import Address, Family
from keepalived_py.checksum import internet_checksum
from keepalived_py.errors import PeerError
from keepalived_py.vrrp.channel import PROTOCOL_AH, PROTOCOL_VRRP

VERSION_2: Final = 2
VERSION_3: Final = 3

ADVERTISEMENT: Final = 1
"""The only packet type that there is (RFC 9568 section 5.2.2)."""

HOP_LIMIT: Final = 255
"""TTL and hop limit of adverts: what has been forwarded is not from this link (RFC 9568 sections 5.1.1.3, 5.1.2.3)."""

INTERNETWORK_CONTROL: Final = 0xC0
"""Type of service of adverts."""

PASSWORD_LENGTH: Final = 8
"""Authentication data behind the addresses of a version 2 advert, whatever the type."""

IP_HEADER: Final = struct.Struct("!BBHHHBBH4s4s")
VRRP_HEADER: Final = struct.Struct("!BBBBHH")
AH_HEADER: Final = struct.Struct("!BBHLL12s")
_PSEUDO_HEADER: Final = struct.Struct("!4s4sBBH")

_LEAST_FRAME: Final = 46
"""Payload of the shortest Ethernet frame; what is shorter arrives with padding, in steps of a VLAN tag (4 bytes)."""

_TAG: Final = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """A received packet, taken apart.

    `length`: bytes received.  `ip` and `ah` are empty where there is no such header; `body` is the VRRP part and all behind it.
    """

    family: Family
    source: Address
    destination: Address | None
    hop_limit: int | None
    length: int
    ip: bytes
    ah: bytes
    body: bytes

    @property
    def version(self) -> int:
        """Protocol version."""
        return self.body[0] >> 4

    @property
    def type(self) -> int:
        """Packet type."""
        return self.body[0] & 0x0F

    @property
    def virtual_router_id(self) -> int:
        """Which virtual router it is about."""
        return self.body[1]

    @property
    def priority(self) -> int:
        """Priority of the sender; 0: it gives up."""
        return self.body[2]

    @property
    def count(self) -> int:
        """How many addresses the advert says that it has."""
        return self.body[3]

    @property
    def authentication_type(self) -> int:
        """Version 2 only."""
        return self.body[4]

    @property
    def seconds(self) -> int:
        """Advert interval of version 2."""
        return self.body[5]

    @property
    def centiseconds(self) -> int:
        """Advert interval of version 3; the reserved bits do not count (RFC 9568 section 5.2.6)."""
        return (self.body[4] & 0x0F) << 8 | self.body[5]

    @property
    def total_length(self) -> int:
        """Length that the IPv4 header claims."""
        return int.from_bytes(self.ip[2:4], "big")

    @property
    def headers_length(self) -> int:
        """Length of everything before the VRRP part."""
        return len(self.ip) + len(self.ah)

    @property
    def part_length(self) -> int:
        """Length that the VRRP part must have, going by its version and address count."""
        return part_length(self.version, self.family, self.count)


def part_length(version: int, family: Family, count: int) -> int:
    """Return the length of a VRRP part with `count` addresses."""
    authentication = PASSWORD_LENGTH if version == VERSION_2 and family is Family.INET else 0
    return VRRP_HEADER.size + authentication + count * family.bits // 8


def is_padding(excess: int, length: int) -> bool:
    """Whether `excess` bytes behind a packet of `length` bytes can be what fills up the shortest Ethernet frame."""
    return excess > 0 and length + excess <= _LEAST_FRAME and excess % _TAG == _LEAST_FRAME % _TAG


def take_apart(family: Family, source: Address, packet: bytes, destination: Address | None, hop_limit: int | None) -> Frame:
    """Find the parts of a received packet; `PeerError` says what is wrong when one is missing."""
    if family is Family.INET6:
        if len(packet) < VRRP_HEADER.size:
            raise PeerError(f"IPv6 VRRP packet too short - {len(packet)} bytes")
        return Frame(family, source, destination, hop_limit, len(packet), b"", b"", packet)
    if len(packet) < IP_HEADER.size:
        raise PeerError(f"IPv4 VRRP packet too short - {len(packet)} bytes")
    ip_length = (packet[0] & 0x0F) * 4
    ah_length = AH_HEADER.size if packet[9] == PROTOCOL_AH else 0
    start = ip_length + ah_length
    if ip_length < IP_HEADER.size or len(packet) < start + VRRP_HEADER.size:
        what = "packet with AH" if ah_length else "packet"
        raise PeerError(f"IPv4 VRRP {what} too short - {len(packet)} bytes")
    target = Address(packet[16:20])
    return Frame(family, source, target, packet[8], len(packet), packet[:ip_length], packet[ip_length:start], packet[start:])


def part(version: int, family: Family, head: bytes, addresses: bytes, password: bytes, pseudo: int) -> bytes:
    """Put a VRRP part together; `head` is its first 6 bytes, `pseudo` the sum of the pseudo header."""
    tail = password.ljust(PASSWORD_LENGTH, b"\0") if version == VERSION_2 and family is Family.INET else b""
    body = addresses + tail
    if family is Family.INET6:
        return head + b"\0\0" + body
    return head + internet_checksum(head + b"\0\0" + body, pseudo).to_bytes(2, "big") + body


def pseudo_sum(source: bytes, destination: bytes, length: int) -> int:
    """Return what a pseudo header (RFC 9568 section 5.2.8) of an IPv4 advert of `length` bytes adds to the checksum."""
    return int.from_bytes(_PSEUDO_HEADER.pack(source, destination, 0, PROTOCOL_VRRP, length), "big")


def ip_header(source: bytes, destination: bytes, protocol: int, ttl: int, payload: int) -> bytes:
    """Return an IPv4 header with id 0 and without checksum (the kernel makes it) for `payload` bytes."""
    length = IP_HEADER.size + payload
    return IP_HEADER.pack(0x45, INTERNETWORK_CONTROL, length, 0, 0, ttl, protocol, 0, source, destination)
