"""The outermost level: root keywords and all blocks."""

from typing import Final

from keepalived_py.config.model import SslContext
from keepalived_py.parser import codes
from keepalived_py.parser.keywords.bfd_instances import BFD_INSTANCE
from keepalived_py.parser.keywords.global_defs import GLOBAL_DEFS
from keepalived_py.parser.keywords.servers import GROUP_BLOCKS, VIRTUAL_SERVER
from keepalived_py.parser.keywords.static_entries import STATIC_BLOCKS
from keepalived_py.parser.keywords.sync_groups import SYNC_GROUP, TRACK_GROUP
from keepalived_py.parser.keywords.tracking_blocks import TRACKING_BLOCKS
from keepalived_py.parser.keywords.tunnel_groups import TUNNEL_GROUP
from keepalived_py.parser.keywords.vrrp_instances import VRRP_INSTANCE
from keepalived_py.parser.kinds import Flag, Integer, Word
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import Block, Draft, Keyword, Repeat

_FILE = Word("PATH", missing=codes.WORD_MISSING)


def _open_ssl(draft: Draft, reading: Reading) -> object:
    parent = draft.parent
    assert parent is not None
    if "ssl" in parent.values:
        reading.complain(codes.ALREADY_SET, "SSL is given already; this one replaces the first", 0)
    return None


def _close_ssl(draft: Draft, reading: Reading) -> None:
    assert draft.parent is not None
    draft.parent.set("ssl", SslContext(**draft.values), draft.line)


SSL: Final = Block(
    "SSL",
    "Files for every SSL_GET.",
    open=_open_ssl,
    close=_close_ssl,
    keywords=(
        Keyword("password", _FILE, "Password of the key.", repeat=Repeat.REPLACE, since="v1.0.3"),
        Keyword("ca", _FILE, "Certificates of authorities.", repeat=Repeat.REPLACE, since="v1.0.3"),
        Keyword("certificate", _FILE, "Certificate of this director.", repeat=Repeat.REPLACE, since="v1.0.3"),
        Keyword("key", _FILE, "Its key.", repeat=Repeat.REPLACE, since="v1.0.3"),
    ),
    model=SslContext,
    into="ssl",
    since="v1.0.3",
)

ROOT: Final = Block(
    "",
    "The configuration.",
    keywords=(
        Keyword("linkbeat_use_polling", Flag(), "Poll the link state of all interfaces.", since="v1.1.18"),
        Keyword(
            "net_namespace",
            Word("NAME"),
            "Network namespace to run in.",
            repeat=Repeat.DUPLICATE,
            missing=codes.WORD_MISSING,
            since="v1.2.24",
        ),
        Keyword(
            "net_namespace_ipvs", Word("NAME", optional=True), "Network namespace of IPVS.", repeat=Repeat.DUPLICATE, since="v2.1.0"
        ),
        Keyword("namespace_with_ipsets", Flag(), "Accepted; ipsets are not used.", since="v1.3.0"),
        Keyword("use_pid_dir", Flag(), "Put pid files into a folder of their own.", since="v1.2.24"),
        Keyword(
            "instance",
            Word("NAME"),
            "Name of this instance, in pid files and log lines.",
            repeat=Repeat.DUPLICATE,
            missing=codes.WORD_MISSING,
            since="v1.2.24",
        ),
        Keyword("child_wait_time", Integer(), "Seconds that stopping children get.", since="v2.0.0"),
    ),
    blocks=(
        GLOBAL_DEFS,
        SSL,
        *TRACKING_BLOCKS,
        BFD_INSTANCE,
        TRACK_GROUP,
        *STATIC_BLOCKS,
        SYNC_GROUP,
        VRRP_INSTANCE,
        TUNNEL_GROUP,
        *GROUP_BLOCKS,
        VIRTUAL_SERVER,
    ),
)
