from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.cli.positions import Position, read_positions
from hub.errors import InvalidRequest


def rows_of(tmp_path: Path, content: str | bytes) -> list[Position]:
    path = tmp_path / "positions.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_positions(path)


def test_columns_may_stand_in_any_order_among_others(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "\ufeffname, DEC ,Ra,distance_mpc\r\nNGC 4993,-23.38,197.45,40.7\r\n\r\nblank,-1,2,\r\n")
    assert rows == [
        Position(row=0, ra_deg=197.45, dec_deg=-23.38, distance_mpc=40.7),
        Position(row=1, ra_deg=2.0, dec_deg=-1.0),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x,1,1", "ra 'x' is no number of degrees from 0 to 360"),
        ("nan,1,1", "ra 'nan'"),
        ("-0.1,1,1", "ra '-0.1'"),
        ("360.5,1,1", "ra '360.5'"),
        (",1,1", "ra ''"),
        ("1,90.001,1", "dec '90.001' is no number of degrees from -90 to 90"),
        ("1,inf,1", "dec 'inf'"),
        ("1", "dec ''"),
        ("1,1,-5", "distance_mpc '-5' is no positive number"),
        ("1,1,0", "distance_mpc '0'"),
        ("1,1,far", "distance_mpc 'far'"),
        ("1,1,nan", "distance_mpc 'nan'"),
        ("1,1,1e999", "distance_mpc '1e999'"),
    ],
)
def test_bad_row_has_a_reason_and_the_next_one_is_fine(tmp_path: Path, row: str, reason: str) -> None:
    bad, good = rows_of(tmp_path, f"ra,dec,distance_mpc\n{row}\n10,20,30\n")
    assert bad.reason is not None
    assert bad.reason.startswith(reason)
    assert good == Position(row=1, ra_deg=10.0, dec_deg=20.0, distance_mpc=30.0)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "has no column ra"),
        ("ra,declination\n1,2\n", "has no column dec"),
        ("ra,dec,ra\n1,2,3\n", "has the column ra more than once"),
        (b"ra,dec\n\xff\xfe,1\n", "is no CSV file in UTF-8"),
        ("ra,dec\n" + "1" * 200_000 + ",2\n", "is no CSV file in UTF-8"),
    ],
)
def test_file_that_is_no_such_table_is_refused_in_one_sentence(tmp_path: Path, content: str | bytes, sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        rows_of(tmp_path, content)


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"none\.csv cannot be read: No such file"):
        read_positions(tmp_path / "none.csv")
    with pytest.raises(InvalidRequest, match="cannot be read: Is a directory"):
        read_positions(tmp_path)


@given(st.binary(max_size=200))
def test_no_bytes_cause_anything_but_rows_or_a_refusal(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    try:
        rows = rows_of(tmp_path_factory.getbasetemp(), b"ra,dec\n" + content)
    except InvalidRequest:
        return
    for row in rows:
        assert row.reason is not None or (0 <= row.ra_deg <= 360 and -90 <= row.dec_deg <= 90)
