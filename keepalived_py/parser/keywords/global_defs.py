"""`global_defs`: the daemon as a whole, and the defaults of everything else."""

import re
from dataclasses import dataclass
from typing import Any, Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.globals import GlobalDefs, LvsSyncDaemon, LvsTimeouts, MailServer
from keepalived_py.config.scripts import User
from keepalived_py.parser import codes
from keepalived_py.parser.kinds import (
    UINT_MAX,
    Boolean,
    Choice,
    Flag,
    Integer,
    IpAddress,
    Numbers,
    Span,
    Word,
    Words,
    digits,
    parse_address,
    parse_integer,
    parse_port,
    quoted,
)
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import Block, Draft, Effect, Keyword, Refused, Repeat
from keepalived_py.parser.scripts import Command, FifoKind, UserKind
from keepalived_py.parser.source import Include
from keepalived_py.units import Seconds

MAX_IPVS_TIMEOUT: Final = 31 * 24 * 3600
"""Longest timeout that ip_vs takes, in seconds (net/netfilter/ipvs: 31 days)."""

_FLAG, _BOOL, _WORD = Flag(), Boolean(), Word()
_PATH = Word("PATH")
_NICE = Integer(-20, 19)
_RT_PRIORITY = Integer(1, 99, clamp=True)
_RTTIME = Integer(1)
_DELAY = Integer(0, 4294)
_AT_LEAST_ONE = Integer(0, clamp=True)


@dataclass(frozen=True, slots=True)
class _Repeats:
    """A count of which 0 makes no sense and becomes 1."""

    syntax: str = "INT[1..]"

    def read(self, words: list[str], reading: Reading) -> int:
        """Return the count."""
        number = parse_integer(reading.argument(words, 1), 0, UINT_MAX, reading)
        if not number:
            reading.complain(codes.CLAMPED, f"{words[0]} 0 makes no sense; 1 is used")
        return number or 1

    def write(self, value: int | None) -> str | None:
        """Return the digits."""
        return None if value is None else str(value)


@dataclass(frozen=True, slots=True)
class _SmtpTimeout(_Repeats):
    """Seconds, of which 0 becomes 1."""

    syntax: str = "SECS[1..4294]"


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
        interface = reading.argument(words, 1)
        options: dict[str, Any] = {}
        index = 2
        if len(words) > 2 and words[2] not in (*_SYNC_NUMBERS, "inst", "group"):
            options["instance"] = words[2]
            index = 3
            if len(words) > 3 and words[3] not in (*_SYNC_NUMBERS, "inst", "group"):
                reading.complain(codes.DEPRECATED, "the id is written after the word id", 3)
                options["id"] = parse_integer(words[3], 0, 255, reading, 3)
                index = 4
        while index < len(words):
            self._option(words, index, options, reading)
            index += 2
        return LvsSyncDaemon(interface, **options)

    @staticmethod
    def _option(words: list[str], index: int, options: dict[str, Any], reading: Reading) -> None:
        name = words[index]
        if index + 1 >= len(words):
            raise Refused(codes.WORD_MISSING, f"{name} needs a value", index)
        value = words[index + 1]
        try:
            if name == "inst":
                options["instance"] = value
            elif name == "group":
                options["group"] = parse_address(value, index + 1)
                if not options["group"].is_multicast:
                    raise Refused(codes.BAD_ADDRESS, f"{value} is not a multicast address", index + 1)
            elif name in _SYNC_NUMBERS:
                options[name] = parse_integer(value, *_SYNC_NUMBERS[name], reading, index + 1)
            else:
                raise Refused(codes.BAD_WORD, f"unknown option {name}", index)
        except Refused as refusal:
            reading.refused(refusal)

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
        return " ".join([value.interface, *(f"{name} {item}" for name, item in options.items() if item is not None)])


@dataclass(frozen=True, slots=True)
class _GarpExtra:
    """``[all] SECS``."""

    syntax: str = "[all] INT[1..86400]"

    def read(self, words: list[str], reading: Reading) -> tuple[int, bool]:
        """Return seconds, and whether all interfaces are meant."""
        every = len(words) > 1 and words[1] == "all"
        index = 2 if every else 1
        return parse_integer(reading.argument(words, index), 1, 86400, reading, index), every

    def write(self, value: int) -> str | None:
        """Return the seconds."""
        return str(value) if value else None


def _garp_extra(draft: Draft, keyword: Keyword, value: tuple[int, bool], reading: Reading) -> None:
    draft.set("vrrp.garp_extra_if", Seconds(value[0]), reading.line)
    draft.set("vrrp.garp_extra_if_all", value[1], reading.line)


