"""Requests byte for byte: against pyroute2 where it is right, against bytes written by hand where it is wrong.

pyroute2 0.9 packs a tunnel port in host order, cannot express an IPv6 netmask, and has no sync daemons, timeouts or info.
"""

import socket
from typing import Any

import pytest
from hypothesis import given, settings
from pyroute2.netlink import NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST
from pyroute2.netlink.generic.ipvs import ipvsmsg

from keepalived_py.addresses import Address, Family
from keepalived_py.config.globals import LvsTimeouts
from keepalived_py.config.lvs import (
    AddressTarget,
    Forwarding,
    ForwardingMethod,
    FwmarkTarget,
    Protocol,
    ServerKey,
    ServiceFlags,
    TunnelChecksum,
    TunnelType,
)
from keepalived_py.errors import BugError
from keepalived_py.ipvs.operations import (
    DelDaemon,
    DelDestination,
    DelService,
    Flush,
    NewDaemon,
    NewDestination,
    NewService,
    Operation,
    SetDestination,
    SetService,
    SetTimeouts,
    Zero,
)
from keepalived_py.ipvs.packer import Packer, netmask_bytes
from keepalived_py.ipvs.table import Destination, Service, ServiceEntry, ServiceKey, SyncDaemon
from keepalived_py.units import Seconds
from tests.ipvs import strategies

FAMILY = 0x22
SEQUENCE = 0x01020304
WEB = AddressTarget(Address.parse("192.0.2.1"), 80, Protocol.TCP)
WEB6 = AddressTarget(Address.parse("2001:db8::1"), 80, Protocol.TCP)
MARK = FwmarkTarget(7, Family.INET)


def packed(operation: Operation) -> bytes:
    return Packer(FAMILY).operation(operation, SEQUENCE)


# --- the oracle ------------------------------------------------------------------------------------------------------------------


def oracle(command: int, attributes: list[tuple[str, Any]], flags: int = NLM_F_REQUEST | NLM_F_ACK) -> bytes:
    message = ipvsmsg()
    message["cmd"], message["version"], message["attrs"] = command, 1, attributes
    message["header"].update(type=FAMILY, flags=flags, sequence_number=SEQUENCE)
    message.encode()
    return bytes(message.data)


def oracle_key(key: ServiceKey) -> list[tuple[str, Any]]:
    if isinstance(key, FwmarkTarget):
        return [("IPVS_SVC_ATTR_AF", int(key.family)), ("IPVS_SVC_ATTR_FWMARK", key.mark)]
    return [
        ("IPVS_SVC_ATTR_AF", int(key.family)),
        ("IPVS_SVC_ATTR_PROTOCOL", int(key.protocol)),
        ("IPVS_SVC_ATTR_ADDR", str(key.address)),
        ("IPVS_SVC_ATTR_PORT", key.port),
    ]


def oracle_service(service: Service) -> tuple[str, Any]:
    # An IPv6 prefix length goes through the library's IPv4 type: the address whose bytes the kernel will read as that number.
    assert service.netmask is not None
    mask = (
        service.netmask.to_bytes(4, "little")
        if service.key.family is Family.INET6
        else ((2**service.netmask - 1) << (32 - service.netmask)).to_bytes(4, "big")
    )
    attributes = [
        *oracle_key(service.key),
        ("IPVS_SVC_ATTR_SCHED_NAME", service.scheduler),
        ("IPVS_SVC_ATTR_FLAGS", {"flags": int(service.flags), "mask": 0xFFFFFFFF}),
        ("IPVS_SVC_ATTR_TIMEOUT", int(service.timeout)),
        ("IPVS_SVC_ATTR_NETMASK", socket.inet_ntoa(mask)),
    ]
    if service.pe_name:
        attributes.append(("IPVS_SVC_ATTR_PE_NAME", service.pe_name))
    return ("IPVS_CMD_ATTR_SERVICE", {"attrs": attributes})


def oracle_destination(destination: Destination) -> tuple[str, Any]:
    forwarding = destination.forwarding
    assert forwarding is not None
    attributes = [
        ("IPVS_DEST_ATTR_ADDR", str(destination.key.address)),
        ("IPVS_DEST_ATTR_PORT", destination.key.port),
        ("IPVS_DEST_ATTR_FWD_METHOD", int(forwarding.method)),
        ("IPVS_DEST_ATTR_WEIGHT", destination.weight),
        ("IPVS_DEST_ATTR_U_THRESH", destination.uthreshold),
        ("IPVS_DEST_ATTR_L_THRESH", destination.lthreshold),
        ("IPVS_DEST_ATTR_ADDR_FAMILY", int(destination.family)),
    ]
    if forwarding.method is ForwardingMethod.TUNNEL:
        attributes += [
            ("IPVS_DEST_ATTR_TUN_TYPE", int(forwarding.tunnel)),
            ("IPVS_DEST_ATTR_TUN_PORT", socket.htons(forwarding.tunnel_port)),
            ("IPVS_DEST_ATTR_TUN_FLAGS", int(forwarding.tunnel_checksum)),
        ]
    return ("IPVS_CMD_ATTR_DEST", {"attrs": attributes})


