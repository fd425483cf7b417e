"""Words of ``vrrp_instance`` about interfaces: ``interface``, ``vrf``, ``use_vmac``, ``use_ipvlan``."""

import re
from typing import Any, Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.vrrp import Ipvlan, IpvlanMode, Vmac
from keepalived_py.parser import codes
from keepalived_py.parser.keywords.address_lines import MAX_LABEL, parse_prefix
from keepalived_py.parser.kinds import Flag, Word, quoted
from keepalived_py.parser.names import GROUPS
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import Draft, Keyword, Refused

_MACVLAN_PRIVATE: Final = 1
"""``MACVLAN_MODE_PRIVATE`` of linux/if_link.h."""

_IPVLAN_L2: Final = 0


class Anything:
    """Words that the keyword's `apply` reads itself."""

    def __init__(self, syntax: str) -> None:
        self.syntax = syntax

    def read(self, words: list[str], reading: Reading) -> list[str]:
        """Return the words."""
        return words

    def write(self, value: Any) -> str | None:
        """Leave the keyword out."""
        return None


def settle_family(draft: Draft, family: Family) -> bool:
    """Take the family of an instance from an address; return whether it fits what is known already."""
    return bool(draft.values.setdefault("family", family) is family)


def _interface(draft: Draft, keyword: Keyword, value: str, reading: Reading) -> None:
    """Take the interface; a missing one makes the whole of VRRP be refused later."""
    _check_length(value)
    draft.values["interface named"] = True
    if reading.lacks_interface(value):
        draft.values.pop("interface", None)
        raise Refused(codes.INTERFACE_UNKNOWN, f"there is no interface {value}")
    facts = reading.interface(value)
    if facts is not None and facts.loopback:
        draft.values.pop("interface", None)
        raise Refused(codes.INTERFACE_LOOPBACK, f"{value} is a loopback interface, which cannot carry adverts")
    draft.set("interface", value, reading.line)


def _check_length(name: str) -> None:
    if len(name.encode("utf-8", "surrogateescape")) > MAX_LABEL:
        raise Refused(codes.TOO_LONG, f"the interface name {name!r} is longer than {MAX_LABEL} characters; the line is ignored")


def _vrf(draft: Draft, keyword: Keyword, value: str, reading: Reading) -> None:
    _check_length(value)
    if "interface" in draft.values:
        raise Refused(codes.INSTANCE_VRF, "vrf and interface exclude each other; vrf is ignored", 0)
    if "vrf" in draft.values:
        raise Refused(codes.ALREADY_SET, "vrf is set already; this one is ignored", 0)
    if reading.lacks_interface(value):
        raise Refused(codes.INTERFACE_UNKNOWN, f"there is no interface {value}")
    facts = reading.interface(value)
    if facts is not None and facts.loopback:
        raise Refused(codes.INTERFACE_LOOPBACK, f"{value} is a loopback interface, not a VRF")
    draft.set("vrf", value, reading.line)


# VMAC -----------------------------------------------------------------------------------------------------------------------------

_OCTET: Final = re.compile(r"[0-9A-Fa-f]{1,2}\Z")
_ROUTER_PREFIXES: Final = (bytes.fromhex("00005e0001"), bytes.fromhex("00005e0002"))
"""What the MAC addresses of virtual routers start with (RFC 9568 section 7.3)."""


def _mac(word: str) -> bytes | None:
    """Read a MAC address of six octets, or five, to which the virtual router id is added; None for anything else."""
    parts = word.split(":")
    octets = parts[:6] if len(parts) > 5 and parts[5] else parts[:5]
    if len(octets) < 5 or (len(octets) == 5 and len(parts) > 6) or not all(_OCTET.match(part) for part in octets):
        return None
    return bytes(int(part, 16) for part in octets)


def _vmac_mac(word: str, index: int, vmac: dict[str, Any], reading: Reading) -> None:
    if "mac" in vmac:
        reading.complain(codes.ALREADY_SET, "there is a MAC address already; this one is ignored", index)
        return
    mac = _mac(word)
    if mac is None:
        reading.complain(codes.BAD_MAC, f"{word!r} is no MAC address; it is ignored", index)
    elif mac[0] & 1:
        reading.complain(codes.BAD_MAC, f"{word} is a multicast address; it is ignored", index)
    elif mac[:5] in _ROUTER_PREFIXES:
        reading.complain(codes.BAD_MAC, f"{word} belongs to virtual routers, which get theirs without being told", index)
    else:
        vmac["mac"] = mac


