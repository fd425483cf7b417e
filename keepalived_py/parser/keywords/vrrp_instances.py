"""``vrrp_instance``: a virtual router.

What a word means by itself is here; what needs the whole instance, other instances or `global_defs` is in `parser.build_vrrp`.
"""

from typing import Any, Final

from keepalived_py.addresses import Family
from keepalived_py.config.vrrp import DeletedNotice, InitialState, VrrpInstance
from keepalived_py.parser import codes
from keepalived_py.parser.keywords.track_lists import TRACK_BLOCKS
from keepalived_py.parser.keywords.tracking_blocks import report_end
from keepalived_py.parser.keywords.vrrp_addresses import ADDRESS_KEYWORDS, VALUE_BLOCKS
from keepalived_py.parser.keywords.vrrp_auth import AUTH_BLOCKS
from keepalived_py.parser.keywords.vrrp_interfaces import INTERFACE_KEYWORDS, settle_family
from keepalived_py.parser.kinds import Boolean, Flag, Integer, Span, Word, parse_integer, quoted
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import SKIP, Block, Draft, Effect, Keyword, Refused, Repeat, show_nothing
from keepalived_py.parser.scripts import Command
from keepalived_py.units import MICRO_PER_CENTI, MICRO_PER_SECOND, Seconds

_FLAG, _BOOL, _SCRIPT = Flag(), Boolean(), Command()
_INT_MAX: Final = 0x7FFFFFFF
_DELAY: Final = Integer(0, 4294)

# Names ----------------------------------------------------------------------------------------------------------------------------


class OneName:
    """Exactly one word; any other number of them skips the block."""

    syntax: str = "NAME"

    def read(self, words: list[str], reading: Reading) -> str:
        """Return the name."""
        if len(words) != 2:
            raise Refused(codes.NAME_NEEDED, f"{words[0]} takes one name; the block is skipped", 0)
        return words[1]

    def write(self, value: Any) -> str | None:
        """Return the name of what the block stands for."""
        return quoted(value.name)


def open_named(draft: Draft, reading: Reading) -> object:
    """Skip a block whose name is taken by an earlier one that was kept."""
    known = reading.names.setdefault(draft.block.name, {})
    if draft.header not in known:
        return None
    first = reading.origins.place(known[draft.header])
    where = f"; first at {first.file}:{first.line}" if first else ""
    reading.complain(codes.DUPLICATE_NAME, f"{draft.block.name} {draft.header} is defined already and this one is skipped{where}")
    return SKIP


def _close(draft: Draft, reading: Reading) -> None:
    """Keep the instance, after what is said of unicast at its end."""
    values = draft.values
    reading.names.setdefault("vrrp_instance", {})[draft.header] = draft.line
    if values.get("unicast configured") and ("vmac" in values or "ipvlan" in values):
        if "interface" not in values:
            report_end(
                codes.VMAC_UNICAST, f"({draft.header}) unicast without an interface has no VMAC; it is left out", draft, reading
            )
            values.pop("vmac", None)
            values.pop("ipvlan", None)
        elif not values.get("vmac_xmit_base"):
            report_end(
                codes.VMAC_UNICAST, f"({draft.header}) unicast with a VMAC needs vmac_xmit_base, which is set", draft, reading
            )
            values["vmac_xmit_base"] = True
    if "unicast_ttl" in values and not values.get("unicast_peers"):
        report_end(codes.UNICAST_TTL, f"({draft.header}) unicast_ttl without unicast peers is ignored", draft, reading)
        del values["unicast_ttl"]
    assert draft.parent is not None
    draft.parent.add("vrrp.instances", draft, draft.line)


def _native_ipv6(draft: Draft, keyword: Keyword, value: Family, reading: Reading) -> None:
    if not settle_family(draft, Family.INET6):
        raise Refused(codes.INSTANCE_FAMILY, "native_ipv6 does not fit the IPv4 addresses before it; it is ignored", 0)
    draft.values["version"] = 3


def _version(draft: Draft, keyword: Keyword, value: int, reading: Reading) -> None:
    known = draft.values.get("version")
    if (known is not None and known != value) or (value == 2 and draft.values.get("family") is Family.INET6):
        raise Refused(codes.INSTANCE_VERSION, f"version {value} does not fit what is known already; it is ignored")
    draft.set("version", value, reading.line)


# State and timers -----------------------------------------------------------------------------------------------------------------


