"""The slow judges of the kernel module: another kernel, instruction and byte counts, the newest source."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bench import fnat_icount, session_memory
from tests.helpers import fullnat, kernel, kernels
from tests.helpers.guest import Guest
from tests.helpers.kernel import GuestMissing
from tests.kmod.builder import BUILD, ROOT

pytestmark = pytest.mark.full


@pytest.fixture(autouse=True)
def module() -> None:
    """The module of the usual guest is built."""
    try:
        kernel.find()
    except GuestMissing as missing:
        pytest.skip(str(missing))
    fullnat.build()
    verdict, _, text = (fullnat.folder(kernel.find().release) / "outcome").read_text().partition("\n")
    if verdict == "missing":
        pytest.skip(text)
    assert verdict == "ok", text


def test_a_packet_costs_at_most_nine_tenths_of_stock_nat() -> None:
    numbers = fnat_icount.outside(5)
    assert numbers["ratio in"] <= fnat_icount.BOUND, numbers
    assert numbers["ratio out"] <= fnat_icount.BOUND, numbers


def test_a_session_takes_at_most_five_hundred_bytes_and_ports_are_used_up_exactly() -> None:
    numbers = session_memory.outside()
    assert numbers["bytes"] <= session_memory.BOUND, numbers
    assert numbers["sessions"] == 9 * session_memory.PORTS
    assert (numbers["least"], numbers["most"]) == (session_memory.PORTS, session_memory.PORTS)
    assert numbers["refused"] == session_memory.CLIENTS - numbers["sessions"]
    assert numbers["complaints"] == 0
    assert numbers["told"] <= 1


def run_on(unpacked: kernels.Unpacked, *tests: str, within: float = 3000) -> None:
    """Run guest tests on another kernel."""
    fullnat.build(unpacked.release, unpacked.headers)
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-m", "not full", *tests]
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    guest = Guest(shlex.join(argv), image=unpacked.image, env=environment)
    try:
        status = guest.wait(within)
    finally:
        guest.kill()
    said = guest.output.read_text(errors="replace")
    assert status == 0, said[-20_000:]
    assert " passed" in said
    assert " skipped" not in said, said[-2000:]


def test_the_second_kernel_passes_the_same_tests() -> None:
    unpacked = kernels.fetch("6.12")
    tests = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "guest").glob("test_fullnat_*.py"))
    run_on(unpacked, *tests)


def test_the_patches_fit_the_newest_source_of_sid(tmp_path: Path) -> None:
    """Counted, not built: its build tools do not run here."""
    options = sid_options(tmp_path)
    update = subprocess.run(["apt-get", "-q", *options, "update"], capture_output=True, text=True, check=False)
    if update.returncode != 0:
        pytest.skip(f"sid cannot be reached: {update.stderr.strip()[-200:]}")
    depends = subprocess.run(["apt-cache", *options, "depends", "linux-source"], capture_output=True, text=True, check=True).stdout
    package = next(line.split()[-1] for line in depends.splitlines() if "Depends:" in line)
    series = package.removeprefix("linux-source-")
    subprocess.run(["apt-get", "-q", *options, "download", package], cwd=tmp_path, check=True, capture_output=True)
    (deb,) = tmp_path.glob("*.deb")
    member = f"./usr/src/{package}.tar.xz"
    pipe = f"dpkg-deb --fsys-tarfile {deb} | tar -xO {member} | tar -xJ -C {tmp_path} {package}/net/netfilter/ipvs"
    subprocess.run(["bash", "-c", f"set -o pipefail; nice {pipe}"], check=True)
    major, minor = map(int, series.split("."))
    pristine = tmp_path / package / "net" / "netfilter" / "ipvs"
    patched = BUILD.patch_only((major, minor), pristine, tmp_path / "out")
    assert "ip_vs_fnat_conn_alloc" in (patched / "ip_vs_conn.c").read_text()


def sid_options(folder: Path) -> list[str]:
    """Options that let apt work on a world of its own."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / "apt" / name).mkdir(parents=True)
    source = folder / "apt" / "sid.list"
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    source.write_text(f"deb [signed-by={keys}] http://deb.debian.org/debian sid main\n")
    settings = {
        "Dir::Etc::sourcelist": source,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": folder / "apt" / "lists",
        "Dir::Cache": folder / "apt" / "cache",
        "APT::Sandbox::User": "root",
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
