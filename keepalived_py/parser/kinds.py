"""Types of values: how the words after a keyword are read, checked, written back and described.

Kinds are values themselves, declared once per keyword.  Grammars of a single line that go beyond a few words (address ranges,
routes) have files of their own.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from keepalived_py.addresses import Address
from keepalived_py.parser import codes
from keepalived_py.parser.diagnostics import Code
from keepalived_py.parser.reading import Reading, did_you_mean
from keepalived_py.parser.schema import Refused
from keepalived_py.units import MICRO_PER_SECOND, Micro, seconds_text

UINT_MAX: Final = 0xFFFFFFFF
LONGEST_SPAN: Final = (1 << 64) - 2
"""Longest span in microseconds where a keyword sets no limit of its own (as the reference)."""

_INTEGER: Final = re.compile(r"[ \t]*([-+]?[0-9]+)\Z")
_INTEGER_PREFIX: Final = re.compile(r"[ \t]*([-+]?[0-9]+)")
_DECIMAL: Final = re.compile(r"[ \t]*\+?([0-9]*)(?:\.([0-9]*))?\Z")


def quoted(word: str) -> str:
    """Write a word so that it is read back as one."""
    return f'"{word}"' if not word or re.search(r'[\s{}!#"]', word) or word.startswith(("@", "$", "~")) else word


def digits(word: str, longest: int) -> bool:
    """Whether a word is nothing but ASCII digits, at most `longest`: the common case, which needs no pattern."""
    return len(word) <= longest and word.isdecimal() and word.isascii()


def parse_integer(word: str, low: int, high: int, reading: Reading, index: int = 1, *, lenient: bool = True) -> int:
    """Read a decimal integer in `low`..`high`; raise `Refused` for anything else.

    Outside of a test a number with trailing garbage is reported and its prefix used, where the keyword is lenient.
    """
    match = _INTEGER.match(word)
    if match is None:
        prefix = _INTEGER_PREFIX.match(word)
        if not word:
            number = 0
        elif prefix and lenient and not reading.testing and low <= int(prefix.group(1)) <= high:
            reading.complain(codes.BAD_NUMBER, f"{word!r} is not a number; {prefix.group(1)} is used", index)
            return int(prefix.group(1))
        else:
            raise Refused(codes.BAD_NUMBER, f"{word!r} is not a whole number", index)
    else:
        number = int(match.group(1)) if len(word) < 40 else high + 1
    if not low <= number <= high:
        raise Refused(codes.OUT_OF_RANGE, f"{word} is outside {_interval(low, high)}", index)
    return number


def _interval(low: int, high: int) -> str:
    return f"{low}..{high}" if high < UINT_MAX else f"{low}.."


@dataclass(frozen=True, slots=True)
class Flag:
    """A word that stands alone; surplus words are ignored."""

    pure: ClassVar[bool] = True
    value: Any = True
    syntax: str = ""

    def read(self, words: list[str], reading: Reading) -> Any:
        """Return the value that the word stands for."""
        return self.value

    def write(self, value: Any) -> str | None:
        """Return nothing, or leave the keyword out when the value is another one."""
        return "" if value == self.value else None


_TRUE: Final = frozenset({"true", "on", "yes"})
_FALSE: Final = frozenset({"false", "off", "no"})


@dataclass(frozen=True, slots=True)
class Boolean:
    """``[true|on|yes|false|off|no]``; the bare keyword means true."""

    pure: ClassVar[bool] = True
    code: Code = codes.BAD_BOOLEAN
    syntax: str = "[BOOL]"

    def read(self, words: list[str], reading: Reading) -> bool:
        """Return the truth value."""
        if len(words) < 2:
            return True
        word = words[1]
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise Refused(self.code, f"{word!r} is not one of true, on, yes, false, off, no")

    def write(self, value: Any) -> str | None:
        """Return the word; None (not configured) leaves the keyword out."""
        return None if value is None else "true" if value else "false"


@dataclass(frozen=True, slots=True)
class Integer:
    """A decimal integer in a range.  `bare`: value of the keyword alone.  `clamp`: out of range, take the nearest and report.

    `otherwise` replaces a refused value.  `lenient`: outside of a test, trailing garbage is only reported.
    """

    pure: ClassVar[bool] = True
    low: int = 0
    high: int = UINT_MAX
    bare: int | None = None
    clamp: bool = False
    otherwise: int | None = None
    lenient: bool = True
    unit: str = ""

    @property
    def syntax(self) -> str:
        """``INT[low..high]``, in brackets when it may be left out."""
        text = f"INT[{_interval(self.low, self.high)}]"
        return f"[{text}]" if self.bare is not None else text

    def read(self, words: list[str], reading: Reading) -> int:
        """Return the number."""
        if len(words) < 2 and self.bare is not None:
            return self.bare
        word = words[1] if len(words) > 1 else reading.argument(words, 1)
        if digits(word, 11) and self.low <= (number := int(word)) <= self.high:
            return number
        try:
            return parse_integer(word, self.low, self.high, reading, lenient=self.lenient)
        except Refused as refusal:
            if self.clamp and refusal.code is codes.OUT_OF_RANGE:
                nearest = self.low if word.lstrip().startswith("-") or _magnitude(word) < self.low else self.high
                reading.complain(codes.CLAMPED, f"{word} is outside {_interval(self.low, self.high)}; {nearest} is used")
                return nearest
            if self.otherwise is None:
                raise
            reading.complain(refusal.code, f"{refusal.text}; {self.otherwise} is used")
            return self.otherwise

    def write(self, value: Any) -> str | None:
        """Return the digits; None, or a number that cannot be read back, leaves the keyword out."""
        return str(value) if value is not None and self.low <= value <= self.high else None


def _magnitude(word: str) -> int:
    match = _INTEGER.match(word)
    return int(match.group(1)) if match and len(word) < 40 else UINT_MAX


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds with at most `places` decimals, kept as `Micro`; `low` and `high` are microseconds."""

    pure: ClassVar[bool] = True
    low: int = 0
    high: int = LONGEST_SPAN
    places: int = 6
    zero_is: int | None = None

    @property
    def syntax(self) -> str:
        """``SECS[low..high]``."""
        high = seconds_text(Micro(self.high)) if self.high < LONGEST_SPAN else ""
        return f"SECS[{seconds_text(Micro(self.low))}..{high}]"

    def read(self, words: list[str], reading: Reading) -> Micro:
        """Return microseconds."""
        word = words[1] if len(words) > 1 else reading.argument(words, 1)
        span = int(word) * MICRO_PER_SECOND if digits(word, 6) else self.parse(word, reading)
        if self.low <= span <= self.high:
            return Micro(span)
        if span == 0 and self.zero_is is not None:
            reading.complain(codes.CLAMPED, f"{words[0]} 0 makes no sense; {seconds_text(Micro(self.zero_is))} is used")
            return Micro(self.zero_is)
        raise Refused(codes.OUT_OF_RANGE, f"{word} is outside {self.syntax[4:]} seconds")

    def parse(self, word: str, reading: Reading, index: int = 1) -> int:
        """Return microseconds without a range check; raise `Refused` for what is no decimal number.

        More decimals than the keyword has are reported and rounded.
        """
        match = _DECIMAL.match(word)
        if match is None or len(word) > 40:
            prefix = re.match(r"[ \t]*([0-9]+(?:\.[0-9]*)?)", word)
            if prefix and not reading.testing and len(word) <= 40:
                reading.complain(codes.BAD_NUMBER, f"{word!r} is not a number of seconds; {prefix.group(1)} is used", index)
                return self.parse(prefix.group(1), reading, index)
            raise Refused(codes.BAD_NUMBER, f"{word!r} is not a number of seconds", index)
        whole, part = match.group(1) or "0", match.group(2) or ""
        span = int(whole) * MICRO_PER_SECOND + int(part[: self.places].ljust(6, "0"))
        if len(part) > self.places:
            span += 10 ** (6 - self.places) if part[self.places] >= "5" else 0
            text = f"{word} has more than {self.places} decimals; {seconds_text(Micro(span))} is used"
            reading.complain(codes.BAD_NUMBER, text, index)
        return span

    def write(self, value: Any) -> str | None:
        """Return seconds; None, or a span that cannot be read back, leaves the keyword out."""
        return seconds_text(value) if value is not None and self.low <= value <= self.high else None


