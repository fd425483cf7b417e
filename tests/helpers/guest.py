"""The guest: a virtual machine with Debian's own kernel, where ``ip_vs`` exists, that sees this host's files.

    python -m tests.helpers.guest run [--limit SECONDS] [--cpus N] [--memory SIZE] [--] COMMAND...
    python -m tests.helpers.guest probe

``run`` boots, runs the command in this working tree as root, streams its output and ends with its status; 125 when the guest
did not come up or ran out of time.  Files of the host are read-only there, apart from scratch space in memory; a command
that must bring files back writes them into the folder named by ``GUEST_OUT``.  ``probe`` says what would be booted, and how.

virtme-ng prepares the machine (an initramfs, the root over 9p) and QEMU runs it, with KVM where that works and else by
emulation, about ten times slower.  Everything ends with the process that booted it, however that ends.
"""

import argparse
import compileall
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.helpers import kernel
from tests.helpers.kernel import GuestError, GuestMissing

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "guest"
IN_GUEST = "KEEPALIVED_PY_GUEST"  # set to 1 in there

_QEMU = "qemu-system-x86_64"
_KEPT_RUNS = 8
_BOOT_SECONDS = 240.0  # measured: 8 s idle, 40 s on a loaded machine, both emulated
_PROBE_SECONDS = 12.0  # measured: 4 s emulated, under 1 s with a KVM that works
_TAIL_LINES = 60
_FAILED = 125

# Drivers of emulated hardware that nothing here uses: 3 of 10 seconds of an emulated boot go into loading them.
_UNUSED_DRIVERS = "kvm_amd,kvm_intel,ahci,i801_smbus,lpc_ich,psmouse,pcspkr,iTCO_wdt,i6300esb,bochs,sr_mod,powernow_k8,aesni_intel"
# Warnings and worse reach the log.  An oops ends the guest at once, so that the test of that moment is blamed.  The watchdogs
# measure how busy the host is, not the guest's health.
_KERNEL_OPTIONS = ("loglevel=5", "oops=panic", "nowatchdog", "rcupdate.rcu_cpu_stall_suppress=1")


