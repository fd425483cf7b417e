"""Lines of several files in the order in which they count: includes, conditions, definitions, sequences, and limits."""

from collections.abc import Callable

import pytest

from keepalived_py.parser.diagnostics import Code
from keepalived_py.parser.origins import LineId, Origins
from keepalived_py.parser.reader import CLOSE, OPEN, LineReader, StrictIncludeError, plain_segments
from keepalived_py.parser.source import Include, Opened, Problem, SourceFile, alternatives, source_from_text


class Files:
    """A disk made of a table: pattern -> names, and names -> text."""

    def __init__(self, **texts: str) -> None:
        self.texts = {name.replace("__", "/").replace("_", "."): text for name, text in texts.items()}
        self.problems: dict[str, Include] = {}
        self.asked: list[tuple[str, str, str]] = []

    def open(self, pattern: str, directory: str, shown_in: str) -> Opened:
        self.asked.append((pattern, directory, shown_in))
        if pattern in self.problems:
            return Opened((), (Problem(self.problems[pattern], f"{pattern} cannot be had"),))
        names = sorted(self.texts) if pattern == "*" else [pattern]
        return Opened(tuple(self.file(name) for name in names), ())

    def file(self, name: str) -> SourceFile:
        folder = name.rpartition("/")[0] or "."
        return source_from_text(name, self.texts[name], folder)


class Read:
    """What reading ``main`` gives: `lines` of words with braces as text, `told` codes with their places."""

    def __init__(self, text: str, files: Files | None = None, *, strict: Include = Include.LENIENT, config_id: str = "me") -> None:
        self.files = files or Files()
        self.origins = Origins()
        self.told: list[tuple[str, str]] = []
        self.reader = LineReader(
            self.origins,
            self._report,
            config_id=config_id,
            environment={"HOME": "/root"}.get,
            strict=strict,
            opener=self.files.open,
        )
        self.lines: list[str] = []
        self.places: list[str] = []
        for words, _, line in self.reader.segments([source_from_text("main", text)]):
            self.lines.append("{" if words is OPEN else "}" if words is CLOSE else "|".join(words))
            place = self.origins.place(line)
            self.places.append(f"{place.file}:{place.line}" if place else "?")

    def _report(self, code: Code, text: str, line: LineId, word: str) -> None:
        place = self.origins.place(line, word)
        self.told.append((code.name, f"{place.file}:{place.line}:{place.column}" if place else "?"))


