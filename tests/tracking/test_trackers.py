"""Each kind of tracked object by itself: news in, findings out."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.config.scripts import Script
from keepalived_py.config.tracking import TrackProcess, VrrpScript
from keepalived_py.config.vrrp import InterfaceDelay
from keepalived_py.tracking.trackers import (
    BfdTracker,
    FileTracker,
    InterfaceTracker,
    ProcessTracker,
    ScriptExit,
    ScriptTracker,
)
from keepalived_py.units import Micro, micro

OK, BAD = ScriptExit(0), ScriptExit(1)
TIMED_OUT = ScriptExit(None, 15, timed_out=True)


def script(rise: int = 1, fall: int = 1, *, init_fail: bool = False) -> VrrpScript:
    return VrrpScript("s", Script(("/s",)), rise=rise, fall=fall, init_fail=init_fail)


def good(tracker: ProcessTracker | FileTracker | BfdTracker | InterfaceTracker | ScriptTracker) -> bool | None:
    return tracker.finding.good


def due(tracker: ProcessTracker | InterfaceTracker) -> Micro | None:
    return tracker.due


def play(tracker: ScriptTracker, *runs: ScriptExit) -> list[bool | None]:
    found = []
    for run in runs:
        tracker.done(run)
        found.append(tracker.finding.good)
    return found


# Scripts --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rise", [1, 3])
@pytest.mark.parametrize("fall", [1, 3])
def test_the_first_result_decides_whatever_rise_and_fall_are(rise: int, fall: int) -> None:
    for run, good in ((OK, True), (BAD, False), (TIMED_OUT, False)):
        tracker = ScriptTracker(script(rise, fall))
        assert tracker.finding.good is None
        assert tracker.done(run) and tracker.finding.good is good


def test_rise_and_fall_count_results_in_a_row() -> None:
    tracker = ScriptTracker(script(rise=2, fall=3))
    assert play(tracker, OK, BAD, BAD, OK, BAD, BAD, BAD) == [True, True, True, True, True, True, False]
    assert play(tracker, OK, BAD, OK, OK) == [False, False, False, True]


def test_init_fail_begins_bad_and_needs_rise_successes() -> None:
    tracker = ScriptTracker(script(rise=2, fall=1, init_fail=True))
    assert tracker.finding.good is False and not tracker.finding.provisional
    assert play(tracker, OK, OK) == [False, True]


@pytest.mark.parametrize(
    ("run", "ok", "words"),
    [
        (ScriptExit(0), True, "exited with status 0"),
        (ScriptExit(7, output="no route"), False, "exited with status 7 (no route)"),
        (ScriptExit(None, 9), False, "killed by signal 9"),
        (TIMED_OUT, False, "timed out"),
        (ScriptExit(0, timed_out=True), True, "exited with status 0"),
    ],
)
def test_what_counts_as_a_success(run: ScriptExit, ok: bool, words: str) -> None:
    tracker = ScriptTracker(script())
    tracker.done(run)
    assert tracker.finding.good is ok and words in tracker.finding.text


def test_a_script_that_could_not_be_run_says_nothing() -> None:
    tracker = ScriptTracker(script())
    tracker.running = True
    assert not tracker.done(ScriptExit(None)) and tracker.finding.good is None and not tracker.running


def test_the_text_tells_how_many_results_it_took() -> None:
    tracker = ScriptTracker(script(fall=2))
    play(tracker, OK, BAD, BAD)
    assert tracker.finding.text == "script s is bad: exited with status 1, 2 in a row"


def test_a_reload_keeps_the_count_as_far_as_the_new_rise_and_fall_go() -> None:
    old = ScriptTracker(script(rise=2, fall=3))
    play(old, OK, BAD)
    new = ScriptTracker(replace(script(rise=2, fall=3)), reloaded=True)
    new.take_over(old)
    assert play(new, BAD, BAD) == [True, False]
    stricter = ScriptTracker(script(rise=2, fall=1), reloaded=True)
    stricter.take_over(old)
    assert play(stricter, BAD) == [False]


def test_a_script_that_a_reload_brings_is_not_waited_for() -> None:
    tracker = ScriptTracker(script(), reloaded=True)
    assert tracker.finding.good is None and tracker.finding.provisional


@given(st.integers(1, 4), st.integers(1, 4), st.booleans(), st.lists(st.booleans(), min_size=1, max_size=40))
def test_a_script_is_what_its_last_decisive_run_of_results_was(rise: int, fall: int, init_fail: bool, runs: list[bool]) -> None:
    tracker = ScriptTracker(script(rise, fall, init_fail=init_fail))
    good = False if init_fail else None
    row, last = 0, None
    for ok in runs:
        row = row + 1 if ok is last else 1
        last = ok
        if good is None or (ok and not good and row >= rise) or (not ok and good and row >= fall):
            good = ok
        tracker.done(OK if ok else BAD)
        assert tracker.finding.good is good
        assert 0 <= tracker.result < rise + fall and (tracker.result >= rise) is good


# Processes ------------------------------------------------------------------------------------------------------------------------


def processes(count: int, **more: object) -> ProcessTracker:
    return ProcessTracker(TrackProcess("p", ("/p",), **more), count)  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "good"), [(0, False), (1, False), (2, True), (3, True), (4, False)])
def test_quorum_and_its_maximum(count: int, good: bool) -> None:
    assert processes(count, quorum=2, quorum_max=3).finding.good is good


def test_quorum_max_of_zero_wants_none_of_them() -> None:
    assert processes(0, quorum=0, quorum_max=0).finding.good
    assert not processes(1, quorum=0, quorum_max=0).finding.good


def test_without_delays_a_change_counts_at_once() -> None:
    tracker = processes(1)
    assert tracker.counted(0, Micro(5)) and not good(tracker) and due(tracker) is None
    assert not tracker.counted(0, Micro(6))
    assert tracker.counted(2, Micro(7)) and good(tracker)


def test_delays_must_pass_before_a_change_counts() -> None:
    tracker = processes(1, terminate_delay=micro(2), fork_delay=micro(3))
    assert not tracker.counted(0, Micro(5)) and due(tracker) == micro(2) + 5
    assert tracker.expired() and not good(tracker) and due(tracker) is None
    assert not tracker.counted(1, Micro(9)) and due(tracker) == micro(3) + 9
    assert tracker.expired() and good(tracker)


def test_a_change_that_does_not_last_never_happened() -> None:
    tracker = processes(1, terminate_delay=micro(2))
    tracker.counted(0, Micro(5))
    assert not tracker.counted(1, Micro(6)) and due(tracker) is None and good(tracker)


def test_a_delay_that_runs_is_not_started_anew() -> None:
    tracker = processes(3, quorum=3, terminate_delay=micro(2))
    tracker.counted(2, Micro(5))
    tracker.counted(1, Micro(500))
    assert due(tracker) == micro(2) + 5


# Files and BFD sessions -----------------------------------------------------------------------------------------------------------


def test_a_file_is_its_number_and_good_when_that_is_0() -> None:
    tracker = FileTracker("f", 0)
    assert good(tracker) and tracker.finding.value == 0
    assert tracker.changed(-5) and not good(tracker) and tracker.finding.value == -5
    assert not tracker.changed(-5)


def test_a_bfd_session_is_down_until_it_is_said_to_be_up() -> None:
    tracker = BfdTracker("b")
    assert not good(tracker) and not tracker.changed(up=False)
    assert tracker.changed(up=True) and tracker.finding.text == "BFD session b is up"


# Interfaces -----------------------------------------------------------------------------------------------------------------------

DELAY = InterfaceDelay("eth0", down=micro(1), up=micro(2))


def test_an_interface_without_delays_is_what_it_is() -> None:
    tracker = InterfaceTracker("eth0", up=True)
    assert tracker.changed(up=False, now=Micro(1)) and not good(tracker)
    assert not tracker.changed(up=False, now=Micro(2))


def test_a_change_of_an_interface_must_last() -> None:
    tracker = InterfaceTracker("eth0", up=True, delay=DELAY)
    assert not tracker.changed(up=False, now=Micro(1)) and due(tracker) == micro(1) + 1
    assert not tracker.changed(up=True, now=Micro(2)) and due(tracker) is None
    tracker.changed(up=False, now=Micro(3))
    assert tracker.expired() and tracker.finding.text == "interface eth0 is down for 1 s"
    assert not tracker.changed(up=True, now=Micro(9)) and due(tracker) == micro(2) + 9


def test_an_interface_that_was_never_up_and_one_that_goes_are_not_delayed() -> None:
    tracker = InterfaceTracker("eth0", up=False, delay=DELAY)
    assert tracker.changed(up=True, now=Micro(1))
    assert tracker.changed(up=False, now=Micro(2), at_once=True)


def test_an_interface_that_is_being_made_is_waited_for() -> None:
    tracker = InterfaceTracker("vrrp.51", awaited=Micro(100))
    assert good(tracker) is None
    assert not tracker.changed(up=False, now=Micro(1)) and good(tracker) is None and due(tracker) == 100
    assert tracker.changed(up=True, now=Micro(2)) and good(tracker) and due(tracker) is None
    tracker = InterfaceTracker("vrrp.51", awaited=Micro(100))
    assert tracker.expired() and good(tracker) is False
