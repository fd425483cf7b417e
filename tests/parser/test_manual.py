"""`parser.manual`: the committed pages are what the declarations say, and the pages are well formed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from keepalived_py.parser.codes import all_codes
from keepalived_py.parser.keywords.root import ROOT
from keepalived_py.parser.manual import PAGES, conf_page, diagnostics_page, dictionary, entries, features, features_text
from keepalived_py.parser.schema import Effect

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("path", PAGES)
def test_the_committed_page_is_the_generated_one(path: str) -> None:
    assert (REPOSITORY / path).read_text() == PAGES[path](), "run `make docs`"


def test_every_word_has_a_sentence_and_ends_it() -> None:
    for path, entry in entries():
        assert entry.doc.endswith("."), f"{'/'.join(path)}: {entry.doc!r}"


def test_what_is_not_honoured_says_why() -> None:
    for path, entry in entries():
        assert entry.effect is Effect.HONOURED or entry.why, "/".join(path)


def test_every_word_is_in_every_table() -> None:
    names = {entry.name for _, entry in entries()}
    page, words, shown = conf_page(), dictionary(), features_text()
    for name in names:
        assert name.replace("-", "\\-") in page
        assert f'"{name}"' in words
        assert name in shown
    assert len(features()) == sum(1 for _ in ROOT.walk())


def test_codes_are_unique_and_described() -> None:
    codes = all_codes()
    assert len({code.ident for code in codes}) == len({code.name for code in codes}) == len(codes)
    page = diagnostics_page()
    for code in codes:
        assert f"## {code.ident} {code.name}\n" in page
        assert code.doc.endswith("."), code.ident


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
@pytest.mark.parametrize("name", ["keepalived-py.conf.5", "keepalived-py.8"])
def test_man_has_nothing_to_complain_of(name: str) -> None:
    page = REPOSITORY / "docs" / "man" / name
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(page)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr[:2000]
