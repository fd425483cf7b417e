"""What the engine wants done: frozen values, carried out in order by `io` (probes) and the daemon (everything else).

Within one `handle` call the actions of one virtual server keep keepalived's order: log, IPVS change, script, FIFO, mail, and then
what the change does to the quorum.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from keepalived_py.config.checkers import Checker
from keepalived_py.config.lvs import RealServer, ServerKey, Target
from keepalived_py.config.scripts import Script
from keepalived_py.units import Micro


class Level(enum.IntEnum):
    """Severity of a log line, with syslog's number."""

    ERROR = 3
    WARNING = 4
    INFO = 6


@dataclass(frozen=True, slots=True)
class StartProbe:
    """Run step `step` of `spec` now and answer with `ProbeDone` under the same `id`."""

    id: int
    spec: Checker
    step: int = 0


@dataclass(frozen=True, slots=True)
class CancelProbe:
    """Stop the probe `id`, if it is running or waiting; no answer is expected."""

    id: int


@dataclass(frozen=True, slots=True)
class Publish:
    """The IPVS table that a virtual server is to have: complete, not a difference.

    `weights`: the real servers that are to be in the table.  `sorry_weight`: None when the sorry server is not to be in it.
    `leaving`: servers that the configuration no longer has and that stay with weight 0 until they are drained.
    """

    target: Target
    weights: Mapping[ServerKey, int]
    sorry_weight: int | None = None
    leaving: tuple[RealServer, ...] = ()


@dataclass(frozen=True, slots=True)
class RunScript:
    """Start a program and do not wait; `extra_args` follow the configured words.  `time_limit` is set while stopping."""

    script: Script
    extra_args: tuple[str, ...]
    why: str
    time_limit: Micro | None = None


@dataclass(frozen=True, slots=True)
class FifoLine:
    """Bytes for the notify FIFOs, exactly as keepalived writes them: a line, a newline and a NUL."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Log:
    """A line for the log."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Alert:
    """A mail: `subject` lacks the ``[router_id] `` that the sender puts before it."""

    subject: str
    body: str


Action = StartProbe | CancelProbe | Publish | RunScript | FifoLine | Log | Alert
