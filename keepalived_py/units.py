"""Units of time as types, so that a bare ``int`` interval never makes a reader guess.

Inside the program every span and every instant of a monotonic clock is `Micro`.  The wire and the kernel have their own:
VRRPv3 adverts count centiseconds, VRRPv2 adverts and IPVS timeouts count seconds.  Convert here, at the border, once.
"""

from typing import NewType

Micro = NewType("Micro", int)
"""Microseconds: spans, and instants of the monotonic clock."""

Centi = NewType("Centi", int)
"""Centiseconds, as RFC 9568 section 5.2.7 puts them on the wire."""

Seconds = NewType("Seconds", int)
"""Whole seconds, as VRRPv2 and the IPVS timeouts use them."""

MICRO_PER_SECOND = 1_000_000
MICRO_PER_CENTI = 10_000


def micro(seconds: float) -> Micro:
    """Convert seconds (a number written in a test or a default) to `Micro`, rounded to the nearest."""
    return Micro(round(seconds * MICRO_PER_SECOND))


def seconds_text(span: Micro) -> str:
    """Render a span as keepalived.conf writes it: seconds with at most six decimals and no trailing zeros.

    >>> seconds_text(Micro(1_500_000)), seconds_text(Micro(3_000_000))
    ('1.5', '3')
    """
    whole, part = divmod(span, MICRO_PER_SECOND)
    return f"{whole}.{part:06d}".rstrip("0") if part else str(whole)
