"""The checkers of a real server: where they connect, when they run, what they expect."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from keepalived_py.addresses import Address
from keepalived_py.config import checkers
from keepalived_py.parser import codes
from keepalived_py.parser.kinds import (
    UINT_MAX,
    Boolean,
    Choice,
    Flag,
    Integer,
    InterfaceName,
    IpAddress,
    Port,
    Span,
    Word,
    Words,
    digits,
    parse_integer,
    quoted,
)
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import Block, Draft, Keyword, Refused, Repeat
from keepalived_py.parser.scripts import Command, UserKind
from keepalived_py.parser.tokens import SplitError, escape_quoted, split_command
from keepalived_py.units import MICRO_PER_SECOND, Micro

_BOOL = Boolean()
SPAN = Span()
LOOP = Span(1)
TIMEOUT = Span(1, UINT_MAX)
ROW = Integer(1)
SCRIPT_TIMEOUT_HIGH: Final = 4294


def _connect_ip(draft: Draft, keyword: Keyword, value: Address, reading: Reading) -> None:
    """Assign the address to connect to, unless `bindto` is of another family."""
    source = draft.values.get("endpoint.bindto", value)
    if source.family is not value.family:
        raise Refused(codes.CHECK_FAMILY, f"{value} is not of the family of bindto {source}; it is ignored")
    draft.set(keyword.target, value, reading.line)


def _bindto(draft: Draft, keyword: Keyword, value: Address, reading: Reading) -> None:
    """Assign the address to connect from, unless that to connect to is of another family."""
    known = draft.values.get("endpoint.address")
    if known is None and draft.block.name not in ("SMTP_CHECK", "host"):
        assert draft.parent is not None
        known = draft.parent.header[0]
    if known is not None and known.family is not value.family:
        raise Refused(codes.CHECK_FAMILY, f"{value} is not of the family of {known}; it is ignored")
    draft.set(keyword.target, value, reading.line)


_ADDRESS: Final = IpAddress(lone=True)

ENDPOINT: Final = (
    Keyword(
        "connect_ip",
        _ADDRESS,
        "Address to connect to; that of the real server.",
        "endpoint.address",
        apply=_connect_ip,
        since="v1.2.13",
    ),
    Keyword("connect_port", Port(), "Port to connect to; that of the real server.", "endpoint.port", since="v1.2.13"),
    Keyword("bindto", _ADDRESS, "Address to connect from.", "endpoint.bindto", apply=_bindto, since="v1.2.13"),
    Keyword("bind_port", Port(), "Port to connect from.", "endpoint.bind_port", since="v1.2.13"),
    Keyword("bind_if", InterfaceName(), "Interface to connect through.", "endpoint.bind_if", since="v1.3.7"),
    Keyword("connect_timeout", TIMEOUT, "Seconds to wait for the peer.", "endpoint.connect_timeout", since="v1.2.13"),
    Keyword("fwmark", Integer(), "Firewall mark of the check's packets.", "endpoint.fwmark", since="v1.2.13"),
)

TIMING: Final = (
    Keyword("retry", Integer(), "Failures beyond the first until the server is down.", "timing.retry", since="v1.3.7"),
    Keyword("delay_before_retry", SPAN, "Seconds before a failed check is repeated.", "timing.delay_before_retry", since="v1.3.7"),
    Keyword("warmup", SPAN, "Largest random delay of the first check.", "timing.warmup", since="v1.3.7"),
    Keyword("delay_loop", LOOP, "Seconds between checks.", "timing.delay_loop", since="v1.3.7"),
    Keyword("alpha", _BOOL, "Down until the first success.", "timing.alpha", since="v1.3.7"),
    Keyword("log_all_failures", _BOOL, "Log each failed try.", "timing.log_all_failures", since="v2.0.11"),
    Keyword("rise", ROW, "Successes in a row until the server is up.", "timing.rise", since="extension"),
    Keyword("fall", ROW, "Failures in a row, each with its retries, until the server is down.", "timing.fall", since="extension"),
)

# HTTP_GET and SSL_GET ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Digest:
    """An MD5 digest in hex."""

    syntax: str = "HEX{32}"

    def read(self, words: list[str], reading: Reading) -> str:
        """Return the digest in lower case."""
        word = reading.argument(words, 1)
        if not re.fullmatch(r"[0-9a-fA-F]{32}", word):
            raise Refused(codes.BAD_VALUE, f"{word!r} is not a digest of 32 hexadecimal digits")
        return word.lower()

    def write(self, value: str | None) -> str | None:
        """Return the digest."""
        return value


@dataclass(frozen=True, slots=True)
class _StatusCodes:
    """Status codes and ranges of them, from 100 to 599."""

    syntax: str = "(INT[100..599]|A-B)..."

    def read(self, words: list[str], reading: Reading) -> list[checkers.StatusRange]:
        """Return the ranges; those that cannot be used are reported."""
        found: list[checkers.StatusRange] = []
        for index, word in enumerate(words[1:], 1):
            first, dash, last = word.partition("-")
            last = last if dash else first
            if digits(first, 3) and digits(last, 3) and 100 <= int(first) <= int(last) <= 599:
                found.append(checkers.StatusRange(int(first), int(last)))
            else:
                reading.complain(codes.BAD_VALUE, f"{word!r} is no HTTP status code or range", index)
        return found

    def write(self, value: tuple[checkers.StatusRange, ...]) -> str | None:
        """Return codes and ranges."""
        return " ".join(map(str, value)) or None


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A regular expression, with the escapes of commands decoded."""

    syntax: str = "REGEX"

    def read(self, words: list[str], reading: Reading) -> str:
        """Return the pattern."""
        try:
            parts = split_command(reading.text, escapes=True)
        except SplitError as error:
            raise Refused(codes.UNMATCHED_QUOTE, str(error)) from None
        if len(parts) != 2:
            raise Refused(codes.EXTRA_WORDS, "regex takes one word; quote a pattern with blanks", min(2, len(words) - 1))
        return parts[1]

    def write(self, value: str | None) -> str | None:
        """Return the pattern in quotes, with whatever would be read otherwise escaped."""
        return None if value is None else f'"{escape_quoted(value)}"'


