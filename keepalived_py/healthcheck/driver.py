"""All probes of a process on the wire: their sockets and programs in one epoll descriptor, which is nested in the event loop.

`ProbeDriver` carries out the steps of probes; no asyncio, no decisions.  Descriptors are counted against a limit: what is beyond it
waits in a queue.  One asyncio transport or reader per probe was measured at 1.5 to 3.5 times the CPU of this.
"""

import errno
import random
import select
import signal
import socket
import ssl
from collections import deque
from typing import Final

from keepalived_py.config.checkers import Checker
from keepalived_py.config.model import SslContext
from keepalived_py.errors import ConfigError
from keepalived_py.healthcheck import dial
from keepalived_py.healthcheck.events import ProbeDone
from keepalived_py.healthcheck.kinds import kind_of
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.healthcheck.probe import Associate, Await, Connect, Done, Execute, Kill, Probe, Send, Steps, Tls
from keepalived_py.healthcheck.program import NotStarted, Program
from keepalived_py.healthcheck.timers import Timers
from keepalived_py.healthcheck.tls import TlsContexts, TlsSession
from keepalived_py.units import Micro

_CHUNK: Final = 64 * 1024
_EVENTS_PER_POLL: Final = 256
_STARTS_PER_POLL: Final = 256
_PROGRAM_COST: Final = 32
"""Connections that could be started in the time that it takes to start a program (about a millisecond)."""
_BROKEN: Final = select.EPOLLERR | select.EPOLLHUP
_CLOSE_SECONDS: Final = 1.0


class _Run:
    """One probe on the wire."""

    __slots__ = (
        "checker",
        "connected",
        "datagrams",
        "fd",
        "id",
        "out",
        "probe",
        "program",
        "sock",
        "step",
        "tls",
        "tls_spec",
        "watched",
    )

    def __init__(self, id: int, checker: Checker, step: int) -> None:
        self.id = id
        self.checker = checker
        self.step = step
        self.probe: Probe = kind_of(checker).probe(checker, step, random.getrandbits(32))
        self.sock: socket.socket | None = None
        self.fd = -1
        self.datagrams = False
        self.program: Program | None = None
        self.tls: TlsSession | None = None
        self.tls_spec: Tls | None = None
        self.connected = False
        self.out = b""
        self.watched = 0


