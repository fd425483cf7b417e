"""The netlink socket: performs operations, dumps the table, asks for counters.  The only module of `ipvs` that does I/O.

The kernel handles a netlink request inside the very ``send``, so the answers are there when it returns; waiting for the socket to
become readable is the exception.  What asyncio is needed for is to let the rest of the process breathe between batches.  One
exchange is under way at a time.  Decisions about what to ask for are not made here.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import Final, Protocol, TypeVar

from keepalived_py.config.globals import LvsTimeouts
from keepalived_py.errors import KernelError
from keepalived_py.ipvs import decoder
from keepalived_py.ipvs.attributes import FAMILY, FAMILY_FULLNAT, Command
from keepalived_py.ipvs.features import KernelFeatures
from keepalived_py.ipvs.fullnat import FullnatPacker, decode_est_timeout, decode_info, decode_local_address
from keepalived_py.ipvs.fullnat_attributes import ABI, Feature, FullnatCommand
from keepalived_py.ipvs.operations import Operation, meaning
from keepalived_py.ipvs.packer import Packer
from keepalived_py.ipvs.table import (
    FullnatSettings,
    Info,
    Service,
    ServiceEntry,
    ServiceKey,
    ServiceStats,
    Statistics,
    SyncDaemon,
    Table,
    entry,
)
from keepalived_py.netlink.exchange import Acknowledgements, Answer
from keepalived_py.netlink.framing import DecodeError, Message, family_id, family_request

BATCH: Final = 128
"""Requests per send.  Their acknowledgements, about a kilobyte of buffer each, fit into a receive buffer of the default size."""

RECEIVE_BUFFER: Final = 4 * 1024 * 1024
"""Receive buffer that is asked for, in bytes."""

ANSWER_TIMEOUT: Final = 10.0
"""Seconds that an answer may take before the kernel counts as silent (ETIMEDOUT)."""

_DATAGRAM_MAX: Final = 65_536  # a dump fills at most 32 KiB at a time (netlink_dump of af_netlink.c)
_DUMP_ATTEMPTS: Final = 3
_BREATHE_AFTER: Final = 32  # datagrams, or services, after which a dump lets other tasks run
_SEQUENCE_MAX: Final = 0x7FFF_FFFF
_NETLINK_GENERIC: Final = 16
_SOL_NETLINK: Final = 270
_NETLINK_CAP_ACK: Final = 10
_SO_RCVBUFFORCE: Final = 33

_T = TypeVar("_T")

AnyCommand = Command | FullnatCommand
"""A command of the kernel's own family or of our module's."""

Trace = Callable[[Operation], None]
"""Called with each operation as it is sent."""


class Link(Protocol):
    """The part of a non-blocking netlink socket that a client uses."""

    def send(self, data: bytes, /) -> int:
        """Hand a datagram to the kernel."""

    def recv(self, size: int, /) -> bytes:
        """Take a datagram; `BlockingIOError` if there is none."""

    def recvmsg(self, size: int, /) -> tuple[bytes, list[tuple[int, int, bytes]], int, tuple[int, int]]:
        """Take a datagram with its flags and its sender's (port id, groups)."""

    def fileno(self) -> int:
        """Return the descriptor, to be waited for."""

    def close(self) -> None:
        """Close the descriptor."""


class Sink(Protocol):
    """What the daemon programs: the kernel (`IpvsClient`), or in tests a recording."""

    @property
    def features(self) -> KernelFeatures:
        """What this kernel can do."""

    async def apply(self, operations: Sequence[Operation]) -> list[KernelError | None]:
        """Perform operations in order and return what became of each; one that fails does not stop the others."""

    async def dump(self) -> Table:
        """Read the whole table."""

    async def service_stats(self, key: ServiceKey) -> ServiceStats:
        """Read the counters of one service and its destinations; `KernelError` ESRCH if there is none."""

    async def statistics(self) -> dict[ServiceKey, Statistics]:
        """Read the counters of all services, without their destinations."""

    async def timeouts(self) -> LvsTimeouts:
        """Read the connection timeouts."""

    async def info(self) -> Info:
        """Read version and table size of ip_vs."""

    async def daemons(self) -> list[SyncDaemon]:
        """List the sync threads that run."""

    def close(self) -> None:
        """Give the socket back; the kernel's table stays as it is."""


async def perform(sink: Sink, operation: Operation) -> None:
    """Perform one operation; raise the `KernelError` if it fails."""
    for error in await sink.apply([operation]):
        if error is not None:
            raise error


