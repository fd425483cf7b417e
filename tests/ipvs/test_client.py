"""The client against a kernel made of bytes, and, for what needs no ip_vs, against the real one."""

import asyncio
import ctypes
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings

from keepalived_py.addresses import Address, Family
from keepalived_py.config.globals import LvsTimeouts
from keepalived_py.config.lvs import AddressTarget, FwmarkTarget, Protocol, ServerKey
from keepalived_py.errors import KernelError
from keepalived_py.ipvs import client as client_module
from keepalived_py.ipvs.client import BATCH, IpvsClient, Sink, Trace, open_client, perform
from keepalived_py.ipvs.features import KernelFeatures
from keepalived_py.ipvs.operations import (
    DelDestination,
    DelService,
    Flush,
    NewDaemon,
    NewDestination,
    NewService,
    Operation,
    SetDestination,
    SetTimeouts,
    Zero,
)
from keepalived_py.ipvs.plan import plan
from keepalived_py.ipvs.table import (
    Destination,
    DestinationStats,
    Info,
    Service,
    ServiceStats,
    Statistics,
    SyncDaemon,
    Table,
    entry,
    table,
)
from keepalived_py.units import Seconds
from tests.helpers.ipvs import RecordingSink
from tests.ipvs import strategies
from tests.ipvs.fake_kernel import FAMILY, FakeKernel, datagram

T = TypeVar("T")
NAMESPACE_OF_SOCKET = 0x894C  # SIOCGSKNS of linux/sockios.h
WEB = AddressTarget(Address.parse("192.0.2.1"), 80, Protocol.TCP)
MARK = FwmarkTarget(7, Family.INET6)


def real(number: int, weight: int = 1) -> Destination:
    return Destination(ServerKey(Address.parse(f"198.51.100.{number}"), 80), weight=weight)


def client_of(kernel: FakeKernel, trace: Trace | None = None) -> IpvsClient:
    return IpvsClient(kernel, FAMILY, KernelFeatures(), trace)


def run(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(main, 20))


def errnos(results: list[KernelError | None]) -> list[int]:
    return [0 if result is None else result.errno for result in results]


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0)


# --- the ordinary course ---------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(strategies.tables)
def test_what_was_applied_is_what_is_dumped(desired: Table) -> None:
    async def main() -> Table:
        client = client_of(FakeKernel())
        assert errnos(await client.apply(plan({}, desired))) == [0] * len(plan({}, desired))
        return await client.dump()

    dumped = run(main())
    assert dumped == desired
    assert all(list(dumped[key].destinations) == list(desired[key].destinations) for key in desired)


def test_each_refusal_stands_where_its_operation_stood_and_stops_no_other() -> None:
    operations: list[Operation] = [
        NewService(Service(WEB, "wlc", 32)),
        NewService(Service(WEB, "wlc", 32)),
        NewDestination(WEB, real(1)),
        SetDestination(WEB, real(2)),
        DelDestination(MARK, real(1).key),
        NewService(Service(MARK, "nosuch", 128)),
        NewDestination(WEB, real(2)),
    ]

    async def main() -> list[KernelError | None]:
        return await client_of(FakeKernel()).apply(operations)

    results = run(main())
    assert errnos(results) == [0, errno.EEXIST, 0, errno.ENOENT, errno.ESRCH, errno.ENOENT, 0]
    assert str(results[4]) == "DEL_DEST FWM 7 -> [198.51.100.1]:80 (its virtual service is gone): No such process (ESRCH)"
    assert "no such scheduler" in str(results[5])


def test_many_operations_go_out_in_batches_and_in_order() -> None:
    kernel, seen = FakeKernel(), list[Operation]()
    operations: list[Operation] = [NewService(Service(WEB, "rr", 32))]
    operations += [NewDestination(WEB, real(1 + number % 250)) for number in range(2 * BATCH + 9)]

    async def main() -> list[KernelError | None]:
        return await client_of(kernel, seen.append).apply(operations)

    results = run(main())
    assert [len(requests) for requests in kernel.sends] == [BATCH, BATCH, 10]
    assert seen == operations
    assert errnos(results) == [0] * 251 + [errno.EEXIST] * (2 * BATCH + 10 - 251)


