"""One engine on a bench: a test hands it adverts and lets time pass, and looks at what it wants done."""

from fractions import Fraction

from keepalived_py.addresses import Address, Family
from keepalived_py.config.vrrp import VrrpInstance
from keepalived_py.units import MICRO_PER_SECOND, Micro, micro
from keepalived_py.vrrp.actions import Action, SendAdvert
from keepalived_py.vrrp.auth import AhCounter, HmacTrailer
from keepalived_py.vrrp.events import AdvertReceived
from keepalived_py.vrrp.sending import Moment, Sender
from tests.helpers.clock import LocalClock
from tests.helpers.lan import WALL, Lan, Router
from tests.vrrp.builders import GROUP4


class Peer:
    """A sender of adverts, which is no router: 192.0.2.N or fe80::N, of the same virtual router."""

    def __init__(self, config: VrrpInstance, number: int) -> None:
        trailer = None
        if config.hmac is not None:
            trailer = HmacTrailer(config.hmac, config.family, config.version, config.virtual_router_id)
        self.config = config
        self.source = Address.parse(f"192.0.2.{number}" if config.family is Family.INET else f"fe80::{number:x}")
        self.counter = AhCounter()
        self.sender = Sender(config, GROUP4, self.counter, trailer)

    def packet(self, priority: int, wall: Micro = WALL) -> bytes:
        return self.sender.packets(Moment(priority, self.source), wall)[0][1]


class Bench:
    """One router, number 1, alone on its link; peers are made as they are needed.

    `scripts`: what tracked scripts exit with, 10 ms after they are started; others never end.
    """

    def __init__(self, *configs: VrrpInstance, scripts: dict[str, int] | None = None, **start: object) -> None:
        self.lan = Lan()
        self.router: Router = self.lan.router(1, clock=LocalClock(Micro(0), Fraction(1)))
        self.config = configs[0]
        self._peers: dict[tuple[str, int], Peer] = {}
        self.router.scripts.update(scripts or {})
        self.router.start(*configs, **start)  # type: ignore[arg-type]

    @property
    def now(self) -> float:
        return self.lan.now / MICRO_PER_SECOND

    def run(self, seconds: float) -> None:
        self.lan.run(seconds)

    def until_master(self) -> "Bench":
        """Let the silence last until it is master, then forget how that came."""
        self.run(10)
        assert self.state == "MASTER"
        self.router.forget()
        return self

    def peer(self, number: int, config: VrrpInstance | None = None) -> Peer:
        config = config or self.config
        return self._peers.setdefault((config.name, number), Peer(config, number))

    def advert(self, priority: int, number: int = 2, *, config: VrrpInstance | None = None, name: str = "V") -> list[Action]:
        """Let it hear an advert of a peer; return what follows at once."""
        wall = Micro(WALL + self.lan.now)
        return self.packet(self.peer(number, config).packet(priority, wall), number, name=name, config=config)

    def packet(self, data: bytes, number: int = 2, *, name: str = "V", config: VrrpInstance | None = None) -> list[Action]:
        channel = next(
            state.channel for state in self.router.engine.snapshot().channels if name in {member for member, _ in state.members}
        )
        peer = self.peer(number, config)
        destination = hop_limit = None
        if channel.family is Family.INET6:
            destination, hop_limit = channel.group or channel.source, 255
        return self.router.feed(AdvertReceived(channel, peer.source, data, destination, hop_limit))

    @property
    def state(self) -> str:
        return self.router.state().name

    @property
    def due_in(self) -> float | None:
        """How long its advert or master down timer has still to run, in seconds."""
        due = self.router.instance().due
        return None if due is None else (due - self.router.now) / MICRO_PER_SECOND

    def sent(self) -> list[int]:
        """Priorities of the adverts that were sent."""
        return [priority for _, priority in self.router.adverts()]


def adverts_in(actions: list[Action]) -> list[int]:
    return [action.priority for action in actions if isinstance(action, SendAdvert)]


SECOND = micro(1)
