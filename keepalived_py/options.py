"""The command line of keepalived(8): options, their arguments, and how getopt_long reads them.

A table, a small reader, and the values that come out.  Python's own getopt knows no optional arguments in 3.11, and argparse reads
what keepalived refuses.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final


class UsageError(Exception):
    """An option or argument that keepalived would refuse, too."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    `argument`: name of the argument, in brackets when it may be left out, empty for none.  `long_only`: only the long form takes
    it, because the short one has none in keepalived and may stand before other letters.
    """

    long: str
    short: str = ""
    argument: str = ""
    doc: str = ""
    long_only: bool = False

    @property
    def optional(self) -> bool:
        """Whether the argument may be left out."""
        return self.argument.startswith("[")


OPTIONS: Final = (
    Option("use-file", "f", "FILE", "Use FILE (or the files that a pattern matches) as configuration."),
    Option("vrrp", "P", "", "Only run the VRRP subsystem."),
    Option("check", "C", "", "Only run the health-check subsystem."),
    Option("no_bfd", "B", "", "Do not run the BFD subsystem."),
    Option("all", "", "", "Start all children even if nothing is configured for them."),
    Option("log-console", "l", "", "Log to the console as well."),
    Option("log-detail", "D", "", "Log more; twice: more still."),
    Option("log-facility", "S", "FACILITY", "Syslog facility: 0-7, local0-7, user or daemon."),
    Option("log-file", "g", "[FILE]", "Log to files as well, one per process."),
    Option("flush-log-file", "", "", "Flush the log files after each line."),
    Option("no-syslog", "G", "", "Do not log to syslog."),
    Option("umask", "u", "MASK", "File mode creation mask."),
    Option("release-vips", "X", "", "Drop VIPs on transition from master even when not known to be set."),
    Option("dont-release-vrrp", "V", "", "Leave VIPs, routes and rules at stop."),
    Option("dont-release-ipvs", "I", "", "Leave the IPVS table at stop."),
    Option("dont-respawn", "R", "", "End when a child dies."),
    Option("dont-fork", "n", "", "Stay in the foreground."),
    Option(
        "dump-conf", "d", "[FORMAT]", "Log the effective configuration at start; with -t print it, as text or json.", long_only=True
    ),
    Option("pid", "p", "FILE", "Pid file of the parent."),
    Option("vrrp_pid", "r", "FILE", "Pid file of the VRRP process."),
    Option("checkers_pid", "c", "FILE", "Pid file of the checker process."),
    Option("bfd_pid", "b", "FILE", "Pid file of the BFD process."),
    Option("address-monitoring", "a", "", "Log changes of addresses."),
    Option("snmp", "x", "", "Enable SNMP."),
    Option("snmp-agent-socket", "A", "TRANSPORT", "AgentX socket of the SNMP master agent."),
    Option("namespace", "s", "NAME", "Run in this network namespace."),
    Option("core-dump", "m", "", "Allow core dumps."),
    Option("core-dump-pattern", "M", "[PATTERN]", "Allow core dumps, and set the kernel's pattern."),
    Option("all-config", "e", "", "Make every include strict."),
    Option("config-id", "i", "ID", "Id that selects @ID lines; the short host name."),
    Option("ignore-sigint", "", "", "Ignore SIGINT."),
    Option("signum", "", "NAME", "Print the number of a signal: STOP, RELOAD, DATA, STATS, STATS_CLEAR or JSON."),
    Option("config-test", "t", "[FILE]", "Test the configuration; diagnostics go to standard error, or are appended to FILE."),
    Option("diagnostics", "", "FORMAT", "How diagnostics of a test are shown: text or json."),
    Option("format", "", "FILE", "Print FILE in its canonical shape: nothing is lost, comments included."),
    Option("features", "", "", "Print every word of the configuration language, and what becomes of it."),
    Option("version", "v", "", "Show the version."),
    Option("help", "h", "", "Show this text."),
)
_LONG: Final = {option.long: option for option in OPTIONS}
_SHORT: Final = {option.short: option for option in OPTIONS if option.short}


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a command line says: for each option that was given its arguments in order, and the surplus words."""

    given: dict[str, list[str]] = field(default_factory=dict)
    surplus: tuple[str, ...] = ()

    def has(self, name: str) -> bool:
        """Whether the option was given."""
        return name in self.given

    def count(self, name: str) -> int:
        """Return how often the option was given."""
        return len(self.given.get(name, ()))

    def last(self, name: str, default: str | None = None) -> str | None:
        """Return the option's last argument (empty when it was left out), `default` when the option was not given."""
        values = self.given.get(name)
        return values[-1] if values else default


def parse(words: list[str]) -> Arguments:
    """Read the words after the program's name; raise `UsageError` as getopt_long would refuse them."""
    given: dict[str, list[str]] = {}
    surplus: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if word == "--":
            surplus.extend(waiting)
        elif word.startswith("--"):
            option, value = _long(word[2:], waiting)
            given.setdefault(option.long, []).append(value)
        elif word.startswith("-") and len(word) > 1:
            for option, value in _cluster(word[1:], waiting):
                given.setdefault(option.long, []).append(value)
        else:
            surplus.append(word)
    return Arguments(given, tuple(surplus))


def _long(word: str, waiting: Iterator[str]) -> tuple[Option, str]:
    """Read ``--name``, ``--name=value`` or ``--name value``; a name may be cut as long as it stays unique."""
    name, equals, value = word.partition("=")
    matches = [_LONG[name]] if name in _LONG else [option for long, option in _LONG.items() if long.startswith(name)]
    if not matches:
        raise UsageError(f"unrecognized option '--{name}'")
    if len(matches) > 1:
        raise UsageError(f"option '--{name}' is ambiguous; possibilities: {', '.join('--' + option.long for option in matches)}")
    option = matches[0]
    if not option.argument:
        if equals:
            raise UsageError(f"option '--{option.long}' doesn't allow an argument")
        return option, ""
    if equals or option.optional:
        return option, value
    following = next(waiting, None)
    if following is None:
        raise UsageError(f"option '--{option.long}' requires an argument")
    return option, following


def _cluster(word: str, waiting: Iterator[str]) -> Iterator[tuple[Option, str]]:
    """Read ``-abc``: the first option that takes an argument takes the rest of the word, or the next word."""
    for position, letter in enumerate(word):
        option = _SHORT.get(letter)
        if option is None:
            raise UsageError(f"invalid option -- '{letter}'")
        if not option.argument or option.long_only:
            yield option, ""
            continue
        rest = word[position + 1 :]
        if rest or option.optional:
            yield option, rest
            return
        following = next(waiting, None)
        if following is None:
            raise UsageError(f"option requires an argument -- '{letter}'")
        yield option, following
        return


def usage(program: str) -> str:
    """Return the text of ``--help``."""
    lines = [f"Usage: {program} [OPTION...]"]
    for option in OPTIONS:
        name = option.argument.strip("[]")
        argument = f"[={name}]" if option.optional else f"={name}" if name else ""
        short = f"-{option.short}, " if option.short else "    "
        lines.append(f"  {short}--{option.long + argument:<32} {option.doc}")
    return "\n".join(lines)
