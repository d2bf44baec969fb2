"""What the hub is compared with reads the same bytes, and is timed so that a few large packets count by their share."""

import io

import fastavro
import numpy as np
import pytest
from mocpy import MOC

from tests.benchmarks import peer, projection
from tests.support import lsst_packets
from tests.support.packet_world import packet


def test_a_schema_without_references_is_for_the_same_bytes() -> None:
    (payload,) = projection.packets(1, 2, 2)
    plain, written_out = lsst_packets.schema("10.0"), projection.without_references(lsst_packets.schema("10.0"))
    read = [fastavro.schemaless_reader(io.BytesIO(payload[5:]), schema, None) for schema in (plain, written_out)]
    assert str(read[0]) == str(read[1])


def test_a_mean_over_classes_of_size_is_that_of_all_packets() -> None:
    payloads = [bytes(size) for size in [*range(1, 991), *range(100_000, 100_010)]]
    found = peer.estimated(payloads, 100, lambda payload: (2.0 * len(payload), 3.0 * len(payload), len(payload) > 990))
    mean = float(np.mean([len(one) for one in payloads]))
    assert found.decode_s == pytest.approx(2.0 * mean, rel=0.02)
    assert found.contain_s == pytest.approx(3.0 * mean, rel=0.02)
    assert found.rate == pytest.approx(1.0 / (5.0 * mean), rel=0.02)
    assert found.hits == pytest.approx(0.01)
    assert found.error < 0.05
    assert found.n_timed <= 100


def test_fewer_packets_than_asked_for_are_timed_wholly() -> None:
    everywhere = MOC.from_depth29_ranges(29, np.array([[0, 12 * 4**29]], dtype=np.uint64))
    found = peer.timed([packet(number) for number in range(4)], [everywhere, everywhere], 100)
    assert found.n_timed == 4
    assert found.hits == 2.0
    assert found.error == 0.0
    assert found.decode_s > 0.0
    assert found.contain_s > 0.0
