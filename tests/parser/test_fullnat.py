"""FULLNAT, SYN proxy and the words of the dialects: the talk's configuration first."""

from pathlib import Path

import pytest

from keepalived_py.addresses import Address
from keepalived_py.config.lvs import ForwardingMethod, GroupTarget, LocalAddressEntry, LocalAddressGroup, Protocol, VirtualServer
from keepalived_py.config.model import Config
from keepalived_py.units import micro
from tests.helpers.facts import FakeFacts, notes, read, told

THE_TALK = """\
local_address_group laddr_g1 {
    192.168.200.1
    192.168.200.5-254
}
virtual_server_group shop {
    1.1.1.1 80
    1.1.2.1-2 80
}
virtual_server group shop {
    delay_loop 7
    lb_algo rr
    lb_kind FNAT
    protocol TCP
    syn_proxy
    laddr_group_name laddr_g1
    alpha
    omega
    quorum 1
    hysteresis 0
    quorum_up   "ip addr add 1.1.1.1/32 dev lo"
    quorum_down "ip addr del 1.1.1.1/32 dev lo"
    real_server 192.168.100.1 80 {
        weight 100
        inhibit_on_failure
        TCP_CHECK { connect_timeout 5 }
    }
    real_server 192.168.100.2 80 {
        weight 100
        HTTP_GET {
            url {
                path /index.html
                status_code 200
            }
            connect_timeout 3
            retry 2
            delay_before_retry 5
        }
    }
}
"""
"""The configuration of the talk's slides, corrected: local addresses apart from servers, one keyword a line."""

USUAL = ("lb_algo rr", "lb_kind FNAT", "protocol TCP")
LOCAL = "local_address { 192.0.2.201 }"
RS = "real_server 198.51.100.1 80 { }"


def config(text: str) -> Config:
    """Read text that has nothing wrong with it."""
    loaded = read(text)
    assert told(loaded) == []
    assert loaded.config is not None
    return loaded.config


def one(*lines: str, head: str = "192.0.2.1 80", before: str = "") -> VirtualServer:
    (service,) = config(before + "\n".join([f"virtual_server {head} {{", *lines, "}"])).lvs.virtual_servers
    return service


def faulty(*lines: str, head: str = "192.0.2.1 80", before: str = "") -> tuple[list[tuple[str, int | None]], int]:
    """Return what is said of a service, and how many services are left of it."""
    loaded = read(before + "\n".join([f"virtual_server {head} {{", *lines, "}"]))
    assert loaded.config is not None
    return told(loaded), len(loaded.config.lvs.virtual_servers)


def entry(first: str, last: str = "", interface: str | None = None) -> LocalAddressEntry:
    return LocalAddressEntry(Address.parse(first), Address.parse(last or first), interface)


def test_the_talk() -> None:
    facts = FakeFacts()
    facts.programs["ip"] = facts.programs["/bin/ok"]
    loaded = read("global_defs {\nenable_script_security\nscript_user root\n}\n" + THE_TALK, facts)
    assert told(loaded) == []
    assert loaded.config is not None
    lvs = loaded.config.lvs
    assert lvs.local_address_groups == (
        LocalAddressGroup("laddr_g1", (entry("192.168.200.1"), entry("192.168.200.5", "192.168.200.254"))),
    )
    (service,) = lvs.virtual_servers
    assert service.target == GroupTarget("shop", Protocol.TCP)
    assert service.syn_proxy and service.uses_fullnat and service.alpha and service.omega
    assert (service.forwarding.method, service.laddr_group_name) == (ForwardingMethod.FULLNAT, "laddr_g1")
    assert service.quorum_up is not None and service.quorum_up.argv == ("ip", "addr", "add", "1.1.1.1/32", "dev", "lo")
    assert [(str(server.key), server.weight, server.inhibit_on_failure) for server in service.real_servers] == [
        ("[192.168.100.1]:80", 100, True),
        ("[192.168.100.2]:80", 100, False),
    ]
    assert [server.forwarding.method for server in service.real_servers] == [ForwardingMethod.FULLNAT] * 2
    assert service.real_servers[1].checkers[0].timing.delay_before_retry == micro(5)


