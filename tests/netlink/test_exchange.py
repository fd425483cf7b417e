"""Answers are matched to requests by their sequence numbers, whatever else arrives."""

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.netlink import exchange
from keepalived_py.netlink.exchange import Acknowledgements, Answer
from keepalived_py.netlink.framing import DecodeError
from tests.ipvs.fake_kernel import acknowledgement, datagram
from tests.ipvs.recorded import recorded

MESSAGE = bytes.fromhex("01010000")


@given(st.permutations(range(5)), st.lists(st.integers(0, 133), min_size=5, max_size=5))
def test_acknowledgements_in_any_order(order: list[int], errors: list[int]) -> None:
    pending = Acknowledgements(100, 5)
    for count, index in enumerate(order):
        assert (pending.missing, pending.done) == (5 - count, False)
        pending.feed(acknowledgement(100 + index, errors[index]))
    assert pending.done
    assert pending.errors(unanswered=errno.ENOBUFS) == errors


@given(st.lists(st.binary(max_size=60) | st.builds(acknowledgement, st.integers(95, 110), st.integers(0, 20)), max_size=20))
def test_nothing_that_arrives_is_taken_for_more_than_it_is(datagrams: list[bytes]) -> None:
    pending, answer = Acknowledgements(100, 5), Answer(103)
    for data in datagrams:
        for receiver in (pending, answer):
            try:
                receiver.feed(data)
            except DecodeError:
                assert len(data) < 40
    assert len(pending.errors(1)) == 5
    assert pending.errors(-1).count(-1) == pending.missing


@given(st.lists(st.tuples(st.integers(90, 110), st.integers(0, 133)), max_size=30))
def test_acknowledgements_of_others_change_nothing_and_the_first_of_two_counts(arrivals: list[tuple[int, int]]) -> None:
    pending = Acknowledgements(100, 5)
    for sequence, error in arrivals:
        pending.feed(acknowledgement(sequence, error))
    first = dict(reversed(arrivals))
    assert pending.errors(unanswered=-1) == [first.get(sequence, -1) for sequence in range(100, 105)]


def test_several_acknowledgements_in_one_datagram_and_a_repeated_one() -> None:
    pending = Acknowledgements(1, 3)
    pending.feed(acknowledgement(2, 17) + acknowledgement(1, 0) + acknowledgement(2, 0))
    assert pending.errors(unanswered=99) == [0, 17, 99]


def test_a_query_is_done_with_its_acknowledgement() -> None:
    answer = Answer(5)
    answer.feed(datagram(34, 0, 4, MESSAGE) + datagram(34, 0, 5, MESSAGE))
    assert (len(answer.messages), answer.done) == (1, False)
    answer.feed(acknowledgement(5, 3) + datagram(34, 0, 5, MESSAGE))
    assert (len(answer.messages), answer.done, answer.error) == (1, True, 3)


def test_an_interrupted_dump_says_so() -> None:
    answer = Answer(5)
    answer.feed(datagram(34, 0x12, 5, MESSAGE) + datagram(3, 2, 5, struct.pack("=i", 0)))
    assert answer.done
    assert answer.interrupted


def test_a_dump_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "DUMP_MAX", 3)
    with pytest.raises(DecodeError, match="more than 3"):
        Answer(5).feed(datagram(34, 2, 5, MESSAGE) * 4)


def test_the_acknowledgements_of_linux_6_1() -> None:
    pending = Acknowledgements(16, 2)
    for data in recorded("acknowledgements"):
        pending.feed(data)
    assert pending.errors(unanswered=-1) == [0, errno.ESRCH]
