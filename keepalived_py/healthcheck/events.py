"""What the engine is told."""

from collections.abc import Mapping
from dataclasses import dataclass

from keepalived_py.config.lvs import Lvs, ServerKey, Target
from keepalived_py.healthcheck.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Options:
    """The settings of `global_defs` that concern the engine, under their own names."""

    rs_init_notifies: bool = False
    checker_log_all_failures: bool = False
    no_checker_emails: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """The process starts.

    `kernel_weights` is given to a process that takes over from one that died: the services that the kernel has, and the weight
    of each destination in them (of the sorry server, too).  What is alive there counts as alive until a check says otherwise.
    """

    lvs: Lvs
    kernel_weights: Mapping[Target, Mapping[ServerKey, int]] | None = None
    options: Options = Options()


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The configuration has been replaced."""

    lvs: Lvs
    options: Options = Options()


@dataclass(frozen=True, slots=True)
class ProbeDone:
    """A probe has ended; results of probes that are no longer wanted are ignored."""

    id: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The engine's deadline has come."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """The process stops in an orderly way.  What follows is ignored.

    (With keepalived's ``--dont-release-ipvs`` nothing is announced and this event is not sent.)
    """


Single = Started | Reloaded | ProbeDone | TimerFired | Stopping


@dataclass(frozen=True, slots=True)
class Batch:
    """Several events at one instant: each virtual server is published at most once for all of them."""

    events: tuple[Single, ...]


Event = Single | Batch
