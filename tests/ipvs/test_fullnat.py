"""The codec of IPVS_FNAT, and local addresses on their way from the configuration to operations."""

import errno
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.addresses import Address, Family
from keepalived_py.config.lvs import (
    AddressEntry,
    AddressTarget,
    Forwarding,
    ForwardingMethod,
    FwmarkEntry,
    FwmarkTarget,
    GroupTarget,
    LocalAddressEntry,
    LocalAddressGroup,
    Lvs,
    Protocol,
    RealServer,
    VirtualServer,
    VirtualServerGroup,
)
from keepalived_py.errors import BugError, PeerError
from keepalived_py.ipvs import fullnat
from keepalived_py.ipvs.attributes import Attribute
from keepalived_py.ipvs.desired import PoolState, desired
from keepalived_py.ipvs.fullnat import FullnatPacker, LocalAddress, Session
from keepalived_py.ipvs.fullnat_attributes import (
    TIMEOUT_MAX,
    ConnectionAttribute,
    Counter,
    Feature,
    FullnatAttribute,
    LocalAttribute,
)
from keepalived_py.ipvs.operations import (
    DelLocalAddress,
    NewDestination,
    NewLocalAddress,
    NewService,
    Operation,
    SetEstTimeout,
    is_moot,
    meaning,
)
from keepalived_py.ipvs.packer import Packer
from keepalived_py.ipvs.plan import plan, plan_service
from keepalived_py.ipvs.table import FullnatSettings, Service, ServiceEntry, entry
from keepalived_py.netlink.framing import Message
from keepalived_py.units import Seconds

WEB = AddressTarget(Address.parse("192.0.2.1"), 80, Protocol.TCP)
WEB6 = AddressTarget(Address.parse("2001:db8::1"), 80, Protocol.TCP)
ONE, TWO, THREE = (Address.parse(f"198.51.100.{number}") for number in (1, 2, 3))


def nest(attribute: int, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return struct.pack("=HH", 4 + len(data), attribute) + data + bytes(-len(data) % 4)


def message(*parts: bytes) -> Message:
    return Message(0x22, 0, 1, bytes(4) + b"".join(parts))


def number(attribute: Attribute, value: int, layout: str) -> bytes:
    return nest(attribute, struct.pack(layout, value))


# --- bytes -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "command", "service", "rest"),
    [
        (
            NewLocalAddress(WEB, ONE),
            2,
            "0600 0100 0200 0000 0600 0200 0600 0000 0800 0300 c0000201 0600 0400 0050 0000",
            "1400 0780 0600 0200 0200 0000 0800 0300 c6336401",
        ),
        (
            DelLocalAddress(FwmarkTarget(7, Family.INET6), Address.parse("2001:db8::9")),
            3,
            "0600 0100 0a00 0000 0800 0500 07000000",
            "2000 0780 0600 0200 0a00 0000 1400 0300 20010db8000000000000000000000009",
        ),
        (
            SetEstTimeout(FwmarkTarget(7, Family.INET), Seconds(258)),
            5,
            "0600 0100 0200 0000 0800 0500 07000000",
            "0800 0900 02010000",
        ),
    ],
    ids=["new", "del", "timeout"],
)
def test_requests_are_these_bytes(operation: Operation, command: int, service: str, rest: str) -> None:
    named = bytes.fromhex(service)
    payload = struct.pack("=HH", 4 + len(named), 0x8006) + named + bytes.fromhex(rest)
    head = struct.pack("=IHHII", 20 + len(payload), 0x33, 5, 99, 0) + struct.pack("=BBH", command, 1, 0)
    assert Packer(0x22, 0x33).operation(operation, 99) == head + payload


def test_a_kernel_without_the_family_is_asked_nothing() -> None:
    with pytest.raises(BugError, match="no FULLNAT"):
        Packer(0x22).operation(NewLocalAddress(WEB, ONE), 1)


def test_info_is_read_and_unknown_features_are_kept() -> None:
    found = fullnat.decode_info(
        message(
            number(FullnatAttribute.ABI, 1, "=I"),
            number(FullnatAttribute.FEATURES, 0x8000_0001, "=I"),
            number(FullnatAttribute.TABLE_SIZE, 65536, "=I"),
            number(FullnatAttribute.CONNS, 1 << 33, "=Q"),
        )
    )
    assert (found.abi, found.table_size, found.sessions) == (1, 65536, 1 << 33)
    assert Feature.IPV4 in found.features
    assert int(found.features) == 0x8000_0001


