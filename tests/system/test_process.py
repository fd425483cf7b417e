"""The process that we are; each test in a process of its own."""

import os
import resource
import signal
import time
from pathlib import Path

import pytest

from keepalived_py.config.globals import ProcessTuning
from keepalived_py.system import process
from tests.helpers.forked import forked

root = pytest.mark.skipif(os.geteuid() != 0, reason="priorities need root")


def test_the_name_is_cut_to_15_bytes() -> None:
    def child() -> str:
        process.set_name("keepalived_checkers_of_mine")
        return Path("/proc/self/comm").read_text()

    assert forked(child) == "keepalived_chec\n"


def test_a_child_gets_term_when_its_parent_dies() -> None:
    def grandparent() -> bytes:
        reading, writing = os.pipe()
        parent = os.fork()
        if not parent:
            here = os.getpid()
            if not os.fork():
                signal.signal(signal.SIGTERM, lambda *_: os._exit(os.write(writing, b"T")))
                process.die_with_parent(here)
                os.write(writing, b"ready")
            time.sleep(20)
            os._exit(1)
        os.close(writing)
        assert os.read(reading, 10) == b"ready"
        os.kill(parent, signal.SIGKILL)
        return os.read(reading, 10)

    assert forked(grandparent) == b"T"


def test_a_child_whose_parent_died_already_gets_term_at_once() -> None:
    def child() -> bool:
        got: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _: got.append(number))
        process.die_with_parent(os.getppid() + 1)
        return got == [signal.SIGTERM]

    assert forked(child)


def test_the_descriptor_limit_is_raised_as_far_as_it_goes() -> None:
    def child() -> tuple[int, tuple[int, int]]:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        return process.raise_descriptor_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)

    before, (soft, hard) = forked(child)
    assert before == 256
    assert soft == hard > 256


@pytest.mark.parametrize("closed", [(0,), (2,), (0, 1, 2), ()])
def test_closed_standard_descriptors_become_null(closed: tuple[int, ...]) -> None:
    def child() -> list[str]:
        for descriptor in closed:
            os.close(descriptor)
        before = len(os.listdir("/proc/self/fd"))
        process.keep_standard_descriptors()
        assert len(os.listdir("/proc/self/fd")) == before + len(closed)
        return [os.readlink(f"/proc/self/fd/{descriptor}") for descriptor in closed]

    assert forked(child) == ["/dev/null"] * len(closed)


def test_daemonising_leaves_session_folder_and_terminal() -> None:
    def child() -> tuple[int, bytes]:
        reading, writing = os.pipe()
        session = os.getsid(0)
        starter = os.fork()
        if not starter:
            os.close(reading)
            process.daemonise()
            links = [os.readlink(f"/proc/self/fd/{descriptor}") for descriptor in (0, 1, 2)]
            facts = (
                os.getcwd(),
                links,
                os.getsid(0) not in (os.getpid(), session),
                os.getpgrp() == os.getsid(0),
            )
            os.write(writing, repr(facts).encode())
            os._exit(0)
        os.close(writing)
        _, status = os.waitpid(starter, 0)
        return status, os.read(reading, 1000)

    status, facts = forked(child)
    assert status == 0
    assert facts == repr(("/", ["/dev/null"] * 3, True, True)).encode()


@root
def test_tuning_is_applied_and_scripts_get_ordinary_priorities() -> None:
    def child() -> tuple[list[str], int, set[int], int]:
        processor = min(os.sched_getaffinity(0))
        problems = process.apply_tuning(ProcessTuning(priority=-5, cpu_affinity=(processor,)))
        reading, writing = os.pipe()
        if not os.fork():
            os.write(writing, str(os.getpriority(os.PRIO_PROCESS, 0)).encode())
            os._exit(0)
        return problems, os.getpriority(os.PRIO_PROCESS, 0), os.sched_getaffinity(0) - {processor}, int(os.read(reading, 10))

    assert forked(child) == ([], -5, set(), 0)


@root
def test_real_time_scheduling_is_not_inherited() -> None:
    def child() -> tuple[list[str], int, int, int]:
        problems = process.apply_tuning(ProcessTuning(rt_priority=3, rlimit_rttime=500_000))
        reading, writing = os.pipe()
        if not os.fork():
            os.write(writing, str(os.sched_getscheduler(0) & 0xFF).encode())
            os._exit(0)
        policy = os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK
        return problems, policy, resource.getrlimit(15)[0], int(os.read(reading, 10))

    problems, policy, limit, of_child = forked(child)
    if problems:
        pytest.skip(problems[0])  # a container without CAP_SYS_NICE
    assert (policy, limit, of_child) == (os.SCHED_RR, 500_000, os.SCHED_OTHER)


def test_what_cannot_be_had_is_said_in_words() -> None:
    def child() -> list[str]:
        return process.apply_tuning(ProcessTuning(cpu_affinity=(4000,)))

    (problem,) = forked(child)
    assert problem.startswith("Unable to set the processor affinity: ")
