"""``mmhub group``, and events of low significance in lists, from messages in true wire formats to the terminal and the API."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from hub.api import wire, wire_groups
from hub.api.app import create_app
from hub.bootstrap import open_hub
from hub.cli.app import main
from hub.model.envelope import Envelope, Trust
from hub.storage.engine import Store, make_engine, upgrade
from tests.support import small_world as world
from tests.support.json_notices import as_bytes, icecube, igwn_alert

MERGER = world.merger("S260301a", "PRELIMINARY", 60, world.FIRST_PLACE)
BURST = world.burst(794023391, 1.0, 30, world.BURST_PLACE)
NEUTRINO = as_bytes(
    icecube(
        trigger_time=world.after(4.0),
        alert_datetime=world.after(60),
        id=["141234_5678901_0"],
        ra=151.0,
        dec=-20.0,
        ra_dec_error=1.5,
    )
)


def faint_merger() -> bytes:
    """Return an alert of low significance, a day later."""
    body = igwn_alert()["event"] | {"time": world.after(world.DAY_S), "significant": False, "far": 2e-5}
    body["skymap"] = base64.b64encode(world.skymap(210.0, 15.0, 3.0)).decode()
    created = world.after(world.DAY_S + 120)[:19] + "Z"
    return as_bytes(igwn_alert(superevent_id="S260302b", alert_type="PRELIMINARY", time_created=created, event=body))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("groups")
    url = f"sqlite:///{folder}/hub.sqlite"
    upgrade(url)
    store = Store(make_engine(url))
    with open_hub(world.settings_in(folder), store, clock=world.Ticking()) as hub:
        for payload in (BURST, MERGER, faint_merger(), NEUTRINO):
            hub.flow.take([Envelope(payload=payload, source="file", received_at=world.NOW, trust=Trust.TRUSTED)])
    store.close()
    return folder


def mmhub(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> list[Any]:
    assert main(["--data-dir", str(folder), *words, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_group_is_listed_shown_and_explained(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (listed,) = mmhub(folder, capsys, "group", "list")
    (shown,) = mmhub(folder, capsys, "group", "show", "Fermi-794023391")
    assert shown == listed
    assert (shown["centre"], shown["kind"], shown["state"]) == ("S260301a", "gw+grb+neutrino", "open")
    assert shown["events"][0] == "S260301a"
    assert len(shown["events"]) == len(shown["pairs"]) == 3
    assert (shown["group_far_hz"], shown["group_random_association_hz"]) == (None, None)
    lines = {one["statistic"]: one for one in mmhub(folder, capsys, "group", "explain", shown["group_id"])}
    assert lines["group_overlap"]["agrees"] is True
    assert lines["group_overlap"]["value"] == shown["overlap"]
    assert lines["group_far"]["arithmetic"] == "no calibrated rate for groups of this kind"
    versions = mmhub(folder, capsys, "group", "show", shown["group_id"], "--history")
    assert [len(one["events"]) for one in versions] == [2, 3]
    assert main(["--data-dir", str(folder), "group", "show", "S260301a"]) == 0
    text = capsys.readouterr().out
    assert "IceCube" in text
    assert "random_association_hz" in text
    assert main(["--data-dir", str(folder), "group", "explain", "S260301a"]) == 0
    assert "NOT WHAT ITS INPUTS GIVE" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nobody", "there is no group and no event nobody"),
        ("S260302b", "S260302b is in no group: no open pair ties it to another event"),
    ],
)
def test_what_is_in_no_group_is_told_so(folder: Path, capsys: pytest.CaptureFixture[str], name: str, sentence: str) -> None:
    assert main(["--data-dir", str(folder), "group", "show", name]) == 3
    assert sentence in capsys.readouterr().err
    assert main(["--data-dir", str(folder), "group", "list", "--event", "nobody"]) == 3


def test_a_version_that_there_is_not_is_told_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data-dir", str(folder), "group", "explain", "S260301a", "--version", "9"]) == 3
    assert "has versions 1 to 2, not 9" in capsys.readouterr().err


def test_events_of_low_significance_are_listed_when_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = {one["event_id"] for one in mmhub(folder, capsys, "events")}
    assert "S260301a" in names
    assert "S260302b" not in names
    assert {one["event_id"] for one in mmhub(folder, capsys, "events", "--low")} == names | {"S260302b"}
    assert [one["event_id"] for one in mmhub(folder, capsys, "events", "--name", "S260302b")] == ["S260302b"]


def test_the_api_has_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from starlette.testclient import TestClient

    (listed,) = mmhub(folder, capsys, "group", "list")
    store = Store(make_engine(f"sqlite:///{folder}/hub.sqlite"))
    with TestClient(create_app(store, closes_store=True), base_url="http://127.0.0.1") as client:
        page = wire.Page[wire_groups.Group].model_validate(client.get("/api/v1/groups").json())
        assert [one.model_dump() for one in page.data] == [listed]
        one = client.get("/api/v1/groups/S260301a")
        assert one.headers["content-location"] == f"/api/v1/groups/{listed['group_id']}"
        assert wire.One[wire_groups.Group].model_validate(one.json()).data.events == listed["events"]
        history = wire.Whole[wire_groups.Group].model_validate(client.get("/api/v1/groups/S260301a/history").json())
        assert [each.version for each in history.data] == [1, 2]
        told = wire.Whole[wire_groups.ExplainedNumber].model_validate(client.get("/api/v1/groups/S260301a/explanation").json())
        assert {each.statistic for each in told.data} >= {"group_overlap", "group_far"}
        assert client.get("/api/v1/groups?event=S260302b").json()["data"] == []
        assert client.get("/api/v1/groups/nobody").status_code == 404
        names = {each["event_id"] for each in client.get("/api/v1/events").json()["data"]}
        assert "S260302b" not in names
        assert names | {"S260302b"} == {each["event_id"] for each in client.get("/api/v1/events?low=true").json()["data"]}
        assert [each["event_id"] for each in client.get("/api/v1/events?significance=low").json()["data"]] == ["S260302b"]
        assert client.get("/api/v1/events/S260302b").status_code == 200
