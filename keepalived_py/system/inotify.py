"""Watching files for changes of their content: inotify on the folders they lie in, so that a file may come, go and be replaced."""

import ctypes
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_CLOSE_WRITE: Final = 0x008
_MOVED_FROM: Final = 0x040
_MOVED_TO: Final = 0x080
_DELETE: Final = 0x200
_OVERFLOW: Final = 0x4000
_IGNORED: Final = 0x8000
_EVENT: Final = struct.Struct("=iIII")
_BUFFER: Final = 65_536


class FileWatch:
    """Tells which of a set of files may have changed."""

    def __init__(self) -> None:
        """Open the descriptor; raise `OSError` when the kernel refuses."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._folders: dict[int, Path] = {}
        self._numbers: dict[Path, int] = {}
        self._files: dict[Path, set[str]] = {}

    def fileno(self) -> int:
        """Return the descriptor, to be waited for."""
        return self._descriptor

    def add(self, path: Path) -> None:
        """Watch a file, which need not exist; raise `OSError` when its folder does not."""
        folder = path.parent
        if folder not in self._numbers:
            mask = _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _DELETE
            number = self._libc.inotify_add_watch(self._descriptor, os.fsencode(folder), mask)
            if number < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
            self._numbers[folder] = number
            self._folders[number] = folder
        self._files.setdefault(folder, set()).add(path.name)

    def discard(self, path: Path) -> None:
        """Watch a file no longer."""
        folder = path.parent
        names = self._files.get(folder)
        if names is None:
            return
        names.discard(path.name)
        if not names:
            del self._files[folder]
            number = self._numbers.pop(folder)
            self._folders.pop(number, None)
            self._libc.inotify_rm_watch(self._descriptor, number)

    def changed(self) -> Iterator[Path]:
        """Yield the watched files that something happened to; all of them when the kernel lost count."""
        while True:
            try:
                data = os.read(self._descriptor, _BUFFER)
            except BlockingIOError:
                return
            offset = 0
            while offset + _EVENT.size <= len(data):
                number, mask, _, length = _EVENT.unpack_from(data, offset)
                name = (
                    data[offset + _EVENT.size : offset + _EVENT.size + length].split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
                )
                offset += _EVENT.size + length
                if mask & _OVERFLOW:
                    yield from [folder / name for folder, names in self._files.items() for name in names]
                folder = self._folders.get(number)
                if folder is not None and not mask & _IGNORED and name in self._files.get(folder, ()):
                    yield folder / name

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)
