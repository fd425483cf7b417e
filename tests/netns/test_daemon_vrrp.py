"""VRRP in the whole daemon: two routers on one link, each our daemon, and everything that happens to them.

left (192.0.2.1, 2001:db8::1) ---- right (192.0.2.2, 2001:db8::2)

After each test both nodes must be as they were before it.
"""

import itertools
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from examples.lab import Lab, Node, Port
from tests.helpers.directors import alive, permissions
from tests.helpers.packets import ICMP, packed
from tests.helpers.routers import ROOT, Ear, Router, addresses_of, conf4, differences, instance, links_are_up, root, stopped, traces

VIP = "203.0.113.1/32"
OTHER = "203.0.113.2/32"
VIP6 = "2001:db8:1::1/128"
LINK_LOCAL = "fe80::51/64"
ARP = b"\x08\x06"
SILENCE = 0.3
"""Seconds without an advert, at an interval of 0.1, after which another router would take over (less its skew time)."""


@dataclass(frozen=True)
class Pair:
    """Two nodes and the cable between them."""

    left: Node
    right: Node
    cable: Port


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with Lab() as lab:
        left, right = lab.node("left"), lab.node("right")
        cable = lab.link(left, right, ("192.0.2.1/24", "2001:db8::1/64"), ("192.0.2.2/24", "2001:db8::2/64"))
        for node in (left, right):
            links_are_up(node)
        yield Pair(left, right, cable)


@pytest.fixture
def routers(pair: Pair, tmp_path: Path) -> Iterator[tuple[Router, Router]]:
    """Two routers that have not been started; afterwards nothing of them may be left."""
    before = traces(pair.left), traces(pair.right)
    left, right = Router(pair.left, tmp_path / "left"), Router(pair.right, tmp_path / "right")
    yield left, right
    for router in (left, right):
        stopped(router._daemon)
        assert "Traceback" not in router.log()
        assert not any(path.exists() for path in (router.pid_file, router.vrrp_pid_file, router.vrrp_record))
    for node, was in zip((pair.left, pair.right), before, strict=True):
        assert differences(was, traces(node)) == {}


@pytest.fixture
def ear(pair: Pair) -> Iterator[Ear]:
    """Hears what is on the cable, at the right end."""
    with Ear(pair.right, "left") as opened:
        yield opened


def both(routers: tuple[Router, Router], text: str = "", more: str = "", left: int = 200, right: int = 100) -> None:
    """Configure and start both with the same instance V, the left one first; it becomes master."""
    one, two = routers
    one.configure(ROOT + text + instance("V", "right", left, VIP, more=more))
    two.configure(ROOT + text + instance("V", "left", right, VIP, more=more))
    for router in routers:
        router.start()
    one.becomes("MASTER")
    two.becomes("BACKUP")


def alone(router: Router, *addresses: str, more: str = "", text: str = ROOT) -> None:
    """Configure and start one, and wait until it is master."""
    router.configure(text + instance("V", "right", 100, *(addresses or (VIP,)), more=more))
    router.start()
    router.becomes("MASTER")


# --- master and backup -----------------------------------------------------------------------------------------------------------

ROUTES = """\
 virtual_routes {
  198.51.100.0/24 via 192.0.2.2 dev right table 77
  203.0.113.64/26 via 192.0.2.2
 }
 virtual_rules {
  from 203.0.113.1 table 77 priority 700
 }
"""


