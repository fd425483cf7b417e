"""The daemon's life: how it starts, is signalled, loses a child, and ends; with a simulated kernel unless the host's is asked."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.lab import Lab, Node, WebServer
from tests.helpers.directors import Director, alive, descriptors, permissions

VS = "[203.0.113.1]:tcp:80"
ONE, TWO = 8001, 8002


def config(*ports: int, extra: str = "", root: str = "", more: str = "", loop: float = 0.3, weight: int = 1) -> str:
    servers = "".join(
        f"real_server 192.0.2.1 {port} {{\n weight {weight}\n TCP_CHECK {{\n connect_timeout 1\n retry 0\n}}\n}}\n"
        for port in ports
    )
    return f"""\
{root}
global_defs {{
    enable_script_security
    script_user root
    {extra}
}}
virtual_server 203.0.113.1 80 {{
    delay_loop {loop}
    warmup 0
    lb_algo rr
    lb_kind NAT
    protocol TCP
    {more}
    {servers}
}}
"""


def rs(port: int) -> str:
    return f"{VS} -> [192.0.2.1]:{port}"


START = [f"NEW_SERVICE {VS}", f"NEW_DEST {rs(ONE)}", f"NEW_DEST {rs(TWO)}"]
END = [f"DEL_DEST {rs(ONE)}", f"DEL_DEST {rs(TWO)}", f"DEL_SERVICE {VS}"]


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with Lab() as lab:
        node = lab.node("director")
        node.address("lo", "192.0.2.1/32")
        for port in (ONE, TWO):
            WebServer(node, port)
        yield node


@pytest.fixture
def director(node: Node, tmp_path: Path) -> Iterator[Director]:
    made = Director(node, tmp_path)
    made.configure(config(ONE, TWO))
    yield made
    if made._daemon is not None and made.daemon.status is None:
        assert made.daemon.stop() == 0


def ended(director: Director, *options: str) -> tuple[int, str]:
    """Start a daemon that ends by itself; return its status and what it said."""
    daemon = director.start(*options, complete=False)
    return daemon.wait(), daemon.text()


# --- start and end ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_orderly_life(director: Director, number: signal.Signals) -> None:
    daemon = director.start()
    assert director.pid_file.read_text() == f"{daemon.pid}\n"
    assert permissions(director.pid_file) == 0o644
    checker = director.checker
    assert Path(f"/proc/{checker}/stat").read_text().split()[3] == str(daemon.pid)
    daemon.signal(number)
    assert daemon.wait() == 0
    assert director.sent() == START + END
    assert not director.pid_file.exists()
    assert not director.checkers_pid_file.exists()
    assert not director.record.exists()
    assert not alive(checker)
    assert daemon.text().count("Stopping\n") == 1
    assert "Stopped Keepalived v" in daemon.text().splitlines()[-1]


def test_it_forks_into_the_background_unless_told_otherwise(director: Director) -> None:
    log = director.folder / "keepalived.log"
    done = director.node.call(*director.argv("-D", "-G", f"-g{log}"), env=director.environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    director.until(lambda: director.checker and director.count == 3, "it is at work")
    pid = int(director.pid_file.read_text())
    try:
        assert [os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)] == ["/dev/null"] * 3
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        assert Path(f"/proc/{pid}/stat").read_text().split()[5] not in (str(pid), str(os.getsid(0)))  # no session leader
    finally:
        os.kill(pid, signal.SIGTERM)
    director.until(lambda: not alive(pid), "it has ended")
    assert "Startup complete" in log.read_text()
    assert f"Gained quorum 1+0=1 <= 2 for VS {VS}" in (director.folder / "keepalived_healthcheckers.log").read_text()
    assert director.sent(3) == END


def test_a_second_one_ends_at_once_with_status_0(director: Director) -> None:
    first = director.start()
    second = Director(director.node, director.folder)
    status, said = ended(second)
    assert status == 0
    assert "daemon is already running" in said
    assert director.sent() == START
    assert first.status is None
    assert director.pid_file.read_text() == f"{first.pid}\n"


@pytest.mark.parametrize("content", [b"1\n", b"garbage", b""])
def test_a_pid_file_of_something_else_does_not_keep_it_from_starting(director: Director, content: bytes) -> None:
    director.pid_file.write_bytes(content)
    director.start()


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        (None, 6, "no configuration file can be read"),
        ("virtual_server\n", 2, "the configuration cannot be used"),
        ("includea /nowhere/at/all.conf\n", 6, "the configuration cannot be used"),
    ],
    ids=["no file", "keyword without its value", "strict include"],
)
def test_a_configuration_that_cannot_be_used(director: Director, text: str | None, status: int, reason: str) -> None:
    if text is None:
        director.config.unlink()
    else:
        director.configure(text)
    got, said = ended(director)
    assert got == status
    assert reason in said
    assert director.sent() == []
    assert not director.pid_file.exists()


def test_a_run_directory_that_cannot_be_written(director: Director) -> None:
    director.pid_file = director.folder / "nowhere" / "parent.pid"
    status, said = ended(director)
    assert status == 1
    assert f"Cannot open {director.pid_file} pidfile: No such file or directory" in said
    assert director.sent() == []


def test_a_checker_whose_files_cannot_be_written_works_all_the_same(director: Director) -> None:
    director.checkers_pid_file = director.folder / "nowhere" / "checkers.pid"
    director.start()
    assert director.sent() == START
    assert "Healthcheck child process: cannot write pidfile" in director.log()
    assert "checkers.ipvs.json cannot be written" in director.log()


def test_all_standard_descriptors_may_be_closed(director: Director) -> None:
    wrapper = ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    log = director.folder / "keepalived.log"
    daemon = director.start(f"-g{log}", complete=False, wrapper=wrapper)
    director.until(lambda: director.count == 3, "it is at work")
    for pid in (daemon.pid, director.checker):
        assert [os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)] == ["/dev/null"] * 3
    assert daemon.stop() == 0
    assert "Stopped" in log.read_text()


def test_without_virtual_servers_it_waits_for_some(director: Director) -> None:
    director.configure("global_defs {\n router_id x\n}\n")
    director.start()
    assert "keepalived has no configuration to run" in director.log()
    assert director.checker == 0
    director.configure(config(ONE, TWO))
    assert "1 added" in director.reload()
    director.until(lambda: director.count == 3, "the checker works")
    director.configure("global_defs {\n router_id x\n}\n")
    victim = director.checker
    assert "1 removed" in director.reload(carried_out=False)
    director.until(lambda: not alive(victim), "the checker has ended")
    assert director.sent(3) == END
    assert "died" not in director.log()
    assert director.daemon.status is None


@pytest.mark.parametrize(("options", "runs"), [(["-P"], False), (["-C"], True), (["-P", "-C"], True)])
def test_which_subsystems_run(director: Director, options: list[str], runs: bool) -> None:
    director.start(*options)
    assert (director.checker != 0) == runs


def test_the_table_is_left_when_told_so_and_taken_up_again(director: Director) -> None:
    director.start("-I")
    assert director.daemon.stop() == 0
    assert director.sent() == START
    assert director.record.exists()
    director.start()
    assert director.daemon.stop() == 0
    assert director.sent(3) == END


def test_start_up_and_shutdown_scripts(director: Director) -> None:
    told = director.folder / "told"
    for name in ("startup", "shutdown"):
        program = director.folder / name
        program.write_text(f"#!/bin/sh\necho {name} $(wc -l < {director.observation.path} 2>/dev/null) >> {told}\n")
        program.chmod(0o755)
    scripts = f"startup_script {director.folder}/startup\n shutdown_script {director.folder}/shutdown"
    director.configure(config(ONE, TWO, extra=scripts))
    director.start()
    assert director.daemon.stop() == 0
    assert told.read_text() == "startup\nshutdown 6\n"


def test_a_start_up_script_that_hangs_does_not_hold_up_a_stop(director: Director) -> None:
    program = director.folder / "startup"
    program.write_text(f"#!/bin/sh\necho $$ > {director.folder}/pid\nexec sleep 60\n")
    program.chmod(0o755)
    director.configure(config(ONE, extra=f"startup_script {program}\n startup_script_timeout 50"))
    daemon = director.start(complete=False)
    director.until((director.folder / "pid").exists, "the script runs")
    assert daemon.stop(10) == 0
    assert not alive(int((director.folder / "pid").read_text()))
    assert director.sent() == []


def test_a_log_of_debugging_signals(director: Director) -> None:
    daemon = director.start()
    for number in (signal.SIGUSR1, signal.SIGUSR2, 36, 63, signal.SIGPIPE):
        os.kill(daemon.pid, number)
        os.kill(director.checker, number)
    director.expect("STATS_CLEAR requested by signal 63")
    assert director.reload()
    assert daemon.status is None
    assert daemon.text().count("requested by signal") == 4


# --- races -----------------------------------------------------------------------------------------------------------------------


def test_a_signal_at_any_moment_of_the_start_is_obeyed(director: Director) -> None:
    """TERM ends it with status 0, wherever it was; a table that has been made is taken away again."""
    started = time.monotonic()
    director.start()
    whole = time.monotonic() - started
    director.daemon.stop()
    statuses = []
    for step in range(8):
        daemon = director.start(complete=False)
        daemon.expect("Starting Keepalived")
        time.sleep(whole * step / 8)  # no state to wait for: any moment will do
        daemon.signal(signal.SIGHUP)
        daemon.signal(signal.SIGTERM)
        statuses.append(daemon.wait())
        assert "did not end in time" not in daemon.text()
        assert "Traceback" not in daemon.text()
        assert not director.pid_file.exists()
        assert not director.checkers_pid_file.exists()
    assert statuses == [0] * 8
    assert director.observation.table() == {}


def test_term_to_the_whole_group_as_systemd_sends_it(director: Director) -> None:
    daemon = director.start(wrapper=["setsid"])
    os.killpg(daemon.pid, signal.SIGTERM)
    assert daemon.wait() == 0
    assert director.sent() == START + END
    assert "died" not in daemon.text()


def test_a_reload_while_the_checker_starts_is_not_lost(director: Director) -> None:
    director.configure(config(ONE))
    daemon = director.start(complete=False)
    daemon.expect("Starting Healthcheck child process")
    director.configure(config(ONE, TWO))
    daemon.signal(signal.SIGHUP)
    director.until(lambda: len(director.observation.table()) == 1 and director.sent()[-1] == START[-1], "both servers are in")
    assert sorted(director.sent()) == sorted(START)
    assert "died" not in director.log()


# --- the checker dies ------------------------------------------------------------------------------------------------------------


def test_a_killed_checker_is_replaced_and_the_table_stays_as_it_is(director: Director) -> None:
    director.start()
    first = director.kill_checker()
    second = director.respawned(first)
    director.until(lambda: director.log().count("is up to date") == 2, "the successor works")
    assert director.sent() == START
    assert director.kill_checker() == second
    director.respawned(second)
    director.until(lambda: director.log().count("is up to date") == 3, "the next one works")
    assert director.sent() == START
    log = director.log()
    assert f"pid {first} exited due to signal 9 (Killed)" in log
    assert f"Healthcheck child process({first}) died: Respawning" in log
    assert "Restart of Healthcheck process delayed 1 seconds to limit respawn rate" in log


def test_a_server_that_was_down_is_not_added_before_it_answers(director: Director) -> None:
    port = 8003
    director.configure(config(ONE, port))
    director.start()
    director.until(lambda: director.sent()[-1] == f"DEL_DEST {rs(port)}", "the dead one is out")
    count = director.count
    director.respawned(director.kill_checker())
    director.until(lambda: director.log().count("is up to date") == 2, "the successor works")
    assert director.sent(count) == []
    server = WebServer(director.node, port)
    director.until(lambda: director.count > count, "it answers")
    assert director.sent(count) == [f"NEW_DEST {rs(port)}"]
    server.kill()


def test_a_reload_while_the_checker_is_dead_is_what_its_successor_works_by(director: Director) -> None:
    director.start()
    director.respawned(director.kill_checker())
    victim = director.kill_checker()
    director.expect("delayed 1 seconds")
    director.configure(config(ONE, TWO, weight=7))
    assert "1 changed" in director.reload(carried_out=False)
    director.respawned(victim)
    director.until(lambda: director.count == 5, "the new weights are in")
    assert director.sent(3) == [f"SET_DEST {rs(ONE)}", f"SET_DEST {rs(TWO)}"]
    (entry,) = director.observation.table().values()
    assert {destination.weight for destination in entry.destinations.values()} == {7}


def test_a_checker_that_is_told_to_end_by_somebody_else_comes_back(director: Director) -> None:
    director.start()
    victim = director.kill_checker(signal.SIGTERM)
    director.respawned(victim)
    director.until(lambda: len(director.sent(6)) == 3, "the table is back, after a success of each")
    assert sorted(director.sent(6)) == sorted(START)


def test_a_checker_that_does_not_end_is_killed(director: Director) -> None:
    director.configure(config(ONE, root="child_wait_time 1"))
    director.start()
    os.kill(director.checker, signal.SIGSTOP)
    started = time.monotonic()
    assert director.daemon.stop(10) == 0
    assert time.monotonic() - started < 6
    assert "did not end in time: killing it" in director.log()
    assert not director.checkers_pid_file.exists()


def test_without_respawn_its_death_ends_the_daemon(director: Director) -> None:
    daemon = director.start("-R")
    victim = director.checker
    director.kill_checker()
    assert daemon.wait() == 0
    assert f"Healthcheck child process({victim}) died: Exiting" in daemon.text()
    assert not director.pid_file.exists()


def test_a_killed_parent_takes_the_checker_with_it_and_the_next_daemon_waits_for_that(director: Director) -> None:
    daemon = director.start()
    checker = director.checker
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.wait()
    director.start()
    assert not alive(checker)
    assert director.sent() == START + END + START


# --- no ip_vs --------------------------------------------------------------------------------------------------------------------


def test_without_ip_vs_the_log_says_what_to_do_and_checks_go_on_until_it_is_there(director: Director) -> None:
    director.observation.missing.touch()
    port = 8003
    director.configure(config(ONE, port))
    director.start()
    assert "IPVS: GET_FAMILY IPVS (kernel module ip_vs is not loaded; try: modprobe ip_vs)" in director.log()
    assert "virtual servers are checked but not programmed" in director.log()
    director.expect(f"Removing service \\[192\\.0\\.2\\.1\\]:tcp:{port} from VS")
    assert director.sent() == []
    assert director.log().count("GET_FAMILY") == 1
    director.observation.missing.unlink()
    director.until(lambda: director.count == 2, "it is programmed")
    assert director.sent() == START[:2]
    director.expect("IPVS: the kernel's interface is there now")


def test_a_kernel_that_hangs_at_the_start_does_not_hold_up_the_stop(director: Director) -> None:
    director.observation.hanging.touch()
    daemon = director.start(complete=False)
    director.until(lambda: director.checker, "the checker has started")
    started = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - started < 4
    assert "did not end in time" not in daemon.text()
    assert director.sent() == []


def test_a_kernel_that_hangs_later_holds_up_neither_checks_nor_the_stop(director: Director) -> None:
    director.observation.missing.touch()
    director.configure(config(ONE, 8003))
    daemon = director.start()
    director.observation.hanging.touch()
    director.until(lambda: "Removing service" in director.log(), "the dead one is found")
    server = WebServer(director.node, 8003)
    director.until(lambda: "Adding service" in director.log(), "it is back, and the loop still runs")
    server.kill()
    started = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - started < 5
    assert "did not end in time" not in daemon.text()


def test_a_host_without_ip_vs_for_real(node: Node, tmp_path: Path) -> None:
    if Path("/sys/module/ip_vs").exists():
        pytest.skip("this host has ip_vs")
    director = Director(node, tmp_path, simulated=False)
    director.configure(config(ONE, 8003))
    director.start()
    director.expect(
        r"IPVS: GET_FAMILY IPVS \(kernel module ip_vs is not loaded; try: modprobe ip_vs\); modprobe ip_vs (failed|cannot)"
    )
    director.expect(r"Removing service \[192\.0\.2\.1\]:tcp:8003 from VS")
    assert director.daemon.stop() == 0


# --- where files are, and what is left -------------------------------------------------------------------------------------------


def in_own_run(director: Director, before: str) -> list[str]:
    """Return a wrapper that gives the daemon a /run of its own, prepared by a shell command."""
    return ["unshare", "--mount", "/bin/sh", "-ec", f'mount -t tmpfs tmpfs /run; {before}; exec "$@"', "sh"]


@pytest.mark.parametrize(
    ("root", "parent", "checkers"),
    [
        ("", "keepalived.pid", "checkers.pid"),
        ("use_pid_dir", "keepalived/keepalived.pid", "keepalived/checkers.pid"),
        ("instance one", "keepalived_one.pid", "checkers_one.pid"),
        ("net_namespace blue", "keepalived/blue/keepalived.pid", "keepalived/blue/checkers.pid"),
    ],
)
def test_the_places_of_pid_files(director: Director, root: str, parent: str, checkers: str) -> None:
    director.configure(config(ONE, TWO, root=root))
    daemon = director.start(wrapper=in_own_run(director, "ip netns add blue"), files=False)
    run = Path(f"/proc/{daemon.pid}/root/run")
    assert (run / parent).read_text() == f"{daemon.pid}\n"
    checker = int((run / checkers).read_text())
    assert alive(checker)
    assert permissions((run / parent).parent) & 0o555 == 0o555
    blue = os.stat(run / "netns/blue").st_ino
    assert (os.stat(f"/proc/{checker}/ns/net").st_ino == blue) == ("blue" in root)
    left = os.open(run, os.O_RDONLY)
    assert daemon.stop() == 0
    assert os.listdir(left) == ["netns"]
    os.close(left)


def test_an_unknown_network_namespace_ends_it_with_status_0(director: Director) -> None:
    status, said = ended(director, "-s", "no-such-namespace")
    assert status == 0
    assert "Unable to set network namespace no-such-namespace - exiting" in said


def test_no_descriptor_is_left_over_by_reloads_and_respawns(director: Director) -> None:
    daemon = director.start()
    director.reload()
    director.until(lambda: descriptors(director.checker).count("socket") <= 6, "no check is under way")
    parent = descriptors(daemon.pid)
    for weight in range(2, 12):
        director.configure(config(ONE, TWO, weight=weight, loop=30))
        director.reload()
    director.until(lambda: descriptors(daemon.pid) == parent, "the parent holds what it held")
    checker = descriptors(director.checker)
    for weight in range(12, 22):
        director.configure(config(ONE, TWO, weight=weight, loop=30))
        director.reload()
    assert descriptors(director.checker) == checker
    victim = director.kill_checker()
    director.respawned(victim)
    director.until(lambda: director.log().count("is up to date") == 23, "the successor works")
    director.until(lambda: descriptors(daemon.pid) == parent, "the parent holds what it held")
    director.until(lambda: descriptors(director.checker) == checker, "the successor holds what the first one held")


def test_the_packaged_command_runs_the_same_daemon(director: Director) -> None:
    command = [sys.executable, "-m", "keepalived_py", "-n", "-l", "-G", "-f", str(director.config)]
    command += ["-p", str(director.pid_file), "-c", str(director.checkers_pid_file)]
    daemon = director.node.start(*command, env=director.environment)
    daemon.expect("Startup complete")
    assert daemon.stop() == 0
    assert subprocess.run([*command[:3], "--signum=STOP"], capture_output=True, text=True, check=True).stdout == "15\n"
