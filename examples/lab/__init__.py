r"""A laboratory of network namespaces: machines, cables, web servers, gone without a trace when it is over.

    from examples.lab import Shop, fetch

    with Shop() as shop:                                        # picture: `examples.lab.shop`
        print(fetch(shop.client, "http://192.0.2.11/").body)    # b'web1\n'
        shop.director.start("keepalived-py", "-n", "-f", "examples/shop-nat.conf")
        shop.servers["web2"].kill()

Read in this order: `shop` (a topology), `lab` (what it is made of), `web`, `daemons`; beneath them `namespaces`, and the two
programs `server` and `guard`.  Needs root, iproute2, and openssl for HTTPS.  ``python -m examples.lab`` opens the shop and a
shell in one of its nodes.
"""

from .daemons import Daemon, LabError, eventually
from .lab import CommandError, Lab, Node, Port, Switch
from .shop import VIPS, VIPS6, Shop
from .web import Download, Reply, WebServer, fetch

__all__ = [
    "VIPS",
    "VIPS6",
    "CommandError",
    "Daemon",
    "Download",
    "Lab",
    "LabError",
    "Node",
    "Port",
    "Reply",
    "Shop",
    "Switch",
    "WebServer",
    "eventually",
    "fetch",
]
