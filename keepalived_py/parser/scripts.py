"""Commands: how they are split, whose they are, and whether they may be run.

A command is split a second time from the raw line, with both kinds of quotes and escapes; a first argument that holds blanks is
split again into program and arguments.  Words after it name user and group, where the keyword allows them.
"""

from dataclasses import dataclass
from typing import ClassVar, Final

from keepalived_py.config.scripts import Fifo, Script, User
from keepalived_py.parser import codes
from keepalived_py.parser.facts import ScriptFacts, ScriptState
from keepalived_py.parser.kinds import quoted
from keepalived_py.parser.origins import LineId
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import Draft, Keyword, Refused
from keepalived_py.parser.tokens import SplitError, escape_quoted, split_command

DEFAULT_SCRIPT_USER: Final = "keepalived_script"


@dataclass(frozen=True, slots=True)
class Command:
    """``CMD`` or, with `user`, ``CMD [USER [GROUP]]``.

    Without a named user it runs as the default of the whole configuration, which is known at its end; `early`: as the default in
    force at its line.  `strict`: a command that cannot be used is an error, not a note.
    """

    splits_again: ClassVar[bool] = True
    user: bool = True
    early: bool = False
    strict: bool = False

    @property
    def syntax(self) -> str:
        """``CMD [USER [GROUP]]``."""
        return "CMD [USER [GROUP]]" if self.user else "CMD"

    def read(self, words: list[str], reading: Reading) -> Script:
        """Return the command as words, with its user where one is named."""
        try:
            return self._script(words, reading)
        except Refused as refusal:
            if self.strict and refusal.code is not codes.UNMATCHED_QUOTE:
                raise Refused(codes.BAD_VALUE, refusal.text, refusal.word) from None
            raise

    def _script(self, words: list[str], reading: Reading) -> Script:
        parts = self._split(reading)
        if len(parts) < 2:
            reading.argument(words, 1)
            raise Refused(codes.SCRIPT_UNPARSED, "the command is empty")
        argv = split_argument(parts[1])
        if not argv:
            raise Refused(codes.SCRIPT_UNPARSED, "the command is empty")
        if self.user and len(parts) > 2:
            return Script(tuple(argv), account(parts, 2, reading))
        return Script(tuple(argv), default_user(reading) if self.early else None)

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
        owner = write_owner(value.user) if self.user else ""
        return f"{write_argv(value.argv)} {owner}".rstrip(" ")


def split_argument(word: str) -> list[str]:
    """Split a first argument that may hold a whole command line."""
    try:
        return split_command(word, escapes=True)
    except SplitError as error:
        raise Refused(codes.UNMATCHED_QUOTE if error.quote else codes.SCRIPT_UNPARSED, str(error)) from None


def write_argv(argv: tuple[str, ...]) -> str:
    """Write words so that both splittings give them back; a single plain word needs no care."""
    if len(argv) == 1 and quoted(argv[0]) == argv[0] and not set(argv[0]) & set("'\"\\$"):
        return argv[0]
    return f'"{" ".join(_argument(word) for word in argv)}"'


def _argument(word: str) -> str:
    """Write a word for the second splitting, inside of the double quotes of the first."""
    body = escape_quoted(word)
    return f"'{body}'" if not body or " " in body else body


def default_user(reading: Reading, line: LineId | None = None) -> User | None:
    """Return whom a script without a user of its own runs as: `script_user`, else a dedicated account, else the daemon.

    None means that `enable_script_security` forbids the last resort, which is reported once, at `line`.
    """
    if reading.script_user is None and not reading.script_user_missing:
        dedicated = reading.facts.user(DEFAULT_SCRIPT_USER)
        secured = reading.globals is not None and reading.globals.values.get("enable_script_security", False)
        if dedicated is None and secured:
            reading.script_user_missing = True
            text = f"scripts need script_user, or an account called {DEFAULT_SCRIPT_USER}: enable_script_security forbids root"
            reading.report(codes.SCRIPT_DEFAULT_USER, text, line)
            return None
        reading.script_user = dedicated or ROOT
    return reading.script_user


ROOT: Final = User(0, 0, "root")


@dataclass(frozen=True, slots=True)
class UserKind:
    """``USER [GROUP]``: an account of the host; ``:GROUP`` or ``:`` adds its supplementary groups."""

    syntax: str = "USER [[:]GROUP]"

    def read(self, words: list[str], reading: Reading) -> User:
        """Return the account."""
        reading.argument(words, 1)
        return account(words, 1, reading)

    def write(self, value: User | None) -> str | None:
        """Return user and group."""
        return write_owner(value) or None


