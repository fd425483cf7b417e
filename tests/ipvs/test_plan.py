"""A plan, performed by a kernel that forgives nothing, gives what was wanted, and does nothing besides."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from keepalived_py.addresses import Address
from keepalived_py.config.lvs import AddressTarget, Forwarding, ForwardingMethod, Protocol, ServerKey, TunnelType
from keepalived_py.ipvs.operations import (
    DelDestination,
    DelService,
    NewDestination,
    NewService,
    Operation,
    SetDestination,
    SetService,
)
from keepalived_py.ipvs.plan import plan, plan_service, teardown
from keepalived_py.ipvs.table import Destination, Service, ServiceEntry, ServiceKey, Table, entry, table
from tests.helpers.ipvs import SimulatedIpvs
from tests.ipvs import strategies

few = settings(max_examples=40, deadline=None)

WEB = AddressTarget(Address.parse("192.0.2.1"), 80, Protocol.TCP)
MAIL = AddressTarget(Address.parse("192.0.2.1"), 25, Protocol.TCP)


def real(number: int, weight: int = 1, forwarding: Forwarding | None = None) -> Destination:
    key = ServerKey(Address.parse(f"198.51.100.{number}"), 80)
    return Destination(key, forwarding or Forwarding(), weight)


def web(*destinations: Destination, scheduler: str = "wlc") -> ServiceEntry:
    return entry(Service(WEB, scheduler, 32), destinations)


def kernel_with(content: Table) -> SimulatedIpvs:
    kernel = SimulatedIpvs()
    for operation in plan({}, content):
        assert kernel.perform(operation) == 0, operation
    return kernel


def touched(operation: Operation) -> object:
    match operation:
        case NewService(service) | SetService(service):
            return service.key
        case DelService(key):
            return key
        case NewDestination(key, destination) | SetDestination(key, destination):
            return key, destination.key
        case DelDestination(key, destination_key):
            return key, destination_key
    raise AssertionError(operation)


@few
@given(strategies.tables)
def test_an_empty_kernel_becomes_what_is_desired(desired: Table) -> None:
    assert kernel_with(desired).table() == desired


@few
@given(strategies.tables, strategies.tables)
def test_any_kernel_that_is_ours_becomes_what_is_desired_without_one_refusal(actual: Table, desired: Table) -> None:
    kernel = kernel_with(actual)
    for operation in plan(actual, desired, owned=actual):
        assert kernel.perform(operation) == 0, operation
    assert kernel.table() == desired


@few
@given(strategies.tables, strategies.tables)
def test_services_of_others_are_left_as_they_are(actual: Table, desired: Table) -> None:
    kernel = kernel_with(actual)
    for operation in plan(actual, desired, owned=()):
        assert kernel.perform(operation) == 0, operation
    assert kernel.table() == {**actual, **desired}


@few
@given(strategies.tables, strategies.tables)
def test_every_key_is_touched_at_most_once_and_unchanged_ones_never(actual: Table, desired: Table) -> None:
    keys = [touched(operation) for operation in plan(actual, desired, owned=actual)]
    assert len(keys) == len(set(keys))
    unchanged_services = {key for key in actual if key in desired and actual[key].service == desired[key].service}
    unchanged_destinations = {
        (key, destination.key)
        for key in actual
        if key in desired
        for destination in actual[key].destinations.values()
        if desired[key].destinations.get(destination.key) == destination
    }
    assert not (unchanged_services | unchanged_destinations).intersection(keys)


@few
@given(strategies.tables)
def test_no_difference_no_operation(content: Table) -> None:
    assert plan(content, dict(content), owned=content) == []


@few
@given(strategies.tables)
def test_the_order_of_a_table_is_no_difference(content: Table) -> None:
    mirrored = {
        key: ServiceEntry(content[key].service, dict(reversed(list(content[key].destinations.items()))))
        for key in reversed(list(content))
    }
    assert plan(content, mirrored, owned=content) == []


@few
@given(strategies.tables, strategies.tables)
def test_a_whole_table_is_planned_as_its_services_are(actual: Table, desired: Table) -> None:
    one_by_one = [
        *(it for key in actual if key not in desired for it in plan_service(actual[key], None)),
        *(it for key in desired for it in plan_service(actual.get(key), desired[key])),
    ]
    assert plan(actual, desired, owned=actual) == one_by_one


@few
@given(strategies.entries(), st.booleans())
def test_teardown_empties_the_kernel(content: ServiceEntry, one_by_one: bool) -> None:
    kernel = kernel_with({content.key: content})
    operations = teardown(content, one_by_one=one_by_one)
    assert [kernel.perform(operation) for operation in operations] == [0] * len(operations)
    assert kernel.table() == {}
    assert len(operations) == 1 + one_by_one * len(content.destinations)


def test_live_servers_leave_before_the_sorry_server_comes() -> None:
    assert plan_service(web(real(1), real(2)), web(real(9))) == [
        DelDestination(WEB, real(1).key),
        DelDestination(WEB, real(2).key),
        NewDestination(WEB, real(9)),
    ]


def test_the_sorry_server_leaves_before_inhibited_and_removed_servers_return() -> None:
    assert plan_service(web(real(1, weight=0), real(9)), web(real(1, weight=5), real(2))) == [
        DelDestination(WEB, real(9).key),
        SetDestination(WEB, real(1, weight=5)),
        NewDestination(WEB, real(2)),
    ]


def test_one_server_added_one_removed_one_weight_changed_are_three_operations() -> None:
    before = table([entry(Service(MAIL, "rr", 32), [real(7)]), web(real(1), real(2), real(3))])
    after = table([entry(Service(MAIL, "rr", 32), [real(7)]), web(real(1), real(2, weight=8), real(4))])
    assert plan(before, after, owned=before) == [
        DelDestination(WEB, real(3).key),
        SetDestination(WEB, real(2, weight=8)),
        NewDestination(WEB, real(4)),
    ]


def test_a_changed_service_is_edited_and_its_destinations_stay() -> None:
    assert plan_service(web(real(1), real(2)), web(real(1), real(2), scheduler="sh")) == [SetService(Service(WEB, "sh", 32))]


def test_method_and_tunnel_are_edited_in_place_because_the_kernel_does_not_find_destinations_by_them() -> None:
    # ip_vs_lookup_dest (ip_vs_ctl.c) compares family, address and port only: NEW_DEST would be refused with EEXIST.
    gue = Forwarding(ForwardingMethod.TUNNEL, TunnelType.GUE, 6080)
    for before, after in (
        (Forwarding(), gue),
        (gue, replace(gue, tunnel_port=6081)),
        (gue, Forwarding(ForwardingMethod.TUNNEL, TunnelType.GRE)),
        (gue, Forwarding(ForwardingMethod.DROUTE)),
    ):
        operations = plan_service(web(real(1, forwarding=before)), web(real(1, forwarding=after)))
        assert operations == [SetDestination(WEB, real(1, forwarding=after))]


def test_what_others_did_to_our_service_is_undone_even_if_it_has_no_name_here() -> None:
    strange = replace(real(1), forwarding=None)
    actual = ServiceEntry(Service(WEB, "wlc", None), {strange.key: strange, real(2).key: replace(real(2), forwarding=None)})
    assert plan_service(actual, web(real(1))) == [
        DelDestination(WEB, real(2).key),
        SetService(Service(WEB, "wlc", 32)),
        SetDestination(WEB, real(1)),
    ]


def test_only_recorded_services_are_removed() -> None:
    actual = table([web(real(1)), entry(Service(MAIL, "rr", 32), [real(7)])])
    nothing: dict[ServiceKey, ServiceEntry] = {}
    assert plan(actual, nothing, owned={WEB}) == [DelService(WEB)]
    assert plan(actual, nothing) == []


def test_services_that_go_leave_before_others_come() -> None:
    operations = plan(table([web(real(1))]), table([entry(Service(MAIL, "rr", 32), [real(7)])]), owned={WEB})
    assert operations == [DelService(WEB), NewService(Service(MAIL, "rr", 32)), NewDestination(MAIL, real(7))]
