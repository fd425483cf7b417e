"""Machines and cables made of network namespaces: `Lab`, `Node`, `Switch`, `Port`.

    with Lab() as lab:
        alice, bob = lab.node("alice"), lab.node("bob")
        lab.link(alice, bob, "192.0.2.1/24", "192.0.2.2/24")
        print(alice.run("ping", "-c1", "192.0.2.2"))

An interface is called after what is at the other end of its cable (``bob`` in alice, ``alice`` in bob).  Nothing has a name
on the host, and all of it, processes included, ends with the lab or with the process that made the lab, even by SIGKILL
(see `guard`).  Make a lab from a thread that outlives it.
"""

import contextlib
import fcntl
import os
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from .daemons import Daemon, LabError
from .namespaces import Namespace

_GUARD = Path(__file__).with_name("guard.py")
_CLOSE_SECONDS = 30.0
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1  # include/uapi/linux/sockios.h, if.h
_INTERFACE_NAME_MAX = 15  # IFNAMSIZ less its NUL

Addresses = str | Sequence[str]
_N = TypeVar("_N", bound="Node")


class CommandError(LabError):
    """A command in a node failed; carries its exit status and output."""

    def __init__(self, node: str, argv: Sequence[str], status: int, output: str) -> None:
        super().__init__(f"{node}: {' '.join(argv)!r} ended with status {status}:\n{output}")
        self.status = status
        self.output = output


