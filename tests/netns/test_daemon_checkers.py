"""The daemon with every checker at once, against real servers of Debian: who is in the table when a server fails and comes back."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from examples.lab import Lab, Node
from keepalived_py.addresses import Address
from keepalived_py.ipvs.operations import NewDestination, SetDestination
from keepalived_py.ipvs.table import ServiceEntry
from tests.helpers.directors import Director, alive, descriptors
from tests.helpers.servers import datagram_server, nginx, opensmtpd, unbound

SLACK = 3.0
"""Seconds that a loaded machine may add."""
DELAY, TIMEOUT = 0.5, 1.0


@pytest.fixture
def node() -> Iterator[Node]:
    with Lab() as lab:
        made = lab.node("director")
        made.address("lo", "192.0.2.1/32")
        made.address("lo", "203.0.113.1/32")
        yield made


class Server:
    """A real server of the daemon's, by its port: its check, and how it fails and recovers."""

    def __init__(self, port: int, check: str, fail: Callable[[], None], recover: Callable[[], None]) -> None:
        self.port = port
        self.check = check
        self.fail = fail
        self.recover = recover

    def block(self) -> str:
        return f"real_server 192.0.2.1 {self.port} {{\n{self.check}\n}}\n"


def configuration(servers: list[Server], more: str = "") -> str:
    return f"""\
global_defs {{
    script_user root
    enable_script_security
}}
{more}
virtual_server 203.0.113.1 80 {{
    delay_loop {DELAY}
    delay_before_retry 0.2
    warmup 0
    retry 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
    {"".join(server.block() for server in servers)}
}}
"""


def connected(name: str, port: int, more: str = "") -> str:
    return f"{name} {{\nconnect_ip 127.0.0.1\nconnect_port {port}\nconnect_timeout {TIMEOUT}\n{more}\n}}"


class Process:
    """A real server that can be started and ended again and again at one port."""

    def __init__(self, node: Node, make: Callable[[], "contextlib.AbstractContextManager[int]"]) -> None:
        self._node = node
        self._make = make
        self._stack = contextlib.ExitStack()
        self.port = 0

    def start(self) -> None:
        with self._node.entered():
            self.port = self._stack.enter_context(self._make())

    def stop(self) -> None:
        self._stack.close()


@pytest.fixture
def processes(node: Node, tmp_path: Path) -> Iterator[dict[str, Process]]:
    def folder(name: str) -> Path:
        made = tmp_path / name
        made.mkdir(exist_ok=True)
        return made

    zone = ("local-zone: example. static", 'local-data: "example. 60 IN SOA a. b. 1 2 3 4 5"')
    site = "listen PORT; location / { return 200 hello; }"

    @contextlib.contextmanager
    def echo() -> Iterator[int]:
        with datagram_server(lambda data: [data]) as (port, _):
            yield port

    made = {
        "smtp": Process(node, lambda: opensmtpd(folder("smtp"), made["smtp"].port)),
        "dns": Process(node, lambda: unbound(folder("dns"), *zone, port=made["dns"].port)),
        "http": Process(node, lambda: nginx(folder("http"), site, made["http"].port)),
        "udp": Process(node, echo),
    }
    for process in made.values():
        process.start()
    yield made
    for process in made.values():
        process.stop()


def ports(director: Director) -> set[int]:
    """Ports of the real servers that are in the table."""
    entries: list[ServiceEntry] = list(director.observation.table().values())
    return {key.port for entry in entries for key in entry.destinations}


