"""What the command line settles for the life of the daemon, and the files that follow from it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keepalived_py.config.globals import GlobalDefs
from keepalived_py.options import Arguments, UsageError
from keepalived_py.system.log import LogTargets, facility_number

RUN_DIRECTORY: Final = Path("/run")
DEFAULT_UMASK: Final = 0o177


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of keepalived(8), typed.  `pid`, `checkers_pid`, `vrrp_pid`: None unless given."""

    config_file: str
    config_id: str
    strict_includes: bool = False
    foreground: bool = False
    dump: bool = False
    vrrp_only: bool = False
    check_only: bool = False
    start_all: bool = False
    release_ipvs: bool = True
    release_vrrp: bool = True
    release_vips: bool = False
    respawn: bool = True
    ignore_sigint: bool = False
    core_dump: bool = False
    namespace: str | None = None
    umask: int | None = None
    pid: str | None = None
    checkers_pid: str | None = None
    vrrp_pid: str | None = None
    log: LogTargets = LogTargets()


def settings_from(arguments: Arguments, config_file: str, config_id: str) -> Settings:
    """Read the options; raise `UsageError` for arguments that keepalived would refuse."""
    foreground = arguments.has("dont-fork")
    return Settings(
        config_file=config_file,
        config_id=config_id,
        strict_includes=arguments.has("all-config"),
        foreground=foreground,
        dump=arguments.has("dump-conf"),
        vrrp_only=arguments.has("vrrp"),
        check_only=arguments.has("check"),
        start_all=arguments.has("all"),
        release_ipvs=not arguments.has("dont-release-ipvs"),
        release_vrrp=not arguments.has("dont-release-vrrp"),
        release_vips=arguments.has("release-vips"),
        respawn=not arguments.has("dont-respawn"),
        ignore_sigint=arguments.has("ignore-sigint"),
        core_dump=arguments.has("core-dump") or arguments.has("core-dump-pattern"),
        namespace=arguments.last("namespace"),
        umask=_umask(arguments.last("umask")),
        pid=arguments.last("pid"),
        checkers_pid=arguments.last("checkers_pid"),
        vrrp_pid=arguments.last("vrrp_pid"),
        log=_targets(arguments, foreground=foreground),
    )


def _umask(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        mask = int(text, 8 if text.startswith("0") else 10)
    except ValueError:
        raise UsageError(f"invalid umask {text}") from None
    if not 0 <= mask <= 0o777:
        raise UsageError(f"invalid umask {text}")
    return mask


def _targets(arguments: Arguments, *, foreground: bool) -> LogTargets:
    name = arguments.last("log-facility")
    facility = LogTargets().facility
    if name is not None:
        number = facility_number(name)
        if number is None:
            raise UsageError(f"invalid log facility {name}")
        facility = number
    file = arguments.last("log-file")
    return LogTargets(
        to_syslog=not arguments.has("no-syslog"),
        console=foreground and arguments.has("log-console"),
        facility=facility,
        file="" if file is None else file or "/tmp/keepalived.log",  # noqa: S108  (the reference's default; opened without following links)
        flush=arguments.has("flush-log-file"),
        detail=arguments.count("log-detail"),
    )


@dataclass(frozen=True, slots=True)
class RunFiles:
    """Files under the run directory: pid files by the reference's rules, and our records beside those of the children.

    `folder`: a folder of our own that is made and removed again, if there is one.  `ident_suffix`: what namespace and instance add
    to the names in syslog.
    """

    parent_pid: Path
    checkers_pid: Path
    vrrp_pid: Path
    folder: Path | None = None
    ident_suffix: str = ""

    @property
    def ownership(self) -> Path:
        """Record of the services that we made."""
        return self.checkers_pid.with_name(f"{self.checkers_pid.stem}.ipvs.json")

    @property
    def vrrp_record(self) -> Path:
        """Record of the addresses, routes, rules and interfaces that we made."""
        return self.vrrp_pid.with_name(f"{self.vrrp_pid.stem}.host")

    def reload_marker(self, configured: str) -> Path:
        """Path of `reload_file`: the configured one, or beside the pid file."""
        return Path(configured) if configured else self.parent_pid.with_name(f"{self.parent_pid.stem}.reload")


def run_files(settings: Settings, globals_: GlobalDefs, run: Path = RUN_DIRECTORY) -> RunFiles:
    """Place the files: `use_pid_dir` and a network namespace give them a folder, `instance` is put into their names."""
    namespace = settings.namespace or globals_.net_namespace
    folder = None
    if globals_.use_pid_dir or namespace:
        folder = run / "keepalived" / (namespace or "")
    suffix = f"_{globals_.instance}" if globals_.instance else ""
    home = folder or run
    parent = Path(settings.pid) if settings.pid else home / f"keepalived{suffix}.pid"
    checkers = Path(settings.checkers_pid) if settings.checkers_pid else home / f"checkers{suffix}.pid"
    vrrp = Path(settings.vrrp_pid) if settings.vrrp_pid else home / f"vrrp{suffix}.pid"
    used = folder is not None and folder in (parent.parent, checkers.parent, vrrp.parent)
    return RunFiles(parent, checkers, vrrp, folder if used else None, (f"_{namespace}" if namespace else "") + suffix)
