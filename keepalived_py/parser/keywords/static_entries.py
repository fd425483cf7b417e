"""Root blocks about interfaces and the kernel's tables: static addresses, routes, rules, delays, link polling, GARP groups."""

from typing import Any, Final

from keepalived_py.config.vrrp import GarpGroup, InterfaceDelay, LinkbeatInterface, LinkbeatMethod
from keepalived_py.parser import codes
from keepalived_py.parser.keywords.address_lines import STATIC, read_virtual_address, write_addresses
from keepalived_py.parser.keywords.route_lines import STATIC_ROUTE, read_route, write_routes
from keepalived_py.parser.keywords.rule_lines import STATIC_RULE, read_rule, write_rules
from keepalived_py.parser.keywords.track_lists import keep_nothing
from keepalived_py.parser.keywords.tracking_blocks import report_end
from keepalived_py.parser.kinds import Span, Word, quoted
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import Block, Draft, Keyword, Refused
from keepalived_py.units import MICRO_PER_SECOND, Micro, seconds_text

_MAX_DELAY: Final = 255 * MICRO_PER_SECOND
_VIRTUAL_KINDS: Final = frozenset({"macvlan", "macvtap", "ipvlan", "ipvtap"})


def _root(draft: Draft) -> Draft:
    assert draft.parent is not None
    return draft.parent


def _address_line(words: list[str], draft: Draft, reading: Reading) -> None:
    _root(draft).add("vrrp.static_addresses", (read_virtual_address(STATIC, words, reading), reading.line), reading.line)


def _route_line(words: list[str], draft: Draft, reading: Reading) -> None:
    _root(draft).add("vrrp.static_routes", read_route(STATIC_ROUTE, words, reading), reading.line)


def _rule_line(words: list[str], draft: Draft, reading: Reading) -> None:
    _root(draft).add("vrrp.static_rules", read_rule(STATIC_RULE, words, reading, reading.free_priorities), reading.line)


def _known(name: str, what: str, reading: Reading) -> None:
    """Refuse an interface that does not exist and need not come later, as something that only completing would show."""
    if reading.absent(name):
        raise Refused(codes.INTERFACE_NEEDED, f"there is no interface {name}, named for {what}; the line is ignored", 0)


def _linkbeat_line(words: list[str], draft: Draft, reading: Reading) -> None:
    """Take ``IFNAME [MII|ETHTOOL|IOCTL]``."""
    name = words[0]
    _known(name, "linkbeat_interfaces", reading)
    facts = reading.interface(name)
    if facts is not None and facts.kind in _VIRTUAL_KINDS:
        reading.complain(codes.IGNORED_VALUE, f"{name} is a {facts.kind}, whose state needs no polling; it is ignored", 0)
        return
    method = LinkbeatMethod.ANY
    if len(words) > 1:
        method = LinkbeatMethod.__members__.get(words[1], LinkbeatMethod.ANY)
        if method is LinkbeatMethod.ANY or len(words) > 2:
            reading.complain(codes.LINE_WORD, f"{words[1]!r} is not one word of MII, ETHTOOL, IOCTL", 1)
    _root(draft).add("vrrp.linkbeat_interfaces", LinkbeatInterface(name, method), reading.line)


def _write_linkbeat(interfaces: Any) -> list[str]:
    return [f"{interface.name} {interface.method.value}".rstrip() for interface in interfaces]


_DELAY: Final = Span(0, _MAX_DELAY)


def _delay_line(words: list[str], draft: Draft, reading: Reading) -> None:
    """Take ``IFNAME DOWN [UP]``; a number that cannot be read is an error and drops the line."""
    name = words[0]
    _known(name, "interface_up_down_delays", reading)
    if len(words) < 2:
        reading.complain(codes.IGNORED_VALUE, f"{name} has no delay; the line is ignored", 0)
        return
    if len(words) > 3:
        reading.complain(codes.IGNORED_VALUE, "there are two delays at most; the rest is ignored", 3)
    delays = []
    for index, word in enumerate(words[1:3], 1):
        span = _DELAY.parse(word, reading, index)
        if span > _MAX_DELAY:
            raise Refused(codes.OUT_OF_RANGE, f"{word} is outside 0..{_MAX_DELAY // MICRO_PER_SECOND} seconds", index)
        delays.append(Micro(span))
    known: dict[str, InterfaceDelay] = _root(draft).values.setdefault("vrrp.interface_delays", {})
    known[name] = InterfaceDelay(name, *delays)


def _write_delays(delays: Any) -> list[str]:
    return [f"{delay.interface} {seconds_text(delay.down)} {seconds_text(delay.up)}" for delay in delays]


