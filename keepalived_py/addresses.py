"""One address type for both families; what differs between families is a table, never an ``if`` in a handler.

Only numeric text is an address here.  Names are resolved, where the language allows them, by the parser's host facts.
"""

import enum
import socket
from dataclasses import dataclass
from typing import Final


class Family(enum.IntEnum):
    """Address family, with the kernel's number (``AF_INET``, ``AF_INET6``) as its value."""

    INET = socket.AF_INET
    INET6 = socket.AF_INET6

    @property
    def bits(self) -> int:
        """Length of an address in bits: 32 or 128."""
        return 32 if self is Family.INET else 128


_FAMILY_OF_LENGTH: Final = {4: Family.INET, 16: Family.INET6}


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """An IPv4 or IPv6 address: `packed` is 4 or 16 bytes in network order."""

    packed: bytes

    @staticmethod
    def parse(text: str) -> "Address":
        """Read numeric text; raise `ValueError` for anything else (names, prefixes, zones, octal-looking octets)."""
        try:
            return Address(socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text))
        except (OSError, UnicodeError, ValueError):
            raise ValueError(f"not a numeric address: {text}") from None

    @property
    def family(self) -> Family:
        """The family that the length of `packed` implies."""
        return _FAMILY_OF_LENGTH[len(self.packed)]

    def __str__(self) -> str:
        return socket.inet_ntop(self.family, self.packed)

    def __int__(self) -> int:
        return int.from_bytes(self.packed, "big")

    def __add__(self, count: int) -> "Address":
        """Return the address `count` further on; `OverflowError` past either end of the family."""
        return Address((int(self) + count).to_bytes(len(self.packed), "big"))

    @property
    def is_multicast(self) -> bool:
        """Whether the address is in 224.0.0.0/4 or ff00::/8."""
        return self.packed[0] == 0xFF if len(self.packed) == 16 else self.packed[0] >> 4 == 0xE

    @property
    def is_link_local(self) -> bool:
        """Whether the address is in fe80::/10 (IPv6) or 169.254.0.0/16 (IPv4)."""
        if len(self.packed) == 16:
            return self.packed[0] == 0xFE and self.packed[1] & 0xC0 == 0x80
        return self.packed[:2] == b"\xa9\xfe"

    @property
    def is_unspecified(self) -> bool:
        """Whether every bit is zero."""
        return not any(self.packed)


def bracketed(address: Address, port: int) -> str:
    """Render an endpoint as the log lines of keepalived do: ``[192.0.2.1]:80``."""
    return f"[{address}]:{port}"
