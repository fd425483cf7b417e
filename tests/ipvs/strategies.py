"""Hypothesis strategies for IPVS values: small pools, so that keys meet, and everything that the kernel accepts."""

from hypothesis import strategies as st

from keepalived_py.addresses import Address, Family
from keepalived_py.config.lvs import (
    AddressTarget,
    Forwarding,
    ForwardingMethod,
    FwmarkTarget,
    Protocol,
    ServerKey,
    ServiceFlags,
    TunnelChecksum,
    TunnelType,
)
from keepalived_py.ipvs.table import Destination, Service, ServiceEntry, ServiceKey, entry, table
from keepalived_py.units import Seconds

VIRTUAL = {
    Family.INET: [Address.parse(text) for text in ("192.0.2.1", "192.0.2.2")],
    Family.INET6: [Address.parse(text) for text in ("2001:db8::1", "2001:db8::2")],
}
REAL = {
    Family.INET: [Address.parse(f"198.51.100.{number}") for number in range(1, 5)],
    Family.INET6: [Address.parse(f"2001:db8:100::{number}") for number in range(1, 5)],
}

families = st.sampled_from(Family)
ports = st.sampled_from([0, 53, 80, 443, 65535])

service_keys: st.SearchStrategy[ServiceKey] = st.one_of(
    families.flatmap(lambda family: st.builds(AddressTarget, st.sampled_from(VIRTUAL[family]), ports, st.sampled_from(Protocol))),
    st.builds(FwmarkTarget, st.sampled_from([1, 7, 0xFFFFFFFF]), families),
)


def services_of(key: ServiceKey) -> st.SearchStrategy[Service]:
    low = 1 if key.family is Family.INET6 else 0
    return st.builds(
        Service,
        st.just(key),
        st.sampled_from(["rr", "wlc", "sh", "mh"]),
        st.integers(low, key.family.bits),
        st.builds(lambda bits: ServiceFlags(bits & ~ServiceFlags.HASHED.value), st.integers(0, 0x3F)),
        st.builds(Seconds, st.integers(0, 2_678_400)),
        st.sampled_from([None, "sip"]),
    )


tunnels = st.one_of(
    st.builds(
        Forwarding,
        st.just(ForwardingMethod.TUNNEL),
        st.sampled_from([TunnelType.IPIP, TunnelType.GRE]),
        st.just(0),
        st.sampled_from(TunnelChecksum),
    ),
    st.builds(
        Forwarding,
        st.just(ForwardingMethod.TUNNEL),
        st.just(TunnelType.GUE),
        st.integers(1, 65535),
        st.sampled_from(TunnelChecksum),
    ),
)
plain = st.sampled_from(
    [Forwarding(ForwardingMethod.MASQ), Forwarding(ForwardingMethod.DROUTE), Forwarding(ForwardingMethod.FULLNAT)]
)


@st.composite
def destinations_of(draw: st.DrawFn, key: ServiceKey) -> Destination:
    family = draw(families)
    forwarding = draw(tunnels if family is not key.family else st.one_of(plain, tunnels))
    upper = draw(st.sampled_from([0, 10, 2**31 - 1]))
    return Destination(
        ServerKey(draw(st.sampled_from(REAL[family])), draw(ports)),
        forwarding,
        draw(st.sampled_from([0, 1, 100, 2**31 - 1])),
        upper,
        draw(st.integers(0, upper)),
    )


@st.composite
def entries(draw: st.DrawFn) -> ServiceEntry:
    key = draw(service_keys)
    return entry(draw(services_of(key)), draw(st.lists(destinations_of(key), max_size=6)))


tables = st.lists(entries(), max_size=6).map(table)
