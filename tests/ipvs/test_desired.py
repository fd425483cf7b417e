"""From configuration and pool state to entries, and back."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.addresses import Address, Family
from keepalived_py.config.lvs import (
    AddressEntry,
    AddressTarget,
    Forwarding,
    ForwardingMethod,
    FwmarkEntry,
    FwmarkTarget,
    GroupTarget,
    Lvs,
    Protocol,
    RealServer,
    ServerKey,
    ServiceFlags,
    SorryServer,
    TunnelChecksum,
    TunnelType,
    VirtualServer,
    VirtualServerGroup,
)
from keepalived_py.ipvs.desired import (
    Clash,
    PoolState,
    candidates,
    desired,
    entries,
    observed,
    service_keys,
    service_of,
    strangers,
)
from keepalived_py.ipvs.table import Destination, Service, ServiceEntry, ServiceKey, entry, table
from keepalived_py.units import Seconds

DR, TUN, FNAT = ForwardingMethod.DROUTE, ForwardingMethod.TUNNEL, ForwardingMethod.FULLNAT
WEB = AddressTarget(Address.parse("192.0.2.1"), 80, Protocol.TCP)
WEB6 = AddressTarget(Address.parse("2001:db8::1"), 80, Protocol.TCP)


def address(text: str) -> Address:
    return Address.parse(text)


def real(number: int, port: int = 80, method: ForwardingMethod = ForwardingMethod.MASQ, weight: int = 1) -> RealServer:
    return RealServer(address(f"198.51.100.{number}"), port, weight, Forwarding(method))


def span(first: str, last: str | None = None, port: int = 80) -> AddressEntry:
    return AddressEntry(address(first), address(last or first), port)


SHOP = VirtualServerGroup(
    "shop",
    (
        FwmarkEntry(7),
        span("192.0.2.10"),
        span("192.0.2.20", "192.0.2.22", 443),
        FwmarkEntry(8, Family.INET6),
        span("192.0.2.5"),
    ),
)
GROUPS = {"shop": SHOP}
SHOP_KEYS: list[ServiceKey] = [
    AddressTarget(address("192.0.2.10"), 80, Protocol.TCP),
    AddressTarget(address("192.0.2.20"), 443, Protocol.TCP),
    AddressTarget(address("192.0.2.21"), 443, Protocol.TCP),
    AddressTarget(address("192.0.2.22"), 443, Protocol.TCP),
    AddressTarget(address("192.0.2.5"), 80, Protocol.TCP),
    FwmarkTarget(7, Family.INET),
    FwmarkTarget(8, Family.INET6),
]


def shop(**fields: object) -> VirtualServer:
    server = VirtualServer(GroupTarget("shop", Protocol.TCP), Family.INET, real_servers=(real(1), real(2, 8080)))
    return replace(server, **fields)  # type: ignore[arg-type]


def web(**fields: object) -> VirtualServer:
    server = VirtualServer(WEB, Family.INET, real_servers=(real(1), real(2), real(3)))
    return replace(server, **fields)  # type: ignore[arg-type]


def up(server: VirtualServer) -> PoolState:
    return PoolState({it.key: it.weight for it in server.real_servers})


# --- services --------------------------------------------------------------------------------------------------------------------


def test_a_group_is_its_addresses_then_its_marks_in_the_order_of_the_configuration() -> None:
    assert list(service_keys(shop(), GROUPS)) == SHOP_KEYS


def test_a_mark_without_a_family_has_that_of_the_virtual_server() -> None:
    assert FwmarkTarget(7, Family.INET6) in service_keys(shop(family=Family.INET6), GROUPS)


def test_single_targets_are_their_own_key_and_unknown_groups_have_none() -> None:
    for target in WEB, WEB6, FwmarkTarget(3, Family.INET6):
        assert list(service_keys(VirtualServer(target, target.family), {})) == [target]
    assert list(service_keys(shop(), {})) == []


@pytest.mark.parametrize(("key", "host"), [(WEB, 32), (WEB6, 128), (FwmarkTarget(1, Family.INET6), 128)])
def test_without_persistence_every_client_stands_for_itself(key: AddressTarget | FwmarkTarget, host: int) -> None:
    server = VirtualServer(
        key, key.family, lb_algo="sh", flags=ServiceFlags.SCHED1, persistence_engine="sip", persistence_granularity=8
    )
    assert service_of(server, key) == Service(key, "sh", host, ServiceFlags.SCHED1)


def test_persistence() -> None:
    server = web(persistence_timeout=Seconds(300), flags=ServiceFlags.ONE_PACKET, persistence_engine="sip")
    expected = Service(WEB, "wlc", 32, ServiceFlags.ONE_PACKET | ServiceFlags.PERSISTENT, Seconds(300), "sip")
    assert service_of(server, WEB) == expected
    assert service_of(replace(server, persistence_granularity=24), WEB) == replace(expected, netmask=24)
    assert service_of(replace(server, persistence_granularity=0), WEB) == replace(expected, netmask=0)


def test_a_persistence_mask_is_for_the_family_of_the_virtual_server() -> None:
    server = shop(persistence_timeout=Seconds(60), persistence_granularity=20)
    masks = {entry.key: entry.service.netmask for entry in entries(server, GROUPS, PoolState())}
    assert masks[SHOP_KEYS[0]] == 20
    assert masks[FwmarkTarget(8, Family.INET6)] == 128


# --- destinations ----------------------------------------------------------------------------------------------------------------


def test_servers_that_are_in_the_table_with_their_weight() -> None:
    server = web()
    (made,) = entries(server, {}, PoolState({real(3).key: 0, real(1).key: 7}))
    assert list(made.destinations.values()) == [Destination(real(1).key, weight=7), Destination(real(3).key, weight=0)]


def test_attributes_of_destinations() -> None:
    gue = Forwarding(TUN, TunnelType.GUE, 6080, TunnelChecksum.CSUM)
    tunnelled = RealServer(address("2001:db8:100::1"), 80, forwarding=gue, uthreshold=200, lthreshold=100)
    (made,) = entries(web(real_servers=(tunnelled,)), {}, PoolState({tunnelled.key: 5}))
    assert list(made.destinations.values()) == [Destination(tunnelled.key, gue, 5, 200, 100)]


def test_what_the_kernel_would_refuse_or_forget_is_brought_to_what_it_keeps() -> None:
    odd = replace(
        real(1),
        uthreshold=2**32,
        lthreshold=2**33,
        forwarding=Forwarding(DR, TunnelType.GUE, 6080, TunnelChecksum.CSUM),
    )
    (made,) = entries(web(real_servers=(odd,)), {}, PoolState({odd.key: 2**40}))
    assert list(made.destinations.values()) == [Destination(odd.key, Forwarding(DR), 2**31 - 1, 2**31 - 1, 2**31 - 1)]
    (made,) = entries(web(real_servers=(replace(odd, uthreshold=5),)), {}, PoolState({odd.key: -3}))
    assert list(made.destinations.values()) == [Destination(odd.key, Forwarding(DR), 0, 5, 5)]


@pytest.mark.parametrize(("method", "ports"), [(DR, [80, 443, 0]), (TUN, [80, 443, 0]), (FNAT, [8080] * 3)])
def test_only_nat_changes_ports(method: ForwardingMethod, ports: list[int]) -> None:
    made = entries(shop(real_servers=(real(1, 8080, method),)), GROUPS, PoolState({ServerKey(address("198.51.100.1"), 8080): 1}))
    found = {it.key: [destination.port for destination in it.destinations] for it in made}
    assert [found[SHOP_KEYS[index]] for index in (0, 1, 5)] == [[port] for port in ports]


def test_every_entry_of_a_group_has_the_same_destinations_and_shares_them() -> None:
    made = entries(shop(), GROUPS, up(shop()))
    assert [it.key for it in made] == SHOP_KEYS
    assert all(list(it.destinations) == [real(1).key, real(2, 8080).key] for it in made)
    assert made[1].destinations is made[2].destinations


# --- the sorry server ------------------------------------------------------------------------------------------------------------

SORRY = SorryServer(address("198.51.100.99"), 8080)


def test_the_sorry_server_comes_last_and_only_when_it_is_wanted() -> None:
    server = web(sorry_server=SORRY)
    (absent,) = entries(server, {}, PoolState({real(1).key: 0}))
    (present,) = entries(server, {}, PoolState({real(1).key: 0}, 1))
    assert list(absent.destinations) == [real(1).key]
    assert list(present.destinations.values()) == [Destination(real(1).key, weight=0), Destination(SORRY.key)]
    assert list(entries(web(), {}, PoolState({}, 1))[0].destinations) == []


@pytest.mark.parametrize(("real_weight", "sorry_weight", "winner"), [(0, 1, TUN), (5, 0, DR), (1, 1, DR), (0, 0, DR)])
def test_a_sorry_server_that_is_a_real_server_is_there_once_in_the_role_that_has_traffic(
    real_weight: int, sorry_weight: int, winner: ForwardingMethod
) -> None:
    both = replace(real(1), forwarding=Forwarding(DR))
    server = web(real_servers=(both,), sorry_server=SorryServer(both.address, 80, Forwarding(TUN)))
    (made,) = entries(server, {}, PoolState({both.key: real_weight}, sorry_weight))
    assert list(made.destinations.values()) == [Destination(both.key, Forwarding(winner), max(real_weight, sorry_weight))]


# --- the whole table -------------------------------------------------------------------------------------------------------------


def test_the_whole_table_in_the_order_of_the_configuration() -> None:
    lvs = Lvs((web(), shop()), (SHOP,))
    whole, clashes = desired(lvs, {WEB: up(web())})
    assert list(whole) == [WEB, *SHOP_KEYS]
    assert list(whole[WEB].destinations) == [real(1).key, real(2).key, real(3).key]
    assert not whole[SHOP_KEYS[0]].destinations
    assert clashes == []


def test_a_key_belongs_to_the_first_virtual_server_that_names_it() -> None:
    rival = VirtualServer(SHOP_KEYS[1], Family.INET, lb_algo="rr")
    whole, clashes = desired(Lvs((rival, shop()), (SHOP,)), {})
    assert whole[SHOP_KEYS[1]].service.scheduler == "rr"
    assert clashes == [Clash(SHOP_KEYS[1], rival, shop())]


def test_candidates_and_strangers() -> None:
    server = web(sorry_server=SORRY)
    known = candidates(server, {})
    assert known == {WEB: frozenset({real(1).key, real(2).key, real(3).key, SORRY.key})}
    odd = Destination(ServerKey(address("203.0.113.7"), 80))
    other = FwmarkTarget(99, Family.INET)
    actual = table(
        [
            entry(Service(WEB, "wlc", 32), [Destination(real(2).key), odd, Destination(SORRY.key)]),
            entry(Service(other, "wlc", 32), [odd]),
        ]
    )
    assert strangers(actual, known) == [(WEB, odd.key)]
    assert strangers({}, known) == []


# --- and back --------------------------------------------------------------------------------------------------------------------

pools = st.builds(
    PoolState,
    st.dictionaries(st.sampled_from([real(number).key for number in (1, 2, 3)]), st.integers(0, 2**31 - 1)),
    st.none() | st.integers(0, 1),
)


@given(pools, st.sampled_from([ForwardingMethod.MASQ, DR, FNAT]), st.booleans())
def test_what_was_made_of_a_pool_state_can_be_read_back(pool: PoolState, method: ForwardingMethod, group: bool) -> None:
    servers = tuple(real(number, 80, method) for number in (1, 2, 3))
    server = (shop if group else web)(real_servers=servers, sorry_server=replace(SORRY, forwarding=Forwarding(method)))
    actual = table(entries(server, GROUPS, pool))
    assert observed(server, GROUPS, actual) == pool


def test_nothing_is_read_out_of_what_is_not_there() -> None:
    assert observed(web(sorry_server=SORRY), {}, {}) == PoolState()


def test_a_server_in_any_service_of_the_group_is_seen() -> None:
    made = entries(shop(), GROUPS, PoolState({real(1).key: 4}))
    partly = [ServiceEntry(made[0].service, {}), *made[1:]]
    assert observed(shop(), GROUPS, table(partly)) == PoolState({real(1).key: 4})


def test_a_sorry_server_that_is_a_real_server_is_read_as_the_real_server() -> None:
    server = web(sorry_server=SorryServer(real(1).address, 80))
    actual = table(entries(server, {}, PoolState({}, 1)))
    assert observed(server, {}, actual) == PoolState({real(1).key: 1})


def test_a_server_that_leaves_stays_with_weight_0_unless_the_configuration_has_it_again() -> None:
    gone = real(9)
    (made,) = entries(web(), {}, PoolState({real(1).key: 3}, None, (gone, real(1))))
    assert {key: destination.weight for key, destination in made.destinations.items()} == {real(1).key: 3, gone.key: 0}
