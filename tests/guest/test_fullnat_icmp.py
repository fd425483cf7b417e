"""ICMP errors about translated packets reach the one who sent the original, who recognises them.

Numbers are those of kmod/tests/README.md.
"""

from collections.abc import Iterator

import pytest

from examples.lab.campus import Campus
from keepalived_py.ipvs.fullnat_attributes import Counter
from tests.helpers.fullnat import Fullnat
from tests.helpers.packets import ACK, ICMP, ICMPV6, PSH, UDP, Packet, to_bytes
from tests.helpers.path import V4, V6, Path

OUR_MODULE = True

ISN, SERVER_ISN = 0xFFFFFF00, 0xFFFFFFF0
# Routers behind those of the topology: nobody takes a packet with a source address that is its own.
ROUTER = {V4: "192.0.2.99", V6: "2001:db8:a::99"}
EDGE = {V4: "198.51.100.99", V6: "2001:db8:c::99"}
CORE = {V4: "203.0.113.129", V6: "2001:db8:d::129"}


@pytest.fixture(params=[V4, V6], ids=["ipv4", "ipv6"])
def path(request: pytest.FixtureRequest, campus: Campus, control: Fullnat) -> Iterator[Path]:
    with Path(campus, control, request.param) as made:
        yield made


def too_big(path: Path, mtu: int) -> dict[str, int]:
    return {"kind": 2, "code": 0, "rest": mtu} if path.side is V6 else {"kind": 3, "code": 4, "rest": mtu}


def unreachable(path: Path) -> dict[str, int]:
    return {"kind": 1, "code": 3} if path.side is V6 else {"kind": 3, "code": 1}


def error(path: Path, source: str, target: str, inner: Packet, **values: int) -> Packet:
    return Packet(source, target, ICMPV6 if path.side is V6 else ICMP, inner=inner).with_(**values)


def quoted(packet: Packet) -> Packet:
    assert packet.checksum, packet
    assert packet.inner is not None
    return packet.inner


def from_servers_side(path: Path, inner: Packet, **values: int) -> Packet:
    """Send an error about a packet that the server got, and return what the client gets."""
    path.server.send(error(path, ROUTER[path.side], inner.source, inner, **values))
    return path.client.expect(lambda it: it.protocol in (ICMP, ICMPV6) and it.inner is not None)


def from_clients_side(path: Path, inner: Packet, **values: int) -> Packet:
    """Send an error about a packet that the client got, and return what the server gets."""
    path.client.send(error(path, EDGE[path.side], inner.source, inner, **values))
    return path.server.expect(lambda it: it.protocol in (ICMP, ICMPV6) and it.inner is not None)


def test_t40_a_size_limit_on_the_servers_side_is_lowered_for_the_client(path: Path, control: Fullnat) -> None:
    delta = path.open(ISN, SERVER_ISN)
    sent = path.up(flags=ACK | PSH, seq=ISN + 1, ack=SERVER_ISN + 1, payload=bytes(1000))
    assert sent.seq == ISN + 1 + delta & 0xFFFFFFFF
    before = control.stats()[Counter.FULLNAT_ICMP_OUT]
    got = from_servers_side(path, sent, **too_big(path, 1400))
    assert (got.source, got.target) == (path.side.vip, path.side.client)
    assert (got.kind, got.code) == ((2, 0) if path.side is V6 else (3, 4))
    assert got.rest & 0xFFFF == 1400 - path.side.toa_size
    inner = quoted(got)
    assert (inner.source, inner.sport) == (path.side.client, path.client_port)
    assert (inner.target, inner.dport) == (path.side.vip, path.port)
    assert inner.seq == ISN + 1
    assert control.stats()[Counter.FULLNAT_ICMP_OUT] - before == 1


@pytest.mark.parametrize(("limit", "expected"), [(1280, 1280), (1290, 1280), (1301, 1281)])
def test_t41_no_limit_falls_below_what_ipv6_promises(campus: Campus, control: Fullnat, limit: int, expected: int) -> None:
    with Path(campus, control, V6) as path:
        path.open(ISN, SERVER_ISN)
        sent = path.up(flags=ACK | PSH, seq=ISN + 1, ack=SERVER_ISN + 1, payload=bytes(1000))
        assert from_servers_side(path, sent, **too_big(path, limit)).rest == expected


