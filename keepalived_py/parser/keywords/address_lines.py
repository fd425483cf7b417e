"""Lines of ``virtual_ipaddress``, ``virtual_ipaddress_excluded``, ``static_ipaddress`` and ``unicast_peer``.

Thousands of the first kind are usual: `read_virtual_address` reads the plainest ones without looking at the table.
"""

from typing import Any, Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.routing import FOREVER, AddressFlags, VirtualAddress
from keepalived_py.config.vrrp import UnicastPeer
from keepalived_py.parser import codes
from keepalived_py.parser.kinds import digits, parse_address, parse_integer
from keepalived_py.parser.lines import ADDRESS, INTERFACE, TEXT, Cursor, LineGrammar, Option, Term
from keepalived_py.parser.names import SCOPES
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import Refused

MAX_LABEL: Final = 15
"""Longest interface name and address label (IFNAMSIZ, less its NUL)."""

_LARGEST_BROADCAST_PREFIX: Final = 30


def parse_prefix(word: str, reading: Reading, index: int) -> tuple[Address, int]:
    """Read ``ADDR[/LEN]``; a bad length is reported and the full one used."""
    text, slash, length = word.partition("/")
    address = parse_address(text, index)
    bits = address.family.bits
    if not slash:
        return address, bits
    if digits(length, 3) and int(length) <= bits:
        return address, int(length)
    try:
        return address, parse_integer(length, 0, bits, reading, index)
    except Refused as refusal:
        reading.complain(codes.BAD_PREFIX, f"prefix length {refusal.text}; {bits} is used", index)
        return address, bits


def _read_head(word: str, cursor: Cursor) -> tuple[Address, int]:
    return parse_prefix(word, cursor.reading, cursor.at)


PREFIX: Final = Term("ADDR[/LEN]", _read_head, pattern=r"[0-9A-Fa-f.:]+(?:/[0-9]+)?")


def _device(cursor: Cursor, option: Option) -> None:
    name = INTERFACE.read(cursor.take(), cursor)
    if "interface" in cursor.values:
        raise cursor.refuse(codes.LINE_CONFLICT, "dev is given twice; the address is ignored")
    cursor.values["interface"] = name


def _scope(cursor: Cursor, option: Option) -> None:
    try:
        cursor.values["scope"] = SCOPES.read(cursor.take(), cursor)
    except Refused as refusal:
        if refusal.code is codes.WORD_MISSING:
            raise
        cursor.reading.refused(refusal)


def _broadcast(cursor: Cursor, option: Option) -> None:
    word = cursor.take()
    if cursor.values["address"].family is Family.INET6:
        raise cursor.refuse(codes.LINE_CONFLICT, "an IPv6 address has no broadcast address; the address is ignored")
    if word in ("+", "-"):
        cursor.values["broadcast"] = word
        return
    address = parse_address(word, cursor.at)
    if address.family is not Family.INET:
        raise cursor.refuse(codes.BAD_ADDRESS, f"{word} is not an IPv4 address")
    cursor.values["broadcast"] = address


def _label(cursor: Cursor, option: Option) -> None:
    word = cursor.take()
    if len(word.encode("utf-8", "surrogateescape")) > MAX_LABEL:
        raise cursor.refuse(codes.TOO_LONG, f"label {word!r} is longer than {MAX_LABEL} characters; the address is ignored")
    cursor.values["label"] = word


def _peer(cursor: Cursor, option: Option) -> None:
    word = cursor.take()
    values = cursor.values
    if "peer" in values:
        cursor.complain(codes.LINE_CONFLICT, "there is a peer already; this one is ignored")
        return
    try:
        peer = parse_address(word, cursor.at)
    except Refused as refusal:
        cursor.reading.refused(refusal)
        return
    address = values["address"]
    if peer.family is not address.family:
        cursor.complain(codes.LINE_CONFLICT, f"peer {word} is not of the family of the address")
        return
    if values["prefix_length"] != address.family.bits:
        cursor.complain(codes.LINE_CONFLICT, "an address with a peer has no prefix length; it is ignored")
    values["peer"], values["prefix_length"] = peer, address.family.bits


def _lifetime(cursor: Cursor, option: Option) -> None:
    word = cursor.take()
    if word == "forever":
        cursor.values["preferred_lifetime"] = FOREVER
        return
    try:
        cursor.values["preferred_lifetime"] = parse_integer(word, 0, FOREVER, cursor.reading, cursor.at)
    except Refused as refusal:
        cursor.reading.refused(refusal)