@dataclass(frozen=True, slots=True)
class _Offset:
    """A byte offset; a bad one is only noted."""

    pure: ClassVar[bool] = True
    syntax: str = "INT"

    def read(self, words: list[str], reading: Reading) -> int:
        """Return the offset."""
        if len(words) != 2 or not digits(words[1], 18):
            raise Refused(codes.IGNORED_VALUE, f"{words[0]} takes one offset in bytes", min(1, len(words) - 1))
        return int(words[1])

    def write(self, value: int | None) -> str | None:
        """Return the digits; None leaves the keyword out."""
        return None if value is None else str(value)


@dataclass(frozen=True, slots=True)
class _Stack:
    """Start and maximum of the matcher's stack; kept, since this program's matcher has none."""

    pure: ClassVar[bool] = True
    syntax: str = "INT INT"

    def read(self, words: list[str], reading: Reading) -> tuple[int, int]:
        """Return both sizes."""
        if len(words) != 3 or not digits(words[1], 18) or not digits(words[2], 18) or int(words[1]) > int(words[2]):
            raise Refused(codes.IGNORED_VALUE, f"{words[0]} takes two sizes in bytes, the smaller one first", 0)
        return int(words[1]), int(words[2])

    def write(self, value: tuple[int, int] | None) -> str | None:
        """Return both sizes."""
        return f"{value[0]} {value[1]}" if value else None


@dataclass(frozen=True, slots=True)
class _Header:
    """A header of a request: its name, and a value of any number of words."""

    syntax: str = "NAME VALUE"

    def read(self, words: list[str], reading: Reading) -> tuple[str, str]:
        """Return name and value."""
        name = reading.argument(words, 1)
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise Refused(codes.BAD_VALUE, f"{name!r} is no name of a header")
        return name, " ".join(words[2:])

    def write(self, value: Any) -> str | None:
        """Nothing: a url may have several."""
        return None


