"""The processes: a parent that reads the configuration and supervises, and the children that work by it.

Read in this order:

    start        command line -> settings -> first configuration -> daemon
    parent       the parent's loop: signals, children, reloads; the decisions are in `supervisor` and `reload` (no I/O)
    messages, channel, signals    what parent and child say to each other, and how both take signals
    child                         what every child has in common
    check_process                 the checker process: its life, and how its parts are joined
    worker                        what the engine decided, carried out in order:
    table_keeper                  the IPVS table (`record`: which services are ours; `kernel_settings`: timeouts, sync threads)

This is the only package that may import everything.  The parent parses once and forks; a child has its configuration by
inheritance, and gets differences by message.
"""
