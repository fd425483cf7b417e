"""A host made of tables, for reading configurations: `FakeFacts` answers every question of `parser.facts.HostFacts`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from keepalived_py.addresses import Address
from keepalived_py.config.scripts import User
from keepalived_py.parser.facts import InterfaceFacts, KeyFile, KeyFileState, ScriptFacts, ScriptState
from keepalived_py.parser.load import Loaded, load_text


def interface(name: str, index: int = 1, *addresses: str, **more: object) -> InterfaceFacts:
    """Return an Ethernet interface that is up and can multicast, unless told otherwise."""
    return InterfaceFacts(name, index, addresses=tuple(map(Address.parse, addresses)), **more)  # type: ignore[arg-type]


def usual_interfaces() -> dict[str, InterfaceFacts]:
    """Return a loopback interface and two Ethernet ones."""
    found = (
        interface("lo", 1, "127.0.0.1", loopback=True, ethernet=False, multicast=False),
        interface("eth0", 2, "192.0.2.2"),
        interface("eth1", 3, "198.51.100.2"),
    )
    return {each.name: each for each in found}


@dataclass
class FakeFacts:
    """A machine: programs that are not in `programs` do not exist, and so on."""

    network: dict[str, InterfaceFacts] = field(default_factory=usual_interfaces)
    users: dict[str, User] = field(default_factory=lambda: {"root": User(0, 0, "root"), "nobody": User(65534, 65534, "nobody")})
    programs: dict[str, ScriptState] = field(default_factory=lambda: {"/bin/ok": ScriptState.OK})
    numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    keys: dict[str, KeyFile] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)

    def interface_exists(self, name: str) -> bool:
        return name in self.network

    def interfaces(self) -> Mapping[str, InterfaceFacts]:
        return self.network

    def route_number(self, table: str, name: str, folders: tuple[str, ...]) -> int | None:
        return self.numbers.get((table, name))

    def protocol_number(self, name: str) -> int | None:
        return {"tcp": 6, "vrrp": 112}.get(name)

    def unwatchable(self, path: str) -> str:
        return self.places.get(path, "")

    def key_file(self, path: str, limit: int) -> KeyFile:
        return self.keys.get(path, KeyFile(KeyFileState.UNREADABLE))

    def user(self, name: str, group: str | None = None) -> User | None:
        """Return the account; groups are named as users are, and everybody is in group 100 besides."""
        account, wanted = self.users.get(name), (group or "").removeprefix(":")
        if account is None or wanted not in ("", *self.users):
            return None
        gid = self.users[wanted].gid if wanted else account.gid
        groups = (account.gid, 100) if group and group.startswith(":") else ()
        return User(account.uid, gid, name, groups, wanted)

    def resolve(self, host: str) -> Address | None:
        return Address.parse(self.hosts[host]) if host in self.hosts else None

    def script(self, program: str, user: User) -> ScriptFacts:
        return ScriptFacts(self.programs.get(program, ScriptState.MISSING), program)

    def folder_problem(self, path: str) -> str:
        return ""

    def namespace_problem(self, name: str) -> str:
        return ""

    def environment(self, name: str) -> str | None:
        return None

    def processors(self) -> int:
        return 4


def read(text: str, facts: FakeFacts | None = None) -> Loaded:
    """Read a configuration as a test of it would."""
    return load_text(text, facts or FakeFacts(), name="test.conf")


def told(loaded: Loaded) -> list[tuple[str, int | None]]:
    """Return code and line of every diagnostic but advice and notes."""
    return [
        (diagnostic.code.ident, diagnostic.place.line if diagnostic.place else None)
        for diagnostic in loaded.diagnostics
        if diagnostic.severity > 0
    ]


def notes(loaded: Loaded) -> list[tuple[str, int | None]]:
    """Return code and line of advice and notes, which never change an exit status."""
    return [
        (diagnostic.code.ident, diagnostic.place.line if diagnostic.place else None)
        for diagnostic in loaded.diagnostics
        if diagnostic.severity <= 0
    ]
