"""What every child process has in common: how it comes to life, how long it lives, and how it ends.

    run_child    from the fork to the exit status: name, priorities, log, pid file, event loop
    Lifeline     inside the loop: told to stop, or something of ours has failed

Signals are blocked from before the fork until the lifeline can take them, so that none is lost.  An error of ours, wherever in the
loop it happens, ends the process without further ado: the parent starts another one.  What a process does is its own module's.
"""

import asyncio
import os
import signal
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from keepalived_py.config.globals import GlobalDefs, ProcessTuning
from keepalived_py.daemon import signals
from keepalived_py.daemon.settings import Settings
from keepalived_py.system import process
from keepalived_py.system.files import remove, write_pid
from keepalived_py.system.log import ERROR, Log

INTERNAL_ERROR: Final = 70
OUT_OF_MEMORY: Final = 204


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of child: how the log calls it (`word`, `ident`, `log_suffix` of its file) and ps (`process_name`)."""

    word: str
    ident: str
    log_suffix: str
    process_name: str
    tuning: ProcessTuning
    pid_file: Path


Main = Callable[[Log, int], Coroutine[Any, Any, int]]
"""The life of a child: its log, and the limit of open files that programs it starts are to have; returns an exit status."""


def run_child(role: Role, settings: Settings, globals_: GlobalDefs, parent: int, main: Main) -> int:
    """Be a child that was just forked, with signals blocked; return its exit status."""
    process.die_with_parent(parent)
    descriptors = process.raise_descriptor_limit()
    if globals_.process_names or role.tuning.process_name:
        process.set_name(role.tuning.process_name or role.process_name)
    log = Log(settings.log, role.ident, role.log_suffix)
    for problem in process.apply_tuning(role.tuning):
        log.warning(problem)
    try:
        write_pid(role.pid_file, os.getpid())
    except OSError as error:
        log.error(f"{role.word} child process: cannot write pidfile {role.pid_file}: {error.strerror}")
    try:
        return asyncio.run(_live(main, log, descriptors))
    except MemoryError:
        return OUT_OF_MEMORY
    except Exception:
        log.write_lines(ERROR, f"{role.word} child process failed:\n{traceback.format_exc()}")
        return INTERNAL_ERROR
    finally:
        remove(role.pid_file)


async def _live(main: Main, log: Log, descriptors: int) -> int:
    """Make the objects of the process inside its loop."""
    return await main(log, descriptors)


class Lifeline:
    """How long a child lives; made inside its event loop."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._failed: asyncio.Future[None] = loop.create_future()
        loop.set_exception_handler(self._on_error)
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        for number in signals.HANDLED - {int(signal.SIGTERM), int(signal.SIGCHLD)}:
            loop.add_signal_handler(number, lambda: None)  # the parent's: it tells us what they mean
        signals.unblock()

    @property
    def stopped(self) -> bool:
        """Whether the process has been told to end."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Tell the process to end."""
        self._stop.set()

    async def outlasts(self, *tasks: "asyncio.Task[Any]") -> None:
        """Wait until one of the tasks ends, or the process is told to; raise what went wrong in any of its callbacks."""
        stopping = asyncio.create_task(self._stop.wait())
        awaited: set[asyncio.Future[Any]] = {stopping, self._failed, *tasks}
        done, _ = await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        for future in done:
            future.result()

    def _on_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take note of an exception in a callback: without it the process would go on with half of its parts."""
        error = context.get("exception")
        if error is None:
            loop.default_exception_handler(context)
        elif not self._failed.done():
            self._failed.set_exception(error)
