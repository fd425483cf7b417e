"""`keepalived_py.cli`: what ends at once, and its exit status."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from keepalived_py.cli import main

GOOD = "virtual_server 203.0.113.10 80 {\n  real_server 192.0.2.1 80 {\n  }\n  protocol TCP\n  lb_algo rr\n  lb_kind NAT\n}\n"


def conf(folder: Path, text: str) -> str:
    path = folder / "k.conf"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("name", "number"), [("STOP", 15), ("RELOAD", 1), ("DATA", 10), ("STATS", 12), ("STATS_CLEAR", 63), ("JSON", 36)]
)
def test_signal_numbers_are_those_of_keepalived(name: str, number: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"--signum={name}"]) == 0
    assert capsys.readouterr().out == f"{number}\n"


@pytest.mark.parametrize(
    "words", [["-j"], ["--nonsense"], ["--signum=KILL"], ["-f"], ["--check=1"], ["-t", "--diagnostics=xml"], ["--dont-re"]]
)
def test_a_bad_command_line_is_refused_in_a_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 1
    seen = capsys.readouterr()
    assert seen.out == "" and seen.err.startswith("keepalived-py: ") and "--help" in seen.err


def test_a_test_goes_to_standard_error_or_to_the_end_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, report = conf(tmp_path, GOOD.replace("real_server", "real_servr")), tmp_path / "report"
    assert main(["-t", "-f", path]) != 0
    shown = capsys.readouterr().err
    assert "did you mean" in shown and "real_server" in shown and ":2:3:" in shown
    report.write_text("before\n")
    assert main([f"-t{report}", "-f", path]) != 0
    assert capsys.readouterr().err == ""
    assert report.read_text() == "before\n" + shown


def test_a_report_is_never_written_through_a_link(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert main([f"-t{tmp_path / 'link'}", "-f", conf(tmp_path, GOOD)]) == 1
    assert not (tmp_path / "target").exists()
    assert str(tmp_path / "link") in capsys.readouterr().err


def test_diagnostics_for_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = conf(tmp_path, GOOD.replace("80 {\n  real", "70000 {\n  real"))
    status = main(["-t", "--diagnostics=json", "-f", path])
    told = json.loads(capsys.readouterr().err)
    assert status == told["status"] != 0
    assert (told["diagnostics"][0]["file"], told["diagnostics"][0]["line"]) == (path, 1)


def test_what_is_in_force_can_be_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = conf(tmp_path, GOOD)
    assert main(["-dt", "-f", path]) == 0
    shown = capsys.readouterr().out
    assert "virtual_server 203.0.113.10 80 {" in shown and "real_server 192.0.2.1 80 {" in shown
    (tmp_path / "again.conf").write_text(shown)
    assert main(["-t", "-d", "-f", str(tmp_path / "again.conf")]) == 0
    assert capsys.readouterr().out == shown
    assert main(["-t", "--dump-conf=json", "-f", path]) == 0
    assert json.loads(capsys.readouterr().out)["lvs"]["virtual_servers"]
    assert main(["-t", "--dump-conf=yaml", "-f", path]) == 1


def test_a_file_that_is_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-t", "-f", str(tmp_path / "none.conf")]) == 0  # as keepalived does
    assert "none.conf" in capsys.readouterr().err


def test_a_file_is_put_into_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--format", conf(tmp_path, "global_defs{\nrouter_id  a # who\n}\n")]) == 0
    assert capsys.readouterr().out == "global_defs {\n    router_id a  # who\n}\n"
    assert main(["--format", str(tmp_path / "none")]) == 1
    assert "No such file" in capsys.readouterr().err


def test_features_tell_what_becomes_of_each_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--features"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("virtual_server / real_server / weight ") and line.endswith("honoured") for line in lines)


def test_version_and_help_name_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-v"]) == 0 and "2.4.3" in capsys.readouterr().err
    assert main(["--help"]) == 0
    assert "--dont-release-ipvs" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--features"], ["-t", "-d", "-f"], ["--format"]])
@pytest.mark.parametrize("target", ["/dev/full", "closed pipe"])
def test_an_output_that_takes_nothing_is_no_traceback(tmp_path: Path, words: list[str], target: str) -> None:
    path = [conf(tmp_path, GOOD)] if words[-1] != "--features" else []
    if target == "/dev/full":
        output = os.open(target, os.O_WRONLY)
    else:
        reader, output = os.pipe()
        os.close(reader)
    command = [sys.executable, "-m", "keepalived_py.cli", *words, *path]
    done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True, check=False)
    os.close(output)
    assert done.returncode == 1
    assert done.stderr == ("keepalived-py: stdout: No space left on device\n" if target == "/dev/full" else "")


def test_a_test_ends_with_its_status_and_with_all_that_it_had_to_say(tmp_path: Path) -> None:
    path = conf(tmp_path, GOOD.replace("lb_algo rr", "lb_algo rr\n lb_aglo rr"))
    done = subprocess.run(
        [sys.executable, "-m", "keepalived_py", "-t", "-d", "-f", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 5
    assert "lb_aglo" in done.stderr
    assert done.stdout.startswith("virtual_server ") and done.stdout.endswith("}\n")
