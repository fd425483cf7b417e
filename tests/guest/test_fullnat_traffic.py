"""Real connections through FULLNAT: offloads, path MTU, persistence, thresholds, other users of the host.

Numbers are those of kmod/tests/README.md.
"""

import errno
import itertools
import re
import socket
from collections import Counter as Tally
from collections.abc import Iterator

import pytest

from examples.lab import eventually, fetch
from examples.lab.campus import (
    CAMPUS_VIPS,
    CAMPUS_VIPS6,
    CLIENT,
    CLIENT6,
    LOCALS,
    LOCALS6,
    WEB1,
    WEB1_6,
    WEB2,
    WEB2_6,
    Campus,
)
from examples.lab.lab import Node
from keepalived_py.addresses import Family
from keepalived_py.config.lvs import ForwardingMethod, FwmarkTarget
from keepalived_py.ipvs.operations import NewDestination, NewService, SetService
from keepalived_py.ipvs.table import Service
from tests.helpers.fullnat import Fullnat, destination, key
from tests.helpers.offload import set_offloads
from tests.helpers.packets import ICMP, ICMPV6, Capture
from tests.helpers.streams import Listener, connect, transfer

OUR_MODULE = True

VIP, VIP6 = CAMPUS_VIPS[0], CAMPUS_VIPS6[0]
SHOP = f"tcp {VIP}:80"
ON = {"rx": True, "tx": True, "sg": True, "tso": True, "gso": True}


def ends(campus: Campus) -> list[tuple[Node, str]]:
    chain = [campus.client, campus.edge, campus.director, campus.core, campus.web1]
    return [end for left, right in itertools.pairwise(chain) for end in ((left, right.name), (right, left.name))]


@pytest.fixture
def offloads(campus: Campus) -> Iterator[None]:
    """They are put back after the test."""
    yield
    set_offloads(ends(campus), {**ON, "gro": False})


