"""Probes against real servers: each way to misbehave gives its verdict, its reason and its time, and leaves no descriptor."""

import asyncio
import hashlib
import os
import random
import resource
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from examples.lab import Lab, Node
from keepalived_py.addresses import Address
from keepalived_py.config.checkers import Checker, Endpoint, HttpCheck, Regex, StatusRange, TcpCheck, Timing, TlsOptions, Url
from keepalived_py.config.lvs import Lvs, RealServer
from keepalived_py.config.model import SslContext
from keepalived_py.errors import ConfigError
from keepalived_py.healthcheck import dial
from keepalived_py.healthcheck.actions import Action, Log, Publish
from keepalived_py.healthcheck.driver import ProbeDriver
from keepalived_py.healthcheck.engine import CheckEngine
from keepalived_py.healthcheck.events import Started, Stopping
from keepalived_py.healthcheck.http import PATIENCE
from keepalived_py.healthcheck.io import CheckShell
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.healthcheck.reply import BODY_LIMIT
from keepalived_py.healthcheck.tls import TlsContexts
from keepalived_py.units import Micro, micro
from tests.healthcheck.builders import service
from tests.helpers.hostile import HostileServer, answer, full_backlog, read_request, reset
from tests.helpers.servers import free_port
from tests.netns import probing
from tests.netns.probing import AMPLE, LOOPBACK, SLACK, TIMEOUT, descriptors, drive, now, probe, run, seconds, until

OK = b"HTTP/1.0 200 OK\r\n\r\n"


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield from probing.nothing_is_left()


@pytest.fixture
def driver() -> Iterator[ProbeDriver]:
    yield from probing.made_driver()


def tcp(port: int, address: Address = LOOPBACK, timeout: Micro = AMPLE) -> TcpCheck:
    return TcpCheck(Endpoint(address, port, connect_timeout=timeout))


def http(port: int, url: Url = Url("/"), *, tls: bool = False, timeout: Micro = AMPLE) -> HttpCheck:  # noqa: B008
    return HttpCheck(Endpoint(LOOPBACK, port, connect_timeout=timeout), urls=(url,), tls=tls)


# ---- TCP ----


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_tcp_accepted(driver: ProbeDriver, host: str) -> None:
    with HostileServer(lambda connection: None, host) as server:
        outcome = probe(driver, tcp(server.port, Address.parse(host)))
    assert outcome.ok
    assert 0 < seconds(outcome) < SLACK


def test_tcp_accepted_by_the_kernel_alone(driver: ProbeDriver) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert probe(driver, tcp(listener.getsockname()[1])).ok


def test_tcp_refused(driver: ProbeDriver) -> None:
    outcome = probe(driver, tcp(free_port()))
    assert (outcome.ok, outcome.reason, outcome.detail) == (False, Reason.REFUSED, "ECONNREFUSED")
    assert seconds(outcome) < SLACK


@pytest.mark.parametrize("make", [tcp, http])
def test_black_holed(driver: ProbeDriver, make: Callable[..., Checker]) -> None:
    with full_backlog() as port:
        outcome = probe(driver, make(port, timeout=TIMEOUT))
    assert (outcome.ok, outcome.reason) == (False, Reason.CONNECT_TIMEOUT)
    assert TIMEOUT <= outcome.took < TIMEOUT + micro(SLACK)


def test_bindto_is_the_source_that_the_server_sees(driver: ProbeDriver) -> None:
    with HostileServer(lambda connection: None) as server:
        check = tcp(server.port)
        assert probe(driver, replace(check, endpoint=replace(check.endpoint, bindto=Address.parse("127.0.0.7")))).ok
        until(lambda: bool(server.peers))
    assert server.peers[0][0] == "127.0.0.7"


