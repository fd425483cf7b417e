"""Hours of a whole fleet in milliseconds: detection and recovery within their bounds, whatever fails when."""

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from keepalived_py.addresses import Address, Family
from keepalived_py.config.checkers import Timing
from keepalived_py.config.lvs import AddressTarget, Lvs, Protocol, RealServer, VirtualServer
from keepalived_py.healthcheck.actions import FifoLine, Publish
from keepalived_py.units import Micro, micro
from tests.healthcheck.builders import VIP, address, checked, http, key, lvs, server, service, sorry, tcp
from tests.healthcheck.world import BAD, GOOD, World

TIMING = Timing(delay_loop=micro(6), retry=2, delay_before_retry=micro(2), warmup=micro(6))
TOOK = micro(0.5)
DETECTED = 6 + 2 * 2 + 3 * 0.5
"""Seconds in which a server that refuses is out: its interval, its retries, and the time that its probes take."""
RECOVERED = 6 + 0.5

_FAULTS = st.lists(st.tuples(st.floats(0.1, 40), st.integers(1, 4), st.booleans()), max_size=12)


@settings(deadline=None)
@given(faults=_FAULTS, phase=st.floats(0, 1), inhibit=st.booleans(), quorum=st.integers(1, 5))
def test_faults_of_any_pattern_are_seen_and_forgotten_in_time(
    faults: list[tuple[float, int, bool]], phase: float, inhibit: bool, quorum: int
) -> None:
    w = World(random=phase, took=TOOK)
    servers = tuple(checked(number, TIMING, inhibit=inhibit) for number in range(1, 5))
    w.start(lvs(service(*servers, quorum=quorum, sorry_server=sorry())))
    w.run(20)
    since = dict.fromkeys(range(1, 5), 0.0)
    for pause, number, up in faults:
        now = w.now / 1_000_000
        if (address(number) in w.down) == up:
            since[number] = now
        (w.down.discard if up else w.down.add)(address(number))
        w.run(pause)
        _check(w, since, quorum)
    w.run(DETECTED)
    _check(w, since, quorum)


def _check(w: World, since: dict[int, float], quorum: int) -> None:
    now = w.now / 1_000_000
    states = {state.key: state for state in w.engine.snapshot().pools[0].servers}
    alive = 0
    for number, moment in since.items():
        down = address(number) in w.down
        if now - moment >= (DETECTED if down else RECOVERED):
            assert states[key(number)].alive != down
        alive += states[key(number)].alive
    weights, sorry_weight = w.table(VIP)
    assert (sorry_weight == 1) == (alive < quorum)
    assert sum(weights.values()) == (0 if sorry_weight else alive)


def test_a_day_of_a_flapping_server_ends_as_it_began() -> None:
    w = World(took=TOOK)
    w.start(lvs(service(checked(1, TIMING), checked(2, TIMING))))
    w.run(20)
    before = w.table(VIP)
    for _ in range(24 * 60):
        w.down.add(address(1))
        w.run(30)
        w.down.clear()
        w.run(30)
    assert w.table(VIP) == before
    assert sum(isinstance(action, Publish) for action in w.actions) == 1 + 2 * 24 * 60


def fleet(services: int, servers: int, timing: Timing) -> Lvs:
    """Many virtual servers with servers of their own."""
    return Lvs(tuple(_service(number, servers, timing) for number in range(services)))


def _service(number: int, servers: int, timing: Timing) -> VirtualServer:
    target = AddressTarget(Address((0xCB007100 + number).to_bytes(4, "big")), 80, Protocol.TCP)
    members = []
    for index in range(servers):
        where = Address((0xC6120000 + number * servers + index).to_bytes(4, "big"))
        check = replace(tcp(1, timing), endpoint=replace(tcp(1).endpoint, address=where))
        members.append(RealServer(where, 80, checkers=(check,)))
    return VirtualServer(target, Family.INET, real_servers=tuple(members))


def test_checks_of_a_fleet_stay_spread_out() -> None:
    """Phases are drawn once and never shift, however long probes take: no second ever sees many more checks than another."""
    w = World(took=micro(0.3), random=random.Random(7).random)
    w.start(fleet(20, 10, replace(TIMING, delay_loop=micro(10), warmup=micro(10))))
    w.run(900)
    w.forget()
    w.run(10)
    first = [(at % micro(10), where) for at, where, _ in w.asked]
    assert len(first) == 200
    seconds = [sum(at // micro(1) == second for at, _ in first) for second in range(10)]
    assert max(seconds) < 3 * 20
    w.run(900)
    w.forget()
    w.run(10)
    assert sorted(first, key=str) == sorted([(at % micro(10), where) for at, where, _ in w.asked], key=str)


def test_one_dead_server_of_a_fleet_touches_only_its_own_service() -> None:
    w = World(took=micro(0.1))
    config = fleet(50, 4, TIMING)
    w.start(config)
    w.run(20)
    w.forget()
    victim = config.virtual_servers[17]
    w.down.add(victim.real_servers[2].address)
    w.run(DETECTED)
    published = [action for action in w.actions if isinstance(action, Publish)]
    assert [action.target for action in published] == [victim.target]
    assert sum(isinstance(action, FifoLine) for action in w.actions) == 1


@settings(max_examples=40, deadline=None)
@given(
    answers=st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=30),
    fast=st.booleans(),
)
def test_urls_good_and_bad_in_any_order_settle(answers: list[tuple[int, bool]], fast: bool) -> None:
    """Whatever the urls did, once they are all good the server is up after a round, and one bad url keeps it down."""
    bad: set[int] = set()
    w = World(took=micro(0.1))
    w.answer = lambda _, step, now: BAD if step in bad else GOOD
    w.start(lvs(service(server(1, http(1, "/a", "/b", "/c", timing=TIMING, fast_recovery=fast)), server(2))))
    for step, good in answers:
        (bad.discard if good else bad.add)(step)
        w.run(9)
    w.run(40)
    assert (key(1) in w.table(VIP)[0]) == (not bad)
    bad.clear()
    w.run(7 if fast else 3 * 6 + 1)
    assert key(1) in w.table(VIP)[0]
    assert w.now > Micro(0)
