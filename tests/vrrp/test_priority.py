"""What is tracked, and how much it counts: weights, reverse, faults, groups, and what a changed priority does."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.config.scripts import Script
from keepalived_py.config.tracking import Tracked, TrackFile, Tracking, TrackProcess, VrrpScript
from keepalived_py.config.vrrp import InterfaceDelay, SyncGroup, TrackLists, Vrrp
from keepalived_py.tracking.trackers import Finding
from keepalived_py.units import micro
from keepalived_py.vrrp.actions import CancelScript, StartScript
from keepalived_py.vrrp.events import BfdState, FileContent, Interface, InterfaceChanged, ProcessCount
from keepalived_py.vrrp.priority import Contribution, Kind, Standing, contribution, watches
from tests.vrrp.bench import Bench
from tests.vrrp.builders import instance3

GOOD, BAD, UNKNOWN = Finding(True, "fine"), Finding(False, "broken"), Finding(None, "?")
PLAIN = instance3(priority=150)


def tracked(weight: int = 0, *, reverse: bool = False) -> Tracked:
    return Tracked("x", weight, reverse)


# One object -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weight", "reverse", "finding", "adds"),
    [
        (10, False, GOOD, 10),
        (10, False, BAD, 0),
        (-10, False, GOOD, 0),
        (-10, False, BAD, -10),
        (10, True, GOOD, -10),
        (10, True, BAD, 0),
        (-10, True, GOOD, 0),
        (-10, True, BAD, 10),
        (10, False, UNKNOWN, 0),
        (-10, False, UNKNOWN, 0),
    ],
)
def test_weights(weight: int, reverse: bool, finding: Finding, adds: int) -> None:
    """Reverse turns the sign round, as keepalived 2.4.3 was seen to do: weight 10 reverse lowers 100 to 90 on success."""
    for kind in (Kind.SCRIPT, Kind.PROCESS, Kind.BFD, Kind.INTERFACE):
        assert contribution(kind, tracked(weight, reverse=reverse), finding) == Contribution(adds)


@pytest.mark.parametrize(
    ("reverse", "finding", "fault"), [(False, GOOD, ""), (False, BAD, "broken"), (True, GOOD, "fine"), (True, BAD, "")]
)
def test_without_a_weight_a_bad_one_is_a_fault(reverse: bool, finding: Finding, fault: str) -> None:
    assert contribution(Kind.SCRIPT, tracked(reverse=reverse), finding) == Contribution(fault=fault)


def test_without_a_weight_an_unknown_one_is_waited_for() -> None:
    assert contribution(Kind.SCRIPT, tracked(), UNKNOWN) == Contribution(pending=True)
    assert contribution(Kind.SCRIPT, tracked(), replace(UNKNOWN, provisional=True)) == Contribution()


@pytest.mark.parametrize(
    ("value", "weight", "reverse", "expected"),
    [
        (5, 1, False, Contribution(5)),
        (5, -2, False, Contribution(-10)),
        (5, 2, True, Contribution(-10)),
        (-253, 1, False, Contribution(-253)),
        (-254, 1, False, Contribution(fault="f")),
        (-9999, 1, False, Contribution(fault="f")),
        (127, -2, False, Contribution(fault="f")),
        (9999, 1, False, Contribution(253)),
        (0, 1, False, Contribution(0)),
        (0, 0, False, Contribution()),
        (3, 0, False, Contribution(fault="f")),
        (0, 0, True, Contribution(fault="f")),
        (3, 0, True, Contribution()),
    ],
)
def test_files(value: int, weight: int, reverse: bool, expected: Contribution) -> None:
    finding = Finding(value == 0, "f", value)
    assert contribution(Kind.FILE, tracked(weight, reverse=reverse), finding) == expected


# The sum --------------------------------------------------------------------------------------------------------------------------


def test_the_effective_priority_stays_within_what_can_be_sent() -> None:
    standing = Standing(100)
    standing.set((Kind.SCRIPT, "a"), Contribution(200))
    assert (standing.total, standing.effective) == (300, 254)
    standing.set((Kind.SCRIPT, "a"), Contribution(-200))
    assert (standing.total, standing.effective) == (-100, 1)


def test_an_owner_keeps_its_priority_unless_it_has_lowered_itself() -> None:
    standing = Standing(255)
    standing.set((Kind.SCRIPT, "a"), Contribution(-200))
    assert standing.effective == 255
    standing.lowered = True
    assert standing.effective == 254


changes = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.builds(Contribution, st.integers(-253, 253), st.sampled_from(["", "broken"]), st.booleans()),
    )
)


@given(st.integers(1, 254), changes)
def test_only_what_is_known_now_counts(base: int, script: list[tuple[str, Contribution]]) -> None:
    standing = Standing(base)
    now: dict[str, Contribution] = {}
    for name, given_ in script:
        standing.set((Kind.SCRIPT, name), given_)
        now[name] = given_
    assert standing.total == base + sum(one.weight for one in now.values())
    assert standing.is_faulty is any(one.fault for one in now.values()) is bool(standing.faults)
    assert standing.is_pending is any(one.pending for one in now.values())
    standing.keep([])
    assert standing.total == base and not standing.is_faulty


# Who watches what -----------------------------------------------------------------------------------------------------------------

WEIGHTED = TrackLists(
    interfaces=(Tracked("eth1", 5),),
    scripts=(Tracked("s", 5), Tracked("z")),
    files=(Tracked("f", 1), Tracked("g", 2)),
    processes=(Tracked("p", 5),),
    bfd=(Tracked("b", 5),),
)


def test_in_a_group_the_weights_of_members_do_not_count() -> None:
    """Interfaces, and files of the default weight, are watched without one; everything else with a weight not at all."""
    member = replace(PLAIN, track=WEIGHTED)
    found = watches(member, SyncGroup("G", ("V",)), (), group_has_owner=False)
    assert {key[1]: entry.weight for key, entry in found.items()} == {"eth1": 0, "z": 0, "f": 0}
    free = watches(member, SyncGroup("G", ("V",), tracking_weight=True), (), group_has_owner=False)
    assert len(free) == 7 and free[(Kind.SCRIPT, "s")].weight == 5


def test_what_a_group_watches_its_members_watch_with_its_weight() -> None:
    group = SyncGroup("G", ("V",), track=TrackLists(scripts=(Tracked("s", 20), Tracked("z", 7))), tracking_weight=True)
    found = watches(replace(PLAIN, track=WEIGHTED), group, (), group_has_owner=False)
    assert found[(Kind.SCRIPT, "s")].weight == 20
    assert found[(Kind.SCRIPT, "z")].weight == 0, "an instance that watches without a weight keeps to that"
    assert watches(PLAIN, group, (), group_has_owner=True)[(Kind.SCRIPT, "s")].weight == 0


def test_an_owner_watches_nothing_with_a_weight() -> None:
    found = watches(replace(PLAIN, priority=255, track=WEIGHTED), None, ("eth0",), group_has_owner=False)
    assert set(found) == {(Kind.SCRIPT, "z"), (Kind.FILE, "f"), (Kind.INTERFACE, "eth0")}


# In the engine --------------------------------------------------------------------------------------------------------------------


def script(**more: object) -> VrrpScript:
    return VrrpScript("s", Script(("/s",)), **more)  # type: ignore[arg-type]


def watching_script(weight: int = 0, status: int | None = 0, **more: object) -> Bench:
    """An instance that watches a script, which ends with `status`, or never."""
    config = replace(PLAIN, track=TrackLists(scripts=(Tracked("s", weight),)))
    return Bench(config, tracking=Tracking((script(**more),)), scripts={} if status is None else {"s": status})


def test_an_instance_waits_silently_for_the_first_result_of_a_script_without_weight() -> None:
    made = watching_script(status=None)
    made.run(5)
    assert made.state == "FAULT" and made.router.fifo() == [] and made.sent() == []
    assert made.router.instance().pending


def test_after_a_good_first_result_it_takes_part() -> None:
    made = watching_script()
    made.run(0.009)
    assert made.state == "FAULT"
    made.run(0.002)
    assert made.state == "BACKUP" and made.router.fifo() == ['INSTANCE "V" BACKUP 150']
    assert made.due_in is not None and made.due_in > 0.3


def test_after_a_bad_first_result_it_is_in_fault_and_says_so() -> None:
    made = watching_script(status=1)
    made.run(0.02)
    assert made.state == "FAULT" and made.router.fifo() == ['INSTANCE "V" FAULT 150']
    made.router.scripts["s"] = 0
    made.run(1)
    assert made.state == "BACKUP"


def test_a_weight_is_not_waited_for() -> None:
    made = watching_script(weight=10, status=None)
    assert made.state == "BACKUP" and made.router.instance().effective == 150
    made = watching_script(weight=10)
    made.run(0.02)
    assert made.router.instance().effective == 160
    made.router.scripts["s"] = 1
    made.run(1)
    assert made.router.instance().effective == 150


def test_scripts_run_at_once_and_every_interval() -> None:
    made = watching_script(interval=micro(2), timeout=micro(1.5))
    made.run(5)
    runs = made.router.of(StartScript)
    assert [(run.name, run.timeout) for run in runs] == [("s", micro(1.5))] * 3


def test_a_run_that_is_still_under_way_is_not_doubled() -> None:
    made = watching_script(status=None)
    made.run(3.5)
    assert len(made.router.of(StartScript)) == 1
    assert made.router.log().count("Track script s is already running, expect idle - skipping run") == 3


def test_results_are_logged_as_keepalived_does() -> None:
    made = watching_script(status=3, fall=2)
    made.run(0.02)
    made.router.scripts["s"] = 0
    made.run(1)
    lines = [line for line in made.router.log() if "cript" in line and "->" not in line]
    assert lines == [
        "Script `s` now returning 3",
        "VRRP_Script(s) failed (exited with status 3)",
        "Script `s` now returning 0",
        "VRRP_Script(s) succeeded",
    ]


def test_faults_and_recovery_by_files_processes_bfd_and_interfaces() -> None:
    track = TrackLists(interfaces=(Tracked("eth1"),), files=(Tracked("f"),), processes=(Tracked("p"),), bfd=(Tracked("b"),))
    tracking = Tracking(files=(TrackFile("f", "/f"),), processes=(TrackProcess("p", ("/p",)),))
    good = (FileContent("f", 0), ProcessCount("p", 1), BfdState("b", True))
    made = Bench(replace(PLAIN, track=track), tracking=tracking, facts=good).until_master()
    for bad, fine in (
        (FileContent("f", 3), good[0]),
        (ProcessCount("p", 0), good[1]),
        (BfdState("b", False), good[2]),
        (
            InterfaceChanged(Interface("eth1", 3, up=False)),
            InterfaceChanged(Interface("eth1", 3, up=True)),
        ),
    ):
        made.router.feed(bad)
        assert made.state == "FAULT", bad
        made.router.feed(fine)
        assert made.state == "BACKUP", fine
        made.until_master()


def test_several_faults_must_all_go() -> None:
    tracking = Tracking(files=(TrackFile("f", "/f"), TrackFile("g", "/g")))
    config = replace(PLAIN, track=TrackLists(files=(Tracked("f"), Tracked("g"))))
    made = Bench(config, tracking=tracking)
    made.router.feed(FileContent("f", 1))
    made.router.feed(FileContent("g", 1))
    made.router.feed(FileContent("f", 0))
    assert made.state == "FAULT" and made.router.instance().faults == ("file g holds 1",)
    made.router.feed(FileContent("g", 0))
    assert made.state == "BACKUP"


def weighing(weight: int = 1, *, notify: bool = False) -> Bench:
    tracking = Tracking(files=(TrackFile("f", "/f"),))
    config = replace(PLAIN, track=TrackLists(files=(Tracked("f", weight),)), notify_priority_changes=notify)
    return Bench(config, tracking=tracking)


def test_a_master_advertises_a_new_priority_from_the_next_advert_on() -> None:
    made = weighing().until_master()
    made.router.feed(FileContent("f", -100))
    assert made.state == "MASTER" and made.sent() == []
    made.run(0.1)
    assert made.sent() == [50]
    assert made.router.log() == ["(V) Changing effective priority from 150 to 50"]
    made.advert(100)
    assert made.state == "BACKUP", "it waits for a higher advert to give way"


def test_a_file_that_turns_into_a_fault_and_back_is_told() -> None:
    made = weighing()
    for value in (-254, -300, 0):
        made.router.feed(FileContent("f", value))
    lines = [line for line in made.router.log() if "tracked" in line]
    assert lines == ["(V): tracked file f now FAULT state", "(V): tracked file f leaving FAULT state"]


def test_a_backups_timer_moves_with_its_skew_time() -> None:
    made = weighing()
    made.run(0.1)
    before = made.due_in
    assert before is not None
    made.router.feed(FileContent("f", -50))
    assert made.due_in == pytest.approx(before + 50 * 0.1 / 256, abs=0.000_01)
    made.router.feed(FileContent("f", 0))
    assert made.due_in == pytest.approx(before, abs=0.000_01)


def test_after_an_advert_of_priority_0_the_skew_time_moves() -> None:
    made = weighing()
    made.advert(0)
    made.router.feed(FileContent("f", -50))
    assert made.due_in == pytest.approx(156 * 0.1 / 256, abs=0.000_01)


def test_notify_priority_changes() -> None:
    made = weighing(notify=True)
    made.router.feed(FileContent("f", 10))
    made.until_master()
    made.router.feed(FileContent("f", 20))
    assert made.router.fifo() == ['INSTANCE "V" MASTER_PRIORITY 170']


def test_priority_changes_of_a_backup_are_told_as_such() -> None:
    made = weighing(notify=True)
    made.router.forget()
    made.router.feed(FileContent("f", 10))
    assert made.router.fifo() == ['INSTANCE "V" BACKUP_PRIORITY 160']


def test_an_interface_that_flaps_within_its_delay_does_nothing() -> None:
    vrrp = Vrrp((PLAIN,), interface_delays=(InterfaceDelay("eth0", down=micro(1), up=micro(1)),))
    made = Bench(PLAIN, vrrp=vrrp).until_master()
    made.router.feed(InterfaceChanged(Interface("eth0", 2, up=False)))
    made.run(0.9)
    made.router.feed(InterfaceChanged(Interface("eth0", 2, up=True)))
    made.run(2)
    assert made.state == "MASTER"
    made.router.feed(InterfaceChanged(Interface("eth0", 2, up=False)))
    made.run(1.1)
    assert made.state == "FAULT"


def test_a_run_that_is_no_longer_wanted_is_cancelled() -> None:
    made = watching_script(status=None)
    made.router.reload(PLAIN)
    assert [action.name for action in made.router.of(CancelScript)] == ["s"]
    made = watching_script(status=None)
    made.router.stop()
    assert [action.name for action in made.router.of(CancelScript)] == ["s"]
