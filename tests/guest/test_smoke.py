"""The guest has what the other guest tests build on: ``ip_vs``, stock ipvsadm, and the shop with traffic through IPVS."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.lab import VIPS, Download, Shop, fetch
from tests.helpers.kmsg import KernelLog


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """The shop with one round-robin NAT service on port 80 of the first virtual address."""
    with Shop() as lab:
        lines = [f"-A -t {VIPS[0]}:80 -s rr", *(f"-a -t {VIPS[0]}:80 -r 192.0.2.{host}:80 -m -w 1" for host in (11, 12, 13))]
        lab.director.run("ipvsadm", "-R", text="\n".join(lines) + "\n")
        yield lab


def test_this_is_the_guest_with_its_own_kernel() -> None:
    assert Path("/proc/cmdline").read_text().count("virtme") > 0
    assert Path(f"/lib/modules/{os.uname().release}/modules.dep").exists()
    assert "ip_vs " in Path("/proc/modules").read_text()


def test_the_kernels_log_is_read_from_now_on() -> None:
    Path("/dev/kmsg").write_text("before\n")
    log = KernelLog()
    Path("/dev/kmsg").write_text("after\n")
    assert log.lines() == ["after"]
    assert log.lines() == []
    log.close()


def test_ipvs_shares_http_out_evenly(shop: Shop) -> None:
    replies = [fetch(shop.client, f"http://{VIPS[0]}/") for _ in range(9)]
    assert Counter(reply.body for reply in replies) == {b"web1\n": 3, b"web2\n": 3, b"web3\n": 3}
    assert {reply.peer.rsplit(":", 1)[0] for reply in replies} == {"198.51.100.10"}
    assert sum(server.requests("/") for server in shop.servers.values()) == 9


def test_ipvsadm_shows_the_connection_that_is_open(shop: Shop) -> None:
    transfer = Download(shop.client, f"http://{VIPS[0]}/stream/1000000/20")
    transfer.moves()
    table = shop.director.run("ipvsadm", "-Ln")
    host = 10 + int(transfer.server.removeprefix("web"))
    (active,) = re.findall(rf"-> 192\.0\.2\.{host}:80 +Masq +1 +(\d+)", table)
    assert active == "1", table
    connections = shop.director.run("ipvsadm", "-Lnc")
    assert re.search(rf"TCP .* ESTABLISHED +198\.51\.100\.10:\d+ +{VIPS[0]}:80 +192\.0\.2\.{host}:80", connections), connections


def test_namespaces_have_tables_of_their_own(shop: Shop) -> None:
    assert VIPS[0] in shop.director.run("ipvsadm", "-Ln")
    assert VIPS[0] not in shop.router.run("ipvsadm", "-Ln")
    assert shop.router.sysctl("net.ipv4.vs.conntrack") == "0"
