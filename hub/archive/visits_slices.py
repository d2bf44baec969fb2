"""A night in slices of the sky of bearable size: who goes through them holds one at a time, however many alerts there are."""

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hub.archive import layout
from hub.archive.columns import PIXEL, ints_of
from hub.archive.searching import repeated
from hub.archive.segments import Footers, opened
from hub.model.instant import MJD_OF_1970, Instant

Slice = tuple[int, int]
"""Half-open range of order-29 pixels."""

N_PIXELS = 12 << 58
"""Of order 29."""

_ORDER = 7
"""HEALPix order of a small pixel: 0.46 deg, a tenth of the field of a camera in each direction."""

_SHIFT = 2 * (29 - _ORDER)
_INT64 = np.iinfo(np.int64)


def slices(archive: Path, footers: Footers, night: int, n_rows: int) -> list[Slice]:
    """Return ranges of pixels, ascending and together the sphere, with no more rows each; one small pixel may have more.

    Reads one column of every file, file by file.

    Parameters
    ----------
    archive
        Its folder.
    footers
        Of its files.
    night
        Which.
    n_rows
        Rows of a slice.
    """

    def counted() -> NDArray[np.int64]:
        counts = np.zeros(12 << (2 * _ORDER), dtype=np.int64)
        for path in layout.list_night(archive, night).paths():
            footer = footers.get(path)
            with opened(path, footer) as read:
                pixels = ints_of(read(range(len(footer.rows)), (PIXEL,))[PIXEL])
            counts += np.bincount(pixels >> _SHIFT, minlength=len(counts))
        return counts

    counts = repeated(counted, archive)
    filled = np.flatnonzero(counts)
    cuts, size = [0], 0
    for pixel, n in zip(filled.tolist(), counts[filled].tolist(), strict=True):
        if size and size + n > n_rows:
            cuts.append(pixel << _SHIFT)
            size = 0
        size += n
    return list(pairwise([*cuts, N_PIXELS])) if len(filled) else []


def bounds(night: int) -> tuple[Instant, Instant]:
    """Return the first microsecond of a night and the one after its last."""
    begin = night * layout.DAY_US - (MJD_OF_1970 * layout.DAY_US - layout.DAY_US // 2)
    return Instant(max(begin, int(_INT64.min))), Instant(min(begin + layout.DAY_US, int(_INT64.max)))
