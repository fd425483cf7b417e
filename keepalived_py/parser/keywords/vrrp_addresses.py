"""Words and value blocks of ``vrrp_instance`` about addresses: of adverts, of peers, and those that the master has."""

from typing import Any, Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.vrrp import ChecksumCompat, VrrpInstance
from keepalived_py.parser import codes
from keepalived_py.parser.keywords.address_lines import (
    PEER_SYNTAX,
    VIRTUAL,
    read_peer,
    read_virtual_address,
    write_addresses,
    write_peers,
)
from keepalived_py.parser.keywords.route_lines import VIRTUAL_ROUTE, read_route, write_routes
from keepalived_py.parser.keywords.rule_lines import VIRTUAL_RULE, read_rule, write_rules
from keepalived_py.parser.keywords.track_lists import keep_nothing
from keepalived_py.parser.keywords.vrrp_interfaces import settle_family
from keepalived_py.parser.kinds import Flag, Integer, parse_address
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import Block, Draft, Keyword, Refused

_FLAG = Flag()

# Unicast and addresses of adverts -------------------------------------------------------------------------------------------------


def _unicast(draft: Draft, reading: Reading) -> object:
    assert draft.parent is not None
    draft.parent.values["unicast configured"] = True
    draft.parent.lines.setdefault("unicast configured", reading.line)
    return None


def _unicast_word(draft: Draft, keyword: Keyword, value: Any, reading: Reading) -> None:
    draft.set(keyword.target, value, reading.line)
    draft.values["unicast configured"] = True
    draft.lines.setdefault("unicast configured", reading.line)


def _peer_line(words: list[str], draft: Draft, reading: Reading) -> None:
    """Take a peer, of the instance's family and not there yet."""
    owner = draft.parent
    assert owner is not None
    address = parse_address(_before_range(words[0]), 0)
    if not settle_family(owner, address.family):
        raise Refused(codes.INSTANCE_FAMILY, f"{address} is not of the family of the instance; the peer is ignored", 0)
    peer, limited = read_peer(words, address, reading)
    if limited:
        owner.values["check_unicast_src"] = True
    known: set[Address] = owner.values.setdefault("peer addresses", set())
    if address in known:
        raise Refused(codes.PEER_DUPLICATE, f"{address} is a peer already; this line is ignored", 0)
    known.add(address)
    owner.add("unicast_peers", peer, reading.line)


def _before_range(word: str) -> str:
    """Drop what follows ``-`` or ``/``: keepalived reads such an address as if it stood alone."""
    return word.partition("-")[0].partition("/")[0]


class _AdvertAddress:
    """A numeric address; what follows ``-`` or ``/`` is passed over."""

    syntax: str = "ADDR"

    def read(self, words: list[str], reading: Reading) -> Address:
        """Return the address."""
        return parse_address(_before_range(reading.argument(words, 1)))

    def write(self, value: Address | None) -> str | None:
        """Return the address; None leaves the keyword out."""
        return None if value is None else str(value)


def _source(draft: Draft, keyword: Keyword, value: Address, reading: Reading) -> None:
    if keyword.name == "unicast_src_ip":
        draft.values["unicast configured"] = True
        draft.lines.setdefault("unicast configured", reading.line)
    if not settle_family(draft, value.family):
        draft.values.pop("source_address", None)
        if own := draft.values.get("ipvlan", {}).get("address"):
            draft.values["source_address"] = own
        raise Refused(codes.INSTANCE_FAMILY, f"{value} is not of the family of the instance; it is ignored")
    draft.set("source_address", value, reading.line)


def _multicast(draft: Draft, keyword: Keyword, value: Address, reading: Reading) -> None:
    draft.values.pop("multicast_group", None)
    if not settle_family(draft, value.family):
        raise Refused(codes.INSTANCE_FAMILY, f"{value} is not of the family of the instance; it is ignored")
    link_local = value.family is Family.INET or value.packed[1] & 0xF == 2
    if not value.is_multicast or not link_local:
        kind = "multicast" if value.family is Family.INET else "link-local multicast"
        raise Refused(codes.BAD_ADDRESS, f"{value} is no {kind} address; it is ignored")
    draft.set("multicast_group", value, reading.line)


class _OldChecksum:
    """``[never]``; bare: always."""

    syntax: str = "[never]"

    def read(self, words: list[str], reading: Reading) -> ChecksumCompat | None:
        """Return how checksums are made, None for a word that is reported and ignored."""
        if len(words) < 2:
            return ChecksumCompat.ALWAYS
        if words[1] == "never":
            return ChecksumCompat.NEVER
        reading.complain(codes.BAD_WORD, f"{words[1]!r} is not never; it is ignored")
        return None

    def write(self, value: ChecksumCompat) -> str | None:
        """Return the word."""
        return None if value is ChecksumCompat.AUTO else "" if value is ChecksumCompat.ALWAYS else "never"


def _old_checksum(draft: Draft, keyword: Keyword, value: ChecksumCompat | None, reading: Reading) -> None:
    draft.values["unicast configured"] = True
    draft.lines.setdefault("unicast configured", reading.line)
    if value is not None:
        draft.set("unicast_checksum", value, reading.line)


