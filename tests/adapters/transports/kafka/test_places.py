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


def start_of(**changes):
    return starts([Bounds(**{"topic": "alerts", "partition": 2, "committed": NOTHING, "low": 0, "high": 30, **changes})])[0]


def test_the_books_of_the_hub_stand_in_for_a_group_that_was_forgotten() -> None:
    found = start_of(stored=10)
    assert (found.offset, found.is_first, found.gap) == (10, False, None)
    assert start_of(stored=10, low=15).gap.facts == {
        "topic": "alerts",
        "partition": 2,
        "first_offset": 10,
        "end_offset": 15,
        "n_messages": 5,
    }


def test_of_two_places_the_lower_counts() -> None:
    assert start_of(stored=10, committed=20).offset == 10
    assert start_of(stored=20, committed=10).offset == 10


def test_a_topic_of_another_id_begins_anew_though_the_place_is_there() -> None:
    found = start_of(stored=10, is_remade=True, topic_id="new")
    assert found.offset == 0
    assert "made anew" in found.gap.text
    assert found.gap.subject == "alerts/2/10-new"
