"""A table keeper at its desk: a simulated kernel, a record in a folder, a log that can be read."""

import asyncio
import errno
from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from keepalived_py.config.globals import GlobalDefs, LvsTimeouts
from keepalived_py.config.lvs import Lvs, ServerKey, Target, VirtualServer, VirtualServerGroup
from keepalived_py.daemon.kernel_settings import KernelSettings
from keepalived_py.daemon.record import ServiceRecord
from keepalived_py.daemon.table_keeper import KernelWeights, TableKeeper
from keepalived_py.errors import KernelError
from keepalived_py.healthcheck.actions import Publish
from keepalived_py.ipvs.client import Sink
from keepalived_py.ipvs.operations import NewDestination, NewService, Operation
from keepalived_py.ipvs.table import Destination, Service, ServiceKey, Table
from keepalived_py.system.log import Log, LogTargets
from tests.healthcheck.builders import VIP, key
from tests.helpers.ipvs import RecordingSink, SimulatedIpvs

T = TypeVar("T")
Groups = tuple[VirtualServerGroup, ...]


def run(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(main)


def publish(weights: dict[int, int], sorry: int | None = None, target: Target = VIP) -> Publish:
    """What a pool wants: weights by the last number of 192.0.2.N."""
    return Publish(target, {key(number): weight for number, weight in weights.items()}, sorry)


class ListLog(Log):
    """A log that keeps its lines, with their severity as syslog numbers it."""

    def __init__(self) -> None:
        super().__init__(LogTargets(to_syslog=False), "test")
        self.lines: list[tuple[int, str]] = []

    def write(self, level: int, text: str) -> None:
        self.lines.append((level, text))

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.lines]


class Kernel(RecordingSink):
    """A kernel that can be made to fail: `trouble` maps a word of NETLINK to the errno that it gets, `silent` fails dumps."""

    def __init__(self, kernel: SimulatedIpvs | None = None) -> None:
        super().__init__(kernel)
        self.trouble: dict[str, int] = {}
        self.swallow = 0
        """Answers that get lost: what was asked for is done all the same."""
        self.stall_after = 0
        """Requests after which it does not return any more, once."""
        self.silent = False
        self.dumps = 0
        self.before: Callable[[Sequence[Operation]], None] | None = None
        """Called before anything is performed."""

    async def apply(self, operations: Sequence[Operation]) -> list[KernelError | None]:
        if self.before is not None:
            self.before(operations)
        results: list[KernelError | None] = []
        for operation in operations:
            word = f"{operation.command.name} {operation.subject}"
            number = next((number for part, number in self.trouble.items() if part in word), 0)
            if number:
                self.operations.append(operation)
                results.append(KernelError(operation.command.name, number, operation.subject))
                continue
            (result,) = await super().apply([operation])
            if self.swallow:
                self.swallow -= 1
                result = KernelError(operation.command.name, errno.ENOBUFS, operation.subject)
            results.append(result)
            if self.stall_after == len(results):
                self.stall_after = 0
                await asyncio.sleep(3600)
        return results

    async def dump(self) -> Table:
        self.dumps += 1
        if self.silent:
            raise KernelError("GET_SERVICE", errno.ETIMEDOUT, "IPVS")
        return await super().dump()

    async def timeouts(self) -> LvsTimeouts:
        if self.silent:
            raise KernelError("GET_CONFIG", errno.ETIMEDOUT, "IPVS")
        return await super().timeouts()

    def foreign(self, at: ServiceKey, *destinations: ServerKey) -> None:
        """Let somebody else make a service."""
        self.kernel.perform(NewService(Service(at, "wlc", at.family.bits)))
        for destination in destinations:
            assert self.kernel.perform(NewDestination(at, Destination(destination))) == 0


class Desk:
    """Everything that a checker process has of its table; `restart` is the next process."""

    def __init__(self, folder: Path, *servers: VirtualServer, globals_: GlobalDefs = GlobalDefs(), groups: Groups = ()) -> None:
        self.path = folder / "checkers.ipvs.json"
        self.kernel = Kernel()
        self.missing: KernelError | None = None
        self.opened = 0
        self.before_open: Callable[[], object] = lambda: None
        self.told: list[LvsTimeouts] = []
        self.restart(*servers, globals_=globals_, groups=groups)

    def restart(
        self,
        *servers: VirtualServer,
        globals_: GlobalDefs = GlobalDefs(),
        groups: Groups = (),
        found: LvsTimeouts | None = None,
    ) -> None:
        self.log = ListLog()
        self.globals = globals_
        self.kernel.operations.clear()
        self.record = ServiceRecord(self.path, self.log)
        settings = KernelSettings(found, self.told.append)
        self.keeper = TableKeeper(globals_, Lvs(servers, groups), self._open, self.record, settings, self.log)

    def _open(self, _globals: GlobalDefs) -> Sink:
        self.opened += 1
        self.before_open()
        if self.missing is not None:
            raise self.missing
        return self.kernel

    async def begin(self, *pools: Publish, takes_over: bool = False) -> KernelWeights | None:
        weights = await self.keeper.start(takes_over=takes_over)
        await self.keeper.begin(pools)
        return weights

    async def reload(
        self,
        *servers: VirtualServer,
        changed: Iterable[VirtualServer] = (),
        pools: Iterable[Publish] = (),
        globals_: GlobalDefs | None = None,
        groups: Groups = (),
    ) -> None:
        """Reload with a whole configuration; the globals stay when none are given."""
        self.globals = globals_ or self.globals
        await self.keeper.reload(self.globals, Lvs(servers, groups), [server.target for server in changed], pools)

    def sent(self) -> list[str]:
        """Return the requests since the last call, in words."""
        words = [f"{operation.command.name} {operation.subject}".strip() for operation in self.kernel.operations]
        self.kernel.operations.clear()
        return words
