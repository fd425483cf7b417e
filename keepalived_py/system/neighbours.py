"""Telling the neighbours: gratuitous ARP (RFC 5227 section 3) and unsolicited neighbour advertisements (RFC 4861 section 7.2.6).

Frames are built whole, so that they carry the virtual router's MAC address where there is one; a packet socket sends them.
"""

import socket
import struct
from typing import Final

from keepalived_py.addresses import Address, Family
from keepalived_py.checksum import internet_checksum

_BROADCAST: Final = b"\xff" * 6
_ALL_NODES: Final = b"\xff\x02" + bytes(13) + b"\x01"
_ALL_NODES_MAC: Final = b"\x33\x33\x00\x00\x00\x01"
_ETHERTYPE_ARP: Final = 0x0806
_ETHERTYPE_IPV6: Final = 0x86DD
_ICMPV6: Final = 58
_NEIGHBOUR_ADVERT: Final = 136
_ROUTER: Final = 0x80000000
_OVERRIDE: Final = 0x20000000
_ARP: Final = struct.Struct("!HHBBH6s4s6s4s")
_IPV6: Final = struct.Struct("!IHBB16s16s")
_ADVERT: Final = struct.Struct("!BBHI16sBB6s")


def gratuitous_arp(address: Address, mac: bytes) -> bytes:
    """Return the broadcast ARP request of `address` for itself, as keepalived sends it (42 bytes, not padded)."""
    arp = _ARP.pack(1, 0x0800, 6, 4, 1, mac, address.packed, _BROADCAST, address.packed)
    return _BROADCAST + mac + struct.pack("!H", _ETHERTYPE_ARP) + arp


def neighbour_advert(address: Address, mac: bytes, *, router: bool = False) -> bytes:
    """Return the unsolicited advertisement of `address` to all nodes, with the override flag and the link-layer address."""
    flags = _OVERRIDE | (_ROUTER if router else 0)
    bare = _ADVERT.pack(_NEIGHBOUR_ADVERT, 0, 0, flags, address.packed, 2, 1, mac)
    pseudo = address.packed + _ALL_NODES + struct.pack("!II", len(bare), _ICMPV6)
    advert = bare[:2] + struct.pack("!H", internet_checksum(pseudo + bare)) + bare[4:]
    header = _IPV6.pack(6 << 28, len(advert), _ICMPV6, 255, address.packed, _ALL_NODES)
    return _ALL_NODES_MAC + mac + struct.pack("!H", _ETHERTYPE_IPV6) + header + advert


class NeighbourSocket:
    """Sends such frames out of any interface of this network namespace."""

    def __init__(self) -> None:
        """Open the packet socket; raise `OSError` without the right to."""
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)

    def announce(self, address: Address, mac: bytes, interface: str, *, router: bool = False) -> None:
        """Send one frame; raise `OSError` when the interface does not take it."""
        ipv4 = address.family is Family.INET
        frame = gratuitous_arp(address, mac) if ipv4 else neighbour_advert(address, mac, router=router)
        self._socket.sendto(frame, (interface, 0))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
