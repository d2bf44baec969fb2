"""Messages about plans over a real broker: what a running hub asked a telescope for, and that it is done, each once."""

import json
from pathlib import Path

import pytest

from tests.hub.cli.test_run import drop
from tests.support.kafka import Kafka
from tests.support.running_hub import RunningHub, until
from tests.support.swift import swift
from tests.support.telescope_night import MERGER, alert, needs_swifttools, settings
from tests.support.treasure_map import treasure_map

pytestmark = [pytest.mark.kafka]

DESTINATION = """
[destinations.plans]
kind = "kafka"
format = "hub-json"
subjects = ["plan"]
prefix = "{prefix}"
bootstrap_servers = "{bootstrap}"
security = "plaintext"
"""


def test_who_reads_the_topic_hears_of_a_request_and_of_its_end_once_each(kafka: Kafka, tmp_path: Path) -> None:
    needs_swifttools()
    prefix = kafka.unique_topic("plans-of-a-hub")
    topic = kafka.create_topic(f"{prefix}.plans")
    more = DESTINATION.format(prefix=prefix, bootstrap=kafka.bootstrap)
    with swift() as observatory, treasure_map() as register:
        file = settings(tmp_path, observatory, register, more)
        drop(tmp_path, "1.json", alert("INITIAL"))

        def heard() -> list[bytes]:
            return [one.value for one in kafka.consume_all(topic)]

        with RunningHub(file, "first", "all") as hub:
            until(lambda: len(heard()) == 1, "the plan is not announced", [hub])
            hub.kill()
        with RunningHub(file, "second", "all") as hub:  # another life announces nothing twice
            observatory.entries[0]["done"] = True
            until(lambda: len(heard()) >= 2, "the end is not announced", [hub])
            assert hub.stop() == 0
        first, last = map(json.loads, heard())
    assert (first["word"], last["word"]) == ("submitted", "completed")
    assert first["request_id"] == last["request_id"]
    assert MERGER in json.dumps(first["event"])
    assert [len(one["pointings"]) for one in (first, last)] == [1, 1]
    assert first["ivorn"] in {cite["ivorn"] for cite in last["cites"]}
    assert len(observatory.entries) == 1
