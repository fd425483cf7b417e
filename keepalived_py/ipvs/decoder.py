"""Bytes -> values of `table`: what the kernel answers to the requests of `packer`.

Everything is hostile until its length has been checked; `netlink.DecodeError` is the only way to fail.  Numbers that linux/ip_vs.h
does not name (a forwarding method, a mask that is no prefix) are not failures: they become None, so that a table in which somebody
else did strange things can still be read.  No socket, no policy.
"""

import struct
from collections.abc import Mapping
from functools import lru_cache
from socket import ntohs
from typing import Final

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
from keepalived_py.ipvs.attributes import (
    NUMBER,
    Attribute,
    Codec,
    CommandAttribute,
    DaemonAttribute,
    DestinationAttribute,
    InfoAttribute,
    ServiceAttribute,
    Stats64Attribute,
    StatsAttribute,
    SyncState,
)
from keepalived_py.ipvs.table import (
    Destination,
    DestinationKey,
    DestinationStats,
    Info,
    Service,
    ServiceKey,
    Statistics,
    SyncDaemon,
)
from keepalived_py.netlink.framing import DecodeError, Message, attributes, generic_attributes
from keepalived_py.units import Seconds

_U32: Final = NUMBER[Codec.U32]

# A destination as ip_vs_genl_fill_dest (ip_vs_ctl.c) has written it since Linux 5.3, up to its counters.  A table has thousands of
# them, and a reading by position takes a third of the time of one attribute by attribute; any other shape is read that way.
_DESTINATION_HEADS: Final = struct.Struct("=4x 2xH HH16x " + "HH4x " * 11 + "HH")
_DESTINATION_VALUES: Final = struct.Struct("=4x 4x 4x16s 4xH2x 4xI 4xI 4xB3x 4xH2x 4xH2x 4xI 4xI 24x 4xH2x")
_DESTINATION_SHAPE: Final = (
    *(CommandAttribute.DEST, 20, DestinationAttribute.ADDR, 6, DestinationAttribute.PORT),
    *(8, DestinationAttribute.FWD_METHOD, 8, DestinationAttribute.WEIGHT),
    *(5, DestinationAttribute.TUN_TYPE, 6, DestinationAttribute.TUN_PORT, 6, DestinationAttribute.TUN_FLAGS),
    *(8, DestinationAttribute.U_THRESH, 8, DestinationAttribute.L_THRESH),
    *(8, DestinationAttribute.ACTIVE_CONNS, 8, DestinationAttribute.INACT_CONNS, 8, DestinationAttribute.PERSIST_CONNS),
    *(6, DestinationAttribute.ADDR_FAMILY),
)


def _number(found: Mapping[int, bytes], attribute: Attribute, default: int | None = None) -> int:
    """Read a number by the codec that its table names; `default` None: it must be there."""
    data = found.get(attribute)
    if data is None:
        if default is None:
            raise DecodeError(f"{type(attribute).__name__}.{attribute.name} is missing")
        return default
    layout = NUMBER[attribute.codec]
    if len(data) != layout.size:
        raise DecodeError(f"{type(attribute).__name__}.{attribute.name}: {len(data)} bytes instead of {layout.size}")
    return int(layout.unpack(data)[0])


def _text(found: Mapping[int, bytes], attribute: Attribute) -> str | None:
    """Read text up to its NUL; bytes that are not ASCII are shown escaped, never lost."""
    data = found.get(attribute)
    return None if data is None else data.partition(b"\0")[0].decode("ascii", "backslashreplace")


def _address(found: Mapping[int, bytes], attribute: Attribute, family: Family) -> Address:
    data = found.get(attribute, b"")
    size = family.bits // 8
    if not size <= len(data) <= 16:
        raise DecodeError(f"{type(attribute).__name__}.{attribute.name}: {len(data)} bytes for {family.name}")
    return Address(data[:size])


def _family(number: int) -> Family:
    try:
        return Family(number)
    except ValueError:
        raise DecodeError(f"address family {number}") from None


def _nested(message: Message, attribute: CommandAttribute) -> dict[int, bytes]:
    data = generic_attributes(message).get(attribute)
    if data is None:
        raise DecodeError(f"no {attribute.name} in the answer")
    return attributes(data)


