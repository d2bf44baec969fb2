"""What the follow-up policy is asked with follows from what is stored."""

import dataclasses

import pytest

from hub.errors import ConfigError, NotFound
from hub.model.coincidence import PairState
from hub.model.followup import Intent, RequestState, Transition, intent_id
from hub.model.notice import EventClass, Role, Stage
from hub.model.pointing import Pointing, PointingStatus
from hub.resources import read_text
from hub.science.localization import localization_from_skymap
from hub.services import followup_facts
from hub.services.followup_facts import book_of, decisions, facts_of, shipped
from hub.storage import candidates, coincidences, events, followup, localizations, pointings
from hub.storage.engine import open_store, upgrade
from tests.conftest import REPOSITORY
from tests.support.api_night import T0, add_event, notice
from tests.support.followup import AT2017GFO, NOW, make_candidate, make_coincidence
from tests.support.skymaps import gaussian_map, with_distance

EVENT = "G298048"
OBJECT = "LSST:170000000000000001"
TILES = (REPOSITORY / "tests/data/policy/tarot.toml").read_text(encoding="utf-8")
STATES_TO = {
    RequestState.APPROVED: (RequestState.DRAFT, RequestState.APPROVED),
    RequestState.REJECTED: (RequestState.DRAFT, RequestState.REJECTED),
    RequestState.COMPLETED: (RequestState.DRAFT, RequestState.APPROVED, RequestState.SENDING, RequestState.COMPLETED),
    RequestState.UNKNOWN: (RequestState.DRAFT, RequestState.APPROVED, RequestState.SENDING, RequestState.UNKNOWN),
}


@pytest.fixture
def store(tmp_path):
    """Give a store with a near merger and one announced candidate."""
    url = f"sqlite:///{tmp_path / 'state.sqlite'}"
    upgrade(url)
    store = open_store(url)
    skymap = with_distance(gaussian_map(*AT2017GFO, 2.0, top_nside=4, rounds=4), 40.0, 8.0)
    place = localization_from_skymap(skymap)
    with store.transaction() as session:
        localizations.save(session, place)
        said = notice(
            EVENT, classification={"BNS": 0.99, "HasNS": None}, properties={"HasRemnant": 0.9, "significant": True}, p_astro=0.98
        )
        add_event(session, [said], localization_id=place.localization_id)
        candidates.save_all(session, [make_candidate(EVENT)])
        coincidences.add(session, make_coincidence(EVENT))
    yield store
    store.close()


def ask(store, candidate=OBJECT, *, now=NOW, book=None, **options):
    with store.reading() as session:
        return decisions(session, EVENT, now=now, candidate=candidate, book=book, **options)


def facts(store):
    with store.reading() as session:
        return facts_of(
            session, events.get(session, EVENT), candidates.search(session, event_id=EVENT)[0], now=NOW, book=shipped()
        )


def requested(store, number, state, *, hours_ago=1.0, place=AT2017GFO):
    made = NOW.plus_s(-3600.0 * hours_ago)
    target = f"LSST:{number}"
    name = intent_id(event_id="S1", target=target, network="simulated", instrument="1M0-SIMCAM", purpose="p", policy_version=1)
    with store.transaction() as session:
        followup.add_intent(
            session,
            Intent(
                intent_id=name,
                event_id="S1",
                coincidence_id=None,
                target=target,
                ra_deg=place[0],
                dec_deg=place[1],
                network="simulated",
                instrument="1M0-SIMCAM",
                purpose="p",
                policy_version=1,
                window_start=made,
                window_end=NOW,
                exposures=({"filter": "g", "seconds": 60.0, "count": 2},),
                max_airmass=2.0,
                reason="",
                created_at=made,
            ),
        )
        for step, one in enumerate(STATES_TO[state], start=1):
            followup.append(
                session, Transition(intent_id=name, network="simulated", number=step, state=one, at=made.plus_s(step))
            )


def test_facts_are_those_of_the_event_its_map_and_its_candidate(store):
    known = facts(store)
    assert (known.event_class, known.role, known.stage) == (EventClass.CBC, Role.OBSERVATION, Stage.INITIAL)
    assert known.far_per_yr == pytest.approx(1e-12 * 365.25 * 86_400)
    assert known.distance_mpc == pytest.approx(40.0, rel=1e-3)
    assert known.hours_since_trigger == pytest.approx(NOW.minus(T0) / 3600)
    assert known.class_probability == {"BNS": 0.99, "HasRemnant": 0.9}
    assert (known.level, known.score, known.p_astro) == (0.4, 5.5, 0.98)
    assert (known.confirmed, known.announced, known.classified, known.observed) == (True, True, (), ())
    # the peak of the family, -15.9 in r, at the modulus of 40 Mpc, 33.0, behind 0.05 of dust, nearly half a day after the merger
    assert known.expected_mag == pytest.approx(17.2, abs=0.3)


def test_the_shipped_policy_asks_for_the_counterpart_by_itself_and_dry(store):
    (body,) = ask(store)
    assert (body["verdict"], body["rule"], body["candidate"]) == ("ask", "kilonova", OBJECT)
    assert body["dry_run"]["simulated"][0] == "live requests are switched off"
    assert body["facts"]["expected_mag"] == pytest.approx(17.2, abs=0.3)
    assert ask(store, OBJECT.removeprefix("LSST:"), hypothesis="kilonova") == [body]


