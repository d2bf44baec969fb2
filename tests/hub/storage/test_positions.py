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
