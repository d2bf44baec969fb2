"""One small night for all tests of this folder; its schema and its decoded packets."""

import io
import json
from typing import Any

import fastavro
import pytest

from hub import resources
from hub.demo.night import Night, build_night
from hub.model.envelope import Envelope

ALERTS = 1500


@pytest.fixture(scope="session")
def night() -> Night:
    return build_night(7, ALERTS)


@pytest.fixture(scope="session")
def envelopes(night: Night) -> list[Envelope]:
    return list(night.envelopes())


@pytest.fixture(scope="session")
def notices(envelopes: list[Envelope]) -> list[Envelope]:
    return [envelope for envelope in envelopes if not envelope.topic.startswith("lsst")]


@pytest.fixture(scope="session")
def packets(envelopes: list[Envelope]) -> list[Envelope]:
    return [envelope for envelope in envelopes if envelope.topic.startswith("lsst")]


@pytest.fixture(scope="session")
def records(packets: list[Envelope]) -> list[dict[str, Any]]:
    """Every packet decoded with the full schema; each must be read to its last byte."""
    schema = fastavro.parse_schema(json.loads(resources.read_text("schemas/lsst/10.0.avsc")))
    decoded = []
    for envelope in packets:
        body = io.BytesIO(envelope.payload[5:])
        decoded.append(fastavro.schemaless_reader(body, schema, None))
        assert body.tell() == len(envelope.payload) - 5
    return decoded