def test_the_master_has_everything_and_the_backup_nothing(routers: tuple[Router, Router], ear: Ear) -> None:
    left, right = routers
    left.configure(ROOT + instance("V", "right", 200, VIP, more=ROUTES))
    right.configure(ROOT + instance("V", "left", 100, VIP))
    for router in routers:
        router.start()
    left.becomes("MASTER")
    right.becomes("BACKUP")
    left.until(lambda: left.has(VIP), "the address is there")
    assert "198.51.100.0/24 via 192.0.2.2 dev right" in left.node.run("ip", "route", "show", "table", "77")
    assert "203.0.113.64/26 via 192.0.2.2 dev right" in left.node.run("ip", "route")
    assert "from 203.0.113.1 lookup 77" in left.node.run("ip", "rule")
    assert not right.has(VIP)
    assert permissions(left.vrrp_pid_file) == 0o644
    assert Path(f"/proc/{left.vrrp}/stat").read_text().split()[3] == str(left.daemon.pid)
    ear.forget()
    assert {(one.source, one.target, one.ttl, one.priority) for one in ear.wait(3, 51)} == {("192.0.2.1", "224.0.0.18", 255, 200)}
    assert left.states() == ["BACKUP", "MASTER"]


def test_a_master_that_stops_says_so_and_the_other_takes_over_at_once(routers: tuple[Router, Router], ear: Ear) -> None:
    both(routers)
    left, right = routers
    assert left.daemon.stop() == 0
    right.becomes("MASTER")
    right.until(lambda: right.has(VIP), "the address is there")
    assert not left.has(VIP)
    zero = ear.of(51, 0)
    assert len(zero) == 1
    first = next(one for one in ear.of(51, 100) if one.at > zero[0].at)
    skew = (256 - 100) / 256 * 0.1
    assert skew - 0.005 < first.at - zero[0].at < SILENCE
    assert left.log().count("Stopping\n") == 1
    left.start()  # and takes over again
    left.becomes("MASTER")
    right.becomes("BACKUP")
    right.until(lambda: not right.has(VIP), "the address is gone")


def test_a_master_that_is_silent_is_replaced(routers: tuple[Router, Router]) -> None:
    both(routers)
    left, right = routers
    for pid in (left.daemon.pid, left.vrrp):
        os.kill(pid, signal.SIGSTOP)
    right.becomes("MASTER")
    for pid in (left.daemon.pid, left.vrrp):
        os.kill(pid, signal.SIGCONT)
    # What it has slept through is no silence of the other: it gives up without a word, and preempts again.
    left.until(lambda: "this process did not run" in left.log(), "it notices")
    right.becomes("BACKUP")
    left.becomes("MASTER")


# --- processes that die ----------------------------------------------------------------------------------------------------------


def test_a_killed_process_is_replaced_and_takes_up_what_was_left(routers: tuple[Router, Router]) -> None:
    left, _ = routers
    left.configure(ROOT + instance("V", "right", 200, VIP, more=ROUTES + " use_vmac"))
    left.start()
    left.becomes("MASTER")
    left.until(lambda: left.has(VIP) and "lookup 77" in left.node.run("ip", "rule"), "all is there")
    mark = left.daemon.mark()
    victim = left.kill_vrrp()
    left.until(lambda: left.vrrp not in (0, victim), "the process is back")
    left.becomes("MASTER", since=mark)
    assert "an earlier run left behind" in left.daemon.text(mark)
    left.until(lambda: left.has(VIP) and "lookup 77" in left.node.run("ip", "rule"), "all is there again")
    assert left.node.run("ip", "-o", "link", "show", "type", "macvlan").count("\n") == 1
    assert left.daemon.status is None


def test_after_everything_was_killed_a_new_start_cleans_up(routers: tuple[Router, Router]) -> None:
    left, _ = routers
    before = addresses_of(left.node)
    alone(left, VIP, OTHER, more=ROUTES + " use_vmac")
    left.until(lambda: left.has(VIP, OTHER) and "lookup 77" in left.node.run("ip", "rule"), "all is there")
    child = left.vrrp
    left.daemon.signal(signal.SIGSTOP)  # so that it cannot replace its child
    os.kill(child, signal.SIGKILL)
    left.daemon.kill()
    left.until(lambda: not alive(child), "all are gone")
    assert left.has(VIP, OTHER)
    left.configure(ROOT + instance("V", "right", 100, "203.0.113.9/32"))
    left.start()
    left.becomes("MASTER")
    left.until(lambda: left.has("203.0.113.9/32"), "the new address is there")
    assert addresses_of(left.node) - before == {"203.0.113.9/32"}
    assert "lookup 77" not in left.node.run("ip", "rule")
    assert left.node.run("ip", "route", "show", "table", "all").count("table 77") == 0
    assert left.node.run("ip", "-o", "link", "show", "type", "macvlan") == ""


