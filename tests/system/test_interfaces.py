"""Interfaces out of rtnetlink messages, and what the host answers to the parser."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.addresses import Address
from keepalived_py.parser.facts import KeyFileState
from keepalived_py.system.host import Host
from keepalived_py.system.interfaces import decode_interfaces


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _link(index: int, name: str, *attributes: bytes, hardware: int = 1, flags: int = 0x1003) -> bytes:
    return struct.pack("=BxHiII", 0, hardware, index, flags, 0) + _attribute(3, name.encode() + b"\0") + b"".join(attributes)


def _address(index: int, text: str, flags: int = 0) -> bytes:
    packed = Address.parse(text).packed
    family = 2 if len(packed) == 4 else 10
    return (
        struct.pack("=BBBBI", family, len(packed) * 8, 0, 0, index)
        + _attribute(8, struct.pack("=I", flags))
        + _attribute(1, packed)
    )


def _info(kind: str, first: int) -> bytes:
    data = _attribute(2, _attribute(1, struct.pack("=I", first)))
    return _attribute(18, _attribute(1, kind.encode() + b"\0") + data)


MTU = _attribute(4, struct.pack("=I", 1500))


def test_kinds_of_interfaces_are_told_apart() -> None:
    links = [
        _link(1, "lo", hardware=772, flags=0x9),
        _link(2, "eth0", MTU),
        _link(3, "vrrp.51", _attribute(5, struct.pack("=I", 2)), _info("macvlan", 1)),
        _link(4, "blue", _info("vrf", 77)),
    ]
    found = decode_interfaces(links, [_address(2, "192.0.2.1"), _address(2, "192.0.2.2")])
    assert found["lo"].loopback and not found["lo"].multicast and not found["lo"].ethernet
    assert (found["eth0"].mtu, found["eth0"].multicast, found["eth0"].ethernet) == (1500, True, True)
    assert found["eth0"].addresses == (Address.parse("192.0.2.1"), Address.parse("192.0.2.2"))
    assert (found["vrrp.51"].kind, found["vrrp.51"].mode, found["vrrp.51"].parent) == ("macvlan", 1, "eth0")
    assert (found["blue"].kind, found["blue"].table, found["blue"].mode) == ("vrf", 77, 0)


def test_a_tentative_address_is_left_out() -> None:
    found = decode_interfaces([_link(2, "eth0")], [_address(2, "2001:db8::1", flags=0x40)])
    assert found["eth0"].addresses == ()


def test_the_parent_in_another_namespace_is_unknown() -> None:
    link = _link(3, "mv0", _attribute(5, struct.pack("=I", 2)), _attribute(37, bytes(4)), _info("macvlan", 1))
    assert decode_interfaces([_link(2, "eth0"), link], [])["mv0"].parent is None


@given(st.lists(st.binary(max_size=80), max_size=4), st.lists(st.binary(max_size=40), max_size=4))
def test_any_bytes_decode(links: list[bytes], addresses: list[bytes]) -> None:
    decode_interfaces(links, addresses)


def test_the_loopback_interface_of_this_machine_is_seen() -> None:
    assert Host().interfaces()["lo"].loopback


def test_names_of_routing_tables(tmp_path: Path) -> None:
    first, second = tmp_path / "etc", tmp_path / "usr"
    (first / "rt_tables.d").mkdir(parents=True)
    second.mkdir()
    (second / "rt_tables").write_text("# comment\n254 main\n0x10 blue # sixteen\nbroken line here\nx y\n")
    (first / "rt_tables.d" / "own.conf").write_text("42 own\n")
    folders = (str(first), str(second))
    assert [Host().route_number("rt_tables", name, folders) for name in ("main", "blue", "own", "line")] == [254, 16, 42, None]


def test_a_file_below_proc_cannot_be_watched(tmp_path: Path) -> None:
    host = Host()
    assert "proc" in host.unwatchable("/proc/self/file")
    assert "no folder" in host.unwatchable(str(tmp_path / "missing" / "file"))


@pytest.mark.parametrize(("mode", "exposed"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_key_file_that_others_can_read_is_exposed(tmp_path: Path, mode: int, exposed: bool) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"secret\r\n")
    path.chmod(mode)
    found = Host().key_file(str(path), 100)
    assert (found.state, found.text, found.exposed) == (KeyFileState.OK, b"secret", exposed)


def test_key_files_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(bytes(200))
    assert Host().key_file(str(path), 100).state is KeyFileState.TOO_LARGE
    assert Host().key_file(str(tmp_path / "missing"), 100).state is KeyFileState.UNREADABLE
