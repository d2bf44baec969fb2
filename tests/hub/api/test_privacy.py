"""What is private to a group: on every route it is there for a person of the group, and for nobody else."""

import re
from dataclasses import replace
from http.cookies import SimpleCookie

import pytest

from adapters.codecs.hub_text import HubTextRenderer
from hub.api.security import COOKIE, SAFE_METHODS
from hub.bootstrap import declare_private
from hub.config import load
from hub.errors import ConfigError, StorageError
from hub.model.annotation import Annotation, AnnotationKind, AnnotationState, TargetKind
from hub.model.circular import Circular
from hub.model.coincidence import Coincidence, Member, MemberKind, PairState, Score, coincidence_id
from hub.model.event import StoredNotice, assemble
from hub.model.followup import RequestState, Submission, payload_hash
from hub.model.followup_decision import StoredDecision, Verdict
from hub.model.group import Group, GroupMember
from hub.model.notice import EventClass, Messenger, Role
from hub.model.outgoing import Outgoing
from hub.model.pointing import Pointing, PointingStatus
from hub.model.source import Source, SourceMember, Word, WordKind
from hub.model.token import Scope
from hub.ports import RemoteState
from hub.science.localization import localization_from_skymap
from hub.services import circulars, persons
from hub.services.announcement import Announcements, AnnouncementSettings
from hub.services.escalation import Escalation, EscalationSettings
from hub.services.own_pointings import OwnPointings
from hub.services.routes import Route
from hub.services.sending import append_step
from hub.services.submission import Outcome
from hub.storage import (
    annotations,
    candidates,
    coincidences,
    events,
    followup,
    followup_decisions,
    followup_log,
    groups,
    localizations,
    notices,
    outbox,
    pointings,
    privacy,
    sources,
)
from hub.storage.engine import SeenStore
from hub.storage.envelopes import MessageState
from hub.storage.followup_log import LogEntry
from hub.storage.privacy import PrivateKind
from tests.adapters.networks.test_simulated import intent
from tests.conftest import missing
from tests.hub.api.test_security import DECLARED
from tests.hub.services.test_followup import BY_HAND, Hub
from tests.support.api_night import NOW, OBJECT_ID, XML, api, fill, notice, receive
from tests.support.followup import make_candidate
from tests.support.policies import policy_book
from tests.support.postgres import ServerMissing, server
from tests.support.skymaps import gaussian_map

PREFIX = "/api/v1"
PASSWORD = "correct horse battery"
SECRET = "S991231z"
OTHER = "S991231y"
OBJECT = "199988877766655544"
PERSONS = {"insider": {"too"}, "outsider": {"neutrino"}}
ALWAYS = {"schema_id": "1", "facility_id": "la-palma", "network": "simulated", "version": "1"}
"""Parameters of routes that are of nothing private."""

QUERIES = {"/events/{event_id}/diff": "?from=1&to=1"}
"""Parameters that a route must have."""

SHOWN = {
    "/events",
    "/events/{event_id}",
    "/events/{event_id}/versions",
    "/events/{event_id}/versions/{version}",
    "/events/{event_id}/candidates",
    "/events/{event_id}/circulars",
    "/events/{event_id}/pointings",
    "/notices/{notice_id}",
    "/notices/{notice_id}/raw",
    "/localizations/{localization_id}",
    "/localizations/{localization_id}.fits",
    "/localizations/{localization_id}.moc.json",
    "/coincidences",
    "/coincidences/{coincidence_id}",
    "/coincidences/{coincidence_id}/history",
    "/candidates",
    "/followup",
    "/followup/{intent_id}",
    "/followup/{intent_id}/status",
    "/followup-decisions",
    "/followup-log",
    "/voevents",
    "/voevents/{voevent_id}",
    "/voevents/{voevent_id}.xml",
    "/outgoing",
    "/outgoing/{message_id}",
    "/outgoing/{message_id}/payload",
    "/circulars",
    "/circulars/{circular_id}",
    "/circulars/{circular_id}/versions",
    "/annotations",
    "/annotations/{annotation_id}",
    "/groups",
    "/groups/{group_id}",
    "/groups/{group_id}/history",
    "/bursts",
    "/bursts/{event_id}",
    "/bursts/{event_id}/history",
}
"""Routes on which a person of the group must see something private: else the test would pass with an empty store."""


async def never(envelope):
    raise StorageError("nothing is handed in here")


