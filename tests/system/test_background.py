"""Calls in the background: their result comes back, and nobody has to wait for them."""

import asyncio
import threading
import time

import pytest

from keepalived_py.system.background import in_thread


def test_results_and_errors_come_back() -> None:
    async def main() -> None:
        assert await in_thread(lambda: threading.current_thread() is not threading.main_thread())
        with pytest.raises(ZeroDivisionError):
            await in_thread(lambda: 1 // 0)

    asyncio.run(main())


def test_the_loop_goes_on_meanwhile() -> None:
    async def main() -> None:
        release = threading.Event()
        future = in_thread(lambda: release.wait(20))
        await asyncio.sleep(0.01)
        assert not future.done()
        release.set()
        assert await future

    asyncio.run(main())


def test_a_result_that_nobody_waits_for_is_thrown_away() -> None:
    async def main() -> None:
        release = threading.Event()
        future = in_thread(lambda: release.wait(20))
        future.cancel()
        release.set()
        await asyncio.sleep(0.05)
        assert future.cancelled()

    asyncio.run(main())


def test_the_end_of_the_loop_does_not_wait() -> None:
    release = threading.Event()

    async def main() -> None:
        in_thread(lambda: release.wait(20))

    started = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - started < 5
    release.set()
