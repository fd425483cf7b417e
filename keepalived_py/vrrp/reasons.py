"""What can be wrong with a received packet; what is counted for it, and what SNMP managers are told."""

import enum
from collections.abc import Mapping
from typing import Final

from keepalived_py.vrrp.actions import TrapKind


class Reason(enum.Enum):
    """One complaint about a packet, in the order of the checks."""

    AH_HEADER = enum.auto()
    LENGTH = enum.auto()
    HOP_LIMIT = enum.auto()
    VERSION = enum.auto()
    HMAC_MISSING = enum.auto()
    UNKNOWN_PEER = enum.auto()
    HMAC_MALFORMED = enum.auto()
    HMAC_STALE = enum.auto()
    HMAC_UNKNOWN_KEY = enum.auto()
    HMAC_INVALID = enum.auto()
    HMAC_REPLAYED = enum.auto()
    CLOCK_SKEW = enum.auto()
    AUTH_UNKNOWN = enum.auto()
    AUTH_OTHER = enum.auto()
    PASSWORD = enum.auto()
    AH_OTHER_PROTOCOL = enum.auto()
    AH_VALUE = enum.auto()
    AH_INDEX = enum.auto()
    AH_SEQUENCE = enum.auto()
    INTERVAL = enum.auto()
    TYPE = enum.auto()
    TOTAL_LENGTH = enum.auto()
    CHECKSUM = enum.auto()
    DESTINATION = enum.auto()
    OWNER = enum.auto()
    ADDRESS_COUNT = enum.auto()
    ADDRESS_LIST = enum.auto()
    PEER_HOP_LIMIT = enum.auto()


COUNTERS: Final[Mapping[Reason, str]] = {
    Reason.AH_HEADER: "authtype_mismatch",
    Reason.LENGTH: "packet_len_err",
    Reason.HOP_LIMIT: "ip_ttl_err",
    Reason.VERSION: "vers_err",
    Reason.HMAC_MISSING: "auth_ext_missing",
    Reason.HMAC_MALFORMED: "auth_ext_malformed",
    Reason.HMAC_STALE: "auth_ext_stale",
    Reason.HMAC_UNKNOWN_KEY: "auth_ext_unknown_key",
    Reason.HMAC_INVALID: "auth_ext_invalid_hmac",
    Reason.HMAC_REPLAYED: "auth_ext_replay",
    Reason.AUTH_UNKNOWN: "invalid_authtype",
    Reason.AUTH_OTHER: "authtype_mismatch",
    Reason.PASSWORD: "auth_failure",
    Reason.AH_VALUE: "auth_failure",
    Reason.AH_INDEX: "auth_failure",
    Reason.AH_SEQUENCE: "auth_failure",
    Reason.INTERVAL: "advert_interval_err",
    Reason.TYPE: "invalid_type_rcvd",
    Reason.TOTAL_LENGTH: "packet_len_err",
    Reason.CHECKSUM: "chk_err",
    Reason.DESTINATION: "addr_list_err",
    Reason.ADDRESS_COUNT: "addr_list_err",
    Reason.ADDRESS_LIST: "addr_list_err",
    Reason.PEER_HOP_LIMIT: "ip_ttl_err",
}
"""The counter of `statistics.Statistics` for each complaint that has one."""

TRAPS: Final[Mapping[Reason, tuple[TrapKind, str]]] = {
    Reason.AH_HEADER: (TrapKind.AUTHENTICATION, "authTypeMismatch"),
    Reason.HOP_LIMIT: (TrapKind.PROTOCOL, "ipTtlError"),
    Reason.VERSION: (TrapKind.PROTOCOL, "versionError"),
    Reason.AUTH_UNKNOWN: (TrapKind.AUTHENTICATION, "invalidAuthType"),
    Reason.AUTH_OTHER: (TrapKind.AUTHENTICATION, "authTypeMismatch"),
    Reason.PASSWORD: (TrapKind.AUTHENTICATION, "authFailure"),
    Reason.AH_VALUE: (TrapKind.AUTHENTICATION, "authFailure"),
    Reason.AH_INDEX: (TrapKind.AUTHENTICATION, "authFailure"),
    Reason.AH_SEQUENCE: (TrapKind.AUTHENTICATION, "authFailure"),
    Reason.CHECKSUM: (TrapKind.PROTOCOL, "checksumError"),
    Reason.PEER_HOP_LIMIT: (TrapKind.PROTOCOL, "ipTtlError"),
}
"""The notification of VRRP-MIB (RFC 2787) or VRRPv3-MIB (RFC 6527) that a complaint is worth, and its reason there."""
