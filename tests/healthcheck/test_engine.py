"""The engine as a whole: start, verdicts, reload, restart and stop, in a world without sockets."""

from dataclasses import replace

import pytest

from keepalived_py.addresses import Family
from keepalived_py.config.checkers import DnsCheck, Regex, Url
from keepalived_py.config.lvs import AddressTarget, FwmarkTarget, GroupTarget, Lvs, Protocol
from keepalived_py.config.scripts import Script
from keepalived_py.healthcheck.actions import Alert, CancelProbe, FifoLine, Level, Log, Publish, RunScript, StartProbe
from keepalived_py.healthcheck.events import Batch, Options, ProbeDone, Stopping, TimerFired
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.units import Micro, micro
from tests.healthcheck.builders import (
    STEADY,
    VIP,
    VS,
    address,
    alpha,
    checked,
    http,
    key,
    lvs,
    rs_name,
    server,
    service,
    sorry,
    tcp,
)
from tests.healthcheck.world import BAD, GOOD, World

TWO = lvs(service(checked(1), checked(2)))
OTHER_VIP = AddressTarget(address(99), 443, Protocol.TCP)


def world(config: Lvs = TWO, *, seconds: float = 0, random: float = 0.0) -> World:
    """A world that has run for a while, with what was said forgotten."""
    result = World(random=random)
    result.start(config)
    result.run(seconds)
    if seconds:
        result.forget()
    return result


# ---- start ----


def test_start_publishes_and_announces_each_checker() -> None:
    w = world()
    assert w.table(VIP) == ({key(1): 1, key(2): 1}, None)
    assert w.log()[:2] == [f"Activating healthchecker for service {rs_name(number)} for VS {VS}" for number in (1, 2)]


def test_server_without_a_check_is_up_and_never_asked() -> None:
    w = world(lvs(service(server(1))), seconds=100)
    assert w.table(VIP) == ({key(1): 1}, None)
    assert w.engine.deadline() is None


def test_first_check_after_bootstrap_and_warmup_then_every_delay_loop() -> None:
    timing = replace(STEADY, warmup=micro(8))
    w = World(random=0.5)
    w.start(lvs(service(checked(1, timing))))
    w.run(36)
    assert w.times(address(1)) == [5, 15, 25, 35]


def test_first_success_is_logged_once() -> None:
    w = world()
    w.run(60)
    assert w.log().count(f"TCP connection to {rs_name(1)} success.") == 1
    assert w.fifo() == [f"VS {VS} UP"]


def test_a_quiet_hour_says_nothing() -> None:
    w = world(seconds=12)
    w.run(3600)
    assert {type(action) for action in w.actions} == {StartProbe}
    assert len(w.actions) == 720


# ---- verdicts ----


def test_one_failed_check_through_the_whole_engine() -> None:
    w = world(lvs(service(checked(1, scripts=True), checked(2))), seconds=15)
    w.down.add(address(1))
    w.run(10)
    assert [action for action in w.actions if not isinstance(action, StartProbe)] == [
        Log(Level.INFO, f"TCP_CHECK on service {rs_name(1)} failed after 1 retries."),
        Log(Level.INFO, f"TCP_CHECK on service {rs_name(1)}: connection refused (ECONNREFUSED)"),
        Log(Level.INFO, f"Removing service {rs_name(1)} from VS {VS}"),
        Publish(VIP, {key(2): 1}, None),
        RunScript(Script(("/down1",)), (), f"RS {rs_name(1)} of VS {VS} DOWN"),
        FifoLine(f"RS {rs_name(1)} {VS} DOWN\n\0".encode()),
    ]
    assert w.times(address(1)) == [21, 22.01]
    w.forget()
    w.down.clear()
    w.run(10)
    assert w.times(address(1)) == [31]
    assert [action for action in w.actions if not isinstance(action, StartProbe)] == [
        Log(Level.INFO, f"TCP connection to {rs_name(1)} success."),
        Log(Level.INFO, f"Adding service {rs_name(1)} to VS {VS}"),
        Publish(VIP, {key(1): 1, key(2): 1}, None),
        RunScript(Script(("/up1",)), (), f"RS {rs_name(1)} of VS {VS} UP"),
        FifoLine(f"RS {rs_name(1)} {VS} UP\n\0".encode()),
    ]


