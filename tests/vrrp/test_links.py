"""Sockets, VMACs, source addresses, static entries: how the engine is joined to the host."""

from dataclasses import replace

import pytest

from keepalived_py.addresses import Address, Family
from keepalived_py.config.globals import GlobalDefs, VrrpDefaults
from keepalived_py.config.routing import Prefix, Route, Rule, RuleAction
from keepalived_py.config.vrrp import AuthType, Ipvlan, TrackGroup, UnicastPeer, Vmac, Vrrp
from keepalived_py.vrrp.actions import (
    AddAddresses,
    AddIpvlan,
    AddRoutes,
    AddRules,
    AddVmac,
    CloseChannel,
    Log,
    OpenChannel,
    PromoteSecondaries,
    RemoveAddresses,
    RemoveInterface,
    RemoveRoutes,
    RemoveRules,
    SendAdvert,
)
from keepalived_py.vrrp.channel import PROTOCOL_AH, PROTOCOL_VRRP, Channel
from keepalived_py.vrrp.events import (
    AddressAdded,
    AddressRemoved,
    AdvertReceived,
    Interface,
    InterfaceChanged,
    InterfaceGone,
    RouteLost,
    RuleLost,
)
from keepalived_py.vrrp.links import FLOOD
from keepalived_py.vrrp.placing import Names, candidates, place, virtual_mac
from tests.vrrp.bench import Bench
from tests.vrrp.builders import GROUP4, GROUP6, address, instance, instance3, instance6, password, unicast, vip, vips

PLAIN = instance3(priority=150)
MULTICAST = Channel(Family.INET, PROTOCOL_VRRP, "eth0", group=GROUP4)


def opened(bench: Bench) -> list[OpenChannel]:
    return bench.router.of(OpenChannel)


# Channels -------------------------------------------------------------------------------------------------------------------------


def test_instances_on_one_interface_share_a_channel() -> None:
    others = [replace(PLAIN, name=f"V{number}", virtual_router_id=number) for number in (7, 8)]
    bench = Bench(*others)
    (action,) = opened(bench)
    assert action.channel == MULTICAST and action.filter.virtual_router_ids == frozenset((7, 8))
    assert action.filter.hop_limit is None, "so that wrong ones can be counted"


@pytest.mark.parametrize(
    ("config", "channel"),
    [
        (instance(authentication=password(AuthType.AH)), Channel(Family.INET, PROTOCOL_AH, "eth0", group=GROUP4)),
        (instance(authentication=password(AuthType.PASS)), MULTICAST),
        (instance6(), Channel(Family.INET6, PROTOCOL_VRRP, "eth0", group=GROUP6)),
        (unicast(PLAIN), Channel(Family.INET, PROTOCOL_VRRP, "eth0", source=address(1))),
        (replace(unicast(PLAIN), source_address=None), Channel(Family.INET, PROTOCOL_VRRP, "eth0", source=address(1))),
        (
            replace(unicast(PLAIN), interface=None, vrf="red"),
            Channel(Family.INET, PROTOCOL_VRRP, None, "red", source=address(1)),
        ),
    ],
)
def test_which_channel(config: object, channel: Channel) -> None:
    (action,) = opened(Bench(config))  # type: ignore[arg-type]
    assert action.channel == channel


def test_a_channel_waits_for_its_interface_and_is_opened_again_when_that_comes_back() -> None:
    gone = Bench(replace(PLAIN, interface="eth7"))
    assert opened(gone) == [] and gone.state == "FAULT"
    gone.router.feed(InterfaceChanged(Interface("eth7", 9, up=True)))
    assert len(opened(gone)) == 1 and gone.state == "FAULT", "still without an address"
    gone.router.feed(AddressAdded("eth7", address(7), 24))
    assert gone.state == "BACKUP"
    gone.router.feed(InterfaceGone("eth7"))
    assert gone.state == "FAULT" and len(gone.router.of(CloseChannel)) == 1
    gone.router.feed(InterfaceChanged(Interface("eth7", 10, up=True)))
    gone.router.feed(AddressAdded("eth7", address(7), 24))
    assert len(opened(gone)) == 2 and gone.state == "BACKUP"