def test_every_checker_sees_its_server_fail_and_come_back(node: Node, tmp_path: Path, processes: dict[str, Process]) -> None:
    script, flag, file = tmp_path / "check.sh", tmp_path / "flag", tmp_path / "weight"
    script.write_text(f"#!/bin/sh\nsleep 30 &\ntest ! -e {flag}\n")
    script.chmod(0o700)
    file.write_text("0")
    ignore = "/proc/sys/net/ipv4/icmp_echo_ignore_all"

    def told(value: int) -> Callable[[], None]:
        def tell() -> None:
            with node.entered():
                Path(ignore).write_text(str(value))

        return tell

    servers = [
        Server(25, connected("SMTP_CHECK", processes["smtp"].port), processes["smtp"].stop, processes["smtp"].start),
        Server(53, connected("DNS_CHECK", processes["dns"].port, "name example"), processes["dns"].stop, processes["dns"].start),
        Server(
            80,
            connected("HTTP_GET", processes["http"].port, "url {\npath /\nregex ^hello\n}"),
            processes["http"].stop,
            processes["http"].start,
        ),
        Server(22, connected("TCP_CHECK", processes["http"].port), lambda: None, lambda: None),
        Server(7, f"PING_CHECK {{\nconnect_timeout {TIMEOUT}\n}}", told(1), told(0)),
        Server(1, f"MISC_CHECK {{\nmisc_path {script}\nmisc_timeout 2\n}}", flag.touch, flag.unlink),
        Server(2, "FILE_CHECK {\ntrack_file load\nweight 0\n}", lambda: _write(file, "1"), lambda: _write(file, "0")),
    ]
    director = Director(node, tmp_path)
    director.configure(configuration(servers, f"track_file load {{\nfile {file}\n}}"))
    director.start()
    everybody = {server.port for server in servers}
    director.until(lambda: ports(director) == everybody, "everybody is in")
    for name in ("Remote SMTP server", "Remote Web server", "TCP connection", "ICMP connection", "Misc check"):
        director.expect(f"{name} .*succe")
    steady = len(descriptors(director.checker))
    # The web server is in two of them: both go.
    for server in servers:
        if server.port == 22:
            continue
        goes = {80, 22} if server.port == 80 else {server.port}
        server.fail()
        failed = time.monotonic()
        in_table(director, everybody - goes, f"{server.port} is out")
        assert time.monotonic() - failed < 2 * (DELAY + TIMEOUT) + 0.2 + SLACK
        server.recover()
        back = time.monotonic()
        in_table(director, everybody, f"{server.port} is back")
        assert time.monotonic() - back < DELAY + TIMEOUT + SLACK
    director.until(lambda: len(descriptors(director.checker)) <= steady + len(servers), "no descriptor is left behind")
    checker = director.checker
    assert director.daemon.stop() == 0
    assert not alive(checker)
    assert not _sleepers(node), "what scripts leave running goes with them"


def in_table(director: Director, wanted: set[int], what: str) -> None:
    director.until(lambda: ports(director) == wanted, what)


def weighs(director: Director, wanted: int | None, what: str) -> None:
    director.until(lambda: _weight(director, 1) == wanted, what)


def _write(path: Path, text: str) -> None:
    path.write_text(text)


def _sleepers(node: Node) -> list[int]:
    """Processes of `sleep` in the namespaces of a node."""
    found = []
    namespace = node.run("readlink", "/proc/self/ns/net").strip()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if os.readlink(entry / "ns/net") == namespace and (entry / "comm").read_text().strip() == "sleep":
                    found.append(int(entry.name))
    return found


def test_udp_checks(node: Node, tmp_path: Path, processes: dict[str, Process]) -> None:
    good = connected("UDP_CHECK", processes["udp"].port, "payload 00ff10\nrequire_reply 00ffX0\nmin_reply_length 3")
    wrong = connected("UDP_CHECK", processes["udp"].port, "payload 00ff10\nrequire_reply 00ff11")
    nobody = connected("UDP_CHECK", 9)
    director = Director(node, tmp_path)
    checks = enumerate((good, wrong, nobody), 1)
    director.configure(configuration([Server(port, check, lambda: None, lambda: None) for port, check in checks]))
    director.start()
    director.until(lambda: ports(director) == {1}, "only one answers as told")
    processes["udp"].stop()
    director.until(lambda: ports(director) == set(), "it is gone, too")
    assert director.daemon.stop() == 0


