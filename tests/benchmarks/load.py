"""Load for benchmarks: a Kafka topic full of the simulated night, a hub that knows a hundred maps, and how fast packets are made.

``python -m tests.benchmarks.load`` times the making alone and, with a broker, the filling.
"""

import argparse
import base64
import itertools
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Self

import numpy as np
from astropy import units as u
from astropy.coordinates import Latitude, Longitude
from confluent_kafka import Consumer, Message
from mocpy import MOC

from hub.bootstrap import Hub, create_database, open_hub, open_source
from hub.config import Settings
from hub.config import load as load_settings
from hub.demo.survey.night import SurveyNight
from hub.demo.survey.sending import TopicWriter
from hub.model.envelope import Envelope, Trust
from hub.model.instant import Instant
from hub.model.sky import Skymap
from hub.ports import PacketSource
from hub.science import healpix
from hub.storage import candidates, events
from tests.benchmarks import figures, mix
from tests.benchmarks.figures import Figure, exactly
from tests.benchmarks.mix import SEED, Taken, last_night
from tests.benchmarks.stages import Cpu, StageClock, cpu
from tests.conftest import REPOSITORY
from tests.support import kafka as brokers
from tests.support.json_notices import as_bytes, igwn_alert
from tests.support.packet_world import SOURCE, write_settings
from tests.support.skymaps import NUNIQ_HEADER, adaptive_map, fits_bytes, gaussian_density

SINGLE_DETECTOR_DEG2 = 24_000.0
"""90 % area of maps of a single detector."""

LARGE_DEG2 = 10_000.0
"""Maps with a larger 90 % area should make no candidates by space alone."""

PACKET_BYTES, SMALL_PACKET_BYTES = 130_000, 5_000
"""On the disk of a packet with cutouts and without, the means of a night rounded up."""

JOIN_S = 60.0

WARM_SHARE = 0.1
"""Most of the packets that may come with the first batch, which is not timed."""

BARE_BATCH = 150
"""Messages that a bare consumer asks for at once: a thousand of full size take longer each, since memory is new each time."""


def begin_of(night: date) -> Instant:
    """Return a moment before the first visit of a night, and after its noon."""
    return Instant.from_utc_iso(f"{night.isoformat()}T22:00:00Z")


