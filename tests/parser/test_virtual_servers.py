"""`virtual_server` and `real_server`: what is inherited, and every rule that joins several words, one test for each."""

import pytest

from keepalived_py.addresses import Address, Family
from keepalived_py.config.checkers import HttpCheck, TcpCheck
from keepalived_py.config.lvs import (
    AddressEntry,
    AddressTarget,
    Forwarding,
    ForwardingMethod,
    FwmarkEntry,
    FwmarkTarget,
    GroupTarget,
    Protocol,
    RealServer,
    ServerKey,
    ServiceFlags,
    SorryServer,
    TunnelChecksum,
    TunnelType,
    VirtualServer,
)
from keepalived_py.parser.diagnostics import ExitStatus
from keepalived_py.units import micro
from tests.helpers.facts import FakeFacts, notes, read, told

USUAL = ("lb_algo rr", "lb_kind NAT", "protocol TCP")
RS = "real_server 198.51.100.1 80 { }"


def text(*lines: str, head: str = "192.0.2.1 80") -> str:
    """Return a virtual server whose own lines start on line 2."""
    return "\n".join([f"virtual_server {head} {{", *lines, "}"]) + "\n"


def one(*lines: str, head: str = "192.0.2.1 80", before: str = "", facts: FakeFacts | None = None) -> VirtualServer:
    """Read a virtual server that has nothing wrong with it."""
    loaded = read(before + text(*lines, head=head), facts)
    assert told(loaded) == []
    assert loaded.config is not None
    (service,) = loaded.config.lvs.virtual_servers
    return service


def faulty(*lines: str, head: str = "192.0.2.1 80", before: str = "") -> tuple[list[tuple[str, int | None]], VirtualServer | None]:
    """Read a virtual server; return what is said of it, and what is left of it."""
    loaded = read(before + text(*lines, head=head))
    assert loaded.config is not None
    services = loaded.config.lvs.virtual_servers
    assert len(services) <= 1
    return told(loaded), services[0] if services else None


def server(service: VirtualServer | None) -> RealServer:
    assert service is not None
    return service.real_servers[0]


# What a service is made for -------------------------------------------------------------------------------------------------------


def test_by_address() -> None:
    service = one(*USUAL, RS)
    assert service.target == AddressTarget(Address.parse("192.0.2.1"), 80, Protocol.TCP)
    assert (service.family, service.lb_algo, service.forwarding) == (Family.INET, "rr", Forwarding())
    assert (service.delay_loop, service.quorum, service.hysteresis, service.weight) == (micro(60), 1, 0, 1)
    assert not service.smtp_alert and service.flags is ServiceFlags.NONE
    assert server(service) == RealServer(Address.parse("198.51.100.1"), 80)


def test_by_firewall_mark_takes_its_family_from_its_servers() -> None:
    service = one("lb_algo rr", "lb_kind NAT", "real_server 2001:db8::1 80 { }", head="fwmark 7")
    assert service.target == FwmarkTarget(7, Family.INET6)


def test_by_group_which_may_follow() -> None:
    loaded = read(text(*USUAL, RS, head="group g") + "virtual_server_group g {\n192.0.2.1-3 80\nfwmark 5 inet\n192.0.2.9\n}\n")
    assert [code for code, _ in told(loaded)] == ["KA205"]
    assert loaded.config is not None
    assert [type(entry) for entry in loaded.config.lvs.groups[0].entries] == [AddressEntry, FwmarkEntry, AddressEntry]


def test_a_group_target_is_named() -> None:
    before = "virtual_server_group g {\n192.0.2.1-3 80\n}\n"
    service = one(*USUAL, RS, head="group g", before=before)
    assert service.target == GroupTarget("g", Protocol.TCP)


@pytest.mark.parametrize(
    "head", ["host 80", "192.0.2.256 80", "192.0.2.1 65536", "192.0.2.1 http", "fwmark x", "fwmark -1", '"" 80', "match"]
)
def test_a_head_that_cannot_be_read_skips_the_block(head: str) -> None:
    found, service = faulty("nonsense", RS, head=head)
    assert service is None and [line for _, line in found] == [1]


