"""Authentication of adverts: the authentication header of VRRPv2 and the HMAC trailer of draft-cassen-vrrp-auth-hmac.

    AH (RFC 2338 section 5.3.6.3, RFC 2402)     HMAC-MD5-96 over the packet; a sequence number that must grow
    trailer, 28 bytes behind the VRRP part      0 type 1 | 1 key id | 2 zero (16 bits) | 4 seconds | 8 fraction (16 bits)
                                                10 counter (16 bits) | 12 HMAC-SHA256, its first 16 bytes

The trailer's HMAC is made over a prefix (family 4 or 6, version, virtual router id, 0, source address in 16 bytes), the VRRP part
with its checksum as zero, the first 12 bytes of the trailer and 16 zero bytes.  Destination and IP header are not in it.

Wall clock time is handed in.  Who must be authenticated how, and what follows when it fails, is for `receiving` to say.
"""

import enum
import hashlib
import hmac
import struct
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.vrrp import AntiReplay, HmacAuthentication, HmacMode
from keepalived_py.units import MICRO_PER_SECOND, Micro
from keepalived_py.vrrp.channel import PROTOCOL_VRRP
from keepalived_py.vrrp.packet import AH_HEADER, PASSWORD_LENGTH

AH_VALUE_LENGTH: Final = 12
AH_PAYLOAD_LENGTH: Final = AH_HEADER.size // 4 - 2
"""Length of the authentication header as its second byte counts it (RFC 2402 section 2.2)."""

LAST_SEQUENCE: Final = 0xFFFFFFFD

TRAILER: Final = struct.Struct("!BBHLHH16s")
_SIGNED: Final = struct.Struct("!BBHLHH")
TRAILER_TYPE: Final = 1
HMAC_LENGTH: Final = 16
MULTICAST_SENDERS: Final = 4
"""How many senders of a group are remembered; the one that was heard least recently is forgotten first."""

_MASK: Final = (1 << 64) - 1


def same(first: bytes, second: bytes) -> bool:
    """Compare secrets in constant time."""
    return hmac.compare_digest(first, second)


# Authentication header ------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class AhCounter:
    """Sequence numbers of the virtual router.  `sequence`: the last one used by anybody; `received`: the last one used by others.

    What is received must exceed what was received before.  keepalived also wants it to exceed what we sent, by which two masters
    that count in step never hear each other.  What we send exceeds both, as its receivers want it.

    `cycled`: the numbers have come to their end; nothing starts anew until another router has been master, or none is left.
    """

    sequence: int = 0
    received: int = 0
    cycled: bool = False

    def advance(self) -> int:
        """Return the sequence number of the next advert."""
        if self.sequence > LAST_SEQUENCE:
            self.cycled = True
        else:
            self.sequence += 1
        return self.sequence

    def accept(self, sequence: int) -> bool:
        """Whether a received sequence number is new; it is the one to exceed from then on."""
        if sequence <= self.received:
            return False
        self.received = sequence
        self.sequence = max(self.sequence, sequence)
        return True

    def restart(self) -> None:
        """Let the numbers start anew after they have come to their end: a new master may."""
        if self.cycled:
            self.sequence, self.received, self.cycled = 0, 0, False


def ah_value(password: bytes, ip: bytes, rest: bytes, *, unicast: bool) -> bytes:
    """Return the integrity check value of a packet: `ip` is its IP header, `rest` the authentication header and all behind it.

    Type of service, fragmentation and checksum of the IP header count as zero, as does the value itself; the TTL only for unicast
    (RFC 2402 calls it mutable; keepalived lets it count where it must be 255 anyway).
    """
    ttl = b"\0" if unicast else ip[8:9]
    header = ip[:1] + b"\0" + ip[2:6] + b"\0\0" + ttl + ip[9:10] + b"\0\0" + ip[12:]
    zeroed = rest[: AH_HEADER.size - AH_VALUE_LENGTH] + bytes(AH_VALUE_LENGTH) + rest[AH_HEADER.size :]
    key = password.ljust(PASSWORD_LENGTH, b"\0")
    return hmac.digest(key, header + zeroed, hashlib.md5)[:AH_VALUE_LENGTH]


def ah_header(source: bytes, sequence: int, value: bytes = bytes(AH_VALUE_LENGTH)) -> bytes:
    """Return an authentication header; its security parameter index is the sender's IPv4 address."""
    return AH_HEADER.pack(PROTOCOL_VRRP, AH_PAYLOAD_LENGTH, 0, int.from_bytes(source, "big"), sequence, value)


# HMAC trailer ---------------------------------------------------------------------------------------------------------------------


class HmacVerdict(enum.Enum):
    """What a trailer turned out to be."""

    GOOD = "good"
    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown key"
    INVALID = "invalid HMAC"
    STALE = "stale"
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class HmacResult:
    """`skew`: seconds that the sender's clock is behind ours (only looked at with `AntiReplay.TIME`)."""

    verdict: HmacVerdict
    key_id: int = 0
    skew: int = 0


