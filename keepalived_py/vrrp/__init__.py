"""VRRP: elect one owner of a set of addresses (RFC 9568 version 3, RFC 3768 version 2, authentication of RFC 2338).

Read in this order:

    events, actions    what goes into the engine, what comes out; channel: the socket that an advert travels through
    fsm                states, inputs and the transition table of one instance, under the RFC's own diagram
    packet             bytes of an advert;  sending: ours, packed ahead;  receiving: the checks of theirs, with reasons to count
                       (reasons, statistics);  auth: AH and the HMAC trailer;  wire: both ways of one instance
    timers, waiting    skew and master down interval; the one timer of an instance
    election           what a good advert means: give way or prevail
    placing, facts     on which interface everything of an instance goes; what is known of the host
    priority           what an instance watches -> effective priority and reasons for FAULT;  watching: the trackers
    holdings, statics  addresses, routes, rules of a master; those that are always there
    announce           when gratuitous ARPs and neighbour advertisements are sent, and how fast
    notices, explain   what scripts, FIFOs and mails are told; why each transition happened
    instance, sync     one virtual router; routers that change state together
    links              sockets and interfaces that all of them need
    roster, reload     who takes part; what survives a reload;  lag: what a pause of this process means
    engine             all of it:  handle(event, now) -> list[Action],  deadline(),  snapshot() (snapshot, showing)
    io, sockets, filter    the only I/O: the loop around the engine, raw sockets, what the kernel keeps away from them

Configuration arrives as `config.vrrp.Vrrp`; text never reaches here.  State: `engine.VrrpEngine` only.  Time: argument `now`,
microseconds of the monotonic clock.
"""
