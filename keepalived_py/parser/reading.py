"""The state of one parse: the line being read, the diagnostics so far, what is defined, and the questions to the host."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from keepalived_py.addresses import Family
from keepalived_py.config.scripts import User
from keepalived_py.parser import codes
from keepalived_py.parser.diagnostics import Code, Diagnostic
from keepalived_py.parser.facts import HostFacts, InterfaceFacts
from keepalived_py.parser.origins import NOWHERE, LineId, Origins
from keepalived_py.parser.reader import LineReader
from keepalived_py.parser.schema import Draft, Refused

MAX_DIAGNOSTICS = 10_000
"""Diagnostics kept; beyond that they are only counted."""


class UnusableError(Exception):
    """A keyword lacks a word that it cannot do without: reading stops at once (exit status 2)."""


class ReadAgain(Exception):
    """`dynamic_interfaces` stands after lines that were refused without it: the text must be read again with it known."""


@dataclass(slots=True)
class Reading:
    """What keyword and block functions may use while a file is read.

    `testing`: the file is only tested, so that a number with trailing garbage is refused rather than cut.  `line`, `text` and
    `words` are of the current line.  `script_user` follows the keyword of that name, because a script takes the user that was set
    before it.  `dynamic`: interfaces need not exist (known from an earlier reading of the same text); `missing_interface` is the
    first one that does not exist and must, `refused_interface`: any line was refused for that reason.  `unstartable`: a start
    would be refused although a test only reports it.  `free_priorities` are the next ones of routing rules without any.

    `beyond`: the current line stands where the reference has left the block, because an unknown block ended in it, so that nothing
    there may decide the exit status; `overlooked` are the first and last lines of all such places.
    """

    origins: Origins
    facts: HostFacts
    testing: bool = False
    reader: LineReader | None = None
    line: LineId = NOWHERE
    text: str = ""
    words: list[str] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    dropped: int = 0
    script_user: User | None = None
    dynamic: bool = False
    missing_interface: tuple[LineId, str] | None = None
    refused_interface: bool = False
    unstartable: bool = False
    script_user_missing: bool = False
    free_priorities: dict[Family, int] = field(default_factory=lambda: {Family.INET: 16384, Family.INET6: 16384})
    names: dict[str, dict[str, LineId]] = field(default_factory=dict)
    globals: Draft | None = None
    hints_left: int = 50
    beyond: bool = False
    overlooked: list[tuple[LineId, LineId]] = field(default_factory=list)
    _interfaces: Mapping[str, InterfaceFacts] | None = None

    def report(self, code: Code, text: str, line: LineId | None = None, word: str = "", *, nth: int = 0, hint: str = "") -> None:
        """Take a diagnostic about `line` (the current one when None), pointing at `word`."""
        if len(self.diagnostics) >= MAX_DIAGNOSTICS:
            self.dropped += 1
            return
        place = self.origins.place(self.line if line is None else line, word, nth)
        self.diagnostics.append(Diagnostic(code, text, place, hint))

    def report_from_reader(self, code: Code, text: str, line: LineId, word: str) -> None:
        """Take a diagnostic of the line reader."""
        self.report(code, text, line, word)

    def complain(self, code: Code, text: str, index: int = 1, hint: str = "") -> None:
        """Take a diagnostic about the word at `index` of the current line."""
        word = self.words[index] if index < len(self.words) else self.words[0] if self.words else ""
        self.report(code, text, None, word, nth=self.words[:index].count(word), hint=hint)

    def refused(self, refusal: Refused) -> None:
        """Report a value that a kind refused."""
        self.complain(refusal.code, refusal.text, refusal.word, refusal.hint)

    def argument(self, words: list[str], index: int) -> str:
        """Return a word that the keyword cannot do without; stop reading when it is missing."""
        if index < len(words):
            return words[index]
        if self.beyond:
            raise Refused(codes.MISSING_PARAMETER, f"{words[0]} needs a value", 0)
        self.complain(codes.MISSING_PARAMETER, f"{words[0]} needs a value", 0)
        raise UnusableError(words[0])

    def interface(self, name: str) -> InterfaceFacts | None:
        """Return what is known of a network interface; the host is asked once for all of them."""
        if self._interfaces is None:
            self._interfaces = self.facts.interfaces()
        return self._interfaces.get(name)

    @property
    def dynamic_interfaces(self) -> bool:
        """Whether interfaces may come later."""
        return self.dynamic or (self.globals is not None and bool(self.globals.values.get("dynamic_interfaces")))

    def absent(self, name: str) -> bool:
        """Whether an interface does not exist and need not come later."""
        if self.interface(name) is not None or self.dynamic_interfaces:
            return False
        self.refused_interface = True
        return True

    def lacks_interface(self, name: str) -> bool:
        """Whether an interface is `absent` that all of VRRP cannot do without; remember the first such one."""
        if not self.absent(name):
            return False
        if self.missing_interface is None:
            self.missing_interface = (self.line, name)
        return True

    def define(self, space: str, name: str) -> bool:
        """Register a name in a name space; report and return False when it is taken."""
        known = self.names.setdefault(space, {})
        if name in known:
            first = self.origins.place(known[name])
            where = f"; first at {first.file}:{first.line}" if first else ""
            self.report(codes.DUPLICATE_NAME, f"{space} {name} is defined already and this one is skipped{where}", None, name)
            return False
        known[name] = self.line
        return True

    def knows(self, space: str, name: str) -> bool:
        """Whether a name has been defined so far."""
        return name in self.names.get(space, ())


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint that names the closest known word, or an empty one."""
    close = difflib.get_close_matches(word[:64], list(known), n=1, cutoff=0.72)
    return f"did you mean {close[0]}?" if close else ""
