"""Definitions, built-ins and sequences: what turns one line of text into other lines.

``$NAME=value`` stores text that is expanded where it is used, not where it is defined; ``~SEQ`` and ``~LST`` repeat one line.
Pure: lines come in and go out as strings, the reader decides where they come from.
"""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from keepalived_py.parser.origins import NOWHERE, LineId
from keepalived_py.parser.source import MAX_LINE

_DEFINE: Final = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)=[ \t]*(.*)\Z", re.DOTALL)
_REFERENCE: Final = re.compile(
    r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)((?:[ \t]+[A-Za-z0-9_]+)*)\}|([A-Za-z_][A-Za-z0-9_]*)(?=[ \t,)]|\Z))"
)
MAX_REPLACEMENTS: Final = 4096
"""Replacements in one line after which it counts as recursive, should it never grow too long."""


@dataclass(slots=True)
class Definition:
    """The text of a definition: one line, or several for a multi-line one."""

    lines: list[str]
    defined_at: LineId = NOWHERE
    multiline: bool = False


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A definition computed when it is used; `low`..`high` parameters, all numbers if `numeric`."""

    value: Callable[[list[str]], str]
    low: int = 0
    high: int = 0
    numeric: bool = False


class MacroError(ValueError):
    """Parameters of a built-in, or a sequence, that make no sense."""


class ExpansionTooLong(ValueError):
    """The line would outgrow the longest line allowed."""


@dataclass(slots=True)
class Expanded:
    """A line after replacement: `text`, the further lines of a multi-line definition, and the names that took part."""

    text: str
    rest: list[str] = field(default_factory=list)
    rest_name: str = ""
    names: list[str] = field(default_factory=list)


class Definitions:
    """The definitions in force, and the replacement of references to them."""

    def __init__(self, built_ins: dict[str, BuiltIn]) -> None:
        self._known: dict[str, Definition | BuiltIn] = dict(built_ins)

    def set(self, name: str, definition: Definition) -> None:
        """Define or redefine; a built-in may be overridden."""
        self._known[name] = definition

    def get(self, name: str) -> Definition | BuiltIn | None:
        """Return the definition in force."""
        return self._known.get(name)

    def expand(self, text: str) -> Expanded:
        """Replace references from left to right; replaced text is looked at again, so that late binding works.

        Replacing stops at a value that starts with ``~``: the sequence sees the rest.  A multi-line definition is replaced only
        as the last thing on the line, by its first line; its other lines are returned.
        """
        done = Expanded(text)
        position = 0
        for _ in range(MAX_REPLACEMENTS):
            match = _REFERENCE.search(done.text, position)
            if match is None:
                return done
            value = self._value(match, done)
            if value is None:
                position = match.start() + 1
                continue
            done.text = done.text[: match.start()] + value + done.text[match.end() :]
            if len(done.text) > MAX_LINE:
                raise ExpansionTooLong(match.group())
            position = match.start()
            if value.lstrip(" \t").startswith("~"):
                return done
        raise ExpansionTooLong(text)

    def _value(self, match: re.Match[str], done: Expanded) -> str | None:
        name, parameters = match.group(1) or match.group(3), (match.group(2) or "").split()
        known = self._known.get(name)
        if known is None:
            return None
        if isinstance(known, BuiltIn):
            value = _call(name, known, parameters)
            done.names.append(name)
            return value
        if parameters or (known.multiline and match.end() != len(done.text)):
            return None
        done.names.append(name)
        if known.multiline:
            done.rest = known.lines[1:] + done.rest
            done.rest_name = name
        return known.lines[0] if known.lines else ""


def _call(name: str, built_in: BuiltIn, parameters: list[str]) -> str:
    if built_in.numeric and not all(word.isdecimal() for word in parameters):
        raise MacroError(f"${{{name}}} takes numbers only")
    if not built_in.low <= len(parameters) <= built_in.high:
        wanted = str(built_in.low) if built_in.low == built_in.high else f"{built_in.low} to {built_in.high}"
        raise MacroError(f"${{{name}}} takes {wanted} parameters, not {len(parameters)}")
    return built_in.value(parameters)


def built_ins(
    directory: Callable[[], str],
    instance: str,
    environment: Callable[[str], str | None],
    seed: Callable[[], int | None],
    complain: Callable[[str], None],
) -> dict[str, BuiltIn]:
    """Return ``_PWD``, ``_INSTANCE``, ``_RANDOM``, ``_ENV``, ``_HASH`` and ``_BANG``.

    `seed` is asked at the first use of ``_RANDOM``; `complain` takes what is reported without stopping the expansion.
    """
    generator: list[random.Random] = []

    def pick(parameters: list[str]) -> str:
        if not generator:
            generator.append(random.Random(seed()))  # noqa: S311  (not for secrets; the user may want it to repeat)
        low = int(parameters[0]) if parameters else 0
        high = int(parameters[1]) if len(parameters) > 1 else max(low, 32767)
        if low > high:
            complain(f"${{_RANDOM}}: minimum {low} is above maximum {high}, which is ignored")
            high = low
        return str(generator[0].randint(low, high))

    return {
        "_PWD": BuiltIn(lambda _: directory()),
        "_INSTANCE": BuiltIn(lambda _: instance),
        "_RANDOM": BuiltIn(pick, 0, 2, numeric=True),
        "_ENV": BuiltIn(lambda parameters: environment(parameters[0]) or "", 1, 1),
        "_HASH": BuiltIn(lambda _: "#"),
        "_BANG": BuiltIn(lambda _: "!"),
    }


def match_definition(text: str) -> tuple[str, str] | None:
    """Return name and value when the line is ``$NAME=value``; a value that ends in a backslash goes on in the next line."""
    match = _DEFINE.match(text)
    return (match.group(1), match.group(2)) if match else None


# Sequences ---------------------------------------------------------------------------------------------------------------------

_SEQUENCE: Final = re.compile(r"~SEQ(x?)[ \t]*\([ \t]*([^ \t,){][^ \t,)]*)[ \t]*,([^)]*)\)[ \t]*(.*)\Z", re.DOTALL)
_LIST_HEAD: Final = re.compile(r"~LST[ \t]*\([ \t]*(\{[^{}]*\}|[^ \t,{})]+)[ \t]*,[ \t]*")
_LIST_VALUE: Final = re.compile(r"(\{[^{}]*\}|[^ \t,{})]*)[ \t]*([,)])[ \t]*")
_NUMBER: Final = re.compile(r"[ \t]*[-+]?(0[xX][0-9A-Fa-f]+|[0-9]+)?[ \t]*\Z")


MAX_SEQUENCE: Final = 100_000
"""How many lines one ``~SEQ`` may make."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """What a ``~SEQ`` or ``~LST`` prefix asks for: a line to repeat, and one set of bindings for each time."""

    template: str
    bindings: Callable[[], Iterator[dict[str, str]]]


def parse_sequence(text: str, expand: Callable[[str], str]) -> Sequence:
    """Read a sequence prefix; `expand` replaces definitions inside the numbers.  Raise `MacroError` for a malformed one."""
    return _parse_seq(text, expand) if text.startswith("~SEQ") else _parse_lst(text)


def _parse_seq(text: str, expand: Callable[[str], str]) -> Sequence:
    match = _SEQUENCE.match(text)
    if match is None:
        raise MacroError("malformed ~SEQ: ~SEQ(name, [start, [step,]] end) is expected")
    hexadecimal, name, numbers, template = match.groups()
    values = [_integer(part) for part in expand(numbers).split(",")]
    if len(values) == 1:
        end = values[0]
        start, step = (-1 if end < 0 else 1), (-1 if end < 1 else 1)
    elif len(values) == 2:
        start, end = values
        step = 1 if start <= end else -1
    elif len(values) == 3:
        start, step, end = values
    else:
        raise MacroError("~SEQ takes one to three numbers")
    if not step or (start < end and step < 0) or (start > end and step > 0):
        raise MacroError(f"~SEQ never gets from {start} to {end} in steps of {step}")
    if hexadecimal and (start < 0 or end < 0):
        raise MacroError("~SEQx counts positive numbers only")
    style = "x" if hexadecimal else "d"
    span = range(start, end + (1 if step > 0 else -1), step)
    if len(span[: MAX_SEQUENCE + 1]) > MAX_SEQUENCE:
        raise MacroError(f"~SEQ would make more than {MAX_SEQUENCE} lines")
    return Sequence(template, lambda: ({name: format(number, style)} for number in span))


def _integer(text: str) -> int:
    match = _NUMBER.match(text)
    if match is None:
        raise MacroError(f"~SEQ: {text.strip() or 'nothing'} is not a number")
    digits = text.strip()
    if not digits:
        return 0
    magnitude = digits.lstrip("+-")
    base = 16 if magnitude[:2] in ("0x", "0X") else 8 if magnitude.startswith("0") and magnitude.isdecimal() else 10
    try:
        return int(digits, base)
    except ValueError:
        raise MacroError(f"~SEQ: {digits} is not a number") from None


def _items(word: str) -> list[str]:
    return [part.strip(" \t") for part in word[1:-1].split(",")] if word.startswith("{") else [word]


def _parse_lst(text: str) -> Sequence:
    head = _LIST_HEAD.match(text)
    if head is None:
        raise MacroError("malformed ~LST: ~LST(name, value, ...) is expected")
    names = _items(head.group(1))
    rows: list[dict[str, str]] = []
    position = head.end()
    while True:
        match = _LIST_VALUE.match(text, position)
        if match is None:
            raise MacroError("malformed ~LST: a value, then a comma or a closing bracket, is expected")
        values = _items(match.group(1))
        if len(values) > len(names):
            raise MacroError(f"~LST has {len(values)} values for {len(names)} names")
        rows.append(dict(zip(names, values + [""] * (len(names) - len(values)), strict=True)))
        position = match.end()
        if match.group(2) == ")":
            return Sequence(text[position:], lambda: iter(rows))