# --- against pyroute2 ------------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(strategies.entries())
def test_services_and_destinations_are_packed_as_pyroute2_packs_them(entry: ServiceEntry) -> None:
    packer = Packer(FAMILY)
    key = {"attrs": oracle_key(entry.key)}
    for command, make in ((1, NewService), (2, SetService)):
        assert packer.operation(make(entry.service), SEQUENCE) == oracle(command, [oracle_service(entry.service)])
    assert packer.operation(DelService(entry.key), SEQUENCE) == oracle(3, [("IPVS_CMD_ATTR_SERVICE", key)])
    for destination in entry.destinations.values():
        attributes = [("IPVS_CMD_ATTR_SERVICE", key), oracle_destination(destination)]
        assert packer.operation(NewDestination(entry.key, destination), SEQUENCE) == oracle(5, attributes)
        assert packer.operation(SetDestination(entry.key, destination), SEQUENCE) == oracle(6, attributes)
        identity = [
            it
            for it in oracle_destination(destination)[1]["attrs"]
            if it[0].removeprefix("IPVS_DEST_ATTR_") in ("ADDR", "PORT", "ADDR_FAMILY")
        ]
        expected = oracle(7, [("IPVS_CMD_ATTR_SERVICE", key), ("IPVS_CMD_ATTR_DEST", {"attrs": identity})])
        assert packer.operation(DelDestination(entry.key, destination.key), SEQUENCE) == expected


@pytest.mark.parametrize("key", [WEB, WEB6, MARK])
def test_queries_are_packed_as_pyroute2_packs_them(key: ServiceKey) -> None:
    packer, named = Packer(FAMILY), [("IPVS_CMD_ATTR_SERVICE", {"attrs": oracle_key(key)})]
    dump = NLM_F_REQUEST | NLM_F_DUMP
    assert packer.services_dump(SEQUENCE) == oracle(4, [], dump)
    assert packer.destinations_dump(key, SEQUENCE) == oracle(8, named, dump)
    assert packer.daemons_dump(SEQUENCE) == oracle(11, [], dump)
    assert packer.service_query(key, SEQUENCE) == oracle(4, named)
    assert packer.timeouts_query(SEQUENCE) == oracle(13, [])
    assert packer.info_query(SEQUENCE) == oracle(15, [])
    assert packer.operation(Zero(), SEQUENCE) == oracle(16, [])
    assert packer.operation(Zero(key), SEQUENCE) == oracle(16, named)
    assert packer.operation(Flush(), SEQUENCE) == oracle(17, [])


# --- by hand ---------------------------------------------------------------------------------------------------------------------

HEAD = "{length} 2200 0500 04030201 00000000 {command} 01 0000"
"""nlmsghdr: length, family 0x22, REQUEST|ACK, sequence, port 0; genlmsghdr: command, version 1."""

little_endian = pytest.mark.skipif(socket.htons(1) == 1, reason="the bytes below are those of a little-endian machine")


def written(length: str, command: str, *attributes: str) -> bytes:
    return bytes.fromhex(HEAD.format(length=length, command=command) + "".join(attributes))


@little_endian
def test_ipv6_persistence_mask_is_a_number_in_host_order() -> None:
    service = Service(WEB6, "rr", 64, ServiceFlags.PERSISTENT, Seconds(300))
    assert packed(NewService(service)) == written(
        "68000000",
        "01",
        "5400 0100",
        "0600 0100 0a00 0000",  # AF inet6
        "0600 0200 0600 0000",  # PROTOCOL tcp
        "1400 0300 20010db8 00000000 00000000 00000001",  # ADDR
        "0600 0400 0050 0000",  # PORT 80, network order
        "0700 0600 727200 00",  # SCHED_NAME "rr", NUL, padding
        "0c00 0700 01000000 ffffffff",  # FLAGS persistent, mask ~0
        "0800 0800 2c010000",  # TIMEOUT 300
        "0800 0900 40000000",  # NETMASK 64
    )


@little_endian
def test_ipv4_persistence_mask_is_in_network_order() -> None:
    assert packed(SetService(Service(MARK, "wlc", 20, ServiceFlags.PERSISTENT, Seconds(360), "sip"))) == written(
        "54000000",
        "02",
        "4000 0100",
        "0600 0100 0200 0000",  # AF inet
        "0800 0500 07000000",  # FWMARK 7
        "0800 0600 776c6300",  # SCHED_NAME "wlc"
        "0c00 0700 01000000 ffffffff",  # FLAGS
        "0800 0800 68010000",  # TIMEOUT 360
        "0800 0900 fffff000",  # NETMASK 255.255.240.0
        "0800 0b00 73697000",  # PE_NAME "sip"
    )


