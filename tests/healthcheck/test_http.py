"""HTTP_GET and SSL_GET without a socket: the request, the verdict on any reply, and the bounds."""

import hashlib
import itertools
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keepalived_py.addresses import Address
from keepalived_py.config.checkers import Endpoint, HttpCheck, Regex, StatusRange, TlsOptions, Url
from keepalived_py.healthcheck.http import PATIENCE, HttpKind, HttpProbe, request
from keepalived_py.healthcheck.kind import Failure, Where
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.healthcheck.probe import Await, Connect, Done, Send, Steps, Tls
from keepalived_py.healthcheck.reply import BODY_LIMIT, HEAD_LIMIT, KEEP_LIMIT, HttpReply
from keepalived_py.units import Micro, micro
from tests.healthcheck.builders import address

V4 = Endpoint(address(1), 8080, connect_timeout=micro(5))
V6 = Endpoint(Address.parse("2001:db8::1"), 80)
PLAIN = Url("/")
OK = b"HTTP/1.0 200 OK\r\n\r\n"
HELLO = hashlib.md5(b"hello").hexdigest()


def run(url: Url, *pieces: bytes, check: HttpCheck | None = None, close: bool = True) -> Outcome | None:
    """Feed a probe with pieces of a reply; return its outcome, if it has come to one."""
    probe = HttpProbe(check or HttpCheck(V4), url)
    probe.begin(Micro(0))
    probe.connected(Micro(1))
    for piece in pieces:
        outcome = done(probe.received(piece, Micro(2)))
        if outcome is not None:
            return outcome
    return done(probe.closed(Micro(3))) if close else None


def done(steps: Steps) -> Outcome | None:
    return next((step.outcome for step in steps if isinstance(step, Done)), None)


def reason(outcome: Outcome | None) -> Reason | None:
    return None if outcome is None else outcome.reason


# ---- request ----


@pytest.mark.parametrize(
    ("check", "url", "expected"),
    [
        (HttpCheck(V4), PLAIN, b"GET / HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: 192.0.2.1:8080\r\n\r\n"),
        (HttpCheck(V6), PLAIN, b"GET / HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: [2001:db8::1]:80\r\n\r\n"),
        (
            HttpCheck(V4, http_protocol="1.0C"),
            PLAIN,
            b"GET / HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: 192.0.2.1:8080\r\n\r\n",
        ),
        (
            HttpCheck(V4, http_protocol="1.1", virtualhost="a.example"),
            Url("/x?y=1"),
            b"GET /x?y=1 HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: a.example\r\n\r\n",
        ),
        (
            HttpCheck(V4, virtualhost="a.example"),
            Url("/", virtualhost="b.example:81"),
            b"GET / HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: b.example:81\r\n\r\n",
        ),
    ],
)
def test_request_is_keepaliveds_byte_for_byte(check: HttpCheck, url: Url, expected: bytes) -> None:
    assert request(check, url) == expected


@pytest.mark.parametrize(
    ("check", "url", "tls"),
    [
        (HttpCheck(V4), PLAIN, None),
        (HttpCheck(V4, tls=True, virtualhost="a.example"), PLAIN, Tls(None)),
        (HttpCheck(V4, tls=True, enable_sni=True), PLAIN, Tls(None)),
        (HttpCheck(V4, tls=True, enable_sni=True, virtualhost="a.example"), PLAIN, Tls("a.example")),
        (HttpCheck(V4, tls=True, enable_sni=True, virtualhost="a.example"), Url("/", virtualhost="b.example"), Tls("b.example")),
        (HttpCheck(V4, tls=True, sni_name="c.example"), Url("/", virtualhost="b.example"), Tls("c.example")),
        (HttpCheck(V4, tls=True), Url("/", tls_compliant=True), Tls(None, compliant=True)),
    ],
)
def test_tls_and_the_name_in_sni(check: HttpCheck, url: Url, tls: Tls | None) -> None:
    steps = HttpProbe(check, url).begin(Micro(0))
    assert steps[0] == Connect(check.endpoint, tls)


