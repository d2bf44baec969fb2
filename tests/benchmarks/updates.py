"""Times an update and a retraction of one event, from the notice to candidates scored and messages worded anew, beside many live maps.

The hub knows maps as `load` makes them, a burst beside each, and alerts of the simulated night. A trial is an update of one event with
another map, time and false-alarm rate, and then its retraction; it ends when everything that follows is in the outbox and no job is left.
The events with most candidates are among those that are tried.
"""

import argparse
import base64
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from sqlalchemy import func, select

from hub.bootstrap import Hub, create_database, open_hub
from hub.config import load as load_settings
from hub.model.envelope import Envelope, Trust
from hub.model.instant import Instant
from hub.science import healpix
from hub.storage.tables import CandidateRow, OutboxRow
from hub.telemetry import configure
from tests.benchmarks import evaluation, figures, load
from tests.benchmarks.figures import Figure, below
from tests.support.json_notices import as_bytes, gbm, igwn_alert
from tests.support.packet_world import write_settings
from tests.support.skymaps import NUNIQ_HEADER, adaptive_map, fits_bytes, gaussian_density

GOAL_S = 5.0
N_LARGEST = 5
"""Events with most candidates that are always tried."""

MOVED = 0.3
"""By how much of its width the map of an update lies farther east."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """An event that the hub was told of."""

    event_id: str
    t0: Instant
    ra_deg: float
    dec_deg: float
    sigma_deg: float

    def update(self) -> bytes:
        """Return a better map, a time a tenth of a second later, and a lower false-alarm rate."""
        made = adaptive_map(gaussian_density(self.ra_deg + MOVED * self.sigma_deg, self.dec_deg, 0.9 * self.sigma_deg))
        columns = {"UNIQ": healpix.uniq_of_ranges(made.lo, made.hi), "PROBDENSITY": made.probdensity}
        event = igwn_alert()["event"] | {
            "time": self.t0.plus_s(0.1).to_utc_iso()[:23] + "Z",
            "far": 1e-10,
            "skymap": base64.b64encode(fits_bytes(columns, NUNIQ_HEADER)).decode(),
        }
        return as_bytes(self._alert("UPDATE", 3_600.0, event))

    def retraction(self) -> bytes:
        """Return a word that it was none."""
        return as_bytes(self._alert("RETRACTION", 7_200.0, None))

    def burst(self, number: int) -> bytes:
        """Return a burst two seconds later at the same place."""
        return as_bytes(
            gbm(
                id=[f"bn{self.t0.to_utc_iso()[2:10].replace('-', '')}{number:03d}", str(800_000_000 + number)],
                trigger_time=_text(self.t0.plus_s(2.0)),
                alert_datetime=_text(self.t0.plus_s(60.0)),
                ra=self.ra_deg,
                dec=self.dec_deg,
                ra_dec_error=3.0,
            )
        )

    def _alert(self, kind: str, issued_s: float, event: dict[str, Any] | None) -> dict[str, Any]:
        created = self.t0.plus_s(issued_s).to_utc_iso()[:19] + "Z"
        return igwn_alert(superevent_id=self.event_id, alert_type=kind, time_created=created, event=event)


def _text(moment: Instant) -> str:
    return moment.to_utc_iso()[:23] + "Z"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What one notice took."""

    what: str
    n_candidates: int
    seconds: float
    cpu_s: float
    n_messages: int


def told_events(maps: load.Maps, until: Instant) -> list[Told]:
    """Return the events of `load.tell_of_maps`, in that order."""
    found = []
    for number, (area, (days_before, ra, dec)) in enumerate(zip(load.areas_of(maps), load._places(maps), strict=True)):
        t0 = load._t0(until, days_before)
        found.append(Told(event_id=load._name(number, t0), t0=t0, ra_deg=ra, dec_deg=dec, sigma_deg=load.sigma_deg(area)))
    return found


def trusted(payload: bytes, position: str, topic: str) -> Envelope:
    """Return a notice as it arrives."""
    received = load.begin_of(load.last_night()).plus_s(86_400.0)
    return Envelope(payload=payload, source="gcn", received_at=received, position=position, topic=topic, trust=Trust.TRUSTED)


def prepare(hub: Hub, events: Sequence[Told], maps: load.Maps, night: Instant) -> None:
    """Tell the hub of all maps and bursts at once: each event is evaluated once, with all that it belongs to."""
    bursts = (trusted(one.burst(number), f"burst {number}", "gcn.notices.fermi.gbm") for number, one in enumerate(events))
    hub.flow.take([*load.alerts_of(maps, night), *bursts])


def counts(hub: Hub) -> dict[str, int]:
    """Return how many objects are candidates of each event."""
    row = CandidateRow
    with hub.store.reading() as session:
        n = func.count(func.distinct(row.object_id))
        return dict(session.execute(select(row.event_id, n).group_by(row.event_id)).all())


