"""RFC 9568 section 6.4, sentence by sentence: what a router does in Initialize, Backup and Active.

Tests are named after the sentences (shortened).  "Active" is keepalived's MASTER.  Where keepalived deliberately does something
else, the test says so.
"""

from dataclasses import replace
from itertools import pairwise

import pytest

from keepalived_py.addresses import Family
from keepalived_py.units import micro
from keepalived_py.vrrp.actions import AddAddresses, BlockAddresses, Neighbour, RemoveAddresses, SendAdvert, SendGratuitous
from keepalived_py.vrrp.fsm import State
from tests.vrrp.bench import Bench, adverts_in
from tests.vrrp.builders import instance3, instance6, vips

OWNER = instance3(priority=255)
PLAIN = instance3(priority=150)
INTERVAL = 0.1
SKEW = (256 - 150) * INTERVAL / 256
DOWN = 3 * INTERVAL + SKEW


def close(found: float | None, expected: float) -> bool:
    return found is not None and abs(found - expected) < 0.000_01


def gratuitous(bench: Bench) -> list[Neighbour]:
    return [target for action in bench.router.of(SendGratuitous) for target in action.targets]


# 6.4.1 Initialize -----------------------------------------------------------------------------------------------------------------


def test_initialize_startup_with_priority_255_sends_an_advertisement() -> None:
    bench = Bench(OWNER)
    bench.run(0.001)
    assert bench.sent() == [255]


def test_initialize_startup_with_priority_255_broadcasts_a_gratuitous_arp_for_each_ipv4_address() -> None:
    bench = Bench(OWNER)
    bench.run(0.001)
    assert gratuitous(bench) == [Neighbour("eth0", entry.address) for entry in OWNER.virtual_addresses]


def test_initialize_startup_with_priority_255_sends_an_unsolicited_neighbour_advertisement_for_each_ipv6_address() -> None:
    bench = Bench(instance6(priority=255))
    bench.run(0.001)
    assert [target.address.family for target in gratuitous(bench)] == [Family.INET6] * 2


def test_initialize_startup_with_priority_255_sets_the_adver_timer_to_advertisement_interval() -> None:
    bench = Bench(OWNER)
    bench.run(0.000_001)
    assert close(bench.due_in, INTERVAL)


def test_initialize_startup_with_priority_255_transitions_to_active() -> None:
    bench = Bench(OWNER)
    bench.run(0.001)
    assert bench.state == "MASTER"


def test_initialize_startup_otherwise_sets_active_adver_interval_to_advertisement_interval() -> None:
    assert Bench(PLAIN).router.instance().master_interval == PLAIN.advert_int


def test_initialize_startup_otherwise_sets_the_active_down_timer_to_active_down_interval() -> None:
    assert close(Bench(PLAIN).due_in, DOWN)


def test_initialize_startup_otherwise_transitions_to_backup() -> None:
    bench = Bench(PLAIN)
    assert bench.state == "BACKUP" and bench.sent() == []


# 6.4.2 Backup ---------------------------------------------------------------------------------------------------------------------


def test_backup_must_not_respond_to_arp_or_neighbour_solicitation_for_the_addresses() -> None:
    """It does not have them, so the host does not answer."""
    bench = Bench(PLAIN)
    bench.run(DOWN - 0.01)
    assert bench.router.held == set() and not bench.router.any_of(AddAddresses, SendGratuitous)


def test_backup_must_not_accept_packets_addressed_to_the_addresses() -> None:
    bench = Bench(PLAIN).until_master()
    bench.advert(200)
    assert bench.router.held == set()


def test_backup_on_shutdown_cancels_the_active_down_timer_and_ends() -> None:
    bench = Bench(PLAIN)
    bench.router.stop()
    assert bench.router.engine.deadline() is None
    assert bench.state == "STOP" and bench.sent() == [], "a backup has nothing to give up"


def test_backup_when_the_active_down_timer_fires_sends_an_advertisement() -> None:
    bench = Bench(PLAIN)
    bench.run(DOWN - 0.000_01)
    assert bench.sent() == []
    bench.run(0.000_02)
    assert bench.sent() == [150]


def test_backup_when_the_active_down_timer_fires_broadcasts_gratuitous_arps() -> None:
    bench = Bench(PLAIN)
    bench.run(DOWN + 0.001)
    assert gratuitous(bench) == [Neighbour("eth0", entry.address) for entry in PLAIN.virtual_addresses]