def pair_of(kind, *members):
    return Coincidence(
        coincidence_id=coincidence_id(kind, members),
        kind=kind,
        hypothesis="kilonova",
        members=members,
        state=PairState.OPEN,
        version=1,
        scores=(Score(statistic="joint_far", version=1, value=1e-9, unit="Hz"),),
        reasons=("secret reason",),
        localization_ids=(),
        is_live=True,
        t0=NOW,
        created_at=NOW,
    )


def add_event(session, name, place, number):
    """Store an event that only the private source has brought."""
    envelope = receive(session, XML + f"<!-- {name} -->".encode(), media_type="application/xml", source="feed")
    said = notice(name, messenger=Messenger.EM)
    stored = StoredNotice(
        notice_id=notices.notice_id(said.identity, envelope.digest),
        notice=said,
        received_at=NOW,
        is_trusted=True,
        digest=envelope.digest,
        localization_id=place.localization_id,
    )
    notices.add(session, stored, name)
    events.save(session, assemble(name, [stored]))
    return stored.notice_id


def fill_private(store):
    """Write one of everything that is private to the group ``too``; return the ids by the parameters of routes."""
    place = localization_from_skymap(gaussian_map(10.0, 5.0, 2.0, top_nside=4, rounds=2))
    event, of_object = Member(kind=MemberKind.EVENT, id=SECRET), Member(kind=MemberKind.OBJECT, id=f"LSST:{OBJECT}")
    found = pair_of("gw-optical", event, of_object)
    mixed = pair_of("gw-gw", Member(kind=MemberKind.EVENT, id="S170817a"), event)
    asked = intent(
        7, event_id=SECRET, coincidence_id=found.coincidence_id, target=f"LSST:{OBJECT}", intent_id="5ec2e7" * 5 + "aa"
    )
    with store.transaction() as session:
        privacy.declare(session, {(PrivateKind.SOURCE, "feed"): "too", (PrivateKind.DESTINATION, "room"): "too"})
        localizations.save(session, place)
        notice_id = add_event(session, SECRET, place, 1)
        add_event(session, OTHER, place, 2)
        candidates.save_all(session, [make_candidate(SECRET, OBJECT)])
        for one in (found, mixed):
            coincidences.add(session, one)
        followup.add_intent(session, asked)
        submission = append_step(session, Submission(intent=asked, transitions=()), Outcome(RequestState.DRAFT), NOW)
        append_step(session, submission, Outcome(RequestState.AWAITING_APPROVAL), NOW)
        decision = StoredDecision(
            decision_id="5ec2e7" * 5 + "bb",
            event_id=SECRET,
            coincidence_id=found.coincidence_id,
            candidate=("LSST", OBJECT, "kilonova"),
            target=f"LSST:{OBJECT}",
            purpose="kilonova",
            policy_version=1,
            rule=None,
            verdict=Verdict.SKIP,
            reasons=("secret",),
            decided_at=NOW,
        )
        followup_decisions.save(session, decision)
        followup_log.append(session, LogEntry(at=NOW, actor="person:ada", action="approve", intent_id=asked.intent_id))
        pointing = Pointing(
            event_id=SECRET,
            instrument="secret camera",
            status=PointingStatus.COMPLETED,
            at=NOW,
            band="r",
            depth_ab=20.0,
            corners_deg=((10.0, 5.0), (11.0, 5.0), (11.0, 6.0), (10.0, 6.0)),
            reported_by="ada",
        )
        pointings.save(session, [pointing], NOW)
        ivorn = f"ivo://example.org/mmhub/coincidence#{found.coincidence_id}.v1"
        outgoing = Outgoing(
            ivorn=ivorn,
            media_type="application/xml",
            payload=XML + SECRET.encode(),
            destination="room",
            key=SECRET,
            role=Role.OBSERVATION,
            cites=(),
            created_at=NOW,
        )
        outbox.put(session, outgoing)
        text = receive(session, b"a secret circular", source="feed", outcome=MessageState.STORED)
        circular = Circular(
            circular_id=99123,
            version=1,
            subject=f"{SECRET}: secret",
            body=f"{SECRET} is secret",
            created_at=NOW,
            event_name=SECRET,
        )
        circulars.take(session, circular, digest=text.digest, received_at=NOW, is_trusted=True)
        stated = Annotation(
            annotation_id="5ec2e7" * 4,
            target_kind=TargetKind.EVENT,
            target_id=SECRET,
            kind=AnnotationKind.REDSHIFT,
            value={"redshift": 0.1},
            source="gcn-circular",
            source_ref="99123",
            version="1",
            stated_at=NOW,
            received_at=NOW,
            state=AnnotationState.PROPOSED,
        )
        annotations.add(session, [stated])
        member = GroupMember(kind=MemberKind.EVENT, id=SECRET, part=SECRET, what="gw", via=None, t0=NOW, localization_id=None)
        groups.add(
            session,
            Group(
                group_id="5ec2e7" * 3 + "aa",
                centre=SECRET,
                kind="gw",
                members=(member,),
                pairs=(),
                state=PairState.OPEN,
                version=1,
                scores=(),
                reasons=("secret",),
                localization_ids=(),
                is_live=True,
                t0=NOW,
                created_at=NOW,
            ),
        )
        both = tuple(
            SourceMember(event_id=one, mission="LVK", event_class=EventClass.GRB, t0=NOW, duration_s=None, localization_id=None)
            for one in (SECRET, OTHER)
        )
        burst = Source(
            source_id=SECRET, members=both, links=(), aliases=(), t0=NOW, duration_s=None, localization_id=None, is_live=True
        )
        sources.save(session, burst, "first", NOW)
        word = sources.say(
            session,
            Word(number=0, kind=WordKind.JOIN, first=OTHER, second=SECRET, said_by="person:ada", said_at=NOW, reason="secret"),
        )
    with store.reading() as session:
        sequence = str(outbox.get(session, ivorn).sequence)
    return {
        "event_id": SECRET,
        "notice_id": notice_id,
        "localization_id": place.localization_id,
        "coincidence_id": mixed.coincidence_id,
        "intent_id": asked.intent_id,
        "voevent_id": sequence,
        "message_id": sequence,
        "circular_id": "99123",
        "annotation_id": stated.annotation_id,
        "group_id": "5ec2e7" * 3 + "aa",
        "number": str(word.number),
        "pair": found.coincidence_id,
        "hash": payload_hash(asked),
    }


