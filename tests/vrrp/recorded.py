"""Adverts that a real keepalived sent (tests/data/vrrp), and the configuration in our own values that it sent them for."""

from dataclasses import replace
from pathlib import Path

from keepalived_py.addresses import Address, Family
from keepalived_py.config.vrrp import AuthType, ChecksumCompat, UnicastPeer, VrrpInstance
from tests.vrrp.builders import address, hmac_key, instance, instance3, instance6, password, unicast, vips

DATA = Path(__file__).parent.parent / "data" / "vrrp"
FILES = sorted(DATA.glob("*.hex"))
LINK_LOCAL = Address.parse("fe80::ff:fe00:1")

_UNICAST_6: dict[str, object] = {
    "multicast_group": None,
    "source_address": Address.parse("2001:db8::1"),
    "unicast_peers": (UnicastPeer(Address.parse("2001:db8::2")),),
}

CASES: dict[str, VrrpInstance] = {
    "v2": instance(),
    "v2-stop": instance(),
    "v2-pass": instance(authentication=password(AuthType.PASS)),
    "v2-ah": instance(authentication=password(AuthType.AH)),
    "v2-ah-unicast": unicast(instance(authentication=password(AuthType.AH))),
    "v2-unicast": unicast(instance(unicast_ttl=64)),
    "v3": instance3(),
    "v3-stop": instance3(),
    "v3-unicast": unicast(instance3()),
    "v3-old-unicast": unicast(instance3(unicast_checksum=ChecksumCompat.ALWAYS)),
    "v3-as-v2": instance3(v3_checksum_as_v2=True),
    "v3-none": instance3(virtual_addresses=vips(1), excluded_addresses=vips(9), priority=150),
    "v6": instance6(),
    "v6-unicast": instance6("V", **_UNICAST_6),
    "hmac": instance3(hmac=hmac_key()),
    "hmac-v2": instance(hmac=hmac_key()),
    "hmac-unicast": unicast(instance3(hmac=hmac_key())),
    "hmac-v6": instance6(hmac=hmac_key()),
}


def case_of(path: Path) -> VrrpInstance:
    config = CASES[path.name.split(".")[0]]
    return config if config.priority != 100 else replace(config, priority=255)


def packets(path: Path) -> list[bytes]:
    """The packets as the wire had them, from the IP header on."""
    return [bytes.fromhex(line) for line in path.read_text().splitlines() if not line.startswith("#")]


def source_of(config: VrrpInstance) -> Address:
    if config.source_address is not None:
        return config.source_address
    return address(1) if config.family is Family.INET else LINK_LOCAL


def as_received(config: VrrpInstance, packet: bytes) -> tuple[Address, bytes, Address | None, int | None]:
    """Source, packet, destination, hop limit as a raw socket reports them."""
    if config.family is Family.INET:
        return Address(packet[12:16]), packet, None, None
    return Address(packet[8:24]), packet[40:], Address(packet[24:40]), packet[7]
