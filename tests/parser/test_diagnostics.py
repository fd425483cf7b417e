"""What diagnostics look like: for a terminal, for the log, for machines; and what they do to the exit status."""

import json

import pytest

from keepalived_py.parser import codes
from keepalived_py.parser.codes import all_codes
from keepalived_py.parser.diagnostics import Code, Diagnostic, ExitStatus, Place, Severity, as_json, exit_status
from tests.helpers.facts import read

FAULTY = """\
# A file with several things wrong.
virtual_server 192.0.2.1 80 {
\tlb_algo rr
\tlb_kind NAT
\tprotocol TCP
\twheight 1
\treal_server 198.51.100.1 80 { weight -1 }
$PORT=70000
\treal_server 198.51.100.2 $PORT { }
\treal_server 198.51.100.1 80 { }
}
"""


def test_rendered_for_a_terminal() -> None:
    shown = "\n".join(found.render() for found in read(FAULTY).diagnostics)
    assert shown == (
        "test.conf:6:2: error: unknown keyword 'wheight' in virtual_server (did you mean weight?) [KA001 unknown-keyword]\n"
        "      6 | \twheight 1\n"
        "        | \t^^^^^^^\n"
        "test.conf:7:39: error: -1 is outside 0..2147483647 [KA101 out-of-range]\n"
        "      7 | \treal_server 198.51.100.1 80 { weight -1 }\n"
        "        | \t                                     ^^\n"
        "test.conf:9:27: error: port 70000 is outside 1..65535 [KA106 bad-port]\n"
        "      9 | \treal_server 198.51.100.2 $PORT { }\n"
        "        | \t                         ^^^^^\n"
        "        = in expansion of $PORT, defined at test.conf:8: real_server 198.51.100.2 70000 { }\n"
        "test.conf:10:14: error: virtual server [192.0.2.1]:80: real server 198.51.100.1 80 is there already and this one is"
        " dropped; first at test.conf:7 [KA217 duplicate-real-server]\n"
        "     10 | \treal_server 198.51.100.1 80 { }\n"
        "        | \t            ^^^^^^^^^^^^"
    )


def test_rendered_for_machines() -> None:
    loaded = read(FAULTY)
    shown = json.loads(as_json(loaded.diagnostics, loaded.status))
    assert shown["status"] == 5
    assert shown["diagnostics"][2] == {
        "code": "KA106",
        "name": "bad-port",
        "severity": "invalid_number",
        "text": "port 70000 is outside 1..65535",
        "hint": None,
        "file": "test.conf",
        "line": 9,
        "column": 27,
        "length": 5,
        "via": ["in expansion of $PORT, defined at test.conf:8: real_server 198.51.100.2 70000 { }"],
    }


def test_without_a_place() -> None:
    assert Diagnostic(codes.GROUP_EMPTY, "nothing there").render() == "error: nothing there [KA223 group-empty]"
    shown = Diagnostic(codes.ADVICE_TLS, "unchecked", hint="ssl_verify").as_dict()
    assert (shown["severity"], shown["line"], shown["hint"], shown["via"]) == ("advice", None, "ssl_verify", [])


def test_a_long_line_is_cut_around_the_place() -> None:
    source = "x" * 500 + " here " + "y" * 500
    head, line, caret = Diagnostic(codes.BAD_WORD, "t", Place("f", 1, 502, 4, source)).render().split("\n")
    assert head.startswith("f:1:502: ")
    at = line.index("here")
    assert len(line) == 170 and caret.index("^") == at and caret.count("^") == 4


def test_what_cannot_be_printed_is_not() -> None:
    shown = Diagnostic(codes.BAD_WORD, "t", Place("f", 1, 4, 1, "a\x1b[2Jb\udcff\tc")).render()
    assert shown.split("\n")[1] == "      1 | a?[2Jb?\tc"


@pytest.mark.parametrize(
    ("severities", "status"),
    [
        ([], ExitStatus.OK),
        ([Severity.ADVICE, Severity.NOTE], ExitStatus.OK),
        ([Severity.FILE_NOT_FOUND], ExitStatus.COMPLETING),
        ([Severity.BAD_IF, Severity.FATAL], ExitStatus.COMPLETING),
        ([Severity.MULTIPLE_FILES], ExitStatus.TEST_FAILED),
        ([Severity.FATAL, Severity.UNKNOWN_KEYWORD], ExitStatus.TEST_FAILED),
        ([Severity.WARNING], ExitStatus.TEST_FAILED),
        ([Severity.DEPRECATED], ExitStatus.TEST_FAILED),
        ([Severity.GENERAL, Severity.SECURITY, Severity.NOTE], ExitStatus.SECURITY),
    ],
)
def test_the_highest_class_decides_the_status(severities: list[Severity], status: ExitStatus) -> None:
    assert exit_status([Diagnostic(Code("KA000", "x", severity, ""), "") for severity in severities]) is status


def test_codes_have_numbers_and_names_of_their_own_and_say_what_they_mean() -> None:
    found = all_codes()
    assert len({code.ident for code in found}) == len({code.name for code in found}) == len(found) > 100
    assert [code.ident for code in found] == sorted(code.ident for code in found)
    for code in found:
        assert code.doc.endswith("."), code.ident
        assert code.severity is Severity.ADVICE or not code.ident.startswith("KA9"), code.ident


def test_an_example_of_a_code_shows_that_code() -> None:
    for code in all_codes():
        if code.example and "..." not in code.example:
            assert code in [found.code for found in read(code.example).diagnostics], code.ident
