"""Inside the guest: ``ip_vs`` is there, and no test may make the kernel complain (on the host none of this runs)."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.helpers.kmsg import KernelLog, complaints


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
