from adapters.transports.kafka.places import NOTHING, Bounds, starts


def start(committed: int, low: int, high: int):
    return starts([Bounds(topic="alerts", partition=2, committed=committed, low=low, high=high)])[0]


def test_a_place_that_is_still_there_is_taken_up() -> None:
    found = start(5, 0, 9)
    assert (found.offset, found.gap, found.is_first) == (5, None, False)
    assert start(9, 9, 9).gap is None


def test_a_first_start_is_at_the_oldest_message_and_no_gap() -> None:
    found = start(NOTHING, 4, 9)
    assert (found.offset, found.gap, found.is_first, found.n_gone_before) == (4, None, True, 4)


def test_what_expired_behind_the_place_is_a_gap() -> None:
    found = start(3, 4, 9)
    assert found.offset == 4
    assert found.gap.subject == "alerts/2/3-4"
    assert found.gap.text.startswith("1 message of alerts partition 2 (offsets 3 to 3)")


def test_a_place_behind_the_end_means_that_the_topic_was_made_anew() -> None:
    found = start(50, 0, 9)
    assert found.offset == 0
    assert "made anew" in found.gap.text
    assert found.gap.facts["n_messages"] is None
