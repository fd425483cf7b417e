"""An HTTP response as it arrives: any bytes, cut anywhere, become a status, a digest and a body, within bounds.

Framing is parsed by llhttp (httptools).  It is stricter about header lines than keepalived, which reads a status code and a
blank line and asks no more: where llhttp refuses a header, the status line decides and the body ends with the connection.

Limits, and what keepalived does instead: headers `HEAD_LIMIT` (keepalived: 4095 bytes, then the check fails), body `BODY_LIMIT`
(keepalived: none), body kept for a regular expression `KEEP_LIMIT` (keepalived: a window of 4095 bytes).

The digest covers the body.  keepalived does not decode chunks and hashes their framing as well; `digest_is` accepts either.
"""

import hashlib
import re
from typing import Final

import httptools

from keepalived_py.healthcheck.outcome import Reason

HEAD_LIMIT: Final = 32 * 1024
BODY_LIMIT: Final = 16 * 1024 * 1024
KEEP_LIMIT: Final = 1024 * 1024

_HEAD_END: Final = b"\r\n\r\n"
_STATUS_LINE: Final = re.compile(rb"[^ \r\n]+ ([0-9]{3})(?=[ \r])")
_SWITCHING: Final = 101


class HttpReply:
    """State of one response.

    `status` is 0 until the headers are complete.  `complete`: nothing more is needed.  `problem`: why the reply is of no use,
    with `complete` set.  `body` is filled only with `keep`.  `bodiless`: HEAD was asked, so that nothing follows the headers.
    """

    __slots__ = ("_bodiless", "_hash", "_head", "_head_seen", "_parser", "_raw", "_size", "body", "complete", "problem", "status")

    def __init__(self, *, digest: bool = False, keep: bool = False, bodiless: bool = False) -> None:
        self._bodiless = bodiless
        self._head = bytearray()
        self._head_seen = 0
        self._parser: httptools.HttpResponseParser | None = None
        self._hash = hashlib.md5(usedforsecurity=False) if digest else None
        self._raw = hashlib.md5(usedforsecurity=False) if digest else None
        self._size = 0
        self.body: bytearray | None = bytearray() if keep else None
        self.status = 0
        self.complete = False
        self.problem: Reason | None = None

    def feed(self, data: bytes) -> None:
        """Take bytes from the server."""
        while data and not self.complete:
            data = self._feed_body(data) if self.status else self._feed_head(data)

    def end(self) -> None:
        """Learn that the server closed the connection: a body that its headers promised longer counts as it is."""
        if not self.complete and not self.status:
            self._stop(Reason.BAD_REPLY if self._head_seen or self._head else Reason.NO_DATA)
        self.complete = True

    def digest_is(self, hex_digest: str) -> bool:
        """Return whether the MD5 of the body, or of the body with its chunk framing, is `hex_digest`."""
        hashes = (self._hash, self._raw)
        return any(known is not None and known.hexdigest() == hex_digest.lower() for known in hashes)

    def _feed_head(self, data: bytes) -> bytes:
        """Collect one block of headers; return what follows it."""
        end = data.find(_HEAD_END) + len(_HEAD_END)
        if not self._head and len(_HEAD_END) <= end <= HEAD_LIMIT - self._head_seen:  # In one piece, as it nearly always is.
            self._head_seen += end
            self._parse_head(data[:end])
            return data[end:]
        search_from = max(0, len(self._head) - len(_HEAD_END) + 1)
        self._head += data
        end = self._head.find(_HEAD_END, search_from)
        if self._head_seen + (len(self._head) if end < 0 else end) > HEAD_LIMIT:
            self._stop(Reason.TOO_MUCH_DATA)
            return b""
        if end < 0:
            return b""
        end += len(_HEAD_END)
        block, rest = bytes(self._head[:end]), bytes(self._head[end:])
        self._head.clear()
        self._head_seen += end
        self._parse_head(block)
        return rest

    def _parse_head(self, block: bytes) -> None:
        parser = httptools.HttpResponseParser(_Callbacks(self))
        self._parser = parser
        try:
            parser.feed_data(block)
            status = parser.get_status_code()
        except httptools.HttpParserUpgrade:
            status = parser.get_status_code()
            self._stop()
        except httptools.HttpParserError:
            status = self._read_status_line(block)
        if status < 200 and status != _SWITCHING and self.problem is None:
            # RFC 9110 section 15.2: any number of interim responses may precede the final one.
            self.complete = False
            return
        self.status = status
        self.complete = self.complete or self._bodiless

    def _read_status_line(self, block: bytes) -> int:
        self._parser = None
        line = _STATUS_LINE.match(block)
        if line is None:
            self._stop(Reason.BAD_REPLY)
            return 0
        return int(line[1])

    def _feed_body(self, data: bytes) -> bytes:
        if self._raw is not None:
            self._raw.update(data)
        if self._parser is None:
            self.take(data)
            return b""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self.complete:  # What follows a complete response is nobody's business.
                self._stop(Reason.BAD_REPLY)
        return b""

    def take(self, data: bytes) -> None:
        """Take decoded bytes of the body (and none of a second response behind the first)."""
        if self.complete:
            return
        self._size += len(data)
        if self._hash is not None:
            self._hash.update(data)
        if self.body is not None:
            self.body += data
        if self._size > BODY_LIMIT or (self.body is not None and self._size > KEEP_LIMIT):
            self._stop(Reason.TOO_MUCH_DATA)

    def _stop(self, problem: Reason | None = None) -> None:
        self.complete = True
        self.problem = self.problem or problem

    def finish(self) -> None:
        """Learn from the framing that the response is whole."""
        self.complete = True

    def release(self) -> None:
        """Break the cycle with the parser, so that no garbage collection is needed for it."""
        self._parser = None


class _Callbacks:
    """What httptools calls: only the names that it looks for."""

    __slots__ = ("on_body", "on_message_complete")

    def __init__(self, reply: HttpReply) -> None:
        self.on_body = reply.take
        self.on_message_complete = reply.finish
