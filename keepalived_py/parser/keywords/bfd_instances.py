"""``bfd_instance``: sessions that tell VRRP instances and checkers whether a neighbour can be reached."""

from dataclasses import dataclass
from typing import Any, Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.bfd import MAX_NAME, BfdInstance
from keepalived_py.parser import codes
from keepalived_py.parser.keywords.tracking_blocks import Weight, report_end, set_weight, show_weight
from keepalived_py.parser.kinds import Boolean, Flag, Integer, Span, Word, parse_address
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import SKIP, Block, Draft, Keyword, Refused
from keepalived_py.units import MICRO_PER_SECOND, Micro

_SENSIBLE: Final = 10 * MICRO_PER_SECOND
_MAX_MS: Final = 0xFFFFFFFF // 1000
_HOPS: Final = 255
_DEFAULT_TTL: Final = {Family.INET: 255, Family.INET6: 64}


@dataclass(frozen=True, slots=True)
class _Milliseconds:
    """Milliseconds with at most three decimals, kept as `Micro`; more than ten seconds are noted."""

    low: int = 1

    @property
    def syntax(self) -> str:
        """``MSECS[1..4294967]``."""
        return f"MSECS[{self.low}..{_MAX_MS}]"

    def read(self, words: list[str], reading: Reading) -> Micro:
        """Return microseconds."""
        word = reading.argument(words, 1)
        span = Span(places=3).parse(word, reading) // 1000
        if not self.low * 1000 <= span <= _MAX_MS * 1000:
            raise Refused(codes.OUT_OF_RANGE, f"{word} is outside {self.low}..{_MAX_MS} milliseconds")
        if span > _SENSIBLE:
            reading.complain(codes.BFD_SLOW, f"{words[0]} {word}: a session this slow notices nothing for seconds")
        return Micro(span)

    def write(self, value: Micro) -> str | None:
        """Return milliseconds."""
        whole, part = divmod(value, 1000)
        return f"{whole}.{part:03d}".rstrip("0") if part else str(whole)


class _Neighbor:
    """A numeric address; what follows ``-`` or ``/`` is passed over.  A bad one drops the session."""

    syntax: str = "ADDR"

    def read(self, words: list[str], reading: Reading) -> Address:
        """Return the address."""
        word = reading.argument(words, 1)
        return parse_address(word.partition("-")[0].partition("/")[0])

    def write(self, value: Address | None) -> str | None:
        """Return the address; None leaves the keyword out."""
        return None if value is None else str(value)


class _NeighborOrNothing(_Neighbor):
    """The neighbour's address, None for one that cannot be read."""

    def read(self, words: list[str], reading: Reading) -> Address | None:  # type: ignore[override]
        """Return the address; report a bad one and return None."""
        try:
            return super().read(words, reading)
        except Refused as refusal:
            reading.complain(codes.BFD_NEIGHBOR, f"{refusal.text}; the session is dropped")
            return None


def _neighbor(draft: Draft, keyword: Keyword, value: Address | None, reading: Reading) -> None:
    if value is None:
        draft.values["bad"] = True
    draft.set("neighbor", value, reading.line)


def _audience(draft: Draft, keyword: Keyword, value: Any, reading: Reading) -> None:
    draft.values.setdefault("audience", set()).add(keyword.name)


def _open(draft: Draft, reading: Reading) -> object:
    name = draft.header
    if len(name.encode("utf-8", "surrogateescape")) > MAX_NAME:
        reading.complain(codes.TOO_LONG, f"the name {name!r} is longer than {MAX_NAME} bytes; the session is skipped")
        reading.names.setdefault("bfd_instance", {}).setdefault(name, draft.line)
        return SKIP
    known = reading.names.setdefault("bfd", {})
    if name in known:
        first = reading.origins.place(known[name])
        where = f"; first at {first.file}:{first.line}" if first else ""
        reading.complain(codes.DUPLICATE_NAME, f"bfd_instance {name} is defined already and this one is skipped{where}")
        return SKIP
    return None


