"""What SIGHUP decides: every refusal, and what a file is used for that is not refused."""

from dataclasses import replace

import pytest

from keepalived_py.config.globals import GlobalDefs
from keepalived_py.config.model import Config
from keepalived_py.daemon.reload import Accepted, Refused, decide
from keepalived_py.parser.diagnostics import ExitStatus
from keepalived_py.parser.load import Loaded, load
from keepalived_py.system.host import Host

SERVICE = """\
virtual_server 203.0.113.1 80 {
    delay_loop 6
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 192.0.2.1 80 {
        weight 1
        TCP_CHECK { connect_timeout 3
        }
    }
}
"""


def read(tmp_path_text: tuple[object, str], *, testing: bool = False) -> Loaded:
    folder, text = tmp_path_text
    path = f"{folder}/keepalived.conf"
    with open(path, "w") as stream:
        stream.write(text)
    return load(path, Host(), config_id="test", testing=testing)


@pytest.fixture
def running(tmp_path: object) -> Config:
    loaded = read((tmp_path, SERVICE))
    assert loaded.config is not None
    assert loaded.status is ExitStatus.OK
    return loaded.config


def strict(globals_: GlobalDefs) -> GlobalDefs:
    return replace(globals_, reload_check_config="")


def test_an_unreadable_file_is_refused(tmp_path: object, running: Config) -> None:
    loaded = load(f"{tmp_path}/nothing.conf", Host(), config_id="test")
    assert decide(running, loaded) == Refused("the configuration file cannot be read")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SERVICE + "virtual_server\n", "a keyword lacks a value it cannot do without"),
        ("includea /nowhere/at-all.conf\n" + SERVICE, "a strict include failed"),
        (SERVICE.rstrip()[:-1], "braces or quotes do not match"),
        (SERVICE + "}\n", "braces or quotes do not match"),
        (SERVICE.replace("weight 1", 'weight 1\n quorum_up "unfinished'), "braces or quotes do not match"),
    ],
    ids=["exit-2 keyword", "strict include", "missing brace", "superfluous brace", "quote"],
)
def test_what_a_start_would_refuse_and_what_is_cut_off_is_refused(
    tmp_path: object, running: Config, text: str, reason: str
) -> None:
    loaded = read((tmp_path, text))
    assert loaded.diagnostics
    assert decide(running, loaded) == Refused(reason)


@pytest.mark.parametrize(
    "text",
    [
        SERVICE.replace("delay_loop 6", "delay_loop 6\n delay_lop 7"),
        SERVICE.replace("delay_loop 6", "delay_loop six"),
        SERVICE.replace("lb_algo rr", "lb_algo no_such"),
        SERVICE.replace("192.0.2.1 80", "192.0.2.1 70000"),
    ],
    ids=["unknown keyword", "bad number", "bad scheduler", "port 70000"],
)
def test_other_faults_are_applied_as_at_a_start_unless_reload_check_config_forbids(
    tmp_path: object, running: Config, text: str
) -> None:
    loaded = read((tmp_path, text))
    assert loaded.diagnostics
    assert isinstance(decide(running, loaded), Accepted)
    tested = read((tmp_path, text), testing=True)
    decision = decide(replace(running, globals=strict(running.globals)), tested)
    assert decision == Refused(f"the configuration test fails with status {int(tested.status)} (reload_check_config)")


@pytest.mark.parametrize("text", [SERVICE + SERVICE, "include /nowhere/at-all.conf\n" + SERVICE], ids=["duplicate", "include"])
def test_what_a_test_only_notes_is_applied_even_then(tmp_path: object, running: Config, text: str) -> None:
    loaded = read((tmp_path, text), testing=True)
    assert loaded.diagnostics
    assert loaded.status is ExitStatus.OK
    assert isinstance(decide(replace(running, globals=strict(running.globals)), loaded), Accepted)


def test_a_good_file_passes_reload_check_config(tmp_path: object, running: Config) -> None:
    loaded = read((tmp_path, SERVICE.replace("weight 1", "weight 2")), testing=True)
    decision = decide(replace(running, globals=strict(running.globals)), loaded)
    assert isinstance(decision, Accepted)
    assert str(decision.summary) == "0 added, 1 changed, 0 removed, 0 unchanged"
    assert decision.lvs.apply(running.lvs) == decision.config.lvs


def test_it_is_the_running_configuration_that_asks_for_the_test(tmp_path: object, running: Config) -> None:
    text = "global_defs {\n reload_check_config\n}\n" + SERVICE.replace("delay_loop 6", "delay_lop 6")
    assert isinstance(decide(running, read((tmp_path, text))), Accepted)


def test_what_cannot_change_is_kept_and_said(tmp_path: object, running: Config) -> None:
    fixed = replace(running.globals, net_namespace="blue", net_namespace_ipvs="red", instance="one", use_pid_dir=True)
    decision = decide(replace(running, globals=fixed), read((tmp_path, "global_defs {\n router_id other\n}\n" + SERVICE)))
    assert isinstance(decision, Accepted)
    kept = decision.config.globals
    assert (kept.net_namespace, kept.net_namespace_ipvs, kept.instance, kept.use_pid_dir) == ("blue", "red", "one", True)
    assert kept.router_id == "other"
    assert decision.notes == tuple(
        f"Cannot change {what} at a reload - please restart keepalived-py"
        for what in ("network namespace", "IPVS network namespace", "instance name", "pid directory")
    )


def test_nothing_is_noted_when_nothing_of_that_changes(tmp_path: object, running: Config) -> None:
    decision = decide(running, read((tmp_path, SERVICE)))
    assert isinstance(decision, Accepted)
    assert decision.notes == ()
    assert decision.lvs.changed == ()
    assert str(decision.summary) == "0 added, 0 changed, 0 removed, 1 unchanged"
