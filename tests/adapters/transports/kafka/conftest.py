import os
import uuid

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tests.conftest import missing


@pytest.fixture(scope="session")
def bootstrap():
    """Address of a broker."""
    address = os.environ.get("MMHUB_TEST_KAFKA")
    if not address:
        missing("no Kafka broker: set MMHUB_TEST_KAFKA")
    return address


@pytest.fixture(scope="session")
def admin(bootstrap):
    return AdminClient({"bootstrap.servers": bootstrap})


@pytest.fixture
def unique() -> str:
    return uuid.uuid4().hex[:10]


@pytest.fixture
def make_topic(admin, unique):
    """Makes a topic whose name no other test has."""

    def make(name: str, partitions: int = 1, **config) -> str:
        topic = f"{name}.{unique}" if unique not in name else name
        admin.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result(30)
        return topic

    return make
