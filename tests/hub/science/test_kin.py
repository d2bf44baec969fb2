"""Objects at one place as one light curve."""

import numpy as np
import pytest

from hub.model.alert import AlertBatch
from hub.science.kin import is_recreated, pairs_within, united
from hub.science.onset import FirstSeen, LastVisits, onsets
from tests.support.words import T0, alerts

ARCSEC = 1.0 / 3600.0


def seen(survey: str, name: bytes, *days: float, north: float = 0.0, **more: object) -> AlertBatch:
    """Return alerts of an object so many arcseconds north of the usual place."""
    rows = ({"object_id": name, "days": one, "dec": 20.0 + north * ARCSEC, **more} for one in days)
    first = 1000 * sum(name)
    return alerts(*({**row, "source_id": first + number} for number, row in enumerate(rows)), survey=survey)


def times(batch: AlertBatch) -> list[float]:
    return [round((one - T0.tai_us) / 86_400e6, 3) for one in batch.mid_tai_us.tolist()]


def test_alerts_of_another_survey_at_the_place_are_united_and_others_are_not() -> None:
    own = seen("LSST", b"1", 1.0, 3.0)
    near, far = seen("ZTF", b"ZTFa", 0.5, 2.0, north=1.4), seen("ZTF", b"ZTFb", 0.1, north=-1.6)
    curves = united("LSST", ["1"], [own, AlertBatch.from_columns("ZTF", **joined(near, far))])
    assert times(curves.alerts) == [0.5, 1.0, 2.0, 3.0]
    assert curves.alerts.object_id.tolist() == [b"1"] * 4
    assert curves.kin == {"1": ("ZTF:ZTFa",)}
    assert curves.origin is not None
    assert [curves.surveys[one] for one in curves.origin] == ["ZTF", "LSST", "ZTF", "LSST"]
    assert times(curves.own().alerts) == [1.0, 3.0]
    assert not is_recreated(curves).any()


def joined(*batches: AlertBatch) -> dict[str, np.ndarray]:
    names = [name for name in AlertBatch.__slots__ if name not in {"survey", "provenance"}]
    return {name: np.concatenate([getattr(one, name) for one in batches]) for name in names}


@pytest.mark.parametrize(("north", "before", "is_new_id"), [(0.8, -9.0, True), (0.8, 2.0, False), (1.2, -9.0, False)])
def test_an_id_that_is_new_where_an_older_one_of_the_survey_was_is_no_new_object(
    north: float, before: float, is_new_id: bool
) -> None:
    both = AlertBatch.from_columns("LSST", **joined(seen("LSST", b"2", 1.0), seen("LSST", b"1", before, north=north)))
    curves = united("LSST", ["2"], [both])
    assert is_recreated(curves).tolist() == [is_new_id]
    assert curves.kin == ({"2": ("LSST:1",)} if north <= 1.0 else {})
    assert len(united("LSST", ["1", "2"], [both])) == 2


def test_asteroids_belong_to_no_object() -> None:
    both = AlertBatch.from_columns("LSST", **joined(seen("LSST", b"2", 1.0), seen("LSST", b"", -3.0)))
    assert united("LSST", ["2"], [both]).kin == {}


def test_an_object_without_alerts_is_left_out() -> None:
    assert len(united("LSST", ["5"], [seen("ZTF", b"ZTFa", 1.0)])) == 0
    assert united("LSST", ["5", "1"], [seen("LSST", b"1", 1.0)]).names == ("1",)


def test_the_ledger_is_asked_for_each_survey_and_the_last_look_counts() -> None:
    curves = united("LSST", ["1"], [seen("LSST", b"1", 1.0, 3.0), seen("ZTF", b"ZTFa", 0.5, flux_njy=400.0)])
    asked = []

    def visits(first: FirstSeen, days: float) -> LastVisits:
        asked.append((first.survey, times_of(first.time_us), first.flux_njy.tolist()))
        ago = {"LSST": 0.4, "ZTF": 0.1}[first.survey]
        return LastVisits(time_us=first.time_us - int(ago * 86_400e6), is_known=np.array([True]))

    found = onsets(curves, visits, 30.0)
    assert sorted(asked) == [("LSST", [0.5], [10_000.0]), ("ZTF", [0.5], [400.0])]
    assert (times_of(found.after_us), times_of(found.before_us)) == ([0.4], [0.5])


def times_of(column: np.ndarray) -> list[float]:
    return [round((one - T0.tai_us) / 86_400e6, 3) for one in column.tolist()]


@pytest.mark.parametrize("dec", [0.0, 45.0, 89.9999, -90.0])
def test_pairs_are_those_of_plain_loops(dec: float) -> None:
    rng = np.random.default_rng(int(abs(dec)))
    ra = rng.uniform(0.0, 360.0, 40) if abs(dec) > 89 else (rng.uniform(-3.0, 3.0, 40) * ARCSEC) % 360.0
    decs = np.clip(dec + rng.uniform(-3.0, 3.0, 40) * ARCSEC, -90.0, 90.0)
    one, two = pairs_within(ra[:20], decs[:20], ra[20:], decs[20:], 1.5)

    def apart(a: int, b: int) -> float:
        d1, d2, da = np.radians(decs[a]), np.radians(decs[b]), np.radians(ra[a] - ra[b])
        h = np.sin((d2 - d1) / 2) ** 2 + np.cos(d1) * np.cos(d2) * np.sin(da / 2) ** 2
        return float(np.degrees(2 * np.arcsin(np.sqrt(h))) * 3600)

    expected = {(a, b) for a in range(20) for b in range(20) if apart(a, b + 20) <= 1.5}
    assert set(zip(one.tolist(), two.tolist(), strict=True)) == expected
    assert expected
