"""What we send against what keepalived sent for the same configuration, byte for byte."""

from pathlib import Path

import pytest

from keepalived_py.addresses import Family
from keepalived_py.config.vrrp import HmacMode, VrrpInstance
from keepalived_py.units import MICRO_PER_SECOND, Micro
from keepalived_py.vrrp.auth import TRAILER, AhCounter, HmacTrailer
from keepalived_py.vrrp.sending import Moment, Sender
from tests.vrrp.builders import GROUP4, KEY, address, hmac_key, instance, instance3, unicast, vips
from tests.vrrp.recorded import FILES, case_of, packets, source_of


def sender_for(config: VrrpInstance) -> Sender:
    trailer = None
    if config.hmac is not None:
        trailer = HmacTrailer(config.hmac, config.family, config.version, config.virtual_router_id)
    return Sender(config, GROUP4, AhCounter(), trailer)


def wall_of(trailer: bytes) -> Micro:
    """The wall clock time that makes the stamp of a trailer."""
    _, _, _, seconds, fraction, counter, _ = TRAILER.unpack(trailer)
    assert counter == 0
    return Micro(seconds * MICRO_PER_SECOND - (-fraction * MICRO_PER_SECOND // 65536))


def without_kernel_checksum(family: Family, packet: bytes) -> bytes:
    """What the kernel fills in: the IP header's checksum, and for IPv6 the header and the VRRP checksum."""
    if family is Family.INET:
        return packet[:10] + b"\0\0" + packet[12:]
    return packet[40:46] + b"\0\0" + packet[48:]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_packets_equal_those_of_keepalived(path: Path) -> None:
    config = case_of(path)
    recorded = packets(path)
    sender = sender_for(config)
    old = "old" in path.name
    ours: list[bytes] = []
    stop = "stop" in path.name
    for turn in range(4 if stop else 3):
        priority = config.priority
        if stop and turn == 3:
            priority = 0
        wall = Micro(0)
        if config.hmac is not None:
            index = min(len(ours), len(recorded) - 1)
            wall = wall_of(recorded[index][-TRAILER.size :])
        ours += [packet for _, packet in sender.packets(Moment(priority, source_of(config), old), wall)]
    if stop:
        ours = [*ours[:2], ours[-1]]
    expected = [without_kernel_checksum(config.family, packet) for packet in recorded]
    got = [without_kernel_checksum(config.family, packet) for packet in ours] if config.family is Family.INET else ours
    if stop:
        # How many adverts came between the second and the last depends on when the signal came.
        expected[2] = expected[2][:4] + got[2][4:6] + expected[2][6:]
    assert [packet.hex() for packet in got[: len(expected)]] == [packet.hex() for packet in expected]


def test_an_unchanged_advert_is_packed_once() -> None:
    sender = sender_for(instance3())
    moment = Moment(100, address(1))
    (first,) = sender.packets(moment, Micro(0))
    (second,) = sender.packets(moment, Micro(0))
    assert (first[1][4:6], second[1][4:6]) == (b"\0\1", b"\0\2")
    assert first[1][6:] == second[1][6:]
    assert len(sender._packed) == 1


def test_priority_zero_leaves_the_present_priority_at_hand() -> None:
    sender = sender_for(instance3())
    for priority in (100, 0, 100):
        sender.packets(Moment(priority, address(1)), Micro(0))
    assert len(sender._packed) == 2
    sender.packets(Moment(100, address(9)), Micro(0))
    assert len(sender._packed) == 1


def test_the_id_never_is_zero() -> None:
    sender = sender_for(instance3())
    moment = Moment(100, address(1))
    ids = [int.from_bytes(sender.packets(moment, Micro(0))[0][1][4:6], "big") for _ in range(65537)]
    assert ids[:2] == [1, 2] and ids[65534:] == [65535, 1, 2]


def test_a_changed_source_changes_header_and_checksum() -> None:
    sender = sender_for(instance3())
    (_, before), (_, after) = (sender.packets(Moment(100, address(number)), Micro(0))[0] for number in (1, 2))
    assert before[12:16] == address(1).packed and after[12:16] == address(2).packed
    assert before[26:28] != after[26:28]


def test_copies_to_peers_share_id_sequence_and_stamp() -> None:
    config = unicast(instance3(hmac=hmac_key()), 2, 3, 4)
    copies = sender_for(config).packets(Moment(100, address(1)), Micro(7_000_000))
    assert [str(destination) for destination, _ in copies] == ["192.0.2.2", "192.0.2.3", "192.0.2.4"]
    assert len({packet[4:6] for _, packet in copies}) == 1
    assert len({packet[-TRAILER.size :] for _, packet in copies}) == 1


def test_a_receive_only_router_does_not_sign() -> None:
    config = instance3(hmac=hmac_key(mode=HmacMode.RECEIVE_ONLY))
    ((_, packet),) = sender_for(config).packets(Moment(100, address(1)), Micro(0))
    assert len(packet) == 20 + 8 + 8
    assert KEY not in packet


def test_255_addresses_fill_one_packet() -> None:
    many = tuple(vips(*(f"198.51.100.{number}" for number in range(255))))
    ((_, packet),) = sender_for(instance(virtual_addresses=many)).packets(Moment(100, address(1)), Micro(0))
    assert len(packet) == 20 + 8 + 255 * 4 + 8
    assert packet[23] == 255 and packet[2:4] == len(packet).to_bytes(2, "big")
