"""Sync groups, track groups, track lists, and what they do to instances."""

import pytest

from keepalived_py.config.tracking import Tracked
from keepalived_py.config.vrrp import TrackLists
from keepalived_py.parser.facts import ScriptState
from tests.helpers.facts import FakeFacts, notes, read, told

SECURE = "global_defs {\n enable_script_security\n script_user root\n}\n"
SCRIPT = "vrrp_script s {\n script /bin/ok\n weight 5\n}\n"


def instance(name: str, number: int, *lines: str) -> str:
    body = "\n".join(f" {line}" for line in lines)
    device = "eth0" if number % 2 else "eth1"
    head = f"vrrp_instance {name} {{\n interface {device}\n virtual_router_id {number}\n virtual_ipaddress {{ 192.0.2.{number} }}"
    return f"{head}\n{body}\n}}\n"


PAIR = instance("A", 1) + instance("B", 2)
GROUP = "vrrp_sync_group G {\n group {\n  A\n  B\n }\n%s}\n"


def test_a_sync_group() -> None:
    loaded = read(
        SECURE + PAIR + GROUP % " notify_master /bin/ok\n smtp_alert\n sync_group_tracking_weight\n notify_priority_changes\n"
    )
    assert told(loaded) == []
    assert loaded.config is not None
    (group,) = loaded.config.vrrp.sync_groups
    assert (group.name, group.members, group.smtp_alert, group.tracking_weight) == ("G", ("A", "B"), True, True)
    assert group.notify.master is not None
    assert all(member.notify_priority_changes for member in loaded.config.vrrp.instances), "members take it over"


def test_members_may_stand_before_or_after_their_group() -> None:
    assert told(read(GROUP % "" + PAIR)) == told(read(PAIR + GROUP % "")) == []


MEMBERS = [
    ("vrrp_sync_group G {\n group { A Z }\n}\n", [("KA552", 2), ("KA554", 2)]),
    ("vrrp_sync_group G {\n group { Y Z }\n}\n", [("KA552", 2), ("KA552", 2), ("KA553", 2)]),
    ("vrrp_sync_group G {\n group { A }\n}\n", [("KA554", 2)]),
    ("vrrp_sync_group G {\n group { }\n}\n", [("KA113", 2), ("KA223", 3)]),
    ("vrrp_sync_group G {\n smtp_alert\n}\n", [("KA223", 3)]),
    ("vrrp_sync_group G {\n group { A B }\n group { A }\n}\n", [("KA110", 3)]),
    ("vrrp_sync_group {\n group { A B }\n}\n", [("KA129", 1)]),
    ("vrrp_sync_group G {\n group { A B }\n}\nvrrp_sync_group G {\n bogus\n}\n", [("KA225", 4)]),
    ("vrrp_sync_group G {\n group { A B }\n}\nvrrp_sync_group H {\n group { A }\n}\n", [("KA552", 5), ("KA553", 5)]),
    ("vrrp_sync_group G {\n group { A B }\n global_tracking\n}\n", [("KA125", 3)]),
]


@pytest.mark.parametrize(("config", "expected"), MEMBERS)
def test_members_of_sync_groups(config: str, expected: list[tuple[str, int | None]]) -> None:
    assert told(read(config + PAIR)) == expected


def test_owners_and_others_cannot_follow_each_other() -> None:
    config = instance("A", 1, "state MASTER", "priority 255") + instance("B", 2, "state BACKUP", "priority 100") + GROUP % ""
    assert [code for code, _ in told(read(config))] == ["KA555"]


def test_track_lists_with_their_own_weights_and_inherited_ones() -> None:
    config = (
        SECURE
        + SCRIPT
        + "vrrp_script t {\n script /bin/ok\n weight -3 reverse\n}\n"
        + "track_file f {\n file /tmp/f\n}\n"
        + "vrrp_track_process p {\n process nginx\n weight 7\n}\n"
        + "bfd_instance b {\n neighbor_ip 192.0.2.9\n weight 9 reverse\n}\n"
        + instance(
            "A",
            1,
            "track_interface {\n  eth1 weight 4 reverse\n }",
            "track_script {\n  s\n  t weight 2 noreverse\n }",
            "track_file {\n  f\n }",
            "track_process {\n  p weight 0\n }",
            "track_bfd {\n  b\n }",
        )
    )
    loaded = read(config)
    assert told(loaded) == []
    assert loaded.config is not None
    assert loaded.config.vrrp.instances[0].track == TrackLists(
        interfaces=(Tracked("eth1", 4, reverse=True),),
        scripts=(Tracked("s", 5), Tracked("t", 2)),
        files=(Tracked("f", 1),),
        processes=(Tracked("p", 0),),
        bfd=(Tracked("b", 9, reverse=True),),
    )


