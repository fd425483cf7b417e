"""Files of the daemon: whole or not at all, never through links, and nothing hostile is believed."""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from keepalived_py.system import files


@pytest.fixture(autouse=True)
def narrow_umask() -> Iterator[None]:
    before = os.umask(0o177)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_writing_replaces_the_whole_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"something longer")
    files.write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert mode(path) == 0o600
    assert os.listdir(tmp_path) == ["f"]


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "f"
    victim.write_bytes(b"precious")
    path.symlink_to(victim)
    files.write_atomically(path, b"new")
    assert victim.read_bytes() == b"precious"
    assert not path.is_symlink()


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed_either(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "f"
    victim.write_bytes(b"precious")
    (tmp_path / f".f.{os.getpid()}").symlink_to(victim)
    files.write_atomically(path, b"new")
    assert victim.read_bytes() == b"precious"
    assert path.read_bytes() == b"new"


def test_a_folder_that_is_missing_is_an_error_and_so_is_one_in_the_way(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.write_atomically(tmp_path / "no" / "f", b"")
    (tmp_path / "f").mkdir()
    with pytest.raises(IsADirectoryError):
        files.write_atomically(tmp_path / "f", b"")
    assert os.listdir(tmp_path) == ["f"]


def test_pid_files_are_for_everybody_whatever_the_umask(tmp_path: Path) -> None:
    files.write_pid(tmp_path / "p.pid", 4711)
    assert (tmp_path / "p.pid").read_bytes() == b"4711\n"
    assert mode(tmp_path / "p.pid") == 0o644


def test_reading_is_bounded_and_regular_files_only(tmp_path: Path) -> None:
    path = tmp_path / "f"
    assert files.read_bounded(path, 3) is None
    path.write_bytes(b"abcdef")
    assert files.read_bounded(path, 3) == b"abcd"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "link", "folder"):
        with pytest.raises(OSError, match=r"not a regular file|Too many levels|Is a directory"):
            files.read_bounded(tmp_path / name, 3)


@pytest.mark.parametrize("bits", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_not_trusted(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x")
    assert files.read_trusted(path, 9) == b"x"
    path.chmod(bits)
    with pytest.raises(OSError, match="others could have written it"):
        files.read_trusted(path, 9)
    assert files.read_bounded(path, 9) == b"x"


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files away needs root")
def test_a_file_of_somebody_else_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x")
    os.chown(path, 12345, 0)
    with pytest.raises(OSError, match="others could have written it"):
        files.read_trusted(path, 9)


def test_appending(tmp_path: Path) -> None:
    path = tmp_path / "f"
    files.append(str(path), "a\n")
    files.append(str(path), "\udc80\n")
    assert path.read_bytes() == b"a\n\\udc80\n"
    (tmp_path / "link").symlink_to(path)
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(OSError, match=r"Too many levels|No such device"):
            files.append(str(tmp_path / name), "b")


def test_folders_can_be_entered_by_everybody_whatever_the_umask(tmp_path: Path) -> None:
    deep = tmp_path / "keepalived" / "blue"
    files.make_folder(deep)
    files.make_folder(deep)
    assert (mode(deep), mode(deep.parent)) == (0o755, 0o755)
    (deep / "f").touch()
    files.remove_empty(deep)
    assert deep.exists()
    files.remove(deep / "f")
    files.remove(deep / "f")
    files.remove_empty(deep)
    assert not deep.exists()


# --- is another one running? -----------------------------------------------------------------------------------------------------


def pid_file(folder: Path, content: bytes) -> Path:
    path = folder / "p.pid"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("content", [b"", b"x", b"0", b"-1", b"9" * 31, b"99999999999999999999", b"1\x00", b"\xff"])
def test_what_is_no_pid_means_that_nobody_runs(tmp_path: Path, content: bytes) -> None:
    assert files.running_pid(pid_file(tmp_path, content)) is None


def test_without_a_file_nobody_runs(tmp_path: Path) -> None:
    assert files.running_pid(tmp_path / "p.pid") is None
    assert files.running_pid(tmp_path / "no" / "p.pid") is None


def test_a_process_that_has_ended_does_not_run(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-S", "-c", "", "keepalived"])
    ended.wait()
    assert files.running_pid(pid_file(tmp_path, b"%d\n" % ended.pid)) is None


def waiting(name: str) -> subprocess.Popen[bytes]:
    """Start a process with `name` in its command line; it has started when this returns, and ends with its input."""
    argv = [sys.executable, "-S", "-c", "import sys; print(flush=True); sys.stdin.read()", name]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_only_a_keepalived_counts(tmp_path: Path) -> None:
    with waiting("keepalived") as daemon, waiting("mail") as other:
        assert files.running_pid(pid_file(tmp_path, b"%d\n" % daemon.pid)) == daemon.pid
        assert files.running_pid(pid_file(tmp_path, b"%d" % other.pid)) is None
        daemon.kill()
        # Nobody has waited for it yet.
        os.waitid(os.P_PID, daemon.pid, os.WEXITED | os.WNOWAIT)
        assert files.running_pid(pid_file(tmp_path, b"%d\n" % daemon.pid)) is None


def test_hostile_pid_files_are_not_followed_and_do_not_hang(tmp_path: Path) -> None:
    real = pid_file(tmp_path, b"%d\n" % os.getpid())
    (tmp_path / "link").symlink_to(real)
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
        for name in ("link", "pipe", "socket"):
            assert files.running_pid(tmp_path / name) is None