def test_other_tasks_run_between_batches() -> None:
    kernel = FakeKernel()
    turns: list[int] = []

    async def bystander() -> None:
        while True:
            turns.append(len(kernel.sends))
            await asyncio.sleep(0)

    async def main() -> None:
        task = asyncio.create_task(bystander())
        await client_of(kernel).apply([Zero()] * (3 * BATCH))
        task.cancel()

    run(main())
    assert {1, 2} <= set(turns)


def test_queries() -> None:
    daemon = SyncDaemon(True, "eth0", 51, 1400, Address.parse("ff05::1"), 8849, 3)
    content = table([entry(Service(WEB, "wlc", 32), [real(1)]), entry(Service(MARK, "sh", 64))])

    async def main() -> None:
        client = client_of(FakeKernel())
        await client.apply(plan({}, content))
        assert errnos(await client.apply([SetTimeouts(LvsTimeouts(Seconds(1), Seconds(0), Seconds(3))), NewDaemon(daemon)])) == [
            0,
            0,
        ]
        assert await client.timeouts() == LvsTimeouts(Seconds(1), Seconds(120), Seconds(3))
        assert await client.info() == Info((1, 2, 1), 4096)
        assert await client.daemons() == [daemon]
        of_service = Statistics(connections=1, bytes_in=2**40)
        of_destination = DestinationStats(Statistics(connections=3, bytes_out_rate=9), 5, 6, 7)
        assert await client.service_stats(WEB) == ServiceStats(of_service, {real(1).key: of_destination})
        assert await client.statistics() == {WEB: of_service, MARK: of_service}
        await perform(client, DelService(WEB))
        with pytest.raises(KernelError, match=r"GET_SERVICE.*ESRCH"):
            await client.service_stats(WEB)
        with pytest.raises(KernelError, match=r"DEL_SERVICE.*ESRCH"):
            await perform(client, DelService(WEB))
        await perform(client, Flush())
        assert await client.dump() == {}

    run(main())


def test_several_tasks_take_turns() -> None:
    async def main() -> None:
        client = client_of(FakeKernel())
        await client.apply(plan({}, table([entry(Service(WEB, "wlc", 32), [real(number) for number in range(1, 100)])])))
        changes = [client.apply([SetDestination(WEB, real(number, weight=number))]) for number in range(1, 100)]
        dumps = asyncio.gather(client.dump(), client.dump())
        assert await asyncio.gather(*changes) == [[None]] * 99
        await dumps
        first = await client.dump()
        assert [it.weight for it in first[WEB].destinations.values()] == list(range(1, 100))

    run(main())


def test_a_recording_is_a_sink_like_the_client() -> None:
    sinks: list[Sink] = [RecordingSink(), client_of(FakeKernel())]

    async def main() -> list[object]:
        seen: list[object] = []
        for sink in sinks:
            refused = await sink.apply([NewService(Service(WEB, "wlc", 32)), NewDestination(WEB, real(1)), DelService(MARK)])
            seen.append((errnos(refused), await sink.dump(), await sink.timeouts(), await sink.info(), await sink.daemons()))
            sink.close()
        return seen

    recorded, programmed = run(main())
    assert recorded == programmed


# --- trouble ---------------------------------------------------------------------------------------------------------------------


def test_answers_that_come_later_are_waited_for() -> None:
    async def main() -> None:
        kernel = FakeKernel()
        kernel.silent = True
        task = asyncio.create_task(client_of(kernel).apply([NewService(Service(WEB, "wlc", 32))]))
        await until(lambda: kernel.sends)
        await asyncio.sleep(0)
        assert not task.done()
        kernel.wake()
        assert await task == [None]

    run(main())


