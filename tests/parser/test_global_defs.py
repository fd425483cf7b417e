"""`global_defs`, `SSL` and the root words: one line each, what it sets, and what refuses it."""

from typing import Any

import pytest

from keepalived_py.addresses import Address
from keepalived_py.config.globals import GlobalDefs, LvsSyncDaemon, LvsTimeouts, MailServer
from keepalived_py.config.model import SslContext
from keepalived_py.config.scripts import Script, User
from keepalived_py.parser.diagnostics import ExitStatus
from keepalived_py.parser.dump import follow
from keepalived_py.parser.load import Loaded
from keepalived_py.units import micro
from tests.helpers.facts import FakeFacts, notes, read, told


def defs(*lines: str) -> GlobalDefs:
    """Read a `global_defs` that has nothing wrong with it."""
    loaded = load(*lines)
    assert told(loaded) == []
    assert loaded.config is not None
    return loaded.config.globals


def load(*lines: str) -> Loaded:
    """Read a `global_defs`; its own lines start on line 2."""
    facts = FakeFacts(hosts={"mail.example": "192.0.2.25"})
    return read("\n".join(["global_defs {", *lines, "}"]) + "\n", facts)


ROOT_USER = User(0, 0, "root")

GOOD: list[tuple[str, str, Any]] = [
    ("router_id LB_1", "router_id", "LB_1"),
    ('router_id "a b"', "router_id", "a b"),
    ("process_names", "process_names", True),
    ("process_name abcdefghijklmno", "process_name", "abcdefghijklmno"),
    ("vrrp_process_name v", "vrrp_process.process_name", "v"),
    ("lvs_process_name c", "checker_process.process_name", "c"),
    ("checker_priority -20", "checker_process.priority", -20),
    ("checker_no_swap", "checker_process.no_swap", True),
    ("checker_rt_priority 50", "checker_process.rt_priority", 50),
    ("bfd_cpu_affinity 0 3", "bfd_process.cpu_affinity", (0, 3)),
    ("vrrp_rlimit_rttime 500", "vrrp_process.rlimit_rttime", 500),
    ("vrrp_rlimit_rtime 500", "vrrp_process.rlimit_rttime", 500),
    ("max_auto_priority", "max_auto_priority", 99),
    ("max_auto_priority -1", "max_auto_priority", -1),
    ("umask 022", "umask", 0o022),
    ("umask 0x1f", "umask", 0o037),
    ("umask IRWXG | IRWXO", "umask", 0o077),
    ("umask IWGRP|IWOTH", "umask", 0o022),
    ("notification_email_from a@example", "notification_email_from", "<a@example>"),
    ('notification_email_from "A <a@example>"', "notification_email_from", "A <a@example>"),
    ("notification_email { a@example b@example }", "notification_email", ("<a@example>", "<b@example>")),
    ("smtp_server 192.0.2.25", "smtp_server", MailServer(Address.parse("192.0.2.25"))),
    ("smtp_server mail.example 587", "smtp_server", MailServer(Address.parse("192.0.2.25"), 587)),
    ("smtp_helo_name h", "smtp_helo_name", "h"),
    ("smtp_connect_timeout 4294", "smtp_connect_timeout", 4294),
    ("smtp_alert", "smtp_alert", True),
    ("smtp_alert_checker off", "smtp_alert_checker", False),
    ("no_checker_emails", "no_checker_emails", True),
    ("checker_log_all_failures yes", "checker_log_all_failures", True),
    ("script_user nobody", "script_user", User(65534, 65534, "nobody")),
    ("script_user nobody root", "script_user", User(65534, 0, "nobody", (), "root")),
    ("script_user nobody :root", "script_user", User(65534, 0, "nobody", (65534, 100), "root")),
    ("script_user nobody :", "script_user", User(65534, 65534, "nobody", (65534, 100))),
    ("enable_script_security", "enable_script_security", True),
    ("lvs_timeouts tcp 10 udp 20", "lvs_timeouts", LvsTimeouts(tcp=10, udp=20)),  # type: ignore[arg-type]
    ("lvs_flush", "lvs_flush", True),
    ("lvs_flush_on_stop", "lvs_flush_on_stop", "all"),
    ("lvs_flush_onstop VS", "lvs_flush_on_stop", "VS"),
    ("lvs_sync_daemon eth0", "lvs_sync_daemon", LvsSyncDaemon("eth0")),
    (
        "lvs_sync_daemon eth0 id 5 maxlen 1400 port 8848 ttl 2 group 224.0.0.99",
        "lvs_sync_daemon",
        LvsSyncDaemon("eth0", None, 5, 1400, 8848, 2, Address.parse("224.0.0.99")),
    ),
    ("rs_init_notifies", "rs_init_notifies", True),
    ("checker_processes 4", "checker_processes", 4),
    ("ipvs_module_options conn_tab_bits=20 x=y", "ipvs_module_options", ("conn_tab_bits=20", "x=y")),
    ("ip_vs_sysctl { expire_nodest_conn 1 }", "ip_vs_sysctl", (("expire_nodest_conn", "1"),)),
    ("vrrp_garp_master_delay 0", "vrrp.garp_master_delay", 0),
    ("vrrp_garp_interval 0.5", "vrrp.garp_interval", micro(0.5)),
    ("vrrp_garp_extra_if all 30", "vrrp.garp_extra_if_all", True),
    ("vrrp_min_garp", "vrrp.garp_master_repeat", 1),
    ("vrrp_garp_master_repeat 3\nvrrp_min_garp", "vrrp.garp_master_repeat", 3),
    ("vrrp_min_garp off", "vrrp.garp_master_repeat", 5),
    ("vrrp_version 3", "vrrp.version", 3),
    ("vrrp_mcast_group4 224.0.0.19", "vrrp.mcast_group4", Address.parse("224.0.0.19")),
    ("vrrp_startup_delay 5\nvrrp_startup_delay 3", "vrrp.startup_delay", micro(5)),
    ("vrrp_rx_bufs_policy mtu", "vrrp.rx_bufs_policy", ("MTU",)),
    ("vrrp_rx_bufs_policy 4096", "vrrp.rx_bufs_policy", ("4096",)),
    ("dynamic_interfaces", "dynamic_interfaces", True),
    ("dynamic_interfaces allow_if_changes", "allow_if_changes", True),
    ("nftables", "nftables.table", "keepalived"),
    ("nftables mine", "nftables.table", "mine"),
    ("nftables_priority -150", "nftables.priority", -150),
    ("nftables_ipvs", "nftables.ipvs_table", "keepalived_ipvs"),
    ("enable_snmp_rfc", "snmp.rfcv3", True),
    ("enable_snmp_keepalived", "snmp.vrrp", True),
    ("snmp_socket tcp:localhost:705", "snmp.socket", "tcp:localhost:705"),
    ("snmp_rs_stats_update_interval 0.5", "snmp.rs_stats_update_interval", micro(0.5)),
    ("lvs_netlink_cmd_rcv_bufs 65536", "lvs_netlink_cmd_rcv_bufs.size", 65536),
    ("lvs_netlink_cmd_rcv_bufs 0", "lvs_netlink_cmd_rcv_bufs.size", None),
    ("lvs_netlink_cmd_rcv_bufs_force", "lvs_netlink_cmd_rcv_bufs.force", True),
    ("random_seed 7", "random_seed", 7),
    ("reload_check_config", "reload_check_config", ""),
    ("reload_check_config /tmp/x", "reload_check_config", "/tmp/x"),
    ("reload_file /run/x", "reload_file", "/run/x"),
    ("json_version 2", "json_version", 2),
    ("config_save_dir /var/x", "config_save_dir", "/var/x"),
    ("state_dump_file /tmp/s", "state_dump_file", "/tmp/s"),
    ("notify_fifo /run/f nobody", "notify_fifo.path", "/run/f"),
    ("notify_fifo /run/f nobody", "notify_fifo.user", User(65534, 65534, "nobody")),
]


