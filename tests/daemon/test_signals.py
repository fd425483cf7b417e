"""The parent's signals; each test in a process of its own."""

import os
import select
import signal

from keepalived_py.daemon.signals import HANDLED, SignalInbox, held_back, unblock
from tests.helpers.forked import forked


def kill(*numbers: int) -> None:
    for number in numbers:
        os.kill(os.getpid(), number)


def test_signals_are_noted_once_each_in_the_order_of_their_arrival() -> None:
    def child() -> tuple[list[int], list[int], list[int]]:
        inbox = SignalInbox()
        assert not select.select([inbox], [], [], 0)[0]
        kill(signal.SIGHUP, signal.SIGTERM, signal.SIGHUP)
        assert select.select([inbox], [], [], 0)[0]
        first = inbox.take()
        assert not select.select([inbox], [], [], 0)[0]
        kill(signal.SIGTERM)
        return first, inbox.take(), inbox.take()

    assert forked(child) == ([signal.SIGHUP, signal.SIGTERM], [signal.SIGTERM], [])


def test_no_signal_that_the_manual_names_ends_the_process() -> None:
    def child() -> set[int]:
        inbox = SignalInbox()
        kill(*HANDLED, signal.SIGPIPE)
        return set(inbox.take())

    names = {"TERM": 15, "INT": 2, "HUP": 1, "USR1": 10, "USR2": 12, "RTMAX-1": 63, "RTMIN+2": 36, "CHLD": 17}
    assert forked(child) == set(names.values())


def test_thousands_of_one_signal_do_not_crowd_out_another() -> None:
    def child() -> list[int]:
        inbox = SignalInbox()
        for _ in range(5000):
            kill(signal.SIGHUP)
        kill(signal.SIGTERM)
        return inbox.take()

    assert forked(child) == [signal.SIGHUP, signal.SIGTERM]


def test_sigint_can_be_ignored() -> None:
    def child() -> list[int]:
        inbox = SignalInbox(ignore_sigint=True)
        kill(signal.SIGINT)
        return inbox.take()

    assert forked(child) == []


def test_a_signal_to_a_new_child_is_its_own_and_waits_until_it_is_ready() -> None:
    def parent() -> tuple[list[int], bytes]:
        inbox = SignalInbox()
        reading, writing = os.pipe()
        go, went = os.pipe()
        with held_back():
            pid = os.fork()
            if not pid:
                os.read(go, 1)  # the signal has been sent
                inbox.abandon()
                signal.signal(signal.SIGTERM, lambda *_: os.write(writing, b"child"))
                unblock()
                os._exit(0)
        os.kill(pid, signal.SIGTERM)
        os.write(went, b"x")
        os.close(writing)
        told = os.read(reading, 10)
        os.waitpid(pid, 0)
        return [number for number in inbox.take() if number != signal.SIGCHLD], told

    assert forked(parent) == ([], b"child")


def test_a_child_lets_go_of_everything() -> None:
    def child() -> tuple[int, bool]:
        before = len(os.listdir("/proc/self/fd"))
        inbox = SignalInbox()
        inbox.abandon()
        default = all(signal.getsignal(number) == signal.SIG_DFL for number in HANDLED)
        assert signal.set_wakeup_fd(-1) == -1
        return len(os.listdir("/proc/self/fd")) - before, default

    assert forked(child) == (0, True)


def test_signals_come_again_after_the_fork_has_failed() -> None:
    def child() -> list[int]:
        inbox = SignalInbox()
        try:
            with held_back():
                kill(signal.SIGHUP)
                assert inbox.take() == []
                raise OSError
        except OSError:
            return inbox.take()

    assert forked(child) == [signal.SIGHUP]
