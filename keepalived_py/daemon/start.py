"""From the command line to a running daemon."""

import os
import sys
from pathlib import Path
from typing import Final

from keepalived_py.config.globals import GlobalDefs
from keepalived_py.config.model import Config
from keepalived_py.daemon.parent import Parent, log_diagnostics, read_configuration
from keepalived_py.daemon.settings import DEFAULT_UMASK, RunFiles, Settings, run_files
from keepalived_py.daemon.table_keeper import SinkOpener
from keepalived_py.errors import KernelError
from keepalived_py.ipvs.client import Sink, open_client
from keepalived_py.parser.diagnostics import ExitStatus
from keepalived_py.parser.load import Loaded
from keepalived_py.system import process
from keepalived_py.system.files import running_pid
from keepalived_py.system.log import PARENT_IDENT, Log
from keepalived_py.system.modules import load_ip_vs
from keepalived_py.system.namespaces import enter_network, path_of

_FIRST_NAMESPACE: Final = Path("/proc/1/ns/net")

NO_CONFIGURATION: Final = 6
"""Exit status when there is no configuration that can be read."""


def open_kernel(globals_: GlobalDefs) -> Sink:
    """Open the kernel's IPVS, loading its module first; raise `KernelError` with the remedy when that fails."""
    problem = load_ip_vs(globals_.ipvs_module, globals_.ipvs_module_options)
    name = globals_.net_namespace_ipvs
    try:
        if name is None:
            return open_client()
        path = path_of(name) if name else _FIRST_NAMESPACE
        return open_client(lambda: enter_network(path))
    except KernelError as error:
        if problem:
            raise KernelError(error.operation, error.errno, f"{error.subject}; {problem}") from None
        raise


def run_daemon(settings: Settings, open_sink: SinkOpener = open_kernel) -> int:
    """Run keepalived-py; return its exit status.  `open_sink` is another way to IPVS than the kernel's, for tests."""
    log = Log(settings.log, PARENT_IDENT)
    if settings.namespace is not None and not _enter(settings.namespace, log):
        return 0
    loaded = read_configuration(settings)
    log_diagnostics(log, loaded)
    if loaded.config is None:
        return _refuse(loaded, settings, log)
    config = loaded.config
    if settings.namespace is None and config.globals.net_namespace is not None and not _enter(config.globals.net_namespace, log):
        return 0
    files = run_files(settings, config.globals)
    other = running_pid(files.parent_pid)
    if other is not None and other != os.getpid():
        log.info("daemon is already running")
        return 0
    return _become_daemon(settings, config, files, log, open_sink)


def _become_daemon(settings: Settings, config: Config, files: RunFiles, log: Log, open_sink: SinkOpener) -> int:
    if not settings.foreground:
        process.daemonise()
        log = Log(settings.log, PARENT_IDENT)
    umask = settings.umask if settings.umask is not None else config.globals.umask
    os.umask(DEFAULT_UMASK if umask is None else umask)
    if settings.core_dump:
        process.allow_core_dumps()
    if config.globals.process_name:
        process.set_name(config.globals.process_name)
    if config.globals.use_pid_dir:
        files.parent_pid.parent.mkdir(mode=0o755, exist_ok=True)
    if settings.dump:
        _dump(config, log)
    return Parent(settings, config, files, log, open_sink).run()


def _enter(name: str, log: Log) -> bool:
    try:
        enter_network(path_of(name))
    except OSError as error:
        log.error(f"Unable to set network namespace {name} - exiting: {error.strerror}")
        return False
    return True


def _refuse(loaded: Loaded, settings: Settings, log: Log) -> int:
    """Say why a configuration cannot be used, and return the exit status for it."""
    if not loaded.found:
        text = f"{settings.config_file}: no configuration file can be read"
        status = NO_CONFIGURATION
    else:
        text = f"{settings.config_file}: the configuration cannot be used"
        status = int(loaded.status or ExitStatus.UNUSABLE)
    log.error(text)
    if not settings.log.console:
        for diagnostic in loaded.diagnostics:
            print(diagnostic.render(), file=sys.stderr)  # noqa: T201
        print(f"keepalived-py: {text}", file=sys.stderr)  # noqa: T201
    return status


def _dump(config: Config, log: Log) -> None:
    """Write the effective configuration to the log."""
    from keepalived_py.parser.dump import to_text

    for line in to_text(config).splitlines():
        log.info(line)