def test_when_the_parent_is_killed_the_child_ends_orderly(routers: tuple[Router, Router]) -> None:
    left, _ = routers
    alone(left)
    child = left.vrrp
    left.daemon.kill()
    left.until(lambda: not alive(child), "the child is gone")
    assert not left.has(VIP)
    left.pid_file.unlink()  # nobody is left who could


# --- what is tracked -------------------------------------------------------------------------------------------------------------


def test_a_cable_that_is_pulled_and_plugged_in(routers: tuple[Router, Router], pair: Pair) -> None:
    left, right = routers
    both(routers)
    mark = left.daemon.mark()
    pair.cable.down()
    try:
        left.becomes("FAULT", since=mark)
        left.until(lambda: not left.has(VIP), "the address is gone")
    finally:
        pair.cable.up()
        pair.left.ip("address replace 2001:db8::1/64 dev right nodad")  # the kernel drops it with the link
        for node in (pair.left, pair.right):
            links_are_up(node)
    left.becomes("MASTER", since=mark)
    right.becomes("BACKUP")
    assert left.states(since=mark) == ["FAULT", "BACKUP", "MASTER"]


def script(path: Path, weight: str = "") -> str:
    return f"""\
vrrp_script check {{
 script "/usr/bin/test -e {path}"
 interval 1
 rise 1
 fall 1
 {weight}
}}
"""


def test_a_script_that_fails_is_a_fault(routers: tuple[Router, Router], tmp_path: Path) -> None:
    left, _ = routers
    (tmp_path / "fine").touch()
    alone(left, text=ROOT + script(tmp_path / "fine"), more="track_script {\n check\n }")
    (tmp_path / "fine").unlink()
    left.becomes("FAULT")
    left.until(lambda: not left.has(VIP), "the address is gone")
    (tmp_path / "fine").touch()
    left.becomes("MASTER")
    assert "Script `check` now returning 1" in left.log()
    assert "VRRP_Script(check) failed" in left.log()
    assert "VRRP_Script(check) succeeded" in left.log()


def test_a_script_with_a_weight_hands_over(routers: tuple[Router, Router], tmp_path: Path, ear: Ear) -> None:
    left, right = routers
    (tmp_path / "fine").touch()
    tracked = script(tmp_path / "fine", "weight -150")
    left.configure(ROOT + tracked + instance("V", "right", 200, VIP, more="track_script {\n check\n }"))
    right.configure(ROOT + instance("V", "left", 100, VIP))
    for router in routers:
        router.start()
    left.becomes("MASTER")
    (tmp_path / "fine").unlink()
    right.becomes("MASTER")
    left.becomes("BACKUP")
    assert "(V) Changing effective priority from 200 to 50" in left.log()
    (tmp_path / "fine").touch()
    left.becomes("MASTER")
    right.becomes("BACKUP")
    assert "FAULT" not in left.states()


def test_a_file_with_a_weight(routers: tuple[Router, Router], tmp_path: Path, ear: Ear) -> None:
    left, _ = routers
    path = tmp_path / "number"
    path.write_text("10")
    tracked = f"track_file number {{\n file {path}\n weight 2\n}}\n"
    alone(left, text=ROOT + tracked, more="track_file {\n number\n }")
    ear.wait(1, 51, 120)
    path.write_text("-20")
    ear.wait(1, 51, 60)
    path.unlink()
    ear.wait(1, 51, 100)
    assert left.states() == ["BACKUP", "MASTER"]


