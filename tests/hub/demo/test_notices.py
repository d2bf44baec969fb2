import base64
import io
import json

import pytest
import voeventparse
from astropy.io import fits
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

EXPECTED = {
    "gcn.classic.voevent.FERMI_GBM_ALERT": 2,
    "gcn.classic.voevent.FERMI_GBM_FLT_POS": 2,
    "gcn.classic.voevent.FERMI_GBM_GND_POS": 2,
    "gcn.classic.voevent.FERMI_GBM_FIN_POS": 2,
    "gcn.notices.fermi.gbm": 8,
    "gcn.classic.voevent.ICECUBE_ASTROTRACK_GOLD": 2,
    "gcn.notices.icecube.gold_bronze_track_alerts": 2,
    "igwn.gwalert": 3,
}


def of_topic(notices, topic):
    return [envelope.payload for envelope in notices if envelope.topic == topic]


def test_all_notices_are_there(notices, night):
    assert {topic: len(of_topic(notices, topic)) for topic in EXPECTED} == EXPECTED
    assert len(notices) == night.truth.n_notices == sum(EXPECTED.values())


@pytest.mark.filterwarnings("default")
def test_voevents_are_valid_and_say_where_and_when(notices):
    for topic in (name for name in EXPECTED if "classic" in name):
        for payload in of_topic(notices, topic):
            document = voeventparse.loads(payload)
            voeventparse.assert_valid_as_v2_0(document)
            assert document.attrib["ivorn"].endswith("-demo")
            position = voeventparse.get_event_position(document)
            assert (position.ra, position.dec, position.err) == (0, 0, 0) or position.err > 0
            assert (position.err == 0) == topic.endswith("ALERT")


def test_the_burst_of_the_merger_has_its_published_numbers(notices):
    ground = voeventparse.loads(of_topic(notices, "gcn.classic.voevent.FERMI_GBM_GND_POS")[0])
    position = voeventparse.get_event_position(ground)
    assert (position.ra, position.dec, position.err) == (186.62, -48.84, 17.45)
    assert voeventparse.get_event_time_as_utc(ground).isoformat().startswith("2017-08-17T12:41:06.47")
    assert voeventparse.get_toplevel_params(ground)["TrigID"]["value"] == "524666471"


def test_classic_and_unified_notices_speak_of_the_same_triggers(notices):
    classic = {
        voeventparse.get_toplevel_params(voeventparse.loads(payload))["TrigID"]["value"]
        for payload in of_topic(notices, "gcn.classic.voevent.FERMI_GBM_FLT_POS")
    }
    unified = {json.loads(payload)["id"][0] for payload in of_topic(notices, "gcn.notices.fermi.gbm")}
    assert classic == unified == {"524666471", "524713958"}


def test_the_false_burst_is_retracted_after_everything_else(envelopes):
    last = envelopes[-1]
    assert json.loads(last.payload)["alert_type"] == "retraction"
    before = voeventparse.loads(envelopes[-2].payload)
    flags = voeventparse.get_grouped_params(before)["Trigger_ID"]
    assert flags["Def_NOT_a_GRB"]["value"] == "true"


def test_unified_notices_follow_the_schemas(notices, recorded):
    folder = recorded / "schemas" / "gcn"
    resources = [json.loads(path.read_text()) for path in folder.rglob("*.schema.json")]
    registry = Registry().with_resources(
        [(schema["$id"], Resource.from_contents(schema)) for schema in resources if "$id" in schema]
    )
    for topic in ("gcn.notices.fermi.gbm", "gcn.notices.icecube.gold_bronze_track_alerts"):
        for payload in of_topic(notices, topic):
            notice = json.loads(payload)
            schema = registry.contents(notice["$schema"])
            Draft202012Validator(schema, registry=registry).validate(notice)


def test_gravitational_wave_alerts_follow_the_schema_and_embed_a_map(notices, recorded):
    schema = json.loads((recorded / "schemas" / "igwn" / "igwn.alerts.Alert.schema.json").read_text())
    alerts = [json.loads(payload) for payload in of_topic(notices, "igwn.gwalert")]
    assert [alert["alert_type"] for alert in alerts] == ["PRELIMINARY", "INITIAL", "UPDATE"]
    for alert in alerts:
        Draft202012Validator(schema).validate(alert)
        with fits.open(io.BytesIO(base64.b64decode(alert["event"]["skymap"]))) as hdus:
            assert hdus[1].columns.names == ["UNIQ", "PROBDENSITY", "DISTMU", "DISTSIGMA", "DISTNORM"]
            assert hdus[1].header["DISTMEAN"] == pytest.approx(40, abs=1)
            assert len(hdus[1].data) == 19_200
