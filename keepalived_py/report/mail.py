"""Mail alerts: texts as mail filters know them, queued, and handed to the configured server one after the other.

A server that does not answer delays the next mail and nothing else; what waits too long, or is too much, is dropped and said so.
"""

import asyncio
import contextlib
import getpass
import socket
import time
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from typing import Final

from keepalived_py.config.globals import GlobalDefs
from keepalived_py.report.smtp import Dialogue, Envelope

QUEUE_MAX: Final = 1000
_CHUNK: Final = 4096


def compose(globals_: GlobalDefs, subject: str, body: str, now: float) -> Envelope:
    """Return a mail as keepalived writes it; `subject` gets ``[router_id]`` before it, `now` is wall clock time in seconds."""
    host = socket.gethostname() or "localhost"
    sender = globals_.notification_email_from or f"<{_user()}@{host}>"
    lines = [
        f"Date: {formatdate(now, localtime=True)}",
        f"From: {sender}",
        f"Subject: [{globals_.router_id or host}] {subject}",
        "X-Mailer: Keepalived",
        "To: " + ",\n ".join(globals_.notification_email),
        "",
        body,
    ]
    clean = "\n".join(line.replace("\r", " ") for line in lines) + "\n"
    content = clean.encode("utf-8", "backslashreplace")
    return Envelope(globals_.smtp_helo_name or host, sender, globals_.notification_email, content)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "root"


class Mailer:
    """Sends alerts from an asyncio loop.  Nothing is sent unless both a server and a recipient are configured."""

    def __init__(self, globals_: GlobalDefs, complain: Callable[[str], None]) -> None:
        self._globals = globals_
        self._complain = complain
        self._waiting: deque[tuple[str, str, float]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._dropped = 0

    @property
    def waiting(self) -> int:
        """Return how many mails have not been handed in yet."""
        return len(self._waiting)

    def configure(self, globals_: GlobalDefs) -> None:
        """Work by new settings; mails that wait go by them, too."""
        self._globals = globals_

    def send(self, subject: str, body: str) -> None:
        """Queue a mail; the oldest one goes when there are too many."""
        if self._globals.smtp_server is None or not self._globals.notification_email:
            return
        if len(self._waiting) >= QUEUE_MAX:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append((subject, body, time.time()))
        if self._task is None:
            self._task = asyncio.create_task(self._work())

    async def drain(self, seconds: float) -> None:
        """Hand in what waits, for at most `seconds`; what is left then is dropped and said so."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=seconds)
            if self._task is not None:
                self._task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._task
        if self._waiting:
            self._complain(f"{len(self._waiting)} mails have not been sent")
            self._waiting.clear()

    async def _work(self) -> None:
        try:
            while self._waiting:
                subject, body, at = self._waiting[0]
                problem = await self._hand_in(compose(self._globals, subject, body, at))
                if self._waiting and self._waiting[0] == (subject, body, at):
                    self._waiting.popleft()
                if problem:
                    self._complain(f"Mail '{subject}' could not be sent: {problem}")
                if self._dropped:
                    self._complain(f"{self._dropped} mails were dropped, since the mail server does not keep up")
                    self._dropped = 0
        finally:
            self._task = None

    async def _hand_in(self, envelope: Envelope) -> str:
        """Run the dialogue; return an empty string, or why the mail was not taken (or not by everybody)."""
        server, patience = self._globals.smtp_server, self._globals.smtp_connect_timeout
        assert server is not None
        dialogue = Dialogue(envelope)
        try:
            async with asyncio.timeout(patience):
                reader, writer = await asyncio.open_connection(str(server.address), server.port)
        except (OSError, TimeoutError) as error:
            return f"{server.address} port {server.port}: {str(error) or 'no answer'}"
        try:
            while not dialogue.done:
                async with asyncio.timeout(patience):
                    data = await reader.read(_CHUNK)
                    if not data:
                        dialogue.closed()
                        break
                    writer.write(dialogue.received(data))
                    await writer.drain()
        except (OSError, TimeoutError) as error:
            dialogue.closed()
            return "" if dialogue.sent else str(error) or "the server does not answer in time"
        finally:
            writer.close()
        return dialogue.failure