def test_bind_port_can_be_used_again_at_once(driver: ProbeDriver) -> None:
    port = free_port()
    with HostileServer(lambda connection: None) as server:
        check = tcp(server.port)
        check = replace(check, endpoint=replace(check.endpoint, bind_port=port))
        assert [probe(driver, check).reason for _ in range(5)] == [Reason.PASSED] * 5
        until(lambda: len(server.peers) == 5)
    assert {peer[1] for peer in server.peers} == {port}


def test_an_address_that_is_not_ours_says_nothing_about_the_server(driver: ProbeDriver) -> None:
    check = tcp(free_port())
    outcome = probe(driver, replace(check, endpoint=replace(check.endpoint, bindto=Address.parse("192.0.2.77"))))
    assert outcome.reason is Reason.LOCAL
    assert outcome.detail == "bind to [192.0.2.77]:0: Cannot assign requested address"


def test_an_interface_that_does_not_exist_says_nothing_about_the_server(driver: ProbeDriver) -> None:
    check = tcp(free_port())
    outcome = probe(driver, replace(check, endpoint=replace(check.endpoint, bind_if="nonesuch0")))
    assert outcome.reason is Reason.LOCAL
    assert "nonesuch0" in outcome.detail


# ---- in a network of our own ----


@pytest.fixture(scope="module")
def nodes() -> Iterator[tuple[Node, Node]]:
    """here (192.0.2.1, fe80::1) ---- there (192.0.2.2, fe80::2)."""
    with Lab() as lab:
        here, there = lab.node("here"), lab.node("there")
        lab.link(here, there, ["192.0.2.1/24", "fe80::1/64"], ["192.0.2.2/24", "fe80::2/64"])
        here.ip("route add unreachable 198.51.100.0/24", "rule add fwmark 7 table 7", "route add unreachable default table 7")
        yield here, there


def in_node(node: Node, checker: Checker) -> Outcome:
    driver = ProbeDriver(limit=10, contexts=TlsContexts(None))
    try:
        with node.entered():
            return probe(driver, checker)
    finally:
        driver.close()


def test_unreachable(nodes: tuple[Node, Node]) -> None:
    outcome = in_node(nodes[0], tcp(80, Address.parse("198.51.100.1")))
    assert (outcome.ok, outcome.reason) == (False, Reason.UNREACHABLE)


def test_no_route_at_all(nodes: tuple[Node, Node]) -> None:
    outcome = in_node(nodes[0], tcp(80, Address.parse("203.0.113.1")))
    assert (outcome.reason, outcome.detail) == (Reason.UNREACHABLE, "ENETUNREACH")


def test_fwmark_chooses_the_route(nodes: tuple[Node, Node]) -> None:
    with nodes[1].entered():
        server = HostileServer(lambda connection: None, "192.0.2.2")
    with server:
        check = tcp(server.port, Address.parse("192.0.2.2"))
        assert in_node(nodes[0], check).ok
        marked = in_node(nodes[0], replace(check, endpoint=replace(check.endpoint, fwmark=7)))
    assert marked.reason is Reason.UNREACHABLE


def test_link_local_address_is_reached_on_its_interface(nodes: tuple[Node, Node]) -> None:
    with nodes[1].entered():
        server = HostileServer(lambda connection: None, "fe80::2%here")
    with server:
        check = tcp(server.port, Address.parse("fe80::2"))
        assert in_node(nodes[0], replace(check, endpoint=replace(check.endpoint, bind_if="there"))).ok
        assert in_node(nodes[0], check).reason is Reason.LOCAL


# ---- HTTP ----


