import tracemalloc
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hub.archive import visits_file
from hub.archive.compaction import compact
from hub.archive.history import ArchiveHistory
from hub.archive.layout import night_of
from hub.archive.places import around_points, separations_deg
from hub.archive.visits import detector_visits
from hub.archive.visits_ledger import VisitLedger
from hub.errors import StorageError
from hub.model.instant import Instant
from hub.model.visit import TEXT_COLUMNS, joined
from hub.science.footprint import Halves, holding
from tests.support.visits import CAMERAS, TOPIC, alerts, camera_rows, pointing, rows

NIGHT_US = 1_800_000_000_000_000
NIGHT = night_of(NIGHT_US)
NOW = Instant(NIGHT_US).plus_s(60)
FULL = {"LSST": {TOPIC}}


def visit(number, ra=30.0, dec=-20.0, *, seed=1, **more):
    rng = np.random.default_rng([seed, number])
    values = {"per_detector": 6.0, "visit": number, "mid_tai_us": NIGHT_US + number * 37_000_000} | more
    return camera_rows(rng, pointing(ra, dec), **values)


@pytest.fixture
def archive(tmp_path):
    return ArchiveHistory(tmp_path / "archive")


def ledger(archive, quiet_s=0.0):
    return VisitLedger(archive, CAMERAS, quiet_s=quiet_s)


def read(archive):
    return visits_file.read(archive.folder, NIGHT)


def test_a_night_is_read_back_as_it_was_computed(archive):
    tables = [visit(1), visit(2, 120.0, 89.9), visit(3, 0.01, -5.0)]
    for table in tables:
        archive.append(alerts(table))
    assert ledger(archive).update(FULL, NOW) == 3
    found = read(archive)
    order = np.lexsort((found.detector, found.visit))
    for number, table in enumerate(tables, start=1):
        expected = detector_visits(table, CAMERAS)
        own = found.take(order[found.visit[order] == number])
        assert own.detector.tolist() == expected.detector.tolist()
        assert own.n_alerts.tolist() == expected.n_alerts.tolist()
        assert np.array_equal(own.polygons.ra_deg, expected.polygons.ra_deg)
        assert np.array_equal(own.polygons.first, expected.polygons.first)
        assert own.footprint.texts() == expected.footprint.texts()
        assert own.schema.texts() == expected.schema.texts()
        assert np.array_equal(own.depth_njy, expected.depth_njy)
    assert visits_file.nights(archive.folder) == [NIGHT]


def test_a_visit_is_computed_once_it_was_quiet_and_again_when_late_rows_came(archive):
    early, late = visit(1), visit(1, seed=2, per_detector=1.0)
    keeper = ledger(archive, quiet_s=600.0)
    archive.append(alerts(early))
    assert keeper.update(FULL, NOW) == 0
    archive.append(alerts(visit(2)))
    assert keeper.update(FULL, NOW.plus_s(400)) == 0
    assert keeper.update(FULL, NOW.plus_s(601)) == 1
    assert set(read(archive).visit.tolist()) == {1}
    assert keeper.update(FULL, NOW.plus_s(1001)) == 1
    assert read(archive).n_alerts.sum() == early.num_rows + visit(2).num_rows
    archive.append(alerts(late))
    assert keeper.update(FULL, NOW.plus_s(2000)) == 0
    assert keeper.update(FULL, NOW.plus_s(2601)) == 1
    found = read(archive)
    assert found.n_alerts[found.visit == 1].sum() == early.num_rows + late.num_rows
    assert len({*zip(found.visit.tolist(), found.detector.tolist(), strict=True)}) == len(found)


def test_rows_that_come_twice_or_in_pieces_make_the_same_file(archive, tmp_path):
    table = visit(1)
    archive.append(alerts(table))
    ledger(archive).update(FULL, NOW)
    other = ArchiveHistory(tmp_path / "other")
    keeper = ledger(other)
    for piece in np.array_split(np.random.default_rng(3).permutation(table.num_rows), 4):
        other.append(alerts(table.take(piece)))
        other.append(alerts(table.take(piece)))
        keeper.update(FULL, NOW)
    one, two = read(archive), read(other)
    assert one.n_alerts.tolist() == two.n_alerts.tolist()
    assert one.detector.tolist() == two.detector.tolist()
    assert np.array_equal(one.polygons.ra_deg, two.polygons.ra_deg)


