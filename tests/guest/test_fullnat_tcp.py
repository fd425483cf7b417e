"""What FULLNAT does to TCP, seen at both ends, number by number and option by option.

Numbers are those of kmod/tests/README.md.
"""

from collections.abc import Iterator

import pytest

from examples.lab.campus import Campus
from keepalived_py.ipvs.fullnat_attributes import Counter
from tests.helpers.fullnat import Fullnat
from tests.helpers.packets import ACK, FIN, MSS, NOP, PSH, RST, SACK, SACK_OK, SYN, TIMESTAMPS, TOA, WSCALE, Option, Packet
from tests.helpers.path import CLIENT_OPTIONS, V4, V6, Path, Side

OUR_MODULE = True

ISN, SERVER_ISN = 0xFFFFFF00, 0xFFFFFFF0  # both wrap during the tests


@pytest.fixture(params=[V4, V6], ids=["ipv4", "ipv6"])
def path(request: pytest.FixtureRequest, campus: Campus, control: Fullnat) -> Iterator[Path]:
    with Path(campus, control, request.param) as made:
        yield made


@pytest.fixture
def defaults(campus: Campus) -> Iterator[None]:
    """Switches are put back after the test."""
    names = ["timestamp_remove_entry", "mss_adjust_entry", "toa_entry", "seq_rebase_entry", "conn_reused_entry"]
    before = {name: campus.director.sysctl(f"net.ipv4.vs.fullnat_{name}") for name in names}
    yield
    for name, value in before.items():
        campus.director.sysctl(f"net.ipv4.vs.fullnat_{name}", value)


def off(campus: Campus, name: str) -> None:
    campus.director.sysctl(f"net.ipv4.vs.fullnat_{name}", 0)


def moved(number: int, by: int) -> int:
    return number + by & 0xFFFFFFFF


# --- the handshake -------------------------------------------------------------------------------------------------------------


def test_t10_a_syn_loses_its_timestamps_and_nothing_else(path: Path) -> None:
    syn = path.up(flags=SYN, seq=ISN, options=CLIENT_OPTIONS, window=4321, ttl=60)
    assert (syn.source, syn.target, syn.dport) == (path.side.locals[0], path.side.server, path.port)
    assert syn.flags == SYN
    assert syn.window == 4321
    assert syn.ttl == 60 - 3  # edge, director, core
    assert syn.seq != ISN
    assert syn.ack == 0
    assert syn.options == ((MSS, b"\x05\xb4"), (SACK_OK, b""), *[(NOP, b"")] * 11, (WSCALE, b"\x07"))


def test_t11_a_syn_ack_has_a_lower_mss_and_the_clients_numbers(path: Path) -> None:
    syn = path.up(flags=SYN, seq=ISN, options=CLIENT_OPTIONS)
    options: tuple[Option, ...] = ((MSS, b"\x05\xb4"), (SACK_OK, b""), (WSCALE, b"\x07"))
    answer = path.down(flags=SYN | ACK, seq=SERVER_ISN, ack=syn.seq + 1, options=options, window=999, ttl=50)
    assert answer.flags == SYN | ACK
    assert (answer.seq, answer.ack) == (SERVER_ISN, moved(ISN, 1))
    assert answer.window == 999
    assert answer.ttl == 50 - 3
    mss = answer.option(MSS)
    assert mss is not None
    assert int.from_bytes(mss, "big") == 1460 - path.side.toa_size
    assert [kind for kind in answer.kinds if kind != NOP] == [MSS, SACK_OK, WSCALE]


@pytest.mark.parametrize("before", [0, 1, 2, 3])
def test_t12_options_may_begin_anywhere(path: Path, before: int) -> None:
    """An option that begins in the middle of a word is changed with the right checksum, which `Path` looks at."""
    padding: tuple[Option, ...] = ((NOP, b""),) * before
    syn = path.up(flags=SYN, seq=ISN, options=(*padding, (TIMESTAMPS, bytes(8)), (SACK_OK, b"")))
    assert TIMESTAMPS not in syn.kinds
    assert syn.option(SACK_OK) == b""
    answer = path.down(flags=SYN | ACK, seq=SERVER_ISN, ack=syn.seq + 1, options=(*padding, (MSS, b"\x05\xb4")))
    assert answer.option(MSS) == (1460 - path.side.toa_size).to_bytes(2, "big")