CONFIGURATIONS = {
    "default": (None, None),
    "no segmentation": ({"tso": False, "gso": False}, None),
    "no checksums": ({"rx": False, "tx": False, "sg": False, "tso": False, "gso": False}, None),
    "no checksums but gro": ({"rx": False, "tx": False, "sg": False, "tso": False, "gso": False, "gro": True}, None),
    "only at the ends": ({"rx": False, "tx": False, "sg": False, "tso": False, "gso": False}, ON),
    "everything": ({**ON, "gro": True}, None),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_t65_every_byte_arrives_whatever_is_offloaded(campus: Campus, control: Fullnat, offloads: None, name: str) -> None:
    everywhere, at_ends = CONFIGURATIONS[name]
    if everywhere is not None:
        set_offloads(ends(campus), everywhere)
    if at_ends is not None:
        set_offloads([(campus.client, "edge"), (campus.web1, "core")], at_ends)
    for vip, web, locals_ in ((VIP, WEB1, LOCALS), (VIP6, WEB1_6, LOCALS6)):
        pair = "[{}]:{}" if ":" in vip else "{}:{}"
        control.service(f"tcp {pair.format(vip, 7000)}", pair.format(web, 7000), locals_=locals_[:2])
        with Listener(campus.web1, web, 7000) as listener:
            for size in (1, 1460, 20_000, 1_000_000):
                with connect(campus.client, vip, 7000) as client:
                    server, peer = listener.accept()
                    with server:
                        assert peer in locals_[:2]
                        transfer(client, server, size)
                        transfer(server, client, size, seed=2)
                        transfer(client, server, size, seed=3)


@pytest.mark.parametrize("vip", [VIP, VIP6], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("where", ["servers", "clients"])
def test_t66_a_narrow_link_is_found_out_with_few_messages(campus: Campus, control: Fullnat, vip: str, where: str) -> None:
    v6 = ":" in vip
    web, pair = (WEB1_6, "[{}]:{}") if v6 else (WEB1, "{}:{}")
    control.service(f"tcp {pair.format(vip, 7001)}", pair.format(web, 7001), locals_=(LOCALS6 if v6 else LOCALS)[:1])
    hop = campus.core if where == "servers" else campus.edge
    end = web if where == "servers" else CLIENT6 if v6 else CLIENT
    target, device = f"{end}/{128 if v6 else 32}", "web1" if where == "servers" else "client"
    # The ends know their own links, so the narrow one is a route between two others.
    hop.run("ip", "route", "add", target, "dev", device, "mtu", "lock", "1400")
    try:
        with Capture(campus.client if where == "servers" else campus.web1, "edge" if where == "servers" else "core") as wire:
            with Listener(campus.web1, web, 7001) as listener, connect(campus.client, vip, 7001) as client:
                server, _ = listener.accept()
                with server:
                    transfer(client, server, 400_000)
                    transfer(server, client, 400_000)
            errors = [it for it in wire.all() if it.protocol in (ICMP, ICMPV6) and it.inner is not None]
        # One for each segment that was under way when the first came back, at most.
        assert 1 <= len(errors) <= 12, len(errors)
        assert {it.rest & 0xFFFF for it in errors} == {1400 - (20 if v6 else 8) if where == "servers" else 1400}
    finally:
        hop.run("ip", "route", "del", target, "dev", device)
        for node in (campus.client, campus.web1):
            node.run("ip", "-6" if v6 else "-4", "route", "flush", "cache")


def test_t67_a_refused_connection_is_refused_for_the_client(campus: Campus, control: Fullnat) -> None:
    control.service(f"tcp {VIP}:7002", f"{WEB1}:7002", locals_=LOCALS[:1])
    with pytest.raises(ConnectionRefusedError):
        connect(campus.client, VIP, 7002)


def test_t68_an_unreachable_server_is_unreachable_for_the_client(campus: Campus, control: Fullnat) -> None:
    control.service(f"tcp {VIP}:7003", "192.0.2.200:7003", locals_=LOCALS[:1])
    campus.core.run("ip", "route", "add", "unreachable", "192.0.2.200/32")
    try:
        with pytest.raises(OSError, match="No route to host") as failure:
            connect(campus.client, VIP, 7003)
        assert failure.value.errno == errno.EHOSTUNREACH
    finally:
        campus.core.run("ip", "route", "del", "192.0.2.200/32")


def test_t70_no_packet_with_a_clients_address_reaches_the_servers(campus: Campus, control: Fullnat) -> None:
    assert campus.director.sysctl("net.ipv4.ip_forward") == "0"
    assert campus.director.sysctl("net.ipv6.conf.all.forwarding") == "0"
    control.service(SHOP, f"{WEB1}:80", f"{WEB2}:80", locals_=LOCALS)
    control.service(f"tcp [{VIP6}]:80", f"[{WEB1_6}]:80", f"[{WEB2_6}]:80", locals_=LOCALS6)
    with Capture(campus.director, "core") as inside:
        for url in (f"http://{VIP}/", f"http://[{VIP6}]/"):
            for _ in range(4):
                assert fetch(campus.client, url).status == 200
        seen = inside.all()
    assert seen
    assert {CLIENT, CLIENT6, VIP, VIP6} & {address for packet in seen for address in (packet.source, packet.target)} == set()


def test_t71_sessions_are_spread_over_servers_and_local_addresses(campus: Campus, control: Fullnat) -> None:
    control.service(SHOP, f"{WEB1}:80", f"{WEB2}:80", locals_=LOCALS[:3])
    replies = [fetch(campus.client, f"http://{VIP}/") for _ in range(12)]
    assert Tally(reply.server for reply in replies) == {"web1": 6, "web2": 6}
    assert Tally(reply.peer.split(":")[0] for reply in replies) == dict.fromkeys(LOCALS[:3], 4)
    assert [each.allocations for each in control.local_addresses(SHOP)] == [4, 4, 4]


def test_t72_a_persistent_client_stays_at_its_server(campus: Campus, control: Fullnat) -> None:
    control.service(SHOP, f"{WEB1}:80", f"{WEB2}:80", locals_=LOCALS[:2], persistence=300)
    replies = [fetch(campus.client, f"http://{VIP}/") for _ in range(6)]
    assert len({reply.server for reply in replies}) == 1
    assert len({reply.peer.split(":")[0] for reply in replies}) == 2, "local addresses take turns all the same"
    shown = campus.director.run("ipvsadm", "-Lnc")
    assert re.search(rf"{CLIENT}:0 +{VIP}:80", shown), "the template is there"


def test_t73_a_server_at_its_threshold_gets_no_more(campus: Campus, control: Fullnat) -> None:
    control.service(f"tcp {VIP}:7004", f"{WEB1}:7004", f"{WEB2}:7004", locals_=LOCALS[:2], scheduler="wlc")
    control.set_destination(f"tcp {VIP}:7004", f"{WEB1}:7004", weight=100, uthreshold=2, lthreshold=1)
    with Listener(campus.web1, WEB1, 7004), Listener(campus.web2, WEB2, 7004) as second:
        clients = [connect(campus.client, VIP, 7004) for _ in range(5)]
        for _ in range(3):
            second.accept()[0].close()
        for client in clients:
            client.close()


def test_t74_a_session_outlives_edits_of_its_service_and_its_local_address(campus: Campus, control: Fullnat) -> None:
    service = f"tcp {VIP}:7005"
    control.service(service, f"{WEB1}:7005", locals_=LOCALS[:1])
    with Listener(campus.web1, WEB1, 7005) as listener, connect(campus.client, VIP, 7005) as client:
        server, peer = listener.accept()
        with server:
            transfer(client, server, 1000)
            control.apply(SetService(Service(key(service), "wlc", 32)))
            control.add(service, LOCALS[1])
            control.delete(service, LOCALS[0])
            transfer(server, client, 1000)
            control.set_destination(service, f"{WEB1}:7005", weight=0)
            transfer(client, server, 1000)
            control.set_destination(service, f"{WEB1}:7005", weight=7)
            with connect(campus.client, VIP, 7005) as other:
                fresh, another = listener.accept()
                with fresh:
                    assert (peer, another) == (LOCALS[0], LOCALS[1])
                    transfer(other, fresh, 1000)
            transfer(server, client, 1000)


def test_t75_a_session_goes_on_when_its_server_comes_back(campus: Campus, control: Fullnat) -> None:
    service = f"tcp {VIP}:7006"
    control.service(service, f"{WEB1}:7006", locals_=LOCALS[:1])
    with Listener(campus.web1, WEB1, 7006) as listener, connect(campus.client, VIP, 7006) as client:
        server, _ = listener.accept()
        with server:
            control.del_destination(service, f"{WEB1}:7006")
            client.sendall(b"lost for now")
            server.settimeout(1.0)
            with pytest.raises(TimeoutError):
                server.recv(100)
            control.apply(NewDestination(key(service), destination(f"{WEB1}:7006")))
            server.settimeout(30.0)
            assert server.recv(100) == b"lost for now"
            transfer(server, client, 1000)


def test_t76_a_client_on_the_director_itself(campus: Campus, control: Fullnat) -> None:
    control.service(SHOP, f"{WEB1}:80", locals_=LOCALS[:1])
    control.service(f"tcp [{VIP6}]:80", f"[{WEB1_6}]:80", locals_=LOCALS6[:1])
    assert fetch(campus.director, f"http://{VIP}/").peer.startswith(f"{LOCALS[0]}:")
    assert fetch(campus.director, f"http://[{VIP6}]/").peer.startswith(f"[{LOCALS6[0]}]:")


def test_t77_connection_tracking_on_the_director_is_no_obstacle(campus: Campus, control: Fullnat) -> None:
    rules = """
        table inet t {
            chain in { type filter hook input priority 0; ct state established,related,new,untracked counter accept; }
            chain out { type filter hook output priority 0; ct state invalid counter drop; }
        }"""
    control.service(f"tcp {VIP}:7007", f"{WEB1}:7007", locals_=LOCALS[:1])
    control.service(f"udp {VIP}:7007", f"{WEB1}:7007", locals_=LOCALS[:1])
    campus.director.run("nft", "-f", "-", text=rules)
    try:
        for conntrack in (0, 1):
            campus.director.sysctl("net.ipv4.vs.conntrack", conntrack)
            with Listener(campus.web1, WEB1, 7007) as listener, connect(campus.client, VIP, 7007) as client:
                server, _ = listener.accept()
                with server:
                    transfer(client, server, 50_000)
                    transfer(server, client, 50_000)
    finally:
        campus.director.sysctl("net.ipv4.vs.conntrack", 0)
        campus.director.run("nft", "delete", "table", "inet", "t")


def test_t78_a_service_by_firewall_mark(campus: Campus, control: Fullnat) -> None:
    match = f"ip daddr {VIP} tcp dport 80 meta mark set 7;"
    rules = f"table ip m {{ chain pre {{ type filter hook prerouting priority -150; {match} }}; }}"
    campus.director.run("nft", "-f", "-", text=rules)
    try:
        mark = FwmarkTarget(7, Family.INET)
        control.apply(NewService(Service(mark, "rr", 32)), NewDestination(mark, destination(f"{WEB1}:80")))
        control.add(mark, LOCALS[4])
        assert fetch(campus.client, f"http://{VIP}/").peer.startswith(f"{LOCALS[4]}:")
        assert [each.sessions for each in control.local_addresses(mark)] == [1]
    finally:
        campus.director.run("nft", "delete", "table", "ip", "m")


def test_t79_stock_ipvsadm_shows_services_sessions_and_counters(campus: Campus, control: Fullnat) -> None:
    service = f"tcp {VIP}:7009"
    control.service(service, f"{WEB1}:7009", locals_=LOCALS[:1])
    with Listener(campus.web1, WEB1, 7009) as listener, connect(campus.client, VIP, 7009) as client:
        server, _ = listener.accept()
        with server:
            transfer(client, server, 10_000)
            transfer(server, client, 20_000)
            source = client.getsockname()[1]
            table = campus.director.run("ipvsadm", "-Ln", "-t", f"{VIP}:7009")
            assert re.search(rf"-> {WEB1}:7009 +\S+ +1 +1 +0", table), table
            sessions = campus.director.run("ipvsadm", "-Lnc")
            assert re.search(rf"TCP +1[45]:\d\d +ESTABLISHED +{CLIENT}:{source} +{VIP}:7009 +{WEB1}:7009", sessions), sessions
            # The kernel sums the counters of its CPUs up every two seconds.
            eventually(lambda: _counters(campus)[0] == 1 and _counters(campus)[4] > 20_000, "the counters are there")
            _, packets_in, packets_out, bytes_in, bytes_out = _counters(campus)
            assert packets_in > 3
            assert packets_out > 3
            assert 10_000 < bytes_in < 20_000
            assert 20_000 < bytes_out < 30_000
    eventually(lambda: re.search(rf"-> {WEB1}:7009 +\S+ +1 +0 +1", campus.director.run("ipvsadm", "-Ln")), "it is inactive")


def _counters(campus: Campus) -> list[int]:
    text = campus.director.run("ipvsadm", "-Ln", "--stats", "--exact", "-t", f"{VIP}:7009")
    found = re.search(rf"TCP +{VIP}:7009 +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)", text)
    assert found, text
    return [int(number) for number in found.groups()]


def test_t80_ipvsadm_can_zero_and_save_around_it(campus: Campus, control: Fullnat) -> None:
    control.service(SHOP, f"{WEB1}:80", locals_=LOCALS[:1])
    fetch(campus.client, f"http://{VIP}/")
    campus.director.run("ipvsadm", "-Z")
    assert re.search(rf"TCP +{VIP}:80 +0 +0 +0", campus.director.run("ipvsadm", "-Ln", "--stats"))
    assert f"-A -t {VIP}:80 -s rr" in campus.director.run("ipvsadm", "-Sn")
    assert "FWM" not in campus.director.run("cat", "/proc/net/ip_vs")


def test_t81_methods_can_be_mixed_in_one_service(campus: Campus, control: Fullnat) -> None:
    """The method is the server's: a NAT server beside a FULLNAT server."""
    control.service(SHOP, f"{WEB1}:80", locals_=LOCALS[:1])
    control.apply(NewDestination(key(SHOP), destination(f"{WEB2}:80", 0, ForwardingMethod.MASQ)))
    assert fetch(campus.client, f"http://{VIP}/").server == "web1"


def test_t82_a_destination_that_could_not_work_is_refused(campus: Campus, control: Fullnat) -> None:
    control.service(SHOP, locals_=LOCALS[:1])
    for server, number in ((f"{LOCALS[0]}:80", errno.EADDRNOTAVAIL), ("127.0.0.1:80", errno.EADDRNOTAVAIL)):
        with pytest.raises(OSError, match=r".") as refused:
            control.apply(NewDestination(key(SHOP), destination(server)))
        assert refused.value.errno == number, server
    control.service(f"tcp [{VIP6}]:80", locals_=LOCALS6[:1])
    with pytest.raises(OSError, match=r".") as refused:
        control.apply(NewDestination(key(f"tcp [{VIP6}]:80"), destination(f"{WEB1}:80")))
    assert refused.value.errno in (errno.EAFNOSUPPORT, errno.EINVAL)
    control.service(f"sctp {VIP}:80")
    with pytest.raises(OSError, match=r".") as refused:
        control.apply(NewDestination(key(f"sctp {VIP}:80"), destination(f"{WEB1}:80")))
    assert refused.value.errno == errno.EPROTONOSUPPORT


def test_t83_a_port_that_is_reused_at_once_works(campus: Campus, control: Fullnat) -> None:
    """The client's port again and again, each time into the session of before, while the server remembers it in TIME_WAIT."""
    control.service(f"tcp {VIP}:7010", f"{WEB1}:7010", locals_=LOCALS[:1])
    with Listener(campus.web1, WEB1, 7010) as listener:
        for number in range(30):
            with connect(campus.client, VIP, 7010, source_port=45678) as client:
                server, _ = listener.accept()
                with server:
                    transfer(client, server, 100, number)
                    server.shutdown(socket.SHUT_RDWR)
                    assert client.recv(10) == b""
                # A reset frees the client's port at once.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
