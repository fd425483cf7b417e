"""The only loop of the health checks: all probe sockets in one epoll descriptor, nested in the event loop.

    `ProbeDriver`  carries out the steps of probes; no asyncio, no decisions.  Descriptors are counted against a limit: what is
                   beyond it waits in a queue.
    `CheckShell`   the three steps of every shell: feed the event to the engine, perform its actions, re-arm one timer.

One asyncio transport or reader per probe was measured at 1.5 to 3.5 times the CPU of this.
"""

import asyncio
import errno
import select
import socket
import ssl
from collections.abc import Callable
from typing import Final

from keepalived_py.config.checkers import Checker
from keepalived_py.healthcheck import dial
from keepalived_py.healthcheck.actions import Action, CancelProbe, StartProbe
from keepalived_py.healthcheck.engine import CheckEngine
from keepalived_py.healthcheck.events import Batch, Event, ProbeDone, Single, TimerFired
from keepalived_py.healthcheck.kinds import kind_of
from keepalived_py.healthcheck.outcome import Outcome, Reason
from keepalived_py.healthcheck.probe import Await, Connect, Done, Probe, Send, Steps, Tls
from keepalived_py.healthcheck.timers import Timers
from keepalived_py.units import MICRO_PER_SECOND, Micro

_CHUNK: Final = 64 * 1024
_EVENTS_PER_POLL: Final = 256
_STARTS_PER_POLL: Final = 256
_BROKEN: Final = select.EPOLLERR | select.EPOLLHUP


class _Run:
    """One probe on the wire."""

    __slots__ = ("checker", "connected", "fd", "id", "out", "probe", "sock", "step", "tls", "tls_spec", "watched")

    def __init__(self, id: int, checker: Checker, step: int) -> None:
        self.id = id
        self.checker = checker
        self.step = step
        self.probe: Probe = kind_of(checker).probe(checker, step)
        self.sock: socket.socket | None = None
        self.fd = -1
        self.tls: dial.TlsSession | None = None
        self.tls_spec: Tls | None = None
        self.connected = False
        self.out = b""
        self.watched = 0