class HmacTrailer:
    """Signs and verifies the trailers of one virtual router."""

    __slots__ = ("_family", "_heard", "_keys", "_prefix", "_sent", "config")

    def __init__(self, config: HmacAuthentication, family: Family, version: int, virtual_router_id: int) -> None:
        self.config = config
        self._family = family
        self._prefix = bytes((4 if family is Family.INET else 6, version, virtual_router_id, 0))
        self._keys = {key.id: key.secret for key in config.keys}
        self._sent: int | None = None
        self._heard: OrderedDict[Address, int] = OrderedDict()

    @property
    def signs(self) -> bool:
        """Whether adverts are sent with a trailer."""
        return self.config.mode is not HmacMode.RECEIVE_ONLY

    def take_over(self, other: "HmacTrailer") -> None:
        """Go on with the stamps of the one that was used before a reload."""
        self._sent = other._sent
        self._heard = other._heard

    def sign(self, part: bytes, source: Address, wall: Micro) -> bytes:
        """Return the trailer for a VRRP part that is sent from `source` at the wall clock time `wall`."""
        stamp = self._next_stamp(wall)
        head = _SIGNED.pack(TRAILER_TYPE, self.config.active_key, 0, stamp >> 32, stamp >> 16 & 0xFFFF, stamp & 0xFFFF)
        return head + self._digest(self._keys[self.config.active_key], part, head, source)

    def verify(self, part: bytes, trailer: bytes, source: Address, wall: Micro, *, senders: int) -> HmacResult:
        """Check a trailer from `source`; `senders`: how many are remembered.

        A stamp outside the time window is refused before a digest is computed; what was heard is remembered only after one was.
        """
        kind, key_id, reserved, seconds, fraction, counter, value = TRAILER.unpack(trailer)
        if kind != TRAILER_TYPE or reserved:
            return HmacResult(HmacVerdict.MALFORMED, key_id)
        stamp = seconds << 32 | fraction << 16 | counter
        skew = self._behind(stamp, wall) if self._timed else 0
        if abs(skew) > self.config.time_window:
            return HmacResult(HmacVerdict.STALE, key_id, skew)
        key = self._keys.get(key_id)
        if key is None:
            return HmacResult(HmacVerdict.UNKNOWN_KEY, key_id, skew)
        if not same(value, self._digest(key, part, trailer[: _SIGNED.size], source)):
            return HmacResult(HmacVerdict.INVALID, key_id, skew)
        fresh = self._is_fresh(source, stamp, wall, senders)
        return HmacResult(HmacVerdict.GOOD if fresh else HmacVerdict.REPLAYED, key_id, skew)

    @property
    def _timed(self) -> bool:
        return self.config.anti_replay is AntiReplay.TIME

    def _digest(self, key: bytes, part: bytes, head: bytes, source: Address) -> bytes:
        signed = self._prefix + source.packed.ljust(16, b"\0") + part[:6] + b"\0\0" + part[8:] + head + bytes(HMAC_LENGTH)
        return hmac.digest(key, signed, hashlib.sha256)[:HMAC_LENGTH]

    def _next_stamp(self, wall: Micro) -> int:
        """Return the wall clock, or one more than the last stamp where the clock has not moved on.

        A clock that was set back further than the window strands the last stamp where no receiver accepts it: then the clock wins,
        unless growth is all that receivers ask for.
        """
        clock, last = _stamp_of(wall), self._sent
        stranded = last is not None and self._timed and _signed32((last >> 32) - (clock >> 32)) > self.config.time_window
        stamp = clock if last is None or stranded or _after(clock, last) else last + 1 & _MASK
        self._sent = stamp
        return stamp

    def _behind(self, stamp: int, wall: Micro) -> int:
        return _signed32(wall // MICRO_PER_SECOND - (stamp >> 32))

    def _is_fresh(self, source: Address, stamp: int, wall: Micro, senders: int) -> bool:
        """Whether a stamp is later than the last one of its sender.

        With a time window, a last one that is itself outside counts for nothing: its sender's clock has been corrected since.
        """
        last = self._heard.get(source)
        if last is not None and self._timed and abs(self._behind(last, wall)) > self.config.time_window:
            last = None
        fresh = last is None or _after(stamp, last)
        if fresh:
            self._heard[source] = stamp
        self._heard.move_to_end(source)
        while len(self._heard) > senders:
            self._heard.popitem(last=False)
        return fresh


def _stamp_of(wall: Micro) -> int:
    seconds, rest = divmod(wall, MICRO_PER_SECOND)
    return (seconds & 0xFFFFFFFF) << 32 | ((rest << 16) // MICRO_PER_SECOND) << 16


def _after(first: int, second: int) -> bool:
    """Whether one stamp comes after another, in serial number arithmetic (RFC 1982) of 64 bits."""
    return 0 < (first - second & _MASK) < 1 << 63


def _signed32(number: int) -> int:
    number &= 0xFFFFFFFF
    return number - (1 << 32) if number >= 1 << 31 else number
