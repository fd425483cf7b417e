"""`report.smtp` and `report.mail`: the dialogue reply by reply, and a real exchange over loopback."""

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.addresses import Address
from keepalived_py.config.globals import GlobalDefs, MailServer
from keepalived_py.report.mail import QUEUE_MAX, Mailer, compose
from keepalived_py.report.smtp import Dialogue, Envelope, bare, stuffed
from keepalived_py.units import Seconds

ENVELOPE = Envelope("lb1", "Load <lb@example.com>", ("<a@example.com>", "B <b@example.com>"), b"Subject: x\n\n.dot\nend\n")
GOOD = [
    (b"220 hello\r\n", b"HELO lb1\r\n"),
    (b"250-mx\r\n250 ok\r\n", b"MAIL FROM:<lb@example.com>\r\n"),
    (b"250 ok\r\n", b"RCPT TO:<a@example.com>\r\n"),
    (b"250 ok\r\n", b"RCPT TO:<b@example.com>\r\n"),
    (b"251 ok\r\n", b"DATA\r\n"),
    (b"354 go\r\n", b"Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n"),
    (b"250 taken\r\n", b"QUIT\r\n"),
    (b"221 bye\r\n", b""),
]


def talk(replies: list[tuple[bytes, bytes]]) -> Dialogue:
    dialogue = Dialogue(ENVELOPE)
    for reply, expected in replies:
        assert dialogue.received(reply) == expected
    return dialogue


def test_a_mail_is_handed_in() -> None:
    dialogue = talk(GOOD)
    assert (dialogue.sent, dialogue.done, dialogue.failure) == (True, True, "")


@given(st.integers(min_value=1, max_value=7))
def test_the_pieces_in_which_replies_come_do_not_matter(size: int) -> None:
    dialogue = Dialogue(ENVELOPE)
    said = b""
    for reply, _ in GOOD:
        for start in range(0, len(reply), size):
            said += dialogue.received(reply[start : start + size])
    assert said == b"".join(expected for _, expected in GOOD)


@pytest.mark.parametrize("stage", [0, 1, 2, 5, 6])
def test_a_refusal_ends_the_dialogue_politely(stage: int) -> None:
    dialogue = talk(GOOD[:stage])
    assert dialogue.received(b"554 no\r\n") == b"QUIT\r\n"
    assert dialogue.received(b"221 bye\r\n") == b""
    assert dialogue.done and not dialogue.sent and "554 no" in dialogue.failure


def test_one_recipient_may_be_refused() -> None:
    dialogue = talk([*GOOD[:3], (b"550 unknown\r\n", b"RCPT TO:<b@example.com>\r\n"), *GOOD[4:]])
    assert dialogue.sent and "<a@example.com> was refused: 550 unknown" in dialogue.failure


def test_without_any_recipient_nothing_is_sent() -> None:
    dialogue = talk(GOOD[:3])
    dialogue.received(b"550 no\r\n")
    assert dialogue.received(b"550 no\r\n") == b"QUIT\r\n"
    assert not dialogue.sent


def test_a_connection_that_ends_early_is_no_success() -> None:
    dialogue = talk(GOOD[:5])
    dialogue.closed()
    assert dialogue.done and not dialogue.sent and "DATA" in dialogue.failure


@given(st.lists(st.binary(max_size=60) | st.sampled_from([reply for reply, _ in GOOD]), max_size=20))
def test_any_bytes_are_survived(pieces: list[bytes]) -> None:
    dialogue = Dialogue(ENVELOPE)
    for piece in pieces:
        dialogue.received(piece)
    dialogue.closed()
    assert dialogue.done


def test_replies_without_an_end_are_cut_off() -> None:
    dialogue = Dialogue(ENVELOPE)
    assert dialogue.received(b"x" * 3000) == b"QUIT\r\n"
    dialogue = Dialogue(ENVELOPE)
    assert dialogue.received(b"220-more\r\n" * 200).startswith(b"QUIT")


@given(st.binary(max_size=80))
def test_no_content_ends_the_message_early(content: bytes) -> None:
    sent = stuffed(content)
    assert sent.endswith(b".\r\n")
    assert b"\r\n.\r\n" not in b"\r\n" + sent[: -len(b".\r\n")]


def test_bare_addresses() -> None:
    assert [bare(text) for text in ("A <a@b>", "<a@b>", "a@b")] == ["<a@b>", "<a@b>", "<a@b>"]


def settings(port: int = 25, **more: object) -> GlobalDefs:
    server = MailServer(Address.parse("127.0.0.1"), port)
    recipients = ("<a@example.com>", "<b@example.com>")
    return GlobalDefs(router_id="LB", notification_email=recipients, smtp_server=server, **more)  # type: ignore[arg-type]


def test_the_text_is_keepalived_s() -> None:
    mail = compose(settings(notification_email_from="<lb@example.com>"), "Realserver X - DOWN", "=> gone <=", 0)
    text = mail.content.decode()
    assert re.match(r"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}\n", text)
    assert text.split("\n", 1)[1] == (
        "From: <lb@example.com>\nSubject: [LB] Realserver X - DOWN\nX-Mailer: Keepalived\n"
        "To: <a@example.com>,\n <b@example.com>\n\n=> gone <=\n"
    )


def test_what_came_from_outside_adds_no_headers() -> None:
    mail = compose(settings(), "evil\r", "line\r", 0)
    assert b"\r" not in mail.content


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await main()

    asyncio.run(whole())


async def serve(handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> tuple[asyncio.Server, int]:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


def test_mails_go_to_a_real_server_in_order_and_a_reload_takes_effect() -> None:
    async def main() -> None:
        taken: list[str] = []

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 here\r\n")
            while line := await reader.readline():
                if line == b"DATA\r\n":
                    writer.write(b"354 go\r\n")
                    message = await reader.readuntil(b"\r\n.\r\n")
                    taken.append(re.findall(r"Subject: (.*)\r", message.decode())[0])
                    writer.write(b"250 ok\r\n")
                elif line == b"QUIT\r\n":
                    writer.write(b"221 bye\r\n")
                    break
                else:
                    writer.write(b"250 ok\r\n")
            writer.close()

        server, port = await serve(handler)
        complaints: list[str] = []
        mailer = Mailer(GlobalDefs(), complaints.append)
        mailer.send("dropped", "no server is configured")
        mailer.configure(settings(port))
        for number in range(5):
            mailer.send(f"mail {number}", "body")
        await mailer.drain(10)
        assert taken == [f"[LB] mail {number}" for number in range(5)]
        assert complaints == [] and mailer.waiting == 0
        server.close()

    run(main)


def test_a_silent_server_costs_its_time_and_no_more() -> None:
    async def main() -> None:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server, port = await serve(handler)
        complaints: list[str] = []
        mailer = Mailer(settings(port, smtp_connect_timeout=Seconds(1)), complaints.append)
        mailer.send("one", "body")
        await mailer.drain(10)
        assert len(complaints) == 1 and "'one' could not be sent" in complaints[0]
        for number in range(QUEUE_MAX + 3):
            mailer.send(f"{number}", "body")
        assert mailer.waiting == QUEUE_MAX
        await mailer.drain(0.05)
        assert complaints[-1] == f"{QUEUE_MAX} mails have not been sent"
        server.close()

    run(main)


def test_a_refused_connection_is_reported() -> None:
    async def main() -> None:
        complaints: list[str] = []
        mailer = Mailer(settings(1), complaints.append)
        mailer.send("one", "body")
        await mailer.drain(10)
        assert "127.0.0.1 port 1" in complaints[0]

    run(main)
