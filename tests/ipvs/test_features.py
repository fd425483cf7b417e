"""Who is refused by which kernel, and what they are told."""

from dataclasses import replace

import pytest

from keepalived_py.addresses import Address, Family
from keepalived_py.config.lvs import (
    AddressTarget,
    Forwarding,
    ForwardingMethod,
    Protocol,
    RealServer,
    ServiceFlags,
    SorryServer,
    VirtualServer,
)
from keepalived_py.ipvs.features import KernelFeatures, admit

FNAT = Forwarding(ForwardingMethod.FULLNAT)
ADDRESS = Address.parse("198.51.100.1")
PLAIN = VirtualServer(AddressTarget(Address.parse("192.0.2.1"), 80, Protocol.TCP), Family.INET)
STOCK, OURS = KernelFeatures(), KernelFeatures(fullnat=True, syn_proxy=True)

WANTING = [
    replace(PLAIN, forwarding=FNAT),
    replace(PLAIN, real_servers=(RealServer(ADDRESS, 80), RealServer(ADDRESS, 81, forwarding=FNAT))),
    replace(PLAIN, sorry_server=SorryServer(ADDRESS, 80, FNAT)),
    replace(PLAIN, flags=ServiceFlags.SYN_PROXY),
]


@pytest.mark.parametrize("server", WANTING)
def test_a_stock_kernel_refuses_what_it_would_silently_break(server: VirtualServer) -> None:
    result = admit([PLAIN, server, PLAIN], STOCK)
    assert result.admitted == (PLAIN, PLAIN)
    (refusal,) = result.refused
    assert refusal.server == server
    word = "syn_proxy" if server.syn_proxy else "lb_kind FNAT"
    assert str(refusal).startswith(
        f"Virtual server [192.0.2.1]:tcp:80: {word} needs a kernel module that is not loaded - not configured"
    )
    assert "make -C kmod" in refusal.remedy


def test_our_kernel_takes_all_of_them() -> None:
    assert admit(WANTING, OURS).refused == ()


def test_both_words_are_named() -> None:
    (refusal,) = admit([replace(PLAIN, forwarding=FNAT, flags=ServiceFlags.SYN_PROXY)], STOCK).refused
    assert refusal.reason.startswith("lb_kind FNAT and syn_proxy needs")


def test_words_of_a_dialect_are_refused_by_every_kernel() -> None:
    server = replace(PLAIN, needs=("quic", "lb_kind SNAT"))
    for features in STOCK, OURS:
        (refusal,) = admit([server], features).refused
        assert "quic, lb_kind SNAT" in refusal.reason
        assert "remove quic, lb_kind SNAT" in refusal.remedy


def test_a_module_without_the_syn_proxy_refuses_only_that() -> None:
    both = replace(PLAIN, forwarding=FNAT, flags=ServiceFlags.SYN_PROXY)
    result = admit([PLAIN, replace(PLAIN, forwarding=FNAT), both], KernelFeatures(fullnat=True))
    assert len(result.admitted) == 2
    (refusal,) = result.refused
    assert refusal.reason == "syn_proxy needs a kernel module that is not loaded"