class IpvsClient:
    """A `Sink` that is the kernel.  Made by `open_client`; methods may be awaited from several tasks and take turns.

    Queries raise `KernelError`, `apply` returns it: beside the kernel's own refusals ETIMEDOUT if the kernel is silent, EBADF after
    `close`, EBADMSG if an answer is damaged, ENOBUFS if answers were lost.  After the last three from `apply` what the kernel did
    is unknown: dump and plan again.  Cancelling `apply` leaves out the batches that have not been sent; what has been sent has been
    done.
    """

    def __init__(
        self, link: Link, family: int, features: KernelFeatures, trace: Trace | None = None, fullnat: int | None = None
    ) -> None:
        """Take over a non-blocking, bound generic netlink socket and the numbers of the families IPVS and, if any, IPVS_FNAT."""
        self.features = features
        self.undecodable = 0
        """Entries that the last dump could not make sense of, and left out."""
        self._link = link
        self._packer = Packer(family, fullnat)
        self._fullnat = None if fullnat is None else FullnatPacker(fullnat)
        self._trace = trace
        self._lock = asyncio.Lock()
        self._sequence = 1
        self._waiter: asyncio.Future[None] | None = None

    async def apply(self, operations: Sequence[Operation]) -> list[KernelError | None]:
        """Perform operations in order and return what became of each; one that fails does not stop the others."""
        results: list[KernelError | None] = []
        async with self._lock:
            rest = iter(operations)
            while batch := list(islice(rest, BATCH)):
                results += await self._perform(batch)
                if len(batch) == BATCH:
                    await asyncio.sleep(0)
        return results

    async def dump(self) -> Table:
        """Read the whole table: services in the kernel's order, destinations in the order in which they were added.

        Entries that make no sense are left out and counted in `undecodable`.
        """
        async with self._lock:
            self.undecodable = 0
            services = self._decoded(decoder.decode_service, await self._ask(Command.GET_SERVICE, self._packer.services_dump))
            table: dict[ServiceKey, ServiceEntry] = {}
            for number, service in enumerate(services):
                table[service.key] = await self._entry(service)
                if number % _BREATHE_AFTER == 0:
                    await asyncio.sleep(0)
            return table

    async def service_stats(self, key: ServiceKey) -> ServiceStats:
        """Read the counters of one service and its destinations; ESRCH if there is none."""
        async with self._lock:
            answer = await self._ask(Command.GET_SERVICE, lambda sequence: self._packer.service_query(key, sequence), str(key))
            _, statistics = self._only(decoder.decode_service_statistics, Command.GET_SERVICE, answer)
            found = await self._destinations(key)
            family = key.family
            return ServiceStats(
                statistics, dict(reversed(self._decoded(lambda it: decoder.decode_destination_stats(it, family), found)))
            )

    async def statistics(self) -> dict[ServiceKey, Statistics]:
        """Read the counters of all services, without their destinations, in one dump."""
        async with self._lock:
            answer = await self._ask(Command.GET_SERVICE, self._packer.services_dump)
            return dict(self._decoded(decoder.decode_service_statistics, answer))

    async def timeouts(self) -> LvsTimeouts:
        """Read the connection timeouts."""
        async with self._lock:
            answer = await self._ask(Command.GET_CONFIG, self._packer.timeouts_query)
            return self._only(decoder.decode_timeouts, Command.GET_CONFIG, answer)

    async def info(self) -> Info:
        """Read version and table size of ip_vs."""
        async with self._lock:
            answer = await self._ask(Command.GET_INFO, self._packer.info_query)
            return self._only(decoder.decode_info, Command.GET_INFO, answer)

    async def daemons(self) -> list[SyncDaemon]:
        """List the sync threads that run, the master first."""
        async with self._lock:
            answer = await self._ask(Command.GET_DAEMON, self._packer.daemons_dump)
            return self._decoded(decoder.decode_daemon, answer)

    def close(self) -> None:
        """Give the socket back; whoever waits for an answer gets EBADF.  May be called more than once."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.get_loop().remove_reader(self._link.fileno())
            if not waiter.done():
                waiter.set_exception(KernelError("CLOSE", errno.EBADF, FAMILY))
        self._link.close()

    async def _perform(self, batch: list[Operation]) -> list[KernelError | None]:
        """Send up to `BATCH` operations at once and match their acknowledgements."""
        first = self._take_sequence(len(batch))
        pending = Acknowledgements(first, len(batch))
        data = b"".join([self._packer.operation(operation, first + index) for index, operation in enumerate(batch)])
        if self._trace is not None:
            for operation in batch:
                self._trace(operation)
        trouble = self._send(data) or await self._collect(pending)
        return [_refusal(operation, error) for operation, error in zip(batch, pending.errors(trouble), strict=True)]

    async def _ask(self, command: AnyCommand, request: Callable[[int], bytes], subject: str = FAMILY) -> list[Message]:
        """Send a query or a dump and return the messages of its answer; a dump that was disturbed is begun again."""
        for _ in range(_DUMP_ATTEMPTS):
            sequence = self._take_sequence(1)
            answer = Answer(sequence)
            trouble = self._send(request(sequence)) or await self._collect(answer) or answer.error
            if trouble == 0 and not answer.interrupted:
                break
            if trouble not in (0, errno.ENOBUFS):
                raise KernelError(command.name, trouble, subject)
        else:
            # A table that never rests long enough is still better known from its last dump than not at all.
            if trouble:
                raise KernelError(command.name, trouble, subject)
        return answer.messages

    async def _entry(self, service: Service) -> ServiceEntry:
        """Read the destinations of a service, which the kernel lists newest first, and what FULLNAT needs, if there is any."""
        family = service.key.family
        found = self._decoded(lambda it: decoder.decode_destination(it, family), await self._destinations(service.key))
        made = entry(service, reversed(found))
        return made if self._fullnat is None else replace(made, fullnat=await self._settings(self._fullnat, service.key))

    async def _settings(self, packer: FullnatPacker, key: ServiceKey) -> FullnatSettings:
        """Read local addresses and timeout of a service; one that has gone since it was listed has none."""
        try:
            listed = await self._ask(FullnatCommand.GET_LADDR, lambda sequence: packer.local_addresses(key, sequence), str(key))
            answer = await self._ask(FullnatCommand.GET_SERVICE, lambda sequence: packer.service(key, sequence), str(key))
        except KernelError as error:
            if error.errno == errno.ESRCH:
                return FullnatSettings()
            raise
        addresses = tuple(each.address for each in self._decoded(decode_local_address, listed))
        return FullnatSettings(addresses, self._only(decode_est_timeout, FullnatCommand.GET_SERVICE, answer))

    async def _destinations(self, key: ServiceKey) -> list[Message]:
        return await self._ask(Command.GET_DEST, lambda sequence: self._packer.destinations_dump(key, sequence), str(key))

    def _decoded(self, decode: Callable[[Message], _T], found: Iterable[Message]) -> list[_T]:
        values: list[_T] = []
        for message in found:
            try:
                values.append(decode(message))
            except DecodeError:
                self.undecodable += 1
        return values

    def _only(self, decode: Callable[[Message], _T], command: AnyCommand, found: list[Message]) -> _T:
        """Decode the single message that answers a query."""
        values = self._decoded(decode, found)
        if not values:
            raise KernelError(command.name, errno.EBADMSG, FAMILY)
        return values[0]

    def _take_sequence(self, count: int) -> int:
        """Reserve sequence numbers; they start again long before they could overflow, when nothing is under way."""
        if self._sequence + count > _SEQUENCE_MAX:
            self._sequence = 1
        first = self._sequence
        self._sequence += count
        return first

    def _send(self, data: bytes) -> int:
        try:
            self._link.send(data)
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    async def _collect(self, pending: Acknowledgements | Answer) -> int:
        """Receive until `pending` is done and return 0, or the errno of what kept it from getting done."""
        try:
            return await self._receive_all(pending)
        except asyncio.CancelledError:
            # A dump goes on when it is received from, and blocks the next one until it is through.
            self._drain()
            raise

    async def _receive_all(self, pending: Acknowledgements | Answer) -> int:
        trouble = received = 0
        while not pending.done:
            try:
                pending.feed(self._receive())
            except BlockingIOError:
                if trouble or not await self._readable():
                    return trouble or errno.ETIMEDOUT
            except DecodeError:
                trouble = errno.EBADMSG
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    return error.errno or errno.EIO
                trouble = errno.ENOBUFS
            received += 1
            if received % _BREATHE_AFTER == 0 and isinstance(pending, Answer):
                await asyncio.sleep(0)
        return trouble if isinstance(pending, Answer) else 0

    def _receive(self) -> bytes:
        """Receive one datagram; what does not come from the kernel counts as nothing."""
        data, _, flags, sender = self._link.recvmsg(_DATAGRAM_MAX)
        if flags & socket.MSG_TRUNC:
            raise DecodeError("netlink datagram longer than the kernel makes them")
        return data if sender[0] == 0 else b""

    def _drain(self) -> None:
        """Receive what is there and throw it away."""
        try:
            while True:
                self._link.recv(_DATAGRAM_MAX)
        except OSError:
            pass

    async def _readable(self) -> bool:
        """Wait until the socket is readable; False if that takes longer than `ANSWER_TIMEOUT`."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiter = waiter
        loop.add_reader(self._link.fileno(), _resolve, waiter)
        try:
            await asyncio.wait_for(waiter, ANSWER_TIMEOUT)
        except TimeoutError:
            return False
        finally:
            if self._waiter is waiter:
                loop.remove_reader(self._link.fileno())
                self._waiter = None
        return True


