"""The daemon on a real kernel, in the shop: traffic is balanced, the dead are taken out, and what is not ours is left alone.

Everything in here happens to one shop; each test starts its own daemon on an empty table.
"""

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.lab import VIPS, Download, Shop, fetch
from tests.helpers.directors import Director, alive
from tests.helpers.nlmon import Overheard

CONFIGURATION = (Path(__file__).parents[2] / "examples" / "shop-nat.conf").read_text()
SLOWNESS = 10.0
"""What an emulated processor adds to times that the daemon keeps."""

FOREIGN = "198.51.100.99:8080"


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with Shop() as lab:
        yield lab


@pytest.fixture(scope="module")
def overheard(shop: Shop) -> Iterator[Overheard]:
    tap = Overheard(shop.director)
    yield tap
    tap.close()


@pytest.fixture
def director(shop: Shop, tmp_path: Path) -> Iterator[Director]:
    shop.director.run("ipvsadm", "-C")
    made = Director(shop.director, tmp_path, simulated=False, retry=30, patience=60)
    made.configure(CONFIGURATION)
    yield made
    if made._daemon is not None and made.daemon.status is None:
        made.daemon.stop(60)
    for server in shop.servers.values():
        if server.daemon.status is not None:
            server.revive()


def table(shop: Shop) -> dict[str, dict[str, int]]:
    """Return the kernel's table as stock ipvsadm shows it: weights of destinations by service."""
    found: dict[str, dict[str, int]] = {}
    service = ""
    for line in shop.director.run("ipvsadm", "-Ln").splitlines():
        if match := re.match(r"(?:TCP|UDP|FWM) +(\S+)", line):
            service = match[1]
            found[service] = {}
        elif match := re.match(r"  -> (\S+:\d+) +\w+ +(\d+)", line):
            found[service][match[1]] = int(match[2])
    return found


def webs(*numbers: int) -> dict[str, int]:
    return {f"192.0.2.{10 + number}:80": 1 for number in numbers}


def services(*numbers: int) -> dict[str, dict[str, int]]:
    """The shop's two services with these web servers."""
    return {f"{vip}:80": webs(*numbers) for vip in VIPS}


def start(director: Director, shop: Shop, *options: str) -> None:
    """Start the daemon and wait until all three servers have passed their first check."""
    director.start(*options)
    director.until(lambda: all(services(1, 2, 3)[name] == table(shop).get(name) for name in services()), "three servers are in")


def served(shop: Shop, rounds: int = 9) -> dict[str, int]:
    return Counter(fetch(shop.client, f"http://{vip}/").server for vip in VIPS for _ in range(rounds))


def test_the_shop_balances_loses_a_server_and_gets_it_back(shop: Shop, director: Director) -> None:
    start(director, shop)
    assert table(shop) == services(1, 2, 3)
    assert served(shop) == {"web1": 6, "web2": 6, "web3": 6}
    for name, number, bound in (("web1", 1, 2 + 1), ("web2", 2, 2 + 1 + 1 + 1)):
        left = {1, 2, 3} - {number}
        shop.servers[name].kill()
        died = time.monotonic()
        director.until(lambda left=left: table(shop) == services(*left), f"{name} is out")  # type: ignore[misc]
        took = time.monotonic() - died
        assert took < bound + SLOWNESS, f"delay_loop and timeouts make {bound} s; {name} was out after {took:.1f} s"
        assert set(served(shop, 6)) == {f"web{other}" for other in left}
        shop.servers[name].revive()
        director.until(lambda: table(shop) == services(1, 2, 3), f"{name} is back")
    assert served(shop) == {"web1": 6, "web2": 6, "web3": 6}
    assert director.daemon.stop(60) == 0
    assert table(shop) == {}


def connections_of(shop: Shop, vip: str) -> int:
    """Return how many connections the kernel has counted for a service; it counts with a delay of up to two seconds."""
    lines = shop.director.run("ipvsadm", "-Ln", "--stats", "--exact").splitlines()
    return next(int(line.split()[2]) for line in lines if line.startswith(f"TCP  {vip}:80 "))


def established_with(shop: Shop, server: str) -> set[str]:
    """Return the clients that have a connection with a real server."""
    lines = shop.director.run("ipvsadm", "-Lnc").splitlines()
    return {line.split()[3] for line in lines if " ESTABLISHED " in line and f"{server}:80" in line}


def transfer_through(shop: Shop, name: str, seconds: int) -> Download:
    """Begin a long transfer through a server; which one it gets is round robin's choice."""
    for _ in range(6):
        transfer = Download(shop.client, f"http://{VIPS[0]}/stream/{seconds * 40_000}/{seconds}", within=60)
        if transfer.server == name:
            return transfer
    raise AssertionError(f"no transfer was given to {name}")


