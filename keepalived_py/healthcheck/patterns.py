r"""Regular expressions of HTTP checks: PCRE2 as users write it, run by the `regex` library on bytes, with a limit on time.

What differs from PCRE2, and so from keepalived:

* Possessive and atomic groups, look-around, named groups, recursion, POSIX classes, ``\K``, ``\R`` and ``\h`` work alike; what this
  library does not understand makes the pattern invalid, and `explain` says so.
* ``$`` matches before a final newline and ``\s``, ``\w``, ``\d`` are ASCII in both.  ``\Z`` means what PCRE2 writes ``\z``.
* A pattern is matched against the whole reply (up to the limit of `reply`) once it is complete; keepalived matches piece by piece.
* A search that takes longer than `TIME_LIMIT` is given up, because every other check waits meanwhile.  PCRE2 counts steps instead;
  `regex_stack` has nothing to act on.

Options that only tune PCRE2 have no effect; those that would change a match and that the library cannot express are reported.
"""

import functools
import re
from typing import Final, Protocol

from keepalived_py.config.checkers import Regex

TIME_LIMIT: Final = 0.05
"""Seconds that one search may take."""

_FLAGS: Final = {"caseless": "IGNORECASE", "dotall": "DOTALL", "extended": "VERBOSE", "multiline": "MULTILINE"}

_INEFFECTIVE: Final = frozenset(
    {
        "alt_bsux",
        "auto_callout",
        "dupnames",
        "never_backslash_c",
        "never_ucp",
        "never_utf",
        "no_auto_capture",
        "no_auto_possess",
        "no_dotstar_anchor",
        "no_start_optimize",
        "alt_verbnames",
        "use_offset_limit",
    }
)


class TooSlowError(Exception):
    """A search was given up."""


class Pattern(Protocol):
    """What is used of a compiled pattern."""

    def search(self, body: bytes | bytearray, start: int, *, timeout: float) -> "re.Match[bytes] | None":
        """Return the first match."""


@functools.lru_cache(maxsize=1024)
def compiled(pattern: str, options: tuple[str, ...]) -> Pattern | None:
    """Return the compiled pattern, or None when the library does not understand it."""
    import regex  # a process that checks no pattern does not need it

    flags = 0
    for option in options:
        flags |= getattr(regex, _FLAGS[option]) if option in _FLAGS else 0
    try:
        made: Pattern = regex.compile(pattern.encode("utf-8", "surrogateescape"), flags)
    except (regex.error, OverflowError, RecursionError):
        return None
    return made


def explain(regex: Regex) -> str | None:
    """Return what about `regex` will not be honoured, as a sentence, or None."""
    if compiled(regex.pattern, regex.options) is None:
        return f"regex '{regex.pattern}' is not understood here and is not checked"
    unknown = [option for option in regex.options if option not in _FLAGS and option not in _INEFFECTIVE]
    if unknown:
        return f"regex option {', '.join(unknown)} of '{regex.pattern}' has no effect here"
    return None


def matches(regex: Regex, body: bytes | bytearray) -> bool | None:
    """Return whether a match starts between the offsets (both included); None when the pattern is not understood.

    Raises `TooSlowError` when that cannot be told in time.
    """
    pattern = compiled(regex.pattern, regex.options)
    if pattern is None:
        return None
    if regex.min_offset > len(body):
        return False
    try:
        found = pattern.search(body, regex.min_offset, timeout=TIME_LIMIT)
    except TimeoutError:
        raise TooSlowError from None
    return found is not None and (regex.max_offset is None or found.start() <= regex.max_offset)