def test_before_the_first_success_one_failure_is_enough() -> None:
    w = World()
    w.down.add(address(1))
    w.start(TWO)
    w.run(1.5)
    assert w.table(VIP) == ({key(2): 1}, None)
    assert f"TCP_CHECK on service {rs_name(1)} failed." in w.log()


def test_alpha_waits_for_the_first_success() -> None:
    w = World()
    w.down.add(address(1))
    w.start(lvs(service(checked(1, alpha()), checked(2, alpha()), sorry_server=sorry())))
    assert w.table(VIP) == ({}, 1)
    w.run(1.5)
    assert w.table(VIP) == ({key(2): 1}, None)
    assert w.fifo() == [
        f"VS {VS} DOWN",
        f"RS {rs_name(1)} {VS} DOWN",
        f"RS {rs_name(2)} {VS} UP",
        f"VS {VS} UP",
    ]


def test_log_all_failures_names_each_try() -> None:
    for options, timing in ((Options(checker_log_all_failures=True), STEADY), (Options(), replace(STEADY, log_all_failures=True))):
        w = World()
        w.start(lvs(service(checked(1, timing), checked(2))), options=options)
        w.run(15)
        w.down.add(address(1))
        w.run(10)
        assert w.log().count(f"TCP connection to {rs_name(1)} failed.") == 2


def test_several_checks_of_one_server_must_all_be_up() -> None:
    w = World()
    w.start(lvs(service(server(1, tcp(1), tcp(3)), checked(2))))
    w.run(5)
    w.down.add(address(3))
    w.run(30)
    assert w.table(VIP) == ({key(2): 1}, None)
    w.down.add(address(1))
    w.run(30)
    w.down.remove(address(3))
    w.run(30)
    assert w.table(VIP) == ({key(2): 1}, None)
    w.down.remove(address(1))
    w.run(30)
    assert w.table(VIP) == ({key(1): 1, key(2): 1}, None)


def test_urls_in_turn_and_one_bad_url_takes_the_server_out() -> None:
    w = World()
    w.answer = lambda _, step, now: BAD if step == 1 and now > micro(25) else GOOD
    w.start(lvs(service(server(1, http(1, "/a", "/b")))))
    w.run(60)
    assert [step for _, _, step in w.asked] == [0, 1, 0, 1, 1, 1, 1]
    assert w.table(VIP) == ({}, None)
    assert f"HTTP_CHECK on service {rs_name(1)} failed after 1 retries." in w.log()


def test_urls_that_pass_while_the_server_is_down_are_logged() -> None:
    w = World()
    w.down.add(address(1))
    w.start(lvs(service(server(1, http(1, "/a", "/b", fast_recovery=True)))))
    w.run(5)
    w.down.clear()
    w.forget()
    w.run(10)
    assert w.log() == [
        f"HTTP status code success to {rs_name(1)} url(/a).",
        f"HTTP status code success to {rs_name(1)} url(/b).",
        f"Remote Web server {rs_name(1)} succeed on service.",
        f"Adding service {rs_name(1)} to VS {VS}",
        f"Gained quorum 1+0=1 <= 1 for VS {VS}",
    ]
    assert w.times(address(1)) == [11, 11.01]


def test_what_we_cannot_run_changes_nothing_and_is_said_once() -> None:
    w = world(seconds=5)
    w.answer = lambda *_: Outcome(False, Reason.LOCAL, "bind to [192.0.2.9]:0: Cannot assign requested address")
    w.run(100)
    assert w.table(VIP) == ({key(1): 1, key(2): 1}, None)
    said = [action for action in w.actions if isinstance(action, Log)]
    assert len(said) == 2
    assert said[0].level is Level.WARNING
    assert said[0].text == (
        f"TCP_CHECK on service {rs_name(1)} not run (bind to [192.0.2.9]:0: Cannot assign requested address). Rescheduling."
    )


def test_a_check_may_speak_of_weight() -> None:
    w = world(lvs(service(checked(1, weight=5), checked(2))), seconds=5)
    w.answer = lambda number, *_: Outcome(True, weight=8) if number == address(1) else GOOD
    w.run(10)
    assert w.table(VIP) == ({key(1): 8, key(2): 1}, None)
    w.answer = lambda *_: GOOD
    w.run(10)
    assert w.table(VIP) == ({key(1): 5, key(2): 1}, None)


