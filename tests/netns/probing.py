"""How tests run probes: a driver, served as an event loop would, and proof that nothing is left of them."""

import contextlib
import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from keepalived_py.addresses import Address
from keepalived_py.config.checkers import Checker
from keepalived_py.healthcheck.driver import ProbeDriver
from keepalived_py.healthcheck.outcome import Outcome
from keepalived_py.healthcheck.tls import TlsContexts
from keepalived_py.units import Micro, micro

TIMEOUT = micro(0.4)
"""Timeout of probes that are to run into it."""
AMPLE = micro(10)
"""Timeout of probes that are not."""
LOOPBACK = Address.parse("127.0.0.1")
SLACK = 0.5
"""Seconds that a busy machine may add to any bound."""


def now() -> Micro:
    return Micro(time.monotonic_ns() // 1000)


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def children() -> set[int]:
    """Processes that are ours, zombies too."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has just ended
            found.update(map(int, (task / "children").read_text().split()))
    return found


def nothing_is_left() -> Iterator[None]:
    """Fixture: no descriptor and no process more than before."""
    before, family = descriptors(), children()
    yield
    until(lambda: children() <= family)
    assert len(descriptors()) <= len(before)


def made_driver() -> Iterator[ProbeDriver]:
    """Fixture: a driver."""
    made = ProbeDriver(limit=500, contexts=TlsContexts())
    yield made
    made.close()


def run(driver: ProbeDriver, probes: dict[int, tuple[Checker, int]], within: float = 20.0) -> dict[int, Outcome]:
    """Run probes to their ends."""
    for id, (checker, step) in probes.items():
        driver.start(id, checker, step, now())
    return drive(driver, len(probes), within)


def drive(driver: ProbeDriver, results: int, within: float = 20.0) -> dict[int, Outcome]:
    """Serve a driver as an event loop would, until it has given so many results."""
    outcomes: dict[int, Outcome] = {}
    end = time.monotonic() + within
    poller = select.poll()
    poller.register(driver.fileno(), select.POLLIN)
    while len(outcomes) < results:
        assert time.monotonic() < end, f"{results - len(outcomes)} probes do not end"
        deadline = driver.deadline()
        assert deadline is not None, "a probe without a deadline waits for ever"
        poller.poll(max(0, deadline - now()) / 1000)
        for done in driver.poll(now()):
            assert done.id not in outcomes, "one result for each probe"
            outcomes[done.id] = done.outcome
    return outcomes


def probe(driver: ProbeDriver, checker: Checker, step: int = 0) -> Outcome:
    """Run one probe; its socket is gone when it is over (and so, a moment later, is the one that a server made for it)."""
    before = len(descriptors())
    outcome = run(driver, {1: (checker, step)})[1]
    until(lambda: len(descriptors()) <= before)
    assert driver.deadline() is None
    return outcome


def seconds(outcome: Outcome) -> float:
    return outcome.took / 1_000_000


def until(check: Callable[[], bool], within: float = 10.0) -> None:
    end = time.monotonic() + within
    while not check():
        assert time.monotonic() < end
        time.sleep(0.005)


def stopped(process: "subprocess.Popen[bytes]") -> bool:
    """Whether a process has stopped (SIGSTOP) and not just been told to."""
    return Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
