"""Programs that the daemon runs on behalf of the user: what to execute, and as whom."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class User:
    """A resolved account: numeric ids, and supplementary groups where the configuration asks for them.

    `name` and `group` are as the configuration names them; `group` is empty where the account's own group is meant.
    """

    uid: int
    gid: int
    name: str = ""
    groups: tuple[int, ...] = ()
    group: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """A command: `argv` is passed to execve as it is, never through a shell.  `user` None: the default of `script_user`."""

    argv: tuple[str, ...]
    user: User | None = None

    def __str__(self) -> str:
        return " ".join(self.argv)


@dataclass(frozen=True, slots=True)
class Fifo:
    """A named pipe that state changes are written to, and the program that reads it, if the daemon is to start one."""

    path: str
    user: User | None = None
    script: Script | None = None