def test_backup_when_the_active_down_timer_fires_sends_unsolicited_neighbour_advertisements() -> None:
    bench = Bench(instance6())
    bench.run(1)
    assert [str(target.address) for target in gratuitous(bench)][:2] == ["fe80::51", "2001:db8::51"]


def test_backup_when_the_active_down_timer_fires_sets_the_adver_timer() -> None:
    bench = Bench(PLAIN)
    due = bench.router.instance().due
    assert due is not None
    bench.run(DOWN + 0.000_01)
    after = bench.router.instance().due
    assert after is not None and abs(after - due - micro(INTERVAL)) <= 1


def test_backup_when_the_active_down_timer_fires_transitions_to_active() -> None:
    bench = Bench(PLAIN)
    bench.run(DOWN + 0.001)
    assert bench.state == "MASTER"


def test_backup_advert_of_priority_zero_sets_the_active_down_timer_to_skew_time() -> None:
    bench = Bench(PLAIN)
    bench.advert(0)
    assert bench.state == "BACKUP" and close(bench.due_in, SKEW)


def test_backup_advert_with_preempt_mode_false_is_accepted_whatever_its_priority() -> None:
    bench = Bench(replace(PLAIN, preempt=False))
    bench.run(0.2)
    bench.advert(1)
    assert close(bench.due_in, DOWN)


@pytest.mark.parametrize("priority", [150, 151, 255])
def test_backup_advert_of_at_least_our_priority_sets_active_adver_interval_to_its_own(priority: int) -> None:
    bench = Bench(PLAIN)
    bench.advert(priority, config=replace(PLAIN, advert_int=micro(0.5)))
    assert bench.router.instance().master_interval == micro(0.5)


def test_backup_advert_of_at_least_our_priority_recomputes_skew_and_active_down_interval() -> None:
    bench = Bench(PLAIN)
    bench.advert(200, config=replace(PLAIN, advert_int=micro(0.5)))
    assert close(bench.due_in, 3 * 0.5 + (256 - 150) * 0.5 / 256)


def test_backup_advert_of_at_least_our_priority_resets_the_active_down_timer() -> None:
    bench = Bench(PLAIN)
    for _ in range(20):
        bench.run(0.2)
        bench.advert(150)
        assert close(bench.due_in, DOWN)
    assert bench.state == "BACKUP" and bench.sent() == []


def test_backup_advert_of_lower_priority_is_discarded() -> None:
    bench = Bench(PLAIN)
    bench.run(0.2)
    due = bench.due_in
    bench.advert(149, config=replace(PLAIN, advert_int=micro(5)))
    assert bench.due_in == due and bench.router.instance().master_interval == PLAIN.advert_int


# 6.4.3 Active ---------------------------------------------------------------------------------------------------------------------


def test_active_must_respond_to_arp_and_neighbour_solicitation() -> None:
    """The addresses are on the host, which then does."""
    bench = Bench(PLAIN).until_master()
    assert bench.router.held == {entry.address for entry in PLAIN.virtual_addresses}


def test_active_must_accept_packets_if_it_is_the_owner_or_accept_mode_is_true() -> None:
    assert not Bench(replace(PLAIN, accept=True)).router.of(BlockAddresses)
    bench = Bench(replace(OWNER, accept=False))
    bench.run(1)
    assert not bench.router.of(BlockAddresses)


def test_active_otherwise_must_not_accept_packets_addressed_to_the_addresses() -> None:
    bench = Bench(replace(PLAIN, accept=False))
    bench.run(1)
    kinds = [type(action) for action in bench.router.actions if isinstance(action, BlockAddresses | AddAddresses)]
    assert kinds == [BlockAddresses, AddAddresses], "blocked before they are there"


def test_active_on_shutdown_cancels_the_adver_timer() -> None:
    bench = Bench(PLAIN).until_master()
    bench.router.stop()
    assert bench.router.engine.deadline() is None


def test_active_on_shutdown_sends_an_advertisement_with_priority_zero() -> None:
    bench = Bench(PLAIN).until_master()
    assert adverts_in(bench.router.stop()) == [0]


def test_active_on_shutdown_transitions_out() -> None:
    bench = Bench(PLAIN).until_master()
    bench.router.stop()
    assert bench.state == "STOP" and bench.router.held == set()


def test_active_when_the_adver_timer_fires_sends_an_advertisement() -> None:
    bench = Bench(PLAIN).until_master()
    bench.run(1)
    assert bench.sent() == [150] * 10


