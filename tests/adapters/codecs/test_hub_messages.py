"""The hub's own JSON and Avro: valid by their schemas, deterministic, equal in content, read back by our own decoder."""

import contextlib
import json
import math

import fastavro
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.codecs import hub_avro, hub_json
from adapters.codecs.decoder import WireDecoder
from adapters.codecs.gcn_unified.writer import GcnUnifiedRenderer
from adapters.codecs.hub_avro import HubAvroRenderer
from adapters.codecs.hub_json import HubJsonRenderer
from hub import resources
from hub.errors import DecodeError
from hub.model.coincidence import Score
from hub.model.envelope import Envelope
from hub.ports import DecodedContext
from tests.support.announcements import FORMER, GW, T0, announcement, candidate, coincidence, examples, retraction

SCHEMA = json.loads(resources.read_text("schemas/hub/1/announcement.schema.json"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
MAKERS = [announcement, candidate, retraction]


def decoded(payload):
    return WireDecoder().decode(Envelope(payload=payload, source="test", received_at=T0))


@pytest.mark.parametrize("make", MAKERS)
def test_the_json_is_valid_and_the_avro_says_the_same(make):
    payload = HubJsonRenderer().render(make())
    said = hub_json.read(payload)
    VALIDATOR.validate(said)
    assert hub_avro.read(HubAvroRenderer().render(make())) == said


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("renderer", [HubJsonRenderer, HubAvroRenderer])
def test_the_same_announcement_gives_the_same_bytes(make, renderer):
    assert renderer().render(make()) == renderer().render(make())


def test_the_order_of_inputs_does_not_change_the_bytes():
    for renderer in (HubJsonRenderer(), HubAvroRenderer()):
        one, other = (
            coincidence(scores=(Score(statistic="s", version=1, value=1.0, unit="1", inputs=inputs),))
            for inputs in ({"a": 1, "b": 2}, {"b": 2, "a": 1})
        )
        assert renderer.render(announcement(one)) == renderer.render(announcement(other))


@pytest.mark.parametrize("renderer", [HubJsonRenderer, HubAvroRenderer, GcnUnifiedRenderer])
@pytest.mark.parametrize("make", MAKERS)
def test_a_hub_that_gets_it_knows_a_hubs_message_by_its_ivorn(make, renderer):
    context = decoded(renderer().render(make()))
    assert isinstance(context, DecodedContext)
    assert (context.kind, context.summary["ivorn"]) == ("hub-message", make().ivorn)


def test_subject_and_former_message_are_told():
    said = [hub_json.read(HubJsonRenderer().render(make())) for make in MAKERS]
    assert [one["subject"] for one in said] == ["coincidence", "candidate", "retraction"]
    assert [(one["supersedes"], one["retracts"]) for one in said] == [
        (FORMER, None),
        (None, None),
        (None, FORMER.replace(".v1", ".v2")),
    ]
    assert {one["event_id"] for one in said} == {GW["id"]}


def test_big_integers_are_text_and_missing_numbers_are_null():
    said = hub_json.read(HubJsonRenderer().render(announcement()))
    assert said["scores"][1]["inputs"]["n_trials"] == str(2**60 + 1)
    assert said["scores"][3]["value"] is None
    pair = coincidence(scores=(Score(statistic="s", version=1, value=math.nan, unit="1", inputs={"x": math.inf}),))
    odd = announcement(pair, radius_deg=math.nan)
    said = hub_json.read(HubJsonRenderer().render(odd))
    VALIDATOR.validate(said)
    assert (said["scores"][0]["value"], said["scores"][0]["inputs"], said["position"]["radius_deg"]) == (None, {"x": None}, None)
    assert hub_avro.read(HubAvroRenderer().render(odd)) == said


def test_a_retraction_of_a_pair_that_turned_out_to_be_a_test_is_no_test():
    """Receivers that leave tests out must hear that what they took for real is none."""
    withdrawn = retraction()
    became_test = retraction(coincidence=coincidence(is_live=False))
    for one in (withdrawn, became_test):
        assert hub_json.read(HubJsonRenderer().render(one))["role"] == "observation"
    assert hub_json.read(HubJsonRenderer().render(announcement(coincidence(is_live=False))))["role"] == "test"


def test_the_schema_id_on_the_wire_is_resolved_from_the_shipped_table():
    payload = HubAvroRenderer().render(announcement())
    assert (payload[0], payload[1:4]) == (0, b"mmh")
    table = json.loads(resources.read_text("schemas/hub/ids.json"))
    schema = json.loads(resources.read_text(table[str(int.from_bytes(payload[1:5], "big"))]))
    fastavro.parse_schema(schema)
    assert str(hub_avro.SCHEMA_ID) in table


def test_both_schemas_have_the_same_names():
    avro = json.loads(resources.read_text("schemas/hub/1/announcement.avsc"))

    def names(record):
        found = {}
        for one in record["fields"]:
            kinds = one["type"] if isinstance(one["type"], list) else [one["type"]]
            inner = [kind.get("items", kind) for kind in kinds if isinstance(kind, dict)]
            records = [kind for kind in inner if isinstance(kind, dict)]
            found[one["name"]] = names(records[0]) if records else None
        return found

    def properties(schema):
        schema = schema.get("oneOf", [None, schema])[1]
        schema = schema.get("items", schema)
        if "properties" not in schema:
            return None
        assert schema["required"] == list(schema["properties"])
        return {name: properties(inner) for name, inner in schema["properties"].items()}

    assert names(avro) == properties(SCHEMA)


@pytest.mark.parametrize("name", sorted(examples()))
def test_the_example_of_a_published_version_is_still_what_we_send(name):
    assert resources.read_bytes(f"schemas/hub/1/{name}") == examples()[name]


@given(st.binary(max_size=40), st.integers(0, 10_000))
def test_damaged_avro_is_refused_in_a_sentence_or_read(junk, place):
    payload = HubAvroRenderer().render(announcement())
    place = 5 + place % (len(payload) - 5)
    with contextlib.suppress(DecodeError):  # anything else would break intake
        decoded(payload[:place] + junk + payload[place + len(junk) :])


def test_other_versions_and_nameless_messages_are_refused_in_a_sentence():
    payload = HubAvroRenderer().render(announcement())
    with pytest.raises(DecodeError, match="version 2 of the hub's Avro"):
        decoded(payload[:4] + b"\x02" + payload[5:])
    with pytest.raises(DecodeError, match="bytes after its end"):
        decoded(payload + b"\x00")
    with pytest.raises(DecodeError, match="bears no ivorn"):
        decoded(b'{"schema":"mmhub.announcement/1","ivorn":7}')
    with pytest.raises(DecodeError, match="no message of a hub"):
        hub_json.read(b"{}")


def test_a_later_version_in_json_is_still_a_hubs_message():
    context = decoded(b'{"schema":"mmhub.announcement/9","ivorn":"ivo://elsewhere/coincidence#a.v1"}')
    assert context.summary == {"ivorn": "ivo://elsewhere/coincidence#a.v1"}


def test_texts_that_no_reader_could_take_are_mended():
    pair = coincidence(reasons=("a\x00b\ud800c",))
    for renderer, read in ((HubJsonRenderer(), hub_json.read), (HubAvroRenderer(), hub_avro.read)):
        assert read(renderer.render(announcement(pair)))["reasons"] == ["a\ufffdb\ufffdc"]
