"""Rules that need a whole instance, several instances or the host: each one from text, with what it corrects."""

import pytest

from keepalived_py.addresses import Address, Family
from keepalived_py.config.vrrp import AntiReplay, HmacMode, InitialState, VrrpInstance
from keepalived_py.parser.diagnostics import ExitStatus
from keepalived_py.parser.load import Loaded
from keepalived_py.units import Micro, micro
from tests.helpers.facts import FakeFacts, interface, notes, read, told

VIP = " virtual_ipaddress {\n  192.0.2.10/24\n }"
VIP6 = " virtual_ipaddress {\n  fe80::10/64\n }"


def text(*lines: str, name: str = "A", vrid: int = 51, device: str = "eth0", vips: str = VIP) -> str:
    """Return an instance whose own lines start on line 4."""
    return (
        "\n".join(
            [
                f"vrrp_instance {name} {{",
                f" interface {device}",
                f" virtual_router_id {vrid}",
                *(f" {line}" for line in lines),
                vips,
                "}",
            ]
        )
        + "\n"
    )


def the(loaded: Loaded) -> VrrpInstance:
    assert loaded.config is not None
    (instance,) = loaded.config.vrrp.instances
    return instance


RULES: list[tuple[tuple[str, ...], str, int, dict[str, object]]] = [
    (("strict_mode", "state MASTER", "priority 100"), "KA510", 5, {"state": InitialState.BACKUP}),
    (("strict_mode", "authentication {", "  auth_type PASS", "  auth_pass x", " }"), "KA511", 6, {"authentication": None}),
    (("version 3", "authentication {", "  auth_type PASS", "  auth_pass x", " }"), "KA511", 6, {"authentication": None}),
    (("authentication {", "  auth_type PASS", " }"), "KA511", 5, {"authentication": None}),
    (
        ("state MASTER", "priority 100", "authentication {", "  auth_type AH", "  auth_pass x", " }"),
        "KA512",
        4,
        {"state": InitialState.BACKUP},
    ),
    (("unicast_src_ip 192.0.2.2",), "KA517", 4, {"unicast_peers": ()}),
    (("vmac_xmit_base",), "KA528", 4, {"vmac_xmit_base": False}),
    (("use_vmac", "promote_secondaries"), "KA529", 5, {"promote_secondaries": False}),
    (("strict_mode", "use_vmac 02:00:00:00:00:01"), "KA525", 5, {}),
    (("strict_mode", "use_vmac", "vmac_xmit_base"), "KA525", 6, {"vmac_xmit_base": False}),
    (("use_ipvlan",), "KA532", 4, {"faults": ("ipvlan without address",)}),
    (("priority 255", "nopreempt"), "KA541", 5, {"preempt": True}),
    (("state MASTER", "priority 100", "nopreempt"), "KA542", 6, {"preempt": True}),
    (("state MASTER", "priority 100", "preempt_delay 5"), "KA542", 6, {"preempt_delay": Micro(0)}),
    (("nopreempt", "preempt_delay 5"), "KA543", 5, {"preempt_delay": Micro(0)}),
    (("strict_mode", "preempt_delay 5"), "KA543", 5, {"preempt_delay": Micro(0)}),
    (("strict_mode", "down_timer_adverts 4"), "KA544", 5, {"down_timer_adverts": 3}),
    (("timer_expired_backup",), "KA545", 4, {"timer_expired_backup": 0}),
    (("strict_mode", "accept"), "KA546", 5, {"accept": False}),
    (("strict_mode", "garp_lower_prio_repeat 3"), "KA547", 5, {}),
    (("strict_mode", "garp_lower_prio_delay 3"), "KA547", 5, {}),
    (("strict_mode", "lower_prio_no_advert off"), "KA548", 5, {"lower_prio_no_advert": True}),
    (("strict_mode", "higher_prio_send_advert"), "KA548", 5, {"higher_prio_send_advert": False}),
    (("owner_ignore_adverts",), "KA549", 4, {"owner_ignore_adverts": False}),
    (("priority 255", "owner_ignore_adverts no"), "KA549", 5, {"owner_ignore_adverts": True}),
    (("advert_int 1.4",), "KA550", 4, {"advert_int": micro(1)}),
    (("advert_int 0.1",), "KA550", 4, {"advert_int": micro(1)}),
    (("version 3", "advert_int 0.014"), "KA550", 5, {"advert_int": micro(0.01)}),
    (("version 3", "advert_int 100"), "KA550", 5, {"advert_int": micro(40.95)}),
    (("track_interface {", "  eth0", " }"), "KA603", 5, {}),
    (("use_vmac", "virtual_ipaddress_excluded {", "  192.0.2.11 use_vmac", " }"), "KA530", 6, {}),
    (("strict_mode", "no_virtual_ipaddress"), "KA540", 5, {"no_virtual_addresses": False}),
]


