"""Network interfaces as rtnetlink messages: make a macvlan or ipvlan, change one, read what the kernel tells of all.

Pure: no socket.  Numbers are those of linux/if_link.h and linux/rtnetlink.h.  What is read is the kernel's, and is checked like
anything else from outside: the way out besides a value is `DecodeError`.
"""

import enum
import struct
from dataclasses import dataclass
from typing import Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.vrrp import IpvlanMode
from keepalived_py.netlink.framing import DecodeError, Message, MessageFlag, attribute, attributes
from keepalived_py.system.route_messages import NLM_F_CREATE, NLM_F_EXCL, message

RTM_NEWLINK: Final = 16
RTM_DELLINK: Final = 17
RTM_GETLINK: Final = 18
RTM_NEWADDR: Final = 20
RTM_DELADDR: Final = 21
RTM_GETADDR: Final = 22

RTMGRP_LINK: Final = 0x1
RTMGRP_IPV4_IFADDR: Final = 0x10
RTMGRP_IPV6_IFADDR: Final = 0x100
RTMGRP_IPV4_ROUTE: Final = 0x40
RTMGRP_IPV6_ROUTE: Final = 0x400

_IFINFOMSG: Final = struct.Struct("=BxHiII")
_IFADDRMSG: Final = struct.Struct("=BBBBI")
_U16: Final = struct.Struct("=H")
_U32: Final = struct.Struct("=I")
_REQUEST: Final = MessageFlag.REQUEST | MessageFlag.ACK

_IFLA_ADDRESS: Final = 1
_IFLA_IFNAME: Final = 3
_IFLA_MTU: Final = 4
_IFLA_LINK: Final = 5
_IFLA_MASTER: Final = 10
_IFLA_OPERSTATE: Final = 16
_IFLA_LINKINFO: Final = 18
_IFLA_GROUP: Final = 27
_IFLA_AF_SPEC: Final = 26
_INFO_KIND: Final = 1
_INFO_DATA: Final = 2
_MACVLAN_MODE: Final = 1
_MACVLAN_PRIVATE: Final = 1
_IPVLAN_MODE: Final = 1
_IPVLAN_L2: Final = 0
_IPVLAN_FLAGS: Final = 2
_INET6_ADDR_GEN_MODE: Final = 8
_ADDR_GEN_NONE: Final = 1


class LinkFlags(enum.IntFlag):
    """``IFF_*`` of linux/if.h, as far as anybody here asks."""

    UP = 0x1
    BROADCAST = 0x2
    LOOPBACK = 0x8
    POINTOPOINT = 0x10
    RUNNING = 0x40
    NOARP = 0x80
    MULTICAST = 0x1000
    LOWER_UP = 0x10000


@dataclass(frozen=True, slots=True)
class LinkState:
    """A network interface: `mac` as the kernel has it (may be empty), `link` the index below it (0: none), `master` above it."""

    index: int
    name: str
    flags: LinkFlags
    type: int
    mac: bytes = b""
    mtu: int = 0
    link: int = 0
    master: int = 0
    group: int = 0
    kind: str = ""

    @property
    def is_up(self) -> bool:
        """Whether it is up and has a carrier."""
        return LinkFlags.UP in self.flags and LinkFlags.RUNNING in self.flags


@dataclass(frozen=True, slots=True)
class LinkAddress:
    """An address on an interface; `flags` are ``IFA_F_*``, `protocol` who added it (``IFA_PROTO``, 0: not said)."""

    index: int
    address: Address
    prefix_length: int
    scope: int
    flags: int
    protocol: int = 0

    @property
    def is_tentative(self) -> bool:
        """Whether duplicate address detection has not ended, or has failed."""
        return bool(self.flags & 0x48)


def macvlan_request(name: str, parent: int, mac: bytes, sequence: int, *, group: int | None = None) -> bytes:
    """Pack the request for a private macvlan on top of `parent`, without IPv6 addresses of its own making."""
    return _new_link(name, parent, "macvlan", attribute(_MACVLAN_MODE, _U32.pack(_MACVLAN_PRIVATE)), sequence, mac, group)


def ipvlan_request(name: str, parent: int, mode: IpvlanMode, sequence: int, *, group: int | None = None) -> bytes:
    """Pack the request for an L2 ipvlan on top of `parent`."""
    data = attribute(_IPVLAN_MODE, _U16.pack(_IPVLAN_L2)) + attribute(_IPVLAN_FLAGS, _U16.pack(mode))
    return _new_link(name, parent, "ipvlan", data, sequence, b"", group)


