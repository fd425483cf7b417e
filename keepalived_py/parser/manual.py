"""Manual pages and tables, generated from the declarations: what the program knows is what is described, and nothing else.

``keepalived-py.conf(5)`` from the keywords, ``keepalived-py(8)`` from the options, ``docs/diagnostics.md`` from the codes,
``docs/keywords.md`` from what becomes of each keyword, and the dictionary for fuzzers.  A test holds the committed copies to these.
"""

from collections.abc import Iterator
from dataclasses import MISSING
from pathlib import Path
from typing import Any, Final

from keepalived_py import __version__
from keepalived_py.options import OPTIONS
from keepalived_py.parser.codes import all_codes
from keepalived_py.parser.diagnostics import Severity
from keepalived_py.parser.keywords.root import ROOT
from keepalived_py.parser.schema import Block, Effect, Keyword

_CLASSES: Final = {
    Severity.ADVICE: "never changes the exit status",
    Severity.NOTE: "only reported: exit status 0",
    Severity.FILE_NOT_FOUND: "exit status 4; a strict include: 6",
    Severity.BAD_IF: "exit status 4",
    Severity.FATAL: "exit status 4",
    Severity.MISSING_PARAMETER: "exit status 2, at once",
    Severity.SECURITY: "exit status 6",
}


def entries() -> Iterator[tuple[tuple[str, ...], Keyword | Block]]:
    """Yield every word of the language with its path, in the order of declaration."""
    yield from ROOT.walk()


def syntax_of(entry: Keyword | Block) -> str:
    """Return a word with its arguments, as the manual shows it."""
    if isinstance(entry, Keyword):
        arguments = entry.kind.syntax
        return f"{entry.name} {arguments}".rstrip()
    header = f" {entry.header.syntax}" if entry.header is not None else ""
    body = f" {{ {entry.line_syntax} }}" if entry.line_syntax else " { ... }"
    return f"{entry.name}{header}{body}"


def default_of(block: Block, entry: Keyword | Block) -> str:
    """Return the default of a keyword as the file would write it; empty when there is none to speak of."""
    if isinstance(entry, Block):
        return ""
    default: Any = block.default(entry)
    if default is MISSING or default is None or default is False:
        return ""
    try:
        written = entry.kind.write(default)
    except (AttributeError, TypeError, ValueError, KeyError, StopIteration):
        return ""
    return written or ""


# Manual pages ---------------------------------------------------------------------------------------------------------------------


def conf_page() -> str:
    """Return keepalived-py.conf(5) in man(7) format."""
    lines = [
        f'.TH KEEPALIVED-PY.CONF 5 "" "keepalived-py {__version__}" "File formats"',
        ".SH NAME",
        "keepalived-py.conf \\- configuration of keepalived-py",
        ".SH DESCRIPTION",
        "The file has the language of keepalived.conf(5).  Each line holds one keyword and its arguments; a block has its body in",
        "braces.  ! and # start a comment; double quotes group words; $NAME=value defines, ${NAME} uses a definition.",
        "Generated from the program's own declarations.",
    ]
    lines += _page_block(ROOT, ())
    return "\n".join(lines) + "\n"


def _page_block(block: Block, path: tuple[str, ...]) -> list[str]:
    title = " / ".join(path) if path else "top level"
    lines = [f".SH {_roff(title.upper())}"]
    if block.doc and path:
        lines.append(_roff(block.doc))
    lines += [line for keyword in block.keywords for line in _page_entry(block, keyword)]
    lines += [line for inner in block.blocks for line in _page_entry(block, inner)]
    for inner in block.blocks:
        if inner.keywords or inner.blocks:
            lines += _page_block(inner, (*path, inner.name))
    return lines


def _page_entry(block: Block, entry: Keyword | Block) -> list[str]:
    about = [entry.doc]
    default = default_of(block, entry)
    if default:
        about.append(f"Default: {default}.")
    if isinstance(entry, Keyword) and entry.alias_of:
        about.append(f"Another spelling of {entry.alias_of}.")
    if entry.effect is not Effect.HONOURED:
        about.append(f"{entry.effect.value.capitalize()}{f': {entry.why}' if entry.why else ''}.")
    return [".TP", f".B {_roff(syntax_of(entry))}", _roff(" ".join(about))]


