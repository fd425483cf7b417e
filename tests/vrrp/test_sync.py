"""Sync groups: members change state together, and the group says so when all of them have."""

from dataclasses import replace

import pytest

from keepalived_py.config.scripts import Script
from keepalived_py.config.tracking import Tracked, TrackFile, Tracking, VrrpScript
from keepalived_py.config.vrrp import InitialState, Notify, SyncGroup, TrackLists, Vrrp, VrrpInstance
from keepalived_py.vrrp.actions import Alert, SendAdvert, SendGratuitous, Trap, TrapKind
from keepalived_py.vrrp.events import AddressRemoved, FileContent, Interface, InterfaceChanged
from keepalived_py.vrrp.fsm import State
from tests.helpers.lan import Lan
from tests.vrrp.bench import Bench
from tests.vrrp.builders import instance3, vips


def member(name: str, number: int, **more: object) -> VrrpInstance:
    addresses = {"virtual_addresses": vips(number), "virtual_router_id": number, "priority": 150}
    return instance3(name, **{**addresses, **more})


A, B = member("A", 51), member("B", 52)
GROUP = SyncGroup("G", ("A", "B"))


def grouped(
    *members: VrrpInstance,
    group: SyncGroup = GROUP,
    tracking: Tracking = Tracking(),
    scripts: dict[str, int] | None = None,
) -> Bench:
    return Bench(*members, vrrp=Vrrp(members, (group,)), tracking=tracking, scripts=scripts)


def states(bench: Bench) -> tuple[str, str, str]:
    snapshot = bench.router.engine.snapshot()
    first, second = (found.state.name for found in snapshot.instances)
    return first, second, snapshot.groups[0].state.name


def master(bench: Bench) -> Bench:
    bench.run(1)
    assert states(bench) == ("MASTER", "MASTER", "MASTER")
    bench.router.forget()
    return bench


def test_all_become_master_when_the_last_timer_has_fired() -> None:
    slow = replace(B, down_timer_adverts=6)
    bench = grouped(A, slow)
    bench.run(0.5)
    assert states(bench) == ("BACKUP", "BACKUP", "BACKUP")
    assert bench.router.instance("A").wants_master
    bench.run(0.3)
    assert states(bench) == ("MASTER", "MASTER", "MASTER")


def test_nobody_becomes_master_while_one_member_hears_a_better_one() -> None:
    bench = grouped(A, B)
    for _ in range(30):
        bench.run(0.1)
        bench.advert(200, config=B, name="B")
    assert states(bench) == ("BACKUP", "BACKUP", "BACKUP")
    master(bench)


def test_one_that_gives_way_takes_the_others_along_without_priority_0() -> None:
    bench = master(grouped(A, B))
    bench.advert(200, config=A, name="A")
    assert states(bench) == ("BACKUP", "BACKUP", "BACKUP")
    assert bench.router.of(SendAdvert) == [] and bench.router.held == set()
    assert "VRRP_Group(G) Syncing instances to BACKUP state" in bench.router.log()


def test_one_in_fault_takes_the_others_along_with_priority_0() -> None:
    tracked = replace(A, track=TrackLists(files=(Tracked("f"),)))
    bench = master(grouped(tracked, B, tracking=Tracking(files=(TrackFile("f", "/f"),))))
    bench.router.feed(FileContent("f", 1))
    assert states(bench) == ("FAULT", "FAULT", "FAULT")
    assert [(advert.instance, advert.priority) for advert in bench.router.of(SendAdvert)] == [("A", 0), ("A", 0), ("B", 0)]
    bench.router.feed(FileContent("f", 0))
    assert states(bench) == ("BACKUP", "BACKUP", "BACKUP")
    master(bench)


def test_the_group_stays_in_fault_until_nothing_is_wrong_with_anybody() -> None:
    both = [replace(one, track=TrackLists(files=(Tracked(name),))) for one, name in ((A, "f"), (B, "g"))]
    tracking = Tracking(files=(TrackFile("f", "/f"), TrackFile("g", "/g")))
    bench = master(grouped(*both, tracking=tracking))
    bench.router.feed(FileContent("f", 1))
    bench.router.feed(FileContent("g", 1))
    bench.router.feed(FileContent("f", 0))
    assert states(bench) == ("FAULT", "FAULT", "FAULT")
    assert bench.router.fifo().count('GROUP "G" FAULT 0') == 1
    bench.router.feed(FileContent("g", 0))
    assert states(bench) == ("BACKUP", "BACKUP", "BACKUP")


def test_what_the_group_watches_concerns_all() -> None:
    group = replace(GROUP, track=TrackLists(interfaces=(Tracked("eth1"),)))
    bench = master(grouped(A, B, group=group))
    bench.router.feed(InterfaceChanged(Interface("eth1", 3, up=False)))
    assert states(bench) == ("FAULT", "FAULT", "FAULT")
    bench.router.feed(InterfaceChanged(Interface("eth1", 3, up=True)))
    assert states(bench) == ("BACKUP", "BACKUP", "BACKUP")


