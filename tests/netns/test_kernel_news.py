"""What the kernel tells of interfaces and addresses, as news for VRRP: changes only, and none of them late."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from examples.lab import Lab, Node, eventually
from keepalived_py.addresses import Address
from keepalived_py.config.routing import VirtualAddress
from keepalived_py.daemon.kernel_news import KernelNews
from keepalived_py.system.host_state import HostState
from keepalived_py.system.rtnetlink import RouteMonitor, RouteSocket
from keepalived_py.vrrp.events import AddressAdded, AddressRemoved, InterfaceChanged, InterfaceGone, Single


@dataclass(frozen=True)
class Host:
    """A node and what is told of it."""

    node: Node
    link: RouteSocket
    news: KernelNews

    def make(self, name: str) -> None:
        self.node.ip(f"link add {name} type veth peer name {name}-peer", f"link set {name}-peer up", f"link set {name} up")

    def told(self, name: str) -> list[Single]:
        """Return what has been told of an interface."""
        return [event for event in self.news.heard() if _subject(event) == name]

    def index(self, name: str) -> int:
        return int(self.node.run("ip", "-o", "link", "show", name).partition(":")[0])


def _subject(event: Single) -> str:
    match event:
        case InterfaceChanged():
            return event.interface.name
        case InterfaceGone():
            return event.name
        case AddressAdded() | AddressRemoved():
            return event.interface
    return ""


@pytest.fixture
def host() -> Iterator[Host]:
    with Lab() as lab:
        node = lab.node("host")
        with node.entered():
            link = RouteSocket()
            news = KernelNews(link, RouteMonitor())
        news.everything()
        yield Host(node, link, news)
        link.close()


def test_an_interface_that_is_made_and_removed(host: Host) -> None:
    host.make("late")
    events = host.told("late")
    assert all(isinstance(event, InterfaceChanged | AddressAdded) for event in events)
    changes = [event for event in events if isinstance(event, InterfaceChanged)]
    assert changes[-1].interface.index == host.index("late")
    host.node.ip("link delete late")
    assert InterfaceGone("late") in host.told("late")
    assert "late" not in {link.name for link in host.news.links.values()}


def test_a_fresh_look_leaves_no_old_news_behind(host: Host) -> None:
    host.make("late")
    host.node.ip("link delete late")
    host.make("late")
    host.make("gone")
    host.node.ip("link delete gone")
    seen = [event.interface for event in host.news.everything() if isinstance(event, InterfaceChanged)]
    assert [interface.index for interface in seen if interface.name == "late"] == [host.index("late")]
    assert "gone" not in {interface.name for interface in seen}
    later = host.news.heard()  # such as that the carrier is there
    assert not [event for event in later if isinstance(event, InterfaceGone) or _subject(event) == "gone"]
    changes = [event.interface for event in later if isinstance(event, InterfaceChanged)]
    assert {interface.index for interface in changes if interface.name == "late"} <= {host.index("late")}


def test_the_end_of_an_interface_whose_name_has_been_taken_is_no_end_of_the_name(host: Host) -> None:
    host.make("late")
    host.news.heard()
    old = host.news.links[host.index("late")]
    host.news.links[old.index + 1000] = replace(old, index=old.index + 1000)
    host.node.ip("link delete late")
    events = [event for event in host.told("late") if isinstance(event, InterfaceChanged | InterfaceGone)]
    assert isinstance(events[-1], InterfaceChanged)
    assert events[-1].interface.index == old.index + 1000


def test_what_we_did_ourselves_is_no_loss(host: Host) -> None:
    host.make("late")
    host.news.everything()
    ours, theirs = (VirtualAddress(Address.parse(f"203.0.113.{last}"), 32) for last in (1, 2))
    state = HostState(host.link, None, pytest.fail)
    state.learn(host.link.links())
    state.add_addresses([("late", ours), ("late", theirs)])
    added = [event for event in host.told("late") if isinstance(event, AddressAdded) and str(event.address).startswith("203")]
    assert [event.address for event in added] == [ours.address, theirs.address]
    host.node.run("ip", "address", "delete", "203.0.113.2/32", "dev", "late")
    state.remove_addresses([("late", ours)])
    removed = [event for event in host.told("late") if isinstance(event, AddressRemoved)]
    assert removed == [AddressRemoved("late", theirs.address, 32)]


def test_a_cable_that_is_pulled(host: Host) -> None:
    host.make("late")
    eventually(lambda: "state UP" in host.node.run("ip", "link", "show", "late"), "the link is up")
    host.news.everything()
    host.node.ip("link set late-peer down")
    eventually(
        lambda: [event for event in host.told("late") if isinstance(event, InterfaceChanged) and not event.interface.up], "down"
    )
