"""The generic netlink family IPVS_FNAT of our own kernel module, as tables, and what is said over it, as values and bytes.

Source: kmod/include/uapi/linux/ip_vs_fnat.h, whose names these are without their prefix; a test compares the two.  The services and
destinations themselves go over the kernel's family (`packer`).  Everything that is read is hostile until its length has been
checked; `DecodeError` is the only way to fail.  No socket, no policy.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.lvs import FwmarkTarget
from keepalived_py.ipvs.attributes import FAMILY_FULLNAT, NUMBER, Attribute, Codec, ServiceAttribute
from keepalived_py.ipvs.table import ServiceKey
from keepalived_py.netlink.framing import (
    DecodeError,
    Message,
    MessageFlag,
    attribute,
    attributes,
    generic_attributes,
    generic_request,
)
from keepalived_py.units import Seconds

FAMILY: Final = FAMILY_FULLNAT
"""``IPVS_FNAT_GENL_NAME``."""

FAMILY_VERSION: Final = 1
"""``IPVS_FNAT_GENL_VERSION``."""

ABI: Final = 1
"""``IPVS_FNAT_ABI`` that this module was written for."""

LADDR_MAX: Final = 65536
"""``IPVS_FNAT_LADDR_MAX``: local addresses of one service."""

TIMEOUT_MAX: Final = 86400 * 31
"""``IPVS_FNAT_TIMEOUT_MAX``: longest EST_TIMEOUT in seconds."""

_NESTED: Final = 0x8000  # NLA_F_NESTED, which new families insist on
_STATS_BASE: Final = 2
_REQUEST_ACK: Final = MessageFlag.REQUEST | MessageFlag.ACK
_REQUEST_DUMP: Final = MessageFlag.REQUEST | MessageFlag.DUMP


class Feature(enum.IntFlag):
    """``IPVS_FNAT_F_*``: what the loaded module can do."""

    IPV4 = 1 << 0
    IPV6 = 1 << 1
    TCP = 1 << 2
    UDP = 1 << 3
    TOA = 1 << 4
    SYNPROXY = 1 << 5
    ACL = 1 << 6
    EARLY = 1 << 7


class FullnatCommand(enum.IntEnum):
    """``IPVS_FNAT_CMD_*``."""

    GET_INFO = 1
    NEW_LADDR = 2
    DEL_LADDR = 3
    GET_LADDR = 4
    SET_SERVICE = 5
    GET_SERVICE = 6
    SET_ACL = 7
    GET_CONN = 8
    GET_STATS = 9


class FullnatAttribute(Attribute):
    """``IPVS_FNAT_A_*``: the first level of every message.  SERVICE holds the kernel's own ``IPVS_SVC_ATTR_*``."""

    PAD = 1, Codec.PAD
    ABI = 2, Codec.U32
    FEATURES = 3, Codec.U32
    TABLE_SIZE = 4, Codec.U32
    CONNS = 5, Codec.U64
    SERVICE = 6, Codec.NESTED
    LADDR = 7, Codec.NESTED
    LADDR_COUNT = 8, Codec.U32
    EST_TIMEOUT = 9, Codec.U32
    CONN = 10, Codec.NESTED
    STATS = 11, Codec.NESTED


class LocalAttribute(Attribute):
    """``IPVS_FNAT_LADDR_*``: a local address of a service."""

    PAD = 1, Codec.PAD
    AF = 2, Codec.U16
    ADDR = 3, Codec.ADDRESS
    FLAGS = 4, Codec.U32
    CONNS = 5, Codec.U32
    ALLOCS = 6, Codec.U64
    CONFLICTS = 7, Codec.U64
    PORTS = 8, Codec.U32


class LocalFlag(enum.IntFlag):
    """``IPVS_FNAT_LADDR_F_*``."""

    LOCAL = 1 << 0


class ConnectionAttribute(Attribute):
    """``IPVS_FNAT_CONN_*``: a session."""

    PAD = 1, Codec.PAD
    AF = 2, Codec.U16
    PROTOCOL = 3, Codec.U16
    CADDR = 4, Codec.ADDRESS
    CPORT = 5, Codec.BE16
    VADDR = 6, Codec.ADDRESS
    VPORT = 7, Codec.BE16
    LADDR = 8, Codec.ADDRESS
    LPORT = 9, Codec.BE16
    DADDR = 10, Codec.ADDRESS
    DPORT = 11, Codec.BE16
    STATE = 12, Codec.STRING
    EXPIRES = 13, Codec.U32
    FLAGS = 14, Codec.U32


