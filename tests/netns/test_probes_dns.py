"""DNS_CHECK against unbound, and against servers that misbehave in one exact way each."""

import contextlib
import os
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keepalived_py.config.checkers import DnsCheck, Endpoint
from keepalived_py.healthcheck.dns import STRANGERS_LIMIT, TYPES
from keepalived_py.healthcheck.driver import ProbeDriver
from keepalived_py.healthcheck.outcome import Reason
from keepalived_py.units import Micro, micro
from tests.helpers.servers import LOOPBACK, datagram_server, free_port, listening, running, unbound
from tests.netns import probing
from tests.netns.probing import AMPLE, SLACK, TIMEOUT, probe, seconds, stopped, until

ZONE = (
    "local-zone: example. static",
    "local-zone: refused.example. refuse",
    'local-data: "example. 60 IN SOA ns.example. root.example. 1 2 3 4 5"',
    'local-data: "example. 60 IN NS ns.example."',
    'local-data: "example. 60 IN MX 10 mail.example."',
    'local-data: "example. 60 IN TXT hello"',
    'local-data: "www.example. 60 IN A 192.0.2.1"',
    'local-data: "www.example. 60 IN AAAA 2001:db8::1"',
    'local-data: "alias.example. 60 IN CNAME www.example."',
    *(f"local-data: 'big.example. 60 IN TXT \"{letter * 200}\"'" for letter in "abcdef"),
)


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield from probing.nothing_is_left()


