"""Address ranges as lines of groups write them: ``A``, ``A-N``, ``A-B``, ``A/LEN``."""

from typing import Final

from keepalived_py.addresses import Address, Family
from keepalived_py.parser import codes
from keepalived_py.parser.kinds import digits, parse_address
from keepalived_py.parser.schema import Refused

MAX_RANGE: Final = 1 << 20
"""Most addresses that one line of a group may stand for: each becomes a service of its own in the kernel."""


def parse_range(word: str, index: int = 0, *, prefixes: bool = True, limit: int | None = MAX_RANGE) -> tuple[Address, Address]:
    """Return the first and the last address of a range; raise `Refused` for one that is malformed, reversed or above `limit`.

    ``A-N`` replaces the last octet (decimal, at most 255) or the last group (hexadecimal, at most ffff) of the address.
    """
    if "/" in word:
        if not prefixes:
            raise Refused(codes.BAD_RANGE, f"{word}: a prefix is not possible here", index)
        first, last = _prefix(word, index)
    elif "-" in word:
        start, _, end = word.partition("-")
        first = parse_address(start, index)
        last = parse_address(end, index) if "." in end or ":" in end else _replace_last(first, end, word, index)
        if first.family is not last.family:
            raise Refused(codes.BAD_RANGE, f"{word} mixes address families", index)
        if last <= first and (last < first or ("." not in end and ":" not in end)):
            raise Refused(codes.BAD_RANGE, f"{word} does not end after it starts", index)
    else:
        first = last = parse_address(word, index)
    if limit is not None and int(last) - int(first) >= limit:
        raise Refused(codes.IGNORED_VALUE, f"{word} stands for more than {limit} addresses; it is left out", index)
    return first, last


def _replace_last(first: Address, end: str, word: str, index: int) -> Address:
    """Replace the last octet or group of an address by the end of its range."""
    if first.family is Family.INET:
        end = end.removeprefix("+")
        if not digits(end, 3) or int(end) > 255:
            raise Refused(codes.BAD_RANGE, f"{word}: a range ends at 255 or below", index)
        return Address(first.packed[:3] + bytes([int(end)]))
    try:
        group = int(end, 16) if len(end) <= 4 and end.isalnum() else -1
    except ValueError:
        group = -1
    if group < 0:
        raise Refused(codes.BAD_RANGE, f"{word}: a range ends at ffff or below", index)
    return Address(first.packed[:14] + group.to_bytes(2, "big"))


def _prefix(word: str, index: int) -> tuple[Address, Address]:
    start, _, length = word.partition("/")
    first = parse_address(start, index)
    bits = first.family.bits
    if not digits(length, 3) or not 1 <= int(length) <= bits:
        raise Refused(codes.BAD_RANGE, f"{word}: a prefix length is 1 to {bits}", index)
    host = (1 << (bits - int(length))) - 1
    if int(first) & host:
        raise Refused(codes.BAD_RANGE, f"{word}: the address has bits beyond its prefix", index)
    return first, Address((int(first) | host).to_bytes(bits // 8, "big"))


def write_range(first: Address, last: Address) -> str:
    """Write a range so that it is read back the same."""
    return str(first) if first == last else f"{first}-{last}"
