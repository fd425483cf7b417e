"""The lists of what an instance or a sync group watches: ``track_interface``, ``track_script``, ``track_file`` and so on."""

from dataclasses import dataclass
from typing import Any, Final

from keepalived_py.config.tracking import Tracked
from keepalived_py.parser import codes
from keepalived_py.parser.kinds import parse_integer, quoted
from keepalived_py.parser.origins import LineId
from keepalived_py.parser.reading import Reading, did_you_mean
from keepalived_py.parser.schema import Block, Draft, Refused


@dataclass(frozen=True, slots=True)
class TrackEntry:
    """A line of a track list as written; None: what the tracked object says itself."""

    name: str
    weight: int | None
    reverse: bool | None
    line: LineId


@dataclass(frozen=True, slots=True)
class TrackList:
    """One kind of list.

    `space`: where names are defined (None: interfaces).  `limit`: largest weight; with `old_limit` one more is accepted, reported
    and cut.  `drops`: a bad word after the weight drops the line.
    """

    keyword: str
    into: str
    space: str | None
    limit: int
    old_limit: bool = False
    drops: bool = False

    @property
    def syntax(self) -> str:
        """The line as the manual shows it."""
        reverse = "reverse" if self.space is None else "reverse|noreverse"
        return f"{'IFNAME' if self.space is None else 'NAME'} [weight INT[-{self.limit}..{self.limit}] [{reverse}]]"

    def read(self, words: list[str], draft: Draft, reading: Reading) -> None:
        """Take a line of the list into the draft of the instance or group."""
        owner = draft.parent
        assert owner is not None
        name = words[0]
        self._known(name, reading)
        entries: dict[str, TrackEntry] = owner.values.setdefault(self.into, {})
        if name in entries:
            raise Refused(codes.TRACK_DUPLICATE, f"{name} is tracked already; this line is ignored", 0)
        weight, reverse = None, None
        if len(words) > 1:
            weight = self._weight(words, reading)
        if len(words) > 3:
            reverse = self._reverse(words, reading)
        entries[name] = TrackEntry(name, weight, reverse, reading.line)
        owner.lines.setdefault(self.into, reading.line)

    def _known(self, name: str, reading: Reading) -> None:
        if self.space is None:
            if reading.lacks_interface(name):
                raise Refused(codes.INTERFACE_UNKNOWN, f"there is no interface {name} to track; the line is ignored", 0)
        elif not reading.knows(self.space, name):
            hint = did_you_mean(name, reading.names.get(self.space, ()))
            text = f"nothing called {name} is defined before this line for {self.keyword}; the line is ignored"
            raise Refused(codes.REFERENCE_UNKNOWN, text, 0, hint)

    def _weight(self, words: list[str], reading: Reading) -> int | None:
        """Return the weight; None for one that cannot be used, which is reported."""
        if words[1] != "weight":
            raise Refused(
                codes.LINE_WORD, f"{words[1]!r} is not weight; the line is ignored", 1, did_you_mean(words[1], ["weight"])
            )
        if len(words) == 2:
            raise Refused(codes.WORD_MISSING, "weight needs a number; the line is ignored", 1)
        limit = self.limit + self.old_limit
        try:
            weight = parse_integer(words[2], -limit, limit, reading, 2)
        except Refused as refusal:
            reading.refused(refusal)
            return None
        if abs(weight) > self.limit:
            reading.complain(codes.CLAMPED, f"weight {weight} is outside -{self.limit}..{self.limit}", 2)
            return self.limit if weight > 0 else -self.limit
        return weight

    def _reverse(self, words: list[str], reading: Reading) -> bool | None:
        word = words[3]
        if word == "reverse":
            return True
        if word == "noreverse" and self.space is not None:
            return False
        text = f"{word!r} is not reverse"
        if self.drops:
            raise Refused(codes.LINE_WORD, f"{text}; the line is ignored", 3)
        reading.complain(codes.LINE_WORD, f"{text}; it is ignored", 3)
        return None


def _write(entries: tuple[Tracked, ...], reverse_word: str) -> list[str]:
    lines = []
    for entry in entries:
        how = " reverse" if entry.reverse else reverse_word
        lines.append(f"{quoted(entry.name)} weight {entry.weight}{how}")
    return lines


def keep_nothing(draft: Draft, reading: Reading) -> None:
    """Close a value block whose lines went to its owner already."""


INTERFACES: Final = TrackList("track_interface", "track.interfaces", None, 253, old_limit=True)
SCRIPTS: Final = TrackList("track_script", "track.scripts", "vrrp_script", 253, old_limit=True)
FILES: Final = TrackList("track_file", "track.files", "track_file", 254, drops=True)
PROCESSES: Final = TrackList("track_process", "track.processes", "vrrp_track_process", 254)
BFD: Final = TrackList("track_bfd", "track.bfd", "bfd_instance for VRRP", 253, drops=True)
TRACK_LISTS: Final = (INTERFACES, SCRIPTS, FILES, PROCESSES, BFD)


def _block(kind: TrackList, doc: str, since: str) -> Block:
    noreverse = "" if kind.space is None else " noreverse"

    def write(entries: Any) -> list[str]:
        return _write(entries, noreverse)

    return Block(
        kind.keyword,
        doc,
        read_line=kind.read,
        close=keep_nothing,
        line_syntax=kind.syntax,
        write_lines=write,
        into=kind.into,
        since=since,
    )


TRACK_BLOCKS: Final = (
    _block(INTERFACES, "Interfaces that must be up.", "v1.0.3"),
    _block(SCRIPTS, "Scripts that must succeed; each defined before.", "v1.1.13"),
    _block(FILES, "Files whose number counts; each defined before.", "v2.0.0"),
    _block(PROCESSES, "Processes that must run; each defined before.", "v2.0.11"),
    _block(BFD, "BFD sessions that must be up; each defined before.", "v2.0.0"),
)
