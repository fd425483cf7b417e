"""What a virtual server tells the outside: log lines, scripts, FIFO lines and mails, in keepalived's words and order.

Collected while a pool changes, taken out once per event.  Lines that come before the first thing told to the outside go to the
head; the daemon changes the IPVS table between head and tail.
"""

from keepalived_py.config.lvs import RealServer, VirtualServer
from keepalived_py.config.scripts import Script
from keepalived_py.healthcheck.actions import Action, Alert, FifoLine, Level, Log, RunScript
from keepalived_py.healthcheck.names import key_name
from keepalived_py.units import Micro


class Announcements:
    """Collector of one virtual server.  `limit` of the methods bounds a script while the process stops."""

    __slots__ = ("_head", "_tail")

    def __init__(self) -> None:
        self._head: list[Action] = []
        self._tail: list[Action] = []

    def take(self, middle: list[Action]) -> list[Action]:
        """Return everything, with `middle` between head and tail, and start anew."""
        actions = self._head + middle + self._tail
        self._head, self._tail = [], []
        return actions

    def note(self, line: Log) -> None:
        """Write a line into the log."""
        (self._tail if self._tail else self._head).append(line)

    def log(self, text: str) -> None:
        """Write an ordinary line into the log."""
        self.note(Log(Level.INFO, text))

    def server(self, config: VirtualServer, name: str, server: RealServer, *, up: bool, limit: Micro | None = None) -> None:
        """Tell that a real server of the virtual server called `name` is up or down."""
        state = "UP" if up else "DOWN"
        called = key_name(config.target, server.key)
        self._run(server.notify_up if up else server.notify_down, f"RS {called} of VS {name} {state}", limit)
        self._tail.append(FifoLine(f"RS {called} {name} {state}\n\0".encode()))

    def server_mail(self, config: VirtualServer, name: str, server: RealServer, *, up: bool, body: str) -> None:
        """Write a mail about a real server, if it has `smtp_alert`."""
        if server.smtp_alert:
            called = key_name(config.target, server.key)
            self._tail.append(Alert(f"Realserver {called} of virtual server {name} - {'UP' if up else 'DOWN'}", body))

    def quorum(self, config: VirtualServer, name: str, *, up: bool, mail: str, limit: Micro | None = None) -> None:
        """Tell that the quorum of the virtual server called `name` is up or down."""
        state = "UP" if up else "DOWN"
        self._run(config.quorum_up if up else config.quorum_down, f"VS {name} {state}", limit)
        self._tail.append(FifoLine(f"VS {name} {state}\n\0".encode()))
        if config.smtp_alert:
            self._tail.append(Alert(f"Virtualserver {name} - {state}", mail))

    def _run(self, script: Script | None, why: str, limit: Micro | None) -> None:
        if script is not None:
            self._tail.append(RunScript(script, (), why, limit))
