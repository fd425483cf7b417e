"""keepalived's own rules around the RFC's: start, preemption, priority 0, owners, faults, stop, and the order of what is done."""

from dataclasses import replace

import pytest

from keepalived_py.addresses import Family
from keepalived_py.config.globals import GlobalDefs, LvsSyncDaemon, VrrpDefaults
from keepalived_py.config.routing import Prefix, Route, Rule, RuleAction
from keepalived_py.config.scripts import Script
from keepalived_py.config.vrrp import AuthType, DeletedNotice, InitialState, Notify
from keepalived_py.units import micro
from keepalived_py.vrrp.actions import (
    AddAddresses,
    AddRoutes,
    AddRules,
    Alert,
    BlockAddresses,
    FifoLine,
    Log,
    LvsSyncState,
    RemoveAddresses,
    RemoveRoutes,
    RemoveRules,
    RunScript,
    SendAdvert,
    SendGratuitous,
    SyncRole,
    Trap,
    TrapKind,
    UnblockAddresses,
)
from keepalived_py.vrrp.events import (
    AddressAdded,
    AddressRemoved,
    CommandLine,
    Interface,
    InterfaceChanged,
    InterfaceGone,
    RouteLost,
    RuleLost,
)
from tests.vrrp.bench import Bench, adverts_in
from tests.vrrp.builders import address, instance, instance3, instance6, password, unicast, vips

PLAIN = instance3(priority=150)
ROUTE = Route(Prefix(address(0), 24), Family.INET, interface="eth0")
RULE = Rule(Family.INET, 100, RuleAction.TO_TABLE, table=7)
SCRIPTS = Notify(
    backup=Script(("/backup", "x")),
    master=Script(("/master",)),
    fault=Script(("/fault",)),
    stop=Script(("/stop",)),
    any=Script(("/any", "word")),
    master_rx_lower_pri=Script(("/lower",)),
)


def down(interface: str = "eth0") -> InterfaceChanged:
    return InterfaceChanged(Interface(interface, 2, up=False))


def up(interface: str = "eth0") -> InterfaceChanged:
    return InterfaceChanged(Interface(interface, 2, up=True))


# Start ----------------------------------------------------------------------------------------------------------------------------


def test_without_state_master_the_first_wait_is_the_whole_master_down_interval() -> None:
    assert Bench(PLAIN).due_in == pytest.approx(0.3 + 106 * 0.1 / 256)


def test_state_master_only_shortens_the_first_wait_to_one_interval_and_the_least_skew() -> None:
    bench = Bench(replace(PLAIN, state=InitialState.MASTER))
    assert bench.state == "BACKUP"
    assert bench.due_in == pytest.approx(0.1 + 0.1 / 256, abs=0.000_01)


def test_at_start_left_overs_of_an_earlier_run_are_removed_first() -> None:
    bench = Bench(replace(PLAIN, routes=(ROUTE,), rules=(RULE,)))
    removed = bench.router.any_of(RemoveRules, RemoveRoutes, RemoveAddresses)
    assert [type(action) for action in removed] == [RemoveRules, RemoveRoutes, RemoveAddresses]
    assert all(getattr(action, "leftovers") for action in removed)  # noqa: B009


def test_an_owner_removes_nothing_at_start() -> None:
    assert not Bench(instance3(priority=255)).router.of(RemoveAddresses)


def test_startup_delay_keeps_everybody_from_becoming_master() -> None:
    globals_ = GlobalDefs(vrrp=VrrpDefaults(startup_delay=micro(5)))
    for config in (PLAIN, instance3(priority=255)):
        bench = Bench(config, globals_=globals_)
        bench.run(4.999)
        assert bench.state == "BACKUP" and bench.sent() == []
        bench.run(0.5)
        assert bench.state == "MASTER"
        assert {"Delaying startup for 5 seconds", "Delayed start completed"} <= set(bench.router.log())


