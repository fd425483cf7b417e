"""What a good advert means to the router that hears it: give way, prevail, or neither (RFC 9568 sections 6.4.2 and 6.4.3).

    as backup    priority 0                                       ZERO
                 at least ours, or no preemption, or not yet      HIGHER
                 below ours                                       LOWER
    as master    priority 0                                       ZERO
                 higher, or equal from a higher address           HIGHER
                 equal, from our own address                      OWN
                 lower, or equal from a lower address             LOWER

Here, too, the rule for two address owners on one link: the higher address stays, and lets the other see two adverts; when that one
is still there 1.2 intervals later, it lowers itself to 254 until the other is gone.
"""

from dataclasses import dataclass
from typing import Final

from keepalived_py.addresses import Address
from keepalived_py.config.vrrp import OWNER_PRIORITY, VrrpInstance
from keepalived_py.units import Micro
from keepalived_py.vrrp.fsm import Input
from keepalived_py.vrrp.receiving import Advert

RIVAL_ADVERTS: Final = 2
"""Own adverts that another address owner gets to see before it should have given up."""


def as_backup(config: VrrpInstance, effective: int, preempt_at: Micro | None, advert: Advert, now: Micro) -> Input:
    """Return what an advert means to a backup; `preempt_at`: when ``preempt_delay`` is over, None if it has not begun."""
    if advert.priority == 0:
        return Input.ADVERT_ZERO
    too_early = config.preempt_delay > 0 and (preempt_at is None or preempt_at > now)
    if not config.preempt or advert.priority >= effective or too_early:
        return Input.ADVERT_HIGHER
    return Input.ADVERT_LOWER


def as_master(effective: int, local: Address | None, advert: Advert) -> Input:
    """Return what an advert means to a master that sends from `local`."""
    if advert.priority == 0:
        return Input.ADVERT_ZERO
    if advert.priority == effective and advert.source == local:
        return Input.ADVERT_OWN
    return Input.ADVERT_HIGHER if beats(effective, local, advert) else Input.ADVERT_LOWER


def beats(effective: int, local: Address | None, advert: Advert) -> bool:
    """Whether an advert is of higher priority than ours, or of equal priority from a higher address."""
    if advert.priority != effective or local is None:
        return advert.priority > effective
    return advert.source > local


@dataclass(slots=True)
class Rival:
    """Another address owner.  `adverts`: own adverts still to be sent before it should have given up, 0 when none is known."""

    adverts: int = 0
    interval: Micro = Micro(0)

    def seen(self, advert: Advert) -> bool:
        """Take an advert of it; return whether that is news."""
        self.interval = advert.interval
        news = self.adverts == 0
        if news:
            self.adverts = RIVAL_ADVERTS
        return news

    def own_advert_sent(self, own_interval: Micro) -> Micro | None:
        """Count an advert of ours; return how much longer the rival may be heard, when that was the last it needed."""
        if self.adverts == 0:
            return None
        self.adverts -= 1
        return None if self.adverts else Micro(max(self.interval, own_interval) * 12 // 10)


def both_own(effective: int, local: Address | None, advert: Advert) -> bool:
    """Whether an advert shows that two routers claim to be the address owner."""
    return advert.priority == effective == OWNER_PRIORITY and local is not None and advert.source != local
