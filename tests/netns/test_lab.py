"""The laboratory itself: it works as its pictures say, and nothing of it outlives it, however it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.lab import VIPS, VIPS6, CommandError, Download, Lab, LabError, Shop, WebServer, eventually, fetch
from examples.lab.guard import inhabitants, key_of


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with Shop() as lab:
        yield lab


@pytest.mark.parametrize("address", ["192.0.2.13", "2001:db8:a::13", *VIPS, *VIPS6])
def test_client_reaches_servers_and_virtual_addresses(shop: Shop, address: str) -> None:
    assert " 1 received" in shop.client.run("ping", "-c1", "-W5", address)


def test_traffic_to_a_server_passes_router_and_director(shop: Shop) -> None:
    # A hop limit of two dies at the director, which is the one to say so.
    died = shop.client.call("ping", "-c1", "-W5", "-t2", "192.0.2.11")
    assert "From 203.0.113.2 " in died.stdout
    assert "Time to live exceeded" in died.stdout


@pytest.mark.parametrize(
    ("url", "peer"), [("http://192.0.2.12/", "198.51.100.10:"), ("http://[2001:db8:a::12]/x", "[2001:db8:c::10]:")]
)
def test_server_says_who_it_is_and_whom_it_sees(shop: Shop, url: str, peer: str) -> None:
    reply = fetch(shop.client, url)
    assert (reply.status, reply.body, reply.server) == (200, b"web2\n", "web2")
    assert reply.peer.startswith(peer)


def test_requests_are_counted_by_path_and_over_a_crash(shop: Shop) -> None:
    server = shop.servers["web1"]
    for _ in range(3):
        fetch(shop.client, "http://192.0.2.11/counted")
    server.kill()
    with pytest.raises(ConnectionRefusedError):
        fetch(shop.client, "http://192.0.2.11/counted")
    server.revive()
    fetch(shop.client, "http://192.0.2.11/counted")
    assert server.requests("/counted") == 4
    assert server.requests("/count") == 0
    assert server.requests() >= 4


def test_health_changes_while_the_port_stays_open(shop: Shop) -> None:
    server = shop.servers["web2"]
    assert fetch(shop.client, "http://192.0.2.12/health").status == 200
    server.health(503)
    assert fetch(shop.client, "http://192.0.2.12/health").status == 503
    assert fetch(shop.client, "http://192.0.2.12/").status == 200
    server.health(200)
    assert fetch(shop.client, "http://192.0.2.12/health").status == 200


def test_a_frozen_server_is_silent_until_thawed(shop: Shop) -> None:
    server = shop.servers["web3"]
    server.freeze()
    with pytest.raises(TimeoutError):
        fetch(shop.client, "http://192.0.2.13/", within=0.3)
    server.thaw()
    assert fetch(shop.client, "http://192.0.2.13/").body == b"web3\n"


def test_status_and_delay_paths(shop: Shop) -> None:
    assert fetch(shop.client, "http://192.0.2.11/status/418").status == 418
    start = time.monotonic()
    assert fetch(shop.client, "http://192.0.2.11/delay/0.3").status == 200
    assert time.monotonic() - start >= 0.3


def test_long_transfer_lasts_as_long_as_asked_and_is_whole(shop: Shop) -> None:
    start = time.monotonic()
    transfer = Download(shop.client, "http://192.0.2.13/stream/300000/0.6")
    transfer.moves()
    assert transfer.finish() == 300_000
    assert time.monotonic() - start >= 0.6
    assert transfer.server == "web3"
    with pytest.raises(LabError, match="complete"):
        transfer.moves()


def test_long_transfer_notices_that_its_server_died(shop: Shop) -> None:
    transfer = Download(shop.client, "http://192.0.2.11/stream/1000000/30")
    transfer.moves()
    shop.servers["web1"].kill()
    with pytest.raises(LabError, match=r"after [1-9][0-9]* of 1000000 bytes"):
        transfer.finish()
    shop.servers["web1"].revive()


def test_https(shop: Shop) -> None:
    WebServer(shop.webs[0], port=443, name="secure", tls=True)
    assert fetch(shop.client, "https://192.0.2.11/").body == b"secure\n"
    with pytest.raises(ConnectionError):
        fetch(shop.client, "http://192.0.2.11:443/")


def test_a_pulled_cable_cuts_the_server_off(shop: Shop) -> None:
    port = shop.rack.attach(shop.node("spare"), "192.0.2.99/24")
    assert " 1 received" in shop.director.run("ping", "-c1", "-W5", "192.0.2.99")
    port.down()
    assert shop.director.call("ping", "-c1", "-W1", "192.0.2.99").returncode == 1
    port.up()
    eventually(lambda: shop.director.call("ping", "-c1", "-W1", "192.0.2.99").returncode == 0, "ping after the cable is back")


def test_commands_report_status_and_output() -> None:
    with Lab() as lab:
        node = lab.node("alone")
        assert node.run("cat", text="in and out") == "in and out"
        assert node.run("sh", "-c", "echo $LAB_WORD", env={"LAB_WORD": "spoken"}) == "spoken\n"
        assert node.call("sh", "-c", "echo no >&2; exit 3").returncode == 3
        with pytest.raises(CommandError, match=r"alone: .* status 3:\n(?s:.*)no"):
            node.run("sh", "-c", "echo no >&2; exit 3")
        with pytest.raises(LabError, match="cannot start 'no-such-program'"):
            node.run("no-such-program")
        with pytest.raises(LabError, match=r"took over 0\.2 s"):
            node.run("sleep", "60", within=0.2)


def test_daemons_are_waited_for_by_what_they_say() -> None:
    with Lab() as lab:
        daemon = lab.node("alone").start("sh", "-c", "echo one; read x; echo never; sleep 60", name="talker")
        assert daemon.expect("^on(.)$")[1] == "e"
        with pytest.raises(
            LabError, match="ended with status"
        ):  # its standard input is empty, so `sleep` is reached only if killed
            lab.nodes["alone"].start("sh", "-c", "echo first; exit 7").expect("second")
        assert daemon.stop() == -signal.SIGTERM
        mark = daemon.mark()
        with pytest.raises(LabError):
            daemon.expect("one", since=mark)


def test_sysctls_belong_to_the_node() -> None:
    with Lab() as lab:
        one, other = lab.node("one"), lab.node("other")
        assert one.sysctl("net.ipv4.ip_forward", 1) == "1"
        assert other.sysctl("net.ipv4.ip_forward") == "0"


def test_names_that_ip_might_take_for_its_own_words() -> None:
    with Lab() as lab:
        up, dev = lab.node("up"), lab.node("dev")
        lab.link(up, dev, "192.0.2.1/24", "192.0.2.2/24")
        lab.switch("type").attach(up, "198.51.100.1/24")
        assert " 1 received" in up.run("ping", "-c1", "-W5", "192.0.2.2")


def test_loopback_works_in_a_new_node() -> None:
    with Lab() as lab:
        node = lab.node("alone")
        for address in ("127.0.0.1", "::1"):
            assert " 1 received" in node.run("ping", "-c1", "-W5", address)


def test_names_that_no_interface_can_bear_are_refused() -> None:
    with Lab() as lab:
        lab.node("twin")
        for name in ("twin", "longer-than-ifnamsiz"):
            with pytest.raises(LabError, match="taken or too long"):
                lab.node(name)


def test_the_thread_is_back_home_after_an_error_inside() -> None:
    home = os.readlink("/proc/thread-self/ns/net")
    with Lab() as lab, pytest.raises(KeyError), lab.node("away").entered():
        assert os.readlink("/proc/thread-self/ns/net") != home
        raise KeyError
    assert os.readlink("/proc/thread-self/ns/net") == home


def _host_links() -> str:
    return subprocess.run(["ip", "-o", "link"], check=True, capture_output=True, text=True).stdout


def test_close_leaves_nothing_not_even_what_hid_from_its_parent() -> None:
    links = _host_links()
    lab = Shop(webs=1)
    # Two generations away from us, in a session of its own, deaf to what can be ignored.
    lab.client.run("sh", "-c", "trap '' HUP TERM INT; setsid sleep 1000 </dev/null >/dev/null 2>&1 &")
    spaces = frozenset(key_of(node.namespace.fd) for node in lab.nodes.values())
    held = [os.dup(node.namespace.fd) for node in lab.nodes.values()]  # so that no key can be reused before we looked
    assert len(inhabitants(spaces)) == 2
    lab.close()
    assert inhabitants(spaces) == []
    for fd in held:
        os.close(fd)
    assert not lab.directory.exists()
    assert _host_links() == links
    lab.close()


def test_logs_show_the_end_of_what_each_daemon_said(lab: Lab) -> None:
    lab.node("alone").start("sh", "-c", "seq 1000; exit 3", name="counter").wait()
    assert lab.logs(9) == "--- alone-counter (status 3):\n999\n1000\n"


def test_a_directory_that_was_given_is_kept(tmp_path: Path) -> None:
    with Lab(tmp_path) as lab:
        lab.node("alone").start("sh", "-c", "echo kept", name="sh").wait()
    assert (tmp_path / "alone-sh.log").read_text() == "kept\n"


# A program that owns a lab: it says where everything is, then lasts until it is killed.  ``fork`` adds a child of the owner
# that holds all the owner's descriptors open, as a forked daemon would.
_OWNER = """
import os, sys, time
from examples.lab import Shop
shop = Shop(webs=2)
hidden = shop.webs[0].run("sh", "-c", "trap '' HUP TERM; setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!").strip()
child = os.fork() if "fork" in sys.argv else 0
if "fork" in sys.argv and child == 0:
    time.sleep(1000)
