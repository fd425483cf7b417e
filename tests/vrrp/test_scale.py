"""Size costs in proportion: twice the instances, twice the work."""

import time
from dataclasses import replace

from keepalived_py.config.vrrp import SyncGroup, Vrrp, VrrpInstance
from keepalived_py.vrrp.actions import AddAddresses, SendAdvert
from keepalived_py.vrrp.events import AddressAdded, Interface, InterfaceChanged
from tests.vrrp.bench import Bench
from tests.vrrp.builders import instance3, vip, vips

MANY = 250


def crowd(count: int) -> list[VrrpInstance]:
    return [
        instance3(f"V{number}", virtual_router_id=number, priority=150, virtual_addresses=vips(number, f"198.51.100.{number}"))
        for number in range(1, count + 1)
    ]


def cost(count: int) -> float:
    """CPU seconds of a life: start, one second as master, a fault, a recovery, a reload, a stop."""
    members = crowd(count)
    group = SyncGroup("G", tuple(member.name for member in members))
    began = time.process_time()
    bench = Bench(*members, vrrp=Vrrp(tuple(members), (group,)))
    bench.run(1)
    for up in (False, True):
        bench.router.feed(InterfaceChanged(Interface("eth0", 2, up=up)))
    bench.run(1)
    bench.router.reload(vrrp=Vrrp(tuple(replace(one, priority=140) for one in members), (group,)))
    for member in members:
        for entry in member.virtual_addresses:
            bench.router.feed(AddressAdded("eth0", entry.address, 24))
    bench.router.stop()
    return time.process_time() - began


def test_ten_times_the_instances_cost_no_more_than_ten_times_as_much() -> None:
    """With room for noise; anything quadratic would need a hundred times as much."""
    cost(25)
    small = min(cost(25) for _ in range(3))
    large = cost(MANY)
    assert large < 25 * small, (small, large)


def test_600_addresses_move_in_one_batch() -> None:
    many = tuple(vip(f"198.51.{number // 250}.{number % 250}") for number in range(600))
    bench = Bench(instance3(priority=150, virtual_addresses=many[:255], excluded_addresses=many[255:]))
    bench.run(0.4)
    (added,) = bench.router.of(AddAddresses)
    assert len(added.addresses) == 600
    (advert,) = bench.router.of(SendAdvert)
    assert advert.packet[23] == 255


def test_250_masters_send_each_advert_on_time() -> None:
    bench = Bench(*crowd(MANY))
    bench.run(1)
    bench.router.forget()
    bench.run(1)
    assert len(bench.router.of(SendAdvert)) == MANY * 10