def say(what: str, begun: float, cpu: float) -> None:
    """Say how long a step of the preparation took."""
    print(
        f"{what}: {time.perf_counter() - begun:.0f} s, of them {_cpu() - cpu:.0f} s of the processor", file=sys.stderr, flush=True
    )


def _n_messages(hub: Hub) -> int:
    with hub.store.reading() as session:
        return session.scalar(select(func.count()).select_from(OutboxRow)) or 0


def chosen(events: Sequence[Told], n_candidates: dict[str, int], n: int) -> list[Told]:
    """Return the events with most candidates, and others at random, in a random order."""
    by_size = sorted(events, key=lambda one: (-n_candidates.get(one.event_id, 0), one.event_id))
    random = Random(7)
    rest = by_size[N_LARGEST:]
    return random.sample(
        [*by_size[:N_LARGEST], *random.sample(rest, min(len(rest), max(n - N_LARGEST, 0)))][:n], min(n, len(events))
    )


def trials(hub: Hub, events: Sequence[Told], n_candidates: dict[str, int]) -> Iterator[Trial]:
    """Yield an update and a retraction of each event."""
    for one in events:
        for what, payload in (("update", one.update()), ("retraction", one.retraction())):
            before, cpu, begun = _n_messages(hub), _cpu(), time.perf_counter()
            hub.flow.take([trusted(payload, f"{what} of {one.event_id}", "igwn.gwalert")])
            seconds = time.perf_counter() - begun
            yield Trial(
                what=what,
                n_candidates=n_candidates.get(one.event_id, 0),
                seconds=seconds,
                cpu_s=_cpu() - cpu,
                n_messages=_n_messages(hub) - before,
            )


def _cpu() -> float:
    """Return the processor time of all threads of this process, seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measure(asked: argparse.Namespace) -> Iterator[Figure]:
    """Yield how long updates and retractions take."""
    configure("error")
    maps = load.Maps(n=asked.maps, n_single_detector=asked.single_detector)
    night = load.begin_of(load.last_night())
    with tempfile.TemporaryDirectory() as name:
        settings = load_settings([write_settings(Path(name), "", "none")], {"logging.level": "error"}).settings
        with create_database(settings) as store, open_hub(settings, store) as hub:
            events = told_events(maps, night)
            begun = time.perf_counter(), _cpu()
            prepare(hub, events, maps, night)
            say("maps and bursts", *begun)
            begun = time.perf_counter(), _cpu()
            n_alerts = 0
            for batch, payloads in evaluation.batches(asked, Path(name)):
                hub.history.append(batch)
                hub.correlation.on_alerts(batch, payloads)
                n_alerts += len(batch)
            say(f"{n_alerts} alerts", *begun)
            n_candidates = counts(hub)
            tried = list(trials(hub, chosen(events, n_candidates, asked.trials), n_candidates))
    sizes = sorted(n_candidates.get(one.event_id, 0) for one in events)
    note = (
        f"{asked.maps} maps of {maps.tiles}, {asked.single_detector} of them of 24,000 deg2, a burst beside each; {n_alerts} alerts; "
        f"candidates of an event: median {statistics.median(sizes):.0f}, most {sizes[-1]}"
    )
    for what in ("update", "retraction"):
        yield from _figures(what, [one for one in tried if one.what == what], note)


def _figures(what: str, tried: Sequence[Trial], note: str) -> Iterator[Figure]:
    seconds = np.array([one.seconds for one in tried])
    largest = max(tried, key=lambda one: one.n_candidates)
    said = f"{len(tried)} trials; {note}"
    yield Figure(what=f"{what} of an event to its messages, p50", value=float(np.median(seconds)), unit="s", note=said)
    yield below(f"{what} of an event to its messages, p99", float(np.quantile(seconds, 0.99, method="higher")), "s", GOAL_S)
    yield Figure(
        what=f"{what}: the event with most candidates",
        value=largest.seconds,
        unit="s",
        note=f"{largest.n_candidates} candidates, {largest.n_messages} messages",
    )
    yield Figure(what=f"{what}: processor time, mean", value=statistics.mean(one.cpu_s for one in tried), unit="s")
    yield Figure(what=f"{what}: messages, mean", value=statistics.mean(one.n_messages for one in tried), unit="")
    if len(tried) > 1 and largest.n_candidates:
        n = np.array([one.n_candidates for one in tried], dtype=float)
        slope, first = np.polyfit(n, np.array([one.cpu_s for one in tried]), 1)
        yield Figure(
            what=f"{what}: processor time, a candidate",
            value=1e3 * slope,
            unit="ms",
            note=f"beside {first:.3g} s of an event without any",
        )


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--maps", type=int, default=300)
    options.add_argument("--single-detector", type=int, default=10)
    options.add_argument("--packets", type=int, default=100_000)
    options.add_argument("--batch", type=int, default=1_000)
    options.add_argument("--trials", type=int, default=120)
    figures.run(measure, options)


if __name__ == "__main__":
    main()
