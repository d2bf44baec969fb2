"""Schemas by number: kept, fetched once, checked, and asked for again."""

import json
from pathlib import Path

import pytest

from adapters.schema_registry import MAX_REMEMBERED, SchemaRegistry, checked
from hub.errors import DecodeError, SchemaUnknown, Transient

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
            raise Transient("404 there is no such schema")
        return answer if isinstance(answer, bytes) else json.dumps({"schema": json.dumps(answer)}).encode()

    def registry(self, folder: Path | None = None) -> SchemaRegistry:
        return SchemaRegistry(folder=folder, seconds=lambda: self.now, url="https://registry.example.org/", fetch=self.fetch)


def test_a_schema_is_fetched_once_and_kept_for_ever(tmp_path: Path):
    server = Server(id1200=SCHEMA)
    registry = server.registry(tmp_path / "schemas")
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
    (tmp_path / "7.avsc").write_text(json.dumps(SCHEMA))
    assert registry.schema(7) == CANONICAL


def test_a_number_that_is_not_there_is_asked_for_again_after_a_while():
    server = Server()
    registry = server.registry()
    for now, n_asked in ((0, 1), (299, 1), (300, 2), (301, 2)):
        server.now = now
        with pytest.raises(SchemaUnknown, match="the schema registry says: 404 there is no such schema"):
            registry.schema(5)
        assert len(server.asked) == n_asked
    server.answers[5] = SCHEMA
    server.now = 600
    assert registry.schema(5) == CANONICAL


def test_garbage_numbers_do_not_fill_the_memory():
    server = Server()
    registry = server.registry()
    for number in range(2 * MAX_REMEMBERED):
        with pytest.raises(SchemaUnknown):
            registry.schema(number)
    assert len(registry._absent) <= MAX_REMEMBERED


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b"{}", b'{"schema": 5}', b"[" * 100_000])
def test_an_answer_that_is_none_leaves_the_packet_held(answer: bytes):
    with pytest.raises(SchemaUnknown, match="nobody knows the schema 5 yet: the schema registry"):
        Server(id5=answer).registry().schema(5)


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
def test_a_schema_that_could_harm_is_neither_used_nor_kept(tmp_path: Path, schema: object, said: str):
    with pytest.raises(DecodeError, match=said) as caught:
        Server(id5=schema).registry(tmp_path).schema(5)
    assert not isinstance(caught.value, SchemaUnknown)
    assert list(tmp_path.iterdir()) == []


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
    assert Server(id5=SCHEMA).registry(tmp_path / "schemas").schema(5) == CANONICAL
