"""Segments into drafts: find each word in the schema, open and close blocks, and survive whatever is wrong.

The recovery rules are the reference's where they keep a file's meaning: an unknown word is dropped, the contents of an unknown
block are read at the surrounding level, a missing opening brace is reported and assumed, what is open at the end is closed.
"""

from collections.abc import Iterable
from typing import Final

from keepalived_py.parser import codes
from keepalived_py.parser.origins import LineId
from keepalived_py.parser.reader import CLOSE, OPEN, Segment
from keepalived_py.parser.reading import Reading, did_you_mean
from keepalived_py.parser.schema import SKIP, Block, Draft, Keyword, Refused, Repeat

_MAX_DEPTH: Final = 256


class _Frame:
    """An open block.  `skipped`: nothing in it counts.  `orphan`: contents of an unknown block, read as if outside of it."""

    __slots__ = ("block", "draft", "line", "orphan", "skipped")

    def __init__(self, block: Block, draft: Draft, line: LineId, *, skipped: bool = False, orphan: bool = False) -> None:
        self.block = block
        self.draft = draft
        self.line = line
        self.skipped = skipped
        self.orphan = orphan


class BlockReader:
    """Turns segments into the draft of the root block; see the module for how it recovers."""

    def __init__(self, root: Block, reading: Reading) -> None:
        self.root = Draft(root, None, LineId(0))
        self._reading = reading
        self._frames = [_Frame(root, self.root, LineId(0))]
        self._expected: _Frame | None = None
        self._unknown_line = LineId(-1)

    def read(self, segments: Iterable[Segment]) -> Draft:
        """Read everything and return the root draft, with what was left open closed and reported."""
        reading = self._reading
        frames = self._frames
        for words, text, line in segments:
            reading.line = line
            if self._expected is not None:
                opened = self._enter(is_open=words is OPEN)
                if opened:
                    continue
            if words is CLOSE:
                self._close(line)
                continue
            frame = frames[-1]
            if words is OPEN:
                self._stray_open(frame, line)
                continue
            if frame.skipped:
                continue
            reading.words = words
            reading.text = text
            block = frame.block
            entry = block.table.get(words[0])
            if isinstance(entry, Keyword):
                self._keyword(entry, frame.draft, words)
            elif block.read_line is not None:
                self._value_line(block, frame.draft, words)
            elif entry is None:
                self._unknown(block, words[0], line)
            else:
                self._block(entry, frame.draft, words, line)
        self._finish()
        return self.root

    def _keyword(self, keyword: Keyword, draft: Draft, words: list[str]) -> None:
        reading = self._reading
        try:
            value = keyword.kind.read(words, reading)
        except Refused as refusal:
            reading.refused(refusal)
            return
        if keyword.old is not None:
            successor = f"; write {keyword.alias_of}" if keyword.alias_of else ""
            reading.complain(keyword.old, f"{keyword.name} is an old word{successor}", 0)
        if keyword.apply is not None:
            keyword.apply(draft, keyword, value, reading)
        elif keyword.repeat is Repeat.LAST:
            target = keyword.into or keyword.name
            draft.values[target] = value
            draft.lines[target] = reading.line
        else:
            self._repeated(keyword, draft, value)

    def _repeated(self, keyword: Keyword, draft: Draft, value: object) -> None:
        """Assign by a rule other than "the last one counts"."""
        reading, target, repeat = self._reading, keyword.target, keyword.repeat
        if repeat is Repeat.ADD:
            draft.values.setdefault(target, []).extend(value if isinstance(value, (list, tuple)) else [value])
            draft.lines.setdefault(target, reading.line)
            return
        if target in draft.values:
            if repeat is Repeat.LARGEST:
                if value <= draft.values[target]:
                    return
            elif repeat is not Repeat.FIRST or draft.values[target] != value:
                kept = "replaces the first" if repeat is Repeat.REPLACE else "is ignored"
                first = reading.origins.place(draft.lines[target])
                where = f" (first on line {first.line})" if first else ""
                reading.complain(codes.ALREADY_SET, f"{keyword.name} is set already{where}; this one {kept}", 0)
                if repeat is not Repeat.REPLACE:
                    return
        draft.set(target, value, reading.line)

    def _block(self, block: Block, parent: Draft, words: list[str], line: LineId) -> None:
        """Read the line that starts a block; its body follows when an opening brace does."""
        reading = self._reading
        draft = Draft(block, parent, line)
        skipped = False
        if block.header is None:
            if len(words) > 1:
                reading.complain(codes.BLOCK_EXTRA_WORDS, f"{block.name} takes no arguments")
        else:
            try:
                draft.header = block.header.read(words, reading)
            except Refused as refusal:
                reading.refused(refusal)
                skipped = True
        if not skipped and block.open is not None:
            skipped = block.open(draft, reading) is SKIP
        self._expected = _Frame(block, draft, line, skipped=skipped)

    def _enter(self, *, is_open: bool) -> bool:
        """Open the block whose brace is due; return whether the segment was that brace."""
        frame = self._expected
        assert frame is not None
        self._expected = None
        if not is_open:
            if frame.skipped:
                return False
            if frame.block.read_line is not None:
                self._reading.report(
                    codes.VALUE_BLOCK_WITHOUT_BRACE,
                    f"the opening brace of {frame.block.name} is missing",
                    frame.line,
                    frame.block.name,
                )
            else:
                self._reading.report(
                    codes.MISSING_OPEN, f"the opening brace of {frame.block.name} is missing", frame.line, frame.block.name
                )
        self._frames.append(frame)
        return is_open

    def _stray_open(self, frame: _Frame, line: LineId) -> None:
        """Go on after a brace that no keyword asked for; what it encloses is read as if it were not there."""
        if not frame.skipped:
            if frame.block.read_line is not None or line != self._unknown_line:
                self._reading.report(codes.STRAY_OPEN, "an opening brace that belongs to no block", line, "{")
            if len(self._frames) >= _MAX_DEPTH:
                self._reading.report(codes.EXPANSION_TOO_DEEP, f"blocks nest deeper than {_MAX_DEPTH}", line, "{")
                return
        self._frames.append(_Frame(frame.block, frame.draft, line, skipped=frame.skipped, orphan=True))

    def _value_line(self, block: Block, draft: Draft, words: list[str]) -> None:
        assert block.read_line is not None
        try:
            block.read_line(words, draft, self._reading)
        except Refused as refusal:
            self._reading.refused(refusal)

    def _unknown(self, block: Block, word: str, line: LineId) -> None:
        self._unknown_line = line
        level = "here" if block.name == "" else f"in {block.name}"
        self._reading.complain(codes.UNKNOWN_KEYWORD, f"unknown keyword {word!r} {level}", 0, did_you_mean(word, block.table))

    def _close(self, line: LineId) -> None:
        if len(self._frames) == 1:
            self._reading.report(codes.STRAY_CLOSE, "a closing brace without an open block", line, "}")
            return
        self._leave(self._frames.pop())

    def _leave(self, frame: _Frame) -> None:
        if frame.orphan or frame.skipped:
            return
        if frame.block.close is not None:
            frame.block.close(frame.draft, self._reading)
        elif frame.draft.parent is not None:
            frame.draft.parent.children.append(frame.draft)

    def _finish(self) -> None:
        """Close what the end of the text left open, and say which blocks those were."""
        if self._expected is not None and not self._enter(is_open=False):
            pass
        missing = len(self._frames) - 1
        if missing:
            frame = self._frames[-1]
            named = frame.block.name or "a block"
            braces = "a closing brace is" if missing == 1 else f"{missing} closing braces are"
            self._reading.report(codes.MISSING_CLOSE, f"{braces} missing; {named} is still open", frame.line, frame.block.name)
        while len(self._frames) > 1:
            self._leave(self._frames.pop())
