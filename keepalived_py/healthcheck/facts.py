"""Facts that some checkers follow instead of asking a server: somebody else watches, the engine is told.

A fact that was never told is unknown; what that means is the business of the checker.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileContent:
    """The number in a tracked file; 0 while there is no file or no number in it."""

    path: str


@dataclass(frozen=True, slots=True)
class BfdState:
    """Whether the BFD session of that name is up: 1, else 0."""

    name: str


Fact = FileContent | BfdState
