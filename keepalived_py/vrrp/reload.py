"""What a reload does to each instance, decided by comparing values.

    Keep       nothing about it is different
    Alter      the same virtual router in the same place: state, timers, counters and addresses go on, the rest is changed
    Restart    another virtual router, or elsewhere: the old one ends with priority 0, the new one starts from nothing

The name may change; what may not is in `identity`.  Nothing is done here: `engine` does it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from keepalived_py.addresses import Address, Family
from keepalived_py.config.vrrp import VrrpInstance


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave it alone."""


@dataclass(frozen=True, slots=True)
class Alter:
    """Change it in place; `renamed`: scripts and FIFO will hear of it under another name."""

    renamed: bool = False


@dataclass(frozen=True, slots=True)
class Restart:
    """End it and start another; `reason` says what makes it another one."""

    reason: str


Absorbed = Keep | Alter | Restart


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes an instance the virtual router that it is."""

    virtual_router_id: int
    family: Family
    interface: str | None
    vrf: str | None
    group: Address | None
    source: Address | None
    vmac: bool
    vmac_addresses: bool
    ipvlan: bool


_WORDS = {
    "virtual_router_id": "virtual router id",
    "family": "address family",
    "interface": "interface",
    "vrf": "VRF",
    "group": "multicast group",
    "source": "unicast source address",
    "vmac": "use of a VMAC",
    "vmac_addresses": "use of VMACs for addresses",
    "ipvlan": "use of an ipvlan",
}


def identity(config: VrrpInstance) -> Identity:
    """Return what must stay the same for an instance to go on; the source address only counts for unicast."""
    return Identity(
        config.virtual_router_id,
        config.family,
        config.interface,
        config.vrf,
        config.multicast_group,
        config.source_address if config.is_unicast else None,
        config.vmac is not None,
        config.vmac_addresses,
        config.ipvlan is not None,
    )


def absorb(old: VrrpInstance, new: VrrpInstance) -> Absorbed:
    """Return what becomes of an instance when `new` takes the place of `old`."""
    before, after = identity(old), identity(new)
    for name, words in _WORDS.items():
        if getattr(before, name) != getattr(after, name):
            return Restart(f"its {words} has changed")
    return Keep() if old == new else Alter(renamed=old.name != new.name)


def pair(old: Iterable[VrrpInstance], new: Iterable[VrrpInstance]) -> dict[str, str]:
    """Return, for the name of each new instance that goes on, the name of the old one; of two with one identity, the same name."""
    names = {(identity(config), config.name): config.name for config in old}
    first: dict[Identity, str] = {}
    for known, name in names:
        first.setdefault(known, name)
    found: dict[str, str] = {}
    used: set[str] = set()
    configs = list(new)
    for config in configs:
        same = names.get((identity(config), config.name))
        if same is not None:
            found[config.name] = same
            used.add(same)
    for config in configs:
        renamed = first.get(identity(config))
        if config.name not in found and renamed is not None and renamed not in used:
            found[config.name] = renamed
            used.add(renamed)
    return found
