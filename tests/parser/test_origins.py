"""Where a line came from: files, columns, and what expanded to it."""

import pytest

from keepalived_py.parser.diagnostics import Place
from keepalived_py.parser.load import load_text
from keepalived_py.parser.origins import NOWHERE, LineId, Origins
from keepalived_py.parser.source import source_from_text
from tests.helpers.facts import FakeFacts


@pytest.mark.parametrize(
    ("source", "word", "nth", "column", "length"),
    [
        ("  weight 10", "10", 0, 10, 2),
        ("  weight 10", "", 0, 3, 9),
        ("a b a b", "b", 1, 7, 1),
        ("weight weight", "weight", 1, 8, 6),
        ("weights weight", "weight", 0, 9, 6),
        ("a{b}", "b", 0, 3, 1),
        ('x "a b" c', "a b", 0, 4, 3),
        ("a", "not there", 0, 1, 1),
        ("", "", 0, 1, 1),
        ("a # b", "b", 0, 5, 1),
        ("xay", "a", 0, 2, 1),
    ],
)
def test_a_word_is_found_in_its_line(source: str, word: str, nth: int, column: int, length: int) -> None:
    origins = Origins()
    base = origins.add_file(source_from_text("f", f"first\n{source}\n"))
    place = origins.place(LineId(base + 2), word, nth)
    assert place == Place("f", 2, column, length, source)


def test_files_keep_their_lines_apart() -> None:
    origins = Origins()
    bases = [origins.add_file(source_from_text(name, "x\ny\n")) for name in ("a", "b", "a")]
    places = [origins.place(LineId(base + 2)) for base in bases]
    assert [(place.file, place.line) for place in places if place] == [("a", 2), ("b", 2), ("a", 2)]
    assert origins.place(NOWHERE) is None


def test_expansions_lead_back_to_the_file_and_tell_the_way() -> None:
    origins = Origins()
    used = LineId(origins.add_file(source_from_text("f", "$A\n")) + 1)
    first = origins.add_expansion(used, " k $B ", "in expansion of $A, defined at f:9")
    second = origins.add_expansion(first, "k 1", "in expansion of $B, defined at f:8")
    assert (origins.depth(used), origins.depth(first), origins.depth(second)) == (0, 1, 2)
    place = origins.place(second, "1")
    assert place is not None and (place.file, place.line, place.column) == ("f", 1, 1)
    assert place.via == ("in expansion of $B, defined at f:8: k 1", "in expansion of $A, defined at f:9: k $B")


@pytest.mark.parametrize(
    ("source", "references", "word", "column", "length"),
    [
        ("k $A l", ("$A", "${A}"), "gone", 3, 2),
        ("k ${A} l", ("$A", "${A}"), "gone", 3, 4),
        ("k $A l", ("$A",), "l", 6, 1),
        ("k ${B}${A}", ("$A", "${A}", "$B", "${B}"), "gone", 3, 4),
        ("k l", ("$A",), "gone", 1, 3),
    ],
)
def test_a_word_that_an_expansion_made_is_shown_as_what_expanded(
    source: str, references: tuple[str, ...], word: str, column: int, length: int
) -> None:
    origins = Origins()
    used = LineId(origins.add_file(source_from_text("f", f"{source}\n")) + 1)
    place = origins.place(origins.add_expansion(used, "whatever", "note", references), word)
    assert place is not None and (place.column, place.length) == (column, length)


def test_a_diagnostic_inside_an_expansion_points_at_its_use_and_names_the_definition() -> None:
    text = "$BAD=child_wait_time x\n\n$BAD\n$M= \\\n instance a \\\n child_wait_time y\n$M\n~SEQ(i, 1, 1) child_wait_time z$i\n"
    loaded = load_text(text, FakeFacts(), name="t.conf")
    found = [(str(one.place), one.place.via if one.place else ()) for one in loaded.diagnostics]
    assert found == [
        ("t.conf:3:1", ("in expansion of $BAD, defined at t.conf:1: child_wait_time x",)),
        (
            "t.conf:7:1",
            ("in expansion of $M, defined at t.conf:4: child_wait_time y", "in expansion of $M, defined at t.conf:4: instance a"),
        ),
        (
            "t.conf:8:1",
            (
                "in expansion of $i, defined at t.conf:8: child_wait_time z1",
                "in a sequence, with $i=1: child_wait_time z$i",
            ),
        ),
    ]
