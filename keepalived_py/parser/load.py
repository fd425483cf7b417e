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
from keepalived_py.parser.reading import ReadAgain, Reading, UnusableError
from keepalived_py.parser.schema import Draft, Keyword
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
    quotes match, without which a reload is refused.  `found`: any file was read at all.  `startable`: VRRP is complete, without
    which a start ends with status 2.
    """

    config: Config | None
    diagnostics: tuple[Diagnostic, ...]
    status: ExitStatus
    balanced: bool = True
    found: bool = True
    startable: bool = True


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
    before = list(reading.diagnostics)
    blocks = BlockReader(ROOT, reading)
    try:
        root = blocks.read(reader.segments(files))
        config = build(root, reading)
    except ReadAgain:
        again = Reading(Origins(), reading.facts, testing=reading.testing, dynamic=True, diagnostics=before)
        return _load_files(files, again, config_id, strict=strict, opener=opener)
    except UnusableError:
        status = ExitStatus.UNUSABLE if _is_early(blocks, reading) or not _namespace_fails(blocks.root, reading) else ExitStatus.OK
        return Loaded(None, tuple(reading.diagnostics), status)
    except StrictIncludeError:
        return Loaded(None, tuple(reading.diagnostics), ExitStatus.SECURITY)
    ended = _namespace_fails(root, reading)
    found = tuple(reading.diagnostics)
    balanced = not any(diagnostic.severity in _STRUCTURE for diagnostic in found)
    status = ExitStatus.OK if ended else exit_status(found)
    return Loaded(config, found, status, balanced, startable=not reading.unstartable)


def _is_early(blocks: BlockReader, reading: Reading) -> bool:
    """Whether the current line concerns the daemon as a whole, which the reference reads before anything else."""
    return blocks.outermost == "global_defs" or (not blocks.outermost and isinstance(ROOT.table.get(reading.words[0]), Keyword))


def _namespace_fails(root: Draft, reading: Reading) -> bool:
    """Whether the network namespace cannot be entered, which is reported.

    The reference enters it when it has read what concerns the daemon as a whole, and ends in peace when it cannot: nothing else
    that is wrong counts then.
    """
    name: str = root.values.get("net_namespace", "")
    problem = reading.facts.namespace_problem(name) if name else ""
    if problem:
        reading.report(codes.NAMESPACE_UNUSABLE, f"net_namespace {name}: {problem}", root.place("net_namespace"), name)
    return bool(problem)