def test_active_when_the_adver_timer_fires_resets_it_to_advertisement_interval() -> None:
    bench = Bench(PLAIN).until_master()
    bench.run(1)
    times = [at for at, _ in bench.router.adverts()]
    assert all(close(second - first, INTERVAL) for first, second in pairwise(times))


def test_active_advert_of_priority_zero_is_answered_with_an_advertisement() -> None:
    bench = Bench(PLAIN).until_master()
    assert adverts_in(bench.advert(0)) == [150] and bench.state == "MASTER"


def test_active_advert_of_priority_zero_resets_the_adver_timer() -> None:
    bench = Bench(PLAIN).until_master()
    bench.run(0.05)
    bench.advert(0)
    assert close(bench.due_in, INTERVAL)


def test_active_advert_of_greater_priority_cancels_the_adver_timer_and_sets_the_active_down_timer() -> None:
    bench = Bench(PLAIN).until_master()
    bench.advert(151)
    assert close(bench.due_in, DOWN)


def test_active_advert_of_equal_priority_from_a_greater_address_transitions_to_backup() -> None:
    bench = Bench(PLAIN).until_master()
    bench.advert(150, number=2)
    assert bench.state == "BACKUP"


def test_active_advert_of_greater_priority_sets_active_adver_interval_to_its_own() -> None:
    bench = Bench(PLAIN).until_master()
    bench.advert(200, config=replace(PLAIN, advert_int=micro(0.5)))
    assert bench.router.instance().master_interval == micro(0.5)


def test_active_advert_of_greater_priority_recomputes_skew_and_active_down_interval() -> None:
    bench = Bench(PLAIN).until_master()
    bench.advert(200, config=replace(PLAIN, advert_int=micro(0.5)))
    assert close(bench.due_in, 3 * 0.5 + (256 - 150) * 0.5 / 256)


def test_active_advert_of_greater_priority_transitions_to_backup_and_removes_the_addresses() -> None:
    bench = Bench(PLAIN).until_master()
    actions = bench.advert(200)
    assert bench.state == "BACKUP" and bench.router.held == set()
    assert adverts_in(actions) == [] and any(isinstance(action, RemoveAddresses) for action in actions)


def test_active_advert_of_lower_priority_is_discarded() -> None:
    bench = Bench(PLAIN).until_master()
    bench.advert(149)
    assert bench.state == "MASTER"


def test_active_advert_of_lower_priority_is_answered_at_once_to_assert_the_active_state() -> None:
    bench = Bench(PLAIN).until_master()
    assert adverts_in(bench.advert(149)) == [150]


def test_active_advert_of_equal_priority_from_a_lower_address_is_discarded() -> None:
    bench = Bench(PLAIN).until_master()
    bench.advert(150, number=0)
    assert bench.state == "MASTER"


# Sections 5.2.4, 6.1, 7.1 as far as states depend on them -------------------------------------------------------------------------


def test_primary_address_is_compared_as_an_unsigned_integer_in_network_byte_order() -> None:
    for number, expected in ((3, "BACKUP"), (200, "BACKUP"), (0, "MASTER")):
        bench = Bench(PLAIN).until_master()
        bench.advert(150, number=number)
        assert bench.state == expected, number


def test_skew_time_and_active_down_interval() -> None:
    bench = Bench(instance3(priority=1, advert_int=micro(40.95)))
    assert close(bench.due_in, 3 * 40.95 + 255 * 40.95 / 256)


def test_a_packet_that_fails_verification_is_discarded_without_effect() -> None:
    bench = Bench(PLAIN).until_master()
    broken = bytearray(bench.peer(2).packet(255))
    broken[26] ^= 0xFF
    actions = bench.packet(bytes(broken))
    assert bench.state == "MASTER" and adverts_in(actions) == []
    assert bench.router.instance().statistics.chk_err == 1


def test_an_advert_with_a_different_address_list_is_used_all_the_same() -> None:
    """RFC 9568 section 7.1: the receiver MAY drop it; keepalived counts it and goes on."""
    bench = Bench(PLAIN)
    bench.run(0.2)
    bench.advert(200, config=replace(PLAIN, virtual_addresses=vips(7, 8)))
    assert close(bench.due_in, DOWN) and bench.router.instance().statistics.addr_list_err == 1
    assert bench.router.state() is State.BACKUP


def test_only_the_packet_that_was_sent_is_counted_as_sent() -> None:
    bench = Bench(PLAIN).until_master()
    before = bench.router.instance().statistics.advert_sent
    bench.run(1)
    assert bench.router.instance().statistics.advert_sent - before == len(bench.router.of(SendAdvert)) == 10
