"""The control plane of FULLNAT for tests: loads our module in the guest, and programs the table from inside a lab's node."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self, TypeVar

from examples.lab import Node, eventually
from keepalived_py.addresses import Address, Family
from keepalived_py.config.lvs import AddressTarget, Forwarding, ForwardingMethod, FwmarkTarget, Protocol, ServerKey, ServiceFlags
from keepalived_py.ipvs.attributes import FAMILY as IPVS
from keepalived_py.ipvs.fullnat import (
    FullnatInfo,
    FullnatPacker,
    LocalAddress,
    Session,
    decode_est_timeout,
    decode_info,
    decode_local_address,
    decode_local_count,
    decode_session,
    decode_stats,
)
from keepalived_py.ipvs.fullnat_attributes import FAMILY, Counter
from keepalived_py.ipvs.operations import (
    DelDestination,
    DelLocalAddress,
    DelService,
    NewDestination,
    NewLocalAddress,
    NewService,
    Operation,
    SetDestination,
    SetEstTimeout,
)
from keepalived_py.ipvs.packer import Packer
from keepalived_py.ipvs.table import Destination, Service, ServiceKey
from keepalived_py.netlink.exchange import Answer
from keepalived_py.netlink.framing import Message, family_id, family_request
from keepalived_py.units import Seconds
from tests.helpers import kernel

ROOT = Path(__file__).resolve().parents[2]
_T = TypeVar("_T")
_NETLINK_GENERIC = 16
_MISSING = 3  # exit status of kmod/build.py when a tool is not installed


def folder(release: str | None = None) -> Path:
    """Where the build leaves things for a kernel, by default this one."""
    return ROOT / ".cache" / "kmod" / (release or os.uname().release)


def build(release: str | None = None, headers: Path | None = None) -> None:
    """On the host, before the guest boots: build the module and write down what came of it.

    Args:
        release: The guest's kernel, by default the usual one.
        headers: Its headers, where they are not installed.
    """
    release = release or kernel.find().release
    target = folder(release)
    target.mkdir(parents=True, exist_ok=True)
    which = f"KDIR={headers}" if headers else f"KVER={release}"
    argv = ["make", "--no-print-directory", "-C", str(ROOT / "kmod"), which]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    missing = f"Error {_MISSING}" in done.stderr
    verdict = "ok" if done.returncode == 0 else "missing" if missing else "failed"
    (target / "outcome").write_text(f"{verdict}\n{done.stderr}")


def outcome() -> tuple[str, str]:
    """In the guest: what came of the build on the host, ``ok``, ``missing`` (a tool) or ``failed``, and what it said."""
    path = folder() / "outcome"
    verdict, _, text = path.read_text().partition("\n") if path.exists() else ("failed", "", "nobody built it")
    return verdict, text


def loaded() -> bool:
    """Whether the ip_vs in the kernel is ours."""
    return Path("/sys/module/ip_vs/parameters/fnat_tab_bits").exists()


def _modules() -> list[str]:
    return [line.split()[0] for line in Path("/proc/modules").read_text().splitlines() if line.startswith("ip_vs")]


def unload() -> None:
    """Remove ip_vs with all that stands on it; namespaces of a lab that has just ended are in its way for a moment."""

    def gone() -> bool:
        for name in sorted(_modules(), key=lambda name: name == "ip_vs"):
            subprocess.run(["rmmod", name], capture_output=True, check=False)
        return not _modules()

    eventually(gone, "ip_vs can be removed", 60.0, 0.2)


def load(*parameters: str) -> None:
    """Load our module, and what it needs."""
    subprocess.run(["modprobe", "-a", "nf_conntrack", "nf_defrag_ipv6", "libcrc32c"], check=True)
    subprocess.run(["insmod", str(folder() / "ip_vs.ko"), *parameters], check=True)


class Refused(OSError):
    """The kernel refused a request; `errno` says why."""


class Fullnat:
    """Requests of the families IPVS and IPVS_FNAT from inside a node, one after the other."""

    def __init__(self, node: Node) -> None:
        self.node = node
        with node.entered():
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_GENERIC)
        self._socket.bind((0, 0))
        self._socket.settimeout(20.0)
        self._sequence = 0
        self.family = self._family(FAMILY)
        self._packer = FullnatPacker(self.family)
        self._operations = Packer(self._family(IPVS), self.family)

    def _family(self, name: str) -> int:
        (answer,) = self._ask(lambda sequence: family_request(name, sequence))
        return family_id(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the node's namespace."""
        self._socket.close()

    def _ask(self, request: Callable[[int], bytes]) -> list[Message]:
        self._sequence += 1
        answer = Answer(self._sequence)
        self._socket.send(request(self._sequence))
        while not answer.done:
            answer.feed(self._socket.recv(1 << 16))
        if answer.error:
            raise Refused(answer.error, os.strerror(answer.error))
        return answer.messages

    def send_raw(self, request: bytes) -> int:
        """Send bytes as they are and return the errno of the first answer."""
        self._socket.send(request)
        answer = Answer(int.from_bytes(request[8:12], "little"))
        answer.feed(self._socket.recv(1 << 16))
        return answer.error

    def _one(self, request: Callable[[int], bytes], decode: Callable[[Message], _T]) -> _T:
        (message,) = self._ask(request)
        return decode(message)

    def shout(self, request: bytes) -> None:
        """Send bytes as they are and read what there is to read, whatever it is."""
        self._socket.send(request)
        self._socket.setblocking(False)
        try:
            while True:
                self._socket.recv(1 << 16)
        except BlockingIOError:
            self._socket.settimeout(20.0)

    def apply(self, *operations: Operation) -> None:
        """Perform operations on the stock table; the first that fails raises."""
        for operation in operations:
            self._ask(lambda sequence, it=operation: self._operations.operation(it, sequence))  # type: ignore[misc]

    def service(self, service: str, *destinations: str, locals_: Iterable[str] = (), **more: Any) -> None:  # noqa: ANN401
        """Make a service with FULLNAT destinations (``192.0.2.11:80``) and local addresses."""
        self.apply(NewService(made := _service(key(service), **more)))
        self.add(service, *locals_)
        self.apply(*(NewDestination(made.key, destination(each)) for each in destinations))

    def remove(self, service: str) -> None:
        self.apply(DelService(key(service)))

    def set_destination(self, service: str, server: str, weight: int = 1, **more: Any) -> None:  # noqa: ANN401
        self.apply(SetDestination(key(service), destination(server, weight, **more)))

    def del_destination(self, service: str, server: str) -> None:
        self.apply(DelDestination(key(service), destination(server).key))

    def info(self) -> FullnatInfo:
        return self._one(self._packer.info, decode_info)

    def stats(self) -> dict[Counter, int]:
        return self._one(self._packer.stats, decode_stats)

    def add(self, service: str | ServiceKey, *addresses: str) -> None:
        for address in addresses:
            self.apply(NewLocalAddress(key(service), Address.parse(address)))

    def delete(self, service: str | ServiceKey, *addresses: str) -> None:
        for address in addresses:
            self.apply(DelLocalAddress(key(service), Address.parse(address)))

    def local_addresses(self, service: str | ServiceKey) -> list[LocalAddress]:
        return [decode_local_address(each) for each in self._ask(lambda it: self._packer.local_addresses(key(service), it))]

    def set_timeout(self, service: str | ServiceKey, seconds: int) -> None:
        self.apply(SetEstTimeout(key(service), Seconds(seconds)))

    def timeout(self, service: str | ServiceKey) -> int:
        return self._one(lambda sequence: self._packer.service(key(service), sequence), decode_est_timeout)

    def local_count(self, service: str | ServiceKey) -> int:
        return self._one(lambda sequence: self._packer.service(key(service), sequence), decode_local_count)

    def sessions(self, service: str | ServiceKey | None = None) -> list[Session]:
        chosen = None if service is None else key(service)
        return [decode_session(each) for each in self._ask(lambda sequence: self._packer.sessions(sequence, chosen))]


def key(service: str | ServiceKey) -> ServiceKey:
    """Read ``tcp 203.0.113.10:80``, ``udp [2001:db8::1]:53`` or ``fwm 7``."""
    if not isinstance(service, str):
        return service
    protocol, _, rest = service.partition(" ")
    if protocol == "fwm":
        return FwmarkTarget(int(rest), Family.INET)
    host, _, port = rest.rpartition(":")
    return AddressTarget(Address.parse(host.strip("[]")), int(port), Protocol[protocol.upper()])


def _service(
    target: ServiceKey,
    scheduler: str = "rr",
    persistence: int = 0,
    flags: ServiceFlags = ServiceFlags.NONE,
) -> Service:
    flags |= ServiceFlags.PERSISTENT if persistence else ServiceFlags.NONE
    return Service(target, scheduler, target.family.bits, flags, Seconds(persistence))


def destination(
    server: str, weight: int = 1, method: ForwardingMethod = ForwardingMethod.FULLNAT, **thresholds: int
) -> Destination:
    """Read ``192.0.2.11:80`` or ``[2001:db8::1]:80``."""
    host, _, port = server.rpartition(":")
    return Destination(ServerKey(Address.parse(host.strip("[]")), int(port)), Forwarding(method), weight, **thresholds)
