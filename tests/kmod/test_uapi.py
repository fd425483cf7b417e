"""The contract's header and its mirror in Python say the same."""

import enum
import re

import pytest

from keepalived_py.config.lvs import ForwardingMethod, ServiceFlags
from keepalived_py.ipvs import fullnat_attributes as fullnat
from keepalived_py.ipvs.attributes import Attribute, Codec
from tests.kmod.builder import HEADER

TEXT = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.DOTALL)
CODECS = {
    "u16": Codec.U16,
    "u32": Codec.U32,
    "u64": Codec.U64,
    "nest": Codec.NESTED,
    "string": Codec.STRING,
}


def defined(name: str) -> str:
    match = re.search(rf"^#define\s+{name}\s+(.+?)\s*$", TEXT, re.MULTILINE)
    assert match, name
    return match[1].strip('()"')


def members(prefix: str) -> dict[str, int]:
    """Read the enum whose members begin with a prefix, without its ends."""
    found: dict[str, int] = {}
    for body in re.findall(r"enum[^{;]*\{(.*?)\}", TEXT, re.DOTALL):
        for number, part in enumerate(each.strip() for each in body.split(",") if each.strip()):
            name, _, value = (word.strip() for word in part.partition("="))
            if name.startswith(prefix):
                found[name.removeprefix(prefix)] = int(eval(value, {"__builtins__": {}})) if value else number
    return found


def test_names_and_limits() -> None:
    assert defined("IPVS_FNAT_GENL_NAME") == fullnat.FAMILY
    assert int(defined("IPVS_FNAT_GENL_VERSION")) == fullnat.FAMILY_VERSION
    assert int(defined("IPVS_FNAT_ABI")) == fullnat.ABI
    assert int(defined("IPVS_FNAT_LADDR_MAX")) == fullnat.LADDR_MAX
    assert eval(defined("IPVS_FNAT_TIMEOUT_MAX"), {"__builtins__": {}}) == fullnat.TIMEOUT_MAX
    assert int(defined("IP_VS_CONN_F_FULLNAT")) == ForwardingMethod.FULLNAT
    assert int(defined("IP_VS_SVC_F_SYNPROXY"), 16) == ServiceFlags.SYN_PROXY


@pytest.mark.parametrize(
    ("prefix", "mirror"),
    [
        ("IPVS_FNAT_CMD_", fullnat.FullnatCommand),
        ("IPVS_FNAT_A_", fullnat.FullnatAttribute),
        ("IPVS_FNAT_LADDR_", fullnat.LocalAttribute),
        ("IPVS_FNAT_CONN_", fullnat.ConnectionAttribute),
        ("IPVS_FNAT_STAT_", fullnat.Counter),
        ("IPVS_FNAT_F_", fullnat.Feature),
        ("IPVS_FNAT_LADDR_F_", fullnat.LocalFlag),
    ],
)
def test_enums(prefix: str, mirror: type[enum.IntEnum | enum.IntFlag]) -> None:
    theirs = {name: number for name, number in members(prefix).items() if name != "UNSPEC" and not name.startswith("F_")}
    assert theirs == {member.name: int(member) for member in mirror}


@pytest.mark.parametrize("mirror", [fullnat.FullnatAttribute, fullnat.LocalAttribute, fullnat.ConnectionAttribute])
def test_codecs_are_those_of_the_comments(mirror: type[Attribute]) -> None:
    prefix = {"FullnatAttribute": "A", "LocalAttribute": "LADDR", "ConnectionAttribute": "CONN"}[mirror.__name__]
    said = dict(re.findall(rf"IPVS_FNAT_{prefix}_(\w+),\s*/\* (\w+)", HEADER.read_text()))
    checked = [member for member in mirror if said.get(member.name) in CODECS]
    assert checked
    for member in checked:
        assert member.codec is CODECS[said[member.name]], member.name
    for member in mirror:
        if member.name.endswith("ADDR") and member.name != "LADDR":
            assert member.codec is Codec.ADDRESS
        if member.name.endswith("PORT"):
            assert member.codec is Codec.BE16