@dataclass(frozen=True, slots=True)
class Word:
    """One word.

    `optional`: may be left out, and is then `bare`.  `limit`: longest length, beyond which it is cut and reported.  `exactly`: a
    further word is refused.  `filled`: an empty word is refused.
    """

    pure: ClassVar[bool] = True
    name: str = "WORD"
    optional: bool = False
    bare: str = ""
    limit: int = 0
    exactly: bool = False
    filled: bool = False
    missing: Code | None = None
    """Reported (and the line ignored) when the word is missing; None: reading stops at once, as for most keywords."""

    @property
    def syntax(self) -> str:
        """The name of the word, in brackets when it may be left out."""
        return f"[{self.name}]" if self.optional else self.name

    def read(self, words: list[str], reading: Reading) -> str:
        """Return the word."""
        if len(words) < 2:
            if self.optional:
                return self.bare
            if self.missing is not None:
                raise Refused(self.missing, f"{words[0]} needs a word", 0)
        word = words[1] if len(words) > 1 else reading.argument(words, 1)
        if self.exactly and len(words) > 2:
            raise Refused(codes.EXTRA_WORDS, f"{words[0]} takes one word", 2)
        if self.filled and not word:
            raise Refused(codes.BAD_VALUE, f"{words[0]} takes a word that is not empty")
        if self.limit and len(word) > self.limit:
            reading.complain(codes.TOO_LONG, f"{word!r} is longer than {self.limit} characters and is cut")
            return word[: self.limit]
        return word

    def write(self, value: Any) -> str | None:
        """Return the word, quoted where it must be; None leaves the keyword out."""
        if value is None:
            return None
        return "" if self.optional and value == self.bare else quoted(value)


