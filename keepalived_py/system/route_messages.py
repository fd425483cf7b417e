"""Addresses, routes and rules as rtnetlink requests: the values of `config.routing` packed by hand, a few microseconds each.

At a takeover hundreds of addresses go into the kernel at once, from the loop that sends adverts; a general library takes a hundred
times as long for each.  Pure: no socket.  Numbers are those of linux/if_addr.h, linux/rtnetlink.h, linux/fib_rules.h and
linux/lwtunnel.h; interfaces are handed in as indices.
"""

import struct
from collections.abc import Callable
from typing import Final

from keepalived_py.addresses import Family
from keepalived_py.config.routing import (
    FOREVER,
    Encap,
    Insertion,
    IpEncap,
    Metrics,
    MplsEncap,
    Nexthop,
    Prefix,
    Route,
    Rule,
    RuleAction,
    VirtualAddress,
)
from keepalived_py.netlink.framing import HEADER, MessageFlag, attribute

RTM_NEWADDR: Final = 20
RTM_DELADDR: Final = 21
RTM_NEWROUTE: Final = 24
RTM_DELROUTE: Final = 25
RTM_NEWRULE: Final = 32
RTM_DELRULE: Final = 33

NLM_F_REPLACE: Final = 0x100
NLM_F_EXCL: Final = 0x200
NLM_F_CREATE: Final = 0x400
NLM_F_APPEND: Final = 0x800

_IFADDRMSG: Final = struct.Struct("=BBBBI")
_RTMSG: Final = struct.Struct("=BBBBBBBBI")
_FIB_RULE_HDR: Final = struct.Struct("=BBBBBBBBI")
_RTNEXTHOP: Final = struct.Struct("=HBBi")
_CACHEINFO: Final = struct.Struct("=IIII")
_U16: Final = struct.Struct("=H")
_U32: Final = struct.Struct("=I")
_BE16: Final = struct.Struct("!H")
_BE32: Final = struct.Struct("!I")
_BE64: Final = struct.Struct("!Q")
_U16_PAIR: Final = struct.Struct("=HH")
_U32_PAIR: Final = struct.Struct("=II")

_REQUEST: Final = MessageFlag.REQUEST | MessageFlag.ACK
_INSERTION: Final = {
    Insertion.PREPEND: NLM_F_CREATE,
    Insertion.ADD: NLM_F_CREATE | NLM_F_EXCL,
    Insertion.APPEND: NLM_F_CREATE | NLM_F_APPEND,
}

IFA_PROTO_KEEPALIVED: Final = 18
"""Marks addresses as ours (``ip address show proto 18``); the kernel knows the attribute since 5.18 and ignores it before."""

_NESTED: Final = 0x8000
_UNICAST: Final = 1
_SCOPE_LINK: Final = 253
_SCOPE_HOST: Final = 254
_ONLINK: Final = 4
_INVERT: Final = 2
_MAX_TABLE: Final = 255
_UNSPECIFIED_TABLE: Final = 0

IndexOf = Callable[[str], int]
"""Returns the index of an interface by its name; raises `OSError` when there is none."""


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """Frame one request."""
    return HEADER.pack(HEADER.size + len(body), kind, flags, sequence, 0) + body


# Addresses ---------------------------------------------------------------------------------------------------------------------


def address_request(address: VirtualAddress, index: int, sequence: int, *, add: bool) -> bytes:
    """Pack RTM_NEWADDR or RTM_DELADDR for the interface with this index."""
    body = _IFADDRMSG.pack(address.family, address.prefix_length, 0, address.scope, index)
    packed = address.address.packed
    body += attribute(2, packed)
    body += attribute(1, address.peer.packed if address.peer is not None else packed)
    if not add:
        return message(RTM_DELADDR, _REQUEST, sequence, body)
    if address.broadcast is not None:
        body += attribute(4, address.broadcast.packed)
    if address.label is not None:
        body += attribute(3, address.label.encode() + b"\0")
    if address.family is Family.INET6:
        preferred = FOREVER if address.preferred_lifetime is None else address.preferred_lifetime
        body += attribute(6, _CACHEINFO.pack(preferred, FOREVER, 0, 0))
    flags = int(address.flags)
    if flags and (address.family is Family.INET6 or flags & ~0xFF):
        body += attribute(8, _U32.pack(flags))
    body += attribute(11, bytes([IFA_PROTO_KEEPALIVED]))
    return message(RTM_NEWADDR, _REQUEST | NLM_F_CREATE | NLM_F_EXCL, sequence, body)


