"""The daemon as it is, with its requests to IPVS written to a file: ``python -m tests.helpers.observed_daemon OPTIONS``.

OPTIONS are keepalived-py's own.  The environment says what is observed:

    OBSERVED          file that gets one line for each request, when it is sent
    OBSERVED_KERNEL   "simulated": a `SimulatedIpvs` that outlives the checker process (it is made anew from that file each
                      time it is opened), missing while the file OBSERVED.missing exists, and out of reach while there is
                      OBSERVED.hanging; otherwise the kernel
    OBSERVED_RETRY    seconds between attempts to reach the kernel

`Observation` is what tests read the file with.
"""

import base64
import errno
import os
import pickle
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from keepalived_py.cli import config_file, config_id
from keepalived_py.config.globals import GlobalDefs
from keepalived_py.daemon import check_process
from keepalived_py.daemon.settings import settings_from
from keepalived_py.daemon.start import open_kernel, run_daemon
from keepalived_py.errors import KernelError
from keepalived_py.ipvs.client import Sink
from keepalived_py.ipvs.operations import Operation
from keepalived_py.ipvs.table import Table
from keepalived_py.options import parse
from tests.helpers.ipvs import RecordingSink, SimulatedIpvs

MODULE = "tests.helpers.observed_daemon"


@dataclass(frozen=True)
class Observation:
    """The requests that a daemon has sent."""

    path: Path

    def environment(self, *, simulated: bool = True, retry: float = 30.0) -> dict[str, str]:
        """Return what the daemon is to be started with."""
        kernel = "simulated" if simulated else "real"
        return {"OBSERVED": str(self.path), "OBSERVED_KERNEL": kernel, "OBSERVED_RETRY": str(retry)}

    def write(self, operation: Operation) -> None:
        line = f"{operation.command.name} {operation.subject}\t{base64.b64encode(pickle.dumps(operation)).decode()}\n"
        with self.path.open("a") as stream:
            stream.write(line)

    def operations(self, since: int = 0) -> list[Operation]:
        """Return the requests, without the first `since` of them."""
        if not self.path.exists():
            return []
        lines = self.path.read_text().splitlines()[since:]
        return [pickle.loads(base64.b64decode(line.partition("\t")[2])) for line in lines]

    def words(self, since: int = 0) -> list[str]:
        """Return each request as a word and its subject, for messages and simple comparisons."""
        return [f"{operation.command.name} {operation.subject}".strip() for operation in self.operations(since)]

    def count(self) -> int:
        return len(self.operations())

    def kernel(self) -> SimulatedIpvs:
        """Return a kernel that has performed them all."""
        simulated = SimulatedIpvs()
        for operation in self.operations():
            simulated.perform(operation)
        return simulated

    def table(self) -> Table:
        return self.kernel().table()

    @property
    def missing(self) -> Path:
        """File that makes the kernel lack ip_vs."""
        return self.path.with_name(self.path.name + ".missing")

    @property
    def hanging(self) -> Path:
        """File that keeps whoever opens the kernel's interface waiting, as a modprobe that hangs."""
        return self.path.with_name(self.path.name + ".hanging")


class ObservedSink(RecordingSink):
    """A simulated kernel that writes down what it is told."""

    def __init__(self, observation: Observation) -> None:
        super().__init__(observation.kernel())
        self._observation = observation

    async def apply(self, operations: Sequence[Operation]) -> list[KernelError | None]:
        for operation in operations:
            self._observation.write(operation)
        return await super().apply(operations)


def open_simulated(observation: Observation, _globals: GlobalDefs) -> Sink:
    while observation.hanging.exists():
        time.sleep(0.05)
    if observation.missing.exists():
        raise KernelError("GET_FAMILY", errno.ENOENT, "IPVS (kernel module ip_vs is not loaded; try: modprobe ip_vs)")
    return ObservedSink(observation)


def main() -> int:
    observation = Observation(Path(os.environ["OBSERVED"]))
    arguments = parse(sys.argv[1:])
    setattr(check_process, "RETRY_AFTER", float(os.environ["OBSERVED_RETRY"]))  # noqa: B010  (a constant, for everybody else)
    if os.environ["OBSERVED_KERNEL"] == "simulated":
        opener = partial(open_simulated, observation)
    else:
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        opener = partial(open_kernel, Path(f"/proc/self/fd/{home}"), trace=observation.write)
    return run_daemon(settings_from(arguments, config_file(arguments), config_id(arguments)), opener)


if __name__ == "__main__":
    sys.exit(main())
