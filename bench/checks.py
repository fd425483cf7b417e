"""What health checks cost, against a C loop that does nothing else, and how a large fleet fares.

    python -m bench.checks                  all of it, about two minutes; exit status 1 when a bound is missed
    python -m bench.checks cpu              CPU of a TCP and of an HTTP check with the complete state machine, as a ratio
    python -m bench.checks fleet            50,000 checkers: memory, lag, and how soon one dead server is seen
    python -m bench.checks keepalived       CPU of a TCP check beside keepalived's, both as daemons (needs ip_vs: in the guest)

Client and server are pinned to different processors where there are two.  What is measured is the CPU time of the client process,
user and system, for each check that has ended.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from keepalived_py.addresses import Address, Family
from keepalived_py.config.checkers import Checker, Endpoint, HttpCheck, TcpCheck, Timing, Url
from keepalived_py.config.lvs import AddressTarget, Lvs, Protocol, RealServer, VirtualServer
from keepalived_py.healthcheck.actions import Action, Publish, StartProbe
from keepalived_py.healthcheck.driver import ProbeDriver
from keepalived_py.healthcheck.engine import CheckEngine
from keepalived_py.healthcheck.events import Event, Started
from keepalived_py.healthcheck.io import CheckShell
from keepalived_py.healthcheck.tls import TlsContexts
from keepalived_py.system.clock import now
from keepalived_py.system.process import raise_descriptor_limit
from keepalived_py.units import Micro, micro

RATIO = 1.5
"""Bound of the CPU time of a check of ours against keepalived's."""
BOUNDS = {"tcp": None, "http": 1.5}
"""The same against the C loop, which keeps no state that is worth the name."""
SERVERS, INTERVAL, SETTLE, MEASURE, ROUNDS = 1000, 0.2, 0.5, 3.0, 5
"""5,000 checks a second, for so many seconds, so many times."""
FLEET, FLEET_INTERVAL, FLEET_MEGABYTES = 50_000, 10.0, 300
_SOURCE = Path(__file__).with_name("loop.c")


# ---- the yardstick ----


def build(folder: Path) -> Path:
    program = folder / "loop"
    subprocess.run(["gcc", "-O2", "-Wall", "-o", program, _SOURCE], check=True)
    return program


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


def pin(processor: int) -> None:
    """Stay on one processor, where there are several."""
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {processors[processor % len(processors)]})


@contextlib.contextmanager
def server(program: Path) -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen([program, "server", str(port)], preexec_fn=lambda: pin(1))
    try:
        end = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.01)
        yield port
    finally:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Cost:
    """Microseconds of CPU for each of `checks`."""

    checks: int
    failed: int
    user: float
    system: float

    @property
    def total(self) -> float:
        return self.user + self.system

    def __str__(self) -> str:
        failed = f", {self.failed} FAILED" if self.failed else ""
        return f"{self.total:6.1f} us a check ({self.user:.1f} user, {self.system:.1f} system; {self.checks} checks{failed})"


def loop(program: Path, kind: str, port: int) -> Cost:
    times = (INTERVAL, SETTLE, MEASURE)
    argv: list[str | Path] = [program, kind, str(port), str(SERVERS), *(str(int(time * 1000)) for time in times)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, preexec_fn=lambda: pin(0))
    checks, failed, user, system = map(int, done.stdout.split())
    return Cost(checks, failed, user / checks, system / checks)


# ---- ours ----