def lines(text: str, **files: str) -> list[str]:
    """Read text that has nothing wrong with it."""
    read = Read(text, Files(**files))
    assert read.told == []
    return read.lines


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("a b\nc", ["a|b", "c"]),
        ("\n  \n# c\n! d\na # e\n", ["a"]),
        ("a {\n b\n}\n", ["a", "{", "b", "}"]),
        ("a { b } c\n", ["a", "{", "b", "}", "c"]),
        ("a{b}", ["a", "{", "b", "}"]),
        ("{\n}\n", ["{", "}"]),
        ("{{}}", ["{", "{", "}", "}"]),
        ("a\r\nb c\r\n", ["a", "b|c"]),
        ('a "b c" "{" d\n', ["a|b c|{|d"]),
        ('a "b#c!d" # e\n', ["a|b#c!d"]),
        ("a\tb\fc\vd\n", ["a|b|c|d"]),
        ("é à\n", ["é|à"]),
        ("a\u00a0b\u2028c d\n", ["a\u00a0b\u2028c|d"]),
        ("\udce9 \udcff\n", ["\udce9|\udcff"]),
        ("\ufeffa\n", ["\ufeffa"]),
        (r"a\#b" + "\n", ["a#b"]),
        ("a \\\nb\n", ["a\\", "b"]),
        ("", []),
    ],
)
def test_text_becomes_words_and_braces(text: str, made: list[str]) -> None:
    assert lines(text) == made


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("@me a\n@other b\n", ["a"]),
        ("@^me a\n@^other b\n", ["b"]),
        ("@ a\n@me\n", []),
        ("@!me a\n", []),
        ("@me a {\n@me b\n}\n", ["a", "{", "b", "}"]),
        ("@me $A=1\n@^me $A=2\nk $A\n", ["k|1"]),
        ("  @me a\n", ["a"]),
        ("@me\ta\n", ["a"]),
        ("x @me\n", ["x|@me"]),
    ],
)
def test_conditional_lines(text: str, made: list[str]) -> None:
    assert lines(text) == made


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("$A=1\nk $A\n", ["k|1"]),
        ("$A=k 1\n$A\n", ["k|1"]),
        ("$A=k { l }\n$A\n", ["k", "{", "l", "}"]),
        ("$A=1 # c\nk $A\n", ["k|1"]),
        ("$A=\nk $A l\n", ["k|l"]),
        ("$A= \\\n a \\\n b {\\\n c\n$A\nd\n", ["a", "b", "{", "c", "d"]),
        ("$A=\\\n a \\\n\n$A\n", ["a"]),
        ("$A= a \\\n b\nx $A\n", ["x|a", "b"]),
        ("$A= \\\n x$B \\\n y$B\n$B=1\n$A\n$B=2\n$A\n", ["x1", "y1", "x2", "y2"]),
        ("$A= \\\n $B \\\n z\n$B= \\\n x \\\n y\n$A\n", ["x", "y", "z"]),
        ("${_HASH}\na${_HASH}b\n", ["a"]),
        ("$A=k\nx { $A }\n", ["x", "{", "k", "}"]),
        ("$A=k\nx {$A}\n", ["x", "{", "$A", "}"]),
        ("$A=k\nx { ${A} }\n", ["x", "{", "k", "}"]),
        ("k $A\n", ["k|$A"]),
    ],
)
def test_definitions(text: str, made: list[str]) -> None:
    assert lines(text) == made


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("~SEQ(i, 1, 3) a$i\nb\n", ["a1", "a2", "a3", "b"]),
        ("~SEQ(i, 1, 2) ~SEQ(j, 1, 2) a${i}${j}\n", ["a11", "a12", "a21", "a22"]),
        ("$B= \\\n x$i \\\n y$i\n~SEQ(i, 1, 2) $B\n", ["x1", "y1", "x2", "y2"]),
        ("$S=~SEQ(i, 1, 2) a$i\n$S\n", ["a1", "a2"]),
        ("~SEQ(i, 1, 2) a$i {\n", ["a1", "{", "a2", "{"]),
        ("~SEQ(i, 1, 2) k${i} { l }\n", ["k1", "{", "l", "}", "k2", "{", "l", "}"]),
        ("~LST({n,v}, {a,1}, {b,2}) ${n}|${v}\nk $v\n", ["a|1", "b|2", "k|2"]),
        ("~SEQ(i, 1, 2) include f$i\nb\n", ["one", "two", "b"]),
        ("~FOO(x) y\n", ["~FOO(x)|y"]),
    ],
)
def test_sequences(text: str, made: list[str]) -> None:
    assert lines(text, f1="one\n", f2="two\n") == made


def test_includes_nest_and_are_named_as_the_user_finds_them() -> None:
    read = Read("a\ninclude d/one\nb\n", Files(d__one="x\ninclude two\ny\n", two="z\n"))
    assert read.lines == ["a", "x", "z", "y", "b"]
    assert read.places == ["main:1", "d/one:1", "two:1", "d/one:3", "main:3"]
    assert read.files.asked == [("d/one", ".", ""), ("two", "d", "d")]


