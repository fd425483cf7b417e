"""The client against a real, stock ip_vs: what it programs is what ipvsadm shows, and the other way round.

ipvsadm 1.31 is the second opinion on every kind of service and destination; `lines` spells a table as ``ipvsadm -Sn`` does.
"""

import asyncio
import errno
import socket
import subprocess
import time
from collections.abc import Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings

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
from keepalived_py.errors import KernelError
from keepalived_py.ipvs import client as client_module
from keepalived_py.ipvs.client import IpvsClient, open_client
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
from keepalived_py.ipvs.plan import plan, teardown
from keepalived_py.ipvs.table import Destination, Service, ServiceEntry, ServiceKey, ServiceStats, SyncDaemon, Table, entry, table
from keepalived_py.system.namespaces import enter_network
from keepalived_py.units import Seconds
from tests.ipvs import strategies

T = TypeVar("T")

SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "fo", "ovf", "twos")  # Debian has no twos
FLAG_NAMES = {
    "sh": {ServiceFlags.SCHED1: "sh-fallback", ServiceFlags.SCHED2: "sh-port"},
    "mh": {ServiceFlags.SCHED1: "mh-fallback", ServiceFlags.SCHED2: "mh-port"},
}
METHODS = {ForwardingMethod.MASQ: "-m", ForwardingMethod.DROUTE: "-g", ForwardingMethod.TUNNEL: "-i"}
WEB = AddressTarget(Address.parse("192.0.2.1"), 80, Protocol.TCP)
TUN = ForwardingMethod.TUNNEL


