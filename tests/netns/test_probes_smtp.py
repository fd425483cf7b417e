"""SMTP_CHECK against OpenSMTPD, and against servers that misbehave in one exact way each."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keepalived_py.config.checkers import Endpoint, SmtpCheck
from keepalived_py.healthcheck.driver import ProbeDriver
from keepalived_py.healthcheck.outcome import Reason
from keepalived_py.units import Micro, micro
from tests.helpers.hostile import Handler, HostileServer, full_backlog, reset
from tests.helpers.servers import SMTPD, free_port, listening, opensmtpd, running
from tests.netns import probing
from tests.netns.probing import AMPLE, LOOPBACK, SLACK, TIMEOUT, probe, seconds, until


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield from probing.nothing_is_left()


@pytest.fixture
def driver() -> Iterator[ProbeDriver]:
    yield from probing.made_driver()


def smtp(port: int, timeout: Micro = AMPLE) -> SmtpCheck:
    return SmtpCheck(Endpoint(LOOPBACK, port, connect_timeout=timeout), helo_name="lb.example")


def script(*lines: bytes, then: Callable[[socket.socket], None] = lambda connection: None) -> Handler:
    """A server that says a line before each of the client's, and in the end does something else."""

    def handle(connection: socket.socket) -> None:
        for line in lines:
            connection.sendall(line)
            if not connection.recv(1000):
                return
        then(connection)

    return handle


def test_a_real_mail_server(driver: ProbeDriver, tmp_path: Path) -> None:
    with opensmtpd(tmp_path) as port:
        outcome = probe(driver, smtp(port))
        assert outcome.ok
        assert seconds(outcome) < 5
    text = (tmp_path / "log").read_text()
    assert "disconnected reason=quit" in text, "we said good-bye"


def test_a_real_mail_server_that_hangs(driver: ProbeDriver, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "smtpd.conf").write_text(f"listen on 127.0.0.1 port {port}\naction x relay\nmatch for any action x\n")
    with running(*SMTPD, tmp_path / "smtpd.conf", ready=listening(port), folder=tmp_path) as process:
        workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for pid in map(int, workers):
            os.kill(pid, signal.SIGSTOP)
        try:
            outcome = probe(driver, smtp(port, TIMEOUT))
        finally:
            for pid in map(int, workers):
                os.kill(pid, signal.SIGCONT)
    assert (outcome.ok, outcome.reason) == (False, Reason.REPLY_TIMEOUT)
    assert TIMEOUT <= outcome.took < TIMEOUT + micro(SLACK)


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (script(b"220 x\r\n", b"250 x\r\n", b"221 x\r\n"), Reason.PASSED),
        (script(b"220-x\r\n220 y\r\n", b"250-x\r\n250 y\r\n", b"500 never mind\r\n"), Reason.PASSED),
        (script(b"554 go away\r\n"), Reason.BAD_GREETING),
        (script(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Reason.BAD_GREETING),
        (script(b"SSH-2.0-OpenSSH_9.2\r\n"), Reason.BAD_GREETING),
        (script(b"220 x\r\n", b"501 lb.example?\r\n"), Reason.BAD_HELO),
        (script(), Reason.NO_DATA),
        (script(b"220 x\r\n"), Reason.NO_DATA),
        (script(b"220 x\r\n", b"250 x\r\n"), Reason.NO_DATA),
        (script(then=reset), Reason.RESET),
        (script(b"220 x\r\n", then=reset), Reason.RESET),
    ],
)
def test_verdict_and_reason(driver: ProbeDriver, handler: Handler, reason: Reason) -> None:
    with HostileServer(handler) as server:
        outcome = probe(driver, smtp(server.port))
    assert (outcome.ok, outcome.reason) == (reason is Reason.PASSED, reason)
    assert seconds(outcome) < SLACK


def test_what_the_server_hears(driver: ProbeDriver) -> None:
    heard: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        for line in (b"220 x\r\n", b"250 x\r\n", b"221 x\r\n"):
            connection.sendall(line)
            heard.append(connection.recv(1000))

    with HostileServer(handle) as server:
        assert probe(driver, smtp(server.port)).ok
        until(lambda: len(heard) == 3)
    assert heard == [b"HELO lb.example\r\n", b"QUIT\r\n", b""]


def test_refused(driver: ProbeDriver) -> None:
    outcome = probe(driver, smtp(free_port()))
    assert (outcome.ok, outcome.reason) == (False, Reason.REFUSED)
    assert seconds(outcome) < SLACK


def test_black_holed(driver: ProbeDriver) -> None:
    with full_backlog() as port:
        outcome = probe(driver, smtp(port, TIMEOUT))
    assert (outcome.ok, outcome.reason) == (False, Reason.CONNECT_TIMEOUT)
    assert TIMEOUT <= outcome.took < TIMEOUT + micro(SLACK)


def _silent(connection: socket.socket) -> None:
    while connection.recv(1000):
        pass


@pytest.mark.parametrize("stages", [0, 1, 2])
def test_silence_at_each_stage(driver: ProbeDriver, stages: int) -> None:
    with HostileServer(script(*(b"220 x\r\n", b"250 x\r\n")[:stages], then=_silent)) as server:
        outcome = probe(driver, smtp(server.port, TIMEOUT))
    assert (outcome.ok, outcome.reason) == (False, Reason.REPLY_TIMEOUT)
    assert TIMEOUT <= outcome.took < TIMEOUT + micro(SLACK)


def test_a_slow_greeting_in_time_is_no_failure(driver: ProbeDriver) -> None:
    def handle(connection: socket.socket) -> None:
        time.sleep(0.3)
        script(b"220 x\r\n", b"250 x\r\n", b"221 x\r\n")(connection)

    with HostileServer(handle) as server:
        outcome = probe(driver, smtp(server.port))
    assert outcome.ok
    assert 0.3 <= seconds(outcome) < 0.3 + SLACK


def test_a_greeting_that_trickles_is_cut_off(driver: ProbeDriver) -> None:
    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"220 ")
        while not server.stopped.wait(0.05):
            connection.sendall(b"x")

    with HostileServer(trickle) as server:
        outcome = probe(driver, smtp(server.port, TIMEOUT))
    assert outcome.reason is Reason.REPLY_TIMEOUT
    assert TIMEOUT <= outcome.took < TIMEOUT + micro(SLACK)


@pytest.mark.parametrize("piece", [b"x" * 10_000, b"220-x\r\n" * 1000], ids=["line", "lines"])
def test_endless_data_is_bounded(driver: ProbeDriver, piece: bytes) -> None:
    sent = 0

    def pour(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"220-")
        while not server.stopped.is_set():
            sent += connection.send(piece)

    with HostileServer(pour) as server:
        outcome = probe(driver, smtp(server.port))
    assert (outcome.ok, outcome.reason) == (False, Reason.TOO_MUCH_DATA)
    assert sent < 8 * 1024 * 1024, "socket buffers and no more"


def test_half_close(driver: ProbeDriver) -> None:
    def handle(connection: socket.socket) -> None:
        connection.sendall(b"220 x\r\n")
        connection.shutdown(socket.SHUT_WR)
        _silent(connection)

    with HostileServer(handle) as server:
        outcome = probe(driver, smtp(server.port))
    assert (outcome.ok, outcome.reason) == (False, Reason.NO_DATA)
    assert seconds(outcome) < SLACK
