"""The user's programs: as whom and how they run, and what happens to those that do not end."""

import asyncio
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from keepalived_py.config.scripts import Script, User
from keepalived_py.system.scripts import ScriptRunner, run_and_wait

root = pytest.mark.skipif(os.geteuid() != 0, reason="running as somebody else needs root")
NOBODY = User(65534, 65534, "nobody")


def python(code: str, *arguments: str, user: User | None = None) -> Script:
    return Script((sys.executable, "-S", "-c", code, *arguments), user)


def shell(code: str, *arguments: str) -> Script:
    return Script(("/bin/sh", "-c", code, "sh", *arguments))


class Complaints(list[str]):
    def __call__(self, text: str) -> None:
        self.append(text)


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 30))


async def until(check: Callable[[], object]) -> None:
    while not check():
        await asyncio.sleep(0.005)


async def idle(runner: ScriptRunner) -> None:
    await until(lambda: not runner.running and not runner.waiting)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and not been waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_words_are_passed_as_they_are_and_no_shell_reads_them(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = python("import sys; open(sys.argv[1], 'w').write(repr(sys.argv[2:]))", str(out), "$HOME; echo *", "a b")

    async def main() -> None:
        runner = ScriptRunner(Complaints())
        runner.run(script, ("DOWN",))
        await until(lambda: text(out))
        await idle(runner)

    run(main())
    assert out.read_text() == repr(["$HOME; echo *", "a b", "DOWN"])


FACTS = """
import os, signal, sys
ignored = [n for n in (1, 2, 15, 17) if signal.getsignal(n) == signal.SIG_IGN]
facts = [os.getuid(), os.getgid(), os.getgroups(), os.getpgrp() == os.getpid(), sorted(map(int, os.listdir("/proc/self/fd")))[:4],
         os.readlink("/proc/self/fd/0"), [n for n in ("IFS", "LD_PRELOAD", "LD_LIBRARY_PATH", "KEPT") if n in os.environ],
         ignored, signal.pthread_sigmask(signal.SIG_BLOCK, [])]
with open(sys.argv[1], "w") as stream:
    stream.write(repr(facts))
"""


@root
def test_a_script_runs_as_its_user_with_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = Path("/tmp") / f"facts-{os.getpid()}"  # a folder that nobody can enter would not do
    for name in ("IFS", "LD_LIBRARY_PATH", "KEPT"):
        monkeypatch.setenv(name, "/nowhere")
    (tmp_path / "held").touch()

    async def main() -> None:
        held = os.open(tmp_path / "held", os.O_RDONLY)
        os.set_inheritable(held, True)
        runner = ScriptRunner(complaints)
        out.touch()
        out.chmod(0o666)
        runner.run(Script(("/usr/bin/python3", "-S", "-c", FACTS, str(out)), NOBODY))
        await idle(runner)
        os.close(held)

    complaints = Complaints()
    try:
        run(main())
        said = out.read_text()
    finally:
        out.unlink()
    assert complaints == []
    # Its descriptor 3 is the folder that it lists.
    assert said == repr([65534, 65534, [], True, [0, 1, 2, 3], "/dev/null", ["KEPT"], [], set()])


def test_a_script_gets_the_limit_of_open_files_that_was_ours_before_we_raised_it(tmp_path: Path) -> None:
    out = tmp_path / "out"

    async def main() -> None:
        runner = ScriptRunner(Complaints(), descriptors=333)
        runner.run(shell('until [ "$(ulimit -Sn)" = 333 ]; do sleep 0.01; done; ulimit -Hn > "$1"', str(out)))
        await until(lambda: text(out).endswith("\n"))
        await idle(runner)

    run(main())
    assert int(out.read_text()) == resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def test_a_script_that_cannot_be_run_is_one_complaint(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch(0o644)
    complaints = Complaints()

    async def main() -> None:
        runner = ScriptRunner(complaints)
        for argv in (("/nowhere/at/all",), (str(plain),), ("/bin/true", "a\0b")):
            runner.run(Script(argv))
        await until(lambda: not runner.waiting)
        assert runner.running == 0

    run(main())
    assert [line.partition(":")[0] for line in complaints] == [
        "Cannot run script /nowhere/at/all",
        f"Cannot run script {plain}",
        "Cannot run script /bin/true a\0b",
    ]


def test_a_script_that_a_signal_kills_is_told(tmp_path: Path) -> None:
    complaints = Complaints()

    async def main() -> None:
        runner = ScriptRunner(complaints)
        runner.run(shell("kill -SEGV $$"))
        runner.run(shell("exit 3"))
        await idle(runner)

    run(main())
    assert complaints == ["Script /bin/sh was killed by signal 11"]


def test_past_its_time_the_whole_group_is_ended(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    complaints = Complaints()

    async def main() -> None:
        runner = ScriptRunner(complaints)
        runner.run(shell('sleep 60 & echo $$ $! > "$1"; trap "" TERM; (trap "" TERM; sleep 60); wait', str(pids)), (), 0.2)
        await until(lambda: text(pids).endswith("\n"))
        started = time.monotonic()
        await idle(runner)
        assert 2 <= time.monotonic() - started < 5  # TERM is ignored, KILL follows after 2 seconds

    run(main())
    for pid in map(int, pids.read_text().split()):
        assert not alive(pid)
    assert complaints == ["Script /bin/sh did not end in time and was terminated"]


def test_what_ends_at_term_leaves_nobody_of_its_group_behind(tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    async def main() -> None:
        runner = ScriptRunner(Complaints())
        runner.run(shell('(trap "" TERM; echo > "$1.ready"; sleep 60) & echo $! > "$1"; wait', str(pids)), (), 0.5)
        await idle(runner)

    run(main())
    assert Path(f"{pids}.ready").exists()
    assert not alive(int(pids.read_text()))


def test_no_more_than_so_many_run_at_once_and_in_order(tmp_path: Path) -> None:
    order = tmp_path / "order"
    complaints = Complaints()
    most = 0

    async def main() -> None:
        nonlocal most
        runner = ScriptRunner(complaints, at_once=4)
        ticks = 0
        for number in range(40):
            runner.run(shell('echo $2 >> "$1"', str(order), str(number)))
        while runner.running or runner.waiting:
            most = max(most, runner.running)
            ticks += 1
            await asyncio.sleep(0)
        assert ticks > 10

    run(main())
    assert most == 4
    numbers = [int(line) for line in order.read_text().split()]
    assert sorted(numbers) == list(range(40))
    assert all(abs(number - place) < 8 for place, number in enumerate(numbers))
    assert complaints == ["4 scripts are running: further ones wait until some of them have ended"]


def test_many_at_once_do_not_hold_the_loop_up() -> None:
    async def main() -> None:
        runner = ScriptRunner(Complaints())
        for _ in range(200):
            runner.run(shell(":"))
        assert runner.running == 0
        for turn in range(1, 4):
            await asyncio.sleep(0)
            assert 200 - runner.waiting <= 16 * turn
        await idle(runner)

    run(main())


def test_draining_waits_for_limited_scripts_and_lets_the_others_go_on(tmp_path: Path) -> None:
    done, pid = tmp_path / "done", tmp_path / "pid"

    async def main() -> None:
        runner = ScriptRunner(Complaints())
        runner.run(shell('echo $$ > "$1"; exec sleep 60', str(pid)))
        runner.run(shell('sleep 0.3; echo > "$1"', str(done)), (), 5)
        await until(lambda: text(pid).endswith("\n"))
        started = time.monotonic()
        await runner.drain(10)
        assert done.exists()
        assert time.monotonic() - started < 5

    run(main())
    left = int(pid.read_text())
    assert alive(left)
    os.kill(left, signal.SIGKILL)
    os.waitpid(left, 0)


def test_draining_kills_what_takes_too_long(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    async def main() -> None:
        runner = ScriptRunner(Complaints())
        runner.run(shell('echo $$ > "$1"; exec sleep 60', str(pid)), (), 50)
        await until(lambda: text(pid).endswith("\n"))
        await runner.drain(0.2)
        await idle(runner)

    run(main())
    assert not alive(int(pid.read_text()))


def test_draining_runs_those_that_wait_for_their_turn(tmp_path: Path) -> None:
    order = tmp_path / "order"

    async def main() -> None:
        runner = ScriptRunner(Complaints(), at_once=1)
        for number in range(5):
            runner.run(shell('echo $2 >> "$1"', str(order), str(number)), (), 1)
        await runner.drain(10)

    run(main())
    assert order.read_text().split() == ["0", "1", "2", "3", "4"]


def test_a_program_that_is_kept_ends_when_told(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    complaints = Complaints()

    async def main() -> None:
        runner = ScriptRunner(complaints)
        handle = runner.keep(shell('echo $$ > "$1"; exec sleep 60', str(pid)))
        await until(lambda: text(pid).endswith("\n"))
        assert runner.running == 0
        await runner.drain(0.1)
        assert alive(handle)
        runner.end(handle)
        runner.end(handle)
        await runner.drain(10)
        assert not alive(handle)
        runner.end(handle)
        assert runner.keep(Script(("/nowhere",))) == 0
        runner.end(0)

    run(main())
    assert complaints == ["Cannot run script /nowhere: [Errno 2] No such file or directory: '/nowhere'"]


def test_no_descriptor_and_no_process_is_left_behind() -> None:
    before = len(os.listdir("/proc/self/fd"))

    async def main() -> None:
        runner = ScriptRunner(Complaints())
        for _ in range(30):
            runner.run(shell(":"))
        await idle(runner)

    run(main())
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_without_descriptors_a_script_is_not_left_unwatched() -> None:
    complaints = Complaints()

    async def main() -> None:
        runner = ScriptRunner(complaints)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = max(map(int, os.listdir("/proc/self/fd")))
        taken = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 8, hard))
        try:
            while True:
                try:
                    taken.append(os.open("/dev/null", os.O_RDONLY))
                except OSError:
                    break
            runner.run(shell(":"))
            await until(lambda: not runner.waiting)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for descriptor in taken:
                os.close(descriptor)
        assert runner.running == 0
        runner.run(shell(":"))
        await idle(runner)

    run(main())
    assert len(complaints) == 1
    assert "Too many open files" in complaints[0]


# --- start-up and shutdown scripts -----------------------------------------------------------------------------------------------


def test_run_and_wait_tells_how_it_went(tmp_path: Path) -> None:
    assert run_and_wait(shell("exit 0"), 5) == ""
    assert run_and_wait(shell("exit 7"), 5) == "ended with status 7"
    assert run_and_wait(shell("kill -9 $$"), 5) == "ended with status -9"
    assert run_and_wait(Script(("/nowhere",)), 5).startswith("cannot be run: ")
    started = time.monotonic()
    assert run_and_wait(shell("sleep 60"), 0.2) == "did not end within 0.2 s"
    assert time.monotonic() - started < 2


def test_run_and_wait_ends_early_when_asked() -> None:
    asked = 0

    def interrupted() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2

    started = time.monotonic()
    assert run_and_wait(shell("sleep 60"), 30, interrupted) == "was terminated because the daemon stops"
    assert time.monotonic() - started < 5
