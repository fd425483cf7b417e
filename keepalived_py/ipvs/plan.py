"""(actual, desired) -> the shortest list of operations that turns one into the other.  Pure: no kernel, no clock, no log.

Order inside one service: what has to go is removed, then the service itself is edited, then its local addresses, then destinations
are edited and added in the order of the desired entry.  So live servers are out before the sorry server is in, and the sorry server
is out before they return, as with keepalived.  Over a whole table, services that have to go are removed before anything else.

What did not change gets no operation, which is how its connections and counters survive a reload.
"""

from collections.abc import Container

from keepalived_py.ipvs.operations import (
    DelDestination,
    DelLocalAddress,
    DelService,
    NewDestination,
    NewLocalAddress,
    NewService,
    Operation,
    SetDestination,
    SetEstTimeout,
    SetService,
)
from keepalived_py.ipvs.table import ServiceEntry, ServiceKey, Table


def plan(actual: Table, desired: Table, owned: Container[ServiceKey] = ()) -> list[Operation]:
    """Plan a whole table, as at a start and at a reload.

    Services of `actual` that `desired` does not name are removed if they are in `owned`, and left alone otherwise: they belong to
    somebody else.  A service that both name is ours, and destinations in it that `desired` does not name are removed.
    """
    operations: list[Operation] = [DelService(key) for key in actual if key not in desired and key in owned]
    for key, entry in desired.items():
        operations += plan_service(actual.get(key), entry)
    return operations


def plan_service(actual: ServiceEntry | None, desired: ServiceEntry | None) -> list[Operation]:
    """Plan one service: None is a service that does not exist, or is to exist no longer.  Both entries have the same key."""
    if desired is None:
        return [] if actual is None else [DelService(actual.key)]
    if actual is None:
        key = desired.key
        bare = ServiceEntry(desired.service, {})
        return [
            NewService(desired.service),
            *_settings(bare, desired),
            *(NewDestination(key, it) for it in desired.destinations.values()),
        ]
    return _edits(actual, desired)


def _edits(actual: ServiceEntry, desired: ServiceEntry) -> list[Operation]:
    """Plan the difference between two entries of one service."""
    key = desired.key
    operations: list[Operation] = []
    if actual.destinations is not desired.destinations:
        operations += [DelDestination(key, gone) for gone in actual.destinations if gone not in desired.destinations]
    if actual.service != desired.service:
        operations.append(SetService(desired.service))
    operations += _settings(actual, desired)
    if actual.destinations is not desired.destinations:
        for destination in desired.destinations.values():
            present = actual.destinations.get(destination.key)
            if present is None:
                operations.append(NewDestination(key, destination))
            elif present != destination:
                operations.append(SetDestination(key, destination))
    return operations


def _settings(actual: ServiceEntry, desired: ServiceEntry) -> list[Operation]:
    """Plan what FULLNAT needs: new local addresses before old ones go, so that there is always one to be had."""
    if actual.fullnat == desired.fullnat:
        return []
    key, present, wanted = desired.key, actual.fullnat.local_addresses, desired.fullnat.local_addresses
    had, wants = frozenset(present), frozenset(wanted)
    operations: list[Operation] = []
    if actual.fullnat.est_timeout != desired.fullnat.est_timeout:
        operations.append(SetEstTimeout(key, desired.fullnat.est_timeout))
    operations += [NewLocalAddress(key, address) for address in wanted if address not in had]
    operations += [DelLocalAddress(key, address) for address in present if address not in wants]
    return operations


def teardown(entry: ServiceEntry, *, one_by_one: bool = True) -> list[Operation]:
    """Remove a service at the daemon's stop: its destinations `one_by_one` first, as keepalived does, or all at once with it."""
    destinations: list[Operation] = [DelDestination(entry.key, key) for key in entry.destinations] if one_by_one else []
    return [*destinations, DelService(entry.key)]
