"""UDP through FULLNAT: both families, checksums and their absence, fragments, idle sessions.

Numbers are those of kmod/tests/README.md.
"""

import socket
from collections.abc import Iterator

import pytest

from examples.lab import eventually
from examples.lab.campus import CAMPUS_VIPS, CAMPUS_VIPS6, LOCALS, LOCALS6, WEB1, WEB1_6, Campus
from keepalived_py.ipvs.fullnat_attributes import Counter
from tests.helpers.fullnat import Fullnat
from tests.helpers.packets import UDP, Capture, to_bytes
from tests.helpers.path import V4, V6, Path

OUR_MODULE = True


@pytest.fixture(params=[V4, V6], ids=["ipv4", "ipv6"])
def path(request: pytest.FixtureRequest, campus: Campus, control: Fullnat) -> Iterator[Path]:
    with Path(campus, control, request.param, UDP) as made:
        yield made


def test_t55_a_datagram_goes_there_and_back(path: Path) -> None:
    there = path.up(payload=b"ask", ttl=60)
    assert (there.target, there.dport, there.payload, there.ttl) == (path.side.server, path.port, b"ask", 57)
    back = path.down(payload=b"tell", ttl=60)
    assert (back.payload, back.ttl) == (b"tell", 57)
    assert path.up(payload=b"more").sport == there.sport, "the session stays"


def test_t56_a_datagram_without_checksum_stays_without(campus: Campus, control: Fullnat) -> None:
    with Path(campus, control, V4, UDP) as path:
        data = bytearray(to_bytes(path.request(source=path.side.client, payload=b"ask")))
        data[26:28] = bytes(2)
        with Capture(campus.web1, "core", outgoing=False):
            path.client.send_bytes(bytes(data))
            got = path.at_server()
        assert got.payload == b"ask"


def test_t57_a_checksum_never_becomes_none(path: Path) -> None:
    """Of many datagrams some sum up to 0, which would mean that there is none; they are sent with 0xffff."""
    first = path.up(payload=bytes(2))
    whole = to_bytes(first)
    check = int.from_bytes(whole[path.side.header + 6 : path.side.header + 8], "big")
    with Capture(path.lab.web1, "core", outgoing=False) as wire:
        # A payload of what is left of the sum makes it 0.
        got = path.up(payload=check.to_bytes(2, "big"))
        assert got.payload == check.to_bytes(2, "big")
        (raw,) = [data for data in wire.raw() if data.endswith(got.payload)]
        assert raw[path.side.header + 6 : path.side.header + 8] == b"\xff\xff"


@pytest.mark.parametrize("size", [1473, 3000, 20000])
@pytest.mark.parametrize("side", [V4, V6], ids=["ipv4", "ipv6"])
def test_t58_fragments_are_put_together_and_cut_again(campus: Campus, control: Fullnat, side: object, size: int) -> None:
    """With sockets, whose datagrams do not fit into a frame on either side."""
    family = socket.AF_INET6 if side is V6 else socket.AF_INET
    vip, web, local = (CAMPUS_VIPS6[0], WEB1_6, LOCALS6[0]) if side is V6 else (CAMPUS_VIPS[0], WEB1, LOCALS[0])
    brackets = "[{}]:{}" if side is V6 else "{}:{}"
    control.service(f"udp {brackets.format(vip, 7000 + size)}", brackets.format(web, 7000), locals_=[local])
    with campus.web1.entered():
        server = socket.socket(family, socket.SOCK_DGRAM)
    with campus.client.entered():
        client = socket.socket(family, socket.SOCK_DGRAM)
    with server, client, Capture(campus.web1, "core", outgoing=False) as wire:
        server.bind((web, 7000))
        for each in (server, client):
            each.settimeout(10)
        client.connect((vip, 7000 + size))
        message = bytes(number * 7 & 0xFF for number in range(size))
        client.send(message)
        got, peer = server.recvfrom(65535)
        assert got == message
        assert peer[0] == local
        server.sendto(got[::-1], peer)
        assert client.recv(65535) == message[::-1]
        assert all(packet.fragment for packet in wire.all() if packet.source == local)


def test_t59_a_session_ends_when_it_is_idle(path: Path, campus: Campus, control: Fullnat) -> None:
    campus.director.run("ipvsadm", "--set", "0", "0", "2")
    try:
        before = control.stats()[Counter.FULLNAT_CONN_FREE]
        path.up(payload=b"ask")
        (session,) = control.sessions(path.service)
        assert session.protocol == UDP
        assert 0 < session.expires <= 2000
        eventually(lambda: not control.sessions(path.service), "the session is gone", 20)
        assert control.stats()[Counter.FULLNAT_CONN_FREE] > before
        assert control.local_addresses(path.service)[0].sessions == 0
    finally:
        campus.director.run("ipvsadm", "--set", "0", "0", "300")


def test_t60_one_packet_scheduling_makes_sessions_all_the_same(campus: Campus, control: Fullnat) -> None:
    """Replies could not be translated otherwise."""
    with Path(campus, control, V4, UDP) as path:
        campus.director.run("ipvsadm", "-E", "-u", f"{path.side.vip}:{path.port}", "-s", "rr", "-o")
        path.up(payload=b"ask")
        assert path.down(payload=b"tell").payload == b"tell"
        assert len(control.sessions(path.service)) == 1


def test_t61_a_short_datagram_is_dropped(path: Path) -> None:
    whole = to_bytes(path.request(source=path.side.client, payload=b""))
    path.up(payload=b"open")
    path.client.send_bytes(whole[: path.side.header + 6])
    assert [it for it in path.server.settle(path.side.locals[0]) if it.protocol == UDP] == []
