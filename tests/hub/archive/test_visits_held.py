"""Which offsets of a partition have rows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hub.archive.visits_held import Offsets, merged, n_missing

SOME = st.lists(st.tuples(st.integers(0, 2), st.integers(-2, 300) | st.integers(65_500, 65_600)), max_size=200)


@given(SOME, SOME, st.integers(0, 70_000), st.integers(0, 70_000))
def test_runs_tell_which_offsets_were_added_whatever_the_order(one, other, low, high) -> None:
    offsets = Offsets()
    for some in (one, other):
        offsets.add(np.array([place for place, _ in some], dtype=np.int64), np.array([at for _, at in some], dtype=np.int64))
    runs = offsets.runs()
    for partition in range(3):
        there = {at for place, at in [*one, *other] if place == partition and at >= 0}
        own = runs.get(partition, [])
        assert {at for begin, end in own for at in range(begin, end + 1)} == there
        assert own == merged(reversed(own))
        expected = max(0, high - low + 1) - sum(low <= at <= high for at in there)
        assert n_missing(own, low, high) == expected


def test_runs_that_touch_or_overlap_are_one() -> None:
    assert merged([(5, 9), (0, 4), (20, 30), (22, 25)]) == [(0, 9), (20, 30)]
