"""Alert packets in Kafka for hubs of their own: settings, numbered packets, and what must be there in the end."""

import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import fastavro
import numpy as np

from hub.bootstrap import open_hub
from hub.config import load
from hub.errors import StorageError
from hub.model.instant import Instant
from hub.storage import envelopes
from hub.storage.engine import open_store
from hub.storage.envelopes import SourceCounts
from tests.support.lsst_packets import record, schema

SOURCE = "rubin"
"""Name of the source of alerts in the settings."""

T0 = Instant.from_utc_iso("2026-03-01T04:00:00Z")
"""Middle of the exposure of packet 0."""

WHOLE_SKY = 12 * 4**29
"""One behind the last order-29 pixel."""


_SCHEMA = schema("10.0")
_BLANK = record("10.0", ssObjectId=None, psfFlux=9000.0, psfFluxErr=50.0, snr=180.0, reliability=0.97, isNegative=False)


def packet(number: int, size: int = 0) -> bytes:
    """Return the packet of alert ``number + 1``, each of an object of its own.

    Parameters
    ----------
    number
        Not negative.
    size
        Bytes of its cutout.
    """
    found = {**_BLANK, "diaSourceId": 1 + number, "cutoutDifference": bytes(size)}
    found["diaSource"] = found["diaSource"] | {
        "diaSourceId": 1 + number,
        "diaObjectId": 1 + number,
        "ra": (number * 77.7) % 360.0,
        "dec": (number * 33.3) % 160.0 - 80.0,
        "midpointMjdTai": T0.plus_s(number * 0.01).mjd_tai,
    }
    found["diaObject"] = found["diaObject"] | {"diaObjectId": 1 + number}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, _SCHEMA, found)
    return b"\0" + (1000).to_bytes(4, "big") + out.getvalue()


def write_settings(
    folder: Path, bootstrap: str, topic: str, *, database: str = "", intake: str = "", session_timeout_s: int = 6
) -> Path:
    """Write the settings of a hub that listens to packets of one topic; the group has the topic's name."""
    path = folder / "mmhub.toml"
    path.write_text(f"""
[hub]
data_dir = "{folder / "data"}"

[storage]
url = "{database}"

[followup]
enabled = false

[intake]
{intake}

[sources.{SOURCE}]
kind = "kafka"
stream = "lsst"
bootstrap_servers = "{bootstrap}"
security = "plaintext"
trust = "trusted"
topics = ["{topic}"]
group_id = "{topic}"
session_timeout_s = {session_timeout_s}
""")
    return path


class PacketBooks:
    """What a hub with such settings has, read from outside."""

    def __init__(self, config: Path) -> None:
        self._settings = load([config], {}).settings

    def counts(self) -> SourceCounts | None:
        """Return the books of the source; None while there are none."""
        url = self._settings.storage_url
        if url.startswith("sqlite") and not Path(url.removeprefix("sqlite:///")).exists():
            return None
        try:
            store = open_store(url)
        except StorageError:  # it is just being made
            return None
        try:
            with store.reading() as session:
                return next((one for one in envelopes.counts(session) if one.source == SOURCE), None)
        finally:
            store.close()

    def stored(self) -> int:
        """Return how many alerts the books count as stored."""
        counts = self.counts()
        return counts.stored if counts is not None else 0

    def archived(self, numbers: Iterable[int]) -> tuple[list[int], list[int]]:
        """Return which of some packets are missing in the answers of the archive, and which are there more than once."""
        store = open_store(self._settings.storage_url)
        try:
            with open_hub(self._settings, store, sinks={}) as hub:
                found = hub.history.in_region(np.array([0]), np.array([WHOLE_SKY]), T0.plus_s(-3600.0), T0.plus_s(86_400.0))
        finally:
            store.close()
        seen = Counter(int(source_id) - 1 for batch in found for source_id in batch.source_id)
        return [number for number in numbers if not seen[number]], [number for number, n in seen.items() if n > 1]
