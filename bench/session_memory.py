"""Bytes that a FULLNAT session takes, all told, and what happens when there are no ports left.

    python -m bench.session_memory             boots a guest; a few minutes
    python -m bench.session_memory inside      what runs in there

600,000 clients send a datagram each to one service with one server and nine local addresses, which have 9 x 60,536 ports towards
it. Exactly so many sessions must come into being, evenly spread; the others are refused. Free memory before and after, with all
tables and the slab's own waste, gives the bytes for each session. At the end the module is removed, which finds what leaked.
"""

import argparse
import ctypes
import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from examples.lab.campus import CAMPUS_VIPS, LOCALS, Campus
from keepalived_py.ipvs.fullnat_attributes import Counter
from tests.helpers import fullnat, kernel
from tests.helpers.fullnat import Fullnat
from tests.helpers.guest import Guest
from tests.helpers.kmsg import KernelLog, complaints
from tests.helpers.packets import UDP, Packet, mac, to_bytes

CLIENTS, PORTS = 600_000, 60_536
BOUND = 500
"""Bytes that a session may take."""
SERVICE = f"udp {CAMPUS_VIPS[0]}:53"
BATCH = 1000


def memory() -> int:
    """Return the bytes that are free, after everything that could be free is."""
    subprocess.run(["sync"], check=True)
    Path("/proc/sys/vm/drop_caches").write_text("3")
    time.sleep(0.5)
    free = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemFree:"))
    return int(free.split()[1]) * 1024


def blast(lab: Campus, count: int) -> None:
    """Send a datagram from each of so many clients: 50,000 ports of an address after the other."""
    with lab.edge.entered():
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    wire.bind(("director", 0))
    frames = ctypes.create_string_buffer(64 * BATCH)
    vectors = (ctypes.c_uint64 * (2 * BATCH))()
    headers = (ctypes.c_uint64 * (8 * BATCH))()
    length = 14 + 28
    for number in range(BATCH):
        vectors[2 * number] = ctypes.addressof(frames) + 64 * number
        vectors[2 * number + 1] = length
        headers[8 * number + 2] = ctypes.addressof(vectors) + 16 * number
        headers[8 * number + 3] = 1
    send = ctypes.CDLL(None, use_errno=True).sendmmsg
    ethernet = mac(lab.director, "edge") + mac(lab.edge, "director") + b"\x08\x00"
    for first in range(0, count, BATCH):
        source = f"10.77.{first // 50_000}.1"
        head = bytearray(ethernet + to_bytes(Packet(source, CAMPUS_VIPS[0], UDP, 1, 53)))
        head[40:42] = bytes(2)  # no checksum
        for number in range(BATCH):
            struct.pack_into("!H", head, 34, 10_000 + (first + number) % 50_000)
            ctypes.memmove(ctypes.addressof(frames) + 64 * number, bytes(head), length)
        sent = send(wire.fileno(), ctypes.byref(headers), BATCH, 0)
        assert sent == BATCH, (sent, ctypes.get_errno())
    wire.close()


def inside() -> dict[str, float]:
    """Fill the table, in the guest, and take it away again."""
    log = KernelLog()
    subprocess.run(["modprobe", "-q", "ip_vs"], check=False)
    fullnat.unload()
    fullnat.load("conn_tab_bits=20", "fnat_tab_bits=20")
    with Campus(serve=False) as lab, Fullnat(lab.director) as control:
        lab.director.run("ipvsadm", "--set", "0", "0", "36000")
        control.service(SERVICE, "192.0.2.77:53", locals_=LOCALS)
        lab.director.run("ip", "neighbour", "replace", "203.0.113.129", "lladdr", "02:00:00:00:00:99", "dev", "core")
        blast(lab, BATCH)  # what is allocated once
        before, made = memory(), control.stats()[Counter.FULLNAT_CONN_ALLOC]
        since = time.monotonic()
        blast(lab, CLIENTS)
        took = time.monotonic() - since
        after, stats = memory(), control.stats()
        sessions = stats[Counter.FULLNAT_CONN_ALLOC]
        each = [address.sessions for address in control.local_addresses(SERVICE)]
        control.remove(SERVICE)
    since = time.monotonic()
    fullnat.unload()
    gone = time.monotonic() - since
    numbers = {
        "bytes": (before - after) / (sessions - made),
        "sessions": sessions,
        "refused": stats[Counter.FULLNAT_PORT_EXHAUSTED],
        "least": min(each),
        "most": max(each),
        "complaints": len(complaints(log.lines())),
        "told": sum("no free port" in line for line in log.lines()),
    }
    print(f"{sessions} sessions in {took:.0f} s, {numbers['refused']} refused, {numbers['bytes']:.0f} bytes each (bound {BOUND})")
    print(f"sessions of an address: {min(each)} to {max(each)} of {PORTS}; all gone with the module in {gone:.1f} s")
    return numbers


def outside() -> dict[str, float]:
    """Boot the guest and return its numbers."""
    fullnat.build()
    argv = f"{sys.executable} -m bench.session_memory inside --result $GUEST_OUT/numbers.json"
    guest = Guest(argv, memory="3G", stream=lambda data: sys.stdout.write(data.decode(errors="replace")))
    try:
        status = guest.wait(1500)
    finally:
        guest.kill()
    assert status == 0, guest.tail()
    return dict(json.loads((guest.directory / "numbers.json").read_text()))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.session_memory", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("where", nargs="?", choices=("inside", "outside"), default="outside")
    parser.add_argument("--result", type=Path)
    options = parser.parse_args(arguments)
    if options.where == "outside":
        print(f"Linux {kernel.find().release}")
        return int(outside()["bytes"] > BOUND)
    numbers = inside()
    if options.result:
        options.result.write_text(json.dumps(numbers))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
