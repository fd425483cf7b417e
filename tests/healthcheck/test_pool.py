"""One virtual server: who is in the table, when the quorum turns, and who is told in which order."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepalived_py.config.lvs import RealServer, ServerKey, SorryServer, VirtualServer
from keepalived_py.healthcheck.actions import Action, Alert, FifoLine, Log, Publish, RunScript
from keepalived_py.healthcheck.pool import Pool, Standing
from tests.healthcheck.builders import VS, key, rs_name, server, service, sorry


def opened(
    config: VirtualServer, failed: dict[int, int] | None = None, *, keeps: bool = False, init_notifies: bool = False
) -> Pool:
    """A pool after its start, with what it said thrown away."""
    pool = Pool(config, VS)
    pool.open(
        {key(number): Standing(count) for number, count in (failed or {}).items()}, init_notifies=init_notifies, keeps_quorum=keeps
    )
    pool.drain()
    return pool


def table(pool: Pool) -> tuple[dict[ServerKey, int], int | None]:
    wanted = pool.wanted()
    return dict(wanted.weights), wanted.sorry_weight


def shown(actions: list[Action]) -> list[str]:
    """Actions as short lines, in order."""
    lines = []
    for action in actions:
        match action:
            case Log():
                lines.append(action.text)
            case Publish():
                lines.append(f"IPVS {sorted((str(key), weight) for key, weight in action.weights.items())} {action.sorry_weight}")
            case RunScript():
                lines.append(f"run {action.script}")
            case FifoLine():
                lines.append(f"fifo {action.text!r}")
            case Alert():
                lines.append(f"mail {action.subject}: {action.body}")
    return lines


def start(config: VirtualServer, failed: dict[int, int] | None = None, **options: bool) -> list[str]:
    pool = Pool(config, VS)
    standings = {key(number): Standing(count) for number, count in (failed or {}).items()}
    pool.open(standings, init_notifies=options.get("init_notifies", False), keeps_quorum=options.get("keeps", False))
    return shown(pool.drain())


# ---- start ----


def test_servers_without_failed_checks_are_in_the_table_from_the_start() -> None:
    pool = opened(service(server(1, weight=3), server(2)))
    assert table(pool) == ({key(1): 3, key(2): 1}, None)
    assert (pool.live_weight, pool.quorum_up) == (4, True)


def test_alpha_servers_are_absent_until_their_first_success() -> None:
    pool = opened(service(server(1), server(2)), {2: 1})
    assert table(pool) == ({key(1): 1}, None)


def test_alpha_servers_with_inhibit_are_in_the_table_with_weight_0() -> None:
    assert table(opened(service(server(1, inhibit=True)), {1: 1})) == ({key(1): 0}, None)


def test_start_says_gained_quorum_then_table_then_script_and_fifo() -> None:
    assert start(service(server(1), quorum=1, scripts=True)) == [
        f"Gained quorum 1+0=1 <= 1 for VS {VS}",
        f"IPVS [('{key(1)}', 1)] None",
        "run /quorum-up",
        "fifo b'VS [203.0.113.1]:tcp:80 UP\\n\\x00'",
    ]


def test_rs_init_notifies_tells_of_servers_before_the_quorum() -> None:
    lines = start(service(server(1, scripts=True)), init_notifies=True)
    told = [line for line in lines if line.startswith(("fifo", "run"))]
    assert told == [
        "run /up1",
        "fifo b'RS [192.0.2.1]:tcp:80 [203.0.113.1]:tcp:80 UP\\n\\x00'",
        "fifo b'VS [203.0.113.1]:tcp:80 UP\\n\\x00'",
    ]


def test_starting_with_quorum_down_brings_the_sorry_server_in() -> None:
    lines = start(service(server(1), sorry_server=sorry(), quorum=1, scripts=True), {1: 1})
    assert lines == [
        f"Starting with quorum down 1-0=1 > 0 for VS {VS}",
        f"Adding sorry server {rs_name(200)} to VS {VS}",
        f"Removing alive servers from the pool for VS {VS}",
        "IPVS [] 1",
        "run /quorum-down",
        "fifo b'VS [203.0.113.1]:tcp:80 DOWN\\n\\x00'",
    ]


def test_starting_with_quorum_down_without_sorry_server_says_nothing() -> None:
    assert start(service(server(1)), {1: 1}) == ["IPVS [] None"]


# ---- up and down ----


def test_a_failed_server_leaves_and_everybody_is_told_in_order() -> None:
    pool = opened(service(server(1, scripts=True), server(2)))
    assert pool.check_failed(key(1))
    assert shown(pool.drain()) == [
        f"Removing service {rs_name(1)} from VS {VS}",
        f"IPVS [('{key(2)}', 1)] None",
        "run /down1",
        "fifo b'RS [192.0.2.1]:tcp:80 [203.0.113.1]:tcp:80 DOWN\\n\\x00'",
    ]


def test_a_recovered_server_comes_back() -> None:
    pool = opened(service(server(1, scripts=True), server(2)), {1: 1})
    assert pool.check_recovered(key(1))
    assert shown(pool.drain()) == [
        f"Adding service {rs_name(1)} to VS {VS}",
        f"IPVS [('{key(1)}', 1), ('{key(2)}', 1)] None",
        "run /up1",
        "fifo b'RS [192.0.2.1]:tcp:80 [203.0.113.1]:tcp:80 UP\\n\\x00'",
    ]


def test_inhibit_on_failure_keeps_the_server_with_weight_0() -> None:
    pool = opened(service(server(1, weight=5, inhibit=True), server(2)))
    pool.check_failed(key(1))
    lines = shown(pool.drain())
    assert lines[0] == f"Disabling service {rs_name(1)} of VS {VS}"
    assert table(pool) == ({key(1): 0, key(2): 1}, None)
    pool.check_recovered(key(1))
    assert shown(pool.drain())[0] == f"Enabling service {rs_name(1)} of VS {VS}"
    assert table(pool) == ({key(1): 5, key(2): 1}, None)


def test_several_checks_up_only_when_all_are_up() -> None:
    pool = opened(service(server(1), server(2)))
    assert pool.check_failed(key(1))
    assert not pool.check_failed(key(1))
    assert not pool.check_recovered(key(1))
    assert not pool.is_alive(key(1))
    assert pool.check_recovered(key(1))
    assert pool.is_alive(key(1))


def test_one_publish_for_many_changes_and_none_for_no_change() -> None:
    pool = opened(service(server(1), server(2), server(3)))
    pool.check_failed(key(1))
    pool.check_failed(key(2))
    assert [type(action) for action in pool.drain()].count(Publish) == 1
    pool.check_recovered(key(1))
    pool.check_failed(key(1))
    assert Publish not in [type(action) for action in pool.drain()]


# ---- quorum ----


@pytest.mark.parametrize(
    ("quorum", "hysteresis", "gained_at", "lost_below"),
    [(1, 0, 1, 1), (3, 0, 3, 3), (3, 1, 4, 2), (2, 1, 3, 1), (0, 0, 1, 1)],
)
def test_quorum_is_gained_and_lost_at_its_thresholds(quorum: int, hysteresis: int, gained_at: int, lost_below: int) -> None:
    servers = tuple(server(number) for number in range(1, 6))
    pool = opened(service(*servers, quorum=quorum, hysteresis=hysteresis), dict.fromkeys(range(1, 6), 1))
    for number in range(1, 6):
        pool.check_recovered(key(number))
        assert pool.quorum_up == (number >= gained_at)
    for number in range(1, 6):
        pool.check_failed(key(number))
        assert pool.quorum_up == (5 - number >= lost_below)


def test_lost_quorum_after_the_server_and_its_notification() -> None:
    pool = opened(service(server(1), server(2), quorum=2, scripts=True))
    pool.check_failed(key(1))
    assert shown(pool.drain()) == [
        f"Removing service {rs_name(1)} from VS {VS}",
        f"IPVS [('{key(2)}', 1)] None",
        "fifo b'RS [192.0.2.1]:tcp:80 [203.0.113.1]:tcp:80 DOWN\\n\\x00'",
        f"Lost quorum 2-0=2 > 1 for VS {VS}",
        "run /quorum-down",
        "fifo b'VS [203.0.113.1]:tcp:80 DOWN\\n\\x00'",
    ]


def test_quorum_texts_show_the_threshold_with_hysteresis() -> None:
    pool = opened(service(server(1, weight=10), server(2, weight=3), quorum=5, hysteresis=2), {1: 1})
    pool.check_recovered(key(1))
    assert f"Gained quorum 5+2=7 <= 13 for VS {VS}" in shown(pool.drain())
    pool.check_failed(key(1))
    assert pool.quorum_up, "3 >= 5 - 2"
    pool.check_failed(key(2))
    assert f"Lost quorum 5-2=3 > 0 for VS {VS}" in shown(pool.drain())


def test_weight_change_judges_the_quorum_again() -> None:
    pool = opened(service(server(1, weight=5), quorum=5))
    pool.reweigh(key(1), -2)
    lines = shown(pool.drain())
    assert lines[0] == f"Changing weight from 5 to 3 for active service {rs_name(1)} of VS {VS}"
    assert f"Lost quorum 5-0=5 > 3 for VS {VS}" in lines
    assert table(pool) == ({key(1): 3}, None)


def test_weights_are_never_below_0() -> None:
    pool = opened(service(server(1, weight=5), server(2)))
    pool.reweigh(key(1), -50)
    assert table(pool) == ({key(1): 0, key(2): 1}, None)
    assert pool.live_weight == 1


# ---- sorry server ----


def test_lost_quorum_with_sorry_server_removes_the_remaining_servers_and_adds_it() -> None:
    pool = opened(service(server(1), server(2, weight=4), server(3, inhibit=True), quorum=6, sorry_server=sorry()))
    pool.check_failed(key(1))
    lines = shown(pool.drain())
    assert table(pool) == ({key(3): 0}, 1)
    assert lines[-4:] == [
        f"Lost quorum 6-0=6 > 5 for VS {VS}",
        f"Adding sorry server {rs_name(200)} to VS {VS}",
        f"Removing alive servers from the pool for VS {VS}",
        "fifo b'VS [203.0.113.1]:tcp:80 DOWN\\n\\x00'",
    ]


def test_gained_quorum_removes_the_sorry_server_and_adds_the_servers_back() -> None:
    pool = opened(service(server(1), server(2), quorum=2, sorry_server=sorry()), {1: 1})
    assert table(pool) == ({}, 1)
    pool.check_recovered(key(1))
    lines = shown(pool.drain())
    assert table(pool) == ({key(1): 1, key(2): 1}, None)
    assert lines[-4:] == [
        f"Gained quorum 2+0=2 <= 2 for VS {VS}",
        f"Removing sorry server {rs_name(200)} from VS {VS}",
        f"Adding alive servers to the pool for VS {VS}",
        "fifo b'VS [203.0.113.1]:tcp:80 UP\\n\\x00'",
    ]


def test_while_the_sorry_server_serves_changes_of_servers_do_not_reach_ipvs() -> None:
    pool = opened(service(server(1), server(2), server(3), quorum=3, sorry_server=sorry()), {1: 1, 2: 1})
    pool.check_recovered(key(1))
    assert Publish not in [type(action) for action in pool.drain()]


def test_sorry_server_inhibit_is_in_the_table_with_weight_0() -> None:
    pool = opened(service(server(1), sorry_server=sorry(inhibit=True)))
    assert table(pool) == ({key(1): 1}, 0)
    pool.check_failed(key(1))
    assert f"Enabling sorry server {rs_name(200)} to VS {VS}" in shown(pool.drain())
    assert table(pool) == ({}, 1)


def test_sorry_server_that_is_also_a_real_server_is_in_the_table_once() -> None:
    pool = opened(service(server(1), server(2), quorum=2, sorry_server=sorry(1, inhibit=True)))
    assert table(pool) == ({key(1): 1, key(2): 1}, None)
    pool.check_failed(key(2))
    assert table(pool) == ({}, 1)


# ---- restart ----


def test_restart_keeps_a_quorum_inside_the_hysteresis() -> None:
    config = service(server(1), server(2), server(3), quorum=2, hysteresis=1, sorry_server=sorry())
    assert opened(config, {1: 1, 2: 1}, keeps=True).quorum_up
    assert not opened(config, {1: 1, 2: 1}, keeps=False).quorum_up


def test_held_server_stays_with_weight_0_until_a_check_speaks() -> None:
    pool = Pool(service(server(1, weight=5), server(2)), VS)
    pool.open({key(1): Standing(failed=1, held=True)}, init_notifies=False)
    assert table(pool) == ({key(1): 0, key(2): 1}, None)
    pool.confirm(key(1), tell=False)
    assert table(pool) == ({key(2): 1}, None)


# ---- reload ----


def reload(pool: Pool, config: VirtualServer, failed: dict[int, int] | None = None) -> list[str]:
    standings = {key(number): Standing(count) for number, count in (failed or {}).items()}
    pool.absorb(config, VS, standings, init_notifies=False)
    return shown(pool.drain())


def test_reload_without_a_difference_says_and_does_nothing() -> None:
    config = service(server(1), server(2), sorry_server=sorry(), quorum=2)
    for failed in ({}, {1: 1}):
        pool = opened(config, failed)
        assert reload(pool, replace(config), failed) == []


def test_reload_adds_a_server_without_a_word() -> None:
    pool = opened(service(server(1)))
    assert reload(pool, service(server(1), server(2))) == [f"IPVS [('{key(1)}', 1), ('{key(2)}', 1)] None"]


def test_reload_removes_a_server_and_tells() -> None:
    pool = opened(service(server(1), server(2, scripts=True)))
    assert reload(pool, service(server(1))) == [
        f"service {rs_name(2)} no longer exist",
        f"Removing service {rs_name(2)} from VS {VS}",
        f"IPVS [('{key(1)}', 1)] None",
        "run /down2",
        "fifo b'RS [192.0.2.2]:tcp:80 [203.0.113.1]:tcp:80 DOWN\\n\\x00'",
    ]


def test_reload_changes_a_weight() -> None:
    pool = opened(service(server(1), server(2)))
    assert reload(pool, service(server(1, weight=7), server(2))) == [
        f"Changing weight from 1 to 7 for active service {rs_name(1)} of VS {VS}",
        f"IPVS [('{key(1)}', 7), ('{key(2)}', 1)] None",
    ]


def test_reload_keeps_failed_servers_out() -> None:
    pool = opened(service(server(1), server(2)), {1: 1})
    reload(pool, service(server(1, weight=3), server(2)), {1: 1})
    assert table(pool) == ({key(2): 1}, None)


def test_reload_takes_the_failed_check_away_and_the_server_comes_up() -> None:
    pool = opened(service(server(1), server(2)), {1: 1})
    lines = reload(pool, service(server(1, weight=1), server(2)), {})
    assert lines[0] == f"Adding service {rs_name(1)} to VS {VS}"
    assert table(pool) == ({key(1): 1, key(2): 1}, None)


def test_reload_raises_the_quorum_beyond_what_is_alive() -> None:
    pool = opened(service(server(1), server(2), sorry_server=sorry()))
    lines = reload(pool, service(server(1), server(2), quorum=3, sorry_server=sorry()))
    assert lines[0] == f"Starting with quorum down 3-0=3 > 2 for VS {VS}"
    assert table(pool) == ({}, 1)


@pytest.mark.parametrize("new", [None, sorry(201)])
def test_reload_takes_an_active_sorry_server_away(new: SorryServer | None) -> None:
    pool = opened(service(server(1), server(2), quorum=2, sorry_server=sorry()), {1: 1})
    lines = reload(pool, service(server(1), server(2), quorum=2, sorry_server=new), {1: 1})
    assert lines[0] == f"Removing sorry server {rs_name(200)} from VS {VS}"
    assert table(pool) == (({key(2): 1}, None) if new is None else ({}, 1))


def test_duplicate_server_is_reported_and_the_first_one_counts() -> None:
    lines = start(service(server(1, weight=3), server(1, weight=9)))
    assert lines[0] == f"real server {rs_name(1)} appears twice in VS {VS}: the first one counts"
    assert f"IPVS [('{key(1)}', 3)] None" in lines


# ---- end ----


def test_removed_virtual_server_says_goodbye_to_servers_and_quorum() -> None:
    pool = opened(service(server(1), server(2), scripts=True), {2: 1})
    pool.close()
    assert shown(pool.farewell()) == [
        f"Removing Virtual Server {VS}",
        f"Removing service {rs_name(1)} from VS {VS}",
        "fifo b'RS [192.0.2.1]:tcp:80 [203.0.113.1]:tcp:80 DOWN\\n\\x00'",
        "run /quorum-down",
        "fifo b'VS [203.0.113.1]:tcp:80 DOWN\\n\\x00'",
    ]


def test_stop_without_omega_only_logs() -> None:
    pool = opened(service(server(1, scripts=True), server(2, inhibit=True), scripts=True), {2: 1})
    pool.stop()
    assert shown(pool.farewell()) == [
        f"Shutting down service {rs_name(1)} from VS {VS}",
        f"Shutting down (inhibited) service {rs_name(2)} from VS {VS}",
    ]


def test_stop_with_omega_tells_everybody_with_a_time_limit() -> None:
    pool = opened(service(server(1, scripts=True), server(2, scripts=True), scripts=True, omega=True), {2: 1})
    pool.stop()
    actions = pool.farewell()
    assert shown(actions) == [
        f"Shutting down service {rs_name(1)} from VS {VS}",
        "run /down1",
        "fifo b'RS [192.0.2.1]:tcp:80 [203.0.113.1]:tcp:80 DOWN\\n\\x00'",
        f"Shutting down service {rs_name(2)} from VS {VS}",
        "run /quorum-down",
        "fifo b'VS [203.0.113.1]:tcp:80 DOWN\\n\\x00'",
    ]
    assert all(action.time_limit == 1_000_000 for action in actions if isinstance(action, RunScript))


def test_stop_with_omega_does_not_speak_of_servers_that_did_not_serve() -> None:
    pool = opened(service(server(1, scripts=True), server(2), quorum=2, sorry_server=sorry(), omega=True), {2: 1})
    pool.stop()
    assert "run /down1" not in shown(pool.farewell())


def test_mail_follows_what_it_is_about() -> None:
    pool = opened(service(server(1, smtp_alert=True), server(2), quorum=2, smtp_alert=True))
    pool.check_failed(key(1))
    pool.mail(key(1), up=False, body="=> TCP CHECK failed on service <=")
    pool.mail(key(2), up=False, body="not wanted")
    assert [line for line in shown(pool.drain()) if line.startswith("mail")] == [
        f"mail Virtualserver {VS} - DOWN: => Lost quorum 2+0=2 <= 1 <=",
        f"mail Realserver {rs_name(1)} of virtual server {VS} - DOWN: => TCP CHECK failed on service <=",
    ]


# ---- any sequence ----

_SERVERS = st.builds(
    lambda number, weight, inhibit: server(number, weight=weight, inhibit=inhibit),
    st.integers(1, 6),
    st.integers(0, 5),
    st.booleans(),
)
_CONFIGS = st.builds(
    lambda servers, quorum, hysteresis, sorry_server: service(
        *servers, quorum=quorum, hysteresis=hysteresis, sorry_server=sorry_server
    ),
    st.lists(_SERVERS, max_size=6, unique_by=lambda server: server.key),
    st.integers(1, 8),
    st.integers(0, 3),
    st.sampled_from((None, sorry(), sorry(inhibit=True), sorry(3), sorry(3, inhibit=True))),
)
_MOVES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("fail", "recover")), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("weigh"), st.integers(0, 5), st.integers(-6, 6)),
        st.tuples(st.just("reload"), _CONFIGS, st.just(0)),
    ),
    max_size=30,
)


class Model:
    """What is known from outside: which servers failed, which table was published last, which quorum was told last."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.failed = {server.key: 0 for server in pool.config.real_servers}
        self.published: Publish | None = None
        self.told: dict[bytes, bytes] = {}

    def check(self) -> None:
        """Compare all invariants with what the pool has said so far."""
        actions = self.pool.drain()
        assert [type(action) for action in actions].count(Publish) <= 1
        for action in actions:
            if isinstance(action, Publish):
                assert action != self.published
                self.published = action
            if isinstance(action, FifoLine):
                name, state = action.text.rsplit(b" ", 1)
                assert self.told.get(name) != state
                self.told[name] = state
        self._check_table()
        quorum = self.told.get(f"VS {VS}".encode(), b"DOWN\n\0")
        assert (quorum == b"UP\n\0") == self.pool.quorum_up

    def _check_table(self) -> None:
        pool, config = self.pool, self.pool.config
        alive = [server for server in config.real_servers if not self.failed[server.key]]
        live = sum(pool.effective_weight(server.key) for server in alive)
        assert pool.live_weight == live
        assert not pool.quorum_up or live >= config.quorum - config.hysteresis
        assert pool.sorry_active == (config.sorry_server is not None and not pool.quorum_up)
        expected = {}
        for member in config.real_servers:
            serves = member in alive and not pool.sorry_active
            if serves or member.inhibit_on_failure:
                expected[member.key] = pool.effective_weight(member.key) if serves else 0
        if pool.sorry_active and config.sorry_server is not None:
            expected.pop(config.sorry_server.key, None)
        assert self.published is not None
        assert dict(self.published.weights) == expected
        assert (self.published.sorry_weight == 1) == pool.sorry_active