def test_ha_suspend_follows_the_address_of_the_host(node: Node, tmp_path: Path, processes: dict[str, Process]) -> None:
    director = Director(node, tmp_path)
    text = configuration([Server(80, connected("TCP_CHECK", processes["http"].port), lambda: None, lambda: None)])
    director.configure(text.replace("protocol TCP", "protocol TCP\nha_suspend"))
    node.ip("addr del 203.0.113.1/32 dev lo")
    director.start()
    director.expect("Deactivating healthchecker for service")
    processes["http"].stop()
    time.sleep(3 * DELAY)
    assert ports(director) == {80}
    node.address("lo", "203.0.113.1/32")
    director.expect("Activating healthchecker for service")
    director.until(lambda: ports(director) == set(), "it is asked and found dead")
    node.ip("addr del 203.0.113.1/32 dev lo")
    director.expect("Suspending healthchecker for service")
    processes["http"].start()
    time.sleep(3 * DELAY)
    assert ports(director) == set()
    assert director.daemon.stop() == 0


def test_slow_start_and_draining(node: Node, tmp_path: Path, processes: dict[str, Process]) -> None:
    director = Director(node, tmp_path)
    check = connected("TCP_CHECK", processes["http"].port)

    def config(weight: int, first: bool = True) -> str:
        one = Server(1, f"weight {weight}\nslow_start 1\ndrain_timeout 1\n{check}", lambda: None, lambda: None)
        return configuration([*([one] if first else []), Server(2, "", lambda: None, lambda: None)])

    director.configure(config(100))
    director.start()
    director.until(lambda: ports(director) == {1, 2}, "both are in")
    processes["http"].stop()
    director.until(lambda: ports(director) == {2}, "one is out")
    mark = director.count
    processes["http"].start()
    weighs(director, 100, "it is back with all its weight")
    seen = [
        change.destination.weight for change in director.operations(mark) if isinstance(change, NewDestination | SetDestination)
    ]
    assert seen[0] == 10
    assert seen == sorted(seen)
    director.configure(config(100, first=False))
    gone = time.monotonic()
    director.reload()
    weighs(director, 0, "it takes no new connections")
    director.until(lambda: ports(director) == {2}, "it is out")
    assert 0.9 < time.monotonic() - gone < 1 + SLACK
    assert director.daemon.stop() == 0


def _weight(director: Director, port: int) -> int | None:
    for entry in director.observation.table().values():
        for key, destination in entry.destinations.items():
            if key.port == port and key.address == Address.parse("192.0.2.1"):
                return destination.weight
    return None


def test_misc_weights_reach_the_table(node: Node, tmp_path: Path) -> None:
    script, status = tmp_path / "check.sh", tmp_path / "status"
    script.write_text(f"#!/bin/sh\nexit $(cat {status})\n")
    script.chmod(0o700)
    status.write_text("52")
    director = Director(node, tmp_path)
    check = f"weight 7\nMISC_CHECK {{\nmisc_path {script}\nmisc_dynamic\n}}"
    director.configure(configuration([Server(1, check, lambda: None, lambda: None)]))
    director.start()
    for text, weight in (("52", 50), ("2", 0), ("0", 7), ("255", 253)):
        status.write_text(text)
        weighs(director, weight, f"status {text}")
    status.write_text("1")
    weighs(director, None, "status 1 takes it out")
    assert director.daemon.stop() == 0


def test_a_certificate_of_the_ssl_block_is_read_again_at_a_reload(
    node: Node, tmp_path: Path, processes: dict[str, Process]
) -> None:
    director = Director(node, tmp_path)
    server = Server(1, connected("SSL_GET", processes["http"].port, "url {\npath /\n}"), lambda: None, lambda: None)
    broken = f"SSL {{\ncertificate {tmp_path}/none.pem\nkey {tmp_path}/none.pem\n}}\n"
    director.configure(configuration([server], broken))
    director.start()
    director.expect(r"SSL_GET on service .* not run \(TLS: certificate .*none.pem")
    assert ports(director) == {1}, "that says nothing about the server"
    director.configure(configuration([server]))
    director.reload()
    director.until(lambda: ports(director) == set(), "now it is asked, and speaks no TLS")
    assert director.daemon.stop() == 0
