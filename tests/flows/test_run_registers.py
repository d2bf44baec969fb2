"""``mmhub run`` as a process: it asks a register what others observe, tells it what its own requests do, and withdraws that."""

import json

import pytest

from hub.model.pointing import OWN
from hub.services import told_registers
from hub.storage import pointings
from hub.storage.engine import open_store
from tests.hub.cli.test_run import drop
from tests.support.demo import mmhub
from tests.support.running_hub import RunningHub, until
from tests.support.swift import swift
from tests.support.telescope_night import DEC_DEG, MERGER, alert, needs_swifttools, settings, told
from tests.support.treasure_map import treasure_map

pytestmark = pytest.mark.slow


def test_a_running_hub_asks_and_tells_a_register_and_withdraws_what_it_told_with_the_event(tmp_path):
    needs_swifttools()
    with swift() as observatory, treasure_map() as register:
        file = settings(tmp_path, observatory, register)
        seen = {"ra": 10.0, "dec": DEC_DEG, "instrumentid": 10, "time": "2026-03-01T04:00:00", "band": "g", "depth": 21.0}
        register.add("somebody", event=MERGER, **seen, depth_unit="ab_mag")
        drop(tmp_path, "1.json", alert("INITIAL"))
        with RunningHub(file, "hub", "all") as hub:
            until(lambda: len(observatory.entries) == 1, "Swift is not asked", [hub])
            until(lambda: told(register.rows) == [("u", "planned")], "the map is not told", [hub])
            store = open_store(f"sqlite:///{tmp_path / 'data' / 'hub.sqlite'}")

            def known():
                with store.reading() as session:
                    return {one.reported_by for one in pointings.of_event(session, MERGER)}

            until(lambda: known() == {OWN, "map: somebody"}, "what others report is not taken in", [hub])
            drop(tmp_path, "2.json", alert("RETRACTION"))
            until(lambda: told(register.rows) == [("u", "cancelled")], "what is planned is not withdrawn", [hub])

            def answers():
                with store.reading() as session:
                    return [(row["told"], row["answer"]) for row in told_registers.of_event(session, MERGER)]

            until(lambda: answers() == [("cancelled", "taken")], "the answer is not in the rows", [hub])
            assert len(observatory.entries) == 1
            assert hub.stop() == 0
            store.close()
        listed = mmhub("--config", file, "pointings", "reported", MERGER, "--json", data_dir=tmp_path / "data")
        (row,) = map(json.loads, listed.stdout.splitlines())
        assert (row["network"], row["instrument"], row["field"], row["answer"]) == ("map", "swift UVOT", 1, "taken")