def command_page() -> str:
    """Return keepalived-py(8) in man(7) format."""
    lines = [
        f'.TH KEEPALIVED-PY 8 "" "keepalived-py {__version__}" "System administration"',
        ".SH NAME",
        "keepalived-py \\- load balancing and high availability, configured by keepalived.conf",
        ".SH SYNOPSIS",
        ".B keepalived-py",
        "[option ...]",
        ".SH OPTIONS",
    ]
    for option in OPTIONS:
        name = option.argument.strip("[]")
        argument = f"[={name}]" if option.optional else f"={name}" if name else ""
        short = f"-{option.short}, " if option.short else ""
        lines += [".TP", f".B {_roff(f'{short}--{option.long}{argument}')}", _roff(option.doc)]
    lines += [
        ".SH EXIT STATUS",
        "0 success; 1 a bad option or a fatal error; 2 a configuration that cannot be used; 4, 5, 6 see --config-test: found when",
        "completing, errors found, script security or a strict include.",
        ".SH SEE ALSO",
        "keepalived-py.conf(5), ipvsadm(8)",
    ]
    return "\n".join(lines) + "\n"


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


# Tables ---------------------------------------------------------------------------------------------------------------------------


def diagnostics_page() -> str:
    """Return docs/diagnostics.md: a paragraph for every code."""
    lines = [
        "# Diagnostics",
        "",
        "Generated from `keepalived_py/parser/codes.py` (`make docs`). The class decides the exit status of `-t`, as with",
        "keepalived: the highest one seen counts.",
        "",
    ]
    for code in all_codes():
        severity = code.severity
        effect = _CLASSES.get(severity, "exit status 5")
        lines += [f"## {code.ident} {code.name}", "", f"{severity.label}, class {severity.name}: {effect}.", "", code.doc, ""]
        if code.example:
            lines += ["```", code.example, "```", ""]
    return "\n".join(lines)


def features() -> list[tuple[str, str, str]]:
    """Return a row for every word: its path, what becomes of it, and why where that is not plain."""
    rows = []
    for path, entry in entries():
        alias = f"another spelling of {entry.alias_of}" if isinstance(entry, Keyword) and entry.alias_of else ""
        rows.append((" / ".join(path), entry.effect.value, entry.why or alias))
    return rows


def features_text() -> str:
    """Return the table of ``--features``."""
    rows = features()
    width = max(len(path) for path, _, _ in rows)
    return "".join(f"{path:<{width}}  {effect}{f': {why}' if why else ''}\n" for path, effect, why in rows)


def keywords_page() -> str:
    """Return docs/keywords.md: every word with its syntax and what becomes of it."""
    lines = [
        "# Keywords",
        "",
        "Generated from the declarations (`make docs`).",
        "",
        "| where | word | since | effect |",
        "|---|---|---|---|",
    ]
    for path, entry in entries():
        where = " / ".join(path[:-1]) or "top level"
        effect = entry.effect.value + (f" ({entry.why})" if entry.why else "")
        lines.append(f"| {where} | `{syntax_of(entry).replace('|', chr(92) + '|')}` | {entry.since} | {effect} |")
    return "\n".join(lines) + "\n"


def dictionary() -> str:
    """Return the words of the language as a dictionary for coverage-guided fuzzers (one quoted token a line)."""
    words = {entry.name for _, entry in entries()}
    words |= {part for _, entry in entries() if isinstance(entry, Keyword) for part in _literals(entry.kind.syntax)}
    return "".join(f'"{word}"\n' for word in sorted(words))


def _literals(syntax: str) -> Iterator[str]:
    """Yield the lower-case words of a syntax, which are written as they are."""
    for part in syntax.replace("|", " ").replace("[", " ").replace("]", " ").replace("(", " ").replace(")", " ").split():
        if part.isascii() and part[0].isalpha() and not part.isupper() and part.replace("-", "").replace("_", "").isalnum():
            yield part


PAGES: Final = {
    "docs/man/keepalived-py.conf.5": conf_page,
    "docs/man/keepalived-py.8": command_page,
    "docs/diagnostics.md": diagnostics_page,
    "docs/keywords.md": keywords_page,
    "tests/data/keywords.dict": dictionary,
}
"""Every generated file, by its path in the repository."""


def main() -> None:
    """Write every page, into the repository that this file is part of."""
    home = Path(__file__).parents[2]
    for path, page in PAGES.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
