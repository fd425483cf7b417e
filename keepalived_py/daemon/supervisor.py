"""Who runs, who is restarted when, and how everybody ends:  handle(event, now) -> list[Action],  deadline() -> Micro | None.

    (absent) --Wanted--> running --Exited--> waiting (0, 1, 2, 4, ... 60 s) --TimerFired--> running
                            |
                            +--no longer wanted, or StopRequested: TERM--> ending --patience is over: KILL--> (absent)

A child that ends with a fatal status takes the daemon with it, as with keepalived.  No process is touched here.
"""

import enum
import signal
from dataclasses import dataclass
from typing import Final

from keepalived_py.units import MICRO_PER_SECOND, Micro


class Child(enum.Enum):
    """A kind of child process, with the word that its log lines use."""

    CHECKER = "Healthcheck"
    VRRP = "VRRP"


FATAL_STATUSES: Final = {1: "FATAL", 2: "CONFIG", 4: "MISSING_PERMISSION", 204: "NO_MEMORY"}
"""Exit statuses of a child that no restart can mend, with their names in keepalived's log."""

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
class NotStarted:
    """A child could not be forked; `reason` says why."""

    child: Child
    reason: str


@dataclass(frozen=True, slots=True)
class Exited:
    """A child has ended: `status` is its exit status, or minus the signal that killed it."""

    child: Child
    pid: int
    status: int


@dataclass(frozen=True, slots=True)
class GettingOn:
    """A child that was told to end has shown that it is about it: its time starts anew."""

    child: Child


@dataclass(frozen=True, slots=True)
class StopRequested:
    """The daemon is to end, with this exit status."""

    status: int = 0


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The supervisor's deadline has come."""


Event = Wanted | Started | NotStarted | Exited | GettingOn | StopRequested | TimerFired


@dataclass(frozen=True, slots=True)
class Spawn:
    """Fork a child; answer with `Started` or `NotStarted`.

    `takes_over`: it follows one that died, and must not disturb what that one left.
    """

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
    """Write a log line; `severe` as an error."""

    text: str
    severe: bool = False


@dataclass(frozen=True, slots=True)
class Finish:
    """All children are gone: end with this status."""

    status: int


Action = Spawn | Kill | Report | Finish


@dataclass(slots=True)
class _State:
    """What is known of one child.  `ending`: it has been told to; `kill_at`: when it will be made to."""

    pid: int = 0
    started: Micro = Micro(0)
    delay: int = 0
    restart_at: Micro | None = None
    takes_over: bool = False
    ending: bool = False
    kill_at: Micro | None = None


