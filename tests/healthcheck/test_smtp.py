"""SMTP_CHECK without a network: the conversation, any bytes from the server, and what the log says."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.config.checkers import Endpoint, SmtpCheck, Timing
from keepalived_py.healthcheck.kind import Failure, Where
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.healthcheck.probe import Await, Connect, Send, Steps
from keepalived_py.healthcheck.smtp import LINE_LIMIT, LINES_LIMIT, SmtpKind, SmtpProbe, SmtpReply
from keepalived_py.units import micro
from tests.healthcheck.builders import address
from tests.healthcheck.steps import START, after, deadline, ended, feed, outcome, sent

CHECK = SmtpCheck(Endpoint(address(1), 25), Timing(retry=2))
WHERE = Where("[192.0.2.1]:tcp:25", "[203.0.113.1]:tcp:25")


def connected() -> SmtpProbe:
    probe = SmtpProbe(CHECK)
    assert probe.begin(START) == (Connect(CHECK.endpoint), Await(after(5)))
    assert probe.connected(START) == (Await(after(5)),)
    return probe


def talk(*replies: bytes) -> Steps:
    probe = connected()
    steps: Steps = ()
    for reply in replies:
        steps = probe.received(reply, START)
    return steps


def test_the_whole_conversation() -> None:
    probe = connected()
    assert sent(probe.received(b"220 mail.example ESMTP\r\n", START)) == b"HELO smtpchecker.keepalived.org\r\n"
    assert sent(probe.received(b"250 mail.example\r\n", START)) == b"QUIT\r\n"
    assert outcome(probe.received(b"221 bye\r\n", START)).ok


def test_helo_name_as_configured() -> None:
    probe = SmtpProbe(replace(CHECK, helo_name="lb.example"))
    probe.begin(START)
    probe.connected(START)
    assert sent(probe.received(b"220\r\n", START)) == b"HELO lb.example\r\n"


@pytest.mark.parametrize(
    ("replies", "reason", "detail"),
    [
        ([b"554 no service\r\n"], Reason.BAD_GREETING, "554"),
        ([b"SSH-2.0-OpenSSH\r\n"], Reason.BAD_GREETING, ""),
        ([b"22\r\n"], Reason.BAD_GREETING, ""),
        ([b"2200 four digits\r\n"], Reason.BAD_GREETING, ""),
        ([b"220\tmail\r\n"], Reason.BAD_GREETING, ""),
        ([b"\r\n"], Reason.BAD_GREETING, ""),
        ([b"220 x\r\n", b"550 who?\r\n"], Reason.BAD_HELO, "550"),
        ([b"220 x\r\n", b"nonsense\n"], Reason.BAD_HELO, ""),
        ([b"220 " + b"x" * LINE_LIMIT], Reason.TOO_MUCH_DATA, ""),
        ([b"220-x\r\n" * (LINES_LIMIT + 1)], Reason.TOO_MUCH_DATA, ""),
    ],
)
def test_what_fails(replies: list[bytes], reason: Reason, detail: str) -> None:
    assert outcome(talk(*replies)) == Outcome(False, reason, detail)


def test_replies_of_several_lines() -> None:
    steps = talk(b"220-mail.example\r\n220-no spam\r\n220 ready\r\n", b"250-mail.example\r\n", b"250 SIZE\r\n")
    assert sent(steps) == b"QUIT\r\n"


@pytest.mark.parametrize("reply", [b"221 bye\r\n", b"500 what?\r\n", b"nonsense\n", b"x" * (LINE_LIMIT + 1)])
def test_any_answer_to_quit_will_do(reply: bytes) -> None:
    assert outcome(talk(b"220 x\r\n", b"250 x\r\n", reply)).ok


def test_what_comes_unasked_behind_a_reply_is_no_reply_to_what_is_asked_next() -> None:
    probe = connected()
    assert sent(probe.received(b"220 x\r\n250 early\r\n", START)).startswith(b"HELO")
    assert probe.received(b"25", START) == ()
    assert sent(probe.received(b"0 late\r\n", START)) == b"QUIT\r\n"


@pytest.mark.parametrize("replies", [[], [b"220 x\r\n"], [b"220 x\r\n", b"250 x\r\n"], [b"22"]])
def test_the_end_of_the_connection_at_any_time_fails(replies: list[bytes]) -> None:
    probe = connected()
    feed(probe, replies)
    assert outcome(probe.closed(START)).reason is Reason.NO_DATA


def test_each_stage_has_its_time_and_bytes_give_no_more() -> None:
    probe = connected()
    later = after(3)
    assert probe.received(b"2", later) == ()
    assert deadline(probe.received(b"20 x\r\n", later)) == after(8)
    assert outcome(probe.timed_out(after(8))).reason is Reason.REPLY_TIMEOUT
    probe = SmtpProbe(CHECK)
    probe.begin(START)
    assert outcome(probe.timed_out(after(5))) == Outcome(False, Reason.CONNECT_TIMEOUT, "", micro(5))


_REPLIES = st.sampled_from([b"220 x\r\n", b"220-x\r\n", b"250 x\r\n", b"250\n", b"221 x\r\n", b"5", b"\n", b"\r", b"-", b"220"])
_BYTES = st.one_of(st.binary(max_size=50), st.lists(_REPLIES, max_size=6).map(b"".join))


@given(st.lists(_BYTES, max_size=12))
def test_any_bytes_cut_anywhere(pieces: list[bytes]) -> None:
    """Whatever a server sends, the probe goes on, passes or fails: it never raises, and never keeps more than a line."""
    probe = connected()
    for piece in filter(None, pieces):
        steps = probe.received(piece, START)
        assert len(probe._reply._buffer) <= LINE_LIMIT + len(piece)
        if ended(steps):
            assert outcome(steps).ok or outcome(steps).reason in (Reason.BAD_GREETING, Reason.BAD_HELO, Reason.TOO_MUCH_DATA)
            return
        assert all(isinstance(step, Await | Send) for step in steps)


@given(st.binary(max_size=200), st.data())
def test_a_reply_does_not_depend_on_how_it_is_cut(data: bytes, draw: st.DataObject) -> None:
    whole, pieces = SmtpReply(), SmtpReply()
    whole.feed(data)
    rest = data
    while rest:
        length = draw.draw(st.integers(1, len(rest)))
        pieces.feed(rest[:length])
        rest = rest[length:]
    assert (whole.code, whole.problem) == (pieces.code, pieces.problem)


# ---- texts ----


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Reason.CONNECT_TIMEOUT, "SMTP_CHECK Connection timeout to server [192.0.2.1]:25"),
        (Reason.REFUSED, "SMTP_CHECK Could not connect to server [192.0.2.1]:25"),
        (Reason.REPLY_TIMEOUT, "SMTP_CHECK Read timeout from server [192.0.2.1]:25"),
        (Reason.NO_DATA, "SMTP_CHECK Read failure from server [192.0.2.1]:25"),
        (Reason.BAD_GREETING, "SMTP_CHECK Bad greeting banner from server [192.0.2.1]:25"),
        (Reason.BAD_HELO, "SMTP_CHECK Bad HELO response from server [192.0.2.1]:25"),
    ],
)
def test_what_the_log_and_the_mail_say(reason: Reason, text: str) -> None:
    kind = SmtpKind()
    failure = Failure(Outcome(False, reason), 3, 2, final=True)
    assert kind.failure_text(CHECK, failure, WHERE) == text
    assert kind.attempt_text(CHECK, failure, WHERE) is None
    assert kind.attempt_text(CHECK, replace(failure, final=False), WHERE) == text
    what = text.removeprefix("SMTP_CHECK ")
    assert kind.mail_text(CHECK, failure.outcome) == f"=> CHECK failed on service : {what} <="
    assert kind.mail_text(CHECK, Outcome(True)) == "=> CHECK succeed on service <="