def test_t42_an_unreachable_server_is_reported_to_the_client(path: Path) -> None:
    path.open(ISN, SERVER_ISN)
    sent = path.up(flags=ACK, seq=ISN + 1, ack=SERVER_ISN + 1)
    got = from_servers_side(path, sent, **unreachable(path))
    assert got.source == path.side.vip
    assert (got.kind, got.code) == ((1, 3) if path.side is V6 else (3, 1))
    assert (quoted(got).source, quoted(got).seq) == (path.side.client, ISN + 1)


def test_t43_errors_on_the_clients_side_reach_the_server(path: Path, control: Fullnat) -> None:
    delta = path.open(ISN, SERVER_ISN)
    sent = path.down(flags=ACK | PSH, seq=SERVER_ISN + 1, ack=ISN + 1 + delta & 0xFFFFFFFF, payload=bytes(1200))
    before = control.stats()[Counter.FULLNAT_ICMP_IN]
    got = from_clients_side(path, sent, **too_big(path, 1380))
    assert (got.source, got.target) == (path.local[0], path.side.server)
    assert got.rest & 0xFFFF == 1380, "what the server sends does not grow"
    inner = quoted(got)
    assert (inner.source, inner.sport) == (path.side.server, path.port)
    assert (inner.target, inner.dport) == path.local
    assert inner.seq == SERVER_ISN + 1
    assert control.stats()[Counter.FULLNAT_ICMP_IN] - before == 1


def test_t44_as_many_bytes_as_every_router_quotes_are_enough(path: Path) -> None:
    """The header and eight bytes: ports and number."""
    path.open(ISN, SERVER_ISN)
    sent = path.up(flags=ACK | PSH, seq=ISN + 1, ack=SERVER_ISN + 1, payload=bytes(1000))
    short = to_bytes(sent)[: path.side.header + 8]
    got = from_servers_side(path, sent.with_(), **too_big(path, 1400)).with_()
    assert quoted(got).seq == ISN + 1
    protocol = ICMPV6 if path.side is V6 else ICMP
    values = too_big(path, 1300)
    path.server.send(Packet(ROUTER[path.side], sent.source, protocol, payload=short).with_(**values))
    got = path.client.expect(lambda it: it.protocol == protocol and it.rest & 0xFFFF == 1300 - path.side.toa_size)
    assert got.checksum
    assert (quoted(got).sport, quoted(got).dport, quoted(got).seq) == (path.client_port, path.port, ISN + 1)


def test_t45_damaged_errors_go_nowhere_and_harm_nobody(path: Path) -> None:
    """Wrong checksum, quoted headers that are cut off anywhere, quoted lengths that lie."""
    path.open(ISN, SERVER_ISN)
    sent = path.up(flags=ACK | PSH, seq=ISN + 1, ack=SERVER_ISN + 1, payload=bytes(100))
    protocol = ICMPV6 if path.side is V6 else ICMP
    whole = to_bytes(sent)
    for size in range(path.side.header + 8):
        path.server.send(Packet(ROUTER[path.side], sent.source, protocol, payload=whole[:size]).with_(**too_big(path, 1400)))
    if path.side is V4:
        for first in (0x40, 0x4F, 0x60):
            payload = bytes([first]) + whole[1:48]
            path.server.send(Packet(ROUTER[V4], sent.source, protocol, payload=payload).with_(**too_big(path, 1400)))
    wrong = bytearray(to_bytes(error(path, ROUTER[path.side], sent.source, sent, **too_big(path, 1400))))
    wrong[path.side.header + 2] ^= 0x55
    path.server.send_bytes(bytes(wrong))
    path.server.settle(path.local[0])
    assert [it for it in path.client.settle(path.side.vip) if it.protocol == protocol and it.kind < 128 and it.inner] == []
    assert path.up(flags=ACK, seq=ISN + 1, ack=SERVER_ISN + 9).ack == SERVER_ISN + 9


