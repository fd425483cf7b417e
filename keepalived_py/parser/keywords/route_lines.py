"""Lines of ``virtual_routes`` and ``static_routes``, which follow ip-route(8)."""

import re
from collections.abc import Callable
from typing import Any, Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.routing import (
    KEEPALIVED_PROTOCOL,
    MAIN_TABLE,
    Insertion,
    Metrics,
    Nexthop,
    Prefix,
    Route,
)
from keepalived_py.parser import codes
from keepalived_py.parser.keywords.address_lines import parse_prefix, read_track_group
from keepalived_py.parser.keywords.encap_words import ENCAPS, read_encap, write_encap
from keepalived_py.parser.kinds import parse_address, parse_integer
from keepalived_py.parser.lines import ADDRESS, INTERFACE, TEXT, Cursor, LineGrammar, Option, Term, one_of, unsigned
from keepalived_py.parser.names import DSFIELD, PROTOCOL, REALMS, ROUTE_TYPES, SCOPES, TABLE, route_type
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import Refused, assemble

_U32: Final = unsigned(0xFFFFFFFF)
_FAMILIES: Final = {"inet": Family.INET, "inet6": Family.INET6}
_UNSPECIFIED: Final = {Family.INET: Address(bytes(4)), Family.INET6: Address(bytes(16))}
_MIX: Final = "IPv4 and IPv6 are mixed in one line, which is ignored"

# Families -------------------------------------------------------------------------------------------------------------------------


def settle_family(cursor: Cursor, family: Family | None) -> None:
    """Take the family that a word implies; refuse one that differs from what the line is known to be."""
    if family is None or cursor.family == family:
        return
    if cursor.family is not None:
        raise cursor.refuse(codes.LINE_CONFLICT, _MIX)
    cursor.family = family


def family_word(cursor: Cursor, option: Option) -> None:
    """Read ``inet`` or ``inet6``, which swallows the word after it."""
    settle_family(cursor, _FAMILIES[cursor.words[cursor.at]])
    if cursor.at + 1 < len(cursor.words):
        word = cursor.words[cursor.at]
        cursor.at += 1
        cursor.complain(codes.WORD_SWALLOWED, f"keepalived passes over the word after {word}; leave {word} out")


def read_destination(word: str, cursor: Cursor) -> Prefix | None:
    """Read a prefix or one of the words for "everything", which is None; take the family that it implies."""
    if word in ("default", "any", "all"):
        if cursor.family is not None:
            hint = "write ::/0" if cursor.family == Family.INET6 else "write 0.0.0.0/0"
            raise cursor.refuse(codes.LINE_CONFLICT, f"{word} must stand before all that tells the family", hint)
        return None
    if word == "default6":
        cursor.complain(codes.OLD_SPELLING, "default6 is an old word; write ::/0")
        settle_family(cursor, Family.INET6)
        return None
    address, length = parse_prefix(word, cursor.reading, cursor.at)
    settle_family(cursor, address.family)
    return Prefix(address, length)


PREFIX_OR_ALL: Final = Term(
    "ADDR[/LEN]|default",
    lambda word, cursor: read_destination(word, cursor),
    pattern=r"default6?|any|all|[0-9A-Fa-f.:]+(?:/[0-9]+)?",
)


def of_all(prefix: Prefix | None, family: Family) -> Prefix:
    """Return the prefix, or that of all addresses of a family."""
    return prefix or Prefix(_UNSPECIFIED[family], 0)


def _same_family(cursor: Cursor, option: Option) -> None:
    """Read an address of the line's family."""
    address = parse_address(cursor.take(), cursor.at)
    settle_family(cursor, address.family)
    cursor.values[option.into] = address


def _only(family: Family) -> Callable[[Cursor, Option], None]:
    """Return the reading of an option that only one family has."""

    def apply(cursor: Cursor, option: Option) -> None:
        assert option.term is not None
        if cursor.family not in (None, family):
            raise cursor.refuse(codes.LINE_CONFLICT, f"{option.names[0]} is for IPv{4 if family is Family.INET else 6} only")
        cursor.family = family
        cursor.values[option.into] = option.term.read(cursor.take(), cursor)

    return apply


# Values ---------------------------------------------------------------------------------------------------------------------------

