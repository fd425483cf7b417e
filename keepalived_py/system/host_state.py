"""What VRRP puts into the kernel: addresses, routes, rules and interfaces, each remembered as ours until it is gone.

What was there before is used and never removed.  The memory is also a record under the run directory, so that a run that was
killed can be cleaned up after by the next one: exactly what it had added, and nothing else.  Settings of interfaces that were
changed, and tables of the firewall, are in it too.  The record is read as hostile: it can only ask for the removal of things, and
for numbers in the few settings that are ever changed.
"""

import contextlib
import re
import struct
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from keepalived_py.addresses import Address
from keepalived_py.config.routing import Route, Rule, VirtualAddress
from keepalived_py.errors import KernelError
from keepalived_py.netlink.framing import HEADER
from keepalived_py.system.files import read_bounded, remove, write_atomically
from keepalived_py.system.firewall import remove_table
from keepalived_py.system.link_messages import LinkState, delete_link_request
from keepalived_py.system.route_messages import (
    RTM_DELROUTE,
    RTM_DELRULE,
    address_request,
    route_request,
    rule_request,
)
from keepalived_py.system.rtnetlink import Request, RouteSocket
from keepalived_py.system.sysctl import Borrowed, read, write

_EEXIST: Final = 17
_GONE: Final = frozenset({2, 3, 6, 19, 99})  # ENOENT, ESRCH, ENXIO, ENODEV, EADDRNOTAVAIL
_RECORD_MAX: Final = 16 * 1024 * 1024
_SETTING: Final = re.compile(
    r"setting (ipv4/conf/[^/\s]{1,15}/(?:arp_ignore|arp_filter|rp_filter|promote_secondaries)) (\d{1,2})", re.A
)
_TABLE: Final = re.compile(r"table (ip6?) ([A-Za-z][A-Za-z0-9_./\\-]{0,250})", re.A)

Complain = Callable[[str], None]


