"""Answers of a real kernel become values; anything else becomes a `DecodeError` and nothing worse."""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepalived_py.addresses import Address, Family
from keepalived_py.config.globals import LvsTimeouts
from keepalived_py.config.lvs import (
    AddressTarget,
    Forwarding,
    ForwardingMethod,
    FwmarkTarget,
    Protocol,
    ServerKey,
    ServiceFlags,
    TunnelChecksum,
    TunnelType,
)
from keepalived_py.ipvs import decoder
from keepalived_py.ipvs.attributes import CommandAttribute, StatsAttribute
from keepalived_py.ipvs.table import Destination, Info, Service, Statistics, SyncDaemon
from keepalived_py.netlink.exchange import Answer
from keepalived_py.netlink.framing import DecodeError, Message, messages
from keepalived_py.units import Seconds
from tests.ipvs.fake_kernel import destination_values, service_values, write
from tests.ipvs.recorded import recorded

DNS = AddressTarget(Address.parse("192.0.2.1"), 53, Protocol.UDP)
SIP = AddressTarget(Address.parse("192.0.2.1"), 5060, Protocol.UDP)
WEB6 = AddressTarget(Address.parse("2001:db8::1"), 80, Protocol.TCP)
SECTIONS = ["services", "destinations-web6", "destinations-dns", "destinations-mark7", "timeouts", "info", "daemons"]

DECODERS: list[Callable[[Message], object]] = [
    decoder.decode_service,
    decoder.decode_service_statistics,
    lambda message: decoder.decode_destination(message, Family.INET),
    lambda message: decoder.decode_destination_stats(message, Family.INET6),
    decoder.decode_timeouts,
    decoder.decode_info,
    decoder.decode_daemon,
]


def answered(section: str) -> list[Message]:
    datagrams = recorded(section)
    answer = Answer(next(messages(datagrams[0])).sequence)
    for datagram in datagrams:
        answer.feed(datagram)
    assert (answer.done, answer.error) == (True, 0)
    return answer.messages


# --- Linux 6.1 -------------------------------------------------------------------------------------------------------------------


def test_services() -> None:
    persistent = ServiceFlags.PERSISTENT
    assert {service.key: service for service in map(decoder.decode_service, answered("services"))} == {
        DNS: Service(DNS, "wlc", 32),
        SIP: Service(SIP, "rr", 32, persistent, Seconds(60), "sip"),
        WEB6: Service(WEB6, "sh", 64, persistent | ServiceFlags.SCHED2, Seconds(300)),
        FwmarkTarget(7, Family.INET): Service(FwmarkTarget(7, Family.INET), "rr", 20, persistent, Seconds(60)),
        # 255.0.255.0 is no prefix.
        FwmarkTarget(8, Family.INET): Service(FwmarkTarget(8, Family.INET), "rr", None, persistent, Seconds(60)),
    }


@pytest.mark.parametrize(
    ("section", "destination"),
    [
        ("destinations-dns", Destination(ServerKey(Address.parse("127.0.0.1"), 5353), Forwarding(), 3, 100, 50)),
        (
            "destinations-web6",
            Destination(ServerKey(Address.parse("2001:db8:1::2"), 80), Forwarding(ForwardingMethod.DROUTE), 65535),
        ),
        (
            "destinations-mark7",
            Destination(
                ServerKey(Address.parse("198.51.100.2"), 0),
                Forwarding(ForwardingMethod.TUNNEL, TunnelType.GUE, 6080, TunnelChecksum.REMCSUM),
                2,
            ),
        ),
    ],
)
def test_destinations(section: str, destination: Destination) -> None:
    # The family that is passed is the service's, and only counts where the kernel does not name the destination's.
    for family in Family:
        assert [decoder.decode_destination(message, family) for message in answered(section)] == [destination]


