"""From the command line to a running daemon."""

import os
import shlex
import sys
import textwrap
import time
import traceback
from functools import partial
from pathlib import Path
from typing import Final

from keepalived_py.config.globals import GlobalDefs
from keepalived_py.config.model import Config
from keepalived_py.daemon.child import INTERNAL_ERROR
from keepalived_py.daemon.parent import FATAL, VERSION_LINE, Parent, log_diagnostics, read_configuration
from keepalived_py.daemon.settings import DEFAULT_UMASK, RunFiles, Settings, run_files
from keepalived_py.daemon.signals import SignalInbox
from keepalived_py.daemon.table_keeper import SinkOpener
from keepalived_py.errors import KernelError
from keepalived_py.ipvs.client import RECEIVE_BUFFER, Sink, Trace, open_client
from keepalived_py.parser.diagnostics import ExitStatus
from keepalived_py.parser.dump import to_text
from keepalived_py.parser.load import Loaded
from keepalived_py.system import process
from keepalived_py.system.files import make_folder, remove_empty, running_pid
from keepalived_py.system.log import ERROR, INFO, PARENT_IDENT, Log
from keepalived_py.system.modules import load_ip_vs
from keepalived_py.system.namespaces import enter_network, path_of

NO_CONFIGURATION: Final = 6
"""Exit status when there is no configuration that can be read."""

_LOG_COLUMNS: Final = 100
_ORPHAN_POLL: Final = 0.05


def open_kernel(home: Path, globals_: GlobalDefs, trace: Trace | None = None) -> Sink:
    """Open the kernel's IPVS, loading its module first; raise `KernelError` with the remedy when that fails.

    `home` is the network namespace that the daemon was started in: where a bare ``net_namespace_ipvs`` leads.
    """
    problem = load_ip_vs(globals_.ipvs_module, globals_.ipvs_module_options)
    size = globals_.lvs_netlink_cmd_rcv_bufs.size or RECEIVE_BUFFER
    name = globals_.net_namespace_ipvs
    try:
        if name is None:
            return open_client(receive_buffer=size, trace=trace)
        return open_client(lambda: enter_network(path_of(name) if name else home), size, trace)
    except KernelError as error:
        if problem:
            raise KernelError(error.operation, error.errno, f"{error.subject}; {problem}") from None
        raise


def run_daemon(settings: Settings, open_sink: SinkOpener | None = None) -> int:
    """Run keepalived-py; return its exit status.  `open_sink` is another way to IPVS than the kernel's, for tests."""
    process.keep_standard_descriptors()
    inbox = SignalInbox(ignore_sigint=settings.ignore_sigint)
    log = Log(settings.log, PARENT_IDENT)
    log.info(f"Starting {VERSION_LINE}")
    log.info(f"Running on {' '.join(os.uname()[index] for index in (0, 2, 3))}")
    for line in textwrap.wrap(f"Command line: {shlex.join(sys.argv)}", _LOG_COLUMNS, subsequent_indent=" " * 14):
        log.info(line)
    log.info(f"Configuration file {settings.config_file}")
    try:
        return _run(settings, open_sink, inbox, log)
    except Exception:
        log.write_lines(ERROR, f"keepalived-py failed:\n{traceback.format_exc()}")
        return INTERNAL_ERROR


def _run(settings: Settings, open_sink: SinkOpener | None, inbox: SignalInbox, log: Log) -> int:
    if open_sink is None:
        home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        open_sink = partial(open_kernel, Path(f"/proc/self/fd/{home}"))
    if settings.namespace is not None and not _enter(settings.namespace, log):
        return 0
    loaded = read_configuration(settings)
    log_diagnostics(log, loaded)
    config = loaded.config
    if config is None:
        return _refuse(loaded, settings, log)
    if settings.namespace is None and config.globals.net_namespace is not None and not _enter(config.globals.net_namespace, log):
        return 0
    files = run_files(settings, config.globals)
    if files.ident_suffix:
        log.rename(PARENT_IDENT + files.ident_suffix)
    if _other_runs(files, config.globals.child_wait_time + 1.0):
        log.info("daemon is already running")
        return 0
    if not settings.foreground:
        process.daemonise()
    return _be_daemon(settings, config, files, log, open_sink, inbox)


def _be_daemon(settings: Settings, config: Config, files: RunFiles, log: Log, open_sink: SinkOpener, inbox: SignalInbox) -> int:
    umask = settings.umask if settings.umask is not None else config.globals.umask
    os.umask(DEFAULT_UMASK if umask is None else umask)
    if settings.core_dump:
        process.allow_core_dumps()
    if config.globals.process_name:
        process.set_name(config.globals.process_name)
    if settings.dump:
        log.write_lines(INFO, to_text(config))
    if files.folder is not None:
        try:
            make_folder(files.folder)
        except OSError as error:
            log.error(f"{files.folder} cannot be made: {error.strerror}")
            return FATAL
    try:
        return Parent(settings, config, files, log, open_sink, inbox).run()
    finally:
        if files.folder is not None:
            remove_empty(files.folder)
            if files.folder.parent.name == "keepalived":
                remove_empty(files.folder.parent)


def _other_runs(files: RunFiles, patience: float) -> bool:
    """Whether another daemon with our pid files runs.

    A child whose parent was killed is about to end: it is waited for, because it takes services and addresses away while it does.
    """
    if running_pid(files.parent_pid) not in (None, os.getpid()):
        return True
    end = time.monotonic() + patience
    while any(running_pid(path) not in (None, os.getpid()) for path in (files.checkers_pid, files.vrrp_pid)):
        if time.monotonic() > end:
            return True
        time.sleep(_ORPHAN_POLL)
    return False


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
