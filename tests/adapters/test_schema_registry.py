"""Schemas by number: kept, fetched once and in the background, checked, and asked for again."""

import json
import threading
from pathlib import Path

import pytest

from adapters.schema_registry import MAX_PER_HOUR, MAX_REMEMBERED, REFUSED_S, SchemaRegistry, checked
from hub.errors import DecodeError, Permanent, SchemaUnknown, Transient

SCHEMA = {"type": "record", "name": "alert", "doc": "prose", "fields": [{"name": "x", "type": "int"}]}
CANONICAL = {"name": "alert", "type": "record", "fields": [{"name": "x", "type": "int"}]}


class Server:
    """A registry with a clock beside it."""

    def __init__(self, **schemas: object) -> None:
        self.answers = {int(name.removeprefix("id")): schema for name, schema in schemas.items()}
        self.asked: list[str] = []
        self.now = 0.0

    def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        answer = self.answers.get(int(url.rpartition("/")[2]))
        if answer is None:
            raise Permanent("404 there is no such schema")
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, bytes) else json.dumps({"schema": json.dumps(answer)}).encode()

    def registry(self, folder: Path | None = None) -> SchemaRegistry:
        return SchemaRegistry(
            folder=folder,
            seconds=lambda: self.now,
            wall=lambda: self.now,
            url="https://registry.example.org/",
            fetch=self.fetch,
        )


def test_reading_asks_nobody_on_the_network():
    server = Server(id5=SCHEMA)
    registry = server.registry()
    with pytest.raises(
        SchemaUnknown, match="nobody knows the schema 5 yet: the schema registry is asked in the background"
    ) as caught:
        registry.schema(5)
    assert (caught.value.schema_id, server.asked) == (5, [])
    assert (registry.is_settled(5), registry.is_due(5)) == (False, True)
    assert registry.ask(5)
    assert registry.schema(5) == CANONICAL


def test_reading_goes_on_while_a_registry_hangs():
    asked, answered = threading.Event(), threading.Event()

    def hangs(url: str) -> bytes:
        asked.set()
        assert answered.wait(60)
        raise Transient("no answer")

    registry = SchemaRegistry(folder=None, seconds=lambda: 0.0, url="https://registry.example.org", fetch=hangs)
    asking = threading.Thread(target=registry.ask, args=(5,))
    asking.start()
    try:
        assert asked.wait(60)
        with pytest.raises(SchemaUnknown):  # would wait for ever if the question held a lock
            registry.schema(5)
        assert not registry.ask(6), "one question at a time"
    finally:
        answered.set()
        asking.join()


def test_a_schema_is_fetched_once_and_kept_for_ever(tmp_path: Path):
    server = Server(id1200=SCHEMA)
    registry = server.registry(tmp_path / "schemas")
    registry.ask(1200)
    assert [registry.schema(1200), registry.schema(1200)] == [CANONICAL, CANONICAL]
    assert server.asked == ["https://registry.example.org/schemas/ids/1200"]
    assert [path.name for path in (tmp_path / "schemas").iterdir()] == ["1200.avsc"]
    offline = SchemaRegistry(folder=tmp_path / "schemas", seconds=lambda: 0.0)
    assert offline.schema(1200) == CANONICAL


def test_what_a_person_puts_into_the_folder_counts_at_once(tmp_path: Path):
    registry = SchemaRegistry(folder=tmp_path, seconds=lambda: 0.0)
    with pytest.raises(
        SchemaUnknown,
        match=r"nobody knows the schema 7 yet: put it into the data folder as schemas/7\.avsc, or set intake\.schema_registry",
    ) as caught:
        registry.schema(7)
    assert caught.value.schema_id == 7
    assert (registry.is_due(7), registry.ask(7)) == (False, False)
    (tmp_path / "7.avsc").write_text('{"type": "rec')
    assert not registry.is_settled(7), "half a file is no reason to give its alerts up"
    (tmp_path / "7.avsc").write_text(json.dumps(SCHEMA))
    assert registry.is_settled(7)
    assert registry.schema(7) == CANONICAL