_RTT: Final = re.compile(r"[ \t]*([0-9.]*)([mM]?)(s|sec|secs)?\Z", re.IGNORECASE)
_RTT_LOW, _RTT_HIGH = 200, 120_000


def _time(unit: int) -> Term:
    """Return the type of a round-trip time: ``N`` in the kernel's unit (1/`unit` ms), ``Nms``, or seconds as ``N[.NNN]s``."""

    def read(word: str, cursor: Cursor) -> int:
        match = _RTT.match(word)
        if match is None or not match.group(1) or (match.group(2) and not match.group(3)):
            raise cursor.refuse(codes.BAD_NUMBER, f"{word!r} is not a time; write 250ms or 0.25s")
        number, milli, suffix = match.groups()
        whole, _, part = number.partition(".")
        places = 3 if suffix and not milli else 0
        if len(part) > places or "." in part or len(number) > 20:
            raise cursor.refuse(codes.BAD_NUMBER, f"{word!r} is not a time; write 250ms or 0.25s")
        value = int((whole or "0") + part.ljust(places, "0"))
        if value > _RTT_HIGH * unit:
            raise cursor.refuse(codes.OUT_OF_RANGE, f"{word} is longer than {_RTT_HIGH // 1000} seconds")
        value *= unit if suffix else 1
        clamped = min(max(value, _RTT_LOW * unit), _RTT_HIGH * unit)
        if clamped != value:
            cursor.complain(codes.CLAMPED, f"{word} is outside 0.2..120 seconds; {clamped / unit / 1000:g} seconds are used")
        return clamped

    return Term("TIME", read, pattern=r"[0-9.]+(?:m?s(?:ec)?s?)?")


def _metric(cursor: Cursor, option: Option) -> None:
    """Read ``[lock] VALUE``."""
    assert option.term is not None
    word = cursor.take()
    if word == "lock":
        cursor.values.setdefault("metrics.locked", set()).add(option.names[0])
        word = cursor.take()
    cursor.values[option.into] = option.term.read(word, cursor)


def _locked(name: str, term: Term, doc: str) -> Option:
    return Option((name,), term, f"metrics.{name}", doc, prefixes=("lock",), apply=_metric)


def _plain(name: str, term: Term, doc: str) -> Option:
    return Option((name,), term, f"metrics.{name}", doc)


def _features(cursor: Cursor, option: Option) -> None:
    word = cursor.take()
    if word == "ecn":
        cursor.values["metrics.ecn"] = True
    else:
        cursor.complain(codes.BAD_WORD, f"{word!r} is no feature of a route; there is only ecn")


def _propagate(cursor: Cursor, option: Option) -> None:
    word = cursor.take()
    if word not in ("enabled", "disabled"):
        cursor.complain(codes.BAD_WORD, f"{word!r} is not enabled or disabled; disabled is used")
    cursor.values["ttl_propagate"] = word == "enabled"


# Ways -----------------------------------------------------------------------------------------------------------------------------


def _via(cursor: Cursor, option: Option) -> None:
    """Read ``via [inet|inet6] ADDR``; ``gw`` is its old name."""
    if cursor.words[cursor.at] == "gw":
        cursor.complain(codes.OLD_OPTION, "gw is an old word; write via")
    word = cursor.take()
    if word in _FAMILIES:
        family, word = _FAMILIES[word], cursor.take()
        settle_family(cursor, family)
    address = parse_address(word, cursor.at)
    settle_family(cursor, address.family)
    cursor.values["via"] = address


def _from(cursor: Cursor, option: Option) -> None:
    prefix = read_destination(cursor.take(), cursor)
    if prefix is None or prefix.family is not Family.INET6:
        raise cursor.refuse(codes.LINE_CONFLICT, "from is for IPv6 only")
    cursor.values["source"] = prefix


def _as_to(cursor: Cursor, option: Option) -> None:
    if cursor.take() == "to":
        cursor.at += 1
    cursor.complain(codes.LINE_WORD, "as [to] is not supported; it is ignored")