def test_t46_errors_about_udp_are_not_lowered(campus: Campus, control: Fullnat) -> None:
    for side in (V4, V6):
        with Path(campus, control, side, UDP) as path:
            sent = path.up(payload=b"ask")
            got = from_servers_side(path, sent, **too_big(path, 1400))
            assert got.rest & 0xFFFF == 1400
            assert (quoted(got).source, quoted(got).sport) == (side.client, path.client_port)
            answer = path.down(payload=b"tell")
            got = from_clients_side(path, answer, **unreachable(path))
            assert (quoted(got).source, quoted(got).sport) == (side.server, path.port)


def test_t47_pings_are_answered_by_the_director_itself(path: Path) -> None:
    path.client.settle(path.side.vip)
    path.server.settle(path.side.locals[0])


def test_t48_an_error_about_nothing_that_we_know_is_left_alone(path: Path, control: Fullnat) -> None:
    before = control.stats()
    stranger = Packet(path.side.locals[0], path.side.server, sport=1, dport=2, seq=3)
    path.server.send(error(path, ROUTER[path.side], path.side.locals[0], stranger, **unreachable(path)))
    path.server.settle(path.side.locals[0])
    assert control.stats() == before


def test_t49_the_director_itself_tells_who_sent_too_much_and_quotes_it_as_it_came(path: Path, campus: Campus) -> None:
    """Towards the server the limit is the route's, towards the client too; the receiver finds its own packet quoted."""
    delta = path.open(ISN, SERVER_ISN)
    host = path.side.server
    prefix, hop = f"{host}/{128 if path.side is V6 else 32}", CORE[path.side]
    campus.director.run("ip", "route", "add", prefix, "via", hop, "mtu", "1400")
    try:
        path.client.send(path.request(flags=ACK | PSH, seq=ISN + 1, ack=SERVER_ISN + 9, payload=bytes(1440 - path.side.header)))
        got = path.client.expect(lambda it: it.protocol in (ICMP, ICMPV6) and it.inner is not None)
        assert got.rest & 0xFFFF == 1400
        inner = quoted(got)
        assert (inner.source, inner.target, inner.seq) == (path.side.client, path.side.vip, ISN + 1)
    finally:
        campus.director.run("ip", "route", "del", prefix)
    prefix, hop = (f"{path.side.client}/128", "2001:db8:f::1") if path.side is V6 else (f"{path.side.client}/32", "203.0.113.1")
    campus.director.run("ip", "route", "add", prefix, "via", hop, "mtu", "1400")
    try:
        ack = ISN + 1 + delta & 0xFFFFFFFF
        path.server.send(path.reply(flags=ACK | PSH, seq=SERVER_ISN + 1, ack=ack, payload=bytes(1440 - path.side.header)))
        got = path.server.expect(lambda it: it.protocol in (ICMP, ICMPV6) and it.inner is not None)
        assert got.rest & 0xFFFF == 1400
        inner = quoted(got)
        assert (inner.source, inner.target, inner.seq) == (path.side.server, path.local[0], SERVER_ISN + 1)
    finally:
        campus.director.run("ip", "route", "del", prefix)


def test_t50_hops_are_counted_and_their_end_is_told_to_the_sender(path: Path) -> None:
    path.open(ISN, SERVER_ISN)
    path.client.send(path.request(flags=ACK, seq=ISN + 1, ack=SERVER_ISN + 1, ttl=2))
    got = path.client.expect(lambda it: it.protocol in (ICMP, ICMPV6) and it.inner is not None)
    assert (got.kind, got.code) == ((3, 0) if path.side is V6 else (11, 0))
    assert quoted(got).source == path.side.client
    path.server.send(path.reply(flags=ACK, seq=SERVER_ISN + 1, ack=ISN + 1, ttl=2))
    got = path.server.expect(lambda it: it.protocol in (ICMP, ICMPV6) and it.inner is not None)
    assert (got.kind, got.code) == ((3, 0) if path.side is V6 else (11, 0))
    assert quoted(got).source == path.side.server
