"""The hub's VTP against the real peers: Comet 3.1.0 as broker, subscriber and author, and pygcn's client."""

from contextlib import contextmanager

import pytest
from lxml import etree

from adapters.transports.vtp import broadcaster, messages, receiver, subscriber
from tests.support import comet
from tests.support.voevents import voevent
from tests.support.vtp_hubs import running_hub
from tests.support.vtp_peers import HUB_IVO, LOCAL_IVO, Store, context, now, outgoing, running, wait_until
from tests.support.vtp_proxy import proxy

pytestmark = pytest.mark.usefixtures("comet_parts")

QUICK = {"first_pause_s": 0.05, "longest_pause_s": 0.2}


def event(number, **more):
    return voevent(**{"ivorn": f"ivo://author.example/stream#{number}", "position": (10.0, 20.0, 0.5)} | more)


def subscribed(port, **options):
    with subscriber.open_source(subscriber.Options(port=port, local_ivo=HUB_IVO, **QUICK, **options), context("comet")) as source:
        return source


@contextmanager
def broadcasting(**options):
    chosen = broadcaster.Options(**{"port": 0, "allow": ("127.0.0.1",), "local_ivo": HUB_IVO} | options)
    with broadcaster.open_sink(chosen, context("out")) as sink:
        yield sink


def facts(part, name):
    return part.health().facts[name]


def test_comet_as_the_broker_that_the_hub_subscribes_to():
    store = Store()
    with comet.broker() as broker:
        source = subscribed(broker.subscriber_port)
        with running(source, store):
            wait_until(lambda: "Authentication received" in broker.log, "the answer to authenticate")
            for number in range(5):
                assert comet.sendvo(broker.author_port, event(number)).returncode == 0
            wait_until(lambda: len(store.payloads) == 5, "all stored")
            wait_until(lambda: broker.log.count("Ack received") == 5, "all acknowledged")
            assert facts(source, "connections") == 1
    assert store.payloads == [event(number) for number in range(5)]


def test_comet_hears_that_the_hub_lives():
    with comet.broker(iamalive_s=2.0) as broker, running(subscribed(broker.subscriber_port), Store()):
        wait_until(lambda: broker.log.count("IAmAlive received") >= 2, "two signs of life")


def test_comet_filters_what_the_hub_does_not_want():
    store = Store()
    with comet.broker() as broker:
        source = subscribed(broker.subscriber_port, xpath_filters=("/*[@role='test']",))
        with running(source, store):
            wait_until(lambda: "Installing filter" in broker.log, "the filter")
            for number, role in enumerate(["observation", "test"]):
                assert comet.sendvo(broker.author_port, event(number, role=role)).returncode == 0
            wait_until(lambda: store.payloads, "the one that passes")
    assert store.payloads == [event(1, role="test")]


def test_comet_drops_a_subscriber_that_it_does_not_hear_and_the_hub_comes_back():
    store = Store()
    with comet.broker(iamalive_s=0.5) as broker, proxy(broker.subscriber_port) as line:
        source = subscribed(line.port)
        with running(source, store):
            wait_until(lambda: "Authentication received" in broker.log, "the first connection")
            line.is_mute = True
            wait_until(lambda: "Peer appears to be dead" in broker.log, "dropped")
            line.is_mute = False
            wait_until(lambda: facts(source, "connections") >= 2 and source.health().state == "listening", "come back")
            # While the line was mute more than one connection may have failed: the next event may still meet a dying one.
            sent = [event(0)]
            assert comet.sendvo(broker.author_port, sent[0]).returncode == 0

            def heard():
                if not store.payloads:
                    sent.append(event(len(sent)))
                    assert comet.sendvo(broker.author_port, sent[-1]).returncode == 0
                return store.payloads

            assert set(wait_until(heard, "heard again")) <= set(sent)


def test_comet_away_and_back_is_found_again():
    store = Store()
    with proxy() as line:
        source = subscribed(line.port)
        with running(source, store):
            wait_until(lambda: source.health().alarms, "an alarm")
            for number in range(2):
                with comet.broker() as broker:
                    line.target = broker.subscriber_port
                    wait_until(lambda broker=broker: "Authentication received" in broker.log, "subscribed")
                    assert comet.sendvo(broker.author_port, event(number)).returncode == 0
                    wait_until(lambda number=number: len(store.payloads) == number + 1, "stored")
                    assert source.health().alarms == ()
    assert store.payloads == [event(0), event(1)]


