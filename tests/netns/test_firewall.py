"""`system.firewall` on a real kernel: virtual addresses that do not answer, and group reports of a VMAC that leave by its base."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from examples.lab import Lab, Node
from keepalived_py.addresses import Address, Family
from keepalived_py.errors import KernelError
from keepalived_py.system.firewall import Firewall

pytestmark = pytest.mark.net


@pytest.fixture
def ends() -> Iterator[tuple[Node, Node, Firewall]]:
    with Lab() as lab:
        here, there = lab.node("here"), lab.node("there")
        lab.link(here, there, ("192.0.2.1/24", "2001:db8::1/64"), ("192.0.2.2/24", "2001:db8::2/64"))
        here.ip("address add 192.0.2.100/32 dev there", "address add 2001:db8::100/128 dev there nodad")
        here.ip("address add fe80::100/64 dev there nodad")
        firewall = Firewall("keepalived", -1, counters=False, reports=True)
        with here.entered():
            firewall.prepare(Family)
        yield here, there, firewall
        with here.entered():
            firewall.close()
        assert here.run("nft", "list", "tables") == ""


def answers(node: Node, address: str) -> bool:
    return node.call("ping", "-c", "1", "-W", "1", address).returncode == 0


def elements(node: Node, family: str, name: str) -> list[Any]:
    listed = json.loads(node.run("nft", "-j", "list", "set" if name != "vmac_map" else "map", family, "keepalived", name))
    (found,) = [entry for entry in listed["nftables"] if "metainfo" not in entry]
    return list(next(iter(found.values())).get("elem", []))


def test_a_blocked_address_does_not_answer_but_its_neighbours_still_find_it(ends: tuple[Node, Node, Firewall]) -> None:
    here, there, firewall = ends
    blocked = [(Address.parse("192.0.2.100"), 0), (Address.parse("2001:db8::100"), 0)]
    assert answers(there, "192.0.2.100") and answers(there, "2001:db8::100")
    firewall.block(blocked)
    assert elements(here, "ip", "vips") == ["192.0.2.100"]
    assert not answers(there, "192.0.2.100")
    assert not answers(there, "2001:db8::100")
    assert "REACHABLE" in there.run("ip", "neighbour", "show", "2001:db8::100") or "lladdr" in there.run("ip", "neighbour")
    assert answers(there, "192.0.2.1") and answers(there, "2001:db8::1")
    firewall.unblock(blocked)
    assert elements(here, "ip", "vips") == []
    assert answers(there, "192.0.2.100") and answers(there, "2001:db8::100")


def test_a_link_local_address_is_blocked_on_its_interface_only(ends: tuple[Node, Node, Firewall]) -> None:
    here, there, firewall = ends
    index = json.loads(here.run("ip", "-j", "link", "show", "dev", "there"))[0]["ifindex"]
    assert answers(there, "fe80::100%here")
    firewall.block([(Address.parse("fe80::100"), index + 1)])
    assert answers(there, "fe80::100%here")
    firewall.block([(Address.parse("fe80::100"), index)])
    assert not answers(there, "fe80::100%here")
    firewall.unblock([(Address.parse("fe80::100"), index)])
    assert answers(there, "fe80::100%here")


def test_hundreds_of_addresses_at_once(ends: tuple[Node, Node, Firewall]) -> None:
    here, _, firewall = ends
    many = [(Address.parse("198.51.100.0") + number, 0) for number in range(600)]
    firewall.block(many)
    assert len(elements(here, "ip", "vips")) == 600
    firewall.unblock(many)
    assert elements(here, "ip", "vips") == []


def test_unblocking_what_is_not_blocked_is_no_error(ends: tuple[Node, Node, Firewall]) -> None:
    ends[2].unblock([(Address.parse("203.0.113.1"), 0)])


def test_a_vmac_is_entered_and_left(ends: tuple[Node, Node, Firewall]) -> None:
    here, _, firewall = ends
    here.ip("link add vrrp.51 link there type macvlan mode private")
    links = {link["ifname"]: link["ifindex"] for link in json.loads(here.run("ip", "-j", "link", "show"))}
    firewall.add_vmac(Family.INET, links["vrrp.51"], links["there"])
    assert elements(here, "ip", "vmac_map") == [["vrrp.51", "there"]]
    assert elements(here, "ip", "vmac_set") == ["vrrp.51"]
    firewall.remove_vmac(Family.INET, links["vrrp.51"], links["there"])
    assert elements(here, "ip", "vmac_map") == []


def test_without_a_layout_nothing_can_be_blocked() -> None:
    with pytest.raises(KernelError, match="not laid out"):
        Firewall("keepalived", -1, counters=True, reports=False).block([(Address.parse("192.0.2.1"), 0)])


def test_the_reason_of_nft_is_passed_on(ends: tuple[Node, Node, Firewall]) -> None:
    with ends[0].entered(), pytest.raises(KernelError, match="syntax error"):
        Firewall("not a name", -1, counters=False, reports=False).prepare([Family.INET])