def test_a_killed_checker_is_replaced_while_a_transfer_goes_on(shop: Shop, director: Director, overheard: Overheard) -> None:
    start(director, shop)
    transfer = transfer_through(shop, "web1", 20)
    director.until(lambda: connections_of(shop, VIPS[0]), "the kernel's estimator has counted the transfer")
    counted, established = connections_of(shop, VIPS[0]), established_with(shop, "192.0.2.11")
    overheard.changes()
    count = director.count
    victim = director.kill_checker()
    director.respawned(victim)
    director.until(lambda: director.log().count("is up to date") == 2, "the successor works")
    assert director.sent(count) == []
    assert overheard.changes() == []
    assert connections_of(shop, VIPS[0]) >= counted
    assert established <= established_with(shop, "192.0.2.11")
    assert established
    assert table(shop) == services(1, 2, 3)
    transfer.moves(60)
    shop.servers["web3"].kill()  # the successor does its work
    director.until(lambda: table(shop) == services(1, 2), "web3 is out")
    assert [request.command for request in overheard.changes()] == ["DEL_DEST", "DEL_DEST"]
    assert transfer.finish(120) == 20 * 40_000
    assert f"Healthcheck child process({victim}) died: Respawning" in director.log()


def foreigner(shop: Shop) -> None:
    """Make a service as somebody else would."""
    shop.director.run("ipvsadm", "-R", text=f"-A -t {FOREIGN} -s wlc\n-a -t {FOREIGN} -r 192.0.2.11:81 -m -w 5\n")


def test_what_is_not_ours_is_left_alone_and_strangers_in_our_services_go(shop: Shop, director: Director) -> None:
    foreigner(shop)
    theirs = {FOREIGN: {"192.0.2.11:81": 5}}
    # Somebody has made one of our services already, with a server that we know and one that we do not.
    lines = ["-A -t {0} -s rr", "-a -t {0} -r 192.0.2.11:80 -m -w 1", "-a -t {0} -r 192.0.2.66:80 -m -w 1"]
    shop.director.run("ipvsadm", "-R", text="\n".join(line.format(f"{VIPS[0]}:80") for line in lines) + "\n")
    start(director, shop)
    assert table(shop) == services(1, 2, 3) | theirs
    assert f"Removing unknown server [192.0.2.66]:80 from virtual server [{VIPS[0]}]:tcp:80" in director.log()
    assert "192.0.2.11" not in "".join(line for line in director.log().splitlines() if "unknown server" in line)
    director.configure(CONFIGURATION.replace("    203.0.113.20 80\n", ""))
    director.reload()
    assert table(shop) == {f"{VIPS[0]}:80": webs(1, 2, 3)} | theirs
    assert director.daemon.stop(60) == 0
    assert table(shop) == theirs
    assert not [line for line in director.sent() if "198.51.100.99" in line]


def test_a_crash_leaves_the_table_and_the_next_start_tidies_up(shop: Shop, director: Director) -> None:
    start(director, shop)
    foreigner(shop)
    parent, checker = director.daemon.pid, director.checker
    os.kill(parent, signal.SIGSTOP)  # or it would start another checker
    os.kill(checker, signal.SIGKILL)
    os.kill(parent, signal.SIGKILL)
    director.daemon.wait(60)
    director.until(lambda: not alive(checker), "both are dead")
    theirs = {FOREIGN: {"192.0.2.11:81": 5}}
    assert table(shop) == services(1, 2, 3) | theirs
    director.configure(CONFIGURATION.replace("    203.0.113.20 80\n", "").replace("    alpha\n", ""))
    count = director.count
    director.start()
    assert director.sent(count) == [f"DEL_SERVICE [{VIPS[1]}]:tcp:80"]
    assert table(shop) == {f"{VIPS[0]}:80": webs(1, 2, 3)} | theirs
    assert f"Removing virtual server [{VIPS[1]}]:tcp:80 that an earlier run has left behind" in director.log()
    # Told to leave the table, it does; and the next one finds nothing to do.
    assert director.daemon.stop(60) == 0
    start_again = CONFIGURATION.replace("    alpha\n", "")
    director.configure(start_again)
    director.start("-I")
    assert director.daemon.stop(60) == 0
    assert table(shop) == services(1, 2, 3) | theirs
    count = director.count
    director.start()
    assert director.sent(count) == []
    assert director.daemon.stop(60) == 0
    assert table(shop) == theirs


UNCHECKED = f"""\
virtual_server {VIPS[0]} 80 {{
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 192.0.2.11 80 {{
        weight 1
    }}
}}
"""


@pytest.mark.parametrize("words", ["net_namespace_ipvs {0}", "net_namespace {0}\nnet_namespace_ipvs"], ids=["named", "started in"])
def test_ipvs_may_be_in_another_network_namespace(shop: Shop, director: Director, words: str) -> None:
    name = f"ipvs-{os.getpid()}"
    shop.director.run("ip", "netns", "add", name)
    try:
        director.configure(f"{words.format(name)}\n{UNCHECKED}")
        director.start()
        inside = shop.director.run("ip", "netns", "exec", name, "ipvsadm", "-Ln").count(f"{VIPS[0]}:80")
        assert (inside, len(table(shop))) == ((1, 0) if words.startswith("net_namespace_ipvs") else (0, 1))
        assert director.daemon.stop(60) == 0
        assert table(shop) == {}
    finally:
        shop.director.run("ip", "netns", "del", name)