@pytest.mark.parametrize(
    ("reply", "url", "reason"),
    [
        (OK + b"hello", Url("/"), Reason.PASSED),
        (OK + b"hello", Url("/", digest=hashlib.md5(b"hello").hexdigest()), Reason.PASSED),
        (OK + b"hello", Url("/", digest="0" * 32), Reason.DIGEST_MISMATCH),
        (OK + b"hello", Url("/", regex=Regex("l+o")), Reason.PASSED),
        (OK + b"hello", Url("/", regex=Regex("bye")), Reason.REGEX_MISMATCH),
        (b"HTTP/1.0 404 No\r\n\r\n", Url("/"), Reason.BAD_STATUS),
        (b"HTTP/1.0 404 No\r\n\r\n", Url("/", status_codes=(StatusRange(400, 404),)), Reason.PASSED),
        (b"", Url("/"), Reason.NO_DATA),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Url("/"), Reason.BAD_REPLY),
        (b"220 mail.example ESMTP\r\n\r\n", Url("/"), Reason.BAD_REPLY),
    ],
)
def test_http_replies(driver: ProbeDriver, reply: bytes, url: Url, reason: Reason) -> None:
    with HostileServer(answer(reply)) as server:
        assert probe(driver, http(server.port, url)).reason is reason


def test_http_request_reaches_the_server_as_configured(driver: ProbeDriver) -> None:
    seen: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(OK)

    with HostileServer(handle) as server:
        check = replace(http(server.port), urls=(Url("/a"), Url("/b", virtualhost="b.example")))
        assert probe(driver, check, 0).ok
        assert probe(driver, check, 1).ok
    assert seen == [
        b"GET /a HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: 127.0.0.1:%d\r\n\r\n" % server.port,
        b"GET /b HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: b.example\r\n\r\n",
    ]


def test_slow_accept_is_not_a_failure(driver: ProbeDriver) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve_late() -> None:
            time.sleep(TIMEOUT / 2_000_000)
            connection, _ = listener.accept()
            with connection:
                answer(OK)(connection)

        thread = threading.Thread(target=serve_late)
        thread.start()
        outcome = probe(driver, http(listener.getsockname()[1]))
        thread.join()
    assert outcome.ok
    assert outcome.took >= TIMEOUT / 2


def test_a_server_that_never_answers(driver: ProbeDriver) -> None:
    with HostileServer(lambda connection: _until_closed(connection)) as server:
        outcome = probe(driver, http(server.port, timeout=TIMEOUT))
    assert (outcome.ok, outcome.reason) == (False, Reason.REPLY_TIMEOUT)
    assert TIMEOUT <= outcome.took < TIMEOUT + micro(SLACK)


@pytest.mark.parametrize("first", [b"", OK])
def test_a_server_that_trickles_is_cut_off(driver: ProbeDriver, first: bytes) -> None:
    def trickle(connection: socket.socket) -> None:
        connection.sendall(first)
        while not server.stopped.wait(0.05):
            connection.sendall(b"x")

    with HostileServer(trickle) as server:
        outcome = probe(driver, http(server.port, timeout=TIMEOUT))
    assert (outcome.ok, outcome.reason) == (False, Reason.REPLY_TIMEOUT)
    assert PATIENCE * TIMEOUT <= outcome.took < PATIENCE * TIMEOUT + micro(SLACK)


def test_half_close_ends_the_reply(driver: ProbeDriver) -> None:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(OK + b"hello")
        connection.shutdown(socket.SHUT_WR)
        _until_closed(connection)

    with HostileServer(handle) as server:
        outcome = probe(driver, http(server.port, Url("/", digest=hashlib.md5(b"hello").hexdigest())))
    assert outcome.ok
    assert outcome.took < AMPLE / 2