class Door:
    """The API of a night in which some things are private."""

    def __init__(self, client, night, ids):
        self.client, self.night, self.ids = client, night, ids
        self.headers = {"nobody": {}}
        for name, of in PERSONS.items():
            persons.add(night.store, name=name, clock=night.clock, password=PASSWORD, scopes=set(Scope), groups=of)
            answer = client.post(f"{PREFIX}/session", json={"name": name, "password": PASSWORD})
            secret = SimpleCookie(answer.headers["set-cookie"])[COOKIE].value
            self.headers[name] = {"Cookie": f"{COOKIE}={secret}", "X-CSRF-Token": answer.json()["data"]["csrf_token"]}
        self.marks = [SECRET, OTHER, OBJECT, "5ec2e7", *(ids[one] for one in ("notice_id", "localization_id", "pair"))]
        self.marks += [ids["coincidence_id"], "99123", "secret"]

    def path(self, route):
        """Return a route with the ids of what is private; one with a parameter that nobody thought of fails."""
        known = {**self.ids, **ALWAYS}
        return re.sub(r"\{([^}:]+)\}", lambda found: known[found[1]], route) + QUERIES.get(route.removeprefix(PREFIX), "")

    def ask(self, caller, method, route, **more):
        return self.client.request(method, self.path(route), headers=self.headers[caller], **more)


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    folder = tmp_path_factory.mktemp("private")
    night = Hub(folder, policy=BY_HAND)
    fill(night.store)
    ids = fill_private(night.store)
    with api(folder, filled=False, submit=never, clock=night.clock, followups=night.service) as (client, _):
        yield Door(client, night, ids)
    night.store.close()


READING = [one.partition(" ")[2] for one in DECLARED if one.startswith("GET ") and not one.endswith(("/session", "openapi.json"))]
CHANGING = [one for one in DECLARED if one.partition(" ")[0] not in SAFE_METHODS and not one.endswith("/session")]
WITHOUT_SECRETS = {"/followup-networks/{network}/stop", "/followup-networks/{network}/resume", "/notices"}
"""Changes that are of no event."""


