"""Whether a received packet is an advert to act on: the checks of RFC 9568 section 7.1 and keepalived's own, in keepalived's order.

The answer is a value: `Rejected` with what to count, or `Accepted` with the advert and with what is wrong about it all the same.  A
complaint is put into words only the first time; `Receiver.forgive` makes the next one count as the first again.

No state machine here, and no clock but for the wall clock time that is handed in.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from keepalived_py.addresses import Address, Family
from keepalived_py.checksum import internet_checksum
from keepalived_py.config.vrrp import OWNER_PRIORITY, AuthType, ChecksumCompat, HmacMode, VrrpInstance
from keepalived_py.units import MICRO_PER_CENTI, MICRO_PER_SECOND, Micro
from keepalived_py.vrrp.auth import (
    AH_VALUE_LENGTH,
    MULTICAST_SENDERS,
    TRAILER,
    AhCounter,
    HmacResult,
    HmacTrailer,
    HmacVerdict,
    ah_value,
    same,
)
from keepalived_py.vrrp.channel import PROTOCOL_VRRP
from keepalived_py.vrrp.packet import (
    ADVERTISEMENT,
    HOP_LIMIT,
    PASSWORD_LENGTH,
    VERSION_2,
    VRRP_HEADER,
    Frame,
    is_padding,
    pseudo_sum,
)
from keepalived_py.vrrp.reasons import Reason

_NO_AUTHENTICATION: Final = 0
_KNOWN_TYPES: Final = frozenset((_NO_AUTHENTICATION, *(kind.value for kind in AuthType)))
_UNSAID: Final = frozenset((Reason.AH_OTHER_PROTOCOL,))

_OF_HMAC: Final = {
    HmacVerdict.MALFORMED: Reason.HMAC_MALFORMED,
    HmacVerdict.UNKNOWN_KEY: Reason.HMAC_UNKNOWN_KEY,
    HmacVerdict.INVALID: Reason.HMAC_INVALID,
    HmacVerdict.STALE: Reason.HMAC_STALE,
    HmacVerdict.REPLAYED: Reason.HMAC_REPLAYED,
}


@dataclass(frozen=True, slots=True)
class Note:
    """Something wrong with a packet; `text` for the log, empty when it has been said before."""

    reason: Reason
    text: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The packet must not have any effect but that of being counted.

    `notes`: why, and what else was wrong.  `received`: all the same it counts as an advert received.
    """

    notes: tuple[Note, ...]
    received: bool = False


@dataclass(frozen=True, slots=True)
class Advert:
    """What an advert tells."""

    source: Address
    priority: int
    interval: Micro


@dataclass(frozen=True, slots=True)
class Accepted:
    """The packet counts, whatever `notes` say.  `old_checksum`: it is the first sign that the sender is keepalived before 1.3.6."""

    advert: Advert
    notes: tuple[Note, ...] = ()
    old_checksum: bool = False


Verdict = Accepted | Rejected


@dataclass(frozen=True, slots=True)
class Standpoint:
    """What the checks must know of the moment.

    `check_addresses`: compare the addresses one by one.  `local_owner`: we are the address owner at this time.
    """

    wall: Micro
    check_addresses: bool = True
    local_owner: bool = False


