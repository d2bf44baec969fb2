"""The synthetic night: everything that arrives at the hub, in true wire formats and in order of arrival."""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.demo import bursts, gravitational_wave, neutrino
from hub.demo.catalogue import Catalogue, build_catalogue
from hub.demo.messages import Message
from hub.demo.packets import PacketWriter, packet_writer
from hub.demo.population import COUNTERPART, DECOY, KIND_NAMES, Detections, Sky, concatenate, detect, detect_object
from hub.demo.published import GRB_T0, GRB_TRIGGER, GW_T0, KILONOVA_DEC_DEG, KILONOVA_RA_DEG, flux_njy, kilonova_flux_njy
from hub.demo.skymap import Banana, unit_vector
from hub.demo.stamps import make_stamps
from hub.demo.visits import ALERTS_PER_DEG2, TOO, WFD, Place, survey_places, target_evenings, visits_of
from hub.model.envelope import Envelope
from hub.model.instant import Instant

ALERT_TOPIC = "lsst-alerts-v10.0"
"""Topic of the alert packets."""

FIELD_SIDE_DEG = 3.1
"""Side of a square of one field of view of 9.6 square degrees: no more is simulated at a place."""

TARGET_PLACES = 8
"""Places inside the gravitational wave's region."""

TARGET_STEP_DEG = 2.6
"""Distance between neighbouring places along the region."""

SPARE = 1.04
"""More sky than the mean density asks for, so that chance does not leave too few alerts."""


DECOY_MAGNITUDE = 19.6
"""Brightness of the dwarf nova in the false burst's field when it is first seen, AB."""

DECOY_FADE_MAG_PER_DAY = 0.8
"""How fast it fades: a dwarf nova at the end of its outburst, so that the false burst has a candidate worth withdrawing; ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What was put into the night, for judging what comes out."""

    counterpart_object_id: str
    """``diaObjectId`` of AT2017gfo in the packets."""

    counterpart_source_ids: tuple[str, ...]
    """Its detections in time order."""

    counterpart_levels: tuple[float, ...]
    """Credible level of AT2017gfo in each of the gravitational wave's maps, by construction."""

    areas90_deg2: tuple[float, ...]
    """90 % credible area that each of those maps was made with."""

    burst_delay_s: float
    """From the merger to the trigger of GRB 170817A, as the notices state them."""

    decoy_object_id: str
    """``diaObjectId`` of the dwarf nova in the false burst's field."""

    superevent_id: str
    burst_event_id: str
    retracted_event_id: str
    neutrino_event_id: str
    n_alerts: int
    """All alert packets."""

    n_unrelated_alerts: int
    n_notices: int
    alerts_by_kind: Mapping[str, int]
    kind_of_object: Mapping[str, str]
    """``diaObjectId`` to what it is, of all objects with an alert; known asteroids have none."""

    area_deg2: float
    """Simulated area at each place."""

    n_visits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """The plan of a night; the packets are made while it is played."""

    seed: int
    notices: tuple[Message, ...]
    """All notices in order of arrival."""

    writer: PacketWriter
    alert_rows: NDArray[np.int64]
    """Rows of the catalogue that are sent, in order of arrival."""

    alert_arrivals: NDArray[np.int64]
    """`Instant.tai_us` of their arrival."""

    truth: Truth

    def __len__(self) -> int:
        return len(self.notices) + len(self.alert_rows)

    def envelopes(self) -> Iterator[Envelope]:
        """Yield all messages in order of arrival, one at a time: nothing is kept."""
        merged = heapq.merge(self.notices, self._alerts(), key=lambda message: message.arrives)
        for number, message in enumerate(merged):
            yield message.envelope(number)

    def _alerts(self) -> Iterator[Message]:
        for row, arrival in zip(self.alert_rows.tolist(), self.alert_arrivals.tolist(), strict=True):
            yield Message(
                payload=self.writer.packet(row),
                topic=ALERT_TOPIC,
                media_type="application/vnd.kafka.avro.v2",
                arrives=Instant(arrival),
            )


