"""Who takes part: the instances and sync groups of the present configuration, made when it arrives and matched when it changes.

What becomes of each instance at a reload is decided in `reload`; this carries it out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keepalived_py.config.globals import GlobalDefs
from keepalived_py.config.tracking import Tracked, Tracking
from keepalived_py.config.vrrp import Vrrp, VrrpInstance
from keepalived_py.units import Micro
from keepalived_py.vrrp.facts import Facts
from keepalived_py.vrrp.instance import Instance, Shared
from keepalived_py.vrrp.links import Links
from keepalived_py.vrrp.placing import Names, place, tracked_by_group
from keepalived_py.vrrp.priority import Contribution, Key, Kind, watches
from keepalived_py.vrrp.reload import pair
from keepalived_py.vrrp.sync import Group
from keepalived_py.vrrp.watching import Watching


@dataclass(frozen=True, slots=True)
class Plan:
    """What a configuration means for the instances: those that go on, that are new, that end (by name)."""

    kept: tuple[Instance, ...]
    new: tuple[Instance, ...]
    ended: Mapping[str, Instance]


class Roster:
    """Instances by name, in the order of the configuration."""

    def __init__(self, shared: Shared, facts: Facts, links: Links, watching: Watching) -> None:
        self.instances: dict[str, Instance] = {}
        self.groups: dict[str, Group] = {}
        self._shared = shared
        self._facts = facts
        self._links = links
        self._watching = watching
        self._names = Names()
        self._by_id: dict[int, Instance] = {}
        self._group_of: dict[int, Group] = {}
        self._last_id = 0

    def __iter__(self) -> Iterator[Instance]:
        return iter(self.instances.values())

    def get(self, id: int | str) -> Instance | None:
        """Return the instance with a number."""
        return self._by_id.get(id) if isinstance(id, int) else None

    def group_of(self, instance: Instance) -> Group | None:
        """Return the sync group of an instance."""
        return self._group_of.get(instance.id)

    def match(self, vrrp: Vrrp, globals_: GlobalDefs, now: Micro) -> Plan:
        """Take a configuration: alter the instances that go on, make new ones; nobody changes state, nothing is added anywhere."""
        old, self.instances = self.instances, {}
        self._names.look_at(self._facts.interfaces)
        partners = pair((instance.config for instance in old.values()), vrrp.instances)
        tracked = tracked_by_group(vrrp)
        kept: list[Instance] = []
        new: list[Instance] = []
        for config in vrrp.instances:
            if config.name in self.instances:
                continue
            placement = place(config, globals_, self._names, tracked.get(config.name, ()))
            partner = partners.get(config.name)
            if partner is None:
                self._last_id += 1
                instance = Instance(self._last_id, config, placement, self._shared)
                new.append(instance)
            else:
                instance = old.pop(partner)
                instance.alter(config, placement, now)
                kept.append(instance)
            self.instances[config.name] = instance
        self._by_id = {instance.id: instance for instance in self}
        return Plan(tuple(kept), tuple(new), old)

    def admit(self, vrrp: Vrrp, tracking: Tracking, globals_: GlobalDefs, now: Micro, *, reloaded: bool) -> None:
        """Join those who take part to the host, watch for them, group them."""
        self._build_groups(vrrp)
        self._links.arrange(self, globals_)
        self._watch(vrrp, tracking, now, reloaded=reloaded)
        for instance in self:
            self.note(instance)

    def note(self, instance: Instance) -> None:
        """Let the group know how an instance stands."""
        group = self._group_of.get(instance.id)
        if group is None:
            return
        for members, belongs in ((group.faulty, instance.standing.is_faulty), (group.pending, instance.standing.is_pending)):
            if belongs:
                members.add(instance.id)
            else:
                members.discard(instance.id)

    def _build_groups(self, vrrp: Vrrp) -> None:
        before, self.groups, self._group_of = self.groups, {}, {}
        for config in vrrp.sync_groups:
            names = [name for name in config.members if name in self.instances]
            members = [self.instances[name] for name in names if self.instances[name].id not in self._group_of]
            if not members:
                continue
            group = self.groups[config.name] = Group(config, members, self._shared)
            self._group_of.update({member.id: group for member in members})
            if config.name in before:
                group.take_over(before[config.name])
        for instance in self:
            instance.in_group = instance.id in self._group_of

    def _watch(self, vrrp: Vrrp, tracking: Tracking, now: Micro, *, reloaded: bool) -> None:
        wanted: list[tuple[Instance, dict[Key, Tracked]]] = []
        for instance in self:
            group = self._group_of.get(instance.id)
            found = watches(
                instance.config,
                None if group is None else group.config,
                instance.placement.needed,
                group_has_owner=group is not None and group.has_owner,
            )
            instance.standing.keep(found)
            for key, fault in _own_faults(instance.config):
                instance.standing.set(key, Contribution(fault=fault))
            self._links.check_source(instance)
            wanted.append((instance, found))
        self._watching.arrange(tracking, vrrp, wanted, self._links.made(), now, reloaded=reloaded)


def _own_faults(config: VrrpInstance) -> Iterator[tuple[Key, str]]:
    """Yield what is wrong with an instance for as long as it has this configuration."""
    for fault in config.faults:
        yield (Kind.CONFIG, fault), fault
    if config.multicast_group is None and not config.unicast_peers:
        yield (Kind.PEERS, ""), "it has no unicast peers"
