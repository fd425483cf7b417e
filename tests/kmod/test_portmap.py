"""The port bitmap, compiled for user space: exact fill, reuse distance, changing ranges, lack of memory, threads."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kmod.builder import KMOD

HERE = Path(__file__).parent
COMPILER = shutil.which("gcc") or shutil.which("clang")
FLAGS = ["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-sign-compare", "-Werror", "-pthread"]

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler is installed (run: make setup)")


@pytest.fixture(scope="module", params=["", "address,undefined", "thread"], ids=["plain", "asan", "tsan"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert COMPILER
    out = tmp_path_factory.mktemp("portmap") / "portmap_test"
    sanitize = [f"-fsanitize={request.param}"] if request.param else []
    # It does not know fences; the bit operations of the shim are ordered without them.
    sanitize += ["-Wno-tsan"] if request.param == "thread" and "gcc" in COMPILER else []
    argv: list[str | Path] = [
        COMPILER,
        *FLAGS,
        *sanitize,
        f"-I{HERE}/shim",
        f"-I{KMOD}/src",
        HERE / "portmap_test.c",
        KMOD / "src" / "portmap.c",
    ]
    subprocess.run([*argv, "-o", out], check=True)
    return out


@pytest.mark.parametrize("case", ["fill", "distance", "range", "memory", "threads"])
def test_portmap(program: Path, case: str) -> None:
    done = subprocess.run([program, case], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
