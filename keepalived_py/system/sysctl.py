"""Kernel settings under /proc/sys/net that the daemon changes while it needs them, and puts back.

Names are paths with slashes (``ipv4/conf/eth0/arp_ignore``), because an interface's name may hold dots.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path("/proc/sys/net")


def _path(name: str, root: Path) -> Path:
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise OSError(22, f"{name!r} is no name of a setting")
    return root.joinpath(*parts)


def read(name: str, root: Path = ROOT) -> str:
    """Return a setting; raise `OSError` when there is no such."""
    return _path(name, root).read_text().strip()


def write(name: str, value: str, root: Path = ROOT) -> None:
    """Change a setting; raise `OSError` when the kernel refuses."""
    _path(name, root).write_text(value)


@dataclass(slots=True)
class Borrowed:
    """Settings that were changed, with what they were before."""

    root: Path = ROOT
    _before: dict[str, str] = field(default_factory=dict)

    def set(self, name: str, value: str) -> None:
        """Change a setting and remember what it was the first time; what is right already is not touched."""
        current = read(name, self.root)
        if current == value:
            return
        write(name, value, self.root)
        self._before.setdefault(name, current)

    def restore(self, name: str) -> None:
        """Put one setting back; it may be gone with its interface."""
        before = self._before.pop(name, None)
        if before is not None:
            try:
                write(name, before, self.root)
            except OSError:
                return

    def restore_all(self) -> None:
        """Put everything back, the latest change first."""
        for name in reversed(list(self._before)):
            self.restore(name)

    def before(self, name: str) -> str | None:
        """Return what a changed setting was, None when it was not changed."""
        return self._before.get(name)
