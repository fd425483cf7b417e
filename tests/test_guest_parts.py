"""The guest's parts that can be judged without booting it: versions, the script's surroundings, the answer of a hung KVM."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers import guest, kernel
from tests.helpers.kmsg import complaints


def test_companions_of_another_version_are_named() -> None:
    assert kernel.strangers("6.1.192-2", {"linux-headers-6.1.0-56-amd64": "6.1.192-2"}) == ""
    assert kernel.strangers("6.1.192-2", {"linux-headers-6.1.0-56-amd64": "6.1.192-2", "linux-source-6.1": "6.1.176-1"}) == (
        "linux-source-6.1 6.1.176-1"
    )


@pytest.fixture
def dpkg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A dpkg-query that answers from files ``PACKAGE.FIELD``."""
    program = tmp_path / "dpkg-query"
    program.write_text(
        '#!/bin/sh\nform=${2#*Status-Status\\} ??}; field=${form%\\}}\ncd "$(dirname "$0")"\n'
        'test -f "$3.$field" || exit 1\nprintf "installed %s" "$(cat "$3.$field")"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(kernel, "_BOOT", tmp_path)
    monkeypatch.setattr(kernel, "_MODULES", tmp_path)
    return tmp_path


def _install(folder: Path, source: str) -> None:
    (folder / "linux-image-amd64.Depends").write_text("linux-image-6.1.0-1-amd64 (= 6.1.5-1)")
    (folder / "linux-image-6.1.0-1-amd64.Version").write_text("6.1.5-1")
    (folder / "linux-source-6.1.Version").write_text(source)
    (folder / "vmlinuz-6.1.0-1-amd64").touch()
    (folder / "6.1.0-1-amd64").mkdir()
    (folder / "6.1.0-1-amd64" / "modules.dep").touch()


def test_kernel_of_one_version_is_found(dpkg: Path) -> None:
    _install(dpkg, source="6.1.5-1")
    assert kernel.find() == kernel.Kernel("6.1.0-1-amd64", "6.1.5-1")


def test_source_of_another_version_is_an_error(dpkg: Path) -> None:
    _install(dpkg, source="6.1.4-1")
    with pytest.raises(kernel.GuestError, match=r"image 6\.1\.5-1, but linux-source-6\.1 6\.1\.4-1"):
        kernel.find()


def test_missing_image_file_is_an_error(dpkg: Path) -> None:
    _install(dpkg, source="6.1.5-1")
    (dpkg / "vmlinuz-6.1.0-1-amd64").unlink()
    with pytest.raises(kernel.GuestError, match="vmlinuz-6"):
        kernel.find()


def test_no_kernel_package_is_missing_not_wrong(dpkg: Path) -> None:
    assert list(dpkg.glob("*.Depends")) == []
    with pytest.raises(kernel.GuestMissing, match="make setup"):
        kernel.find()


def _fake_qemu(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "qemu-system-x86_64"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_kvm_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_qemu(tmp_path, monkeypatch, "exec sleep 60")
    start = time.monotonic()
    assert not guest.kvm_works(Path("/boot/vmlinuz"), within=0.2)
    assert time.monotonic() - start < 10.0


def test_kvm_that_boots_the_kernel_to_its_panic_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_qemu(tmp_path, monkeypatch, "echo 'Kernel panic - not syncing: VFS'")
    assert guest.kvm_works(Path("/boot/vmlinuz"), within=10.0)


def test_kvm_that_refuses_does_not_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_qemu(tmp_path, monkeypatch, "echo 'Could not access KVM kernel module'; exit 1")
    assert not guest.kvm_works(Path("/boot/vmlinuz"), within=10.0)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("WARNING: CPU: 0 PID: 177 at net/netfilter/ipvs/ip_vs_conn.c:800 ip_vs_conn_expire+0x1/0x2 [ip_vs]", True),
        ("BUG: unable to handle page fault for address: ffffffffc0a5e000", True),
        ("refcount_t: underflow; use-after-free.", True),
        ("INFO: possible", False),
        ("IPVS: Registered protocols (TCP, UDP, SCTP, AH, ESP)", False),
        ("DEBUG: nothing", False),
    ],
)
def test_complaints_of_the_kernel_are_told_from_its_chatter(line: str, wrong: bool) -> None:
    assert complaints([line]) == ([line] if wrong else [])


def test_scripts_environment_survives_odd_values(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    script = (
        guest._prologue(tmp_path, {"TMPDIR": str(scratch), "WORD": "it's $HOME `x`"})
        + 'printf %s "$WORD|$KEEPALIVED_PY_GUEST|$PWD"'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]})
    assert done.stdout == f"it's $HOME `x`|1|{guest.ROOT}"
    assert f"{Path(sys.executable).parent}:" in script
