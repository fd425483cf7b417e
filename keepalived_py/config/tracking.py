"""What VRRP instances, sync groups and checkers watch: scripts, files, processes; and how much each one counts.

A weight of 0 makes a failure a fault; any other is added to the priority.  `reverse` turns good and bad round.
"""

import enum
from dataclasses import dataclass

from keepalived_py.config.scripts import Script
from keepalived_py.units import Micro, micro


@dataclass(frozen=True, slots=True)
class Tracked:
    """An entry of a track list: the name of what is tracked, and how it counts here (its own weight is resolved already)."""

    name: str
    weight: int = 0
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class VrrpScript:
    """A program that is run every `interval`; a command ``</file`` reads a file instead.

    It is good after `rise` successes in a row and bad after `fall` failures.  `init_fail`: bad until the first result.
    """

    name: str
    script: Script
    interval: Micro = micro(1)
    timeout: Micro = micro(1)
    weight: int = 0
    reverse: bool = False
    rise: int = 1
    fall: int = 1
    init_fail: bool = False


class ParamMatch(enum.Enum):
    """How the parameters of a process are compared with those configured."""

    NONE = "none"
    EXACT = "exact"
    INITIAL = "initial"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True)
class TrackProcess:
    """Processes that must run: at least `quorum` and at most `quorum_max` (None: any number) of them.

    `command` is the program and the parameters to compare; `full_command`: with /proc/PID/cmdline rather than the kernel's name.
    """

    name: str
    command: tuple[str, ...]
    param_match: ParamMatch = ParamMatch.NONE
    full_command: bool = False
    weight: int = 0
    reverse: bool = False
    quorum: int = 1
    quorum_max: int | None = None
    terminate_delay: Micro = Micro(0)
    fork_delay: Micro = Micro(0)


@dataclass(frozen=True, slots=True)
class InitFile:
    """The number that a tracked file is created with at start; `overwrite`: also when it exists."""

    value: int = 0
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class TrackFile:
    """A file that holds a number, which is multiplied by `weight`."""

    name: str
    path: str
    weight: int = 1
    reverse: bool = False
    init: InitFile | None = None


@dataclass(frozen=True, slots=True)
class Tracking:
    """Everything that can be tracked by name; the first one of a name counts."""

    scripts: tuple[VrrpScript, ...] = ()
    processes: tuple[TrackProcess, ...] = ()
    files: tuple[TrackFile, ...] = ()
