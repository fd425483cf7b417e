"""Whatever happens to routers and link: once it is quiet there is exactly one master, and it alone has the addresses."""

from dataclasses import replace
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from keepalived_py.config.vrrp import AuthType, VrrpInstance
from keepalived_py.units import MICRO_PER_SECOND, Micro, micro
from tests.helpers.clock import LocalClock
from tests.helpers.lan import Faults, Lan
from tests.vrrp.builders import instance, instance3, instance6, password, unicast

QUIET = 20
"""Advert intervals: several times the longest master down interval."""

rates = st.sampled_from([Fraction(1), Fraction(99, 100), Fraction(101, 100), Fraction(9, 10), Fraction(11, 10)])
clocks = st.builds(LocalClock, st.integers(0, 10**12).map(Micro), rates)

faults = st.builds(
    Faults,
    loss=st.sampled_from([0.0, 0.1, 0.5, 0.9]),
    repeat=st.sampled_from([0.0, 0.3]),
    least_delay=st.just(Micro(50)),
    most_delay=st.sampled_from([micro(0.0003), micro(0.02), micro(0.3)]),
)

numbers = st.integers(1, 4)
steps = st.one_of(
    st.tuples(st.just("link"), faults),
    st.tuples(st.just("part"), st.frozensets(numbers, max_size=3)),
    st.tuples(st.just("pause"), numbers),
    st.tuples(st.just("resume"), numbers),
    st.tuples(st.just("kill"), numbers),
    st.tuples(st.just("reload"), numbers, st.integers(1, 254)),
    st.tuples(st.just("wait"), st.sampled_from([0.01, 0.2, 0.5, 3.0])),
)

configs = st.sampled_from(
    [
        instance3(),
        instance3(advert_int=micro(0.01)),
        instance6(),
        instance(advert_int=micro(1)),
        instance(authentication=password(AuthType.AH)),
        instance3(preempt=False),
        instance3(preempt_delay=micro(2)),
        unicast(instance3(), 1, 2, 3, 4),
    ]
)


def own(config: VrrpInstance, number: int, priority: int) -> VrrpInstance:
    """The configuration of one router."""
    mine = replace(config, priority=priority)
    if not config.is_unicast:
        return mine
    others = tuple(peer for peer in config.unicast_peers if peer.address.packed[-1] != number)
    address = type(others[0].address)(bytes((192, 0, 2, number)))
    return replace(mine, source_address=address, unicast_peers=others)


def play(lan: Lan, config: VrrpInstance, script: list[tuple[object, ...]]) -> None:
    for what, *arguments in script:
        router = lan.routers.get(arguments[0]) if isinstance(arguments[0], int) else None
        match what:
            case "link":
                assert isinstance(arguments[0], Faults)
                lan.faults = arguments[0]
            case "part":
                assert isinstance(arguments[0], frozenset)
                lan.parts = (arguments[0], frozenset(lan.routers) - arguments[0])
            case "pause" if router is not None:
                router.pause()
            case "resume" if router is not None and router.alive:
                router.resume()
            case "kill" if router is not None and sum(other.alive for other in lan.routers.values()) > 1:
                router.kill()
            case "reload" if router is not None and router.alive and not router.paused:
                assert isinstance(arguments[1], int)
                router.reload(own(config, router.number, arguments[1]))
            case "wait":
                assert isinstance(arguments[0], float)
                lan.run(arguments[0])


def calm(lan: Lan, config: VrrpInstance) -> None:
    lan.faults = Faults()
    lan.parts = ()
    for router in lan.routers.values():
        if router.alive and router.paused:
            router.resume()
    lan.run((20 * config.advert_int + 2 * config.preempt_delay) / MICRO_PER_SECOND + 1)


@settings(max_examples=150, deadline=None)
@given(
    configs,
    st.lists(st.tuples(st.integers(1, 254), clocks), min_size=2, max_size=4),
    st.lists(steps, max_size=14),
    st.integers(0, 2**16),
)
def test_one_master_once_it_is_quiet(
    config: VrrpInstance, routers: list[tuple[int, LocalClock]], script: list[tuple[object, ...]], seed: int
) -> None:
    lan = Lan(seed)
    for number, (priority, clock) in enumerate(routers, 1):
        lan.router(number, clock=clock).start(own(config, number, priority))
    play(lan, config, script)
    calm(lan, config)
    masters = lan.masters()
    assert len(masters) == 1, {number: router.log()[-6:] for number, router in lan.routers.items()}
    alive = [router for router in lan.routers.values() if router.alive]
    assert [router.number for router in alive if router.held] == masters
    if config.preempt:
        assert lan.routers[masters[0]].instance().effective == max(router.instance().effective for router in alive)


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, max_size=8), st.integers(0, 2**16), st.integers(1, 254))
def test_two_address_owners_end_up_with_one_master(script: list[tuple[object, ...]], seed: int, third: int) -> None:
    lan = Lan(seed)
    config = instance3()
    for number, priority in enumerate((255, 255, third), 1):
        lan.router(number).start(own(config, number, priority))
    play(lan, config, [step for step in script if step[0] != "reload"])
    calm(lan, config)
    masters = lan.masters()
    assert len(masters) == 1
    assert [router.number for router in lan.routers.values() if router.alive and router.held] == masters
    owners = [router for router in lan.routers.values() if router.alive and router.number < 3]
    assert not owners or masters[0] in {router.number for router in owners}


def test_the_master_of_a_quiet_link_stays_and_nobody_else_speaks() -> None:
    lan = Lan()
    for number, priority in ((1, 150), (2, 100), (3, 50)):
        lan.router(number).start(own(instance3(), number, priority))
    lan.run(5)
    for router in lan.routers.values():
        router.forget()
    lan.run(3600)
    sent = {number: len(router.sent) for number, router in lan.routers.items()}
    assert sent == {1: 36_000, 2: 0, 3: 0}
    assert all(router.log() == [] for router in lan.routers.values())