def test_a_channel_is_opened_before_the_advert_that_needs_it() -> None:
    bench = Bench(replace(PLAIN, priority=255))
    bench.run(0.001)
    kinds = [type(action) for action in bench.router.actions if isinstance(action, OpenChannel | SendAdvert)]
    assert kinds == [OpenChannel, SendAdvert]


def test_a_renamed_interface_is_another_one() -> None:
    bench = Bench(PLAIN).until_master()
    bench.router.feed(InterfaceGone("eth0"))
    bench.router.feed(InterfaceChanged(Interface("wan0", 2, up=True)))
    assert bench.state == "FAULT"


@pytest.mark.parametrize(
    ("policy", "buffer"), [((), None), (("4096",), 8192), (("ADVERT",), 3 * (36 + 40)), (("mtu",), 2 * 3 * 1500)]
)
def test_receive_buffers(policy: tuple[str, ...], buffer: int | None) -> None:
    globals_ = GlobalDefs(vrrp=VrrpDefaults(rx_bufs_policy=policy))
    other = replace(PLAIN, name="W", virtual_router_id=7, virtual_addresses=vips(7, 8, 9))
    assert opened(Bench(PLAIN, other, globals_=globals_))[0].receive_buffer == buffer


def test_kernel_rx_buf_size_beats_the_policy() -> None:
    globals_ = GlobalDefs(vrrp=VrrpDefaults(rx_bufs_policy=("4096",)))
    assert opened(Bench(replace(PLAIN, kernel_rx_buf_size=99), globals_=globals_))[0].receive_buffer == 99


def test_unknown_router_ids_are_logged_where_that_is_wanted() -> None:
    logging = GlobalDefs(vrrp=VrrpDefaults(log_unknown_vrids=True))
    bench = Bench(PLAIN, globals_=logging)
    assert opened(bench)[0].filter.virtual_router_ids is None
    bench.packet(bench.peer(2, replace(PLAIN, virtual_router_id=99)).packet(100))
    assert bench.router.log()[-1] == "Unknown VRID(99) received on interface(eth0) from 192.0.2.2. ignoring..."
    quiet = Bench(PLAIN)
    quiet.router.forget()
    quiet.packet(quiet.peer(2, replace(PLAIN, virtual_router_id=99)).packet(100))
    assert quiet.router.log() == []


def test_packets_of_unknown_channels_and_mutilated_ones_are_ignored() -> None:
    bench = Bench(PLAIN)
    bench.router.forget()
    stray = Channel(Family.INET, PROTOCOL_VRRP, "eth1", group=GROUP4)
    assert bench.router.feed(AdvertReceived(stray, address(2), bench.peer(2).packet(255))) == []
    for length in range(30):
        assert bench.packet(bytes(length)) == []


def test_unicast_instances_of_one_router_id_are_told_apart_by_their_peers() -> None:
    first = unicast(replace(PLAIN, name="A"), 2)
    second = unicast(replace(PLAIN, name="B", virtual_addresses=vips(7)), 3)
    bench = Bench(first, second)
    bench.advert(200, number=3, config=replace(second, unicast_peers=(UnicastPeer(address(1)),)), name="B")
    snapshot = bench.router.engine.snapshot()
    assert [found.master for found in snapshot.instances] == [None, address(3)]


def test_ipv6_multicast_on_a_unicast_socket_is_not_ours_and_not_counted() -> None:
    config = replace(instance6(), multicast_group=None, unicast_peers=(UnicastPeer(Address.parse("fe80::2")),))
    bench = Bench(config)
    channel = opened(bench)[0].channel
    bench.router.feed(AdvertReceived(channel, Address.parse("fe80::2"), bench.peer(2).packet(200), GROUP6, 255))
    assert bench.router.instance().statistics.addr_list_err == 0 and bench.router.instance().master is None