def test_an_include_reads_its_files_in_order_and_may_stand_inside_a_block() -> None:
    assert lines("a {\ninclude *\n}\n", y="2\n", x="1\n") == ["a", "{", "1", "2", "}"]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("include a b", "a b"),
        ('include "a"', '"a"'),
        ("include  a.conf  # why", "a.conf"),
        ("include {a,b}.conf", "{a,b}.conf"),
        ("include ${_PWD}/a", "./a"),
        ("@me include a", "a"),
        ("$A=include a\n$A", "a"),
    ],
)
def test_the_rest_of_the_line_is_the_name(line: str, name: str) -> None:
    files = Files()
    files.problems[name] = Include.MATCH
    assert Read(f"{line}\n", files).told[0][0] == "file-not-read"
    assert files.asked[0][0] == name


@pytest.mark.parametrize("word", ["includez", "includerm", "included", "include_check", "INCLUDE"])
def test_other_words_are_no_includes(word: str) -> None:
    assert lines(f"{word} a\n") == [f"{word}|a"]


@pytest.mark.parametrize("letter", ["", "r", "m", "w", "b", "a"])
@pytest.mark.parametrize("check", [Include.READABLE, Include.MATCH, Include.WILDCARD, Include.BRACE])
def test_the_letter_says_what_is_fatal(letter: str, check: Include) -> None:
    files = Files()
    files.problems["f"] = check
    fatal = {
        Include.READABLE: "rmwba",
        Include.MATCH: "mwa",
        Include.WILDCARD: "wa",
        Include.BRACE: "ba",
    }[check]
    if letter and letter in fatal:
        with pytest.raises(StrictIncludeError):
            Read(f"include{letter} f\n", files)
    else:
        assert Read(f"include{letter} f\nk\n", files).lines == ["k"]


def test_strictness_from_outside_makes_every_include_strict() -> None:
    files = Files()
    files.problems["f"] = Include.WILDCARD
    with pytest.raises(StrictIncludeError):
        Read("include f\n", files, strict=Include.ALL)


def test_strictness_set_inside_a_file_ends_with_it() -> None:
    files = Files(f="set\ninclude g\n", g="x\n")
    read = Read("", files)
    seen = []
    for words, _, _ in read.reader.segments([source_from_text("main", "include f\ninclude g\n")]):
        if words == ["set"]:
            read.reader.strict = Include.ALL
        seen.append((words[0], read.reader.strict))
    assert seen == [("set", Include.ALL), ("x", Include.ALL), ("x", Include.LENIENT)]


def test_an_include_loop_ends() -> None:
    read = Read("a\ninclude f\nb\n", Files(f="x\ninclude f\n"))
    assert read.lines[0] == "a" and read.lines[-1] == "b"
    assert ("include-too-deep", "f:2:9") in read.told
    with pytest.raises(StrictIncludeError):
        Read("includer f\n", Files(f="x\nincluder f\n"))


def test_a_line_too_long_is_left_out_and_the_numbers_of_others_stay() -> None:
    read = Read(f"a\nb {'x' * 1022}\nc {'y' * 1021}\nd\n")
    assert read.lines == ["a", f"c|{'y' * 1021}", "d"]
    assert read.told == [("line-too-long", "main:2:1")]
    assert read.places == ["main:1", "main:3", "main:4"]


def test_bytes_count_not_characters() -> None:
    assert Read("é" * 511 + "\n").told == []
    assert Read("é" * 512 + "\n").told == [("line-too-long", "main:1:1")]


def test_a_line_with_a_nul_is_left_out() -> None:
    read = Read("a\nb\0c\n# d\0\ne\n")
    assert read.lines == ["a", "e"]
    assert read.told == [("embedded-nul", "main:2:1"), ("embedded-nul", "main:3:1")]


def test_an_open_quote_is_reported_once_and_the_words_before_it_count() -> None:
    read = Read('a b "c d\n')
    assert read.lines == ["a|b"]
    assert read.told == [("unmatched-quote", "main:1:5")]