def test_the_talk_is_the_example() -> None:
    example = Path(__file__).parents[2] / "examples" / "shop.conf"
    if not example.exists():
        pytest.skip("examples/shop.conf comes with the kernel module")
    (service,) = config(example.read_text()).lvs.virtual_servers
    assert service.uses_fullnat and service.syn_proxy


def test_local_addresses_of_one_service() -> None:
    service = one(*USUAL, "local_address {", "192.0.2.201", "192.0.2.210-220 eth0", "192.0.2.230-192.0.2.231", "}", RS)
    assert service.local_addresses == (
        entry("192.0.2.201"),
        entry("192.0.2.210", "192.0.2.220", "eth0"),
        entry("192.0.2.230", "192.0.2.231"),
    )


def test_a_group_with_an_interface_and_an_instance_to_follow() -> None:
    (group,) = config(
        "local_address_group g {\n192.0.2.200-203 eth1\n2001:db8::1-f\ntrack_instance VI_1\n}\n"
    ).lvs.local_address_groups
    assert group == LocalAddressGroup(
        "g", (entry("192.0.2.200", "192.0.2.203", "eth1"), entry("2001:db8::1", "2001:db8::f")), "VI_1"
    )


def test_an_interface_that_does_not_exist_is_advice() -> None:
    loaded = read("local_address_group g {\n192.0.2.200 dpdk0\n}\n")
    assert (loaded.status, notes(loaded)) == (0, [("KA902", 2)])
    assert loaded.config is not None
    assert loaded.config.lvs.local_address_groups[0].entries[0].interface == "dpdk0"


@pytest.mark.parametrize("line", ["192.0.2.0/24", "192.0.2.9-1", "name", "192.0.2.1-300", "192.0.2.1-2001:db8::1"])
def test_local_addresses_that_cannot_be(line: str) -> None:
    loaded = read(f"local_address_group g {{\n192.0.2.200\n{line}\n}}\n")
    assert [at for _, at in told(loaded)] == [3]
    assert loaded.config is not None and len(loaded.config.lvs.local_address_groups[0].entries) == 1


def test_an_empty_group_and_a_second_one_of_a_name_are_dropped() -> None:
    assert told(read("local_address_group g {\n}\n")) == [("KA223", 1)]
    loaded = read("local_address_group g {\n192.0.2.1\n}\nlocal_address_group g {\n192.0.2.2\n}\n")
    assert [code for code, _ in told(loaded)] == ["KA225"]
    assert loaded.config is not None and len(loaded.config.lvs.local_address_groups) == 1


def test_ka400_fullnat_is_not_for_firewall_marks() -> None:
    assert faulty("lb_algo rr", "lb_kind FNAT", LOCAL, RS, head="fwmark 3") == ([("KA400", 3)], 0)
    before = "virtual_server_group g {\nfwmark 4 inet\n192.0.2.1 80\n}\n"
    found, left = faulty(*USUAL, LOCAL, RS, head="group g", before=before)
    assert ([code for code, _ in found], left) == (["KA400"], 0)


def test_ka401_fullnat_needs_local_addresses() -> None:
    assert faulty(*USUAL, RS) == ([("KA401", 3)], 0)
    assert faulty(*USUAL, "local_address { }", RS) == ([("KA401", 3)], 0)
    assert faulty("lb_algo rr", "lb_kind NAT", "protocol TCP", "real_server 198.51.100.1 80 { lvs_method FNAT }")[1] == 0


@pytest.mark.parametrize("method", ["DR", "TUN", "TUNNEL"])
def test_ka402_syn_proxy_needs_a_method_that_rewrites(method: str) -> None:
    assert faulty("lb_algo rr", f"lb_kind {method}", "protocol TCP", "syn_proxy", RS) == ([("KA402", 5)], 0)
    assert (
        faulty("lb_algo rr", "lb_kind NAT", "protocol TCP", "syn_proxy", f"real_server 198.51.100.1 80 {{ lvs_method {method} }}")[
            1
        ]
        == 0
    )


