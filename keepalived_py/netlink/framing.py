"""Netlink and generic netlink framing: bytes <-> messages <-> attributes, and the family lookup of the controller.

Source: include/uapi/linux/netlink.h, genetlink.h.  Everything that is read is hostile until its lengths have been checked: the only
way out of here besides a value is `DecodeError`.  Nothing here knows IPVS, and nothing here has a socket.
"""

import enum
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from keepalived_py.errors import PeerError

HEADER: Final = struct.Struct("=IHHII")
"""``struct nlmsghdr``: length with header, type, flags, sequence number, port id of the sender."""

GENERIC: Final = struct.Struct("=BBH")
"""``struct genlmsghdr``: command, version, reserved."""

ATTRIBUTE: Final = struct.Struct("=HH")
"""``struct nlattr``: length with header but without padding, type."""

HEADERS_SIZE: Final = HEADER.size + GENERIC.size

_TYPE_MASK: Final = 0x3FFF  # NLA_TYPE_MASK: without the nested and byte order marks
_CONTROLLER: Final = 0x10  # GENL_ID_CTRL
_GET_FAMILY: Final = 3  # CTRL_CMD_GETFAMILY
_FAMILY_ID: Final = 1  # CTRL_ATTR_FAMILY_ID
_FAMILY_NAME: Final = 2  # CTRL_ATTR_FAMILY_NAME
_ERRNO: Final = struct.Struct("=i")
_U16: Final = struct.Struct("=H")


class DecodeError(PeerError):
    """Bytes from netlink that break their own framing, or the promises of a header file."""


class MessageType(enum.IntEnum):
    """``NLMSG_*``: message types below every family's."""

    NOOP = 1
    ERROR = 2
    DONE = 3
    OVERRUN = 4


class MessageFlag(enum.IntFlag):
    """``NLM_F_*``."""

    REQUEST = 0x1
    MULTI = 0x2
    ACK = 0x4
    DUMP_INTR = 0x10
    DUMP = 0x300


class Message(NamedTuple):
    """A netlink message; `payload` starts after ``struct nlmsghdr``.  `port`: whose request it answers or tells of, 0: nobody's."""

    type: int
    flags: int
    sequence: int
    payload: bytes
    port: int = 0


def messages(datagram: bytes) -> Iterator[Message]:
    """Split what one receive returned; a length that does not fit ends in `DecodeError` after the whole ones."""
    offset, end = 0, len(datagram)
    while offset < end:
        if end - offset < HEADER.size:
            raise DecodeError(f"netlink message: {end - offset} bytes where a header takes {HEADER.size}")
        length, kind, flags, sequence, port = HEADER.unpack_from(datagram, offset)
        if not HEADER.size <= length <= end - offset:
            raise DecodeError(f"netlink message: length {length} of {end - offset} bytes")
        yield Message(kind, flags, sequence, datagram[offset + HEADER.size : offset + length], port)
        offset += length + 3 & ~3


def attributes(data: bytes, offset: int = 0) -> dict[int, bytes]:
    """Read a run of attributes from `offset` to the end; of two with one number the last counts, as in the kernel."""
    found: dict[int, bytes] = {}
    end = len(data)
    while end - offset >= ATTRIBUTE.size:
        length, kind = ATTRIBUTE.unpack_from(data, offset)
        if not ATTRIBUTE.size <= length <= end - offset:
            raise DecodeError(f"netlink attribute {kind & _TYPE_MASK}: length {length} of {end - offset} bytes")
        found[kind & _TYPE_MASK] = data[offset + ATTRIBUTE.size : offset + length]
        offset += length + 3 & ~3
    return found


def attribute(number: int, payload: bytes) -> bytes:
    """Pack one attribute with its padding."""
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(payload), number) + payload + bytes(-len(payload) % 4)


def generic_request(family: int, command: int, sequence: int, flags: MessageFlag, version: int = 1, payload: bytes = b"") -> bytes:
    """Pack a generic netlink request around attributes that are packed already."""
    length = HEADERS_SIZE + len(payload)
    return HEADER.pack(length, family, flags, sequence, 0) + GENERIC.pack(command, version, 0) + payload


def error_of(message: Message) -> int:
    """Read the errno of an ERROR or DONE message: positive, 0 for success (and for a DONE without one)."""
    if len(message.payload) < _ERRNO.size:
        if message.type == MessageType.DONE:
            return 0
        raise DecodeError(f"netlink error message of {len(message.payload)} bytes")
    return -int(_ERRNO.unpack_from(message.payload)[0])


def generic_attributes(message: Message) -> dict[int, bytes]:
    """Read the attributes after the generic netlink header."""
    if len(message.payload) < GENERIC.size:
        raise DecodeError(f"generic netlink message of {len(message.payload)} bytes")
    return attributes(message.payload, GENERIC.size)


def family_request(name: str, sequence: int) -> bytes:
    """Pack the question for the number of a generic netlink family (CTRL_CMD_GETFAMILY)."""
    payload = attribute(_FAMILY_NAME, name.encode("ascii") + b"\0")
    return generic_request(_CONTROLLER, _GET_FAMILY, sequence, MessageFlag.REQUEST | MessageFlag.ACK, payload=payload)


def family_id(message: Message) -> int:
    """Read the family's number out of the controller's answer."""
    number = generic_attributes(message).get(_FAMILY_ID, b"")
    if len(number) != _U16.size:
        raise DecodeError("the generic netlink controller's answer names no family number")
    return int(_U16.unpack(number)[0])
