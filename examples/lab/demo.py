"""The main job, end to end, on a real kernel: ``python -m examples.lab.demo`` (root, ip_vs; `make demo` runs it in a guest).

A client fetches pages through two virtual addresses from three real servers; one dies and is taken out, comes back, and the file
is changed under way while a long transfer goes on.  Every claim printed is checked; the first that does not hold ends it with
status 1.
"""

import collections
import platform
import re
import signal
import sys
import tempfile
import time
from pathlib import Path

from . import VIPS, Daemon, Download, LabError, Shop, eventually, fetch

CONFIGURATION = Path(__file__).parent.parent / "shop-nat.conf"
ROUNDS = 30
DETECTION_SECONDS = 8.0
"""delay_loop 2, connect_timeout 1, one retry after 1 s: 2 + 1 + 1 + 1, and room for an emulated processor."""

_UP_TO_DATE = r"up to date \((\d+) netlink requests so far\)"


class Demo:
    """The steps of the demonstration, in order."""

    def __init__(self, shop: Shop, file: Path) -> None:
        self.shop = shop
        self.file = file
        self.daemon: Daemon

    def run(self) -> None:
        """Show all of it."""
        self.start()
        self.balance({"web1", "web2", "web3"})
        transfer = self.long_transfer()
        self.kill("web2")
        self.balance({"web1", "web3"})
        self.revive("web2")
        self.balance({"web1", "web2", "web3"})
        self.reload()
        received = transfer.finish(120)
        say(f"The long transfer from {transfer.server} ended whole: {received} bytes.")
        self.stop()

    def start(self) -> None:
        """Start keepalived-py; it programs the kernel as the checks succeed."""
        step("Starting keepalived-py -n -f shop-nat.conf on the director")
        argv = [sys.executable, "-m", "keepalived_py", "--dont-fork", "--log-console", "--no-syslog", "--log-detail"]
        self.daemon = self.shop.director.start(*argv, "--use-file", str(self.file), name="keepalived-py")
        eventually(lambda: self.table_has(6), "three real servers behind each virtual address", 60)
        self.show_table()

    def table(self) -> str:
        """Return what the stock ipvsadm sees."""
        return self.shop.director.run("ipvsadm", "-Ln")

    def table_has(self, servers: int) -> bool:
        """Whether the table holds this many destinations; a daemon that died is reported with its log."""
        if self.daemon.status is not None:
            raise LabError(f"keepalived-py ended with status {self.daemon.status}:\n{self.daemon.text()}")
        return self.table().count("->") - 1 == servers

    def show_table(self) -> None:
        """Print the kernel's table."""
        say("$ ipvsadm -Ln")
        print(indent(self.table()))

    def balance(self, expected: set[str]) -> None:
        """Fetch pages through both addresses and print who answered."""
        step(f"Fetching {ROUNDS} pages through each of {' and '.join(VIPS)}")
        for vip in VIPS:
            counts = collections.Counter(fetch(self.shop.client, f"http://{vip}/").server for _ in range(ROUNDS))
            say(f"{vip}: " + ", ".join(f"{name} {counts[name]}" for name in sorted(counts)))
            if set(counts) != expected:
                raise LabError(f"{vip} was answered by {sorted(counts)}, not by {sorted(expected)}")

    def long_transfer(self) -> Download:
        """Start a transfer that outlasts everything that follows, through a server that nothing happens to."""
        step("Starting a long transfer (8 MB over 60 s) that has to survive everything below")
        for _ in range(12):
            transfer = Download(self.shop.client, f"http://{VIPS[0]}/stream/8000000/60", within=60)
            if transfer.server == "web1":
                break
        else:
            raise LabError("no transfer was given to web1")
        say(f"It runs through {transfer.server}.")
        self.transfer = transfer
        return transfer

    def kill(self, name: str) -> None:
        """Kill a real server and wait until the kernel sends it nothing more."""
        step(f"Killing {name}")
        self.shop.servers[name].kill()
        began = time.monotonic()
        eventually(lambda: self.table_has(4), f"{name} is out of the table", DETECTION_SECONDS * 4)
        say(f"It was out of the table after {time.monotonic() - began:.1f} s.")
        self.show_table()
        self.transfer.moves()

    def revive(self, name: str) -> None:
        """Start it again and wait until it is back."""
        step(f"Starting {name} again")
        self.shop.servers[name].revive()
        began = time.monotonic()
        eventually(lambda: self.table_has(6), f"{name} is in the table again", DETECTION_SECONDS * 4)
        say(f"It was back after {time.monotonic() - began:.1f} s.")
        self.transfer.moves()

    def reload(self) -> None:
        """Change the file, send SIGHUP, and see that nothing but the change reaches the kernel."""
        step("Sending SIGHUP with the same file, then with a changed one (weight of web3: 1 -> 3)")
        before = self.hang_up()
        text = self.file.read_text()
        head, mark, tail = text.partition("real_server 192.0.2.13 80")
        self.file.write_text(head + mark + tail.replace("weight 1", "weight 3", 1))
        took = self.hang_up() - before
        say(f"The change took {took} netlink requests: one for each virtual address.")
        if took != 2:
            raise LabError(f"a change of one weight in two services took {took} requests")
        weights = re.findall(r"-> 192\.0\.2\.13:80\s+Masq\s+(\d+)", self.table())
        if weights != ["3", "3"]:
            raise LabError(f"the weights of web3 are {weights}:\n{self.table()}")
        self.show_table()
        self.transfer.moves()
        say("The long transfer goes on.")
        self.balance({"web1", "web2", "web3"})

    def hang_up(self) -> int:
        """Send SIGHUP, wait until it is served, and return the number of netlink requests since the start."""
        mark = self.daemon.mark()
        self.daemon.signal(signal.SIGHUP)
        return int(self.daemon.expect(_UP_TO_DATE, 60, mark)[1])

    def stop(self) -> None:
        """Stop the daemon; what it made is gone."""
        step("Stopping keepalived-py")
        status = self.daemon.stop(30)
        left = self.table().count("TCP")
        say(f"It ended with status {status} and left {left} virtual servers behind.")
        if status or left:
            raise LabError(f"an unclean stop:\n{self.daemon.text()}")


def step(text: str) -> None:
    """Print a headline."""
    print(f"\n== {text}", flush=True)


def say(text: str) -> None:
    """Print a line."""
    print(f"   {text}", flush=True)


def indent(text: str) -> str:
    """Set a command's output off."""
    return "\n".join(f"   | {line}" for line in text.rstrip().splitlines())


def main() -> int:
    """Run the demonstration; return its exit status."""
    print(f"Linux {platform.release()}, Python {platform.python_version()}", flush=True)
    with tempfile.TemporaryDirectory() as folder, Shop() as shop:
        file = Path(folder) / "shop-nat.conf"
        file.write_text(CONFIGURATION.read_text())
        demo = Demo(shop, file)
        try:
            demo.run()
        except LabError as error:
            print(f"\nFAILED: {error}", flush=True)
            if hasattr(demo, "daemon"):
                print(indent(demo.daemon.text()), flush=True)
            return 1
    print("\nEverything above was checked and held.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