def _service_key(found: Mapping[int, bytes]) -> ServiceKey:
    family = _family(_number(found, ServiceAttribute.AF))
    mark = _number(found, ServiceAttribute.FWMARK, 0)
    if mark:
        return FwmarkTarget(mark, family)
    protocol, port = _number(found, ServiceAttribute.PROTOCOL), _number(found, ServiceAttribute.PORT)
    try:
        return AddressTarget(_address(found, ServiceAttribute.ADDR, family), port, Protocol(protocol))
    except ValueError:
        raise DecodeError(f"IP protocol {protocol}") from None


def _netmask(found: Mapping[int, bytes], family: Family) -> int | None:
    """Read NETMASK as a prefix length, None if it is none."""
    number = _number(found, ServiceAttribute.NETMASK)
    if family is Family.INET6:
        return number if number <= family.bits else None
    host_bits = int.from_bytes(found[ServiceAttribute.NETMASK], "big") ^ 0xFFFFFFFF
    return None if host_bits & host_bits + 1 else family.bits - host_bits.bit_length()


def decode_service(message: Message) -> Service:
    """Read one message of a services dump, without the counters."""
    found = _nested(message, CommandAttribute.SERVICE)
    key = _service_key(found)
    flags = found.get(ServiceAttribute.FLAGS, b"")
    if len(flags) != 8:
        raise DecodeError(f"ServiceAttribute.FLAGS: {len(flags)} bytes instead of 8")
    return Service(
        key,
        _text(found, ServiceAttribute.SCHED_NAME) or "none",
        _netmask(found, key.family),
        ServiceFlags(_U32.unpack_from(flags)[0] & ~int(ServiceFlags.HASHED)),
        Seconds(_number(found, ServiceAttribute.TIMEOUT)),
        _text(found, ServiceAttribute.PE_NAME) or None,
    )


def _forwarding(found: Mapping[int, bytes]) -> Forwarding | None:
    """Read how packets get there."""
    return _forwarding_of(
        _number(found, DestinationAttribute.FWD_METHOD),
        _number(found, DestinationAttribute.TUN_TYPE, 0),
        _number(found, DestinationAttribute.TUN_PORT, 0),
        _number(found, DestinationAttribute.TUN_FLAGS, 0),
    )


@lru_cache(maxsize=256)  # a table has thousands of destinations, and few ways to get there
def _forwarding_of(method: int, tunnel: int, port: int, checksum: int) -> Forwarding | None:
    """Name the numbers; None where one has no name here."""
    try:
        return Forwarding(ForwardingMethod(method), TunnelType(tunnel), port, TunnelChecksum(checksum))
    except ValueError:
        return None


def _destination_of(found: Mapping[int, bytes], family: Family) -> DestinationKey:
    family = _family(_number(found, DestinationAttribute.ADDR_FAMILY, family))
    return ServerKey(_address(found, DestinationAttribute.ADDR, family), _number(found, DestinationAttribute.PORT))


def decode_destination(message: Message, family: Family) -> Destination:
    """Read one message of a destinations dump, without the counters; `family` is the service's, for kernels before 3.18."""
    payload = message.payload
    if len(payload) < _DESTINATION_VALUES.size or _DESTINATION_HEADS.unpack_from(payload) != _DESTINATION_SHAPE:
        return decode_destination_of_any_shape(message, family)
    values = _DESTINATION_VALUES.unpack_from(payload)
    packed, port, method, weight, tunnel, tunnel_port, checksum, upper, lower, number = values
    if number == Family.INET:
        packed = packed[:4]
    elif number != Family.INET6:
        raise DecodeError(f"address family {number}")
    forwarding = _forwarding_of(method, tunnel, ntohs(tunnel_port), checksum)
    return Destination(ServerKey(Address(packed), ntohs(port)), forwarding, weight, upper, lower)