@dataclass(frozen=True, slots=True)
class _Text:
    """Text in quotes, with the escapes of commands decoded."""

    syntax: str = "QUOTED"

    def read(self, words: list[str], reading: Reading) -> str:
        """Return the text."""
        try:
            parts = split_command(reading.text, escapes=True)
        except SplitError as error:
            raise Refused(codes.UNMATCHED_QUOTE, str(error)) from None
        if len(parts) != 2:
            raise Refused(codes.EXTRA_WORDS, f"{words[0]} takes one word; quote text with blanks", min(2, len(words) - 1))
        return parts[1]

    def write(self, value: str | None) -> str | None:
        r"""Return the text in quotes, with backslashes, quotes and control characters escaped."""
        if value is None:
            return None
        return '"' + "".join(f"\\x{ord(char):02x}" if char < " " or char in '\\"' else char for char in value) + '"'


def _header(draft: Draft, keyword: Keyword, value: tuple[str, str], reading: Reading) -> None:
    draft.add("headers", value, reading.line)


_HTTP_PROTOCOLS: Final = {"1.0": "1.0", "1.0C": "1.0C", "1.0c": "1.0C", "1.1": "1.1"}

_URL_KEYWORDS: Final = (
    Keyword("path", Word("PATH"), "What to ask for.", repeat=Repeat.REPLACE, since="v0.5.3"),
    Keyword("digest", _Digest(), "MD5 of the body.", repeat=Repeat.DUPLICATE, since="v0.5.3"),
    Keyword("status_code", _StatusCodes(), "Codes that are good; 200-299 if none.", "status_codes", Repeat.ADD, since="v0.7.6"),
    Keyword(
        "virtualhost",
        Word("HOST", missing=codes.WORD_MISSING),
        "Host header of this request.",
        repeat=Repeat.REPLACE,
        since="v1.3.6",
    ),
    Keyword("regex", _Pattern(), "Pattern that the body must match.", "regex.pattern", Repeat.REPLACE, since="v2.0.7"),
    Keyword("regex_no_match", Flag(), "The body must not match.", "regex.no_match", since="v2.0.7"),
    Keyword(
        "regex_options", Words("PCRE2_OPTION...", least=0), "How the pattern is read.", "regex.options", Repeat.ADD, since="v2.0.7"
    ),
    Keyword("regex_min_offset", _Offset(), "First byte at which a match may start.", "regex.min_offset", since="v2.0.7"),
    Keyword("regex_max_offset", _Offset(), "Last byte at which a match may start.", "regex.max_offset", since="v2.0.7"),
    Keyword("regex_stack", _Stack(), "Stack of the matcher.", "regex.stack", since="v2.0.7"),
    Keyword("method", Word("METHOD"), "Method of the request; GET.", since="extension"),
    Keyword(
        "header",
        _Header(),
        "A header of the request; one of a name that is sent anyway replaces it.",
        "headers",
        Repeat.ADD,
        apply=_header,
        since="extension",
        show=lambda url: [f"{name} {quoted(value)}" for name, value in url.headers],
    ),
    Keyword("body", _Text(), "Body of the request.", since="extension"),
)
_URL_TLS: Final = Keyword("tls_compliant", _BOOL, "The peer must end TLS properly.", "tls_compliant", since="v2.2.8")


def _close_url(draft: Draft, reading: Reading) -> None:
    """Take a request that has a path."""
    if "path" not in draft.values:
        reading.report(codes.CHECK_INCOMPLETE, "the url has no path and is dropped", draft.line, "url")
        return
    assert draft.parent is not None
    draft.parent.children.append(draft)


def _url(*extra: Keyword) -> Block:
    return Block(
        "url",
        "One request; each must be answered as told.",
        close=_close_url,
        keywords=(*_URL_KEYWORDS, *extra),
        model=checkers.Url,
        into="urls",
        since="v0.5.3",
    )


