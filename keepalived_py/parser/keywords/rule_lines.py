"""Lines of ``virtual_rules`` and ``static_rules``, which follow ip-rule(8)."""

import re
from typing import Any, Final

from keepalived_py.addresses import Family
from keepalived_py.config.routing import KEEPALIVED_PROTOCOL, Prefix, Rule, RuleAction
from keepalived_py.parser import codes
from keepalived_py.parser.keywords.address_lines import read_track_group
from keepalived_py.parser.keywords.route_lines import PREFIX_OR_ALL, family_word, of_all, read_destination, settle_family
from keepalived_py.parser.kinds import parse_integer
from keepalived_py.parser.lines import INTERFACE, TEXT, Cursor, LineGrammar, Option, Term, any_base, c_number, unsigned
from keepalived_py.parser.names import DSFIELD, GROUP, REALMS, ROUTE_TYPES, TABLE, route_type
from keepalived_py.parser.reading import Reading, did_you_mean
from keepalived_py.parser.schema import Refused

_ACTIONS: Final = {
    ROUTE_TYPES["blackhole"]: RuleAction.BLACKHOLE,
    ROUTE_TYPES["unreachable"]: RuleAction.UNREACHABLE,
    ROUTE_TYPES["prohibit"]: RuleAction.PROHIBIT,
}
_ACTION_WORDS: Final = ("goto", "nop", "blackhole", "unreachable", "prohibit")


def _prefix(cursor: Cursor, option: Option) -> None:
    cursor.values[option.into] = read_destination(cursor.take(), cursor)


def _act(cursor: Cursor, action: RuleAction) -> None:
    """Set the action; a rule has one."""
    if "action" in cursor.values:
        raise cursor.refuse(codes.LINE_CONFLICT, "a rule has one action; the line is ignored")
    cursor.values["action"] = action


def _table(cursor: Cursor, option: Option) -> None:
    table = TABLE.read(cursor.take(), cursor)
    if not table:
        raise cursor.refuse(codes.BAD_VALUE, "there is no table 0")
    cursor.values["table"] = table
    _act(cursor, RuleAction.TO_TABLE)


def _l3mdev(cursor: Cursor, option: Option) -> None:
    cursor.values["l3mdev"] = True
    _act(cursor, RuleAction.TO_TABLE)


_MARK: Final = re.compile(r"[ \t]*([0-9a-fA-FxX]*)(?:/([0-9a-fA-FxX+]*))?\Z")


def _fwmark(cursor: Cursor, option: Option) -> None:
    """Read ``MARK[/MASK]``, each in any of C's notations."""
    word = cursor.take()
    match = _MARK.match(word)
    numbers = [c_number(part) if part else 0 for part in match.groups() if part is not None] if match else [None]
    if not all(number is not None and 0 <= number <= 0xFFFFFFFF for number in numbers):
        raise cursor.refuse(codes.BAD_NUMBER, f"{word!r} is no firewall mark; write MARK or MARK/MASK")
    cursor.values["fwmark"] = numbers[0]
    if len(numbers) > 1:
        cursor.values["fwmask"] = numbers[1]


def _show_mark(mark: int | None) -> str | None:
    return None if mark is None else f"fwmark {mark:#x}"


def _realms(cursor: Cursor, option: Option) -> None:
    cursor.values["realms"] = REALMS.read(cursor.take(), cursor)
    settle_family(cursor, Family.INET)


_RANGE: Final = re.compile(r"\s*[-+]?([0-9]{1,20})-\s*[-+]?([0-9]{1,20})")


def _range(bits: int, what: str, *, fatal: bool) -> Any:
    """Return the reading of ``A-B``; a single number is no range, as in keepalived."""

    def apply(cursor: Cursor, option: Option) -> None:
        word = cursor.take()
        match = _RANGE.match(word)
        if match is None:
            text = f"{word!r} is no range of {what}; write it as A-B, A-A for a single one"
            if fatal:
                raise cursor.refuse(codes.BAD_RANGE, text)
            cursor.complain(codes.BAD_RANGE, text)
            return
        mask = (1 << bits) - 1
        cursor.values[option.into] = (int(match.group(1)) & mask, int(match.group(2)) & mask)

    return apply


def _write_range(name: str) -> Any:
    return lambda pair: None if pair is None else f"{name} {pair[0]}-{pair[1]}"


