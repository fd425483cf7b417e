"""Own lag: when this process itself did not run, that nothing was heard means nothing.

A deadline of ours that is overdue by more than a router's silence may last is all that is needed to tell.  Masters then give up
without a word, for another may have taken over (but not the address owner, who wins anyway); backups wait anew.
"""

from collections.abc import Iterable

from keepalived_py.units import MICRO_PER_SECOND, Micro
from keepalived_py.vrrp.actions import Level
from keepalived_py.vrrp.fsm import State
from keepalived_py.vrrp.instance import Instance, Shared


class LagWatch:
    """Notices pauses and says so.  `count`: how many there were."""

    __slots__ = ("_noticed", "count")

    def __init__(self) -> None:
        self.count = 0
        self._noticed: Micro | None = None

    def victims(self, instances: Iterable[Instance], shared: Shared, paused: Micro, now: Micro) -> list[Instance]:
        """Return those whom a pause that ends now concerns; one that is told of twice counts once."""
        if now == self._noticed or paused <= _least_pause(instances, shared):
            return []
        found = [instance for instance in instances if _is_concerned(instance, paused, now)]
        if found:
            self._noticed = now
            self.count += 1
            seconds = f"{paused // MICRO_PER_SECOND}.{paused % MICRO_PER_SECOND:06d}"
            why = "this process did not run, so what was not heard means nothing"
            shared.outbox.log(f"VRRP thread timer expired {seconds} seconds ago: {why}", Level.WARNING)
        return found


def _least_pause(instances: Iterable[Instance], shared: Shared) -> Micro:
    """Return the pause from which on it is worth asking each instance."""
    if shared.least_pause is None:
        shared.least_pause = min((instance.least_pause() for instance in instances), default=Micro(0))
    return shared.least_pause


def _is_concerned(instance: Instance, paused: Micro, now: Micro) -> bool:
    """Whether others may have become master meanwhile, or a master may have been missed."""
    if instance.state is State.BACKUP:
        return paused > instance.down_interval()
    if instance.state is not State.MASTER or instance.config.is_owner or instance.last_advert_sent is None:
        return False
    silent = now - instance.last_advert_sent
    return paused + instance.config.advert_int >= silent > instance.others_down_interval()
