"""What can be tracked, and the lists that name it, with every weight resolved."""

from typing import Any

from keepalived_py.config.scripts import Script
from keepalived_py.config.tracking import Tracked, Tracking, VrrpScript
from keepalived_py.config.vrrp import TrackLists
from keepalived_py.parser import codes
from keepalived_py.parser.facts import ScriptState
from keepalived_py.parser.keywords.track_lists import TRACK_LISTS, TrackEntry
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import Draft
from keepalived_py.parser.scripts import ScriptChecks, default_user

_Weight = tuple[int, bool]


class Trackers:
    """Everything that can be tracked: the value for the daemon, and the weight that each name has of itself."""

    def __init__(self, root: Draft, reading: Reading, checks: ScriptChecks | None) -> None:
        """Build from the drafts of the root; `checks` None: nothing will run them, so that scripts are not looked at."""
        self._reading = reading
        self._unusable: set[str] = set()
        scripts = self._scripts(root.values.get("tracking.scripts", ()), checks)
        processes = tuple(root.values.get("tracking.processes", ()))
        files = tuple(root.values.get("tracking.files", ()))
        self.tracking = Tracking(scripts, processes, files)
        bfd: dict[str, _Weight] = root.values.get("bfd.weights", {})
        self._weights: dict[str, dict[str, _Weight]] = {
            "track.scripts": _own_weights(scripts),
            "track.files": _own_weights(files),
            "track.processes": _own_weights(processes),
            "track.bfd": bfd,
        }

    def _scripts(self, drafts: Any, checks: ScriptChecks | None) -> tuple[VrrpScript, ...]:
        """Return the scripts that have a user and may run."""
        built: list[VrrpScript] = []
        for draft in drafts:
            script = self._runnable(draft, checks)
            if script is not None:
                built.append(_script(draft, script))
        return tuple(built)

    def _runnable(self, draft: Draft, checks: ScriptChecks | None) -> Script | None:
        """Return the command as it will be run; one that cannot be is reported and dropped."""
        reading, name = self._reading, draft.header
        command: Script = draft.values["script"]
        user = draft.values.get("user") or default_user(reading, draft.lines["end"])
        if user is None:
            reading.report(codes.TRACK_SCRIPT_USER, f"vrrp_script {name} has no user to run as and is dropped", draft.lines["end"])
            return None
        command = Script(command.argv, user)
        if checks is None:
            return command
        allowed = checks.allowed(command, draft.place("script"), also_read=True)
        if allowed is None:
            self._unusable.add(name)
            if checks.state(command) is not ScriptState.NOT_EXECUTABLE:
                text = f"vrrp_script {name} is not run, and nothing tracks it"
                reading.report(codes.TRACK_SCRIPT, text, draft.place("script"), command.argv[0])
        return allowed

    def lists(self, values: dict[str, Any]) -> TrackLists:
        """Return the track lists of an instance or a sync group."""
        found: dict[str, tuple[Tracked, ...]] = {}
        for kind in TRACK_LISTS:
            entries: dict[str, TrackEntry] = values.get(kind.into, {})
            if entries:
                field = kind.into.partition(".")[2]
                found[field] = tuple(tracked for entry in entries.values() if (tracked := self._tracked(kind.into, entry)))
        return TrackLists(**found)

    def _tracked(self, into: str, entry: TrackEntry) -> Tracked | None:
        """Return an entry with the weight of what it names where it has none; None when that has been dropped since."""
        own: _Weight | None = (0, False)
        if into in self._weights:
            own = self._weights[into].get(entry.name)
        if own is None:
            if entry.name not in self._unusable:
                text = f"{entry.name} has been dropped; the line is ignored"
                self._reading.report(codes.REFERENCE_UNKNOWN, text, entry.line, entry.name)
            return None
        weight = own[0] if entry.weight is None else entry.weight
        reverse = own[1] if entry.reverse is None else entry.reverse
        return Tracked(entry.name, weight, reverse)


def _own_weights(items: Any) -> dict[str, _Weight]:
    """Return the weight by name; of several with one name the first counts."""
    weights: dict[str, _Weight] = {}
    for item in items:
        weights.setdefault(item.name, (item.weight, item.reverse))
    return weights


def _script(draft: Draft, script: Script) -> VrrpScript:
    values = {name: value for name, value in draft.values.items() if name not in ("script", "user")}
    default = VrrpScript(draft.header, script)
    values.setdefault("timeout", values.get("interval", default.interval))
    return VrrpScript(draft.header, script, **values)
