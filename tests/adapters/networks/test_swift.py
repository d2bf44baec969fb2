"""The adapter for Swift, against a service on loopback that does what its own client expects."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.networks.swift import Options, open_network
from adapters.networks.swift_words import marker, request_state
from hub.errors import ConfigError, NetworkRefused, NotFound, Permanent, Transient, TransportError
from hub.model.followup import Urgency
from hub.ports import PartContext
from tests.conftest import missing
from tests.support.ocs import DAY_S, make_intent, now
from tests.support.swift import SECRET, USER, swift

TEXTS = {
    "immediate_objective": "Find out whether {target} is hot and blue.",
    "science_just": "{target} lies in the map of {event}: {reason}.",
    "exp_time_just": "{seconds} s reach what is expected.",
    "other_brightness": "about 20 mag in the ultraviolet",
}


@pytest.fixture(scope="module", autouse=True)
def swifttools(tmp_path_factory):
    """The official package, which must not write into anybody's home."""
    before = os.environ.get("HOME")
    os.environ["HOME"] = str(tmp_path_factory.mktemp("home"))
    try:
        import swifttools.swift_too.swift.toorequest  # noqa: F401
    except ModuleNotFoundError as error:
        missing(f"the package swifttools: {error}")
    finally:
        os.environ.pop("HOME")
        if before is not None:
            os.environ["HOME"] = before


@pytest.fixture
def service():
    with swift() as running:
        yield running


def context(folder=Path()):
    return PartContext(name="swift", authority="example.org/x", data_dir=folder, clock=now, report=print)


def opened(service, **changes):
    values = {"url": service.root, "hosts": ("127.0.0.1",), "username": USER, "secret": SECRET, "texts": TEXTS}
    return open_network(Options.model_validate(values | {"allow_loopback": True, "debug": False} | changes), context())


@pytest.fixture
def network(service):
    with opened(service) as found:
        yield found


def intent(number="1", **changes):
    values = {"instrument": "UVOT", "ra_deg": 120.5, "dec_deg": -30.25, "exposures": ({"filter": "uvw1", "seconds": 1500.0},)}
    return make_intent(number, **values | changes)


def test_a_request_is_a_form_that_the_official_package_accepts_and_one_of_ours_is_kept(network, service):
    state = network.submit(intent())
    (form,) = service.forms
    assert (form["ra"], form["dec"], form["exposure"], form["num_of_visits"]) == ("120.5", "-30.25", "1500", "1")
    assert (form["username"], form["instrument"], form["urgency"], form["debug"]) == (USER, "UVOT", "3", "false")
    assert form["target_name"] == marker(intent())
    assert form["science_just"] == "LSST:1 lies in the map of S1: kilonova candidate of S1, score 5.50."
    assert form["exp_time_just"].startswith("1500 s reach what is expected. Useful until 20")
    assert (state.remote_id, state.state, state.remote_state) == ("20000", "submitted", "Accepted")
    assert SECRET not in json.dumps(service.forms)


def test_the_other_shape_of_an_answer_is_understood_too(network, service):
    service.bare_status = True
    assert network.submit(intent()).remote_id == "20000"
    with pytest.raises(NetworkRefused, match="longer than what is left"):
        network.submit(intent("2", exposures=({"seconds": 15_000.0},)))


def test_a_dry_run_has_the_service_check_and_keeps_nothing(network, service):
    found = network.dry_run(intent())
    assert found.reasons == ()
    assert found.duration_s == 1500.0
    assert (service.forms[0]["validate_only"], service.forms[0]["debug"]) == ("true", "true")
    assert service.entries == []
    assert "longer than what is left" in network.dry_run(intent(exposures=({"seconds": 15_000.0},))).reasons[0]
    assert network.dry_run(intent(dec_deg=85.0)).reasons == ("dec: the Sun is there",)


def test_by_default_it_only_rehearses_and_says_so(service):
    with opened(service, debug=True) as network, pytest.raises(NetworkRefused, match="no observation was asked for"):
        network.submit(intent())
    assert service.forms[0]["debug"] == "true"
    assert service.entries == []
    assert Options.model_fields["debug"].default is True