def _close(draft: Draft, reading: Reading) -> None:
    """Keep a session that has a neighbour of its own; its name is known to whoever hears of it even where it is dropped."""
    values = draft.values
    audience = values.pop("audience", {"vrrp", "checker"})
    reading.names["bfd"][draft.header] = draft.line
    if "checker" in audience:
        reading.names.setdefault("bfd_instance", {}).setdefault(draft.header, draft.line)
    if "vrrp" in audience:
        reading.names.setdefault("bfd_instance for VRRP", {}).setdefault(draft.header, draft.line)
    parent = draft.parent
    assert parent is not None
    parent.values.setdefault("bfd.weights", {})[draft.header] = (values.get("weight", 0), values.get("reverse", False))
    if values.pop("bad", False):
        return
    if "neighbor" not in values:
        report_end(codes.BFD_NEIGHBOR, f"bfd_instance {draft.header} has no neighbor_ip and is dropped", draft, reading)
        return
    session = _session(draft, audience, reading)
    if session is not None:
        parent.add("bfd.instances", session, draft.line)


def _session(draft: Draft, audience: set[str], reading: Reading) -> BfdInstance | None:
    values = draft.values
    neighbor: Address = values["neighbor"]
    source: Address | None = values.get("source")
    if source is not None and source.family is not neighbor.family:
        text = f"bfd_instance {draft.header}: {source} and {neighbor} are not of one family; it is dropped"
        report_end(codes.BFD_FAMILY, text, draft, reading)
        return None
    assert draft.parent is not None
    for other in draft.parent.values.get("bfd.instances", ()):
        if other.neighbor != neighbor or other.multihop != values.get("multihop", False):
            continue
        if other.source is None or source is None or other.source == source:
            text = f"bfd_instance {draft.header} has the addresses of {other.name} and is dropped"
            report_end(codes.BFD_DUPLICATE, text, draft, reading)
            return None
    ttl = values.get("ttl", _DEFAULT_TTL[neighbor.family])
    if values.get("max_hops", 0) > ttl:
        report_end(codes.BFD_HOPS, f"bfd_instance {draft.header}: max_hops exceeds the ttl; {ttl} is used", draft, reading)
        values["max_hops"] = ttl
    values["ttl"] = ttl
    return BfdInstance(draft.header, vrrp="vrrp" in audience, checker="checker" in audience, **values)


_INTERVAL = _Milliseconds()
_TTL = Integer(1, _HOPS, lenient=False)

BFD_INSTANCE: Final = Block(
    "bfd_instance",
    "A BFD session; must stand before its users.",
    header=Word("NAME"),
    open=_open,
    close=_close,
    keywords=(
        Keyword("neighbor_ip", _NeighborOrNothing(), "The neighbour.", "neighbor", apply=_neighbor, since="v2.0.0"),
        Keyword(
            "neighbour_ip",
            _NeighborOrNothing(),
            "The same.",
            "neighbor",
            apply=_neighbor,
            alias_of="neighbor_ip",
            since="v2.0.0",
        ),
        Keyword("source_ip", _Neighbor(), "Own address; the kernel's choice.", "source", since="v2.0.0"),
        Keyword("min_rx", _INTERVAL, "Shortest interval between packets that can be handled.", since="v2.0.0"),
        Keyword("min_tx", _INTERVAL, "Interval between packets sent.", since="v2.0.0"),
        Keyword("idle_tx", _Milliseconds(1000), "Interval between packets sent while the session is down.", since="v2.0.0"),
        Keyword("multiplier", Integer(1, 255, lenient=False), "Packets lost in a row until the session is down.", since="v2.0.0"),
        Keyword("passive", Flag(), "Wait for the neighbour to start.", since="v2.0.0"),
        Keyword("ttl", _TTL, "TTL of packets sent; 255, with IPv6 64.", since="v2.0.0"),
        Keyword("hoplimit", _TTL, "The same.", "ttl", alias_of="ttl", since="v2.0.0"),
        Keyword("max_hops", Integer(-1, _HOPS, lenient=False), "Routers that may lie between; -1: any number.", since="v2.0.0"),
        Keyword("multihop", Boolean(), "Use the port of multihop sessions.", since="v2.2.8"),
        Keyword("vrrp", Flag(), "Tell VRRP instances, and not checkers unless asked to.", apply=_audience, since="v2.0.0"),
        Keyword("checker", Flag(), "Tell checkers, and not VRRP instances unless asked to.", apply=_audience, since="v2.0.0"),
        Keyword("weight", Weight(253), "Default weight of tracking instances.", apply=set_weight, show=show_weight, since="v2.0.0"),
    ),
    model=BfdInstance,
    into="bfd.instances",
    since="v2.0.0",
)
