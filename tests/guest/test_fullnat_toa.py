"""The TOA receiver on the servers: programs there see the clients, and nobody can claim to be another.

Numbers are those of kmod/tests/README.md.
"""

import itertools
from collections.abc import Iterator

import pytest

from examples.lab import fetch
from examples.lab.campus import CAMPUS_VIPS, CAMPUS_VIPS6, CLIENT, CLIENT6, LOCALS, LOCALS6, WEB1, WEB1_6, Campus
from tests.helpers import toa
from tests.helpers.fullnat import Fullnat
from tests.helpers.packets import ACK, NOP, SYN, TIMESTAMPS, TOA, Option, Packet, Raw
from tests.helpers.streams import Listener, connect, transfer
from tests.helpers.toa import Receiver

OUR_MODULE = True
pytestmark = pytest.mark.full  # builds with clang and libbpf, which `make test` does not install

TOA_RECEIVER = True

VIP, VIP6 = CAMPUS_VIPS[0], CAMPUS_VIPS6[0]
PORTS = itertools.count(7200)
TRUSTED = ("203.0.113.128/25", "2001:db8:d::/64")


@pytest.fixture(scope="module")
def program() -> Receiver:
    verdict, text = toa.outcome()
    if verdict == "missing":
        pytest.skip(f"the TOA receiver cannot be built here: {text}")
    if verdict != "ok":
        pytest.fail(f"the TOA receiver cannot be built:\n{text}")
    return Receiver()


@pytest.fixture
def receiver(program: Receiver) -> Iterator[Receiver]:
    program("attach", *TRUSTED)
    yield program
    program("detach", check=False)


End = tuple[str, int]


def served(campus: Campus, control: Fullnat, vip: str, web: str, port: int) -> tuple[End, End, End]:
    """Connect through FULLNAT; return the client's name, and the peer as accept() and getpeername() tell it."""
    pair, locals_ = ("[{}]:{}", LOCALS6) if ":" in vip else ("{}:{}", LOCALS)
    control.service(f"tcp {pair.format(vip, port)}", pair.format(web, port), locals_=locals_[:1])
    with Listener(campus.web1, web, port) as listener, connect(campus.client, vip, port) as client:
        server, accepted = listener.socket.accept()
        with server:
            server.settimeout(30)
            transfer(client, server, 50_000)
            transfer(server, client, 50_000)
            return client.getsockname()[:2], accepted[:2], server.getpeername()[:2]


def test_t140_a_server_sees_the_client(campus: Campus, control: Fullnat, receiver: Receiver) -> None:
    for vip, web in ((VIP, WEB1), (VIP6, WEB1_6)):
        before = receiver.status()["found"]
        client, accepted, named = served(campus, control, vip, web, 7100)
        assert client[0] in (CLIENT, CLIENT6)
        assert accepted == named == client
        assert receiver.status()["found"] == before + 1


def test_t141_a_listener_of_both_families_sees_the_client_mapped(campus: Campus, control: Fullnat, receiver: Receiver) -> None:
    control.service(f"tcp {VIP}:80", f"{WEB1}:80", locals_=LOCALS[:1])
    control.service(f"tcp [{VIP6}]:80", f"[{WEB1_6}]:80", locals_=LOCALS6[:1])
    assert fetch(campus.client, f"http://{VIP}/").peer.startswith(f"{CLIENT}:")
    assert fetch(campus.client, f"http://[{VIP6}]/").peer.startswith(f"[{CLIENT6}]:")


def test_t142_without_the_option_the_director_is_seen(campus: Campus, control: Fullnat, receiver: Receiver) -> None:
    campus.director.sysctl("net.ipv4.vs.fullnat_toa_entry", 0)
    try:
        before = receiver.status()["absent"]
        _, accepted, named = served(campus, control, VIP, WEB1, 7101)
        assert accepted[0] == named[0] == LOCALS[0]
        assert receiver.status()["absent"] == before + 1
    finally:
        campus.director.sysctl("net.ipv4.vs.fullnat_toa_entry", 1)


