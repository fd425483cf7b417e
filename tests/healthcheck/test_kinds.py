"""The table of checkers: what is supported, and that the rest is said, not passed over."""

from typing import get_args

import pytest

from keepalived_py.config.checkers import (
    BfdCheck,
    Checker,
    DnsCheck,
    Endpoint,
    FileCheck,
    HttpCheck,
    MiscCheck,
    PingCheck,
    SmtpCheck,
    TcpCheck,
    UdpCheck,
    Url,
)
from keepalived_py.config.scripts import Script
from keepalived_py.healthcheck.kinds import absence, kind_of, supported
from keepalived_py.healthcheck.outcome import Reason
from keepalived_py.healthcheck.probe import Await, Connect, Done
from keepalived_py.units import Micro, micro
from tests.healthcheck.builders import address

HERE = Endpoint(address(1), 80)
SUPPORTED: list[Checker] = [TcpCheck(HERE), HttpCheck(HERE, urls=(Url("/"),))]
ABSENT: list[tuple[Checker, str]] = [
    (SmtpCheck(HERE), "SMTP_CHECK"),
    (DnsCheck(HERE), "DNS_CHECK"),
    (UdpCheck(HERE), "UDP_CHECK"),
    (PingCheck(HERE), "PING_CHECK"),
    (MiscCheck(Script(("/bin/true",))), "MISC_CHECK"),
    (FileCheck("name"), "FILE_CHECK"),
    (BfdCheck("name"), "BFD_CHECK"),
]


def test_every_checker_of_the_configuration_is_either_supported_or_declared_absent() -> None:
    known = {type(checker) for checker in SUPPORTED} | {type(checker) for checker, _ in ABSENT}
    assert known == set(get_args(Checker))


@pytest.mark.parametrize("checker", SUPPORTED)
def test_supported(checker: Checker) -> None:
    assert supported(checker)
    assert kind_of(checker).steps(checker) >= 1


@pytest.mark.parametrize(("checker", "word"), ABSENT)
def test_absent(checker: Checker, word: str) -> None:
    assert not supported(checker)
    assert absence(checker) == f"{word} not run: this version has no {word} yet"


def test_http_check_without_url_cannot_be_run() -> None:
    assert absence(HttpCheck(HERE)) == "HTTP_GET not run: it has no url"


def test_tcp_check_connects_and_is_done() -> None:
    probe = kind_of(TcpCheck(HERE)).probe(TcpCheck(HERE), 0)
    assert probe.begin(micro(1)) == (Connect(HERE), Await(micro(6)))
    (end,) = probe.connected(Micro(micro(1) + 250))
    assert isinstance(end, Done)
    assert (end.outcome.ok, end.outcome.took) == (True, 250)


def test_tcp_check_times_out() -> None:
    probe = kind_of(TcpCheck(HERE)).probe(TcpCheck(HERE), 0)
    probe.begin(micro(1))
    (end,) = probe.timed_out(micro(6))
    assert isinstance(end, Done)
    assert (end.outcome.ok, end.outcome.reason) == (False, Reason.CONNECT_TIMEOUT)
