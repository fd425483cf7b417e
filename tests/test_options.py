"""The command line as getopt_long reads it for keepalived."""

import pytest

from keepalived_py.options import OPTIONS, UsageError, parse, usage


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ([], {}),
        (["-n", "-l"], {"dont-fork": [""], "log-console": [""]}),
        (["-nlD"], {"dont-fork": [""], "log-console": [""], "log-detail": [""]}),
        (["-D", "-D"], {"log-detail": ["", ""]}),
        (["-f", "a"], {"use-file": ["a"]}),
        (["-fa"], {"use-file": ["a"]}),
        (["-nfa"], {"dont-fork": [""], "use-file": ["a"]}),
        (["--use-file=a"], {"use-file": ["a"]}),
        (["--use-file", "a"], {"use-file": ["a"]}),
        (["--use-fi", "a"], {"use-file": ["a"]}),
        (["-f", "-n"], {"use-file": ["-n"]}),
        (["-f", "a", "-f", "b"], {"use-file": ["a", "b"]}),
        (["-t"], {"config-test": [""]}),
        (["-tout"], {"config-test": ["out"]}),
        (["--config-test=out"], {"config-test": ["out"]}),
        (["--config-test="], {"config-test": [""]}),
        (["-g"], {"log-file": [""]}),
        (["-S", "3"], {"log-facility": ["3"]}),
        (["--all"], {"all": [""]}),
        (["-i", "id"], {"config-id": ["id"]}),
    ],
)
def test_what_is_given(words: list[str], given: dict[str, list[str]]) -> None:
    arguments = parse(words)
    assert (arguments.given, arguments.surplus) == (given, ())


@pytest.mark.parametrize(
    ("words", "surplus"),
    [
        (["a", "-n"], ("a",)),
        (["-t", "out"], ("out",)),
        (["--config-test", "out"], ("out",)),
        (["-n", "--", "-l", "--x"], ("-l", "--x")),
        (["-"], ("-",)),
    ],
)
def test_words_left_over(words: list[str], surplus: tuple[str, ...]) -> None:
    assert parse(words).surplus == surplus


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["-Z"], "invalid option -- 'Z'"),
        (["-nZ"], "invalid option -- 'Z'"),
        (["--nope"], "unrecognized option '--nope'"),
        (["-f"], "requires an argument -- 'f'"),
        (["--use-file"], "'--use-file' requires an argument"),
        (["--dont-fork=x"], "'--dont-fork' doesn't allow an argument"),
        (["--dont"], "ambiguous"),
        (["--="], "ambiguous"),
    ],
)
def test_what_is_refused(words: list[str], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        parse(words)


def test_questions_about_what_is_given() -> None:
    arguments = parse(["-D", "-D", "-f", "a", "-fb", "-g"])
    assert arguments.has("log-detail") and not arguments.has("snmp")
    assert (arguments.count("log-detail"), arguments.count("snmp")) == (2, 0)
    assert (arguments.last("use-file"), arguments.last("log-file"), arguments.last("pid", "x")) == ("b", "", "x")


def test_options_are_declared_once_and_the_help_shows_each() -> None:
    shorts = [option.short for option in OPTIONS if option.short]
    assert len(set(shorts)) == len(shorts)
    assert len({option.long for option in OPTIONS}) == len(OPTIONS)
    text = usage("keepalived-py")
    assert all(f"--{option.long}" in text and option.doc in text for option in OPTIONS)
    assert "--log-file[=FILE]" in text and "--use-file=FILE" in text
