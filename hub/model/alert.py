"""Survey alerts as columns. There is never an object per alert."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hub.model.revision import UNKNOWN, revisions

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
    "is_dipole": "?",
    "began_tai_us": "i8",
    "quiet_tai_us": "i8",
    "template_tai_us": "i8",
    "revision": "i8",
}
"""Column name to numpy type of an `AlertBatch`."""

UNSAID: dict[str, bool | int] = {
    "is_dipole": False,
    "began_tai_us": int(NO_TIME),
    "quiet_tai_us": int(NO_TIME),
    "template_tai_us": int(NO_TIME),
    "revision": UNKNOWN,
}
"""What stands in columns that alerts need not have: those of most streams, and those that were archived before."""


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A column of texts of which few differ: a number for each row, and what the numbers mean."""

    codes: NDArray[np.int32]
    """Index into `values`, shape ``(n,)``."""

    values: tuple[str, ...]
    """Not necessarily in use, nor all different."""

    def __post_init__(self) -> None:
        self.codes.setflags(write=False)

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def of(cls, texts: Sequence[str]) -> Self:
        """Return the column of some texts."""
        values = {text: code for code, text in enumerate(dict.fromkeys(texts))}
        return cls(np.array([values[text] for text in texts], dtype=np.int32), tuple(values))

    @classmethod
    def constant(cls, text: str, n: int) -> Self:
        """Return a column that says the same ``n`` times."""
        return cls(np.zeros(n, dtype=np.int32), (text,))

    def text(self, index: int) -> str:
        """Return the text of one row."""
        return self.values[int(self.codes[index])]

    def texts(self) -> list[str]:
        """Return the text of each row."""
        return [self.values[code] for code in self.codes.tolist()]

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Return the rows of an index or mask."""
        return type(self)(self.codes[index], self.values)


def join_words(columns: Sequence[Words]) -> Words:
    """Return one column of all rows; each value once."""
    values = {text: code for code, text in enumerate(dict.fromkeys(text for column in columns for text in column.values))}
    codes = [np.array([values[text] for text in one.values] or [0], dtype=np.int32)[one.codes] for one in columns]
    return Words(np.concatenate(codes) if codes else np.zeros(0, dtype=np.int32), tuple(values))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Provenance:
    """Of each alert: which visit of the survey saw it and why, by which software, and where its packet is. Shape ``(n,)``."""

    visit: NDArray[np.int64]
    """The survey's number of the exposure; 0 where the packet does not say."""

    detector: NDArray[np.int32]
    """Number of the detector in the camera; -1 where the packet does not say."""

    reason: Words
    """LSST ``observation_reason``; empty where not stated."""

    target: Words
    """LSST ``target_name``."""

    schema: Words
    """Format and version of the packet, ``lsst-10.0``."""

    reliability_version: Words
    """LSST ``reliabilityVersion``: what made the real-bogus score."""

    topic: Words
    """Kafka topic of the packet; empty where it came by none."""

    partition: NDArray[np.int32]
    """-1 where there is none."""

    offset: NDArray[np.int64]
    """-1 where there is none."""

    def __post_init__(self) -> None:
        for column in (self.visit, self.detector, self.partition, self.offset):
            column.setflags(write=False)

    @classmethod
    def unknown(cls, n: int, *, schema: str = "") -> Self:
        """Return what is said of ``n`` alerts that come with nothing but perhaps their format."""
        return cls(
            visit=np.zeros(n, dtype=np.int64),
            detector=np.full(n, -1, dtype=np.int32),
            reason=Words.constant("", n),
            target=Words.constant("", n),
            schema=Words.constant(schema, n),
            reliability_version=Words.constant("", n),
            topic=Words.constant("", n),
            partition=np.full(n, -1, dtype=np.int32),
            offset=np.full(n, -1, dtype=np.int64),
        )

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Return the rows of an index or mask."""
        return type(self)(
            visit=self.visit[index],
            detector=self.detector[index],
            partition=self.partition[index],
            offset=self.offset[index],
            **{name: getattr(self, name).take(index) for name in WORD_COLUMNS},
        )


WORD_COLUMNS = ("reason", "target", "schema", "reliability_version", "topic")
"""Columns of a `Provenance` that are `Words`."""


_NOT_GIVEN = np.zeros(0, dtype=np.int64)


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

    is_dipole: NDArray[np.bool_]
    """The survey fitted it as a dipole, a bad subtraction or something that moved; False where it does not say."""

    began_tai_us: NDArray[np.int64]
    """First detection that the packet knows of which an object may begin: positive, no dipole, not attributed to the solar
    system, or forced photometry as significant as a detection; `NO_TIME` where there is none or nobody looked."""

    quiet_tai_us: NDArray[np.int64]
    """Last forced photometry or upper limit of the packet, in the band of that detection and before it, that would have shown the
    object and did not; `NO_TIME` where there is none."""

    template_tai_us: NDArray[np.int64]
    """When the last image was taken that the template is made of; `NO_TIME` where the packet does not say, as LSST's never do."""

    revision: NDArray[np.int64] = field(default_factory=lambda: _NOT_GIVEN)
    """Of several versions of a detection the greatest holds (`hub.model.revision`); worked out from the row where not given."""

    provenance: Provenance | None = None
    """Where the rows come from; None where nobody said or asked."""

    def __post_init__(self) -> None:
        if self.revision is _NOT_GIVEN:
            found = revisions({name: getattr(self, name) for name in COLUMN_DTYPES})
            object.__setattr__(self, "revision", found)
        for name in COLUMN_DTYPES:
            getattr(self, name).setflags(write=False)

    def __len__(self) -> int:
        return len(self.source_id)

    @classmethod
    def from_columns(cls, survey: str, **columns: Any) -> Self:
        """Build a batch from array-likes, one for each name of `COLUMN_DTYPES`; perhaps with its `Provenance`.

        Those of `UNSAID` may be left out.
        """
        n = len(columns["source_id"])
        arrays: dict[str, Any] = {
            name: np.array(columns[name], dtype=kind) if name in columns else np.full(n, UNSAID[name], dtype=kind)
            for name, kind in COLUMN_DTYPES.items()
            if name != "revision" or np.any(columns.get(name, UNKNOWN))
        }
        return cls(survey=survey, provenance=columns.get("provenance"), **arrays)

    @classmethod
    def empty(cls, survey: str) -> Self:
        """Return a batch of no alerts."""
        return cls.from_columns(survey, **dict.fromkeys(COLUMN_DTYPES, ()))

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Return the rows of an index or mask."""
        provenance = None if self.provenance is None else self.provenance.take(index)
        return type(self)(
            survey=self.survey, provenance=provenance, **{name: getattr(self, name)[index] for name in COLUMN_DTYPES}
        )

    def best(self) -> NDArray[np.intp]:
        """Return the indices of the rows that hold, ascending: of those of one detection the first of the greatest revision."""
        return best_of(self.source_id, self.revision)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield each row as plain Python values (for storage and listings of few rows, never the hot path)."""
        names = list(COLUMN_DTYPES)
        columns = [getattr(self, name).tolist() for name in names]
        for values in zip(*columns, strict=True):
            row = dict(zip(names, values, strict=True))
            row["object_id"] = row["object_id"].decode()
            row["band"] = row["band"].decode()
            yield row


