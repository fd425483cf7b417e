"""All virtual routers of one process:  handle(event, now) -> list[Action],  deadline() -> Micro | None,  snapshot().

    Started, Reloaded       `roster`: who takes part; `links`: sockets and interfaces; `watching`: what is tracked
    AdvertReceived          packet -> instance -> input of its state machine -> its sync group
    TimerFired              whatever is due
    facts about the host    standing of the instances that are concerned -> FAULT, recovery, priority
    a deadline overdue      `lag`: this process did not run -> whom that concerns waits anew
    Stopping                everybody resigns

No socket, no clock, no file, no process.
"""

from collections.abc import Iterable

from keepalived_py.addresses import Address, Family
from keepalived_py.config.globals import GlobalDefs
from keepalived_py.deadlines import Deadlines
from keepalived_py.errors import PeerError
from keepalived_py.tracking.trackers import ScriptExit
from keepalived_py.units import MICRO_PER_SECOND, Micro
from keepalived_py.vrrp.actions import Action, LvsSyncState, SyncRole
from keepalived_py.vrrp.announce import Announcer
from keepalived_py.vrrp.events import (
    AddressAdded,
    AddressRemoved,
    AdvertReceived,
    Batch,
    BfdState,
    Event,
    FileContent,
    InterfaceChanged,
    InterfaceGone,
    OwnLag,
    ProcessCount,
    Reloaded,
    RouteLost,
    RuleLost,
    ScriptDone,
    Single,
    Started,
    StatisticsCleared,
    Stopping,
    TimerFired,
    WallClock,
)
from keepalived_py.vrrp.explain import Cause, CauseKind, span_text
from keepalived_py.vrrp.facts import Facts
from keepalived_py.vrrp.fsm import Input, State
from keepalived_py.vrrp.instance import Instance, Shared
from keepalived_py.vrrp.lag import LagWatch
from keepalived_py.vrrp.links import Links
from keepalived_py.vrrp.outbox import Outbox
from keepalived_py.vrrp.packet import Frame, take_apart
from keepalived_py.vrrp.receiving import Advert
from keepalived_py.vrrp.reload import Restart, absorb
from keepalived_py.vrrp.roster import Plan, Roster
from keepalived_py.vrrp.showing import snapshot_of
from keepalived_py.vrrp.snapshot import Snapshot
from keepalived_py.vrrp.statics import Statics
from keepalived_py.vrrp.statistics import Statistics
from keepalived_py.vrrp.timers import Timer, TimerKey
from keepalived_py.vrrp.watching import News, Watching

_STARTED = Cause(CauseKind.OPERATOR, "the process starts")
_RELOADED = Cause(CauseKind.OPERATOR, "a reload brought it")
_CHANGED = Cause(CauseKind.OPERATOR, "a reload changed what it watches")
_STOPPED = Cause(CauseKind.OPERATOR, "the process stops")
_REMOVED = Cause(CauseKind.OPERATOR, "a reload removed it")


