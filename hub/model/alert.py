"""Survey alerts as columns. There is never an object per alert."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

NO_TIME = np.iinfo(np.int64).min
"""Value of a time column where the alert does not say."""

COLUMN_DTYPES: dict[str, str] = {
    "source_id": "i8",
    "object_id": "S32",
    "ra_deg": "f8",
    "dec_deg": "f8",
    "mid_tai_us": "i8",
    "first_tai_us": "i8",
    "n_history": "i4",
    "flux_njy": "f8",
    "flux_err_njy": "f8",
    "snr": "f8",
    "reliability": "f8",
    "band": "S4",
    "is_solar_system": "?",
    "is_negative": "?",
    "is_saturated": "?",
    "hpx29": "i8",
}
"""Column name to numpy type of an `AlertBatch`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlertBatch:
    """Alerts of one survey, one array per field, all of shape ``(n,)``, read-only. NaN, ``b""`` and `NO_TIME` mean missing."""

    survey: str
    """``LSST``, ``ZTF`` ..."""

    source_id: NDArray[np.int64]
    """The survey's id of the detection (``diaSourceId``, ``candid``); the key within the survey."""

    object_id: NDArray[np.bytes_]
    """The survey's id of the object as text (``diaObjectId``, ``objectId``); empty for a solar-system source."""

    ra_deg: NDArray[np.float64]
    """Right ascension, ICRS, [0, 360)."""

    dec_deg: NDArray[np.float64]
    """Declination, ICRS, [-90, 90]."""

    mid_tai_us: NDArray[np.int64]
    """Middle of the exposure, `Instant.tai_us`."""

    first_tai_us: NDArray[np.int64]
    """First detection of the object as the packet knows it, this one included."""

    n_history: NDArray[np.int32]
    """Earlier detections of the object in the packet."""

    flux_njy: NDArray[np.float64]
    """Difference flux, nJy; may be negative."""

    flux_err_njy: NDArray[np.float64]
    snr: NDArray[np.float64]
    reliability: NDArray[np.float64]
    """Real-bogus score 0 to 1 (LSST ``reliability``, ZTF ``drb``)."""

    band: NDArray[np.bytes_]
    is_solar_system: NDArray[np.bool_]
    """Attributed to a known solar-system object."""

    is_negative: NDArray[np.bool_]
    """Detected as a negative source on the difference image."""

    is_saturated: NDArray[np.bool_]
    """A saturated pixel lies in its centre (LSST ``pixelFlags_saturatedCenter``); False where the survey does not say."""

    hpx29: NDArray[np.int64]
    """HEALPix pixel at order 29, NESTED."""

    def __post_init__(self) -> None:
        for name in COLUMN_DTYPES:
            getattr(self, name).setflags(write=False)

    def __len__(self) -> int:
        return len(self.source_id)

    @classmethod
    def from_columns(cls, survey: str, **columns: Any) -> Self:
        """Build a batch from array-likes, one for each name of `COLUMN_DTYPES`."""
        return cls(survey=survey, **{name: np.array(columns[name], dtype=kind) for name, kind in COLUMN_DTYPES.items()})

    @classmethod
    def empty(cls, survey: str) -> Self:
        """Return a batch of no alerts."""
        return cls.from_columns(survey, **dict.fromkeys(COLUMN_DTYPES, ()))

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Return the rows of an index or mask."""
        return type(self)(survey=self.survey, **{name: getattr(self, name)[index] for name in COLUMN_DTYPES})

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield each row as plain Python values (for storage and listings of few rows, never the hot path)."""
        names = [f.name for f in fields(self) if f.name != "survey"]
        columns = [getattr(self, name).tolist() for name in names]
        for values in zip(*columns, strict=True):
            row = dict(zip(names, values, strict=True))
            row["object_id"] = row["object_id"].decode()
            row["band"] = row["band"].decode()
            yield row


def concatenate(batches: list[AlertBatch]) -> AlertBatch:
    """Return one batch of all rows; the batches are of one survey and at least one."""
    first = batches[0]
    return AlertBatch(
        survey=first.survey, **{name: np.concatenate([getattr(b, name) for b in batches]) for name in COLUMN_DTYPES}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStatement:
    """What a broker says of an object in the packet of one of its alerts."""

    survey: str
    object_id: str
    source_id: int
    """The alert that it came with."""

    mid_tai_us: int
    """Middle of the exposure of that alert, `Instant.tai_us`: when the broker cannot have said so before."""

    ra_deg: float
    dec_deg: float
    kind: str
    """As `hub.model.annotation.AnnotationKind`; so are the keys of the value."""

    value: Mapping[str, Any]
    source: str
    """The broker."""

    version: str
    """Of its software, empty where not stated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertDetail:
    """One packet decoded in full, for a person or for a hit."""

    format: str
    """``lsst-10.0``, ``ztf-4.02``."""

    survey: str
    source_id: str
    object_id: str | None
    ra_deg: float
    dec_deg: float
    mjd_tai: float
    band: str | None
    flux_njy: float | None
    snr: float | None
    reliability: float | None
    is_solar_system: bool
    n_history: int
    """Earlier detections in the packet (upper limits not counted)."""

    record: dict[str, Any]
    """The whole packet by the survey's own names, cutouts as bytes."""

    refusal: str | None = None
    """Why intake would refuse an alert that can be read all the same: its time is no time of an exposure, or it is simulated."""

    annotations: tuple[dict[str, Any], ...] = ()
    """What a broker says of the object: ``kind``, ``label``, ``value``, ``source``, ``version`` (None where not stated)."""