@pytest.mark.parametrize("caller", ["nobody", "outsider"])
@pytest.mark.parametrize("route", READING)
def test_no_route_tells_anybody_else(door, route, caller):
    answer = door.ask(caller, "GET", route)
    if "{" in route and not set(re.findall(r"\{([^}:]+)\}", route)) <= set(ALWAYS):
        assert answer.status_code in (404, 401, 403), answer.text[:500]
        return
    told = answer.content.decode("utf-8", "replace")
    assert [mark for mark in door.marks if mark in told] == []
    if "/api/v1/events" in route or "coincidences" in route:
        assert "S170817a" in told  # what is public is there


@pytest.mark.parametrize("route", sorted(SHOWN))
def test_a_person_of_the_group_is_told(door, route):
    answer = door.ask("insider", "GET", PREFIX + route)
    assert answer.status_code == 200, answer.text[:500]
    if not route.endswith(("fits", "moc.json", ".xml", "/raw")):
        assert [mark for mark in door.marks if mark in answer.text]


@pytest.mark.parametrize(
    "query",
    ["/events?limit=1", "/coincidences?limit=1", "/candidates?limit=2", "/followup?limit=1", "/outgoing?limit=1", "/circulars"],
)
def test_pages_and_cursors_hold_what_is_seen_and_no_gaps(door, query):
    for caller, is_told in (("insider", True), ("outsider", False), ("nobody", False)):
        told, url, n_pages = "", PREFIX + query, 0
        while url and n_pages < 30:
            answer = door.client.get(url, headers=door.headers[caller])
            assert answer.status_code == 200
            assert answer.json()["data"] or not n_pages
            told, url, n_pages = told + str(answer.json()["data"]), answer.json()["links"].get("next"), n_pages + 1
        assert bool([mark for mark in door.marks if mark in told]) is is_told, (caller, query)


def test_counts_count_what_is_seen(door):
    counts = {
        caller: door.client.get(f"{PREFIX}/health", headers=door.headers[caller]).json()["data"]["counts"]
        for caller in door.headers
    }
    assert counts["nobody"] == counts["outsider"]
    more = {name: counts["insider"][name] - counts["nobody"][name] for name in counts["nobody"]}
    assert {name: n for name, n in more.items() if n} == {
        "notices": 2,
        "events": 2,
        "candidates": 1,
        "voevents": 1,
        "followups": 1,
        "coincidences": 2,
    }


BODIES = {
    "/followup": {"event": SECRET},
    "/pointings": {
        "graceid": SECRET,
        "pointings": [
            {
                "position": "POINT(10 5)",
                "instrumentid": "1",
                "time": "2017-08-18T00:00:00",
                "status": "completed",
                "band": "r",
                "depth": 20,
            }
        ],
    },
    "/bursts/{event_id}:join": {"other": OTHER, "because": "x"},
    "/bursts/{event_id}:split": {"other": OTHER, "because": "x"},
    "/burst-words/{number}:undo": {"because": "x"},
}


@pytest.mark.parametrize("route", sorted({one.partition(" ")[2].removeprefix(PREFIX) for one in CHANGING} - WITHOUT_SECRETS))
def test_nobody_else_changes_what_is_private(door, route):
    body = BODIES.get(route, {"payload_hash": door.ids["hash"], "reason": ""} if route.endswith("approve") else {})
    if route == "/observations":
        more = {
            "content": f"graceid,kind,ra_deg,dec_deg,radius_deg,instrument,time,band,depth\n{SECRET},pointing,10,5,1,X,2017-08-18T00:00:00Z,r,20\n"
        }
    else:
        more = {"json": body}
    before = state(door)
    answer = door.ask("outsider", "POST", PREFIX + route, **more)
    assert answer.status_code in (404, 422), answer.text
    assert state(door) == before
    if answer.status_code == 422:
        assert route in ("/observations", "/pointings"), answer.text


def state(door):
    with door.night.store.reading() as session:
        submission = followup.get(session, door.ids["intent_id"])
        return submission.state, len(pointings.of_event(session, SECRET)), sources.word(session, int(door.ids["number"])).holds


def test_a_message_that_a_public_source_brings_too_is_public(tmp_path):
    night = Hub(tmp_path)
    fill(night.store)
    ids = fill_private(night.store)
    with api(tmp_path, filled=False, clock=night.clock) as (client, _):
        assert client.get(f"{PREFIX}/events/{SECRET}").status_code == 404
        with night.store.transaction() as session:
            for name in (SECRET, OTHER):
                receive(session, XML + f"<!-- {name} -->".encode(), media_type="application/xml", source="gcn")
        assert client.get(f"{PREFIX}/events/{SECRET}").status_code == 200
        assert client.get(f"{PREFIX}/followup/{ids['intent_id']}").status_code == 200
    night.store.close()


