"""The channel between parent and child: messages of any size in any pieces, and a far end that goes away."""

import select
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.config.diff import LvsDelta
from keepalived_py.config.globals import GlobalDefs
from keepalived_py.config.lvs import Lvs
from keepalived_py.daemon.channel import Channel, channel_pair
from keepalived_py.daemon.messages import Message, Reload, Running
from tests.healthcheck.builders import checked, lvs, service


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = channel_pair()
    yield left, right
    left.close()
    right.close()


def drained(channel: Channel) -> list[Message]:
    return list(channel.receive())


def test_messages_arrive_whole_and_in_order(pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = (Channel(end) for end in pair)
    reload = Reload(GlobalDefs(router_id="x"), LvsDelta((service(checked(1)),), Lvs()))
    for message in (Running(1), reload, Running(2)):
        left.send(message)
    assert drained(right) == [Running(1), reload, Running(2)]
    assert drained(right) == []
    assert not left.wants_write


def test_both_directions(pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = (Channel(end) for end in pair)
    left.send(Running(1))
    right.send(Running(2))
    assert (drained(left), drained(right)) == ([Running(2)], [Running(1)])


@given(st.lists(st.integers(0, 10), min_size=1, max_size=5), st.data())
def test_pieces_of_any_size_make_the_same_messages(numbers: list[int], data: st.DataObject) -> None:
    raw, end = socket.socketpair()
    other, sink = channel_pair()
    with raw, end, other, sink:
        writer, reader = Channel(other), Channel(end)
        for number in numbers:
            writer.send(Running(number))
        stream = sink.recv(1 << 20)
        found: list[Message] = []
        while stream:
            size = data.draw(st.integers(1, len(stream)))
            raw.sendall(stream[:size])
            stream = stream[size:]
            found += drained(reader)
        assert found == [Running(number) for number in numbers]


def test_a_message_larger_than_any_buffer_does_not_block(pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = (Channel(end) for end in pair)
    huge = Reload(GlobalDefs(notification_email=tuple(f"{number}@example.org" for number in range(300_000))), LvsDelta((), Lvs()))
    left.send(huge)
    left.send(Running(7))
    assert left.wants_write
    found: list[Message] = []
    turns = 0
    while len(found) < 2:
        found += drained(right)
        if turns < 10:
            assert left.wants_write
        assert left in select.select([], [left], [], 0)[1]
        left.flush()
        turns += 1
    assert found == [huge, Running(7)]


def test_what_came_before_the_far_end_closed_is_delivered(pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = (Channel(end) for end in pair)
    left.send(Running(1))
    left.close()
    messages = right.receive()
    assert next(messages) == Running(1)
    with pytest.raises(EOFError):
        next(messages)


def test_half_a_message_before_the_end_is_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].sendall(bytes(7) + b"\x05ab")
    pair[0].close()
    with pytest.raises(EOFError):
        next(Channel(pair[1]).receive())


def test_sending_to_a_far_end_that_is_gone_is_silent_and_keeps_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = (Channel(end) for end in pair)
    right.close()
    left.send(Running(1))
    assert not left.wants_write


def test_a_whole_configuration_survives(pair: tuple[socket.socket, socket.socket]) -> None:
    config = lvs(*(service(checked(number % 250 + 1)) for number in range(200)))
    left, right = (Channel(end) for end in pair)
    left.send(Reload(GlobalDefs(), LvsDelta(config.virtual_servers, Lvs())))
    (message,) = drained(right)
    assert isinstance(message, Reload)
    assert message.lvs.apply(Lvs()) == config
