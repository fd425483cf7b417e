"""Which services are ours: those that we made, or that the configuration names.  A value with a JSON form; the daemon does the I/O.

The record exists so that a start after a crash can tell a service that an earlier run made, and that the configuration has since
lost, from one that somebody made with ipvsadm.  The former is removed, the latter is never touched.  The file lies in the run
directory and is read as hostile: whatever it holds, `decode` returns a value and a complaint, and never more than it was given.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.lvs import AddressTarget, FwmarkTarget, Protocol
from keepalived_py.errors import KeepalivedError
from keepalived_py.ipvs.table import ServiceKey, Table

VERSION: Final = 1
"""Of the JSON form.  A file of another version is not guessed at."""

SIZE_MAX: Final = 64 * 1024 * 1024
"""Longest record that is read, in bytes: about 800,000 services."""

_MARK_MAX: Final = 0xFFFFFFFF
_PORT_MAX: Final = 0xFFFF


class RecordError(KeepalivedError):
    """A record that cannot be used: too long, not ours, of another version, or damaged."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """The services that we made and have not removed."""

    services: frozenset[ServiceKey] = frozenset()

    def __contains__(self, key: object) -> bool:
        return key in self.services

    def claimed(self, keys: Iterable[ServiceKey]) -> "Ownership":
        """Return the record with these added.  Written *before* they are made, so that a crash in between loses nothing."""
        return Ownership(self.services.union(keys))

    def released(self, keys: Iterable[ServiceKey]) -> "Ownership":
        """Return the record without these.  Written *after* they are gone."""
        return Ownership(self.services.difference(keys))

    def leftovers(self, configured: Iterable[ServiceKey], actual: Table) -> list[ServiceKey]:
        """List what an earlier run made, the kernel still has, and the configuration no longer names, in the table's order."""
        named = frozenset(configured)
        return [key for key in actual if key in self.services and key not in named]


def encode(ownership: Ownership) -> bytes:
    """Render a record; the same services give the same bytes."""
    rows = sorted(_row(key) for key in ownership.services)
    return json.dumps({"version": VERSION, "services": rows}, separators=(",", ":")).encode() + b"\n"


def decode(data: bytes) -> Ownership:
    """Read a record, or raise `RecordError`; an empty file is an empty record."""
    if len(data) > SIZE_MAX:
        raise RecordError(f"longer than {SIZE_MAX} bytes")
    if not data.strip():
        return Ownership()
    try:
        whole = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"not JSON: {error}") from None
    if not isinstance(whole, dict) or whole.get("version") != VERSION:
        raise RecordError(f"not a record of version {VERSION}")
    rows = whole.get("services")
    if not isinstance(rows, list):
        raise RecordError("no list of services")
    return Ownership(frozenset(_key(row) for row in rows))


def _row(key: ServiceKey) -> tuple[str, str, int]:
    """Spell a key: ``(protocol, address, port)``, or ``("FWM", family, mark)``."""
    if isinstance(key, FwmarkTarget):
        return ("FWM", key.family.name, key.mark)
    return (key.protocol.name, str(key.address), key.port)


def _key(row: object) -> ServiceKey:
    match row:
        case [_, _, bool()]:
            raise RecordError(f"not a service: {str(row)[:60]}")
        case ["FWM", str(family), int(mark)] if family in Family.__members__ and 0 < mark <= _MARK_MAX:
            return FwmarkTarget(mark, Family[family])
        case [str(protocol), str(address), int(port)] if protocol in Protocol.__members__ and 0 <= port <= _PORT_MAX:
            try:
                return AddressTarget(Address.parse(address), port, Protocol[protocol])
            except ValueError as error:
                raise RecordError(str(error)) from None
        case _:
            raise RecordError(f"not a service: {str(row)[:60]}")
