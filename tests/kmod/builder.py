"""kmod/build.py as a module: it is a program of its own, outside of the package."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KMOD = ROOT / "kmod"
SEMANTIC = KMOD / "semantic"
HEADER = KMOD / "include" / "uapi" / "linux" / "ip_vs_fnat.h"


def _load() -> Any:  # noqa: ANN401
    spec = importlib.util.spec_from_file_location("kmod_build", KMOD / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


BUILD = _load()
