"""The generic netlink interface of IPVS as tables: every command and attribute with its number and codec.

Source: include/uapi/linux/ip_vs.h (the enums, in its order; unchanged from Linux 5.3 to 7.2) and the policies in
net/netfilter/ipvs/ip_vs_ctl.c (types).  Byte order is the kernel's unless the codec says BE.  What our own kernel module adds
stands under its own heading.  Only names, numbers and types: no packing, no meaning.
"""

import enum
import struct
from typing import Final, Self

FAMILY: Final = "IPVS"
"""``IPVS_GENL_NAME``: the family that carries services, destinations, sync daemons and timeouts."""

FAMILY_VERSION: Final = 1
"""``IPVS_GENL_VERSION``."""

FAMILY_FULLNAT: Final = "IPVS_FNAT"
"""The family of our own kernel module.  Its presence is the feature test: a stock kernel takes forwarding method 5
(`config.lvs.ForwardingMethod.FULLNAT`) and service flag 0x8000 (`config.lvs.ServiceFlags.SYN_PROXY`) without a word and then
loses the packets."""

SCHEDULER_NAME_MAX: Final = 15
"""``IP_VS_SCHEDNAME_MAXLEN`` without its NUL; interface names have the same limit."""

PE_NAME_MAX: Final = 15
"""``IP_VS_PENAME_MAXLEN`` without its NUL."""

WEIGHT_MAX: Final = 2**31 - 1
"""A destination's weight is an ``int``; a negative one is refused with ERANGE (ip_vs_add_dest)."""

THRESHOLD_MAX: Final = 2**31 - 1
"""``u_threshold > INT_MAX`` is refused with EINVAL; a lower threshold above the upper one with ERANGE (ip_vs_add_dest)."""


class Codec(enum.Enum):
    """How the payload of an attribute is laid out."""

    U8 = enum.auto()
    U16 = enum.auto()
    U32 = enum.auto()
    U64 = enum.auto()
    BE16 = enum.auto()
    BE32 = enum.auto()
    ADDRESS = enum.auto()
    """``union nf_inet_addr``: the kernel sends 16 bytes for both families and takes 4 for IPv4."""
    STRING = enum.auto()
    """Text that ends in NUL."""
    FLAGS = enum.auto()
    """``struct ip_vs_flags``: 32 bits of flags and 32 bits that say which of them are meant."""
    NESTED = enum.auto()
    PAD = enum.auto()


NUMBER: Final = {
    Codec.U8: struct.Struct("=B"),
    Codec.U16: struct.Struct("=H"),
    Codec.U32: struct.Struct("=I"),
    Codec.U64: struct.Struct("=Q"),
    Codec.BE16: struct.Struct("!H"),
    Codec.BE32: struct.Struct("!I"),
}
"""Layout of the codecs that are numbers."""


class Attribute(enum.IntEnum):
    """Base of the attribute sets: a member is its number, with the codec beside it."""

    codec: Codec

    def __new__(cls, number: int, codec: Codec) -> Self:
        """Make a member out of the pair that the table spells."""
        member = int.__new__(cls, number)
        member._value_ = number
        member.codec = codec
        return member


class Command(enum.IntEnum):
    """``IPVS_CMD_*``.  SET_INFO only ever comes from the kernel, as the answer to GET_INFO."""

    NEW_SERVICE = 1
    SET_SERVICE = 2
    DEL_SERVICE = 3
    GET_SERVICE = 4
    NEW_DEST = 5
    SET_DEST = 6
    DEL_DEST = 7
    GET_DEST = 8
    NEW_DAEMON = 9
    DEL_DAEMON = 10
    GET_DAEMON = 11
    SET_CONFIG = 12
    GET_CONFIG = 13
    SET_INFO = 14
    GET_INFO = 15
    ZERO = 16
    FLUSH = 17


class CommandAttribute(Attribute):
    """``IPVS_CMD_ATTR_*``: the first level of every message but SET_INFO."""

    SERVICE = 1, Codec.NESTED
    DEST = 2, Codec.NESTED
    DAEMON = 3, Codec.NESTED
    TIMEOUT_TCP = 4, Codec.U32
    TIMEOUT_TCP_FIN = 5, Codec.U32
    TIMEOUT_UDP = 6, Codec.U32


