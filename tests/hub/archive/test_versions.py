"""Detections that come again with other contents: which version holds depends on no order, batch, process, merging or compaction."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hub.archive import compaction
from hub.archive.history import ArchiveHistory, ArchiveSettings
from hub.archive.merging import Policy
from hub.model.alert import COLUMN_DTYPES, AlertBatch, concatenate
from hub.model.instant import Instant
from hub.model.pixel29 import pixels29
from hub.model.revision import stated
from tests.contracts.alert_history import DAY_US, N_PIXELS, rows

NIGHT = 60_000
START_US = (NIGHT - 40_587) * DAY_US + DAY_US // 2
WHOLE = np.array([0]), np.array([N_PIXELS])
SOMETIME = Instant(0), Instant(2**62)
N_DETECTIONS, N_OBJECTS = 60, 12
OBJECTS = [f"object-{number}" for number in range(N_OBJECTS)]
POLICIES = (Policy(more_than=0, split_rows=0), Policy(more_than=1), Policy(more_than=3, split_rows=60))


def drawn(seed: int) -> AlertBatch:
    """Return detections of some objects in one to four versions each, that differ in what a survey may change."""
    rng = np.random.default_rng(seed)
    n_versions = rng.integers(1, 5, N_DETECTIONS)
    source = np.repeat(np.arange(N_DETECTIONS), n_versions)
    n = len(source)
    home = source % N_OBJECTS
    ra = 40.0 + home * 0.5 + rng.normal(0, 2e-4, n)
    dec = -20.0 + home * 0.1 + rng.normal(0, 2e-4, n)
    has_moved = rng.random(n) < 0.3
    owner = np.where(has_moved, rng.integers(0, N_OBJECTS, n), home)
    names = np.array([f"object-{number}".encode() for number in owner])
    return AlertBatch.from_columns(
        "LSST",
        source_id=source + 2**60,
        object_id=np.where(rng.random(n) < 0.15, b"", names),
        ra_deg=ra,
        dec_deg=dec,
        mid_tai_us=START_US + source * 37_000_000 + rng.integers(0, 2, n),
        first_tai_us=np.full(n, START_US),
        n_history=rng.integers(0, 3, n),
        flux_njy=np.where(rng.random(n) < 0.2, np.nan, np.round(rng.normal(0, 1e3, n))),
        flux_err_njy=np.full(n, 100.0),
        snr=np.full(n, 9.0),
        reliability=np.where(rng.random(n) < 0.5, 0.9, np.nan),
        band=np.full(n, b"r"),
        is_solar_system=rng.random(n) < 0.2,
        is_negative=np.zeros(n, dtype=bool),
        is_saturated=np.zeros(n, dtype=bool),
        hpx29=pixels29(ra, dec),
    )


def holding(versions: AlertBatch) -> AlertBatch:
    """Return the greatest version of each detection, one by one."""
    best: dict[int, int] = {}
    for row, (source, revision) in enumerate(zip(versions.source_id.tolist(), versions.revision.tolist(), strict=True)):
        if source not in best or revision > versions.revision[best[source]]:
            best[source] = row
    return versions.take(np.array(sorted(best.values())))


def check(history: ArchiveHistory, expected: AlertBatch, objects: Iterable[int]) -> None:
    """Searches and light curves of some objects give the versions that hold."""
    (found,) = history.in_region(*WHOLE, *SOMETIME)
    assert rows(found) == rows(expected)
    for number in objects:
        name, pixel = OBJECTS[number], pixels29(np.array([40.0 + number * 0.5]), np.array([-20.0 + number * 0.1]))
        near = np.abs(expected.ra_deg - 40.0 - number * 0.5) < 0.01
        own = expected.take(near & (expected.object_id == name.encode()))
        assert rows(history.of_objects("LSST", [name], pixel)) == rows(own)
        around = [row for batch in history.with_neighbours("LSST", [name], pixel) for row in rows(batch)]
        assert sorted(around) == rows(expected.take(near))


def check_all(history: ArchiveHistory, expected: AlertBatch) -> None:
    """Everything that reads the archive gives the versions that hold."""
    check(history, expected, range(N_OBJECTS))
    assert history.count() == N_DETECTIONS
    scanned = [row for table in history.scan_night(NIGHT, ("source_id", "revision")) for row in table.to_pylist()]
    assert {(row["source_id"], row["revision"]) for row in scanned} == set(
        zip(expected.source_id.tolist(), expected.revision.tolist(), strict=True)
    )
    for number in range(0, N_OBJECTS, 5):
        near = np.abs(expected.ra_deg - 40.0 - number * 0.5) < 0.01
        around = [row for batch in history.cone(40.0 + number * 0.5, -20.0 + number * 0.1, 0.01) for row in rows(batch)]
        assert sorted(around) == rows(expected.take(near))


@pytest.mark.parametrize("seed", range(4))
def test_no_order_batch_process_merging_or_compaction_matters(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng([seed, 1])
    versions = drawn(seed)
    again = rng.choice(len(versions), 40)
    order = rng.permutation(np.concatenate([np.arange(len(versions)), again]))
    edges = np.sort(rng.choice(len(order), rng.integers(0, 16), replace=False))

    def opened() -> ArchiveHistory:
        return ArchiveHistory(
            tmp_path, ArchiveSettings(merging=POLICIES[rng.integers(3)], recent_bytes=rng.choice([0, 2**25]), known_bytes=1)
        )

    processes = [opened(), opened()]
    done = np.zeros(0, dtype=np.intp)
    for part in np.split(order, edges):
        if not len(part):
            continue
        rng.choice(processes).append(versions.take(part))
        done = np.concatenate([done, part])
        if rng.random() < 0.3:
            rng.choice(processes).tidy(Instant(START_US))
        if rng.random() < 0.2:
            compaction.compact(tmp_path, NIGHT, max_rows=50)
        if rng.random() < 0.2:
            processes[rng.integers(2)] = opened()
        check(rng.choice(processes), holding(versions.take(done)), rng.choice(N_OBJECTS, 1))
    compaction.compact(tmp_path, NIGHT, max_rows=20)
    for history in processes:
        check_all(history, holding(versions))


def version(number: int = 0, **changes: object) -> AlertBatch:
    """Return a detection, changed."""
    one = drawn(0).take(np.array([number]))
    columns = {name: getattr(one, name) for name in COLUMN_DTYPES if name != "revision"}
    return AlertBatch.from_columns("LSST", **{**columns, **{name: [value] for name, value in changes.items()}})


def test_a_solar_system_attribution_holds_whatever_else_is_stated() -> None:
    fuller = version(is_solar_system=False, flux_njy=1.0, reliability=0.5, n_history=9)
    body = version(is_solar_system=True, flux_njy=np.nan, reliability=np.nan, n_history=0, object_id=b"")
    assert body.revision[0] > fuller.revision[0]


def test_what_a_packet_says_of_itself_counts_more_than_how_much_it_states() -> None:
    withdrawn, late, early, silent = stated(
        np.array([61_000.0, 61_000.0, 60_999.0, np.nan]), np.array([True, False, False, False])
    )
    assert withdrawn > late > early > silent == 0


def test_equal_rows_have_equal_revisions_and_others_do_not() -> None:
    batch = drawn(3)
    columns = {name: getattr(batch, name) for name in COLUMN_DTYPES if name != "revision"}
    again = AlertBatch.from_columns("LSST", **columns)
    assert (again.revision == batch.revision).all()
    zero, minus = version(flux_njy=0.0), version(flux_njy=-0.0)
    assert zero.revision[0] == minus.revision[0]
    for name in ("object_id", "ra_deg", "mid_tai_us", "n_history", "flux_njy", "band", "is_negative"):
        column = columns[name]
        match column.dtype.kind:
            case "S":
                other = np.where(column == b"x", b"y", b"x")
            case "b":
                other = ~column
            case _:
                other = np.nan_to_num(column) + 1
        assert (AlertBatch.from_columns("LSST", **{**columns, name: other}).revision != batch.revision).any(), name


def test_a_version_that_came_before_versions_were_told_apart_stays(tmp_path: Path) -> None:
    history, old = ArchiveHistory(tmp_path), replace(version(), revision=np.zeros(1, dtype=np.int64))
    assert history.append(old).all()
    assert not history.append(version()).any()
    assert not ArchiveHistory(tmp_path).append(version(flux_njy=77.0)).any()
    assert not history.outranking(version(flux_njy=77.0)).any()


def test_a_row_that_outranks_others_says_so_whenever_it_comes(tmp_path: Path) -> None:
    history, other = ArchiveHistory(tmp_path), ArchiveHistory(tmp_path)
    first, body = version(is_solar_system=False), version(is_solar_system=True, object_id=b"")
    assert history.append(first).all()
    assert not history.outranking(first).any()
    assert other.append(body).all()
    assert other.outranking(body).all()
    history.tidy(Instant(START_US))
    for again in (history, other, ArchiveHistory(tmp_path)):
        assert not again.append(concatenate([body, first])).any()
        assert again.outranking(body).all()
        assert not again.outranking(first).any()
        assert sorted(again.versions(body).object_id.tolist()) == sorted([b"", *first.object_id.tolist()])


def test_of_two_processes_at_the_same_instant_one_sees_the_version_of_the_other(tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    one, two = ArchiveHistory(tmp_path / "one"), ArchiveHistory(tmp_path / "two")
    first, body = version(is_solar_system=False), version(is_solar_system=True)
    one.append(first)
    two.append(body)
    (path,) = (tmp_path / "two").rglob("*.parquet")
    path.rename(tmp_path / "one" / path.relative_to(tmp_path / "two"))  # as if both had looked before either wrote
    assert one.outranking(body).all()
    assert not one.outranking(first).any()
