"""What a type of checker has to offer: the one interface between the engine and the file of each checker.

Wording is part of it because keepalived's log lines differ from checker to checker in more than a name.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from keepalived_py.config.checkers import Timing
from keepalived_py.healthcheck.facts import Fact
from keepalived_py.healthcheck.outcome import Outcome
from keepalived_py.healthcheck.probe import Probe

C = TypeVar("C", contravariant=True)


@dataclass(frozen=True, slots=True)
class Wording:
    """Texts of one type of checker; `{server}` stands for the real server as the log names it.

    `failure` is completed by `Kind.failure_text`: `` after N retries.`` or a full stop.
    """

    success: str
    failure: str
    mail_up: str
    mail_down: str


@dataclass(frozen=True, slots=True)
class Where:
    """Names of a real server and of the virtual server that it belongs to, as the log has them."""

    server: str
    service: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed run of a check: the `tries`th in a row, where the first one may be repeated `retry` times.

    `final`: the check goes down by it.  `first`: the check has never passed, so that its first failure is final.
    """

    outcome: Outcome
    tries: int
    retry: int
    final: bool = False
    first: bool = False

    @property
    def after(self) -> str:
        """`` after N retries``, or nothing where there were none."""
        return f" after {self.retry} retries" if self.retry and not self.first else ""


class Kind(Generic[C]):
    """One type of checker, configured by values of type `C`.  Stateless."""

    __slots__ = ()

    wording: Wording

    def name(self, check: C) -> str:
        """Return the keyword that configures it."""
        raise NotImplementedError

    def probe(self, check: C, step: int, token: int = 0) -> Probe:
        """Make the probe for one run of step `step`; `token` is a random number of 32 bits that tells its packets from others.

        Not called for a checker that follows a `fact`.
        """
        raise NotImplementedError

    # ---- what it says ----

    def success_text(self, check: C, outcome: Outcome, where: Where) -> tuple[str, ...]:
        """Return the log lines for a check that comes up, or passes for the first time."""
        return (self.wording.success.format(server=where.server),)

    def failure_text(self, check: C, failure: Failure, where: Where) -> str:
        """Return the log line for a check that goes down."""
        return f"{self.wording.failure.format(server=where.server)}{failure.after}."

    def attempt_text(self, check: C, failure: Failure, where: Where) -> str | None:
        """Return the log line for one failed try of an alive server (`log_all_failures`), None where `failure_text` is enough."""
        raise NotImplementedError

    def mail_text(self, check: C, outcome: Outcome) -> str | None:
        """Return the body of the mail about a check that has come up or gone down, None for no mail."""
        return self.wording.mail_up if outcome.ok else self.wording.mail_down

    def step_text(self, check: C, step: int, server: str) -> str | None:
        """Return the log line for a step that passed while the server is down, if there is one."""
        return None

    # ---- how it runs ----

    def timing(self, check: C) -> Timing:
        """Return when it runs and how often a failure may be repeated."""
        raise NotImplementedError

    def steps(self, check: C) -> int:
        """Return how many runs make a round (at least 1)."""
        return 1

    def eager(self, check: C) -> bool:
        """Return whether the steps of a round follow each other at once until the server is up."""
        return False

    def shareable(self, check: C) -> bool:
        """Return whether one run tells all servers that have an equal check: it asks a server, and nobody else."""
        return False

    def unusable(self, check: C) -> str | None:
        """Return why this check cannot be run at all, or None."""
        return None

    def caveats(self, check: C) -> tuple[str, ...]:
        """Return what will not be checked although it is configured, as sentences for the log."""
        return ()

    def advice(self, check: C) -> str | None:
        """Return what all checks of this kind should be told about, once, as a sentence for the log."""
        return None

    # ---- where there is nothing to run ----

    def fact(self, check: C) -> Fact | None:
        """Return the fact that the checker follows instead of asking a server."""
        return None

    def judge(self, check: C, value: int | None) -> Outcome | None:
        """Return what the value of its fact amounts to; None (only for an unknown value, None): nothing yet."""
        raise NotImplementedError
