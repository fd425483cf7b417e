"""Configurations made of the declarations: every word that is declared, with arguments that its kind takes.

Words come from the declarations alone, so that a new one is tested as soon as it is declared; only what a block cannot do without
is named here.  What a line means beside the others is left to chance: a configuration is often refused in part, as are those of
users.
"""

from collections.abc import Iterator
from typing import Final

from hypothesis import strategies as st

from keepalived_py.parser.keywords.root import ROOT
from keepalived_py.parser.origins import Origins
from keepalived_py.parser.reader import LineReader
from keepalived_py.parser.reading import Reading, UnusableError
from keepalived_py.parser.schema import Block, Keyword, Kind, Refused
from keepalived_py.parser.tokens import split_words
from tests.helpers.facts import FakeFacts


def _listed(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(";"))


ARGUMENTS = _listed(r"""
 ; on ; no ; 0 ; 1 ; 2 ; 7 ; 50 ; 200 ; 1400 ; 65535 ; 4294967295 ; -1 ; -200 ; 0.5 ; 3.25 0.75 ; 1-20,30 ; 10 20 ; 2 4 ;
0x1f ; eth0 ; eth1 ; lo ; 192.0.2.1 ; 192.0.2.9/24 ; 198.51.100.1-9 ; 198.51.100.1 80 ; 192.0.2.2 0 ; fwmark 7 ; 2001:db8::1 ;
2001:db8::1 443 ; fe80::1 ; 224.0.0.18 ; ff02::12 ; rr ; wrr flag-1 flag-2 ; sh sh-port ; NAT ; TUN type gue port 70 ; FNAT ;
TCP ; UDP ; SCTP ; sip ; AH ; PASS ; PASS secret ; MASTER ; BACKUP ; GET ; HTTP/1.1 ; 1.1 ; MX ; some.name ; name ; Name_2 ;
"two words" ; "a \"quoted\" word" ; group one ; /bin/ok ; "/bin/ok a b" nobody ; /nowhere/at/all x ; nobody ; nobody root ;
root ; <1,2> ; 00:11:22:33:44:55 ; 02:00:00:00:00:01 ; a@example.org ; "A Name" <a@example.org> ; 127.0.0.1 25 ; state ; dir ;
one ; two ; local ; main ; ipv4 ; ipv6 ; all ; any ; name weight 5 ; name 5 ; ^a.*b$ ; 200-299 301 ;
0123456789abcdef0123456789abcdef ; d41d8cd98f00b204e9800998ecf8427e ; 2 3 4 ; user pass ; id 5 ; host:8080 ; 12 0xff ;
tcp 100 udp 5 ; 5 a-secret-of-more-than-thirty-two-bytes ; monotonic ; enforce ; ipip ; inet6
""")
"""Arguments as users write them, the first of them none; each kind takes some of these."""

LINES = _listed(r"""
192.0.2.7/24 dev eth0 ; 192.0.2.8 ; 2001:db8::7/64 dev eth1 scope link ; 198.51.100.7-9 ; eth0 ; eth1 weight 5 ;
lo weight -3 ; 192.0.2.0/24 via 192.0.2.1 dev eth0 ; 2001:db8:1::/48 via fe80::1 dev eth0 ; from 192.0.2.0/24 table 7 ;
blackhole 203.0.113.0/24 ; name ; name weight 3 ; a@example.org ; 198.51.100.1 80 ; 198.51.100.1-4 80 ; 2001:db8::1 53 ;
fwmark 8 ; fwmark 2001 ; 10 20 30 ; 192.0.2.40-42 eth0 ; one ; two ; iso 7 ; kilo
""")
"""Lines of blocks that hold values."""

NAMES = ("name", "one", "two")
"""What blocks are called that have a name, so that lines can refer to them."""

NEEDED = {
    "vrrp_instance": ("interface eth0", "virtual_router_id 7"),
    "vrrp_sync_group": ("group {", "name", "two", "}"),
    "track_group": ("group {", "one", "}"),
    "vrrp_script": ("script /bin/ok",),
    "vrrp_track_file": ("file /run/state",),
    "vrrp_track_process": ("process sshd",),
    "bfd_instance": ("neighbor_ip 192.0.2.9",),
    "tunnel_entry": ("kind gre", "remote 192.0.2.9", "local 192.0.2.1", "if eth0"),
}
"""What a block is ignored without."""

_TAKEN: Final[dict[int, tuple[str, ...]]] = {}


def arguments_of(kind: Kind) -> tuple[str, ...]:
    """Return those of `ARGUMENTS` that a kind makes a value of, without a word against it."""
    if id(kind) not in _TAKEN:  # declarations live as long as the program
        _TAKEN[id(kind)] = tuple(each for each in ARGUMENTS if _taken(kind, each))
    return _TAKEN[id(kind)]


def _taken(kind: Kind, arguments: str) -> bool:
    reading = Reading(Origins(), FakeFacts())
    reading.reader = LineReader(reading.origins, reading.report_from_reader, config_id="", environment=lambda name: None)
    reading.text = f"keyword {arguments}".rstrip()
    reading.words, _ = split_words(reading.text)
    try:
        kind.read(reading.words, reading)
    except (Refused, UnusableError):
        return False
    return not reading.diagnostics


def keyword_lines(keyword: Keyword) -> tuple[str, ...]:
    """Return the lines that can be made of a keyword."""
    return tuple(f"{keyword.name} {each}".rstrip() for each in arguments_of(keyword.kind))


def head(block: Block, choice: int) -> str:
    """Return the first line of a block; equal choices give equal names."""
    heads = arguments_of(block.header) if block.header is not None else ("",)
    named = [each for each in heads if each in NAMES] or heads
    return f"{block.name} {named[choice % len(named)]} {{"


def everyday(block: Block) -> Iterator[str]:
    """Yield a body that says each word once, with the first arguments that it takes."""
    yield from NEEDED.get(block.name, ())
    for keyword in block.keywords:
        yield from keyword_lines(keyword)[:1]
    for inner in block.blocks:
        yield from (head(inner, 0), *everyday(inner), "}")
    if block.read_line is not None:
        yield from LINES


@st.composite
def bodies(draw: st.DrawFn, block: Block = ROOT) -> list[str]:
    """Draw the lines of a block, or of a whole configuration."""
    lines = list(NEEDED.get(block.name, ())) if draw(st.integers(0, 7)) else []
    if block.read_line is not None:
        lines.extend(draw(st.lists(st.sampled_from(LINES), max_size=4)))
    if block.keywords:
        for keyword in draw(st.lists(st.sampled_from(block.keywords), max_size=6)):
            if choices := keyword_lines(keyword):
                lines.append(draw(st.sampled_from(choices)))
    if block.blocks:
        for inner in draw(st.lists(st.sampled_from(block.blocks), max_size=3)):
            lines += [head(inner, draw(st.integers(0, 9))), *draw(bodies(inner)), "}"]
    return lines
