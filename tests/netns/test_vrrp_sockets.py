"""`vrrp.sockets`, `vrrp.filter`, `system.timer`, `system.inotify` on a real kernel.

here (192.0.2.1, 2001:db8::1) ---- there (192.0.2.2, 2001:db8::2)
"""

import os
import socket
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from examples.lab import Lab, Node, eventually
from keepalived_py.addresses import Address, Family
from keepalived_py.checksum import internet_checksum
from keepalived_py.system.clock import now
from keepalived_py.system.inotify import FileWatch
from keepalived_py.system.timer import AbsoluteTimer
from keepalived_py.units import Micro
from keepalived_py.vrrp.actions import SendAdvert
from keepalived_py.vrrp.channel import PROTOCOL_AH, PROTOCOL_VRRP, Channel, Filter
from keepalived_py.vrrp.events import AdvertReceived
from keepalived_py.vrrp.filter import program
from keepalived_py.vrrp.sockets import ChannelSockets

pytestmark = pytest.mark.net

GROUP4, GROUP6 = Address.parse("224.0.0.18"), Address.parse("ff02::12")
HERE4, THERE4 = Address.parse("192.0.2.1"), Address.parse("192.0.2.2")
HERE6, THERE6 = Address.parse("2001:db8::1"), Address.parse("2001:db8::2")
ALL = Filter(None)


def link_is_up(node: Node) -> bool:
    """Whether the kernel's link watch has been round: before, a new link drops what is sent."""
    return node.run("ip", "link", "show", "type", "veth").count("state UP") == 1


@pytest.fixture
def ends() -> Iterator[tuple[Node, Node]]:
    with Lab() as lab:
        here, there = lab.node("here"), lab.node("there")
        lab.link(here, there, ("192.0.2.1/24", "2001:db8::1/64"), ("192.0.2.2/24", "2001:db8::2/64"))
        for node in (here, there):
            eventually(partial(link_is_up, node), "the link is up")
        yield here, there


def channel4(interface: str, *, unicast: Address | None = None, protocol: int = PROTOCOL_VRRP) -> Channel:
    return Channel(Family.INET, protocol, interface, group=None if unicast else GROUP4, source=unicast)


def channel6(interface: str, *, unicast: Address | None = None) -> Channel:
    return Channel(Family.INET6, PROTOCOL_VRRP, interface, group=None if unicast else GROUP6, source=unicast)


def opened(node: Node, channel: Channel, wanted: Filter = ALL) -> ChannelSockets:
    with node.entered():
        return ChannelSockets(channel, wanted, None)


def vrrp(vrid: int) -> bytes:
    return bytes([0x31, vrid, 100, 0, 0, 100, 0, 0])


def packet4(source: Address, destination: Address, payload: bytes, ttl: int = 255, protocol: int = PROTOCOL_VRRP) -> bytes:
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0xC0, 20 + len(payload), 1, 0, ttl, protocol, 0, source.packed, destination.packed)
    return header[:10] + struct.pack("!H", internet_checksum(header)) + header[12:] + payload


def advert4(channel: Channel, vrid: int, destination: Address = GROUP4, source: Address = HERE4, ttl: int = 255) -> SendAdvert:
    return SendAdvert("V", channel, source, destination, packet4(source, destination, vrrp(vrid), ttl), 100)


def advert6(channel: Channel, vrid: int, destination: Address = GROUP6, hop_limit: int | None = None) -> SendAdvert:
    return SendAdvert("V", channel, HERE6, destination, vrrp(vrid), 100, hop_limit)


def received(sockets: ChannelSockets, count: int) -> list[AdvertReceived]:
    """Wait for `count` packets; the last one sent is always one that passes, so that nothing can still be on its way."""
    found: list[AdvertReceived] = []

    def enough() -> bool:
        found.extend(sockets.receive(64))
        return len(found) >= count

    eventually(enough, f"{count} packets")
    return found


