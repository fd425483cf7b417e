"""Static addresses, routes and rules: there from start to stop, put back when somebody else removes them (unless ``no_track``)."""

from keepalived_py.addresses import Address
from keepalived_py.config.routing import Route, Rule
from keepalived_py.config.vrrp import Vrrp
from keepalived_py.vrrp.actions import (
    AddAddresses,
    AddRoutes,
    AddRules,
    Placed,
    RemoveAddresses,
    RemoveRoutes,
    RemoveRules,
)
from keepalived_py.vrrp.facts import Place
from keepalived_py.vrrp.holdings import without
from keepalived_py.vrrp.outbox import Outbox


class Statics:
    """The static entries of the present configuration."""

    def __init__(self, outbox: Outbox) -> None:
        self._out = outbox
        self._vrrp = Vrrp()
        self._addresses: dict[Place, Placed] = {}

    def start(self, vrrp: Vrrp) -> None:
        """Remove what an earlier run left behind, and add everything."""
        placed = _placed(vrrp)
        if placed:
            self._out.add(RemoveAddresses(None, placed, leftovers=True))
        if vrrp.static_routes:
            self._out.add(RemoveRoutes(None, vrrp.static_routes, leftovers=True))
        if vrrp.static_rules:
            self._out.add(RemoveRules(None, vrrp.static_rules, leftovers=True))
        self.change(vrrp)

    def change(self, vrrp: Vrrp) -> None:
        """Remove what the new configuration lacks, add what the old one lacked."""
        old, self._vrrp = self._vrrp, vrrp
        before, after = _placed(old), _placed(vrrp)
        self._remove(
            without(old.static_rules, vrrp.static_rules),
            without(old.static_routes, vrrp.static_routes),
            without(before, after),
        )
        self._addresses = {(placed.interface, placed.address.address): placed for placed in after}
        self._add(
            without(after, before),
            without(vrrp.static_routes, old.static_routes),
            without(vrrp.static_rules, old.static_rules),
        )

    def stop(self) -> None:
        """Remove everything."""
        self._remove(self._vrrp.static_rules, self._vrrp.static_routes, _placed(self._vrrp))

    def address_lost(self, interface: str, address: Address) -> None:
        """Put an address back, if it is one of ours."""
        placed = self._addresses.get((interface, address))
        if placed is not None and not placed.address.no_track:
            self._out.add(AddAddresses(None, (placed,)))

    def route_lost(self, route: Route) -> None:
        """Put a route back."""
        if not route.no_track:
            self._out.add(AddRoutes(None, (route,)))

    def rule_lost(self, rule: Rule) -> None:
        """Put a rule back."""
        if not rule.no_track:
            self._out.add(AddRules(None, (rule,)))

    def interface_up(self, name: str) -> None:
        """Put back what went with an interface; rules stay when interfaces go."""
        placed = tuple(entry for entry in _placed(self._vrrp) if entry.interface == name and not entry.address.no_track)
        routes = tuple(route for route in self._vrrp.static_routes if route.interface == name and not route.no_track)
        self._add(placed, routes, ())

    def _add(self, placed: tuple[Placed, ...], routes: tuple[Route, ...], rules: tuple[Rule, ...]) -> None:
        if placed:
            self._out.add(AddAddresses(None, placed))
        if routes:
            self._out.add(AddRoutes(None, routes))
        if rules:
            self._out.add(AddRules(None, rules))

    def _remove(self, rules: tuple[Rule, ...], routes: tuple[Route, ...], placed: tuple[Placed, ...]) -> None:
        if rules:
            self._out.add(RemoveRules(None, rules))
        if routes:
            self._out.add(RemoveRoutes(None, routes))
        if placed:
            self._out.add(RemoveAddresses(None, placed))


def _placed(vrrp: Vrrp) -> tuple[Placed, ...]:
    return tuple(Placed(entry.interface, entry) for entry in vrrp.static_addresses if entry.interface is not None)
