"""The table keeper against a simulated kernel: what it sends, what it leaves alone, and how it gets over refusals."""

import asyncio
import errno
import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from keepalived_py.addresses import Address, Family
from keepalived_py.config.globals import GlobalDefs, LvsSyncDaemon, LvsTimeouts
from keepalived_py.config.lvs import (
    AddressEntry,
    AddressTarget,
    Forwarding,
    ForwardingMethod,
    FwmarkEntry,
    FwmarkTarget,
    GroupTarget,
    Protocol,
    ServerKey,
    ServiceFlags,
    VirtualServer,
    VirtualServerGroup,
)
from keepalived_py.errors import KernelError
from keepalived_py.ipvs.operations import Operation
from keepalived_py.ipvs.ownership import Ownership, decode, encode
from keepalived_py.units import Seconds
from tests.daemon.desk import Desk, publish, run
from tests.healthcheck.builders import VIP, VS, checked, key, service, sorry

NO_MODULE = KernelError("GET_FAMILY", errno.ENOENT, "IPVS (kernel module ip_vs is not loaded; try: modprobe ip_vs)")
OTHER = AddressTarget(Address.parse("203.0.113.9"), 80, Protocol.TCP)
FOREIGN = AddressTarget(Address.parse("198.51.100.1"), 80, Protocol.TCP)
ODD = AddressTarget(Address.parse("203.0.113.77"), 80, Protocol.TCP)
SHOP = service(checked(1), checked(2), checked(3))


def dest(number: int, of: str = VS) -> str:
    return f"{of} -> [192.0.2.{number}]:80"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, SHOP)


def waits(desk: Desk) -> bool:
    """Whether the keeper wants another try."""
    return desk.keeper.needs_retry


def owned(desk: Desk) -> Ownership:
    return decode(desk.path.read_bytes()) if desk.path.exists() else Ownership()


# --- the ordinary life -----------------------------------------------------------------------------------------------------------


def test_a_start_programs_what_the_pools_want_and_nothing_twice(desk: Desk) -> None:
    async def main() -> None:
        assert await desk.begin(publish({1: 1, 2: 1})) is None
        assert desk.sent() == [f"NEW_SERVICE {VS}", f"NEW_DEST {dest(1)}", f"NEW_DEST {dest(2)}"]
        assert desk.keeper.operations == 3
        await desk.keeper.publish([publish({1: 1, 2: 1})])
        assert desk.sent() == []
        await desk.keeper.publish([publish({1: 2, 3: 1})])
        assert desk.sent() == [f"DEL_DEST {dest(2)}", f"SET_DEST {dest(1)}", f"NEW_DEST {dest(3)}"]

    run(main())
    assert desk.kernel.dumps == 1
    assert desk.log.lines == []
    assert not waits(desk)


def test_the_sorry_server_comes_after_the_last_real_one_has_gone(tmp_path: Path) -> None:
    desk = Desk(tmp_path, service(checked(1), sorry_server=sorry()))

    async def main() -> None:
        await desk.begin(publish({1: 1}))
        desk.sent()
        await desk.keeper.publish([publish({}, 1)])
        assert desk.sent() == [f"DEL_DEST {dest(1)}", f"NEW_DEST {dest(200)}"]
        await desk.keeper.publish([publish({1: 1})])
        assert desk.sent() == [f"DEL_DEST {dest(200)}", f"NEW_DEST {dest(1)}"]

    run(main())


def test_states_that_have_piled_up_are_programmed_as_the_last_one(desk: Desk) -> None:
    async def main() -> None:
        await desk.begin(publish({1: 1}))
        desk.sent()
        await desk.keeper.publish([publish({}), publish({1: 1, 2: 1}), publish({1: 1})])
        assert desk.sent() == []

    run(main())


def test_a_start_on_a_table_that_is_right_sends_nothing(desk: Desk) -> None:
    async def main() -> None:
        await desk.begin(publish({1: 1, 2: 1}))
        await desk.keeper.stop(release=False)
        desk.restart(SHOP)
        await desk.begin(publish({1: 1, 2: 1}))
        assert desk.sent() == []

    run(main())
    assert desk.log.lines == []


