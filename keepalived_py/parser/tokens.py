"""A line of text into words: comments, double quotes, braces, and the second splitting that commands get.

Pure functions over one line.  Nothing here knows keywords, files or definitions.
"""

import re
from collections.abc import Callable
from typing import Final

BLANKS: Final = " \t"
WHITE: Final = " \t\f\n\r\v"

_WORD: Final = re.compile(r'"([^"]*)"|([^ \t\f\n\r\v"]+)|(")')
_COMMENT_STOP: Final = re.compile(r'[!#"\\]')
_BRACE_STOP: Final = re.compile(r'[{}"]')


def strip_comment(text: str, unterminated: Callable[[], None]) -> str:
    """Remove the comment, blanks at both ends, and the backslash of an escaped ``#`` or ``!``.

    A backslash that ends the line stays (it continues a definition), with the blanks before it removed.  `unterminated` is called
    when a double quote is left open.
    """
    text = text.strip(BLANKS)
    pieces: list[str] = []
    start = position = 0
    quoted = continued = False
    while match := _COMMENT_STOP.search(text, position):
        at = match.start()
        char = match.group()
        position = at + 1
        if char == '"':
            quoted = not quoted
        elif char == "\\":
            follower = text[at + 1 : at + 2]
            if not follower:
                text, continued = text[:at], True
                break
            if not quoted and follower in "#!":
                pieces.append(text[start:at])
                start = at + 1
            position = at + 2
        elif not quoted:
            text = text[:at]
            break
    pieces.append(text[start:])
    if quoted:
        unterminated()
    result = "".join(pieces).rstrip(BLANKS)
    return result + "\\" if continued else result


def find_brace(text: str) -> int:
    """Return the index of the first brace outside double quotes, -1 when there is none."""
    position = 0
    while match := _BRACE_STOP.search(text, position):
        if match.group() != '"':
            return match.start()
        close = text.find('"', match.end())
        if close < 0:
            return -1
        position = close + 1
    return -1


def split_words(text: str) -> tuple[list[str], bool]:
    """Split into words; double quotes group blanks and always start a new word.  The flag: a quote was left open.

    >>> split_words('a"b c" d')
    (['a', 'b c', 'd'], False)
    """
    if '"' not in text:
        return text.split(), False
    words: list[str] = []
    for match in _WORD.finditer(text):
        quoted, bare, stray = match.groups()
        if stray:
            return words, True
        words.append(bare if bare is not None else quoted)
    return words, False


_SIMPLE_ESCAPES: Final = {"a": "\a", "b": "\b", "E": "\x1b", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_HEX: Final = re.compile(r"x([0-9A-Fa-f]{1,2})")
_OCTAL: Final = re.compile(r"[0-7]{1,3}")


def _unescape(text: str, at: int) -> tuple[str, int]:
    """Decode the escape whose character after the backslash is at `at`; return its value and the index after it."""
    if match := _HEX.match(text, at):
        return _byte(int(match.group(1), 16)), match.end()
    if match := _OCTAL.match(text, at):
        return _byte(int(match.group(), 8) & 0xFF), match.end()
    if text[at] == "c" and at + 1 < len(text):
        return chr(ord(text[at + 1]) & 0x1F), at + 2
    return _SIMPLE_ESCAPES.get(text[at], text[at]), at + 1


def _byte(value: int) -> str:
    """Return a byte as text: beyond ASCII as the surrogate that stands for a byte which is no UTF-8."""
    return chr(value) if value < 0x80 else chr(0xDC00 + value)


def _settle(word: str) -> str:
    """Let escaped bytes that make UTF-8 together be the text that they are."""
    return word if word.isascii() else word.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


_ESCAPED: Final = re.compile(r"""["'\\$\x00-\x1f\x7f]""")


def escape_quoted(word: str) -> str:
    """Write a word so that it is read back inside double quotes where escapes are decoded, whatever else looks at the line."""
    return _ESCAPED.sub(lambda match: f"\\x{ord(match.group()):02x}", word)


class SplitError(ValueError):
    """A command that cannot be split: a quote is left open, or a backslash ends it.  `quote` tells which."""

    def __init__(self, text: str, *, quote: bool) -> None:
        super().__init__(text)
        self.quote = quote


def split_command(text: str, *, escapes: bool) -> list[str]:
    r"""Split as commands are: ``'`` and ``"`` group and may stand inside a word; with `escapes`, backslashes are decoded.

    Without `escapes` a backslash and what follows it are kept, and protect a quote.

    >>> split_command(r"/bin/echo 'a b'c \x41", escapes=True)
    ['/bin/echo', 'a bc', 'A']
    """
    if "\\" not in text:
        return _split_quoted(text)
    words: list[str] = []
    current: list[str] | None = None
    quote = ""
    position = 0
    while match := _COMMAND_PIECE[quote].match(text, position):
        plain, special = match.groups()
        position = match.end()
        if plain:
            current = [*(current or ()), plain]
        if not special:
            break
        if special == "\\":
            if position >= len(text):
                raise SplitError("a backslash ends the command", quote=False)
            value, position = _unescape(text, position) if escapes else ("\\" + text[position], position + 1)
            current = [*(current or ()), value]
        elif special in "'\"":
            quote = "" if quote else special
            current = current or []
        elif current is not None:
            words.append(_settle("".join(current)))
            current = None
    if quote:
        raise SplitError(f"a {quote} is left open", quote=True)
    return words if current is None else [*words, _settle("".join(current))]


_COMMAND_PIECE: Final = {
    "": re.compile(r"""([^ \t\f\n\r\v'"\\]*)([ \t\f\n\r\v'"\\]?)"""),
    "'": re.compile(r"""([^'\\]*)(['\\]?)"""),
    '"': re.compile(r"""([^"\\]*)(["\\]?)"""),
}
"""Text up to the next character that means something, by the quote that is open, and that character."""

_QUOTED_WORD: Final = re.compile(r"""(?:[^ \t\f\n\r\v'"]|'[^']*'|"[^"]*")+|(['"])""")
_QUOTES: Final = re.compile(r"""'[^']*'|"[^"]*\"""")


def _split_quoted(text: str) -> list[str]:
    """Split a command without backslashes, which most are."""
    words: list[str] = []
    for match in _QUOTED_WORD.finditer(text):
        word = match.group()
        if match.group(1):
            raise SplitError(f"a {word} is left open", quote=True)
        if "'" in word or '"' in word:
            word = _QUOTES.sub(lambda quoted: quoted.group()[1:-1], word)
        words.append(word)
    return words