# Routes ------------------------------------------------------------------------------------------------------------------------


def route_request(route: Route, index_of: IndexOf, sequence: int, *, add: bool) -> bytes:
    """Pack RTM_NEWROUTE or RTM_DELROUTE."""
    kind = _UNICAST if route.kind is None else route.kind
    table = route.table if route.table <= _MAX_TABLE else _UNSPECIFIED_TABLE
    source_bits = route.source.length if route.source is not None else 0
    flags = _ONLINK if route.onlink else 0
    scope = _scope_of(route, kind)
    protocol = route.protocol or 0
    body = _RTMSG.pack(route.family, route.destination.length, source_bits, route.tos or 0, table, protocol, scope, kind, flags)
    body += _prefix(1, route.destination) + _prefix(2, route.source) + attribute(15, _U32.pack(route.table))
    if route.interface is not None:
        body += attribute(4, _U32.pack(index_of(route.interface)))
    if route.via is not None:
        body += _gateway(route.via.packed, route.via.family, route.family)
    if route.metric is not None:
        body += attribute(6, _U32.pack(route.metric))
    if route.preferred_source is not None:
        body += attribute(7, route.preferred_source.packed)
    body += _route_options(route) + _nexthops(route, index_of)
    if add:
        return message(RTM_NEWROUTE, _REQUEST | _INSERTION[route.insertion], sequence, body)
    return message(RTM_DELROUTE, _REQUEST, sequence, body)


def _scope_of(route: Route, kind: int) -> int:
    """Return the scope: as configured, else what the kind of IPv4 route has (host if local, link without a gateway)."""
    if route.scope is not None:
        return route.scope
    if route.family is Family.INET6:
        return 0
    if kind in (2, 10):
        return _SCOPE_HOST
    if kind in (3, 4, 5) or (kind == _UNICAST and route.via is None and not route.nexthops):
        return _SCOPE_LINK
    return 0


def _prefix(number: int, prefix: Prefix | None) -> bytes:
    return attribute(number, prefix.address.packed) if prefix is not None and prefix.length else b""


def _gateway(packed: bytes, family: Family, route_family: Family) -> bytes:
    """RTA_GATEWAY, or RTA_VIA for a next hop of the other family."""
    return attribute(5, packed) if family is route_family else attribute(18, _U16.pack(family) + packed)


def _route_options(route: Route) -> bytes:
    body = b""
    if route.realms is not None:
        body += attribute(11, _U32.pack(route.realms))
    if route.expires is not None:
        body += attribute(23, _U32.pack(route.expires))
    if route.preference is not None:
        body += attribute(20, bytes([route.preference]))
    if route.ttl_propagate is not None:
        body += attribute(26, bytes([route.ttl_propagate]))
    if route.encap is not None:
        body += _encap(route.encap)
    metrics = _metrics(route.metrics)
    return body + (attribute(8 | _NESTED, metrics) if metrics else b"")


_METRICS: Final = {
    "mtu": 2,
    "window": 3,
    "rtt": 4,
    "rttvar": 5,
    "ssthresh": 6,
    "cwnd": 7,
    "advmss": 8,
    "reordering": 9,
    "hoplimit": 10,
    "initcwnd": 11,
    "rto_min": 13,
    "initrwnd": 14,
    "quickack": 15,
    "fastopen_no_cookie": 17,
}
_LOCK: Final = 1
_FEATURES: Final = 12
_CONGESTION: Final = 16
_FEATURE_ECN: Final = 1


def _metrics(metrics: Metrics) -> bytes:
    body = b""
    for name, number in _METRICS.items():
        value = getattr(metrics, name)
        if value is not None:
            body += attribute(number, _U32.pack(value))
    if metrics.ecn:
        body += attribute(_FEATURES, _U32.pack(_FEATURE_ECN))
    if metrics.congctl is not None:
        body += attribute(_CONGESTION, metrics.congctl.encode() + b"\0")
    locked = sum(1 << (_CONGESTION if name == "congctl" else _METRICS[name]) for name in metrics.locked)
    return (attribute(_LOCK, _U32.pack(locked)) if locked else b"") + body


def _nexthops(route: Route, index_of: IndexOf) -> bytes:
    if not route.nexthops:
        return b""
    return attribute(9, b"".join(_nexthop(hop, route.family, index_of) for hop in route.nexthops))


