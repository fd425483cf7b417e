"""Blocks on a small language of their own: what opens and closes them, and how reading survives whatever is wrong."""

from typing import Any

import pytest

from keepalived_py.parser import codes
from keepalived_py.parser.blocks import BlockReader
from keepalived_py.parser.kinds import Flag, Integer, Word
from keepalived_py.parser.origins import Origins
from keepalived_py.parser.reader import LineReader
from keepalived_py.parser.reading import Reading, UnusableError
from keepalived_py.parser.schema import SKIP, Block, Draft, Keyword, Refused, Repeat
from keepalived_py.parser.source import source_from_text
from tests.helpers.facts import FakeFacts

_NUMBER = Integer(0, 9)
CALLS: list[str] = []


def _count(draft: Draft, keyword: Keyword, value: int, reading: Reading) -> None:
    CALLS.append(f"{keyword.name} {value} on line {reading.line & 0xFFFF}")
    if value == 9:
        raise Refused(codes.BAD_VALUE, "nine is too much")


def _open(draft: Draft, reading: Reading) -> object:
    return SKIP if draft.header == "skip" else None


def _line(words: list[str], draft: Draft, reading: Reading) -> None:
    if words[0] == "bad":
        raise Refused(codes.BAD_VALUE, "a bad line", 0)
    draft.add("lines", " ".join(words), reading.line)


VALUES = Block("values", "Lines.", read_line=_line)
INNER = Block("inner", "Inside.", keywords=(Keyword("n", _NUMBER, "A number."), Keyword("m", _NUMBER, "Another.")))
OUTER = Block(
    "outer",
    "Outside.",
    header=Word("NAME"),
    open=_open,
    keywords=(
        Keyword("n", _NUMBER, "The last one counts."),
        Keyword("first", _NUMBER, "The first one counts.", repeat=Repeat.FIRST),
        Keyword("once", _NUMBER, "The first one counts; any other is reported.", repeat=Repeat.DUPLICATE),
        Keyword("swap", _NUMBER, "The last one counts and is reported.", repeat=Repeat.REPLACE),
        Keyword("add", _NUMBER, "All count.", "added", Repeat.ADD),
        Keyword("most", _NUMBER, "The largest counts.", repeat=Repeat.LARGEST),
        Keyword("count", _NUMBER, "Called.", apply=_count),
        Keyword("flag", Flag(), "A flag."),
        Keyword("old_n", _NUMBER, "Old.", "n", alias_of="n", old=codes.DEPRECATED),
        Keyword("soft", _NUMBER, "Missing is only reported.", missing=codes.WORD_MISSING),
    ),
    blocks=(INNER, VALUES),
)
ROOT = Block("", "All.", keywords=(Keyword("top", _NUMBER, "A number."),), blocks=(OUTER,))


class Read:
    """A text read: `root` draft, `told` as (code, line)."""

    def __init__(self, text: str) -> None:
        CALLS.clear()
        self.reading = Reading(Origins(), FakeFacts(), testing=True)
        self.reading.reader = LineReader(
            self.reading.origins, self.reading.report_from_reader, config_id="", environment=lambda name: None
        )
        try:
            self.root: Draft | None = BlockReader(ROOT, self.reading).read(
                self.reading.reader.segments([source_from_text("t", text)])
            )
        except UnusableError:
            self.root = None
        self.told = [(found.code.name, found.place.line if found.place else 0) for found in self.reading.diagnostics]

    @property
    def outer(self) -> Draft:
        assert self.root is not None
        return self.root.children[0]


def outer(*lines: str) -> Read:
    return Read("outer o {\n" + "".join(f"{line}\n" for line in lines) + "}\n")


def test_values_and_the_lines_that_set_them() -> None:
    read = Read("top 1\nouter o {\n n 2\n inner {\n  n 3\n }\n}\nouter p { }\n")
    assert read.told == []
    assert read.root is not None and read.root.values == {"top": 1}
    first, second = read.root.children
    assert (first.header, first.values, second.header, second.values) == ("o", {"n": 2}, "p", {})
    place = read.reading.origins.place(first.place("n"))
    assert place is not None and place.line == 3
    (inner,) = first.children
    assert (inner.block.name, inner.values, inner.parent) == ("inner", {"n": 3}, first)


@pytest.mark.parametrize("text", ["outer o {\nn 1\n}\n", "outer o\n{\nn 1\n}\n", "outer o\n\n# c\n{ n 1 }\n", "outer o { n 1 }"])
def test_the_brace_may_stand_anywhere(text: str) -> None:
    read = Read(text)
    assert (read.told, read.outer.values) == ([], {"n": 1})


@pytest.mark.parametrize(
    ("lines", "value", "told"),
    [
        (["n 1", "n 2"], {"n": 2}, []),
        (["first 1", "first 1", "first 2"], {"first": 1}, [("already-set", 4)]),
        (["once 1", "once 1"], {"once": 1}, [("already-set", 3)]),
        (["swap 1", "swap 2"], {"swap": 2}, [("already-set", 3)]),
        (["add 1", "add 2"], {"added": [1, 2]}, []),
        (["most 3", "most 5", "most 4"], {"most": 5}, []),
        (["old_n 4"], {"n": 4}, [("deprecated", 2)]),
        (["flag surplus words"], {"flag": True}, []),
        (["soft"], {}, [("word-missing", 2)]),
        (["n 10", "n 3"], {"n": 3}, [("out-of-range", 2)]),
        (["n x"], {}, [("bad-number", 2)]),
    ],
)
def test_what_repetition_and_mistakes_do(lines: list[str], value: dict[str, Any], told: list[tuple[str, int]]) -> None:
    read = outer(*lines)
    assert (read.outer.values, read.told) == (value, told)


