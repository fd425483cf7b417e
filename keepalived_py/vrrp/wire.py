"""Sender and receiver of one instance, with what they share: sequence numbers, HMAC stamps, the peers' kind of checksum."""

from keepalived_py.addresses import Address
from keepalived_py.config.vrrp import VrrpInstance
from keepalived_py.units import Micro
from keepalived_py.vrrp.auth import AhCounter, HmacTrailer
from keepalived_py.vrrp.packet import Frame
from keepalived_py.vrrp.receiving import Receiver, Standpoint, Verdict
from keepalived_py.vrrp.sending import Moment, Sender


class Wire:
    """The adverts of one virtual router, both ways."""

    __slots__ = ("_config", "_old_group", "_receiver", "_sender", "_trailer", "counter")

    def __init__(self, config: VrrpInstance, old_group: Address) -> None:
        self.counter = AhCounter()
        self._set_up(config, old_group)

    def _set_up(self, config: VrrpInstance, old_group: Address) -> None:
        self._config = config
        self._old_group = old_group
        self._trailer = _trailer_for(config)
        self._receiver = Receiver(config, old_group, self.counter, self._trailer)
        self._sender = Sender(config, old_group, self.counter, self._trailer)

    def reload(self, config: VrrpInstance, old_group: Address) -> None:
        """Go on with another configuration of the same virtual router; everything that counts keeps counting."""
        if config == self._config and old_group == self._old_group:
            self._config = config
            return
        old, trailer, sender, receiver = self._config, self._trailer, self._sender, self._receiver
        self._set_up(config, old_group)
        self._sender.take_over(sender)
        if self._trailer is not None and trailer is not None:
            self._trailer.take_over(trailer)
        if config.unicast_checksum is old.unicast_checksum:
            self._receiver.uses_old_checksum = receiver.uses_old_checksum

    @property
    def uses_old_checksum(self) -> bool:
        """Whether unicast peers are, or turned out to be, keepalived before 1.3.6."""
        return self._receiver.uses_old_checksum

    @property
    def length(self) -> int:
        """Length of a packet that is sent, IPv4 header included."""
        return self._sender.length

    def check(self, frame: Frame, standpoint: Standpoint) -> Verdict:
        """Judge a received packet."""
        return self._receiver.check(frame, standpoint)

    def forgive(self) -> None:
        """Let the next complaint of each kind be worded again."""
        self._receiver.forgive()

    def packets(self, priority: int, source: Address, wall: Micro) -> list[tuple[Address, bytes]]:
        """Return the packets of the next advert, with their destinations."""
        return self._sender.packets(Moment(priority, source, self._receiver.uses_old_checksum), wall)


def _trailer_for(config: VrrpInstance) -> HmacTrailer | None:
    if config.hmac is None:
        return None
    return HmacTrailer(config.hmac, config.family, config.version, config.virtual_router_id)