def vrid4(event: AdvertReceived) -> int:
    return event.packet[21]


def test_a_multicast_advert_over_ipv4(ends: tuple[Node, Node]) -> None:
    sender, receiver = opened(ends[0], channel4("there")), opened(ends[1], channel4("here"))
    sender.send(advert4(sender.channel, 51))
    (event,) = received(receiver, 1)
    assert (event.channel, event.source, vrid4(event)) == (receiver.channel, HERE4, 51)
    assert event.packet[0] == 0x45 and event.packet[8] == 255
    assert list(sender.receive(10)) == [], "it hears itself"


def test_a_multicast_advert_over_ipv6(ends: tuple[Node, Node]) -> None:
    sender, receiver = opened(ends[0], channel6("there")), opened(ends[1], channel6("here"))
    sender.send(advert6(sender.channel, 52))
    (event,) = received(receiver, 1)
    assert (event.source, event.destination, event.hop_limit, event.packet[1]) == (HERE6, GROUP6, 255, 52)
    checksum = struct.unpack_from("!H", event.packet, 6)[0]
    assert checksum != 0, "the kernel has not filled in the checksum"
    assert list(sender.receive(10)) == []


def test_unicast_adverts_of_both_families(ends: tuple[Node, Node]) -> None:
    pairs = [
        (channel4("there", unicast=HERE4), channel4("here", unicast=THERE4)),
        (channel6("there", unicast=HERE6), channel6("here", unicast=THERE6)),
    ]
    for outgoing, incoming in pairs:
        sender, receiver = opened(ends[0], outgoing), opened(ends[1], incoming)
        if outgoing.family is Family.INET:
            sender.send(advert4(outgoing, 7, THERE4))
        else:
            sender.send(advert6(outgoing, 7, THERE6, hop_limit=64))
        (event,) = received(receiver, 1)
        assert event.source in (HERE4, HERE6)
        assert event.hop_limit in (None, 64)


def test_the_filter_drops_foreign_virtual_routers(ends: tuple[Node, Node]) -> None:
    wanted = Filter(frozenset({10, 20, 255}))
    for make, send, vrid in (
        (channel4, advert4, vrid4),
        (channel6, advert6, lambda event: event.packet[1]),
    ):
        sender, receiver = opened(ends[0], make("there")), opened(ends[1], make("here"), wanted)
        for number in (1, 10, 11, 20, 254, 255):
            sender.send(send(sender.channel, number))
        assert [vrid(event) for event in received(receiver, 3)] == [10, 20, 255]


def test_the_filter_drops_other_hop_limits(ends: tuple[Node, Node]) -> None:
    wanted = Filter(frozenset({9}), hop_limit=255)
    sender, receiver = opened(ends[0], channel4("there")), opened(ends[1], channel4("here"), wanted)
    for ttl in (254, 1, 255):
        sender.send(advert4(sender.channel, 9, ttl=ttl))
    (event,) = received(receiver, 1)
    assert event.packet[8] == 255
    sender, receiver = opened(ends[0], channel6("there")), opened(ends[1], channel6("here"), wanted)
    for limit in (254, 1, 255):
        sender.send(advert6(sender.channel, 9, hop_limit=limit))
    (event,) = received(receiver, 1)
    assert event.hop_limit == 255


