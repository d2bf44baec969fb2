"""What all tests share: where the recorded messages are, and what a missing component means."""

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support import egress
from tests.support import kafka as kafka_brokers
from tests.support import portal as observatory
from tests.support import postgres as postgres_servers

if TYPE_CHECKING:
    from tests.support.demo import Played

# The same examples on every machine, and no wall clock: a slow machine is no defect of the code.
settings.register_profile("mmhub", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("mmhub")

REPOSITORY = Path(__file__).parent.parent


def pytest_report_header() -> str:
    """Say which Kafka broker a result was obtained on."""
    return f"kafka: {kafka_brokers.described()}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out what only Apache Kafka can pass where the broker is another one."""
    if item.get_closest_marker("apache_kafka") and not kafka_brokers.is_apache():
        missing(f"needs Apache Kafka, and the broker here is {kafka_brokers.described()}")


@pytest.fixture(scope="session", autouse=True)
def loopback_only() -> Iterator[None]:
    """No test connects to anything but this machine."""
    with egress.refused():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a test in which somebody tried to leave this machine, also where the refusal was taken for a fault."""
    return (yield from egress.demanded_none(item))


def missing(what: str) -> None:
    """Skip, or fail where every component is demanded (MMHUB_TEST_REQUIRE=all)."""
    if os.environ.get("MMHUB_TEST_REQUIRE") == "all":
        pytest.fail(f"required but missing: {what}")
    pytest.skip(what)


def recorded_folder() -> Path | None:
    """Return the folder of recorded messages, None where there is none."""
    named = os.environ.get("MMHUB_RECORDED")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    return folder if (folder / "manifest.json").is_file() else None


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The folder of recorded third-party messages, which are never part of the repository."""
    folder = recorded_folder()
    if folder is None:
        missing("no recorded messages: set MMHUB_RECORDED to their folder")
        raise AssertionError
    return folder


@pytest.fixture(scope="session")
def demo_night(tmp_path_factory: pytest.TempPathFactory) -> "Played":
    """A small demo, played once for all tests that look at what it leaves; none of them may write into its data folder."""
    from tests.support.demo import play

    return play(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def kafka() -> Iterator[kafka_brokers.Kafka]:
    """The Kafka broker of this run, shared by all tests of a process: take topics of your own from `unique_topic`."""
    yield from _broker()


@pytest.fixture
def own_kafka() -> Iterator[kafka_brokers.Kafka]:
    """A broker that a test may kill and start again; mark the test `apache_kafka`."""
    yield from _broker()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server's first database, shared by all tests of a process: make databases of your own with
    `tests.support.postgres.new_database`, and mark the test `postgres`.
    """
    with ExitStack() as stack:
        try:
            url = stack.enter_context(postgres_servers.server())
        except postgres_servers.ServerMissing as error:
            missing(str(error))
            raise AssertionError from error
        yield url


@pytest.fixture(scope="session")
def portal() -> Iterator[observatory.Portal]:
    """LCO's observation portal, shared by all tests of a process: each asks with names of its own; mark the test `portal`."""
    yield from _portal()


@pytest.fixture
def strict_portal() -> Iterator[observatory.Portal]:
    """One of a test's own that takes a single request a day."""
    yield from _portal(REQUESTGROUPS_CREATE_DEFAULT_THROTTLE="1/day")


def _portal(**settings: str) -> Iterator[observatory.Portal]:
    with ExitStack() as stack:
        try:
            running = stack.enter_context(observatory.portal(**settings))
        except observatory.PortalMissing as error:
            missing(str(error))
            raise AssertionError from error
        yield running


def _broker() -> Iterator[kafka_brokers.Kafka]:
    with ExitStack() as stack:
        try:
            broker = stack.enter_context(kafka_brokers.broker())
        except kafka_brokers.KafkaMissing as error:
            missing(str(error))
            raise AssertionError from error
        yield broker
