"""Dialects on packets of our own making: the types and marks that no recorded file has."""

import pytest

from adapters.codecs.gcn_classic.table import MISSIONS
from adapters.codecs.voevent.reader import decode
from hub.errors import DecodeError
from hub.model.notice import EventClass, Messenger, Role, Stage
from tests.support.voevents import voevent


def read(number, topic=None, **parts):
    params = {"Packet_Type": number, "TrigID": 777} | parts.pop("params", {})
    return decode(voevent(params=params, **parts), topic=topic).notice


ROWS = [(mission, kind) for mission in MISSIONS for kind in mission.kinds if kind.number]


@pytest.mark.parametrize(("mission", "kind"), ROWS, ids=[kind.name for _, kind in ROWS])
def test_every_type_of_the_tables_is_read(mission, kind):
    notice = read(kind.number)
    expected_mission = "LVC-COUNTERPART" if kind.number == 154 else mission.name
    assert notice.mission == expected_mission
    assert notice.stream == f"gcn.classic.voevent.{kind.name}"
    assert notice.stage is kind.stage
    assert notice.event_class is kind.event_class
    assert notice.localizes is kind.localizes
    assert (notice.event_key is not None) == kind.is_event
    assert notice.is_live == (kind.is_event and not kind.is_test)
    assert (kind.veto in notice.vetoes) if kind.veto else notice.vetoes == ()


@pytest.mark.parametrize(("mission", "kind"), ROWS, ids=[kind.name for _, kind in ROWS])
def test_every_type_survives_a_packet_without_anything(mission, kind):
    payload = f'<VOEvent version="2.0" ivorn="ivo://nasa.gsfc.gcn/X#y"><What><Param name="Packet_Type" value="{kind.number}"/></What></VOEvent>'
    notice = decode(payload.encode()).notice
    assert notice.t0 is None
    assert notice.position is None
    assert notice.systematic_model is None


def test_a_test_role_keeps_a_clear_stage_and_is_not_live():
    notice = read(111, role="test")
    assert (notice.role, notice.stage, notice.is_live) == (Role.TEST, Stage.INITIAL, False)


@pytest.mark.parametrize("flag", ["Test_Submission", "Test_Notice", "Test"])
def test_a_test_flag_in_a_group_is_enough(flag):
    assert not read(61, groups={"Misc_Flags": {flag: "true"}}).is_live
    assert read(61, groups={"Misc_Flags": {flag: "false"}}).is_live


def test_a_retraction_flag_or_citation_retracts():
    assert read(174, groups={"Trigger_ID": {"Retraction": "true"}}).stage is Stage.RETRACTION
    assert read(61, cites=[("ivo://nasa.gsfc.gcn/SWIFT#x", "retraction")]).stage is Stage.RETRACTION
    assert read(174, groups={"Trigger_ID": {"Retraction": "false"}}).stage is Stage.INITIAL


@pytest.mark.parametrize(
    ("params", "vetoes"),
    [
        ({"Most_Likely_Index": 4, "Most_Likely_Prob": 50}, ()),
        ({"Most_Likely_Index": 4, "Most_Likely_Prob": 49}, ("a GRB with only 49 % probability",)),
        ({"Most_Likely_Index": 8, "Most_Likely_Prob": 90}, ("classified as SOLAR_FLARE, not a GRB",)),
        ({"Most_Likely_Index": 14, "Most_Likely_Prob": 90}, ("classified as CLASS_14, not a GRB",)),
        ({"Most_Likely_Prob": 3}, ()),
    ],
)
def test_the_most_likely_class_decides(params, vetoes):
    assert read(111, params=params).vetoes == vetoes


def test_flags_in_groups_veto():
    assert read(112, groups={"Trigger_ID": {"Def_NOT_a_GRB": "true"}}).vetoes == ("flagged as definitely not a GRB",)
    known = read(61, groups={"Solution_Status": {"Target_in_Gnd_Catalog": "true"}})
    assert known.event_class is EventClass.OTHER
    assert known.vetoes == ("known source: in the ground catalogue",)


def test_fermi_and_swift_with_one_number_are_two_events():
    assert read(111).event_key == "Fermi-777"
    assert read(61).event_key == "Swift-777"


def test_fermi_takes_the_trigger_from_the_ivorn_where_no_param_has_it():
    ivorn = "ivo://nasa.gsfc.gcn/Fermi#GBM_SubThresh_2018-04-22T21:54:11.00_546126856_0-001"
    assert read(131, params={"TrigID": ""}, ivorn=ivorn).event_key == "Fermi-546126856"


def test_icecube_ids_from_the_ivorn_alone():
    ivorn = "ivo://nasa.gsfc.gcn/AMON#ICECUBE_GOLD_Event2020-06-15T14:49:17.37_24_134191_017593623_2"
    notice = read(173, ivorn=ivorn)
    assert notice.event_key == "IceCube-134191-17593623"
    assert (notice.stage, notice.sequence) == (Stage.UPDATE, 2)


@pytest.mark.parametrize(
    ("unit", "seconds"),
    [("yr^-1", 365.25 * 86_400), ("/yr", 365.25 * 86_400), ("Hz", 1), ("day^-1", 86_400), ("", 365.25 * 86_400), ("s^-1", 1)],
)
def test_rates_become_hz_by_their_unit(unit, seconds):
    assert read(173, params={"FAR": ("2.0", unit)}).far_hz == pytest.approx(2.0 / seconds)


