"""The supervisor: a child's life in a world without processes."""

import signal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepalived_py.daemon.supervisor import (
    FATAL_STATUSES,
    Action,
    Child,
    Event,
    Exited,
    Finish,
    GettingOn,
    Kill,
    NotStarted,
    Report,
    Spawn,
    Started,
    StopRequested,
    Supervisor,
    TimerFired,
    Wanted,
)
from keepalived_py.units import Micro, micro

CHECKER = Child.CHECKER
EVERYONE = Wanted(frozenset({CHECKER}))
NOBODY = Wanted(frozenset())
PATIENCE = micro(5)


class Drive:
    """A supervisor whose children start at once, with pids 100, 101, ... unless `forks` is False."""

    def __init__(self, *, respawn: bool = True) -> None:
        self.supervisor = Supervisor(respawn=respawn, patience=PATIENCE)
        self.now = Micro(0)
        self.pid = 99
        self.forks = True
        self.log: list[str] = []
        self.done: list[Action] = []

    def feed(self, event: Event) -> list[Action]:
        """Feed an event; return the actions that are no log lines, those of the answer to a spawn included."""
        before = len(self.done)
        for action in self.supervisor.handle(event, self.now):
            if isinstance(action, Report):
                self.log.append(action.text)
                continue
            self.done.append(action)
            if isinstance(action, Spawn):
                self._spawn(action)
        return self.done[before:]

    def _spawn(self, action: Spawn) -> None:
        if self.forks:
            self.pid += 1
            self.feed(Started(action.child, self.pid))
        else:
            self.feed(NotStarted(action.child, "Cannot allocate memory"))

    def die(self, status: int, after: float = 0.0) -> list[Action]:
        self.now = Micro(self.now + micro(after))
        return self.feed(Exited(CHECKER, self.supervisor.pid(CHECKER), status))

    def sleep(self) -> list[Action]:
        """Let the time pass until the deadline."""
        deadline = self.supervisor.deadline()
        assert deadline is not None
        self.now = deadline
        return self.feed(TimerFired())


def test_a_wanted_child_is_started_once() -> None:
    drive = Drive()
    assert drive.feed(EVERYONE) == [Spawn(CHECKER, takes_over=False)]
    assert drive.log == ["Starting Healthcheck child process, pid=100"]
    assert drive.feed(EVERYONE) == []
    assert drive.supervisor.serves(CHECKER)
    assert drive.supervisor.deadline() is None


def test_restarts_are_delayed_0_1_2_4_up_to_60_seconds() -> None:
    drive = Drive()
    drive.feed(EVERYONE)
    delays = []
    for _ in range(9):
        before = drive.now
        if drive.die(-signal.SIGKILL) == []:
            assert drive.sleep() == [Spawn(CHECKER, takes_over=True)]
        delays.append((drive.now - before) / micro(1))
    assert delays == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert drive.log[1:4] == [
        "pid 100 exited due to signal 9 (Killed)",
        "Healthcheck child process(100) died: Respawning",
        "Starting Healthcheck child process, pid=101",
    ]
    assert "Restart of Healthcheck process delayed 60 seconds to limit respawn rate" in drive.log


def test_a_long_life_is_forgiven() -> None:
    drive = Drive()
    drive.feed(EVERYONE)
    for _ in range(4):
        if not drive.die(3):
            drive.sleep()
    assert drive.die(3, after=60.0) == []  # 60 seconds are not more than 60
    drive.sleep()
    assert drive.die(3, after=60.000001) == [Spawn(CHECKER, takes_over=True)]
    assert drive.die(3) == []
    assert drive.supervisor.deadline() == drive.now + micro(1)


@pytest.mark.parametrize("status", sorted(FATAL_STATUSES))
def test_a_fatal_status_ends_the_daemon_with_it(status: int) -> None:
    drive = Drive()
    drive.feed(EVERYONE)
    assert drive.die(status) == [Finish(status)]
    assert drive.log[-1] == f"pid 100 exited with permanent error {FATAL_STATUSES[status]}. Terminating"
    assert drive.supervisor.stopping


