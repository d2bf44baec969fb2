"""Announcements in GCN's unified vocabulary: valid by our schema and by GCN's core ones, read back by our own codec."""

import json
from pathlib import Path

import jsonschema
import pytest

from adapters.codecs import gcn_unified
from adapters.codecs.gcn_unified.writer import GcnUnifiedRenderer
from hub import resources
from hub.model.instant import Instant
from hub.model.notice import Role, Stage
from tests.support.announcements import AUTHOR, FORMER, GRB, GW, T0, announcement, candidate, coincidence, retraction

SCHEMA = json.loads(resources.read_text("schemas/hub/1/gcn_notice.schema.json"))
CORE = ("Alert", "Event", "Reporter", "DateTime", "Localization", "Statistics", "FollowUp", "AdditionalInfo")
EXAMPLES = [announcement(), candidate(), retraction(), announcement(coincidence(is_live=False, t0=None, scores=()), ra_deg=None)]


def said(one):
    return json.loads(GcnUnifiedRenderer().render(one))


@pytest.mark.parametrize("one", EXAMPLES)
def test_it_is_valid_by_our_schema(one):
    jsonschema.Draft202012Validator(SCHEMA).validate(said(one))
    assert GcnUnifiedRenderer().render(one) == GcnUnifiedRenderer().render(one)


@pytest.mark.recorded
@pytest.mark.parametrize("one", EXAMPLES)
def test_it_is_valid_by_the_core_schemas_of_gcn(one, recorded: Path):
    described = set()
    for name in CORE:
        schema = json.loads((recorded / "schemas" / "gcn" / "gcn" / "notices" / "core" / f"{name}.schema.json").read_text())
        jsonschema.Draft202012Validator(schema).validate(said(one))
        described |= schema["properties"].keys()
    assert said(one).keys() - described - {"random_association_far"} == {"$schema", "ivorn"}  # which goes with far


def test_type_and_tense_tell_first_later_withdrawn_and_test():
    first = announcement(cites=())
    kinds = [said(one)["alert_type"] for one in (first, announcement(), retraction())]
    assert kinds == ["initial", "update", "retraction"]
    became_test = retraction(coincidence=coincidence(is_live=False))
    tenses = [said(one)["alert_tense"] for one in (first, became_test, announcement(coincidence(is_live=False)))]
    assert tenses == ["current", "current", "test"]


def test_what_was_written_is_read_back_by_the_codec_of_unified_notices():
    notice = gcn_unified.decode(said(announcement()), topic=None).notice
    assert (notice.mission, notice.instrument, notice.role, notice.stage) == (
        AUTHOR.removeprefix("ivo://"),
        "gw-grb",
        Role.OBSERVATION,
        Stage.UPDATE,
    )
    assert (notice.t0, notice.issued_at) == (T0, Instant.from_utc_iso("2027-03-01T04:12:30.5"))
    assert (notice.position.ra_deg, notice.position.dec_deg, notice.position.radius_deg) == (134.5, -21.25, 3.5)
    assert (notice.position.containment, notice.far_hz, notice.sequence) == (0.9, 1.25e-14, 2)
    assert set(notice.aliases) >= {GW["id"], GRB["id"]}
    assert notice.depends_on == (GW["id"],)


def test_the_messages_spoken_of_stand_in_the_reference():
    assert said(announcement())["reference"] == {FORMER: "supersedes", GRB["ivorn"]: "followup"}
