"""All live localizations as one immutable index: a batch of pixels to hits in one pass.

Rows of all maps are filed under coarse cells: a tile of order `CELL_ORDER` or less under the cell that it is, the finer tiles of
a map inside one cell together as a run. A pixel asks its own cell and those around it at lower orders, so what it costs depends
on the maps that have rows there, and not on how many there are. There are never more runs than rows, whatever the orders.

    >>> import numpy as np
    >>> from hub.model.sky import Skymap
    >>> tile = np.array([3 << 58])
    >>> whole = Skymap(lo=tile, hi=tile + (1 << 58), probdensity=np.array([3 / np.pi]))
    >>> piece = SkyPiece.of("a0", whole, max_level=0.9)
    >>> index = SkyIndex.of(1, [("S260301a", piece)])
    >>> hits = index.match(np.array([7, 3 << 58, (4 << 58) - 1]))
    >>> hits.point.tolist(), [index.keys[which] for which in hits.entry]
    ([1, 2], ['S260301a', 'S260301a'])
    >>> index.with_changes(2, removed=["S260301a"]).match(np.array([3 << 58])).point.tolist()
    []
"""

from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from hub.science import sky_reference
from hub.science.healpix import Floats, Int64s
from hub.science.sky_piece import CELL_ORDER, SkyPiece, n_cells

__all__ = ["SkyHits", "SkyIndex", "SkyPiece", "warm_up"]

Key = TypeVar("Key", bound=Hashable)
"""What an entry stands for, e.g. an event and one of its localizations."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SkyHits:
    """Which pixels lie in which localizations; columns of shape ``(n,)``, in no promised order, each pair once."""

    version: Hashable
    """Of the snapshot that answered."""

    point: NDArray[np.int64]
    """Index into the pixels that were asked for."""

    entry: NDArray[np.int32]
    """Index into `SkyIndex.keys` and `SkyIndex.pieces` of that snapshot, and of no other."""

    probdensity: Floats
    """Density of the tile, 1/sr."""

    searched_prob: Floats
    """Level of the tile, inclusive, as `Levels2D.lookup`."""

    searched_before: Floats
    """Probability searched before the tile. A hit lies in the region of a level where this is below it, as
    `hub.science.crossmatch.contains` has it; every hit lies in that of its piece's `max_level`."""

    distmu: Floats
    """Distance layers of the tile, Mpc; NaN where the map has none."""

    distsigma: Floats
    """Mpc."""

    distnorm: Floats
    """1/Mpc^2."""

    def __len__(self) -> int:
        return len(self.point)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SkyIndex(Generic[Key]):
    """A snapshot of localizations. Nothing in it changes, so any number of threads may ask it while another makes the next."""

    version: Hashable
    """Whatever tells snapshots apart."""

    keys: tuple[Key, ...]
    """What each entry stands for."""

    pieces: tuple[SkyPiece, ...]
    """The localization of each entry; entries may share one."""

    _orders: Int64s
    """Orders of cells in use, ascending."""

    _starts: Int64s
    """Where the runs of each cell begin, and where the last one's end."""

    _runs: NDArray[np.int32]
    """Entry, first row and one past the last row of each run, shape ``(m, 3)``."""

    _row_addresses: Int64s
    """Where in memory the rows of each entry begin; `pieces` keeps them there."""

    _layer_addresses: Int64s
    """The same of distance layers, 0 where there are none."""

    @classmethod
    def of(cls, version: Hashable, entries: Iterable[tuple[Key, SkyPiece]]) -> Self:
        """Return a snapshot of some localizations; where a key comes twice, the later one counts.

        Costs some milliseconds for hundreds of maps: rows are not copied, only their runs are filed.
        """
        by_key = dict(entries)
        pieces = tuple(by_key.values())
        starts, runs = _filed(pieces)
        bounds = [(4 << (2 * order)) - 4 for order in range(CELL_ORDER + 2)]
        return cls(
            version=version,
            keys=tuple(by_key),
            pieces=pieces,
            _orders=np.array(
                [order for order in range(CELL_ORDER + 1) if starts[bounds[order]] < starts[bounds[order + 1]]], np.int64
            ),
            _starts=starts,
            _runs=runs,
            _row_addresses=np.array([piece.rows.ctypes.data for piece in pieces], np.int64),
            _layer_addresses=np.array([0 if one.layers is None else one.layers.ctypes.data for one in pieces], np.int64),
        )

    def with_changes(
        self, version: Hashable, added: Iterable[tuple[Key, SkyPiece]] = (), removed: Collection[Key] = ()
    ) -> "SkyIndex[Key]":
        """Return the next snapshot: without some entries, with others; an added key that is there already is replaced.

        This one stays as it is. The pieces are shared, so the next costs what `of` costs and no second copy of the maps. Keys
        that are to be removed and are not there are passed over.
        """
        gone = set(removed)
        kept = ((key, piece) for key, piece in zip(self.keys, self.pieces, strict=True) if key not in gone)
        return SkyIndex.of(version, [*kept, *added])

    def match(self, hpx29: Int64s) -> SkyHits:
        """Return all pairs of a pixel and an entry whose rows hold it.

        Parameters
        ----------
        hpx29
            Order-29 pixels, NESTED, in any order, shape ``(n,)``; numbers that are no pixel, such as -1, lie nowhere.
        """
        pixels = np.ascontiguousarray(hpx29, dtype=np.int64)
        point, entry, numbers, layers = self._columns(pixels)
        return SkyHits(
            version=self.version,
            point=point,
            entry=entry,
            probdensity=numbers[0],
            searched_prob=numbers[1],
            searched_before=numbers[2],
            distmu=layers[0],
            distsigma=layers[1],
            distnorm=layers[2],
        )

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def nbytes(self) -> int:
        """Memory of everything in it, bytes; pieces that entries share count once."""
        own = (self._orders, self._starts, self._runs, self._row_addresses, self._layer_addresses)
        unique = {id(piece): piece.nbytes for piece in self.pieces}
        return sum(column.nbytes for column in own) + sum(unique.values())

    def _columns(self, pixels: Int64s) -> tuple[Int64s, NDArray[np.int32], Floats, Floats]:
        try:
            from hub.science import sky_kernels  # noqa: PLC0415 - numba is for those who match
        except ImportError:
            return sky_reference.match(self.pieces, pixels)
        counts = sky_kernels.count_runs(pixels, self._orders, self._starts)
        mask = (1 << len(pixels).bit_length()) - 1
        keys = sky_kernels.sorting_keys(pixels, counts, mask)
        keys.sort()
        asked = keys & mask
        room = int(counts.sum())
        point, entry, numbers = np.empty(room, np.int64), np.empty(room, np.int32), np.empty((3, room))
        layers = np.empty((3, room if self._layer_addresses.any() else 0))
        n = sky_kernels.search(
            pixels[asked],
            asked,
            CELL_ORDER,
            self._orders,
            self._starts,
            self._runs,
            self._row_addresses,
            self._layer_addresses,
            point,
            entry,
            numbers,
            layers,
        )
        if not layers.size:
            layers = np.broadcast_to(np.nan, (3, n))
        return point[:n], entry[:n], numbers[:, :n], layers[:, :n]


