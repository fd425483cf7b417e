"""The checks of a received packet, one by one and in their order; packets of a real keepalived pass all of them."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepalived_py.addresses import Address, Family
from keepalived_py.checksum import internet_checksum
from keepalived_py.config.vrrp import Authentication, AuthType, ChecksumCompat, HmacMode, UnicastPeer, VrrpInstance
from keepalived_py.errors import PeerError
from keepalived_py.units import Micro, Seconds, micro
from keepalived_py.vrrp.auth import TRAILER, AhCounter, HmacTrailer
from keepalived_py.vrrp.packet import take_apart
from keepalived_py.vrrp.reasons import COUNTERS, Reason
from keepalived_py.vrrp.receiving import Accepted, Receiver, Rejected, Standpoint, Verdict
from keepalived_py.vrrp.sending import Moment, Sender
from keepalived_py.vrrp.statistics import Statistics
from tests.vrrp.builders import GROUP4, address, hmac_key, instance, instance3, instance6, password, peers, unicast, vips
from tests.vrrp.recorded import FILES, as_received, case_of, packets
from tests.vrrp.test_sending import wall_of

WALL = micro(1_800_000_000)
PASS = password(AuthType.PASS)
AH = password(AuthType.AH)


class Link:
    """A sender with `theirs` and a receiver with `ours`, and no router between them."""

    def __init__(self, theirs: VrrpInstance, ours: VrrpInstance | None = None, *, old: bool = False) -> None:
        self.theirs, self.ours = theirs, ours or theirs
        self.sender = Sender(theirs, GROUP4, AhCounter(), trailer_of(theirs))
        self.receiver = Receiver(self.ours, GROUP4, AhCounter(), trailer_of(self.ours))
        self.source = address(2) if theirs.family is Family.INET else Address.parse("fe80::2")
        self.old = old

    def packet(self, priority: int = 100, wall: Micro = WALL) -> bytes:
        if self.ours.is_unicast:
            return self.sender.packets(Moment(priority, self.source, self.old), wall)[0][1]
        ((_, packet),) = self.sender.packets(Moment(priority, self.source, self.old), wall)
        return packet

    def verdict(self, packet: bytes, **more: object) -> Verdict:
        hop_limit = more.pop("hop_limit", 255 if self.theirs.family is Family.INET6 else None)
        group = self.ours.multicast_group or self.ours.source_address
        destination = group if self.theirs.family is Family.INET6 else None
        frame = take_apart(self.theirs.family, self.source, packet, destination, hop_limit)  # type: ignore[arg-type]
        return self.receiver.check(frame, Standpoint(**{"wall": WALL, **more}))  # type: ignore[arg-type]

    def reason(self, packet: bytes | None = None, **more: object) -> Reason | None:
        verdict = self.verdict(self.packet() if packet is None else packet, **more)
        return verdict.notes[-1].reason if isinstance(verdict, Rejected) else None


def trailer_of(config: VrrpInstance) -> HmacTrailer | None:
    return None if config.hmac is None else HmacTrailer(config.hmac, config.family, config.version, config.virtual_router_id)


def resealed(packet: bytes, at: int, byte: int) -> bytes:
    """Change a byte of a version 2 packet's VRRP part, checksum included."""
    body = bytearray(packet[20:])
    body[at] = byte
    body[6:8] = b"\0\0"
    body[6:8] = internet_checksum(bytes(body)).to_bytes(2, "big")
    return packet[:20] + bytes(body)


def changed(packet: bytes, at: int, byte: int) -> bytes:
    return packet[:at] + bytes((byte,)) + packet[at + 1 :]


# A real keepalived's adverts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_adverts_of_keepalived_are_accepted(path: Path) -> None:
    config = case_of(path)
    receiver = Receiver(config, GROUP4, AhCounter(), trailer_of(config))
    accepted = []
    for packet in packets(path):
        source, received, destination, hop_limit = as_received(config, packet)
        if config.is_unicast:
            # Two copies of one advert, as two peers get them, are one advert to a single peer.
            if received[16:20] == address(3).packed:
                continue
            receiver._peers[source] = UnicastPeer(source)
        wall = wall_of(packet[-TRAILER.size :]) if config.hmac is not None else WALL
        frame = take_apart(config.family, source, received, destination, hop_limit)
        verdict = receiver.check(frame, Standpoint(wall))
        assert isinstance(verdict, Accepted) and not verdict.notes
        accepted.append(verdict.advert)
    assert {advert.source for advert in accepted} == {source}
    assert {advert.interval for advert in accepted} == {config.advert_int}
    assert accepted[0].priority == config.priority
    assert ("stop" in path.name) is (accepted[-1].priority == 0)


