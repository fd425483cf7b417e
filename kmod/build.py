#!/usr/bin/env python3
"""Build ip_vs.ko with FULLNAT for one kernel, out of the distribution's own source of exactly that kernel.

    build.py [--kver RELEASE] [--kdir HEADERS] [--source TARBALL|FOLDER] [--cache FOLDER]
             [--only patch|build|sparse]

The steps: find headers and source of one version; take net/netfilter/ipvs out of the source; apply ``semantic/*.cocci`` and count
that each hook landed exactly as often as its patch says; append our code; build; compare the checksums of all exported symbols with
the distribution's, so that its scheduler modules load on top.  Nothing of the kernel's source stays in this tree: it all happens in
the cache.  What has been built from the same inputs is not built again.

Exit status: 0 built (the path of the module is the last line of the output), 1 failed, 3 something is not installed.

Only the standard library and tools that Debian's build packages bring; no third-party modules, since DKMS runs this on directors.
"""

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).resolve().parent
PATCHED = ("ip_vs_conn.c", "ip_vs_core.c", "ip_vs_ctl.c", "ip_vs_xmit.c")
APPENDED = {
    "ip_vs_conn.c": "conn.inc.c",
    "ip_vs_core.c": "hook.inc.c",
    "ip_vs_ctl.c": "ctl.inc.c",
    "ip_vs_xmit.c": "xmit.inc.c",
}
MODULE = "net/netfilter/ipvs/ip_vs"
MISSING = 3
MEASURED = ((6, 1), (6, 12))
"""Series that the test suite has run on.  Others are built if everything fits, with a warning."""


class BuildError(Exception):
    """The build is not possible, or did not give what it must; the text says why, and what to do."""

    status = 1


class MissingError(BuildError):
    """Something has to be installed first."""

    status = MISSING


@dataclass(frozen=True)
class Kernel:
    """A kernel to build for: `version` is the package's, which headers and source must share."""

    release: str
    version: str
    headers: Path
    compiler: str

    @property
    def series(self) -> tuple[int, int]:
        """The first two numbers of the release, (6, 12)."""
        major, minor = re.match(r"(\d+)\.(\d+)", self.release).groups()  # type: ignore[union-attr]
        return int(major), int(minor)

    @property
    def series_text(self) -> str:
        """The same as Debian's package names have it, ``6.12``."""
        return "{}.{}".format(*self.series)


def say(text: str) -> None:
    """Tell the user about a step."""
    sys.stderr.write(f"kmod: {text}\n")
    sys.stderr.flush()