def test_counters_are_read_by_number_and_missing_ones_are_zero() -> None:
    found = fullnat.decode_stats(
        message(nest(FullnatAttribute.STATS, nest(2, struct.pack("=Q", 5)), nest(4, struct.pack("=Q", 7)), nest(999, bytes(8))))
    )
    assert found[Counter.FULLNAT_ADD_TOA_OK] == 5
    assert found[Counter.FULLNAT_ADD_TOA_HEAD_FULL] == 7
    assert found[Counter.RST_LIMITED] == 0
    assert len(found) == len(Counter)


def local_address(family: int = 2, address: bytes = ONE.packed + bytes(12)) -> bytes:
    return nest(
        FullnatAttribute.LADDR,
        number(LocalAttribute.AF, family, "=H"),
        nest(LocalAttribute.ADDR, address),
        number(LocalAttribute.FLAGS, 1, "=I"),
        number(LocalAttribute.CONNS, 3, "=I"),
        number(LocalAttribute.ALLOCS, 1 << 40, "=Q"),
        number(LocalAttribute.CONFLICTS, 2, "=Q"),
        number(LocalAttribute.PORTS, 60536, "=I"),
    )


def test_local_addresses_are_read() -> None:
    assert fullnat.decode_local_address(message(local_address())) == LocalAddress(ONE, True, 3, 1 << 40, 2, 60536)
    six = Address.parse("2001:db8::5")
    assert fullnat.decode_local_address(message(local_address(10, six.packed))).address == six


@pytest.mark.parametrize("bad", [local_address(3), local_address(10, bytes(4)), local_address(2, bytes(17)), nest(99, b"")])
def test_local_addresses_that_make_no_sense_are_refused(bad: bytes) -> None:
    with pytest.raises(PeerError):
        fullnat.decode_local_address(message(bad))


def test_sessions_are_read() -> None:
    members = list(ConnectionAttribute)[3:11]
    ends = list(zip(members[::2], members[1::2], strict=True))
    parts = [nest(address, bytes([10, 0, 0, int(address)]) + bytes(12)) + number(port, 100 + port, "!H") for address, port in ends]
    found = fullnat.decode_session(
        message(
            nest(
                FullnatAttribute.CONN,
                number(ConnectionAttribute.AF, 2, "=H"),
                number(ConnectionAttribute.PROTOCOL, 6, "=H"),
                *parts,
                nest(ConnectionAttribute.STATE, b"ESTABLISHED\0"),
                number(ConnectionAttribute.EXPIRES, 1500, "=I"),
            )
        )
    )
    endpoints = [(Address(bytes([10, 0, 0, last])), 101 + last) for last in (4, 6, 8, 10)]
    client, virtual, local, destination = endpoints
    assert found == Session(6, client, virtual, local, destination, "ESTABLISHED", 1500)


DECODERS = [
    fullnat.decode_info,
    fullnat.decode_stats,
    fullnat.decode_local_address,
    fullnat.decode_est_timeout,
    fullnat.decode_local_count,
    fullnat.decode_session,
]


@given(st.sampled_from(DECODERS), st.binary(max_size=200), st.integers(0, 12))
def test_any_bytes_are_a_value_or_an_error_of_the_peer(decode: object, data: bytes, within: int) -> None:
    for payload in (data, bytes(4) + data, bytes(4) + nest(within, data)):
        try:
            decode(Message(0x22, 0, 1, payload))  # type: ignore[operator]
        except PeerError:
            continue


def test_every_request_names_its_family() -> None:
    packer = FullnatPacker(0x44)
    for request in (packer.info(1), packer.stats(1), packer.local_addresses(WEB, 1), packer.service(WEB6, 1), packer.sessions(1)):
        assert struct.unpack_from("=IH", request) == (len(request), 0x44)


# --- from the configuration to operations --------------------------------------------------------------------------------------


FNAT = Forwarding(ForwardingMethod.FULLNAT)


def line(first: str, last: str | None = None) -> LocalAddressEntry:
    return LocalAddressEntry(Address.parse(first), Address.parse(last or first))


SERVER = VirtualServer(
    WEB,
    Family.INET,
    forwarding=FNAT,
    real_servers=(RealServer(Address.parse("203.0.113.1"), 8080, forwarding=FNAT),),
    local_addresses=(line("198.51.100.1", "198.51.100.3"),),
    est_timeout=Seconds(90),
)


