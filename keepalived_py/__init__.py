"""keepalived-py: health-checked IPVS load balancing and VRRP, driven by keepalived.conf.

How data flows, and where to read on:

    text -> `parser` -> `config.model.Config` (frozen values) -> `config.diff` -> deltas
    events -> engines (`healthcheck`, `ipvs`: no sockets, no clock) -> actions -> their `io`/`client` shells and `system`
    `daemon` forks the processes, translates between engines and reloads; `cli` is the command line of keepalived(8).

Imports go one way: leaves (`errors`, `units`, `addresses`) <- config <- parser, and leaves <- config <- engines <- io <- daemon
<- cli.  ``tests/test_architecture.py`` holds that line.
"""

__version__ = "0.1.0"
