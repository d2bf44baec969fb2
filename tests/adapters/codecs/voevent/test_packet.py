"""The general reader: versions, prefixes, forms of no position, identities."""

import pytest

from adapters.codecs.voevent.reader import decode
from hub.model.notice import Citation, CiteKind, EventClass, Messenger, Role, Stage
from hub.model.sky import Asymmetric, Circle
from tests.support.voevents import voevent

FOREIGN = {"ivorn": "ivo://example.org/survey#Thing-7", "author": "ivo://example.org/robots"}


def read(topic=None, **parts):
    return decode(voevent(**{**FOREIGN, **parts}), topic=topic).notice


@pytest.mark.parametrize("version", ["1.1", "2.0", "2.1"])
@pytest.mark.parametrize("prefix", ["voe", "v", ""])
def test_every_version_is_read_whatever_the_prefix(version, prefix):
    notice = read(version=version, prefix=prefix)
    assert notice.format == f"voevent-{version}"
    assert notice.position.region == Circle(radius_deg=0.5)
    assert notice.t0.to_utc_iso() == "2024-01-02T03:04:05.670000Z"
    assert notice.issued_at.to_utc_iso() == "2024-01-02T03:05:00.000000Z"


def test_a_foreign_voevent_becomes_an_event_of_its_authority():
    notice = read(params={"mag": ("17.2", "mag"), "name": "x"}, groups={"g": {"mag": 3}})
    assert (notice.stream, notice.mission, notice.event_key) == ("voevent.example.org", "example.org", "example.org-Thing-7")
    assert (notice.messenger, notice.stage, notice.event_class) == (Messenger.EM, Stage.INITIAL, EventClass.OTHER)
    assert notice.extra["mag"] == "17.2"
    assert notice.extra["g.mag"] == "3"
    assert notice.is_live


def test_the_topic_names_the_stream_where_there_is_one():
    assert read(topic="some.topic").stream == "some.topic"


def test_a_packet_type_of_a_foreign_author_means_nothing():
    assert read(params={"Packet_Type": 61, "TrigID": 5}).mission == "example.org"


def test_identities_compare_without_case_but_with_the_role():
    assert read(ivorn="ivo://Example.ORG/survey#a").identity == read(ivorn="ivo://example.org/survey#A").identity
    assert read(role="test").identity != read().identity


@pytest.mark.parametrize(
    ("written", "role", "is_live"),
    [
        ("observation", Role.OBSERVATION, True),
        ("prediction", Role.PREDICTION, False),
        ("utility", Role.UTILITY, False),
        ("test", Role.TEST, False),
        ("sim", Role.TEST, False),
        ("drill", Role.TEST, False),
        ("observe", Role.OBSERVATION, False),
    ],
)
def test_roles_that_the_standard_does_not_know_are_never_live(written, role, is_live):
    notice = read(role=written)
    assert (notice.role, notice.is_live) == (role, is_live)
    assert ("voevent.remarks" in notice.extra) == (written in ("sim", "drill", "observe"))


def test_a_utility_message_is_about_no_event():
    assert read(role="utility").event_key is None


@pytest.mark.parametrize(
    "position",
    [
        (0.0, 0.0, 0.0),
        ("0.0000", "0.0000", "360.0"),
        ("-0.0", "0", "5"),
        (10, 20, 180),
        (10, 90.5, 1),
        (721, 0, 1),
        (-999, -999, 1),
        ("nan", 20, 1),
        ("", 20, 1),
        ("12:30:00", "+20", 1),
        None,
    ],
)
def test_every_way_of_saying_no_position_gives_none(position):
    assert read(position=position).position is None


def test_a_position_without_a_usable_radius_keeps_the_place_only():
    for error in ("0.0", "-1", "nan", "", "x"):
        position = read(position=(10, 20, error)).position
        assert (position.ra_deg, position.region, position.containment) == (10, None, None)


def test_right_ascension_is_brought_into_range():
    assert read(position=(-10, 20, 1)).position.ra_deg == 350
    assert read(position=(360, 20, 1)).position.ra_deg == 0


def test_other_frames_are_not_read_as_icrs():
    assert read(coord_system="UTC-FK4-GEO").position is None
    assert read(coord_system="UTC-ICRS-TOPO").position is not None


def test_separate_errors_of_both_coordinates_are_kept():
    payload = voevent(**FOREIGN).replace(b"<Error2Radius>0.5</Error2Radius>", b"<Error2><C1>0.3</C1><C2>0.2</C2></Error2>")
    region = decode(payload).notice.position.region
    assert region == Asymmetric(ra_plus_deg=0.3, ra_minus_deg=0.3, dec_plus_deg=0.2, dec_minus_deg=0.2)


def test_citations_set_the_stage_and_empty_ones_vanish():
    assert read(cites=[("ivo://a/b#c", "retraction")]).stage is Stage.RETRACTION
    assert read(cites=[("ivo://a/b#c", "supersedes")]).stage is Stage.UPDATE
    notice = read(cites=[("", "followup"), ("ivo://a/b#c", "followup"), ("ivo://a/b#d", "whatever")])
    assert notice.cites == (
        Citation(ivorn="ivo://a/b#c", kind=CiteKind.FOLLOWUP),
        Citation(ivorn="ivo://a/b#d", kind=CiteKind.FOLLOWUP),
    )


def test_a_pure_test_has_the_stage_test():
    assert read(role="test").stage is Stage.TEST


def test_the_observatory_place_is_never_taken_for_the_event():
    payload = voevent(**FOREIGN).replace(
        b'<ObservatoryLocation id="GEOLUN"/>',
        b'<ObservatoryLocation><AstroCoordSystem id="UTC-GEOD-TOPO"/><AstroCoords coord_system_id="UTC-GEOD-TOPO"><Position3D unit="deg-deg-m">'
        b"<Value3><C1>7</C1><C2>-90</C2><C3>0</C3></Value3></Position3D></AstroCoords></ObservatoryLocation>",
    )
    assert decode(payload).notice.position.ra_deg == 10


def test_a_missing_version_is_taken_from_the_namespace():
    assert decode(voevent(**FOREIGN).replace(b' version="2.0"', b"")).notice.format == "voevent-2.0"


def test_names_with_a_question_mark_give_the_local_id():
    assert read(version="2.1", ivorn="ivo://example.org/survey?id7").event_key == "example.org-id7"