def test_delay_after_boot_counts_from_the_boot_and_the_longer_delay_wins() -> None:
    """The host has been up for 100 s."""
    late = GlobalDefs(vrrp=VrrpDefaults(delay_after_boot=micro(99), startup_delay=micro(0)))
    assert "Delayed" not in " ".join(Bench(PLAIN, globals_=late).router.log())
    both = GlobalDefs(vrrp=VrrpDefaults(delay_after_boot=micro(103), startup_delay=micro(2)))
    assert "Delaying startup for 3 seconds" in Bench(PLAIN, globals_=both).router.log()


def test_adverts_that_come_during_the_delay_are_heard() -> None:
    bench = Bench(PLAIN, globals_=GlobalDefs(vrrp=VrrpDefaults(startup_delay=micro(5))))
    bench.run(1)
    bench.advert(200)
    assert str(bench.router.instance().master) == "192.0.2.2"
    assert bench.due_in == pytest.approx(4 + 0.3 + 106 * 0.1 / 256)


# Timers ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "seconds"),
    [
        (instance(priority=100), 3 + 156 / 256),
        (instance(priority=100, advert_int=micro(2)), 6 + 156 / 256),
        (instance3(priority=100), 0.3 + 0.1 * 156 / 256),
        (instance3(priority=100, down_timer_adverts=5), 0.5 + 0.1 * 156 / 256),
        (instance3(priority=1, advert_int=micro(0.01)), 0.03 + 0.01 * 255 / 256),
        (instance6(priority=254), 0.3 + 0.1 * 2 / 256),
    ],
)
def test_master_down_interval(config: object, seconds: float) -> None:
    assert Bench(config).due_in == pytest.approx(seconds, abs=0.000_002)  # type: ignore[arg-type]


def test_version_2_does_not_learn_an_interval() -> None:
    bench = Bench(instance(priority=100))
    bench.advert(200)
    assert bench.router.instance().master_interval == micro(1)


def test_becoming_master_goes_back_to_the_own_interval() -> None:
    bench = Bench(PLAIN, detail=True)
    bench.advert(200, config=replace(PLAIN, advert_int=micro(1)))
    bench.run(5)
    assert bench.state == "MASTER" and bench.router.instance().master_interval == micro(0.1)
    assert "(V) changing advert interval from 1000ms to locally configured 100ms" in bench.router.log()


def test_an_interval_of_zero_is_not_learnt() -> None:
    bench = Bench(PLAIN)
    bench.advert(200, config=replace(PLAIN, advert_int=micro(0)))
    assert bench.router.instance().master_interval == micro(0.1) and bench.state == "BACKUP"


def test_a_late_timer_does_not_push_later_adverts_back() -> None:
    bench = Bench(PLAIN).until_master()
    due = bench.router.instance().due
    assert due is not None
    bench.router.pause()
    bench.run(0.13)
    bench.router.resume()
    later = bench.router.instance().due
    assert later is not None and (later - due) % micro(0.1) == 0


# Preemption -----------------------------------------------------------------------------------------------------------------------


def test_nopreempt_stays_backup_as_long_as_anybody_is_master() -> None:
    bench = Bench(replace(PLAIN, preempt=False))
    for _ in range(50):
        bench.run(0.1)
        bench.advert(1)
    assert bench.state == "BACKUP"
    bench.run(1)
    assert bench.state == "MASTER"


def test_preemption_discards_lower_adverts_and_takes_over_in_time() -> None:
    bench = Bench(PLAIN)
    for _ in range(4):
        bench.run(0.09)
        bench.advert(100)
    assert bench.state == "MASTER"
    assert "(V) received lower priority (100) advert from 192.0.2.2 - discarding" in bench.router.log()


