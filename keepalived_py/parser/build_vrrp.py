"""VRRP from its drafts: instances, sync groups and what stands beside them, in the reference's order.

What makes a start impossible ends the building early, as it does there: later rules would only report consequences.
"""

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.globals import GlobalDefs
from keepalived_py.config.routing import VirtualAddress
from keepalived_py.config.scripts import Script
from keepalived_py.config.tracking import Tracked, Tracking
from keepalived_py.config.vrrp import (
    OWNER_PRIORITY,
    Authentication,
    DeletedNotice,
    HmacAuthentication,
    InitialState,
    InterfaceDelay,
    Ipvlan,
    Notify,
    SyncGroup,
    TrackGroup,
    TrackLists,
    Vmac,
    Vrrp,
    VrrpInstance,
)
from keepalived_py.parser import codes
from keepalived_py.parser.build_instance import RULES, Refusal, Unfinished, needs
from keepalived_py.parser.build_tracking import Trackers
from keepalived_py.parser.origins import LineId
from keepalived_py.parser.reading import Reading, did_you_mean
from keepalived_py.parser.schema import Draft, assemble
from keepalived_py.parser.scripts import ScriptChecks
from keepalived_py.units import Micro

_DEFAULT_INTERFACE: Final = "eth0"
_NFT_TABLE: Final = "keepalived"
_NOTIFY_FIELDS: Final = ("backup", "master", "fault", "stop", "deleted", "any", "master_rx_lower_pri")


@dataclass(frozen=True, slots=True)
class BuiltVrrp:
    """The slices of a configuration that concern VRRP; `globals` has what instances add to it.  `complete`: nothing ended early."""

    vrrp: Vrrp
    tracking: Tracking
    globals: GlobalDefs
    complete: bool


def build_vrrp(root: Draft, globals_: GlobalDefs, reading: Reading) -> BuiltVrrp:
    """Return what root drafts amount to for VRRP."""
    return _Builder(root, globals_, reading).build()