@pytest.mark.postgres
def test_postgresql_hides_the_same(tmp_path):
    try:
        with server() as url, api(tmp_path, url=url) as (client, store):
            ids = fill_private(store)
            names = {**ids, **ALWAYS}
            seen = SeenStore(store, lambda: {"too"})
            for route in READING:
                path = re.sub(r"\{([^}:]+)\}", lambda found: names[found[1]], route) + QUERIES.get(route.removeprefix(PREFIX), "")
                answer = client.get(path)
                told = answer.content.decode("utf-8", "replace")
                if path == route:
                    assert not [mark for mark in (SECRET, OTHER, OBJECT, "5ec2e7", ids["pair"]) if mark in told], route
                elif not set(re.findall(r"\{([^}:]+)\}", route)) <= set(ALWAYS):
                    assert answer.status_code in (404, 401, 403, 503), (route, told[:500])
            with seen.reading() as session:
                assert events.get(session, SECRET) is not None
                assert followup.get(session, ids["intent_id"]) is not None
    except ServerMissing as reason:
        missing(str(reason))


def test_requests_to_a_private_network_and_objects_of_a_private_survey_are_private(tmp_path):
    night = Hub(tmp_path)
    fill(night.store)
    with api(tmp_path, filled=False, clock=night.clock) as (client, _):
        assert client.get(f"{PREFIX}/followup").json()["data"]
        with night.store.transaction() as session:
            privacy.declare(session, {(PrivateKind.NETWORK, "simulated"): "too"})
        assert client.get(f"{PREFIX}/followup").json()["data"] == []
        assert OBJECT_ID in client.get(f"{PREFIX}/candidates").text
        with night.store.transaction() as session:
            privacy.declare(session, {(PrivateKind.NETWORK, "simulated"): "", (PrivateKind.SURVEY, "LSST"): "too"})
        assert client.get(f"{PREFIX}/candidates").json()["data"] == []
        assert OBJECT_ID not in client.get(f"{PREFIX}/coincidences").text
        assert "gw-grb" in client.get(f"{PREFIX}/coincidences").text
    night.store.close()


RULE_OF_GROUP = ('name = "kilonova"\naction = "automatic"', 'name = "kilonova"\ngroup = "too"\naction = "automatic"')
FOLLOWUP = {"/followup", "/followup-decisions", "/followup-log", "/events/{event_id}/pointings"}
"""Listings in which what comes of a rule stands."""


def planned(folder, *changes):
    """Return a night on which a rule of the group asked a telescope, and a person waited; the request, and what tells of it."""
    night = Hub(folder, policy=[RULE_OF_GROUP, *changes])
    intent = night.plan()
    assert intent is not None
    with night.store.transaction() as session:
        followup_log.append(session, LogEntry(at=NOW, actor="person:ada", action="approve", intent_id=intent.intent_id))
    return night, intent


def accepted(session, intent):
    """Let a network have a request that was drafted."""
    for state in (RequestState.APPROVED, RequestState.SENDING, RequestState.ACCEPTED):
        remote = RemoteState(remote_id=intent.intent_id[:4], remote_state="PENDING", state=state.value)
        outcome = Outcome(state, remote=remote if state is RequestState.ACCEPTED else None)
        append_step(session, followup.get(session, intent.intent_id), outcome, NOW)


