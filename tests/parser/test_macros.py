"""Definitions, built-ins and sequences as text in and text out."""

import pytest

from keepalived_py.parser.macros import (
    Definition,
    Definitions,
    ExpansionTooLong,
    MacroError,
    built_ins,
    match_definition,
    parse_sequence,
)

COMPLAINTS: list[str] = []


@pytest.fixture
def known() -> Definitions:
    """Definitions ``A`` = x, ``B`` = $A, a multi-line ``M``, and the built-ins."""
    COMPLAINTS.clear()
    environment = {"HOME": "/root"}
    made = Definitions(built_ins(lambda: "/etc/k", "node1", environment.get, lambda: 42, COMPLAINTS.append))
    made.set("A", Definition(["x"]))
    made.set("B", Definition(["$A"]))
    made.set("M", Definition(["one", "two", "three"], multiline=True))
    return made


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$A", "x"),
        ("k $A l", "k x l"),
        ("$A,$A)", "x,x)"),
        ("${A}/24", "x/24"),
        ("a${A}b", "axb"),
        ('"${A}"', '"x"'),
        ("$A/24", "$A/24"),
        ('"$A"', '"$A"'),
        ("$NOPE ${NOPE}", "$NOPE ${NOPE}"),
        ("$B", "x"),
        ("${A}${A}", "xx"),
        ("${B}${A}", "$Ax"),
        ("$1A $ $$A", "$1A $ $x"),
        ("${A x}", "${A x}"),
        ("${_PWD}/a $_INSTANCE", "/etc/k/a node1"),
        ("${_ENV HOME}${_ENV NOPE}.", "/root."),
        ('"${_HASH}${_BANG}"', '"#!"'),
    ],
)
def test_references_are_replaced_where_the_language_says(known: Definitions, text: str, expanded: str) -> None:
    assert known.expand(text).text == expanded


def test_a_value_is_expanded_when_it_is_used(known: Definitions) -> None:
    known.set("A", Definition(["later"]))
    assert known.expand("$B").text == "later"


def test_names_that_took_part_are_told(known: Definitions) -> None:
    assert known.expand("$B ${_PWD}").names == ["B", "A", "_PWD"]
    assert known.expand("$NOPE").names == []


def test_a_multi_line_definition_counts_only_at_the_end_of_a_line(known: Definitions) -> None:
    expanded = known.expand("k $M")
    assert (expanded.text, expanded.rest, expanded.rest_name) == ("k one", ["two", "three"], "M")
    assert known.expand("$M k").text == "$M k"


def test_replacing_stops_before_a_sequence(known: Definitions) -> None:
    known.set("S", Definition(["~SEQ(i, 1, 2) $i"]))
    assert known.expand("$S $A").text == "~SEQ(i, 1, 2) $i $A"


@pytest.mark.parametrize("value", ["x$A", "$A $A", "${A}"])
def test_recursion_ends(known: Definitions, value: str) -> None:
    known.set("A", Definition([value]))
    with pytest.raises(ExpansionTooLong):
        known.expand("$A")


def test_mutual_recursion_ends(known: Definitions) -> None:
    known.set("A", Definition(["${B}"]))
    known.set("B", Definition(["${A}"]))
    with pytest.raises(ExpansionTooLong):
        known.expand("$A")


def test_random_numbers_stay_in_their_range(known: Definitions) -> None:
    assert known.expand("${_RANDOM 7 7}").text == "7"
    assert 0 <= int(known.expand("$_RANDOM").text) <= 32767
    assert int(known.expand("${_RANDOM 40000}").text) >= 40_000


def test_a_seed_makes_them_repeat() -> None:
    def three(seed: int) -> list[str]:
        made = Definitions(built_ins(lambda: "", "", lambda _: None, lambda: seed, COMPLAINTS.append))
        return [made.expand("$_RANDOM").text for _ in range(3)]

    assert three(1) == three(1) != three(2)


def test_a_minimum_above_the_maximum_is_reported_and_used(known: Definitions) -> None:
    assert known.expand("${_RANDOM 9 3}").text == "9"
    assert len(COMPLAINTS) == 1


@pytest.mark.parametrize("text", ["${_RANDOM a}", "${_RANDOM 1 2 3}", "${_PWD x}", "${_ENV}", "${_ENV A B}"])
def test_parameters_of_the_wrong_kind_or_number_are_refused(known: Definitions, text: str) -> None:
    with pytest.raises(MacroError):
        known.expand(text)


def test_a_built_in_may_be_overridden(known: Definitions) -> None:
    known.set("_PWD", Definition(["/mine"]))
    assert known.expand("${_PWD}").text == "/mine"


@pytest.mark.parametrize(
    ("text", "defined"),
    [
        ("$A=b", ("A", "b")),
        ("$_a1= b c", ("_a1", "b c")),
        ("$A=", ("A", "")),
        ("$A=b\\", ("A", "b\\")),
        ("$1A=b", None),
        ("$A =b", None),
        ("${A}=b", None),
        ("A=b", None),
    ],
)
def test_definitions_are_recognised(text: str, defined: tuple[str, str] | None) -> None:
    assert match_definition(text) == defined


def lines(text: str) -> list[str]:
    """Return the lines that a sequence prefix makes, with `$i` and so on replaced."""
    sequence = parse_sequence(text, lambda numbers: numbers.replace("$N", "3"))
    made = []
    for bindings in sequence.bindings():
        known = Definitions({})
        for name, value in bindings.items():
            known.set(name, Definition([value]))
        made.append(known.expand(sequence.template).text)
    return made


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("~SEQ(i, 3) a$i", ["a1", "a2", "a3"]),
        ("~SEQ(i, -2) $i", ["-1", "-2"]),
        ("~SEQ(i, 0) $i", ["1", "0"]),
        ("~SEQ(i, 2, 4) $i", ["2", "3", "4"]),
        ("~SEQ(i, 4, 2) $i", ["4", "3", "2"]),
        ("~SEQ(i, 1, 2, 5) $i", ["1", "3", "5"]),
        ("~SEQ(i, 5, -2, 1) $i", ["5", "3", "1"]),
        ("~SEQ (i,0x9,011) $i", ["9"]),
        ("~SEQ(i,1,$N) $i", ["1", "2", "3"]),
        ("~SEQx(i, 9, 11) ${i}e", ["9e", "ae", "be"]),
        ("~LST(v, a, b,c) $v", ["a", "b", "c"]),
        ("~LST({v,w}, {a,1}, {b}, c) ${v}-${w}", ["a-1", "b-", "c-"]),
        ("~LST(v, ) [$v ]", ["[ ]"]),
    ],
)
def test_sequences_repeat_a_line(text: str, made: list[str]) -> None:
    assert lines(text) == made


@pytest.mark.parametrize(
    "text",
    [
        "~SEQ(i, 1, 0, 3) x",
        "~SEQ(i, 1, -1, 3) x",
        "~SEQ(i, 3, 1, 1) x",
        "~SEQ(i, 1, 2, 3, 4) x",
        "~SEQ(i, a) x",
        "~SEQ(i, 1 x",
        "~SEQ(i, 1, 1000000000) x",
        "~SEQ(, 1) x",
        "~SEQ i, 1 x",
        "~SEQx(i, -1, 2) x",
        "~LST(v a) x",
        "~LST({v}, {a,b}) x",
        "~LST(v, a x",
        "~LST v",
    ],
)
def test_malformed_sequences_are_refused(text: str) -> None:
    with pytest.raises(MacroError):
        lines(text)