@little_endian
def test_tunnel_port_is_in_network_order() -> None:
    gue = Forwarding(ForwardingMethod.TUNNEL, TunnelType.GUE, 6080, TunnelChecksum.REMCSUM)
    destination = Destination(ServerKey(Address.parse("2001:db8:100::1"), 80), gue, 10, 2000, 1000)
    assert packed(NewDestination(WEB, destination)) == written(
        "98000000",
        "05",
        "2400 0100",
        "0600 0100 0200 0000",
        "0600 0200 0600 0000",
        "0800 0300 c0000201",
        "0600 0400 0050 0000",
        "6000 0200",
        "1400 0100 20010db8 01000000 00000000 00000001",  # ADDR
        "0600 0200 0050 0000",  # PORT
        "0800 0300 02000000",  # FWD_METHOD tunnel
        "0800 0400 0a000000",  # WEIGHT 10
        "0800 0500 d0070000",  # U_THRESH 2000
        "0800 0600 e8030000",  # L_THRESH 1000
        "0600 0b00 0a00 0000",  # ADDR_FAMILY inet6, of an IPv4 service
        "0500 0d00 01000000",  # TUN_TYPE gue
        "0600 0e00 17c0 0000",  # TUN_PORT 6080
        "0600 0f00 0200 0000",  # TUN_FLAGS remcsum
    )


@little_endian
def test_timeouts_that_are_kept_are_not_sent() -> None:
    assert packed(SetTimeouts(LvsTimeouts(Seconds(0), Seconds(60), Seconds(0)))) == written("1c000000", "0c", "0800 0500 3c000000")
    every = SetTimeouts(LvsTimeouts(Seconds(900), Seconds(120), Seconds(300)))
    assert packed(every) == written("2c000000", "0c", "0800 0400 84030000", "0800 0500 78000000", "0800 0600 2c010000")


@little_endian
def test_sync_daemons() -> None:
    plain = SyncDaemon(master=True, interface="eth0", sync_id=51)
    assert packed(NewDaemon(plain)) == written(
        "34000000",
        "09",
        "2000 0300",
        "0800 0100 01000000",  # STATE master
        "0900 0200 65746830 00000000",  # MCAST_IFN "eth0"
        "0800 0300 33000000",  # SYNC_ID
    )
    group6 = SyncDaemon(False, "lo", 1, 1400, Address.parse("ff05::1"), 8849, 3)
    assert packed(NewDaemon(group6)) == written(
        "5c000000",
        "09",
        "4800 0300",
        "0800 0100 02000000",  # STATE backup
        "0700 0200 6c6f00 00",
        "0800 0300 01000000",
        "0600 0400 7805 0000",  # SYNC_MAXLEN
        "1400 0600 ff050000 00000000 00000000 00000001",  # MCAST_GROUP6
        "0600 0700 9122 0000",  # MCAST_PORT 8849, host order
        "0500 0800 03000000",  # MCAST_TTL
    )
    group4 = packed(NewDaemon(SyncDaemon(True, "lo", group=Address.parse("224.0.0.82"))))
    assert group4.endswith(bytes.fromhex("0800 0500 e0000052"))
    assert packed(DelDaemon(master=False)) == written("20000000", "0a", "0c00 0300", "0800 0100 02000000")


# --- the rest --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "mask"), [(0, "0.0.0.0"), (1, "128.0.0.0"), (24, "255.255.255.0"), (32, "255.255.255.255")])
def test_ipv4_masks(length: int, mask: str) -> None:
    assert netmask_bytes(length, Family.INET) == socket.inet_aton(mask)


def test_the_service_part_follows_the_key() -> None:
    packer = Packer(FAMILY)
    destination = Destination(ServerKey(Address.parse("198.51.100.1"), 80))
    requests = [packer.operation(NewDestination(key, destination), SEQUENCE) for key in (WEB, MARK, WEB6, WEB, WEB)]
    assert requests == [packed(NewDestination(key, destination)) for key in (WEB, MARK, WEB6, WEB, WEB)]
    assert len(set(requests)) == 3


def test_what_has_no_number_cannot_be_asked_for() -> None:
    key = ServerKey(Address.parse("198.51.100.1"), 80)
    with pytest.raises(BugError, match=r"198\.51\.100\.1"):
        packed(NewDestination(WEB, Destination(key, None)))
    with pytest.raises(BugError, match=r"192\.0\.2\.1"):
        packed(NewService(Service(WEB, "wlc", None)))
