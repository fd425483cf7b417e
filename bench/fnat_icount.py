"""Instructions that the director spends on a packet: FULLNAT against stock NAT, both directions.

    python -m bench.fnat_icount [--rounds N]     boots a guest that counts instructions; about two minutes
    python -m bench.fnat_icount inside           what runs in there

QEMU with ``-icount shift=0`` lets one nanosecond of the guest's time be one instruction, so that the numbers do not depend on how
busy this machine is; they are stable to a tenth of a percent. Packets of 100 established sessions are sent by one system call a
thousand right into the director's interface, and what it sends dies at its neighbour's door. The same packets to a wrong hardware
address cost what sending and the cable cost; that is subtracted.
"""

import argparse
import ctypes
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from examples.lab.campus import LOCALS, Campus
from keepalived_py.config.lvs import ForwardingMethod
from keepalived_py.ipvs.operations import NewDestination, NewService
from keepalived_py.ipvs.table import Service
from tests.helpers import fullnat, kernel
from tests.helpers.fullnat import Fullnat, destination, key
from tests.helpers.guest import Guest
from tests.helpers.packets import ACK, PSH, SYN, Packet, mac, to_bytes
from tests.helpers.path import V4
from tests.helpers.path import Path as Played

FLOWS, BURST, ROUNDS = 100, 1000, 5
NOWHERE = bytes.fromhex("020000000099")
BOUND = 0.90
"""FULLNAT may cost this part of NAT, in either direction."""
GOAL = 0.75


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("vectors", ctypes.POINTER(_Vector)),
        ("count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("padding", ctypes.c_int),
        ("sent", ctypes.c_uint),
    )


class Blaster:
    """Sends a thousand frames by one system call, and says how long that took altogether."""

    def __init__(self, node: object, interface: str, frames: Sequence[bytes]) -> None:
        with node.entered():  # type: ignore[attr-defined]
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.bind((interface, 0))
        self._buffers = [ctypes.create_string_buffer(frame, len(frame)) for frame in frames]
        self._vectors = (_Vector * len(frames))()
        self._headers = (_Header * BURST)()
        for number, buffer in enumerate(self._buffers):
            self._vectors[number] = _Vector(ctypes.addressof(buffer), len(buffer))
        for number in range(BURST):
            vector = ctypes.pointer(self._vectors[number % len(frames)])
            self._headers[number] = _Header(None, 0, vector, 1, None, 0, 0, 0, 0)
        self._send = ctypes.CDLL(None, use_errno=True).sendmmsg

    def burst(self) -> float:
        """Return nanoseconds, which are instructions, for one packet."""
        since = time.monotonic_ns()
        sent = self._send(self._socket.fileno(), self._headers, BURST, 0)
        took = time.monotonic_ns() - since
        assert sent == BURST, (sent, ctypes.get_errno())
        return took / BURST

    def close(self) -> None:
        self._socket.close()


@dataclass(frozen=True)
class Case:
    """One path through the director."""

    name: str
    into: str  # the node that sends
    packets: list[bytes]


def frames(lab: Campus, into: str, packets: list[bytes], to: bytes | None = None) -> list[bytes]:
    node = lab.nodes[into]
    return [(to or mac(lab.director, into)) + mac(node, "director") + b"\x08\x00" + packet for packet in packets]


def measure(lab: Campus, case: Case, rounds: int) -> tuple[float, float]:
    """Return instructions for a packet, all told and without sending it."""
    node = lab.nodes[case.into]
    results = []
    for to in (NOWHERE, None):
        blaster = Blaster(node, "director", frames(lab, case.into, case.packets, to))
        blaster.burst()
        results.append(min(blaster.burst() for _ in range(rounds)))
        blaster.close()
    base, total = results
    return total, total - base


@contextmanager
def sinks(lab: Campus) -> Iterator[None]:
    """What the director sends goes to a hardware address that nobody has."""
    nowhere = ":".join(f"{byte:02x}" for byte in NOWHERE)
    lab.director.ip(
        f"neighbour replace 203.0.113.129 lladdr {nowhere} dev core", f"neighbour replace 203.0.113.1 lladdr {nowhere} dev edge"
    )
    yield
    lab.director.ip("neighbour del 203.0.113.129 dev core", "neighbour del 203.0.113.1 dev edge")