def test_a_start_with_one_in_fault_puts_all_in_fault() -> None:
    bench = grouped(replace(A, faults=("duplicate VRID",)), B)
    assert states(bench) == ("FAULT", "FAULT", "FAULT")
    assert bench.router.fifo() == ['GROUP "G" FAULT 0', 'INSTANCE "A" FAULT 150', 'INSTANCE "B" FAULT 150']


@pytest.mark.parametrize(("status", "state"), [(0, "BACKUP"), (1, "FAULT")])
def test_a_start_waits_for_the_scripts_of_all_members(status: int, state: str) -> None:
    tracked = replace(A, track=TrackLists(scripts=(Tracked("s"),)))
    tracking = Tracking((VrrpScript("s", Script(("/s",))),))
    bench = grouped(tracked, B, tracking=tracking, scripts={"s": status})
    assert states(bench) == ("FAULT", "FAULT", "INIT") and bench.router.fifo() == []
    bench.run(0.02)
    assert states(bench) == (state, state, state)
    assert sorted(bench.router.fifo()) == [f'GROUP "G" {state} 0', f'INSTANCE "A" {state} 150', f'INSTANCE "B" {state} 150']


def test_state_master_does_not_shorten_the_first_wait_in_a_group() -> None:
    bench = grouped(replace(A, state=InitialState.MASTER), B)
    bench.run(0.2)
    assert states(bench) == ("BACKUP", "BACKUP", "BACKUP")


def test_owners_start_as_master_only_when_all_members_are() -> None:
    first, second = replace(A, priority=255), replace(B, priority=255)
    bench = grouped(first, second)
    bench.run(0.001)
    assert states(bench) == ("MASTER", "MASTER", "MASTER")
    bench = grouped(first, B)
    bench.run(0.2)
    assert states(bench) == ("BACKUP", "BACKUP", "BACKUP")


def test_a_lost_address_makes_all_give_up_and_come_back() -> None:
    bench = master(grouped(A, B))
    bench.router.feed(AddressRemoved("eth0", vips(51)[0].address, 24))
    assert states(bench) == ("BACKUP", "BACKUP", "BACKUP")
    assert [(advert.instance, advert.priority) for advert in bench.router.of(SendAdvert)] == [("A", 0), ("B", 0)]
    bench.run(0.15)
    assert states(bench) == ("MASTER", "MASTER", "MASTER")


def test_a_lower_advert_to_one_has_arps_sent_for_all() -> None:
    bench = master(grouped(A, B))
    bench.advert(100, config=A, name="A")
    assert [garp.instance for garp in bench.router.of(SendGratuitous)] == ["A", "B"]
    assert bench.router.fifo() == ['INSTANCE "A" MASTER_RX_LOWER_PRI 150']


def test_what_is_told_of_a_group_and_when() -> None:
    notify = Notify(
        backup=Script(("/backup",)),
        master=Script(("/master",)),
        fault=Script(("/fault",)),
        stop=Script(("/stop",)),
        any=Script(("/any",)),
    )
    group = replace(GROUP, notify=notify, smtp_alert=True)
    bench = grouped(A, B, group=group)
    bench.run(1)
    bench.router.feed(InterfaceChanged(Interface("eth0", 2, up=False)))
    bench.router.feed(InterfaceChanged(Interface("eth0", 2, up=True)))
    bench.router.stop()
    words = ["BACKUP", "MASTER", "FAULT", "BACKUP", "STOP"]
    assert [line for line in bench.router.fifo() if line.startswith("GROUP")] == [f'GROUP "G" {word} 0' for word in words]
    assert bench.router.ran() == [line for word in words for line in (f"/{word.lower()}", f"/any GROUP G {word} 0")]
    assert [trap.state for trap in bench.router.of(Trap) if trap.kind is TrapKind.GROUP] == words
    assert bench.router.of(Alert)[1] == Alert(
        "VRRP Group G - Entering MASTER state", "=> All VRRP group instances are now in MASTER state <="
    )
    for word in words[1:]:
        lines = bench.router.fifo()
        at = lines.index(f'GROUP "G" {word} 0') if word != "BACKUP" else len(lines) - 1 - lines[::-1].index('GROUP "G" BACKUP 0')
        assert {f'INSTANCE "{name}" {word} 150' for name in "AB"} <= set(lines[:at]), "after all members"


def test_two_hosts_with_a_group_never_split_it() -> None:
    lan = Lan(3)
    routers = [lan.router(number) for number in (1, 2)]
    for router, priority in zip(routers, (150, 100), strict=True):
        members = tuple(replace(one, priority=priority) for one in (A, B))
        router.start(vrrp=Vrrp(members, (GROUP,)))
    lan.run(3)
    lan.faults.loss = 0.4
    for _ in range(200):
        lan.run(0.11)
        for router in routers:
            mine = {router.state(name) for name in "AB"}
            group = router.engine.snapshot().groups[0].state
            assert mine == {group}, mine
    lan.faults.loss = 0.0
    lan.run(3)
    assert [router.state("A") for router in routers] == [State.MASTER, State.BACKUP]
    assert [router.state("B") for router in routers] == [State.MASTER, State.BACKUP]
