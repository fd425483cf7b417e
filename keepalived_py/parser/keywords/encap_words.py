"""``encap`` in routes and next hops: outer IP headers, MPLS labels, ILA locators (ip-route(8))."""

import re
from typing import Any, Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.routing import Encap, IlaEncap, IpEncap, MplsEncap
from keepalived_py.parser import codes
from keepalived_py.parser.lines import ADDRESS, Cursor, Option, Term, any_base, unsigned
from keepalived_py.parser.names import DSFIELD

_MAX_LABELS: Final = 16
_LABEL: Final = any_base(0xFFFFF, "label")


def _read_labels(word: str, cursor: Cursor) -> MplsEncap:
    parts = word.split("/")
    if len(parts) > _MAX_LABELS:
        raise cursor.refuse(codes.BAD_VALUE, f"more than {_MAX_LABELS} labels")
    return MplsEncap(tuple(_LABEL.read(part, cursor) for part in parts))


def _read_locator(word: str, cursor: Cursor) -> IlaEncap:
    parts = word.split(":")
    if len(parts) != 4 or not all(re.fullmatch(r"[0-9A-Fa-f]{1,4}", part) for part in parts):
        raise cursor.refuse(codes.BAD_VALUE, f"{word!r} is no locator; write four groups of hexadecimal digits")
    return IlaEncap(int.from_bytes(b"".join(int(part, 16).to_bytes(2, "big") for part in parts), "big"))


_LABELS: Final = Term("LABEL[/LABEL...]", _read_labels, pattern=r"[0-9A-Fa-fxX]+(?:/[0-9A-Fa-fxX]+)*")
_LOCATOR: Final = Term("LOCATOR", _read_locator, pattern=r"[0-9A-Fa-f]+(?::[0-9A-Fa-f]+){3}")


def _options(tos: str, ttl: str) -> tuple[Option, ...]:
    return (
        Option(("id",), unsigned(0xFFFFFFFFFFFFFFFF), "id"),
        Option(("dst",), ADDRESS, "destination"),
        Option(("src",), ADDRESS, "source"),
        Option((tos,), DSFIELD, "tos"),
        Option((ttl,), unsigned(255), "ttl"),
        Option(("flags",), unsigned(0xFFFF), "flags"),
    )


ENCAPS: Final[tuple[tuple[str, Term | tuple[Option, ...]], ...]] = (
    ("ip", _options("tos", "ttl")),
    ("ip6", _options("tc", "hoplimit")),
    ("mpls", _LABELS),
    ("ila", _LOCATOR),
)
_ENCAP_TABLES: Final = dict(ENCAPS)
_ENCAP_FAMILIES: Final = {"ip": Family.INET, "ip6": Family.INET6}


def read_encap(cursor: Cursor, option: Option) -> None:
    """Read ``encap KIND ...``; a line with a bad encapsulation is ignored."""
    cursor.at += 1
    if cursor.at >= len(cursor.words):
        cursor.complain(codes.WORD_MISSING, "encap needs a kind")
        return
    kind = cursor.words[cursor.at]
    choice = _ENCAP_TABLES.get(kind)
    if choice is None:
        cursor.complain(codes.BAD_WORD, f"{kind!r} is not one of {', '.join(_ENCAP_TABLES)}; it and the next word are ignored")
        cursor.at += 1
        return
    if isinstance(choice, Term):
        if cursor.at + 1 == len(cursor.words):
            raise cursor.refuse(codes.WORD_MISSING, f"encap {kind} needs a value")
        cursor.values["encap"] = choice.read(cursor.take(), cursor)
        return
    cursor.values["encap"] = _ip_encap(cursor, kind, choice)


def _ip_encap(cursor: Cursor, kind: str, options: tuple[Option, ...]) -> IpEncap:
    family = _ENCAP_FAMILIES[kind]
    table = {option.names[0]: option for option in options}
    values: dict[str, Any] = {}
    while cursor.at + 2 < len(cursor.words) and (found := table.get(cursor.peek())) is not None:
        assert found.term is not None
        cursor.at += 2
        value = found.term.read(cursor.words[cursor.at], cursor)
        if isinstance(value, Address) and value.family is not family:
            raise cursor.refuse(codes.LINE_CONFLICT, f"encap {kind} needs an IPv{4 if family is Family.INET else 6} address")
        values[found.into] = value
    if "destination" not in values and "id" not in values:
        raise cursor.refuse(codes.LINE_INCOMPLETE, f"encap {kind} needs dst or id")
    return IpEncap(family, **values)


def write_encap(encap: Encap | None) -> str | None:
    """Return the words that give an encapsulation back; None for none."""
    if encap is None:
        return None
    if isinstance(encap, MplsEncap):
        return f"encap mpls {'/'.join(map(str, encap.labels))}"
    if isinstance(encap, IlaEncap):
        packed = encap.locator.to_bytes(8, "big")
        return "encap ila " + ":".join(f"{int.from_bytes(packed[at : at + 2], 'big'):x}" for at in range(0, 8, 2))
    kind = "ip" if encap.family is Family.INET else "ip6"
    options = _ENCAP_TABLES[kind]
    assert isinstance(options, tuple)
    words = [text for option in options if (text := option.written(getattr(encap, option.into)))]
    return " ".join(["encap", kind, *words])
