"""A channel's filter as a classic BPF program, so that a flood of foreign packets never wakes the process.

Pure: instructions as values.  Source: linux/filter.h, bpf_common.h.  An IPv4 raw socket's filter sees the packet from its IP
header, an IPv6 one from the payload, with the network header at negative offsets (``SKF_NET_OFF``).
"""

import struct
from typing import Final

from keepalived_py.addresses import Family
from keepalived_py.vrrp.channel import PROTOCOL_AH, Channel, Filter

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, operand."""

_LD_B_ABS: Final = 0x30
_LD_W_ABS: Final = 0x20
_LD_B_IND: Final = 0x50
_LDX_B_MSH: Final = 0xB1
_JEQ: Final = 0x15
_RET: Final = 0x06
_TAKE: Final = 0x40000
_SKF_NET_OFF: Final = 0xFFF00000
_AH_LENGTH: Final = 24
MOST_ENTRIES: Final = 120
"""Most senders that a filter lists; with more, the engine tells them apart."""


def program(channel: Channel, wanted: Filter) -> list[Instruction]:
    """Return the program that lets in what `wanted` describes, and drops everything else."""
    ipv4 = channel.family is Family.INET
    code: list[Instruction] = []
    if wanted.hop_limit is not None:
        code.append((_LD_B_ABS, 0, 0, 8 if ipv4 else _SKF_NET_OFF + 7))
        code += _must_be([wanted.hop_limit])
    if wanted.sources is not None and len(wanted.sources) <= MOST_ENTRIES // (1 if ipv4 else 4):
        code += _from_ipv4(wanted) if ipv4 else _from_ipv6(wanted)
    if wanted.virtual_router_ids is not None:
        if ipv4:
            inside = _AH_LENGTH if channel.protocol == PROTOCOL_AH else 0
            code += [(_LDX_B_MSH, 0, 0, 0), (_LD_B_IND, 0, 0, inside + 1)]
        else:
            code.append((_LD_B_ABS, 0, 0, 1))
        code += _must_be(sorted(wanted.virtual_router_ids))
    return [*code, (_RET, 0, 0, _TAKE)]


def _must_be(values: list[int]) -> list[Instruction]:
    """Go on when the accumulator is one of `values` (at most 255), else drop."""
    count = len(values)
    return [*((_JEQ, count - position, 0, value) for position, value in enumerate(values)), (_RET, 0, 0, 0)]


def _from_ipv4(wanted: Filter) -> list[Instruction]:
    assert wanted.sources is not None
    return [(_LD_W_ABS, 0, 0, 12), *_must_be(sorted(int(source) for source in wanted.sources))]


def _from_ipv6(wanted: Filter) -> list[Instruction]:
    """Compare four words for each sender; the first that differs goes on to the next sender."""
    assert wanted.sources is not None
    code: list[Instruction] = []
    senders = sorted(wanted.sources)
    for position, sender in enumerate(senders):
        words = struct.unpack("!4I", sender.packed)
        for number, word in enumerate(words):
            code.append((_LD_W_ABS, 0, 0, _SKF_NET_OFF + 8 + 4 * number))
            last = number == 3
            taken = 8 * (len(senders) - position - 1) + 1 if last else 0
            code.append((_JEQ, taken, 0 if last else 2 * (3 - number), word))
    return [*code, (_RET, 0, 0, 0)]


def pack(code: list[Instruction]) -> bytes:
    """Pack a program as an array of ``struct sock_filter``."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
