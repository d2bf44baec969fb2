"""Times what follows when a batch of alerts matches: pairs are found, candidates evaluated and stored. Processor time of one thread.

The alerts are of the simulated night, the maps as `load` makes them. The archive is one in memory whose answers are not counted.
``--dump`` writes everything that was stored to a file, so that two versions of the hub can be compared.
"""

import argparse
import cProfile
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hub.bootstrap import create_database, open_decoder
from hub.config import load as load_settings
from hub.demo.survey.night import SurveyNight
from hub.model.alert import AlertBatch, concatenate
from hub.model.instant import Instant
from hub.resources import read_text
from hub.science.rules import load_rules
from hub.services.announcement import Announcements, AnnouncementSettings
from hub.services.correlation import Correlation, CorrelationReport
from hub.services.maps import MapCache
from hub.telemetry import configure
from tests.benchmarks import figures, load
from tests.benchmarks.figures import Figure
from tests.support.packet_world import write_settings


class Remembered:
    """Alerts of one survey in memory; counts how long its answers take."""

    def __init__(self) -> None:
        self.batches: list[AlertBatch] = []
        self.spent_s = 0.0

    def append(self, batch: AlertBatch) -> NDArray[np.bool_]:
        self.batches.append(batch)
        return np.ones(len(batch), dtype=bool)

    def in_region(self, lo: NDArray[np.int64], hi: NDArray[np.int64], start: Instant, end: Instant) -> list[AlertBatch]:
        raise NotImplementedError("nothing here asks for a region")

    def of_objects(self, survey: str, object_ids: Sequence[str], hpx29: NDArray[np.int64]) -> AlertBatch:
        begun = time.process_time()
        wanted = np.array([name.encode() for name in object_ids], dtype="S32")
        found = concatenate([one.take(np.isin(one.object_id, wanted)) for one in self.batches if one.survey == survey])
        found = found.take(np.argsort(found.mid_tai_us, kind="stable"))
        self.spent_s += time.process_time() - begun
        return found

    def count(self) -> int:
        return sum(map(len, self.batches))


class Ticking:
    """A clock that is a second later each time."""

    def __init__(self, begin: Instant) -> None:
        self._now = begin

    def __call__(self) -> Instant:
        self._now = self._now.plus_s(1.0)
        return self._now


def batches(asked: argparse.Namespace, folder: Path) -> Iterator[tuple[AlertBatch, list[bytes]]]:
    """Yield batches of the night with their packets."""
    night = SurveyNight(load.SEED, load.last_night(), with_cutouts=False)
    decoder = open_decoder(load_settings([write_settings(folder, "", "none")], {}).settings)
    packets = (one for visit in load.spread_visits(night, asked.packets) for one in night.visit(visit).packets())
    taken: list[bytes] = []
    for number, packet in zip(range(asked.packets), packets, strict=False):
        taken.append(packet)
        if len(taken) == asked.batch or number == asked.packets - 1:
            rows = decoder.decode_packets(taken, "lsst")
            for batch, index in zip(rows.batches, rows.message_index, strict=True):
                yield batch, [taken[at] for at in index]
            taken = []


def one_round(
    asked: argparse.Namespace,
    knows: Path,
    work: Sequence[tuple[AlertBatch, list[bytes]]],
    watch: cProfile.Profile | None = None,
) -> tuple[CorrelationReport, float, float]:
    """Return what was written in all, seconds of the processor for it, and of these those of finding pairs."""
    with tempfile.TemporaryDirectory() as name:
        settings = load_settings([write_settings(Path(name), "", "none")], {"logging.level": "error"}).settings
        shutil.copytree(knows, settings.hub.data_dir)
        history = Remembered()
        with create_database(settings) as store:
            correlation = Correlation(
                store=store,
                history=history,
                rules=load_rules(read_text("conf/coincidence.toml"), read_text("conf/families.toml")),
                maps=MapCache(),
                announcements=Announcements(
                    settings=AnnouncementSettings(authority="example.org/mmhub", enabled=True), routes=[]
                ),
                followups=None,
                clock=Ticking(load.begin_of(load.last_night())),
            )
            done, spent, finding = CorrelationReport(), 0.0, 0.0
            for number, (batch, payloads) in enumerate(work):
                history.append(batch)
                if number == 1:  # the first one reads all maps
                    done, spent, history.spent_s = CorrelationReport(), 0.0, 0.0
                if number and watch is not None:
                    watch.enable()
                begun = time.process_time()
                done += correlation.on_alerts(batch, payloads)
                spent += time.process_time() - begun
                if watch is not None:
                    watch.disable()
                if asked.apart and number:
                    begun = time.process_time()
                    with store.reading() as session:
                        correlation._matching.forward(session, batch)
                    finding += time.process_time() - begun
        if asked.dump is not None:
            _dump(Path(settings.storage_url.removeprefix("sqlite:///")), asked.dump)
        return done, spent - history.spent_s, finding


def _dump(database: Path, path: Path) -> None:
    with sqlite3.connect(database) as connection, path.open("w") as out:
        for name in ("candidates", "watched", "coincidences", "coincidence_members", "outbox"):
            for row in connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2, 3"):
                print(name, *row, sep="\t", file=out)
        for row in connection.execute("SELECT survey, source_id, length(payload) FROM packets ORDER BY 1, 2"):
            print("packets", *row, sep="\t", file=out)


def measure(asked: argparse.Namespace) -> Sequence[Figure]:
    """Return what an alert, a matched one and a candidate cost."""
    configure("error")
    maps = load.Maps(n=asked.maps, n_single_detector=asked.single_detector)
    with tempfile.TemporaryDirectory() as name, load.told(maps) as knows:
        work = list(batches(asked, Path(name)))
        rounds = [one_round(asked, knows, work) for _ in range(asked.rounds)]
    done, spent, finding = rounds[0][0], statistics.median(one[1] for one in rounds), statistics.median(one[2] for one in rounds)
    n = sum(len(batch) for batch, _ in work[1:])
    note = (
        f"{n} alerts in batches of {asked.batch}, {asked.maps} maps, {done.matched_alerts} matched, {done.candidates} candidates,"
        f" {done.versions} coincidences, {done.in_large_maps} in too large maps, {asked.rounds} rounds"
    )
    found = [
        Figure(what="matching, evaluating and storing, an alert", value=spent / n * 1e6, unit="us", note=note),
        Figure(what="the same, a candidate", value=spent / max(done.candidates, 1) * 1e6, unit="us"),
    ]
    if asked.apart:
        found += [
            Figure(what="of it finding pairs, an alert", value=finding / n * 1e6, unit="us"),
            Figure(
                what="evaluating and storing, a candidate", value=(spent - finding) / max(done.candidates, 1) * 1e6, unit="us"
            ),
        ]
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--packets", type=int, default=6_000)
    options.add_argument("--batch", type=int, default=143)
    options.add_argument("--maps", type=int, default=100)
    options.add_argument("--single-detector", type=int, default=0)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--apart", action="store_true", help="also time finding pairs by itself")
    options.add_argument("--dump", type=Path, help="write what was stored, to be compared with another version of the hub")
    figures.run(measure, options)


if __name__ == "__main__":
    main()