def test_mails_follow_verdicts() -> None:
    w = World()
    w.start(lvs(service(server(1, tcp(1), tcp(3), smtp_alert=True))))
    w.run(5)
    w.down |= {address(1), address(3)}
    w.run(20)
    subject = f"Realserver {rs_name(1)} of virtual server {VS} - DOWN"
    assert [action for action in w.actions if isinstance(action, Alert)] == [
        Alert(subject, "=> TCP CHECK failed on service <="),
        Alert(subject, "=> TCP CHECK failed on service <="),
    ]


def test_no_checker_emails_leaves_only_those_that_change_the_server() -> None:
    w = World()
    w.start(lvs(service(server(1, tcp(1), tcp(3), smtp_alert=True))), options=Options(no_checker_emails=True))
    w.run(5)
    w.down |= {address(1), address(3)}
    w.run(20)
    assert sum(isinstance(action, Alert) for action in w.actions) == 1


def test_results_of_unknown_probes_are_ignored() -> None:
    w = world(seconds=5)
    assert w.feed(ProbeDone(9999, BAD)) == []
    for _ in range(3):
        assert w.feed(ProbeDone(1, BAD)) == [], "no probe of this checker is under way"
    assert w.table(VIP) == ({key(1): 1, key(2): 1}, None)


def test_a_batch_publishes_each_virtual_server_once() -> None:
    w = world(lvs(service(*(checked(number) for number in range(1, 6)))))
    w.now = micro(1)
    ids = [action.id for action in w.feed(TimerFired()) if isinstance(action, StartProbe)]
    actions = w.feed(Batch(tuple(ProbeDone(id, BAD) for id in ids[:4])))
    assert [action for action in actions if isinstance(action, Publish)] == [Publish(VIP, {key(5): 1}, None)]


# ---- names ----


def test_names_of_groups_marks_and_addresses() -> None:
    first, second = GroupTarget("shop", Protocol.TCP), GroupTarget("shop", Protocol.UDP)
    mark = FwmarkTarget(7, Family.INET)
    w = world(lvs(service(checked(1), target=first), service(checked(1), target=second), service(checked(1), target=mark)))
    names = [(pool.name, pool.servers[0].name) for pool in w.engine.snapshot().pools]
    assert names == [
        ("[shop]:0", "[192.0.2.1]:tcp:80"),
        ("[shop]:1", "[192.0.2.1]:udp:80"),
        ("FWM 7", "[192.0.2.1]:none:80"),
    ]


# ---- absent checkers ----


def test_a_checker_that_cannot_be_run_is_said_once_and_counts_as_absent() -> None:
    dns = DnsCheck(tcp(1).endpoint, alpha(), name="a..b")
    config = lvs(service(server(1, dns, tcp(1)), checked(2)))
    w = world(config)
    line = f"service {rs_name(1)} for VS {VS}: DNS_CHECK not run: a..b is no domain name"
    assert w.log().count(line) == 1
    assert w.table(VIP) == ({key(1): 1, key(2): 1}, None)
    w.run(20)
    w.forget()
    w.reload(lvs(service(server(1, dns, tcp(1), weight=2), checked(2))))
    assert line not in w.log()


def test_a_pattern_that_is_not_understood_is_said() -> None:
    check = replace(http(1), urls=(Url("/", regex=Regex("(?1)")),))
    w = world(lvs(service(server(1, check))))
    assert any("regex '(?1)' is not understood here" in line for line in w.log())


# ---- reload ----


def copy_of(config: Lvs) -> Lvs:
    """An equal configuration that shares no real server, as after a second parse."""
    return Lvs(tuple(replace(vs, real_servers=tuple(replace(rs) for rs in vs.real_servers)) for vs in config.virtual_servers))


def test_reload_of_an_equal_configuration_causes_no_action() -> None:
    w = world(seconds=13)
    before = w.engine.snapshot()
    assert w.reload(copy_of(TWO)) == []
    assert w.engine.snapshot() == before


def test_reload_lets_go_of_the_old_configuration() -> None:
    w = world(seconds=13)
    new = copy_of(TWO)
    w.reload(new)
    held = w.engine._services[VIP].pool
    assert held.config is new.virtual_servers[0]
    assert held._members[key(1)].config is new.virtual_servers[0].real_servers[0]


def test_reload_keeps_the_phase_of_equal_checkers() -> None:
    w = World(random=0.5)
    w.start(lvs(service(checked(1, replace(STEADY, warmup=micro(8))), checked(2))))
    for moment in range(7, 60, 7):
        w.run_until(moment)
        w.reload(lvs(service(checked(1, replace(STEADY, warmup=micro(8)), weight=moment), checked(2))))
    assert w.times(address(1)) == [5, 15, 25, 35, 45, 55]


