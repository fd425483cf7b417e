"""`virtual_server`, `real_server`, their groups, and the FULLNAT words.

What needs the whole block, or other blocks, is in `parser.build`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from socket import inet_aton
from typing import Any, Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.lvs import (
    AddressEntry,
    AddressList,
    AddressTarget,
    Forwarding,
    ForwardingMethod,
    FwmarkEntry,
    FwmarkTarget,
    GroupTarget,
    LocalAddressEntry,
    LocalAddressGroup,
    Protocol,
    RealServer,
    ServiceFlags,
    TunnelChecksum,
    TunnelType,
    VirtualServer,
    VirtualServerGroup,
)
from keepalived_py.parser import codes
from keepalived_py.parser.keywords.checker_blocks import CHECKER_BLOCKS, LOOP, ROW, SPAN, TIMEOUT
from keepalived_py.parser.keywords.global_defs import MAX_IPVS_TIMEOUT
from keepalived_py.parser.kinds import (
    Boolean,
    Choice,
    Flag,
    Integer,
    InterfaceName,
    IpAddress,
    Word,
    Words,
    digits,
    parse_address,
    parse_integer,
    parse_port,
    quoted,
    strip_range,
)
from keepalived_py.parser.ranges import parse_range, write_range
from keepalived_py.parser.reading import Reading, UnusableError, did_you_mean
from keepalived_py.parser.schema import Block, Draft, Effect, Keyword, Refused, Repeat, show_nothing
from keepalived_py.parser.scripts import Command
from keepalived_py.units import Seconds

IPVS_PERSISTENCE: Final = Seconds(360)
"""Seconds of persistence where the file asks for it without a number."""

_MATCH: Final = "virtual_server match"
"""What a service of that form needs, and does not get."""

_FLAG, _BOOL = Flag(), Boolean()
_MAX_WEIGHT: Final = 0x7FFFFFFF
_SCRIPT = Command()
_VHOST = Word("HOST", missing=codes.WORD_MISSING)
_SNMP_NAME = Word("NAME", exactly=True, missing=codes.WORD_MISSING)

SCHEDULERS: Final = {
    name: name for name in ("rr", "wrr", "lc", "wlc", "lblc", "sh", "mh", "dh", "fo", "ovf", "lblcr", "sed", "nq", "twos")
}
_METHODS: Final = {
    "NAT": ForwardingMethod.MASQ,
    "DR": ForwardingMethod.DROUTE,
    "TUN": ForwardingMethod.TUNNEL,
    "TUNNEL": ForwardingMethod.TUNNEL,
    "FNAT": ForwardingMethod.FULLNAT,
}
_METHOD_NAMES: Final = {method: name for name, method in reversed(_METHODS.items())}
_TUNNELS: Final = {"ipip": TunnelType.IPIP, "gue": TunnelType.GUE, "gre": TunnelType.GRE}
_CHECKSUMS: Final = {"nocsum": TunnelChecksum.NONE, "csum": TunnelChecksum.CSUM, "remcsum": TunnelChecksum.REMCSUM}


def _is_zero(word: str) -> bool:
    return not word.strip("0")


@dataclass(frozen=True, slots=True)
class _AddressPort:
    """``ADDR [PORT]``; port 0 or none is 0."""

    syntax: str = "ADDR [PORT]"

    def read(self, words: list[str], reading: Reading) -> tuple[Address, int]:
        """Return address and port."""
        word = reading.argument(words, 1)
        port = 0 if len(words) < 3 or _is_zero(words[2]) else parse_port(words[2], reading, 2)
        return parse_address(strip_range(word)), port

    def write(self, value: Any) -> str | None:
        """Return address and port of whatever has them; None leaves the keyword out."""
        if value is None:
            return None
        return f"{value.address} {value.port}" if value.port else str(value.address)


@dataclass(frozen=True, slots=True)
class _ServiceHeader:
    """``ADDR [PORT]``, ``fwmark N``, ``group NAME``, and the dialects' ``match NAME``.

    Read as ``("address", Address, port)``, ``("fwmark", mark)``, ``("group", name)`` or ``("match", name)``.
    """

    syntax: str = "ADDR [PORT] | fwmark INT | group NAME"

    def read(self, words: list[str], reading: Reading) -> tuple[Any, ...]:
        """Return what the service is made for."""
        word = reading.argument(words, 1)
        if word == "group":
            return word, reading.argument(words, 2)
        if word == "match":
            if len(words) < 3:
                raise Refused(codes.BAD_ADDRESS, "match is not an address, and without a name no service of a dialect")
            return word, words[2]
        if word == "fwmark":
            return "fwmark", parse_integer(reading.argument(words, 2), 0, 0xFFFFFFFF, reading, 2)
        return ("address", *_AddressPort().read(words, reading))

    def write(self, value: Any) -> str | None:
        """Return the header of a virtual server."""
        target = value.target
        if isinstance(target, FwmarkTarget):
            return f"fwmark {target.mark}"
        if isinstance(target, GroupTarget):
            return f"{'match' if _MATCH in value.needs else 'group'} {quoted(target.name)}"
        return _AddressPort().write(target)


@dataclass(frozen=True, slots=True)
class _Method:
    """``NAT|DR|TUN|FNAT [type ipip|gue|gre] [port PORT] [nocsum|csum|remcsum]``."""

    syntax: str = "NAT|DR|TUN|FNAT [type ipip|gue|gre] [port PORT] [nocsum|csum|remcsum]"

    def read(self, words: list[str], reading: Reading) -> Forwarding | str:
        """Return the method; the name of a dialect's method that nobody here offers is returned as it is."""
        word = reading.argument(words, 1)
        if word == "SNAT":
            return word
        method = _METHODS.get(word)
        if method is None:
            raise Refused(codes.BAD_WORD, f"{word!r} is not one of NAT, DR, TUN, FNAT", hint=did_you_mean(word.upper(), _METHODS))
        if len(words) == 2:
            return Forwarding(method)
        return self._tunnel(method, words, reading)

    @staticmethod
    def _tunnel(method: ForwardingMethod, words: list[str], reading: Reading) -> Forwarding:
        kind, port, checksum = TunnelType.IPIP, 0, TunnelChecksum.NONE
        index = 2
        while index < len(words):
            word = words[index]
            if word in _CHECKSUMS:
                checksum = _CHECKSUMS[word]
                index += 1
                continue
            if word not in ("type", "port"):
                raise Refused(codes.BAD_WORD, f"unknown option {word!r} of a tunnel", index)
            if index + 1 == len(words):
                raise Refused(codes.WORD_MISSING, f"{word} needs a value", index)
            value = words[index + 1]
            if word == "port":
                port = parse_port(value, reading, index + 1)
            elif value in _TUNNELS:
                kind = _TUNNELS[value]
            else:
                raise Refused(codes.BAD_WORD, f"{value!r} is not one of ipip, gue, gre", index + 1)
            index += 2
        if (kind is TunnelType.GUE) != bool(port):
            raise Refused(codes.BAD_VALUE, "a gue tunnel needs a port, and no other tunnel has one")
        if kind is TunnelType.IPIP and checksum:
            raise Refused(codes.BAD_VALUE, "an ipip tunnel has no checksum")
        if kind is TunnelType.GRE and checksum is TunnelChecksum.REMCSUM:
            raise Refused(codes.BAD_VALUE, "a gre tunnel has no remote checksum")
        return Forwarding(method, kind, port, checksum)

    def write(self, value: Forwarding | None) -> str | None:
        """Return method and tunnel; None leaves the keyword out."""
        if value is None:
            return None
        parts = [_METHOD_NAMES[value.method]]
        if value.tunnel is not TunnelType.IPIP:
            parts += ["type", next(name for name, kind in _TUNNELS.items() if kind is value.tunnel)]
        if value.tunnel_port:
            parts += ["port", str(value.tunnel_port)]
        if value.tunnel_checksum:
            parts.append(next(name for name, flag in _CHECKSUMS.items() if flag == value.tunnel_checksum))
        return " ".join(parts)