def _show_check(instance: VrrpInstance) -> list[str]:
    """Leave the word out of an instance that is not unicast: it would be read as a sign that it should be."""
    return [""] if instance.is_unicast and instance.check_unicast_src else []


def _show_ttl(instance: VrrpInstance) -> list[str]:
    return [str(instance.unicast_ttl)] if instance.is_unicast and instance.unicast_ttl is not None else []


ADDRESS_KEYWORDS: Final = (
    Keyword("mcast_src_ip", _AdvertAddress(), "Source of adverts.", "source_address", apply=_source, since="v1.0.3"),
    Keyword(
        "unicast_src_ip", _AdvertAddress(), "The same, for unicast.", "source_address", apply=_source, alias_of="mcast_src_ip",
        since="v1.2.10",
    ),
    Keyword("track_src_ip", _FLAG, "A fault while that address is missing.", "track_source_address", since="v2.0.0"),
    Keyword("mcast_dst_ip", _AdvertAddress(), "Group that adverts go to.", "multicast_group", apply=_multicast, since="v2.2.5"),
    Keyword("unicast_ttl", Integer(0, 255, lenient=False), "TTL of unicast adverts.", show=_show_ttl, since="v2.1.0"),
    Keyword("unicast_fault_no_peer", _FLAG, "Unicast without peers is a fault.", apply=_unicast_word, since="v2.2.5"),
    Keyword(
        "check_unicast_src", _FLAG, "Drop adverts from unknown unicast sources.", apply=_unicast_word, show=_show_check,
        since="v2.1.0",
    ),
    Keyword(
        "old_unicast_checksum", _OldChecksum(), "Checksum of unicast adverts as of old.", "unicast_checksum", apply=_old_checksum,
        since="v1.3.7",
    ),
)  # fmt: skip

# Value blocks ---------------------------------------------------------------------------------------------------------------------


def _virtual_line(words: list[str], draft: Draft, reading: Reading) -> None:
    """Take a virtual address, of the instance's family and not there yet."""
    address = read_virtual_address(VIRTUAL, words, reading)
    owner = draft.parent
    assert owner is not None
    if not settle_family(owner, address.family):
        raise Refused(codes.INSTANCE_FAMILY, f"{words[0]} is not of the family of the instance; it is ignored", 0)
    seen = owner.values.setdefault("seen addresses", (set(), set(), set()))
    if address.address in seen[0] or (address.address, address.interface) in seen[2]:
        raise Refused(codes.VIP_DUPLICATE, f"{address.address} is an address of the instance already; this line is ignored", 0)
    seen[0].add(address.address)
    seen[1].add((address.address, address.interface))
    owner.add("virtual_addresses", address, reading.line)


def _excluded_line(words: list[str], draft: Draft, reading: Reading) -> None:
    """Take an address that is not advertised, of either family."""
    address = read_virtual_address(VIRTUAL, words, reading)
    owner = draft.parent
    assert owner is not None
    seen = owner.values.setdefault("seen addresses", (set(), set(), set()))
    key = (address.address, address.interface)
    if key in seen[1] or key in seen[2]:
        raise Refused(codes.VIP_DUPLICATE, f"{address.address} is an address of the instance already; this line is ignored", 0)
    seen[2].add(key)
    owner.add("excluded_addresses", address, reading.line)


def _route_line(words: list[str], draft: Draft, reading: Reading) -> None:
    assert draft.parent is not None
    draft.parent.add("routes", read_route(VIRTUAL_ROUTE, words, reading), reading.line)


def _rule_line(words: list[str], draft: Draft, reading: Reading) -> None:
    assert draft.parent is not None
    draft.parent.add("rules", read_rule(VIRTUAL_RULE, words, reading, reading.free_priorities), reading.line)


def _values(name: str, doc: str, into: str, read: Any, syntax: str, write: Any, since: str, open_: Any = None) -> Block:
    return Block(
        name,
        doc,
        open=open_,
        read_line=read,
        close=keep_nothing,
        line_syntax=syntax,
        write_lines=write,
        into=into,
        since=since,
    )


VALUE_BLOCKS: Final = (
    _values(
        "unicast_peer", "Routers to send adverts to.", "unicast_peers", _peer_line, PEER_SYNTAX, write_peers, "v1.2.8", _unicast
    ),
    _values(
        "virtual_ipaddress",
        "Addresses of the virtual router, in its adverts.",
        "virtual_addresses",
        _virtual_line,
        VIRTUAL.syntax,
        write_addresses,
        "v1.0.3",
    ),
    _values(
        "virtual_ipaddress_excluded",
        "Further addresses, not in its adverts.",
        "excluded_addresses",
        _excluded_line,
        VIRTUAL.syntax,
        write_addresses,
        "v1.0.3",
    ),
    _values("virtual_routes", "Routes of the master.", "routes", _route_line, VIRTUAL_ROUTE.syntax, write_routes, "v1.0.3"),
    _values("virtual_rules", "Routing rules of the master.", "rules", _rule_line, VIRTUAL_RULE.syntax, write_rules, "v1.2.20"),
)
