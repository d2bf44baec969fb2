"""From a night's rows to its visits: one row for each detector of each visit, whatever the order and however often rows come."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hub.archive.columns import words_of
from hub.model.alert import NO_TIME, Words
from hub.model.visit import DEPTH_SIGMA, DetectorVisits, FootprintKind, Footprints
from hub.science.footprint import Halves, positions_of, unit_vectors
from hub.science.footprint_camera import MARGIN_RAD, MAX_OUTSIDE, Camera, outlines, outside, point, sharpen

COLUMNS = (
    "survey",
    "source_id",
    "mid_tai_us",
    "ra",
    "dec",
    "flux_err_njy",
    "band",
    "visit",
    "detector",
    "reason",
    "target",
    "schema",
    "reliability_version",
)
"""Columns of the archive that the ledger is made from."""

MIN_HULL_SR = (10.0 / 206_264.806) ** 2
"""A hull smaller than this, 10 arcsec squared, is the alerts of one thing and no footprint."""

_Keys = tuple[list[str], NDArray[np.int64], NDArray[np.int64]]
_TEXTS = ("band", "reason", "target", "schema", "reliability_version")


def detector_visits(rows: pa.Table, cameras: Mapping[str, Camera]) -> DetectorVisits:
    """Return what the detectors searched, ordered by survey, visit and detector.

    Rows that name no visit or have no time or position are left out. Memory grows with the rows, about 150 bytes each.

    Parameters
    ----------
    rows
        `COLUMNS` of archived rows of whole visits, in any order, repeats allowed.
    cameras
        By survey, as `hub.science.footprint_camera.load_cameras` gives them.
    """
    from hub.science.footprint_kernels import order_by_group, summarise_groups  # noqa: PLC0415 - numba takes half a second

    rows = _usable(rows)
    if rows.num_rows == 0:
        return DetectorVisits.empty()
    survey = words_of(rows["survey"])
    ra, dec = _floats(rows, "ra"), _floats(rows, "dec")
    code, keys = _groups(survey, _ints(rows, "visit"), _ints(rows, "detector"))
    order, first = order_by_group(code, len(keys[0]))
    n_alerts, mid, error, middle, corner_first, corners = summarise_groups(
        order, first, _ints(rows, "source_id"), _ints(rows, "mid_tai_us"), _floats(rows, "flux_err_njy"), ra, dec, MIN_HULL_SR
    )
    names, visit, detector = keys
    hulls = Footprints(first=corner_first, ra_deg=ra[corners], dec_deg=dec[corners])
    polygons, kinds = _with_outlines(keys, n_alerts, middle, hulls, cameras)
    halves = Halves.of(polygons)
    ra_deg, dec_deg = positions_of(np.where(halves.radius[:, None] >= 0, halves.centre, middle))
    texts = {name: _texts(words_of(rows[name]), order, first) for name in _TEXTS}
    columns: dict[str, Any] = {"band": texts.pop("band"), **texts}
    return DetectorVisits(
        survey=Words.of(names),
        visit=visit,
        detector=detector.astype(np.int32),
        mid_tai_us=mid,
        n_alerts=n_alerts,
        depth_njy=DEPTH_SIGMA * error,
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        footprint=Words.of(kinds),
        polygons=polygons,
        **columns,
    )


def _usable(rows: pa.Table) -> pa.Table:
    ra, dec = _floats(rows, "ra"), _floats(rows, "dec")
    good = (_ints(rows, "visit") > 0) & (_ints(rows, "mid_tai_us") != NO_TIME) & np.isfinite(ra) & np.isfinite(dec)
    return rows if good.all() else rows.filter(pa.array(good))


def _groups(survey: Words, visit: NDArray[np.int64], detector: NDArray[np.int64]) -> tuple[NDArray[np.int64], _Keys]:
    """Return for each row the number of its group, and survey, visit and detector of each group, ascending."""
    names = sorted(set(survey.values))
    rank = np.array([names.index(name) for name in survey.values], dtype=np.int64)[survey.codes]
    visits, detectors = np.unique(visit), np.unique(detector)
    code = (rank * len(visits) + np.searchsorted(visits, visit)) * len(detectors) + np.searchsorted(detectors, detector)
    n_possible = len(names) * len(visits) * len(detectors)
    if n_possible <= 4 * len(code) + 1_000_000:
        present = np.flatnonzero(np.bincount(code, minlength=n_possible))
        number = np.empty(n_possible, dtype=np.int64)
        number[present] = np.arange(len(present))
        code = number[code]
    else:  # detector numbers that make no sense
        present, code = np.unique(code, return_inverse=True)
    above, at = np.divmod(present, len(detectors))
    which, when = np.divmod(above, len(visits))
    return code, ([names[index] for index in which.tolist()], visits[when], detectors[at])


def _with_outlines(
    keys: _Keys,
    n_alerts: NDArray[np.int64],
    middle: NDArray[np.float64],
    hulls: Footprints,
    cameras: Mapping[str, Camera],
) -> tuple[Footprints, list[str]]:
    """Return the outlines of detectors where the camera is known and the visit's alerts fit it, else their hulls."""
    names, visit, detector = keys
    n = len(names)
    has_outline = np.zeros(n, dtype=np.bool_)
    corners = np.empty((n, 4, 3))
    hull_vectors = unit_vectors(hulls.ra_deg, hulls.dec_deg)
    survey = np.array(names)
    begins = np.flatnonzero(np.concatenate(([True], (visit[1:] != visit[:-1]) | (survey[1:] != survey[:-1]))))
    for begin, end in zip(begins.tolist(), [*begins[1:].tolist(), n], strict=True):
        camera = cameras.get(names[begin])
        if camera is None:
            continue
        own = np.arange(begin, end)
        own = own[(detector[own] >= 0) & (detector[own] < len(camera))]
        pointing = point(camera, detector[own], middle[own], n_alerts[own])
        if pointing is None:
            continue
        hulls_of = hulls.take(own)
        pointing = sharpen(
            camera, pointing, detector[own], n_alerts[own], unit_vectors(hulls_of.ra_deg, hulls_of.dec_deg), hulls_of.first
        )
        span = slice(int(hulls.first[begin]), int(hulls.first[end]))
        owner = np.repeat(np.arange(begin, end), hulls.n_corners[begin:end])
        inside = np.isin(owner, own)
        beyond = outside(camera, pointing, detector[owner[inside]], hull_vectors[span][inside]) > MARGIN_RAD
        if not inside.any() or np.isnan(hull_vectors[span]).any() or beyond.sum() > MAX_OUTSIDE * n_alerts[own].sum():
            continue
        corners[own] = outlines(camera, pointing, detector[own])
        has_outline[own] = True
    counts = np.where(has_outline, 4, hulls.n_corners)
    first = np.concatenate(([0], np.cumsum(counts)))
    ra, dec = np.empty(first[-1]), np.empty(first[-1])
    of_outline = np.repeat(has_outline, counts)
    ra[of_outline], dec[of_outline] = positions_of(corners[has_outline].reshape(-1, 3))
    of_hull = np.repeat(~has_outline, hulls.n_corners)
    ra[~of_outline], dec[~of_outline] = hulls.ra_deg[of_hull], hulls.dec_deg[of_hull]
    kinds = [
        (FootprintKind.OUTLINE if one else FootprintKind.HULL if count else FootprintKind.NONE).value
        for one, count in zip(has_outline.tolist(), counts.tolist(), strict=True)
    ]
    return Footprints(first=first, ra_deg=ra, dec_deg=dec), kinds


def _texts(words: Words, order: NDArray[np.int64], first: NDArray[np.int64]) -> Words:
    """Return the text of each group: that of all its rows, or the different ones that say something, sorted, with commas."""
    values = sorted(set(words.values))
    rank = np.array([values.index(one) for one in words.values] or [0], dtype=np.int64)[words.codes][order]
    low, high = np.minimum.reduceat(rank, first[:-1]), np.maximum.reduceat(rank, first[:-1])
    codes = low.copy()
    more: dict[str, int] = {}
    for group in np.flatnonzero(low != high).tolist():
        texts = [values[code] for code in np.unique(rank[first[group] : first[group + 1]]).tolist() if values[code]]
        codes[group] = more.setdefault(",".join(texts), len(values) + len(more))
    return Words(codes.astype(np.int32), (*values, *more))


def _ints(rows: pa.Table, name: str) -> NDArray[np.int64]:
    return np.asarray(rows[name].to_numpy(), dtype=np.int64)


def _floats(rows: pa.Table, name: str) -> NDArray[np.float64]:
    return np.asarray(rows[name].to_numpy(), dtype=np.float64)