def _set_method(draft: Draft, keyword: Keyword, value: Forwarding | str, reading: Reading) -> None:
    if isinstance(value, str):
        service = draft if draft.block.name == "virtual_server" else draft.parent
        assert service is not None
        _need(service, f"{keyword.name} {value}", reading)
        return
    draft.set("forwarding", value, reading.line)


def _need(draft: Draft, what: str, reading: Reading) -> None:
    """Remember that a service needs what no kernel of ours offers."""
    draft.add("needs", what, reading.line)
    reading.complain(codes.DIALECT_NEED, f"{what} is not offered: the service is not programmed", 0)


def _needed(word: str) -> Callable[[VirtualServer], list[str]]:
    """Show a word of a dialect as often as the service needs it; arguments that were not kept cannot be shown."""

    def show(service: VirtualServer) -> list[str]:
        return [need[len(word) + 1 :] for need in service.needs if need.partition(" ")[0] == word]

    return show


def _dialect_need(draft: Draft, keyword: Keyword, value: tuple[str, ...], reading: Reading) -> None:
    _need(draft, " ".join((keyword.name, *map(quoted, value))), reading)


def _dialect_no_effect(draft: Draft, keyword: Keyword, value: Any, reading: Reading) -> None:
    reading.complain(codes.DIALECT_NO_EFFECT, f"{keyword.name} has no effect here", 0)


