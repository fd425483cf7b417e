"""Carries out what the VRRP engine wants of the host: addresses, routes, rules, firewall, VMACs, neighbours.

One method per kind of action, each in one batch.  Failures are log lines; what follows from them comes back to the engine as news
of the kernel.  Scripts, FIFOs and sockets are elsewhere.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from keepalived_py.addresses import Address, Family
from keepalived_py.config.globals import GlobalDefs
from keepalived_py.config.routing import AddressFlags, VirtualAddress
from keepalived_py.errors import KernelError
from keepalived_py.system.firewall import Firewall, word_of
from keepalived_py.system.host_state import HostState
from keepalived_py.system.link_messages import addr_gen_none_request, ipvlan_request, link_up_request, macvlan_request
from keepalived_py.system.log import Log as LogWriter
from keepalived_py.system.neighbours import NeighbourSocket
from keepalived_py.system.rtnetlink import RouteSocket
from keepalived_py.system.sysctl import write
from keepalived_py.vrrp.actions import (
    Action,
    AddAddresses,
    AddIpvlan,
    AddRoutes,
    AddRules,
    AddVmac,
    BlockAddresses,
    Placed,
    PromoteSecondaries,
    RemoveAddresses,
    RemoveInterface,
    RemoveRoutes,
    RemoveRules,
    SendGratuitous,
    UnblockAddresses,
)

_BASE_SETTINGS: Final = {"arp_ignore": "1", "arp_filter": "1", "rp_filter": "0"}
"""What the interface below VMACs needs, so that it does not answer for them (kernel: Documentation/networking/ip-sysctl)."""

_VMAC_SETTINGS: Final = {"arp_ignore": "1", "accept_local": "1", "rp_filter": "0", "promote_secondaries": "1", "arp_filter": "0"}

_ANNOUNCEMENTS: Final = {Family.INET: "gratuitous ARP", Family.INET6: "unsolicited Neighbour Advert"}


class VrrpHost:
    """The host, as the VRRP engine changes it.  `router`: whether this host forwards, which neighbour adverts tell."""

    def __init__(self, link: RouteSocket, record: Path | None, globals_: GlobalDefs, log: LogWriter) -> None:
        self._link = link
        self._log = log
        self.state = HostState(link, record, log.error)
        self._neighbours = NeighbourSocket()
        self._vmacs: dict[str, tuple[Family, str, int]] = {}
        self._macs: dict[str, bytes] = {}
        nftables = globals_.nftables
        self._table = nftables.table or "keepalived"
        self._firewall = Firewall(
            self._table, nftables.priority, counters=nftables.counters, reports=not globals_.disable_local_igmp
        )
        self._usable: set[Family] = set()

    def prepare_firewall(self, families: Sequence[Family]) -> None:
        """Lay out nftables for these families, where they are needed: at a start or a reload."""
        wanted = [family for family in families if family not in self._usable]
        if not wanted:
            return
        for family in wanted:
            self.state.claim_table(word_of(family), self._table)
        try:
            self._firewall.prepare(wanted)
            self._usable.update(wanted)
        except KernelError as error:
            self._log.error(f"nftables: {error}")

    def learn_mac(self, interface: str, mac: bytes) -> None:
        """Take over the hardware address of an interface, for announcements."""
        self._macs[interface] = mac

    def perform(self, action: Action) -> bool:
        """Carry out an action; return whether it was one of the host's."""
        match action:
            case AddAddresses():
                self.state.add_addresses([(placed.interface, placed.address) for placed in action.addresses])
            case RemoveAddresses(leftovers=False):
                self.state.remove_addresses([(placed.interface, placed.address) for placed in action.addresses])
            case AddRoutes():
                self.state.add_routes(action.routes)
            case RemoveRoutes(leftovers=False):
                self.state.remove_routes(action.routes)
            case AddRules():
                self.state.add_rules(action.rules)
            case RemoveRules(leftovers=False):
                self.state.remove_rules(action.rules)
            case RemoveAddresses() | RemoveRoutes() | RemoveRules():
                pass  # the record of the last run has been worked off before the engine started
            case SendGratuitous():
                self._announce(action)
            case BlockAddresses():
                self._filter(action.addresses, block=True)
            case UnblockAddresses():
                self._filter(action.addresses, block=False)
            case AddVmac():
                self._add_vmac(action)
            case AddIpvlan():
                self._add_ipvlan(action)
            case RemoveInterface():
                self._remove_interface(action.name)
            case PromoteSecondaries():
                self._promote(action)
            case _:
                return False
        return True

    def _announce(self, action: SendGratuitous) -> None:
        failed: dict[str, OSError] = {}
        for _ in range(action.repeat):
            for target in action.targets:
                mac = self._macs.get(target.interface, b"")
                if len(mac) != 6:
                    continue
                try:
                    self._neighbours.announce(target.address, mac, target.interface)
                except OSError as error:
                    failed[target.interface] = error
                else:
                    what = _ANNOUNCEMENTS[target.address.family]
                    self._log.detail(f"Sending {what} on {target.interface} for {target.address}")
        for interface, why in failed.items():
            self._log.error(f"({action.instance}) cannot announce addresses on {interface}: {why.strerror}")

    def _filter(self, placed: Sequence[Placed], *, block: bool) -> None:
        blocked: list[tuple[Address, int]] = []
        for one in placed:
            address = one.address.address
            if address.family not in self._usable:
                continue
            try:
                blocked.append((address, self.state.index(one.interface) if address.is_link_local else 0))
            except OSError:
                continue
        if not blocked:
            return
        try:
            (self._firewall.block if block else self._firewall.unblock)(blocked)
        except KernelError as error:
            self._log.error(f"nftables: {error}")

    # Interfaces of our own --------------------------------------------------------------------------------------------------

    def _add_vmac(self, action: AddVmac) -> None:
        try:
            base = self.state.index(action.base)
        except OSError as error:
            self._log.error(f"cannot make VMAC {action.name}: {error.strerror}")
            return
        if not self._has_vmac(action):
            request = macvlan_request(action.name, base, action.mac, 0, group=action.group)
            if not self.state.make_link(action.name, request):
                return
        index = self.state.index(action.name)
        self._settings_of_vmac(action)
        requests = [("addr_gen_mode", addr_gen_none_request(index, 0)), ("up", link_up_request(index, 0))]
        for refused in self._link.perform(requests):
            if refused is not None:
                self._log.error(f"VMAC {action.name}: {refused}")
        self._macs[action.name] = action.mac
        self._vmacs[action.name] = (action.family, action.base, index)
        if action.link_local is not None:
            address = VirtualAddress(action.link_local, 64, flags=AddressFlags.NODAD, preferred_lifetime=0)
            self.state.add_addresses([(action.name, address)])
        if action.family in self._usable and not action.xmit_base:
            try:
                self._firewall.add_vmac(action.family, index, base)
            except KernelError as error:
                self._log.error(f"nftables: {error}")

    def _has_vmac(self, action: AddVmac) -> bool:
        """Whether the VMAC is there already, in which case only what goes with it is laid out anew."""
        known = self._vmacs.get(action.name)
        if known is not None and self.state.is_ours(action.name):
            if known[1] == action.base and self._macs.get(action.name) == action.mac:
                self._unfilter_vmac(*known)
                return True
            self._remove_interface(action.name)
        return False

    def _unfilter_vmac(self, family: Family, base: str, index: int) -> None:
        if family not in self._usable:
            return
        try:
            self._firewall.remove_vmac(family, index, self.state.index(base))
        except (KernelError, OSError) as error:
            self._log.error(f"nftables: {error}")

    def _settings_of_vmac(self, action: AddVmac) -> None:
        """Set what a VMAC and its base need before it is up; the base's settings come back with the last VMAC on it."""
        for name, value in _VMAC_SETTINGS.items():
            self._set(f"ipv4/conf/{action.name}/{name}", value, lend=False)
        if action.family is Family.INET:
            self._set(f"ipv6/conf/{action.name}/disable_ipv6", "1", lend=False)
            for name, value in _BASE_SETTINGS.items():
                self._set(f"ipv4/conf/{action.base}/{name}", value)

    def _set(self, name: str, value: str, *, lend: bool = True) -> None:
        try:
            if lend:
                self.state.borrow(name, value)
            else:
                write(name, value)
        except OSError as error:
            self._log.error(f"cannot set {name} to {value}: {error.strerror}")

    def _add_ipvlan(self, action: AddIpvlan) -> None:
        config = action.config
        try:
            base = self.state.index(action.base)
        except OSError as error:
            self._log.error(f"cannot make ipvlan {action.name}: {error.strerror}")
            return
        if not self.state.make_link(action.name, ipvlan_request(action.name, base, config.mode, 0, group=config.group)):
            return
        if config.address is not None:
            self.state.add_addresses([(action.name, VirtualAddress(config.address, config.prefix_length))])
        self._link.perform([("up", link_up_request(self.state.index(action.name), 0))])

    def _remove_interface(self, name: str) -> None:
        known = self._vmacs.pop(name, None)
        if known is not None:
            _, base, _ = known
            self._unfilter_vmac(*known)
            if not any(other == base for _, other, _ in self._vmacs.values()):
                for setting in _BASE_SETTINGS:
                    self.state.give_back(f"ipv4/conf/{base}/{setting}")
        self.state.remove_link(name)
        self._macs.pop(name, None)

    def _promote(self, action: PromoteSecondaries) -> None:
        name = f"ipv4/conf/{action.interface}/promote_secondaries"
        if action.on:
            self._set(name, "1")
        else:
            self.state.give_back(name)

    def close(self, *, keep: bool = False) -> None:
        """Put back every setting, remove the firewall, close the sockets; `keep`: VMACs outlive us, and need their settings."""
        if not keep:
            self.state.give_back_all()
        try:
            self._firewall.close()
        except KernelError as error:
            self._log.error(f"nftables: {error}")
        self.state.drop_tables()
        self._neighbours.close()
