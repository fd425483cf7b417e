"""From the text that a real keepalived read, through our parser, to the adverts that it sent."""

from pathlib import Path

import pytest

from keepalived_py.parser.load import load_text
from keepalived_py.vrrp.actions import OpenChannel, SendAdvert
from tests.helpers.facts import FakeFacts
from tests.helpers.lan import Lan
from tests.vrrp.recorded import FILES, case_of, packets


def text_of(path: Path) -> str:
    """The configuration in the comments of a recording, without the line that says how it was made."""
    comments = [line[2:] for line in path.read_text().splitlines() if line.startswith("#")]
    return "\n".join(comments[1:])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_first_advert_is_keepaliveds(path: Path) -> None:
    loaded = load_text(text_of(path), FakeFacts())
    assert loaded.config is not None
    router = Lan().router(1)
    router.link_local = type(router.address).parse("fe80::ff:fe00:1")
    router.start(vrrp=loaded.config.vrrp, tracking=loaded.config.tracking, globals_=loaded.config.globals)
    router.lan.run(5)
    assert router.of(OpenChannel)
    advert = router.of(SendAdvert)[0]
    config = case_of(path)
    expected = packets(path)[0]
    if advert.channel.family.bits == 128:
        got, expected = advert.packet, expected[40:46] + b"\0\0" + expected[48:]
    else:
        got, expected = advert.packet, expected[:10] + b"\0\0" + expected[12:]
    if config.hmac is not None:
        # All but stamp and HMAC of the trailer.
        assert (got[-28:-24], len(got)) == (expected[-28:-24], len(expected))
        got, expected = got[:-28], expected[:-28]
    assert got.hex() == expected.hex()
