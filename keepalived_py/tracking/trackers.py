"""One tracked object each: what it was last found to be, damped as configured.

Every tracker has a `finding`; a method that takes news returns whether the finding has changed.  Time is the argument `now`; a
tracker that waits for something has a `due`, and `expired` is called when that has come.  No clock, no process, no file here.
"""

from dataclasses import dataclass

from keepalived_py.config.tracking import TrackProcess, VrrpScript
from keepalived_py.config.vrrp import InterfaceDelay
from keepalived_py.units import Micro, seconds_text


@dataclass(frozen=True, slots=True)
class Finding:
    """What a tracked object is.

    `good` None: not known yet.  `value`: the number in a file (0 for everything else).  `text`: in words, with what was seen.
    `provisional`: not known yet and nothing to wait for (a script that a reload brought counts as neither until it has run).
    """

    good: bool | None
    text: str
    value: int = 0
    provisional: bool = False


@dataclass(frozen=True, slots=True)
class ScriptExit:
    """How a run of a script ended; `status` and `signal` None: it could not be run."""

    status: int | None
    signal: int | None = None
    timed_out: bool = False
    output: str = ""

    @property
    def ok(self) -> bool:
        """Whether it counts as a success: status 0, even of a script that was told to end."""
        return self.status == 0

    def __str__(self) -> str:
        if self.status is not None:
            words = f"exited with status {self.status}"
        elif self.timed_out:
            words = "timed out"
        else:
            words = f"killed by signal {self.signal}"
        return f"{words} ({self.output})" if self.output else words


class ScriptTracker:
    """A ``vrrp_script``: good after `rise` successes in a row, bad after `fall` failures; the first result decides at once.

    `running`: a run is under way.  `status`: of the last run that ended by itself.
    """

    __slots__ = ("_result", "config", "finding", "has_run", "running", "status")

    def __init__(self, config: VrrpScript, *, reloaded: bool = False) -> None:
        self.config = config
        self.running = False
        self.has_run = config.init_fail
        self.status = 0
        self._result = 0 if config.init_fail else config.rise - 1
        good = False if config.init_fail else None
        text = "init_fail" if config.init_fail else "has not run yet"
        self.finding = Finding(good, f"script {config.name} {text}", provisional=reloaded and good is None)

    @property
    def result(self) -> int:
        """Successes and failures so far: below `rise` bad, up to `rise` + `fall` - 1."""
        return self._result

    def done(self, ended: ScriptExit) -> bool:
        """Take the end of a run."""
        self.running = False
        if ended.status is None and ended.signal is None:
            return False
        if ended.status is not None:
            self.status = ended.status
        before, first = self.finding.good, not self.has_run
        self.has_run = True
        good = self._success() if ended.ok else self._failure(first)
        count = "" if good is before or first else f", {self._runs(good)} in a row"
        self.finding = Finding(good, f"script {self.config.name} is {'good' if good else 'bad'}: {ended}{count}")
        return good is not before

    def take_over(self, old: "ScriptTracker") -> None:
        """Go on where the tracker of the same script was before a reload; rise and fall may have changed."""
        self.running, self.status, self.has_run = old.running, old.status, old.has_run
        if not old.has_run:
            self.finding = old.finding
            return
        self.finding = old.finding
        rise, most = self.config.rise, self.config.rise + self.config.fall - 1
        if old.finding.good:
            self._result = most if old._result == old._most else min(most, rise + old._result - old.config.rise)
        else:
            self._result = 0 if old._result == 0 else max(0, rise - (old.config.rise - old._result))

    @property
    def _most(self) -> int:
        return self.config.rise + self.config.fall - 1

    def _success(self) -> bool:
        if self._result < self.config.rise - 1:
            self._result += 1
            return False
        self._result = self._most
        return True

    def _failure(self, first: bool) -> bool:
        if not first and self._result > self.config.rise:
            self._result -= 1
            return True
        self._result = 0
        return False

    def _runs(self, good: bool) -> int:
        return self.config.rise if good else self.config.fall


