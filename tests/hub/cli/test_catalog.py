"""``mmhub catalog``."""

import json
from pathlib import Path

import pytest

from hub.cli.app import main


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.csv").write_text("id,ra,dec,z\nNGC 1,150.0,2.0,0.01\nbad,,,\n")


def test_a_catalogue_is_added_listed_searched_and_removed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog", "add", "mine.csv", "--as", "generic", "--kind", "agn", "--name", "mine"]) == 0
    said = capsys.readouterr().out
    assert "catalogue mine: 1 entries (agn)" in said
    assert "1 row was set aside: it has no position that can be read" in said
    assert main(["catalog", "list", "--json"]) == 0
    assert [json.loads(line)["name"] for line in capsys.readouterr().out.splitlines()] == ["mine"]
    assert main(["catalog", "info", "mine"]) == 0
    assert "generic" in capsys.readouterr().out
    assert main(["catalog", "cone", "--ra", "150.001", "--dec", "2", "--json"]) == 0
    (body,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (body["name"], body["kind"], body["redshift"], body["distance_mpc"]) == ("NGC 1", "agn", 0.01, None)
    assert body["separation_arcsec"] == pytest.approx(3.598, abs=1e-3)
    assert main(["catalog", "cone", "--ra", "10", "--dec", "2"]) == 3
    assert main(["catalog", "remove", "mine"]) == 0
    assert main(["catalog", "list"]) == 3
    assert main(["catalog", "remove", "mine"]) == 3
    assert main(["catalog", "info", "mine"]) == 3


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["add", "mine.csv", "--as", "simbad"], "--as simbad: expected one of"),
        (["add", "mine.csv", "--as", "generic", "--name", "../x"], "--name ../x: small letters"),
        (["add", "mine.csv", "--as", "generic", "--columns", "ra"], "--columns ra: expected COLUMN=NAME"),
        (["add", "nowhere.csv", "--as", "generic"], "cannot be read: No such file"),
        (["cone", "--ra", "nan", "--dec", "2"], "is no position on the sky"),
        (["cone", "--ra", "1", "--dec", "200"], "is no position on the sky"),
    ],
)
def test_nonsense_gets_a_sentence(capsys: pytest.CaptureFixture[str], words: list[str], sentence: str) -> None:
    assert main(["catalog", *words]) == 1
    assert sentence in capsys.readouterr().err