def test_comet_as_a_subscriber_of_the_hub():
    with broadcasting(ack_wait_s=30) as sink, comet.broker(remotes=[facts(sink, "port")]) as broker:
        wait_until(lambda: facts(sink, "connections") == 1, "subscribed")
        for number in (0, 1, 2, 1):
            sink.deliver(outgoing(event(number)))
        assert (facts(sink, "acked"), facts(sink, "not_acked")) == (4, 0)
        # A file is there before it is whole.
        wait_until(lambda: sorted(broker.saved()) == sorted(event(number) for number in range(3)), "saved")
        assert facts(sink, "connections") == 1
        assert broker.log.count("Authenticate received") == 1


def test_comet_is_asked_whether_it_lives_and_says_so():
    with broadcasting(iamalive_s=2.0) as sink, comet.broker(remotes=[facts(sink, "port")]) as broker:
        wait_until(lambda: broker.log.count("IAmAlive received") >= 2, "two signs of life")


def test_comet_filters_in_xpath_are_refused_and_comet_stays():
    with (
        broadcasting(ack_wait_s=30) as sink,
        comet.broker(remotes=[facts(sink, "port")], filters=["//Param[@name='no such']"]) as broker,
    ):
        wait_until(lambda: "Authenticate received" in broker.log, "asked who is there")
        sink.deliver(outgoing(event(0)))
        wait_until(lambda: broker.saved() == [event(0)], "saved")


@pytest.mark.parametrize("version", ["1.1", "2.1"])
def test_comet_takes_other_versions_from_a_broker(version):
    with broadcasting(ack_wait_s=30) as sink, comet.broker(remotes=[facts(sink, "port")]) as broker:
        wait_until(lambda: facts(sink, "connections") == 1, "subscribed")
        sink.deliver(outgoing(event(0, version=version), subject="notice"))
        wait_until(lambda: broker.saved() == [event(0, version=version)], "saved")


def test_comet_hangs_up_on_an_event_longer_than_the_hub_sends_by_itself():
    def of_length(number, n_bytes):
        padding = n_bytes - len(event(number, inside="<!---->"))
        return event(number, inside=f"<!--{'x' * padding}-->")

    with (
        broadcasting(ack_wait_s=30, max_message_bytes=1 << 20) as sink,
        comet.broker(remotes=[facts(sink, "port")]) as broker,
    ):
        wait_until(lambda: facts(sink, "connections") == 1, "subscribed")
        longest = of_length(0, broadcaster.COMET_BYTES)
        sink.deliver(outgoing(longest))
        wait_until(lambda: broker.saved() == [longest], "saved")
        sink.deliver(outgoing(of_length(1, broadcaster.COMET_BYTES + 1)))
        wait_until(lambda: "Length limit exceeded" in broker.log, "hung up")
        assert (facts(sink, "acked"), facts(sink, "not_acked")) == (1, 1)


def test_comet_sendvo_as_an_author():
    store = Store()
    options = receiver.Options(port=0, allow=("127.0.0.1/32",), local_ivo=HUB_IVO)
    with receiver.open_source(options, context("authors")) as source, running(source, store):
        port = wait_until(lambda: facts(source, "port"), "a port")
        for version in ("2.0", "1.1", "2.1"):
            sent = comet.sendvo(port, event(version, version=version))
            assert sent.returncode == 0, sent.stdout
            assert "Acknowledgement received" in sent.stdout
        assert comet.sendvo(port, event("2.0")).returncode == 0  # may be sent again
        refused = comet.sendvo(port, event(9, inside="<!-- refuse-me -->"))
        assert refused.returncode == 1
        assert "Event rejected: the event asks to be refused" in refused.stdout
    assert store.payloads[:3] == [event(version, version=version) for version in ("2.0", "1.1", "2.1")]


