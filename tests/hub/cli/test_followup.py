"""``mmhub followup decide`` on the small database of `tests.support.api_night`."""

import json

import pytest

from hub.cli.app import main
from hub.resources import read_text
from hub.storage.engine import open_store, upgrade
from tests.support.api_night import OBJECT_ID, fill


@pytest.fixture
def hub(tmp_path, capsys):
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    upgrade(url)
    store = open_store(url)
    fill(store)
    store.close()

    def run(*words, code=0):
        assert main(["--data-dir", str(tmp_path), "followup", "decide", *words]) == code
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return out, err

    return run


@pytest.fixture
def policy(tmp_path):
    """Give a policy whose decision does not depend on what stands in the sky today."""
    file = tmp_path / "policy.toml"
    text = read_text("conf/policy.toml").replace("not_observable = true", "not_observable = false")
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_a_person_is_told_what_would_be_asked_and_why(hub, policy):
    out, _ = hub("GW170817", "--candidate", f"LSST:{OBJECT_ID}", "--policy", policy)
    assert f"LSST:{OBJECT_ID} for S170817a, kilonova: ask a person by the rule 'any announced candidate'" in out
    assert "dry run at simulated: live requests are switched off" in out
    assert "the rule 'kilonova' does not match: the expected magnitude is not known; " in out


def test_a_machine_gets_one_line_for_each_hypothesis(hub, policy):
    out, _ = hub("GW170817", "--candidate", OBJECT_ID, "--policy", policy, "--json")
    (body,) = map(json.loads, out.splitlines())
    assert (body["event_id"], body["verdict"], body["allocations"]) == ("S170817a", "ask a person", ["simulated"])
    assert body["passed_over"]["low significance"] == ["the grade is unstated, not low or sub_threshold"]


def test_the_event_itself_is_asked_about_without_a_candidate(hub):
    out, _ = hub("GW170817", "--json")
    body = json.loads(out)
    assert (body["verdict"], body["candidate"], body["reasons"]) == ("skip", None, ["no rule matches"])


def test_mistakes_are_sentences(hub, tmp_path):
    assert "there is no event S9" in hub("S9", code=3)[1]
    assert "S170817a has no candidate x" in hub("GW170817", "--candidate", "x", code=3)[1]
    assert "cannot read " in hub("GW170817", "--policy", str(tmp_path / "none"), code=1)[1]
    (tmp_path / "bad").write_bytes(b"\xff")
    assert "is no text in UTF-8" in hub("GW170817", "--policy", str(tmp_path / "bad"), code=1)[1]
    (tmp_path / "bad").write_text("version = 2")
    assert "the follow-up policy lacks 'live'" in hub("GW170817", "--policy", str(tmp_path / "bad"), code=1)[1]
