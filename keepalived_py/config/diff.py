"""The difference between two configurations, by natural key: what a process that has the old one needs to make the new one.

A reload ships this instead of the whole; what did not change keeps its identity in the process, so that comparing it again costs
nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from keepalived_py.config.lvs import Lvs, Target, VirtualServer


@dataclass(frozen=True, slots=True)
class LvsDelta:
    """`servers`: the new configuration's virtual servers in order, those that have not changed by their target only.

    `rest`: everything else of the new configuration.
    """

    servers: tuple[VirtualServer | Target, ...]
    rest: Lvs

    @property
    def changed(self) -> tuple[VirtualServer, ...]:
        """The virtual servers that are new or differ."""
        return tuple(server for server in self.servers if isinstance(server, VirtualServer))

    def apply(self, old: Lvs) -> Lvs:
        """Return the new configuration; raise `KeyError` when `old` is not what the delta was made from."""
        known = _by_target(old.virtual_servers)
        servers = tuple(server if isinstance(server, VirtualServer) else known[server] for server in self.servers)
        return replace(self.rest, virtual_servers=servers)


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
    known = _by_target(old.virtual_servers)
    servers = tuple(server.target if known.get(server.target) == server else server for server in new.virtual_servers)
    return LvsDelta(servers, replace(new, virtual_servers=()))


def summarise(old: Lvs, delta: LvsDelta) -> LvsSummary:
    """Count what a delta does to `old`, by target: virtual servers that share one count once."""
    known = {server.target for server in old.virtual_servers}
    differ = {server.target for server in delta.changed}
    wanted = {server.target if isinstance(server, VirtualServer) else server for server in delta.servers}
    added = differ - known
    return LvsSummary(len(added), len(differ - added), len(known - wanted), len(wanted - differ))


def _by_target(servers: Iterable[VirtualServer]) -> Mapping[Target, VirtualServer]:
    """Index virtual servers; of two with one target the first stays."""
    known: dict[Target, VirtualServer] = {}
    for server in servers:
        known.setdefault(server.target, server)
    return known
