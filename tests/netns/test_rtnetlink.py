"""`system.route_messages`, `link_messages`, `rtnetlink` on a real kernel: what we pack is what iproute2 then shows.

one node with a veth pair:   here (eth0 192.0.2.1/24, 2001:db8::1/64) -- there
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from examples.lab import Lab, Node, eventually
from keepalived_py.addresses import Address, Family
from keepalived_py.config.routing import (
    AddressFlags,
    Insertion,
    IpEncap,
    Metrics,
    Nexthop,
    Prefix,
    Route,
    Rule,
    RuleAction,
    VirtualAddress,
)
from keepalived_py.netlink.framing import HEADER
from keepalived_py.system.link_messages import (
    RTM_DELADDR,
    RTM_NEWADDR,
    addr_gen_none_request,
    decode_address,
    delete_link_request,
    link_up_request,
    macvlan_request,
)
from keepalived_py.system.route_messages import address_request, route_request, rule_request
from keepalived_py.system.rtnetlink import RouteMonitor, RouteSocket

pytestmark = pytest.mark.net


class Host:
    """A node with an rtnetlink socket in it."""

    def __init__(self, node: Node, link: RouteSocket, monitor: RouteMonitor) -> None:
        self.node = node
        self.link = link
        self.monitor = monitor
        self.indices = {state.name: state.index for state in link.links()}

    def perform(self, *requests: bytes) -> None:
        results = self.link.perform([("test", request) for request in requests])
        assert results == [None] * len(requests)

    def ip(self, *words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.node.run("ip", "-j", "-d", *words) or "[]")
        return found


@pytest.fixture
def host() -> Iterator[Host]:
    with Lab() as lab, ExitStack() as stack:
        here, there = lab.node("here"), lab.node("there")
        lab.link(here, there, ("192.0.2.1/24", "2001:db8::1/64"), ("192.0.2.2/24", "2001:db8::2/64"))
        with here.entered():
            link, monitor = RouteSocket(), RouteMonitor()
        stack.callback(link.close)
        stack.callback(monitor.close)
        yield Host(here, link, monitor)


def address(text: str) -> Address:
    return Address.parse(text)


def prefix(text: str) -> Prefix:
    base, _, length = text.partition("/")
    return Prefix(address(base), int(length))


def test_links_and_addresses_are_read_as_iproute2_reads_them(host: Host) -> None:
    shown = {link["ifname"]: link for link in host.ip("link", "show")}
    links = {link.name: link for link in host.link.links()}
    assert set(links) == set(shown)
    for name, link in links.items():
        assert (link.index, link.mtu) == (shown[name]["ifindex"], shown[name]["mtu"])
        if name != "lo":
            assert link.mac.hex(":") == shown[name]["address"]
            assert link.kind == "veth"
    wanted = {
        (entry["ifindex"], info["local"], info["prefixlen"]) for entry in host.ip("addr", "show") for info in entry["addr_info"]
    }
    assert {(one.index, str(one.address), one.prefix_length) for one in host.link.addresses()} == wanted


def test_an_address_with_all_its_options(host: Host) -> None:
    virtual = VirtualAddress(
        address("192.0.2.100"), 32, scope=253, broadcast=address("192.0.2.255"), label="there:vip", flags=AddressFlags.NONE
    )
    host.perform(address_request(virtual, host.indices["there"], 0, add=True))
    (found,) = [info for info in host.ip("addr", "show", "dev", "there")[0]["addr_info"] if info["local"] == "192.0.2.100"]
    assert (found["prefixlen"], found["scope"], found["broadcast"], found["label"]) == (32, "link", "192.0.2.255", "there:vip")
    host.perform(address_request(virtual, host.indices["there"], 0, add=False))
    assert "192.0.2.100" not in host.node.run("ip", "addr", "show", "dev", "there")


def test_an_ipv6_address_without_duplicate_detection_and_deprecated(host: Host) -> None:
    virtual = VirtualAddress(address("2001:db8::100"), 128, preferred_lifetime=0)
    host.perform(address_request(virtual, host.indices["there"], 0, add=True))
    (found,) = [info for info in host.ip("addr", "show", "dev", "there")[0]["addr_info"] if info["local"] == "2001:db8::100"]
    assert found["nodad"] is True and found["deprecated"] is True
    assert "tentative" not in found


def test_a_second_add_is_refused_and_does_not_stop_the_others(host: Host) -> None:
    one, two = (VirtualAddress(address(f"192.0.2.{last}"), 32) for last in (50, 51))
    index = host.indices["there"]
    requests = [("one", address_request(one, index, 0, add=True))] * 2 + [("two", address_request(two, index, 0, add=True))]
    results = host.link.perform(requests)
    assert results[0] is None and results[2] is None
    assert results[1] is not None and results[1].errno == 17


def test_hundreds_of_addresses_in_one_go(host: Host) -> None:
    index = host.indices["there"]
    virtual = [VirtualAddress(address("198.51.100.0") + number, 32) for number in range(600)]
    host.perform(*(address_request(one, index, 0, add=True) for one in virtual))
    assert sum(one.address in {item.address for item in virtual} for one in host.link.addresses()) == 600
    host.perform(*(address_request(one, index, 0, add=False) for one in virtual))
    assert len(host.link.addresses()) < 20


def test_routes_of_every_shape(host: Host) -> None:
    index_of = host.indices.__getitem__
    routes = {
        "203.0.113.0/24": Route(prefix("203.0.113.0/24"), Family.INET, via=address("192.0.2.2"), interface="there", metric=7),
        "198.51.100.0/25": Route(prefix("198.51.100.0/25"), Family.INET, interface="there", table=1000),
        "198.51.100.128/25": Route(
            prefix("198.51.100.128/25"),
            Family.INET,
            nexthops=(Nexthop(address("192.0.2.2"), "there", 3), Nexthop(address("192.0.2.3"), "there", onlink=True)),
            metrics=Metrics(mtu=1400, initcwnd=20, locked=frozenset({"mtu"})),
        ),
        "2001:db8:1::/48": Route(
            prefix("2001:db8:1::/48"), Family.INET6, via=address("2001:db8::2"), interface="there", preference=1, expires=600
        ),
        "192.0.2.77/32": Route(prefix("192.0.2.77/32"), Family.INET, kind=6, insertion=Insertion.ADD),
    }
    host.perform(*(route_request(route, index_of, 0, add=True) for route in routes.values()))
    shown = {route["dst"]: route for route in host.ip("route", "show", "table", "all", "proto", "keepalived")}
    shown |= {route["dst"]: route for route in host.ip("-6", "route", "show", "table", "all", "proto", "keepalived")}
    assert (shown["203.0.113.0/24"]["gateway"], shown["203.0.113.0/24"]["metric"]) == ("192.0.2.2", 7)
    assert str(shown["198.51.100.0/25"]["table"]) == "1000"
    hops = shown["198.51.100.128/25"]["nexthops"]
    assert [(hop["gateway"], hop["weight"]) for hop in hops] == [("192.0.2.2", 3), ("192.0.2.3", 1)]
    assert shown["198.51.100.128/25"]["metrics"][0]["mtu"] == 1400
    assert shown["2001:db8:1::/48"]["pref"] == "high"
    assert shown["192.0.2.77"]["type"] == "blackhole"
    host.perform(*(route_request(route, index_of, 0, add=False) for route in routes.values()))
    assert host.ip("route", "show", "table", "all", "proto", "keepalived") == []
    assert host.ip("-6", "route", "show", "table", "all", "proto", "keepalived") == []


def test_a_route_through_an_ip_tunnel_without_a_device(host: Host) -> None:
    encap = IpEncap(Family.INET, id=5, destination=address("192.0.2.2"), ttl=9)
    route = Route(prefix("203.0.113.7/32"), Family.INET, interface="there", encap=encap)
    results = host.link.perform([("route", route_request(route, host.indices.__getitem__, 0, add=True))])
    if results[0] is not None and results[0].errno == 95:
        pytest.skip("this kernel has no lightweight tunnels")
    assert results == [None]
    shown = host.node.run("ip", "route", "show", "203.0.113.7")
    assert "encap ip id 5" in shown and "dst 192.0.2.2" in shown and "ttl 9" in shown


def test_rules_of_every_shape(host: Host) -> None:
    rules = [
        Rule(Family.INET, 100, RuleAction.TO_TABLE, table=1000, source=prefix("192.0.2.0/24"), fwmark=5, fwmask=7),
        Rule(Family.INET, 101, RuleAction.PROHIBIT, destination=prefix("203.0.113.0/24"), incoming="there", invert=True),
        Rule(Family.INET, 102, RuleAction.TO_TABLE, table=253, ip_protocol=6, destination_ports=(80, 90), uid_range=(5, 9)),
        Rule(Family.INET, 103, RuleAction.GOTO, goto=32766),
        Rule(Family.INET6, 104, RuleAction.TO_TABLE, table=254, suppress_prefix_length=0),
    ]
    host.perform(*(rule_request(rule, 0, add=True) for rule in rules))
    shown = {rule["priority"]: rule for rule in host.ip("rule", "show")} | {
        rule["priority"]: rule for rule in host.ip("-6", "rule", "show") if rule["priority"] == 104
    }
    assert (shown[100]["src"], shown[100]["srclen"], str(shown[100]["table"]), shown[100]["fwmark"]) == (
        "192.0.2.0",
        24,
        "1000",
        "0x5",
    )
    assert shown[101]["action"] == "prohibit" and shown[101]["iif"] == "there" and "not" in shown[101]
    assert (shown[102]["dport_start"], shown[102]["dport_end"], shown[102]["uid_start"]) == (80, 90, 5)
    assert shown[103]["goto"] == 32766
    assert shown[104]["suppress_prefixlen"] == 0
    host.perform(*(rule_request(rule, 0, add=False) for rule in rules))
    assert not {rule["priority"] for rule in host.ip("rule", "show")} & {100, 101, 102, 103}


def test_a_macvlan_with_the_virtual_routers_mac(host: Host) -> None:
    mac = bytes.fromhex("00005e000133")
    host.perform(macvlan_request("vrrp.51", host.indices["there"], mac, 0))
    (made,) = [link for link in host.link.links() if link.name == "vrrp.51"]
    assert (made.kind, made.mac, made.link) == ("macvlan", mac, host.indices["there"])
    host.perform(addr_gen_none_request(made.index, 0), link_up_request(made.index, 0))
    (shown,) = host.ip("link", "show", "dev", "vrrp.51")
    assert shown["linkinfo"]["info_data"]["mode"] == "private"
    assert shown["inet6_addr_gen_mode"] == "none"
    assert "UP" in shown["flags"]
    host.perform(delete_link_request(made.index, 0))
    assert "vrrp.51" not in {link.name for link in host.link.links()}


def test_the_monitor_hears_what_happens(host: Host) -> None:
    virtual = VirtualAddress(address("192.0.2.60"), 32)
    index = host.indices["there"]
    host.perform(address_request(virtual, index, 0, add=True), address_request(virtual, index, 0, add=False))
    heard: list[tuple[int, Address]] = []

    def both() -> bool:
        for received in host.monitor.receive():
            if received.type in (RTM_NEWADDR, RTM_DELADDR):
                decoded = decode_address(received)
                assert decoded is not None
                heard.append((received.type, decoded.address))
        return len(heard) == 2

    eventually(both, "both changes are heard")
    assert heard == [(RTM_NEWADDR, virtual.address), (RTM_DELADDR, virtual.address)]


def test_a_request_has_its_length_in_its_header() -> None:
    packed = address_request(VirtualAddress(address("192.0.2.60"), 32), 1, 7, add=True)
    length, _, _, sequence, _ = HEADER.unpack_from(packed)
    assert (length, sequence) == (len(packed), 7)
