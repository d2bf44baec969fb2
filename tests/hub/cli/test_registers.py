"""``mmhub pointings fetch|withdraw|reported`` at a Treasure Map on loopback."""

import json

import pytest

from hub.cli.app import main
from hub.storage import localizations
from hub.storage.engine import open_store, upgrade
from tests.support.api_night import T0, add_event, localization, notice
from tests.support.told import REQUEST, told
from tests.support.treasure_map import treasure_map

EVENT = "S230518h"


@pytest.fixture
def server():
    with treasure_map() as running:
        yield running


@pytest.fixture
def hub(tmp_path, capsys, server):
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    upgrade(url)
    store = open_store(url)
    place = localization()
    with store.transaction() as session:
        localizations.save(session, place)
        add_event(session, [notice(EVENT, aliases=("GW230518",))], localization_id=place.localization_id)
    store.close()
    (tmp_path / "token").write_text("token-of-the-hub")
    file = tmp_path / "hub.toml"
    file.write_text(
        f'[networks.map]\nkind = "treasure-map"\nurl = "{server.url}"\nhosts = ["127.0.0.1"]\nuser = "hub"\n'
        'token_file = "token"\nallow_loopback = true\ninstruments = { CAMERA = { id = 10 } }\n'
        '[networks.rubin]\nkind = "rubin"\nurl = "http://127.0.0.1:9/tap"\nhosts = ["127.0.0.1"]\nallow_loopback = true\n'
    )

    def run(*words, code=0):
        assert main(["--data-dir", str(tmp_path), "--config", str(file), "pointings", *words]) == code
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        assert "token-of-the-hub" not in out + err
        return out, err

    return run


def add(server, user="somebody", **changes):
    values = {"ra": 197.45, "dec": -23.38, "instrumentid": 10, "time": T0.plus_s(4e4).to_utc_iso()[:19], "band": "g"}
    server.add(user, event=EVENT, **values | {"depth": 21.5, "depth_unit": "ab_mag", "status": "completed"} | changes)


def test_what_others_report_is_taken_in_and_listed(hub, server):
    add(server)
    add(server, ra=400.0)
    out, err = hub("fetch", "GW230518", "--network", "map")
    assert f"1 pointings of {EVENT} by map taken in, 1 completed" in out
    assert "left out: pointing 12: " in err
    body = json.loads(hub("fetch", EVENT, "--network", "map", "--json")[0])
    assert (body["n_pointings"], body["n_left_out"]) == (1, 1)
    (row,) = map(json.loads, hub("list", EVENT, "--json")[0].splitlines())
    assert (row["instrument"], row["reported_by"], row["depth_ab"]) == ("Imager", "map: somebody", 21.5)


def test_nothing_reported_has_a_code_of_its_own(hub):
    assert "0 pointings of" in hub("fetch", EVENT, "--network", "map", code=3)[0]


def test_what_the_hub_planned_is_withdrawn_and_saying_it_again_does_no_harm(hub, server):
    add(server, user="hub", status="planned")
    add(server, status="planned")
    assert f"1 planned pointings of {EVENT} withdrawn at map" in hub("withdraw", EVENT, "--network", "map")[0]
    assert [row["status"] for row in server.rows] == ["cancelled", "planned"]
    assert json.loads(hub("withdraw", EVENT, "--network", "map", "--json", code=3)[0])["n_withdrawn"] == 0


def test_mistakes_are_sentences(hub):
    assert "there is no table [networks.x] in the settings" in hub("fetch", EVENT, "--network", "x", code=1)[1]
    assert "there is no event S9" in hub("fetch", "S9", "--network", "map", code=3)[1]
    assert "nothing can be withdrawn at rubin: it only tells" in hub("withdraw", EVENT, "--network", "rubin", code=1)[1]
    assert "does not tell where others point" in hub("fetch", EVENT, "--network", "simulated", code=1)[1]
    assert "127.0.0.1" in hub("fetch", EVENT, "--network", "rubin", code=1)[1]


def test_what_registers_were_told_and_what_they_answered_is_listed(hub, tmp_path, server):
    store = open_store(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    with store.transaction() as session:
        told(session, EVENT)
    store.close()
    rows = [json.loads(line) for line in hub("reported", "GW230518", "--json")[0].splitlines()]
    assert [(row["network"], row["field"], row["band"], row["answer"]) for row in rows] == [
        ("map", 1, "g", "taken"),
        ("map", 1, "r", "refused"),
        ("other", 1, "g", "unknown"),
        ("other", 1, "r", "not reached"),
    ]
    assert (rows[0]["told"], rows[0]["number"], rows[0]["intent_id"]) == ("planned", 12, REQUEST)
    assert (rows[1]["refused"], rows[1]["reason"]) == ("planned", "the band is not known there")
    assert "the band is not known there" in hub("reported", EVENT)[0]
    assert server.asked == [], "nobody is asked"
    assert "there is no event S9" in hub("reported", "S9", code=3)[1]