def test_an_address_that_somebody_removes_comes_back(routers: tuple[Router, Router]) -> None:
    left, _ = routers
    alone(left)
    left.until(lambda: left.has(VIP), "the address is there")
    left.node.run("ip", "address", "delete", VIP, "dev", "right")
    left.until(lambda: left.has(VIP), "the address is back")
    left.becomes("MASTER")


# --- groups, VMACs, IPv6 ---------------------------------------------------------------------------------------------------------


def test_a_group_of_both_families_moves_as_one(routers: tuple[Router, Router], tmp_path: Path) -> None:
    left, right = routers
    path = tmp_path / "number"
    path.write_text("0")
    tracked = f"track_file number {{\n file {path}\n weight 1\n}}\n"
    group = "vrrp_sync_group G {\n group {\n V\n V6\n }\n}\n"
    for router, interface, priority, more in (
        (left, "right", 200, "track_file {\n number weight 0\n }"),
        (right, "left", 100, ""),
    ):
        four = instance("V", interface, priority, VIP, more=more)
        six = instance("V6", interface, priority, LINK_LOCAL, VIP6, vrid=52)
        router.configure(ROOT + tracked + group + four + six)
        router.start()
    for name in ("V", "V6"):
        left.becomes("MASTER", name)
        right.becomes("BACKUP", name)
    left.until(lambda: left.has(VIP, VIP6, LINK_LOCAL), "all addresses are there")
    path.write_text("-254")
    for name in ("V", "V6"):
        left.becomes("FAULT", name)
        right.becomes("MASTER", name)
    right.until(lambda: right.has(VIP, VIP6, LINK_LOCAL), "all addresses have moved")
    assert not addresses_of(left.node) & {VIP, VIP6, LINK_LOCAL}
    path.write_text("0")
    for name in ("V", "V6"):
        left.becomes("MASTER", name)
        right.becomes("BACKUP", name)


def test_a_virtual_mac(routers: tuple[Router, Router], ear: Ear) -> None:
    left, right = routers
    more = "use_vmac vrrp.51\n vmac_xmit_base"
    left.configure(ROOT + instance("V", "right", 100, "192.0.2.100/24", more="use_vmac vrrp.51"))
    left.start()
    left.becomes("MASTER")
    shown = left.node.run("ip", "-d", "link", "show", "vrrp.51")
    assert "00:00:5e:00:01:33" in shown
    assert "macvlan mode private" in shown
    left.until(lambda: left.has("192.0.2.100/24"), "the address is there")
    ear.forget()
    assert {one.mac for one in ear.wait(3, 51)} == {"00:00:5e:00:01:33"}
    right.node.run("ip", "neighbour", "flush", "to", "192.0.2.100")
    right.node.run("ping", "-c1", "-W5", "192.0.2.100")
    ear.listen()
    virtual = bytes.fromhex("00005e000133")
    answers = [
        frame[6:12] for frame in ear.frames if frame[12:14] == ARP and frame[21] == 2 and frame[28:32] == packed("192.0.2.100")
    ]
    assert answers == [virtual]
    assert any(frame[:6] == virtual and frame[23] == ICMP for frame in ear.frames)
    assert conf4(left.node, "right", "arp_ignore") == "1"
    left.configure(ROOT + instance("V", "right", 100, "192.0.2.100/24", more=more))
    left.reload()
    ear.forget()
    assert {one.mac for one in ear.wait(3, 51)} != {"00:00:5e:00:01:33"}
    assert left.daemon.stop() == 0
    right.node.run("ip", "neighbour", "flush", "to", "192.0.2.100")


