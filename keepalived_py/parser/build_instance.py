"""One VRRP instance on its way from draft to value: rules that correct it, in the reference's order, and what they correct.

Each rule is a function of an `Unfinished` instance.  It reports what it corrects, notes a fault where the instance must not run,
and raises `Refusal` where nothing of VRRP may.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from keepalived_py.addresses import Family
from keepalived_py.config.globals import GlobalDefs
from keepalived_py.config.routing import VirtualAddress
from keepalived_py.config.tracking import Tracked
from keepalived_py.config.vrrp import (
    DEFAULT_PRIORITY,
    MAX_ADDRESSES,
    OWNER_PRIORITY,
    AntiReplay,
    AuthType,
    HmacMode,
    InitialState,
    TrackLists,
)
from keepalived_py.parser import codes
from keepalived_py.parser.diagnostics import Code
from keepalived_py.parser.facts import InterfaceFacts
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import Draft
from keepalived_py.units import MICRO_PER_CENTI, MICRO_PER_SECOND, Micro, Seconds, micro, seconds_text

_MASTER, _BACKUP = InitialState.MASTER, InitialState.BACKUP


class Refusal(Exception):
    """VRRP cannot start with this configuration; nothing of it is looked at further."""


class Unfinished:
    """An instance while rules work on it: `values` by field, as written and then as corrected."""

    def __init__(self, draft: Draft, globals_: GlobalDefs, reading: Reading, track: TrackLists) -> None:
        self.name: str = draft.header
        self.draft = draft
        self.values: dict[str, Any] = draft.values
        self.globals = globals_
        self.reading = reading
        self.track = track
        self.faults: list[str] = []
        self.group: Draft | None = None
        self.strict: bool = self.values.get("strict", globals_.vrrp.strict)
        self.family: Family = self.values.get("family", Family.INET)
        self.unicast = bool(self.values.get("unicast_peers"))

    @property
    def version(self) -> int:
        """The VRRP version, once it is settled."""
        return int(self.values["version"])

    @property
    def priority(self) -> int:
        """The priority, once it is settled."""
        return int(self.values["priority"])

    @property
    def interface(self) -> str | None:
        """Name of the configured interface."""
        name: str | None = self.values.get("interface")
        return name

    @property
    def facts(self) -> InterfaceFacts | None:
        """What is known of the configured interface; None when it does not exist yet."""
        return self.reading.interface(self.interface) if self.interface is not None else None

    @property
    def makes_interface(self) -> bool:
        """Whether the instance has a VMAC or an ipvlan."""
        return "vmac" in self.values or "ipvlan" in self.values

    def report(self, code: Code, text: str, field: str = "", word: str = "") -> None:
        """Report something, at the line that set a field."""
        self.reading.report(code, f"({self.name}) {text}", self.draft.place(field), word)

    def reset(self, code: Code, text: str, field: str, value: Any) -> None:
        """Report and correct a field."""
        self.report(code, text, field)
        self.values[field] = value

    def refuse(self, code: Code, text: str, field: str = "") -> Refusal:
        """Report what makes a start impossible."""
        self.report(code, text, field)
        return Refusal(text)


# Needs ----------------------------------------------------------------------------------------------------------------------------


def needs(one: Unfinished) -> bool:
    """Return whether the instance has what no instance can do without."""
    values = one.values
    if "virtual_router_id" not in values:
        one.report(codes.INSTANCE_NO_VRID, "virtual_router_id is missing")
        return False
    if one.interface is None and not values.get("unicast configured"):
        one.report(codes.INSTANCE_NO_INTERFACE, "interface is missing")
        return False
    if one.interface is None and "vmac" in values:
        one.report(codes.INSTANCE_NO_INTERFACE, "use_vmac needs an interface", "vmac")
        return False
    return True


# Identity -------------------------------------------------------------------------------------------------------------------------


def _version(one: Unfinished) -> None:
    values = one.values
    if one.family is Family.INET6 and values.get("version") == 2 and one.strict:
        one.reset(codes.INSTANCE_VERSION, "IPv6 needs version 3, which is used", "version", 3)
    values.setdefault("version", 3 if one.family is Family.INET6 else one.globals.vrrp.version)


def _state(one: Unfinished) -> None:
    values = one.values
    if "priority" not in values:
        values["priority"] = OWNER_PRIORITY if values.get("state") is _MASTER else DEFAULT_PRIORITY
    fitting = _MASTER if one.priority == OWNER_PRIORITY else _BACKUP
    state = values.setdefault("state", fitting)
    if one.strict and state is not fitting:
        one.reset(codes.STATE_OWNER, f"in strict mode priority {one.priority} starts as {fitting.value}", "state", fitting)


def _authentication(one: Unfinished) -> None:
    """Settle the authentication of version 2, which most circumstances forbid."""
    values = one.values
    kind: AuthType | None = values.get("auth auth_type")
    if kind is None:
        return
    reason = ""
    if one.strict:
        reason = "strict mode has no authentication"
    elif one.version == 3:
        reason = "version 3 has no authentication"
    elif not values.get("auth auth_pass"):
        reason = "authentication needs auth_pass"
    elif one.family is Family.INET6 and kind is AuthType.AH:
        reason = "AH is not possible with IPv6"
    if reason:
        one.report(codes.AUTH_IGNORED, f"{reason}; it is ignored", "auth auth_type")
        del values["auth auth_type"]
    elif kind is AuthType.AH and values["state"] is _MASTER and one.priority != OWNER_PRIORITY:
        one.reset(codes.AUTH_AH_MASTER, "AH needs to start as BACKUP, which is used", "state", _BACKUP)


_LEAST_WINDOW, _LARGEST_WINDOW = 5, 300


def _hmac(one: Unfinished) -> None:
    values = one.values
    hmac: dict[str, Any] | None = values.get("hmac")
    if hmac is None:
        return
    if values.pop("auth auth_type", None) is not None:
        one.report(codes.HMAC_REPLACES, "auth_hmac takes the place of authentication, which is ignored", "hmac")
    active = hmac.get("active_key", 0)
    if all(key.id != active for key in hmac.get("keys", ())):
        one.report(codes.HMAC_ACTIVE, f"there is no key {active} to be the active_key; auth_hmac is switched off", "hmac")
        del values["hmac"]
        return
    if one.strict and hmac.get("mode", HmacMode.ENFORCE) is not HmacMode.ENFORCE:
        one.report(codes.HMAC_STRICT, "strict mode needs mode enforce of auth_hmac, which is used", "hmac")
        hmac["mode"] = HmacMode.ENFORCE
    if hmac.get("anti_replay", AntiReplay.TIME) is AntiReplay.TIME and "time_window" not in hmac:
        window = 3 * (values.get("advert_int", 0) // MICRO_PER_SECOND)
        hmac["time_window"] = Seconds(min(max(window, _LEAST_WINDOW), _LARGEST_WINDOW))


# Unicast and interfaces -----------------------------------------------------------------------------------------------------------


def _unicast(one: Unfinished) -> None:
    values = one.values
    if values.get("unicast configured") and not one.unicast:
        if values.get("unicast_fault_no_peer"):
            one.report(codes.UNICAST_FAULT, "unicast without peers: the instance stays in FAULT", "unicast_fault_no_peer")
            one.faults.append("unicast without peers")
        else:
            one.report(codes.UNICAST_NO_PEERS, "words about unicast without unicast_peer: multicast is used", "unicast configured")
            if one.interface is None:
                raise one.refuse(codes.INSTANCE_NO_INTERFACE, "interface is missing")
    facts = one.facts
    if one.strict and one.unicast and facts is not None and facts.multicast:
        raise one.refuse(codes.UNICAST_STRICT, "strict mode has no unicast", "unicast_peers")
    if one.interface is None:
        source = values.get("source_address")
        if source is None:
            raise one.refuse(codes.UNICAST_SOURCE, "unicast needs unicast_src_ip or an interface", "unicast configured")
        if source.family is Family.INET6 and source.is_link_local:
            raise one.refuse(codes.UNICAST_SOURCE, "a link-local address needs an interface", "source_address")


def _interface(one: Unfinished) -> None:
    """Check that the interface can do what is asked of it."""
    values, facts = one.values, one.facts
    if one.strict and "mac" in values.get("vmac", {}):
        one.report(codes.VMAC_STRICT, "strict mode gives a VMAC its address; the one named is ignored", "vmac")
        del values["vmac"]["mac"]
    if one.makes_interface and facts is not None and not facts.ethernet:
        one.report(codes.VMAC_ETHERNET, f"{facts.name} is no Ethernet interface and can carry no VMAC", "vmac")
        for name in ("vmac", "ipvlan", "vmac_xmit_base"):
            values.pop(name, None)
        one.unicast = False
        one.faults.append("no Ethernet interface")
    if facts is not None and not facts.multicast and not one.unicast:
        one.report(codes.NO_MULTICAST, f"{facts.name} cannot multicast, and there are no unicast peers", "interface", facts.name)
        one.faults.append("no multicast")
    addresses = values.get("virtual_addresses", ())
    if one.strict and one.family is Family.INET6 and not one.unicast and addresses and not addresses[0].address.is_link_local:
        one.report(codes.FIRST_IPV6, f"{addresses[0].address} comes first and is not link-local", "virtual_addresses")
    if "vrf" in values and (one.interface is not None or not one.unicast):
        one.report(codes.INSTANCE_VRF, "vrf is for unicast without an interface; it is ignored", "vrf")
        del values["vrf"]


_HEADERS: Final = {Family.INET: 14 + 20 + 8, Family.INET6: 14 + 40 + 8}
"""Bytes of Ethernet, IP and VRRP headers before the addresses of an advert."""

_V2_AUTHENTICATION, _AH, _HMAC_TRAILER = 8, 24, 28
_DEFAULT_MTU: Final = 1500


def _room(one: Unfinished) -> None:
    """Leave as many addresses to be advertised as an advert holds; the rest becomes excluded ones."""
    values = one.values
    header = _HEADERS[one.family]
    if one.family is Family.INET and one.version == 2:
        header += _V2_AUTHENTICATION + (_AH if values.get("auth auth_type") is AuthType.AH else 0)
    if values.get("hmac", {}).get("mode", HmacMode.RECEIVE_ONLY if "hmac" not in values else None) is not HmacMode.RECEIVE_ONLY:
        header += _HMAC_TRAILER
    facts = one.facts
    mtu = facts.mtu if facts is not None else _DEFAULT_MTU
    size = one.family.bits // 8
    room = min((mtu - header) // size, MAX_ADDRESSES) if mtu >= header else MAX_ADDRESSES
    addresses = values.get("virtual_addresses", [])
    if len(addresses) > room:
        text = f"an advert has room for {room} addresses and there are {len(addresses)}; the rest is excluded"
        one.report(codes.VIP_TOO_MANY, text, "virtual_addresses")
        values.setdefault("excluded_addresses", []).extend(addresses[room:])
        values["virtual_addresses"] = addresses[:room]


# Preemption and timers ------------------------------------------------------------------------------------------------------------


def _preemption(one: Unfinished) -> None:
    values = one.values
    if one.priority == OWNER_PRIORITY and values.get("preempt") is False:
        one.reset(codes.PREEMPT_OWNER, f"nopreempt makes no sense with priority {OWNER_PRIORITY}; it is ignored", "preempt", True)
    if values["state"] is _MASTER:
        if values.get("preempt") is False:
            one.reset(codes.PREEMPT_MASTER, "nopreempt needs state BACKUP; it is ignored", "preempt", True)
        if values.get("preempt_delay"):
            one.reset(codes.PREEMPT_MASTER, "preempt_delay needs state BACKUP; it is ignored", "preempt_delay", Micro(0))
    if values.get("preempt_delay") and (one.strict or values.get("preempt") is False):
        other = "strict mode" if one.strict else "nopreempt"
        one.reset(codes.PREEMPT_DELAY, f"preempt_delay and {other} exclude each other; it is ignored", "preempt_delay", Micro(0))
    missed = values.setdefault("down_timer_adverts", one.globals.vrrp.down_timer_adverts)
    if one.strict and missed != _STRICT_MISSED:
        text = f"strict mode waits for {_STRICT_MISSED} adverts; down_timer_adverts {missed} is ignored"
        one.reset(codes.STRICT_TIMER, text, "down_timer_adverts", _STRICT_MISSED)
    if values.get("preempt", True) and values.get("timer_expired_backup"):
        one.reset(codes.EXPIRED_PREEMPT, "timer_expired_backup needs nopreempt; it is ignored", "timer_expired_backup", 0)


_STRICT_MISSED: Final = 3
"""Adverts that may be missed (RFC 9568 section 6.1, Active_Down_Interval)."""


def _accept(one: Unfinished) -> None:
    values = one.values
    owner = one.priority == OWNER_PRIORITY
    accept = values.setdefault("accept", owner or not one.strict)
    if accept and not owner and one.strict and one.version == 2:
        one.reset(codes.STRICT_ACCEPT, "strict version 2 accepts nothing but for the owner", "accept", False)


def _group(one: Unfinished) -> None:
    """Settle where adverts go."""
    values, defaults = one.values, one.globals.vrrp
    if one.unicast:
        if values.pop("multicast_group", None) is not None:
            one.report(codes.UNICAST_MULTICAST, "mcast_dst_ip has no use with unicast; it is ignored", "multicast_group")
    else:
        values.setdefault("multicast_group", defaults.mcast_group4 if one.family is Family.INET else defaults.mcast_group6)


def _gratuitous(one: Unfinished) -> None:
    """Settle how often addresses are made known; strict mode does not repeat that on a lower advert."""
    values, defaults = one.values, one.globals.vrrp
    delay = defaults.garp_lower_prio_delay
    repeat = defaults.garp_lower_prio_repeat
    fallback = {
        "garp.lower_prio_repeat": defaults.garp_master_repeat if repeat is None else repeat,
        "garp.lower_prio_delay": defaults.garp_master_delay if delay is None else delay,
    }
    for field, usual in fallback.items():
        if field not in values:
            values[field] = 0 if one.strict else usual
        elif one.strict and values[field]:
            one.reset(codes.STRICT_GARP, "strict mode repeats nothing on a lower advert", field, 0)
    for name in ("master_delay", "master_repeat", "master_refresh", "master_refresh_repeat"):
        values.setdefault(f"garp.{name}", getattr(defaults, f"garp_{name}"))
    if "garp.extra_if" not in values:
        values["garp.extra_if"] = defaults.garp_extra_if
        values["garp.extra_if_all"] = values.get("garp.extra_if_all", False) or defaults.garp_extra_if_all


def _adverts(one: Unfinished) -> None:
    values, defaults = one.values, one.globals.vrrp
    for field, wanted in (("lower_prio_no_advert", True), ("higher_prio_send_advert", False)):
        if field not in values:
            values[field] = wanted if one.strict else getattr(defaults, field)
        elif one.strict and values[field] is not wanted:
            one.reset(codes.STRICT_ADVERT, f"strict mode needs {field} to be {str(wanted).lower()}", field, wanted)


def _owner(one: Unfinished) -> None:
    values = one.values
    owner = one.priority == OWNER_PRIORITY
    ignore = values.get("owner_ignore_adverts")
    if ignore and not owner:
        text = f"owner_ignore_adverts is for priority {OWNER_PRIORITY}; it is ignored"
        one.reset(codes.OWNER_IGNORE, text, "owner_ignore_adverts", False)
    elif ignore is None:
        values["owner_ignore_adverts"] = owner and (one.strict or one.globals.vrrp.owner_ignore_adverts)
    elif owner and not ignore:
        text = f"priority {OWNER_PRIORITY} has owner_ignore_adverts, which cannot be switched off"
        one.reset(codes.OWNER_IGNORE, text, "owner_ignore_adverts", True)


def _interval(one: Unfinished) -> None:
    """Round the interval between adverts to what the version can carry."""
    values = one.values
    interval: int = values.setdefault("advert_int", micro(1))
    unit, most = (MICRO_PER_SECOND, 255) if one.version == 2 else (MICRO_PER_CENTI, (1 << 12) - 1)
    if interval >= (most + 1) * unit:
        rounded = most * unit
    elif interval % unit:
        rounded = min(max((interval + unit // 2) // unit, 1), most) * unit
    else:
        return
    text = f"version {one.version} cannot advertise every {seconds_text(Micro(interval))} seconds; "
    one.reset(codes.ADVERT_INTERVAL, f"{text}{seconds_text(Micro(rounded))} is used", "advert_int", Micro(rounded))


# Made interfaces and addresses ----------------------------------------------------------------------------------------------------


def _made(one: Unfinished) -> None:
    """Check a VMAC or ipvlan against what is there."""
    values = one.values
    if one.makes_interface:
        kind = "ipvlan" if "ipvlan" in values else "vmac"
        name = values[kind].get("name")
        facts = one.reading.interface(name) if name else None
        if facts is not None and facts.kind not in ("macvlan", "macvtap", "ipvlan", "ipvtap"):
            one.report(codes.VMAC_NAME, f"{name} exists and is another kind of interface; the name is ignored", kind)
            del values[kind]["name"]
        if "vmac" in values and one.strict and values.get("vmac_xmit_base"):
            one.reset(codes.VMAC_STRICT, "strict mode sends adverts from the VMAC", "vmac_xmit_base", False)
        if values.get("promote_secondaries"):
            text = "promote_secondaries is set for VMACs by itself; it is ignored"
            one.reset(codes.VMAC_PROMOTE, text, "promote_secondaries", False)
    if "ipvlan" in values:
        address = values["ipvlan"].get("address")
        if (address is None and one.family is Family.INET) or (address is not None and address.family is not one.family):
            one.report(codes.IPVLAN_ADDRESS, "an ipvlan needs an address of the family; the instance stays in FAULT", "ipvlan")
            one.faults.append("ipvlan without address")


def _own_interface(one: Unfinished) -> None:
    """Leave out the own interface of what is tracked."""
    own = {one.interface, one.facts.parent if one.facts is not None else None}
    kept: list[Tracked] = []
    for entry in one.track.interfaces:
        if entry.name in own:
            place = one.values["track.interfaces"][entry.name].line
            text = f"({one.name}) {entry.name} is the own interface, which is watched anyway; the line is ignored"
            one.reading.report(codes.TRACK_OWN, text, place, entry.name)
        else:
            kept.append(entry)
    one.track = replace(one.track, interfaces=tuple(kept))


def _xmit_base(one: Unfinished) -> None:
    if one.values.get("vmac_xmit_base") and "vmac" not in one.values:
        one.reset(codes.VMAC_XMIT_BASE, "vmac_xmit_base needs use_vmac; it is ignored", "vmac_xmit_base", False)


def _addresses(one: Unfinished) -> None:
    """Settle on which interface each address goes, and drop those that have none."""
    for field in ("virtual_addresses", "excluded_addresses"):
        if field in one.values:
            one.values[field] = [kept for address in one.values[field] if (kept := _address(one, address, field)) is not None]


def _address(one: Unfinished, address: VirtualAddress, field: str) -> VirtualAddress | None:
    values = one.values
    own = address.interface is None or address.interface == one.interface
    same = address.family is one.family
    if address.use_vmac:
        if own and same and "vmac" in values:
            one.report(codes.VMAC_ADDRESS, f"use_vmac of {address} and of the instance mean the same", field)
            address = replace(address, use_vmac=False)
        elif not (own and same) and values.get("vmac_addresses"):
            one.report(codes.VMAC_ADDRESS, f"use_vmac of {address} and use_vmac_addr mean the same", field)
    elif values.get("vmac_addresses") and (not own or not same):
        address = replace(address, use_vmac=True)
    if address.interface is None and one.interface is None:
        one.report(codes.VIP_NO_INTERFACE, f"{address} has no interface and is ignored", field)
        return None
    return address


def _no_addresses(one: Unfinished) -> None:
    values = one.values
    if values.get("no_virtual_addresses") and one.strict:
        text = "no_virtual_ipaddress is not possible in strict mode; it is ignored"
        one.reset(codes.VIP_NONE_STRICT, text, "no_virtual_addresses", False)
    if values.get("no_virtual_addresses") or values.get("virtual_addresses"):
        return
    if one.version == 3 or one.strict:
        raise one.refuse(codes.VIP_NONE, "there is no virtual address, and at least one is needed")
    one.report(codes.VIP_NONE_V2, "there is no virtual address")


# Trackers -------------------------------------------------------------------------------------------------------------------------


def _weights(one: Unfinished) -> None:
    """Leave weights out where the priority is fixed: in a sync group without tracking weights, and of an address owner."""
    synced = one.group is not None and not one.group.values.get("tracking_weight")
    if not synced and one.priority != OWNER_PRIORITY:
        return
    because = "in a sync group" if synced else "of an address owner"
    track = one.track
    interfaces = [
        replace(entry, weight=0) if entry.weight else entry
        for entry in track.interfaces
        if synced or not entry.weight or _weighted(one, "track.interfaces", entry, because)
    ]
    if synced:
        for entry in track.interfaces:
            if entry.weight:
                _weighted(one, "track.interfaces", entry, because)
    scripts = [entry for entry in track.scripts if not entry.weight or _weighted(one, "track.scripts", entry, because)]
    files = []
    for entry in track.files:
        if entry.weight:
            _weighted(one, "track.files", entry, because)
        if entry.weight in (0, 1):
            files.append(replace(entry, weight=0))
    bfd = [entry for entry in track.bfd if not entry.weight or _weighted(one, "track.bfd", entry, because)]
    one.track = TrackLists(tuple(interfaces), tuple(scripts), tuple(files), track.processes, tuple(bfd))


def _weighted(one: Unfinished, into: str, entry: Tracked, because: str) -> bool:
    """Report a weight that does not count; always False, for use in a filter."""
    place = one.values[into][entry.name].line
    text = f"({one.name}) the weight of {entry.name} does not count {because}"
    one.reading.report(codes.TRACK_WEIGHT, text, place, entry.name)
    return False


RULES: Final[tuple[Callable[[Unfinished], None], ...]] = (
    _version,
    _state,
    _authentication,
    _hmac,
    _unicast,
    _interface,
    _room,
    _preemption,
    _accept,
    _group,
    _gratuitous,
    _adverts,
    _owner,
    _interval,
    _made,
    _own_interface,
    _xmit_base,
    _addresses,
    _no_addresses,
    _weights,
)
"""Every rule about one instance, in the order in which they apply."""
