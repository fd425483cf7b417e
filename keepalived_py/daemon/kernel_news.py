"""What the kernel tells of interfaces and addresses, as events for the VRRP engine.

Keeps a picture of both, so that only changes go out, that nothing that we did ourselves looks like news, and that everything can be
read anew when the kernel had to drop news (ENOBUFS).
"""

import contextlib
from collections.abc import Iterator
from typing import Final

from keepalived_py.addresses import Address
from keepalived_py.errors import KernelError
from keepalived_py.netlink.framing import DecodeError, Message
from keepalived_py.system.link_messages import (
    RTM_DELADDR,
    RTM_DELLINK,
    RTM_NEWADDR,
    RTM_NEWLINK,
    LinkAddress,
    LinkFlags,
    LinkState,
    decode_address,
    decode_link,
)
from keepalived_py.system.rtnetlink import RouteMonitor, RouteSocket
from keepalived_py.vrrp.events import AddressAdded, AddressRemoved, Interface, InterfaceChanged, InterfaceGone, Single

_ATTEMPTS: Final = 100
"""How often to empty a monitor that always has more."""

_STACKED: Final = frozenset({"macvlan", "ipvlan"})

_Key = tuple[int, Address, int]


class KernelNews:
    """The picture of this network namespace's interfaces and addresses."""

    def __init__(self, link: RouteSocket, monitor: RouteMonitor) -> None:
        self._link = link
        self._monitor = monitor
        self._own_port = link.port
        self.links: dict[int, LinkState] = {}
        self._addresses: dict[_Key, LinkAddress] = {}

    def fileno(self) -> int:
        """Return the descriptor of the monitor, to be waited for."""
        return self._monitor.fileno()

    def everything(self) -> list[Single]:
        """Read everything anew and return what differs from the picture; raise `KernelError` when the kernel does not answer."""
        self._drop_what_waits()
        links = {link.index: link for link in self._link.links()}
        addresses = {_key(address): address for address in self._link.addresses() if not address.is_tentative}
        news: list[Single] = []
        for index in self.links.keys() - links.keys():
            news += self._link_gone(self.links[index])
        for link in links.values():
            news += self._link_seen(link)
        for key in self._addresses.keys() - addresses.keys():
            news += self._address_gone(self._addresses[key], ours=False)
        for address in addresses.values():
            news += self._address_seen(address)
        return news

    def _drop_what_waits(self) -> None:
        """Forget what has been told so far: behind a fresh picture it would be old news of interfaces that are gone."""
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(KernelError):  # that news was lost does not matter
                if not list(self._monitor.receive()):
                    return

    def heard(self) -> list[Single]:
        """Return what the monitor has brought."""
        try:
            return [event for message in self._monitor.receive() for event in self._take(message)]
        except KernelError:
            return self.everything()

    def _take(self, message: Message) -> Iterator[Single]:
        try:
            if message.type == RTM_NEWLINK:
                yield from self._link_seen(decode_link(message))
            elif message.type == RTM_DELLINK:
                yield from self._link_gone(decode_link(message))
            elif message.type in (RTM_NEWADDR, RTM_DELADDR):
                address = decode_address(message)
                if address is None:
                    return
                if message.type == RTM_DELADDR:
                    yield from self._address_gone(address, ours=message.port == self._own_port)
                elif not address.is_tentative:
                    yield from self._address_seen(address)
        except DecodeError:
            return

    def _link_seen(self, link: LinkState) -> Iterator[Single]:
        known = self.links.get(link.index)
        if known == link:
            return
        if known is not None and known.name != link.name:
            yield InterfaceGone(known.name)
        self.links[link.index] = link
        yield InterfaceChanged(self._described(link))

    def _described(self, link: LinkState) -> Interface:
        below = self.links.get(link.link) if link.kind in _STACKED else None
        up = LinkFlags.UP in link.flags and LinkFlags.RUNNING in link.flags
        arp = LinkFlags.NOARP not in link.flags
        return Interface(link.name, link.index, up, link.mtu, link.mac, arp, below.name if below is not None else None)

    def _link_gone(self, link: LinkState) -> Iterator[Single]:
        known = self.links.pop(link.index, None)
        if known is None:
            return
        for key in [key for key in self._addresses if key[0] == link.index]:
            del self._addresses[key]
        heir = next((other for other in self.links.values() if other.name == known.name), None)
        # A later interface may have taken the name before this one's end was told.
        yield InterfaceGone(known.name) if heir is None else InterfaceChanged(self._described(heir))

    def _address_seen(self, address: LinkAddress) -> Iterator[Single]:
        link = self.links.get(address.index)
        known = _key(address) in self._addresses
        self._addresses[_key(address)] = address
        if link is not None and not known:
            yield AddressAdded(link.name, address.address, address.prefix_length)

    def _address_gone(self, address: LinkAddress, *, ours: bool) -> Iterator[Single]:
        link = self.links.get(address.index)
        known = self._addresses.pop(_key(address), None)
        if link is not None and known is not None and not ours:
            yield AddressRemoved(link.name, address.address, address.prefix_length)


def _key(address: LinkAddress) -> _Key:
    return address.index, address.address, address.prefix_length