def _new_link(name: str, parent: int, kind: str, data: bytes, sequence: int, mac: bytes, group: int | None) -> bytes:
    body = (
        _IFINFOMSG.pack(0, 0, 0, 0, 0) + attribute(_IFLA_IFNAME, name.encode() + b"\0") + attribute(_IFLA_LINK, _U32.pack(parent))
    )
    if mac:
        body += attribute(_IFLA_ADDRESS, mac)
    if group is not None:
        body += attribute(_IFLA_GROUP, _U32.pack(group))
    body += attribute(_IFLA_LINKINFO, attribute(_INFO_KIND, kind.encode()) + attribute(_INFO_DATA, data))
    return message(RTM_NEWLINK, _REQUEST | NLM_F_CREATE | NLM_F_EXCL, sequence, body)


def addr_gen_none_request(index: int, sequence: int) -> bytes:
    """Pack the request that keeps the kernel from giving an interface IPv6 link-local addresses by itself."""
    inner = attribute(Family.INET6, attribute(_INET6_ADDR_GEN_MODE, bytes([_ADDR_GEN_NONE])))
    body = _IFINFOMSG.pack(0, 0, index, 0, 0) + attribute(_IFLA_AF_SPEC, inner)
    return message(RTM_NEWLINK, _REQUEST, sequence, body)


def link_up_request(index: int, sequence: int, *, up: bool = True) -> bytes:
    """Pack the request that sets an interface up or down."""
    return message(RTM_NEWLINK, _REQUEST, sequence, _IFINFOMSG.pack(0, 0, index, LinkFlags.UP if up else 0, LinkFlags.UP))


def delete_link_request(index: int, sequence: int) -> bytes:
    """Pack the request that removes an interface."""
    return message(RTM_DELLINK, _REQUEST, sequence, _IFINFOMSG.pack(0, 0, index, 0, 0))


def links_dump(sequence: int) -> bytes:
    """Pack the question for all interfaces."""
    return message(RTM_GETLINK, MessageFlag.REQUEST | MessageFlag.DUMP, sequence, _IFINFOMSG.pack(0, 0, 0, 0, 0))


def addresses_dump(sequence: int) -> bytes:
    """Pack the question for all addresses of both families."""
    return message(RTM_GETADDR, MessageFlag.REQUEST | MessageFlag.DUMP, sequence, _IFADDRMSG.pack(0, 0, 0, 0, 0))


def decode_link(received: Message) -> LinkState:
    """Read RTM_NEWLINK or RTM_DELLINK."""
    if len(received.payload) < _IFINFOMSG.size:
        raise DecodeError(f"link message of {len(received.payload)} bytes")
    _, kind, index, flags, _ = _IFINFOMSG.unpack_from(received.payload)
    found = attributes(received.payload, _IFINFOMSG.size)
    info = attributes(found[_IFLA_LINKINFO]) if _IFLA_LINKINFO in found else {}
    return LinkState(
        index,
        _text(found.get(_IFLA_IFNAME, b"")),
        LinkFlags(flags),
        kind,
        found.get(_IFLA_ADDRESS, b""),
        _number(found.get(_IFLA_MTU, b"")),
        _number(found.get(_IFLA_LINK, b"")),
        _number(found.get(_IFLA_MASTER, b"")),
        _number(found.get(_IFLA_GROUP, b"")),
        _text(info.get(_INFO_KIND, b"")),
    )


def decode_address(received: Message) -> LinkAddress | None:
    """Read RTM_NEWADDR or RTM_DELADDR; None for other families than IPv4 and IPv6."""
    if len(received.payload) < _IFADDRMSG.size:
        raise DecodeError(f"address message of {len(received.payload)} bytes")
    family, length, flags, scope, index = _IFADDRMSG.unpack_from(received.payload)
    if family not in (Family.INET, Family.INET6):
        return None
    found = attributes(received.payload, _IFADDRMSG.size)
    packed = found.get(2) or found.get(1) or b""  # IFA_LOCAL is the own address of a point-to-point pair
    if len(packed) != Family(family).bits // 8:
        raise DecodeError(f"address message with {len(packed)} bytes of address")
    flags = _number(found[8]) if 8 in found else flags
    protocol = found[11][0] if found.get(11) else 0
    return LinkAddress(index, Address(packed), length, scope, flags, protocol)


def _number(data: bytes) -> int:
    return int(_U32.unpack(data)[0]) if len(data) == _U32.size else 0


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
