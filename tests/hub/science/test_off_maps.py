"""Off maps: how alerts there look as if they were in the map."""

import numpy as np

from hub.model.alert import COLUMN_DTYPES, NO_TIME, AlertBatch
from hub.science.healpix import pixels29
from hub.science.off_maps import DAY_US, Shift, moved_back


def test_all_times_that_an_alert_tells_of_are_shifted_and_those_it_does_not_are_left_out():
    """Else an object would begin after the event that it is looked at for, because its packet told of its past."""
    times = [name for name in COLUMN_DTYPES if name.endswith("_tai_us")]
    columns = {name: np.zeros(2, dtype=kind) for name, kind in COLUMN_DTYPES.items()}
    columns |= {name: np.array([1_000 + place, NO_TIME if name != "mid_tai_us" else 7]) for place, name in enumerate(times)}
    columns["ra_deg"] = np.array([5.0, 200.0])
    alerts = AlertBatch.from_columns("LSST", **columns)

    moved = moved_back(alerts, Shift(ra_deg=10.0, days=3))

    for name in times:
        old, new = getattr(alerts, name), getattr(moved, name)
        assert new[0] == old[0] + 3 * DAY_US
        assert new[1] == (NO_TIME if old[1] == NO_TIME else old[1] + 3 * DAY_US)
    np.testing.assert_allclose(moved.ra_deg, [355.0, 190.0])
    np.testing.assert_array_equal(moved.hpx29, pixels29(moved.ra_deg, moved.dec_deg))