LISTS = [
    ("track_script", "zz", "KA224"),
    ("track_script", "s weigth 5", "KA119"),
    ("track_script", "s weight", "KA116"),
    ("track_script", "s weight x", "KA100"),
    ("track_script", "s weight 254", "KA102"),
    ("track_script", "s weight 255", "KA101"),
    ("track_script", "s weight 5 backwards", "KA119"),
    ("track_script", "s\n s", "KA600"),
    ("track_interface", "eth7", "KA500"),
    ("track_interface", "eth1 weight -254", "KA102"),
    ("track_file", "nothing", "KA224"),
    ("track_process", "nothing", "KA224"),
    ("track_bfd", "nothing", "KA224"),
]


@pytest.mark.parametrize(("kind", "line", "code"), LISTS)
def test_a_bad_line_of_a_track_list(kind: str, line: str, code: str) -> None:
    found = told(read(SECURE + SCRIPT + instance("A", 1, f"{kind} {{\n {line}\n }}")))
    assert code in [each for each, _ in found]


def test_the_hint_names_the_closest_script() -> None:
    loaded = read("vrrp_script check_nginx {\n script /bin/ok\n}\n" + instance("A", 1, "track_script { check_ngnix }"))
    hints = [diagnostic.hint for diagnostic in loaded.diagnostics if diagnostic.code.ident == "KA224"]
    assert hints == ["did you mean check_nginx?"]


def test_weights_do_not_count_in_a_sync_group() -> None:
    a = instance("A", 1, "track_script { s }", "track_interface { eth1 weight 3 }")
    loaded = read(SECURE + SCRIPT + a + instance("B", 2) + GROUP % "")
    assert [code for code, _ in told(loaded)] == ["KA605", "KA605"]
    assert loaded.config is not None
    assert loaded.config.vrrp.instances[0].track == TrackLists(interfaces=(Tracked("eth1"),))
    assert told(read(SECURE + SCRIPT + a + instance("B", 2) + GROUP % " sync_group_tracking_weight\n")) == []


def test_weights_do_not_count_for_an_address_owner() -> None:
    loaded = read(SECURE + SCRIPT + instance("A", 1, "priority 255", "track_script { s }", "track_interface { eth1 weight 3 }"))
    assert [code for code, _ in told(loaded)] == ["KA605", "KA605"]
    assert loaded.config is not None and loaded.config.vrrp.instances[0].track == TrackLists()


def test_a_group_and_its_member_track_one_interface() -> None:
    a = instance("A", 1, "track_interface { eth1 }")
    b = instance("B", 3)
    assert [code for code, _ in told(read(a + b + GROUP % " track_interface {\n  eth1\n }\n"))] == ["KA604"]
    assert [code for code, _ in told(read(instance("A", 1) + b + GROUP % " track_interface {\n  eth0\n }\n"))] == ["KA604", "KA604"]
    untracked = instance("A", 1, "dont_track_primary") + instance("B", 3, "dont_track_primary")
    assert told(read(untracked + GROUP % " track_interface {\n  eth0\n }\n")) == []


def test_a_track_group_must_stand_before_its_users() -> None:
    group = "track_group T {\n group { A }\n}\n"
    static = "static_ipaddress {\n 198.51.100.7/24 dev eth1 track_group T\n}\n"
    loaded = read(group + static + instance("A", 1))
    assert told(loaded) == []
    assert loaded.config is not None
    assert [each.members for each in loaded.config.vrrp.track_groups] == [("A",)]
    assert loaded.config.vrrp.static_addresses[0].track_group == "T"
    assert told(read(static + group + instance("A", 1))) == [("KA224", 2)]


def test_a_track_group_whose_members_do_not_exist_is_only_noted() -> None:
    loaded = read("track_group T {\n group { Z }\n}\n" + instance("A", 1))
    assert (told(loaded), notes(loaded)) == ([], [("KA563", 2)])
    assert loaded.config is not None and loaded.config.vrrp.track_groups == ()


def test_a_script_that_is_missing_or_unsafe_is_tracked_by_nobody() -> None:
    facts = FakeFacts()
    facts.programs["/bin/unsafe"] = ScriptState.UNSAFE
    facts.programs["/bin/data"] = ScriptState.NOT_EXECUTABLE
    for program, expected in (("/bin/missing", ["KA308"]), ("/bin/unsafe", ["KA308"]), ("/bin/data", [])):
        loaded = read(SECURE + SCRIPT.replace("/bin/ok", program) + instance("A", 1, "track_script { s }"), facts)
        assert [code for code, _ in told(loaded)] == expected
        assert loaded.config is not None
        assert loaded.config.tracking.scripts == ()
        assert loaded.config.vrrp.instances[0].track == TrackLists()


def test_scripts_are_not_looked_at_where_no_instance_would_run_them() -> None:
    loaded = read(SECURE + SCRIPT.replace("/bin/ok", "/bin/missing"))
    assert told(loaded) == []
