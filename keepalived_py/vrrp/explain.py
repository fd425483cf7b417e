"""Why a router is in the state that it is in: each transition with the chain of its causes, nearest first.

One line in the log when it happens, and the last `LENGTH` ones in memory for whoever asks later.
"""

import enum
from collections import deque
from dataclasses import dataclass
from typing import Final

from keepalived_py.addresses import Address
from keepalived_py.units import MICRO_PER_SECOND, Micro
from keepalived_py.vrrp.fsm import State

LENGTH: Final = 64
"""How many transitions of an instance are remembered."""


class CauseKind(enum.Enum):
    """Where a cause comes from."""

    SILENCE = "no advert was heard"
    ADVERT = "an advert was heard"
    TRACKER = "something tracked has changed"
    HOST = "the host has changed"
    GROUP = "the sync group has changed"
    LAG = "this process did not run"
    OPERATOR = "an operator wanted it"


@dataclass(frozen=True, slots=True)
class Cause:
    """One link of a chain: what happened, in words that stand after "because"."""

    kind: CauseKind
    text: str


@dataclass(frozen=True, slots=True)
class Transition:
    """A router changed its state.  `priority`: its effective one then."""

    at: Micro
    before: State
    after: State
    priority: int
    causes: tuple[Cause, ...]

    def __str__(self) -> str:
        why = ", because ".join(cause.text for cause in self.causes)
        return f"{self.before.name} -> {self.after.name}: {why}"


class History:
    """The last transitions of one instance."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: deque[Transition] = deque(maxlen=LENGTH)

    def add(self, happened: Transition) -> None:
        """Remember a transition, and forget the oldest one where there are too many."""
        self._kept.append(happened)

    @property
    def transitions(self) -> tuple[Transition, ...]:
        """Those that are remembered, oldest first."""
        return tuple(self._kept)


@dataclass(frozen=True, slots=True)
class Heard:
    """An advert of another router: from whom, of what priority, when."""

    source: Address
    priority: int
    at: Micro


def silence(now: Micro, since: Micro, heard: Heard | None, gave_up: Heard | None, *, preempting: bool) -> Cause:
    """Explain why the timer of a backup has fired.

    `since`: when it began to wait; `heard`: the last advert; `gave_up`: the one of priority 0; `preempting`: lower ones were heard.
    """
    waited = span_text(Micro(now - since))
    if gave_up is not None:
        return Cause(CauseKind.ADVERT, f"{gave_up.source} gave up (priority 0) {span_text(Micro(now - gave_up.at))} ago")
    if heard is None:
        return Cause(CauseKind.SILENCE, f"no advert was heard for {waited}, nor ever before")
    ago = span_text(Micro(now - heard.at))
    last = f"the last one came {ago} ago from {heard.source} with priority {heard.priority}"
    if preempting:
        return Cause(CauseKind.ADVERT, f"only adverts of lower priority were heard for {waited}, {last}")
    return Cause(CauseKind.SILENCE, f"no advert was heard for {waited}, {last}")


def span_text(span: Micro) -> str:
    """Render a span for the log: seconds and milliseconds."""
    return f"{span / MICRO_PER_SECOND:.3f} s"
