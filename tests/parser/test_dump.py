"""What is in force, written in the language of the file and as JSON."""

import dataclasses
import json

import pytest
from hypothesis import HealthCheck, given, settings

from keepalived_py.config.model import Config
from keepalived_py.parser.dump import to_json, to_text
from keepalived_py.parser.keywords.root import ROOT
from keepalived_py.parser.load import Loaded
from keepalived_py.parser.schema import Block, Keyword
from tests.helpers.facts import read
from tests.helpers.grammar import arguments_of as arguments_taken
from tests.helpers.grammar import bodies, everyday, head

WORDS = [("/".join(path), entry) for path, entry in ROOT.walk()]


def config_of(loaded: Loaded) -> Config:
    assert loaded.config is not None, [diagnostic.headline() for diagnostic in loaded.diagnostics]
    return loaded.config


def assert_same(first: object, second: object, path: str = "config") -> None:
    """Compare two models, naming the first field that differs."""
    if dataclasses.is_dataclass(first) and type(first) is type(second):
        for field in dataclasses.fields(first):
            assert_same(getattr(first, field.name), getattr(second, field.name), f"{path}.{field.name}")
    elif isinstance(first, tuple) and isinstance(second, tuple) and len(first) == len(second):
        for index, pair in enumerate(zip(first, second, strict=True)):
            assert_same(*pair, f"{path}[{index}]")
    assert first == second, path


def refers_to_nothing(config: Config) -> bool:
    """Whether an instance watches a BFD session that was dropped: a fault for ever, which no text can say again."""
    known = {session.name for session in config.bfd.instances}
    tracks = [*(one.track for one in config.vrrp.instances), *(one.track for one in config.vrrp.sync_groups)]
    return any(tracked.name not in known for track in tracks for tracked in track.bfd)


def assert_fixed_point(config: Config) -> str:
    text = to_text(config)
    if refers_to_nothing(config):
        return text
    again = config_of(read(text))
    assert_same(config, again)
    assert to_text(again) == text
    return text


def test_nothing_is_written_of_an_empty_configuration() -> None:
    assert to_text(Config()) == ""


SERVICE = """virtual_server 192.0.2.1 80 {
lb_algo wlc
lb_kind DR
protocol TCP
retry 5
delay_loop 7
ha_suspend
real_server 198.51.100.1 80 {
weight 3
TCP_CHECK {
connect_timeout 2
}
}
}
"""


def test_a_service_is_written_with_what_it_inherits() -> None:
    lines = [line.strip() for line in assert_fixed_point(config_of(read(SERVICE))).splitlines()]
    check = lines[lines.index("TCP_CHECK {") :]
    assert {"lb_algo wlc", "lb_kind DR", "protocol TCP", "ha_suspend", "delay_loop 7"} <= set(lines)
    assert {"retry 5", "delay_loop 7", "connect_timeout 2", "connect_ip 198.51.100.1", "connect_port 80"} <= set(check)


def test_what_is_at_its_default_in_global_defs_is_left_out() -> None:
    written = assert_fixed_point(
        config_of(read("global_defs {\nrouter_id a\ncheckers_log_all_failures off\nsmtp_connect_timeout 30\n}\n"))
    )
    assert written == "global_defs {\n    router_id a\n}\n"


def test_words_that_the_language_would_read_otherwise_are_quoted() -> None:
    text = 'global_defs {\nrouter_id "a b # c"\n}\nvrrp_track_file "two words" {\nfile "/run/a file"\n}\n'
    written = assert_fixed_point(config_of(read(text)))
    assert 'router_id "a b # c"' in written
    assert 'file "/run/a file"' in written


def test_diagnostics_do_not_come_back() -> None:
    """What was refused is not in force and so is not written."""
    loaded = read(SERVICE.replace("weight 3", "weight many\nno_such_word 3"))
    assert loaded.diagnostics
    assert read(to_text(config_of(loaded))).diagnostics == ()


def test_json_names_classes_and_fields_and_writes_values_as_text() -> None:
    shown = json.loads(to_json(config_of(read(SERVICE))))
    service = shown["lvs"]["virtual_servers"][0]
    assert service["kind"] == "VirtualServer"
    assert (service["lb_algo"], service["delay_loop"]) == ("wlc", 7_000_000)
    assert service["target"]["address"] == "192.0.2.1"
    assert [check["kind"] for check in service["real_servers"][0]["checkers"]] == ["TcpCheck"]


def test_json_hides_secrets_and_the_text_keeps_them() -> None:
    """The text is there to be read again."""
    text = (
        "vrrp_instance a {\ninterface eth0\nvirtual_router_id 7\nvirtual_ipaddress {\n192.0.2.9\n}\n"
        "authentication {\nauth_type PASS\nauth_pass s3cret\n}\n}\n"
    )
    config = config_of(read(text))
    assert "s3cret" not in to_json(config)
    assert "s3cret" in assert_fixed_point(config)


@pytest.mark.parametrize(("name", "entry"), WORDS, ids=[name for name, _ in WORDS])
def test_every_word_takes_some_arguments(name: str, entry: Keyword | Block) -> None:
    """Else the properties of this module would say nothing about it."""
    kind = entry.kind if isinstance(entry, Keyword) else entry.header
    assert kind is None or arguments_taken(kind)


@pytest.mark.parametrize("block", ROOT.blocks, ids=lambda block: str(block.name))
def test_every_block_said_in_full_is_written_and_read_back(block: Block) -> None:
    loaded = read("\n".join((head(block, 0), *everyday(block), "}")) + "\n")
    if loaded.config is not None:
        assert_fixed_point(loaded.config)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], deadline=None, max_examples=150)
@given(bodies())
def test_what_is_written_is_read_back_the_same(lines: list[str]) -> None:
    loaded = read("\n".join(lines) + "\n")
    if loaded.config is not None:
        assert_fixed_point(loaded.config)
