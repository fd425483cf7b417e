"""FILE_CHECK and BFD_CHECK: what nobody asks a server, but is told."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.config.checkers import BfdCheck, FileCheck
from keepalived_py.healthcheck.actions import Alert, StartProbe
from keepalived_py.healthcheck.events import Batch, FactLearned, Reloaded, Started
from keepalived_py.healthcheck.facts import BfdState, FileContent
from keepalived_py.healthcheck.file import FileKind, judge
from keepalived_py.healthcheck.kinds import absence
from keepalived_py.healthcheck.outcome import Outcome, Reason
from tests.healthcheck.builders import STEADY, VIP, VS, alpha, key, lvs, rs_name, server, service
from tests.healthcheck.world import World

PATH = "/run/weight"
FILE = FileCheck("load", replace(STEADY, retry=3, alpha=True), 2, path=PATH)
BFD = BfdCheck("peer", replace(STEADY, retry=3))


def content(number: int, path: str = PATH) -> FactLearned:
    return FactLearned(FileContent(path), number)


def session(up: bool, name: str = "peer") -> FactLearned:
    return FactLearned(BfdState(name), int(up))


# ---- FILE_CHECK ----


@pytest.mark.parametrize(
    ("weight", "reverse", "number", "result"),
    [
        (0, False, 0, Outcome(True)),
        (0, False, 5, Outcome(False, Reason.FILE_SAYS_DOWN, "5")),
        (0, False, -5, Outcome(False, Reason.FILE_SAYS_DOWN, "-5")),
        (0, True, 0, Outcome(False, Reason.FILE_SAYS_DOWN, "0")),
        (0, True, 1, Outcome(True)),
        (1, False, 7, Outcome(True, detail="7", bonus=7)),
        (-3, False, 7, Outcome(True, detail="7", bonus=-21)),
        (3, True, 7, Outcome(True, detail="7", bonus=-21)),
        (1, False, -(2**31), Outcome(False, Reason.FILE_SAYS_DOWN, str(-(2**31)))),
        (1, False, -(2**31) + 1, Outcome(True, detail=str(-(2**31) + 1), bonus=-(2**31) + 1)),
        (2, True, 2**30, Outcome(False, Reason.FILE_SAYS_DOWN, str(2**30))),
        (2**31 - 1, False, 2**31, Outcome(True, detail=str(2**31), bonus=2**31 - 1)),
    ],
)
def test_what_a_number_amounts_to(weight: int, reverse: bool, number: int, result: Outcome) -> None:
    assert judge(replace(FILE, weight=weight, reverse=reverse), number) == result


def test_the_number_is_added_to_the_weight_from_the_start() -> None:
    w = World()
    w.feed(Batch((content(4), Started(lvs(service(server(1, FILE, weight=10), server(2)))))))
    assert w.table(VIP) == ({key(1): 18, key(2): 1}, None)
    assert not [line for line in w.log() if "Activating" in line or "Changing" in line]


def test_without_a_word_about_the_file_it_holds_0() -> None:
    w = World()
    w.start(lvs(service(server(1, FILE, weight=10), server(2, replace(FILE, weight=0, reverse=True)))))
    assert w.table(VIP) == ({key(1): 10}, None)


def test_weights_follow_the_file_and_are_never_below_0() -> None:
    w = World()
    w.start(lvs(service(server(1, FILE, weight=10), server(2))))
    weights = []
    for number in (3, -2, -7, 0, 3, 3):
        w.feed(content(number))
        weights.append(w.table(VIP)[0][key(1)])
    assert weights == [16, 6, 0, 10, 16, 16]
    assert f"Changing weight from 16 to 6 for active service {rs_name(1)} of VS {VS}" in w.log()


def test_down_and_up_at_once_whatever_retry_says_and_without_mail() -> None:
    w = World()
    w.start(lvs(service(server(1, FILE, weight=10, smtp_alert=True), server(2))))
    w.feed(content(-(2**30)))
    assert w.table(VIP) == ({key(2): 1}, None)
    assert f"({rs_name(1)}): tracked file load now FAULT state" in w.log()
    w.feed(content(1))
    assert w.table(VIP) == ({key(1): 12, key(2): 1}, None)
    assert f"({rs_name(1)}): tracked file load leaving FAULT state" in w.log()
    assert not [action for action in w.actions if isinstance(action, Alert | StartProbe)]
    assert w.engine.deadline() is None


def test_two_servers_and_two_files() -> None:
    w = World()
    other = replace(FILE, path="/run/other", weight=1)
    w.start(lvs(service(server(1, FILE, other, weight=10), server(2, FILE, weight=20))))
    w.feed(content(1))
    w.feed(content(5, "/run/other"))
    assert w.table(VIP) == ({key(1): 17, key(2): 22}, None)


def test_a_reload_knows_what_was_told_before() -> None:
    w = World()
    w.start(lvs(service(server(1, weight=10))))
    w.feed(content(4))
    w.reload(lvs(service(server(1, FILE, weight=10))))
    assert w.table(VIP) == ({key(1): 18}, None)
    w.feed(Batch((content(-(2**30)), Reloaded(lvs(service(server(1, FILE, weight=11)))))))
    assert w.table(VIP) == ({}, None)
    w.reload(lvs(service(server(1, weight=10))))
    assert w.table(VIP) == ({key(1): 10}, None)
    assert not w.engine._registry._followers


def test_a_file_check_without_a_file_is_said() -> None:
    assert absence(replace(FILE, path="")) == "FILE_CHECK not run: track_file load has no file"


@given(st.lists(st.integers(-(2**31), 2**31), max_size=10), st.integers(-3, 3), st.booleans())
def test_only_the_last_number_counts(numbers: list[int], weight: int, reverse: bool) -> None:
    check = replace(FILE, weight=weight, reverse=reverse)
    w = World()
    w.start(lvs(service(server(1, check, weight=10))))
    for number in numbers:
        w.feed(content(number))
    fresh = World()
    fresh.feed(Batch((content(numbers[-1] if numbers else 0), Started(lvs(service(server(1, check, weight=10)))))))
    assert w.table(VIP) == fresh.table(VIP)


def test_the_timing_of_a_file_check_repeats_nothing() -> None:
    timing = FileKind().timing(FILE)
    assert (timing.retry, timing.rise, timing.fall, timing.alpha) == (0, 1, 1, False)


# ---- BFD_CHECK ----


def test_a_server_is_up_until_its_session_is_said_to_be_down() -> None:
    w = World()
    w.start(lvs(service(server(1, BFD), server(2))))
    assert w.table(VIP) == ({key(1): 1, key(2): 1}, None)
    w.feed(session(False))
    assert w.table(VIP) == ({key(2): 1}, None)
    assert f"BFD check of [peer] RS({rs_name(1)}) is DOWN" in w.log()
    w.feed(session(True))
    assert w.table(VIP) == ({key(1): 1, key(2): 1}, None)
    assert f"BFD check of [peer] RS({rs_name(1)}) is UP" in w.log()


def test_alpha_waits_for_the_session() -> None:
    w = World()
    w.start(lvs(service(server(1, replace(BFD, timing=alpha())), server(2))))
    assert w.table(VIP) == ({key(2): 1}, None)
    w.feed(session(True))
    assert w.table(VIP) == ({key(1): 1, key(2): 1}, None)


def test_a_session_whose_state_is_known_at_the_start() -> None:
    w = World()
    w.feed(Batch((session(False), Started(lvs(service(server(1, BFD), server(2)))))))
    assert w.table(VIP) == ({key(2): 1}, None)


def test_other_sessions_and_repeated_states_change_nothing() -> None:
    w = World()
    w.start(lvs(service(server(1, BFD), server(2))))
    w.feed(session(True))
    w.forget()
    for event in (session(True), session(False, "other"), session(True)):
        assert w.feed(event) == []


def test_the_mail_names_the_session() -> None:
    w = World()
    w.start(lvs(service(server(1, BFD, smtp_alert=True), server(2))))
    for up in (False, True):
        w.feed(session(up))
    assert [action.body for action in w.actions if isinstance(action, Alert)] == [
        "=> BFD CHECK peer failed on service <=",
        "=> BFD CHECK peer succeeded on service <=",
    ]
