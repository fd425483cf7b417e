"""BFD_CHECK: a server is fit while the named BFD session is up.

Nothing is run: the process that holds the sessions tells.  Until it has, the server counts as up, or with `alpha` as down.
"""

from dataclasses import replace

from keepalived_py.config.checkers import BfdCheck, Timing
from keepalived_py.healthcheck.facts import BfdState
from keepalived_py.healthcheck.kind import Failure, Kind, Where, Wording
from keepalived_py.healthcheck.outcome import Outcome, Reason


class BfdKind(Kind[BfdCheck]):
    """BFD_CHECK's row."""

    wording = Wording(
        success="BFD check of [{session}] RS({server}) is UP",
        failure="BFD check of [{session}] RS({server}) is DOWN",
        mail_up="=> BFD CHECK {session} succeeded on service <=",
        mail_down="=> BFD CHECK {session} failed on service <=",
    )

    def name(self, check: BfdCheck) -> str:
        """BFD_CHECK."""
        return "BFD_CHECK"

    def fact(self, check: BfdCheck) -> BfdState:
        """The state of its session."""
        return BfdState(check.name)

    def judge(self, check: BfdCheck, value: int | None) -> Outcome | None:
        """Go by the session."""
        if value is None:
            return None
        return Outcome(True) if value else Outcome(False, Reason.SESSION_DOWN)

    def success_text(self, check: BfdCheck, outcome: Outcome, where: Where) -> tuple[str, ...]:
        """Name the session."""
        return (self.wording.success.format(session=check.name, server=where.server),)

    def failure_text(self, check: BfdCheck, failure: Failure, where: Where) -> str:
        """Name the session."""
        return self.wording.failure.format(session=check.name, server=where.server)

    def attempt_text(self, check: BfdCheck, failure: Failure, where: Where) -> None:
        """Nothing: each failure is final."""

    def mail_text(self, check: BfdCheck, outcome: Outcome) -> str:
        """Name the session."""
        return (self.wording.mail_up if outcome.ok else self.wording.mail_down).format(session=check.name)

    def timing(self, check: BfdCheck) -> Timing:
        """A failure counts at once."""
        return replace(check.timing, retry=0, rise=1, fall=1)
