"""Kernel modules: is ip_vs there, and if not, load it."""

import re
import subprocess
from pathlib import Path
from typing import Final

_MODULES: Final = Path("/sys/module")
_TIME_LIMIT: Final = 20
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\Z|/")  # a module, or a path
_OPTION: Final = re.compile(r"[a-z0-9_]+=[A-Za-z0-9_,.-]*\Z")


def is_loaded(name: str) -> bool:
    """Whether a module is loaded or built in."""
    return (_MODULES / name).exists()


def load_ip_vs(module: str | None, options: tuple[str, ...]) -> str:
    """Load the ip_vs module; return an empty string, or why it is not there and what to do.

    `module` is a name for modprobe, or the path of a file for insmod; None is ``ip_vs``.  Takes up to 20 seconds: not for a loop.
    """
    if is_loaded("ip_vs"):
        return ""
    bad = next((option for option in options if not _OPTION.match(option)), None)
    if bad is not None:
        return f"ipvs_module_options: {bad!r} is not name=value"
    name = module or "ip_vs"
    if not _NAME.match(name):
        return f"ipvs_module: {name!r} is neither a module's name nor an absolute path"
    tool = "insmod" if "/" in name else "modprobe"
    try:
        done = subprocess.run(
            [f"/sbin/{tool}", name, *options],
            capture_output=True,
            text=True,
            timeout=_TIME_LIMIT,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{tool} {name} cannot be run: {error}"
    if done.returncode and not is_loaded("ip_vs"):
        said = done.stderr.strip().splitlines()
        return f"{tool} {name} failed: {said[-1] if said else f'status {done.returncode}'}"
    return ""