def decode_destination_of_any_shape(message: Message, family: Family) -> Destination:
    """Read what `decode_destination` reads, attribute by attribute."""
    found = _nested(message, CommandAttribute.DEST)
    return Destination(
        _destination_of(found, family),
        _forwarding(found),
        _number(found, DestinationAttribute.WEIGHT),
        _number(found, DestinationAttribute.U_THRESH),
        _number(found, DestinationAttribute.L_THRESH),
    )


_COUNTERS: Final = (
    Stats64Attribute.CONNS,
    Stats64Attribute.INPKTS,
    Stats64Attribute.OUTPKTS,
    Stats64Attribute.INBYTES,
    Stats64Attribute.OUTBYTES,
    Stats64Attribute.CPS,
    Stats64Attribute.INPPS,
    Stats64Attribute.OUTPPS,
    Stats64Attribute.INBPS,
    Stats64Attribute.OUTBPS,
)
"""In the order of the fields of `Statistics`."""

_COUNTERS32: Final = tuple(StatsAttribute[counter.name] for counter in _COUNTERS)


def _statistics(found: Mapping[int, bytes], wide: Attribute, narrow: Attribute) -> Statistics:
    """Read the 64-bit counters, or the 32-bit ones of kernels before 4.1."""
    if wide in found:
        counters = attributes(found[wide])
        return Statistics(*[_number(counters, counter, 0) for counter in _COUNTERS])
    counters = attributes(found.get(narrow, b""))
    return Statistics(*[_number(counters, counter, 0) for counter in _COUNTERS32])


def decode_service_statistics(message: Message) -> tuple[ServiceKey, Statistics]:
    """Read the counters out of one message of a services dump."""
    found = _nested(message, CommandAttribute.SERVICE)
    return _service_key(found), _statistics(found, ServiceAttribute.STATS64, ServiceAttribute.STATS)


def decode_destination_stats(message: Message, family: Family) -> tuple[DestinationKey, DestinationStats]:
    """Read the counters out of one message of a destinations dump."""
    found = _nested(message, CommandAttribute.DEST)
    return _destination_of(found, family), DestinationStats(
        _statistics(found, DestinationAttribute.STATS64, DestinationAttribute.STATS),
        _number(found, DestinationAttribute.ACTIVE_CONNS),
        _number(found, DestinationAttribute.INACT_CONNS),
        _number(found, DestinationAttribute.PERSIST_CONNS),
    )


def decode_timeouts(message: Message) -> LvsTimeouts:
    """Read the answer to GET_CONFIG; a kernel without a protocol leaves its timeouts out (0 here)."""
    found = generic_attributes(message)
    return LvsTimeouts(
        Seconds(_number(found, CommandAttribute.TIMEOUT_TCP, 0)),
        Seconds(_number(found, CommandAttribute.TIMEOUT_TCP_FIN, 0)),
        Seconds(_number(found, CommandAttribute.TIMEOUT_UDP, 0)),
    )


def decode_info(message: Message) -> Info:
    """Read the answer to GET_INFO."""
    found = generic_attributes(message)
    version = _number(found, InfoAttribute.VERSION)
    return Info((version >> 16 & 0xFF, version >> 8 & 0xFF, version & 0xFF), _number(found, InfoAttribute.CONN_TAB_SIZE))


def decode_daemon(message: Message) -> SyncDaemon:
    """Read one message of a daemons dump; every value is given, as the kernel chose it."""
    found = _nested(message, CommandAttribute.DAEMON)
    group = None
    if DaemonAttribute.MCAST_GROUP in found:
        group = _address(found, DaemonAttribute.MCAST_GROUP, Family.INET)
    elif DaemonAttribute.MCAST_GROUP6 in found:
        group = _address(found, DaemonAttribute.MCAST_GROUP6, Family.INET6)
    return SyncDaemon(
        bool(_number(found, DaemonAttribute.STATE) & SyncState.MASTER),
        _text(found, DaemonAttribute.MCAST_IFN) or "",
        _number(found, DaemonAttribute.SYNC_ID),
        _number(found, DaemonAttribute.SYNC_MAXLEN, 0),
        group,
        _number(found, DaemonAttribute.MCAST_PORT, 0),
        _number(found, DaemonAttribute.MCAST_TTL, 0),
    )