class Node:
    """One machine: a network namespace with an active loopback interface."""

    def __init__(self, lab: "Lab", name: str) -> None:
        self.lab = lab
        self.name = name
        self.namespace = Namespace()
        lab.guard(self.namespace)
        with self.entered():
            with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
                # Link-local addresses can be used at once: nobody else can have them here.
                for scope in ("all", "default"):
                    _sysctl_path(f"net.ipv6.conf.{scope}.accept_dad").write_text("0")
            _loopback_up()

    def entered(self) -> contextlib.AbstractContextManager[None]:
        """Put the calling thread into the node: sockets made inside belong to it for good."""
        return self.namespace.entered()

    def run(self, *argv: str, text: str | None = None, within: float = 30.0, env: Mapping[str, str] | None = None) -> str:
        """Run a command to its end and return what it wrote to standard output.

        Args:
            *argv: Program and arguments; no shell.
            text: Its standard input, else empty.
            within: Seconds it may take.
            env: Variables on top of this process's own.

        Raises:
            CommandError: Its exit status is not 0.
            LabError: It took too long.
        """
        done = self.call(*argv, text=text, within=within, env=env)
        if done.returncode != 0:
            raise CommandError(self.name, argv, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def call(
        self, *argv: str, text: str | None = None, within: float = 30.0, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """As `run`, for commands that may fail: returns exit status and both outputs."""
        process = self.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
        try:
            out, err = process.communicate((text or "").encode(), timeout=within)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise LabError(
                f"{self.name}: {' '.join(argv)!r} took over {within:g} s:\n{(out + err).decode(errors='replace')}"
            ) from None
        return subprocess.CompletedProcess(argv, process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    def start(
        self, *argv: str, name: str | None = None, env: Mapping[str, str] | None = None, pass_fds: Sequence[int] = ()
    ) -> Daemon:
        """Start a program that stays; its output goes to a file of the lab's directory (see `Daemon.expect`)."""
        name = f"{self.name}-{name or Path(argv[0]).name}"
        log = self.lab.free_path(name, ".log")
        with log.open("wb") as stream:
            process = self.popen(
                argv, stdin=subprocess.DEVNULL, stdout=stream.fileno(), stderr=subprocess.STDOUT, env=env, pass_fds=pass_fds
            )
        daemon = Daemon(name, process, log)
        self.lab.daemons.append(daemon)
        return daemon

    def popen(
        self,
        argv: Sequence[str],
        *,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start a program in the node, for what `run` and `start` do not cover."""
        environment = None if env is None else {**os.environ, **env}
        try:
            with self.entered():
                return subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=stderr, env=environment, pass_fds=pass_fds)
        except OSError as error:
            raise LabError(f"{self.name}: cannot start {argv[0]!r}: {error.strerror}") from None

    def ip(self, *lines: str) -> None:
        """Configure links and addresses by lines for ``ip -batch`` (each without the word ip); the first that fails raises."""
        self.run("ip", "-batch", "-", text="\n".join(lines) + "\n")

    def address(self, interface: str, *cidrs: str) -> None:
        """Add addresses such as ``192.0.2.1/24``; IPv6 ones are usable at once."""
        self.ip(*(_address_line(interface, cidr) for cidr in cidrs))

    def route(self, prefix: str, *via: str) -> None:
        """Add a route through each next hop; ``default`` takes its family from it, so both may be given."""
        self.ip(*(f"route add {prefix} via {hop}" for hop in via))

    def sysctl(self, name: str, value: str | int | None = None) -> str:
        """Set ``net.…`` (per namespace) to ``value``, if given, and return what it is now."""
        with self.entered():
            if value is not None:
                _sysctl_path(name).write_text(str(value))
            return _sysctl_path(name).read_text().strip()


class Switch(Node):
    """A node with one bridge, ``br0``; each attached node's cable ends in a port that bears the node's name."""

    def __init__(self, lab: "Lab", name: str) -> None:
        super().__init__(lab, name)
        self.ip("link add br0 type bridge forward_delay 0", "link set br0 up")

    def attach(self, node: Node, addresses: Addresses = ()) -> "Port":
        """Plug a node in; its interface is called after the switch."""
        return self.lab.cable(node, self, _interface_lines(self.name, addresses), [f"link set dev {node.name} master br0 up"])


class Port:
    """One end of a cable: ``interface`` of ``node``."""

    def __init__(self, node: Node, interface: str) -> None:
        self.node = node
        self.interface = interface

    def down(self) -> None:
        """Pull the cable: both ends lose their carrier, and this end its IPv6 addresses and its routes."""
        self.node.ip(f"link set dev {self.interface} down")

    def up(self) -> None:
        """Plug the cable in again; routes through this end must be added anew."""
        self.node.ip(f"link set dev {self.interface} up")

    def impair(self, netem: str) -> None:
        """Delay or lose what leaves here, in the words of tc-netem(8) (``delay 20ms loss 1%``); needs that kernel module."""
        self.node.run("tc", "qdisc", "replace", "dev", self.interface, "root", "netem", *netem.split())


class Lab:
    """A set of nodes, their cables, their processes and a directory for files; all of it ends with the lab."""

    def __init__(self, directory: Path | None = None) -> None:
        """Make an empty lab.

        Args:
            directory: Where logs and files of the lab go.  It is kept; without it a temporary one is made and removed.
        """
        self.directory = directory or Path(tempfile.mkdtemp(prefix="lab-"))
        self.nodes: dict[str, Node] = {}
        self.daemons: list[Daemon] = []
        self._control, theirs = socket.socketpair()
        arguments = [str(os.getpid()), *([] if directory else [str(self.directory)])]
        with theirs:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_GUARD), *arguments],
                stdin=theirs.fileno(),
                start_new_session=True,
                stdout=subprocess.DEVNULL,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def node(self, name: str) -> Node:
        """Add a machine."""
        return self._adopt(Node(self, self._free_name(name)))

    def switch(self, name: str) -> Switch:
        """Add a switch, to which nodes are attached."""
        return self._adopt(Switch(self, self._free_name(name)))

    def link(self, left: Node, right: Node, left_addresses: Addresses = (), right_addresses: Addresses = ()) -> Port:
        """Connect two nodes by a cable and return the left end; each end is named after the other node."""
        return self.cable(left, right, _interface_lines(right.name, left_addresses), _interface_lines(left.name, right_addresses))

    def cable(self, left: Node, right: Node, left_lines: Iterable[str], right_lines: Iterable[str]) -> Port:
        """Connect two nodes as `link` does, each end then configured by lines for `Node.ip`."""
        left.ip(f"link add name {right.name} type veth peer name {left.name} netns {right.namespace.path}", *left_lines)
        right.ip(*right_lines)
        return Port(left, right.name)

    def guard(self, namespace: Namespace) -> None:
        """Have the processes in a namespace ended with the lab; every node's is, before anything runs in it."""
        socket.send_fds(self._control, [b"n"], [namespace.fd])

    def free_path(self, name: str, suffix: str) -> Path:
        """Return a path in the lab's directory that does not exist yet: ``name``, or ``name-2`` and so on."""
        path = self.directory / f"{name}{suffix}"
        count = 2
        while path.exists():
            path = self.directory / f"{name}-{count}{suffix}"
            count += 1
        return path

    def logs(self, bytes_each: int = 4000) -> str:
        """Return the end of what each daemon has written, under its name: for the reader of a failure."""
        parts = [f"--- {one.name} (status {one.status}):\n{one.text(max(0, one.mark() - bytes_each))}" for one in self.daemons]
        return "\n".join(parts)

    def close(self) -> None:
        """End every process in the lab and let go of the namespaces; calling it again does nothing."""
        if self._control.fileno() < 0:
            return
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        self._control.close()
        try:
            status = self._guard.wait(_CLOSE_SECONDS)
        finally:
            for node in self.nodes.values():
                node.namespace.close()
        for daemon in self.daemons:
            daemon.wait(_CLOSE_SECONDS)
        if status != 0:
            raise LabError(f"processes of the lab survived SIGKILL, or the guard failed (status {status})")

    def _free_name(self, name: str) -> str:
        if name in self.nodes or len(name) > _INTERFACE_NAME_MAX:
            raise LabError(f"node name {name!r} is taken or too long for an interface (over {_INTERFACE_NAME_MAX} characters)")
        return name

    def _adopt(self, node: _N) -> _N:
        self.nodes[node.name] = node
        return node


def _loopback_up() -> None:
    """Activate ``lo`` of the present namespace, which is down in each new one, without starting a program for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))


def _many(addresses: Addresses) -> Sequence[str]:
    return (addresses,) if isinstance(addresses, str) else addresses


def _address_line(interface: str, cidr: str) -> str:
    return f"address add {cidr} dev {interface}" + (" nodad" if ":" in cidr else "")


def _interface_lines(interface: str, addresses: Addresses) -> Iterator[str]:
    yield f"link set dev {interface} up"
    for cidr in _many(addresses):
        yield _address_line(interface, cidr)


def _sysctl_path(name: str) -> Path:
    return Path("/proc/sys", *name.split("."))