@pytest.mark.parametrize("far", ["nan", "-1", "", "many"])
def test_a_rate_that_is_none_is_none(far):
    assert read(173, params={"FAR": (far, "yr^-1")}).far_hz is None


def test_a_rate_in_a_unit_that_is_not_known_is_none():
    assert read(173, params={"FAR": ("2.0", "fortnight^-1")}).far_hz is None


def test_a_gravitational_wave_rate_without_a_unit_is_in_hz():
    assert read(150, params={"GraceID": "S1a", "FAR": "1e-9"}).far_hz == 1e-9


@pytest.mark.parametrize("garbage", ["9" * 5_000, "1e300", "-1e300", "nan", "1_0", "\u0661", "x", ""])
@pytest.mark.parametrize("number", [31, 52, 54, 111, 61, 112, 131, 135, 149, 150, 171, 172, 174, 202])
def test_garbage_in_every_number_is_refused_or_read_without_it(number, garbage):
    names = [
        "Pkt_Ser_Num",
        "Sequence_Num",
        "Rev",
        "FAR",
        "signalness",
        "energy",
        "Most_Likely_Index",
        "Most_Likely_Prob",
        "BNS",
        "Terrestrial",
    ]
    for keys in ({}, dict.fromkeys(["TrigID", "run_id", "event_id", "GraceID", "Burst_Id"], garbage)):
        try:
            notice = read(number, params=dict.fromkeys(names, garbage) | keys, position=(garbage, garbage, garbage))
        except DecodeError as refusal:
            assert "characters" in refusal.reason  # noqa: PT017 - both outcomes are allowed
            continue
        assert notice.far_hz is None or garbage == "1e300"
        assert notice.p_astro is None
        assert notice.position is None
        assert notice.sequence == 0


def test_probabilities_outside_0_and_1_are_none():
    assert read(173, params={"signalness": "1.5"}).p_astro is None
    assert read(111, params={"Most_Likely_Index": 4, "Most_Likely_Prob": 250}).classification == {"GRB": None}


@pytest.mark.parametrize(
    ("grace_id", "search", "is_live"),
    [
        ("S230518h", "AllSky", True),
        ("G298048", "O2VirgoTest", True),
        ("MS230518h", "AllSky", False),
        ("TS230518h", "AllSky", False),
        ("M417839", "AllSky", False),
        ("T123", "AllSky", False),
        ("S230518h", "MDC", False),
    ],
)
def test_mock_gravitational_waves_are_never_live(grace_id, search, is_live):
    notice = read(150, ivorn=f"ivo://gwnet/LVC#{grace_id}-1", author="", params={"GraceID": grace_id, "Search": search})
    assert (notice.event_key, notice.is_live) == (grace_id, is_live)
    assert notice.messenger is Messenger.GW


def test_injected_signals_and_the_test_packet_are_never_live():
    assert not read(151, params={"GraceID": "S1a", "HardwareInj": "1"}).is_live
    test = read(153, params={"GraceID": "S1a"})
    assert (test.stage, test.is_live) == (Stage.TEST, False)


def test_a_gravitational_wave_counterpart_is_an_event_of_its_own():
    notice = read(154, params={"GraceID": "S190425z", "SourceSernum": "3"})
    assert notice.event_key == "LVC-COUNTERPART-S190425z-3"
    assert notice.depends_on == ("S190425z",)
    assert notice.messenger is Messenger.EM


def test_svom_packets_of_one_burst_share_its_id():
    ivorn = "ivo://org.svom/fsc#sb25120806_{}"
    groups = {"Svom_Identifiers": {"Burst_Id": "sb25120806"}}
    wakeup = read(
        202, ivorn=ivorn.format("eclairs-wakeup"), groups=groups, params={"Instrument": "ECLAIRs"}, author="ivo://org.svom/fsc"
    )
    retraction = read(219, ivorn=ivorn.format("retraction"), params={"TrigID": ""}, author="ivo://org.svom/fsc")
    unknown = read(299, ivorn=ivorn.format("novelty"), topic="gcn.notices.svom.voevent.mxt", author="ivo://org.svom/fsc")
    assert wakeup.event_key == retraction.event_key == unknown.event_key == "SVOM-sb25120806"
    assert retraction.stage is Stage.RETRACTION
    assert unknown.stream == "gcn.notices.svom.voevent.mxt"


def test_a_counterpart_seen_by_others_claims_no_swift_burst():
    notice = read(45, params={"Telescope": "GROND"})
    assert notice.depends_on == ()
    assert notice.event_class is EventClass.OPTICAL_TRANSIENT


def test_an_unknown_type_of_gcn_goes_through_the_general_reader():
    notice = read(9999)
    assert notice.stream == "voevent.nasa.gsfc.gcn"
    assert notice.event_key == "nasa.gsfc.gcn-Packet_1-001"


@pytest.mark.parametrize("written", ["", "abc", "-61", "6 1", "61.0", "٦١"])
def test_a_packet_type_that_is_no_number_is_unknown(written):
    assert read(written).mission == "nasa.gsfc.gcn"


def test_coordinates_that_are_unavailable_or_a_pointing():
    assert read(112, params={"Coords_String": "unavailable/inappropriate"}).position is None
    assert not read(112, params={"Coords_String": "pointing_direction"}).localizes


def test_params_that_no_field_holds_are_kept():
    notice = read(112, params={"Phi": "25.00"}, groups={"Misc_Flags": {"CRC_Error": "false"}})
    assert notice.extra["Phi"] == "25.00"
    assert notice.extra["Misc_Flags.CRC_Error"] == "false"
    assert "TrigID" not in notice.extra
