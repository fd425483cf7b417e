from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.checksum import internet_checksum


def by_the_book(data: bytes) -> int:
    """RFC 1071 section 4.1, word by word."""
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@given(st.one_of(st.binary(max_size=64), st.integers(0, 9).map(bytes)))
def test_the_sum_is_that_of_the_book(data: bytes) -> None:
    assert internet_checksum(data) == by_the_book(data)


@given(st.binary(min_size=2, max_size=64).filter(lambda data: len(data) % 2 == 0))
def test_data_with_its_own_checksum_sums_up_to_zero(data: bytes) -> None:
    assert internet_checksum(data + internet_checksum(data).to_bytes(2, "big")) in (0, 0xFFFF)
    assert any(data) is False or internet_checksum(data + internet_checksum(data).to_bytes(2, "big")) == 0


@given(st.binary(max_size=32), st.binary(max_size=32).filter(lambda data: len(data) % 2 == 0))
def test_a_sum_can_go_on_from_another_part(data: bytes, before: bytes) -> None:
    assert internet_checksum(data, int.from_bytes(before, "big")) == by_the_book(before + data)