def _or(cursor: Cursor, option: Option) -> None:
    """Read the old second gateway: both become ways of a multipath route."""
    cursor.complain(codes.OLD_OPTION, "or is an old word; write nexthop")
    word = cursor.take()
    if "nexthops" in cursor.values:
        cursor.complain(codes.LINE_CONFLICT, "there is a second gateway already; this one is ignored")
        return
    first = Nexthop(via=cursor.values.pop("via", None))
    cursor.values["nexthops"] = [first, Nexthop(via=parse_address(word, cursor.at))]


def _insertion(insertion: Insertion, doc: str) -> Option:
    return Option((insertion.value,), None, "insertion", doc, insertion, show=lambda how: how.value if how is insertion else None)


def _track_group(cursor: Cursor, option: Option) -> None:
    if not read_track_group(cursor):
        raise Refused(codes.LINE_CONFLICT, "there is a track_group already; the route is ignored", len(cursor.words) - 1)


def _vrf(cursor: Cursor, option: Option) -> None:
    name = cursor.take()
    interface = cursor.reading.interface(name)
    if interface is None or interface.table is None:
        raise cursor.refuse(codes.INTERFACE_UNKNOWN, f"{name} is no VRF; the route is ignored")
    cursor.values["table"] = interface.table


def _destination(cursor: Cursor, option: Option) -> None:
    """Read ``[to] [TYPE] PREFIX``."""
    word = cursor.words[cursor.at]
    if word == "to":
        word = cursor.take()
    elif (kind := route_type(word)) is not None:
        cursor.values["kind"] = kind
        word = cursor.take()
    try:
        cursor.values["destination"] = read_destination(word, cursor)
    except Refused as refusal:
        if refusal.code is codes.BAD_ADDRESS:
            raise cursor.refuse(codes.LINE_WORD, f"{word!r} is neither an option of a route nor a destination") from None
        raise


# Next hops ------------------------------------------------------------------------------------------------------------------------


def _hop_via(cursor: Cursor, option: Option) -> None:
    word = cursor.take()
    if word in _FAMILIES:
        family, word = _FAMILIES[word], cursor.take()
        settle_family(cursor, family)
    address = parse_address(word, cursor.at)
    settle_family(cursor, address.family)
    cursor.values["hop"]["via"] = address


def _hop_realms(cursor: Cursor, option: Option) -> None:
    cursor.values["hop"]["realms"] = REALMS.read(cursor.take(), cursor)
    settle_family(cursor, Family.INET)


def _hop_encap(cursor: Cursor, option: Option) -> None:
    outer = cursor.values.pop("encap", None)
    read_encap(cursor, option)
    cursor.values["hop"]["encap"] = cursor.values.pop("encap", None)
    if outer is not None:
        cursor.values["encap"] = outer


def _hop_as(cursor: Cursor, option: Option) -> None:
    _as_to(cursor, option)
    raise cursor.refuse(codes.LINE_WORD, "as [to] is not supported; the next hop is ignored")


def _hop(cursor: Cursor, option: Option) -> None:
    assert option.term is not None
    cursor.values["hop"][option.into] = option.term.read(cursor.take(), cursor)


def _hop_onlink(cursor: Cursor, option: Option) -> None:
    cursor.values["hop"]["onlink"] = True


_HOP_OPTIONS: Final = (
    Option(("via",), ADDRESS, "via", prefixes=("inet", "inet6"), apply=_hop_via),
    Option(("dev",), INTERFACE, "interface", apply=_hop),
    Option(("weight",), unsigned(256, 1), "weight", apply=_hop),
    Option(("onlink",), None, "onlink", apply=_hop_onlink),
    Option(("encap",), None, "encap", choices=ENCAPS, apply=_hop_encap, show=write_encap),
    Option(("realms",), REALMS, "realms", apply=_hop_realms),
    Option(("as",), ADDRESS, "", prefixes=("to",), apply=_hop_as),
)
_HOP_TABLE: Final = {option.names[0]: option for option in _HOP_OPTIONS}