class ProcessTracker:
    """A ``vrrp_track_process``: good while the number of its processes is within quorum and quorum_max.

    A number that rises counts after `fork_delay`, one that falls after `terminate_delay`; back in time, it never happened.
    """

    __slots__ = ("config", "count", "due", "finding")

    def __init__(self, config: TrackProcess, count: int) -> None:
        self.config = config
        self.count = count
        self.due: Micro | None = None
        self.finding = self._find()

    @property
    def in_range(self) -> bool:
        """Whether the number is right at this moment."""
        most = self.config.quorum_max
        return self.config.quorum <= self.count and (most is None or self.count <= most)

    def counted(self, count: int, now: Micro) -> bool:
        """Take a new number of processes."""
        rose, self.count = count > self.count, count
        if self.in_range is self.finding.good:
            self.due = None
            return False
        if self.due is not None:
            return False
        delay = self.config.fork_delay if rose else self.config.terminate_delay
        if delay:
            self.due = Micro(now + delay)
            return False
        return self._settle()

    def expired(self) -> bool:
        """The delay is over."""
        self.due = None
        return self._settle()

    def _settle(self) -> bool:
        before, self.finding = self.finding, self._find()
        return before.good is not self.finding.good

    def _find(self) -> Finding:
        most = "" if self.config.quorum_max is None else f" to {self.config.quorum_max}"
        text = f"process {self.config.name}: {self.count} running, {self.config.quorum}{most} wanted"
        return Finding(self.in_range, text)


class FileTracker:
    """A ``track_file``: the number in it, which is good or bad only where it is tracked without a weight."""

    __slots__ = ("finding", "name")

    def __init__(self, name: str, value: int) -> None:
        self.name = name
        self.finding = self._find(value)

    def changed(self, value: int) -> bool:
        """Take a new number."""
        before, self.finding = self.finding, self._find(value)
        return before.value != value

    def _find(self, value: int) -> Finding:
        return Finding(value == 0, f"file {self.name} holds {value}", value)


class BfdTracker:
    """A BFD session; one that nothing is known of is down."""

    __slots__ = ("finding", "name")

    def __init__(self, name: str, *, up: bool = False) -> None:
        self.name = name
        self.finding = self._find(up)

    def changed(self, *, up: bool) -> bool:
        """Take a new state."""
        before, self.finding = self.finding, self._find(up)
        return before.good is not up

    def _find(self, up: bool) -> Finding:
        return Finding(up, f"BFD session {self.name} is {'up' if up else 'down'}")


class InterfaceTracker:
    """An interface; one that does not exist is down.  A change counts only after it has lasted as long as configured.

    `awaited`: it is being made; what it is, is not known until it is there, or `due` has come.
    """

    __slots__ = ("_seen_up", "delay", "due", "finding", "name", "up")

    def __init__(self, name: str, *, up: bool = False, delay: InterfaceDelay | None = None, awaited: Micro | None = None) -> None:
        self.name = name
        self.up = up
        self.delay = delay
        self.due = awaited
        self._seen_up = up
        self.finding = self._find("") if awaited is None else Finding(None, f"interface {name} is being made")

    def changed(self, *, up: bool, now: Micro, at_once: bool = False) -> bool:
        """Take a new state; `at_once`: the interface came or went, which no delay is meant for."""
        self.up = up
        if up is self.finding.good:
            self.due = None
            return False
        if self.finding.good is None and not up:
            return False
        span = self._span(up)
        if span and self._seen_up and not at_once:
            self.due = self.due or Micro(now + span)
            return False
        return self._settle("")

    def expired(self) -> bool:
        """The change has lasted, or the wait for the interface is over."""
        span = self._span(self.up)
        return self._settle(f" for {seconds_text(span)} s" if span else "")

    def _span(self, up: bool) -> Micro:
        if self.delay is None:
            return Micro(0)
        return self.delay.up if up else self.delay.down

    def _settle(self, lasted: str) -> bool:
        self.due = None
        self._seen_up = self._seen_up or self.up
        before, self.finding = self.finding, self._find(lasted)
        return before.good is not self.finding.good

    def _find(self, lasted: str) -> Finding:
        return Finding(self.up, f"interface {self.name} is {'up' if self.up else 'down'}{lasted}")


Tracker = ScriptTracker | ProcessTracker | FileTracker | BfdTracker | InterfaceTracker
