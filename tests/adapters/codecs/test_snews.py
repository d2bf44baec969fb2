import pytest

from adapters.codecs import snews
from hub.errors import DecodeError
from hub.model.instant import Instant
from hub.model.notice import EventClass, Messenger, Role
from hub.ports import DecodedContext
from tests.support import json_notices as made


def notice(message):
    return snews.decode(message, topic=None).notice


def test_a_burst_in_one_detector_is_a_supernova_neutrino_notice():
    read = notice(made.snews())
    assert (read.mission, read.instrument, read.format) == ("SNEWS", "KamLAND", "snews2")
    assert (read.messenger, read.event_class) == (Messenger.NEUTRINO, EventClass.SUPERNOVA_NEUTRINO)
    assert read.t0 == Instant.from_utc_iso("2026-03-01T02:03:04.5Z")
    assert read.event_key == "SNEWS-KamLAND-2026-03-01T02:03:04.500000Z"
    assert read.properties["tier"] == "coincidence"
    assert read.is_live


@pytest.mark.parametrize(
    ("is_test", "role", "is_live"),
    [
        ("True", Role.TEST, False),
        (True, Role.TEST, False),
        ("perhaps", Role.TEST, False),
        ("False", Role.OBSERVATION, True),
        (None, Role.OBSERVATION, False),
    ],
)
def test_only_what_says_it_is_no_test_is_live(is_test, role, is_live):
    read = notice(made.snews(is_test=is_test))
    assert (read.role, read.is_live) == (role, is_live)


def test_the_tiers_are_told_apart():
    assert notice(made.snews(timing_series=["2026-03-01T02:03:04.5"])).properties["tier"] == "timing"
    assert notice(made.snews(p_values=[0.1], t_bin_width=0.5)).properties["tier"] == "significance"


def test_the_alert_of_the_network_begins_with_its_first_neutrino():
    message = made.snews(detector_names=["SNO+", "KM3NeT"], neutrino_times=["2026-03-01T02:03:06", "2026-03-01T02:03:05"])
    del message["detector_name"], message["neutrino_time_utc"]
    read = notice(message)
    assert read.instrument == "SNO+,KM3NeT"
    assert read.t0 == Instant.from_utc_iso("2026-03-01T02:03:05Z")


def test_a_heartbeat_is_a_transport_message():
    read = snews.decode({"detector_name": "JUNO", "machine_time": "2026-03-01T00:00:00", "detector_status": "ON"}, topic=None)
    assert isinstance(read, DecodedContext)
    assert (read.kind, read.format) == ("transport", "snews2-heartbeat")
    assert read.summary["status"] == "ON"


@pytest.mark.parametrize("changes", [{"detector_name": 7.5}, {"neutrino_time_utc": "now"}, {"detector_name": "x" * 1000}])
def test_a_burst_without_detector_or_time_is_refused(changes):
    with pytest.raises(DecodeError, match="SNEWS message"):
        notice(made.snews(**changes))
