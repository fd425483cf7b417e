"""Configuration values for the tests of VRRP, in documentation addresses."""

from dataclasses import replace

from keepalived_py.addresses import Address, Family
from keepalived_py.config.routing import VirtualAddress
from keepalived_py.config.vrrp import (
    Authentication,
    AuthType,
    HmacAuthentication,
    HmacKey,
    UnicastPeer,
    VrrpInstance,
)
from keepalived_py.units import micro

GROUP4 = Address.parse("224.0.0.18")
GROUP6 = Address.parse("ff02::12")
KEY = bytes(range(32))
SECOND = micro(1)


def address(number: int) -> Address:
    """192.0.2.`number`: what routers are called."""
    return Address.parse(f"192.0.2.{number}")


def vip(number: int | str) -> VirtualAddress:
    """203.0.113.`number`/24, or the address as written."""
    found = Address.parse(number if isinstance(number, str) else f"203.0.113.{number}")
    return VirtualAddress(found, 24 if found.family is Family.INET else 64)


def vips(*numbers: int | str) -> tuple[VirtualAddress, ...]:
    return tuple(vip(number) for number in numbers)


def peers(*numbers: int) -> tuple[UnicastPeer, ...]:
    return tuple(UnicastPeer(address(number)) for number in numbers)


def password(kind: AuthType, text: bytes = b"secret") -> Authentication:
    return Authentication(kind, text)


def hmac_key(**more: object) -> HmacAuthentication:
    return replace(HmacAuthentication((HmacKey(7, KEY),), 7), **more)  # type: ignore[arg-type]


def instance(name: str = "V", **more: object) -> VrrpInstance:
    """Virtual router 51 with two addresses, version 2, multicast, on eth0."""
    base = VrrpInstance(
        name,
        51,
        interface="eth0",
        multicast_group=GROUP4,
        virtual_addresses=vips(1, 2),
    )
    return replace(base, **more)  # type: ignore[arg-type]


def instance3(name: str = "V", **more: object) -> VrrpInstance:
    """The same, version 3, an advert every 100 ms."""
    return replace(instance(name), **{"version": 3, "advert_int": micro(0.1), **more})  # type: ignore[arg-type]


def instance6(name: str = "V", **more: object) -> VrrpInstance:
    """The same for IPv6."""
    base: dict[str, object] = {
        "family": Family.INET6,
        "multicast_group": GROUP6,
        "virtual_addresses": vips("fe80::51", "2001:db8::51"),
    }
    return instance3(name, **{**base, **more})


def unicast(config: VrrpInstance, *numbers: int) -> VrrpInstance:
    """The same to peers rather than a group."""
    return replace(config, multicast_group=None, source_address=address(1), unicast_peers=peers(*(numbers or (2, 3))))
