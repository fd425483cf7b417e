"""200 services of 5 servers on a real kernel: a reload sends what changed and nothing else, and the others do not notice.

What was sent is asked twice: of the daemon's own trace, and of the kernel's netlink monitor, which knows nothing of the daemon.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.lab import VIPS, Download, Shop, eventually, fetch
from keepalived_py.addresses import Address
from keepalived_py.config.lvs import AddressTarget, Protocol, ServerKey
from keepalived_py.ipvs.operations import DelDestination, NewDestination, SetDestination
from keepalived_py.ipvs.table import Destination
from tests.helpers.directors import Director
from tests.helpers.nlmon import Overheard

SERVICES = 200
FIRST_PORT = 1000
SERVERS = tuple(f"192.0.2.{number}" for number in range(11, 16))
SIXTH = "192.0.2.16"


def configuration(extra: dict[int, list[tuple[str, int, int]]] | None = None) -> str:
    """Return the file; `extra` replaces the servers (address, port, weight) of some services, by their number."""
    ordinary = [(address, 80, 1) for address in SERVERS]
    return "".join(service(number, (extra or {}).get(number, ordinary)) for number in range(SERVICES))


def service(number: int, servers: list[tuple[str, int, int]]) -> str:
    head = f"virtual_server {VIPS[0]} {FIRST_PORT + number} {{\n delay_loop 600\n lb_algo rr\n lb_kind NAT\n protocol TCP\n"
    checks = "TCP_CHECK {\n connect_timeout 60\n warmup 0\n}\n"
    return head + "".join(f"real_server {it} {port} {{\n weight {weight}\n {checks}}}\n" for it, port, weight in servers) + "}\n"


def target(number: int) -> AddressTarget:
    return AddressTarget(Address.parse(VIPS[0]), FIRST_PORT + number, Protocol.TCP)


def key(address: str) -> ServerKey:
    return ServerKey(Address.parse(address), 80)


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with Shop(webs=6) as lab:
        yield lab


def counters(shop: Shop) -> dict[str, list[str]]:
    """Return connections, packets and bytes of every service and destination, as ipvsadm counts them."""
    found = {}
    name = ""
    for line in shop.director.run("ipvsadm", "-Ln", "--stats", "--exact").splitlines()[3:]:
        words = line.split()
        if words[0] == "->":
            found[f"{name} {words[1]}"] = words[2:]
        else:
            name = words[1]
            found[name] = words[2:]
    return found


def connections(shop: Shop) -> set[str]:
    """Return the connections in the kernel's table, without their timers."""
    lines = shop.director.run("ipvsadm", "-Lnc").splitlines()[2:]
    return {re.sub(r"^(TCP) +\S+", r"\1", line) for line in lines}


def at_rest(shop: Shop, busy: set[str]) -> dict[str, list[str]]:
    """Return the counters once those of all services but the busy ones stand still: the kernel counts with a delay."""
    looks: list[dict[str, list[str]]] = []

    def still() -> bool:
        looks.append(counters(shop))
        resting = [{name: look[name] for name in look if name.split()[0] not in busy} for look in looks[-2:]]
        return len(looks) > 1 and resting[0] == resting[1]

    eventually(still, "counters at rest", 30, every=2.5)
    return looks[-1]


@pytest.mark.guest(limit=500)
def test_three_changes_are_three_messages_and_the_rest_does_not_notice(shop: Shop, tmp_path: Path) -> None:
    shop.director.run("ipvsadm", "-C")
    director = Director(shop.director, tmp_path, simulated=False, patience=120)
    director.configure(configuration())
    director.start()
    assert director.count == SERVICES * (1 + len(SERVERS))
    assert len(counters(shop)) == SERVICES * (1 + len(SERVERS))

    # Traffic through three services to which nothing will happen, and through those that will change.
    moving = Download(shop.client, f"http://{VIPS[0]}:{FIRST_PORT}/stream/1200000/30", within=120)
    for number in (1, 2, 10, 20, 30):
        for _ in range(5):
            fetch(shop.client, f"http://{VIPS[0]}:{FIRST_PORT + number}/")
    still = Download(shop.client, f"http://{VIPS[0]}:{FIRST_PORT + 30}/stream/1200000/30", within=120)
    overheard = Overheard(shop.director)
    count = director.count
    busy = {f"{VIPS[0]}:{FIRST_PORT + number}" for number in (0, 30)}
    before, open_before = at_rest(shop, busy), connections(shop)

    ordinary = [(address, 80, 1) for address in SERVERS]
    changed = {
        10: [*ordinary, (SIXTH, 80, 1)],
        20: ordinary[:2] + ordinary[3:],
        30: [*ordinary[:4], (SERVERS[4], 80, 7)],
    }
    director.configure(configuration(changed))
    said = director.reload()
    assert "virtual servers: 0 added, 3 changed, 0 removed, 197 unchanged" in said
    assert director.operations(count) == [
        NewDestination(target(10), Destination(key(SIXTH))),
        DelDestination(target(20), key(SERVERS[2])),
        SetDestination(target(30), Destination(key(SERVERS[4]), weight=7)),
    ]
    seen = overheard.changes()
    assert [request.command for request in seen] == ["NEW_DEST", "DEL_DEST", "SET_DEST"]
    for request, address in zip(seen, (SIXTH, SERVERS[2], SERVERS[4]), strict=True):
        assert Address.parse(address).packed in request.payload

    after, open_after = counters(shop), connections(shop)
    gone = f"{VIPS[0]}:{FIRST_PORT + 20} {SERVERS[2]}:80"
    assert before.keys() - after.keys() == {gone}
    assert after.keys() - before.keys() == {f"{VIPS[0]}:{FIRST_PORT + 10} {SIXTH}:80"}
    resting = [name for name in before if name.split()[0] not in busy and name != gone]
    assert len(resting) == (SERVICES - 2) * 6 - 1
    assert {name: after[name] for name in resting} == {name: before[name] for name in resting}
    assert sum(int(after[name][0]) for name in resting) >= 20  # there was something to lose
    assert {line for line in open_before if f":{FIRST_PORT + 20} " not in line} <= open_after
    moving.moves(60)
    still.moves(60)

    # A reload that changes nothing sends nothing.
    count = director.count
    director.configure("# nothing new\n" + configuration(changed))
    assert "0 added, 0 changed, 0 removed, 200 unchanged" in director.reload()
    assert director.sent(count) == []
    assert overheard.changes() == []
    assert moving.finish(120) == 1_200_000
    assert still.finish(120) == 1_200_000
    overheard.close()
    assert director.daemon.stop(120) == 0
    assert counters(shop) == {}
