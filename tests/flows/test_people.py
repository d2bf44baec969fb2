"""What the hub announces reaches a web server and a mailbox on loopback, by the outbox, once each in spite of faults."""

import json

import pytest

from hub import bootstrap
from hub.config import load
from hub.model.instant import Instant
from hub.model.outgoing import Outgoing
from hub.services.dispatch import Dispatch
from hub.storage import outbox
from tests.conftest import missing
from tests.support import announcements
from tests.support.smtp import smtp
from tests.support.web import web

START = Instant.from_utc_iso("2027-03-01T04:13:00Z")


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def apprise():
    try:
        import apprise  # noqa: F401
    except ModuleNotFoundError as error:
        missing(f"the package apprise: {error}")


def test_an_announcement_reaches_a_web_server_and_a_mailbox_once_each(tmp_path):
    with web(tmp_path) as server, smtp() as mail:
        answers = [(503, {}, b""), (200, {}, b"")]
        server.pages["/in"] = lambda _: answers.pop(0)
        (tmp_path / "people").write_text(f"mailto://127.0.0.1:{mail.port}/?from=hub@example.org&to=person@example.org")
        (tmp_path / "hook").write_text("a secret of twenty-nine bytes")
        (tmp_path / "hub.toml").write_text(
            f'[hub]\ndata_dir = "{tmp_path}"\nauthority = "example.org/mmhub"\n'
            f'[destinations.hook]\nkind = "webhook"\nformat = "hub-json"\nurl = "http://127.0.0.1:{server.port}/in"\n'
            'hosts = ["127.0.0.1"]\nsecret_file = "hook"\nallow_loopback = true\n'
            '[destinations.people]\nkind = "chat"\nformat = "text"\nurl_secret_file = "people"\n'
        )
        settings = load([tmp_path / "hub.toml"]).settings
        bootstrap.check_parts(settings)
        clock = Clock()
        said = announcements.announcement()
        with bootstrap.create_database(settings) as store:
            with store.transaction() as session:
                for route in bootstrap.routes_of(settings):
                    if route.destination != "voevents":
                        assert outbox.put(session, _message(said, route))
            with (
                bootstrap.open_sink(settings, store, "hook", clock=clock) as hook,
                bootstrap.open_sink(settings, store, "people", clock=clock) as people,
            ):
                dispatch = Dispatch(store=store, sinks={"hook": hook, "people": people}, clock=clock)
                first = dispatch.step_all()
                assert (first.sent, first.delayed) == (1, 1)
                clock.now = clock.now.plus_s(2.0)
                assert dispatch.drain().sent == 1
                assert dispatch.drain().sent == 0
                dispatch.release_all()
        (found,) = mail.messages
        assert found["Subject"].startswith("Multimessenger hub: gw-grb ")
        assert "rate of unrelated real events: 2.5e-12 Hz" in found.get_body(("plain", "html")).get_content()
        assert [json.loads(one.sent_body)["ivorn"] for one in server.asked] == [said.ivorn] * 2
        assert server.asked[0].headers["webhook-id"] == server.asked[1].headers["webhook-id"]


def _message(said, route):
    return Outgoing(
        ivorn=said.ivorn,
        media_type=route.renderer.media_type,
        payload=route.renderer.render(said),
        destination=route.destination,
        subject=said.subject,
        key=said.key,
        role=said.role,
        cites=said.cites,
        created_at=START,
    )