class VrrpEngine:
    """The virtual routers of a process."""

    def __init__(self) -> None:
        self._out = Outbox()
        self._deadlines: Deadlines[TimerKey] = Deadlines()
        self._facts = Facts()
        self._announcer = Announcer(self._out, self._deadlines, self._facts)
        self._shared = Shared(self._out, self._deadlines, self._announcer)
        self._links = Links(self._out, self._deadlines, self._facts)
        self._watching = Watching(self._out, self._deadlines, self._facts)
        self._statics = Statics(self._out)
        self._roster = Roster(self._shared, self._facts, self._links, self._watching)
        self._globals = GlobalDefs()
        self._lag = LagWatch()
        self._started = False
        self._stopped = False

    def handle(self, event: Event, now: Micro) -> list[Action]:
        """Take an event at the instant `now`; return what is to be done, in order."""
        if not self._stopped:
            self._look_for_lag(now)
        for single in event.events if isinstance(event, Batch) else (event,):
            if not self._stopped:
                self._take(single, now)
        self._links.close()
        return self._out.take()

    def deadline(self) -> Micro | None:
        """Return when `TimerFired` is wanted, or None."""
        return None if self._stopped else self._deadlines.deadline()

    def snapshot(self) -> Snapshot:
        """Return plain values of everything, in the order of the configuration."""
        return snapshot_of(self._roster, self._watching, self._facts, self._links, self._lag.count)

    def _take(self, event: Single, now: Micro) -> None:
        match event:
            case AdvertReceived():
                self._advert(event, now)
            case TimerFired():
                self._fire(now)
            case Started():
                self._start(event, now)
            case Reloaded():
                self._reload(event, now)
            case Stopping():
                self._stop(now)
            case StatisticsCleared():
                for instance in self._roster:
                    instance.statistics = Statistics()
            case OwnLag():
                self._lagged(event.paused, now)
            case WallClock():
                self._facts.wall_offset = self._shared.wall_offset = event.offset
            case InterfaceChanged() | InterfaceGone():
                self._interface(event, now)
            case AddressAdded() | AddressRemoved():
                self._address(event, now)
            case RouteLost() | RuleLost():
                self._entry_lost(event, now)
            case ScriptDone():
                ended = ScriptExit(event.status, event.signal, event.timed_out, event.output)
                self._spread(self._watching.script_done(event.name, ended), now)
            case ProcessCount():
                self._facts.processes[event.name] = event.count
                self._spread(self._watching.processes(event.name, event.count, now), now)
            case FileContent():
                self._facts.files[event.name] = event.value
                self._spread(self._watching.file(event.name, event.value), now)
            case BfdState():
                self._facts.bfd[event.name] = event.up
                self._spread(self._watching.bfd(event.name, up=event.up), now)

    # ---- adverts ----

    def _advert(self, event: AdvertReceived, now: Micro) -> None:
        channel = event.channel
        joint = self._links.channels.get(channel)
        if joint is None:
            return
        try:
            frame = take_apart(channel.family, event.source, event.packet, event.destination, event.hop_limit)
        except PeerError as error:
            self._out.detail(str(error))
            self._links.rejected(channel, now)
            return
        instance = _addressee(joint.by_router.get(frame.virtual_router_id, []), frame)
        if instance is None:
            self._unknown_router(frame, channel.interface)
        elif instance.state in (State.BACKUP, State.MASTER) and not _is_for_others(frame, instance):
            heard = instance.hear(frame, now)
            if heard is None:
                self._links.rejected(channel, now)
            else:
                self._meet(instance, *heard, now)

    def _unknown_router(self, frame: Frame, interface: str | None) -> None:
        if self._globals.vrrp.log_unknown_vrids:
            where = f"Unknown VRID({frame.virtual_router_id}) received on interface({interface})"
            self._out.log(f"{where} from {frame.source}. ignoring...")

    def _meet(self, instance: Instance, happened: Input, advert: Advert, now: Micro) -> None:
        before, group = instance.state, self._roster.group_of(instance)
        cause = Cause(CauseKind.ADVERT, f"{advert.source} advertises priority {advert.priority}, ours is {instance.effective}")
        instance.feed(happened, now, cause, advert=advert)
        if before is State.MASTER and happened is Input.ADVERT_LOWER:
            instance.announce_lower_priority(now)
            if group is not None:
                group.announce_lower_priority(instance, now)
            instance.notify_lower_priority()
        elif group is not None and happened is Input.ADVERT_HIGHER and group.state is State.MASTER:
            group.follow(instance, now, cause)

    # ---- timers ----

    def _fire(self, now: Micro) -> None:
        while (key := self._deadlines.pop_expired(now)) is not None:
            timer, who = key
            match timer:
                case Timer.ADVERT:
                    self._advert_timer(self._roster.get(who), now)
                case Timer.PACE:
                    self._announcer.paced(int(who), now)
                case Timer.FLOOD:
                    self._links.flood_over(int(who))
                case Timer.SCRIPT:
                    self._watching.script_due(str(who), now)
                case Timer.PROCESS:
                    self._spread(self._watching.process_settled(str(who)), now)
                case Timer.INTERFACE:
                    self._spread(self._watching.interface_settled(str(who)), now)
                case Timer.STARTUP:
                    self._out.log("Delayed start completed")
                case _:
                    self._instance_timer(timer, self._roster.get(who), now)

    def _instance_timer(self, timer: Timer, instance: Instance | None, now: Micro) -> None:
        if instance is None:
            return
        if timer is Timer.RIVAL:
            instance.rival_gone()
        else:
            self._announcer.fired(timer, instance, now)

    def _advert_timer(self, instance: Instance | None, now: Micro) -> None:
        if instance is None or instance.state not in (State.BACKUP, State.MASTER):
            return
        group = self._roster.group_of(instance)
        agreed = group is None or group.may_lead(instance)
        before = instance.state
        instance.feed(Input.TIMER if agreed else Input.TIMER_HELD, now)
        if group is not None and instance.state is not before:
            group.follow(instance, now, *instance.history.transitions[-1].causes)

    # ---- standing: faults and priorities ----

    def _spread(self, news: News | None, now: Micro) -> None:
        """Let news about a tracked object take effect."""
        if news is not None:
            cause = Cause(CauseKind.TRACKER, news.finding.text)
            for instance in news.instances:
                self._evaluate(instance, now, cause)

    def _evaluate(self, instance: Instance, now: Micro, *causes: Cause) -> None:
        """Compare how an instance stands with what it does."""
        if instance.state is State.INIT:
            return
        group, standing = self._roster.group_of(instance), instance.standing
        self._roster.note(instance)
        instance.reconsider(now)
        was_faulty, instance.was_faulty = instance.was_faulty, standing.is_faulty
        if standing.is_faulty:
            if not was_faulty:
                instance.feed(Input.FAULT, now, *causes)
                if group is not None:
                    group.follow(instance, now, *causes)
        elif instance.state is State.FAULT and not standing.is_pending and (group is None or group.may_take_part):
            self._recover(instance, now, causes)

    def _recover(self, instance: Instance, now: Micro, causes: Iterable[Cause]) -> None:
        group = self._roster.group_of(instance)
        alone = group is None or group.all_owners
        owner = instance.config.is_owner and alone and now >= self._shared.hold_until
        instance.feed(Input.RECOVERED_OWNER if owner else Input.RECOVERED, now, *causes)
        if instance.config.is_unicast and instance.source is not None and now >= self._shared.hold_until:
            self._announcer.own_address(instance, instance.source)
        # One that a reload has put into a group of masters joins them in its own time.
        if group is not None and group.state is not State.MASTER:
            group.follow(instance, now, *causes)

    # ---- the host ----

    def _interface(self, event: InterfaceChanged | InterfaceGone, now: Micro) -> None:
        name = event.name if isinstance(event, InterfaceGone) else event.interface.name
        before = self._facts.interfaces.get(name)
        if isinstance(event, InterfaceGone):
            self._facts.gone(name)
            self._links.vanished(name)
            at_once = True
        else:
            now_there = event.interface
            self._facts.interfaces[name] = now_there
            at_once = before is None or before.index != now_there.index
            if at_once:
                self._links.appeared(name)
            if now_there.up and (at_once or before is None or not before.up) and self._started:
                self._statics.interface_up(name)
        self._spread(self._watching.interface(name, now, at_once=at_once), now)
        if isinstance(event, InterfaceGone):
            self._sources_changed(name, now)

    def _address(self, event: AddressAdded | AddressRemoved, now: Micro) -> None:
        interface, address = event.interface, event.address
        owners = self._links.owners(interface, address)
        if isinstance(event, AddressAdded):
            self._facts.add(interface, address, event.prefix_length)
        else:
            self._facts.remove(interface, address)
            if self._started:
                self._statics.address_lost(interface, address)
            for instance, placed in owners:
                if placed.address.prefix_length == event.prefix_length and not placed.address.no_track:
                    self._taken_away(instance, f"address {address}", now)
        if self._links.concerns_sources(interface, address):
            self._sources_changed(interface, now)

    def _sources_changed(self, interface: str, now: Micro) -> None:
        """See whether adverts can still, or again, be sent."""
        for instance in self._links.sourced_by(interface):
            self._links.check_source(instance)
            cause = Cause(CauseKind.HOST, f"the addresses of {interface} have changed")
            if instance.config.family is Family.INET and instance.standing.is_faulty:
                # Priority 0 can still be sent from an IPv4 address that is gone.
                self._evaluate(instance, now, cause)
            self._links.connect(instance)
            self._links.open()
            self._evaluate(instance, now, cause)

    def _entry_lost(self, event: RouteLost | RuleLost, now: Micro) -> None:
        what = "route" if isinstance(event, RouteLost) else "rule"
        entry = event.route if isinstance(event, RouteLost) else event.rule
        if event.instance is None:
            if isinstance(event, RouteLost):
                self._statics.route_lost(event.route)
            else:
                self._statics.rule_lost(event.rule)
            return
        instance = self._roster.instances.get(event.instance)
        if instance is not None and not entry.no_track:
            self._taken_away(instance, f"a {what}", now)

    def _taken_away(self, instance: Instance, what: str, now: Micro) -> None:
        """Somebody else removed what a master has put up: give up, and take over again, which puts it back."""
        if instance.state is not State.MASTER:
            return
        cause = Cause(CauseKind.HOST, f"somebody removed {what}")
        instance.feed(Input.ADDRESS_LOST, now, cause)
        group = self._roster.group_of(instance)
        if group is not None:
            group.withdraw(instance, now, cause)

    # ---- own lag ----

    def _look_for_lag(self, now: Micro) -> None:
        due = self._deadlines.deadline()
        if due is not None and now > due:
            self._lagged(Micro(now - due), now)

    def _lagged(self, paused: Micro, now: Micro) -> None:
        """Let those whom a pause concerns fall back to waiting."""
        cause = Cause(CauseKind.LAG, f"this process did not run for {span_text(paused)}")
        for instance in self._lag.victims(self._roster, self._shared, paused, now):
            was_master = instance.state is State.MASTER
            if instance.state in (State.MASTER, State.BACKUP):
                instance.feed(Input.OWN_LAG, now, cause)
                group = self._roster.group_of(instance)
                if was_master and group is not None:
                    group.follow(instance, now, cause)

    # ---- start, reload, stop ----

    def _configure(self, event: Started | Reloaded) -> None:
        globals_ = self._globals = event.globals
        shared = self._shared
        shared.old_group = globals_.vrrp.mcast_group4
        shared.no_email_faults = globals_.no_email_faults
        shared.sync_instance = None if globals_.lvs_sync_daemon is None else globals_.lvs_sync_daemon.instance
        shared.least_pause = None
        self._announcer.configure(event.vrrp.garp_groups, globals_.vrrp.garp_interval, globals_.vrrp.gna_interval)

    def _start(self, event: Started, now: Micro) -> None:
        self._started = True
        self._shared.command_line = event.command_line
        self._out.log_detail = event.command_line.log_detail
        self._configure(event)
        self._hold(event, now)
        self._statics.start(event.vrrp)
        plan = self._roster.match(event.vrrp, event.globals, now)
        self._roster.admit(event.vrrp, event.tracking, event.globals, now, reloaded=False)
        self._links.open()
        for instance in plan.new:
            if not instance.config.is_owner:
                instance.remove_leftovers()
        for group in self._roster.groups.values():
            group.start()
        for instance in plan.new:
            self._begin(instance, now, _STARTED)
        self._start_sync_daemon()
        # Scripts run for the first time at once.
        self._fire(now)

    def _start_sync_daemon(self) -> None:
        followed = self._roster.instances.get(self._shared.sync_instance or "")
        if followed is not None:
            role = SyncRole.MASTER if followed.state is State.MASTER else SyncRole.BACKUP
            self._out.add(LvsSyncState(followed.config.name, role))

    def _hold(self, event: Started, now: Micro) -> None:
        """Let nobody become master before the delay at start is over."""
        defaults = event.globals.vrrp
        span = max(defaults.startup_delay, defaults.delay_after_boot - event.uptime)
        if span > 0:
            self._shared.hold_until = Micro(now + span)
            self._deadlines.set((Timer.STARTUP, 0), self._shared.hold_until)
            self._out.log(f"Delaying startup for {span / MICRO_PER_SECOND:g} seconds")

    def _begin(self, instance: Instance, now: Micro, cause: Cause) -> None:
        """Let a new instance take up its first state."""
        group, standing = self._roster.group_of(instance), instance.standing
        instance.effective = standing.effective
        instance.was_faulty = standing.is_faulty
        if standing.is_faulty or (group is not None and group.faulty):
            faults = standing.faults or (f"something is wrong with sync group {group.config.name if group else ''}",)
            for fault in faults:
                self._out.log(f"({instance.config.name}) entering FAULT state ({fault})")
            instance.feed(Input.STARTUP_FAULT, now, *(Cause(CauseKind.TRACKER, fault) for fault in faults))
        elif standing.is_pending or (group is not None and group.pending):
            instance.feed(Input.STARTUP_PENDING, now, cause)
        elif instance.config.is_owner and (group is None or group.all_owners):
            instance.feed(Input.STARTUP_OWNER, now, cause)
        else:
            instance.feed(Input.STARTUP, now, cause)

    def _reload(self, event: Reloaded, now: Micro) -> None:
        """Change what is different.  What ends is removed before anything is added, for it may have moved from one to another."""
        before = self._globals.lvs_sync_daemon
        followed = self._shared.sync_instance if before != event.globals.lvs_sync_daemon else None
        if followed in self._roster.instances:
            self._out.add(LvsSyncState(str(followed), SyncRole.STOPPED))
        self._configure(event)
        self._statics.change(event.vrrp)
        plan = self._roster.match(event.vrrp, event.globals, now)
        for instance in plan.ended.values():
            self._end(instance, now)
        self._roster.admit(event.vrrp, event.tracking, event.globals, now, reloaded=True)
        self._links.open()
        for instance in plan.kept:
            instance.complete(now)
        for instance in plan.new:
            if not instance.config.is_owner:
                instance.remove_leftovers()
            self._begin(instance, now, _why_new(instance, plan))
        for group in self._roster.groups.values():
            group.settle(now)
        for instance in plan.kept:
            self._evaluate(instance, now, _CHANGED)
        if before != event.globals.lvs_sync_daemon:
            self._start_sync_daemon()
        if event.globals.fifo_write_vrrp_states_on_reload:
            for group in self._roster.groups.values():
                group.repeat()
            for instance in self._roster:
                instance.repeat()
        self._fire(now)

    def _end(self, instance: Instance, now: Micro) -> None:
        was_faulty = instance.state is State.FAULT
        instance.feed(Input.DELETED, now, _REMOVED)
        if instance.config.notify.deleted is not None or not was_faulty:
            instance.farewell()

    def _stop(self, now: Micro) -> None:
        self._watching.stop()
        if self._shared.sync_instance in self._roster.instances:
            self._out.add(LvsSyncState(str(self._shared.sync_instance), SyncRole.STOPPED))
        for instance in self._roster:
            instance.feed(Input.SHUTDOWN, now, _STOPPED)
        self._statics.stop()
        self._links.stop()
        for instance in self._roster:
            instance.farewell()
        for group in self._roster.groups.values():
            group.stop()
        if not self._shared.command_line.dont_release_vrrp:
            self._links.remove_interfaces()
        self._stopped = True


