"""The whole flow as the demo shows it: bytes in, report, VOEvents, follow-up requests and a database out."""

import itertools
import json
import os
import re
import subprocess
import sys

import httpx2 as httpx
import pytest
import voeventparse

from hub.model.followup import RequestState
from hub.services.submission import NEXT_STATES
from hub.storage import followup, outbox
from hub.storage.engine import open_store
from hub.storage.outbox import OutboxState
from tests.conftest import REPOSITORY
from tests.support.demo import SEED, mmhub, play

pytestmark = pytest.mark.slow

CONTRACT = {
    "seed": int,
    "n_alerts": int,
    "n_notices": int,
    "joint_far_hz": float,
    "joint_far_time_only_hz": float,
    "random_association_hz": float,
    "candidates": list,
    "counterpart_rank": (int, type(None)),
    "voevents": list,
    "followups": list,
    "retractions": list,
}
"""Keys that scripts rely on."""

CANDIDATE = {"rank": int, "object_id": str, "score": float, "reasons": list, "is_true_counterpart": bool}


def not_json(word):
    raise AssertionError(f"{word} is no JSON")


def test_report_has_the_keys_and_types_that_scripts_rely_on(demo_night):
    report = json.loads(demo_night.report_text, parse_constant=not_json)
    for key, kind in CONTRACT.items():
        assert isinstance(report[key], kind), key
        assert not isinstance(report[key], bool), key
    assert set(report) - set(CONTRACT) == {"sources", "truth"}
    for candidate in report["candidates"]:
        for key, kind in CANDIDATE.items():
            assert isinstance(candidate[key], kind), key
        assert candidate["reasons"]
        assert all(isinstance(reason, str) for reason in candidate["reasons"])
    for message in report["voevents"]:
        assert set(message) == {"ivorn", "role", "cites"}
    for request in report["followups"]:
        assert {"intent_id", "network", "states"} <= set(request)


def test_all_asked_for_alerts_are_played(demo_night):
    assert demo_night.report["truth"]["n_unrelated_alerts"] >= 600
    assert demo_night.report["n_alerts"] > demo_night.report["truth"]["n_unrelated_alerts"]
    assert demo_night.report["seed"] == SEED


def test_candidates_are_ranked_from_one_on_confirmed_ones_first(demo_night):
    told = demo_night.report["candidates"]
    assert [one["rank"] for one in told] == list(range(1, len(told) + 1))
    assert told == sorted(told, key=lambda one: (not one["confirmed"], -one["score"]))
    assert len({one["object_id"] for one in told}) == len(told)


def test_rank_of_the_counterpart_is_that_of_the_one_true_candidate(demo_night):
    true = [one for one in demo_night.report["candidates"] if one["is_true_counterpart"]]
    assert [one["object_id"] for one in true] == [demo_night.report["truth"]["counterpart_object_id"]]
    assert demo_night.report["counterpart_rank"] == true[0]["rank"]


def test_joint_rates_follow_their_formulae(demo_night):
    """6 s window, 325 GRBs in 365 days, 3.478e-12 Hz; the space-time rate is that divided by the overlap integral."""
    time_only = (5.0 - -1.0) * 325 / (365 * 86_400) * 3.478e-12
    assert demo_night.report["joint_far_time_only_hz"] == pytest.approx(time_only, rel=1e-4)
    shown = mmhub("coinc", "list", "--kind", "gw-grb", "--json", data_dir=demo_night.data_dir)
    (pair,) = map(json.loads, shown.stdout.splitlines())
    overlap = next(score["value"] for score in pair["scores"] if score["statistic"] == "overlap")
    assert pair["joint_far_hz"] == demo_night.report["joint_far_hz"] == pytest.approx(time_only / overlap, rel=1e-4)


def test_voevents_are_named_once_and_cite_only_what_came_before(demo_night):
    seen = set()
    for message in demo_night.report["voevents"]:
        assert message["ivorn"] not in seen
        assert message["role"] == "observation"
        kinds = [cite["kind"] for cite in message["cites"]]
        assert "followup" in kinds
        assert set(kinds) <= {"followup", "supersedes", "retraction"}
        for cite in message["cites"]:
            own = cite["ivorn"].startswith("ivo://example.org/mmhub/coincidence#")
            assert own == (cite["kind"] in {"supersedes", "retraction"})
            if own:
                assert cite["ivorn"] in seen
                assert re.sub(r"\.v\d+$", "", cite["ivorn"]) == re.sub(r"\.v\d+$", "", message["ivorn"])
        seen.add(message["ivorn"])


def test_what_rested_on_the_withdrawn_burst_is_retracted(demo_night):
    retractions = demo_night.report["retractions"]
    issued = [message["ivorn"] for message in demo_night.report["voevents"]]
    assert retractions
    for one in retractions:
        assert issued.index(one["retracts"]) < issued.index(one["ivorn"])
    withdrawn = demo_night.report["truth"]["retracted_event_id"]
    shown = mmhub("coinc", "list", "--event", withdrawn, "--json", data_dir=demo_night.data_dir)
    states = {body["state"] for body in map(json.loads, shown.stdout.splitlines())}
    assert states == {"withdrawn"}