def test_each_step_asks_for_its_own_url() -> None:
    check = HttpCheck(V4, urls=(Url("/a"), Url("/b")))
    kind = HttpKind()
    assert kind.steps(check) == 2
    probe = kind.probe(check, 1)
    probe.begin(Micro(0))
    assert isinstance(sent := probe.connected(Micro(0))[0], Send)
    assert sent.data.startswith(b"GET /b ")


# ---- verdicts ----


@pytest.mark.parametrize(
    ("status", "codes", "expected"),
    [
        (200, (), Reason.PASSED),
        (299, (), Reason.PASSED),
        (199, (), Reason.BAD_REPLY),
        (300, (), Reason.BAD_STATUS),
        (404, (StatusRange(400, 499),), Reason.PASSED),
        (200, (StatusRange(400, 499), StatusRange(503, 503)), Reason.BAD_STATUS),
        (503, (StatusRange(400, 499), StatusRange(503, 503)), Reason.PASSED),
    ],
)
def test_status_codes(status: int, codes: tuple[StatusRange, ...], expected: Reason) -> None:
    outcome = run(Url("/", status_codes=codes), b"HTTP/1.1 %d Word\r\nContent-Length: 0\r\n\r\n" % status)
    assert reason(outcome) is expected


def test_bad_status_says_which() -> None:
    assert str(run(PLAIN, b"HTTP/1.0 503 Busy\r\n\r\n")) == "status not as configured (503)"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (OK + b"hello", Reason.PASSED),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", Reason.PASSED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", Reason.PASSED),
        (OK + b"hello.", Reason.DIGEST_MISMATCH),
        (OK, Reason.DIGEST_MISMATCH),
    ],
)
def test_digest_is_the_md5_of_the_body(reply: bytes, expected: Reason) -> None:
    assert reason(run(Url("/", digest=HELLO.upper()), reply)) is expected


def test_digest_over_chunk_framing_passes_as_keepalived_computes_it() -> None:
    framing = b"5\r\nhello\r\n0\r\n\r\n"
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framing
    assert reason(run(Url("/", digest=hashlib.md5(framing).hexdigest()), reply)) is Reason.PASSED


@pytest.mark.parametrize(
    ("regex", "expected"),
    [
        (Regex("b+"), Reason.PASSED),
        (Regex("z"), Reason.REGEX_MISMATCH),
        (Regex("z", no_match=True), Reason.PASSED),
        (Regex("b", no_match=True), Reason.REGEX_MISMATCH),
        (Regex("AB", ("caseless",)), Reason.PASSED),
        (Regex("b", min_offset=1, max_offset=1), Reason.PASSED),
        (Regex("b", max_offset=0), Reason.REGEX_MISMATCH),
        (Regex("a", min_offset=1), Reason.REGEX_MISMATCH),
        (Regex("(?<=a)b", min_offset=1), Reason.PASSED),
        (Regex("a", min_offset=99), Reason.REGEX_MISMATCH),
        (Regex("(?1)"), Reason.PASSED),
    ],
)
def test_regex(regex: Regex, expected: Reason) -> None:
    assert reason(run(Url("/", regex=regex), OK + b"abb")) is expected


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ((), Reason.NO_DATA),
        ((b"HTTP/1.0 200 OK\r\n",), Reason.BAD_REPLY),
        ((b"nonsense\r\n\r\n",), Reason.BAD_REPLY),
        ((b"\r\n\r\n\r\n\r\n",), Reason.BAD_REPLY),
        ((b"HTTP/1.0 20 OK\r\n\r\n",), Reason.BAD_REPLY),
        ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n",), Reason.BAD_REPLY),
        ((b"HTTP/1.0 200 OK\r\nContent-Length: 50\r\n\r\nshort",), Reason.PASSED),
        ((b"HTTP/1.1 204 No Content\r\n\r\n",), Reason.PASSED),
        ((b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), Reason.PASSED),
        ((b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 500 No\r\n\r\n",), Reason.BAD_STATUS),
        ((b"HTTP/1.1 101 Up\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n\0\1",), Reason.BAD_STATUS),
    ],
)
def test_replies_of_every_kind(pieces: tuple[bytes, ...], expected: Reason) -> None:
    assert reason(run(PLAIN, *pieces)) is expected