def run(*argv: str | Path, cwd: Path | None = None, log: Path | None = None) -> str:
    """Run a program and return its output; `BuildError` with the end of the output if it fails."""
    done = subprocess.run([str(word) for word in argv], cwd=cwd, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if log is not None:
        log.write_text(output)
    if done.returncode != 0:
        tail = "\n".join(output.splitlines()[-40:])
        raise BuildError(f"{' '.join(map(str, argv[:4]))} ... ended with status {done.returncode}:\n{tail}")
    return done.stdout


# --- finding ---------------------------------------------------------------------------------------------------------------------


def default_release() -> str:
    """Return the running kernel's release if its headers are here, else that of the only ones that are."""
    running = os.uname().release
    if (Path("/lib/modules") / running / "build").exists():
        return running
    others = sorted(path.parent.name for path in Path("/lib/modules").glob("*/build") if path.exists())
    if len(others) != 1:
        raise MissingError(f"no headers for the running kernel {running} (install linux-headers-{running}, or say KVER=...)")
    return others[0]


def _defined(path: Path, name: str) -> str:
    match = re.search(rf'#define {name}\s+"(.*)"', path.read_text()) if path.exists() else None
    return match[1] if match else ""


def find_kernel(release: str | None, headers: Path | None) -> Kernel:
    """Look at a kernel's headers: which package version they are of, and which compiler made it."""
    if headers is None:
        release = release or default_release()
        headers = Path("/lib/modules") / release / "build"
        if not headers.exists():
            raise MissingError(f"no headers for {release} (install linux-headers-{release})")
    generated = headers / "include" / "generated"
    release = _defined(generated / "utsrelease.h", "UTS_RELEASE")
    found = re.search(r"Debian (\S+)", _defined(generated / "utsversion.h", "UTS_VERSION") or _compile_version(generated))
    if not release or not found:
        raise BuildError(f"{headers} are not headers of a Debian kernel: which source made it cannot be told, so it is refused")
    compiler = _defined(generated / "compile.h", "LINUX_COMPILER").split(" ")[0] or "gcc"
    return Kernel(release, found[1], headers.resolve(), compiler)


def _compile_version(generated: Path) -> str:
    """Return the version text of kernels that keep it in another header."""
    return _defined(generated / "compile.h", "UTS_VERSION")


def check_tools(kernel: Kernel, *, build: bool) -> None:
    """Name everything that is missing at once."""
    wanted = {"spatch": "coccinelle", "tar": "tar", "xz": "xz-utils"}
    if build:
        wanted |= {"make": "make", kernel.compiler: kernel.compiler, "ld": "binutils"}
    missing = sorted({package for program, package in wanted.items() if shutil.which(program) is None})
    if missing:
        raise MissingError(f"not installed: {', '.join(missing)} (apt-get install {' '.join(missing)})")


def find_source(kernel: Kernel, given: Path | None, cache: Path) -> Path:
    """Return the source package's tarball (or a folder) of exactly the kernel's version."""
    if given is not None:
        return given
    package = f"linux-source-{kernel.series_text}"
    tarball = Path("/usr/src") / f"{package}.tar.xz"
    installed = _installed_version(package)
    if installed == kernel.version and tarball.exists():
        return tarball
    try:
        return _download(package, kernel.version, cache)
    except BuildError as problem:
        have = f"installed is {installed}" if installed else "it is not installed"
        raise MissingError(
            f"the source of kernel {kernel.release} is package {package} {kernel.version}, and {have}; "
            f"run: apt-get install {package}={kernel.version}\n{problem}"
        ) from None


def _installed_version(package: str) -> str:
    argv = ["dpkg-query", "--show", "--showformat=${db:Status-Status} ${Version}", package]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    status, _, version = done.stdout.partition(" ")
    return version if done.returncode == 0 and status == "installed" else ""


def _download(package: str, version: str, cache: Path) -> Path:
    """Fetch a source package into the cache without installing it, and unpack the tarball."""
    folder = cache / "packages" / f"{package}_{version.replace('~', '-')}"
    tarball = folder / "usr" / "src" / f"{package}.tar.xz"
    if tarball.exists():
        return tarball
    say(f"downloading {package} {version}")
    folder.mkdir(parents=True, exist_ok=True)
    run("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", f"{package}={version}", cwd=folder)
    for deb in folder.glob("*.deb"):
        run("dpkg-deb", "--extract", deb, folder)
        deb.unlink()
    return tarball


# --- patching --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Expectation:
    """A patch's promise: `text` is in `file` `count` times when it has been applied, and was not there before."""

    patch: str
    file: str
    count: int
    text: str


@dataclass(frozen=True)
class Patch:
    """A semantic patch and what its head says; `until`: the first series that it does not belong to."""

    path: Path
    expectations: tuple[Expectation, ...]
    until: tuple[int, int] | None

    def applies(self, series: tuple[int, int]) -> bool:
        """Whether it belongs to this series."""
        return self.until is None or series < self.until


def read_patches(folder: Path = HERE / "semantic") -> list[Patch]:
    """Read the heads of all patches, in their order."""
    patches = []
    for path in sorted(folder.glob("*.cocci")):
        text = path.read_text()
        found = re.findall(r"^// expect: (\S+) (\d+) (.+)$", text, re.MULTILINE)
        if not found:
            raise BuildError(f"{path}: says nothing about what to expect")
        until = re.search(r"^// until: (\d+)\.(\d+)$", text, re.MULTILINE)
        expectations = tuple(Expectation(path.name, file, int(count), words) for file, count, words in found)
        patches.append(Patch(path, expectations, (int(until[1]), int(until[2])) if until else None))
    return patches


def occurrences(text: str, words: str) -> int:
    """Count lines with `words`; a bare name counts where it is called."""
    pattern = rf"\b{words}\s*\(" if re.fullmatch(r"\w+", words) else re.escape(words)
    return len(re.findall(pattern, text))


def apply_patch(patch: Patch, folder: Path) -> None:
    """Apply a patch to the files that it expects something of, and count."""
    for name in dict.fromkeys(each.file for each in patch.expectations):
        run("spatch", "--very-quiet", "--in-place", "--no-show-diff", "--sp-file", patch.path, folder / name)
    wrong = []
    for each in patch.expectations:
        count = occurrences((folder / each.file).read_text(), each.text)
        if count != each.count:
            wrong.append(f"{each.file}: {each.text!r} {count} times instead of {each.count}")
    if wrong:
        raise BuildError(
            f"{patch.path.name} does not fit this kernel: " + "; ".join(wrong) + f"\nthe head of {patch.path} says what to do"
        )


def patch_tree(folder: Path, series: tuple[int, int], patches: Sequence[Patch]) -> int:
    """Apply all patches of a series and return how many hooks there are now."""
    hooks = 0
    for patch in patches:
        if patch.applies(series):
            apply_patch(patch, folder)
            hooks += sum(each.count for each in patch.expectations)
    return hooks


# --- building --------------------------------------------------------------------------------------------------------------------


def digest(kernel: Kernel, source: Path) -> str:
    """Identify everything that the module is made from."""
    whole = hashlib.sha256()
    whole.update(f"{kernel}\n{source}\n".encode())
    files = [HERE / "build.py", kernel.headers / "Module.symvers"]
    files += sorted((HERE / "semantic").glob("*.cocci"))
    for folder in ("src", "compat", "include"):
        files += sorted(path for path in (HERE / folder).rglob("*") if path.is_file())
    for path in files:
        if path.exists():
            whole.update(f"{path.name}\n".encode() + path.read_bytes())
    return whole.hexdigest()[:16]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process: two builds of one kernel take turns."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def extract(source: Path, series_text: str, folder: Path) -> Path:
    """Take ip_vs out of the source; unpacking costs seconds, so it is kept."""
    if source.is_dir():
        return source / "net" / "netfilter" / "ipvs"
    stamp = hashlib.sha256(f"{source} {source.stat().st_size} {source.stat().st_mtime_ns}".encode()).hexdigest()[:16]
    kept = folder / f"source-{stamp}"
    pristine = kept / f"linux-source-{series_text}" / "net" / "netfilter" / "ipvs"
    if not (kept / "complete").exists():
        say(f"unpacking net/netfilter/ipvs from {source}")
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        root = f"linux-source-{series_text}"
        wanted = [f"{root}/net/netfilter/ipvs"]
        wanted += [f"{root}/scripts/{name}" for name in ("checkpatch.pl", "spelling.txt", "const_structs.checkpatch")]
        run("tar", "--extract", "--xz", "--file", source, "--directory", kept, *wanted)
        (kept / "complete").touch()
    return pristine


def fill(build: Path, pristine: Path, kernel: Kernel) -> None:
    """Make the build folder: the kernel's files patched, ours beside and behind them."""
    shutil.rmtree(build, ignore_errors=True)
    shutil.copytree(pristine, build)
    hooks = patch_tree(build, kernel.series, read_patches())
    say(f"{hooks} hooks are in place")
    for name, ours in APPENDED.items():
        with (build / name).open("a") as file:
            file.write(f'\n#include "{ours}"\n')
    shutil.copytree(HERE / "src", build / "fnat")
    shutil.copytree(HERE / "compat", build / "compat")
    shutil.copytree(HERE / "include", build / "include")
    (build / "fnat" / "Kbuild").rename(build / "Kbuild")


def kbuild(build: Path, kernel: Kernel, *more: str) -> list[str]:
    """Run the kernel's build in the folder and return what it said."""
    jobs, log = os.environ.get("KMOD_JOBS", "2"), build / "build.log"
    argv: list[str | Path] = ["nice", "make", f"-j{jobs}", "-C", kernel.headers, f"M={build}", f"CC={kernel.compiler}"]
    run(*argv, *more, "modules", log=log)
    return log.read_text().splitlines()


def check_log(lines: Sequence[str]) -> None:
    """Let no warning pass: a name that nobody defines is only that, and makes a module that does not load."""
    harmless = ("the compiler differs", "Skipping BTF")
    found = [line for line in lines if "warning:" in line.lower() or "undefined!" in line]
    found = [line for line in found if not any(words in line for words in harmless)]
    if found:
        raise BuildError("the build warns:\n" + "\n".join(found[:20]))


def exported(symvers: Path) -> dict[str, str]:
    """Return name and checksum of every symbol that ip_vs exports by this file."""
    rows = (line.split("\t") for line in symvers.read_text().splitlines())
    return {row[1]: row[0] for row in rows if len(row) > 3 and row[2].rpartition("/")[2] == "ip_vs"}


def check_symbols(build: Path, kernel: Kernel) -> None:
    """Make sure that modules of the distribution fit on top of ours."""
    theirs = exported(kernel.headers / "Module.symvers")
    ours = exported(build / "Module.symvers")
    if not theirs:
        raise BuildError(f"{kernel.headers}/Module.symvers knows no symbols of {MODULE}")
    wrong = sorted(name for name in theirs.keys() | ours.keys() if theirs.get(name) != ours.get(name))
    if wrong:
        raise BuildError(f"exported symbols differ from the distribution's, whose modules would not load: {', '.join(wrong)}")
    say(f"{len(ours)} exported symbols have the distribution's checksums")


def build_module(kernel: Kernel, source: Path, folder: Path) -> Path:
    """Return the path of the module, built unless the same has been built before."""
    mark = digest(kernel, source)
    done, module = folder / "digest", folder / "ip_vs.ko"
    if module.exists() and done.exists() and done.read_text() == mark:
        return module
    say(f"building ip_vs for {kernel.release} (package version {kernel.version})")
    if kernel.series not in MEASURED:
        say(f"warning: nobody has run this on Linux {kernel.series_text} yet; the patches fit, but that is all that is known")
    build = folder / "build"
    fill(build, extract(source, kernel.series_text, folder), kernel)
    check_log(kbuild(build, kernel))
    check_symbols(build, kernel)
    run("objcopy", "--strip-debug", build / "ip_vs.ko", module)
    done.write_text(mark)
    return module


def patch_only(kernel_series: tuple[int, int], pristine: Path, folder: Path) -> Path:
    """Patch a source without building it: whether the hooks fit a kernel that there is no toolchain for."""
    tree = folder / "patched"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(pristine, tree)
    hooks = patch_tree(tree, kernel_series, read_patches())
    say(f"{hooks} hooks fit Linux {kernel_series[0]}.{kernel_series[1]}")
    return tree


def sparse(kernel: Kernel, source: Path, folder: Path) -> None:
    """Let sparse read our files; print what it finds in them."""
    if shutil.which("sparse") is None:
        raise MissingError("not installed: sparse (apt-get install sparse)")
    build = folder / "sparse"
    fill(build, extract(source, kernel.series_text, folder), kernel)
    lines = kbuild(build, kernel, "C=2", "CF=-D__CHECK_ENDIAN__")
    found = [line for line in lines if "/fnat/" in line and "note:" not in line]
    found = [line for line in found if re.search(r"warning|error", line)]
    if found:
        raise BuildError("sparse:\n" + "\n".join(found))
    say("sparse has nothing to say")


# --- command line ----------------------------------------------------------------------------------------------------------------


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="build.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kver", help="kernel release, as uname -r says it")
    parser.add_argument("--kdir", type=Path, help="its headers, if they are not installed")
    parser.add_argument("--source", type=Path, help="its source: a tarball, or a folder that it was unpacked into")
    parser.add_argument("--cache", type=Path, default=HERE.parent / ".cache" / "kmod", help="where all files go")
    parser.add_argument("--only", choices=("patch", "build", "sparse", "source"), default="build")
    parser.add_argument("--series", help="with --only patch: series of a source without headers, as 7.2")
    return parser.parse_args(arguments)


