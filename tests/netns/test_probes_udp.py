"""UDP_CHECK and PING_CHECK against real echoes, ICMP errors of the kernel, and packets that go nowhere."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from examples.lab import Lab, Node
from keepalived_py.addresses import Address
from keepalived_py.config.checkers import Checker, Endpoint, PingCheck, UdpCheck
from keepalived_py.healthcheck.driver import ProbeDriver
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.healthcheck.tls import TlsContexts
from keepalived_py.system.ping_groups import allow_ping
from keepalived_py.system.sysctl import Borrowed
from keepalived_py.units import Micro, micro
from tests.helpers.servers import datagram_server, free_port, socat_echo
from tests.netns import probing
from tests.netns.probing import AMPLE, LOOPBACK, SLACK, TIMEOUT, probe, run, seconds, until


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield from probing.nothing_is_left()


@pytest.fixture
def driver() -> Iterator[ProbeDriver]:
    yield from probing.made_driver()


def udp(port: int, address: Address = LOOPBACK, timeout: Micro = TIMEOUT) -> UdpCheck:
    return UdpCheck(Endpoint(address, port, connect_timeout=timeout))


def replying(port: int, reply: bytes, address: Address = LOOPBACK, timeout: Micro = AMPLE) -> UdpCheck:
    return replace(udp(port, address, timeout), require_reply=True, payload=b"ping", reply=reply, reply_mask=b"\xff" * len(reply))


# ---- UDP, on this host ----


def test_a_real_echo(driver: ProbeDriver, tmp_path: Path) -> None:
    with socat_echo(tmp_path) as port:
        good = probe(driver, replying(port, b"ping"))
        wrong = probe(driver, replying(port, b"pong"))
    assert good.ok
    assert seconds(good) < 2
    assert (wrong.ok, wrong.reason, wrong.detail) == (False, Reason.REPLY_MISMATCH, "byte 1 is 69")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_nobody_there_is_found_by_icmp_at_once(driver: ProbeDriver, host: str) -> None:
    outcome = probe(driver, udp(free_port(socket.SOCK_DGRAM), Address.parse(host), AMPLE))
    assert (outcome.ok, outcome.reason, outcome.detail) == (False, Reason.REFUSED, "ECONNREFUSED")
    assert seconds(outcome) < SLACK


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_silence_passes_after_the_whole_time_unless_a_reply_is_required(driver: ProbeDriver, host: str) -> None:
    with datagram_server(lambda data: [], host) as (port, got):
        outcome = probe(driver, udp(port, Address.parse(host)))
        required = probe(driver, replying(port, b"", Address.parse(host), TIMEOUT))
    assert outcome.ok
    assert TIMEOUT <= outcome.took < TIMEOUT + micro(SLACK)
    assert (required.ok, required.reason) == (False, Reason.REPLY_TIMEOUT)
    assert TIMEOUT <= required.took < TIMEOUT + micro(SLACK)
    assert got == [b"keepalived check - keepalived ch", b"ping"]


@pytest.mark.parametrize("reply", [b"", b"x", b"y" * 60_000])
def test_any_datagram_is_an_answer(driver: ProbeDriver, reply: bytes) -> None:
    with datagram_server(lambda data: [reply]) as (port, _):
        outcome = probe(driver, udp(port, timeout=AMPLE))
    assert outcome.ok
    assert seconds(outcome) < SLACK


def test_lengths_and_mask(driver: ProbeDriver) -> None:
    with datagram_server(lambda data: [b"\x01\x02\x03\x04"]) as (port, _):
        check = replying(port, b"\x01\x00\x03")
        assert probe(driver, check).detail == "byte 1 is 02"
        assert probe(driver, replace(check, reply_mask=b"\xff\x00\xff")).ok
        assert probe(driver, replace(check, reply_mask=b"\xff\x00\xff", min_reply_length=5)).detail == "4 bytes, fewer than 5"
        assert probe(driver, replace(check, reply_mask=b"\xff\x00\xff", max_reply_length=3)).detail == "4 bytes, more than 3"


def test_datagrams_of_strangers_are_not_heard(driver: ProbeDriver) -> None:
    source = free_port(socket.SOCK_DGRAM)
    with datagram_server(lambda data: []) as (port, got), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        check = replying(port, b"", timeout=TIMEOUT)
        driver.start(1, replace(check, endpoint=replace(check.endpoint, bind_port=source)), 0, probing.now())
        until(lambda: bool(got))
        stranger.sendto(b"me!", ("127.0.0.1", source))
        assert probing.drive(driver, 1)[1].reason is Reason.REPLY_TIMEOUT


def test_a_payload_that_no_datagram_can_hold_says_nothing_about_the_server(driver: ProbeDriver) -> None:
    with datagram_server(lambda data: []) as (port, _):
        outcome = probe(driver, replace(udp(port), payload=b"x" * 65_536))
    assert (outcome.reason, outcome.detail) == (Reason.LOCAL, "EMSGSIZE")


def test_many_at_once(driver: ProbeDriver) -> None:
    with datagram_server(lambda data: [data]) as (port, _):
        dead = free_port(socket.SOCK_DGRAM)
        outcomes = run(driver, {id: (replying(port if id % 2 else dead, b"ping"), 0) for id in range(400)})
    assert {id for id, outcome in outcomes.items() if outcome.ok} == set(range(1, 400, 2))


# ---- in a network of our own ----


@pytest.fixture(scope="module")
def nodes() -> Iterator[tuple[Node, Node]]:
    """here (192.0.2.1, 2001:db8::1) ---- there (192.0.2.2, 2001:db8::2), which forwards to nowhere and prohibits a bit."""
    with Lab() as lab:
        here, there = lab.node("here"), lab.node("there")
        lab.link(here, there, ["192.0.2.1/24", "2001:db8::1/64"], ["192.0.2.2/24", "2001:db8::2/64"])
        here.ip("route add default via 192.0.2.2", "route add default via 2001:db8::2")
        here.ip("route add unreachable 203.0.113.0/24")
        there.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        there.run("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
        there.ip("route add prohibit 198.51.100.0/25", "route add prohibit 2001:db8:1::/64")
        there.ip("route add blackhole 198.51.100.128/25", "route add blackhole 2001:db8:2::/64")
        with here.entered():
            allow_ping(Borrowed())
        yield here, there


def in_node(node: Node, checker: Checker) -> Outcome:
    driver = ProbeDriver(limit=10, contexts=TlsContexts())
    try:
        with node.entered():
            return probe(driver, checker)
    finally:
        driver.close()


def ping(text: str, timeout: Micro = AMPLE) -> PingCheck:
    return PingCheck(Endpoint(Address.parse(text), 80, connect_timeout=timeout))


@pytest.mark.parametrize("text", ["198.51.100.1", "2001:db8:1::1"])
def test_a_router_that_prohibits_is_heard(nodes: tuple[Node, Node], text: str) -> None:
    for check in (udp(80, Address.parse(text), AMPLE), ping(text)):
        outcome = in_node(nodes[0], check)
        assert (outcome.ok, outcome.reason) == (False, Reason.UNREACHABLE), outcome
        assert seconds(outcome) < 2


@pytest.mark.parametrize("text", ["198.51.100.200", "2001:db8:2::1"])
def test_what_vanishes_without_a_word(nodes: tuple[Node, Node], text: str) -> None:
    """UDP passes (keepalived's rule: no error is good news), an echo that is not answered fails."""
    assert in_node(nodes[0], udp(80, Address.parse(text))).ok
    outcome = in_node(nodes[0], ping(text, TIMEOUT))
    assert (outcome.ok, outcome.reason) == (False, Reason.REPLY_TIMEOUT)
    assert TIMEOUT <= outcome.took < TIMEOUT + micro(SLACK)


def test_no_route_here(nodes: tuple[Node, Node]) -> None:
    for check in (udp(80, Address.parse("203.0.113.1")), ping("203.0.113.1")):
        outcome = in_node(nodes[0], check)
        assert (outcome.ok, outcome.reason) == (False, Reason.UNREACHABLE)


def test_a_neighbour_that_does_not_exist(nodes: tuple[Node, Node]) -> None:
    outcome = in_node(nodes[0], udp(80, Address.parse("192.0.2.77"), AMPLE))
    assert (outcome.ok, outcome.reason, outcome.detail) == (False, Reason.UNREACHABLE, "EHOSTUNREACH")


# ---- ping ----


@pytest.mark.parametrize("text", ["192.0.2.2", "2001:db8::2"])
def test_a_machine_that_answers(nodes: tuple[Node, Node], text: str) -> None:
    outcome = in_node(nodes[0], ping(text))
    assert outcome.ok
    assert 0 < seconds(outcome) < SLACK


@pytest.mark.parametrize("text", ["192.0.2.2", "2001:db8::2"])
def test_a_machine_that_is_told_not_to_answer(nodes: tuple[Node, Node], text: str) -> None:
    knobs = ("net.ipv4.icmp_echo_ignore_all", "net.ipv6.icmp.echo_ignore_all")
    nodes[1].run("sysctl", "-qw", *(f"{knob}=1" for knob in knobs))
    try:
        outcome = in_node(nodes[0], ping(text, TIMEOUT))
    finally:
        nodes[1].run("sysctl", "-qw", *(f"{knob}=0" for knob in knobs))
    assert (outcome.ok, outcome.reason) == (False, Reason.REPLY_TIMEOUT)


def test_many_pings_to_one_machine_do_not_take_each_other_s_replies(nodes: tuple[Node, Node]) -> None:
    driver = ProbeDriver(limit=100, contexts=TlsContexts())
    with nodes[0].entered():
        outcomes = run(driver, {id: (ping("192.0.2.2"), 0) for id in range(100)})
    driver.close()
    assert all(outcome.ok for outcome in outcomes.values())


def test_bind_and_mark_of_a_ping(nodes: tuple[Node, Node]) -> None:
    check = ping("192.0.2.2")
    assert in_node(nodes[0], replace(check, endpoint=replace(check.endpoint, bind_if="there", fwmark=0xFFFF_FFFF))).ok
    strange = in_node(nodes[0], replace(check, endpoint=replace(check.endpoint, bindto=Address.parse("192.0.2.99"))))
    assert strange.reason is Reason.LOCAL


def test_the_kernel_s_range_of_groups_is_widened_and_put_back(nodes: tuple[Node, Node]) -> None:
    with nodes[0].entered():
        path = Path("/proc/sys/net/ipv4/ping_group_range")
        before = path.read_text().split()
        path.write_text("1 0")  # what most distributions have: nobody
        assert in_node(nodes[0], ping("192.0.2.2")).detail == "socket: Permission denied"
        borrowed = Borrowed()
        allow_ping(borrowed)
        assert in_node(nodes[0], ping("192.0.2.2")).ok
        borrowed.restore_all()
        assert path.read_text().split() == ["1", "0"]
        path.write_text(" ".join(before))