class _State:
    """``MASTER`` or ``BACKUP``; any other word is reported and means BACKUP."""

    syntax: str = "MASTER|BACKUP"

    def read(self, words: list[str], reading: Reading) -> tuple[InitialState, bool]:
        """Return the state, and whether it was written as it should."""
        word = reading.argument(words, 1)
        if word in InitialState.__members__:
            return InitialState[word], True
        reading.complain(codes.BAD_WORD, f"{word!r} is not MASTER or BACKUP; BACKUP is used")
        return InitialState.BACKUP, False

    def write(self, value: InitialState) -> str | None:
        """Return the word."""
        return value.value


def _state(draft: Draft, keyword: Keyword, value: tuple[InitialState, bool], reading: Reading) -> None:
    state, written = value
    if written and state is InitialState.BACKUP and draft.values.get("state") is InitialState.MASTER:
        raise Refused(codes.ALREADY_SET, "state MASTER stands before; BACKUP is ignored")
    draft.set("state", state, reading.line)


class _PreemptDelay(Span):
    """Seconds; a value that cannot be used resets the delay."""

    def read(self, words: list[str], reading: Reading) -> Any:
        """Return microseconds, 0 for what is refused, which is reported."""
        try:
            return super().read(words, reading)
        except Refused as refusal:
            reading.refused(refusal)
            return 0


class _Repeats(Integer):
    """A count of which 0 makes no sense and becomes 1."""

    def read(self, words: list[str], reading: Reading) -> int:
        """Return the count."""
        number = super().read(words, reading)
        if not number:
            reading.complain(codes.CLAMPED, f"{words[0]} 0 makes no sense; 1 is used")
        return number or 1


class _GarpExtra:
    """``[all] SECS`` in any order."""

    syntax: str = "[all] INT[0..86400]"

    def read(self, words: list[str], reading: Reading) -> tuple[int, bool]:
        """Return seconds, and whether all interfaces are meant."""
        seconds = None
        for index, word in enumerate(words[1:], 1):
            if word != "all":
                seconds = parse_integer(word, 0, 86400, reading, index)
        if seconds is None:
            raise Refused(codes.WORD_MISSING, f"{words[0]} needs a number of seconds; it is ignored", 0)
        return seconds, "all" in words[1:]

    def write(self, value: int) -> str | None:
        """Return the seconds."""
        return str(value)


def _garp_extra(draft: Draft, keyword: Keyword, value: tuple[int, bool], reading: Reading) -> None:
    draft.set("garp.extra_if", Seconds(value[0]), reading.line)
    if value[1]:
        draft.set("garp.extra_if_all", True, reading.line)


class _BufferSize(Integer):
    """One number of bytes and nothing else."""

    def read(self, words: list[str], reading: Reading) -> int:
        """Return the size."""
        if len(words) != 2:
            raise Refused(codes.BAD_VALUE, f"{words[0]} takes one number; the line is ignored", 0)
        return super().read(words, reading)


class _AnyTruth(Boolean):
    """A truth value of which every good one sets the flag, as keepalived does."""

    def read(self, words: list[str], reading: Reading) -> bool:
        """Return True, with a note where the word said otherwise."""
        value = super().read(words, reading)
        if not value:
            reading.complain(codes.TRUTH_IGNORED, f"{words[0]} {words[1]} sets the flag all the same, as it does in keepalived")
        return True

    def write(self, value: bool | None) -> str | None:
        """Return the word where the flag is set."""
        return "true" if value else None


def _sync_interface(draft: Draft, keyword: Keyword, value: str, reading: Reading) -> None:
    """Pass the old place of ``lvs_sync_daemon`` on to `global_defs`."""
    assert draft.parent is not None
    if "lvs sync" in draft.parent.values:
        raise Refused(codes.ALREADY_SET, "an instance before has this word; it is ignored", 0)
    if len(value) > 15:
        raise Refused(codes.BAD_VALUE, f"{value!r} is longer than 15 characters and no interface name")
    draft.parent.set("lvs sync", (value, draft.header), reading.line)


# Notification ---------------------------------------------------------------------------------------------------------------------


class _Deleted(Command):
    """``[CMD [USER [GROUP]]]``."""

    def read(self, words: list[str], reading: Reading) -> DeletedNotice:  # type: ignore[override]
        """Return the notice; a command that cannot be used leaves it without one."""
        if len(words) < 2:
            return DeletedNotice()
        try:
            return DeletedNotice(super().read(words, reading))
        except Refused as refusal:
            reading.refused(refusal)
            return DeletedNotice()

    def write(self, value: DeletedNotice | None) -> str | None:  # type: ignore[override]
        """Return the command, if there is one."""
        if value is None:
            return None
        return super().write(value.script) or ""


