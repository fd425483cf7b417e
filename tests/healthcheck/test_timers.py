"""The heap of deadlines behaves as a dictionary of deadlines would, and does not grow."""

from hypothesis import given, settings
from hypothesis import strategies as st

from keepalived_py.healthcheck.timers import Timers
from keepalived_py.units import Micro

_OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, 9), st.integers(0, 100)),
        st.tuples(st.just("drop"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("expire"), st.just(0), st.integers(0, 100)),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(_OPERATIONS)
def test_equals_a_plain_dictionary(operations: list[tuple[str, int, int]]) -> None:
    timers, model = Timers(), dict[int, int]()
    for what, id, time in operations:
        if what == "set":
            timers.set(id, Micro(time))
            model[id] = time
        elif what == "drop":
            timers.drop(id)
            model.pop(id, None)
        else:
            due = sorted(id for id, at in model.items() if at <= time)
            assert sorted(timers.expired(Micro(time))) == due
            model = {id: at for id, at in model.items() if at > time}
        assert timers.deadline() == (min(model.values()) if model else None)
        assert len(timers) == len(model)


def test_expires_in_order_of_time() -> None:
    timers = Timers()
    for id, due in ((1, 30), (2, 10), (3, 20)):
        timers.set(id, Micro(due))
    assert timers.expired(Micro(25)) == [2, 3]


def test_cancelled_deadlines_do_not_pile_up() -> None:
    timers = Timers()
    for round in range(10_000):
        timers.set(round, Micro(1_000_000 + round))
        timers.drop(round)
    assert len(timers._heap) < 200
