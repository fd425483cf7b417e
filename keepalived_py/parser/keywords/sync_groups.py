"""``vrrp_sync_group`` and ``track_group``: instances that belong together."""

from typing import Any, Final

from keepalived_py.config.vrrp import SyncGroup, TrackGroup
from keepalived_py.parser import codes
from keepalived_py.parser.keywords.track_lists import TRACK_BLOCKS
from keepalived_py.parser.keywords.tracking_blocks import report_end
from keepalived_py.parser.keywords.vrrp_instances import NOTIFY_KEYWORDS, OneName, open_named
from keepalived_py.parser.kinds import Boolean, Flag, quoted
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import SKIP, Block, Draft, Keyword

_BOOL, _FLAG = Boolean(), Flag()


def _open_members(draft: Draft, reading: Reading) -> object:
    """Take the first list of members only."""
    owner = draft.parent
    assert owner is not None
    if "members" in owner.values:
        reading.complain(codes.ALREADY_SET, f"{owner.header} has a group already; this one is skipped", 0)
        return SKIP
    return None


def _member_line(words: list[str], draft: Draft, reading: Reading) -> None:
    draft.values.setdefault("members", []).extend((word, reading.line) for word in words)


def _close_members(draft: Draft, reading: Reading) -> None:
    owner = draft.parent
    assert owner is not None
    members = draft.values.get("members")
    if not members:
        report_end(codes.EMPTY_BLOCK, f"the group of {owner.header} is empty", draft, reading)
        return
    owner.set("members", members, draft.line)


def _write_members(members: Any) -> list[str]:
    return [quoted(name) for name in members]


_MEMBERS: Final = Block(
    "group",
    "Names of the instances.",
    open=_open_members,
    read_line=_member_line,
    close=_close_members,
    line_syntax="NAME...",
    write_lines=_write_members,
    into="members",
    since="v1.0.3",
)


def _close_group(draft: Draft, reading: Reading) -> None:
    """Keep a group that has members."""
    if "members" not in draft.values:
        report_end(codes.GROUP_EMPTY, f"{draft.block.name} {draft.header} has no members and is dropped", draft, reading)
        return
    reading.names.setdefault(draft.block.name, {})[draft.header] = draft.line
    assert draft.parent is not None
    draft.parent.add(draft.block.into, draft, draft.line)


SYNC_GROUP: Final = Block(
    "vrrp_sync_group",
    "Instances that change state together.",
    header=OneName(),
    open=open_named,
    close=_close_group,
    keywords=(
        *NOTIFY_KEYWORDS,
        Keyword("smtp_alert", _BOOL, "Mail on each change of state.", since="v1.0.3"),
        Keyword("sync_group_tracking_weight", _FLAG, "Weights of trackers count for members.", "tracking_weight", since="v2.0.0"),
        Keyword(
            "global_tracking", _FLAG, "Old name of sync_group_tracking_weight.", "tracking_weight",
            alias_of="sync_group_tracking_weight", old=codes.OLD_OPTION, since="v1.2.3",
        ),
        Keyword("notify_priority_changes", _BOOL, "Default of the members.", since="v2.0.16"),
    ),
    blocks=(_MEMBERS, *TRACK_BLOCKS),
    model=SyncGroup,
    into="vrrp.sync_groups",
    since="v1.0.3",
)  # fmt: skip

TRACK_GROUP: Final = Block(
    "track_group",
    "Instances that static entries are tied to; must stand before its users.",
    header=OneName(),
    open=open_named,
    close=_close_group,
    blocks=(_MEMBERS,),
    model=TrackGroup,
    into="vrrp.track_groups",
    since="v2.0.3",
)
