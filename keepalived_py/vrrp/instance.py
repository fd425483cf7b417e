"""One virtual router: what it does about the inputs of its state machine.

`fsm` says which effect follows; the methods here have those names.  A transition is always made in one order: the log line,
adverts, what has to come or go on the host, the new state, the notices, the timer.

Sync groups are above (`sync`); packets, elections, addresses below (`wire`, `election`, `holdings`).  No clock, no socket.
"""

from dataclasses import dataclass, field

from keepalived_py.addresses import Address
from keepalived_py.config.vrrp import OWNER_PRIORITY, InitialState, VrrpInstance
from keepalived_py.deadlines import Deadlines
from keepalived_py.units import Micro, seconds_text
from keepalived_py.vrrp.actions import LvsSyncState, SendAdvert, SyncRole, Trap
from keepalived_py.vrrp.announce import Announcer
from keepalived_py.vrrp.channel import Channel
from keepalived_py.vrrp.election import Rival, as_backup, as_master, beats, both_own
from keepalived_py.vrrp.events import CommandLine
from keepalived_py.vrrp.explain import Cause, Heard, History, Transition, silence
from keepalived_py.vrrp.fsm import Effect, Input, Row, State, transition
from keepalived_py.vrrp.holdings import Holdings
from keepalived_py.vrrp.notices import Notices
from keepalived_py.vrrp.outbox import Outbox
from keepalived_py.vrrp.packet import VERSION_3, Frame
from keepalived_py.vrrp.placing import Placement
from keepalived_py.vrrp.priority import HIGHEST, Standing
from keepalived_py.vrrp.reasons import COUNTERS, TRAPS
from keepalived_py.vrrp.receiving import Advert, Note, Rejected, Standpoint
from keepalived_py.vrrp.statistics import Statistics
from keepalived_py.vrrp.timers import IMMEDIATELY, Timer, TimerKey, master_down_interval, shortest_skew, skew_time
from keepalived_py.vrrp.waiting import Span, Wait
from keepalived_py.vrrp.wire import Wire

_SILENCE = "masterNoResponse"
_PREEMPTED = "preempted"
_PRIORITY = "priority"


@dataclass(slots=True)
class Shared:
    """What all instances of an engine have in common.

    `hold_until`: no instance becomes master before (``vrrp_startup_delay``).  `old_group`: the group that checksums of keepalived
    before 1.3.6 are made over.  `sync_instance`: the name of the one that the IPVS sync daemon follows.  `least_pause`: no instance
    cares about a shorter pause of this process; None: to be worked out anew.
    """

    outbox: Outbox
    deadlines: Deadlines[TimerKey]
    announcer: Announcer
    command_line: CommandLine = field(default_factory=CommandLine)
    wall_offset: Micro = Micro(0)
    hold_until: Micro = Micro(0)
    old_group: Address = field(default=Address(b"\xe0\x00\x00\x12"))
    no_email_faults: bool = False
    sync_instance: str | None = None
    least_pause: Micro | None = None


