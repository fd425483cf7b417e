"""Trackers of all kinds, and who watches them: news about an object becomes news for instances.

An object is tracked once, however many instances watch it.  Scripts are run by schedule from here; what their results amount to is
in `tracking.trackers`, what that means for an instance in `priority`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from keepalived_py.config.tracking import Tracked, Tracking, VrrpScript
from keepalived_py.config.vrrp import Vrrp
from keepalived_py.deadlines import Deadlines
from keepalived_py.tracking.trackers import (
    BfdTracker,
    FileTracker,
    Finding,
    InterfaceTracker,
    ProcessTracker,
    ScriptExit,
    ScriptTracker,
    Tracker,
)
from keepalived_py.units import Micro, micro
from keepalived_py.vrrp.actions import CancelScript, StartScript
from keepalived_py.vrrp.facts import Facts
from keepalived_py.vrrp.instance import Instance
from keepalived_py.vrrp.outbox import Outbox
from keepalived_py.vrrp.priority import Key, Kind, contribution
from keepalived_py.vrrp.timers import Timer, TimerKey

PATIENCE: Final = micro(2)
"""How long an interface that is being made may take to appear before it counts as down."""


@dataclass(frozen=True, slots=True)
class News:
    """What a tracked object was found to be, and the instances whose standing has changed because of it."""

    finding: Finding
    instances: tuple[Instance, ...]


class Watching:
    """All trackers of an engine."""

    def __init__(self, outbox: Outbox, deadlines: Deadlines[TimerKey], facts: Facts) -> None:
        self._out = outbox
        self._deadlines = deadlines
        self._facts = facts
        self._trackers: dict[Key, Tracker] = {}
        self._watchers: dict[Key, list[tuple[Instance, Tracked]]] = {}

    @property
    def trackers(self) -> Mapping[Key, Tracker]:
        """Every tracked object, by kind and name."""
        return self._trackers

    def watchers(self, key: Key) -> tuple[Instance, ...]:
        """Return who watches an object."""
        return tuple(instance for instance, _ in self._watchers.get(key, ()))

    # ---- configuration ----

    def arrange(
        self,
        tracking: Tracking,
        vrrp: Vrrp,
        wanted: Iterable[tuple[Instance, Mapping[Key, Tracked]]],
        made: Mapping[str, str],
        now: Micro,
        *,
        reloaded: bool,
    ) -> None:
        """Track what is watched now; what was tracked before keeps its state.  `made`: interfaces to be made, and their bases."""
        old, self._trackers, self._watchers = self._trackers, {}, {}
        definitions = _Definitions(tracking, vrrp)
        for instance, watches in wanted:
            for key, watch in watches.items():
                if key not in self._trackers:
                    tracker = self._tracker(key, definitions, old.get(key), made, now, reloaded=reloaded)
                    if tracker is None:
                        continue
                    self._trackers[key] = tracker
                self._watchers.setdefault(key, []).append((instance, watch))
                instance.standing.set(key, contribution(key[0], watch, self._trackers[key].finding))
        self._drop_timers(old)
        self._set_timers(now)

    def _tracker(
        self, key: Key, definitions: "_Definitions", old: Tracker | None, made: Mapping[str, str], now: Micro, *, reloaded: bool
    ) -> Tracker | None:
        kind, name = key
        match kind:
            case Kind.SCRIPT:
                return self._script(definitions.scripts.get(name), old, reloaded=reloaded)
            case Kind.PROCESS:
                process = definitions.processes.get(name)
                return None if process is None else ProcessTracker(process, self._facts.processes.get(name, 0))
            case Kind.FILE:
                return FileTracker(name, self._facts.files.get(name, 0))
            case Kind.BFD:
                return BfdTracker(name, up=self._facts.bfd.get(name, False))
            case _:
                return self._interface(name, definitions, old, made, now)

    def _script(self, config: VrrpScript | None, old: Tracker | None, *, reloaded: bool) -> ScriptTracker | None:
        if config is None:
            return None
        tracker = ScriptTracker(config, reloaded=reloaded)
        if isinstance(old, ScriptTracker) and old.config.script == config.script:
            tracker.take_over(old)
            if old.has_run:
                word = "successful" if old.finding.good else "unsuccessful"
                self._out.log(f"VRRP_Script({config.name}) considered {word} on reload")
        return tracker

    def _interface(
        self, name: str, definitions: "_Definitions", old: Tracker | None, made: Mapping[str, str], now: Micro
    ) -> InterfaceTracker:
        delay = definitions.delays.get(name)
        if isinstance(old, InterfaceTracker):
            old.delay = delay
            return old
        known = name in self._facts.interfaces
        awaited = Micro(now + PATIENCE) if not known and made.get(name) in self._facts.interfaces else None
        return InterfaceTracker(name, up=self._facts.is_up(name), delay=delay, awaited=awaited)

    def _drop_timers(self, old: Mapping[Key, Tracker]) -> None:
        for key, tracker in old.items():
            kind, name = key
            new = self._trackers.get(key)
            if new is tracker or kind not in _TIMERS:
                continue
            if isinstance(tracker, ScriptTracker) and isinstance(new, ScriptTracker) and new.config.script == tracker.config.script:
                continue
            self._deadlines.drop((_TIMERS[kind], name))
            if isinstance(tracker, ScriptTracker) and tracker.running:
                self._out.add(CancelScript(name))

    def _set_timers(self, now: Micro) -> None:
        for (kind, name), tracker in self._trackers.items():
            if isinstance(tracker, ScriptTracker):
                if self._deadlines.due((Timer.SCRIPT, name)) is None:
                    self._deadlines.set((Timer.SCRIPT, name), now)
            elif isinstance(tracker, ProcessTracker | InterfaceTracker):
                self._arm(_TIMERS[kind], name, tracker.due)

    # ---- news ----

    def script_due(self, name: str, now: Micro) -> None:
        """Run a script, unless its last run is still under way."""
        tracker = self._trackers.get((Kind.SCRIPT, name))
        if not isinstance(tracker, ScriptTracker):
            return
        self._deadlines.set((Timer.SCRIPT, name), Micro(now + max(1, tracker.config.interval)))
        if tracker.running:
            self._out.log(f"Track script {name} is already running, expect idle - skipping run")
            return
        tracker.running = True
        self._out.add(StartScript(name, tracker.config.script, tracker.config.timeout))

    def script_done(self, name: str, ended: ScriptExit) -> News | None:
        """Take the end of a run."""
        tracker = self._trackers.get((Kind.SCRIPT, name))
        if not isinstance(tracker, ScriptTracker) or not tracker.running:
            return None
        if ended.status is not None and ended.status != tracker.status:
            self._out.log(f"Script `{name}` now returning {ended.status}")
        if not tracker.done(ended):
            return None
        self._out.log(f"VRRP_Script({name}) {_outcome(ended)}")
        return self._spread((Kind.SCRIPT, name))

    def processes(self, name: str, count: int, now: Micro) -> News | None:
        """Take a new number of processes."""
        tracker = self._trackers.get((Kind.PROCESS, name))
        if not isinstance(tracker, ProcessTracker):
            return None
        changed = tracker.counted(count, now)
        self._arm(Timer.PROCESS, name, tracker.due)
        return self._process_news(name, tracker) if changed else None

    def process_settled(self, name: str) -> News | None:
        """A number of processes has lasted."""
        tracker = self._trackers.get((Kind.PROCESS, name))
        if isinstance(tracker, ProcessTracker) and tracker.expired():
            return self._process_news(name, tracker)
        return None

    def _process_news(self, name: str, tracker: ProcessTracker) -> News:
        self._out.log(f"Quorum {'gained' if tracker.finding.good else 'lost'} for tracked process {name}")
        return self._spread((Kind.PROCESS, name))

    def file(self, name: str, value: int) -> News | None:
        """Take a new number in a file."""
        key = (Kind.FILE, name)
        tracker = self._trackers.get(key)
        if not isinstance(tracker, FileTracker):
            return None
        before = tracker.finding
        if not tracker.changed(value):
            return None
        for instance, watch in self._watchers.get(key, []):
            was, faulty = (bool(contribution(Kind.FILE, watch, finding).fault) for finding in (before, tracker.finding))
            if was is not faulty:
                self._out.log(f"({instance.config.name}): tracked file {name} {'now' if faulty else 'leaving'} FAULT state")
        return self._spread(key)

    def bfd(self, name: str, *, up: bool) -> News | None:
        """Take a new state of a BFD session."""
        key = (Kind.BFD, name)
        tracker = self._trackers.get(key)
        if not isinstance(tracker, BfdTracker) or not tracker.changed(up=up):
            return None
        for instance in self.watchers(key):
            word = "UP" if up else "DOWN"
            self._out.log(f"VRRP_Instance({instance.config.name}) Tracked BFD instance {name} is {word}")
        return self._spread(key)

    def interface(self, name: str, now: Micro, *, at_once: bool) -> News | None:
        """Look at an interface again; `at_once`: it came or went."""
        tracker = self._trackers.get((Kind.INTERFACE, name))
        if not isinstance(tracker, InterfaceTracker):
            return None
        changed = tracker.changed(up=self._facts.is_up(name), now=now, at_once=at_once)
        self._arm(Timer.INTERFACE, name, tracker.due)
        return self._interface_news(name, tracker) if changed else None

    def interface_settled(self, name: str) -> News | None:
        """A change of an interface has lasted."""
        tracker = self._trackers.get((Kind.INTERFACE, name))
        if isinstance(tracker, InterfaceTracker) and tracker.expired():
            return self._interface_news(name, tracker)
        return None

    def _interface_news(self, name: str, tracker: InterfaceTracker) -> News:
        self._out.log(f"Netlink reports {name} {'up' if tracker.up else 'down'}")
        return self._spread((Kind.INTERFACE, name))

    def stop(self) -> None:
        """Run nothing more."""
        for (_, name), tracker in self._trackers.items():
            if isinstance(tracker, ScriptTracker) and tracker.running:
                self._out.add(CancelScript(name))

    def _spread(self, key: Key) -> News:
        finding = self._trackers[key].finding
        touched = self._watchers.get(key, [])
        for instance, watch in touched:
            instance.standing.set(key, contribution(key[0], watch, finding))
        return News(finding, tuple(instance for instance, _ in touched))

    def _arm(self, timer: Timer, name: str, due: Micro | None) -> None:
        if due is None:
            self._deadlines.drop((timer, name))
        else:
            self._deadlines.set((timer, name), due)


_TIMERS: Final = {Kind.SCRIPT: Timer.SCRIPT, Kind.PROCESS: Timer.PROCESS, Kind.INTERFACE: Timer.INTERFACE}


class _Definitions:
    """What can be tracked, by name; of two with one name, the first."""

    def __init__(self, tracking: Tracking, vrrp: Vrrp) -> None:
        self.scripts = {script.name: script for script in reversed(tracking.scripts)}
        self.processes = {process.name: process for process in reversed(tracking.processes)}
        self.delays = {delay.interface: delay for delay in vrrp.interface_delays}


def _outcome(ended: ScriptExit) -> str:
    if ended.ok:
        return "succeeded"
    if ended.status is not None:
        return f"failed (exited with status {ended.status})"
    return "timed_out" if ended.timed_out else f"failed (due to signal {ended.signal})"
