"""What the checks of a configuration depend on besides their servers: tracked files, addresses of this host, the right to ping.

Facts go to the engine as events: what holds at a start or reload is returned, to be fed before it; changes are fed as they come.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from keepalived_py.addresses import Address
from keepalived_py.config.checkers import Checker, FileCheck, PingCheck
from keepalived_py.config.lvs import Lvs
from keepalived_py.config.tracking import TrackFile
from keepalived_py.errors import KernelError
from keepalived_py.healthcheck.events import FactLearned, HostAddress, Single
from keepalived_py.healthcheck.facts import FileContent
from keepalived_py.netlink.framing import DecodeError, Message
from keepalived_py.system.link_messages import (
    RTM_DELADDR,
    RTM_NEWADDR,
    RTMGRP_IPV4_IFADDR,
    RTMGRP_IPV6_IFADDR,
    LinkAddress,
    decode_address,
)
from keepalived_py.system.ping_groups import allow_ping
from keepalived_py.system.rtnetlink import RouteMonitor, RouteSocket
from keepalived_py.system.sysctl import Borrowed
from keepalived_py.tracking.io import TrackedFiles

_GROUPS: Final = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR

_Place = tuple[int, Address]
"""An interface, by its index, and an address there."""


class Surroundings:
    """Watches what a configuration needs and nothing else.  `feed` takes events, one at a time; `complain` takes log lines."""

    def __init__(self, feed: Callable[[Single], None], complain: Callable[[str], None]) -> None:
        self._feed = feed
        self._complain = complain
        self._files = TrackedFiles(lambda path, number: feed(FactLearned(FileContent(path), number)), complain)
        self._borrowed = Borrowed()
        self._monitor: RouteMonitor | None = None
        self._addresses: dict[_Place, set[int]] = {}

    def follow(self, lvs: Lvs) -> list[Single]:
        """Watch what `lvs` needs from now on; return the facts that hold."""
        checkers = list(_checkers(lvs))
        if any(isinstance(checker, PingCheck) for checker in checkers):
            self._allow_ping()
        paths = dict.fromkeys(checker.path for checker in checkers if isinstance(checker, FileCheck) and checker.path)
        numbers = self._files.follow(TrackFile(path, path) for path in paths)
        facts: list[Single] = [FactLearned(FileContent(path), number) for path, number in numbers.items()]
        if any(server.ha_suspend for server in lvs.virtual_servers):
            facts += self._watch_addresses()
        else:
            self._forget_addresses()
        return facts

    def close(self) -> None:
        """Watch nothing any longer, and put settings back."""
        self._files.close()
        self._forget_addresses()
        self._borrowed.restore_all()

    def _allow_ping(self) -> None:
        try:
            allow_ping(self._borrowed)
        except (OSError, ValueError) as error:
            self._complain(f"PING_CHECK: net.ipv4.ping_group_range cannot be widened: {error}")

    # Addresses -----------------------------------------------------------------------------------------------

    def _watch_addresses(self) -> list[Single]:
        """Subscribe first and read then, so that nothing falls between."""
        if self._monitor is None:
            try:
                self._monitor = RouteMonitor(groups=_GROUPS)
            except OSError as error:
                self._complain(f"ha_suspend: addresses cannot be watched: {error.strerror}")
                return []
            asyncio.get_running_loop().add_reader(self._monitor.fileno(), self._hear)
        return self._read_anew()

    def _forget_addresses(self) -> None:
        """Stop watching; the engine's picture stays, and is brought up to date when somebody asks again."""
        if self._monitor is not None:
            asyncio.get_running_loop().remove_reader(self._monitor.fileno())
            self._monitor.close()
            self._monitor = None

    def _read_anew(self) -> list[Single]:
        """Return how the addresses differ from the picture that the engine has."""
        try:
            link = RouteSocket()
        except OSError as error:
            self._complain(f"ha_suspend: addresses cannot be read: {error.strerror}")
            return []
        try:
            found = _by_place(link.addresses())
        except KernelError as error:
            self._complain(f"ha_suspend: addresses cannot be read: {error}")
            return []
        finally:
            link.close()
        gone = [HostAddress(address, index, False) for index, address in self._addresses if (index, address) not in found]
        come = [HostAddress(address, index, True) for index, address in found if (index, address) not in self._addresses]
        self._addresses = found
        return [*gone, *come]

    def _hear(self) -> None:
        assert self._monitor is not None
        try:
            for message in self._monitor.receive():
                self._take(message)
        except KernelError:  # news was lost
            for event in self._read_anew():
                self._feed(event)

    def _take(self, message: Message) -> None:
        if message.type not in (RTM_NEWADDR, RTM_DELADDR):
            return
        try:
            address = decode_address(message)
        except DecodeError:
            return
        if address is not None:
            self._note(address, present=message.type == RTM_NEWADDR)

    def _note(self, found: LinkAddress, *, present: bool) -> None:
        """Take note of an address; it is gone when it is with no prefix length on the interface any longer."""
        place = (found.index, found.address)
        lengths = self._addresses.get(place, set())
        if present and not found.is_tentative:
            lengths.add(found.prefix_length)
        elif not present:
            lengths.discard(found.prefix_length)
        if bool(lengths) == (place in self._addresses):
            return
        if lengths:
            self._addresses[place] = lengths
        else:
            del self._addresses[place]
        self._feed(HostAddress(found.address, found.index, bool(lengths)))


def _by_place(addresses: Iterable[LinkAddress]) -> dict[_Place, set[int]]:
    """Return the prefix lengths of all addresses that can be used."""
    found: dict[_Place, set[int]] = {}
    for address in addresses:
        if not address.is_tentative:
            found.setdefault((address.index, address.address), set()).add(address.prefix_length)
    return found


def _checkers(lvs: Lvs) -> Iterator[Checker]:
    for server in lvs.virtual_servers:
        for real in server.real_servers:
            yield from real.checkers