def best_of(source_id: NDArray[np.int64], revision: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the index of the first row of the greatest revision of each source id, ascending."""
    n = len(source_id)
    ascending = np.sort(source_id)
    if not (ascending[1:] == ascending[:-1]).any():  # nearly always, and found faster
        return np.arange(n)
    order = np.lexsort((-revision, source_id))
    is_first = np.ones(n, dtype=bool)
    is_first[1:] = source_id[order][1:] != source_id[order][:-1]
    return np.sort(order[is_first])


def concatenate(batches: list[AlertBatch]) -> AlertBatch:
    """Return one batch of all rows; the batches are of one survey and at least one. Provenance is kept where all have it."""
    first = batches[0]
    known = [one.provenance for one in batches if one.provenance is not None]
    return AlertBatch(
        survey=first.survey,
        provenance=_join(known) if len(known) == len(batches) else None,
        **{name: np.concatenate([getattr(b, name) for b in batches]) for name in COLUMN_DTYPES},
    )


def _join(parts: Sequence[Provenance]) -> Provenance:
    return Provenance(
        visit=np.concatenate([one.visit for one in parts]),
        detector=np.concatenate([one.detector for one in parts]),
        partition=np.concatenate([one.partition for one in parts]),
        offset=np.concatenate([one.offset for one in parts]),
        **{name: join_words([getattr(one, name) for one in parts]) for name in WORD_COLUMNS},
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
