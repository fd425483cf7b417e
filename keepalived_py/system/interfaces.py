"""The network interfaces of this namespace, read once over rtnetlink: what the parser needs to know of them.

Packed and unpacked by hand, because a test of a configuration must not pay for a netlink library.  Nothing here changes anything or
listens for changes.  Sources: rtnetlink(7), linux/if_link.h, linux/if_addr.h.
"""

import socket
import struct
import sys
from collections.abc import Iterator
from typing import Final

from keepalived_py.addresses import Address
from keepalived_py.parser.facts import InterfaceFacts

_RTM_NEWLINK, _RTM_GETLINK, _RTM_NEWADDR, _RTM_GETADDR = 16, 18, 20, 22
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_REQUEST_DUMP: Final = 0x1 | 0x300
_IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_LINKINFO, _IFLA_LINK_NETNSID = 3, 4, 5, 18, 37
_INFO_KIND, _INFO_DATA = 1, 2
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_IFA_F_TENTATIVE: Final = 0x40
_ARPHRD_ETHER, _ARPHRD_LOOPBACK = 1, 772
_IFF_MULTICAST: Final = 0x1000
_NEST_MASK: Final = 0x3FFF
_BUFFER: Final = 1 << 17

_HEADER: Final = struct.Struct("=IHHII")
_LINK: Final = struct.Struct("=BxHiII")
_ADDRESS: Final = struct.Struct("=BBBBI")
_ATTRIBUTE: Final = struct.Struct("=HH")


def read_interfaces() -> dict[str, InterfaceFacts]:
    """Return every interface of the current network namespace by name; `OSError` when the kernel does not answer."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as netlink:
        netlink.bind((0, 0))
        links = [body for kind, body in _dump(netlink, _RTM_GETLINK, bytes(16)) if kind == _RTM_NEWLINK]
        addresses = [body for kind, body in _dump(netlink, _RTM_GETADDR, bytes(8)) if kind == _RTM_NEWADDR]
    return decode_interfaces(links, addresses)


def decode_interfaces(links: list[bytes], addresses: list[bytes]) -> dict[str, InterfaceFacts]:
    """Turn the bodies of RTM_NEWLINK and RTM_NEWADDR messages into facts by name."""
    found: dict[int, list[Address]] = {}
    for body in addresses:
        if len(body) >= _ADDRESS.size:
            _collect_address(body, found)
    names: dict[int, str] = {}
    parsed: list[tuple[int, int, int, dict[int, bytes]]] = []
    for body in links:
        if len(body) < _LINK.size:
            continue
        _, hardware, index, flags, _ = _LINK.unpack_from(body)
        attributes = dict(_attributes(body[_LINK.size :]))
        names[index] = _text(attributes.get(_IFLA_IFNAME, b""))
        parsed.append((index, hardware, flags, attributes))
    facts = (_facts(index, hardware, flags, attributes, names, found) for index, hardware, flags, attributes in parsed)
    return {interface.name: interface for interface in facts}


def _collect_address(body: bytes, found: dict[int, list[Address]]) -> None:
    """Remember an address that is ready for use."""
    _, _, flags, _, index = _ADDRESS.unpack_from(body)
    attributes = dict(_attributes(body[_ADDRESS.size :]))
    flags = _number(attributes.get(_IFA_FLAGS, b"")) or flags
    packed = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS) or b""
    if len(packed) in (4, 16) and not flags & _IFA_F_TENTATIVE:
        found.setdefault(index, []).append(Address(packed))


def _facts(
    index: int, hardware: int, flags: int, attributes: dict[int, bytes], names: dict[int, str], found: dict[int, list[Address]]
) -> InterfaceFacts:
    info = dict(_attributes(attributes.get(_IFLA_LINKINFO, b"")))
    kind = _text(info.get(_INFO_KIND, b""))
    first = _number(dict(_attributes(info.get(_INFO_DATA, b""))).get(1, b"")) if kind in _WITH_MODE else 0
    parent = None
    if kind in ("macvlan", "macvtap", "ipvlan", "ipvtap") and _IFLA_LINK_NETNSID not in attributes:
        parent = names.get(_number(attributes.get(_IFLA_LINK, b"")))
    return InterfaceFacts(
        names[index],
        index,
        hardware == _ARPHRD_LOOPBACK,
        hardware == _ARPHRD_ETHER,
        bool(flags & _IFF_MULTICAST),
        _number(attributes.get(_IFLA_MTU, b"")),
        kind,
        0 if kind == "vrf" else first,
        parent,
        first if kind == "vrf" else None,
        tuple(found.get(index, ())),
    )


_WITH_MODE: Final = frozenset({"macvlan", "macvtap", "ipvlan", "ipvtap", "vrf"})
"""Kinds whose attribute 1 says what we ask for: IFLA_MACVLAN_MODE, IFLA_IPVLAN_MODE, IFLA_VRF_TABLE."""


def _dump(netlink: socket.socket, kind: int, body: bytes) -> Iterator[tuple[int, bytes]]:
    """Ask for a dump and yield the type and body of every message of the answer."""
    netlink.send(_HEADER.pack(_HEADER.size + len(body), kind, _REQUEST_DUMP, kind, 0) + body)
    while True:
        data = netlink.recv(_BUFFER)
        position = 0
        while position + _HEADER.size <= len(data):
            length, message, _, _, _ = _HEADER.unpack_from(data, position)
            if length < _HEADER.size or message in (_NLMSG_DONE, _NLMSG_ERROR):
                return
            yield message, data[position + _HEADER.size : position + length]
            position += (length + 3) & ~3
        if not data:
            return


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and value of each attribute; what does not fit ends the walk."""
    position = 0
    while position + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, position)
        if length < _ATTRIBUTE.size or position + length > len(data):
            return
        yield kind & _NEST_MASK, data[position + _ATTRIBUTE.size : position + length]
        position += (length + 3) & ~3


def _number(value: bytes) -> int:
    return int.from_bytes(value[:4], sys.byteorder)


def _text(value: bytes) -> str:
    return value.partition(b"\0")[0].decode("utf-8", "surrogateescape")
