"""Builds the snapshot: copies out of the engine's parts, so that whoever reads it can take all the time in the world."""

from dataclasses import replace

from keepalived_py.tracking.trackers import FileTracker, InterfaceTracker, ProcessTracker, ScriptTracker, Tracker
from keepalived_py.vrrp.facts import Facts
from keepalived_py.vrrp.instance import Instance
from keepalived_py.vrrp.links import Links
from keepalived_py.vrrp.priority import Key
from keepalived_py.vrrp.roster import Roster
from keepalived_py.vrrp.snapshot import (
    ChannelState,
    GroupState,
    InstanceState,
    InterfaceState,
    Snapshot,
    TrackedState,
)
from keepalived_py.vrrp.watching import Watching


def snapshot_of(roster: Roster, watching: Watching, facts: Facts, links: Links, own_lags: int) -> Snapshot:
    """Return everything as plain values."""
    return Snapshot(
        tuple(_instance(instance, roster) for instance in roster),
        tuple(GroupState(group.config, group.state, len(group.faulty), len(group.pending)) for group in roster.groups.values()),
        tuple(_tracked(key, tracker, watching) for key, tracker in watching.trackers.items()),
        tuple(InterfaceState(interface, facts.addresses(name)) for name, interface in facts.interfaces.items()),
        _channels(links),
        facts.wall_offset,
        own_lags,
    )


def _instance(instance: Instance, roster: Roster) -> InstanceState:
    group, standing, heard = roster.group_of(instance), instance.standing, instance.heard
    return InstanceState(
        config=instance.config,
        placement=instance.placement,
        group=None if group is None else group.config.name,
        state=instance.state,
        wants_master=instance.wants_master,
        effective=instance.effective,
        total=standing.total,
        weights=tuple(standing.weights().items()),
        faults=standing.faults,
        pending=standing.is_pending,
        source=instance.source,
        master=None if heard is None else heard.source,
        master_priority=0 if heard is None else heard.priority,
        master_interval=instance.master_interval,
        down_interval=instance.down_interval(),
        due=instance.due,
        preempt_at=instance.preempt_at,
        last_transition=instance.last_transition,
        last_advert_sent=instance.last_advert_sent,
        has_addresses=instance.has_addresses,
        old_checksum=instance.wire.uses_old_checksum,
        statistics=replace(instance.statistics),
        history=instance.history.transitions,
    )


def _tracked(key: Key, tracker: Tracker, watching: Watching) -> TrackedState:
    state = TrackedState(key, tracker.finding, tuple(instance.config.name for instance in watching.watchers(key)))
    match tracker:
        case ScriptTracker():
            return replace(state, result=tracker.result, running=tracker.running)
        case ProcessTracker():
            return replace(state, count=tracker.count, due=tracker.due)
        case InterfaceTracker():
            return replace(state, due=tracker.due)
        case FileTracker():
            return replace(state, result=tracker.finding.value)
    return state


def _channels(links: Links) -> tuple[ChannelState, ...]:
    return tuple(
        ChannelState(
            channel,
            None if joint.opened is None else joint.opened.filter,
            None if joint.opened is None else joint.opened.receive_buffer,
            tuple((member.config.name, member.config.virtual_router_id) for member in joint.members.values()),
            joint.strict,
        )
        for channel, joint in links.channels.items()
    )
