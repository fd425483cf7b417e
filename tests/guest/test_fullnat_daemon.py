"""The daemon programs FULLNAT: from the configuration to traffic, by reloads that touch only what changed, and back to nothing.

Numbers are those of kmod/tests/README.md.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.lab import Download, fetch
from examples.lab.campus import CAMPUS_VIPS, CAMPUS_VIPS6, Campus
from tests.helpers.directors import Director
from tests.helpers.fullnat import Fullnat

OUR_MODULE = True

CONFIGURATION = (Path(__file__).parents[2] / "examples" / "shop-fnat.conf").read_text()
SERVICE, SERVICE6 = f"tcp {CAMPUS_VIPS[0]}:80", f"tcp [{CAMPUS_VIPS6[0]}]:80"


@pytest.fixture
def director(campus: Campus, control: Fullnat, tmp_path: Path) -> Iterator[Director]:
    made = Director(campus.director, tmp_path, simulated=False, retry=30, patience=90)
    made.configure(CONFIGURATION)
    yield made
    if made._daemon is not None and made.daemon.status is None:
        made.daemon.stop(60)


def addresses(control: Fullnat, service: str = SERVICE) -> list[str]:
    return [str(each.address) for each in control.local_addresses(service)]


def servers(campus: Campus) -> Counter[str]:
    shown = campus.director.run("ipvsadm", "-Ln")
    return Counter(re.findall(r"-> (\S+):80 ", shown))


def served(campus: Campus, vip: str, rounds: int = 6) -> Counter[str]:
    host = f"[{vip}]" if ":" in vip else vip
    return Counter(fetch(campus.client, f"http://{host}/").server for _ in range(rounds))


def test_t130_a_configuration_becomes_traffic(campus: Campus, control: Fullnat, director: Director) -> None:
    director.start()
    director.until(lambda: len(servers(campus)) == 4, "all four servers are in the table")
    assert addresses(control) == [f"203.0.113.{last}" for last in range(140, 145)]
    assert addresses(control, SERVICE6) == ["2001:db8:d::140", "2001:db8:d::141"]
    assert control.timeout(SERVICE) == 600
    assert served(campus, CAMPUS_VIPS[0]) == {"web1": 3, "web2": 3}
    assert served(campus, CAMPUS_VIPS6[0]) == {"web1": 3, "web2": 3}
    assert "not configured" not in director.log()
    director.daemon.stop(60)
    assert campus.director.run("ipvsadm", "-Sn") == ""


@pytest.mark.guest(limit=400)
def test_t131_a_reload_of_a_group_edits_only_its_addresses(campus: Campus, control: Fullnat, director: Director) -> None:
    director.start()
    director.until(lambda: len(servers(campus)) == 4, "all four servers are in the table")
    transfer = Download(campus.client, f"http://{CAMPUS_VIPS[0]}/stream/2000000/20")
    transfer.moves()
    sent = len(director.sent())
    director.configure(CONFIGURATION.replace("203.0.113.140-144", "203.0.113.142-146"))
    director.reload()
    fresh = director.sent(sent)
    assert sorted(fresh) == sorted(
        [f"NEW_LADDR [{CAMPUS_VIPS[0]}]:tcp:80 via 203.0.113.{last}" for last in (145, 146)]
        + [f"DEL_LADDR [{CAMPUS_VIPS[0]}]:tcp:80 via 203.0.113.{last}" for last in (140, 141)]
    )
    assert addresses(control) == [f"203.0.113.{last}" for last in range(142, 147)]
    sent = len(director.sent())
    director.configure(CONFIGURATION.replace("203.0.113.140-144", "203.0.113.142-146").replace("lb_algo rr", "lb_algo wlc"))
    director.reload()
    assert [line.split()[0] for line in director.sent(sent)] == ["SET_SERVICE", "SET_SERVICE"]
    assert transfer.finish() == 2_000_000


@pytest.mark.guest(limit=400)
def test_t132_a_dead_server_is_taken_out_and_its_sessions_end_elsewhere(
    campus: Campus, control: Fullnat, director: Director
) -> None:
    director.start()
    director.until(lambda: len(servers(campus)) == 4, "all four servers are in the table")
    campus.servers["web2"].kill()
    try:
        director.until(lambda: "192.0.2.140" not in servers(campus), "web2 is out")
        assert served(campus, CAMPUS_VIPS[0]) == {"web1": 6}
    finally:
        campus.servers["web2"].revive()
    director.until(lambda: "192.0.2.140" in servers(campus), "web2 is back")
    assert addresses(control) == [f"203.0.113.{last}" for last in range(140, 145)]


def test_t133_syn_proxy_is_refused_by_name_while_the_module_has_none(campus: Campus, director: Director) -> None:
    director.configure(CONFIGURATION.replace("    est_timeout 600\n", "    syn_proxy\n"))
    director.start()
    director.until(lambda: len(servers(campus)) == 2, "the other service is there")
    assert re.search(r"203\.0\.113\.10.*syn_proxy needs a kernel module that is not loaded", director.log())
