"""Who may import whom, and where the world may be touched: read from the source, so that a slip fails before a reviewer sees it."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

PACKAGE: Final = Path(__file__).parents[1] / "keepalived_py"

LEAVES: Final = frozenset({"errors", "units", "addresses", "checksum", "deadlines", "options"})
MAY_IMPORT: Final = {
    "errors": frozenset(),
    "units": frozenset(),
    "addresses": frozenset(),
    "checksum": frozenset(),
    "deadlines": frozenset({"units"}),
    "options": frozenset(),
    "config": LEAVES,
    "parser": LEAVES | {"config", "version"},
    "netlink": LEAVES,
    "tracking": LEAVES | {"config", "netlink"},
    "healthcheck": LEAVES | {"config"},
    "vrrp": LEAVES | {"config", "tracking"},
    "ipvs": LEAVES | {"config", "netlink"},
    "system": LEAVES | {"config", "netlink"},
    "report": LEAVES | {"config", "system"},
    "daemon": None,
    "cli": None,
    "__main__": frozenset({"cli"}),
}
"""What a package may import of the others; None: everything.  Engines know neither each other nor the parser."""

IO: Final = frozenset(
    {
        *(f"healthcheck.{name}" for name in ("io", "driver", "dial", "program")),
        *(f"vrrp.{name}" for name in ("io", "sockets")),
        *(f"tracking.{name}" for name in ("io", "processes")),
        *(f"report.{name}" for name in ("fifo", "mail")),
        "ipvs.client",
        "parser.source",
        "parser.manual",  # writes pages when it is run as a program
        "cli",
    }
)
"""Modules that touch the world, beside all of `system` and `daemon`; only these may import `system`, too."""

ANSWERS_THE_PARSER: Final = frozenset({"system.host", "system.interfaces"})
"""Modules that tell the parser about the host, in its own terms (`parser.facts`)."""

WORLD: Final = frozenset(
    {
        "asyncio",
        "ctypes",
        "fcntl",
        "fileinput",
        "glob",
        "io",
        "mmap",
        "multiprocessing",
        "os",
        "pathlib",
        "resource",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "ssl",
        "subprocess",
        "syslog",
        "tempfile",
        "termios",
        "threading",
        "time",
        "urllib",
        "http",
        "logging",
        "pyroute2",
        "aiohttp",
        "random",
        "secrets",
        "uuid",
        "datetime",
    }
)
HARMLESS: Final = frozenset(
    {
        *(f"socket.{name}" for name in ("AF_INET", "AF_INET6", "inet_pton", "inet_ntop", "inet_aton", "htons", "ntohs")),
        *(f"signal.{name}" for name in ("Signals", "SIGTERM", "SIGKILL")),
        *("os.strerror", "random.Random", "pathlib.PurePosixPath"),
        *(f"ssl.{name}" for name in ("MemoryBIO", "SSLContext", "SSLObject", "SSLError", "SSLWantReadError", "TLSVersion")),
    }
)
"""Names of such modules that compute and touch nothing."""

TLS_FILES: Final = frozenset({"healthcheck.tls"})
"""Reads certificates when a context is made: OpenSSL does it by name, and nobody else can."""


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__") or "version"] = path
    return found


MODULES: Final = modules()


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield every imported module or name with its line, also those that are imported late."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def ours(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the imports from this program, by module name without the program's own."""
    for line, name in imports(path):
        if name.split(".")[0] == "keepalived_py":
            rest = name.removeprefix("keepalived_py.")
            while rest and rest not in MODULES:
                rest = rest.rpartition(".")[0]
            yield line, rest or "version"


def touched(path: Path) -> Iterator[tuple[int, str]]:
    """Yield what a module uses of the modules that reach the world: ``socket.socket``, ``open``."""
    aliases: dict[str, str] = {}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            aliases |= {alias.asname or alias.name: alias.name for alias in node.names if alias.name.split(".")[0] in WORLD}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in WORLD:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            yield node.lineno, f"{aliases[node.value.id]}.{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("open", "print", "input", "exec"):
            yield node.lineno, node.func.id


def is_io(module: str) -> bool:
    return module in IO or module.split(".")[0] in ("system", "daemon")


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module: str) -> None:
    package = module.split(".")[0]
    if package == "version":
        assert not list(ours(MODULES[module]))
        return
    allowed = MAY_IMPORT[package]
    wrong = []
    for line, name in ours(MODULES[module]):
        other = name.split(".")[0]
        if allowed is None or other in (package, *allowed):
            continue
        if other == "system" and is_io(module):
            continue
        if name == "parser.facts" and module in ANSWERS_THE_PARSER:
            continue
        wrong.append(f"{MODULES[module]}:{line}: {module} imports {name}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", [module for module in MODULES if not is_io(module)])
def test_only_adapters_touch_the_world(module: str) -> None:
    wrong = [
        f"{MODULES[module]}:{line}: {module} uses {name}"
        for line, name in touched(MODULES[module])
        if name not in HARMLESS and not (module in TLS_FILES and name.startswith("ssl.")) and module != "__main__"
    ]
    assert not wrong, "\n".join(wrong)


def test_every_exception_is_needed() -> None:
    for module in IO | ANSWERS_THE_PARSER | TLS_FILES:
        assert module in MODULES, f"{module} does not exist"
    for module in IO | TLS_FILES:
        uses = {name for _, name in touched(MODULES[module])} - HARMLESS
        system = any(name.split(".")[0] == "system" for _, name in ours(MODULES[module]))
        assert uses or system, f"{module} touches nothing"


@pytest.mark.parametrize("module", [module for module in MODULES if module.startswith("config.")])
def test_configuration_is_frozen(module: str) -> None:
    for node in ast.walk(tree(MODULES[module])):
        if not isinstance(node, ast.ClassDef):
            continue
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("dataclass"):
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in decorator.keywords}
                assert given.get("frozen") == "True", f"{MODULES[module]}:{node.lineno}: {node.name} is not frozen"


@pytest.mark.parametrize("package", sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py")))
def test_every_package_has_its_map(package: str) -> None:
    text = ast.get_docstring(tree(PACKAGE / package / "__init__.py"))
    assert text and len(text) > 80


def test_the_slip_is_seen(tmp_path: Path) -> None:
    """The readers above find what they are to find."""
    path = tmp_path / "slip.py"
    lines = [
        "import socket",
        "from time import sleep",
        "def f():",
        " import keepalived_py.daemon.parent",
        " open('x')",
        " socket.socket()",
    ]
    path.write_text("\n".join(lines))
    assert [name for _, name in touched(path)] == ["time.sleep", "open", "socket.socket"]
    assert [name for _, name in ours(path)] == ["daemon.parent"]
