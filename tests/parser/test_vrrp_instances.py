"""`vrrp_instance`: what each word means by itself."""

import pytest

from keepalived_py.addresses import Address, Family
from keepalived_py.config.vrrp import (
    Authentication,
    AuthType,
    ChecksumCompat,
    DeletedNotice,
    Garp,
    InitialState,
    Ipvlan,
    IpvlanMode,
    UnicastPeer,
    Vmac,
    VrrpInstance,
)
from keepalived_py.parser.diagnostics import ExitStatus
from keepalived_py.units import Micro, Seconds, micro
from tests.helpers.facts import FakeFacts, interface, notes, read, told

SECURE = "global_defs {\n enable_script_security\n script_user root\n}\n"


def instance_text(*lines: str, interface: str = "eth0", vips: str = "192.0.2.10/24") -> str:
    """Return one instance whose own lines start on line 6."""
    head = ["vrrp_instance A {", f" interface {interface}", " virtual_router_id 51", " virtual_ipaddress {", f"  {vips} }}"]
    return "\n".join([*head, *(f" {line}" for line in lines), "}"]) + "\n"


def one(*lines: str, facts: FakeFacts | None = None, before: str = "") -> VrrpInstance:
    """Read an instance that has nothing wrong with it."""
    loaded = read(before + instance_text(*lines), facts)
    assert told(loaded) == []
    assert loaded.config is not None
    (instance,) = loaded.config.vrrp.instances
    return instance


def test_the_least_instance_has_the_defaults_of_the_reference() -> None:
    instance = one()
    assert (instance.name, instance.virtual_router_id, instance.interface) == ("A", 51, "eth0")
    assert (instance.family, instance.version, instance.priority) == (Family.INET, 2, 100)
    assert instance.state is InitialState.BACKUP
    assert instance.advert_int == micro(1)
    assert instance.garp == Garp(lower_prio_delay=Seconds(5), lower_prio_repeat=5)
    assert instance.multicast_group == Address.parse("224.0.0.18")
    assert instance.accept and instance.preempt and not instance.strict and not instance.faults
    assert [str(address) for address in instance.virtual_addresses] == ["192.0.2.10/24"]


PLAIN = [
    ("state MASTER", {"state": InitialState.MASTER, "priority": 255}),
    ("priority 150", {"priority": 150}),
    ("version 3", {"version": 3}),
    ("advert_int 2", {"advert_int": micro(2)}),
    ("down_timer_adverts 5", {"down_timer_adverts": 5}),
    ("nopreempt", {"preempt": False}),
    ("preempt_delay 1.5", {"preempt_delay": micro(1.5)}),
    ("unicast_ttl 4", None),
    ("use_vmac_addr", {"vmac_addresses": True}),
    ("dont_track_primary", {"dont_track_primary": True}),
    ("mcast_src_ip 192.0.2.2", {"source_address": Address.parse("192.0.2.2")}),
    ("mcast_dst_ip 224.0.0.19", {"multicast_group": Address.parse("224.0.0.19")}),
    ("promote_secondaries", {"promote_secondaries": True}),
    ("no_accept", {"accept": False}),
    ("lower_prio_no_advert", {"lower_prio_no_advert": True}),
    ("higher_prio_send_advert on", {"higher_prio_send_advert": True}),
    ("smtp_alert", {"smtp_alert": True}),
    ("notify_priority_changes", {"notify_priority_changes": True}),
    ("v3_checksum_as_v2", {"v3_checksum_as_v2": True}),
    ("skip_check_adv_addr", {"skip_check_adv_addr": True}),
    ("kernel_rx_buf_size 65536", {"kernel_rx_buf_size": 65536}),
    ("no_virtual_ipaddress", {"no_virtual_addresses": True}),
    ("debug 3", {"debug": 3}),
]


@pytest.mark.parametrize(("line", "fields"), [pair for pair in PLAIN if pair[1] is not None])
def test_a_word_sets_its_field(line: str, fields: dict[str, object]) -> None:
    instance = one(line)
    assert {name: getattr(instance, name) for name in fields} == fields


GARP = [
    ("garp_master_delay 7", {"master_delay": 7}),
    ("garp_master_repeat 3", {"master_repeat": 3}),
    ("garp_master_refresh 60", {"master_refresh": 60}),
    ("garp_master_refresh_repeat 2", {"master_refresh_repeat": 2}),
    ("garp_lower_prio_delay 9", {"lower_prio_delay": 9}),
    ("garp_lower_prio_repeat 0", {"lower_prio_repeat": 0}),
    ("garp_extra_if all 30", {"extra_if": 30, "extra_if_all": True}),
]


@pytest.mark.parametrize(("line", "fields"), GARP)
def test_gratuitous_arp(line: str, fields: dict[str, object]) -> None:
    garp = one(line).garp
    assert {name: getattr(garp, name) for name in fields} == fields


