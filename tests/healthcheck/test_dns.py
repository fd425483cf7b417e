"""DNS_CHECK without a network: the query on the wire, any answer, truncation, and what the log says."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.config.checkers import DnsCheck, Endpoint, Timing
from keepalived_py.healthcheck.dns import STRANGERS_LIMIT, TYPES, Answer, DnsKind, DnsProbe, encode_name, query, read_answer
from keepalived_py.healthcheck.kind import Failure, Where
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.healthcheck.probe import Associate, Await, Connect, Datagrams, Send, Steps
from keepalived_py.units import micro
from tests.healthcheck.builders import address
from tests.healthcheck.steps import START, after, ended, outcome, sent

CHECK = DnsCheck(Endpoint(address(1), 53), Timing(retry=3))
ID = 0xBEEF
WHERE = Where("[192.0.2.1]:udp:53", "[203.0.113.1]:udp:53")


def response(rcode: int = 0, *, id: int = ID, flags: int = 0x8180, rest: bytes = b"") -> bytes:
    return struct.pack("!HHHHHH", id, flags | rcode, 1, 0, 0, 0) + rest


TRUNCATED = response(flags=0x8380)


def asked() -> DnsProbe:
    probe = DnsProbe(CHECK, 0xDEAD_0000 | ID)
    steps = probe.begin(START)
    assert steps == (Associate(CHECK.endpoint, Datagrams.UDP), Send(query(CHECK, ID)), Await(after(5)))
    return probe


def over_tcp() -> DnsProbe:
    probe = asked()
    assert probe.received(TRUNCATED, START) == (Connect(CHECK.endpoint), Await(after(5)))
    message = query(CHECK, ID)
    assert sent(probe.connected(START)) == struct.pack("!H", len(message)) + message
    return probe


# ---- the query ----


def test_the_query_for_the_root_as_on_the_wire() -> None:
    assert query(CHECK, 0x1234) == bytes.fromhex("1234 0100 0001 0000 0000 0000 00 0006 0001")


def test_the_query_for_a_name_as_on_the_wire() -> None:
    wire = query(replace(CHECK, name="www.example.com", type="AAAA"), 1)
    assert wire == bytes.fromhex("0001 0100 0001 0000 0000 0000") + b"\3www\7example\3com\0" + bytes.fromhex("001c 0001")


@pytest.mark.parametrize(("type", "number"), TYPES.items())
def test_every_type_of_the_configuration_has_its_number(type: str, number: int) -> None:
    assert struct.unpack("!H", query(replace(CHECK, type=type), 1)[-4:-2]) == (number,)


def test_types_are_those_of_the_registry() -> None:
    assert TYPES == {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "RRSIG": 46, "DNSKEY": 48}


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("", b"\0"),
        (".", b"\0"),
        ("a", b"\1a\0"),
        ("a.", b"\1a\0"),
        ("x" * 63, b"\x3f" + b"x" * 63 + b"\0"),
        ("x" * 64, None),
        ("a..b", None),
        (".a", None),
        (".".join(["x" * 63] * 4), None),
        (".".join(["x" * 63] * 3 + ["x" * 61]), (b"\x3f" + b"x" * 63) * 3 + b"\x3d" + b"x" * 61 + b"\0"),
        ("\udcff", b"\1\xff\0"),
    ],
)
def test_names(name: str, wire: bytes | None) -> None:
    assert encode_name(name) == wire
    assert (DnsKind().unusable(replace(CHECK, name=name)) is None) == (wire is not None)


@given(st.text(max_size=300))
def test_any_name_is_encoded_within_bounds_or_refused(name: str) -> None:
    wire = encode_name(name) if not any(0xD800 <= ord(char) < 0xDC80 or 0xDD00 <= ord(char) < 0xE000 for char in name) else b"\0"
    if wire is not None:
        assert len(wire) <= 255
        assert wire.endswith(b"\0")


# ---- answers over UDP ----


def test_noerror_passes_with_or_without_records() -> None:
    assert outcome(asked().received(response(), after(0.01))) == Outcome(True, took=micro(0.01))
    assert outcome(asked().received(response(rest=b"anything"), START)).ok


@pytest.mark.parametrize(
    ("rcode", "detail"), [(1, "FORMERR"), (2, "SERVFAIL"), (3, "NXDOMAIN"), (5, "REFUSED"), (10, "NOTZONE"), (15, "rcode 15")]
)
def test_any_other_code_fails(rcode: int, detail: str) -> None:
    assert outcome(asked().received(response(rcode), START)) == Outcome(False, Reason.DNS_ERROR, detail)


@pytest.mark.parametrize(
    "stranger", [b"", b"short", response(id=1), response(flags=0x0100), response(2, id=ID ^ 1), response()[:11]]
)
def test_what_is_no_answer_to_us_is_passed_over(stranger: bytes) -> None:
    probe = asked()
    assert probe.received(stranger, START) == ()
    assert outcome(probe.received(response(), START)).ok


def test_a_flood_of_strangers_ends_the_check() -> None:
    probe = asked()
    for _ in range(STRANGERS_LIMIT):
        assert probe.received(b"x", START) == ()
    assert outcome(probe.received(b"x", START)).reason is Reason.BAD_REPLY


def test_silence_and_refusal() -> None:
    assert outcome(asked().timed_out(after(5))) == Outcome(False, Reason.REPLY_TIMEOUT, "", micro(5))
    assert outcome(asked().failed(Reason.REFUSED, "ECONNREFUSED", START)).reason is Reason.REFUSED


# ---- truncated: TCP ----


@pytest.mark.parametrize("cut", [1, 2, 3, 13])
def test_the_answer_over_tcp_counts(cut: int) -> None:
    for rcode, ok in ((0, True), (2, False)):
        probe = over_tcp()
        message = response(rcode, flags=0x8180)
        wire = struct.pack("!H", len(message)) + message
        assert probe.received(wire[:cut], START) == ()
        assert outcome(probe.received(wire[cut:], START)).ok is ok


def test_an_error_code_needs_no_tcp() -> None:
    assert outcome(asked().received(response(2, flags=0x8380), START)).reason is Reason.DNS_ERROR


def test_without_tcp_the_truncated_answer_stands() -> None:
    """keepalived asks no further; a server that it finds good must not go down by a change of program."""
    probe = asked()
    probe.received(TRUNCATED, START)
    result = outcome(probe.failed(Reason.REFUSED, "ECONNREFUSED", START))
    assert (result.ok, result.detail) == (True, "truncated, and over TCP: connection refused (ECONNREFUSED)")
    probe = asked()
    probe.received(TRUNCATED, START)
    assert outcome(probe.timed_out(after(5))).detail == "truncated, and over TCP: timeout connecting"
    assert outcome(over_tcp().closed(START)).ok


def test_nonsense_over_tcp_fails() -> None:
    assert outcome(over_tcp().received(b"\0\x0c" + response(id=1), START)).reason is Reason.BAD_REPLY
    assert outcome(over_tcp().received(b"\0\0", START)).reason is Reason.BAD_REPLY


def test_an_answer_over_tcp_that_is_still_truncated_is_an_answer() -> None:
    assert outcome(over_tcp().received(struct.pack("!H", len(TRUNCATED)) + TRUNCATED, START)).ok


# ---- any bytes ----

_MESSAGES = st.one_of(
    st.binary(max_size=40),
    st.builds(lambda rcode, flags: response(rcode, flags=flags), st.integers(0, 15), st.sampled_from([0x8180, 0x8380, 0x0100])),
)


@given(st.binary(max_size=600))
def test_any_bytes_are_an_answer_or_none(data: bytes) -> None:
    answer = read_answer(ID, data)
    assert answer is None or (isinstance(answer, Answer) and data[:2] == ID.to_bytes(2, "big") and data[2] & 0x80)


@given(st.lists(_MESSAGES, max_size=8), st.lists(st.binary(min_size=1, max_size=30), max_size=8))
def test_any_datagrams_and_then_any_stream(datagrams: list[bytes], stream: list[bytes]) -> None:
    probe = asked()
    steps: Steps = ()
    for datagram in datagrams:
        steps = probe.received(datagram, START)
        if steps:
            break
    if ended(steps):
        return
    if any(isinstance(step, Connect) for step in steps):
        probe.connected(START)
        for piece in stream:
            steps = probe.received(piece, START)
            assert len(probe._buffer) <= 0xFFFF + 2 + len(piece)
            if ended(steps):
                return
    assert ended(probe.timed_out(START))


# ---- texts ----


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (Outcome(False, Reason.REPLY_TIMEOUT), "read timeout from socket"),
        (Outcome(False, Reason.DNS_ERROR, "SERVFAIL"), "read error occurred. (rcode = 2)"),
        (Outcome(False, Reason.DNS_ERROR, "rcode 15"), "read error occurred. (rcode = 15)"),
        (Outcome(False, Reason.REFUSED, "ECONNREFUSED"), "failed to read socket; connection refused (ECONNREFUSED)"),
    ],
)
def test_what_the_log_says(result: Outcome, text: str) -> None:
    kind = DnsKind()
    failure = Failure(result, 4, 3, final=True)
    assert kind.failure_text(CHECK, failure, WHERE) == f"DNS_CHECK ([192.0.2.1]:udp:53) {text} after 3 retries"
    assert kind.failure_text(CHECK, replace(failure, first=True), WHERE) == f"DNS_CHECK ([192.0.2.1]:udp:53) {text}"
    assert kind.attempt_text(CHECK, replace(failure, final=False), WHERE) == f"DNS_CHECK ([192.0.2.1]:udp:53) {text}"
    assert kind.attempt_text(CHECK, failure, WHERE) is None
    assert kind.success_text(CHECK, Outcome(True), WHERE) == ()
