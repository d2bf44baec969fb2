"""Light curves of one transient as one: what other objects at the same place, of this survey or another, add to an object's own.

Surveys give one source several ids: each its own, and sometimes a new one to what had one before. An object that is new by its id
alone is not new.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hub.model.alert import COLUMN_DTYPES, AlertBatch, concatenate
from hub.science.light_curves import LightCurves
from hub.science.transients import ALIAS_ARCSEC, RECREATED_ARCSEC

OWN, SAME_SURVEY = 0, 1
"""Numbers of an alert's origin (`LightCurves.origin`): the object itself, and another of its survey; other surveys follow."""


def united(survey: str, object_ids: Collection[str], alerts: Sequence[AlertBatch]) -> LightCurves:
    """Return the light curves of some objects of a survey, with the alerts of other objects at their places.

    An object lies where its first alert lies, and what is united with it lies within `ALIAS_ARCSEC` of that, or within
    `RECREATED_ARCSEC` where it is of the same survey. Whether it hangs together with still others over these does not matter, so
    the light curve of an object does not depend on what is asked for beside it.

    Parameters
    ----------
    survey, object_ids
        The objects; those without alerts are left out.
    alerts
        Those of the objects, and of others around them; one batch for each survey, each alert once.
    """
    wanted = np.array(sorted(name.encode() for name in object_ids), dtype=COLUMN_DTYPES["object_id"])
    everything = {one.survey: one for one in alerts}
    if survey not in everything:
        return LightCurves.of(AlertBatch.empty(survey))
    own_rows = np.isin(everything[survey].object_id, wanted)
    own = LightCurves.of(everything[survey].take(own_rows))
    found = []
    for number, other in enumerate(sorted(everything, key=lambda name: (name != survey, name)), SAME_SURVEY):
        batch = everything[other]
        is_alone = other == survey and own_rows.all() and len(own) < 2
        if is_alone or not len(own):
            continue
        curves = own if other == survey and own_rows.all() else LightCurves.of(batch.take(batch.object_id != b""))
        radius = RECREATED_ARCSEC if other == survey else ALIAS_ARCSEC
        mine, theirs = pairs_within(*_places(own), *_places(curves), radius)
        if other == survey:
            differ = np.array([own.names[one] != curves.names[two] for one, two in zip(mine, theirs, strict=True)], dtype=bool)
            mine, theirs = mine[differ], theirs[differ]
        if len(mine):
            found.append((number, other, curves, mine, theirs))
    return _joined(own, found) if found else own


def _joined(own: LightCurves, found: Sequence[tuple[int, str, LightCurves, NDArray[np.int64], NDArray[np.int64]]]) -> LightCurves:
    owners, origins, parts = [own.owner], [np.zeros(len(own.owner), dtype=np.int8)], [own.alerts]
    surveys = [own.alerts.survey] * (1 + max(number for number, *_ in found))
    kin: dict[str, tuple[str, ...]] = {}
    for number, survey, curves, mine, theirs in found:
        surveys[number] = survey
        edges = np.searchsorted(curves.owner, np.arange(len(curves) + 1))
        counts = edges[theirs + 1] - edges[theirs]
        rows = np.arange(counts.sum()) + np.repeat(edges[theirs] - (np.cumsum(counts) - counts), counts)
        owners.append(np.repeat(mine, counts))
        origins.append(np.full(len(rows), number, dtype=np.int8))
        parts.append(curves.alerts.take(rows))
        for one, two in zip(mine.tolist(), theirs.tolist(), strict=True):
            kin[own.names[one]] = tuple(sorted((*kin.get(own.names[one], ()), f"{survey}:{curves.names[two]}")))
    owner, origin = np.concatenate(owners), np.concatenate(origins)
    surveyed = [replace(one, survey=own.alerts.survey, provenance=None) for one in parts]
    names = np.array(own.names, dtype=COLUMN_DTYPES["object_id"])
    alerts = replace(concatenate(surveyed), object_id=names[owner])
    order = np.lexsort((alerts.source_id, origin, alerts.mid_tai_us, owner))
    return LightCurves(
        names=own.names,
        alerts=alerts.take(order),
        owner=owner[order],
        origin=origin[order],
        surveys=tuple(surveys),
        kin=kin,
    )


def _places(curves: LightCurves) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where objects lie: at their first alerts."""
    rows = np.searchsorted(curves.owner, np.arange(len(curves)))
    return curves.alerts.ra_deg[rows], curves.alerts.dec_deg[rows]


def pairs_within(
    ra_deg: NDArray[np.float64],
    dec_deg: NDArray[np.float64],
    other_ra_deg: NDArray[np.float64],
    other_dec_deg: NDArray[np.float64],
    radius_arcsec: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of places that are no farther from each other than a radius, by index; exact also at the poles.

    Only places of nearly the same declination are compared: few, where they are not all in one field.
    """
    order = np.argsort(other_dec_deg, kind="stable")
    reach = radius_arcsec / 3600.0 * (1.0 + 1e-9) + 1e-12
    first = np.searchsorted(other_dec_deg[order], dec_deg - reach, side="left")
    last = np.searchsorted(other_dec_deg[order], dec_deg + reach, side="right")
    counts = last - first
    one = np.repeat(np.arange(len(ra_deg)), counts)
    two = order[np.arange(counts.sum()) + np.repeat(first - (np.cumsum(counts) - counts), counts)]
    a, b = _units(ra_deg[one], dec_deg[one]), _units(other_ra_deg[two], other_dec_deg[two])
    near = 2.0 * np.arcsin(np.minimum(1.0, np.linalg.norm(a - b, axis=1) / 2.0)) <= np.radians(radius_arcsec / 3600.0)
    return one[near], two[near]


def _units(ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def is_recreated(curves: LightCurves) -> NDArray[np.bool_]:
    """Tell of each object whether another one of its survey was detected at its place before it had its id."""
    if curves.origin is None:
        return np.zeros(len(curves), dtype=bool)
    times = curves.alerts.mid_tai_us
    latest = np.iinfo(np.int64).max
    own = curves.least(np.where(curves.origin == OWN, times, latest))
    return np.asarray(curves.least(np.where(curves.origin == SAME_SURVEY, times, latest)) < own, dtype=np.bool_)


def names_of(curves: Mapping[str, LightCurves]) -> set[tuple[str, str]]:
    """Return survey and object id of all objects that are united with others."""
    found = {name for one in curves.values() for names in one.kin.values() for name in names}
    return {(name.partition(":")[0], name.partition(":")[2]) for name in found}
