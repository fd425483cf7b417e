"""`global_defs`: the daemon as a whole, and the defaults of everything else."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.globals import GlobalDefs, LvsSyncDaemon, LvsTimeouts, MailServer
from keepalived_py.config.scripts import Fifo, User
from keepalived_py.parser import codes
from keepalived_py.parser.kinds import (
    UINT_MAX,
    Boolean,
    Choice,
    Flag,
    Integer,
    InterfaceName,
    IpAddress,
    Numbers,
    Span,
    Word,
    Words,
    parse_integer,
    parse_multicast,
    parse_port,
    quoted,
)
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import Block, Draft, Effect, Keyword, Refused, Repeat, show_nothing
from keepalived_py.parser.scripts import Command, FifoKind, UserKind
from keepalived_py.parser.source import Include
from keepalived_py.units import Seconds

MAX_IPVS_TIMEOUT: Final = 31 * 24 * 3600
"""Longest timeout that ip_vs takes, in seconds (net/netfilter/ipvs: 31 days)."""

_FLAG, _BOOL, _WORD = Flag(), Boolean(), Word()
_PATH = Word("PATH")
_ONE_PATH = Word("PATH", exactly=True)
_FILLED_PATH = Word("PATH", exactly=True, filled=True)
_NICE = Integer(-20, 19)
_RT_PRIORITY = Integer(1, 99, clamp=True)
_RTTIME = Integer(1)
_DELAY = Integer(0, 4294)
_AT_LEAST_ONE = Integer(0, clamp=True)


@dataclass(frozen=True, slots=True)
class _Repeats:
    """A count, up to `high`, of which 0 makes no sense and becomes 1."""

    pure: ClassVar[bool] = True
    high: int = UINT_MAX
    syntax: str = "INT[1..]"

    def read(self, words: list[str], reading: Reading) -> int:
        """Return the count."""
        number = parse_integer(reading.argument(words, 1), 0, self.high, reading)
        if not number:
            reading.complain(codes.CLAMPED, f"{words[0]} 0 makes no sense; 1 is used")
        return number or 1

    def write(self, value: int | None) -> str | None:
        """Return the digits."""
        return None if value is None else str(value)


@dataclass(frozen=True, slots=True)
class _MailAddress:
    """A mail address; brackets are added when it has none."""

    syntax: str = "ADDRESS"

    def read(self, words: list[str], reading: Reading) -> str:
        """Return the address with its brackets."""
        word = reading.argument(words, 1)
        if len(words) > 2:
            reading.complain(codes.EXTRA_WORDS, f"{words[0]} takes one word; quote a name with blanks", 2)
        return word if "<" in word else f"<{word}>"

    def write(self, value: str | None) -> str | None:
        """Return the address, quoted."""
        return quoted(value) if value else None


@dataclass(frozen=True, slots=True)
class _MailServer:
    """``HOST [PORT]``: a name is looked up while the file is read."""

    syntax: str = "HOST [PORT]"

    def read(self, words: list[str], reading: Reading) -> MailServer:
        """Return address and port."""
        host = reading.argument(words, 1)
        port = parse_port(words[2], reading, 2) if len(words) > 2 else 25
        try:
            return MailServer(Address.parse(host), port)
        except ValueError:
            address = reading.facts.resolve(host)
        if address is None:
            raise Refused(codes.UNRESOLVED, f"{host} cannot be resolved")
        return MailServer(address, port)

    def write(self, value: MailServer | None) -> str | None:
        """Return address and port."""
        return f"{value.address} {value.port}" if value else None


@dataclass(frozen=True, slots=True)
class _LvsTimeouts:
    """``(tcp|tcpfin|udp SECS)+``."""

    syntax: str = "(tcp|tcpfin|udp SECS[0..2678400])..."

    def read(self, words: list[str], reading: Reading) -> LvsTimeouts:
        """Return the timeouts; those that cannot be used are reported."""
        if len(words) < 3:
            raise Refused(codes.WORD_MISSING, f"{words[0]} needs a name and a number of seconds", len(words) - 1)
        found: dict[str, Seconds] = {}
        index = 1
        while index < len(words):
            name = words[index]
            if name not in ("tcp", "tcpfin", "udp"):
                reading.complain(codes.BAD_WORD, f"{name!r} is not one of tcp, tcpfin, udp", index)
                index += 1
                continue
            if index + 1 == len(words):
                reading.complain(codes.WORD_MISSING, f"{name} needs a number of seconds", index)
                break
            try:
                found[name] = Seconds(parse_integer(words[index + 1], 0, MAX_IPVS_TIMEOUT, reading, index + 1))
            except Refused as refusal:
                reading.refused(refusal)
            index += 2
        return LvsTimeouts(**found)

    def write(self, value: LvsTimeouts) -> str | None:
        """Return the timeouts that are set."""
        parts = [f"{name} {getattr(value, name)}" for name in ("tcp", "tcpfin", "udp") if getattr(value, name)]
        return " ".join(parts) or None


_SYNC_NUMBERS: Final = {"id": (0, 255), "maxlen": (1, 65507), "port": (1, 65535), "ttl": (1, 255)}


@dataclass(frozen=True, slots=True)
class _LvsSyncDaemon:
    """``IFNAME [inst WORD] [id N] [maxlen N] [port N] [ttl N] [group ADDR]``, or the old ``IFNAME INSTANCE [ID]``."""

    syntax: str = "IFNAME [inst WORD] [id INT[0..255]] [maxlen INT[1..65507]] [port PORT] [ttl INT[1..255]] [group ADDR]"

    def read(self, words: list[str], reading: Reading) -> LvsSyncDaemon:
        """Return the settings; options that cannot be used are reported."""
        interface = InterfaceName().read(words, reading)
        options: dict[str, Any] = {}
        index = 2
        while index < len(words):
            try:
                index = self._option(words, index, options, reading)
            except Refused as refusal:
                reading.refused(refusal)
                index = refusal.word + 1
        return LvsSyncDaemon(interface, **options)

    @staticmethod
    def _option(words: list[str], index: int, options: dict[str, Any], reading: Reading) -> int:
        """Read the option at `index`; return the index after it.  A refusal points at its last word."""
        name = words[index]
        if name == "inst":
            instance = reading.argument(words, index + 1)
            if "instance" in options:
                raise Refused(codes.ALREADY_SET, "the VRRP instance is named already", index + 1)
            options["instance"] = instance
        elif name == "group" or name in _SYNC_NUMBERS:
            if index + 1 == len(words):
                raise Refused(codes.WORD_MISSING, f"{name} needs a value", index)
            if name == "group":
                options["group"] = parse_multicast(words[index + 1], index + 1)
            else:
                options[name] = parse_integer(words[index + 1], *_SYNC_NUMBERS[name], reading, index + 1, lenient=False)
        elif index == 2:
            options["instance"] = name
            return index + 1
        elif index == 3:
            options["id"] = parse_integer(name, 0, 255, reading, 3, lenient=False)
            reading.complain(codes.DEPRECATED, "the id is written after the word id", 3)
            return index + 1
        else:
            raise Refused(codes.BAD_WORD, f"unknown option {name}", index)
        return index + 2

    def write(self, value: LvsSyncDaemon | None) -> str | None:
        """Return interface and options."""
        if value is None:
            return None
        options = {
            "inst": value.instance,
            "id": value.id,
            "maxlen": value.maxlen,
            "port": value.port,
            "ttl": value.ttl,
            "group": value.group,
        }
        said = (f"{name} {quoted(str(item))}" for name, item in options.items() if item is not None)
        return " ".join([quoted(value.interface), *said])


@dataclass(frozen=True, slots=True)
class _GarpExtra:
    """``[all] SECS``."""

    syntax: str = "[all] INT[1..86400]"

    def read(self, words: list[str], reading: Reading) -> tuple[int, bool]:
        """Return seconds, and whether all interfaces are meant."""
        seconds = 0
        for index, word in enumerate(words[1:], 1):
            if word != "all":
                seconds = parse_integer(word, 1, 86400, reading, index)
        if not seconds:
            raise Refused(codes.WORD_MISSING, f"{words[0]} needs a number of seconds", 0)
        return seconds, "all" in words

    def write(self, value: int) -> str | None:
        """Return the seconds."""
        return str(value) if value else None


def _garp_extra(draft: Draft, keyword: Keyword, value: tuple[int, bool], reading: Reading) -> None:
    draft.set("vrrp.garp_extra_if", Seconds(value[0]), reading.line)
    if value[1]:
        draft.set("vrrp.garp_extra_if_all", True, reading.line)


def _show_garp_extra(defs: GlobalDefs) -> list[str]:
    every = "all " if defs.vrrp.garp_extra_if_all else ""
    return [f"{every}{defs.vrrp.garp_extra_if}"] if defs.vrrp.garp_extra_if else []


_MIN_GARP: Final = {"garp_master_repeat": 1, "garp_master_delay": 0, "garp_master_refresh": 0}


def _min_garp(draft: Draft, keyword: Keyword, value: bool, reading: Reading) -> None:
    """Send one gratuitous ARP and no more, as far as the file has not said otherwise before."""
    if value:
        for name, number in _MIN_GARP.items():
            draft.values.setdefault(f"vrrp.{name}", number)


@dataclass(frozen=True, slots=True)
class _RxBufsPolicy:
    """``MTU|ADVERT`` or a size in bytes, which must be the first word."""

    syntax: str = "MTU|ADVERT|INT"

    def read(self, words: list[str], reading: Reading) -> tuple[str, ...]:
        """Return the policies that can be used."""
        found: list[str] = []
        for index, word in enumerate(words[1:], 1):
            if word.upper() in ("MTU", "ADVERT"):
                found.append(word.upper())
                continue
            try:
                found.append(str(parse_integer(words[1], 0, UINT_MAX, reading, index, lenient=False)))
            except Refused as refusal:
                reading.refused(refusal)
        return tuple(found)

    def write(self, value: tuple[str, ...]) -> str | None:
        """Return the words."""
        return " ".join(value) or None


def _rx_bufs_policy(draft: Draft, keyword: Keyword, value: tuple[str, ...], reading: Reading) -> None:
    """Join what several lines say: a size wins over a policy, MTU over ADVERT."""
    given = dict.fromkeys((*draft.values.get(keyword.target, ()), *value))
    sizes = [word for word in given if word.isdecimal()]
    policies = [word for word in given if not word.isdecimal()]
    if sizes and policies:
        reading.complain(codes.BAD_VALUE, "a size and a policy exclude each other; the size is used")
        policies = []
    elif len(policies) > 1:
        reading.complain(codes.BAD_VALUE, "MTU and ADVERT exclude each other; ADVERT is ignored")
        policies = ["MTU"]
    draft.set(keyword.target, (*sizes[-1:], *policies), reading.line)


_MODE_BITS: Final = {
    f"{prefix}{who}": bits << shift
    for who, shift in (("USR", 6), ("GRP", 3), ("OTH", 0))
    for prefix, bits in (("IR", 4), ("IW", 2), ("IX", 1))
} | {"IRWXU": 0o700, "IRWXG": 0o070, "IRWXO": 0o007}


@dataclass(frozen=True, slots=True)
class _Umask:
    """A number as C writes it, or names of mode bits joined by ``|``."""

    syntax: str = "OCTAL|HEX|DEC|BIT[|BIT]..."

    def read(self, words: list[str], reading: Reading) -> int:
        """Return the mask."""
        text = "".join(words[1:]) or reading.argument(words, 1)
        if re.fullmatch(r"0[0-7]*", text):
            mask = int(text, 8)
        elif re.fullmatch(r"0[xX][0-9a-fA-F]+|[0-9]+", text):
            mask = int(text, 0)
        else:
            mask = 0
            for name in text.split("|"):
                if name not in _MODE_BITS:
                    raise Refused(codes.BAD_WORD, f"{name!r} is no file mode")
                mask |= _MODE_BITS[name]
        if mask & ~0o777:
            raise Refused(codes.OUT_OF_RANGE, f"{text} has other than permission bits")
        return mask

    def write(self, value: int | None) -> str | None:
        """Return the mask in octal."""
        return None if value is None else f"0{value:03o}"


_CHECKS: Final = {
    "read": Include.READABLE,
    "match": Include.MATCH,
    "wildcard_match": Include.WILDCARD,
    "brace_match": Include.BRACE,
}


@dataclass(frozen=True, slots=True)
class _IncludeCheck:
    """``[+|-](read|match|wildcard_match|brace_match)...``; bare: all of them.

    Without a sign the first word replaces what was in force, and no further word may stand without one.
    """

    syntax: str = "[[+|-](read|match|wildcard_match|brace_match)]..."

    def read(self, words: list[str], reading: Reading) -> Include:
        """Return what includes are strict about from here on, to the end of the file."""
        assert reading.reader is not None
        strict = Include.ALL if len(words) == 1 else reading.reader.strict
        for index, word in enumerate(words[1:], 1):
            sign, name = (word[0], word[1:]) if word[:1] in ("+", "-") else ("", word)
            if not sign:
                strict = Include.LENIENT if index == 1 else strict
                if index > 1:
                    reading.complain(codes.BAD_WORD, f"{word!r} needs a sign, + or -", index)
                    continue
            check = _CHECKS.get(name)
            if check is None:
                reading.complain(codes.BAD_WORD, f"{word!r} is not one of {', '.join(_CHECKS)}", index)
            elif sign == "-":
                strict &= ~check
            else:
                strict |= check if sign else check | Include.READABLE
        reading.reader.strict = strict
        return strict

    def write(self, value: object) -> str | None:
        """Leave it out: it concerns reading only."""
        return None


def _ignore(draft: Draft, keyword: Keyword, value: object, reading: Reading) -> None:
    """Keep nothing: the keyword has done its work while it was read."""


@dataclass(frozen=True, slots=True)
class _ScriptUser:
    """``USER [GROUP]``.  After an account that does not exist, scripts without one of their own do not run at all."""

    syntax: str = UserKind().syntax

    def read(self, words: list[str], reading: Reading) -> User:
        """Return the account."""
        try:
            return UserKind().read(words, reading)
        except Refused as refusal:
            reading.script_user, reading.script_user_missing = None, True
            raise Refused(codes.BAD_VALUE, refusal.text, refusal.word) from None

    def write(self, value: User | None) -> str | None:
        """Return user and group."""
        return UserKind().write(value)


def _script_user(draft: Draft, keyword: Keyword, value: User, reading: Reading) -> None:
    draft.set(keyword.target, value, reading.line)
    reading.script_user, reading.script_user_missing = value, False


def _random_seed(draft: Draft, keyword: Keyword, value: int, reading: Reading) -> None:
    draft.set(keyword.target, value, reading.line)
    if reading.reader is not None:
        reading.reader.random_seed = value


def _dynamic_interfaces(draft: Draft, keyword: Keyword, value: bool, reading: Reading) -> None:
    draft.set("dynamic_interfaces", True, reading.line)
    if value:
        draft.set("allow_if_changes", True, reading.line)


def _snmp_rfc(draft: Draft, keyword: Keyword, value: bool, reading: Reading) -> None:
    draft.set("snmp.rfcv2", True, reading.line)
    draft.set("snmp.rfcv3", True, reading.line)


def _emails(words: list[str], draft: Draft, reading: Reading) -> None:
    """Take the addresses of one line of `notification_email`."""
    draft.add("notification_email", words, reading.line)


def _close_emails(draft: Draft, reading: Reading) -> None:
    parent = draft.parent
    assert parent is not None
    lines = draft.values.get("notification_email", [])
    if not lines:
        reading.report(codes.EMPTY_BLOCK, "notification_email is empty", draft.line, "notification_email")
    for words in lines:
        for word in words:
            parent.add("notification_email", word if "<" in word else f"<{word}>", draft.line)


_NOT_BUILT_IN: Final = "nftables is used instead"
_NFTABLES: Final = "keepalived"


def _iptables(draft: Draft, keyword: Keyword, value: tuple[str, ...], reading: Reading) -> None:
    """Ask for nftables instead, as the reference does where it is built without iptables."""
    if "nftables.table" not in draft.values:
        draft.set("nftables.table", _NFTABLES, reading.line)
    reading.complain(codes.UNSUPPORTED, "iptables is not supported; nftables is used", 0)


def _show_reader(pipe: str) -> Callable[[GlobalDefs], list[str]]:
    """Show the program that reads a pipe."""

    def show(defs: GlobalDefs) -> list[str]:
        fifo: Fifo | None = getattr(defs, pipe)
        written = Command().write(fifo.script) if fifo is not None else None
        return [] if written is None else [written]

    return show


def _show_dynamic(defs: GlobalDefs) -> list[str]:
    return ["allow_if_changes" if defs.allow_if_changes else ""] if defs.dynamic_interfaces else []


@dataclass(frozen=True, slots=True)
class _Factor(Integer):
    """A number that must be the only word."""

    def read(self, words: list[str], reading: Reading) -> int:
        """Return the number."""
        if len(words) > 2:
            raise Refused(codes.EXTRA_WORDS, f"{words[0]} takes one number", 2)
        return Integer.read(self, words, reading)


@dataclass(frozen=True, slots=True)
class _Directory:
    """A folder that exists, or that can be made when it is needed; otherwise an error."""

    syntax: str = "PATH"

    def read(self, words: list[str], reading: Reading) -> str:
        """Return the path."""
        path = reading.argument(words, 1)
        problem = reading.facts.folder_problem(path)
        if problem:
            raise Refused(codes.BAD_VALUE, problem)
        return path

    def write(self, value: str | None) -> str | None:
        """Return the path; None leaves the keyword out."""
        return None if value is None else quoted(value)


@dataclass(frozen=True, slots=True)
class _Group6:
    """An IPv6 multicast address; one of another scope than link-local is used, and reported."""

    syntax: str = "ADDR6"

    def read(self, words: list[str], reading: Reading) -> Address:
        """Return the address."""
        address = IpAddress(Family.INET6, multicast=True, lone=True).read(words, reading)
        if address.packed[1] & 0x0F != 2:
            reading.complain(codes.BAD_ADDRESS, f"{address} should be a link-local multicast address (ff02::/16)")
        return address

    def write(self, value: Address) -> str | None:
        """Return the address."""
        return str(value)


def _process_keywords(prefix: str) -> tuple[Keyword, ...]:
    """Declare the scheduling keywords of one process: ``vrrp_``, ``checker_`` or ``bfd_``."""
    into = f"{prefix}_process"
    return (
        Keyword(
            f"{prefix}_priority",
            _NICE,
            "Nice value of the process.",
            f"{into}.priority",
            since="v1.2.20",
            missing=codes.WORD_MISSING,
        ),
        Keyword(f"{prefix}_no_swap", _FLAG, "Lock the process in memory.", f"{into}.no_swap", since="v1.2.20"),
        Keyword(
            f"{prefix}_rt_priority",
            _RT_PRIORITY,
            "Run under SCHED_RR with this priority.",
            f"{into}.rt_priority",
            since="v2.0.0",
            missing=codes.WORD_MISSING,
        ),
        Keyword(
            f"{prefix}_cpu_affinity",
            _Processors(),
            "Processors that the process may use.",
            f"{into}.cpu_affinity",
            since="v2.0.17",
            missing=codes.WORD_MISSING,
        ),
        Keyword(
            f"{prefix}_rlimit_rttime",
            _RTTIME,
            "Microseconds of real-time running without a pause.",
            f"{into}.rlimit_rttime",
            since="v2.1.0",
        ),
        Keyword(
            f"{prefix}_rlimit_rtime",
            _RTTIME,
            "Old spelling.",
            f"{into}.rlimit_rttime",
            alias_of=f"{prefix}_rlimit_rttime",
            old=codes.OLD_SPELLING,
            since="v2.0.0",
        ),
    )


class _Processors(Numbers):
    """Numbers of processors."""

    def read(self, words: list[str], reading: Reading) -> tuple[int, ...]:
        """Return the numbers, which must all be of processors that exist."""
        return Numbers(0, reading.facts.processors() - 1).read(words, reading)


def _buffer_size(draft: Draft, keyword: Keyword, value: int, reading: Reading) -> None:
    if value:
        draft.set(keyword.target, value, reading.line)


def _receive_buffers(name: str) -> tuple[Keyword, ...]:
    return (
        Keyword(
            name,
            Integer(),
            "Receive buffer in bytes of this netlink socket; 0 changes nothing.",
            f"{name}.size",
            apply=_buffer_size,
            since="v2.0.0",
            missing=codes.WORD_MISSING,
        ),
        Keyword(f"{name}_force", _BOOL, "Set the buffer beyond net.core.rmem_max.", f"{name}.force", since="v2.0.0"),
    )


_PROCESS: Final = (
    Keyword("process_names", _FLAG, "Name the children keepalived_vrrp, keepalived_lvs and keepalived_bfd.", since="v2.0.16"),
    Keyword("process_name", Word(limit=15), "Name of the parent process.", since="v2.0.16"),
    Keyword("vrrp_process_name", Word(limit=15), "Name of the VRRP process.", "vrrp_process.process_name", since="v2.0.16"),
    Keyword("checker_process_name", Word(limit=15), "Name of the checker process.", "checker_process.process_name", since="v2.2.0"),
    Keyword(
        "lvs_process_name",
        Word(limit=15),
        "Old spelling of checker_process_name.",
        "checker_process.process_name",
        alias_of="checker_process_name",
        old=codes.OLD_SPELLING,
        since="v2.0.16",
    ),
    Keyword("bfd_process_name", Word(limit=15), "Name of the BFD process.", "bfd_process.process_name", since="v2.0.16"),
    *_process_keywords("vrrp"),
    *_process_keywords("checker"),
    *_process_keywords("bfd"),
    Keyword(
        "max_auto_priority", Integer(-1, 99, bare=99), "Highest real-time priority taken when timers run late.", since="v2.1.0"
    ),
    Keyword(
        "min_auto_priority_delay",
        Integer(1, 10_000_000),
        "Microseconds of lateness that count.",
        since="v2.1.0",
        missing=codes.WORD_MISSING,
    ),
    Keyword("umask", _Umask(), "File mode creation mask; -u wins.", since="v2.0.9"),
)

_MAIL: Final = (
    Keyword(
        "router_id",
        _WORD,
        "Name of this director in mail and SNMP; the host name if absent.",
        since="v1.1.8",
        missing=codes.WORD_MISSING,
    ),
    Keyword("notification_email_from", _MailAddress(), "Sender of alerts.", since="v1.0.3", missing=codes.WORD_MISSING),
    Keyword("smtp_server", _MailServer(), "Server that takes alerts.", since="v1.0.3"),
    Keyword("smtp_helo_name", _WORD, "Name given in HELO.", since="v1.2.20", missing=codes.IGNORED_VALUE),
    Keyword(
        "smtp_connect_timeout", _Repeats(4294, "SECS[1..4294]"), "Seconds for the dialogue with the mail server.", since="v1.0.3"
    ),
    Keyword("smtp_alert", _BOOL, "Default for all alerts.", since="v2.0.0"),
    Keyword("smtp_alert_vrrp", _BOOL, "Default for alerts of VRRP.", since="v2.0.0"),
    Keyword("smtp_alert_checker", _BOOL, "Default for alerts of checkers.", since="v2.0.0"),
    Keyword("no_email_faults", _FLAG, "No mail for FAULT transitions.", since="v2.0.0"),
    Keyword("no_checker_emails", _BOOL, "Mail only when a real server changes its state.", since="v2.0.0"),
)

_SCRIPTS: Final = (
    Keyword(
        "script_user",
        _ScriptUser(),
        "Whom scripts run as that name nobody.",
        apply=_script_user,
        since="v1.3.0",
        missing=codes.WORD_MISSING,
    ),
    Keyword("enable_script_security", _FLAG, "Refuse scripts that others than root can change.", since="v1.3.0"),
    Keyword("use_symlink_paths", _BOOL, "Execute the path as written rather than the resolved one.", since="v2.3.0"),
    Keyword("set_supplementary_groups", _BOOL, "Give scripts the supplementary groups of their user.", since="v2.4.3+"),
    Keyword(
        "startup_script",
        Command(early=True, strict=True),
        "Run before the children start.",
        repeat=Repeat.DUPLICATE,
        since="v2.1.0",
        missing=codes.WORD_MISSING,
    ),
    Keyword("startup_script_timeout", Integer(1, 1000), "Seconds that it may take.", since="v2.1.0", missing=codes.WORD_MISSING),
    Keyword(
        "shutdown_script",
        Command(early=True, strict=True),
        "Run after the children have ended.",
        repeat=Repeat.DUPLICATE,
        since="v2.1.0",
        missing=codes.WORD_MISSING,
    ),
    Keyword("shutdown_script_timeout", Integer(1, 1000), "Seconds that it may take.", since="v2.1.0", missing=codes.WORD_MISSING),
    Keyword(
        "notify_fifo",
        FifoKind(),
        "Pipe for all state changes.",
        repeat=Repeat.DUPLICATE,
        since="v1.3.6",
        missing=codes.WORD_MISSING,
    ),
    Keyword(
        "notify_fifo_script",
        Command(early=True),
        "Program that reads it.",
        "notify_fifo_script",
        Repeat.DUPLICATE,
        since="v1.3.6",
        missing=codes.WORD_MISSING,
        show=_show_reader("notify_fifo"),
    ),
    Keyword(
        "vrrp_notify_fifo",
        FifoKind(),
        "Pipe for state changes of VRRP.",
        repeat=Repeat.DUPLICATE,
        since="v1.3.6",
        missing=codes.WORD_MISSING,
    ),
    Keyword(
        "vrrp_notify_fifo_script",
        Command(early=True),
        "Program that reads it.",
        "vrrp_notify_fifo_script",
        Repeat.DUPLICATE,
        since="v1.3.6",
        missing=codes.WORD_MISSING,
        show=_show_reader("vrrp_notify_fifo"),
    ),
    Keyword(
        "lvs_notify_fifo",
        FifoKind(),
        "Pipe for state changes of servers.",
        repeat=Repeat.DUPLICATE,
        since="v1.3.6",
        missing=codes.WORD_MISSING,
    ),
    Keyword(
        "lvs_notify_fifo_script",
        Command(early=True),
        "Program that reads it.",
        "lvs_notify_fifo_script",
        Repeat.DUPLICATE,
        since="v1.3.6",
        missing=codes.WORD_MISSING,
        show=_show_reader("lvs_notify_fifo"),
    ),
    Keyword("fifo_write_vrrp_states_on_reload", _FLAG, "Repeat all states on the pipes after a reload.", since="v2.2.5"),
)

_VRRP: Final = (
    Keyword(
        "dynamic_interfaces",
        Choice({"allow_if_changes": True}, optional=True, bare=False),
        "Interfaces may be missing at start; must stand before the instances.",
        apply=_dynamic_interfaces,
        since="v2.0.0",
        show=_show_dynamic,
    ),
    Keyword(
        "default_interface",
        Word("IFNAME"),
        "Interface of static addresses that name none.",
        since="v1.2.24",
        missing=codes.WORD_MISSING,
    ),
    Keyword("disable_local_igmp", _FLAG, "Do not answer IGMP for VRRP groups.", since="v2.2.0"),
    Keyword(
        "v3_checksum_as_v2", _FLAG, "VRRPv3 over IPv4: checksum without pseudo header.", "vrrp.v3_checksum_as_v2", since="v2.2.8"
    ),
    Keyword(
        "vrrp_mcast_group4",
        IpAddress(Family.INET, multicast=True, lone=True),
        "Group for IPv4 adverts.",
        "vrrp.mcast_group4",
        since="v1.2.10",
    ),
    Keyword(
        "vrrp_mcast_group6",
        _Group6(),
        "Group for IPv6 adverts.",
        "vrrp.mcast_group6",
        since="v1.2.10",
    ),
    Keyword(
        "vrrp_garp_master_delay", _DELAY, "Seconds until the second block of GARPs.", "vrrp.garp_master_delay", since="v1.2.20"
    ),
    Keyword("vrrp_garp_master_repeat", _Repeats(), "GARPs in a block.", "vrrp.garp_master_repeat", since="v1.2.20"),
    Keyword(
        "vrrp_garp_master_refresh", Integer(), "Seconds between refreshing GARPs.", "vrrp.garp_master_refresh", since="v1.2.20"
    ),
    Keyword(
        "vrrp_garp_master_refresh_repeat", _Repeats(), "GARPs in a refresh.", "vrrp.garp_master_refresh_repeat", since="v1.2.20"
    ),
    Keyword(
        "vrrp_garp_lower_prio_delay",
        _DELAY,
        "Seconds until GARPs repeat after a lower advert.",
        "vrrp.garp_lower_prio_delay",
        since="v1.2.20",
    ),
    Keyword(
        "vrrp_garp_lower_prio_repeat",
        Integer(0, 0x7FFFFFFF),
        "GARPs after a lower advert.",
        "vrrp.garp_lower_prio_repeat",
        since="v1.2.20",
    ),
    Keyword(
        "vrrp_down_timer_adverts",
        Integer(1, 100),
        "Missed adverts until the master is down.",
        "vrrp.down_timer_adverts",
        since="v2.2.3",
    ),
    Keyword("vrrp_garp_interval", Span(1, UINT_MAX), "Gap between GARPs on an interface.", "vrrp.garp_interval", since="v1.2.21"),
    Keyword("vrrp_gna_interval", Span(1, UINT_MAX), "Gap between unsolicited NAs.", "vrrp.gna_interval", since="v1.2.21"),
    Keyword(
        "vrrp_min_garp",
        _BOOL,
        "One GARP and no repeats, unless set otherwise.",
        apply=_min_garp,
        since="v2.0.12",
        show=show_nothing,
    ),
    Keyword(
        "vrrp_garp_extra_if",
        _GarpExtra(),
        "Seconds between GARPs on other interfaces.",
        "vrrp.garp_extra_if",
        apply=_garp_extra,
        since="v2.2.3",
        show=_show_garp_extra,
    ),
    Keyword(
        "vrrp_vmac_garp_intvl",
        _GarpExtra(),
        "Old spelling of vrrp_garp_extra_if.",
        "vrrp.garp_extra_if",
        apply=_garp_extra,
        alias_of="vrrp_garp_extra_if",
        old=codes.DEPRECATED,
        since="v2.2.0",
    ),
    Keyword("vrrp_lower_prio_no_advert", _BOOL, "Stay silent on a lower advert.", "vrrp.lower_prio_no_advert", since="v1.2.20"),
    Keyword("vrrp_higher_prio_send_advert", _BOOL, "Answer a higher advert once.", "vrrp.higher_prio_send_advert", since="v1.3.5"),
    Keyword("vrrp_version", Integer(2, 3), "Default version of IPv4 instances.", "vrrp.version", since="v1.2.20"),
    Keyword(
        "vrrp_iptables",
        Words("[WORD [WORD]]", least=0),
        "Chains for rules by iptables.",
        apply=_iptables,
        since="v1.2.20",
        effect=Effect.UNSUPPORTED,
        why=_NOT_BUILT_IN,
        show=show_nothing,
    ),
    Keyword(
        "nftables",
        Word(optional=True, bare=_NFTABLES, filled=True),
        "Name of the table.",
        "nftables.table",
        Repeat.DUPLICATE,
        since="v2.0.11",
    ),
    Keyword(
        "nftables_priority", Integer(-0x80000000, 0x7FFFFFFF), "Priority of base chains.", "nftables.priority", since="v2.0.11"
    ),
    Keyword("nftables_ifindex", _FLAG, "Match interfaces by index.", "nftables.ifindex", since="v2.0.11"),
    Keyword("nftables_counters", _FLAG, "Add counters to rules.", "nftables.counters", since="v2.0.11"),
    Keyword(
        "nftables_ipvs",
        Word(optional=True, bare="keepalived_ipvs", filled=True),
        "Serve groups by firewall marks that nftables sets.",
        "nftables.ipvs_table",
        Repeat.DUPLICATE,
        since="v2.2.2",
    ),
    Keyword(
        "nftables_ipvs_priority",
        Integer(-0x80000000, 0x7FFFFFFF),
        "Priority of its chains.",
        "nftables.ipvs_priority",
        since="v2.2.2",
    ),
    Keyword("nftables_ipvs_start_fwmark", Integer(1), "First mark to use.", "nftables.ipvs_start_fwmark", since="v2.2.2"),
    Keyword(
        "vrrp_check_unicast_src", _FLAG, "Drop adverts from unknown unicast sources.", "vrrp.check_unicast_src", since="v1.2.20"
    ),
    Keyword(
        "vrrp_skip_check_adv_addr", _BOOL, "Check addresses only of a new master.", "vrrp.skip_check_adv_addr", since="v1.2.20"
    ),
    Keyword("vrrp_strict", _BOOL, "Insist on the RFC.", "vrrp.strict", since="v1.2.20"),
    Keyword(
        "vrrp_notify_priority_changes", _BOOL, "Report changes of the priority.", "vrrp.notify_priority_changes", since="v2.0.16"
    ),
    Keyword(
        "vrrp_rx_bufs_policy",
        _RxBufsPolicy(),
        "How large receive buffers are.",
        "vrrp.rx_bufs_policy",
        apply=_rx_bufs_policy,
        since="v2.0.3",
        missing=codes.WORD_MISSING,
    ),
    Keyword(
        "vrrp_rx_bufs_multiplier",
        _Factor(1, lenient=False),
        "Factor on that.",
        "vrrp.rx_bufs_multiplier",
        since="v2.0.3",
        missing=codes.WORD_MISSING,
    ),
    Keyword(
        "vrrp_startup_delay",
        Span(1000, 4294_000_000),
        "Seconds of quiet after start.",
        "vrrp.startup_delay",
        Repeat.LARGEST,
        since="v2.0.14",
    ),
    Keyword(
        "vrrp_delay_after_boot",
        Span(1000, 4294_000_000),
        "Seconds of quiet after boot.",
        "vrrp.delay_after_boot",
        Repeat.LARGEST,
        since="v2.4.0",
    ),
    Keyword("log_unknown_vrids", _FLAG, "Log adverts of unknown virtual routers.", "vrrp.log_unknown_vrids", since="v2.0.16"),
    Keyword("vrrp_owner_ignore_adverts", _BOOL, "Owners ignore adverts.", "vrrp.owner_ignore_adverts", since="v2.3.3"),
    Keyword("vmac_prefix", _WORD, "Prefix of VMAC interface names.", repeat=Repeat.DUPLICATE, since="v2.2.0"),
    Keyword("vmac_addr_prefix", _WORD, "The same for addresses.", repeat=Repeat.DUPLICATE, since="v2.2.0"),
)

_LVS: Final = (
    Keyword("lvs_timeouts", _LvsTimeouts(), "IPVS connection timeouts; the kernel's are restored at stop.", since="v1.2.24"),
    Keyword("lvs_flush", _FLAG, "Empty the whole IPVS table at start.", since="v1.2.23"),
    Keyword(
        "lvs_flush_on_stop",
        Choice({"VS": "VS"}, optional=True, bare="all"),
        "At stop, empty the whole table, or (VS) delete services without their servers first.",
        since="v2.2.0",
    ),
    Keyword(
        "lvs_flush_onstop",
        Choice({"VS": "VS"}, optional=True, bare="all"),
        "Old spelling.",
        "lvs_flush_on_stop",
        alias_of="lvs_flush_on_stop",
        since="v2.0.15",
    ),
    Keyword(
        "lvs_sync_daemon",
        _LvsSyncDaemon(),
        "Synchronise connections with another director.",
        repeat=Repeat.DUPLICATE,
        since="v1.2.20",
        missing=codes.WORD_MISSING,
    ),
    Keyword("checker_log_all_failures", _BOOL, "Log every failed check.", since="v2.0.11"),
    Keyword("rs_init_notifies", _BOOL, "Notify the first state of real servers too.", since="v2.0.0"),
    Keyword("checker_processes", Integer(1, 64), "Processes that share the checks.", since="extension"),
    Keyword("ipvs_module", Word("PATH|NAME"), "The ip_vs module to load.", since="extension"),
    Keyword("ipvs_module_options", Words("NAME=VALUE..."), "Options it is loaded with.", since="extension"),
)

_SNMP: Final = (
    Keyword(
        "snmp_socket",
        Word("TRANSPORT", exactly=True),
        "AgentX address.",
        "snmp.socket",
        Repeat.DUPLICATE,
        since="v1.2.20",
        missing=codes.WORD_MISSING,
    ),
    Keyword("enable_traps", _FLAG, "Send notifications.", "snmp.traps", since="v1.2.5"),
    Keyword("enable_snmp_vrrp", _FLAG, "Serve the VRRP part of the keepalived MIB.", "snmp.vrrp", since="v2.0.0"),
    Keyword("enable_snmp_keepalived", _FLAG, "Old spelling.", "snmp.vrrp", alias_of="enable_snmp_vrrp", since="v1.2.20"),
    Keyword(
        "enable_snmp_rfc",
        _FLAG,
        "Serve both RFC MIBs.",
        "snmp.rfcv2",
        apply=_snmp_rfc,
        alias_of="enable_snmp_rfcv2",
        since="v1.2.20",
    ),
    Keyword("enable_snmp_rfcv2", _FLAG, "Serve the MIB of RFC 2787.", "snmp.rfcv2", since="v1.2.20"),
    Keyword("enable_snmp_rfcv3", _FLAG, "Serve the MIB of RFC 6527.", "snmp.rfcv3", since="v1.2.20"),
    Keyword("enable_snmp_checker", _FLAG, "Serve the checker part of the keepalived MIB.", "snmp.checker", since="v1.2.20"),
    Keyword(
        "snmp_vs_stats_update_interval",
        Span(1000, 30_000_000),
        "Age of virtual server counters.",
        "snmp.vs_stats_update_interval",
        since="v2.3.0",
    ),
    Keyword(
        "snmp_rs_stats_update_interval",
        Span(1000, 30_000_000),
        "Age of real server counters.",
        "snmp.rs_stats_update_interval",
        since="v2.3.0",
    ),
    Keyword("enable_dbus", _FLAG, "Offer the D-Bus interface.", since="v1.3.0"),
    Keyword("dbus_service_name", _WORD, "Its name.", since="v1.3.7"),
    Keyword("dbus_no_interface_name", _WORD, "Path element of instances without interface.", since="v2.3.0"),
)

_FILES: Final = (
    *_receive_buffers("vrrp_netlink_cmd_rcv_bufs"),
    *_receive_buffers("vrrp_netlink_monitor_rcv_bufs"),
    *_receive_buffers("lvs_netlink_cmd_rcv_bufs"),
    *_receive_buffers("lvs_netlink_monitor_rcv_bufs"),
    *_receive_buffers("process_monitor_rcv_bufs"),
    Keyword("random_seed", Integer(), "Makes ${_RANDOM} repeat.", apply=_random_seed, since="v2.0.15"),
    Keyword(
        "reload_check_config",
        Word("PATH", optional=True),
        "Test the file before a reload; refuse it with any error.",
        since="v2.2.0",
    ),
    Keyword("reload_time_file", _ONE_PATH, "File that holds the time of a reload.", since="v2.1.0", missing=codes.WORD_MISSING),
    Keyword("reload_repeat", _FLAG, "Keep that file when it has no date.", since="v2.1.0"),
    Keyword("reload_date_specified", _FLAG, "That file must have a date.", since="v2.2.0"),
    Keyword("reload_file", Word("PATH", optional=True), "File that exists while the configuration is read.", since="v2.2.0"),
    Keyword("include_check", _IncludeCheck(), "What includes are strict about.", apply=_ignore, since="v2.2.0", show=show_nothing),
    Keyword("config_save_dir", _Directory(), "Where copies of the configuration are kept.", since="v2.2.3"),
    Keyword(
        "tmp_config_directory",
        _PATH,
        "Accepted; nothing is written there.",
        repeat=Repeat.DUPLICATE,
        since="v2.2.0",
        missing=codes.WORD_MISSING,
    ),
    Keyword("data_use_instance", _BOOL, "Put instance and namespace into names of dumps.", since="v2.2.3"),
    Keyword("json_version", Integer(1, 2), "Layout of the JSON dump.", since="v2.2.8", missing=codes.WORD_MISSING),
    Keyword("iproute_usr_dir", _ONE_PATH, "Where rt_tables and the like are.", since="v2.3.2", missing=codes.WORD_MISSING),
    Keyword("iproute_etc_dir", _ONE_PATH, "Where their local versions are.", since="v2.3.2", missing=codes.WORD_MISSING),
    Keyword("state_dump_file", _FILLED_PATH, "Where SIGUSR1 writes.", since="v2.3.3", missing=codes.WORD_MISSING),
    Keyword("stats_dump_file", _FILLED_PATH, "Where SIGUSR2 writes.", since="v2.3.3", missing=codes.WORD_MISSING),
    Keyword("json_dump_file", _FILLED_PATH, "Where the JSON signal writes.", since="v2.3.3", missing=codes.WORD_MISSING),
)

NOTIFICATION_EMAIL: Final = Block(
    "notification_email",
    "Addresses that alerts go to.",
    read_line=_emails,
    close=_close_emails,
    line_syntax="ADDRESS...",
    into="notification_email",
    write_lines=lambda addresses: [quoted(address) for address in addresses],
    since="v1.0.3",
)


def _sysctl_line(words: list[str], draft: Draft, reading: Reading) -> None:
    if len(words) != 2:
        raise Refused(codes.BAD_VALUE, "a line of ip_vs_sysctl is NAME VALUE", 0)
    if not re.fullmatch(r"[a-z0-9_]+", words[0]):
        raise Refused(codes.BAD_VALUE, f"{words[0]!r} is no name of a sysctl", 0)
    draft.add("ip_vs_sysctl", (words[0], words[1]), reading.line)


def _close_sysctl(draft: Draft, reading: Reading) -> None:
    assert draft.parent is not None
    for pair in draft.values.get("ip_vs_sysctl", []):
        draft.parent.add("ip_vs_sysctl", pair, draft.line)


IP_VS_SYSCTL: Final = Block(
    "ip_vs_sysctl",
    "Knobs under net.ipv4.vs to set while the daemon runs.",
    read_line=_sysctl_line,
    close=_close_sysctl,
    line_syntax="NAME VALUE",
    into="ip_vs_sysctl",
    write_lines=lambda pairs: [f"{name} {quoted(value)}" for name, value in pairs],
    since="extension",
)


def _open_globals(draft: Draft, reading: Reading) -> object:
    """Let several `global_defs` blocks fill one draft."""
    if reading.globals is None:
        reading.globals = draft
    else:
        draft.values = reading.globals.values
        draft.lines = reading.globals.lines
    return None


def _close_globals(draft: Draft, reading: Reading) -> None:
    """Keep nothing in the parent: the draft is `Reading.globals`."""


GLOBAL_DEFS: Final = Block(
    "global_defs",
    "The daemon as a whole; may repeat.",
    open=_open_globals,
    close=_close_globals,
    keywords=(*_PROCESS, *_MAIL, *_SCRIPTS, *_VRRP, *_LVS, *_SNMP, *_FILES),
    blocks=(NOTIFICATION_EMAIL, IP_VS_SYSCTL),
    model=GlobalDefs,
    into="globals",
    sparse=True,
    since="v1.0.3",
)
