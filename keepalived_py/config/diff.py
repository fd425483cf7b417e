"""The difference between two configurations, by natural key: what a process that has the old one needs to make the new one.

A reload ships this instead of the whole; what did not change keeps its identity in the process, so that comparing it again costs
nothing.
"""

from dataclasses import dataclass

from keepalived_py.config.lvs import Lvs, Target, VirtualServer


@dataclass(frozen=True, slots=True)
class LvsDelta:
    """`order`: every target of the new configuration; `changed`: those virtual servers that are new or differ; `rest`: all else."""

    order: tuple[Target, ...]
    changed: tuple[VirtualServer, ...]
    rest: Lvs

    def apply(self, old: Lvs) -> Lvs:
        """Return the new configuration; raise `KeyError` when `old` is not what the delta was made from."""
        changed = {server.target: server for server in self.changed}
        known = {server.target: server for server in old.virtual_servers}
        servers = tuple(changed.get(target) or known[target] for target in self.order)
        rest = self.rest
        return Lvs(servers, rest.groups, rest.local_address_groups, rest.deny_address_groups, rest.allow_address_groups)


@dataclass(frozen=True, slots=True)
class LvsSummary:
    """How many virtual servers a reload adds, changes, removes and leaves alone."""

    added: int
    changed: int
    removed: int
    unchanged: int

    def __str__(self) -> str:
        return f"{self.added} added, {self.changed} changed, {self.removed} removed, {self.unchanged} unchanged"


def diff_lvs(old: Lvs, new: Lvs) -> LvsDelta:
    """Compare two configurations; linear in their size."""
    known = {server.target: server for server in old.virtual_servers}
    changed = tuple(server for server in new.virtual_servers if known.get(server.target) != server)
    rest = Lvs((), new.groups, new.local_address_groups, new.deny_address_groups, new.allow_address_groups)
    return LvsDelta(tuple(server.target for server in new.virtual_servers), changed, rest)


def summarise(old: Lvs, delta: LvsDelta) -> LvsSummary:
    """Count what a delta does to `old`."""
    known = {server.target for server in old.virtual_servers}
    added = sum(server.target not in known for server in delta.changed)
    wanted = set(delta.order)
    return LvsSummary(added, len(delta.changed) - added, len(known - wanted), len(delta.order) - len(delta.changed))
