"""``authentication`` and ``auth_hmac`` of a VRRP instance."""

import re
from typing import Any, Final

from keepalived_py.config.vrrp import AntiReplay, Authentication, AuthType, HmacAuthentication, HmacKey, HmacMode
from keepalived_py.parser import codes
from keepalived_py.parser.facts import KeyFileState
from keepalived_py.parser.keywords.track_lists import keep_nothing
from keepalived_py.parser.kinds import Choice, Integer, parse_integer, quoted
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import Block, Draft, Keyword, Refused

MAX_PASSWORD: Final = 8
"""Bytes of a VRRPv2 password (RFC 2338 section 5.3.10)."""

_KEY_LOW, _KEY_HIGH = 32, 64
_MAX_KEY_FILE: Final = 4 + 2 * _KEY_HIGH + 7
"""Bytes of a key file: ``hex:``, the digits, and an end of line."""


class _Password:
    """One word of at most eight bytes; a longer one is cut and reported."""

    syntax: str = "PASSWORD"

    def read(self, words: list[str], reading: Reading) -> bytes:
        """Return the bytes that go into adverts."""
        password = reading.argument(words, 1).encode("utf-8", "surrogateescape")
        if len(password) > MAX_PASSWORD:
            reading.complain(codes.TOO_LONG, f"the password is longer than {MAX_PASSWORD} bytes and is cut")
        return password[:MAX_PASSWORD]

    def write(self, value: bytes) -> str | None:
        """Return the password as one word."""
        return quoted(value.decode("utf-8", "surrogateescape")) if value else None


class _Key:
    """``ID hex:DIGITS``, ``ID file:PATH`` or ``ID TEXT``."""

    syntax: str = "INT[1..255] hex:DIGITS|file:PATH|TEXT"

    def read(self, words: list[str], reading: Reading) -> HmacKey:
        """Return the key."""
        if len(words) < 3:
            raise Refused(codes.WORD_MISSING, "key needs an id and a secret; the line is ignored", len(words) - 1)
        ident = parse_integer(words[1], 1, 255, reading, lenient=False)
        text = words[2].encode("utf-8", "surrogateescape")
        secret = self._file(words[2][5:], reading) if text.startswith(b"file:") else _decode(text)
        if not _KEY_LOW <= len(secret) <= _KEY_HIGH:
            raise Refused(codes.HMAC_KEY, f"a key has {_KEY_LOW} to {_KEY_HIGH} bytes, not {len(secret)}; it is ignored", 2)
        return HmacKey(ident, secret)

    @staticmethod
    def _file(path: str, reading: Reading) -> bytes:
        found = reading.facts.key_file(path, _MAX_KEY_FILE)
        if found.exposed:
            reading.complain(codes.KEY_FILE_EXPOSED, f"{path} can be read by others than its owner", 2)
        if found.state is not KeyFileState.OK:
            raise Refused(codes.HMAC_KEY, f"key file {path} {found.state.value}", 2)
        return _decode(found.text)

    def write(self, value: HmacKey) -> str | None:
        """Return id and secret in hexadecimal."""
        return f"{value.id} hex:{value.secret.hex()}"


def _decode(text: bytes) -> bytes:
    """Return the bytes of a secret; malformed hexadecimal is empty."""
    if not text.startswith(b"hex:"):
        return text
    digits = re.sub(rb"[ \t]", b"", text[4:]).decode("ascii", "replace")
    if not re.fullmatch(r"[0-9A-Fa-f]+", digits):
        return b""
    return bytes.fromhex(digits if len(digits) % 2 == 0 else f"{digits[:-1]}0{digits[-1]}")


def _auth(draft: Draft, keyword: Keyword, value: Any, reading: Reading) -> None:
    """Keep a word of ``authentication`` in the draft of the instance."""
    owner = draft.parent
    assert owner is not None
    owner.set(f"auth {keyword.name}", value, reading.line)


def _hmac(draft: Draft, keyword: Keyword, value: Any, reading: Reading) -> None:
    owner = draft.parent
    assert owner is not None
    owner.values["hmac"][keyword.target] = value


def _hmac_key(draft: Draft, keyword: Keyword, value: HmacKey, reading: Reading) -> None:
    owner = draft.parent
    assert owner is not None
    keys: list[HmacKey] = owner.values["hmac"].setdefault("keys", [])
    if any(key.id == value.id for key in keys):
        raise Refused(codes.HMAC_KEY, f"there is a key {value.id} already; this one is ignored")
    keys.append(value)


def _open_hmac(draft: Draft, reading: Reading) -> object:
    """Let several blocks of an instance add to each other."""
    owner = draft.parent
    assert owner is not None
    owner.values.setdefault("hmac", {})
    owner.lines.setdefault("hmac", draft.line)
    return None


def _show_keys(auth: HmacAuthentication) -> list[str]:
    return [written for key in auth.keys if (written := _Key().write(key)) is not None]


AUTH_BLOCKS: Final = (
    Block(
        "authentication",
        "VRRPv2 authentication, which RFC 3768 withdrew.",
        close=keep_nothing,
        keywords=(
            Keyword(
                "auth_type", Choice({kind.name: kind for kind in AuthType}), "Password, or IPsec AH.", "type", apply=_auth,
                since="v1.0.3",
            ),
            Keyword("auth_pass", _Password(), "Password of at most eight bytes.", "password", apply=_auth, since="v1.0.3"),
        ),
        model=Authentication,
        into="authentication",
        since="v1.0.3",
    ),
    Block(
        "auth_hmac",
        "An HMAC behind each advert, in place of authentication.",
        open=_open_hmac,
        close=keep_nothing,
        keywords=(
            Keyword(
                "key",
                _Key(),
                "A key of 32 to 64 bytes; may repeat.",
                "keys",
                apply=_hmac_key,
                show=_show_keys,
                since="v2.4.0",
            ),
            Keyword("active_key", Integer(1, 255, lenient=False), "Id of the key to send with.", apply=_hmac, since="v2.4.0"),
            Keyword(
                "time_window",
                Integer(1, 300, lenient=False),
                "Seconds that clocks may differ; three times advert_int, at least five.",
                apply=_hmac,
                since="v2.4.0",
            ),
            Keyword(
                "anti_replay", Choice({kind.value: kind for kind in AntiReplay}), "What tells a replayed advert.", apply=_hmac,
                since="v2.4.0",
            ),
            Keyword(
                "mode", Choice({mode.value: mode for mode in HmacMode}), "What to do with adverts without one.", apply=_hmac,
                since="v2.4.0",
            ),
        ),
        model=HmacAuthentication,
        into="hmac",
        since="v2.4.0",
    ),
)  # fmt: skip