def _sni_name(draft: Draft, keyword: Keyword, value: str, reading: Reading) -> None:
    draft.set("enable_sni", True, reading.line)
    if value:
        if "sni_name" in draft.values:
            reading.complain(codes.ALREADY_SET, "sni_name is set already; this one is ignored")
            return
        draft.set("sni_name", value, reading.line)


_HTTP_KEYWORDS: Final = (
    *ENDPOINT,
    *TIMING,
    Keyword(
        "nb_get_retry", Integer(), "Old spelling of retry.", "timing.retry", alias_of="retry", old=codes.DEPRECATED, since="v0.5.3"
    ),
    Keyword("virtualhost", Word("HOST", missing=codes.WORD_MISSING), "Host header.", repeat=Repeat.REPLACE, since="v1.3.6"),
    Keyword(
        "http_protocol",
        Choice(_HTTP_PROTOCOLS),
        "Version spoken; C adds Connection: close.",
        missing=codes.WORD_MISSING,
        since="v2.0.17",
    ),
    Keyword(
        "sni_name", Word("HOST", optional=True), "Name for the TLS handshake; the virtual host.", apply=_sni_name, since="v2.4.3+"
    ),
    Keyword("enable_sni", _BOOL, "Send a name in the TLS handshake.", since="v1.4.3"),
    Keyword("fast_recovery", _BOOL, "While down, ask the failed url first.", since="v2.0.17"),
    Keyword("ssl_verify", _BOOL, "The certificate must be valid, for this name or address.", "ssl.verify", since="extension"),
    Keyword("ssl_ca", Word("FILE"), "Whom to trust; the SSL block's, else the system's.", "ssl.ca", since="extension"),
    Keyword("ssl_cert", Word("FILE"), "Our certificate; the SSL block's.", "ssl.certificate", since="extension"),
    Keyword("ssl_key", Word("FILE"), "Its key, where the file of the certificate has none.", "ssl.key", since="extension"),
)
_HTTP_TLS: Final = Keyword("tls_compliant", _BOOL, "The peer must end TLS properly.", since="v2.2.8")


def _close_http(draft: Draft, reading: Reading) -> None:
    if not draft.children:
        reading.report(codes.CHECK_INCOMPLETE, f"{draft.block.name} has no url and is dropped", draft.line, draft.block.name)
        return
    _keep_connected(draft, reading)


def _keep_connected(draft: Draft, reading: Reading) -> None:
    """Keep a checker that connects, if it can reach its address."""
    server = draft.parent
    assert server is not None
    if _reachable(draft, server.header[0], reading):
        server.children.append(draft)


def _reachable(draft: Draft, server: Address, reading: Reading) -> bool:
    """Whether nothing speaks against connecting; a link-local address is one of many until an interface is named."""
    values = draft.values
    address: Address = values.get("endpoint.address", server)
    if len(address.packed) == 4 or "endpoint.bind_if" in values or not address.is_link_local:
        return True
    text = f"{address} is link-local: the check needs bind_if and is dropped"
    reading.report(codes.CHECK_LINK_LOCAL, text, draft.line, draft.block.name)
    return False


# The others ---------------------------------------------------------------------------------------------------------------------


def _close_misc(draft: Draft, reading: Reading) -> None:
    server = draft.parent
    assert server is not None
    if draft.values.get("script.user", 0) is None:
        return
    if "script" not in draft.values:
        reading.report(codes.CHECK_SCRIPT, "MISC_CHECK has no misc_path and is dropped", draft.line, draft.block.name)
        return
    server.children.append(draft)


@dataclass(frozen=True, slots=True)
class _MiscUser:
    """``USER [GROUP]``; a user that does not exist drops the checker."""

    syntax: str = "USER [GROUP]"

    def read(self, words: list[str], reading: Reading) -> Any:
        """Return the account, None when there is none."""
        if len(words) < 2:
            raise Refused(codes.WORD_MISSING, "user needs a name", 0)
        try:
            return UserKind().read(words, reading)
        except Refused as refusal:
            reading.complain(codes.CHECK_SCRIPT, f"{refusal.text}; the check is dropped")
            return None

    def write(self, value: Any) -> str | None:
        """Return user and group."""
        return UserKind().write(value)