def test_a_silent_kernel_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "ANSWER_TIMEOUT", 0.01)
    kernel = FakeKernel()
    kernel.silent = True

    async def main() -> None:
        client = client_of(kernel)
        assert errnos(await client.apply([Flush(), Zero()])) == [errno.ETIMEDOUT] * 2
        with pytest.raises(KernelError, match=r"GET_INFO IPVS: .*ETIMEDOUT"):
            await client.info()

    run(main())


def test_late_answers_do_not_answer_later_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "ANSWER_TIMEOUT", 0.01)
    kernel = FakeKernel()

    async def main() -> None:
        client = client_of(kernel)
        kernel.silent = True
        await client.apply([DelService(WEB)])  # its ESRCH is left lying in the socket
        kernel.silent = False
        assert errnos(await client.apply([NewService(Service(WEB, "wlc", 32))])) == [0]
        assert list(await client.dump()) == [WEB]

    run(main())


def test_lost_acknowledgements_are_known_to_be_unknown() -> None:
    kernel = FakeKernel()
    kernel.overrun_after = 2

    async def main() -> list[KernelError | None]:
        return await client_of(kernel).apply([Zero(), Zero(WEB), Zero(), Zero()])

    assert errnos(run(main())) == [0, errno.ESRCH, errno.ENOBUFS, errno.ENOBUFS]


@pytest.mark.parametrize(("interruptions", "dumps"), [(0, 1), (1, 2), (2, 3), (9, 3)])
def test_a_dump_that_the_table_changed_under_is_begun_again_but_not_for_ever(interruptions: int, dumps: int) -> None:
    kernel = FakeKernel()
    kernel.ipvs.perform(NewService(Service(WEB, "wlc", 32)))
    kernel.interruptions = interruptions

    async def main() -> int:
        assert list(await client_of(kernel).statistics()) == [WEB]
        return len(kernel.sends)

    assert run(main()) == dumps


def test_a_dump_in_which_something_was_lost_is_begun_again() -> None:
    kernel = FakeKernel()
    for number in range(8):
        kernel.ipvs.perform(NewService(Service(FwmarkTarget(1 + number, Family.INET), "wlc", 32)))
    kernel.overrun_after = 2

    async def main() -> Table:
        return await client_of(kernel).dump()

    assert len(run(main())) == 8


def test_damage_is_reported_as_such() -> None:
    kernel = FakeKernel()
    kernel.spoil = lambda data: data[:-3]

    async def main() -> None:
        client = client_of(kernel)
        assert errnos(await client.apply([Flush(), Flush()])) == [errno.EBADMSG] * 2
        with pytest.raises(KernelError, match="EBADMSG"):
            await client.info()

    run(main())


def test_entries_without_sense_are_left_out_and_counted() -> None:
    kernel = FakeKernel()
    kernel.ipvs.perform(NewService(Service(WEB, "wlc", 32)))
    kernel.ipvs.perform(NewService(Service(MARK, "wlc", 64)))
    # The protocol number of WEB becomes one that no service of ours can have.
    kernel.spoil = lambda data: data.replace(struct.pack("=HHH", 6, 2, 6), struct.pack("=HHH", 6, 2, 51))

    async def main() -> tuple[list[object], int]:
        client = client_of(kernel)
        return list(await client.dump()), client.undecodable

    assert run(main()) == ([MARK], 1)


def test_only_the_kernel_is_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "ANSWER_TIMEOUT", 0.01)
    kernel = FakeKernel()
    kernel.sender = 4242

    async def main() -> list[KernelError | None]:
        return await client_of(kernel).apply([Flush()])

    assert errnos(run(main())) == [errno.ETIMEDOUT]


def test_a_closed_client_says_so() -> None:
    kernel = FakeKernel()

    async def main() -> None:
        client = client_of(kernel)
        client.close()
        client.close()
        assert errnos(await client.apply([Flush()])) == [errno.EBADF]
        with pytest.raises(KernelError, match="EBADF"):
            await client.dump()

    run(main())
    assert kernel.closed