def test_a_whole_response_on_a_connection_that_stays_open(driver: ProbeDriver) -> None:
    with HostileServer(answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", close=False)) as server:
        outcome = probe(driver, http(server.port))
    assert outcome.ok
    assert outcome.took < AMPLE / 2


def test_reset_in_the_middle_of_a_reply(driver: ProbeDriver) -> None:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(OK + b"hel")
        time.sleep(0.05)
        reset(connection)

    with HostileServer(handle) as server:
        assert probe(driver, http(server.port)).reason is Reason.RESET


@pytest.mark.parametrize("start", [OK, b"HTTP/1.0 200 OK\r\n"], ids=["body", "headers"])
def test_endless_data_is_bounded(driver: ProbeDriver, start: bytes) -> None:
    sent = 0

    def pour(connection: socket.socket) -> None:
        nonlocal sent
        read_request(connection)
        connection.sendall(start)
        line = b"X: " + b"y" * 61 + b"\r\n"
        while not server.stopped.is_set():
            sent += connection.send(line * 512)

    with HostileServer(pour) as server:
        outcome = probe(driver, http(server.port))
    assert outcome.reason is Reason.TOO_MUCH_DATA
    assert sent < BODY_LIMIT + 16 * 1024 * 1024, "socket buffers and no more"


def test_a_request_that_does_not_fit_the_socket_is_sent_in_pieces(driver: ProbeDriver) -> None:
    path = "/" + "x" * 8_000_000
    seen: list[int] = []

    def handle(connection: socket.socket) -> None:
        time.sleep(0.1)
        seen.append(len(read_request(connection)))
        connection.sendall(OK)

    with HostileServer(handle) as server:
        outcome = probe(driver, http(server.port, Url(path)))
    assert outcome.ok
    assert seen[0] > len(path)


# ---- TLS ----


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A self-signed certificate that has expired, for a name that nobody asks for, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key, request, made = folder / "key.pem", folder / "request.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other.example", "-keyout", key, "-out", request],
        check=True,
        capture_output=True,
    )
    subprocess.run(
        ["openssl", "x509", "-req", "-in", request, "-signkey", key, "-days", "-1", "-out", made],
        check=True,
        capture_output=True,
    )
    return str(made), str(key)


