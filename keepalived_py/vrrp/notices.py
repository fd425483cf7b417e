"""What the outside is told of states: scripts, FIFO lines, traps and mails, in keepalived's words and order.

For each change: the script of that state, the script for all of them with four words appended, the FIFO, the trap (and D-Bus), the
mail.  Who changes when is for `instance` and `sync` to say.
"""

from typing import Final

from keepalived_py.config.scripts import Script
from keepalived_py.config.vrrp import Notify, SyncGroup, VrrpInstance
from keepalived_py.units import Micro, micro
from keepalived_py.vrrp.actions import Alert, FifoLine, RunScript, Trap, TrapKind
from keepalived_py.vrrp.fsm import State
from keepalived_py.vrrp.outbox import Outbox

STOP_LIMIT: Final = micro(1)
"""How long a script may take while the process stops."""

_MAILS: Final = {
    State.MASTER: ("Entering MASTER state", "=> VRRP Instance is now owning VRRP VIPs <="),
    State.BACKUP: ("Entering BACKUP state", "=> VRRP Instance is no longer owning VRRP VIPs <="),
    State.FAULT: ("Entering FAULT state", "=> VRRP Instance is no longer owning VRRP VIPs <="),
    State.STOP: ("Stopping", "=> VRRP Instance stopping <="),
    State.DELETED: ("Deleted", "=> VRRP Deleted at reload <="),
}
_GROUP_MAILS: Final = {
    State.MASTER: ("Entering MASTER state", "=> All VRRP group instances are now in MASTER state <="),
    State.BACKUP: ("Entering BACKUP state", "=> All VRRP group instances are now in BACKUP state <="),
    State.FAULT: ("Entering FAULT state", "=> All VRRP group instances are now in FAULT state <="),
    State.STOP: ("Stopping", "=> All VRRP group instances are now stopping <="),
}


def _script_for(notify: Notify, state: State) -> Script | None:
    match state:
        case State.MASTER:
            return notify.master
        case State.BACKUP:
            return notify.backup
        case State.FAULT:
            return notify.fault
        case State.STOP:
            return notify.stop
        case State.DELETED:
            return notify.deleted.script if notify.deleted is not None else None
    return None


def fifo_line(kind: str, name: str, word: str, priority: int) -> FifoLine:
    """Return a line of the FIFO; `kind` is INSTANCE or GROUP."""
    return FifoLine(f'{kind} "{name}" {word} {priority}\n'.encode())


class Notices:
    """What one instance or group tells.  `no_email_faults`: FAULT is not worth a mail."""

    __slots__ = ("_mailed", "_outbox", "no_email_faults")

    def __init__(self, outbox: Outbox, *, no_email_faults: bool) -> None:
        self._outbox = outbox
        self._mailed: State | None = None
        self.no_email_faults = no_email_faults

    def instance(self, config: VrrpInstance, state: State, priority: int, master_reason: str = "") -> None:
        """Tell that an instance is in `state`; one that a reload removed says FAULT where DELETED was not asked for."""
        told = State.FAULT if state is State.DELETED and config.notify.deleted is None else state
        self._scripts(config.notify, "INSTANCE", config.name, told, priority)
        self._outbox.add(Trap(TrapKind.INSTANCE, config.name, told.name, priority))
        if told is State.MASTER:
            self._outbox.add(Trap(TrapKind.NEW_MASTER, config.name, told.name, priority, master_reason))
        if config.smtp_alert:
            self._mail(f"VRRP Instance {config.name}", told, _MAILS)

    def group(self, config: SyncGroup, state: State) -> None:
        """Tell that a group is in `state`."""
        self._scripts(config.notify, "GROUP", config.name, state, 0)
        self._outbox.add(Trap(TrapKind.GROUP, config.name, state.name))
        if config.smtp_alert:
            self._mail(f"VRRP Group {config.name}", state, _GROUP_MAILS)

    def lower_priority(self, config: VrrpInstance, priority: int) -> None:
        """Tell that a master has heard an advert of lower priority."""
        self._run(config.notify.master_rx_lower_pri, (), f"INSTANCE {config.name} MASTER_RX_LOWER_PRI", None)
        self._outbox.add(fifo_line("INSTANCE", config.name, "MASTER_RX_LOWER_PRI", priority))

    def priority(self, config: VrrpInstance, state: State, priority: int) -> None:
        """Tell that the effective priority has changed."""
        word = "MASTER_PRIORITY" if state is State.MASTER else "BACKUP_PRIORITY"
        self._outbox.add(fifo_line("INSTANCE", config.name, word, priority))

    def repeat_instance(self, config: VrrpInstance, state: State, priority: int) -> None:
        """Write the FIFO line of a state that has been told before."""
        self._outbox.add(fifo_line("INSTANCE", config.name, state.name, priority))

    def repeat_group(self, config: SyncGroup, state: State) -> None:
        """Write the FIFO line of a group's state that has been told before."""
        self._outbox.add(fifo_line("GROUP", config.name, state.name, 0))

    def _scripts(self, notify: Notify, kind: str, name: str, state: State, priority: int) -> None:
        why = f"{kind} {name} {state.name}"
        limit = STOP_LIMIT if state is State.STOP else None
        self._run(_script_for(notify, state), (), why, limit)
        self._run(notify.any, (kind, name, state.name, str(priority)), why, limit)
        self._outbox.add(fifo_line(kind, name, state.name, priority))

    def _run(self, script: Script | None, words: tuple[str, ...], why: str, limit: Micro | None) -> None:
        if script is not None:
            self._outbox.add(RunScript(script, words, why, limit))

    def _mail(self, who: str, state: State, mails: dict[State, tuple[str, str]]) -> None:
        """Write a mail, unless the last one said the same."""
        if state is self._mailed or state not in mails or (state is State.FAULT and self.no_email_faults):
            return
        self._mailed = state
        subject, body = mails[state]
        self._outbox.add(Alert(f"{who} - {subject}", body))
