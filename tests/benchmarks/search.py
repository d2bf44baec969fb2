"""The backward search: every alert in 1,000 square degrees of a map and three nights, among 10 million and more.

The rows lie over 18,000 square degrees and ten nights, in the hub's archive, written and compacted by its own code. The same query
goes to PostgreSQL with healpix-alchemy, in the form that its documentation shows, and by hand as ranges of the index on the
points. There the rows are counted in the server, and brought to the client unread, which is less than the hub does: it returns
columns.
"""

import argparse
import io
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.archive import compaction
from hub.archive.history import ArchiveHistory
from hub.bootstrap import open_history
from hub.config import ArchiveSection, Settings
from hub.model.alert import AlertBatch
from hub.model.instant import Instant
from hub.science.healpix import SR_TO_DEG2, area_sr, merge
from hub.science.levels import Levels2D
from tests.benchmarks.figures import Figure, below, run
from tests.support import postgres, skymaps
from tests.support.archived import FIRST_NIGHT, survey_night

NIGHTS = 10
"""Over which the rows are spread."""

WANTED = 3
"""Nights of the query."""

CENTRE_DEG = (60.0, -30.0)
"""Of the map: in the middle of the footprint."""

SIGMA_DEG = 8.31
"""Of a Gaussian map whose 90 % region has 1,000 square degrees."""

LEVEL = 0.9
GOALS_S = {10_000_000: 0.1, 100_000_000: 0.5}
"""Warm, by the rows in the archive."""

BYTES_PER_ROW = 130
"""On the disk in the archive, while a night is compacted twice."""

POSTGRES_BYTES_PER_ROW = 600
"""With its indexes and the log."""

VISITS = 1000
"""Of a night."""

APPENDED = 100_000
"""Alerts of one append."""

TIMES = 9
"""Repetitions of a warm query."""

SLOW_S = 5.0
"""What takes longer is timed once, after a first time that is not counted."""

