"""What a reload keeps, changes and restarts."""

from dataclasses import replace
from itertools import pairwise

import pytest

from keepalived_py.addresses import Address, Family
from keepalived_py.config.globals import GlobalDefs
from keepalived_py.config.routing import Prefix, Route
from keepalived_py.config.scripts import Script
from keepalived_py.config.tracking import Tracked, TrackFile, Tracking, VrrpScript
from keepalived_py.config.vrrp import SyncGroup, TrackLists, Vmac, Vrrp, VrrpInstance
from keepalived_py.units import micro
from keepalived_py.vrrp.actions import (
    AddAddresses,
    AddRoutes,
    BlockAddresses,
    CloseChannel,
    Log,
    OpenChannel,
    RemoveAddresses,
    RemoveRoutes,
    SendAdvert,
    SendGratuitous,
    StartScript,
    UnblockAddresses,
)
from keepalived_py.vrrp.events import FileContent
from keepalived_py.vrrp.reload import Alter, Keep, Restart, absorb, pair
from tests.vrrp.bench import Bench, adverts_in
from tests.vrrp.builders import address, instance3, unicast, vips

PLAIN = instance3(priority=150)
GROUP = Address.parse("224.0.0.99")


# What is decided ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        replace(PLAIN, virtual_router_id=52),
        replace(PLAIN, family=Family.INET6),
        replace(PLAIN, interface="eth1"),
        replace(PLAIN, multicast_group=GROUP),
        replace(PLAIN, vmac=Vmac()),
        replace(PLAIN, vmac_addresses=True),
        unicast(PLAIN),
    ],
)
def test_another_identity_restarts(changed: VrrpInstance) -> None:
    assert isinstance(absorb(PLAIN, changed), Restart)


def test_the_source_address_counts_for_unicast_only() -> None:
    assert absorb(PLAIN, replace(PLAIN, source_address=address(9))) == Alter()
    assert isinstance(absorb(unicast(PLAIN), replace(unicast(PLAIN), source_address=address(9))), Restart)


def test_everything_else_is_changed_in_place() -> None:
    assert absorb(PLAIN, instance3(priority=150)) == Keep()
    assert absorb(PLAIN, replace(PLAIN, name="W")) == Alter(renamed=True)
    for changed in (
        replace(PLAIN, priority=1),
        replace(PLAIN, virtual_addresses=vips(7)),
        replace(PLAIN, advert_int=micro(1)),
        replace(PLAIN, preempt=False),
        replace(PLAIN, track=TrackLists(files=(Tracked("f"),))),
    ):
        assert absorb(PLAIN, changed) == Alter()


def test_instances_are_paired_by_identity_and_then_by_name() -> None:
    other = replace(PLAIN, name="W", virtual_router_id=52)
    assert pair((PLAIN, other), (replace(PLAIN, name="X"), other)) == {"X": "V", "W": "W"}
    assert pair((PLAIN,), (other,)) == {}
    swapped = (replace(PLAIN, name="W"), replace(other, name="V"))
    assert pair((PLAIN, other), swapped) == {"W": "V", "V": "W"}
    twice = (PLAIN, replace(PLAIN, name="Y"))
    assert pair((PLAIN,), twice) == {"V": "V"}


# A master -------------------------------------------------------------------------------------------------------------------------


def test_an_unchanged_configuration_causes_nothing_at_all() -> None:
    bench = Bench(PLAIN).until_master()
    due = bench.router.instance().due
    assert bench.router.reload(instance3(priority=150)) == []
    assert bench.state == "MASTER" and bench.router.instance().due == due


def test_only_the_difference_in_addresses_and_routes_is_made() -> None:
    route, other = (Route(Prefix(address(number), 24), Family.INET) for number in (0, 128))
    bench = Bench(replace(PLAIN, routes=(route,))).until_master()
    actions = bench.router.reload(replace(PLAIN, virtual_addresses=vips(2, 3), routes=(other,)))
    found = [action for action in actions if not isinstance(action, Log)]
    kinds = [type(action) for action in found]
    assert kinds == [RemoveRoutes, RemoveAddresses, AddAddresses, AddRoutes, SendGratuitous]
    removed, added = found[1], found[2]
    assert isinstance(removed, RemoveAddresses) and isinstance(added, AddAddresses)
    assert [str(placed.address) for placed in removed.addresses] == ["203.0.113.1/24"]
    assert [str(placed.address) for placed in added.addresses] == ["203.0.113.3/24"]
    assert bench.state == "MASTER"