def _min_garp(draft: Draft, keyword: Keyword, value: bool, reading: Reading) -> None:
    """Send one gratuitous ARP and no more, unless the file has said otherwise before."""
    draft.set("vrrp.min_garp", value, reading.line)
    if not value:
        return
    quiet = {"garp_master_repeat": 1, "garp_master_delay": 0, "garp_lower_prio_repeat": 1, "garp_lower_prio_delay": 0}
    for name, number in {**quiet, "garp_master_refresh": 0, "garp_master_refresh_repeat": 1}.items():
        draft.values.setdefault(f"vrrp.{name}", number)


@dataclass(frozen=True, slots=True)
class _RxBufsPolicy:
    """``MTU|ADVERT`` or a size in bytes."""

    syntax: str = "(MTU|ADVERT|INT)..."

    def read(self, words: list[str], reading: Reading) -> tuple[str, ...]:
        """Return the policies that can be used."""
        reading.argument(words, 1)
        found: list[str] = []
        for index, word in enumerate(words[1:], 1):
            if word.upper() in ("MTU", "ADVERT"):
                found.append(word.upper())
            elif index == 1 and digits(word, 10) and int(word):
                found.append(word)
            else:
                reading.complain(codes.BAD_WORD, f"{word!r} is not MTU, ADVERT or a size", index)
        if "MTU" in found and "ADVERT" in found:
            reading.complain(codes.BAD_VALUE, "MTU and ADVERT exclude each other; ADVERT is ignored")
            found.remove("ADVERT")
        return tuple(found)

    def write(self, value: tuple[str, ...]) -> str | None:
        """Return the words."""
        return " ".join(value) or None


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
    "readable": Include.READABLE,
    "match": Include.READABLE | Include.MATCH,
    "wildcard_match": Include.READABLE | Include.MATCH | Include.WILDCARD,
    "brace_match": Include.READABLE | Include.BRACE,
}


@dataclass(frozen=True, slots=True)
class _IncludeCheck:
    """``[+|-](read|match|wildcard_match|brace_match)...``; bare: all of them."""

    syntax: str = "[[+|-](read|match|wildcard_match|brace_match)]..."

    def read(self, words: list[str], reading: Reading) -> Include:
        """Return what includes are strict about from here on, to the end of the file."""
        assert reading.reader is not None
        strict = Include.LENIENT if words[1:2] and words[1][0] not in "+-" else reading.reader.strict
        if len(words) == 1:
            strict = Include.ALL
        for index, word in enumerate(words[1:], 1):
            check = _CHECKS.get(word.lstrip("+-"))
            if check is None:
                reading.complain(codes.BAD_WORD, f"{word!r} is not one of {', '.join(_CHECKS)}", index)
            elif word.startswith("-"):
                strict &= ~check
            else:
                strict |= check
        reading.reader.strict = strict
        return strict

    def write(self, value: object) -> str | None:
        """Leave it out: it concerns reading only."""
        return None


def _ignore(draft: Draft, keyword: Keyword, value: object, reading: Reading) -> None:
    """Keep nothing: the keyword has done its work while it was read."""


def _script_user(draft: Draft, keyword: Keyword, value: User, reading: Reading) -> None:
    draft.set(keyword.target, value, reading.line)
    reading.script_user = value


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


_NOT_BUILT_IN: Final = "built without it, as Debian's keepalived of this line; nftables is used"


@dataclass(frozen=True, slots=True)
class _WithoutIptables:
    """``[WORD [WORD]]`` of a facility that is not there: reported, as the reference built without it does."""

    syntax: str = "[WORD [WORD]]"

    def read(self, words: list[str], reading: Reading) -> tuple[str, ...]:
        """Report, and return the words."""
        reading.complain(codes.UNSUPPORTED, "iptables is not supported; nftables is used", 0)
        return tuple(words[1:])

    def write(self, value: tuple[str, ...] | None) -> str | None:
        """Return the words."""
        return None if value is None else " ".join(value)


