"""Blocks about interfaces and what is tracked: scripts, processes, files, BFD sessions, GARP groups, delays."""

import pytest

from keepalived_py.addresses import Address
from keepalived_py.config.bfd import BfdInstance
from keepalived_py.config.model import Config
from keepalived_py.config.scripts import Script, User
from keepalived_py.config.tracking import InitFile, ParamMatch, TrackFile, TrackProcess, VrrpScript
from keepalived_py.config.vrrp import GarpGroup, InterfaceDelay, LinkbeatInterface, LinkbeatMethod
from keepalived_py.units import Micro, micro
from tests.helpers.facts import FakeFacts, notes, read, told

SECURE = "global_defs {\n enable_script_security\n script_user root\n}\n"


def block(header: str, *lines: str) -> str:
    return "\n".join([f"{header} {{", *(f" {line}" for line in lines), "}"]) + "\n"


def clean(text: str, facts: FakeFacts | None = None) -> Config:
    loaded = read(text, facts)
    assert told(loaded) == []
    assert loaded.config is not None
    return loaded.config


def test_a_script() -> None:
    lines = ("script '/bin/ok a b'", "interval 2.5", "weight -5 reverse", "rise 2", "fall 3", "user nobody", "init_fail")
    (script,) = clean(SECURE + block("vrrp_script s", *lines)).tracking.scripts
    assert script == VrrpScript(
        "s", Script(("/bin/ok", "a", "b"), User(65534, 65534, "nobody")), micro(2.5), micro(2.5), -5, True, 2, 3, True
    )


SCRIPTS = [
    (("interval 1",), [("KA601", 3)]),
    (("script /bin/ok", "interval 0"), [("KA102", 3)]),
    (("script /bin/ok", "interval 0.0001"), [("KA100", 3), ("KA102", 3)]),
    (("script /bin/ok", "weight 300"), [("KA101", 3)]),
    (("script /bin/ok", "weight 3 backwards"), [("KA119", 3)]),
    (("script /bin/ok", "rise 0"), [("KA101", 3)]),
    (("script /bin/ok", "user none"), [("KA309", 3)]),
    (("script",), [("KA601", 3)]),
]


@pytest.mark.parametrize(("lines", "expected"), SCRIPTS)
def test_a_script_that_is_wrong(lines: tuple[str, ...], expected: list[tuple[str, int | None]]) -> None:
    assert told(read(block("vrrp_script s", *lines))) == expected


def test_a_later_user_makes_good_an_unknown_one() -> None:
    loaded = read(block("vrrp_script s", "script /bin/ok", "user none", "user root"))
    assert told(loaded) == [("KA309", 3)]
    assert loaded.config is not None and len(loaded.config.tracking.scripts) == 1


def test_a_process() -> None:
    (process,) = clean(block("vrrp_track_process p", "process nginx", "quorum 2", "quorum_max 4", "delay 1.5")).tracking.processes
    assert process == TrackProcess("p", ("nginx",), quorum=2, quorum_max=4, terminate_delay=micro(1.5), fork_delay=micro(1.5))
    (process,) = clean(block("vrrp_track_process p", "process nginx -g x", "weight 3 reverse")).tracking.processes
    assert (process.command, process.param_match, process.full_command) == (("nginx", "-g", "x"), ParamMatch.EXACT, True)
    (process,) = clean(block("vrrp_track_process p", "process nginx", "param_match initial")).tracking.processes
    assert (process.param_match, process.full_command) == (ParamMatch.INITIAL, True)
    (process,) = clean(block("vrrp_track_process p", "process nginx", "quorum_max 0")).tracking.processes
    assert (process.quorum, process.quorum_max) == (0, 0), "none may run"


PROCESSES = [
    (("quorum 2",), [("KA601", 3)]),
    (("process x", "process y"), [("KA110", 3)]),
    (("process x", "weight"), [("KA116", 3)]),
    (("process x", "weight 255"), [("KA101", 3)]),
    (("process x", "weight 5", "weight 6"), [("KA110", 4)]),
    (("process x", "quorum_max 2", "quorum 3"), [("KA114", 4)]),
    (("process x", "quorum 3", "quorum_max 2"), [("KA114", 4)]),
    (("process x", "param_match exact"), [("KA104", 3)]),
    (("process x", "delay 3601"), [("KA101", 3)]),
]


@pytest.mark.parametrize(("lines", "expected"), PROCESSES)
def test_a_process_that_is_wrong(lines: tuple[str, ...], expected: list[tuple[str, int | None]]) -> None:
    assert told(read(block("vrrp_track_process p", *lines))) == expected


def test_a_file() -> None:
    (file,) = clean(block("track_file f", "file /run/f", "weight 2 reverse", "init_file 5 overwrite")).tracking.files
    assert file == TrackFile("f", "/run/f", 2, reverse=True, init=InitFile(5, overwrite=True))
    loaded = read(block("vrrp_track_file f", "file /run/f"))
    assert (told(loaded), notes(loaded)) == ([], [("KA112", 1)])


FILES = [
    (("weight 2",), [("KA601", 3)]),
    (("file /run/f", "file /run/g"), [("KA110", 3)]),
    (("file",), [("KA116", 2), ("KA601", 3)]),
    (("file /run/f", "weight 2", "weight 3"), [("KA110", 4)]),
    (("file /run/f", "init_file 300"), [("KA128", 3)]),
    (("file /run/f", "init_file now"), [("KA119", 3)]),
    (("file /proc/f",), [("KA602", 3)]),
]


@pytest.mark.parametrize(("lines", "expected"), FILES)
def test_a_file_that_is_wrong(lines: tuple[str, ...], expected: list[tuple[str, int | None]]) -> None:
    facts = FakeFacts(places={"/proc/f": "/proc is no place for it"})
    assert told(read(block("track_file f", *lines), facts)) == expected


