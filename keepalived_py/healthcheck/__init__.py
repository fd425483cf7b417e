"""Health checks: which real servers are fit to serve, and what follows for each virtual server.

Read in this order:

    outcome     what one probe found: a value, never an exception
    schedule    one checker: when it runs next, and what its results amount to (up, down, nothing yet)
    pool        one virtual server: alive servers, weights, quorum, sorry server -> the IPVS table it wants, and who is told
    events, facts, actions, snapshot    what goes into the engine, what comes out, what others may look at
    engine      all of them, with one heap of timers:  handle(event, now) -> list[Action],  deadline()
                its parts: check (one checker at work, and what the log says), registry (all of them; equal ones are one),
                presence (ha_suspend), transitions and gradual (weights that grow, servers that are drained)
    probe       the conversation with one server as steps
    kinds       the table of checkers, each a file of its own: to add one is one file and one row here
                    over TCP           tcp, http (with reply and patterns), smtp, dns (over UDP first)
                    over datagrams     udp, ping
                    programs           misc
                    nothing to run     file, bfd: they follow facts
    driver, io  the only I/O, with dial (sockets), tls and program: one epoll descriptor for all probes, nested in the event loop

State of the pools and schedules: `engine.CheckEngine` only.  Time: argument `now`, microseconds.  Nothing here knows netlink:
`actions.Publish` says what a virtual server is to look like, and the daemon has it programmed.
"""
