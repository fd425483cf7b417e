"""VRRP beside keepalived: masters and backups of one virtual router, one of each program, and the same packets from both.

ours (192.0.2.1, fe80::1) ---- theirs (192.0.2.2, fe80::2)

The reference is the installed keepalived.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from examples.lab import Daemon, Lab, Node
from tests.helpers.routers import ROOT, Ear, Heard, Router, addresses_of, links_are_up, stopped

OURS, THEIRS = ("192.0.2.1", "fe80::1"), ("192.0.2.2", "fe80::2")


class Reference(Router):
    """The other program, with the same files and options."""

    def start(self, *options: str, complete: bool = True, wrapper: object = (), files: bool = True) -> Daemon:
        places = ["-p", str(self.pid_file), "-c", str(self.checkers_pid_file), "-r", str(self.vrrp_pid_file)]
        argv = ["keepalived", "-f", str(self.config), *places, "-n", "-l", "-D", "-G", *options]
        self._daemon = self.node.start(*argv, name="keepalived")
        if complete:
            self._daemon.expect("Startup complete$", self.patience)
        return self._daemon


@dataclass(frozen=True)
class Kind:
    """A way to speak VRRP, which is also the name of an instance.  `lines`: what the instance says of it."""

    name: str
    version: int
    interval: float
    lines: str = ""
    six: bool = False
    unicast: bool = False

    @property
    def vrid(self) -> int:
        return 51 + KINDS.index(self)

    @property
    def addresses(self) -> tuple[str, str]:
        """The virtual addresses, two as the order counts."""
        number = self.vrid
        if self.six:
            return f"fe80::{number}/64", f"2001:db8:1::{number}/64"
        return f"203.0.113.{number}/32", f"203.0.113.1{number}/32"

    def instance(self, *, ours: bool, priority: int, more: str = "") -> str:
        """Return the block for our end or for theirs."""
        interface = "theirs" if ours else "ours"
        own, other = (OURS, THEIRS) if ours else (THEIRS, OURS)
        peers = f"unicast_src_ip {own[self.six]}\n unicast_peer {{\n  {other[self.six]}\n }}" if self.unicast else ""
        return f"""\
vrrp_instance {self.name} {{
 state BACKUP
 version {self.version}
 interface {interface}
 virtual_router_id {self.vrid}
 priority {priority}
 advert_int {self.interval:g}
 {self.lines}
 {peers}
 virtual_ipaddress {{
  {self.addresses[0]}
  {self.addresses[1]}
 }}
 {more}
}}
"""


KINDS = [
    Kind("v2", 2, 1),
    Kind("v2-PASS", 2, 1, "authentication {\n auth_type PASS\n auth_pass sesame\n }"),
    Kind("v2-AH", 2, 1, "authentication {\n auth_type AH\n auth_pass sesame\n }"),
    Kind("v3", 3, 0.2),
    Kind("v3-IPv6", 3, 0.2, six=True),
    Kind("v2-unicast", 2, 1, unicast=True),
    Kind("v3-unicast", 3, 0.2, unicast=True),
    Kind("v3-IPv6-unicast", 3, 0.2, six=True, unicast=True),
]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def config(*, ours: bool, priority: int) -> str:
    """Return a configuration with every kind."""
    return ROOT + "".join(kind.instance(ours=ours, priority=priority) for kind in KINDS)


COMPLAINTS = re.compile(
    r"checksum|mismatch|authentication|auth |invalid|bogus|ignor|discard|not present|associated|sequence|length|TTL|hop limit|"
    r"error|differ|expected|reject|wrong|Traceback",
    re.IGNORECASE,
)


def complaints(router: Router) -> list[str]:
    """Return what a program says of the other's packets, leaving out what follows from a higher priority."""
    lines = [line for line in router.log().splitlines() if COMPLAINTS.search(line)]
    return [line for line in lines if "lower priority" not in line]


@dataclass(frozen=True)
class Wire:
    """The two nodes."""

    ours: Node
    theirs: Node


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with Lab() as lab:
        ours, theirs = lab.node("ours"), lab.node("theirs")
        for node in (ours, theirs):  # so that the link-local addresses are those above and no others
            node.sysctl("net.ipv6.conf.default.addr_gen_mode", 1)
        lab.link(ours, theirs, ("192.0.2.1/24", "fe80::1/64"), ("192.0.2.2/24", "fe80::2/64"))
        for node in (ours, theirs):
            links_are_up(node)
        yield Wire(ours, theirs)


@pytest.fixture
def peers(wire: Wire, tmp_path: Path) -> Iterator[tuple[Router, Router]]:
    """Ours and theirs, not started."""
    found = Router(wire.ours, tmp_path / "ours"), Reference(wire.theirs, tmp_path / "theirs")
    yield found
    for router in found:
        stopped(router._daemon)


def all_become(router: Router, state: str, since: int = 0) -> None:
    """Wait until every instance is in a state."""
    for kind in KINDS:
        router.becomes(state, kind.name, since)