class Supervisor:
    """Supervises the children.

    `respawn` False: the death of one ends the daemon.  `patience`: time between TERM, or the last sign of getting on, and KILL.
    """

    def __init__(self, *, respawn: bool, patience: Micro) -> None:
        self.patience = patience
        self._respawn = respawn
        self._wanted: frozenset[Child] = frozenset()
        self._states: dict[Child, _State] = {}
        self._stop_status: int | None = None

    @property
    def stopping(self) -> bool:
        """Whether the daemon is on its way out."""
        return self._stop_status is not None

    def pid(self, child: Child) -> int:
        """Return the pid of a child that runs or is ending, 0 when there is none."""
        state = self._states.get(child)
        return state.pid if state else 0

    def serves(self, child: Child) -> bool:
        """Whether a child runs and has not been told to end."""
        state = self._states.get(child)
        return state is not None and state.pid != 0 and not state.ending

    def handle(self, event: Event, now: Micro) -> list[Action]:
        """Take an event; return what is to be done, in order."""
        match event:
            case Wanted():
                return self._want(event.children, now)
            case Started():
                return self._started(event, now)
            case NotStarted():
                return self._not_started(event, now)
            case Exited():
                return self._exited(event, now)
            case GettingOn():
                return self._getting_on(event.child, now)
            case StopRequested():
                return self._stop(event.status, now)
            case TimerFired():
                return self._timer(now)

    def deadline(self) -> Micro | None:
        """Return when `TimerFired` is wanted, or None."""
        times = (at for state in self._states.values() for at in (state.restart_at, state.kill_at))
        return min((at for at in times if at is not None), default=None)

    def _want(self, children: frozenset[Child], now: Micro) -> list[Action]:
        if self.stopping:
            return []
        self._wanted = children
        actions: list[Action] = []
        for child, state in self._states.items():
            if child not in children:
                state.restart_at = None
                actions += self._terminate(child, state, now)
        for child in sorted(children, key=lambda child: child.name):
            state = self._states.setdefault(child, _State())
            if not state.pid and state.restart_at is None:
                actions.append(self._spawn(child, state, takes_over=False))
        return actions

    def _spawn(self, child: Child, state: _State, *, takes_over: bool) -> Spawn:
        state.restart_at = None
        state.takes_over = takes_over
        return Spawn(child, takes_over)

    def _terminate(self, child: Child, state: _State, now: Micro) -> list[Action]:
        """Tell a child to end, once."""
        if not state.pid or state.ending:
            return []
        state.ending = True
        state.kill_at = Micro(now + self.patience)
        return [Kill(child, state.pid, signal.SIGTERM)]

    def _started(self, event: Started, now: Micro) -> list[Action]:
        state = self._states.setdefault(event.child, _State())
        state.pid = event.pid
        state.started = now
        return [Report(f"Starting {event.child.value} child process, pid={event.pid}")]

    def _not_started(self, event: NotStarted, now: Micro) -> list[Action]:
        """Try again as after a short life, but never at once: what is lacking will not be there a moment later."""
        state = self._states.setdefault(event.child, _State())
        state.delay = max(1, state.delay)
        text = f"{event.child.value} child process: fork error({event.reason})"
        return [Report(text, severe=True), *self._restart(event.child, state, now, takes_over=state.takes_over)]

    def _exited(self, event: Exited, now: Micro) -> list[Action]:
        child, state = event.child, self._states.get(event.child)
        if state is None or state.pid != event.pid:
            return []
        told, state.ending, state.pid, state.kill_at = state.ending, False, 0, None
        if self._stop_status is not None:
            return self._finish_if_alone()
        if told:
            return [self._spawn(child, state, takes_over=False)] if child in self._wanted else []
        if event.status in FATAL_STATUSES:
            name = FATAL_STATUSES[event.status]
            text = f"pid {event.pid} exited with permanent error {name}. Terminating"
            return [Report(text, severe=True), *self._stop(event.status, now)]
        died = f"{child.value} child process({event.pid}) died"
        how = Report(f"pid {event.pid} {_how(event.status)}", severe=True)
        if not self._respawn:
            return [how, Report(f"{died}: Exiting", severe=True), *self._stop(0, now)]
        state.delay = 0 if now - state.started > LONG_LIFE else state.delay
        return [how, Report(f"{died}: Respawning", severe=True), *self._restart(child, state, now, takes_over=True)]

    def _restart(self, child: Child, state: _State, now: Micro, *, takes_over: bool) -> list[Action]:
        """Restart after the delay that it is the turn of, and make the next one longer."""
        delay = state.delay
        state.delay = min(max(1, delay * 2), _LONGEST_DELAY)
        if not delay:
            return [self._spawn(child, state, takes_over=takes_over)]
        state.takes_over = takes_over
        state.restart_at = Micro(now + delay * MICRO_PER_SECOND)
        return [Report(f"Restart of {child.value} process delayed {delay} seconds to limit respawn rate")]

    def _stop(self, status: int, now: Micro) -> list[Action]:
        if self._stop_status is not None:
            return []
        self._stop_status = status
        actions: list[Action] = []
        for child, state in self._states.items():
            state.restart_at = None
            actions += self._terminate(child, state, now)
        return actions + self._finish_if_alone()

    def _getting_on(self, child: Child, now: Micro) -> list[Action]:
        state = self._states.get(child)
        if state is not None and state.kill_at is not None:
            state.kill_at = Micro(now + self.patience)
        return []

    def _finish_if_alone(self) -> list[Action]:
        if any(state.pid for state in self._states.values()):
            return []
        return [Finish(self._stop_status or 0)]

    def _timer(self, now: Micro) -> list[Action]:
        actions: list[Action] = []
        for child, state in self._states.items():
            if state.kill_at is not None and state.kill_at <= now:
                state.kill_at = None
                text = f"{child.value} child process({state.pid}) did not end in time: killing it"
                actions += [Report(text, severe=True), Kill(child, state.pid, signal.SIGKILL)]
            if state.restart_at is not None and state.restart_at <= now:
                actions.append(self._spawn(child, state, takes_over=state.takes_over))
        return actions


def _how(status: int) -> str:
    """Say how a process ended, in keepalived's words."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        return f"exited due to signal {-status} ({signal.strsignal(-status)})"
    except ValueError:
        return f"exited due to signal {-status}"
