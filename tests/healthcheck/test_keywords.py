"""Our own words about health checks: from the file to the values that the engine works from."""

import pytest

from keepalived_py.config.checkers import HttpCheck, TcpCheck, TlsOptions
from keepalived_py.config.lvs import RealServer
from keepalived_py.parser.diagnostics import ExitStatus
from keepalived_py.parser.load import Loaded, load_text
from keepalived_py.system.host import Host

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
