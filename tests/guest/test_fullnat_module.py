"""Our module takes the place of the distribution's: its schedulers load on top, its settings are there, namespaces are apart.

Numbers are those of kmod/tests/README.md.
"""

import subprocess
from pathlib import Path

import pytest

from examples.lab import Lab, fetch
from examples.lab.campus import CAMPUS_VIPS, LOCALS, WEB1, WEB2, Campus
from tests.helpers import fullnat
from tests.helpers.fullnat import Fullnat

OUR_MODULE = True

SCHEDULERS = ("rr", "wrr", "lc", "wlc", "fo", "ovf", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq")


def test_t01_the_module_in_the_kernel_is_ours() -> None:
    assert fullnat.loaded()
    assert Path("/proc/net/ip_vs_ext_stats").exists()


def test_t02_the_distributions_own_modules_load_on_top() -> None:
    names = [f"ip_vs_{name}" for name in (*SCHEDULERS, "ftp", "pe_sip")]
    subprocess.run(["modprobe", "-a", *names], check=True)
    present = Path("/proc/modules").read_text()
    for name in names:
        assert f"\n{name} " in f"\n{present}", name
        path = subprocess.run(["modinfo", "-n", name], capture_output=True, text=True, check=True).stdout
        assert "/kernel/net/netfilter/ipvs/" in path


def test_t03_every_scheduler_forwards_by_fullnat(campus: Campus, control: Fullnat) -> None:
    for port, scheduler in enumerate(SCHEDULERS, 8000):
        service = f"tcp {CAMPUS_VIPS[0]}:{port}"
        control.service(service, f"{WEB1}:80", f"{WEB2}:80", locals_=LOCALS[:1], scheduler=scheduler)
        reply = fetch(campus.client, f"http://{CAMPUS_VIPS[0]}:{port}/")
        assert reply.status == 200, scheduler
        assert reply.peer.startswith(f"{LOCALS[0]}:")


def test_t04_namespaces_do_not_see_each_other(lab: Lab) -> None:
    left, right = lab.node("left"), lab.node("right")
    with Fullnat(left) as here, Fullnat(right) as there:
        here.service("tcp 203.0.113.10:80", locals_=["203.0.113.140"])
        there.service("tcp 203.0.113.10:80")
        assert [str(each.address) for each in here.local_addresses("tcp 203.0.113.10:80")] == ["203.0.113.140"]
        assert there.local_addresses("tcp 203.0.113.10:80") == []
        left.sysctl("net.ipv4.vs.fullnat_lport_min", 6000)
        assert right.sysctl("net.ipv4.vs.fullnat_lport_min") == "5000"


SETTINGS = [
    ("fullnat_timestamp_remove_entry", 1, 0),
    ("fullnat_mss_adjust_entry", 1, 0),
    ("fullnat_conn_reused_entry", 1, 0),
    ("fullnat_toa_entry", 1, 0),
    ("fullnat_toa_v6_kind", 254, 253),
    ("fullnat_seq_rebase_entry", 1, 0),
    ("fullnat_lport_min", 5000, 1024),
    ("fullnat_lport_max", 65535, 60000),
    ("fullnat_lport_tries", 10000, 1),
    ("conn_expire_tcp_rst", 1, 0),
    ("conn_expire_tcp_rst_rate", 10000, 0),
]


def test_t05_settings_have_their_names_defaults_and_limits(lab: Lab) -> None:
    node = lab.node("director")
    for name, default, other in SETTINGS:
        assert node.sysctl(f"net.ipv4.vs.{name}") == str(default), name
        assert node.sysctl(f"net.ipv4.vs.{name}", other) == str(other), name
        for outside in (100_000_000, -1):
            with pytest.raises(OSError, match="Invalid argument"):
                node.sysctl(f"net.ipv4.vs.{name}", outside)