@pytest.fixture
def context(certificate: tuple[str, str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_is_not_verified(driver: ProbeDriver, context: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    context.maximum_version = version
    body = os.urandom(300_000)
    with HostileServer(answer(OK, body), context=context) as server:
        outcome = probe(driver, http(server.port, Url("/", digest=hashlib.md5(body).hexdigest()), tls=True))
    assert outcome.ok


@pytest.mark.parametrize("name", [None, "a.example"])
def test_sni(driver: ProbeDriver, context: ssl.SSLContext, name: str | None) -> None:
    names: list[str | None] = []
    context.sni_callback = lambda _, asked, __: names.append(asked)
    with HostileServer(answer(OK), context=context) as server:
        assert probe(driver, replace(http(server.port, tls=True), sni_name=name)).ok
    assert names == [name]


@pytest.mark.parametrize("name", [".bad", "x" * 70 + ".example", "a\0b"])
def test_a_name_that_cannot_go_into_sni_says_nothing_about_the_server(
    driver: ProbeDriver, context: ssl.SSLContext, name: str
) -> None:
    with HostileServer(answer(OK), context=context) as server:
        assert probe(driver, replace(http(server.port, tls=True), sni_name=name)).reason is Reason.LOCAL


@pytest.mark.parametrize("first", [b"HTTP/1.0 400 Speak plainly\r\n\r\n", bytes(100), b"\x16\x03\x03\x00\x04\x02\x00\x00\x00", b""])
def test_what_is_no_tls(driver: ProbeDriver, first: bytes) -> None:
    def handle(connection: socket.socket) -> None:
        connection.recv(1)
        connection.sendall(first)

    with HostileServer(handle) as server:
        outcome = probe(driver, http(server.port, tls=True))
    assert outcome.reason in ((Reason.TLS_FAILED,) if first else (Reason.TLS_FAILED, Reason.RESET))
    assert not outcome.ok


def test_a_handshake_that_never_ends(driver: ProbeDriver) -> None:
    with HostileServer(lambda connection: _until_closed(connection)) as server:
        outcome = probe(driver, http(server.port, tls=True, timeout=TIMEOUT))
    assert outcome.reason is Reason.CONNECT_TIMEOUT
    assert TIMEOUT <= outcome.took < TIMEOUT + micro(SLACK)


def test_a_reset_in_the_handshake(driver: ProbeDriver) -> None:
    def handle(connection: socket.socket) -> None:
        connection.recv(1)
        reset(connection)

    with HostileServer(handle) as server:
        assert probe(driver, http(server.port, tls=True)).reason is Reason.RESET


@pytest.mark.parametrize("compliant", [False, True])
def test_tls_compliant_says_goodbye(driver: ProbeDriver, context: ssl.SSLContext, compliant: bool) -> None:
    ends: list[str] = []

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        try:
            ends.append("close_notify" if connection.recv(1) == b"" else "data")
        except ssl.SSLError:
            ends.append("an end in mid-air")

    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # which the first releases of Python 3.11 set
    with HostileServer(_strict_about_the_end(handle), context=context) as server:
        assert probe(driver, replace(http(server.port, tls=True), tls_compliant=compliant)).ok
    assert ends == ["close_notify" if compliant else "an end in mid-air"]


def test_the_ssl_block_gives_a_client_certificate(context: ssl.SSLContext, certificate: tuple[str, str]) -> None:
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(certificate[0])
    context.verify_flags |= 0x200000  # X509_V_FLAG_NO_CHECK_TIME: the certificate has expired.
    seen: list[bool] = []

    def handle(connection: socket.socket) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        seen.append(bool(connection.getpeercert(binary_form=True)))
        answer(OK)(connection)

    for files in (None, SslContext(certificate=certificate[0], key=certificate[1])):
        driver = ProbeDriver(limit=10, contexts=TlsContexts(files))
        with HostileServer(handle, context=context) as server:
            assert probe(driver, http(server.port, tls=True)).ok
        driver.close()
    assert seen == [False, True]


def test_an_ssl_block_that_cannot_be_loaded_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="certificate"):
        TlsContexts(SslContext(certificate=str(tmp_path / "none"))).get(TlsOptions())


# ---- many ----


def test_concurrency_is_bounded_and_the_rest_waits() -> None:
    driver = ProbeDriver(limit=10, contexts=TlsContexts(None))
    idle = len(descriptors())
    most = 0
    with HostileServer(lambda connection: _until_closed(connection)) as server, full_backlog() as port:
        base = len(descriptors())
        quick = TcpCheck(Endpoint(LOOPBACK, port, connect_timeout=micro(0.05)))
        for id in range(100):
            driver.start(id, quick, 0, now())
            most = max(most, len(descriptors()) - base)
        outcomes = drive(driver, 100)
        assert server.port
    driver.close()
    assert most <= 10
    assert len(descriptors()) == idle - 1
    assert {outcome.reason for outcome in outcomes.values()} == {Reason.CONNECT_TIMEOUT}


def test_when_descriptors_run_out_probes_wait_for_each_other(driver: ProbeDriver) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)
        highest = max(int(fd) for fd in descriptors())
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 4, limits[1]))
        try:
            outcomes = run(driver, {id: (tcp(listener.getsockname()[1]), 0) for id in range(100)})
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert {outcome.reason for outcome in outcomes.values()} == {Reason.PASSED}