def test_t13_damaged_options_are_passed_on_as_they_are(path: Path) -> None:
    """A length that points outside of the header, and one that is too short, end the list."""
    for number, damaged in enumerate([((TIMESTAMPS, b"\0"), (MSS, b"\x05")), ((5, b""), (TOA, bytes(20)))]):
        path.client_port += number
        data = path.up(flags=SYN, seq=ISN, options=damaged)
        assert data.flags == SYN


# --- TOA ---------------------------------------------------------------------------------------------------------------------


def test_t14_packets_carry_the_clients_address_until_the_server_was_heard(path: Path) -> None:
    syn = path.up(flags=SYN, seq=ISN)
    delta = syn.seq - ISN
    assert TOA not in syn.kinds
    path.down(flags=SYN | ACK, seq=SERVER_ISN, ack=syn.seq + 1)
    first = moved(SERVER_ISN, 1)

    third = path.up(flags=ACK, seq=ISN + 1, ack=first)
    assert third.options[0] == (TOA, path.toa())
    assert (third.seq, third.ack) == (moved(ISN + 1, delta), first)
    assert third.payload == b""

    data = path.up(flags=ACK | PSH, seq=ISN + 1, ack=first, payload=b"GET / HTTP/1.0\r\n", options=((TIMESTAMPS, bytes(8)),))
    assert data.options[:2] == ((TOA, path.toa()), (TIMESTAMPS, bytes(8)))
    assert data.payload == b"GET / HTTP/1.0\r\n"
    assert path.up(flags=ACK | PSH, seq=ISN + 1, ack=first, payload=b"GET / HTTP/1.0\r\n").options[0][0] == TOA

    path.down(flags=ACK | PSH, seq=first, ack=moved(ISN + 17, delta), payload=b"hello")
    later = path.up(flags=ACK, seq=ISN + 17, ack=moved(first, 5))
    assert later.options == ()
    assert later.seq == moved(ISN + 17, delta)


def test_t15_a_reset_carries_no_address(path: Path) -> None:
    delta = path.open(ISN, SERVER_ISN)
    reset = path.up(flags=RST | ACK, seq=ISN + 1, ack=moved(SERVER_ISN, 1))
    assert reset.flags == RST | ACK
    assert reset.options == ()
    assert reset.seq == moved(ISN + 1, delta)


@pytest.mark.parametrize("kind", [254, 253])
@pytest.mark.parametrize("size", [8, 20])
def test_t16_a_client_cannot_claim_another_address(path: Path, control: Fullnat, kind: int, size: int) -> None:
    """Neither in the SYN, nor with the packet that ends the handshake, nor later."""
    forged: tuple[Option, ...] = ((kind, b"\x04\xd2" + bytes([10, 0, 0, 1]) + bytes(size - 8)),)
    before = control.stats()[Counter.FULLNAT_STRIP_TOA]
    syn = path.up(flags=SYN, seq=ISN, options=forged)
    path.down(flags=SYN | ACK, seq=SERVER_ISN, ack=syn.seq + 1)
    third = path.up(flags=ACK, seq=ISN + 1, ack=moved(SERVER_ISN, 1), options=forged)
    later = path.up(flags=ACK, seq=ISN + 1, ack=moved(SERVER_ISN, 9), options=forged, payload=b"x")
    assert set(syn.kinds) == {NOP}
    assert third.options[0] == (TOA, path.toa())
    assert set(third.kinds[1:]) == {NOP}
    assert set(later.kinds) == {NOP}
    assert control.stats()[Counter.FULLNAT_STRIP_TOA] - before == 3


