"""`system.neighbours` and `system.sysctl`: frames byte for byte as keepalived 2.2.7 sends them, and settings that come back.

The frames were captured with ``tcpdump -XX`` from keepalived 2.2.7 becoming master of 192.0.2.100 and fe80::100 (use_vmac).
"""

from pathlib import Path

import pytest

from examples.lab import Lab
from keepalived_py.addresses import Address
from keepalived_py.system.neighbours import NeighbourSocket, gratuitous_arp, neighbour_advert
from keepalived_py.system.sysctl import Borrowed, read, write

CAPTURED_ARP = bytes.fromhex("ffffffffffff8a7f1be75d8d080600010800060400018a7f1be75d8dc0000264ffffffffffffc0000264")
CAPTURED_ADVERT = bytes.fromhex(
    "33330000000100005e00023486dd600000000020"
    "3afffe80000000000000000000000000"
    "0100ff020000000000000000000000000001"
    "8800f76920000000fe80000000000000000000000000010002010000"
    "5e000234"
)


def test_a_gratuitous_arp_is_keepalived_s() -> None:
    assert gratuitous_arp(Address.parse("192.0.2.100"), CAPTURED_ARP[6:12]) == CAPTURED_ARP


def test_a_neighbour_advert_is_keepalived_s() -> None:
    assert neighbour_advert(Address.parse("fe80::100"), CAPTURED_ADVERT[6:12]) == CAPTURED_ADVERT


def test_a_router_says_so() -> None:
    advert = neighbour_advert(Address.parse("fe80::100"), CAPTURED_ADVERT[6:12], router=True)
    assert advert[58] == 0xA0


def test_settings_come_back(tmp_path: Path) -> None:
    (tmp_path / "ipv4").mkdir()
    write("ipv4/one", "0", tmp_path)
    write("ipv4/two", "7", tmp_path)
    borrowed = Borrowed(tmp_path)
    borrowed.set("ipv4/one", "1")
    borrowed.set("ipv4/one", "2")
    borrowed.set("ipv4/two", "7")
    assert (read("ipv4/one", tmp_path), borrowed.before("ipv4/one"), borrowed.before("ipv4/two")) == ("2", "0", None)
    borrowed.restore_all()
    assert (read("ipv4/one", tmp_path), read("ipv4/two", tmp_path)) == ("0", "7")


@pytest.mark.parametrize("name", ["../etc/passwd", "ipv4//x", "", "ipv4/./x"])
def test_names_do_not_leave_the_tree(name: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no name of a setting"):
        write(name, "1", tmp_path)


@pytest.mark.net
def test_neighbours_learn_the_new_place_of_an_address() -> None:
    """A host that knows the address at one MAC moves it to the announced one."""
    mac = bytes.fromhex("02005e000133")
    with Lab() as lab:
        here, there = lab.node("here"), lab.node("there")
        lab.link(here, there, ("192.0.2.1/24", "2001:db8::1/64"), ("192.0.2.2/24", "2001:db8::2/64"))
        there.ip(
            "neighbour replace 192.0.2.100 lladdr 02:00:00:00:00:09 dev here nud stale",
            "neighbour replace 2001:db8::100 lladdr 02:00:00:00:00:09 dev here nud stale",
        )
        with here.entered():
            socket = NeighbourSocket()
        for text in ("192.0.2.100", "2001:db8::100"):
            socket.announce(Address.parse(text), mac, "there")
        socket.close()
        shown = there.run("ip", "neighbour", "show")
        assert shown.count(mac.hex(":")) == 2, shown