COLUMNS = (
    "survey, source_id, object_id, ra, dec, mid_tai_us, first_tai_us, n_history, flux_njy, flux_err_njy, snr, reliability, band,"
    " is_solar_system, is_negative, is_saturated, hpx"
)
"""What an `AlertBatch` holds, as PostgreSQL calls it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Query:
    """What is asked for."""

    levels: Levels2D
    lo: NDArray[np.int64]
    hi: NDArray[np.int64]
    start: Instant
    end: Instant


def query() -> Query:
    """Return the region above the level of a map, and the last nights."""
    skymap = skymaps.gaussian_map(*CENTRE_DEG, SIGMA_DEG)
    levels = Levels2D.of(skymap)
    inside = levels.region(LEVEL)
    lo, hi = merge(skymap.lo[inside], skymap.hi[inside])
    last = FIRST_NIGHT + NIGHTS - 1
    return Query(levels=levels, lo=lo, hi=hi, start=compaction.night_end(last - WANTED), end=compaction.night_end(last))


def fill(folder: Path, n_rows: int) -> dict[str, float]:
    """Append all nights; return seconds by what was done."""
    history, begun, making = ArchiveHistory(folder), time.perf_counter(), 0.0
    per_night = n_rows // NIGHTS
    for night in range(FIRST_NIGHT, FIRST_NIGHT + NIGHTS):
        batches = survey_night(night, per_night, per_visit=max(1, per_night // VISITS), batch=APPENDED)
        while True:
            before = time.perf_counter()
            batch = next(batches, None)
            making += time.perf_counter() - before
            if batch is None:
                break
            assert history.append(batch).all()
    return {"append": time.perf_counter() - begun - making}


def compact_all(folder: Path) -> float:
    """Compact every night; return the seconds of one, the median."""
    nights = ArchiveHistory(folder).nights()
    return statistics.median(timed(lambda night=night: compaction.compact(folder, night))[0] for night in nights)


def evict(folder: Path) -> None:
    """Let the system forget what it has of the files in memory."""
    for path in folder.rglob("*"):
        if path.is_file():
            number = os.open(path, os.O_RDONLY)
            os.posix_fadvise(number, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(number)


def size_of(folder: Path) -> int:
    """Return the bytes of all files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that something took, and what it gave."""
    begun = time.perf_counter()
    found = action()
    return time.perf_counter() - begun, found


def warm(action: Callable[[], Any]) -> tuple[float, float]:
    """Return the median seconds of some repetitions, and of processor time, which a busy machine changes less."""
    before = time.process_time()
    taken = statistics.median(timed(action)[0] for _ in range(TIMES))
    return taken, (time.process_time() - before) / TIMES


def opened(folder: Path) -> ArchiveHistory:
    """Return the archive as every verb, the API and the backward matching of a new event have it; all of them ask `in_region`."""
    return open_history(Settings(archive=ArchiveSection(folder=str(folder))))


def search_figures(folder: Path, asked: Query, n_rows: int, state: str) -> list[Figure]:
    """Return the times of the query on the archive as it is: rows with the exact level of each."""

    def search(history: ArchiveHistory) -> tuple[AlertBatch, NDArray[np.float64]]:
        (batch,) = history.in_region(asked.lo, asked.hi, asked.start, asked.end)
        return batch, asked.levels.lookup(batch.hpx29).searched_prob

    evict(folder)
    cold, _ = timed(lambda: search(opened(folder)))
    first, _ = timed(lambda: search(opened(folder)))
    history = opened(folder)
    batch, levels = search(history)
    again, used = warm(lambda: search(history))
    levels_s, _ = warm(lambda: asked.levels.lookup(batch.hpx29))
    check(folder, asked, batch, levels)
    area = float(area_sr(asked.lo, asked.hi).sum()) * SR_TO_DEG2
    what = f"{n_rows / 1e6:g} M rows, {state}"
    note = (
        f"{area:.0f} deg2 in {len(asked.lo)} ranges x {WANTED} nights: {len(batch)} rows, each with its exact level, the same as "
        f"among all rows of these nights; {used:.3f} s of processor time; median of {TIMES}"
    )
    goal = GOALS_S.get(n_rows)
    warm_figure = (
        below(f"{what}: search, warm", again, "s", goal, note)
        if goal is not None
        else Figure(what=f"{what}: search, warm", value=again, unit="s", note=note)
    )
    return [
        warm_figure,
        Figure(what=f"{what}: exact level of each row", value=levels_s, unit="s", note="contained in the search"),
        Figure(what=f"{what}: search, new process", value=first, unit="s", note="footers are read anew, files in memory"),
        Figure(
            what=f"{what}: search, cold", value=cold, unit="s", note="as above, and the system has dropped the files from memory"
        ),
    ]


def check(folder: Path, asked: Query, batch: AlertBatch, levels: NDArray[np.float64]) -> None:
    """Hold the answer against every row of the nights.

    Raises
    ------
    RuntimeError
        They differ.
    """
    crossing = float(asked.levels.searched_prob[asked.levels.region(LEVEL)].max())  # of the tile in which the level is reached
    expected = 0
    history = opened(folder)
    for night in range(FIRST_NIGHT + NIGHTS - WANTED - 1, FIRST_NIGHT + NIGHTS):
        for table in history.scan_night(night, ["_healpix_29", "mid_tai_us"]):
            pixels, times = (table[name].to_numpy() for name in ("_healpix_29", "mid_tai_us"))
            wanted = (times >= asked.start.tai_us) & (times < asked.end.tai_us)
            expected += int(np.count_nonzero(asked.levels.lookup(pixels[wanted]).searched_prob <= crossing))
    if len(batch) != expected or not (levels <= crossing).all() or len(np.unique(batch.source_id)) != len(batch):
        raise RuntimeError(f"{len(batch)} rows were found up to level {levels.max()}, and {expected} are there up to {crossing}")


def postgres_figures(folder: Path, asked: Query, n_rows: int) -> list[Figure]:
    """Return the times of the same query on the same rows in PostgreSQL."""
    import psycopg
    import sqlalchemy as sa

    with postgres.server() as url:
        engine = sa.create_engine(url)
        with psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), autocommit=True) as connection:
            filled = _fill_postgres(engine, connection, folder, asked)
            connection.execute("SET work_mem = '256MB'")
            connection.execute("SET jit = off")
            when = f"a.mid_tai_us >= {asked.start.tai_us} AND a.mid_tai_us < {asked.end.tai_us}"
            joins = {
                "healpix-alchemy": f"FROM alerts a JOIN tiles t ON t.hpx @> a.hpx WHERE {when}",
                "ranges by hand": f"FROM alerts a JOIN tiles t ON a.hpx >= lower(t.hpx) AND a.hpx < upper(t.hpx) WHERE {when}",
            }
            found = [Figure(what=f"PostgreSQL: load {n_rows / 1e6:g} M rows, indexes", value=filled, unit="s")]
            for name, join in joins.items():
                found += _timed_in_server(connection, name, join)
        engine.dispose()
    return found


def _timed_in_server(connection: Any, name: str, join: str) -> list[Figure]:
    """Return the times of one form of the query: counted there, and brought here as bytes that nobody reads."""

    def count() -> int:
        return int(connection.execute(f"SELECT count(*) {join}").fetchone()[0])

    def bring() -> int:
        columns = ", ".join(f"a.{column.strip()}" for column in COLUMNS.split(","))
        with connection.cursor().copy(f"COPY (SELECT {columns} {join}) TO STDOUT (FORMAT BINARY)") as copy:
            return sum(len(block) for block in copy)

    first, n_rows = timed(count)
    times = 1 if first > SLOW_S else 3
    counted = statistics.median(timed(count)[0] for _ in range(times))
    brought = statistics.median(timed(bring)[0] for _ in range(times))
    return [
        Figure(what=f"PostgreSQL, {name}: count, warm", value=counted, unit="s", note=f"{n_rows} rows; median of {times}"),
        Figure(what=f"PostgreSQL, {name}: rows to the client, warm", value=brought, unit="s", note="binary COPY, not decoded"),
    ]


def _fill_postgres(engine: Any, connection: Any, folder: Path, asked: Query) -> float:
    """Copy the archive's rows into a table with an index on the points, the map's pixels into another; return seconds."""
    import healpix_alchemy as ha
    import pyarrow.csv
    import sqlalchemy as sa
    from sqlalchemy.orm import declarative_base

    base: Any = declarative_base()

    class Alert(base):
        __tablename__ = "alerts"
        survey = sa.Column(sa.Text)
        source_id = sa.Column(sa.BigInteger, primary_key=True)
        object_id = sa.Column(sa.Text)
        ra = sa.Column(sa.Double)
        dec = sa.Column(sa.Double)
        mid_tai_us = sa.Column(sa.BigInteger)
        first_tai_us = sa.Column(sa.BigInteger)
        n_history = sa.Column(sa.Integer)
        flux_njy = sa.Column(sa.Double)
        flux_err_njy = sa.Column(sa.Double)
        snr = sa.Column(sa.Double)
        reliability = sa.Column(sa.Double)
        band = sa.Column(sa.Text)
        is_solar_system = sa.Column(sa.Boolean)
        is_negative = sa.Column(sa.Boolean)
        is_saturated = sa.Column(sa.Boolean)
        hpx = sa.Column(ha.Point)

    class Tile(base):
        __tablename__ = "tiles"
        number = sa.Column(sa.Integer, primary_key=True)
        hpx = sa.Column(ha.Tile, index=True)

    base.metadata.create_all(engine)
    begun = time.perf_counter()
    history = ArchiveHistory(folder)
    names = [column.strip().replace("hpx", "_healpix_29") for column in COLUMNS.split(",")]
    with connection.cursor().copy(f"COPY alerts ({COLUMNS}) FROM STDIN (FORMAT CSV)") as copy:
        for night in history.nights():
            for table in history.scan_night(night, names):
                text = io.BytesIO()
                pyarrow.csv.write_csv(table, text, pyarrow.csv.WriteOptions(include_header=False))
                copy.write(text.getbuffer())
    connection.execute("CREATE INDEX ON alerts (hpx)")
    connection.execute("CREATE INDEX ON alerts (mid_tai_us)")
    with sa.orm.Session(engine) as session:
        pixels = zip(asked.lo.tolist(), asked.hi.tolist(), strict=True)
        session.add_all([Tile(number=number, hpx=pixel) for number, pixel in enumerate(pixels)])
        session.commit()
    connection.execute("VACUUM ANALYZE")
    return time.perf_counter() - begun


def measure(asked: argparse.Namespace) -> Sequence[Figure]:
    """Fill an archive and measure; what was written is deleted."""
    per_row = BYTES_PER_ROW + (POSTGRES_BYTES_PER_ROW if asked.postgresql else 0)
    needed, free = asked.rows * per_row, shutil.disk_usage(asked.folder).free
    print(f"up to {needed / 1e9:.1f} GB in {asked.folder}, {free / 1e9:.1f} GB free", file=sys.stderr)
    if needed > 0.8 * free:
        raise SystemExit("that does not fit")
    what, one = f"{asked.rows / 1e6:g} M rows", query()
    with tempfile.TemporaryDirectory(prefix="mmhub-search-", dir=asked.folder) as temporary:
        folder = Path(temporary)
        spent = fill(folder, asked.rows)
        found = [
            Figure(
                what=f"{what}: append",
                value=asked.rows / spent["append"],
                unit="rows/s",
                note=f"{APPENDED} at once, durable, repeats looked for",
            )
        ]
        before = size_of(folder)
        found += search_figures(folder, one, asked.rows, "as appended")
        seconds = compact_all(folder)
        note = f"{before / asked.rows:.0f} bytes a row before, {size_of(folder) / asked.rows:.0f} after"
        found.append(Figure(what=f"{what}: compaction of a night", value=seconds, unit="s", note=note))
        found.append(Figure(what=f"{what}: on disk, compacted", value=size_of(folder) / asked.rows, unit="B per row"))
        ours = search_figures(folder, one, asked.rows, "compacted")
        found += ours
        if asked.postgresql:
            try:
                theirs = postgres_figures(folder, one, asked.rows)
            except postgres.ServerMissing as reason:
                print(f"search: {reason}, not compared", file=sys.stderr)
                theirs = []
            found += theirs
            found += [
                Figure(what=f"{other.what} / the hub's search", value=other.value / ours[0].value, unit="x")
                for other in theirs
                if "rows to the client" in other.what
            ]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000, help="alerts in the archive, over ten nights")
    parser.add_argument("--postgresql", action="store_true", help="also ask PostgreSQL with healpix-alchemy")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where the archive is made and deleted")
    run(measure, parser)


if __name__ == "__main__":
    main()
