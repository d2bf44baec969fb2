"""When places were last looked at, and deep enough, among visits at hand: what a ledger answers of them."""

import numpy as np

from hub.model.alert import NO_TIME
from hub.model.visit import DetectorVisits
from hub.science.onset import FirstSeen, LastVisits, VisitsBefore
from hub.science.point_visits import looks

SAME_VISIT_US = 10_000_000
"""A visit whose middle is this near to a first detection is the one that made it, microseconds."""

_DAY_US = 86_400_000_000


def visits_before(visits: DetectorVisits, *, ra_shift_deg: float = 0.0, shift_us: int = 0) -> VisitsBefore:
    """Return what tells of the last visit before first detections; these visits are taken to be all that there were.

    Parameters
    ----------
    visits
        Around all places that will be asked about.
    ra_shift_deg, shift_us
        Objects are asked for as they are after they were turned back and shifted in time (`hub.science.off_maps`): what must be
        added to their right ascension, and taken from their times, to meet the visits.
    """

    def answer(first: FirstSeen, look_back_d: float) -> LastVisits:
        n = len(first.time_us)
        seen = looks((first.ra_deg + ra_shift_deg) % 360.0, first.dec_deg, visits)
        mid, time = seen.mid_us + shift_us, first.time_us[seen.point]
        keep = (mid < time - SAME_VISIT_US) & (mid >= time - int(look_back_d * _DAY_US))
        keep &= visits.depth_njy[seen.visit] < first.flux_njy[seen.point]
        bands = np.array([one.encode() for one in visits.band.values] or [b""], dtype=first.band.dtype)
        keep &= bands[visits.band.codes[seen.visit]] == first.band[seen.point]
        last = np.full(n, NO_TIME)
        np.maximum.at(last, seen.point[keep], mid[keep])
        return LastVisits(time_us=last, is_known=np.ones(n, dtype=np.bool_))

    return answer
