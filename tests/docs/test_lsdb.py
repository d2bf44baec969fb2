"""The page on LSDB keeps its word: its blocks run, one after the other, on nights that the hub wrote."""

import json
import re
import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pytest

from hub.archive import compaction
from hub.archive.columns import SCHEMA
from hub.archive.history import ArchiveHistory
from hub.model.alert import AlertBatch
from hub.science.healpix import pixels29
from hub.science.skymap_fits import to_moc
from tests.conftest import REPOSITORY
from tests.support.archived import DAY_US, FIRST_NIGHT, survey_night
from tests.support.skymaps import gaussian_map

PAGE = (REPOSITORY / "docs" / "how-to" / "lsdb.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
pytestmark = pytest.mark.slow

NIGHTS = 3
N = 3000
PLACE = (150.1, 2.2)
OBJECT = b"170055052186550301"

SHOWN = """
import json
print(json.dumps({
    "cone": sorted(cone["source_id"].tolist()),
    "box": len(box),
    "candidates": sorted(candidates["source_id"].tolist()),
    "light_curve": light_curve["mjd_tai"].tolist(),
    "pairs": pairs[["source_id", "name_galaxy" if "name_galaxy" in pairs else "name"]].values.tolist(),
    "n_by_band": int(n_by_band["n"].sum()),
}))
"""


@pytest.fixture(scope="module")
def batches() -> list[AlertBatch]:
    """Alerts around one place, night after night, the first of each night of the same object."""
    found = []
    for night in range(FIRST_NIGHT, FIRST_NIGHT + NIGHTS):
        (batch,) = survey_night(night, N, per_visit=N)
        columns = {name: np.array(getattr(batch, name)) for name in AlertBatch.__slots__ if name not in {"survey", "provenance"}}
        rng = np.random.default_rng(night)
        columns["ra_deg"], columns["dec_deg"] = rng.uniform(140, 160, N), rng.uniform(-8, 12, N)
        columns["ra_deg"][0], columns["dec_deg"][0] = PLACE
        columns["object_id"][0] = OBJECT
        columns["hpx29"] = pixels29(columns["ra_deg"], columns["dec_deg"])
        found.append(AlertBatch(survey="LSST", provenance=batch.provenance, **columns))
    return found


@pytest.fixture(scope="module")
def answers(batches: list[AlertBatch], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the blocks found."""
    folder = tmp_path_factory.mktemp("lsdb")
    history = ArchiveHistory(folder / "archive")
    for number, batch in enumerate(batches):
        history.append(batch)
        assert compaction.compact(folder / "archive", FIRST_NIGHT + number, max_rows=1000) is not None
    (folder / "map.moc.json").write_text(json.dumps(to_moc(gaussian_map(*PLACE, 1.0), 0.9)), encoding="utf-8")
    (folder / "galaxies.csv").write_text(f"name,ra,dec\nnear,{PLACE[0]},{PLACE[1] + 0.001}\nfar,20.0,-30.0\n", encoding="utf-8")
    # as the page says: workers of Dask are processes that read the script again
    lines = textwrap.indent("\n".join([*BLOCKS, SHOWN]), "    ")
    (folder / "script.py").write_text(f"if __name__ == '__main__':\n{lines}", encoding="utf-8")
    done = subprocess.run([sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_the_page_has_its_blocks() -> None:
    assert len(BLOCKS) == 6


def test_many_nights_are_one_catalog(answers: dict[str, Any]) -> None:
    assert answers["n_by_band"] == NIGHTS * N


def test_a_cone_and_a_box_hold_what_lies_in_them(answers: dict[str, Any], batches: list[AlertBatch]) -> None:
    inside: list[int] = []
    n_box = 0
    for batch in batches:
        near = separation_deg(batch) <= 0.5
        inside += batch.source_id[near].tolist()
        box = (batch.ra_deg >= 148) & (batch.ra_deg <= 152) & (batch.dec_deg >= 0) & (batch.dec_deg <= 4)
        n_box += int(np.count_nonzero(box & (batch.reliability > 0.5)))
    assert answers["cone"] == sorted(inside)
    assert len(inside) > NIGHTS
    assert answers["box"] == n_box


def test_the_region_of_a_map_gives_what_the_hub_gives(answers: dict[str, Any], batches: list[AlertBatch]) -> None:
    from mocpy import MOC

    moc = MOC.from_json(to_moc(gaussian_map(*PLACE, 1.0), 0.9))
    ranges = np.asarray(moc.to_depth29_ranges, dtype=np.int64)
    wanted: list[int] = []
    for batch in batches:
        place = np.searchsorted(ranges[:, 0], batch.hpx29, side="right") - 1
        inside = (place >= 0) & (batch.hpx29 < ranges[np.maximum(place, 0), 1]) & (batch.reliability > 0.5)
        wanted += batch.source_id[inside].tolist()
    assert answers["candidates"] == sorted(wanted)
    assert len(wanted) > 20


def test_a_light_curve_has_a_point_a_night(answers: dict[str, Any], batches: list[AlertBatch]) -> None:
    assert answers["light_curve"] == pytest.approx([40587 + int(batch.mid_tai_us[0]) / DAY_US for batch in batches])


def test_galaxies_find_their_alerts(answers: dict[str, Any], batches: list[AlertBatch]) -> None:
    assert sorted(answers["pairs"]) == [[int(batch.source_id[0]), "near"] for batch in batches]


def test_every_column_is_told_of() -> None:
    assert [name for name in SCHEMA.names if f"`{name}`" not in PAGE] == []


def separation_deg(batch: AlertBatch) -> np.ndarray:
    ra, dec, ra0, dec0 = np.radians(batch.ra_deg), np.radians(batch.dec_deg), *np.radians(PLACE)
    return np.degrees(np.arccos(np.clip(np.sin(dec) * np.sin(dec0) + np.cos(dec) * np.cos(dec0) * np.cos(ra - ra0), -1, 1)))
