"""What the engine shows of itself: plain values for dumps, SNMP and metrics, built on demand."""

from dataclasses import dataclass

from keepalived_py.config.lvs import ServerKey, Target
from keepalived_py.healthcheck.outcome import Outcome
from keepalived_py.units import Micro


@dataclass(frozen=True, slots=True)
class CheckState:
    """One checker.  `due` None: a probe is running.  `tries`: failures in a row that were not final."""

    kind: str
    up: bool
    has_run: bool
    tries: int
    due: Micro | None
    last: Outcome | None


@dataclass(frozen=True, slots=True)
class ServerState:
    """One real server.  `effective_weight` is what it counts for while alive; `in_table` None: not in the IPVS table."""

    key: ServerKey
    name: str
    alive: bool
    weight: int
    effective_weight: int
    failed_checks: int
    in_table: int | None
    checks: tuple[CheckState, ...]


@dataclass(frozen=True, slots=True)
class PoolState:
    """One virtual server."""

    target: Target
    name: str
    quorum_up: bool
    live_weight: int
    sorry_active: bool
    servers: tuple[ServerState, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything, in the order of the configuration."""

    pools: tuple[PoolState, ...]
