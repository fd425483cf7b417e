"""One virtual server: which real servers are alive, whether they make a quorum, and the IPVS table that follows.

    server       in the table with          while the sorry server serves
    -----------  -------------------------  -----------------------------
    alive        its effective weight       not at all (inhibit: 0)
    failed       not at all (inhibit: 0)    not at all (inhibit: 0)
    drained      not at all                 not at all
    leaving      0                          0

The quorum is gained when it is not up and live weight >= quorum + hysteresis, and lost when it is up and the live weight is 0 or
< quorum - hysteresis; live weight is the sum of the effective weights of the alive servers, none below 0.  (keepalived also
"gains" a quorum of 0 with a live weight of 0, only to lose it at the next change; here that quorum is down from the start.)

The table is always derived whole from this state, so that no sequence of events can leave a server behind in it.  No checks, no
time, no netlink here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from keepalived_py.config.lvs import GroupTarget, RealServer, ServerKey, SorryServer, VirtualServer
from keepalived_py.healthcheck.actions import Action, Log, Publish
from keepalived_py.healthcheck.announcements import Announcements
from keepalived_py.healthcheck.gradual import WHOLE, part
from keepalived_py.healthcheck.names import key_name
from keepalived_py.units import micro

WEIGHT_LIMIT: Final = 2**31 - 1
SORRY_WEIGHT: Final = 1
STOP_SCRIPT_LIMIT: Final = micro(1)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a server enters the pool: with `failed` checks, and an additional weight by the word of its checks.

    `held`: found in the kernel with weight 0 after a restart; it stays there until a check has spoken.
    """

    failed: int = 0
    bonus: int = 0
    held: bool = False


class _Member:
    """A real server in its pool.  `share`: how much of its weight goes into the table; `drained`: none, it is out for good."""

    __slots__ = ("alive", "bonus", "config", "drained", "failed", "held", "share")

    def __init__(self, config: RealServer, standing: Standing) -> None:
        self.config = config
        self.failed = standing.failed
        self.bonus = standing.bonus
        self.held = standing.held
        self.alive = standing.failed == 0
        self.share = WHOLE
        self.drained = False

    @property
    def weight(self) -> int:
        """Effective weight: 0..WEIGHT_LIMIT."""
        return min(max(self.config.weight + self.bonus, 0), WEIGHT_LIMIT)


