"""A file put into shape: indentation by depth, one statement a line, comments kept where they stand.

Works on text, not on the model, so that nothing is lost: definitions, conditions, sequences, includes and mistakes stay as they
are.  Words are not touched; only the blanks between them and before them are.
"""

import re
from collections.abc import Iterator
from typing import Final

from keepalived_py.parser.tokens import find_brace

INDENT: Final = "    "
_PIECE: Final = re.compile(r'"[^"]*"?|[^ \t"]+')
_OPAQUE: Final = re.compile(r"[ \t]*(\$[A-Za-z_][A-Za-z0-9_]*=|~)")


def pretty(text: str) -> str:
    """Return the text in shape; formatting what is in shape changes nothing."""
    lines: list[str] = []
    depth = 0
    waiting = iter(text.split("\n"))
    for raw in waiting:
        line = raw.rstrip("\r \t")
        if _OPAQUE.match(line):
            lines.append(INDENT * depth + line.strip(" \t"))
            while line.endswith("\\"):  # a multi-line definition is kept as it is, to its end
                line = next(waiting, "").rstrip("\r \t")
                lines.append(line)
            continue
        code, comment = split_comment(line)
        if not code:
            lines.append((INDENT * depth + comment) if comment else "")
            continue
        parts = list(_statements(code))
        if any(_OPAQUE.match(part) for part in parts[1:]):  # would mean something else at the head of a line
            lines.append(INDENT * depth + code)
            depth = max(0, depth + sum(part.endswith("{") - (part == "}") for part in parts))
            parts = []
        for part in parts:
            if part == "}":
                depth = max(0, depth - 1)
            lines.append(INDENT * depth + part)
            if part.endswith("{") and part != '"{"':
                depth += 1
        if comment:
            lines[-1] += f"  {comment}"
    return "\n".join(_squeezed(lines)) + "\n"


def split_comment(line: str) -> tuple[str, str]:
    """Split a line into what counts and its comment, which keeps its ``#`` or ``!``."""
    quoted = escaped = False
    for position, char in enumerate(line):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char in "#!" and not quoted:
            return line[:position].strip(" \t"), line[position:]
    return line.strip(" \t"), ""


def _statements(code: str) -> Iterator[str]:
    """Yield the statements of a line: words up to and with an opening brace, a closing brace, or the rest."""
    while code:
        at = find_brace(code)
        if at < 0:
            yield _spaced(code)
            return
        head, brace, code = code[:at], code[at], code[at + 1 :].strip(" \t")
        if brace == "{":
            yield f"{_spaced(head)} {{".lstrip(" ")
        else:
            if head.strip(" \t"):
                yield _spaced(head)
            yield "}"


def _spaced(code: str) -> str:
    """Put single blanks between words; quoted ones are left alone, and what touches stays together.

    A line with other quotes or backslashes may be a command, whose own splitting is not known here: it keeps its blanks.
    """
    code = code.strip(" \t")
    if "'" in code or "\\" in code:
        return code
    parts: list[str] = []
    end = 0
    for match in _PIECE.finditer(code):
        if parts and match.start() > end:
            parts.append(" ")
        parts.append(match.group())
        end = match.end()
    return "".join(parts)


def _squeezed(lines: list[str]) -> list[str]:
    """Leave at most one empty line between others, and none at either end."""
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    while kept and not kept[-1]:
        kept.pop()
    return kept
