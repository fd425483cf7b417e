"""What an instance has on this host while it is master: addresses, routes, rules, and the firewall that goes with ``no_accept``.

Everything of one kind goes out as one action, so that hundreds of addresses are one batch for the kernel.
"""

from collections.abc import Hashable
from typing import TypeVar

from keepalived_py.config.vrrp import VrrpInstance
from keepalived_py.vrrp.actions import (
    AddAddresses,
    AddRoutes,
    AddRules,
    BlockAddresses,
    RemoveAddresses,
    RemoveRoutes,
    RemoveRules,
    UnblockAddresses,
)
from keepalived_py.vrrp.outbox import Outbox
from keepalived_py.vrrp.placing import Placement


def blocks(config: VrrpInstance) -> bool:
    """Whether packets to the virtual addresses are dropped (the owner always accepts them: RFC 9568 section 6.4.3)."""
    return not config.accept and not config.is_owner


Item = TypeVar("Item", bound=Hashable)


def without(items: tuple[Item, ...], others: tuple[Item, ...]) -> tuple[Item, ...]:
    """Return the items that are not among the others, in their order."""
    unwanted = frozenset(others)
    return tuple(item for item in items if item not in unwanted)


class Holdings:
    """Puts up and takes down; `present`: it has been put up."""

    __slots__ = ("_out", "present")

    def __init__(self, outbox: Outbox) -> None:
        self._out = outbox
        self.present = False

    def put_up(self, config: VrrpInstance, placement: Placement) -> None:
        """Add everything."""
        name, placed = config.name, placement.all
        if placed and blocks(config):
            self._out.detail(f"({name}) setting firewall drop rule")
            self._out.add(BlockAddresses(name, placed))
        if placed:
            self._say(name, "setting", placement)
            self._out.add(AddAddresses(name, placed))
        if config.routes:
            self._out.detail(f"({name}) setting Virtual Routes")
            self._out.add(AddRoutes(name, config.routes))
        if config.rules:
            self._out.detail(f"({name}) setting Virtual Rules")
            self._out.add(AddRules(name, config.rules))
        self.present = True

    def take_down(self, config: VrrpInstance, placement: Placement) -> None:
        """Remove everything."""
        name, placed = config.name, placement.all
        if config.rules:
            self._out.detail(f"({name}) removing Virtual Rules")
            self._out.add(RemoveRules(name, config.rules))
        if config.routes:
            self._out.detail(f"({name}) removing Virtual Routes")
            self._out.add(RemoveRoutes(name, config.routes))
        if placed:
            self._say(name, "removing", placement)
            self._out.add(RemoveAddresses(name, placed))
            if blocks(config):
                self._out.detail(f"({name}) removing firewall drop rule")
                self._out.add(UnblockAddresses(name, placed))
        self.present = False

    def _say(self, name: str, what: str, placement: Placement) -> None:
        if placement.addresses:
            self._out.detail(f"({name}) {what} VIPs.")
        if placement.excluded:
            self._out.detail(f"({name}) {what} E-VIPs.")

    def remove_leftovers(self, config: VrrpInstance, placement: Placement) -> None:
        """Remove what an earlier run may have left behind."""
        name, placed = config.name, placement.all
        if config.rules:
            self._out.add(RemoveRules(name, config.rules, leftovers=True))
        if config.routes:
            self._out.add(RemoveRoutes(name, config.routes, leftovers=True))
        if placed:
            self._out.add(RemoveAddresses(name, placed, leftovers=True))

    def remove_differences(self, old: VrrpInstance, before: Placement, new: VrrpInstance, after: Placement) -> None:
        """Remove what a new configuration lacks; to be done for all instances before anything is added for any."""
        name = new.name
        rules, routes = without(old.rules, new.rules), without(old.routes, new.routes)
        gone = without(before.all, after.all)
        if rules:
            self._out.add(RemoveRules(name, rules))
        if routes:
            self._out.add(RemoveRoutes(name, routes))
        if gone:
            self._out.add(RemoveAddresses(name, gone))
        lifted = () if not blocks(old) else gone if blocks(new) else before.all
        if lifted:
            self._out.add(UnblockAddresses(name, lifted))

    def add_differences(self, old: VrrpInstance, before: Placement, new: VrrpInstance, after: Placement) -> bool:
        """Add what the old configuration lacked; return whether there are new addresses."""
        name = new.name
        come = without(after.all, before.all)
        laid = () if not blocks(new) else come if blocks(old) else after.all
        if laid:
            self._out.add(BlockAddresses(name, laid))
        if come:
            self._out.add(AddAddresses(name, come))
        routes, rules = without(new.routes, old.routes), without(new.rules, old.rules)
        if routes:
            self._out.add(AddRoutes(name, routes))
        if rules:
            self._out.add(AddRules(name, rules))
        return bool(come)