# Flags ----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _SchedulerFlag:
    """A flag of the service; ``sh-`` and ``mh-`` ones belong to one scheduler, which must have been named before."""

    flag: ServiceFlags
    scheduler: str = ""
    syntax: str = ""

    def read(self, words: list[str], reading: Reading) -> ServiceFlags:
        """Return the bit."""
        return self.flag

    def write(self, value: ServiceFlags) -> str | None:
        """Return nothing when the bit is set, else leave the word out."""
        return "" if self.flag and self.flag in value else None


def _set_flag(draft: Draft, keyword: Keyword, value: ServiceFlags, reading: Reading) -> None:
    kind = keyword.kind
    assert isinstance(kind, _SchedulerFlag)
    scheduler = draft.values.get("lb_algo", "")
    if kind.scheduler and scheduler != kind.scheduler:
        if scheduler not in ("sh", "mh"):
            reading.complain(
                codes.FLAG_ORDER, f"{keyword.name} needs lb_algo {kind.scheduler.replace('*', 'sh')} before it; ignored", 0
            )
        return
    draft.set("flags", draft.values.get("flags", ServiceFlags.NONE) | value, reading.line)


def _flag(name: str, flag: ServiceFlags, doc: str, since: str, scheduler: str = "") -> Keyword:
    """Declare a flag; those of one scheduler are shown by the general words for the same bits."""
    show = show_nothing if scheduler else None
    return Keyword(name, _SchedulerFlag(flag, scheduler), doc, "flags", apply=_set_flag, since=since, show=show)


_FLAGS: Final = (
    _flag("hashed", ServiceFlags.NONE, "Accepted as the reference does: it never sets a flag.", "v1.3.0", "*"),
    _flag("ops", ServiceFlags.ONE_PACKET, "Schedule each packet on its own; UDP or firewall mark only.", "v1.2.8"),
    _flag("flag-1", ServiceFlags.SCHED1, "First flag of the scheduler.", "v1.3.0"),
    _flag("flag-2", ServiceFlags.SCHED2, "Second flag of the scheduler.", "v1.3.0"),
    _flag("flag-3", ServiceFlags.SCHED3, "Third flag of the scheduler.", "v1.3.0"),
    _flag("sh-fallback", ServiceFlags.SCHED1, "sh: another server when the chosen one is down.", "v1.3.0", "sh"),
    _flag("sh-port", ServiceFlags.SCHED2, "sh: hash the client's port too.", "v1.3.0", "sh"),
    _flag("mh-fallback", ServiceFlags.SCHED1, "mh: another server when the chosen one is down.", "v2.0.20", "mh"),
    _flag("mh-port", ServiceFlags.SCHED2, "mh: hash the client's port too.", "v2.0.20", "mh"),
)


def _syn_proxy(draft: Draft, keyword: Keyword, value: ServiceFlags, reading: Reading) -> None:
    draft.set("flags", draft.values.get("flags", ServiceFlags.NONE) | value, reading.line)
    draft.lines["syn_proxy"] = reading.line


# Persistence ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Granularity:
    """A netmask (IPv4) or a prefix length (IPv6): which of them depends on the service, so that the word itself is returned."""

    syntax: str = "NETMASK4 | INT[1..128]"

    def read(self, words: list[str], reading: Reading) -> str:
        """Return the word."""
        return reading.argument(words, 1)

    def write(self, value: str) -> str | None:
        """Return the word."""
        return value


def _show_granularity(service: VirtualServer) -> list[str]:
    """Write the granularity as the family of the service has it."""
    length = service.persistence_granularity
    if length is None:
        return []
    return [str(length) if service.family is Family.INET6 else str(Address(_mask(length).to_bytes(4, "big")))]