def spread_visits(night: SurveyNight, n_packets: int) -> range:
    """Return visits over the whole night, rather more than so many packets have."""
    n = max(1, math.ceil(n_packets / 6_000))
    return range(0, len(night), max(1, len(night) // n))


@contextmanager
def broker(address: str | None) -> Iterator[brokers.Kafka]:
    """Give the broker of an address, or one that is started."""
    if address:
        yield brokers.Kafka(address, "address")
    else:
        with brokers.broker() as found:
            yield found


def first_packet() -> bytes:
    """Return a packet that is in no timed visit: see `mix.visits_of`."""
    return next(SurveyNight(SEED, last_night()).visit(0).packets())


def check_disk(n_bytes: float) -> None:
    """Refuse what does not fit where brokers of tests keep their data."""
    free = shutil.disk_usage(tempfile.gettempdir()).free
    print(f"needs about {n_bytes / 1e9:.1f} GB of disk, {free / 1e9:.0f} GB are free", file=sys.stderr)
    if n_bytes + 2e9 > free:
        raise SystemExit("that does not fit: ask for fewer packets, or --no-cutouts")


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A topic with packets."""

    topic: str
    taken: Taken
    seconds: float
    """From the first look at the night until the broker had all."""

    cpu_s: float
    """Processor time of the maker meanwhile, that of its Kafka client included."""

    def figures(self, what: str, note: str) -> list[Figure]:
        """Return how fast it was made."""
        n = self.taken.n_packets
        return [
            Figure(what=what, value=n / self.seconds, unit="/s", note=note),
            Figure(what=f"{what}: processor time of the maker", value=1e6 * self.cpu_s / n, unit="us per packet"),
        ]


def fill(kafka: brokers.Kafka, n_packets: int, *, partitions: int, with_cutouts: bool = True) -> Filled:
    """Return a new topic with packets of a night in their right proportions."""
    check_disk(n_packets * (PACKET_BYTES if with_cutouts else SMALL_PACKET_BYTES))
    topic = kafka.create_topic(kafka.unique_topic("night"), partitions)
    writer, taken = TopicWriter(kafka.bootstrap, topic), Taken()
    begun, used = time.perf_counter(), time.process_time()
    for packet in mix.packets(n_packets, with_cutouts=with_cutouts, taken=taken):
        writer.send(packet)
    writer.finish()
    writer.close()
    return Filled(topic=topic, taken=taken, seconds=time.perf_counter() - begun, cpu_s=time.process_time() - used)


@dataclass(frozen=True)
class Maps:
    """What a hub is told before the night."""

    n: int = 100
    n_single_detector: int = 0
    tiles: str = "21,504 tiles each"


def recorded_areas() -> list[float]:
    """Return 90 % areas of recorded gravitational-wave maps, where the recorded messages are; square degrees."""
    folder = os.environ.get("MMHUB_RECORDED", "")
    path = Path(folder) / "manifest.json" if folder else REPOSITORY.parent / "shared" / "data" / "manifest.json"
    if not path.is_file():
        return []
    areas = [(one.get("expect") or {}).get("a90") for one in json.loads(path.read_text())]
    return [float(area) for area in areas if isinstance(area, int | float) and 1.0 < area < 10_000.0]


def areas_of(maps: Maps) -> list[float]:
    """Return the 90 % area of each map: drawn from recorded ones, else log-uniform from 20 to 5,000 square degrees."""
    rng = np.random.default_rng(7)
    known = recorded_areas()
    n = maps.n - maps.n_single_detector
    drawn = rng.choice(known, n) if known else 10 ** rng.uniform(1.3, 3.7, n)
    return [*drawn.tolist(), *[SINGLE_DETECTOR_DEG2] * maps.n_single_detector]


def sigma_deg(area_deg2: float) -> float:
    """Return the width of a Gaussian on the sphere whose 90 % area is so large; below 1,000 square degrees as in the plane."""
    angle = np.linspace(0.0, math.pi, 20_001)
    cap_deg2 = 2.0 * math.pi * (1.0 - np.cos(angle)) * math.degrees(1.0) ** 2
    low, high = 0.0, 180.0
    while high - low > 1e-6 * high:
        middle = (low + high) / 2.0
        inside = np.cumsum(np.exp(-0.5 * (np.degrees(angle) / middle) ** 2) * np.sin(angle))
        area = float(np.interp(0.9, inside / inside[-1], cap_deg2))
        low, high = (middle, high) if area < area_deg2 else (low, middle)
    return (low + high) / 2.0


@dataclass(frozen=True, kw_only=True)
class Merger:
    """One that the hub is told of."""

    days_before: float
    """The night."""

    ra_deg: float
    dec_deg: float
    skymap: Skymap


def mergers(maps: Maps) -> Iterator[Merger]:
    """Yield a merger with a map for each, in the fortnight before the night, anywhere on the sky."""
    for area, (days_before, ra, dec) in zip(areas_of(maps), _places(maps), strict=True):
        skymap = adaptive_map(gaussian_density(ra, dec, sigma_deg(area)))
        yield Merger(days_before=days_before, ra_deg=ra, dec_deg=dec, skymap=skymap)


def _places(maps: Maps) -> Iterator[tuple[float, float, float]]:
    """Yield days before the night, right ascension and declination of each merger."""
    rng = np.random.default_rng(8)
    for _ in range(maps.n):
        days_before = float(rng.uniform(0.0, 14.0))
        yield days_before, float(rng.uniform(0, 360)), float(np.degrees(np.arcsin(rng.uniform(-1, 1))))


def tell_of_maps(hub: Hub, maps: Maps, until: Instant) -> None:
    """Take in all mergers, one after the other."""
    for one in alerts_of(maps, until):
        hub.flow.take([one])


def alerts_of(maps: Maps, until: Instant) -> Iterator[Envelope]:
    """Yield the messages about all mergers, in their order."""
    for number, one in enumerate(mergers(maps)):
        t0, made = _t0(until, one.days_before), one.skymap
        columns = {"UNIQ": healpix.uniq_of_ranges(made.lo, made.hi), "PROBDENSITY": made.probdensity}
        event = igwn_alert()["event"] | {
            "time": t0.to_utc_iso()[:23] + "Z",
            "skymap": base64.b64encode(fits_bytes(columns, NUNIQ_HEADER)).decode(),
        }
        name = _name(number, t0)
        payload = as_bytes(igwn_alert(superevent_id=name, time_created=t0.plus_s(60).to_utc_iso()[:19] + "Z", event=event))
        yield Envelope(
            payload=payload,
            source="maps",
            received_at=until,
            position=str(number),
            topic="igwn.gwalert",
            trust=Trust.TRUSTED,
        )


def _t0(until: Instant, days_before: float) -> Instant:
    return until.plus_s(-86_400.0 * days_before)


def _name(number: int, t0: Instant) -> str:
    return f"S{t0.to_utc_iso()[2:10].replace('-', '')}{_letters(number)}"


def _letters(number: int) -> str:
    return "".join(chr(97 + number // 26**place % 26) for place in (2, 1, 0))


@contextmanager
def told(maps: Maps) -> Iterator[Path]:
    """Give the data folder of a hub that knows the maps, to be copied for each round."""
    with tempfile.TemporaryDirectory() as name:
        settings = load_settings([write_settings(Path(name), "", "none")], {"logging.level": "error"}).settings
        with create_database(settings) as store, open_hub(settings, store) as hub:
            tell_of_maps(hub, maps, begin_of(last_night()))
        yield settings.hub.data_dir


@contextmanager
def hub_on(
    kafka: brokers.Kafka, topic: str, knows: Path, *, group: str | None = None
) -> Iterator[tuple[Hub, PacketSource, Settings]]:
    """Give a hub on SQLite that knows what another one does, and its subscription to the topic."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        config = write_settings(folder, kafka.bootstrap, topic)
        if group is not None:
            config.write_text(config.read_text().replace(f'group_id = "{topic}"', f'group_id = "{group}"'))
        settings = load_settings([config], {"logging.level": "error"}).settings
        shutil.copytree(knows, settings.hub.data_dir)
        store = stack.enter_context(create_database(settings))
        hub = stack.enter_context(open_hub(settings, store))
        source = stack.enter_context(open_source(settings, store, SOURCE))
        assert isinstance(source, PacketSource)
        yield hub, source, settings


@dataclass
class Drained:
    """How a topic was read to its end, after the first batch: with that one a hub makes its index of the maps."""

    n: int
    seconds: float
    """To the last acknowledgement."""

    used: Cpu = field(default_factory=Cpu)
    """Processor time meanwhile."""

    waiting_s: float = 0.0
    n_matched: int = 0
    n_candidates: int = 0
    n_in_large: int = 0
    """Pairs of an alert and an event whose map is too large to make candidates."""

    n_versions: int = 0

    @property
    def rate(self) -> float:
        return self.n / self.seconds


def drain_bare(kafka: brokers.Kafka, topic: str, n: int, note: Callable[[Sequence[Message]], None] | None = None) -> Drained:
    """Read messages with confluent-kafka and throw them away."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "group.id": kafka.unique_topic("bare"),
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            # What we know to be fastest, so that the hub is compared with the best and not with defaults.
            "fetch.message.max.bytes": 8 << 20,
            "fetch.max.bytes": 8 << 20,
            "fetch.queue.backoff.ms": 5,
            "queued.max.messages.kbytes": 128 << 10,
        }
    )
    consumer.subscribe([topic])
    seen = early = 0
    begun, before = 0.0, Cpu()
    deadline = time.perf_counter() + JOIN_S
    try:
        while seen < n:
            found = consumer.consume(BARE_BATCH if seen else _first_batch(BARE_BATCH, n), timeout=0.05)
            if not found:
                if time.perf_counter() > deadline:
                    raise SystemExit(f"{seen} of {n} messages came")
                continue
            deadline = time.perf_counter() + JOIN_S
            seen += len(found)
            if note is not None:
                note(found)
            if not begun:
                before, begun, early = cpu(), time.perf_counter(), len(found)
        consumer.commit(asynchronous=False)
        return Drained(n=seen - early, seconds=time.perf_counter() - begun, used=cpu() - before)
    finally:
        consumer.close()


def _first_batch(batch: int, n: int) -> int:
    """Return how many messages to ask for at first, so that most are left to be timed."""
    return max(1, min(batch, int(WARM_SHARE * n)))


def drain_hub(
    hub: Hub,
    source: PacketSource,
    n: int,
    batch: int,
    note: Callable[[object, float], None] | None = None,
    clock: StageClock | None = None,
) -> Drained:
    """Read messages as the loop of a source does: take, archive and match, acknowledge.

    Parameters
    ----------
    hub, source
        The hub, and its subscription.
    n
        Messages of the topic.
    batch
        Most that are taken at once.
    note
        Told each batch and the time at which it was matched.
    clock
        Forgets what was counted with the first batch.
    """
    done = Drained(n=0, seconds=0.0)
    begun, early, before = 0.0, 0, Cpu()
    deadline = time.perf_counter() + JOIN_S
    while early + done.n < n:
        asked = time.perf_counter()
        packets = source.take_packets(batch if begun else _first_batch(batch, n), 1.0)
        runs = source.positions()
        now = time.perf_counter()
        if packets is None:
            if now > deadline:
                raise SystemExit(f"{early + done.n} of {n} packets came")
            continue
        deadline = now + JOIN_S
        report = hub.flow.take_packets(packets, runs)
        if note is not None:
            note(packets, time.time())
        n_taken, made = len(packets), report.correlation
        del packets, report  # before the next one comes, as the loop of a source does: two of them would be in memory
        source.acknowledge()
        if not begun:
            if clock is not None:
                clock.reset()
            before, begun, early = cpu(), time.perf_counter(), n_taken
            continue
        done.n += n_taken
        done.waiting_s += now - asked
        done.n_matched += made.matched_alerts
        done.n_candidates += made.candidates
        done.n_in_large += made.in_large_maps
        done.n_versions += made.versions
    done.seconds, done.used = time.perf_counter() - begun, cpu() - before
    return done


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What a hub has written."""

    candidates: int
    """Of all events."""

    of_large_maps: int
    """Of events of which each map is too large."""


def stored(hub: Hub, maps: Maps) -> Stored:
    """Count the candidates in the database of a hub that was told of the maps."""
    until = begin_of(last_night())
    n_all = n_large = 0
    with hub.store.reading() as session:
        for number, ((days_before, *_), area) in enumerate(zip(_places(maps), areas_of(maps), strict=True)):
            event = events.get(session, _name(number, _t0(until, days_before)))
            if event is None:
                raise SystemExit(f"the hub does not know merger {number}")
            n = len(candidates.of_event(session, event.event_id))
            n_all += n
            n_large += n if area > LARGE_DEG2 else 0
        if n_all != len(candidates.search(session)):
            raise SystemExit("there are candidates of events that nobody told the hub of")
    return Stored(candidates=n_all, of_large_maps=n_large)


def hits_figures(what: str, maps: Maps, n_hits: float, drained: Drained, found: Stored, n: int) -> list[Figure]:
    """Return what alerts hit, what was made of it, and that maps which are too large made nothing."""
    large = sum(area > LARGE_DEG2 for area in areas_of(maps))
    lines = [
        Figure(what="hits in space", value=n_hits, unit="per alert", note=what),
        Figure(
            what="alerts that matched",
            value=drained.n_matched / drained.n,
            unit="per alert",
            note="to the levels that hypotheses ask for, in time and by cuts",
        ),
        Figure(
            what="candidates written", value=drained.n_candidates / drained.n, unit="per alert", note="written over ones included"
        ),
        Figure(what="candidates stored", value=found.candidates / n, unit="per alert", note="in the database in the end"),
        Figure(
            what="would match but for a map that is too large",
            value=drained.n_in_large / drained.n,
            unit="per alert",
            note="pairs of alert and event; they are counted and make no candidates",
        ),
    ]
    if large:
        lines.append(
            exactly(
                f"candidates of maps above {LARGE_DEG2:,.0f} deg2",
                found.of_large_maps,
                "",
                0,
                f"in the database, of the events of {large} such maps",
            )
        )
    return lines


def hits_per_alert(maps: Maps, ra_deg: np.ndarray, dec_deg: np.ndarray) -> float:
    """Return in how many 90 % areas a position lies in the mean, by mocpy."""
    ra, dec = Longitude(ra_deg * u.deg), Latitude(dec_deg * u.deg)
    return float(sum(np.count_nonzero(moc_of(one.skymap).contains_lonlat(ra, dec)) for one in mergers(maps)) / len(ra_deg))


def moc_of(found: Skymap) -> MOC:
    """Return the 90 % area of a map."""
    mass = found.probdensity * (found.hi - found.lo)
    order = np.argsort(-found.probdensity)
    inside = np.zeros(len(order), dtype=bool)
    inside[order[: int(np.searchsorted(np.cumsum(mass[order]) / mass.sum(), 0.9)) + 1]] = True
    return MOC.from_depth29_ranges(29, np.stack([found.lo[inside], found.hi[inside]], axis=1).astype(np.uint64))


class Visit:
    """A process that holds the packets of a visit and sends them when told to, as often as told; they are made once.

    Parameters
    ----------
    kafka
        Where they go.
    n
        Packets.
    with_cutouts
        Whether they have their full size.
    programme
        Whose visit it is: a name in `mix.PROGRAMMES`.
    """

    def __init__(self, kafka: brokers.Kafka, n: int, *, with_cutouts: bool = True, programme: str = "wide") -> None:
        words = ["--send", kafka.bootstrap, str(n), programme, *([] if with_cutouts else ["--no-cutouts"])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.load", *words],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def wait(self) -> None:
        """Wait until the packets are made; to be called once."""
        self._read("ready")

    def go(self, topic: str, n: int, over_s: float) -> None:
        """Begin to send the first of them to a topic, spread over a time, or all at once where that is 0."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{topic} {n} {over_s}\n")
        self._process.stdin.flush()

    def finish(self) -> float:
        """Wait until the broker has all; return when that was, seconds since 1970."""
        return float(self._read("sent"))

    def _read(self, word: str) -> str:
        """Return what the sender says behind a word."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        said, _, rest = line.partition(" ")
        if said != word:
            raise SystemExit(f"the sender said {line!r} instead of {word}")
        return rest


def visit_packets(n: int, programme: str, *, with_cutouts: bool = True) -> Iterator[bytes]:
    """Yield the packets of a visit of a programme, and of those after it where it has fewer."""
    night = SurveyNight(SEED, last_night(), with_cutouts=with_cutouts)
    made = (packet for visit in mix.visits_of(night, programme) for packet in night.visit(visit).packets())
    return itertools.islice(made, n)


def visit_places(n: int, programme: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Return right ascension and declination of what those packets say, and why the survey looked there."""
    night = SurveyNight(SEED, last_night(), with_cutouts=False)
    found, seen = [], 0
    for visit in mix.visits_of(night, programme):
        found.append(night.detections(visit))
        seen += len(found[-1])
        if seen >= n:
            break
    ra, dec = (np.concatenate([getattr(one, name) for one in found])[:n] for name in ("ra_deg", "dec_deg"))
    return ra, dec, f"{found[0].reason}, {found[0].target}"


def _send(bootstrap: str, n: int, programme: str, *, with_cutouts: bool) -> None:
    packets = list(visit_packets(n, programme, with_cutouts=with_cutouts))
    print("ready", flush=True)
    for line in sys.stdin:
        topic, number_of, over_s = line.split()
        at = _send_over(TopicWriter(bootstrap, topic), packets[: int(number_of)], float(over_s))
        print("sent", at, flush=True)


def _send_over(writer: TopicWriter, packets: Sequence[bytes], over_s: float) -> float:
    """Send packets; return when the broker had the last of them, seconds since 1970."""
    begun = time.perf_counter()
    for number, packet in enumerate(packets):
        if over_s and number % 10 == 0:
            time.sleep(max(0.0, begun + over_s * number / len(packets) - time.perf_counter()))
        writer.send(packet)
    writer.finish()
    at = time.time()
    writer.close()
    return at


def made(n_packets: int, *, with_cutouts: bool) -> list[Figure]:
    """Return how fast packets are made and thrown away: parts of many visits, and the whole of one as `mmhub simulate night` does."""
    what = "with cutouts" if with_cutouts else "without cutouts"
    taken, begun, used = Taken(), time.perf_counter(), time.process_time()
    for _ in mix.packets(n_packets, with_cutouts=with_cutouts, taken=taken):
        pass
    rate, spent = taken.n_packets / (time.perf_counter() - begun), time.process_time() - used
    night = mix.night_of(with_cutouts=with_cutouts)
    visits = mix.visits_of(night, "wide")
    used = time.process_time()
    n = sum(1 for _ in night.visit(visits[len(visits) // 2]).packets())
    of_visit = time.process_time() - used
    note = "parts of many visits: looking for all that a visit detects is shared by few packets"
    return [
        Figure(what=f"packets made, {what}", value=rate, unit="/s", note=taken.note()),
        Figure(
            what=f"packets made, {what}: processor time", value=1e6 * spent / taken.n_packets, unit="us per packet", note=note
        ),
        Figure(
            what=f"packets of a whole visit made, {what}: processor time",
            value=1e6 * of_visit / n,
            unit="us per packet",
            note=f"a visit of the wide survey, {n} packets, as `mmhub simulate night` makes them",
        ),
    ]


def measure(asked: argparse.Namespace) -> list[Figure]:
    """Return how fast packets are made, with and without cutouts, and sent."""
    out = []
    for with_cutouts in (True, False):
        next(mix.packets(1, with_cutouts=with_cutouts))
        out += made(asked.packets, with_cutouts=with_cutouts)
    if not asked.no_kafka:
        with broker(asked.bootstrap) as kafka:
            for with_cutouts in (True, False):
                what = "with cutouts" if with_cutouts else "without cutouts"
                filled = fill(kafka, asked.packets, partitions=asked.partitions, with_cutouts=with_cutouts)
                taken = filled.taken
                note = f"{taken.n_packets} packets, {taken.n_bytes / 1e9:.2f} GB, broker {kafka.kind}"
                out += filled.figures(f"packets made and sent, {what}", note)
                if with_cutouts:
                    size = taken.n_bytes / taken.n_packets
                    out.append(
                        Figure(
                            what="packets that the disk takes, with cutouts",
                            value=disk_bytes_per_s() / size,
                            unit="/s",
                            note=f"zeros written to one file until they are durable, over {size:.0f} B: no broker keeps more for long",
                        )
                    )
    return out


def disk_bytes_per_s(n_bytes: int = 2 << 30) -> float:
    """Return how fast the disk of the temporary folder takes a file, durable at the end, bytes per second."""
    block = bytes(1 << 20)
    with tempfile.TemporaryFile() as file:
        begun = time.perf_counter()
        for _ in range(n_bytes // len(block)):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        return n_bytes / (time.perf_counter() - begun)


def parser(text: str | None, packets: int) -> argparse.ArgumentParser:
    """Return the options that all benchmarks with a topic have."""
    made = argparse.ArgumentParser(description=(text or "").splitlines()[0])
    made.add_argument("--packets", type=int, default=packets, help="alerts in the topic")
    made.add_argument("--partitions", type=int, default=4)
    made.add_argument("--bootstrap", help="a broker that is running; one is started where not given")
    made.add_argument("--no-cutouts", action="store_true", help="packets of a hundredth of the size")
    made.add_argument("--maps", type=int, default=100, help="live maps that the hub knows")
    made.add_argument("--single-detector", type=int, default=0, help="of them with 24,000 square degrees")
    return made


if __name__ == "__main__":
    if sys.argv[1:2] == ["--send"]:
        _send(sys.argv[2], int(sys.argv[3]), sys.argv[4], with_cutouts="--no-cutouts" not in sys.argv)
    else:
        options = parser(__doc__, 20_000)
        options.add_argument("--no-kafka", action="store_true", help="only make packets")
        figures.run(measure, options)