@pytest.mark.parametrize("method", ["NAT", "FNAT"])
def test_syn_proxy_with_a_method_that_rewrites(method: str) -> None:
    assert one("lb_algo rr", f"lb_kind {method}", "protocol TCP", "syn_proxy", LOCAL, RS).syn_proxy


def test_ka403_a_local_address_group_that_does_not_exist() -> None:
    found, left = faulty(*USUAL, "laddr_group_name shpo", RS, before="local_address_group shop {\n192.0.2.201\n}\n")
    assert ([code for code, _ in found], left) == (["KA403", "KA401"], 0)
    found, left = faulty(*USUAL, "laddr_group_name nope", LOCAL, RS)
    assert ([code for code, _ in found], left) == (["KA403"], 1)


def test_the_group_may_follow_the_service() -> None:
    assert config(
        "\n".join(
            ["virtual_server 192.0.2.1 80 {", *USUAL, "laddr_group_name g", RS, "}", "local_address_group g {", "192.0.2.9", "}"]
        )
    )


def test_fullnat_keeps_ports_and_joins_families() -> None:
    service = one(*USUAL, LOCAL, "real_server 198.51.100.1 8080 { }", "real_server 2001:db8::1 80 { }")
    assert [server.port for server in service.real_servers] == [8080, 80]


def test_other_words_of_the_dialects() -> None:
    before = "deny_address_group bad {\n10.0.0.0/8\n192.0.2.1-9\nipset:worse\n}\nallow_address_group good {\n203.0.113.7\n}\n"
    service = one(
        *USUAL, LOCAL, "daddr_group_name bad", "waddr_group_name good", "est_timeout 30", "vip_bind_dev eth0", RS, before=before
    )
    assert (service.daddr_group_name, service.waddr_group_name) == ("bad", "good")
    assert (service.est_timeout, service.vip_bind_dev) == (30, "eth0")
    assert one(*USUAL, LOCAL, "establish_timeout 99999999", RS).est_timeout == 2678400
    (deny,) = config(before).lvs.deny_address_groups
    assert (len(deny.entries), deny.ipsets) == (2, ("worse",))


@pytest.mark.parametrize(
    ("lines", "needs"),
    [
        (("lb_algo conhash", "lb_kind NAT", "hash_target sip"), ("hash_target sip", "lb_algo conhash")),
        (("lb_algo rr", "lb_kind SNAT"), ("lb_kind SNAT",)),
        (("lb_algo rr", "lb_kind NAT", "quic"), ("quic",)),
        (("lb_algo rr", "lb_kind NAT", "proxy_protocol v2"), ("proxy_protocol v2",)),
    ],
)
def test_what_no_kernel_of_ours_offers_is_noted_and_kept_with_the_service(lines: tuple[str, ...], needs: tuple[str, ...]) -> None:
    loaded = read("\n".join(["virtual_server 192.0.2.1 80 {", *lines, "protocol TCP", RS, "}"]))
    assert loaded.status == 0
    assert {code for code, _ in notes(loaded)} == {"KA404"}
    assert loaded.config is not None
    assert loaded.config.lvs.virtual_servers[0].needs == needs


def test_a_match_service_of_a_dialect_needs_no_servers() -> None:
    loaded = read("virtual_server match out {\nlb_kind SNAT\noif eth0\nsrc-range 192.0.2.1-192.0.2.9\n}\n")
    assert loaded.status == 0
    assert loaded.config is not None
    assert "virtual_server match" in loaded.config.lvs.virtual_servers[0].needs


@pytest.mark.parametrize("word", ["expire_quiescent_conn", "bps 100", "limit_proportion 80"])
def test_a_knob_without_effect_is_noted(word: str) -> None:
    loaded = read("\n".join(["virtual_server 192.0.2.1 80 {", "lb_algo rr", "lb_kind NAT", "protocol TCP", word, RS, "}"]))
    assert (loaded.status, notes(loaded)) == (0, [("KA405", 5)])