def test_a_place_that_nobody_sees_is_left_with_each_sites_reason(store):
    (body,) = ask(store, book=_book(("window_h = 24.0", "window_h = 0.01")), now=T0.plus_s(3600))  # in the morning in Chile
    assert (body["verdict"], body["rule"]) == ("skip", "kilonova")
    assert "CTIO: " in body["refused"]["simulated"]
    assert "SSO: " in body["refused"]["simulated"]


def test_a_candidate_that_is_held_back_withdrawn_or_unconfirmed_is_not_asked_for(store):
    with store.transaction() as session:
        coincidences.add(session, dataclasses.replace(make_coincidence(EVENT, version=2), held_back=True))
    (body,) = ask(store)
    assert (body["verdict"], body["rule"]) == ("skip", None)
    assert body["passed_over"]["kilonova"] == ["whether its coincidence was announced: no, and the rule is for the other"]
    with store.transaction() as session:
        candidates.save_all(session, [make_candidate(EVENT, state=PairState.WITHDRAWN)])
    assert ask(store)[0]["reasons"] == ["the event is retracted, or the candidate withdrawn"]


def test_what_was_requested_nearby_is_a_reason_and_what_was_rejected_is_none(store):
    requested(store, 1, RequestState.REJECTED)
    assert ask(store)[0]["verdict"] == "ask"
    requested(store, 2, RequestState.APPROVED, place=(AT2017GFO[0], AT2017GFO[1] + 0.005))
    (body,) = ask(store)
    assert body["reasons"][1] == "already requested: LSST:2 at simulated, 0.005 deg away, 1 h ago"
    assert facts(store).asked[0].seconds == 120.0


def test_what_is_done_or_reported_of_the_place_counts_as_observed(store):
    requested(store, 1, RequestState.COMPLETED, hours_ago=30.0)
    ra, dec = AT2017GFO
    square = ((ra - 1, dec - 1), (ra + 1, dec - 1), (ra + 1, dec + 1), (ra - 1, dec + 1))
    away = tuple((x + 20, y) for x, y in square)
    reports = [
        Pointing(
            event_id=EVENT,
            instrument=name,
            status=status,
            at=NOW.plus_s(-7200),
            band="r",
            depth_ab=20.0,
            corners_deg=corners,
            reported_by="us",
        )
        for name, status, corners in (
            ("in", PointingStatus.COMPLETED, square),
            ("planned", PointingStatus.PLANNED, square),
            ("out", PointingStatus.COMPLETED, away),
        )
    ]
    with store.transaction() as session:
        pointings.save(session, reports, NOW)
    assert [(one.by, round(one.hours_ago)) for one in facts(store).observed] == [("in", 2), ("simulated 1M0-SIMCAM", 30)]
    assert ask(store)[0]["reasons"][1:] == ["recently observed: by in, 2 h ago"]


def test_a_network_that_does_not_answer_is_left_alone(store):
    for number in range(5):
        requested(store, number, RequestState.UNKNOWN, hours_ago=0.1, place=(10.0, 10.0 + number))
    (body,) = ask(store)
    assert body["refused"]["simulated"].startswith("simulated: its last 5 answers within 1 h are faults")


def test_the_event_itself_is_asked_about_and_fields_of_its_map_are_tried_at_each_site(store):
    book = _book(("La Silla", "CTIO"), ("Reunion", "SAAO"), ("Calern", "SSO"), text=TILES)
    (body,) = ask(store, None, book=book)
    assert (body["verdict"], body["rule"], body["target"]) == ("ask", "near merger", "map")
    assert body["remarks"] == ["it has no place: what was requested nearby is not known"]
    assert "TCH" in body["allocations"]  # it is evening in Chile
    late = ask(store, None, book=book, now=T0.plus_s(47.99 * 3600))[0]
    assert late["verdict"] == "skip"
    assert set(late["refused"]) == {"TCH", "TRE", "TCA"}


def test_a_test_event_is_never_asked_for(store):
    with store.transaction() as session:
        add_event(session, [notice("MS1", role=Role.TEST)])
    with store.reading() as session:
        (body,) = decisions(session, "MS1", now=NOW)
    assert body["verdict"] == "skip"
    assert body["reasons"][0] == "the event is a test, no observation"


def test_what_there_is_not_is_a_sentence(store):
    with pytest.raises(NotFound, match=r"G298048 has no candidate LSST:9$"):
        ask(store, "LSST:9")
    with pytest.raises(NotFound, match="G298048 has no candidate LSST:170000000000000001 under the hypothesis grb-afterglow"):
        ask(store, hypothesis="grb-afterglow")
    with pytest.raises(ConfigError, match="the allocation 'TCH' of the follow-up policy names the site 'La Silla'; there are "):
        book_of(TILES)


def test_nothing_is_written(store):
    with store.reading() as session:
        before = len(followup.search(session, limit=None))
    ask(store)
    with store.reading() as session:
        assert len(followup.search(session, limit=None)) == before
    assert followup_facts.shipped() is followup_facts.shipped()


def _book(*changes, text=None):
    text = text or read_text("conf/policy.toml")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return book_of(text)