# 1 AH header present iff auth AH


@pytest.mark.parametrize(("theirs", "ours"), [(AH, None), (AH, PASS), (None, AH)])
def test_1_a_missing_or_unexpected_authentication_header_is_a_type_mismatch(
    theirs: Authentication | None, ours: Authentication | None
) -> None:
    assert Link(instance(authentication=theirs), instance(authentication=ours)).reason() is Reason.AH_HEADER
    assert COUNTERS[Reason.AH_HEADER] == "authtype_mismatch"


# 2 length


def test_2_a_packet_longer_or_shorter_than_its_address_count_says_is_dropped() -> None:
    link = Link(instance3(), instance3(virtual_addresses=vips(1, 2, 3)))
    assert link.reason(link.packet() + bytes(4)) is Reason.LENGTH
    assert link.reason(link.packet()[:-1]) is Reason.LENGTH
    assert COUNTERS[Reason.LENGTH] == "packet_len_err"


@pytest.mark.parametrize(("padding", "good"), [(10, True), (6, True), (2, True), (4, False), (14, False), (1, False)])
def test_2_padding_up_to_the_shortest_frame_is_no_error(padding: int, good: bool) -> None:
    link = Link(instance3())
    packet = link.packet()
    assert len(packet) == 36
    assert (link.reason(packet + bytes(padding)) is None) is good


# 3 TTL


@pytest.mark.parametrize("ttl", [0, 1, 64, 254])
def test_3_multicast_must_arrive_with_ttl_255(ttl: int) -> None:
    link = Link(instance3())
    assert link.reason(changed(link.packet(), 8, ttl)) is Reason.HOP_LIMIT


def test_3_hop_limit_of_ipv6_comes_from_ancillary_data_and_may_be_unknown() -> None:
    link = Link(instance6())
    assert link.reason(hop_limit=254) is Reason.HOP_LIMIT
    assert link.reason(hop_limit=None) is None


def test_3_unicast_may_arrive_with_any_ttl() -> None:
    link = Link(unicast(instance3(unicast_ttl=3)))
    assert link.reason() is None


# 4 version


def test_4_another_version_is_dropped() -> None:
    assert Link(instance3(), instance()).reason() is Reason.VERSION
    assert Link(instance(), instance3()).reason() is Reason.VERSION


# 5 HMAC trailer

SIGNED = instance3(hmac=hmac_key())


def test_5_a_signed_advert_is_accepted() -> None:
    link = Link(SIGNED)
    assert link.reason(link.packet()) is None


@pytest.mark.parametrize(
    ("mode", "reason"), [(HmacMode.ENFORCE, Reason.HMAC_MISSING), (HmacMode.PERMISSIVE, None), (HmacMode.RECEIVE_ONLY, None)]
)
def test_5_an_unsigned_advert_is_dropped_only_by_enforce(mode: HmacMode, reason: Reason | None) -> None:
    assert Link(instance3(), instance3(hmac=hmac_key(mode=mode))).reason() is reason


@pytest.mark.parametrize("mode", list(HmacMode))
def test_5_a_wrong_trailer_is_dropped_in_every_mode(mode: HmacMode) -> None:
    link = Link(SIGNED, instance3(hmac=hmac_key(mode=mode)))
    packet = link.packet()
    assert link.reason(changed(packet, len(packet) - 1, packet[-1] ^ 1)) is Reason.HMAC_INVALID


def test_5_the_trailer_is_judged_field_by_field() -> None:
    link = Link(SIGNED)
    packet = link.packet()
    start = len(packet) - TRAILER.size
    assert link.reason(changed(packet, start, 2)) is Reason.HMAC_MALFORMED
    assert link.reason(changed(packet, start + 2, 1)) is Reason.HMAC_MALFORMED
    assert link.reason(changed(packet, start + 1, 8)) is Reason.HMAC_UNKNOWN_KEY
    assert link.reason(changed(packet, 22, 200)) is Reason.HMAC_INVALID, "the priority is signed"
    assert link.reason(packet, wall=Micro(WALL + micro(6))) is Reason.HMAC_STALE
    assert link.reason(packet) is None
    assert link.reason(packet) is Reason.HMAC_REPLAYED