def _mask(length: int) -> int:
    return (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF


def _granularity(draft: Draft, keyword: Keyword, word: str, reading: Reading) -> None:
    """Assign the mask's length; persistence is switched on unless its timeout has been set."""
    family = draft.values.get("family") or (Family.INET if "." in word else Family.INET6)
    length = parse_integer(word, 1, 128, reading, lenient=False) if family is Family.INET6 else _mask_length(word, reading)
    draft.values.setdefault("family", family)
    draft.values.setdefault("persistence_timeout", IPVS_PERSISTENCE)
    if length is not None:
        draft.set("persistence_granularity", length, reading.line)


def _mask_length(word: str, reading: Reading) -> int | None:
    """Return the length of a netmask in any of the forms of inet_aton(3); one with gaps is noted and not used."""
    try:
        number = int.from_bytes(inet_aton("" if " " in word else word), "big")
    except (OSError, ValueError):
        raise Refused(codes.BAD_VALUE, f"{word!r} is no netmask") from None
    length = number.bit_count()
    if number == _mask(length):
        return length
    reading.complain(codes.IGNORED_VALUE, f"{word} is no netmask without gaps; every client counts by itself")
    return None


def _show_family(service: VirtualServer) -> list[str]:
    """Write the family where nothing else tells it: an IPv4 group may hold both."""
    target, six = service.target, service.family is Family.INET6
    told = isinstance(target, AddressTarget) or (isinstance(target, GroupTarget) and not six)
    return [] if told else ["inet6" if six else "inet"]


def _ip_family(draft: Draft, keyword: Keyword, value: Family, reading: Reading) -> None:
    if draft.values.get("family", value) is not value:
        reading.complain(codes.VS_FAMILY, "the family of the virtual server is known, and another one")
        return
    draft.set("family", value, reading.line)


# Sorry server ------------------------------------------------------------------------------------------------------------------


def _sorry(draft: Draft, keyword: Keyword, value: tuple[Address, int], reading: Reading) -> None:
    draft.set("sorry_server", value, reading.line)
    draft.values["sorry_server.forwarding"] = draft.values.get("forwarding")
    draft.values["sorry_server.inhibit"] = False


def _sorry_inhibit(draft: Draft, keyword: Keyword, value: bool, reading: Reading) -> None:
    if "sorry_server" not in draft.values:
        reading.complain(codes.SORRY_ORDER, "sorry_server_inhibit without a sorry_server before it; ignored", 0)
        return
    draft.set("sorry_server.inhibit", True, reading.line)


def _sorry_method(draft: Draft, keyword: Keyword, value: Forwarding | str, reading: Reading) -> None:
    if "sorry_server" not in draft.values:
        reading.complain(codes.SORRY_ORDER, "sorry_server_lvs_method without a sorry_server before it; ignored", 0)
    elif isinstance(value, str):
        _need(draft, f"{keyword.name} {value}", reading)
    else:
        draft.set("sorry_server.forwarding", value, reading.line)


# Groups ------------------------------------------------------------------------------------------------------------------------


def _group_line(words: list[str], draft: Draft, reading: Reading) -> None:
    """Take one entry of a `virtual_server_group`."""
    if words[0] == "fwmark":
        mark = parse_integer(reading.argument(words, 1), 0, 0xFFFFFFFF, reading)
        family = {"inet": Family.INET, "inet6": Family.INET6}.get(words[2]) if len(words) > 2 else None
        if len(words) > 2 and family is None:
            raise Refused(codes.BAD_WORD, f"{words[2]!r} is not inet or inet6", 2)
        draft.add("entries", FwmarkEntry(mark, family), reading.line)
        return
    port = 0 if len(words) < 2 or _is_zero(words[1]) else parse_port(words[1], reading, 1)
    first, last = parse_range(words[0])
    draft.add("entries", AddressEntry(first, last, port), reading.line)


def _write_group(group: VirtualServerGroup) -> list[str]:
    lines = []
    for entry in group.entries:
        if isinstance(entry, FwmarkEntry):
            family = "" if entry.family is None else " inet" if entry.family is Family.INET else " inet6"
            lines.append(f"fwmark {entry.mark}{family}")
        else:
            lines.append(f"{write_range(entry.first, entry.last)}{f' {entry.port}' if entry.port else ''}")
    return lines


def _close_group(draft: Draft, reading: Reading) -> None:
    entries = draft.values.get("entries", [])
    addresses = [entry for entry in entries if isinstance(entry, AddressEntry)]
    families = {entry.first.family for entry in addresses}
    families |= {entry.family for entry in entries if isinstance(entry, FwmarkEntry) and entry.family}
    bare_mark = any(isinstance(entry, FwmarkEntry) and entry.family is None for entry in entries)
    if not entries:
        reading.report(codes.GROUP_EMPTY, f"virtual server group {draft.header} has no entries and is dropped", draft.line)
        return
    if len(families) > 1 and bare_mark:
        reading.report(codes.VS_FAMILY, f"group {draft.header}: a mark without a family beside both families; dropped", draft.line)
        return
    assert draft.parent is not None
    draft.parent.add("groups", VirtualServerGroup(draft.header, tuple(entries)), draft.line)


def parse_local_line(words: list[str], reading: Reading) -> LocalAddressEntry:
    """Read ``ADDR|ADDR-N|ADDR-B [IFNAME]``."""
    first, last = parse_range(words[0], prefixes=False)
    interface = words[1] if len(words) > 1 else None
    if interface is not None and not reading.facts.interface_exists(interface):
        reading.complain(codes.ADVICE_DPDK, f"there is no interface {interface}; the address is used and not bound")
    return LocalAddressEntry(first, last, interface)


def _write_local(entries: tuple[LocalAddressEntry, ...]) -> list[str]:
    return [f"{write_range(entry.first, entry.last)}{f' {entry.interface}' if entry.interface else ''}" for entry in entries]


def _local_group_line(words: list[str], draft: Draft, reading: Reading) -> None:
    if words[0] == "track_instance":
        draft.set("track_instance", reading.argument(words, 1), reading.line)
        return
    draft.add("entries", parse_local_line(words, reading), reading.line)


def _write_local_group(group: LocalAddressGroup) -> list[str]:
    tracked = [f"track_instance {quoted(group.track_instance)}"] if group.track_instance else []
    return tracked + _write_local(group.entries)


def _close_local_group(draft: Draft, reading: Reading) -> None:
    entries = tuple(draft.values.get("entries", ()))
    if not entries:
        reading.report(codes.GROUP_EMPTY, f"local address group {draft.header} has no entries and is dropped", draft.line)
        return
    if not reading.define("local_address_group", draft.header):
        return
    assert draft.parent is not None
    draft.parent.add("local_groups", LocalAddressGroup(draft.header, entries, draft.values.get("track_instance")), draft.line)


def _local_line(words: list[str], draft: Draft, reading: Reading) -> None:
    draft.add("entries", parse_local_line(words, reading), reading.line)


def _close_local(draft: Draft, reading: Reading) -> None:
    assert draft.parent is not None
    for entry in draft.values.get("entries", ()):
        draft.parent.add("local_addresses", entry, draft.line)


def _list_line(words: list[str], draft: Draft, reading: Reading) -> None:
    """Take one entry of a deny or allow group."""
    if words[0].startswith("ipset:"):
        draft.add("ipsets", words[0][6:], reading.line)
        reading.complain(codes.DIALECT_NO_EFFECT, "members of an ipset are not offered here", 0)
        return
    draft.add("entries", parse_range(words[0], limit=None), reading.line)


def _write_list(value: AddressList) -> list[str]:
    return [write_range(first, last) for first, last in value.entries] + [f"ipset:{name}" for name in value.ipsets]


def _close_list(into: str) -> Any:
    def close(draft: Draft, reading: Reading) -> None:
        assert draft.parent is not None
        entries, ipsets = tuple(draft.values.get("entries", ())), tuple(draft.values.get("ipsets", ()))
        if not reading.define(draft.block.name, draft.header):
            return
        draft.parent.add(into, AddressList(draft.header, entries, ipsets), draft.line)

    return close


_NAME = Word("NAME")


@dataclass(frozen=True, slots=True)
class _GroupName(Word):
    """A name that nothing follows: the reference stops reading at a further word, as at a missing one."""

    def read(self, words: list[str], reading: Reading) -> str:
        """Return the name."""
        if len(words) > 2:
            reading.complain(codes.EXTRA_WORDS, f"{words[0]} takes one name, and keepalived stops here", 2)
            raise UnusableError(words[0])
        return Word.read(self, words, reading)


GROUP_BLOCKS: Final = (
    Block(
        "virtual_server_group",
        "Virtual addresses and marks that share real servers; may follow its users.",
        header=_GroupName("NAME"),
        read_line=_group_line,
        close=_close_group,
        line_syntax="ADDR[-N|-ADDR|/LEN] [PORT] | fwmark INT [inet|inet6]",
        write_lines=_write_group,
        model=VirtualServerGroup,
        into="lvs.groups",
        since="v1.0.3",
    ),
    Block(
        "local_address_group",
        "Addresses that FULLNAT puts in place of the client's.",
        header=_NAME,
        read_line=_local_group_line,
        close=_close_local_group,
        line_syntax="ADDR[-N|-ADDR] [IFNAME] | track_instance NAME",
        write_lines=_write_local_group,
        model=LocalAddressGroup,
        into="lvs.local_address_groups",
        since="alibaba",
    ),
    Block(
        "deny_address_group",
        "Clients that are turned away.",
        header=_NAME,
        read_line=_list_line,
        close=_close_list("deny_groups"),
        line_syntax="ADDR[-N|-ADDR|/LEN] | ipset:NAME",
        write_lines=_write_list,
        model=AddressList,
        into="lvs.deny_address_groups",
        since="dpvs",
    ),
    Block(
        "allow_address_group",
        "The only clients that are served.",
        header=_NAME,
        read_line=_list_line,
        close=_close_list("allow_groups"),
        line_syntax="ADDR[-N|-ADDR|/LEN] | ipset:NAME",
        write_lines=_write_list,
        model=AddressList,
        into="lvs.allow_address_groups",
        since="dpvs",
    ),
)

LOCAL_ADDRESS: Final = Block(
    "local_address",
    "Local addresses of this service alone.",
    read_line=_local_line,
    close=_close_local,
    line_syntax="ADDR[-N|-ADDR] [IFNAME]",
    write_lines=_write_local,
    into="local_addresses",
    since="extension",
)

# Real servers ------------------------------------------------------------------------------------------------------------------

_RETRY = Integer(1, lenient=False)
_WEIGHT_DOC: Final = "Weight; 0 takes no new connections."

_CHECK_DEFAULTS: Final = (
    Keyword("retry", _RETRY, "Default of its checks.", since="v1.3.7"),
    Keyword("delay_before_retry", SPAN, "Default of its checks.", since="v1.3.7"),
    Keyword("warmup", SPAN, "Default of its checks.", since="v1.3.7"),
    Keyword("connect_timeout", TIMEOUT, "Default of its checks.", since="v2.0.13"),
    Keyword("delay_loop", LOOP, "Default of its checks.", since="v1.0.3"),
    Keyword("smtp_alert", _BOOL, "Mail about it.", since="v2.0.0"),
    Keyword("virtualhost", _VHOST, "Host header of its checks.", repeat=Repeat.REPLACE, since="v1.0.3"),
    Keyword("snmp_name", _SNMP_NAME, "Name in SNMP.", repeat=Repeat.REPLACE, since="v2.2.3"),
    Keyword("rise", ROW, "Default of its checks.", since="extension"),
    Keyword("fall", ROW, "Default of its checks.", since="extension"),
    Keyword("slow_start", SPAN, "Seconds in which the weight grows after a recovery.", since="extension"),
    Keyword("drain_timeout", SPAN, "Seconds that connections get to end when a server is taken out.", since="extension"),
)


def _open_real_server(draft: Draft, reading: Reading) -> object:
    """Take over the forwarding method that is in force where the block starts."""
    parent = draft.parent
    assert parent is not None
    if "forwarding" in parent.values:
        draft.values["forwarding"] = parent.values["forwarding"]
    return None


def _close_real_server(draft: Draft, reading: Reading) -> None:
    """Keep a real server whose family fits; only a tunnel may join different ones."""
    service = draft.parent
    assert service is not None
    family = draft.header[0].family
    forwarding = draft.values.get("forwarding", Forwarding())
    if forwarding.method is not ForwardingMethod.TUNNEL:
        known = service.values.setdefault("family", family)
        if known is not family and forwarding.method is not ForwardingMethod.FULLNAT:
            text = f"real server {draft.header[0]} is not of the virtual server's family and is dropped"
            reading.report(codes.VS_FAMILY, text, draft.line, str(draft.header[0]))
            return
    service.children.append(draft)


REAL_SERVER: Final = Block(
    "real_server",
    "A server behind the virtual one.",
    header=_AddressPort(),
    open=_open_real_server,
    close=_close_real_server,
    keywords=(
        Keyword("weight", Integer(0, _MAX_WEIGHT), _WEIGHT_DOC, since="v1.0.3"),
        Keyword("lvs_method", _Method(), "How packets reach it.", "forwarding", apply=_set_method, since="v1.1.5"),
        Keyword("uthreshold", Integer(), "No new connections from this number on.", since="v1.1.13"),
        Keyword("lthreshold", Integer(), "New connections again below this number.", since="v1.1.13"),
        Keyword("inhibit_on_failure", _BOOL, "Weight 0 instead of removal when it fails.", since="v1.0.3"),
        Keyword("notify_up", _SCRIPT, "Run when it comes up.", repeat=Repeat.DUPLICATE, since="v1.0.3"),
        Keyword("notify_down", _SCRIPT, "Run when it goes down.", repeat=Repeat.DUPLICATE, since="v1.0.3"),
        Keyword("alpha", _BOOL, "Down until its checks have succeeded.", since="v1.1.16"),
        *_CHECK_DEFAULTS,
    ),
    blocks=CHECKER_BLOCKS,
    model=RealServer,
    into="real_servers",
    since="v1.0.3",
)

# Virtual servers ---------------------------------------------------------------------------------------------------------------


def _open_virtual_server(draft: Draft, reading: Reading) -> object:
    kind = draft.header[0]
    if kind == "address":
        draft.values["family"] = draft.header[1].family
    elif kind == "match":
        draft.add("needs", _MATCH, reading.line)
        reading.complain(codes.DIALECT_NEED, f"{_MATCH} is not offered: the service is not programmed")
    return None


@dataclass(frozen=True, slots=True)
class _EstTimeout:
    """Seconds; clamped to what ip_vs takes."""

    syntax: str = "SECS"

    def read(self, words: list[str], reading: Reading) -> int:
        """Return seconds."""
        word = reading.argument(words, 1)
        if not digits(word, 9):
            raise Refused(codes.BAD_NUMBER, f"{word!r} is not a number of seconds")
        return min(int(word), MAX_IPVS_TIMEOUT)

    def write(self, value: int) -> str | None:
        """Return the digits."""
        return str(value) if value else None


_UNSUPPORTED: Final = {
    "quic": "QUIC-aware UDP.",
    "proxy_protocol": "PROXY header.",
    "hash_target": "What conhash hashes.",
    "src-range": "Traffic that a match service takes, by source.",
    "dst-range": "Traffic that a match service takes, by destination.",
    "iif": "Traffic that a match service takes, by the interface it comes from.",
    "oif": "Traffic that a match service takes, by the interface it leaves through.",
}
_WITHOUT_EFFECT: Final = {
    "expire_quiescent_conn": "Drop connections of removed servers.",
    "bps": "Bandwidth limit.",
    "limit_proportion": "Share of that limit.",
}


def _unsupported(name: str, doc: str) -> Keyword:
    return Keyword(
        name,
        Words(least=0),
        doc,
        apply=_dialect_need,
        show=_needed(name),
        since="dpvs",
        effect=Effect.UNSUPPORTED,
        why="needs a kernel that is not this one's",
    )


_DIALECT: Final = (
    Keyword(
        "syn_proxy",
        _SchedulerFlag(ServiceFlags.SYN_PROXY),
        "The director answers SYN itself.",
        "flags",
        apply=_syn_proxy,
        since="alibaba",
    ),
    Keyword("laddr_group_name", _NAME, "Local addresses for FULLNAT.", since="alibaba"),
    Keyword("daddr_group_name", _NAME, "Clients that are turned away.", since="dpvs"),
    Keyword("waddr_group_name", _NAME, "The only clients that are served.", since="dpvs"),
    Keyword("est_timeout", _EstTimeout(), "Seconds that an established connection may idle.", since="alibaba"),
    Keyword(
        "establish_timeout", _EstTimeout(), "The same, as DPVS spells it.", "est_timeout", alias_of="est_timeout", since="dpvs"
    ),
    Keyword("vip_bind_dev", InterfaceName(), "Bind the virtual address here while the quorum is up.", since="alibaba"),
    Keyword(
        "nat_mask",
        IpAddress(Family.INET),
        "Netmask for NAT that ip_vs never used; keepalived has dropped it.",
        old=codes.DEPRECATED,
        since="alibaba",
        effect=Effect.ACCEPTED,
        why="ip_vs has no such setting",
    ),
    *(_unsupported(name, doc) for name, doc in _UNSUPPORTED.items()),
    *(
        Keyword(
            name,
            Words(least=0),
            doc,
            apply=_dialect_no_effect,
            show=show_nothing,
            since="dpvs",
            effect=Effect.ACCEPTED,
            why="no such knob in ip_vs",
        )
        for name, doc in _WITHOUT_EFFECT.items()
    ),
)


@dataclass(frozen=True, slots=True)
class _Scheduler:
    """A scheduler of the kernel; a dialect's own one is accepted and needs its kernel."""

    @property
    def syntax(self) -> str:
        """The names."""
        return "|".join(SCHEDULERS)

    def read(self, words: list[str], reading: Reading) -> str:
        """Return the name."""
        if words[1:2] == ["conhash"]:
            return "conhash"
        return str(Choice(SCHEDULERS).read(words, reading))

    def write(self, value: str) -> str | None:
        """Return the name."""
        return value


def _scheduler(draft: Draft, keyword: Keyword, value: str, reading: Reading) -> None:
    if value == "conhash":
        _need(draft, "lb_algo conhash", reading)
        return
    draft.set("lb_algo", value, reading.line)


def _show_scheduler(service: VirtualServer) -> list[str]:
    return [service.lb_algo, *_needed("lb_algo")(service)]


def _show_method(service: VirtualServer) -> list[str]:
    return [_Method().write(service.forwarding) or "", *_needed("lb_kind")(service)]


def _show_protocol(service: VirtualServer) -> list[str]:
    return [] if isinstance(service.target, FwmarkTarget) else [service.target.protocol.name]


_PROTOCOLS: Final = {protocol.name: protocol for protocol in (Protocol.TCP, Protocol.UDP, Protocol.SCTP)}

VIRTUAL_SERVER: Final = Block(
    "virtual_server",
    "A service: one address and port, a firewall mark, or a group.",
    header=_ServiceHeader(),
    open=_open_virtual_server,
    keywords=(
        Keyword(
            "ip_family",
            Choice({"inet": Family.INET, "inet6": Family.INET6}),
            "Family of a fwmark.",
            "family",
            apply=_ip_family,
            show=_show_family,
            since="v1.2.20",
        ),
        Keyword("lb_algo", _Scheduler(), "Scheduler.", apply=_scheduler, since="v1.0.3", show=_show_scheduler),
        Keyword("lvs_sched", _Scheduler(), "The same.", "lb_algo", apply=_scheduler, alias_of="lb_algo", since="v1.1.5"),
        *_FLAGS,
        Keyword(
            "lb_kind",
            _Method(),
            "How packets reach real servers.",
            "forwarding",
            apply=_set_method,
            since="v1.0.3",
            show=_show_method,
        ),
        Keyword(
            "lvs_method",
            _Method(),
            "The same.",
            "forwarding",
            apply=_set_method,
            alias_of="lb_kind",
            since="v1.1.5",
            show=_needed("lvs_method"),
        ),
        Keyword("protocol", Choice(_PROTOCOLS, fold=True), "Transport protocol.", since="v1.0.3", show=_show_protocol),
        Keyword("persistence_engine", Word("NAME", limit=15), "Persistence engine (sip).", since="v1.2.20"),
        Keyword(
            "persistence_timeout", Integer(1, MAX_IPVS_TIMEOUT, bare=IPVS_PERSISTENCE, lenient=False), "Seconds.", since="v1.0.3"
        ),
        Keyword(
            "persistence_granularity",
            _Granularity(),
            "Clients that count as one.",
            apply=_granularity,
            show=_show_granularity,
            since="v1.0.3",
        ),
        Keyword("ha_suspend", _FLAG, "Check only while the address is on this host.", since="v1.0.3"),
        Keyword("alpha", _FLAG, "Servers are down until their checks have succeeded.", since="v1.1.16"),
        Keyword("omega", _FLAG, "Run the down scripts at stop.", since="v1.1.16"),
        Keyword("inhibit_on_failure", _FLAG, "Weight 0 instead of removal of failed servers.", since="v1.0.3"),
        Keyword("quorum", Integer(1, otherwise=1), "Weight that must be alive.", since="v1.1.16"),
        Keyword("hysteresis", Integer(), "Distance of gain and loss from the quorum.", since="v1.1.16"),
        Keyword("quorum_up", _SCRIPT, "Run when the quorum is gained.", repeat=Repeat.DUPLICATE, since="v1.1.16"),
        Keyword("quorum_down", _SCRIPT, "Run when it is lost.", repeat=Repeat.DUPLICATE, since="v1.1.16"),
        Keyword("weight", Integer(1, _MAX_WEIGHT), "Default weight of real servers.", since="v1.0.3"),
        *_CHECK_DEFAULTS,
        Keyword("sorry_server", _AddressPort(), "Server of last resort.", apply=_sorry, since="v1.0.3"),
        Keyword(
            "sorry_server_inhibit",
            _FLAG,
            "Keep it in the table with weight 0.",
            "sorry_server.inhibit",
            apply=_sorry_inhibit,
            since="v1.2.13",
        ),
        Keyword(
            "sorry_server_lvs_method",
            _Method(),
            "How packets reach it.",
            "sorry_server.forwarding",
            apply=_sorry_method,
            since="v1.3.6",
        ),
        *_DIALECT,
    ),
    blocks=(REAL_SERVER, LOCAL_ADDRESS),
    model=VirtualServer,
    into="lvs.virtual_servers",
    since="v1.0.3",
)