def test_what_is_settled_is_not_computed_again_nor_after_a_restart(archive):
    archive.append(alerts(visit(1)))
    assert ledger(archive).update(FULL, NOW) == 1
    written = visits_file.path_of(archive.folder, NIGHT).stat().st_mtime_ns
    assert ledger(archive).update(FULL, NOW) == 0
    assert visits_file.path_of(archive.folder, NIGHT).stat().st_mtime_ns == written


def test_surveys_that_are_not_heard_in_full_get_no_ledger(archive):
    archive.append(alerts(visit(1)))
    archive.append(alerts(visit(2, survey="ZTF")))
    assert ledger(archive).update({}, NOW) == 0
    assert visits_file.nights(archive.folder) == []
    assert ledger(archive).update({"ZTF": {TOPIC}}, NOW) == 1
    assert set(read(archive).survey.texts()) == {"ZTF"}
    assert ledger(archive).update(FULL | {"ZTF": {TOPIC}}, NOW) == 1
    assert set(read(archive).survey.texts()) == {"LSST", "ZTF"}


class Watched:
    """An archive that notes how many rows were read at once."""

    def __init__(self, archive):
        self.archive, self.folder, self.read = archive, archive.folder, []

    def nights(self):
        return self.archive.nights()

    def rows_in_region(self, lo, hi, start, end, columns):
        table = self.archive.rows_in_region(lo, hi, start, end, columns)
        self.read.append(table.num_rows)
        return table


def test_a_night_of_any_size_is_read_in_slices_and_gives_the_same(archive, tmp_path):
    n_rows = 0
    for number in range(1, 9):
        table = visit(number, ra=30.0 + 4.0 * (number % 2))
        n_rows += table.num_rows
        archive.append(alerts(table))
    watched = Watched(archive)
    keeper = VisitLedger(watched, CAMERAS, quiet_s=0.0, rows_at_once=1500)
    assert keeper.update(FULL, NOW) == 8
    in_slices, first_pass = read(archive), len(watched.read)
    assert max(watched.read) <= 1500 < n_rows
    assert first_pass > 4
    assert in_slices.n_alerts.sum() == n_rows
    visits_file.path_of(archive.folder, NIGHT).unlink()
    assert VisitLedger(archive, CAMERAS, quiet_s=0.0).update(FULL, NOW) == 8
    at_once = read(archive)
    assert in_slices.visit.tolist() == at_once.visit.tolist()
    assert in_slices.n_alerts.tolist() == at_once.n_alerts.tolist()
    assert np.array_equal(in_slices.polygons.ra_deg, at_once.polygons.ra_deg)


def test_what_is_held_at_once_does_not_grow_with_the_night(archive):
    def peak():
        tracemalloc.start()
        try:
            assert VisitLedger(archive, CAMERAS, quiet_s=0.0, rows_at_once=1500).update(FULL, NOW) > 0
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def spread(numbers):
        for number in numbers:
            archive.append(alerts(visit(number, ra=(30.0 + 5.0 * number) % 360.0)))

    spread(range(1, 4))
    peak()  # what is loaded once
    visits_file.path_of(archive.folder, NIGHT).unlink()
    few = peak()
    spread(range(4, 25))
    assert peak() < few + 24 * 189 * 130  # bytes for each detector of a visit: the ledger itself is held whole


