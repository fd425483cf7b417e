from hypothesis import given
from hypothesis import strategies as st

from keepalived_py.deadlines import Deadlines
from keepalived_py.units import Micro

steps = st.lists(st.tuples(st.sampled_from(["set", "drop", "pop"]), st.integers(0, 5), st.integers(0, 50)), max_size=200)


@given(steps)
def test_deadlines_are_those_of_a_plain_dictionary(script: list[tuple[str, int, int]]) -> None:
    deadlines: Deadlines[int] = Deadlines()
    model: dict[int, tuple[int, int]] = {}
    for serial, (what, key, due) in enumerate(script):
        if what == "set":
            deadlines.set(key, Micro(due))
            model[key] = (due, serial)
        elif what == "drop":
            deadlines.drop(key)
            model.pop(key, None)
        else:
            first = min(model, key=lambda known: model[known], default=None)
            if first is not None and model[first][0] <= due:
                assert deadlines.pop_expired(Micro(due)) == first
                del model[first]
            else:
                assert deadlines.pop_expired(Micro(due)) is None
        assert deadlines.deadline() == min((due for due, _ in model.values()), default=None)
        assert len(deadlines) == len(model)


def test_a_deadline_that_is_moved_often_does_not_pile_up() -> None:
    deadlines: Deadlines[str] = Deadlines()
    for due in range(10_000):
        deadlines.set("a", Micro(due))
    assert len(deadlines._heap) < 200 and deadlines.due("a") == 9_999
    assert deadlines.due("b") is None