def test_globals_are_the_defaults_wherever_they_stand() -> None:
    defaults = """global_defs {
        vrrp_garp_master_delay 8
        vrrp_garp_master_repeat 9
        vrrp_version 3
        vrrp_down_timer_adverts 4
        vrrp_check_unicast_src
        vrrp_mcast_group4 224.0.0.20
        smtp_alert_vrrp
        vrrp_lower_prio_no_advert
    }\n"""
    for text in (defaults + instance_text(), instance_text() + defaults):
        loaded = read(text)
        assert told(loaded) == []
        assert loaded.config is not None
        (instance,) = loaded.config.vrrp.instances
        assert (instance.garp.master_delay, instance.garp.master_repeat) == (8, 9)
        assert (instance.garp.lower_prio_delay, instance.garp.lower_prio_repeat) == (8, 9)
        assert (instance.version, instance.down_timer_adverts, instance.check_unicast_src) == (3, 4, True)
        assert instance.multicast_group == Address.parse("224.0.0.20")
        assert instance.smtp_alert and instance.lower_prio_no_advert


def test_unicast() -> None:
    instance = one(
        "unicast_src_ip 192.0.2.2",
        "unicast_peer {",
        "  192.0.2.3 min_ttl 254 max_ttl 255",
        "  192.0.2.4",
        " }",
        "old_unicast_checksum never",
    )
    assert instance.unicast_peers == (
        UnicastPeer(Address.parse("192.0.2.3"), 254, 255),
        UnicastPeer(Address.parse("192.0.2.4")),
    )
    assert instance.check_unicast_src, "limits make the source be checked"
    assert instance.is_unicast and instance.multicast_group is None
    assert instance.unicast_ttl == 255
    assert instance.unicast_checksum is ChecksumCompat.NEVER


def test_unicast_needs_no_interface() -> None:
    text = """vrrp_instance A {
        virtual_router_id 1
        unicast_src_ip 192.0.2.2
        unicast_peer { 192.0.2.3 }
        vrf eth1
        virtual_ipaddress { 192.0.2.10 dev eth1 }
    }\n"""
    loaded = read(text)
    assert told(loaded) == []
    assert loaded.config is not None
    (instance,) = loaded.config.vrrp.instances
    assert (instance.interface, instance.vrf) == (None, "eth1")


def test_vmac() -> None:
    assert one("use_vmac").vmac == Vmac()
    vmac = one("use_vmac vrrp.51 02:00:00:00:00:01 group 7 netlink_notify_msg").vmac
    assert vmac == Vmac("vrrp.51", bytes.fromhex("020000000001"), 7, netlink_notify=True)


def test_a_mac_of_five_octets_ends_in_the_router_id() -> None:
    vmac = one("use_vmac 02:00:00:00:aa").vmac
    assert vmac is not None and vmac.mac == bytes.fromhex("02000000aa33")


BAD_MACS = ["01:00:00:00:00:01", "00:00:5e:00:01:09", "02:00:00:00", "02:00:00:00:00:zz", "02:000:00:00:00:01"]


@pytest.mark.parametrize("mac", BAD_MACS)
def test_a_bad_mac_is_left_out(mac: str) -> None:
    loaded = read(instance_text(f"use_vmac {mac}"))
    assert told(loaded) == [("KA124", 6)]
    assert loaded.config is not None and loaded.config.vrrp.instances[0].vmac == Vmac()


def test_ipvlan() -> None:
    instance = one("use_ipvlan ipv0 192.0.2.9/28 private")
    assert instance.ipvlan == Ipvlan("ipv0", Address.parse("192.0.2.9"), 28, IpvlanMode.PRIVATE)
    assert instance.source_address == Address.parse("192.0.2.9")


def test_a_name_for_a_vmac_must_be_free() -> None:
    facts = FakeFacts()
    facts.network["br0"] = interface("br0", 9, kind="bridge")
    assert told(read(instance_text("use_vmac br0"), facts)) == [("KA504", 6)]
    facts.network["vm0"] = interface("vm0", 10, kind="macvlan", mode=1, parent="eth0")
    assert told(read(instance_text("use_vmac vm0"), facts)) == []
    two = instance_text("use_vmac vm1") + instance_text("use_vmac vm1", vips="192.0.2.11").replace("A {", "B {").replace("51", "52")
    assert told(read(two)) == [("KA504", 13)]


def test_authentication() -> None:
    instance = one("authentication {", "  auth_type PASS", "  auth_pass secret", " }")
    assert instance.authentication == Authentication(AuthType.PASS, b"secret")
    assert "secret" not in repr(instance)


def test_a_long_password_is_cut() -> None:
    loaded = read(instance_text("authentication {", "  auth_type PASS", "  auth_pass 123456789", " }"))
    assert told(loaded) == [("KA108", 8)]
    assert loaded.config is not None
    assert loaded.config.vrrp.instances[0].authentication == Authentication(AuthType.PASS, b"12345678")