def build_night(seed: int, n_alerts: int = 20_000) -> Night:
    """Return the night of a seed; the same seed gives the same bytes.

    Parameters
    ----------
    seed
        Any whole number from 0.
    n_alerts
        At least this many alerts have nothing to do with the merger.

    Raises
    ------
    ValueError
        The number is not positive, or more than whole fields of view at all places would give.
    """
    if n_alerts < 1:
        raise ValueError("a night has at least one alert")
    maps = gravitational_wave.maps(np.random.default_rng([seed, 1]))
    spare = SPARE
    while True:
        built = _observe(seed, n_alerts * spare, maps)
        unrelated = int(np.sum((built[1].night >= 0) & (built[1].kind != COUNTERPART)))
        if unrelated >= n_alerts:
            break
        spare *= 1.1
    skies, catalogue = built
    rng = np.random.default_rng([seed, 3])
    rows, arrivals = _arrivals(catalogue, rng)
    notices = sorted([*gravitational_wave.messages(maps), *bursts.messages(), *neutrino.messages()], key=lambda m: m.arrives)
    writer = packet_writer(
        catalogue,
        make_stamps(np.random.default_rng([seed, 4])),
        reasons=tuple(((WFD, "lowdust"), (sky.place.reason, sky.place.name)) for sky in skies),
        first_target_night=tuple(1 if sky.place.reason == TOO else 0 for sky in skies),
        rng=rng,
    )
    return Night(
        seed=seed,
        notices=tuple(notices),
        writer=writer,
        alert_rows=rows,
        alert_arrivals=arrivals,
        truth=_truth(catalogue, skies, len(notices), maps),
    )


def _observe(seed: int, n_alerts: float, maps: tuple[Banana, ...]) -> tuple[list[Sky], Catalogue]:
    rng = np.random.default_rng([seed, 2])
    survey = survey_places()
    n_visits = 2 * (TARGET_PLACES * len(target_evenings(0)) + sum(len(place.evenings) for place in survey))
    side = float(np.sqrt(n_alerts / ALERTS_PER_DEG2 / n_visits))
    if side > FIELD_SIDE_DEG:
        raise ValueError(f"the demo's visits show at most {int(FIELD_SIDE_DEG**2 * ALERTS_PER_DEG2 * n_visits / SPARE)} alerts")
    places = [*_target_places(maps[-1], side, rng), *survey]
    skies = [Sky(place=place, visits=visits_of(place, rng), side_deg=side) for place in places]
    found = [detect(sky, rng) for sky in skies]
    found[0] = concatenate([found[0], _counterpart(skies[0], rng)])
    found[TARGET_PLACES] = concatenate([found[TARGET_PLACES], _decoy(skies[TARGET_PLACES], rng)])
    return skies, build_catalogue(list(zip(skies, found, strict=True)), rng)


def _target_places(region: Banana, side_deg: float, rng: np.random.Generator) -> list[Place]:
    """Return the places inside the region, that of AT2017gfo first and never exactly in its middle."""
    along = float(region.along_deg(unit_vector(KILONOVA_RA_DEG, KILONOVA_DEC_DEG)[:, None])[0])
    steps = np.arange(-2 * TARGET_PLACES, 2 * TARGET_PLACES + 1)
    others = steps[steps != 0]
    others = others[np.argsort(np.abs(along + TARGET_STEP_DEG * others), kind="stable")][: TARGET_PLACES - 1]
    east, north = rng.uniform(-0.4, 0.4, 2) * side_deg
    positions = [(KILONOVA_RA_DEG + east / np.cos(np.radians(KILONOVA_DEC_DEG)), KILONOVA_DEC_DEG + north)]
    for step in others.tolist():
        across = float(rng.normal(0.0, 0.6 * region.sigma_across_deg))
        positions.append(region.position(along + TARGET_STEP_DEG * step, across))
    return [
        Place(
            name=f"{gravitational_wave.SUPEREVENT} {order + 1}",
            ra_deg=float(ra),
            dec_deg=float(dec),
            reason=TOO,
            evenings=target_evenings(order),
            bands=("i", "g"),
        )
        for order, (ra, dec) in enumerate(positions)
    ]


