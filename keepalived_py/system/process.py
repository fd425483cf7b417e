"""The process that we are: name, priority, memory, signals, and becoming a daemon."""

import ctypes
import os
import resource
import signal
from collections.abc import Callable
from typing import Final

from keepalived_py.config.globals import ProcessTuning

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_MCL_CURRENT_AND_FUTURE: Final = 3
_RLIMIT_RTTIME: Final = 15


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def set_name(name: str) -> None:
    """Set the name that ps and pidof show; the kernel keeps 15 bytes."""
    _libc().prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def die_with_parent(parent: int) -> None:
    """Ask for SIGTERM when the parent dies; it may have died already."""
    _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def apply_tuning(tuning: ProcessTuning) -> list[str]:
    """Apply priority, affinity and memory locking; return what could not be done, in words."""
    problems: list[str] = []
    if tuning.priority < 0:  # programs that we start get an ordinary one
        _attempt(problems, "reset priorities of scripts", _reset_on_fork)
    if tuning.priority:
        _attempt(problems, "set the nice value", lambda: os.setpriority(os.PRIO_PROCESS, 0, tuning.priority))
    if tuning.cpu_affinity:
        _attempt(problems, "set the processor affinity", lambda: os.sched_setaffinity(0, tuning.cpu_affinity))
    if tuning.rt_priority is not None:
        limit = (tuning.rlimit_rttime, tuning.rlimit_rttime)
        _attempt(problems, "limit real-time running", lambda: resource.setrlimit(_RLIMIT_RTTIME, limit))
        parameters = os.sched_param(tuning.rt_priority)
        _attempt(
            problems, "set real-time scheduling", lambda: os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, parameters)
        )
    if tuning.no_swap and _libc().mlockall(_MCL_CURRENT_AND_FUTURE):
        problems.append(f"Unable to lock the process in memory: {os.strerror(ctypes.get_errno())}")
    return problems


def _reset_on_fork() -> None:
    os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))


def _attempt(problems: list[str], what: str, action: Callable[[], object]) -> None:
    try:
        action()
    except (OSError, ValueError) as error:
        problems.append(f"Unable to {what}: {error}")


def allow_core_dumps() -> None:
    """Lift the limit on core files as far as it goes."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def raise_descriptor_limit() -> int:
    """Allow as many open files as the hard limit does: every check under way holds one.  Return what was allowed before."""
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return before


def keep_standard_descriptors() -> None:
    """Open /dev/null for each of descriptors 0 to 2 that is closed, so that no socket or file of ours becomes one of them."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open("/dev/null", os.O_RDWR)  # the lowest that is free


def daemonise() -> None:
    """Detach from terminal, session and folder; the calling process ends here with status 0."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    null = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    if null > 2:
        os.close(null)
