"""What can be tracked by name: ``vrrp_script``, ``vrrp_track_process``, ``track_file`` and its old name."""

from dataclasses import dataclass
from typing import Any, Final

from keepalived_py.config.bfd import BfdInstance
from keepalived_py.config.scripts import Script
from keepalived_py.config.tracking import InitFile, ParamMatch, TrackFile, TrackProcess, VrrpScript
from keepalived_py.parser import codes
from keepalived_py.parser.diagnostics import Code
from keepalived_py.parser.kinds import Choice, Flag, Integer, Span, Word, parse_integer, quoted
from keepalived_py.parser.reading import Reading
from keepalived_py.parser.schema import Block, Draft, Keyword, Refused, Repeat
from keepalived_py.parser.scripts import Command, UserKind
from keepalived_py.units import micro

_NAME = Word("NAME")
_INT_MAX: Final = 0x7FFFFFFF
_MAX_SECONDS: Final = 4294


def report_end(code: Code, text: str, draft: Draft, reading: Reading) -> None:
    """Report what a block lacks, at the line that ends it."""
    place = reading.origins.place(draft.line)
    where = f" (the block starts on line {place.line})" if place and reading.line != draft.line else ""
    reading.report(code, text + where, None)


@dataclass(frozen=True, slots=True)
class Weight:
    """``INT [reverse]``, kept as ``(weight, reverse)``.

    `missing`: a missing number drops the line rather than stopping the reading.  `otherwise` is used for a weight that cannot be
    read; `keeps`: a number out of range is reported and kept, as keepalived does.
    """

    limit: int
    missing: bool = False
    otherwise: int | None = None
    keeps: bool = False

    @property
    def syntax(self) -> str:
        """``INT[-254..254] [reverse]``."""
        return f"INT[-{self.limit}..{self.limit}] [reverse]"

    def read(self, words: list[str], reading: Reading) -> tuple[int | None, bool]:
        """Return weight (None: leave it as it is) and whether it is reversed."""
        if self.missing and len(words) < 2:
            raise Refused(codes.WORD_MISSING, f"{words[0]} needs a number; the line is ignored", 0)
        weight: int | None
        try:
            weight = parse_integer(reading.argument(words, 1), -self.limit, self.limit, reading)
        except Refused as refusal:
            reading.refused(refusal)
            weight = int(words[1]) if self.keeps and refusal.code is codes.OUT_OF_RANGE and len(words[1]) < 10 else self.otherwise
        if len(words) > 2 and words[2] != "reverse":
            reading.complain(codes.LINE_WORD, f"{words[2]!r} is not reverse; it is ignored", 2)
        return weight, len(words) > 2 and words[2] == "reverse"

    def write(self, value: int) -> str | None:
        """Return the number."""
        return str(value)


def show_weight(tracker: VrrpScript | TrackProcess | TrackFile | BfdInstance) -> list[str]:
    """Write the weight of whatever is tracked."""
    return [f"{tracker.weight} reverse" if tracker.reverse else str(tracker.weight)]


def set_weight(draft: Draft, keyword: Keyword, value: tuple[int | None, bool], reading: Reading) -> None:
    """Keep a weight, and that it is reversed (nothing takes that back)."""
    weight, reverse = value
    if weight is not None:
        draft.set("weight", weight, reading.line)
    if reverse:
        draft.set("reverse", True, reading.line)


# Scripts --------------------------------------------------------------------------------------------------------------------------


class _ScriptCommand(Command):
    """A command; without any the block says at its end that it has none."""

    def read(self, words: list[str], reading: Reading) -> Script | None:  # type: ignore[override]
        """Return the command, None when there is none."""
        if len(words) < 2:
            return None
        try:
            return super().read(words, reading)
        except Refused as refusal:
            if refusal.code is codes.SCRIPT_UNPARSED:
                return None
            raise


def _command(draft: Draft, keyword: Keyword, value: Script | None, reading: Reading) -> None:
    if value is not None:
        draft.set("script", value, reading.line)


def _script_user(draft: Draft, keyword: Keyword, value: Any, reading: Reading) -> None:
    draft.values.pop("bad user", None)
    draft.set("user", value, reading.line)


class _ScriptUser(UserKind):
    """An account; one that does not exist makes the script be dropped."""

    def read(self, words: list[str], reading: Reading) -> Any:
        """Return the account, or None after reporting that it does not exist."""
        try:
            return super().read(words, reading)
        except Refused as refusal:
            reading.complain(codes.TRACK_SCRIPT_USER, f"{refusal.text}; the script is dropped")
            return None


def _show_user(script: VrrpScript) -> list[str]:
    written = UserKind().write(script.script.user)
    return [] if written is None else [written]


def _close_script(draft: Draft, reading: Reading) -> None:
    """Keep a script that has a command and whose user exists."""
    values = draft.values
    if "script" not in values:
        report_end(codes.TRACK_INCOMPLETE, f"vrrp_script {draft.header} has no script and is dropped", draft, reading)
        return
    if "user" in values and values["user"] is None:
        return
    draft.lines["end"] = reading.line
    reading.names.setdefault("vrrp_script", {}).setdefault(draft.header, draft.line)
    assert draft.parent is not None
    draft.parent.add("tracking.scripts", draft, draft.line)


