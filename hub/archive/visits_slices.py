"""A night in slices of the sky of bearable size: who goes through them holds one at a time, however many alerts there are."""

from itertools import pairwise
from pathlib import Path

import numpy as np

from hub.archive import layout
from hub.archive.searching import repeated
from hub.archive.segments import Footers
from hub.model.instant import MJD_OF_1970, Instant

Slice = tuple[int, int]
"""Half-open range of order-29 pixels."""

N_PIXELS = 12 << 58
"""Of order 29."""

_INT64 = np.iinfo(np.int64)


def slices(archive: Path, footers: Footers, night: int, n_rows: int) -> list[Slice]:
    """Return ranges of pixels, ascending and together the sphere, with about so many rows each or no more than a row group.

    Parameters
    ----------
    archive
        Its folder.
    footers
        Of its files: where the row groups begin and how many rows they have tells where to cut; no row is read.
    night
        Which.
    n_rows
        Rows of a slice. One is larger where more of them lie in one place.
    """

    def cut() -> list[Slice]:
        found = [footers.get(path) for path in layout.list_night(archive, night).paths()]
        if not found:
            return []
        # The rows of a group lie between its bounds: half of them are put at each end.
        places = np.concatenate([edge for one in found for edge in (one.pixel_lo, one.pixel_hi)])
        rows = np.concatenate([one.rows for one in found for _ in range(2)]) / 2
        order = np.argsort(places, kind="stable")
        places, so_far = places[order], np.cumsum(rows[order])
        wanted = np.searchsorted(so_far, np.arange(n_rows, so_far[-1], n_rows), side="left")
        cuts = sorted({0, N_PIXELS, *places[wanted].tolist()})
        return list(pairwise(cuts))

    return repeated(cut, archive)


def bounds(night: int) -> tuple[Instant, Instant]:
    """Return the first microsecond of a night and the one after its last."""
    begin = night * layout.DAY_US - (MJD_OF_1970 * layout.DAY_US - layout.DAY_US // 2)
    return Instant(max(begin, int(_INT64.min))), Instant(min(begin + layout.DAY_US, int(_INT64.max)))