def _resolve(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


def _refusal(operation: Operation, error: int) -> KernelError | None:
    if error == 0:
        return None
    about = meaning(operation, error)
    return KernelError(operation.command.name, error, f"{operation.subject} ({about})" if about else operation.subject)


def open_client(
    enter: Callable[[], None] | None = None, receive_buffer: int = RECEIVE_BUFFER, trace: Trace | None = None
) -> IpvsClient:
    """Open a client in this network namespace, or in the one that `enter` moves the thread into that calls it.

    Raises `KernelError` if the socket cannot be had, or if the family IPVS is missing: ip_vs is not loaded, and the kernel did not
    manage to load it by itself either.  Blocks for the few look-ups that this takes.
    """
    link = _open_link(enter, receive_buffer)
    try:
        family = _look_up(link, FAMILY, 1)
        if family is None:
            raise KernelError("GET_FAMILY", errno.ENOENT, f"{FAMILY} (kernel module ip_vs is not loaded; try: modprobe ip_vs)")
        fullnat = _look_up(link, FAMILY_FULLNAT, 2)
        features = KernelFeatures() if fullnat is None else _features(link, FullnatPacker(fullnat))
    except BaseException:
        link.close()
        raise
    link.setblocking(False)
    return IpvsClient(link, family, features, trace, fullnat)


def _open_link(enter: Callable[[], None] | None, receive_buffer: int) -> socket.socket:
    """Open and bind the socket, with as much receive buffer as this process may have."""
    try:
        link = _opened_after(enter) if enter else _generic_socket()
    except OSError as error:
        raise KernelError("SOCKET", error.errno or errno.EIO, error.filename or "generic netlink") from None
    try:
        link.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, receive_buffer)
    except PermissionError:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    # Without this a refusal carries the whole refused request back to us.
    link.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
    link.settimeout(ANSWER_TIMEOUT)
    link.bind((0, 0))
    return link