def test_t143_a_director_that_is_not_trusted_is_not_believed(campus: Campus, control: Fullnat, receiver: Receiver) -> None:
    receiver("trust", "203.0.113.0/25", "2001:db8:d::200/120")
    assert receiver.trusted() == {"203.0.113.0/25", "2001:db8:d::200/120"}
    before = receiver.status()["distrusted"]
    for vip, web, local in ((VIP, WEB1, LOCALS[0]), (VIP6, WEB1_6, LOCALS6[0])):
        _, accepted, named = served(campus, control, vip, web, 7102)
        assert accepted[0] == named[0] == local
    assert receiver.status()["distrusted"] == before + 2


def test_t144_a_client_cannot_claim_another_address_through_the_director(
    campus: Campus, control: Fullnat, receiver: Receiver
) -> None:
    """The forged option is blanked, and the true one is before it."""
    control.service(f"tcp {VIP}:7103", f"{WEB1}:7103", locals_=LOCALS[:1])
    claim: tuple[Option, ...] = ((TOA, b"\x00\x50" + bytes([10, 9, 8, 7])),)
    client = Raw(campus.client, "edge", campus.edge, "198.51.100.77")
    with Listener(campus.web1, WEB1, 7103) as listener:
        request = Packet("", VIP, sport=4321, dport=7103, options=claim)
        client.send(request.with_(flags=SYN, seq=1))
        answer = client.expect(lambda it: it.flags == SYN | ACK)
        client.send(request.with_(flags=ACK, seq=2, ack=answer.seq + 1))
        server, accepted = listener.socket.accept()
        server.close()
    client.close()
    assert accepted == ("198.51.100.77", 4321)


@pytest.mark.parametrize("before", [(), ((NOP, b""), (NOP, b""), (TIMESTAMPS, bytes(8)))], ids=["first", "after timestamps"])
@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "not trusted"])
def test_t145_the_option_counts_only_from_where_it_is_trusted(
    campus: Campus, program: Receiver, trusted: bool, before: tuple[Option, ...]
) -> None:
    """A neighbour of the server, without any director, plays one."""
    program("attach", "192.0.2.50" if trusted else "192.0.2.51")
    neighbour = Raw(campus.core, "web1", campus.web1, "192.0.2.50")
    claim: tuple[Option, ...] = (*before, (TOA, b"\x10\xe1" + bytes([10, 9, 8, 7])))
    port = next(PORTS)
    try:
        with Listener(campus.web1, WEB1, port) as listener:
            packet = Packet("", WEB1, sport=999, dport=port)
            neighbour.send(packet.with_(flags=SYN, seq=1))
            answer = neighbour.expect(lambda it: it.flags == SYN | ACK)
            neighbour.send(packet.with_(flags=ACK, seq=2, ack=answer.seq + 1, options=claim))
            server, accepted = listener.socket.accept()
            with server:
                assert server.getpeername() == accepted
    finally:
        neighbour.close()
        program("detach")
    assert accepted == (("10.9.8.7", 0x10E1) if trusted else ("192.0.2.50", 999))


def test_t146_it_stops_when_it_is_told_to_and_says_what_is_wrong(campus: Campus, control: Fullnat, program: Receiver) -> None:
    program("attach", *TRUSTED)
    program("attach", *TRUSTED)
    assert program.trusted() == set(TRUSTED)
    assert served(campus, control, VIP, WEB1, 7105)[1][0] == CLIENT
    program("detach")
    assert served(campus, control, VIP, WEB1, 7106)[1][0] == LOCALS[0]
    for words, complaint in (
        (("status",), "nothing is attached"),
        (("detach",), "nothing is attached"),
        (("attach", "0.0.0.0/0"), "would trust everybody"),
        (("attach", "203.0.113.0/33"), "not a prefix"),
        (("attach", "x"), "not a prefix"),
        (("attach",), "usage:"),
        (("--cgroup", "/proc", "attach", "192.0.2.1"), "is not what it should be"),
    ):
        failed = program(*words, check=False)
        assert failed.returncode in (1, 2)
        assert complaint in failed.stderr, (words, failed.stderr)


def test_t147_local_connections_and_others_are_as_they_were(campus: Campus, receiver: Receiver) -> None:
    with Listener(campus.web1, WEB1, 7107) as listener, connect(campus.core, WEB1, 7107) as client:
        server, accepted = listener.socket.accept()
        with server:
            assert accepted == server.getpeername() == client.getsockname()
            assert client.getpeername() == (WEB1, 7107)
