"""VRRP: elect one owner of a set of addresses (RFC 9568 version 3, RFC 3768 version 2, authentication of RFC 2338).

Read in this order:

    events, actions     what goes into the engine, what comes out; channel: which socket an advert travels through
    fsm                 states, inputs and the transition table of one instance, under the RFC's own diagram
    packet, auth        bytes on the wire -> a verdict, and back; statistics: what is counted on the way
    timers              skew, master down interval
    priority            trackers, weights, interfaces, addresses -> effective priority and reasons for FAULT
    placing             on which device each address of an instance goes; which source address adverts have
    instance, sync      one virtual router; routers that change state together
    announce            when gratuitous ARPs and neighbour advertisements are sent, and how fast
    explain             why each transition happened;  notices: what scripts, FIFOs and mails are told
    engine              all of them:  handle(event, now) -> list[Action],  deadline(),  snapshot();  reload: what survives one

Configuration arrives as `config.vrrp.Vrrp`; text never reaches here.  State: `engine.VrrpEngine` only.  Time: argument `now`,
microseconds of the monotonic clock.  No socket, clock, file or process in any of these modules: the host side turns facts into
events and carries actions out, in order.
"""
