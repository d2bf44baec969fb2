import hashlib
import io

import fastavro
import pyarrow.parquet as pq
import pytest

from hub.demo.survey import containers
from hub.demo.survey.running import to_folder
from tests.hub.demo.survey.conftest import pair, small


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night")
    night = small(fraction=0.01)
    visits = range(pair(night)[0], pair(night)[0] + 6)
    heard: list[int] = []
    return folder, night, visits, to_folder(night, visits, folder, "20261123", heard.append), heard


def test_any_avro_library_reads_the_packets_in_the_order_of_the_truth(written):
    folder, _, _, made, heard = written
    found = []
    for path in sorted((folder / "20261123").glob("*.avro")):
        with path.open("rb") as file:
            found += [record["diaSourceId"] for record in fastavro.reader(file)]
    truth = pq.read_table(folder / "20261123-truth.parquet")

    assert found == truth["source_id"].to_pylist()
    assert made.n_packets == len(found) == sum(heard)
    assert truth["kind"].to_pylist()[0] in {"variable star", "artefact", "bad site", "active galaxy", "unknown asteroid"} | set(
        truth["kind"].unique().to_pylist()
    )
    assert set(truth["visit"].unique().to_pylist()) <= set(written[1].visits.number.tolist())


def test_the_same_night_makes_the_same_files(written, tmp_path):
    folder, _, visits, _, _ = written
    to_folder(small(fraction=0.01), visits, tmp_path, "20261123", lambda _: None)

    for path in sorted(folder.rglob("*.*")):
        again = tmp_path / path.relative_to(folder)
        assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(path.read_bytes()).digest()


def test_a_file_is_never_larger_than_intake_takes(tmp_path):
    night = small(fraction=0.01)
    packet = next(iter(night.visit(pair(night)[0]).packets()))
    long = packet[:5] + packet[5:] * 1_000
    with containers.containers(tmp_path, "large", night.schema) as writer:
        for _ in range(60):
            writer.add(long)

    sizes = [path.stat().st_size for path in sorted(tmp_path.iterdir())]
    assert len(sizes) == writer.n_files > 1
    assert max(sizes) <= containers.MAX_FILE_BYTES + 100_000
    assert sum(sizes) == writer.n_bytes


def test_blocks_hold_what_they_say(tmp_path):
    night = small(fraction=0.02)
    with containers.containers(tmp_path, "one", night.schema) as writer:
        packets = list(night.visit(pair(night)[0]).packets())
        for packet in packets:
            writer.add(packet)

    with (tmp_path / "one-000001.avro").open("rb") as file:
        blocks = list(fastavro.block_reader(file))
    assert sum(block.num_records for block in blocks) == len(packets)
    first = fastavro.schemaless_reader(io.BytesIO(packets[0][5:]), fastavro.parse_schema(night.schema), None)
    assert next(iter(blocks[0])) == first
