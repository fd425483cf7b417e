"""What is said over the family IPVS_FNAT of our own kernel module, as values and bytes.

The numbers are those of `fullnat_attributes`; services and destinations go over the kernel's own family (`packer`).  Everything
that is read is hostile until its length has been checked; `DecodeError` is the only way to fail.  No socket, no policy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.lvs import FwmarkTarget
from keepalived_py.ipvs.attributes import NUMBER, Attribute, Codec, ServiceAttribute
from keepalived_py.ipvs.fullnat_attributes import (
    FAMILY_VERSION,
    ConnectionAttribute,
    Counter,
    Feature,
    FullnatAttribute,
    FullnatCommand,
    LocalAttribute,
    LocalFlag,
)
from keepalived_py.ipvs.operations import DelLocalAddress, FullnatOperation, NewLocalAddress, SetEstTimeout
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

_NESTED: Final = 0x8000  # NLA_F_NESTED, which new families insist on
_STATS_BASE: Final = 2
_REQUEST_ACK: Final = MessageFlag.REQUEST | MessageFlag.ACK
_REQUEST_DUMP: Final = MessageFlag.REQUEST | MessageFlag.DUMP


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

    def operation(self, operation: FullnatOperation, sequence: int) -> bytes:
        """Pack a request that the kernel answers with one acknowledgement."""
        match operation:
            case NewLocalAddress() | DelLocalAddress():
                rest = _local(operation.address)
            case SetEstTimeout():
                rest = _number(FullnatAttribute.EST_TIMEOUT, operation.seconds)
        return self._request(operation.command, sequence, _service(operation.service) + rest)

    def local_addresses(self, key: ServiceKey, sequence: int) -> bytes:
        """Dump a service's local addresses, in the order in which they were added."""
        return self._request(FullnatCommand.GET_LADDR, sequence, _service(key), _REQUEST_DUMP)

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


def decode_est_timeout(message: Message) -> Seconds:
    """Read the answer to GET_SERVICE: how long an established session may idle, 0: as long as everywhere."""
    return Seconds(_value(generic_attributes(message), FullnatAttribute.EST_TIMEOUT))


def decode_local_count(message: Message) -> int:
    """Read the answer to GET_SERVICE: how many local addresses there are."""
    return _value(generic_attributes(message), FullnatAttribute.LADDR_COUNT)


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
