"""Which addresses this host has, and what follows for virtual servers with `ha_suspend`: without any of theirs, no check runs."""

from collections.abc import Iterable

from keepalived_py.addresses import Address
from keepalived_py.healthcheck.check import Service


class Presence:
    """The addresses that the host was said to have, each on any number of interfaces."""

    def __init__(self) -> None:
        self._interfaces: dict[Address, set[int]] = {}

    def learn(self, address: Address, interface: int, *, present: bool) -> None:
        """Take note of an address that has come or gone."""
        interfaces = self._interfaces.setdefault(address, set())
        if present:
            interfaces.add(interface)
        else:
            interfaces.discard(interface)
        if not interfaces:
            del self._interfaces[address]

    def suspends(self, service: Service) -> bool:
        """Return whether the checks of a virtual server are not to run."""
        return bool(service.ranges) and not any(map(service.has_address, self._interfaces))

    def turned(self, services: Iterable[Service], address: Address) -> list[Service]:
        """Return the virtual servers whose checks stop or go on because of `address`, with `suspended` set."""
        changed: list[Service] = []
        for service in services:
            if service.ranges and service.has_address(address):
                suspended = self.suspends(service)
                if suspended != service.suspended:
                    service.suspended = suspended
                    changed.append(service)
        return changed
