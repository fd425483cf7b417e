"""UDP_CHECK without a network: what is sent, which replies will do, and what the log says."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.config.checkers import Endpoint, Timing, UdpCheck
from keepalived_py.healthcheck.kind import Failure, Where
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.healthcheck.probe import Associate, Await, Datagrams, Send
from keepalived_py.healthcheck.udp import UdpKind, UdpProbe, mismatch
from keepalived_py.units import micro
from tests.healthcheck.builders import address
from tests.healthcheck.steps import START, after, outcome

CHECK = UdpCheck(Endpoint(address(1), 514), Timing())
REQUIRED = replace(CHECK, require_reply=True)


def asked(check: UdpCheck) -> UdpProbe:
    probe = UdpProbe(check)
    probe.begin(START)
    return probe


def test_payload_as_configured_or_keepalived_s_own_32_bytes() -> None:
    steps = UdpProbe(replace(CHECK, payload=b"\0\1\2")).begin(START)
    assert steps == (Associate(CHECK.endpoint, Datagrams.UDP), Send(b"\0\1\2"), Await(after(5)))
    assert UdpProbe(CHECK).begin(START)[1] == Send(b"keepalived check - keepalived ch")


def test_without_require_reply_silence_and_any_answer_pass() -> None:
    assert outcome(asked(CHECK).timed_out(after(5))) == Outcome(True, took=micro(5))
    assert outcome(asked(CHECK).received(b"anything" * 100, START)).ok
    assert outcome(asked(CHECK).received(b"", START)).ok


def test_an_icmp_error_fails() -> None:
    assert outcome(asked(CHECK).failed(Reason.REFUSED, "ECONNREFUSED", START)).reason is Reason.REFUSED


def test_with_require_reply_silence_fails_and_any_answer_passes() -> None:
    assert outcome(asked(REQUIRED).timed_out(START)).reason is Reason.REPLY_TIMEOUT
    assert outcome(asked(REQUIRED).received(b"", START)).ok
    assert outcome(asked(REQUIRED).received(b"x" * 9000, START)).ok


@pytest.mark.parametrize(
    ("reply", "mask", "data", "fault"),
    [
        (b"\x01\x02", b"\xff\xff", b"\x01\x02", None),
        (b"\x01\x02", b"\xff\xff", b"\x01\x02\x03", None),
        (b"\x01\x02", b"\xff\xff", b"\x01", None),
        (b"\x01\x02", b"\xff\xff", b"", None),
        (b"\x01\x02", b"\xff\xff", b"\x01\x03", "byte 1 is 03"),
        (b"\x01\x00", b"\xff\x00", b"\x01\x99", None),
        (b"\x10\x02", b"\xf0\xff", b"\x1f\x02", None),
        (b"\x10\x02", b"\xf0\xff", b"\x2f\x02", "byte 0 is 2f"),
        (b"\x01", b"\xff", b"\x01" * 255, None),
        (b"\x01", b"\xff", b"\x01" * 256, "256 bytes, more than 255"),
    ],
)
def test_replies_are_compared_under_the_mask(reply: bytes, mask: bytes, data: bytes, fault: str | None) -> None:
    assert mismatch(replace(REQUIRED, reply=reply, reply_mask=mask), data) == fault


@pytest.mark.parametrize(
    ("low", "high", "length", "fault"),
    [
        (4, 255, 3, "3 bytes, fewer than 4"),
        (4, 255, 4, None),
        (0, 10, 10, None),
        (0, 10, 11, "11 bytes, more than 10"),
        (0, 300, 300, None),
        (0, 255, 300, None),
        (9, 3, 5, "5 bytes, fewer than 9"),
    ],
)
def test_lengths_count_without_data_too_where_they_are_configured(low: int, high: int, length: int, fault: str | None) -> None:
    check = replace(REQUIRED, min_reply_length=low, max_reply_length=high)
    assert mismatch(check, b"x" * length) == fault


def test_a_wrong_reply_fails_at_once() -> None:
    check = replace(REQUIRED, reply=b"yes", reply_mask=b"\xff" * 3)
    assert outcome(asked(check).received(b"no!", START)) == Outcome(False, Reason.REPLY_MISMATCH, "byte 0 is 6e")


@given(st.binary(max_size=300), st.binary(max_size=20), st.binary(max_size=20), st.integers(0, 300), st.integers(0, 300))
def test_any_reply_passes_or_fails(data: bytes, reply: bytes, mask: bytes, low: int, high: int) -> None:
    mask = mask[: len(reply)].ljust(len(reply), b"\0")
    check = replace(REQUIRED, reply=reply, reply_mask=mask, min_reply_length=low, max_reply_length=high)
    good = all((a ^ b) & m == 0 for a, b, m in zip(data, reply, mask, strict=False))
    if reply:
        good = good and low <= len(data) <= high
        assert outcome(asked(check).received(data, START)).ok is good
    else:
        outcome(asked(check).received(data, START))


def test_what_the_log_says() -> None:
    kind, where = UdpKind(), Where("[192.0.2.1]:udp:514", "V")
    bad = Failure(Outcome(False, Reason.REFUSED), 1, 1)
    assert kind.attempt_text(CHECK, bad, where) == "UDP connection to [192.0.2.1]:udp:514 failed."
    wrong = Failure(Outcome(False, Reason.REPLY_MISMATCH), 1, 1)
    assert kind.attempt_text(CHECK, wrong, where) == "UDP check to [192.0.2.1]:udp:514 reply data mismatch."
    assert kind.failure_text(CHECK, bad, where) == "UDP_CHECK on service [192.0.2.1]:udp:514 failed after 1 retries."
    assert kind.success_text(CHECK, Outcome(True), where) == ("UDP connection to [192.0.2.1]:udp:514 success.",)
