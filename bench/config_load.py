"""How long ``-t`` takes on a large configuration, against keepalived's own ``-t``, and how that grows with the file.

    python -m bench.config_load                      # 1000 virtual servers of 10 real servers each, about 10^5 lines
    python -m bench.config_load --conf big.conf      # a file of your own
    python -m bench.config_load --growth             # from 10^3 to 10^6 lines

Both programs read the same file by turns, so that whatever else the machine does meets both.  The CPU time is that of the whole
process, start of the interpreter included; the least of the runs is shown beside the median, because only it is free of neighbours.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

OURS = (sys.executable, "-m", "keepalived_py.cli")
GROWTH = (1_000, 10_000, 100_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Run:
    """One run: seconds by the wall clock, seconds of CPU, peak memory in MB."""

    wall: float
    cpu: float
    memory: float


def measure(command: Sequence[str]) -> Run:
    """Run a command with nowhere to talk to."""
    before = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - before
    process.returncode = os.waitstatus_to_exitcode(status)
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def configuration(services: int, servers: int) -> Iterator[str]:
    """Yield the lines of a configuration: everyday keywords, two kinds of checks, notify scripts; a dozen lines a real server."""
    yield "global_defs {\n\trouter_id bench\n\tscript_user root\n\tenable_script_security\n}"
    for service in range(services):
        yield (
            f"virtual_server 198.18.{service // 250 % 250}.{service % 250 + 1} {80 + service // 62500} {{\n"
            f"\tdelay_loop {3 + service % 7}\n\tlb_algo {('rr', 'wrr', 'wlc', 'sh')[service % 4]}\n"
            f"\tlb_kind {('NAT', 'DR')[service % 2]}\n"
            f"\tprotocol TCP\n\tpersistence_timeout {60 + service % 100}\n\talpha\n\tquorum 1"
        )
        for server in range(servers):
            yield from _real_server(service, server)
        yield "}\n"


def _real_server(service: int, server: int) -> Iterator[str]:
    yield f"\treal_server 198.19.{service % 250}.{server + 1} 8080 {{\n\t\tweight {1 + server % 5}\n\t\tinhibit_on_failure"
    if (service + server) % 2:
        yield "\t\tTCP_CHECK {\n\t\t\tconnect_timeout 3\n\t\t\tretry 2\n\t\t\tdelay_before_retry 1\n\t\t\tconnect_port 8080\n\t\t}"
    else:
        yield "\t\tHTTP_GET {\n\t\t\turl {\n\t\t\t\tpath /health\n\t\t\t\tstatus_code 200\n\t\t\t}\n\t\t\tconnect_timeout 3\n\t\t}"
    yield "\t}"


def compare(conf: Path, runs: int) -> None:
    """Print what both programs need for a file."""
    size = sum(1 for _ in conf.open("rb"))
    print(f"{conf.name}: {size} lines, {conf.stat().st_size / 1e6:.1f} MB, {runs} runs each, by turns\n")
    reference = shutil.which("keepalived")
    commands = {"keepalived-py": OURS} | ({"keepalived": (reference,)} if reference else {})
    measure((*OURS, "-t", "-f", str(conf)))  # byte code is compiled and the file is in the page cache
    seen: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            seen[name].append(measure((*command, "-t", "-f", str(conf))))
    print(f"{'':16}{'CPU least':>11}{'CPU median':>12}{'wall least':>12}{'wall median':>13}{'memory':>11}")
    for name, those in seen.items():
        cpu, wall = [run.cpu for run in those], [run.wall for run in those]
        print(
            f"{name:16}{min(cpu):>9.3f} s{statistics.median(cpu):>10.3f} s{min(wall):>10.3f} s{statistics.median(wall):>11.3f} s"
            f"{max(run.memory for run in those):>8.0f} MB"
        )
    if reference is None:
        print("\nkeepalived is not installed: no ratio")
        return
    print("\nratio keepalived-py / keepalived, each the least of its runs:")
    for what in ("cpu", "wall", "memory"):
        ours, theirs = (min(getattr(run, what) for run in seen[name]) for name in ("keepalived-py", "keepalived"))
        print(f"  {what:7}{ours / theirs:6.2f}")


def grow(folder: Path, runs: int) -> None:
    """Print how CPU time and memory grow with the file; linear growth keeps the time per line as it is."""
    print(f"{'lines':>10}{'CPU':>11}{'per line, start deducted':>28}{'memory':>11}")
    empty = folder / "empty.conf"
    empty.write_text("global_defs {\n}\n")
    start = min(measure((*OURS, "-t", "-f", str(empty))).cpu for _ in range(max(3, runs)))
    for lines in GROWTH:
        conf = folder / f"{lines}.conf"
        lines_each = sum(text.count("\n") + 1 for text in configuration(100, 10)) / 100
        conf.write_text("\n".join(configuration(max(1, round(lines / lines_each)), 10)) + "\n")
        size = sum(1 for _ in conf.open("rb"))
        those = [measure((*OURS, "-t", "-f", str(conf))) for _ in range(max(1, runs if lines < 10**6 else 1))]
        cpu = min(run.cpu for run in those)
        print(f"{size:>10}{cpu:>9.3f} s{(cpu - start) / size * 1e6:>25.2f} us{max(run.memory for run in those):>8.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.config_load", description=__doc__.partition("\n")[0])
    parser.add_argument("--conf", type=Path, help="read this file instead of one that is made")
    parser.add_argument("--vs", type=int, default=1000, help="virtual servers of the file that is made (default 1000)")
    parser.add_argument("--rs", type=int, default=10, help="real servers of each (default 10)")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--growth", action="store_true", help="measure files from 10^3 to 10^6 lines")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.growth:
            grow(Path(folder), min(options.runs, 3))
            return
        conf = options.conf
        if conf is None:
            conf = Path(folder, f"{options.vs}x{options.rs}.conf")
            conf.write_text("\n".join(configuration(options.vs, options.rs)) + "\n")
        compare(conf, options.runs)


if __name__ == "__main__":
    main()
