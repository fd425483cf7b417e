"""MISC_CHECK with real programs: how they end, how they are ended, and that nothing of them is left."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keepalived_py.config.checkers import MiscCheck, Timing
from keepalived_py.config.scripts import Script, User
from keepalived_py.healthcheck.driver import ProbeDriver
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.healthcheck.tls import TlsContexts
from keepalived_py.units import Micro, micro
from tests.netns import probing
from tests.netns.probing import AMPLE, SLACK, TIMEOUT, drive, now, probe, run, seconds, until

NOBODY = User(65534, 65534, "nobody")


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield from probing.nothing_is_left()


@pytest.fixture
def driver() -> Iterator[ProbeDriver]:
    yield from probing.made_driver()


def misc(*argv: str, timeout: Micro = AMPLE, dynamic: bool = False, user: User | None = None) -> MiscCheck:
    return MiscCheck(Script(argv, user), Timing(retry=0), timeout, dynamic)


def shell(tmp_path: Path, text: str, timeout: Micro = AMPLE, name: str = "check") -> MiscCheck:
    """A script with its own file; ``$0.pids`` is where it notes its processes."""
    path = tmp_path / name
    path.write_text(f"#!/bin/sh\necho $$ >> $0.pids\n{text}\n")
    path.chmod(0o755)
    return misc(str(path), timeout=timeout)


def pids(tmp_path: Path, name: str = "check") -> list[int]:
    path = tmp_path / f"{name}.pids"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def alive(pid: int) -> bool:
    """Whether a process runs; what its parent has not waited for is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def gone(tmp_path: Path, count: int) -> None:
    """All processes that a script has noted are gone."""
    assert len(pids(tmp_path)) == count
    until(lambda: not any(map(alive, pids(tmp_path))))


@pytest.mark.parametrize(
    ("status", "reason", "detail"),
    [(0, Reason.PASSED, ""), (1, Reason.EXIT_STATUS, "1"), (2, Reason.EXIT_STATUS, "2"), (255, Reason.EXIT_STATUS, "255")],
)
def test_exit_statuses(driver: ProbeDriver, tmp_path: Path, status: int, reason: Reason, detail: str) -> None:
    outcome = probe(driver, shell(tmp_path, f"exit {status}"))
    assert (outcome.ok, outcome.reason, outcome.detail) == (reason is Reason.PASSED, reason, detail)
    assert seconds(outcome) < 2
    gone(tmp_path, 1)


@pytest.mark.parametrize(("status", "weight"), [(0, None), (2, 0), (52, 50), (255, 253)])
def test_dynamic_weight(driver: ProbeDriver, tmp_path: Path, status: int, weight: int | None) -> None:
    outcome = probe(driver, replace(shell(tmp_path, f"exit {status}"), dynamic=True))
    assert (outcome.ok, outcome.weight) == (True, weight)


def test_killed_by_a_signal(driver: ProbeDriver, tmp_path: Path) -> None:
    outcome = probe(driver, shell(tmp_path, "kill -SEGV $$"))
    assert (outcome.ok, outcome.reason, outcome.detail) == (False, Reason.KILLED, "11")


def test_arguments_are_passed_as_they_are_and_no_shell_reads_them(driver: ProbeDriver, tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = f"import sys; open({str(out)!r}, 'w').write(repr(sys.argv[1:]))"
    words = ("$(touch x)", "a  b", "", ";", "*", "\\")
    assert probe(driver, misc(sys.executable, "-c", text, *words)).ok
    assert out.read_text() == repr(list(words))


def test_too_long_and_dies_of_term(driver: ProbeDriver, tmp_path: Path) -> None:
    outcome = probe(driver, shell(tmp_path, "exec sleep 60", TIMEOUT))
    assert (outcome.ok, outcome.reason) == (False, Reason.RAN_TOO_LONG)
    assert TIMEOUT <= outcome.took < TIMEOUT + micro(SLACK)
    gone(tmp_path, 1)


def test_too_long_and_succeeds_on_term(driver: ProbeDriver, tmp_path: Path) -> None:
    outcome = probe(driver, shell(tmp_path, "trap 'exit 0' TERM; sleep 60 & wait", TIMEOUT))
    assert (outcome.ok, outcome.reason) == (False, Reason.RAN_TOO_LONG)


def test_too_long_and_deaf_to_term_is_killed_two_seconds_later(driver: ProbeDriver, tmp_path: Path) -> None:
    forever = "while :; do sleep 0.2; done"
    check = shell(tmp_path, f"trap '' TERM; (trap '' TERM; {forever}) & echo $! >> $0.pids; {forever}", TIMEOUT)
    outcome = probe(driver, check)
    assert (outcome.ok, outcome.reason) == (False, Reason.RAN_TOO_LONG)
    assert TIMEOUT + micro(2) <= outcome.took < TIMEOUT + micro(2 + SLACK)
    gone(tmp_path, 2)


def test_forks_and_hangs(driver: ProbeDriver, tmp_path: Path) -> None:
    text = "for i in 1 2 3; do (sleep 60; exit 0) & echo $! >> $0.pids; done; wait"
    outcome = probe(driver, shell(tmp_path, text, TIMEOUT))
    assert outcome.reason is Reason.RAN_TOO_LONG
    assert TIMEOUT <= outcome.took < TIMEOUT + micro(SLACK)
    gone(tmp_path, 4)


def test_what_a_program_leaves_in_its_group_goes_with_it(driver: ProbeDriver, tmp_path: Path) -> None:
    outcome = probe(driver, shell(tmp_path, "sleep 60 & echo $! >> $0.pids; exit 0"))
    assert outcome.ok
    assert seconds(outcome) < 2
    gone(tmp_path, 2)


def test_only_its_own_group_is_killed(driver: ProbeDriver, tmp_path: Path) -> None:
    bystander = subprocess.Popen(["sleep", "60"])
    probe(driver, shell(tmp_path, "exec sleep 60", TIMEOUT))
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_stopped_programs_are_ended_too(driver: ProbeDriver, tmp_path: Path) -> None:
    outcome = probe(driver, shell(tmp_path, "kill -STOP $$", TIMEOUT))
    assert outcome.reason is Reason.RAN_TOO_LONG
    assert outcome.took < TIMEOUT + micro(2 + SLACK)
    gone(tmp_path, 1)


def test_another_user(driver: ProbeDriver, tmp_path: Path) -> None:
    out = Path("/tmp") / f"misc-{os.getpid()}"
    out.write_text("")
    out.chmod(0o666)
    try:
        what = "(os.getuid(), os.getgid(), os.getgroups(), os.getpgrp() == os.getpid())"
        text = f"import os; open({str(out)!r}, 'w').write(repr({what}))"
        assert probe(driver, misc("/usr/bin/python3", "-c", text, user=NOBODY)).ok
        assert out.read_text() == "(65534, 65534, [], True)"
    finally:
        out.unlink()


@pytest.mark.parametrize("path", ["/nonexistent/check", "/etc/passwd", "/tmp"])
def test_what_cannot_be_run_says_nothing_about_the_server(driver: ProbeDriver, path: str) -> None:
    outcome = probe(driver, misc(path))
    assert outcome.reason is Reason.LOCAL
    assert outcome.detail.startswith(path)


def test_a_user_without_permission(driver: ProbeDriver, tmp_path: Path) -> None:
    path = tmp_path / "check"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o700)
    outcome = probe(driver, misc(str(path), user=NOBODY))
    assert (outcome.reason, outcome.detail) == (Reason.LOCAL, f"{path}: Permission denied")


