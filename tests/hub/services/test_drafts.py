"""Documents for a person to finish: what they say, and that none is sendable as it is."""

import json

import pytest

from hub.cli.app import main
from hub.errors import InvalidRequest, NotFound
from hub.model.followup import RequestState, Transition
from hub.model.instant import Instant
from hub.services import drafts, pointings
from hub.storage import followup
from hub.storage.engine import open_store, upgrade
from tests.support.api_night import OBJECT_ID, T0, add_event, fill, notice
from tests.support.followup import NOW


@pytest.fixture
def filled(store):
    fill(store)
    return store


def complete(store):
    """Complete the only request."""
    with store.transaction() as session:
        (submission,) = followup.of_event(session, "S170817a")
        number = len(submission.transitions)
        done = Transition(
            intent_id=submission.intent.intent_id,
            network="simulated",
            number=number + 1,
            state=RequestState.COMPLETED,
            at=NOW.plus_s(7200.0),
        )
        followup.append(session, done)


def test_a_circular_names_the_event_what_was_observed_and_the_candidates(filled):
    complete(filled)
    report = {"graceid": "S170817a", "instrument": "Swope", "time": T0.plus_s(4e4).to_utc_iso(), "ra": 197.4, "dec": -23.4}
    with filled.transaction() as session:
        pointings.add(session, json.dumps(report | {"radius_deg": 0.25}), reported_by="us", now=NOW)
    with filled.reading() as session:
        found = drafts.circular(session, "GW170817")
    assert (found["kind"], found["is_draft"], found["event_id"], found["is_live"]) == ("gcn-circular", True, "S170817a", True)
    subject, body = found["document"]["subject"], found["document"]["body"]
    assert subject == f"S170817a: {drafts.FILL_IN} candidates"
    assert f"LSST:{OBJECT_ID} (RA 197.45000, Dec -23.38000) with i of simulated: 2 x 60 s g, completed by" in body
    assert f"LSST:{OBJECT_ID} | 197.45037 | -23.38148 |" in body
    assert "Swope observed 1 fields" in body
    assert drafts.FILL_IN in body, "no draft can be sent as it is"
    assert "a circular cannot be deleted, only corrected" in found["remarks"]


def test_a_circular_of_a_test_says_that_it_must_not_be_sent(filled):
    with filled.reading() as session:
        found = drafts.circular(session, "MS170817a")
    assert "not to be sent" in found["remarks"][-1]
    assert "No confirmed candidate is known to this hub." in found["document"]["body"]
    assert f"Nothing was observed by request of this hub: {drafts.FILL_IN}." in found["document"]["body"]


def test_a_report_to_the_treasure_map_is_of_what_was_completed(filled):
    with filled.reading() as session, pytest.raises(InvalidRequest, match="no request of this hub for S170817a is completed"):
        drafts.treasure_map(session, "S170817a")
    complete(filled)
    with filled.reading() as session:
        found = drafts.treasure_map(session, "S170817a")
    assert found["document"]["graceid"] == "S170817a"
    (row,) = found["document"]["pointings"]
    assert (row["ra"], row["dec"], row["band"], row["status"]) == (197.45, -23.38, "g", "completed")
    assert row["depth"] == row["time"] == row["instrumentid"] == drafts.FILL_IN


def test_a_report_to_tns_has_what_the_hub_knows_of_the_candidate(filled):
    with filled.reading() as session:
        for name in (OBJECT_ID, f"LSST:{OBJECT_ID}"):
            found = drafts.tns(session, "GW170817", name)
            report = found["document"]["at_report"]["0"]
            assert report["ra"]["value"] == pytest.approx(197.45037)
            assert report["discovery_datetime"] == Instant.to_utc_iso(NOW.plus_s(-3600))
            assert report["internal_name"] == f"LSST:{OBJECT_ID}"
            assert report["reporter"] == drafts.FILL_IN
        with pytest.raises(NotFound, match="S170817a has no open candidate x"):
            drafts.tns(session, "GW170817", "x")
        with pytest.raises(NotFound, match="there is no event S9"):
            drafts.tns(session, "S9", "x")


@pytest.fixture
def hub(tmp_path, capsys):
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    upgrade(url)
    store = open_store(url)
    fill(store)
    store.close()

    def run(*words, code=0):
        assert main(["--data-dir", str(tmp_path), "followup", "draft", *words]) == code
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return out, err

    return run


def test_a_person_gets_the_text_and_is_told_that_nothing_was_sent(hub):
    out, err = hub("circular", "GW170817")
    assert out.startswith("Subject: S170817a: ")
    assert "this is a draft: nothing was sent" in err
    body = json.loads(hub("tns", "GW170817", "--candidate", OBJECT_ID, "--json")[0])
    assert body["kind"] == "tns-at-report"
    out, _ = hub("tns", "GW170817", "--candidate", OBJECT_ID)
    assert json.loads(out)["at_report"]["0"]["at_type"] == 1


def test_mistakes_are_sentences(hub):
    assert "there is no event S9" in hub("circular", "S9", code=3)[1]
    assert "--candidate names the object of a TNS report" in hub("tns", "GW170817", code=1)[1]
    assert "--candidate names the object of a TNS report" in hub("circular", "GW170817", "--candidate", "x", code=1)[1]
    assert "no request of this hub" in hub("treasure-map", "GW170817", code=1)[1]


def test_a_map_report_without_a_test_event_is_none(filled):
    with filled.transaction() as session:
        add_event(session, [notice("S170818z")])
    with filled.reading() as session, pytest.raises(InvalidRequest, match="there is nothing to report"):
        drafts.treasure_map(session, "S170818z")
