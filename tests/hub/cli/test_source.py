"""``mmhub source``: what is one burst, and a person's word about it."""

import json
from pathlib import Path
from typing import Any

import pytest

from hub.bootstrap import open_hub
from hub.cli.app import main
from hub.model.envelope import Envelope, Trust
from hub.storage.engine import Store, make_engine, upgrade
from tests.support import small_world as world
from tests.support.voevents import voevent

MERGER = world.merger("S260301a", "PRELIMINARY", 60, world.FIRST_PLACE)
FERMI = world.burst(794023391, 1.0, 30, world.BURST_PLACE)
SWIFT = voevent(
    ivorn="ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_1234567-301",
    params={"Packet_Type": 61, "TrigID": 1234567},
    time=world.after(2.0)[:-1],
    date=world.after(40)[:19],
    position=(151.5, -19.5, 0.05),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    url = f"sqlite:///{tmp_path}/hub.sqlite"
    upgrade(url)
    store = Store(make_engine(url))
    with open_hub(world.settings_in(tmp_path), store, clock=world.Ticking()) as hub:
        for payload in (MERGER, FERMI, SWIFT):
            hub.flow.take([Envelope(payload=payload, source="file", received_at=world.NOW, trust=Trust.TRUSTED)])
    store.close()
    return tmp_path


def mmhub(folder: Path, capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> list[Any]:
    assert main(["--data-dir", str(folder), *words, "--json"]) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def pairs(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    bodies = mmhub(folder, capsys, "coinc", "list", "--event", "S260301a")
    return {" ".join(sorted(member["id"] for member in one["members"])): one["state"] for one in bodies}


WHO = ("--by", "A. Person", "--because", "the light curves differ")


def test_a_person_splits_a_burst_and_takes_it_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (burst,) = mmhub(folder, capsys, "source", "list")
    assert [one["event_id"] for one in burst["members"]] == ["Fermi-794023391", "Swift-1234567"]
    assert pairs(folder, capsys) == {"Fermi-794023391 S260301a": "open", "S260301a Swift-1234567": "withdrawn"}
    (event,) = mmhub(folder, capsys, "show", "Swift-1234567")
    assert event["burst"] == {
        "source_id": "Fermi-794023391",
        "others": ["Fermi-794023391"],
        "missions": ["Fermi", "Swift"],
    }
    (said,) = mmhub(folder, capsys, "source", "split", "Swift-1234567", "Fermi-794023391", *WHO)
    assert [len(one["members"]) for one in said["sources"]] == [1, 1]
    assert mmhub(folder, capsys, "source", "list", code=3) == []
    assert set(pairs(folder, capsys).values()) == {"open"}
    mmhub(folder, capsys, "source", "undo", str(said["word"]), "--by", "B. Other", "--because", "one after all")
    assert pairs(folder, capsys)["S260301a Swift-1234567"] == "withdrawn"
    (shown,) = mmhub(folder, capsys, "source", "show", "Swift-1234567")
    (word,) = shown["words"]
    assert (word["by"], word["holds"], word["undone_by"]) == ("A. Person", False, "B. Other")
    changes = [one["change"] for one in mmhub(folder, capsys, "source", "show", "Fermi-794023391", "--history")]
    assert changes[1] == (
        "all others left: Swift-1234567; A. Person split Fermi-794023391 and Swift-1234567: the light curves differ"
    )
    (open_one,) = mmhub(folder, capsys, "coinc", "list", "--event", "Fermi-794023391")
    explained = mmhub(folder, capsys, "coinc", "explain", open_one["coincidence_id"])
    (number,) = [one for one in explained if one["statistic"] == "source_members"]
    assert (number["value"], number["agrees"]) == (2.0, True)


def test_a_person_reads_it_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data-dir", str(folder), "source", "show", "Fermi-794023391"]) == 0
    text = capsys.readouterr().out
    assert "Swift-1234567" in text
    assert "time_and_place: Swift-1234567 came +1.000 s after Fermi-794023391" in text
    assert main(["--data-dir", str(folder), "source", "list"]) == 0
    assert main(["--data-dir", str(folder), "source", "split", "Swift-1234567", "Fermi-794023391", *WHO]) == 0
    assert "A. Person splits" in capsys.readouterr().out
    assert main(["--data-dir", str(folder), "show", "Swift-1234567"]) == 0


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("join", "Fermi-794023391", "S260301a", *WHO), 1, "S260301a is no electromagnetic event"),
        (("join", "Fermi-794023391", "Fermi-794023391", *WHO), 1, "are one event"),
        (("join", "Fermi-794023391", "Fermi-2", *WHO), 3, "there is no event Fermi-2"),
        (("join", "Fermi-794023391", "Swift-1234567", "--by", " ", "--because", "x"), 1, "needs the name of the person"),
        (("join", "Fermi-794023391", "Swift-1234567", "--by", "x", "--because", " "), 1, "needs a reason"),
        (("undo", "7", *WHO), 3, "there is no word 7"),
        (("show", "S260301a"), 3, "no electromagnetic event"),
    ],
)
def test_what_makes_no_sense_gets_a_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, sentence: str
) -> None:
    assert main(["--data-dir", str(folder), "source", *words]) == code
    assert sentence in capsys.readouterr().err
