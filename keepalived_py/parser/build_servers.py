"""Virtual servers from their drafts: families, defaults, the rules that join several words.

The rules report what the reference reports and repair it as the reference does; those of the KA4xx codes are ours and make a
service be skipped.
"""

from dataclasses import replace
from typing import Any, Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.globals import GlobalDefs
from keepalived_py.config.lvs import (
    AddressEntry,
    AddressTarget,
    Forwarding,
    ForwardingMethod,
    FwmarkEntry,
    FwmarkTarget,
    GroupTarget,
    LocalAddressGroup,
    Protocol,
    RealServer,
    ServiceFlags,
    SorryServer,
    Target,
    VirtualServer,
    VirtualServerGroup,
)
from keepalived_py.config.scripts import Script
from keepalived_py.parser import codes
from keepalived_py.parser.build_checkers import Around, Defaults, build_checkers
from keepalived_py.parser.diagnostics import Code
from keepalived_py.parser.origins import LineId
from keepalived_py.parser.reading import Reading, did_you_mean
from keepalived_py.parser.schema import Draft
from keepalived_py.parser.scripts import ScriptChecks
from keepalived_py.units import Micro, Seconds, micro

_PERSISTENT: Final = Seconds(360)
_FIVE_SECONDS: Final = micro(5)
_A_MINUTE: Final = micro(60)


_REWRITING: Final = (ForwardingMethod.MASQ, ForwardingMethod.FULLNAT)
"""Methods that replace the port, so that real servers may have one of their own."""

_INHERITED: Final = frozenset(
    {"connect_timeout", "delay_loop", "retry", "delay_before_retry", "warmup", "alpha", "virtualhost", "rise", "fall"}
)
"""Words of a real server that its checks take over, and that it takes over from the virtual server."""


class ServiceBuilder:
    """Builds all virtual servers of one configuration."""

    def __init__(
        self,
        reading: Reading,
        globals_: GlobalDefs,
        groups: tuple[VirtualServerGroup, ...],
        local_groups: tuple[LocalAddressGroup, ...],
        checks: ScriptChecks,
    ) -> None:
        self._reading = reading
        self._globals = globals_
        self._groups = {group.name: group for group in groups}
        self._local_groups = {group.name: group for group in local_groups}
        self._checks = checks

    def build(self, root: Draft) -> tuple[VirtualServer, ...]:
        """Return the virtual servers that can be used, the first one of each target; drafts are released on the way."""
        built: dict[Target, VirtualServer] = {}
        drafts = root.children
        drafts.reverse()
        while drafts:
            draft = drafts.pop()
            service = _Service(draft, self._reading, self._globals, self._checks, self._groups, self._local_groups).build()
            if service is None:
                continue
            if service.target in built:
                self._reading.report(
                    codes.VS_DUPLICATE, f"virtual server {service.target} exists already; this one is dropped", draft.line
                )
                continue
            built[service.target] = service
        return tuple(built.values())