def work(options: argparse.Namespace) -> Path:
    """Do what the command line asks for and return what was made."""
    cache: Path = options.cache.resolve()
    if options.series:
        if options.source is None or not options.source.is_dir():
            raise BuildError("--series needs --source FOLDER")
        major, minor = options.series.split(".")
        folder = cache / f"series-{options.series}"
        with locked(folder):
            return patch_only((int(major), int(minor)), options.source / "net" / "netfilter" / "ipvs", folder)
    kernel = find_kernel(options.kver, options.kdir)
    folder = cache / kernel.release
    check_tools(kernel, build=options.only in ("build", "sparse"))
    with locked(folder):
        source = find_source(kernel, options.source, cache)
        if options.only == "source":
            return extract(source, kernel.series_text, folder)
        if options.only == "patch":
            return patch_only(kernel.series, extract(source, kernel.series_text, folder), folder)
        if options.only == "sparse":
            sparse(kernel, source, folder)
            return folder / "sparse"
        return build_module(kernel, source, folder)


def main() -> NoReturn:
    """Run, and exit."""
    try:
        made = work(parse(sys.argv[1:]))
        sys.stdout.write(f"{made}\n")
    except BuildError as problem:
        say(f"error: {problem}")
        sys.exit(problem.status)
    sys.exit(0)


if __name__ == "__main__":
    main()
