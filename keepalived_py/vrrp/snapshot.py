"""What the engine shows of itself: plain values for dumps, SNMP, metrics and explanations, built on demand.

Instants are of the monotonic clock; `Snapshot.wall_offset` turns them into wall clock time.
"""

from dataclasses import dataclass

from keepalived_py.addresses import Address
from keepalived_py.config.vrrp import SyncGroup, VrrpInstance
from keepalived_py.tracking.trackers import Finding
from keepalived_py.units import Micro
from keepalived_py.vrrp.channel import Channel, Filter
from keepalived_py.vrrp.events import Interface
from keepalived_py.vrrp.explain import Transition
from keepalived_py.vrrp.fsm import State
from keepalived_py.vrrp.placing import Placement
from keepalived_py.vrrp.priority import Key
from keepalived_py.vrrp.statistics import Statistics


@dataclass(frozen=True, slots=True)
class InstanceState:
    """One instance.

    `effective`, `total`: the priority as sent, and before it is limited.  `faults`: why it cannot take part.  `pending`: scripts
    have yet to run.  `due`: when its timer fires.  `down_interval`: the silence after which it takes over.
    """

    config: VrrpInstance
    placement: Placement
    group: str | None
    state: State
    wants_master: bool
    effective: int
    total: int
    weights: tuple[tuple[Key, int], ...]
    faults: tuple[str, ...]
    pending: bool
    source: Address | None
    master: Address | None
    master_priority: int
    master_interval: Micro
    down_interval: Micro
    due: Micro | None
    preempt_at: Micro | None
    last_transition: Micro
    last_advert_sent: Micro | None
    has_addresses: bool
    old_checksum: bool
    statistics: Statistics
    history: tuple[Transition, ...]


@dataclass(frozen=True, slots=True)
class GroupState:
    """One sync group; `faulty`, `pending`: how many members keep it from taking part."""

    config: SyncGroup
    state: State
    faulty: int
    pending: int


@dataclass(frozen=True, slots=True)
class TrackedState:
    """One tracked object and the instances that watch it.

    `result`: successes and failures of a script so far; `count`: of processes.  `running`: a run of a script is under way.
    """

    key: Key
    finding: Finding
    instances: tuple[str, ...]
    result: int | None = None
    count: int | None = None
    running: bool = False
    due: Micro | None = None


@dataclass(frozen=True, slots=True)
class InterfaceState:
    """One interface, and its addresses in the kernel's order."""

    interface: Interface
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class ChannelState:
    """One channel; `filter` None: it is not open."""

    channel: Channel
    filter: Filter | None
    receive_buffer: int | None
    members: tuple[tuple[str, int], ...]
    strict: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything, in the order of the configuration.  `own_lags`: how often this process slept too long."""

    instances: tuple[InstanceState, ...]
    groups: tuple[GroupState, ...]
    tracked: tuple[TrackedState, ...]
    interfaces: tuple[InterfaceState, ...]
    channels: tuple[ChannelState, ...]
    wall_offset: Micro
    own_lags: int