def test_the_record_is_written_before_a_service_is_made(desk: Desk) -> None:
    seen = []

    def look(operations: Sequence[Operation]) -> None:
        seen.append((operations[0].command.name, owned(desk)))

    desk.kernel.before = look
    run(desk.begin(publish({1: 1})))
    assert seen == [("NEW_SERVICE", Ownership(frozenset({VIP})))]


# --- groups ----------------------------------------------------------------------------------------------------------------------


def group(*last: int, mark: int | None = None) -> VirtualServerGroup:
    addresses = [Address.parse(f"203.0.113.{number}") for number in last]
    entries = [AddressEntry(address, address, 80) for address in addresses]
    return VirtualServerGroup("shop", (*entries, *([FwmarkEntry(mark)] if mark else [])))


GROUP = GroupTarget("shop", Protocol.TCP)
OF_GROUP = service(checked(1), checked(2), target=GROUP)


def test_a_group_is_one_service_for_each_address_and_mark(tmp_path: Path) -> None:
    first = Address.parse("203.0.113.1")
    shop = VirtualServerGroup("shop", (AddressEntry(first, first + 2, 80), FwmarkEntry(7)))
    desk = Desk(tmp_path, OF_GROUP, groups=(shop,))
    run(desk.begin(publish({1: 1}, target=GROUP)))
    names = [*(f"[203.0.113.{number}]:tcp:80" for number in (1, 2, 3)), "FWM 7"]
    assert desk.sent() == [line for name in names for line in (f"NEW_SERVICE {name}", f"NEW_DEST {dest(1, name)}")]
    addresses = {AddressTarget(first + number, 80, Protocol.TCP) for number in range(3)}
    assert owned(desk).services == {*addresses, FwmarkTarget(7, Family.INET)}


def test_entries_that_come_and_go_at_a_reload_are_applied_though_no_virtual_server_changes(tmp_path: Path) -> None:
    desk = Desk(tmp_path, OF_GROUP, groups=(group(1, 2),))

    async def main() -> None:
        await desk.begin(publish({1: 1, 2: 1}, target=GROUP))
        desk.sent()
        await desk.reload(OF_GROUP, groups=(group(2, 3),))
        three = "[203.0.113.3]:tcp:80"
        assert desk.sent() == [
            "DEL_SERVICE [203.0.113.1]:tcp:80",
            f"NEW_SERVICE {three}",
            f"NEW_DEST {dest(1, three)}",
            f"NEW_DEST {dest(2, three)}",
        ]
        await desk.reload(OF_GROUP, groups=(group(2, 3),))
        assert desk.sent() == []

    run(main())
    assert {str(it) for it in owned(desk).services} == {"[203.0.113.2]:tcp:80", "[203.0.113.3]:tcp:80"}


def test_an_address_belongs_to_the_first_that_names_it_and_then_to_the_next(tmp_path: Path) -> None:
    single = service(checked(9), target=AddressTarget(Address.parse("203.0.113.1"), 80, Protocol.TCP))
    desk = Desk(tmp_path, single, OF_GROUP, groups=(group(1),))

    async def main() -> None:
        await desk.begin(publish({9: 1}, target=single.target), publish({1: 1}, target=GROUP))
        assert desk.sent() == [f"NEW_SERVICE {VS}", f"NEW_DEST {dest(9)}"]
        await desk.reload(OF_GROUP, groups=(group(1),))
        assert desk.sent() == [f"DEL_DEST {dest(9)}", f"NEW_DEST {dest(1)}"]

    run(main())


# --- what is not ours ------------------------------------------------------------------------------------------------------------


def test_foreign_services_are_never_touched(desk: Desk) -> None:
    desk.kernel.foreign(FOREIGN, key(1))

    async def main() -> None:
        before = desk.kernel.kernel.table()[FOREIGN]
        await desk.begin(publish({1: 1}))
        await desk.reload(SHOP)
        await desk.keeper.stop(release=True)
        assert desk.kernel.kernel.table() == {FOREIGN: before}

    run(main())
    assert not [line for line in desk.sent() if "198.51.100.1" in line]
    assert not desk.path.exists()


