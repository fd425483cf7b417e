"""What checks depend on besides their servers, on a real kernel: files, addresses, the right to ping."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from examples.lab import Lab, Node
from keepalived_py.config.checkers import Endpoint, FileCheck, PingCheck
from keepalived_py.config.lvs import Lvs
from keepalived_py.daemon.surroundings import Surroundings
from keepalived_py.healthcheck.events import FactLearned, HostAddress, Single
from keepalived_py.healthcheck.facts import FileContent
from tests.healthcheck.builders import address, checked, lvs, server, service

RANGE = Path("/proc/sys/net/ipv4/ping_group_range")


@pytest.fixture
def node() -> Iterator[Node]:
    """A machine with two interfaces; 203.0.113.9/32 and 2001:db8::9/128 on d0."""
    with Lab() as lab:
        made = lab.node("director")
        made.ip("link add d0 type veth peer p0", "link add d1 type veth peer p1")
        made.ip(*(f"link set {name} up" for name in ("p0", "p1", "d0", "d1")))
        made.ip("addr add 203.0.113.9/32 dev d0", "addr add 2001:db8::9/128 dev d0 nodad")
        yield made


class Observer:
    """A `Surroundings` in the namespace of a machine, and what it has said."""

    def __init__(self) -> None:
        self.events: list[Single] = []
        self.complaints: list[str] = []
        self.surroundings = Surroundings(self.events.append, self.complaints.append)

    async def next(self, count: int = 1) -> list[Single]:
        """Return the next events, in order, and forget them."""
        end = asyncio.get_running_loop().time() + 10
        while len(self.events) < count:
            assert asyncio.get_running_loop().time() < end, self.events
            await asyncio.sleep(0.005)
        events = self.events[:]
        self.events.clear()
        return events


def suspendable() -> Lvs:
    return lvs(replace(service(checked(1)), ha_suspend=True))


def in_node(node: Node, story: Callable[[Observer], "asyncio.Future[None]"] | Callable[..., object]) -> None:
    async def run() -> None:
        observer = Observer()
        try:
            await story(observer)  # type: ignore[misc]
            assert observer.complaints == []
        finally:
            observer.surroundings.close()

    with node.entered():
        asyncio.run(run())


def global_ones(events: list[Single]) -> set[tuple[str, bool]]:
    return {
        (str(event.address), event.present)
        for event in events
        if isinstance(event, HostAddress) and not event.address.is_link_local and str(event.address) not in ("127.0.0.1", "::1")
    }


def test_addresses_that_are_there_and_those_that_come_and_go(node: Node) -> None:
    async def story(observer: Observer) -> None:
        assert global_ones(observer.surroundings.follow(suspendable())) == {("203.0.113.9", True), ("2001:db8::9", True)}
        observer.events.clear()
        node.ip("addr add 203.0.113.1/32 dev d0")
        assert global_ones(await observer.next()) == {("203.0.113.1", True)}
        node.ip("addr add 2001:db8::1/64 dev d1 nodad", "addr del 203.0.113.1/32 dev d0")
        assert global_ones(await observer.next(2)) == {("2001:db8::1", True), ("203.0.113.1", False)}

    in_node(node, story)


def test_an_address_counts_once_on_each_interface(node: Node) -> None:
    async def story(observer: Observer) -> None:
        observer.surroundings.follow(suspendable())
        node.ip("addr add 203.0.113.9/24 dev d0", "addr add 203.0.113.9/32 dev d1")
        (second,) = await observer.next()
        assert isinstance(second, HostAddress)
        node.ip("addr del 203.0.113.9/32 dev d0", "addr del 203.0.113.9/24 dev d0", "addr del 203.0.113.9/32 dev d1")
        first_gone, second_gone = await observer.next(2)
        assert isinstance(first_gone, HostAddress) and isinstance(second_gone, HostAddress)
        assert (first_gone.present, second_gone.present) == (False, False)
        assert first_gone.interface != second_gone.interface == second.interface

    in_node(node, story)


def test_an_interface_that_goes_takes_its_addresses_along(node: Node) -> None:
    async def story(observer: Observer) -> None:
        observer.surroundings.follow(suspendable())
        observer.events.clear()
        node.ip("link del d0")
        await asyncio.sleep(0.1)
        assert ("203.0.113.9", False) in global_ones(await observer.next())

    in_node(node, story)


def test_nobody_listens_where_nobody_asks_and_the_picture_is_brought_up_to_date(node: Node) -> None:
    async def story(observer: Observer) -> None:
        observer.surroundings.follow(suspendable())
        observer.surroundings.follow(lvs(service(checked(1))))
        observer.events.clear()
        node.ip("addr add 203.0.113.1/32 dev d0", "addr del 203.0.113.9/32 dev d0")
        await asyncio.sleep(0.1)
        assert observer.events == []
        assert global_ones(observer.surroundings.follow(suspendable())) == {("203.0.113.1", True), ("203.0.113.9", False)}
        assert observer.surroundings.follow(suspendable()) == []

    in_node(node, story)


def test_files(node: Node, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("7\n")
    both = lvs(service(server(1, FileCheck("a", path=str(one)), FileCheck("b", path=str(two)))))

    def learned(path: Path, value: int) -> FactLearned:
        return FactLearned(FileContent(str(path)), value)

    async def story(observer: Observer) -> None:
        assert observer.surroundings.follow(both) == [learned(one, 7), learned(two, 0)]
        two.write_text("-3")
        assert learned(two, -3) in await observer.next()
        one.unlink()
        assert (await observer.next())[-1] == learned(one, 0)
        (tmp_path / "new").write_text("12")
        (tmp_path / "new").rename(one)
        assert (await observer.next())[-1] == learned(one, 12)
        assert observer.surroundings.follow(lvs()) == []
        one.write_text("1")
        await asyncio.sleep(0.1)
        assert observer.events == []

    in_node(node, story)


def test_the_right_to_ping_is_borrowed_and_given_back(node: Node) -> None:
    ping = lvs(service(server(1, PingCheck(Endpoint(address(1), 0)))))

    async def story(observer: Observer) -> None:
        before = RANGE.read_text()
        observer.surroundings.follow(lvs(service(checked(1))))
        assert RANGE.read_text() == before
        observer.surroundings.follow(ping)
        low, high = map(int, RANGE.read_text().split())
        assert low <= 0 <= high
        observer.surroundings.close()
        assert RANGE.read_text() == before

    in_node(node, story)


def test_an_address_that_is_not_ours_yet_is_not_there(node: Node) -> None:
    """IPv6: duplicate address detection comes first."""

    async def story(observer: Observer) -> None:
        node.ip("link add v0 type veth peer v1", "link set v0 up", "link set v1 up")
        observer.surroundings.follow(suspendable())
        observer.events.clear()
        node.ip("addr add 2001:db8::77/64 dev v0")
        came = await observer.next()
        while ("2001:db8::77", True) not in global_ones(came):
            came = await observer.next()
        found = node.run("ip", "-6", "addr", "show", "dev", "v0")
        assert "tentative" not in next(line for line in found.splitlines() if "2001:db8::77" in line)

    in_node(node, story)
