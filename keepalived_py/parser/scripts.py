"""Commands: how they are split, whose they are, and whether they may be run.

A command is split a second time from the raw line, with both kinds of quotes and escapes; a first argument that holds blanks is
split again into program and arguments.  Words after it name user and group, where the keyword allows them.
"""

from dataclasses import dataclass
from typing import Final

from keepalived_py.config.scripts import Fifo, Script, User
from keepalived_py.parser import codes
from keepalived_py.parser.facts import ScriptFacts, ScriptState
from keepalived_py.parser.kinds import quoted
from keepalived_py.parser.origins import LineId
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import Draft, Keyword, Refused
from keepalived_py.parser.tokens import SplitError, split_command

DEFAULT_SCRIPT_USER: Final = "keepalived_script"


@dataclass(frozen=True, slots=True)
class Command:
    """``CMD`` or, with `user`, ``CMD [USER [GROUP]]``."""

    user: bool = True
    fatal: bool = False
    """Whether a command that cannot be used is an error; otherwise it is only noted and ignored."""

    @property
    def syntax(self) -> str:
        """``CMD [USER [GROUP]]``."""
        return "CMD [USER [GROUP]]" if self.user else "CMD"

    def read(self, words: list[str], reading: Reading) -> Script:
        """Return the command as words, with its user where one is named."""
        parts = self._split(reading)
        if len(parts) < 2:
            reading.argument(words, 1)
            raise Refused(codes.SCRIPT_UNPARSED, "the command is empty")
        argv = split_argument(parts[1])
        if not argv:
            raise Refused(codes.SCRIPT_UNPARSED, "the command is empty")
        if self.user and len(parts) > 2:
            user = reading.facts.user(parts[2], parts[3] if len(parts) > 3 else None)
            if user is None:
                raise Refused(codes.SCRIPT_USER, f"no such user or group: {' '.join(parts[2:4])}", 2)
            return Script(tuple(argv), user)
        return Script(tuple(argv), default_user(reading))

    def _split(self, reading: Reading) -> list[str]:
        try:
            return split_command(reading.text, escapes=False)
        except SplitError as error:
            code = codes.UNMATCHED_QUOTE if error.quote else codes.SCRIPT_UNPARSED
            raise Refused(code, str(error)) from None

    def write(self, value: Script | None) -> str | None:
        """Return the command as one quoted word, and its user."""
        if value is None:
            return None
        owner = ""
        if self.user and value.user and value.user.name:
            owner = f" {value.user.name} {value.user.gid}"
        return write_argv(value.argv) + owner


def split_argument(word: str) -> list[str]:
    """Split a first argument that may hold a whole command line."""
    try:
        return split_command(word, escapes=True)
    except SplitError as error:
        raise Refused(codes.UNMATCHED_QUOTE if error.quote else codes.SCRIPT_UNPARSED, str(error)) from None


def write_argv(argv: tuple[str, ...]) -> str:
    r"""Write words so that both splittings give them back; only plain words, ``'``, ``"`` and backslashes need care."""
    if len(argv) == 1 and quoted(argv[0]) == argv[0] and not set(argv[0]) & set("'\\"):
        return argv[0]
    return '"' + " ".join(_escape(word) for word in argv) + '"'


def _escape(word: str) -> str:
    body = "".join(f"\\x{ord(char):02x}" if char in "'\"\\" or (char < " ") else char for char in word)
    return f"'{body}'" if not body or any(char in " \t#!{}" for char in body) else body


def default_user(reading: Reading) -> User | None:
    """Return whom a script without a user of its own runs as: the last `script_user`, else a dedicated account, else the daemon.

    None means that `enable_script_security` forbids the last resort.
    """
    if reading.script_user is None:
        dedicated = reading.facts.user(DEFAULT_SCRIPT_USER)
        secured = reading.globals is not None and reading.globals.values.get("enable_script_security", False)
        reading.script_user = dedicated or (None if secured else ROOT)
    return reading.script_user


ROOT: Final = User(0, 0, "root")


