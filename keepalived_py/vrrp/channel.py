"""The sockets that adverts travel through, as values: instances that share one share a socket.

No socket here; the host side opens one pair (receive, send) per channel.
"""

from dataclasses import dataclass

from keepalived_py.addresses import Address, Family

PROTOCOL_VRRP = 112
"""IP protocol number of VRRP (RFC 9568 section 5.1.1.4)."""

PROTOCOL_AH = 51
"""IP protocol number of the authentication header that VRRPv2 adverts may sit behind (RFC 2338 section 5.3.6.3)."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One pair of raw sockets.

    `protocol`: `PROTOCOL_VRRP` or, IPv4 only, `PROTOCOL_AH`.  `interface`: the device that it is bound to (a VMAC's own name where
    adverts leave from the VMAC); None for unicast without an interface, which may be bound to `vrf` instead.  Exactly one of
    `group` (multicast: joined on `interface`, loop off) and `source` (unicast: the local address that it is bound to) is set.

    IPv4 sockets have IP_HDRINCL: packets contain the IP header in both directions.  IPv6 ones do not; there the kernel makes and
    checks the checksum at offset 6 (IPV6_CHECKSUM), and reports hop limit and destination with each packet.
    """

    family: Family
    protocol: int
    interface: str | None
    vrf: str | None = None
    group: Address | None = None
    source: Address | None = None

    @property
    def is_multicast(self) -> bool:
        """Whether adverts go to a group."""
        return self.group is not None


@dataclass(frozen=True, slots=True)
class Filter:
    """What is worth waking up for: everything else may be dropped in the kernel, uncounted.

    `virtual_router_ids` None: all (unknown ones are logged).  `hop_limit`: the only TTL to let in; None: any.  `sources`: the only
    senders to let in; None: any.
    """

    virtual_router_ids: frozenset[int] | None
    hop_limit: int | None = None
    sources: frozenset[Address] | None = None
