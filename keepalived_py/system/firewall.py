"""nftables objects of VRRP: packets to virtual addresses that are not accepted, and group reports of VMACs.

The tables are laid out once, by ``nft``, before anything depends on them; what changes at a transition are elements of sets, which
are packed here and sent in one batch, so that the loop that sends adverts never waits for a program.  The layout is keepalived's
own, as ``nft list ruleset`` shows it beside a running keepalived.
"""

import errno
import socket
import struct
import subprocess
from collections.abc import Iterable, Sequence
from typing import Final

from keepalived_py.addresses import Address, Family
from keepalived_py.errors import KernelError
from keepalived_py.netlink.exchange import Acknowledgements
from keepalived_py.netlink.framing import HEADER, DecodeError, MessageFlag, attribute

_NFNL_SUBSYS_NFTABLES: Final = 10
_BATCH_BEGIN: Final = 0x10
_BATCH_END: Final = 0x11
_NEWSETELEM: Final = 12
_DELSETELEM: Final = 14
_NFGENMSG: Final = struct.Struct("!BBH")
_CREATE: Final = 0x400
_NESTED: Final = 0x8000
_LIST_TABLE: Final = 1
_LIST_SET: Final = 2
_LIST_ELEMENTS: Final = 3
_ELEMENT: Final = 1
_KEY: Final = 1
_DATA: Final = 2
_VALUE: Final = 1
_NFT_SECONDS: Final = 10
_DATAGRAM_MAX: Final = 65_536
_CHUNK: Final = 256

_LAYOUT: Final = """\
add table {family} {table}
delete table {family} {table}
table {family} {table} {{
    set vips {{ type {address_type}; }}
    set vips_here {{ type iface_index . {address_type}; }}
    map vmac_map {{ type iface_index : iface_index; }}
    set vmac_set {{ type iface_index; }}
    chain in {{
        type filter hook input priority {priority}; policy accept;
        {discovery}{word} daddr @vips {counter}drop
        {discovery}iif . {word} daddr @vips_here {counter}drop
    }}
    chain out {{
        type filter hook output priority {priority}; policy accept;
        {discovery}{word} saddr @vips {counter}drop
        {discovery}oif . {word} saddr @vips_here {counter}drop
{reports}    }}
}}
"""
_DISCOVERY: Final = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n        "
_IGMP: Final = '        ip protocol igmp meta oifkind "macvlan" dup to ip daddr device oif map @vmac_map {counter}drop\n'
_MLD: Final = (
    '        icmpv6 type mld2-listener-report meta oifkind "macvlan" dup to ip6 daddr device oif map @vmac_map {counter}drop\n'
    '        icmpv6 type nd-router-solicit meta oifkind "macvlan" oif @vmac_set {counter}drop\n'
)

Blocked = tuple[Address, int]
"""An address, and the index of the one interface on which it is blocked (0: on all)."""