@pytest.mark.parametrize("status", [0, 3, 5, 6, 70, -signal.SIGTERM, -signal.SIGSEGV])
def test_any_other_end_is_followed_by_a_restart(status: int) -> None:
    drive = Drive()
    drive.feed(EVERYONE)
    assert drive.die(status) == [Spawn(CHECKER, takes_over=True)]


def test_without_respawn_a_death_ends_the_daemon_in_an_orderly_way() -> None:
    drive = Drive(respawn=False)
    drive.feed(EVERYONE)
    assert drive.die(-signal.SIGKILL) == [Finish(0)]
    assert drive.log[-1] == "Healthcheck child process(100) died: Exiting"


def test_stop_is_term_and_after_patience_kill() -> None:
    drive = Drive()
    drive.feed(EVERYONE)
    assert drive.feed(StopRequested()) == [Kill(CHECKER, 100, signal.SIGTERM)]
    assert drive.feed(StopRequested()) == []
    assert drive.supervisor.deadline() == PATIENCE
    assert drive.sleep() == [Kill(CHECKER, 100, signal.SIGKILL)]
    assert drive.supervisor.deadline() is None
    assert drive.die(-signal.SIGKILL) == [Finish(0)]


def test_a_child_that_is_getting_on_with_its_end_is_given_time_and_one_that_stands_still_is_not() -> None:
    drive = Drive()
    drive.feed(EVERYONE)
    assert drive.feed(GettingOn(CHECKER)) == []  # nobody has told it to
    assert drive.supervisor.deadline() is None
    drive.feed(StopRequested())
    for _ in range(5):
        drive.now = Micro(drive.now + micro(4))
        assert drive.feed(GettingOn(CHECKER)) == []
        assert drive.feed(TimerFired()) == []
    assert drive.supervisor.deadline() == micro(25)
    assert drive.sleep() == [Kill(CHECKER, 100, signal.SIGKILL)]
    assert drive.feed(GettingOn(CHECKER)) == []
    assert drive.supervisor.deadline() is None


def test_stop_in_time_needs_no_kill() -> None:
    drive = Drive()
    drive.feed(EVERYONE)
    drive.feed(StopRequested())
    assert drive.die(0, after=1) == [Finish(0)]
    assert drive.supervisor.deadline() is None


def test_stop_while_a_restart_is_pending() -> None:
    drive = Drive()
    drive.feed(EVERYONE)
    drive.die(3)
    drive.die(3)
    assert drive.supervisor.deadline() is not None
    assert drive.feed(StopRequested()) == [Finish(0)]
    assert drive.supervisor.deadline() is None


def test_stop_without_children() -> None:
    drive = Drive()
    assert drive.feed(StopRequested(7)) == [Finish(7)]


def test_nothing_is_started_while_stopping() -> None:
    drive = Drive()
    drive.feed(EVERYONE)
    drive.feed(StopRequested())
    assert drive.feed(NOBODY) == []
    assert drive.feed(EVERYONE) == []
    assert drive.feed(TimerFired()) == []


def test_a_child_that_is_no_longer_wanted_ends() -> None:
    drive = Drive()
    drive.feed(EVERYONE)
    assert drive.feed(NOBODY) == [Kill(CHECKER, 100, signal.SIGTERM)]
    assert not drive.supervisor.serves(CHECKER)
    assert drive.feed(NOBODY) == []
    assert drive.die(0) == []
    assert drive.log == ["Starting Healthcheck child process, pid=100"]  # no death is reported
    assert drive.supervisor.deadline() is None
    assert not drive.supervisor.stopping


def test_a_child_that_is_no_longer_wanted_and_hangs_is_killed() -> None:
    drive = Drive()
    drive.feed(EVERYONE)
    drive.feed(NOBODY)
    assert drive.sleep() == [Kill(CHECKER, 100, signal.SIGKILL)]


def test_a_child_that_is_wanted_again_before_it_has_ended_is_started_anew_after_that() -> None:
    drive = Drive()
    drive.feed(EVERYONE)
    drive.feed(NOBODY)
    assert drive.feed(EVERYONE) == []
    assert not drive.supervisor.serves(CHECKER)
    assert drive.die(0) == [Spawn(CHECKER, takes_over=False)]
    assert drive.supervisor.serves(CHECKER)