def fleet(make: Callable[[Address, Timing], Checker], count: int, interval: float, offset: int = 0) -> Lvs:
    """Services of 50 servers each, every server at an address of its own in 127.0.0.0/8."""
    timing = Timing(delay_loop=micro(interval), retry=0, warmup=micro(interval))
    first = int(Address.parse("127.0.0.1")) + offset
    services = []
    for start in range(0, count, 50):
        members = []
        for number in range(start, min(start + 50, count)):
            address = Address((first + number).to_bytes(4, "big"))
            members.append(RealServer(address, 80, checkers=(make(address, timing),)))
        vip = Address((int(Address.parse("10.0.0.0")) + start // 50).to_bytes(4, "big"))
        services.append(VirtualServer(AddressTarget(vip, 80, Protocol.TCP), Family.INET, real_servers=tuple(members)))
    return Lvs(tuple(services))


class ObservedEngine(CheckEngine):
    """An engine that notes how late each probe starts, how many have ended, and when a pool changes."""

    def __init__(self) -> None:
        super().__init__(random.Random(1).random)
        self.lags: list[Micro] = []
        self.ended = 0

    def handle(self, event: Event, now: Micro) -> list[Action]:
        actions = super().handle(event, now)
        for action in actions:
            if isinstance(action, StartProbe):
                check = self._registry.get(action.id)
                assert check is not None
                self.lags.append(Micro(now - check.schedule.due))
        return actions


@dataclass
class Watched:
    """What `run` has seen: CPU and checks between `settle` and the end, pools that changed, memory."""

    user: float = 0.0
    system: float = 0.0
    checks: int = 0
    failed: int = 0
    lags: list[Micro] = field(default_factory=list)
    published: list[float] = field(default_factory=list)
    megabytes: float = 0.0

    @property
    def cost(self) -> Cost:
        return Cost(self.checks, self.failed, self.user / self.checks, self.system / self.checks)


async def run(config: Lvs, settle: float, measure: float, halfway: Callable[[], None] = lambda: None) -> Watched:
    """Check a fleet: `settle` seconds to draw breath, then `measure` seconds that count, `halfway` at their start."""
    watched = Watched()
    engine = ObservedEngine()
    driver = ProbeDriver(limit=20_000, contexts=TlsContexts())
    started = False

    def perform(actions: list[Action]) -> None:
        if started:
            watched.published += [time.monotonic() for action in actions if isinstance(action, Publish)]

    shell = CheckShell(engine, driver, perform, now, asyncio.get_running_loop())
    shell.feed(Started(config))
    gc.collect()
    gc.freeze()  # as the daemon does
    await asyncio.sleep(settle)
    started = True
    halfway()
    before, begun = resource.getrusage(resource.RUSAGE_SELF), len(engine.lags)
    await asyncio.sleep(measure)
    after = resource.getrusage(resource.RUSAGE_SELF)
    watched.user = (after.ru_utime - before.ru_utime) * 1e6
    watched.system = (after.ru_stime - before.ru_stime) * 1e6
    watched.lags = engine.lags[begun:]
    watched.checks = len(watched.lags)
    watched.failed = sum(not check.schedule.up for check in engine._registry)
    watched.megabytes = _resident()
    shell.close()
    return watched


def _resident() -> float:
    """Return the megabytes of memory that the process has used at most."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def apart(function: Callable[[], Watched]) -> Watched:
    """Call a function in a fresh process on the first processor, so that only its own memory and time count."""
    context = get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_in_child, args=(function, there))
    process.start()
    there.close()
    result = here.recv()
    process.join()
    if isinstance(result, str):
        raise RuntimeError(result)
    assert isinstance(result, Watched)
    return result


def _in_child(function: Callable[[], Watched], pipe: Connection) -> None:
    pin(0)
    raise_descriptor_limit()
    try:
        pipe.send(function())
    except Exception as error:
        pipe.send(repr(error))


# ---- what is asked ----


def cpu(program: Path) -> bool:
    """TCP and HTTP checks, the yardstick and ours by turns; the median of the rounds' ratios counts.

    What else the machine does makes rounds worse, by as much as half, but the two halves of one alike.  A side that did not get the
    time to run its checks when they were due served them in bunches, which is cheaper: such a round does not count.
    """
    good = True
    for kind, bound in BOUNDS.items():
        with server(program) as port:
            rounds = sorted(_rounds(program, kind, port), key=lambda pair: pair[1].total / pair[0].total)
        ratios = [ours.total / yardstick.total for yardstick, ours in rounds]
        yardstick, ours = rounds[len(rounds) // 2]
        ratio = ratios[len(ratios) // 2]
        print(f"{kind:4}  C loop {yardstick}\n      ours   {ours}")
        print(f"      ratio {ratio:.2f} (rounds {', '.join(f'{one:.2f}' for one in ratios)}), bound {bound or 'beside keepalived'}")
        good = good and (bound is None or ratio <= bound) and not ours.failed
    return good


def _rounds(program: Path, kind: str, port: int) -> Iterator[tuple[Cost, Cost]]:
    """Yield the rounds in which both sides did what was due; any round when there are too few of them."""
    due, good = SERVERS / INTERVAL * MEASURE, 0
    for number in range(3 * ROUNDS):
        one, other = loop(program, kind, port), apart(partial(_check_fleet, kind, port)).cost
        if min(one.checks, other.checks) >= 0.95 * due or number >= 3 * ROUNDS - 1 - (good == 0):
            good += 1
            yield one, other
        if good == ROUNDS:
            return


def _check_fleet(kind: str, port: int) -> Watched:
    return asyncio.run(run(fleet(_maker(kind, port), SERVERS, INTERVAL), SETTLE + 1, MEASURE))


def _maker(kind: str, port: int) -> Callable[[Address, Timing], Checker]:
    if kind == "tcp":
        return lambda address, timing: TcpCheck(Endpoint(address, port), timing)
    return lambda address, timing: HttpCheck(Endpoint(address, port), timing, urls=(Url("/health"),))


def large(program: Path) -> bool:
    """50,000 checkers, of which one fails: is it seen within its interval and a second?"""
    with server(program) as port, socket.create_server(("127.0.0.1", 0)) as victim:
        victim_port = victim.getsockname()[1]

        def story() -> Watched:
            died: list[float] = []

            def kill() -> None:
                victim.close()
                died.append(time.monotonic())

            def make(address: Address, timing: Timing) -> Checker:
                at = victim_port if int(address) == int(Address.parse("127.0.0.1")) else port
                return TcpCheck(Endpoint(address, at), timing)

            began = time.monotonic()
            config = fleet(make, FLEET, FLEET_INTERVAL)
            built = time.monotonic() - began
            watched = asyncio.run(run(config, FLEET_INTERVAL + 2, 2 * FLEET_INTERVAL, kill))
            print(f"fleet {FLEET} checkers in {len(config.virtual_servers)} services (built in {built:.1f} s)")
            watched.published = [moment - died[0] for moment in watched.published]
            return watched

        with contextlib.suppress(OSError):
            victim.set_inheritable(False)
        result = _in_foreground(story, victim)
    lags = sorted(result.lags)
    seen = result.published[0] if result.published else float("inf")
    print(f"      {result.cost}")
    print(f"      {result.megabytes:.0f} MB at most, bound {FLEET_MEGABYTES}")
    p50, p99 = lags[len(lags) // 2] / 1000, lags[len(lags) * 99 // 100] / 1000
    print(f"      scheduling lag p50 {p50:.2f} ms, p99 {p99:.2f} ms, most {lags[-1] / 1000:.2f} ms")
    print(f"      one dead server: seen after {seen:.2f} s, bound {FLEET_INTERVAL + 1:.0f} s; {result.failed} servers down")
    return seen <= FLEET_INTERVAL + 1 and result.megabytes <= FLEET_MEGABYTES and result.failed == 1


def _in_foreground(story: Callable[[], Watched], victim: socket.socket) -> Watched:
    """Run the story apart, and let go of the socket that is to die in it: the last copy decides."""
    context = get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_in_child, args=(story, there))
    process.start()
    victim.close()
    there.close()
    result = here.recv()
    process.join()
    if isinstance(result, str):
        raise RuntimeError(result)
    assert isinstance(result, Watched)
    return result


# ---- beside keepalived ----


def beside_keepalived(program: Path, count: int = 1000, seconds: float = 20.0) -> bool:
    """The same file for both daemons, one after the other: CPU of the checker process for each check."""
    with server(program) as port, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "keepalived.conf"
        config.write_text(_configuration(count, port))
        theirs = _daemon_cost(["keepalived"], config, folder, count, seconds)
        ours = _daemon_cost([sys.executable, "-m", "keepalived_py"], config, folder, count, seconds)
    print(f"tcp   keepalived {theirs:.0f} us a check, ours {ours:.0f}: ratio {ours / theirs:.2f}, bound {RATIO}")
    return ours / theirs <= RATIO


def _configuration(count: int, port: int) -> str:
    lines = ["global_defs {", "}"]
    for start in range(0, count, 50):
        lines += [f"virtual_server 10.0.{start // 50}.1 80 {{", "delay_loop 1", "lb_algo rr", "lb_kind NAT", "protocol TCP"]
        for number in range(start, start + 50):
            address = f"127.0.{number // 250 + 1}.{number % 250 + 1}"
            lines += [f"real_server {address} {port} {{", "TCP_CHECK {", "connect_timeout 3", "}", "}"]
        lines.append("}")
    return "\n".join(lines) + "\n"


def _daemon_cost(command: list[str], config: Path, folder: Path, count: int, seconds: float) -> float:
    pid_file = folder / "checkers.pid"
    pid_file.unlink(missing_ok=True)
    argv = [*command, "-n", "-l", "-C", "-f", str(config), "-p", str(folder / "parent.pid"), "-c", str(pid_file)]
    daemon = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 120
        while not pid_file.exists() or not pid_file.read_text().strip():
            assert daemon.poll() is None and time.monotonic() < end, "the daemon does not start"
            time.sleep(0.1)
        checker = int(pid_file.read_text())
        time.sleep(10)
        before, began = _cpu(checker), time.monotonic()
        time.sleep(seconds)
        return (_cpu(checker) - before) / ((time.monotonic() - began) * count) * 1e6
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(60)


def _cpu(pid: int) -> float:
    """Return the seconds of CPU that a process has used."""
    values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=["cpu", "fleet", "keepalived", []], default=[])
    wanted = parser.parse_args().what or ["cpu", "fleet"]
    parts = {"cpu": cpu, "fleet": large, "keepalived": beside_keepalived}
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder))
        results = [parts[part](program) for part in wanted]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