def test_closing_ends_the_wait_for_an_answer() -> None:
    async def main() -> None:
        kernel = FakeKernel()
        kernel.silent = True
        client = client_of(kernel)
        task = asyncio.create_task(client.apply([Flush()]))
        await until(lambda: client._waiter is not None)
        client.close()
        with pytest.raises(KernelError, match="EBADF"):
            await task

    run(main())


def test_cancelling_a_dump_leaves_the_socket_fit_for_the_next() -> None:
    async def main() -> None:
        kernel = FakeKernel()
        client = client_of(kernel)
        for number in range(200):
            kernel.ipvs.perform(NewService(Service(FwmarkTarget(1 + number, Family.INET), "wlc", 32)))
        task = asyncio.create_task(client.dump())
        await until(lambda: kernel.sends)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(await client.dump()) == 200

    run(main())


def test_cancelling_apply_leaves_out_what_was_not_sent() -> None:
    async def main() -> None:
        kernel, seen = FakeKernel(), list[Operation]()
        client = client_of(kernel, seen.append)
        task = asyncio.create_task(client.apply([Zero()] * (5 * BATCH)))
        await until(lambda: len(kernel.sends) == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(seen) == 2 * BATCH
        assert errnos(await client.apply([Flush()])) == [0]

    run(main())


def test_sequence_numbers_begin_again_before_they_overflow() -> None:
    async def main() -> None:
        client = client_of(FakeKernel())
        client._sequence = client_module._SEQUENCE_MAX - 3
        for _ in range(4):
            assert errnos(await client.apply([Zero(), Zero(WEB)])) == [0, errno.ESRCH]

    run(main())


def test_messages_of_other_kinds_are_no_answer() -> None:
    kernel = FakeKernel()
    kernel.spoil = lambda data: datagram(1, 0, struct.unpack_from("=I", data, 8)[0], b"") + data

    async def main() -> Info:
        return await client_of(kernel).info()

    assert run(main()).version == (1, 2, 1)


# --- the real kernel -------------------------------------------------------------------------------------------------------------


def test_the_controller_of_this_kernel_knows_itself_and_not_what_does_not_exist() -> None:
    with client_module._open_link(None, 65536) as link:
        assert client_module._look_up(link, "nlctrl", 1) == 16
        assert client_module._look_up(link, "no-such-family", 2) is None


def test_without_ip_vs_the_remedy_is_named() -> None:
    with client_module._open_link(None, 65536) as link:
        if client_module._look_up(link, "IPVS", 1) is not None:
            pytest.skip("this kernel has ip_vs")
    with pytest.raises(KernelError, match="modprobe ip_vs") as caught:
        open_client()
    assert (caught.value.operation, caught.value.errno) == ("GET_FAMILY", errno.ENOENT)


def test_a_namespace_that_cannot_be_entered() -> None:
    def enter() -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "/run/netns/nowhere")

    with pytest.raises(KernelError, match=r"SOCKET /run/netns/nowhere: .*ENOENT"):
        open_client(enter)


@pytest.mark.net
def test_the_socket_lies_in_the_namespace_that_was_entered_and_the_process_stays_where_it_is() -> None:
    def unshare() -> None:
        if ctypes.CDLL(None, use_errno=True).unshare(0x4000_0000):
            raise OSError(ctypes.get_errno(), "unshare")

    with client_module._open_link(unshare, 65536) as link, socket.socket() as here:
        assert _namespace_of(here) == Path("/proc/self/ns/net").stat().st_ino
        assert _namespace_of(link) != _namespace_of(here)


def _namespace_of(one: socket.socket) -> int:
    descriptor = fcntl.ioctl(one.fileno(), NAMESPACE_OF_SOCKET)
    try:
        return os.fstat(descriptor).st_ino
    finally:
        os.close(descriptor)
