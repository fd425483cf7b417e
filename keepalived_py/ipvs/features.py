"""What this kernel can do for us, and whom it has to refuse.  Asked by `client`, decided here, reported by the daemon."""

from collections.abc import Iterable
from dataclasses import dataclass

from keepalived_py.config.lvs import VirtualServer

_REMEDY = (
    "build and load the ip_vs module of keepalived-py (make -C kmod, then: rmmod ip_vs; modprobe ip_vs), "
    "or use lb_kind NAT, DR or TUN without syn_proxy"
)


@dataclass(frozen=True, slots=True)
class KernelFeatures:
    """What the loaded ip_vs offers besides the stock one: it is our own if its family IPVS_FNAT answers, and says what it has."""

    fullnat: bool = False
    syn_proxy: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A virtual server that is not programmed.  `reason` and `remedy` are clauses for a log line, without capital or full stop."""

    server: VirtualServer
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"Virtual server {self.server}: {self.reason} - not configured; remedy: {self.remedy}"


@dataclass(frozen=True, slots=True)
class Admission:
    """Who is programmed, in configuration order, and who is not."""

    admitted: tuple[VirtualServer, ...]
    refused: tuple[Refusal, ...]


def admit(servers: Iterable[VirtualServer], features: KernelFeatures) -> Admission:
    """Sort virtual servers by whether this kernel can do what they ask for.

    A stock kernel takes FULLNAT and syn_proxy without a word and then loses the packets, so asking it is no way to find out.
    """
    admitted: list[VirtualServer] = []
    refused: list[Refusal] = []
    for server in servers:
        refusal = _refusal(server, features)
        if refusal is None:
            admitted.append(server)
        else:
            refused.append(refusal)
    return Admission(tuple(admitted), tuple(refused))


def _refusal(server: VirtualServer, features: KernelFeatures) -> Refusal | None:
    if server.needs:
        words = ", ".join(server.needs)
        return Refusal(server, f"{words} is not offered by any kernel module of ours", f"remove {words} from this virtual server")
    missing = ["lb_kind FNAT"] if server.uses_fullnat and not features.fullnat else []
    missing += ["syn_proxy"] if server.syn_proxy and not features.syn_proxy else []
    if missing:
        return Refusal(server, f"{' and '.join(missing)} needs a kernel module that is not loaded", _REMEDY)
    return None
