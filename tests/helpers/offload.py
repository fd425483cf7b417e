"""Offloads of a network interface, by the old ethtool requests: what the hardware (or veth, in its place) does for the stack."""

import ctypes
import fcntl
import socket
import struct
from collections.abc import Iterable, Mapping

from examples.lab.lab import Node

_SIOCETHTOOL = 0x8946
_SET = {"rx": 0x15, "tx": 0x17, "sg": 0x19, "tso": 0x1F, "gso": 0x24, "gro": 0x2C}  # include/uapi/linux/ethtool.h, ETHTOOL_S*


def set_offloads(ends: Iterable[tuple[Node, str]], offloads: Mapping[str, bool]) -> None:
    """Switch offloads of interfaces; the order is that in which they depend on each other."""
    names = [name for name in _SET if name in offloads]
    if not all(offloads.get(name, True) for name in ("tx", "sg")):
        names.reverse()  # segmentation off before what it needs
    for node, interface in ends:
        with node.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            for name in names:
                value = ctypes.create_string_buffer(struct.pack("II", _SET[name], offloads[name]))
                request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(value))
                fcntl.ioctl(any_socket, _SIOCETHTOOL, request)
