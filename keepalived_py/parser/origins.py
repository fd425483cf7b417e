"""Where each line came from, kept as one small integer per line until somebody asks.

A `LineId` of a line that stands in a file packs the file's index and the line number; one that was made by a definition or a
sequence indexes a record of the expansion.  Resolving an id into a `Place` costs a search through the line, which only lines
with a diagnostic pay for.
"""

from dataclasses import dataclass
from typing import Final, NewType

from keepalived_py.parser.diagnostics import Place
from keepalived_py.parser.source import SourceFile

LineId = NewType("LineId", int)

NOWHERE: Final = LineId(0)
_SHIFT: Final = 32
_EXPANSION: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class Expansion:
    """A line that expanding `used_at` made: its text, a note such as ``in expansion of $X, defined at a.conf:3``.

    `references` are the words of `used_at` that expanded: ``$X``, ``${X}``.
    """

    used_at: LineId
    text: str
    note: str
    references: tuple[str, ...] = ()


class Origins:
    """The files read so far and the expansions made from them."""

    def __init__(self) -> None:
        self.files: list[SourceFile] = []
        self._expansions: list[Expansion] = []

    def add_file(self, file: SourceFile) -> LineId:
        """Register a file; its line N has the id returned plus N."""
        self.files.append(file)
        return LineId(len(self.files) << _SHIFT)

    def add_expansion(self, used_at: LineId, text: str, note: str, references: tuple[str, ...] = ()) -> LineId:
        """Register a line that came out of a definition or a sequence."""
        self._expansions.append(Expansion(used_at, text, note, references))
        return LineId(_EXPANSION | (len(self._expansions) - 1))

    def depth(self, line: LineId) -> int:
        """Count how many expansions a line is away from a file."""
        count = 0
        while line & _EXPANSION:
            line = self._expansions[line & ~_EXPANSION].used_at
            count += 1
        return count

    def place(self, line: LineId, word: str = "", nth: int = 0) -> Place | None:
        """Resolve an id; the column is that of the `nth` occurrence (0: the first) of `word`, else of what expanded to it.

        Where neither can be found, the whole line is meant.
        """
        if line == NOWHERE:
            return None
        notes: list[str] = []
        references: tuple[str, ...] = ()
        while line & _EXPANSION:
            expansion = self._expansions[line & ~_EXPANSION]
            notes.append(f"{expansion.note}: {expansion.text.strip()}"[:200])
            line, references = expansion.used_at, expansion.references
        file = self.files[(line >> _SHIFT) - 1]
        number = line & ((1 << _SHIFT) - 1)
        source = file.lines[number - 1].rstrip("\r") if 0 < number <= len(file.lines) else ""
        start = _find(source, word, nth) if word else -1
        if start < 0:
            found = [(at, reference) for reference in references if (at := source.find(reference)) >= 0]
            start, word = min(found, default=(-1, ""))
        if start < 0:
            stripped = source.strip()
            start = source.find(stripped) if stripped else 0
            word = stripped
        return Place(file.name, number, start + 1, max(1, len(word)), source, tuple(notes))


def _find(source: str, word: str, nth: int) -> int:
    """Return the index of the `nth` occurrence of `word` that stands as a word, -1 when there is none."""
    start = -1
    fallback = -1
    seen = 0
    while (start := source.find(word, start + 1)) >= 0:
        before, after = source[start - 1 : start], source[start + len(word) : start + len(word) + 1]
        if (not before or before in ' \t"{}') and (not after or after in ' \t"{}!#'):
            if seen == nth:
                return start
            seen += 1
        elif fallback < 0:
            fallback = start
    return fallback
