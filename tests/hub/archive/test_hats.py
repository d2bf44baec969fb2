"""A night written as a HATS catalog is one by the words of the packages that define it."""

import csv
import itertools
from pathlib import Path

import hats
import lsdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hats.io.validation import is_valid_catalog
from hypothesis import given
from hypothesis import strategies as st

from hub.archive.hats import Partition, Pixel, catalog_folder, contents_of, nights, partitions, write_sources
from hub.archive.hats_writing import MAP_ORDER, CatalogWriter, count, divide
from hub.errors import StorageError
from hub.science.healpix import N_PIX29, pixels29

PROPERTIES = {"obs_collection": "night", "dataproduct_type": "source", "hats_col_ra": "ra_deg", "hats_col_dec": "dec_deg"}


def sky(n: int, seed: int = 1) -> pa.Table:
    """Positions over the southern sky, with a field that is crowded."""
    rng = np.random.default_rng(seed)
    ra = np.concatenate([rng.uniform(0, 360, n - n // 2), rng.normal(53.1, 0.6, n // 2)])
    dec = np.concatenate([np.degrees(np.arcsin(rng.uniform(-1, 0.1, n - n // 2))), rng.normal(-28.1, 0.6, n // 2)])
    pixels = pixels29(ra, dec)
    order = np.argsort(pixels)
    columns = {"_healpix_29": pixels[order], "source_id": np.arange(n)[order], "ra_deg": ra[order], "dec_deg": dec[order]}
    return pa.table(columns)


def write(folder: Path, table: pa.Table, max_rows: int) -> None:
    writer = CatalogWriter(folder, table.schema)
    pixels = table["_healpix_29"].to_numpy()
    for pixel in divide(count(pixels), max_rows):
        first, last = np.searchsorted(pixels, [pixel.lo, pixel.hi])
        writer.write(pixel, table.slice(first, last - first))
    write_sources(folder, [])
    writer.finish(PROPERTIES)


def partitions_in_folder(folder: Path) -> tuple[Partition, ...]:
    return contents_of(folder).partitions


def test_a_catalog_is_valid_and_holds_every_row(tmp_path: Path) -> None:
    table = sky(20_000)
    write(tmp_path / "60999", table, 1000)
    assert is_valid_catalog(tmp_path / "60999", strict=True)
    opened = lsdb.open_catalog(tmp_path / "60999")
    assert len(opened) == 20_000
    assert sorted(opened.compute()["source_id"]) == list(range(20_000))


def test_partitions_are_finer_where_the_sky_is_crowded(tmp_path: Path) -> None:
    write(tmp_path / "60999", sky(20_000), 1000)
    found = partitions_in_folder(tmp_path / "60999")
    assert sum(one.n_rows for one in found) == 20_000
    assert max(one.n_rows for one in found) <= 1000
    assert len({one.pixel.order for one in found}) >= 4
    assert all(before.hi <= after.lo for before, after in itertools.pairwise(found))


def test_rows_lie_in_their_partition_and_ascend(tmp_path: Path) -> None:
    write(tmp_path / "60999", sky(20_000), 1000)
    for one in partitions_in_folder(tmp_path / "60999"):
        pixels = pq.ParquetFile(one.path).read(["_healpix_29"])["_healpix_29"].to_numpy()
        assert len(pixels) == one.n_rows
        assert (np.diff(pixels) >= 0).all()
        assert one.lo <= pixels[0] <= pixels[-1] < one.hi


def test_the_footers_are_gathered_in_one_file(tmp_path: Path) -> None:
    write(tmp_path / "60999", sky(20_000), 1000)
    dataset = tmp_path / "60999" / "dataset"
    gathered = pq.read_metadata(dataset / "_metadata")
    assert gathered.num_rows == 20_000
    paths = [gathered.row_group(number).column(0).file_path for number in range(gathered.num_row_groups)]
    assert all((dataset / path).is_file() for path in paths)
    assert paths == [str(one.path.relative_to(dataset)) for one in partitions_in_folder(tmp_path / "60999")]


def test_lsdb_finds_what_lies_in_a_cone_and_knows_the_part_of_the_sky(tmp_path: Path) -> None:
    table = sky(20_000)
    write(tmp_path / "60999", table, 1000)
    opened = lsdb.open_catalog(tmp_path / "60999", search_filter=lsdb.ConeSearch(53.1, -28.1, 1800.0))
    near = np.hypot((table["ra_deg"].to_numpy() - 53.1) * np.cos(np.radians(-28.1)), table["dec_deg"].to_numpy() + 28.1) < 0.4
    inside = set(opened.compute()["source_id"])
    assert inside >= set(table["source_id"].to_numpy()[near])
    assert 0 < len(inside) < 20_000
    moc = hats.read_hats(tmp_path / "60999").moc
    assert moc.contains_lonlat(*lonlat(table)).all()
    assert 0.02 < moc.sky_fraction < 0.1  # 10,000 pixels of 0.2 square degrees at most, and the crowded field


def lonlat(table: pa.Table):
    from astropy import units as u

    return table["ra_deg"].to_numpy() * u.deg, table["dec_deg"].to_numpy() * u.deg


def test_rows_out_of_order_or_place_are_refused(tmp_path: Path) -> None:
    table = sky(100)
    writer = CatalogWriter(tmp_path / "60999", table.schema)
    with pytest.raises(ValueError, match="not in order"):
        writer.write(Pixel(0, 0), table)
    base = Pixel(0, 8)
    inside = table.filter((table["_healpix_29"].to_numpy() >= base.lo) & (table["_healpix_29"].to_numpy() < base.hi))
    with pytest.raises(ValueError, match="not in order"):
        writer.write(base, inside.take(np.arange(inside.num_rows)[::-1]))
    writer.write(base, inside)
    assert writer.n_rows == inside.num_rows


@given(
    st.lists(st.integers(0, N_PIX29 - 1) | st.integers(0, 5000), max_size=300),
    st.integers(1, 50),
)
def test_a_division_covers_every_row_once(pixels: list[int], max_rows: int) -> None:
    array = np.array(sorted(pixels), dtype=np.int64)
    found = divide(count(array), max_rows)
    assert all(before.hi <= after.lo for before, after in itertools.pairwise(found))
    held = [int(np.count_nonzero((array >= one.lo) & (array < one.hi))) for one in found]
    assert sum(held) == len(array)
    assert all(n > 0 for n in held)
    assert all(n <= max_rows or one.order == MAP_ORDER for n, one in zip(held, found, strict=True))


def test_a_night_that_is_being_replaced_is_found_under_its_former_name(tmp_path: Path) -> None:
    write(tmp_path / "nights" / ".60998.old", sky(100), 1000)
    write(tmp_path / "nights" / "60999", sky(100), 1000)
    (tmp_path / "nights" / ".61000.building").mkdir()
    assert nights(tmp_path) == [60998, 60999]
    assert catalog_folder(tmp_path, 60998) == tmp_path / "nights" / ".60998.old"
    assert sum(one.n_rows for one in partitions(tmp_path, 60998)) == 100
    assert partitions(tmp_path, 61000) == ()
    assert nights(tmp_path / "elsewhere") == []


def test_a_list_of_partitions_that_is_none_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "nights" / "60999"
    write(folder, sky(100), 1000)
    (folder / "partition_info.csv").write_text("Norder,Npix\n0,x\n", encoding="ascii")
    with pytest.raises(StorageError, match="does not list the partitions"):
        partitions(tmp_path, 60999)
    with (folder / "partition_info.csv").open("w", encoding="ascii") as file:
        csv.writer(file).writerow(["a"])
    assert partitions(tmp_path, 60999) == ()
