"""A world without sockets: servers that are good or bad at given times, a clock, and the engine between them.

Time jumps from deadline to deadline, so that hours pass in milliseconds.  Whatever the engine says is kept.
"""

import heapq
from collections import Counter
from collections.abc import Callable

from keepalived_py.addresses import Address
from keepalived_py.config.checkers import BfdCheck, Checker, FileCheck, MiscCheck
from keepalived_py.config.lvs import Lvs, ServerKey, Target
from keepalived_py.healthcheck.actions import Action, CancelProbe, FifoLine, Log, Publish, StartProbe
from keepalived_py.healthcheck.engine import CheckEngine
from keepalived_py.healthcheck.events import Event, Options, ProbeDone, Reloaded, Started, TimerFired
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.units import Micro, micro

GOOD = Outcome(True)
BAD = Outcome(False, Reason.REFUSED, "ECONNREFUSED")

PROGRAMS = Address.parse("0.0.0.0")
"""Stands for the address of what has none."""

Answer = Callable[[Address, int, Micro], Outcome]
"""(server, step, now) -> outcome."""


class World:
    """`took` is what each probe takes; `down` holds the servers that refuse; `program` says what programs find."""

    def __init__(self, *, random: float | Callable[[], float] = 0.0, took: Micro = micro(0.01)) -> None:
        self.engine = CheckEngine(random if callable(random) else lambda: random)
        self.now = Micro(0)
        self.took = took
        self.down: set[Address] = set()
        self.answer: Answer | None = None
        self.program: Callable[[MiscCheck], Outcome] = lambda _: GOOD
        self.actions: list[Action] = []
        self.tables: dict[Target, Publish] = {}
        self.asked: list[tuple[Micro, Address, int]] = []
        self.running: dict[int, tuple[Checker, int]] = {}
        self._ends: list[tuple[Micro, int]] = []

    def start(self, lvs: Lvs, kernel: dict[Target, dict[ServerKey, int]] | None = None, options: Options = Options()) -> None:  # noqa: B008
        self.feed(Started(lvs, kernel, options))

    def reload(self, lvs: Lvs) -> list[Action]:
        """Reload; return what that caused."""
        return self.feed(Reloaded(lvs))

    def feed(self, event: Event) -> list[Action]:
        actions = self.engine.handle(event, self.now)
        self._check(actions)
        for action in actions:
            self._perform(action)
        self.actions += actions
        return actions

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = Micro(self.now + micro(seconds))
        while (due := self._next()) is not None and due <= end:
            self.now = max(self.now, due)
            self._serve()
        self.now = end

    def run_until(self, seconds: float) -> None:
        """Let time pass up to an instant."""
        self.run(seconds - self.now / 1_000_000)

    def table(self, target: Target) -> tuple[dict[ServerKey, int], int | None]:
        published = self.tables[target]
        return dict(published.weights), published.sorry_weight

    def log(self) -> list[str]:
        return [action.text for action in self.actions if isinstance(action, Log)]

    def fifo(self) -> list[str]:
        return [action.text.decode().strip("\n\0") for action in self.actions if isinstance(action, FifoLine)]

    def forget(self) -> None:
        """Forget what was said so far."""
        self.actions.clear()
        self.asked.clear()

    def times(self, number: Address) -> list[float]:
        """When a server was asked, in seconds."""
        return [at / 1_000_000 for at, address, _ in self.asked if address == number]

    def _next(self) -> Micro | None:
        due = [due for due in (self.engine.deadline(), self._ends[0][0] if self._ends else None) if due is not None]
        return min(due) if due else None

    def _serve(self) -> None:
        while self._ends and self._ends[0][0] <= self.now:
            _, id = heapq.heappop(self._ends)
            probe = self.running.pop(id, None)
            if probe is not None:
                self.feed(ProbeDone(id, self._outcome(*probe)))
        due = self.engine.deadline()
        if due is not None and due <= self.now:
            self.feed(TimerFired())

    def _outcome(self, checker: Checker, step: int) -> Outcome:
        if isinstance(checker, MiscCheck):
            return self.program(checker)
        address = _address(checker)
        if self.answer is not None:
            return self.answer(address, step, self.now)
        return BAD if address in self.down else GOOD

    def _perform(self, action: Action) -> None:
        match action:
            case StartProbe():
                assert action.id not in self.running, "one probe per checker"
                self.running[action.id] = (action.spec, action.step)
                self.asked.append((self.now, _address(action.spec), action.step))
                heapq.heappush(self._ends, (Micro(self.now + self.took), action.id))
            case CancelProbe():
                assert self.running.pop(action.id, None) is not None, "only what runs is cancelled"
            case Publish():
                self.tables[action.target] = action

    def _check(self, actions: list[Action]) -> None:
        published = Counter(action.target for action in actions if isinstance(action, Publish))
        assert all(count == 1 for count in published.values()), "one table per virtual server and event"


def _address(checker: Checker) -> Address:
    assert not isinstance(checker, FileCheck | BfdCheck), "nothing is run for them"
    return PROGRAMS if isinstance(checker, MiscCheck) else checker.endpoint.address
