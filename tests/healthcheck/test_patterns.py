"""What is said about patterns that the library reads differently from PCRE2."""

import pytest

from keepalived_py.config.checkers import Regex
from keepalived_py.healthcheck.patterns import TooSlowError, explain, matches


@pytest.mark.parametrize("pattern", ["(?1)", "*a", "(", "(*UTF)a", "(?<n"])
def test_a_pattern_that_is_not_understood_is_named(pattern: str) -> None:
    assert matches(Regex(pattern), b"a") is None
    assert pattern in (explain(Regex(pattern)) or "")


def test_options_without_effect_are_named_and_tuning_is_not() -> None:
    assert explain(Regex("a", ("no_start_optimize", "caseless", "never_utf"))) is None
    assert "ungreedy, ucp" in (explain(Regex("a", ("ungreedy", "ucp"))) or "")


@pytest.mark.parametrize(
    ("pattern", "options", "body", "expected"),
    [
        ("a.b", (), b"a\nb", False),
        ("a.b", ("dotall",), b"a\nb", True),
        ("^b", (), b"a\nb", False),
        ("^b", ("multiline",), b"a\nb", True),
        ("a b", ("extended",), b"ab", True),
        ("a$", (), b"a\n", True),
        ("ä", (), "ä".encode(), True),
        ("^[[:alpha:]]+$", (), b"abc", True),
        (r"a\Kb", (), b"ab", True),
        (r"a\hb\R", (), b"a\tb\r\n", True),
        ("\udcff", (), b"\xff", True),
    ],
)
def test_options(pattern: str, options: tuple[str, ...], body: bytes, expected: bool) -> None:
    assert matches(Regex(pattern, options), body) is expected


def test_a_pattern_that_explodes_is_given_up() -> None:
    with pytest.raises(TooSlowError):
        matches(Regex("(x+x+)+y"), b"x" * 300)
