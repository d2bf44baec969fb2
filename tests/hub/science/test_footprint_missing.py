from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.model.alert import Words
from hub.model.visit import NUMBER_COLUMNS, TEXT_COLUMNS, DetectorVisits, Footprints
from hub.science.footprint_missing import MIN_ALERTS, MIN_NEIGHBOURS, NEIGHBOURS, completeness


def ledger(alerts):
    """Return the rows of {visit: {detector: alerts}}, visits in order of time."""
    rows = [(when, visit, detector, n) for when, (visit, own) in enumerate(alerts.items()) for detector, n in own.items()]
    n = len(rows)
    columns = {name: np.zeros(n, dtype=kind) for name, kind in NUMBER_COLUMNS.items()}
    for name, values in zip(
        ("mid_tai_us", "visit", "detector", "n_alerts"), np.array(rows, dtype=np.int64).reshape(n, 4).T, strict=True
    ):
        columns[name] = values.astype(NUMBER_COLUMNS[name])
    return DetectorVisits(**columns, **{name: Words.constant("", n) for name in TEXT_COLUMNS}, polygons=Footprints.empty(n))


def test_a_detector_that_all_neighbours_have_is_missing():
    alerts = {visit: dict.fromkeys(range(5), 50) for visit in range(1, 9)}
    del alerts[4][2]
    found = {one.visit: one for one in completeness(ledger(alerts), range(189))}
    assert found[4].missing == (2,)
    assert (found[4].n_received, found[4].n_expected, found[4].basis) == (4, 5, "neighbours")
    assert all(one.missing == () and one.n_expected == 5 for visit, one in found.items() if visit != 4)


def test_a_detector_with_few_alerts_may_have_none_by_chance():
    alerts = {visit: {0: 50, 1: 3} for visit in range(1, 9)}
    del alerts[4][1]
    assert all(one.missing == () for one in completeness(ledger(alerts)))


def test_a_visit_without_neighbours_is_held_against_the_camera():
    (alone,) = completeness(ledger({7: {0: 50, 2: 50}}), range(3))
    assert (alone.missing, alone.n_expected, alone.basis) == ((1,), 3, "camera")
    (faint,) = completeness(ledger({7: {0: 2, 2: 3}}), range(3))
    assert (faint.missing, faint.n_expected, faint.basis) == ((), None, None)
    (unknown,) = completeness(ledger({7: {0: 50, 2: 50}}))
    assert unknown.n_expected is None


def test_a_detector_that_is_silent_all_night_is_not_missing_from_each_visit():
    alerts = {visit: dict.fromkeys((0, 1, 3), 50) for visit in range(1, 9)}
    assert all(one.missing == () for one in completeness(ledger(alerts), range(4)))


def test_no_visits_and_visits_that_name_no_detector_have_nothing_to_say():
    assert completeness(ledger({})) == []
    assert completeness(ledger({5: {-1: 40}})) == []


@settings(max_examples=40, deadline=None)
@given(
    table=st.lists(st.lists(st.sampled_from([0, 4, 30, 60]), min_size=4, max_size=4), min_size=1, max_size=30),
)
def test_it_agrees_with_a_plain_count_over_the_neighbours(table):
    alerts = {visit: {d: n for d, n in enumerate(row) if n} for visit, row in enumerate(table, start=1)}
    alerts = {visit: own for visit, own in alerts.items() if own}
    order = list(alerts)
    found = {one.visit: one for one in completeness(ledger(alerts))} if alerts else {}
    for place, visit in enumerate(order):
        others = order[max(0, place - NEIGHBOURS) : place] + order[place + 1 : place + 1 + NEIGHBOURS]
        seen, total = Counter(), Counter()
        for other in others:
            seen.update(alerts[other].keys())
            total.update(alerts[other])
        wanted = {d for d in seen if 2 * seen[d] >= len(others) and total[d] / seen[d] >= MIN_ALERTS}
        if len(others) < MIN_NEIGHBOURS:
            assert found[visit].basis is None
        else:
            assert set(found[visit].missing) == wanted - set(alerts[visit])


def test_chance_is_small_where_a_detector_counts_as_missing():
    assert np.exp(-MIN_ALERTS) == pytest.approx(0, abs=1e-4)
