"""Names of routing tables, scopes, protocols, realms, groups: as the kernel defines them, and as iproute2's files add to them.

Numbers are those of linux/rtnetlink.h; any of these words may also be a number in C's notation.
"""

from dataclasses import dataclass
from typing import Final

from keepalived_py.parser import codes
from keepalived_py.parser.lines import Cursor, Term, c_number
from keepalived_py.parser.reading import Reading, did_you_mean

FOLDERS: Final = ("/etc/iproute2", "/usr/share/iproute2", "/usr/lib/iproute2")
"""Where iproute2 keeps its names, the administrator's folder first."""


@dataclass(frozen=True, slots=True)
class NameTable:
    """Names of one kind: the file of iproute2 that has more of them, the largest number, what the kernel has built in."""

    file: str
    what: str
    high: int
    known: dict[str, int]

    def number(self, word: str, reading: Reading) -> int | None:
        """Return the number that a word stands for; None for an unknown name or a number out of range."""
        number = c_number(word)
        if number is not None:
            number &= 0xFFFFFFFF
            return number if number <= self.high else None
        if word in self.known:
            return self.known[word]
        found = reading.facts.route_number(self.file, word, folders(reading))
        return found if found is not None and 0 <= found <= self.high else None

    def read(self, word: str, cursor: Cursor) -> int:
        """Return the number; refuse the word under the cursor when it stands for none."""
        number = self.number(word, cursor.reading)
        if number is None:
            raise cursor.refuse(codes.BAD_NAME, f"{word!r} is no {self.what}", did_you_mean(word, self.known))
        return number

    def write(self, number: int) -> str:
        """Return a built-in name, else the digits."""
        return next((name for name, known in self.known.items() if known == number), str(number))


def folders(reading: Reading) -> tuple[str, ...]:
    """Return where names are looked up: what `global_defs` names, else the usual places."""
    values = reading.globals.values if reading.globals is not None else {}
    named = tuple(values[name] for name in ("iproute_etc_dir", "iproute_usr_dir") if values.get(name))
    return named or FOLDERS


TABLES: Final = NameTable("rt_tables", "routing table", 0xFFFFFFFF, {"default": 253, "main": 254, "local": 255})
SCOPE_NAMES: Final = NameTable("rt_scopes", "scope", 255, {"global": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255})
PROTOCOLS: Final = NameTable(
    "rt_protos",
    "routing protocol",
    255,
    {
        "none": 0, "redirect": 1, "kernel": 2, "boot": 3, "static": 4, "gated": 8, "ra": 9, "mrt": 10, "zebra": 11, "bird": 12,
        "dnrouted": 13, "xorp": 14, "ntk": 15, "dhcp": 16, "babel": 42,
    },
)  # fmt: skip
REALM_NAMES: Final = NameTable("rt_realms", "realm", 255, {})
DSFIELDS: Final = NameTable("rt_dsfield", "type of service", 255, {})
GROUPS: Final = NameTable("group", "interface group", 0x7FFFFFFF, {})

ROUTE_TYPES: Final = {
    "unicast": 1, "local": 2, "broadcast": 3, "brd": 3, "anycast": 4, "multicast": 5, "blackhole": 6, "unreachable": 7,
    "prohibit": 8, "throw": 9, "nat": 10, "xresolve": 11,
}  # fmt: skip
"""Types of routes (``RTN_*``)."""


def route_type(word: str) -> int | None:
    """Return the type that a word stands for, by name or number; None when it is none."""
    if word in ROUTE_TYPES:
        return ROUTE_TYPES[word]
    number = c_number(word)
    return number if number is not None and 0 <= number <= 255 and not word.startswith("-") else None


def _term(table: NameTable, syntax: str) -> Term:
    return Term(syntax, table.read, table.write)


TABLE: Final = _term(TABLES, "TABLE")
SCOPES: Final = _term(SCOPE_NAMES, "SCOPE")
PROTOCOL: Final = _term(PROTOCOLS, "PROTOCOL")
DSFIELD: Final = _term(DSFIELDS, "TOS")
GROUP: Final = _term(GROUPS, "GROUP")


def _read_realms(word: str, cursor: Cursor) -> int:
    """Return both realms as the kernel packs them: that before the slash in the upper half."""
    parts = word.split("/", 1)
    numbers = [REALM_NAMES.number(part, cursor.reading) for part in parts]
    if None in numbers:
        raise cursor.refuse(codes.BAD_NAME, f"{word!r} is no realm or pair of realms")
    first, last = numbers[0] or 0, numbers[-1] or 0
    return first << 16 | last if len(parts) > 1 else first


def _write_realms(realms: int) -> str:
    return f"{realms >> 16}/{realms & 0xFFFF}" if realms >> 16 else str(realms)


REALMS: Final = Term("REALM[/REALM]", _read_realms, _write_realms, r"[^/\s]+(?:/[^/\s]+)?")
