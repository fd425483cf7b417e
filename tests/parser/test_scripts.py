"""Commands: how they are split, whose they are, whether they may run, and how they are written back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.config.scripts import Script, User
from keepalived_py.parser.facts import ScriptFacts, ScriptState
from keepalived_py.parser.scripts import Command, write_argv
from tests.helpers.facts import FakeFacts, notes, read, told

SECURE = "global_defs {\nenable_script_security\nscript_user root\n}\n"


class Host(FakeFacts):
    """A host with programs in every state."""

    def script(self, program: str, user: User) -> ScriptFacts:
        states = {
            "/bin/ok": ScriptFacts(ScriptState.OK, "/usr/bin/ok"),
            "found": ScriptFacts(ScriptState.OK, "/usr/bin/found", searched=True),
            "/bin/plain": ScriptFacts(ScriptState.NOT_EXECUTABLE, "/bin/plain", detail="not executable for root"),
            "/tmp/unsafe": ScriptFacts(ScriptState.UNSAFE, "/tmp/unsafe", detail="/tmp is writable by everybody"),
        }
        return states.get(program, ScriptFacts(ScriptState.MISSING, program, detail="not found"))


def service(quorum_up: str) -> str:
    """Return a virtual server with one real server and a quorum_up line."""
    server = "real_server 198.51.100.1 80 {\n}\n"
    return f"virtual_server 192.0.2.1 80 {{\nlb_algo rr\nlb_kind NAT\nprotocol TCP\nquorum_up {quorum_up}\n{server}}}\n"


def quorum_up(line: str, before: str = SECURE) -> tuple[Script | None, list[str], int]:
    """Return what is left of a script, the codes of everything said, and the exit status."""
    body = service(line)
    loaded = read(before + body, Host())
    assert loaded.config is not None
    codes = [code for code, _ in told(loaded) + notes(loaded)]
    return loaded.config.lvs.virtual_servers[0].quorum_up, codes, int(loaded.status)


@pytest.mark.parametrize(
    ("line", "argv"),
    [
        ("/bin/ok", ("/usr/bin/ok",)),
        ('"/bin/ok a b"', ("/usr/bin/ok", "a", "b")),
        ("'/bin/ok \"a b\"'", ("/usr/bin/ok", "a b")),
        ("\"/bin/ok 'a b' c\"", ("/usr/bin/ok", "a b", "c")),
        (r'"/bin/ok a\x20b \"c d\""', ("/usr/bin/ok", "a b", '"c', 'd"')),
        (r'"/bin/ok \#x"', ("/usr/bin/ok", "#x")),
        ('"/bin/ok a#b"', ("/usr/bin/ok", "a#b")),
    ],
)
def test_what_is_executed(line: str, argv: tuple[str, ...]) -> None:
    assert quorum_up(line) == (Script(argv, User(0, 0, "root")), [], 0)


def test_words_after_the_command_name_user_and_group() -> None:
    script, _, _ = quorum_up('"/bin/ok a" nobody root')
    assert script == Script(("/usr/bin/ok", "a"), User(65534, 0, "nobody", (), "root"))


def test_supplementary_groups_for_all() -> None:
    script, _, _ = quorum_up("/bin/ok nobody", "global_defs {\nenable_script_security\nset_supplementary_groups\n}\n")
    assert script is not None and script.user is not None and script.user.groups == (65534, 100)


@pytest.mark.parametrize(
    ("line", "code", "status"),
    [
        ("/bin/none", "KA301", 0),
        ("/bin/plain", "KA301", 0),
        ("/tmp/unsafe", "KA302", 0),
        ("/bin/ok nosuch", "KA303", 0),
        ('""', "KA306", 0),
        ("'/bin/ok", "KA006", 5),
        ('"/bin/ok \'a"', "KA006", 5),
    ],
)
def test_what_is_not_executed(line: str, code: str, status: int) -> None:
    script, codes, got = quorum_up(line)
    assert (script, code in codes, got) == (None, True, status)


def test_a_bare_name_is_looked_up_and_noted() -> None:
    script, codes, status = quorum_up("found")
    assert (script, codes, status) == (Script(("/usr/bin/found",), User(0, 0, "root")), ["KA304"], 0)


def test_without_security_scripts_run_and_the_status_says_so() -> None:
    script, codes, status = quorum_up("/bin/ok", "")
    assert (script is not None, codes, status) == (True, ["KA300"], 6)
    script, codes, status = quorum_up("/tmp/unsafe", "")
    assert (script is not None, codes, status) == (True, ["KA300", "KA302"], 6)
    assert quorum_up("/bin/none", "")[2] == 0


def test_scripts_behind_an_unknown_block_do_not_change_the_status() -> None:
    """keepalived has left the virtual server there and has not seen the script."""
    body = "virtual_server 192.0.2.1 80 {{\nlb_algo rr\nlb_kind NAT\nprotocol TCP\n{}real_server 198.51.100.1 80 {{\n}}\n{}}}\n"
    assert read(body.format("quorum_up /bin/ok\n", "what {\n}\n")).status == 6
    assert read(body.format("", "what {\n}\nquorum_up /bin/ok\n")).status == 5


def test_one_program_is_looked_at_once() -> None:
    asked: list[str] = []

    class Counting(Host):
        def script(self, program: str, user: User) -> ScriptFacts:
            asked.append(program)
            return super().script(program, user)

    servers = "".join(
        f"real_server 198.51.100.{last} 80 {{\nnotify_up /bin/ok\nnotify_down /bin/none\n}}\n" for last in range(1, 9)
    )
    loaded = read(f"{SECURE}virtual_server 192.0.2.1 80 {{\nlb_algo rr\nlb_kind NAT\nprotocol TCP\n{servers}}}\n", Counting())
    assert sorted(asked) == ["/bin/none", "/bin/ok"]
    assert [code for code, _ in notes(loaded)] == ["KA301"]


WORDS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=12)


@given(st.lists(WORDS, min_size=1, max_size=4).filter(lambda argv: bool(argv[0])), st.booleans())
def test_a_command_is_read_back_as_it_was_written(argv: list[str], named: bool) -> None:
    script = Script(tuple(argv), User(65534, 65534, "nobody") if named else User(0, 0, "root"))
    written = Command().write(script)
    assert written is not None

    class Anything(FakeFacts):
        def script(self, program: str, user: User) -> ScriptFacts:
            return ScriptFacts(ScriptState.OK, program)

    loaded = read(SECURE + service(written), Anything())
    assert told(loaded) == []
    assert loaded.config is not None
    assert loaded.config.lvs.virtual_servers[0].quorum_up == script


def test_a_single_plain_word_is_written_without_quotes() -> None:
    assert [write_argv(argv) for argv in (("/bin/a",), ("/bin/a", "b"), ("/bin/$A",), ("/b c",), ("/bin/a", ""))] == [
        "/bin/a",
        '"/bin/a b"',
        r'"/bin/\x24A"',
        "\"'/b c'\"",
        "\"/bin/a ''\"",
    ]