# GARP groups ----------------------------------------------------------------------------------------------------------------------

_GAP: Final = Span(0, 0xFFFFFFFF)


def _garp_interface(name: str, draft: Draft, reading: Reading, index: int) -> None:
    """Put an interface into the group; it can be in one group and cannot be a VMAC."""
    if reading.lacks_interface(name):
        reading.complain(codes.INTERFACE_UNKNOWN, f"there is no interface {name}", index)
        return
    taken = reading.names.setdefault("garp_group of", {})
    if name in taken:
        reading.complain(codes.GARP_GROUP_TAKEN, f"{name} is in a garp_group already; it is ignored", index)
        return
    facts = reading.interface(name)
    if facts is not None and facts.kind in _VIRTUAL_KINDS:
        reading.complain(codes.GARP_GROUP_TAKEN, f"{name} is a {facts.kind}, which cannot be in a garp_group", index)
        return
    taken[name] = reading.line
    draft.add("interfaces", name, reading.line)


def _one_interface(draft: Draft, keyword: Keyword, value: str, reading: Reading) -> None:
    _garp_interface(value, draft, reading, 1)


def _interfaces_line(words: list[str], draft: Draft, reading: Reading) -> None:
    draft.values["seen"] = True
    for index, word in enumerate(words):
        _garp_interface(word, _root(draft), reading, index)


def _close_interfaces(draft: Draft, reading: Reading) -> None:
    if not draft.values.get("seen"):
        report_end(codes.EMPTY_BLOCK, "the interfaces of a garp_group are missing", draft, reading)


def _close_garp_group(draft: Draft, reading: Reading) -> None:
    """Keep a group that has an interval; without any its interfaces are free again."""
    values = draft.values
    if "garp_interval" not in values and "gna_interval" not in values:
        report_end(codes.GARP_GROUP_EMPTY, "a garp_group needs garp_interval or gna_interval; it is dropped", draft, reading)
        for name in values.get("interfaces", ()):
            reading.names["garp_group of"].pop(name, None)
        return
    group = GarpGroup(tuple(values.get("interfaces", ())), values.get("garp_interval"), values.get("gna_interval"))
    _root(draft).add("vrrp.garp_groups", group, draft.line)


GARP_GROUP: Final = Block(
    "garp_group",
    "Gaps between GARPs that interfaces share.",
    close=_close_garp_group,
    keywords=(
        Keyword("garp_interval", _GAP, "Seconds between GARPs.", since="v1.2.21"),
        Keyword("gna_interval", _GAP, "Seconds between neighbour advertisements.", since="v1.2.21"),
        Keyword("interface", Word("IFNAME"), "An interface of the group.", "interfaces", apply=_one_interface,
                alias_of="interfaces", since="v1.0.3"),
    ),
    blocks=(
        Block(
            "interfaces",
            "Interfaces of the group.",
            read_line=_interfaces_line,
            close=_close_interfaces,
            line_syntax="IFNAME...",
            write_lines=lambda names: [quoted(name) for name in names],
            into="interfaces",
            since="v1.2.21",
        ),
    ),
    model=GarpGroup,
    into="vrrp.garp_groups",
    since="v1.2.21",
)  # fmt: skip


def _values(name: str, doc: str, into: str, read: Any, syntax: str, write: Any, since: str) -> Block:
    return Block(
        name, doc, read_line=read, close=keep_nothing, line_syntax=syntax, write_lines=write, into=f"vrrp.{into}", since=since
    )


STATIC_BLOCKS: Final = (
    _values("static_ipaddress", "Addresses for as long as the daemon runs.", "static_addresses", _address_line, STATIC.syntax,
            write_addresses, "v1.1.0"),
    _values("static_routes", "Routes for as long as the daemon runs.", "static_routes", _route_line, STATIC_ROUTE.syntax,
            write_routes, "v1.0.3"),
    _values("static_rules", "Rules for as long as the daemon runs.", "static_rules", _rule_line, STATIC_RULE.syntax,
            write_rules, "v1.2.20"),
    _values("linkbeat_interfaces", "Interfaces whose link state is polled.", "linkbeat_interfaces", _linkbeat_line,
            "IFNAME [MII|ETHTOOL|IOCTL]", _write_linkbeat, "v2.0.13"),
    _values("interface_up_down_delays", "How long a change of link state must last.", "interface_delays", _delay_line,
            "IFNAME SECS[0..255] [SECS[0..255]]", _write_delays, "v2.2.3"),
    GARP_GROUP,
)  # fmt: skip