def test_strangers_in_our_services_are_removed_with_a_line(desk: Desk) -> None:
    desk.kernel.foreign(VIP, key(1), key(66))

    async def main() -> None:
        await desk.begin(publish({1: 1, 2: 1}))
        assert desk.sent() == [f"DEL_DEST {dest(66)}", f"NEW_DEST {dest(2)}"]
        await desk.keeper.stop(release=True)  # the configuration names it, so it is ours, whoever made it
        assert desk.kernel.kernel.table() == {}

    run(main())
    assert desk.log.texts == [f"Removing unknown server [192.0.2.66]:80 from virtual server {VS}"]


def test_a_server_that_is_configured_and_down_is_no_stranger(desk: Desk) -> None:
    desk.kernel.foreign(VIP, key(1), key(2))
    run(desk.begin(publish({1: 1})))
    assert desk.sent() == [f"DEL_DEST {dest(2)}"]
    assert desk.log.texts == []


def test_leftovers_of_an_earlier_run_are_removed_with_a_line(desk: Desk) -> None:
    desk.kernel.foreign(ODD, key(1))
    desk.kernel.foreign(FOREIGN)
    desk.path.write_bytes(encode(Ownership(frozenset({ODD}))))
    run(desk.begin(publish({1: 1})))
    assert desk.sent()[0] == f"DEL_SERVICE {ODD}"
    assert set(desk.kernel.kernel.table()) == {VIP, FOREIGN}
    assert owned(desk).services == {VIP}
    assert desk.log.texts == [f"Removing virtual server {ODD} that an earlier run has left behind"]


def test_what_the_record_claims_and_the_kernel_lost_is_forgotten_so_that_others_may_have_it(desk: Desk) -> None:
    desk.path.write_bytes(encode(Ownership(frozenset({ODD}))))

    async def main() -> None:
        await desk.begin(publish({1: 1}))
        await desk.keeper.stop(release=False)
        desk.kernel.foreign(ODD, key(1))
        desk.restart(SHOP)
        await desk.begin(publish({1: 1}))
        assert desk.sent() == []

    run(main())
    assert ODD in desk.kernel.kernel.table()


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"version":2}', b"\xff" * 100, b'{"version":1,"services":[["TCP","x",1]]}'])
def test_a_damaged_record_is_ignored_with_a_line(desk: Desk, content: bytes) -> None:
    desk.kernel.foreign(ODD, key(1))
    desk.path.write_bytes(content)
    run(desk.begin(publish({1: 1})))
    assert ODD in desk.kernel.kernel.table()
    assert len(desk.log.lines) == 1
    assert f"{desk.path} is ignored: " in desk.log.texts[0]
    assert owned(desk).services == {VIP}


def test_a_record_that_others_can_write_is_not_believed(desk: Desk) -> None:
    desk.kernel.foreign(ODD, key(1))
    desk.path.write_bytes(encode(Ownership(frozenset({ODD}))))
    desk.path.chmod(0o666)
    run(desk.begin(publish({1: 1})))
    assert ODD in desk.kernel.kernel.table()
    assert "others could have written it" in desk.log.texts[0]


def test_the_record_is_neither_read_nor_written_through_a_link(desk: Desk, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(encode(Ownership(frozenset({ODD}))))
    desk.path.symlink_to(victim)
    desk.kernel.foreign(ODD, key(1))
    run(desk.begin(publish({1: 1})))
    assert ODD in desk.kernel.kernel.table()
    assert decode(victim.read_bytes()).services == {ODD}
    assert not desk.path.is_symlink()
    assert owned(desk).services == {VIP}


def test_a_record_that_cannot_be_written_is_said_and_stops_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "nowhere", SHOP)
    run(desk.begin(publish({1: 1})))
    assert VIP in desk.kernel.kernel.table()
    assert len(desk.log.lines) == 1
    assert "cannot be written: No such file or directory" in desk.log.texts[0]


# --- a kernel that refuses -------------------------------------------------------------------------------------------------------