_SCRIPT_SPAN: Final = Span(1000, _MAX_SECONDS * 1_000_000, places=3, zero_is=micro(1))
_COUNT: Final = Integer(1, _INT_MAX, otherwise=1)

VRRP_SCRIPT: Final = Block(
    "vrrp_script",
    "A program that is run again and again; must stand before its users.",
    header=_NAME,
    close=_close_script,
    keywords=(
        Keyword("script", _ScriptCommand(user=False), "The program, or </FILE to read a file.", apply=_command, since="v1.1.13"),
        Keyword("interval", _SCRIPT_SPAN, "Seconds between two runs.", since="v1.1.13"),
        Keyword("timeout", _SCRIPT_SPAN, "Seconds until a run counts as failed.", since="v1.2.6"),
        Keyword(
            "weight",
            Weight(253, keeps=True),
            "What it adds to the priority; 0: failing is a fault.",
            apply=set_weight,
            show=show_weight,
            since="v1.1.13",
        ),
        Keyword("rise", _COUNT, "Successes in a row until it is good.", since="v1.1.18"),
        Keyword("fall", _COUNT, "Failures in a row until it is bad.", since="v1.1.18"),
        Keyword("user", _ScriptUser(), "Whom it runs as.", "user", apply=_script_user, show=_show_user, since="v1.3.0"),
        Keyword("init_fail", Flag(), "Bad until its first result.", since="v1.3.2"),
    ),
    model=VrrpScript,
    into="tracking.scripts",
    since="v1.1.13",
)

# Processes ------------------------------------------------------------------------------------------------------------------------


class _Process:
    """``NAME [PARAMETER...]``."""

    syntax: str = "NAME [PARAMETER...]"

    def read(self, words: list[str], reading: Reading) -> tuple[str, ...]:
        """Return program and parameters."""
        reading.argument(words, 1)
        return tuple(words[1:])

    def write(self, value: tuple[str, ...]) -> str | None:
        """Return the words."""
        return " ".join(quoted(word) for word in value)


def _process(draft: Draft, keyword: Keyword, value: tuple[str, ...], reading: Reading) -> None:
    if "command" in draft.values:
        reading.complain(codes.ALREADY_SET, "process is set already; this one is ignored", 0)
        return
    draft.set("command", value, reading.line)
    if len(value) > 1:
        draft.values.setdefault("param_match", ParamMatch.EXACT)
        draft.set("full_command", True, reading.line)


def _param_match(draft: Draft, keyword: Keyword, value: ParamMatch, reading: Reading) -> None:
    draft.set("param_match", value, reading.line)
    draft.set("full_command", True, reading.line)


def _process_weight(draft: Draft, keyword: Keyword, value: tuple[int | None, bool], reading: Reading) -> None:
    if draft.values.get("weight"):
        reading.complain(codes.ALREADY_SET, "weight is set already; this one is ignored", 0)
    elif value[0] is not None:
        set_weight(draft, keyword, value, reading)


def _quorum(draft: Draft, keyword: Keyword, value: int, reading: Reading) -> None:
    high = draft.values.get("quorum_max")
    if high is not None and value > high:
        raise Refused(codes.BAD_VALUE, f"quorum {value} is above quorum_max {high}; it is ignored")
    draft.set("quorum", value, reading.line)


def _quorum_max(draft: Draft, keyword: Keyword, value: int, reading: Reading) -> None:
    quorum = draft.values.get("quorum", 1)
    if (value or quorum > 1) and value < quorum:
        raise Refused(codes.BAD_VALUE, f"quorum_max {value} is below quorum {quorum}; it is ignored")
    draft.set("quorum_max", value, reading.line)
    if not value:
        draft.values["quorum"] = 0
    elif not quorum:
        draft.values["quorum"] = 1


def _delay(draft: Draft, keyword: Keyword, value: int, reading: Reading) -> None:
    draft.set("terminate_delay", value, reading.line)
    draft.set("fork_delay", value, reading.line)


def _close_process(draft: Draft, reading: Reading) -> None:
    values = draft.values
    if "command" not in values:
        report_end(codes.TRACK_INCOMPLETE, f"vrrp_track_process {draft.header} has no process and is dropped", draft, reading)
        return
    reading.names.setdefault("vrrp_track_process", {}).setdefault(draft.header, draft.line)
    assert draft.parent is not None
    draft.parent.add("tracking.processes", TrackProcess(draft.header, **values), draft.line)


_DELAY: Final = Span(1, 3600 * 1_000_000)

