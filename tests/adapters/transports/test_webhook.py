"""Messages posted to somebody's web server on loopback, signed, until it takes them."""

import base64
import hashlib
import hmac

import pytest

from adapters.transports.webhook import Options, check, message_id, open_sink, signature
from hub.errors import ConfigError, Permanent, Transient
from hub.model.instant import Instant
from hub.ports import PartContext
from tests.contracts.sink import check_sink, message
from tests.support.web import web

SECRET = "a secret of twenty-nine bytes"
NOW = Instant.from_utc_iso("2026-11-23T18:00:00Z")


class Receiver:
    """A web server that keeps what is signed well, once for each id, as a receiver should."""

    def __init__(self):
        self.kept = {}
        self.tries = []
        self.answer = (200, {}, b"")

    def __call__(self, request):
        headers, body = request.headers, request.sent_body
        number, at = headers["webhook-id"], headers["webhook-timestamp"]
        self.tries.append(number)
        proof = hmac.new(SECRET.encode(), f"{number}.{at}.".encode() + body, hashlib.sha256).digest()
        if headers["webhook-signature"] != f"v1,{base64.b64encode(proof).decode()}":
            return 401, {}, b""
        if self.answer[0] < 300:
            self.kept.setdefault(number, (headers, body))
        return self.answer


@pytest.fixture
def receiver(tmp_path):
    with web(tmp_path) as server:
        found = Receiver()
        server.pages["/in/s3cret-path"] = found
        found.url = f"http://127.0.0.1:{server.port}/in/s3cret-path"
        yield found


def context(folder):
    return PartContext(name="hook", authority="example.org/x", data_dir=folder, clock=lambda: NOW, report=print)


def opened(receiver, folder, **changes):
    values = {"url": receiver.url, "hosts": ("127.0.0.1",), "secret": SECRET, "allow_loopback": True}
    return open_sink(Options.model_validate(values | changes), context(folder))


def test_it_keeps_to_what_every_destination_keeps_to(receiver, tmp_path):
    with opened(receiver, tmp_path) as sink:
        check_sink(sink, lambda: [body for _, body in receiver.kept.values()])


def test_a_message_is_signed_and_says_what_it_is(receiver, tmp_path):
    with opened(receiver, tmp_path) as sink:
        sink.deliver(message(1))
        assert sink.health().state == "sending"
    ((headers, body),) = receiver.kept.values()
    assert body == message(1).payload
    assert headers["Content-Type"] == "application/xml"
    assert headers["webhook-timestamp"] == "1795456800"
    assert (headers["X-Mmhub-Subject"], headers["X-Mmhub-Role"]) == ("coincidence", "observation")


def test_a_signature_is_that_of_the_standard():
    """The example of the libraries of Standard Webhooks."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    found = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_may_be_written_as_the_standard_writes_it(receiver, tmp_path):
    written = f"whsec_{base64.b64encode(SECRET.encode()).decode()}"
    with opened(receiver, tmp_path, secret=written) as sink:
        sink.deliver(message(1))
    assert len(receiver.kept) == 1


def test_a_secret_that_is_not_the_receivers_is_not_taken_and_the_message_waits(receiver, tmp_path):
    with opened(receiver, tmp_path, secret="b" * 20) as sink, pytest.raises(Transient, match=r"127\.0\.0\.1 answered 401"):
        sink.deliver(message(1))
    assert receiver.kept == {}


@pytest.mark.parametrize("status", [301, 401, 403, 404, 408, 409, 410, 425, 429, 500, 502, 503])
def test_a_fault_of_the_server_or_the_account_is_tried_again_with_the_same_id(receiver, tmp_path, status):
    receiver.answer = (status, {"Retry-After": "30"}, b"no")
    with opened(receiver, tmp_path) as sink:
        with pytest.raises(Transient):
            sink.deliver(message(1))
        assert sink.health().state == "failing"
        receiver.answer = (204, {}, b"")
        sink.deliver(message(1))
    assert receiver.tries[0] == receiver.tries[1]
    assert len(receiver.kept) == 1


@pytest.mark.parametrize("status", [400, 406, 413, 415, 422])
def test_a_message_that_is_not_wanted_is_given_up(receiver, tmp_path, status):
    receiver.answer = (status, {}, b"no")
    with opened(receiver, tmp_path) as sink, pytest.raises(Permanent, match="does not want this message"):
        sink.deliver(message(1))


def test_a_server_that_is_not_there_is_tried_again_and_its_address_is_in_no_sentence(receiver, tmp_path):
    with opened(receiver, tmp_path, url="http://127.0.0.1:9/in/s3cret-path?key=s3cret") as sink:
        with pytest.raises(Transient) as caught:
            sink.deliver(message(1))
        assert "s3cret" not in str(caught.value) + str(caught.value.__cause__.args and caught.value) + repr(sink.health())


def test_check_says_whether_the_server_can_be_reached(receiver, tmp_path):
    values = {"url": receiver.url, "hosts": ("127.0.0.1",), "secret": SECRET, "allow_loopback": True}
    assert check(Options.model_validate(values), context(tmp_path)) == []
    (said,) = check(Options.model_validate(values | {"url": "http://127.0.0.1:9/in/s3cret-path"}), context(tmp_path))
    assert "s3cret" not in said
    assert receiver.kept == {}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"secret": ""}, "secret .in the environment. or secret_file is missing or below 16 bytes"),
        ({"secret": "short"}, "below 16 bytes"),
        ({"secret": "whsec_%%%"}, "no base64"),
        ({"secret": "", "secret_file": "nowhere"}, "destinations.hook.secret_file: the file"),
        ({"url": "http://hooks.example.org/s3cret"}, "is not https"),
        ({"url": "https://hooks.example.net/s3cret"}, "hooks.example.net is not among the hosts"),
    ],
)
def test_a_destination_without_a_secret_or_with_a_wrong_address_is_not_opened(receiver, tmp_path, changes, sentence):
    with pytest.raises(ConfigError, match=sentence) as caught, opened(receiver, tmp_path, **changes):
        pass
    assert "s3cret" not in str(caught.value)


def test_two_messages_of_one_name_have_two_ids():
    assert message_id(message(1)) == message_id(message(1))
    assert len({message_id(message(1)), message_id(message(2)), message_id(message(1, payload=b"<y/>"))}) == 3
