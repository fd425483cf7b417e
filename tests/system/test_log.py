"""The log: one line is one line, whatever is in it, and nothing that fails stops the program."""

import os
import re
import stat
import syslog
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.system.log import ERROR, INFO, Log, LogTargets, facility_number

STAMP = r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d \d{4}: "


def to_file(folder: Path) -> Log:
    return Log(LogTargets(to_syslog=False, file=str(folder / "keepalived.log")), "test", "_healthcheckers")


def read(folder: Path) -> list[str]:
    return (folder / "keepalived_healthcheckers.log").read_text().split("\n")[:-1]


def test_a_line_has_keepalived_s_stamp_and_the_file_the_name_of_the_process(tmp_path: Path) -> None:
    log = to_file(tmp_path)
    log.info("Gained quorum 1+0=1 <= 1 for VS [203.0.113.1]:tcp:80")
    (line,) = read(tmp_path)
    assert re.fullmatch(STAMP + r"Gained quorum 1\+0=1 <= 1 for VS \[203\.0\.113\.1\]:tcp:80", line)
    assert stat.S_IMODE((tmp_path / "keepalived_healthcheckers.log").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a\nMay  1 00:00:00 host Keepalived: forged", "a\\x0aMay  1 00:00:00 host Keepalived: forged"),
        ("\x1b[2J\r\t\x00", "\\x1b[2J\\x0d\\x09\\x00"),
        ("\udc80\udcff", "\\xdc80\\xdcff"),
        ("\u2028\x85é", "\\x2028\\x85é"),
        ("%s %n", "%s %n"),
        ("", ""),
    ],
)
def test_hostile_text_stays_on_its_line(tmp_path: Path, text: str, written: str) -> None:
    to_file(tmp_path).info(text)
    (line,) = read(tmp_path)
    assert line.partition(": ")[2] == written


@given(st.text(st.characters(), max_size=50))
def test_any_text_is_one_printable_line_for_syslog(text: str) -> None:
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(syslog, "syslog", lambda level, line: said.append(line))
        patch.setattr(syslog, "openlog", lambda *_: None)
        Log(LogTargets(), "test").error(text)
    assert len(said) == 1
    assert said[0].isprintable()
    said[0].encode()


def test_a_line_is_bounded(tmp_path: Path) -> None:
    to_file(tmp_path).info("x" * 100_000)
    assert len(read(tmp_path)[0]) < 2200


def test_a_text_of_our_own_becomes_lines(tmp_path: Path) -> None:
    to_file(tmp_path).write_lines(ERROR, "Traceback\n  File\nBugError")
    assert [line.partition(": ")[2] for line in read(tmp_path)] == ["Traceback", "  File", "BugError"]


def test_detail_is_for_those_who_ask(tmp_path: Path) -> None:
    log = to_file(tmp_path)
    log.detail("unheard")
    log.targets = LogTargets(to_syslog=False, detail=1)
    log.detail("heard")
    assert len(read(tmp_path)) == 1


def test_a_console_that_is_gone_is_no_reason_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(LogTargets(to_syslog=False, console=True), "test")
    for stream in (None, closed_stream(tmp_path), broken_pipe()):
        monkeypatch.setattr("sys.stderr", stream)
        log.write(INFO, "anybody there?")


def closed_stream(folder: Path) -> object:
    stream = (folder / "closed").open("w")
    stream.close()
    return stream


def broken_pipe() -> object:
    reading, writing = os.pipe()
    os.close(reading)
    return open(writing, "w", closefd=False)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_log_file_that_is_something_else_is_left_alone(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    victim = tmp_path / "victim"
    victim.touch()
    path = tmp_path / "keepalived.log"
    match kind:
        case "link":
            path.symlink_to(victim)
        case "pipe":
            os.mkfifo(path)
        case _:
            path.mkdir()
    Log(LogTargets(to_syslog=False, console=True, file=str(path)), "test").info("one line")
    assert victim.read_text() == ""
    said = capsys.readouterr().err
    assert f"Unable to open log file {path}: " in said
    assert "one line" in said


@pytest.mark.parametrize(
    ("word", "number"),
    [("0", syslog.LOG_LOCAL0), ("local7", syslog.LOG_LOCAL7), ("user", syslog.LOG_USER), ("daemon", syslog.LOG_DAEMON)],
)
def test_facilities(word: str, number: int) -> None:
    assert facility_number(word) == number
    assert facility_number(word + "x") is None
