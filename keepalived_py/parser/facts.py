"""What a configuration needs to know of the host: accounts, interfaces, names, programs.

The parser asks through this protocol and never touches the host itself; `system.host` answers for real, tests answer from tables.
"""

import enum
from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True)
class InterfaceFacts:
    """A network interface as it is while the file is read.

    `kind` is the kernel's name of a virtual type (``macvlan``, ``ipvlan``, ``vrf``), empty for others; `mode` its mode, where it
    has one.  `table` is the routing table of a VRF.  `addresses` are those that could be the source of adverts.
    """

    name: str
    index: int = 1
    loopback: bool = False
    ethernet: bool = True
    multicast: bool = True
    mtu: int = 1500
    kind: str = ""
    mode: int = 0
    parent: str | None = None
    table: int | None = None
    addresses: tuple[Address, ...] = ()


class KeyFileState(enum.Enum):
    """What became of a file that holds a secret."""

    OK = "ok"
    UNREADABLE = "cannot be opened"
    TOO_LARGE = "is too large"


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file that holds a secret: `text` without its end of line; `exposed`: others than its owner may read or write it."""

    state: KeyFileState
    text: bytes = b""
    exposed: bool = False


class HostFacts(Protocol):
    """The questions that parsing may ask."""

    def interface_exists(self, name: str) -> bool:
        """Whether a network interface of this name exists now."""

    def interfaces(self) -> Mapping[str, InterfaceFacts]:
        """Return every network interface by name, as it is now."""

    def route_number(self, table: str, name: str, folders: tuple[str, ...]) -> int | None:
        """Look a name up in one of the tables of iproute2 (``rt_tables``), first folder first; None when it is not there."""

    def protocol_number(self, name: str) -> int | None:
        """Return the number of an IP protocol by name; None when there is none."""

    def unwatchable(self, path: str) -> str:
        """Return why changes of a file at `path` could not be noticed; empty when they can."""

    def key_file(self, path: str, limit: int) -> KeyFile:
        """Read a file that holds a secret of at most `limit` bytes."""

    def user(self, name: str, group: str | None = None) -> User | None:
        """Return the account of that name, with its own or the named group; None when one of them does not exist.

        A colon before the group, or alone, asks for the supplementary groups of the account too.
        """

    def resolve(self, host: str) -> Address | None:
        """Return an address of a host name; None when it does not resolve."""

    def script(self, program: str, user: User) -> ScriptFacts:
        """Look at a program as `user` would find it, with every folder on its path."""

    def folder_problem(self, path: str) -> str:
        """Return why `path` is no folder and cannot be made one; empty when it is or can."""

    def namespace_problem(self, name: str) -> str:
        """Return why a named network namespace cannot be entered; empty when it can."""

    def environment(self, name: str) -> str | None:
        """Return an environment variable of the daemon."""

    def processors(self) -> int:
        """Return the number of configured processors."""