@pytest.mark.parametrize("filling", [(), (TIMESTAMPS,)], ids=["plain", "with timestamps"])
@pytest.mark.parametrize("size", [20, 24, 28, 32, 36, 40])
def test_t17_a_header_full_of_options_does_not_keep_the_address_out(path: Path, filling: tuple[int, ...], size: int) -> None:
    syn = path.up(flags=SYN, seq=ISN)
    path.down(flags=SYN | ACK, seq=SERVER_ISN, ack=syn.seq + 1)
    options: list[Option] = [(TIMESTAMPS, bytes(range(8)))] if filling else []
    left = size - 10 * bool(filling)
    options.append((99, bytes(left - 2)))
    third = path.up(flags=ACK, seq=ISN + 1, ack=moved(SERVER_ISN, 1), options=tuple(options), payload=b"data")
    assert third.options[0] == (TOA, path.toa())
    assert third.payload == b"data"
    if filling:
        assert third.option(TIMESTAMPS) == bytes(range(8))
    fits = size + path.side.toa_size <= 40
    assert (third.option(99) is not None) == fits


def test_t18_a_packet_that_has_no_room_goes_without(path: Path, control: Fullnat) -> None:
    syn = path.up(flags=SYN, seq=ISN)
    path.down(flags=SYN | ACK, seq=SERVER_ISN, ack=syn.seq + 1)
    before = control.stats()
    full = 1500 - path.side.header - 20
    big = path.up(flags=ACK, seq=ISN + 1, ack=moved(SERVER_ISN, 1), payload=bytes(full))
    assert big.options == ()
    assert len(big.payload) == full
    fits = path.up(flags=ACK, seq=ISN + 1, ack=moved(SERVER_ISN, 1), payload=bytes(full - path.side.toa_size))
    assert fits.options[0] == (TOA, path.toa())
    assert fits.length == 1500
    after = control.stats()
    assert after[Counter.FULLNAT_ADD_TOA_FAIL_LEN] - before[Counter.FULLNAT_ADD_TOA_FAIL_LEN] == 1
    assert after[Counter.FULLNAT_ADD_TOA_OK] - before[Counter.FULLNAT_ADD_TOA_OK] == 1


# --- numbers -----------------------------------------------------------------------------------------------------------------


def test_t20_numbers_are_moved_one_way_and_back(path: Path) -> None:
    delta = path.open(ISN, SERVER_ISN)
    data = path.up(flags=ACK | PSH, seq=ISN + 1, ack=moved(SERVER_ISN, 1), payload=b"x" * 300)
    assert data.seq == moved(ISN + 1, delta)
    answer = path.down(flags=ACK, seq=moved(SERVER_ISN, 1), ack=moved(data.seq, 300), payload=b"y" * 40)
    assert (answer.seq, answer.ack) == (moved(SERVER_ISN, 1), moved(ISN, 301))
    assert answer.payload == b"y" * 40


def test_t21_selective_acknowledgements_are_moved_back(path: Path) -> None:
    delta = path.open(ISN, SERVER_ISN)
    edges = [moved(ISN, 100), moved(ISN, 200), moved(ISN, 300), moved(ISN, 500)]
    theirs = b"".join(moved(edge, delta).to_bytes(4, "big") for edge in edges)
    for padding in range(4):
        options: tuple[Option, ...] = (*((NOP, b""),) * padding, (SACK, theirs))
        answer = path.down(flags=ACK, seq=moved(SERVER_ISN, 1), ack=moved(ISN + 1, delta), options=options)
        assert answer.option(SACK) == b"".join(edge.to_bytes(4, "big") for edge in edges)
    stamps: tuple[Option, ...] = ((NOP, b""), (NOP, b""), (TIMESTAMPS, bytes(8)), (NOP, b""), (NOP, b""), (SACK, theirs))
    answer = path.down(flags=ACK, seq=moved(SERVER_ISN, 1), ack=moved(ISN + 1, delta), options=stamps)
    assert answer.option(TIMESTAMPS) == bytes(8)
    assert answer.option(SACK) == b"".join(edge.to_bytes(4, "big") for edge in edges)


