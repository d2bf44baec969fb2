"""``mmhub followup``: what the policy would do, and what persons do about requests."""

import json

import pytest

from hub.bootstrap import now
from hub.cli.app import main
from hub.model.followup import RequestState, payload_hash
from hub.model.token import Scope
from hub.resources import read_text
from hub.services import persons
from hub.services.followup import FollowupService
from hub.services.followup_policy import FollowupSettings
from hub.services.sending import append_step, get_submission
from hub.services.submission import Outcome
from hub.storage import privacy
from hub.storage.engine import open_store, upgrade
from hub.storage.privacy import PrivateKind
from tests.hub.api.test_privacy import SECRET, add_event
from tests.support.api_night import OBJECT_ID, fill, localization
from tests.support.followup import make_candidate, make_coincidence, make_event, make_hypothesis, stand
from tests.support.policies import policy_book


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


@pytest.fixture
def drafted(tmp_path, capsys):
    """Give the verbs on a database with one draft, which no telescope has to see today, and its intent."""
    data = tmp_path / "data"
    data.mkdir()
    url = f"sqlite:///{data / 'hub.sqlite'}"
    upgrade(url)
    store = open_store(url)
    blind = ("not_observable = true", "not_observable = false")
    service = FollowupService(store, {"simulated": Stands()}, now, FollowupSettings(), policy_book(blind))
    with store.transaction() as session:
        stand(session)
        intent = service.plan(session, make_coincidence(), make_event(), make_candidate(), make_hypothesis())
    persons.add(store, name="maria", clock=now, subject="maria@example.org", scopes={Scope.READ, Scope.FOLLOWUP_APPROVE})
    persons.add(store, name="paul", clock=now, subject="paul@example.org", scopes={Scope.READ})
    store.close()

    def run(*words, code=0):
        assert main(["--data-dir", str(data), "followup", *words]) == code
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return out, err

    return run, intent


class Stands:
    """A network that nobody speaks to while a draft is made."""

    is_simulated = True


def test_a_person_looks_approves_stops_and_cancels_and_all_of_it_stands_in_the_log(drafted):
    run, intent = drafted
    shown = json.loads(run("status", intent.intent_id, "--json")[0])
    assert (shown["state"], shown["payload_hash"]) == ("draft", payload_hash(intent))
    assert "nobody has approved it" in shown["barred"]
    wrong = run("approve", intent.intent_id, "--by", "maria", "--payload", "0" * 64, code=1)[1]
    assert "look again" in wrong
    assert "paul lacks the scope followup:approve" in run("approve", intent.intent_id, "--by", "paul", code=1)[1]
    assert "there is no person 'eve'" in run("approve", intent.intent_id, "--by", "eve", code=3)[1]
    out, _ = run("approve", intent.intent_id, "--by", "maria", "--payload", shown["payload_hash"], "--reason", "bright", "--json")
    assert json.loads(out)["state"] == "approved"
    assert "simulated is stopped" in run("stop", "simulated", "--by", "maria", "--reason", "dome")[0]
    assert "person:maria stopped simulated: dome" in run("status")[0]
    assert "goes on" in run("resume", "simulated", "--by", "maria")[0]
    assert "nothing about the request" in run("ack", intent.intent_id, "--by", "maria", code=1)[1]
    assert json.loads(run("cancel", intent.intent_id, "--by", "maria", "--json")[0])["state"] == "cancelled"
    told = [json.loads(line) for line in run("log", "--json")[0].splitlines()]
    assert [(one["actor"], one["action"]) for one in told] == [
        ("person:maria", "cancel"),
        ("person:maria", "resume"),
        ("person:maria", "stop"),
        ("person:maria", "approve"),
    ]
    assert [one["action"] for one in map(json.loads, run("log", "--request", intent.intent_id, "--json")[0].splitlines())] == [
        "cancel",
        "approve",
    ]