class Counter(enum.IntEnum):
    """``enum ipvs_fnat_stat``; in lower case the names of /proc/net/ip_vs_ext_stats."""

    FULLNAT_ADD_TOA_OK = 0
    FULLNAT_ADD_TOA_FAIL_LEN = 1
    FULLNAT_ADD_TOA_HEAD_FULL = 2
    FULLNAT_ADD_TOA_FAIL_MEM = 3
    FULLNAT_ADD_TOA_FAIL_PROTO = 4
    FULLNAT_STRIP_TOA = 5
    FULLNAT_CONN_REUSED = 6
    FULLNAT_CONN_REUSED_CLOSE = 7
    FULLNAT_CONN_REUSED_TIMEWAIT = 8
    FULLNAT_CONN_REUSED_FINWAIT = 9
    FULLNAT_CONN_REUSED_CLOSEWAIT = 10
    FULLNAT_CONN_REUSED_LASTACK = 11
    FULLNAT_CONN_REUSED_ESTAB = 12
    FULLNAT_CONN_ALLOC = 13
    FULLNAT_CONN_FREE = 14
    FULLNAT_NO_LADDR = 15
    FULLNAT_PORT_CONFLICT = 16
    FULLNAT_PORT_EXHAUSTED = 17
    FULLNAT_NO_MEMORY = 18
    FULLNAT_ICMP_IN = 19
    FULLNAT_ICMP_OUT = 20
    FULLNAT_DROP = 21
    RST_IN_ESTABLISHED = 22
    RST_OUT_ESTABLISHED = 23
    RST_LIMITED = 24


@dataclass(frozen=True, slots=True)
class FullnatInfo:
    """The answer to GET_INFO: `features` that this program has no name for are kept; `sessions` are those of all namespaces."""

    abi: int
    features: Feature
    table_size: int
    sessions: int


@dataclass(frozen=True, slots=True)
class LocalAddress:
    """A local address in the kernel.  `local`: this host has it now; `conflicts`: times that all its ports were taken."""

    address: Address
    local: bool
    sessions: int
    allocations: int
    conflicts: int
    ports: int


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """A service's own settings; `est_timeout` 0: that of the namespace."""

    est_timeout: Seconds
    local_addresses: int


@dataclass(frozen=True, slots=True)
class Session:
    """A session with the four endpoints that it joins.  `expires` in milliseconds."""

    protocol: int
    client: tuple[Address, int]
    virtual: tuple[Address, int]
    local: tuple[Address, int]
    destination: tuple[Address, int]
    state: str
    expires: int


# --- requests --------------------------------------------------------------------------------------------------------------------


class FullnatPacker:
    """Packs requests for the family number `family`."""

    __slots__ = ("_family",)

    def __init__(self, family: int) -> None:
        self._family = family

    def _request(self, command: FullnatCommand, sequence: int, payload: bytes = b"", flags: MessageFlag = _REQUEST_ACK) -> bytes:
        return generic_request(self._family, command, sequence, flags, FAMILY_VERSION, payload)

    def info(self, sequence: int) -> bytes:
        """Ask for ABI, features and table size."""
        return self._request(FullnatCommand.GET_INFO, sequence)

    def stats(self, sequence: int) -> bytes:
        """Ask for the counters of the namespace."""
        return self._request(FullnatCommand.GET_STATS, sequence)

    def new_local_address(self, key: ServiceKey, address: Address, sequence: int) -> bytes:
        """Give a service a local address; EEXIST if it has it, ESRCH if there is no such service."""
        return self._request(FullnatCommand.NEW_LADDR, sequence, _service(key) + _local(address))

    def del_local_address(self, key: ServiceKey, address: Address, sequence: int) -> bytes:
        """Take a local address from a service; ENOENT if it does not have it."""
        return self._request(FullnatCommand.DEL_LADDR, sequence, _service(key) + _local(address))

    def local_addresses(self, key: ServiceKey, sequence: int) -> bytes:
        """Dump a service's local addresses, in the order in which they were added."""
        return self._request(FullnatCommand.GET_LADDR, sequence, _service(key), _REQUEST_DUMP)

    def set_service(self, key: ServiceKey, est_timeout: Seconds, sequence: int) -> bytes:
        """Set a service's own settings."""
        return self._request(
            FullnatCommand.SET_SERVICE, sequence, _service(key) + _number(FullnatAttribute.EST_TIMEOUT, est_timeout)
        )

    def service(self, key: ServiceKey, sequence: int) -> bytes:
        """Ask for a service's own settings."""
        return self._request(FullnatCommand.GET_SERVICE, sequence, _service(key))

    def sessions(self, sequence: int, key: ServiceKey | None = None) -> bytes:
        """Dump all sessions, or those of one service that is found by its address."""
        return self._request(FullnatCommand.GET_CONN, sequence, b"" if key is None else _service(key), _REQUEST_DUMP)


def _number(attribute_: Attribute, number: int) -> bytes:
    return attribute(attribute_, NUMBER[attribute_.codec].pack(number))


def _nest(attribute_: Attribute, *parts: bytes) -> bytes:
    return attribute(attribute_ | _NESTED, b"".join(parts))