def test_an_address_that_moves_between_instances_is_there_afterwards() -> None:
    other = replace(PLAIN, name="W", virtual_router_id=52, virtual_addresses=vips(9))
    for before, after in (
        ((PLAIN, other), (replace(PLAIN, virtual_addresses=vips(1)), replace(other, virtual_addresses=vips(9, 2)))),
        ((other, PLAIN), (replace(other, virtual_addresses=vips(9, 2)), replace(PLAIN, virtual_addresses=vips(1)))),
        ((PLAIN, other), (replace(other, virtual_addresses=vips(9, 1, 2)),)),
    ):
        bench = Bench(*before)
        bench.run(1)
        bench.router.reload(*after)
        assert {str(held) for held in bench.router.held} == {"203.0.113.1", "203.0.113.2", "203.0.113.9"}


def test_new_addresses_are_announced_and_sent_in_the_next_advert() -> None:
    bench = Bench(PLAIN).until_master()
    bench.router.reload(replace(PLAIN, virtual_addresses=vips(1, 2, 3)))
    bench.router.forget()
    bench.run(0.1)
    (advert,) = bench.router.of(SendAdvert)
    assert advert.packet[23] == 3
    bench.run(5)
    assert len(bench.router.of(SendGratuitous)) == 1, "the second block"


def test_accept_is_switched_for_all_addresses() -> None:
    bench = Bench(PLAIN).until_master()
    actions = bench.router.reload(replace(PLAIN, accept=False))
    assert [type(action) for action in actions] == [BlockAddresses]
    actions = bench.router.reload(PLAIN)
    assert [type(action) for action in actions] == [UnblockAddresses]


def test_no_advert_is_late_because_of_a_reload() -> None:
    many = [replace(PLAIN, name=f"V{number}", virtual_router_id=number, virtual_addresses=vips(number)) for number in range(1, 251)]
    bench = Bench(*many)
    bench.run(1)
    bench.router.forget()
    for turn in range(10):
        bench.router.reload(*(replace(one, excluded_addresses=vips(251 + turn % 2)) for one in many))
        bench.run(0.1)
    by_name: dict[str, list[int]] = {}
    for at, advert in bench.router.sent:
        by_name.setdefault(advert.instance, []).append(at)
    gaps = {second - first for times in by_name.values() for first, second in pairwise(times)}
    assert len(by_name) == 250 and max(gaps) <= 1.1 * micro(0.1)


def test_a_changed_interval_counts_from_now() -> None:
    bench = Bench(PLAIN).until_master()
    bench.run(0.05)
    bench.router.reload(replace(PLAIN, advert_int=micro(1)))
    assert bench.due_in == pytest.approx(1)


def test_counters_and_history_survive_a_reload_and_a_new_name() -> None:
    bench = Bench(PLAIN).until_master()
    before = bench.router.instance()
    bench.router.reload(replace(PLAIN, name="W"))
    after = bench.router.instance("W")
    assert after.statistics == before.statistics and after.history == before.history
    bench.run(0.1)
    assert bench.router.of(SendAdvert)[-1].instance == "W"


def test_the_ip_id_goes_on() -> None:
    bench = Bench(PLAIN).until_master()
    bench.run(0.1)
    first = bench.router.of(SendAdvert)[-1].packet
    bench.router.reload(replace(PLAIN, virtual_addresses=vips(1)))
    bench.run(0.1)
    second = bench.router.of(SendAdvert)[-1].packet
    assert int.from_bytes(second[4:6], "big") == int.from_bytes(first[4:6], "big") + 1


