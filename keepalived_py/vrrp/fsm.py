"""The state machine of one virtual router: states, inputs, and the table of what follows.

RFC 9568 section 6.4, figure 4 (its Initialize is our INIT, its Active is MASTER):

                          +---------------+
               +--------->|               |<-------------+
               |          |  Initialize   |              |
               |   +------|               |----------+   |
               |   |      +---------------+          |   |
               |   |                                 |   |
               |   V                                 V   |
       +---------------+                       +---------------+
       |               |---------------------->|               |
       |    Active     |                       |    Backup     |
       |               |<----------------------|               |
       +---------------+                       +---------------+

keepalived adds FAULT, which is Initialize with a reason: no advert is sent or heard until the last reason is gone.  STOP and
DELETED are what the last notification of an instance says; nothing leads out of them.

What an input means for a router has been decided when it comes here (`instance` compares priorities, `sync` asks the group): an
advert is *higher* when the router has to give way to it, which in BACKUP also depends on preemption.  What is not in the table is a
bug of ours, `BugError`, and leaves the state as it was.  No clock, no packet, no configuration here.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from keepalived_py.errors import BugError


class State(enum.IntEnum):
    """State of an instance or a sync group; names are those of notify scripts, numbers those of keepalived.json."""

    INIT = 0
    BACKUP = 1
    MASTER = 2
    FAULT = 3
    DELETED = 97
    STOP = 98


class Input(enum.Enum):
    """What can happen to a router."""

    STARTUP = "starts, may take part"
    STARTUP_OWNER = "starts as the address owner"
    STARTUP_FAULT = "starts with something wrong"
    STARTUP_PENDING = "starts before its scripts have said anything"

    TIMER = "its timer fired"
    TIMER_HELD = "its timer fired, the group does not agree yet"

    ADVERT_ZERO = "advert of a master that gives up"
    ADVERT_HIGHER = "advert to give way to"
    ADVERT_LOWER = "advert to prevail over"
    ADVERT_OWN = "advert of our own priority and address"

    FAULT = "something is wrong"
    RECOVERED = "nothing is wrong any more"
    RECOVERED_OWNER = "nothing is wrong any more with the address owner"
    ADDRESS_LOST = "somebody took an address, route or rule away"
    OWN_LAG = "the process slept too long"

    GROUP_MASTER = "the group goes to MASTER"
    GROUP_BACKUP = "the group goes to BACKUP"
    GROUP_FAULT = "the group goes to FAULT"
    GROUP_WITHDRAW = "the group goes to BACKUP, to return soon"

    SHUTDOWN = "the process stops"
    DELETED = "a reload removed it"


class Effect(enum.Enum):
    """What a router does about it; `instance` has a method for each."""

    NOTHING = "nothing"
    BE_BACKUP = "wait as backup, from the start"
    BE_OWNER = "be master at once"
    BE_FAULTY = "say what is wrong"
    BE_PENDING = "wait for the scripts"

    ADVERTISE = "send the advert that is due"
    ASSERT = "send an advert before it is due"
    REPEL = "send an advert and gratuitous ARPs"
    WARN = "warn of a stranger with our address"

    SHORTEN = "wait for the skew time only"
    ACCEPT = "learn from the advert, wait anew"
    DISCARD = "go on waiting"
    HOLD = "want to be master, wait anew"
    WAIT = "wait anew"

    TAKE_OVER = "become master"
    GIVE_WAY = "become backup without a word"
    WITHDRAW = "become backup with priority 0, to return after the skew time"
    LAPSE = "become backup, having slept"
    FAIL = "stop taking part, with priority 0"
    RECOVER = "take part again, as backup"
    RESIGN = "end, with priority 0"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    effect: Effect
    after: State


_ALIVE: Final = (State.INIT, State.BACKUP, State.MASTER, State.FAULT)

TABLE: Final[Mapping[tuple[State, Input], Row]] = {
    # Initialize (section 6.4.1).
    (State.INIT, Input.STARTUP): Row(Effect.BE_BACKUP, State.BACKUP),
    # "If Priority = 255": the timer fires at once, by which the whole group has been started.
    (State.INIT, Input.STARTUP_OWNER): Row(Effect.BE_OWNER, State.BACKUP),
    (State.INIT, Input.STARTUP_FAULT): Row(Effect.BE_FAULTY, State.FAULT),
    (State.INIT, Input.STARTUP_PENDING): Row(Effect.BE_PENDING, State.FAULT),
    # Backup (section 6.4.2).
    (State.BACKUP, Input.TIMER): Row(Effect.TAKE_OVER, State.MASTER),
    (State.BACKUP, Input.TIMER_HELD): Row(Effect.HOLD, State.BACKUP),
    (State.BACKUP, Input.ADVERT_ZERO): Row(Effect.SHORTEN, State.BACKUP),
    (State.BACKUP, Input.ADVERT_HIGHER): Row(Effect.ACCEPT, State.BACKUP),
    (State.BACKUP, Input.ADVERT_LOWER): Row(Effect.DISCARD, State.BACKUP),
    (State.BACKUP, Input.FAULT): Row(Effect.FAIL, State.FAULT),
    (State.BACKUP, Input.ADDRESS_LOST): Row(Effect.NOTHING, State.BACKUP),
    (State.BACKUP, Input.OWN_LAG): Row(Effect.WAIT, State.BACKUP),
    (State.BACKUP, Input.GROUP_MASTER): Row(Effect.TAKE_OVER, State.MASTER),
    (State.BACKUP, Input.GROUP_BACKUP): Row(Effect.NOTHING, State.BACKUP),
    (State.BACKUP, Input.GROUP_FAULT): Row(Effect.FAIL, State.FAULT),
    (State.BACKUP, Input.GROUP_WITHDRAW): Row(Effect.NOTHING, State.BACKUP),
    # Active (section 6.4.3).
    (State.MASTER, Input.TIMER): Row(Effect.ADVERTISE, State.MASTER),
    (State.MASTER, Input.TIMER_HELD): Row(Effect.ADVERTISE, State.MASTER),
    (State.MASTER, Input.ADVERT_ZERO): Row(Effect.ASSERT, State.MASTER),
    (State.MASTER, Input.ADVERT_HIGHER): Row(Effect.GIVE_WAY, State.BACKUP),
    (State.MASTER, Input.ADVERT_LOWER): Row(Effect.REPEL, State.MASTER),
    (State.MASTER, Input.ADVERT_OWN): Row(Effect.WARN, State.MASTER),
    (State.MASTER, Input.FAULT): Row(Effect.FAIL, State.FAULT),
    (State.MASTER, Input.ADDRESS_LOST): Row(Effect.WITHDRAW, State.BACKUP),
    (State.MASTER, Input.OWN_LAG): Row(Effect.LAPSE, State.BACKUP),
    (State.MASTER, Input.GROUP_MASTER): Row(Effect.NOTHING, State.MASTER),
    (State.MASTER, Input.GROUP_BACKUP): Row(Effect.GIVE_WAY, State.BACKUP),
    (State.MASTER, Input.GROUP_FAULT): Row(Effect.FAIL, State.FAULT),
    (State.MASTER, Input.GROUP_WITHDRAW): Row(Effect.WITHDRAW, State.BACKUP),
    # Ours.
    (State.FAULT, Input.FAULT): Row(Effect.NOTHING, State.FAULT),
    (State.FAULT, Input.RECOVERED): Row(Effect.RECOVER, State.BACKUP),
    (State.FAULT, Input.RECOVERED_OWNER): Row(Effect.TAKE_OVER, State.MASTER),
    (State.FAULT, Input.ADDRESS_LOST): Row(Effect.NOTHING, State.FAULT),
    (State.FAULT, Input.OWN_LAG): Row(Effect.NOTHING, State.FAULT),
    (State.FAULT, Input.GROUP_MASTER): Row(Effect.TAKE_OVER, State.MASTER),
    (State.FAULT, Input.GROUP_BACKUP): Row(Effect.RECOVER, State.BACKUP),
    (State.FAULT, Input.GROUP_FAULT): Row(Effect.NOTHING, State.FAULT),
    (State.FAULT, Input.GROUP_WITHDRAW): Row(Effect.NOTHING, State.FAULT),
    **{(state, Input.SHUTDOWN): Row(Effect.RESIGN, State.STOP) for state in _ALIVE},
    **{(state, Input.DELETED): Row(Effect.RESIGN, State.DELETED) for state in _ALIVE},
}


def transition(state: State, happened: Input) -> Row:
    """Return what a router in `state` does; `BugError` if that must not happen to it."""
    row = TABLE.get((state, happened))
    if row is None:
        raise BugError(f"a router in state {state.name} {happened.value}")
    return row
