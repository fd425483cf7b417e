"""The kernel's end of the netlink socket: bytes in, bytes out, around a `SimulatedIpvs`.

Requests are read, and answers written, with the tables of `attributes` alone: nothing here is shared with `packer` and `decoder`.
Like the kernel it answers inside ``send``, and goes on with a dump when it is received from.
"""

import errno
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

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
from keepalived_py.ipvs import attributes as uapi
from keepalived_py.ipvs.attributes import Attribute, Codec, Command
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
from keepalived_py.ipvs.table import Destination, Service, ServiceKey, SyncDaemon
from keepalived_py.units import Seconds
from tests.helpers.ipvs import SimulatedIpvs

FAMILY = 0x22
NESTS: dict[Attribute, type[Attribute]] = {
    uapi.CommandAttribute.SERVICE: uapi.ServiceAttribute,
    uapi.CommandAttribute.DEST: uapi.DestinationAttribute,
    uapi.CommandAttribute.DAEMON: uapi.DaemonAttribute,
    uapi.ServiceAttribute.STATS64: uapi.Stats64Attribute,
    uapi.DestinationAttribute.STATS64: uapi.Stats64Attribute,
}
FORMATS = {Codec.U8: "=B", Codec.U16: "=H", Codec.U32: "=I", Codec.U64: "=Q", Codec.BE16: "!H", Codec.BE32: "!I"}

Values = dict[str, Any]