class Instance:
    """A virtual router.

    `wants_master`: it is master, or would be if its group let it.  `in_group`: it has one.  `source`, `channel`: where adverts are
    sent from; None while that cannot be.  `master_interval`: how often the master sends, as far as is known.  `was_faulty`: how it
    stood when that last took effect.
    """

    def __init__(self, id: int, config: VrrpInstance, placement: Placement, shared: Shared) -> None:
        self.id = id
        self.config = config
        self.placement = placement
        self.state = State.INIT
        self.standing = Standing(config.priority)
        self.effective = self.standing.effective
        self.statistics = Statistics()
        self.history = History()
        self.wire = Wire(config, shared.old_group)
        self.source: Address | None = None
        self.channel: Channel | None = None
        self.heard: Heard | None = None
        self.master_interval = config.advert_int
        self.preempt_at: Micro | None = None
        self.wants_master = False
        self.in_group = False
        self.was_faulty = False
        self.last_transition = Micro(0)
        self.last_advert_sent: Micro | None = None
        self._shared = shared
        self._out = shared.outbox
        self._holdings = Holdings(shared.outbox)
        self._notices = Notices(shared.outbox, no_email_faults=shared.no_email_faults)
        self._rival = Rival()
        self._wait = Wait(shared.deadlines, id)
        self._gave_up: Heard | None = None
        self._master_reason = _SILENCE
        self._fault_announced = False
        self._outdated: tuple[VrrpInstance, Placement] | None = None

    # ---- what others may know ----

    @property
    def has_addresses(self) -> bool:
        """Whether the virtual addresses are on this host."""
        return self._holdings.present

    @property
    def due(self) -> Micro | None:
        """When the advert timer or the master down timer fires."""
        return self._wait.due

    def skew(self) -> Micro:
        """Return the skew time."""
        return skew_time(self.config.version, self._timer_priority, self.master_interval)

    def down_interval(self) -> Micro:
        """Return the silence after which it takes over."""
        config = self.config
        return master_down_interval(config.version, self._timer_priority, self.master_interval, config.down_timer_adverts)

    def first_wait(self) -> Micro:
        """Return the first silence of one that wants to start as master: just enough to hear another one."""
        return Micro(self.master_interval + shortest_skew(self.config.version, self.master_interval))

    def others_down_interval(self) -> Micro:
        """Return the silence of ours after which another router may have taken over."""
        config = self.config
        priority = config.timer_expired_backup or self._timer_priority
        return master_down_interval(config.version, priority, config.advert_int, config.down_timer_adverts)

    def least_pause(self) -> Micro:
        """Return the shortest pause of this process that can matter, whatever state and priority are."""
        interval, config = min(self.master_interval, self.config.advert_int), self.config
        return Micro((config.down_timer_adverts - 1) * interval + shortest_skew(config.version, interval))

    @property
    def _timer_priority(self) -> int:
        return OWNER_PRIORITY if self.config.is_owner else self.effective

    # ---- inputs ----

    def feed(self, happened: Input, now: Micro, *causes: Cause, advert: Advert | None = None) -> None:
        """Let something happen to the router; `advert` goes with the inputs that are called after one."""
        row = transition(self.state, happened)
        match row.effect:
            case Effect.BE_BACKUP | Effect.BE_OWNER | Effect.BE_FAULTY | Effect.BE_PENDING:
                self._start(row, now, causes)
            case Effect.TAKE_OVER:
                self._take_over(row, now, causes or (self._silence(happened, now),))
            case Effect.ADVERTISE:
                self._advertise(now)
            case Effect.ASSERT:
                self._send(self.effective, now)
                self._arm(self._own_interval, now)
            case Effect.REPEL | Effect.ACCEPT | Effect.DISCARD | Effect.SHORTEN | Effect.WARN:
                self._meet(row.effect, advert, now)
            case Effect.HOLD | Effect.WAIT:
                self.wants_master = row.effect is Effect.HOLD
                self.statistics.own_lags += row.effect is Effect.WAIT
                self._arm(self.down_interval, now)
            case Effect.GIVE_WAY | Effect.LAPSE:
                self.statistics.own_lags += row.effect is Effect.LAPSE
                if advert is not None:
                    self._concede(advert, now)
                self._leave(row, now, causes, self.down_interval)
            case Effect.WITHDRAW:
                self._leave(row, now, causes, self.skew, zeros=1)
            case Effect.FAIL:
                # Two for a fault of our own, as keepalived sends them: nobody will repeat one that is lost.
                self._fail(row, now, causes, zeros=2 if happened is Input.FAULT else 1)
            case Effect.RECOVER:
                self._recover(row, now, causes)
            case Effect.RESIGN:
                self._resign(row, now, causes)
            case Effect.NOTHING:
                if row.after is State.FAULT and not self._fault_announced and happened in (Input.FAULT, Input.GROUP_FAULT):
                    self._be_faulty(row, now, causes)

    def hear(self, frame: Frame, now: Micro) -> tuple[Input, Advert] | None:
        """Judge a packet for this router, in BACKUP or MASTER; return what it means, None when it means nothing."""
        changed = self.state is State.BACKUP and (self.heard is None or self.heard.source != frame.source)
        compare = self.state is State.MASTER or changed or not self.config.skip_check_adv_addr
        owner = self.config.is_owner and self.effective == OWNER_PRIORITY
        verdict = self.wire.check(frame, Standpoint(self._wall(now), compare, owner))
        self._complain(verdict.notes, frame.source)
        if isinstance(verdict, Rejected):
            self.statistics.advert_rcvd += verdict.received
            return None
        advert = verdict.advert
        self.statistics.advert_rcvd += 1
        self.statistics.pri_zero_rcvd += advert.priority == 0
        if verdict.old_checksum:
            self._out.log(f"({self.config.name}) Setting unicast VRRPv3 checksum to old version")
        if self.state is State.MASTER:
            return self._as_master(advert, now), advert
        if changed:
            self._master_changed(advert)
        if self.standing.lowered and (changed or advert.priority != OWNER_PRIORITY):
            self._restore_owner("since received advert with lower priority")
        return as_backup(self.config, self.effective, self.preempt_at, advert, now), advert

    def reconsider(self, now: Micro) -> None:
        """Take the effective priority from what is known now; a backup's timer moves along with its skew time."""
        new = self.standing.effective
        if new == self.effective:
            return
        self._out.log(f"({self.config.name}) Changing effective priority from {self.effective} to {new}")
        self.effective = new
        if self.state is State.BACKUP:
            self._wait.adjust(now)
        if self.config.notify_priority_changes:
            self._notices.priority(self.config, self.state, new)

    def rival_gone(self) -> None:
        """The other address owner has not been heard again."""
        self._out.log(f"({self.config.name}): rogue address owner appears to have stopped advertising")

    # ---- adverts of others ----

    def _as_master(self, advert: Advert, now: Micro) -> Input:
        if self.config.higher_prio_send_advert and beats(self.effective, self.source, advert):
            self._send(self.effective, now)
        if both_own(self.effective, self.source, advert):
            self._face_rival(advert)
        return as_master(self.effective, self.source, advert)

    def _face_rival(self, advert: Advert) -> None:
        name, rival = self.config.name, advert.source
        conflict = f"({name}) CONFIGURATION ERROR: local instance and {rival} are both configured as address owner, please resolve"
        if beats(self.effective, self.source, advert):
            self._out.log(conflict)
        elif self._shared.deadlines.due((Timer.RIVAL, self.id)) is not None:
            self._out.log(f"({name}) {rival} is still advertising as address owner, please resolve - reducing our priority")
            self._shared.deadlines.drop((Timer.RIVAL, self.id))
            self.standing.lowered = True
            self.effective = HIGHEST
        elif self._rival.seen(advert):
            self._out.log(conflict)

    def _restore_owner(self, why: str) -> None:
        self._out.log(f"({self.config.name}) Restoring our priority to {OWNER_PRIORITY} {why}")
        self.standing.lowered = False
        self.effective = OWNER_PRIORITY

    def _master_changed(self, advert: Advert) -> None:
        self.wire.forgive()
        if self.heard is None:
            self._out.detail(f"({self.config.name}) master set to {advert.source}")
        else:
            self._out.detail(f"({self.config.name}) master changed from {self.heard.source} to {advert.source}")

    def _complain(self, notes: tuple[Note, ...], source: Address) -> None:
        for note in notes:
            counter, trap = COUNTERS.get(note.reason), TRAPS.get(note.reason)
            if counter is not None:
                self.statistics.count(counter)
            if note.text:
                self._out.log(note.text)
                if trap is not None:
                    kind, detail = trap
                    self._out.add(Trap(kind, self.config.name, self.state.name, self.effective, detail, source))

    def _meet(self, effect: Effect, advert: Advert | None, now: Micro) -> None:
        """Do what follows from an advert without a change of state."""
        assert advert is not None, "the engine hands over the advert that it asks about"
        name = self.config.name
        match effect:
            case Effect.ACCEPT:
                self._accept(advert, now)
            case Effect.REPEL:
                self._repel(advert, now)
            case Effect.DISCARD:
                self._out.log(f"({name}) received lower priority ({advert.priority}) advert from {advert.source} - discarding")
                self._master_reason = _PREEMPTED
                self.heard = Heard(advert.source, advert.priority, now)
            case Effect.SHORTEN:
                self._out.detail(f"({name}) Backup received priority 0 advertisement")
                self._gave_up = Heard(advert.source, 0, now)
                self._master_reason = _PRIORITY
                self._arm(self.skew, now)
            case Effect.WARN:
                self._out.log(f"({name}) WARNING - equal priority advert received from remote host with our IP address.")

    def _accept(self, advert: Advert, now: Micro) -> None:
        self.learn(advert, now)
        self.wants_master = False
        self._master_reason = _SILENCE
        if self.config.preempt_delay:
            self._delay_preemption(advert, now)
        self._arm(self.down_interval, now)

    def learn(self, advert: Advert, now: Micro) -> None:
        """Take over what the master says of itself; an interval of 0, which no router can keep, is not learnt."""
        self.heard = Heard(advert.source, advert.priority, now)
        self._gave_up = None
        if self.config.version == VERSION_3 and advert.interval not in (0, self.master_interval):
            before, after = self.master_interval // 1000, advert.interval // 1000
            self._out.detail(f"({self.config.name}) advertisement interval updated from {before}ms to {after}ms by master")
            self._use_interval(advert.interval)

    def _use_interval(self, interval: Micro) -> None:
        self.master_interval = interval
        self._shared.least_pause = None

    def _delay_preemption(self, advert: Advert, now: Micro) -> None:
        """Start the delay at the first advert of lower priority, and forget it at one that is not."""
        config = self.config
        if advert.priority >= self.effective:
            if self.preempt_at is not None:
                self._out.detail(f"({config.name}) stop preempt delay")
            self.preempt_at = None
        elif self.preempt_at is None:
            self._out.detail(f"({config.name}) start preempt delay ({seconds_text(config.preempt_delay)})")
            self.preempt_at = Micro(now + config.preempt_delay)

    def _repel(self, advert: Advert, now: Micro) -> None:
        config = self.config
        action = "" if config.lower_prio_no_advert else ", forcing new election"
        whose = f"Received advert from {advert.source} with lower priority {advert.priority}, ours {self.effective}"
        self._out.log(f"({config.name}) {whose}{action}")
        self.wire.counter.cycled = False
        if not config.lower_prio_no_advert:
            self._send(self.effective, now)
            self._arm(self._own_interval, now)

    def _concede(self, advert: Advert, now: Micro) -> None:
        name, whose = self.config.name, f"Master received advert from {advert.source} with"
        if advert.priority > self.effective and not self.config.is_owner:
            self._out.log(f"({name}) {whose} higher priority {advert.priority}, ours {self.effective}")
        else:
            self._out.log(f"({name}) {whose} same priority {advert.priority} but higher IP address than ours")
        self.wire.counter.cycled = False
        self.learn(advert, now)

    def announce_lower_priority(self, now: Micro) -> None:
        """Send gratuitous ARPs because a router of lower priority was master for somebody."""
        self._shared.announcer.lower_priority(self, now)

    def notify_lower_priority(self) -> None:
        """Tell that a router of lower priority was master for somebody."""
        self._notices.lower_priority(self.config, self.effective)

    # ---- transitions ----

    def _start(self, row: Row, now: Micro, causes: tuple[Cause, ...]) -> None:
        match row.effect:
            case Effect.BE_BACKUP:
                self._out.log(f"({self.config.name}) Entering BACKUP STATE (init)")
                self._enter(row.after, now, causes)
                self._notify()
                eager = self.config.state is InitialState.MASTER and not self.in_group
                self._arm(self.first_wait if eager else self.down_interval, now)
            case Effect.BE_OWNER:
                self._enter(row.after, now, causes, quiet=True)
                self.wants_master = True
                self._master_reason = _PREEMPTED
                self._arm(_at_once, now)
            case Effect.BE_FAULTY:
                self._be_faulty(row, now, causes)
            case Effect.BE_PENDING:
                self._enter(row.after, now, causes)

    def _be_faulty(self, row: Row, now: Micro, causes: tuple[Cause, ...]) -> None:
        self._fault_announced = True
        self._out.log(f"({self.config.name}) entering FAULT state")
        self._enter(row.after, now, causes)
        self._notify()

    def _advertise(self, now: Micro) -> None:
        self._send(self.effective, now)
        # A timer that fires late does not push all later adverts back, unless one was missed altogether.
        due, interval = Micro(self._wait.since + self.config.advert_int), self.config.advert_int
        self._arm(self._own_interval, due if 0 <= now - due < interval else now)
        wait = self._rival.own_advert_sent(interval)
        if wait is not None:
            self._shared.deadlines.set((Timer.RIVAL, self.id), Micro(now + wait))

    def _take_over(self, row: Row, now: Micro, causes: tuple[Cause, ...]) -> None:
        config = self.config
        self.wire.forgive()
        self.wire.counter.restart()
        if self.standing.lowered:
            self._restore_owner("since other address owner has disappeared")
        # Before anything else, so that the old master drops the addresses before we claim them.
        self._send(self.effective, now)
        self._out.log(f"({config.name}) Entering MASTER STATE")
        self.statistics.become_master += 1
        self.wants_master = True
        self.preempt_at = None
        if self.master_interval != config.advert_int:
            before, after = self.master_interval // 1000, config.advert_int // 1000
            self._out.detail(f"({config.name}) changing advert interval from {before}ms to locally configured {after}ms")
            self._use_interval(config.advert_int)
        self._holdings.put_up(config, self.placement)
        self._enter(row.after, now, causes)
        self._shared.announcer.became_master(self, now)
        self._notices.instance(config, self.state, self.effective, self._master_reason)
        self._lvs_sync(SyncRole.MASTER)
        self._arm(self._own_interval, now)

    def _leave(self, row: Row, now: Micro, causes: tuple[Cause, ...], span: Span | None, *, zeros: int = 0) -> None:
        """Stop being master; `zeros`: how many adverts of priority 0 say so."""
        self._lvs_sync(SyncRole.BACKUP)
        self.wire.forgive()
        self._out.log(f"({self.config.name}) Entering {row.after.name} STATE")
        for _ in range(zeros):
            self._send(0, now)
        if zeros:
            self._out.detail(f"({self.config.name}) sent 0 priority")
        self._take_down()
        self._settle_as_backup()
        self._enter(row.after, now, causes)
        self._notify()
        self.statistics.release_master += 1
        if span is not None:
            self._arm(span, now)
        else:
            self._wait.stop()

    def _fail(self, row: Row, now: Micro, causes: tuple[Cause, ...], *, zeros: int) -> None:
        self._fault_announced = True
        if self.state is State.MASTER:
            self._leave(row, now, causes, None, zeros=zeros)
            return
        self._out.log(f"({self.config.name}) Entering FAULT STATE")
        self._settle_as_backup()
        self._enter(row.after, now, causes)
        self._notify()
        self._wait.stop()

    def _recover(self, row: Row, now: Micro, causes: tuple[Cause, ...]) -> None:
        self._out.log(f"({self.config.name}) Entering BACKUP STATE")
        self._settle_as_backup()
        self._enter(row.after, now, causes)
        self._notify()
        self._use_interval(self.config.advert_int)
        self._arm(self.down_interval, now)

    def _settle_as_backup(self) -> None:
        """Forget what led to the state that is left."""
        self.preempt_at = None
        self.wants_master = False
        self._gave_up = None
        self._master_reason = _SILENCE
        self._forget_rival()

    def _resign(self, row: Row, now: Micro, causes: tuple[Cause, ...]) -> None:
        """End; what scripts are told of it is left to `farewell`."""
        keep = row.after is State.STOP and self._shared.command_line.dont_release_vrrp
        if self.state is State.MASTER and not keep:
            self._send(0, now)
            self._out.detail(f"({self.config.name}) sent 0 priority")
            self._take_down()
            self.statistics.release_master += 1
        self._forget_rival()
        self._wait.stop()
        self._enter(row.after, now, causes, quiet=True)

    def farewell(self) -> None:
        """Tell that the instance stops, or was removed."""
        self._notify()

    def _take_down(self) -> None:
        self._shared.announcer.left_master(self)
        self._holdings.take_down(self.config, self.placement)

    def remove_leftovers(self) -> None:
        """Remove what an earlier run may have left behind."""
        self._holdings.remove_leftovers(self.config, self.placement)

    # ---- reload ----

    def alter(self, config: VrrpInstance, placement: Placement, now: Micro) -> None:
        """Go on with another configuration of the same virtual router; what it adds to the host is left to `complete`."""
        old, before = self.config, self.placement
        self.config, self.placement = config, placement
        self._notices.no_email_faults = self._shared.no_email_faults
        self.wire.reload(config, self._shared.old_group)
        if self.standing.base != config.priority:
            self.standing.base = config.priority
            self.standing.lowered = False
        if self.has_addresses:
            self._holdings.remove_differences(old, before, config, placement)
            self._outdated = (old, before)
        if config.advert_int != old.advert_int and self.state is not State.BACKUP:
            self._use_interval(config.advert_int)
        if self.state is State.MASTER and config.advert_int != old.advert_int:
            self._arm(self._own_interval, now)
        elif self.state is State.BACKUP:
            self._wait.adjust(now)

    def complete(self, now: Micro) -> None:
        """Add to the host what `alter` has brought."""
        if self._outdated is None:
            return
        (old, before), self._outdated = self._outdated, None
        come = self._holdings.add_differences(old, before, self.config, self.placement)
        if come or self.config.garp != old.garp:
            self._shared.announcer.left_master(self)
            self._shared.announcer.became_master(self, now)

    def repeat(self) -> None:
        """Write the state into the FIFO once more."""
        self._notices.repeat_instance(self.config, self.state, self.effective)

    # ---- small parts ----

    def _send(self, priority: int, now: Micro) -> None:
        """Send an advert with `priority`, if there is an address to send it from."""
        if self.source is None or self.channel is None:
            return
        config = self.config
        hop_limit = config.unicast_ttl if config.is_unicast else None
        for destination, packet in self.wire.packets(priority, self.source, self._wall(now)):
            self._out.add(SendAdvert(config.name, self.channel, self.source, destination, packet, priority, hop_limit))
        self.last_advert_sent = now
        self.statistics.advert_sent += 1
        self.statistics.pri_zero_sent += priority == 0

    def _enter(self, state: State, now: Micro, causes: tuple[Cause, ...], *, quiet: bool = False) -> None:
        """Change the state, and say why."""
        happened = Transition(now, self.state, state, self.effective, causes)
        self.state = state
        self.last_transition = now
        self.history.add(happened)
        if causes and not quiet:
            self._out.log(f"({self.config.name}) {happened}")

    def _silence(self, happened: Input, now: Micro) -> Cause:
        if happened is Input.TIMER:
            self._out.detail(f"({self.config.name}) Receive advertisement timeout")
        preempting = self._master_reason == _PREEMPTED
        return silence(now, self._wait.since, self.heard, self._gave_up, preempting=preempting)

    def _notify(self) -> None:
        self._notices.instance(self.config, self.state, self.effective)

    def _own_interval(self) -> Micro:
        return self.config.advert_int

    def _arm(self, span: Span, since: Micro) -> None:
        self._wait.start(span, since, self._shared.hold_until)

    def _forget_rival(self) -> None:
        self._rival = Rival()
        self._shared.deadlines.drop((Timer.RIVAL, self.id))

    def _lvs_sync(self, role: SyncRole) -> None:
        if self._shared.sync_instance == self.config.name:
            self._out.add(LvsSyncState(self.config.name, role))

    def _wall(self, now: Micro) -> Micro:
        return Micro(now + self._shared.wall_offset)


def _at_once() -> Micro:
    return IMMEDIATELY