def notify_keyword(name: str, field: str, doc: str, since: str) -> Keyword:
    """Declare a script that runs at a change of state; the first one counts."""
    return Keyword(name, _SCRIPT, doc, f"notify.{field}", Repeat.DUPLICATE, since=since)


NOTIFY_KEYWORDS: Final = (
    notify_keyword("notify_backup", "backup", "Run on becoming backup.", "v1.0.3"),
    notify_keyword("notify_master", "master", "Run on becoming master.", "v1.0.3"),
    notify_keyword("notify_fault", "fault", "Run on a fault.", "v1.0.3"),
    notify_keyword("notify_stop", "stop", "Run when VRRP stops.", "v1.1.13"),
    notify_keyword("notify", "any", "Run on each change; kind, name, state and priority are appended.", "v1.1.2"),
)

# Keywords -------------------------------------------------------------------------------------------------------------------------

_GARP_KEYWORDS: Final = (
    Keyword("garp_master_delay", _DELAY, "Seconds until the second block of GARPs.", "garp.master_delay", since="v1.0.3"),
    Keyword("garp_master_repeat", _Repeats(), "GARPs in a block.", "garp.master_repeat", since="v1.2.14"),
    Keyword(
        "garp_master_refresh", Integer(otherwise=0), "Seconds between refreshing GARPs.", "garp.master_refresh", since="v1.2.10"
    ),
    Keyword("garp_master_refresh_repeat", _Repeats(), "GARPs in a refresh.", "garp.master_refresh_repeat", since="v1.2.14"),
    Keyword(
        "garp_lower_prio_delay", _DELAY, "Seconds until GARPs repeat after a lower advert.", "garp.lower_prio_delay",
        since="v1.2.20",
    ),
    Keyword(
        "garp_lower_prio_repeat", Integer(0, _INT_MAX), "GARPs after a lower advert.", "garp.lower_prio_repeat", since="v1.2.20"
    ),
    Keyword(
        "garp_extra_if", _GarpExtra(), "Seconds between GARPs on other interfaces.", "garp.extra_if", apply=_garp_extra,
        since="v2.2.3",
    ),
    Keyword(
        "vmac_garp_intvl", _GarpExtra(), "Old name of garp_extra_if.", "garp.extra_if", apply=_garp_extra,
        alias_of="garp_extra_if", old=codes.DEPRECATED, since="v2.2.0",
    ),
)  # fmt: skip


def _show_native(instance: VrrpInstance) -> list[str]:
    """Write the word where it says no more than what is so: it brings version 3 with it."""
    return [""] if instance.family is Family.INET6 and instance.version == 3 else []


def _show_ignore(instance: VrrpInstance) -> list[str]:
    """Leave the word out where only an owner could not say it."""
    return [] if instance.is_owner and not instance.owner_ignore_adverts else [str(instance.owner_ignore_adverts).lower()]