def _group(words: list[str], index: int, target: dict[str, Any], reading: Reading) -> None:
    """Read the interface group after the word ``group``."""
    word = reading.argument(words, index + 1)
    number = GROUPS.number(word, reading)
    if number is None:
        reading.complain(codes.BAD_NAME, f"{word!r} is no interface group", index + 1)
    else:
        target["group"] = number


_NAME_SPACE: Final = "interface made for"


def _take_name(draft: Draft, word: str, index: int, reading: Reading) -> bool:
    """Register the name of an interface to be made; return False when another instance has it."""
    owners = reading.names.setdefault(_NAME_SPACE, {})
    owner = owners.get(word)
    if owner is not None and owner != draft.line:
        reading.complain(codes.INTERFACE_TAKEN, f"another instance uses {word} already; the name is ignored", index)
        return False
    owners[word] = draft.line
    return True


def _vmac_name(draft: Draft, word: str, index: int, vmac: dict[str, Any], reading: Reading) -> None:
    if "made" in draft.values:
        reading.complain(codes.ALREADY_SET, f"the interface has a name already; {word!r} is ignored", index)
        return
    if not word or len(word.encode("utf-8", "surrogateescape")) > MAX_LABEL or word in (".", "..") or re.search(r"[/:\s]", word):
        reading.complain(codes.BAD_NAME, f"{word!r} is no name of an interface; it is ignored", index)
        return
    if not _take_name(draft, word, index, reading):
        return
    facts = reading.interface(word)
    if facts is not None and (facts.kind not in ("macvlan", "macvtap") or facts.mode != _MACVLAN_PRIVATE):
        reading.complain(codes.INTERFACE_TAKEN, f"{word} exists and is no private macvlan; the name is ignored", index)
        return
    draft.values["made"] = vmac["name"] = word


def _use_vmac(draft: Draft, keyword: Keyword, words: list[str], reading: Reading) -> None:
    """Read ``use_vmac``'s words in any order; what cannot be used is reported and passed over."""
    vmac: dict[str, Any] = draft.values.setdefault("vmac", {})
    draft.lines.setdefault("vmac", reading.line)
    index = 1
    while index < len(words):
        word = words[index]
        if ":" in word:
            _vmac_mac(word, index, vmac, reading)
        elif word == "netlink_notify_msg":
            vmac["netlink_notify"] = True
        elif word == "group":
            _group(words, index, vmac, reading)
            index += 1
        elif word == "name":
            index += 1
            _vmac_name(draft, _named(draft, words, index, reading), index, vmac, reading)
        else:
            _vmac_name(draft, word, index, vmac, reading)
        index += 1


def _named(draft: Draft, words: list[str], index: int, reading: Reading) -> str:
    """Return the word after ``name``, which only an instance that has a name already can do without."""
    return "" if "made" in draft.values and index >= len(words) else reading.argument(words, index)


class _VmacWords(Anything):
    """The words of ``use_vmac``."""

    def write(self, value: Vmac | None) -> str | None:
        """Return the words that give a VMAC back."""
        if value is None:
            return None
        parts = [quoted(value.name)] if value.name else []
        parts += [value.mac.hex(":")] if value.mac else []
        parts += [f"group {value.group}"] if value.group is not None else []
        return " ".join([*parts, *(["netlink_notify_msg"] if value.netlink_notify else [])])


# ipvlan ---------------------------------------------------------------------------------------------------------------------------

_MODES: Final = {mode.name.lower(): mode for mode in IpvlanMode}


def _use_ipvlan(draft: Draft, keyword: Keyword, words: list[str], reading: Reading) -> None:
    """Read ``use_ipvlan``'s words in any order; what cannot be used is reported and passed over."""
    if "ipvlan" in draft.values:
        raise Refused(codes.ALREADY_SET, "use_ipvlan is given already; this line is ignored", 0)
    ipvlan: dict[str, Any] = {}
    draft.set("ipvlan", ipvlan, reading.line)
    index = 1
    while index < len(words):
        word = words[index]
        if word in _MODES:
            if "mode" in ipvlan:
                reading.complain(codes.ALREADY_SET, f"there is a mode already; {word} is ignored", index)
            else:
                ipvlan["mode"] = _MODES[word]
        elif word == "group":
            _group(words, index, ipvlan, reading)
            index += 1
        elif word == "name":
            index += 1
            _ipvlan_name(draft, _named(draft, words, index, reading), index, ipvlan, reading)
        elif (address := _address(word, index, reading)) is not None:
            _ipvlan_address(draft, address, index, ipvlan, reading)
        else:
            _ipvlan_name(draft, word, index, ipvlan, reading)
        index += 1


