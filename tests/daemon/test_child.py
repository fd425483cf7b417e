"""What children have in common: whatever goes wrong in a callback ends the process, and so does TERM; nothing is lost before."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from keepalived_py.config.globals import GlobalDefs, ProcessTuning
from keepalived_py.daemon.child import Lifeline, Main, Role, run_child
from keepalived_py.daemon.settings import Settings
from keepalived_py.daemon.signals import SignalInbox, held_back
from keepalived_py.system.log import Log, LogTargets
from tests.helpers.forked import forked


def live(folder: Path, main: Main, globals_: GlobalDefs = GlobalDefs()) -> int:
    """Return the status of a child that lives as `main` says."""

    def child() -> int:
        inbox = SignalInbox()
        with held_back():
            inbox.abandon()
            settings = Settings("f", "host", log=LogTargets(to_syslog=False, file=str(folder / "log.txt")))
            role = Role("Test", "Keepalived_test", "_test", "keepalived_test", globals_.checker_process, folder / "test.pid")
            return run_child(role, settings, globals_, os.getppid(), main)

    return forked(child)


def said(folder: Path) -> str:
    return (folder / "log_test.txt").read_text()


async def forever() -> None:
    await asyncio.sleep(60)


def test_a_status_is_what_main_returns_and_the_pid_file_lives_as_long(tmp_path: Path) -> None:
    async def main(log: Log, descriptors: int) -> int:
        assert (tmp_path / "test.pid").read_text() == f"{os.getpid()}\n"
        log.info(Path("/proc/self/comm").read_text().strip())
        return 5

    assert live(tmp_path, main, GlobalDefs(process_names=True)) == 5
    assert "keepalived_test" in said(tmp_path)
    assert not (tmp_path / "test.pid").exists()
    assert live(tmp_path, main, GlobalDefs(checker_process=ProcessTuning(process_name="mine"))) == 5
    assert ": mine\n" in said(tmp_path)


def test_a_pid_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    async def main(log: Log, descriptors: int) -> int:
        return 0

    (tmp_path / "test.pid").mkdir()
    assert live(tmp_path, main) == 0
    assert f"Test child process: cannot write pidfile {tmp_path}/test.pid: Is a directory" in said(tmp_path)


@pytest.mark.parametrize("when", ["before", "during"])
def test_term_ends_it_even_if_it_came_before_anybody_listened(tmp_path: Path, when: str) -> None:
    async def main(log: Log, descriptors: int) -> int:
        if when == "before":
            os.kill(os.getpid(), signal.SIGTERM)
        lifeline = Lifeline()
        if when == "during":
            asyncio.get_running_loop().call_later(0.01, os.kill, os.getpid(), signal.SIGTERM)
        task = asyncio.create_task(forever())
        await lifeline.outlasts(task)
        assert not task.done()
        return 7 if lifeline.stopped else 0

    assert live(tmp_path, main) == 7


def test_the_parents_signals_do_not_end_a_child(tmp_path: Path) -> None:
    async def main(log: Log, descriptors: int) -> int:
        lifeline = Lifeline()
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, 63, 36):
            os.kill(os.getpid(), number)
        await lifeline.outlasts(asyncio.create_task(asyncio.sleep(0.01)))
        return 3 if not lifeline.stopped else 0

    assert live(tmp_path, main) == 3


def in_callback(loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon(lambda: 1 // 0)


def in_reader(loop: asyncio.AbstractEventLoop) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"x")
    loop.add_reader(reading, lambda: 1 // 0)


def in_task(loop: asyncio.AbstractEventLoop) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    loop.call_soon(lambda: loop.create_task(fail()))


@pytest.mark.parametrize("fail", [in_callback, in_reader, in_task])
def test_an_error_of_ours_anywhere_ends_the_process_with_a_traceback(
    tmp_path: Path, fail: Callable[[asyncio.AbstractEventLoop], None]
) -> None:
    async def main(log: Log, descriptors: int) -> int:
        lifeline = Lifeline()
        fail(asyncio.get_running_loop())
        await lifeline.outlasts(asyncio.create_task(forever()))
        return 0

    assert live(tmp_path, main) == 70
    assert "Test child process failed:" in said(tmp_path)
    assert "ZeroDivisionError" in said(tmp_path)
    assert not (tmp_path / "test.pid").exists()


def test_an_error_in_an_awaited_task_ends_it_too(tmp_path: Path) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    async def main(log: Log, descriptors: int) -> int:
        await Lifeline().outlasts(asyncio.create_task(forever()), asyncio.create_task(fail()))
        return 0

    assert live(tmp_path, main) == 70


def test_lack_of_memory_has_a_status_of_its_own(tmp_path: Path) -> None:
    async def main(log: Log, descriptors: int) -> int:
        raise MemoryError

    assert live(tmp_path, main) == 204