class ServiceAttribute(Attribute):
    """``IPVS_SVC_ATTR_*``.  NETMASK: IPv4 a mask in network order, IPv6 a prefix length in host order."""

    AF = 1, Codec.U16
    PROTOCOL = 2, Codec.U16
    ADDR = 3, Codec.ADDRESS
    PORT = 4, Codec.BE16
    FWMARK = 5, Codec.U32
    SCHED_NAME = 6, Codec.STRING
    FLAGS = 7, Codec.FLAGS
    TIMEOUT = 8, Codec.U32
    NETMASK = 9, Codec.U32
    STATS = 10, Codec.NESTED
    PE_NAME = 11, Codec.STRING
    STATS64 = 12, Codec.NESTED


class DestinationAttribute(Attribute):
    """``IPVS_DEST_ATTR_*``.  ADDR_FAMILY is newer than ADDR: without it the service's family is meant."""

    ADDR = 1, Codec.ADDRESS
    PORT = 2, Codec.BE16
    FWD_METHOD = 3, Codec.U32
    WEIGHT = 4, Codec.U32
    U_THRESH = 5, Codec.U32
    L_THRESH = 6, Codec.U32
    ACTIVE_CONNS = 7, Codec.U32
    INACT_CONNS = 8, Codec.U32
    PERSIST_CONNS = 9, Codec.U32
    STATS = 10, Codec.NESTED
    ADDR_FAMILY = 11, Codec.U16
    STATS64 = 12, Codec.NESTED
    TUN_TYPE = 13, Codec.U8
    TUN_PORT = 14, Codec.BE16
    TUN_FLAGS = 15, Codec.U16


class DaemonAttribute(Attribute):
    """``IPVS_DAEMON_ATTR_*``.  MCAST_PORT is in host order (ip_vs_genl_new_daemon), unlike every other port here."""

    STATE = 1, Codec.U32
    MCAST_IFN = 2, Codec.STRING
    SYNC_ID = 3, Codec.U32
    SYNC_MAXLEN = 4, Codec.U16
    MCAST_GROUP = 5, Codec.ADDRESS
    MCAST_GROUP6 = 6, Codec.ADDRESS
    MCAST_PORT = 7, Codec.U16
    MCAST_TTL = 8, Codec.U8


class StatsAttribute(Attribute):
    """``IPVS_STATS_ATTR_*`` inside STATS: counts and rates have 32 bits, byte counts 64."""

    CONNS = 1, Codec.U32
    INPKTS = 2, Codec.U32
    OUTPKTS = 3, Codec.U32
    INBYTES = 4, Codec.U64
    OUTBYTES = 5, Codec.U64
    CPS = 6, Codec.U32
    INPPS = 7, Codec.U32
    OUTPPS = 8, Codec.U32
    INBPS = 9, Codec.U32
    OUTBPS = 10, Codec.U32
    PAD = 11, Codec.PAD


class Stats64Attribute(Attribute):
    """``IPVS_STATS_ATTR_*`` inside STATS64: the same numbers, 64 bits throughout."""

    CONNS = 1, Codec.U64
    INPKTS = 2, Codec.U64
    OUTPKTS = 3, Codec.U64
    INBYTES = 4, Codec.U64
    OUTBYTES = 5, Codec.U64
    CPS = 6, Codec.U64
    INPPS = 7, Codec.U64
    OUTPPS = 8, Codec.U64
    INBPS = 9, Codec.U64
    OUTBPS = 10, Codec.U64
    PAD = 11, Codec.PAD


class InfoAttribute(Attribute):
    """``IPVS_INFO_ATTR_*``: the first level of SET_INFO."""

    VERSION = 1, Codec.U32
    CONN_TAB_SIZE = 2, Codec.U32


class SyncState(enum.IntFlag):
    """``IP_VS_STATE_*``: which sync threads a DAEMON attribute speaks of."""

    NONE = 0
    MASTER = 1
    BACKUP = 2