@pytest.mark.parametrize("line", [b"No colon here", b"Space : before colon", b"Ctrl\x01: x", b"Content-Length: x"])
def test_header_lines_that_keepalived_would_not_read_do_not_fail_a_server(line: bytes) -> None:
    reply = b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\nhello"
    assert reason(run(Url("/", digest=HELLO), reply)) is Reason.PASSED
    assert reason(run(PLAIN, reply.replace(b"200", b"500"))) is Reason.BAD_STATUS


def test_a_response_that_is_whole_is_judged_without_waiting_for_the_end_of_the_connection() -> None:
    assert reason(run(PLAIN, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", close=False)) is Reason.PASSED
    assert run(PLAIN, b"HTTP/1.0 200 OK\r\n\r\nhello", close=False) is None


# ---- bounds ----


def test_endless_headers_end_at_the_limit() -> None:
    line = b"X-Padding: " + b"x" * 1000 + b"\r\n"
    pieces = [b"HTTP/1.0 200 OK\r\n"] + [line] * (HEAD_LIMIT // 1000 + 1)
    assert reason(run(PLAIN, *pieces, close=False)) is Reason.TOO_MUCH_DATA


def test_endless_interim_responses_end_at_the_limit() -> None:
    assert reason(run(PLAIN, *[b"HTTP/1.1 100 Continue\r\n\r\n"] * (HEAD_LIMIT // 20), close=False)) is Reason.TOO_MUCH_DATA


def test_endless_body_ends_at_the_limit() -> None:
    piece = bytes(65536)
    assert reason(run(PLAIN, OK, *[piece] * (BODY_LIMIT // 65536 + 1), close=False)) is Reason.TOO_MUCH_DATA


def test_a_match_in_the_kept_part_of_a_long_body_counts() -> None:
    pieces = [OK, b"match me", *[bytes(65536)] * (KEEP_LIMIT // 65536 + 1)]
    assert reason(run(Url("/", regex=Regex("match")), *pieces, close=False)) is Reason.PASSED
    assert reason(run(Url("/", regex=Regex("other")), *pieces, close=False)) is Reason.REGEX_MISMATCH
    assert reason(run(Url("/", regex=Regex("other", no_match=True)), *pieces, close=False)) is Reason.TOO_MUCH_DATA


# ---- time ----


def test_timeouts_say_what_was_waited_for() -> None:
    probe = HttpProbe(HttpCheck(V4), PLAIN)
    assert probe.begin(Micro(0))[1] == Await(micro(5))
    assert reason(done(probe.timed_out(micro(5)))) is Reason.CONNECT_TIMEOUT
    probe = HttpProbe(HttpCheck(V4), PLAIN)
    probe.begin(Micro(0))
    assert probe.connected(micro(2))[1] == Await(micro(7))
    outcome = done(probe.timed_out(micro(7)))
    assert (reason(outcome), outcome and outcome.took) == (Reason.REPLY_TIMEOUT, micro(7))


def test_a_server_that_trickles_cannot_pass_the_bound_of_the_whole_run() -> None:
    probe = HttpProbe(HttpCheck(V4), PLAIN)
    deadline = probe.begin(Micro(0))[1]
    probe.connected(Micro(0))
    now = Micro(0)
    for _ in range(100):
        now = Micro(now + micro(1))
        (deadline,) = probe.received(b"x", now)
        if isinstance(deadline, Await) and deadline.deadline <= now:
            break
    assert deadline == Await(micro(PATIENCE * 5))
    assert now == micro(PATIENCE * 5)


# ---- texts ----


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (Outcome(False, Reason.CONNECT_TIMEOUT), "Timeout connecting server X."),
        (Outcome(False, Reason.REPLY_TIMEOUT), "Timeout HTTP read server X."),
        (Outcome(False, Reason.BAD_STATUS, "404"), "HTTP status code error to server X."),
        (Outcome(False, Reason.DIGEST_MISMATCH), "MD5 digest error to server X."),
        (Outcome(False, Reason.RESET), "Read error with server X."),
    ],
)
def test_what_the_log_says_of_a_failed_try(outcome: Outcome, text: str) -> None:
    assert HttpKind().attempt_text(HttpCheck(V4), Failure(outcome, 1, 1), Where("X", "V")) == text


def test_ssl_get_has_its_own_words() -> None:
    check = HttpCheck(V4, tls=True)
    kind = HttpKind()
    assert kind.name(check) == "SSL_GET"
    failure = Failure(Outcome(False, Reason.REPLY_TIMEOUT), 2, 1)
    assert kind.failure_text(check, failure, Where("X", "V")) == "SSL_CHECK on service X failed after 1 retries."
    assert kind.attempt_text(check, failure, Where("X", "V")) == "Timeout SSL read server X."


# ---- any bytes ----

_LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 404 No\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 101 Up\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"Content-Length: 5\r\n",
        b"Content-Length: 99999999999999999999999\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: upgrade\r\nUpgrade: h2c\r\n",
        b"\r\n",
        b"5\r\nhello\r\n",
        b"ffffffffffffffffff\r\n",
        b"0\r\n\r\n",
        b"hello",
        b"\0",
    ]
)
_WIRE = st.one_of(st.binary(max_size=200), st.lists(_LINES, max_size=12).map(b"".join))
_URLS = st.sampled_from(
    [PLAIN, Url("/", digest=HELLO), Url("/", regex=Regex("h.*o")), Url("/", digest=HELLO, regex=Regex("x", no_match=True))]
)


_WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut `data` at some places, leaving out empty pieces."""
    marks = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(marks)]


@settings(deadline=None)
@given(wire=_WIRE, places=st.lists(st.integers(0, 10_000), max_size=20), url=_URLS)
@example(wire=_WHOLE + b"HTTP/1.1 101 Up\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", places=[], url=PLAIN)
@example(wire=_WHOLE + _WHOLE, places=[len(_WHOLE)], url=Url("/", digest=HELLO))
@example(wire=b"HTTP/1.1 200 OK\r\n\r\n", places=[16, 17, 18], url=PLAIN)
def test_any_bytes_in_any_pieces_give_one_outcome(wire: bytes, places: list[int], url: Url) -> None:
    """No traceback, and where the bytes are cut makes no difference."""
    whole = run(url, *cut(wire, []))
    pieces = run(url, *cut(wire, places))
    assert whole is not None
    assert pieces is not None
    assert (whole.ok, whole.reason, whole.detail) == (pieces.ok, pieces.reason, pieces.detail)
    assert whole.ok == (whole.reason is Reason.PASSED)


@settings(deadline=None)
@given(wire=_WIRE, places=st.lists(st.integers(0, 10_000), max_size=20))
def test_what_a_reply_keeps_is_bounded(wire: bytes, places: list[int]) -> None:
    reply = HttpReply(keep=True)
    for piece in cut(wire, places):
        reply.feed(piece)
        assert len(reply.body or b"") <= len(wire)
        assert not (reply.problem is not None and not reply.complete)


@settings(deadline=None)
@given(
    body=st.binary(max_size=300),
    places=st.lists(st.integers(0, 10_000), max_size=20),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=9),
)
def test_framing_does_not_change_the_digest(body: bytes, places: list[int], sizes: list[int]) -> None:
    chunks, rest = b"", body
    for size in sizes:
        piece, rest = rest[:size], rest[size:]
        if piece:
            chunks += b"%x\r\n%s\r\n" % (len(piece), piece)
    if rest:
        chunks += b"%x\r\n%s\r\n" % (len(rest), rest)
    url = Url("/", digest=hashlib.md5(body).hexdigest())
    for wire in (
        OK + body,
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n",
    ):
        assert reason(run(url, *cut(wire, places))) is Reason.PASSED
        assert reason(run(replace(url, digest="0" * 32), *cut(wire, places))) is Reason.DIGEST_MISMATCH


# ---- methods, headers, bodies ----


def test_method_headers_and_body_on_the_wire() -> None:
    url = Url("/api", method="POST", headers=(("X-Check", "a b"), ("Accept", "*/*")), body="ping\u00e9")
    check = HttpCheck(V4, urls=(url,), http_protocol="1.1")
    assert request(check, url) == (
        b"POST /api HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: 192.0.2.1:8080\r\n"
        b"Content-Length: 6\r\nX-Check: a b\r\nAccept: */*\r\n\r\nping\xc3\xa9"
    )


def test_a_header_of_our_own_name_replaces_ours() -> None:
    url = Url("/", headers=(("host", "other.example"), ("USER-AGENT", "curl"), ("content-length", "0")), body="")
    assert request(HttpCheck(V4), url) == b"GET / HTTP/1.0\r\nhost: other.example\r\nUSER-AGENT: curl\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "url",
    [
        Url("/", method="GE T"),
        Url("/", method=""),
        Url("/", method="GET\r\nX: y"),
        Url("/", headers=(("X Y", "z"),)),
        Url("/", headers=(("", "z"),)),
        Url("/", headers=(("X:", "z"),)),
        Url("/", headers=(("X", "z\r\nY: z"),)),
        Url("/", headers=(("X", "z\0"),)),
    ],
)
def test_what_would_make_another_request_is_not_run(url: Url) -> None:
    assert HttpKind().unusable(HttpCheck(V4, urls=(Url("/"), url))) is not None


def test_head_is_answered_by_headers_alone() -> None:
    url = Url("/", method="HEAD")
    probe = HttpProbe(HttpCheck(V4, urls=(url,)), url)
    probe.begin(Micro(0))
    probe.connected(Micro(0))
    (end,) = probe.received(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", Micro(0))
    assert isinstance(end, Done)
    assert end.outcome.ok


# ---- TLS ----


def tls_of(check: HttpCheck, url: Url = Url("/")) -> Tls | None:  # noqa: B008
    connect = HttpProbe(check, url).begin(Micro(0))[0]
    assert isinstance(connect, Connect)
    return connect.tls


VERIFIED = TlsOptions(verify=True)


@pytest.mark.parametrize(
    ("check", "name"),
    [
        (HttpCheck(V4, tls=True), None),
        (HttpCheck(V4, tls=True, virtualhost="a.example"), None),
        (HttpCheck(V4, tls=True, virtualhost="a.example", enable_sni=True), "a.example"),
        (HttpCheck(V4, tls=True, virtualhost="a.example", sni_name="b.example"), "b.example"),
        (HttpCheck(V4, tls=True, ssl=VERIFIED), "192.0.2.1"),
        (HttpCheck(V6, tls=True, ssl=VERIFIED), "2001:db8::1"),
        (HttpCheck(V4, tls=True, ssl=VERIFIED, virtualhost="a.example"), "a.example"),
        (HttpCheck(V4, tls=True, ssl=VERIFIED, virtualhost="a.example:8443"), "a.example"),
        (HttpCheck(V4, tls=True, ssl=VERIFIED, virtualhost="[2001:db8::7]:8443"), "2001:db8::7"),
        (HttpCheck(V4, tls=True, ssl=VERIFIED, virtualhost="2001:db8::7"), "2001:db8::7"),
        (HttpCheck(V4, tls=True, ssl=VERIFIED, sni_name="b.example"), "b.example"),
    ],
)
def test_name_for_sni_and_certificate(check: HttpCheck, name: str | None) -> None:
    assert tls_of(check) == Tls(name, False, check.ssl)


def test_unverified_tls_is_advised_against_and_nothing_else() -> None:
    kind = HttpKind()
    assert kind.advice(HttpCheck(V4, tls=True)) is not None
    assert kind.advice(HttpCheck(V4, tls=True, ssl=VERIFIED)) is None
    assert kind.advice(HttpCheck(V4)) is None
