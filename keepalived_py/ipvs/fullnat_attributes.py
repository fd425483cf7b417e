"""The generic netlink family IPVS_FNAT of our own kernel module as tables: every command and attribute with its number and codec.

Source: kmod/include/uapi/linux/ip_vs_fnat.h, whose names these are without their prefix; a test compares the two.  Only names,
numbers and types: no packing (`fullnat`), no meaning.
"""

import enum
from typing import Final

from keepalived_py.ipvs.attributes import FAMILY_FULLNAT, Attribute, Codec

FAMILY: Final = FAMILY_FULLNAT
"""``IPVS_FNAT_GENL_NAME``."""

FAMILY_VERSION: Final = 1
"""``IPVS_FNAT_GENL_VERSION``."""

ABI: Final = 1
"""``IPVS_FNAT_ABI`` that this module was written for."""

LADDR_MAX: Final = 65536
"""``IPVS_FNAT_LADDR_MAX``: local addresses of one service."""

TIMEOUT_MAX: Final = 86400 * 31
"""``IPVS_FNAT_TIMEOUT_MAX``: longest EST_TIMEOUT in seconds."""


class Feature(enum.IntFlag):
    """``IPVS_FNAT_F_*``: what the loaded module can do."""

    IPV4 = 1 << 0
    IPV6 = 1 << 1
    TCP = 1 << 2
    UDP = 1 << 3
    TOA = 1 << 4
    SYNPROXY = 1 << 5
    ACL = 1 << 6
    EARLY = 1 << 7


class FullnatCommand(enum.IntEnum):
    """``IPVS_FNAT_CMD_*``."""

    GET_INFO = 1
    NEW_LADDR = 2
    DEL_LADDR = 3
    GET_LADDR = 4
    SET_SERVICE = 5
    GET_SERVICE = 6
    SET_ACL = 7
    GET_CONN = 8
    GET_STATS = 9


class FullnatAttribute(Attribute):
    """``IPVS_FNAT_A_*``: the first level of every message.  SERVICE holds the kernel's own ``IPVS_SVC_ATTR_*``."""

    PAD = 1, Codec.PAD
    ABI = 2, Codec.U32
    FEATURES = 3, Codec.U32
    TABLE_SIZE = 4, Codec.U32
    CONNS = 5, Codec.U64
    SERVICE = 6, Codec.NESTED
    LADDR = 7, Codec.NESTED
    LADDR_COUNT = 8, Codec.U32
    EST_TIMEOUT = 9, Codec.U32
    CONN = 10, Codec.NESTED
    STATS = 11, Codec.NESTED


class LocalAttribute(Attribute):
    """``IPVS_FNAT_LADDR_*``: a local address of a service."""

    PAD = 1, Codec.PAD
    AF = 2, Codec.U16
    ADDR = 3, Codec.ADDRESS
    FLAGS = 4, Codec.U32
    CONNS = 5, Codec.U32
    ALLOCS = 6, Codec.U64
    CONFLICTS = 7, Codec.U64
    PORTS = 8, Codec.U32


class LocalFlag(enum.IntFlag):
    """``IPVS_FNAT_LADDR_F_*``."""

    LOCAL = 1 << 0


class ConnectionAttribute(Attribute):
    """``IPVS_FNAT_CONN_*``: a session."""

    PAD = 1, Codec.PAD
    AF = 2, Codec.U16
    PROTOCOL = 3, Codec.U16
    CADDR = 4, Codec.ADDRESS
    CPORT = 5, Codec.BE16
    VADDR = 6, Codec.ADDRESS
    VPORT = 7, Codec.BE16
    LADDR = 8, Codec.ADDRESS
    LPORT = 9, Codec.BE16
    DADDR = 10, Codec.ADDRESS
    DPORT = 11, Codec.BE16
    STATE = 12, Codec.STRING
    EXPIRES = 13, Codec.U32
    FLAGS = 14, Codec.U32


class Counter(enum.IntEnum):
    """``enum ipvs_fnat_stat``; in lower case the names of /proc/net/ip_vs_ext_stats."""

    FULLNAT_ADD_TOA_OK = 0
    FULLNAT_ADD_TOA_FAIL_LEN = 1
    FULLNAT_ADD_TOA_HEAD_FULL = 2
    FULLNAT_ADD_TOA_FAIL_MEM = 3
    FULLNAT_ADD_TOA_FAIL_PROTO = 4
    FULLNAT_STRIP_TOA = 5
    FULLNAT_CONN_REUSED = 6
    FULLNAT_CONN_REUSED_CLOSE = 7
    FULLNAT_CONN_REUSED_TIMEWAIT = 8
    FULLNAT_CONN_REUSED_FINWAIT = 9
    FULLNAT_CONN_REUSED_CLOSEWAIT = 10
    FULLNAT_CONN_REUSED_LASTACK = 11
    FULLNAT_CONN_REUSED_ESTAB = 12
    FULLNAT_CONN_ALLOC = 13
    FULLNAT_CONN_FREE = 14
    FULLNAT_NO_LADDR = 15
    FULLNAT_PORT_CONFLICT = 16
    FULLNAT_PORT_EXHAUSTED = 17
    FULLNAT_NO_MEMORY = 18
    FULLNAT_ICMP_IN = 19
    FULLNAT_ICMP_OUT = 20
    FULLNAT_DROP = 21
    RST_IN_ESTABLISHED = 22
    RST_OUT_ESTABLISHED = 23
    RST_LIMITED = 24