class Receiver:
    """The checks for one virtual router.  `uses_old_checksum` is true once a peer has been found to use the sum of before 1.3.6."""

    def __init__(self, config: VrrpInstance, old_group: Address, counter: AhCounter, trailer: HmacTrailer | None) -> None:
        self._config = config
        self._old_group = old_group
        self._counter = counter
        self._trailer = trailer
        self._said: set[Reason] = set()
        self._auth_type = _NO_AUTHENTICATION if config.authentication is None else config.authentication.type.value
        self._password = b"" if config.authentication is None else config.authentication.password.ljust(PASSWORD_LENGTH, b"\0")
        self._addresses = b"".join(entry.address.packed for entry in config.virtual_addresses)
        self._peers = {peer.address: peer for peer in config.unicast_peers}
        self.uses_old_checksum = config.unicast_checksum is ChecksumCompat.ALWAYS

    def forgive(self) -> None:
        """Complain anew from now on."""
        self._said.clear()

    def check(self, frame: Frame, standpoint: Standpoint) -> Verdict:
        """Judge a packet that is for our virtual router id."""
        remarks: list[Note] = []
        note = self._check_headers(frame, standpoint, remarks)
        if note is not None:
            return Rejected((*remarks, note))
        old = self._check_sum(frame)
        note = old if isinstance(old, Note) else self._check_destination(frame, standpoint)
        if note is not None:
            return Rejected((*remarks, note))
        self.uses_old_checksum = self.uses_old_checksum or old is True
        remarks += self._remarks_on_addresses(frame, standpoint.check_addresses)
        note = self._check_peer(frame)
        if note is not None:
            return Rejected((*remarks, note), received=True)
        return Accepted(self._advert(frame), tuple(remarks), old is True)

    def _check_headers(self, frame: Frame, standpoint: Standpoint, remarks: list[Note]) -> Note | None:
        """Everything before the checksum, which is not looked at before the authentication is."""
        expected = frame.headers_length + frame.part_length
        trailer = None
        if self._trailer is not None and frame.length == expected + TRAILER.size:
            trailer = frame.body[frame.part_length :]
            expected = frame.length
        note = (
            self._check_shape(frame, expected)
            or self._check_trailer(frame, trailer, standpoint.wall, remarks)
            or (self._check_version_2(frame) if frame.version == VERSION_2 else None)
            or self._check_type(frame)
        )
        if note is None:
            remarks += self._remarks_on_interval(frame)
        return note

    def _advert(self, frame: Frame) -> Advert:
        units = frame.seconds * MICRO_PER_SECOND if frame.version == VERSION_2 else frame.centiseconds * MICRO_PER_CENTI
        return Advert(frame.source, frame.priority, Micro(units))

    def _note(self, reason: Reason, words: Callable[[], str]) -> Note:
        """Put a complaint into words, unless that has been done."""
        if reason in _UNSAID or reason in self._said:
            return Note(reason)
        self._said.add(reason)
        return Note(reason, f"({self._config.name}) {words()}")

    # ---- one by one, in the order of `check` ----

    def _check_shape(self, frame: Frame, expected: int) -> Note | None:
        source, wants_ah = frame.source, self._auth_type == AuthType.AH.value
        if frame.family is Family.INET and bool(frame.ah) is not wants_ah:
            words = f"No AH header but auth type is AH from {source}" if wants_ah else ""
            return self._note(Reason.AH_HEADER, lambda: words or f"Received AH header but auth type not AH from {source}")
        if frame.length != expected and not is_padding(frame.length - expected, expected):
            too = "long" if frame.length > expected else "short"
            return self._note(
                Reason.LENGTH, lambda: f"vrrp packet from {source} too {too}, length {frame.length} and expect {expected}"
            )
        if not self._config.is_unicast and frame.hop_limit not in (None, HOP_LIMIT):
            return self._note(
                Reason.HOP_LIMIT, lambda: f"invalid TTL/HL from {source}. Received {frame.hop_limit} and expect {HOP_LIMIT}"
            )
        if frame.version != self._config.version:
            return self._note(
                Reason.VERSION,
                lambda: f"wrong VRRP version from {source}. Received {frame.version} and expect {self._config.version}",
            )
        return None

    def _check_trailer(self, frame: Frame, trailer: bytes | None, wall: Micro, remarks: list[Note]) -> Note | None:
        if self._trailer is None:
            return None
        source = frame.source
        if trailer is None:
            if self._trailer.config.mode is not HmacMode.ENFORCE:
                return None
            return self._note(Reason.HMAC_MISSING, lambda: f"missing authentication trailer from {source}")
        if self._config.is_unicast and source not in self._peers:
            return self._note(Reason.UNKNOWN_PEER, lambda: f"unicast source address {source} not a unicast peer")
        senders = len(self._peers) or MULTICAST_SENDERS
        result = self._trailer.verify(frame.body[: frame.part_length], trailer, source, wall, senders=senders)
        if result.verdict is HmacVerdict.GOOD:
            remarks += self._remarks_on_skew(result, source)
            return None
        return self._note(_OF_HMAC[result.verdict], lambda: self._hmac_words(result, source))

    def _remarks_on_skew(self, result: HmacResult, source: Address) -> Iterator[Note]:
        """Warn before the clocks have drifted so far apart that adverts are refused."""
        window = self._trailer.config.time_window if self._trailer is not None else 0
        if abs(result.skew) > window // 2:
            yield self._note(
                Reason.CLOCK_SKEW,
                lambda: f"authentication clock skew {result.skew} sec from {source} approaching window {window} sec",
            )

    def _hmac_words(self, result: HmacResult, source: Address) -> str:
        match result.verdict:
            case HmacVerdict.MALFORMED:
                return f"malformed authentication trailer from {source}"
            case HmacVerdict.UNKNOWN_KEY:
                return f"unknown authentication key id {result.key_id} from {source}"
            case HmacVerdict.INVALID:
                return f"invalid authentication HMAC from {source}"
            case HmacVerdict.REPLAYED:
                return f"replayed authentication trailer from {source}"
        window = self._trailer.config.time_window if self._trailer is not None else 0
        return f"stale authentication trailer from {source}, clock skew {result.skew} sec exceeds window {window} sec"

    def _check_version_2(self, frame: Frame) -> Note | None:
        source, kind = frame.source, frame.authentication_type
        if kind not in _KNOWN_TYPES:
            return self._note(Reason.AUTH_UNKNOWN, lambda: f"Invalid auth type from {source}: {kind}")
        if kind != self._auth_type:
            return self._note(Reason.AUTH_OTHER, lambda: f"received a {kind} auth from {source}, expecting {self._auth_type}!")
        if kind == AuthType.PASS.value:
            end = frame.part_length
            if not same(frame.body[end - PASSWORD_LENGTH : end], self._password):
                return self._note(Reason.PASSWORD, lambda: f"received an invalid passwd from {source}!")
        elif kind == AuthType.AH.value:
            note = self._check_ah(frame)
            if note is not None:
                return note
        mine = self._config.advert_int // MICRO_PER_SECOND
        if frame.seconds * MICRO_PER_SECOND != self._config.advert_int:
            return self._note(
                Reason.INTERVAL,
                lambda: f"advertisement interval mismatch with {source} mine={mine} sec rcv'd={frame.seconds} sec",
            )
        return None

    def _check_ah(self, frame: Frame) -> Note | None:
        ah = frame.ah
        if ah[0] != PROTOCOL_VRRP:
            return self._note(Reason.AH_OTHER_PROTOCOL, str)
        value = ah_value(self._password, frame.ip, ah + frame.body, unicast=self._config.is_unicast)
        if not same(ah[-AH_VALUE_LENGTH:], value):
            return self._note(
                Reason.AH_VALUE,
                lambda: "IPSEC-AH : invalid IPSEC HMAC-MD5 value. Due to fields mutation or bad password !",
            )
        index, address = int.from_bytes(ah[4:8], "big"), int.from_bytes(frame.ip[12:16], "big")
        if index != address:
            return self._note(Reason.AH_INDEX, lambda: f"IPSEC-AH : invalid IPSEC SPI value. {address} and expect {index}")
        sequence, local = int.from_bytes(ah[8:12], "big"), self._counter.received
        if not self._counter.accept(sequence):
            return self._note(
                Reason.AH_SEQUENCE,
                lambda: f"IPSEC-AH : sequence number {sequence} already processed. Packet dropped. Local({local})",
            )
        return None

    def _check_type(self, frame: Frame) -> Note | None:
        source = frame.source
        if frame.type != ADVERTISEMENT:
            return self._note(Reason.TYPE, lambda: f"Invalid packet type from {source}. {frame.type} and expect {ADVERTISEMENT}")
        if not frame.ip:
            return None
        claimed, got = frame.total_length, frame.length
        if claimed != got and not is_padding(got - claimed, claimed):
            return self._note(
                Reason.TOTAL_LENGTH,
                lambda: f"ip_tot_len mismatch against received length from {source}. {claimed} and received {got}",
            )
        return None

    def _remarks_on_interval(self, frame: Frame) -> Iterator[Note]:
        ours = self._config.advert_int // MICRO_PER_CENTI
        if frame.version != VERSION_2 and frame.centiseconds != ours:
            yield self._note(
                Reason.INTERVAL,
                lambda: f"advertisement interval mismatch ours = {ours} centi-sec rcv'd={frame.centiseconds} centi-sec",
            )

    def _check_sum(self, frame: Frame) -> Note | bool:
        """Return a complaint, or whether this packet shows that the peers use the sum of before 1.3.6."""
        if frame.family is Family.INET6:
            return False
        part, config = frame.body[: frame.part_length], self._config
        length = VRRP_HEADER.size + frame.count * 4
        source, target = frame.ip[12:16], frame.ip[16:20]
        if frame.version == VERSION_2:
            good = internet_checksum(part) == 0
        elif config.v3_checksum_as_v2 and internet_checksum(part) == 0:
            good = True
        else:
            against = self._old_group.packed if self.uses_old_checksum else target
            good = internet_checksum(part, pseudo_sum(source, against, length)) == 0
        if good:
            return False
        may_be_old = frame.version != VERSION_2 and config.is_unicast and config.unicast_checksum is ChecksumCompat.AUTO
        if may_be_old and not self.uses_old_checksum:
            old = pseudo_sum(source, self._old_group.packed, length)
            if internet_checksum(part, old) == 0:
                return True
        return self._note(Reason.CHECKSUM, lambda: f"Invalid VRRPv{frame.version} checksum from {frame.source}")

    def _check_destination(self, frame: Frame, standpoint: Standpoint) -> Note | None:
        is_multicast = frame.destination is not None and frame.destination.is_multicast
        known = frame.destination is not None
        if known and is_multicast is self._config.is_unicast:
            want, got = ("un", "mult") if is_multicast else ("mult", "un")
            return self._note(
                Reason.DESTINATION,
                lambda: f"Expected {want}icast packet but received {got}icast packet from {frame.source}",
            )
        if self._config.owner_ignore_adverts and standpoint.local_owner:
            return self._note(Reason.OWNER, lambda: f"Dropping packet(s) from {frame.source} since we are address owner")
        return None

    def _remarks_on_addresses(self, frame: Frame, one_by_one: bool) -> Iterator[Note]:
        config = self._config
        ours = len(config.virtual_addresses)
        if frame.count != ours:
            yield self._note(Reason.ADDRESS_COUNT, lambda: f"expected {ours} VIPs but received {frame.count}")
            return
        width = frame.family.bits // 8
        theirs = frame.body[VRRP_HEADER.size : VRRP_HEADER.size + ours * width]
        if not one_by_one or theirs == self._addresses:
            return
        named = {theirs[at : at + width] for at in range(0, len(theirs), width)}
        absent = next((entry.address for entry in config.virtual_addresses if entry.address.packed not in named), None)
        if absent is not None:
            words = f"ip address associated with VRID {config.virtual_router_id} not present in advert from"
            yield self._note(Reason.ADDRESS_LIST, lambda: f"{words} {frame.source}: {absent}")

    def _check_peer(self, frame: Frame) -> Note | None:
        if not (self._config.is_unicast and self._config.check_unicast_src):
            return None
        peer = self._peers.get(frame.source)
        if peer is None:
            return self._note(Reason.UNKNOWN_PEER, lambda: f"unicast source address {frame.source} not a unicast peer")
        if frame.hop_limit is not None and not peer.min_ttl <= frame.hop_limit <= peer.max_ttl:
            limits = f"[{peer.min_ttl}, {peer.max_ttl}]"
            return self._note(Reason.PEER_HOP_LIMIT, lambda: f"TTL/HL {frame.hop_limit} from {frame.source} not in range {limits}")
        return None


def is_owner_now(config: VrrpInstance, effective: int) -> bool:
    """Whether an instance is the address owner and has not lowered itself."""
    return config.is_owner and effective == OWNER_PRIORITY
