"""Types of values: what they read, refuse, clamp, and write back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.addresses import Address, Family
from keepalived_py.parser.kinds import (
    Boolean,
    Choice,
    Flag,
    Integer,
    InterfaceName,
    IpAddress,
    Numbers,
    Port,
    Span,
    Word,
    Words,
    quoted,
)
from keepalived_py.parser.origins import Origins
from keepalived_py.parser.ranges import parse_range, write_range
from keepalived_py.parser.reading import Reading, UnusableError
from keepalived_py.parser.schema import Kind, Refused
from keepalived_py.parser.tokens import split_words, strip_comment
from keepalived_py.units import MICRO_PER_SECOND
from tests.helpers.facts import FakeFacts

REFUSED = object()
STOPPED = object()


def take(kind: Kind, *arguments: str, testing: bool = True) -> tuple[Any, list[str]]:
    """Return what a kind makes of ``word arguments...``, and the names of what it reported or was refused for."""
    reading = Reading(Origins(), FakeFacts(), testing=testing)
    reading.words = ["word", *arguments]
    try:
        value = kind.read(reading.words, reading)
    except Refused as refusal:
        return REFUSED, [refusal.code.name]
    except UnusableError:
        return STOPPED, []
    return value, [found.code.name for found in reading.diagnostics]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1", 1),
        ("+5", 5),
        ("007", 7),
        (" 7", 7),
        ("", 0),
        ("10", 10),
        ("-1", REFUSED),
        ("11", REFUSED),
        ("0x5", REFUSED),
        ("5x", REFUSED),
        ("1.0", REFUSED),
        ("7 ", REFUSED),
        ("\u0661", REFUSED),
        ("9" * 50, REFUSED),
        ("--1", REFUSED),
    ],
)
def test_integers(word: str, value: object) -> None:
    assert take(Integer(0, 10), word)[0] == value


def test_integers_may_be_negative_clamped_replaced_or_left_out() -> None:
    assert take(Integer(-20, 19), "-20") == (-20, [])
    assert take(Integer(1, 99, clamp=True), "0") == (1, ["clamped"])
    assert take(Integer(1, 99, clamp=True), "-5") == (1, ["clamped"])
    assert take(Integer(1, 99, clamp=True), "100") == (99, ["clamped"])
    assert take(Integer(1, 99, clamp=True), "x") == (REFUSED, ["bad-number"])
    assert take(Integer(1, otherwise=1), "0") == (1, ["out-of-range"])
    assert take(Integer(1, otherwise=1), "x") == (1, ["bad-number"])
    assert take(Integer(bare=360)) == (360, [])
    assert take(Integer()) == (STOPPED, [])


def test_outside_of_a_test_the_beginning_of_a_number_counts() -> None:
    assert take(Integer(0, 10), "5x", testing=False) == (5, ["bad-number"])
    assert take(Integer(0, 10), "50x", testing=False) == (REFUSED, ["bad-number"])
    assert take(Integer(0, 10, lenient=False), "5x", testing=False) == (REFUSED, ["bad-number"])
    assert take(Span(), "1.5s", testing=False) == (1_500_000, ["bad-number"])
    assert take(Span(), "1.5s") == (REFUSED, ["bad-number"])


@pytest.mark.parametrize(
    ("word", "value", "told"),
    [
        ("1", 1_000_000, []),
        ("1.5", 1_500_000, []),
        (".5", 500_000, []),
        ("1.", 1_000_000, []),
        (".", 0, []),
        ("0", 0, []),
        ("0.000001", 1, []),
        ("+2", 2_000_000, []),
        ("1.2345674", 1_234_567, ["bad-number"]),
        ("1.2345675", 1_234_568, ["bad-number"]),
        ("4294967296", 4_294_967_296_000_000, []),
        ("-1", REFUSED, ["bad-number"]),
        ("1.2.3", REFUSED, ["bad-number"]),
        ("1,5", REFUSED, ["bad-number"]),
        ("x", REFUSED, ["bad-number"]),
        ("1" * 30, REFUSED, ["out-of-range"]),
        ("1" * 60, REFUSED, ["bad-number"]),
    ],
)
def test_spans(word: str, value: object, told: list[str]) -> None:
    assert take(Span(), word) == (value, told)


def test_spans_have_limits_and_places() -> None:
    assert take(Span(1), "0") == (REFUSED, ["out-of-range"])
    assert take(Span(0, 5_000_000), "5.000001") == (REFUSED, ["out-of-range"])
    assert take(Span(places=3), "1.2345") == (1_235_000, ["bad-number"])
    assert take(Span(1000, zero_is=MICRO_PER_SECOND), "0") == (1_000_000, ["clamped"])


@pytest.mark.parametrize(
    ("word", "value"), [("true", True), ("on", True), ("yes", True), ("false", False), ("off", False), ("no", False)]
)
def test_truth(word: str, value: bool) -> None:
    assert take(Boolean(), word) == (value, [])


@pytest.mark.parametrize("word", ["TRUE", "1", "0", "", "y"])
def test_other_words_are_no_truth(word: str) -> None:
    assert take(Boolean(), word) == (REFUSED, ["bad-boolean"])


def test_words() -> None:
    assert take(Word(), "a", "surplus") == ("a", [])
    assert take(Word()) == (STOPPED, [])
    assert take(Word(optional=True, bare="b")) == ("b", [])
    assert take(Word(limit=3), "abcd") == ("abc", ["too-long"])
    assert take(Word(exactly=True), "a", "b") == (REFUSED, ["extra-words"])
    assert take(Word(filled=True), "") == (REFUSED, ["bad-value"])
    assert take(Words(), "a", "b c") == (("a", "b c"), [])
    assert take(Words()) == (STOPPED, [])
    assert take(Words(least=0)) == ((), [])
    assert take(InterfaceName(), "eth0123456789ab") == ("eth0123456789ab", [])
    assert take(InterfaceName(), "eth0123456789abc") == (REFUSED, ["bad-value"])
    assert take(Flag(), "surplus") == (True, [])


def test_choices() -> None:
    kind = Choice({"TCP": 6, "UDP": 17}, fold=True)
    assert take(kind, "udp") == (17, [])
    assert take(Choice({"TCP": 6}), "tcp") == (REFUSED, ["bad-word"])
    assert take(Choice({"VS": 1}, optional=True, bare=0)) == (0, [])
    reading = Reading(Origins(), FakeFacts())
    with pytest.raises(Refused) as raised:
        kind.read(["protocol", "TCPX"], reading)
    assert raised.value.hint == "did you mean TCP?"


@pytest.mark.parametrize(
    ("word", "good"), [("1", True), ("65535", True), ("080", True), ("0", False), ("65536", False), ("http", False)]
)
def test_ports(word: str, good: bool) -> None:
    value, told = take(Port(), word)
    assert (value is not REFUSED, told) == (good, [] if good else ["bad-port"])


def test_addresses() -> None:
    assert take(IpAddress(), "192.0.2.1") == (Address.parse("192.0.2.1"), [])
    for word in ("192.0.2", "192.0.2.256", "host", "", "192.0.2.1/24", "fe80::1%eth0", "::g"):
        assert take(IpAddress(), word) == (REFUSED, ["bad-address"]), word
    assert take(IpAddress(lone=True), "192.0.2.1-5") == (Address.parse("192.0.2.1"), [])
    assert take(IpAddress(lone=True), "192.0.2.1/24") == (Address.parse("192.0.2.1"), [])
    assert take(IpAddress(Family.INET6), "192.0.2.1") == (REFUSED, ["bad-address"])
    assert take(IpAddress(multicast=True), "192.0.2.1") == (REFUSED, ["bad-address"])
    assert take(IpAddress(multicast=True), "ff02::1") == (Address.parse("ff02::1"), [])


def test_one_bad_number_spoils_all() -> None:
    assert take(Numbers(0, 3), "0", "3") == ((0, 3), [])
    assert take(Numbers(0, 3), "0", "4") == (REFUSED, ["out-of-range"])


WRITTEN: list[tuple[Kind, st.SearchStrategy[Any]]] = [
    (Flag(), st.just(True)),
    (Boolean(), st.booleans()),
    (Integer(-5, 500), st.integers(-5, 500)),
    (Span(), st.integers(0, (1 << 64) - 2)),
    (Word(), st.text("ab#!{}@$~ \t", max_size=6)),
    (Words(), st.lists(st.text("a#{ ~", max_size=4), min_size=1, max_size=4).map(tuple)),
    (Choice({"a": 1, "b": 2}), st.sampled_from([1, 2])),
    (Port(), st.integers(1, 65535)),
    (IpAddress(), st.ip_addresses().map(lambda address: Address(address.packed))),
    (Numbers(0, 99), st.lists(st.integers(0, 99), min_size=1).map(tuple)),
]


@given(st.data())
def test_what_a_kind_writes_it_reads_back(data: st.DataObject) -> None:
    kind, values = data.draw(st.sampled_from(WRITTEN))
    value = data.draw(values)
    written = kind.write(value)
    assert written is not None
    line = strip_comment(f"word {written}", lambda: pytest.fail("an open quote"))
    words, _ = split_words(line)
    assert take(kind, *words[1:]) == (value, [])


def test_what_cannot_be_read_back_is_left_out() -> None:
    assert Integer(1, 9).write(0) is None
    assert Span(1).write(0) is None
    assert Port().write(0) is None
    assert Words().write(()) is None
    assert Flag().write(False) is None
    assert [kind.write(None) for kind in (Boolean(), Integer(), Span(), Word(), InterfaceName(), IpAddress())] == [None] * 6


def test_quotes_are_written_where_a_word_needs_them() -> None:
    assert [quoted(word) for word in ("a", "", "a b", "a#b", "{", "@a", "$a", "~a")] == [
        "a", '""', '"a b"', '"a#b"', '"{"', '"@a"', '"$a"', '"~a"',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "first", "last"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("192.0.2.1-5", "192.0.2.1", "192.0.2.5"),
        ("192.0.2.1-+5", "192.0.2.1", "192.0.2.5"),
        ("192.0.2.1-255", "192.0.2.1", "192.0.2.255"),
        ("192.0.2.1-192.0.3.1", "192.0.2.1", "192.0.3.1"),
        ("192.0.2.1-192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("192.0.2.0/30", "192.0.2.0", "192.0.2.3"),
        ("192.0.2.1/32", "192.0.2.1", "192.0.2.1"),
        ("2001:db8::1-f", "2001:db8::1", "2001:db8::f"),
        ("2001:db8::1-ffff", "2001:db8::1", "2001:db8::ffff"),
        ("2001:db8::/120", "2001:db8::", "2001:db8::ff"),
    ],
)
def test_ranges(word: str, first: str, last: str) -> None:
    found = parse_range(word)
    assert tuple(map(str, found)) == (first, last)
    assert parse_range(write_range(*found)) == found


@pytest.mark.parametrize(
    "word",
    [
        "192.0.2.5-5", "192.0.2.5-1", "192.0.2.1-256", "192.0.2.1-x", "192.0.2.1-", "-5", "192.0.2.9-192.0.2.1", "192.0.2.1/24",
        "192.0.2.0/33", "192.0.2.0/0", "192.0.2.0/", "192.0.2.1-2001:db8::1", "2001:db8::1-0", "2001:db8::1-10000", "2001:db8::1-g",
        "2001:db8::/64", "10.0.0.0/8", "name", "",
    ],
)  # fmt: skip
def test_bad_ranges(word: str) -> None:
    with pytest.raises(Refused):
        parse_range(word)


def test_a_range_may_be_without_limit_and_prefixes_may_be_refused() -> None:
    assert tuple(map(str, parse_range("10.0.0.0/8", limit=None))) == ("10.0.0.0", "10.255.255.255")
    with pytest.raises(Refused):
        parse_range("192.0.2.0/30", prefixes=False)