_ADVERT_KEYWORDS: Final = (
    Keyword("virtual_router_id", Integer(1, 255, lenient=False), "Number of the virtual router.", since="v1.0.3"),
    Keyword("version", Integer(2, 3), "VRRP version; IPv6 is version 3.", apply=_version, since="v1.2.17"),
    Keyword(
        "native_ipv6", Flag(Family.INET6), "An IPv6 instance.", "family", apply=_native_ipv6, show=_show_native, since="v1.2.1"
    ),
    Keyword("state", _State(), "State to start in; from the priority.", "state", apply=_state, since="v1.0.3"),
    Keyword(
        "priority", Integer(1, 255, otherwise=100, lenient=False), "Priority; 255 owns the addresses.", "priority", since="v1.0.3"
    ),
    Keyword("advert_int", Span(MICRO_PER_CENTI, 255 * MICRO_PER_SECOND), "Seconds between adverts.", since="v1.0.3"),
    Keyword("down_timer_adverts", Integer(1, 100), "Missed adverts until the master is down.", since="v2.2.3"),
    Keyword("preempt", Flag(), "Take over from a lower priority.", "preempt", since="v1.0.3"),
    Keyword("nopreempt", Flag(value=False), "Do not.", "preempt", alias_of="preempt", since="v1.1.8"),
    Keyword("preempt_delay", _PreemptDelay(0, 1000 * MICRO_PER_SECOND), "Seconds until taking over.", since="v1.1.8"),
    Keyword(
        "timer_expired_backup", Integer(1, 254, bare=254, lenient=False), "Step back after a gap; highest priority of others.",
        since="v2.2.8",
    ),
    Keyword(
        "thread_timer_expired", Integer(1, 254, bare=254, lenient=False), "Old name of timer_expired_backup.",
        "timer_expired_backup", alias_of="timer_expired_backup", old=codes.OLD_OPTION, since="v2.3.2",
    ),
    Keyword("lower_prio_no_advert", _BOOL, "Stay silent on a lower advert.", since="v1.2.20"),
    Keyword("higher_prio_send_advert", _BOOL, "Answer a higher advert once.", since="v1.3.5"),
    Keyword("owner_ignore_adverts", _BOOL, "The owner ignores adverts.", show=_show_ignore, since="v2.3.3"),
    Keyword("skip_check_adv_addr", _AnyTruth(), "Check addresses only of a new master.", since="v1.2.20"),
    Keyword("v3_checksum_as_v2", _BOOL, "VRRPv3 over IPv4: checksum without pseudo header.", since="v2.2.8"),
    Keyword("strict_mode", _BOOL, "Insist on the RFC.", "strict", since="v1.2.20"),
    Keyword("accept", Flag(), "Accept packets to the addresses; not in strict mode.", "accept", since="v1.2.17"),
    Keyword("no_accept", Flag(value=False), "Drop them.", "accept", alias_of="accept", since="v1.3.0"),
    Keyword("debug", Integer(0, 4), "Accepted.", since="v1.0.3", effect=Effect.ACCEPTED, why="keepalived does not use it either"),
    Keyword("kernel_rx_buf_size", _BufferSize(lenient=False), "Receive buffer in bytes.", since="v2.0.3"),
)  # fmt: skip

_OTHER_KEYWORDS: Final = (
    Keyword("no_virtual_ipaddress", _FLAG, "No addresses are wanted.", "no_virtual_addresses", since="v2.2.8"),
    Keyword("promote_secondaries", _FLAG, "Set that sysctl on the interface.", since="v1.3.0"),
    Keyword("dont_track_primary", _FLAG, "Ignore faults of the own interface.", since="v1.1.8"),
    Keyword(
        "linkbeat_use_polling", _FLAG, "Poll the own interface; use linkbeat_interfaces.", old=codes.OLD_OPTION, since="v2.0.0",
    ),
    Keyword(
        "lvs_sync_daemon_interface", Word("IFNAME"), "Old place of lvs_sync_daemon.", apply=_sync_interface,
        alias_of="lvs_sync_daemon", old=codes.OLD_OPTION, since="v1.0.3",
    ),
    Keyword(
        "dpdk_interface", Word("IFNAME"), "Interface of a DPVS director.", since="dpvs", effect=Effect.ACCEPTED,
        why="only DPVS has DPDK interfaces", old=codes.DIALECT_NO_EFFECT, apply=lambda draft, keyword, value, reading: None,
        show=show_nothing,
    ),
)  # fmt: skip

_ALERT_KEYWORDS: Final = (
    Keyword(
        "notify_deleted", _Deleted(), "On removal by a reload say DELETED, and run this.", "notify.deleted",
        Repeat.DUPLICATE, since="v2.1.0",
    ),
    notify_keyword("notify_master_rx_lower_pri", "master_rx_lower_pri", "Run when a master hears a lower advert.", "v2.0.6"),
    Keyword("notify_priority_changes", _BOOL, "Report changes of the priority on pipes.", since="v2.0.16"),
    Keyword("smtp_alert", _BOOL, "Mail on each change of state.", since="v1.0.3"),
)  # fmt: skip

VRRP_INSTANCE: Final = Block(
    "vrrp_instance",
    "A virtual router.",
    header=OneName(),
    open=open_named,
    close=_close,
    keywords=(
        *_ADVERT_KEYWORDS,  # the version first: later it might not fit addresses that it let pass
        *INTERFACE_KEYWORDS,
        *ADDRESS_KEYWORDS,
        *_OTHER_KEYWORDS,
        *_GARP_KEYWORDS,
        *NOTIFY_KEYWORDS,
        *_ALERT_KEYWORDS,
    ),
    blocks=(*AUTH_BLOCKS, *VALUE_BLOCKS, *TRACK_BLOCKS),
    model=VrrpInstance,
    into="vrrp.instances",
    since="v1.0.3",
)
