"""A model of the kernel's IPVS table that is as strict as the kernel, and a recording sink on top of it.

`SimulatedIpvs` works on operations and returns errnos; it knows nothing of `plan`, `packer` or `client`, so that it can judge them.
`RecordingSink` is a `client.Sink` for tests of the daemon on hosts without ip_vs.
"""

import errno
from collections.abc import Sequence
from dataclasses import replace

from keepalived_py.config.globals import LvsTimeouts
from keepalived_py.config.lvs import ForwardingMethod, TunnelType
from keepalived_py.errors import KernelError
from keepalived_py.ipvs.features import KernelFeatures
from keepalived_py.ipvs.operations import (
    DelDaemon,
    DelDestination,
    DelLocalAddress,
    DelService,
    Flush,
    NewDaemon,
    NewDestination,
    NewLocalAddress,
    NewService,
    Operation,
    SetDestination,
    SetEstTimeout,
    SetService,
    SetTimeouts,
    Zero,
)
from keepalived_py.ipvs.table import (
    Destination,
    DestinationKey,
    DestinationStats,
    FullnatSettings,
    Info,
    Service,
    ServiceEntry,
    ServiceKey,
    ServiceStats,
    Statistics,
    SyncDaemon,
    Table,
)

SCHEDULERS = frozenset(["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "fo", "ovf", "twos", "none"])


class SimulatedIpvs:
    """The table of one network namespace, with the checks of ip_vs_ctl.c (Linux 6.1)."""

    def __init__(self) -> None:
        self.services: dict[ServiceKey, Service] = {}
        self.destinations: dict[ServiceKey, dict[DestinationKey, Destination]] = {}
        self.timeouts = {"tcp": 900, "tcpfin": 120, "udp": 300}
        self.daemons: dict[bool, SyncDaemon] = {}
        self.fullnat: dict[ServiceKey, FullnatSettings] = {}

    def table(self) -> dict[ServiceKey, ServiceEntry]:
        return {key: self._entry(key, service) for key, service in self.services.items()}

    def _entry(self, key: ServiceKey, service: Service) -> ServiceEntry:
        return ServiceEntry(service, dict(self.destinations[key]), self.fullnat.get(key, FullnatSettings()))

    def perform(self, operation: Operation) -> int:
        """Do what the kernel would do; return its errno, 0 for success."""
        match operation:
            case NewService(service):
                return errno.EEXIST if service.key in self.services else self._store_service(service)
            case SetService(service):
                return self._store_service(service) if service.key in self.services else errno.ESRCH
            case DelService(key):
                self.destinations.pop(key, None)
                self.fullnat.pop(key, None)
                return 0 if self.services.pop(key, None) else errno.ESRCH
            case NewLocalAddress() | DelLocalAddress() | SetEstTimeout():
                return self._fullnat(operation)
            case NewDestination() | SetDestination() | DelDestination():
                return self._destination(operation)
            case Flush():
                self.services.clear()
                self.destinations.clear()
                self.fullnat.clear()
            case Zero(key):
                return 0 if key is None or key in self.services else errno.ESRCH
            case SetTimeouts(timeouts):
                given = {"tcp": timeouts.tcp, "tcpfin": timeouts.tcpfin, "udp": timeouts.udp}
                self.timeouts |= {name: value for name, value in given.items() if value}
            case NewDaemon(daemon):
                if daemon.master in self.daemons:
                    return errno.EEXIST
                self.daemons[daemon.master] = daemon
            case DelDaemon(master):
                return 0 if self.daemons.pop(master, None) else errno.ESRCH
        return 0

    def _store_service(self, service: Service) -> int:
        if service.scheduler not in SCHEDULERS:
            return errno.ENOENT
        assert service.netmask is not None
        if service.key.family.bits == 128 and not 1 <= service.netmask <= 128:
            return errno.EINVAL
        self.services[service.key] = service
        self.destinations.setdefault(service.key, {})
        return 0

    def _fullnat(self, operation: NewLocalAddress | DelLocalAddress | SetEstTimeout) -> int:
        key = operation.service
        if key not in self.services:
            return errno.ESRCH
        settings = self.fullnat.get(key, FullnatSettings())
        present = settings.local_addresses
        match operation:
            case SetEstTimeout():
                self.fullnat[key] = replace(settings, est_timeout=operation.seconds)
            case NewLocalAddress(_, address):
                if address in present:
                    return errno.EEXIST
                if address.family is not key.family:
                    return errno.EAFNOSUPPORT
                self.fullnat[key] = replace(settings, local_addresses=(*present, address))
            case DelLocalAddress(_, address):
                if address not in present:
                    return errno.ENOENT
                self.fullnat[key] = replace(settings, local_addresses=tuple(each for each in present if each != address))
        return 0

    def _destination(self, operation: NewDestination | SetDestination | DelDestination) -> int:
        present = self.destinations.get(operation.service)
        if present is None:
            return errno.ESRCH
        if isinstance(operation, DelDestination):
            return 0 if present.pop(operation.destination, None) else errno.ENOENT
        wanted = operation.destination
        error = self._objection(operation.service, wanted)
        if error:
            return error
        if isinstance(operation, NewDestination) and wanted.key in present:
            return errno.EEXIST
        if isinstance(operation, SetDestination) and wanted.key not in present:
            return errno.ENOENT
        present[wanted.key] = wanted
        return 0

    def _objection(self, service: ServiceKey, wanted: Destination) -> int:
        forwarding = wanted.forwarding
        assert forwarding is not None
        if wanted.family is not service.family and forwarding.method is not ForwardingMethod.TUNNEL:
            return errno.EINVAL
        if wanted.weight < 0 or wanted.weight >= 2**31 or wanted.lthreshold > wanted.uthreshold:
            return errno.ERANGE
        if forwarding.tunnel is TunnelType.GUE and not forwarding.tunnel_port:
            return errno.EINVAL
        return 0


class RecordingSink:
    """A `Sink` that programs a `SimulatedIpvs` and remembers, in `operations`, everything that it was told."""

    def __init__(self, kernel: SimulatedIpvs | None = None, features: KernelFeatures | None = None) -> None:
        self.kernel = kernel or SimulatedIpvs()
        self.features = features or KernelFeatures()
        self.operations: list[Operation] = []
        self.closed = False

    async def apply(self, operations: Sequence[Operation]) -> list[KernelError | None]:
        results: list[KernelError | None] = []
        for operation in operations:
            self.operations.append(operation)
            error = self.kernel.perform(operation)
            results.append(KernelError(operation.command.name, error, operation.subject) if error else None)
        return results

    async def dump(self) -> Table:
        return self.kernel.table()

    async def service_stats(self, key: ServiceKey) -> ServiceStats:
        if key not in self.kernel.services:
            raise KernelError("GET_SERVICE", errno.ESRCH, str(key))
        nothing = DestinationStats(Statistics(), 0, 0, 0)
        return ServiceStats(Statistics(), dict.fromkeys(self.kernel.destinations[key], nothing))

    async def statistics(self) -> dict[ServiceKey, Statistics]:
        return dict.fromkeys(self.kernel.services, Statistics())

    async def timeouts(self) -> LvsTimeouts:
        return LvsTimeouts(**self.kernel.timeouts)  # type: ignore[arg-type]

    async def info(self) -> Info:
        return Info((1, 2, 1), 4096)

    async def daemons(self) -> list[SyncDaemon]:
        return [self.kernel.daemons[master] for master in (True, False) if master in self.kernel.daemons]

    def close(self) -> None:
        self.closed = True
