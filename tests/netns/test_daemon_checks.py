"""The daemon with real servers and a simulated kernel: who is in the table, who is told, and how soon."""

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.lab import Lab, Node, WebServer
from tests.helpers.directors import Director, permissions

VS = "[203.0.113.1]:tcp:80"
DELAY, TIMEOUT = 0.3, 1.0
SLACK = 1.5  # a loaded machine

ONE, TWO = 8001, 8002


def rs(port: int) -> str:
    return f"{VS} -> [192.0.2.1]:{port}"


def check(port: int, body: str, more: str = "") -> str:
    return f"real_server 192.0.2.1 {port} {{\n weight 1\n {more}\n {body}\n}}\n"


TCP = "TCP_CHECK {\n connect_timeout 1\n retry 0\n}"
HTTP = "HTTP_GET {\n url {\n path /health\n status_code 200\n}\n connect_timeout 1\n retry 0\n}"


def service(*servers: str, more: str = "", extra: str = "") -> str:
    return f"""\
global_defs {{
    enable_script_security
    script_user root
    {extra}
}}
virtual_server 203.0.113.1 80 {{
    delay_loop {DELAY}
    warmup 0
    lb_algo rr
    lb_kind NAT
    protocol TCP
    {more}
    {"".join(servers)}
}}
"""


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Lab() as lab:
        node = lab.node("director")
        node.address("lo", "192.0.2.1/32")
        yield node


@pytest.fixture
def web(node: Node) -> Iterator[dict[int, WebServer]]:
    servers = {port: WebServer(node, port) for port in (ONE, TWO)}
    yield servers
    for server in servers.values():
        if server.daemon.status is None:
            server.kill()


@pytest.fixture
def director(node: Node, tmp_path: Path) -> Iterator[Director]:
    made = Director(node, tmp_path)
    yield made
    if made._daemon is not None and made.daemon.status is None:
        assert made.daemon.stop() == 0


@pytest.mark.parametrize("kind", [TCP, HTTP], ids=["TCP_CHECK", "HTTP_GET"])
def test_a_server_that_crashes_is_taken_out_in_time_and_comes_back(
    director: Director, web: dict[int, WebServer], kind: str
) -> None:
    director.configure(service(check(ONE, kind), check(TWO, kind)))
    director.start()
    assert director.sent() == [f"NEW_SERVICE {VS}", f"NEW_DEST {rs(ONE)}", f"NEW_DEST {rs(TWO)}"]
    web[ONE].kill()
    died = time.monotonic()
    director.until(lambda: director.sent(3), "the server is out")
    assert time.monotonic() - died < DELAY + TIMEOUT + SLACK
    assert director.sent(3) == [f"DEL_DEST {rs(ONE)}"]
    web[ONE].revive()
    back = time.monotonic()
    director.until(lambda: director.sent(4), "the server is back")
    assert time.monotonic() - back < DELAY + TIMEOUT + SLACK
    assert director.sent(4) == [f"NEW_DEST {rs(ONE)}"]
    assert director.daemon.stop() == 0
    assert director.sent(5) == [f"DEL_DEST {rs(ONE)}", f"DEL_DEST {rs(TWO)}", f"DEL_SERVICE {VS}"]


def test_a_server_that_hangs_is_seen_by_layer_7_only(director: Director, web: dict[int, WebServer]) -> None:
    director.configure(service(check(ONE, TCP), check(TWO, HTTP)))
    director.start()
    web[ONE].freeze()
    web[TWO].freeze()
    died = time.monotonic()
    director.until(lambda: director.sent(3), "the server is out")
    assert time.monotonic() - died < DELAY + TIMEOUT + SLACK
    web[TWO].thaw()
    director.until(lambda: len(director.sent(3)) > 1, "the server is back")
    assert director.sent(3) == [f"DEL_DEST {rs(TWO)}", f"NEW_DEST {rs(TWO)}"]
    web[ONE].thaw()


def test_alpha_lets_nobody_in_before_a_success(director: Director, web: dict[int, WebServer]) -> None:
    web[TWO].kill()
    director.configure(service(check(ONE, TCP), check(TWO, TCP), more="alpha"))
    director.start()
    director.until(lambda: len(director.sent()) > 1, "the living one is in")
    assert director.sent() == [f"NEW_SERVICE {VS}", f"NEW_DEST {rs(ONE)}"]
    web[TWO].revive()
    director.until(lambda: len(director.sent()) > 2, "the other one follows")
    assert director.sent(2) == [f"NEW_DEST {rs(TWO)}"]


def test_inhibit_on_failure_keeps_the_server_with_weight_0(director: Director, web: dict[int, WebServer]) -> None:
    director.configure(service(check(ONE, TCP, "inhibit_on_failure"), check(TWO, TCP)))
    director.start()
    web[ONE].kill()
    director.until(lambda: director.sent(3), "weight 0")
    assert director.sent(3) == [f"SET_DEST {rs(ONE)}"]
    (entry,) = director.observation.table().values()
    assert sorted(destination.weight for destination in entry.destinations.values()) == [0, 1]


