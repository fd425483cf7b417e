"""keepalived-py(8): the options and exit statuses of keepalived(8).

Only what every invocation needs is imported here; the daemon is imported when it is to run.
"""

import contextlib
import gc
import os
import signal
import socket
import sys
from typing import Final, NoReturn, TextIO

from keepalived_py import __version__
from keepalived_py.options import Arguments, UsageError, parse, usage

DEFAULT_FILES: Final = ("/etc/keepalived/keepalived.conf", "/etc/keepalived.conf")

_SIGNALS: Final = {
    "STOP": signal.SIGTERM,
    "RELOAD": signal.SIGHUP,
    "DATA": signal.SIGUSR1,
    "STATS": signal.SIGUSR2,
    "STATS_CLEAR": signal.SIGRTMAX - 1,
    "JSON": signal.SIGRTMIN + 2,
}


_kept: list[object] = []
"""Configurations that have been tested: taking a large one apart would take as long as a fifth of reading it."""


def run() -> NoReturn:
    """Run the program and end it; after a test without taking anything apart."""
    status = main()
    if _kept:
        os._exit(status)  # everything has been written and flushed
    sys.exit(status)


def main(argv: list[str] | None = None) -> int:
    """Run the program; return its exit status."""
    words = sys.argv[1:] if argv is None else argv
    try:
        arguments = parse(words)
        return _run(arguments)
    except UsageError as error:
        print(f"keepalived-py: {error}\nTry 'keepalived-py --help' for the options.", file=sys.stderr)  # noqa: T201
        return 1
    except OutputError as error:
        return _cannot_write(error)


class OutputError(Exception):
    """Standard output or standard error does not take what is to be shown."""


def _cannot_write(error: OutputError) -> int:
    """Say so where that is possible, and return 1; nobody is told of a reader that has seen enough."""
    if not isinstance(error.__cause__, BrokenPipeError):
        with contextlib.suppress(OSError):
            print(f"keepalived-py: {error}", file=sys.stderr, flush=True)  # noqa: T201
    for stream in (sys.stdout, sys.stderr):  # what they still hold would fail once more at the end
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), stream.fileno())
    return 1


def _run(arguments: Arguments) -> int:
    for word in arguments.surplus:
        print(f"Unexpected argument(s): {word}", file=sys.stderr)  # noqa: T201
    if arguments.has("help"):
        print(usage("keepalived-py"), file=sys.stderr)  # noqa: T201
        return 0
    if arguments.has("version"):
        print(f"Keepalived v2.4.3 compatible: keepalived-py {__version__} (Python {sys.version.split()[0]})", file=sys.stderr)  # noqa: T201
        return 0
    if arguments.has("signum"):
        return _print_signal(arguments.last("signum") or "")
    if arguments.has("features"):
        from keepalived_py.parser.manual import features_text

        _emit(features_text(), sys.stdout)
        return 0
    if arguments.has("format"):
        return _format(arguments.last("format") or "")
    if arguments.has("config-test"):
        return config_test(arguments)
    from keepalived_py.daemon.settings import settings_from
    from keepalived_py.daemon.start import run_daemon

    return run_daemon(settings_from(arguments, config_file(arguments), config_id(arguments)))


def _print_signal(name: str) -> int:
    number = _SIGNALS.get(name)
    if number is None:
        raise UsageError(f"unknown signal {name}")
    print(int(number))  # noqa: T201
    return 0


def config_file(arguments: Arguments) -> str:
    """Return the file named by ``-f``, else the first default that exists."""
    named = arguments.last("use-file")
    if named is not None:
        return named
    return next((path for path in DEFAULT_FILES if os.path.exists(path)), DEFAULT_FILES[0])  # noqa: PTH110


def config_id(arguments: Arguments) -> str:
    """Return the id of ``@id`` lines: ``-i``, else the host name up to its first dot."""
    return arguments.last("config-id") or socket.gethostname().partition(".")[0]


def config_test(arguments: Arguments) -> int:
    """Test the configuration; diagnostics go to standard error, or to the end of a file."""
    form = arguments.last("diagnostics", "text")
    dump = (arguments.last("dump-conf") or "text") if arguments.has("dump-conf") else None
    for option, chosen in (("diagnostics", form), ("dump-conf", dump)):
        if chosen not in ("text", "json", None):
            raise UsageError(f"--{option} takes text or json, not {chosen}")
    gc.disable()  # nothing here lives past the end of the test
    from keepalived_py.parser.diagnostics import as_json
    from keepalived_py.parser.load import load
    from keepalived_py.system.host import Host

    loaded = load(config_file(arguments), Host(), config_id=config_id(arguments), testing=True, strict=arguments.has("all-config"))
    _kept.append(loaded)
    if form == "json":
        text = as_json(loaded.diagnostics, loaded.status) + "\n"
    else:
        text = "".join(diagnostic.render() + "\n" for diagnostic in loaded.diagnostics)
    if dump is not None and loaded.config is not None:
        from keepalived_py.parser.dump import to_json, to_text

        _emit((to_json if dump == "json" else to_text)(loaded.config), sys.stdout)
    return _write(text, arguments.last("config-test") or "") or int(loaded.status)


def _format(path: str) -> int:
    """Print a file in its canonical shape; return 1 when it cannot be read."""
    from keepalived_py.parser.pretty import pretty

    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            text = stream.read()
    except OSError as error:
        print(f"keepalived-py: {path}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    try:
        sys.stdout.buffer.write(pretty(text).encode("utf-8", "surrogateescape"))
        sys.stdout.flush()
    except OSError as error:
        raise OutputError(f"stdout: {error.strerror}") from error
    return 0


def _write(text: str, path: str) -> int:
    """Write to standard error or append to a file that is no link; return 1 when that fails."""
    if not path:
        _emit(text, sys.stderr)
        return 0
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        print(f"keepalived-py: {path}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(text)
    return 0


def _emit(text: str, stream: TextIO) -> None:
    """Write text that may hold undecodable bytes; raise `OutputError` when that fails."""
    try:
        stream.write(text.encode("utf-8", "backslashreplace").decode("utf-8"))
        stream.flush()
    except OSError as error:
        raise OutputError(f"{stream.name.strip('<>')}: {error.strerror}") from error


if __name__ == "__main__":
    run()
