"""Drafts into the frozen model: inheritance resolved, cross-field rules applied, scripts looked at.

Everything that needs more than one line or one block happens here, once the whole text has been read, in the reference's order.
"""

from dataclasses import replace
from typing import Any, Final

from keepalived_py.config.globals import GlobalDefs
from keepalived_py.config.lvs import Lvs, VirtualServerGroup
from keepalived_py.config.model import Config
from keepalived_py.config.scripts import Fifo
from keepalived_py.parser import codes
from keepalived_py.parser.build_servers import ServiceBuilder
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import Draft, assemble
from keepalived_py.parser.scripts import ScriptChecks

_FIFOS: Final = ("notify_fifo", "vrrp_notify_fifo", "lvs_notify_fifo")


def build(root: Draft, reading: Reading) -> Config:
    """Return the configuration that a root draft amounts to."""
    values = dict(reading.globals.values) if reading.globals else {}
    checks = ScriptChecks(reading, security=bool(values.get("enable_script_security")))
    globals_ = _build_globals(root, values, reading)
    groups = _unique_groups(root.values.get("groups", []), reading)
    services = ServiceBuilder(reading, globals_, groups, tuple(root.values.get("local_groups", ())), checks).build(root)
    globals_ = _check_global_scripts(globals_, reading, checks, has_lvs=bool(services))
    checks.conclude()
    _report_dropped(reading)
    return Config(
        globals_,
        Lvs(
            services,
            groups,
            tuple(root.values.get("local_groups", ())),
            tuple(root.values.get("deny_groups", ())),
            tuple(root.values.get("allow_groups", ())),
        ),
        root.values.get("ssl"),
    )


_ROOT_FIELDS: Final = (
    "linkbeat_use_polling",
    "net_namespace",
    "net_namespace_ipvs",
    "namespace_with_ipsets",
    "use_pid_dir",
    "instance",
    "child_wait_time",
)


def _build_globals(root: Draft, values: dict[str, Any], reading: Reading) -> GlobalDefs:
    values.update((name, root.values[name]) for name in _ROOT_FIELDS if name in root.values)
    if values.get("net_namespace"):
        values["use_pid_dir"] = True
    for name in _FIFOS:
        script = values.pop(f"{name}_script", None)
        if script is not None and name in values:
            values[name] = replace(values[name], script=script)
        elif script is not None:
            line = reading.globals.place(f"{name}_script") if reading.globals else None
            reading.report(codes.IGNORED_VALUE, f"{name}_script without {name} is ignored", line, f"{name}_script")
    built = assemble(GlobalDefs, values)
    assert isinstance(built, GlobalDefs)
    return built


def _check_global_scripts(globals_: GlobalDefs, reading: Reading, checks: ScriptChecks, *, has_lvs: bool) -> GlobalDefs:
    """Look at the scripts of `global_defs`; FIFO readers only count where something writes to the FIFO."""
    draft = reading.globals
    if draft is None:
        return globals_
    changed: dict[str, Any] = {}
    for name in ("startup_script", "shutdown_script"):
        script = getattr(globals_, name)
        if script is not None:
            changed[name] = checks.allowed(script, draft.place(name))
    for name in _FIFOS:
        fifo: Fifo | None = getattr(globals_, name)
        if has_lvs and fifo is not None and fifo.script is not None and name != "vrrp_notify_fifo":
            changed[name] = replace(fifo, script=checks.allowed(fifo.script, draft.place(f"{name}_script")))
    return replace(globals_, **changed) if changed else globals_


def _unique_groups(groups: list[VirtualServerGroup], reading: Reading) -> tuple[VirtualServerGroup, ...]:
    """Keep the first group of each name, which is the one that a lookup by name finds."""
    kept: dict[str, VirtualServerGroup] = {}
    for group in groups:
        kept.setdefault(group.name, group)
    return tuple(kept.values())


def _report_dropped(reading: Reading) -> None:
    if reading.dropped:
        dropped, reading.dropped = reading.dropped, 0
        reading.diagnostics = reading.diagnostics[:-1]
        reading.report(codes.IGNORED_VALUE, f"{dropped + 1} further diagnostics are not shown", None)
