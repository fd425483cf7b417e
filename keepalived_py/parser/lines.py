"""Lines that are words with values, such as ``192.0.2.1/24 dev eth0 scope link``, declared as tables.

A `LineGrammar` is all there is to know of one kind of line.  It is read by one loop over the words, because such lines come in
thousands; its syntax for the manual and its writing come from the same table, and so does the pyparsing grammar of `grammars`,
which is asked only about lines that are wrong, for what could have stood there.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from keepalived_py.addresses import Address
from keepalived_py.parser import codes
from keepalived_py.parser.diagnostics import Code
from keepalived_py.parser.kinds import parse_address, parse_integer
from keepalived_py.parser.reading import Reading, UnusableError, did_you_mean
from keepalived_py.parser.schema import Refused

_WORD: Final = r"\S+"


class Cursor:
    """A line while it is read: where reading is, and what it has found, by field."""

    __slots__ = ("at", "family", "reading", "strict", "values", "words")

    def __init__(self, words: list[str], reading: Reading, *, strict: bool) -> None:
        self.words = words
        self.reading = reading
        self.strict = strict
        self.at = 0
        self.family: int | None = None
        self.values: dict[str, Any] = {}

    def take(self) -> str:
        """Step to the next word and return it.

        Where it is missing, a strict line stops the reading of the whole file (status 2), another one is dropped.
        """
        self.at += 1
        if self.at < len(self.words):
            return self.words[self.at]
        before = self.words[self.at - 1]
        if self.strict:
            self.reading.complain(codes.MISSING_PARAMETER, f"{before} needs a value", self.at - 1)
            raise UnusableError(before)
        raise Refused(codes.WORD_MISSING, f"{before} needs a value; the line is ignored", self.at - 1)

    def peek(self) -> str:
        """Return the next word without stepping there, empty at the end of the line."""
        return self.words[self.at + 1] if self.at + 1 < len(self.words) else ""

    def refuse(self, code: Code, text: str, hint: str = "") -> Refused:
        """Return a refusal of the word that reading is at."""
        return Refused(code, text, min(self.at, len(self.words) - 1), hint)

    def complain(self, code: Code, text: str, hint: str = "") -> None:
        """Report something about the word that reading is at, and go on."""
        self.reading.complain(code, text, self.at, hint)


@dataclass(frozen=True, slots=True)
class Term:
    """The type of one word: how it is read (raising `Refused`), written and described; `pattern` says what it looks like."""

    syntax: str
    read: Callable[[str, Cursor], Any]
    write: Callable[[Any], str] = str
    pattern: str = _WORD


@dataclass(frozen=True, slots=True)
class Option:
    """One word of a line and what follows it.

    `names`: the word and its aliases; without any, `term` stands for itself.  `prefixes`: words that may come before the value.
    `into`: field of the model, dotted for a nested one.  `value`: what a word without a value means.  `apply` replaces the plain
    reading of the value; `show` writes from the value of the field, returning None to leave the option out.  `choices`: words that
    each have a grammar of their own; `inner`: options that follow.
    """

    names: tuple[str, ...]
    term: Term | None = None
    into: str = ""
    doc: str = ""
    value: Any = True
    prefixes: tuple[str, ...] = ()
    apply: "Callable[[Cursor, Option], None] | None" = None
    show: Callable[[Any], str | None] | None = None
    choices: "tuple[tuple[str, Term | tuple[Option, ...]], ...]" = ()
    inner: "tuple[Option, ...]" = ()

    @property
    def syntax(self) -> str:
        """The option as the manual shows it."""
        parts = ["|".join(self.names)] if self.names else []
        parts += [f"[{'|'.join(self.prefixes)}]"] if self.prefixes else []
        parts += [self.term.syntax] if self.term else []
        if self.choices:
            parts.append(" | ".join(f"{word} {_choice_syntax(choice)}" for word, choice in self.choices))
        if self.inner:
            parts.append(f"[{' '.join(option.syntax for option in self.inner)}]")
        return " ".join(parts)

    def read(self, cursor: Cursor) -> None:
        """Read the value that belongs to the word under the cursor, which is left on the last word read."""
        if self.apply is not None:
            self.apply(cursor, self)
        elif self.term is None:
            cursor.values[self.into] = self.value
        else:
            cursor.values[self.into] = self.term.read(cursor.take(), cursor)

    def written(self, value: Any) -> str | None:
        """Return the words that give a field's value back; None when there is nothing to write."""
        if self.show is not None:
            return self.show(value)
        name = self.names[0]
        if self.term is None:
            return name if value == self.value else None
        return None if value is None else f"{name} {self.term.write(value)}"


def _choice_syntax(choice: "Term | tuple[Option, ...]") -> str:
    return choice.syntax if isinstance(choice, Term) else " ".join(f"[{option.syntax}]" for option in choice)