def test_preempt_delay_counts_from_the_first_lower_advert_and_anew_after_a_higher_one() -> None:
    bench = Bench(replace(PLAIN, preempt_delay=micro(2)), detail=True)

    def hear(priority: int, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            bench.run(0.1)
            bench.advert(priority)

    hear(100, 1.5)
    assert bench.state == "BACKUP"
    hear(200, 0.1)
    hear(100, 1.9)
    assert bench.state == "BACKUP"
    hear(100, 1.0)
    assert bench.state == "MASTER"
    log = bench.router.log()
    assert log.count("(V) start preempt delay (2)") == 2 and log.count("(V) stop preempt delay") == 1


def test_preempt_delay_does_not_delay_the_answer_to_silence() -> None:
    bench = Bench(replace(PLAIN, preempt_delay=micro(100)))
    bench.run(1)
    assert bench.state == "MASTER"


# As master ------------------------------------------------------------------------------------------------------------------------


def test_a_lower_advert_is_answered_with_advert_arps_script_and_fifo_line() -> None:
    bench = Bench(replace(PLAIN, notify=SCRIPTS)).until_master()
    actions = bench.advert(100)
    kinds = [type(action) for action in actions]
    assert kinds == [Log, SendAdvert, SendGratuitous, RunScript, FifoLine]
    assert bench.router.ran() == ["/lower"]
    assert bench.router.fifo() == ['INSTANCE "V" MASTER_RX_LOWER_PRI 150']
    assert bench.router.log() == ["(V) Received advert from 192.0.2.2 with lower priority 100, ours 150, forcing new election"]


def test_lower_prio_no_advert_only_sends_arps() -> None:
    bench = Bench(replace(PLAIN, lower_prio_no_advert=True)).until_master()
    bench.run(0.05)
    due = bench.due_in
    actions = bench.advert(100)
    assert adverts_in(actions) == [] and any(isinstance(action, SendGratuitous) for action in actions)
    assert bench.due_in == due
    assert bench.router.log()[-1].endswith("ours 150")


def test_higher_prio_send_advert_sends_one_before_giving_way() -> None:
    bench = Bench(replace(PLAIN, higher_prio_send_advert=True)).until_master()
    actions = bench.advert(200)
    assert adverts_in(actions) == [150] and bench.state == "BACKUP"
    assert isinstance(actions[0], SendAdvert)


def test_an_advert_of_our_own_priority_and_address_is_only_warned_of() -> None:
    bench = Bench(PLAIN).until_master()
    bench.advert(150, number=1)
    assert bench.state == "MASTER"
    assert bench.router.log() == ["(V) WARNING - equal priority advert received from remote host with our IP address."]


def test_rejected_packets_do_not_touch_the_advert_timer() -> None:
    """keepalived starts it anew with every packet, so that a flood keeps adverts from being sent."""
    bench = Bench(PLAIN).until_master()
    broken = bench.peer(2).packet(100)[:-1]
    for _ in range(100):
        bench.run(0.05)
        bench.packet(broken)
    assert len(bench.sent()) == 50


# Owners ---------------------------------------------------------------------------------------------------------------------------

OWNER = instance3(priority=255)


def test_an_owner_with_the_lower_address_gives_way_to_another_owner() -> None:
    bench = Bench(OWNER)
    bench.run(0.5)
    bench.advert(255, number=2)
    assert bench.state == "BACKUP"
    assert any("CONFIGURATION ERROR" in line for line in bench.router.log())


def test_an_owner_with_the_higher_address_waits_and_then_lowers_itself_until_the_rival_is_gone() -> None:
    bench = Bench(OWNER)
    bench.run(0.5)
    bench.router.forget()
    bench.advert(255, number=0)
    assert bench.state == "MASTER" and bench.router.instance().effective == 255
    bench.run(0.21)
    bench.advert(255, number=0)
    assert bench.state == "BACKUP" and bench.router.instance().effective == 254
    assert any("is still advertising as address owner" in line for line in bench.router.log())
    bench.run(0.05)
    bench.advert(255, number=0)
    assert bench.router.instance().effective == 254
    bench.run(1)
    assert bench.state == "MASTER" and bench.router.instance().effective == 255
    assert any("Restoring our priority to 255" in line for line in bench.router.log())


def test_an_owner_stays_if_the_rival_gives_up_in_time() -> None:
    bench = Bench(OWNER)
    bench.run(0.5)
    bench.advert(255, number=0)
    bench.run(1)
    assert bench.state == "MASTER" and bench.router.instance().effective == 255
    assert "(V): rogue address owner appears to have stopped advertising" in bench.router.log()


def test_owner_ignore_adverts() -> None:
    bench = Bench(replace(OWNER, owner_ignore_adverts=True))
    bench.run(0.5)
    bench.advert(255, number=2)
    assert bench.state == "MASTER" and bench.router.instance().statistics.advert_rcvd == 0


# Order ----------------------------------------------------------------------------------------------------------------------------

FULL = replace(
    PLAIN,
    accept=False,
    routes=(ROUTE,),
    rules=(RULE,),
    notify=SCRIPTS,
    smtp_alert=True,
    excluded_addresses=vips(9),
)
SYNC = GlobalDefs(lvs_sync_daemon=LvsSyncDaemon("eth1", instance="V"))


def kinds_of(actions: list[object]) -> list[type]:
    return [type(action) for action in actions if not isinstance(action, Log)]


def test_order_of_becoming_master() -> None:
    bench = Bench(FULL, globals_=SYNC)
    bench.router.forget()
    bench.run(0.4)
    assert kinds_of(list(bench.router.actions)) == [
        SendAdvert,
        BlockAddresses,
        AddAddresses,
        AddRoutes,
        AddRules,
        SendGratuitous,
        RunScript,
        RunScript,
        FifoLine,
        Trap,
        Trap,
        Alert,
        LvsSyncState,
    ]
    (added,) = bench.router.of(AddAddresses)
    assert [str(placed.address) for placed in added.addresses] == ["203.0.113.1/24", "203.0.113.2/24", "203.0.113.9/24"]
    (garp,) = bench.router.of(SendGratuitous)
    assert garp.repeat == 5 and len(garp.targets) == 3


LEAVING = [
    LvsSyncState,
    SendAdvert,
    SendAdvert,
    RemoveRules,
    RemoveRoutes,
    RemoveAddresses,
    UnblockAddresses,
    RunScript,
    RunScript,
    FifoLine,
    Trap,
    Alert,
]


def test_order_of_leaving_master_for_fault() -> None:
    """Two adverts of priority 0, as keepalived 2.4.3 was seen to send."""
    bench = Bench(FULL, globals_=SYNC).until_master()
    assert kinds_of(list(bench.router.feed(down()))) == LEAVING
    assert bench.sent() == [0, 0]


def test_order_of_leaving_master_for_backup() -> None:
    bench = Bench(FULL, globals_=SYNC).until_master()
    actions = bench.advert(200)
    assert kinds_of(list(actions)) == [kind for kind in LEAVING if kind is not SendAdvert]


def test_order_at_a_stop() -> None:
    bench = Bench(FULL, globals_=SYNC).until_master()
    actions = kinds_of(list(bench.router.stop()))
    assert actions[:6] == [LvsSyncState, SendAdvert, RemoveRules, RemoveRoutes, RemoveAddresses, UnblockAddresses]
    assert actions[-5:] == [RunScript, RunScript, FifoLine, Trap, Alert]
    assert bench.router.held == set()
    (role,) = [action.role for action in bench.router.of(LvsSyncState)]
    assert role is SyncRole.STOPPED


def test_the_sync_daemon_follows_its_instance_and_a_reload_that_changes_it() -> None:
    def roles(bench: Bench) -> list[str]:
        return [action.role.value for action in bench.router.of(LvsSyncState)]

    bench = Bench(PLAIN, globals_=SYNC)
    assert roles(bench) == ["backup"]
    bench.until_master()
    bench.advert(200)
    assert roles(bench) == ["backup"]
    bench.until_master()
    bench.router.reload(PLAIN, globals_=SYNC)
    assert roles(bench) == []
    bench.router.reload(PLAIN, globals_=GlobalDefs(lvs_sync_daemon=LvsSyncDaemon("eth0", instance="V")))
    assert roles(bench) == ["stopped", "master"]
    bench.router.reload(PLAIN)
    assert roles(bench) == ["stopped", "master", "stopped"]


def test_skip_check_adv_addr_compares_lists_only_when_the_master_changes() -> None:
    other = replace(PLAIN, virtual_addresses=vips(7, 8))
    for skip, errors in ((False, 3), (True, 2)):
        bench = Bench(replace(PLAIN, skip_check_adv_addr=skip))
        for number in (2, 2, 3):
            bench.advert(200, number, config=other)
        assert bench.router.instance().statistics.addr_list_err == errors


def test_what_scripts_fifo_and_mail_are_told() -> None:
    bench = Bench(FULL)
    bench.run(1)
    bench.router.feed(down())
    bench.router.feed(up())
    bench.router.stop()
    assert bench.router.ran() == [
        "/backup x",
        "/any word INSTANCE V BACKUP 150",
        "/master",
        "/any word INSTANCE V MASTER 150",
        "/fault",
        "/any word INSTANCE V FAULT 150",
        "/backup x",
        "/any word INSTANCE V BACKUP 150",
        "/stop",
        "/any word INSTANCE V STOP 150",
    ]
    states = ("BACKUP", "MASTER", "FAULT", "BACKUP", "STOP")
    assert bench.router.fifo() == [f'INSTANCE "V" {state} 150' for state in states]
    mails = [(mail.subject, mail.body) for mail in bench.router.of(Alert)]
    assert mails == [
        ("VRRP Instance V - Entering BACKUP state", "=> VRRP Instance is no longer owning VRRP VIPs <="),
        ("VRRP Instance V - Entering MASTER state", "=> VRRP Instance is now owning VRRP VIPs <="),
        ("VRRP Instance V - Entering FAULT state", "=> VRRP Instance is no longer owning VRRP VIPs <="),
        ("VRRP Instance V - Entering BACKUP state", "=> VRRP Instance is no longer owning VRRP VIPs <="),
        ("VRRP Instance V - Stopping", "=> VRRP Instance stopping <="),
    ]
    limits = {action.time_limit for action in bench.router.of(RunScript) if "STOP" in action.why}
    assert limits == {micro(1)}


def test_no_email_faults() -> None:
    bench = Bench(FULL, globals_=GlobalDefs(no_email_faults=True)).until_master()
    bench.router.feed(down())
    assert not bench.router.of(Alert)


def test_traps_say_why_there_is_a_new_master() -> None:
    def detail(bench: Bench) -> str:
        return next(trap.detail for trap in bench.router.of(Trap) if trap.kind is TrapKind.NEW_MASTER)

    bench = Bench(PLAIN)
    bench.run(1)
    assert detail(bench) == "masterNoResponse"
    bench = Bench(PLAIN)
    bench.advert(0)
    bench.run(1)
    assert detail(bench) == "priority"
    bench = Bench(PLAIN)
    bench.advert(1)
    bench.run(1)
    assert detail(bench) == "preempted"


def test_log_lines_of_a_life() -> None:
    bench = Bench(PLAIN, detail=True)
    bench.run(0.4)
    bench.router.stop()
    lines = [line for line in bench.router.log() if "->" not in line and "Sending" not in line]
    assert lines == [
        "(V) Entering BACKUP STATE (init)",
        "(V) Receive advertisement timeout",
        "(V) Entering MASTER STATE",
        "(V) setting VIPs.",
        "(V) sent 0 priority",
        "(V) removing VIPs.",
    ]


# Stop with keepalived's options ---------------------------------------------------------------------------------------------------


def test_dont_release_vrrp_leaves_everything_and_says_nothing_on_the_wire() -> None:
    bench = Bench(PLAIN, command_line=CommandLine(dont_release_vrrp=True)).until_master()
    bench.router.stop()
    assert bench.sent() == [] and bench.router.held and bench.router.fifo() == ['INSTANCE "V" STOP 150']


# Faults of the host ---------------------------------------------------------------------------------------------------------------


def test_an_interface_that_goes_down_and_comes_back() -> None:
    bench = Bench(PLAIN).until_master()
    bench.router.feed(down())
    assert bench.state == "FAULT" and bench.due_in is None and bench.router.held == set()
    bench.advert(200)
    assert bench.router.instance().statistics.advert_rcvd == 0, "deaf while in FAULT"
    bench.router.feed(up())
    assert bench.state == "BACKUP" and bench.due_in == pytest.approx(0.3 + 106 * 0.1 / 256)


def test_dont_track_primary_ignores_the_own_interface() -> None:
    bench = Bench(replace(PLAIN, dont_track_primary=True)).until_master()
    bench.router.feed(down())
    assert bench.state == "MASTER"


@pytest.mark.parametrize("where", ["address", "route", "rule"])
def test_interfaces_of_addresses_routes_and_rules_are_needed_too(where: str) -> None:
    config = {
        "address": replace(PLAIN, excluded_addresses=(replace(vips(9)[0], interface="eth1"),)),
        "route": replace(PLAIN, routes=(replace(ROUTE, interface="eth1"),)),
        "rule": replace(PLAIN, rules=(replace(RULE, incoming="eth1"),)),
    }[where]
    bench = Bench(config).until_master()
    bench.router.feed(InterfaceChanged(Interface("eth1", 3, up=False)))
    assert bench.state == "FAULT"
    free = {
        "address": replace(PLAIN, excluded_addresses=(replace(vips(9)[0], interface="eth1", no_track=True),)),
        "route": replace(PLAIN, routes=(replace(ROUTE, interface="eth1", no_track=True),)),
        "rule": replace(PLAIN, rules=(replace(RULE, incoming="eth1", no_track=True),)),
    }[where]
    bench = Bench(free).until_master()
    bench.router.feed(InterfaceChanged(Interface("eth1", 3, up=False)))
    assert bench.state == "MASTER"


def test_a_missing_source_address_is_a_fault_and_for_ipv4_priority_0_is_sent_all_the_same() -> None:
    bench = Bench(PLAIN).until_master()
    bench.router.feed(AddressRemoved("eth0", address(1), 24))
    assert bench.state == "FAULT" and bench.sent() == [0, 0]
    assert bench.router.instance().faults == ("no IPv4 address for interface eth0",)
    bench.router.feed(AddressAdded("eth0", address(7), 24))
    assert bench.state == "BACKUP" and bench.router.instance().source == address(7)


def test_without_a_link_local_address_nothing_is_sent() -> None:
    bench = Bench(instance6()).until_master()
    bench.router.feed(AddressRemoved("eth0", bench.router.link_local, 64))
    assert bench.state == "FAULT" and bench.sent() == []


def test_another_address_takes_the_place_of_one_that_is_removed() -> None:
    bench = Bench(PLAIN).until_master()
    bench.router.feed(AddressAdded("eth0", address(7), 24))
    assert bench.router.instance().source == address(1), "the first one counts"
    bench.router.feed(AddressRemoved("eth0", address(1), 24))
    assert bench.state == "MASTER" and bench.router.instance().source == address(7)


def test_a_virtual_address_is_no_source_address() -> None:
    bench = Bench(PLAIN)
    bench.router.feed(AddressAdded("eth0", PLAIN.virtual_addresses[0].address, 24))
    bench.router.feed(AddressRemoved("eth0", address(1), 24))
    assert bench.state == "FAULT"


def test_track_src_ip() -> None:
    config = replace(PLAIN, source_address=address(1), track_source_address=True)
    bench = Bench(config).until_master()
    bench.router.feed(AddressRemoved("eth0", address(1), 24))
    assert bench.state == "FAULT"
    bench = Bench(replace(config, track_source_address=False)).until_master()
    bench.router.feed(AddressRemoved("eth0", address(1), 24))
    assert bench.state == "MASTER"


def test_configured_faults_last_for_ever() -> None:
    bench = Bench(replace(PLAIN, faults=("duplicate VRID",)))
    bench.run(10)
    bench.router.feed(down())
    bench.router.feed(up())
    assert bench.state == "FAULT" and bench.sent() == []
    assert "(V) entering FAULT state (duplicate VRID)" in bench.router.log()


def test_no_peers_is_a_fault() -> None:
    bench = Bench(replace(unicast(PLAIN), unicast_peers=()))
    assert bench.state == "FAULT" and bench.router.instance().faults == ("it has no unicast peers",)


def test_a_start_with_the_interface_down_says_so_once() -> None:
    bench = Bench(replace(PLAIN, notify=SCRIPTS), facts=(down(),))
    assert bench.state == "FAULT"
    assert bench.router.ran() == ["/fault", "/any word INSTANCE V FAULT 150"]
    bench.router.feed(InterfaceGone("eth0"))
    assert len(bench.router.ran()) == 2


# What others take away ------------------------------------------------------------------------------------------------------------


def test_a_lost_address_is_put_back_by_giving_up_and_taking_over_after_the_skew_time() -> None:
    bench = Bench(replace(PLAIN, notify=SCRIPTS)).until_master()
    actions = bench.router.feed(AddressRemoved("eth0", PLAIN.virtual_addresses[0].address, 24))
    assert bench.state == "BACKUP" and adverts_in(actions) == [0]
    assert bench.due_in == pytest.approx(106 * 0.1 / 256, abs=0.000_01)
    bench.run(0.1)
    assert bench.state == "MASTER" and len(bench.router.held) == 2


def test_a_lost_address_of_another_prefix_or_untracked_is_nothing_to_us() -> None:
    config = replace(PLAIN, excluded_addresses=(replace(vips(9)[0], no_track=True),))
    bench = Bench(config).until_master()
    bench.router.feed(AddressRemoved("eth0", PLAIN.virtual_addresses[0].address, 32))
    bench.router.feed(AddressRemoved("eth0", config.excluded_addresses[0].address, 24))
    bench.router.feed(AddressRemoved("eth1", PLAIN.virtual_addresses[0].address, 24))
    assert bench.state == "MASTER"


def test_lost_routes_and_rules_too() -> None:
    for lost in (RouteLost("V", ROUTE), RuleLost("V", RULE)):
        bench = Bench(FULL).until_master()
        bench.router.feed(lost)
        assert bench.state == "BACKUP"
    bench = Bench(FULL).until_master()
    bench.router.feed(RouteLost("V", replace(ROUTE, no_track=True)))
    assert bench.state == "MASTER"


# Unicast --------------------------------------------------------------------------------------------------------------------------


def test_unicast_reminds_neighbours_of_its_own_address_when_it_recovers() -> None:
    bench = Bench(unicast(PLAIN)).until_master()
    bench.router.feed(down())
    bench.router.forget()
    bench.router.feed(up())
    (garp,) = bench.router.of(SendGratuitous)
    assert [target.address for target in garp.targets] == [address(1)]


def test_unicast_sends_to_each_peer_with_its_ttl() -> None:
    bench = Bench(unicast(replace(PLAIN, unicast_ttl=7), 2, 3, 4)).until_master()
    bench.run(0.1)
    adverts = bench.router.of(SendAdvert)
    assert [str(advert.destination) for advert in adverts] == ["192.0.2.2", "192.0.2.3", "192.0.2.4"]
    assert {advert.packet[8] for advert in adverts} == {7}


def test_authentication_failures_are_trapped_once_per_complaint() -> None:
    bench = Bench(instance(authentication=password(AuthType.PASS)))
    wrong = instance(authentication=password(AuthType.PASS, b"wrong"))
    for _ in range(3):
        bench.advert(200, config=wrong)
    traps = [trap for trap in bench.router.of(Trap) if trap.kind is TrapKind.AUTHENTICATION]
    assert [(trap.detail, str(trap.source)) for trap in traps] == [("authFailure", "192.0.2.2")]
    assert bench.router.instance().statistics.auth_failure == 3


def test_a_deleted_notice_belongs_to_the_instance_that_asked() -> None:
    told = replace(PLAIN, notify=Notify(deleted=DeletedNotice(Script(("/deleted",)))))
    bench = Bench(told).until_master()
    bench.router.reload()
    assert bench.router.ran() == ["/deleted"] and bench.router.fifo() == ['INSTANCE "V" DELETED 150']
    bench = Bench(PLAIN).until_master()
    bench.router.reload()
    assert bench.router.fifo() == ['INSTANCE "V" FAULT 150']
