"""Beginning and end: of the module, of a namespace, of a service, while packets flow.

Numbers are those of kmod/tests/README.md.
"""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from examples.lab import Lab, fetch
from examples.lab.campus import CAMPUS_VIPS, LOCALS, WEB1, WEB2, Campus
from tests.helpers import fullnat
from tests.helpers import path as played
from tests.helpers.directors import Director
from tests.helpers.fullnat import Fullnat
from tests.helpers.kmsg import KernelLog, complaints
from tests.helpers.packets import ACK, SYN, Raw, to_bytes
from tests.helpers.path import V4

OUR_MODULE = True

SHOP = f"tcp {CAMPUS_VIPS[0]}:80"


@contextmanager
def silence() -> Iterator[None]:
    """The kernel says nothing bad meanwhile: leaks are told when caches, pools and counters are destroyed."""
    log = KernelLog()
    yield
    lines = log.lines()
    log.close()
    assert complaints(lines) == []
    assert not [line for line in lines if "Objects remaining" in line or "leak" in line or "not been given back" in line]


@contextmanager
def flood(client: Raw, packets: list[bytes]) -> Iterator[None]:
    """Send packets from a thread until the end of the block."""
    stop = threading.Event()

    def send() -> None:
        while not stop.is_set():
            for packet in packets:
                try:
                    client.send_bytes(packet)
                except OSError:
                    return

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join(30)


def syns(path: played.Path, count: int) -> list[bytes]:
    made = [path.request(source=path.side.client, sport=10_000 + number, flags=SYN, seq=number) for number in range(count)]
    made += [packet.with_(flags=ACK, seq=1, ack=1) for packet in made]
    return [to_bytes(packet) for packet in made]


def test_t06_it_leaves_nothing_behind_when_it_is_removed() -> None:
    """With sessions in the table, local addresses in use, and namespaces that are just going."""
    with silence():
        for _ in range(2):
            with Campus() as lab, Fullnat(lab.director) as control:
                control.service(SHOP, f"{WEB1}:80", f"{WEB2}:80", locals_=LOCALS)
                for _ in range(5):
                    fetch(lab.client, f"http://{CAMPUS_VIPS[0]}/")
                assert len(control.sessions()) == 5
            fullnat.unload()
            fullnat.load()


def test_t115_it_is_removed_while_packets_arrive() -> None:
    """The services go, the sessions are still there, and so are the clients."""
    with Campus(serve=False) as lab, silence():
        for _ in range(2):
            with (
                Fullnat(lab.director) as control,
                played.Path(lab, control, V4, locals_=3) as path,
                flood(path.client, syns(path, 2000)),
            ):
                time.sleep(1.0)
                assert len(control.sessions(path.service)) > 100
                control.remove(path.service)
                fullnat.unload()
                fullnat.load()


def test_t116_namespaces_come_and_go_while_packets_arrive() -> None:
    with silence():
        for _ in range(2):
            with (
                Campus(serve=False) as lab,
                Fullnat(lab.director) as control,
                played.Path(lab, control, V4, locals_=3) as path,
                flood(path.client, syns(path, 1000)),
            ):
                time.sleep(0.5)
                lab.director.sysctl("net.ipv4.vs.fullnat_lport_max", 5050)
                time.sleep(0.3)
        fullnat.unload()
        fullnat.load()


def test_t117_a_hundred_namespaces(lab: Lab) -> None:
    with silence():
        for number in range(100):
            node = lab.node(f"n{number}")
            if number % 10 == 0:
                with Fullnat(node) as control:
                    control.service("tcp 203.0.113.10:80", locals_=LOCALS)
        lab.close()
        fullnat.unload()
        fullnat.load()


def test_t118_services_come_and_go_under_traffic() -> None:
    with Campus(serve=False) as lab, silence(), Fullnat(lab.director) as control, played.Path(lab, control, V4, locals_=3) as path:
        with flood(path.client, syns(path, 500)):
            for _ in range(15):
                control.remove(path.service)
                control.service(path.service, f"{V4.server}:{path.port}", locals_=LOCALS[:3])
        path.server.settle(LOCALS[0])


@pytest.mark.parametrize("parameter", ["fnat_tab_bits=99", "conn_tab_bits=16"])
def test_t119_tables_have_the_size_that_is_asked_for(lab: Lab, parameter: str) -> None:
    fullnat.unload()
    fullnat.load(parameter)
    try:
        name, _, bits = parameter.partition("=")
        with Fullnat(lab.node("director")) as control:
            if name == "fnat_tab_bits":
                assert control.info().table_size == 1 << min(int(bits), 27)
            else:
                assert "size=65536" in lab.nodes["director"].run("ipvsadm", "-Ln")
    finally:
        lab.close()
        fullnat.unload()
        fullnat.load()


def test_t134_the_stock_module_refuses_fullnat_with_the_remedy(tmp_path: Path) -> None:
    fullnat.unload()
    subprocess.run(["modprobe", "ip_vs"], check=True)
    with Campus(serve=False) as lab:
        alone = Director(lab.director, tmp_path, simulated=False, retry=30, patience=90)
        alone.configure((Path(__file__).parents[2] / "examples" / "shop-fnat.conf").read_text())
        alone.start()
        alone.until(lambda: alone.log().count("lb_kind FNAT needs a kernel module that is not loaded") == 2, "both are refused")
        assert "make -C kmod" in alone.log()
        assert lab.director.run("ipvsadm", "-Sn") == ""
        alone.daemon.stop(60)
    fullnat.unload()
    fullnat.load()
