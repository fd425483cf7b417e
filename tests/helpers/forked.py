"""Call a function in a forked process, for what would change this one: signals, limits, descriptors, priorities."""

import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def forked(function: Callable[[], T], within: int = 20) -> T:
    """Return what the function returns in a child; fail with its traceback when it raises, and when it takes too long."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if not pid:
        _call(function, reading, writing, within)
    os.close(writing)
    with open(reading, "rb") as stream:
        answer = stream.read()
    _, status = os.waitpid(pid, 0)
    if not answer:
        raise AssertionError(f"the child ended without an answer, status {os.waitstatus_to_exitcode(status)}")
    ok, value = pickle.loads(answer)
    if not ok:
        raise AssertionError(value)
    result: T = value
    return result


def _call(function: Callable[[], object], reading: int, writing: int, within: int) -> None:
    try:
        os.close(reading)
        writing = _out_of_the_way(writing)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(within)
        try:
            answer = pickle.dumps((True, function()))
        except BaseException:
            answer = pickle.dumps((False, traceback.format_exc()))
        os.write(writing, answer)
    finally:
        os._exit(0)


def _out_of_the_way(descriptor: int) -> int:
    """Move a descriptor to a number that no test closes."""
    moved = 100
    os.dup2(descriptor, moved)
    os.close(descriptor)
    return moved
