"""What is said about patterns that Python reads differently from PCRE2."""

import pytest

from keepalived_py.config.checkers import Regex
from keepalived_py.healthcheck.patterns import explain, matches


@pytest.mark.parametrize("pattern", [r"a\K", "(?R)", "(?1)", "*a", "(", "(*UTF)a", "[[:alpha:]]"])
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
        ("\udcff", (), b"\xff", True),
    ],
)
def test_options(pattern: str, options: tuple[str, ...], body: bytes, expected: bool) -> None:
    assert matches(Regex(pattern, options), body) is expected
