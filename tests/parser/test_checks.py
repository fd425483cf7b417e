"""The words of each checker, and what refuses them."""

from typing import Any

import pytest

from keepalived_py.addresses import Address
from keepalived_py.config.checkers import (
    Checker,
    DnsCheck,
    HttpCheck,
    MiscCheck,
    PingCheck,
    Regex,
    SmtpCheck,
    StatusRange,
    TcpCheck,
    UdpCheck,
)
from keepalived_py.parser.diagnostics import ExitStatus
from keepalived_py.units import micro
from tests.helpers.facts import read, told

BEFORE = """\
global_defs {
    enable_script_security
    script_user root
}
virtual_server 192.0.2.1 80 {
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 198.51.100.1 80 {
"""


def load(body: str) -> tuple[list[tuple[str, int | None]], tuple[Checker, ...], int]:
    """Read the body of a real server, whose first line is 10."""
    loaded = read(f"{BEFORE}{body}\n}}\n}}\n")
    found = loaded.config.lvs.virtual_servers[0].real_servers[0].checkers if loaded.config else ()
    return told(loaded), found, int(loaded.status)


def check(name: str, *lines: str) -> Any:  # noqa: ANN401  (each type has fields of its own)
    """Read one check that has nothing wrong with it."""
    found, checkers, _ = load("\n".join([f"{name} {{", *lines, "}"]))
    assert found == []
    (only,) = checkers
    return only


def refused(name: str, *lines: str) -> list[tuple[str, int | None]]:
    """Read one check; its own lines start on line 11."""
    return load("\n".join([f"{name} {{", *lines, "}"]))[0]


CONNECTING = ["TCP_CHECK", "PING_CHECK", "DNS_CHECK", "UDP_CHECK", "SMTP_CHECK", "HTTP_GET", "SSL_GET"]


def filler(name: str) -> list[str]:
    """Return what a check cannot do without."""
    return {"HTTP_GET": ["url { path / }"], "SSL_GET": ["url { path / }"], "MISC_CHECK": ["misc_path /bin/ok"]}.get(name, [])


@pytest.mark.parametrize("name", CONNECTING)
def test_every_connecting_check_knows_where_and_when(name: str) -> None:
    made = check(
        name,
        *filler(name),
        "connect_ip 203.0.113.1",
        "connect_port 81",
        "bindto 203.0.113.2",
        "bind_port 82",
        "bind_if eth0",
        "connect_timeout 1.5",
        "fwmark 7",
        "retry 0",
        "delay_before_retry 2",
        "warmup 3",
        "delay_loop 4",
        "alpha",
        "log_all_failures",
    )
    endpoint, timing = made.endpoint, made.timing
    assert (str(endpoint.address), endpoint.port, str(endpoint.bindto), endpoint.bind_port) == (
        "203.0.113.1",
        81,
        "203.0.113.2",
        82,
    )
    assert (endpoint.bind_if, endpoint.connect_timeout, endpoint.fwmark) == ("eth0", micro(1.5), 7)
    assert (timing.retry, timing.delay_before_retry, timing.warmup, timing.delay_loop) == (0, micro(2), micro(3), micro(4))
    assert timing.alpha and timing.log_all_failures


@pytest.mark.parametrize(
    ("name", "kind", "retry", "pause"),
    [
        ("TCP_CHECK", TcpCheck, 1, micro(1)),
        ("PING_CHECK", PingCheck, 1, micro(1)),
        ("UDP_CHECK", UdpCheck, 1, micro(1)),
        ("SMTP_CHECK", SmtpCheck, 1, micro(1)),
        ("HTTP_GET", HttpCheck, 1, micro(3)),
        ("SSL_GET", HttpCheck, 1, micro(3)),
        ("DNS_CHECK", DnsCheck, 3, micro(60)),
        ("MISC_CHECK", MiscCheck, 0, micro(1)),
    ],
)
def test_defaults_of_each_type(name: str, kind: type, retry: int, pause: int) -> None:
    made: Any = check(name, *filler(name))
    assert type(made).__name__ == kind.__name__
    assert (made.timing.retry, made.timing.delay_before_retry, made.timing.warmup) == (retry, pause, micro(60))


