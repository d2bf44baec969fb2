import doctest
import json

import pytest

from adapters.codecs.gcn_unified import decode, event_names
from hub.errors import DecodeError
from hub.model.instant import Instant
from hub.model.notice import EventClass, Messenger, Role, Stage
from hub.model.sky import Circle, Ellipse, Polygon
from tests.support import json_notices as made


def notice(message, topic=None):
    return decode(message, topic=topic).notice


def test_a_ground_position_becomes_a_circle_that_needs_its_systematic_error():
    read = notice(made.gbm())
    assert (read.mission, read.instrument, read.messenger) == ("Fermi", "GBM", Messenger.EM)
    assert (read.event_class, read.role, read.stage) == (EventClass.GRB, Role.OBSERVATION, Stage.UPDATE)
    assert read.is_live
    assert read.t0 == Instant.from_utc_iso("2026-03-01T02:03:06Z")
    assert read.issued_at == Instant.from_utc_iso("2026-03-01T02:04:00Z")
    assert (read.position.ra_deg, read.position.dec_deg) == (101.5, -20.25)
    assert read.position.region == Circle(radius_deg=4.5)
    assert (read.position.containment, read.position.systematic_included) == (0.68, False)
    assert read.systematic_model == "fermi-gbm-ground"
    assert read.sequence == 5
    assert read.classification == {"GRB": 0.95, "SGR": 0.05}
    assert read.skymap_url == "https://example.org/glg_healpix_all.fit"


@pytest.mark.parametrize(
    ("subtype", "model"),
    [("FLIGHT_POSITION", "fermi-gbm-flight"), ("FINAL_POSITION", "fermi-gbm-final"), ("INITIAL_ALERT", None)],
)
def test_each_subtype_of_gbm_has_its_own_systematic_model(subtype, model):
    assert notice(made.gbm(subtype=subtype)).systematic_model == model
    assert notice(made.gbm(subtype=subtype, systematic_included=True)).systematic_model is None


@pytest.mark.parametrize(
    ("message", "key", "aliases"),
    [
        (made.gbm(), "Fermi-794023391", ("bn260301086",)),
        (made.gbm(id=[], event_name="GRB 170817A"), "Fermi-GRB170817A", ("GRB 170817A",)),
        (made.gbm(id="524666471", event_name="GRB 170817A"), "Fermi-524666471", ("GRB 170817A",)),
        (made.guano(id=1093742), "Swift-1093742", ()),
        (made.icecube(id="136918_45252263"), "IceCube-136918-45252263", ("IceCube-260301A",)),
        (made.icecube(id=["136918_45252263_1"]), "IceCube-136918-45252263", ("IceCube-260301A",)),
        (made.icecube(id=[], event_name="IceCube-260301A"), "IceCube-260301A", ()),
        (made.chime(), "CHIME-555000111", ()),
        (made.boom_alert(), "Boom-170000000000000009", ("LSST:170000000000000009",)),
        (made.lvk_track_search(), "IceCube-S260301b", ()),
        (made.gbm(mission="FERMI"), "Fermi-794023391", ("bn260301086",)),
    ],
)
def test_the_event_key_is_that_of_the_classic_route(message, key, aliases):
    read = notice(message)
    assert read.event_key == key
    assert read.aliases == aliases


@pytest.mark.parametrize(
    ("tense", "role", "is_live"),
    [
        ("current", Role.OBSERVATION, True),
        (None, Role.OBSERVATION, True),
        ("test", Role.TEST, False),
        ("injection", Role.TEST, False),
        ("archival", Role.OBSERVATION, False),
        ("commanded", Role.OBSERVATION, False),
        ("planned", Role.PREDICTION, False),
        ("some word of the future", Role.OBSERVATION, False),
        (7, Role.OBSERVATION, False),
    ],
)
def test_only_the_present_tense_is_live(tense, role, is_live):
    read = notice(made.gbm(alert_tense=tense))
    assert (read.role, read.is_live) == (role, is_live)


