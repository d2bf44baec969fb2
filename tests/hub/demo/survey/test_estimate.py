"""What is said beforehand of the size of a run, against the run."""

import pytest

from hub.demo.survey.estimate import estimate
from tests.hub.demo.survey.conftest import small


@pytest.mark.parametrize(
    ("seed", "fraction", "visits", "with_cutouts"),
    [
        (3, 0.01, range(10_000), False),
        (4, 0.05, range(60, 180), False),
        (5, 0.01, range(300, 400), True),
        (3, 0.002, range(100), False),
        (3, 1.0, range(7, 8), False),
        (3, 1e-6, range(100), False),
    ],
)
def test_a_run_comes_to_what_was_said_within_ten_per_cent(seed, fraction, visits, with_cutouts):
    night = small(seed, fraction=fraction, with_cutouts=with_cutouts)
    visits = range(visits.start, min(visits.stop, len(night)))
    said = estimate(night, visits)
    n_alerts = n_bytes = 0
    for visit in visits:
        made = night.visit(visit)
        for _, ends, tails in made.heads:
            n_alerts += len(ends)
            n_bytes += int(ends[-1]) + sum(len(made.tails[tail]) for tail in tails.tolist()) if len(ends) else 0

    assert said.n_visits == len(visits)
    assert said.n_alerts == pytest.approx(n_alerts, rel=0.1)
    assert said.n_bytes == pytest.approx(n_bytes, rel=0.1)


def test_an_estimate_changes_nothing_of_the_night():
    night = small(fraction=0.01)
    before = list(night.visit(5).packets())
    estimate(night, range(100))

    assert night.fraction == 0.01
    assert list(night.visit(5).packets()) == before
