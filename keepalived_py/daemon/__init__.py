"""The processes: a parent that reads the configuration and supervises, and the children that work by it.

Read in this order:

    start      command line -> settings -> first configuration -> daemon
    parent     the parent's loop: signals, children, reloads; the decisions are in `supervisor` and `reload` (no I/O)
    messages, channel      what parent and child say to each other, and how
    check_process          the checker process: joins `healthcheck` (engine and sockets), `table_keeper` (IPVS), scripts and FIFOs

This is the only package that may import everything.  The parent parses once and forks; a child has its configuration by
inheritance, and gets differences by message.
"""
