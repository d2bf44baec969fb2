"""What becomes of commits that nobody waits for."""

from confluent_kafka import KafkaError, TopicPartition

from adapters.transports.kafka.commits import Commits


def answer(offset: int, partition: int = 0) -> list[TopicPartition]:
    return [TopicPartition("t", partition, offset)]


def test_what_is_confirmed_is_under_way_no_more() -> None:
    commits = Commits()
    commits.sent({("t", 0): 5, ("t", 1): 7})
    commits.on_answer(None, answer(5))
    assert not commits.failed()
    assert commits.forget() == {("t", 1): 7}
    assert commits.forget() == {}


def test_the_answer_to_an_earlier_commit_confirms_no_later_one() -> None:
    commits = Commits()
    commits.sent({("t", 0): 5})
    commits.sent({("t", 0): 9})
    commits.on_answer(None, answer(5))
    assert commits.forget() == {("t", 0): 9}


def test_what_the_broker_did_not_take_is_left_and_told_once() -> None:
    commits = Commits()
    commits.sent({("t", 0): 5})
    commits.on_answer(KafkaError(KafkaError._TIMED_OUT), answer(5))
    assert commits.failed()
    assert not commits.failed()
    assert commits.forget() == {("t", 0): 5}


def test_what_a_group_refuses_that_is_dealt_out_anew_is_counted_and_not_tried_again() -> None:
    commits = Commits()
    commits.sent({("t", 0): 5})
    commits.on_answer(KafkaError(KafkaError.ILLEGAL_GENERATION), answer(5))
    assert not commits.failed()
    assert (commits.refused(), commits.refused()) == (1, 0)
    assert commits.forget() == {}


def test_answers_to_commits_that_were_waited_for_change_nothing() -> None:
    commits = Commits()
    commits.on_answer(KafkaError(KafkaError._TIMED_OUT), answer(5))
    commits.on_answer(None, answer(5))
    assert not commits.failed()