inodes = [str(os.stat(node.namespace.fd).st_ino) for node in shop.nodes.values()]
print(shop._guard.pid, child, hidden, shop.directory, *inodes, flush=True)
time.sleep(1000)
"""


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].startswith("Z")
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("mode", ["plain", "fork"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_a_killed_owner(number: signal.Signals, mode: str) -> None:
    links = _host_links()
    with subprocess.Popen([sys.executable, "-c", _OWNER, mode], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        guard, child, hidden, directory, *inodes = owner.stdout.readline().split()
        try:
            device = Path("/proc/self/ns/net").stat().st_dev
            spaces = frozenset((device, int(inode)) for inode in inodes)
            assert {int(hidden)} < set(inhabitants(spaces))
            assert Path(directory).exists()
            owner.send_signal(number)
            owner.wait(15)
            eventually(lambda: _gone(int(guard)), "the guard ends")
        finally:
            if child != "0":
                os.kill(int(child), signal.SIGKILL)
    assert inhabitants(spaces) == []
    assert _gone(int(hidden))
    assert not Path(directory).exists()
    assert _host_links() == links
    eventually(lambda: not _held(set(inodes)), "no process holds one of the namespaces")


def _held(inodes: set[str]) -> list[str]:
    """Which open descriptors and processes anywhere still refer to the namespaces: if there are none, their links are gone."""
    found = []
    for link in (*Path("/proc").glob("[0-9]*/fd/*"), *Path("/proc").glob("[0-9]*/ns/net")):
        try:
            target = os.readlink(link)
        except OSError:
            continue
        if target.startswith("net:[") and target[5:-1] in inodes:
            found.append(f"{link} -> {target}")
    return found
