"""The family IPVS_FNAT: what it tells, what it refuses, and that no message of any bytes harms it.

Numbers are those of kmod/tests/README.md.
"""

import errno
import os
import random
import socket
import struct
from collections.abc import Iterator

import pytest

from examples.lab import fetch
from examples.lab.campus import CAMPUS_VIPS, CAMPUS_VIPS6, CLIENT, LOCALS, LOCALS6, WEB1, WEB1_6, Campus
from keepalived_py.addresses import Address
from keepalived_py.ipvs.fullnat import FullnatPacker
from keepalived_py.ipvs.fullnat_attributes import (
    ABI,
    TIMEOUT_MAX,
    Counter,
    Feature,
    FullnatAttribute,
    FullnatCommand,
    LocalAttribute,
)
from keepalived_py.ipvs.operations import DelLocalAddress, NewLocalAddress, SetEstTimeout
from keepalived_py.netlink.exchange import Answer
from keepalived_py.netlink.framing import MessageFlag, attribute, generic_request
from keepalived_py.units import Seconds
from tests.helpers.fullnat import Fullnat, Refused, key
from tests.helpers.packets import SYN
from tests.helpers.path import V4, Path

OUR_MODULE = True

VIP, VIP6 = CAMPUS_VIPS[0], CAMPUS_VIPS6[0]
SHOP = f"tcp {VIP}:80"
ACKED = MessageFlag.REQUEST | MessageFlag.ACK
NESTED = 0x8000


def test_t105_it_tells_what_it_can(control: Fullnat) -> None:
    info = control.info()
    assert info.abi == ABI
    assert info.features == Feature.IPV4 | Feature.IPV6 | Feature.TCP | Feature.UDP | Feature.TOA
    assert info.table_size & info.table_size - 1 == 0


def test_t106_sessions_are_counted_over_all_namespaces(campus: Campus, control: Fullnat) -> None:
    before = control.info().sessions
    control.service(SHOP, f"{WEB1}:80", locals_=LOCALS[:1])
    fetch(campus.client, f"http://{VIP}/")
    assert control.info().sessions == before + 1
    stats = control.stats()
    assert stats[Counter.FULLNAT_CONN_ALLOC] - stats[Counter.FULLNAT_CONN_FREE] == before + 1


def test_t107_sessions_are_listed_with_all_four_endpoints(campus: Campus, control: Fullnat) -> None:
    control.service(SHOP, f"{WEB1}:80", locals_=LOCALS[:1])
    control.service(f"tcp [{VIP6}]:80", f"[{WEB1_6}]:80", locals_=LOCALS6[:1])
    fetch(campus.client, f"http://{VIP}/")
    fetch(campus.client, f"http://[{VIP6}]/")
    (session,) = control.sessions(SHOP)[-1:]
    assert str(session.client[0]) == CLIENT
    assert (str(session.virtual[0]), session.virtual[1]) == (VIP, 80)
    assert str(session.local[0]) == LOCALS[0]
    assert (str(session.destination[0]), session.destination[1]) == (WEB1, 80)
    assert session.state in ("TIME_WAIT", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK")
    (session6,) = control.sessions(f"tcp [{VIP6}]:80")[-1:]
    assert str(session6.local[0]) == LOCALS6[0]
    assert session.client in [each.client for each in control.sessions()]


@pytest.mark.guest(limit=300)
def test_t108_a_list_longer_than_a_message_is_whole(campus: Campus, control: Fullnat) -> None:
    with Path(campus, control, V4, locals_=2) as path:
        for number in range(3000):
            path.client.send(path.request(sport=10_000 + number, flags=SYN))
            if number % 500 == 0:
                path.client.settle(V4.vip)
        path.client.settle(V4.vip)
        listed = control.sessions(path.service)
        assert sorted(each.client[1] for each in listed) == list(range(10_000, 13_000))
        assert {each.state for each in listed} == {"SYN_RECV"}


def raw(control: Fullnat, command: int, payload: bytes = b"", flags: MessageFlag = ACKED) -> int:
    return control.send_raw(generic_request(control.family, command, 77, flags, 1, payload))


def service(*parts: bytes, number: int = FullnatAttribute.SERVICE | NESTED) -> bytes:
    return attribute(number, b"".join(parts))


AF, PROTOCOL, ADDR, PORT = (
    attribute(1, struct.pack("=H", 2)),
    attribute(2, struct.pack("=H", 6)),
    attribute(3, Address.parse(VIP).packed),
    attribute(4, struct.pack("!H", 80)),
)
WHOLE = service(AF, PROTOCOL, ADDR, PORT)
LADDR_AF = attribute(LocalAttribute.AF, struct.pack("=H", 2))


def local(address: bytes) -> bytes:
    return attribute(FullnatAttribute.LADDR | NESTED, LADDR_AF + attribute(LocalAttribute.ADDR, address))


LADDR = local(Address.parse("203.0.113.200").packed)


@pytest.mark.parametrize(
    ("command", "payload", "expected"),
    [
        (FullnatCommand.NEW_LADDR, b"", errno.EINVAL),
        (FullnatCommand.NEW_LADDR, WHOLE, errno.EINVAL),
        (FullnatCommand.NEW_LADDR, LADDR, errno.EINVAL),
        (FullnatCommand.NEW_LADDR, service(AF, PROTOCOL, ADDR, PORT, number=FullnatAttribute.SERVICE) + LADDR, errno.EINVAL),
        (FullnatCommand.NEW_LADDR, service(PROTOCOL, ADDR, PORT) + LADDR, errno.EINVAL),
        (FullnatCommand.NEW_LADDR, WHOLE + attribute(FullnatAttribute.LADDR | NESTED, LADDR_AF), errno.EINVAL),
        (FullnatCommand.NEW_LADDR, WHOLE + local(bytes(3)), errno.ERANGE),
        (FullnatCommand.NEW_LADDR, WHOLE + local(bytes(17)), errno.ERANGE),
        (FullnatCommand.NEW_LADDR, WHOLE + LADDR + attribute(200, bytes(4)), errno.EINVAL),
        (FullnatCommand.SET_SERVICE, WHOLE + attribute(9, bytes(3)), errno.EINVAL),
        (FullnatCommand.SET_SERVICE, WHOLE + attribute(9, struct.pack("=I", TIMEOUT_MAX + 1)), errno.ERANGE),
        (FullnatCommand.SET_SERVICE, WHOLE + attribute(9, struct.pack("=I", TIMEOUT_MAX)), 0),
        (FullnatCommand.SET_ACL, WHOLE, errno.EOPNOTSUPP),
        (FullnatCommand.GET_INFO, WHOLE, errno.EINVAL),
        (FullnatCommand.GET_LADDR, WHOLE, errno.EOPNOTSUPP),
        (99, b"", errno.EOPNOTSUPP),
        (0, b"", errno.EOPNOTSUPP),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else str(int(value)),
)
def test_t109_messages_are_validated_strictly(control: Fullnat, command: int, payload: bytes, expected: int) -> None:
    control.service(SHOP)
    assert raw(control, command, payload) == expected
    assert control.local_addresses(SHOP) == []


def test_t110_only_the_administrator_may_ask(campus: Campus, control: Fullnat) -> None:
    reader, writer = os.pipe()
    with campus.director.entered():
        child = os.fork()
        if child == 0:
            os.setgid(65534)
            os.setuid(65534)
            with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16) as nobodys:
                nobodys.send(FullnatPacker(control.family).info(1))
                answer = Answer(1)
                answer.feed(nobodys.recv(1 << 16))
                os.write(writer, str(answer.error).encode())
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 100) == str(errno.EPERM).encode()
    os.close(reader)
    os.close(writer)


