"""What the hub says of requests to telescopes: valid by its schema and by that of VOEvent, the same each time, read by another hub."""

import json

import jsonschema
import pytest
import voeventparse

from adapters.codecs.decoder import WireDecoder
from adapters.codecs.hub_json import HubJsonRenderer
from adapters.codecs.hub_text import HubTextRenderer
from adapters.codecs.voevent.renderer import VoeventRenderer
from hub import resources
from hub.model.envelope import Envelope
from hub.model.notice import Citation, CiteKind
from hub.ports import DecodedContext, PlanRenderer
from tests.support.announcements import AUTHOR, T0, plan

SCHEMA = json.loads(resources.read_text("schemas/hub/1/plan.schema.json"))
FORMER = f"{AUTHOR}/plan#00112233445566778899aabbccddeeff.4"
RETRACTS = (Citation(ivorn=FORMER, kind=CiteKind.RETRACTION), Citation(ivorn=f"{AUTHOR}/notice#00ff", kind=CiteKind.FOLLOWUP))
ALL = [HubJsonRenderer, HubTextRenderer, VoeventRenderer]


def cancelled():
    return plan(word="cancelled", cites=RETRACTS, reason="the event is retracted\x00", ivorn=FORMER.replace(".4", ".9"))


@pytest.mark.parametrize("make", [plan, cancelled])
def test_the_json_is_valid_by_its_schema(make):
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(HubJsonRenderer().render_plan(make())))


def test_a_cancellation_retracts_the_plan():
    said = json.loads(HubJsonRenderer().render_plan(cancelled()))
    assert (said["word"], said["retracts"], said["supersedes"]) == ("cancelled", FORMER, None)
    packet = voeventparse.loads(VoeventRenderer().render_plan(cancelled()))
    assert next((one.text, one.attrib["cite"]) for one in packet.Citations.EventIVORN) == (FORMER, "retraction")
    with pytest.raises(ValueError, match="must cite"):
        VoeventRenderer().render_plan(plan(word="cancelled"))


def test_the_packet_is_valid_and_holds_the_pointings_and_the_event():
    packet = voeventparse.loads(VoeventRenderer().render_plan(plan()))
    assert voeventparse.valid_as_v2_0(packet)
    rows = [[cell.text for cell in row.TD] for row in packet.What.Table.Data.TR]
    assert [(row[0], row[2], row[3], row[4]) for row in rows] == [
        ("planned", "197.45", "-23.38", "gp"),
        ("planned", "197.45", "-23.38", "ip"),
    ]
    assert packet.attrib["role"] == "observation"
    assert packet.Citations.EventIVORN.text == f"{AUTHOR}/notice#00ff"


@pytest.mark.parametrize("renderer", ALL)
def test_the_same_request_gives_the_same_bytes(renderer):
    assert isinstance(renderer(), PlanRenderer)
    assert renderer().render_plan(plan()) == renderer().render_plan(plan())


def test_people_read_what_became_of_it():
    said = HubTextRenderer().render_plan(cancelled()).decode()
    assert said.splitlines()[0] == "Request cancelled: LSST:170000000000000001 of S270301a at lco 1M0-SCICAM-SINISTRO"
    assert "planned RA 197.45000, Dec -23.38000 in gp at" in said


def test_another_hub_takes_the_json_for_context_and_no_event():
    found = WireDecoder().decode(Envelope(payload=HubJsonRenderer().render_plan(plan()), source="test", received_at=T0))
    assert isinstance(found, DecodedContext)
    assert found.summary["ivorn"] == FORMER