def _protocol(cursor: Cursor, option: Option) -> None:
    word = cursor.take()
    try:
        cursor.values["protocol"] = parse_integer(word, 0, 255, cursor.reading, cursor.at, lenient=False)
    except Refused as refusal:
        cursor.reading.refused(refusal)


_SMALL: Final = 127
"""Largest protocol that may be written as a number (keepalived's limit)."""


def _ip_protocol(cursor: Cursor, option: Option) -> None:
    word = cursor.take()
    if word.isascii() and word.isdecimal():
        number = int(word) if len(word) < 10 and int(word) <= _SMALL else None
    else:
        number = cursor.reading.facts.protocol_number(word)
    if number is None:
        cursor.complain(codes.BAD_NAME, f"{word!r} is no IP protocol; it is ignored")
    else:
        cursor.values["ip_protocol"] = number


def _track_group(cursor: Cursor, option: Option) -> None:
    read_track_group(cursor)


def _action(cursor: Cursor, option: Option) -> None:
    """Read ``[type] goto N|nop|blackhole|unreachable|prohibit``."""
    word = cursor.words[cursor.at]
    if word == "type":
        word = cursor.take()
    if word == "goto":
        cursor.values["goto"] = parse_integer(cursor.take(), 0, 0xFFFFFFFF, cursor.reading, cursor.at, lenient=False)
        action = RuleAction.GOTO
    elif word == "nop":
        action = RuleAction.NOP
    else:
        kind = route_type(word)
        if kind not in _ACTIONS:
            hint = did_you_mean(word, [*VIRTUAL_RULE.table, *_ACTION_WORDS])
            raise cursor.refuse(codes.LINE_WORD, f"{word!r} is neither an option nor an action of a rule", hint)
        action = _ACTIONS[kind]
    _act(cursor, action)


_PORTS: Final = Term("PORT-PORT", lambda word, _: word, pattern=r"[0-9]+-[0-9]+")
_UIDS: Final = Term("UID-UID", lambda word, _: word, pattern=r"[0-9]+-[0-9]+")
_MARKS: Final = Term("MARK[/MASK]", lambda word, _: word, pattern=r"[0-9a-fA-FxX]+(?:/[0-9a-fA-FxX]+)?")
_PROTOCOL_NAME: Final = Term("NAME|INT[0..127]", lambda word, _: word)

_OPTIONS: Final = (
    Option(("inet", "inet6"), None, "", "Family; keepalived passes over the next word.", apply=family_word),
    Option(("not",), None, "invert", "Match what does not match."),
    Option(("from",), PREFIX_OR_ALL, "source", "Source prefix.", apply=_prefix),
    Option(("to",), PREFIX_OR_ALL, "destination", "Destination prefix.", apply=_prefix),
    Option(("preference", "order", "priority"), any_base(0xFFFFFFFF, "preference"), "priority", "Lower ones are asked first."),
    Option(("tos", "dsfield"), DSFIELD, "tos", "Type of service."),
    Option(("fwmark",), _MARKS, "fwmark", "Firewall mark.", apply=_fwmark, show=_show_mark),
    Option(("iif", "dev"), INTERFACE, "incoming", "Interface that the packet came in by."),
    Option(("oif",), INTERFACE, "outgoing", "Interface that a local socket is bound to."),
    Option(("tunnel-id",), unsigned(0xFFFFFFFFFFFFFFFF), "tunnel_id", "Id of the tunnel."),
    Option(("uidrange",), _UIDS, "uid_range", "Users.", apply=_range(32, "users", fatal=True), show=_write_range("uidrange")),
    Option(("protocol",), unsigned(255), "protocol", "Whose rule it is; only with no_track.", apply=_protocol),
    Option(("ipproto",), _PROTOCOL_NAME, "ip_protocol", "IP protocol.", apply=_ip_protocol),
    Option(("sport",), _PORTS, "source_ports", "Source ports.", apply=_range(16, "ports", fatal=False), show=_write_range("sport")),
    Option(("dport",), _PORTS, "destination_ports", "Destination ports.", apply=_range(16, "ports", fatal=False),
           show=_write_range("dport")),
    Option(("realms",), REALMS, "realms", "Realms; IPv4 and with a table only.", apply=_realms),
    Option(("suppress_prefixlength", "sup_pl"), unsigned(0x7FFFFFFF), "suppress_prefix_length",
           "Ignore routes with a prefix of this length or shorter."),
    Option(("suppress_ifgroup", "sup_group"), GROUP, "suppress_group", "Ignore routes over this interface group."),
    Option(("table", "lookup"), TABLE, "table", "Look the route up in this table.", apply=_table),
    Option(("l3mdev",), None, "l3mdev", "Look the route up in the table of the VRF.", apply=_l3mdev),
    Option(("no_track",), None, "no_track", "Do not care when the rule disappears."),
)  # fmt: skip
_ACTION: Final = Term(
    "goto INT|nop|blackhole|unreachable|prohibit", lambda word, _: word, pattern=r"nop|blackhole|unreachable|prohibit|goto [0-9]+"
)
_REST: Final = Option((), _ACTION, "", "The action.", prefixes=("type",), apply=_action)