def test_a_virtual_mac_for_ipv6(routers: tuple[Router, Router], ear: Ear) -> None:
    left, right = routers
    left.configure(ROOT + instance("V", "right", 100, LINK_LOCAL, "2001:db8::100/64", more="use_vmac"))
    left.start()
    left.becomes("MASTER")
    assert "00:00:5e:00:02:33" in left.node.run("ip", "link", "show", "vrrp.51")
    ear.forget()
    sent = ear.wait(3, 51)
    assert {one.mac for one in sent} == {"00:00:5e:00:02:33"}
    assert len({one.source for one in sent}) == 1 and sent[0].source.startswith("fe80::")
    left.until(lambda: left.has("2001:db8::100/64"), "the address is there")
    right.node.run("ping", "-6", "-c1", "-W5", "2001:db8::100")
    ear.listen()
    assert any(frame[:6] == bytes.fromhex("00005e000233") for frame in ear.frames)
    right.node.run("ip", "neighbour", "flush", "to", "2001:db8::100")


def test_a_virtual_mac_that_somebody_removes_comes_back(routers: tuple[Router, Router]) -> None:
    left, _ = routers
    alone(left, more="use_vmac vrrp.51")
    left.until(lambda: left.has(VIP), "the address is there")
    mark = left.daemon.mark()
    left.node.run("ip", "link", "delete", "vrrp.51")
    left.becomes("MASTER", since=mark)
    left.until(lambda: VIP in left.node.run("ip", "-o", "address", "show", "dev", "vrrp.51"), "it is on the new one")
    assert left.states(since=mark)[0] == "FAULT"


def test_an_interface_that_comes_and_goes(routers: tuple[Router, Router], pair: Pair) -> None:
    left, _ = routers
    left.configure(root("dynamic_interfaces") + instance("V", "late", 100, VIP))
    left.start()
    left.becomes("FAULT")
    for _ in range(2):
        mark = left.daemon.mark()
        pair.left.ip("link add late type veth peer name peer", "link set peer up", "link set late up")
        pair.left.ip("address add 198.51.100.1/24 dev late")
        left.becomes("MASTER", since=mark)
        left.until(lambda: left.has(VIP), "the address is there")
        mark = left.daemon.mark()
        with Ear(pair.left, "late") as ear:
            ear.wait(3, 51)
        pair.left.ip("link delete late")
        left.becomes("FAULT", since=mark)
    assert left.daemon.stop() == 0


def test_static_addresses_and_routes(routers: tuple[Router, Router]) -> None:
    left, _ = routers
    static = """\
static_ipaddress {
 203.0.113.20/32 dev right
}
static_routes {
 198.51.100.0/24 via 192.0.2.2 dev right
}
static_rules {
 from 203.0.113.20 table 77 priority 701
}
"""
    left.configure(ROOT + static + instance("V", "right", 100, VIP))
    left.start()
    left.until(lambda: left.has("203.0.113.20/32"), "the address is there")
    assert "198.51.100.0/24 via 192.0.2.2" in left.node.run("ip", "route")
    assert "from 203.0.113.20 lookup 77" in left.node.run("ip", "rule")
    left.configure(ROOT + instance("V", "right", 100, VIP))
    left.reload()
    left.until(lambda: not left.has("203.0.113.20/32"), "the address is gone")
    assert "198.51.100.0/24" not in left.node.run("ip", "route")


def test_addresses_that_are_not_accepted(routers: tuple[Router, Router]) -> None:
    left, right = routers
    alone(left, "192.0.2.100/32", more="no_accept")
    left.until(lambda: left.has("192.0.2.100/32"), "the address is there")
    assert right.node.call("ping", "-c1", "-W1", "192.0.2.100").returncode == 1
    left.configure(ROOT + instance("V", "right", 100, "192.0.2.100/32", more="accept"))
    left.reload()
    right.node.run("ping", "-c1", "-W5", "192.0.2.100")
    right.node.run("ip", "neighbour", "flush", "to", "192.0.2.100")


def test_an_address_of_somebody_else_stays(routers: tuple[Router, Router], pair: Pair) -> None:
    left, _ = routers
    pair.left.address("right", VIP)
    try:
        alone(left, VIP, OTHER)
        left.until(lambda: left.has(OTHER), "the address is there")
        assert left.daemon.stop() == 0
        assert left.has(VIP) and not left.has(OTHER)
    finally:
        pair.left.run("ip", "address", "delete", VIP, "dev", "right")