@pytest.mark.parametrize("head", ["", "group", "fwmark"])
def test_a_head_without_its_word_ends_the_reading(head: str) -> None:
    loaded = read(text(*USUAL, RS, head=head))
    assert (loaded.status, loaded.config) == (ExitStatus.UNUSABLE, None)


# Inheritance ----------------------------------------------------------------------------------------------------------------------

INHERITED = [
    ("weight 5", "weight", 5, "weight 0", 0),
    ("inhibit_on_failure", "inhibit_on_failure", True, "inhibit_on_failure off", False),
    ("alpha", "alpha", True, "alpha no", False),
    ("retry 4", "retry", 4, "retry 2", 2),
    ("delay_before_retry 2.5", "delay_before_retry", micro(2.5), "delay_before_retry 0", 0),
    ("warmup 3", "warmup", micro(3), "warmup 0", 0),
    ("connect_timeout 2", "connect_timeout", micro(2), "connect_timeout 9", micro(9)),
    ("delay_loop 7", "delay_loop", micro(7), "delay_loop 0.5", micro(0.5)),
    ("lb_kind DR", "forwarding", Forwarding(ForwardingMethod.DROUTE), "lvs_method NAT", Forwarding()),
]


@pytest.mark.parametrize(("line", "field", "value", "own", "own_value"), INHERITED)
def test_a_real_server_takes_over_what_it_does_not_say(line: str, field: str, value: object, own: str, own_value: object) -> None:
    service = one(*USUAL, line, RS, f"real_server 198.51.100.2 80 {{ {own} }}")
    assert [getattr(each, field) for each in service.real_servers] == [value, own_value]


def test_a_check_takes_over_what_it_does_not_say() -> None:
    service = one(
        *USUAL,
        "delay_loop 7",
        "connect_timeout 2",
        "virtualhost a.example",
        "real_server 198.51.100.1 8080 {",
        "retry 4",
        "TCP_CHECK { }",
        "TCP_CHECK { connect_ip 203.0.113.9",
        "connect_port 9",
        "retry 0",
        "delay_before_retry 5",
        "warmup 0",
        "connect_timeout 1 }",
        "HTTP_GET { url { path / } }",
        "}",
    )
    plain, own, http = server(service).checkers
    assert isinstance(plain, TcpCheck) and isinstance(own, TcpCheck) and isinstance(http, HttpCheck)
    assert (str(plain.endpoint.address), plain.endpoint.port, plain.endpoint.connect_timeout) == ("198.51.100.1", 8080, micro(2))
    assert (plain.timing.delay_loop, plain.timing.retry, plain.timing.delay_before_retry) == (micro(7), 4, micro(1))
    assert plain.timing.warmup == micro(7)
    assert (str(own.endpoint.address), own.endpoint.port, own.endpoint.connect_timeout) == ("203.0.113.9", 9, micro(1))
    assert (own.timing.retry, own.timing.delay_before_retry, own.timing.warmup) == (0, micro(5), 0)
    assert (http.timing.delay_before_retry, http.virtualhost) == (micro(3), "a.example")


def test_the_method_in_force_where_a_real_server_starts_counts() -> None:
    service = one("lb_algo rr", "protocol TCP", "lb_kind NAT", RS, "lb_kind DR", "real_server 198.51.100.2 80 { }")
    assert [each.forwarding.method for each in service.real_servers] == [ForwardingMethod.MASQ, ForwardingMethod.DROUTE]


@pytest.mark.parametrize(
    ("globals_", "service_alert", "server_alert"),
    [
        ("", False, True),
        ("smtp_alert", True, True),
        ("smtp_alert off", False, False),
        ("smtp_alert\nsmtp_alert_checker off", False, False),
        ("smtp_alert off\nsmtp_alert_checker", True, True),
    ],
)
def test_alerts_follow_the_global_words_and_differ_without_them(globals_: str, service_alert: bool, server_alert: bool) -> None:
    service = one(*USUAL, RS, before=f"global_defs {{\n{globals_}\n}}\n")
    assert (service.smtp_alert, server(service).smtp_alert) == (service_alert, server_alert)


