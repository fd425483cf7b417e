"""Inside the guest: ``ip_vs`` is there, and no test may make the kernel complain (on the host none of this runs)."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from examples.lab.campus import Campus
from keepalived_py.ipvs.operations import Flush
from tests.helpers import fullnat, toa
from tests.helpers.fullnat import Fullnat
from tests.helpers.guest import IN_GUEST
from tests.helpers.kernel import GuestError, GuestMissing
from tests.helpers.kmsg import KernelLog, complaints


def pytest_collection_finish(session: pytest.Session) -> None:
    """On the host, before the guest boots: build what a test wants, our kernel module or the receiver for servers."""
    if os.environ.get(IN_GUEST) == "1" or session.config.option.collectonly:
        return
    wanted = {name for item in session.items for name in vars(getattr(item, "module", object))}
    try:
        if "OUR_MODULE" in wanted:
            fullnat.build()
        if "TOA_RECEIVER" in wanted:
            toa.build()
    except (GuestMissing, GuestError):
        return  # no guest, so nobody asks for it


@pytest.fixture(scope="session", autouse=True)
def ip_vs() -> None:
    """The module under test is loaded, with its per-namespace sysctls."""
    subprocess.run(["modprobe", "ip_vs"], check=True)


@pytest.fixture(autouse=True)
def silent_kernel() -> Iterator[None]:
    """The test fails when the kernel complained meanwhile."""
    log = KernelLog()
    yield
    lines = log.lines()
    log.close()
    if complaints(lines):
        pytest.fail("the kernel complained:\n" + "\n".join(lines))


@pytest.fixture(scope="module", autouse=True)
def right_module(request: pytest.FixtureRequest, ip_vs: None) -> None:
    """A test module that says ``OUR_MODULE = True`` finds our ip_vs in the kernel, any other one the distribution's."""
    if getattr(request.module, "OUR_MODULE", False):
        verdict, text = fullnat.outcome()
        if verdict == "missing":
            pytest.skip(text)
        if verdict != "ok":
            pytest.fail(f"our kernel module cannot be built:\n{text}")
        if not fullnat.loaded():
            fullnat.unload()
            fullnat.load()
    elif fullnat.loaded():
        fullnat.unload()
        subprocess.run(["modprobe", "ip_vs"], check=True)


@pytest.fixture(scope="module")
def campus(right_module: None) -> Iterator[Campus]:
    """FULLNAT's topology for all tests of a module: building it takes as long as most of them."""
    with Campus() as lab:
        yield lab
        print(lab.logs())


@pytest.fixture
def control(campus: Campus) -> Iterator[Fullnat]:
    """The director's control plane; its table is empty at the beginning of each test, but for sessions of earlier ones."""
    with Fullnat(campus.director) as made:
        made.apply(Flush())
        yield made
