"""FILE_CHECK: the number in a tracked file, times `weight`, is added to the weight of the server, or brings it down.

    weight 0            down while the number is not 0 (`reverse`: while it is 0)
    any other weight    number x weight (`reverse`: the same with its sign changed) is added; down at -2147483648 or less

Nothing is run: somebody watches the file and tells.  A file that is not there holds 0, and so does one nobody has told about yet.
"""

from dataclasses import replace
from typing import Final

from keepalived_py.config.checkers import FileCheck, Timing
from keepalived_py.healthcheck.facts import FileContent
from keepalived_py.healthcheck.kind import Failure, Kind, Where
from keepalived_py.healthcheck.outcome import Outcome, Reason

DOWN: Final = -(2**31)
"""What brings a server down rather than lowering its weight."""

_HIGHEST: Final = 2**31 - 1


def judge(check: FileCheck, number: int) -> Outcome:
    """Return what a number in the file amounts to."""
    if not check.weight:
        return Outcome(True) if (number != 0) is check.reverse else _down(number)
    product = number * check.weight * (-1 if check.reverse else 1)
    return _down(number) if product <= DOWN else Outcome(True, detail=str(number), bonus=min(product, _HIGHEST))


def _down(number: int) -> Outcome:
    return Outcome(False, Reason.FILE_SAYS_DOWN, str(number))


class FileKind(Kind[FileCheck]):
    """FILE_CHECK's row."""

    def name(self, check: FileCheck) -> str:
        """FILE_CHECK."""
        return "FILE_CHECK"

    def fact(self, check: FileCheck) -> FileContent:
        """The content of its file."""
        return FileContent(check.path)

    def judge(self, check: FileCheck, value: int | None) -> Outcome:
        """Judge the number, 0 where none is known."""
        return judge(check, value or 0)

    def success_text(self, check: FileCheck, outcome: Outcome, where: Where) -> tuple[str, ...]:
        """Name the file."""
        return (f"({where.server}): tracked file {check.track_file} leaving FAULT state",)

    def failure_text(self, check: FileCheck, failure: Failure, where: Where) -> str:
        """Name the file."""
        return f"({where.server}): tracked file {check.track_file} now FAULT state"

    def attempt_text(self, check: FileCheck, failure: Failure, where: Where) -> None:
        """Nothing: each failure is final."""

    def mail_text(self, check: FileCheck, outcome: Outcome) -> None:
        """No mail, as with keepalived."""

    def timing(self, check: FileCheck) -> Timing:
        """A failure counts at once, and the state is known from the start."""
        return replace(check.timing, retry=0, rise=1, fall=1, alpha=False)

    def unusable(self, check: FileCheck) -> str | None:
        """Without a file there is nothing to follow."""
        return None if check.path else f"track_file {check.track_file} has no file"