def settings(
    server: VirtualServer, *groups: LocalAddressGroup, members: tuple[VirtualServerGroup, ...] = ()
) -> list[FullnatSettings]:
    table, _ = desired(Lvs((server,), groups=members, local_address_groups=groups), {server.target: PoolState()})
    return [each.fullnat for each in table.values()]


def test_ranges_and_groups_are_joined_without_doubles() -> None:
    group = LocalAddressGroup("g", (line("198.51.100.3", "198.51.100.4"), line("198.51.100.1")))
    (found,) = settings(replace(SERVER, laddr_group_name="g"), group)
    assert [str(each) for each in found.local_addresses] == [f"198.51.100.{last}" for last in (1, 2, 3, 4)]
    assert found.est_timeout == 90


def test_a_group_that_is_not_there_has_none() -> None:
    assert settings(replace(SERVER, laddr_group_name="other", local_addresses=()))[0].local_addresses == ()


def test_each_family_gets_its_own() -> None:
    server = replace(
        SERVER, target=GroupTarget("both", Protocol.TCP), local_addresses=(line("198.51.100.1"), line("2001:db8::a", "2001:db8::b"))
    )
    members = (
        AddressEntry(WEB.address, WEB.address, 80),
        AddressEntry(WEB6.address, WEB6.address, 80),
        FwmarkEntry(5, Family.INET6),
    )
    four, six, mark = settings(server, members=(VirtualServerGroup("both", members),))
    assert [str(each) for each in four.local_addresses] == ["198.51.100.1"]
    assert [str(each) for each in six.local_addresses] == ["2001:db8::a", "2001:db8::b"]
    assert mark == six


def test_other_methods_have_no_local_addresses() -> None:
    plain = replace(SERVER, forwarding=Forwarding(), real_servers=(RealServer(ONE, 80),))
    assert settings(plain) == [FullnatSettings()]


def test_a_timeout_beyond_the_kernels_limit_is_brought_to_it() -> None:
    assert settings(replace(SERVER, est_timeout=Seconds(10**9)))[0].est_timeout == TIMEOUT_MAX


def test_a_new_service_has_its_local_addresses_before_its_servers() -> None:
    table, _ = desired(Lvs((SERVER,)), {WEB: PoolState({SERVER.real_servers[0].key: 1})})
    operations = plan({}, table)
    assert [type(each) for each in operations] == [NewService, SetEstTimeout, *[NewLocalAddress] * 3, NewDestination]


def with_(*addresses: Address, timeout: int = 0) -> ServiceEntry:
    return replace(entry(Service(WEB, "rr", 32)), fullnat=FullnatSettings(addresses, Seconds(timeout)))


def test_an_edit_of_a_group_edits_these_addresses_only() -> None:
    assert plan_service(with_(ONE, TWO), with_(TWO, THREE)) == [NewLocalAddress(WEB, THREE), DelLocalAddress(WEB, ONE)]
    assert plan_service(with_(ONE, TWO), with_(TWO, ONE)) == []
    assert plan_service(with_(ONE), with_(ONE, timeout=5)) == [SetEstTimeout(WEB, Seconds(5))]


@given(st.permutations([ONE, TWO, THREE]), st.permutations([ONE, TWO, THREE]), st.integers(0, 3), st.integers(0, 3))
def test_there_is_always_an_address_where_there_is_one_before_and_after(
    before: list[Address], after: list[Address], size: int, other: int
) -> None:
    present = set(before[:size])
    for operation in plan_service(with_(*before[:size]), with_(*after[:other])):
        match operation:
            case NewLocalAddress():
                assert operation.address not in present
                present.add(operation.address)
            case DelLocalAddress():
                present.remove(operation.address)
                assert present or not other
    assert present == set(after[:other])


def test_what_is_so_already_is_no_failure() -> None:
    assert is_moot(NewLocalAddress(WEB, ONE), errno.EEXIST)
    assert is_moot(DelLocalAddress(WEB, ONE), errno.ENOENT)
    assert not is_moot(NewLocalAddress(WEB, ONE), errno.ESRCH)
    assert meaning(NewLocalAddress(WEB, ONE), errno.EADDRNOTAVAIL) == "not a usable unicast address"
    assert str(NewLocalAddress(WEB, ONE).subject) == "[192.0.2.1]:tcp:80 via 198.51.100.1"
