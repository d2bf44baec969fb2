"""What lies around objects, and files of before the archive had all of its columns."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from hub.archive import compaction, layout
from hub.archive.history import ArchiveHistory
from hub.model.alert import UNSAID, AlertBatch
from hub.model.instant import Instant
from tests.contracts.alert_history import rows
from tests.support.archived import survey_night
from tests.support.words import T0, alerts

ARCSEC = 1.0 / 3600.0
WHOLE = np.array([0]), np.array([12 << 58])


def at(survey: str, name: bytes, number: int, north: float, days: float = 1.0) -> AlertBatch:
    return alerts({"object_id": name, "source_id": number, "dec": 20.0 + north * ARCSEC, "days": days}, survey=survey)


@pytest.mark.parametrize("form", ["fresh", "fresh to another process", "catalog"])
def test_alerts_of_an_object_and_of_what_lies_around_it_are_found_for_all_surveys(tmp_path: Path, form: str) -> None:
    history = ArchiveHistory(tmp_path)
    own = [at("LSST", b"1", 1, 0.0), at("LSST", b"1", 2, 0.2, days=40.0), at("LSST", b"1", 3, 8.0)]
    near = [at("LSST", b"2", 4, 1.0, days=-50.0), at("ZTF", b"ZTFa", 1, 3.5)]
    far = [at("LSST", b"3", 5, 200.0), at("ZTF", b"1", 6, 190.0)]
    for batch in (*own, *near, *far):
        history.append(batch)
    if form == "catalog":
        for night in history.nights():
            assert compaction.compact(tmp_path, night) is not None
    if form != "fresh":
        history = ArchiveHistory(tmp_path)
    lsst, ztf = history.with_neighbours("LSST", ["1"], own[0].hpx29)
    assert (lsst.survey, lsst.source_id.tolist()) == ("LSST", [4, 1, 3, 2])
    assert (ztf.survey, ztf.source_id.tolist()) == ("ZTF", [1])
    assert rows(history.of_objects("LSST", ["1"], own[0].hpx29)) == rows(lsst.take(lsst.object_id == b"1"))
    assert history.with_neighbours("LSST", [], np.zeros(0, dtype=np.int64)) == []


@pytest.mark.parametrize("is_compacted", [False, True])
def test_files_without_the_later_columns_go_on_to_be_read(tmp_path: Path, is_compacted: bool) -> None:
    night = 61_100
    (batch,) = survey_night(night, 300, per_visit=300)
    ArchiveHistory(tmp_path).append(batch)
    for path in (path for one in layout.nights(tmp_path) for path in layout.list_night(tmp_path, one).paths()):
        table = pq.read_table(path)
        pq.write_table(table.drop_columns(list(UNSAID)), path)  # the note of the file stays with its schema
    late = alerts({"source_id": 7, "is_dipole": True, "quiet_tai_us": T0.tai_us})
    shifted = AlertBatch.from_columns(
        "LSST",
        **{name: getattr(late, name) for name in AlertBatch.__slots__ if name not in {"survey", "provenance", "mid_tai_us"}},
        mid_tai_us=batch.mid_tai_us[:1],
    )
    ArchiveHistory(tmp_path).append(shifted)
    if is_compacted:
        for one in layout.nights(tmp_path):
            assert compaction.compact(tmp_path, one) is not None
    history = ArchiveHistory(tmp_path)
    (found,) = history.in_region(*WHOLE, Instant.from_mjd_tai(night), Instant.from_mjd_tai(night + 3))
    assert len(found) == 301
    is_new = found.source_id == 7
    for name, value in UNSAID.items():
        assert (getattr(found, name)[~is_new] == value).all()
    assert (found.is_dipole[is_new].tolist(), found.quiet_tai_us[is_new].tolist()) == ([True], [T0.tai_us])
    own = history.of_objects("LSST", [found.object_id[0].decode()], found.hpx29[:1])
    assert len(own) == 1
