"""Loading ip_vs: what is run for it, and the remedy when that fails."""

import subprocess
from pathlib import Path

import pytest

from keepalived_py.system import modules


class Tools:
    """Stands in for modprobe and insmod."""

    def __init__(self, status: int = 0, stderr: str = "") -> None:
        self.status = status
        self.stderr = stderr
        self.ran: list[list[str]] = []

    def run(self, argv: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.ran.append(argv)
        return subprocess.CompletedProcess(argv, self.status, "", self.stderr)


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tools:
    stand_in = Tools()
    monkeypatch.setattr(subprocess, "run", stand_in.run)
    monkeypatch.setattr(modules, "_MODULES", tmp_path)
    return stand_in


def test_a_module_that_is_there_is_not_loaded_again(tools: Tools, tmp_path: Path) -> None:
    (tmp_path / "ip_vs").mkdir()
    assert modules.load_ip_vs(None, ()) == ""
    assert tools.ran == []


@pytest.mark.parametrize(
    ("module", "argv"),
    [
        (None, ["/sbin/modprobe", "ip_vs", "conn_tab_bits=20"]),
        ("ip_vs-fnat", ["/sbin/modprobe", "ip_vs-fnat", "conn_tab_bits=20"]),
        ("/lib/ip_vs.ko", ["/sbin/insmod", "/lib/ip_vs.ko", "conn_tab_bits=20"]),
    ],
)
def test_names_are_for_modprobe_and_paths_for_insmod(tools: Tools, module: str | None, argv: list[str]) -> None:
    assert modules.load_ip_vs(module, ("conn_tab_bits=20",)) == ""
    assert tools.ran == [argv]


@pytest.mark.parametrize("module", ["-r", "../ip_vs.ko", "a b", "ip_vs;reboot"])
def test_what_is_no_module_is_refused(tools: Tools, module: str) -> None:
    assert "is neither a module's name nor an absolute path" in modules.load_ip_vs(module, ())
    assert tools.ran == []


@pytest.mark.parametrize("option", ["-r", "--remove", "bits", "a=b c", "a=b\n"])
def test_what_is_no_option_is_refused(tools: Tools, option: str) -> None:
    assert "is not name=value" in modules.load_ip_vs(None, (option,))
    assert tools.ran == []


def test_a_failure_says_what_was_tried_and_why_it_failed(tools: Tools) -> None:
    tools.status, tools.stderr = 1, "modprobe: FATAL: Module ip_vs not found in directory /lib/modules/6.1\n"
    assert modules.load_ip_vs(None, ()) == f"modprobe ip_vs failed: {tools.stderr.strip()}"
    tools.stderr = ""
    assert modules.load_ip_vs(None, ()) == "modprobe ip_vs failed: status 1"


def test_a_tool_that_is_missing_or_hangs_is_a_failure(tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(argv: list[str], **_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", argv[0])

    def hanging(argv: list[str], timeout: float = 0, **_: object) -> None:
        raise subprocess.TimeoutExpired(argv, timeout)

    for behave in (missing, hanging):
        monkeypatch.setattr(subprocess, "run", behave)
        assert modules.load_ip_vs(None, ()).startswith("modprobe ip_vs cannot be run: ")