@dataclass(frozen=True, slots=True)
class _MiscTimeout:
    """Whole seconds, kept as `Micro`."""

    syntax: str = "SECS[0..4294]"

    def read(self, words: list[str], reading: Reading) -> Micro:
        """Return microseconds."""
        return Micro(parse_integer(reading.argument(words, 1), 0, SCRIPT_TIMEOUT_HIGH, reading) * MICRO_PER_SECOND)

    def write(self, value: int) -> str | None:
        """Return seconds."""
        return str(value // MICRO_PER_SECOND) if value else None


@dataclass(frozen=True, slots=True)
class _Hex:
    """Bytes in hex, two digits each (the last of a word may have one); words are joined.  `wild`: ``X`` is any half byte."""

    wild: bool = False
    optional: bool = False
    syntax: str = "HEX..."

    def read(self, words: list[str], reading: Reading) -> tuple[bytes, bytes]:
        """Return the bytes and the mask under which they count."""
        if len(words) < 2 and not self.optional:
            raise Refused(codes.WORD_MISSING, f"{words[0]} needs bytes in hex", 0)
        value, mask = bytearray(), bytearray()
        for index, word in enumerate(words[1:], 1):
            for part in word.split(" "):
                if not re.fullmatch(r"[0-9a-fA-FxX]*" if self.wild else r"[0-9a-fA-F]*", part):
                    raise Refused(codes.BAD_VALUE, f"{word!r} is not bytes in hex", index)
                body = part if len(part) % 2 == 0 else f"{part[:-1]}0{part[-1]}"
                value += bytes.fromhex(re.sub("[xX]", "0", body))
                mask += bytes.fromhex("".join("0" if char in "xX" else "f" for char in body))
        if len(words) > 1 and not value:
            raise Refused(codes.BAD_VALUE, f"{words[0]} needs bytes in hex")
        return bytes(value), bytes(mask)

    def write(self, value: bytes) -> str | None:
        """Return the bytes in hex."""
        return value.hex() or None


def _payload(draft: Draft, keyword: Keyword, value: tuple[bytes, bytes], reading: Reading) -> None:
    draft.set("payload", value[0], reading.line)


def _require_reply(draft: Draft, keyword: Keyword, value: tuple[bytes, bytes], reading: Reading) -> None:
    draft.set("require_reply", True, reading.line)
    draft.set("reply", value[0], reading.line)
    draft.set("reply_mask", value[1], reading.line)


def _show_reply(check: checkers.UdpCheck) -> list[str]:
    """Write the expected answer, with X for each half byte that does not count."""
    pairs = zip(check.reply.hex(), check.reply_mask.hex(), strict=True)
    return ["".join(digit if counts == "f" else "X" for digit, counts in pairs)] if check.require_reply else []


def _close_udp(draft: Draft, reading: Reading) -> None:
    low, high = draft.values.get("min_reply_length", 0), draft.values.get("max_reply_length", 255)
    if low > high:
        reading.report(codes.BAD_VALUE, f"min_reply_length {low} is above max_reply_length {high}", draft.place("min_reply_length"))
    _keep_connected(draft, reading)


_DNS_TYPES: Final = {name: name for name in ("A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY")}


@dataclass(frozen=True, slots=True)
class _DnsName:
    """A domain name without empty labels.  One whose first label is a single character works, and is reported: see `read`."""

    syntax: str = "NAME"

    def read(self, words: list[str], reading: Reading) -> str:
        """Return the name without its final dot."""
        word = reading.argument(words, 1)
        name = word[:-1] if word.endswith(".") else word
        labels = name.split(".") if name else []
        if any(not label or len(label) > 63 for label in labels):
            raise Refused(codes.BAD_VALUE, f"{word!r} has an empty or overlong label")
        if labels and len(labels[0]) == 1 and "." in word:
            # The reference takes such a label for an empty one and ignores the name; the exit status says what it would.
            reading.complain(
                codes.BAD_VALUE, f"keepalived 2.4 refuses {word}, because its first label is a single character; it is used"
            )
        return name

    def write(self, value: str) -> str | None:
        """Return the name."""
        return quoted(value) if value else None


@dataclass(frozen=True, slots=True)
class _FileWeight:
    """``INT [reverse|noreverse]``."""

    syntax: str = "INT [reverse|noreverse]"

    def read(self, words: list[str], reading: Reading) -> tuple[int, bool]:
        """Return the weight, and whether it is reversed."""
        if len(words) < 2:
            raise Refused(codes.WORD_MISSING, "weight needs a number", 0)
        weight = parse_integer(words[1], -0x7FFFFFFF, 0x7FFFFFFF, reading)
        if len(words) > 2 and words[2] not in ("reverse", "noreverse"):
            reading.complain(codes.BAD_WORD, f"{words[2]!r} is not reverse or noreverse", 2)
        return weight, len(words) > 2 and words[2] == "reverse"

    def write(self, value: int | None) -> str | None:
        """Return the digits."""
        return None if value is None else str(value)


def _file_weight(draft: Draft, keyword: Keyword, value: tuple[int, bool], reading: Reading) -> None:
    draft.set("weight", value[0], reading.line)
    draft.set("reverse", value[1], reading.line)


def _show_file_weight(check: checkers.FileCheck) -> list[str]:
    return [] if check.weight is None else [f"{check.weight} {'reverse' if check.reverse else 'noreverse'}"]


def _track_file(draft: Draft, keyword: Keyword, value: str, reading: Reading) -> None:
    if not reading.knows("track_file", value):
        reading.complain(codes.REFERENCE_UNKNOWN, f"no track_file {value} is defined before this line")
        return
    draft.set("track_file", value, reading.line)


def _close_file(draft: Draft, reading: Reading) -> None:
    assert draft.parent is not None
    if "track_file" not in draft.values:
        reading.report(codes.CHECK_INCOMPLETE, "FILE_CHECK has no track_file and is dropped", draft.line, draft.block.name)
        return
    draft.parent.children.append(draft)


def _bfd_name(draft: Draft, keyword: Keyword, value: str, reading: Reading) -> None:
    if not reading.knows("bfd_instance", value):
        reading.complain(codes.REFERENCE_UNKNOWN, f"no bfd_instance {value} is defined before this line")
        return
    draft.set("name", value, reading.line)


def _close_bfd(draft: Draft, reading: Reading) -> None:
    assert draft.parent is not None
    if "name" not in draft.values:
        reading.report(codes.CHECK_INCOMPLETE, "BFD_CHECK has no name and is dropped", draft.line, draft.block.name)
        return
    draft.parent.children.append(draft)


def _smtp_host(draft: Draft, reading: Reading) -> None:
    """Take the old ``host`` block: one more checker of its own each."""
    checker = draft.parent
    assert checker is not None
    assert checker.parent is not None
    reading.report(codes.OLD_SPELLING, "write the words of host directly into SMTP_CHECK", draft.line, "host")
    if _reachable(draft, checker.parent.header[0], reading):
        checker.children.append(draft)


_HOST: Final = Block("host", "Old form of a connection.", keywords=(*ENDPOINT, *TIMING), close=_smtp_host, since="v1.1.8")


def _checker(name: str, doc: str, model: type, *keywords: Keyword, **more: Any) -> Block:
    more.setdefault("close", _keep_connected)
    return Block(name, doc, keywords=keywords, model=model, into="checkers", **more)


CHECKER_BLOCKS: Final = (
    _checker("TCP_CHECK", "The port accepts connections.", checkers.TcpCheck, *ENDPOINT, *TIMING, since="v0.5.3"),
    _checker(
        "HTTP_GET",
        "Requests are answered as told.",
        checkers.HttpCheck,
        *_HTTP_KEYWORDS,
        blocks=(_url(),),
        close=_close_http,
        select=lambda check: not check.tls,
        since="v0.5.3",
    ),
    _checker(
        "SSL_GET",
        "Requests over TLS are answered as told.",
        checkers.HttpCheck,
        *_HTTP_KEYWORDS,
        _HTTP_TLS,
        blocks=(_url(_URL_TLS),),
        close=_close_http,
        select=lambda check: check.tls,
        since="v0.5.3",
    ),
    _checker(
        "SMTP_CHECK",
        "A mail server greets and says good-bye.",
        checkers.SmtpCheck,
        *ENDPOINT,
        *TIMING,
        Keyword(
            "helo_name", Word("HOST", missing=codes.WORD_MISSING), "Name given in HELO.", repeat=Repeat.REPLACE, since="v1.1.8"
        ),
        blocks=(_HOST,),
        since="v1.1.8",
    ),
    _checker(
        "DNS_CHECK",
        "A name server answers.",
        checkers.DnsCheck,
        *ENDPOINT,
        *TIMING,
        Keyword("type", Choice(_DNS_TYPES, fold=True), "Type of the query.", since="v1.3.0"),
        Keyword("name", _DnsName(), "Name asked for; the root.", repeat=Repeat.DUPLICATE, since="v1.3.0"),
        since="v1.3.0",
    ),
    _checker(
        "UDP_CHECK",
        "A datagram is not refused, or answered.",
        checkers.UdpCheck,
        *ENDPOINT,
        *TIMING,
        Keyword("payload", _Hex(), "What to send.", apply=_payload, since="v2.2.0"),
        Keyword(
            "require_reply",
            _Hex(wild=True, optional=True, syntax="[HEX...]"),
            "An answer must come.",
            apply=_require_reply,
            show=_show_reply,
            since="v2.1.0",
        ),
        Keyword("min_reply_length", Integer(0, 65535), "Shortest answer in bytes.", since="v2.2.0"),
        Keyword("max_reply_length", Integer(0, 65535), "Longest answer in bytes.", since="v2.2.0"),
        close=_close_udp,
        since="v2.1.0",
    ),
    _checker("PING_CHECK", "The host answers echo requests.", checkers.PingCheck, *ENDPOINT, *TIMING, since="v2.1.0"),
    _checker(
        "MISC_CHECK",
        "A program of the user says so.",
        checkers.MiscCheck,
        *TIMING,
        Keyword("misc_path", Command(user=False), "The program.", "script", missing=codes.SCRIPT_UNPARSED, since="v0.5.3"),
        Keyword("misc_timeout", _MiscTimeout(), "Seconds until it is killed; delay_loop.", "timeout", since="v1.1.0"),
        Keyword("misc_dynamic", Flag(), "Exit status 2..255 sets the weight to status - 2.", "dynamic", since="v1.1.8"),
        Keyword("user", _MiscUser(), "Whom it runs as.", "script.user", since="v1.3.0"),
        close=_close_misc,
        since="v0.5.3",
    ),
    _checker(
        "FILE_CHECK",
        "The number in a tracked file adds to the weight.",
        checkers.FileCheck,
        Keyword("track_file", Word("NAME"), "The tracked file.", apply=_track_file, since="v2.1.0"),
        Keyword("weight", _FileWeight(), "Factor on the number.", apply=_file_weight, show=_show_file_weight, since="v2.1.0"),
        close=_close_file,
        since="v2.1.0",
    ),
    _checker(
        "BFD_CHECK",
        "A BFD session is up.",
        checkers.BfdCheck,
        Keyword("name", Word("NAME"), "The session.", apply=_bfd_name, since="v2.0.0"),
        Keyword("alpha", _BOOL, "Down until the session is up.", "timing.alpha", since="v2.0.0"),
        close=_close_bfd,
        since="v2.0.0",
    ),
)
