"""Virtual routers in the laboratory: the real daemon with VRRP, what it says, what it leaves, and adverts on the wire.

router = Router(node, tmp_path)
router.configure(ROOT + instance("V", "right", 100, "203.0.113.1/32"))
router.start()
router.becomes("MASTER")
"""

import os
import re
import signal
import socket
import struct
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from examples.lab import Daemon, Node, eventually
from tests.helpers.directors import Director, alive

_ETH_P_ALL, _ETH_P_IP, _ETH_P_IPV6 = 3, 0x0800, 0x86DD
_PACKET_OUTGOING = 4
_SO_TIMESTAMPNS = 35
_VRRP, _AH = 112, 51
_ENTERED = re.compile(r"\((?P<name>[^)]+)\) [Ee]ntering (?P<state>BACKUP|MASTER|FAULT) (?:STATE|state)")

ROOT = "global_defs {\n enable_script_security\n script_user root\n vrrp_garp_master_repeat 1\n vrrp_garp_master_delay 0\n}\n"


def root(*lines: str) -> str:
    """Return `ROOT` with more lines in ``global_defs``."""
    return ROOT.removesuffix("}\n") + "".join(f" {line}\n" for line in lines) + "}\n"


def instance(
    name: str, interface: str, priority: int, *addresses: str, vrid: int = 51, interval: float = 0.1, more: str = ""
) -> str:
    """Return a VRRPv3 instance that starts as BACKUP; further lines are `more`."""
    placed = "".join(f"  {address}\n" for address in addresses)
    return f"""\
vrrp_instance {name} {{
 state BACKUP
 version 3
 interface {interface}
 virtual_router_id {vrid}
 priority {priority}
 advert_int {interval}
 virtual_ipaddress {{
{placed} }}
 {more}
}}
"""