def _set_flag(flag: AddressFlags) -> Any:
    def apply(cursor: Cursor, option: Option) -> None:
        cursor.values["flags"] = cursor.values.get("flags", AddressFlags.NODAD) | flag

    return apply


def _dad(cursor: Cursor, option: Option) -> None:
    cursor.values["flags"] = cursor.values.get("flags", AddressFlags.NODAD) & ~AddressFlags.NODAD


def _shown_flag(name: str, flag: AddressFlags) -> Any:
    return lambda flags: name if (flag in flags) is (flag is not AddressFlags.NODAD) else None


def _flag(name: str, flag: AddressFlags, doc: str) -> Option:
    apply = _dad if flag is AddressFlags.NODAD else _set_flag(flag)
    return Option((name,), None, "flags", doc, apply=apply, show=_shown_flag(name, flag))


def _static_group(cursor: Cursor, option: Option) -> None:
    read_track_group(cursor)


def read_track_group(cursor: Cursor) -> bool:
    """Read the name of a track group; return False where a second one ends the line."""
    name = cursor.take()
    if "track_group" in cursor.values:
        cursor.complain(codes.LINE_CONFLICT, "there is a track_group already; what follows is ignored")
        cursor.at = len(cursor.words)
        return False
    if cursor.reading.knows("track_group", name):
        cursor.values["track_group"] = name
    else:
        cursor.complain(codes.REFERENCE_UNKNOWN, f"no track_group {name} is defined before this line")
    return True


_LIFETIME: Final = Term("INT|forever", lambda word, _: word, pattern=r"[0-9]+|forever")
_BROADCAST: Final = Term("ADDR4|+|-", lambda word, _: word, pattern=r"[0-9.]+|[+-]")

_OPTIONS: Final = (
    Option(("dev",), INTERFACE, "interface", "Interface that gets the address.", apply=_device),
    Option(("scope",), SCOPES, "scope", "Scope, by name or number; IPv4 only.", apply=_scope),
    Option(("broadcast", "brd"), _BROADCAST, "broadcast", "Broadcast address; + all ones, - all zeros.", apply=_broadcast),
    Option(("label",), TEXT, "label", "Label; IPv4 only.", apply=_label),
    Option(("peer",), ADDRESS, "peer", "Other end of a point-to-point link.", apply=_peer),
    _flag("home", AddressFlags.HOMEADDRESS, "Home address of Mobile IPv6."),
    _flag("-nodad", AddressFlags.NODAD, "Detect duplicates, which is otherwise left out."),
    _flag("mngtmpaddr", AddressFlags.MANAGETEMPADDR, "The kernel makes temporary addresses of it."),
    _flag("noprefixroute", AddressFlags.NOPREFIXROUTE, "No route to the prefix."),
    _flag("autojoin", AddressFlags.MCAUTOJOIN, "Join a multicast group."),
    Option(("no_track",), None, "no_track", "Do not care when the address disappears."),
    Option(
        ("preferred_lft",),
        _LIFETIME,
        "preferred_lifetime",
        "Seconds that the address is preferred; 0 for an IPv6 host address unless set.",
        apply=_lifetime,
        show=lambda seconds: None if seconds is None else f"preferred_lft {'forever' if seconds == FOREVER else seconds}",
    ),
)

VIRTUAL: Final = LineGrammar(
    "virtual_ipaddress",
    (*_OPTIONS, Option(("use_vmac",), None, "use_vmac", "Put the address on a VMAC of its own.")),
    head=PREFIX,
)

STATIC: Final = LineGrammar(
    "static_ipaddress",
    (
        *_OPTIONS,
        Option(("track_group",), TEXT, "track_group", "Instances that watch the interface.", apply=_static_group),
    ),
    head=PREFIX,
)


def read_virtual_address(grammar: LineGrammar, words: list[str], reading: Reading) -> VirtualAddress:
    """Read a line of `VIRTUAL` or `STATIC`; raise `Refused` for one that makes no address."""
    address, length = parse_prefix(words[0], reading, 0)
    if len(words) == 1:
        lifetime = None if address.family is Family.INET else 0 if length == address.family.bits else FOREVER
        return VirtualAddress(address, length, preferred_lifetime=lifetime)
    cursor = grammar.cursor(words, reading)
    values = cursor.values
    values["address"], values["prefix_length"] = address, length
    try:
        grammar.read_options(cursor)
    except Refused as refusal:
        raise grammar.explained(refusal, cursor) from None
    _settle(cursor)
    return VirtualAddress(**values)