@pytest.mark.parametrize(
    "line",
    [
        "connect_ip name",
        "connect_port 0",
        "bind_port 65536",
        "bind_if eth0123456789abc",
        "connect_timeout 0",
        "connect_timeout 4294.967296",
        "fwmark -1",
        "retry -1",
        "delay_before_retry x",
        "warmup -1",
        "delay_loop 0",
        "alpha maybe",
        "log_all_failures 1",
        "nonsense",
    ],
)
def test_words_of_every_connecting_check_that_are_refused(line: str) -> None:
    assert [at for _, at in refused("TCP_CHECK", line)] == [11]


def test_http_words() -> None:
    made = check(
        "HTTP_GET",
        "virtualhost a.example",
        "http_protocol 1.0c",
        "sni_name b.example",
        "fast_recovery",
        "url {",
        "path /a",
        "digest 0123456789ABCDEF0123456789abcdef",
        "status_code 200 301-302",
        "status_code 404",
        "virtualhost c.example",
        r'regex "a\x20b[\x22]"',
        "regex_no_match",
        "regex_options caseless dotall",
        "regex_options multiline",
        "regex_min_offset 5",
        "regex_max_offset 9",
        "regex_stack 100 200",
        "}",
        "url { path /b }",
    )
    assert not made.tls and (made.virtualhost, made.http_protocol) == ("a.example", "1.0C")
    assert made.enable_sni and made.sni_name == "b.example" and made.fast_recovery
    first, second = made.urls
    assert (first.path, first.digest, first.virtualhost) == ("/a", "0123456789abcdef0123456789abcdef", "c.example")
    assert first.status_codes == (StatusRange(200, 200), StatusRange(301, 302), StatusRange(404, 404))
    assert first.regex == Regex(
        'a b["]', ("caseless", "dotall", "multiline"), no_match=True, min_offset=5, max_offset=9, stack=(100, 200)
    )
    assert (second.path, second.status_codes, second.regex) == ("/b", (), None)


def test_tls_words() -> None:
    made = check("SSL_GET", "enable_sni", "tls_compliant", "url { path / }", "url { path /x", "tls_compliant no", "}")
    assert made.tls and made.enable_sni and made.tls_compliant
    assert [url.tls_compliant for url in made.urls] == [True, False]
    assert refused("HTTP_GET", "tls_compliant", "url { path / }") == [("KA001", 11)]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("http_protocol 2.0", "KA104"),
        ("http_protocol", "KA116"),
        ("virtualhost", "KA116"),
        ("nb_get_retry 3", "KA111"),
        ("url {", "KA005"),
        ("url { digest 00 }", "KA114"),
        ("url { digest 0123456789abcdef0123456789abcdeg }", "KA114"),
        ("url { path /a\npath /b }", "KA110"),
        ("url { path /\nregex a b }", "KA109"),
        ("url { path /\nregex }", "KA109"),
        ("url { status_code 200 }", "KA220"),
    ],
)
def test_http_words_that_are_reported(line: str, code: str) -> None:
    assert code in [found for found, _ in refused("HTTP_GET", line, "url { path /z }")]


def test_bad_status_codes_are_passed_over() -> None:
    found, (made,), _ = load("HTTP_GET {\nurl { path /\nstatus_code 99 200 600 300-200 x 204\n}\n}")
    assert found == [("KA114", 12)] * 4
    assert isinstance(made, HttpCheck)
    assert [str(code) for code in made.urls[0].status_codes] == ["200", "204"]


def test_smtp_words_and_the_old_host_blocks() -> None:
    assert check("SMTP_CHECK").helo_name == "smtpchecker.keepalived.org"
    assert check("SMTP_CHECK", "helo_name a.example").helo_name == "a.example"
    found, checkers, status = load("SMTP_CHECK {\nhost { connect_ip 203.0.113.1 }\nhost { connect_port 26 }\n}")
    assert (found, status) == ([], 0)
    assert [(str(each.endpoint.address), each.endpoint.port) for each in checkers if isinstance(each, SmtpCheck)] == [
        ("203.0.113.1", 80),
        ("198.51.100.1", 26),
    ]


