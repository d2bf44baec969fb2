"""The adapter for observation portals by itself: what it makes of an intent, and of answers that no portal should give."""

import contextlib
import json
import math

import pytest

from adapters.http import HttpClient, HttpOptions
from adapters.networks.ocs import OcsNetwork, Options, open_network
from adapters.networks.ocs_time import quotas
from adapters.networks.ocs_words import NAME_LENGTH, NOTE_LENGTH, fault_sentences, group_state, marker
from hub.errors import ConfigError, NetworkRefused, Permanent, Transient, TransportError
from hub.model.followup import RequestState, Urgency
from hub.services.submission import NEXT_STATES
from tests.support.ocs import DAY_S, make_intent, make_network, now, part_context
from tests.support.portal_parts import FILTERS, INSTRUMENT
from tests.support.web import raw_server

SILENT_S = 0.5


@contextlib.contextmanager
def answering(answer, **options):
    """Give the network of a portal that answers the same to everything, whatever it was asked."""

    def talk(connection, over):
        connection.recv(65_536)
        if answer is None:
            over.wait()
        connection.sendall(answer or b"")

    with raw_server(talk) as port:
        yield make_network(f"http://127.0.0.1:{port}", answer_s=SILENT_S if answer is None else 60.0, **options)


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
    network = OcsNetwork(options, HttpClient(HttpOptions(hosts=options.hosts), resolver=resolver), "t" * 40, part_context())
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
        (
            {"token": "", "token_file": "nowhere"},
            "networks.lco.token_file: the file .*nowhere cannot be read: No such file or directory",
        ),
        ({"url": "http://observe.example.org"}, "networks.lco.url: the URL http://observe.example.org is not https"),
        ({"url": "https://observe.example.net"}, "networks.lco.url: observe.example.net is not among the hosts"),
        ({"url": "observe"}, "networks.lco.url: the URL observe is not https"),
    ],
)
def test_an_adapter_without_a_token_or_with_a_wrong_address_is_not_opened(tmp_path, changes, sentence):
    with (
        pytest.raises(ConfigError, match=sentence),
        open_network(Options.model_validate(OPTIONS | changes), part_context(tmp_path)),
    ):
        pass


@pytest.mark.parametrize("key", ["url", "hosts", "proposal", "instruments"])
def test_nothing_that_names_an_observatory_has_a_default(key):
    with pytest.raises(ValueError, match=key):
        Options.model_validate({name: value for name, value in OPTIONS.items() if name != key})


def test_a_token_may_lie_in_a_file_and_is_in_no_text(tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    options = Options.model_validate(OPTIONS | {"token": "", "token_file": "token"})
    with open_network(options, part_context(tmp_path)) as network:
        assert (network.name, network.host) == ("lco", "observe.example.org")
        assert not network.is_simulated
        assert network.can_find
        assert "s3cret" not in repr(options) + repr(network)


def test_a_proposal_may_pay_for_some_urgencies_only():
    payload = b'{"errors": {}, "request_durations": {"duration": 100}}'
    with answering(http(200, payload), proposal="", proposals={"rapid_response": "FAST", "normal": ""}) as network:
        fast = network.dry_run(make_intent(urgency=Urgency.RAPID_RESPONSE))
        assert fast.payload["proposal"] == "FAST"
        for urgency in (Urgency.NORMAL, Urgency.TIME_CRITICAL):
            slow = make_intent(urgency=urgency)
            assert network.validate(slow) == [f"lco has no proposal that pays for {urgency} requests"]
            with pytest.raises(NetworkRefused, match="has no proposal that pays for"):
                network.submit(slow)


def test_a_filter_of_the_policy_is_written_by_the_name_that_it_has_there_and_a_long_exposure_in_parts():
    instrument = {"telescope_class": "1m0", "filters": FILTERS, "bands": {"g": "gp"}, "longest_s": 250.0}
    intent = make_intent(exposures=({"filter": "g", "seconds": 600.0, "count": 2}, {"filter": "rp", "seconds": 250.0}))
    with answering(
        http(200, b'{"errors": {}, "request_durations": {"duration": 1}}'), instruments={INSTRUMENT: instrument}
    ) as lco:
        (request,) = lco.dry_run(intent).payload["requests"]
    taken = [
        (one["optical_elements"]["filter"], one["exposure_time"], one["exposure_count"])
        for one in request["configurations"][0]["instrument_configs"]
    ]
    assert taken == [("gp", 200.0, 6), ("rp", 250.0, 1)]


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -1.0, None, "60"])
def test_an_exposure_without_a_length_is_refused_before_anybody_is_asked(seconds):
    intent = make_intent(exposures=({"filter": "gp", "seconds": seconds},))
    with answering(http(201, b'{"id": 7, "state": "PENDING"}')) as network:
        assert network.validate(intent) == ["an exposure has no length or is not taken once"]
        with pytest.raises(NetworkRefused, match="an exposure has no length"):
            network.submit(intent)


NO_TIME = {
    "no JSON": b"<html>",
    "a list": b"[]",
    "no semesters": b'{"results": [{"id": "2026B"}]}',
    "no date": b'{"results": [{"id": "2026B", "end": "soon"}]}',
}


@pytest.mark.parametrize("case", NO_TIME)
def test_what_is_no_answer_about_time_is_no_time(case):
    with answering(http(200, NO_TIME[case])) as network, pytest.raises(Permanent):
        network.quota()


ALLOCATION = {
    "semester": "2026B",
    "instrument_types": [INSTRUMENT, "OTHER"],
    "std_allocation": 10.0,
    "std_time_used": 2.5,
    "tc_allocation": 1,
    "tc_time_used": 1.05,
    "rr_allocation": 0.0,
    "rr_time_used": 0.0,
}
PROPOSAL_DOCUMENT = {
    "id": "P1",
    "timeallocation_set": [ALLOCATION, ALLOCATION | {"semester": "2026A"}, ALLOCATION | {"instrument_types": ["OTHER"]}],
}
END = now()


def test_time_is_told_by_urgency_for_this_semester_and_the_instruments_of_the_settings():
    found = quotas(PROPOSAL_DOCUMENT, [Urgency.NORMAL, Urgency.TIME_CRITICAL], [INSTRUMENT], {"2026B": END})
    assert [(one.what, one.unit, one.until) for one in found] == [
        (f"P1, normal, {INSTRUMENT} and OTHER", "hours", END),
        (f"P1, time_critical, {INSTRUMENT} and OTHER", "hours", END),
    ]
    assert [one.left for one in found] == pytest.approx([7.5, -0.05])


@pytest.mark.parametrize(
    "document",
    [{}, {"id": "P1"}, {"id": 7, "timeallocation_set": []}]
    + [{"id": "P1", "timeallocation_set": [ALLOCATION | {"std_allocation": bad}]} for bad in (None, "10", math.nan, True)]
    + [{"id": "P1", "timeallocation_set": ["x"]}],
)
def test_a_proposal_that_is_none_tells_no_time(document):
    with pytest.raises(Permanent):
        quotas(document, [Urgency.NORMAL], [INSTRUMENT], {"2026B": END})
