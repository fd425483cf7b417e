"""Weights that grow after a recovery, and servers that are drained before they leave."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.config.lvs import RealServer
from keepalived_py.healthcheck.actions import Publish
from keepalived_py.healthcheck.gradual import WHOLE, SlowStart, part
from keepalived_py.units import Micro, micro
from tests.healthcheck.builders import VIP, VS, address, checked, key, lvs, rs_name, service, sorry
from tests.healthcheck.world import World


def weights(w: World) -> list[int]:
    """Weights of server 1 in the order in which they were published; -1: not in the table."""
    return [action.weights.get(key(1), -1) for action in w.actions if isinstance(action, Publish)]


# ---- slow start ----


def test_share_of_a_weight() -> None:
    ramp = SlowStart(micro(100), micro(20))
    assert [ramp.share(micro(at)) for at in (100, 101.9, 102, 117.9, 118, 120, 500)] == [100, 100, 200, 900, 1000, 1000, 1000]
    assert [ramp.next(micro(at)) for at in (100, 101.9, 102)] == [micro(102), micro(102), micro(104)]


@given(st.integers(1, 10**9), st.integers(0, 10**9))
def test_a_share_grows_to_the_whole_and_its_next_change_is_a_change(span: int, passed: int) -> None:
    ramp = SlowStart(Micro(5), Micro(span))
    now = Micro(5 + passed)
    share, later = ramp.share(now), ramp.next(now)
    assert 100 <= share <= WHOLE
    assert later > now
    if share < WHOLE:
        assert ramp.share(later) > share or span < 10
        assert ramp.share(Micro(later - 1)) == share
    assert ramp.share(Micro(5 + span)) == WHOLE


def test_part_of_a_weight_is_never_nothing() -> None:
    assert [part(weight, 100) for weight in (0, 1, 9, 10, 25, 100)] == [0, 1, 1, 1, 2, 10]


def slow(number: int = 1, weight: int = 100, seconds: float = 20) -> RealServer:
    return replace(checked(number, weight=weight), slow_start=micro(seconds))


def recovering(*others: RealServer, **words: object) -> World:
    """A world whose server 1 has gone down at 22 and comes up again at 41."""
    w = World()
    w.start(lvs(service(slow(), *others, **words)))  # type: ignore[arg-type]
    w.run_until(15)
    w.down.add(address(1))
    w.run_until(35)
    w.down.clear()
    w.forget()
    return w


def test_a_recovered_server_starts_with_a_tenth_and_grows() -> None:
    w = recovering(checked(2))
    w.run_until(100)
    assert weights(w) == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]


def test_weight_grows_in_equal_steps_of_time() -> None:
    w = recovering(checked(2))
    w.run_until(41.5)
    assert w.table(VIP)[0][key(1)] == 10
    w.run_until(43.1)
    assert w.table(VIP)[0][key(1)] == 20
    w.run_until(59.1)
    assert w.table(VIP)[0][key(1)] == 100


def test_a_server_that_is_up_from_the_start_has_all_its_weight() -> None:
    w = World()
    w.start(lvs(service(slow())))
    w.run(60)
    assert weights(w) == [100]


def test_the_quorum_counts_the_whole_weight_from_the_start() -> None:
    w = recovering(sorry_server=sorry(), quorum=50)
    assert w.table(VIP)[1] == 1
    w.run_until(41.5)
    assert w.table(VIP) == ({key(1): 10}, None)
    assert w.engine.snapshot().pools[0].live_weight == 100


def test_a_server_that_fails_again_starts_anew() -> None:
    w = recovering(checked(2))
    w.run_until(47.1)
    assert w.table(VIP)[0][key(1)] == 40
    w.down.add(address(1))
    w.run_until(53)
    w.down.clear()
    w.forget()
    w.run_until(100)
    assert weights(w) == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]


def test_a_reload_that_does_not_touch_the_words_lets_the_weight_go_on() -> None:
    w = recovering(checked(2))
    w.run_until(47.1)
    w.reload(lvs(service(slow(weight=200), checked(2))))
    assert w.table(VIP)[0][key(1)] == 80
    w.run_until(70)
    assert w.table(VIP)[0][key(1)] == 200


def test_a_reload_without_slow_start_gives_the_whole_weight_at_once() -> None:
    w = recovering(checked(2))
    w.run_until(47.1)
    w.reload(lvs(service(slow(seconds=0), checked(2))))
    assert w.table(VIP)[0][key(1)] == 100
    w.forget()
    w.run_until(70)
    assert weights(w) == []


def test_a_reload_that_removes_the_server_ends_it() -> None:
    w = recovering(checked(2))
    w.run_until(47.1)
    w.reload(lvs(service(checked(2))))
    w.reload(lvs())
    assert w.engine.deadline() is None


# ---- draining ----


def draining(number: int = 1, weight: int = 5, seconds: float = 30) -> RealServer:
    return replace(checked(number, weight=weight), drain_timeout=micro(seconds))


def published(w: World) -> Publish:
    return w.tables[VIP]


def test_a_server_that_leaves_the_configuration_is_kept_with_weight_0_for_a_while() -> None:
    w = World()
    w.start(lvs(service(draining(), checked(2))))
    w.run_until(15)
    w.reload(lvs(service(checked(2))))
    assert published(w).leaving == (draining(),)
    assert dict(published(w).weights) == {key(2): 1}
    w.run_until(44.9)
    assert published(w).leaving == (draining(),)
    w.run_until(45.1)
    assert published(w).leaving == ()
    assert w.log()[-1] == f"Drained service {rs_name(1)} of VS {VS}"


def test_a_failed_server_that_leaves_has_nothing_to_drain() -> None:
    w = World()
    w.down.add(address(1))
    w.start(lvs(service(draining(), checked(2))))
    w.run_until(15)
    w.reload(lvs(service(checked(2))))
    assert published(w).leaving == ()


def test_a_server_that_comes_back_while_it_is_drained_serves_again() -> None:
    w = World()
    w.start(lvs(service(draining(), checked(2))))
    w.run_until(15)
    w.reload(lvs(service(checked(2))))
    w.run_until(20)
    w.reload(lvs(service(draining(), checked(2))))
    assert published(w).leaving == ()
    w.run_until(100)
    assert dict(published(w).weights) == {key(1): 5, key(2): 1}


def test_weight_0_in_the_configuration_drains_and_then_takes_out() -> None:
    w = World()
    w.start(lvs(service(draining(), checked(2))))
    w.run_until(15)
    w.reload(lvs(service(draining(weight=0), checked(2))))
    assert dict(published(w).weights) == {key(1): 0, key(2): 1}
    w.run_until(45.1)
    assert dict(published(w).weights) == {key(2): 1}
    w.reload(lvs(service(draining(weight=3), checked(2))))
    assert dict(published(w).weights) == {key(1): 3, key(2): 1}


def test_without_drain_timeout_weight_0_stays() -> None:
    w = World()
    w.start(lvs(service(draining(weight=0, seconds=0), checked(2))))
    w.run_until(500)
    assert dict(published(w).weights) == {key(1): 0, key(2): 1}


def test_a_virtual_server_that_is_removed_takes_what_it_drains_along() -> None:
    w = World()
    w.start(lvs(service(draining(), checked(2))))
    w.run_until(15)
    w.reload(lvs(service(checked(2))))
    w.reload(lvs())
    assert w.engine.deadline() is None


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 60)), max_size=12))
def test_whatever_is_reloaded_the_end_is_the_configuration(changes: list[tuple[int, int, int]]) -> None:
    w = World()
    w.start(lvs(service(checked(2))))
    config = lvs(service(checked(2)))
    for present, weight, seconds in changes:
        server = replace(draining(weight=weight, seconds=present * 10), slow_start=micro(5 * present))
        config = lvs(service(*([server] if present else []), checked(2)))
        w.reload(config)
        w.run(seconds)
    w.run(100)
    drained = {rs.key for rs in config.virtual_servers[0].real_servers if rs.weight == 0}
    assert dict(published(w).weights) == {
        rs.key: rs.weight for rs in config.virtual_servers[0].real_servers if rs.key not in drained
    }
    assert published(w).leaving == ()
    assert len(w.engine._transitions._running) == len(w.engine._transitions._ids) == 0