def test_the_sorry_server_serves_while_the_quorum_is_lost(director: Director, web: dict[int, WebServer]) -> None:
    director.configure(service(check(ONE, TCP), check(TWO, TCP), more="quorum 2\n sorry_server 192.0.2.1 8009"))
    director.start()
    web[ONE].kill()
    director.until(lambda: len(director.sent(3)) >= 3, "the sorry server is in")
    assert director.sent(3) == [f"DEL_DEST {rs(ONE)}", f"DEL_DEST {rs(TWO)}", f"NEW_DEST {rs(8009)}"]
    assert "Lost quorum 2-0=2 > 1" in director.log()
    web[ONE].revive()
    director.until(lambda: len(director.sent(3)) >= 6, "the real ones are back")
    assert director.sent(6) == [f"DEL_DEST {rs(8009)}", f"NEW_DEST {rs(ONE)}", f"NEW_DEST {rs(TWO)}"]


def teller(folder: Path) -> Path:
    """Return a program that writes its arguments and who it is into a file beside it."""
    folder.chmod(0o755)
    program = folder / "tell"
    program.write_text(f'#!/bin/sh\nprintf "%s|%s\\n" "$*" "$(id -u):$(id -g)" >> {folder}/told\n')
    program.chmod(0o755)
    (folder / "told").touch()
    (folder / "told").chmod(0o666)
    return program


def test_scripts_are_run_as_their_users_and_in_order(director: Director, web: dict[int, WebServer]) -> None:
    folder = Path("/tmp") / f"told-{os.getpid()}"  # a folder that others can enter
    folder.mkdir()
    try:
        program = teller(folder)
        notify = f'notify_up "{program} up"\n notify_down "{program} down" nobody nogroup'
        quorum = f'quorum_up "{program} quorum_up"\n quorum_down "{program} quorum_down" nobody'
        director.configure(service(check(ONE, TCP, notify), more=quorum))
        director.start()

        def told() -> list[str]:
            return (folder / "told").read_text().splitlines()

        director.until(told, "quorum_up")
        web[ONE].kill()
        director.until(lambda: len(told()) == 3, "down, quorum_down")
        web[ONE].revive()
        director.until(lambda: len(told()) == 5, "up, quorum_up")
        assert told()[0] == "quorum_up|0:0"
        assert sorted(told()[1:3]) == ["down|65534:65534", "quorum_down|65534:65534"]
        assert sorted(told()[3:]) == ["quorum_up|0:0", "up|0:0"]
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def test_fifos_get_keepalived_s_lines_byte_for_byte(director: Director, web: dict[int, WebServer], tmp_path: Path) -> None:
    pipe, lines = tmp_path / "fifo", tmp_path / "lines"
    reader = tmp_path / "reader"
    reader.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/argument\nexec cat "$1" > {lines}\n')
    reader.chmod(0o755)
    extra = f"lvs_notify_fifo {pipe}\n lvs_notify_fifo_script {reader}"
    director.configure(service(check(ONE, TCP), extra=extra))
    director.start()
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert permissions(pipe) == 0o600
    web[ONE].kill()
    server = f"RS [192.0.2.1]:tcp:{ONE} {VS}"
    expected = f"VS {VS} UP\n\0{server} DOWN\n\0VS {VS} DOWN\n\0".encode()
    director.until(lambda: lines.exists() and lines.read_bytes() == expected, "three lines")
    assert (tmp_path / "argument").read_text() == f"{pipe}\n"
    web[ONE].revive()
    expected += f"{server} UP\n\0VS {VS} UP\n\0".encode()
    director.until(lambda: lines.read_bytes() == expected, "two more")
    started = time.monotonic()
    assert director.daemon.stop() == 0
    assert time.monotonic() - started < 3  # the reader ends when told, it is not waited for in vain
    assert not pipe.exists()
    director.until(lambda: not director.node.call("pgrep", "-f", str(lines)).stdout, "the reader has ended")


def test_omega_says_goodbye_at_the_stop(director: Director, web: dict[int, WebServer], tmp_path: Path) -> None:
    told = tmp_path / "told"
    program = tmp_path / "tell"
    program.write_text(f'#!/bin/sh\nsleep 0.2\necho "$*" >> {told}\n')
    program.chmod(0o755)
    director.configure(
        service(check(ONE, TCP, f'notify_down "{program} down"'), more=f'omega\n quorum_down "{program} quorum_down"')
    )
    director.start()
    assert director.daemon.stop() == 0
    assert sorted(told.read_text().split()) == ["down", "quorum_down"]


def test_the_log_says_what_keepalived_s_users_grep_for(director: Director, web: dict[int, WebServer]) -> None:
    director.configure(service(check(ONE, TCP), check(TWO, HTTP)))
    director.start()
    web[ONE].kill()
    director.until(lambda: director.sent(3), "out")
    web[TWO].health(500)
    director.until(lambda: director.sent(4), "out")
    web[TWO].health(200)
    director.until(lambda: director.sent(5), "in")
    for line in (
        "Starting Keepalived v",
        f"Configuration file {director.config}",
        "Starting Healthcheck child process, pid=",
        f"Activating healthchecker for service [192.0.2.1]:tcp:{ONE} for VS {VS}",
        f"TCP_CHECK on service [192.0.2.1]:tcp:{ONE} failed",
        f"Removing service [192.0.2.1]:tcp:{ONE} from VS {VS}",
        f"Lost quorum 1-0=1 > 0 for VS {VS}",
        f"Adding service [192.0.2.1]:tcp:{TWO} to VS {VS}",
        f"Gained quorum 1+0=1 <= 1 for VS {VS}",
    ):
        assert line in director.log()
