"""Our own words about health checks: from the file to the values that the engine works from."""

from pathlib import Path

import pytest

from keepalived_py.config.checkers import FileCheck, HttpCheck, TcpCheck, TlsOptions
from keepalived_py.config.lvs import RealServer
from keepalived_py.parser.diagnostics import ExitStatus
from keepalived_py.parser.load import Loaded, load_text
from keepalived_py.system.host import Host
from keepalived_py.units import micro

SERVICE = """
virtual_server 203.0.113.1 80 {{
    protocol TCP
    delay_loop 10
    lb_algo rr
    lb_kind NAT
    {service}
    real_server 192.0.2.1 80 {{
        {server}
    }}
}}
"""


def read(text: str) -> Loaded:
    return load_text(text, Host(), name="test.conf")


def server(text: str, service: str = "") -> RealServer:
    """The real server of a file without a fault."""
    loaded = read(SERVICE.format(server=text, service=service))
    assert loaded.config is not None
    assert [str(diagnostic) for diagnostic in loaded.diagnostics] == []
    assert loaded.status is ExitStatus.OK
    (virtual,) = loaded.config.lvs.virtual_servers
    (real,) = virtual.real_servers
    return real


def http(text: str) -> HttpCheck:
    (check,) = server(text).checkers
    assert isinstance(check, HttpCheck)
    return check


def test_rise_and_fall_of_a_check() -> None:
    (check,) = server("TCP_CHECK { rise 3\nfall 2\n}").checkers
    assert isinstance(check, TcpCheck)
    assert (check.timing.rise, check.timing.fall) == (3, 2)


def test_tls_words() -> None:
    check = http("SSL_GET {\nssl_verify\nssl_ca /ca.pem\nssl_cert /c.pem\nssl_key /k.pem\nurl {\npath /\n}\n}")
    assert check.ssl == TlsOptions(True, "/ca.pem", "/c.pem", "/k.pem")
    assert http("SSL_GET {\nurl {\npath /\n}\n}").ssl == TlsOptions()


def test_method_headers_and_body() -> None:
    url = http(
        'HTTP_GET {\nurl {\npath /api\nmethod POST\nheader X-One 1\nheader X-Two two "words  here"\n'
        'header X-Empty\nbody "{\\"a b\\": 1}\\n"\n}\n}'
    ).urls[0]
    assert url.method == "POST"
    assert url.headers == (("X-One", "1"), ("X-Two", "two words  here"), ("X-Empty", ""))
    assert url.body == '{"a b": 1}\n'


@pytest.mark.parametrize("line", ["header Bad:Name 1", "rise 0", "body one two"])
def test_what_cannot_be_used_is_reported(line: str) -> None:
    loaded = read(SERVICE.format(server=f"HTTP_GET {{\n{line}\nurl {{\npath /\n{line}\n}}\n}}", service=""))
    assert loaded.diagnostics


def test_words_of_the_virtual_server_and_of_the_real_server() -> None:
    around = "rise 2\nfall 3\nslow_start 30\ndrain_timeout 60"
    taken_over = server("TCP_CHECK {\n}", around)
    assert (taken_over.slow_start, taken_over.drain_timeout) == (micro(30), micro(60))
    assert (taken_over.checkers[0].timing.rise, taken_over.checkers[0].timing.fall) == (2, 3)
    own = server("slow_start 0\ndrain_timeout 5\nrise 4\nTCP_CHECK {\nfall 1\n}", around)
    assert (own.slow_start, own.drain_timeout) == (micro(0), micro(5))
    assert (own.checkers[0].timing.rise, own.checkers[0].timing.fall) == (4, 1)


@pytest.mark.parametrize(
    ("words", "weight", "reverse"),
    [("", 3, True), ("weight 5", 5, False), ("weight -2 reverse", -2, True), ("weight 0", 0, False)],
)
def test_a_file_check_knows_its_file_and_has_its_weight(tmp_path: Path, words: str, weight: int, reverse: bool) -> None:
    file = f"track_file load {{\nfile {tmp_path}/load\nweight 3 reverse\n}}\n"
    loaded = read(file + SERVICE.format(server=f"FILE_CHECK {{\ntrack_file load\n{words}\n}}", service=""))
    assert loaded.config is not None
    (check,) = loaded.config.lvs.virtual_servers[0].real_servers[0].checkers
    assert isinstance(check, FileCheck)
    assert (check.track_file, check.path, check.weight, check.reverse) == ("load", f"{tmp_path}/load", weight, reverse)