class Router(Director):
    """A director whose VRRP process is looked at."""

    def __init__(self, node: Node, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(node, folder)
        self.vrrp_pid_file = folder / "vrrp.pid"
        self.vrrp_record = folder / "vrrp.host"

    def argv(self, *options: str, files: bool = True) -> list[str]:
        return super().argv(*(["-r", str(self.vrrp_pid_file)] if files else []), *options, files=files)

    def reload(self, *, carried_out: bool = True) -> str:
        """Send SIGHUP and wait until it has been decided and, if accepted, carried out; return what was said meanwhile."""
        mark = self.daemon.mark()
        self.daemon.signal(signal.SIGHUP)
        found = self.daemon.expect("Reload (finished|refused)", self.patience, mark)
        if found[1] == "finished" and carried_out:
            self.daemon.expect("VRRP child process is up to date", self.patience, mark)
        return self.daemon.text(mark)

    def states(self, name: str = "V", since: int = 0) -> list[str]:
        """Return the states that an instance has entered, by its log lines."""
        return [found["state"] for found in _ENTERED.finditer(self.daemon.text(since)) if found["name"] == name]

    def becomes(self, state: str, name: str = "V", since: int = 0) -> None:
        """Wait until an instance is in a state."""
        self.until(lambda: self.states(name, since)[-1:] == [state], f"{name} is {state}")

    @property
    def vrrp(self) -> int:
        """Process id of the VRRP process, 0 when there is none."""
        try:
            return int(self.vrrp_pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def kill_vrrp(self) -> int:
        """Kill the VRRP process and wait until it is gone; return its process id."""
        victim = self.vrrp
        assert victim
        os.kill(victim, signal.SIGKILL)
        self.until(lambda: not alive(victim), "the VRRP process is gone")
        return victim

    def has(self, *addresses: str) -> bool:
        """Whether the node has all these addresses, each with its prefix length."""
        return set(addresses) <= addresses_of(self.node)


def addresses_of(node: Node) -> set[str]:
    """Return the addresses of all interfaces of a node."""
    return set(re.findall(r"inet6? (\S+)", node.run("ip", "-o", "address")))


def links_are_up(node: Node) -> None:
    """Wait until the kernel's link watch has been round: before, a new link drops what is sent."""
    count = len(node.run("ip", "-o", "link", "show", "type", "veth").splitlines())
    eventually(partial(_all_up, node, count), f"the links of {node.name} are up")


def _all_up(node: Node, count: int) -> bool:
    return node.run("ip", "link", "show", "type", "veth").count("state UP") == count


_SETTINGS = ("arp_ignore", "arp_filter", "rp_filter", "accept_local", "promote_secondaries")


def traces(node: Node) -> dict[str, str]:
    """Return everything of a node that a virtual router may change, to be compared before and after."""
    found = {
        "links": re.sub(r"qlen \d+", "", node.run("ip", "-o", "link")),
        "addresses": re.sub(r"valid_lft.*", "", node.run("ip", "-o", "address")),
        "rules": node.run("ip", "rule") + node.run("ip", "-6", "rule"),
        "routes": node.run("ip", "route", "show", "table", "all"),
        "firewall": node.run("nft", "list", "ruleset"),
    }
    routes = node.run("ip", "-6", "route", "show", "table", "all")
    found["routes6"] = "\n".join(sorted(re.sub(r" (pref|expires) .*", "", line) for line in routes.splitlines()))
    for name in re.findall(r"^\d+: ([^:@]+)", found["links"], re.MULTILINE):
        for setting in _SETTINGS:
            found[f"{name}/{setting}"] = conf4(node, name, setting)
    return found


def differences(before: dict[str, str], after: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return what is not the same in two looks at the traces."""
    names = before.keys() | after.keys()
    return {name: pair for name in sorted(names) if (pair := (before.get(name, ""), after.get(name, "")))[0] != pair[1]}


def conf4(node: Node, interface: str, name: str) -> str:
    """Return a setting of IPv4 on an interface, whose name may have dots."""
    with node.entered():
        return Path("/proc/sys/net/ipv4/conf", interface, name).read_text().strip()


# --- adverts on the wire -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heard:
    """An advert as it was on the wire.  `at`: seconds; `body`: the VRRP packet; `ah`: its authentication header, if any."""

    at: float
    mac: str
    source: str
    target: str
    ttl: int
    header: bytes
    ah: bytes
    body: bytes

    @property
    def version(self) -> int:
        return self.body[0] >> 4

    @property
    def vrid(self) -> int:
        return self.body[1]

    @property
    def priority(self) -> int:
        return self.body[2]


class Ear:
    """Hears adverts on an interface of a node, in both directions."""

    def __init__(self, node: Node, interface: str) -> None:
        with node.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.bind((interface, _ETH_P_ALL))
        self._socket.setblocking(False)
        self.adverts: list[Heard] = []
        self.frames: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def listen(self) -> list[Heard]:
        """Take in what has come, and return all adverts so far."""
        while True:
            try:
                frame, notes, _, _ = self._socket.recvmsg(2048, 256)
            except BlockingIOError:
                return self.adverts
            seconds, nanoseconds = struct.unpack("qq", notes[0][2][:16])
            self.frames.append(frame)
            advert = _advert(frame, seconds + nanoseconds / 1e9)
            if advert is not None:
                self.adverts.append(advert)

    def of(self, vrid: int, priority: int | None = None) -> list[Heard]:
        """Return the adverts of one virtual router so far, those with one priority if it is given."""
        return [one for one in self.listen() if one.vrid == vrid and priority in (None, one.priority)]

    def forget(self) -> None:
        """Start anew."""
        self.listen()
        self.adverts.clear()
        self.frames.clear()

    def wait(self, count: int, vrid: int, priority: int | None = None) -> list[Heard]:
        """Wait until there are so many adverts, and return them."""
        eventually(lambda: len(self.of(vrid, priority)) >= count, f"{count} adverts of {vrid} (priority {priority})", 15)
        return self.of(vrid, priority)


def _advert(frame: bytes, at: float) -> Heard | None:
    mac, kind, data = frame[6:12].hex(":"), int.from_bytes(frame[12:14], "big"), frame[14:]
    if kind == _ETH_P_IP and data[9] in (_VRRP, _AH):
        size = (data[0] & 15) * 4
        header, rest = data[:size], data[size : int.from_bytes(data[2:4], "big")]
        ah = rest[:24] if data[9] == _AH else b""
        source, target = socket.inet_ntop(socket.AF_INET, data[12:16]), socket.inet_ntop(socket.AF_INET, data[16:20])
        return Heard(at, mac, source, target, data[8], header, ah, rest[len(ah) :])
    if kind == _ETH_P_IPV6 and data[6] == _VRRP:
        source, target = socket.inet_ntop(socket.AF_INET6, data[8:24]), socket.inet_ntop(socket.AF_INET6, data[24:40])
        return Heard(at, mac, source, target, data[7], data[:40], b"", data[40 : 40 + int.from_bytes(data[4:6], "big")])
    return None


def stopped(daemon: Daemon | None) -> None:
    """End a daemon that still runs, orderly."""
    if daemon is not None and daemon.status is None:
        assert daemon.stop() == 0
