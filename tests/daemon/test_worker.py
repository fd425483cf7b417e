"""The worker: in order, nothing overtakes, and what has piled up is programmed at once."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from keepalived_py.config.lvs import ServerKey
from keepalived_py.config.scripts import Script
from keepalived_py.daemon.worker import Step, Worker
from keepalived_py.healthcheck.actions import Action, Alert, FifoLine, Level, Log, Publish, RunScript
from keepalived_py.units import micro
from tests.daemon.desk import ListLog, publish
from tests.healthcheck.builders import VIP


class Bench:
    """A worker whose surroundings write down what they are asked to do."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.log = ListLog()
        self.worker = Worker(self.publish, self, self, self, self.log)  # type: ignore[arg-type]

    async def publish(self, pools: Iterable[Publish]) -> None:
        pools = list(pools)
        await self.gate.wait()
        self.done.append([dict(pool.weights) for pool in pools])

    def program(self, name: str) -> Callable[[Iterable[Publish]], Coroutine[Any, Any, None]]:
        async def program(pools: Iterable[Publish]) -> None:
            await self.gate.wait()
            self.done.append((name, len(list(pools))))

        return program

    def run(self, script: Script, extra: tuple[str, ...], limit: float | None) -> None:
        self.done.append((*script.argv, *extra, limit))

    def write(self, line: bytes) -> None:
        self.done.append(line)

    def send(self, subject: str, body: str) -> None:
        self.done.append(f"{subject}: {body}")


def pool(weight: int) -> Publish:
    return publish({1: weight})


def weights(*numbers: int) -> list[dict[ServerKey, int]]:
    return [dict(pool(number).weights) for number in numbers]


def script(word: str, limit: float | None = None) -> RunScript:
    return RunScript(Script((word,)), ("UP",), "", None if limit is None else micro(limit))


def work(story: Callable[[Bench], Coroutine[Any, Any, None]]) -> list[object]:
    async def main() -> list[object]:
        bench = Bench()
        task = asyncio.create_task(bench.worker.run())
        await story(bench)
        bench.worker.finish()
        await asyncio.wait_for(task, 10)
        return bench.done

    return asyncio.run(main())


def test_the_table_changes_before_anybody_is_told() -> None:
    async def story(bench: Bench) -> None:
        actions: list[Action] = [Log(Level.INFO, "line"), script("/up"), FifoLine(b"UP"), pool(1), Alert("s", "b"), script("/x", 1)]
        bench.worker.perform(actions)
        assert bench.log.lines == [(6, "line")]
        assert bench.done == []

    assert work(story) == [weights(1), ("/up", "UP", None), b"UP", "s: b", ("/x", "UP", 1.0)]


def test_log_lines_alone_make_no_work() -> None:
    async def story(bench: Bench) -> None:
        bench.worker.perform([Log(Level.ERROR, "line")])

    assert work(story) == []


def test_what_piles_up_while_the_kernel_is_slow_is_programmed_together() -> None:
    async def story(bench: Bench) -> None:
        bench.gate.clear()
        bench.worker.perform([pool(1), script("/a")])
        await asyncio.sleep(0)
        for number in (2, 3):
            bench.worker.perform([pool(number), script(f"/{number}")])
        bench.worker.perform([script("/only")])
        await asyncio.sleep(0)
        assert bench.done == []
        bench.gate.set()

    assert work(story) == [weights(1), ("/a", "UP", None), weights(2, 3), *((f"/{name}", "UP", None) for name in (2, 3, "only"))]


def test_a_reload_is_not_mixed_with_what_is_before_and_behind_it() -> None:
    async def story(bench: Bench) -> None:
        said = bench.done.append
        bench.gate.clear()
        bench.worker.perform([pool(1)])
        step = Step(bench.program("reload"), afterwards=lambda: said("afterwards"))
        bench.worker.collect(step, lambda: bench.worker.perform([pool(2), script("/b")]))
        bench.worker.perform([pool(3)])
        bench.worker.add(Step(bench.program("retry")))
        bench.worker.perform([pool(4)])
        bench.gate.set()

    assert work(story) == [weights(1), ("reload", 1), ("/b", "UP", None), "afterwards", weights(3), ("retry", 0), weights(4)]


def test_finishing_does_everything_that_waits_first() -> None:
    async def story(bench: Bench) -> None:
        for number in range(50):
            bench.worker.perform([script(str(number))])

    assert [entry[0] for entry in work(story) if isinstance(entry, tuple)] == [str(number) for number in range(50)]


def test_an_idle_worker_wakes_up() -> None:
    async def story(bench: Bench) -> None:
        for number in (1, 2):
            await asyncio.sleep(0.01)
            bench.worker.perform([pool(number)])
            await asyncio.sleep(0.01)
            assert bench.done[-1] == weights(number)

    assert work(story) == [weights(1), weights(2)]
    assert pool(1).target == VIP
