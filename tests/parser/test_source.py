"""Files on a real disk: what is read, what is skipped, and what is said about it."""

import os
import socket
from pathlib import Path

import pytest

from keepalived_py.parser import source
from keepalived_py.parser.source import Include, open_sources, source_from_text


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A folder with two configurations, a folder, a program, a pipe and a socket."""
    (tmp_path / "a.conf").write_text("one\ntwo\n")
    (tmp_path / "b.conf").write_text("three")
    (tmp_path / "d").mkdir()
    (tmp_path / "run").write_text("x\n")
    (tmp_path / "run").chmod(0o755)
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket"))
    return tmp_path


def test_a_file_is_read_with_the_folder_that_its_includes_are_relative_to(disk: Path) -> None:
    (found,) = open_sources("a.conf", str(disk)).files
    assert (found.name, found.directory, found.lines) == ("a.conf", str(disk), ("one", "two"))


def test_names_are_shown_as_the_user_can_find_them(disk: Path) -> None:
    (found,) = open_sources("a.conf", str(disk), "conf.d").files
    assert found.name == "conf.d/a.conf"


def test_patterns_are_sorted_and_may_have_alternatives(disk: Path) -> None:
    assert [file.name for file in open_sources("*.conf", str(disk)).files] == ["a.conf", "b.conf"]
    assert [file.name for file in open_sources("{b,a}.conf", str(disk)).files] == ["b.conf", "a.conf"]
    assert [file.name for file in open_sources("[b]*", str(disk)).files] == ["b.conf"]


@pytest.mark.parametrize(
    ("pattern", "check"),
    [
        ("none.conf", Include.MATCH),
        ("none*.conf", Include.WILDCARD),
        ("d", Include.READABLE),
        ("run", Include.READABLE),
        ("pipe", Include.READABLE),
        ("socket", Include.READABLE),
        ("/dev/null", Include.READABLE),
        ("a.conf/x", Include.MATCH),
        ("x" * 300, Include.MATCH),
    ],
)
def test_what_is_no_configuration_is_a_problem_and_no_more(disk: Path, pattern: str, check: Include) -> None:
    opened = open_sources(pattern, str(disk))
    assert opened.files == ()
    assert [problem.check for problem in opened.problems] == [check]


def test_each_missing_alternative_is_a_problem_beside_what_was_found(disk: Path) -> None:
    opened = open_sources("{a,x,y}.conf", str(disk))
    assert [file.name for file in opened.files] == ["a.conf"]
    assert [problem.check for problem in opened.problems] == [Include.BRACE, Include.BRACE]


def test_a_dangling_link_is_a_problem(disk: Path) -> None:
    (disk / "link").symlink_to(disk / "nowhere")
    assert [problem.check for problem in open_sources("link", str(disk)).problems] == [Include.READABLE]


def test_a_file_without_permission_is_a_problem(disk: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (disk / "a.conf").chmod(0)
    assert [problem.check for problem in open_sources("a.conf", str(disk)).problems] == [Include.READABLE]


def test_a_file_beyond_the_limit_is_not_read(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_FILE", 4)
    opened = open_sources("a.conf", str(disk))
    assert opened.files == () and "larger than 4 bytes" in opened.problems[0].text


def test_bytes_that_are_no_utf_8_survive(disk: Path) -> None:
    (disk / "a.conf").write_bytes(b"k \xff\xfe\n")
    (found,) = open_sources("a.conf", str(disk)).files
    assert found.lines[0].encode("utf-8", "surrogateescape") == b"k \xff\xfe"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ()),
        ("\n", ("",)),
        ("a", ("a",)),
        ("a\n\nb\n", ("a", "", "b")),
        ("a\r\nb\r\r\n", ("a", "b")),
        ("a\rb\n", ("a\rb",)),
        ("a\u2028b\x0bc\x85d\n", ("a\u2028b\x0bc\x85d",)),
    ],
)
def test_only_a_newline_ends_a_line(text: str, lines: tuple[str, ...]) -> None:
    assert source_from_text("x", text).lines == lines