@pytest.mark.parametrize(("line", "field", "value"), GOOD, ids=[line for line, _, _ in GOOD])
def test_a_line_sets_its_field(line: str, field: str, value: object) -> None:
    assert follow(defs(line), field) == value


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("router_id", "KA116"),
        ("process_name abcdefghijklmnop", "KA108"),
        ("checker_priority 20", "KA101"),
        ("checker_rt_priority 100", "KA102"),
        ("checker_cpu_affinity 0 4", "KA101"),
        ("notification_email { }", "KA113"),
        ("notification_email_from a b", "KA109"),
        ("smtp_server nowhere.example", "KA115"),
        ("smtp_server 192.0.2.1 0", "KA106"),
        ("smtp_connect_timeout 0", "KA102"),
        ("smtp_connect_timeout 4295", "KA101"),
        ("script_user nosuch", "KA114"),
        ("script_user root nosuch", "KA114"),
        ("umask 0x", "KA104"),
        ("umask 01000", "KA101"),
        ("umask IRWXX", "KA104"),
        ("lvs_timeouts tcp", "KA116"),
        ("lvs_timeouts ftp 5", "KA104"),
        ("lvs_timeouts tcp 2678401", "KA101"),
        ("lvs_flush_on_stop RS", "KA104"),
        ("lvs_sync_daemon", "KA116"),
        ("lvs_sync_daemon eth0 inst V id 256", "KA101"),
        ("lvs_sync_daemon eth0 group 192.0.2.1", "KA105"),
        ("lvs_sync_daemon eth0 V 5", "KA111"),
        ("lvs_sync_daemon eth0\nlvs_sync_daemon eth1", "KA110"),
        ("vrrp_garp_master_repeat 0", "KA102"),
        ("vrrp_mcast_group4 192.0.2.1", "KA105"),
        ("vrrp_mcast_group6 ff05::1", "KA105"),
        ("vrrp_iptables", "KA118"),
        ("vrrp_vmac_garp_intvl 5", "KA111"),
        ("vrrp_garp_extra_if", "KA116"),
        ("vrrp_rx_bufs_policy MTU ADVERT", "KA114"),
        ("vrrp_rx_bufs_policy MTU\nvrrp_rx_bufs_policy 5", "KA114"),
        ("vrrp_rx_bufs_multiplier 2 3", "KA109"),
        ("nftables a\nnftables b", "KA110"),
        ('nftables ""', "KA114"),
        ("snmp_socket a b", "KA109"),
        ("reload_time_file a b", "KA109"),
        ('json_dump_file ""', "KA114"),
        ("json_version 3", "KA101"),
        ("random_seed -1", "KA101"),
        ("include_check nope", "KA104"),
        ("include_check read match", "KA104"),
        ("include_check +nope", "KA104"),
        ("startup_script", "KA116"),
        ('startup_script ""', "KA114"),
        ("startup_script /bin/ok nosuch", "KA114"),
        ("ip_vs_sysctl { UPPER 1 }", "KA114"),
        ("ip_vs_sysctl { one }", "KA114"),
    ],
)
def test_a_line_that_is_reported(line: str, code: str) -> None:
    loaded = load(line)
    assert code in [found for found, _ in told(loaded)]
    assert loaded.status == ExitStatus.TEST_FAILED and loaded.config is not None