def test_the_filter_drops_unknown_senders(ends: tuple[Node, Node]) -> None:
    friends = frozenset({HERE4, Address.parse("192.0.2.77")})
    sender = opened(ends[0], channel4("there"))
    receiver = opened(ends[1], channel4("here"), Filter(frozenset({9}), sources=friends))
    for last in (50, 77, 1):
        sender.send(advert4(sender.channel, 9, source=Address.parse(f"192.0.2.{last}")))
    assert [str(event.source) for event in received(receiver, 2)] == ["192.0.2.77", "192.0.2.1"]
    ends[0].ip("address add 2001:db8::77/64 dev there nodad")
    friends6 = frozenset({HERE6, Address.parse("2001:db8::99"), Address.parse("2001:db9::1")})
    sender = opened(ends[0], channel6("there"))
    receiver = opened(ends[1], channel6("here"), Filter(frozenset({9}), sources=friends6))
    stranger = SendAdvert("V", sender.channel, Address.parse("2001:db8::77"), GROUP6, vrrp(9), 100)
    sender.send(stranger)
    sender.send(advert6(sender.channel, 9))
    assert [event.source for event in received(receiver, 1)] == [HERE6]


def test_a_filter_can_be_changed_under_way(ends: tuple[Node, Node]) -> None:
    sender, receiver = opened(ends[0], channel4("there")), opened(ends[1], channel4("here"), Filter(frozenset({1})))
    receiver.change(Filter(frozenset({2})), 65536)
    for number in (1, 2):
        sender.send(advert4(sender.channel, number))
    assert [vrid4(event) for event in received(receiver, 1)] == [2]


def test_behind_an_authentication_header_the_filter_finds_the_virtual_router(ends: tuple[Node, Node]) -> None:
    channel = channel4("there", protocol=PROTOCOL_AH)
    sender = opened(ends[0], channel)
    receiver = opened(ends[1], channel4("here", protocol=PROTOCOL_AH), Filter(frozenset({9})))
    header = bytes([PROTOCOL_VRRP, 4, 0, 0]) + bytes(20)
    for number in (8, 9):
        packet = packet4(HERE4, GROUP4, header + vrrp(number), protocol=PROTOCOL_AH)
        sender.send(SendAdvert("V", channel, HERE4, GROUP4, packet, 100))
    assert [event.packet[45] for event in received(receiver, 1)] == [9]


def test_a_missing_interface_or_address_is_an_os_error_and_leaks_nothing(ends: tuple[Node, Node]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for channel in (channel4("nowhere"), channel4("there", unicast=Address.parse("192.0.2.99"))):
        with pytest.raises(OSError):
            opened(ends[0], channel)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("family", [Family.INET, Family.INET6])
def test_a_filter_for_every_virtual_router_fits(family: Family, ends: tuple[Node, Node]) -> None:
    make = channel4 if family is Family.INET else channel6
    wanted = Filter(frozenset(range(1, 256)), 255, frozenset(HERE4 + n if family is Family.INET else HERE6 + n for n in range(30)))
    assert len(program(make("there"), wanted)) < 4096
    opened(ends[0], make("there"), wanted).close()


def test_the_timer_wakes_at_its_instant() -> None:
    timer = AbsoluteTimer()
    at = Micro(now() + 30_000)
    timer.arm(at)
    with pytest.raises(BlockingIOError):
        os.read(timer.fileno(), 8)
    waiting = socket.socketpair()
    eventually(lambda: now() > at, "the instant passes", every=0.001)
    os.read(timer.fileno(), 8)
    timer.arm(Micro(0))
    os.read(timer.fileno(), 8)
    timer.clear()
    timer.arm(None)
    with pytest.raises(BlockingIOError):
        os.read(timer.fileno(), 8)
    timer.close()
    for end in waiting:
        end.close()


def test_files_are_watched_through_creation_replacement_and_removal(tmp_path: Path) -> None:
    watch = FileWatch()
    path, other = tmp_path / "number", tmp_path / "other"
    watch.add(path)
    path.write_text("1")
    assert list(watch.changed()) == [path]
    other.write_text("2")
    assert list(watch.changed()) == []
    other.rename(path)
    assert list(watch.changed()) == [path]
    path.unlink()
    assert list(watch.changed()) == [path]
    watch.discard(path)
    path.write_text("3")
    assert list(watch.changed()) == []
    with pytest.raises(OSError):
        watch.add(tmp_path / "missing" / "file")
    watch.close()