class ProbeDriver:
    """Runs probes.  At most `limit` sockets and programs are open at once; `contexts` is what SSL_GET speaks TLS with.

    `descriptors` is the soft limit of open files that programs get, None for our own.
    """

    def __init__(self, *, limit: int, contexts: TlsContexts, descriptors: int | None = None) -> None:
        self._limit = limit
        self._descriptors = descriptors
        self._room = limit
        self._contexts = contexts
        self._epoll = select.epoll()
        self._runs: dict[int, _Run] = {}
        self._by_fd: dict[int, _Run] = {}
        self._dying: dict[int, Program] = {}
        self._waiting: dict[int, tuple[Checker, int]] = {}
        self._queue: deque[int] = deque()
        self._deadlines = Timers()
        self._done: list[ProbeDone] = []
        self._starts_left = _STARTS_PER_POLL

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when `poll` has something to do."""
        return self._epoll.fileno()

    def renew_tls(self, root: SslContext | None) -> None:
        """Go by another root `SSL` block; the files of all checks are read again when they are needed."""
        self._contexts.replace(root)

    def start(self, id: int, checker: Checker, step: int, now: Micro) -> None:
        """Start a probe, or let it wait for a place; `poll` returns its result."""
        if not self._waiting and self._starts_left > 0 and len(self._runs) < self._room:
            self._begin(id, checker, step, now)
        else:
            self._wait_for_a_place(id, checker, step)

    def cancel(self, id: int) -> None:
        """Forget a probe, wherever it is."""
        self._waiting.pop(id, None)
        if not self._waiting:
            self._queue.clear()
        run = self._runs.get(id)
        if run is not None:
            self._drop(run)
        elif self._done:
            self._done = [done for done in self._done if done.id != id]

    def deadline(self) -> Micro | None:
        """Return when `poll` is to be called even if the descriptor stays quiet: 0 for at once."""
        if self._done or (self._waiting and len(self._runs) < self._room):
            return Micro(0)
        return self._deadlines.deadline()

    def poll(self, now: Micro) -> list[ProbeDone]:
        """Serve what is ready without blocking, a bounded amount of it; return the results since the last call."""
        for fd, events in self._epoll.poll(0, _EVENTS_PER_POLL):
            run = self._by_fd.get(fd)
            if run is not None:
                self._ready(run, events, now)
            elif fd in self._dying:
                self._bury(fd)
        for id in self._deadlines.expired(now):
            run = self._runs[id]
            self._follow(run, run.probe.timed_out(now), now)
        self._starts_left = _STARTS_PER_POLL
        self._launch(now)
        results, self._done = self._done, []
        return results

    def close(self) -> None:
        """Drop everything; programs that were running are killed and waited for, though not for ever."""
        self._waiting.clear()
        self._queue.clear()
        for run in list(self._runs.values()):
            self._drop(run)
        while self._dying:
            ended = self._epoll.poll(_CLOSE_SECONDS)
            for fd, _ in ended:
                self._bury(fd)
            if not ended:
                break
        for program in self._dying.values():
            program.abandon()
        self._dying.clear()
        self._epoll.close()

    # ---- life of a run ----

    def _launch(self, now: Micro) -> None:
        """Start what waits, as long as there are descriptors and the loop has not been held up for too long."""
        while self._waiting and self._starts_left > 0 and len(self._runs) < self._room:
            id = self._queue.popleft()
            waited = self._waiting.pop(id, None)
            if waited is not None:  # else it was cancelled
                self._begin(id, *waited, now)

    def _begin(self, id: int, checker: Checker, step: int, now: Micro) -> None:
        self._starts_left -= 1
        run = _Run(id, checker, step)
        self._runs[id] = run
        self._follow(run, run.probe.begin(now), now)

    def _wait_for_a_place(self, id: int, checker: Checker, step: int) -> None:
        """Put a probe into the queue; one that waits already keeps its place."""
        if id not in self._waiting:
            self._queue.append(id)
        self._waiting[id] = (checker, step)

    def _follow(self, run: _Run, steps: Steps, now: Micro) -> None:
        """Carry out steps in order; a step that ends the run makes those after it void."""
        for step in steps:
            if run.id not in self._runs:
                return
            match step:
                case Await():
                    self._deadlines.set(run.id, step.deadline)
                case Connect():
                    self._connect(run, step, now)
                case Send():
                    self._send(run, step.data, now)
                case Done():
                    self._finish(run, step.outcome)
                case Associate():
                    self._associate(run, step, now)
                case Execute():
                    self._execute(run, step, now)
                case Kill():
                    self._kill(run, step.signal)

    def _finish(self, run: _Run, outcome: Outcome) -> None:
        if run.tls is not None and run.tls.established and run.tls_spec is not None and run.tls_spec.compliant:
            self._say_goodbye(run, run.tls)
        self._drop(run)
        self._done.append(ProbeDone(run.id, outcome))

    def _drop(self, run: _Run) -> None:
        del self._runs[run.id]
        self._deadlines.drop(run.id)
        self._room = self._limit
        self._hang_up(run)
        program, run.program = run.program, None
        if program is not None:
            del self._by_fd[program.fileno()]
            self._dying[program.fileno()] = program
            program.signal(signal.SIGKILL)

    def _hang_up(self, run: _Run) -> None:
        if run.sock is not None:
            self._ignore(run)
            run.sock.close()
            run.sock = None

    def _fail(self, run: _Run, reason: Reason, detail: str, now: Micro) -> None:
        self._follow(run, run.probe.failed(reason, detail, now), now)

    # ---- opening sockets ----

    def _connect(self, run: _Run, step: Connect, now: Micro) -> None:
        self._hang_up(run)
        run.tls_spec, run.tls, run.out = step.tls, None, b""
        run.connected = run.datagrams = False
        try:
            run.sock = sock = dial.open_socket(step.endpoint)
        except dial.NotDialled as error:
            self._not_dialled(run, error, now)
            return
        code = dial.connect(sock, step.endpoint)
        if code not in (0, errno.EINPROGRESS):
            self._fail(run, *dial.reason_of(code), now)
            return
        self._register(run, sock, select.EPOLLOUT)

    def _associate(self, run: _Run, step: Associate, now: Micro) -> None:
        try:
            run.sock = sock = dial.open_datagrams(step.endpoint, step.kind)
        except dial.NotDialled as error:
            self._not_dialled(run, error, now)
            return
        run.connected = run.datagrams = True
        code = dial.connect(sock, step.endpoint)
        if code:
            self._fail(run, *dial.reason_of(code), now)
            return
        self._register(run, sock, select.EPOLLIN)

    def _register(self, run: _Run, sock: socket.socket, wanted: int) -> None:
        run.fd = sock.fileno()
        run.watched = wanted
        self._epoll.register(run.fd, wanted)
        self._by_fd[run.fd] = run

    def _not_dialled(self, run: _Run, error: dial.NotDialled, now: Micro) -> None:
        if error.errno not in (errno.EMFILE, errno.ENFILE) or len(self._runs) == 1:
            self._fail(run, Reason.LOCAL, str(error), now)
            return
        # Somebody else holds the descriptors that were meant for us: wait until one of our runs ends.
        self._drop(run)
        self._wait_for_a_place(run.id, run.checker, run.step)
        self._room = len(self._runs)

    def _ready(self, run: _Run, events: int, now: Micro) -> None:
        sock = run.sock
        if sock is None:
            if run.program is not None:
                self._program_ended(run, run.program, now)
            return
        if not run.connected:
            code = dial.pending_error(sock) if events & _BROKEN else 0
            if code:
                self._fail(run, *dial.reason_of_pending(code), now)
            else:
                self._connected(run, now)
            return
        if run.out:
            self._flush(run, now)
        if events & (select.EPOLLIN | _BROKEN) and run.id in self._runs:
            self._receive(run, sock, now)

    def _connected(self, run: _Run, now: Micro) -> None:
        run.connected = True
        if run.tls_spec is None:
            self._follow(run, run.probe.connected(now), now)
        else:
            self._start_tls(run, run.tls_spec, now)
        self._watch(run)

    def _watch(self, run: _Run) -> None:
        """Wait for what the run needs: bytes, and room for bytes while some are left to send."""
        wanted = select.EPOLLIN | (select.EPOLLOUT if run.out else 0)
        if wanted != run.watched and self._by_fd.get(run.fd) is run:
            run.watched = wanted
            self._epoll.modify(run.fd, wanted)

    def _ignore(self, run: _Run) -> None:
        """Wait for nothing more: implied by closing, unless a child between fork and exec still holds the socket."""
        if self._by_fd.pop(run.fd, None) is not None:
            self._epoll.unregister(run.fd)

    # ---- bytes ----

    def _receive(self, run: _Run, sock: socket.socket, now: Micro) -> None:
        try:
            data = sock.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(run, *dial.reason_of_pending(error.errno or 0), now)
            return
        if run.tls is not None:
            self._receive_tls(run, run.tls, data, now)
        elif data or run.datagrams:
            self._follow(run, run.probe.received(data, now), now)
        else:
            self._closed(run, now)

    def _closed(self, run: _Run, now: Micro) -> None:
        self._follow(run, run.probe.closed(now), now)
        if run.id in self._runs:  # The probe waits for its deadline; a closed socket would be readable for ever.
            self._ignore(run)

    def _send(self, run: _Run, data: bytes, now: Micro) -> None:
        if run.datagrams:
            self._send_datagram(run, data, now)
            return
        if run.tls is None:
            run.out += data
        else:
            try:
                run.tls.write(data)
            except ssl.SSLError as error:
                self._fail(run, *_tls_fault(error), now)
                return
            run.out += run.tls.take()
        self._flush(run, now)

    def _send_datagram(self, run: _Run, data: bytes, now: Micro) -> None:
        if run.sock is not None:
            try:
                run.sock.send(data)
            except OSError as error:
                self._fail(run, *dial.reason_of(error.errno or 0), now)

    def _flush(self, run: _Run, now: Micro) -> None:
        if run.sock is None or not run.out:
            return
        try:
            sent = run.sock.send(run.out, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._fail(run, *dial.reason_of_pending(error.errno or 0), now)
            return
        run.out = run.out[sent:]
        self._watch(run)

    # ---- TLS ----

    def _start_tls(self, run: _Run, spec: Tls, now: Micro) -> None:
        try:
            run.tls = TlsSession(self._contexts.get(spec.options), spec.server_name)
        except ConfigError as error:
            self._fail(run, Reason.LOCAL, f"TLS: {error}", now)
            return
        except (ValueError, ssl.SSLError) as error:
            self._fail(run, Reason.LOCAL, f"TLS server name: {error}", now)
            return
        self._handshake(run, run.tls, now)

    def _handshake(self, run: _Run, tls: TlsSession, now: Micro) -> None:
        try:
            done = tls.handshake()
        except ssl.SSLError as error:
            self._send_alert(run, tls)
            self._fail(run, *_tls_fault(error), now)
            return
        run.out += tls.take()
        self._flush(run, now)
        if done and run.id in self._runs:
            self._follow(run, run.probe.connected(now), now)

    def _receive_tls(self, run: _Run, tls: TlsSession, ciphertext: bytes, now: Micro) -> None:
        tls.put(ciphertext)
        if not tls.established:
            self._handshake(run, tls, now)
        try:
            while run.id in self._runs and tls.established and (data := tls.read()) is not None:
                if not data:
                    self._closed(run, now)
                    return
                self._follow(run, run.probe.received(data, now), now)
            if run.id in self._runs and (answer := tls.take()):
                run.out += answer
                self._flush(run, now)
        except ssl.SSLError as error:
            self._fail(run, *_tls_fault(error), now)

    def _say_goodbye(self, run: _Run, tls: TlsSession) -> None:
        tls.end()
        self._send_alert(run, tls)

    def _send_alert(self, run: _Run, tls: TlsSession) -> None:
        """Send what TLS has left to say, if it can be sent at once: a courtesy."""
        if run.sock is not None:
            try:
                run.sock.send(tls.take(), socket.MSG_NOSIGNAL)
            except OSError:
                return

    # ---- programs ----

    def _execute(self, run: _Run, step: Execute, now: Micro) -> None:
        self._starts_left -= _PROGRAM_COST - 1
        try:
            run.program = program = Program(step.script, self._descriptors)
        except NotStarted as error:
            self._fail(run, Reason.LOCAL, str(error), now)
            return
        self._epoll.register(program.fileno(), select.EPOLLIN)
        self._by_fd[program.fileno()] = run

    def _kill(self, run: _Run, number: signal.Signals) -> None:
        if run.program is not None:
            run.program.signal(number)

    def _program_ended(self, run: _Run, program: Program, now: Micro) -> None:
        run.program = None
        self._by_fd.pop(program.fileno())
        self._epoll.unregister(program.fileno())
        self._follow(run, run.probe.ended(program.reap(), now), now)

    def _bury(self, fd: int) -> None:
        """Reap a program that nobody asks for any longer."""
        self._epoll.unregister(fd)
        self._dying.pop(fd).reap()


def _tls_fault(error: ssl.SSLError) -> tuple[Reason, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Reason.BAD_CERTIFICATE, str(error.verify_message)[:200]
    return Reason.TLS_FAILED, str(error.reason or error)[:80].replace("_", " ").lower()