def test_a_person_takes_note_of_what_waits(drafted, tmp_path):
    run, intent = drafted
    store = open_store(f"sqlite:///{tmp_path / 'data' / 'hub.sqlite'}")
    with store.transaction() as session:
        append_step(session, get_submission(session, intent.intent_id), Outcome(RequestState.AWAITING_APPROVAL), now())
    store.close()
    assert "paul lacks the scope" in run("ack", intent.intent_id, "--by", "paul", code=1)[1]
    assert "maria has taken note of the approval" in run("ack", intent.intent_id, "--by", "maria", "--reason", "on it")[0]
    (noted,) = map(json.loads, run("log", "--json")[0].splitlines())
    assert (noted["actor"], noted["action"], noted["reason"]) == ("person:maria", "acknowledge", "on it")


def test_submit_is_a_dry_run_until_somebody_sends_it(drafted):
    run, intent = drafted
    tried = json.loads(run("submit", intent.intent_id, "--json")[0])
    assert tried["state"] == "draft"
    assert tried["dry_run"]["payload"] or tried["dry_run"]["reasons"]  # what stands in the sky today decides which
    assert "nothing was sent" in run("submit", intent.intent_id)[0]
    assert "--live needs --by" in run("submit", intent.intent_id, "--live", code=1)[1]
    sent = json.loads(run("submit", intent.intent_id, "--live", "--by", "maria", "--json")[0])
    # the simulated network refuses what no site sees, and its observers decline one of ten
    assert {step["state"] for step in sent["transitions"]} & {"sending", "rejected"}
    assert json.loads(run("reconcile", "--json")[0]).keys() == {"moved"}
    assert (
        "only one of unknown fate" in run("reconcile", intent.intent_id, "--absent", "--by", "maria", "--reason", "x", code=1)[1]
    )


def test_what_is_skipped_is_listed_and_the_policy_is_asked_again(drafted):
    run, _ = drafted
    (decision,) = map(json.loads, run("plan", "G298048", "--by", "maria", "--json")[0].splitlines())
    listed = [json.loads(line) for line in run("skipped", "--json")[0].splitlines()]
    assert [one["decision_id"] for one in listed] == ([decision["decision_id"]] if decision["verdict"] == "skip" else [])
    assert "there is no event S9" in run("plan", "S9", "--by", "maria", code=3)[1]


def test_a_person_acts_only_on_what_that_person_sees(drafted, tmp_path):
    run, intent = drafted
    store = open_store(f"sqlite:///{tmp_path / 'data' / 'hub.sqlite'}")
    persons.add(store, name="ours", clock=now, subject="o", groups={"too"}, scopes={Scope.READ, Scope.FOLLOWUP_APPROVE})
    with store.transaction() as session:
        privacy.declare(session, {(PrivateKind.NETWORK, "simulated"): "too"})
    id_ = intent.intent_id
    for words in (
        ("approve", id_),
        ("cancel", id_),
        ("ack", id_),
        ("submit", id_, "--live"),
        ("reconcile", id_, "--absent", "--reason", "x"),
    ):
        assert f"there is no follow-up request {id_}" in run(*words, "--by", "maria", code=3)[1]
    assert run("log", "--json", code=3)[0] == ""
    with store.reading() as session:
        assert get_submission(session, id_).state is RequestState.DRAFT
    assert json.loads(run("status", id_, "--json")[0])["state"] == "draft"  # who is at the machine sees everything
    assert json.loads(run("approve", id_, "--by", "ours", "--json")[0])["state"] == "approved"
    assert json.loads(run("cancel", id_, "--by", "ours", "--json")[0])["state"] == "cancelled"
    with store.transaction() as session:
        add_event(session, SECRET, localization(), 0)
        privacy.declare(session, {(PrivateKind.SOURCE, "feed"): "too"})
    store.close()
    assert f"there is no event {SECRET}" in run("plan", SECRET, "--by", "maria", code=3)[1]
    run("plan", SECRET, "--by", "ours")