@pytest.mark.parametrize(("lines", "code", "line", "fields"), RULES)
def test_a_rule_reports_and_corrects(lines: tuple[str, ...], code: str, line: int, fields: dict[str, object]) -> None:
    loaded = read(text(*lines))
    assert told(loaded) == [(code, line)]
    assert loaded.status is ExitStatus.TEST_FAILED and loaded.startable
    instance = the(loaded)
    assert {name: getattr(instance, name) for name in fields} == fields


def test_strict_mode_has_defaults_of_its_own() -> None:
    instance = the(read("global_defs {\n vrrp_strict\n}\n" + text()))
    assert instance.strict and not instance.accept and instance.lower_prio_no_advert
    assert (instance.garp.lower_prio_delay, instance.garp.lower_prio_repeat) == (0, 0)
    owner = the(read("global_defs {\n vrrp_strict\n}\n" + text("priority 255")))
    assert owner.accept and owner.owner_ignore_adverts and owner.state is InitialState.MASTER


REFUSED: list[tuple[str, list[tuple[str, int | None]]]] = [
    ("vrrp_instance A {\n interface eth0\n" + VIP + "\n}\n", [("KA505", 1)]),
    ("vrrp_instance A {\n virtual_router_id 1\n" + VIP + "\n}\n", [("KA506", 1)]),
    ("vrrp_instance A {\n virtual_router_id 1\n unicast_peer {\n  192.0.2.3\n }\n" + VIP + "\n}\n", [("KA520", 3)]),
    (
        "vrrp_instance A {\n virtual_router_id 1\n unicast_src_ip fe80::1\n unicast_peer {\n  fe80::2\n }\n" + VIP6 + "\n}\n",
        [("KA520", 3)],
    ),
    (text("strict_mode", "unicast_peer {", "  192.0.2.3", " }"), [("KA519", 6)]),
    (text("version 3", vips=""), [("KA538", 1)]),
    (text() + text(name="B", vips=VIP.replace(".10/", ".11/")), [("KA551", 10)]),
]


@pytest.mark.parametrize(("config", "expected"), REFUSED)
def test_what_makes_a_start_impossible(config: str, expected: list[tuple[str, int | None]]) -> None:
    loaded = read(config)
    assert told(loaded) == expected
    assert not loaded.startable
    assert loaded.config is not None and loaded.config.vrrp.instances == ()


def test_a_missing_interface_refuses_a_start_and_spares_all_other_rules() -> None:
    loaded = read(text("state MASTER", "nopreempt", "notify /bin/ok", device="eth7"))
    assert told(loaded) == [("KA500", 2), ("KA501", 2)]
    assert loaded.status is ExitStatus.TEST_FAILED and not loaded.startable


@pytest.mark.parametrize("before", [True, False])
def test_dynamic_interfaces_count_wherever_they_stand(before: bool) -> None:
    dynamic = "global_defs {\n dynamic_interfaces\n}\n"
    config = text(device="eth7") + "interface_up_down_delays {\n eth8 1\n}\n"
    loaded = read(dynamic + config if before else config + dynamic)
    assert told(loaded) == []
    assert the(loaded).interface == "eth7"


def test_an_instance_without_addresses_is_warned_about() -> None:
    loaded = read(text(vips=""))
    assert told(loaded) == [("KA539", 1)]
    assert loaded.startable
    assert told(read(text("no_virtual_ipaddress", vips=""))) == []


def test_other_routers_on_other_interfaces_and_families_may_share_an_id() -> None:
    others = text(name="B", device="eth1", vips=VIP.replace("192.0.2", "198.51.100")) + text(name="C", vips=VIP6)
    assert told(read(text() + others)) == []


def test_unicast_instances_may_share_an_id_unless_they_share_a_peer() -> None:
    def unicast(name: str, peer: str) -> str:
        return text(
            "unicast_src_ip 192.0.2.2", "unicast_peer {", f"  {peer}", " }", name=name, vips=VIP.replace(".10/", f".{ord(name)}/")
        )

    loaded = read(unicast("A", "192.0.2.3") + unicast("B", "192.0.2.4"))
    assert told(loaded) == []
    assert notes(loaded) == [("KA904", 14)]
    assert told(read(unicast("A", "192.0.2.3") + unicast("B", "192.0.2.3"))) == [("KA551", 14)]


def test_an_address_in_two_instances_is_advised_against() -> None:
    loaded = read(text() + text(name="B", vrid=52))
    assert (told(loaded), notes(loaded)) == ([], [("KA905", 12)])
    assert loaded.status is ExitStatus.OK


def test_one_vmac_for_two_instances_is_a_fault() -> None:
    first = text("use_vmac_addr", vips=" virtual_ipaddress {\n  192.0.2.10/24 dev eth1\n }")
    second = text("use_vmac_addr", name="B", device="eth1", vips=" virtual_ipaddress {\n  192.0.2.11/24 use_vmac\n }")
    loaded = read(first + second)
    assert told(loaded) == []
    assert loaded.config is not None
    assert [instance.faults for instance in loaded.config.vrrp.instances] == [(), ("VMAC of A",)]


