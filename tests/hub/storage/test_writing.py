"""Many rows at once, on both engines and by each road: the same rows as one by one."""

import pytest
from sqlalchemy import text

from hub.errors import StorageError
from hub.storage import packets
from hub.storage.engine import Store
from hub.storage.tables import PacketRow
from hub.storage.writing import COPY_FROM, insert_all_new, is_postgresql, upsert_all

SIZES = [1, COPY_FROM - 1, COPY_FROM, 700]


def row(number: int, payload: bytes, survey: str = "LSST") -> dict[str, object]:
    return {"survey": survey, "source_id": number, "payload": payload}


@pytest.mark.parametrize("n", SIZES)
def test_what_is_there_stays_or_is_written_over(store: Store, n: int) -> None:
    key = ["survey", "source_id"]
    with store.transaction() as session:
        insert_all_new(session, PacketRow, [row(number, b"first") for number in range(n)], key=key)
        insert_all_new(session, PacketRow, [], key=key)
    with store.transaction() as session:
        insert_all_new(session, PacketRow, [row(number, b"later") for number in range(2 * n)], key=key)
        insert_all_new(session, PacketRow, [row(2**62, b"\x00\xff"), row(2**62, b"again")] * n, key=key)  # twice in one go
    with store.reading() as session:
        assert packets.get(session, "LSST", n - 1) == b"first"
        assert packets.get(session, "LSST", 2 * n - 1) == b"later"
        assert packets.get(session, "LSST", 2**62) == b"\x00\xff"
    with store.transaction() as session:
        upsert_all(session, PacketRow, [row(number, b"over") for number in range(2 * n)] + [row(0, b"last")], key=key)
        upsert_all(session, PacketRow, [], key=key)
    with store.reading() as session:
        assert packets.get(session, "LSST", 0) == b"last"
        assert {packets.get(session, "LSST", number) for number in range(1, 2 * n)} == ({b"over"})
        assert packets.get(session, "ZTF", 0) is None
        assert session.execute(text("SELECT count(*) FROM packets")).scalar_one() == 2 * n + 1


def test_what_is_taken_back_is_not_there_and_the_next_go_begins_anew(store: Store) -> None:
    def broken(numbers: range) -> None:
        with store.transaction() as session:
            packets.save_all(session, "LSST", ((number, b"x") for number in numbers))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken(range(100))
    with store.transaction() as session:
        packets.save_all(session, "LSST", ((number, b"y") for number in range(50, 150)))
    with store.reading() as session:
        assert packets.get(session, "LSST", 0) is None
        assert packets.get(session, "LSST", 149) == b"y"


def test_a_server_that_goes_away_in_between_is_a_fault_of_the_database(store: Store) -> None:
    def cut() -> None:
        with store.transaction() as session:
            if not is_postgresql(session):
                pytest.skip("SQLite has no server")
            own = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
            with store.engine.connect() as other:
                other.execute(text(f"SELECT pg_terminate_backend({own})"))
            packets.save_all(session, "LSST", ((number, b"x") for number in range(100)))

    with pytest.raises(StorageError, match="the state database does not answer"):
        cut()
