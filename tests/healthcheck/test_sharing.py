"""Equal checks of several virtual servers: one probe, everybody is told."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.addresses import Family
from keepalived_py.config.checkers import MiscCheck
from keepalived_py.config.lvs import AddressTarget, FwmarkTarget, Protocol, ServerKey, Target
from keepalived_py.config.scripts import Script
from keepalived_py.healthcheck.actions import CancelProbe
from keepalived_py.units import micro
from tests.healthcheck.builders import STEADY, VIP, VS, address, alpha, checked, key, lvs, rs_name, server, service, tcp
from tests.healthcheck.world import World

OTHER = AddressTarget(address(99), 80, Protocol.TCP)
OTHER_VS = "[192.0.2.99]:tcp:80"
BOTH = lvs(service(checked(1), checked(2)), service(checked(1), checked(2), target=OTHER))


def test_equal_checks_of_two_services_are_run_once() -> None:
    w = World()
    w.start(BOTH)
    w.run_until(35)
    assert w.times(address(1)) == [1, 11, 21, 31]


def test_both_services_follow() -> None:
    w = World()
    w.start(BOTH)
    w.run_until(15)
    w.down.add(address(1))
    w.run_until(25)
    assert w.table(VIP) == w.table(OTHER) == ({key(2): 1}, None)
    assert f"Removing service {rs_name(1)} from VS {VS}" in w.log()
    assert f"Removing service {rs_name(1)} from VS {OTHER_VS}" in w.log()


def test_checks_that_differ_in_anything_are_run_apart() -> None:
    w = World()
    w.start(lvs(service(checked(1)), service(checked(1, replace(STEADY, retry=3)), target=OTHER)))
    w.run_until(15)
    assert w.times(address(1)) == [1, 1, 11, 11]


def test_the_check_of_another_virtual_server_is_named_as_that_server_calls_it() -> None:
    w = World()
    w.start(lvs(service(checked(1)), service(checked(1), target=FwmarkTarget(7, Family.INET))))
    w.run_until(5)
    assert f"TCP connection to {rs_name(1)} success." in w.log()
    assert "TCP connection to [192.0.2.1]:none:80 success." in w.log()


def test_a_service_that_joins_takes_what_is_known_and_is_told_at_the_next_run() -> None:
    w = World()
    w.down.add(address(1))
    w.start(lvs(service(checked(1), checked(2))))
    w.run_until(15)
    w.forget()
    w.reload(BOTH)
    assert w.table(OTHER) == ({key(2): 1}, None)
    w.run_until(25)
    assert w.times(address(1)) == [21]
    assert w.fifo() == [f"VS {OTHER_VS} UP", f"RS {rs_name(1)} {OTHER_VS} DOWN"]


def test_a_check_that_has_not_run_is_joined_only_by_one_that_assumes_the_same() -> None:
    w = World()
    kernel: dict[Target, dict[ServerKey, int]] = {VIP: {key(1): 1}, OTHER: {}}
    w.start(lvs(service(checked(1)), service(checked(1), target=OTHER)), kernel)
    assert w.table(VIP) == ({key(1): 1}, None)
    assert w.table(OTHER) == ({}, None)
    w.run_until(15)
    assert w.table(OTHER) == ({key(1): 1}, None)


def test_alpha_is_part_of_what_must_be_equal() -> None:
    w = World()
    w.start(lvs(service(checked(1)), service(checked(1, alpha()), target=OTHER)))
    assert w.table(OTHER) == ({}, None)


def test_one_of_two_users_leaves_and_the_check_goes_on() -> None:
    w = World()
    w.start(BOTH)
    w.run_until(15)
    w.reload(lvs(service(checked(1), checked(2), target=OTHER)))
    w.forget()
    w.run_until(35)
    assert w.times(address(1)) == [21, 31]
    w.reload(lvs())
    assert w.engine.deadline() is None
    assert not w.engine._registry._shared


def test_a_running_probe_is_cancelled_when_its_last_user_leaves() -> None:
    w = World(took=micro(3))
    w.start(BOTH)
    w.run_until(12)
    assert len(w.running) == 2
    still = w.reload(lvs(service(checked(1)), service(checked(2), target=OTHER)))
    assert not [action for action in still if isinstance(action, CancelProbe)]
    last = w.reload(lvs(service(checked(1))))
    assert len([action for action in last if isinstance(action, CancelProbe)]) == 1
    assert len(w.running) == 1


def test_programs_are_run_for_each_server() -> None:
    misc = MiscCheck(Script(("/bin/true",)))
    w = World()
    w.start(lvs(service(server(1, misc), server(2, misc))))
    assert len(list(w.engine._registry)) == 2


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(1, 25), st.booleans()), min_size=1, max_size=10))
def test_services_that_share_end_up_alike(steps: list[tuple[bool, bool, int, bool]]) -> None:
    """Whoever joins or leaves in between: what shares a check agrees about the server, and counts its failures right."""
    w = World()
    config = lvs(service(checked(1), server(2)))
    w.start(config)
    for first, second, seconds, down in steps:
        (w.down.add if down else w.down.discard)(address(1))
        members = [service(server(1, tcp(1), tcp(1)), server(2), target=OTHER)] if second else []
        config = lvs(*([service(checked(1), server(2))] if first else []), *members)
        w.reload(config)
        w.run(seconds)
    w.run(60)
    expected = {key(2): 1} if w.down else {key(1): 1, key(2): 1}
    for virtual in config.virtual_servers:
        assert w.table(virtual.target) == (expected, None)
    for pool in w.engine.snapshot().pools:
        for state in pool.servers:
            assert state.failed_checks == sum(not check.up for check in state.checks)
