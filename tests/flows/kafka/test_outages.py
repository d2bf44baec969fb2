"""The network and the broker go away under a running hub: it goes on by itself where it was."""

import os
import time
from collections.abc import Iterator

import pytest

from hub.storage.envelopes import law_holds
from tests.support import kafka_server
from tests.support.kafka import Kafka
from tests.support.running_hub import SOURCE, Books, RunningHub, until
from tests.support.tcp_proxy import TcpProxy, tcp_proxy

pytestmark = [pytest.mark.kafka, pytest.mark.apache_kafka]

OUTAGE_S = float(os.environ.get("MMHUB_TEST_OUTAGE_S", "2"))
"""How long a link or a broker is away, seconds."""


class Site:
    """A broker, a proxy in front of it, and a topic that a hub listens to through the proxy."""

    def __init__(self, kafka: Kafka, proxy: TcpProxy) -> None:
        self.kafka = kafka
        self.proxy = proxy
        self.topic = kafka.create_topic(kafka.unique_topic("outage"), 2)


@pytest.fixture(scope="module")
def broker() -> Iterator[tuple[Kafka, TcpProxy]]:
    with tcp_proxy(0) as proxy, kafka_server.server(advertised_port=proxy.port) as server:
        proxy.target_port = server.ports["behind"]
        yield Kafka(server.bootstrap, "apache", server), proxy


@pytest.fixture
def site(broker) -> Iterator[Site]:
    yield Site(*broker)
    broker[1].resume()


def test_a_cut_link_loses_nothing(site: Site, hub_config, letters, digest, tmp_path):
    def cut() -> None:
        site.proxy.cut()
        write_and_wait(site, letters(40, 20))
        site.proxy.resume()

    check_that_it_goes_on(site, hub_config, letters, digest, tmp_path, cut)


def test_a_link_that_swallows_everything_for_a_while_loses_nothing(site: Site, hub_config, letters, digest, tmp_path):
    def stall() -> None:
        site.proxy.stall()
        write_and_wait(site, letters(40, 20))
        site.proxy.resume()

    check_that_it_goes_on(site, hub_config, letters, digest, tmp_path, stall)


@pytest.mark.slow
def test_a_half_open_connection_is_given_up_and_made_anew(site: Site, hub_config, letters, digest, tmp_path):
    # Nobody mends it and nobody resets it: the client has to notice by itself that no answer comes.
    def deafen() -> None:
        site.proxy.deafen()
        write_and_wait(site, letters(40, 20))

    check_that_it_goes_on(site, hub_config, letters, digest, tmp_path, deafen)


def test_a_broker_that_is_away_for_a_while_loses_nothing(site: Site, hub_config, letters, digest, tmp_path):
    def kill() -> None:
        site.kafka.kill()
        time.sleep(OUTAGE_S)  # the outage itself, not a wait for something
        site.kafka.restart()
        write_and_wait(site, letters(40, 20))

    check_that_it_goes_on(site, hub_config, letters, digest, tmp_path, kill)


def write_and_wait(site: Site, payloads: list[bytes]) -> None:
    site.kafka.produce(site.topic, [(None, payload) for payload in payloads])
    time.sleep(OUTAGE_S)  # the outage itself, not a wait for something


def check_that_it_goes_on(site: Site, hub_config, letters, digest, tmp_path, outage) -> None:
    """Take 40 messages in, have an outage with 20 more in it, write 20 afterwards: all are stored by the same process."""
    books = Books(tmp_path / "data")
    site.kafka.produce(site.topic, [(None, payload) for payload in letters(0, 40)])
    with RunningHub(hub_config(f"127.0.0.1:{site.proxy.port}", site.topic), "hub") as hub:
        until(lambda: books.stored(SOURCE) == 40, lambda: f"it does not begin: {books.counts()}", [hub])
        n_connections = site.proxy.accepted
        outage()
        site.kafka.produce(site.topic, [(None, payload) for payload in letters(60, 20)])
        until(lambda: books.stored(SOURCE) == 80, lambda: f"it does not go on: {books.counts()}", [hub])
        until(lambda: sum(site.kafka.committed(site.topic, site.topic).values()) == 80, "the place is not kept", [hub])
        assert site.proxy.accepted > n_connections, "the outage went unnoticed"
        assert hub.stop() == 0
    assert books.has_all([digest(payload) for payload in letters(0, 80)])
    assert law_holds(books.counts())
