"""What SIGHUP does: refuse a file, or apply the difference.  Pure; the parent reads the file and carries the decision out."""

from dataclasses import dataclass, replace
from typing import Final

from keepalived_py.config.diff import LvsDelta, LvsSummary, diff_lvs, summarise
from keepalived_py.config.globals import GlobalDefs
from keepalived_py.config.model import Config
from keepalived_py.parser.diagnostics import ExitStatus
from keepalived_py.parser.load import Loaded


@dataclass(frozen=True, slots=True)
class Refused:
    """The file is not used and everything goes on as it was; `reason` says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The new configuration, with what cannot change at a reload kept; `notes` are lines for the log."""

    config: Config
    lvs: LvsDelta
    summary: LvsSummary
    notes: tuple[str, ...]


_FIXED: Final = (
    ("net_namespace", "network namespace"),
    ("net_namespace_ipvs", "IPVS network namespace"),
    ("instance", "instance name"),
    ("use_pid_dir", "pid directory"),
)


def decide(running: Config, loaded: Loaded) -> Refused | Accepted:
    """Decide on a file that has been read.

    Refused is what a start would refuse, what cannot be a configuration because braces or quotes do not match, and under
    `reload_check_config` whatever a test does not pass.
    """
    if not loaded.found:
        return Refused("the configuration file cannot be read")
    if loaded.config is None:
        strict = loaded.status is ExitStatus.SECURITY
        return Refused("a strict include failed" if strict else "a keyword lacks a value it cannot do without")
    if not loaded.balanced:
        return Refused("braces or quotes do not match")
    if running.globals.reload_check_config is not None and loaded.status is not ExitStatus.OK:
        return Refused(f"the configuration test fails with status {int(loaded.status)} (reload_check_config)")
    globals_, notes = _keep_fixed(running.globals, loaded.config.globals)
    config = replace(loaded.config, globals=globals_)
    delta = diff_lvs(running.lvs, config.lvs)
    return Accepted(config, delta, summarise(running.lvs, delta), notes)


def _keep_fixed(old: GlobalDefs, new: GlobalDefs) -> tuple[GlobalDefs, tuple[str, ...]]:
    """Keep what a running daemon cannot change."""
    kept = {field: getattr(old, field) for field, _ in _FIXED}
    notes = tuple(
        f"Cannot change {what} at a reload - please restart keepalived-py"
        for field, what in _FIXED
        if getattr(old, field) != getattr(new, field)
    )
    return replace(new, **kept), notes
