"""Each semantic patch does to its example what its expectation says, and nothing to what only looks similar."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kmod.builder import BUILD, SEMANTIC

pytestmark = pytest.mark.skipif(shutil.which("spatch") is None, reason="coccinelle is not installed (run: make setup)")

PATCHES = sorted(SEMANTIC.glob("*.cocci"))


@pytest.mark.parametrize("patch", PATCHES, ids=lambda path: path.stem)
def test_input_becomes_expected(patch: Path, tmp_path: Path) -> None:
    example = tmp_path / "example.c"
    example.write_text(patch.with_suffix(".input.c").read_text())
    subprocess.run(["spatch", "--very-quiet", "--in-place", "--no-show-diff", "--sp-file", patch, example], check=True)
    assert example.read_text() == patch.with_suffix(".expected.c").read_text()


@pytest.mark.parametrize("patch", PATCHES, ids=lambda path: path.stem)
def test_the_head_says_what_why_where_and_what_to_do(patch: Path) -> None:
    head = patch.read_text().partition("@@")[0]
    assert head.startswith(f"// {patch.name[:4]}: ")
    for heading in ("Why: ", "Kernels: ", "Matches nothing"):
        assert f"// {heading}" in head, heading


def test_every_example_belongs_to_a_patch() -> None:
    stems = {path.name.split(".")[0] for path in SEMANTIC.glob("*.c")}
    assert stems == {path.stem for path in PATCHES}


def test_a_hook_that_lands_nowhere_fails_the_build(tmp_path: Path) -> None:
    (patch,) = [each for each in BUILD.read_patches() if each.path.name.startswith("0040")]
    (tmp_path / "ip_vs_conn.c").write_text("static void give_away(void *cp)\n{\n\tkfree(cp);\n}\n")
    with pytest.raises(BUILD.BuildError, match=r"0040-conn-free.cocci does not fit this kernel: .*0 times instead of 1"):
        BUILD.apply_patch(patch, tmp_path)


def test_a_hook_that_lands_twice_fails_the_build(tmp_path: Path) -> None:
    (patch,) = [each for each in BUILD.read_patches() if each.path.name.startswith("0040")]
    line = "\tkmem_cache_free(ip_vs_conn_cachep, cp);\n"
    (tmp_path / "ip_vs_conn.c").write_text(f"static void give_away(void *cp)\n{{\n{line}{line}}}\n")
    with pytest.raises(BUILD.BuildError, match=r"2 times instead of 1"):
        BUILD.apply_patch(patch, tmp_path)


def test_the_lock_array_is_left_alone_where_it_is_gone() -> None:
    (patch,) = [each for each in BUILD.read_patches() if each.path.name.startswith("0100")]
    assert patch.applies((6, 1))
    assert patch.applies((6, 12))
    assert not patch.applies((7, 0))
    assert not patch.applies((7, 2))
