"""The candidates of an event with what they are worth: rank, probability, chance expectation; and why it may be none of them.

Computed from what is stored, whenever it is asked for: candidates, the newest background, the ledger of visits, the map.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from sqlalchemy.orm import Session

from hub import resources
from hub.errors import InvalidRequest
from hub.model.background import BackgroundVersion
from hub.model.coincidence import Candidate
from hub.model.contender import Contender
from hub.model.coverage import Coverage
from hub.model.event import Event, EventState
from hub.model.instant import Instant
from hub.model.sky import Skymap
from hub.model.visit import joined
from hub.ports import AlertHistory, Clock
from hub.science.chance import Background
from hub.science.counterpart_policy import CounterpartPolicy, load_counterpart_policy
from hub.science.crossmatch import admitted
from hub.science.detectable import DepthCurve, depth_curve, moduli_of
from hub.science.levels import Levels2D
from hub.science.map_points import by_prob
from hub.science.point_visits import looks
from hub.science.posterior import (
    Densities,
    Posterior,
    PriorOf,
    Searched,
    configured_densities,
    measured_densities,
    posterior,
    prior_of,
)
from hub.science.ranking import DEFAULT, Ranking
from hub.science.rules import DAY_S, Hypothesis, Rules, load_rules
from hub.science.worth import UNMEASURED, Measured, chance_scores
from hub.services import coverage, light_curve_models, promotion, searched, twins
from hub.services.background import Backgrounds
from hub.services.bodies import Body, jsonable, text, utc
from hub.services.expectations import background_in, measured_of
from hub.services.queries import find_event, find_localization
from hub.storage import backgrounds, candidates, events
from hub.storage.engine import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The rules and priors that answers follow from."""

    rules: Rules
    policy: CounterpartPolicy
    ranking: Ranking = DEFAULT


@cache
def shipped() -> Book:
    """Return the rules and priors that the hub ships."""
    return Book(
        rules=load_rules(resources.read_text("conf/coincidence.toml"), resources.read_text("conf/families.toml")),
        policy=load_counterpart_policy(resources.read_text("conf/counterparts.toml")),
    )


def book_of(ranking: Ranking) -> Book:
    """Return the rules and priors that the hub ships, with a ranking."""
    return replace(shipped(), ranking=ranking)


