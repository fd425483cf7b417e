"""virtme-run with a cached root: ``python -m tests.helpers.guest_boot ARGUMENTS`` is ``virtme-run ARGUMENTS``, only faster.

The guest's root is the host's over 9p.  virtme-ng mounts it without a cache, and each of the thousands of look-ups behind a
Python import goes to the host.  The mount options are fixed in its initramfs maker; this program exchanges them in memory
before it hands over.  The guest is short-lived and its root read-only, so a cache that never asks again is right.
"""

import importlib
import sys
from typing import Any

_UNCACHED = "msize=524288"
_CACHED = "msize=512000,cache=loose"


def main() -> int:
    maker: Any = importlib.import_module("virtme.mkinitramfs")
    script: str = maker._MOUNT_ROOT_HOST
    if _UNCACHED in script:
        maker._MOUNT_ROOT_HOST = script.replace(_UNCACHED, _CACHED)
    else:
        print("guest: this virtme-ng mounts its root in another way; imports in the guest will be slow", file=sys.stderr)
    status: int = importlib.import_module("virtme.commands.run").main()
    return status


if __name__ == "__main__":
    sys.exit(main())
