from hub.ports import Place, Position
from hub.storage import positions


def test_a_topic_made_anew_begins_anew(store):
    def take(first, end, topic_id):
        run = Position(topic="t", partition=0, first_offset=first, next_offset=end, n_messages=end - first, topic_id=topic_id)
        with store.transaction() as session:
            positions.advance(session, "gcn", [run])
            return positions.places(session, "gcn")

    assert take(0, 10, "") == {("t", 0): Place(next_offset=10, topic_id="")}
    assert take(3, 3, "old") == {("t", 0): Place(next_offset=10, topic_id="old")}
    assert take(3, 4, "") == {("t", 0): Place(next_offset=10, topic_id="old")}
    assert take(0, 0, "new") == {("t", 0): Place(next_offset=0, topic_id="new")}
    assert take(0, 2, "new") == {("t", 0): Place(next_offset=2, topic_id="new")}
    with store.reading() as session:
        assert positions.listing(session, "gcn")[0].missing == 0


def test_several_partitions_and_several_runs_of_one_move_in_one_step(store):
    def run(partition, first, end, n=None, topic="t"):
        n_messages = end - first if n is None else n
        return Position(
            topic=topic, partition=partition, first_offset=first, next_offset=end, n_messages=n_messages, topic_id="i"
        )

    with store.transaction() as session:
        positions.advance(session, "rubin", [run(1, 5, 5), run(1, 5, 9), run(0, 0, 4), run(0, 2, 2, topic="u")])
    with store.transaction() as session:
        positions.advance(session, "rubin", [run(0, 4, 8, n=3), run(1, 3, 7), run(1, 12, 13), run(2, 0, 1)])
        positions.advance(session, "rubin", [])
    with store.reading() as session:
        found = [
            (one.topic, one.partition, one.first_offset, one.next_offset, one.messages, one.missing)
            for one in positions.listing(session, "rubin")
        ]
    assert found == [("t", 0, 0, 8, 7, 1), ("t", 1, 5, 13, 9, 3), ("t", 2, 0, 1, 1, 0), ("u", 0, 2, 2, 0, 0)]
