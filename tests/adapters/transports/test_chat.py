"""Messages to people, by apprise: e-mail to a mail server on loopback, a chat to a web server on loopback."""

import json
from dataclasses import replace

import pytest

from adapters.codecs.hub_text import HubTextRenderer
from adapters.transports.chat import TEXT, Options, check, open_sink
from hub.errors import ConfigError, Permanent, Transient
from hub.model.coincidence import PairState
from hub.model.instant import Instant
from hub.ports import PartContext
from tests.conftest import missing
from tests.contracts.sink import message
from tests.support import announcements
from tests.support.smtp import smtp
from tests.support.web import web

NOW = Instant.from_utc_iso("2026-11-23T18:00:00Z")


@pytest.fixture(scope="module", autouse=True)
def apprise():
    try:
        import apprise  # noqa: F401
    except ModuleNotFoundError as error:
        missing(f"the package apprise: {error}")


@pytest.fixture
def mail():
    with smtp() as box:
        yield box


def context(folder):
    return PartContext(name="people", authority="example.org/x", data_dir=folder, clock=lambda: NOW, report=print)


def opened(url, folder, **changes):
    return open_sink(Options.model_validate({"url_secret": url} | changes), context(folder))


def mail_url(box, **more):
    query = "&".join(f"{key}={value}" for key, value in {"from": "hub@example.org", "to": "person@example.org", **more}.items())
    return f"mailto://127.0.0.1:{box.port}/?{query}"


def text(number=1, payload=b"First line\n\nSecond line: <b>bold</b> *stars*"):
    return message(number, payload=payload, media_type=TEXT)


def test_a_message_arrives_as_mail_with_its_first_line_in_the_title(mail, tmp_path):
    with opened(mail_url(mail), tmp_path) as sink:
        sink.deliver(text())
        assert sink.health().state == "sending"
    (found,) = mail.messages
    assert mail.recipients == ["person@example.org"]
    assert found["Subject"] == "Multimessenger hub: First line"
    assert "Second line: <b>bold</b> *stars*" in found.get_body(("plain", "html")).get_content().replace("&lt;", "<").replace(
        "&gt;", ">"
    ).replace("&nbsp;", " ")


def test_what_the_hub_says_of_a_pair_arrives_with_both_numbers(mail, tmp_path):
    payload = HubTextRenderer().render(announcements.announcement())
    with opened(mail_url(mail, format="text"), tmp_path, title="Night shift") as sink:
        sink.deliver(text(payload=payload))
    (found,) = mail.messages
    body = found.get_body(("plain", "html")).get_content()
    assert found["Subject"].startswith("Night shift: gw-grb ")
    assert "false-alarm rate of noise: 1.25e-14 Hz" in body
    assert "rate of unrelated real events: 2.5e-12 Hz" in body


def test_a_retraction_and_a_test_say_so_in_their_first_line():
    former = announcements.announcement()
    retraction = replace(former, is_retraction=True, coincidence=replace(former.coincidence, state=PairState.WITHDRAWN))
    rehearsal = replace(former, coincidence=replace(former.coincidence, is_live=False))
    render = HubTextRenderer().render
    assert render(retraction).decode().startswith("Retracted: gw-grb ")
    assert render(rehearsal).decode().startswith("TEST: gw-grb ")
    assert render(former) == render(former)


def test_a_chat_that_is_a_web_server_gets_it_too(tmp_path):
    with web(tmp_path) as server:
        server.pages["/hook"] = (200, {}, b"")
        with opened(f"json://127.0.0.1:{server.port}/hook", tmp_path, hosts=("127.0.0.1",)) as sink:
            sink.deliver(text())
        (request,) = server.asked
    said = json.loads(request.sent_body)
    assert said["title"] == "Multimessenger hub: First line"
    assert "Second line" in said["message"]


def test_a_server_that_does_not_take_it_now_is_tried_again(mail, tmp_path):
    mail.is_busy = True
    with opened(mail_url(mail), tmp_path) as sink:
        with pytest.raises(Transient, match="was not sent by mailto"):
            sink.deliver(text())
        assert sink.health().state == "failing"
        mail.is_busy = False
        sink.deliver(text())
    assert len(mail.messages) == 1


def test_nobody_there_is_tried_again_and_the_address_is_in_no_sentence(tmp_path):
    with opened("mailto://s3cret:s3cret@127.0.0.1:9/?from=a@example.org&to=b@example.org", tmp_path) as sink:
        with pytest.raises(Transient) as caught:
            sink.deliver(text())
        assert "s3cret" not in str(caught.value) + repr(sink.health())


def test_what_is_no_text_is_given_up_with_advice(mail, tmp_path):
    with opened(mail_url(mail), tmp_path) as sink, pytest.raises(Permanent, match='set format = "text" and relay = false'):
        sink.deliver(message(1))
    assert mail.messages == []


def test_check_says_whether_the_address_is_understood_and_sends_nothing(mail, tmp_path):
    assert check(Options.model_validate({"url_secret": mail_url(mail)}), context(tmp_path)) == []
    (said,) = check(Options.model_validate({"url_secret": "smokesignal://s3cret@hill"}), context(tmp_path))
    assert "does not understand this smokesignal:// address" in said
    assert "s3cret" not in said
    assert mail.messages == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "destinations.people: url_secret .in the environment. or url_secret_file is missing"),
        ({"url_secret": "s3cret"}, "or is no address"),
        ({"url_secret": "http://[s3cret"}, "or is no address"),
        ({"url_secret_file": "nowhere"}, "destinations.people.url_secret_file: the file"),
        (
            {"url_secret": "mailto://s3cret@mail.example.net", "hosts": ("mail.example.org",)},
            "mail.example.net is not among the hosts",
        ),
        ({"url_secret": "syslog://"}, "syslog:// reaches nobody but this machine"),
    ],
)
def test_a_destination_without_an_address_or_with_a_wrong_one_is_not_opened(tmp_path, changes, sentence):
    with pytest.raises(ConfigError, match=sentence) as caught, open_sink(Options.model_validate(changes), context(tmp_path)):
        pass
    assert "s3cret" not in str(caught.value)


def test_the_address_may_lie_in_a_file_and_is_in_no_text(mail, tmp_path):
    (tmp_path / "url").write_text(mail_url(mail) + "\n")
    options = Options.model_validate({"url_secret_file": "url"})
    with open_sink(options, context(tmp_path)) as sink:
        sink.deliver(text())
        assert "127.0.0.1" not in repr(options) + repr(sink)
    assert len(mail.messages) == 1