def _nexthops(cursor: Cursor, option: Option) -> None:
    """Read all next hops, which end the line; one that is wrong ends them and is reported, what was read before stays."""
    if "nexthops" in cursor.values:
        raise cursor.refuse(codes.LINE_CONFLICT, "nexthop and or exclude each other; the route is ignored")
    hops: list[Nexthop] = []
    try:
        while cursor.at < len(cursor.words):
            if cursor.words[cursor.at] != "nexthop":
                raise cursor.refuse(codes.LINE_WORD, f"{cursor.words[cursor.at]!r} is no option of a next hop; it ends the line")
            hop = cursor.values["hop"] = {}
            while (found := _HOP_TABLE.get(cursor.peek())) is not None:
                cursor.at += 1
                found.read(cursor)
            hops.append(Nexthop(**hop))
            cursor.at += 1
    except Refused as refusal:
        cursor.reading.refused(refusal)
        cursor.at = len(cursor.words)
    cursor.values.pop("hop", None)
    cursor.values["nexthops"] = hops


def _write_hops(hops: tuple[Nexthop, ...]) -> str | None:
    lines = []
    for hop in hops:
        words = [text for option in _HOP_OPTIONS if option.into and (text := option.written(getattr(hop, option.into)))]
        lines.append(" ".join(["nexthop", *words]))
    return " ".join(lines) or None


# The grammar ----------------------------------------------------------------------------------------------------------------------

_PREFERENCE: Final = {"low": 3, "medium": 0, "high": 1}


def _read_preference(word: str, cursor: Cursor) -> int:
    return _PREFERENCE[word] if word in _PREFERENCE else parse_integer(word, 0, 255, cursor.reading, cursor.at, lenient=False)


_PREF: Final = Term("low|medium|high|INT[0..255]", _read_preference, pattern=r"low|medium|high|[0-9]+")
_FLAG01: Final = unsigned(1)

_BEFORE_NEXTHOPS: Final = (
    Option(("inet", "inet6"), None, "", "Family; keepalived passes over the next word.", apply=family_word),
    Option(("src",), ADDRESS, "preferred_source", "Address that local sockets use.", apply=_same_family),
    Option(("via", "gw"), ADDRESS, "via", "The gateway.", prefixes=("inet", "inet6"), apply=_via),
    Option(("from",), PREFIX_OR_ALL, "source", "Source prefix; IPv6 only.", apply=_from),
    Option(("tos", "dsfield"), DSFIELD, "tos", "Type of service; IPv4 only."),
    Option(("table",), TABLE, "table", "Routing table, by name or number."),
    Option(("protocol",), PROTOCOL, "protocol", "Whose route it is; only with no_track."),
    Option(("scope",), SCOPES, "scope", "Scope; IPv4 only."),
    Option(("metric", "priority", "preference"), _U32, "metric", "Lower ones win."),
    Option(("dev", "oif"), INTERFACE, "interface", "Interface."),
    Option(("onlink",), None, "onlink", "The gateway is on the link although no prefix says so."),
    Option(("encap",), None, "encap", "Encapsulation.", choices=ENCAPS, apply=read_encap, show=write_encap),
    Option(("expires",), _U32, "expires", "Seconds that the route lasts; IPv6 only.", apply=_only(Family.INET6)),
    _locked("mtu", _U32, "MTU of the path."),
    _plain("hoplimit", unsigned(255), "Hop limit."),
    _locked("advmss", _U32, "MSS to advertise."),
    _locked("rtt", _time(8), "First round-trip time."),
    _locked("rttvar", _time(4), "First variance of it."),
    _locked("reordering", _U32, "Reordering to expect."),
    _plain("window", _U32, "Largest window to advertise."),
    _locked("cwnd", _U32, "Clamp of the congestion window."),
    _locked("ssthresh", _U32, "First slow start threshold."),
    Option(("realms",), REALMS, "realms", "Realms; IPv4 only.", apply=_only(Family.INET)),
    _locked("rto_min", _time(1), "Shortest retransmission timeout."),
    _plain("initcwnd", _U32, "First congestion window."),
    _plain("initrwnd", _U32, "First receive window."),
    Option(("features",), one_of({"ecn": True}, "feature"), "metrics.ecn", "ecn: explicit congestion notification.",
           apply=_features, show=lambda on: "features ecn" if on else None),
    _plain("quickack", _FLAG01, "Acknowledge at once."),
    _locked("congctl", TEXT, "Congestion control."),
    Option(("pref",), _PREF, "preference", "Router preference; IPv6 only.", apply=_only(Family.INET6)),
    Option(("ttl-propagate",), one_of({"enabled": True, "disabled": False}, "word"), "ttl_propagate", "Copy the TTL into MPLS.",
           apply=_propagate),
    _plain("fastopen_no_cookie", _FLAG01, "TCP fast open without a cookie."),
    _insertion(Insertion.ADD, "Fail where such a route exists."),
    _insertion(Insertion.PREPEND, "Before others to the same prefix."),
    _insertion(Insertion.APPEND, "After others to the same prefix."),
    Option(("or",), ADDRESS, "", "Old second gateway.", apply=_or),
    Option(("no_track",), None, "no_track", "Do not care when the route disappears."),
    Option(("vrf",), INTERFACE, "", "Use the table of a VRF.", apply=_vrf),
    Option(("as",), ADDRESS, "", "Not supported.", prefixes=("to",), apply=_as_to),
)  # fmt: skip
_NEXTHOPS: Final = Option(
    ("nexthop",), None, "nexthops", "One more way; must come last.", apply=_nexthops, show=_write_hops, inner=_HOP_OPTIONS
)
_REST: Final = Option((), PREFIX_OR_ALL, "destination", "Destination.", prefixes=("to", *ROUTE_TYPES), apply=_destination)