def test_reload_keeps_the_count_of_failures() -> None:
    timing = replace(STEADY, retry=2)
    w = world(lvs(service(checked(1, timing), checked(2))), seconds=15)
    w.down.add(address(1))
    w.run_until(21.5)
    w.reload(lvs(service(checked(1, timing, weight=2), checked(2))))
    w.run_until(24)
    assert w.times(address(1)) == [21, 22.01, 23.02]
    assert w.table(VIP) == ({key(2): 1}, None)


def test_reload_keeps_a_probe_that_is_under_way() -> None:
    w = world()
    w.took = micro(3)
    w.run_until(2)
    assert CancelProbe not in {type(action) for action in w.reload(lvs(service(checked(1, weight=4), checked(2))))}
    w.run_until(5)
    assert f"TCP connection to {rs_name(1)} success." in w.log()


def test_reload_cancels_the_probes_of_what_is_gone() -> None:
    w = world()
    w.took = micro(3)
    w.run_until(2)
    actions = w.reload(lvs(service(checked(1))))
    assert [type(action) for action in actions if isinstance(action, CancelProbe)] == [CancelProbe]
    w.run_until(30)
    assert w.times(address(2)) == [1]


def test_reload_with_one_change_publishes_only_that_virtual_server() -> None:
    others = [service(checked(number), target=AddressTarget(address(100 + number), 80, Protocol.TCP)) for number in range(1, 50)]
    w = world(lvs(service(checked(1)), *others), seconds=15)
    actions = w.reload(lvs(service(checked(1, weight=3)), *others))
    assert [type(action) for action in actions] == [Log, Publish]
    assert actions[1] == Publish(VIP, {key(1): 3}, None)


def test_reload_of_a_changed_checker_keeps_a_dead_server_out_until_a_success() -> None:
    w = world(seconds=15)
    w.down.add(address(1))
    w.run(20)
    w.reload(lvs(service(checked(1, replace(STEADY, retry=5)), checked(2))))
    assert w.table(VIP) == ({key(2): 1}, None)
    w.run(5)
    assert w.table(VIP) == ({key(2): 1}, None)
    w.down.clear()
    w.run(20)
    assert w.table(VIP) == ({key(1): 1, key(2): 1}, None)


@pytest.mark.parametrize("timing", [replace(STEADY, retry=5), alpha()])
def test_reload_of_a_changed_checker_keeps_an_alive_server_in(timing: object) -> None:
    w = world(seconds=15)
    w.forget()
    assert isinstance(timing, type(STEADY))
    w.reload(lvs(service(checked(1, timing), checked(2))))
    w.run(30)
    assert not any(isinstance(action, Publish) for action in w.actions)


def test_reload_adds_an_alpha_server_only_after_its_first_success() -> None:
    w = world(seconds=15)
    w.reload(lvs(service(checked(1), checked(2), checked(3, alpha()))))
    assert w.table(VIP) == ({key(1): 1, key(2): 1}, None)
    w.run(2)
    assert w.table(VIP) == ({key(1): 1, key(2): 1, key(3): 1}, None)


def test_reload_of_two_equal_checkers_keeps_both() -> None:
    config = lvs(service(server(1, tcp(1), tcp(1))))
    w = world(config, seconds=15)
    w.reload(lvs(service(server(1, tcp(1), tcp(1), weight=2))))
    assert len(w.engine.snapshot().pools[0].servers[0].checks) == 2
    w.run(20)
    assert w.times(address(1)) == [21, 31]


def test_reload_removes_and_adds_virtual_servers() -> None:
    w = world(lvs(service(checked(1)), service(checked(2), target=OTHER_VIP)), seconds=15)
    w.reload(lvs(service(checked(2), target=OTHER_VIP), service(checked(3), target=FwmarkTarget(7, Family.INET))))
    assert w.log()[:2] == [f"Removing Virtual Server {VS}", f"Removing service {rs_name(1)} from VS {VS}"]
    assert [type(action) for action in w.actions].count(Publish) == 1
    w.run(20)
    assert {address for _, address, _ in w.asked} == {address(2), address(3)}