def _process_keywords(prefix: str) -> tuple[Keyword, ...]:
    """Declare the scheduling keywords of one process: ``vrrp_``, ``checker_`` or ``bfd_``."""
    into = f"{prefix}_process"
    return (
        Keyword(f"{prefix}_priority", _NICE, "Nice value of the process.", f"{into}.priority", since="v1.2.20"),
        Keyword(f"{prefix}_no_swap", _FLAG, "Lock the process in memory.", f"{into}.no_swap", since="v1.2.20"),
        Keyword(
            f"{prefix}_rt_priority", _RT_PRIORITY, "Run under SCHED_RR with this priority.", f"{into}.rt_priority", since="v2.0.0"
        ),
        Keyword(
            f"{prefix}_cpu_affinity", _Processors(), "Processors that the process may use.", f"{into}.cpu_affinity", since="v2.0.17"
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
    """Numbers of processors that exist."""

    def read(self, words: list[str], reading: Reading) -> tuple[int, ...]:
        """Return the numbers of those that exist; others are reported."""
        return Numbers(0, reading.facts.processors() - 1).read(words, reading)


def _receive_buffers(name: str) -> tuple[Keyword, ...]:
    return (
        Keyword(name, Integer(1), "Receive buffer in bytes of this netlink socket.", f"{name}.size", since="v2.0.0"),
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
    Keyword("min_auto_priority_delay", Integer(1, 10_000_000), "Microseconds of lateness that count.", since="v2.1.0"),
    Keyword("umask", _Umask(), "File mode creation mask; -u wins.", since="v2.0.9"),
)

_MAIL: Final = (
    Keyword("router_id", _WORD, "Name of this director in mail and SNMP; the host name if absent.", since="v1.1.8"),
    Keyword("notification_email_from", _MailAddress(), "Sender of alerts.", since="v1.0.3"),
    Keyword("smtp_server", _MailServer(), "Server that takes alerts.", since="v1.0.3"),
    Keyword("smtp_helo_name", _WORD, "Name given in HELO.", since="v1.2.20"),
    Keyword("smtp_connect_timeout", _SmtpTimeout(), "Seconds for the dialogue with the mail server.", since="v1.0.3"),
    Keyword("smtp_alert", _BOOL, "Default for all alerts.", since="v2.0.0"),
    Keyword("smtp_alert_vrrp", _BOOL, "Default for alerts of VRRP.", since="v2.0.0"),
    Keyword("smtp_alert_checker", _BOOL, "Default for alerts of checkers.", since="v2.0.0"),
    Keyword("no_email_faults", _FLAG, "No mail for FAULT transitions.", since="v2.0.0"),
    Keyword("no_checker_emails", _BOOL, "Mail only when a real server changes its state.", since="v2.0.0"),
)

_SCRIPTS: Final = (
    Keyword("script_user", UserKind(), "Whom scripts run as that name nobody.", apply=_script_user, since="v1.3.0"),
    Keyword("enable_script_security", _FLAG, "Refuse scripts that others than root can change.", since="v1.3.0"),
    Keyword("use_symlink_paths", _BOOL, "Execute the path as written rather than the resolved one.", since="v2.3.0"),
    Keyword("set_supplementary_groups", _BOOL, "Give scripts the supplementary groups of their user.", since="v2.4.3+"),
    Keyword("startup_script", Command(), "Run before the children start.", repeat=Repeat.DUPLICATE, since="v2.1.0"),
    Keyword("startup_script_timeout", Integer(1, 1000), "Seconds that it may take.", since="v2.1.0"),
    Keyword("shutdown_script", Command(), "Run after the children have ended.", repeat=Repeat.DUPLICATE, since="v2.1.0"),
    Keyword("shutdown_script_timeout", Integer(1, 1000), "Seconds that it may take.", since="v2.1.0"),
    Keyword("notify_fifo", FifoKind(), "Pipe for all state changes.", repeat=Repeat.DUPLICATE, since="v1.3.6"),
    Keyword("notify_fifo_script", Command(), "Program that reads it.", "notify_fifo_script", Repeat.DUPLICATE, since="v1.3.6"),
    Keyword("vrrp_notify_fifo", FifoKind(), "Pipe for state changes of VRRP.", repeat=Repeat.DUPLICATE, since="v1.3.6"),
    Keyword(
        "vrrp_notify_fifo_script", Command(), "Program that reads it.", "vrrp_notify_fifo_script", Repeat.DUPLICATE, since="v1.3.6"
    ),
    Keyword("lvs_notify_fifo", FifoKind(), "Pipe for state changes of servers.", repeat=Repeat.DUPLICATE, since="v1.3.6"),
    Keyword(
        "lvs_notify_fifo_script", Command(), "Program that reads it.", "lvs_notify_fifo_script", Repeat.DUPLICATE, since="v1.3.6"
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
    ),
    Keyword("default_interface", Word("IFNAME"), "Interface of static addresses that name none.", since="v1.2.24"),
    Keyword("disable_local_igmp", _FLAG, "Do not answer IGMP for VRRP groups.", since="v2.2.0"),
    Keyword(
        "v3_checksum_as_v2", _FLAG, "VRRPv3 over IPv4: checksum without pseudo header.", "vrrp.v3_checksum_as_v2", since="v2.2.8"
    ),
    Keyword(
        "vrrp_mcast_group4", IpAddress(Family.INET, multicast=True), "Group for IPv4 adverts.", "vrrp.mcast_group4", since="v1.2.10"
    ),
    Keyword(
        "vrrp_mcast_group6",
        IpAddress(Family.INET6, multicast=True),
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
        "vrrp_garp_lower_prio_repeat", Integer(), "GARPs after a lower advert.", "vrrp.garp_lower_prio_repeat", since="v1.2.20"
    ),
    Keyword(
        "vrrp_down_timer_adverts",
        Integer(1, 100),
        "Missed adverts until the master is down.",
        "vrrp.down_timer_adverts",
        since="v2.2.3",
    ),
    Keyword("vrrp_garp_interval", Span(1), "Gap between GARPs on an interface.", "vrrp.garp_interval", since="v1.2.21"),
    Keyword("vrrp_gna_interval", Span(1), "Gap between unsolicited NAs.", "vrrp.gna_interval", since="v1.2.21"),
    Keyword(
        "vrrp_min_garp", _BOOL, "One GARP and no repeats, unless set otherwise.", "vrrp.min_garp", apply=_min_garp, since="v2.0.12"
    ),
    Keyword(
        "vrrp_garp_extra_if",
        _GarpExtra(),
        "Seconds between GARPs on other interfaces.",
        "vrrp.garp_extra_if",
        apply=_garp_extra,
        since="v2.2.3",
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
        _WithoutIptables(),
        "Chains for rules by iptables.",
        "vrrp.iptables",
        Repeat.FIRST,
        since="v1.2.20",
        effect=Effect.UNSUPPORTED,
        why=_NOT_BUILT_IN,
    ),
    Keyword(
        "nftables",
        Word(optional=True, bare="keepalived"),
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
        Word(optional=True, bare="keepalived_ipvs"),
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
        "vrrp_rx_bufs_policy", _RxBufsPolicy(), "How large receive buffers are.", "vrrp.rx_bufs_policy", Repeat.ADD, since="v2.0.3"
    ),
    Keyword("vrrp_rx_bufs_multiplier", Integer(1), "Factor on that.", "vrrp.rx_bufs_multiplier", since="v2.0.3"),
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
    Keyword("vmac_prefix", Word(limit=15), "Prefix of VMAC interface names.", repeat=Repeat.DUPLICATE, since="v2.2.0"),
    Keyword("vmac_addr_prefix", Word(limit=15), "The same for addresses.", repeat=Repeat.DUPLICATE, since="v2.2.0"),
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
    ),
    Keyword("checker_log_all_failures", _BOOL, "Log every failed check.", since="v2.0.11"),
    Keyword("rs_init_notifies", _BOOL, "Notify the first state of real servers too.", since="v2.0.0"),
    Keyword("checker_processes", Integer(1, 64), "Processes that share the checks.", since="extension"),
    Keyword("ipvs_module", Word("PATH|NAME"), "The ip_vs module to load.", since="extension"),
    Keyword("ipvs_module_options", Words("NAME=VALUE..."), "Options it is loaded with.", since="extension"),
)

_SNMP: Final = (
    Keyword("snmp_socket", Word("TRANSPORT", exactly=True), "AgentX address.", "snmp.socket", Repeat.DUPLICATE, since="v1.2.20"),
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
    Keyword("reload_time_file", _PATH, "File that holds the time of a reload.", since="v2.1.0"),
    Keyword("reload_repeat", _FLAG, "Keep that file when it has no date.", since="v2.1.0"),
    Keyword("reload_date_specified", _FLAG, "That file must have a date.", since="v2.2.0"),
    Keyword("reload_file", Word("PATH", optional=True), "File that exists while the configuration is read.", since="v2.2.0"),
    Keyword("include_check", _IncludeCheck(), "What includes are strict about.", apply=_ignore, since="v2.2.0"),
    Keyword(
        "config_save_dir", Word("PATH", missing=codes.WORD_MISSING), "Where copies of the configuration are kept.", since="v2.2.3"
    ),
    Keyword("tmp_config_directory", _PATH, "Accepted; nothing is written there.", repeat=Repeat.DUPLICATE, since="v2.2.0"),
    Keyword("data_use_instance", _BOOL, "Put instance and namespace into names of dumps.", since="v2.2.3"),
    Keyword("json_version", Integer(1, 2), "Layout of the JSON dump.", since="v2.2.8"),
    Keyword("iproute_usr_dir", _PATH, "Where rt_tables and the like are.", since="v2.3.2"),
    Keyword("iproute_etc_dir", _PATH, "Where their local versions are.", since="v2.3.2"),
    Keyword("state_dump_file", _PATH, "Where SIGUSR1 writes.", since="v2.3.3"),
    Keyword("stats_dump_file", _PATH, "Where SIGUSR2 writes.", since="v2.3.3"),
    Keyword("json_dump_file", _PATH, "Where the JSON signal writes.", since="v2.3.3"),
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
    since="v1.0.3",
)