def test_a_kernel_without_ip_vs_is_told_once_and_programmed_when_it_is_there(desk: Desk) -> None:
    desk.missing = NO_MODULE

    async def main() -> None:
        assert await desk.begin(publish({1: 1})) is None
        await desk.keeper.publish([publish({1: 1, 2: 1})])
        await desk.keeper.retry()
        await desk.reload(SHOP)
        assert waits(desk)
        assert desk.opened == 2
        desk.missing = None
        await desk.keeper.retry()
        assert desk.sent() == [f"NEW_SERVICE {VS}", f"NEW_DEST {dest(1)}", f"NEW_DEST {dest(2)}"]
        assert not waits(desk)

    run(main())
    assert desk.log.texts == [
        f"IPVS: {NO_MODULE}",
        "IPVS: virtual servers are checked but not programmed; trying again every 30 s",
        "IPVS: the kernel's interface is there now",
    ]


def test_checks_go_on_while_the_way_to_the_kernel_takes_its_time(desk: Desk) -> None:
    """Loading a module may take 20 seconds."""
    release = threading.Event()
    desk.before_open = lambda: release.wait(20)

    async def main() -> None:
        start = asyncio.create_task(desk.keeper.start(takes_over=False))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not start.done()
        release.set()
        await asyncio.wait_for(start, 10)
        await desk.keeper.begin([publish({1: 1})])
        assert VIP in desk.kernel.kernel.table()

    run(main())


def test_a_kernel_that_does_not_answer_is_as_good_as_none(desk: Desk) -> None:
    desk.kernel.silent = True

    async def main() -> None:
        assert await desk.begin(publish({1: 1}), takes_over=True) == {}
        assert waits(desk)
        assert desk.kernel.closed
        desk.kernel.silent = False
        await desk.keeper.retry()
        assert set(desk.kernel.kernel.table()) == {VIP}

    run(main())


def test_a_missing_scheduler_is_said_once_and_tried_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, SHOP, service(checked(4), target=OTHER))
    desk.kernel.trouble = {f"NEW_SERVICE {VS}": errno.ENOENT}

    async def main() -> None:
        await desk.begin(publish({1: 1, 2: 1}), publish({4: 1}, target=OTHER))
        assert set(desk.kernel.kernel.table()) == {OTHER}
        assert waits(desk)
        for _ in range(3):
            await desk.keeper.retry()
            await desk.keeper.publish([publish({1: 1, 2: 1, 3: 1})])
        assert desk.log.texts == [f"IPVS: NEW_SERVICE {VS}: No such file or directory (ENOENT)"]
        desk.kernel.trouble.clear()
        await desk.keeper.retry()
        assert not waits(desk)
        desk.kernel.trouble = {f"DEL_DEST {dest(1)}": errno.EPERM}
        await desk.keeper.publish([publish({2: 1})])  # a new fault is news again

    run(main())
    assert desk.log.texts[1:] == [f"IPVS: DEL_DEST {dest(1)}: Operation not permitted (EPERM)"]
    assert desk.kernel.kernel.table()[VIP].destinations.keys() == {key(1), key(2), key(3)} - {key(3)}


def test_a_service_that_somebody_made_meanwhile_is_taken_over_without_a_complaint(desk: Desk) -> None:
    async def main() -> None:
        await desk.keeper.start(takes_over=False)
        desk.kernel.foreign(VIP, key(1), key(66))
        await desk.keeper.begin([publish({1: 5, 2: 1})])

    run(main())
    destinations = desk.kernel.kernel.table()[VIP].destinations
    assert {str(it): found.weight for it, found in destinations.items()} == {"[192.0.2.1]:80": 5, "[192.0.2.2]:80": 1}
    assert desk.log.texts == [f"Removing unknown server [192.0.2.66]:80 from virtual server {VS}"]
    assert not waits(desk)


def test_a_destination_that_somebody_removed_is_put_back(desk: Desk) -> None:
    async def main() -> None:
        await desk.begin(publish({1: 1, 2: 1}))
        del desk.kernel.kernel.destinations[VIP][key(1)]
        await desk.keeper.publish([publish({1: 7, 2: 1})])
        assert desk.kernel.kernel.table()[VIP].destinations[key(1)].weight == 7

    run(main())
    assert desk.log.lines == []
    assert desk.kernel.dumps == 1