def asked_by(client, store, group):
    """Return a function that asks in the name of a person of a group, or of nobody."""
    if not group:
        return lambda path: client.get(PREFIX + path)
    scopes = {Scope.READ, Scope.FOLLOWUP_APPROVE}
    persons.add(store, name=group, clock=lambda: NOW, password=PASSWORD, groups={group}, scopes=scopes)
    answer = client.post(f"{PREFIX}/session", json={"name": group, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    cookie = {"Cookie": f"{COOKIE}={SimpleCookie(answer.headers['set-cookie'])[COOKIE].value}"}
    return lambda path: client.get(PREFIX + path, headers=cookie)


def test_what_comes_of_a_rule_with_a_group_is_there_for_persons_of_the_group_alone(tmp_path):
    night, intent = planned(tmp_path)
    own = OwnPointings(policy=policy_book(RULE_OF_GROUP).policy, simulated=())
    with night.store.transaction() as session:
        accepted(session, intent)
        submission = followup.get(session, intent.intent_id)
        assert own.keep(session, submission, NOW) > 0
        (decision,) = followup_decisions.search(session)
    event = intent.event_id
    with api(tmp_path, filled=False, clock=night.clock, submit=never, followups=night.service) as (client, store):
        for group in ("too", "neutrino", ""):
            ask = asked_by(client, store, group)
            is_told = group == "too"
            assert ask(f"/events/{event}").status_code == 200  # the event itself is anybody's
            for path in (f"/followup/{intent.intent_id}", f"/followup/{intent.intent_id}/status"):
                assert ask(path).status_code == (200 if is_told else 404)
            for path in FOLLOWUP:
                answer = ask(path.format(event_id=event))
                if answer.status_code == 401:
                    assert (path, group) == ("/followup-log", "")
                    continue
                assert answer.status_code == 200, answer.text
                assert bool(answer.json()["data"]) is is_told, (path, group)
                assert any(one in answer.text for one in (intent.intent_id, decision.decision_id, intent.network)) is is_told
            networks = ask("/followup-networks").json()["data"]
            assert [sum(one["requests"].values()) for one in networks] == [int(is_told)]
            assert (intent.intent_id in ask("/outgoing").text) is False
    night.store.close()


def test_own_pointings_at_a_network_with_a_group_are_private_until_it_has_none(tmp_path):
    night = Hub(tmp_path)
    intent = night.plan()
    own = OwnPointings(policy=policy_book().policy, simulated=())
    with api(tmp_path, filled=False, clock=night.clock) as (client, _):
        for group in ("too", ""):
            with night.store.transaction() as session:
                privacy.declare(session, {(PrivateKind.NETWORK, intent.network): group})
                if group:
                    accepted(session, intent)
                assert own.keep(session, followup.get(session, intent.intent_id), NOW) > 0
            told = client.get(f"{PREFIX}/events/{intent.event_id}/pointings").json()["data"]
            assert bool(told) is not bool(group)
    night.store.close()


def test_destinations_registers_and_channels_hear_of_a_rule_with_a_group_only_where_they_are_of_it(tmp_path):
    night, intent = planned(tmp_path, ('action = "automatic"', 'action = "approval"'))
    about = {"event_id": intent.event_id, "network": intent.network, "target": intent.target}
    with night.store.transaction() as session:
        privacy.declare(session, {(PrivateKind.DESTINATION, "room"): "too", (PrivateKind.NETWORK, "ours"): "too"})
        append_step(session, followup.get(session, intent.intent_id), Outcome(RequestState.AWAITING_APPROVAL), NOW)
        for kind, name, may in (
            (PrivateKind.DESTINATION, "room", True),
            (PrivateKind.NETWORK, "ours", True),
            (PrivateKind.DESTINATION, "chat", False),
            (PrivateKind.NETWORK, "treasure-map", False),
        ):
            assert privacy.may_know(session, (kind, name), **about, within=intent.group) is may
    told = Escalation(night.store, night.clock, EscalationSettings(channels=("all", "room", "else"), after_s=60.0))
    assert told.step() == 1
    night.clock.forward(60)
    told.step()
    with night.store.reading() as session:
        found = [one.outgoing for one in outbox.search(session, subject="escalation", with_payload=True)]
    assert [(one.destination, intent.intent_id in one.payload.decode()) for one in found] == [("room", True)]
    night.store.close()


def test_a_retraction_is_told_to_each_channel_with_the_requests_that_it_may_know(tmp_path):
    night, intent = planned(tmp_path)
    public = replace(intent, intent_id="ab" * 16, group="")
    with night.store.transaction() as session:
        privacy.declare(session, {(PrivateKind.DESTINATION, "room"): "too"})
        followup.add_intent(session, public)
        append_step(session, Submission(intent=public, transitions=()), Outcome(RequestState.DRAFT), NOW)
        for one in (intent, public):
            accepted(session, one)
            withdrawn = Outcome(RequestState.CANCEL_REQUESTED, detail={"by": "hub"})
            append_step(session, followup.get(session, one.intent_id), withdrawn, night.clock())
    told = Escalation(night.store, night.clock, EscalationSettings(channels=("all", "room"), after_s=60.0))
    for _ in range(2):
        assert told.step() == 1
        night.clock.forward(60)
    with night.store.reading() as session:
        found = [one.outgoing for one in outbox.search(session, subject="escalation", with_payload=True)]
    said = {one.destination: one.payload.decode() for one in found}
    assert {name: (intent.intent_id in text, public.intent_id in text) for name, text in said.items()} == {
        "all": (False, True),
        "room": (True, True),
    }
    night.store.close()


@pytest.mark.parametrize("group", ['"a b"', '""', "1"])
def test_the_group_of_a_rule_is_a_name_of_a_group(group):
    with pytest.raises(ConfigError, match=r"group of|'group'|\.group"):
        policy_book((RULE_OF_GROUP[0], RULE_OF_GROUP[1].replace('"too"', group)))


def test_what_is_private_is_announced_and_escalated_to_destinations_of_its_group_alone(tmp_path):
    night = Hub(tmp_path)
    ids = fill_private(night.store)
    routes = [
        Route(destination=name, renderer=HubTextRenderer(), group=group)
        for name, group in (("all", ""), ("room", "too"), ("else", "x"))
    ]
    announcements = Announcements(settings=AnnouncementSettings(authority="example.org/mmhub"), routes=routes)
    with night.store.transaction() as session:
        event = events.get(session, SECRET)
        for one in ("gw-optical", "gw-gw"):
            found = pair_of(one, Member(kind=MemberKind.EVENT, id=SECRET), Member(kind=MemberKind.OBJECT, id=f"ZTF:{one}"))
            sent = announcements.announce(session, found, events=(event,), localizations=(None,), candidate=None)
            assert [message.destination for message in sent.messages] == ["room"]
    settings = EscalationSettings(channels=("all", "room", "else"), after_s=60.0)
    told = Escalation(night.store, night.clock, settings)
    assert told.step() == 1
    night.clock.forward(60)
    assert told.step() == 1
    with night.store.reading() as session:
        found = [one.outgoing for one in outbox.search(session, subject="escalation", with_payload=True)]
    assert [(one.destination, ids["intent_id"] in one.payload.decode()) for one in found] == [("room", True)]
    night.store.close()


def test_the_settings_say_what_is_private_and_a_part_that_is_gone_stays_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    night = Hub(tmp_path)
    feed = "[sources.feed]\nkind = 'folder'\npath = 'in'\ngroup = '{}'\n"
    for text, group in ((feed.format("too"), "too"), ("", "too"), (feed.format("other"), "other"), (feed.format(""), None)):
        (tmp_path / "mmhub.toml").write_text(text)
        declare_private(load().settings, night.store)
        with night.store.reading() as session:
            assert privacy.every(session).get((PrivateKind.SOURCE, "feed")) == group
    (tmp_path / "mmhub.toml").write_text(feed.format("a b"))
    with pytest.raises(ConfigError, match=r"sources\.feed\.group"):
        load()
    night.store.close()


def test_registers_and_announcements_of_requests_are_told_of_what_is_private_only_where_they_are_of_the_group(tmp_path):
    night = Hub(tmp_path)
    fill(night.store)
    fill_private(night.store)
    asked = {"event_id": SECRET, "network": "simulated", "target": "LSST:1"}
    public = {**asked, "event_id": "S170817a"}
    with night.store.transaction() as session:
        privacy.declare(session, {(PrivateKind.NETWORK, "ours"): "too"})
        for kind, name, may in (
            (PrivateKind.NETWORK, "treasure-map", False),
            (PrivateKind.NETWORK, "ours", True),
            (PrivateKind.DESTINATION, "room", True),
            (PrivateKind.DESTINATION, "chat", False),
        ):
            assert privacy.may_know(session, (kind, name), **asked) is may
            assert privacy.may_know(session, (kind, name), **public)
        assert not privacy.may_know(session, (PrivateKind.DESTINATION, "chat"), **{**public, "network": "ours"})
        assert privacy.seen_events(session, [""], [SECRET, "S170817a"]) == {"S170817a"}
        assert privacy.seen_events(session, ["too"], [SECRET, "S170817a"]) == {SECRET, "S170817a"}
    night.store.close()


@pytest.mark.parametrize(
    "route", ["/notices/{notice_id}/raw", "/localizations/{localization_id}.fits", "/voevents/{voevent_id}.xml"]
)
def test_a_cache_that_others_use_keeps_nothing_that_somebody_got(door, route):
    answer = door.ask("insider", "GET", PREFIX + route)
    assert answer.headers["cache-control"].startswith("private")
    again = door.client.get(door.path(PREFIX + route), headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 404
