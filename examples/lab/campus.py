"""FULLNAT's topology: real servers two subnets away from the director, and without a route back to the clients.

    client -------------- edge -------------- director -------------- core ---+--- web1   192.0.2.11/25
    198.51.100.10     .1      203.0.113.1  .2          203.0.113.130  .129    |
                                       VIPs:      local addresses:            +--- web2   192.0.2.140/25
                                       203.0.113.10   203.0.113.140 ..
                                       203.0.113.20   203.0.113.148

The same in IPv6: client 2001:db8:c::/64, between edge and director 2001:db8:f::/64, between director and core 2001:db8:d::/64, the
servers 2001:db8:a::/64 and 2001:db8:b::/64, with the same last number in decimal writing (local addresses 2001:db8:d::140 ..).

Edge and core forward, the director does not: FULLNAT needs no forwarding.  The servers know the way to the local addresses' network
and to nothing else, so that a packet with a client's address would never be answered.
"""

from pathlib import Path

from .lab import Lab, Node
from .web import WebServer

CAMPUS_VIPS = ("203.0.113.10", "203.0.113.20")
CAMPUS_VIPS6 = ("2001:db8:f::10", "2001:db8:f::20")
LOCALS = tuple(f"203.0.113.{host}" for host in range(140, 149))
LOCALS6 = tuple(f"2001:db8:d::{host}" for host in range(140, 149))
CLIENT, CLIENT6 = "198.51.100.10", "2001:db8:c::10"
WEB1, WEB2 = "192.0.2.11", "192.0.2.140"
WEB1_6, WEB2_6 = "2001:db8:a::11", "2001:db8:b::140"


class Campus(Lab):
    """The topology above, with a `WebServer` on port 80 of each web node unless told otherwise."""

    def __init__(self, directory: Path | None = None, *, serve: bool = True) -> None:
        """Build it.

        Args:
            directory: As for `Lab`.
            serve: Start the web servers.
        """
        super().__init__(directory)
        try:
            self._build()
            self.servers = {web.name: WebServer(web) for web in self.webs} if serve else {}
        except BaseException:
            self.close()
            raise

    def _build(self) -> None:
        self.client, self.edge, self.director, self.core = map(self.node, ("client", "edge", "director", "core"))
        self.web1, self.web2 = self.node("web1"), self.node("web2")
        self.webs = (self.web1, self.web2)
        self.link(self.client, self.edge, _both("198.51.100.10/24", "c::10"), _both("198.51.100.1/24", "c::1"))
        self.link(self.edge, self.director, _both("203.0.113.1/25", "f::1"), _both("203.0.113.2/25", "f::2"))
        self.link(self.director, self.core, _both("203.0.113.130/25", "d::130"), _both("203.0.113.129/25", "d::129"))
        self.link(self.core, self.web1, _both("192.0.2.1/25", "a::1"), _both(f"{WEB1}/25", "a::11"))
        self.link(self.core, self.web2, _both("192.0.2.129/25", "b::129"), _both(f"{WEB2}/25", "b::140"))
        self.director.ip(*(f"address add {vip} dev edge nodad" for vip in (*CAMPUS_VIPS, *CAMPUS_VIPS6)))
        self.director.ip(*(f"address add {local} dev core nodad" for local in (*LOCALS, *LOCALS6)))
        self._routes()

    def _routes(self) -> None:
        for node in (self.edge, self.core):
            node.sysctl("net.ipv4.ip_forward", 1)
            node.sysctl("net.ipv6.conf.all.forwarding", 1)
        self.client.route("default", "198.51.100.1", "2001:db8:c::1")
        self.director.route("default", "203.0.113.1", "2001:db8:f::1")
        _routes(self.director, "203.0.113.129", "2001:db8:d::129", "192.0.2.0/24", "2001:db8:a::/64", "2001:db8:b::/64")
        _routes(self.core, "203.0.113.130", "2001:db8:d::130", "203.0.113.0/25", "2001:db8:f::/64")
        _routes(self.web1, "192.0.2.1", "2001:db8:a::1", "203.0.113.128/25", "2001:db8:d::/64")
        _routes(self.web2, "192.0.2.129", "2001:db8:b::129", "203.0.113.128/25", "2001:db8:d::/64")


def _both(cidr: str, host6: str) -> list[str]:
    """Return a node's pair of addresses."""
    return [cidr, f"2001:db8:{host6}/64"]


def _routes(node: Node, hop: str, hop6: str, *prefixes: str) -> None:
    for prefix in prefixes:
        node.route(prefix, hop6 if ":" in prefix else hop)
