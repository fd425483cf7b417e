"""What the parser has to say, as values: a code, a severity, a place, a sentence.

`Severity` ranks as the reference does, because the exit status of ``-t`` follows from the highest rank seen; `ADVICE` is ours and
never counts.  Nothing here prints: the command line and the daemon do.
"""

import enum
import json
from collections.abc import Iterable
from dataclasses import dataclass


class Severity(enum.IntEnum):
    """Classes of diagnostics, lowest rank first, in the reference's order."""

    ADVICE = -1
    NOTE = 0
    FILE_NOT_FOUND = 1
    BAD_IF = 2
    FATAL = 3
    MULTIPLE_FILES = 4
    UNKNOWN_KEYWORD = 5
    UNEXPECTED_BOB = 6
    MISSING_BOB = 7
    UNEXPECTED_EOB = 8
    MISSING_EOB = 9
    UNMATCHED_QUOTE = 10
    MISSING_PARAMETER = 11
    INVALID_NUMBER = 12
    GENERAL = 13
    WARNING = 14
    DEPRECATED = 15
    SECURITY = 16

    @property
    def label(self) -> str:
        """The word that a rendered diagnostic starts with."""
        if self is Severity.ADVICE:
            return "advice"
        if self is Severity.NOTE:
            return "note"
        return "warning" if self in (Severity.WARNING, Severity.DEPRECATED, Severity.SECURITY) else "error"


class ExitStatus(enum.IntEnum):
    """Exit statuses of keepalived(8) that a configuration decides."""

    OK = 0
    UNUSABLE = 2
    COMPLETING = 4
    TEST_FAILED = 5
    SECURITY = 6


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of diagnostic: `ident` never changes its meaning, `doc` and `example` make its paragraph of the manual."""

    ident: str
    name: str
    severity: Severity
    doc: str
    example: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where: `line` and `column` count from 1, `length` in characters.  `via` names the definitions that expanded to the text."""

    file: str
    line: int
    column: int = 1
    length: int = 1
    source: str = ""
    via: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding.  `hint` is a suggestion in half a sentence, or empty."""

    code: Code
    text: str
    place: Place | None = None
    hint: str = ""

    @property
    def severity(self) -> Severity:
        """Severity of the code."""
        return self.code.severity

    def headline(self) -> str:
        """Render on one line, for the log: place, class, text, code."""
        where = f"{self.place}: " if self.place else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}{self.severity.label}: {self.text}{hint} [{self.code.ident} {self.code.name}]"

    def render(self) -> str:
        """Render for a terminal: the headline, then the source line with a caret under the words at fault."""
        lines = [self.headline()]
        place = self.place
        if place and place.source:
            shown, start = _window(place.source, place.column - 1)
            lead = "".join("\t" if char == "\t" else " " for char in shown[:start])
            width = max(1, min(place.length, len(shown) - start))
            lines += [f"  {place.line:5} | {shown}", f"        | {lead}{'^' * width}"]
        if place:
            lines += [f"        = {note}" for note in place.via]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, object]:
        """Return the fields for ``--diagnostics json``: code, name, severity, text, hint, file, line, column, length, via."""
        place = self.place
        return {
            "code": self.code.ident,
            "name": self.code.name,
            "severity": self.severity.name.lower(),
            "text": self.text,
            "hint": self.hint or None,
            "file": place.file if place else None,
            "line": place.line if place else None,
            "column": place.column if place else None,
            "length": place.length if place else None,
            "via": list(place.via) if place else [],
        }


def _window(source: str, start: int, width: int = 160) -> tuple[str, int]:
    """Cut a long source line to what a terminal shows around `start`; return the text and the new start."""
    clean = "".join(char if char.isprintable() or char == "\t" else "?" for char in source)
    if len(clean) <= width:
        return clean, min(start, len(clean))
    left = max(0, min(start - width // 2, len(clean) - width))
    return clean[left : left + width], start - left


def exit_status(diagnostics: Iterable[Diagnostic]) -> ExitStatus:
    """Return what ``-t`` exits with: the highest class decides (language of keepalived 2.4.3)."""
    worst = max((diagnostic.severity for diagnostic in diagnostics), default=Severity.NOTE)
    if worst <= Severity.NOTE:
        return ExitStatus.OK
    if worst <= Severity.FATAL:
        return ExitStatus.COMPLETING
    return ExitStatus.SECURITY if worst is Severity.SECURITY else ExitStatus.TEST_FAILED


def as_json(diagnostics: Iterable[Diagnostic], status: int) -> str:
    """Return one JSON object: ``{"status": N, "diagnostics": [...]}``."""
    return json.dumps({"status": int(status), "diagnostics": [diagnostic.as_dict() for diagnostic in diagnostics]}, indent=2)