LONGEST_INTERFACE: Final = 15
"""Bytes in the name of a network interface (``IFNAMSIZ`` without its NUL)."""


@dataclass(frozen=True, slots=True)
class InterfaceName:
    """The name of a network interface, which need not exist; one that the kernel could not have is refused."""

    pure: ClassVar[bool] = True
    syntax: str = "IFNAME"

    def read(self, words: list[str], reading: Reading) -> str:
        """Return the name."""
        word = reading.argument(words, 1)
        if len(word) > LONGEST_INTERFACE:
            raise Refused(codes.BAD_VALUE, f"{word!r} is longer than {LONGEST_INTERFACE} characters and no interface name")
        return word

    def write(self, value: str | None) -> str | None:
        """Return the name; None leaves the keyword out."""
        return None if value is None else quoted(value)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words.  `values` maps what is written to what it means; `fold`: case does not matter."""

    pure: ClassVar[bool] = True
    values: dict[str, Any]
    fold: bool = False
    code: Code = codes.BAD_WORD
    optional: bool = False
    bare: Any = None

    @property
    def syntax(self) -> str:
        """``a|b|c``."""
        text = "|".join(self.values)
        return f"[{text}]" if self.optional else text

    def read(self, words: list[str], reading: Reading) -> Any:
        """Return what the word means."""
        if len(words) < 2 and self.optional:
            return self.bare
        word = reading.argument(words, 1)
        if word in self.values:
            return self.values[word]
        if self.fold:
            for name, value in self.values.items():
                if name.casefold() == word.casefold():
                    return value
        hint = did_you_mean(word, self.values)
        raise Refused(self.code, f"{word!r} is not one of {', '.join(self.values)}", hint=hint)

    def write(self, value: Any) -> str | None:
        """Return the first word that means `value`; None when there is none."""
        if self.optional and value == self.bare:
            return ""
        return next((name for name, meaning in self.values.items() if meaning == value), None)


@dataclass(frozen=True, slots=True)
class Words:
    """All words of the line, at least `least`."""

    pure: ClassVar[bool] = True
    name: str = "WORD..."
    least: int = 1

    @property
    def syntax(self) -> str:
        """The name of the words."""
        return self.name if self.least else f"[{self.name}]"

    def read(self, words: list[str], reading: Reading) -> tuple[str, ...]:
        """Return the words as a tuple."""
        if self.least:
            reading.argument(words, self.least)
        return tuple(words[1:])

    def write(self, value: Sequence[str] | None) -> str | None:
        """Return the words; none at all leave the keyword out."""
        return " ".join(quoted(word) for word in value) if value else None


def parse_address(word: str, index: int = 1) -> Address:
    """Read a numeric address; raise `Refused` for anything else."""
    try:
        return Address.parse(word)
    except ValueError:
        raise Refused(codes.BAD_ADDRESS, f"{word!r} is not an address", index) from None


def parse_multicast(word: str, index: int = 1) -> Address:
    """Read a multicast address; raise `Refused` for anything else."""
    address = parse_address(word, index)
    if not address.is_multicast:
        raise Refused(codes.BAD_ADDRESS, f"{word} is not a multicast address", index)
    return address


def strip_range(word: str) -> str:
    """Drop what follows ``-`` or ``/``: the reference reads such an address as if it stood alone."""
    return word.partition("-")[0].partition("/")[0]


@dataclass(frozen=True, slots=True)
class IpAddress:
    """A numeric address, of one family where `family` is given; `multicast` demands one."""

    pure: ClassVar[bool] = True
    family: int | None = None
    multicast: bool = False
    optional: bool = False
    lone: bool = False
    """Whether what follows ``-`` or ``/`` is dropped, as the reference does where it reads no range."""

    @property
    def syntax(self) -> str:
        """``ADDR``, ``ADDR4`` or ``ADDR6``."""
        return "ADDR" if self.family is None else "ADDR4" if self.family == 2 else "ADDR6"

    def read(self, words: list[str], reading: Reading) -> Address:
        """Return the address."""
        word = reading.argument(words, 1)
        address = parse_address(strip_range(word) if self.lone else word)
        if self.family is not None and address.family != self.family:
            raise Refused(codes.BAD_ADDRESS, f"{word} is not an IPv{'4' if self.family == 2 else '6'} address")
        if self.multicast:
            parse_multicast(word)
        return address

    def write(self, value: Any) -> str | None:
        """Return the address; None leaves the keyword out."""
        return None if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Port:
    """A port from 1 to 65535."""

    pure: ClassVar[bool] = True
    syntax: str = field(default="PORT")

    def read(self, words: list[str], reading: Reading) -> int:
        """Return the port."""
        return parse_port(reading.argument(words, 1), reading)

    def write(self, value: Any) -> str | None:
        """Return the digits; 0 (none) leaves the keyword out."""
        return str(value) if value else None


def parse_port(word: str, reading: Reading, index: int = 1, low: int = 1) -> int:
    """Read a port in `low`..65535; raise `Refused` with a code of its own for anything else."""
    if digits(word, 5) and low <= (number := int(word)) <= 65535:
        return number
    try:
        return parse_integer(word, low, 65535, reading, index, lenient=False)
    except Refused as refusal:
        raise Refused(codes.BAD_PORT, f"port {refusal.text}", index) from None


@dataclass(frozen=True, slots=True)
class Numbers:
    """One or more integers in a range, such as processor numbers."""

    pure: ClassVar[bool] = True
    low: int = 0
    high: int = UINT_MAX
    name: str = "INT..."

    @property
    def syntax(self) -> str:
        """The name of the numbers."""
        return self.name

    def read(self, words: list[str], reading: Reading) -> tuple[int, ...]:
        """Return the numbers; one that is refused spoils all."""
        reading.argument(words, 1)
        return tuple(parse_integer(word, self.low, self.high, reading, index) for index, word in enumerate(words[1:], 1))

    def write(self, value: Sequence[int] | None) -> str | None:
        """Return the numbers; none at all leaves the keyword out."""
        return " ".join(map(str, value)) if value else None