def test_followup_states_are_legal_and_no_need_is_asked_for_twice(demo_night):
    requests = demo_night.report["followups"]
    assert requests
    assert len({one["intent_id"] for one in requests}) == len(requests)
    assert len({(one["target"], one["network"], one["purpose"]) for one in requests}) == len(requests)  # later looks are needs
    for one in requests:
        states = [RequestState(state) for state in one["states"]]
        assert states[0] is RequestState.DRAFT
        for state, following in itertools.pairwise(states):
            assert following in NEXT_STATES[state], one
    store = open_store(f"sqlite:///{demo_night.data_dir / 'hub.sqlite'}")
    with store.reading() as session:
        stored = followup.search(session, limit=1000)
    store.close()
    assert {one.intent.intent_id for one in stored} == {one["intent_id"] for one in requests}


def test_books_balance(demo_night):
    (books,) = demo_night.report["sources"]
    assert books["in_flight"] == books["dead_letters"] == 0
    assert books["received"] == books["stored"] + books["duplicates"]
    assert books["received"] == demo_night.report["n_alerts"] + demo_night.report["n_notices"]


def test_files_in_the_sink_are_schema_valid_and_those_of_the_outbox(demo_night):
    files = {path.name: path.read_bytes() for path in (demo_night.data_dir / "voevents").iterdir()}
    store = open_store(f"sqlite:///{demo_night.data_dir / 'hub.sqlite'}")
    with store.reading() as session:
        entries = {
            message["ivorn"]: entry
            for message in demo_night.report["voevents"]
            if (entry := outbox.get(session, message["ivorn"]))
        }
    store.close()
    assert {ivorn.partition("#")[2] + ".xml": entry.outgoing.payload for ivorn, entry in entries.items()} == files
    for entry in entries.values():
        assert entry.state is OutboxState.SENT
        packet = voeventparse.loads(entry.outgoing.payload)
        voeventparse.assert_valid_as_v2_0(packet)
        assert packet.get("ivorn") == entry.outgoing.ivorn
        cited = [(str(cite), cite.get("cite")) for cite in packet.Citations.iterchildren()]
        assert cited == [(cite.ivorn, cite.kind.value) for cite in entry.outgoing.cites]


def test_people_are_told_the_rates_the_reasons_and_the_rank(demo_night):
    said = demo_night.stdout
    first = demo_night.report["candidates"][0]
    assert f"{demo_night.report['joint_far_hz']:.3g} Hz" in said
    assert all(reason in said for reason in first["reasons"])
    assert f"ranks {demo_night.report['counterpart_rank']} of {len(demo_night.report['candidates'])}" in said
    assert demo_night.report["voevents"][-1]["ivorn"] in said
    assert "synthesised" in said
    assert "playing" in demo_night.stderr
    assert "Traceback" not in demo_night.stderr


def test_same_seed_gives_the_same_report_also_on_standard_output(demo_night, tmp_path):
    again = play(tmp_path, "--json")
    assert again.report_text == demo_night.report_text
    (line,) = again.stdout.splitlines()
    assert json.loads(line, parse_constant=not_json) == demo_night.report


def test_database_that_is_left_can_be_served(demo_night):
    with subprocess.Popen(
        [sys.executable, "-m", "hub", "--data-dir", demo_night.data_dir, "serve", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        cwd=demo_night.data_dir.parent,
    ) as process:
        assert process.stderr is not None
        try:
            (url,) = re.findall(r"http://127\.0\.0\.1:\d+/api/v1", process.stderr.readline())
            with httpx.Client(timeout=60) as client:
                for listing in ("events", "coincidences", "candidates", "followup", "voevents", "sources"):
                    assert client.get(f"{url}/{listing}").json()["data"], listing
                superevent = demo_night.report["truth"]["superevent_id"]
                best = client.get(f"{url}/events/{superevent}/candidates?limit=1").json()["data"][0]
                assert best["object_id"] == demo_night.report["candidates"][0]["object_id"]
                assert client.get(f"{url}/health").json()["data"]["law_holds"] is True
        finally:
            process.terminate()
            assert process.wait(timeout=60) == 0


def test_demo_never_plays_over_the_database_of_a_real_hub(tmp_path):
    data_dir = tmp_path / "data"
    assert mmhub("db", "upgrade", data_dir=data_dir).returncode == 0
    done = mmhub("demo", "--alerts", 600, data_dir=data_dir)
    assert done.returncode == 1
    assert "would replace" in done.stderr
    assert (data_dir / "hub.sqlite").exists()


def test_report_that_cannot_be_written_is_said_before_the_night_is_played(tmp_path):
    done = mmhub("demo", "--report", tmp_path / "missing" / "report.json", data_dir=tmp_path / "data")
    assert done.returncode == 2
    assert "missing/report.json" in done.stderr.replace("\n", "")
    assert "playing" not in done.stderr
    assert not (tmp_path / "data").exists()
