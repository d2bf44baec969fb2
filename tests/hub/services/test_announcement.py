"""What a VOEvent about a pair says of it: names, place, citations."""

import json

import jsonschema
import pytest
import voeventparse

from adapters.codecs import hub_avro, hub_json
from adapters.codecs.hub_avro import HubAvroRenderer
from adapters.codecs.hub_json import HubJsonRenderer
from adapters.codecs.voevent.renderer import VoeventRenderer
from hub.model.notice import CiteKind, Role, Stage
from hub.model.outgoing import Subject
from hub.model.sky import Circle, StatedPosition
from hub.ports import Announcement
from hub.resources import read_text
from hub.services.routes import Route
from hub.storage.engine import Store
from tests.support.correlating import Desk
from tests.support.words import T0, alerts, gaussian_map, grb, localization, notice

VALIDATOR = jsonschema.Draft202012Validator(json.loads(read_text("schemas/hub/1/announcement.schema.json")))
HERE = localization(gaussian_map(130.0, 20.0, 6.0), area90_deg2=300.0, peak_ra_deg=130.0, peak_dec_deg=20.0)
NEAR = localization(gaussian_map(134.0, 21.0, 5.0), area90_deg2=100.0, peak_ra_deg=134.0, peak_dec_deg=21.0)


def place_of(payload: bytes) -> tuple[float, float, float]:
    position = voeventparse.get_event_position(voeventparse.loads(payload))
    return position.ra, position.dec, position.err


def test_the_ivorn_says_which_version_of_which_pair(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(), HERE)
    desk.tell(grb(), NEAR)
    (pair,), (sent,) = desk.pairs(), desk.sent()
    assert sent.ivorn == f"ivo://example.org/mmhub/coincidence#{pair.coincidence_id}.v1"
    packet = voeventparse.loads(sent.payload)
    assert voeventparse.valid_as_v2_0(packet)
    assert (packet.attrib["ivorn"], packet.attrib["role"]) == (sent.ivorn, "observation")


def test_the_place_is_that_of_the_smaller_map_or_of_the_object(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(), HERE)
    desk.tell(grb(), NEAR)
    ra, dec, radius = place_of(desk.sent()[0].payload)
    assert (ra, dec) == pytest.approx((134.0, 21.0))
    assert radius == pytest.approx((100.0 / 3.141592653589793) ** 0.5, rel=1e-6)
    desk.show(alerts({"days": 0.5, "flux_njy": 20_000.0}, {"days": 1.5, "flux_njy": 8_000.0}, {"days": 2.5, "flux_njy": 4_000.0}))
    found = [one for one in desk.sent() if place_of(one.payload)[:2] == pytest.approx((130.0, 20.0))]
    assert found
    assert place_of(found[0].payload)[2] == pytest.approx(1 / 3600.0)


def test_a_stated_position_is_preferred_to_the_peak_of_its_map(store: Store) -> None:
    desk = Desk(store)
    stated = StatedPosition(ra_deg=133.5, dec_deg=21.5, region=Circle(radius_deg=3.0))
    desk.tell(notice(), HERE)
    desk.tell(grb(position=stated), NEAR)
    assert place_of(desk.sent()[0].payload)[:2] == pytest.approx((133.5, 21.5))


def test_without_any_map_there_is_no_place(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice())
    desk.tell(grb())
    (sent,) = desk.sent()
    assert b"Position2D" not in sent.payload
    assert voeventparse.valid_as_v2_0(voeventparse.loads(sent.payload))


def test_a_member_without_an_ivorn_is_cited_by_our_name_of_its_notice(store: Store) -> None:
    desk = Desk(store)
    desk.tell(notice(ivorn=None), HERE)
    desk.tell(grb(), NEAR)
    cited = [cite.ivorn for cite in desk.sent()[0].cites]
    assert cited[0].startswith("ivo://example.org/mmhub/notice#")
    assert cited[1] == "ivo://test/Fermi-1#0"


def test_the_ivorn_of_an_untrusted_notice_is_not_cited_beside_trusted_ones(store: Store) -> None:
    desk = Desk(store)
    desk.tell(grb(), NEAR)
    forged = grb(ivorn="ivo://elsewhere/forged#1", issued_at=T0.plus_s(700), stage=Stage.UPDATE)
    desk.tell(forged, NEAR, is_trusted=False)
    desk.tell(notice(), HERE)
    assert {cite.ivorn for cite in desk.sent()[0].cites} == {"ivo://test/S260301a#0", "ivo://test/Fermi-1#0"}
    assert {cite.kind for cite in desk.sent()[0].cites} == {CiteKind.FOLLOWUP}


FADING = alerts({"days": 0.5, "flux_njy": 20_000.0}, {"days": 1.5, "flux_njy": 8_000.0}, {"days": 2.5, "flux_njy": 4_000.0})


