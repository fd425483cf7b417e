"""SIGHUP: what is refused leaves everything as it is, what is applied is applied as at a start, and only the difference is sent."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.lab import Lab, Node, WebServer
from tests.helpers.directors import Director

VS = "[203.0.113.1]:tcp:80"
ONE, TWO, THREE = 8001, 8002, 8003


def rs(port: int) -> str:
    return f"{VS} -> [192.0.2.1]:{port}"


def server(port: int, more: str = "weight 1") -> str:
    check = "        TCP_CHECK {\n            connect_timeout 1\n        }\n"
    return f"    real_server 192.0.2.1 {port} {{\n        {more}\n{check}    }}\n"


def service(*servers: str, kind: str = "NAT", more: str = "delay_loop 30", address: str = "203.0.113.1 80") -> str:
    head = f"virtual_server {address} {{\n    {more}\n    lb_algo rr\n    lb_kind {kind}\n    protocol TCP\n"
    return head + "".join(servers) + "}\n"


GOOD = service(server(ONE), server(TWO))
LAST = GOOD.count("\n") + 1
START = [f"NEW_SERVICE {VS}", f"NEW_DEST {rs(ONE)}", f"NEW_DEST {rs(TWO)}"]


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Lab() as lab:
        node = lab.node("director")
        node.address("lo", "192.0.2.1/32")
        for port in (ONE, TWO, THREE):
            WebServer(node, port)
        yield node


@pytest.fixture(scope="module")
def running(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Director]:
    """One daemon for many reloads; each test leaves it with the good configuration."""
    made = Director(node, tmp_path_factory.mktemp("reload"))
    made.configure(GOOD)
    made.start()
    yield made
    assert made.daemon.stop() == 0


@pytest.fixture
def director(running: Director) -> Iterator[Director]:
    yield running
    assert running.daemon.status is None
    running.configure(GOOD)
    assert "Reload finished" in running.reload()
    (entry,) = running.observation.table().values()
    assert sorted(str(key) for key in entry.destinations) == [f"[192.0.2.1]:{port}" for port in (ONE, TWO)]


def reloaded(director: Director, text: str) -> tuple[str, list[str]]:
    """Reload with a text; return what was said and sent."""
    count = director.count
    director.configure(text)
    said = director.reload()
    return said, director.sent(count)


# --- refused ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason", "place"),
    [
        (GOOD.rstrip()[:-1], "braces or quotes do not match", ":1:"),
        (GOOD + "}\n", "braces or quotes do not match", f":{LAST}:"),
        (GOOD.replace("lb_algo rr", 'virtualhost "open'), "braces or quotes do not match", ":3:"),
        (GOOD + "virtual_server\n", "a keyword lacks a value it cannot do without", f":{LAST}:"),
        ("includea /nowhere/at/all.conf\n" + GOOD, "a strict include failed", ":1:"),
    ],
    ids=["missing brace", "superfluous brace", "missing quote", "missing value", "strict include"],
)
def test_a_refused_file_changes_nothing(director: Director, text: str, reason: str, place: str) -> None:
    checker = director.checker
    said, sent = reloaded(director, text)
    assert f"Reload refused: {reason}; the running configuration stays in force" in said
    assert sent == []
    assert director.checker == checker
    assert f"{director.config}{place}" in said


def test_a_file_that_is_gone_or_cannot_be_read_is_refused(director: Director) -> None:
    count = director.count
    director.config.unlink()
    assert "Reload refused: the configuration file cannot be read" in director.reload()
    director.config.mkdir()
    assert "Reload refused: the configuration file cannot be read" in director.reload()
    director.config.rmdir()
    assert director.sent(count) == []


# --- applied as at a start -------------------------------------------------------------------------------------------------------

CASES = {
    "unknown keyword": (GOOD.replace("    lb_algo", "    lb_allgo rr\n    lb_algo"), ":3:", "lb_allgo", START),
    "bad number": (GOOD.replace("weight 1", "weight one", 1), ":7:", "one", START),
    "port 70000": (
        service(server(ONE), server(TWO), server(70000)),
        ":18:",
        "70000",
        START,
    ),
    "duplicate server": (service(server(ONE), server(TWO), server(ONE, "weight 9")), "", "192.0.2.1", START),
    "duplicate service": (GOOD + service(server(THREE)), "", "203.0.113.1", START),
    "missing include": ("include /nowhere/at/all.conf\n" + GOOD, ":1:", "/nowhere/at/all.conf", START),
    "FNAT without local addresses": (
        GOOD + service(server(THREE), kind="FNAT", address="203.0.113.2 80"),
        "",
        "local",
        START,
    ),
    "syn_proxy with DR": (
        GOOD + service(server(80), kind="DR", more="syn_proxy", address="203.0.113.2 80"),
        "",
        "syn_proxy",
        START,
    ),
    "syn_proxy with TUN": (
        GOOD + service(server(80), kind="TUN", more="syn_proxy", address="203.0.113.2 80"),
        "",
        "syn_proxy",
        START,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_faulty_file_is_applied_with_its_diagnostics(director: Director, case: str) -> None:
    text, place, word, _ = CASES[case]
    said, sent = reloaded(director, text)
    assert "Reload finished" in said
    diagnostics = [line for line in said.splitlines() if f"{director.config}:" in line]
    assert len(diagnostics) == 1, said
    assert place in diagnostics[0]
    assert word in diagnostics[0]
    assert sent == []  # what can be used of it is what is running already


@pytest.mark.parametrize("case", CASES)
def test_the_same_file_at_a_start(node: Node, tmp_path: Path, case: str) -> None:
    text, _, word, requests = CASES[case]
    director = Director(node, tmp_path)
    director.configure(text)
    director.start()
    diagnostics = [line for line in director.log().splitlines() if f"{director.config}:" in line]
    assert len(diagnostics) == 1, director.log()
    assert word in diagnostics[0]
    assert director.sent() == requests
    assert director.daemon.stop() == 0


def test_with_reload_check_config_every_faulty_file_is_refused(node: Node, tmp_path: Path) -> None:
    director = Director(node, tmp_path)
    notes = tmp_path / "notes"
    strict = f"global_defs {{\n    reload_check_config {notes}\n}}\n"
    director.configure(strict + GOOD)
    director.start()
    for case in ("unknown keyword", "bad number", "port 70000", "syn_proxy with DR", "FNAT without local addresses"):
        said, sent = reloaded(director, strict + CASES[case][0])
        assert "Reload refused: the configuration test fails with status 5 (reload_check_config)" in said, case
        assert sent == []
        assert CASES[case][2] in notes.read_text().splitlines()[-3]
    said, sent = reloaded(director, strict + service(server(ONE), server(TWO), server(THREE)))
    assert "Reload finished" in said
    assert sent == [f"NEW_DEST {rs(THREE)}"]
    assert director.daemon.stop() == 0


# --- only the difference ---------------------------------------------------------------------------------------------------------


def test_an_equal_file_sends_nothing(director: Director) -> None:
    said, sent = reloaded(director, "# a comment\n" + GOOD)
    assert "virtual servers: 0 added, 0 changed, 0 removed, 1 unchanged" in said
    assert sent == []


@pytest.mark.parametrize(
    ("text", "requests"),
    [
        (service(server(ONE), server(TWO), server(THREE)), [f"NEW_DEST {rs(THREE)}"]),
        (service(server(ONE)), [f"DEL_DEST {rs(TWO)}"]),
        (service(server(ONE), server(TWO, "weight 5")), [f"SET_DEST {rs(TWO)}"]),
        (GOOD.replace("lb_algo rr", "lb_algo wlc"), [f"SET_SERVICE {VS}"]),
        (GOOD.replace("delay_loop 30", "delay_loop 31"), []),
        (
            GOOD + service(server(THREE), address="203.0.113.2 80"),
            ["NEW_SERVICE [203.0.113.2]:tcp:80", f"NEW_DEST [203.0.113.2]:tcp:80 -> [192.0.2.1]:{THREE}"],
        ),
    ],
    ids=["server added", "server removed", "weight", "scheduler", "timing", "service added"],
)
def test_each_change_is_sent_and_nothing_else(director: Director, text: str, requests: list[str]) -> None:
    _, sent = reloaded(director, text)
    assert sent == requests


def test_a_group_that_grows(node: Node, tmp_path: Path) -> None:
    director = Director(node, tmp_path)

    def group(*last: int) -> str:
        lines = "".join(f"    203.0.113.{number} 80\n" for number in last)
        return f"virtual_server_group shop {{\n{lines}}}\n" + service(server(ONE), address="group shop")

    director.configure(group(1, 2))
    director.start()
    assert director.count == 4
    _, sent = reloaded(director, group(2, 3))
    three = "[203.0.113.3]:tcp:80"
    assert sent == [f"DEL_SERVICE {VS}", f"NEW_SERVICE {three}", f"NEW_DEST {three} -> [192.0.2.1]:{ONE}"]
    assert director.daemon.stop() == 0
    assert director.observation.table() == {}


def test_hups_in_a_row_end_with_the_last_file(director: Director) -> None:
    count = director.count
    mark = director.daemon.mark()
    for weight in range(2, 30):
        director.configure(service(server(ONE), server(TWO, f"weight {weight}")))
        director.daemon.signal(signal.SIGHUP)

    def weights() -> list[int]:
        (entry,) = director.observation.table().values()
        return sorted(destination.weight for destination in entry.destinations.values())

    director.until(lambda: weights() == [1, 29], "the last file is in force")
    assert set(director.sent(count)) == {f"SET_DEST {rs(TWO)}"}
    director.until(
        lambda: director.daemon.text(mark).count("Reloading ...") == director.daemon.text(mark).count("Reload finished"),
        "all reloads are finished",
    )


def test_a_large_configuration_goes_over_the_channel(node: Node, tmp_path: Path) -> None:
    """The difference is far larger than a socket's buffer."""
    director = Director(node, tmp_path, patience=60)
    director.configure(GOOD)
    director.start()
    many = "".join(
        service(*(server(port) for port in (ONE, TWO, THREE)), address=f"203.0.113.{number % 250 + 2} {1000 + number // 250}")
        for number in range(2000)
    )
    _, sent = reloaded(director, GOOD + many)
    assert len(sent) == 2000 * 4
    assert len(director.observation.table()) == 2001
    _, sent = reloaded(director, GOOD)
    assert len(sent) == 2000
    assert {line.partition(" ")[0] for line in sent} == {"DEL_SERVICE"}
    assert len(director.observation.table()) == 1
    assert director.daemon.stop(30) == 0


def test_the_marker_exists_while_the_file_is_read(node: Node, tmp_path: Path) -> None:
    director = Director(node, tmp_path)
    marker = tmp_path / "marker"
    text = f"global_defs {{\n    reload_file {marker}\n}}\n" + GOOD
    director.configure(text)
    director.start()
    assert not marker.exists()
    director.configure(text + "".join(service(server(ONE), address=f"203.0.113.9 {port}") for port in range(1, 1500)))
    director.daemon.signal(signal.SIGHUP)
    director.until(marker.exists, "the marker is there")
    assert "Reload finished" not in director.log()
    director.expect("Reload finished")
    assert not marker.exists()
    assert director.daemon.stop() == 0


def test_what_cannot_change_is_kept_with_a_line(director: Director) -> None:
    said, sent = reloaded(director, "instance other\nuse_pid_dir\n" + GOOD)
    assert "Cannot change instance name at a reload" in said
    assert "Cannot change pid directory at a reload" in said
    assert sent == []
    assert director.pid_file.exists()