def test_a_test_topic_makes_a_test_of_what_does_not_say_so():
    read = notice(made.icecube(), "gcn.notices.icecube.test.gold_bronze_track_alerts")
    assert (read.role, read.is_live) == (Role.TEST, False)
    assert read.stream == "gcn.notices.icecube.test.gold_bronze_track_alerts"


def test_a_search_for_the_neutrinos_of_a_mock_event_is_a_test():
    assert notice(made.lvk_track_search()).is_live
    mock = notice(made.lvk_track_search(ref_ID="MS260301b"))
    assert (mock.role, mock.is_live) == (Role.TEST, False)


@pytest.mark.parametrize(
    ("kind", "stage"),
    [
        ("initial", Stage.INITIAL),
        ("subsequent", Stage.UPDATE),
        ("update", Stage.UPDATE),
        ("retraction", Stage.RETRACTION),
        (None, Stage.INITIAL),
        ("amendment", Stage.UPDATE),
    ],
)
def test_alert_types_are_stages(kind, stage):
    assert notice(made.chime(alert_type=kind)).stage is stage


@pytest.mark.parametrize(
    ("error", "region"),
    [
        (0.5, Circle(radius_deg=0.5)),
        ([0.5], Circle(radius_deg=0.5)),
        ([0.5, 0.5, 12], Circle(radius_deg=0.5)),
        ([0.5, 0.2], Ellipse(semi_major_deg=0.5, semi_minor_deg=0.2, position_angle_deg=0.0)),
        ([0.5, 0.2, 153], Ellipse(semi_major_deg=0.5, semi_minor_deg=0.2, position_angle_deg=153.0)),
        ([0.2, 0.5, 153], Ellipse(semi_major_deg=0.5, semi_minor_deg=0.2, position_angle_deg=63.0)),
        (0, None),
        (-1.0, None),
        ([], None),
        ("0.5", None),
    ],
)
def test_an_error_is_a_circle_or_an_ellipse(error, region):
    position = notice(made.chime(ra_dec_error=error)).position
    assert position.region == region
    assert position.containment == (None if region is None else 0.9)


def test_the_error_of_the_first_schema_versions_is_read_too():
    message = made.guano(ra=14.5, dec=-40.0, ra_uncertainty=[0.05])
    assert notice(message).position.region == Circle(radius_deg=0.05)


def test_the_containment_is_the_default_only_where_none_is_stated():
    assert notice(made.icecube(containment_probability=0.5)).position.containment == 0.5
    assert notice(made.icecube()).position.containment == 0.9
    percentage = notice(made.icecube(containment_probability=90))
    assert percentage.position.containment is None
    assert percentage.properties["odd_containment"] == 90
    assert "odd_containment" not in notice(made.icecube(containment_probability=0.5)).properties


def test_a_box_by_its_corners_alone_has_its_centre():
    position = notice(made.maxi()).position
    assert isinstance(position.region, Polygon)
    assert position.region.corners[0] == (359.0, 9.0)
    assert position.ra_deg == pytest.approx(0.0, abs=1e-9) or position.ra_deg == pytest.approx(360.0, abs=1e-9)
    assert position.dec_deg == pytest.approx(10.0, abs=0.01)
    assert position.containment == 0.9


def test_right_ascension_is_brought_into_one_turn():
    assert notice(made.chime(ra=-10.0)).position.ra_deg == 350.0
    assert notice(made.chime(ra=360.0)).position.ra_deg == 0.0