@pytest.mark.parametrize("line", ["~SEQ(i, 1, 0, 3) x", "~LST(v a) x", "~SEQ x"])
def test_a_malformed_sequence_is_left_out(line: str) -> None:
    read = Read(f"{line}\na\n")
    assert (read.lines, read.told) == (["a"], [("bad-sequence", "main:1:1")])


def test_a_built_in_with_bad_parameters_is_left_as_it_is() -> None:
    read = Read("k ${_RANDOM x}\n")
    assert read.lines == ["k|$", "{", "_RANDOM|x", "}"]
    assert read.told[0][0] == "bad-definition-parameter"


@pytest.mark.parametrize(
    "bomb",
    [
        "$A=$A$A x\n$A\n",
        "$A=${B} x\n$B=${A} y\n${A}\n",
        "".join(f"$X{i}= \\\n $X{i + 1} \\\n $X{i + 1}\n" for i in range(40)) + "$X40=x\n$X0\n",
        "~SEQ(a, 1, 99999) x\n",
        "~SEQ(a, 1, 99999999) x\n",
        "~SEQ(a, 1, 9999) ~SEQ(b, 1, 9999) x\n",
        "$A= \\\n $A \\\n $A\n$A\n",
    ],
    ids=["doubling", "mutual", "binary tree", "long sequence", "longer sequence", "product", "multi-line recursion"],
)
def test_bombs_end_with_a_word_about_it(bomb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keepalived_py.parser.reader.MAX_EXPANDED", 20_000)
    read = Read(bomb + "end\n")
    assert read.lines[-1] == "end"
    assert len(read.lines) <= 20_002
    assert {code for code, _ in read.told} & {"expansion-too-deep", "expansion-too-long", "bad-sequence"}


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("\tweight 1", ((["weight", "1"], "\tweight 1"),)),
        ("", ()),
        (" \t", ()),
        ("# a { b", ()),
        ("\t}", ((CLOSE, "\t}"),)),
        ("a b {", ((["a", "b"], "a b "), (OPEN, "a b {"))),
        ('a "b c"', ((["a", "b c"], 'a "b c"'),)),
        ("a b # c", None),
        ("a { b", None),
        ('a "b', None),
        ("include a", None),
        ("$A=1", None),
        ("a é", None),
        ("a" * 1024, None),
    ],
)
def test_lines_that_mean_the_same_everywhere_are_worked_out_once(text: str, made: object) -> None:
    assert plain_segments(text) == made


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.conf", ["a.conf"]),
        ("{a,b}.conf", ["a.conf", "b.conf"]),
        ("a{1,2{x,y}}", ["a1", "a2x", "a2y"]),
        ("{a,b}{c,d}", ["ac", "ad", "bc", "bd"]),
        ("{a,}", ["a", ""]),
        ("{a", ["{a"]),
        ("a}b", ["a}b"]),
        ("{}", [""]),
    ],
)
def test_brace_groups(pattern: str, names: list[str]) -> None:
    assert alternatives(pattern) == names


def test_a_brace_bomb_is_cut() -> None:
    assert len(alternatives("{a,b}" * 40)) <= 4096


def test_lines_that_repeat_give_what_lines_read_one_by_one_give() -> None:
    """The short way and the long way must agree on everything that looks plain."""
    samples = ["weight 1", "\t  a  b ", "x {", "}", '"a" b', "a\\b", "a ~b", "k @x", "", "# c", "a \x0b b", "x#y", "é"]

    def long_way(text: str) -> list[str]:
        read = Read("")
        return ["{" if words is OPEN else "}" if words is CLOSE else "|".join(words) for words, _, _ in physical(read)(text)]

    for sample in samples:
        assert Read(f"{sample}\n{sample}\n").lines == long_way(sample) * 2, sample


def physical(read: Read) -> Callable[[str], list[tuple[list[str], str, LineId]]]:
    """Return the reader's long way, which every line can take."""
    return lambda text: list(read.reader._physical(text, LineId(0)))
