"""Datagrams that a real kernel sent: ``tests/data/ipvs/linux-6.1.hex`` says after which commands."""

from pathlib import Path

FILE = Path(__file__).parent.parent / "data" / "ipvs" / "linux-6.1.hex"


def recorded(section: str) -> list[bytes]:
    """Return the datagrams of one section, in the order of their arrival."""
    found: dict[str, list[bytes]] = {}
    name = ""
    for line in FILE.read_text().splitlines():
        if line.startswith("["):
            name = line[1 : line.index("]")]
        elif name and not line.startswith("#"):
            found.setdefault(name, []).append(bytes.fromhex(line))
    return found[section]
