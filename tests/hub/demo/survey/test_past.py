"""What is looked up for many visits at a time is what one look after the other gives."""

import numpy as np
import pytest

from hub.demo.survey import past, world
from hub.demo.survey.chance import mix, state_of
from hub.demo.survey.light_curves import ARTEFACT, COUNTERPART, KNOWN_ASTEROID, SUPERNOVA, UNKNOWN_ASTEROID, parameters
from hub.demo.survey.night import SurveyNight
from tests.hub.demo.survey.conftest import deep, pair

WITHOUT_A_PAST = (ARTEFACT, KNOWN_ASTEROID, UNKNOWN_ASTEROID)


def one_by_one(night: SurveyNight, v: int, found: world.Found, row: int) -> list[tuple]:
    """Return what each earlier visit made of a detected object, by the plain way: every visit there is, one look each."""
    kind, key, block = int(found.kind[row]), found.key[row], int(found.block[row])
    ra, dec = np.radians(found.numbers[row, 6]), np.radians(found.numbers[row, 7])
    place = (float(np.cos(dec) * np.cos(ra)), float(np.cos(dec) * np.sin(ra)), float(np.sin(dec)))
    tile = int(found.row[row] * 1024 + found.column[row])
    seen, par = night._seen, parameters(kind, key, block)
    near = np.flatnonzero(seen.axes[:v, :3] @ np.array(place) > 0.99)
    told = []
    for u in near.tolist():
        detector, is_detected, x, y, flux, error = world.look_along(night._world, seen, u, kind, key, par, tile, block, *place)
        is_forced = bool(seen.programme[v] == seen.programme[u] == 1)
        if detector >= 0 and (is_detected or is_forced):
            told.append((u, detector, is_detected, x, y, flux, error))
    return told


@pytest.mark.parametrize("which", ["wide", "deep"])
def test_a_past_is_that_of_each_look_by_itself(thinned, which):
    visit = pair(thinned)[1] if which == "wide" else deep(thinned)
    v = thinned._first + visit
    _, found, _, _ = thinned._look(visit)
    earlier = past.before(thinned._world, thinned._seen, v)
    scratch = past.scratch_of(len(earlier.visit))
    rows = [row for row in range(len(found.kind)) if found.kind[row] not in (*WITHOUT_A_PAST, COUNTERPART)]
    n_all = n_deep = 0
    for row in rows[:: max(1, len(rows) // 8)]:
        n, n_seen, n_forced = past.look_back(thinned._world, which == "deep", earlier, found, row, scratch)
        ours = list(
            zip(
                *(column[:n].tolist() for column in (scratch.visit, scratch.detector, scratch.is_detected)),
                *scratch.numbers[:n].T.tolist(),
                strict=True,
            )
        )
        expected = one_by_one(thinned, v, found, row)
        assert [one[:3] for one in ours] == [one[:3] for one in expected]
        # Places are the same to the last bits: the sines of the place were taken by another library here.
        np.testing.assert_allclose([one[3:] for one in ours], [one[3:] for one in expected], rtol=1e-9)
        assert n_seen == sum(one[2] for one in expected)
        assert n_forced == (n if which == "deep" and n_seen else 0)
        n_all += n
        n_deep += n_forced
    assert n_all > 10
    assert (n_deep > 0) == (which == "deep")


def test_what_is_certainly_too_faint_is_only_what_is_not_detected(thinned):
    kilonova, error, seen = thinned._world.kilonova, 100.0, 0
    for number in range(600):
        key = state_of(5, number)
        par = (59_000.0, 40.0 * number, 0.0, 0.0, 0.0, 0.0, 0.0)
        look = (SUPERNOVA, par, False, 59_018.0, 2, error, np.uint64(mix(key, 1)), 0.97, kilonova)
        quick, plain = world.glimpse(*look, False), world.glimpse(*look, True)
        assert quick[0] == plain[0]
        assert quick == plain or not plain[0]
        seen += plain[0] and 40.0 * number < 5.0 * error
    assert seen > 0  # below the limit, lifted by noise
