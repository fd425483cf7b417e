"""Network namespaces by name, as iproute2 keeps them."""

import ctypes
import os
from pathlib import Path
from typing import Final

NAMED: Final = Path("/run/netns")
_CLONE_NEWNET: Final = 0x40000000


def path_of(name: str) -> Path:
    """Return the file of a named network namespace; raise `OSError` for what is no name."""
    if "/" in name or name in ("", ".", ".."):
        raise OSError(22, f"{name!r} is no name of a network namespace")
    return NAMED / name


def enter_network(path: Path) -> None:
    """Move this thread into the network namespace of a file; raise `OSError` when that cannot be done."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    finally:
        os.close(descriptor)
