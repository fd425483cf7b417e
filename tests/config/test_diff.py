"""The difference between two configurations: applying it to the old one gives the new one, and keeps what did not change."""

import pickle

from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.addresses import Address, Family
from keepalived_py.config.diff import LvsSummary, diff_lvs, summarise
from keepalived_py.config.lvs import (
    AddressEntry,
    AddressTarget,
    FwmarkTarget,
    GroupTarget,
    Lvs,
    Protocol,
    RealServer,
    Target,
    VirtualServer,
    VirtualServerGroup,
)

TARGETS: tuple[Target, ...] = (
    AddressTarget(Address.parse("203.0.113.1"), 80, Protocol.TCP),
    AddressTarget(Address.parse("203.0.113.1"), 80, Protocol.UDP),
    AddressTarget(Address.parse("2001:db8::1"), 80, Protocol.TCP),
    FwmarkTarget(7, Family.INET),
    GroupTarget("shop", Protocol.TCP),
)


def server(target: Target, weight: int = 1, *reals: int) -> VirtualServer:
    servers = tuple(RealServer(Address.parse(f"192.0.2.{number}"), 80, weight) for number in reals)
    return VirtualServer(target, Family.INET, weight=weight, real_servers=servers)


def group(last: int) -> VirtualServerGroup:
    first = Address.parse("203.0.113.0")
    return VirtualServerGroup("shop", (AddressEntry(first, first + last, 80),))


servers = st.builds(server, st.sampled_from(TARGETS), st.integers(1, 2), st.integers(1, 3))
configurations = st.builds(
    lambda virtual, last: Lvs(tuple(virtual), (group(last),)), st.lists(servers, max_size=7), st.integers(0, 2)
)


@given(configurations, configurations)
def test_the_delta_makes_the_new_out_of_the_old(old: Lvs, new: Lvs) -> None:
    """Two virtual servers may share a target: the reference keeps both, and so must the delta."""
    delta = diff_lvs(old, new)
    assert delta.apply(old) == new
    assert pickle.loads(pickle.dumps(delta)).apply(old) == new


@given(configurations, configurations)
def test_what_did_not_change_is_the_same_object(old: Lvs, new: Lvs) -> None:
    first: dict[Target, VirtualServer] = {}
    for one in old.virtual_servers:
        first.setdefault(one.target, one)
    for result in diff_lvs(old, new).apply(old).virtual_servers:
        if first.get(result.target) == result:
            assert result is first[result.target]


@given(configurations)
def test_an_equal_configuration_makes_an_empty_delta(config: Lvs) -> None:
    unique = Lvs(tuple({one.target: one for one in config.virtual_servers}.values()), config.groups)
    assert diff_lvs(unique, pickle.loads(pickle.dumps(unique))).changed == ()


@given(configurations, configurations)
def test_the_summary_counts_targets(old: Lvs, new: Lvs) -> None:
    summary = summarise(old, diff_lvs(old, new))
    before, after = ({one.target for one in config.virtual_servers} for config in (old, new))
    assert summary.added == len(after - before)
    assert summary.removed == len(before - after)
    assert summary.changed + summary.unchanged == len(before & after)


def test_each_kind_of_change_is_counted() -> None:
    old = Lvs((server(TARGETS[0]), server(TARGETS[1]), server(TARGETS[2])))
    new = Lvs((server(TARGETS[3]), server(TARGETS[0], 2), server(TARGETS[2])))
    delta = diff_lvs(old, new)
    assert delta.changed == (new.virtual_servers[0], new.virtual_servers[1])
    assert summarise(old, delta) == LvsSummary(added=1, changed=1, removed=1, unchanged=1)
    assert str(summarise(old, delta)) == "1 added, 1 changed, 1 removed, 1 unchanged"


def test_a_group_that_changes_is_in_the_delta_although_no_virtual_server_does() -> None:
    shop = server(TARGETS[4], 1, 1)
    delta = diff_lvs(Lvs((shop,), (group(0),)), Lvs((shop,), (group(1),)))
    assert delta.changed == ()
    assert delta.apply(Lvs((shop,), (group(0),))).groups == (group(1),)
