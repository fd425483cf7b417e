"""`keepalived_py.units` and `errors`."""

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.errors import KeepalivedError, KernelError
from keepalived_py.units import MICRO_PER_SECOND, Micro, micro, seconds_text


@given(st.integers(min_value=0, max_value=10**15))
def test_seconds_text_loses_nothing(span: int) -> None:
    text = seconds_text(Micro(span))
    whole, _, part = text.partition(".")
    assert int(whole) * MICRO_PER_SECOND + int(part.ljust(6, "0") or 0) == span
    assert not part.endswith("0")


@pytest.mark.parametrize(("seconds", "span"), [(1, 1_000_000), (0.25, 250_000), (1e-6, 1), (0.0000004, 0)])
def test_micro_rounds_to_the_nearest(seconds: float, span: int) -> None:
    assert micro(seconds) == span


def test_a_kernel_error_names_operation_subject_and_errno() -> None:
    error = KernelError("NEW_DEST", errno.EEXIST, "[192.0.2.1]:tcp:80 -> [198.51.100.1]:80")
    assert isinstance(error, KeepalivedError)
    assert str(error) == "NEW_DEST [192.0.2.1]:tcp:80 -> [198.51.100.1]:80: File exists (EEXIST)"


def test_an_unknown_errno_is_shown_as_a_number() -> None:
    assert "(4095)" in str(KernelError("FLUSH", 4095))
