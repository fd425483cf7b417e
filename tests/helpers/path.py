"""A client and a server of FULLNAT's topology that are played by the test, packet by packet, in either family."""

import itertools
from dataclasses import dataclass
from typing import Self

from examples.lab.campus import CAMPUS_VIPS, CAMPUS_VIPS6, LOCALS, LOCALS6, Campus
from tests.helpers.fullnat import Fullnat
from tests.helpers.packets import ACK, MSS, SACK_OK, SYN, TCP, TIMESTAMPS, UDP, WSCALE, Option, Packet, Raw, packed

CLIENT_OPTIONS: tuple[Option, ...] = (
    (MSS, b"\x05\xb4"),
    (SACK_OK, b""),
    (TIMESTAMPS, bytes(range(8))),
    (1, b""),
    (WSCALE, b"\x07"),
)
_SERVICE_PORTS = itertools.count(20000)
_CLIENT_PORTS = itertools.count(40000)


@dataclass(frozen=True, slots=True)
class Side:
    """Addresses of one family: two played endpoints, the virtual address, the local ones."""

    client: str
    server: str
    vip: str
    locals: tuple[str, ...]
    toa_size: int
    header: int

    def at(self, host: str, port: int) -> str:
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


V4 = Side("198.51.100.77", "192.0.2.77", CAMPUS_VIPS[0], LOCALS, 8, 20)
V6 = Side("2001:db8:c::77", "2001:db8:a::77", CAMPUS_VIPS6[0], LOCALS6, 20, 40)


class Path:
    """A service of its own for each path: client -> vip:port -> server:port, with one local address unless told otherwise."""

    def __init__(self, lab: Campus, control: Fullnat, side: Side, protocol: int = TCP, locals_: int = 1) -> None:
        self.lab, self.control, self.side, self.protocol = lab, control, side, protocol
        self.port = next(_SERVICE_PORTS)
        self.client_port = next(_CLIENT_PORTS)
        self.service = f"{'udp' if protocol == UDP else 'tcp'} {side.at(side.vip, self.port)}"
        control.service(self.service, side.at(side.server, self.port), locals_=side.locals[:locals_])
        self.client = Raw(lab.client, "edge", lab.edge, side.client)
        self.server = Raw(lab.web1, "core", lab.core, side.server)
        self.local: tuple[str, int] = ("", 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.server.close()

    def request(self, **values: object) -> Packet:
        """Make a packet from the client to the virtual service."""
        return Packet("", self.side.vip, self.protocol, self.client_port, self.port).with_(**values)

    def reply(self, **values: object) -> Packet:
        """Make a packet from the server to the local address that the client got."""
        return Packet("", self.local[0], self.protocol, self.port, self.local[1]).with_(**values)

    def at_server(self, within: float = 10.0) -> Packet:
        """Return the next packet that reached the server, whose checksums must be right and whose addresses translated."""
        packet = self.server.expect(lambda it: it.protocol == self.protocol and it.dport == self.port, within)
        assert packet.checksum, packet
        assert packet.source in self.side.locals, packet
        self.local = (packet.source, packet.sport)
        return packet

    def at_client(self, within: float = 10.0) -> Packet:
        """Return the next packet of the service that reached the client."""
        packet = self.client.expect(lambda it: it.protocol == self.protocol and it.dport == self.client_port, within)
        assert packet.checksum, packet
        assert (packet.source, packet.sport) == (self.side.vip, self.port), packet
        return packet

    def up(self, **values: object) -> Packet:
        """Send from the client and return what reaches the server."""
        self.client.send(self.request(**values))
        return self.at_server()

    def down(self, **values: object) -> Packet:
        """Send from the server and return what reaches the client."""
        self.server.send(self.reply(**values))
        return self.at_client()

    def open(self, isn: int = 1000, server_isn: int = 5000, options: tuple[Option, ...] = CLIENT_OPTIONS) -> int:
        """Shake hands and return the distance by which the client's numbers are moved."""
        syn = self.up(flags=SYN, seq=isn, options=options)
        self.down(flags=SYN | ACK, seq=server_isn, ack=syn.seq + 1, options=((MSS, b"\x05\xb4"),))
        self.up(flags=ACK, seq=isn + 1, ack=server_isn + 1)
        return syn.seq - isn & 0xFFFFFFFF

    def toa(self) -> bytes:
        """Return what the option of the client's address has to hold behind kind and length."""
        return self.client_port.to_bytes(2, "big") + packed(self.side.client)
