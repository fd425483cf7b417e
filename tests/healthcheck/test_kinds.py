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
from keepalived_py.healthcheck.kind import Failure, Where
from keepalived_py.healthcheck.kinds import absence, kind_of, supported
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.healthcheck.probe import Await, Connect, Done
from keepalived_py.units import Micro, micro
from tests.healthcheck.builders import address

HERE = Endpoint(address(1), 80)
ALL: list[tuple[Checker, str]] = [
    (TcpCheck(HERE), "TCP_CHECK"),
    (HttpCheck(HERE, urls=(Url("/"),)), "HTTP_GET"),
    (HttpCheck(HERE, urls=(Url("/"),), tls=True), "SSL_GET"),
    (SmtpCheck(HERE), "SMTP_CHECK"),
    (DnsCheck(HERE), "DNS_CHECK"),
    (UdpCheck(HERE), "UDP_CHECK"),
    (PingCheck(HERE), "PING_CHECK"),
    (MiscCheck(Script(("/bin/true",))), "MISC_CHECK"),
    (FileCheck("name", path="/run/file"), "FILE_CHECK"),
    (BfdCheck("name"), "BFD_CHECK"),
]


def test_every_checker_of_the_configuration_is_supported() -> None:
    assert {type(checker) for checker, _ in ALL} == set(get_args(Checker))


@pytest.mark.parametrize(("checker", "word"), ALL)
def test_every_checker_answers_what_the_engine_asks(checker: Checker, word: str) -> None:
    kind = kind_of(checker)
    assert supported(checker)
    assert kind.name(checker) == word
    assert kind.steps(checker) >= 1
    assert kind.timing(checker).delay_loop > 0
    failure = Failure(Outcome(False, Reason.REPLY_TIMEOUT), 2, 1, final=True)
    assert kind.failure_text(checker, failure, Where("S", "V"))
    for text in (*kind.success_text(checker, Outcome(True), Where("S", "V")), kind.failure_text(checker, failure, Where("S", "V"))):
        assert "{" not in text
    if kind.fact(checker) is None:
        begun = kind.probe(checker, 0, 7).begin(Micro(0))
        assert any(isinstance(step, Await) for step in begun), "no probe waits for ever"


@pytest.mark.parametrize("checker", [checker for checker, _ in ALL if not isinstance(checker, FileCheck | BfdCheck)])
def test_every_probe_ends_when_its_time_is_up_again_and_again(checker: Checker) -> None:
    probe = kind_of(checker).probe(checker, 0, 7)
    steps = probe.begin(Micro(0))
    for number in range(1, 10):
        if any(isinstance(step, Done) for step in steps):
            return
        steps = probe.timed_out(micro(10 * number))
    raise AssertionError("it does not end")


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
