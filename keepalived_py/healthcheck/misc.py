"""MISC_CHECK: a server is fit when a program of the user exits with 0.

    exit status   0           passed
                  1           failed
                  2..255      failed; with `misc_dynamic` passed, and the weight of the server is the status less 2
    killed        by whatever signal: failed

After `misc_timeout` the program's whole process group gets a TERM and 2 s later a KILL, and the check has failed whatever the
program makes of that.  What a program leaves running in its group when it ends is killed, too.  No shell is involved.
"""

import signal
from typing import Final

from keepalived_py.config.checkers import MiscCheck, Timing
from keepalived_py.healthcheck.kind import Failure, Kind, Where, Wording
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.healthcheck.probe import Await, Execute, Kill, Probe, Steps
from keepalived_py.units import Micro, micro

GRACE: Final = micro(2)
"""Time between TERM and KILL, and after that until a program that does not even die of it is given up."""


class MiscProbe(Probe):
    """Runs the program once."""

    __slots__ = ("_check", "_signals")

    def __init__(self, check: MiscCheck) -> None:
        self._check = check
        self._signals = [signal.SIGTERM, signal.SIGKILL]

    def begin(self, now: Micro) -> Steps:
        """Run it."""
        self.began = now
        limit = self._check.timeout or self._check.timing.delay_loop
        return (Execute(self._check.script), Await(Micro(now + limit)))

    def ended(self, status: int, now: Micro) -> Steps:
        """Judge its exit status."""
        if len(self._signals) < 2:
            return self.failed(Reason.RAN_TOO_LONG, "", now)
        if status == 0:
            return self.passed(now)
        if status > 1 and self._check.dynamic:
            return self.passed(now, detail=f"exit status {status}", weight=status - 2)
        if status < 0:
            return self.failed(Reason.KILLED, str(-status), now)
        return self.failed(Reason.EXIT_STATUS, str(status), now)

    def timed_out(self, now: Micro) -> Steps:
        """End it, first in kind."""
        if not self._signals:
            return self.failed(Reason.RAN_TOO_LONG, "and does not die", now)
        return (Kill(self._signals.pop(0)), Await(Micro(now + GRACE)))


class MiscKind(Kind[MiscCheck]):
    """MISC_CHECK's row."""

    wording = Wording(
        success="Misc check for [{server} VS {service}] by [{path}] succeeded.",
        failure="Misc check for [{server} VS {service}] by [{path}] {what}.",
        mail_up="=> MISC CHECK succeeded on service <=",
        mail_down="=> MISC CHECK {what} on service <=",
    )

    def name(self, check: MiscCheck) -> str:
        """MISC_CHECK."""
        return "MISC_CHECK"

    def probe(self, check: MiscCheck, step: int, token: int = 0) -> Probe:
        """Make the probe of one run."""
        return MiscProbe(check)

    def success_text(self, check: MiscCheck, outcome: Outcome, where: Where) -> tuple[str, ...]:
        """Name the program."""
        return (self.wording.success.format(server=where.server, service=where.service, path=check.script.argv[0]),)

    def failure_text(self, check: MiscCheck, failure: Failure, where: Where) -> str:
        """Name the program, and say how it ended."""
        after = f" after {_retries(failure.retry)}" if failure.retry else " with retry disabled"
        return self._text(check, failure.outcome, where, after)

    def attempt_text(self, check: MiscCheck, failure: Failure, where: Where) -> str | None:
        """Say the same of a try that is to be repeated."""
        if failure.final:
            return None
        if failure.tries > 1:
            return self._text(check, failure.outcome, where, f" on retry {failure.tries - 1}/{failure.retry}")
        return self._text(check, failure.outcome, where, f", will do {_retries(failure.retry)}")

    def _text(self, check: MiscCheck, outcome: Outcome, where: Where, after: str) -> str:
        how = f"{_verb(outcome)}{after}{_HOW.get(outcome.reason, '').format(outcome.detail)}"
        return self.wording.failure.format(server=where.server, service=where.service, path=check.script.argv[0], what=how)

    def mail_text(self, check: MiscCheck, outcome: Outcome) -> str:
        """Say whether it failed or was too slow."""
        return self.wording.mail_up if outcome.ok else self.wording.mail_down.format(what=_verb(outcome))

    def timing(self, check: MiscCheck) -> Timing:
        """As configured."""
        return check.timing


_HOW: Final = {Reason.EXIT_STATUS: " (exited with status {})", Reason.KILLED: " (due to signal {})"}


def _verb(outcome: Outcome) -> str:
    return "timed out" if outcome.reason is Reason.RAN_TOO_LONG else "failed"


def _retries(count: int) -> str:
    return f"{count} {'retry' if count == 1 else 'retries'}"