def test_t22_a_reset_of_the_server_is_one_for_the_client(path: Path) -> None:
    syn = path.up(flags=SYN, seq=ISN)
    refused = path.down(flags=RST | ACK, seq=0, ack=moved(syn.seq, 1))
    assert refused.flags == RST | ACK
    assert refused.ack == moved(ISN, 1)


def test_t23_a_syn_that_comes_again_is_moved_as_before(path: Path) -> None:
    syn = path.up(flags=SYN, seq=ISN)
    again = path.up(flags=SYN, seq=ISN)
    assert (again.source, again.sport, again.seq) == (syn.source, syn.sport, syn.seq)


def test_t24_another_syn_during_the_handshake_begins_anew(path: Path) -> None:
    syn = path.up(flags=SYN, seq=ISN)
    other = path.up(flags=SYN, seq=ISN + 100_000)
    assert (other.source, other.sport) == (syn.source, syn.sport)
    assert 0 < other.seq - syn.seq & 0xFFFFFFFF < 1 << 31
    answer = path.down(flags=SYN | ACK, seq=SERVER_ISN, ack=other.seq + 1)
    assert answer.ack == moved(ISN + 100_000, 1)


def test_t25_a_forged_syn_does_not_touch_an_established_session(path: Path, control: Fullnat) -> None:
    delta = path.open(ISN, SERVER_ISN)
    before = control.stats()[Counter.FULLNAT_CONN_REUSED_ESTAB]
    forged = path.up(flags=SYN, seq=ISN + 5_000_000)
    assert forged.seq == moved(ISN + 5_000_000, delta)
    data = path.up(flags=ACK, seq=ISN + 1, ack=moved(SERVER_ISN, 1), payload=b"still here")
    assert data.seq == moved(ISN + 1, delta)
    assert control.stats()[Counter.FULLNAT_CONN_REUSED_ESTAB] - before == 1


def close(path: Path, delta: int, *, by_client: bool) -> None:
    """Close in one direction."""
    if by_client:
        path.up(flags=FIN | ACK, seq=ISN + 1, ack=moved(SERVER_ISN, 1))
    else:
        path.down(flags=FIN | ACK, seq=moved(SERVER_ISN, 1), ack=moved(ISN + 1, delta))


@pytest.mark.parametrize("by_client", [True, False], ids=["CLOSE_WAIT", "FIN_WAIT"])
def test_t26_a_half_closed_session_begins_anew_unless_told_otherwise(
    path: Path, campus: Campus, defaults: None, by_client: bool
) -> None:
    delta = path.open(ISN, SERVER_ISN)
    close(path, delta, by_client=by_client)
    off(campus, "conn_reused_entry")
    kept = path.up(flags=SYN, seq=ISN + 70_000)
    assert kept.seq == moved(ISN + 70_000, delta)

    path.client_port += 1
    delta = path.open(ISN, SERVER_ISN)
    close(path, delta, by_client=by_client)
    campus.director.sysctl("net.ipv4.vs.fullnat_conn_reused_entry", 1)
    fresh = path.up(flags=SYN, seq=ISN + 70_000)
    assert fresh.seq != moved(ISN + 70_000, delta)
    answer = path.down(flags=SYN | ACK, seq=SERVER_ISN + 99, ack=fresh.seq + 1)
    assert answer.ack == moved(ISN + 70_000, 1)
    third = path.up(flags=ACK, seq=ISN + 70_001, ack=moved(SERVER_ISN + 99, 1))
    assert third.options[0][0] == TOA


def test_t27_a_finished_session_is_scheduled_anew(path: Path) -> None:
    """In TIME_WAIT the kernel makes a new connection of a SYN, with another local port."""
    delta = path.open(ISN, SERVER_ISN)
    first_port = path.local[1]
    close(path, delta, by_client=False)
    close(path, delta, by_client=True)
    again = path.up(flags=SYN, seq=ISN + 70_000)
    assert again.sport != first_port


