"""Any events in any order: no bug of ours comes up, and what is on the host always goes with the states."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from keepalived_py.addresses import Address
from keepalived_py.config.globals import GlobalDefs, VrrpDefaults
from keepalived_py.config.scripts import Script
from keepalived_py.config.tracking import Tracked, TrackFile, Tracking, TrackProcess, VrrpScript
from keepalived_py.config.vrrp import InterfaceDelay, SyncGroup, TrackLists, Vmac, Vrrp, VrrpInstance
from keepalived_py.units import Micro, micro
from keepalived_py.vrrp.actions import AddAddresses, CloseChannel, OpenChannel, RemoveAddresses, SendAdvert
from keepalived_py.vrrp.channel import Channel
from keepalived_py.vrrp.engine import VrrpEngine
from keepalived_py.vrrp.events import (
    AddressAdded,
    AddressRemoved,
    AdvertReceived,
    BfdState,
    FileContent,
    Interface,
    InterfaceChanged,
    InterfaceGone,
    OwnLag,
    ProcessCount,
    Reloaded,
    ScriptDone,
    Single,
    Started,
    StatisticsCleared,
    Stopping,
    TimerFired,
    WallClock,
)
from keepalived_py.vrrp.fsm import State
from tests.vrrp.bench import Peer
from tests.vrrp.builders import address, instance3, vips

NAMES = ("A", "B", "C")
TRACK = TrackLists((Tracked("eth1"),), (Tracked("s"),), (Tracked("f", 2),), (Tracked("p", 5),), (Tracked("b"),))
TRACKING = Tracking(
    (VrrpScript("s", Script(("/s",)), fall=2),),
    (TrackProcess("p", ("/p",), terminate_delay=micro(0.3)),),
    (TrackFile("f", "/f"),),
)


def base(number: int) -> VrrpInstance:
    return instance3(NAMES[number], virtual_router_id=number + 1, priority=150, virtual_addresses=vips(number + 1))


members = st.builds(
    lambda number, priority, preempt, tracked, vmac: replace(
        base(number),
        priority=priority,
        preempt=preempt,
        track=TRACK if tracked else TrackLists(),
        vmac=Vmac() if vmac else None,
    ),
    st.integers(0, 2),
    st.sampled_from([100, 150, 255]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


def configuration(instances: list[VrrpInstance], group: bool, delay: bool) -> Vrrp:
    unique = tuple({one.name: one for one in instances}.values())
    names = tuple(one.name for one in unique)
    return Vrrp(
        unique,
        (SyncGroup("G", names[:2]),) if group and names else (),
        interface_delays=(InterfaceDelay("eth0", micro(0.1), micro(0.1)),) if delay else (),
    )


configurations = st.builds(configuration, st.lists(members, min_size=1, max_size=3), st.booleans(), st.booleans())
interfaces = st.builds(
    lambda name, index, up: InterfaceChanged(Interface(name, index, up=up)),
    st.sampled_from(["eth0", "eth1", "vrrp.1", "vrrp.2"]),
    st.integers(2, 4),
    st.booleans(),
)
some_address = st.sampled_from([address(1), address(7), *(entry.address for entry in vips(1, 2, 3))])

events: st.SearchStrategy[Single | tuple[str, object]] = st.one_of(
    interfaces,
    st.sampled_from(["eth0", "eth1", "vrrp.1"]).map(InterfaceGone),
    st.builds(AddressAdded, st.sampled_from(["eth0", "vrrp.1"]), some_address, st.just(24)),
    st.builds(AddressRemoved, st.sampled_from(["eth0", "vrrp.1"]), some_address, st.just(24)),
    st.builds(FileContent, st.just("f"), st.integers(-300, 300)),
    st.builds(ProcessCount, st.just("p"), st.integers(0, 2)),
    st.builds(BfdState, st.just("b"), st.booleans()),
    st.builds(ScriptDone, st.just("s"), st.sampled_from([0, 1, None]), st.sampled_from([None, 9])),
    st.integers(0, 10**7).map(lambda span: OwnLag(Micro(span))),
    st.just(StatisticsCleared()),
    st.integers(-(10**9), 10**9).map(lambda offset: WallClock(Micro(offset))),
    st.builds(Reloaded, configurations, st.just(TRACKING)),
    st.tuples(st.just("advert"), st.tuples(st.integers(0, 2), st.integers(0, 255), st.integers(0, 3))),
    st.tuples(st.just("bytes"), st.binary(max_size=60)),
    st.tuples(st.just("wait"), st.sampled_from([0.01, 0.2, 1.0, 5.0])),
)


class Host:
    """An engine and what it has put on its host."""

    def __init__(self) -> None:
        self.engine = VrrpEngine()
        self.now = Micro(0)
        self.held: set[tuple[str, Address]] = set()
        self.open: set[Channel] = set()

    def feed(self, event: Single) -> None:
        for action in self.engine.handle(event, self.now):
            match action:
                case AddAddresses():
                    self.held |= {(placed.interface, placed.address.address) for placed in action.addresses}
                case RemoveAddresses():
                    self.held -= {(placed.interface, placed.address.address) for placed in action.addresses}
                case OpenChannel():
                    self.open.add(action.channel)
                case CloseChannel():
                    self.open.remove(action.channel)
                case SendAdvert():
                    assert len(action.packet) >= 20

    def wait(self, span: Micro) -> None:
        end = Micro(self.now + span)
        while (due := self.engine.deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.feed(TimerFired())
        self.now = end

    def play(self, step: Single | tuple[str, object]) -> None:
        if not isinstance(step, tuple):
            self.feed(step)
        elif step[0] == "wait":
            assert isinstance(step[1], float)
            self.wait(micro(step[1]))
        else:
            for channel in list(self.open):
                self.feed(AdvertReceived(channel, address(2), packet_of(step)))

    def check(self) -> None:
        snapshot = self.engine.snapshot()
        wanted = set()
        for found in snapshot.instances:
            assert found.has_addresses is (found.state is State.MASTER)
            assert (found.state is State.FAULT) or not found.faults
            assert (found.due is None) is (found.state is State.FAULT)
            if found.has_addresses:
                wanted |= {(placed.interface, placed.address.address) for placed in found.placement.all}
        assert self.held == wanted
        for group in snapshot.groups:
            mine = [found for found in snapshot.instances if found.group == group.config.name]
            if group.state is State.FAULT or any(found.faults for found in mine):
                assert {found.state for found in mine} == {State.FAULT}
            elif not group.pending:
                assert State.FAULT not in {found.state for found in mine}


def packet_of(step: tuple[str, object]) -> bytes:
    if step[0] == "bytes":
        assert isinstance(step[1], bytes)
        return step[1]
    assert isinstance(step[1], tuple)
    number, priority, sender = step[1]
    return Peer(base(number), sender).packet(priority)


@settings(max_examples=300, deadline=None)
@given(configurations, st.lists(events, max_size=40), st.sampled_from([0, micro(1)]))
def test_any_events_in_any_order(first: Vrrp, script: list[Single | tuple[str, object]], delay: int) -> None:
    host = Host()
    host.feed(InterfaceChanged(Interface("eth0", 2, up=True)))
    host.feed(AddressAdded("eth0", address(1), 24))
    host.feed(Started(first, TRACKING, GlobalDefs(vrrp=VrrpDefaults(startup_delay=Micro(delay)))))
    host.check()
    for step in script:
        host.play(step)
        host.check()
    host.feed(Stopping())
    assert host.held == set() and host.open == set() and host.engine.deadline() is None
