"""How bright a candidate is expected to be: by the light curves of its hypothesis, the map's distance, and the Galaxy's dust."""

import math

from hub.model.coincidence import Candidate
from hub.model.event import Event
from hub.model.instant import Instant
from hub.model.sky import SkymapSummary
from hub.science.families import BANDS, Families
from hub.science.latitudes import galactic_latitude_deg
from hub.science.rules import DAY_S, Rules


def expected_mags(event: Event, one: Candidate, summary: SkymapSummary | None, at: Instant, rules: Rules) -> dict[str, float]:
    """Return the mean AB magnitude of the hypothesis' family by band, at the map's mean distance; nothing where nobody can say.

    Parameters
    ----------
    event, one
        What was seen, and a candidate of it under a hypothesis.
    summary
        Of the event's map; None where it has none.
    at
        When it would be observed. Before the event the family shines in no band.
    rules
        Hypotheses and families.
    """
    hypothesis = next((found for found in rules.hypotheses if found.name == one.hypothesis), None)
    families: Families | None = rules.families
    if hypothesis is None or hypothesis.light_curve is None or families is None or event.t0 is None:
        return {}
    if summary is None or summary.dist_mean_mpc is None or not summary.dist_mean_mpc > 0.0:
        return {}
    ebv = families.dust.ebv(float(galactic_latitude_deg(one.ra_deg, one.dec_deg)))
    age_d = at.minus(event.t0) / DAY_S
    means = {
        band: families.expected_magnitude(hypothesis.light_curve, age_d, summary.dist_mean_mpc, band, ebv=ebv).mean
        for band in BANDS
    }
    return {band: mean for band, mean in means.items() if math.isfinite(mean)}