def test_programs_inherit_no_descriptor(driver: ProbeDriver, tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = f"import os; fds = os.listdir('/proc/self/fd'); open({str(out)!r}, 'w').write(str(sorted(map(int, fds))))"
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(Path(os.devnull).open())
        assert probe(driver, misc(sys.executable, "-c", text)).ok
    assert out.read_text() == "[0, 1, 2, 3]", "standard ones, and the folder that is listed"


def test_a_cancelled_program_is_killed_with_its_group(driver: ProbeDriver, tmp_path: Path) -> None:
    driver.start(1, shell(tmp_path, "sleep 60 & echo $! >> $0.pids; wait"), 0, now())
    until(lambda: len(pids(tmp_path)) == 2)
    driver.cancel(1)
    assert run(driver, {2: (misc("/bin/true"), 0)}).keys() == {2}
    gone(tmp_path, 2)
    until(lambda: not driver.poll(now()) and not driver._dying)


def test_closing_the_driver_ends_what_runs(tmp_path: Path) -> None:
    driver = ProbeDriver(limit=10, contexts=TlsContexts())
    for number in range(5):
        driver.start(number, shell(tmp_path, "trap '' TERM; sleep 60", name=f"c{number}"), 0, now())
    until(lambda: all(pids(tmp_path, f"c{number}") for number in range(5)))
    began = time.monotonic()
    driver.close()
    assert time.monotonic() - began < 1
    assert not any(alive(pid) for number in range(5) for pid in pids(tmp_path, f"c{number}"))


def test_many_programs_do_not_hold_the_loop_up(driver: ProbeDriver) -> None:
    for id in range(100):
        driver.start(id, misc("/bin/sleep", "0.2"), 0, now())
    longest = 0.0
    outcomes: dict[int, Outcome] = {}
    while len(outcomes) < 100:
        began = time.monotonic()
        outcomes.update({done.id: done.outcome for done in driver.poll(now())})
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.001)
    assert all(outcome.ok for outcome in outcomes.values())
    assert longest < 0.25, "a few starts at a time"


def test_hundreds_of_runs_leave_nothing(driver: ProbeDriver, tmp_path: Path) -> None:
    check = shell(tmp_path, "sleep 0.01 & exit $(( $$ % 3 ))")
    before = probing.descriptors()
    outcomes = run(driver, dict.fromkeys(range(200), (check, 0)), within=60)
    assert {outcome.reason for outcome in outcomes.values()} == {Reason.PASSED, Reason.EXIT_STATUS}
    assert len(probing.descriptors()) <= len(before)
    gone(tmp_path, 200)


def test_a_group_that_was_ended_by_somebody_else(driver: ProbeDriver, tmp_path: Path) -> None:
    driver.start(1, shell(tmp_path, "exec sleep 60"), 0, now())
    until(lambda: bool(pids(tmp_path)))
    os.killpg(pids(tmp_path)[0], signal.SIGKILL)
    outcome = drive(driver, 1)[1]
    assert (outcome.ok, outcome.reason, outcome.detail) == (False, Reason.KILLED, "9")


def test_programs_have_the_limit_of_open_files_that_they_are_given(tmp_path: Path) -> None:
    out = tmp_path / "out"
    driver = ProbeDriver(limit=10, contexts=TlsContexts(), descriptors=321)
    assert probe(driver, shell(tmp_path, f"sleep 0.2; ulimit -Sn > {out}")).ok
    driver.close()
    assert out.read_text() == "321\n"