def test_a_number_that_is_not_there_is_asked_for_again_after_a_growing_while():
    server = Server()
    registry = server.registry()
    for now, n_asked in ((0, 1), (299, 1), (300, 2), (301, 2), (899, 2), (900, 3)):
        server.now = now
        assert not registry.ask(5)
        assert len(server.asked) == n_asked
    with pytest.raises(SchemaUnknown, match="the schema registry says: 404 there is no such schema"):
        registry.schema(5)
    server.answers[5] = SCHEMA
    server.now = 2100
    assert registry.ask(5)


def test_a_registry_that_does_not_answer_is_left_alone_for_a_growing_while():
    server = Server(**{f"id{number}": Transient("no answer within 10 s") for number in range(100, 200)})
    registry = server.registry()
    for now in range(0, 3600, 10):
        server.now = now
        for number in range(100, 200):
            registry.ask(number)
    assert len(server.asked) == 6
    assert server.asked[0] != server.asked[1], "the number that the registry chokes on must not keep the others from their turn"
    with pytest.raises(SchemaUnknown, match="the schema registry: no answer within 10 s"):
        registry.schema(100)
    server.now += 3600
    server.answers[150] = SCHEMA
    assert registry.ask(150)


def test_garbage_numbers_are_asked_for_so_often_an_hour_and_do_not_fill_the_memory():
    server = Server()
    registry = server.registry()
    for number in range(2 * MAX_REMEMBERED):
        registry.ask(number)
    assert len(server.asked) == MAX_PER_HOUR
    for number in range(2 * MAX_REMEMBERED):
        server.now += 3600
        registry.ask(number)
    assert len(registry._absent) <= MAX_REMEMBERED


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b"{}", b'{"schema": 5}', b"[" * 100_000])
def test_an_answer_that_is_none_leaves_the_packet_held(answer: bytes):
    registry = Server(id5=answer).registry()
    assert not registry.ask(5)
    with pytest.raises(SchemaUnknown, match="nobody knows the schema 5 yet: the schema registry"):
        registry.schema(5)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "record", "name": "a", "fields": [{"name": "n", "type": ["null", "a"]}]}, "recursive"),
        ({"type": "record", "name": "a", "fields": [{"name": "n", "type": {"type": "array", "items": "null"}}]}, "no bytes"),
        ({"type": "record", "name": "a", "fields": [{"name": "n", "type": "b"}]}, "does not define: b"),
        ({"type": "array", "items": "int"}, "no record"),
        ({"type": "record", "name": 5, "fields": 7}, "no valid Avro schema"),
    ],
)
def test_a_schema_that_could_harm_is_neither_used_nor_kept_nor_fetched_again_for_hours(tmp_path: Path, schema: object, said: str):
    server = Server(id5=schema)
    for registry in (server.registry(tmp_path), server.registry(tmp_path)):  # the second is the first after a restart
        for _ in range(5):
            registry.ask(5)
            with pytest.raises(DecodeError, match=said) as caught:
                registry.schema(5)
            assert not isinstance(caught.value, SchemaUnknown)
        assert registry.is_settled(5)
    assert len(server.asked) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["5.refused.json"]
    server.now = REFUSED_S
    server.answers[5] = SCHEMA
    assert server.registry(tmp_path).ask(5)
    assert registry.schema(5) == CANONICAL


@pytest.mark.parametrize("text", ["", "[]", '{"reason": "x"}', '{"reason": "x", "until": 1e300}', "[" * 100_000])
def test_a_broken_note_of_a_refusal_counts_for_nothing(tmp_path: Path, text: str):
    (tmp_path / "5.refused.json").write_text(text)
    assert Server(id5=SCHEMA).registry(tmp_path).ask(5)


def test_a_schema_too_long_or_too_deep_is_refused():
    with pytest.raises(DecodeError, match="bytes"):
        checked(b" " * (1 << 20) + b"{}")
    deep: object = "int"
    for _ in range(40):
        deep = {"type": "array", "items": deep}
    with pytest.raises(DecodeError, match="levels deep"):
        checked(json.dumps({"type": "record", "name": "a", "fields": [{"name": "x", "type": deep}]}).encode())


def test_a_folder_that_cannot_be_written_costs_only_the_keeping(tmp_path: Path):
    (tmp_path / "schemas").write_text("a file where the folder should be")
    registry = Server(id5=SCHEMA).registry(tmp_path / "schemas")
    assert registry.ask(5)
    assert registry.schema(5) == CANONICAL
