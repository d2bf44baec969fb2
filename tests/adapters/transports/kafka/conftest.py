import pytest
from confluent_kafka.admin import AdminClient


@pytest.fixture(scope="session")
def bootstrap(kafka) -> str:
    """Address of the broker."""
    return kafka.bootstrap


@pytest.fixture(scope="session")
def admin(bootstrap):
    return AdminClient({"bootstrap.servers": bootstrap})


@pytest.fixture
def unique(kafka) -> str:
    """Part of a name that no other test uses."""
    return kafka.unique_topic("t")


@pytest.fixture
def make_topic(kafka, unique):
    """Makes a topic whose name no other test has."""

    def make(name: str, partitions: int = 1, **config) -> str:
        return kafka.create_topic(f"{name}.{unique}" if unique not in name else name, partitions, config)

    return make