def test_a_port_of_the_service_is_that_of_its_servers() -> None:
    service = one(*USUAL, "sorry_server 198.51.100.9", "real_server 198.51.100.1 { }", "real_server 198.51.100.2 0 { }")
    assert [each.port for each in service.real_servers] == [80, 80]
    assert service.sorry_server == SorryServer(Address.parse("198.51.100.9"), 80)


# Methods and flags ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "forwarding"),
    [
        ("NAT", Forwarding()),
        ("DR", Forwarding(ForwardingMethod.DROUTE)),
        ("TUN", Forwarding(ForwardingMethod.TUNNEL)),
        ("TUNNEL", Forwarding(ForwardingMethod.TUNNEL)),
        ("TUN type gue port 5555", Forwarding(ForwardingMethod.TUNNEL, TunnelType.GUE, 5555)),
        ("TUN type gue port 1 remcsum", Forwarding(ForwardingMethod.TUNNEL, TunnelType.GUE, 1, TunnelChecksum.REMCSUM)),
        ("TUN type gre csum", Forwarding(ForwardingMethod.TUNNEL, TunnelType.GRE, 0, TunnelChecksum.CSUM)),
        ("TUN type ipip nocsum", Forwarding(ForwardingMethod.TUNNEL)),
    ],
)
def test_forwarding_methods(words: str, forwarding: Forwarding) -> None:
    assert one("lb_algo rr", f"lb_kind {words}", "protocol TCP", RS).forwarding == forwarding


@pytest.mark.parametrize(
    "words",
    ["nat", "TUN type", "TUN type x", "TUN type gue", "TUN port 5", "TUN port x", "TUN x", "TUN csum", "TUN type gre remcsum"],
)
def test_methods_that_cannot_be(words: str) -> None:
    found, service = faulty("lb_algo rr", f"lb_kind {words}", "protocol TCP", RS)
    assert found[0][1] == 3 and found[-1] == ("KA203", 1)
    assert service is not None and service.forwarding == Forwarding()


def test_flags_of_a_scheduler_need_it_before_them() -> None:
    assert one("lb_algo sh", "sh-port", "sh-fallback", *USUAL[1:], RS).flags == ServiceFlags.SCHED1 | ServiceFlags.SCHED2
    assert one("lb_algo mh", "mh-port", *USUAL[1:], RS).flags == ServiceFlags.SCHED2
    assert one("lb_algo sh", "mh-port", *USUAL[1:], RS).flags == ServiceFlags.NONE
    assert one(*USUAL, "flag-3", RS).flags == ServiceFlags.SCHED3
    found, service = faulty("sh-port", "lb_algo sh", *USUAL[1:], RS)
    assert found == [("KA221", 2)]
    assert service is not None and service.flags == ServiceFlags.NONE


def test_hashed_never_sets_a_flag() -> None:
    assert one("lb_algo sh", "hashed", *USUAL[1:], RS).flags == ServiceFlags.NONE
    assert faulty(*USUAL, "hashed", RS)[0] == [("KA221", 5)]


@pytest.mark.parametrize(
    ("word", "family", "length"),
    [
        ("255.255.255.0", "192.0.2.1 80", 24),
        ("255.255.255.255", "192.0.2.1 80", 32),
        ("0.0.0.0", "192.0.2.1 80", 0),
        ("0xffffff00", "192.0.2.1 80", 24),
        ("64", "2001:db8::1 80", 64),
    ],
)
def test_granularity_switches_persistence_on(word: str, family: str, length: int) -> None:
    server_ = "real_server 2001:db8::9 80 { }" if ":" in family else RS
    service = one(*USUAL, f"persistence_granularity {word}", server_, head=family)
    assert (service.persistence_granularity, service.persistence_timeout) == (length, 360)


