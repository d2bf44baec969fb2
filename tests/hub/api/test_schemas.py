"""The hub as the registry of its own schemas."""

import io
import json

import fastavro
import pytest

from adapters.codecs import hub_avro
from adapters.codecs.hub_avro import HubAvroRenderer
from tests.support.announcements import announcement
from tests.support.api_night import api


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with api(tmp_path_factory.mktemp("night")) as (client, _):
        yield client


def test_a_receiver_reads_a_message_with_nothing_but_its_bytes_and_the_hubs_address(client):
    payload = HubAvroRenderer().render(announcement())
    answer = client.get(
        f"/api/v1/schemas/ids/{int.from_bytes(payload[1:5], 'big')}?fetchMaxId=false&subject=mmhub.coincidences-value"
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.schemaregistry.v1+json"
    schema = fastavro.parse_schema(json.loads(answer.json()["schema"]))
    said = fastavro.schemaless_reader(io.BytesIO(payload[5:]), schema, None)
    assert said["ivorn"] == hub_avro.read(payload)["ivorn"]


def test_another_id_is_no_schema_of_ours(client):
    answer = client.get("/api/v1/schemas/ids/1000")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "schema id 1000 is none of this hub's"
    assert client.get("/api/v1/schemas/ids/9999999999").status_code == 422