def test_5_clocks_that_drift_apart_are_warned_of_before_adverts_are_refused() -> None:
    link = Link(SIGNED)
    verdict = link.verdict(link.packet(), wall=Micro(WALL + micro(4)))
    assert isinstance(verdict, Accepted)
    assert [note.reason for note in verdict.notes] == [Reason.CLOCK_SKEW]
    assert "clock skew 4 sec" in verdict.notes[0].text


def test_5_a_signed_unicast_advert_must_come_from_a_peer() -> None:
    link = Link(unicast(SIGNED, 3))
    assert link.reason() is Reason.UNKNOWN_PEER
    assert Link(unicast(SIGNED, 2)).reason() is None


def test_5_a_trailer_that_nobody_asked_for_is_a_wrong_length() -> None:
    assert Link(SIGNED, instance3()).reason() is Reason.LENGTH


# 6 authentication of version 2


def test_6_unknown_type_other_type_and_wrong_password_are_told_apart() -> None:
    link = Link(instance())
    assert link.reason(resealed(link.packet(), 4, 3)) is Reason.AUTH_UNKNOWN
    assert link.reason(resealed(link.packet(), 4, 1)) is Reason.AUTH_OTHER
    other = password(AuthType.PASS, b"other")
    assert Link(instance(authentication=PASS), instance(authentication=other)).reason() is Reason.PASSWORD
    assert Link(instance(authentication=PASS)).reason() is None


@pytest.mark.parametrize("at", [0, 1, 2, 5, 7])
def test_6_all_eight_bytes_of_the_password_count(at: int) -> None:
    link = Link(instance(authentication=PASS))
    packet = link.packet()
    body = len(packet) - 20
    assert link.reason(resealed(packet, body - 8 + at, 1)) is Reason.PASSWORD


def test_6_the_digest_of_an_authentication_header_covers_everything_that_may_not_change() -> None:
    link = Link(instance(authentication=AH))
    packet = link.packet()
    for at in (8, 12, 21, 24, 32, 46, len(packet) - 1):
        assert link.reason(changed(packet, at, packet[at] ^ 1)) is not None, at
    for mutable in (1, 6, 10):
        assert Link(instance(authentication=AH)).reason(changed(packet, mutable, packet[mutable] ^ 1)) is None, mutable


def test_6_a_sequence_number_must_grow() -> None:
    link = Link(instance(authentication=AH))
    first, second = link.packet(), link.packet()
    assert link.reason(second) is None
    assert link.reason(second) is Reason.AH_SEQUENCE
    assert link.reason(first) is Reason.AH_SEQUENCE
    assert link.reason(link.packet()) is None


def test_6_an_authentication_header_for_another_protocol_is_none_of_our_business() -> None:
    link = Link(instance(authentication=AH))
    verdict = link.verdict(changed(link.packet(), 20, 6))
    assert isinstance(verdict, Rejected) and verdict.notes[0].reason is Reason.AH_OTHER_PROTOCOL
    assert verdict.notes[0].text == "" and Reason.AH_OTHER_PROTOCOL not in COUNTERS


# 7 interval of version 2


def test_7_version_2_drops_adverts_with_another_interval() -> None:
    assert Link(instance(), instance(advert_int=micro(2))).reason() is Reason.INTERVAL
    assert Link(instance(advert_int=micro(2)), instance(advert_int=micro(2))).reason() is None


# 8 type


def test_8_only_advertisements_are_accepted() -> None:
    link = Link(instance())
    assert link.reason(resealed(link.packet(), 0, 0x22)) is Reason.TYPE


# 9 total length


def test_9_the_length_in_the_ip_header_must_be_what_came() -> None:
    link = Link(instance3())
    assert link.reason(changed(link.packet(), 3, 37)) is Reason.TOTAL_LENGTH
    assert link.reason(changed(link.packet(), 3, 34)) is None, "two bytes of padding"


# 10 interval of version 3


def test_10_version_3_remarks_on_another_interval_and_uses_the_advert() -> None:
    link = Link(instance3(advert_int=micro(0.5)), instance3())
    verdict = link.verdict(link.packet())
    assert isinstance(verdict, Accepted)
    assert verdict.advert.interval == micro(0.5)
    assert verdict.notes[0].text == "(V) advertisement interval mismatch ours = 10 centi-sec rcv'd=50 centi-sec"
    assert [note.text for note in link.verdict(link.packet()).notes] == [""], "said once, counted always"


