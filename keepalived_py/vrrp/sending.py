"""Adverts of one virtual router, packed ahead: as long as nothing in them changes, sending one costs two bytes.

Those two are the IP id; an authentication header and an HMAC trailer are made anew each time, as their purpose demands.
"""

from dataclasses import dataclass
from typing import Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.vrrp import AuthType, VrrpInstance
from keepalived_py.units import MICRO_PER_CENTI, MICRO_PER_SECOND, Micro
from keepalived_py.vrrp.auth import TRAILER, AhCounter, HmacTrailer, ah_header, ah_value
from keepalived_py.vrrp.channel import PROTOCOL_AH, PROTOCOL_VRRP
from keepalived_py.vrrp.packet import (
    ADVERTISEMENT,
    AH_HEADER,
    HOP_LIMIT,
    IP_HEADER,
    VERSION_2,
    ip_header,
    part,
    part_length,
    pseudo_sum,
)

_ID_AT: Final = slice(4, 6)


@dataclass(frozen=True, slots=True)
class Moment:
    """What an advert depends on that may change; `old_checksum`: the peers use the sum of keepalived before 1.3.6."""

    priority: int
    source: Address
    old_checksum: bool = False


@dataclass(frozen=True, slots=True)
class _Packed:
    """`head`: IP header (empty for IPv6); `part`: the VRRP part."""

    destination: Address
    head: bytes
    part: bytes


class Sender:
    """Makes the packets of one virtual router, one for each destination."""

    def __init__(self, config: VrrpInstance, old_group: Address, counter: AhCounter, trailer: HmacTrailer | None) -> None:
        self._config = config
        self._old_group = old_group
        self._counter = counter
        self._trailer = trailer if trailer is not None and trailer.signs else None
        self._addresses = b"".join(entry.address.packed for entry in config.virtual_addresses)
        self._uses_ah = config.authentication is not None and config.authentication.type is AuthType.AH
        self._id = 0
        self._packed: dict[Moment, tuple[_Packed, ...]] = {}

    @property
    def protocol(self) -> int:
        """IP protocol number of the packets."""
        return PROTOCOL_AH if self._uses_ah else PROTOCOL_VRRP

    @property
    def length(self) -> int:
        """Length of a packet, IPv4 header included."""
        config = self._config
        headers = (IP_HEADER.size if config.family is Family.INET else 0) + (AH_HEADER.size if self._uses_ah else 0)
        return headers + self._part_length + (TRAILER.size if self._trailer is not None else 0)

    @property
    def _part_length(self) -> int:
        config = self._config
        return part_length(config.version, config.family, len(config.virtual_addresses))

    def take_over(self, other: "Sender") -> None:
        """Go on counting where the one that was used before a reload stopped."""
        self._id = other._id

    def packets(self, moment: Moment, wall: Micro) -> list[tuple[Address, bytes]]:
        """Return the packets of the next advert and where they go; all of them have one id, one sequence number, one stamp."""
        packed = self._packed.get(moment)
        if packed is None:
            self._forget_other_sources(moment)
            packed = self._packed[moment] = self._pack(moment)
        # A kernel that is given id 0 chooses one itself.
        self._id = self._id % 0xFFFF + 1
        identification = self._id.to_bytes(2, "big")
        sequence = self._counter.advance() if self._uses_ah else 0
        trailer = b"" if self._trailer is None else self._trailer.sign(packed[0].part, moment.source, wall)
        return [(item.destination, self._finish(item, identification, sequence, trailer)) for item in packed]

    def _finish(self, item: _Packed, identification: bytes, sequence: int, trailer: bytes) -> bytes:
        if not item.head:
            return item.part + trailer
        head = item.head[: _ID_AT.start] + identification + item.head[_ID_AT.stop :]
        if not self._uses_ah:
            return head + item.part + trailer
        source = head[12:16]
        assert self._config.authentication is not None
        password = self._config.authentication.password
        blank = ah_header(source, sequence) + item.part
        value = ah_value(password, head, blank, unicast=self._config.is_unicast)
        return head + ah_header(source, sequence, value) + item.part

    def _forget_other_sources(self, moment: Moment) -> None:
        """Keep priority 0 at hand beside the present priority, and nothing that has been overtaken."""
        if any(known.source != moment.source or known.old_checksum != moment.old_checksum for known in self._packed):
            self._packed.clear()

    def _pack(self, moment: Moment) -> tuple[_Packed, ...]:
        config = self._config
        group = config.multicast_group
        destinations = [peer.address for peer in config.unicast_peers] if group is None else [group]
        return tuple(self._pack_for(destination, moment) for destination in destinations)

    def _pack_for(self, destination: Address, moment: Moment) -> _Packed:
        config = self._config
        source = moment.source.packed
        if config.family is Family.INET6:
            return _Packed(destination, b"", self._part(moment, 0))
        payload = self.length - IP_HEADER.size
        ttl = HOP_LIMIT if config.unicast_ttl is None or not config.is_unicast else config.unicast_ttl
        head = ip_header(source, destination.packed, self.protocol, ttl, payload)
        if config.version == VERSION_2 or config.v3_checksum_as_v2:
            return _Packed(destination, head, self._part(moment, 0))
        against = self._old_group if moment.old_checksum else destination
        return _Packed(destination, head, self._part(moment, pseudo_sum(source, against.packed, self._part_length)))

    def _part(self, moment: Moment, pseudo: int) -> bytes:
        config, authentication = self._config, self._config.authentication
        if config.version == VERSION_2:
            kind = 0 if authentication is None else authentication.type.value
            middle = bytes((kind, config.advert_int // MICRO_PER_SECOND & 0xFF))
        else:
            middle = (config.advert_int // MICRO_PER_CENTI & 0x0FFF).to_bytes(2, "big")
        first = config.version << 4 | ADVERTISEMENT
        head = bytes((first, config.virtual_router_id, moment.priority, len(config.virtual_addresses))) + middle
        password = authentication.password if authentication is not None and authentication.type is AuthType.PASS else b""
        return part(config.version, config.family, head, self._addresses, password, pseudo)