def warm_up() -> None:
    """Compile the loops, or load them from numba's cache, by making and asking an empty index.

    The first time on a machine it takes some seconds, later about one; a worker does it before it takes its first batch.
    """
    empty: SkyIndex[str] = SkyIndex.of(0, [])
    pixels = np.array([0])
    empty.match(pixels)
    pixels.setflags(write=False)  # columns of alerts are read-only, which for numba is another type
    empty.match(pixels)


def _filed(pieces: Sequence[SkyPiece]) -> tuple[Int64s, NDArray[np.int32]]:
    """Return the runs of all pieces by cell, as `sky_kernels.file_runs`."""
    lengths = [len(piece.cells) for piece in pieces]
    nothing = np.empty(0, dtype=np.int32)
    cells = np.concatenate([nothing, *(piece.cells for piece in pieces)])
    entries = np.repeat(np.arange(len(pieces), dtype=np.int32), lengths)
    firsts = np.concatenate([nothing, *(piece.firsts[:-1] for piece in pieces)])
    lasts = np.concatenate([nothing, *(piece.firsts[1:] for piece in pieces)])
    try:
        from hub.science import sky_kernels  # noqa: PLC0415 - numba is for those who match
    except ImportError:
        starts = np.concatenate(([0], np.cumsum(np.bincount(cells, minlength=n_cells()))))
        by_cell = np.argsort(cells, kind="stable")
        return starts, np.stack((entries, firsts, lasts), axis=1)[by_cell]
    starts, runs = sky_kernels.file_runs(n_cells(), cells, entries, firsts, lasts)
    return starts, runs