def _generic_socket() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_GENERIC)


def _opened_after(enter: Callable[[], None]) -> socket.socket:
    """Open the socket in a thread of its own: a network namespace is a thread's, and this one takes it along when it ends."""

    def enter_and_open() -> socket.socket:
        enter()
        return _generic_socket()

    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(enter_and_open).result()


def _look_up(link: socket.socket, name: str, sequence: int) -> int | None:
    """Ask the controller for the number of a family; None if there is none.  Asking makes the kernel try to load its module."""
    answer = _blocking_answer(link, "GET_FAMILY", name, sequence, family_request(name, sequence))
    if answer.error == errno.ENOENT:
        return None
    if answer.error:
        raise KernelError("GET_FAMILY", answer.error, name)
    try:
        return family_id(answer.messages[0]) if answer.messages else None
    except DecodeError:
        raise KernelError("GET_FAMILY", errno.EBADMSG, name) from None


def _features(link: socket.socket, packer: FullnatPacker) -> KernelFeatures:
    """Ask our module what it can do; one that speaks another language than this program counts as a stock kernel."""
    answer = _blocking_answer(link, "GET_INFO", FAMILY_FULLNAT, 3, packer.info(3))
    try:
        info = decode_info(answer.messages[0]) if answer.messages else None
    except DecodeError:
        info = None
    if info is None or info.abi != ABI:
        return KernelFeatures()
    return KernelFeatures(fullnat=True, syn_proxy=Feature.SYNPROXY in info.features)


def _blocking_answer(link: socket.socket, operation: str, subject: str, sequence: int, request: bytes) -> Answer:
    answer = Answer(sequence)
    try:
        link.send(request)
        while not answer.done:
            answer.feed(link.recv(_DATAGRAM_MAX))
    except DecodeError:
        raise KernelError(operation, errno.EBADMSG, subject) from None
    except OSError as error:
        raise KernelError(operation, error.errno or errno.ETIMEDOUT, subject) from None
    return answer