def test_a_pending_restart_is_dropped_with_the_need_for_it() -> None:
    drive = Drive()
    drive.feed(EVERYONE)
    drive.die(3)
    drive.die(3)
    assert drive.feed(NOBODY) == []
    assert drive.supervisor.deadline() is None
    assert drive.feed(EVERYONE) == [Spawn(CHECKER, takes_over=False)]


def test_a_reload_does_not_hasten_a_pending_restart() -> None:
    drive = Drive()
    drive.feed(EVERYONE)
    drive.die(3)
    drive.die(3)
    deadline = drive.supervisor.deadline()
    assert drive.feed(EVERYONE) == []
    assert drive.supervisor.deadline() == deadline


def test_a_fork_that_fails_is_tried_again_with_the_same_purpose() -> None:
    drive = Drive()
    drive.forks = False
    drive.feed(EVERYONE)
    assert drive.log[0] == "Healthcheck child process: fork error(Cannot allocate memory)"
    assert drive.supervisor.deadline() == micro(1)
    drive.sleep()
    assert drive.supervisor.deadline() == micro(3)
    drive.forks = True
    assert drive.sleep() == [Spawn(CHECKER, takes_over=False)]
    drive.forks = False
    drive.die(-signal.SIGKILL, after=61)
    drive.forks = True
    assert drive.sleep() == [Spawn(CHECKER, takes_over=True)]


def test_the_end_of_a_process_that_is_not_the_child_says_nothing() -> None:
    drive = Drive()
    assert drive.feed(Exited(CHECKER, 100, 0)) == []
    drive.feed(EVERYONE)
    assert drive.feed(Exited(CHECKER, 4711, 1)) == []
    assert drive.supervisor.serves(CHECKER)


BOTH = Wanted(frozenset({CHECKER, Child.VRRP}))


def test_each_child_has_its_own_fate() -> None:
    drive = Drive()
    assert drive.feed(BOTH) == [Spawn(CHECKER, takes_over=False), Spawn(Child.VRRP, takes_over=False)]
    drive.die(3)
    assert drive.die(3) == []  # the checker's turn to wait
    vrrp = drive.supervisor.pid(Child.VRRP)
    assert drive.feed(Exited(Child.VRRP, vrrp, 3)) == [Spawn(Child.VRRP, takes_over=True)]
    assert drive.feed(Wanted(frozenset({CHECKER}))) == [Kill(Child.VRRP, drive.pid, signal.SIGTERM)]
    assert not drive.supervisor.serves(Child.VRRP)


def test_the_end_of_one_for_good_ends_the_others_and_waits_for_them() -> None:
    drive = Drive()
    drive.feed(BOTH)
    vrrp = drive.supervisor.pid(Child.VRRP)
    assert drive.die(2) == [Kill(Child.VRRP, vrrp, signal.SIGTERM)]
    assert drive.sleep() == [Kill(Child.VRRP, vrrp, signal.SIGKILL)]
    assert drive.feed(Exited(Child.VRRP, vrrp, -9)) == [Finish(2)]


EVENTS = st.one_of(
    st.sampled_from([EVERYONE, NOBODY, TimerFired(), StopRequested()]),
    st.sampled_from([0, 1, 2, 3, 70, -9, -15]).map(lambda status: Exited(CHECKER, -1, status)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(EVENTS, st.floats(0, 100), st.booleans()), max_size=40))
def test_whatever_happens_there_is_one_child_at_most_and_a_stop_ends(story: list[tuple[Event, float, bool]]) -> None:
    drive = Drive()
    living = 0
    for event, passes, drive.forks in story:
        drive.now = Micro(drive.now + micro(passes))
        pid = drive.supervisor.pid(CHECKER)
        if isinstance(event, Exited):
            if not pid:
                continue
            event = Exited(CHECKER, pid, event.status)
            living -= 1
        before = drive.pid
        drive.feed(event)
        living += drive.pid - before
        assert living in (0, 1)
        assert (drive.supervisor.pid(CHECKER) != 0) == (living == 1)
    drive.feed(StopRequested())
    if drive.supervisor.pid(CHECKER):
        assert drive.die(0) == [Finish(drive.done[-1].status if isinstance(drive.done[-1], Finish) else 0)]
    assert isinstance(drive.done[-1], Finish)
    assert drive.supervisor.deadline() is None