def test_reload_every_second_leaves_nothing_behind() -> None:
    w = world()
    for second in range(2, 300):
        w.run_until(second)
        changed = checked(1, replace(STEADY, delay_loop=micro(10 + second % 2)))
        w.reload(lvs(service(changed, checked(2 + second % 2))))
    assert len(list(w.engine._registry)) == 2
    assert len(w.engine._registry._shared) == 2
    assert len(w.engine._timers) + len(w.running) == 2
    assert len(w.engine._timers._heap) < 200


# ---- restart ----


def test_restart_adds_no_server_back_before_its_first_success() -> None:
    w = World()
    w.down |= {address(1), address(2)}
    w.start(lvs(service(checked(1), checked(2), checked(3))), {VIP: {key(3): 1}})
    assert w.table(VIP) == ({key(3): 1}, None)
    w.run(30)
    w.down.discard(address(1))
    w.run(10)
    assert w.table(VIP) == ({key(1): 1, key(3): 1}, None)


def test_restart_asks_missing_servers_without_warmup() -> None:
    timing = replace(STEADY, warmup=micro(60))
    w = World(random=1.0)
    w.start(lvs(service(*(checked(number, timing) for number in (1, 2, 3)))), {VIP: {key(2): 1, key(3): 0}})
    w.run(2)
    assert [w.times(address(number)) for number in (1, 2, 3)] == [[1], [], [1]]
    assert w.table(VIP) == ({key(1): 1, key(2): 1, key(3): 1}, None)


def test_restart_removes_no_server_before_a_failure_verdict() -> None:
    servers = (checked(1, alpha()), checked(2, weight=4), checked(3))
    config = lvs(service(*servers, quorum=3, hysteresis=2, sorry_server=sorry()))
    w = World()
    w.start(config, {VIP: {key(1): 1, key(2): 0}})
    assert w.table(VIP) == ({key(1): 1, key(2): 0}, None)
    w.run(1.5)
    assert w.table(VIP) == ({key(1): 1, key(2): 4, key(3): 1}, None)


def test_restart_releases_a_server_at_weight_0_by_a_failure() -> None:
    w = World()
    w.down.add(address(2))
    w.start(TWO, {VIP: {key(1): 1, key(2): 0}})
    assert w.table(VIP) == ({key(1): 1, key(2): 0}, None)
    w.run(1.5)
    assert w.table(VIP) == ({key(1): 1}, None)


def test_restart_while_the_sorry_server_serves() -> None:
    config = lvs(service(checked(1), checked(2, inhibit=True), sorry_server=sorry()))
    w = World()
    w.start(config, {VIP: {key(200): 1, key(2): 0}})
    assert w.table(VIP) == ({key(2): 0}, 1)
    w.run(1.5)
    assert w.table(VIP) == ({key(1): 1, key(2): 1}, None)


def test_restart_with_a_service_that_the_kernel_does_not_have_starts_afresh() -> None:
    w = World()
    w.start(lvs(service(checked(1)), service(checked(2), target=OTHER_VIP)), {VIP: {key(1): 1}})
    assert w.table(OTHER_VIP) == ({key(2): 1}, None)


# ---- stop ----


def test_stop_cancels_probes_says_goodbye_and_wants_nothing_more() -> None:
    w = world(lvs(service(checked(1, scripts=True), omega=True, scripts=True)))
    w.took = micro(3)
    w.run_until(2)
    actions = w.feed(Stopping())
    assert [type(action) for action in actions] == [CancelProbe, Log, RunScript, FifoLine, RunScript, FifoLine]
    assert w.engine.deadline() is None
    assert w.feed(TimerFired()) == []
    assert w.reload(TWO) == []


# ---- snapshot ----


def test_snapshot_shows_everything_as_plain_values() -> None:
    w = world(lvs(service(server(1, tcp(1), http(3, "/"), weight=4), quorum=2)), seconds=15)
    w.down.add(address(3))
    w.run_until(21.5)
    (pool,) = w.engine.snapshot().pools
    assert (pool.target, pool.name, pool.quorum_up, pool.live_weight, pool.sorry_active) == (VIP, VS, True, 4, False)
    (member,) = pool.servers
    assert (member.key, member.name, member.alive, member.in_table, member.failed_checks) == (key(1), rs_name(1), True, 4, 0)
    tcp_state, http_state = member.checks
    assert (tcp_state.kind, tcp_state.up, tcp_state.tries, tcp_state.due, tcp_state.last) == ("TCP_CHECK", True, 0, micro(31), GOOD)
    assert (http_state.kind, http_state.tries, http_state.due, http_state.last) == ("HTTP_GET", 1, Micro(22_010_000), BAD)