# Floods ---------------------------------------------------------------------------------------------------------------------------


def test_a_flood_of_wrong_packets_closes_the_filter_for_ten_seconds() -> None:
    bench = Bench(PLAIN).until_master()
    wrong = bytearray(bench.peer(2).packet(255))
    wrong[8] = 7
    for _ in range(FLOOD + 1):
        bench.packet(bytes(wrong))
    (strict,) = opened(bench)
    assert strict.filter.hop_limit == 255 and bench.router.instance().statistics.ip_ttl_err == FLOOD + 1
    bench.run(11)
    assert opened(bench)[-1].filter.hop_limit is None
    assert len(bench.sent()) == 110 and bench.state == "MASTER"


def test_a_flooded_unicast_channel_lets_in_known_senders_only_where_all_check_them() -> None:
    for checked, sources in ((False, []), (True, [frozenset((address(2), address(3)))])):
        bench = Bench(unicast(replace(PLAIN, check_unicast_src=checked)))
        bench.router.forget()
        for _ in range(FLOOD + 1):
            bench.packet(bench.peer(2).packet(1)[:-1])
        assert [action.filter.sources for action in opened(bench)] == sources


def test_a_few_wrong_packets_a_second_are_no_flood() -> None:
    bench = Bench(PLAIN).until_master()
    for _ in range(300):
        bench.packet(bench.peer(2).packet(1)[:-1])
        bench.run(0.011)
    assert opened(bench) == []


# VMACs ----------------------------------------------------------------------------------------------------------------------------


def test_names_of_vmacs() -> None:
    def first(prefix: str, family: Family, count: int) -> list[str]:
        found = candidates(prefix, family, 51)
        return [next(found) for _ in range(count)]

    assert first("vrrp", Family.INET, 3) == ["vrrp.51", "vrrp1.51", "vrrp2.51"]
    assert first("vrrp", Family.INET6, 9)[:4] == ["vrrp.51", "vrrp6.51", "vrrp1.51", "vrrp2.51"]
    assert first("vrrp", Family.INET6, 9).count("vrrp6.51") == 1
    assert first("a_very_long_prefix", Family.INET, 2) == ["a_very_long_.51", "a_very_long1.51"]


def test_names_that_are_taken_are_passed_over_and_left_overs_used_again() -> None:
    names = Names()
    mac = virtual_mac(Family.INET, 51)
    taken = Interface("vrrp.51", 9, up=True, mac=b"\2" * 6, base="eth0")
    names.look_at({"vrrp.51": taken})
    assert names.choose("eth0", mac, "vrrp", Family.INET, 51, None) == "vrrp1.51"
    assert names.choose("eth0", mac, "vrrp", Family.INET, 51, None) == "vrrp1.51", "given once, kept"
    assert names.choose("eth1", mac, "vrrp", Family.INET, 51, None) == "vrrp2.51"
    names = Names()
    names.look_at({"old": Interface("old", 9, up=True, mac=mac, base="eth0")})
    assert names.choose("eth0", mac, "vrrp", Family.INET, 51, None) == "old"
    assert names.choose("eth2", mac, "vrrp", Family.INET, 51, "mine") == "mine"


VMAC = replace(PLAIN, vmac=Vmac())


def test_an_instance_waits_silently_for_its_vmac() -> None:
    bench = Bench(VMAC)
    (made,) = bench.router.of(AddVmac)
    assert (made.name, made.base, made.mac.hex()) == ("vrrp.51", "eth0", "00005e000133")
    assert bench.router.fifo() == []
    bench.run(0.002)
    assert bench.state == "BACKUP" and bench.router.fifo() == ['INSTANCE "V" BACKUP 150']
    bench.run(1)
    (added,) = bench.router.of(AddAddresses)
    assert {placed.interface for placed in added.addresses} == {"vrrp.51"}
    (advert, *_) = bench.router.of(SendAdvert)
    assert (advert.channel.interface, advert.source) == ("vrrp.51", address(1))


