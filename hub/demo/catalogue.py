"""All detections of all places as one table in time order, with ids, histories and the numbers that a packet wants."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.demo.population import (
    ACTIVE_GALAXY,
    ARTEFACT,
    COUNTERPART,
    DECOY,
    FLARE,
    KNOWN_ASTEROID,
    SUPERNOVA,
    UNKNOWN_ASTEROID,
    VARIABLE_STAR,
    Detections,
    Sky,
)

FIRST_SOURCE_ID = 160_000_000_000_000_000
"""Ids start here, beyond 2**53 as LSST's do."""

FIRST_SOLAR_SYSTEM_ID = 21_163_000_000_000_000
"""Ids of known asteroids start here, the size of LSST's."""

DETECTOR_DEG = 0.2385
"""Side of one of the 189 detectors, whose 9.6 square degrees are 3.1 degrees across (Ivezic et al. 2019, ApJ 873, 111)."""

DETECTOR_PIXELS = 4000.0
"""Side of a detector in pixels, rounded."""

_TEMPLATE_LOG_NJY = {
    VARIABLE_STAR: (3.8, 5.5),
    ACTIVE_GALAXY: (3.3, 5.0),
    SUPERNOVA: (2.8, 4.8),
    FLARE: (1.5, 3.5),
    ARTEFACT: (2.0, 5.0),
    KNOWN_ASTEROID: (0.0, 1.8),
    UNKNOWN_ASTEROID: (0.0, 1.8),
    COUNTERPART: (4.7, 4.9),
    DECOY: (2.0, 2.5),
}
"""Range of the logarithm of the template's flux at the place of a source: host or star, nJy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Sources in time order, one row each, all of shape ``(n,)``."""

    source_id: NDArray[np.int64]
    object_id: NDArray[np.int64]
    """Id of the first source of the object; 0 for a known asteroid."""

    solar_system_id: NDArray[np.int64]
    """0 for whatever is no known asteroid."""

    kind: NDArray[np.int64]
    place: NDArray[np.int64]
    """Index of the place."""

    night: NDArray[np.int64]
    """-1 in the seasons before."""

    visit: NDArray[np.int64]
    """Visit number as LSST writes it: day of observation and a counter."""

    detector: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    mjd_tai: NDArray[np.float64]
    band: NDArray[np.bytes_]
    ra_deg: NDArray[np.float64]
    dec_deg: NDArray[np.float64]
    flux_njy: NDArray[np.float64]
    error_njy: NDArray[np.float64]
    template_njy: NDArray[np.float64]
    reliability: NDArray[np.float64]
    is_dipole: NDArray[np.bool_]
    group_start: NDArray[np.int64]
    """Position in `by_object` where the object of the row begins."""

    rank: NDArray[np.int64]
    """Number of earlier sources of the same object."""

    by_object: NDArray[np.int64]
    """Row numbers ordered by object, then time."""

    def __len__(self) -> int:
        return len(self.source_id)

    def history(self, row: int) -> NDArray[np.int64]:
        """Return the rows of the earlier sources of the same object, in time order."""
        start = self.group_start[row]
        return self.by_object[start : start + self.rank[row]]


def build_catalogue(places: Sequence[tuple[Sky, Detections]], rng: np.random.Generator) -> Catalogue:
    """Return the table of everything detected."""
    thing, visit_index, kind = _joined(places)
    mjd, band, night, place = _visit_columns(places)
    columns = {
        name: np.concatenate([getattr(found, name) for _, found in places])
        for name in ("ra_deg", "dec_deg", "flux_njy", "error_njy", "reliability", "is_dipole")
    }
    order = np.lexsort((np.arange(len(thing)), visit_index, mjd[visit_index]))
    thing, visit_index, kind = thing[order], visit_index[order], kind[order]
    columns = {name: values[order] for name, values in columns.items()}
    lone = kind == UNKNOWN_ASTEROID  # it has moved away by the next visit: a new object each time
    thing[lone] = thing.max() + 1 + np.arange(int(lone.sum()))
    detector, x, y = _detectors([sky for sky, _ in places], place[visit_index], columns["ra_deg"], columns["dec_deg"])
    visit_number, visit_rank = _visit_numbers(mjd)
    in_visit = _rank_within(visit_index)
    source_id = FIRST_SOURCE_ID + visit_rank[visit_index] * 10**9 + detector * 10**6 + in_visit
    by_object = np.lexsort((np.arange(len(thing)), thing))
    begins = np.flatnonzero(np.diff(thing[by_object], prepend=-1))
    lengths = np.diff(np.append(begins, len(thing)))
    start, number = np.empty_like(thing), np.empty_like(thing)
    start[by_object] = np.repeat(begins, lengths)
    number[by_object] = np.repeat(np.arange(len(begins)), lengths)
    known = kind == KNOWN_ASTEROID
    low, high = np.array([_TEMPLATE_LOG_NJY[k] for k in range(len(_TEMPLATE_LOG_NJY))]).T
    template = rng.random(len(begins))[number] * (high - low)[kind] + low[kind]
    return Catalogue(
        source_id=source_id,
        object_id=np.where(known, 0, source_id[by_object[start]]),
        solar_system_id=np.where(known, FIRST_SOLAR_SYSTEM_ID + 7919 * number, 0),
        kind=kind,
        place=place[visit_index],
        night=night[visit_index],
        visit=visit_number[visit_index],
        detector=detector,
        x=x,
        y=y,
        mjd_tai=mjd[visit_index],
        band=band[visit_index],
        template_njy=10.0**template,
        group_start=start,
        rank=_inverse_rank(by_object, start),
        by_object=by_object,
        **columns,
    )


