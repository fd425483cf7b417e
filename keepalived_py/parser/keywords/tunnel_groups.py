"""``tunnel_group`` of DPVS: tunnels of its own network stack, accepted without effect."""

from typing import Any, Final

from keepalived_py.addresses import Family
from keepalived_py.parser import codes
from keepalived_py.parser.kinds import Choice, IpAddress, Word
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import Block, Draft, Effect, Keyword

_WHY: Final = "only DPVS makes these tunnels; use ip-tunnel(8)"


def _nothing(draft: Draft, keyword: Keyword, value: Any, reading: Reading) -> None:
    """Keep nothing."""


def _forget(draft: Draft, reading: Reading) -> None:
    """Close a block without keeping it."""


def _open(draft: Draft, reading: Reading) -> object:
    reading.complain(codes.DIALECT_NO_EFFECT, f"tunnel_group has no effect here: {_WHY}", 0)
    return None


def _word(name: str, kind: Any, doc: str) -> Keyword:
    return Keyword(name, kind, doc, apply=_nothing, since="dpvs", effect=Effect.ACCEPTED, why=_WHY)


_ENTRY: Final = Block(
    "tunnel_entry",
    "A tunnel.",
    header=Word("IFNAME"),
    close=_forget,
    keywords=(
        _word("kind", Choice({"ipip": "ipip", "gre": "gre"}), "Encapsulation."),
        _word("remote", IpAddress(Family.INET), "Other end."),
        _word("local", IpAddress(Family.INET), "Own end."),
        _word("if", Word("IFNAME"), "Interface below."),
    ),
    since="dpvs",
    effect=Effect.ACCEPTED,
    why=_WHY,
)

TUNNEL_GROUP: Final = Block(
    "tunnel_group",
    "Tunnels of DPVS.",
    header=Word("NAME"),
    open=_open,
    close=_forget,
    blocks=(_ENTRY,),
    since="dpvs",
    effect=Effect.ACCEPTED,
    why=_WHY,
)
