"""Hubs that listen to each other over VTP: everything gets through once, nothing goes round."""

from contextlib import ExitStack

from tests.support.voevents import voevent
from tests.support.vtp_hubs import running_hub
from tests.support.vtp_peers import RawPeer, wait_until
from tests.support.vtp_proxy import proxy

QUICK = {"first_pause_s": 0.05, "longest_pause_s": 0.2}
OPEN = {"kind": "vtp", "port": 0, "allow": ["127.0.0.1"], "relay": True, "relay_roles": ["observation", "test"]}
AUTHORS = {"kind": "vtp-receiver", "port": 0, "allow": ["127.0.0.1"], "trust": "trusted"}


def event(number, **more):
    return voevent(**{"ivorn": f"ivo://author.example/stream#{number}", "position": (10.0, 20.0, 0.5)} | more)


def send(hub, *payloads):
    """Send events to a hub's port for authors, and return the roles of the answers."""
    port = wait_until(lambda: hub.sources["authors"].health().facts.get("port"), "a port for authors")
    with RawPeer.connect(port) as author:
        for payload in payloads:
            author.send(payload)
        return [author.read().role for _ in payloads]


def test_two_hubs_subscribed_to_each_other_never_amplify(tmp_path):
    with ExitStack() as stack:
        lines = {name: stack.enter_context(proxy()) for name in ("north", "south")}
        hubs = {}
        for name, other in (("north", "south"), ("south", "north")):
            neighbour = {"kind": "vtp-subscriber", "port": lines[other].port, "trust": "trusted", **QUICK}
            hubs[name] = stack.enter_context(
                running_hub(
                    tmp_path / name,
                    authority=f"{name}.example",
                    sources={"neighbour": neighbour, "authors": AUTHORS},
                    destinations={"out": OPEN},
                )
            )
        for name, hub in hubs.items():
            lines[name].target = wait_until(lambda hub=hub: hub.port("out"), "a port")
        wait_until(lambda: all(hub.n_peers("out") == 1 for hub in hubs.values()), "subscribed to each other")

        north = [event(number) for number in range(6)]
        south = [event(number) for number in range(3, 9)]
        assert set(send(hubs["north"], *north)) == {"ack"}
        assert set(send(hubs["south"], *south)) == {"ack"}
        expected = {f"ivo://author.example/stream#{number}" for number in range(9)}
        for hub in hubs.values():
            wait_until(lambda hub=hub: {one.outgoing.ivorn for one in hub.outbox()} >= expected, "all events in both hubs")

        n_all = len(expected) + 1
        # A last event after all others: VTP keeps the order, so when it has come back nothing else is still on its way.
        assert send(hubs["north"], event("last")) == ["ack"]
        for hub in hubs.values():
            wait_until(
                lambda hub=hub: all(one.sent_at is not None for one in hub.outbox()) and len(hub.outbox()) >= n_all, "all sent"
            )
        wait_until(lambda: hubs["north"].counts()["neighbour"].received >= n_all, "back at its origin")
        for hub in hubs.values():
            sent = [one.outgoing.ivorn for one in hub.outbox()]
            assert sorted(sent) == sorted(set(sent))
            assert set(sent) == expected | {"ivo://author.example/stream#last"}
            # Each hub hears each event from its neighbour once, however it got there.
            assert hub.counts()["neighbour"].received == n_all
            assert hub.law_holds()


def test_the_own_announcement_of_a_hub_that_comes_back_is_acknowledged_and_goes_no_further(tmp_path):
    with proxy() as line:
        sources = {
            "echo": {"kind": "vtp-subscriber", "port": line.port, "echo_of": "out", **QUICK},
            "authors": AUTHORS,
        }
        with running_hub(tmp_path, authority="hub.example", sources=sources, destinations={"out": OPEN}) as hub:
            line.target = wait_until(lambda: hub.port("out"), "a port")
            wait_until(lambda: hub.n_peers("out") == 1, "subscribed to itself")
            assert send(hub, *[event(number) for number in range(5)]) == ["ack"] * 5
            wait_until(lambda: hub.counts().get("echo") and hub.counts()["echo"].duplicates == 5, "all back")
            assert len(hub.outbox()) == 5
            # The acknowledgement leaves after what it acknowledges is in the books.
            wait_until(lambda: hub.destinations["out"].health().facts["peers"][0]["acked"] == 5, "all acknowledged")
            assert hub.law_holds()


def test_each_answer_to_an_author_comes_from_the_hub_itself(tmp_path):
    with running_hub(tmp_path, authority="hub.example", sources={"authors": AUTHORS}, destinations={}) as hub:
        junk = b"<VOEvent ivorn='ivo://author.example/stream#junk' & >"
        bomb = b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + event("bomb")
        unknown = event("v3").replace(b'version="2.0"', b'version="3.0"')
        assert send(hub, event(1), event(1), junk, bomb, unknown, event(2)) == ["ack", "ack", "nak", "nak", "nak", "ack"]
        counts = hub.counts()["authors"]
        assert (counts.received, counts.stored, counts.duplicates, counts.dead_letters) == (6, 2, 1, 3)


def test_what_a_hub_missed_while_it_was_stopped_is_a_gap(tmp_path):
    with running_hub(tmp_path / "up", authority="up.example", sources={"authors": AUTHORS}, destinations={"out": OPEN}) as up:
        port = wait_until(lambda: up.port("out"), "a port")
        upstream = {"upstream": {"kind": "vtp-subscriber", "port": port, **QUICK}}
        for start in range(2):
            with running_hub(tmp_path / "down", authority="down.example", sources=upstream, destinations={}) as down:
                wait_until(lambda: up.n_peers("out") == 1, "subscribed")
                wait_until(lambda down=down: down.sources["upstream"].health().state == "listening", "listening")
                gaps = down.incidents()
                assert [one.incident.kind for one in gaps] == ["gap"] * start
            wait_until(lambda: up.n_peers("out") == 0, "gone")
            assert send(up, event(f"missed-{start}")) == ["ack"]