class _Service:
    """One virtual server on its way from draft to value."""

    def __init__(
        self,
        draft: Draft,
        reading: Reading,
        globals_: GlobalDefs,
        checks: ScriptChecks,
        groups: dict[str, VirtualServerGroup],
        local_groups: dict[str, LocalAddressGroup],
    ) -> None:
        self._draft = draft
        self._values = draft.values
        self._reading = reading
        self._globals = globals_
        self._checks = checks
        self._groups = groups
        self._local_groups = local_groups
        self._group: VirtualServerGroup | None = None
        self._kind: str = draft.header[0]
        self._defaults = self._service_defaults()
        self._server_lines: list[LineId] = []

    @property
    def _name(self) -> str:
        header = self._draft.header
        if self._kind == "address":
            return f"[{header[1]}]:{header[2]}"
        return f"FWM {header[1]}" if self._kind == "fwmark" else f"[{header[1]}]"

    def _report(self, code: Code, text: str, line: LineId | None = None, word: str = "") -> None:
        self._reading.report(code, text, self._draft.line if line is None else line, word)

    def build(self) -> VirtualServer | None:
        """Return the virtual server, None when it cannot be used (which has been reported)."""
        draft, values = self._draft, self._values
        if not draft.children and not values.get("needs"):
            self._report(codes.VS_NO_REAL_SERVERS, f"virtual server {self._name} has no real servers and is ignored")
            return None
        self._check_sorry_family()
        family = self._settle_family()
        if self._kind == "group" and not self._link_group(family):
            return None
        if self._group is not None and family is None:
            family = _group_family(self._group)
        family = family or Family.INET
        protocol = self._settle_protocol()
        timeout = self._settle_persistence()
        if "lb_algo" not in values and not values.get("needs"):
            self._report(codes.VS_NO_SCHEDULER, f"virtual server {self._name}: no lb_algo; wlc is used")
        forwarding = self._settle_forwarding()
        servers, sorry = self._build_servers(forwarding)
        servers, sorry = self._settle_ports(servers, sorry)
        servers = self._without_twins(servers)
        sorry = self._match_inhibit(sorry, servers)
        quorum, hysteresis = self._settle_quorum(sum(server.weight for server in servers))
        get = values.get
        service = VirtualServer(
            target=self._target(family, protocol),
            family=family,
            delay_loop=get("delay_loop", _A_MINUTE),
            lb_algo=get("lb_algo", "wlc"),
            flags=self._settle_flags(protocol),
            forwarding=forwarding,
            persistence_engine=get("persistence_engine"),
            persistence_timeout=timeout,
            persistence_granularity=get("persistence_granularity"),
            ha_suspend=self._settle_ha_suspend(),
            smtp_alert=self._alert(get("smtp_alert"), default=False),
            virtualhost=get("virtualhost"),
            snmp_name=get("snmp_name"),
            alpha=get("alpha", False),
            omega=get("omega", False),
            inhibit_on_failure=get("inhibit_on_failure", False),
            quorum=quorum,
            hysteresis=hysteresis,
            quorum_up=self._script(draft, "quorum_up"),
            quorum_down=self._script(draft, "quorum_down"),
            weight=get("weight", 1),
            retry=get("retry"),
            delay_before_retry=get("delay_before_retry"),
            warmup=get("warmup"),
            connect_timeout=get("connect_timeout", _FIVE_SECONDS),
            sorry_server=sorry,
            real_servers=servers,
            local_addresses=tuple(get("local_addresses", ())),
            laddr_group_name=get("laddr_group_name"),
            daddr_group_name=get("daddr_group_name"),
            waddr_group_name=get("waddr_group_name"),
            est_timeout=Seconds(get("est_timeout", 0)),
            vip_bind_dev=get("vip_bind_dev"),
            nat_mask=get("nat_mask"),
            slow_start=get("slow_start", Micro(0)),
            drain_timeout=get("drain_timeout", Micro(0)),
            rise=get("rise", 1),
            fall=get("fall", 1),
            needs=tuple(sorted(set(get("needs", ())))),
        )
        return service if self._fits_kernel(service) else None

    # Families ---------------------------------------------------------------------------------------------------------------------

    def _check_sorry_family(self) -> None:
        """Drop a sorry server of another family, unless a tunnel leads to it."""
        values = self._values
        if "sorry_server" not in values:
            return
        family = values["sorry_server"][0].family
        if _method(values.get("sorry_server.forwarding")) is ForwardingMethod.TUNNEL:
            return
        if values.setdefault("family", family) is not family:
            text = f"sorry server {values['sorry_server'][0]} is not of the virtual server's family and is dropped"
            self._report(codes.VS_FAMILY, text, self._draft.place("sorry_server"))
            del values["sorry_server"]

    def _settle_family(self) -> Family | None:
        """Return the family; a firewall mark with tunnels alone takes that of its servers, IPv4 if they mix."""
        known: Family | None = self._values.get("family")
        if known is not None or self._kind == "group":
            return known
        families = {child.header[0].family for child in self._draft.children}
        if "sorry_server" in self._values:
            families.add(self._values["sorry_server"][0].family)
        return families.pop() if len(families) == 1 else Family.INET

    def _link_group(self, family: Family | None) -> bool:
        """Find the group and compare families; return whether the virtual server can use it."""
        name = self._draft.header[1]
        group = self._groups.get(name)
        if group is None:
            hint = did_you_mean(name, self._groups)
            text = f"virtual_server_group {name} is not defined; the virtual server is dropped"
            self._reading.report(codes.VS_GROUP_UNKNOWN, text, self._draft.line, name, hint=hint)
            return False
        self._group = group
        families = _group_families(group)
        if family is not None and families and families != {family}:
            self._report(codes.VS_GROUP_MIXED, f"group {name} is not of the family of the virtual server, which is dropped")
            return False
        return True

    # Rules ------------------------------------------------------------------------------------------------------------------------

    def _by_address(self) -> bool:
        if self._group is not None:
            return any(isinstance(entry, AddressEntry) for entry in self._group.entries)
        return self._kind == "address"

    def _settle_protocol(self) -> Protocol:
        protocol: Protocol | None = self._values.get("protocol")
        if self._by_address():
            if protocol is None:
                self._report(codes.VS_NO_PROTOCOL, f"virtual server {self._name}: no protocol; UDP is assumed")
                return Protocol.UDP
            return protocol
        if protocol is not None:
            text = f"virtual server {self._name}: a firewall mark has no protocol; it is ignored"
            self._report(codes.VS_FWMARK_PROTOCOL, text, self._draft.place("protocol"), "protocol")
        return Protocol.TCP

    def _settle_persistence(self) -> Seconds:
        """Return the persistence timeout; port 0 needs one."""
        timeout = Seconds(self._values.get("persistence_timeout", 0))
        if timeout:
            return timeout
        zero = self._kind == "address" and not self._draft.header[2]
        if self._group is not None:
            zero = any(isinstance(entry, AddressEntry) and not entry.port for entry in self._group.entries)
        if zero:
            self._report(
                codes.VS_ZERO_PORT, f"virtual server {self._name}: port 0 needs persistence; {_PERSISTENT} seconds are set"
            )
            return _PERSISTENT
        return timeout

    def _settle_flags(self, protocol: Protocol) -> ServiceFlags:
        flags: ServiceFlags = self._values.get("flags", ServiceFlags.NONE)
        if ServiceFlags.ONE_PACKET in flags and self._by_address() and protocol is not Protocol.UDP:
            self._report(
                codes.VS_OPS, f"virtual server {self._name}: ops needs UDP; it is switched off", self._draft.place("flags"), "ops"
            )
            flags &= ~ServiceFlags.ONE_PACKET
        return flags

    def _settle_ha_suspend(self) -> bool:
        wanted = bool(self._values.get("ha_suspend"))
        marks = self._kind == "fwmark" or (
            self._group is not None and any(isinstance(entry, FwmarkEntry) for entry in self._group.entries)
        )
        if wanted and marks:
            text = f"virtual server {self._name}: ha_suspend needs addresses; it is switched off"
            self._report(codes.VS_HA_SUSPEND, text, self._draft.place("ha_suspend"), "ha_suspend")
            return False
        return wanted

    def _settle_forwarding(self) -> Forwarding:
        """Return the default method, reported when a server needs it and it is not set."""
        forwarding: Forwarding | None = self._values.get("forwarding")
        if forwarding is not None:
            return forwarding
        lacking = any("forwarding" not in child.values for child in self._draft.children)
        sorry = "sorry_server" in self._values and self._values.get("sorry_server.forwarding") is None
        if (lacking or sorry) and not self._values.get("needs"):
            self._report(codes.VS_NO_METHOD, f"virtual server {self._name}: no lb_kind; NAT is used")
        return Forwarding()

    def _settle_quorum(self, total: int) -> tuple[int, int]:
        """Return quorum and hysteresis, lowered to what the weights allow."""
        quorum: int = self._values.get("quorum", 1)
        hysteresis: int = self._values.get("hysteresis", 0)
        if quorum > total and self._draft.children:
            text = f"virtual server {self._name}: quorum {quorum} exceeds the weight of all real servers; {total} is used"
            self._report(codes.VS_QUORUM, text, self._draft.place("quorum"), "quorum")
            quorum = total
        if hysteresis >= quorum and (hysteresis or quorum):
            lowered = max(quorum - 1, 0)
            text = f"virtual server {self._name}: hysteresis {hysteresis} is not below the quorum {quorum}; {lowered} is used"
            self._report(codes.VS_HYSTERESIS, text, self._draft.place("hysteresis"), "hysteresis")
            hysteresis = lowered
        return quorum, hysteresis

    def _alert(self, own: bool | None, *, default: bool) -> bool:
        """Return whether mail is sent: own setting, else that for checkers, else that for all."""
        for setting in (own, self._globals.smtp_alert_checker, self._globals.smtp_alert):
            if setting is not None:
                return setting
        return default

    # Servers ----------------------------------------------------------------------------------------------------------------------

    def _build_servers(self, forwarding: Forwarding) -> tuple[tuple[RealServer, ...], SorryServer | None]:
        """Return real servers without duplicates, and the sorry server."""
        sorry = self._build_sorry(forwarding)
        port = self._draft.header[2] if self._kind == "address" else 0
        seen: dict[tuple[Address, int], LineId] = {}
        servers: list[RealServer] = []
        for child in self._draft.children:
            method = child.values.get("forwarding", forwarding)
            if child.header in seen:
                first = self._reading.origins.place(seen[child.header])
                where = f"; first at {first.file}:{first.line}" if first else ""
                text = f"virtual server {self._name}: real server {child.header[0]} {child.header[1] or ''}".rstrip()
                self._report(
                    codes.RS_DUPLICATE, f"{text} is there already and this one is dropped{where}", child.line, str(child.header[0])
                )
                continue
            seen[child.header] = child.line
            self._server_lines.append(child.line)
            servers.append(self._build_server(child, method, port))
        return tuple(servers), sorry

    def _match_inhibit(self, sorry: SorryServer | None, servers: tuple[RealServer, ...]) -> SorryServer | None:
        """Let a sorry server that is also a real server be inhibited as that one is; only equal words are an error."""
        if sorry is None:
            return None
        twin = next((server for server in servers if (server.address, server.port) == (sorry.address, sorry.port)), None)
        if twin is None or twin.inhibit_on_failure is sorry.inhibit:
            return sorry
        equal = any(child.header == self._values["sorry_server"] for child in self._draft.children)
        word = "set" if twin.inhibit_on_failure else "cleared"
        text = f"virtual server {self._name}: the sorry server is a real server too; its inhibit is {word}"
        self._report(
            codes.VS_SORRY_INHIBIT if equal else codes.IGNORED_VALUE, text, self._draft.place("sorry_server"), "sorry_server"
        )
        return replace(sorry, inhibit=twin.inhibit_on_failure)

    def _build_sorry(self, forwarding: Forwarding) -> SorryServer | None:
        values = self._values
        if "sorry_server" not in values:
            return None
        address, port = values["sorry_server"]
        if not port and self._kind == "address":
            port = self._draft.header[2]
        return SorryServer(
            address, port, values.get("sorry_server.forwarding") or forwarding, values.get("sorry_server.inhibit", False)
        )

    def _build_server(self, child: Draft, forwarding: Forwarding, service_port: int) -> RealServer:
        """Return a real server, with what it does not say taken from the virtual server."""
        get, service = child.values.get, self._values.get
        address, port = child.header
        port = port or service_port
        own = self._defaults if _INHERITED.isdisjoint(child.values) else self._own_defaults(child.values)
        checkers = build_checkers(child.children, Around(address, port, own, self._checks, self._reading)) if child.children else ()
        return RealServer(
            address,
            port,
            get("weight", service("weight", 1)),
            forwarding,
            get("uthreshold", 0),
            get("lthreshold", 0),
            get("inhibit_on_failure", service("inhibit_on_failure", False)),
            self._script(child, "notify_up"),
            self._script(child, "notify_down"),
            own.alpha,
            own.retry,
            own.delay_before_retry,
            own.warmup,
            own.connect_timeout,
            own.delay_loop,
            self._alert(get("smtp_alert"), default=True),
            get("virtualhost"),
            get("snmp_name"),
            checkers,
            get("slow_start", service("slow_start", Micro(0))),
            get("drain_timeout", service("drain_timeout", Micro(0))),
            own.rise,
            own.fall,
        )

    def _script(self, draft: Draft, name: str) -> Script | None:
        """Return a script as it may be run."""
        script = draft.values.get(name)
        return self._checks.allowed(script, draft.place(name)) if script is not None else None

    def _service_defaults(self) -> Defaults:
        """Return what the virtual server says for the checks of all its real servers."""
        get = self._values.get
        return Defaults(
            connect_timeout=get("connect_timeout", _FIVE_SECONDS),
            delay_loop=get("delay_loop", _A_MINUTE),
            retry=get("retry"),
            delay_before_retry=get("delay_before_retry"),
            warmup=get("warmup"),
            alpha=get("alpha", False),
            log_all_failures=self._globals.checker_log_all_failures,
            virtualhost=get("virtualhost"),
            rise=get("rise", 1),
            fall=get("fall", 1),
        )

    def _own_defaults(self, values: dict[str, Any]) -> Defaults:
        """Return the same for a real server that has words of its own."""
        return replace(self._defaults, **{name: values[name] for name in _INHERITED & values.keys()})

    def _settle_ports(
        self, servers: tuple[RealServer, ...], sorry: SorryServer | None
    ) -> tuple[tuple[RealServer, ...], SorryServer | None]:
        """Without a rewriting method the port is the virtual server's, or none behind a firewall mark."""
        if self._group is not None:
            self._compare_group_ports(self._group, servers, sorry)
            return servers, sorry
        wanted = self._draft.header[2] if self._kind == "address" else 0
        settled = []
        for server, line in zip(servers, self._server_lines, strict=True):
            port = self._settle_port(server.forwarding, server.port, wanted, f"real server {server.address}", line)
            settled.append(server if port == server.port else replace(server, port=port))
        if sorry is not None:
            port = self._settle_port(sorry.forwarding, sorry.port, wanted, "the sorry server", self._draft.place("sorry_server"))
            sorry = replace(sorry, port=port)
        return tuple(settled), sorry

    def _without_twins(self, servers: tuple[RealServer, ...]) -> tuple[RealServer, ...]:
        """Drop servers that only their ports told apart, before those were settled: the kernel takes only one of them."""
        first: dict[tuple[Address, int], RealServer] = {}
        for server, line in zip(servers, self._server_lines, strict=True):
            if first.setdefault((server.address, server.port), server) is not server:
                text = f"virtual server {self._name}: real server {server.address} {server.port} is there already"
                self._report(codes.IGNORED_VALUE, f"{text}; this one is dropped", line, str(server.address))
        return servers if len(first) == len(servers) else tuple(first.values())

    def _settle_port(self, forwarding: Forwarding, port: int, wanted: int, what: str, line: LineId) -> int:
        if forwarding.method in _REWRITING or port == wanted:
            return port
        if self._kind == "fwmark":
            self._report(codes.VS_FWMARK_PORT, f"virtual server {self._name}: {what} has a port, which is cleared", line)
        else:
            text = f"virtual server {self._name}: {what} has port {port}, which is reset to {wanted}"
            self._report(codes.VS_PORTS, text, line, str(port))
        return wanted

    def _compare_group_ports(self, group: VirtualServerGroup, servers: tuple[RealServer, ...], sorry: SorryServer | None) -> None:
        """Report servers of a group that a method without rewriting reaches at another port."""
        ports = {entry.port for entry in group.entries if isinstance(entry, AddressEntry)}
        marks = any(isinstance(entry, FwmarkEntry) for entry in group.entries)
        places: list[tuple[RealServer | SorryServer, LineId]] = list(zip(servers, self._server_lines, strict=True))
        if sorry is not None:
            places.append((sorry, self._draft.place("sorry_server")))
        for server, line in places:
            if server.forwarding.method in _REWRITING or not server.port:
                continue
            if marks:
                self._report(
                    codes.VS_FWMARK_PORT, f"group {group.name}: server {server.address} has a port, which is ignored", line
                )
            for port in sorted(ports - {server.port}):
                text = f"group {group.name}: port {port} and port {server.port} of server {server.address} differ"
                self._report(codes.VS_PORTS, text, line, str(server.port))

    # Targets and our kernel module ------------------------------------------------------------------------------------------------

    def _target(self, family: Family, protocol: Protocol) -> Target:
        header = self._draft.header
        if self._kind == "address":
            return AddressTarget(header[1], header[2], protocol)
        if self._kind == "fwmark":
            return FwmarkTarget(header[1], family)
        return GroupTarget(header[1], protocol)

    def _fits_kernel(self, service: VirtualServer) -> bool:
        """Apply the rules of FULLNAT and SYN proxy; a service that breaks one is skipped."""
        name = str(service.target)
        if service.syn_proxy:
            methods = {server.forwarding.method for server in service.real_servers} | {service.forwarding.method}
            if methods & {ForwardingMethod.DROUTE, ForwardingMethod.TUNNEL}:
                text = f"virtual server {name}: syn_proxy needs NAT or FNAT; the virtual server is skipped"
                self._report(codes.SYN_PROXY_METHOD, text, self._draft.place("syn_proxy"), "syn_proxy")
                return False
        if not service.uses_fullnat:
            return True
        line = self._draft.place("forwarding")
        marks = self._kind == "fwmark" or (
            self._group is not None and any(isinstance(entry, FwmarkEntry) for entry in self._group.entries)
        )
        if marks:
            self._report(codes.FULLNAT_FWMARK, f"virtual server {name}: FNAT needs addresses; the virtual server is skipped", line)
            return False
        group = service.laddr_group_name
        if group is not None and group not in self._local_groups:
            text = f"virtual server {name}: no local_address_group {group}"
            place = self._draft.place("laddr_group_name")
            self._reading.report(codes.LOCAL_GROUP_UNKNOWN, text, place, group, hint=did_you_mean(group, self._local_groups))
        if not service.local_addresses and (group is None or group not in self._local_groups):
            text = f"virtual server {name}: FNAT without local addresses; the virtual server is skipped"
            self._reading.report(codes.FULLNAT_NO_LOCAL, text, line, hint="add local_address { ... } or laddr_group_name")
            return False
        return True


def _method(forwarding: Forwarding | None) -> ForwardingMethod | None:
    return forwarding.method if forwarding is not None else None


def _group_families(group: VirtualServerGroup) -> set[Family]:
    families = {entry.first.family for entry in group.entries if isinstance(entry, AddressEntry)}
    return families | {entry.family for entry in group.entries if isinstance(entry, FwmarkEntry) and entry.family is not None}


def _group_family(group: VirtualServerGroup) -> Family | None:
    families = _group_families(group)
    return families.pop() if len(families) == 1 else None