@pytest.fixture
def driver() -> Iterator[ProbeDriver]:
    yield from probing.made_driver()


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a real server."""
    with unbound(tmp_path_factory.mktemp("unbound"), *ZONE) as port:
        yield port


def dns(port: int, name: str = "example", type: str = "SOA", timeout: Micro = AMPLE) -> DnsCheck:
    return DnsCheck(Endpoint(probing.LOOPBACK, port, connect_timeout=timeout), type=type, name=name)


@pytest.mark.parametrize("type", TYPES)
def test_every_type_is_answered_by_a_real_server(driver: ProbeDriver, real: int, type: str) -> None:
    outcome = probe(driver, dns(real, "www.example" if type in ("A", "AAAA") else "example", type))
    assert (outcome.ok, outcome.reason, outcome.detail) == (True, Reason.PASSED, "")
    assert seconds(outcome) < SLACK


def test_nxdomain(driver: ProbeDriver, real: int) -> None:
    outcome = probe(driver, dns(real, "none.example"))
    assert (outcome.ok, outcome.reason, outcome.detail) == (False, Reason.DNS_ERROR, "NXDOMAIN")
    assert seconds(outcome) < SLACK


def test_refused_by_policy(driver: ProbeDriver, real: int) -> None:
    assert probe(driver, dns(real, "x.refused.example")).detail == "REFUSED"


def test_servfail(driver: ProbeDriver, real: int) -> None:
    outcome = probe(driver, dns(real, "elsewhere.net"))
    assert (outcome.ok, outcome.detail) == (False, "SERVFAIL")


def test_an_alias_and_a_name_without_such_records_are_answers(driver: ProbeDriver, real: int) -> None:
    assert probe(driver, dns(real, "alias.example", "CNAME")).ok
    assert probe(driver, dns(real, "www.example", "MX")).ok


def test_a_truncated_answer_is_fetched_over_tcp(driver: ProbeDriver, real: int) -> None:
    outcome = probe(driver, dns(real, "big.example", "TXT"))
    assert (outcome.ok, outcome.detail) == (True, "")


def test_a_real_server_that_hangs(driver: ProbeDriver, tmp_path: Path) -> None:
    port = free_port()
    command = (
        "dnsmasq",
        "-d",
        "-C",
        "/dev/null",
        "-p",
        str(port),
        "-a",
        LOOPBACK,
        "-z",
        "-R",
        "-h",
        "-A",
        "/www.example/192.0.2.1",
    )
    with running(*command, ready=listening(port), folder=tmp_path) as process:
        assert probe(driver, dns(port, "www.example", "A")).ok
        os.kill(process.pid, signal.SIGSTOP)
        until(lambda: stopped(process))
        outcome = probe(driver, dns(port, "www.example", "A", TIMEOUT))
    assert (outcome.ok, outcome.reason) == (False, Reason.REPLY_TIMEOUT)
    assert TIMEOUT <= outcome.took < TIMEOUT + micro(SLACK)


def test_nobody_there(driver: ProbeDriver) -> None:
    outcome = probe(driver, dns(free_port(socket.SOCK_DGRAM)))
    assert (outcome.ok, outcome.reason, outcome.detail) == (False, Reason.REFUSED, "ECONNREFUSED")
    assert seconds(outcome) < SLACK


def _reply(query: bytes, flags: int = 0x8180, id: int | None = None) -> bytes:
    (asked,) = struct.unpack_from("!H", query)
    return struct.pack("!HH", asked if id is None else id, flags) + query[4:]


def test_strangers_before_the_answer_are_passed_over(driver: ProbeDriver) -> None:
    def answer(query: bytes) -> list[bytes]:
        (id,) = struct.unpack_from("!H", query)
        return [b"", b"x", query, _reply(query, 0x8182, id ^ 1), _reply(query)]

    with datagram_server(answer) as (port, got):
        assert probe(driver, dns(port)).ok
    assert len(got) == 1


def test_nothing_but_strangers_ends_before_its_time(driver: ProbeDriver) -> None:
    with datagram_server(lambda query: [b"nonsense"] * (STRANGERS_LIMIT + 1)) as (port, _):
        outcome = probe(driver, dns(port))
    assert (outcome.ok, outcome.reason) == (False, Reason.BAD_REPLY)
    assert seconds(outcome) < SLACK


def test_each_query_has_a_number_of_its_own(driver: ProbeDriver) -> None:
    with datagram_server(lambda query: [_reply(query)]) as (port, got):
        for _ in range(12):
            assert probe(driver, dns(port)).ok
    assert len({query[:2] for query in got}) > 6


# ---- truncated, and what TCP makes of it ----


@contextlib.contextmanager
def truncating(tcp: "socket.socket") -> Iterator[int]:
    """Yield the port of a server that says over UDP that it has more to say, at the port of `tcp`."""
    port: int = tcp.getsockname()[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((LOOPBACK, port))

        def serve() -> None:
            with contextlib.suppress(OSError):
                query, peer = udp.recvfrom(1000)
                udp.sendto(_reply(query, 0x8380), peer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield port
        thread.join()


def over_tcp(driver: ProbeDriver, pieces: list[bytes], *, close: bool = True, flags: int = 0x8180) -> tuple[bool, str]:
    """Run a check against a server that answers over TCP with its reply (for None in `pieces`) cut into pieces."""
    with socket.create_server((LOOPBACK, 0)) as listener, truncating(listener) as port:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(5)
                query = connection.recv(1000)
                reply = _reply(query[2:], flags)
                whole = struct.pack("!H", len(reply)) + reply
                for piece in pieces or [whole[:1], whole[1:7], whole[7:]]:
                    connection.sendall(piece)
                if not close:
                    connection.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        outcome = probe(driver, dns(port, timeout=AMPLE if close else TIMEOUT))
        thread.join()
    assert seconds(outcome) < 2 * TIMEOUT / 1_000_000 + SLACK
    return outcome.ok, str(outcome)


def test_the_answer_over_tcp_decides(driver: ProbeDriver) -> None:
    assert over_tcp(driver, []) == (True, "passed")
    assert over_tcp(driver, [], flags=0x8182) == (False, "DNS error (SERVFAIL)")
    assert over_tcp(driver, [b"\0\x0cHTTP/1.1 400"]) == (False, "malformed reply")


def test_without_an_answer_over_tcp_the_truncated_one_stands(driver: ProbeDriver) -> None:
    assert over_tcp(driver, [b"\0"]) == (True, "passed (truncated, and over TCP: no data received)")
    assert over_tcp(driver, [b"\1"], close=False) == (True, "passed (truncated, and over TCP: timeout waiting for the reply)")


def test_no_tcp_at_all(driver: ProbeDriver) -> None:
    with socket.socket() as unlistened:
        unlistened.bind((LOOPBACK, 0))
        with truncating(unlistened) as port:
            outcome = probe(driver, dns(port))
    assert (outcome.ok, outcome.detail) == (True, "truncated, and over TCP: connection refused (ECONNREFUSED)")


def test_a_fixed_source_port_serves_both(driver: ProbeDriver, real: int) -> None:
    check = dns(real, "big.example", "TXT")
    fixed = replace(check, endpoint=replace(check.endpoint, bind_port=free_port()))
    assert [probe(driver, fixed).ok for _ in range(3)] == [True] * 3
