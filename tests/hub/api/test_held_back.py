"""Coincidences that the budget holds back, listed by themselves with the reason and both numbers: over HTTP and on the terminal."""

import json
from dataclasses import replace

import pytest

from hub.api import wire
from hub.cli.app import main
from hub.science.budget import HELD_BACK
from hub.storage import coincidences
from hub.storage.engine import open_store, upgrade
from tests.support.api_night import api, fill, pair

WHY = f"{HELD_BACK}unrelated real events would do this 0.4 times a month, the share of gw-grb is 0.05"
LIST = "/api/v1/coincidences"


def hold_back(store) -> str:
    """Write a version of the pair of events that stays in the hub; return its id."""
    one = pair()
    with store.transaction() as session:
        coincidences.add(session, replace(one, version=one.version + 1, held_back=True, reasons=(WHY, *one.reasons)))
    return one.coincidence_id


@pytest.mark.parametrize(("query", "is_held"), [("held_back=true", True), ("held_back=false", False)])
def test_those_that_are_held_back_are_listed_by_themselves(tmp_path, query, is_held):
    with api(tmp_path) as (client, store):
        everything = client.get(LIST).json()["data"]
        name = hold_back(store)
        found = client.get(f"{LIST}?{query}").json()["data"]
    assert {one["held_back"] for one in found} == {is_held}
    others = {one["coincidence_id"] for one in everything} - {name}
    assert {one["coincidence_id"] for one in found} == ({name} if is_held else others)
    for one in found:
        wire.Coincidence.model_validate(one)
    if is_held:
        assert found[0]["held_back_reason"] == WHY
        assert found[0]["joint_far_hz"] is not None
        assert found[0]["random_association_hz"] is not None


def test_an_odd_filter_is_refused(tmp_path):
    with api(tmp_path) as (client, _):
        assert client.get(f"{LIST}?held_back=perhaps").status_code == 422


def test_the_terminal_lists_them_with_the_reason_and_both_numbers(tmp_path, capsys):
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    upgrade(url)
    store = open_store(url)
    fill(store)
    words = ["--data-dir", str(tmp_path), "coinc", "list"]
    assert main([*words, "--held-back"]) == 3
    name = hold_back(store)
    store.close()
    capsys.readouterr()
    assert main([*words, "--held-back"]) == 0
    out = capsys.readouterr().out
    assert "share of gw-grb is 0.05" in out
    assert "random_association_hz" in out
    assert main([*words, "--held-back", "--json"]) == 0
    (body,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (body["coincidence_id"], body["held_back_reason"]) == (name, WHY)
    assert main([*words, "--not-held-back", "--json"]) == 0
    assert name not in capsys.readouterr().out
