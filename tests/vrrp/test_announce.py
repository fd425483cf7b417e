"""Gratuitous ARPs and neighbour advertisements: blocks, delays, refreshes, other interfaces, rate limits."""

from dataclasses import replace

import pytest

from keepalived_py.addresses import Family
from keepalived_py.config.globals import GlobalDefs, VrrpDefaults
from keepalived_py.config.vrrp import Garp, GarpGroup, Vmac, Vrrp, VrrpInstance
from keepalived_py.units import MICRO_PER_SECOND, micro
from keepalived_py.vrrp.actions import SendGratuitous
from keepalived_py.vrrp.events import Interface, InterfaceChanged
from tests.vrrp.bench import Bench
from tests.vrrp.builders import instance3, vip, vips

MASTER_AT = 0.3 + 106 * 0.1 / 256


class Timed(Bench):
    """A router that has just become master; `garps` tells when it announced what since, in seconds."""

    def __init__(self, config: VrrpInstance, vrrp: Vrrp | None = None, globals_: GlobalDefs = GlobalDefs()) -> None:
        super().__init__(config, vrrp=vrrp or Vrrp((config,)), globals_=globals_)
        self.run(MASTER_AT + 0.000_1)
        assert self.state == "MASTER"

    @property
    def garps(self) -> list[tuple[float, str, str, int]]:
        """(seconds, interface, address, repeat), in the order in which they were sent."""
        timed = zip(self.router.when, self.router.actions, strict=True)
        return [
            (round(at / MICRO_PER_SECOND - MASTER_AT, 3), target.interface, str(target.address), action.repeat)
            for at, action in timed
            if isinstance(action, SendGratuitous)
            for target in action.targets
        ]

    def at(self, address: str = "203.0.113.1") -> list[tuple[float, int]]:
        return [(at, repeat) for at, _, whose, repeat in self.garps if whose == address]


def one(**garp: int) -> VrrpInstance:
    return instance3(priority=150, virtual_addresses=vips(1), garp=Garp(**garp))  # type: ignore[arg-type]


def times(config: VrrpInstance, seconds: float, globals_: GlobalDefs = GlobalDefs(), vrrp: Vrrp | None = None) -> Timed:
    timed = Timed(config, vrrp, globals_)
    timed.run(seconds)
    return timed


def test_one_block_at_once_and_one_after_the_delay() -> None:
    assert times(one(), 100).at() == [(0.0, 5), (5.0, 5)]


def test_repeat_and_delay_are_configured_and_a_delay_of_0_means_no_second_block() -> None:
    assert times(one(master_repeat=3, master_delay=7), 100).at() == [(0.0, 3), (7.0, 3)]
    assert times(one(master_delay=0), 100).at() == [(0.0, 5)]


def test_refreshes_begin_a_refresh_interval_after_the_second_block() -> None:
    found = times(one(master_refresh=10, master_refresh_repeat=2), 40).at()
    assert found == [(0.0, 5), (5.0, 5), (15.0, 2), (25.0, 2), (35.0, 2)]


def test_excluded_addresses_are_announced_too_and_in_order() -> None:
    config = replace(one(), excluded_addresses=vips(9, "2001:db8::9"))
    found = [address for at, _, address, _ in times(config, 1).garps]
    assert found == ["203.0.113.1", "203.0.113.9", "2001:db8::9"]


def test_nothing_is_sent_any_more_once_it_is_not_master() -> None:
    timed = Timed(one(master_refresh=1))
    timed.run(2)
    timed.advert(200)
    timed.router.forget()
    for _ in range(100):
        timed.advert(200)
        timed.run(0.1)
    assert timed.garps == []


def test_a_lower_advert_is_answered_now_and_after_a_delay() -> None:
    timed = Timed(one(lower_prio_repeat=2, lower_prio_delay=3, master_delay=0))
    timed.router.forget()
    timed.advert(100)
    timed.run(10)
    assert timed.at() == [(0.0, 2), (3.0, 2)]
    timed = Timed(one(lower_prio_repeat=0, master_delay=0))
    timed.router.forget()
    timed.advert(100)
    timed.run(10)
    assert timed.at() == []


def test_interfaces_without_arp_are_left_alone() -> None:
    bench = Bench(one(), facts=(InterfaceChanged(Interface("eth0", 2, up=True, arp=False)),))
    bench.run(1)
    assert bench.state == "MASTER" and not bench.router.of(SendGratuitous)


# Other interfaces -----------------------------------------------------------------------------------------------------------------

OTHERS = replace(
    one(extra_if=4, master_delay=0),
    excluded_addresses=(replace(vip(2), interface="eth1"), replace(vip(3), interface="eth1"), vip(4)),
)


def test_extra_if_all_announces_one_address_on_each_other_interface() -> None:
    config = replace(OTHERS, garp=replace(OTHERS.garp, extra_if_all=True))
    found = [(at, interface, address) for at, interface, address, _ in times(config, 9).garps if at]
    assert found == [(4.0, "eth1", "203.0.113.2"), (8.0, "eth1", "203.0.113.2")]


