"""The Makefile's targets are the ones that its help, its README and the build machine rely on."""

import subprocess

import pytest

from tests.helpers.guest import ROOT


def _make(*arguments: str) -> str:
    done = subprocess.run(
        ["make", "--no-print-directory", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_is_the_default_and_lists_every_target() -> None:
    text = _make()
    listed = {line.split()[1] for line in text.splitlines()}
    makefile = (ROOT / "Makefile").read_text()
    phony = next(line for line in makefile.splitlines() if line.startswith(".PHONY:")).split()[1:]
    assert listed == set(phony) - {"packages"}


@pytest.mark.parametrize(
    ("target", "expected"),
    [("test", ["ruff check", "mypy", "pytest -m 'not full'"]), ("demo", ["tests.helpers.guest run", "examples.lab.demo"])],
)
def test_the_two_commands_set_up_first(target: str, expected: list[str]) -> None:
    plan = _make("--dry-run", target)
    places = [plan.index(step) for step in [".ci/packages", *expected]]
    assert places == sorted(places)


def test_tiers_do_not_overlap_and_leave_nothing_out() -> None:
    plan = _make("--dry-run", "test-fast", "test-net", "test-parity", "test-guest")
    expressions = [line.split("-m '")[1].rstrip("'") for line in plan.splitlines() if "pytest -m" in line]
    assert len(expressions) == 4
    markers = [
        frozenset(marks) for marks in ((), ("net",), ("parity",), ("guest",), ("parity", "guest"), ("full",), ("net", "full"))
    ]
    for marks in markers:
        names = {name: name in marks for name in ("net", "parity", "guest", "full")}
        chosen = [expression for expression in expressions if eval(expression, {"__builtins__": {}}, names)]
        assert len(chosen) == (0 if "full" in marks else 1), (marks, chosen)


def test_the_build_machine_runs_make_test() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert "exec make test" in script
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
