"""What refusals mean, and what is to be done about them."""

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.addresses import Address, Family
from keepalived_py.config.lvs import AddressTarget, FwmarkTarget, Protocol, ServerKey
from keepalived_py.ipvs.operations import (
    DelDaemon,
    DelDestination,
    DelService,
    Flush,
    NewDaemon,
    NewDestination,
    NewService,
    Operation,
    SetDestination,
    SetService,
    SetTimeouts,
    Zero,
    instead,
    is_moot,
    meaning,
)
from keepalived_py.ipvs.plan import plan
from keepalived_py.ipvs.table import Destination, Service, SyncDaemon, Table
from tests.helpers.ipvs import SimulatedIpvs
from tests.ipvs import strategies

WEB = AddressTarget(Address.parse("192.0.2.1"), 80, Protocol.TCP)
SERVICE = Service(WEB, "wlc", 32)
REAL = Destination(ServerKey(Address.parse("198.51.100.1"), 80))


@pytest.mark.parametrize(
    ("operation", "subject"),
    [
        (NewService(SERVICE), "[192.0.2.1]:tcp:80"),
        (DelService(FwmarkTarget(7, Family.INET6)), "FWM 7"),
        (SetDestination(WEB, REAL), "[192.0.2.1]:tcp:80 -> [198.51.100.1]:80"),
        (DelDestination(WEB, REAL.key), "[192.0.2.1]:tcp:80 -> [198.51.100.1]:80"),
        (Flush(), ""),
        (Zero(), ""),
        (Zero(WEB), "[192.0.2.1]:tcp:80"),
        (NewDaemon(SyncDaemon(False, "eth0")), "backup eth0"),
        (DelDaemon(master=True), "master"),
    ],
)
def test_subjects(operation: Operation, subject: str) -> None:
    assert operation.subject == subject


@st.composite
def drifted(draw: st.DrawFn) -> tuple[Table, Table, Table]:
    """What we believe the kernel holds, what it really holds, and what we want: the same keys in all, present or not."""
    believed, wanted = draw(strategies.tables), draw(strategies.tables)
    pool = [*believed.values(), *wanted.values()]
    really = {it.key: it for it in draw(st.lists(st.sampled_from(pool), max_size=6))} if pool else {}
    return believed, really, wanted


@given(drifted())
def test_refusals_are_moot_or_have_an_instead_that_works_while_the_service_is_there(tables: tuple[Table, Table, Table]) -> None:
    believed, really, wanted = tables
    kernel = SimulatedIpvs()
    for operation in plan({}, really):
        assert kernel.perform(operation) == 0
    for operation in plan(believed, wanted, owned=believed):
        error = kernel.perform(operation)
        if error and not is_moot(operation, error):
            other = instead(operation, error)
            if other is None:
                assert error == errno.ESRCH, operation  # the service of a destination is gone
            else:
                assert kernel.perform(other) == 0


def test_other_refusals_are_neither_moot_nor_repaired() -> None:
    for operation in (
        NewService(SERVICE),
        SetService(SERVICE),
        NewDestination(WEB, REAL),
        SetDestination(WEB, REAL),
        DelService(WEB),
    ):
        for error in errno.EPERM, errno.EINVAL, errno.ENOMEM, errno.ERANGE:
            assert instead(operation, error) is None
            assert not is_moot(operation, error)
    # ENOENT for a new service is a scheduler that the kernel does not have.
    assert instead(NewService(SERVICE), errno.ENOENT) is None


@pytest.mark.parametrize(
    ("operation", "error", "words"),
    [
        (NewService(SERVICE), errno.ENOENT, "no such scheduler"),
        (NewService(SERVICE), errno.EAFNOSUPPORT, "no IPv6"),
        (NewDestination(WEB, REAL), errno.ESRCH, "virtual service is gone"),
        (SetDestination(WEB, REAL), errno.ERANGE, "lthreshold above uthreshold"),
        (NewDaemon(SyncDaemon(True, "eth0")), errno.ENODEV, "no such interface"),
    ],
)
def test_meanings(operation: Operation, error: int, words: str) -> None:
    assert words in (meaning(operation, error) or "")


def test_no_words_where_the_errno_says_it_all() -> None:
    assert meaning(Flush(), errno.EPERM) is None


def test_commands_are_named_in_the_words_of_the_kernel() -> None:
    named = {kind.__name__: kind.command.name for kind in (NewService, SetDestination, DelDaemon, Flush, Zero, SetTimeouts)}
    assert named == {
        "NewService": "NEW_SERVICE",
        "SetDestination": "SET_DEST",
        "DelDaemon": "DEL_DAEMON",
        "Flush": "FLUSH",
        "Zero": "ZERO",
        "SetTimeouts": "SET_CONFIG",
    }