def test_extra_if_without_all_is_for_vmacs_only() -> None:
    assert [at for at, *_ in times(OTHERS, 9).garps if at] == []
    config = replace(OTHERS, vmac_addresses=True)
    bench = Bench(config)
    bench.run(1)
    bench.router.forget()
    bench.run(4)
    found = [target for action in bench.router.of(SendGratuitous) for target in action.targets]
    assert [(target.interface, str(target.address)) for target in found] == [("vrrp.51", "203.0.113.2")]


def test_on_its_own_vmac_extra_if_is_for_xmit_base_only() -> None:
    for xmit_base, expected in ((False, 0), (True, 1)):
        config = replace(one(extra_if=4, master_delay=0), vmac=Vmac(), vmac_xmit_base=xmit_base)
        bench = Bench(config)
        bench.run(2)
        assert bench.state == "MASTER"
        bench.router.forget()
        bench.run(4)
        assert len(bench.router.of(SendGratuitous)) == expected


# Rate limits ----------------------------------------------------------------------------------------------------------------------


def limited(garp: float = 0.0, gna: float = 0.0) -> GlobalDefs:
    return GlobalDefs(vrrp=VrrpDefaults(garp_interval=micro(garp), gna_interval=micro(gna)))


def test_a_rate_limit_lets_one_address_through_at_a_time_in_rounds() -> None:
    config = replace(one(master_repeat=2, master_delay=0), virtual_addresses=vips(1, 2))
    found = [(at, address[-1]) for at, _, address, _ in times(config, 5, limited(0.5)).garps]
    assert found == [(0.0, "1"), (0.5, "2"), (1.0, "1"), (1.5, "2")]


def test_a_family_without_a_limit_is_not_limited() -> None:
    config = replace(one(master_delay=0), excluded_addresses=vips("2001:db8::1", "2001:db8::2"))
    found = [(at, address, repeat) for at, _, address, repeat in times(config, 0.1, limited(0.5)).garps]
    assert ("2001:db8::1" in {address for _, address, _ in found}) and (0.0, "2001:db8::2", 5) in found
    six = times(config, 9, limited(0.0, 0.5)).garps
    assert [at for at, _, address, _ in six if address == "2001:db8::1"] == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_group_shares_one_limit_over_its_interfaces() -> None:
    config = replace(one(master_repeat=1, master_delay=0), excluded_addresses=(replace(vip(2), interface="eth1"),))
    groups = (GarpGroup(("eth0", "eth1"), garp_interval=micro(0.5)),)
    found = [(at, interface) for at, interface, _, _ in times(config, 5, vrrp=Vrrp((config,), garp_groups=groups)).garps]
    assert found == [(0.0, "eth0"), (0.5, "eth1")]
    apart = [(at, interface) for at, interface, _, _ in times(config, 5, limited(0.5)).garps]
    assert apart == [(0.0, "eth0"), (0.0, "eth1")], "without a group each interface has its own"


def test_a_group_that_says_nothing_of_a_family_does_not_limit_it() -> None:
    config = replace(one(master_repeat=2, master_delay=0), excluded_addresses=vips("2001:db8::1"))
    groups = (GarpGroup(("eth0",), garp_interval=micro(0.5)),)
    vrrp = Vrrp((config,), garp_groups=groups)
    found = times(config, 5, limited(0.0, 0.5), vrrp).garps
    assert [(at, repeat) for at, _, address, repeat in found if ":" in address] == [(0.0, 2)]


def test_what_waits_is_dropped_when_it_is_not_master_any_more() -> None:
    timed = Timed(replace(one(master_repeat=5), virtual_addresses=vips(1, 2)), globals_=limited(0.5))
    timed.run(0.6)
    timed.advert(200)
    timed.router.forget()
    timed.router.pause()
    timed.run(0.3)
    timed.router.resume()
    assert timed.garps == []


def test_hundreds_of_addresses_are_one_action() -> None:
    many = tuple(replace(vip(f"198.51.{number // 250}.{number % 250}")) for number in range(600))
    bench = Bench(instance3(priority=150, virtual_addresses=many[:255], excluded_addresses=many[255:]))
    bench.run(0.4)
    (block,) = bench.router.of(SendGratuitous)
    assert (len(block.targets), block.repeat) == (600, 5)


@pytest.mark.parametrize("family", list(Family))
def test_the_schedule_is_the_same_for_both_families(family: Family) -> None:
    addresses = vips("203.0.113.1") if family is Family.INET else vips("2001:db8::1")
    config = replace(one(), virtual_addresses=vips(7), excluded_addresses=addresses)
    assert times(config, 9).at(str(addresses[0].address)) == [(0.0, 5), (5.0, 5)]