def test_10_the_reserved_bits_of_the_interval_are_ignored() -> None:
    link = Link(instance3())
    packet = bytearray(link.packet())
    packet[24] |= 0xF0
    packet[26:28] = (int.from_bytes(packet[26:28], "big") - 0xF000 & 0xFFFF).to_bytes(2, "big")
    packet[26:28] = bytes(2)
    phdr = packet[12:20] + bytes((0, 112)) + (16).to_bytes(2, "big")
    packet[26:28] = internet_checksum(bytes(phdr + packet[20:])).to_bytes(2, "big")
    verdict = link.verdict(bytes(packet))
    assert isinstance(verdict, Accepted) and verdict.advert.interval == micro(0.1)


# 11 checksum


def test_11_a_wrong_checksum_is_dropped() -> None:
    for config in (instance(), instance3(), instance3(v3_checksum_as_v2=True)):
        link = Link(config)
        packet = link.packet()
        assert link.reason(packet) is None
        assert link.reason(changed(packet, 26, packet[26] ^ 1)) is Reason.CHECKSUM


def test_11_a_sum_without_pseudo_header_is_accepted_only_where_it_is_configured() -> None:
    theirs = instance3(v3_checksum_as_v2=True)
    assert Link(theirs, instance3()).reason() is Reason.CHECKSUM
    assert Link(theirs).reason() is None
    assert Link(instance3(), theirs).reason() is None, "the right one is accepted all the same"


def test_11_the_sum_of_before_1_3_6_is_recognised_and_remembered() -> None:
    link = Link(unicast(instance3()), old=True)
    first, second = link.verdict(link.packet()), link.verdict(link.packet())
    assert isinstance(first, Accepted) and first.old_checksum
    assert isinstance(second, Accepted) and not second.old_checksum
    assert link.receiver.uses_old_checksum
    link.old = False
    assert link.reason() is Reason.CHECKSUM, "and expected from then on"


@pytest.mark.parametrize(
    ("compat", "old", "good"),
    [
        (ChecksumCompat.ALWAYS, True, True),
        (ChecksumCompat.ALWAYS, False, False),
        (ChecksumCompat.NEVER, True, False),
        (ChecksumCompat.NEVER, False, True),
        (ChecksumCompat.AUTO, False, True),
    ],
)
def test_11_old_unicast_checksum_selects(compat: ChecksumCompat, old: bool, good: bool) -> None:
    link = Link(unicast(instance3(unicast_checksum=compat)), old=old)
    assert (link.reason() is None) is good


def test_11_multicast_never_takes_the_old_sum() -> None:
    link = Link(instance3(multicast_group=Address.parse("224.0.0.99")))
    body = link.packet()
    old = Link(replace(link.theirs, multicast_group=GROUP4)).packet()
    assert link.reason(body[:26] + old[26:28] + body[28:]) is Reason.CHECKSUM


# 12 destination


def test_12_multicast_and_unicast_do_not_mix() -> None:
    theirs = unicast(instance3(), 9)
    link = Link(theirs, instance3())
    assert link.reason(link.packet()) is Reason.DESTINATION
    link = Link(instance3(), unicast(instance3()))
    assert link.reason(link.sender.packets(Moment(1, address(2)), WALL)[0][1]) is Reason.DESTINATION


# 13 owner


def test_13_an_owner_may_ignore_adverts() -> None:
    link = Link(instance3(), instance3(owner_ignore_adverts=True, priority=255))
    assert link.reason(local_owner=True) is Reason.OWNER
    assert Reason.OWNER not in COUNTERS
    assert link.reason(local_owner=False) is None


# 14 what counts as received


def test_14_only_what_passed_the_checksum_counts_as_received() -> None:
    config = unicast(instance3(check_unicast_src=True), 3)
    link = Link(config)
    verdict = link.verdict(link.packet())
    assert isinstance(verdict, Rejected) and verdict.received
    verdict = link.verdict(changed(link.packet(), 26, 0))
    assert isinstance(verdict, Rejected) and not verdict.received


# 15 addresses


def test_15_a_different_list_is_remarked_on_and_the_advert_is_used() -> None:
    link = Link(instance3(), instance3(virtual_addresses=vips(1)))
    verdict = link.verdict(link.packet())
    assert isinstance(verdict, Accepted)
    assert [note.text for note in verdict.notes] == ["(V) expected 1 VIPs but received 2"]
    link = Link(instance3(), instance3(virtual_addresses=vips(1, 3)))
    verdict = link.verdict(link.packet())
    assert isinstance(verdict, Accepted)
    words = "(V) ip address associated with VRID 51 not present in advert from 192.0.2.2: 203.0.113.3"
    assert [note.text for note in verdict.notes] == [words]


