"""A dead letter is named by its digest or the beginning of it."""

from pathlib import Path

import pytest

from hub.errors import NotFound
from hub.model.envelope import Envelope
from hub.services import deadletters
from hub.storage import deadletters as letters
from hub.storage.engine import open_store, upgrade
from tests.support.words import T0


def test_a_letter_is_found_by_its_first_digits_and_dropped_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/hub.db"
    upgrade(url)
    store = open_store(url)
    bad = Envelope(payload=b"bad", source="file", received_at=T0)
    with store.transaction() as session:
        letters.add(session, bad, reason="no", format=None, adapter_version="1", at=T0)
    assert deadletters.show(store, bad.digest[:8]).message.payload == b"bad"
    assert deadletters.drop(store, bad.digest[:8]).reason == "no"
    for digest in (bad.digest, bad.digest[:4], "f" * 64):
        with pytest.raises(NotFound, match="there is no dead letter"):
            deadletters.show(store, digest)
    store.close()
