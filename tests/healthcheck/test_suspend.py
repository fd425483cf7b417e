"""`ha_suspend`: checks run only while the host has an address of their virtual server."""

from dataclasses import replace

from keepalived_py.addresses import Address, Family
from keepalived_py.config.lvs import (
    AddressEntry,
    AddressTarget,
    FwmarkEntry,
    FwmarkTarget,
    GroupTarget,
    Lvs,
    Protocol,
    Target,
    VirtualServerGroup,
)
from keepalived_py.healthcheck.actions import StartProbe
from keepalived_py.healthcheck.events import Batch, HostAddress, Reloaded, Started
from tests.healthcheck.builders import VIP, VS, address, checked, key, lvs, rs_name, service
from tests.healthcheck.world import World

HERE = VIP.address


def suspendable(*numbers: int, target: Target = VIP) -> Lvs:
    return lvs(replace(service(*map(checked, numbers or (1,)), target=target), ha_suspend=True))


def there(address: Address = HERE, interface: int = 2) -> HostAddress:
    return HostAddress(address, interface, True)


def gone(address: Address = HERE, interface: int = 2) -> HostAddress:
    return HostAddress(address, interface, False)


def test_without_the_address_nothing_is_checked_and_servers_count_as_configured() -> None:
    w = World()
    w.start(suspendable(1))
    w.run_until(100)
    assert w.times(address(1)) == []
    assert w.table(VIP) == ({key(1): 1}, None)
    assert w.log()[0] == f"Deactivating healthchecker for service {rs_name(1)} for VS {VS}"


def test_an_address_that_was_there_before_the_start_lets_checks_run_from_the_start() -> None:
    w = World()
    w.feed(Batch((there(), Started(suspendable(1)))))
    w.run_until(15)
    assert w.times(address(1)) == [1, 11]
    assert w.log()[0] == f"Activating healthchecker for service {rs_name(1)} for VS {VS}"


def test_checks_go_on_in_their_phase_when_the_address_comes() -> None:
    w = World()
    w.start(suspendable(1))
    w.run_until(34)
    w.forget()
    w.feed(there())
    assert w.log() == [f"Activating healthchecker for service {rs_name(1)} for VS {VS}"]
    w.run_until(60)
    assert w.times(address(1)) == [41, 51]


def test_the_state_stays_while_suspended() -> None:
    w = World()
    w.down.add(address(1))
    w.feed(Batch((there(), Started(suspendable(1, 2)))))
    w.run_until(15)
    w.forget()
    w.feed(gone())
    assert w.log() == [f"Suspending healthchecker for service {rs_name(number)} for VS {VS}" for number in (1, 2)]
    w.down.clear()
    w.run_until(100)
    assert w.table(VIP) == ({key(2): 1}, None)
    w.feed(there())
    w.run_until(120)
    assert w.table(VIP) == ({key(1): 1, key(2): 1}, None)


def test_an_address_on_two_interfaces_is_there_until_both_have_lost_it() -> None:
    w = World()
    w.feed(Batch((there(), there(interface=3), there(interface=3), Started(suspendable(1)))))
    w.feed(gone())
    w.run_until(5)
    assert w.times(address(1)) == [1]
    w.feed(gone(interface=3))
    w.run_until(50)
    assert w.times(address(1)) == [1]


def test_other_addresses_change_nothing() -> None:
    w = World()
    w.start(suspendable(1))
    w.feed(there(address(7)))
    w.feed(there(Address.parse("2001:db8::1")))
    w.feed(gone(address(7)))
    w.run_until(50)
    assert not w.asked


def test_a_probe_under_way_when_the_address_goes_still_counts() -> None:
    w = World()
    w.down.add(address(1))
    w.feed(Batch((there(), Started(suspendable(1)))))
    w.run_until(1)
    w.feed(gone())
    w.run_until(5)
    assert w.table(VIP) == ({}, None)


def test_firewall_marks_are_never_suspended() -> None:
    w = World()
    w.start(suspendable(1, target=FwmarkTarget(7, Family.INET)))
    w.run_until(5)
    assert w.times(address(1)) == [1]


def test_any_address_of_a_group_will_do() -> None:
    group = VirtualServerGroup(
        "shop",
        (
            FwmarkEntry(3),
            AddressEntry(Address.parse("203.0.113.10"), Address.parse("203.0.113.20"), 80),
            AddressEntry(Address.parse("2001:db8::7"), Address.parse("2001:db8::7"), 80),
        ),
    )
    config = replace(suspendable(1, target=GroupTarget("shop", Protocol.TCP)), groups=(group,))
    for inside in ("203.0.113.10", "203.0.113.15", "203.0.113.20", "2001:db8::7"):
        w = World()
        w.start(config)
        w.feed(there(Address.parse("203.0.113.21")))
        w.run_until(5)
        assert not w.asked
        w.feed(there(Address.parse(inside)))
        w.run_until(15)
        assert w.times(address(1)) == [11]


def test_services_that_can_be_suspended_share_no_check() -> None:
    other = AddressTarget(address(99), 80, Protocol.TCP)
    both = Lvs((*suspendable(1).virtual_servers, service(checked(1), target=other)))
    w = World()
    w.start(both)
    w.run_until(15)
    assert w.times(address(1)) == [1, 11]
    w.down.add(address(1))
    w.run_until(35)
    assert w.table(VIP) == ({key(1): 1}, None)
    assert w.table(other) == ({}, None)


def test_a_reload_may_add_and_remove_the_word() -> None:
    w = World()
    w.start(lvs(service(checked(1))))
    w.run_until(15)
    w.feed(Reloaded(suspendable(1)))
    w.forget()
    w.run_until(35)
    assert not w.asked
    w.feed(Reloaded(lvs(service(checked(1)))))
    w.run_until(55)
    assert w.asked
    assert w.table(VIP) == ({key(1): 1}, None)


def test_a_reload_that_changes_a_group_changes_who_is_suspended() -> None:
    target = GroupTarget("shop", Protocol.TCP)

    def config(text: str) -> Lvs:
        entry = AddressEntry(Address.parse(text), Address.parse(text), 80)
        return replace(suspendable(1, target=target), groups=(VirtualServerGroup("shop", (entry,)),))

    w = World()
    w.feed(Batch((there(Address.parse("203.0.113.5")), Started(config("203.0.113.4")))))
    w.run_until(15)
    assert not w.asked
    w.reload(config("203.0.113.5"))
    w.run_until(40)
    assert w.asked


def test_no_probe_is_started_while_suspended_whatever_happens() -> None:
    w = World()
    w.start(suspendable(1, 2))
    for second in range(1, 50):
        w.run_until(second)
        w.feed(there())
        w.feed(gone())
    assert not [action for action in w.actions if isinstance(action, StartProbe)]