def test_t111_a_service_that_is_not_there_is_not_found(control: Fullnat) -> None:
    for call in (control.local_addresses, control.timeout):
        with pytest.raises(Refused) as refused:
            call("tcp 203.0.113.99:1")
        assert refused.value.errno == errno.ESRCH


@pytest.fixture
def requests(control: Fullnat) -> Iterator[list[bytes]]:
    """One request of each kind, to be damaged."""
    control.service(SHOP, f"{WEB1}:80", locals_=LOCALS[:3])
    packer, address = FullnatPacker(control.family), Address.parse("203.0.113.201")
    yield [
        packer.info(77),
        packer.stats(77),
        packer.operation(NewLocalAddress(key(SHOP), address), 77),
        packer.operation(DelLocalAddress(key(SHOP), address), 77),
        packer.local_addresses(key(SHOP), 77),
        packer.operation(SetEstTimeout(key(SHOP), Seconds(5)), 77),
        packer.service(key(SHOP), 77),
        packer.sessions(77),
        packer.sessions(77, key(SHOP)),
    ]


def damaged(whole: bytes, chance: random.Random) -> bytes:
    """Change, cut or lengthen a request; its header stays one that reaches the family."""
    data = bytearray(whole)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(16, len(data))
        match chance.randrange(4):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                data[at] ^= 1 << chance.randrange(8)
            case 2:
                del data[at:]
                data += bytes(max(0, 20 - len(data)))
            case _:
                data[at:at] = chance.randbytes(chance.choice((1, 4, 16)))
    struct.pack_into("=I", data, 0, len(data))
    return bytes(data)


@pytest.mark.guest(limit=300)
def test_t112_damaged_requests_are_answered_and_harm_nothing(control: Fullnat, requests: list[bytes]) -> None:
    fuzz(control, requests, 20_000)


@pytest.mark.full
@pytest.mark.guest(limit=3000)
def test_t113_a_million_damaged_requests(control: Fullnat, requests: list[bytes]) -> None:
    fuzz(control, requests, 1_000_000)


def fuzz(control: Fullnat, requests: list[bytes], count: int) -> None:
    chance = random.Random(1)
    for _ in range(count):
        control.shout(damaged(chance.choice(requests), chance))
    assert control.info().abi == ABI
    assert len(control.local_addresses(SHOP)) >= 1