VIRTUAL_RULE: Final = LineGrammar("virtual_rules", _OPTIONS, rest=_REST, strict=True)
STATIC_RULE: Final = LineGrammar(
    "static_rules",
    (*_OPTIONS, Option(("track_group",), TEXT, "track_group", "Instances that watch the interface.", apply=_track_group)),
    rest=_REST,
    strict=True,
)


def read_rule(grammar: LineGrammar, words: list[str], reading: Reading, free: dict[Family, int]) -> Rule:
    """Read a line of `VIRTUAL_RULE` or `STATIC_RULE`; raise `Refused` for one that makes no rule.

    `free` holds the next priority of each family for a rule that has none, and is counted down.
    """
    cursor = grammar.cursor(words, reading)
    try:
        grammar.read_options(cursor)
    except Refused as refusal:
        raise grammar.explained(refusal, cursor) from None
    values = cursor.values
    _check(values)
    if not values.get("no_track"):
        if values.get("protocol", KEEPALIVED_PROTOCOL) != KEEPALIVED_PROTOCOL:
            text = f"a rule of another protocol cannot be watched; {KEEPALIVED_PROTOCOL} is used"
            reading.complain(codes.TRACKED_PROTOCOL, text, words.index("protocol"))
        values["protocol"] = KEEPALIVED_PROTOCOL
    else:
        values.setdefault("protocol", None)
    if "track_group" in values and "incoming" not in values:
        reading.complain(codes.TRACK_GROUP_INTERFACE, "track_group needs iif; it is ignored", words.index("track_group"))
        del values["track_group"]
    family = values["family"] = Family(cursor.family or Family.INET)
    for name in ("source", "destination"):
        if name in values:
            prefix: Prefix | None = values[name]
            values[name] = of_all(prefix, family)
    if "priority" not in values:
        values["priority"] = free[family]
        free[family] -= 1
        reading.complain(codes.RULE_PRIORITY, f"the rule has no preference; {values['priority']} is used", 0)
    return Rule(**values)


def _check(values: dict[str, Any]) -> None:
    """Refuse a rule whose options make no sense together."""
    action = values.get("action")
    if action is RuleAction.GOTO and values.get("priority", -1) >= values["goto"]:
        raise Refused(codes.LINE_CONFLICT, "goto leads to a rule with a larger preference only; the line is ignored", 0)
    if action is RuleAction.GOTO and "priority" not in values:
        raise Refused(codes.LINE_INCOMPLETE, "goto needs a preference; the line is ignored", 0)
    if action is None:
        raise Refused(codes.LINE_INCOMPLETE, "a rule needs an action, such as table; the line is ignored", 0)
    table_only = {"realms", "suppress_prefix_length", "suppress_group"} & values.keys()
    if action is not RuleAction.TO_TABLE and table_only:
        raise Refused(codes.LINE_CONFLICT, "realms and suppressors need a table; the line is ignored", 0)


def write_rule(rule: Rule) -> str:
    """Write a rule so that it is read back the same."""
    grammar = STATIC_RULE if rule.track_group else VIRTUAL_RULE
    plain = Rule(rule.family, -1, rule.action, protocol=None if rule.no_track else KEEPALIVED_PROTOCOL)
    words = grammar.write(rule, plain)
    if rule.fwmask is not None:
        words = [f"{word}/{rule.fwmask:#x}" if word.startswith("fwmark ") else word for word in words]
    if rule.action is RuleAction.GOTO:
        words.append(f"goto {rule.goto}")
    elif rule.action is not RuleAction.TO_TABLE:
        words.append(rule.action.name.lower())
    if rule.family is Family.INET6 and rule.source is None and rule.destination is None:
        words.insert(0, "from ::/0")
    return " ".join(words)


def write_rules(rules: tuple[Rule, ...]) -> list[str]:
    """Return one line for each rule."""
    return [write_rule(rule) for rule in rules]