def test_a_vmac_that_does_not_appear_is_a_fault_after_a_while() -> None:
    bench = Bench(VMAC)
    bench.lan._queue.clear()
    bench.run(1.9)
    assert bench.router.fifo() == []
    bench.run(0.2)
    assert bench.router.fifo() == ['INSTANCE "V" FAULT 150']
    assert bench.router.instance().faults == ("interface vrrp.51 is down",)


def test_an_ipv6_vmac_gets_the_link_local_address_of_its_base_and_sends_from_it() -> None:
    bench = Bench(replace(instance6(), vmac=Vmac()))
    (made,) = bench.router.of(AddVmac)
    assert (made.mac.hex(), str(made.link_local)) == ("00005e000233", "fe80::1")
    bench.run(1)
    (advert, *_) = bench.router.of(SendAdvert)
    assert (advert.channel.interface, str(advert.source)) == ("vrrp.51", "fe80::1")


def test_vmac_xmit_base_sends_from_the_base() -> None:
    bench = Bench(replace(VMAC, vmac_xmit_base=True))
    bench.run(1)
    (advert, *_) = bench.router.of(SendAdvert)
    assert advert.channel.interface == "eth0" and bench.router.of(AddVmac)[0].xmit_base


def test_a_vmac_is_made_again_when_its_base_comes_back_and_removed_in_the_end() -> None:
    bench = Bench(VMAC)
    bench.run(1)
    bench.router.feed(InterfaceGone("vrrp.51"))
    bench.router.feed(InterfaceGone("eth0"))
    bench.router.forget()
    bench.router.feed(InterfaceChanged(Interface("eth0", 8, up=True)))
    assert [made.name for made in bench.router.of(AddVmac)] == ["vrrp.51"]
    bench.router.feed(AddressAdded("eth0", address(1), 24))
    bench.run(2)
    assert bench.state == "MASTER"
    actions = bench.router.stop()
    assert actions[-1] == RemoveInterface("vrrp.51")


def test_a_reload_without_the_vmac_removes_it_after_everything_else() -> None:
    bench = Bench(VMAC)
    bench.run(1)
    actions = bench.router.reload(PLAIN)
    assert actions[-1] == RemoveInterface("vrrp.51")
    assert any(isinstance(action, RemoveAddresses) for action in actions)


def test_where_addresses_go() -> None:
    config = replace(
        VMAC,
        excluded_addresses=(
            vip(9),
            replace(vip(8), interface="eth0"),
            replace(vip(7), interface="eth1"),
            vip("2001:db8::9"),
            replace(vip(6), interface="eth1", use_vmac=True),
        ),
    )
    plain = place(config, GlobalDefs(), Names())
    assert [placed.interface for placed in plain.excluded] == ["vrrp.51", "vrrp.51", "eth1", "eth0", "vrrp1.51"]
    everywhere = place(replace(config, vmac_addresses=True), GlobalDefs(vmac_addr_prefix="vip"), Names())
    assert [placed.interface for placed in everywhere.excluded] == ["vrrp.51", "vrrp.51", "vip.51", "vip6.51", "vip.51"]
    macs = {made.name: made.mac.hex() for made in everywhere.made if isinstance(made, AddVmac)}
    assert macs == {"vrrp.51": "00005e000133", "vip.51": "00005e000133", "vip6.51": "00005e000233"}


def test_a_configured_mac_and_name() -> None:
    made = place(replace(PLAIN, vmac=Vmac("mine", b"\2\0\0\0\0\7")), GlobalDefs(), Names()).made
    assert [(one.name, one.mac) for one in made if isinstance(one, AddVmac)] == [("mine", b"\2\0\0\0\0\7")]


