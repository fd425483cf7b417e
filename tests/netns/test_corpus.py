"""Configurations of other people on a real kernel: keepalived's exit status for each, and a dump that reads back the same.

The files lie beside the repository where it was made, and nowhere else.  The lists of `tests/data` name those that are judged here;
they only grow.
"""

import csv
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import pytest

from tests.helpers.verdicts import Case, Verdict, judge

_SHARED = Path(__file__).parents[3] / "shared"
_CORPUS = _SHARED / "corpus"
_CASES = _SHARED / "reference" / "cases"
_DATA = Path(__file__).parents[1] / "data"

CORPUS_COUNT = 315
CASES_COUNT = 290
"""The only case left out, 100-cond_include.conf, takes an include twice, which is a defect of keepalived's."""

DROPPED_BFD = {
    *("251-pqa-955c.conf", "255-pqa-bfd-both.conf", "337-pqa-bfd-multi.conf", "359-pqa-bfd-616.conf", "363-pqa-1374a.conf"),
    "381-pqa-track-reload.conf",
}
"""Files in which something watches a BFD session that was dropped: a fault for ever, which no text can say again."""

_DIALECT = re.compile(
    r"unknown keyword '(local_address(_group)?|laddr_group_name|syn_proxy|est_timeout|vip_bind_dev|(deny|allow)_address_group"
    r"|[dw]addr_group_name)'|unknown.*\bFNAT\b",
    re.I,
)

pytestmark = pytest.mark.skipif(not _CORPUS.is_dir(), reason="the corpus of configurations is not here")


def listed(name: str) -> list[str]:
    return (_DATA / name).read_text().split()


def rows(manifest: Path) -> dict[str, dict[str, str]]:
    with manifest.open(encoding="utf-8") as stream:
        lines = (line for line in stream if not line.startswith("#"))
        return {row["file"]: row for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)}


@lru_cache(maxsize=1)
def corpus() -> tuple[dict[str, dict[str, str]], Mapping[str, Verdict]]:
    return rows(_CORPUS / "manifest.tsv"), judge(Case(str(_CORPUS), name) for name in listed("corpus.txt"))


@lru_cache(maxsize=1)
def cases() -> tuple[dict[str, dict[str, str]], Mapping[str, Verdict]]:
    table = rows(_CASES / "expected.tsv")
    wanted = (Case(str(_CASES), name, _options(table[name]["args"]), plain=True) for name in listed("cases.txt"))
    return table, judge(wanted)


def _options(words: str) -> tuple[str, ...]:
    return () if words.strip() == "-" else tuple(words.split())


def assert_verdict(verdict: Verdict, wanted: int, kind: str = "") -> None:
    if kind == "fnat":  # the reference does not know the words, which are no mistakes here
        assert verdict.status in (0, 5, 6), verdict.said
        assert not _DIALECT.search(verdict.said)
    elif 0 <= wanted < 128:
        assert verdict.status == wanted, verdict.said
    else:  # the reference crashed: any orderly answer is right
        assert verdict.status in (0, 2, 3, 4, 5, 6), verdict.said
    assert "Traceback" not in verdict.said


@pytest.mark.parametrize(("name", "count"), [("corpus.txt", CORPUS_COUNT), ("cases.txt", CASES_COUNT)])
def test_the_lists_are_complete(name: str, count: int) -> None:
    assert len(set(listed(name))) == count


@pytest.mark.parametrize("name", listed("corpus.txt"))
def test_a_file_of_the_corpus(name: str) -> None:
    table, verdicts = corpus()
    assert_verdict(verdicts[name], int(table[name]["ka_rc"]), table[name]["kind"])
    if name not in DROPPED_BFD:
        assert verdicts[name].dump == ""


@pytest.mark.parametrize("name", listed("cases.txt"))
def test_a_case_of_the_language(name: str) -> None:
    table, verdicts = cases()
    assert_verdict(verdicts[name], int(table[name]["exit_2.4.3"]))
    assert verdicts[name].dump == ""
