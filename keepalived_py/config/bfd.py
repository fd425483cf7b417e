"""BFD sessions (RFC 5880, 5881, 5883) as configured; what the BFD process works from."""

from dataclasses import dataclass

from keepalived_py.addresses import Address, Family
from keepalived_py.units import Micro, micro

MAX_NAME = 31
"""Longest name of a session, in bytes."""


@dataclass(frozen=True, slots=True)
class BfdInstance:
    """One session.

    `min_rx`, `min_tx`: desired intervals while up, `idle_tx` while not.  `ttl` is what packets are sent with, `max_hops` how far
    away a peer may be (-1: any).  `vrrp`, `checker`: who hears of the session's state; `weight` and `reverse` are the defaults of
    tracking instances.
    """

    name: str
    neighbor: Address
    source: Address | None = None
    min_rx: Micro = micro(0.01)
    min_tx: Micro = micro(0.01)
    idle_tx: Micro = micro(1)
    multiplier: int = 5
    passive: bool = False
    ttl: int = 255
    max_hops: int = 0
    multihop: bool = False
    vrrp: bool = True
    checker: bool = True
    weight: int = 0
    reverse: bool = False

    @property
    def family(self) -> Family:
        """Family of both addresses."""
        return self.neighbor.family


@dataclass(frozen=True, slots=True)
class Bfd:
    """Everything that the BFD process works from."""

    instances: tuple[BfdInstance, ...] = ()
