"""`keepalived_py.addresses`: numeric text only, families by length, arithmetic that stays inside a family."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.addresses import Address, Family, bracketed

PACKED = st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16)


@given(PACKED)
def test_text_of_an_address_is_read_back(packed: bytes) -> None:
    assert Address.parse(str(Address(packed))) == Address(packed)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    try:
        address = Address.parse(text)
    except ValueError:
        return
    assert address.packed == socket.inet_pton(address.family, text)


@pytest.mark.parametrize(
    "text", ["www.example.com", "192.0.2.1/24", "192.0.2.01", "192.0.2", "fe80::1%eth0", "", "1", "192.0.2.1 "]
)
def test_names_prefixes_zones_and_short_forms_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a numeric address"):
        Address.parse(text)


def test_family_follows_from_the_length() -> None:
    assert Address.parse("192.0.2.1").family is Family.INET
    assert Address.parse("2001:db8::1").family is Family.INET6
    assert (Family.INET.bits, Family.INET6.bits) == (32, 128)


def test_adding_counts_on() -> None:
    assert Address.parse("192.0.2.255") + 1 == Address.parse("192.0.3.0")
    assert Address.parse("2001:db8::ffff") + 1 == Address.parse("2001:db8::1:0")


def test_adding_past_the_end_is_an_overflow() -> None:
    with pytest.raises(OverflowError):
        Address.parse("255.255.255.255") + 1


@pytest.mark.parametrize(
    ("text", "multicast", "link_local", "unspecified"),
    [
        ("224.0.0.18", True, False, False),
        ("239.255.255.255", True, False, False),
        ("ff02::12", True, False, False),
        ("169.254.7.7", False, True, False),
        ("fe80::1", False, True, False),
        ("febf::1", False, True, False),
        ("fec0::1", False, False, False),
        ("0.0.0.0", False, False, True),
        ("::", False, False, True),
        ("192.0.2.1", False, False, False),
    ],
)
def test_kinds_of_addresses(text: str, multicast: bool, link_local: bool, unspecified: bool) -> None:
    address = Address.parse(text)
    assert (address.is_multicast, address.is_link_local, address.is_unspecified) == (multicast, link_local, unspecified)


def test_endpoints_are_written_as_the_log_writes_them() -> None:
    assert bracketed(Address.parse("2001:db8::1"), 80) == "[2001:db8::1]:80"