def test_a_netmask_with_gaps_is_noted_and_not_used() -> None:
    loaded = read(text(*USUAL, "persistence_granularity 255.0.255.0", RS))
    assert (loaded.status, notes(loaded)) == (0, [("KA117", 5)])
    assert loaded.config is not None and loaded.config.lvs.virtual_servers[0].persistence_granularity is None


@pytest.mark.parametrize(("word", "head"), [("x", "192.0.2.1 80"), ("255.0.0.0", "2001:db8::1 80"), ("129", "2001:db8::1 80")])
def test_a_granularity_that_cannot_be(word: str, head: str) -> None:
    server_ = "real_server 2001:db8::9 80 { }" if ":" in head else RS
    assert [line for _, line in faulty(*USUAL, f"persistence_granularity {word}", server_, head=head)[0]] == [5]


# Rules, by code -------------------------------------------------------------------------------------------------------------------


def test_ka200_no_real_servers() -> None:
    assert faulty(*USUAL) == ([("KA200", 1)], None)


def test_ka201_no_protocol() -> None:
    found, service = faulty("lb_algo rr", "lb_kind NAT", RS)
    assert found == [("KA201", 1)]
    assert service is not None and service.target == AddressTarget(Address.parse("192.0.2.1"), 80, Protocol.UDP)


def test_ka202_no_scheduler() -> None:
    found, service = faulty("lb_kind NAT", "protocol TCP", RS)
    assert found == [("KA202", 1)]
    assert service is not None and service.lb_algo == "wlc"


def test_ka203_no_forwarding_method() -> None:
    assert faulty("lb_algo rr", "protocol TCP", RS)[0] == [("KA203", 1)]
    assert one("lb_algo rr", "protocol TCP", "real_server 198.51.100.1 80 { lvs_method DR }")
    found, _ = faulty("lb_algo rr", "protocol TCP", "sorry_server 198.51.100.9", "real_server 198.51.100.1 80 { lvs_method DR }")
    assert found == [("KA203", 1)]


def test_ka201_to_ka203_in_the_order_of_the_reference() -> None:
    assert [code for code, _ in faulty(RS)[0]] == ["KA201", "KA202", "KA203"]


def test_ka204_ops_needs_udp() -> None:
    found, service = faulty(*USUAL, "ops", RS)
    assert found == [("KA204", 5)]
    assert service is not None and service.flags is ServiceFlags.NONE
    assert one("lb_algo rr", "lb_kind NAT", "protocol UDP", "ops", RS).flags is ServiceFlags.ONE_PACKET
    assert one("lb_algo rr", "lb_kind NAT", "ops", RS, head="fwmark 3").flags is ServiceFlags.ONE_PACKET


@pytest.mark.parametrize("head", ["192.0.2.1", "192.0.2.1 0", "group g"])
def test_ka205_port_zero_needs_persistence(head: str) -> None:
    before = "virtual_server_group g {\n192.0.2.1\n}\n" if "g" in head else ""
    found, service = faulty(*USUAL, RS, head=head, before=before)
    assert [code for code, _ in found] == ["KA205"]
    assert service is not None and service.persistence_timeout == 360
    assert one(*USUAL, "persistence_timeout 50", RS, head=head, before=before).persistence_timeout == 50


def test_ka206_a_firewall_mark_has_no_protocol() -> None:
    assert faulty(*USUAL, RS, head="fwmark 3")[0] == [("KA206", 4)]
    assert [code for code, _ in faulty(*USUAL, RS, head="group g", before="virtual_server_group g {\nfwmark 1\n}\n")[0]] == [
        "KA206"
    ]


def test_ka207_quorum_above_all_weights() -> None:
    found, service = faulty(*USUAL, "quorum 9", "weight 2", RS, "real_server 198.51.100.2 80 { weight 3 }")
    assert found == [("KA207", 5)]
    assert service is not None and service.quorum == 5


def test_ka208_hysteresis_not_below_the_quorum() -> None:
    found, service = faulty(*USUAL, "quorum 2", "hysteresis 2", "weight 2", RS)
    assert found == [("KA208", 6)]
    assert service is not None and service.hysteresis == 1


