"""What a survey searched, one row for each detector of each visit: when, where, how deep, and why."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hub.model.alert import Words, join_words

AB_ZERO_POINT_NJY = 31.4
"""AB magnitude of one nanojansky: 2.5 log10(3631e9) rounded as Rubin does (LSST data products, LSE-163, section 3.3)."""

DEPTH_SIGMA = 5.0
"""The depth of a visit is the flux of a source of this many standard deviations."""


class FootprintKind(StrEnum):
    """What the region that a detector searched is taken from."""

    OUTLINE = "outline"
    """The detector's own outline, laid where all alerts of the visit put the camera."""

    HULL = "hull"
    """The convex hull of its alerts: less than what was searched, never more."""

    NONE = "none"
    """Nothing: too few alerts, or all of them on a line, and no outline."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Footprints:
    """Convex polygons on the sphere with great circles as edges, ICRS, all corners in one list."""

    first: NDArray[np.int64]
    """Index of the first corner of each polygon, shape ``(n + 1,)``, read-only; a polygon without corners is empty."""

    ra_deg: NDArray[np.float64]
    """Corners, counter-clockwise as seen from within the sphere's outside, shape ``(m,)``, read-only."""

    dec_deg: NDArray[np.float64]

    def __post_init__(self) -> None:
        for column in (self.first, self.ra_deg, self.dec_deg):
            column.setflags(write=False)

    def __len__(self) -> int:
        return len(self.first) - 1

    @classmethod
    def empty(cls, n: int) -> Self:
        """Return ``n`` polygons without corners."""
        return cls(first=np.zeros(n + 1, dtype=np.int64), ra_deg=np.zeros(0), dec_deg=np.zeros(0))

    @property
    def n_corners(self) -> NDArray[np.int64]:
        """How many corners each has, shape ``(n,)``."""
        return np.diff(self.first)

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Return the polygons of an index or mask."""
        rows = np.flatnonzero(index) if index.dtype == np.bool_ else index
        counts = self.n_corners[rows]
        first = np.concatenate(([0], np.cumsum(counts)))
        corners = np.arange(first[-1]) + np.repeat(self.first[rows] - first[:-1], counts)
        return type(self)(first=first, ra_deg=self.ra_deg[corners], dec_deg=self.dec_deg[corners])

    def corners(self, index: int) -> list[tuple[float, float]]:
        """Return the corners of one polygon as (ra, dec) in degrees."""
        own = slice(int(self.first[index]), int(self.first[index + 1]))
        return list(zip(self.ra_deg[own].tolist(), self.dec_deg[own].tolist(), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DetectorVisits:
    """Detectors in visits, one row each, all columns of shape ``(n,)``; no two rows of one (survey, visit, detector)."""

    survey: Words
    visit: NDArray[np.int64]
    """The survey's number of the exposure, > 0."""

    detector: NDArray[np.int32]
    """Number of the detector in the camera; -1 where the packets do not say, and the row stands for the whole visit."""

    mid_tai_us: NDArray[np.int64]
    """Middle of the exposure, `Instant.tai_us`."""

    band: Words
    n_alerts: NDArray[np.int64]
    """Different alerts."""

    depth_njy: NDArray[np.float64]
    """`DEPTH_SIGMA` times the median error of the difference flux, nJy; NaN where no alert states an error."""

    ra_deg: NDArray[np.float64]
    """A position in the middle: of the polygon, or of the alerts where there is none."""

    dec_deg: NDArray[np.float64]
    footprint: Words
    """A `FootprintKind` each."""

    polygons: Footprints
    reason: Words
    """LSST ``observation_reason``; several with commas where the alerts differ, here and below; empty where not stated."""

    target: Words
    """LSST ``target_name``."""

    schema: Words
    """Format and version of the packets."""

    reliability_version: Words

    def __post_init__(self) -> None:
        for column in (getattr(self, name) for name in NUMBER_COLUMNS):
            column.setflags(write=False)

    def __len__(self) -> int:
        return len(self.visit)

    @classmethod
    def empty(cls) -> Self:
        """Return no rows."""
        columns: dict[str, Any] = {name: np.zeros(0, dtype=kind) for name, kind in NUMBER_COLUMNS.items()}
        columns |= {name: Words.of(()) for name in TEXT_COLUMNS}
        return cls(**columns, polygons=Footprints.empty(0))

    @property
    def is_in_part(self) -> NDArray[np.bool_]:
        """Which rows' footprints are less than what was searched, or none."""
        return ~_says(self.footprint, FootprintKind.OUTLINE.value)

    @property
    def has_band(self) -> NDArray[np.bool_]:
        """Which rows say their band."""
        return ~_says(self.band, "")

    @property
    def has_depth(self) -> NDArray[np.bool_]:
        """Which rows say how deep they went; errors of zero and less say nothing."""
        return np.asarray(np.isfinite(self.depth_njy) & (self.depth_njy > 0))

    @property
    def is_unsure(self) -> NDArray[np.bool_]:
        """Of which rows it is not known where all of the detector looked, in which band, or how deep."""
        return self.is_in_part | ~self.has_band | ~self.has_depth

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Return the rows of an index or mask."""
        columns: dict[str, Any] = {name: getattr(self, name)[index] for name in NUMBER_COLUMNS}
        columns |= {name: getattr(self, name).take(index) for name in TEXT_COLUMNS}
        return type(self)(**columns, polygons=self.polygons.take(index))


def _says(words: Words, wanted: str) -> NDArray[np.bool_]:
    return np.asarray(np.isin(words.codes, [code for code, value in enumerate(words.values) if value == wanted]))


NUMBER_COLUMNS = {
    "visit": "i8",
    "detector": "i4",
    "mid_tai_us": "i8",
    "n_alerts": "i8",
    "depth_njy": "f8",
    "ra_deg": "f8",
    "dec_deg": "f8",
}
"""Columns of `DetectorVisits` that are arrays, with their types."""

TEXT_COLUMNS = tuple(
    field.name for field in fields(DetectorVisits) if field.name not in NUMBER_COLUMNS and field.name != "polygons"
)
"""Columns of `DetectorVisits` that are `Words`."""


def joined(parts: list[DetectorVisits]) -> DetectorVisits:
    """Return the rows of all parts, in their order."""
    if not parts:
        return DetectorVisits.empty()
    columns: dict[str, Any] = {name: np.concatenate([getattr(one, name) for one in parts]) for name in NUMBER_COLUMNS}
    columns |= {name: join_words([getattr(one, name) for one in parts]) for name in TEXT_COLUMNS}
    shifts = np.concatenate(([0], np.cumsum([len(one.polygons.ra_deg) for one in parts])))
    polygons = Footprints(
        first=np.concatenate([*(one.polygons.first[:-1] + by for one, by in zip(parts, shifts, strict=False)), shifts[-1:]]),
        ra_deg=np.concatenate([one.polygons.ra_deg for one in parts]),
        dec_deg=np.concatenate([one.polygons.dec_deg for one in parts]),
    )
    return DetectorVisits(**columns, polygons=polygons)


def ab_mag(flux_njy: NDArray[np.float64] | float) -> Any:
    """Return the AB magnitude of a flux; NaN where it is not positive.

    >>> round(float(ab_mag(363.078)), 2)
    25.0
    """
    flux = np.asarray(flux_njy, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(flux > 0, AB_ZERO_POINT_NJY - 2.5 * np.log10(flux), np.nan)
