"""Framing: what is packed can be read, and what cannot be read is refused, whatever it is."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.netlink.framing import (
    DecodeError,
    Message,
    MessageFlag,
    attribute,
    attributes,
    error_of,
    family_id,
    family_request,
    generic_attributes,
    generic_request,
    messages,
)


@given(st.binary(max_size=200))
def test_any_datagram_is_messages_or_a_decode_error(datagram: bytes) -> None:
    try:
        for message in messages(datagram):
            assert len(message.payload) <= len(datagram) - 16
    except DecodeError:
        pass


@given(st.binary(max_size=200))
def test_any_attributes_are_read_or_a_decode_error(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert sum(len(payload) + 4 for payload in attributes(data).values()) <= len(data)


@given(st.dictionaries(st.integers(0, 0x3FFF), st.binary(max_size=30), max_size=8))
def test_attributes_come_back(values: dict[int, bytes]) -> None:
    assert attributes(b"".join(attribute(number, payload) for number, payload in values.items())) == values


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 2**32 - 1), st.binary(max_size=20).map(lambda it: attribute(1, it)))))
def test_requests_come_back(requests: list[tuple[int, int, bytes]]) -> None:
    data = b"".join(
        generic_request(0x22, command, sequence, MessageFlag.ACK, payload=payload) for command, sequence, payload in requests
    )
    assert [(it.payload[0], it.sequence, it.payload[4:]) for it in messages(data)] == requests


def test_of_two_attributes_the_last_counts_and_marks_in_the_type_do_not() -> None:
    assert attributes(attribute(5, b"one") + attribute(5 | 0x8000, b"two")) == {5: b"two"}


@pytest.mark.parametrize("length", [0, 15, 21, 0xFFFFFFFF])
def test_a_message_longer_or_shorter_than_can_be(length: int) -> None:
    whole = generic_request(1, 2, 3, MessageFlag.REQUEST)
    damaged = struct.pack("=I", length) + whole[4:]
    found = messages(whole + damaged)
    assert next(found).sequence == 3
    with pytest.raises(DecodeError, match="length"):
        next(found)


@pytest.mark.parametrize("length", [0, 3, 9])
def test_an_attribute_longer_or_shorter_than_can_be(length: int) -> None:
    with pytest.raises(DecodeError, match=r"attribute 7: length"):
        attributes(struct.pack("=HH", length, 7) + bytes(4))


def test_errors() -> None:
    assert error_of(Message(2, 0, 1, struct.pack("=i", -17))) == 17
    assert error_of(Message(3, 0, 1, struct.pack("=i", 0))) == 0
    assert error_of(Message(3, 0, 1, b"")) == 0
    with pytest.raises(DecodeError):
        error_of(Message(2, 0, 1, b"\xef"))


def test_family_lookup() -> None:
    # genl-ctrl-list's request for "IPVS": nlctrl is family 16, GETFAMILY command 3, the name attribute 2.
    expected = "20000000 1000 0500 09000000 00000000 03 01 0000 0900 0200 49505653 00000000"
    assert family_request("IPVS", 9) == bytes.fromhex(expected)
    answer = bytes.fromhex("01020000") + attribute(2, b"IPVS\0") + attribute(1, struct.pack("=H", 34))
    assert family_id(Message(16, 0, 9, answer)) == 34
    for damaged in answer[:12], answer[:-8] + attribute(1, b"\x22"), b"":
        with pytest.raises(DecodeError):
            family_id(Message(16, 0, 9, damaged))
    with pytest.raises(DecodeError):
        generic_attributes(Message(16, 0, 9, b"abc"))
