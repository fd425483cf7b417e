"""`parser.pretty`: shape without loss."""

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from keepalived_py.parser.pretty import pretty, split_comment
from keepalived_py.parser.tokens import split_words, strip_comment

UGLY = """\
! a comment
global_defs{ router_id   "a  b"   # named
}


virtual_server 192.0.2.1   80
{
lb_algo\trr ; }
  real_server 198.51.100.1 80 { weight 1 TCP_CHECK { } }
$X= \\
   one \\
  two
@host  $Y=z
"""

SHAPED = """\
! a comment
global_defs {
    router_id "a  b"  # named
}

virtual_server 192.0.2.1 80
{
    lb_algo rr ;
}
real_server 198.51.100.1 80 {
    weight 1 TCP_CHECK {
    }
}
$X= \\
   one \\
  two
@host $Y=z
"""


def test_a_file_is_put_into_shape() -> None:
    assert pretty(UGLY) == SHAPED


@given(st.text(st.sampled_from(' \t\n"\\#!{}$~=ab1'), max_size=120))
@example("{~{1")
@example("a { $X=1 }\nb")
def test_shaping_twice_is_shaping_once(text: str) -> None:
    once = pretty(text)
    assert pretty(once) == once


@given(st.lists(st.text(st.sampled_from(" \tab1{}"), max_size=30), max_size=8))
def test_no_word_and_no_brace_is_lost(lines: list[str]) -> None:
    def words(text: str) -> list[str]:
        return text.replace("{", " { ").replace("}", " } ").split()

    text = "\n".join(lines)
    assert words(pretty(text)) == words(text)


@given(st.text(st.sampled_from(' \t"\\#!ab'), max_size=30))
def test_a_comment_starts_where_the_reader_sees_it(line: str) -> None:
    code, comment = split_comment(line)
    assume(not code.endswith("\\"))  # cut off from its comment, it would mean a continuation
    counted = split_words(strip_comment(line, lambda: None).rstrip("\\"))[0]
    alone = split_words(strip_comment(code, lambda: None).rstrip("\\"))[0]
    assert counted == alone
    assert not comment or comment[0] in "#!"


@pytest.mark.parametrize("text", ["", "\n\n", "}", "{", '"', "\\", "#"])
def test_scraps_survive(text: str) -> None:
    assert pretty(text).strip() == text.strip()