@dataclass(frozen=True, slots=True)
class UserKind:
    """``USER [GROUP]``: an account of the host."""

    syntax: str = "USER [GROUP]"

    def read(self, words: list[str], reading: Reading) -> User:
        """Return the account."""
        name = reading.argument(words, 1)
        user = reading.facts.user(name, words[2].lstrip(":") if len(words) > 2 else None)
        if user is None:
            raise Refused(codes.SCRIPT_USER, f"no such user or group: {' '.join(words[1:3])}")
        return user

    def write(self, value: User | None) -> str | None:
        """Return user and group."""
        return f"{value.name or value.uid} {value.gid}" if value else None


@dataclass(frozen=True, slots=True)
class FifoKind:
    """``PATH [USER [GROUP]]``: a named pipe and who owns it."""

    syntax: str = "PATH [USER [GROUP]]"

    def read(self, words: list[str], reading: Reading) -> Fifo:
        """Return the pipe."""
        path = reading.argument(words, 1)
        if len(words) < 3:
            return Fifo(path)
        user = reading.facts.user(words[2], words[3] if len(words) > 3 else None)
        if user is None:
            raise Refused(codes.SCRIPT_USER, f"no such user or group: {' '.join(words[2:4])}", 2)
        return Fifo(path, user)

    def write(self, value: Fifo | None) -> str | None:
        """Return path and owner."""
        if value is None:
            return None
        return quoted(value.path) + (f" {value.user.name or value.user.uid} {value.user.gid}" if value.user else "")


def fifo_script(draft: Draft, keyword: Keyword, value: Script, reading: Reading) -> None:
    """Attach the program of ``*_fifo_script`` under its own field; the pipe may be named later."""
    if keyword.target in draft.values:
        reading.complain(codes.ALREADY_SET, f"{keyword.name} is set already; this one is ignored", 0)
        return
    draft.set(keyword.target, value, reading.line)


class ScriptChecks:
    """Looks at every configured program once, and says which may run.

    `security` is `enable_script_security`: an unsafe program is then not run; without it the whole configuration is reported once,
    because whoever can change such a program rules the host.
    """

    def __init__(self, reading: Reading, *, security: bool) -> None:
        self._reading = reading
        self._security = security
        self._known: dict[tuple[str, User], ScriptFacts] = {}
        self._first: LineId | None = None
        self._unsafe = False

    def allowed(self, script: Script | None, line: LineId, *, also_read: bool = False) -> Script | None:
        """Return the script as it will be executed, None when it must not or cannot run (which is reported).

        `also_read`: ``</file`` stands for a file that is read instead of a program that is run.
        """
        if script is None:
            return None
        if script.user is None:
            self._reading.report(
                codes.SCRIPT_USER, f"{script.argv[0]}: no user to run it as; set script_user", line, script.argv[0]
            )
            return None
        if also_read and script.argv[0].lstrip("<").lstrip(" \t").startswith("/") and script.argv[0].startswith("<"):
            return script
        facts = self._facts(script.argv[0], script.user, line)
        if facts.state is ScriptState.MISSING:
            return None
        self._first = line if self._first is None else self._first
        if facts.state is ScriptState.UNSAFE:
            self._unsafe = True
            if self._security:
                return None
        if facts.state is ScriptState.NOT_EXECUTABLE:
            return None
        return Script((facts.path, *script.argv[1:]), script.user)

    def _facts(self, program: str, user: User, line: LineId) -> ScriptFacts:
        key = (program, user)
        if key not in self._known:
            facts = self._reading.facts.script(program, user)
            self._known[key] = facts
            if facts.searched and facts.state is ScriptState.OK:
                self._reading.report(codes.SCRIPT_PATH_SEARCH, f"{program} was found as {facts.path}", line, program)
            if facts.state is not ScriptState.OK:
                code = codes.SCRIPT_UNSAFE if facts.state is ScriptState.UNSAFE else codes.SCRIPT_MISSING
                fate = "" if facts.state is ScriptState.UNSAFE and not self._security else "; it will not be run"
                self._reading.report(code, f"{program}: {facts.detail or facts.state.value}{fate}", line, program)
        return self._known[key]

    def conclude(self) -> None:
        """Report, once, that programs run without `enable_script_security`."""
        if self._first is not None and not self._security:
            also = "; at least one of them is unsafe" if self._unsafe else ""
            text = f"scripts are run, but enable_script_security is not set{also}"
            self._reading.report(codes.SCRIPT_SECURITY, text, self._first)