def test_dns_words() -> None:
    made = check("DNS_CHECK", "type aaaa", "name www.example.")
    assert (made.type, made.name) == ("AAAA", "www.example")
    assert refused("DNS_CHECK", "type X") == [("KA104", 11)]
    assert refused("DNS_CHECK", "name a..b") == [("KA114", 11)]
    assert refused("DNS_CHECK", "name .a") == [("KA114", 11)]
    assert refused("DNS_CHECK", "name aa", "name bb") == [("KA110", 12)]


def test_a_name_that_only_keepalived_refuses_is_reported_and_used() -> None:
    found, (made,), _ = load("DNS_CHECK {\nname a.root-servers.net\n}")
    assert found == [("KA114", 11)]
    assert isinstance(made, DnsCheck) and made.name == "a.root-servers.net"


def test_udp_words() -> None:
    made = check("UDP_CHECK", "payload 01 02f", "require_reply 0X fx", "min_reply_length 2", "max_reply_length 9")
    assert (made.payload, made.require_reply) == (b"\x01\x02\x0f", True)
    assert (made.reply, made.reply_mask) == (b"\x00\xf0", b"\xf0\xf0")
    assert (made.min_reply_length, made.max_reply_length) == (2, 9)
    assert check("UDP_CHECK", "require_reply").require_reply
    for line in ("payload", "payload xx", "payload 0x10", 'payload ""', "require_reply zz", "max_reply_length 65536"):
        assert [at for _, at in refused("UDP_CHECK", line)] == [11], line
    assert refused("UDP_CHECK", "min_reply_length 9", "max_reply_length 2") == [("KA114", 11)]


def test_misc_words() -> None:
    made = check("MISC_CHECK", "misc_path \"/bin/ok 'a b' c\"", "misc_timeout 5", "misc_dynamic", "user nobody")
    assert made.script.argv == ("/bin/ok", "a b", "c") and made.script.user.name == "nobody"
    assert (made.timeout, made.dynamic) == (micro(5), True)
    assert check("MISC_CHECK", "misc_path /bin/ok").script.user.name == "root"


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ((), "KA305"),
        (("misc_path",), "KA305"),
        (("misc_path /bin/ok", "user nosuch"), "KA305"),
        (("misc_path /bin/ok", "user"), "KA116"),
        (("misc_path /bin/ok", "misc_timeout 4295"), "KA101"),
        (('misc_path "/bin/ok \'a"',), "KA006"),
    ],
)
def test_misc_words_that_are_reported(lines: tuple[str, ...], code: str) -> None:
    assert code in [found for found, _ in refused("MISC_CHECK", *lines)]


def test_a_program_that_does_not_exist_drops_the_check_with_a_note() -> None:
    found, checkers, status = load("MISC_CHECK {\nmisc_path /bin/none\n}")
    assert (found, checkers, status) == ([], (), 0)


def test_scripts_without_security_change_the_status() -> None:
    service = BEFORE.partition("}\n")[2].replace("protocol TCP", "protocol TCP\n quorum_up /bin/ok")
    loaded = read(f"{service}\n}}\n}}\n")
    assert (loaded.status, told(loaded)) == (ExitStatus.SECURITY, [("KA300", 5)])


def test_checks_that_refer_need_what_they_name_before_them() -> None:
    checks = "FILE_CHECK {\ntrack_file f\nweight 2 reverse\n}\nBFD_CHECK { name b }"
    body = f"{BEFORE}{checks}\n}}\n}}\n"
    assert [code for code, _ in told(read(body))] == ["KA224", "KA220", "KA224", "KA220"]
    before = "track_file f { file /tmp/f }\nbfd_instance b { neighbor_ip 192.0.2.9 }\n"
    loaded = read(before + body)
    assert told(loaded) == []
    assert loaded.config is not None
    file_check, bfd_check = loaded.config.lvs.virtual_servers[0].real_servers[0].checkers
    assert (file_check.track_file, file_check.weight, file_check.reverse, bfd_check.name) == ("f", 2, True, "b")  # type: ignore[union-attr]


def test_addresses_of_checks_may_carry_a_prefix_that_is_passed_over() -> None:
    assert check("TCP_CHECK", "connect_ip 203.0.113.1/24").endpoint.address == Address.parse("203.0.113.1")