@pytest.mark.parametrize("section", [section for section in SECTIONS if section.startswith("destinations")])
def test_reading_by_position_is_reading_by_attribute(section: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (message,) = answered(section)
    expected = decoder.decode_destination_of_any_shape(message, Family.INET)
    # What Linux 6.1 sends has the expected shape, so the way by attribute is not taken.
    monkeypatch.setattr(decoder, "decode_destination_of_any_shape", None)
    assert decoder.decode_destination(message, Family.INET) == expected


@given(st.sampled_from(["destinations-web6", "destinations-dns"]), st.integers(0, 123), st.integers(0, 255))
def test_a_changed_byte_is_read_the_same_by_position_and_by_attribute(section: str, offset: int, value: int) -> None:
    (message,) = answered(section)
    payload = bytearray(message.payload)
    payload[offset] = value
    changed = message._replace(payload=bytes(payload))

    def outcome(decode: Callable[[Message, Family], Destination]) -> Destination | None:
        try:
            return decode(changed, Family.INET)
        except DecodeError:
            return None

    # A wrong length of the nest is all that reading by position does not look at.
    if offset not in (4, 5):
        assert outcome(decoder.decode_destination) == outcome(decoder.decode_destination_of_any_shape)


def test_counters() -> None:
    # ipvsadm -Ln --stats showed 2 connections, 6 packets in, 768 bytes in for both; --rate a moment later the rates.
    totals = {key: it for key, it in map(decoder.decode_service_statistics, answered("services")) if it != Statistics()}
    assert list(totals) == [DNS]
    expected = Statistics(2, 6, 0, 768, 0, packets_in_rate=totals[DNS].packets_in_rate, bytes_in_rate=totals[DNS].bytes_in_rate)
    assert totals[DNS] == expected
    ((key, stats),) = (decoder.decode_destination_stats(message, Family.INET) for message in answered("destinations-dns"))
    assert key == ServerKey(Address.parse("127.0.0.1"), 5353)
    assert (stats.statistics.connections, stats.statistics.packets_in, stats.statistics.bytes_in) == (2, 6, 768)
    assert (stats.active, stats.inactive, stats.persistent) == (0, 2, 0)


def test_timeouts_info_and_daemons() -> None:
    assert list(map(decoder.decode_timeouts, answered("timeouts"))) == [LvsTimeouts(Seconds(901), Seconds(121), Seconds(301))]
    assert list(map(decoder.decode_info, answered("info"))) == [Info((1, 2, 1), 4096)]
    assert list(map(decoder.decode_daemon, answered("daemons"))) == [
        SyncDaemon(True, "lo", 5, 1472, Address.parse("224.0.0.81"), 8848, 1),
        SyncDaemon(False, "lo", 6, 1400, Address.parse("224.0.0.82"), 8849, 3),
    ]


# --- kernels of other ages, and other programs' work -----------------------------------------------------------------------------


def service_message(**changes: object) -> Message:
    values = service_values(Service(DNS, "wlc", 32)) | changes
    values = {name: value for name, value in values.items() if value is not None}
    return Message(34, 2, 1, bytes(4) + write(CommandAttribute, {"SERVICE": values}))


def destination_message(**changes: object) -> Message:
    values = destination_values(Destination(ServerKey(Address.parse("198.51.100.1"), 80))) | changes
    values = {name: value for name, value in values.items() if value is not None}
    return Message(34, 2, 1, bytes(4) + write(CommandAttribute, {"DEST": values}))


def test_a_kernel_without_destination_families_and_tunnels() -> None:
    old = destination_message(ADDR_FAMILY=None, TUN_TYPE=None, TUN_PORT=None, TUN_FLAGS=None)
    assert decoder.decode_destination(old, Family.INET) == Destination(ServerKey(Address.parse("198.51.100.1"), 80))
    assert decoder.decode_destination(old, Family.INET6).key.address == Address.parse("c633:6401::")


def test_a_kernel_without_wide_counters() -> None:
    narrow = write(StatsAttribute, {"CONNS": 8, "INBYTES": 2**33, "OUTBPS": 5})
    old = service_message(STATS64=None, STATS=narrow)
    assert decoder.decode_service_statistics(old) == (DNS, Statistics(8, bytes_in=2**33, bytes_out_rate=5))
    assert decoder.decode_service_statistics(service_message(STATS64=None)) == (DNS, Statistics())


@pytest.mark.parametrize("change", [{"FWD_METHOD": 6}, {"FWD_METHOD": 7}, {"TUN_TYPE": 3}, {"TUN_TYPE": 255}])
def test_numbers_without_a_name_are_no_failure(change: dict[str, int]) -> None:
    destination = decoder.decode_destination(destination_message(**change), Family.INET)
    assert (destination.key.port, destination.forwarding) == (80, None)


def test_masks() -> None:
    for length in range(33):
        mask = ((2**length - 1) << (32 - length)).to_bytes(4, "big")
        assert decoder.decode_service(service_message(NETMASK=mask)).netmask == length
    for mask in b"\xff\0\xff\0", b"\0\0\0\1", b"\x7f\xff\xff\xff":
        assert decoder.decode_service(service_message(NETMASK=mask)).netmask is None


def test_text_of_any_bytes() -> None:
    assert decoder.decode_service(service_message(SCHED_NAME=b"w\xff\nc")).scheduler == "w\\xff\nc"
    assert decoder.decode_service(service_message(SCHED_NAME=None)).scheduler == "none"


@pytest.mark.parametrize(
    "changes",
    [
        {"AF": None},
        {"AF": 1},
        {"AF": b"\x02"},
        {"PROTOCOL": None},
        {"PROTOCOL": 51},
        {"ADDR": None},
        {"ADDR": b"abc"},
        {"ADDR": bytes(17)},
        {"PORT": None},
        {"PORT": b"\0\0\0\x50"},
        {"FLAGS": None},
        {"FLAGS": b"\0\0\0\0"},
        {"NETMASK": None},
        {"TIMEOUT": None},
        {"AF": 10, "ADDR": bytes(4)},
    ],
)
def test_services_without_sense(changes: dict[str, object]) -> None:
    with pytest.raises(DecodeError):
        decoder.decode_service(service_message(**changes))


@pytest.mark.parametrize(
    "changes", [{"ADDR": None}, {"PORT": None}, {"WEIGHT": None}, {"FWD_METHOD": None}, {"ADDR_FAMILY": 99}, {"U_THRESH": b""}]
)
def test_destinations_without_sense(changes: dict[str, object]) -> None:
    with pytest.raises(DecodeError):
        decoder.decode_destination(destination_message(**changes), Family.INET)


# --- hostile bytes ---------------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=120), st.sampled_from(DECODERS))
def test_any_bytes_are_a_value_or_a_decode_error(payload: bytes, decode: Callable[[Message], object]) -> None:
    with contextlib.suppress(DecodeError):
        decode(Message(34, 0, 1, payload))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(SECTIONS),
    st.sampled_from(DECODERS),
    st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, 400),
)
def test_damaged_answers_are_a_value_or_a_decode_error(
    section: str, decode: Callable[[Message], object], changes: list[tuple[int, int]], length: int
) -> None:
    for message in answered(section):
        payload = bytearray(message.payload[:length] if length < 300 else message.payload)
        for offset, value in changes:
            if payload:
                payload[offset % len(payload)] = value
        with contextlib.suppress(DecodeError):
            decode(message._replace(payload=bytes(payload)))