class ProbeDriver:
    """Runs probes.  At most `limit` sockets are open at once; `context` is what SSL_GET speaks TLS with."""

    def __init__(self, *, limit: int, context: ssl.SSLContext) -> None:
        self._limit = limit
        self._room = limit
        self._context = context
        self._epoll = select.epoll()
        self._runs: dict[int, _Run] = {}
        self._by_fd: dict[int, _Run] = {}
        self._waiting: dict[int, tuple[Checker, int]] = {}
        self._deadlines = Timers()
        self._done: list[ProbeDone] = []
        self._starts_left = _STARTS_PER_POLL

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when `poll` has something to do."""
        return self._epoll.fileno()

    def start(self, id: int, checker: Checker, step: int, now: Micro) -> None:
        """Start a probe, or let it wait for a place; `poll` returns its result."""
        self._waiting[id] = (checker, step)
        if len(self._waiting) == 1:
            self._launch(now)

    def cancel(self, id: int) -> None:
        """Forget a probe, wherever it is."""
        self._waiting.pop(id, None)
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
        for id in self._deadlines.expired(now):
            run = self._runs[id]
            self._follow(run, run.probe.timed_out(now), now)
        self._starts_left = _STARTS_PER_POLL
        self._launch(now)
        results, self._done = self._done, []
        return results

    def close(self) -> None:
        """Drop everything."""
        self._waiting.clear()
        for run in list(self._runs.values()):
            self._drop(run)
        self._epoll.close()

    # ---- life of a run ----

    def _launch(self, now: Micro) -> None:
        """Start what waits, as long as there are descriptors and the loop has not been held up for too long."""
        while self._waiting and self._starts_left > 0 and len(self._runs) < self._room:
            id = next(iter(self._waiting))
            self._starts_left -= 1
            run = _Run(id, *self._waiting.pop(id))
            self._runs[id] = run
            self._follow(run, run.probe.begin(now), now)

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

    def _finish(self, run: _Run, outcome: Outcome) -> None:
        if run.tls is not None and run.tls.established and run.tls_spec is not None and run.tls_spec.compliant:
            self._say_goodbye(run, run.tls)
        self._drop(run)
        self._done.append(ProbeDone(run.id, outcome))

    def _drop(self, run: _Run) -> None:
        del self._runs[run.id]
        self._deadlines.drop(run.id)
        self._room = self._limit
        if run.sock is not None:
            self._ignore(run)
            run.sock.close()
            run.sock = None

    def _fail(self, run: _Run, reason: Reason, detail: str, now: Micro) -> None:
        self._follow(run, run.probe.failed(reason, detail, now), now)

    # ---- connecting ----

    def _connect(self, run: _Run, step: Connect, now: Micro) -> None:
        run.tls_spec = step.tls
        try:
            run.sock = sock = dial.open_socket(step.endpoint)
        except dial.NotDialled as error:
            self._not_dialled(run, error, now)
            return
        run.fd = sock.fileno()
        code = dial.connect(sock, step.endpoint)
        if code not in (0, errno.EINPROGRESS):
            self._fail(run, *dial.reason_of(code), now)
            return
        run.watched = select.EPOLLOUT
        self._epoll.register(run.fd, select.EPOLLOUT)
        self._by_fd[run.fd] = run

    def _not_dialled(self, run: _Run, error: dial.NotDialled, now: Micro) -> None:
        if error.errno not in (errno.EMFILE, errno.ENFILE) or len(self._runs) == 1:
            self._fail(run, Reason.LOCAL, str(error), now)
            return
        # Somebody else holds the descriptors that were meant for us: wait until one of our runs ends.
        self._drop(run)
        self._waiting[run.id] = (run.checker, run.step)
        self._room = len(self._runs)

    def _ready(self, run: _Run, events: int, now: Micro) -> None:
        sock = run.sock
        if sock is None:
            return
        if not run.connected:
            code = dial.pending_error(sock) if events & _BROKEN else 0
            if code:
                self._fail(run, *dial.reason_of(code), now)
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
            self._fail(run, *dial.reason_of(error.errno or 0), now)
            return
        if run.tls is not None:
            self._receive_tls(run, run.tls, data, now)
        elif data:
            self._follow(run, run.probe.received(data, now), now)
        else:
            self._closed(run, now)

    def _closed(self, run: _Run, now: Micro) -> None:
        self._follow(run, run.probe.closed(now), now)
        if run.id in self._runs:  # The probe waits for its deadline; a closed socket would be readable for ever.
            self._ignore(run)

    def _send(self, run: _Run, data: bytes, now: Micro) -> None:
        if run.tls is None:
            run.out += data
        else:
            try:
                run.tls.write(data)
            except ssl.SSLError as error:
                self._fail(run, Reason.TLS_FAILED, _tls_text(error), now)
                return
            run.out += run.tls.take()
        self._flush(run, now)

    def _flush(self, run: _Run, now: Micro) -> None:
        if run.sock is None or not run.out:
            return
        try:
            sent = run.sock.send(run.out, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._fail(run, *dial.reason_of(error.errno or 0), now)
            return
        run.out = run.out[sent:]
        self._watch(run)

    # ---- TLS ----

    def _start_tls(self, run: _Run, spec: Tls, now: Micro) -> None:
        try:
            run.tls = dial.TlsSession(self._context, spec.server_name)
        except (ValueError, ssl.SSLError) as error:
            self._fail(run, Reason.LOCAL, f"TLS server name: {error}", now)
            return
        self._handshake(run, run.tls, now)

    def _handshake(self, run: _Run, tls: dial.TlsSession, now: Micro) -> None:
        try:
            done = tls.handshake()
        except ssl.SSLError as error:
            self._fail(run, Reason.TLS_FAILED, _tls_text(error), now)
            return
        run.out += tls.take()
        self._flush(run, now)
        if done and run.id in self._runs:
            self._follow(run, run.probe.connected(now), now)

    def _receive_tls(self, run: _Run, tls: dial.TlsSession, ciphertext: bytes, now: Micro) -> None:
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
            self._fail(run, Reason.TLS_FAILED, _tls_text(error), now)

    def _say_goodbye(self, run: _Run, tls: dial.TlsSession) -> None:
        tls.end()
        if run.sock is not None:
            try:
                run.sock.send(tls.take(), socket.MSG_NOSIGNAL)
            except OSError:
                return  # It was a courtesy.


def _tls_text(error: ssl.SSLError) -> str:
    return str(error.reason or error)[:80].replace("_", " ").lower()


class CheckShell:
    """Joins an engine, a driver and an event loop.

    `clock` is the loop's monotonic clock in microseconds; `perform` takes all actions of one event that are not probes, in order.
    """

    def __init__(
        self,
        engine: CheckEngine,
        driver: ProbeDriver,
        perform: Callable[[list[Action]], None],
        clock: Callable[[], Micro],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._engine = engine
        self._driver = driver
        self._perform = perform
        self._clock = clock
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._armed = Micro(0)
        loop.add_reader(driver.fileno(), self._turn)

    def feed(self, event: Event) -> None:
        """Give the engine an event that is not ours: start, reload, stop."""
        self._step(event, self._clock())
        self._rearm()

    def close(self) -> None:
        """Let go of the loop and of every socket."""
        self._loop.remove_reader(self._driver.fileno())
        self._disarm()
        self._driver.close()

    def _turn(self) -> None:
        """Serve whatever is due: sockets, deadlines of probes, schedules."""
        now = self._clock()
        events: list[Single] = [*self._driver.poll(now)]
        due = self._engine.deadline()
        if due is not None and due <= now:
            events.append(TimerFired())
        if events:
            self._step(Batch(tuple(events)), now)
        self._rearm()

    def _step(self, event: Event, now: Micro) -> None:
        rest: list[Action] = []
        for action in self._engine.handle(event, now):
            match action:
                case StartProbe():
                    self._driver.start(action.id, action.spec, action.step, now)
                case CancelProbe():
                    self._driver.cancel(action.id)
                case _:
                    rest.append(action)
        if rest:
            self._perform(rest)

    def _rearm(self) -> None:
        deadlines = [due for due in (self._engine.deadline(), self._driver.deadline()) if due is not None]
        if not deadlines:
            return self._disarm()
        due = min(deadlines)
        if self._timer is not None and self._armed <= due:
            return None  # It comes early, finds nothing to do and is armed anew: cheaper than to cancel it each time.
        self._disarm()
        self._armed = due
        self._timer = self._loop.call_at(due / MICRO_PER_SECOND, self._on_timer)
        return None

    def _on_timer(self) -> None:
        self._timer = None
        self._turn()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