# --- what is told ----------------------------------------------------------------------------------------------------------------


def test_scripts_and_the_fifo_are_told_in_order(routers: tuple[Router, Router], tmp_path: Path) -> None:
    left, right = routers
    told, fifo = tmp_path / "told", tmp_path / "fifo"
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\necho "$*" >> {told}\n')
    program.chmod(0o755)
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    more = "".join(f" notify_{word} '{program} {word}'\n" for word in ("master", "backup", "fault", "stop"))
    more = more.replace("'", '"') + f' notify "{program}"\n'
    left.configure(root(f"vrrp_notify_fifo {fifo}") + instance("V", "right", 200, VIP, more=more))
    left.start()
    left.becomes("MASTER")
    right.configure(ROOT + instance("V", "left", 250, VIP))
    right.start()
    left.becomes("BACKUP")
    left.until(lambda: told.exists() and told.read_text().count("\n") == 6, "all scripts have run")
    assert left.daemon.stop() == 0
    lines = told.read_text().splitlines()
    assert sorted(lines[-2:]) == ["INSTANCE V STOP 200", "stop"]
    # Two programs that are started together may write in either order, but no pair before the other.
    assert [set(lines[at : at + 2]) for at in (0, 2, 4)] == [
        {"backup", "INSTANCE V BACKUP 200"},
        {"master", "INSTANCE V MASTER 200"},
        {"backup", "INSTANCE V BACKUP 200"},
    ]
    assert os.read(reader, 4096).decode().splitlines() == [
        f'INSTANCE "V" {word} 200' for word in ("BACKUP", "MASTER", "BACKUP", "STOP")
    ]
    os.close(reader)


# --- reload ----------------------------------------------------------------------------------------------------------------------


def largest_gap(ear: Ear, vrid: int) -> float:
    """Return the longest silence of a virtual router, in seconds."""
    times = [one.at for one in ear.of(vrid)]
    return max(after - before for before, after in itertools.pairwise(times))


def test_a_reload_changes_what_is_different_and_nothing_else(routers: tuple[Router, Router], ear: Ear) -> None:
    left, _ = routers
    kept = instance("KEPT", "right", 150, "203.0.113.50/32", vrid=60)
    left.configure(ROOT + kept + instance("V", "right", 100, VIP, OTHER) + instance("OLD", "right", 100, "203.0.113.3/32", vrid=53))
    left.start()
    for name in ("KEPT", "V", "OLD"):
        left.becomes("MASTER", name)
    ear.wait(3, 60)
    ear.forget()
    mark = left.daemon.mark()
    child = left.vrrp
    changed = instance("V", "right", 120, VIP, "203.0.113.4/32", more="virtual_routes {\n 198.51.100.0/24 via 192.0.2.2\n }")
    left.configure(ROOT + kept + changed + instance("NEW", "right", 100, "203.0.113.5/32", vrid=54))
    left.reload()
    left.expect("Reload complete$", mark)
    left.becomes("MASTER", "NEW")
    wanted = ("203.0.113.50/32", VIP, "203.0.113.4/32", "203.0.113.5/32")
    left.until(lambda: left.has(*wanted), "the new addresses are there")
    assert not addresses_of(left.node) & {OTHER, "203.0.113.3/32"}
    assert "198.51.100.0/24" in left.node.run("ip", "route")
    ear.wait(1, 51, 120)
    zeros = [(one.vrid, one.priority) for one in ear.listen() if one.priority == 0]
    assert zeros == [(53, 0)]
    count = len(ear.of(60))
    ear.wait(count + 5, 60)
    assert {one.priority for one in ear.of(60)} == {150}
    assert largest_gap(ear, 60) < SILENCE
    assert largest_gap(ear, 51) < SILENCE
    assert left.states("KEPT", mark) == left.states("V", mark) == []
    assert left.vrrp == child


