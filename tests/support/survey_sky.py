"""Some nights of the simulated survey in an archive with its ledger, heard in full, and a merger that a kilonova followed."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from hub import config
from hub.archive.history import ArchiveHistory
from hub.archive.visits_ledger import VisitLedger
from hub.bootstrap import open_decoder
from hub.demo.survey.counterparts import Counterpart
from hub.demo.survey.night import SurveyNight
from hub.demo.survey.settings import shipped
from hub.demo.survey.truth import counterpart_object_id
from hub.model.alert import Words
from hub.model.instant import Instant
from hub.model.sky import Skymap
from hub.services.searched import cameras
from tests.support.searched import FULL
from tests.support.visits import TOPIC
from tests.support.words import gaussian_map

SEED = 3
LAST = date(2026, 11, 23)
"""Evening of the last night, in which the kilonova is found."""

NIGHTS_BEFORE = 4
FRACTION = 0.03
"""Of the survey's objects; counterparts are all there."""

NAME = "S261123sim1367d"
"""The kilonova: 99 Mpc away, half a day old when the last night begins."""

WITHIN_DEG = 9.0
"""Earlier nights have the visits so near to it; the last one those of so near a declination."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveySky:
    """What `survey_sky` made."""

    history: ArchiveHistory
    merger: Counterpart
    object_id: str
    t0: Instant
    now: Instant
    """After the last night."""


def survey_sky(folder: Path) -> SurveySky:
    """Return an archive of the nights around a merger; it takes some ten seconds."""
    history = ArchiveHistory(folder)
    nights = [_night(LAST - timedelta(days=back)) for back in range(NIGHTS_BEFORE, -1, -1)]
    last = nights[-1]
    merger = next(one for one in last.counterparts if one.name == NAME)
    decoder = open_decoder(config.load([], {"hub.data_dir": str(folder.parent / "data")}).settings)
    offset = 0
    for night in nights:
        for visit in _near(night, merger, anywhere=night is last):
            for batch in decoder.decode_packets(list(night.visit(visit).packets())).batches:
                n = len(batch)
                assert batch.provenance is not None
                place = replace(
                    batch.provenance,
                    topic=Words.constant(TOPIC, n),
                    partition=np.zeros(n, dtype=np.int32),
                    offset=np.arange(offset, offset + n),
                )
                history.append(replace(batch, provenance=place))
                offset += n
    now = Instant.from_mjd_tai(float(last.visits.mjd_tai[-1]) + 0.1)
    VisitLedger(history, cameras(), quiet_s=0.0).update(FULL, now)
    return SurveySky(
        history=history,
        merger=merger,
        object_id=str(counterpart_object_id(merger)),
        t0=Instant.from_mjd_tai(merger.t0_mjd_tai),
        now=now,
    )


def map_of(merger: Counterpart, *, sigma_deg: float = 2.0, dec_shift_deg: float = 1.0) -> Skymap:
    """Return a map that the merger lies in, not in its middle, with its distance."""
    found = gaussian_map(merger.ra_deg + 0.4, merger.dec_deg + dec_shift_deg, sigma_deg, order=7)
    n = len(found.lo)
    sigma = 0.25 * merger.distance_mpc
    return Skymap(
        lo=found.lo,
        hi=found.hi,
        probdensity=found.probdensity,
        distmu=np.full(n, merger.distance_mpc),
        distsigma=np.full(n, sigma),
        distnorm=np.full(n, 1.0 / (merger.distance_mpc**2 + sigma**2)),
    )


def _night(day: date) -> SurveyNight:
    whole = shipped()
    survey = whole.survey.model_copy(update={"deep_history_nights": 10, "wide_history_nights": 20})
    return SurveyNight(SEED, day, fraction=FRACTION, with_cutouts=False, simulation=whole.model_copy(update={"survey": survey}))


def _near(night: SurveyNight, merger: Counterpart, *, anywhere: bool) -> list[int]:
    visits = night.visits
    near = np.abs(visits.dec_deg - merger.dec_deg) < WITHIN_DEG
    if not anywhere:
        away = np.abs((visits.ra_deg - merger.ra_deg + 180.0) % 360.0 - 180.0) * np.cos(np.radians(merger.dec_deg))
        near &= away < WITHIN_DEG
    return np.flatnonzero(near).tolist()
