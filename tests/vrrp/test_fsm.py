"""The table itself: it is whole, and what is not in it is an error with a name."""

import pytest

from keepalived_py.errors import BugError
from keepalived_py.vrrp.fsm import TABLE, Effect, Input, State, transition

ENDS = (State.STOP, State.DELETED)
ALIVE = (State.INIT, State.BACKUP, State.MASTER, State.FAULT)


def test_every_input_and_every_effect_is_in_the_table() -> None:
    assert {happened for _, happened in TABLE} == set(Input)
    assert {row.effect for row in TABLE.values()} == set(Effect)


def test_every_state_but_the_ends_can_be_left_and_reached() -> None:
    assert {state for state, _ in TABLE} == set(ALIVE)
    assert {row.after for row in TABLE.values()} == set(State) - {State.INIT}


@pytest.mark.parametrize("state", ALIVE)
def test_a_router_can_always_be_stopped_and_removed(state: State) -> None:
    assert transition(state, Input.SHUTDOWN).after is State.STOP
    assert transition(state, Input.DELETED).after is State.DELETED


@pytest.mark.parametrize(
    ("state", "happened"),
    [
        (State.INIT, Input.TIMER),
        (State.INIT, Input.ADVERT_HIGHER),
        (State.BACKUP, Input.STARTUP),
        (State.BACKUP, Input.RECOVERED),
        (State.FAULT, Input.ADVERT_ZERO),
        (State.FAULT, Input.TIMER),
        (State.STOP, Input.TIMER),
        (State.DELETED, Input.SHUTDOWN),
    ],
)
def test_what_is_not_in_the_table_is_a_bug_of_ours(state: State, happened: Input) -> None:
    with pytest.raises(BugError, match=f"{state.name} {happened.value}"):
        transition(state, happened)


def test_only_take_over_leads_to_master_and_it_leads_nowhere_else() -> None:
    arriving = {row.effect for (before, _), row in TABLE.items() if row.after is State.MASTER and before is not State.MASTER}
    assert arriving == {Effect.TAKE_OVER}
    assert {row.after for row in TABLE.values() if row.effect is Effect.TAKE_OVER} == {State.MASTER}


def test_in_fault_nothing_is_sent_or_heard() -> None:
    inputs = {happened for state, happened in TABLE if state is State.FAULT}
    assert not {happened for happened in inputs if happened.name.startswith(("ADVERT", "TIMER"))}
