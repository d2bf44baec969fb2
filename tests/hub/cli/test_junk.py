"""Every verb with words, files and databases that make no sense: one sentence and a documented exit code, never a traceback."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from hub.cli.app import main
from hub.storage.engine import upgrade
from tests.support import bombs_maps

DATABASES = ("missing", "text", "empty", "other", "cut", "folder")
READERS = (
    ["events"],
    ["show", "S1"],
    ["coinc", "list"],
    ["coinc", "show", "x"],
    ["followup", "list"],
    ["followup", "show", "x"],
    ["followup", "decide", "S1", "--candidate", "x"],
    ["deadletter", "list"],
    ["deadletter", "show", "ff"],
    ["deadletter", "replay", "ff"],
    ["deadletter", "drop", "ff"],
    ["what", "10", "20"],
    ["db", "upgrade"],
    ["ingest", "good.csv"],
)
WORDS = (
    ["show", "\x00"],
    ["show", "\udcff"],
    ["show", "x" * 100_000],
    ["show", ""],
    ["events", "--limit", "-1"],
    ["events", "--limit", "9" * 30],
    ["events", "--state", "\u202e"],
    ["what", "nan", "inf"],
    ["what", "1e400", "0"],
    ["what", "10", "91"],
    ["what", "10", "20", "yesterday"],
    ["what", "10", "20", "9" * 400],
    ["what", "10", "20", "2016-12-31T23:59:60Z"],
    ["what", "--", "-10", "-91"],
    ["coinc", "list", "--kind", "x\x00"],
    ["coinc", "show", "%00"],
    ["coinc", "show", "'; DROP TABLE events; --"],
    ["followup", "show", "\u202e"],
    ["followup", "decide", "\x00", "--candidate", "\u202e"],
    ["followup", "decide", "S1", "--policy", "\x00"],
    ["deadletter", "list", "--source", "\x00"],
    ["deadletter", "show", "z" * 64],
    ["deadletter", "replay", "*"],
    ["deadletter", "drop", "*"],
    ["demo", "--seed", "x"],
    ["demo", "gw999999"],
    ["run", "nonsense"],
    ["serve", "--port", "99999999"],
    ["serve", "--host", "\x00"],
    ["config", "check", "nothing.toml"],
    ["init", "folder/\x00"],
    ["--config", "folder", "events"],
    ["--config", "noise", "events"],
    ["--config", "missing.toml", "config", "check"],
    ["--data-dir", "noise", "ingest", "good.csv"],
    ["--data-dir", "noise/below", "ingest", "good.csv"],
    ["--data-dir", "a\x00b", "events"],
    ["--data-dir", "\udcff", "events"],
)
FILES = (
    "noise",
    "folder",
    "empty",
    "missing",
    "\udcff\udcfe",
    "line\nbreak",
    "dangling",
    "loop",
    "unreadable",
    "pipe\x00",
    "long",
)


@pytest.fixture(scope="module")
def empty_hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a hub that has taken nothing in, to copy."""
    folder = tmp_path_factory.mktemp("hub")
    upgrade(f"sqlite:///{folder / 'hub.sqlite'}")
    return folder


@pytest.fixture(autouse=True)
def _folder_of_odd_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("MMHUB_FOLLOWUP__ENABLED", "false")
    Path("noise").write_bytes(bytes(range(256)) * 40)
    Path("folder").mkdir()
    Path("empty").touch()
    Path("good.csv").write_text("ra,dec\n1,2\n")
    Path("good.fits").write_bytes(bombs_maps.rows(slice(None)))
    Path(os.fsdecode(b"\xff\xfe")).write_bytes(b"junk")
    Path("line\nbreak").write_bytes(b"junk")
    Path("dangling").symlink_to("nowhere")
    Path("loop").symlink_to("loop")
    Path("unreadable").write_bytes(b"junk")
    Path("unreadable").chmod(0)


