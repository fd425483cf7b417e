"""Configuration values for the tests of the health checks, in documentation addresses."""

from dataclasses import replace

from keepalived_py.addresses import Address, Family
from keepalived_py.config.checkers import Checker, Endpoint, HttpCheck, TcpCheck, Timing, Url
from keepalived_py.config.lvs import (
    AddressTarget,
    Lvs,
    Protocol,
    RealServer,
    ServerKey,
    SorryServer,
    Target,
    VirtualServer,
)
from keepalived_py.config.scripts import Script
from keepalived_py.units import Micro, micro

VIP = AddressTarget(Address.parse("203.0.113.1"), 80, Protocol.TCP)
VS = "[203.0.113.1]:tcp:80"
STEADY = Timing(delay_loop=micro(10), retry=1, delay_before_retry=micro(1), warmup=Micro(0))
"""First check one second after the start, then every ten seconds; down after two failures."""


def address(number: int) -> Address:
    """192.0.2.`number`."""
    return Address.parse(f"192.0.2.{number}")


def key(number: int) -> ServerKey:
    return ServerKey(address(number), 80)


def rs_name(number: int) -> str:
    return f"[192.0.2.{number}]:tcp:80"


def tcp(number: int, timing: Timing = STEADY) -> TcpCheck:
    return TcpCheck(Endpoint(address(number), 80), timing)


def http(number: int, *paths: str, timing: Timing = STEADY, fast_recovery: bool = False) -> HttpCheck:
    urls = tuple(Url(path) for path in paths)
    return HttpCheck(Endpoint(address(number), 80), timing, urls=urls, fast_recovery=fast_recovery)


def server(
    number: int,
    *checkers: Checker,
    weight: int = 1,
    inhibit: bool = False,
    scripts: bool = False,
    smtp_alert: bool = False,
) -> RealServer:
    up = Script((f"/up{number}",)) if scripts else None
    down = Script((f"/down{number}",)) if scripts else None
    return RealServer(
        address(number),
        80,
        weight,
        inhibit_on_failure=inhibit,
        notify_up=up,
        notify_down=down,
        smtp_alert=smtp_alert,
        checkers=checkers,
    )


def checked(number: int, timing: Timing = STEADY, weight: int = 1, inhibit: bool = False, scripts: bool = False) -> RealServer:
    """A server with one TCP check."""
    return server(number, tcp(number, timing), weight=weight, inhibit=inhibit, scripts=scripts)


def sorry(number: int = 200, *, inhibit: bool = False) -> SorryServer:
    return SorryServer(address(number), 80, inhibit=inhibit)


def service(
    *servers: RealServer,
    target: Target = VIP,
    quorum: int = 1,
    hysteresis: int = 0,
    sorry_server: SorryServer | None = None,
    scripts: bool = False,
    omega: bool = False,
    smtp_alert: bool = False,
) -> VirtualServer:
    return VirtualServer(
        target,
        Family.INET,
        quorum=quorum,
        hysteresis=hysteresis,
        sorry_server=sorry_server,
        omega=omega,
        smtp_alert=smtp_alert,
        quorum_up=Script(("/quorum-up",)) if scripts else None,
        quorum_down=Script(("/quorum-down",)) if scripts else None,
        real_servers=servers,
    )


def lvs(*services: VirtualServer) -> Lvs:
    return Lvs(services)


def alpha(timing: Timing = STEADY) -> Timing:
    return replace(timing, alpha=True)
