"""Open the shop and run something in one of its nodes: ``python -m examples.lab [NODE [COMMAND...]]``.

Without COMMAND it is a shell, without NODE it is in the client.
"""

import os
import signal
import sys

from . import shop
from .daemons import LabError


def main(arguments: list[str]) -> int:
    """Build, run, take down; the command's exit status is ours."""
    name, *command = arguments or ["client"]
    with shop.Shop() as lab:
        if name not in lab.nodes:
            raise LabError(f"no node {name!r}; there are {', '.join(lab.nodes)}")
        if not command:
            print(shop.__doc__)
            print(f"You are in {name}; leave the shell to take all of it down.  Logs: {lab.directory}")
        process = lab.nodes[name].popen(command or [os.environ.get("SHELL", "/bin/sh")])
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command
        return process.wait()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as problem:
        sys.exit(f"examples.lab: {problem}")