def _address(word: str, index: int, reading: Reading) -> tuple[Address, int] | None:
    """Read an address with a good prefix length, None for any other word."""
    length = word.partition("/")[2]
    if not set(word) & set(":.") or (("/" in word) and not (length.isdecimal() and length.isascii() and len(length) < 4)):
        return None
    try:
        address = Address.parse(word.partition("/")[0])
    except ValueError:
        return None
    if length and int(length) > address.family.bits:
        return None
    return parse_prefix(word, reading, index)


def _ipvlan_address(draft: Draft, address: tuple[Address, int], index: int, ipvlan: dict[str, Any], reading: Reading) -> None:
    if "address" in ipvlan:
        reading.complain(codes.ALREADY_SET, f"there is an address already; {address[0]} is ignored", index)
        return
    if not settle_family(draft, address[0].family):
        reading.complain(codes.INSTANCE_FAMILY, f"{address[0]} is not of the family of the instance; it is ignored", index)
        return
    ipvlan["address"], ipvlan["prefix_length"] = address
    if "source_address" not in draft.values:
        draft.set("source_address", address[0], reading.line)


def _ipvlan_name(draft: Draft, word: str, index: int, ipvlan: dict[str, Any], reading: Reading) -> None:
    if "made" in draft.values:
        reading.complain(codes.ALREADY_SET, f"the interface has a name already; {word!r} is ignored", index)
        return
    if len(word.encode("utf-8", "surrogateescape")) > MAX_LABEL:
        reading.complain(codes.TOO_LONG, f"the interface name {word!r} is longer than {MAX_LABEL} characters; it is ignored", index)
        return
    if not _take_name(draft, word, index, reading):
        return
    facts = reading.interface(word)
    if facts is not None and (facts.kind not in ("ipvlan", "ipvtap") or facts.mode != _IPVLAN_L2):
        reading.complain(codes.INTERFACE_TAKEN, f"{word} exists and is no l2 ipvlan; the name is ignored", index)
        return
    draft.values["made"] = ipvlan["name"] = word


class _IpvlanWords(Anything):
    """The words of ``use_ipvlan``."""

    def write(self, value: Ipvlan | None) -> str | None:
        """Return the words that give an ipvlan back."""
        if value is None:
            return None
        parts = [quoted(value.name)] if value.name else []
        parts += [f"{value.address}/{value.prefix_length}"] if value.address else []
        parts += [value.mode.name.lower()] if value.mode else []
        return " ".join([*parts, *([f"group {value.group}"] if value.group is not None else [])])


INTERFACE_KEYWORDS: Final = (
    Keyword("interface", Word("IFNAME"), "Interface that adverts use.", apply=_interface, since="v1.0.3"),
    Keyword("vrf", Word("IFNAME"), "VRF of unicast without an interface.", apply=_vrf, since="v2.2.5"),
    Keyword(
        "use_vmac",
        _VmacWords("[[name] IFNAME] [MAC] [group GROUP] [netlink_notify_msg]"),
        "Put the addresses on an interface with the virtual router's MAC address.",
        "vmac",
        apply=_use_vmac,
        since="v1.2.3",
    ),
    Keyword("use_vmac_addr", Flag(), "The same for addresses on other interfaces.", "vmac_addresses", since="v2.2.0"),
    Keyword("vmac_xmit_base", Flag(), "Send adverts from the interface below the VMAC.", since="v1.2.10"),
    Keyword(
        "use_ipvlan",
        _IpvlanWords("[[name] IFNAME] [ADDR[/LEN]] [bridge|private|vepa] [group GROUP]"),
        "Put the addresses on an ipvlan.",
        "ipvlan",
        apply=_use_ipvlan,
        since="v2.0.17",
    ),
)
