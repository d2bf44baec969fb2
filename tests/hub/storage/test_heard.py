"""Until when sources were listened to."""

from hub.storage import heard
from hub.storage.engine import Store
from tests.support.words import T0


def test_the_last_note_of_each_source_is_kept(store: Store) -> None:
    with store.transaction() as session:
        assert heard.until(session, "comet") is None
        heard.note(session, "comet", T0)
        heard.note(session, "other", T0)
        heard.note(session, "comet", T0.plus_s(9))
    with store.reading() as session:
        assert [heard.until(session, name) for name in ("comet", "other")] == [T0.plus_s(9), T0]
