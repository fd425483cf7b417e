"""Carries out, in order, what the checker process has decided: IPVS table, then scripts, FIFOs and mails of the same event.

The engine decides at once and never waits; what it decides becomes steps in a queue, and one task works them off, so that nothing
overtakes.  Steps that have piled up while the kernel was slow are programmed together.

Decides nothing, and knows no process: who starts, reloads and stops is `check_process`.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from keepalived_py.healthcheck.actions import Action, Alert, FifoLine, Log, Publish, RunScript
from keepalived_py.report.fifo import NotifyFifos
from keepalived_py.report.mail import Mailer
from keepalived_py.system.log import Log as LogWriter
from keepalived_py.system.scripts import ScriptRunner
from keepalived_py.units import MICRO_PER_SECOND

Program = Callable[[Iterable[Publish]], Awaitable[None]]
"""Has the kernel's table made what pools want."""


@dataclass(slots=True)
class Step:
    """Have `pools` programmed by `program` (None: published as they are), carry out `rest`, then call `afterwards`."""

    program: Program | None = None
    pools: list[Publish] = field(default_factory=list)
    rest: list[Action] = field(default_factory=list)
    afterwards: Callable[[], None] | None = None


class Worker:
    """The queue of steps.  `publish` programs the pools of ordinary events."""

    def __init__(self, publish: Program, scripts: ScriptRunner, fifos: NotifyFifos, mailer: Mailer, log: LogWriter) -> None:
        self._publish = publish
        self._scripts = scripts
        self._fifos = fifos
        self._log = log
        self._mailer = mailer
        self._queue: deque[Step] = deque()
        self._news = asyncio.Event()
        self._finishing = False
        self._open: Step | None = None

    def add(self, step: Step) -> None:
        """Put a step behind those that are waiting."""
        self._queue.append(step)
        self._news.set()

    def collect(self, step: Step, feed: Callable[[], None]) -> None:
        """Call `feed`, which makes the engine decide something, and put all of that into `step`."""
        self._open = step
        try:
            feed()
        finally:
            self._open = None
        self.add(step)

    def perform(self, actions: list[Action]) -> None:
        """Take the actions of one event: log lines go out now, everything else in its turn."""
        step = self._open or Step()
        for action in actions:
            if isinstance(action, Log):
                self._log.write(int(action.level), action.text)
            elif isinstance(action, Publish):
                step.pools.append(action)
            else:
                step.rest.append(action)
        if step is not self._open and (step.pools or step.rest):
            self.add(step)

    def finish(self) -> None:
        """Let `run` return once everything that has been put in is done."""
        self._finishing = True
        self._news.set()

    async def run(self) -> None:
        """Work until `finish`."""
        while self._queue or not self._finishing:
            self._news.clear()
            while self._queue:
                await self._carry_out(self._next())
            if not self._finishing:
                await self._news.wait()

    def _next(self) -> list[Step]:
        """Take the next step, and with an ordinary one those that wait right behind it and are ordinary, too."""
        steps = [self._queue.popleft()]
        while steps[0].program is None and self._queue and self._queue[0].program is None:
            steps.append(self._queue.popleft())
        return steps

    async def _carry_out(self, steps: list[Step]) -> None:
        pools = [pool for step in steps for pool in step.pools]
        program = steps[0].program
        if program is not None:
            await program(pools)
        elif pools:
            await self._publish(pools)
        for step in steps:
            for action in step.rest:
                self._carry_out_one(action)
            if step.afterwards is not None:
                step.afterwards()

    def _carry_out_one(self, action: Action) -> None:
        match action:
            case RunScript():
                limit = None if action.time_limit is None else action.time_limit / MICRO_PER_SECOND
                self._scripts.run(action.script, action.extra_args, limit)
            case FifoLine():
                self._fifos.write(action.text)
            case Alert():
                self._mailer.send(action.subject, action.body)
            case _:
                pass