@pytest.mark.parametrize("line", ["smtp_connect_timeout", "lvs_netlink_cmd_rcv_bufs_force x y", "smtp_helo_name"])
def test_a_missing_word_means_three_things(line: str) -> None:
    expected = {"smtp_connect_timeout": ExitStatus.UNUSABLE, "smtp_helo_name": ExitStatus.OK}
    assert load(line).status == expected.get(line, ExitStatus.TEST_FAILED)


def test_several_blocks_are_one() -> None:
    loaded = read("global_defs {\nrouter_id a\nvrrp_version 3\n}\nglobal_defs {\nrouter_id b\n}\n")
    assert loaded.config is not None
    assert (loaded.config.globals.router_id, loaded.config.globals.vrrp.version) == ("b", 3)


def test_after_a_script_user_that_does_not_exist_scripts_without_one_do_not_run() -> None:
    body = "virtual_server 192.0.2.1 80 {\nlb_algo rr\nlb_kind NAT\nprotocol TCP\n{}real_server 198.51.100.1 80 {\n}\n}\n"
    scripts = "quorum_up /bin/ok\nquorum_down /bin/ok nobody\n"
    loaded = read("global_defs {\nenable_script_security\nscript_user nosuch\n}\n" + body.replace("{}", scripts))
    assert loaded.config is not None
    service = loaded.config.lvs.virtual_servers[0]
    assert service.quorum_up is None
    assert service.quorum_down == Script(("/bin/ok",), User(65534, 65534, "nobody"))