def test_a_session() -> None:
    lines = ("neighbor_ip 192.0.2.9", "source_ip 192.0.2.2", "min_rx 100", "min_tx 50.5", "idle_tx 2000", "multiplier 4", "passive")
    (session,) = clean(block("bfd_instance b", *lines, "ttl 9", "max_hops 3", "multihop")).bfd.instances
    assert session == BfdInstance(
        "b", Address.parse("192.0.2.9"), Address.parse("192.0.2.2"), micro(0.1), Micro(50_500), micro(2), 4, True, 9, 3, True
    )
    (session,) = clean(block("bfd_instance b", "neighbour_ip 2001:db8::9", "checker")).bfd.instances
    assert (session.ttl, session.vrrp, session.checker) == (64, False, True)


SESSIONS = [
    (("passive",), [("KA611", 3)]),
    (("neighbor_ip host",), [("KA611", 2)]),
    (("neighbor_ip 192.0.2.9", "source_ip 2001:db8::1"), [("KA612", 4)]),
    (("neighbor_ip 192.0.2.9", "min_rx 0"), [("KA101", 3)]),
    (("neighbor_ip 192.0.2.9", "idle_tx 999"), [("KA101", 3)]),
    (("neighbor_ip 192.0.2.9", "multiplier 256"), [("KA101", 3)]),
    (("neighbor_ip 192.0.2.9", "ttl 5", "max_hops 6"), [("KA614", 5)]),
    (("neighbor_ip 192.0.2.9", "weight 254"), [("KA101", 3)]),
]


@pytest.mark.parametrize(("lines", "expected"), SESSIONS)
def test_a_session_that_is_wrong(lines: tuple[str, ...], expected: list[tuple[str, int | None]]) -> None:
    assert told(read(block("bfd_instance b", *lines))) == expected


def test_two_sessions_need_different_addresses_and_names() -> None:
    first = block("bfd_instance b", "neighbor_ip 192.0.2.9")
    assert told(read(first + block("bfd_instance c", "neighbor_ip 192.0.2.9"))) == [("KA613", 6)]
    assert told(read(first + block("bfd_instance b", "neighbor_ip 192.0.2.8"))) == [("KA225", 4)]
    assert told(read(block(f"bfd_instance {'b' * 32}", "neighbor_ip 192.0.2.9"))) == [("KA108", 1)]
    apart = block("bfd_instance c", "neighbor_ip 192.0.2.9", "multihop")
    assert told(read(first + apart)) == []


def test_who_hears_of_a_session() -> None:
    instance = "vrrp_instance A {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress { 192.0.2.1 }\n track_bfd { b }\n}\n"
    assert told(read(block("bfd_instance b", "neighbor_ip 192.0.2.9", "vrrp") + instance)) == []
    assert told(read(block("bfd_instance b", "neighbor_ip 192.0.2.9", "checker") + instance)) == [("KA224", 9)]


def test_garp_groups() -> None:
    config = clean(block("garp_group", "garp_interval 0.5", "gna_interval 1", "interface eth0", "interfaces {", "  eth1", " }"))
    assert config.vrrp.garp_groups == (GarpGroup(("eth0", "eth1"), micro(0.5), micro(1)),)


GARP_GROUPS = [
    (("interface eth0",), [("KA557", 3)]),
    (("garp_interval 1", "interface eth7"), [("KA500", 3), ("KA501", 3)]),
    (("garp_interval 1", "interface eth0", "interface eth0"), [("KA556", 4)]),
    (("garp_interval 1", "interfaces {", " }"), [("KA113", 4)]),
]


@pytest.mark.parametrize(("lines", "expected"), GARP_GROUPS)
def test_a_garp_group_that_is_wrong(lines: tuple[str, ...], expected: list[tuple[str, int | None]]) -> None:
    assert told(read(block("garp_group", *lines))) == expected


def test_interfaces_that_are_polled_or_delayed() -> None:
    config = clean(block("linkbeat_interfaces", "eth0", "eth1 MII") + block("interface_up_down_delays", "eth0 1.5 2", "eth1 3"))
    assert config.vrrp.linkbeat_interfaces == (LinkbeatInterface("eth0"), LinkbeatInterface("eth1", LinkbeatMethod.MII))
    assert config.vrrp.interface_delays == (
        InterfaceDelay("eth0", micro(1.5), micro(2)),
        InterfaceDelay("eth1", micro(3)),
    )


@pytest.mark.parametrize("header", ["linkbeat_interfaces", "interface_up_down_delays"])
def test_an_unknown_interface_is_status_4(header: str) -> None:
    loaded = read(block(header, "eth7 1"))
    assert (told(loaded), int(loaded.status), loaded.startable) == ([("KA502", 2)], 4, True)


def test_more_words_than_a_linkbeat_line_has() -> None:
    assert told(read(block("linkbeat_interfaces", "eth0 MII now", "eth1 radio"))) == [("KA119", 2), ("KA119", 3)]


@pytest.mark.parametrize("header", ["vrrp_script", "track_file", "vrrp_track_process", "bfd_instance"])
def test_a_block_without_its_name_stops_the_reading(header: str) -> None:
    loaded = read(block(header))
    assert (int(loaded.status), told(loaded)) == (2, [("KA007", 1)])


def test_tunnels_of_dpvs_are_read_and_noted() -> None:
    text = block(
        "tunnel_group t", "tunnel_entry tun1 {", "  kind ipip", "  remote 192.0.2.1", "  local 192.0.2.2", "  if dpdk0", " }"
    )
    loaded = read(text)
    assert (told(loaded), notes(loaded)) == ([], [("KA405", 1)])
