"""From a file name to a configuration and what there is to say about it."""

from collections.abc import Callable
from dataclasses import dataclass

from keepalived_py.config.model import Config
from keepalived_py.parser import codes
from keepalived_py.parser.blocks import BlockReader
from keepalived_py.parser.build import build
from keepalived_py.parser.diagnostics import Diagnostic, ExitStatus, Severity, exit_status
from keepalived_py.parser.facts import HostFacts
from keepalived_py.parser.keywords.root import ROOT
from keepalived_py.parser.origins import NOWHERE, Origins
from keepalived_py.parser.reader import LineReader, StrictIncludeError
from keepalived_py.parser.reading import Reading, UnusableError
from keepalived_py.parser.source import Include, Opened, SourceFile, open_sources, source_from_text

_STRUCTURE = (
    Severity.MISSING_EOB,
    Severity.UNEXPECTED_EOB,
    Severity.UNEXPECTED_BOB,
    Severity.MISSING_BOB,
    Severity.UNMATCHED_QUOTE,
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The result of reading a configuration.

    `config` is None when a start would refuse it (status 2 or 6).  `status` is what ``-t`` exits with.  `balanced`: braces and
    quotes match, without which a reload is refused.  `found`: any file was read at all.
    """

    config: Config | None
    diagnostics: tuple[Diagnostic, ...]
    status: ExitStatus
    balanced: bool = True
    found: bool = True


def load(
    path: str,
    facts: HostFacts,
    *,
    config_id: str,
    testing: bool = False,
    strict: bool = False,
    directory: str = ".",
    opener: Callable[[str, str, str], Opened] = open_sources,
) -> Loaded:
    """Read the configuration that `path` (a file or a pattern) names.

    `config_id` selects ``@id`` lines; `strict` makes every include strict (``-e``); `testing` refuses numbers with trailing
    garbage.
    """
    origins = Origins()
    reading = Reading(origins, facts, testing=testing)
    opened = opener(path, directory, "")
    for problem in opened.problems:
        reading.report(codes.FILE_NOT_READ, problem.text, NOWHERE)
    if not opened.files:
        return Loaded(None, tuple(reading.diagnostics), ExitStatus.OK, found=False)
    if len(opened.files) > 1:
        reading.report(
            codes.MULTIPLE_FILES, f"{len(opened.files)} files match {path}, starting with {opened.files[0].name}", NOWHERE
        )
    return _load_files(list(opened.files), reading, config_id, strict=strict, opener=opener)


def load_text(text: str, facts: HostFacts, *, name: str = "keepalived.conf", config_id: str = "", testing: bool = True) -> Loaded:
    """Read a configuration that is at hand as text."""
    reading = Reading(Origins(), facts, testing=testing)
    return _load_files([source_from_text(name, text)], reading, config_id, strict=False, opener=open_sources)


def _load_files(
    files: list[SourceFile], reading: Reading, config_id: str, *, strict: bool, opener: Callable[[str, str, str], Opened]
) -> Loaded:
    reader = LineReader(
        reading.origins,
        reading.report_from_reader,
        config_id=config_id,
        environment=reading.facts.environment,
        strict=Include.ALL if strict else Include.LENIENT,
        opener=opener,
    )
    reading.reader = reader
    try:
        root = BlockReader(ROOT, reading).read(reader.segments(files))
        config = build(root, reading)
    except UnusableError:
        return Loaded(None, tuple(reading.diagnostics), ExitStatus.UNUSABLE)
    except StrictIncludeError:
        return Loaded(None, tuple(reading.diagnostics), ExitStatus.SECURITY)
    found = tuple(reading.diagnostics)
    balanced = not any(diagnostic.severity in _STRUCTURE for diagnostic in found)
    return Loaded(config, found, exit_status(found), balanced)