def test_notify_scripts() -> None:
    instance = one(
        'notify "/bin/ok all" nobody',
        "notify_master /bin/ok",
        "notify_backup /bin/ok",
        "notify_fault /bin/ok",
        "notify_stop /bin/ok",
        "notify_deleted",
        "notify_master_rx_lower_pri /bin/ok",
        before=SECURE,
    )
    notify = instance.notify
    assert notify.any is not None and notify.any.argv == ("/bin/ok", "all")
    assert notify.any.user is not None and notify.any.user.name == "nobody"
    assert notify.master is not None and notify.master.user is not None and notify.master.user.uid == 0
    assert None not in (notify.backup, notify.fault, notify.stop, notify.master_rx_lower_pri)
    assert notify.deleted == DeletedNotice(None)


def test_the_script_user_counts_wherever_it_stands() -> None:
    loaded = read(instance_text("notify /bin/ok") + SECURE.replace("script_user root", "script_user nobody"))
    assert loaded.config is not None
    script = loaded.config.vrrp.instances[0].notify.any
    assert script is not None and script.user is not None and script.user.name == "nobody"


def test_scripts_without_security_are_status_6() -> None:
    loaded = read(instance_text("notify /bin/ok"))
    assert told(loaded) == [("KA300", 6)]
    assert loaded.status is ExitStatus.SECURITY


def test_security_without_a_user_is_an_error_said_once() -> None:
    loaded = read("global_defs {\n enable_script_security\n}\n" + instance_text("notify_backup /bin/ok", "notify_master /bin/ok"))
    assert told(loaded) == [("KA307", 9)]


WRONG = [
    ("state SLAVE", "KA104"),
    ("priority 0", "KA101"),
    ("priority high", "KA100"),
    ("virtual_router_id 256", "KA101"),
    ("advert_int 0.001", "KA101"),
    ("version 4", "KA101"),
    ("smtp_alert TRUE", "KA103"),
    ("debug 5", "KA101"),
    ("mcast_dst_ip 192.0.2.1", "KA105"),
    ("mcast_src_ip host", "KA105"),
    ("mcast_src_ip 2001:db8::1", "KA507"),
    ("native_ipv6", "KA507"),
    ("interface lo", "KA503"),
    ("interface averyverylongname", "KA108"),
    ("vrf eth1", "KA509"),
    ("kernel_rx_buf_size 1 2", "KA114"),
    ("garp_extra_if all", "KA116"),
    ("garp_master_repeat 0", "KA102"),
    ("timer_expired_backup 255", "KA101"),
    ("vmac_garp_intvl 5", "KA111"),
    ("thread_timer_expired", "KA125"),
    ("linkbeat_use_polling", "KA125"),
    ("unknown_word 1", "KA001"),
    ("track_script { nothing }", "KA224"),
    ("track_interface { eth7 }", "KA500"),
    ("use_ipvlan 192.0.2.9 192.0.2.8", "KA110"),
]


@pytest.mark.parametrize(("line", "code"), WRONG)
def test_a_bad_line_is_reported_where_it_stands(line: str, code: str) -> None:
    found = told(read(instance_text(line)))
    assert (code, 6) in found


@pytest.mark.parametrize("word", ["state", "interface", "virtual_router_id", "priority", "advert_int", "notify", "mcast_src_ip"])
def test_a_missing_word_stops_the_reading(word: str) -> None:
    loaded = read(instance_text(word))
    assert loaded.status is ExitStatus.UNUSABLE
    assert told(loaded) == [("KA007", 6)]


def test_the_second_instance_of_a_name_is_skipped() -> None:
    loaded = read(instance_text() + instance_text("priority 7"))
    assert told(loaded) == [("KA225", 7)]
    assert loaded.config is not None
    assert [instance.priority for instance in loaded.config.vrrp.instances] == [100]


@pytest.mark.parametrize("header", ["vrrp_instance {", "vrrp_instance A B {"])
def test_an_instance_takes_one_name(header: str) -> None:
    loaded = read(header + "\n bogus\n}\n")
    assert told(loaded) == [("KA129", 1)]


def test_an_odd_truth_value_is_taken_as_keepalived_does() -> None:
    loaded = read(instance_text("skip_check_adv_addr off"))
    assert (told(loaded), notes(loaded)) == ([], [("KA127", 6)])
    assert loaded.config is not None and loaded.config.vrrp.instances[0].skip_check_adv_addr


def test_the_old_sync_daemon_word_fills_the_global_one() -> None:
    loaded = read(instance_text("lvs_sync_daemon_interface eth1"))
    assert told(loaded) == [("KA125", 6)]
    assert loaded.config is not None
    daemon = loaded.config.globals.lvs_sync_daemon
    assert daemon is not None and (daemon.interface, daemon.instance) == ("eth1", "A")


def test_times_are_microseconds() -> None:
    assert one("version 3", "advert_int 0.25").advert_int == Micro(250_000)