def test_a_refused_reload_changes_nothing(routers: tuple[Router, Router], ear: Ear) -> None:
    left, _ = routers
    alone(left)
    ear.wait(3, 51)
    mark = left.daemon.mark()
    left.configure(ROOT + "vrrp_instance V {\n interface right\n virtual_router_id\n}\n")
    assert "Reload refused" in left.reload()
    assert left.log().count("complete\n") == 1
    ear.wait(len(ear.of(51)) + 5, 51)
    assert left.has(VIP)
    assert largest_gap(ear, 51) < SILENCE
    assert left.states(since=mark) == []


def test_a_vmac_that_is_turned_on_and_off_by_reloads(routers: tuple[Router, Router]) -> None:
    left, _ = routers
    alone(left)
    left.configure(ROOT + instance("V", "right", 100, VIP, more="use_vmac vrrp.51"))
    mark = left.daemon.mark()
    left.reload()
    left.becomes("MASTER")
    left.until(lambda: VIP in left.node.run("ip", "-o", "address", "show", "dev", "vrrp.51"), "it is on the VMAC")
    assert VIP not in left.node.run("ip", "-o", "address", "show", "dev", "right")
    left.configure(ROOT + instance("V", "right", 100, VIP))
    left.reload()
    left.becomes("MASTER")
    left.until(lambda: VIP in left.node.run("ip", "-o", "address", "show", "dev", "right"), "it is on the interface")
    assert "vrrp.51" not in left.node.run("ip", "-o", "link")
    assert "died" not in left.daemon.text(mark)


def test_the_process_ends_and_comes_with_its_instances(routers: tuple[Router, Router]) -> None:
    left, _ = routers
    left.configure(ROOT)
    left.start()
    assert left.vrrp == 0
    left.configure(ROOT + instance("V", "right", 100, VIP))
    left.reload()
    left.becomes("MASTER")
    left.until(lambda: left.has(VIP), "the address is there")
    victim = left.vrrp
    left.configure(ROOT)
    left.reload(carried_out=False)
    left.until(lambda: not alive(victim), "the process has ended")
    assert not left.has(VIP)
    assert "died" not in left.log()
    assert left.daemon.status is None


# --- options ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["-V", "--dont-release-vrrp"])
def test_addresses_stay_when_told_so_and_are_taken_up_again(routers: tuple[Router, Router], option: str, ear: Ear) -> None:
    left, _ = routers
    left.configure(ROOT + instance("V", "right", 100, VIP, more=ROUTES + " use_vmac vrrp.51"))
    left.start(option)
    left.becomes("MASTER")
    left.until(lambda: left.has(VIP), "the address is there")
    ear.forget()
    assert left.daemon.stop() == 0
    assert left.has(VIP)
    assert "lookup 77" in left.node.run("ip", "rule")
    assert ear.of(51, 0) == []
    assert conf4(left.node, "right", "arp_ignore") == "1"  # the VMAC is still there, and the interface below must not answer for it
    left.start()
    left.becomes("MASTER")
    assert left.daemon.stop() == 0
    assert not left.has(VIP)


SERVER = """\
virtual_server 203.0.113.1 80 {
 delay_loop 1
 lb_algo rr
 lb_kind NAT
 protocol TCP
 real_server 192.0.2.1 80 {
  weight 1
 }
}
"""


@pytest.mark.parametrize(("options", "vrrp", "checker"), [((), True, True), (("-C",), False, True), (("-P",), True, False)])
def test_which_processes_run(routers: tuple[Router, Router], options: tuple[str, ...], vrrp: bool, checker: bool) -> None:
    left, _ = routers
    left.configure(ROOT + SERVER + instance("V", "right", 100, VIP))
    left.start(*options)
    left.until(lambda: (left.vrrp != 0, left.checker != 0) == (vrrp, checker), "the right processes run")
    if vrrp:
        left.becomes("MASTER")
    assert bool(re.search(r"Starting VRRP child process", left.log())) == vrrp