def account(words: list[str], index: int, reading: Reading) -> User:
    """Return the account that ``USER [GROUP]`` at `index` names; raise `Refused` when one of them does not exist."""
    group = words[index + 1] if index + 1 < len(words) else None
    user = reading.facts.user(words[index], group)
    if user is None:
        raise Refused(codes.SCRIPT_USER, f"no such user or group: {' '.join(words[index : index + 2])}", index)
    return user


def write_owner(user: User | None) -> str:
    """Write user and group so that they are read back the same; empty when nobody is named."""
    if user is None or not user.name:
        return ""
    group = f":{user.group}" if user.groups else user.group
    return f"{quoted(user.name)} {quoted(group)}" if group else quoted(user.name)


@dataclass(frozen=True, slots=True)
class FifoKind:
    """``PATH [USER [GROUP]]``: a named pipe and who owns it."""

    syntax: str = "PATH [USER [GROUP]]"

    def read(self, words: list[str], reading: Reading) -> Fifo:
        """Return the pipe."""
        path = reading.argument(words, 1)
        return Fifo(path, account(words, 2, reading) if len(words) > 2 else None)

    def write(self, value: Fifo | None) -> str | None:
        """Return path and owner."""
        return None if value is None else f"{quoted(value.path)} {write_owner(value.user)}".rstrip(" ")


def fifo_script(draft: Draft, keyword: Keyword, value: Script, reading: Reading) -> None:
    """Attach the program of ``*_fifo_script`` under its own field; the pipe may be named later."""
    if keyword.target in draft.values:
        reading.complain(codes.ALREADY_SET, f"{keyword.name} is set already; this one is ignored", 0)
        return
    draft.set(keyword.target, value, reading.line)


_ProgramKey = tuple[str, int, int, tuple[int, ...]]


def _program_key(program: str, user: User) -> _ProgramKey:
    """Return what tells one program and its user from another (a tuple of plain values hashes ten times faster than a `User`)."""
    return program, user.uid, user.gid, user.groups


class ScriptChecks:
    """Looks at every configured program once, and says which may run.

    `security` is `enable_script_security`: an unsafe program is then not run; without it the whole configuration is reported once,
    because whoever can change such a program rules the host.
    """

    def __init__(self, reading: Reading, *, security: bool) -> None:
        self._reading = reading
        self._security = security
        self._known: dict[_ProgramKey, ScriptFacts] = {}
        self._first: LineId | None = None
        self._unsafe = False

    def allowed(self, script: Script | None, line: LineId, *, also_read: bool = False) -> Script | None:
        """Return the script as it will be executed, None when it must not or cannot run (which is reported).

        `also_read`: ``</file`` stands for a file that is read instead of a program that is run.
        """
        if script is None:
            return None
        if script.user is None:
            script = Script(script.argv, default_user(self._reading, line))
        if script.user is None:
            self._reading.report(
                codes.SCRIPT_USER, f"{script.argv[0]}: no user to run it as; set script_user", line, script.argv[0]
            )
            return None
        if also_read and script.argv[0].lstrip("<").lstrip(" \t").startswith("/") and script.argv[0].startswith("<"):
            return script
        user = self._with_groups(script.user)
        facts = self._facts(script.argv[0], user, line)
        if facts.state is ScriptState.MISSING:
            return None
        if self._first is None and not any(first <= line <= last for first, last in self._reading.overlooked):
            self._first = line
        if facts.state is ScriptState.UNSAFE:
            self._unsafe = True
            if self._security:
                return None
        if facts.state is ScriptState.NOT_EXECUTABLE:
            return None
        return Script((facts.path, *script.argv[1:]), user)

    def state(self, script: Script) -> ScriptState:
        """Return what became of a program that has been looked at."""
        assert script.user is not None
        facts = self._known.get(_program_key(script.argv[0], script.user))
        return facts.state if facts is not None else ScriptState.OK

    def _with_groups(self, user: User) -> User:
        """Add the supplementary groups of an account, when `set_supplementary_groups` stands anywhere."""
        globals_ = self._reading.globals
        if user.groups or globals_ is None or not globals_.values.get("set_supplementary_groups"):
            return user
        return self._reading.facts.user(user.name, f":{user.group}") or user

    def _facts(self, program: str, user: User, line: LineId) -> ScriptFacts:
        key = _program_key(program, user)
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
