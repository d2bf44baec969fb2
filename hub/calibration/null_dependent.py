"""The law of chance for numbers that are no noise of one detector: searches that answer, and unrelated events of targeted ones.

Both must be what a rate says: in a time T no more than f T reach a rate f, and here just as many, for nothing cuts them off.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.random import Generator

from hub.calibration.result import Check, Floats, Result, Table, joined
from hub.calibration.streams import REAL_FAR_HZ, REAL_SHARE
from hub.calibration.subject import Subject
from hub.model.event import Event, StoredNotice, assemble
from hub.model.instant import Instant
from hub.model.joint_rates import NOISE
from hub.model.notice import EventClass, Messenger, Notice, Role, Stage
from hub.model.sky import Localization
from hub.science.pairs import Sky, evaluate
from hub.science.rules import DAY_S, Rules
from hub.science.trigger_columns import Triggers, triggers_of

SIGMAS = 4.5
"""Deviation at which a count is called wrong, as in the rest of the null law."""

FRACTIONS = (1.0, 0.3, 0.1, 0.03, 0.01, 1e-3)
"""Of the rate of all, at which counts are compared."""

SEARCH = "SUBGRB_TARGETED_FERMI-CBC"
"""The targeted search that is tried."""

_BEGIN = Instant.from_utc_iso("2026-06-01T00:00:00Z")
_LEAST_COUNT = 20.0

Number = Callable[[Event, Event, Rules, Triggers], float | None]
"""Joint rate of an event and the search that answers it, Hz."""


def of_the_hub(searched: Event, answer: Event, rules: Rules, triggers: Triggers) -> float | None:
    """Return the joint rate as the hub computes it."""

    def overlap(a: Localization, b: Localization) -> float:
        raise AssertionError(f"neither has a map, and {a.localization_id} was to be overlapped with {b.localization_id}")

    sky = Sky(maps={}, overlap=overlap, min_overlap=rules.min_overlap)
    (pair,) = evaluate(searched, answer, rules, sky, triggers)
    return next(one.value for one in pair.scores if one.statistic == NOISE)


def answering(subject: Subject, rng: Generator, number: int, joint_rate: Number = of_the_hub) -> Result:
    """Search around every one of some alerts, find nothing but chance, and count the joint rates.

    Alerts come at even times at the rate of the rules, so that what is measured of them is that rate; their false-alarm rates
    reach over twelve decades, the probabilities of the finds are uniform.
    """
    rules = subject.rules
    (row,) = rules.answering
    rate_hz = rules.class_rates_hz[EventClass.CBC]
    before = int(rules.rate_policy.span_d * DAY_S * rate_hz) + 2
    fars, chances = _alert_fars(rng, before + number, rate_hz), rng.random(number)
    rows = [
        (_at(k, rate_hz).tai_us, EventClass.CBC.value, Messenger.GW.value, "LVK", f"S{k}", float(fars[k]), True, True)
        for k in range(before + number)
    ]
    found = []
    for k in range(before, before + number):
        event = _event(f"S{k}", _at(k, rate_hz), EventClass.CBC, far_hz=float(fars[k]))
        stated = {row.property: float(chances[k - before])}
        answer = _event(f"A{k}", _at(k, rate_hz), EventClass.HIGH_ENERGY_NEUTRINO, mission=row.mission, of=f"S{k}", stated=stated)
        found.append(joint_rate(event, answer, rules, triggers_of(rows[k - before : k])))
    rates = np.array([np.inf if one is None else one for one in found])
    return _law("searches that answer", rates, rate_hz, number / rate_hz)


def targeted(subject: Subject, rng: Generator, number: int) -> Result:
    """Draw pairs of a targeted search that are of unrelated events, real ones included, and count how often those would agree."""
    rules, search = subject.rules, subject.search(SEARCH)
    largest_hz, noise_hz = search.max_external_far_hz[rules.profile], search.max_gw_far_hz[rules.profile]
    all_hz = noise_hz / (1.0 - REAL_SHARE)
    fars = _alert_fars(rng, number, all_hz)
    alike = _rate_up_to(fars, all_hz)
    external = rng.uniform(0.0, largest_hz, number)
    world = replace(search, gw_rate_hz=all_hz)
    pairs = [
        subject.joint_rates(
            world, far_gw_hz=float(far), profile=rules.profile, far_external_hz=float(other), gw_rate_hz=float(rate)
        )
        for far, other, rate in zip(fars, external, alike, strict=True)
    ]
    chance = [one.random_association_time_only.value_hz for one in pairs]
    rates = np.array([np.inf if one is None else one for one in chance])
    together_hz = search.width_s * largest_hz * all_hz
    rarer = sum(
        one.time_only.value_hz is not None and rate is not None and rate < one.time_only.value_hz
        for one, rate in zip(pairs, chance, strict=True)
    )
    never = Check(
        name=f"{SEARCH}, unrelated events: never rarer than noise alone",
        passed=rarer == 0,
        found=f"{rarer} of {number}",
    )
    return joined([Result(checks=(never,)), _law(f"{SEARCH}, unrelated events", rates, together_hz, number / together_hz)])


def _alert_fars(rng: Generator, number: int, all_hz: float) -> Floats:
    """Draw false-alarm rates of alerts: noise, with real events among it."""
    noise = rng.uniform(0.0, all_hz * (1.0 - REAL_SHARE), number)
    low, high = np.log(REAL_FAR_HZ)
    real = np.exp(rng.uniform(low, high, number))
    return np.where(rng.random(number) < REAL_SHARE, real, noise)


def _rate_up_to(far_hz: Floats, all_hz: float) -> Floats:
    """Return the rate of alerts up to a false-alarm rate, by the law that they are drawn from."""
    low, high = np.log(REAL_FAR_HZ)
    real = np.clip((np.log(np.maximum(far_hz, 1e-300)) - low) / (high - low), 0.0, 1.0)
    return np.asarray(far_hz + REAL_SHARE * all_hz * real)


def _law(what: str, rates: Floats, all_hz: float, time_s: float) -> Result:
    checks, rows = [], []
    for fraction in FRACTIONS:
        flat = fraction * all_hz * time_s
        if flat < _LEAST_COUNT:
            continue
        count = int(np.count_nonzero(rates <= fraction * all_hz * (1.0 + 1e-9)))
        off = (count - flat) / math.sqrt(flat)
        rows.append((f"{fraction:.3g}", str(count), f"{flat:.1f}", f"{off:+.2f}", f"{count / flat:.4f}"))
        checks.append(
            Check(
                name=f"{what}: count below {fraction:.3g} of the rate of all is f T",
                passed=abs(off) < SIGMAS,
                found=f"{count} of {flat:.1f} ({off:+.1f} sigma)",
            )
        )
    table = Table(
        title=f"{what}: counts below f in T = {len(rates)} / rate of all",
        columns=("f / rate of all", "count", "f T", "sigma", "count / (f T)"),
        rows=tuple(rows),
    )
    return Result(checks=tuple(checks), tables=(table,))


def _at(k: int, rate_hz: float) -> Instant:
    return _BEGIN.plus_s(k / rate_hz)


def _event(
    name: str,
    t0: Instant,
    event_class: EventClass,
    *,
    far_hz: float | None = None,
    mission: str = "LVK",
    of: str | None = None,
    stated: dict[str, float] | None = None,
) -> Event:
    notice = Notice(
        identity=name,
        format="simulated",
        ivorn=None,
        stream="simulated",
        mission=mission,
        instrument=None,
        messenger=Messenger.GW if of is None else Messenger.NEUTRINO,
        role=Role.OBSERVATION,
        stage=Stage.INITIAL,
        event_class=event_class,
        event_key=name,
        t0=t0,
        far_hz=far_hz,
        depends_on=() if of is None else (of,),
        localizes=False,
        properties={} if stated is None else stated,
        is_live=True,
    )
    stored = StoredNotice(notice_id=name, notice=notice, received_at=t0, is_trusted=True, digest=name, localization_id=None)
    return assemble(name, [stored])
