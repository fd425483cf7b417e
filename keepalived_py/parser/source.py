"""Files: the only part of the parser that touches the disk.

A path may be a shell pattern with ``{a,b}`` alternatives; matches are read in sorted order.  Bytes are opaque: text is decoded as
UTF-8 and whatever is no UTF-8 survives as surrogates.
"""

import enum
import os
import stat
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

MAX_LINE: Final = 1023
"""Longest line in bytes, without its newline (as the reference)."""

MAX_ALTERNATIVES: Final = 4096
"""Most names that the brace groups of one include may stand for."""

MAX_FILE: Final = 256 * 1024 * 1024
"""Largest file in bytes that is read at all."""


class Include(enum.Flag):
    """What an include is strict about: the letters r, m, w, b of its name, or `include_check`."""

    LENIENT = 0
    READABLE = enum.auto()
    MATCH = enum.auto()
    WILDCARD = enum.auto()
    BRACE = enum.auto()
    ALL = READABLE | MATCH | WILDCARD | BRACE


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as read: its lines without their ends, and the folder that its own includes are relative to."""

    name: str
    directory: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that could not be used; `check` is the strictness that makes it fatal."""

    check: Include
    text: str


@dataclass(frozen=True, slots=True)
class Opened:
    """The result of opening a path or pattern."""

    files: tuple[SourceFile, ...]
    problems: tuple[Problem, ...]


def source_from_text(name: str, text: str, directory: str = ".") -> SourceFile:
    """Make a source file of text that is at hand (tests, standard input)."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    if "\r" in text:
        lines = [line.rstrip("\r") for line in lines]
    return SourceFile(name, directory, tuple(lines))


def alternatives(pattern: str) -> list[str]:
    """Expand ``{a,b}`` groups, nested ones included, as a shell does; at most `MAX_ALTERNATIVES` results.

    >>> alternatives("a{1,2{x,y}}.conf")
    ['a1.conf', 'a2x.conf', 'a2y.conf']
    """
    done: list[str] = []
    waiting = [pattern]
    while waiting and len(done) < MAX_ALTERNATIVES:
        option = waiting.pop()
        group = _first_group(option)
        if group is None:
            done.append(option)
            continue
        before, members, after = group
        waiting.extend(before + member + after for member in reversed(members))
    return done


def _first_group(pattern: str) -> tuple[str, list[str], str] | None:
    """Return what stands before, inside and after the first balanced brace group."""
    depth = 0
    cuts: list[int] = []
    for position, char in enumerate(pattern):
        if char == "{":
            depth += 1
            if depth == 1:
                cuts = [position]
        elif char == "," and depth == 1:
            cuts.append(position)
        elif char == "}" and depth:
            depth -= 1
            if depth == 0:
                cuts.append(position)
                members = [pattern[start + 1 : end] for start, end in pairwise(cuts)]
                return pattern[: cuts[0]], members, pattern[position + 1 :]
    return None


def open_sources(pattern: str, directory: str, shown_in: str = "") -> Opened:
    """Read every file that `pattern` names, relative to `directory`.

    `shown_in` is prefixed to the names in diagnostics, so that an included file is named the way the user can find it.
    """
    files: list[SourceFile] = []
    problems: list[Problem] = []
    options = alternatives(pattern)
    for option in options:
        for match in _matches(option, directory, problems):
            path = os.path.join(directory, match)  # noqa: PTH118  (a pattern's match, kept as the user wrote it)
            if not os.path.lexists(path):
                check = Include.BRACE if len(options) > 1 else Include.MATCH
                problems.append(Problem(check, f"{match} does not exist"))
                continue
            opened = _read(path, os.path.join(shown_in, match))  # noqa: PTH118
            if isinstance(opened, Problem):
                problems.append(opened)
            else:
                files.append(opened)
    return Opened(tuple(files), tuple(problems))


def _matches(option: str, directory: str, problems: list[Problem]) -> list[str]:
    """Return what one pattern stands for: itself when it has no wildcard, else the files that match, in sorted order."""
    if not any(char in option for char in "*?["):
        return [option]
    import glob  # a large import that few configurations need

    matches = sorted(glob.glob(option, root_dir=directory))  # noqa: PTH207  (relative to a folder)
    if not matches:
        problems.append(Problem(Include.WILDCARD, f"no file matches {option}"))
    return matches


def _read(path: str, name: str) -> SourceFile | Problem:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        return Problem(Include.READABLE, f"{name} cannot be read: {error.strerror}")
    try:
        content = _content(descriptor)
    except OSError as error:
        return Problem(Include.READABLE, f"{name} cannot be read: {error.strerror}")
    finally:
        os.close(descriptor)
    if isinstance(content, str):
        return Problem(Include.READABLE, f"{name} is {content}")
    text = content.decode("utf-8", "surrogateescape")
    return source_from_text(name, text, os.path.realpath(os.path.dirname(path)))  # noqa: PTH120


def _content(descriptor: int) -> bytes | str:
    """Return the bytes of an open file, or what it is that makes it unusable; raise `OSError` when reading fails."""
    status = os.fstat(descriptor)
    if stat.S_ISDIR(status.st_mode):
        return "a directory"
    if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o111:
        return "not a regular, non-executable file"
    if status.st_size > MAX_FILE:
        return f"larger than {MAX_FILE} bytes"
    with open(descriptor, "rb", closefd=False) as stream:
        return stream.read(MAX_FILE + 1)
