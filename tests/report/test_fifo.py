"""Notify FIFOs: whole lines to whoever reads, and nothing that can go wrong with a pipe stops the daemon."""

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from keepalived_py.config.scripts import Fifo, Script, User
from keepalived_py.report.fifo import FifoWriter, NotifyFifos
from keepalived_py.system.scripts import ScriptRunner

LINE = b"RS [192.0.2.1]:tcp:80 [203.0.113.1]:tcp:80 DOWN\n\0"


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o177)
    yield
    os.umask(before)


class Complaints(list[str]):
    def __call__(self, text: str) -> None:
        self.append(text)


def reader(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK)


def test_a_pipe_is_made_written_to_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    complaints = Complaints()
    writer = FifoWriter(Fifo(str(path)), complaints)
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    end = reader(path)
    writer.write(LINE)
    assert os.read(end, 1000) == LINE
    os.close(end)
    writer.close()
    writer.close()
    assert not path.exists()
    assert complaints == []


def test_a_pipe_of_somebody_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path, 0o600)
    FifoWriter(Fifo(str(path)), Complaints()).close()
    assert path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files away needs root")
def test_a_pipe_belongs_to_its_user(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    writer = FifoWriter(Fifo(str(path), User(12345, 23456)), Complaints())
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)
    writer.close()


@pytest.mark.parametrize("kind", ["file", "link", "folder", "nowhere"])
def test_what_is_no_pipe_is_left_alone(tmp_path: Path, kind: str) -> None:
    path, victim = tmp_path / "fifo", tmp_path / "victim"
    os.mkfifo(victim)
    match kind:
        case "file":
            path.write_bytes(b"precious")
        case "link":
            path.symlink_to(victim)
        case "folder":
            path.mkdir()
        case _:
            path = tmp_path / "no" / "fifo"
    complaints = Complaints()
    before = len(os.listdir("/proc/self/fd"))
    writer = FifoWriter(Fifo(str(path)), complaints)
    assert not writer.is_open
    writer.write(LINE)
    writer.close()
    assert len(complaints) == 1
    assert complaints[0].startswith(f"Unable to open notify fifo {path}: ")
    assert len(os.listdir("/proc/self/fd")) == before
    if kind == "file":
        assert path.read_bytes() == b"precious"
    assert victim.exists()


def test_a_slow_reader_loses_whole_lines_and_that_is_said_once(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    complaints = Complaints()
    writer = FifoWriter(Fifo(str(path)), complaints)
    for _ in range(10_000):
        writer.write(LINE)
    assert complaints == [f"Unable to write to notify fifo {path}, dropping lines: Resource temporarily unavailable"]
    end = reader(path)
    content = os.read(end, 1 << 20)
    assert content == LINE * (len(content) // len(LINE))
    writer.write(LINE)
    assert os.read(end, 1000) == LINE
    for _ in range(10_000):
        writer.write(LINE)
    assert len(complaints) == 2
    os.close(end)
    writer.close()


def test_readers_are_started_once_with_the_path_and_ended_with_the_pipes(tmp_path: Path) -> None:
    out, path = tmp_path / "out", tmp_path / "fifo"
    script = Script(("/bin/sh", "-c", f'echo $$ "$1" >> {out}; exec cat "$1" >> {tmp_path}/lines', "sh"))
    fifos = [Fifo(str(path), None, script), None, Fifo(str(tmp_path / "other"))]

    async def main() -> None:
        scripts = ScriptRunner(Complaints())
        pipes = NotifyFifos(scripts, Complaints())
        pipes.open(fifos)
        pipes.open(fifos)
        pipes.write(LINE)
        while not (tmp_path / "lines").exists() or (tmp_path / "lines").read_bytes() != LINE:
            await asyncio.sleep(0.01)
        pipes.open(fifos[2:])
        assert not path.exists()
        assert (tmp_path / "other").exists()
        pipes.close()
        assert not (tmp_path / "other").exists()
        await scripts.drain(10)

    asyncio.run(asyncio.wait_for(main(), 20))
    pid, shown = out.read_text().split()
    assert shown == str(path)
    assert not Path(f"/proc/{pid}").exists()


def test_two_at_one_path_are_one(tmp_path: Path) -> None:
    path = tmp_path / "fifo"

    async def main() -> None:
        pipes = NotifyFifos(ScriptRunner(Complaints()), Complaints())
        pipes.open((Fifo(str(path)), Fifo(str(path), User(0, 0))))
        end = reader(path)
        pipes.write(LINE)
        assert os.read(end, 1000) == LINE
        os.close(end)
        pipes.close()

    asyncio.run(main())


def test_no_reader_is_started_for_a_pipe_that_is_not_there(tmp_path: Path) -> None:
    script = Script(("/bin/sh", "-c", f"echo > {tmp_path}/ran"))

    async def main() -> None:
        scripts = ScriptRunner(Complaints())
        pipes = NotifyFifos(scripts, Complaints())
        pipes.open([Fifo(str(tmp_path / "no" / "fifo"), None, script)])
        await scripts.drain(0.2)
        pipes.close()

    asyncio.run(main())
    assert not (tmp_path / "ran").exists()
