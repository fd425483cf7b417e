"""The host's answers to the parser: accounts, interfaces, names, programs (`parser.facts.HostFacts`)."""

import grp
import os
import pwd
import socket
import stat
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from keepalived_py.addresses import Address
from keepalived_py.config.scripts import User
from keepalived_py.parser.facts import InterfaceFacts, KeyFile, KeyFileState, ScriptFacts, ScriptState

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

    def interfaces(self) -> Mapping[str, InterfaceFacts]:
        """Return every interface of the current network namespace by name; none when the kernel does not answer."""
        from keepalived_py.system.interfaces import read_interfaces

        try:
            return read_interfaces()
        except OSError:
            return {}

    def route_number(self, table: str, name: str, folders: tuple[str, ...]) -> int | None:
        """Look a name up in ``folder/table`` of the first folder that has it, then in ``folder/table.d/*.conf`` of all."""
        files = next(([path] for folder in folders if (path := Path(folder, table)).is_file()), [])
        for folder in folders:
            files += sorted(Path(folder, f"{table}.d").glob("*.conf"))
        return next((number for path in files for known, number in _names(path) if known == name), None)

    def protocol_number(self, name: str) -> int | None:
        """Return the number of an IP protocol by its name in /etc/protocols."""
        try:
            return socket.getprotobyname(name)
        except (OSError, UnicodeError, ValueError):
            return None

    def unwatchable(self, path: str) -> str:
        """Return why inotify could not tell of changes of a file: no folder, a file system without them, or a read-only one."""
        folder = os.path.realpath(os.path.dirname(path) or ".")  # noqa: PTH120  (as written, not normalised)
        try:
            if not os.path.isdir(folder):  # noqa: PTH112
                return f"{folder} is no folder"
            read_only = bool(os.statvfs(folder).f_flag & os.ST_RDONLY)
        except (OSError, ValueError) as error:
            return f"{folder}: {error}"
        if read_only:
            return f"{folder} is on a read-only file system"
        kind = _file_system(folder)
        return f"{folder} is on a file system of type {kind}, which does not tell of changes" if kind in _UNWATCHED else ""

    def key_file(self, path: str, limit: int) -> KeyFile:
        """Read a file that holds a secret of at most `limit` bytes."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        except (OSError, ValueError):
            return KeyFile(KeyFileState.UNREADABLE)
        with open(descriptor, "rb") as stream:
            exposed = bool(os.fstat(descriptor).st_mode & 0o077)
            try:
                content = stream.read(limit + 1)
            except OSError:
                return KeyFile(KeyFileState.UNREADABLE, exposed=exposed)
        if len(content) > limit:
            return KeyFile(KeyFileState.TOO_LARGE, exposed=exposed)
        return KeyFile(KeyFileState.OK, content.rstrip(b"\r\n"), exposed)

    @lru_cache(maxsize=256)  # noqa: B019  (one host per process)
    def user(self, name: str, group: str | None = None) -> User | None:
        """Return the account of that name, with its own or the named group; None when one of them does not exist."""
        try:
            entry = pwd.getpwnam(name)
            wanted = (group or "").removeprefix(":")
            gid = grp.getgrnam(wanted).gr_gid if wanted else entry.pw_gid
        except (KeyError, ValueError, UnicodeEncodeError):
            return None
        all_groups = os.getgrouplist(name, entry.pw_gid) if group and group.startswith(":") else ()
        return User(entry.pw_uid, gid, entry.pw_name, tuple(all_groups), wanted)

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

    def folder_problem(self, path: str) -> str:
        """Return why `path` is no folder and cannot be made one; empty when it is or can."""
        try:
            if stat.S_ISDIR(os.stat(path).st_mode):  # noqa: PTH116
                return ""
            return f"{path} is no folder"
        except FileNotFoundError:
            parent = os.path.dirname(path.rstrip("/")) or "."  # noqa: PTH120
            fits = bool(path) and os.path.isdir(parent) and os.access(parent, os.W_OK)  # noqa: PTH112
            return "" if fits else f"{path or 'a folder without a name'} cannot be made"
        except (OSError, ValueError) as error:
            return f"{path}: {error}"

    def namespace_problem(self, name: str) -> str:
        """Return why a named network namespace (ip-netns(8)) cannot be entered; empty when it can."""
        path = f"/run/netns/{name}"
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            return f"{path}: {error}"
        os.close(descriptor)
        return ""

    def environment(self, name: str) -> str | None:
        """Return an environment variable of the daemon."""
        return os.environ.get(name)

    def processors(self) -> int:
        """Return the number of configured processors."""
        return os.cpu_count() or 1


_UNWATCHED: Final = frozenset(
    {
        "bpf", "cgroup", "cgroup2", "debugfs", "devpts", "efivarfs", "fuse", "fuseblk", "mqueue", "nfs", "nfs4", "pipefs", "proc",
        "romfs", "selinuxfs", "smb3", "smbfs", "cifs", "sockfs", "sysfs", "sysv", "tracefs",
    }
)  # fmt: skip
"""File systems on which inotify sees nothing of what others write, or that are no place for files."""

_MAX_NAMES: Final = 1 << 20
"""Bytes of a table of names that are read at most."""


def _file_system(folder: str) -> str:
    """Return the type of the file system that a folder is on, from /proc/self/mountinfo (proc(5)): the deepest mount wins."""
    device = os.stat(folder).st_dev  # noqa: PTH116
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        fields = line.split(" ")
        if len(fields) > 6 and fields[2] == wanted and "-" in fields:
            kind = fields[fields.index("-", 6) + 1]
            return kind.partition(".")[0]
    return ""


def _names(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the names of a table of iproute2: lines of a number and a name, with ``#`` comments."""
    try:
        with path.open("rb") as stream:
            text = stream.read(_MAX_NAMES).decode("utf-8", "surrogateescape")
    except OSError:
        return
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) == 2:
            try:
                yield words[1], int(words[0], 0)
            except ValueError:
                continue


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
