"""Lines of all files, in the order in which they count, as segments of words and braces.

This is where includes nest, conditional lines drop out, and definitions and sequences expand.  What a plain line amounts to does
not depend on where it stands, so that it is worked out once for each different line: large files repeat themselves.  No keyword is
known here but `include`.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, cast

from keepalived_py.parser import codes
from keepalived_py.parser.diagnostics import Code
from keepalived_py.parser.macros import (
    Definition,
    Definitions,
    Expanded,
    ExpansionTooLong,
    MacroError,
    Sequence,
    built_ins,
    match_definition,
    parse_sequence,
)
from keepalived_py.parser.origins import LineId, Origins
from keepalived_py.parser.source import MAX_LINE, Include, Opened, Problem, SourceFile, open_sources
from keepalived_py.parser.tokens import find_brace, split_words, strip_comment

Segment = tuple[list[str], str, LineId]
"""Words, the text that they were split from, and its place.  A brace is `OPEN` or `CLOSE`, compared by identity.

Equal lines share one list of words: whoever takes a segment must not change it.
"""

OPEN: Final = ["{"]
CLOSE: Final = ["}"]

MAX_NESTING: Final = 64
"""How deep files and expansions may nest."""

MAX_EXPANDED: Final = 2_000_000
"""How many lines definitions and sequences may make in total."""

MAX_KNOWN: Final = 1 << 16
"""How many different lines are remembered."""

_SPECIAL: Final = re.compile(r'[{}!#"@$~\\\r]|[^\t -\x7e]')
_SPECIAL_BUT_QUOTES: Final = re.compile(r"[{}!#@$~\\\r]|[^\t -\x7e]")
_INCLUDE: Final = re.compile(r"include([rmwba]?)[ \t\f\v]+(.*)\Z", re.DOTALL)
_LETTERS: Final = {
    "": Include.LENIENT,
    "r": Include.READABLE,
    "m": Include.READABLE | Include.MATCH,
    "w": Include.READABLE | Include.MATCH | Include.WILDCARD,
    "b": Include.READABLE | Include.BRACE,
    "a": Include.ALL,
}

Report = Callable[[Code, str, LineId, str], None]
"""``report(code, text, line, word)``: takes a diagnostic."""

_Pending = Iterator[tuple[str, LineId, dict[str, str] | None]]


class StrictIncludeError(Exception):
    """An include that must not fail has failed: the configuration is refused."""


class _Frame:
    """One file being read; `lines` yields each line with its place."""

    __slots__ = ("directory", "lines", "shown", "strict")

    def __init__(self, file: SourceFile, base: LineId, shown: str, strict: Include) -> None:
        self.lines = cast("Iterator[tuple[LineId, str]]", enumerate(file.lines, base + 1))
        self.directory = file.directory
        self.shown = shown
        self.strict = strict


def plain_segments(text: str) -> tuple[tuple[list[str], str], ...] | None:
    """Return the words of a line that means the same wherever it stands, none for a blank one; None when it needs a closer look."""
    match = _SPECIAL.search(text)
    if len(text) > MAX_LINE:
        return None
    if match is None:
        words = text.split()
        return None if words and words[0].startswith("include") else ((words, text),) if words else ()
    special, at = match.group(), match.start()
    head, tail = text[:at], text[at + 1 :]
    if special in "{}":
        words = head.split()
        if (tail and not tail.isspace()) or (words and (special == "}" or words[0].startswith("include"))):
            return None
        brace = (OPEN if special == "{" else CLOSE), text
        return ((words, head), brace) if words else (brace,)
    if special == '"' and not head.lstrip().startswith("include") and not _SPECIAL_BUT_QUOTES.search(tail):
        words, open_quote = split_words(text)
        return None if open_quote else ((words, text),)
    if special in "#!" and not head.strip() and tail.isascii() and "\0" not in tail:
        return ()
    return None


class LineReader:
    """Iterate over the segments of a configuration.

    `strict` is what every include is strict about; a keyword (`include_check`) may change it between two segments, which holds
    until the end of the file that changed it.  `open_quote` is the last line whose words end at a double quote that nothing closes,
    although backslashes make its quotes even: no mistake where the line is split again as a command.
    """

    def __init__(
        self,
        origins: Origins,
        report: Report,
        *,
        config_id: str,
        environment: Callable[[str], str | None],
        strict: Include = Include.LENIENT,
        opener: Callable[[str, str, str], Opened] = open_sources,
    ) -> None:
        self.strict = strict
        self.random_seed: int | None = None
        self.open_quote = LineId(-1)
        self._origins = origins
        self._report = report
        self._config_id = config_id
        self._opener = opener
        self._frames: list[_Frame] = []
        self._pending: list[_Pending] = []
        self._known: dict[str, tuple[tuple[list[str], str], ...]] = {}
        self._expanded = 0
        self._line = LineId(0)
        self._quote_line = LineId(-1)
        self._definitions = Definitions(
            built_ins(
                lambda: self._frames[-1].directory if self._frames else ".",
                config_id,
                environment,
                lambda: self.random_seed,
                lambda text: self._report(codes.BAD_DEFINITION_PARAMETER, text, self._line, ""),
            )
        )

    def segments(self, files: list[SourceFile]) -> Iterator[Segment]:
        """Yield the segments of `files`, read one after the other, with everything they include."""
        for file in files:
            self._push(file, "")
            while self._frames:
                yield from self._read_frame(self._frames[-1])

    def _read_frame(self, frame: _Frame) -> Iterator[Segment]:
        """Read the innermost file until it ends or another one is included."""
        known = self._known
        frames = self._frames
        for line, text in frame.lines:
            made = known.get(text)
            if made is None:
                made = plain_segments(text)
                if made is None:
                    yield from self._physical(text, line)
                    if frames[-1] is not frame:
                        return
                    continue
                if len(known) < MAX_KNOWN:
                    known[text] = made
            for words, part in made:
                yield words, part, line
        frames.pop()
        self.strict = frame.strict

    # Lines that need a closer look -----------------------------------------------------------------------------------------------

    def _physical(self, text: str, line: LineId) -> Iterator[Segment]:
        """Process a line as it stands in a file."""
        text = self._checked(text, line)
        if not text:
            return
        yield from self._logical(text, line)
        while self._pending:
            depth = len(self._frames)
            made = next(self._pending[-1], None)
            if made is None:
                self._pending.pop()
                continue
            text, at, bindings = made
            self._expanded += 1
            if self._expanded > MAX_EXPANDED or len(self._pending) > MAX_NESTING:
                self._report(codes.EXPANSION_TOO_DEEP, "definitions and sequences expand without end", at, "")
                self._pending.clear()
                return
            for name, value in (bindings or {}).items():
                self._definitions.set(name, Definition([value], at))
            yield from self._logical(text, at)
            if len(self._frames) > depth:
                yield from self._included(depth)

    def _included(self, depth: int) -> Iterator[Segment]:
        """Read files that an expansion included, before the expansion goes on."""
        pending, self._pending = self._pending, []
        while len(self._frames) > depth:
            yield from self._read_frame(self._frames[-1])
        self._pending = pending

    def _checked(self, text: str, line: LineId) -> str:
        """Drop what no line may hold; strip the comment and the end of line."""
        if len(text) > MAX_LINE // 4 and len(text.encode("utf-8", "surrogateescape")) > MAX_LINE:
            self._report(codes.LINE_TOO_LONG, f"the line is longer than {MAX_LINE} bytes and is ignored", line, "")
            return ""
        if "\0" in text:
            self._report(codes.EMBEDDED_NUL, "the line holds a NUL byte and is ignored", line, "")
            return ""
        return self._stripped(text, line)

    def _stripped(self, text: str, line: LineId) -> str:
        return strip_comment(text, lambda: self._unmatched(line))

    def _unmatched(self, line: LineId) -> None:
        """Report an open quote, once for each line, although every step of reading it may find it."""
        if line != self._quote_line:
            self._quote_line = line
            self._report(codes.UNMATCHED_QUOTE, "a double quote is not closed", line, '"')

    def _logical(self, text: str, line: LineId) -> Iterator[Segment]:
        """Process one line after comments: condition, definition, sequence, replacement; then cut it at braces."""
        self._line = line
        prepared = self._prepare(text, line)
        while prepared is not None:
            text, line = prepared
            if text.startswith("include") and self._include(text, line):
                return
            at = find_brace(text)
            if at < 0:
                yield from self._words(text, line)
                return
            if at > 0:
                head, text = text[:at].rstrip(" \t"), text[at:]
                if head:
                    yield from self._words(head, line)
            yield (OPEN if text[0] == "{" else CLOSE), text[0], line
            text = text[1:].lstrip(" \t")
            prepared = self._prepare(text, line) if text else None

    def _prepare(self, text: str, line: LineId) -> tuple[str, LineId] | None:
        """Return the line as it is to be cut into words; None when nothing of it is left to read now."""
        for _ in range(MAX_NESTING):
            if text.startswith("@"):
                text = self._conditional(text)
            if not text:
                return None
            if text[0] == "$" and (defined := match_definition(text)):
                self._define(*defined, line)
                return None
            if text.startswith(("~SEQ", "~LST")):
                self._sequence(text, line)
                return None
            if "$" not in text:
                return text, line
            expanded = self._expand(text, line)
            if expanded is None or not expanded.names:
                return text, line
            note = self._note(expanded.names)
            references = tuple(text for name in expanded.names for text in (f"${name}", f"${{{name}}}"))
            line = self._origins.add_expansion(line, expanded.text, note, references)
            if expanded.rest:
                self._push_lines(expanded.rest, line, self._note([expanded.rest_name]))
            text = self._stripped(expanded.text, line)
            if not text:
                return None
            if text[0] not in "@~" and "$" not in text:
                return text, line
        self._report(codes.EXPANSION_TOO_DEEP, "definitions expand without end", line, "")
        return None

    def _conditional(self, text: str) -> str:
        """Return what ``@id text`` or ``@^id text`` leaves for this configuration id."""
        negate = text.startswith("@^")
        wanted, _, rest = text[2 if negate else 1 :].replace("\t", " ").partition(" ")
        if not rest.strip(" "):
            return ""
        keep = (wanted == self._config_id) != negate
        blanks = len(text) - len(text.lstrip("@^")) + len(wanted)
        return text[blanks:].lstrip(" \t") if keep else ""

    def _define(self, name: str, value: str, line: LineId) -> None:
        """Store a definition, reading its further lines when it ends in a backslash."""
        if not value.endswith("\\"):
            self._definitions.set(name, Definition([value], line))
            return
        lines = [value[:-1].rstrip(" \t")]
        for following in self._following_lines():
            more = following.endswith("\\")
            lines.append(following[:-1].rstrip(" \t") if more else following)
            if not more:
                break
        lines = [text for text in lines if text]
        self._definitions.set(name, Definition(lines or [""], line, multiline=True))

    def _following_lines(self) -> Iterator[str]:
        """Yield the lines after the current one, from where the current one came, with comments removed.

        A line that holds nothing but a comment counts as an empty one: so it is where the reference reads its own copy of the text.
        """
        while self._pending:
            made = next(self._pending[-1], None)
            if made is None:
                self._pending.pop()
            else:
                self._line = made[1]
                yield made[0]
        for line, text in self._frames[-1].lines:
            self._line = line
            yield self._checked(text, line)

    def _sequence(self, text: str, line: LineId) -> None:
        try:
            sequence = parse_sequence(text, lambda numbers: self._definitions.expand(numbers).text)
        except (MacroError, ExpansionTooLong) as error:
            self._report(codes.BAD_SEQUENCE, str(error), line, text[:4])
            return
        self._pending.append(self._repeat(sequence, line))

    def _repeat(self, sequence: Sequence, line: LineId) -> _Pending:
        for bindings in sequence.bindings():
            shown = ", ".join(f"${name}={value}" for name, value in bindings.items())
            yield sequence.template, self._origins.add_expansion(line, sequence.template, f"in a sequence, with {shown}"), bindings

    def _expand(self, text: str, line: LineId) -> Expanded | None:
        try:
            return self._definitions.expand(text)
        except ExpansionTooLong:
            self._report(codes.EXPANSION_TOO_LONG, f"replacing definitions would exceed {MAX_LINE} bytes", line, "")
        except MacroError as error:
            self._report(codes.BAD_DEFINITION_PARAMETER, str(error), line, "")
        return None

    def _note(self, names: list[str]) -> str:
        """Say where the definitions that made a line are defined."""
        notes = []
        for name in dict.fromkeys(names):
            known = self._definitions.get(name)
            place = self._origins.place(known.defined_at) if isinstance(known, Definition) else None
            notes.append(f"${name}, defined at {place.file}:{place.line}" if place else f"${{{name}}}")
        return "in expansion of " + " and ".join(notes)

    def _push_lines(self, lines: list[str], used_at: LineId, note: str) -> None:
        self._pending.append((text, self._origins.add_expansion(used_at, text, note), None) for text in lines)

    # Words and includes -----------------------------------------------------------------------------------------------------------

    def _words(self, text: str, line: LineId) -> Iterator[Segment]:
        words, unmatched = split_words(text) if text.isascii() else self._split_any(text)
        if unmatched and line != self._quote_line:
            self.open_quote = line
        if words:
            yield words, text, line

    @staticmethod
    def _split_any(text: str) -> tuple[list[str], bool]:
        """Split text with bytes that Python, unlike the C library, would take for blanks."""
        if '"' in text:
            return split_words(text)
        return [word for word in re.split(r"[ \t\f\n\r\v]+", text) if word], False

    def _include(self, text: str, line: LineId) -> bool:
        """Open what an include line names; return whether it is one.  The rest of the line is the name, blanks and all."""
        match = _INCLUDE.match(text)
        if match is None:
            return False
        letter, name = match.groups()
        strict = self.strict | _LETTERS[letter]
        frame = self._frames[-1]
        if len(self._frames) >= MAX_NESTING:
            self._report(codes.INCLUDE_TOO_DEEP, f"includes nest deeper than {MAX_NESTING}", line, name)
            check = Include.MATCH if any(char in name for char in "*?[") else Include.READABLE
            opened = Opened((), (Problem(check, f"{name} is not read"),))
        else:
            opened = self._opener(name, frame.directory, frame.shown)
        for problem in opened.problems:
            fatal = bool(problem.check & strict)
            self._report(codes.STRICT_INCLUDE if fatal else codes.FILE_NOT_READ, problem.text, line, name)
            if fatal:
                raise StrictIncludeError(problem.text)
        for file in reversed(opened.files):
            self._push(file, file.name.rpartition("/")[0])
        return True

    def _push(self, file: SourceFile, shown: str) -> None:
        self._frames.append(_Frame(file, self._origins.add_file(file), shown, self.strict))