def test_a_lower_priority_does_not_make_a_master_give_way() -> None:
    bench = Bench(PLAIN).until_master()
    bench.router.reload(replace(PLAIN, priority=1))
    bench.run(0.1)
    assert bench.state == "MASTER" and bench.sent() == [1]


# Others ---------------------------------------------------------------------------------------------------------------------------


def test_a_removed_master_ends_with_priority_0_and_its_channel_is_closed_last() -> None:
    bench = Bench(PLAIN).until_master()
    actions = bench.router.reload()
    assert adverts_in(actions) == [0] and bench.router.held == set()
    assert isinstance(actions[-1], CloseChannel)
    assert bench.router.engine.deadline() is None


def test_a_removed_one_in_fault_is_told_nothing() -> None:
    bench = Bench(replace(PLAIN, faults=("broken",)))
    bench.router.forget()
    bench.router.reload()
    assert bench.router.fifo() == []


def test_another_identity_ends_the_old_one_and_starts_the_new_one() -> None:
    bench = Bench(PLAIN).until_master()
    actions = bench.router.reload(replace(PLAIN, multicast_group=GROUP))
    assert adverts_in(actions) == [0] and bench.state == "BACKUP"
    opened = next(index for index, action in enumerate(actions) if isinstance(action, OpenChannel))
    closed = next(index for index, action in enumerate(actions) if isinstance(action, CloseChannel))
    assert opened < closed
    why = "INIT -> BACKUP: a reload made it another virtual router: its multicast group has changed"
    assert str(bench.router.instance().history[-1]) == why
    bench.run(1)
    assert bench.router.of(SendAdvert)[-1].destination == GROUP


def test_a_new_instance_starts_as_at_a_start() -> None:
    bench = Bench(PLAIN).until_master()
    other = replace(PLAIN, name="W", virtual_router_id=52, virtual_addresses=vips(9))
    bench.router.reload(PLAIN, other)
    assert bench.router.state("W").name == "BACKUP" and bench.router.fifo() == ['INSTANCE "W" BACKUP 150']
    bench.run(1)
    assert bench.router.state("W").name == "MASTER" and bench.state == "MASTER"


def test_a_backup_keeps_waiting_and_its_timer_takes_up_a_new_span() -> None:
    bench = Bench(PLAIN)
    bench.run(0.1)
    due = bench.due_in
    assert due is not None
    bench.router.reload(replace(PLAIN, notify_priority_changes=True))
    assert bench.due_in == due
    bench.router.reload(replace(PLAIN, down_timer_adverts=10))
    assert bench.due_in == pytest.approx(due + 0.7)


def test_what_a_backup_has_learnt_survives() -> None:
    bench = Bench(PLAIN)
    bench.advert(200, config=replace(PLAIN, advert_int=micro(0.5)))
    bench.router.reload(replace(PLAIN, virtual_addresses=vips(7)))
    found = bench.router.instance()
    assert found.master_interval == micro(0.5) and found.master == address(2)


def test_new_trackers_take_effect_and_old_ones_go() -> None:
    bench = Bench(PLAIN).until_master()
    watching = replace(PLAIN, track=TrackLists(files=(Tracked("f"),)))
    bench.router.feed(FileContent("f", 5))
    bench.router.reload(watching, tracking=Tracking(files=(TrackFile("f", "/f"),)))
    assert bench.state == "FAULT"
    bench.router.reload(PLAIN)
    assert bench.state == "BACKUP"


def test_a_script_keeps_its_state_and_its_rhythm() -> None:
    watching = replace(PLAIN, track=TrackLists(scripts=(Tracked("s"),)))
    script = VrrpScript("s", Script(("/s",)), fall=3, interval=micro(1))
    bench = Bench(watching, tracking=Tracking((script,)), scripts={"s": 0})
    bench.run(2.5)
    assert bench.state == "MASTER"
    bench.router.forget()
    bench.router.reload(replace(watching, priority=120), tracking=Tracking((replace(script, fall=2),)))
    assert bench.state == "MASTER" and not bench.router.of(StartScript)
    assert "VRRP_Script(s) considered successful on reload" in bench.router.log()
    bench.run(0.6)
    assert len(bench.router.of(StartScript)) == 1