class Firewall:
    """The tables of one process.  A family's table is laid out when it is first needed, and removed by `close`."""

    def __init__(self, table: str, priority: int, *, counters: bool, reports: bool) -> None:
        self._table = table
        self._priority = priority
        self._counters = counters
        self._reports = reports
        self._laid_out: set[Family] = set()
        self._socket: socket.socket | None = None
        self._sequence = 0

    def prepare(self, families: Iterable[Family]) -> None:
        """Lay out the tables of these families; raise `KernelError` when ``nft`` cannot.

        Takes milliseconds, so it belongs to a start or a reload and not to a transition.
        """
        for family in families:
            if family in self._laid_out:
                continue
            _nft(self._layout(family))
            self._laid_out.add(family)
        if self._socket is None:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
            self._socket.settimeout(1)
            self._socket.bind((0, 0))

    def _layout(self, family: Family) -> str:
        ipv4 = family is Family.INET
        counter = "counter " if self._counters else ""
        reports = (_IGMP if ipv4 else _MLD).format(counter=counter) if self._reports else ""
        return _LAYOUT.format(
            family="ip" if ipv4 else "ip6",
            word="ip" if ipv4 else "ip6",
            table=self._table,
            address_type="ipv4_addr" if ipv4 else "ipv6_addr",
            priority=self._priority,
            discovery="" if ipv4 else _DISCOVERY,
            counter=counter,
            reports=reports,
        )

    def block(self, addresses: Sequence[Blocked]) -> None:
        """Drop packets to and from these addresses from now on."""
        self._change(_NEWSETELEM, addresses)

    def unblock(self, addresses: Sequence[Blocked]) -> None:
        """Undo `block`."""
        self._change(_DELSETELEM, addresses)

    def _change(self, kind: int, addresses: Sequence[Blocked]) -> None:
        for family in Family:
            everywhere = [_key(address.packed) for address, index in addresses if address.family is family and not index]
            here = [_key(_index(index) + address.packed) for address, index in addresses if address.family is family and index]
            self._elements(kind, family, {"vips": everywhere, "vips_here": here})

    def add_vmac(self, family: Family, index: int, base: int) -> None:
        """Let group reports of a VMAC leave from the interface below it, as switches expect."""
        self._vmac(_NEWSETELEM, family, index, base)

    def remove_vmac(self, family: Family, index: int, base: int) -> None:
        """Undo `add_vmac`."""
        self._vmac(_DELSETELEM, family, index, base)

    def _vmac(self, kind: int, family: Family, index: int, base: int) -> None:
        key = _key(_index(index))
        pair = key + attribute(_DATA | _NESTED, attribute(_VALUE, _index(base)))
        self._elements(kind, family, {"vmac_map": [pair], "vmac_set": [key]})

    def _elements(self, kind: int, family: Family, sets: dict[str, list[bytes]]) -> None:
        bodies = [
            _element_list(self._table, name, elements[start : start + _CHUNK])
            for name, elements in sets.items()
            for start in range(0, len(elements), _CHUNK)
        ]
        if bodies:
            self._send(kind, family, bodies)

    def _send(self, kind: int, family: Family, bodies: list[bytes]) -> None:
        """Send one batch; raise `KernelError` for the first message that is refused (the kernel then does none of them)."""
        if self._socket is None:
            raise KernelError("SETELEM", errno.ENOENT, f"{self._table} (its tables are not laid out)")
        first = self._sequence + 1
        flags = MessageFlag.REQUEST | MessageFlag.ACK | (_CREATE if kind == _NEWSETELEM else 0)
        number = _NFNL_SUBSYS_NFTABLES << 8 | kind
        parts = [_message(_BATCH_BEGIN, MessageFlag.REQUEST, 0, 0, b"", _NFNL_SUBSYS_NFTABLES)]
        parts += [_message(number, flags, first + offset, family, body) for offset, body in enumerate(bodies)]
        parts.append(_message(_BATCH_END, MessageFlag.REQUEST, 0, 0, b"", _NFNL_SUBSYS_NFTABLES))
        self._sequence += len(bodies)
        acknowledgements = Acknowledgements(first, len(bodies))
        try:
            self._socket.send(b"".join(parts))
            while not acknowledgements.done:
                acknowledgements.feed(self._socket.recv(_DATAGRAM_MAX))
        except DecodeError:
            raise KernelError("SETELEM", errno.EBADMSG, self._table) from None
        except OSError as error:
            raise KernelError("SETELEM", error.errno or errno.ETIMEDOUT, self._table) from None
        refused = next((error for error in acknowledgements.errors(errno.ETIMEDOUT) if error), 0)
        if refused and not (kind == _DELSETELEM and refused == errno.ENOENT):
            raise KernelError("SETELEM", refused, self._table)

    def close(self) -> None:
        """Remove the tables and close the socket."""
        for family in self._laid_out:
            remove_table(word_of(family), self._table)
        self._laid_out.clear()
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def word_of(family: Family) -> str:
    """Return nft's word for a family."""
    return "ip" if family is Family.INET else "ip6"


def remove_table(family: str, table: str) -> None:
    """Remove a table; raise `KernelError` when there is none."""
    _nft(f"delete table {family} {table}\n")


_NETLINK_NETFILTER: Final = 12


def _message(kind: int, flags: int, sequence: int, family: int, body: bytes, resource: int = 0) -> bytes:
    whole = _NFGENMSG.pack(family, 0, resource) + body
    return HEADER.pack(HEADER.size + len(whole), kind, flags, sequence, 0) + whole


def _element_list(table: str, name: str, elements: list[bytes]) -> bytes:
    listed = b"".join(attribute(_ELEMENT | _NESTED, element) for element in elements)
    names = attribute(_LIST_TABLE, table.encode() + b"\0") + attribute(_LIST_SET, name.encode() + b"\0")
    return names + attribute(_LIST_ELEMENTS | _NESTED, listed)


def _key(data: bytes) -> bytes:
    return attribute(_KEY | _NESTED, attribute(_VALUE, data))


def _index(index: int) -> bytes:
    """Pack an interface index as nftables compares it: in the host's byte order."""
    return struct.pack("=I", index)


def _nft(script: str) -> None:
    """Run a script through ``nft``; raise `KernelError` when it fails."""
    try:
        done = subprocess.run(["nft", "-f", "-"], input=script, capture_output=True, text=True, timeout=_NFT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KernelError("NFT", getattr(error, "errno", None) or errno.ENOENT, f"nft cannot be run: {error}") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise KernelError("NFT", errno.EINVAL, said[0] if said else f"nft: status {done.returncode}")
