"""Tests with the marker ``guest`` run in the guest, and their outcomes appear here, test by test.

On the host, the first such test boots one guest that runs all the selected ones with a pytest of its own.  Inside, `Reporter`
writes each test's reports, as pytest serialises them, line by line into a file that the host reads along; `Replayer` hands
them to the host's pytest in place of running the test, so that durations, captured output, tracebacks and the closing
summary are the guest's.

A test during which the guest dies or stands still fails with the end of the guest's log, and a fresh guest takes the tests
behind it.  A guest that does not come up at all fails every test; one that is not installed skips them.  The time limit of a
test is that of its marker, ``@pytest.mark.guest(limit=SECONDS)``, in real seconds.
"""

import json
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.guest import IN_GUEST, Guest, describe, requirements
from tests.helpers.kernel import GuestError, GuestMissing

_REPORTS = "GUEST_REPORTS"
_TEST_SECONDS = 240.0
_START_SECONDS = 300.0  # from the boot to the first test, with both processors busy with other things
_POLL_SECONDS = 0.05

Record = dict[str, Any]


def register(config: pytest.Config) -> None:
    """Install the half of this plugin that belongs where we are."""
    if os.environ.get(IN_GUEST) != "1":
        config.pluginmanager.register(Replayer(config), "guest-replayer")
    elif path := os.environ.get(_REPORTS):
        config.pluginmanager.register(Reporter(config, Path(path)), "guest-reporter")


class Reporter:
    """In the guest: writes down what happens, one JSON object a line."""

    def __init__(self, config: pytest.Config, path: Path) -> None:
        self._config = config
        self._file = path.open("a", buffering=1)

    def _write(self, **record: object) -> None:
        self._file.write(json.dumps(record) + "\n")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._write(start=nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._write(report=self._config.hook.pytest_report_to_serializable(config=self._config, report=report))

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._write(finish=nodeid)


class GuestRun:
    """A guest that runs a list of tests; its records are read one after the other while it runs."""

    def __init__(self, config: pytest.Config, tests: Sequence[str]) -> None:
        self.heard = False
        self._since = time.monotonic()
        self._line = b""
        self._guest = _boot(config, tests)
        self._path = self._guest.directory / "reports.jsonl"
        self._path.touch()
        self._file = self._path.open("rb")

    def next(self, limit: float) -> Record:
        """Wait for the next record.

        Raises:
            GuestError: There will be none, or none came within ``limit`` seconds of the last one (and of the boot's time).
        """
        limit += 0.0 if self.heard else _START_SECONDS
        while True:
            ended = not self._guest.running  # asked first: what it wrote before its end is read below
            self._line += self._file.readline()
            if self._line.endswith(b"\n"):
                record: Record = json.loads(self._line)
                self._line, self._since, self.heard = b"", time.monotonic(), True
                return record
            self._guest.check_boot()
            if ended:
                raise GuestError(f"the guest ended\n{self._guest.tail()}")
            if time.monotonic() - self._since > limit:
                self.close()
                raise GuestError(f"no sign of life from the guest for {limit:g} s\n{self._guest.tail()}")
            time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        self._guest.kill()


def _boot(config: pytest.Config, tests: Sequence[str]) -> Guest:
    options = [f"--rootdir={config.rootpath}", "-p", "no:cacheprovider", f"--tb={config.option.tbstyle}"]
    options += ["-o", f"faulthandler_timeout={_TEST_SECONDS - 30:g}", *["-v"] * (1 + max(config.option.verbose, 0))]
    argv = [sys.executable, "-m", "pytest", *options]
    # The list of tests may be longer than a command line; each line of the file is one argument.
    lines = [f"printf '%s\\n' {shlex.join(tests)} > $TMPDIR/tests", f"export {_REPORTS}=$GUEST_OUT/reports.jsonl"]
    lines += [f"cd {shlex.quote(str(config.rootpath))}", f"{shlex.join(argv)} @$TMPDIR/tests"]
    # Plugins that happen to be installed cost seconds of import under emulation; the tests need none of them.
    return Guest("\n".join(lines), env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})


class Replayer:
    """On the host: puts the guest's outcomes in place of running the tests."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._pending: list[str] = []
        self._run: GuestRun | None = None
        self._broken: str | None = None
        self._heard: dict[str, list[pytest.TestReport]] = {}
        self._finished: set[str] = set()

    def pytest_report_collectionfinish(self) -> str:
        """Say what they will run in, if there are any: finding out may cost a probe of KVM."""
        return f"guest: {describe()}" if self._pending and not self._broken else ""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take note of the tests that are left after deselection."""
        items = [item for item in session.items if item.get_closest_marker("guest")]
        if reason := self._why_not():
            for item in items:
                item.add_marker(pytest.mark.skip(reason=reason))
        else:
            self._pending = [item.nodeid for item in items]

    def _why_not(self) -> str | None:
        if hasattr(self._config, "workerinput"):
            return "guest tests share one guest: run them without -n"
        try:
            requirements()
        except GuestMissing as missing:
            return str(missing)
        except GuestError as problem:
            self._broken = str(problem)
        return None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        if item.nodeid not in self._pending:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._reports(item):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_sessionfinish(self) -> None:
        if self._run is not None:
            self._run.close()

    def _reports(self, item: pytest.Item) -> list[pytest.TestReport]:
        """Return the guest's reports on a test, waiting for them, or one of our own when the guest fails."""
        try:
            return self._read(item.nodeid, _limit_of(item))
        except GuestError as problem:
            self._abandon(str(problem))
            return [_failure(item, str(problem))]
        finally:
            self._pending.remove(item.nodeid)

    def _read(self, nodeid: str, limit: float) -> list[pytest.TestReport]:
        while nodeid not in self._finished:
            if self._broken:
                raise GuestError(self._broken)
            if self._run is None:
                self._run = GuestRun(self._config, self._pending)
            record = self._run.next(limit)
            if data := record.get("report"):
                report = self._config.hook.pytest_report_from_serializable(config=self._config, data=_with_tuples(data))
                self._heard.setdefault(report.nodeid, []).append(report)
            elif "finish" in record:
                self._finished.add(record["finish"])
        return self._heard.pop(nodeid)

    def _abandon(self, problem: str) -> None:
        """Give this guest up; when it did not even begin with a test, another one would not either."""
        if self._run is None or not self._run.heard:
            self._broken = problem
        if self._run is not None:
            self._run.close()
            self._run = None


def _with_tuples(data: Record) -> Record:
    """Turn the lists that JSON made of pytest's tuples back: it insists on the reason of a skip, for one."""
    for name in ("location", "longrepr"):
        if isinstance(data[name], list):
            data[name] = tuple(data[name])
    for name in ("sections", "user_properties"):
        data[name] = [tuple(pair) for pair in data[name]]
    return data


def _limit_of(item: pytest.Item) -> float:
    marker = next((mark for mark in item.iter_markers("guest") if "limit" in mark.kwargs), None)
    return float(marker.kwargs["limit"]) if marker else _TEST_SECONDS


def _failure(item: pytest.Item, text: str) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=item.nodeid, location=item.location, keywords={}, outcome="failed", longrepr=text, when="call", duration=0.0
    )