def test_15_the_order_of_addresses_does_not_matter() -> None:
    link = Link(instance3(), instance3(virtual_addresses=vips(2, 1)))
    verdict = link.verdict(link.packet())
    assert isinstance(verdict, Accepted) and verdict.notes == ()


def test_15_the_list_is_not_looked_at_when_the_caller_says_so_but_the_count_is() -> None:
    link = Link(instance3(), instance3(virtual_addresses=vips(1, 3)))
    verdict = link.verdict(link.packet(), check_addresses=False)
    assert isinstance(verdict, Accepted) and verdict.notes == ()
    link = Link(instance3(), instance3(virtual_addresses=vips(1)))
    assert [note.reason for note in link.verdict(link.packet(), check_addresses=False).notes] == [Reason.ADDRESS_COUNT]


# 16 unicast peers


def test_16_unknown_senders_and_ttls_out_of_range_are_dropped_with_check_unicast_src() -> None:
    checked = unicast(instance3(check_unicast_src=True), 3)
    assert Link(checked).reason() is Reason.UNKNOWN_PEER
    assert Link(unicast(instance3(), 3)).reason() is None
    near = replace(unicast(instance3(check_unicast_src=True)), unicast_peers=(UnicastPeer(address(2), 254, 255),))
    link = Link(near)
    assert link.reason() is None
    assert link.reason(changed(link.packet(), 8, 253)) is Reason.PEER_HOP_LIMIT
    assert peers(2)[0].min_ttl == 0


# Order, words, hostile bytes ------------------------------------------------------------------------------------------------------


def test_the_first_check_that_fails_names_the_reason() -> None:
    link = Link(instance(), instance3())
    packet = bytearray(link.packet())
    packet[8] = 1
    packet[26] ^= 1
    assert link.reason(bytes(packet) + bytes(9)) is Reason.LENGTH
    assert link.reason(bytes(packet)) is Reason.HOP_LIMIT
    packet[8] = 255
    assert link.reason(bytes(packet)) is Reason.VERSION


def test_a_complaint_is_worded_once_until_forgiven() -> None:
    link = Link(instance3(), instance())
    texts = []
    for turn in range(4):
        if turn == 2:
            link.receiver.forgive()
        texts.append(link.verdict(link.packet()).notes[-1].text)
    assert texts[0].startswith("(V) wrong VRRP version from 192.0.2.2") and texts == [texts[0], "", texts[0], ""]


def test_every_counter_exists() -> None:
    statistics = Statistics()
    for name in COUNTERS.values():
        statistics.count(name)
        assert getattr(statistics, name) >= 1


ALL = (
    instance(),
    instance(authentication=PASS),
    instance(authentication=AH),
    instance3(),
    unicast(instance3(check_unicast_src=True)),
    SIGNED,
    instance6(),
    instance6(hmac=hmac_key(time_window=Seconds(300))),
)


def judge(config: VrrpInstance, data: bytes) -> Verdict | None:
    receiver = Receiver(config, GROUP4, AhCounter(), trailer_of(config))
    try:
        frame = take_apart(config.family, address(2), data, config.multicast_group, 255)
    except PeerError:
        return None
    return receiver.check(frame, Standpoint(WALL))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(ALL), st.binary(max_size=160))
def test_any_bytes_give_a_verdict(config: VrrpInstance, data: bytes) -> None:
    verdict = judge(config, data)
    assert verdict is None or isinstance(verdict, Accepted) or verdict.notes


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(ALL), st.data())
def test_a_damaged_advert_gives_a_verdict_and_no_damage_goes_unnoticed_by_a_digest(
    config: VrrpInstance, data: st.DataObject
) -> None:
    link = Link(config)
    packet = bytearray(link.packet())
    at = data.draw(st.integers(0, len(packet) - 1))
    flip = data.draw(st.integers(1, 255))
    packet[at] ^= flip
    cut = data.draw(st.integers(0, len(packet)))
    whole, part = judge(config, bytes(packet)), judge(config, bytes(packet[:cut]))
    assert cut >= len(packet) - 1 or not isinstance(part, Accepted)
    if config.hmac is not None and isinstance(whole, Accepted):
        # Only what is not signed may change: the IP header (but for source and length) and the checksum field of IPv6.
        start = 20 if config.family is Family.INET else 0
        assert at < start or at in (start + 6, start + 7)
