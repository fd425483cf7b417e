"""Calls that block, out of the event loop: each in a thread of its own, which the process does not wait for at its end."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


def in_thread(function: Callable[[], _T]) -> "asyncio.Future[_T]":
    """Call a function in a thread and return a future of what it returns or raises.

    Cancelling the future does not end the call; its result is then thrown away.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def call() -> None:
        try:
            result = function()
        except BaseException as error:  # whatever it is belongs to the caller
            hand_over(_fail, error)
        else:
            hand_over(_succeed, result)

    def hand_over(settle: Callable[..., None], value: object) -> None:
        try:
            loop.call_soon_threadsafe(settle, future, value)
        except RuntimeError:
            return  # the loop has ended, and nobody waits any longer

    threading.Thread(target=call, daemon=True, name="background").start()
    return future


def _succeed(future: "asyncio.Future[_T]", result: _T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[object]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