class CountingRenderer(HubJsonRenderer):
    """Counts how often it has to work."""

    def __init__(self) -> None:
        self.count = 0

    def render(self, announcement: Announcement) -> bytes:
        self.count += 1
        return super().render(announcement)


def to(destination: str, renderer=None, **changes) -> Route:
    return Route(destination=destination, renderer=renderer or HubJsonRenderer(), **changes)


def by_destination(desk: Desk) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in desk.sent():
        found.setdefault(one.destination, []).append(one.subject)
    return found


def retract(desk: Desk) -> None:
    desk.tell(notice(stage=Stage.RETRACTION, issued_at=T0.plus_s(9000)), None)


def test_every_destination_gets_the_announcement_in_its_format_under_one_name(store: Store) -> None:
    routes = [to("xml", VoeventRenderer()), to("json"), to("avro", HubAvroRenderer())]
    desk = Desk(store, routes=routes)
    desk.tell(notice(), HERE)
    desk.tell(grb(), NEAR)
    sent = {one.destination: one for one in desk.sent()}
    assert {name: one.media_type for name, one in sent.items()} == {
        "xml": "application/xml",
        "json": "application/json",
        "avro": "application/avro",
    }
    (ivorn,) = {one.ivorn for one in sent.values()}
    assert json.loads(sent["json"].payload)["ivorn"] == voeventparse.loads(sent["xml"].payload).attrib["ivorn"] == ivorn
    assert {(one.subject, one.key, one.role) for one in sent.values()} == {
        (Subject.COINCIDENCE, "S260301a", Role.OBSERVATION),
    }


def test_destinations_of_one_format_share_the_work(store: Store) -> None:
    renderer = CountingRenderer()
    desk = Desk(store, routes=[to("one", renderer), to("two", renderer)])
    desk.tell(notice(), HERE)
    desk.tell(grb(), NEAR)
    assert (len(desk.sent()), renderer.count) == (2, 1)


def test_a_destination_gets_the_subjects_that_it_wants(store: Store) -> None:
    only = [
        to(subject.value, subjects=frozenset({subject, Subject.RETRACTION}))
        for subject in (Subject.COINCIDENCE, Subject.CANDIDATE)
    ]
    desk = Desk(store, routes=[*only, to("quiet", subjects=frozenset({Subject.COINCIDENCE}))])
    desk.tell(notice(), HERE)
    desk.tell(grb(), NEAR)
    desk.show(FADING)
    retract(desk)
    found = by_destination(desk)
    assert set(found["coincidence"]) == {"coincidence", "retraction"}
    assert set(found["candidate"]) == {"candidate", "retraction"}
    assert set(found["quiet"]) == {"coincidence"}


def test_a_retraction_goes_only_to_those_who_were_told(store: Store) -> None:
    """A destination that is added between the two knows nothing of the pair."""
    desk = Desk(store, routes=[to("old")])
    desk.tell(notice(), HERE)
    desk.tell(grb(), NEAR)
    later = Desk(store, routes=[to("old"), to("new")])
    later.now = desk.now
    retract(later)
    assert by_destination(later) == {"old": ["coincidence", "retraction"]}


def test_a_destination_that_is_added_hears_of_what_changes_from_then_on(store: Store) -> None:
    desk = Desk(store, routes=[to("old")])
    desk.tell(notice(), HERE)
    desk.tell(grb(), NEAR)
    later = Desk(store, routes=[to("old"), to("new")])
    later.now = desk.now
    later.tell(grb(issued_at=T0.plus_s(800), stage=Stage.UPDATE), HERE)
    retract(later)
    assert by_destination(later) == {"old": ["coincidence"] * 2 + ["retraction"], "new": ["coincidence", "retraction"]}


def test_without_a_destination_nothing_is_written(store: Store) -> None:
    desk = Desk(store, routes=[])
    desk.tell(notice(), HERE)
    desk.tell(grb(), NEAR)
    assert desk.sent() == []
    assert len(desk.pairs()) == 1


def test_every_message_of_a_story_is_valid_in_every_format(store: Store) -> None:
    desk = Desk(store, routes=[to("json"), to("avro", HubAvroRenderer())])
    desk.tell(notice(), HERE)
    desk.tell(grb(), NEAR)
    desk.show(FADING)
    retract(desk)
    sent = desk.sent()
    said = [hub_json.read(one.payload) for one in sent if one.destination == "json"]
    for one in said:
        VALIDATOR.validate(one)
    assert [hub_avro.read(one.payload) for one in sent if one.destination == "avro"] == said
    assert {one["subject"] for one in said} == {"coincidence", "candidate", "retraction"}
    assert {one["ivorn"] for one in said} >= {one["retracts"] for one in said if one["retracts"]}
