r"""Regular expressions of HTTP checks: PCRE2 as users write it, run by Python's `re` on bytes.

What differs from PCRE2, and so from keepalived:

* Possessive and atomic groups, look-around and named groups work alike; recursion, ``\K``, ``\R``, ``\h``, POSIX classes and
  ``(*VERB)`` do not exist: most of them make the pattern invalid here, and `explain` says so.
* ``$`` matches before a final newline and ``\s``, ``\w``, ``\d`` are ASCII in both.  ``\Z`` means what PCRE2 writes ``\z``.
* A pattern is matched against the whole reply (up to the limit of `reply`) once it is complete; keepalived matches piece by piece.
* There is no limit on backtracking: a pattern that explodes, explodes here.  `regex_stack` has nothing to act on.

Options that only tune PCRE2 have no effect; those that would change a match and that `re` cannot express are reported.
"""

import functools
import re
import warnings
from typing import Final

from keepalived_py.config.checkers import Regex

_FLAGS: Final = {"caseless": re.IGNORECASE, "dotall": re.DOTALL, "extended": re.VERBOSE, "multiline": re.MULTILINE}

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


@functools.lru_cache(maxsize=1024)
def compiled(pattern: str, options: tuple[str, ...]) -> re.Pattern[bytes] | None:
    """Return the compiled pattern, or None when `re` does not understand it."""
    flags = re.RegexFlag(0)
    for option in options:
        flags |= _FLAGS.get(option, 0)
    try:
        with warnings.catch_warnings():
            # [[:alpha:]] compiles, to something else.
            warnings.simplefilter("error", FutureWarning)
            return re.compile(pattern.encode("utf-8", "surrogateescape"), flags)
    except (re.error, OverflowError, RecursionError, FutureWarning):
        return None


def explain(regex: Regex) -> str | None:
    """Return what about `regex` will not be honoured, as a sentence, or None."""
    if compiled(regex.pattern, regex.options) is None:
        return f"regex '{regex.pattern}' is not understood here and is not checked"
    unknown = [option for option in regex.options if option not in _FLAGS and option not in _INEFFECTIVE]
    if unknown:
        return f"regex option {', '.join(unknown)} of '{regex.pattern}' has no effect here"
    return None


def matches(regex: Regex, body: bytes | bytearray) -> bool | None:
    """Return whether a match starts between the offsets (both included); None when the pattern is not understood."""
    pattern = compiled(regex.pattern, regex.options)
    if pattern is None:
        return None
    if regex.min_offset > len(body):
        return False
    found = pattern.search(body, regex.min_offset)
    return found is not None and (regex.max_offset is None or found.start() <= regex.max_offset)
