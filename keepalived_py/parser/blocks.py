"""Segments into drafts: find each word in the schema, open and close blocks, and survive whatever is wrong.

The recovery rules are the reference's where they keep a file's meaning: an unknown word is dropped, the contents of an unknown
block are read at the surrounding level, a missing opening brace is reported and assumed, what is open at the end is closed.
"""

from collections.abc import Iterable
from typing import Final

from keepalived_py.parser import codes
from keepalived_py.parser.origins import LineId
from keepalived_py.parser.reader import CLOSE, OPEN, Segment
from keepalived_py.parser.reading import MAX_DIAGNOSTICS, Reading, did_you_mean
from keepalived_py.parser.schema import SKIP, Block, Draft, Keyword, Known, Refused, Repeat

_MAX_DEPTH: Final = 256


class BlockReader:
    """Turns segments into the draft of the root block; see the module for how it recovers.

    `_open` holds the drafts of the blocks that are open, outermost first; one that stands twice in a row stands for the contents of
    an unknown block, which are read as if they stood outside of it.  `_depth` counts braces, whatever they belong to.
    `_beyond`: a block that the reference takes for closed by the closing brace of an unknown block inside of it, and where that is.
    """

    def __init__(self, root: Block, reading: Reading) -> None:
        self._reading = reading
        self._known: dict[int, Known] = {}
        self.root = Draft(root, None, LineId(0), self._known_of(root))
        self._open = [self.root]
        self._expected: Draft | None = None
        self._depth = 0
        self._beyond: tuple[Draft, LineId] | None = None
        self._unknown_line = LineId(-1)

    @property
    def outermost(self) -> str:
        """The name of the block at the outermost level that is open now; empty when none is."""
        return self._open[1].block.name if len(self._open) > 1 else ""

    def read(self, segments: Iterable[Segment]) -> Draft:
        """Read everything and return the root draft, with what was left open closed and reported."""
        reading = self._reading
        opened = self._open
        for words, text, line in segments:
            if words is OPEN:
                self._depth += 1
                if self._expected is not None:
                    opened.append(self._expected)
                    self._expected = None
                else:
                    self._stray_open(opened[-1], line)
                continue
            if self._expected is not None:
                self._assume_open()
            draft = opened[-1]
            if words is CLOSE:
                reading.line = line
                self._close(line)
            elif not draft.skipped:
                known = draft.known.get(text)
                if known is not None:
                    target, value = known
                    draft.values[target] = value
                    draft.lines[target] = line
                else:
                    reading.line, reading.text, reading.words = line, text, words
                    self._content(draft, words, text, line)
        self._finish()
        return self.root

    def _known_of(self, block: Block) -> Known:
        """Return what is remembered of lines of a block: blocks are declared once, so that identity tells them apart."""
        known = self._known.get(id(block))
        if known is None:
            known = self._known[id(block)] = {}
        return known

    def _content(self, draft: Draft, words: list[str], text: str, line: LineId) -> None:
        """Read one line of a block's body."""
        block = draft.block
        entry = block.table.get(words[0])
        self._check_quote(entry, line)
        if isinstance(entry, Keyword):
            self._keyword(entry, draft, words, text)
        elif block.read_line is not None:
            self._value_line(block, draft, words)
        elif entry is None:
            self._unknown(block, words[0], line)
        else:
            self._block(entry, draft, words, line)

    def _check_quote(self, entry: "Keyword | Block | None", line: LineId) -> None:
        """Report an open double quote, unless the keyword splits the line again, where a backslash protects a quote."""
        reader = self._reading.reader
        again = isinstance(entry, Keyword) and getattr(entry.kind, "splits_again", False)
        if reader is not None and reader.open_quote == line and not again:
            self._reading.report(codes.UNMATCHED_QUOTE, "a double quote is not closed", line, '"')

    def _keyword(self, keyword: Keyword, draft: Draft, words: list[str], text: str) -> None:
        reading = self._reading
        reported = len(reading.diagnostics)
        if keyword.missing is not None and len(words) < 2:
            reading.complain(keyword.missing, f"{keyword.name} needs a value", 0)
            return
        try:
            value = keyword.kind.read(words, reading)
            if keyword.old is not None:
                successor = f"; write {keyword.alias_of}" if keyword.alias_of else ""
                reading.complain(keyword.old, f"{keyword.name} is an old word{successor}", 0)
            if keyword.apply is not None:
                keyword.apply(draft, keyword, value, reading)
                return
        except Refused as refusal:
            reading.refused(refusal)
            return
        if keyword.repeat is Repeat.LAST:
            target = keyword.into or keyword.name
            draft.values[target] = value
            draft.lines[target] = reading.line
            if keyword.repeatable and len(reading.diagnostics) == reported < MAX_DIAGNOSTICS:
                draft.known[text] = target, value
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
                first = reading.origins.place(draft.lines.get(target, draft.line))
                where = f" (first on line {first.line})" if first else ""
                reading.complain(codes.ALREADY_SET, f"{keyword.name} is set already{where}; this one {kept}", 0)
                if repeat is not Repeat.REPLACE:
                    return
        draft.set(target, value, reading.line)

    def _block(self, block: Block, parent: Draft, words: list[str], line: LineId) -> None:
        """Read the line that starts a block; its body follows when an opening brace does."""
        reading = self._reading
        self._expected = draft = Draft(block, parent, line, self._known_of(block))
        if block.header is not None:
            try:
                draft.header = block.header.read(words, reading)
            except Refused as refusal:
                reading.refused(refusal)
                draft.skipped = True
                return
        elif len(words) > 1 and block.read_line is not None:
            reading.complain(codes.BLOCK_EXTRA_WORDS, f"{block.name} takes no arguments")
        if block.open is not None and block.open(draft, reading) is SKIP:
            draft.skipped = True

    def _assume_open(self) -> None:
        """Open the block whose brace is due although something else follows."""
        draft = self._expected
        assert draft is not None
        self._expected = None
        if draft.skipped:
            return
        name = draft.block.name
        code = codes.MISSING_OPEN if draft.block.read_line is None else codes.VALUE_BLOCK_WITHOUT_BRACE
        self._reading.report(code, f"the opening brace of {name} is missing", draft.line, name)
        self._open.append(draft)

    def _stray_open(self, draft: Draft, line: LineId) -> None:
        """Go on after a brace that no keyword asked for; what it encloses is read as if it were not there."""
        if not draft.skipped:
            if draft.block.read_line is not None or line != self._unknown_line:
                self._reading.report(codes.STRAY_OPEN, "an opening brace that belongs to no block", line, "{")
            if len(self._open) >= _MAX_DEPTH:
                self._reading.report(codes.EXPANSION_TOO_DEEP, f"blocks nest deeper than {_MAX_DEPTH}", line, "{")
                return
        self._open.append(draft)

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
        """Take a closing brace: where the opening one was missing, this is one too many, although it ends a block."""
        if self._depth:
            self._depth -= 1
        else:
            self._reading.report(codes.STRAY_CLOSE, "a closing brace that no opening brace asks for", line, "}")
        if len(self._open) > 1:
            self._end(line)

    def _end(self, line: LineId) -> None:
        """End the innermost block."""
        opened = self._open
        draft = opened.pop()
        if draft is opened[-1]:
            if draft is not self.root and self._beyond is None:
                self._beyond = draft, line
                self._reading.beyond = True
            return
        if self._beyond is not None and self._beyond[0] is draft:
            self._reading.overlooked.append((self._beyond[1], line))
            self._reading.beyond = False
            self._beyond = None
        if not draft.skipped:
            self._leave(draft)

    def _leave(self, draft: Draft) -> None:
        """Hand a block that is complete to whoever keeps it."""
        if draft.block.close is not None:
            draft.block.close(draft, self._reading)
        elif draft.parent is not None:
            draft.parent.children.append(draft)

    def _finish(self) -> None:
        """Close what the end of the text left open, and say which blocks those were."""
        if self._expected is not None:
            self._assume_open()
        opened, missing = self._open, self._depth
        if missing:
            named = opened[-1].block.name or "a block"
            braces = "a closing brace is" if missing == 1 else f"{missing} closing braces are"
            line = opened[-1].line
            self._reading.report(codes.MISSING_CLOSE, f"{braces} missing; {named} is still open", line, opened[-1].block.name)
        while len(opened) > 1:
            self._end(opened[-1].line)