def test_ka209_ha_suspend_needs_addresses() -> None:
    found, service = faulty("lb_algo rr", "lb_kind NAT", "ha_suspend", RS, head="fwmark 3")
    assert found == [("KA209", 4)]
    assert service is not None and not service.ha_suspend
    assert one(*USUAL, "ha_suspend", RS).ha_suspend


def test_ka210_families_differ() -> None:
    found, service = faulty(*USUAL, "real_server 2001:db8::1 80 { }")
    assert (found, service) == ([("KA210", 5), ("KA200", 1)], None)
    found, service = faulty(*USUAL, "sorry_server 2001:db8::9 80", RS)
    assert found == [("KA210", 5)]
    assert service is not None and service.sorry_server is None
    assert server(one("lb_algo rr", "lb_kind TUN", "protocol TCP", "real_server 2001:db8::1 80 { }")).address.family is Family.INET6
    assert faulty("ip_family inet6", *USUAL, RS)[0][0] == ("KA210", 2)


def test_ka211_a_sorry_server_that_is_a_real_server_takes_its_inhibit() -> None:
    found, service = faulty(*USUAL, "sorry_server 198.51.100.1 80", "real_server 198.51.100.1 80 { inhibit_on_failure }")
    assert found == [("KA211", 5)]
    assert service is not None and service.sorry_server is not None and service.sorry_server.inhibit


def test_ka212_ports_differ_where_nothing_rewrites_them() -> None:
    found, service = faulty(
        "lb_algo rr", "lb_kind DR", "protocol TCP", "real_server 198.51.100.1 81 { }", "sorry_server 198.51.100.9 82"
    )
    assert found == [("KA212", 5), ("KA212", 6)]
    assert service is not None and service.sorry_server is not None
    assert (server(service).port, service.sorry_server.port) == (80, 80)
    before = "virtual_server_group g {\n192.0.2.1 80\n}\n"
    found, service = faulty(
        "lb_algo rr", "lb_kind DR", "protocol TCP", "real_server 198.51.100.1 81 { }", head="group g", before=before
    )
    assert [code for code, _ in found] == ["KA212"] and server(service).port == 81


def test_ka213_a_port_behind_a_firewall_mark() -> None:
    found, service = faulty("lb_algo rr", "lb_kind DR", RS, head="fwmark 3")
    assert found == [("KA213", 4)] and server(service).port == 0
    assert server(one("lb_algo rr", "lb_kind NAT", RS, head="fwmark 3")).port == 80


def test_ka214_group_unknown() -> None:
    loaded = read("virtual_server_group shop { 192.0.2.1 80 }\n" + text(*USUAL, RS, head="group shpo"))
    assert (loaded.status, notes(loaded)) == (0, [("KA214", 2)])
    assert loaded.diagnostics[0].hint == "did you mean shop?"
    assert loaded.config is not None and loaded.config.lvs.virtual_servers == ()


def test_ka215_group_of_another_family() -> None:
    loaded = read(text(*USUAL, RS, head="group g") + "virtual_server_group g { 2001:db8::1 80 }\n")
    assert (loaded.status, notes(loaded)) == (0, [("KA215", 1)])


def test_ka216_a_second_virtual_server_of_one_target() -> None:
    loaded = read(text(*USUAL, RS) * 2 + text("lb_algo rr", "lb_kind NAT", "protocol UDP", RS))
    assert notes(loaded) == [("KA216", 7)]
    assert loaded.config is not None and len(loaded.config.lvs.virtual_servers) == 2


