"""Drafts into the frozen model: inheritance resolved, cross-field rules applied, scripts looked at.

Everything that needs more than one line or one block happens here, once the whole text has been read, in the reference's order.
"""

from dataclasses import replace
from typing import Any, Final

from keepalived_py.config.bfd import Bfd
from keepalived_py.config.globals import GlobalDefs, LvsSyncDaemon
from keepalived_py.config.lvs import Lvs, VirtualServerGroup
from keepalived_py.config.model import Config
from keepalived_py.config.scripts import Fifo
from keepalived_py.parser import codes
from keepalived_py.parser.build_servers import ServiceBuilder
from keepalived_py.parser.build_vrrp import build_vrrp
from keepalived_py.parser.reading import ReadAgain, Reading
from keepalived_py.parser.schema import Draft, assemble
from keepalived_py.parser.scripts import ScriptChecks

_FIFOS: Final = ("notify_fifo", "vrrp_notify_fifo", "lvs_notify_fifo")


def build(root: Draft, reading: Reading) -> Config:
    """Return the configuration that a root draft amounts to; raise `ReadAgain` when its end changes what its lines mean."""
    values = dict(reading.globals.values) if reading.globals else {}
    if reading.refused_interface and not reading.dynamic and reading.dynamic_interfaces:
        raise ReadAgain
    checks = ScriptChecks(reading, security=bool(values.get("enable_script_security")))
    globals_ = _build_globals(root, values, reading)
    groups = _unique_groups(root.values.get("groups", []), reading)
    services = ServiceBuilder(reading, globals_, groups, tuple(root.values.get("local_groups", ())), checks).build(root)
    globals_ = _check_global_scripts(globals_, reading, checks, has_lvs=bool(services))
    checks.conclude()
    vrrp = build_vrrp(root, globals_, reading)
    globals_ = _check_sync_daemon(vrrp.globals, {instance.name for instance in vrrp.vrrp.instances}, reading)
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
        vrrp.vrrp,
        vrrp.tracking,
        Bfd(tuple(root.values.get("bfd.instances", ()))),
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
    _take_sync_interface(root, values, reading)
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


def _take_sync_interface(root: Draft, values: dict[str, Any], reading: Reading) -> None:
    """Let an instance name the interface of the synchronisation daemon, as of old."""
    if "lvs sync" not in root.values:
        return
    interface, instance = root.values["lvs sync"]
    if "lvs_sync_daemon" in values:
        text = "lvs_sync_daemon is set already; lvs_sync_daemon_interface is ignored"
        reading.report(codes.ALREADY_SET, text, root.place("lvs sync"), "lvs_sync_daemon_interface")
    else:
        values["lvs_sync_daemon"] = LvsSyncDaemon(interface, instance)


def _check_sync_daemon(globals_: GlobalDefs, instances: set[str], reading: Reading) -> GlobalDefs:
    """Leave the synchronisation daemon out when it follows an instance that does not exist."""
    daemon = globals_.lvs_sync_daemon
    if daemon is None or daemon.instance is None or daemon.instance in instances:
        return globals_
    line = reading.globals.place("lvs_sync_daemon") if reading.globals else None
    reading.report(
        codes.SYNC_INSTANCE, f"there is no instance {daemon.instance}; lvs_sync_daemon is left out", line, daemon.instance
    )
    return replace(globals_, lvs_sync_daemon=None)


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
