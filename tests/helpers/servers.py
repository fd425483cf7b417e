"""Real servers of Debian packages, one process each in the namespace of the caller, gone with the `with` block.

A program that is not installed skips the test that needs it, and says so.
"""

import contextlib
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

LOOPBACK = "127.0.0.1"


def free_port(type: int = socket.SOCK_STREAM) -> int:
    """Return a port that nobody listens on."""
    with socket.socket(socket.AF_INET, type) as unused:
        unused.bind((LOOPBACK, 0))
        port: int = unused.getsockname()[1]
        return port


@contextlib.contextmanager
def running(*command: str | Path, ready: Callable[[], bool], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until it is `ready`, and terminate it in the end.  What it says is in ``folder/log``."""
    path = shutil.which(str(command[0]), path="/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        pytest.skip(f"{command[0]} is not installed")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([path, *map(str, command[1:])], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
    try:
        end = time.monotonic() + 20
        while not ready():
            assert process.poll() is None and time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.02)
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def listening(port: int, host: str = LOOPBACK) -> Callable[[], bool]:
    """Return a question: does something accept connections on `port`?"""

    def ask() -> bool:
        with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
            return True
        return False

    return ask


SMTPD = ("unshare", "-m", "sh", "-c", 'mount -t tmpfs none /run && exec smtpd -d -f "$0"')
"""OpenSMTPD, before its configuration: its control socket has a fixed place, so that it needs a /run of its own."""


@contextlib.contextmanager
def opensmtpd(folder: Path, port: int = 0) -> Iterator[int]:
    """Yield the port of OpenSMTPD: `port`, or any."""
    port = port or free_port()
    lines = (
        f"listen on {LOOPBACK} port {port} hostname mail.example",
        'action "x" mda "/bin/true"',
        'match from any for any action "x"',
    )
    (folder / "smtpd.conf").write_text("\n".join((*lines, "")))
    with running(*SMTPD, folder / "smtpd.conf", ready=listening(port), folder=folder):
        yield port


@contextlib.contextmanager
def unbound(folder: Path, *lines: str, port: int = 0) -> Iterator[int]:
    """Yield the port of a DNS server that knows what `lines` of its ``server:`` section say, and asks nobody."""
    port = port or free_port()
    settings = (
        'chroot: ""',
        'username: ""',
        f'directory: "{folder}"',
        'pidfile: ""',
        "use-syslog: no",
        "do-daemonize: no",
        "num-threads: 1",
        f"interface: {LOOPBACK}",
        f"port: {port}",
        'module-config: "iterator"',
        "do-not-query-localhost: yes",
        *lines,
    )
    (folder / "unbound.conf").write_text(
        "server:\n"
        + "".join(f"  {line}\n" for line in settings)
        + "remote-control:\n  control-enable: no\nforward-zone:\n  name: .\n  forward-addr: 127.0.0.1@1\n"
    )
    with running("unbound", "-d", "-c", folder / "unbound.conf", ready=listening(port), folder=folder):
        yield port


@contextlib.contextmanager
def nginx(folder: Path, server: str, port: int = 0) -> Iterator[int]:
    """Yield the port of nginx with one server of which `server` says all but the port, which it names as ``PORT``."""
    port = port or free_port()
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr; user root;\n"
        "events { worker_connections 64; }\n"
        f"http {{ access_log {folder}/access.log; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
        f"fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n"
        f"server {{ {server.replace('PORT', f'{LOOPBACK}:{port}')} }} }}\n"
    )
    command = ("nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr")
    with running(*command, ready=listening(port), folder=folder):
        yield port


@contextlib.contextmanager
def socat_echo(folder: Path) -> Iterator[int]:
    """Yield the UDP port of a socat that sends each datagram back."""
    port = free_port(socket.SOCK_DGRAM)

    def echoes() -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            with contextlib.suppress(OSError):
                client.connect((LOOPBACK, port))
                client.send(b"?")
                return client.recv(10) == b"?"
        return False

    with running("socat", f"UDP4-RECVFROM:{port},bind={LOOPBACK},fork", "EXEC:cat", ready=echoes, folder=folder):
        yield port


Answerer = Callable[[bytes], list[bytes]]
"""A datagram in, any number out."""


@contextlib.contextmanager
def datagram_server(answerer: Answerer, host: str = LOOPBACK) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the UDP port of a server that answers by `answerer`, and the list of what it has got."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    got: list[bytes] = []
    with socket.socket(family, socket.SOCK_DGRAM) as server:
        server.bind((host, 0))
        server.settimeout(0.05)
        stopped = threading.Event()

        def serve() -> None:
            while not stopped.is_set():
                with contextlib.suppress(TimeoutError, ConnectionError):
                    data, peer = server.recvfrom(65536)
                    got.append(data)
                    for answer in answerer(data):
                        server.sendto(answer, peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], got
        finally:
            stopped.set()
            thread.join()