class HostState:
    """Adds and removes, and remembers what is ours.  `record` None: nothing is written down."""

    def __init__(self, link: RouteSocket, record: Path | None, complain: Complain) -> None:
        self._link = link
        self._record = record
        self._complain = complain
        self._ours: dict[str, None] = {}
        self._indices: dict[str, int] = {}
        self._borrowed = Borrowed()

    # Interfaces by name -----------------------------------------------------------------------------------------------------

    def learn(self, links: Iterable[LinkState]) -> None:
        """Take over the interfaces that exist."""
        self._indices = {link.name: link.index for link in links}

    def learn_one(self, name: str, index: int) -> None:
        """Take over one interface that appeared."""
        self._indices[name] = index

    def forget(self, name: str) -> None:
        """Forget an interface that went away, with everything of ours that went with it."""
        self._indices.pop(name, None)
        gone = [key for key in self._ours if key == f"link {name}" or key.startswith(f"address {name} ")]
        self._drop(gone)

    def index(self, name: str) -> int:
        """Return the index of an interface; raise `OSError` when there is none."""
        try:
            return self._indices[name]
        except KeyError:
            raise OSError(19, f"no interface {name}") from None

    # Addresses --------------------------------------------------------------------------------------------------------------

    def add_addresses(self, placed: Sequence[tuple[str, VirtualAddress]]) -> None:
        """Add addresses in one batch; one that is there already is used as it is and stays somebody else's."""
        self._add(
            [(_address_key(interface, address), self._address(interface, address, add=True)) for interface, address in placed]
        )

    def remove_addresses(self, placed: Sequence[tuple[str, VirtualAddress]]) -> None:
        """Remove those of the addresses that are ours."""
        self._remove(
            [(_address_key(interface, address), self._address(interface, address, add=False)) for interface, address in placed]
        )

    def _address(self, interface: str, address: VirtualAddress, *, add: bool) -> bytes | None:
        try:
            return address_request(address, self.index(interface), 0, add=add)
        except OSError as error:
            if add:
                self._complain(f"cannot add {address}: {error.strerror}")
            return None

    # Routes and rules -------------------------------------------------------------------------------------------------------

    def add_routes(self, routes: Sequence[Route]) -> None:
        """Add routes, in order."""
        self._add([(self._route_key(route), self._route(route, add=True)) for route in routes])

    def remove_routes(self, routes: Sequence[Route]) -> None:
        """Remove those of the routes that are ours, in order."""
        self._remove([(self._route_key(route), self._route(route, add=False)) for route in routes])

    def _route(self, route: Route, *, add: bool) -> bytes | None:
        try:
            return route_request(route, self.index, 0, add=add)
        except OSError as error:
            if add:
                self._complain(f"cannot add route {route.destination}: {error.strerror}")
            return None

    def _route_key(self, route: Route) -> str:
        packed = self._route(route, add=False)
        return f"route {packed.hex()}" if packed is not None else ""

    def add_rules(self, rules: Sequence[Rule]) -> None:
        """Add rules, in order."""
        self._add([(_rule_key(rule), rule_request(rule, 0, add=True)) for rule in rules])

    def remove_rules(self, rules: Sequence[Rule]) -> None:
        """Remove those of the rules that are ours, in order."""
        self._remove([(_rule_key(rule), rule_request(rule, 0, add=False)) for rule in rules])

    # Interfaces of ours -----------------------------------------------------------------------------------------------------

    def make_link(self, name: str, request: bytes) -> bool:
        """Make an interface; return whether it is there now, and ours."""
        self._claim([f"link {name}"])
        (error,) = self._link.perform([(f"link {name}", request)])
        if error is not None:
            self._drop([f"link {name}"])
            self._complain(f"cannot make interface {name}: {error}")
            return False
        self.learn(self._link.links())
        return name in self._indices

    def is_ours(self, name: str) -> bool:
        """Whether an interface is there that we made."""
        return f"link {name}" in self._ours and name in self._indices

    def remove_link(self, name: str) -> None:
        """Remove an interface, if it is ours."""
        if self.is_ours(name):
            self._link.perform([(f"link {name}", delete_link_request(self._indices[name], 0))])
        self.forget(name)

    # Settings and tables ----------------------------------------------------------------------------------------------------

    def borrow(self, name: str, value: str) -> None:
        """Change a setting (see `sysctl`) until it is given back; raise `OSError` when the kernel refuses."""
        before = read(name)
        if before == value:
            return
        if self._borrowed.before(name) is None:
            self._claim([f"setting {name} {before}"])
        self._borrowed.set(name, value)

    def give_back(self, name: str) -> None:
        """Put a setting back that was borrowed."""
        before = self._borrowed.before(name)
        if before is not None:
            self._borrowed.restore(name)
            self._drop([f"setting {name} {before}"])

    def give_back_all(self) -> None:
        """Put every setting back."""
        for key in [key for key in self._ours if key.startswith("setting ")]:
            self.give_back(key.split(" ")[1])

    def claim_table(self, family: str, table: str) -> None:
        """Note that a table of nftables is about to be ours; `family` is ip or ip6."""
        self._claim([f"table {family} {table}"])

    def drop_tables(self) -> None:
        """Note that there are no tables of ours any more."""
        self._drop([key for key in self._ours if key.startswith("table ")])

    # What both directions share ---------------------------------------------------------------------------------------------

    def _add(self, wanted: Sequence[tuple[str, bytes | None]]) -> None:
        """Perform requests; what the kernel took is ours.  The record is written first, so that nothing is lost at a crash."""
        requests: list[Request] = [(key, request) for key, request in wanted if request is not None and key not in self._ours]
        if not requests:
            return
        self._claim([key for key, _ in requests])
        refused: list[str] = []
        for (key, _), error in zip(requests, self._link.perform(requests), strict=True):
            if error is not None:
                refused.append(key)
                if error.errno != _EEXIST:
                    self._complain(str(KernelError("ADD", error.errno, _shown(key))))
        self._drop(refused)

    def _remove(self, unwanted: Sequence[tuple[str, bytes | None]]) -> None:
        requests: list[Request] = [(key, request) for key, request in unwanted if request is not None and key in self._ours]
        if not requests:
            return
        for (key, _), error in zip(requests, self._link.perform(requests), strict=True):
            if error is not None and error.errno not in _GONE:
                self._complain(str(KernelError("REMOVE", error.errno, _shown(key))))
        self._drop([key for key, _ in requests])

    # The record -------------------------------------------------------------------------------------------------------------

    def _claim(self, keys: Iterable[str]) -> None:
        before = len(self._ours)
        self._ours.update(dict.fromkeys(keys))
        if len(self._ours) != before:
            self._write()

    def _drop(self, keys: Iterable[str]) -> None:
        before = len(self._ours)
        for key in keys:
            self._ours.pop(key, None)
        if len(self._ours) != before:
            self._write()

    def _write(self) -> None:
        if self._record is None:
            return
        try:
            if self._ours:
                write_atomically(self._record, "".join(f"{key}\n" for key in self._ours).encode())
            else:
                remove(self._record)
        except OSError as error:
            self._complain(f"{self._record} cannot be written: {error.strerror}")

    def clean_up_after_the_last_run(self) -> int:
        """Remove what a run that was killed has left, by its record; return how many things were removed."""
        if self._record is None:
            return 0
        try:
            content = read_bounded(self._record, _RECORD_MAX)
        except OSError as error:
            self._complain(f"{self._record}: {error.strerror or error}; what an earlier run left behind is not known")
            return 0
        lines = (content or b"")[:_RECORD_MAX].decode("ascii", "replace").splitlines()
        requests = [found for line in reversed(lines) if (found := self._removal(line)) is not None]
        removed = sum(error is None for error in self._link.perform(requests))
        removed += sum(_undone(line) for line in reversed(lines))
        remove(self._record)
        return removed

    def _removal(self, line: str) -> Request | None:
        """Return the request that removes what a line of the record stands for; None for a line that makes no sense."""
        kind, _, rest = line.partition(" ")
        try:
            if kind in ("route", "rule"):
                packed = bytes.fromhex(rest)
                length, number, _, _, _ = HEADER.unpack_from(packed)
                fits = length == len(packed) and number == (RTM_DELROUTE if kind == "route" else RTM_DELRULE)
                return (line, packed) if fits else None
            if kind == "link":
                return line, delete_link_request(self.index(rest), 0)
            if kind == "address":
                interface, _, text = rest.rpartition(" ")
                base, _, bits = text.partition("/")
                address = VirtualAddress(Address.parse(base), int(bits))
                return line, address_request(address, self.index(interface), 0, add=False)
        except (ValueError, OSError, OverflowError, struct.error):
            return None
        return None


def _undone(line: str) -> bool:
    """Put back what a line of the record says of a setting or a table; return whether it was one and could be."""
    if setting := _SETTING.fullmatch(line):
        with contextlib.suppress(OSError):
            write(setting[1], setting[2])
            return True
    elif table := _TABLE.fullmatch(line):
        with contextlib.suppress(KernelError):
            remove_table(table[1], table[2])
            return True
    return False


def _address_key(interface: str, address: VirtualAddress) -> str:
    return f"address {interface} {address.address}/{address.prefix_length}"


def _rule_key(rule: Rule) -> str:
    return f"rule {rule_request(rule, 0, add=False).hex()}"


def _shown(key: str) -> str:
    kind, _, rest = key.partition(" ")
    return key if kind in ("address", "link") else f"{kind} {rest[:24]}..."