class Pool:
    """State of one virtual server.  `config` is replaced by `absorb`, all else lives as long as the service."""

    __slots__ = ("_leaving", "_members", "_published", "_said", "_sorry_on", "_stale", "config", "live_weight", "name", "quorum_up")

    def __init__(self, config: VirtualServer, name: str) -> None:
        self.config = config
        self.name = name
        self.quorum_up = False
        self.live_weight = 0
        self._members: dict[ServerKey, _Member] = {}
        self._leaving: dict[ServerKey, RealServer] = {}
        self._sorry_on = False
        self._said = Announcements()
        self._stale = True
        self._published: Publish | None = None

    # ---- life ----

    def open(self, standings: Mapping[ServerKey, Standing], *, init_notifies: bool, keeps_quorum: bool = False) -> None:
        """Start with the configured servers, alive unless `standings` says otherwise.

        `keeps_quorum`: a process that died had it, so that it takes less than quorum - hysteresis to lose it.
        """
        for server in self.config.real_servers:
            self._enter(server, standings, init_notifies)
        self._judge(starting=True, keeps=keeps_quorum)

    def absorb(self, config: VirtualServer, name: str, standings: Mapping[ServerKey, Standing], *, init_notifies: bool) -> None:
        """Take a changed configuration over: servers that stay keep their state, except for what `standings` says."""
        self._stale = True
        old_sorry = self.config.sorry_server
        wanted = {server.key for server in config.real_servers}
        for key in [key for key in self._members if key not in wanted]:
            self._said.log(f"service {self._rs(key)} no longer exist")
            gone = self._withdraw(key)
            if gone.config.drain_timeout and self._in_table(gone):
                self._leaving[key] = gone.config
        self.config = config
        self.name = name
        before, self._members = self._members, {}
        for server in config.real_servers:
            member = before.pop(server.key, None)
            if member is None:
                self._enter(server, standings, init_notifies)
            else:
                self._stay(server, member, standings.get(server.key, Standing()))
        self._change_sorry(old_sorry)
        self._judge(starting=True)

    def rebind(self, config: VirtualServer) -> None:
        """Use an equal `config` in place of the present one, so that the latter can be freed."""
        self.config = config
        for server in reversed(config.real_servers):
            self._members[server.key].config = server

    def close(self) -> None:
        """Leave because the virtual server is no longer configured."""
        target = self.config.target
        self._said.log(f"Removing Virtual Server {f'Group [{target.name}]' if isinstance(target, GroupTarget) else self.name}")
        for key in list(self._members):
            self._withdraw(key)
        if self.quorum_up:
            self.quorum_up = False
            mail = self._mail_text("Lost quorum", self.config.quorum - self.config.hysteresis)
            self._said.quorum(self.config, self.name, up=False, mail=mail)

    def stop(self) -> None:
        """Leave because the process stops: the log says so, and with `omega` everybody else is told."""
        config, limit, mail = self.config, STOP_SCRIPT_LIMIT, "=> Shutting down <="
        for key, member in self._members.items():
            inhibited = "(inhibited) " if member.config.inhibit_on_failure and not member.alive else ""
            self._said.log(f"Shutting down {inhibited}service {self._rs(key)} from VS {self.name}")
            if config.omega and member.alive and self._in_table(member):
                self._said.server(config, self.name, member.config, up=False, limit=limit)
                self.mail(key, up=False, body=mail)
        self.quorum_up = False
        if config.omega:
            self._said.quorum(config, self.name, up=False, mail=mail, limit=limit)

    def drain(self) -> list[Action]:
        """Return what has been collected; the table stands before the first thing that is told to the outside."""
        return self._said.take(self._publication())

    def farewell(self) -> list[Action]:
        """Return what has been collected, without a table: the service is on its way out."""
        return self._said.take([])

    # ---- verdicts ----

    def check_failed(self, key: ServerKey) -> bool:
        """Count one more failed check of a server; return whether the server has gone down by it."""
        member = self._release(key)
        member.failed += 1
        return self._set_alive(member, alive=False)

    def check_recovered(self, key: ServerKey) -> bool:
        """Count one failed check of a server less; return whether the server has come up by it."""
        member = self._release(key)
        member.failed -= 1
        return member.failed == 0 and self._set_alive(member, alive=True)

    def confirm(self, key: ServerKey, *, tell: bool) -> None:
        """Learn that the first verdict of a check confirms what was assumed; `tell` repeats the state to the outside."""
        member = self._release(key)
        if tell:
            self._said.server(self.config, self.name, member.config, up=member.alive)

    def reweigh(self, key: ServerKey, bonus: int) -> None:
        """Add `bonus` to the configured weight of a server, in place of what was added before."""
        member = self._members[key]
        old = member.weight
        member.bonus = bonus
        if self._note_weight(member, old):
            self._judge()

    def ease(self, key: ServerKey, share: int) -> None:
        """Put a share of a server's weight into the table, in thousandths; all else goes by its full weight."""
        member = self._members[key]
        if member.share != share:
            self._stale = True
        member.share = share

    def set_drained(self, key: ServerKey, *, drained: bool) -> None:
        """Take a server out of the table although it is alive, or put it back."""
        member = self._members[key]
        if member.drained == drained:
            return
        self._stale = True
        member.drained = drained
        if drained:
            self._said.log(f"Drained service {self._rs(key)} of VS {self.name}")

    def forget(self, key: ServerKey) -> None:
        """Let go of a server that is no longer configured and has been drained."""
        if self._leaving.pop(key, None) is not None:
            self._stale = True
            self._said.log(f"Drained service {self._rs(key)} of VS {self.name}")

    def note(self, line: Log) -> None:
        """Put a log line among what is collected."""
        self._said.note(line)

    def mail(self, key: ServerKey, *, up: bool, body: str) -> None:
        """Put a mail about a server among what is collected, if it has `smtp_alert`."""
        self._said.server_mail(self.config, self.name, self._members[key].config, up=up, body=body)

    # ---- what others may look at ----

    def knows(self, key: ServerKey) -> bool:
        """Return whether a server is in this pool."""
        return key in self._members

    def server(self, key: ServerKey) -> RealServer:
        """Return how a server of this pool is configured."""
        return self._members[key].config

    def is_alive(self, key: ServerKey) -> bool:
        """Return whether a server of this pool is alive."""
        return self._members[key].alive

    def configured_weight(self, key: ServerKey) -> int:
        """Return the weight that the configuration gives a server."""
        return self._members[key].config.weight

    def effective_weight(self, key: ServerKey) -> int:
        """Return what a server counts for while it is alive."""
        return self._members[key].weight

    def failed_checks(self, key: ServerKey) -> int:
        """Return how many checks of a server have failed."""
        return self._members[key].failed

    @property
    def leaving(self) -> Mapping[ServerKey, RealServer]:
        """Servers that are no longer configured and are being drained, as they were configured."""
        return self._leaving

    @property
    def sorry_active(self) -> bool:
        """Whether the sorry server serves in place of the real ones."""
        return self._sorry_on

    def wanted(self) -> Publish:
        """Return the IPVS table that this state asks for."""
        sorry = self.config.sorry_server
        table = {key: self._table_weight(member) for key, member in self._members.items() if self._in_table(member)}
        weight: int | None = None
        if sorry is not None and self._sorry_on:
            table.pop(sorry.key, None)
            weight = SORRY_WEIGHT
        elif sorry is not None and sorry.inhibit and sorry.key not in self._members:
            weight = 0
        return Publish(self.config.target, table, weight, tuple(self._leaving.values()))

    # ---- servers ----

    def _enter(self, server: RealServer, standings: Mapping[ServerKey, Standing], init_notifies: bool) -> None:
        if server.key in self._members:
            self._said.log(f"real server {self._rs(server.key)} appears twice in VS {self.name}: the first one counts")
            return
        member = _Member(server, standings.get(server.key, Standing()))
        self._members[server.key] = member
        self._leaving.pop(server.key, None)
        if member.alive:
            self.live_weight += member.weight
            if init_notifies:
                self._said.server(self.config, self.name, server, up=True)

    def _stay(self, server: RealServer, member: _Member, standing: Standing) -> None:
        old = member.weight
        self._members[server.key] = member
        member.config = server
        member.bonus = standing.bonus
        member.failed = standing.failed
        self._note_weight(member, old)
        self._set_alive(member, alive=standing.failed == 0, judge=False)

    def _withdraw(self, key: ServerKey) -> _Member:
        """Take a server out that is no longer configured, and return it."""
        member = self._members.pop(key)
        if member.alive:
            self.live_weight -= member.weight
        if not self._in_table(member):
            return member
        inhibited = "(inhibited) " if not member.alive else ""
        self._said.log(f"Removing {inhibited}service {self._rs(key)} from VS {self.name}")
        if member.alive:
            self._said.server(self.config, self.name, member.config, up=False)
            self._said.server_mail(self.config, self.name, member.config, up=False, body="=> Removing <=")
        return member

    def _release(self, key: ServerKey) -> _Member:
        member = self._members[key]
        if member.held:
            member.held = False
            self._stale = True
        return member

    def _set_alive(self, member: _Member, *, alive: bool, judge: bool = True) -> bool:
        if member.alive == alive:
            return False
        inhibit = member.config.inhibit_on_failure
        verb = ("Enabling" if alive else "Disabling") if inhibit else ("Adding" if alive else "Removing")
        word = "of" if inhibit else "to" if alive else "from"
        self._said.log(f"{verb} service {self._rs(member.config.key)} {word} VS {self.name}")
        self._stale = True
        member.alive = alive
        self.live_weight += member.weight if alive else -member.weight
        self._said.server(self.config, self.name, member.config, up=alive)
        if judge:
            self._judge()
        return True

    def _note_weight(self, member: _Member, old: int) -> bool:
        new = member.weight
        if new == old:
            return False
        self._stale = True
        if member.alive:
            self.live_weight += new - old
        active = "active" if member.alive else "inactive"
        name = self._rs(member.config.key)
        self._said.log(f"Changing weight from {old} to {new} for {active} service {name} of VS {self.name}")
        return True

    # ---- quorum ----

    def _judge(self, *, starting: bool = False, keeps: bool = False) -> None:
        config = self.config
        threshold = config.quorum + (-config.hysteresis if self.quorum_up or keeps else config.hysteresis)
        enough = self.live_weight >= max(1, threshold)
        if enough and not self.quorum_up:
            self._gain(threshold, starting)
        elif not enough and (self.quorum_up or (starting and config.sorry_server is not None and not self._sorry_on)):
            self._lose(threshold, starting)

    def _gain(self, threshold: int, starting: bool) -> None:
        self.quorum_up = True
        config, said = self.config, self._said
        sign = "-" if threshold < config.quorum else "+"
        formula = f"{config.quorum}{sign}{config.hysteresis}={threshold} <= {self.live_weight}"
        said.log(f"Gained quorum {formula} for VS {self.name}")
        sorry = config.sorry_server
        if sorry is not None and self._sorry_on:
            said.log(f"{'Disabling' if sorry.inhibit else 'Removing'} sorry server {self._rs(sorry.key)} from VS {self.name}")
            self._set_sorry(on=False)
        mail = self._mail_text("Starting with quorum up" if starting else "Gained quorum", threshold)
        said.quorum(config, self.name, up=True, mail=mail)

    def _lose(self, threshold: int, starting: bool) -> None:
        self.quorum_up = False
        config, said = self.config, self._said
        what = "Starting with quorum down" if starting else "Lost quorum"
        said.log(f"{what} {config.quorum}-{config.hysteresis}={threshold} > {self.live_weight} for VS {self.name}")
        sorry = config.sorry_server
        if sorry is not None and not self._sorry_on:
            said.log(f"{'Enabling' if sorry.inhibit else 'Adding'} sorry server {self._rs(sorry.key)} to VS {self.name}")
            self._set_sorry(on=True)
        said.quorum(config, self.name, up=False, mail=self._mail_text(what, threshold))

    def _mail_text(self, what: str, threshold: int) -> str:
        return f"=> {what} {self.config.quorum}+{self.config.hysteresis}={threshold} <= {self.live_weight} <="

    def _set_sorry(self, *, on: bool) -> None:
        self._said.log(f"{'Removing alive servers from' if on else 'Adding alive servers to'} the pool for VS {self.name}")
        self._sorry_on = on
        self._stale = True

    def _change_sorry(self, old: SorryServer | None) -> None:
        new = self.config.sorry_server
        if old is None or not self._sorry_on or (new is not None and new.key == old.key):
            return
        self._said.log(f"Removing sorry server {self._rs(old.key)} from VS {self.name}")
        if new is None:
            self._set_sorry(on=False)
        self._sorry_on = False

    # ---- table ----

    def _publication(self) -> list[Action]:
        if not self._stale:
            return []
        self._stale = False
        wanted = self.wanted()
        if wanted == self._published:
            return []
        self._published = wanted
        return [wanted]

    def _in_table(self, member: _Member) -> bool:
        if member.drained:
            return False
        return member.config.inhibit_on_failure or member.held or (member.alive and not self._sorry_on)

    def _table_weight(self, member: _Member) -> int:
        return part(member.weight, member.share) if member.alive and not self._sorry_on else 0

    def _rs(self, key: ServerKey) -> str:
        return key_name(self.config.target, key)