def test_without_any_descriptor_nothing_is_said_about_servers(driver: ProbeDriver) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    port = free_port()
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        outcome = run(driver, {1: (tcp(port), 0)})[1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert (outcome.reason, outcome.detail) == (Reason.LOCAL, "socket: Too many open files")


def test_cancelled_probes_give_no_result_and_keep_no_socket(driver: ProbeDriver) -> None:
    base = len(descriptors())
    with full_backlog() as port, HostileServer(answer(OK)) as server:
        listening = len(descriptors())
        for id in range(20):
            driver.start(id, tcp(port), 0, now())
        for id in range(20):
            driver.cancel(id)
            driver.cancel(id)
        assert len(descriptors()) == listening
        assert run(driver, {99: (http(server.port), 0)}).keys() == {99}
    assert len(descriptors()) <= base


def test_descriptors_for_probes_leaves_a_reserve() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(descriptors())
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
        assert dial.descriptors_for_probes(10, reserve=20) == 10
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= used - 2 + 10 + 20
        assert dial.descriptors_for_probes(hard * 2, reserve=20) <= hard - 20
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_every_misbehaviour_at_once_leaves_nothing(driver: ProbeDriver, context: ssl.SSLContext) -> None:
    rng = random.Random(5)

    def whimsical(connection: socket.socket) -> None:
        connection.settimeout(1)
        choice = rng.randrange(5)
        if choice == 0:
            reset(connection)
        elif choice == 1:
            connection.sendall(os.urandom(500))
        elif choice == 2:
            answer(OK + b"x" * rng.randrange(100_000))(connection)
        elif choice == 3:
            read_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour")
        else:
            server.stopped.wait(0.2)

    with ExitStack() as stack:
        server = stack.enter_context(HostileServer(whimsical))
        secure = stack.enter_context(HostileServer(whimsical, context=context))
        black = stack.enter_context(full_backlog())
        makers: list[Callable[[], Checker]] = [
            lambda: tcp(server.port, timeout=TIMEOUT),
            lambda: http(server.port, timeout=TIMEOUT),
            lambda: http(server.port, tls=True, timeout=TIMEOUT),
            lambda: http(secure.port, tls=True, timeout=TIMEOUT),
            lambda: http(secure.port, timeout=TIMEOUT),
            lambda: tcp(black, timeout=TIMEOUT),
            lambda: http(free_port(), timeout=TIMEOUT),
        ]
        before = len(descriptors())
        outcomes = run(driver, {id: (rng.choice(makers)(), 0) for id in range(300)})
        assert driver.deadline() is None
        assert not driver._by_fd
        until(lambda: len(descriptors()) <= before)
    assert len(outcomes) == 300
    assert len({outcome.reason for outcome in outcomes.values()}) >= 5


# ---- engine, driver and event loop together ----


def test_a_server_that_dies_and_comes_back_is_seen_by_the_whole_shell() -> None:
    timing = Timing(delay_loop=micro(0.1), retry=1, delay_before_retry=micro(0.05), warmup=Micro(0))
    published: list[tuple[list[int], float]] = []
    lines: list[str] = []

    def perform(actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Publish):
                published.append((sorted(key.port for key in action.weights), time.monotonic()))
            if isinstance(action, Log):
                lines.append(action.text)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        driver = ProbeDriver(limit=50, contexts=TlsContexts(None))
        shell = CheckShell(CheckEngine(random.Random(1).random), driver, perform, now, loop)
        with HostileServer(answer(OK)) as steady, socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(64)
            mortal = listener.getsockname()[1]
            checks = (http(steady.port), tcp(mortal))
            servers = tuple(_server(replace(check, timing=timing)) for check in checks)
            shell.feed(Started(Lvs((service(*servers),))))
            both, one = sorted((steady.port, mortal)), [steady.port]
            await _eventually(
                lambda: any("Remote Web server" in line for line in lines) and any("success" in line for line in lines)
            )
            assert [ports for ports, _ in published] == [both]
            listener.close()
            died = time.monotonic()
            await _eventually(lambda: len(published) == 2)
            assert published[1][0] == one
            assert published[1][1] - died < 0.1 + 0.05 + SLACK
            with socket.create_server(("127.0.0.1", mortal)):
                await _eventually(lambda: len(published) == 3)
            assert published[2][0] == both
            shell.feed(Stopping())
        shell.close()

    before = len(descriptors())
    asyncio.run(scenario())
    assert len(descriptors()) == before


def _server(check: Checker) -> RealServer:
    assert isinstance(check, TcpCheck | HttpCheck)
    return RealServer(check.endpoint.address, check.endpoint.port, checkers=(check,))


async def _eventually(check: Callable[[], bool], within: float = 10.0) -> None:
    end = time.monotonic() + within
    while not check():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def _until_closed(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def _strict_about_the_end(handle: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    """Have the server notice a connection that ends without a close_notify."""

    def strict(connection: socket.socket) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        connection.suppress_ragged_eofs = False  # type: ignore[attr-defined]
        handle(connection)

    return strict
