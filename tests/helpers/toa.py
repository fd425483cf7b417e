"""The TOA receiver for tests: built on the host, run in the guest."""

import os
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".cache" / "toa"
PROGRAM = FOLDER / "keepalived-py-toa"
_CGROUP2 = 0x63677270
_BPF_FS = 0xCAFE4A11


def build() -> None:
    """On the host, before the guest boots: build it and write down what came of it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["make", "--no-print-directory", "-C", str(ROOT / "toa")], capture_output=True, text=True, check=False)
    missing = next((name for name in ("clang", "bpftool", "bpf/libbpf.h") if f"{name}: N" in done.stderr), None)
    verdict = "ok" if done.returncode == 0 else "missing" if missing else "failed"
    (FOLDER / "outcome").write_text(f"{verdict}\n{missing or ''} {done.stderr}")


def outcome() -> tuple[str, str]:
    """In the guest: what came of the build, ``ok``, ``missing`` (a tool) or ``failed``, and what it said."""
    path = FOLDER / "outcome"
    verdict, _, text = path.read_text().partition("\n") if path.exists() else ("failed", "", "nobody built it")
    return verdict, text


class Receiver:
    """The program, on this machine's root control group."""

    def __init__(self) -> None:
        self._cgroup = "/sys/fs/cgroup"
        if _kind(self._cgroup) != "cgroup2fs":
            self._cgroup = tempfile.mkdtemp(prefix="cgroup-")
            subprocess.run(["mount", "-t", "cgroup2", "cgroup2", self._cgroup], check=True)
        if _kind("/sys/fs/bpf") != "bpf_fs":
            subprocess.run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"], check=True)

    def __call__(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        argv = [str(PROGRAM), "--cgroup", self._cgroup, *words]
        return subprocess.run(argv, capture_output=True, text=True, check=check, env={**os.environ, "LC_ALL": "C"})

    def status(self) -> dict[str, int]:
        """Return the counters."""
        lines = [line.rpartition(" ") for line in self("status").stdout.splitlines() if not line.startswith("trusted")]
        return {name: int(number) for name, _, number in lines}

    def trusted(self) -> set[str]:
        return {line.split()[1] for line in self("status").stdout.splitlines() if line.startswith("trusted")}


def _kind(path: str) -> str:
    return subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True, check=False).stdout.strip()
