"""``mmhub networks``, and what ``mmhub config check`` says of telescope networks."""

import json
from pathlib import Path

import pytest

from hub.cli.app import main
from tests.support.portal_parts import FILTERS, INSTRUMENT, PROPOSAL, USER_TOKEN
from tests.support.ports import refusing_port


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MMHUB_API__PORT", "0")


def write(url, *, live=False, proposal=PROPOSAL):
    Path("mmhub.toml").write_text(
        f"""
[networks.lco]
kind = "ocs"
live = {json.dumps(live)}
url = "{url}"
hosts = ["127.0.0.1"]
allow_loopback = true
answer_s = 120
token_file = "token"
proposal = "{proposal}"
[networks.lco.instruments."{INSTRUMENT}"]
telescope_class = "1m0"
filters = {json.dumps(list(FILTERS))}
"""
    )
    Path("mmhub-data").mkdir(exist_ok=True)
    Path("mmhub-data/token").write_text(USER_TOKEN + "\n")


def told(capsys, *words):
    code = main([*words, "--json"])
    out, err = capsys.readouterr()
    assert USER_TOKEN not in out + err
    return code, [json.loads(line) for line in out.splitlines()]


def test_the_network_without_telescopes_tells_its_requests(capsys):
    Path("mmhub-data").mkdir()
    code, (body,) = told(capsys, "networks")
    assert code == 0
    assert (body["network"], body["kind"], body["live"], body["host"], body["fault"]) == ("simulated",) * 2 + (False, None, "")
    (quota,) = body["quota"]
    assert (quota["what"], quota["unit"], quota["left"], quota["until"]) == ("requests in 24 h", "requests", 200.0, None)
    assert main(["networks"]) == 0
    assert "requests in 24 h" in capsys.readouterr().out


def test_a_network_that_nobody_named_is_not_found(capsys):
    assert main(["networks", "lco"]) == 3
    assert "there is no network lco in the settings" in capsys.readouterr().err


def test_a_network_that_is_away_is_said_so_and_ends_with_a_failure(capsys):
    with refusing_port() as port:
        write(f"http://127.0.0.1:{port}")
        code, (body,) = told(capsys, "networks", "lco")
        assert (code, body["quota"]) == (1, [])
        assert "cannot be read" in body["fault"]
        code, parts = told(capsys, "config", "check")
    (said,) = [one for one in parts if one["part"] == "networks.lco"]
    assert (code, said["fine"]) == (1, False)
    assert "cannot be read" in said["says"][0]


@pytest.mark.portal
def test_what_is_left_of_the_time_is_shown_and_the_settings_are_tried(portal, capsys):
    write(portal.url)
    code, (body,) = told(capsys, "networks", "lco")
    assert (code, body["live"], body["host"], body["fault"]) == (0, False, "127.0.0.1", "")
    assert [one["what"] for one in body["quota"]] == [
        f"{PROPOSAL}, {urgency}, {INSTRUMENT}" for urgency in ("normal", "time_critical", "rapid_response")
    ]
    assert all(one["left"] == one["allocated"] - one["used"] and one["until"] for one in body["quota"])
    for live, how in ((False, "is asked for nothing in earnest (live = false)"), (True, "is asked in earnest (live = true)")):
        write(portal.url, live=live)
        code, parts = told(capsys, "config", "check")
        said = {one["part"]: one for one in parts}
        assert code == 0
        assert said["networks.lco"]["says"] == [f"the kind ocs, {how}"]
        assert said["networks.simulated"]["says"] == ["the kind simulated, has no telescopes"]
    write(portal.url, proposal=portal.poor_proposal)
    code, parts = told(capsys, "config", "check")
    (said,) = [one for one in parts if one["part"] == "networks.lco"]
    assert (code, said["fine"]) == (1, False)
    assert said["says"] == [f"the proposal {portal.poor_proposal} has no time on {INSTRUMENT} in this semester"]
