"""What an instance watches amounts to a priority, and to reasons why it must not take part.

    tracked        weight W, good        weight W, bad        weight 0, bad
    -------------  --------------------  -------------------  -------------
    anything       W if W > 0            W if W < 0           FAULT
    a file         its number times W    (there is no bad)    FAULT unless the number is 0
                   -254 or less: FAULT

    ``reverse``: what is added is subtracted instead, and with weight 0 it is the good that makes a FAULT.

Everything is derived anew from what is known now, so that no sequence of events can leave something behind in the sum.  No events,
no time, no state machine here.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from keepalived_py.config.tracking import Tracked
from keepalived_py.config.vrrp import OWNER_PRIORITY, SyncGroup, TrackLists, VrrpInstance
from keepalived_py.tracking.trackers import Finding

LOWEST: Final = 1
HIGHEST: Final = 254
_FILE_DEFAULT: Final = 1
_FILE_FAULT: Final = -254
_FILE_MOST: Final = 253


class Kind(enum.Enum):
    """What can be watched, or be wrong by itself."""

    CONFIG = "configuration"
    SOURCE = "source address"
    PEERS = "unicast peers"
    INTERFACE = "interface"
    SCRIPT = "script"
    FILE = "file"
    PROCESS = "process"
    BFD = "BFD session"


Key = tuple[Kind, str]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one watched object means for an instance.  `fault`: a reason not to take part, empty for none."""

    weight: int = 0
    fault: str = ""
    pending: bool = False


def contribution(kind: Kind, watch: Tracked, finding: Finding) -> Contribution:
    """Apply weight and reverse of a track list's entry to what the object was found to be."""
    sign = -1 if watch.reverse else 1
    if watch.weight == 0:
        if finding.good is None:
            return Contribution(pending=not finding.provisional)
        return Contribution(fault=finding.text) if finding.good is watch.reverse else Contribution()
    if kind is Kind.FILE:
        amount = finding.value * watch.weight * sign
        return Contribution(fault=finding.text) if amount <= _FILE_FAULT else Contribution(min(amount, _FILE_MOST))
    if finding.good is None or finding.good is not (watch.weight > 0):
        return Contribution()
    return Contribution(watch.weight * sign)


class Standing:
    """Priority of an instance and what is wrong with it.

    `lowered`: the address owner has lowered itself to 254 because another router claims to be the owner, too.
    """

    __slots__ = ("_contributions", "base", "lowered")

    def __init__(self, base: int) -> None:
        self.base = base
        self.lowered = False
        self._contributions: dict[Key, Contribution] = {}

    def set(self, key: Key, given: Contribution) -> None:
        """Replace what `key` contributes."""
        if given == Contribution():
            self._contributions.pop(key, None)
        else:
            self._contributions[key] = given

    def keep(self, keys: Iterable[Key]) -> None:
        """Forget everything but what `keys` contribute."""
        wanted = frozenset(keys)
        self._contributions = {key: given for key, given in self._contributions.items() if key in wanted}

    @property
    def total(self) -> int:
        """Base and weights, not limited to what can be sent."""
        if self.base == OWNER_PRIORITY:
            return HIGHEST if self.lowered else OWNER_PRIORITY
        return self.base + sum(given.weight for given in self._contributions.values())

    @property
    def effective(self) -> int:
        """The priority that adverts carry: within 1..254, and 255 for the owner whatever it watches."""
        total = self.total
        return total if self.base == OWNER_PRIORITY else max(LOWEST, min(HIGHEST, total))

    @property
    def faults(self) -> tuple[str, ...]:
        """Why the instance must not take part."""
        return tuple(given.fault for given in self._contributions.values() if given.fault)

    @property
    def is_faulty(self) -> bool:
        """Whether anything is wrong."""
        return any(given.fault for given in self._contributions.values())

    @property
    def is_pending(self) -> bool:
        """Whether a script without a weight has yet to say whether anything is wrong."""
        return any(given.pending for given in self._contributions.values())

    def weights(self) -> Mapping[Key, int]:
        """Return what changes the priority at this time."""
        return {key: given.weight for key, given in self._contributions.items() if given.weight}


_LISTS: Final = (
    (Kind.INTERFACE, "interfaces"),
    (Kind.SCRIPT, "scripts"),
    (Kind.FILE, "files"),
    (Kind.PROCESS, "processes"),
    (Kind.BFD, "bfd"),
)


def _entries(lists: TrackLists) -> Iterable[tuple[Key, Tracked]]:
    for kind, field in _LISTS:
        for entry in getattr(lists, field):
            yield (kind, entry.name), entry


def watches(config: VrrpInstance, group: SyncGroup | None, devices: Iterable[str], *, group_has_owner: bool) -> dict[Key, Tracked]:
    """Return what an instance watches, and how each counts.

    `devices`: the interfaces that it cannot do without.  In a sync group without `tracking_weight` the members' own weights do not
    count: an interface, or a file of the default weight, is then watched as if it had none, anything else not at all.  For an
    address owner no weight counts.  What instance and group both watch counts as the group says, unless the instance gives it none.
    """
    found: dict[Key, Tracked] = {}
    weightless = config.is_owner or (group is not None and not group.tracking_weight)
    for key, entry in _entries(config.track):
        if not entry.weight or not weightless:
            found.setdefault(key, entry)
        elif (key[0] is Kind.INTERFACE and not config.is_owner) or (key[0] is Kind.FILE and entry.weight == _FILE_DEFAULT):
            found.setdefault(key, Tracked(entry.name, 0, entry.reverse))
    for key, entry in _entries(group.track) if group is not None else ():
        own = found.get(key)
        if own is None or own.weight:
            found[key] = Tracked(entry.name, 0, entry.reverse) if group_has_owner else entry
    for name in devices:
        found[(Kind.INTERFACE, name)] = Tracked(name)
    return found
