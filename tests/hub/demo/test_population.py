import numpy as np
import pytest

from hub.demo.population import (
    ARTEFACT,
    DETECTION_SNR,
    KIND_NAMES,
    KNOWN_ASTEROID,
    SUPERNOVA,
    UNKNOWN_ASTEROID,
    VARIABLE_STAR,
    Sky,
    detect,
    detect_object,
)
from hub.demo.visits import ALERTS_PER_DEG2, HISTORY_VISITS, TOO, Place, target_evenings, visits_of


@pytest.fixture(scope="module")
def sky():
    place = Place(name="test", ra_deg=197.0, dec_deg=-23.0, reason=TOO, evenings=target_evenings(0), bands=("i", "g"))
    return Sky(place=place, visits=visits_of(place, np.random.default_rng(1)), side_deg=1.5)


@pytest.fixture(scope="module")
def found(sky):
    return detect(sky, np.random.default_rng(2))


@pytest.fixture(scope="module")
def per_visit(sky, found):
    """Detections per square degree and visit of the demo's nights, by kind."""
    now = sky.visits.night[found.visit] >= 0
    scale = sky.area_deg2 * int((sky.visits.night >= 0).sum())
    return {name: int((now & (found.kind == kind)).sum()) / scale for kind, name in enumerate(KIND_NAMES)}


def test_the_density_of_alerts_is_the_design_number(per_visit):
    assert sum(per_visit.values()) == pytest.approx(ALERTS_PER_DEG2, rel=0.1)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("variable star", 350, 500),
        ("active galaxy", 80, 140),
        ("supernova", 2, 14),
        ("flare", 0.3, 1.5),
        ("artefact", 320, 400),
        ("known asteroid", 40, 70),
        ("unknown asteroid", 45, 85),
    ],
)
def test_the_density_table_of_the_documentation_holds(per_visit, name, low, high):
    assert low < per_visit[name] < high


def test_artefacts_mostly_score_low_and_real_sources_mostly_high(found):
    false = found.reliability[found.kind == ARTEFACT]
    true = found.reliability[found.kind == VARIABLE_STAR]
    assert np.median(false) < 0.35
    assert 0.03 < np.mean(false > 0.5) < 0.25
    assert np.median(true) > 0.6


def test_stars_fade_as_well_as_brighten(found):
    stars = found.kind == VARIABLE_STAR
    assert 0.3 < np.mean(found.flux_njy[stars] < 0) < 0.7


def test_most_supernovae_have_a_history_and_few_are_new(sky, found):
    nights = sky.visits.night[found.visit]
    live = np.unique(found.thing[(found.kind == SUPERNOVA) & (nights >= 0)])
    old = [thing for thing in live.tolist() if np.any(nights[found.thing == thing] == -1)]
    assert len(old) > len(live) / 2


def test_asteroids_move_by_their_size_between_the_visits_of_a_night(sky, found):
    moving = found.kind == KNOWN_ASTEROID
    first_pair = np.flatnonzero(sky.visits.night == 0)
    moved = []
    for thing in np.unique(found.thing[moving]).tolist():
        rows = [np.flatnonzero((found.thing == thing) & (found.visit == visit)) for visit in first_pair.tolist()]
        if all(len(row) for row in rows):
            a, b = (row[0] for row in rows)
            cosine = np.cos(np.radians(found.dec_deg[a]))
            moved.append(3600 * np.hypot((found.ra_deg[a] - found.ra_deg[b]) * cosine, found.dec_deg[a] - found.dec_deg[b]))
    assert len(moved) > 20
    assert min(moved) > 9
    assert max(moved) < 26  # 0.12 to 0.28 deg/d for 2,000 s
    assert not np.any(sky.visits.night[found.visit[np.isin(found.kind, (KNOWN_ASTEROID, UNKNOWN_ASTEROID))]] < 0)


def test_nothing_below_the_limit_is_detected_and_a_bright_object_always_is(sky):
    rng = np.random.default_rng(4)
    faint = detect_object(sky, SUPERNOVA, ra_deg=197.0, dec_deg=-23.0, flux=np.zeros(len(sky.visits)), rng=rng)
    bright = detect_object(sky, SUPERNOVA, ra_deg=197.0, dec_deg=-23.0, flux=np.full(len(sky.visits), 1e5), rng=rng)
    outside = detect_object(sky, SUPERNOVA, ra_deg=199.0, dec_deg=-23.0, flux=np.full(len(sky.visits), 1e5), rng=rng)
    assert len(faint) == len(outside) == 0
    assert len(bright) == len(sky.visits) == HISTORY_VISITS + 10
    assert np.all(bright.flux_njy / bright.error_njy > DETECTION_SNR)