def test_root_words() -> None:
    loaded = read("net_namespace a\ninstance b\nuse_pid_dir\nchild_wait_time 9\nlinkbeat_use_polling\nnet_namespace_ipvs\n")
    assert told(loaded) == []
    assert loaded.config is not None
    found = loaded.config.globals
    assert (found.net_namespace, found.instance, found.child_wait_time, found.net_namespace_ipvs) == ("a", "b", 9, "")
    assert found.use_pid_dir and found.linkbeat_use_polling
    assert [code for code, _ in told(read("instance a\ninstance b\nnet_namespace\n"))] == ["KA110", "KA116"]


def test_ssl() -> None:
    loaded = read("SSL {\npassword p\nca /a\ncertificate /c\nkey /k\n}\n")
    assert loaded.config is not None and loaded.config.ssl == SslContext("p", "/a", "/c", "/k")
    loaded = read("SSL {\nca /a\nca /b\n}\nSSL {\nkey /k\nca\n}\n")
    assert [code for code, _ in told(loaded)] == ["KA110", "KA110", "KA116"]
    assert loaded.config is not None and loaded.config.ssl == SslContext(key="/k")


class NoNamespace(FakeFacts):
    """A host without the network namespace that is asked for."""

    def namespace_problem(self, name: str) -> str:
        return "no such namespace"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("net_namespace a\nnonsense\n", ExitStatus.OK),
        ("net_namespace a\nvirtual_server 192.0.2.1 80 {\nlb_algo\n}\n", ExitStatus.OK),
        ("net_namespace a\nglobal_defs {\nsmtp_connect_timeout\n}\n", ExitStatus.UNUSABLE),
        ("net_namespace a\nchild_wait_time\n", ExitStatus.UNUSABLE),
        ("nonsense\n", ExitStatus.TEST_FAILED),
    ],
)
def test_a_namespace_that_cannot_be_entered_ends_the_test_in_peace(text: str, status: ExitStatus) -> None:
    loaded = read(text, NoNamespace())
    assert loaded.status == status
    assert (("KA311", 1) in notes(loaded)) == (status == ExitStatus.OK)


class NoFolder(FakeFacts):
    """A host where no folder can be made."""

    def folder_problem(self, path: str) -> str:
        return f"{path} cannot be made"


def test_a_folder_for_copies_that_cannot_be_made() -> None:
    loaded = read("global_defs {\nconfig_save_dir /x\n}\n", NoFolder())
    assert told(loaded) == [("KA114", 2)]


def test_include_check_is_in_force_to_the_end_of_the_file() -> None:
    assert read("global_defs {\ninclude_check\n}\ninclude /nonexistent/x\n").status == ExitStatus.SECURITY
    assert read("global_defs {\ninclude_check read\n}\ninclude /nonexistent/x\n").status == ExitStatus.OK
    assert read("global_defs {\ninclude_check read +match\n}\ninclude /nonexistent/x\n").status == ExitStatus.SECURITY
    assert (
        read("global_defs {\ninclude_check\ninclude_check -match -brace_match\n}\ninclude /nonexistent/x\n").status == ExitStatus.OK
    )


def test_a_seed_makes_random_definitions_repeat() -> None:
    def drawn() -> str | None:
        loaded = read("global_defs {\nrandom_seed 5\nrouter_id ${_RANDOM 0 1000000}\n}\n")
        return loaded.config.globals.router_id if loaded.config else None

    assert drawn() == drawn()
