"""The shape of the language: keywords, blocks, and what may be said about them.

One `Keyword` drives everything that is done with a word: reading it, checking its range, the diagnostics, the dump, the manual.
Where its value goes is `into`, a field of the block's model (dotted for a nested one); its default is that field's default, so that
no default is written twice.
"""

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from keepalived_py.parser import codes
from keepalived_py.parser.diagnostics import Code
from keepalived_py.parser.origins import NOWHERE, LineId

if TYPE_CHECKING:
    from keepalived_py.parser.reading import Reading


class Refused(Exception):
    """A value that cannot be used: the line is ignored.  `word` is the index of the word at fault."""

    def __init__(self, code: Code, text: str, word: int = 1, hint: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.word = word
        self.hint = hint


class Kind(Protocol):
    """The type of a keyword's value: how it is read, written and described.

    A kind that has ``pure = True`` makes the same value of the same words every time, whatever stands around them, so that a line
    that repeats is read once.  One that has ``splits_again = True`` splits the text of the line itself, as commands are split.
    """

    @property
    def syntax(self) -> str:
        """The arguments as the manual shows them: ``INT[1..255]``."""

    def read(self, words: list[str], reading: "Reading") -> Any:
        """Return the value of ``keyword argument...``; raise `Refused`, or report and return what is used instead."""

    def write(self, value: Any) -> str | None:
        """Return the arguments that give `value` back, empty for none; None when the keyword is to be left out."""


class Repeat(enum.Enum):
    """What a second occurrence does."""

    LAST = "the last one counts"
    FIRST = "the first one counts; another value is reported"
    DUPLICATE = "the first one counts; a second one is reported"
    REPLACE = "the last one counts; a second one is reported"
    ADD = "each one adds"
    LARGEST = "the largest one counts"


class Effect(enum.Enum):
    """What the running program makes of a keyword."""

    HONOURED = "honoured"
    ACCEPTED = "accepted without effect"
    UNSUPPORTED = "not supported"


@dataclass(frozen=True, slots=True)
class Keyword:
    """One word of the language at one level.

    `into`: field of the model, dotted for nested ones (empty: the name).  `apply` replaces the plain assignment; `since` is the
    release of keepalived that brought the word, or the dialect it comes from; `alias_of` the word whose field it shares (an
    alias is never dumped); `old` reports the spelling (`codes.OLD_SPELLING` or `codes.DEPRECATED`); `why` explains an `effect`
    other than honoured.  `missing`: what is reported when no word follows, instead of `Kind.read` being asked (which for most
    kinds ends the reading).  `show` gives the arguments from the whole model, one string for each line, where the field alone does
    not tell them.
    """

    name: str
    kind: Kind
    doc: str
    into: str = ""
    repeat: Repeat = Repeat.LAST
    apply: "Callable[[Draft, Keyword, Any, Reading], None] | None" = None
    since: str = ""
    alias_of: str = ""
    old: Code | None = None
    effect: Effect = Effect.HONOURED
    why: str = ""
    missing: Code | None = None
    show: "Callable[[Any], Sequence[str]] | None" = None
    repeatable: bool = field(init=False, compare=False, repr=False)
    """Whether reading an equal line again does nothing but assign an equal value."""

    def __post_init__(self) -> None:
        plain = self.apply is None and self.old is None and self.repeat is Repeat.LAST
        object.__setattr__(self, "repeatable", plain and getattr(self.kind, "pure", False))

    @property
    def target(self) -> str:
        """The field that the value goes to."""
        return self.into or self.name


Known = dict[str, tuple[str, Any]]
"""Lines of one kind of block that have been read already: the field and the value that each assigns, and nothing else."""


def show_nothing(item: object) -> list[str]:
    """Leave a keyword out of the dump: it has no effect on the model, or another word shows what it does."""
    return []


class Draft:
    """A block while it is read: values by field, and the line that set each of them.

    `skipped`: nothing in it counts.  `known` is the reader's own.
    """

    __slots__ = ("block", "children", "header", "known", "line", "lines", "parent", "skipped", "values")

    def __init__(self, block: "Block", parent: "Draft | None", line: LineId, known: Known) -> None:
        self.block = block
        self.parent = parent
        self.line = line
        self.known = known
        self.header: Any = None
        self.skipped = False
        self.values: dict[str, Any] = {}
        self.lines: dict[str, LineId] = {}
        self.children: list[Draft] = []

    def set(self, name: str, value: Any, line: LineId) -> None:
        """Assign a field, remembering where."""
        self.values[name] = value
        self.lines[name] = line

    def add(self, name: str, value: Any, line: LineId) -> None:
        """Append to a field that is a list while it is read."""
        self.values.setdefault(name, []).append(value)
        self.lines.setdefault(name, line)

    def place(self, name: str) -> LineId:
        """Return the line that set a field, else the line of the block."""
        return self.lines.get(name, self.line)


SKIP: Final = object()
"""Returned by a block's `open`: read past the block, it has been reported."""

LineReaderFunction = Callable[[list[str], "Draft", "Reading"], None]


@dataclass(frozen=True, slots=True)
class Block:
    """A keyword with a body.

    `header` reads the words after the name (None: there are none); its value is `Draft.header`.  `open` may look at it and answer
    `SKIP`.  `close` turns the finished draft into what the parent keeps; without it the draft itself is kept in
    `parent.children`.  `keywords` and `blocks` are what the body may hold; a value block has `read_line` instead, which gets each
    line of it.  `model` is the dataclass that the dump walks, `into` the field that holds it, or a tuple of such: dotted, of the
    parent's model, or of `Config` at the root.  `select` tells which values are written as this block, where several blocks share
    a field.  `sparse`: the dump may leave out what is at the default of the model, because nothing is inherited.
    """

    name: str
    doc: str
    header: Kind | None = None
    open: "Callable[[Draft, Reading], object] | None" = None
    close: "Callable[[Draft, Reading], None] | None" = None
    keywords: tuple[Keyword, ...] = ()
    blocks: "tuple[Block, ...]" = ()
    read_line: LineReaderFunction | None = None
    line_syntax: str = ""
    write_lines: Callable[[Any], Sequence[str]] | None = None
    model: type | None = None
    into: str = ""
    select: Callable[[Any], bool] | None = None
    sparse: bool = False
    repeat: Repeat = Repeat.ADD
    since: str = ""
    effect: Effect = Effect.HONOURED
    why: str = ""
    table: "dict[str, Keyword | Block]" = field(init=False, compare=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        entries: tuple[Keyword | Block, ...] = (*self.keywords, *self.blocks)
        for entry in entries:
            if entry.name in self.table:
                raise ValueError(f"{self.name}: {entry.name} is declared twice")
            self.table[entry.name] = entry

    def default(self, keyword: Keyword) -> Any:
        """Return the default of a keyword's field, `MISSING` when the model has none (or there is no model)."""
        return field_default(self.model, keyword.target) if self.model else MISSING

    def walk(self, path: tuple[str, ...] = ()) -> "Iterator[tuple[tuple[str, ...], Keyword | Block]]":
        """Yield every word below this block with its path, in declaration order."""
        entries: tuple[Keyword | Block, ...] = (*self.keywords, *self.blocks)
        for entry in entries:
            yield (*path, entry.name), entry
            if isinstance(entry, Block):
                yield from entry.walk((*path, entry.name))


def field_default(model: type, target: str) -> Any:
    """Return the default of a field, dotted for nested models; `MISSING` when it has none."""
    name, _, rest = target.partition(".")
    for item in fields(model):
        if item.name == name:
            default = item.default if item.default is not MISSING else MISSING
            if item.default_factory is not MISSING:
                default = item.default_factory()
            if not rest or default is MISSING:
                return default
            if is_dataclass(default) and not isinstance(default, type):
                return _attribute(default, rest)
            return MISSING
    return MISSING


def _attribute(value: Any, target: str) -> Any:
    for name in target.split("."):
        value = getattr(value, name)
    return value


def assemble(model: type, values: dict[str, Any]) -> Any:
    """Build a model from values by field; dotted names go into nested models, whose other fields keep their defaults."""
    flat: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        head, _, rest = name.partition(".")
        if rest:
            nested.setdefault(head, {})[rest] = value
        else:
            flat[head] = tuple(value) if isinstance(value, list) else value
    for head, inner in nested.items():
        default = field_default(model, head)
        base = {item.name: getattr(default, item.name) for item in fields(default)} if is_dataclass(default) else {}
        kind = type(default)
        flat[head] = assemble(kind, {**base, **inner})
    return model(**flat)


NO_LINE: Final = NOWHERE
UNKNOWN: Final = codes.UNKNOWN_KEYWORD