@dataclass(frozen=True, eq=False)
class LineGrammar:
    """A kind of line: an optional `head`, then options in any order; `rest` takes words that are no option.

    `strict`: an option without its value stops the reading of the file.  Without `rest`, an unknown word is reported with `unknown`
    and passed over.
    """

    name: str
    options: tuple[Option, ...]
    head: Term | None = None
    rest: Option | None = None
    strict: bool = False
    table: dict[str, Option] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.table.update((name, option) for option in self.options for name in option.names)

    @property
    def syntax(self) -> str:
        """The line as the manual shows it."""
        parts = [self.head.syntax] if self.head else []
        parts += [self.rest.syntax] if self.rest else []
        return " ".join([*parts, *(f"[{option.syntax}]" for option in self.options)])

    def cursor(self, words: list[str], reading: Reading) -> Cursor:
        """Start reading a line; the cursor is left before the first option."""
        cursor = Cursor(words, reading, strict=self.strict)
        if self.head is None:
            cursor.at = -1
        return cursor

    def read_options(self, cursor: Cursor) -> None:
        """Read options up to the end of the line."""
        words, table = cursor.words, self.table
        cursor.at += 1
        while cursor.at < len(words):
            option = table.get(words[cursor.at]) or self.rest
            if option is not None:
                option.read(cursor)
            else:
                word = words[cursor.at]
                hint = did_you_mean(word, table) or self.hint(cursor.reading, words, cursor.at)
                cursor.complain(codes.LINE_WORD, f"{word!r} is no option of a line of {self.name}; it is ignored", hint)
            cursor.at += 1

    def hint(self, reading: Reading, words: list[str], index: int) -> str:
        """Return what could have stood at a word, by the pyparsing grammar; empty when that has nothing to add."""
        if reading.hints_left <= 0:
            return ""
        reading.hints_left -= 1
        from keepalived_py.parser.grammars import expected

        found = expected(self, words)
        return f"expected {found[1]}" if found is not None and found[0] == index else ""

    def explained(self, refusal: Refused, cursor: Cursor) -> Refused:
        """Add a hint to a refusal that has none."""
        if not refusal.hint:
            refusal.hint = self.hint(cursor.reading, cursor.words, refusal.word)
        return refusal

    def write(self, value: Any, default: Any) -> list[str]:
        """Return the words of all options whose fields in `value` differ from those of `default`."""
        words = []
        for option in self.options:
            if not option.into:
                continue
            item = attribute(value, option.into)
            if item != attribute(default, option.into) or option.show is not None:
                text = option.written(item)
                if text:
                    words.append(text)
        return words


def attribute(value: Any, path: str) -> Any:
    """Return an attribute by its dotted path."""
    for name in path.split("."):
        value = getattr(value, name)
    return value


# Types of words -------------------------------------------------------------------------------------------------------------------


def _read_address(word: str, cursor: Cursor) -> Address:
    return parse_address(word, cursor.at)


ADDRESS: Final = Term("ADDR", _read_address, pattern=r"[0-9A-Fa-f.:]+")


def read_interface(word: str, cursor: Cursor) -> str:
    """Return the name of an interface that exists, or may come later."""
    if cursor.reading.lacks_interface(word):
        raise cursor.refuse(codes.INTERFACE_UNKNOWN, f"there is no interface {word}; the line is ignored")
    return word


INTERFACE: Final = Term("IFNAME", read_interface)
TEXT: Final = Term("WORD", lambda word, _: word)


def unsigned(high: int, low: int = 0) -> Term:
    """Return the type of a decimal number in `low`..`high`."""

    def read(word: str, cursor: Cursor) -> int:
        return parse_integer(word, low, high, cursor.reading, cursor.at, lenient=False)

    return Term(f"INT[{low}..{high}]", read, pattern=r"\+?[0-9]+")


_C_NUMBER: Final = re.compile(r"[ \t]*([-+]?)(0[xX][0-9A-Fa-f]+|[0-9]+)\Z")


_LARGEST: Final = (1 << 64) - 1


def c_number(word: str) -> int | None:
    """Read a number as C writes it (decimal, 0x hexadecimal, 0 octal), at most 64 bits of it; None for anything else."""
    match = _C_NUMBER.match(word)
    if match is None or len(word) > 40:
        return None
    sign, digits = match.groups()
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits[0] == "0" else 10
    try:
        number = int(digits, base)
    except ValueError:
        return None
    number = min(number, _LARGEST)
    return -number if sign == "-" else number


def any_base(high: int, what: str) -> Term:
    """Return the type of a number in any of C's notations, up to `high`."""

    def read(word: str, cursor: Cursor) -> int:
        number = c_number(word)
        if number is None:
            raise cursor.refuse(codes.BAD_NUMBER, f"{word!r} is not a {what}")
        if not 0 <= number <= high:
            raise cursor.refuse(codes.OUT_OF_RANGE, f"{what} {word} is outside 0..{high}")
        return number

    return Term(f"INT[0..{high}]", read, pattern=r"[0-9][0-9A-Fa-fxX]*")


def one_of(values: dict[str, Any], what: str) -> Term:
    """Return the type of a word out of a few."""

    def read(word: str, cursor: Cursor) -> Any:
        if word not in values:
            raise cursor.refuse(codes.BAD_WORD, f"{word!r} is no {what}", did_you_mean(word, values))
        return values[word]

    def write(value: Any) -> str:
        return next(name for name, meaning in values.items() if meaning == value)

    return Term("|".join(values), read, write, "|".join(map(re.escape, values)))


def join(words: Iterable[str | None]) -> str:
    """Join the words of a line, leaving out what is None."""
    return " ".join(word for word in words if word)
