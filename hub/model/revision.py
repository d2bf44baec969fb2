"""Which of several versions of one detection holds: a number that follows from the row, so that no order of arrival matters.

A survey may send a detection again under the same source id: attributed to a body of the solar system, moved to another object,
processed anew, or taken back; brokers send it with fewer values. The version with the greatest number holds. From the highest bit
on the number says: whether the survey took the detection back; whether it is attributed to the solar system; when it was
processed, where the packet says so; how much the row states; and at last a digest of all that it states, which decides where
nothing else does. So equal rows have equal numbers, and different ones do but for one pair in 70 million.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNKNOWN = 0
"""Revision of rows that were archived before versions were told apart."""

_WITHDRAWN, _SOLAR_SYSTEM = 1 << 62, 1 << 61
_TIME_SHIFT, _TIME_MAX = 31, (1 << 30) - 1
_FULLNESS_SHIFT, _FULLNESS_MAX = 26, 31
_DIGEST_MAX = (1 << 26) - 1
_STATED = _WITHDRAWN | (_TIME_MAX << _TIME_SHIFT)

_EPOCH_MJD = 58_849.0
"""2020-01-01: processing is counted from here, in seconds, until 2054."""

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
"""Odd, 2^64 divided by the golden ratio: multiplying by it spreads bits upwards (Knuth, The Art of Computer Programming, 6.4)."""

_HALF = np.uint64(32)

_NOT_CONTENT = frozenset({"source_id", "hpx29", "revision"})
"""The key, and what follows from the others."""

_NUMBERS = ("flux_njy", "flux_err_njy", "snr", "reliability")
_TIMES = ("first_tai_us", "began_tai_us", "quiet_tai_us", "template_tai_us")
_NO_TIME = np.iinfo(np.int64).min


def stated(processed_mjd: NDArray[np.float64], is_withdrawn: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return what packets say of themselves as part of a revision.

    Parameters
    ----------
    processed_mjd
        When the detection was made from the image, MJD(TAI); NaN where the packet does not say.
    is_withdrawn
        Whether the survey took it back.
    """
    since_epoch_s = np.nan_to_num((processed_mjd - _EPOCH_MJD) * 86_400.0, nan=0.0, posinf=0.0, neginf=0.0)
    seconds: NDArray[np.int64] = np.clip(since_epoch_s, 0, _TIME_MAX).astype(np.int64)
    return np.asarray(np.where(is_withdrawn, _WITHDRAWN, 0) | (seconds << _TIME_SHIFT), dtype=np.int64)


def revisions(
    columns: Mapping[str, NDArray[Any]], said: NDArray[np.int64] | None = None, more: Sequence[NDArray[Any]] = ()
) -> NDArray[np.int64]:
    """Return the revision of each row, positive.

    Parameters
    ----------
    columns
        Those of an `AlertBatch` by name.
    said
        As `stated` returns it, or former revisions of the rows; None where the packets say nothing of themselves.
    more
        Other columns that versions may differ in.
    """
    n = len(columns["source_id"])
    digest = np.full(n, _FACTOR)
    for name, values in columns.items():
        if name not in _NOT_CONTENT:
            _stir(digest, values)
    for values in more:
        _stir(digest, values)
    found = (digest >> np.uint64(64 - 26)).astype(np.int64) & _DIGEST_MAX
    found |= np.minimum(_fullness(columns, n), _FULLNESS_MAX) << _FULLNESS_SHIFT
    found |= np.where(columns["is_solar_system"], _SOLAR_SYSTEM, 0)
    if said is not None:
        found |= said & _STATED
    return np.asarray(np.maximum(found, UNKNOWN + 1))


def _fullness(columns: Mapping[str, NDArray[Any]], n: int) -> NDArray[np.int64]:
    """Return how many of the values that packets may leave out each row has."""
    has = np.zeros(n, dtype=np.int64)
    for name in _NUMBERS:
        has += np.isfinite(columns[name])
    for name in _TIMES:
        if name in columns:
            has += columns[name] != _NO_TIME
    return np.asarray(has + (columns["n_history"] > 0) + (columns["band"] != b"") + (columns["object_id"] != b""))


def _stir(digest: NDArray[np.uint64], values: NDArray[Any]) -> None:
    """Let a column change the digests."""
    for word in _words(np.asarray(values)):
        digest ^= word
        digest *= _FACTOR
        digest ^= digest >> _HALF


def _words(values: NDArray[Any]) -> Sequence[NDArray[np.uint64]]:
    """Return a column as unsigned numbers, equal where the values are: NaN is one value, and so is zero."""
    match values.dtype.kind:
        case "f":
            plain = np.where(np.isnan(values), np.nan, values + 0.0).astype(np.float64)
            return [plain.view(np.uint64)]
        case "S":
            width = -(-values.dtype.itemsize // 8) * 8
            words = np.ascontiguousarray(values.astype(f"S{width}")).view(np.uint64).reshape(len(values), width // 8)
            return [words[:, column] for column in range(width // 8)]
        case _:
            return [values.astype(np.int64).view(np.uint64)]
