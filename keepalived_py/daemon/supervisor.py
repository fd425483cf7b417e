"""Who runs, who is restarted when, and how everybody ends:  handle(event, now) -> list[Action],  deadline() -> Micro | None.

A child that dies is started again at once if it lived long enough, else after a delay that doubles; a child that ends with a fatal
status takes the daemon with it, as with keepalived.  No process is touched here.
"""

import enum
import signal
from dataclasses import dataclass
from typing import Final

from keepalived_py.units import MICRO_PER_SECOND, Micro


class Child(enum.Enum):
    """A kind of child process, with the word that its log lines use."""

    CHECKER = "Healthcheck"


FATAL_STATUSES: Final = frozenset({1, 2, 4})
"""Exit statuses of a child that no restart can mend: fatal, configuration, missing permission."""

LONG_LIFE: Final = Micro(60 * MICRO_PER_SECOND)
_LONGEST_DELAY: Final = 60


@dataclass(frozen=True, slots=True)
class Wanted:
    """The configuration wants these children (and no others)."""

    children: frozenset[Child]


@dataclass(frozen=True, slots=True)
class Started:
    """A child has been forked."""

    child: Child
    pid: int


@dataclass(frozen=True, slots=True)
class Exited:
    """A child has ended: `status` is its exit status, or minus the signal that killed it."""

    child: Child
    pid: int
    status: int


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The daemon is to end, with this exit status."""

    status: int = 0


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The supervisor's deadline has come."""


Event = Wanted | Started | Exited | StopRequested | TimerFired


@dataclass(frozen=True, slots=True)
class Spawn:
    """Fork a child; answer with `Started`.  `takes_over`: it follows one that died, and must not disturb what that one left."""

    child: Child
    takes_over: bool


@dataclass(frozen=True, slots=True)
class Kill:
    """Send a signal to a child."""

    child: Child
    pid: int
    signal: signal.Signals


@dataclass(frozen=True, slots=True)
class Report:
    """Write a log line; `severe` at LOG_ALERT's place."""

    text: str
    severe: bool = False


@dataclass(frozen=True, slots=True)
class Finish:
    """All children are gone: end with this status."""

    status: int


Action = Spawn | Kill | Report | Finish


@dataclass(slots=True)
class _State:
    """What is known of one child."""

    pid: int = 0
    started: Micro = Micro(0)
    delay: int = 0
    restart_at: Micro | None = None
    died: bool = False
    unwanted: bool = False


class Supervisor:
    """Supervises the children.  `respawn` False: the death of one ends the daemon.  `patience`: time between TERM and KILL."""

    def __init__(self, *, respawn: bool, patience: Micro) -> None:
        self.patience = patience
        self._respawn = respawn
        self._wanted: frozenset[Child] = frozenset()
        self._states: dict[Child, _State] = {}
        self._stop_status: int | None = None
        self._kill_at: Micro | None = None

    @property
    def stopping(self) -> bool:
        """Whether the daemon is on its way out."""
        return self._stop_status is not None

    def pid(self, child: Child) -> int:
        """Return the pid of a running child, 0 when it does not run."""
        state = self._states.get(child)
        return state.pid if state else 0

    def handle(self, event: Event, now: Micro) -> list[Action]:
        """Take an event; return what is to be done, in order."""
        match event:
            case Wanted():
                return self._want(event.children)
            case Started():
                self._states[event.child].pid = event.pid
                self._states[event.child].started = now
                return [Report(f"Starting {event.child.value} child process, pid={event.pid}")]
            case Exited():
                return self._exited(event, now)
            case StopRequested():
                return self._stop(event.status, now)
            case TimerFired():
                return self._timer(now)

    def deadline(self) -> Micro | None:
        """Return when `TimerFired` is wanted, or None."""
        waits = [state.restart_at for state in self._states.values() if state.restart_at is not None]
        if self._kill_at is not None:
            waits.append(self._kill_at)
        return min(waits, default=None)

    def _want(self, children: frozenset[Child]) -> list[Action]:
        self._wanted = children
        actions: list[Action] = []
        for child, state in self._states.items():
            state.unwanted = child not in children
            if state.unwanted:
                state.restart_at = None
                if state.pid:
                    actions.append(Kill(child, state.pid, signal.SIGTERM))
        for child in sorted(children, key=lambda child: child.name):
            state = self._states.setdefault(child, _State())
            if not state.pid and state.restart_at is None:
                actions.append(Spawn(child, takes_over=False))
        return actions

    def _exited(self, event: Exited, now: Micro) -> list[Action]:
        state = self._states.get(event.child)
        if state is None or state.pid != event.pid:
            return []
        state.pid = 0
        if self._stop_status is not None:
            return self._finish_if_alone()
        if state.unwanted:
            return [Spawn(event.child, takes_over=False)] if event.child in self._wanted else []
        how = f"exited with status {event.status}" if event.status >= 0 else f"was killed by signal {-event.status}"
        text = f"{event.child.value} child process({event.pid}) {how}"
        if event.status in FATAL_STATUSES:
            return [Report(f"{text}: exiting", severe=True), *self._stop(event.status, now)]
        if not self._respawn:
            return [Report(f"{text}: exiting", severe=True), *self._stop(1, now)]
        return self._plan_restart(event.child, state, text, now)

    def _plan_restart(self, child: Child, state: _State, text: str, now: Micro) -> list[Action]:
        """Restart at once after a long life, else after 0, 1, 2, 4, ... 60 s."""
        delay = 0 if now - state.started > LONG_LIFE else state.delay
        state.delay = min(max(1, delay * 2), _LONGEST_DELAY)
        state.died = True
        if not delay:
            return [Report(f"{text}: respawning", severe=True), Spawn(child, takes_over=True)]
        state.restart_at = Micro(now + delay * MICRO_PER_SECOND)
        return [Report(f"{text}: respawning in {delay} s", severe=True)]

    def _stop(self, status: int, now: Micro) -> list[Action]:
        if self._stop_status is not None:
            return []
        self._stop_status = status
        self._kill_at = Micro(now + self.patience)
        actions: list[Action] = []
        for child, state in self._states.items():
            state.restart_at = None
            if state.pid:
                actions.append(Kill(child, state.pid, signal.SIGTERM))
        return actions or self._finish_if_alone()

    def _finish_if_alone(self) -> list[Action]:
        if any(state.pid for state in self._states.values()):
            return []
        self._kill_at = None
        return [Finish(self._stop_status or 0)]

    def _timer(self, now: Micro) -> list[Action]:
        actions: list[Action] = []
        if self._kill_at is not None and self._kill_at <= now:
            self._kill_at = None
            for child, state in self._states.items():
                if state.pid:
                    actions += [
                        Report(f"{child.value} child process({state.pid}) did not end in time: killing it", severe=True),
                        Kill(child, state.pid, signal.SIGKILL),
                    ]
        for child, state in self._states.items():
            if state.restart_at is not None and state.restart_at <= now:
                state.restart_at = None
                actions.append(Spawn(child, takes_over=True))
        return actions
