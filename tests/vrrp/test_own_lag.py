"""A process that did not run must not take the silence of that time for the silence of others."""

from dataclasses import replace

import pytest

from keepalived_py.config.vrrp import SyncGroup, Vrrp
from keepalived_py.units import micro
from keepalived_py.vrrp.actions import Level, Log
from keepalived_py.vrrp.events import OwnLag
from keepalived_py.vrrp.fsm import State
from tests.helpers.lan import Lan, Router
from tests.vrrp.bench import Bench
from tests.vrrp.builders import instance3, vips

HIGH, LOW = instance3(priority=150), instance3(priority=100)


def pair() -> tuple[Lan, Router, Router]:
    lan = Lan()
    first, second = lan.router(1), lan.router(2)
    first.start(HIGH)
    second.start(LOW)
    lan.run(2)
    assert lan.masters() == [1]
    for router in (first, second):
        router.forget()
    return lan, first, second


def test_a_master_that_was_stopped_gives_up_when_it_wakes_and_comes_back_by_the_rules() -> None:
    lan, first, second = pair()
    first.pause()
    lan.run(10)
    assert second.state() is State.MASTER and len(second.held) == 2
    first.resume()
    assert first.state() is State.BACKUP and first.held == set(), "before anything that piled up is looked at"
    assert first.sent == []
    lan.run(0.1)
    assert len([router for router in (first, second) if router.held]) == 1, "within one advert interval"
    lan.run(1)
    assert lan.masters() == [1], "its priority is higher, so it preempts"


def test_it_says_so_and_counts_it() -> None:
    lan, first, _ = pair()
    first.pause()
    lan.run(10)
    first.resume()
    warnings = [action.text for action in first.of(Log) if action.level is Level.WARNING]
    assert len(warnings) == 1 and warnings[0].startswith("VRRP thread timer expired 9.")
    assert any("MASTER -> BACKUP: this process did not run for 9." in line for line in first.log())
    assert first.engine.snapshot().own_lags == 1
    assert first.instance().statistics.own_lags == 1


def test_a_backup_that_was_stopped_waits_anew() -> None:
    lan, first, second = pair()
    second.pause()
    lan.run(10)
    first.pause()
    second.resume()
    assert second.state() is State.BACKUP and second.sent == []
    assert second.instance().due is not None
    lan.run(0.3)
    assert second.state() is State.BACKUP
    lan.run(0.2)
    assert second.state() is State.MASTER


def test_a_pause_shorter_than_the_dead_interval_changes_nothing() -> None:
    lan, first, second = pair()
    for pause in (0.05, 0.2, 0.3):
        first.pause()
        lan.run(pause)
        first.resume()
        lan.run(1)
        assert first.state() is State.MASTER and first.engine.snapshot().own_lags == 0
    assert not any("Entering" in line for line in first.log() + second.log())


def test_adverts_that_piled_up_count_before_the_silence_they_end() -> None:
    """A short pause of a backup whose timer would have fired, had nothing been heard meanwhile."""
    lan, first, second = pair()
    lan.run(0.05)
    second.pause()
    lan.run(0.39)
    second.resume()
    assert second.state() is State.BACKUP and first.state() is State.MASTER


def test_the_address_owner_does_not_give_up() -> None:
    bench = Bench(replace(HIGH, priority=255))
    bench.run(1)
    bench.router.pause()
    bench.run(10)
    bench.router.forget()
    bench.router.resume()
    assert bench.state == "MASTER" and bench.sent() == [255]


def test_timer_expired_backup_names_the_priority_whose_patience_counts() -> None:
    """A router of priority 254 takes over after 3 intervals and a skew of 2/256, one of our priority later."""
    for patience, state in ((0, "MASTER"), (254, "BACKUP")):
        bench = Bench(replace(HIGH, preempt=False, priority=1, timer_expired_backup=patience)).until_master()
        bench.run(0.000_1)
        bench.router.pause()
        bench.run(0.34)
        bench.router.resume()
        assert bench.state == state, patience


def test_a_shell_may_tell_of_a_pause_that_no_deadline_fell_into() -> None:
    bench = Bench(replace(HIGH, advert_int=micro(10)))
    bench.run(1)
    due = bench.due_in
    bench.router.feed(OwnLag(micro(5)))
    assert bench.due_in == due
    bench.router.feed(OwnLag(micro(60)))
    assert bench.due_in == pytest.approx(30 + 106 * 10 / 256)
    bench.router.feed(OwnLag(micro(60)))
    assert bench.router.engine.snapshot().own_lags == 1, "the same pause, told twice"


def test_a_group_gives_up_together() -> None:
    members = tuple(
        replace(HIGH, name=name, virtual_router_id=number, virtual_addresses=vips(number)) for name, number in (("A", 1), ("B", 2))
    )
    bench = Bench(*members, vrrp=Vrrp(members, (SyncGroup("G", ("A", "B")),)))
    bench.run(1)
    bench.router.pause()
    bench.run(5)
    bench.router.resume()
    assert [bench.router.state(name).name for name in "AB"] == ["BACKUP", "BACKUP"]
    assert bench.router.fifo()[-1] == 'GROUP "G" BACKUP 0'


def test_a_learnt_short_interval_makes_short_pauses_matter() -> None:
    bench = Bench(replace(HIGH, advert_int=micro(1)))
    bench.advert(200, config=replace(HIGH, advert_int=micro(0.01)))
    bench.run(0.01)
    bench.router.pause()
    bench.run(0.1)
    bench.router.resume()
    assert bench.state == "BACKUP" and bench.router.engine.snapshot().own_lags == 1
