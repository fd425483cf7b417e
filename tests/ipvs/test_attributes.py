"""The tables against the kernel's own header, where the machine has it."""

import re
from pathlib import Path

import pytest

from keepalived_py.config.lvs import ForwardingMethod, ServiceFlags, TunnelChecksum, TunnelType
from keepalived_py.ipvs.attributes import (
    FAMILY,
    FAMILY_VERSION,
    PE_NAME_MAX,
    SCHEDULER_NAME_MAX,
    Attribute,
    Codec,
    Command,
    CommandAttribute,
    DaemonAttribute,
    DestinationAttribute,
    InfoAttribute,
    ServiceAttribute,
    Stats64Attribute,
    StatsAttribute,
    SyncState,
)

HEADER = Path("/usr/include/linux/ip_vs.h")
needs_header = pytest.mark.skipif(not HEADER.exists(), reason="no linux/ip_vs.h here (package linux-libc-dev)")


def enumerations() -> dict[str, int]:
    """Number every member of every enum of the header, as the compiler would."""
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.DOTALL)
    numbers: dict[str, int] = {}
    for body in re.findall(r"enum\s*\{(.*?)\}", text, flags=re.DOTALL):
        next_number = 0
        for member in filter(None, (part.strip() for part in body.split(","))):
            name, _, value = member.partition("=")
            next_number = int(value, 0) if value else next_number
            numbers[name.strip()] = next_number
            next_number += 1
    return numbers


def macros() -> dict[str, int]:
    found = re.findall(r"#define\s+(IP\w+)\s+\(?(1 << \d+|(?:0x)?[0-9a-fA-F]+)\)?", HEADER.read_text())
    return {name: eval(value) for name, value in found}


@needs_header
@pytest.mark.parametrize(
    ("prefix", "members"),
    [
        ("IPVS_CMD_ATTR_", CommandAttribute),
        ("IPVS_SVC_ATTR_", ServiceAttribute),
        ("IPVS_DEST_ATTR_", DestinationAttribute),
        ("IPVS_DAEMON_ATTR_", DaemonAttribute),
        ("IPVS_STATS_ATTR_", StatsAttribute),
        ("IPVS_STATS_ATTR_", Stats64Attribute),
        ("IPVS_INFO_ATTR_", InfoAttribute),
    ],
)
def test_attributes_are_those_of_the_header(prefix: str, members: type[Attribute]) -> None:
    header = {name.removeprefix(prefix): number for name, number in enumerations().items() if name.startswith(prefix)}
    del header["UNSPEC"]
    assert {member.name: member.value for member in members} == header


@needs_header
def test_commands_are_those_of_the_header() -> None:
    commands = {
        name.removeprefix("IPVS_CMD_"): number
        for name, number in enumerations().items()
        if name.startswith("IPVS_CMD_") and not name.startswith("IPVS_CMD_ATTR_")
    }
    del commands["UNSPEC"]
    assert {member.name: member.value for member in Command} == commands


@needs_header
def test_numbers_outside_the_enums_are_those_of_the_header() -> None:
    header = macros() | enumerations()
    assert f'"{FAMILY}"' in HEADER.read_text()
    assert header["IPVS_GENL_VERSION"] == FAMILY_VERSION
    assert header["IP_VS_SCHEDNAME_MAXLEN"] == SCHEDULER_NAME_MAX + 1
    assert header["IP_VS_PENAME_MAXLEN"] == PE_NAME_MAX + 1
    for flag in ServiceFlags.PERSISTENT, ServiceFlags.HASHED, ServiceFlags.SCHED1, ServiceFlags.SCHED2, ServiceFlags.SCHED3:
        assert header[f"IP_VS_SVC_F_{flag.name}"] == flag
    assert header["IP_VS_SVC_F_ONEPACKET"] == ServiceFlags.ONE_PACKET
    for method, name in (
        (ForwardingMethod.MASQ, "MASQ"),
        (ForwardingMethod.LOCAL, "LOCALNODE"),
        (ForwardingMethod.TUNNEL, "TUNNEL"),
        (ForwardingMethod.DROUTE, "DROUTE"),
        (ForwardingMethod.BYPASS, "BYPASS"),
    ):
        assert header[f"IP_VS_CONN_F_{name}"] == method
    for tunnel in TunnelType:
        assert header[f"IP_VS_CONN_F_TUNNEL_TYPE_{tunnel.name}"] == tunnel
    assert header["IP_VS_TUNNEL_ENCAP_FLAG_CSUM"] == TunnelChecksum.CSUM
    assert header["IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM"] == TunnelChecksum.REMCSUM
    for state in SyncState.MASTER, SyncState.BACKUP:
        assert header[f"IP_VS_STATE_{state.name}"] == state


@needs_header
def test_our_own_numbers_are_free_in_the_kernel() -> None:
    header = macros() | enumerations()
    methods = {
        number for name, number in header.items() if name.startswith("IP_VS_CONN_F_") and number <= 7 and "TUNNEL_T" not in name
    }
    flags = [number for name, number in header.items() if name.startswith("IP_VS_SVC_F_")]
    assert ForwardingMethod.FULLNAT not in methods - {header["IP_VS_CONN_F_FWD_MASK"]}
    assert ForwardingMethod.FULLNAT & header["IP_VS_CONN_F_FWD_MASK"] == ForwardingMethod.FULLNAT
    assert not any(ServiceFlags.SYN_PROXY & flag for flag in flags)


def test_wide_counters_have_the_numbers_of_the_narrow_ones() -> None:
    for narrow, wide in zip(StatsAttribute, Stats64Attribute, strict=True):
        assert (int(narrow), narrow.name) == (int(wide), wide.name)
        assert wide.codec in (Codec.U64, Codec.PAD)