def _settle(cursor: Cursor) -> None:
    """Apply what needs the whole line: the broadcast address, and what IPv6 does without."""
    values, reading = cursor.values, cursor.reading
    address: Address = values["address"]
    length: int = values["prefix_length"]
    broadcast = values.get("broadcast")
    if broadcast is not None and "peer" in values:
        reading.complain(codes.LINE_CONFLICT, "an address with a peer has no broadcast address; it is ignored", 0)
        del values["broadcast"]
    elif isinstance(broadcast, str):
        del values["broadcast"]
        if length > _LARGEST_BROADCAST_PREFIX:
            reading.complain(codes.BAD_PREFIX, f"a prefix of length {length} has no room for a broadcast address", 0)
        else:
            values["broadcast"] = _edge(address, length, ones=broadcast == "+")
    if address.family is Family.INET:
        values.pop("preferred_lifetime", None)
        return
    values.setdefault("preferred_lifetime", 0 if length == address.family.bits else FOREVER)
    for name in ("scope", "label"):
        if values.pop(name, None):
            reading.complain(codes.LINE_CONFLICT, f"an IPv6 address has no {name}; it is ignored", 0)


def _edge(address: Address, length: int, *, ones: bool) -> Address:
    """Return the last or first address of the network that an IPv4 address is in."""
    host = (1 << (32 - length)) - 1
    number = int(address) | host if ones else int(address) & ~host
    return Address(number.to_bytes(4, "big"))


def write_virtual_address(address: VirtualAddress) -> str:
    """Write an address so that it is read back the same."""
    grammar = STATIC if address.track_group else VIRTUAL
    plain = VirtualAddress(address.address, address.prefix_length)
    head = str(address.address) if address.peer else str(address)
    words = [word for word in grammar.write(address, plain) if not _is_usual(word, address)]
    return " ".join([head, *words])


def _is_usual(word: str, address: VirtualAddress) -> bool:
    """Whether an option says what a line without it would mean."""
    usual = 0 if address.prefix_length == address.family.bits else FOREVER
    return word.startswith("preferred_lft") and address.preferred_lifetime == usual


def write_addresses(addresses: tuple[VirtualAddress, ...]) -> list[str]:
    """Return one line for each address."""
    return [write_virtual_address(address) for address in addresses]


# Unicast peers --------------------------------------------------------------------------------------------------------------------

_TTLS: Final = ("min_ttl", "max_ttl")

PEER_SYNTAX: Final = "ADDR [min_ttl INT[0..255]] [max_ttl INT[0..255]]"


def read_peer(words: list[str], address: Address, reading: Reading) -> tuple[UnicastPeer, bool]:
    """Read the options of a peer; return it, and whether it has any limits."""
    limits: dict[str, int] = {}
    for index in range(1, len(words), 2):
        if index + 1 == len(words):
            reading.complain(codes.WORD_MISSING, f"{words[index]} needs a number", index)
            break
        try:
            limit = parse_integer(words[index + 1], 0, 255, reading, index + 1, lenient=False)
        except Refused as refusal:
            reading.refused(refusal)
            continue
        if words[index] not in _TTLS:
            reading.complain(codes.LINE_WORD, f"{words[index]!r} is not one of {', '.join(_TTLS)}", index)
            break
        limits[words[index]] = limit
    peer = UnicastPeer(address, **limits)
    if peer.min_ttl > peer.max_ttl:
        reading.complain(codes.BAD_VALUE, f"min_ttl {peer.min_ttl} is above max_ttl {peer.max_ttl}: nothing is accepted", 0)
    return peer, bool(limits)


def write_peers(peers: tuple[UnicastPeer, ...]) -> list[str]:
    """Return one line for each peer."""
    lines = []
    for peer in peers:
        low = f" min_ttl {peer.min_ttl}" if peer.min_ttl else ""
        high = f" max_ttl {peer.max_ttl}" if peer.max_ttl != 255 else ""
        lines.append(f"{peer.address}{low}{high}")
    return lines
