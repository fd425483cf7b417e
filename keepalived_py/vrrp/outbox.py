"""Where everybody in the engine puts what they want done, in order, until the end of the event."""

from keepalived_py.vrrp.actions import Action, Level, Log


class Outbox:
    """Collects actions.  `log_detail`: lines of keepalived's ``-D`` are wanted."""

    __slots__ = ("_actions", "log_detail")

    def __init__(self) -> None:
        self._actions: list[Action] = []
        self.log_detail = False

    def add(self, action: Action) -> None:
        """Want something done."""
        self._actions.append(action)

    def log(self, text: str, level: Level = Level.INFO) -> None:
        """Write a line into the log."""
        self._actions.append(Log(level, text))

    def detail(self, text: str) -> None:
        """Write a line into the log of somebody who wants details."""
        if self.log_detail:
            self._actions.append(Log(Level.INFO, text))

    def take(self) -> list[Action]:
        """Return everything, and start anew."""
        actions, self._actions = self._actions, []
        return actions
