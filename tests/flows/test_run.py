"""``mmhub run`` with live sources: as a process of its own, against a real broker, and against servers that are not there."""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from hub.errors import StorageError
from hub.storage import components, positions
from hub.storage.engine import Store, open_store
from tests.conftest import REPOSITORY
from tests.hub.cli.test_run import drop, run, until
from tests.support.demo import mmhub
from tests.support.ports import refusing_port
from tests.support.voevents import voevent


def database(folder: Path) -> Store | None:
    """Open the database of a hub that starts, once its schema is there."""
    path = folder / "data" / "hub.sqlite"
    try:
        return open_store(f"sqlite:///{path}") if path.exists() else None
    except StorageError:  # it is being made
        return None


def states(store: Store) -> dict[str, components.Component]:
    with store.reading() as session:
        return {one.name: one for one in components.listing(session)}


AWAY = """
[sources.stream]
kind = "kafka"
topics = ["t"]
group_id = "g"
bootstrap_servers = "127.0.0.1:{port}"
security = "plaintext"

[sources.peer]
kind = "vtp-subscriber"
host = "127.0.0.1"
port = {port}

[destinations.out]
kind = "kafka"
format = "hub-json"
prefix = "p"
bootstrap_servers = "127.0.0.1:{port}"
security = "plaintext"
"""


@pytest.mark.slow
def test_a_hub_whose_servers_are_away_says_so_and_stops_in_time(tmp_path):
    with refusing_port() as port, run(tmp_path, sources=AWAY.format(port=port)) as hub:
        store = until(lambda: database(tmp_path), hub)
        with closing(store):
            until(lambda: "connecting" in (one.state for one in states(store).values() if one.name == "source/stream"), hub)
            until(lambda: any(one.name == "source/peer" and one.alarms for one in states(store).values()), hub)
            hub.stop()  # asserts the exit code and that no loop had to be cancelled
            assert {one.state for one in states(store).values()} == {"stopped"}


WATCHED = """
import os, signal, sqlite3, sys, threading
from contextlib import closing
from pathlib import Path

folder, takes_in = Path(sys.argv[1]), sys.argv[-1] == "ingest"

def works():
    done = folder / "inbox" / "done"
    if takes_in and not (done.is_dir() and any(done.iterdir())):
        return False
    try:
        with closing(sqlite3.connect(folder / "data" / "hub.sqlite")) as database:
            return bool(database.execute("SELECT count(*) FROM components WHERE name = 'board'").fetchone()[0])
    except sqlite3.Error:
        return False

def stop_when_it_works():
    while not works():
        threading.Event().wait(0.05)
    os.kill(os.getpid(), signal.SIGTERM)

(folder / "data").mkdir()
threading.Thread(target=stop_when_it_works, daemon=True).start()
from hub.cli.app import main

code = main(sys.argv[2:])
heavy = [name for name in ("astroplan", "ligo.skymap", "reproject", "matplotlib") if name in sys.modules]
print(code, *heavy)
"""


@pytest.mark.slow
@pytest.mark.parametrize("role", ["ingest", "dispatch"])
def test_taking_in_and_sending_load_neither_astroplan_nor_ligo_skymap(tmp_path, role: str):
    (tmp_path / "mmhub.toml").write_text(f"[sources.inbox]\nkind = 'folder'\npath = '{tmp_path / 'inbox'}'\n")
    drop(tmp_path, "burst.xml", voevent(position=(150.0, -20.0, 0.05)))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MMHUB_")}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(tmp_path), "--data-dir", str(tmp_path / "data"), "run", role],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.stdout == "0\n", done.stderr


@pytest.mark.slow
def test_notices_of_a_kafka_topic_are_stored_placed_and_committed(tmp_path, kafka):
    topic = kafka.create_topic(kafka.unique_topic("notices"), partitions=2)
    group = f"hub-{topic}"
    for number in range(6):
        kafka.produce(topic, [(None, voevent(ivorn=f"ivo://x/y#{number}"))], partition=number % 2)
    sources = (
        f"[sources.stream]\nkind = 'kafka'\ntopics = ['{topic}']\ngroup_id = '{group}'\n"
        f"bootstrap_servers = '{kafka.bootstrap}'\nsecurity = 'plaintext'\n"
    )
    with run(tmp_path, "ingest", sources=sources) as hub:
        store = until(lambda: database(tmp_path), hub)
        with closing(store):

            def placed() -> dict[int, int]:
                with store.reading() as session:
                    return {one.partition: one.next_offset for one in positions.listing(session, "stream")}

            until(lambda: placed() == {0: 3, 1: 3}, hub)
            until(lambda: kafka.committed(group, topic) == {0: 3, 1: 3}, hub)
            until(lambda: "listening" in (one.state for one in states(store).values() if one.name == "source/stream"), hub)
            shown = json.loads(mmhub("status", "--json", data_dir=tmp_path / "data").stdout)
            (source,) = shown["sources"]
            assert (source["received"], source["stored"], source["partitions"]) == (6, 6, 2)
            assert (source["offsets_missing"], source["law_holds"]) == (0, True)
        hub.stop()
    heard = mmhub("--config", str(tmp_path / "mmhub.toml"), "listen", topic, "--until-eos", "--json", data_dir=tmp_path / "data")
    assert heard.returncode == 0, heard.stderr
    lines = [json.loads(line) for line in heard.stdout.splitlines()]
    assert sorted((one["partition"], one["offset"]) for one in lines) == [(p, o) for p in (0, 1) for o in range(3)]
    assert all(one["payload"].startswith("<?xml") and one["received_at"] for one in lines)
    kept = tmp_path / "kept"
    words = ("listen", topic, "--since", "1h", "--until-eos", "--output", str(kept))
    assert mmhub("--config", str(tmp_path / "mmhub.toml"), *words, data_dir=tmp_path / "data").returncode == 0
    again = mmhub("replay", str(kept), "--speed", "max", data_dir=tmp_path / "data")
    assert again.stdout == "stored: 0, duplicate: 6, dead: 0 of 6 messages\n", again.stderr
    assert kafka.committed(group, topic) == {0: 3, 1: 3}


def test_listening_to_a_topic_that_is_not_there_is_one_sentence(tmp_path, kafka):
    (tmp_path / "mmhub.toml").write_text(
        f"[sources.stream]\nkind = 'kafka'\nbootstrap_servers = '{kafka.bootstrap}'\nsecurity = 'plaintext'\n"
    )
    done = mmhub("--config", str(tmp_path / "mmhub.toml"), "listen", "no.such.topic", "--until-eos", data_dir=tmp_path / "data")
    assert done.returncode == 1
    assert done.stderr == "mmhub: the broker has no topic no.such.topic, or does not show it to this user\n"
