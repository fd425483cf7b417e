"""The record of the services that we made, as a file under the run directory (`ipvs.ownership` says what it is for).

A file that others could have written is not believed, and one that cannot be written is said so; neither stops anything.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from keepalived_py.ipvs.ownership import SIZE_MAX, Ownership, RecordError, decode, encode
from keepalived_py.ipvs.table import ServiceKey
from keepalived_py.system.files import read_trusted, remove, write_atomically
from keepalived_py.system.log import Log


class ServiceRecord:
    """The services that are ours; every change is on disk before the method returns."""

    def __init__(self, path: Path, log: Log) -> None:
        self._path = path
        self._log = log
        self._owned = Ownership()

    def __contains__(self, key: object) -> bool:
        return key in self._owned

    def __iter__(self) -> Iterator[ServiceKey]:
        return iter(self._owned.services)

    def read(self) -> None:
        """Go on from what an earlier run has left."""
        try:
            content = read_trusted(self._path, SIZE_MAX)
            self._owned = Ownership() if content is None else decode(content)
        except OSError as error:
            self._ignored(error.strerror or str(error))
        except RecordError as error:
            self._ignored(str(error))

    def _ignored(self, why: str) -> None:
        self._log.warning(f"{self._path} is ignored: {why}; services that an earlier run left behind are not known")

    def claim(self, keys: Iterable[ServiceKey]) -> None:
        """Add services: before they are made, so that a crash in between loses nothing."""
        self._change(self._owned.claimed(keys))

    def release(self, keys: Iterable[ServiceKey]) -> None:
        """Take services off: after they are gone."""
        self._change(self._owned.released(keys))

    def _change(self, owned: Ownership) -> None:
        if owned == self._owned:
            return
        self._owned = owned
        if not owned.services:
            remove(self._path)
            return
        try:
            write_atomically(self._path, encode(owned))
        except OSError as error:
            self._log.warning(f"{self._path} cannot be written: {error.strerror}")