def test_an_ipvlan_sends_from_its_own_address() -> None:
    config = replace(PLAIN, ipvlan=Ipvlan(address=address(77)))
    bench = Bench(config)
    (made,) = bench.router.of(AddIpvlan)
    assert (made.name, made.base) == ("vrrp.51", "eth0")
    assert bench.router.instance().source == address(77)


def test_promote_secondaries_is_set_and_restored() -> None:
    bench = Bench(replace(PLAIN, promote_secondaries=True))
    assert bench.router.of(PromoteSecondaries) == [PromoteSecondaries("eth0", on=True)]
    bench.router.stop()
    assert bench.router.of(PromoteSecondaries)[-1] == PromoteSecondaries("eth0", on=False)


# Static entries -------------------------------------------------------------------------------------------------------------------

STATIC = replace(vip(200), interface="eth1")
ROUTE = Route(Prefix(address(0), 24), Family.INET, interface="eth1")
RULE = Rule(Family.INET, 100, RuleAction.TO_TABLE, table=7)


def static(*instances: object, **more: object) -> Vrrp:
    base = Vrrp(instances, static_addresses=(STATIC,), static_routes=(ROUTE,), static_rules=(RULE,))  # type: ignore[arg-type]
    return replace(base, **more)  # type: ignore[arg-type]


def test_static_entries_are_there_from_start_to_stop() -> None:
    bench = Bench(PLAIN, vrrp=static(PLAIN))
    kinds = (AddAddresses, AddRoutes, AddRules, RemoveAddresses, RemoveRoutes, RemoveRules)
    mine = [action for action in bench.router.any_of(*kinds) if getattr(action, "instance", "") is None]
    assert [type(action) for action in mine] == [RemoveAddresses, RemoveRoutes, RemoveRules, AddAddresses, AddRoutes, AddRules]
    bench.router.forget()
    bench.router.stop()
    mine = [action for action in bench.router.any_of(*kinds) if getattr(action, "instance", "") is None]
    assert [type(action) for action in mine] == [RemoveRules, RemoveRoutes, RemoveAddresses]


def test_static_entries_are_put_back_unless_untracked() -> None:
    bench = Bench(PLAIN, vrrp=static(PLAIN))
    for event, kind in (
        (AddressRemoved("eth1", STATIC.address, 24), AddAddresses),
        (RouteLost(None, ROUTE), AddRoutes),
        (RuleLost(None, RULE), AddRules),
    ):
        assert [type(action) for action in bench.router.feed(event)] == [kind]
    untracked = static(PLAIN, static_addresses=(replace(STATIC, no_track=True),))
    bench = Bench(PLAIN, vrrp=untracked)
    assert bench.router.feed(AddressRemoved("eth1", STATIC.address, 24)) == []
    assert bench.router.feed(RouteLost(None, replace(ROUTE, no_track=True))) == []


def test_static_entries_come_back_with_their_interface() -> None:
    bench = Bench(PLAIN, vrrp=static(PLAIN))
    bench.router.feed(InterfaceGone("eth1"))
    actions = bench.router.feed(InterfaceChanged(Interface("eth1", 9, up=True)))
    assert [type(action) for action in actions] == [AddAddresses, AddRoutes]


def test_a_reload_changes_static_entries_by_difference() -> None:
    bench = Bench(PLAIN, vrrp=static(PLAIN))
    other = replace(vip(201), interface="eth1")
    actions = bench.router.reload(vrrp=static(PLAIN, static_addresses=(STATIC, other)))
    (added,) = [action for action in actions if not isinstance(action, Log)]
    assert isinstance(added, AddAddresses) and [placed.address for placed in added.addresses] == [other]


def test_an_instance_of_a_track_group_needs_the_interfaces_of_its_static_entries() -> None:
    tracked = static(PLAIN, static_addresses=(replace(STATIC, track_group="T"),), track_groups=(TrackGroup("T", ("V",)),))
    bench = Bench(PLAIN, vrrp=tracked).until_master()
    bench.router.feed(InterfaceChanged(Interface("eth1", 3, up=False)))
    assert bench.state == "FAULT"