def test_a_table_that_somebody_flushed_comes_back_with_the_next_change(desk: Desk) -> None:
    async def main() -> None:
        await desk.begin(publish({1: 1, 2: 1}))
        desk.kernel.kernel.services.clear()
        desk.kernel.kernel.destinations.clear()
        await desk.keeper.publish([publish({1: 7, 2: 1})])
        assert {it.weight for it in desk.kernel.kernel.table()[VIP].destinations.values()} == {7, 1}

    run(main())


def test_answers_that_get_lost_make_it_read_the_table_again(desk: Desk) -> None:
    async def main() -> None:
        desk.kernel.swallow = 2
        await desk.begin(publish({1: 1, 2: 1}))
        assert desk.kernel.dumps == 2
        desk.sent()
        await desk.keeper.publish([publish({1: 1, 2: 1})])
        assert desk.sent() == []
        assert not waits(desk)

    run(main())


def test_a_left_over_that_cannot_be_removed_is_tried_again_until_it_is_gone(desk: Desk) -> None:
    desk.kernel.foreign(ODD)
    desk.path.write_bytes(encode(Ownership(frozenset({ODD}))))
    desk.kernel.trouble = {f"DEL_SERVICE {ODD}": errno.EBUSY}

    async def main() -> None:
        await desk.begin(publish({1: 1}))
        assert waits(desk)
        assert owned(desk).services == {VIP, ODD}
        desk.kernel.trouble.clear()
        await desk.keeper.retry()
        assert not waits(desk)
        assert owned(desk).services == {VIP}

    run(main())


def test_a_left_over_that_somebody_else_removed_is_no_reason_to_go_on_trying(desk: Desk) -> None:
    desk.kernel.foreign(ODD)
    desk.path.write_bytes(encode(Ownership(frozenset({ODD}))))
    desk.kernel.trouble = {f"DEL_SERVICE {ODD}": errno.EBUSY}

    async def main() -> None:
        await desk.begin(publish({1: 1}))
        del desk.kernel.kernel.services[ODD]
        await desk.keeper.retry()
        assert not waits(desk)

    run(main())


