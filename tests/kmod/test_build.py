"""The build refuses what it cannot build rightly, with a reason and a remedy, and does not build twice."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import kernel
from tests.kmod.builder import BUILD, KMOD, ROOT

SYMVERS = (
    "0x11111111\tip_vs_conn_new\tnet/netfilter/ipvs/ip_vs\tEXPORT_SYMBOL\t\n"
    "0x22222222\tother\tnet/netfilter/x_tables\tEXPORT_SYMBOL\t\n"
)


def headers(folder: Path, *, release: str = "6.1.0-56-amd64", version: str = "Debian 6.1.192-2", compiler: str = "gcc-12") -> Path:
    generated = folder / "include" / "generated"
    generated.mkdir(parents=True)
    (generated / "utsrelease.h").write_text(f'#define UTS_RELEASE "{release}"\n')
    (generated / "utsversion.h").write_text(f'#define UTS_VERSION "#1 SMP PREEMPT_DYNAMIC {version} (2026-11-16)"\n')
    (generated / "compile.h").write_text(f'#define LINUX_COMPILER\t\t"{compiler} (Debian 12.2.0-14) 12.2.0"\n')
    (folder / "Module.symvers").write_text(SYMVERS)
    return folder


def test_headers_tell_release_version_and_compiler(tmp_path: Path) -> None:
    found = BUILD.find_kernel(None, headers(tmp_path))
    assert (found.release, found.version, found.compiler) == ("6.1.0-56-amd64", "6.1.192-2", "gcc-12")
    assert found.series == (6, 1)
    assert found.series_text == "6.1"


def test_a_kernel_that_is_not_debians_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BUILD.BuildError, match="which source made it cannot be told"):
        BUILD.find_kernel(None, headers(tmp_path, version="6.1.192"))


def test_missing_headers_are_named() -> None:
    with pytest.raises(BUILD.MissingError, match=r"install linux-headers-0\.0\.0-nobody"):
        BUILD.find_kernel("0.0.0-nobody", None)


def test_missing_tools_are_named_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = BUILD.find_kernel(None, headers(tmp_path, compiler="gcc-99"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BUILD.MissingError, match=r"apt-get install binutils coccinelle gcc-99 make tar xz-utils"):
        BUILD.check_tools(found, build=True)


def test_a_source_of_another_version_is_refused_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = BUILD.find_kernel(None, headers(tmp_path))
    monkeypatch.setattr(BUILD, "_installed_version", lambda package: "6.1.176-1")

    def unavailable(*argv: object, **_more: object) -> str:
        raise BUILD.BuildError(f"no such version: {argv}")

    monkeypatch.setattr(BUILD, "run", unavailable)
    with pytest.raises(BUILD.MissingError, match=r"installed is 6\.1\.176-1; run: apt-get install linux-source-6\.1=6\.1\.192-2"):
        BUILD.find_source(found, None, tmp_path)


def test_only_the_modules_own_symbols_are_compared(tmp_path: Path) -> None:
    assert BUILD.exported(headers(tmp_path) / "Module.symvers") == {"ip_vs_conn_new": "0x11111111"}


@pytest.mark.parametrize(
    ("ours", "named"),
    [
        (SYMVERS.replace("0x11111111", "0x33333333"), "ip_vs_conn_new"),
        (SYMVERS.replace("ip_vs_conn_new", "ip_vs_conn_renamed"), "ip_vs_conn_new, ip_vs_conn_renamed"),
    ],
)
def test_a_changed_symbol_fails_the_build(tmp_path: Path, ours: str, named: str) -> None:
    found = BUILD.find_kernel(None, headers(tmp_path))
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "Module.symvers").write_text(ours)
    with pytest.raises(BUILD.BuildError, match=f"differ from the distribution's.*: {named}$"):
        BUILD.check_symbols(tmp_path / "build", found)


@pytest.mark.parametrize("line", ["x.c:1:2: warning: unused variable", 'WARNING: modpost: "nobody" [ip_vs.ko] undefined!'])
def test_warnings_fail_the_build(line: str) -> None:
    with pytest.raises(BUILD.BuildError, match="the build warns"):
        BUILD.check_log(["CC [M] main.o", line])


def test_what_a_directors_build_always_says_is_no_warning() -> None:
    BUILD.check_log(["warning: the compiler differs from the one used to build the kernel", "LD [M]  ip_vs.ko"])


def test_everything_that_the_module_is_made_of_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = BUILD.find_kernel(None, headers(tmp_path / "headers"))
    copy = tmp_path / "kmod"
    shutil.copytree(KMOD, copy)
    monkeypatch.setattr(BUILD, "HERE", copy)
    seen = {BUILD.digest(found, Path("/source"))}
    for name in ("src/tcp.c", "semantic/0010-declare.cocci", "compat/compat.h", "include/uapi/linux/ip_vs_fnat.h", "src/Kbuild"):
        with (copy / name).open("a") as file:
            file.write("\n")
        seen.add(BUILD.digest(found, Path("/source")))
    assert len(seen) == 6


def test_the_program_says_by_its_status_that_something_is_missing(tmp_path: Path) -> None:
    argv: list[str | Path] = [sys.executable, KMOD / "build.py", "--kver", "0.0.0-nobody", "--cache", tmp_path]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == BUILD.MISSING
    assert done.stdout == ""
    assert "kmod: error: no headers for 0.0.0-nobody" in done.stderr


def test_the_guests_kernel_is_built_and_not_twice() -> None:
    try:
        release = kernel.find().release
    except kernel.GuestMissing as missing:
        pytest.skip(str(missing))
    argv: list[str | Path] = [sys.executable, KMOD / "build.py", "--kver", release]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode == BUILD.MISSING:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    module = Path(done.stdout.strip())
    assert module == ROOT / ".cache" / "kmod" / release / "ip_vs.ko"
    before = module.stat().st_mtime_ns
    again = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert again.stderr == ""
    assert module.stat().st_mtime_ns == before
    magic = subprocess.run(["modinfo", "--field", "vermagic", str(module)], capture_output=True, text=True, check=True).stdout
    assert magic.split()[0] == release