def test_addresses_beyond_what_an_advert_holds_become_excluded() -> None:
    lines = "\n".join(f"  198.51.{number // 200}.{number % 200 + 1}" for number in range(260))
    loaded = read(text(vips=f" virtual_ipaddress {{\n{lines}\n }}"))
    assert told(loaded) == [("KA536", 5)]
    instance = the(loaded)
    assert (len(instance.virtual_addresses), len(instance.excluded_addresses)) == (255, 5)


def test_a_small_mtu_holds_fewer_addresses() -> None:
    facts = FakeFacts()
    facts.network["eth0"] = interface("eth0", 2, mtu=62)
    vips = " virtual_ipaddress {\n" + "".join(f"  192.0.2.{number}\n" for number in range(10, 15)) + " }"
    instance = the(read(text(vips=vips), facts))
    assert (len(instance.virtual_addresses), len(instance.excluded_addresses)) == (3, 2)


def test_an_interface_that_cannot_multicast_needs_peers() -> None:
    facts = FakeFacts()
    facts.network["tun0"] = interface("tun0", 7, multicast=False, ethernet=False)
    loaded = read(text(device="tun0"), facts)
    assert told(loaded) == [("KA533", 2)]
    assert the(loaded).faults == ("no multicast",)
    loaded = read(text("use_vmac", device="tun0"), facts)
    assert [code for code, _ in told(loaded)] == ["KA526", "KA533"]
    assert the(loaded).vmac is None


def test_a_vmac_with_unicast_sends_from_below() -> None:
    loaded = read(text("use_vmac", "unicast_peer {", "  192.0.2.3", " }"))
    assert told(loaded) == [("KA524", 11)], "the end of the block"
    assert the(loaded).vmac_xmit_base


def test_ipv6_is_version_3() -> None:
    instance = the(read(text(vips=VIP6)))
    assert (instance.family, instance.version) == (Family.INET6, 3)
    assert instance.multicast_group == Address.parse("ff02::12")
    assert told(read(text("strict_mode", vips=VIP6.replace("fe80", "2001:db8")))) == [("KA534", 6)]


KEY = "k" * 32


def test_hmac_authentication() -> None:
    hmac = the(read(text("auth_hmac {", f"  key 1 {KEY}", f"  key 2 hex:{'ab' * 32}", "  active_key 2", " }", "advert_int 4"))).hmac
    assert hmac is not None
    assert [(key.id, len(key.secret)) for key in hmac.keys] == [(1, 32), (2, 32)]
    assert (hmac.active_key, hmac.time_window, hmac.mode, hmac.anti_replay) == (2, 12, HmacMode.ENFORCE, AntiReplay.TIME)
    assert KEY not in repr(hmac)


HMAC_RULES = [
    (("auth_hmac {", f"  key 1 {KEY}", "  active_key 2", " }"), [("KA514", 4)]),
    (("auth_hmac {", "  key 1 short", "  active_key 1", " }"), [("KA513", 5), ("KA514", 4)]),
    (("auth_hmac {", f"  key 1 {KEY}", f"  key 1 {KEY}", "  active_key 1", " }"), [("KA513", 6)]),
    (("auth_hmac {", "  key 1 file:/missing", "  active_key 1", " }"), [("KA513", 5), ("KA514", 4)]),
    (("strict_mode", "auth_hmac {", f"  key 1 {KEY}", "  active_key 1", "  mode permissive", " }"), [("KA516", 5)]),
    (
        ("authentication {", "  auth_type PASS", "  auth_pass x", " }", "auth_hmac {", f"  key 1 {KEY}", "  active_key 1", " }"),
        [("KA515", 8)],
    ),
]


@pytest.mark.parametrize(("lines", "expected"), HMAC_RULES)
def test_hmac_rules(lines: tuple[str, ...], expected: list[tuple[str, int | None]]) -> None:
    assert told(read(text(*lines))) == expected


def test_vmacs_and_strict_mode_need_a_firewall() -> None:
    loaded = read(text("use_vmac"))
    assert loaded.config is not None and loaded.config.globals.nftables.table == "keepalived"
    loaded = read(text())
    assert loaded.config is not None and loaded.config.globals.nftables.table is None


def test_delays_of_interfaces_do_not_outlast_an_instance() -> None:
    delays = "interface_up_down_delays {\n eth0 10 10\n eth1 1.5\n}\n"
    loaded = read(delays + text())
    assert (told(loaded), [code for code, _ in notes(loaded)]) == ([], ["KA561"])
    assert loaded.config is not None
    found = [(delay.interface, delay.down, delay.up) for delay in loaded.config.vrrp.interface_delays]
    assert found == [("eth0", 2_000_000 - 3906, 2_000_000 - 3906), ("eth1", 1_500_000, 0)]