def test_each_backs_up_the_other(peers: tuple[Router, Router]) -> None:
    """Theirs leads, ours takes over when it stops, theirs preempts; then ours has the higher priority, and preempts and stops."""
    ours, theirs = peers
    ours.configure(config(ours=True, priority=100))
    theirs.configure(config(ours=False, priority=150))
    theirs.start()
    all_become(theirs, "MASTER")
    ours.start()
    for kind in KINDS:
        ours.expect(rf"\({kind.name}\) master set to")  # it has accepted an advert
    assert theirs.daemon.stop() == 0
    all_become(ours, "MASTER")
    everything = [address for kind in KINDS for address in kind.addresses]
    ours.until(lambda: ours.has(*everything), "the addresses are here")
    assert {tuple(ours.states(kind.name)) for kind in KINDS} == {("BACKUP", "MASTER")}
    theirs.start()
    all_become(theirs, "MASTER")
    all_become(ours, "BACKUP")
    ours.until(lambda: not set(everything) & addresses_of(ours.node), "the addresses are gone")
    mark = theirs.daemon.mark()
    ours.configure(config(ours=True, priority=200))
    ours.reload()
    all_become(ours, "MASTER")
    all_become(theirs, "BACKUP", mark)
    mark = theirs.daemon.mark()
    assert ours.daemon.stop() == 0
    all_become(theirs, "MASTER", mark)
    assert (complaints(ours), complaints(theirs)) == ([], [])


@pytest.fixture(scope="module")
def heard(wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Heard], list[Heard]]:
    """What theirs and ours have sent: in the same node, one after the other, with the same file."""
    found: list[list[Heard]] = []
    for program in (Reference, Router):
        router = program(wire.ours, tmp_path_factory.mktemp("heard") / program.__name__)
        router.configure(config(ours=True, priority=123))
        with Ear(wire.theirs, "ours") as ear:
            router.start()
            for kind in KINDS:
                ear.wait(2, kind.vrid, 123)
            assert router.daemon.stop() == 0
            for kind in KINDS:
                ear.wait(1, kind.vrid, 0)
            found.append(list(ear.adverts))
    return found[0], found[1]


def masked(advert: Heard) -> tuple[str, bytes, bytes, bytes]:
    """Return what two programs must send alike: not the identification and checksum of IPv4, and not what signs them."""
    header = bytearray(advert.header)
    if len(header) == 20:
        header[4:6] = header[10:12] = b"\0\0"
    else:
        header[1] &= 0xF0  # the flow label is the kernel's
        header[2:4] = b"\0\0"
    return advert.mac, bytes(header), advert.ah[:12], advert.body


@every_kind
def test_both_send_the_same_bytes(kind: Kind, heard: tuple[list[Heard], list[Heard]]) -> None:
    theirs, ours = ([masked(one) for one in found if one.vrid == kind.vrid] for found in heard)
    assert ours[:2] == theirs[:2]
    assert ours[-1] == theirs[-1]
    assert ours[0] != ours[-1]


WORDS = re.compile(
    r"\(\w+\) ([Ee]ntering \w+ (STATE|state)|Receive advert|(setting|removing) VIPs|sent 0|Sending/queueing|Changing effective)"
    r"|Sync Group|VRRP_Group|Sending gratuitous|Script|tracked file|Netlink reports",
)


def said(router: Router) -> list[str]:
    """Return the log lines that operators look for, from the first state on, without what stands before them."""
    lines = [line.split(": ", 1)[1] for line in router.log().splitlines() if WORDS.search(line)]
    first = next(at for at, line in enumerate(lines) if "ntering" in line)
    return lines[first:]


def test_states_are_logged_in_the_same_words(wire: Wire, tmp_path: Path) -> None:
    """A life with faults in it: start, master, faults of a tracked script and of a file, recovery, stop."""
    found: list[list[str]] = []
    for program in (Reference, Router):
        folder = tmp_path / program.__name__
        router = program(wire.ours, folder)
        fine, number = folder / "fine", folder / "number"
        fine.touch()
        number.write_text("0")
        tracked = f"""\
vrrp_script check {{
 script "/usr/bin/test -e {fine}"
 interval 1
 rise 1
 fall 1
}}
track_file number {{
 file {number}
}}
vrrp_sync_group G {{
 group {{
  v3
 }}
}}
"""
        track = "track_script {\n check\n }\n track_file {\n number\n }"
        router.configure(ROOT + tracked + KINDS[3].instance(ours=True, priority=123, more=track))
        router.start()
        router.becomes("MASTER", "v3")
        fine.unlink()
        router.becomes("FAULT", "v3")
        fine.touch()
        router.becomes("MASTER", "v3")
        number.write_text("1")
        router.becomes("FAULT", "v3")
        number.write_text("0")
        router.becomes("MASTER", "v3")
        assert router.daemon.stop() == 0
        found.append(said(router))
    theirs, ours = ([line for line in lines if "Sending" not in line] for lines in found)
    assert ours == theirs
    announced = [sorted(line for line in lines if "Sending" in line) for lines in found]
    assert announced[1] == announced[0] != []
    assert theirs.count("(v3) Entering MASTER STATE") == 3
