"""Stamps, windows and senders of the HMAC trailer; sequence numbers of the authentication header.

Whole trailers and headers as a real keepalived makes them are compared in test_sending and test_receiving.
"""

import pytest

from keepalived_py.addresses import Address, Family
from keepalived_py.config.vrrp import AntiReplay, HmacKey
from keepalived_py.units import Micro, Seconds, micro
from keepalived_py.vrrp.auth import LAST_SEQUENCE, TRAILER, AhCounter, HmacTrailer, HmacVerdict
from tests.vrrp.builders import KEY, address, hmac_key

WALL = micro(1_800_000_000.25)
PART = bytes.fromhex("3133ff02000ab525cb007101cb007102")


def trailer(**more: object) -> HmacTrailer:
    return HmacTrailer(hmac_key(**more), Family.INET, 3, 51)


def stamp_of(signed: bytes) -> tuple[int, int, int]:
    _, _, _, seconds, fraction, counter, _ = TRAILER.unpack(signed)
    return seconds, fraction, counter


def verdict(
    receiver: HmacTrailer, signed: bytes, wall: Micro = WALL, source: Address = address(2), senders: int = 4
) -> HmacVerdict:
    return receiver.verify(PART, signed, source, wall, senders=senders).verdict


def test_a_fixed_vector() -> None:
    """Recorded from keepalived 2.4.3: key 00 01 .. 1f, id 7, version 3, router 51, source 192.0.2.1."""
    signed = bytes.fromhex("010700006b062de3202f0000540a1053ee79d516a4510117d57bc4eb")
    seconds, fraction = 0x6B062DE3, 0x202F
    wall = Micro(seconds * 1_000_000 + -(-fraction * 1_000_000 // 65536))
    assert trailer().sign(PART, address(1), wall) == signed
    assert verdict(trailer(), signed, wall, address(1)) is HmacVerdict.GOOD


def test_the_signature_binds_sender_router_version_family_and_part_but_not_the_checksum() -> None:
    signed = trailer().sign(PART, address(2), WALL)
    assert verdict(trailer(), signed) is HmacVerdict.GOOD
    assert verdict(trailer(), signed, source=address(3)) is HmacVerdict.INVALID
    for family, version, router in ((Family.INET6, 3, 51), (Family.INET, 2, 51), (Family.INET, 3, 52)):
        other = HmacTrailer(hmac_key(), family, version, router)
        assert other.verify(PART, signed, address(2), WALL, senders=4).verdict is HmacVerdict.INVALID
    other_sum = PART[:6] + b"\1\2" + PART[8:]
    assert trailer().verify(other_sum, signed, address(2), WALL, senders=4).verdict is HmacVerdict.GOOD


def test_any_configured_key_verifies_and_only_the_active_one_signs() -> None:
    keys = (HmacKey(7, KEY), HmacKey(8, bytes(32)))
    signed = trailer(keys=keys, active_key=8).sign(PART, address(2), WALL)
    assert signed[1] == 8
    assert verdict(trailer(keys=keys), signed) is HmacVerdict.GOOD
    assert verdict(trailer(), signed) is HmacVerdict.UNKNOWN_KEY


def test_stamps_are_the_wall_clock_and_grow_when_it_stands_still() -> None:
    sender = trailer()
    stamps = [stamp_of(sender.sign(PART, address(2), WALL)) for _ in range(3)]
    assert stamps == [(1_800_000_000, 0x4000, 0), (1_800_000_000, 0x4000, 1), (1_800_000_000, 0x4000, 2)]
    assert stamp_of(sender.sign(PART, address(2), Micro(WALL + micro(1)))) == (1_800_000_001, 0x4000, 0)


def test_a_clock_that_was_set_back_further_than_the_window_starts_anew() -> None:
    sender = trailer(time_window=Seconds(5))
    sender.sign(PART, address(2), WALL)
    assert stamp_of(sender.sign(PART, address(2), Micro(WALL - micro(5)))) == (1_800_000_000, 0x4000, 1)
    assert stamp_of(sender.sign(PART, address(2), Micro(WALL - micro(6)))) == (1_799_999_994, 0x4000, 0)


def test_with_monotonic_stamps_growth_is_never_given_up() -> None:
    sender = trailer(anti_replay=AntiReplay.MONOTONIC)
    sender.sign(PART, address(2), WALL)
    assert stamp_of(sender.sign(PART, address(2), Micro(WALL - micro(600)))) == (1_800_000_000, 0x4000, 1)


@pytest.mark.parametrize(("late", "good"), [(-6, False), (-5, True), (0, True), (5, True), (6, False)])
def test_the_window_reaches_to_both_sides(late: int, good: bool) -> None:
    signed = trailer().sign(PART, address(2), micro(1_800_000_000))
    found = verdict(trailer(), signed, micro(1_800_000_000 + late))
    assert found is (HmacVerdict.GOOD if good else HmacVerdict.STALE)


def test_monotonic_stamps_have_no_window() -> None:
    signed = trailer().sign(PART, address(2), WALL)
    receiver = trailer(anti_replay=AntiReplay.MONOTONIC)
    assert verdict(receiver, signed, Micro(WALL + micro(9_000))) is HmacVerdict.GOOD
    assert verdict(receiver, signed, WALL) is HmacVerdict.REPLAYED


def test_a_sender_must_move_on_and_forgery_moves_nothing() -> None:
    sender, receiver = trailer(), trailer()
    first, second, third = (sender.sign(PART, address(2), Micro(WALL + micro(number))) for number in range(3))
    assert verdict(receiver, second) is HmacVerdict.GOOD
    assert verdict(receiver, first) is HmacVerdict.REPLAYED
    forged = third[:12] + bytes(16)
    assert verdict(receiver, forged) is HmacVerdict.INVALID
    assert verdict(receiver, third) is HmacVerdict.GOOD


def test_what_was_heard_long_ago_does_not_lock_out_a_sender_whose_clock_was_corrected() -> None:
    receiver = trailer()
    early = Micro(WALL + micro(4))
    assert verdict(receiver, trailer().sign(PART, address(2), early), WALL) is HmacVerdict.GOOD
    corrected = trailer().sign(PART, address(2), Micro(WALL - micro(2)))
    assert verdict(receiver, corrected, Micro(WALL - micro(2))) is HmacVerdict.GOOD


def test_four_senders_of_a_group_are_remembered() -> None:
    receiver = trailer()
    signed = {number: trailer().sign(PART, address(number), WALL) for number in range(2, 7)}
    for number in range(2, 6):
        assert verdict(receiver, signed[number], source=address(number)) is HmacVerdict.GOOD
    assert verdict(receiver, signed[2], source=address(2)) is HmacVerdict.REPLAYED
    assert verdict(receiver, signed[6], source=address(6)) is HmacVerdict.GOOD, "pushes out router 3, heard least recently"
    assert verdict(receiver, signed[2], source=address(2)) is HmacVerdict.REPLAYED
    assert verdict(receiver, signed[3], source=address(3)) is HmacVerdict.GOOD


def test_stamps_survive_the_end_of_32_bit_seconds() -> None:
    end = micro(0xFFFFFFFF)
    sender, receiver = trailer(), trailer()
    before, after = sender.sign(PART, address(2), end), sender.sign(PART, address(2), Micro(end + micro(1)))
    assert stamp_of(before)[0] == 0xFFFFFFFF and stamp_of(after)[0] == 0
    assert verdict(receiver, before, end) is HmacVerdict.GOOD
    assert verdict(receiver, after, Micro(end + micro(1))) is HmacVerdict.GOOD
    assert verdict(receiver, before, Micro(end + micro(1))) is HmacVerdict.REPLAYED


def test_a_reload_keeps_what_was_sent_and_heard() -> None:
    old = trailer()
    heard = trailer().sign(PART, address(3), WALL)
    old.sign(PART, address(2), WALL)
    assert verdict(old, heard, source=address(3)) is HmacVerdict.GOOD
    new = trailer(time_window=Seconds(9))
    new.take_over(old)
    assert stamp_of(new.sign(PART, address(2), WALL))[2] == 1
    assert verdict(new, heard, source=address(3)) is HmacVerdict.REPLAYED


def test_sequence_numbers_stop_at_their_end() -> None:
    counter = AhCounter(LAST_SEQUENCE)
    found = [(counter.advance(), counter.cycled) for _ in range(2)]
    assert found == [(LAST_SEQUENCE + 1, False), (LAST_SEQUENCE + 1, True)]
    assert counter.sequence == LAST_SEQUENCE + 1


def test_masters_that_count_in_step_hear_each_other() -> None:
    first, second = AhCounter(), AhCounter()
    for _ in range(3):
        sent = first.advance(), second.advance()
        assert sent[0] == sent[1]
    assert second.accept(sent[0]) and first.accept(sent[1])
    assert first.advance() > sent[1]


def test_what_was_received_must_be_exceeded_by_everybody() -> None:
    counter = AhCounter()
    assert counter.accept(10) and not counter.accept(10) and not counter.accept(9)
    assert counter.advance() == 11 and counter.accept(11)


def test_numbers_start_anew_only_after_their_end() -> None:
    counter = AhCounter(LAST_SEQUENCE + 1, 9)
    counter.restart()
    assert counter.sequence == LAST_SEQUENCE + 1
    counter.advance()
    counter.restart()
    assert (counter.sequence, counter.received) == (0, 0)
