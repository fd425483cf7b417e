"""Why a router is in its state: one line when it changes, and the last changes for whoever asks later."""

from dataclasses import replace
from itertools import pairwise

from keepalived_py.config.scripts import Script
from keepalived_py.config.tracking import Tracked, Tracking, VrrpScript
from keepalived_py.config.vrrp import SyncGroup, TrackLists, Vrrp
from keepalived_py.vrrp.events import AddressRemoved, Interface, InterfaceChanged
from keepalived_py.vrrp.explain import LENGTH, CauseKind
from tests.vrrp.bench import Bench
from tests.vrrp.builders import instance3, vips

PLAIN = instance3(priority=150)


def last(bench: Bench, name: str = "V") -> str:
    return str(bench.router.instance(name).history[-1])


def test_silence_tells_who_was_heard_last_and_when() -> None:
    bench = Bench(PLAIN)
    bench.run(0.05)
    bench.advert(200)
    bench.run(1)
    assert last(bench) == (
        "BACKUP -> MASTER: no advert was heard for 0.341 s, the last one came 0.341 s ago from 192.0.2.2 with priority 200"
    )
    assert f"(V) {last(bench)}" in bench.router.log()


def test_silence_from_the_start_priority_0_and_preemption_are_told_apart() -> None:
    bench = Bench(PLAIN)
    bench.run(1)
    assert last(bench).endswith("nor ever before")
    bench = Bench(PLAIN)
    bench.advert(0)
    bench.run(1)
    assert last(bench) == "BACKUP -> MASTER: 192.0.2.2 gave up (priority 0) 0.041 s ago"
    bench = Bench(PLAIN)
    bench.run(0.2)
    bench.advert(100)
    bench.run(1)
    assert "only adverts of lower priority were heard for 0.341 s, the last one came 0.141 s ago" in last(bench)


def test_giving_way_tells_to_whom() -> None:
    bench = Bench(PLAIN).until_master()
    bench.advert(200)
    assert last(bench) == "MASTER -> BACKUP: 192.0.2.2 advertises priority 200, ours is 150"
    assert bench.router.instance().history[-1].causes[0].kind is CauseKind.ADVERT


def test_a_script_is_quoted() -> None:
    config = replace(PLAIN, track=TrackLists(scripts=(Tracked("s"),)))
    bench = Bench(config, tracking=Tracking((VrrpScript("s", Script(("/s",)), fall=2),)), scripts={"s": 0})
    bench.run(2.5)
    bench.router.scripts["s"] = 4
    bench.run(2.5)
    assert last(bench) == "MASTER -> FAULT: script s is bad: exited with status 4 (said 4), 2 in a row"


def test_a_group_member_tells_whom_it_followed_and_why_that_one_changed() -> None:
    members = tuple(
        replace(PLAIN, name=name, virtual_router_id=number, virtual_addresses=vips(number)) for name, number in (("A", 1), ("B", 2))
    )
    bench = Bench(*members, vrrp=Vrrp(members, (SyncGroup("G", ("A", "B")),)))
    bench.run(1)
    bench.advert(200, config=members[0], name="A")
    assert last(bench, "B") == ("MASTER -> BACKUP: A of sync group G did, because 192.0.2.2 advertises priority 200, ours is 150")


def test_the_host_and_the_operator_are_named() -> None:
    bench = Bench(PLAIN).until_master()
    bench.router.feed(AddressRemoved("eth0", PLAIN.virtual_addresses[0].address, 24))
    assert last(bench) == "MASTER -> BACKUP: somebody removed address 203.0.113.1"
    bench.router.feed(InterfaceChanged(Interface("eth0", 2, up=False)))
    assert last(bench) == "BACKUP -> FAULT: interface eth0 is down"
    bench.router.stop()
    assert last(bench) == "FAULT -> STOP: the process stops"


def test_history_is_bounded() -> None:
    bench = Bench(PLAIN)
    for _ in range(LENGTH):
        bench.run(0.5)
        bench.advert(200)
    history = bench.router.instance().history
    assert len(history) == LENGTH and all(first.at <= second.at for first, second in pairwise(history))
