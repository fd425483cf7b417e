"""A second opinion on what reaches the kernel: every IPVS request of a node, as an nlmon device sees it go by.

Nothing of the package is used here: this is what judges it.  Needs the kernel module nlmon.
"""

import socket
import struct
from dataclasses import dataclass

from examples.lab import Node

_DEVICE = "nlmon0"
_ETH_P_ALL = 3
_SO_RCVBUFFORCE = 33
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_NETLINK_GENERIC = 16
_HEADER = struct.Struct("=IHHII")
_CTRL_CMD_GETFAMILY, _CTRL_ATTR_FAMILY_NAME, _CTRL_ATTR_FAMILY_ID = 3, 2, 1
_REQUEST = 1

# include/uapi/linux/ip_vs.h; requests that only ask are left out
COMMANDS = {
    1: "NEW_SERVICE",
    2: "SET_SERVICE",
    3: "DEL_SERVICE",
    5: "NEW_DEST",
    6: "SET_DEST",
    7: "DEL_DEST",
    9: "NEW_DAEMON",
    10: "DEL_DAEMON",
    12: "SET_CONFIG",
    16: "ZERO",
    17: "FLUSH",
}


@dataclass(frozen=True)
class Seen:
    """One request: its command, and everything behind the generic netlink header."""

    command: str
    payload: bytes


class Overheard:
    """What goes to the kernel's IPVS in a node from now on; `changes` takes what has gone by since the last call."""

    def __init__(self, node: Node) -> None:
        node.run("ip", "link", "add", _DEVICE, "type", "nlmon")
        node.run("ip", "link", "set", _DEVICE, "up")
        with node.entered():
            self._family = _family_of("IPVS")
            self._tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._tap.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 256 * 1024 * 1024)  # every ipvsadm in between is heard, too
        self._tap.bind((_DEVICE, _ETH_P_ALL))
        self._tap.setblocking(False)

    def changes(self) -> list[Seen]:
        """Return the requests that change something."""
        found: list[Seen] = []
        while True:
            try:
                found += self._requests(self._tap.recv(1 << 20))
            except BlockingIOError:
                self._complete()
                return found

    def _complete(self) -> None:
        """Fail when the kernel had to drop something that we should have heard."""
        _, dropped = struct.unpack("=II", self._tap.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        assert not dropped, f"{dropped} netlink datagrams went by unheard"

    def _requests(self, data: bytes) -> list[Seen]:
        """Take a datagram apart; what the kernel answers is no request, by its flags."""
        found = []
        while len(data) >= _HEADER.size:
            length, kind, flags, _sequence, _port = _HEADER.unpack_from(data)
            if kind == self._family and flags & _REQUEST and data[_HEADER.size] in COMMANDS:
                found.append(Seen(COMMANDS[data[_HEADER.size]], data[_HEADER.size + 4 : length]))
            if length < _HEADER.size:
                break
            data = data[(length + 3) & ~3 :]
        return found

    def close(self) -> None:
        self._tap.close()


def _family_of(name: str) -> int:
    """Ask the generic netlink controller for the number of a family."""
    text = name.encode() + b"\0"
    attribute = struct.pack("=HH", 4 + len(text), _CTRL_ATTR_FAMILY_NAME) + text
    body = struct.pack("=BBH", _CTRL_CMD_GETFAMILY, 1, 0) + attribute + bytes(-len(attribute) % 4)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_GENERIC) as link:
        link.bind((0, 0))
        link.send(_HEADER.pack(_HEADER.size + len(body), 16, _REQUEST, 1, 0) + body)
        answer = link.recv(65536)[_HEADER.size + 4 :]
    while answer:
        length, kind = struct.unpack_from("=HH", answer)
        if kind == _CTRL_ATTR_FAMILY_ID:
            number: int = struct.unpack_from("=H", answer, 4)[0]
            return number
        answer = answer[(length + 3) & ~3 :]
    raise AssertionError(f"no generic netlink family {name}")
