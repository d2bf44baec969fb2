"""A process that appends to an archive and tidies it until it is killed: ``python -m tests.support.killed_archive FOLDER SEED``.

It writes a line for each batch before it appends it and one after: what the second line names was acknowledged.
"""

import sys
from pathlib import Path

import numpy as np

from hub.archive.history import ArchiveHistory, ArchiveSettings
from hub.archive.merging import Policy
from hub.model.alert import AlertBatch
from hub.model.instant import Instant

CELL = 4**27
"""Order-29 pixels in a cell of the archive."""

DAY_US = 86_400_000_000

BATCH = 40


def alerts(first: int, n: int = BATCH) -> AlertBatch:
    """Return alerts by their number, each always the same: in three cells and two nights."""
    numbers = np.arange(first, first + n)
    mixed = (numbers * 2_654_435_761) % 2**32
    return AlertBatch.from_columns(
        "LSST",
        source_id=numbers,
        object_id=[b"object-%d" % (number // 5) for number in numbers.tolist()],
        ra_deg=mixed % 360,
        dec_deg=mixed % 90,
        mid_tai_us=mixed % 2 * DAY_US + numbers,
        first_tai_us=numbers,
        n_history=mixed % 7,
        flux_njy=mixed,
        flux_err_njy=mixed % 11,
        snr=mixed % 13,
        reliability=(mixed % 100) / 100,
        band=np.array([b"g", b"r"])[mixed % 2],
        is_solar_system=mixed % 3 == 0,
        is_negative=mixed % 5 == 0,
        is_saturated=mixed % 7 == 0,
        hpx29=mixed % 3 * CELL + mixed,
    )


def main() -> None:
    """Work until killed."""
    folder, seed, first = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    random = np.random.default_rng(seed)
    policies = Policy(more_than=1, split_rows=0), Policy(more_than=1), Policy(more_than=2, split_rows=200)
    history = ArchiveHistory(folder, ArchiveSettings(merging=policies[seed % 3]))
    while True:
        again = int(random.integers(0, 3)) * (BATCH // 2)  # as a stream that is read again brings some of it twice
        print(f"begin {first + BATCH - 1}", flush=True)
        history.append(alerts(max(0, first - again), BATCH + min(first, again)))
        print(f"end {first + BATCH - 1}", flush=True)
        first += BATCH
        if random.random() < 0.4:
            history.tidy(Instant(3 * DAY_US))


if __name__ == "__main__":
    main()
