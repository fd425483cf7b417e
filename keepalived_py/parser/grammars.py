"""The grammars of `lines` for pyparsing, made from the same tables, and what they expect where a line goes wrong.

Importing pyparsing costs more time than reading a small configuration, so this module is imported only when a line is wrong, and
each grammar is made once.  The loop in `lines` decides what a line means; nothing here does.
"""

import re
from functools import cache
from typing import Final

import pyparsing as pp

from keepalived_py.parser.lines import LineGrammar, Option, Term

_BLANK: Final = "\u00a0"
"""Stands for a blank inside a quoted word, so that a word stays one."""

_SHOWN: Final = 12
"""Options that are listed when any could follow."""


@cache
def grammar(lines: LineGrammar) -> pp.ParserElement:
    """Return the grammar of a whole line; every word of it is separated by blanks."""
    alternatives = [_option(option) for option in lines.options]
    if lines.rest is not None:
        alternatives.append(_option(lines.rest))
    body = pp.ZeroOrMore(pp.MatchFirst(alternatives))
    whole = _term(lines.head) - body if lines.head is not None else body
    return (whole + pp.StringEnd()).set_whitespace_chars(" ")


def _option(option: Option) -> pp.ParserElement:
    parts: list[pp.ParserElement] = []
    if option.prefixes:
        parts.append(pp.Optional(_words(option.prefixes)))
    if option.term is not None:
        parts.append(_term(option.term))
    if option.choices:
        parts.append(pp.MatchFirst([_words((word,)) - _choice(choice) for word, choice in option.choices]))
        parts[-1].set_name(" or ".join(word for word, _ in option.choices))
    if option.inner:
        parts.append(pp.ZeroOrMore(pp.MatchFirst([_option(inner) for inner in option.inner])))
    if not option.names:
        return pp.And(parts)
    start = _words(option.names)
    return start - pp.And(parts) if parts else start


def _choice(choice: Term | tuple[Option, ...]) -> pp.ParserElement:
    if isinstance(choice, Term):
        return _term(choice)
    return pp.ZeroOrMore(pp.MatchFirst([_option(option) for option in choice]))


def _words(words: tuple[str, ...]) -> pp.ParserElement:
    pattern = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return pp.Regex(rf"(?:{pattern})(?= |\Z)").set_name(words[0])


def _term(term: Term) -> pp.ParserElement:
    return pp.Regex(rf"(?:{term.pattern})(?= |\Z)").set_name(term.syntax)


def expected(lines: LineGrammar, words: list[str]) -> tuple[int, str] | None:
    """Return the index of the first word that does not fit, and what would; None for a line that fits."""
    text = " ".join(re.sub(r"\s", _BLANK, word) or _BLANK for word in words)
    try:
        grammar(lines).parse_string(text)
    except pp.ParseBaseException as error:
        index = len(text[: error.loc].split(" ")) - 1 if error.loc < len(text) else len(words)
        if text[error.loc : error.loc + 1] == " ":
            index += 1
        wanted = error.msg.removeprefix("Expected ").partition(", found")[0]
        return index, _options(lines) if wanted == "end of text" else wanted
    return None


def _options(lines: LineGrammar) -> str:
    names = [option.names[0] for option in lines.options if option.names]
    more = ", ..." if len(names) > _SHOWN else ""
    return "one of " + ", ".join(names[:_SHOWN]) + more