def _counterpart(sky: Sky, rng: np.random.Generator) -> Detections:
    days = sky.visits.mjd_tai - GW_T0.mjd_tai
    flux = np.select(
        [sky.visits.band == band for band in sky.place.bands], [kilonova_flux_njy(days, band) for band in sky.place.bands]
    )
    return detect_object(sky, COUNTERPART, ra_deg=KILONOVA_RA_DEG, dec_deg=KILONOVA_DEC_DEG, flux=flux, rng=rng)


def _decoy(sky: Sky, rng: np.random.Generator) -> Detections:
    days = sky.visits.mjd_tai - bursts.FALSE_T0.mjd_tai
    flux = np.where(days > 0, flux_njy(DECOY_MAGNITUDE + DECOY_FADE_MAG_PER_DAY * days), 0.0)
    east, north = rng.uniform(-0.4, 0.4, 2) * sky.side_deg
    return detect_object(sky, DECOY, ra_deg=sky.place.ra_deg + east, dec_deg=sky.place.dec_deg + north, flux=flux, rng=rng)


def _arrivals(catalogue: Catalogue, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows that are sent and when they arrive: within 60 to 95 s after the middle of the exposure."""
    rows = np.flatnonzero(catalogue.night >= 0)
    middles = np.array([Instant.from_mjd_tai(mjd).tai_us for mjd in catalogue.mjd_tai[rows].tolist()], dtype=np.int64)
    arrivals = middles + rng.integers(60_000_000, 95_000_000, len(rows))
    order = np.argsort(arrivals, kind="stable")
    return rows[order], arrivals[order]


def _truth(catalogue: Catalogue, skies: list[Sky], n_notices: int, maps: tuple[Banana, ...]) -> Truth:
    sent = catalogue.night >= 0
    counterpart = sent & (catalogue.kind == COUNTERPART)
    kinds = Counter(KIND_NAMES[kind] for kind in catalogue.kind[sent].tolist())
    objects = zip(catalogue.object_id[sent].tolist(), catalogue.kind[sent].tolist(), strict=True)
    return Truth(
        counterpart_object_id=str(catalogue.object_id[counterpart][0]),
        counterpart_source_ids=tuple(str(item) for item in catalogue.source_id[counterpart].tolist()),
        counterpart_levels=tuple(banana.level_at(KILONOVA_RA_DEG, KILONOVA_DEC_DEG) for banana in maps),
        decoy_object_id=str(catalogue.object_id[sent & (catalogue.kind == DECOY)][0]),
        areas90_deg2=tuple(area for _, _, area, _, _, _ in gravitational_wave.STAGES),
        burst_delay_s=GRB_T0.minus(GW_T0),
        superevent_id=gravitational_wave.SUPEREVENT,
        burst_event_id=f"Fermi-{GRB_TRIGGER}",
        retracted_event_id=f"Fermi-{bursts.FALSE_TRIGGER}",
        neutrino_event_id=f"IceCube-{neutrino.RUN_ID}-{neutrino.EVENT_ID}",
        n_alerts=int(sent.sum()),
        n_unrelated_alerts=int(sent.sum() - counterpart.sum()),
        n_notices=n_notices,
        alerts_by_kind=dict(sorted(kinds.items())),
        kind_of_object={str(key): KIND_NAMES[kind] for key, kind in objects if key},
        area_deg2=skies[0].area_deg2,
        n_visits=sum(int((sky.visits.night >= 0).sum()) for sky in skies),
    )