def test_another_script_of_the_same_name_starts_anew_and_is_not_waited_for() -> None:
    watching = replace(PLAIN, track=TrackLists(scripts=(Tracked("s"),)))
    bench = Bench(watching, tracking=Tracking((VrrpScript("s", Script(("/s",))),)), scripts={"s": 0})
    bench.run(2.5)
    bench.router.forget()
    bench.router.reload(watching, tracking=Tracking((VrrpScript("s", Script(("/t",))),)))
    assert bench.state == "MASTER"
    (run,) = bench.router.of(StartScript)
    assert run.script.argv == ("/t",)


def test_fifo_write_vrrp_states_on_reload() -> None:
    bench = Bench(PLAIN, vrrp=Vrrp((PLAIN,), (SyncGroup("G", ("V",)),)))
    bench.run(1)
    bench.router.forget()
    again = GlobalDefs(fifo_write_vrrp_states_on_reload=True)
    bench.router.reload(vrrp=Vrrp((PLAIN,), (SyncGroup("G", ("V",)),)), globals_=again)
    assert bench.router.fifo() == ['GROUP "G" MASTER 0', 'INSTANCE "V" MASTER 150']


# Groups ---------------------------------------------------------------------------------------------------------------------------

A = replace(PLAIN, name="A", virtual_router_id=61, virtual_addresses=vips(61))
B = replace(PLAIN, name="B", virtual_router_id=62, virtual_addresses=vips(62))


def test_masters_that_are_put_into_a_group_stay_masters() -> None:
    bench = Bench(A, B)
    bench.run(1)
    bench.router.forget()
    bench.router.reload(vrrp=Vrrp((A, B), (SyncGroup("G", ("A", "B")),)))
    assert [bench.router.state(name).name for name in "AB"] == ["MASTER", "MASTER"]
    assert bench.router.fifo() == ['GROUP "G" MASTER 0']


def test_a_member_that_joins_a_master_group_becomes_master_in_its_own_time() -> None:
    group = SyncGroup("G", ("A", "B"))
    bench = Bench(A, vrrp=Vrrp((A,), (group,)))
    bench.run(1)
    bench.router.reload(vrrp=Vrrp((A, B), (group,)))
    assert [bench.router.state(name).name for name in "AB"] == ["MASTER", "BACKUP"]
    bench.run(1)
    assert [bench.router.state(name).name for name in "AB"] == ["MASTER", "MASTER"]


def test_a_member_that_joins_and_hears_a_better_master_ends_it_for_all() -> None:
    group = SyncGroup("G", ("A", "B"))
    bench = Bench(A, vrrp=Vrrp((A,), (group,)))
    bench.run(1)
    bench.router.reload(vrrp=Vrrp((A, B), (group,)))
    bench.advert(200, config=B, name="B")
    assert [bench.router.state(name).name for name in "AB"] == ["BACKUP", "BACKUP"]


def test_a_faulty_member_that_joins_puts_all_in_fault_and_one_that_leaves_lets_them_recover() -> None:
    broken = replace(B, faults=("broken",))
    bench = Bench(A)
    bench.run(1)
    bench.router.reload(vrrp=Vrrp((A, broken), (SyncGroup("G", ("A", "B")),)))
    assert [bench.router.state(name).name for name in "AB"] == ["FAULT", "FAULT"]
    bench.router.reload(A, broken)
    assert [bench.router.state(name).name for name in "AB"] == ["BACKUP", "FAULT"]


def test_a_member_that_waits_for_its_vmac_does_not_disturb_a_master_group() -> None:
    group = SyncGroup("G", ("A", "B"))
    bench = Bench(A, vrrp=Vrrp((A,), (group,)))
    bench.run(1)
    bench.router.forget()
    bench.router.reload(vrrp=Vrrp((A, replace(B, vmac=Vmac())), (group,)))
    for _ in range(100):
        bench.run(0.01)
        assert bench.router.state("A").name == "MASTER"
    assert bench.router.state("B").name == "MASTER"
    assert [line for line in bench.router.fifo() if line.startswith("GROUP")] == []