def _service(key: ServiceKey) -> bytes:
    if isinstance(key, FwmarkTarget):
        identity = [_number(ServiceAttribute.AF, key.family), _number(ServiceAttribute.FWMARK, key.mark)]
    else:
        identity = [
            _number(ServiceAttribute.AF, key.family),
            _number(ServiceAttribute.PROTOCOL, key.protocol),
            attribute(ServiceAttribute.ADDR, key.address.packed),
            _number(ServiceAttribute.PORT, key.port),
        ]
    return _nest(FullnatAttribute.SERVICE, *identity)


def _local(address: Address) -> bytes:
    return _nest(FullnatAttribute.LADDR, _number(LocalAttribute.AF, address.family), attribute(LocalAttribute.ADDR, address.packed))


# --- answers ---------------------------------------------------------------------------------------------------------------------


def _value(found: Mapping[int, bytes], attribute_: Attribute) -> int:
    data, layout = found.get(attribute_, b""), NUMBER[attribute_.codec]
    if len(data) != layout.size:
        raise DecodeError(f"{type(attribute_).__name__}.{attribute_.name}: {len(data)} bytes instead of {layout.size}")
    return int(layout.unpack(data)[0])


def _address(found: Mapping[int, bytes], attribute_: Attribute, family: Family) -> Address:
    data, size = found.get(attribute_, b""), family.bits // 8
    if not size <= len(data) <= 16:
        raise DecodeError(f"{type(attribute_).__name__}.{attribute_.name}: {len(data)} bytes for {family.name}")
    return Address(data[:size])


def _family(found: Mapping[int, bytes], attribute_: Attribute) -> Family:
    number = _value(found, attribute_)
    try:
        return Family(number)
    except ValueError:
        raise DecodeError(f"address family {number}") from None


def _inside(message: Message, attribute_: FullnatAttribute) -> dict[int, bytes]:
    data = generic_attributes(message).get(attribute_)
    if data is None:
        raise DecodeError(f"no {attribute_.name} in the answer")
    return attributes(data)


def decode_info(message: Message) -> FullnatInfo:
    """Read the answer to GET_INFO."""
    found = generic_attributes(message)
    return FullnatInfo(
        _value(found, FullnatAttribute.ABI),
        Feature(_value(found, FullnatAttribute.FEATURES)),
        _value(found, FullnatAttribute.TABLE_SIZE),
        _value(found, FullnatAttribute.CONNS),
    )


def decode_stats(message: Message) -> dict[Counter, int]:
    """Read the answer to GET_STATS; counters that this program has no name for are left out, missing ones are 0."""
    found, layout = _inside(message, FullnatAttribute.STATS), NUMBER[Codec.U64]
    counters = {}
    for counter in Counter:
        data = found.get(counter + _STATS_BASE, bytes(layout.size))
        if len(data) != layout.size:
            raise DecodeError(f"counter {counter.name}: {len(data)} bytes")
        counters[counter] = int(layout.unpack(data)[0])
    return counters


def decode_local_address(message: Message) -> LocalAddress:
    """Read one message of a GET_LADDR dump."""
    found = _inside(message, FullnatAttribute.LADDR)
    return LocalAddress(
        _address(found, LocalAttribute.ADDR, _family(found, LocalAttribute.AF)),
        bool(_value(found, LocalAttribute.FLAGS) & LocalFlag.LOCAL),
        _value(found, LocalAttribute.CONNS),
        _value(found, LocalAttribute.ALLOCS),
        _value(found, LocalAttribute.CONFLICTS),
        _value(found, LocalAttribute.PORTS),
    )


def decode_settings(message: Message) -> ServiceSettings:
    """Read the answer to GET_SERVICE."""
    found = generic_attributes(message)
    return ServiceSettings(Seconds(_value(found, FullnatAttribute.EST_TIMEOUT)), _value(found, FullnatAttribute.LADDR_COUNT))


def decode_session(message: Message) -> Session:
    """Read one message of a GET_CONN dump."""
    found = _inside(message, FullnatAttribute.CONN)
    family = _family(found, ConnectionAttribute.AF)

    def endpoint(address: ConnectionAttribute, port: ConnectionAttribute) -> tuple[Address, int]:
        return _address(found, address, family), _value(found, port)

    state = found.get(ConnectionAttribute.STATE, b"").partition(b"\0")[0].decode("ascii", "backslashreplace")
    return Session(
        _value(found, ConnectionAttribute.PROTOCOL),
        endpoint(ConnectionAttribute.CADDR, ConnectionAttribute.CPORT),
        endpoint(ConnectionAttribute.VADDR, ConnectionAttribute.VPORT),
        endpoint(ConnectionAttribute.LADDR, ConnectionAttribute.LPORT),
        endpoint(ConnectionAttribute.DADDR, ConnectionAttribute.DPORT),
        state,
        _value(found, ConnectionAttribute.EXPIRES),
    )