def fullnat(**changes: object) -> VirtualServer:
    return replace(SHOP, forwarding=Forwarding(ForwardingMethod.FULLNAT), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("server", [fullnat(), replace(SHOP, flags=ServiceFlags.SYN_PROXY)], ids=["FNAT", "syn_proxy"])
def test_what_this_kernel_cannot_do_is_refused_by_name_and_the_rest_goes_on(tmp_path: Path, server: VirtualServer) -> None:
    desk = Desk(tmp_path, server, service(checked(4), target=OTHER))
    desk.kernel.foreign(VIP, key(66))

    async def main() -> None:
        await desk.begin(publish({1: 1}), publish({4: 1}, target=OTHER))
        await desk.keeper.publish([publish({1: 1, 2: 1})])
        await desk.reload(server, service(checked(4), target=OTHER), pools=[publish({1: 1})])
        assert [line for line in desk.sent() if VS in line] == []
        await desk.keeper.stop(release=True)
        assert set(desk.kernel.kernel.table()) == {VIP}  # somebody else's, since we do not program it

    run(main())
    assert len(desk.log.texts) == 1
    assert f"Virtual server {VS}: " in desk.log.texts[0]
    assert "needs a kernel module that is not loaded" in desk.log.texts[0]
    assert "remedy: " in desk.log.texts[0]


def test_a_service_that_turns_into_one_this_kernel_cannot_do_goes(desk: Desk) -> None:
    async def main() -> None:
        await desk.begin(publish({1: 1}))
        await desk.reload(fullnat(), changed=[fullnat()])
        assert desk.kernel.kernel.table() == {}
        await desk.reload(SHOP, changed=[SHOP])
        assert desk.kernel.kernel.table()[VIP].destinations.keys() == {key(1)}

    run(main())


# --- reload ----------------------------------------------------------------------------------------------------------------------


def test_a_reload_sends_the_difference_and_nothing_else(tmp_path: Path) -> None:
    other = service(checked(4), target=OTHER)
    third = service(checked(5), target=ODD)
    desk = Desk(tmp_path, SHOP, other)

    async def main() -> None:
        await desk.begin(publish({1: 1, 2: 1}), publish({4: 1}, target=OTHER))
        desk.sent()
        await desk.reload(SHOP, other)
        assert desk.sent() == []
        algo = replace(SHOP, lb_algo="rr")
        await desk.reload(algo, other, changed=[algo])
        assert desk.sent() == [f"SET_SERVICE {VS}"]
        await desk.reload(algo, third, changed=[third], pools=[publish({5: 1}, target=ODD)])
        assert desk.sent() == [f"DEL_SERVICE {OTHER}", f"NEW_SERVICE {ODD}", f"NEW_DEST {dest(5, str(ODD))}"]
        await desk.reload(third, algo)
        assert desk.sent() == []

    run(main())
    assert owned(desk).services == {VIP, ODD}
    assert desk.log.lines == []


# --- settings --------------------------------------------------------------------------------------------------------------------

TIMEOUTS = LvsTimeouts(Seconds(1000), Seconds(0), Seconds(60))


def test_timeouts_are_set_and_restored_and_those_left_out_keep_the_kernels(tmp_path: Path) -> None:
    desk = Desk(tmp_path, SHOP, globals_=GlobalDefs(lvs_timeouts=TIMEOUTS))

    async def main() -> None:
        await desk.begin(publish({}))
        assert desk.sent()[0] == "SET_CONFIG tcp 1000 tcpfin 120 udp 60"
        await desk.reload(SHOP, globals_=GlobalDefs(lvs_timeouts=replace(TIMEOUTS, tcp=Seconds(0), tcpfin=Seconds(5))))
        assert desk.sent() == ["SET_CONFIG tcp 900 tcpfin 5 udp 60"]
        await desk.reload(SHOP)
        assert desk.sent() == []
        await desk.keeper.stop(release=True)
        assert desk.sent()[-1] == "SET_CONFIG tcp 900 tcpfin 120 udp 300"

    run(main())
    assert desk.told == [LvsTimeouts(Seconds(900), Seconds(120), Seconds(300))]


def test_timeouts_that_are_no_longer_configured_are_restored_at_the_reload(tmp_path: Path) -> None:
    desk = Desk(tmp_path, SHOP, globals_=GlobalDefs(lvs_timeouts=TIMEOUTS))

    async def main() -> None:
        await desk.begin(publish({}))
        desk.sent()
        await desk.reload(SHOP, globals_=GlobalDefs())
        assert desk.sent() == ["SET_CONFIG tcp 900 tcpfin 120 udp 300"]
        await desk.keeper.stop(release=True)
        assert desk.sent() == [f"DEL_SERVICE {VS}"]

    run(main())


@pytest.mark.parametrize("configured", [TIMEOUTS, LvsTimeouts()], ids=["same", "dropped by a reload meanwhile"])
def test_who_takes_over_restores_what_the_one_that_died_had_found(tmp_path: Path, configured: LvsTimeouts) -> None:
    desk = Desk(tmp_path, SHOP, globals_=GlobalDefs(lvs_timeouts=TIMEOUTS))

    async def main() -> None:
        await desk.begin(publish({1: 1}))
        desk.restart(SHOP, globals_=GlobalDefs(lvs_timeouts=configured), found=desk.told[0])
        await desk.begin(publish({1: 1}), takes_over=True)
        assert desk.sent() == ([] if configured == TIMEOUTS else ["SET_CONFIG tcp 900 tcpfin 120 udp 300"])
        await desk.keeper.stop(release=True)

    run(main())
    assert desk.kernel.kernel.timeouts == {"tcp": 900, "tcpfin": 120, "udp": 300}


SYNC = LvsSyncDaemon("eth0", id=7)
THREADS = ["DEL_DAEMON master", "DEL_DAEMON backup", "NEW_DAEMON master eth0", "NEW_DAEMON backup eth0"]


def test_sync_threads_start_change_and_stop(tmp_path: Path) -> None:
    desk = Desk(tmp_path, SHOP, globals_=GlobalDefs(lvs_sync_daemon=SYNC))

    async def main() -> None:
        await desk.begin(publish({}))
        assert desk.sent()[:4] == THREADS
        assert {it.sync_id for it in desk.kernel.kernel.daemons.values()} == {7}
        await desk.reload(SHOP)
        assert desk.sent() == []
        await desk.reload(SHOP, globals_=GlobalDefs(lvs_sync_daemon=replace(SYNC, id=8)))
        assert desk.sent() == THREADS
        await desk.reload(SHOP, globals_=GlobalDefs())
        assert desk.sent() == THREADS[:2]
        await desk.reload(SHOP, globals_=GlobalDefs(lvs_sync_daemon=SYNC))
        desk.sent()
        await desk.keeper.stop(release=True)
        assert desk.sent() == [f"DEL_SERVICE {VS}", *THREADS[:2]]

    run(main())
    assert desk.log.lines == []


@pytest.mark.parametrize(("configured", "sent"), [(SYNC, []), (replace(SYNC, ttl=3), THREADS)], ids=["right", "changed"])
def test_who_takes_over_leaves_sync_threads_alone_that_are_right(
    tmp_path: Path, configured: LvsSyncDaemon, sent: list[str]
) -> None:
    desk = Desk(tmp_path, SHOP, globals_=GlobalDefs(lvs_sync_daemon=SYNC))

    async def main() -> None:
        await desk.begin(publish({}))
        desk.kernel.kernel.daemons[True] = replace(desk.kernel.kernel.daemons[True], port=8848, maxlen=1400, ttl=1)
        desk.restart(SHOP, globals_=GlobalDefs(lvs_sync_daemon=configured))
        await desk.begin(publish({}), takes_over=True)
        assert desk.sent() == sent

    run(main())


def test_sync_threads_that_follow_a_vrrp_instance_are_left_out_with_a_line(tmp_path: Path) -> None:
    desk = Desk(tmp_path, SHOP, globals_=GlobalDefs(lvs_sync_daemon=replace(SYNC, instance="VI_1")))

    async def main() -> None:
        await desk.begin(publish({}))
        await desk.keeper.stop(release=True)

    run(main())
    assert not [line for line in desk.sent() if "DAEMON" in line]
    assert len(desk.log.lines) == 1


# --- flush, stop, taking over ----------------------------------------------------------------------------------------------------


def test_lvs_flush_empties_the_table_at_a_start(tmp_path: Path) -> None:
    desk = Desk(tmp_path, SHOP, globals_=GlobalDefs(lvs_flush=True))
    desk.kernel.foreign(FOREIGN)
    desk.kernel.foreign(ODD)
    desk.path.write_bytes(encode(Ownership(frozenset({ODD}))))
    run(desk.begin(publish({1: 1})))
    assert desk.sent() == ["FLUSH", f"NEW_SERVICE {VS}", f"NEW_DEST {dest(1)}"]
    assert owned(desk).services == {VIP}


def test_lvs_flush_is_not_for_one_that_takes_over(tmp_path: Path) -> None:
    desk = Desk(tmp_path, SHOP, globals_=GlobalDefs(lvs_flush=True))
    desk.kernel.foreign(VIP, key(1))
    assert run(desk.begin(publish({1: 1}), takes_over=True)) == {VIP: {key(1): 1}}
    assert desk.sent() == []


@pytest.mark.parametrize(
    ("how", "sent"),
    [
        (None, [f"DEL_DEST {dest(1)}", f"DEL_DEST {dest(2)}", f"DEL_SERVICE {VS}", f"DEL_SERVICE {OTHER}"]),
        ("VS", [f"DEL_SERVICE {VS}", f"DEL_SERVICE {OTHER}"]),
        ("all", ["FLUSH"]),
    ],
)
def test_stop_releases_the_table_as_configured(tmp_path: Path, how: str | None, sent: list[str]) -> None:
    globals_ = GlobalDefs(lvs_flush_on_stop=how)
    desk = Desk(tmp_path, SHOP, service(checked(4), target=OTHER), globals_=globals_)

    async def main() -> None:
        await desk.begin(publish({1: 1, 2: 1}), publish({}, target=OTHER))
        desk.sent()
        await desk.keeper.stop(release=True)
        await desk.keeper.stop(release=True)

    run(main())
    assert desk.sent() == sent
    assert desk.kernel.kernel.table() == {}
    assert desk.kernel.closed
    assert not desk.path.exists()


def test_a_large_table_is_taken_away_with_signs_of_getting_on(tmp_path: Path) -> None:
    shop = VirtualServerGroup("shop", (AddressEntry(Address.parse("203.0.113.0"), Address.parse("203.0.113.255"), 80),))
    desk = Desk(tmp_path, OF_GROUP, groups=(shop,))
    sent: list[int] = []

    async def main() -> None:
        await desk.begin(publish({1: 1, 2: 1}, target=GROUP))
        desk.sent()
        await desk.keeper.stop(release=True, getting_on=lambda: sent.append(len(desk.kernel.operations)))

    run(main())
    assert len(desk.kernel.operations) == 256 * 3
    assert sent == [0, 256, 512]
    assert desk.kernel.kernel.table() == {}
    assert not desk.path.exists()


def test_a_stop_in_the_middle_of_programming_takes_away_what_has_been_made_so_far(tmp_path: Path) -> None:
    desk = Desk(tmp_path, SHOP, service(checked(4), target=OTHER))
    desk.kernel.foreign(FOREIGN)

    async def main() -> None:
        await desk.keeper.start(takes_over=False)
        desk.kernel.stall_after = 3
        begin = asyncio.create_task(desk.keeper.begin([publish({1: 1, 2: 1}), publish({4: 1}, target=OTHER)]))
        while desk.kernel.stall_after:
            await asyncio.sleep(0)
        begin.cancel()
        await asyncio.wait({begin})
        assert set(desk.kernel.kernel.table()) == {VIP, FOREIGN}
        await desk.keeper.stop(release=True)

    run(main())
    assert set(desk.kernel.kernel.table()) == {FOREIGN}


def test_stop_without_release_leaves_table_and_record(desk: Desk) -> None:
    async def main() -> None:
        await desk.begin(publish({1: 1}))
        desk.sent()
        await desk.keeper.stop(release=False)

    run(main())
    assert desk.sent() == []
    assert owned(desk).services == {VIP}


def test_what_could_not_be_removed_at_the_stop_stays_in_the_record(desk: Desk) -> None:
    async def main() -> None:
        await desk.begin(publish({}))
        desk.kernel.trouble = {"DEL_SERVICE": errno.EBUSY}
        await desk.keeper.stop(release=True)

    run(main())
    assert owned(desk).services == {VIP}


def test_who_takes_over_learns_the_kernels_weights_of_every_virtual_server_that_is_there(tmp_path: Path) -> None:
    shop = service(checked(1), checked(2), checked(3), sorry_server=sorry())
    other = service(checked(4), target=OTHER, sorry_server=sorry())
    desk = Desk(tmp_path, shop, other, service(checked(5), target=ODD))

    async def main() -> None:
        await desk.begin(publish({1: 3, 2: 0}, 0), publish({}, 1, target=OTHER), publish({5: 1}, target=ODD))
        del desk.kernel.kernel.services[ODD]
        desk.restart(shop, other, service(checked(5), target=ODD))
        assert await desk.keeper.start(takes_over=True) == {VIP: {key(1): 3, key(2): 0, key(200): 0}, OTHER: {key(200): 1}}

    run(main())
    assert desk.sent() == []


def test_who_takes_over_without_a_kernel_knows_that_nothing_is_served(desk: Desk) -> None:
    desk.missing = NO_MODULE
    assert run(desk.keeper.start(takes_over=True)) == {}


def test_a_key_of_another_port_is_no_real_server_of_ours(desk: Desk) -> None:
    desk.kernel.foreign(VIP, ServerKey(key(1).address, 8080))
    assert run(desk.keeper.start(takes_over=True)) == {VIP: {}}


def test_no_descriptor_is_left_behind(desk: Desk) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = count()

    async def main() -> None:
        await desk.begin(publish({1: 1}))
        for weight in range(2, 30):
            await desk.keeper.publish([publish({1: weight})])
        await desk.keeper.stop(release=True)

    run(main())
    assert count() == before
