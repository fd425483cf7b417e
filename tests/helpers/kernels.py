"""Kernels that are not installed: Debian's packages of another series, unpacked into the cache, to boot and to build for."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.kernel import GuestError, GuestMissing

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "kernels"


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A kernel's packages below `root`, as they would be below ``/``."""

    release: str
    root: Path

    @property
    def image(self) -> Path:
        return self.root / "boot" / f"vmlinuz-{self.release}"

    @property
    def headers(self) -> Path:
        return self.root / "usr" / "src" / f"linux-headers-{self.release}"


def fetch(series: str) -> Unpacked:
    """Download and unpack the newest kernel of a series that apt knows, once.

    Raises:
        GuestMissing: apt knows none.
        GuestError: It cannot be downloaded.
    """
    release = newest(series)
    made = Unpacked(release, CACHE / release)
    if (made.root / "complete").exists():
        return made
    made.root.mkdir(parents=True, exist_ok=True)
    common = release.rpartition("-")[0] if not release.endswith("deb12-amd64") else release.removesuffix("-amd64")
    names = [f"linux-image-{release}", f"linux-headers-{release}", f"linux-headers-{common}-common", f"linux-kbuild-{common}"]
    argv = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *names]
    done = subprocess.run(argv, cwd=made.root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise GuestError(f"kernel {release} cannot be downloaded: {done.stderr.strip()}")
    for deb in made.root.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", deb, made.root], check=True)
        deb.unlink()
    # The headers name one file by its installed path.
    makefile = made.headers / "Makefile"
    makefile.write_text(re.sub(r"(?<= )/usr/src", str(made.root / "usr" / "src"), makefile.read_text()))
    subprocess.run(["depmod", "-b", made.root, release], check=True)
    (made.root / "complete").touch()
    return made


def newest(series: str) -> str:
    """Return the newest release of a series for amd64, without real-time and cloud variants."""
    pattern = rf"^linux-image-{re.escape(series)}[^ ]*-amd64$"
    done = subprocess.run(["apt-cache", "search", "--names-only", pattern], capture_output=True, text=True, check=False)
    found = [line.split()[0].removeprefix("linux-image-") for line in done.stdout.splitlines()]
    found = [name for name in found if "-rt-" not in name and "-cloud-" not in name and re.search(r"\d", name.removeprefix(series))]
    if not found:
        raise GuestMissing(f"apt knows no kernel of the series {series}")
    return max(found, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])
