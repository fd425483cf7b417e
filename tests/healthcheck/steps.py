"""What tests of probes ask of the steps that a probe returns."""

from keepalived_py.healthcheck.outcome import Outcome
from keepalived_py.healthcheck.probe import Await, Done, Probe, Send, Steps
from keepalived_py.units import Micro, micro

START = micro(100)


def outcome(steps: Steps) -> Outcome:
    """The outcome in the last of `steps`."""
    assert isinstance(steps[-1], Done)
    return steps[-1].outcome


def ended(steps: Steps) -> bool:
    return any(isinstance(step, Done) for step in steps)


def sent(steps: Steps) -> bytes:
    """What is sent by `steps`, which go on."""
    assert not ended(steps)
    return b"".join(step.data for step in steps if isinstance(step, Send))


def deadline(steps: Steps) -> Micro:
    """Until when `steps` wait."""
    return [step.deadline for step in steps if isinstance(step, Await)][-1]


def feed(probe: Probe, pieces: list[bytes], now: Micro = START) -> Steps:
    """Give a probe bytes piece by piece until it ends; return its last steps."""
    steps: Steps = ()
    for piece in pieces:
        if piece:
            steps = probe.received(piece, now)
            if ended(steps):
                break
    return steps


def after(seconds: float) -> Micro:
    """So many seconds after the start."""
    return Micro(START + micro(seconds))
