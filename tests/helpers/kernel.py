"""Debian's own kernel for the guest: which image, and whether everything that belongs to it is of one version.

``python -m tests.helpers.kernel`` prints what it finds and fails when image, headers and source package differ: a module
built from one version's source need not load into another's kernel.
"""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_META_PACKAGE = "linux-image-amd64"
_BOOT = Path("/boot")
_MODULES = Path("/lib/modules")


class GuestMissing(Exception):
    """Something that the guest is made of is not installed; the text says what installs it.  Tests skip."""


class GuestError(Exception):
    """The guest is installed and does not do what it must.  Tests fail."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel image with its modules: ``release`` as uname(1) says it, ``version`` as the package has it."""

    release: str
    version: str

    @property
    def image(self) -> Path:
        return _BOOT / f"vmlinuz-{self.release}"

    @property
    def modules(self) -> Path:
        return _MODULES / self.release


def find() -> Kernel:
    """Return the kernel that linux-image-amd64 stands for.

    Raises:
        GuestMissing: There is none.
        GuestError: Files of the package are missing, or its companions are of another version.
    """
    depends = _query("Depends", _META_PACKAGE)
    match = re.search(r"linux-image-(\S+)", depends)
    if not match:
        raise GuestMissing(f"package {_META_PACKAGE} is not installed (run: make setup)")
    kernel = Kernel(match[1], _query("Version", f"linux-image-{match[1]}"))
    for path in (kernel.image, kernel.modules / "modules.dep"):
        if not path.exists():
            raise GuestError(f"{path} is missing although linux-image-{kernel.release} is installed: reinstall that package")
    if problems := strangers(kernel.version, companions(kernel.release)):
        raise GuestError(f"kernel packages of different versions: image {kernel.version}, but {problems}; run: apt-get upgrade")
    return kernel


def companions(release: str) -> dict[str, str]:
    """Return the versions of the installed packages that modules for this kernel are built from."""
    series = ".".join(release.split(".")[:2])
    names = (f"linux-headers-{release}", f"linux-source-{series}")
    return {name: version for name in names if (version := _query("Version", name))}


def strangers(version: str, others: dict[str, str]) -> str:
    """Name those of the packages that are not of this version, for a message; empty when all are."""
    return ", ".join(f"{name} {other}" for name, other in others.items() if other != version)


def _query(field: str, package: str) -> str:
    """Return a field of an installed package, else an empty text."""
    form = f"${{db:Status-Status}} ${{{field}}}"
    argv = ["dpkg-query", "--show", f"--showformat={form}", package]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise GuestMissing("the guest boots Debian's kernel, and this is no Debian (no dpkg-query)") from None
    status, _, value = done.stdout.partition(" ")
    return value if done.returncode == 0 and status == "installed" else ""


def main() -> int:
    try:
        kernel = find()
    except (GuestMissing, GuestError) as problem:
        print(problem, file=sys.stderr)
        return 1
    print(f"guest kernel {kernel.release}, package version {kernel.version}", *companions(kernel.release), sep="\n  same version: ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
