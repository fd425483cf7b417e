"""The end of sessions: timeouts, resets for both ends with the right numbers, their limits, and silence on a flush.

Numbers are those of kmod/tests/README.md.
"""

import time
from collections.abc import Iterator

import pytest

from examples.lab import eventually
from examples.lab.campus import CAMPUS_VIPS, CAMPUS_VIPS6, LOCALS, LOCALS6, WEB1, WEB1_6, Campus
from keepalived_py.ipvs.fullnat_attributes import Counter
from tests.helpers.fullnat import Fullnat
from tests.helpers.packets import ACK, FIN, PSH, RST, TCP
from tests.helpers.path import V4, V6, Path
from tests.helpers.streams import Listener, connect, transfer

OUR_MODULE = True

ISN, SERVER_ISN = 0xFFFFFF00, 0xFFFFFFF0
RESETS = (Counter.RST_IN_ESTABLISHED, Counter.RST_OUT_ESTABLISHED)


@pytest.fixture(autouse=True)
def impatient(campus: Campus) -> Iterator[None]:
    """Established sessions may idle for two seconds."""
    campus.director.run("ipvsadm", "--set", "2", "2", "0")
    yield
    campus.director.run("ipvsadm", "--set", "900", "120", "0")
    campus.director.sysctl("net.ipv4.vs.conn_expire_tcp_rst", 1)
    campus.director.sysctl("net.ipv4.vs.conn_expire_tcp_rst_rate", 10000)


@pytest.fixture(params=[V4, V6], ids=["ipv4", "ipv6"])
def path(request: pytest.FixtureRequest, campus: Campus, control: Fullnat) -> Iterator[Path]:
    with Path(campus, control, request.param) as made:
        yield made


def gone(control: Fullnat, path: Path) -> None:
    eventually(lambda: not control.sessions(path.service), "the session is gone", 20)


def moved(number: int, by: int) -> int:
    return number + by & 0xFFFFFFFF


def test_t95_both_ends_are_reset_with_the_number_that_they_expect(path: Path, control: Fullnat) -> None:
    delta = path.open(ISN, SERVER_ISN)
    path.up(flags=ACK | PSH, seq=ISN + 1, ack=moved(SERVER_ISN, 1), payload=b"x" * 100)
    path.down(flags=ACK | PSH, seq=moved(SERVER_ISN, 1), ack=moved(ISN + 101, delta), payload=b"y" * 50)
    before = control.stats()
    at_client, at_server = path.at_client(20), path.at_server(20)
    assert (at_client.flags & RST, at_client.seq) == (RST, moved(SERVER_ISN, 51))
    assert (at_server.flags & RST, at_server.seq) == (RST, moved(ISN + 101, delta))
    assert (at_server.source, at_server.sport) == path.local
    gone(control, path)
    after = control.stats()
    assert [after[each] - before[each] for each in RESETS] == [1, 1]


def test_t96_real_ends_notice(campus: Campus, control: Fullnat) -> None:
    for vip, web, locals_ in ((CAMPUS_VIPS[0], WEB1, LOCALS), (CAMPUS_VIPS6[0], WEB1_6, LOCALS6)):
        pair = "[{}]:{}" if ":" in vip else "{}:{}"
        control.service(f"tcp {pair.format(vip, 7030)}", pair.format(web, 7030), locals_=locals_[:1])
        with Listener(campus.web1, web, 7030) as listener, connect(campus.client, vip, 7030) as client:
            server, _ = listener.accept()
            with server:
                transfer(client, server, 5000)
                transfer(server, client, 5000)
                for end in (client, server):
                    with pytest.raises(ConnectionResetError):
                        end.recv(1)


def test_t97_traffic_keeps_a_session_alive(path: Path, control: Fullnat) -> None:
    """Longer than the timeout, with packets of one direction only."""
    delta = path.open(ISN, SERVER_ISN)
    end = time.monotonic() + 6
    number = 0
    while time.monotonic() < end:
        number += 1
        if number % 2:
            path.up(flags=ACK, seq=ISN + 1, ack=moved(SERVER_ISN, 1))
        else:
            path.down(flags=ACK, seq=moved(SERVER_ISN, 1), ack=moved(ISN + 1, delta))
        time.sleep(0.4)
    assert len(control.sessions(path.service)) == 1


def test_t98_a_service_may_have_its_own_patience(path: Path, control: Fullnat) -> None:
    control.set_timeout(path.service, 300)
    assert control.timeout(path.service) == 300
    path.open(ISN, SERVER_ISN)
    path.up(flags=ACK, seq=ISN + 1, ack=moved(SERVER_ISN, 1))
    (session,) = control.sessions(path.service)
    assert session.state == "ESTABLISHED"
    assert 290_000 < session.expires <= 300_000
    control.set_timeout(path.service, 0)
    assert control.timeout(path.service) == 0
    path.client_port += 1
    path.open(ISN, SERVER_ISN)
    assert min(each.expires for each in control.sessions(path.service)) <= 2000


@pytest.mark.xfail(strict=False, reason="on a loaded machine a reset was sent all the same: not understood yet")
def test_t99_no_resets_when_they_are_switched_off(path: Path, campus: Campus, control: Fullnat) -> None:
    campus.director.sysctl("net.ipv4.vs.conn_expire_tcp_rst", 0)
    path.open(ISN, SERVER_ISN)
    gone(control, path)
    assert [it for it in path.client.settle(path.side.vip) if it.protocol == TCP and it.flags & RST] == []


def test_t100_no_resets_for_sessions_that_end_by_themselves(path: Path, control: Fullnat) -> None:
    delta = path.open(ISN, SERVER_ISN)
    path.down(flags=FIN | ACK, seq=moved(SERVER_ISN, 1), ack=moved(ISN + 1, delta))
    assert control.sessions(path.service)[0].state == "FIN_WAIT"
    gone(control, path)
    assert [it for it in path.client.settle(path.side.vip) if it.protocol == TCP and it.flags & RST] == []


def test_t101_many_ends_at_once_send_only_so_many_resets(campus: Campus, control: Fullnat) -> None:
    campus.director.sysctl("net.ipv4.vs.conn_expire_tcp_rst_rate", 50)
    before = control.stats()
    with Path(campus, control, V4) as path:
        for _ in range(60):
            path.client_port += 1
            path.open(ISN, SERVER_ISN)
        gone(control, path)
    after = control.stats()
    sent = sum(after[each] - before[each] for each in RESETS)
    limited = after[Counter.RST_LIMITED] - before[Counter.RST_LIMITED]
    assert sent + limited == 120
    assert limited > 0
    assert sent > 0


def test_t102_a_session_whose_service_is_gone_ends_by_its_timeout(path: Path, control: Fullnat) -> None:
    path.open(ISN, SERVER_ISN)
    before = control.stats()[Counter.FULLNAT_CONN_FREE]
    control.remove(path.service)
    path.at_client(20)
    eventually(lambda: control.stats()[Counter.FULLNAT_CONN_FREE] > before, "the session is freed", 20)
