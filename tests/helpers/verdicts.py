"""Exit statuses of `-t` over many files, each on a host that has the interfaces which the file names.

`judge` runs this module as a program in network and mount namespaces of its own, once for each set of interfaces, and there each
file in a forked child: the program as users start it, but for the start of an interpreter.
"""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

_INTERFACE = re.compile(
    r"^(eth\d|ens\d|enp\d|eno\d|em\d|bond\d|br\d|br-|br_|vlan\d|dpdk\d|p\dp\d|wlan\d|wlp\d|vif\d|team\d|v-br|vmbr\d"
    r"|vxlan\d|ib\d|ha-|qg-|qr-|float\d)[A-Za-z0-9._-]*$"
)
_USUAL = ("eth0", "eth1", "ens3", "bond0")
_ADDRESSES = {"eth0": "192.168.1.2/24", "eth1": "192.168.2.2/24"}
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Case:
    """A file of a folder of configurations, and options for it; `plain`: there are eth0 and eth1, whatever the file names."""

    root: str
    file: str
    options: tuple[str, ...] = ()
    plain: bool = False

    @property
    def path(self) -> Path:
        """Return where the file is."""
        return Path(self.root, self.file)

    def interfaces(self) -> tuple[str, ...]:
        """Return the interfaces that must exist: what the file, or any file of its tree, calls as interfaces are called."""
        if self.plain:
            return _USUAL[:2]
        top, *below = Path(self.file).parts
        files = [path for path in Path(self.root, top).rglob("*") if path.is_file()] if below else [self.path]
        words = {word for path in files for word in re.split(r'[\s{}"=]+', path.read_text("utf-8", "replace"))}
        return tuple(sorted({word for word in words if _INTERFACE.match(word) and len(word) < 16} | {*_USUAL}))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a file got: the exit status (negative: a signal), what was said, and what is wrong with its dump."""

    status: int
    said: str
    dump: str


def judge(cases: Iterable[Case]) -> Mapping[str, Verdict]:
    """Return the verdict of each file, by its name."""
    by_interfaces: dict[tuple[str, ...], list[Case]] = defaultdict(list)
    for case in cases:
        by_interfaces[case.interfaces()].append(case)
    verdicts: dict[str, Verdict] = {}
    for names, those in by_interfaces.items():
        job = json.dumps({"interfaces": names, "cases": [asdict(case) for case in those]})
        command = ["unshare", "--net", "--mount", sys.executable, "-m", "tests.helpers.verdicts"]
        done = subprocess.run(command, input=job, capture_output=True, text=True, timeout=_SECONDS + 10 * len(those))
        assert done.returncode == 0, done.stderr
        verdicts |= {case.file: Verdict(**said) for case, said in zip(those, json.loads(done.stdout), strict=True)}
    return verdicts


# In the namespaces ----------------------------------------------------------------------------------------------------------------


def _commands(names: list[str]) -> Iterator[str]:
    yield "link set lo up"
    pairs = [*names, "_odd"] if len(names) % 2 else names
    for first, second in zip(pairs[::2], pairs[1::2], strict=True):
        yield f"link add {first} type veth peer name {second}"
    for name in pairs:
        yield f"link set {name} up"
    for name, address in _ADDRESSES.items():
        yield f"address add {address} dev {name}"


def _answer() -> None:
    # Without this an import of each would be part of the first child only.
    import keepalived_py.parser.dump
    import keepalived_py.parser.load
    import keepalived_py.system.host  # noqa: F401

    job = json.load(sys.stdin)
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run/netns"], stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["ip", "-batch", "-"], input="\n".join(_commands(job["interfaces"])), text=True, check=True, stdout=sys.stderr)
    json.dump([asdict(_verdict(Case(**case))) for case in job["cases"]], sys.stdout)


def _verdict(case: Case) -> Verdict:
    status, said = _in_child(case, _test)
    dump_status, dump = _in_child(case, _dump)
    return Verdict(status, said, dump if dump_status == 0 else f"status {dump_status}: {dump}")


def _in_child(case: Case, function: object) -> tuple[int, str]:
    """Run a function of the case in a child, in the file's folder; return its exit status and everything it wrote."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        os.chdir(case.path.parent)
        for descriptor in (1, 2):
            os.dup2(writing, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        status = 70
        try:
            assert callable(function)
            status = function(case)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    os.close(writing)
    with open(reading, encoding="utf-8", errors="replace") as stream:
        said = stream.read()
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), said


def _test(case: Case) -> int:
    from keepalived_py.cli import main

    return main(["-t", "-f", str(case.path), *case.options])


def _dump(case: Case) -> int:
    """Say what is wrong with the dump of a file that loads: it must read back the same, and be written the same again."""
    from keepalived_py.parser.dump import to_json, to_text
    from keepalived_py.parser.load import load, load_text
    from keepalived_py.system.host import Host

    first = load(str(case.path), Host(), config_id="", testing=True)
    if first.config is None:
        return 0
    text = to_text(first.config)
    again = load_text(text, Host())
    json.loads(to_json(first.config))
    if again.config != first.config:
        print("the dump reads back as another configuration")
    elif to_text(first.config) != text:
        print("the dump of the dump is another text")
    return 0


if __name__ == "__main__":
    _answer()
