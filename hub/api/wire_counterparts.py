"""The shapes of the answers about counterparts, the curve of what was searched, and reported pointings."""

from typing import Any

from pydantic import Field

from hub.api.wire import Time, Wire


class Prior(Wire):
    """That there is a counterpart."""

    value: float
    inputs: dict[str, Any] = Field(description="What it was computed from")


class SearchedShare(Wire):
    """What the surveys could have seen."""

    share: float | None = Field(description="Of the map, up to the level of the cuts; null where the coverage is unknown")
    reason: str | None
    bright_enough: float = Field(description="Of that, where the counterpart would have been seen")
    basis: str
    partial: str = Field(description="Parts of the time that were not heard: at least so much was searched; empty where all was")


class Density(Wire):
    """Unrelated objects per square degree that pass the same cuts."""

    confirmed: float | None
    single: float | None = Field(description="Detected once")
    basis: str = Field(description="measured, configured, or why there is none")


class MeasuredBackground(Wire):
    """The newest measurement of the background."""

    survey: str
    version: int
    computed_at: Time
    reason: str | None = Field(description="Why nothing can be expected from it")
    until: Time | None = Field(description="Middle of the last visit that it counts")
    localization_id: str
    seed: int
    n_off_maps: int
    n_off_objects: int
    on_exposure: float = Field(description="Inside the map since the event, square degrees times looks")
    off_exposure: float
    on_area_deg2: float
    dispersion: float = Field(description="Relative variance of the rate from map to map beyond Poisson")
    expected_in_all: float | None = Field(description="Unrelated objects that pass the cuts")
    off_maps: list[dict[str, Any]]
    cells: list[dict[str, Any]] = Field(description="Counts and exposures of each stratum")
    remarks: list[str]


class Counterpart(Wire):
    """A candidate and what it is worth."""

    rank: int
    survey: str
    object_id: str
    aliases: list[str] = Field(description="Objects of other surveys that are the same transient, counted once")
    probability: float | None = Field(description="That it is the counterpart; null where the hypothesis has a reason")
    among_candidates: float | None = Field(description="Its weight among all candidates, whatever else there may be")
    mu: float | None = Field(description="Unrelated objects expected whose level and score are at least as good")
    mu_low: float | None = Field(description="5 % quantile")
    mu_high: float | None = Field(description="95 % quantile")
    chance: float | None = Field(description="1 - exp(-mu)")
    chance_dispersed: float | None = Field(description="The same with the error of mu and the over-dispersion")
    expected_unrelated: float | None = Field(description="Unrelated objects an event that do as well: what the budget is asked")
    mu_reason: str | None = Field(description="Why there is no mu")
    n_live_maps: int = Field(description="Live events whose windows hold its detections: maps that it was tried against")
    n_maps_inside: int = Field(description="Events of which it is an open candidate")
    confirmed: bool
    n_detections: int
    level: float | None
    score: float
    ra_deg: float
    dec_deg: float
    first_detection: Time
    reasons: list[str]
    flags: list[str]


class UnderHypothesis(Wire):
    """All explanations under one hypothesis; the probabilities of the candidates and of none of them sum to 1."""

    hypothesis: str
    n_candidates: int
    n_confirmed: int
    reason: str | None = Field(description="Why there are no probabilities: coverage unknown, or insufficient background")
    p_none: float | None
    none: dict[str, float] | None = Field(description="not_searched, too_faint, hidden_by_veto, does_not_exist")
    prior: Prior
    searched: SearchedShare
    densities: dict[str, Density] = Field(description="By survey")
    backgrounds: list[MeasuredBackground]
    remarks: list[str]
    candidates: list[Counterpart]


class Counterparts(Wire):
    """What is known of an event's counterpart."""

    event_id: str
    state: str
    localization_id: str
    t0: Time
    asked_at: Time
    not_searched: str | None = Field(
        description="Why no counterparts are searched, and no hypothesis is listed; null where they are"
    )
    hypotheses: list[UnderHypothesis]


class Step(Wire):
    """A moment at which more was searched."""

    at: Time
    days: float = Field(description="After t0")
    band: str
    depth_ab: float | None
    searched_prob: float
    detectable_prob: float | None = Field(description="Where a counterpart of the hypothesis would have been seen by then, in 3D")


class Series(Wire):
    """What one searched."""

    by: str = Field(description="A survey, an instrument that others report of, or all")
    basis: str = Field(description="heard, reported, or both")
    n_exposures: int
    searched_prob: float
    detectable_prob: float | None
    model: str | None
    steps: list[Step]


class CoverageCurve(Wire):
    """The probability searched against time, and what was found in it."""

    event_id: str
    localization_id: str
    t0: Time
    window_start: Time
    window_end: Time
    hypothesis: str | None
    depth_ab: float | None
    band: str | None
    coverage: str = Field(description="known; partial where not all was heard; unknown where no survey is heard in full")
    remarks: list[str] = Field(description="Parts of the time that were not heard")
    unknown: list[dict[str, str]] = Field(description="Surveys whose coverage is unknown, and why")
    series: list[Series]
    n_planned: int
    n_cancelled: int
    not_searched: str | None = Field(description="Why no counterparts are searched; null where they are")
    nothing_found: bool = Field(description="Counterparts were searched, and there is no candidate")
    best_candidates: list[str]


class ReportedPointing(Wire):
    """A field that somebody reports to have observed."""

    pointing_id: str
    event_id: str
    instrument: str
    name: str
    status: str
    at: Time
    band: str
    depth_ab: float | None
    corners_deg: list[list[float]]
    reported_by: str


class ToldRegister(Wire):
    """What a register was told of one of the hub's own pointings."""

    network: str = Field(description="The register: its table in the settings")
    pointing_id: str
    event_id: str
    intent_id: str
    instrument: str
    field: int = Field(description="Of the request, from 1")
    band: str
    status: str = Field(description="What is true of it now: planned, completed, cancelled")
    answer: str = Field(description="taken, refused, unknown (it is looked up), or not reached")
    told: str | None = Field(description="What the register is known to have; null while it has nothing")
    telling: str | None = Field(description="Of which nobody knows whether it has it")
    refused: str | None = Field(description="What it said no to")
    number: int | None = Field(description="Its own number of it")
    reason: str = Field(description="Why it was not told; empty where all is well")
    updated_at: Time


class PointingsTaken(Wire):
    """What a report brought."""

    n_pointings: int
    events: list[str]
