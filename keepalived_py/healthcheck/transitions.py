"""What is under way with real servers: weights that grow, servers that are drained.  The values are in `gradual`."""

from keepalived_py.config.lvs import RealServer, ServerKey, Target, VirtualServer
from keepalived_py.healthcheck.check import Service
from keepalived_py.healthcheck.gradual import WHOLE, Draining, Gradual, SlowStart
from keepalived_py.healthcheck.registry import Registry
from keepalived_py.units import Micro


class Transitions:
    """At most one transition for each real server of each virtual server, with a timer of the registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._running: dict[int, tuple[Service, ServerKey, Gradual]] = {}
        self._ids: dict[tuple[Target, ServerKey], int] = {}

    def recovered(self, service: Service, key: ServerKey, now: Micro) -> None:
        """Have the weight of a server grow, if it is to do that."""
        span = service.pool.server(key).slow_start
        if span:
            self._begin(service, key, SlowStart(now, span), now)

    def go_on(self, id: int, now: Micro) -> Service:
        """Take the step whose timer has fired; return the virtual server that it changes."""
        service, key, gradual = self._running[id]
        pool = service.pool
        if isinstance(gradual, SlowStart):
            share = gradual.share(now) if pool.is_alive(key) else WHOLE
            pool.ease(key, share)
            if share < WHOLE:
                self._registry.timers.set(id, gradual.next(now))
                return service
        elif now < gradual.end:
            self._registry.timers.set(id, gradual.end)
            return service
        elif key in pool.leaving:
            pool.forget(key)
        else:
            pool.set_drained(key, drained=True)
        self._finish(pool.config.target, key)
        return service

    def follow(self, service: Service, old: VirtualServer | None, now: Micro) -> None:
        """Go by a configuration that the pool has taken over; `old` is the one before it, None for a new virtual server."""
        pool, target = service.pool, service.pool.config.target
        before = {} if old is None else _by_key(old)
        servers = _by_key(pool.config)
        for key in before.keys() - servers.keys():
            self._finish(target, key)
            if key in pool.leaving:
                self._begin(service, key, Draining(Micro(now + pool.leaving[key].drain_timeout)), now)
        for key, server in servers.items():
            known = before.get(key)
            if known is None or _words(known) != _words(server):
                self._anew(service, key, server, now)

    def close(self, service: Service) -> None:
        """Let go of a virtual server."""
        pool = service.pool
        for key in (*service.checks, *pool.leaving):
            self._finish(pool.config.target, key)

    def _anew(self, service: Service, key: ServerKey, server: RealServer, now: Micro) -> None:
        pool = service.pool
        self._finish(pool.config.target, key)
        pool.ease(key, WHOLE)
        pool.set_drained(key, drained=False)
        if server.weight == 0 and server.drain_timeout:
            self._begin(service, key, Draining(Micro(now + server.drain_timeout)), now)

    def _begin(self, service: Service, key: ServerKey, gradual: Gradual, now: Micro) -> None:
        target = service.pool.config.target
        self._finish(target, key)
        id = self._registry.new_id()
        self._running[id] = (service, key, gradual)
        self._ids[target, key] = id
        self.go_on(id, now)

    def _finish(self, target: Target, key: ServerKey) -> None:
        id = self._ids.pop((target, key), None)
        if id is not None:
            del self._running[id]
            self._registry.timers.drop(id)


def _words(server: RealServer) -> tuple[Micro, Micro, bool]:
    """Return what decides whether a transition goes on after a reload."""
    return server.slow_start, server.drain_timeout, server.weight == 0


def _by_key(config: VirtualServer) -> dict[ServerKey, RealServer]:
    servers: dict[ServerKey, RealServer] = {}
    for server in config.real_servers:
        servers.setdefault(server.key, server)
    return servers