VIRTUAL_ROUTE: Final = LineGrammar("virtual_routes", (*_BEFORE_NEXTHOPS, _NEXTHOPS), rest=_REST, strict=True)
STATIC_ROUTE: Final = LineGrammar(
    "static_routes",
    (
        *_BEFORE_NEXTHOPS,
        Option(("track_group",), TEXT, "track_group", "Instances that watch the interface.", apply=_track_group),
        _NEXTHOPS,
    ),
    rest=_REST,
    strict=True,
)


def read_route(grammar: LineGrammar, words: list[str], reading: Reading) -> Route:
    """Read a line of `VIRTUAL_ROUTE` or `STATIC_ROUTE`; raise `Refused` for one that makes no route."""
    cursor = grammar.cursor(words, reading)
    try:
        grammar.read_options(cursor)
    except Refused as refusal:
        raise grammar.explained(refusal, cursor) from None
    values = cursor.values
    if "destination" not in values:
        raise Refused(codes.LINE_INCOMPLETE, "a route needs a destination; the line is ignored", 0)
    if not values.get("no_track"):
        if values.get("protocol", KEEPALIVED_PROTOCOL) != KEEPALIVED_PROTOCOL:
            text = f"a route of another protocol cannot be watched; {KEEPALIVED_PROTOCOL} is used"
            reading.complain(codes.TRACKED_PROTOCOL, text, words.index("protocol"))
        values["protocol"] = KEEPALIVED_PROTOCOL
    else:
        values.setdefault("protocol", None)
    if "track_group" in values and "interface" not in values:
        reading.complain(codes.TRACK_GROUP_INTERFACE, "track_group needs dev; it is ignored", words.index("track_group"))
        del values["track_group"]
    return _route(values, Family(cursor.family or Family.INET))


def _route(values: dict[str, Any], family: Family) -> Route:
    values["destination"] = of_all(values["destination"], family)
    values["family"] = family
    if "metrics.locked" in values:
        values["metrics.locked"] = frozenset(values["metrics.locked"])
    route = assemble(Route, values)
    assert isinstance(route, Route)
    return route


def write_route(route: Route) -> str:
    """Write a route so that it is read back the same."""
    grammar = STATIC_ROUTE if route.track_group else VIRTUAL_ROUTE
    plain = Route(route.destination, route.family, protocol=None if route.no_track else KEEPALIVED_PROTOCOL)
    kind = [next((name for name, number in ROUTE_TYPES.items() if number == route.kind), str(route.kind))] if route.kind else []
    words = [_with_lock(word, route.metrics) for word in grammar.write(route, plain)]
    if route.insertion is Insertion.PREPEND:
        words.remove(Insertion.PREPEND.value)
    return " ".join([*kind, str(route.destination), *words])


def _with_lock(word: str, metrics: Metrics) -> str:
    name, _, value = word.partition(" ")
    return f"{name} lock {value}" if name in metrics.locked else word


def write_routes(routes: tuple[Route, ...]) -> list[str]:
    """Return one line for each route."""
    return [write_route(route) for route in routes]


__all__ = ["MAIN_TABLE", "STATIC_ROUTE", "VIRTUAL_ROUTE", "read_route", "write_routes"]