def measuring(store: Store, history: AlertHistory, archive: Path, clock: Clock, book: Book | None = None) -> Backgrounds:
    """Return what measures backgrounds, by the rules and priors that the hub ships where none are given."""
    book = book or shipped()
    return Backgrounds(
        store=store,
        history=history,
        archive=archive,
        rules=book.rules,
        policy=book.policy,
        clock=clock,
        ranking=book.ranking,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """All explanations of what was seen of an event, under one hypothesis."""

    event_id: str
    hypothesis: Hypothesis
    own: Sequence[Contender]
    """The open candidates, each transient once, the best first."""

    aliases: Mapping[str, tuple[str, ...]]
    """Other objects of the same transient, by name of the candidate."""

    versions: Mapping[str, BackgroundVersion]
    """The newest backgrounds by survey."""

    measured: Mapping[str, Measured]
    """What they say of the event as it is now."""

    posterior: Posterior


def of_event(
    session: Session,
    archive: Path,
    name: str,
    *,
    now: Instant,
    hypothesis: str | None = None,
    limit: int = 20,
    book: Book | None = None,
) -> Body:
    """Return what is known of an event's counterpart, under each hypothesis that it admits; why nothing where it is not searched.

    Parameters
    ----------
    session, archive
        What is asked.
    name
        Of the event, any.
    now
        The present.
    hypothesis
        Only this one.
    limit
        Candidates that are listed under each; all count.
    book
        Rules and priors; those that the hub ships where not given.

    Raises
    ------
    NotFound
        There is no such event.
    InvalidRequest
        It has no time or no map, or does not admit the hypothesis.
    StorageError
        A ledger cannot be read.
    """
    book = book or shipped()
    event = find_event(session, name)
    not_searched = promotion.why_not_searched(session, book.rules.low_significance, event)
    answers = [] if not_searched else answers_of(session, archive, event, now=now, hypothesis=hypothesis, book=book)
    tried = Tried.of(session, book.rules, [_seen(one) for answer in answers for one in answer.own[:limit]])
    return {
        "event_id": text(event.event_id),
        "state": event.state.value,
        "localization_id": event.localization_id,
        "t0": utc(event.t0),
        "asked_at": utc(now),
        "not_searched": not_searched,
        "hypotheses": [_body(session, one, tried, limit, book.ranking) for one in answers],
    }


def answers_of(
    session: Session,
    archive: Path,
    event: Event,
    *,
    now: Instant,
    book: Book,
    hypothesis: str | None = None,
) -> list[Answer]:
    """Return the explanations of an event and its open candidates under each hypothesis; parameters and errors as `of_event`.

    All open candidates are weighed, by what a `Contender` holds of each: some hundred bytes.
    """
    if event.localization_id is None or event.t0 is None:
        lacks = "no localization" if event.localization_id is None else "no time"
        raise InvalidRequest(f"the event {event.event_id} has {lacks}: nothing can be said of its counterpart")
    names = candidates.hypotheses_of(session, event.event_id)
    chosen = [one for one in book.rules.hypotheses if one.name in names or one in admitted(event, book.rules.hypotheses)]
    if hypothesis is not None:
        chosen = [one for one in chosen if one.name == hypothesis]
        if not chosen:
            raise InvalidRequest(
                f"the event {event.event_id} admits no counterpart of the kind {hypothesis!r}", field="hypothesis"
            )
    skymap = find_localization(session, event.localization_id).skymap
    levels = Levels2D.of(skymap)
    hears = coverage.heard(session)
    stored = backgrounds.of_event(session, event.event_id)
    answers = []
    for one in chosen:
        found = candidates.contenders(session, event.event_id, book.policy.posterior.terms, hypothesis=one.name)
        own, aliases = _transients(session, found)
        versions = {survey: version for (of, survey), version in stored.items() if of == one.name}
        measured = {name: measured_of(version, event, book.ranking, len(versions)) for name, version in versions.items()}
        seen = _searched(session, archive, event, skymap, levels, one, hears, book.policy, now)
        answer = _posterior(event, one, own, measured, seen, book.policy)
        answers.append(
            Answer(
                event_id=event.event_id,
                hypothesis=one,
                own=own,
                aliases=aliases,
                versions=versions,
                measured=measured,
                posterior=answer,
            )
        )
    return answers


def background_of(version: BackgroundVersion | None) -> Background:
    """Return the background that a version holds, one without numbers where there is none."""
    return UNMEASURED.background if version is None else background_in(version)


def curve_of(  # noqa: PLR0917 - what the searched depth follows from
    session: Session,
    archive: Path,
    event: Event,
    skymap: Skymap,
    levels: Levels2D,
    hypothesis: Hypothesis,
    hears: Coverage,
    policy: CounterpartPolicy,
    now: Instant,
) -> tuple[DepthCurve | None, str, bool]:
    """Return how much of a map surveys searched by when for a hypothesis; None and the reason where the coverage is unknown.

    With a curve the words tell what of the window was not heard, empty where all was.

    The third is whether a light curve at the map's distances could be stated.
    """
    assert event.t0 is not None
    points = by_prob(skymap, levels, hypothesis.max_level, policy.posterior.n_points)
    begin = event.t0.plus_s(hypothesis.window_d[0] * DAY_S)
    end = max(begin, min(now, event.t0.plus_s(min(hypothesis.window_d[1], policy.chance.max_window_d) * DAY_S)))
    parts, reasons, partly = [], [], []
    for survey in sorted({one.survey for one in hears.streams}):
        visits, reason = searched.visits_around(session, archive, hears, survey, (begin, end), points)
        if visits is None:
            reasons.append(reason)
        else:
            parts.append(visits)
            partly += [f"{survey}: {reason}"] if reason else []
    if not parts:
        return None, "; ".join(reasons) or "no source of this hub listens to the alerts of a survey", False
    whole = joined(parts)
    moduli, model = moduli_of(skymap, points), light_curve_models.model_of(hypothesis)
    curve = depth_curve(
        points,
        looks(points.ra_deg, points.dec_deg, whole),
        whole,
        event.t0.tai_us,
        moduli=moduli,
        magnitude=None if model is None else model.magnitude,
        spread_mag=0.0 if model is None else model.spread_mag,
        extinction=None if model is None else model.extinction_at(points),
    )
    return curve, "; ".join(partly), moduli is not None and model is not None


Interval = tuple[Instant, Instant]
"""Times of the first and of the last detection of an object."""


def _seen(one: Contender) -> Interval:
    return Instant(one.first_tai_us), Instant(one.last_tai_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The live maps that objects were tried against: each is a chance for an unrelated object to lie in one."""

    spans: Sequence[tuple[int, int, str]]
    """From when to when alerts count for each live event, `Instant.tai_us`, and its id."""

    @classmethod
    def of(cls, session: Session, rules: Rules, found: Sequence[Interval]) -> "Tried":
        """Return those that objects may have been tried against which were detected in some intervals."""
        if not found:
            return cls(spans=())
        longest = max((max(abs(day) for day in one.window_d) for one in rules.hypotheses), default=0.0) * DAY_S
        first = min(begin for begin, _ in found).plus_s(-longest)
        last = max(end for _, end in found).plus_s(longest)
        spans = []
        for event in events.in_span(session, first, last):
            if event.state is EventState.ACTIVE and event.is_live and event.t0 is not None and event.localization_id is not None:
                windows = [one.window_d for one in rules.hypotheses_for((event.event_class,))]
                if windows:
                    low, high = min(low for low, _ in windows), max(high for _, high in windows)
                    begin, end = event.t0.plus_s(low * DAY_S).tai_us, event.t0.plus_s(high * DAY_S).tai_us
                    spans.append((begin, end, event.event_id))
        return cls(spans=tuple(spans))

    def by(self, interval: Interval) -> list[str]:
        """Return the events against whose maps an object was tried, that of the candidate included."""
        first, last = interval
        return [event_id for begin, end, event_id in self.spans if begin <= last.tai_us and first.tai_us <= end]


def _searched(  # noqa: PLR0917 - as `curve_of`
    session: Session,
    archive: Path,
    event: Event,
    skymap: Skymap,
    levels: Levels2D,
    hypothesis: Hypothesis,
    hears: Coverage,
    policy: CounterpartPolicy,
    now: Instant,
) -> Searched:
    curve, reason, is_stated = curve_of(session, archive, event, skymap, levels, hypothesis, hears, policy, now)
    if curve is None:
        return Searched(share=None, reason=reason)
    looked = curve.total_looked
    if not is_stated:
        prior = policy.existence(hypothesis.name).detectable
        words = "prior: the map has no distances, or the hypothesis no light curve"
        return Searched(share=looked, bright_enough=prior, basis=words, partial=reason)
    bright = curve.total_detectable / looked if looked > 0.0 else 0.0
    words = "light curve of the hypothesis at the distances of the map"
    return Searched(share=looked, bright_enough=bright, basis=words, partial=reason)


_ONLY_LISTED = "only objects of an installed {} catalogue are candidates"


def _posterior(  # noqa: PLR0917 - what it follows from
    event: Event,
    hypothesis: Hypothesis,
    own: Sequence[Contender],
    measured: Mapping[str, Measured],
    seen: Searched,
    policy: CounterpartPolicy,
) -> Posterior:
    remarks = [] if own or hypothesis.require_catalogue is None else [_ONLY_LISTED.format(hypothesis.require_catalogue)]
    densities = {}
    for survey in sorted({one.survey for one in own} | set(measured)):
        found = measured.get(survey, UNMEASURED).background
        if found.is_sufficient and found.on_area_deg2 > 0.0:
            densities[survey] = measured_densities(found, seen, own, policy.posterior)
        elif policy.posterior.use_configured_background:
            remarks.append(f"{survey}: {found.reason}; the density of unrelated objects is the configured one")
            densities[survey] = configured_densities(hypothesis.background_per_deg2, policy.posterior)
        else:
            densities[survey] = Densities(confirmed=None, single=None, basis=found.reason or "insufficient background")
    prior = prior_of(policy.existence(hypothesis.name), event.p_astro, event.classification, event.properties)
    if event.state is EventState.RETRACTED:
        prior = PriorOf(value=0.0, inputs={"retracted": True})
    return posterior(hypothesis.name, own, prior, seen, densities, policy.posterior, remarks)


def _body(session: Session, said: Answer, tried: Tried, limit: int, ranking: Ranking) -> Body:
    hypothesis, own, answer, aliases = said.hypothesis, said.own, said.posterior, said.aliases
    shares = {(one.survey, one.object_id): one for one in answer.shares}
    found = {survey: background_of(version) for survey, version in said.versions.items()}
    rows = []
    listed = _whole(session, said.event_id, own[:limit])
    inside = candidates.n_events(session, [(one.survey, one.object_id) for one in listed])
    for rank, one in enumerate(listed, start=1):
        share = shares[one.survey, one.object_id]
        rows.append(
            {
                "rank": rank,
                "survey": text(one.survey),
                "object_id": text(one.object_id),
                "aliases": [text(name) for name in aliases.get(f"{one.survey}:{one.object_id}", ())],
                "probability": jsonable(share.probability),
                "among_candidates": jsonable(share.among_candidates),
                **_chance(one, said.measured.get(one.survey, UNMEASURED), ranking),
                "n_live_maps": len(tried.by((one.first_detection, one.last_detection))),
                "n_maps_inside": inside[one.survey, one.object_id],
                "confirmed": one.confirmed,
                "n_detections": one.n_detections,
                "level": jsonable(one.level),
                "score": jsonable(one.score),
                "ra_deg": jsonable(one.ra_deg),
                "dec_deg": jsonable(one.dec_deg),
                "first_detection": utc(one.first_detection),
                "reasons": jsonable(one.reasons),
                "flags": jsonable(one.flags),
            }
        )
    return {
        "hypothesis": text(hypothesis.name),
        "n_candidates": len(own),
        "n_confirmed": sum(one.confirmed for one in own),
        "reason": answer.reason,
        "p_none": jsonable(answer.p_none),
        "none": jsonable(answer.none),
        "prior": jsonable(asdict(answer.prior)),
        "searched": jsonable(asdict(answer.searched)),
        "densities": {text(survey): jsonable(asdict(one)) for survey, one in answer.densities.items()},
        "backgrounds": [background_body(survey, said.versions[survey], found[survey]) for survey in sorted(found)],
        "remarks": jsonable(answer.remarks),
        "candidates": rows,
    }


def _whole(session: Session, event_id: str, own: Sequence[Contender]) -> list[Candidate]:
    """Return an event's candidates with all that is stored of them, in the order given."""
    stored = candidates.stored(session, {(event_id, one.survey, one.object_id) for one in own})
    return [candidates.read(stored[event_id, one.survey, one.object_id, one.hypothesis]) for one in own]


def _transients(session: Session, own: Sequence[Contender]) -> tuple[list[Contender], dict[str, tuple[str, ...]]]:
    """Return the best candidate of each transient in the order given, and by its name the other objects of the same transient."""
    if len({one.survey for one in own}) < 2:
        return list(own), {}
    same = twins.twins_of(twins.near(session, [one.name for one in own]).values())
    kept: list[Contender] = []
    aliases: dict[str, tuple[str, ...]] = {}
    behind: set[str] = set()
    for one in own:
        if one.name not in behind:
            kept.append(one)
            aliases[one.name] = same.others(one.name)
            behind.update(aliases[one.name])
    return kept, aliases


def _chance(one: Candidate, measured: Measured, ranking: Ranking) -> Body:
    mu, chance, expected = chance_scores(one, measured, ranking)
    return {
        "mu": jsonable(mu.value),
        "mu_low": jsonable(mu.inputs.get("low")),
        "mu_high": jsonable(mu.inputs.get("high")),
        "chance": jsonable(chance.value),
        "chance_dispersed": jsonable(mu.inputs.get("chance_dispersed")),
        "expected_unrelated": jsonable(expected.value),
        "mu_reason": mu.inputs.get("reason"),
    }


def background_body(survey: str, version: BackgroundVersion, found: Background) -> Body:
    """Return a version of a background as JSON values."""
    content = version.content
    until = content.get("until")
    return {
        "survey": text(survey),
        "version": version.version,
        "computed_at": utc(version.computed_at),
        "reason": found.reason,
        "until": utc(Instant(until)) if until is not None else None,
        "localization_id": content["localization_id"],
        "seed": content["seed"],
        "n_off_maps": found.n_off_maps,
        "n_off_objects": len(found.weights),
        "on_exposure": jsonable(found.on_exposure),
        "off_exposure": jsonable(found.off_exposure),
        "on_area_deg2": jsonable(found.on_area_deg2),
        "dispersion": jsonable(found.dispersion),
        "expected_in_all": jsonable(math.fsum(found.weights)) if found.is_sufficient else None,
        "off_maps": jsonable(content["off_maps"]),
        "cells": [jsonable(asdict(cell)) for cell in found.cells],
        "remarks": jsonable(found.remarks),
    }
