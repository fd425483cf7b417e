"""Records adverts of a real keepalived:  capture.py KEEPALIVED CASE...  (root; ip, tcpdump)

Each case runs in two fresh network namespaces joined by a veth pair and writes CASE.VERSION.hex: comments with version and
configuration, then one packet a line as the wire has it, from the IP header on.  `stop` cases end with the adverts of a SIGTERM.
"""

import re
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
SENDER, LISTENER = "kp-capture-a", "kp-capture-b"
KEY = "hex:" + "".join(f"{number:02x}" for number in range(32))

INSTANCE = """vrrp_instance V {{
    interface eth0
    virtual_router_id 51
    priority {priority}
    {more}
    virtual_ipaddress {{
        {addresses}
    }}
}}
"""
TWO = "203.0.113.1/24\n        203.0.113.2/24"
TWO_6 = "fe80::51/64\n        2001:db8::51/64"
V3 = "version 3\n    advert_int 0.1"


def instance(more: str, addresses: str = TWO, priority: int = 255, globals_: str = "") -> str:
    return f"global_defs {{\n    router_id capture\n{globals_}}}\n" + INSTANCE.format(
        more=more, addresses=addresses, priority=priority
    )


UNICAST = "unicast_src_ip 192.0.2.1\n    unicast_peer {\n        192.0.2.2\n        192.0.2.3\n    }"
UNICAST_6 = "unicast_src_ip 2001:db8::1\n    unicast_peer {\n        2001:db8::2\n    }"
HMAC = f"auth_hmac {{\n        key 7 {KEY}\n        active_key 7\n    }}"
CASES = {
    "v2": instance("advert_int 1"),
    "v2-stop": instance("advert_int 1"),
    "v2-pass": instance("authentication {\n        auth_type PASS\n        auth_pass secret\n    }"),
    "v2-ah": instance("authentication {\n        auth_type AH\n        auth_pass secret\n    }"),
    "v2-ah-unicast": instance("authentication {\n        auth_type AH\n        auth_pass secret\n    }\n    " + UNICAST),
    "v2-unicast": instance(UNICAST + "\n    unicast_ttl 64"),
    "v3": instance(V3),
    "v3-stop": instance(V3),
    "v3-unicast": instance(V3 + "\n    " + UNICAST),
    "v3-old-unicast": instance(V3 + "\n    old_unicast_checksum\n    " + UNICAST),
    "v3-as-v2": instance(V3 + "\n    v3_checksum_as_v2"),
    "v3-none": instance(V3 + "\n    virtual_ipaddress_excluded {\n        203.0.113.9/24\n    }", "203.0.113.1/24", 150),
    "v6": instance(V3, TWO_6),
    "v6-unicast": instance(V3 + "\n    " + UNICAST_6, TWO_6),
    "hmac": instance(V3 + "\n    " + HMAC),
    "hmac-v2": instance(HMAC),
    "hmac-unicast": instance(V3 + "\n    " + HMAC + "\n    " + UNICAST),
    "hmac-v6": instance(V3 + "\n    " + HMAC, TWO_6),
}


def run(*words: str) -> None:
    subprocess.run(words, check=True)


def inside(namespace: str, *words: str) -> list[str]:
    return ["ip", "netns", "exec", namespace, *words]


def link_up() -> None:
    for name in (SENDER, LISTENER):
        run("ip", "netns", "add", name)
    run("ip", "link", "add", "eth0", "netns", SENDER, "type", "veth", "peer", "name", "eth0", "netns", LISTENER)
    for name, number in ((SENDER, 1), (LISTENER, 2)):
        run(*inside(name, "ip", "link", "set", "eth0", "address", f"02:00:00:00:00:{number:02x}"))
        run(*inside(name, "ip", "addr", "add", f"192.0.2.{number}/24", "dev", "eth0"))
        run(*inside(name, "ip", "addr", "add", f"2001:db8::{number}/64", "dev", "eth0", "nodad"))
        run(*inside(name, "sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0"))
        run(*inside(name, "ip", "link", "set", "lo", "up"))
        run(*inside(name, "ip", "link", "set", "eth0", "up"))
    run(*inside(LISTENER, "ip", "addr", "add", "192.0.2.3/24", "dev", "eth0"))


def link_down() -> None:
    for name in (SENDER, LISTENER):
        subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)


def packets_of(capture: Path) -> list[bytes]:
    data = capture.read_bytes()
    found, at = [], 24
    while at + 16 <= len(data):
        (length,) = struct.unpack("<I", data[at + 8 : at + 12])
        found.append(data[at + 16 + 14 : at + 16 + length])
        at += 16 + length
    return found


def record(keepalived: str, case: str, folder: Path) -> list[bytes]:
    configuration = folder / "keepalived.conf"
    configuration.write_text(CASES[case])
    capture = folder / "capture.pcap"
    want = 8 if case.endswith("stop") else 3
    link_up()
    try:
        sniff = subprocess.Popen(
            inside(LISTENER, "tcpdump", "-i", "eth0", "-Uw", str(capture), "-Q", "in", "proto 112 or proto 51 or ip6 proto 112"),
            stderr=subprocess.PIPE,
        )
        time.sleep(0.5)
        pid = [f"--{name}={folder}/{name}" for name in ("pid", "vrrp_pid")]
        daemon = subprocess.Popen(
            inside(SENDER, keepalived, "-n", "-P", "-G", "-f", str(configuration), *pid), stderr=subprocess.DEVNULL
        )
        for _ in range(200):
            time.sleep(0.05)
            if capture.exists() and len(packets_of(capture)) >= 3:
                break
        daemon.terminate()
        daemon.wait(10)
        sniff.terminate()
        sniff.wait(10)
        found = packets_of(capture)
        return found[:2] + found[-1:] if case.endswith("stop") else found[:want]
    finally:
        link_down()


def main(keepalived: str, *cases: str) -> None:
    shown = subprocess.run([keepalived, "-v"], capture_output=True, text=True).stderr
    version = re.search(r"v(\d+\.\d+\.\d+)", shown)
    assert version is not None
    for case in cases or CASES:
        with tempfile.TemporaryDirectory() as folder:
            packets = record(keepalived, case, Path(folder))
        about = [f"Keepalived v{version[1]}: capture.py KEEPALIVED {case}", *CASES[case].splitlines()]
        lines = [f"# {line}".rstrip() for line in about] + [packet.hex() for packet in packets]
        (HERE / f"{case}.{version[1]}.hex").write_text("\n".join(lines) + "\n")
        print(case, version[1], len(packets))


if __name__ == "__main__":
    main(*sys.argv[1:])