def _joined(places: Sequence[tuple[Sky, Detections]]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    things, visits = [], []
    things_before = visits_before = 0
    for sky, found in places:
        things.append(found.thing + things_before)
        visits.append(found.visit + visits_before)
        things_before += int(found.thing.max()) + 1 if len(found) else 0
        visits_before += len(sky.visits)
    return np.concatenate(things), np.concatenate(visits), np.concatenate([found.kind for _, found in places])


def _visit_columns(
    places: Sequence[tuple[Sky, Detections]],
) -> tuple[NDArray[np.float64], NDArray[np.bytes_], NDArray[np.int64], NDArray[np.int64]]:
    return (
        np.concatenate([sky.visits.mjd_tai for sky, _ in places]),
        np.concatenate([sky.visits.band for sky, _ in places]).astype("S1"),
        np.concatenate([sky.visits.night for sky, _ in places]),
        np.repeat(np.arange(len(places)), [len(sky.visits) for sky, _ in places]),
    )


def _visit_numbers(mjd: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return visit numbers as LSST's (day of observation, from noon UTC on, times 10^5 plus a counter) and ranks in time."""
    order = np.argsort(mjd, kind="stable")
    rank = np.empty(len(mjd), dtype=np.int64)
    rank[order] = np.arange(len(mjd))
    day = np.floor(mjd - 0.5).astype(np.int64)
    date = (np.datetime64("1858-11-17") + day).astype("datetime64[D]")
    text = np.datetime_as_string(date)
    number = np.array([int(item.replace("-", "")) for item in text.tolist()], dtype=np.int64)
    counter = np.empty(len(mjd), dtype=np.int64)
    counter[order] = _rank_within(day[order])
    return number * 100_000 + counter + 1, rank


def _rank_within(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each row how many earlier rows are of the same group; equal groups need not be neighbours."""
    order = np.argsort(groups, kind="stable")
    begins = np.flatnonzero(np.diff(groups[order], prepend=groups.min() - 1))
    lengths = np.diff(np.append(begins, len(groups)))
    rank = np.empty(len(groups), dtype=np.int64)
    rank[order] = np.arange(len(groups)) - np.repeat(begins, lengths)
    return rank


def _inverse_rank(by_object: NDArray[np.int64], start: NDArray[np.int64]) -> NDArray[np.int64]:
    rank = np.empty(len(by_object), dtype=np.int64)
    rank[by_object] = np.arange(len(by_object)) - start[by_object]
    return rank


def _detectors(
    skies: Sequence[Sky], place: NDArray[np.int64], ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return detector and pixel on a plain grid of 13 x 13 detectors around the middle of the focal plane."""
    ra0 = np.array([sky.place.ra_deg for sky in skies])[place]
    dec0 = np.array([sky.place.dec_deg for sky in skies])[place]
    east = ((ra_deg - ra0 + 180.0) % 360.0 - 180.0) * np.cos(np.radians(dec0))
    column = np.clip(east / DETECTOR_DEG + 6.5, 0.0, 12.999)
    row = np.clip((dec_deg - dec0) / DETECTOR_DEG + 6.5, 0.0, 12.999)
    detector = np.floor(row).astype(np.int64) * 13 + np.floor(column).astype(np.int64)
    return detector, column % 1.0 * DETECTOR_PIXELS, row % 1.0 * DETECTOR_PIXELS