class _Builder:
    """Builds VRRP once."""

    def __init__(self, root: Draft, globals_: GlobalDefs, reading: Reading) -> None:
        self._root = root
        self._globals = globals_
        self._reading = reading
        self._drafts: list[Draft] = root.values.get("vrrp.instances", [])
        self._groups: list[Draft] = root.values.get("vrrp.sync_groups", [])
        self._checks = ScriptChecks(reading, security=globals_.enable_script_security)
        self._members: dict[str, tuple[Unfinished, ...]] = {}

    def build(self) -> BuiltVrrp:
        static = self._static_addresses()
        missing = self._reading.missing_interface
        if missing is not None:
            line, name = missing
            text = f"interface {name} is needed and does not exist: VRRP cannot start"
            self._reading.report(codes.INTERFACE_REQUIRED, text, line, name)
        looked_at = missing is None and bool(self._drafts)
        trackers = Trackers(self._root, self._reading, self._checks if looked_at else None)
        instances = [Unfinished(draft, self._globals, self._reading, trackers.lists(draft.values)) for draft in self._drafts]
        tracks = {group.header: trackers.lists(group.values) for group in self._groups}
        complete = missing is None
        if complete:
            if looked_at:
                self._check_scripts(instances)
            try:
                self._complete(instances, tracks)
            except Refusal:
                complete = False
        if not complete:
            self._reading.unstartable = True
        built = tuple(_instance(one, self._globals) for one in instances) if complete else ()
        track_groups = self._track_groups()
        groups = tuple(self._sync_group(group, tracks[group.header]) for group in self._groups if self._members.get(group.header))
        vrrp = Vrrp(
            instances=built,
            sync_groups=groups if complete else (),
            track_groups=track_groups if complete else (),
            static_addresses=static,
            static_routes=tuple(self._root.values.get("vrrp.static_routes", ())),
            static_rules=tuple(self._root.values.get("vrrp.static_rules", ())),
            garp_groups=tuple(self._root.values.get("vrrp.garp_groups", ())),
            linkbeat_interfaces=tuple(self._root.values.get("vrrp.linkbeat_interfaces", ())),
            interface_delays=self._delays(built),
        )
        if complete:
            self._advise(instances)
        return BuiltVrrp(vrrp, trackers.tracking, self._with_firewall(built), complete)

    # Around instances -------------------------------------------------------------------------------------------------------------

    def _static_addresses(self) -> tuple[VirtualAddress, ...]:
        """Return static addresses, those that name no interface on the default one."""
        kept: list[VirtualAddress] = []
        name = self._globals.default_interface or _DEFAULT_INTERFACE
        for address, line in self._root.values.get("vrrp.static_addresses", ()):
            if address.interface is not None:
                kept.append(address)
                continue
            self._reading.line = line
            if self._reading.lacks_interface(name):
                text = f"{address} names no interface, and there is no {name}, the default one; it is ignored"
                self._reading.report(codes.INTERFACE_NEEDED, text, line, str(address))
            else:
                kept.append(replace(address, interface=name))
        return tuple(kept)

    def _track_groups(self) -> tuple[TrackGroup, ...]:
        """Return track groups with the members that exist."""
        known = {draft.header for draft in self._drafts}
        groups: list[TrackGroup] = []
        for draft in self._root.values.get("vrrp.track_groups", ()):
            members = []
            for name, line in draft.values["members"]:
                if name in known:
                    members.append(name)
                else:
                    text = f"track_group {draft.header}: there is no instance {name}"
                    self._reading.report(codes.TRACK_GROUP_MEMBER, text, line, name, hint=did_you_mean(name, known))
            if members:
                groups.append(TrackGroup(draft.header, tuple(members)))
        return tuple(groups)

    def _delays(self, instances: tuple[VrrpInstance, ...]) -> tuple[InterfaceDelay, ...]:
        """Return the delays of interfaces, none longer than an instance there waits for its master."""
        delays: dict[str, InterfaceDelay] = self._root.values.get("vrrp.interface_delays", {})
        for instance in instances:
            delay = delays.get(instance.interface or "")
            if delay is None:
                continue
            missed = instance.down_timer_adverts - 1
            most = Micro(missed * instance.advert_int - (instance.advert_int // 256 if missed else 0))
            if delay.down > most or (not missed and delay.up):
                up = most if not missed or delay.up == delay.down else delay.up
                delays[delay.interface] = InterfaceDelay(delay.interface, min(delay.down, most), up)
                text = f"({instance.name}) the delay of {delay.interface} exceeds {most} microseconds and is cut"
                self._reading.report(codes.DELAY_RESET, text, None if not delays else self._root.place("vrrp.interface_delays"))
        return tuple(delays.values())

    def _with_firewall(self, instances: tuple[VrrpInstance, ...]) -> GlobalDefs:
        """Name the nftables table where an instance needs rules and the configuration names none."""
        needed = any(instance.vmac is not None or not instance.accept for instance in instances)
        nftables = self._globals.nftables
        if not needed or nftables.table is not None:
            return self._globals
        return replace(self._globals, nftables=replace(nftables, table=_NFT_TABLE))

    # Scripts ----------------------------------------------------------------------------------------------------------------------

    def _check_scripts(self, instances: list[Unfinished]) -> None:
        """Look at all scripts of instances and groups, and at those that read the pipes of VRRP."""
        for draft in [*(one.draft for one in instances), *self._groups]:
            for field in _NOTIFY_FIELDS:
                self._check_script(draft, f"notify.{field}")
        for name in ("notify_fifo", "vrrp_notify_fifo"):
            fifo = getattr(self._globals, name)
            if fifo is not None and fifo.script is not None and self._reading.globals is not None:
                allowed = self._checks.allowed(fifo.script, self._reading.globals.place(f"{name}_script"))
                self._globals = replace(self._globals, **{name: replace(fifo, script=allowed)})
        self._checks.conclude()

    def _check_script(self, draft: Draft, field: str) -> None:
        value: Script | DeletedNotice | None = draft.values.get(field)
        if isinstance(value, DeletedNotice):
            draft.values[field] = DeletedNotice(self._checks.allowed(value.script, draft.place(field)))
        elif value is not None:
            draft.values[field] = self._checks.allowed(value, draft.place(field))

    # Completion -------------------------------------------------------------------------------------------------------------------

    def _complete(self, instances: list[Unfinished], tracks: dict[str, TrackLists]) -> None:
        """Apply every rule; raise `Refusal` at the first thing that makes a start impossible."""
        lacking = [one for one in instances if not needs(one)]
        if lacking:
            raise Refusal
        for group in self._groups:
            self._link(group, instances)
        for one in instances:
            for rule in RULES:
                rule(one)
        self._check_vrids(instances)
        self._check_vmacs(instances)
        for group in self._groups:
            if self._members[group.header]:
                tracks[group.header] = self._group_track(group, tracks[group.header])

    def _link(self, group: Draft, instances: list[Unfinished]) -> None:
        """Find the members of a sync group; an instance can be in one."""
        known = {one.name: one for one in instances}
        members: list[Unfinished] = []
        owners: bool | None = None
        for name, line in group.values["members"]:
            one = known.get(name)
            if one is None:
                hint = did_you_mean(name, known)
                text = f"sync group {group.header}: there is no instance {name}"
                self._reading.report(codes.SYNC_MEMBER, text, line, name, hint=hint)
                continue
            if one.group is not None:
                text = f"{name} is in sync group {one.group.header} and cannot be in {group.header} too"
                self._reading.report(codes.SYNC_MEMBER, text, line, name)
                continue
            one.group = group
            members.append(one)
            owners = self._compare_owners(group, one, line, owners=owners)
        self._members[group.header] = tuple(members)
        if not members:
            text = f"sync group {group.header} has no member that exists and is dropped"
            self._reading.report(codes.SYNC_EMPTY, text, group.place("members"))
        elif len(members) == 1:
            text = f"sync group {group.header} has one member, which it cannot synchronise with any other"
            self._reading.report(codes.SYNC_SINGLE, text, group.place("members"))

    def _compare_owners(self, group: Draft, one: Unfinished, line: LineId, *, owners: bool | None) -> bool:
        """Return whether all members so far start as owners of their addresses; report one that is the first not to."""
        state, priority = one.values.get("state"), one.values.get("priority")
        if owners and state is InitialState.BACKUP:
            text = f"sync group {group.header}: {one.name} does not own its addresses and members before it do"
            self._reading.report(codes.SYNC_OWNERS, text, line, one.name)
        return owners is not False and state is InitialState.MASTER and priority == OWNER_PRIORITY

    def _group_track(self, group: Draft, track: TrackLists) -> TrackLists:
        """Drop weights that a member cannot follow, and report interfaces that a member tracks too."""
        members = self._members[group.header]
        if any(one.priority == OWNER_PRIORITY for one in members):
            track = TrackLists(
                self._unweighted(group, "track.interfaces", track.interfaces),
                self._unweighted(group, "track.scripts", track.scripts),
                self._unweighted(group, "track.files", track.files),
                self._unweighted(group, "track.processes", track.processes),
                self._unweighted(group, "track.bfd", track.bfd),
            )
        for entry in track.interfaces:
            for one in members:
                own = one.interface == entry.name and not one.values.get("dont_track_primary")
                if own or any(entry.name == tracked.name for tracked in one.track.interfaces):
                    text = f"{entry.name} is tracked by sync group {group.header} and by its member {one.name}"
                    self._reading.report(codes.TRACK_TWICE, text, group.values["track.interfaces"][entry.name].line, entry.name)
        return track

    def _unweighted(self, group: Draft, into: str, entries: tuple[Tracked, ...]) -> tuple[Tracked, ...]:
        for entry in entries:
            if entry.weight:
                text = f"sync group {group.header}: the weight of {entry.name} does not count, because a member owns its addresses"
                self._reading.report(codes.TRACK_WEIGHT, text, group.values[into][entry.name].line, entry.name)
        return tuple(replace(entry, weight=0) for entry in entries)

    # Clashes ----------------------------------------------------------------------------------------------------------------------

    def _check_vrids(self, instances: list[Unfinished]) -> None:
        """Refuse instances that could not tell each other's adverts apart."""
        clash = False
        by_id: dict[tuple[Family, int], list[Unfinished]] = {}
        for one in instances:
            by_id.setdefault((one.family, one.values["virtual_router_id"]), []).append(one)
        for same in by_id.values():
            for one, other in combinations(same, 2):
                if one.unicast is not other.unicast or self._may_change(one, other):
                    continue
                if _unicast_clash(one, other) if one.unicast else _multicast_clash(one, other):
                    text = f"virtual_router_id {one.values['virtual_router_id']} is that of {one.name} on the same interface"
                    other.report(codes.DUPLICATE_VRID, text, "virtual_router_id")
                    clash = True
        if clash:
            raise Refusal

    def _may_change(self, one: Unfinished, other: Unfinished) -> bool:
        """Note a clash that changes of interfaces may end: until then one of the instances stays in FAULT."""
        if one.unicast or not self._globals.allow_if_changes or not _multicast_clash(one, other):
            return False
        loser = next((each for each in (one, other) if each.facts is not None and each.facts.kind), None)
        if loser is not None:
            loser.faults.append("virtual router id in use")
        return loser is not None

    def _check_vmacs(self, instances: list[Unfinished]) -> None:
        """Keep instances from using one VMAC unless they are in one sync group."""
        by_id: dict[int, list[Unfinished]] = {}
        for one in instances:
            if _made_interfaces(one):
                by_id.setdefault(one.values["virtual_router_id"], []).append(one)
        for same in by_id.values():
            for earlier, later in combinations(same, 2):
                if earlier.group is not None and earlier.group is later.group:
                    continue
                if _made_interfaces(earlier) & _made_interfaces(later):
                    later.report(codes.VMAC_SHARED, f"its VMAC is that of {earlier.name}; the instance stays in FAULT", "vmac")
                    later.faults.append(f"VMAC of {earlier.name}")

    def _advise(self, instances: list[Unfinished]) -> None:
        """Say what is allowed and seldom meant: a virtual router id or an address in two instances."""
        routers: dict[tuple[str | None, Family, int], Unfinished] = {}
        owners: dict[Address, Unfinished] = {}
        for one in instances:
            key = (one.interface, one.family, one.values["virtual_router_id"])
            first = routers.setdefault(key, one)
            if first is not one and one.interface is not None:
                one.report(
                    codes.ADVICE_VRID, f"{first.name} has this virtual_router_id on {one.interface} too", "virtual_router_id"
                )
            told: set[str] = set()
            for field in ("virtual_addresses", "excluded_addresses"):
                for address in one.values.get(field, ()):
                    owner = owners.setdefault(address.address, one)
                    if owner is not one and owner.name not in told:
                        told.add(owner.name)
                        one.report(codes.ADVICE_VIP, f"{owner.name} has the address {address.address} too", field)

    # Values -----------------------------------------------------------------------------------------------------------------------

    def _sync_group(self, draft: Draft, track: TrackLists) -> SyncGroup:
        get = draft.values.get
        return SyncGroup(
            draft.header,
            tuple(one.name for one in self._members[draft.header]),
            track,
            _notify(draft.values),
            _alert(get("smtp_alert"), self._globals),
            get("tracking_weight", False),
            get("notify_priority_changes"),
        )


def _unicast_clash(one: Unfinished, other: Unfinished) -> bool:
    """Whether two unicast instances have the same source and a peer in common."""
    if one.interface is not None and other.interface is not None and one.interface != other.interface:
        return False
    sources = _source(one), _source(other)
    if None in sources or sources[0] != sources[1]:
        return False
    peers = {peer.address for peer in one.values["unicast_peers"]}
    return any(peer.address in peers for peer in other.values["unicast_peers"])


def _source(one: Unfinished) -> Address | None:
    """Return the source of adverts as far as it is known: IPv6 uses link-local ones of the interface."""
    source: Address | None = one.values.get("source_address")
    if source is not None or one.facts is None:
        return source
    usable = (found for found in one.facts.addresses if found.family is one.family)
    return next((found for found in usable if found.family is Family.INET or found.is_link_local), None)


def _multicast_clash(one: Unfinished, other: Unfinished) -> bool:
    """Whether two multicast instances share interface and group; an interface that is yet to come counts for nothing."""
    if one.facts is None or one.values["multicast_group"] != other.values["multicast_group"]:
        return False
    if one.family is Family.INET6 and _scope(one) != _scope(other):
        return False
    return _base(one) == _base(other)


def _scope(one: Unfinished) -> str | None:
    """Return the interface that an IPv6 group is bound to; one that the daemon makes has no name yet and is like any other."""
    return None if one.makes_interface and not one.values.get("vmac_xmit_base") else one.interface


def _base(one: Unfinished) -> str | None:
    facts = one.facts
    return facts.parent or facts.name if facts is not None else one.interface


def _made_interfaces(one: Unfinished) -> set[tuple[str | None, Family, bytes | None]]:
    """Return what tells the VMACs of an instance and of its addresses apart: interface below, family, own MAC address."""
    values = one.values
    mac: bytes | None = values.get("vmac", {}).get("mac")
    made: set[tuple[str | None, Family, bytes | None]] = {(one.interface, one.family, mac)} if "vmac" in values else set()
    for field in ("virtual_addresses", "excluded_addresses"):
        for address in values.get(field, ()):
            if address.use_vmac:
                made.add((address.interface or one.interface, address.family, mac))
    return made


def _alert(own: bool | None, globals_: GlobalDefs) -> bool:
    """Return whether mail is sent: own setting, else that for VRRP, else that for all."""
    return next((setting for setting in (own, globals_.smtp_alert_vrrp, globals_.smtp_alert) if setting is not None), False)


def _notify(values: dict[str, Any]) -> Notify:
    found = {field: values[f"notify.{field}"] for field in _NOTIFY_FIELDS if values.get(f"notify.{field}") is not None}
    return Notify(**found)


_PLAIN: Final = (
    "interface", "vrf", "vmac_addresses", "vmac_xmit_base", "state", "priority", "advert_int", "down_timer_adverts", "preempt",
    "preempt_delay", "timer_expired_backup", "accept", "source_address", "multicast_group", "unicast_peers",
    "unicast_fault_no_peer", "unicast_checksum", "lower_prio_no_advert", "higher_prio_send_advert", "owner_ignore_adverts",
    "virtual_addresses", "excluded_addresses", "no_virtual_addresses", "promote_secondaries", "routes", "rules",
    "dont_track_primary", "linkbeat_use_polling", "kernel_rx_buf_size", "debug",
)  # fmt: skip
"""Fields that go into the value as they are once rules have been applied."""


def _instance(one: Unfinished, globals_: GlobalDefs) -> VrrpInstance:
    """Return the finished instance."""
    values, defaults = one.values, globals_.vrrp
    get = values.get
    fields: dict[str, Any] = {name: values[name] for name in _PLAIN if name in values}
    fields.update((name, value) for name, value in values.items() if name.startswith("garp."))
    group = one.group.values.get("notify_priority_changes") if one.group is not None else None
    changes = next((own for own in (get("notify_priority_changes"), group) if own is not None), defaults.notify_priority_changes)
    fields.update(
        name=one.name,
        virtual_router_id=values["virtual_router_id"],
        family=one.family,
        version=one.version,
        strict=one.strict,
        vmac=_vmac(one),
        ipvlan=Ipvlan(**values["ipvlan"]) if "ipvlan" in values else None,
        track_source_address=bool(get("track_source_address")) and "source_address" in values,
        unicast_ttl=get("unicast_ttl", 255 if one.family is Family.INET else None),
        check_unicast_src=(one.unicast and get("check_unicast_src", False)) or defaults.check_unicast_src,
        v3_checksum_as_v2=get("v3_checksum_as_v2", defaults.v3_checksum_as_v2),
        skip_check_adv_addr=get("skip_check_adv_addr", defaults.skip_check_adv_addr),
        authentication=Authentication(values["auth auth_type"], get("auth auth_pass", b"")) if "auth auth_type" in values else None,
        hmac=_hmac(values.get("hmac")),
        track=one.track,
        notify=_notify(values),
        notify_priority_changes=changes,
        smtp_alert=_alert(get("smtp_alert"), globals_),
        faults=tuple(one.faults),
    )
    built = assemble(VrrpInstance, fields)
    assert isinstance(built, VrrpInstance)
    return built


_OCTETS_WITHOUT_ID: Final = 5


def _vmac(one: Unfinished) -> Vmac | None:
    """Return the VMAC; an address of five octets ends in the virtual router id."""
    if "vmac" not in one.values:
        return None
    vmac: dict[str, Any] = one.values["vmac"]
    mac: bytes | None = vmac.get("mac")
    if mac is not None and len(mac) == _OCTETS_WITHOUT_ID:
        vmac = {**vmac, "mac": mac + bytes([one.values["virtual_router_id"]])}
    return Vmac(**vmac)


def _hmac(values: dict[str, Any] | None) -> HmacAuthentication | None:
    return HmacAuthentication(**{**values, "keys": tuple(values["keys"])}) if values else None
