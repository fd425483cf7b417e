"""The talk's shop: one director with two virtual addresses before three web servers in a network of their own (NAT).

                 client                                                          rack (switch)
            198.51.100.10                                                             |
                    |                                                   +-------------+-------------+
                  router ------------------- director ------------------+             |             |
            .1  198.51.100.1   203.0.113.1    203.0.113.2     192.0.2.1 |             |             |
                                              VIPs:                   web1          web2          web3
                                              203.0.113.10      192.0.2.11    192.0.2.12    192.0.2.13
                                              203.0.113.20

The same in IPv6: client 2001:db8:c::/64, between router and director 2001:db8:f::/64, rack 2001:db8:a::/64, with the same
last number in decimal writing (director 2001:db8:f::2, VIPs 2001:db8:f::10 and ::20, web1 2001:db8:a::11).

Router and director forward; the web servers' default route goes through the director, as NAT needs it, and so does the
router's route to the rack, for tests that want to reach a real server directly.
"""

from pathlib import Path

from .lab import Lab
from .web import WebServer

VIPS = ("203.0.113.10", "203.0.113.20")
VIPS6 = ("2001:db8:f::10", "2001:db8:f::20")


class Shop(Lab):
    """The topology above, with a `WebServer` on port 80 of each web node."""

    def __init__(self, directory: Path | None = None, webs: int = 3) -> None:
        """Build it.

        Args:
            directory: As for `Lab`.
            webs: Number of web servers, up to 200; they are called web1, web2, and so on.
        """
        super().__init__(directory)
        try:
            self._build(webs)
        except BaseException:
            self.close()
            raise

    def _build(self, webs: int) -> None:
        self.client, self.router, self.director = (self.node(name) for name in ("client", "router", "director"))
        self.rack = self.switch("rack")
        self.webs = tuple(self.node(f"web{number}") for number in range(1, webs + 1))
        self.link(self.client, self.router, *_both("198.51.100", "c", 10, 1))
        self.link(self.router, self.director, *_both("203.0.113", "f", 1, 2))
        self.director.ip(*(f"address add {vip} dev router nodad" for vip in (*VIPS, *VIPS6)))
        self.rack.attach(self.director, *_both("192.0.2", "a", 1))
        for number, web in enumerate(self.webs, 1):
            self.rack.attach(web, *_both("192.0.2", "a", 10 + number))
        self._routes()
        self.servers = {web.name: WebServer(web) for web in self.webs}

    def _routes(self) -> None:
        for node in (self.router, self.director):
            node.sysctl("net.ipv4.ip_forward", 1)
            node.sysctl("net.ipv6.conf.all.forwarding", 1)
        defaults = [(self.client, "198.51.100.1", "2001:db8:c::1"), (self.director, "203.0.113.1", "2001:db8:f::1")]
        defaults += [(web, "192.0.2.1", "2001:db8:a::1") for web in self.webs]
        for node, *hops in defaults:
            node.route("default", *hops)
        self.router.route("192.0.2.0/24", "203.0.113.2")
        self.router.route("2001:db8:a::/64", "2001:db8:f::2")


def _both(prefix: str, letter: str, *hosts: int) -> list[tuple[str, str]]:
    """Return the pair of CIDRs of each host: the last number is written the same in both families."""
    return [(f"{prefix}.{host}/24", f"2001:db8:{letter}::{host}/64") for host in hosts]
