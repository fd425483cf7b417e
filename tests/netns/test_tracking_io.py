"""`tracking.io` and `tracking.processes`: real programs, files and processes; `system.host_state` with a record."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from examples.lab import Lab
from keepalived_py.addresses import Address, Family
from keepalived_py.config.routing import Prefix, Route, Rule, RuleAction, VirtualAddress
from keepalived_py.config.scripts import Script, User
from keepalived_py.config.tracking import InitFile, ParamMatch, TrackFile, TrackProcess
from keepalived_py.system.host_state import HostState
from keepalived_py.system.link_messages import macvlan_request
from keepalived_py.system.rtnetlink import RouteSocket
from keepalived_py.system.sysctl import read
from keepalived_py.tracking.io import ScriptResult, ScriptRuns, TrackedFiles, initialise, read_number
from keepalived_py.tracking.processes import ProcessCounts, events, matches
from keepalived_py.units import micro

pytestmark = pytest.mark.net

NOBODY = User(65534, 65534, "nobody")


async def until(check: Callable[[], object], seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.01)


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await main()

    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(whole())
    assert len(os.listdir("/proc/self/fd")) == before


def shell(text: str, user: User | None = None) -> Script:
    return Script(("/bin/sh", "-c", text), user)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (shell("exit 0"), ScriptResult("s", 0)),
        (shell("echo first; echo last word >&2; exit 3"), ScriptResult("s", 3, output="last word")),
        (shell("kill -9 $$"), ScriptResult("s", None, 9)),
        (shell("id -u; exit 7", NOBODY), ScriptResult("s", 7, output="65534")),
        (Script(("</dev/null",)), ScriptResult("s", 0)),
    ],
)
def test_what_a_script_says_at_its_end(script: Script, expected: ScriptResult) -> None:
    async def main() -> None:
        results: list[ScriptResult] = []
        runs = ScriptRuns(results.append)
        runs.start("s", script, micro(10))
        await until(lambda: results)
        assert results == [expected]

    run(main)


def test_a_script_that_cannot_be_started_has_no_status() -> None:
    async def main() -> None:
        results: list[ScriptResult] = []
        ScriptRuns(results.append).start("s", Script(("/nonexistent/program",)), micro(10))
        await until(lambda: results)
        assert (results[0].status, results[0].signal) == (None, None)
        assert "No such file" in results[0].output

    run(main)


def test_a_script_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    async def main() -> None:
        results: list[ScriptResult] = []
        runs = ScriptRuns(results.append)
        runs.start("s", shell(f"sleep 1000 & echo $! > {pid_file}; wait"), micro(0.3))
        runs.start("s", shell("exit 0"), micro(1))  # overlapping runs are skipped
        await until(lambda: results)
        assert results == [ScriptResult("s", None, 15, timed_out=True)]
        child = int(pid_file.read_text())
        await until(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split(")")[1][:3])

    run(main)


def test_a_script_that_ignores_sigterm_is_killed() -> None:
    async def main() -> None:
        results: list[ScriptResult] = []
        ScriptRuns(results.append).start("s", shell("trap '' TERM; while :; do sleep 0.1; done"), micro(0.2))
        await until(lambda: results)
        assert results[0].timed_out and results[0].signal == 9

    run(main)


def test_a_cancelled_run_gives_no_result_and_a_talkative_one_does_not_block() -> None:
    async def main() -> None:
        results: list[ScriptResult] = []
        runs = ScriptRuns(results.append)
        runs.start("gone", shell("sleep 1000"), micro(100))
        runs.cancel("gone")
        runs.start("loud", shell("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end"), micro(20))
        await until(lambda: results)
        assert [(result.name, result.status, result.output) for result in results] == [("loud", 0, "end")]
        runs.close()

    run(main)


def test_a_program_that_is_not_read_from_waits() -> None:
    async def main() -> None:
        results: list[ScriptResult] = []
        runs = ScriptRuns(results.append)
        runs.start("loud", shell("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end"), micro(20))
        time.sleep(0.3)  # the loop stands still meanwhile: the pipe is full
        await until(lambda: results)
        assert [(result.status, result.output) for result in results] == [(0, "end")]
        runs.close()

    run(main)


@pytest.mark.parametrize(
    ("content", "number"), [("12", 12), (" -7\n", -7), ("5 six", 5), ("", 0), ("six", 0), ("1" * 100, int("1" * 64)), ("\xff\n", 0)]
)
def test_the_number_in_a_file(content: str, number: int, tmp_path: Path) -> None:
    path = tmp_path / "number"
    path.write_bytes(content.encode("latin-1"))
    assert read_number(path) == number


def test_a_folder_a_pipe_and_nothing_count_as_0(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert [read_number(path) for path in (tmp_path, tmp_path / "pipe", tmp_path / "missing")] == [0, 0, 0]


def test_tracked_files_are_followed_and_let_go(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")

    async def main() -> None:
        heard: list[tuple[str, int]] = []
        complaints: list[str] = []
        files = TrackedFiles(lambda name, number: heard.append((name, number)), complaints.append)
        tracked = [TrackFile("a", str(one)), TrackFile("same", str(one)), TrackFile("b", str(two))]
        assert files.follow(tracked) == {"a": 1, "same": 1, "b": 0}
        two.write_text("22")
        await until(lambda: heard)
        assert heard == [("b", 22)]
        assert files.follow(tracked[2:]) == {"b": 22}
        one.write_text("5")
        two.unlink()
        await until(lambda: len(heard) == 2)
        assert heard[1] == ("b", 0)
        files.follow([TrackFile("lost", str(tmp_path / "no" / "file"))])
        assert len(complaints) == 1
        files.close()

    run(main)


def test_a_tracked_file_is_made_but_not_through_a_link(tmp_path: Path) -> None:
    path, victim = tmp_path / "number", tmp_path / "victim"
    initialise(TrackFile("f", str(path), init=InitFile(5)))
    initialise(TrackFile("f", str(path), init=InitFile(6)))
    assert read_number(path) == 5
    initialise(TrackFile("f", str(path), init=InitFile(7, overwrite=True)))
    assert read_number(path) == 7
    victim.write_text("safe")
    path.unlink()
    path.symlink_to(victim)
    with pytest.raises(OSError):
        initialise(TrackFile("f", str(path), init=InitFile(8, overwrite=True)))
    assert victim.read_text() == "safe"


@pytest.mark.parametrize(
    ("process", "name", "command", "expected"),
    [
        (TrackProcess("p", ("nginx",)), "nginx", ("/usr/sbin/nginx", "-g"), True),
        (TrackProcess("p", ("a-name-that-is-far-too-long",)), "a-name-that-is-", ("x",), True),
        (TrackProcess("p", ("/bin/x",), full_command=True), "x", ("/bin/x", "1"), True),
        (TrackProcess("p", ("/bin/x",), full_command=True), "x", ("x",), False),
        (TrackProcess("p", ("x", "1"), ParamMatch.EXACT), "x", ("x", "1"), True),
        (TrackProcess("p", ("x", "1"), ParamMatch.EXACT), "x", ("x", "1", "2"), False),
        (TrackProcess("p", ("x", "1"), ParamMatch.PARTIAL), "x", ("x", "1", "2"), True),
        (TrackProcess("p", ("x", "1"), ParamMatch.INITIAL), "x", ("x", "123"), True),
        (TrackProcess("p", ("x", "1"), ParamMatch.INITIAL), "x", ("x", "123", "4"), False),
        (TrackProcess("p", ("x",)), "y", (), False),
    ],
)
def test_which_processes_are_meant(process: TrackProcess, name: str, command: tuple[str, ...], expected: bool) -> None:
    assert matches(process, name, command) is expected


@pytest.mark.parametrize("events_available", [True, False])
def test_processes_are_counted_as_they_come_and_go(events_available: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not events_available:
        monkeypatch.setattr("keepalived_py.tracking.processes._open_connector", lambda: None)
    marker = f"counted-{os.getpid()}-{events_available}"
    program = ("-c", "import time; time.sleep(1000)", marker)

    async def main() -> None:
        heard: list[tuple[str, int]] = []
        counts = ProcessCounts(lambda name, count: heard.append((name, count)))
        tracked = TrackProcess("p", (sys.executable, *program), ParamMatch.EXACT)
        assert counts.follow([tracked]) == {"p": 0}
        children = [subprocess.Popen([sys.executable, *program]) for _ in range(2)]
        await until(lambda: ("p", 2) in heard)
        children[0].kill()
        children[0].wait()
        await until(lambda: heard[-1] == ("p", 1))
        assert counts.follow([tracked]) == {"p": 1}
        children[1].kill()
        children[1].wait()
        await until(lambda: heard[-1] == ("p", 0))
        counts.close()

    run(main)


def test_damaged_process_events_are_skipped() -> None:
    assert list(events(b"")) == []
    assert list(events(b"\x10\0\0\0" + bytes(12))) == []
    assert list(events(os.urandom(200))) == []


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    record = tmp_path / "vrrp.json"
    complaints: list[str] = []
    address = VirtualAddress(Address.parse("192.0.2.100"), 32)
    theirs = VirtualAddress(Address.parse("192.0.2.50"), 32)
    route = Route(Prefix(Address.parse("203.0.113.0"), 24), Family.INET, interface="there")
    rule = Rule(Family.INET, 100, RuleAction.TO_TABLE, table=1000)
    with Lab() as lab:
        here, there = lab.node("here"), lab.node("there")
        lab.link(here, there, "192.0.2.1/24", "192.0.2.2/24")
        here.ip("address add 192.0.2.50/32 dev there")
        with here.entered():
            link = RouteSocket()
        before = here.run("ip", "-j", "addr")
        state = HostState(link, record, complaints.append)
        state.learn(link.links())
        state.add_addresses([("there", address), ("there", theirs), ("nowhere", address)])
        state.add_routes([route])
        state.add_rules([rule])
        assert state.make_link("vrrp.51", macvlan_request("vrrp.51", state.index("there"), bytes.fromhex("00005e000133"), 0))
        assert "192.0.2.100" in here.run("ip", "addr")
        assert record.stat().st_mode & 0o777 == 0o600
        with record.open("ab") as stream:  # whatever else the record may hold does no harm
            stream.write(b"address there not-an-address/3\nroute 00ff\nrule zz\nlink ../x\nlink lo\n\xff\n")

        again = HostState(link, record, complaints.append)
        again.learn(link.links())
        assert again.clean_up_after_the_last_run() == 4
        assert here.run("ip", "-j", "addr") == before
        assert here.run("ip", "route", "show", "proto", "keepalived") == "" and "1000" not in here.run("ip", "rule")
        assert not record.exists()
        assert again.clean_up_after_the_last_run() == 0
        link.close()
    assert len(complaints) == 1 and "no interface nowhere" in complaints[0]


def test_settings_and_tables_of_a_killed_run_are_put_back(tmp_path: Path) -> None:
    record = tmp_path / "record"
    names = ("ipv4/conf/lo/arp_ignore", "ipv4/conf/lo/rp_filter", "ipv4/conf/lo/promote_secondaries")
    with Lab() as lab:
        here = lab.node("here")
        with here.entered():
            before = [read(name) for name in names]
            link = RouteSocket()
            killed = HostState(link, record, pytest.fail)
            for name in names:
                killed.borrow(name, "1")
                killed.borrow(name, "0")
            killed.claim_table("ip", "mine")
            here.run("nft", "add", "table", "ip", "mine")
            here.run("nft", "add", "table", "ip", "other")
            strange = "setting ipv4/ip_forward 1\nsetting ipv4/conf/../../../x/arp_ignore 1\nsetting ipv4/conf/lo/arp_ignore x\n"
            with record.open("a") as stream:  # whatever else the record may hold does no harm
                stream.write(strange + "table ip other; flush ruleset\ntable inet x\nsetting ipv4/conf/lo/forwarding 0\n")
            forwarding = read("ipv4/ip_forward"), read("ipv4/conf/lo/forwarding")

            HostState(link, record, pytest.fail).clean_up_after_the_last_run()
            assert [read(name) for name in names] == before
            assert (read("ipv4/ip_forward"), read("ipv4/conf/lo/forwarding")) == forwarding
            assert here.run("nft", "list", "tables").split() == ["table", "ip", "other"]
            assert not record.exists()
            orderly = HostState(link, record, pytest.fail)
            for name in names:
                orderly.borrow(name, "1")
            orderly.give_back(names[0])
            orderly.give_back_all()
            assert [read(name) for name in names] == before
            assert not record.exists()
            link.close()


def test_what_somebody_else_configured_stays(tmp_path: Path) -> None:
    address = VirtualAddress(Address.parse("192.0.2.50"), 32)
    with Lab() as lab:
        here, there = lab.node("here"), lab.node("there")
        lab.link(here, there, "192.0.2.1/24", "192.0.2.2/24")
        here.ip("address add 192.0.2.50/32 dev there")
        with here.entered():
            link = RouteSocket()
        state = HostState(link, tmp_path / "record", pytest.fail)
        state.learn(link.links())
        state.add_addresses([("there", address)])
        state.remove_addresses([("there", address)])
        assert "192.0.2.50" in here.run("ip", "addr")
        link.close()
