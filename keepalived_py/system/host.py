"""The host's answers to the parser: accounts, interfaces, names, programs (`parser.facts.HostFacts`)."""

import grp
import os
import pwd
import socket
import stat
from functools import lru_cache
from pathlib import Path
from typing import Final

from keepalived_py.addresses import Address
from keepalived_py.config.scripts import User
from keepalived_py.parser.facts import ScriptFacts, ScriptState

_DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Host:
    """The machine that this process runs on."""

    def interface_exists(self, name: str) -> bool:
        """Whether a network interface of this name exists in the current network namespace."""
        try:
            socket.if_nametoindex(name)
        except (OSError, ValueError):
            return False
        return True

    @lru_cache(maxsize=256)  # noqa: B019  (one host per process)
    def user(self, name: str, group: str | None = None) -> User | None:
        """Return the account by name or number, with its own or the named group; None when there is none."""
        entry = _passwd(name)
        if entry is None:
            return None
        gid = _gid(group) if group is not None else entry.pw_gid
        return None if gid is None else User(entry.pw_uid, gid, entry.pw_name)

    def resolve(self, host: str) -> Address | None:
        """Return an address of a host name; None when it does not resolve."""
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return None
        return Address.parse(str(found[0][4][0]).partition("%")[0]) if found else None

    def script(self, program: str, user: User) -> ScriptFacts:
        """Look at a program as `user` would find it, with every folder on its path."""
        searched = "/" not in program
        path = _search(program, user) if searched else program
        if path is None:
            return ScriptFacts(ScriptState.MISSING, program, searched, "not found along PATH")
        real = os.path.realpath(path)
        try:
            status = os.stat(real)  # noqa: PTH116
        except OSError as error:
            return ScriptFacts(ScriptState.MISSING, path, searched, (error.strerror or "not found").lower())
        hidden = next((folder for folder in _folders(real) if not _searchable(folder, user)), None)
        if hidden is not None:
            return ScriptFacts(ScriptState.MISSING, path, searched, f"{user.name or user.uid} cannot enter {hidden}")
        clean = os.path.normpath(path)
        if not _executable(status, user):
            return ScriptFacts(ScriptState.NOT_EXECUTABLE, clean, searched, f"not executable for {user.name or user.uid}")
        if _runs_privileged(status, user):
            unsafe = unsafe_component(clean) or (unsafe_component(real) if real != clean else "")
            if unsafe:
                return ScriptFacts(ScriptState.UNSAFE, real, searched, unsafe)
        return ScriptFacts(ScriptState.OK, real, searched)

    def environment(self, name: str) -> str | None:
        """Return an environment variable of the daemon."""
        return os.environ.get(name)

    def processors(self) -> int:
        """Return the number of configured processors."""
        return os.cpu_count() or 1


def _passwd(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except (KeyError, ValueError, UnicodeEncodeError):
        pass
    try:
        return pwd.getpwuid(int(name)) if name.isdecimal() and len(name) < 11 else None
    except (KeyError, OverflowError):
        return None


def _gid(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError, UnicodeEncodeError):
        return int(name) if name.isdecimal() and int(name) < 1 << 32 else None


def _search(program: str, user: User) -> str | None:
    """Find a bare program name along PATH, executable for `user`."""
    for folder in os.environ.get("PATH", _DEFAULT_PATH).split(":"):
        path = os.path.join(folder, program)  # noqa: PTH118
        try:
            status = os.stat(path)  # noqa: PTH116
        except (OSError, ValueError):
            continue
        if _executable(status, user):
            return path
    return None


def _permitted(status: os.stat_result, user: User, bit: int) -> bool:
    """Whether `bit` (of the "other" triple) is granted to the user by the file's mode."""
    if status.st_uid == user.uid:
        return bool(status.st_mode & bit << 6)
    if status.st_gid == user.gid or status.st_gid in user.groups:
        return bool(status.st_mode & bit << 3)
    return bool(status.st_mode & bit)


def _executable(status: os.stat_result, user: User) -> bool:
    if not stat.S_ISREG(status.st_mode):
        return False
    return bool(status.st_mode & 0o111) if user.uid == 0 else _permitted(status, user, 1)


def _folders(path: str) -> list[str]:
    return [str(folder) for folder in reversed(Path(path).parents)]


def _searchable(folder: str, user: User) -> bool:
    return user.uid == 0 or _permitted(os.stat(folder), user, 1)  # noqa: PTH116


def _runs_privileged(status: os.stat_result, user: User) -> bool:
    """Whether running the program gives root's rights: by its user or group, or by a set-id bit."""
    if 0 in (user.uid, user.gid):
        return True
    mode = status.st_mode
    return (status.st_uid == 0 and bool(mode & stat.S_ISUID)) or (status.st_gid == 0 and bool(mode & stat.S_ISGID))


def unsafe_component(path: str) -> str:
    """Return which component of a path others than root can change, and how; empty when none can.

    Every component is looked at without following links: what leads to the program must be folders, the program a file or a link.
    """
    parts = [*_folders(path), path]
    for part in parts:
        try:
            status = os.lstat(part)
        except OSError as error:
            return f"{part}: {(error.strerror or 'not found').lower()}"
        last = part == path
        kind = status.st_mode
        if not last and not stat.S_ISDIR(kind):
            return f"{part} is not a folder but a link or file"
        if last and not (stat.S_ISREG(kind) or stat.S_ISLNK(kind)):
            return f"{part} is not a regular file"
        if status.st_uid:
            return f"{part} belongs to uid {status.st_uid}, not to root"
        sticky_folder = stat.S_ISDIR(kind) and kind & stat.S_ISVTX
        if stat.S_ISLNK(kind) or sticky_folder:
            continue
        if kind & stat.S_IWOTH:
            return f"{part} is writable by everybody"
        if kind & stat.S_IWGRP and status.st_gid:
            return f"{part} is writable by group {status.st_gid}"
    return ""
