"""The kernel's permission to send ICMP echo requests without raw sockets: ``net.ipv4.ping_group_range``, which serves IPv6 too."""

import os
from typing import Final

from keepalived_py.system.sysctl import Borrowed, read

NAME: Final = "ipv4/ping_group_range"


def allow_ping(borrowed: Borrowed) -> None:
    """Let our group ping, if it may not: the range is widened as little as that takes; raise `OSError` when that fails."""
    group = os.getegid()
    low, high = map(int, read(NAME, borrowed.root).split())
    if low > high:  # the kernel's way to say nobody
        low = high = group
    if not low <= group <= high or read(NAME, borrowed.root).split() != [str(low), str(high)]:
        borrowed.set(NAME, f"{min(low, group)}\t{max(high, group)}")
