"""Sync groups: instances that are in one state together.

    MASTER    only when the timer of every member has fired (or the group is MASTER already)
    BACKUP    as soon as one member gives way
    FAULT     as soon as something is wrong with one member, until nothing is wrong with any

A group reports its state when all members have changed.  It feeds its members; it does not look at adverts or trackers.
"""

from keepalived_py.config.vrrp import SyncGroup
from keepalived_py.units import Micro
from keepalived_py.vrrp.explain import Cause, CauseKind
from keepalived_py.vrrp.fsm import Input, State
from keepalived_py.vrrp.instance import Instance, Shared
from keepalived_py.vrrp.notices import Notices

_FOLLOWING = {
    State.MASTER: Input.GROUP_MASTER,
    State.BACKUP: Input.GROUP_BACKUP,
    State.FAULT: Input.GROUP_FAULT,
}


class Group:
    """One sync group.

    `faulty`, `pending`: ids of members that something is wrong with, or whose scripts have not run yet.  `all_owners`: only then
    does the group start as master; `has_owner`: no weight counts for a group with one.
    """

    def __init__(self, config: SyncGroup, members: list[Instance], shared: Shared) -> None:
        self.config = config
        self.members = members
        self.state = State.INIT
        self.faulty: set[int] = set()
        self.pending: set[int] = set()
        self.has_owner = any(member.config.is_owner for member in members)
        self.all_owners = all(member.config.is_owner for member in members)
        self._out = shared.outbox
        self._notices = Notices(shared.outbox, no_email_faults=shared.no_email_faults)

    @property
    def may_take_part(self) -> bool:
        """Whether nothing is wrong with any member."""
        return not self.faulty and not self.pending

    def take_over(self, other: "Group") -> None:
        """Go on as the group of the same name did before a reload."""
        self.state = other.state
        self._notices = other._notices

    def start(self) -> None:
        """Report the state that the group begins with, before any member does."""
        if self.faulty:
            self.state = State.FAULT
        elif not self.pending:
            self.state = State.BACKUP
        if self.state is not State.INIT:
            self.report()

    def report(self) -> None:
        """Tell the outside the state of the group."""
        self._notices.group(self.config, self.state)

    def may_lead(self, leader: Instance) -> bool:
        """Whether `leader`, whose timer has fired, may become master."""
        return self.state is State.MASTER or all(member.wants_master for member in self.members if member is not leader)

    def follow(self, leader: Instance, now: Micro, *causes: Cause) -> None:
        """Bring all members into the state that `leader` has just entered."""
        state = leader.state
        if self.state is state:
            return
        self._say(state)
        because = (Cause(CauseKind.GROUP, f"{leader.config.name} of sync group {self.config.name} did"), *causes)
        for member in self.members:
            # One in FAULT is told again: it may have waited for its scripts and said nothing so far.
            if member is not leader and (member.state is not state or state is State.FAULT):
                member.feed(_FOLLOWING[state], now, *because)
        self.state = state
        self.report()

    def withdraw(self, leader: Instance, now: Micro, *causes: Cause) -> None:
        """All members give up with priority 0, to come back at once: something was taken away from `leader`."""
        because = (Cause(CauseKind.GROUP, f"{leader.config.name} of sync group {self.config.name} did"), *causes)
        for member in self.members:
            if member is not leader and member.state is State.MASTER:
                member.feed(Input.GROUP_WITHDRAW, now, *because)
        self.state = State.BACKUP
        self.report()

    def settle(self, now: Micro) -> None:
        """Make the members agree after a reload has changed who they are.

        With a member that is MASTER the group is; those that are not, become it when their timers fire, or end it for all.
        """
        before = self.state
        if self.faulty:
            cause = Cause(CauseKind.GROUP, f"something is wrong with sync group {self.config.name}")
            for member in self.members:
                if member.state in (State.BACKUP, State.MASTER):
                    member.feed(Input.GROUP_FAULT, now, cause)
            self.state = State.FAULT
        elif not self.pending:
            master = any(member.state is State.MASTER for member in self.members)
            self.state = State.MASTER if master else State.BACKUP
        if self.state is not before and self.state is not State.INIT:
            self.report()

    def repeat(self) -> None:
        """Write the state into the FIFO once more."""
        self._notices.repeat_group(self.config, self.state)

    def stop(self) -> None:
        """The process stops."""
        self.state = State.STOP
        self.report()

    def announce_lower_priority(self, leader: Instance, now: Micro) -> None:
        """Some neighbours followed a router of lower priority; the other members may have lost theirs, unseen."""
        for member in self.members:
            if member is not leader:
                member.announce_lower_priority(now)

    def _say(self, state: State) -> None:
        self._out.log(f"VRRP_Group({self.config.name}) Syncing instances to {state.name} state")