def test_an_equal_line_is_reported_and_applied_each_time() -> None:
    read = outer("n x", "n x", "count 1", "count 1", "old_n 2", "old_n 2")
    assert read.told == [("bad-number", 2), ("bad-number", 3), ("deprecated", 6), ("deprecated", 7)]
    assert CALLS == ["count 1 on line 4", "count 1 on line 5"]


def test_an_equal_line_assigns_in_every_block_where_it_stands() -> None:
    text = "outer o {\nn 1\nn 2\nn 1\ninner {\nn 1\n}\n}\nouter p {\nn 1\n}\n"
    read = Read(text)
    assert read.root is not None
    assert [draft.values for draft in read.root.children] == [{"n": 1}, {"n": 1}]
    assert read.outer.children[0].values == {"n": 1}
    place = read.reading.origins.place(read.outer.lines["n"])
    assert place is not None and place.line == 4


def test_what_is_applied_may_refuse() -> None:
    assert outer("count 9").told == [("bad-value", 2)]


def test_a_missing_word_ends_the_reading() -> None:
    read = Read("top 1\nouter o {\n n\n}\ntop x\n")
    assert (read.root, read.told) == (None, [("missing-parameter", 3)])


def test_an_unknown_word_is_left_out_with_a_hint() -> None:
    read = outer("frist 1", "n 1")
    assert (read.outer.values, read.told) == ({"n": 1}, [("unknown-keyword", 2)])
    assert read.reading.diagnostics[0].hint == "did you mean first?"


def test_what_an_unknown_block_holds_is_read_around_it() -> None:
    read = outer("what {", "n 1", "else {", "add 2", "}", "}", "add 3")
    assert read.outer.values == {"n": 1, "added": [2, 3]}
    assert read.told == [("unknown-keyword", 2), ("unknown-keyword", 4)]


def test_a_missing_word_behind_an_unknown_block_is_only_reported() -> None:
    """keepalived has left the outer block there, so that nothing decides what becomes of the reading."""
    read = outer("what {", "}", "n", "inner { n }", "n 4")
    assert read.outer.values == {"n": 4}
    assert read.told == [("unknown-keyword", 2), ("missing-parameter", 4), ("missing-parameter", 5)]
    assert Read("outer o {\nwhat {\n}\n}\nouter p {\nn\n}\n").root is None


def test_a_stray_opening_brace_is_passed_over() -> None:
    read = outer("n 1", "{", "add 2", "}", "add 3")
    assert (read.outer.values, read.told) == ({"n": 1, "added": [2, 3]}, [("stray-open-brace", 3)])


def test_a_stray_closing_brace_is_reported() -> None:
    read = Read("top 1\n}\ntop 2\nouter o { }\n}\n")
    assert read.told == [("stray-close-brace", 2), ("stray-close-brace", 5)]
    assert read.root is not None and read.root.values == {"top": 2} and len(read.root.children) == 1


def test_a_missing_opening_brace_is_assumed() -> None:
    read = Read("outer o\nn 1\n}\ntop 2\n")
    assert read.told == [("missing-open-brace", 1), ("stray-close-brace", 3)]
    assert read.outer.values == {"n": 1} and read.root is not None and read.root.values == {"top": 2}


def test_a_value_block_without_its_brace_swallows_the_next_closing_one() -> None:
    read = Read("outer o {\nvalues\na b\n}\ntop 1\n")
    assert read.told == [("value-block-without-brace", 2), ("unknown-keyword", 5)]
    read = Read("outer o {\nvalues\na b\n}\n}\ntop 1\n")
    assert read.told == [("value-block-without-brace", 2), ("stray-close-brace", 5)]
    assert read.outer.children[0].values == {"lines": ["a b"]}


@pytest.mark.parametrize(("text", "lines"), [("outer o {\nn 1\n", 1), ("outer o {\ninner {\nn 1\n", 2), ("what {\n", 1)])
def test_what_is_open_at_the_end_is_closed_and_reported(text: str, lines: int) -> None:
    read = Read(text)
    assert read.told[-1][0] == "missing-close-brace"
    assert f"{lines} closing braces are" in read.reading.diagnostics[-1].text or lines == 1


def test_a_refused_header_skips_the_block() -> None:
    read = Read("outer skip {\nn x\ninner {\nwhat\n}\n{\n}\n}\ntop 1\n")
    assert read.told == []
    assert read.root is not None and (read.root.values, read.root.children) == ({"top": 1}, [])


def test_lines_of_a_value_block() -> None:
    read = outer("values {", "n 1", "bad", "inner {", "}", "}", "n 2")
    assert read.told == [("bad-value", 4), ("stray-open-brace", 5)]
    assert read.outer.children[0].values == {"lines": ["n 1", "inner"]}
    assert read.outer.values == {"n": 2}


def test_surplus_words_of_a_block_count_only_for_blocks_of_values() -> None:
    assert outer("inner surplus {", "}").told == []
    assert outer("values surplus {", "}").told == [("block-extra-words", 2)]


def test_blocks_nest_no_deeper_than_a_limit() -> None:
    read = Read("{\n" * 400 + "}\n" * 400 + "top 1\n")
    assert read.told.count(("expansion-too-deep", 300)) == 1
    assert read.root is not None and read.root.values == {"top": 1}


def test_a_word_may_be_declared_once_only() -> None:
    with pytest.raises(ValueError, match="n is declared twice"):
        Block("b", "", keywords=(Keyword("n", _NUMBER, ""), Keyword("n", _NUMBER, "")))


def test_diagnostics_are_counted_beyond_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keepalived_py.parser.reading.MAX_DIAGNOSTICS", 5)
    read = outer(*["n x"] * 20)
    assert (len(read.told), read.reading.dropped) == (5, 15)
