"""PING_CHECK without a network: packets, strangers, and what the log says."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.addresses import Address, Family
from keepalived_py.config.checkers import Endpoint, PingCheck, Timing
from keepalived_py.healthcheck.kind import Failure, Where
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.healthcheck.ping import PAYLOAD_SIZE, STRANGERS_LIMIT, PingKind, PingProbe, answers, echo_request
from keepalived_py.healthcheck.probe import Associate, Await, Datagrams, Send
from keepalived_py.units import micro
from tests.healthcheck.builders import address
from tests.healthcheck.steps import START, after, outcome

V4 = PingCheck(Endpoint(address(1), 0), Timing())
V6 = PingCheck(Endpoint(Address.parse("2001:db8::1"), 0), Timing())
TOKEN = 0xCAFE_F00D


def reply(family: Family, token: int = TOKEN) -> bytes:
    """What the kernel hands over: type changed, checksum and identifier filled in."""
    type_ = {Family.INET: b"\0", Family.INET6: b"\x81"}[family]
    return type_ + b"\0\x12\x34\x56\x78" + echo_request(family, token)[6:]


@pytest.mark.parametrize(("check", "type_"), [(V4, 8), (V6, 128)])
def test_an_echo_request_on_the_wire(check: PingCheck, type_: int) -> None:
    associate, send, wait = PingProbe(check, TOKEN).begin(START)
    assert associate == Associate(check.endpoint, Datagrams.ECHO)
    assert wait == Await(after(5))
    assert isinstance(send, Send)
    assert send.data[:12] == bytes([type_]) + bytes(5) + b"\xf0\x0d" + b"\xca\xfe\xf0\x0d"
    assert len(send.data) == 8 + PAYLOAD_SIZE


@pytest.mark.parametrize("check", [V4, V6])
def test_the_reply_passes(check: PingCheck) -> None:
    probe = PingProbe(check, TOKEN)
    probe.begin(START)
    assert outcome(probe.received(reply(check.endpoint.address.family), after(0.002))) == Outcome(True, took=micro(0.002))


@pytest.mark.parametrize(
    "stranger",
    [
        b"",
        b"\0" * 11,
        reply(Family.INET, TOKEN + 1),
        reply(Family.INET, TOKEN ^ 0x1_0000),
        reply(Family.INET6),
        echo_request(Family.INET, TOKEN),
        b"\0\1" + reply(Family.INET)[2:],
    ],
)
def test_what_is_no_reply_to_us_is_passed_over(stranger: bytes) -> None:
    probe = PingProbe(V4, TOKEN)
    probe.begin(START)
    assert probe.received(stranger, START) == ()
    assert outcome(probe.received(reply(Family.INET), START)).ok


def test_a_flood_of_strangers_ends_the_check() -> None:
    probe = PingProbe(V4, TOKEN)
    probe.begin(START)
    for _ in range(STRANGERS_LIMIT):
        assert probe.received(b"x", START) == ()
    assert outcome(probe.received(b"x", START)).reason is Reason.BAD_REPLY


def test_silence_fails() -> None:
    probe = PingProbe(V4, TOKEN)
    probe.begin(START)
    assert outcome(probe.timed_out(after(5))).reason is Reason.REPLY_TIMEOUT


@given(st.binary(max_size=200), st.integers(0, 0xFFFFFFFF))
def test_any_bytes_are_a_reply_or_not(data: bytes, token: int) -> None:
    for family in Family:
        assert answers(family, token, data) is False or data[6:12] == (token & 0xFFFF).to_bytes(2, "big") + token.to_bytes(4, "big")
        assert answers(family, token, reply(family, token) + data)


def test_what_the_log_says() -> None:
    kind, where = PingKind(), Where("[192.0.2.1]:tcp:80", "[203.0.113.1]:tcp:80")
    silent = Failure(Outcome(False, Reason.REPLY_TIMEOUT), 1, 1)
    assert kind.attempt_text(V4, silent, where) == "ICMP connection to address [192.0.2.1]:tcp:80 timeout."
    away = replace(silent, outcome=Outcome(False, Reason.UNREACHABLE))
    assert kind.attempt_text(V4, away, where) == "ICMP connection to [192.0.2.1]:tcp:80 of [203.0.113.1]:tcp:80 failed."
    assert (
        kind.failure_text(V4, silent, where)
        == "ICMP CHECK on service [192.0.2.1]:tcp:80 of [203.0.113.1]:tcp:80 failed after 1 retries."
    )
    assert kind.failure_text(V4, replace(silent, first=True), where) == "ICMP CHECK on service [192.0.2.1]:tcp:80 failed."