def test_zero_zero_without_an_error_is_no_position():
    assert notice(made.gbm(ra=0, dec=0, ra_dec_error=0)).position is None
    assert notice(made.gbm(ra=0, dec=0, ra_dec_error=None)).position is None
    assert notice(made.gbm(ra=0, dec=0, ra_dec_error=3.0)).position is not None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dec": 90.5}, "declination 90.5 deg is outside"),
        ({"dec": float("nan")}, "'dec' is not a finite number"),
        ({"ra": float("inf")}, "'ra' is not a finite number"),
        ({"ra": "101.5"}, "'ra' is not a finite number"),
        ({"ra": True}, "'ra' is not a finite number"),
        ({"ra": 1e6}, "right ascension 1e[+]06 deg is outside"),
        ({"ra": None}, "position has no ra"),
        ({"dec": None}, "position has no dec"),
        ({"trigger_time": "yesterday"}, "'trigger_time' is not an ISO 8601 time"),
        ({"trigger_time": 57000.5}, "'trigger_time' is not an ISO 8601 time"),
        ({"id": "x" * 1000}, "too long or not printable"),
        ({"id": "a\nb"}, "too long or not printable"),
        ({"id": None, "trigger_time": None}, "neither when nor which"),
        ({"$schema": "https://gcn.nasa.gov/schema/main/gcn/notices/core/Statistics.schema.json"}, "building block"),
    ],
)
def test_what_cannot_be_believed_is_refused_in_one_sentence(changes, reason):
    with pytest.raises(DecodeError, match=reason) as caught:
        notice(made.gbm(**changes))
    assert caught.value.format == "gcn-unified"


def test_an_embedded_map_is_handed_on_unread():
    assert notice(made.guano()).skymap == made.TINY_FITS


@pytest.mark.parametrize("text", ["stuff", "c3R1ZmY=", "A" * 20_000_000, 5, ["x"]])
def test_a_broken_map_does_not_cost_the_notice(text):
    read = notice(made.guano(healpix_file=text))
    assert read.skymap is None
    assert read.skymap_refused.startswith("the embedded map")


def test_a_targeted_search_says_how_much_later_its_centre_lies():
    read = notice(made.guano())
    assert read.event_class is EventClass.SUB_GRB_TARGETED
    assert read.t0 == Instant.from_utc_iso("2026-03-01T02:03:05.5Z")
    assert read.properties["duration_s"] == 1.0
    assert read.properties["central_offset_s"] == 0.5
    assert read.depends_on == ("Fermi-794023391",)


def test_the_time_scale_of_a_trigger_is_not_the_duration_of_the_burst():
    assert "duration_s" not in notice(made.gbm(rate_duration=4.096)).properties
    assert notice(made.gbm(t90=2.5)).properties["duration_s"] == 2.5


@pytest.mark.parametrize(
    ("far", "unit", "hz"),
    [(5e-8, None, 5e-8), (2.0, "1/yr", 2.0 / (365.25 * 86400)), (-1, None, None), ("x", None, None), (float("inf"), None, None)],
)
def test_false_alarm_rates_are_in_hertz_unless_the_message_says_years(far, unit, hz):
    assert notice(made.icecube(far=far, far_unit=unit)).far_hz == (pytest.approx(hz) if hz else None)


def test_the_signalness_is_no_veto():
    read = notice(made.icecube(p_astro=0.2))
    assert read.p_astro == 0.2
    assert read.vetoes == ()


def test_what_the_flight_software_takes_for_something_else_is_vetoed():
    assert notice(made.gbm(classification={"SGR": 0.9, "GRB": 0.1})).vetoes == ("classified as SGR, not as a GRB",)
    assert notice(made.gbm()).vetoes == ()


def test_a_burst_of_a_known_repeater_is_vetoed():
    assert notice(made.chime(known_source="FRB 20200120E")).vetoes == ("a burst of the known source FRB 20200120E",)


def test_a_graded_find_of_gbm_is_below_threshold():
    assert notice(made.gbm(reliability="HIGH")).event_class is EventClass.SUB_GRB


def test_a_neutrino_search_names_the_event_it_was_made_for():
    read = notice(made.lvk_track_search())
    assert read.depends_on == ("S260301b",)
    assert read.event_class is EventClass.HIGH_ENERGY_NEUTRINO
    assert (read.position.ra_deg, read.position.region) == (100.1, None)
    assert not read.localizes  # the map of the other event went into that direction
    assert read.properties["pval_generic"] == 0.02
    assert read.properties["observation_window_s"] == 1000.0
    assert read.extra["coincident_events"][0]["event_dt"] == 12.5


