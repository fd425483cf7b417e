"""One checker in time: each rule of the table in `schedule` has its test."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from keepalived_py.config.checkers import Timing
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.healthcheck.schedule import BOOTSTRAP, Schedule, Verdict, first_slot
from keepalived_py.units import Micro, micro

GOOD = Outcome(True)
BAD = Outcome(False, Reason.REFUSED)
NOT_RUN = Outcome(False, Reason.LOCAL)
TIMING = Timing(delay_loop=micro(10), retry=2, delay_before_retry=micro(3), warmup=Micro(0))


def at(seconds: float) -> Micro:
    return micro(seconds)


def make(timing: Timing = TIMING, *, up: bool = True, steps: int = 1, eager: bool = False) -> Schedule:
    return Schedule(timing, at(1), up=up, steps=steps, eager=eager)


def proven(timing: Timing = TIMING, *, steps: int = 1) -> Schedule:
    """A schedule that has come up at second 1 (with one step)."""
    schedule = make(timing, steps=steps)
    now = at(1)
    for _ in range(steps):
        now = schedule.due
        schedule.result(GOOD, now)
    assert schedule.up and schedule.has_run
    return schedule


def test_first_check_follows_bootstrap_and_a_random_part_of_warmup() -> None:
    timing = replace(TIMING, warmup=micro(60))
    assert first_slot(timing, at(100), lambda: 0.0) == at(100) + BOOTSTRAP
    assert first_slot(timing, at(100), lambda: 0.5) == at(131)
    assert first_slot(replace(timing, warmup=Micro(0)), at(100), lambda: 0.99) == at(101)


def test_first_success_is_told_once() -> None:
    schedule = make()
    assert schedule.result(GOOD, at(1.1)) is Verdict.UP
    assert schedule.result(GOOD, at(11.1)) is Verdict.NONE


def test_before_the_first_success_the_first_failure_is_final() -> None:
    schedule = make()
    assert schedule.result(BAD, at(1.1)) is Verdict.DOWN
    assert not schedule.up


def test_alpha_first_failure_is_told_although_it_was_down_already() -> None:
    schedule = make(up=False)
    assert schedule.result(BAD, at(1.1)) is Verdict.DOWN
    assert schedule.result(BAD, at(11.1)) is Verdict.NONE


def test_down_after_retry_plus_one_failures() -> None:
    schedule = proven()
    verdicts = [schedule.result(BAD, schedule.due) for _ in range(3)]
    assert verdicts == [Verdict.RETRY, Verdict.RETRY, Verdict.DOWN]


def test_retry_zero_means_the_first_failure_is_final() -> None:
    assert proven(replace(TIMING, retry=0)).result(BAD, at(11)) is Verdict.DOWN


def test_retries_are_delay_before_retry_after_the_failure() -> None:
    schedule = proven()
    schedule.result(BAD, at(11.4))
    assert schedule.due == at(14.4)


def test_a_success_forgets_earlier_failures() -> None:
    schedule = proven()
    for _ in range(2):
        assert schedule.result(BAD, schedule.due) is Verdict.RETRY
        assert schedule.result(BAD, schedule.due) is Verdict.RETRY
        assert schedule.result(GOOD, schedule.due) is Verdict.NONE
    assert schedule.up


def test_one_success_brings_a_failed_check_back() -> None:
    schedule = proven(replace(TIMING, retry=0))
    schedule.result(BAD, schedule.due)
    assert schedule.result(GOOD, schedule.due) is Verdict.UP


def test_while_down_failures_are_delay_loop_apart_and_say_nothing() -> None:
    schedule = make()
    schedule.result(BAD, at(1))
    assert [(schedule.result(BAD, schedule.due), schedule.due) for _ in range(2)] == [
        (Verdict.NONE, at(21)),
        (Verdict.NONE, at(31)),
    ]


def test_slow_probes_do_not_shift_the_schedule() -> None:
    schedule = make()
    for round in range(100):
        assert schedule.due == at(1 + 10 * round)
        schedule.result(GOOD, Micro(schedule.due + micro(4.9)))


def test_a_probe_that_takes_longer_than_delay_loop_skips_slots_but_keeps_the_phase() -> None:
    schedule = make()
    schedule.result(GOOD, at(35))
    assert schedule.due == at(41)


def test_retries_keep_the_phase() -> None:
    schedule = proven()
    schedule.result(BAD, at(11.5))
    schedule.result(GOOD, at(14.7))
    assert schedule.due == at(21)


def test_not_run_says_nothing_about_the_server() -> None:
    schedule = make()
    assert schedule.result(NOT_RUN, at(1)) is Verdict.SKIPPED
    assert (schedule.up, schedule.has_run, schedule.due) == (True, False, at(11))
    assert schedule.result(BAD, at(11)) is Verdict.DOWN


def test_steps_come_in_turn_one_each_delay_loop() -> None:
    schedule = make(steps=3)
    seen = []
    for _ in range(6):
        seen.append((schedule.step, schedule.due))
        schedule.result(GOOD, schedule.due)
    assert seen == [(round % 3, at(1 + 10 * round)) for round in range(6)]


def test_a_round_is_complete_when_every_step_has_passed() -> None:
    schedule = make(up=False, steps=3)
    assert [schedule.result(GOOD, schedule.due) for _ in range(4)] == [Verdict.NONE, Verdict.NONE, Verdict.UP, Verdict.NONE]


def test_a_failed_step_is_retried_and_asked_first_while_down() -> None:
    schedule = proven(steps=3)
    schedule.result(GOOD, schedule.due)
    verdicts, steps = [], []
    for _ in range(4):
        steps.append(schedule.step)
        verdicts.append(schedule.result(BAD, schedule.due))
    assert steps == [1, 1, 1, 1]
    assert verdicts == [Verdict.RETRY, Verdict.RETRY, Verdict.DOWN, Verdict.NONE]


def test_up_again_only_after_every_step_has_passed_in_a_row() -> None:
    schedule = make(steps=2)
    schedule.result(BAD, schedule.due)
    assert schedule.result(GOOD, schedule.due) is Verdict.NONE
    assert schedule.result(BAD, schedule.due) is Verdict.NONE
    assert schedule.result(GOOD, schedule.due) is Verdict.NONE
    assert schedule.result(GOOD, schedule.due) is Verdict.UP


def test_fast_recovery_leaves_no_delay_between_steps_until_up() -> None:
    schedule = make(steps=3, eager=True)
    assert [(schedule.result(GOOD, at(1.5)), schedule.due) for _ in range(3)] == [
        (Verdict.NONE, at(1.5)),
        (Verdict.NONE, at(1.5)),
        (Verdict.UP, at(11)),
    ]
    schedule.result(GOOD, at(11))
    assert schedule.due == at(21)


def test_fast_recovery_waits_after_a_failure() -> None:
    schedule = make(steps=3, eager=True)
    schedule.result(BAD, at(1.5))
    assert schedule.due == at(11)


@settings(deadline=None)
@given(
    results=st.lists(st.tuples(st.sampled_from((GOOD, BAD, NOT_RUN)), st.integers(0, 40_000_000)), max_size=60),
    retry=st.integers(0, 3),
    steps=st.integers(1, 3),
    up=st.booleans(),
    eager=st.booleans(),
)
def test_any_results_at_any_pace(results: list[tuple[Outcome, int]], retry: int, steps: int, up: bool, eager: bool) -> None:
    """The next run is never in the past nor more than a delay away, and verdicts tell every change of `up` exactly once."""
    schedule = make(replace(TIMING, retry=retry), up=up, steps=steps, eager=eager)
    known, told = up, False
    for outcome, took in results:
        now = Micro(schedule.due + took)
        verdict = schedule.result(outcome, now)
        assert now <= schedule.due <= now + max(TIMING.delay_loop, TIMING.delay_before_retry)
        if verdict in (Verdict.UP, Verdict.DOWN):
            assert (verdict is Verdict.UP) != known or not told
            known, told = verdict is Verdict.UP, True
        assert schedule.up == known
        assert schedule.has_run == told
        assert 0 <= schedule.step < steps
        assert schedule.tries <= retry


# ---- rise and fall ----


def test_fall_needs_so_many_failed_slots_each_with_its_retries() -> None:
    schedule = proven(replace(TIMING, retry=1, fall=2))
    verdicts = []
    times = []
    for _ in range(4):
        times.append(schedule.due / 1_000_000)
        verdicts.append(schedule.result(BAD, schedule.due))
    assert times == [11, 14, 21, 24]
    assert verdicts == [Verdict.RETRY] * 3 + [Verdict.DOWN]


def test_a_success_forgets_failed_slots() -> None:
    schedule = proven(replace(TIMING, retry=0, fall=2))
    results = [BAD, GOOD, BAD, GOOD, BAD, BAD]
    assert [schedule.result(result, schedule.due) for result in results] == [
        Verdict.RETRY,
        Verdict.NONE,
        Verdict.RETRY,
        Verdict.NONE,
        Verdict.RETRY,
        Verdict.DOWN,
    ]


def test_rise_needs_so_many_rounds_in_a_row() -> None:
    schedule = make(replace(TIMING, rise=3), up=False)
    results = [GOOD, GOOD, BAD, GOOD, GOOD, GOOD]
    verdicts = [schedule.result(result, schedule.due) for result in results]
    assert verdicts == [Verdict.NONE, Verdict.NONE, Verdict.DOWN, Verdict.NONE, Verdict.NONE, Verdict.UP]


def test_rise_counts_rounds_not_steps_and_keeps_to_the_slots() -> None:
    schedule = make(replace(TIMING, rise=2), up=False, steps=2, eager=True)
    times = []
    verdicts = []
    for _ in range(4):
        times.append(schedule.due / 1_000_000)
        verdicts.append(schedule.result(GOOD, schedule.due))
    assert times == [1, 1, 11, 11]
    assert verdicts == [Verdict.NONE] * 3 + [Verdict.UP]


def test_the_first_verdict_of_a_server_that_starts_up_waits_for_neither() -> None:
    assert make(replace(TIMING, rise=3, fall=3)).result(GOOD, at(1)) is Verdict.UP
    assert make(replace(TIMING, rise=3, fall=3)).result(BAD, at(1)) is Verdict.DOWN


def test_a_run_that_is_left_out_changes_nothing_but_the_time() -> None:
    schedule = proven()
    schedule.result(BAD, schedule.due)
    tries = schedule.tries
    schedule.skip(at(25))
    assert (schedule.due, schedule.tries, schedule.up) == (at(31), tries, True)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 3), st.lists(st.sampled_from([GOOD, BAD, NOT_RUN]), max_size=60))
def test_a_state_changes_only_after_enough_equal_results_in_a_row(rise: int, fall: int, retry: int, results: list[Outcome]) -> None:
    schedule = proven(replace(TIMING, rise=rise, fall=fall, retry=retry))
    needed = {True: rise, False: fall * (retry + 1)}
    row = 0
    last = None
    for result in results:
        was = schedule.up
        schedule.result(result, schedule.due)
        if result is not NOT_RUN:
            row = row + 1 if result.ok is last else 1
            last = result.ok
        if result.ok is not was and result is not NOT_RUN:
            assert (schedule.up is result.ok) == (row >= needed[result.ok])
        else:
            assert schedule.up is was
