"""What a type of checker has to offer: the one interface between the engine and the file of each checker.

Wording is part of it because keepalived's log lines differ from checker to checker in more than a name.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from keepalived_py.healthcheck.outcome import Outcome
from keepalived_py.healthcheck.probe import Probe

C = TypeVar("C", contravariant=True)


@dataclass(frozen=True, slots=True)
class Wording:
    """Texts of one type of checker; `{server}` stands for the real server as the log names it.

    `failure` is completed by the engine: `` after N retries.`` or a full stop.
    """

    success: str
    failure: str
    mail_up: str
    mail_down: str


class Kind(Generic[C]):
    """One type of checker, configured by values of type `C`.  Stateless."""

    __slots__ = ()

    def name(self, check: C) -> str:
        """Return the keyword that configures it."""
        raise NotImplementedError

    def probe(self, check: C, step: int) -> Probe:
        """Make the probe for one run of step `step`."""
        raise NotImplementedError

    def wording(self, check: C) -> Wording:
        """Return the texts of its log lines and mails."""
        raise NotImplementedError

    def attempt_text(self, check: C, outcome: Outcome, server: str) -> str:
        """Return the log line for one failed try of an alive server (`log_all_failures`)."""
        raise NotImplementedError

    def step_text(self, check: C, step: int, server: str) -> str | None:
        """Return the log line for a step that passed while the server is down, if there is one."""
        return None

    def steps(self, check: C) -> int:
        """Return how many runs make a round (at least 1)."""
        return 1

    def eager(self, check: C) -> bool:
        """Return whether the steps of a round follow each other at once until the server is up."""
        return False

    def unusable(self, check: C) -> str | None:
        """Return why this check cannot be run at all, or None."""
        return None

    def caveats(self, check: C) -> tuple[str, ...]:
        """Return what will not be checked although it is configured, as sentences for the log."""
        return ()