TRACK_PROCESS: Final = Block(
    "vrrp_track_process",
    "Processes that must run; must stand before its users.",
    header=_NAME,
    close=_close_process,
    keywords=(
        Keyword("process", _Process(), "Program, and parameters that it must have.", "command", apply=_process, since="v2.0.11"),
        Keyword(
            "param_match",
            Choice({"initial": ParamMatch.INITIAL, "partial": ParamMatch.PARTIAL}, optional=True, bare=ParamMatch.EXACT),
            "How parameters are compared; bare: exactly.",
            apply=_param_match,
            since="v2.0.16",
        ),
        Keyword(
            "weight",
            Weight(254, missing=True),
            "What it adds to the priority; 0: missing is a fault.",
            apply=_process_weight,
            show=show_weight,
            since="v2.0.11",
        ),
        Keyword("quorum", Integer(1, 65535), "How many must run.", apply=_quorum, since="v2.0.11"),
        Keyword("quorum_max", Integer(0, 65535), "How many may run; 0: none.", apply=_quorum_max, since="v2.0.16"),
        Keyword("delay", _DELAY, "Both delays.", "fork_delay", apply=_delay, alias_of="fork_delay", since="v2.0.11"),
        Keyword("terminate_delay", _DELAY, "Seconds until the end of a process counts.", since="v2.0.16"),
        Keyword("fork_delay", _DELAY, "Seconds until the start of a process counts.", since="v2.0.16"),
        Keyword("full_command", Flag(), "Compare the whole command line.", since="v2.0.11"),
    ),
    model=TrackProcess,
    into="tracking.processes",
    since="v2.0.11",
)

# Files ----------------------------------------------------------------------------------------------------------------------------


def _file_weight(draft: Draft, keyword: Keyword, value: tuple[int | None, bool], reading: Reading) -> None:
    if draft.values.get("weight", 1) != 1:
        reading.complain(codes.ALREADY_SET, "weight is set already; this one is ignored", 0)
    else:
        set_weight(draft, keyword, value, reading)


class _Init:
    """``[INT] [overwrite]`` in any order."""

    syntax: str = "[INT] [overwrite]"

    def read(self, words: list[str], reading: Reading) -> InitFile:
        """Return what the file is to hold at first."""
        number, overwrite = 0, False
        for index, word in enumerate(words[1:], 1):
            text = word.lstrip(" \t")
            if text[:1].isdigit() or text.startswith("-"):
                number = self._number(word, index, reading)
            elif text == "overwrite":
                overwrite = True
            else:
                reading.complain(codes.LINE_WORD, f"{word!r} is not a number or overwrite; it is ignored", index)
        return InitFile(number, overwrite)

    @staticmethod
    def _number(word: str, index: int, reading: Reading) -> int:
        try:
            number = parse_integer(word, -0x80000000, _INT_MAX, reading, index, lenient=False)
        except Refused as refusal:
            reading.refused(refusal)
            return 0
        if abs(number) > 254:
            reading.complain(codes.UNLIKELY_VALUE, f"{number} is outside -254..254, which no priority can follow", index)
        return number

    def write(self, value: InitFile | None) -> str | None:
        """Return number and ``overwrite``."""
        return None if value is None else f"{value.value}{' overwrite' if value.overwrite else ''}"


def _open_old_file(draft: Draft, reading: Reading) -> object:
    reading.complain(codes.OLD_SPELLING, "vrrp_track_file is an old word; write track_file", 0)
    return None


def _close_file(draft: Draft, reading: Reading) -> None:
    """Keep a file that is named and lies where changes of it can be noticed."""
    values = draft.values
    if "path" not in values:
        report_end(codes.TRACK_INCOMPLETE, f"{draft.block.name} {draft.header} has no file and is dropped", draft, reading)
        return
    why = reading.facts.unwatchable(values["path"])
    if why:
        report_end(codes.TRACK_FILE_PLACE, f"{draft.block.name} {draft.header} is dropped: {why}", draft, reading)
        return
    reading.names.setdefault("track_file", {}).setdefault(draft.header, draft.line)
    assert draft.parent is not None
    draft.parent.add("tracking.files", TrackFile(draft.header, **values), draft.line)


def _file_block(name: str, doc: str, **more: Any) -> Block:
    return Block(
        name,
        doc,
        header=_NAME,
        close=_close_file,
        keywords=(
            Keyword(
                "file", Word("PATH", missing=codes.WORD_MISSING), "The file; its folder must exist.", "path", Repeat.DUPLICATE,
                since="v2.1.0",
            ),
            Keyword(
                "weight",
                Weight(254, missing=True, otherwise=1),
                "Factor on the number in the file; 0: another number than 0 is a fault.",
                apply=_file_weight,
            show=show_weight,
                since="v2.1.0",
            ),
            Keyword("init_file", _Init(), "Create the file with this number.", "init", since="v2.1.0"),
        ),
        model=TrackFile,
        into="tracking.files",
        since="v2.1.0",
        **more,
    )  # fmt: skip


TRACKING_BLOCKS: Final = (
    VRRP_SCRIPT,
    TRACK_PROCESS,
    _file_block("track_file", "A file that holds a number; must stand before its users."),
    _file_block("vrrp_track_file", "Old name of track_file.", open=_open_old_file, select=lambda file: False),
)