def sessions(path: Played) -> tuple[list[bytes], list[bytes]]:
    """Open sessions and exchange data in each; return a packet of each for both directions, as they reach the director."""
    requests, replies = [], []
    for _ in range(FLOWS):
        path.client_port += 1
        syn = path.up(flags=SYN, seq=1000)
        path.down(flags=SYN | ACK, seq=5000, ack=syn.seq + 1)
        path.up(flags=ACK, seq=1001, ack=5001)
        path.down(flags=ACK | PSH, seq=5001, ack=syn.seq + 1, payload=b"hello!")
        request = path.request(source=path.side.client, flags=ACK | PSH, seq=1001, ack=5007, payload=b"hello!", ttl=60)
        reply = path.reply(source=path.side.server, flags=ACK | PSH, seq=5001, ack=syn.seq + 1, payload=b"hello!", ttl=60)
        requests.append(to_bytes(request))
        replies.append(to_bytes(reply))
    return requests, replies


class NatPath(Played):
    """The same by stock NAT: the server sees the client."""

    def at_server(self, within: float = 10.0) -> Packet:
        packet = self.server.expect(lambda it: it.protocol == self.protocol and it.dport == self.port, within)
        self.local = (packet.source, packet.sport)
        return packet


def inside(rounds: int) -> dict[str, float]:
    """Measure, in the guest; print a table."""
    subprocess.run(["modprobe", "-q", "ip_vs"], check=False)
    if not fullnat.loaded():
        fullnat.unload()
        fullnat.load()
    numbers: dict[str, float] = {}
    with Campus(serve=False) as lab, Fullnat(lab.director) as control:
        cases = []
        with Played(lab, control, V4) as path:
            requests, replies = sessions(path)
            cases += [Case("FULLNAT in", "edge", requests), Case("FULLNAT out", "core", replies)]
        # NAT needs forwarding, and a way for the servers back to the clients.
        lab.director.sysctl("net.ipv4.ip_forward", 1)
        lab.core.route("198.51.100.0/24", "203.0.113.130")
        lab.web1.route("198.51.100.0/24", "192.0.2.1")
        with NatPath(lab, control, V4, locals_=0) as path:
            nat = f"tcp {V4.vip}:{path.port + 10000}"
            path.port += 10000
            control.apply(NewService(Service(key(nat), "rr", 32)))
            control.apply(NewDestination(key(nat), destination(f"{V4.server}:{path.port}", 1, ForwardingMethod.MASQ)))
            requests, replies = sessions(path)
            cases += [Case("NAT in", "edge", requests), Case("NAT out", "core", replies)]
        plain = [to_bytes(Packet("198.51.100.77", "192.0.2.77", sport=1, dport=2, flags=ACK, ttl=60, payload=b"hello!"))]
        cases.append(Case("forwarding", "edge", plain))
        with sinks(lab):
            for case in cases:
                total, net = measure(lab, case, rounds)
                numbers[case.name] = net
                print(f"{case.name:12} {total:8.0f} {net:8.0f}")
        print("sessions", len(control.sessions()), "of", FLOWS, "local", LOCALS[0])
    for way in ("in", "out"):
        numbers[f"ratio {way}"] = numbers[f"FULLNAT {way}"] / numbers[f"NAT {way}"]
        print(f"FULLNAT / NAT {way:3}: {numbers[f'ratio {way}']:.3f} (bound {BOUND}, goal {GOAL})")
    return numbers


def outside(rounds: int) -> dict[str, float]:
    """Boot the guest that counts, and return its numbers."""
    fullnat.build()
    argv = f"{sys.executable} -m bench.fnat_icount inside --rounds {rounds} --result $GUEST_OUT/numbers.json"
    guest = Guest(argv, cpus=1, qemu=["-icount", "shift=0"], stream=lambda data: sys.stdout.write(data.decode(errors="replace")))
    try:
        status = guest.wait(900)
    finally:
        guest.kill()
    assert status == 0, guest.tail()
    return dict(json.loads((guest.directory / "numbers.json").read_text()))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.fnat_icount", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("where", nargs="?", choices=("inside", "outside"), default="outside")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--result", type=Path)
    options = parser.parse_args(arguments)
    if options.where == "outside":
        print(f"Linux {kernel.find().release}, instructions for a packet: all told, and the director's own")
        numbers = outside(options.rounds)
        return int(max(numbers["ratio in"], numbers["ratio out"]) > BOUND)
    numbers = inside(options.rounds)
    if options.result:
        options.result.write_text(json.dumps(numbers))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
