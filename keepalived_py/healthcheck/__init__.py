"""Health checks: which real servers are fit to serve, and what follows for each virtual server.

Read in this order:

    outcome     what one probe found: a value, never an exception
    schedule    one checker: when it runs next, and what its results amount to (up, down, nothing yet)
    pool        one virtual server: alive servers, weights, quorum, sorry server -> the IPVS table it wants, and who is told
    events, actions, snapshot       what goes into the engine, what comes out, what others may look at
    engine      all of them, with one heap of timers:  handle(event, now) -> list[Action],  deadline()
    probe       the conversation with one server as steps:  tcp, http (with reply and patterns), one file per checker
    kinds       the table of checkers: to add one is one file and one row here
    dial, io    the only I/O: sockets and TLS; one epoll descriptor for all probes, nested in the event loop

State of the pools and schedules: `engine.CheckEngine` only.  I/O: `dial` and `io` only.  Time: argument `now`, microseconds.
Nothing here knows netlink: `actions.Publish` says what a virtual server is to look like, and the daemon has it programmed.
"""