def read(table: type[Attribute], data: bytes) -> Values:
    """Read attributes by the table: numbers, text, bytes, and dictionaries for nests."""
    values: Values = {}
    members = {int(member): member for member in table}
    while data:
        length, number = struct.unpack_from("=HH", data)
        attribute, payload = members[number], data[4:length]
        if attribute.codec is Codec.NESTED:
            values[attribute.name] = read(NESTS[attribute], payload)
        elif attribute.codec is Codec.STRING:
            assert payload.endswith(b"\0")
            values[attribute.name] = payload[:-1].decode()
        elif attribute.codec is Codec.FLAGS:
            values[attribute.name] = struct.unpack("=II", payload)
        elif attribute.codec is Codec.ADDRESS:
            values[attribute.name] = payload
        else:
            (values[attribute.name],) = struct.unpack(FORMATS[attribute.codec], payload)
        data = data[(length + 3) // 4 * 4 :]
    return values


def write(table: type[Attribute], values: Mapping[str, Any]) -> bytes:
    """Write attributes by the table, in the given order."""
    data = b""
    for name, value in values.items():
        attribute = table[name]
        match value:
            case dict():
                payload = write(NESTS[attribute], value)
            case str():
                payload = value.encode() + b"\0"
            case bytes():
                payload = value
            case (flags, mask):
                payload = struct.pack("=II", flags, mask)
            case _:
                payload = struct.pack(FORMATS[attribute.codec], value)
        data += struct.pack("=HH", 4 + len(payload), attribute) + payload + bytes(-len(payload) % 4)
    return data


def datagram(kind: int, flags: int, sequence: int, payload: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, sequence, 4711) + payload


def acknowledgement(sequence: int, error: int) -> bytes:
    return datagram(2, 0x100, sequence, struct.pack("=i", -error) + bytes(16))


class FakeKernel:
    """A `client.Link`.  Knobs make it lose, delay, spoil or forge what it sends."""

    def __init__(self, kernel: SimulatedIpvs | None = None) -> None:
        self.ipvs = kernel or SimulatedIpvs()
        self.sends: list[list[bytes]] = []
        self.closed = False
        self.silent = False
        self.overrun_after: int | None = None
        self.interruptions = 0
        self.sender = 0
        self.spoil: Callable[[bytes], bytes] = lambda data: data
        self._answers: deque[bytes] = deque()
        self._dump: Iterator[bytes] | None = None
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)

    # -- what a client calls

    def send(self, data: bytes, /) -> int:
        if self.closed:
            raise OSError(errno.EBADF, "closed")
        requests = []
        rest = data
        while rest:
            (length,) = struct.unpack_from("=I", rest)
            requests.append(rest[:length])
            rest = rest[(length + 3) // 4 * 4 :]
        self.sends.append(requests)
        for request in requests:
            self._answer(request)
        return len(data)

    def recvmsg(self, size: int, /) -> tuple[bytes, list[tuple[int, int, bytes]], int, tuple[int, int]]:
        return self.recv(size), [], 0, (self.sender, 0)

    def recv(self, size: int, /) -> bytes:
        if self.overrun_after == 0:
            self.overrun_after = None
            self._answers.clear()
            raise OSError(errno.ENOBUFS, "overrun")
        if self.silent or not (self._answers or self._dump):
            raise BlockingIOError
        if self.overrun_after is not None:
            self.overrun_after -= 1
        if self._answers:
            return self.spoil(self._answers.popleft())
        assert self._dump is not None
        part = next(self._dump)
        if part[4:6] == b"\x03\x00":
            self._dump = None
        return self.spoil(part)

    def fileno(self) -> int:
        return self._near.fileno()

    def close(self) -> None:
        self.closed = True
        self._near.close()
        self._far.close()

    # -- what a test calls

    def wake(self) -> None:
        """End a silence: what was answered meanwhile can be received."""
        self.silent = False
        self._far.send(b"!")

    # -- the kernel

    def _answer(self, request: bytes) -> None:
        _, kind, flags, sequence, _ = struct.unpack_from("=IHHII", request)
        command, version, _ = struct.unpack_from("=BBH", request, 16)
        assert (kind, version) == (FAMILY, 1)
        values = read(uapi.CommandAttribute, request[20:])
        if flags & 0x300:
            if self._dump is not None:
                self._answers.append(acknowledgement(sequence, errno.EBUSY))
            else:
                self._dump = self._dumped(Command(command), values, sequence)
            return
        if command in (Command.GET_SERVICE, Command.GET_CONFIG, Command.GET_INFO):
            error = self._query(Command(command), values, sequence)
        else:
            error = self.ipvs.perform(operation_of(Command(command), values))
        self._answers.append(acknowledgement(sequence, error))

    def _query(self, command: Command, values: Values, sequence: int) -> int:
        match command:
            case Command.GET_SERVICE:
                service = self.ipvs.services.get(key_of(values["SERVICE"]))
                if service is None:
                    return errno.ESRCH
                reply, payload = Command.NEW_SERVICE, write(uapi.CommandAttribute, {"SERVICE": service_values(service)})
            case Command.GET_CONFIG:
                times = self.ipvs.timeouts
                numbers = {"TIMEOUT_TCP": times["tcp"], "TIMEOUT_TCP_FIN": times["tcpfin"], "TIMEOUT_UDP": times["udp"]}
                reply, payload = Command.SET_CONFIG, write(uapi.CommandAttribute, numbers)
            case _:
                reply, payload = Command.SET_INFO, write(uapi.InfoAttribute, {"VERSION": 0x010201, "CONN_TAB_SIZE": 4096})
        self._answers.append(datagram(FAMILY, 0, sequence, struct.pack("=BBH", reply, 1, 0) + payload))
        return 0

    def _dumped(self, command: Command, values: Values, sequence: int) -> Iterator[bytes]:
        """Yield a dump, two messages at a time, and its end."""
        rows: list[Values]
        if command is Command.GET_SERVICE:
            reply, rows = Command.NEW_SERVICE, [{"SERVICE": service_values(it)} for it in self.ipvs.services.values()]
        elif command is Command.GET_DEST:
            present = self.ipvs.destinations.get(key_of(values["SERVICE"]), {})
            # The kernel adds at the head of its list.
            reply, rows = Command.NEW_DEST, [{"DEST": destination_values(it)} for it in reversed(list(present.values()))]
        else:
            reply, rows = Command.NEW_DAEMON, [{"DAEMON": daemon_values(it)} for it in self.ipvs.daemons.values()]
        flags = 0x2
        if self.interruptions:
            self.interruptions -= 1
            flags |= 0x10
        head = struct.pack("=BBH", reply, 1, 0)
        parts = [datagram(FAMILY, flags, sequence, head + write(uapi.CommandAttribute, row)) for row in rows]
        for start in range(0, len(parts), 2):
            yield b"".join(parts[start : start + 2])
        yield datagram(3, flags, sequence, struct.pack("=i", 0))


def key_of(values: Values) -> ServiceKey:
    family = Family(values["AF"])
    if "FWMARK" in values:
        return FwmarkTarget(values["FWMARK"], family)
    return AddressTarget(Address(values["ADDR"]), values["PORT"], Protocol(values["PROTOCOL"]))


def service_of(values: Values) -> Service:
    key, (flags, mask) = key_of(values), values["FLAGS"]
    assert mask == 0xFFFFFFFF
    netmask = values["NETMASK"]
    if key.family is Family.INET:
        netmask = struct.pack("=I", netmask)
        netmask = bin(int.from_bytes(netmask, "big")).count("1")
    timeout = Seconds(values["TIMEOUT"])
    return Service(key, values["SCHED_NAME"], netmask, ServiceFlags(flags), timeout, values.get("PE_NAME"))


def destination_of(values: Values) -> Destination:
    forwarding = Forwarding(
        ForwardingMethod(values["FWD_METHOD"]),
        TunnelType(values.get("TUN_TYPE", 0)),
        values.get("TUN_PORT", 0),
        TunnelChecksum(values.get("TUN_FLAGS", 0)),
    )
    key = ServerKey(Address(values["ADDR"]), values["PORT"])
    assert key.address.family == values["ADDR_FAMILY"]
    return Destination(key, forwarding, values["WEIGHT"], values["U_THRESH"], values["L_THRESH"])


def daemon_of(values: Values) -> SyncDaemon:
    group = values.get("MCAST_GROUP") or values.get("MCAST_GROUP6")
    return SyncDaemon(
        values["STATE"] == 1,
        values["MCAST_IFN"],
        values["SYNC_ID"],
        values.get("SYNC_MAXLEN", 1472),
        Address(group) if group else Address.parse("224.0.0.81"),
        values.get("MCAST_PORT", 8848),
        values.get("MCAST_TTL", 1),
    )


def operation_of(command: Command, values: Values) -> Operation:
    service, destination = values.get("SERVICE"), values.get("DEST")
    match command:
        case Command.NEW_SERVICE:
            return NewService(service_of(values["SERVICE"]))
        case Command.SET_SERVICE:
            return SetService(service_of(values["SERVICE"]))
        case Command.DEL_SERVICE:
            return DelService(key_of(values["SERVICE"]))
        case Command.ZERO:
            return Zero(key_of(service) if service else None)
        case Command.FLUSH:
            return Flush()
        case Command.SET_CONFIG:
            times = (Seconds(values.get(f"TIMEOUT_{name}", 0)) for name in ("TCP", "TCP_FIN", "UDP"))
            return SetTimeouts(LvsTimeouts(*times))
        case Command.NEW_DAEMON:
            return NewDaemon(daemon_of(values["DAEMON"]))
        case Command.DEL_DAEMON:
            return DelDaemon(values["DAEMON"]["STATE"] == 1)
    assert service and destination
    key = key_of(service)
    if command is Command.DEL_DEST:
        return DelDestination(key, ServerKey(Address(destination["ADDR"]), destination["PORT"]))
    return (NewDestination if command is Command.NEW_DEST else SetDestination)(key, destination_of(destination))


def service_values(service: Service) -> Values:
    key = service.key
    netmask = struct.pack("=I", service.netmask)
    if key.family is Family.INET:
        assert service.netmask is not None
        netmask = ((2**service.netmask - 1) << (32 - service.netmask)).to_bytes(4, "big")
    named: Values = {"FWMARK": key.mark} if isinstance(key, FwmarkTarget) else address_values(key)
    pe_name = {"PE_NAME": service.pe_name} if service.pe_name else {}
    return {
        "AF": key.family,
        **named,
        "SCHED_NAME": service.scheduler,
        **pe_name,
        "FLAGS": (service.flags | ServiceFlags.HASHED, 0xFFFFFFFF),
        "TIMEOUT": service.timeout,
        "NETMASK": netmask,
        "STATS64": {"CONNS": 1, "INBYTES": 2**40},
    }


def address_values(key: AddressTarget) -> Values:
    return {"PROTOCOL": key.protocol, "ADDR": key.address.packed.ljust(16, b"\0"), "PORT": key.port}


def destination_values(destination: Destination) -> Values:
    forwarding = destination.forwarding
    assert forwarding is not None
    return {
        "ADDR": destination.key.address.packed.ljust(16, b"\0"),
        "PORT": destination.key.port,
        "FWD_METHOD": forwarding.method,
        "WEIGHT": destination.weight,
        "TUN_TYPE": forwarding.tunnel,
        "TUN_PORT": forwarding.tunnel_port,
        "TUN_FLAGS": forwarding.tunnel_checksum,
        "U_THRESH": destination.uthreshold,
        "L_THRESH": destination.lthreshold,
        "ACTIVE_CONNS": 5,
        "INACT_CONNS": 6,
        "PERSIST_CONNS": 7,
        "ADDR_FAMILY": destination.family,
        "STATS64": {"CONNS": 3, "OUTBPS": 9},
    }


def daemon_values(daemon: SyncDaemon) -> Values:
    assert daemon.group is not None
    group = "MCAST_GROUP" if daemon.group.family is Family.INET else "MCAST_GROUP6"
    return {
        "STATE": 1 if daemon.master else 2,
        "MCAST_IFN": daemon.interface,
        "SYNC_ID": daemon.sync_id,
        "SYNC_MAXLEN": daemon.maxlen,
        "MCAST_PORT": daemon.port,
        "MCAST_TTL": daemon.ttl,
        group: daemon.group.packed,
    }