def test_comet_sendvo_reads_why_an_event_is_too_long():
    options = receiver.Options(port=0, allow=("127.0.0.1/32",), local_ivo=HUB_IVO)
    with receiver.open_source(options, context("authors")) as source, running(source, Store()):
        port = wait_until(lambda: facts(source, "port"), "a port")
        sent = comet.sendvo(port, event(0, inside=f"<!--{'x' * 3_000_000}-->"))
    assert sent.returncode == 1
    assert "more than the 1048576 allowed" in sent.stdout


def test_comet_sendvo_reads_the_reason_for_a_duplicate():
    options = receiver.Options(port=0, allow=("127.0.0.1/32",), local_ivo=HUB_IVO, duplicates="nak")
    with receiver.open_source(options, context("authors")) as source, running(source, Store()):
        port = wait_until(lambda: facts(source, "port"), "a port")
        assert comet.sendvo(port, event(0)).returncode == 0
        second = comet.sendvo(port, event(0))
    assert second.returncode == 1
    assert "Previously seen by this broker" in second.stdout


def test_comet_refuses_an_author_who_sends_version_2_1():
    with comet.broker() as broker:
        sent = comet.sendvo(broker.author_port, event(0, version="2.1"))
    assert sent.returncode == 1
    assert "No matching global declaration" in sent.stdout


def test_pygcn_as_a_subscriber_of_the_hub():
    with broadcasting(ack_wait_s=30) as sink, comet.pygcn_listener(facts(sink, "port")) as client:
        wait_until(lambda: facts(sink, "connections") == 1, "subscribed")
        for number in range(3):
            sink.deliver(outgoing(event(number)))
        assert (facts(sink, "acked"), facts(sink, "not_acked")) == (3, 0)
        wait_until(lambda: len(client.saved()) == 3, "saved")
        assert client.saved() == [event(number) for number in range(3)]
        assert facts(sink, "connections") == 1


def test_pygcn_is_asked_whether_it_lives_and_says_so():
    with broadcasting(iamalive_s=2.0) as sink, comet.pygcn_listener(facts(sink, "port")) as client:
        wait_until(lambda: client.log.count("sent iamalive response") >= 2, "two signs of life")


def test_what_the_hub_says_fits_the_schema_of_transport(comet_parts):
    [schema] = comet_parts.glob("lib/python*/site-packages/comet/schema/transport-1.1.xsd")
    text = (
        schema.read_text()
        .replace('type="roleType"', 'type="trn:roleType"')
        .replace("<xs:schema ", f'<xs:schema xmlns:trn="{messages.NAMESPACE}" ')
    )
    valid = etree.XMLSchema(etree.fromstring(text.encode()))
    at = now()
    for document in (
        messages.iamalive(HUB_IVO, at),
        messages.iamalive(HUB_IVO, at, to=LOCAL_IVO),
        messages.authenticate(HUB_IVO, at),
        messages.authenticate(HUB_IVO, at, to=LOCAL_IVO, params=(("mmhub-filter", "role == test"),)),
        messages.ack(HUB_IVO, at, ivorn="ivo://a.b/c#d"),
        messages.nak(HUB_IVO, at, ivorn="ivo://a.b/c#d", reason="because"),
    ):
        valid.assertValid(etree.fromstring(document))


def test_comet_to_the_hub_to_comet(tmp_path):
    destinations = {
        "out": {"kind": "vtp", "port": 0, "allow": ["127.0.0.1"], "relay": True, "relay_roles": ["observation", "test"]}
    }
    with comet.broker() as upstream:
        sources = {"comet": {"kind": "vtp-subscriber", "port": upstream.subscriber_port, "trust": "trusted", **QUICK}}
        with running_hub(tmp_path, authority="hub.example", sources=sources, destinations=destinations) as hub:
            port = wait_until(lambda: hub.port("out"), "the hub's port")
            with comet.broker(remotes=[port]) as downstream:
                wait_until(lambda: hub.n_peers("out") == 1, "Comet subscribed")
                wait_until(lambda: "Authentication received" in upstream.log, "the hub subscribed")
                payloads = [event(number, role=role) for number, role in enumerate(["observation", "test", "observation"])]
                for payload in payloads:
                    assert comet.sendvo(upstream.author_port, payload).returncode == 0
                wait_until(lambda: sorted(downstream.saved()) == sorted(payloads), "through")
            assert hub.counts()["comet"].received == 3
            assert hub.law_holds()