def test_t28_numbers_of_one_tuple_grow(path: Path, campus: Campus, defaults: None) -> None:
    """With one local port all sessions have the same tuple towards the server."""
    low, high = (campus.director.sysctl(f"net.ipv4.vs.fullnat_lport_{end}") for end in ("min", "max"))
    campus.director.sysctl("net.ipv4.vs.fullnat_lport_min", 7000)
    campus.director.sysctl("net.ipv4.vs.fullnat_lport_max", 7000)
    try:
        before = path.up(flags=SYN, seq=ISN)
        for number in range(1, 5):
            path.down(flags=RST | ACK, seq=0, ack=before.seq + 1)
            # The session of the reset is over in a moment, and its port free.
            after = again(path, ISN - number * 1_000_000)
            assert after.sport == before.sport == 7000
            assert 0 < after.seq - before.seq & 0xFFFFFFFF < 1 << 31
            before = after
    finally:
        campus.director.sysctl("net.ipv4.vs.fullnat_lport_max", high)
        campus.director.sysctl("net.ipv4.vs.fullnat_lport_min", low)


def again(path: Path, isn: int) -> Packet:
    """Send a SYN as a client does, until it gets through."""
    for _ in range(20):
        path.client.send(path.request(flags=SYN, seq=isn & 0xFFFFFFFF))
        try:
            return path.at_server(within=0.5)
        except AssertionError:
            continue
    raise AssertionError("no SYN gets through")


# --- switches ----------------------------------------------------------------------------------------------------------------


def test_t30_timestamps_may_stay(path: Path, campus: Campus, defaults: None) -> None:
    off(campus, "timestamp_remove_entry")
    syn = path.up(flags=SYN, seq=ISN, options=CLIENT_OPTIONS)
    assert syn.options == CLIENT_OPTIONS


def test_t31_the_mss_may_stay(path: Path, campus: Campus, defaults: None) -> None:
    off(campus, "mss_adjust_entry")
    syn = path.up(flags=SYN, seq=ISN)
    assert path.down(flags=SYN | ACK, seq=SERVER_ISN, ack=syn.seq + 1, options=((MSS, b"\x05\xb4"),)).option(MSS) == b"\x05\xb4"


def test_t32_without_toa_neither_address_nor_mss_changes(path: Path, campus: Campus, defaults: None) -> None:
    off(campus, "toa_entry")
    syn = path.up(flags=SYN, seq=ISN)
    answer = path.down(flags=SYN | ACK, seq=SERVER_ISN, ack=syn.seq + 1, options=((MSS, b"\x05\xb4"),))
    assert answer.option(MSS) == b"\x05\xb4"
    third = path.up(flags=ACK, seq=ISN + 1, ack=moved(SERVER_ISN, 1), options=((TOA, bytes(6)),))
    assert set(third.kinds) == {NOP}


def test_t33_numbers_may_stay(path: Path, campus: Campus, defaults: None) -> None:
    off(campus, "seq_rebase_entry")
    syn = path.up(flags=SYN, seq=ISN)
    assert syn.seq == ISN
    answer = path.down(flags=SYN | ACK, seq=SERVER_ISN, ack=ISN + 1)
    assert answer.ack == moved(ISN, 1)


@pytest.mark.parametrize("side", [V6], ids=["ipv6"])
def test_t34_the_kind_for_ipv6_can_be_chosen(campus: Campus, control: Fullnat, side: Side) -> None:
    campus.director.sysctl("net.ipv4.vs.fullnat_toa_v6_kind", 253)
    try:
        with Path(campus, control, side) as path:
            syn = path.up(flags=SYN, seq=ISN)
            path.down(flags=SYN | ACK, seq=SERVER_ISN, ack=syn.seq + 1)
            assert path.up(flags=ACK, seq=ISN + 1, ack=moved(SERVER_ISN, 1)).options[0] == (253, path.toa())
    finally:
        campus.director.sysctl("net.ipv4.vs.fullnat_toa_v6_kind", 254)
