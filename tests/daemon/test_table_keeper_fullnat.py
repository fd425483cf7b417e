"""The table keeper on a kernel with FULLNAT: local addresses follow the configuration, and a reload sends only what changed."""

from dataclasses import replace
from pathlib import Path

import pytest

from keepalived_py.addresses import Address
from keepalived_py.config.globals import GlobalDefs
from keepalived_py.config.lvs import (
    Forwarding,
    ForwardingMethod,
    LocalAddressEntry,
    LocalAddressGroup,
    Lvs,
    RealServer,
    ServiceFlags,
    VirtualServer,
)
from keepalived_py.ipvs.features import KernelFeatures
from keepalived_py.units import Seconds
from tests.daemon.desk import Desk, publish, run
from tests.healthcheck.builders import VIP, VS, checked, service

FULLNAT = Forwarding(ForwardingMethod.FULLNAT)


def by_fullnat(server: VirtualServer) -> VirtualServer:
    reals = tuple(replace(real, forwarding=FULLNAT) for real in server.real_servers)
    return replace(server, forwarding=FULLNAT, real_servers=reals, laddr_group_name="g")


SHOP = by_fullnat(service(checked(1), checked(2)))


def group(*addresses: str) -> LocalAddressGroup:
    parsed = [Address.parse(address) for address in addresses]
    return LocalAddressGroup("g", tuple(LocalAddressEntry(each, each) for each in parsed))


def lvs(server: VirtualServer, *addresses: str) -> Lvs:
    return Lvs((server,), local_address_groups=(group(*addresses),))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    made.kernel.features = KernelFeatures(fullnat=True)
    return made


async def begin(desk: Desk, configuration: Lvs) -> None:
    await desk.begin()
    changed = [server.target for server in configuration.virtual_servers]
    await desk.keeper.reload(GlobalDefs(), configuration, changed, [publish({1: 1, 2: 1})])


def test_a_service_gets_its_addresses_before_its_servers(desk: Desk) -> None:
    run(begin(desk, lvs(replace(SHOP, est_timeout=Seconds(90)), "198.51.100.1", "198.51.100.2")))
    assert desk.sent() == [
        f"NEW_SERVICE {VS}",
        f"SET_SERVICE {VS}",
        f"NEW_LADDR {VS} via 198.51.100.1",
        f"NEW_LADDR {VS} via 198.51.100.2",
        f"NEW_DEST {VS} -> [192.0.2.1]:80",
        f"NEW_DEST {VS} -> [192.0.2.2]:80",
    ]
    assert desk.log.lines == []


def test_a_reload_that_edits_a_group_edits_only_these_addresses(desk: Desk) -> None:
    async def main() -> None:
        await begin(desk, lvs(SHOP, "198.51.100.1", "198.51.100.2"))
        desk.sent()
        # No virtual server has changed, only the group that one names.
        await desk.keeper.reload(GlobalDefs(), lvs(SHOP, "198.51.100.2", "198.51.100.3"), [], [])
        assert desk.sent() == [f"NEW_LADDR {VS} via 198.51.100.3", f"DEL_LADDR {VS} via 198.51.100.1"]
        await desk.keeper.reload(GlobalDefs(), lvs(SHOP, "198.51.100.2", "198.51.100.3"), [], [])
        assert desk.sent() == []
        algo = replace(SHOP, lb_algo="rr")
        await desk.keeper.reload(GlobalDefs(), lvs(algo, "198.51.100.2", "198.51.100.3"), [VIP], [])
        assert desk.sent() == [f"SET_SERVICE {VS}"]

    run(main())


def test_a_service_turns_from_nat_to_fullnat_and_back_without_being_removed(desk: Desk) -> None:
    nat = service(checked(1), checked(2))

    async def main() -> None:
        await begin(desk, lvs(nat, "198.51.100.1"))
        desk.sent()
        await desk.keeper.reload(GlobalDefs(), lvs(SHOP, "198.51.100.1"), [VIP], [publish({1: 1, 2: 1})])
        there = desk.sent()
        await desk.keeper.reload(GlobalDefs(), lvs(nat, "198.51.100.1"), [VIP], [publish({1: 1, 2: 1})])
        back = desk.sent()
        assert there[0] == f"NEW_LADDR {VS} via 198.51.100.1"
        assert all(line.startswith(("SET_", "NEW_LADDR", "DEL_LADDR")) for line in there + back), there + back

    run(main())


def test_who_takes_over_leaves_local_addresses_alone_that_are_right(desk: Desk) -> None:
    async def main() -> None:
        await begin(desk, lvs(SHOP, "198.51.100.1"))
        desk.restart()
        await desk.keeper.start(takes_over=True)
        await desk.keeper.reload(GlobalDefs(), lvs(SHOP, "198.51.100.1"), [VIP], [publish({1: 1, 2: 1})])
        assert desk.sent() == []

    run(main())


def test_the_stop_removes_the_service_and_with_it_its_addresses(desk: Desk) -> None:
    async def main() -> None:
        await begin(desk, lvs(SHOP, "198.51.100.1"))
        await desk.keeper.stop(release=True)
        assert desk.kernel.kernel.table() == {}
        assert desk.kernel.kernel.fullnat == {}

    run(main())


def test_a_single_real_server_may_be_reached_by_fullnat(desk: Desk) -> None:
    """The method is the server's, so one FULLNAT server among others gives the service local addresses."""
    mixed = replace(service(checked(1), checked(2)), laddr_group_name="g", flags=ServiceFlags.NONE)
    first, second = mixed.real_servers
    mixed = replace(mixed, real_servers=(RealServer(first.address, first.port, forwarding=FULLNAT), second))
    run(begin(desk, lvs(mixed, "198.51.100.1")))
    assert f"NEW_LADDR {VS} via 198.51.100.1" in desk.sent()