def run(words: list[str], capfd: pytest.CaptureFixture[str], *codes: int) -> str:
    """Return what stood on standard error after checking that it says something, and no traceback."""
    code = main(words)
    out, err = capfd.readouterr()
    assert "Traceback" not in err + out
    assert "internal error" not in err + out, err
    assert code in codes, (words, code, out, err)
    if code == 1:
        assert (out + err).strip(), "a failure says why"
    return err


def make_database(kind: str, path: Path, empty_hub: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    match kind:
        case "text":
            path.write_text("this is no database\n" * 500)
        case "empty":
            path.touch()
        case "other":
            connection = sqlite3.connect(path)
            connection.execute("create table events (a, b)")
            connection.commit()
            connection.close()
        case "cut":
            whole = (empty_hub / "hub.sqlite").read_bytes()
            path.write_bytes(whole[: len(whole) // 3])
        case "folder":
            path.mkdir()


@pytest.mark.parametrize("kind", DATABASES)
@pytest.mark.parametrize("words", READERS, ids=" ".join)
def test_a_database_that_is_none_is_one_sentence(
    kind: str, words: list[str], empty_hub: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make_database(kind, Path("data/hub.sqlite"), empty_hub)
    # Two verbs make the database where there is none; a cut-off one may lack only what a verb does not need.
    err = run(["--data-dir", "data", *words], capfd, *((0, 1, 3) if kind in ("missing", "empty", "cut") else (1,)))
    if kind in ("text", "other", "folder"):
        assert err.strip().splitlines()[-1].startswith("mmhub: ")


@pytest.mark.parametrize("words", WORDS, ids=lambda words: ascii(" ".join(words)[:60]))
def test_words_without_sense_are_refused(words: list[str], empty_hub: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(empty_hub, "hub")
    run(words if words[0].startswith("--") else ["--data-dir", "hub", *words], capfd, 0, 1, 2, 3)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("verb", ["decode", "ingest", "map", "positions", "check"])
def test_a_file_of_the_wrong_kind_is_one_sentence(verb: str, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    name = "x" * 5_000 if name == "long" else os.fsdecode(b"\xff\xfe") if name.startswith("\udcff") else name
    words = {
        "decode": ["decode", name, "--json"],
        "ingest": ["--data-dir", "hub", "ingest", name],
        "map": ["inside", name, "good.csv"],
        "positions": ["inside", "good.fits", name],
        "check": ["config", "check", name],
    }[verb]
    run(words, capfd, *((0, 1, 2) if verb == "ingest" else (1, 2)))


@pytest.mark.parametrize(
    "table",
    [
        b"ra,dec\n" + b"1," * 500_000 + b"\n",
        b"ra,dec\n" + b'"' + b"x" * 1_000_000 + b"\n",
        b"ra,dec\n" + b"9" * 200_000 + b",1\n",
        b"ra,dec\n1e999,-1e999\nnan,inf\n,\n\xef\xbc\x91,2\n",
        b"ra,ra,dec\n1,2,3\n",
        b"\x00\x00",
        b"ra,dec\n1,\x002\n",
        b"ra,dec,distance_mpc\n1,2,1e308\n1,2,-0.0\n1,2,5e-324\n",
        "ra,dec\n1,2\n".encode("utf-16"),
        b"=cmd|' /C calc'!A0,ra,dec\nx,1,2\n",
    ],
    ids=range(10),
)
def test_a_hostile_table_of_positions_is_answered(table: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    Path("positions.csv").write_bytes(table)
    run(["inside", "good.fits", "positions.csv", "--json"], capfd, 0, 1)


MAPS = ("one pixel nan", "1 MB for 1 GB, many rows", "endless header", "truncated")
"""A few, each refused by another part of the hub: a new child for each map takes seconds."""


@pytest.mark.parametrize("name", MAPS)
def test_a_hostile_map_is_refused(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    Path("map.fits").write_bytes(bombs_maps.refused()[name]())
    assert "map.fits" in run(["inside", "map.fits", "good.csv", "--json"], capfd, 1)
