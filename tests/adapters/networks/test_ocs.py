"""The adapter for observation portals by itself: what it makes of an intent, and of answers that no portal should give."""

import contextlib
import json
import math

import pytest

from adapters.http import HttpClient, HttpOptions
from adapters.networks.ocs import OcsNetwork, Options, open_network
from adapters.networks.ocs_words import NAME_LENGTH, NOTE_LENGTH, fault_sentences, group_state, marker
from hub.errors import ConfigError, NetworkRefused, Permanent, Transient, TransportError
from hub.model.followup import RequestState
from hub.services.submission import NEXT_STATES
from tests.support.ocs import DAY_S, make_intent, make_network, now
from tests.support.portal_parts import FILTERS
from tests.support.web import raw_server

SILENT_S = 0.5


@contextlib.contextmanager
def answering(answer):
    """Give the network of a portal that answers the same to everything, whatever it was asked."""

    def talk(connection, over):
        connection.recv(65_536)
        if answer is None:
            over.wait()
        connection.sendall(answer or b"")

    with raw_server(talk) as port:
        yield make_network(f"http://127.0.0.1:{port}", answer_s=SILENT_S if answer is None else 60.0)


def http(status, body=b"", **headers):
    lines = [f"HTTP/1.1 {status} x", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


UNKNOWN = {
    "internal error": http(500),
    "bad gateway": http(502, b"<html>bad gateway</html>"),
    "timed out there": http(408),
    "200 in place of 201": http(200, b"{}"),
    "no content": http(204),
    "redirected": http(307, Location="http://127.0.0.1/elsewhere"),
    "no JSON": http(201, b"<html>created</html>"),
    "nothing that we know": http(201, b"[1, 2]"),
    "no number": http(201, b'{"state": "PENDING"}'),
    "an unknown state": http(201, b'{"id": 7, "state": "SUSPENDED"}'),
    "cut off": http(201, b'{"id": 7, "state": "PENDING"}')[:-10],
    "hung up": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "silence": None,
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_an_answer_that_does_not_say_leaves_the_outcome_unknown(case):
    with answering(UNKNOWN[case]) as network, pytest.raises(TransportError) as caught:
        network.submit(make_intent())
    assert not isinstance(caught.value, Transient)


@pytest.mark.parametrize("case", UNKNOWN)
def test_such_an_answer_to_a_search_is_never_an_absence(case):
    with answering(UNKNOWN[case]) as network, pytest.raises(TransportError):
        network.find_by_marker(make_intent().intent_id)


@pytest.mark.parametrize(("after", "seconds"), [("120", 120.0), ("soon", None), ("", None), ("-5", None), ("9" * 40, None)])
def test_too_many_requests_is_tried_again_when_the_portal_says(after, seconds):
    with answering(http(429, b'{"detail": "Request was throttled."}', Retry_After=after)) as network:
        with pytest.raises(Transient, match="429 too many requests") as caught:
            network.submit(make_intent())
        assert caught.value.retry_after_s == seconds
        assert network.validate(make_intent()) == []
        for question in (network.status, network.cancel):
            with pytest.raises(Transient):
                question("7")


def test_a_refusal_without_words_is_one_too():
    with answering(http(413)) as network, pytest.raises(NetworkRefused, match="lco answered 413"):
        network.submit(make_intent())


def test_a_name_that_cannot_be_resolved_means_that_nothing_was_sent():
    def resolver(_host, _port):
        raise OSError("no such name")

    options = Options.model_validate(
        OPTIONS | {"instruments": {"1M0-SCICAM-SINISTRO": {"telescope_class": "1m0", "filters": FILTERS}}}
    )
    network = OcsNetwork(options, HttpClient(HttpOptions(hosts=options.hosts), resolver=resolver), "t" * 40, now)
    with pytest.raises(Transient, match="nothing was sent"):
        network.submit(make_intent())


def test_the_first_faults_are_found_without_asking_anybody():
    with answering(None) as network:
        hopeless = make_intent(
            instrument="X",
            exposures=(),
            ra_deg=math.nan,
            dec_deg=91.0,
            max_airmass=math.inf,
            window_start=now(),
            window_end=now().plus_s(-DAY_S),
            intent_id="a" * 60,
        )
        said = "; ".join(network.validate(hopeless))
        with pytest.raises(NetworkRefused) as caught:
            network.submit(hopeless)
    assert str(caught.value) == said
    for words in ("no instrument X", "no exposures", "right ascension nan", "declination 91", "airmass inf", "window ended"):
        assert words in said
    assert "window ends before it begins" in said
    assert "longer than 50 characters" in said


@pytest.mark.parametrize(
    "exposure", [{"filter": "gp", "seconds": 0.0}, {"filter": "gp", "seconds": 9.0, "count": 0}, {"filter": "gp"}]
)
def test_an_exposure_of_nothing_is_a_fault(exposure):
    with answering(None) as network:
        assert "an exposure has no length or is not taken once" in network.validate(make_intent(exposures=(exposure,)))


def test_names_and_notes_fit_whatever_the_target_is_called():
    with answering(http(200, b'{"errors": {}, "request_durations": {"duration": 100}}')) as network:
        payload = network.dry_run(make_intent("x" * 400, reason="y" * 400)).payload
    (request,) = payload["requests"]
    assert len(payload["name"]) <= NAME_LENGTH
    assert len(request["configurations"][0]["target"]["name"]) <= NAME_LENGTH
    assert len(request["observation_note"]) <= NOTE_LENGTH
    assert json.loads(json.dumps(payload)) == payload


def test_faults_are_told_with_their_place():
    errors = {
        "requests": [
            {},
            {"configurations": [{"target": {"ra": ["Ensure this value\nis less"]}}], "non_field_errors": ["too long"]},
        ],
        "ipp_value": ["A valid number is required."],
        "detail": "no",
        "empty": [],
    }
    assert fault_sentences(errors) == [
        "requests.configurations.target.ra: Ensure this value is less",
        "requests: too long",
        "ipp_value: A valid number is required.",
        "detail: no",
    ]
    assert fault_sentences({}) == fault_sentences(None) == []


GROUPS = {
    "COMPLETED": RequestState.COMPLETED,
    "WINDOW_EXPIRED": RequestState.EXPIRED,
    "CANCELED": RequestState.CANCELLED,
    "FAILURE_LIMIT_REACHED": RequestState.FAILED,
    "PENDING": RequestState.ACCEPTED,
}


@pytest.mark.parametrize("word", GROUPS)
def test_each_state_of_the_portal_is_one_of_ours_that_may_follow_a_sending(word):
    remote = group_state({"id": 3, "state": word}, [])
    assert (remote.remote_id, remote.state, remote.remote_state) == ("3", GROUPS[word], word)
    assert RequestState(remote.state) in NEXT_STATES[RequestState.SENDING]


@pytest.mark.parametrize(
    ("observations", "state"),
    [
        (["PENDING"], "scheduled"),
        (["ABORTED", "PENDING"], "scheduled"),
        (["PENDING", "IN_PROGRESS"], "in_progress"),
        (["FAILED", "CANCELED"], "accepted"),
    ],
)
def test_what_is_pending_depends_on_its_observations(observations, state):
    assert group_state({"id": 3, "state": "PENDING"}, [{"state": word} for word in observations]).state == state


def test_a_state_that_nobody_knows_is_no_state():
    with pytest.raises(Permanent, match="in the state SUSPENDED, which the hub does not know"):
        group_state({"id": 3, "state": "SUSPENDED"}, [])


def test_the_marker_is_the_same_for_the_same_need():
    assert marker(make_intent("7").intent_id) == marker(make_intent("7").intent_id) != marker(make_intent("8").intent_id)


OPTIONS = {
    "url": "https://observe.example.org",
    "hosts": ("observe.example.org",),
    "token": "t" * 40,
    "proposal": "P",
    "instruments": {"CAMERA": {"telescope_class": "1m0"}},
}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"token": ""}, r"networks.lco: token \(in the environment\) or token_file is missing"),
        ({"token": "two words"}, "or is no token"),
        ({"token": "", "token_file": "nowhere"}, "networks.lco.token_file cannot be read: No such file or directory"),
        ({"url": "http://observe.example.org"}, "networks.lco.url: the URL http://observe.example.org is not https"),
        ({"url": "https://observe.example.net"}, "networks.lco.url: observe.example.net is not among the hosts"),
        ({"url": "observe"}, "networks.lco.url: the URL observe is not https"),
    ],
)
def test_an_adapter_without_a_token_or_with_a_wrong_address_is_not_opened(tmp_path, changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        open_network(Options.model_validate(OPTIONS | changes), now, tmp_path, where="networks.lco")


@pytest.mark.parametrize("key", ["url", "hosts", "proposal", "instruments"])
def test_nothing_that_names_an_observatory_has_a_default(key):
    with pytest.raises(ValueError, match=key):
        Options.model_validate({name: value for name, value in OPTIONS.items() if name != key})


def test_a_token_may_lie_in_a_file_and_is_in_no_text(tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    options = Options.model_validate(OPTIONS | {"token": "", "token_file": "token"})
    network = open_network(options, now, tmp_path, where="networks.lco")
    assert not network.is_simulated
    assert network.can_find
    assert "s3cret" not in repr(options) + repr(network)
