"""Tests in the guest are reported as what they are, also when the guest crashes, hangs or cannot even begin.

Boots several guests, so it belongs to the tier ``full``.
"""

import contextlib
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from examples.lab import eventually
from tests.helpers.guest import ROOT, requirements
from tests.helpers.kernel import GuestMissing

pytestmark = pytest.mark.full

_CONFTEST = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.helpers import guest_tests

def pytest_configure(config):
    config.addinivalue_line("markers", "guest: runs in the guest")
    guest_tests.register(config)
"""

_TESTS = """
import os, time, warnings
from pathlib import Path
import pytest

pytestmark = pytest.mark.guest

def test_passes(): assert "virtme" in Path("/proc/cmdline").read_text()
def test_fails():
    print("said before")
    assert os.uname().release == "another"
def test_skips(): pytest.skip("a reason from inside")
@pytest.mark.xfail(strict=True)
def test_expected_to_fail(): assert False
@pytest.mark.parametrize("word", ["a b", "it's", "[x]"])
def test_odd_names(word): pass
def test_panics(): Path("/proc/sysrq-trigger").write_text("c"); time.sleep(60)
def test_runs_after_the_panic(): pass
@pytest.mark.guest(limit=10)
def test_hangs(): time.sleep(1000)
def test_runs_after_the_hang(): pass
"""

_CANNOT_BE_COLLECTED = """
import os
import pytest
pytestmark = pytest.mark.guest
if os.environ.get("KEEPALIVED_PY_GUEST"):
    raise RuntimeError("only in here")
def test_one(): pass
def test_two(): pass
"""


def _pytest(folder: Path, tests: str) -> tuple[int, str]:
    try:
        requirements()
    except GuestMissing as missing:
        pytest.skip(str(missing))
    (folder / "conftest.py").write_text(_CONFTEST)
    (folder / "test_it.py").write_text(tests)
    (folder / "pytest.ini").write_text("[pytest]\n")
    argv = [sys.executable, "-m", "pytest", "-rA", str(folder)]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=900, check=False)
    return done.returncode, done.stdout + done.stderr


def test_outcomes_are_replayed_one_by_one(tmp_path: Path) -> None:
    status, output = _pytest(tmp_path, _TESTS)
    assert status == 1, output
    assert re.search(r"^=+ 3 failed, 6 passed, 1 skipped, 1 xfailed in", output, re.MULTILINE), output
    assert "AssertionError: assert '6." in output  # the text of the failure inside
    assert "said before" in output
    assert "a reason from inside" in output
    assert re.search(r"^_+ test_panics _+\nthe guest ended$", output, re.MULTILINE), output
    assert "sysrq: Trigger a crash" in output  # the end of the guest's console
    assert re.search(r"^_+ test_hangs _+\nno sign of life from the guest for 10 s$", output, re.MULTILINE), output


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_guest_outlives_the_process_that_booted_it(number: signal.Signals) -> None:
    argv = [sys.executable, "-m", "tests.helpers.guest", "run", "--", "sh", "-c", "echo $GUEST_OUT; sleep 1000"]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        folder = owner.stdout.readline().strip()
        assert len(_machines(folder)) == 1
        assert f"path={folder}/virtme_ret" in _command_line(*_machines(folder))  # the file it would leave in /tmp
        owner.send_signal(number)
        owner.wait(15)
    eventually(lambda: not _machines(folder), "QEMU ends")


def _command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def _machines(folder: str) -> set[int]:
    """Process ids of the QEMUs whose guest writes into ``folder``."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if words[0].endswith(b"qemu-system-x86_64") and any(folder.encode() in word for word in words):
                found.add(int(path.parent.name))
    return found


def test_a_guest_that_cannot_begin_fails_all_with_its_words(tmp_path: Path) -> None:
    status, output = _pytest(tmp_path, _CANNOT_BE_COLLECTED)
    assert status == 1
    assert re.search(r"^=+ 2 failed in", output, re.MULTILINE), output
    assert "RuntimeError: only in here" in output
