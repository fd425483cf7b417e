"""MISC_CHECK without processes: exit statuses, time limits, dynamic weights, and what the log says."""

import signal
from dataclasses import replace

import pytest

from keepalived_py.config.checkers import MiscCheck, Timing
from keepalived_py.config.scripts import Script
from keepalived_py.healthcheck.kind import Failure, Where
from keepalived_py.healthcheck.misc import MiscKind, MiscProbe
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.healthcheck.probe import Await, Execute, Kill
from keepalived_py.units import micro
from tests.healthcheck.builders import STEADY, VIP, key, lvs, server, service
from tests.healthcheck.steps import START, after, outcome
from tests.healthcheck.world import World

SCRIPT = Script(("/usr/bin/check", "it"))
CHECK = MiscCheck(SCRIPT, Timing(retry=0, delay_loop=micro(7)), micro(3))
WHERE = Where("[192.0.2.1]:tcp:80", "[203.0.113.1]:tcp:80")


def started(check: MiscCheck = CHECK) -> MiscProbe:
    probe = MiscProbe(check)
    probe.begin(START)
    return probe


def test_the_program_is_run_and_limited() -> None:
    assert MiscProbe(CHECK).begin(START) == (Execute(SCRIPT), Await(after(3)))


def test_without_misc_timeout_the_limit_is_delay_loop() -> None:
    assert MiscProbe(replace(CHECK, timeout=micro(0))).begin(START)[1] == Await(after(7))


@pytest.mark.parametrize(
    ("status", "plain", "dynamic"),
    [
        (0, Outcome(True), Outcome(True)),
        (1, Outcome(False, Reason.EXIT_STATUS, "1"), Outcome(False, Reason.EXIT_STATUS, "1")),
        (2, Outcome(False, Reason.EXIT_STATUS, "2"), Outcome(True, detail="exit status 2", weight=0)),
        (103, Outcome(False, Reason.EXIT_STATUS, "103"), Outcome(True, detail="exit status 103", weight=101)),
        (255, Outcome(False, Reason.EXIT_STATUS, "255"), Outcome(True, detail="exit status 255", weight=253)),
        (-11, Outcome(False, Reason.KILLED, "11"), Outcome(False, Reason.KILLED, "11")),
        (-15, Outcome(False, Reason.KILLED, "15"), Outcome(False, Reason.KILLED, "15")),
    ],
)
def test_exit_statuses(status: int, plain: Outcome, dynamic: Outcome) -> None:
    assert outcome(started().ended(status, START)) == plain
    assert outcome(started(replace(CHECK, dynamic=True)).ended(status, START)) == dynamic


def test_too_long_means_term_then_kill_then_giving_up() -> None:
    probe = started()
    assert probe.timed_out(after(3)) == (Kill(signal.SIGTERM), Await(after(5)))
    assert probe.timed_out(after(5)) == (Kill(signal.SIGKILL), Await(after(7)))
    end = outcome(probe.timed_out(after(7)))
    assert end == Outcome(False, Reason.RAN_TOO_LONG, "and does not die", micro(7))


@pytest.mark.parametrize("status", [0, 1, -15, -9, 50])
def test_whatever_a_program_makes_of_the_signal_it_has_failed(status: int) -> None:
    probe = started(replace(CHECK, dynamic=True))
    probe.timed_out(after(3))
    assert outcome(probe.ended(status, after(4))) == Outcome(False, Reason.RAN_TOO_LONG, "", micro(4))


# ---- weights, in a world ----

DYNAMIC = MiscCheck(SCRIPT, replace(STEADY, retry=1), dynamic=True)


def weighing(*statuses: int, weight: int = 10) -> list[tuple[float, dict[str, int]]]:
    """Weights after each run of a program that ends with `statuses`, one every ten seconds (a second after a failure)."""
    left = list(statuses)
    w = World()
    w.program = lambda _: outcome(started(DYNAMIC).ended(left.pop(0), START))
    w.start(lvs(service(server(1, DYNAMIC, weight=weight), server(2))))
    tables: list[tuple[float, dict[str, int]]] = []
    while left:
        w.run(1)
        if len(left) < len(statuses) - len(tables):
            tables.append((w.now / 1_000_000, {str(key): weight for key, weight in w.table(VIP)[0].items()}))
    return tables


def test_dynamic_weights_come_and_go() -> None:
    one, two = str(key(1)), str(key(2))
    assert [table for _, table in weighing(0, 52, 2, 0, 7)] == [
        {one: 10, two: 1},
        {one: 50, two: 1},
        {one: 0, two: 1},
        {one: 10, two: 1},
        {one: 5, two: 1},
    ]


def test_a_failure_that_is_to_be_repeated_leaves_the_weight() -> None:
    one = str(key(1))
    assert [table.get(one) for _, table in weighing(52, 1, 32, 1, 1, 1, 22)] == [50, 50, 30, 30, None, None, 20]


# ---- texts ----


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (Failure(Outcome(False, Reason.EXIT_STATUS, "3"), 1, 0, final=True), "failed with retry disabled (exited with status 3)."),
        (Failure(Outcome(False, Reason.EXIT_STATUS, "1"), 2, 1, final=True), "failed after 1 retry (exited with status 1)."),
        (Failure(Outcome(False, Reason.KILLED, "9"), 3, 2, final=True), "failed after 2 retries (due to signal 9)."),
        (Failure(Outcome(False, Reason.RAN_TOO_LONG), 3, 2, final=True), "timed out after 2 retries."),
    ],
)
def test_what_the_log_says_of_a_failure(failure: Failure, text: str) -> None:
    start = "Misc check for [[192.0.2.1]:tcp:80 VS [203.0.113.1]:tcp:80] by [/usr/bin/check] "
    assert MiscKind().failure_text(CHECK, failure, WHERE) == start + text
    assert MiscKind().attempt_text(CHECK, failure, WHERE) is None


@pytest.mark.parametrize(
    ("tries", "retry", "text"),
    [
        (1, 1, "failed, will do 1 retry (exited with status 1)."),
        (1, 3, "failed, will do 3 retries (exited with status 1)."),
        (2, 3, "failed on retry 1/3 (exited with status 1)."),
    ],
)
def test_what_the_log_says_of_a_try(tries: int, retry: int, text: str) -> None:
    failure = Failure(Outcome(False, Reason.EXIT_STATUS, "1"), tries, retry)
    assert (MiscKind().attempt_text(CHECK, failure, WHERE) or "").endswith(f"by [/usr/bin/check] {text}")


def test_what_the_mail_says() -> None:
    kind = MiscKind()
    assert kind.mail_text(CHECK, Outcome(True)) == "=> MISC CHECK succeeded on service <="
    assert kind.mail_text(CHECK, Outcome(False, Reason.KILLED, "9")) == "=> MISC CHECK failed on service <="
    assert kind.mail_text(CHECK, Outcome(False, Reason.RAN_TOO_LONG)) == "=> MISC CHECK timed out on service <="