def run(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(main)


def ipvsadm(*arguments: str, text: str | None = None) -> str:
    return subprocess.run(["ipvsadm", *arguments], input=text, check=True, capture_output=True, text=True).stdout


def key(address: str, port: int = 80) -> ServerKey:
    return ServerKey(Address.parse(address), port)


def errnos(results: list[KernelError | None]) -> list[int]:
    return [0 if result is None else result.errno for result in results]


@pytest.fixture
def client() -> Iterator[IpvsClient]:
    """A client on an empty table."""
    ipvsadm("-C")
    opened = open_client()
    yield opened
    opened.close()
    ipvsadm("-C")


# --- a table as ipvsadm spells it ------------------------------------------------------------------------------------------------


def lines(content: Table) -> list[str]:
    """Return the lines of ``ipvsadm -Sn``, sorted; thresholds are not in them."""
    found = []
    for made in content.values():
        found.append(" ".join(("-A", *named(made.key), *described(made.service))))
        found += [" ".join(("-a", *named(made.key), *destination_words(made.key, it))) for it in made.destinations.values()]
    return sorted(found)


def endpoint(address: Address, port: int) -> str:
    return f"[{address}]:{port}" if address.family is Family.INET6 else f"{address}:{port}"


def named(service: ServiceKey) -> list[str]:
    if isinstance(service, FwmarkTarget):
        return ["-f", str(service.mark), *(["-6"] if service.family is Family.INET6 else [])]
    option = {Protocol.TCP: "-t", Protocol.UDP: "-u", Protocol.SCTP: "--sctp-service"}[service.protocol]
    return [option, endpoint(service.address, service.port)]


def described(service: Service) -> list[str]:
    words = ["-s", service.scheduler]
    if ServiceFlags.PERSISTENT in service.flags:
        words += ["-p", str(service.timeout), *mask_words(service)]
    if service.pe_name:
        words += ["--pe", service.pe_name]
    if ServiceFlags.ONE_PACKET in service.flags:
        words.append("-o")
    names = FLAG_NAMES.get(service.scheduler, {ServiceFlags.SCHED1: "flag-1", ServiceFlags.SCHED2: "flag-2"})
    names = {**names, ServiceFlags.SCHED3: "flag-3"}
    flags = [name for flag, name in names.items() if flag in service.flags]
    return [*words, *(["-b", ",".join(flags)] if flags else [])]


def mask_words(service: Service) -> list[str]:
    assert service.netmask is not None
    if service.netmask == service.key.family.bits:
        return []
    if service.key.family is Family.INET6:
        return ["-M", str(service.netmask)]
    mask = (2**32 - 1) << (32 - service.netmask) & (2**32 - 1)
    return ["-M", socket.inet_ntoa(mask.to_bytes(4, "big"))]


def destination_words(service: ServiceKey, destination: Destination) -> list[str]:
    forwarding = destination.forwarding
    assert forwarding is not None
    words = [
        "-r",
        endpoint(destination.key.address, destination.key.port),
        METHODS[forwarding.method],
        "-w",
        str(destination.weight),
    ]
    if forwarding.method is not TUN:
        return words
    words += ["--tun-type", forwarding.tunnel.name.lower()]
    if forwarding.tunnel is TunnelType.IPIP:
        return words
    if forwarding.tunnel is TunnelType.GUE:
        words += ["--tun-port", str(forwarding.tunnel_port)]
    names = {TunnelChecksum.NONE: "--tun-nocsum", TunnelChecksum.CSUM: "--tun-csum", TunnelChecksum.REMCSUM: "--tun-remcsum"}
    return [*words, names[forwarding.tunnel_checksum]]


# --- every kind ------------------------------------------------------------------------------------------------------------------


def schedulers() -> list[str]:
    """Return the schedulers that this kernel comes with."""
    found = [name for name in SCHEDULERS if not subprocess.run(["modprobe", "-n", "-q", f"ip_vs_{name}"], check=False).returncode]
    assert len(found) >= 13
    return found


def pair6(port: int) -> list[Destination]:
    """Return one destination by NAT and one by direct routing, which has the port of its service: ipvsadm insists."""
    routed = Destination(key("2001:db8:100::2", port), Forwarding(ForwardingMethod.DROUTE), 0)
    return [Destination(key("2001:db8:100::1", 8080)), routed]


def every_kind() -> dict[ServiceKey, ServiceEntry]:
    """One service for each scheduler, flag, key and mask, and destinations of every method."""
    four, six, mark4 = WEB, AddressTarget(Address.parse("2001:db8::1"), 80, Protocol.TCP), FwmarkTarget(7, Family.INET)
    gue, gre = partial(Forwarding, TUN, TunnelType.GUE), partial(Forwarding, TUN, TunnelType.GRE, 0)
    plain4 = [Destination(key(f"198.51.100.{number}", 8000 + number), weight=number) for number in range(3)]
    routed = [
        Destination(key("198.51.100.10"), Forwarding(ForwardingMethod.DROUTE), 2**31 - 1),
        Destination(key("198.51.100.11"), Forwarding(TUN)),
        Destination(key("198.51.100.12"), gue(6080)),
        Destination(key("198.51.100.13"), gue(6081, TunnelChecksum.CSUM)),
        Destination(key("198.51.100.14"), gue(65535, TunnelChecksum.REMCSUM)),
        Destination(key("198.51.100.15"), gre()),
        Destination(key("198.51.100.16"), gre(TunnelChecksum.CSUM)),
        Destination(key("2001:db8:100::17"), Forwarding(TUN)),
        Destination(key("2001:db8:100::18"), gue(6080)),
    ]
    limited = [Destination(key("198.51.100.20"), weight=5, uthreshold=2000, lthreshold=1000)]
    persistent = ServiceFlags.PERSISTENT
    entries = [
        entry(Service(four, "wlc", 32), [*plain4, *routed, *limited]),
        entry(Service(six, "wrr", 64, persistent, Seconds(300)), [*pair6(80), Destination(key("198.51.100.30"), Forwarding(TUN))]),
        entry(Service(mark4, "rr", 20, persistent, Seconds(60)), [Destination(key("198.51.100.31", 0), Forwarding(TUN))]),
        entry(Service(FwmarkTarget(7, Family.INET6), "rr", 128), [Destination(key("2001:db8:100::3", 0))]),
        entry(Service(FwmarkTarget(2**31 - 1, Family.INET6), "rr", 1, persistent, Seconds(2_678_400))),
        entry(Service(AddressTarget(four.address, 0, Protocol.TCP), "rr", 32, persistent, Seconds(360))),
        entry(Service(AddressTarget(four.address, 5060, Protocol.UDP), "rr", 32, persistent, Seconds(360), "sip")),
        entry(Service(AddressTarget(four.address, 53, Protocol.UDP), "rr", 32, ServiceFlags.ONE_PACKET)),
        entry(Service(AddressTarget(four.address, 9, Protocol.SCTP), "sh", 32, ServiceFlags.SCHED1 | ServiceFlags.SCHED2)),
        entry(Service(AddressTarget(four.address, 10, Protocol.TCP), "sh", 32, ServiceFlags.SCHED2)),
        entry(Service(AddressTarget(four.address, 11, Protocol.TCP), "mh", 32, ServiceFlags.SCHED1 | ServiceFlags.SCHED2)),
        entry(Service(AddressTarget(four.address, 12, Protocol.TCP), "rr", 32, ServiceFlags.SCHED3)),
    ]
    entries += [
        entry(Service(AddressTarget(six.address, 100 + number, Protocol.UDP), scheduler, 128), pair6(100 + number))
        for number, scheduler in enumerate(schedulers())
    ]
    return table(entries)


def test_every_kind_is_in_the_kernel_as_ipvsadm_shows_it(client: IpvsClient) -> None:
    wanted = every_kind()

    async def main() -> Table:
        operations = plan({}, wanted)
        assert errnos(await client.apply(operations)) == [0] * len(operations)
        return await client.dump()

    dumped = run(main())
    assert sorted(ipvsadm("-Sn").splitlines()) == lines(wanted)
    assert dumped == wanted
    assert all(list(dumped[it].destinations) == list(wanted[it].destinations) for it in wanted)
    assert client.undecodable == 0
    (limits,) = (line.split() for line in ipvsadm("-Ln", "--thresholds").splitlines() if "198.51.100.20:80" in line)
    assert limits[2:4] == ["2000", "1000"]


def test_what_ipvsadm_makes_is_what_we_read_and_would_not_touch(client: IpvsClient) -> None:
    wanted = every_kind()
    ipvsadm("-R", text="\n".join(lines(wanted)) + "\n")
    ipvsadm("-e", "-t", "192.0.2.1:80", "-r", "198.51.100.20:80", "-m", "-w", "5", "-x", "2000", "-y", "1000")
    dumped = run(client.dump())
    assert dumped == wanted
    assert plan(dumped, wanted) == []


def test_a_plan_between_any_two_tables_is_performed_without_refusal(client: IpvsClient) -> None:
    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(strategies.tables, strategies.tables)
    def performed(before: Table, after: Table) -> None:
        async def main() -> None:
            await client.apply([Flush(), *plan({}, before)])
            assert await client.dump() == before
            operations = plan(before, after, owned=before)
            assert errnos(await client.apply(operations)) == [0] * len(operations)
            assert await client.dump() == after

        run(main())

    performed()


def test_teardown_leaves_nothing(client: IpvsClient) -> None:
    wanted = every_kind()

    async def main() -> None:
        await client.apply(plan({}, wanted))
        operations = [it for made in wanted.values() for it in teardown(made)]
        assert errnos(await client.apply(operations)) == [0] * len(operations)

    run(main())
    assert ipvsadm("-Sn") == ""


# --- refusals --------------------------------------------------------------------------------------------------------------------


def test_refusals_of_the_kernel(client: IpvsClient) -> None:
    six = AddressTarget(Address.parse("2001:db8::1"), 80, Protocol.TCP)
    present = Destination(key("198.51.100.1"))
    missing = Destination(key("198.51.100.2"))
    cases: list[tuple[Operation, int]] = [
        (NewService(Service(WEB, "wlc", 32)), 0),
        (NewDestination(WEB, present), 0),
        (NewService(Service(WEB, "rr", 32)), errno.EEXIST),
        (NewDestination(WEB, present), errno.EEXIST),
        # The tunnel does not make it another destination.
        (NewDestination(WEB, Destination(present.key, Forwarding(TUN, TunnelType.GUE, 6080))), errno.EEXIST),
        (SetDestination(WEB, Destination(present.key, Forwarding(TUN, TunnelType.GUE, 6080))), 0),
        (SetDestination(WEB, missing), errno.ENOENT),
        (DelDestination(WEB, missing.key), errno.ENOENT),
        (SetService(Service(six, "rr", 128)), errno.ESRCH),
        (DelService(six), errno.ESRCH),
        (NewDestination(six, present), errno.ESRCH),
        (Zero(six), errno.ESRCH),
        (NewService(Service(six, "rr", 0)), errno.EINVAL),
        (NewService(Service(six, "nosuch", 128)), errno.ENOENT),
        (SetService(Service(WEB, "nosuch", 32)), errno.ENOENT),
        (NewService(Service(six, "rr", 128, pe_name="nosuch")), errno.ENOENT),
        (NewDestination(WEB, Destination(key("2001:db8:100::1"))), errno.EINVAL),
        (NewDestination(WEB, Destination(key("224.0.0.1"))), errno.EINVAL),
        (NewDestination(WEB, Destination(missing.key, Forwarding(TUN, TunnelType.GUE, 0))), errno.EINVAL),
        (NewDestination(WEB, Destination(missing.key, weight=2**31)), errno.ERANGE),
        (NewDestination(WEB, Destination(missing.key, uthreshold=1, lthreshold=2)), errno.ERANGE),
        (NewDestination(WEB, Destination(missing.key, uthreshold=2**31)), errno.EINVAL),
        (NewDaemon(SyncDaemon(True, "nosuch0")), errno.ENODEV),
        (DelDaemon(master=True), errno.ESRCH),
    ]

    async def main() -> list[KernelError | None]:
        return await client.apply([operation for operation, _ in cases])

    results = run(main())
    outcome = [(operation, error) for (operation, _), error in zip(cases, errnos(results), strict=True)]
    assert outcome == cases
    assert str(results[2]) == "NEW_SERVICE [192.0.2.1]:tcp:80 (somebody else added it meanwhile): File exists (EEXIST)"
    assert sorted(ipvsadm("-Sn").splitlines()) == [
        "-A -t 192.0.2.1:80 -s wlc",
        "-a -t 192.0.2.1:80 -r 198.51.100.1:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum",
    ]


def test_lost_acknowledgements_are_reported_and_what_was_asked_for_is_done() -> None:
    ipvsadm("-C")
    content = table([entry(Service(WEB, "wlc", 32), [Destination(key(f"198.51.100.{number}")) for number in range(1, 101)])])
    # A receive buffer of the least possible size holds two or three acknowledgements.
    narrow, wide = open_client(receive_buffer=1), open_client()

    async def main() -> None:
        results = errnos(await narrow.apply(plan({}, content)))
        assert set(results) == {0, errno.ENOBUFS}
        assert await wide.dump() == content
        assert errnos(await narrow.apply([Zero(WEB)])) == [0]
        assert await narrow.dump() == content

    run(main())
    for opened in narrow, wide:
        opened.close()
    ipvsadm("-C")


# --- a reload, and what survives it ----------------------------------------------------------------------------------------------


def test_a_reload_sends_the_difference_and_counters_survive(client: IpvsClient) -> None:
    here = AddressTarget(Address.parse("127.0.0.1"), 7000, Protocol.UDP)
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    local = Destination(key("127.0.0.1", receiver.getsockname()[1]))
    gone, stays, comes = (Destination(key(f"198.51.100.{number}"), weight=0) for number in (1, 2, 3))
    before = table([entry(Service(here, "wrr", 32), [local, gone, stays]), entry(Service(WEB, "rr", 32), [gone])])
    heavier = Destination(local.key, weight=5)
    after = table([entry(Service(here, "wrr", 32), [heavier, stays, comes]), before[WEB]])
    sent: list[Operation] = []
    tracing = open_client(trace=sent.append)

    async def main() -> None:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        assert errnos(await client.apply(plan({}, before))) == [0] * 6
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(3):
                sender.sendto(b"x" * 100, ("127.0.0.1", 7000))
        counted = await _counted(client, here, 3)
        assert (counted.statistics.connections, counted.statistics.packets_in) == (1, 3)
        assert counted.statistics.bytes_in == 3 * 128
        assert counted.destinations[local.key].statistics.packets_in == 3
        assert counted.destinations[local.key].inactive == 1

        operations = plan(await tracing.dump(), after, owned=before)
        assert errnos(await tracing.apply(operations)) == [0] * 3
        again = await client.service_stats(here)
        assert again.statistics.packets_in == 3
        assert again.destinations[local.key].inactive == 1
        assert again.destinations[local.key].statistics.bytes_in == 3 * 128
        assert await client.dump() == after
        assert {it: stats.packets_in for it, stats in (await client.statistics()).items()} == {here: 3, WEB: 0}
        await client.apply([Zero(here)])
        assert (await client.service_stats(here)).statistics.packets_in == 0

    run(main())
    tracing.close()
    receiver.close()
    assert sent == [DelDestination(here, gone.key), SetDestination(here, heavier), NewDestination(here, comes)]


async def _counted(client: IpvsClient, service: ServiceKey, packets: int) -> ServiceStats:
    """Wait for the kernel's estimator, which brings the counters up to date every two seconds."""
    end = time.monotonic() + 20
    while (stats := await client.service_stats(service)).statistics.packets_in < packets and time.monotonic() < end:
        await asyncio.sleep(0.1)
    return stats


# --- everything else -------------------------------------------------------------------------------------------------------------


def test_timeouts_info_and_features(client: IpvsClient) -> None:
    async def main() -> None:
        before = await client.timeouts()
        assert errnos(await client.apply([SetTimeouts(LvsTimeouts(Seconds(901), Seconds(0), Seconds(301)))])) == [0]
        assert ipvsadm("-Ln", "--timeout").split()[-3:] == ["901", str(before.tcpfin), "301"]
        assert await client.timeouts() == LvsTimeouts(Seconds(901), before.tcpfin, Seconds(301))
        await client.apply([SetTimeouts(before)])
        assert await client.timeouts() == before
        info = await client.info()
        version = ".".join(str(number) for number in info.version)
        assert f"version {version} (size={info.connection_table_size})" in ipvsadm("-Ln").splitlines()[0]

    run(main())
    assert not client.features.fullnat


def test_sync_daemons(client: IpvsClient) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    master, backup = SyncDaemon(True, "lo", 51), SyncDaemon(False, "lo", 52, 1400, Address.parse("ff05::1"), 8849, 3)

    async def main() -> None:
        assert errnos(await client.apply([NewDaemon(master), NewDaemon(backup), NewDaemon(master)])) == [0, 0, errno.EEXIST]
        # The payload that the kernel chooses for the master depends on the interface.
        first, second = await client.daemons()
        assert (first.master, first.interface, first.sync_id) == (True, "lo", 51)
        assert (first.group, first.port, first.ttl) == (Address.parse("224.0.0.81"), 8848, 1)
        assert second == backup
        shown = ipvsadm("-Ln", "--daemon")
        assert "master sync daemon (mcast=lo, syncid=51" in shown
        assert "backup sync daemon (mcast=lo, syncid=52, maxlen=1400, group=ff05::1, port=8849, ttl=3)" in shown
        assert errnos(await client.apply([DelDaemon(master=True), DelDaemon(master=False)])) == [0, 0]
        assert await client.daemons() == []

    run(main())


def test_a_client_in_another_network_namespace(client: IpvsClient) -> None:
    name = "ipvs-client"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        elsewhere = open_client(partial(enter_network, Path("/run/netns", name)))
        service = NewService(Service(WEB, "wlc", 32))
        assert errnos(run(elsewhere.apply([service]))) == [0]
        assert run(client.dump()) == {}
        assert list(run(elsewhere.dump())) == [WEB]
        elsewhere.close()
        assert Path("/proc/self/ns/net").stat().st_ino != Path(f"/run/netns/{name}").stat().st_ino
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


# --- 1,000 services x 10 destinations --------------------------------------------------------------------------------------------


def large_table() -> dict[ServiceKey, ServiceEntry]:
    real = [key(f"198.51.100.{number}") for number in range(1, 11)]
    return table(
        entry(
            Service(AddressTarget(Address.parse("192.0.2.0") + number // 50, 1000 + number % 50, Protocol.TCP), "wlc", 32),
            [Destination(it) for it in real],
        )
        for number in range(1000)
    )


@pytest.mark.guest(limit=400)
def test_a_large_table_beside_ipvsadm(client: IpvsClient) -> None:
    wanted = large_table()
    text = "\n".join(line for made in wanted.values() for line in lines({made.key: made})) + "\n"
    watch = Stopwatch()
    ipvsadm("-R", text=text)
    watch.lap("ipvsadm -R")
    ipvsadm("-C")
    watch.lap()
    operations = plan({}, wanted)
    watch.lap("plan")
    assert set(run(client.apply(operations))) == {None}
    watch.lap("apply")
    shown = ipvsadm("-Sn")
    watch.lap("ipvsadm -Sn")
    dumped = run(client.dump())
    watch.lap("dump")
    assert plan(dumped, wanted) == []
    watch.lap("plan without difference")
    print(f"1,000 services with 10 destinations each, in seconds: {watch.laps}")
    assert sorted(shown.splitlines()) == lines(wanted)


def test_a_dump_that_is_cancelled_half_way_does_not_spoil_the_next(client: IpvsClient, monkeypatch: pytest.MonkeyPatch) -> None:
    # Let other tasks run after each datagram: a thousand services come in about ten.
    monkeypatch.setattr(client_module, "_BREATHE_AFTER", 1)
    wanted = {it: ServiceEntry(made.service, {}) for it, made in large_table().items()}

    async def main() -> None:
        assert set(await client.apply(plan({}, wanted))) == {None}
        before = client._sequence
        task = asyncio.create_task(client.statistics())
        while client._sequence == before:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(await client.statistics()) == len(wanted)
        assert len(await client.dump()) == len(wanted)

    run(main())


class Stopwatch:
    """Seconds since the last lap, by name."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._since = time.monotonic()

    def lap(self, name: str | None = None) -> None:
        now = time.monotonic()
        if name is not None:
            self.laps[name] = round(now - self._since, 2)
        self._since = now