def test_ka217_a_second_real_server_of_one_address_and_port() -> None:
    found, service = faulty(*USUAL, RS, "real_server 198.51.100.1 80 { lvs_method TUN }", "real_server 198.51.100.1 81 { }")
    assert found == [("KA217", 6)]
    assert service is not None
    assert [each.key for each in service.real_servers] == [
        ServerKey(Address.parse("198.51.100.1"), 80),
        ServerKey(Address.parse("198.51.100.1"), 81),
    ]


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (("bindto 2001:db8::1",), 6),
        (("connect_ip 192.0.2.9", "bindto 2001:db8::1"), 7),
        (("bindto 192.0.2.9", "connect_ip 2001:db8::1"), 7),
    ],
)
def test_ka218_both_ends_of_a_check_are_of_one_family(lines: tuple[str, ...], line: int) -> None:
    found, service = faulty(*USUAL, "real_server 198.51.100.1 80 { TCP_CHECK {", *lines, "} }")
    assert found == [("KA218", line)]
    (check,) = server(service).checkers
    assert isinstance(check, TcpCheck) and check.endpoint.address.family is Family.INET


def test_ka219_a_link_local_address_needs_an_interface() -> None:
    found, service = faulty(*USUAL, "real_server 198.51.100.1 80 {", "TCP_CHECK { connect_ip fe80::1 }", "}")
    assert found == [("KA219", 6)] and server(service).checkers == ()
    assert one(*USUAL, "real_server 198.51.100.1 80 {", "TCP_CHECK { connect_ip fe80::1", "bind_if eth0 } }")


@pytest.mark.parametrize(
    "check", ["HTTP_GET { }", "SSL_GET {\n}", "HTTP_GET { url { status_code 200 } }", "FILE_CHECK { }", "BFD_CHECK { alpha }"]
)
def test_ka220_a_check_that_lacks_what_it_needs(check: str) -> None:
    found, service = faulty(*USUAL, "real_server 198.51.100.1 80 {", *check.split("\n"), "}")
    assert {code for code, _ in found} == {"KA220"} and server(service).checkers == ()


@pytest.mark.parametrize("word", ["sorry_server_inhibit", "sorry_server_lvs_method DR"])
def test_ka222_options_of_the_sorry_server_follow_it(word: str) -> None:
    found, service = faulty(*USUAL, word, "sorry_server 198.51.100.9 80", RS)
    assert found == [("KA222", 5)]
    assert service is not None and service.sorry_server == SorryServer(Address.parse("198.51.100.9"), 80)
    assert one(*USUAL, "sorry_server 198.51.100.9 80", word, RS).sorry_server != service.sorry_server


def test_ka223_an_empty_group() -> None:
    loaded = read("virtual_server_group g {\n}\n")
    assert told(loaded) == [("KA223", 1)]
    assert loaded.config is not None and loaded.config.lvs.groups == ()


def test_a_group_keeps_its_good_entries() -> None:
    loaded = read("virtual_server_group g {\n192.0.2.9-1 80\n192.0.2.1 80\nname\nfwmark 1 x\n192.0.2.2 99999\n}\n")
    assert [line for _, line in told(loaded)] == [2, 4, 5, 6]
    assert loaded.config is not None and len(loaded.config.lvs.groups[0].entries) == 1


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (("weight 0",), 5),
        (("retry 0",), 5),
        (("quorum 0",), 5),
        (("persistence_timeout 0",), 5),
        (("persistence_timeout 2678401",), 5),
        (("connect_timeout 0",), 5),
        (("connect_timeout 4295",), 5),
        (("delay_loop 0",), 5),
        (("protocol ICMP",), 5),
        (("lb_algo nope",), 5),
        (("smtp_alert maybe",), 5),
        (("snmp_name a b",), 5),
        (("virtualhost",), 5),
        (("virtualhost a", "virtualhost b"), 6),
        (("quorum_up /bin/ok", "quorum_up /bin/ok"), 6),
    ],
)
def test_words_that_are_refused(lines: tuple[str, ...], line: int) -> None:
    found, service = faulty(*USUAL, *lines, RS)
    assert next(at for _, at in found if at is not None) == line
    assert service is not None


@pytest.mark.parametrize("word", ["lb_algo", "lb_kind", "protocol", "delay_loop", "weight", "sorry_server", "real_server"])
def test_words_that_must_have_another(word: str) -> None:
    loaded = read(text(word, RS))
    assert (loaded.status, loaded.config, told(loaded)) == (ExitStatus.UNUSABLE, None, [("KA007", 2)])