def test_a_ledger_that_is_written_part_by_part_is_the_file_of_all_its_rows_and_takes_no_memory_for_them(archive):
    one = detector_visits(visit(1), CAMERAS)
    n = 300
    numbers = np.arange(1, n * len(one) + 1)
    rng = np.random.default_rng(5)
    many = joined([one] * n)
    many = replace(
        many, visit=numbers // 189 + 1, ra_deg=rng.uniform(0, 360, len(numbers)), dec_deg=rng.uniform(-90, 90, len(numbers))
    )
    digests = {("LSST", number): 10 * number for number in range(1, n // 2)}
    visits_file.write(archive.folder, NIGHT, one, topics={})  # what is loaded once
    tracemalloc.start()
    try:
        visits_file.write(archive.folder, NIGHT, many, digests=digests, topics={})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    path = visits_file.path_of(archive.folder, NIGHT)
    whole = pa.concat_tables(visits_file._tables(many, digests))
    assert len(whole) == n * len(one) > 10 * visits_file.ROW_GROUP
    metadata = {b"mmhub": pq.read_metadata(path).metadata[b"mmhub"]}
    options = {"row_group_size": visits_file.ROW_GROUP, "compression": "zstd", "write_statistics": [visits_file.PIXEL]}
    pq.write_table(
        whole.replace_schema_metadata(metadata), path.with_suffix(".whole"), use_dictionary=list(TEXT_COLUMNS), **options
    )
    assert path.read_bytes() == path.with_suffix(".whole").read_bytes()
    assert peak < len(whole) * 250


def test_rows_without_a_visit_are_no_reason_to_begin_again_and_again(archive):
    archive.append(alerts(rows([10.0, 11.0], [1.0, 2.0], visit=0, detector=-1)))
    keeper = ledger(archive)
    assert [keeper.update(FULL, NOW) for _ in range(3)] == [0, 0, 0]
    assert len(read(archive)) == 0


@pytest.mark.parametrize("place", [(30.0, -20.0), (359.95, 10.0), (200.0, 89.8), (10.0, -89.9)])
def test_near_a_position_lies_every_footprint_that_holds_it(archive, place):
    rng = np.random.default_rng(4)
    for number in range(1, 30):
        far = (rng.uniform(0, 360), np.degrees(np.arcsin(rng.uniform(-1, 1))))
        archive.append(alerts(visit(number, *(place if number % 10 == 0 else far))))
    ledger(archive).update(FULL, NOW)
    whole = read(archive)
    some = visits_file.read_near(archive.folder, NIGHT, *place)
    assert abs(place[1]) > 89 or len(some) < len(whole)  # the last row group reaches to the pole

    def at(visits):
        return sorted(visits.visit[holding(Halves.of(visits.polygons), *place)].tolist())

    assert at(some) == at(whole)


@pytest.mark.parametrize("place", [(30.0, -20.0), (359.95, 10.0), (200.0, 89.8), (10.0, -89.9)])
@pytest.mark.parametrize("radius_deg", [0.9, 5.0, 40.0])
def test_around_some_points_lies_every_visit_that_is_near_one_and_others_are_not_read(archive, place, radius_deg):
    rng = np.random.default_rng(3)
    n = 20 * visits_file.ROW_GROUP
    one = detector_visits(visit(1), CAMERAS)
    whole = joined([one] * (n // len(one) + 1))
    ra, dec = rng.uniform(0, 360, len(whole)), np.degrees(np.arcsin(rng.uniform(-1, 1, len(whole))))
    visits_file.write(
        archive.folder, NIGHT, replace(whole, visit=np.arange(1, len(whole) + 1), ra_deg=ra, dec_deg=dec), topics={}
    )
    points = np.array([place[0], place[0] + 3.0]), np.array([place[1], 0.9 * place[1]])
    found = visits_file.read_in(archive.folder, NIGHT, around_points(*points, radius_deg))
    apart = np.minimum(*(separations_deg(*point, ra, dec) for point in zip(*points, strict=True)))
    near = set((np.flatnonzero(apart <= radius_deg) + 1).tolist())
    assert near
    assert near <= set(found.visit.tolist())
    assert len(found) < len(whole) // 3 or radius_deg == 40.0


def test_a_night_without_ledger_has_no_rows_and_a_damaged_one_says_so(archive):
    assert len(read(archive)) == 0
    assert visits_file.nights(archive.folder) == []
    path = visits_file.path_of(archive.folder, NIGHT)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"PAR1 no such thing PAR1")
    with pytest.raises(StorageError, match="damaged"):
        read(archive)


def reprocessed(table, *, seconds=1000):
    """Return rows as versions that were made later, and hold in the place of those that are there."""
    batch = alerts(table)
    return replace(batch, revision=batch.revision | np.int64(seconds << 31))


def depths(archive):
    found = read(archive)
    return {number: float(np.median(found.depth_njy[found.visit == number])) for number in np.unique(found.visit).tolist()}


@pytest.mark.parametrize("is_compacted", [False, True])
def test_a_visit_whose_rows_were_processed_anew_is_computed_anew_though_it_has_no_more_of_them(archive, is_compacted):
    for number in (1, 2):
        archive.append(alerts(visit(number)))
    keeper = ledger(archive)
    assert keeper.update(FULL, NOW) == 2
    assert archive.append(reprocessed(visit(1, error=400.0))).all()
    assert not visits_file.has_seen_all(archive.folder, NIGHT, visits_file.read_note(archive.folder, NIGHT))
    if is_compacted:
        compact(archive.folder, NIGHT)
        assert not visits_file.has_seen_all(archive.folder, NIGHT, visits_file.read_note(archive.folder, NIGHT))
    assert ledger(archive).update(FULL, NOW.plus_s(1)) == 1
    assert visits_file.has_seen_all(archive.folder, NIGHT, visits_file.read_note(archive.folder, NIGHT))
    assert depths(archive) == {1: 2000.0, 2: 500.0}
    assert ledger(archive).update(FULL, NOW.plus_s(2)) == 0


def test_a_visit_that_is_being_processed_anew_is_not_told_of_as_it_was(archive):
    for number in (1, 2, 3):
        archive.append(alerts(visit(number)))
    keeper = ledger(archive, quiet_s=600.0)
    keeper.update(FULL, NOW)
    assert keeper.update(FULL, NOW.plus_s(601)) == 3
    (before,) = visits_file.read_note(archive.folder, NIGHT).spans
    archive.append(reprocessed(visit(2, error=400.0)))
    assert keeper.update(FULL, NOW.plus_s(1000)) == 0
    (meanwhile,) = visits_file.read_note(archive.folder, NIGHT).spans
    assert (before.last_us - meanwhile.last_us, visits_file.read_note(archive.folder, NIGHT).settled) == (74_000_000, "")
    assert keeper.update(FULL, NOW.plus_s(1601)) == 1
    assert visits_file.read_note(archive.folder, NIGHT).spans == (before,)
    assert depths(archive) == {1: 500.0, 2: 2000.0, 3: 500.0}


def test_a_visit_all_of_whose_rows_are_of_another_one_now_is_in_the_ledger_no_more(archive):
    for number in (1, 2):
        archive.append(alerts(visit(number)))
    ledger(archive).update(FULL, NOW)
    table = visit(1)
    moved = table.set_column(table.schema.get_field_index("visit"), "visit", pa.array(np.full(table.num_rows, 7)))
    archive.append(reprocessed(moved))
    ledger(archive).update(FULL, NOW.plus_s(1))
    found = read(archive)
    assert np.unique(found.visit).tolist() == [2, 7]
    assert found.n_alerts[found.visit == 7].sum() == table.num_rows


def test_in_whatever_order_versions_come_the_ledger_is_the_same(archive, tmp_path):
    first, second = alerts(visit(1)), reprocessed(visit(1, error=400.0))
    other = ArchiveHistory(tmp_path / "other")
    for history, order in ((archive, (first, second)), (other, (second, first))):
        for number, batch in enumerate(order):
            history.append(batch)
            ledger(history).update(FULL, NOW.plus_s(number))
    assert depths(archive) == depths(other) == {1: 2000.0}
    assert visits_file.digests(archive.folder, NIGHT) == visits_file.digests(other.folder, NIGHT)
