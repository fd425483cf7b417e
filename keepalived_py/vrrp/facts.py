"""What is known of the host: interfaces, addresses, files, processes, BFD sessions, and how far the wall clock is off.

Kept whether or not anybody has asked yet, so that a reload finds what it needs.  No decision here.
"""

from collections.abc import Container

from keepalived_py.addresses import Address, Family
from keepalived_py.units import Micro
from keepalived_py.vrrp.events import Interface

Place = tuple[str, Address]
"""An interface's name and an address on it."""


class Facts:
    """The host, as the events have told it."""

    __slots__ = ("_addresses", "bfd", "files", "interfaces", "processes", "wall_offset")

    def __init__(self) -> None:
        self.interfaces: dict[str, Interface] = {}
        self._addresses: dict[str, dict[Address, int]] = {}
        self.files: dict[str, int] = {}
        self.processes: dict[str, int] = {}
        self.bfd: dict[str, bool] = {}
        self.wall_offset = Micro(0)

    def is_up(self, name: str) -> bool:
        """Whether an interface exists and is up."""
        found = self.interfaces.get(name)
        return found is not None and found.up

    def base_of(self, name: str) -> str:
        """Return the interface that one sits on, or itself."""
        found = self.interfaces.get(name)
        return name if found is None or found.base is None else found.base

    def speaks_arp(self, name: str) -> bool:
        """Whether neighbours of an interface can be told anything."""
        found = self.interfaces.get(self.base_of(name))
        return found is None or found.arp

    def gone(self, name: str) -> None:
        """Forget an interface and its addresses."""
        self.interfaces.pop(name, None)
        self._addresses.pop(name, None)

    def add(self, name: str, address: Address, prefix_length: int) -> None:
        """Take note of an address; one that is known keeps its place."""
        self._addresses.setdefault(name, {})[address] = prefix_length

    def remove(self, name: str, address: Address) -> None:
        """Forget an address."""
        self._addresses.get(name, {}).pop(address, None)

    def has(self, name: str, address: Address) -> bool:
        """Whether an address is on an interface."""
        return address in self._addresses.get(name, ())

    def addresses(self, name: str) -> tuple[Address, ...]:
        """Return the addresses of an interface, in the kernel's order."""
        return tuple(self._addresses.get(name, ()))

    def source(self, name: str, family: Family, virtual: Container[Place]) -> Address | None:
        """Return the address that adverts leave an interface with: its first one that is not virtual, link-local for IPv6."""
        for address in self._addresses.get(name, ()):
            fits = address.family is family and (family is Family.INET or address.is_link_local)
            if fits and (name, address) not in virtual:
                return address
        return None
