"""A configuration as text in its own language, and as JSON: what is in force, whatever the file said.

The text is written from the declarations that reading uses: a `Keyword` tells its field and how its value is written, a `Block`
which values it stands for.  No keyword is named here.  Reading the text again gives the same configuration, wherever the same host
answers.  Inheritance has been resolved before, so that most blocks say everything; a `Block` that is `sparse` leaves defaults out.
"""

import enum
import json
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Final

from keepalived_py.addresses import Address
from keepalived_py.config.model import Config
from keepalived_py.errors import BugError
from keepalived_py.parser.keywords.root import ROOT
from keepalived_py.parser.kinds import Flag, Word
from keepalived_py.parser.schema import Block, Keyword

_INDENT: Final = "    "


def to_text(config: Config) -> str:
    """Return the effective configuration in the language of the file."""
    lines = list(_words(ROOT, config.globals, sparse=True))  # root words concern the daemon as a whole
    lines.extend(_blocks(ROOT, config))
    return "".join(f"{line}\n" for line in lines)


def _blocks(block: Block, owner: Any) -> Iterator[str]:
    """Yield the blocks inside a block.  Values of one field keep their order, whichever block each is written as."""
    by_field: dict[str, list[Block]] = {}
    for inner in block.blocks:
        if inner.into:
            by_field.setdefault(inner.into, []).append(inner)
    for into, candidates in by_field.items():
        value = follow(owner, into)
        if candidates[0].write_lines is not None and candidates[0].model is None:
            content = candidates[0].write_lines(value) if value else ()
            if content:
                yield from _enclosed(candidates[0].name, content)
            continue
        for item in value if isinstance(value, tuple) else (value,):
            chosen = next((candidate for candidate in candidates if item is not None and _fits(item, candidate)), None)
            if chosen is not None:
                yield from _block(chosen, item)


def _block(block: Block, item: Any) -> Iterator[str]:
    content = list(_body(block, item))
    if content or not block.sparse:
        yield from _enclosed(f"{block.name} {_header(block, item)}".rstrip(" "), content)


def _fits(item: Any, block: Block) -> bool:
    """Whether a value is written as this block."""
    return (block.model is None or isinstance(item, block.model)) and (block.select is None or block.select(item))


def _header(block: Block, item: Any) -> str:
    """Return the words after a block's name; a header of one word is the name of what the block stands for."""
    if block.header is None:
        return ""
    return block.header.write(item.name if isinstance(block.header, Word) else item) or ""


def _body(block: Block, item: Any) -> Iterator[str]:
    if block.write_lines is not None:
        yield from block.write_lines(item)
        return
    yield from _words(block, item, sparse=block.sparse)
    yield from _blocks(block, item)


def _enclosed(head: str, content: Sequence[str]) -> Iterator[str]:
    yield f"{head} {{"
    for line in content:
        yield _INDENT + line
    yield "}"


def _words(block: Block, item: Any, *, sparse: bool) -> Iterator[str]:
    """Yield the keywords of a block, in the order of declaration, in which they may be read again."""
    for keyword in block.keywords:
        for arguments in arguments_of(block, keyword, item, sparse=sparse):
            yield f"{keyword.name} {arguments}".rstrip(" ")


def arguments_of(block: Block, keyword: Keyword, item: Any, *, sparse: bool = False) -> list[str]:
    """Return the arguments that give a keyword's value back, one string for each line; none when it is to be left out.

    An alias is left out but where only it can tell the value, as one of two words for yes and no.  `sparse`: a default is left out.
    """
    if keyword.show is not None:
        return list(keyword.show(item))
    main = block.table.get(keyword.alias_of)
    if keyword.alias_of and not (isinstance(main, Keyword) and isinstance(keyword.kind, Flag)):
        return []
    value = follow(item, keyword.target)
    if sparse and value == default_of(item, keyword.target):
        return []
    if isinstance(main, Keyword) and main.kind.write(value) is not None:
        return []
    written = keyword.kind.write(value)
    return [] if written is None else [written]


def follow(owner: Any, path: str) -> Any:
    """Return the value at a dotted path; None when something on the way is None.  `BugError` for a path that leads nowhere."""
    value = owner
    for name in path.split("."):
        if value is None:
            return None
        if not hasattr(value, name):
            raise BugError(f"{type(owner).__name__} has no {path}")
        value = getattr(value, name)
    return value


def default_of(owner: Any, path: str) -> Any:
    """Return the default of a field, dotted for one of a nested value; `MISSING` when it has none."""
    name, _, rest = path.partition(".")
    field = next(field for field in fields(owner) if field.name == name)
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return follow(default, rest) if rest else default


# JSON -----------------------------------------------------------------------------------------------------------------------------


def to_json(config: Config, *, indent: int | None = 2) -> str:
    """Return the model as one JSON object.

    Fields have their names of `config`; spans are microseconds, addresses and flags text, bytes hexadecimal.  Every value of a
    class says which, as ``kind``.  Secrets are left out.
    """
    return json.dumps(plain(config), indent=indent)


def plain(value: Any) -> Any:
    """Return a value of the model as lists, dictionaries, text, numbers, truth values and None."""
    if isinstance(value, Address):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.name or str(int(value.value))
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (tuple, frozenset)):
        return [plain(item) for item in value]
    if is_dataclass(value):
        shown = {field.name: plain(getattr(value, field.name)) for field in fields(value) if field.repr}
        return {"kind": type(value).__name__, **shown}
    return value
