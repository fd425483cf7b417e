"""Lines of addresses, routes and rules: what they mean, how they are written, which word is blamed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.addresses import Address, Family
from keepalived_py.config.routing import (
    FOREVER,
    AddressFlags,
    IlaEncap,
    Insertion,
    IpEncap,
    Metrics,
    MplsEncap,
    Nexthop,
    Prefix,
    Route,
    Rule,
    RuleAction,
    VirtualAddress,
)
from keepalived_py.parser.grammars import expected
from keepalived_py.parser.keywords.address_lines import STATIC, VIRTUAL, write_virtual_address
from keepalived_py.parser.keywords.route_lines import STATIC_ROUTE, VIRTUAL_ROUTE, write_route
from keepalived_py.parser.keywords.rule_lines import STATIC_RULE, VIRTUAL_RULE, write_rule
from keepalived_py.parser.lines import LineGrammar
from keepalived_py.parser.load import Loaded
from tests.helpers.facts import FakeFacts, interface, notes, read, told

A = Address.parse


def prefix(text: str) -> Prefix:
    address, _, length = text.partition("/")
    return Prefix(A(address), int(length))


def in_block(block: str, *lines: str) -> str:
    """Return a value block whose first line stands on line 2."""
    return "\n".join([f"{block} {{", *(f" {line}" for line in lines), "}"]) + "\n"


def entries(block: str, *lines: str, facts: FakeFacts | None = None) -> tuple[Loaded, tuple[object, ...]]:
    loaded = read(in_block(block, *lines), facts)
    assert loaded.config is not None
    vrrp = loaded.config.vrrp
    return loaded, {
        "static_ipaddress": vrrp.static_addresses,
        "static_routes": vrrp.static_routes,
        "static_rules": vrrp.static_rules,
    }[block]


# Addresses ------------------------------------------------------------------------------------------------------------------------

ADDRESSES = [
    ("192.0.2.9", VirtualAddress(A("192.0.2.9"), 32, "eth0")),
    ("192.0.2.9/24 dev eth1", VirtualAddress(A("192.0.2.9"), 24, "eth1")),
    ("192.0.2.9/24 brd + scope link label eth0:1", VirtualAddress(A("192.0.2.9"), 24, "eth0", 253, A("192.0.2.255"), "eth0:1")),
    ("192.0.2.9/24 broadcast -", VirtualAddress(A("192.0.2.9"), 24, "eth0", broadcast=A("192.0.2.0"))),
    ("192.0.2.9 peer 192.0.2.8", VirtualAddress(A("192.0.2.9"), 32, "eth0", peer=A("192.0.2.8"))),
    ("192.0.2.9/24 no_track", VirtualAddress(A("192.0.2.9"), 24, "eth0", no_track=True)),
    ("2001:db8::9", VirtualAddress(A("2001:db8::9"), 128, "eth0", preferred_lifetime=0)),
    ("2001:db8::9/64", VirtualAddress(A("2001:db8::9"), 64, "eth0", preferred_lifetime=FOREVER)),
    (
        "2001:db8::9/64 home -nodad preferred_lft 60",
        VirtualAddress(A("2001:db8::9"), 64, "eth0", flags=AddressFlags.HOMEADDRESS, preferred_lifetime=60),
    ),
]


@pytest.mark.parametrize(("line", "address"), ADDRESSES)
def test_an_address_line(line: str, address: VirtualAddress) -> None:
    loaded, found = entries("static_ipaddress", line)
    assert (told(loaded), found) == ([], (address,))


@pytest.mark.parametrize("address", [address for _, address in ADDRESSES])
def test_an_address_is_read_back(address: VirtualAddress) -> None:
    loaded, found = entries("static_ipaddress", write_virtual_address(address))
    assert (told(loaded), found) == ([], (address,))


BAD_ADDRESSES = [
    ("host", "KA105", 0, 0),
    ("192.0.2.9-12", "KA105", 0, 0),
    ("192.0.2.9/33", "KA122", 0, 1),
    ("192.0.2.9 dev eth7", "KA500", 2, 0),
    ("192.0.2.9 dev", "KA116", 1, 0),
    ("192.0.2.9 dev eth0 dev eth1", "KA120", 4, 0),
    ("192.0.2.9 scope moon", "KA123", 2, 1),
    ("192.0.2.9 label averylonglabelname", "KA108", 2, 0),
    ("192.0.2.9/31 brd +", "KA122", 0, 1),
    ("192.0.2.9 peer 2001:db8::1", "KA120", 2, 1),
    ("192.0.2.9 sideways", "KA119", 1, 1),
    ("2001:db8::9 brd +", "KA120", 2, 0),
    ("2001:db8::9 label x", "KA120", 0, 1),
    ("192.0.2.9 preferred_lft x", "KA100", 2, 1),
    ("192.0.2.9 use_vmac", "KA119", 1, 1),
]


@pytest.mark.parametrize(("line", "code", "word", "kept"), BAD_ADDRESSES)
def test_the_word_at_fault_is_blamed(line: str, code: str, word: int, kept: int) -> None:
    loaded, found = entries("static_ipaddress", line)
    assert (code, 2) in told(loaded)
    place = next(diagnostic.place for diagnostic in loaded.diagnostics if diagnostic.code.ident == code)
    assert place is not None
    words = line.split()
    assert place.source[place.column - 1 :].startswith(words[word])
    assert len(found) == kept


def test_a_static_address_needs_some_interface() -> None:
    facts = FakeFacts()
    del facts.network["eth0"]
    loaded, found = entries("static_ipaddress", "192.0.2.9", facts=facts)
    assert (told(loaded), found) == ([("KA502", 2), ("KA501", 2)], ())
    assert int(loaded.status) == 4
    loaded = read("global_defs {\n default_interface eth1\n}\n" + in_block("static_ipaddress", "192.0.2.9"), facts)
    assert told(loaded) == []


def test_families_of_an_instance_do_not_mix_but_for_excluded_addresses() -> None:
    text = """vrrp_instance A {
     interface eth0
     virtual_router_id 1
     virtual_ipaddress {
      192.0.2.10
      2001:db8::10
      192.0.2.10
     }
     virtual_ipaddress_excluded {
      2001:db8::11
      192.0.2.10 dev eth1
      192.0.2.10
     }
    }\n"""
    loaded = read(text)
    assert told(loaded) == [("KA507", 6), ("KA535", 7), ("KA535", 12)]
    assert loaded.config is not None
    (instance,) = loaded.config.vrrp.instances
    assert [str(address) for address in instance.virtual_addresses] == ["192.0.2.10/32"]
    assert [(str(address), address.interface) for address in instance.excluded_addresses] == [
        ("2001:db8::11/128", None),
        ("192.0.2.10/32", "eth1"),
    ]


# Routes ---------------------------------------------------------------------------------------------------------------------------

NET = prefix("198.51.100.0/24")
NET6 = prefix("2001:db8:1::/48")
V4, V6 = Family.INET, Family.INET6

ROUTES = [
    ("198.51.100.0/24 via 192.0.2.1", Route(NET, V4, via=A("192.0.2.1"))),
    ("default via 192.0.2.1", Route(prefix("0.0.0.0/0"), V4, via=A("192.0.2.1"))),
    ("default via 2001:db8::1", Route(prefix("::/0"), V6, via=A("2001:db8::1"))),
    ("to 198.51.100.0/24 dev eth1 scope link table 77", Route(NET, V4, interface="eth1", scope=253, table=77)),
    ("blackhole 198.51.100.0/24", Route(NET, V4, kind=6)),
    ("198.51.100.0/24 src 192.0.2.2 dev eth0 metric 5",
     Route(NET, V4, preferred_source=A("192.0.2.2"), interface="eth0", metric=5)),
    ("2001:db8:1::/48 from 2001:db8:2::/48 dev eth0", Route(NET6, V6, source=prefix("2001:db8:2::/48"), interface="eth0")),
    ("2001:db8:1::/48 dev eth0 expires 60 pref high", Route(NET6, V6, interface="eth0", expires=60, preference=1)),
    (
        "198.51.100.0/24 dev eth0 mtu lock 1400 rtt 250ms rttvar 1s congctl cubic features ecn",
        Route(
            NET, V4, interface="eth0",
            metrics=Metrics(mtu=1400, rtt=2000, rttvar=4000, congctl="cubic", ecn=True, locked=frozenset({"mtu"})),
        ),
    ),
    ("198.51.100.0/24 dev eth0 realms 2/3 append",
     Route(NET, V4, interface="eth0", realms=2 << 16 | 3, insertion=Insertion.APPEND)),
    ("198.51.100.0/24 dev eth0 no_track protocol static", Route(NET, V4, interface="eth0", no_track=True, protocol=4)),
    (
        "198.51.100.0/24 nexthop via 192.0.2.1 weight 2 nexthop dev eth1 onlink",
        Route(NET, V4, nexthops=(Nexthop(A("192.0.2.1"), weight=2), Nexthop(interface="eth1", onlink=True))),
    ),
    ("198.51.100.0/24 encap mpls 100/200 via 192.0.2.1", Route(NET, V4, encap=MplsEncap((100, 200)), via=A("192.0.2.1"))),
    (
        "198.51.100.0/24 dev eth0 encap ip id 5 dst 192.0.2.7 ttl 9",
        Route(NET, V4, interface="eth0", encap=IpEncap(V4, id=5, destination=A("192.0.2.7"), ttl=9)),
    ),
    ("2001:db8:1::/48 dev eth0 encap ila 2001:db8:0:1", Route(NET6, V6, interface="eth0", encap=IlaEncap(0x20010DB800000001))),
]  # fmt: skip


@pytest.mark.parametrize(("line", "route"), ROUTES)
def test_a_route_line(line: str, route: Route) -> None:
    loaded, found = entries("static_routes", line)
    assert (told(loaded), found) == ([], (route,))


@pytest.mark.parametrize("route", [route for _, route in ROUTES])
def test_a_route_is_read_back(route: Route) -> None:
    loaded, found = entries("static_routes", write_route(route))
    assert (told(loaded), found) == ([], (route,))


BAD_ROUTES = [
    ("198.51.100.0/24 via host", "KA105", 0),
    ("198.51.100.0/24 via 2001:db8::1", "KA120", 0),
    ("198.51.100.0/24 dev eth7", "KA500", 0),
    ("dev eth0", "KA121", 0),
    ("198.51.100.0/24 sideways", "KA119", 0),
    ("198.51.100.0/24 metric x", "KA100", 0),
    ("198.51.100.0/24 table moon", "KA123", 0),
    ("198.51.100.0/24 dev eth0 expires 5", "KA120", 0),
    ("198.51.100.0/24 dev eth0 protocol static", "KA558", 1),
    ("198.51.100.0/24 gw 192.0.2.1", "KA125", 1),
    ("198.51.100.0/24 via 192.0.2.1 or 192.0.2.3", "KA125", 1),
    ("198.51.100.0/24 dev eth0 rtt 10ms", "KA102", 1),
    ("198.51.100.0/24 dev eth0 features sack", "KA104", 1),
    ("198.51.100.0/24 via 192.0.2.1 default", "KA120", 0),
    ("198.51.100.0/24 dev eth0 encap ip ttl 5", "KA121", 0),
    ("198.51.100.0/24 vrf eth0", "KA500", 0),
    ("198.51.100.0/24 nexthop via 192.0.2.1 nexthop weight 0", "KA101", 1),
    ("198.51.100.0/24 track_group none via 192.0.2.1", "KA224", 1),
]


@pytest.mark.parametrize(("line", "code", "kept"), BAD_ROUTES)
def test_a_bad_route_line(line: str, code: str, kept: int) -> None:
    loaded, found = entries("static_routes", line)
    assert (code, 2) in told(loaded)
    assert len(found) == kept


def test_a_route_that_lacks_a_word_stops_the_reading() -> None:
    loaded = read(in_block("static_routes", "198.51.100.0/24 via"))
    assert (int(loaded.status), told(loaded)) == (2, [("KA007", 2)])


def test_the_word_after_a_family_is_passed_over_as_keepalived_does() -> None:
    loaded, found = entries("static_routes", "inet6 swallowed 2001:db8:1::/48 dev eth0")
    assert (told(loaded), notes(loaded)) == ([], [("KA126", 2)])
    assert found == (Route(NET6, V6, interface="eth0"),)


def test_a_vrf_names_its_table() -> None:
    facts = FakeFacts()
    facts.network["blue"] = interface("blue", 8, kind="vrf", table=77)
    loaded, found = entries("static_routes", "198.51.100.0/24 dev eth0 vrf blue", facts=facts)
    assert (told(loaded), found) == ([], (Route(NET, V4, interface="eth0", table=77),))


# Rules ----------------------------------------------------------------------------------------------------------------------------

TABLE = RuleAction.TO_TABLE
RULES = [
    ("from 198.51.100.0/24 table 77 priority 100", Rule(V4, 100, TABLE, 77, source=NET)),
    ("to 2001:db8:1::/48 lookup main preference 0x10", Rule(V6, 16, TABLE, 254, destination=NET6)),
    ("from all fwmark 0x1/0xff table 7 order 9", Rule(V4, 9, TABLE, 7, source=prefix("0.0.0.0/0"), fwmark=1, fwmask=255)),
    ("not from 198.51.100.0/24 blackhole priority 5", Rule(V4, 5, RuleAction.BLACKHOLE, source=NET, invert=True)),
    ("priority 5 goto 100", Rule(V4, 5, RuleAction.GOTO, goto=100)),
    ("iif eth0 oif eth1 type prohibit priority 5", Rule(V4, 5, RuleAction.PROHIBIT, incoming="eth0", outgoing="eth1")),
    ("uidrange 1-5 sport 10-20 dport 30-30 ipproto tcp table 7 priority 5",
     Rule(V4, 5, TABLE, 7, uid_range=(1, 5), source_ports=(10, 20), destination_ports=(30, 30), ip_protocol=6)),
    ("l3mdev priority 1000", Rule(V4, 1000, TABLE, l3mdev=True)),
    ("realms 2/3 suppress_prefixlength 0 table 7 priority 5",
     Rule(V4, 5, TABLE, 7, realms=2 << 16 | 3, suppress_prefix_length=0)),
    ("table 7 priority 5 protocol 3 no_track", Rule(V4, 5, TABLE, 7, protocol=3, no_track=True)),
]  # fmt: skip


@pytest.mark.parametrize(("line", "rule"), RULES)
def test_a_rule_line(line: str, rule: Rule) -> None:
    loaded, found = entries("static_rules", line)
    assert (told(loaded), found) == ([], (rule,))


@pytest.mark.parametrize("rule", [rule for _, rule in RULES])
def test_a_rule_is_read_back(rule: Rule) -> None:
    loaded, found = entries("static_rules", write_rule(rule))
    assert (told(loaded), found) == ([], (rule,))


BAD_RULES = [
    ("from 198.51.100.0/24 priority 5", "KA121", 0),
    ("table 7 table 8 priority 5", "KA120", 0),
    ("table 0 priority 5", "KA114", 0),
    ("goto 5 priority 9", "KA120", 0),
    ("goto 5", "KA121", 0),
    ("blackhole realms 1 priority 5", "KA120", 0),
    ("from 198.51.100.0/24 to 2001:db8::/32 table 7 priority 5", "KA120", 0),
    ("sport 80 table 7 priority 5", "KA107", 1),
    ("uidrange 5 table 7 priority 5", "KA107", 0),
    ("fwmark x table 7 priority 5", "KA100", 0),
    ("sideways table 7 priority 5", "KA119", 0),
    ("table 7 priority 5 protocol 3", "KA558", 1),
    ("table 7 priority 5 ipproto moon", "KA123", 1),
]


@pytest.mark.parametrize(("line", "code", "kept"), BAD_RULES)
def test_a_bad_rule_line(line: str, code: str, kept: int) -> None:
    loaded, found = entries("static_rules", line)
    assert (code, 2) in told(loaded)
    assert len(found) == kept


def test_rules_without_a_priority_count_down_for_each_family() -> None:
    loaded, found = entries("static_rules", "table 7", "table 8", "from 2001:db8::/32 table 9")
    assert [code for code, _ in told(loaded)] == ["KA560"] * 3
    assert [rule.priority for rule in found if isinstance(rule, Rule)] == [16384, 16383, 16384]


# Grammars -------------------------------------------------------------------------------------------------------------------------

GOOD: list[tuple[LineGrammar, str]] = [
    *((STATIC, line) for line, _ in ADDRESSES),
    *((STATIC_ROUTE, line) for line, _ in ROUTES),
    *((STATIC_RULE, line) for line, _ in RULES),
]


@pytest.mark.parametrize(("grammar", "line"), GOOD)
def test_the_pyparsing_grammar_accepts_what_the_reader_accepts(grammar: LineGrammar, line: str) -> None:
    assert expected(grammar, line.split()) is None


EXPECTED = [
    (VIRTUAL, "192.0.2.9 dev eth0 peer host", 4, "ADDR"),
    (VIRTUAL, "host dev eth0", 0, "ADDR[/LEN]"),
    (VIRTUAL, "192.0.2.9 sideways", 1, "one of dev, scope, broadcast"),
    (VIRTUAL_ROUTE, "198.51.100.0/24 metric x", 2, "INT[0..4294967295]"),
    (VIRTUAL_ROUTE, "198.51.100.0/24 encap moon", 2, "ip or ip6 or mpls or ila"),
    (VIRTUAL_ROUTE, "198.51.100.0/24 nexthop weight x", 3, "INT[1..256]"),
    (VIRTUAL_RULE, "from moon", 1, "ADDR[/LEN]|default"),
]


@pytest.mark.parametrize(("grammar", "line", "index", "wanted"), EXPECTED)
def test_the_pyparsing_grammar_says_what_it_expects(grammar: LineGrammar, line: str, index: int, wanted: str) -> None:
    found = expected(grammar, line.split())
    assert found is not None
    assert found[0] == index and found[1].startswith(wanted)


def test_a_diagnostic_carries_what_was_expected() -> None:
    loaded, _ = entries("static_routes", "198.51.100.0/24 metric x")
    assert [diagnostic.hint for diagnostic in loaded.diagnostics] == ["expected INT[0..4294967295]"]


def test_the_syntax_comes_from_the_table() -> None:
    assert VIRTUAL.syntax.startswith("ADDR[/LEN] [dev IFNAME] [scope SCOPE] [broadcast|brd ADDR4|+|-]")
    assert "[mtu [lock] INT[0..4294967295]]" in VIRTUAL_ROUTE.syntax


_KNOWN = (
    *VIRTUAL.table,
    *STATIC_ROUTE.table,
    *STATIC_RULE.table,
    "eth0",
    "eth7",
    "192.0.2.9/24",
    "2001:db8::9/64",
    "default",
    "ip",
)
_ODD = st.text(min_size=1, max_size=5).filter(lambda word: not set(word) & set('{}"!#$@~\\\n\r\0 \t\x0b\x0c'))
_WORDS = st.sampled_from(_KNOWN) | st.integers(-1, 300).map(str) | _ODD


@given(st.lists(_WORDS, min_size=1, max_size=8), st.sampled_from(["static_ipaddress", "static_routes", "static_rules"]))
def test_any_words_make_an_entry_or_a_diagnostic(words: list[str], block: str) -> None:
    loaded = read(in_block(block, " ".join(words)))
    if loaded.config is None:
        assert told(loaded)[-1] == ("KA007", 2)
        return
    vrrp = loaded.config.vrrp
    kept = len(vrrp.static_addresses) + len(vrrp.static_routes) + len(vrrp.static_rules)
    assert kept or told(loaded)