@pytest.mark.parametrize("fault", ["drop", "error", "lost", "odd"])
def test_an_answer_that_is_lost_leaves_the_outcome_unknown_until_the_listing_tells(network, service, fault):
    service.faults = [fault]
    with pytest.raises(TransportError, match="unknown") as caught:
        network.submit(intent())
    assert not isinstance(caught.value, Transient)
    found = network.find_by_marker(intent().intent_id)
    assert (found is not None) is (fault in ("drop", "error"))
    assert network.find_by_marker(intent("other").intent_id) is None


def test_it_is_found_among_many_and_the_one_that_is_alive_is_taken(network, service):
    for number in range(250):
        service.entries.append({"too_id": number, "target_name": f"Object {number} mmhub-{number:016x}", "decision": None})
    name = marker(intent())
    service.entries.append({"too_id": 900, "target_name": name, "decision": "Rejected"})
    service.entries.append({"too_id": 901, "target_name": name, "decision": "Approved"})
    assert network.find_by_marker(intent().intent_id).remote_id == "901"


def test_too_many_requests_is_tried_later(network, service):
    service.faults = ["busy"]
    with pytest.raises(Transient, match="429"):
        network.submit(intent())


def test_a_service_that_cannot_be_reached_got_nothing(service):
    with opened(service, url="http://127.0.0.1:9/api/v4") as network, pytest.raises(Transient, match="nothing was sent"):
        network.submit(intent())


def test_a_wrong_secret_is_said_and_is_never_an_absence(service):
    with opened(service, secret="wrong") as network:
        for question in (
            lambda: network.find_by_marker(intent().intent_id),
            lambda: network.status("20000"),
            lambda: network.dry_run(intent()),
        ):
            with pytest.raises(Permanent, match="does not accept the name and secret"):
                question()
        with pytest.raises(Transient, match="nothing was sent"):
            network.submit(intent())
    assert service.forms == []


def test_there_is_no_way_to_cancel_and_that_is_declared(network, service):
    remote_id = network.submit(intent()).remote_id
    assert network.can_cancel is False
    with pytest.raises(NetworkRefused, match="a person must ask the observatory to drop request 20000"):
        network.cancel(remote_id)
    assert len(service.entries) == 1


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"decision": None}, "submitted"),
        ({"decision": "Approved"}, "accepted"),
        ({"decision": "Rejected"}, "rejected"),
        ({"decision": "Denied"}, "rejected"),
        ({"decision": "Under discussion"}, "submitted"),
        ({"decision": "Approved", "done": 1}, "completed"),
    ],
)
def test_what_was_decided_is_read_from_the_listing(network, service, changes, state):
    remote_id = network.submit(intent()).remote_id
    service.entries[0] |= changes
    assert network.status(remote_id).state == state
    assert network.status(remote_id).remote_state == (changes["decision"] or "no decision")