def test_the_first_target_of_a_boom_notice_gives_place_and_name():
    read = notice(made.boom())
    assert read.event_key == "Boom-ZTF26aaaaaaa"
    assert read.event_class is EventClass.OPTICAL_TRANSIENT
    assert read.t0 == Instant.from_utc_iso("2026-03-02T03:00:00Z")
    assert read.depends_on == ("S260301b",)
    assert read.properties["n_targets"] == 2


def test_an_archive_notice_is_about_no_event():
    schema = "https://gcn.nasa.gov/schema/main/gcn/notices/heasarc/archive_alert.schema.json"
    read = notice({"$schema": schema, "mission": "NICER", "id": "1", "alert_datetime": "2026-03-01T00:00:00Z"})
    assert (read.event_key, read.role, read.localizes, read.is_live) == (None, Role.UTILITY, False, False)


def test_a_mission_of_the_future_is_read_by_the_common_fields():
    schema = "https://gcn.nasa.gov/schema/main/gcn/notices/newsat/alert.schema.json"
    read = notice({"$schema": schema, "id": "7", "trigger_time": "2026-03-01T00:00:00Z", "ra": 1.0, "dec": 2.0, "sparkle": 3})
    assert (read.event_key, read.event_class) == ("newsat-7", EventClass.OTHER)
    assert read.stream == "gcn.notices.newsat.alert"
    assert read.extra == {"sparkle": 3}


def test_unknown_fields_and_fields_of_a_wrong_type_are_kept():
    read = notice(made.gbm(brand_new={"a": [1, float("nan")]}, healpix_url=12))
    assert read.extra["brand_new"] == {"a": [1, None]}
    assert read.extra["healpix_url"] == 12
    assert read.skymap_url is None
    assert read.extra["detectors_status"] == ["on", "triggered"]
    json.dumps(read.extra, allow_nan=False)


def test_a_resend_has_the_same_identity_and_a_test_twin_another():
    again = json.loads(json.dumps(made.gbm()))
    assert notice(made.gbm()).identity == notice(again).identity
    others = (
        made.gbm(alert_tense="test"),
        made.gbm(alert_type="retraction"),
        made.gbm(record_number=6),
        made.gbm(alert_datetime="2026-03-01T02:04:01Z"),
        made.gbm(instrument="LAT"),
    )
    assert len({notice(made.gbm()).identity, *(notice(other).identity for other in others)}) == 6


def test_the_examples_of_event_names_hold():
    assert doctest.testmod(event_names).failed == 0
    assert doctest.testmod(event_names).attempted > 4


def test_a_supernova_burst_carries_the_name_of_its_classic_notice():
    schema = "https://gcn.nasa.gov/schema/main/gcn/notices/superk/sn_alert.schema.json"
    burst = {
        "$schema": schema,
        "mission": "Super-Kamiokande",
        "id": "SN.1.2",
        "trigger_number": 77,
        "trigger_time": "2026-03-01T00:00:00Z",
    }
    read = notice(burst)
    assert (read.event_key, read.aliases) == ("Super-Kamiokande-SN.1.2", ("Super-K-77",))
    assert read.messenger is Messenger.NEUTRINO
    assert notice(burst | {"trigger_number": {"a": 1}}).aliases == ()


def test_floods_of_names_are_refused_and_floods_of_words_stay_in_the_rest():
    for flood in ({"id": [str(n) for n in range(100)]}, {"ref_ID": [f"S{n}" for n in range(100)]}):
        with pytest.raises(DecodeError, match=r"gives .* names"):
            notice(made.gbm(**flood))
    read = notice(made.gbm(classification={str(n): 0.0 for n in range(1000)}, subtype="x" * 10_000))
    assert read.classification == {}
    assert len(read.extra["classification"]) == 1000
    assert "subtype" not in read.properties
