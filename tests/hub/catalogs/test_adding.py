"""Public files become catalogues of the hub's format."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.table import MaskedColumn, Table

from hub.catalogs import writing
from hub.catalogs.recipes import recipes, with_columns
from hub.catalogs.searching import Catalogs, installed, remove
from hub.catalogs.writing import add
from hub.errors import ConfigError, InvalidRequest, NotFound
from hub.model.catalog import CatalogInfo, CatalogKind

RECIPES = recipes()
HERE = np.array([150.0]), np.array([2.0])


def write(folder: Path, text: str, recipe: str = "generic", name: str = "mine") -> CatalogInfo:
    source = folder / "source.csv"
    source.write_text(text)
    return add(source, RECIPES[recipe], folder / "catalogs", name)


def glade_line(number: int, ra: str, dec: str, **columns: str) -> str:
    cells = ["null"] * 40
    cells[0], cells[3], cells[8], cells[9] = str(number), f"ESO{number}", ra, dec
    for place, text in columns.items():
        cells[int(place[1:]) - 1] = text
    return " ".join(cells)


def test_rows_are_sorted_by_pixel_whatever_their_order(tmp_path: Path) -> None:
    rows = [f"g{number},{(number * 37.7) % 360},{(number * 13.3) % 180 - 90}" for number in range(50)]
    write(tmp_path, "id,ra,dec\n" + "\n".join(rows) + "\n", name="a")
    write(tmp_path, "id,ra,dec\n" + "\n".join(reversed(rows)) + "\n", name="b")
    one, other = (pq.read_table(tmp_path / "catalogs" / f"{name}.parquet") for name in "ab")
    assert repr(one.to_pylist()) == repr(other.to_pylist())
    assert (np.diff(one["_healpix_29"].to_numpy()) >= 0).all()


def test_runs_are_merged_as_if_all_had_been_sorted_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, 3000), np.degrees(np.arcsin(rng.uniform(-1, 1, 3000)))
    lines = "".join(f"g{n},{a},{d}\n" for n, (a, d) in enumerate(zip(ra, dec, strict=True)))
    write(tmp_path, "id,ra,dec\n" + lines, name="whole")
    monkeypatch.setattr(writing, "ROWS_IN_RUN", 400)
    monkeypatch.setattr(writing, "ROWS_IN_BATCH", 64)
    monkeypatch.setattr("hub.catalogs.reading.BLOCK_BYTES", 5000)
    write(tmp_path, "id,ra,dec\n" + lines, name="parts")
    whole, parts = (pq.read_table(tmp_path / "catalogs" / f"{name}.parquet") for name in ("whole", "parts"))
    assert len(parts) == 3000
    assert repr(whole.to_pylist()) == repr(parts.to_pylist())


def test_what_cannot_be_used_is_set_aside_with_its_reason(tmp_path: Path) -> None:
    info = write(tmp_path, "id,ra,dec,z\na,150,2,0.1\nb,,2,0.1\nc,x,2,0.1\nd,150,95,0.1\ne,150,2\nf,150,2,-9\n")
    assert info.n_rows == 2
    assert info.refused == (
        "2 rows were set aside: it has no position that can be read",
        "1 row was set aside: its number of columns differs from that of the first row",
        "1 row was set aside: its position is none on the sky",
    )
    found = Catalogs(tmp_path / "catalogs").all[0].near(*HERE, 1.0).entries
    assert dict(zip(found.name, np.nan_to_num(found.redshift), strict=True)) == {"a": 0.1, "f": 0.0}


def test_a_file_without_a_usable_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"no row of .* can be used: 1 row was set aside: it has no position"):
        write(tmp_path, "id,ra,dec\na,,\n")
    assert installed(tmp_path / "catalogs") == []
    assert list((tmp_path / "catalogs").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("a,b,c\n1,2,3\n", "no header with a column for the position"),
        ("ra,name\n1,2\n", "has no column for dec: it has ra, name"),
    ],
)
def test_a_table_without_positions_is_refused_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        write(tmp_path, text)


def test_bytes_under_the_name_of_a_table_are_refused(tmp_path: Path) -> None:
    for name in ("x.fits", "x.hdf5", "x.vot", "x.csv"):
        path = tmp_path / name
        path.write_bytes(b"\0\1\2 junk" * 100)
        with pytest.raises(InvalidRequest):
            add(path, RECIPES["generic"], tmp_path / "catalogs", "junk")
    with pytest.raises(InvalidRequest, match="cannot be read"):
        add(tmp_path / "nowhere.csv", RECIPES["generic"], tmp_path / "catalogs", "junk")


def test_the_text_of_glade_has_its_columns_by_number(tmp_path: Path) -> None:
    lines = [
        glade_line(1, "150.0", "2.0", c11="14.5", c19="10.1", c29="0.0098", c33="41.0", c34="3.0", c35="2"),
        glade_line(2, "10.0", "2.0", c29="0.1", c35="1"),
    ]
    info = write(tmp_path, "\n".join(lines) + "\n", "glade+", "glade+")
    assert info.n_rows == 2
    assert info.completeness is not None
    found = Catalogs(tmp_path / "catalogs").all[0].near(np.array([150.0, 10.0]), np.array([2.0, 2.0]), 1.0).entries
    assert found.name.tolist() == ["ESO1", "ESO2"]
    assert found.distance_kind.tolist() == ["redshift-independent", "photometric"]
    np.testing.assert_allclose(found.distance_mpc, [41.0, np.nan])
    np.testing.assert_allclose(found.redshift, [0.0098, 0.1])
    np.testing.assert_allclose(found.mags[0, [0, 4]], [14.5, 10.1], rtol=1e-6)


def test_columns_and_kind_can_be_named(tmp_path: Path) -> None:
    source = tmp_path / "stars.txt"
    source.write_text("Lon|Lat|Star\n150|2|V1\n")
    recipe = with_columns(RECIPES["generic"], "ra=Lon, dec=Lat,name=Star", "variable")
    assert add(source, recipe, tmp_path / "catalogs", "stars").kinds == (CatalogKind.VARIABLE,)
    assert Catalogs(tmp_path / "catalogs").all[0].near(*HERE, 1.0).entries.name.tolist() == ["V1"]
    with pytest.raises(InvalidRequest, match="expected COLUMN=NAME"):
        with_columns(RECIPES["generic"], "where=Lon", None)
    with pytest.raises(InvalidRequest, match="--kind star: expected one of galaxy"):
        with_columns(RECIPES["generic"], "", "star")


def test_masked_cells_of_tables_are_not_known(tmp_path: Path) -> None:
    table = Table({"ra": [150.0, 150.0], "dec": [2.0, 2.0], "id": ["a", "b"]})
    table["z"] = MaskedColumn([0.1, 0.2], mask=[False, True])
    table.write(tmp_path / "t.vot", format="votable")
    table.filled(np.nan).write(tmp_path / "t.fits")
    for name in ("t.vot", "t.fits"):
        add(tmp_path / name, RECIPES["generic"], tmp_path / "catalogs", "t")
        found = Catalogs(tmp_path / "catalogs").all[0].near(*HERE, 1.0).entries
        np.testing.assert_allclose(found.redshift, [0.1, np.nan])
    text = tmp_path / "t.csv"
    text.write_text("id,ra,dec,z,z.mask\na,150,2,0.1,False\nb,150,2,0.2,True\n")
    add(text, RECIPES["generic"], tmp_path / "catalogs", "t")
    np.testing.assert_allclose(Catalogs(tmp_path / "catalogs").all[0].near(*HERE, 1.0).entries.redshift, [0.1, np.nan])


def test_the_public_files_are_read(recorded: Path, tmp_path: Path) -> None:
    files = {
        "glade+": ("glade_subset_S190814bv.csv", 2000, "galaxy"),
        "4lac": ("4LAC-DR3-h.fits", 3407, "blazar"),
        "4fgl": ("gll_psc_v27.csv", 3637, "gamma_ray"),
        "clu": ("CLU_mini.csv", 10, "galaxy"),
    }
    for name, (file, n_rows, kind) in files.items():
        info = add(recorded / "catalogs" / file, RECIPES[name], tmp_path, name)
        assert (info.n_rows, info.refused) == (n_rows, ())
        assert kind in info.kinds
    assert add(recorded / "catalogs" / "CLU_mini.hdf5", RECIPES["clu"], tmp_path, "clu-hdf5").n_rows > 10
    assert [one.name for one in Catalogs(tmp_path).infos] == ["4fgl", "4lac", "clu", "clu-hdf5", "glade+"]
    by_name = {one.info.name: one for one in Catalogs(tmp_path).all}
    found = by_name["glade+"].near(np.array([11.781363]), np.array([-24.370647]), 1.0).entries
    assert found.name.tolist() == ["ESO474-026"]
    np.testing.assert_allclose(found.distance_mpc, 244.250312)
    txs = by_name["4lac"].near(np.array([77.3582]), np.array([5.6931]), 5.0).entries  # TXS 0506+056
    assert txs.kind.tolist() == ["blazar"]
    np.testing.assert_allclose(txs.redshift, 0.3365, atol=1e-3)


def test_a_catalogue_is_replaced_and_removed(tmp_path: Path) -> None:
    write(tmp_path, "id,ra,dec\na,150,2\n")
    before = Catalogs(tmp_path / "catalogs")
    write(tmp_path, "id,ra,dec\nb,150,2\n")
    assert before.all[0].near(*HERE, 1.0).entries.name.tolist() == ["a"]  # who has it open goes on
    assert Catalogs(tmp_path / "catalogs").all[0].near(*HERE, 1.0).entries.name.tolist() == ["b"]
    assert len(list((tmp_path / "catalogs").iterdir())) == 2  # the catalogue and its pixels
    remove(tmp_path / "catalogs", "mine")
    assert list((tmp_path / "catalogs").iterdir()) == []
    with pytest.raises(NotFound):
        remove(tmp_path / "catalogs", "mine")


def test_a_catalogue_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no catalogue 'glade'"):
        Catalogs(tmp_path, ["glade"])
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 junk")
    with pytest.raises(ConfigError, match="cannot be read"):
        Catalogs(tmp_path)
    pq.write_table(pq.read_table(_small(tmp_path)).replace_schema_metadata({}), tmp_path / "bad.parquet")
    with pytest.raises(ConfigError, match="no catalogue of the hub"):
        Catalogs(tmp_path, ["bad"])


def _small(folder: Path) -> Path:
    write(folder, "id,ra,dec\na,150,2\n")
    return folder / "catalogs" / "mine.parquet"


def test_what_a_catalogue_says_of_itself_is_in_its_file(tmp_path: Path) -> None:
    data = json.loads(pq.read_schema(_small(tmp_path)).metadata[b"mmhub.catalog"])
    assert data["format"] == 1
    assert data["n_rows"] == 1
