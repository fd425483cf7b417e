"""The command line as settings, and the files that follow from it."""

from dataclasses import replace
from pathlib import Path

import pytest

from keepalived_py.config.globals import GlobalDefs
from keepalived_py.daemon.settings import RunFiles, Settings, run_files, settings_from
from keepalived_py.options import UsageError, parse
from keepalived_py.system.log import LogTargets

RUN = Path("/run")


def read(*words: str) -> Settings:
    return settings_from(parse(list(words)), "/etc/keepalived/keepalived.conf", "host")


def test_defaults() -> None:
    assert read() == Settings("/etc/keepalived/keepalived.conf", "host")


def test_every_option_that_concerns_the_daemon() -> None:
    words = "-n -l -D -D -d -P -C --all -I -R --ignore-sigint -m -e -s blue -u 022 -p /a -c /b -S local3 -G --flush-log-file -g/l"
    settings = read(*words.split())
    assert settings == Settings(
        "/etc/keepalived/keepalived.conf",
        "host",
        strict_includes=True,
        foreground=True,
        dump=True,
        vrrp_only=True,
        check_only=True,
        start_all=True,
        release_ipvs=False,
        respawn=False,
        ignore_sigint=True,
        core_dump=True,
        namespace="blue",
        umask=0o022,
        pid="/a",
        checkers_pid="/b",
        log=LogTargets(to_syslog=False, console=True, facility=19 << 3, file="/l", flush=True, detail=2),
    )


def test_the_console_is_for_the_foreground_only() -> None:
    assert not read("-l").log.console
    assert read("-n", "-l").log.console


@pytest.mark.parametrize(("text", "mask"), [("0177", 0o177), ("18", 0o022), ("0", 0), ("0777", 0o777)])
def test_umask_is_octal_or_decimal(text: str, mask: int) -> None:
    assert read("-u", text).umask == mask


@pytest.mark.parametrize("words", [["-u", "0778"], ["-u", "512"], ["-u", "-1"], ["-u", "x"], ["-S", "8"], ["-S", "mail"]])
def test_arguments_that_are_refused(words: list[str]) -> None:
    with pytest.raises(UsageError):
        read(*words)


SETTINGS = Settings("f", "host")


@pytest.mark.parametrize(
    ("globals_", "settings", "expected"),
    [
        (GlobalDefs(), SETTINGS, RunFiles(RUN / "keepalived.pid", RUN / "checkers.pid", RUN / "vrrp.pid")),
        (
            GlobalDefs(instance="one"),
            SETTINGS,
            RunFiles(RUN / "keepalived_one.pid", RUN / "checkers_one.pid", RUN / "vrrp_one.pid", None, "_one"),
        ),
        (
            GlobalDefs(use_pid_dir=True),
            SETTINGS,
            RunFiles(
                RUN / "keepalived/keepalived.pid", RUN / "keepalived/checkers.pid", RUN / "keepalived/vrrp.pid", RUN / "keepalived"
            ),
        ),
        (
            GlobalDefs(net_namespace="blue", instance="one"),
            SETTINGS,
            RunFiles(
                RUN / "keepalived/blue/keepalived_one.pid",
                RUN / "keepalived/blue/checkers_one.pid",
                RUN / "keepalived/blue/vrrp_one.pid",
                RUN / "keepalived/blue",
                "_blue_one",
            ),
        ),
        (
            GlobalDefs(net_namespace="blue"),
            replace(SETTINGS, namespace="red", pid="/x/p"),
            RunFiles(
                Path("/x/p"), RUN / "keepalived/red/checkers.pid", RUN / "keepalived/red/vrrp.pid", RUN / "keepalived/red", "_red"
            ),
        ),
        (
            GlobalDefs(use_pid_dir=True),
            replace(SETTINGS, pid="/x/p", checkers_pid="/x/c", vrrp_pid="/x/v"),
            RunFiles(Path("/x/p"), Path("/x/c"), Path("/x/v")),
        ),
    ],
    ids=["plain", "instance", "folder", "namespace", "option beats namespace", "options beat the folder"],
)
def test_where_pid_files_lie(globals_: GlobalDefs, settings: Settings, expected: RunFiles) -> None:
    assert run_files(settings, globals_, RUN) == expected


def test_files_beside_the_pid_files() -> None:
    files = RunFiles(Path("/x/keepalived_one.pid"), Path("/x/checkers_one.pid"), Path("/x/vrrp_one.pid"))
    assert files.ownership == Path("/x/checkers_one.ipvs.json")
    assert files.vrrp_record == Path("/x/vrrp_one.host")
    assert files.reload_marker("") == Path("/x/keepalived_one.reload")
    assert files.reload_marker("/y/z") == Path("/y/z")
