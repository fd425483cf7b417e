"""What the engine is told.

Facts (`FactLearned`, `HostAddress`) may come at any time; those that hold at a start or are new with a reload come in one `Batch`
*before* it, so that no checker starts on a guess.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from keepalived_py.addresses import Address
from keepalived_py.config.lvs import Lvs, ServerKey, Target
from keepalived_py.healthcheck.facts import Fact
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
class FactLearned:
    """A fact that checkers follow has the value `value`; telling the same again changes nothing."""

    fact: Fact
    value: int


@dataclass(frozen=True, slots=True)
class HostAddress:
    """An address of this host is there, or is gone, on the interface of index `interface` (for `ha_suspend`)."""

    address: Address
    interface: int
    present: bool


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The engine's deadline has come."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """The process stops in an orderly way.  What follows is ignored.

    (With keepalived's ``--dont-release-ipvs`` nothing is announced and this event is not sent.)
    """


Single = Started | Reloaded | ProbeDone | FactLearned | HostAddress | TimerFired | Stopping


@dataclass(frozen=True, slots=True)
class Batch:
    """Several events at one instant: each virtual server is published at most once for all of them."""

    events: tuple[Single, ...]


Event = Single | Batch