@pytest.mark.parametrize("remote_id", ["1", "", "x", "1&too_id=2", "9" * 30])
def test_a_request_that_is_not_there_is_not_found(network, remote_id):
    with pytest.raises(NotFound):
        network.status(remote_id)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ra_deg": 400.0}, "right ascension 400"),
        ({"dec_deg": math.nan}, "declination nan"),
        ({"instrument": "CAMERA"}, "no instrument CAMERA; there are XRT, UVOT"),
        ({"exposures": ()}, "no exposures"),
        ({"exposures": ({"seconds": 0.0},)}, "exposures of 0 s"),
        ({"exposures": ({"filter": "g"},)}, "exposures of nan s"),
        ({"exposures": ({"seconds": 99_999.0},)}, "are not between 0 and 20000 s"),
        ({"window_end": now().plus_s(-DAY_S)}, "the window ended at"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anybody_is_asked(network, service, changes, sentence):
    assert sentence in "; ".join(network.validate(intent(**changes)))
    with pytest.raises(NetworkRefused, match=sentence):
        network.submit(intent(**changes))
    assert (service.forms, service.logins) == ([], 0)


def test_what_the_official_schema_does_not_take_is_refused_in_its_words(service):
    with opened(service, form={"uvot_mode": "0x01AB"}) as network:
        assert "Must specify UVOT justification" in network.validate(intent())[0]


@pytest.mark.parametrize("urgency", Urgency)
def test_no_request_of_the_hub_has_the_urgency_that_wakes_somebody(network, service, urgency):
    network.submit(intent(urgency=urgency))
    assert service.forms[0]["urgency"] in ("1", "2", "3", "4")


CLIENT = """
import json, sys
from swifttools.swift_too import Swift_TOO
said = json.load(sys.stdin)
too = Swift_TOO(**said)
too.username, too.shared_secret = said["username"], sys.argv[1]
print(too.submit(), too.status.status, too.status.too_id, too.status.errors)
"""


def test_the_official_client_writes_the_same_form(network, service, tmp_path):
    """It is told by its environment where to send; without that it would send to the observatory."""
    asked_for = intent()
    network.submit(asked_for)
    ours = service.forms[0]
    asked = {key: value for key, value in network.dry_run(asked_for).payload.items() if key not in ("quiet", "validate_only")}
    environment = os.environ | {
        "SWIFT_TOO_API_URL": service.root,
        "HOME": str(tmp_path),
        "HTTP_PROXY": "",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, SECRET],
        input=json.dumps(asked | {"debug": False}),
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.startswith("True Accepted 20001"), done.stdout + done.stderr
    theirs = service.forms[-1]
    assert set(theirs) == set(ours)
    in_numbers = {"ra", "dec", "exposure", "exp_time_per_visit", "poserr"}
    assert {key: theirs[key] for key in ours if key not in in_numbers} == {
        key: ours[key] for key in ours if key not in in_numbers
    }
    for key in in_numbers:  # its places go through FK5, which differs by some hundredths of an arc second
        assert float(theirs[key]) == pytest.approx(float(ours[key]), abs=1e-4)


OPTIONS = {
    "url": "https://swift.example.org/api/v4",
    "hosts": ("swift.example.org",),
    "username": "u",
    "secret": "s",
    "texts": TEXTS,
}


@pytest.mark.parametrize("key", ["url", "hosts", "username", "texts"])
def test_neither_address_nor_account_nor_words_have_a_default(key):
    with pytest.raises(ValueError, match=key):
        Options.model_validate({name: value for name, value in OPTIONS.items() if name != key})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"secret": ""}, "networks.swift: secret .in the environment. or secret_file is missing"),
        ({"secret": "", "secret_file": "nowhere"}, "networks.swift.secret_file: the file"),
        ({"url": "http://swift.example.org/api/v4"}, "is not https"),
        ({"url": "https://www.swift.psu.edu/api/v4"}, "www.swift.psu.edu is not among the hosts"),
    ],
)
def test_an_adapter_without_a_secret_or_with_a_wrong_address_is_not_opened(tmp_path, changes, sentence):
    with pytest.raises(ConfigError, match=sentence), open_network(Options.model_validate(OPTIONS | changes), context(tmp_path)):
        pass


def test_a_text_with_an_unknown_place_and_an_anonymous_account_are_refused():
    with pytest.raises(ValueError, match=r"a text names \{magnitude\}; there are \{event\}"):
        Options.model_validate(OPTIONS | {"texts": TEXTS | {"science_just": "It has {magnitude} magnitudes."}})
    with pytest.raises(ValueError, match="account anonymous cannot"):
        Options.model_validate(OPTIONS | {"username": "anonymous"})


def test_a_request_without_a_number_is_none():
    with pytest.raises(Permanent, match="has no number"):
        request_state({"decision": "Approved"})


def test_the_secret_is_in_no_text(tmp_path):
    (tmp_path / "secret").write_text("s3cret\n")
    options = Options.model_validate(OPTIONS | {"secret": "", "secret_file": "secret"})
    with open_network(options, context(tmp_path)) as network:
        assert "s3cret" not in repr(options) + repr(network)
        assert network.host == "swift.example.org"
        assert network.quota() == ()
