"""Which detectors of a visit sent no alerts although they should have: lost or unprocessed alerts, or sky without a template.

A detector is expected where it sent alerts in most of the neighbouring visits, and so many that none at all is no chance. A visit
without enough neighbours is held against the camera's list.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.model.visit import DetectorVisits, FootprintKind
from hub.science.footprint import unit_vectors
from hub.science.footprint_camera import MIN_DETECTORS, Camera, point, to_plane

NEIGHBOURS = 10
"""Visits before and after that are looked at."""

MIN_NEIGHBOURS = 3
"""With fewer the neighbours tell nothing."""

MIN_ALERTS = 10.0
"""Mean alerts of a detector in a visit from which on none at all is no chance: exp(-10) is one in 20,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """Detectors of one visit."""

    visit: int
    n_received: int
    n_expected: int | None
    """Those received count as expected; None where nothing tells."""

    missing: tuple[int, ...]
    """Expected ones without an alert, ascending."""

    basis: str | None
    """``neighbours`` or ``camera``: what tells which are expected."""


def completeness(visits: DetectorVisits, camera: Collection[int] = ()) -> list[Completeness]:
    """Return what is missing of each visit of one survey and night, in order of their times.

    Parameters
    ----------
    visits
        All rows of a survey in a night.
    camera
        Numbers of the detectors; empty where the camera is not known.
    """
    named = visits.take(visits.detector >= 0)
    numbers, which = np.unique(named.visit, return_inverse=True)
    detectors, column = np.unique(named.detector, return_inverse=True)
    times = np.full(len(numbers), np.iinfo(np.int64).max)
    np.minimum.at(times, which, named.mid_tai_us)
    order = np.lexsort((numbers, times))
    rank = np.empty(len(numbers), dtype=np.int64)
    rank[order] = np.arange(len(numbers))
    alerts = np.zeros((len(numbers), len(detectors)))
    alerts[rank[which], column] = named.n_alerts
    expected, has_neighbours = _expected(alerts)
    found = []
    all_of_it = frozenset(camera)
    for place, row in enumerate(order.tolist()):
        received = frozenset(detectors[alerts[place] > 0].tolist())
        basis, wanted = None, received
        if has_neighbours[place]:
            basis, wanted = "neighbours", frozenset(detectors[expected[place]].tolist())
        elif all_of_it and alerts[place].sum() >= MIN_ALERTS * len(received):
            basis, wanted = "camera", all_of_it
        missing = tuple(sorted(wanted - received))
        found.append(
            Completeness(
                visit=int(numbers[row]),
                n_received=len(received),
                n_expected=None if basis is None else len(received) + len(missing),
                missing=missing,
                basis=basis,
            )
        )
    return found


def silent_detector(camera: Camera, visit: DetectorVisits, ra_deg: float, dec_deg: float) -> int | None:
    """Return the detector that looked at a position in a visit and sent no alert; None where there is none, or nothing tells.

    Parameters
    ----------
    camera
        Of the survey.
    visit
        Rows of one visit, of the detectors around the position at least.
    ra_deg, dec_deg
        ICRS.
    """
    outline = visit.footprint.codes == _code(visit, FootprintKind.OUTLINE.value)
    laid = visit.take(outline & (visit.detector >= 0) & (visit.detector < len(camera)))
    if len(laid) < MIN_DETECTORS:
        return None
    detectors = laid.detector.astype(np.int64)
    pointing = point(camera, detectors, unit_vectors(laid.ra_deg, laid.dec_deg), np.ones(len(laid), dtype=np.int64))
    if pointing is None:
        return None
    here = to_plane(pointing.towards, unit_vectors([ra_deg], [dec_deg])) / pointing.turn
    offset = (np.conj(here) if pointing.is_mirrored else here) - camera.centres
    half = camera.half_sizes
    inside = np.flatnonzero((np.abs(offset.real) <= half.real) & (np.abs(offset.imag) <= half.imag))
    return int(inside[0]) if len(inside) and inside[0] not in visit.detector else None


def _code(visit: DetectorVisits, kind: str) -> int:
    return visit.footprint.values.index(kind) if kind in visit.footprint.values else -1


def _expected(alerts: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which detectors the neighbours of each visit make expected, and whether it has enough of them."""
    n = len(alerts)
    first = np.maximum(np.arange(n) - NEIGHBOURS, 0)
    end = np.minimum(np.arange(n) + NEIGHBOURS + 1, n)
    around = (end - first - 1).astype(np.float64)

    def others(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.concatenate((np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)))
        return np.asarray(sums[end] - sums[first] - values)

    seen = others((alerts > 0).astype(np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(seen > 0, others(alerts) / seen, 0.0)
    enough = around >= MIN_NEIGHBOURS
    return (2 * seen >= around[:, None]) & (mean >= MIN_ALERTS) & enough[:, None], enough
