"""What a configuration needs to know of the host: accounts, interfaces, names, programs.

The parser asks through this protocol and never touches the host itself; `system.host` answers for real, tests answer from tables.
"""

import enum
from dataclasses import dataclass
from typing import Protocol

from keepalived_py.addresses import Address
from keepalived_py.config.scripts import User


class ScriptState(enum.Enum):
    """What became of a program that is to be run."""

    OK = "ok"
    MISSING = "missing"
    NOT_EXECUTABLE = "not executable"
    UNSAFE = "unsafe"


@dataclass(frozen=True, slots=True)
class ScriptFacts:
    """What is known of a program: `path` is what will be executed, `detail` names the path component at fault and why."""

    state: ScriptState
    path: str
    searched: bool = False
    detail: str = ""


class HostFacts(Protocol):
    """The questions that parsing may ask."""

    def interface_exists(self, name: str) -> bool:
        """Whether a network interface of this name exists now."""

    def user(self, name: str, group: str | None = None) -> User | None:
        """Return the account by name or number, with its own or the named group; None when there is none."""

    def resolve(self, host: str) -> Address | None:
        """Return an address of a host name; None when it does not resolve."""

    def script(self, program: str, user: User) -> ScriptFacts:
        """Look at a program as `user` would find it, with every folder on its path."""

    def environment(self, name: str) -> str | None:
        """Return an environment variable of the daemon."""

    def processors(self) -> int:
        """Return the number of configured processors."""
