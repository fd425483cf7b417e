"""Counting processes: the kernel's process events where they are to be had, a look through /proc in small portions where not.

The process connector tells of every fork, exec, renaming and end on the host; only the process concerned is then looked at.  It
speaks in the first network namespace only and needs rights; elsewhere /proc is read once a second, a few dozen processes at a time,
so that nothing waits.  Sources: linux/cn_proc.h, linux/connector.h, proc(5).
"""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from keepalived_py.config.tracking import ParamMatch, TrackProcess
from keepalived_py.netlink.framing import HEADER, DecodeError, messages

_NETLINK_CONNECTOR: Final = 11
_CN_IDX_PROC: Final = 1
_CN_VAL_PROC: Final = 1
_PROC_CN_MCAST_LISTEN: Final = 1
_CN_MSG: Final = struct.Struct("=IIIIHH")
_EVENT: Final = struct.Struct("=IIQ")
_PIDS: Final = struct.Struct("=II")
_FORK: Final = 0x00000001
_EXEC: Final = 0x00000002
_COMM: Final = 0x00000200
_EXIT: Final = 0x80000000
_NLMSG_DONE: Final = 3
_COMM_LENGTH: Final = 15
_COMMAND_MAX: Final = 131_072
_DATAGRAM_MAX: Final = 65_536
_EVENTS_PER_TURN: Final = 512
_PORTION: Final = 48
_PORTION_SECONDS: Final = 0.005
_ROUND_SECONDS: Final = 1.0
_RECEIVE_BUFFER: Final = 1024 * 1024


def matches(process: TrackProcess, name: str, command: tuple[str, ...]) -> bool:
    """Whether a process with this kernel name and command line is one of those meant.

    Without `full_command` and parameters the kernel's name counts (15 characters); with parameters the command line does: all
    equal, or (`PARTIAL`) the first ones equal, or (`INITIAL`) all equal but for the last, which may go on.
    """
    wanted = process.command
    if process.param_match is ParamMatch.NONE:
        if process.full_command:
            return bool(command) and command[0] == wanted[0]
        return name == wanted[0][:_COMM_LENGTH]
    found = command[: len(wanted)] if process.param_match is ParamMatch.PARTIAL else command
    if process.param_match is not ParamMatch.INITIAL:
        return found == wanted
    return len(command) == len(wanted) and command[:-1] == wanted[:-1] and command[-1].startswith(wanted[-1])


def look_at(pid: int) -> tuple[str, tuple[str, ...]] | None:
    """Return kernel name and command line of a process; None when it is gone."""
    folder = Path(f"/proc/{pid}")
    try:
        name = (folder / "comm").read_bytes()[:64].rstrip(b"\n")
        with open(folder / "cmdline", "rb") as stream:
            line = stream.read(_COMMAND_MAX)
    except OSError:
        return None
    words = line.rstrip(b"\0").split(b"\0") if line else []
    return name.decode("utf-8", "surrogateescape"), tuple(word.decode("utf-8", "surrogateescape") for word in words)