def _why_new(instance: Instance, plan: Plan) -> Cause:
    """Say what a reload has to do with a new instance: it is new, or is no longer the virtual router that had its name."""
    old = plan.ended.get(instance.config.name)
    verdict = None if old is None else absorb(old.config, instance.config)
    if isinstance(verdict, Restart):
        return Cause(CauseKind.OPERATOR, f"a reload made it another virtual router: {verdict.reason}")
    return _RELOADED


def _addressee(candidates: list[Instance], frame: Frame) -> Instance | None:
    """Return whom a packet is for: of several unicast instances with one router id, the one that knows its sender."""
    if len(candidates) <= 1:
        return candidates[0] if candidates else None
    for instance in candidates:
        if instance.heard is not None and instance.heard.source == frame.source:
            return instance
    return next((instance for instance in candidates if _is_peer(instance, frame.source)), None)


def _is_peer(instance: Instance, source: Address) -> bool:
    return any(peer.address == source for peer in instance.config.unicast_peers)


def _is_for_others(frame: Frame, instance: Instance) -> bool:
    """Whether an IPv6 socket brought what it was not opened for: the kernel hands over all that arrives on the interface."""
    if frame.family is not Family.INET6 or frame.destination is None:
        return False
    return frame.destination.is_multicast is instance.config.is_unicast
