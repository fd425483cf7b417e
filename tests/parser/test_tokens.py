"""Lines into words: comments, quotes, braces, and the second splitting of commands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.parser.tokens import SplitError, escape_quoted, find_brace, split_command, split_words, strip_comment


def stripped(text: str) -> tuple[str, bool]:
    """Return the line without its comment, and whether an open quote was found."""
    found: list[bool] = []
    return strip_comment(text, lambda: found.append(True)), bool(found)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("router_id a", "router_id a"),
        ("  \trouter_id a \t", "router_id a"),
        ("router_id a # why", "router_id a"),
        ("router_id a ! why", "router_id a"),
        ("router_id a#b", "router_id a"),
        ("# all of it", ""),
        (r"router_id a\#b # c", "router_id a#b"),
        (r"router_id a\!b", "router_id a!b"),
        (r"router_id a\b", r"router_id a\b"),
        ('router_id "a#b" # c', 'router_id "a#b"'),
        (r'router_id "a\#b"', r'router_id "a\#b"'),
        ("$A= x \\", "$A= x\\"),
        ("$A= \\", "$A=\\"),
        ("\\", "\\"),
        ("", ""),
    ],
)
def test_comments_go_and_escaped_ones_stay(text: str, left: str) -> None:
    assert stripped(text) == (left, False)


def test_an_open_quote_is_told_and_protects_what_follows() -> None:
    assert stripped('router_id "a # b') == ('router_id "a # b', True)
    assert stripped(r'a "b\" c') == (r'a "b\" c', True)


@pytest.mark.parametrize(
    ("text", "at"), [("a {", 2), ("a}", 1), ('"{" }', 4), ('a "{ }', -1), ("a b", -1), ("{", 0), ('"a" "b}" {', 9), ("", -1)]
)
def test_braces_count_outside_of_quotes(text: str, at: int) -> None:
    assert find_brace(text) == at


@pytest.mark.parametrize(
    ("text", "words", "open_quote"),
    [
        ("a b\tc", ["a", "b", "c"], False),
        ('a "b c" d', ["a", "b c", "d"], False),
        ('a"b c"d', ["a", "b c", "d"], False),
        ('a ""', ["a", ""], False),
        ('a "b c', ["a"], True),
        ('"a b" c', ["a b", "c"], False),
        (r'a "b\" c', ["a", "b\\", "c"], False),
        ("", [], False),
        ("   ", [], False),
    ],
)
def test_words(text: str, words: list[str], open_quote: bool) -> None:
    assert split_words(text) == (words, open_quote)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/bin/a b  c", ["/bin/a", "b", "c"]),
        ("'a b' \"c d\"", ["a b", "c d"]),
        ("a'b c'd", ["ab cd"]),
        ("a '' b", ["a", "", "b"]),
        ("'it''s'", ["its"]),
        ('"it\'s"', ["it's"]),
        (r"a\ b", ["a b"]),
        (r"\x41\x4a \101 \60", ["AJ", "A", "0"]),
        (r"\a\b\e\E\f\n\r\t\v", ["\a\b\x1b\x1b\f\n\r\t\v"]),
        (r"\cA \c[", ["\x01", "\x1b"]),
        (r"\q\"\'\\", ["q\"'\\"]),
        (r"\xzz", ["xzz"]),
        (r"\x4g", ["\x04g"]),
        (r"\400", ["\x00"]),
        (r"\xc3\xa9", ["é"]),
        (r"\xe9", ["\udce9"]),
        ("", []),
    ],
)
def test_commands_are_split_with_quotes_and_escapes(text: str, words: list[str]) -> None:
    assert split_command(text, escapes=True) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (r"notify 'a \'b' c", ["notify", r"a \'b", "c"]),
        (r"notify a\ b", ["notify", r"a\ b"]),
        (r'x "a \"b\" c"', ["x", r"a \"b\" c"]),
        (r"x \\", ["x", r"\\"]),
    ],
)
def test_the_first_splitting_keeps_backslashes_and_lets_them_protect_quotes(text: str, words: list[str]) -> None:
    assert split_command(text, escapes=False) == words


@pytest.mark.parametrize(("text", "quote"), [("a 'b", True), ('a "b', True), (r"'a\'b", True), ("a \\", False), ("'a b' \"", True)])
@pytest.mark.parametrize("escapes", [True, False])
def test_a_command_that_cannot_be_split_says_why(text: str, quote: bool, escapes: bool) -> None:
    with pytest.raises(SplitError) as raised:
        split_command(text, escapes=escapes)
    assert raised.value.quote is quote


PLAIN = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=30)


@given(PLAIN)
def test_an_escaped_word_is_read_back_inside_double_quotes(word: str) -> None:
    line = f'x "{escape_quoted(word)}"'
    assert split_command(line, escapes=True) == ["x", word]
    assert stripped(line) == (line.rstrip(" \t"), False)
    assert find_brace(line) == -1


def by_hand(text: str, escapes: bool) -> list[str] | None:
    """Split a command the slow way: one character after the other; None when it cannot be split."""
    words: list[str] = []
    current: str | None = None
    quote = ""
    waiting = iter(text)
    for char in waiting:
        if char == "\\":
            after = next(waiting, None)
            if after is None:
                return None
            current = (current or "") + (after if escapes else "\\" + after)
        elif quote:
            quote, current = ("", current) if char == quote else (quote, (current or "") + char)
        elif char in "'\"":
            quote, current = char, current or ""
        elif char in " \t":
            words, current = (words if current is None else [*words, current]), None
        else:
            current = (current or "") + char
    return None if quote else words if current is None else [*words, current]


@given(st.text("ABC '\"\\ \t", max_size=20), st.booleans())
def test_splitting_agrees_with_the_slow_way(text: str, escapes: bool) -> None:
    try:
        got: list[str] | None = split_command(text, escapes=escapes)
    except SplitError:
        got = None
    assert got == by_hand(text, escapes)
