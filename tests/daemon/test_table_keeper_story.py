"""Whatever pools want, somebody else does to the table, and the kernel refuses: in the end the table is as it is to be."""

import errno
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from keepalived_py.addresses import Address
from keepalived_py.config.lvs import AddressTarget, Lvs, Protocol, Target, VirtualServer
from keepalived_py.ipvs.desired import PoolState, desired
from keepalived_py.ipvs.operations import DelDestination, DelService, Flush, NewDestination, Operation
from keepalived_py.ipvs.table import Destination
from tests.daemon.desk import Desk, publish, run
from tests.healthcheck.builders import checked, key, service

TARGETS = tuple(AddressTarget(Address.parse(f"203.0.113.{number}"), 80, Protocol.TCP) for number in (1, 2, 3))
FOREIGN = AddressTarget(Address.parse("198.51.100.1"), 80, Protocol.TCP)
WORDS = ("NEW_SERVICE", "SET_SERVICE", "DEL_SERVICE", "NEW_DEST", "SET_DEST", "DEL_DEST")

weights = st.dictionaries(st.integers(1, 4), st.integers(0, 3), max_size=4)
algorithms = st.sampled_from(["rr", "wlc"])
configurations = st.dictionaries(st.sampled_from(TARGETS), algorithms, min_size=1)
mischief: st.SearchStrategy[Operation] = st.one_of(
    st.builds(DelService, st.sampled_from(TARGETS)),
    st.builds(DelDestination, st.sampled_from(TARGETS), st.builds(key, st.integers(1, 4))),
    st.builds(
        lambda at, number: NewDestination(at, Destination(key(number), weight=9)), st.sampled_from(TARGETS), st.integers(1, 6)
    ),
    st.just(Flush()),
)
chapters = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from(TARGETS), weights),
    st.tuples(st.just("mischief"), mischief, st.none()),
    st.tuples(st.just("refuse"), st.sampled_from(WORDS), st.sampled_from([errno.EPERM, errno.ENOMEM, errno.EBUSY])),
    st.tuples(st.just("swallow"), st.integers(1, 3), st.none()),
    st.tuples(st.just("reload"), configurations, st.none()),
    st.tuples(st.just("restart"), st.booleans(), st.none()),
)


def servers_of(config: Mapping[Target, str]) -> tuple[VirtualServer, ...]:
    return tuple(
        replace(service(*(checked(number) for number in range(1, 5)), target=target), lb_algo=algo)
        for target, algo in config.items()
    )


class Story:
    """The daemon's side of it: a configuration, what each pool wants, and the keeper of the moment."""

    def __init__(self, folder: Path, config: Mapping[Target, str]) -> None:
        self.config = dict(config)
        self.pools: dict[Target, dict[int, int]] = {target: {1: 1} for target in config}
        self.desk = Desk(folder, *servers_of(config))
        self.desk.kernel.foreign(FOREIGN, key(1))

    async def begin(self, *, takes_over: bool) -> None:
        await self.desk.begin(*(publish(self.pools[target], target=target) for target in self.config), takes_over=takes_over)

    async def tell(self, kind: str, what: object, more: object) -> None:
        kernel = self.desk.kernel
        match kind, what, more:
            case "publish", AddressTarget(), dict() if what in self.config:
                self.pools[what] = more
                await self.desk.keeper.publish([publish(more, target=what)])
            case "mischief", Flush() | DelService() | DelDestination() | NewDestination(), _:
                if isinstance(what, Flush):
                    for target in TARGETS:
                        kernel.kernel.perform(DelService(target))
                else:
                    kernel.kernel.perform(what)
            case "refuse", str(), int():
                kernel.trouble = {what: more}
            case "swallow", int(), _:
                kernel.swallow = what
            case "reload", dict(), _:
                await self._reload(what)
            case "restart", bool(), _:
                self.desk.restart(*servers_of(self.config))
                await self.begin(takes_over=what)

    async def _reload(self, config: dict[Target, str]) -> None:
        old = {server.target: server for server in servers_of(self.config)}
        self.config = config
        for target in config:
            self.pools.setdefault(target, {1: 1})
        self.pools = {target: pool for target, pool in self.pools.items() if target in config}
        new = servers_of(config)
        fresh = [publish(self.pools[server.target], target=server.target) for server in new if server.target not in old]
        await self.desk.reload(*new, changed=[server for server in new if old.get(server.target) != server], pools=fresh)

    def wanted(self) -> object:
        pools: dict[Target, PoolState] = {target: PoolState(dict(publish(pool).weights)) for target, pool in self.pools.items()}
        return desired(Lvs(servers_of(self.config)), pools)[0]

    async def settle(self) -> None:
        """Somebody makes peace: the kernel works again, and each pool has something new to say, as it had not before."""
        self.desk.kernel.trouble.clear()
        self.desk.kernel.swallow = 0
        await self.desk.keeper.retry()
        self.desk.restart(*servers_of(self.config))
        await self.begin(takes_over=False)


TWO = {TARGETS[0]: "rr", TARGETS[1]: "rr"}
UNHEARD: list[tuple[str, object, object]] = [
    ("mischief", Flush(), None),
    ("swallow", 2, None),
    ("publish", TARGETS[1], {}),
    ("reload", {TARGETS[0]: "rr"}, None),
]
"""A service is made again, the kernel's answer is lost, and then a reload removes it."""


@settings(max_examples=150, deadline=None)
@given(configurations, st.lists(chapters, max_size=12))
@example(TWO, UNHEARD)
def test_the_table_ends_as_it_is_to_be_and_foreign_services_as_they_were(
    config: dict[Target, str], story: list[tuple[str, object, object]]
) -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            told = Story(Path(folder), config)
            foreign = told.desk.kernel.kernel.table()[FOREIGN]
            await told.begin(takes_over=False)
            for chapter in story:
                await told.tell(*chapter)
            await told.settle()
            table = told.desk.kernel.kernel.table()
            assert table.pop(FOREIGN) == foreign
            assert table == told.wanted()
            assert not told.desk.keeper.needs_retry
            await told.desk.keeper.stop(release=True)
            assert set(told.desk.kernel.kernel.table()) == {FOREIGN}
            assert not told.desk.path.exists()

    run(main())


@settings(max_examples=100, deadline=None)
@given(configurations, st.lists(chapters.filter(lambda chapter: chapter[0] not in ("mischief", "restart")), max_size=10))
def test_without_mischief_a_retry_is_enough(config: dict[Target, str], story: list[tuple[str, object, object]]) -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            told = Story(Path(folder), config)
            await told.begin(takes_over=False)
            for chapter in story:
                await told.tell(*chapter)
            told.desk.kernel.trouble.clear()
            told.desk.kernel.swallow = 0
            await told.desk.keeper.retry()
            table = told.desk.kernel.kernel.table()
            del table[FOREIGN]
            assert table == told.wanted()
            assert not told.desk.keeper.needs_retry
            told.desk.sent()
            await told._reload(dict(told.config))
            assert told.desk.sent() == []

    run(main())