def _nexthop(hop: Nexthop, family: Family, index_of: IndexOf) -> bytes:
    body = b""
    if hop.via is not None:
        body += _gateway(hop.via.packed, hop.via.family, family)
    if hop.realms is not None:
        body += attribute(11, _U32.pack(hop.realms))
    if hop.encap is not None:
        body += _encap(hop.encap)
    index = index_of(hop.interface) if hop.interface is not None else 0
    flags = _ONLINK if hop.onlink else 0
    return _RTNEXTHOP.pack(_RTNEXTHOP.size + len(body), flags, (hop.weight or 1) - 1, index) + body


def _encap(encap: Encap) -> bytes:
    """RTA_ENCAP and RTA_ENCAP_TYPE (``LWTUNNEL_ENCAP_*``)."""
    if isinstance(encap, MplsEncap):
        kind, body = 1, attribute(1, _label_stack(encap.labels))
    elif isinstance(encap, IpEncap):
        kind, body = _ip_encap(encap)
    else:
        kind, body = 3, attribute(1, _BE64.pack(encap.locator))
    return attribute(22 | _NESTED, body) + attribute(21, _U16.pack(kind))


def _label_stack(labels: tuple[int, ...]) -> bytes:
    """MPLS label stack entries (RFC 3032): 20 bits of label, the bottom-of-stack bit on the last one."""
    last = len(labels) - 1
    return b"".join(_BE32.pack(label << 12 | (1 << 8 if position == last else 0)) for position, label in enumerate(labels))


def _ip_encap(encap: IpEncap) -> tuple[int, bytes]:
    body = b""
    if encap.id is not None:
        body += attribute(1, _BE64.pack(encap.id))
    if encap.destination is not None:
        body += attribute(2, encap.destination.packed)
    if encap.source is not None:
        body += attribute(3, encap.source.packed)
    if encap.ttl is not None:
        body += attribute(4, bytes([encap.ttl]))
    if encap.tos is not None:
        body += attribute(5, bytes([encap.tos]))
    if encap.flags is not None:
        body += attribute(6, _BE16.pack(encap.flags))
    return (2 if encap.family is Family.INET else 4), body


# Rules -------------------------------------------------------------------------------------------------------------------------


def rule_request(rule: Rule, sequence: int, *, add: bool) -> bytes:
    """Pack RTM_NEWRULE or RTM_DELRULE."""
    table = rule.table if rule.action is RuleAction.TO_TABLE and not rule.l3mdev and rule.table is not None else 0
    body = _FIB_RULE_HDR.pack(
        rule.family,
        rule.destination.length if rule.destination is not None else 0,
        rule.source.length if rule.source is not None else 0,
        rule.tos or 0,
        table if table <= _MAX_TABLE else _UNSPECIFIED_TABLE,
        0,
        0,
        rule.action,
        _INVERT if rule.invert else 0,
    )
    body += attribute(6, _U32.pack(rule.priority)) + _prefix(1, rule.destination) + _prefix(2, rule.source)
    if table:
        body += attribute(15, _U32.pack(table))
    body += _rule_selectors(rule)
    if add:
        return message(RTM_NEWRULE, _REQUEST | NLM_F_CREATE | NLM_F_EXCL, sequence, body)
    return message(RTM_DELRULE, _REQUEST, sequence, body)


def _rule_selectors(rule: Rule) -> bytes:
    numbers = {
        4: rule.goto,
        10: rule.fwmark,
        16: rule.fwmask,
        11: rule.realms,
        14: rule.suppress_prefix_length,
        13: rule.suppress_group,
    }
    body = b"".join(attribute(number, _U32.pack(value)) for number, value in numbers.items() if value is not None)
    names = {3: rule.incoming, 17: rule.outgoing}
    body += b"".join(attribute(number, name.encode() + b"\0") for number, name in names.items() if name is not None)
    if rule.tunnel_id is not None:
        body += attribute(12, _BE64.pack(rule.tunnel_id))
    if rule.uid_range is not None:
        body += attribute(20, _U32_PAIR.pack(*rule.uid_range))
    if rule.l3mdev:
        body += attribute(19, b"\1")
    if rule.protocol is not None:
        body += attribute(21, bytes([rule.protocol]))
    if rule.ip_protocol is not None:
        body += attribute(22, bytes([rule.ip_protocol]))
    ports = {23: rule.source_ports, 24: rule.destination_ports}
    return body + b"".join(attribute(number, _U16_PAIR.pack(*pair)) for number, pair in ports.items() if pair is not None)
