"""What the telescopes of an allocation see of a target in the window of a template: by visibility, or by fields on a map."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from hub.model.followup import TargetField, Visibility
from hub.model.instant import Instant
from hub.model.sky import Skymap
from hub.science.followup_facts import Seen
from hub.science.followup_policy import Allocation, Template
from hub.science.sites import Constraints, Site

REMEMBERED = 256
"""Answers that are remembered: an intent is made of what its decision saw a moment before."""


def window(template: Template, t0: Instant | None, now: Instant) -> tuple[Instant, Instant]:
    """Return when what a template asks for may begin and must end; the end may be before the begin."""
    begin = min(t0, now) if template.from_trigger and t0 is not None else now
    return now, begin.plus_s(template.window_h * 3600.0)


def visible(
    place: tuple[float, float], sites: tuple[Site, ...], template: Template, start: Instant, end: Instant
) -> tuple[Visibility, ...]:
    """Return for each site whether it sees a place, ICRS degrees, in a window, and why not."""
    return _visible(place, sites, start, end, needs(template))


def seen(visibility: tuple[Visibility, ...]) -> Seen:
    """Return whether any site sees the target, with the sentences of those that do, else of all."""
    seeing = [one.reason for one in visibility if one.is_observable]
    return Seen(is_observable=bool(seeing), reason="; ".join(seeing or [f"{one.site}: {one.reason}" for one in visibility]))


def needs(template: Template) -> Constraints:
    """Return the constraints of a template."""
    return Constraints(max_airmass=template.max_airmass, min_moon_separation_deg=template.min_moon_separation_deg)


def fields_of(  # noqa: PLR0917 - of which map, of whom, with what and when
    skymap: Skymap,
    allocation: Allocation,
    template: Template,
    sites: tuple[Site, ...],
    start: Instant,
    end: Instant,
) -> tuple[TargetField, ...]:
    """Return the fields of a map that the best of some sites can observe, in order; none where there are none."""
    from hub.science.planning.fields import Field  # noqa: PLC0415 - compiled parts, wanted only where a rule is for maps
    from hub.science.planning.planner import NoPlan, Pointing, Timing, plan  # noqa: PLC0415 - as above

    if allocation.fov_deg is None or end.minus(start) <= 0.0:
        return ()
    timing = Timing(start=start, hours=end.minus(start) / 3600.0, exposure_s=template.field_seconds)
    field = Field(fov_deg=allocation.fov_deg)
    best: list[Pointing] = []
    most = 0.0
    for site in sites:
        try:
            fields = plan(skymap, field, template.max_fields, timing, site, needs(template))
        except NoPlan:
            continue
        if fields[-1].cum_prob > most:
            best, most = fields, fields[-1].cum_prob
    chosen = []
    for one in best:
        chosen.append(TargetField(ra_deg=one.ra_deg, dec_deg=one.dec_deg, prob=one.prob))
        if template.max_prob is not None and one.cum_prob >= template.max_prob:
            break
    return tuple(chosen)


def prob_of(skymap: Skymap, fov_deg: float, places: Sequence[tuple[float, float]]) -> float:
    """Return the probability in the union of square fields of a side in degrees around places, ICRS degrees."""
    from hub.science.planning.fields import Field  # noqa: PLC0415 - compiled parts, wanted only where a rule is for maps
    from hub.science.planning.scoring import scores  # noqa: PLC0415 - as above

    return float(scores(skymap, Field(fov_deg=fov_deg), np.array(places, dtype=np.float64))[1][-1])


@lru_cache(REMEMBERED)
def _visible(
    place: tuple[float, float], sites: tuple[Site, ...], start: Instant, end: Instant, constraints: Constraints
) -> tuple[Visibility, ...]:
    from hub.science.visibility import visibility  # noqa: PLC0415 - two seconds and 100 MB, wanted only where a rule matches

    return visibility(*place, sites, start, end, constraints)
