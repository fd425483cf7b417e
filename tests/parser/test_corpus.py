"""Configurations from all over the world, and keepalived's verdict on each: ours is the same.

They live beside the repository of those who develop this, and are not ours to give away; elsewhere these tests are skipped.
"""

import csv
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from keepalived_py.parser.facts import InterfaceFacts
from keepalived_py.parser.load import load
from keepalived_py.system.host import Host
from tests.helpers.facts import interface

SHARED: Final = Path(__file__).parents[3] / "shared"
CORPUS, CASES = SHARED / "corpus", SHARED / "reference" / "cases"
RUNNER: Final = SHARED / "tools" / "verdicts.py"

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of configurations is not here")

ARGUED: Final = {"100-cond_include": "keepalived reads a conditional include twice, and then finds a duplicate"}
"""Verdicts that differ, and why; this list only gets shorter."""

CORPUS_FILES, CASE_FILES = 315, 291
"""How many files there are at least; these numbers only grow."""

_NAME: Final = re.compile(
    r"(eth|ens|enp|eno|em|bond|br|vlan|p\dp|wl|vif|team|v-br|vmbr|vxlan|ib|ha-|qg-|qr-|float|dpdk)[A-Za-z0-9._-]*"
)
_DIALECT: Final = re.compile(
    r"unknown.*\b(FNAT|local_address(_group)?|laddr_group_name|syn_proxy|est_timeout|vip_bind_dev|(deny|allow)_address_group"
    r"|[dw]addr_group_name)\b",
    re.IGNORECASE,
)


class World(Host):
    """The host, with other interfaces."""

    def __init__(self, names: set[str]) -> None:
        super().__init__()
        addresses = {"eth0": ("192.168.1.2",), "eth1": ("192.168.2.2",)}
        self._network = {
            name: interface(name, index, *addresses.get(name, ())) for index, name in enumerate(sorted(names | set(addresses)), 2)
        }
        self._network["lo"] = interface("lo", 1, "127.0.0.1", loopback=True, ethernet=False, multicast=False)

    def interface_exists(self, name: str) -> bool:
        return name in self._network

    def interfaces(self) -> Mapping[str, InterfaceFacts]:
        return self._network


def rows(manifest: Path) -> list[dict[str, str]]:
    if not manifest.exists():
        return []
    with manifest.open(encoding="utf-8") as stream:
        return list(csv.DictReader((line for line in stream if line[0] != "#"), delimiter="\t", quoting=csv.QUOTE_NONE))


def names_in(path: Path, root: Path) -> set[str]:
    """Return what looks like an interface in a file, or in the tree of files that it includes."""
    top = root / path.relative_to(root).parts[0]
    files = [path] if top == path else [each for each in top.rglob("*") if each.is_file()]
    words = {word for each in files for word in re.split(r'[\s{}"=]+', each.read_text("utf-8", "replace"))}
    return {word for word in words if _NAME.fullmatch(word) and len(word) <= 15}


@pytest.mark.parametrize("row", rows(CORPUS / "manifest.tsv"), ids=lambda row: row["file"])
def test_the_verdict_on_a_file_of_the_corpus(row: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = CORPUS / row["file"]
    monkeypatch.chdir(path.parent)
    loaded = load(str(path), World(names_in(path, CORPUS)), config_id="host", testing=True)
    shown = "\n".join(diagnostic.render() for diagnostic in loaded.diagnostics)
    if row["kind"] == "fnat":
        assert loaded.status in (0, 5, 6), shown
        assert not _DIALECT.search(shown)
    else:
        assert loaded.status == int(row["ka_rc"]), shown


def test_files_do_not_get_fewer() -> None:
    corpus, cases = rows(CORPUS / "manifest.tsv"), rows(CASES / "expected.tsv")
    assert len(corpus) >= CORPUS_FILES and len(cases) >= CASE_FILES
    assert set(ARGUED) <= {Path(row["file"]).stem for row in cases}


@pytest.mark.full
@pytest.mark.net
@pytest.mark.parametrize(
    ("manifest", "more"),
    [(CORPUS / "manifest.tsv", []), (CASES / "expected.tsv", ["--plain", "--want-col", "exit_2.4.3"])],
    ids=["corpus", "cases"],
)
def test_the_program_says_the_same_in_namespaces(manifest: Path, more: list[str]) -> None:
    """The program itself, with interfaces of a real kernel: `verdicts.py` also runs on folders that were not seen before."""
    ours = f"{sys.executable} -m keepalived_py.cli -t -f {{file}}"
    command = [sys.executable, str(RUNNER), "--cmd", ours, "--manifest", str(manifest), "--root", str(manifest.parent), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    wrong = [line for line in lines[:-1] if not any(name in line for name in ARGUED)]
    assert re.fullmatch(r"\d+ passed, \d+ failed", lines[-1]) and not wrong, done.stdout + done.stderr