class ProcessCounts:
    """Follows tracked processes; `changed` gets the name of each whose count changed, and the count."""

    def __init__(self, changed: Callable[[str, int], None]) -> None:
        self._changed = changed
        self._tracked: tuple[TrackProcess, ...] = ()
        self._pids: dict[str, set[int]] = {}
        self._connector: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: list[int] = []

    def follow(self, tracked: Iterable[TrackProcess]) -> dict[str, int]:
        """Follow exactly these from now on; return the count of each by name.  Reads all of /proc once."""
        self._tracked = tuple(tracked)
        self._pids = {process.name: set() for process in self._tracked}
        self._stop()
        if not self._tracked:
            return {}
        self._connector = _open_connector()
        for pid in _all_pids():
            self._look(pid)
        loop = asyncio.get_running_loop()
        if self._connector is not None:
            loop.add_reader(self._connector.fileno(), self._heard)
        else:
            self._timer = loop.call_later(_ROUND_SECONDS, self._round)
        return {name: len(pids) for name, pids in self._pids.items()}

    def _look(self, pid: int) -> None:
        found = look_at(pid)
        for process in self._tracked:
            pids = self._pids[process.name]
            if found is not None and matches(process, *found):
                pids.add(pid)
            else:
                pids.discard(pid)

    def _looked(self, pids: Iterable[int], gone: Iterable[int] = ()) -> None:
        """Look at processes and report the counts that changed."""
        before = {name: len(found) for name, found in self._pids.items()}
        for pid in gone:
            for found in self._pids.values():
                found.discard(pid)
        for pid in pids:
            self._look(pid)
        for name, found in self._pids.items():
            if len(found) != before[name]:
                self._changed(name, len(found))

    # Events -----------------------------------------------------------------------------------------------------------------

    def _heard(self) -> None:
        assert self._connector is not None
        touched: dict[int, None] = {}
        gone: dict[int, None] = {}
        for _ in range(_EVENTS_PER_TURN):
            try:
                datagram = self._connector.recv(_DATAGRAM_MAX)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:  # ENOBUFS: news was lost
                touched |= dict.fromkeys(_all_pids())
                gone |= dict.fromkeys(pid for pids in self._pids.values() for pid in pids)
                continue
            for kind, pid in events(datagram):
                (gone if kind == _EXIT else touched)[pid] = None
                (touched if kind == _EXIT else gone).pop(pid, None)
        self._looked(touched, gone)

    # Rounds -----------------------------------------------------------------------------------------------------------------

    def _round(self) -> None:
        """Look at the next few processes; begin anew a second after the last one."""
        if not self._waiting:
            self._waiting = _all_pids()
            known = {pid for pids in self._pids.values() for pid in pids}
            self._looked((), known.difference(self._waiting))
        portion, self._waiting = self._waiting[:_PORTION], self._waiting[_PORTION:]
        self._looked(portion)
        pause = _PORTION_SECONDS if self._waiting else _ROUND_SECONDS
        self._timer = asyncio.get_running_loop().call_later(pause, self._round)

    def _stop(self) -> None:
        if self._connector is not None:
            asyncio.get_running_loop().remove_reader(self._connector.fileno())
            self._connector.close()
            self._connector = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting = []

    def close(self) -> None:
        """Follow nothing any longer."""
        self._tracked, self._pids = (), {}
        self._stop()


def events(datagram: bytes) -> Iterator[tuple[int, int]]:
    """Yield kind and process of each event of a datagram that is about a whole process (not a thread)."""
    try:
        for message in messages(datagram):
            if len(message.payload) < _CN_MSG.size + _EVENT.size + _PIDS.size:
                continue
            index, value, _, _, _, _ = _CN_MSG.unpack_from(message.payload)
            kind, _, _ = _EVENT.unpack_from(message.payload, _CN_MSG.size)
            if (index, value) != (_CN_IDX_PROC, _CN_VAL_PROC) or kind not in (_FORK, _EXEC, _COMM, _EXIT):
                continue
            at = _CN_MSG.size + _EVENT.size + (_PIDS.size if kind == _FORK else 0)  # a fork names parent, then child
            if len(message.payload) >= at + _PIDS.size:
                pid, group = _PIDS.unpack_from(message.payload, at)
                if pid == group:
                    yield kind, pid
    except DecodeError:
        return


def _open_connector() -> socket.socket | None:
    """Subscribe to process events; None where they are not to be had."""
    if os.stat("/proc/self/ns/net").st_ino != _first_namespace():  # noqa: PTH116
        return None
    try:
        connector = socket.socket(
            socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, _NETLINK_CONNECTOR
        )
    except OSError:
        return None
    try:
        with contextlib.suppress(OSError):
            connector.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        connector.bind((0, _CN_IDX_PROC))
        body = _CN_MSG.pack(_CN_IDX_PROC, _CN_VAL_PROC, 0, 0, 4, 0) + struct.pack("=I", _PROC_CN_MCAST_LISTEN)
        connector.send(HEADER.pack(HEADER.size + len(body), _NLMSG_DONE, 0, 0, 0) + body)
    except OSError:
        connector.close()
        return None
    return connector


def _first_namespace() -> int:
    try:
        return os.stat("/proc/1/ns/net").st_ino  # noqa: PTH116
    except OSError:
        return 0


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
