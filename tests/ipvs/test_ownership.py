"""The record of what is ours: a value, its JSON form, and everything that is not one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.addresses import Address, Family
from keepalived_py.config.lvs import AddressTarget, FwmarkTarget, Protocol
from keepalived_py.ipvs import ownership
from keepalived_py.ipvs.operations import DelService
from keepalived_py.ipvs.ownership import Ownership, RecordError, decode, encode
from keepalived_py.ipvs.plan import plan
from keepalived_py.ipvs.table import Service, ServiceKey, entry, table
from tests.ipvs import strategies

WEB = AddressTarget(Address.parse("192.0.2.1"), 80, Protocol.TCP)
DNS6 = AddressTarget(Address.parse("2001:db8::1"), 53, Protocol.UDP)
MARK = FwmarkTarget(7, Family.INET6)

records = st.builds(Ownership, st.frozensets(strategies.service_keys))


@given(records)
def test_a_record_comes_back(record: Ownership) -> None:
    assert decode(encode(record)) == record


def test_the_form_is_stable() -> None:
    record = Ownership(frozenset({WEB, DNS6, MARK}))
    text = b'{"version":1,"services":[["FWM","INET6",7],["TCP","192.0.2.1",80],["UDP","2001:db8::1",53]]}\n'
    assert encode(record) == text


@pytest.mark.parametrize("data", [b"", b"\n", b" "])
def test_an_empty_file_is_an_empty_record(data: bytes) -> None:
    assert decode(data) == Ownership()


def record_with(*rows: object) -> bytes:
    return json.dumps({"version": 1, "services": list(rows)}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b'{"version":2,"services":[]}',
        b'{"version":true,"services":3}',
        b'{"version":1}',
        b'{"version":1,"services":{}}',
        record_with("TCP"),
        record_with(["TCP", "192.0.2.1"]),
        record_with(["TCP", "192.0.2.1", 80, 1]),
        record_with(["TCP", "192.0.2.1", "80"]),
        record_with(["TCP", "192.0.2.1", 1.5]),
        record_with(["TCP", "192.0.2.1", True]),
        record_with(["TCP", "192.0.2.1", -1]),
        record_with(["TCP", "192.0.2.1", 65536]),
        record_with(["TCP", "www.example.org", 80]),
        record_with(["TCP", "192.0.2.1\x00", 80]),
        record_with(["ICMP", "192.0.2.1", 80]),
        record_with(["FWM", "INET", 0]),
        record_with(["FWM", "INET", 2**32]),
        record_with(["FWM", "UNIX", 1]),
        record_with(None),
    ],
)
def test_what_is_no_record(data: bytes) -> None:
    with pytest.raises(RecordError):
        decode(data)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_record_or_a_record_error(data: bytes) -> None:
    try:
        decode(data)
    except RecordError as error:
        assert len(str(error)) < 500


def test_a_huge_file_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "SIZE_MAX", 10)
    with pytest.raises(RecordError, match="longer than 10"):
        decode(encode(Ownership()))


@given(records, st.frozensets(strategies.service_keys))
def test_claims_and_releases(record: Ownership, keys: frozenset[ServiceKey]) -> None:
    assert record.claimed(keys).services == record.services | keys
    assert record.released(keys).services == record.services - keys
    assert all((key in record) == (key in record.services) for key in keys)


def test_leftovers_of_an_earlier_run_go_and_nothing_else() -> None:
    actual = table(entry(Service(key, "wlc", key.family.bits)) for key in (MARK, WEB, DNS6))
    record = Ownership(frozenset({WEB, MARK}))  # DNS6 was made by somebody else
    assert record.leftovers([WEB], actual) == [MARK]
    assert plan(actual, {WEB: actual[WEB]}, record) == [DelService(MARK)]
    assert record.leftovers([], {}) == []
