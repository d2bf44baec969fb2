"""Recorded packets of every mission against the facts that a reader of the packet sees in it."""

import pytest

from adapters.codecs.voevent.reader import decode
from hub.model.notice import EventClass, Messenger, Stage
from tests.support.voevents import voevent

YEAR_S = 365.25 * 86_400


@pytest.fixture
def read(recorded):
    return lambda name: decode((recorded / "voevent" / name).read_bytes()).notice


# file: event key, instrument, stage, class, stream, containment, systematic included, localizes
GOLDEN = {
    "fermi/GRB180116A_GBM_ALERT.xml": ("Fermi-537755817", "GBM", "preliminary", "grb", "FERMI_GBM_ALERT", None, None, True),
    "fermi/GRB180116A_GBM_FLT_POS.xml": ("Fermi-537755817", "GBM", "initial", "grb", "FERMI_GBM_FLT_POS", 0.68, False, True),
    "fermi/GRB180116A_GBM_GND_POS.xml": ("Fermi-537755817", "GBM", "update", "grb", "FERMI_GBM_GND_POS", 0.68, False, True),
    "fermi/GRB180116A_GBM_FIN_POS.xml": ("Fermi-537755817", "GBM", "update", "grb", "FERMI_GBM_FIN_POS", 0.68, False, True),
    "fermi/GRB170817A_GBM_GND_POS.xml": ("Fermi-524666471", "GBM", "update", "grb", "FERMI_GBM_GND_POS", 0.68, False, True),
    "fermi/GBM_SUBTHRESH_546126856.xml": (
        "Fermi-546126856",
        "GBM",
        "initial",
        "sub_grb",
        "FERMI_GBM_SUBTHRESH",
        0.68,
        False,
        True,
    ),
    "fermi/GBM_SUBTHRESH_578679123.xml": (
        "Fermi-578679123",
        "GBM",
        "initial",
        "sub_grb",
        "FERMI_GBM_SUBTHRESH",
        0.68,
        False,
        True,
    ),
    "fermi/LAT_MONITOR_2022-08-06.xml": ("Fermi-1659883590", "LAT", "initial", "other", "FERMI_LAT_MONITOR", None, None, True),
    "swift/BAT_GRB_POS_1118357.xml": ("Swift-1118357", "BAT", "initial", "grb", "SWIFT_BAT_GRB_POS_ACK", 0.9, None, True),
    "swift/BAT_LIGHTCURVE_1118357.xml": ("Swift-1118357", "BAT", "update", "grb", "SWIFT_BAT_GRB_LC", None, None, False),
    "swift/BAT_QL_POS_1118357.xml": ("Swift-1118357", "BAT", "preliminary", "grb", "SWIFT_BAT_QL_POS", 0.9, None, False),
    "swift/FOM_OBS_1118357.xml": ("Swift-1118357", None, "update", "grb", "SWIFT_FOM_OBS", None, None, False),
    "swift/XRT_POS_1120270.xml": ("Swift-1120270", "XRT", "update", "grb", "SWIFT_XRT_POSITION", 0.9, None, True),
    "swift/BAT_KNOWN_SRC_negative_trigid.xml": (
        "Swift--2032248730",
        "BAT",
        "initial",
        "other",
        "SWIFT_BAT_KNOWN_SRC",
        0.9,
        None,
        True,
    ),
    "swift/BAT_LOST_STARLOCK.xml": ("Swift-948244", "BAT", "initial", "other", "SWIFT_BAT_GRB_POS_ACK", 0.9, None, True),
    "swift/POINTDIR_utility.xml": (None, None, "initial", "other", "SWIFT_POINTDIR", None, None, False),
    "groups/group_01_03_SWIFT.xml": ("Swift-1093742", "BAT", "initial", "grb", "SWIFT_BAT_GRB_POS_ACK", 0.9, None, True),
    "groups/group_02_SWIFT_03_UVOT_Pos.xml": ("Swift-1101053", "UVOT", "update", "grb", "SWIFT_UVOT_POS", 0.9, None, True),
    "groups/group_04_04_COUNTERPART.xml": (
        "COUNTERPART-1118357",
        "Swift-XRT",
        "initial",
        "xray_transient",
        "GRB_CNTRPART",
        None,
        None,
        True,
    ),
    "integral/WAKEUP_010042.xml": ("INTEGRAL-10042", "IBIS", "initial", "grb", "INTEGRAL_WAKEUP", 0.9, False, True),
    "integral/REFINED_010042.xml": ("INTEGRAL-10042", "IBIS", "update", "grb", "INTEGRAL_REFINED", 0.9, False, True),
    "integral/REFINED_test.xml": ("INTEGRAL-0", "IBIS", "update", "grb", "INTEGRAL_REFINED", 0.9, False, True),
    "icecube/GOLD_134191_rev0.xml": (
        "IceCube-134191-17593623",
        None,
        "initial",
        "hen",
        "ICECUBE_ASTROTRACK_GOLD",
        0.9,
        False,
        True,
    ),
    "icecube/GOLD_134191_rev1.xml": (
        "IceCube-134191-17593623",
        None,
        "update",
        "hen",
        "ICECUBE_ASTROTRACK_GOLD",
        0.9,
        False,
        True,
    ),
    "icecube/BRONZE_136918_045252263_0.xml": (
        "IceCube-136918-45252263",
        None,
        "initial",
        "hen",
        "ICECUBE_ASTROTRACK_BRONZE",
        0.9,
        False,
        True,
    ),
    "icecube/CASCADE_136889_025590129_0.xml": (
        "IceCube-136889-25590129",
        None,
        "initial",
        "hen",
        "ICECUBE_CASCADE",
        0.9,
        True,
        True,
    ),
    "maxi/KNOWN_ATMic.xml": ("MAXI-3468898070", "GSC", "initial", "xray_transient", "MAXI_KNOWN", None, None, True),
    "other/KONUS_LC_2015-07-10.xml": ("Konus-1721301681", None, "initial", "grb", "KONUS_LC", None, None, False),
    "other/SVOM_template_PT576.xml": ("SVOM-sb24022203", "ECLAIRs", "initial", "grb", "SVOM_ECLAIRS", None, None, True),
    "snews/SNEWS_2018-09-18.xml": ("SNEWS-1000194", None, "initial", "supernova_neutrino", "SNEWS", None, None, True),
    "antares/Antares_1438351269.xml": ("ANTARES-1438351269", None, "initial", "hen", "ANTARES_ALERT", None, None, True),
    "lvc/G298048-1-Initial_GW170817.xml": ("G298048", None, "initial", "cbc", "LVC_INITIAL", None, None, True),
    "lvc/LVC_real_burst.xml": ("S230531f", None, "preliminary", "burst", "LVC_PRELIMINARY", None, None, True),
    "lvc/LVC_real_early_warning.xml": ("S230518h", None, "early_warning", "cbc", "LVC_EARLY_WARNING", None, None, True),
    "lvc/LVC_real_initial.xml": ("S230518h", None, "initial", "cbc", "LVC_INITIAL", None, None, True),
    "lvc/LVC_real_retraction.xml": ("S230518h", None, "retraction", "cbc", "LVC_RETRACTION", None, None, True),
    "lvc/S190814bv-5-Update.xml": ("S190814bv", None, "update", "cbc", "LVC_UPDATE", None, None, True),
    "lvc/MS181101ab-6-Update_external_coinc.xml": ("MS181101ab", None, "update", "cbc", "LVC_UPDATE", None, None, True),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_recorded_packet_is_understood(read, name):
    notice = read(name)
    position = notice.position
    assert (
        notice.event_key,
        notice.instrument,
        str(notice.stage),
        str(notice.event_class),
        notice.stream.removeprefix("gcn.classic.voevent."),
        position.containment if position else None,
        position.systematic_included if position else None,
        notice.localizes,
    ) == GOLDEN[name]


def test_fermi_models_name_the_three_solutions(read):
    models = [read(f"fermi/GRB180116A_GBM_{kind}.xml").systematic_model for kind in ("ALERT", "FLT_POS", "GND_POS", "FIN_POS")]
    assert models == [None, "fermi-gbm-flight", "fermi-gbm-ground", "fermi-gbm-final"]


def test_the_ground_position_of_grb_170817a(read):
    notice = read("fermi/GRB170817A_GBM_GND_POS.xml")
    assert notice.aliases == ("bn170817529",)
    assert notice.vetoes == ()
    assert notice.sequence == 57
    assert notice.properties["significance_sigma"] == 6.0
    assert notice.skymap_url.startswith("http://gcn.gsfc.nasa.gov/notices_f/gbm_gnd_loc_map_524666471")
    assert notice.is_live


def test_fermi_classes_veto_what_is_no_grb(read):
    assert read("fermi/GRB180116A_GBM_FLT_POS.xml").classification == {"GRB": 0.97, "GENERIC_SGR": 0.01}
    assert read("fermi/GRB180116A_GBM_FLT_POS.xml").vetoes == ()
    assert read("fermi/GBM_FLT_POS_680977982.xml").vetoes == ("classified as BELOW_HORIZON, not a GRB",)
    assert read("fermi/GBM_FLT_POS_noise_598032876.xml").vetoes == ("classified as TGF, not a GRB",)
    assert read("fermi/GBM_SUBTHRESH_546126856.xml").vetoes == ("reliability 2 of 10 is below 5",)
    assert read("fermi/GBM_SUBTHRESH_578679123.xml").vetoes == ()


def test_sub_threshold_maps_are_linked_and_durations_kept(read):
    notice = read("fermi/GBM_SUBTHRESH_578679123.xml")
    assert notice.skymap_url.startswith("https://gcn.gsfc.nasa.gov/notices_gbm_sub/gbm_subthresh_5786")
    assert notice.properties["duration_s"] == 0.703
    assert notice.properties["spectral_class"] == "hard"
    assert notice.systematic_model is None


def test_swift_vetoes(read):
    assert "star tracker lost lock" in read("swift/BAT_LOST_STARLOCK.xml").vetoes
    assert "known source: in BAT's catalogue" in read("swift/BAT_KNOWN_SRC_negative_trigid.xml").vetoes
    assert read("swift/BAT_KNOWN_SRC_negative_trigid.xml").properties["source_name"] == "CF Tuc"
    assert read("swift/BAT_GRB_POS_1118357.xml").vetoes == ()
    assert "known source: in MAXI's catalogue" in read("maxi/KNOWN_ATMic.xml").vetoes


def test_icecube_rates_and_radii(read):
    notice = read("icecube/BRONZE_136918_045252263_0.xml")
    assert notice.far_hz == pytest.approx(1.8772 / YEAR_S, rel=1e-12)
    assert notice.p_astro == 0.3865
    assert notice.properties["src_error_50_deg"] == 0.2348
    assert notice.properties["src_error_90_deg"] == notice.position.radius_deg == 0.6521
    assert notice.properties["energy_tev"] == 54.853
    assert notice.messenger is Messenger.NEUTRINO
    assert read("icecube/GOLD_134191_rev1.xml").sequence == 1
    cascade = read("icecube/CASCADE_136889_025590129_0.xml")
    assert cascade.aliases == ("IceCubeCascade-220801a",)
    assert cascade.skymap_url.startswith("https://roc.icecube.wisc.edu/public/hese_cascades/hese_59792")


def test_gravitational_wave_numbers(read):
    notice = read("lvc/LVC_real_initial.xml")
    assert notice.far_hz == 3.218261352069347e-10
    assert notice.classification["NSBH"] == 0.8642645059209272
    assert notice.p_astro == pytest.approx(1 - 0.09901845917358532)
    assert notice.properties["HasNS"] == 1.0
    assert notice.properties["significant"] is True
    assert notice.properties["instruments"] == ["H1", "L1"]
    assert notice.properties["pipeline"] == "pycbc"
    assert notice.skymap_url.startswith("https://gracedb.ligo.org/api/superevents/S230518h/files/Bilb")
    assert notice.sequence == 2
    assert notice.position is None
    old = read("lvc/S190814bv-5-Update.xml")
    assert old.classification == {"BNS": 0.0, "NSBH": 0.99789, "BBH": 0.0, "MassGap": 0.00211, "Terrestrial": 0.0}
    burst = read("lvc/LVC_real_burst.xml")
    assert burst.classification == {}
    assert burst.p_astro is None
    assert burst.properties["central_frequency_hz"] == pytest.approx(647.8765721887253)


def test_the_external_coincidence_is_kept(read):
    properties = read("lvc/MS181101ab-6-Update_external_coinc.xml").properties
    assert properties["external_gcn_notice_id"] == "524666471"
    assert properties["external_observatory"] == "Fermi"
    assert properties["external_time_difference_s"] == 2.02
    assert properties["external_time_sky_position_coincidence_far_hz"] == pytest.approx(6.410749524018777e-16)


def test_g298048_has_no_alias_that_its_message_does_not_state(read):
    assert read("lvc/G298048-1-Initial_GW170817.xml").aliases == ()


def test_a_counterpart_depends_on_its_burst_and_is_no_part_of_it(read):
    notice = read("groups/group_04_04_COUNTERPART.xml")
    assert notice.depends_on == ("Swift-1118357",)
    assert notice.event_key != read("swift/BAT_GRB_POS_1118357.xml").event_key


def test_snews_detectors(read):
    notice = read("snews/SNEWS_2018-09-18.xml")
    assert notice.position is None
    assert notice.properties["detectors"] == ["A", "B", "D", "E", "F"]
    assert notice.event_class is EventClass.SUPERNOVA_NEUTRINO


def test_real_bytes_agree_with_our_own_builder(read):
    """The builder that stands in for unrecorded types writes what the codec reads like a real packet."""
    real = read("integral/WAKEUP_010042.xml")
    ours = decode(
        voevent(
            ivorn=real.ivorn,
            params={"Packet_Type": 53, "TrigID": 10042, "Coords_String": "source_object"},
            time="2022-09-26T10:38:19.75",
            date="2022-09-26T10:38:34",
            position=(273.9650, -37.2473, 0.0489),
        )
    ).notice
    for name in ("identity", "stream", "event_key", "stage", "t0", "issued_at", "position", "event_class", "is_live", "sequence"):
        assert getattr(ours, name) == getattr(real, name), name
    assert real.stage is Stage.INITIAL