def accelerator() -> str:
    """Return ``kvm`` or ``tcg``.  /dev/kvm may be there and hang, so a boot is tried, once per host boot and QEMU version."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    image = kernel.find().image
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    version = subprocess.run([_QEMU, "--version"], capture_output=True, text=True, check=True).stdout
    key = hashlib.sha256("\n".join((boot_id, version, str(image))).encode()).hexdigest()[:16]
    verdict = CACHE / f"accelerator-{key}.json"
    try:
        return str(json.loads(verdict.read_text())["accelerator"])
    except (FileNotFoundError, ValueError, KeyError):
        found = "kvm" if kvm_works(image) else "tcg"
        CACHE.mkdir(parents=True, exist_ok=True)
        verdict.write_text(json.dumps({"accelerator": found}))
        return found


def kvm_works(image: Path, within: float = _PROBE_SECONDS) -> bool:
    """Boot the bare kernel under KVM: it finds no root and reboots, which ends QEMU, or the time limit does."""
    machine = ["-accel", "kvm", "-cpu", "host", "-smp", "2", "-m", "512", "-nodefaults", "-display", "none", "-no-reboot"]
    argv = [_QEMU, *machine, "-serial", "stdio", "-kernel", str(image), "-append", "console=ttyS0 panic=-1 quiet"]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=within, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0 and b"Kernel panic" in done.stdout


def requirements() -> None:
    """Raise `GuestMissing` when something must be installed first, `GuestError` when the kernel packages disagree."""
    if shutil.which(_QEMU) is None:
        raise GuestMissing(f"{_QEMU} is not installed (run: make setup)")
    kernel.find()


class Guest:
    """One boot that runs one shell script."""

    def __init__(
        self,
        script: str,
        *,
        cpus: int = 2,
        memory: str = "2G",
        env: Mapping[str, str] | None = None,
        stream: Callable[[bytes], object] | None = None,
        image: Path | None = None,
        qemu: Sequence[str] = (),
    ) -> None:
        """Boot in the background.

        Args:
            script: For bash, in the root of the working tree, both its outputs joined.
            cpus: Processors; with one the guest shows no races between them.
            memory: As QEMU writes it.
            env: Further variables for the script.
            stream: Called with each piece of the script's output as it comes.
            image: Another kernel, in ``boot/`` of a folder whose ``lib/modules/`` has its modules; for want of one the usual.
            qemu: Further options for QEMU, which is never accelerated then.

        Raises:
            GuestMissing, GuestError: It cannot be booted here.
        """
        requirements()
        compile_tree()
        self.accelerator = "tcg" if qemu else accelerator()
        self.directory = _fresh_directory()
        self.output = self.directory / "output.log"
        self.console = self.directory / "console.log"
        self._status = self.directory / "status"
        self._booted = time.monotonic()
        (self.directory / "script").write_text(_prologue(self.directory, env or {}) + script + "\n")
        (self.directory / "run").write_text(_RUN.format(directory=shlex.quote(str(self.directory))))
        self._process = subprocess.Popen(
            self._argv(cpus, memory, image or kernel.find().image, qemu),
            cwd=ROOT,
            # virtme-run's own files go with the run's folder; when it is killed it removes nothing.
            env={**os.environ, "TMPDIR": str(self.directory)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._pumps = [
            _pump(self._process.stdout, self.output, stream),
            _pump(self._process.stderr, self.console, None),
        ]

    def _argv(self, cpus: int, memory: str, image: Path, qemu: Sequence[str]) -> list[str]:
        boot = [sys.executable, "-m", "tests.helpers.guest_boot", "--kimg", str(image), "--mods=auto", "--force-9p"]
        boot += ["--cpus", str(cpus), "--memory", memory, "--rwdir", str(self.directory), "--show-boot-console"]
        boot += ["--disable-kvm"] if self.accelerator == "tcg" else []
        boot += [word for folder in ("/etc", "/var", "/tmp") for word in ("--overlay-rwdir", folder)]
        boot += [word for option in (*_KERNEL_OPTIONS, f"modprobe.blacklist={_UNUSED_DRIVERS}") for word in ("--kopt", option)]
        boot += ["--script-sh", f"bash {shlex.quote(str(self.directory / 'run'))}"]
        boot += ["--qemu-opts", *qemu] if qemu else []
        # Nothing stays behind: QEMU is a grandchild, and a process namespace ends as a whole with its first process.
        holder = ["unshare", "--pid", "--fork", "--kill-child=KILL", "--"] if os.geteuid() == 0 else []
        return ["setpriv", "--pdeathsig", "KILL", *holder, *boot]

    @property
    def running(self) -> bool:
        """Whether the machine is still there."""
        return self._process.poll() is None

    @property
    def started(self) -> bool:
        """Whether the script has begun."""
        return (self.directory / "started").exists()

    @property
    def status(self) -> int | None:
        """The script's exit status, once it has ended in an orderly way."""
        try:
            return int(self._status.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def check_boot(self) -> None:
        """Raise `GuestError` when the script has not begun although it should have by now."""
        late = time.monotonic() - self._booted > _BOOT_SECONDS
        if not self.started and (late or not self.running):
            self.kill()
            raise GuestError(f"the guest did not boot {f'within {_BOOT_SECONDS:g} s' if late else ''}\n{self.tail()}")

    def wait(self, within: float) -> int:
        """Wait for the end and return the script's exit status.

        Raises:
            GuestError: It did not boot, the machine died under the script, or the time is over; with the tail of its log.
        """
        end = time.monotonic() + within
        while self.running:
            self.check_boot()
            if time.monotonic() > end:
                self.kill()
                raise GuestError(f"the guest was still running after {within:g} s\n{self.tail()}")
            time.sleep(0.05)
        self._join_pumps()
        self.check_boot()
        if self.status is None:
            raise GuestError(f"the guest died under its script\n{self.tail()}")
        return self.status

    def kill(self) -> None:
        """End the machine at once."""
        self._process.kill()
        self._process.wait()
        self._join_pumps()

    def _join_pumps(self) -> None:
        for pump in self._pumps:
            pump.join(5.0)

    def tail(self, lines: int = _TAIL_LINES) -> str:
        """Return the last lines of the script's output and of the kernel's console, for a message."""
        parts = []
        for title, path in (("output", self.output), ("console", self.console)):
            text = path.read_text(errors="replace") if path.exists() else ""
            parts.append(f"--- the guest's {title} ({path}) ends:\n" + "\n".join(text.splitlines()[-lines:]))
        return "\n".join(parts)


_RUN = """\
touch {directory}/started
bash {directory}/script 2>&1
echo $? > {directory}/status
"""


def _prologue(directory: Path, env: Mapping[str, str]) -> str:
    variables = {
        IN_GUEST: "1",
        "GUEST_OUT": str(directory),
        "PATH": f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "TMPDIR": "/run/scratch",  # memory; /tmp is an overlay over the host's
        "HYPOTHESIS_STORAGE_DIRECTORY": "/run/scratch/hypothesis",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        **env,
    }
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    return f"{exports}mkdir -p $TMPDIR\ncd {shlex.quote(str(ROOT))}\n"


def compile_tree() -> None:
    """Compile what has changed, here where it is fast: the guest cannot write what it compiles."""
    for folder in ("keepalived_py", "tests", "examples", "bench"):
        compileall.compile_dir(ROOT / folder, quiet=2)


def _fresh_directory() -> Path:
    CACHE.mkdir(parents=True, exist_ok=True)
    runs = sorted(CACHE.glob("run-*"), key=lambda path: path.stat().st_mtime)
    for old in runs[:-_KEPT_RUNS]:
        shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=time.strftime("run-%m%d-%H%M%S-"), dir=CACHE))


def _pump(source: IO[bytes] | None, sink: Path, also: Callable[[bytes], object] | None) -> threading.Thread:
    """Copy a pipe into a file.  QEMU would truncate a file that it was given as its output, so it gets pipes."""
    assert source is not None

    def copy(source: IO[bytes] = source) -> None:
        with source, sink.open("wb", buffering=0) as file:
            while data := os.read(source.fileno(), 65536):
                file.write(data)
                if also is not None:
                    also(data)

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    return thread


def _run(options: argparse.Namespace) -> int:
    def show(data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    guest = Guest(shlex.join(options.command), cpus=options.cpus, memory=options.memory, stream=show)
    print(f"guest: {describe()}; booting", file=sys.stderr)
    try:
        return guest.wait(options.limit)
    finally:
        guest.kill()


def _probe(_options: argparse.Namespace) -> int:
    print(describe())
    return 0


def describe() -> str:
    """Say in a few words what is booted and how."""
    found = kernel.find()
    return f"Linux {found.release} (package {found.version}) under {accelerator().upper()}"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.helpers.guest", description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="run a command in a fresh guest")
    run.add_argument("--limit", type=float, default=600.0, help="seconds it may take, boot included")
    run.add_argument("--cpus", type=int, default=2)
    run.add_argument("--memory", default="2G")
    run.add_argument("command", nargs="+")
    run.set_defaults(act=_run)
    commands.add_parser("probe", help="say what would be booted").set_defaults(act=_probe)
    options = parser.parse_args(arguments)
    try:
        status: int = options.act(options)
    except (GuestMissing, GuestError) as problem:
        print(f"guest: {problem}", file=sys.stderr)
        return _FAILED
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
