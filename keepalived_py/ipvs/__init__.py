"""IPVS: what the kernel's table is to hold, and the requests that make it so.

Read in this order:

    table       what the kernel holds, as values: services, destinations, counters
    desired     configuration + pool state -> the entries that are to be there (`features`: who this kernel cannot serve)
    plan        (actual, desired, owned) -> the shortest list of `operations`
    ownership   which services are ours, so that nobody else's is ever touched
    attributes  the generic netlink interface of linux/ip_vs.h as tables;  fullnat_attributes: that of our own kernel module
    netlink     bytes <-> messages and attributes;  packer: operations -> bytes;  decoder: bytes -> values of `table`
    exchange    which requests of a batch have been answered, and how
    client      the only module with a socket

    Config, PoolState -> desired -> Table --+
                                            +-> plan -> [Operation] -> packer -> client -> kernel
    kernel -> client -> decoder --> Table --+

Weights come in as plain numbers: health checks, quorum rules and logging are other people's business.
"""