def _key_at(servers: tuple[RealServer, ...], index: int) -> ServerKey | None:
    return servers[index % len(servers)].key if servers else None


@settings(deadline=None)
@given(config=_CONFIGS, moves=_MOVES)
def test_any_sequence_leaves_a_consistent_table(config: VirtualServer, moves: list[tuple[str, int | VirtualServer, int]]) -> None:
    """No dead server serves, the sorry server serves exactly when the quorum is lost, the live weight is the sum of the living."""
    pool = Pool(config, VS)
    model = Model(pool)
    pool.open({}, init_notifies=True)
    model.check()
    for what, subject, amount in moves:
        if isinstance(subject, VirtualServer):
            model.failed = {server.key: model.failed.get(server.key, 0) for server in subject.real_servers}
            # A sorry server that replaces another is announced with the quorum once more, as keepalived does.
            model.told = {name: state for name, state in model.told.items() if name.startswith(b"VS") and state == b"UP\n\0"}
            pool.absorb(subject, VS, {key: Standing(count) for key, count in model.failed.items()}, init_notifies=False)
        elif (chosen := _key_at(pool.config.real_servers, subject)) is not None:
            if what == "fail":
                model.failed[chosen] += 1
                pool.check_failed(chosen)
            elif what == "recover" and model.failed[chosen]:
                model.failed[chosen] -= 1
                pool.check_recovered(chosen)
            elif what == "weigh":
                pool.reweigh(chosen, amount)
        model.check()
